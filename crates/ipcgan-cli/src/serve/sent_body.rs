//! Response body that tracks whether its client reads.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

use super::connections::Connection;

/// Maximum chunk size: small enough to notice that a client reads.
const CHUNK: usize = 64 << 10;

/// Sends a body in chunks; each restarts the stall timer of the connection.
pub(super) struct SentBody {
    body: Body,
    rest: Bytes,
    connection: Connection,
}

impl SentBody {
    pub(super) fn new(body: Body, connection: Connection) -> Self {
        Self { body, rest: Bytes::new(), connection }
    }
}

impl HttpBody for SentBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.connection.waiting();
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                end => return Poll::Ready(end),
            }
        }
        let length = self.rest.len().min(CHUNK);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let hint = self.body.size_hint();
        hint.exact().map_or(hint, |bytes| SizeHint::with_exact(bytes + self.rest.len() as u64))
    }
}
