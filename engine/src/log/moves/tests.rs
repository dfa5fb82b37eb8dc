//! Promises of move records: they read back, their new addresses are where the bytes lie, and what does not fit is refused.

use bytes::Bytes;

use super::*;
use crate::error::ErrorKind;
use crate::ids::Timeline;
use crate::schema::{Distance, Numbers, VectorSchema};

const LINEAGE: Timeline = Timeline([3; 16]);

fn schema() -> Schema {
    let vectors =
        vec![VectorSchema::dense("a", 3, Distance::Euclid, Numbers::F32), VectorSchema::dense("b", 5, Distance::Euclid, Numbers::U8)];
    Schema { vectors, ..Schema::default() }
}

fn record(draft: &RecordDraft, lsn: Lsn) -> Record {
    let mut bytes = Vec::new();
    draft.encode(lsn, 77, 0, LINEAGE, &mut bytes);
    let record = Record::parse(Bytes::from(bytes), lsn).unwrap();
    record.verify().unwrap();
    record
}

fn id(number: u64) -> PointId {
    if number.is_multiple_of(3) { PointId::Uuid([number as u8; 16]) } else { PointId::Number(number) }
}

#[test]
fn moved_vectors_lie_at_the_addresses_that_the_record_gives() {
    for lsn in [64, 4032, 1 << 30] {
        let mut draft = MoveDraft::new(1);
        (0..7).for_each(|n| draft.push_vector(id(n), 1_000 + n, &[n as u8; 12]));
        assert_eq!((draft.rows(), draft.bytes()), (7, 84));
        let record = record(&draft.into_record(), lsn);
        let moves = Moves::open(&record, &schema()).unwrap();
        assert_eq!((moves.lsn, moves.part, moves.rows().count()), (lsn, 1, 7));
        for (n, (of, from, to)) in (0..).zip(moves.rows()) {
            assert_eq!((*of, from), (id(n), 1_000 + n));
            assert_eq!(record.bytes[(to - lsn) as usize..][..12], [n as u8; 12], "lsn {lsn}, row {n}");
        }
    }
}

#[test]
fn moved_payloads_are_rows_of_the_record() {
    let mut draft = MoveDraft::new(0);
    (0..5).for_each(|n| draft.push_payload(id(n), 9_000 + n, format!("{{\"n\":{n}}}")));
    let record = record(&draft.into_record(), 640);
    let moves = Moves::open(&record, &schema()).unwrap();
    let blocks = payload_blocks::PayloadBlocks::open(&record).unwrap().unwrap();
    for (n, (of, from, to)) in (0..).zip(moves.rows()) {
        assert_eq!((*of, from, to), (id(n), 9_000 + n, payload_address(640, n as usize)));
        assert_eq!(blocks.row(n as usize).unwrap().unwrap(), format!("{{\"n\":{n}}}"));
    }
}

#[test]
fn moves_that_do_not_fit_are_refused() {
    let (ids, rows) = ([id(1), id(2)], 2);
    let listed = |part: u16, from: usize| {
        let mut draft = RecordDraft::new(RecordKind::Move, rows);
        add_ids(&mut draft, &ids);
        draft.section(SectionKind::Moves, part, 0, rows, vec![7; from]);
        draft
    };
    let with = |mut draft: RecordDraft, part: u16, len: usize| {
        draft.section(SectionKind::Vectors, part, 0, rows, vec![1; len]);
        draft
    };
    let no_list = RecordDraft::new(RecordKind::Move, 0);
    let mut half = listed(0, 16);
    payload_blocks::pack(&mut half, &[Some("{\"a\":1}"), None]);
    let cases = [
        ("nothing is listed", no_list),
        ("a part that is not there", with(listed(3, 16), 3, 24)),
        ("a short list", with(listed(1, 8), 1, 24)),
        ("short vectors", with(listed(1, 16), 1, 12)),
        ("vectors of another part", with(listed(1, 16), 2, 24)),
        ("no vectors", listed(1, 16)),
        ("no payloads", listed(0, 16)),
        ("a payload too few", half),
    ];
    for (what, draft) in cases {
        let error = Moves::open(&record(&draft, 128), &schema()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Corrupt, "{what}: {error}");
    }
}
