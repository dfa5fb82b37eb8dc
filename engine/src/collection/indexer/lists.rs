//! Builds the lists of a segment, and checks their recall before anybody sees them.

use index::ivf::Params;

use super::super::Collection;
use super::graphs::{Building, Built, nodes_of, tunings};
use super::sampling::{self, Measured, Subject};
use crate::error::Result;
use crate::segment::{ListsBuild, Segment, Tuning, add_tuning, build_lists};

impl Collection {
    /// Builds the lists of a part, with the centres of the input that gave most rows where they fit. Where those lose recall, they are learnt
    /// anew.
    pub(super) fn build_measured_lists(&self, segment: &Segment, part: usize, building: Building<'_>) -> Result<Built> {
        let Building { version, inputs, bases, executor, progress } = building;
        let params = Params { lists: 0, seed: version.schema.vector(part).index.seed };
        let listed = bases.iter().filter(|base| base.open.segment.lists(part as u32).is_some());
        let mut base = listed.max_by_key(|base| base.kept);
        loop {
            let build =
                ListsBuild { params: &params, kernels: self.kernels, executor, progress: &|done, all| progress(done as u64, all as u64) };
            let old = base.map(|base| &base.open.segment);
            let (object, bytes) = build_lists(segment, old, part as u32, self.draw_id(), build)?;
            let candidate = segment.with_graphs(vec![(object.clone(), bytes::Bytes::from(bytes.clone()))])?;
            let measured = sampling::measure(Subject { kernels: self.kernels, version, segment: &candidate, part }, executor)?;
            let good = measured.is_good() && measured.keeps_recall_of(&tunings(inputs, part), nodes_of(segment, part));
            // What a build from nothing gives is as good as it gets.
            if base.take().is_none() || good {
                let Measured { curve, samples, top, .. } = measured;
                let tuning = Tuning { ef_construction: 0, seed: params.seed, edges: 0, samples, top, curve };
                let object = add_tuning(&object, bytes, &tuning)?;
                let segment = segment.with_graphs(vec![(object.0.clone(), bytes::Bytes::from(object.1.clone()))])?;
                return Ok(Built { object, segment });
            }
        }
    }
}
