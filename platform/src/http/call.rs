//! Calls a handler so that a panic of it is an answer: the door and its simulated twin ask in the same words.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Admission, Handler, Head, Refusal, Request, Response};

/// Asks how the body of a request is taken; a panic is answered by [`Refusal::Panicked`].
pub(super) fn admit(handler: &dyn Handler, head: &Head) -> Result<Admission, Response> {
    // Nothing of ours is shared with the handler across the call, so nothing of ours can be left half-changed.
    catch_unwind(AssertUnwindSafe(|| handler.admit(head))).unwrap_or_else(|_| Err(refuse(handler, Some(head), Refusal::Panicked)))
}

/// Has a request answered; a panic is answered by [`Refusal::Panicked`].
pub(super) fn handle(handler: &dyn Handler, request: Request) -> Response {
    let Head { method, ref path, ref query, peer, is_tls, .. } = request.head;
    // What the words of a refusal may depend on; the headers are too dear to be kept for something that never happens.
    let kept = Head { method, path: path.clone(), query: query.clone(), headers: super::Headers::default(), peer, is_tls };
    catch_unwind(AssertUnwindSafe(|| handler.handle(request))).unwrap_or_else(|_| refuse(handler, Some(&kept), Refusal::Panicked))
}

/// Asks for the words of a refusal; a panic leaves the bare status.
pub(super) fn refuse(handler: &dyn Handler, head: Option<&Head>, refusal: Refusal) -> Response {
    catch_unwind(AssertUnwindSafe(|| handler.refuse(head, refusal)))
        .unwrap_or_else(|_| Response::new(500, "text/plain", "internal error\n"))
}
