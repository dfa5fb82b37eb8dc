//! The dumb model of names over time: what each life held when, and which life a name and a time mean. It shares no code with the archive.

use engine::ids::Incarnation;
use engine::manifest::Span;

use crate::model::{Change, Points, SeenPoints, seen};
use crate::simulate::generate::Shape;

/// One life of a name, with everything that was acknowledged to it.
#[derive(Clone, Debug)]
pub struct Life {
    /// The name, as a number.
    pub name: usize,
    /// Its vectors.
    pub shape: Shape,
    /// The id that the engine gave it.
    pub incarnation: Incarnation,
    /// Its timelines and where each ends, as the engine says.
    pub spans: Vec<Span>,
    /// When the first life of its history was created.
    pub created: u64,
    /// The same as the archive knows it; 0 where the archive does not know.
    pub began: u64,
    /// What it holds now.
    pub points: Points,
    /// Every change with its commit time.
    pub changes: Vec<(u64, Change)>,
    /// The newest commit time that a pass which succeeded has archived.
    pub archived: u64,
    /// Large batches written.
    pub bulks: u64,
}

impl Life {
    /// Gives the changes up to a time, and what they lead to.
    #[must_use]
    pub fn until(&self, time: u64) -> (Vec<(u64, Change)>, Points) {
        let mut points = Points::new();
        let changes: Vec<(u64, Change)> = self.changes.iter().filter(|(at, _)| *at <= time).cloned().collect();
        changes.iter().for_each(|(_, change)| change.apply(&mut points));
        (changes, points)
    }

    /// Gives what a reader of the state at a time sees.
    #[must_use]
    pub fn at(&self, time: u64) -> SeenPoints {
        seen(&self.until(time).1)
    }

    /// Gives the commit time of the last change; 0 before the first.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.changes.last().map_or(0, |(at, _)| *at)
    }
}

/// A name passed to a life, or from it to nobody.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// The name.
    pub name: usize,
    /// Who has it now.
    pub life: Option<usize>,
    /// The commit time.
    pub at: u64,
}

/// All lives, and who held which name when.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The lives, in the order in which they began.
    pub lives: Vec<Life>,
    /// What the catalog says, in order.
    pub events: Vec<Event>,
    /// How many of the events are archived for sure; later ones may be.
    pub told: usize,
}

impl Names {
    /// Gives who holds a name now.
    #[must_use]
    pub fn holder(&self, name: usize) -> Option<usize> {
        self.events.iter().rev().find(|event| event.name == name).and_then(|event| event.life)
    }

    /// Lists the lives that hold a name now.
    #[must_use]
    pub fn living(&self) -> Vec<usize> {
        (0..self.lives.len()).filter(|index| self.holder(self.lives[*index].name) == Some(*index)).collect()
    }

    /// Gives the life that a name and a time mean to a reader who knows the first `known` events; `None`: nobody had it then.
    #[must_use]
    pub fn meant(&self, name: usize, time: u64, known: usize) -> Option<usize> {
        let of_name: Vec<&Event> = self.events[..known].iter().filter(|event| event.name == name).collect();
        let until = |index: usize| of_name.get(index + 1).map_or(u64::MAX, |next| next.at);
        let newest = of_name.iter().rposition(|event| event.life.is_some())?;
        let life = of_name[newest].life?;
        if self.lives[life].began <= time {
            return (time < until(newest)).then_some(life);
        }
        let then = (0..newest).rev().find(|index| of_name[*index].life.is_some() && of_name[*index].at <= time && time < until(*index))?;
        of_name[then].life
    }

    /// Gives the life that held a name at a time, wherever it came from.
    #[must_use]
    pub fn held(&self, name: usize, time: u64) -> Option<usize> {
        self.events.iter().rev().find(|event| event.name == name && event.at <= time).and_then(|event| event.life)
    }

    /// Gives the lives that had a name last, to readers who know at least what was archived for sure.
    #[must_use]
    pub fn newest(&self, name: usize) -> Vec<usize> {
        let newest = |known: usize| self.events[..known].iter().rev().filter(|event| event.name == name).find_map(|event| event.life);
        let mut found: Vec<usize> = (self.told..=self.events.len()).filter_map(newest).collect();
        found.dedup();
        found
    }

    /// Gives the lives that a reader may find, who knows at least what was archived for sure.
    #[must_use]
    pub fn candidates(&self, name: usize, time: u64, from: usize) -> Vec<Option<usize>> {
        let mut found: Vec<Option<usize>> = (from..=self.events.len()).map(|known| self.meant(name, time, known)).collect();
        found.dedup();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::random::Stream;

    fn life(began: u64) -> Life {
        let shape = Shape::draw(&mut Stream::new(1));
        let incarnation = Incarnation([began as u8; 16]);
        Life {
            name: 0,
            shape,
            incarnation,
            spans: Vec::new(),
            created: began,
            began,
            points: Points::new(),
            changes: Vec::new(),
            archived: 0,
            bulks: 0,
        }
    }

    #[test]
    fn a_name_and_a_time_mean_the_life_of_now_or_the_one_of_then() {
        let event = |life, at| Event { name: 0, life, at };
        // Created, dropped, created again, and replaced by a state of the first life.
        let events = vec![event(Some(0), 10), event(None, 20), event(Some(1), 30), event(Some(2), 40)];
        let names = Names { lives: vec![life(10), life(30), life(10)], events, told: 0 };
        let meant = |known| [5, 15, 25, 35, 45].map(|time| names.meant(0, time, known));
        assert_eq!(meant(1), [None, Some(0), Some(0), Some(0), Some(0)]);
        assert_eq!(meant(2), [None, Some(0), None, None, None]);
        assert_eq!(meant(3), [None, Some(0), None, Some(1), Some(1)]);
        assert_eq!(meant(4), [None, Some(2), Some(2), Some(2), Some(2)]);
        assert_eq!(names.candidates(0, 35, 2), [None, Some(1), Some(2)]);
        assert_eq!((names.holder(0), names.living()), (Some(2), vec![2]));
    }
}
