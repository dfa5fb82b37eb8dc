//! Values that stand after a flag, parsed to their types; what cannot be meant is a usage error.

use clap::ValueEnum;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Words that follow `collections backup` and can therefore name no collection.
pub const RESERVED_NAMES: [&str; 10] = ["verify", "list", "show", "prune", "plan", "schedule", "help", "copy", "check", "delete"];

/// Says why a reserved word cannot be a name.
#[must_use]
pub fn reserved_name_hint(name: &str) -> String {
    format!("{name:?} is a word of the command line and cannot name a collection or an alias")
}

/// How far apart two vectors are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Distance {
    /// Angle; vectors are stored normalised
    Cosine,
    /// Inner product, larger is nearer
    Dot,
    /// Straight-line distance
    Euclid,
    /// Sum of the differences
    Manhattan,
}

/// How a number of a vector is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Datatype {
    /// 4 bytes
    F32,
    /// 2 bytes
    F16,
    /// 1 byte, whole numbers from 0 to 255
    U8,
}

/// What kind of index is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum IndexKind {
    /// A graph: fast at any size, approximate
    Hnsw,
    /// Lists of near vectors: the least memory, approximate
    Ivf,
    /// None: the codes of all vectors are scanned
    Flat,
}

impl IndexKind {
    /// Gives the kind as schemas have it.
    #[must_use]
    pub fn in_schema(self) -> engine::schema::IndexKind {
        match self {
            Self::Hnsw => engine::schema::IndexKind::Hnsw,
            Self::Ivf => engine::schema::IndexKind::Ivf,
            Self::Flat => engine::schema::IndexKind::Flat,
        }
    }
}

/// What searches may keep in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Memory {
    /// Whatever makes them fast
    Fast,
    /// The graph and the codes as stored, no copies beside them
    Compact,
    /// 1-bit codes alone, with --index ivf
    Low,
}

impl Memory {
    /// Gives the mode as schemas have it.
    #[must_use]
    pub fn in_schema(self) -> engine::schema::Memory {
        match self {
            Self::Fast => engine::schema::Memory::Fast,
            Self::Compact => engine::schema::Memory::Compact,
            Self::Low => engine::schema::Memory::Low,
        }
    }
}

/// One named vector of a new collection: `NAME:DIM[:DISTANCE[:DATATYPE]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorSpec {
    /// Its name in points and searches.
    pub name: String,
    /// Numbers in a vector.
    pub dim: u32,
    /// Its distance; cosine when not given.
    pub distance: Distance,
    /// Its datatype; f32 when not given.
    pub datatype: Datatype,
}

impl FromStr for VectorSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        if name.is_empty() {
            return Err("expected NAME:DIM[:DISTANCE[:DATATYPE]], got no name".to_owned());
        }
        let dim = parts.next().ok_or_else(|| format!("expected {name}:DIM, got no dimension"))?;
        let spec = Self {
            name: name.to_owned(),
            dim: dimension(dim)?,
            distance: word(parts.next(), Distance::Cosine)?,
            datatype: word(parts.next(), Datatype::F32)?,
        };
        match parts.next() {
            None => Ok(spec),
            Some(rest) => Err(format!("expected nothing after the datatype, got {rest:?}")),
        }
    }
}

fn word<T: ValueEnum>(text: Option<&str>, default: T) -> Result<T, String> {
    let Some(text) = text else {
        return Ok(default);
    };
    T::from_str(text, false).map_err(|_| {
        let known: Vec<_> =
            T::value_variants().iter().filter_map(ValueEnum::to_possible_value).map(|value| value.get_name().to_owned()).collect();
        format!("expected one of {}, got {text:?}", known.join(", "))
    })
}

/// Rows `A..B` of a file: from A, before B. `A..` and `..B` leave one end open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowRange {
    /// The first row.
    pub start: u64,
    /// The row after the last; `None`: to the end.
    pub end: Option<u64>,
}

impl RowRange {
    /// Cuts the range to a file of `rows` rows: the first row and the number of rows.
    ///
    /// # Errors
    /// Says what the file has when the range begins or ends behind it.
    pub fn within(self, rows: u64) -> Result<(u64, u64), String> {
        let end = self.end.unwrap_or(rows);
        if self.start >= rows || end > rows {
            return Err(format!("rows {self} are not in a file of {rows} rows"));
        }
        Ok((self.start, end - self.start))
    }
}

impl fmt::Display for RowRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..", self.start)?;
        self.end.map_or(Ok(()), |end| write!(f, "{end}"))
    }
}

