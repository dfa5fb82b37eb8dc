//! The owner's side of the fence: appends a timeline's log to an archive, one put in flight. A pure machine.
//!
//! Whoever drives it carries [`Appender::request`] out and feeds the reply, until there is none. It acknowledges only what it knows to lie in the
//! archive as its own bytes, at the exact end of the chain.

use engine::ids::{Lsn, Timeline};

use super::Found;

/// What the machine wants to have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Request {
    /// Put the log's bytes from `start` to `end` under the key of `start`, if it is free.
    Put {
        /// First position.
        start: Lsn,
        /// Position behind the last byte.
        end: Lsn,
    },
    /// Look at the key of `start`, and compare what is there with the log as far as that is durable.
    Look {
        /// The position.
        start: Lsn,
    },
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reply {
    /// The put found its key free.
    Created,
    /// The put found its key taken.
    Exists,
    /// The look found this.
    Found(Found),
    /// No reply, or an error: a put may or may not have taken effect, or may still do so.
    Unknown,
}

/// Why the machine does no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stop {
    /// Another writer took over: the timeline ends at this machine's archived end.
    Fenced {
        /// The timeline that goes on.
        successor: Timeline,
    },
    /// The archive holds other bytes of this timeline.
    Diverged,
    /// The archive holds something that is neither an extent nor a seal, or is damaged.
    Damaged,
    /// The store gave no clear reply often enough. What is archived is unknown; a new machine finds out.
    Poisoned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum State {
    Idle,
    /// A put up to `end` is under way.
    Putting {
        end: Lsn,
        unclear: u8,
    },
    /// What became of a put up to `end` is being looked at.
    Looking {
        end: Lsn,
        unclear: u8,
    },
    /// The archive holds bytes up to `reaches`, the same as ours as far as ours are durable.
    Behind {
        end: Lsn,
        reaches: Lsn,
    },
    Stopped(Stop),
}

/// Appends one timeline's log to an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Appender {
    timeline: Timeline,
    archived: Lsn,
    durable: Lsn,
    patience: u8,
    state: State,
}

impl Appender {
    /// Starts at an archived end: the position where the timeline begins, one that an earlier machine reached, or the boundary.
    ///
    /// It stops as poisoned after more than `patience` unclear replies to one append.
    ///
    /// # Panics
    /// When the log's durable end is below the archived end: what is missing is to be fetched first, and never written over (rule S19).
    #[must_use]
    pub fn new(timeline: Timeline, archived: Lsn, durable: Lsn, patience: u8) -> Self {
        assert!(archived <= durable, "the log reaches as far as the archive");
        Appender { timeline, archived, durable, patience, state: State::Idle }
    }

    /// Gives the timeline.
    #[must_use]
    pub fn timeline(&self) -> Timeline {
        self.timeline
    }

    /// Gives the position up to which everything is archived.
    #[must_use]
    pub fn archived(&self) -> Lsn {
        self.archived
    }

    /// Says whether an append may begin.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    /// Says why the machine does no more.
    #[must_use]
    pub fn stopped(&self) -> Option<Stop> {
        match self.state {
            State::Stopped(stop) => Some(stop),
            _ => None,
        }
    }

    /// Gives the durable end that the log must reach before this machine can go on; somebody archived more of it than it knows to be durable.
    #[must_use]
    pub fn waits_for(&self) -> Option<Lsn> {
        match self.state {
            State::Behind { reaches, .. } => Some(reaches),
            _ => None,
        }
    }

    /// Tells how far the log is durable.
    pub fn grow(&mut self, durable: Lsn) {
        self.durable = self.durable.max(durable);
        if let State::Behind { end, reaches } = self.state
            && reaches <= self.durable
        {
            self.state = State::Looking { end, unclear: 0 };
        }
    }

    /// Begins to archive the log from the archived end up to `end`.
    ///
    /// # Panics
    /// When an append is under way, or `end` is not between the archived and the durable end.
    pub fn append(&mut self, end: Lsn) {
        assert!(self.is_idle(), "one put is in flight at a time");
        assert!(self.archived < end && end <= self.durable, "only durable bytes leave the machine");
        self.state = State::Putting { end, unclear: 0 };
    }

    /// Gives what is to be done; the same until a reply to it is fed.
    #[must_use]
    pub fn request(&self) -> Option<Request> {
        match self.state {
            State::Putting { end, .. } => Some(Request::Put { start: self.archived, end }),
            State::Looking { .. } => Some(Request::Look { start: self.archived }),
            State::Idle | State::Behind { .. } | State::Stopped(_) => None,
        }
    }

    /// Takes the reply to [`Appender::request`].
    ///
    /// # Panics
    /// When the reply is not one to it.
    pub fn feed(&mut self, reply: Reply) {
        let before = self.archived;
        self.state = match (self.state, reply) {
            (State::Putting { end, .. }, Reply::Created) => self.reach(end),
            (State::Putting { end, unclear }, Reply::Exists) => State::Looking { end, unclear },
            (State::Putting { end, unclear } | State::Looking { end, unclear }, Reply::Unknown) => {
                self.unclear(unclear, |unclear| State::Looking { end, unclear })
            }
            (State::Looking { end, unclear }, Reply::Found(found)) => self.judge(end, unclear, found),
            (state, reply) => unreachable!("{reply:?} is no reply in {state:?}"),
        };
        assert!(before <= self.archived && self.archived <= self.durable, "the archived end rises within the durable log");
    }

    fn judge(&mut self, end: Lsn, unclear: u8, found: Found) -> State {
        match found {
            Found::Absent => self.unclear(unclear, |unclear| State::Putting { end, unclear }),
            Found::Data { agrees: false, .. } => State::Stopped(Stop::Diverged),
            Found::Data { end: reaches, compared, .. } if compared >= reaches => self.reach(reaches),
            // The log may have grown between the look and its reply.
            Found::Data { end: reaches, .. } if reaches <= self.durable => self.unclear(unclear, |unclear| State::Looking { end, unclear }),
            Found::Data { end: reaches, .. } => State::Behind { end, reaches },
            Found::Seal { successor } => State::Stopped(Stop::Fenced { successor }),
            Found::Damaged => State::Stopped(Stop::Damaged),
        }
    }

    fn reach(&mut self, end: Lsn) -> State {
        assert!(end > self.archived, "an extent has bytes");
        self.archived = end;
        State::Idle
    }

    fn unclear(&self, unclear: u8, next: impl Fn(u8) -> State) -> State {
        if unclear >= self.patience { State::Stopped(Stop::Poisoned) } else { next(unclear + 1) }
    }
}

#[cfg(test)]
mod tests;
