//! Clients that write what follows from their number, and what a collection that holds so many of their writes looks like.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use platform::http::Method;
use platform::http::client::Client;
use serde_json::{Value, json};

use super::server::{ask, ok};

/// Dimensions of the vectors.
pub const DIM: usize = 16;
/// Ids of one client.
const SPAN: u64 = 4_000;
/// The collection that is written to.
pub const NAME: &str = "storm";

/// Points by id, each as the number of the step that wrote it last.
pub type State = BTreeMap<u64, u64>;

/// A client that writes: its steps, and how far it is.
#[derive(Debug, Default)]
pub struct Writer {
    number: u64,
    /// Steps that were begun, and those that were acknowledged.
    begun: AtomicU64,
    acknowledged: AtomicU64,
    /// Positions behind the acknowledged steps of this run, in their order.
    positions: Mutex<Vec<u64>>,
}

impl Writer {
    /// Makes the client of a number.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Writer { number, ..Writer::default() }
    }

    /// The ids that a step writes or deletes, and whether it deletes them.
    fn step(&self, step: u64) -> (Vec<u64>, bool) {
        let first = self.number * SPAN;
        let deletes = step % 8 == 7;
        let count = if deletes { 5 } else { 1 + (step * 7 + self.number) % 60 };
        ((0..count).map(|at| first + (step * 13 + at) % SPAN).collect(), deletes)
    }

    /// What a collection holds of this client after so many steps.
    #[must_use]
    pub fn state(&self, steps: u64) -> State {
        let mut state = State::new();
        for step in 0..steps {
            let (ids, deletes) = self.step(step);
            for id in ids {
                if deletes {
                    state.remove(&id);
                } else {
                    state.insert(id, step);
                }
            }
        }
        state
    }

    fn request(&self, step: u64) -> (Method, String, Value) {
        let (ids, deletes) = self.step(step);
        if deletes {
            return (Method::Post, format!("/collections/{NAME}/points/delete?wait=true"), json!({"points": ids}));
        }
        let points: Vec<Value> = ids.iter().map(|id| json!({"id": id, "vector": vector(*id, step), "payload": {"step": step}})).collect();
        (Method::Put, format!("/collections/{NAME}/points?wait=true"), json!({"points": points}))
    }

    /// Writes step after step until it is told to stop, or the server does not answer any more. A write that met the replacement of the
    /// collection is asked for again. Gives why the server did not answer, if it was that.
    ///
    /// # Errors
    /// When the server refuses a write.
    pub fn run(&self, client: &Client, stop: &AtomicBool) -> Result<Option<String>, String> {
        while !stop.load(Ordering::Acquire) {
            let step = self.acknowledged.load(Ordering::Acquire);
            self.begun.store(step + 1, Ordering::Release);
            let (method, path, body) = self.request(step);
            match ask(client, method, &path, &body) {
                Ok((200, answer)) => {
                    let position = answer["result"]["operation_id"].as_u64().ok_or("an acknowledgement has a position")?;
                    self.positions.lock().map_err(|_| "a writer panicked")?.push(position);
                    self.acknowledged.store(step + 1, Ordering::Release);
                }
                Ok((503, answer)) if says_again(&answer) => {}
                // It stops, or is gone: nothing was acknowledged.
                Ok((503, answer)) => return Ok(Some(answer.to_string())),
                Err(error) => return Ok(Some(error)),
                Ok((status, answer)) => return Err(format!("writer {}, step {step}: {status} {answer}", self.number)),
            }
        }
        Ok(None)
    }

    /// Compares a state with steps of this client from one on, acknowledged one after the other: what they wrote last has to be there.
    ///
    /// # Errors
    /// When something of them is missing, or was overwritten by none of them.
    pub fn check_from(&self, first: u64, found: &State) -> Result<(), String> {
        let mut last = BTreeMap::new();
        for step in first..self.acknowledged() {
            let (ids, deletes) = self.step(step);
            last.extend(ids.into_iter().map(|id| (id, (!deletes).then_some(step))));
        }
        match last.iter().find(|(id, step)| found.get(id) != step.as_ref()) {
            None => Ok(()),
            Some((id, step)) => {
                Err(format!("writer {}: point {id} was acknowledged as of step {step:?} and is of {:?}", self.number, found.get(id)))
            }
        }
    }

    /// Steps that were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Acquire)
    }

    /// Steps of this run that end at or before a position.
    ///
    /// # Errors
    /// When a client panicked.
    pub fn steps_until(&self, position: u64) -> Result<u64, String> {
        let positions = self.positions.lock().map_err(|_| "a writer panicked")?;
        Ok(positions.iter().filter(|at| **at <= position).count() as u64)
    }

    /// Finds how many steps a state holds, and goes on behind them.
    ///
    /// # Errors
    /// When it is no state that the client can have left: an acknowledged step is missing, or half of one is there.
    pub fn settle(&self, found: &State) -> Result<(), String> {
        let (acknowledged, begun) = (self.acknowledged(), self.begun.load(Ordering::Acquire));
        assert!(acknowledged <= begun && begun <= acknowledged + 1, "a client has one request on its way");
        let own = self.own(found);
        let steps = (acknowledged..=begun).find(|steps| self.state(*steps) == own);
        let steps = steps.ok_or_else(|| {
            let expected = self.state(acknowledged);
            let missing = expected.iter().filter(|(id, step)| own.get(id) != Some(step)).count();
            format!(
                "writer {}: {missing} points of {acknowledged} acknowledged steps are missing or others, {} are there",
                self.number,
                own.len()
            )
        })?;
        self.acknowledged.store(steps, Ordering::Release);
        Ok(())
    }

    /// The points of this client.
    #[must_use]
    pub fn own(&self, found: &State) -> State {
        found.range(self.number * SPAN..(self.number + 1) * SPAN).map(|(id, step)| (*id, *step)).collect()
    }
}

