//! A small world: one store, owners, candidates, a network that delays and repeats puts, a collector, and backups without the lock.
//!
//! Positions are numbers of records. Owners and candidates may sleep before any request, for ever if they like. A put that was sent once may land at any
//! later time, any number of times, whatever its sender was told. A log is listed at another moment than its boundary is read, and both are stale
//! when they are used.
//!
//! Three things are left out because they add states and nothing else. A reply is taken at the moment of its effect: to take it later is to sleep before the
//! next request. A read is not lost: to read again is to sleep before the first. And a put that took effect while its reply was lost is one that got no
//! reply, and landed.

use engine::ids::{Lsn, Timeline};
use pitr::fence::appender::{self, Appender, Stop};
use pitr::fence::chain::{Slot, may_delete, walk};
use pitr::fence::takeover::{self, Candidate, Outcome};
use pitr::fence::{Broken, Found};

/// What may be broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    Right,
    /// A seal counts without another look at the boundary.
    NoSecondLook,
    /// The collector takes seals for garbage.
    SealsDeleted,
    /// Once a timeline is sealed, its boundary is raised to the fork by somebody who is not its owner.
    SuccessorRaises,
}

/// What may happen in a world.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    pub variant: Variant,
    /// How many records the owners of each epoch write.
    pub records: [u8; 3],
    /// Whether any stretch of an owner's durable log may be put by somebody else.
    pub backups: bool,
    /// Unclear replies that a machine bears.
    pub patience: u8,
    /// Whether all records of an owner are durable from its beginning, so that it may choose between more ends of a put.
    pub eager: bool,
    /// Whether owners of the second epoch, whom nobody disturbs, archive all their records in the moment in which they win.
    pub calm_end: bool,
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The owner of a timeline makes a record durable.
    Write(u8),
    /// It begins to archive its log up to a position.
    Append(u8, u8),
    /// It does its request; the reply arrives.
    Request(u8),
    /// Its put gets no reply.
    Lose(u8),
    /// Its process dies and starts again.
    Restart(u8),
    /// It raises its boundary to its archived end.
    Raise(u8),
    /// Somebody else raises the boundary of a sealed timeline to the fork.
    RaiseByOther(u8),
    /// An extent below the boundary is deleted.
    Delete(u8, u8),
    /// A put that was sent before lands: timeline, position, content.
    Land(u8, u8, u8),
    /// A backup puts a stretch of a timeline's log: timeline, start, end.
    Backup(u8, u8, u8),
    /// A candidate starts to take a timeline over.
    Enter(u8, u8),
    /// It has listed the log.
    List(u8),
    /// It does its next request; of a scan, the boundary is read. A seal is sent, and lands when it lands.
    Candidate(u8),
}

/// A key of a log: 0 is empty, up to 15 is data up to there, and `SEAL` with a timeline is a seal.
pub type Content = u8;
/// Marks a seal.
pub const SEAL: u8 = 0x80;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner {
    pub machine: Appender,
    pub durable: u8,
    pub origin: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Contender<const S: usize> {
    machine: Candidate,
    timeline: u8,
    listed: Option<[Content; S]>,
}

/// All of it, with `T` timelines, positions below `S`, and `C` candidates.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct World<const T: usize, const S: usize, const C: usize> {
    pub logs: [[Content; S]; T],
    pub low: [u8; T],
    /// Contents that were sent to each key: a bit for each end of data, and above them one for each successor.
    sent: [[u32; S]; T],
    pub owners: [Option<Owner>; T],
    contenders: [Option<Contender<S>>; C],
    origins: [u8; T],
    epochs: [u8; T],
    claimed: u8,
}

pub fn timeline(number: u8) -> Timeline {
    Timeline([number; 16])
}

fn slot(content: Content) -> Option<Slot> {
    match content {
        0 => None,
        seal if seal & SEAL != 0 => Some(Slot::Seal),
        end => Some(Slot::Data { end: Lsn::from(end) }),
    }
}

fn bit(content: Content) -> u32 {
    if content & SEAL != 0 { 1 << (16 + (content & !SEAL)) } else { 1 << content }
}

fn content_of(bit: u32) -> Content {
    if bit >= 16 { SEAL | (bit - 16) as u8 } else { bit as u8 }
}

