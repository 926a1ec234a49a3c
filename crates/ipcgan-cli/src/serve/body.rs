//! Receives request bodies with limits on size, time, rate, and total memory.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::api_error::ApiError;

/// Memory budget of all bodies together, received or queued; larger if two bodies of maximum size need more.
const MEMORY_BUDGET: usize = 256 << 20;
/// Unit of the memory budget in bytes.
const BUDGET_UNIT: usize = 1024;
/// Maximum time that a body waits for memory: longer than a stalled sender can occupy it.
const MEMORY_WAIT: Duration = Duration::from_secs(8);
/// Minimum rate: in each window a sender must send `MIN_WINDOW_BYTES` (8 KiB/s, below the slowest usual connection).
const RATE_WINDOW: Duration = Duration::from_secs(5);
const MIN_WINDOW_BYTES: usize = 5 * 8 * 1024;

/// Receives bodies.
pub(super) struct BodyReceiver {
    budget: Arc<Semaphore>,
    timeout: Duration,
}

/// A complete body; releases its part of the memory budget when dropped.
#[derive(Debug)]
pub(super) struct ReceivedBody {
    pub(super) bytes: Bytes,
    pub(super) budget: OwnedSemaphorePermit,
}

impl BodyReceiver {
    /// Accepts bodies of up to `max_bytes` that arrive within `timeout`.
    pub(super) fn new(max_bytes: usize, timeout: Duration) -> Self {
        let budget = MEMORY_BUDGET.max(2 * max_bytes).div_ceil(BUDGET_UNIT);
        Self { budget: Arc::new(Semaphore::new(budget)), timeout }
    }

    /// Receives a body of at most `max_bytes`.
    ///
    /// # Errors
    /// It is too large, incomplete or too slow, or the memory budget is exhausted.
    pub(super) async fn receive(&self, mut body: Body, max_bytes: usize) -> Result<ReceivedBody, ApiError> {
        let too_large = || ApiError::too_large(format!("photos are limited to {} MB", max_bytes >> 20));
        if body.size_hint().lower() > max_bytes as u64 {
            return Err(too_large());
        }
        let mut budget = self.budget.clone().try_acquire_many_owned(0).expect("the budget is never closed");
        let mut bytes: Vec<u8> = Vec::new();
        let mut clock = SenderClock::new(self.timeout);
        while let Some(chunk) = next_chunk(&mut body, &mut clock).await? {
            if chunk.len() > max_bytes - bytes.len() {
                return Err(too_large());
            }
            let needed = (bytes.len() + chunk.len()).div_ceil(BUDGET_UNIT) - budget.num_permits();
            let waited = Instant::now();
            budget.merge(self.reserve(needed).await?);
            clock.pause(waited.elapsed());
            bytes.extend_from_slice(&chunk);
        }
        Ok(ReceivedBody { bytes: bytes.into(), budget })
    }

    async fn reserve(&self, units: usize) -> Result<OwnedSemaphorePermit, ApiError> {
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        match timeout(MEMORY_WAIT, self.budget.clone().acquire_many_owned(units)).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(ApiError::busy("too many uploads; try again later")),
        }
    }
}

/// Next chunk; none at the end of the body.
async fn next_chunk(body: &mut Body, clock: &mut SenderClock) -> Result<Option<Bytes>, ApiError> {
    loop {
        let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context));
        match timeout_at(clock.next_check(), frame).await {
            Ok(None) => return Ok(None),
            Ok(Some(Err(_))) => return Err(ApiError::bad_request("the upload is incomplete")),
            Ok(Some(Ok(frame))) => {
                // Trailers are ignored.
                let Ok(data) = frame.into_data() else { continue };
                clock.count(data.len())?;
                return Ok(Some(data));
            }
            Err(_) => clock.check()?,
        }
    }
}

/// Deadline and minimum rate of a sender.
struct SenderClock {
    deadline: Instant,
    window_end: Instant,
    window_bytes: usize,
}

impl SenderClock {
    fn new(time: Duration) -> Self {
        let now = Instant::now();
        Self { deadline: now + time, window_end: now + RATE_WINDOW, window_bytes: 0 }
    }

    /// Time of the next check.
    fn next_check(&self) -> Instant {
        self.deadline.min(self.window_end)
    }

    fn count(&mut self, bytes: usize) -> Result<(), ApiError> {
        self.window_bytes += bytes;
        if Instant::now() >= self.next_check() { self.check() } else { Ok(()) }
    }

    /// Checks the window that ended and starts the next one.
    fn check(&mut self) -> Result<(), ApiError> {
        if Instant::now() >= self.deadline {
            return Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "the upload timed out"));
        }
        if self.window_bytes < MIN_WINDOW_BYTES {
            return Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "the upload is too slow"));
        }
        self.window_bytes = 0;
        self.window_end = Instant::now() + RATE_WINDOW;
        Ok(())
    }

    /// Extends the deadline and the window by time that the sender is not responsible for.
    fn pause(&mut self, time: Duration) {
        self.deadline += time;
        self.window_end += time;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_secs(30);

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    #[test]
    fn a_received_body_is_unchanged_and_holds_memory_until_dropped() {
        let receiver = BodyReceiver::new(1 << 20, TIME);
        let free = receiver.budget.available_permits();

        let received = run(receiver.receive(vec![7; 3000].into(), 3000)).unwrap();

        assert_eq!(received.bytes, vec![7; 3000]);
        assert_eq!(receiver.budget.available_permits(), free - 3);
        drop(received);
        assert_eq!(receiver.budget.available_permits(), free);
    }

    #[test]
    fn a_body_above_the_limit_is_too_large_and_holds_nothing() {
        let receiver = BodyReceiver::new(1 << 20, TIME);
        let free = receiver.budget.available_permits();

        let error = run(receiver.receive(vec![7; (1 << 20) + 1].into(), 1 << 20)).unwrap_err();

        assert_eq!(error, ApiError::too_large("photos are limited to 1 MB"));
        assert_eq!(receiver.budget.available_permits(), free);
    }

    #[test]
    fn a_sender_below_the_lowest_rate_is_too_slow() {
        let mut clock = SenderClock::new(TIME);
        clock.count(MIN_WINDOW_BYTES).unwrap();
        clock.check().unwrap();

        clock.count(MIN_WINDOW_BYTES - 1).unwrap();

        assert_eq!(clock.check().unwrap_err().status, StatusCode::REQUEST_TIMEOUT);
    }

    #[test]
    fn a_sender_at_the_deadline_is_too_late_at_any_rate() {
        let mut clock = SenderClock::new(Duration::ZERO);

        assert_eq!(clock.count(MIN_WINDOW_BYTES).unwrap_err().reason, "the upload timed out");
    }
}
