//! What must hold in every state, said as plainly as possible: it shares no code with the machines.

use super::world::{SEAL, World};

/// What was seen in some state.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    /// An owner met a seal.
    pub fenced: bool,
    /// An owner of the second or third epoch acknowledged something.
    pub acknowledged: [bool; 2],
    /// A seal stands below the boundary.
    pub void_seal: bool,
    /// Something below a boundary was deleted.
    pub emptied: bool,
}

impl Seen {
    /// Says whether two epochs met everything that they can.
    pub fn all_of_two_epochs(&self) -> bool {
        self.fenced && self.void_seal && self.emptied
    }

    /// Says whether three epochs did.
    pub fn all_of_three_epochs(&self) -> bool {
        self.all_of_two_epochs() && self.acknowledged == [true, true]
    }
}

/// The end of a timeline's chain, and the successor that a seal there names.
fn end_of<const S: usize>(log: &[u8; S], from: u8) -> (u8, Option<u8>) {
    let mut at = from;
    loop {
        match log[usize::from(at)] {
            0 => return (at, None),
            seal if seal & SEAL != 0 => return (at, Some(seal & !SEAL)),
            end => at = end,
        }
    }
}

/// Says what is wrong with a state: an acknowledged write that no history holds, a hole, two histories, two writers of one position.
pub fn violation<const T: usize, const S: usize, const C: usize>(world: &World<T, S, C>, seen: &mut Seen) -> Option<String> {
    let mut begins = [None; T];
    let (mut number, mut from, mut epoch) = (0_u8, 0_u8, 0_usize);
    loop {
        let of = usize::from(number);
        begins[of] = Some(from);
        let (end, successor) = end_of(&world.logs[of], from.max(world.low[of]));
        if let Some(owner) = &world.owners[of] {
            let acknowledged = owner.machine.archived() as u8;
            if acknowledged > end {
                return Some(format!("timeline {number} acknowledged up to {acknowledged}, and its history ends at {end}"));
            }
            if epoch > 0 && acknowledged > owner.origin {
                seen.acknowledged[epoch - 1] = true;
            }
        }
        let Some(next) = successor else { break };
        if begins[usize::from(next)].is_some() {
            return Some(format!("the seals lead back to timeline {next}"));
        }
        (number, from, epoch) = (next, end, epoch + 1);
    }
    let mut writers = [0_u8; S];
    for (number, owner) in world.owners.iter().enumerate() {
        let Some(owner) = owner else { continue };
        if begins[number] != Some(owner.origin) {
            return Some(format!(
                "timeline {number} is written from {} on, and history has it begin at {:?}",
                owner.origin, begins[number]
            ));
        }
        for position in owner.origin..owner.machine.archived() as u8 {
            writers[usize::from(position)] += 1;
        }
        seen.fenced |= matches!(owner.machine.stopped(), Some(pitr::fence::appender::Stop::Fenced { .. }));
        for (position, content) in (0_u8..).zip(&world.logs[number]) {
            seen.void_seal |= content & SEAL != 0 && position < world.low[number];
        }
    }
    let twice = writers.iter().position(|count| *count > 1)?;
    Some(format!("position {twice} was acknowledged by two writers"))
}
