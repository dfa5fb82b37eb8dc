//! The candidate's side of the fence: ends a timeline with a seal that names the one which goes on. A pure machine.
//!
//! It looks where the timeline ends, claims a new one, puts the seal at that end, reads it back, and looks at the boundary once more: a boundary above the
//! seal says that the look was stale, and that the key had been filled and emptied since, so the seal is void. Whatever does not fit, it begins again
//! with a new id; when the timeline turns out to be sealed by somebody else, it gives up.

use engine::ids::{Lsn, Timeline};

use super::{Broken, Found};

/// What the machine wants to have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Request {
    /// Find where the timeline ends: its log listed first, its boundary read after that, then the chain walked.
    Scan {
        /// The timeline.
        timeline: Timeline,
    },
    /// Draw an id that nobody has used.
    Draw,
    /// Put the description of a new timeline, if it is absent.
    Claim(Takeover),
    /// Put the seal, if its key is free.
    Seal(Takeover),
    /// Look at the key of the seal.
    Look {
        /// The timeline.
        timeline: Timeline,
        /// The position.
        at: Lsn,
    },
    /// Read the timeline's boundary.
    Boundary {
        /// The timeline.
        timeline: Timeline,
    },
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reply {
    /// The scan found the end.
    Scanned {
        /// Where.
        end: Lsn,
        /// The successor that a seal there names.
        sealed: Option<Timeline>,
    },
    /// A new id.
    Drawn(Timeline),
    /// The new timeline is described as asked for.
    Claimed,
    /// The id is somebody else's.
    Taken,
    /// A put was answered, either way.
    Put,
    /// The look found this.
    Found(Found),
    /// The boundary; where the timeline begins when none was put.
    Boundary(Lsn),
    /// No reply, or an error.
    Unknown,
}

/// One timeline taken over by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Takeover {
    /// The timeline that ended.
    pub old: Timeline,
    /// Where it ended and the new one begins.
    pub fork: Lsn,
    /// The timeline that goes on.
    pub new: Timeline,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// This candidate writes from now on.
    Won(Takeover),
    /// The timeline had been taken over already.
    Superseded(Takeover),
    /// Something that is neither an extent nor a seal stands at a position.
    Damaged(Lsn),
    /// The store, or a busy owner, was in the way too often.
    GaveUp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum State {
    Scanning,
    Drawing { fork: Lsn },
    Claiming(Takeover),
    Sealing(Takeover),
    Looking(Takeover),
    LookingAgain(Takeover),
    Done(Outcome),
}

/// Takes one timeline over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Candidate {
    timeline: Timeline,
    patience: u8,
    broken: Broken,
    state: State,
}

impl Candidate {
    /// Starts to take `timeline` over; it gives up after more than `patience` unclear replies and new beginnings together.
    #[must_use]
    pub fn new(timeline: Timeline, patience: u8) -> Self {
        Candidate { timeline, patience, broken: Broken::Nothing, state: State::Scanning }
    }

    /// Starts with a deliberate mistake, for tests.
    #[must_use]
    pub fn known_bad(timeline: Timeline, patience: u8, broken: Broken) -> Self {
        Candidate { broken, ..Candidate::new(timeline, patience) }
    }

    /// Says how it ended.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match self.state {
            State::Done(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Gives what is to be done; the same until a reply to it is fed.
    #[must_use]
    pub fn request(&self) -> Option<Request> {
        let timeline = self.timeline;
        match self.state {
            State::Scanning => Some(Request::Scan { timeline }),
            State::Drawing { .. } => Some(Request::Draw),
            State::Claiming(takeover) => Some(Request::Claim(takeover)),
            State::Sealing(takeover) => Some(Request::Seal(takeover)),
            State::Looking(takeover) => Some(Request::Look { timeline, at: takeover.fork }),
            State::LookingAgain(_) => Some(Request::Boundary { timeline }),
            State::Done(_) => None,
        }
    }

    /// Takes the reply to [`Candidate::request`].
    ///
    /// # Panics
    /// When the reply is not one to it.
    pub fn feed(&mut self, reply: Reply) {
        self.state = match (self.state, reply) {
            (State::Scanning, Reply::Scanned { end, sealed: None }) => State::Drawing { fork: end },
            (State::Scanning, Reply::Scanned { end, sealed: Some(new) }) => {
                State::Done(Outcome::Superseded(Takeover { old: self.timeline, fork: end, new }))
            }
            (State::Drawing { fork }, Reply::Drawn(new)) => {
                assert_ne!(new, self.timeline, "an id is new");
                State::Claiming(Takeover { old: self.timeline, fork, new })
            }
            (State::Claiming(takeover), Reply::Claimed) => State::Sealing(takeover),
            (State::Claiming(_), Reply::Taken) => self.again(State::Scanning),
            // What the put said does not matter: what stands there does.
            (State::Sealing(takeover), Reply::Put | Reply::Unknown) => State::Looking(takeover),
            (State::Looking(takeover), Reply::Found(found)) => self.judge(takeover, found),
            (State::LookingAgain(takeover), Reply::Boundary(boundary)) if boundary <= takeover.fork => State::Done(Outcome::Won(takeover)),
            (State::LookingAgain(_), Reply::Boundary(_)) => self.again(State::Scanning),
            (state @ (State::Scanning | State::Claiming(_) | State::Looking(_) | State::LookingAgain(_)), Reply::Unknown) => {
                self.again(state)
            }
            (state, reply) => unreachable!("{reply:?} is no reply in {state:?}"),
        };
    }

    fn judge(&mut self, takeover: Takeover, found: Found) -> State {
        match found {
            Found::Absent => self.again(State::Sealing(takeover)),
            Found::Seal { successor } if successor == takeover.new && self.broken == Broken::NoSecondLook => {
                State::Done(Outcome::Won(takeover))
            }
            Found::Seal { successor } if successor == takeover.new => State::LookingAgain(takeover),
            // Somebody was faster: the owner, or another candidate. A new scan tells which, and whether that one's seal counts.
            Found::Seal { .. } | Found::Data { .. } => self.again(State::Scanning),
            Found::Damaged => State::Done(Outcome::Damaged(takeover.fork)),
        }
    }

    fn again(&mut self, next: State) -> State {
        match self.patience.checked_sub(1) {
            Some(left) => {
                self.patience = left;
                next
            }
            None => State::Done(Outcome::GaveUp),
        }
    }
}

#[cfg(test)]
mod tests;
