//! Connections: limited in number and lifetime, and closed so that clients can read the last response.

use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, body::Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use log::info;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::stop::StopSignals;

/// Maximum number of connections, below the usual limit of open files.
const MAX_CONNECTIONS: u32 = 512;
/// When all connections are in use, one that has been idle for this long is closed for a new one.
const EVICTABLE_AFTER: Duration = Duration::from_secs(2);
/// Maximum time to receive the head of a request, on a kept-alive connection as well.
const MAX_HEAD_TIME: Duration = Duration::from_secs(10);
/// A connection accepts no further request after this time, and is closed after twice this time.
const LIFETIME: Duration = Duration::from_mins(15);
/// Interval of checks for stalled clients.
const STALL_CHECK: Duration = Duration::from_secs(1);
/// Limits of reading and discarding remaining input after the response: closing a connection with unread input resets
/// it and loses the response.
const MAX_DISCARDED: usize = 1 << 30;
const MAX_DISCARD_TIME: Duration = Duration::from_secs(30);
const MAX_DISCARD_PAUSE: Duration = Duration::from_secs(2);

/// How the server stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// After all responses.
    Complete,
    /// By a second signal, with requests in progress.
    Aborted,
}

/// Serves until a stop signal, then finishes the requests in progress, unless a second signal comes.
///
/// The head of a request must arrive within `timeout`, at most [`MAX_HEAD_TIME`]; a client that neither sends nor reads
/// for twice `timeout` is disconnected.
pub(super) async fn serve(listeners: Vec<TcpListener>, router: Router, timeout: Duration) -> io::Result<Ended> {
    let mut signals = StopSignals::new()?;
    let (stop, stopping) = watch::channel(false);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(timeout.min(MAX_HEAD_TIME));
    let open = OpenConnections::default();
    let router = TowerToHyperService::new(router);
    let server = Arc::new(Server { http, router, max_wait: 2 * timeout, open, stopping });
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept_all(listener, server.clone()));
    }
    signals.received().await;
    accepting.shutdown().await;
    info!("finishing the requests in progress; press Ctrl-C (or send SIGTERM) again to exit immediately");
    stop.send_replace(true);
    tokio::select! {
        () = server.open.all_closed() => Ok(Ended::Complete),
        () = signals.received() => Ok(Ended::Aborted),
    }
}

struct Server {
    http: http1::Builder,
    router: TowerToHyperService<Router>,
    max_wait: Duration,
    open: OpenConnections,
    stopping: watch::Receiver<bool>,
}

async fn accept_all(listener: TcpListener, server: Arc<Server>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (connection, place) = server.open.add().await;
                let server = server.clone();
                tokio::spawn(async move {
                    server.serve_one(stream, &connection).await;
                    server.open.remove(&connection, place);
                });
            }
            Err(error) if is_gone(&error) => (),
            // Out of file descriptors: wait until other connections are closed.
            Err(_) => sleep(Duration::from_secs(1)).await,
        }
    }
}

/// Whether the client has disconnected.
fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};

    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

impl Server {
    async fn serve_one(&self, mut stream: TcpStream, connection: &Connection) {
        let ended = tokio::select! {
            ended = self.serve_requests(&mut stream, connection) => ended,
            () = connection.0.evicted.notified() => return,
        };
        let mut stopping = self.stopping.clone();
        if ended == ConnectionEnd::Closed {
            connection.waiting();
            tokio::select! {
                () = discard(&mut stream) => (),
                () = connection.0.evicted.notified() => (),
                _ = stopping.wait_for(|is_stopping| *is_stopping) => (),
            }
        }
    }

    async fn serve_requests(&self, stream: &mut TcpStream, connection: &Connection) -> ConnectionEnd {
        let service = hyper::service::service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(connection.clone());
            self.router.call(request.map(Body::new))
        });
        let mut serving = pin!(self.http.serve_connection(TokioIo::new(stream), service));
        let mut lifetime = pin!(sleep(LIFETIME));
        let (mut stopping, mut is_last) = (self.stopping.clone(), false);
        loop {
            tokio::select! {
                // A client that disconnects or does not send HTTP gets no further response.
                _ = serving.as_mut() => return ConnectionEnd::Closed,
                () = lifetime.as_mut() => {
                    if is_last {
                        return ConnectionEnd::Expired;
                    }
                    lifetime.as_mut().reset(Instant::now() + LIFETIME);
                }
                () = sleep(STALL_CHECK) => {
                    if connection.waiting_since().is_some_and(|since| since.elapsed() > self.max_wait) {
                        return ConnectionEnd::Expired;
                    }
                    continue;
                }
                _ = stopping.wait_for(|is_stopping| *is_stopping), if !is_last => (),
            }
            is_last = true;
            serving.as_mut().graceful_shutdown();
        }
    }
}