impl<const T: usize, const S: usize, const C: usize> World<T, S, C> {
    /// One owner with an empty log, nobody else.
    pub fn new(rules: &Rules) -> Self {
        let mut world = World {
            logs: [[0; S]; T],
            low: [0; T],
            sent: [[0; S]; T],
            owners: [None; T],
            contenders: [None; C],
            origins: [0; T],
            epochs: [0; T],
            claimed: 1,
        };
        world.owners[0] = Some(new_owner(0, 0, 0, rules));
        world
    }

    /// Forgets what can make no difference any more: what lies or may land below a boundary, where no scan begins, unless a candidate is about to look
    /// there; and puts for keys that are taken for good.
    pub fn forget(&mut self) {
        for of in 0..T {
            for position in 0..S {
                let is_target =
                    |contender: &Contender<S>| usize::from(contender.timeline) == of && contender.target() == Some(position as Lsn);
                let (content, sent) = (&mut self.logs[of][position], &mut self.sent[of][position]);
                if position >= usize::from(self.low[of]) {
                    *sent &= if *content & SEAL != 0 { 0 } else { u32::MAX << if *content == 0 { 0 } else { 16 } };
                } else if self.contenders.iter().flatten().any(is_target) {
                    *sent &= u32::MAX << 16;
                } else {
                    (*content, *sent) = (0, 0);
                }
            }
        }
    }

    /// Orders the candidates, who differ in nothing else.
    pub fn sort_candidates(&mut self, order: impl Fn(&Option<Contender<S>>) -> u128) {
        self.contenders.sort_by_cached_key(order);
    }

    /// Lets every candidate begin with the first timeline, and none later.
    pub fn with_candidates(mut self, rules: &Rules) -> Self {
        (0..C).for_each(|number| self.enter(number, 0, rules));
        self
    }

    /// Lists what may happen next; `enter` allows candidates to start, on timelines that somebody has won.
    pub fn actions(&self, rules: &Rules, enter: bool, out: &mut Vec<Action>) {
        out.clear();
        for number in 0..self.claimed {
            if let Some(owner) = &self.owners[usize::from(number)] {
                self.owner_actions(number, owner, rules, out);
            }
            self.store_actions(number, rules, out);
        }
        for (number, contender) in (0_u8..).zip(&self.contenders) {
            match contender {
                Some(contender) => out.push(contender.next(number)),
                None if enter => {
                    let known = (0..self.claimed).filter(|&t| t == 0 || self.owners[usize::from(t)].is_some());
                    let open = known.filter(|&t| usize::from(self.epochs[usize::from(t)]) + 1 < rules.records.len());
                    out.extend(open.map(|timeline| Action::Enter(number, timeline)));
                }
                None => {}
            }
        }
    }

    fn owner_actions(&self, number: u8, owner: &Owner, rules: &Rules, out: &mut Vec<Action>) {
        let (machine, epoch) = (&owner.machine, self.epochs[usize::from(number)]);
        let archived = machine.archived() as u8;
        if self.is_calm(number, rules) {
            return;
        }
        if archived > self.low[usize::from(number)] {
            out.push(Action::Raise(number));
        }
        match machine.stopped() {
            Some(Stop::Poisoned) => out.push(Action::Restart(number)),
            Some(_) => return,
            None => {}
        }
        let may_write = owner.durable < owner.origin + rules.records[usize::from(epoch)];
        out.extend(may_write.then_some(Action::Write(number)));
        match machine.request() {
            None if machine.is_idle() => out.extend((archived + 1..=owner.durable).map(|end| Action::Append(number, end))),
            None => {}
            Some(appender::Request::Put { .. }) => out.extend([Action::Request(number), Action::Lose(number), Action::Restart(number)]),
            Some(appender::Request::Look { .. }) => out.extend([Action::Request(number), Action::Restart(number)]),
        }
    }

    fn is_calm(&self, number: u8, rules: &Rules) -> bool {
        rules.calm_end && self.epochs[usize::from(number)] > 0
    }

    fn store_actions(&self, number: u8, rules: &Rules, out: &mut Vec<Action>) {
        let of = usize::from(number);
        for (position, &content) in (0_u8..).zip(&self.logs[of]) {
            let sealed = content & SEAL != 0;
            let deletable = slot(content).is_some_and(|slot| may_delete(slot, Lsn::from(self.low[of])));
            if deletable || sealed && rules.variant == Variant::SealsDeleted {
                out.push(Action::Delete(number, position));
            }
            if sealed && position > self.low[of] && rules.variant == Variant::SuccessorRaises {
                out.push(Action::RaiseByOther(number));
            }
            if content != 0 || self.is_calm(number, rules) {
                continue;
            }
            let mut bits = self.sent[of][usize::from(position)];
            while bits != 0 {
                out.push(Action::Land(number, position, content_of(bits.trailing_zeros())));
                bits &= bits - 1;
            }
            if let Some(owner) = self.owners[of].filter(|owner| rules.backups && position >= owner.origin) {
                out.extend((position + 1..=owner.durable).map(|end| Action::Backup(number, position, end)));
            }
        }
    }

