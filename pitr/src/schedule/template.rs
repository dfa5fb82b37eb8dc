//! Destinations with fields of time in them, as `strftime` has them.

use engine::error::{Error, ErrorKind, Result};

use super::zone::Zone;
use crate::time_text::{civil, days};

const DAY: u64 = 86_400;

/// A text with fields of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(char),
}

impl Template {
    /// Reads a text with `%Y`, `%m`, `%d`, `%H`, `%M`, `%S`, `%j` (day of the year), `%F` (`%Y-%m-%d`), `%T` (`%H%M%S`), `%s` (seconds since 1970) and
    /// `%%`.
    ///
    /// # Errors
    /// `Usage` naming the field that is not known.
    pub fn parse(text: &str) -> Result<Self> {
        let (mut parts, mut plain, mut chars) = (Vec::new(), String::new(), text.chars());
        while let Some(c) = chars.next() {
            if c != '%' {
                plain.push(c);
                continue;
            }
            match chars.next() {
                Some('%') => plain.push('%'),
                Some(field @ ('Y' | 'm' | 'd' | 'H' | 'M' | 'S' | 'j' | 'F' | 'T' | 's')) => {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                    parts.push(Part::Field(field));
                }
                other => {
                    let field = other.map_or_else(|| "%".to_owned(), |other| format!("%{}", other.escape_debug()));
                    return Err(Error::new(ErrorKind::Usage, format!("\"{field}\" is no field of time"))
                        .with_expected("%Y %m %d %H %M %S %j %F %T %s or %%", format!("\"{}\"", text.escape_debug())));
                }
            }
        }
        parts.push(Part::Text(plain));
        Ok(Template(parts))
    }

    /// Says whether different moments give different texts.
    #[must_use]
    pub fn has_fields(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Field(_)))
    }

    /// Fills the fields in for a moment, in microseconds since 1970, as clocks of a zone show it.
    #[must_use]
    pub fn fill(&self, moment: u64, zone: &Zone) -> String {
        let seconds = moment / 1_000_000;
        let local = zone.local(seconds);
        let ((year, month, day), of_day) = (civil(local / DAY), local % DAY);
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        let of_year = local / DAY - days(year, 1, 1).unwrap_or(local / DAY) + 1;
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Field('Y') => format!("{year:04}"),
            Part::Field('m') => format!("{month:02}"),
            Part::Field('d') => format!("{day:02}"),
            Part::Field('H') => format!("{hour:02}"),
            Part::Field('M') => format!("{minute:02}"),
            Part::Field('S') => format!("{second:02}"),
            Part::Field('j') => format!("{of_year:03}"),
            Part::Field('F') => format!("{year:04}-{month:02}-{day:02}"),
            Part::Field('T') => format!("{hour:02}{minute:02}{second:02}"),
            Part::Field(_) => seconds.to_string(),
        };
        self.0.iter().map(part).collect()
    }
}
