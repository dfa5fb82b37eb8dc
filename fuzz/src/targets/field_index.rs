//! An index of a payload field, as it lies in a segment: opened, asked, verified.

use bytes::Bytes;
use engine::payload::filter::{Range, Scalar, Scalars, Test};
use engine::payload::number::Number;
use engine::payload::{FieldIndex, FieldIndexBuilder, FieldPath, FieldType};

use super::Target;

/// Input: the bytes of the index.
pub const TARGET: Target = Target { name: "field-index", run: |input| ask(Bytes::copy_from_slice(input)), seeds, words: &["VECFIDX\0"] };

/// Asks an index everything that can be asked; says whether it opened.
///
/// # Panics
/// When the answers contradict each other.
pub fn ask(bytes: Bytes) -> bool {
    let Ok(index) = FieldIndex::open(bytes) else { return false };
    // The rows are checked against those of the segment before an index is used.
    if index.rows() > 1 << 20 {
        return false;
    }
    let sound = index.verify().is_ok();
    let range = Range { gt: Number::parse("-3"), lte: Number::parse("1e300"), ..Range::default() };
    let tests = [
        Test::IsEmpty,
        Test::IsNull,
        Test::Match(Scalar::Keyword("t3".to_owned())),
        Test::Match(Scalar::Integer(-1)),
        Test::Match(Scalar::Bool(true)),
        Test::Any(Scalars::Keywords(vec![String::new(), "t1".to_owned()])),
        Test::Any(Scalars::Integers(vec![i128::MIN, 5])),
        Test::Except(Scalars::Keywords(vec!["t2".to_owned()])),
        Test::Except(Scalars::Integers(vec![1])),
        Test::Range(range),
    ];
    for test in &tests {
        let (found, bounds) = (index.candidates(test), index.estimate_test(test));
        if let (true, Some(found), Some(bounds)) = (sound, found, bounds) {
            let (sure, most) = (found.sure.count() as usize, (found.sure.count() + found.maybe.count()) as usize);
            assert!(bounds.least <= most && sure <= bounds.most, "{test:?}: {bounds:?} does not fit {sure} to {most} rows");
        }
    }
    let _ = (index.distinct_values(), index.rows_with_value(), index.field_type(), index.path().to_string());
    true
}

/// Builds an index over some payloads.
///
/// # Panics
/// When the path is none.
#[must_use]
pub fn build(path: &str, kind: FieldType, payloads: &[&str]) -> Vec<u8> {
    let path = FieldPath::parse(path).expect("the path of a seed is one");
    let mut builder = FieldIndexBuilder::new(&path, kind, payloads.len() as u32);
    for (row, payload) in (0..).zip(payloads) {
        builder.add(row, Some(payload));
    }
    builder.finish()
}

fn seeds() -> Vec<Vec<u8>> {
    let payloads = [
        "{\"k\":\"t3\"}",
        "{\"k\":[1,2,-7]}",
        "{\"k\":null}",
        "{\"k\":true}",
        "{\"k\":2.5}",
        "{}",
        "{\"k\":[\"a\",\"t3\"]}",
        "{\"k\":{\"x\":1}}",
        "{\"k\":9007199254740993}",
    ];
    FieldType::ALL.map(|kind| build("k", kind, &payloads)).to_vec()
}