    /// Takes one step.
    pub fn apply(&mut self, action: Action, rules: &Rules) {
        match action {
            Action::Write(t) => {
                let owner = self.owner(t);
                owner.durable += 1;
                owner.machine.grow(Lsn::from(owner.durable));
            }
            Action::Append(t, end) => self.owner(t).machine.append(Lsn::from(end)),
            Action::Request(t) => self.owner_request(t),
            Action::Lose(t) => {
                self.send_owners_put(t);
                self.owner(t).machine.feed(appender::Reply::Unknown);
            }
            Action::Restart(t) => self.restart(t, rules),
            Action::Raise(t) => self.low[usize::from(t)] = self.owner(t).machine.archived() as u8,
            Action::RaiseByOther(t) => {
                let of = usize::from(t);
                let end = walk(Lsn::from(self.low[of].max(self.origins[of])), |at| slot(self.logs[of][at as usize]));
                self.low[of] = end.at as u8;
            }
            Action::Delete(t, position) => self.logs[usize::from(t)][usize::from(position)] = 0,
            Action::Land(t, position, content) => drop(self.put(t, position, content)),
            Action::Backup(t, start, end) => drop(self.put(t, start, end)),
            Action::Enter(number, t) => self.enter(usize::from(number), t, rules),
            Action::List(number) => {
                let of = usize::from(self.contender(number).timeline);
                let mut log = self.logs[of];
                // The walk begins at a boundary that is read later: what lies below this one is not looked at.
                log[..usize::from(self.low[of])].fill(0);
                self.contender(number).listed = Some(log);
            }
            Action::Candidate(number) => self.candidate_request(number, rules),
        }
    }

    fn owner(&mut self, number: u8) -> &mut Owner {
        self.owners[usize::from(number)].as_mut().expect("only owners act")
    }

    fn contender(&mut self, number: u8) -> &mut Contender<S> {
        self.contenders[usize::from(number)].as_mut().expect("only candidates act")
    }

    /// Puts if absent; says whether the key was free.
    fn put(&mut self, timeline: u8, position: u8, content: Content) -> bool {
        let there = &mut self.logs[usize::from(timeline)][usize::from(position)];
        let free = *there == 0;
        if free {
            *there = content;
        }
        free
    }

    fn send(&mut self, timeline: u8, position: u8, content: Content) {
        self.sent[usize::from(timeline)][usize::from(position)] |= bit(content);
    }

    fn send_owners_put(&mut self, number: u8) {
        if let Some(appender::Request::Put { start, end }) = self.owner(number).machine.request() {
            self.send(number, start as u8, end as u8);
        }
    }

    fn found(&self, timeline: u8, position: Lsn, durable: u8) -> Found {
        match self.logs[usize::from(timeline)][position as usize] {
            0 => Found::Absent,
            seal if seal & SEAL != 0 => Found::Seal { successor: self::timeline(seal & !SEAL) },
            end => Found::Data { end: Lsn::from(end), compared: Lsn::from(end.min(durable)), agrees: true },
        }
    }

    fn owner_request(&mut self, number: u8) {
        self.send_owners_put(number);
        let owner = *self.owner(number);
        let reply = match owner.machine.request() {
            Some(appender::Request::Put { start, end }) if self.put(number, start as u8, end as u8) => appender::Reply::Created,
            Some(appender::Request::Put { .. }) => appender::Reply::Exists,
            Some(appender::Request::Look { start }) => appender::Reply::Found(self.found(number, start, owner.durable)),
            None => unreachable!("a request is made"),
        };
        self.owner(number).machine.feed(reply);
    }

    fn restart(&mut self, number: u8, rules: &Rules) {
        self.send_owners_put(number);
        let low = self.low[usize::from(number)];
        let owner = self.owner(number);
        // As `open_appender`: from the end that the machine remembers, or the boundary.
        let archived = owner.machine.archived().max(Lsn::from(low));
        if archived <= Lsn::from(owner.durable) {
            owner.machine = Appender::new(timeline(number), archived, Lsn::from(owner.durable), rules.patience);
        }
    }