impl FromStr for RowRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("expected A..B, got {text:?}");
        let (start, end) = text.split_once("..").ok_or_else(form)?;
        let number = |text: &str| match text {
            "" => Ok(None),
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().map(Some).map_err(|_| form()),
            _ => Err(form()),
        };
        let range = Self { start: number(start)?.unwrap_or(0), end: number(end)? };
        match range.end {
            Some(end) if end <= range.start => Err(format!("no row lies in {text}")),
            _ => Ok(range),
        }
    }
}

/// Largest dimension that the grammar lets through; the engine's own limit may be lower.
const MAX_DIM: u32 = 65_536;

/// Parses a number of dimensions.
pub fn dimension(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(dim) if (1..=MAX_DIM).contains(&dim) => Ok(dim),
        _ => Err(format!("expected a dimension from 1 to {MAX_DIM}, got {text:?}")),
    }
}

/// Parses the share of the true neighbours that is to be found.
pub fn recall(text: &str) -> Result<engine::collection::TargetRecall, String> {
    let share = text.parse().ok().and_then(|share| engine::collection::TargetRecall::new(share).ok());
    share.ok_or_else(|| format!("expected a share above 0, at most 1, such as 0.95, got {text:?}"))
}

/// Parses a length of time in seconds, with or without a fraction.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let value: Option<f64> = text.parse().ok();
    match value.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
        Some(duration) if duration <= Duration::from_secs(366 * 86_400) => Ok(duration),
        _ => Err(format!("expected seconds, at most 366 days of them, got {text:?}")),
    }
}

/// Parses a length of time with units: `90s`, `1h30m`, `7d`, `4w`.
pub fn length(text: &str) -> Result<Duration, String> {
    crate::time::parse_length(text)
        .map(Duration::from_micros)
        .ok_or_else(|| format!("expected a length of time such as 90s, 1h30m, 7d or 4w, got {text:?}"))
}

/// Parses the name of a collection or alias that is to be made: words of the grammar are refused.
pub fn new_name(text: &str) -> Result<String, String> {
    if RESERVED_NAMES.contains(&text) {
        return Err(reserved_name_hint(text));
    }
    name(text)
}

/// Parses the name of something that exists; which characters it may have is the engine's to say.
pub fn name(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("expected a name, got an empty word".to_owned());
    }
    Ok(text.to_owned())
}

/// Parses the id of a timeline: 32 hexadecimal digits.
pub fn timeline(text: &str) -> Result<engine::Timeline, String> {
    engine::Timeline::parse(text).map_err(|error| error.to_string())
}

/// Parses a location: a directory or a URL, never empty (an unset variable in a script gives "").
pub fn location(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("expected a directory or URL, got an empty word".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_range_means_from_a_and_before_b() {
        let range = |text: &str| text.parse::<RowRange>();
        assert_eq!(range("3..10"), Ok(RowRange { start: 3, end: Some(10) }));
        assert_eq!(range("3..").unwrap().within(5), Ok((3, 2)));
        assert_eq!(range("..4").unwrap().within(5), Ok((0, 4)));
        assert_eq!(range("..").unwrap().within(5), Ok((0, 5)));
        assert!(range("..").unwrap().within(0).is_err());
        assert!(range("3..6").unwrap().within(5).is_err());
        for bad in ["", "3", "5..5", "6..5", "-1..2", "1..x", "1...3", "+1..2", "1..2..3", "0..99999999999999999999"] {
            assert!(range(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_vector_spec_names_its_dimension_and_may_name_the_rest() {
        let spec: VectorSpec = "title:384".parse().unwrap();
        assert_eq!((spec.dim, spec.distance, spec.datatype), (384, Distance::Cosine, Datatype::F32));
        let spec: VectorSpec = "image:768:euclid:f16".parse().unwrap();
        assert_eq!((spec.dim, spec.distance, spec.datatype), (768, Distance::Euclid, Datatype::F16));
        for bad in ["", "a", ":3", "a:", "a:0", "a:x", "a:3:near", "a:3:dot:f64", "a:3:dot:f32:x"] {
            assert!(bad.parse::<VectorSpec>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn seconds_are_never_negative_or_endless() {
        assert_eq!(seconds("2.5"), Ok(Duration::from_millis(2_500)));
        assert_eq!(seconds("0"), Ok(Duration::ZERO));
        for bad in ["", "-1", "nan", "inf", "1e300", "10s"] {
            assert!(seconds(bad).is_err(), "{bad:?} was taken");
        }
    }
}
