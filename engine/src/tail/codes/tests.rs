//! Chunks cover the tail without gaps, whatever the records, and what is left of a tail keeps the codes that were made.

use bytes::Bytes;

use super::*;
use crate::batch::{Batch, Point};
use crate::ids::{PointId, Timeline};
use crate::log::record::Record;
use crate::schema::{Distance, Numbers, Schema, VectorSchema};

const DIM: u32 = 256;

fn schema() -> Schema {
    Schema { vectors: vec![VectorSchema::dense("", DIM, Distance::Euclid, Numbers::F32)], ..Schema::default() }
}

fn spec() -> VectorPart {
    crate::collection::version::vector_part(&schema().vectors[0])
}

/// A tail of records of these numbers of rows.
fn tail(rows: &[usize]) -> Tail {
    let (tail, mut lsn, mut id) = (Tail::new(0), 0, 0);
    for &rows in rows {
        let points: Vec<Point> = (0..rows)
            .map(|_| {
                id += 1;
                Point { id: PointId::Number(id), vectors: vec![(String::new(), vec![id as f32; DIM as usize])], payload: None }
            })
            .collect();
        let draft = Batch::of_points(&schema(), &points).unwrap().into_draft().unwrap();
        let mut bytes = Vec::new();
        draft.encode(lsn, 1, 0, Timeline([7; 16]), &mut bytes);
        let record = Arc::new(Record::parse(Bytes::from(bytes), lsn).unwrap());
        lsn = record.head.end();
        tail.push(TailRecord::open(record, &schema()).unwrap());
    }
    tail
}

/// The ids of the rows in the chunks and behind them, each in order.
fn ids(tail: &Tail) -> Vec<PointId> {
    let mut from = (tail.first_number(), 0);
    let mut ids = Vec::new();
    let ends: Vec<TailPlace> = tail.chunks().map(|chunk| chunk.to).chain([(tail.next_number(), 0)]).collect();
    for to in ends {
        for (_, record, rows) in tail.spans(from, to) {
            ids.extend(rows.map(|row| record.ids[row as usize]));
        }
        from = to;
    }
    ids
}

#[test]
fn every_row_is_in_one_chunk_or_behind_the_last() {
    for rows in [vec![1; 2500], vec![9_000], vec![700, 1, 3000, 2, 2, 2, 900, 1100], vec![3], vec![]] {
        let tail = tail(&rows);
        let all: usize = rows.iter().sum();
        assert_eq!(ids(&tail), (1..=all as u64).map(PointId::Number).collect::<Vec<_>>());
        let mut from = (0, 0);
        for chunk in tail.chunks() {
            assert_eq!(chunk.from, from, "no gap");
            from = chunk.to;
            chunk.make_codes(&tail, 1, &spec());
            let codes = chunk.codes(1).unwrap();
            assert_eq!(codes.places.len(), codes.codes.count());
            assert!((50..=CHUNK_ROWS).contains(&codes.places.len()), "a chunk of {} rows", codes.places.len());
        }
        assert_eq!(tail.code_bytes() > 0, all > 1000);
    }
}

#[test]
fn codes_are_made_once_and_kept_by_the_rest_of_a_tail() {
    let tail = tail(&[400; 20]);
    assert!(tail.chunks().all(|chunk| chunk.make_codes(&tail, 1, &spec())), "the first to ask does the work");
    assert!(tail.chunks().all(|chunk| !chunk.make_codes(&tail, 1, &spec())), "the next finds it done");
    for gone in 0..=20 {
        let start = tail.record(gone).map_or(tail.record(19).unwrap().record.head.end(), |record| record.lsn());
        let rest = tail.rest(start);
        assert_eq!(ids(&rest), (u64::from(gone) * 400 + 1..=8000).map(PointId::Number).collect::<Vec<_>>());
        let whole = tail.chunks().filter(|chunk| chunk.from >= (gone, 0)).count();
        let coded = rest.chunks().filter(|chunk| chunk.codes(1).is_some()).count();
        assert_eq!(coded, whole, "chunks that lost no row keep their codes");
        let again = rest.rest(start);
        assert_eq!(ids(&again), ids(&rest));
    }
}

#[test]
fn the_rest_of_a_tail_grows_on_in_chunks() {
    let whole = tail(&[300; 12]);
    let rest = whole.rest(whole.record(2).unwrap().lsn());
    let more = tail(&[300; 40]);
    for number in 12..40 {
        let record = more.record(number).unwrap();
        rest.push(TailRecord::open(record.record.clone(), &schema()).unwrap());
    }
    assert_eq!(ids(&rest), (601..=12_000).map(PointId::Number).collect::<Vec<_>>());
    let last = rest.chunks().last().unwrap();
    let behind: usize = rest.spans(last.to, (rest.next_number(), 0)).map(|(_, _, rows)| rows.len()).sum();
    assert!(behind < CHUNK_ROWS && behind * DIM as usize * 4 < CHUNK_BYTES, "{behind} rows wait for a chunk");
}

#[test]
fn a_version_that_is_searched_often_gets_a_last_chunk_up_to_its_end() {
    for rows in [vec![3], vec![40], vec![300, 1, 1], vec![900], vec![5000, 700], vec![1; 700], vec![]] {
        let tail = tail(&rows);
        let (end, last) = ((tail.next_number(), 0), LastChunk::default());
        assert!((0..SEARCHES_BEFORE).all(|_| last.for_search(&tail, end, 1).is_none()), "not at once");
        let first_open = tail.chunks().last().map_or((0, 0), |chunk| chunk.to);
        let count = |from| tail.spans(from, end).map(|(_, _, rows)| rows.len()).sum::<usize>();
        let Some(chunk) = last.for_search(&tail, end, 1) else {
            assert!(count(first_open) <= FEW_ROWS, "{rows:?}");
            continue;
        };
        assert_eq!(chunk.to, end);
        let bounds: Vec<TailPlace> = tail.chunks().map(|chunk| chunk.from).chain([first_open]).collect();
        assert!(bounds.contains(&chunk.from), "it begins where a chunk does");
        assert!(chunk.from == first_open || count(chunk.from) <= LAST_ROWS, "{} rows", count(chunk.from));
        assert!(chunk.make_codes(&tail, 1, &spec()));
        assert_eq!(chunk.codes(1).unwrap().places.len(), count(chunk.from));
        let again = last.for_search(&tail, end, 1).unwrap();
        assert!(again.codes(1).is_some() && last.memory_bytes() > 0, "made once");
    }
}
