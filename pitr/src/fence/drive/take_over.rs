//! Takes a timeline over.

use bytes::Bytes;
use engine::error::{Error, ErrorKind, Result};
use engine::ids::{Incarnation, Lsn, Timeline};
use platform::object_store::PutOutcome;
use platform::random::Random;

use super::look;
use crate::archive::extent::{SEAL_LEN, end_of};
use crate::archive::stored::{self, JSON_VERSION, store_error};
use crate::archive::{Archive, Key};
use crate::doctor::Report;
use crate::fence::Found;
use crate::fence::seal::Seal;
use crate::fence::takeover::{Candidate, Outcome, Reply, Request, Takeover};
use crate::timeline::{Parent, TimelineFile};

/// Unclear replies and new beginnings that a takeover bears; an owner that appends all the time costs one each time it is faster.
const PATIENCE: u8 = 16;

/// What the new timeline says about itself.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    /// The database that will write it.
    pub database: Option<Timeline>,
    /// The life that it will belong to.
    pub incarnation: Option<Incarnation>,
    /// Why it begins: `promoted`, `forked`.
    pub reason: &'a str,
}

/// Why a takeover may go ahead.
#[derive(Debug, Clone, Copy)]
pub enum Permission<'a> {
    /// The store was probed.
    Probed(&'a Report),
    /// A person answers for it that nothing else writes the old timeline, and that nobody else takes it over now.
    ByHand,
}

/// Ends timeline `old` and begins one that goes on from the same position.
///
/// `old` is the timeline at which [`super::follow`] ended. One that was claimed and never sealed to leads nowhere, and so would its successor.
///
/// When this fails or the process dies, run it again: it finds what became of the attempt. If its seal stands, the timeline that the seal names is then the
/// one to take over; if not, the claim is garbage that nothing leads to.
///
/// # Errors
/// `Unreachable` when the store is not safe for it. `Conflict` when another takeover came first, naming the timeline that goes on, or the owner was faster
/// every time. `Incomplete` when the archive does not describe `old`, `Corrupt` when an object in the way is damaged, those of the store.
pub fn take_over(archive: &Archive, random: &dyn Random, old: Timeline, claim: &Claim<'_>, permission: Permission<'_>) -> Result<Takeover> {
    permit(archive, permission)?;
    let origin = look::origin(archive, old)?;
    let mut candidate = Candidate::new(old, PATIENCE);
    let mut last = None;
    while let Some(request) = candidate.request() {
        let replied = match request {
            Request::Scan { timeline } => look::scan(archive, timeline, origin).map(|(end, sealed)| Reply::Scanned { end: end.at, sealed }),
            Request::Draw => Ok(Reply::Drawn(Timeline::draw(random))),
            Request::Claim(takeover) => put_claim(archive, takeover, claim),
            Request::Seal(takeover) => put_seal(archive, takeover),
            Request::Look { timeline, at } => look_at(archive, timeline, at),
            Request::Boundary { timeline } => look::boundary(archive, timeline).map(|low| Reply::Boundary(low.max(origin))),
        };
        let reply = match replied {
            Err(error) if matches!(error.kind, ErrorKind::Corrupt | ErrorKind::NewerFormat) => return Err(error),
            Err(error) => {
                last = Some(error);
                Reply::Unknown
            }
            Ok(reply) => reply,
        };
        candidate.feed(reply);
    }
    match candidate.outcome() {
        Some(Outcome::Won(takeover)) => Ok(takeover),
        Some(Outcome::Superseded(other)) => Err(superseded(archive, other)),
        Some(Outcome::Damaged(at)) => Err(archive.at(Error::corrupt("this is neither an extent nor a seal"), &Key::Extent(old, at))),
        Some(Outcome::GaveUp) | None => Err(gave_up(archive, old, last)),
    }
}

fn permit(archive: &Archive, permission: Permission<'_>) -> Result<()> {
    match permission {
        Permission::Probed(report) if !report.safe_for_takeover => {
            let message = format!("\"{}\" is no store that two writers may meet in: {}", archive.store.describe(), report.first_failure());
            Err(Error::new(ErrorKind::Unreachable, message).with_hint(
                "there is no automatic takeover here: stop the old writer, and take over by hand; \"vectra doctor archive URL\" says more",
            ))
        }
        Permission::Probed(_) | Permission::ByHand => Ok(()),
    }
}

fn put_claim(archive: &Archive, takeover: Takeover, claim: &Claim<'_>) -> Result<Reply> {
    let parent = Parent { timeline: takeover.old, lsn: takeover.fork };
    let file = TimelineFile {
        format: JSON_VERSION,
        timeline: takeover.new,
        database: claim.database,
        incarnation: claim.incarnation,
        parent: Some(parent),
        reason: claim.reason.to_owned(),
    };
    let (key, content) = (Key::Timeline(takeover.new).to_string(), stored::encode_json(&file));
    if stored::put(&*archive.store, &key, content.clone())? == PutOutcome::Created {
        return Ok(Reply::Claimed);
    }
    // Ids are random: what is there is this claim, whose reply was lost; anything else is somebody else's.
    let there = archive.store.get(&key).map_err(|e| store_error(&e))?;
    Ok(if there == content { Reply::Claimed } else { Reply::Taken })
}

fn put_seal(archive: &Archive, takeover: Takeover) -> Result<Reply> {
    let seal = Seal { timeline: takeover.old, at: takeover.fork, successor: takeover.new };
    let key = Key::Extent(takeover.old, takeover.fork).to_string();
    let put = archive.store.put_if_absent(&key, vec![Bytes::from(seal.encode())]);
    put.map(|_| Reply::Put).map_err(|e| store_error(&e))
}

fn look_at(archive: &Archive, timeline: Timeline, at: Lsn) -> Result<Reply> {
    let size = archive.store.head(&Key::Extent(timeline, at).to_string()).map_err(|e| store_error(&e))?;
    let found = match size {
        None => Found::Absent,
        Some(SEAL_LEN) => Found::Seal { successor: look::read_seal(archive, timeline, at)?.successor },
        Some(size) => end_of(at, size).map_or(Found::Damaged, |end| Found::Data { end, compared: at, agrees: true }),
    };
    Ok(Reply::Found(found))
}

fn superseded(archive: &Archive, other: Takeover) -> Error {
    let message = format!("timeline {} was taken over already at position {}", other.old, other.fork);
    archive
        .at(Error::new(ErrorKind::Conflict, message), &Key::Extent(other.old, other.fork))
        .with_hint(format!("timeline {} goes on: follow it, or take that one over", other.new))
}

fn gave_up(archive: &Archive, old: Timeline, last: Option<Error>) -> Error {
    let hint = "nothing is decided until a seal stands: run the command again";
    match last {
        Some(last) => {
            let message = format!("cannot take timeline {old} over: {}", last.message);
            archive.at(Error::new(last.kind, message), &Key::Timeline(old)).with_hint(hint)
        }
        None => {
            let error = Error::new(ErrorKind::Conflict, format!("the owner of timeline {old} is alive, and was faster each time"));
            archive.at(error, &Key::Timeline(old)).with_hint("stop the owner first, or let it go on")
        }
    }
}
