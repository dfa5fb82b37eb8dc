//! Checks the recall of a new graph on a sample of its own rows before anybody sees it.

use index::{Kernels, recall};

use super::super::version::{Version, vector_part};
use crate::error::Result;
use crate::schema::Distance;
use crate::segment::{SearchContext, SearchScratch, Segment, VectorSource, search_part};

/// Rows that are asked as queries.
const SAMPLES: u32 = 24;
/// Answers compared.
const TOP: usize = 10;
/// Candidates of the walk.
const EF: usize = 96;
/// Recall below this means that the build went wrong.
const RECALL_MIN: f64 = 0.80;

/// Says whether walking the graph finds what comparing with every vector finds.
///
/// # Errors
/// `Corrupt` when stored bytes are damaged.
pub fn recall_is_good(kernels: &Kernels, version: &Version, segment: &Segment, part: usize) -> Result<bool> {
    let spec = vector_part(version.schema.vector(part));
    let mut scratch = SearchScratch::default();
    let step = (segment.rows() / SAMPLES).max(1);
    let (mut found, mut truth) = (Vec::new(), Vec::new());
    for row in (0..segment.rows()).step_by(step as usize) {
        let Some(address) = segment.address(part as u32, row) else { continue };
        let mut bytes = Vec::new();
        version.log.gather(&[address], spec.bytes_per_vector(), &mut bytes)?;
        let mut query = vec![0.0; spec.dim];
        spec.datatype.decode(bytes[0], &mut query);
        if version.schema.vector(part).distance == Distance::Cosine {
            index::metric::normalise(&mut query);
        }
        let mut ask = |ef| {
            let context = SearchContext { lsn_end: u64::MAX, k: TOP, ef, accept: None, source: &*version.log, scratch: &mut scratch };
            search_part(segment, part as u32, &spec, kernels, &query, context)
        };
        found.push(ask(Some(EF))?.iter().map(|hit| hit.row).collect::<Vec<_>>());
        truth.push(ask(None)?.iter().map(|hit| hit.row).collect::<Vec<_>>());
    }
    let pairs = found.iter().zip(&truth).filter(|(_, truth)| !truth.is_empty());
    let recalls: Vec<f64> = pairs.map(|(found, truth)| recall::recall_at_k(found, truth, TOP)).collect();
    Ok(recalls.is_empty() || recalls.iter().sum::<f64>() / recalls.len() as f64 >= RECALL_MIN)
}
