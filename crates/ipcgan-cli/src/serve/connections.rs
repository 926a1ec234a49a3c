//! Connections: a bounded number at the same time, none held for ever, and none reset before its response was read.

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
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::stop::StopSignals;
use crate::info;

/// Connections at the same time, fewer than a process may have open files.
const MAX_CONNECTIONS: u32 = 512;
/// Where all connections are taken, one that has waited for its client this long makes room for a new one.
const EVICTABLE_AFTER: Duration = Duration::from_secs(2);
/// The longest that the head of a request may take, also if there were others before it.
const MAX_HEAD_TIME: Duration = Duration::from_secs(10);
/// After this a connection takes no further request, and after as long again it is closed.
const LIFETIME: Duration = Duration::from_mins(15);
/// From one look at whether a client still reads to the next.
const STALL_CHECK: Duration = Duration::from_secs(1);
/// How much of what a client still sends is read and discarded after the response, and for how long: a connection that is
/// closed with unread bytes is reset, and the response with it.
const MAX_DISCARDED: usize = 1 << 30;
const MAX_DISCARD_TIME: Duration = Duration::from_secs(30);
const MAX_DISCARD_PAUSE: Duration = Duration::from_secs(2);

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// With the responses to all requests.
    Complete,
    /// By a second signal, with requests in progress.
    Aborted,
}

/// Serves until a signal to stop, then finishes the requests in progress, unless a second signal comes.
///
/// The head of a request must arrive within `timeout`, and a client may not read nothing of a response for twice as long.
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
    info("finishing the requests in progress; Ctrl-C or SIGTERM once more ends at once");
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
            // No more files may be open: others will be closed.
            Err(_) => sleep(Duration::from_secs(1)).await,
        }
    }
}

/// Whether the client has left already.
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
                // A client that hangs up, or sends what is no HTTP, gets no further response.
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
    /// The last response was written.
    Closed,
    /// Its client read nothing for too long.
    Expired,
}

/// Reads what the client still sends until it has read the response and closes, within bounds.
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

/// The connections that are open.
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
    /// A new connection as soon as there is a place for it.
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

    /// Closes the connection that has waited longest for its client, if it is long enough.
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

/// A connection, as its requests know it.
#[derive(Clone)]
pub(super) struct Connection(Arc<ConnectionState>);

struct ConnectionState {
    /// Since when the connection waits for its client to send or to read; none while the program works for it.
    waiting_since: Mutex<Option<Instant>>,
    evicted: Notify,
}

impl Connection {
    /// From now on the client has to send or to read.
    pub(super) fn waiting(&self) {
        *self.lock() = Some(Instant::now());
    }

    /// From now on the program works for the client.
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
    fn the_connection_that_has_waited_longest_makes_room_and_none_that_is_worked_for() {
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