/// Whether an answer says that the same request may succeed at once.
fn says_again(answer: &Value) -> bool {
    answer["status"]["error"].as_str().is_some_and(|text| text.contains("ask again"))
}

/// The vector of a point, of small whole numbers: JSON says them exactly.
fn vector(id: u64, step: u64) -> Vec<f32> {
    (0..DIM as u64).map(|at| ((id * 31 + step * 17 + at * 7) % 251) as f32 - 125.0).collect()
}

/// Reads every point of a collection, and checks that vector and payload belong together.
///
/// # Errors
/// When the server does not answer, or a point is not as any step wrote it.
pub fn read(client: &Client, name: &str) -> Result<State, String> {
    let (mut state, mut offset) = (State::new(), Value::Null);
    loop {
        let body = json!({"limit": 5_000, "offset": offset, "with_vector": true, "with_payload": true});
        let page = ok(client, Method::Post, &format!("/collections/{name}/points/scroll"), &body)?;
        for point in page["points"].as_array().ok_or("a page has points")? {
            let (Some(id), Some(step)) = (point["id"].as_u64(), point["payload"]["step"].as_u64()) else {
                return Err(format!("a point that nobody wrote: {point}"));
            };
            let stored: Option<Vec<f32>> =
                point["vector"].as_array().and_then(|numbers| numbers.iter().map(|n| n.as_f64().map(|n| n as f32)).collect());
            if stored != Some(vector(id, step)) {
                return Err(format!("point {id} has the payload of step {step} and another vector"));
            }
            state.insert(id, step);
        }
        offset = page["next_page_offset"].clone();
        if offset.is_null() {
            return Ok(state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_with_a_lost_or_half_a_step_is_refused_and_one_with_a_step_more_is_not() {
        let writer = Writer::new(3);
        writer.acknowledged.store(40, Ordering::Release);
        writer.begun.store(41, Ordering::Release);
        assert!(writer.settle(&writer.state(39)).is_err(), "an acknowledged step is missing");
        let mut half = writer.state(41);
        let last = *half.iter().find(|(_, step)| **step == 40).expect("step 40 upserts").0;
        half.remove(&last);
        assert!(writer.settle(&half).is_err(), "half a step is there");
        let mut others = writer.state(40);
        others.insert(0, 9);
        assert!(writer.settle(&others).is_ok(), "points of others are theirs");
        assert!(writer.settle(&writer.state(41)).is_ok());
        assert!(writer.check_from(30, &writer.state(41)).is_ok());
        assert!(writer.check_from(30, &writer.state(40)).is_err(), "the last step is missing");
        assert_eq!(writer.acknowledged(), 41);
    }
}