    fn enter(&mut self, number: usize, of: u8, rules: &Rules) {
        let broken = if rules.variant == Variant::NoSecondLook { Broken::NoSecondLook } else { Broken::Nothing };
        let machine = Candidate::known_bad(timeline(of), rules.patience, broken);
        self.contenders[number] = Some(Contender { machine, timeline: of, listed: None });
    }

    fn candidate_request(&mut self, number: u8, rules: &Rules) {
        let contender = *self.contender(number);
        let (t, origin) = (contender.timeline, self.origins[usize::from(contender.timeline)]);
        let boundary = Lsn::from(self.low[usize::from(t)].max(origin));
        let reply = match contender.machine.request() {
            Some(takeover::Request::Scan { .. }) => {
                let log = contender.listed.expect("the log was listed first");
                let end = walk(boundary, |at| slot(log[at as usize]));
                let sealed = end.sealed.then(|| timeline(log[end.at as usize] & !SEAL));
                takeover::Reply::Scanned { end: end.at, sealed }
            }
            Some(takeover::Request::Seal(takeover)) => {
                self.send(t, takeover.fork as u8, SEAL | takeover.new.0[0]);
                takeover::Reply::Unknown
            }
            Some(takeover::Request::Look { at, .. }) => takeover::Reply::Found(self.found(t, at, 0)),
            Some(takeover::Request::Boundary { .. }) => takeover::Reply::Boundary(boundary),
            request => unreachable!("{request:?} is answered at once"),
        };
        self.contender(number).listed = None;
        self.feed_candidate(number, reply, rules);
    }

    /// Feeds a reply, and answers at once what touches nothing that others see: a new id, and its claim.
    fn feed_candidate(&mut self, number: u8, reply: takeover::Reply, rules: &Rules) {
        let mut contender = *self.contender(number);
        let mut reply = Some(reply);
        while let Some(next) = reply.take() {
            contender.machine.feed(next);
            match contender.machine.request() {
                Some(takeover::Request::Draw) if usize::from(self.claimed) < T => {
                    self.claimed += 1;
                    reply = Some(takeover::Reply::Drawn(timeline(self.claimed - 1)));
                }
                // Ids have run out: this candidate sleeps for ever.
                Some(takeover::Request::Draw) => return self.contenders[usize::from(number)] = None,
                Some(takeover::Request::Claim(takeover)) => {
                    assert_eq!(takeover.old, timeline(contender.timeline));
                    reply = Some(takeover::Reply::Claimed);
                }
                _ => {}
            }
        }
        let outcome = contender.machine.outcome();
        if let Some(Outcome::Won(takeover)) = outcome {
            let (new, fork) = (takeover.new.0[0], takeover.fork as u8);
            self.origins[usize::from(new)] = fork;
            self.epochs[usize::from(new)] = self.epochs[usize::from(contender.timeline)] + 1;
            self.owners[usize::from(new)] = Some(new_owner(new, fork, self.epochs[usize::from(new)], rules));
            while self.is_calm(new, rules) && self.owner(new).machine.archived() < Lsn::from(self.owner(new).durable) {
                let next = self.owner(new).machine.archived() + 1;
                self.owner(new).machine.append(next);
                self.owner_request(new);
            }
        }
        self.contenders[usize::from(number)] = outcome.is_none().then_some(contender);
    }
}

impl<const S: usize> Contender<S> {
    /// The position that it is about to seal or to look at.
    fn target(&self) -> Option<Lsn> {
        match self.machine.request() {
            Some(takeover::Request::Seal(takeover)) => Some(takeover.fork),
            Some(takeover::Request::Look { at, .. }) => Some(at),
            _ => None,
        }
    }

    fn next(&self, number: u8) -> Action {
        match self.machine.request() {
            Some(takeover::Request::Scan { .. }) if self.listed.is_none() => Action::List(number),
            _ => Action::Candidate(number),
        }
    }
}

fn new_owner(number: u8, origin: u8, epoch: u8, rules: &Rules) -> Owner {
    let durable = if rules.eager { origin + rules.records[usize::from(epoch)] } else { origin };
    Owner { machine: Appender::new(timeline(number), Lsn::from(origin), Lsn::from(durable), rules.patience), durable, origin }
}