/// How a connection ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ConnectionEnd {
    /// The last response was written, or the client disconnected or did not send HTTP.
    Closed,
    /// The client stalled, or the connection exceeded its lifetime.
    Expired,
}

/// Reads and discards input until the client has read the response and closes, within limits.
async fn discard(stream: &mut TcpStream) {
    let _ = stream.shutdown().await;
    let discarded = async {
        let (mut buffer, mut count) = (vec![0; 64 << 10], 0);
        while count < MAX_DISCARDED {
            match timeout(MAX_DISCARD_PAUSE, stream.read(&mut buffer)).await {
                Ok(Ok(read)) if read > 0 => count += read,
                _ => break,
            }
        }
    };
    let _ = timeout(MAX_DISCARD_TIME, discarded).await;
}

/// Open connections.
struct OpenConnections {
    places: Arc<Semaphore>,
    open: Mutex<Vec<Connection>>,
}

impl Default for OpenConnections {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(MAX_CONNECTIONS as usize)), open: Mutex::default() }
    }
}

impl OpenConnections {
    /// Waits for a free slot and adds a connection.
    async fn add(&self) -> (Connection, OwnedSemaphorePermit) {
        const RETRY: Duration = Duration::from_millis(100);
        let place = loop {
            if self.places.available_permits() == 0 {
                self.evict_one(Instant::now());
            }
            if let Ok(place) = timeout(RETRY, self.places.clone().acquire_owned()).await {
                break place.expect("the places are never closed");
            }
        };
        let connection = Connection(Arc::new(ConnectionState {
            waiting_since: Mutex::new(Some(Instant::now())),
            evicted: Notify::new(),
        }));
        self.lock().push(connection.clone());
        (connection, place)
    }

    fn remove(&self, connection: &Connection, place: OwnedSemaphorePermit) {
        self.lock().retain(|other| !Arc::ptr_eq(&other.0, &connection.0));
        drop(place);
    }

    /// Closes the connection that has been idle longest, if that is longer than [`EVICTABLE_AFTER`].
    fn evict_one(&self, now: Instant) {
        let open = self.lock();
        let waiting = open.iter().filter_map(|connection| Some((connection.waiting_since()?, connection)));
        if let Some((since, connection)) = waiting.min_by_key(|(since, _)| *since)
            && now.duration_since(since) >= EVICTABLE_AFTER
        {
            connection.working();
            connection.0.evicted.notify_one();
        }
    }

    async fn all_closed(&self) {
        let _ = self.places.acquire_many(MAX_CONNECTIONS).await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection as seen by its requests.
#[derive(Clone)]
pub(super) struct Connection(Arc<ConnectionState>);

struct ConnectionState {
    /// Since when the connection waits for its client to send or read; none while a request is processed.
    waiting_since: Mutex<Option<Instant>>,
    evicted: Notify,
}

impl Connection {
    /// The connection waits for its client.
    pub(super) fn waiting(&self) {
        *self.lock() = Some(Instant::now());
    }

    /// A request is being processed.
    pub(super) fn working(&self) {
        *self.lock() = None;
    }

    fn waiting_since(&self) -> Option<Instant> {
        *self.lock()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.0.waiting_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_idle_connection_is_evicted_and_no_active_one() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let open = OpenConnections::default();
            let [(first, _), (second, _), (third, _)] = [open.add().await, open.add().await, open.add().await];
            first.working();

            open.evict_one(Instant::now());
            assert!(second.waiting_since().is_some(), "it has not waited long");
            open.evict_one(Instant::now() + EVICTABLE_AFTER);

            second.0.evicted.notified().await;
            assert!(third.waiting_since().is_some());
        });
    }
}
