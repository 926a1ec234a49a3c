//! Connections: so many at once, and none for ever.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::ctrl_c;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use crate::report;

/// Connections at once, fewer than a process may have open files; whoever comes later waits to be let in.
const MOST: usize = 512;
/// The longest that a connection lasts: longer than a photo waits, and not as long as somebody who reads nothing would hold it.
const LONGEST: Duration = Duration::from_mins(15);

/// Answers until Ctrl-C, and then what was asked already, unless it comes once more. The head of a request has to come within
/// `patience`, also if there were others before it.
pub(super) async fn serve(listener: TcpListener, router: Router, patience: Duration) {
    let (places, open) = (Arc::new(Semaphore::new(MOST)), GracefulShutdown::new());
    let mut ended = pin!(ctrl_c());
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience);
    loop {
        let (stream, place) = tokio::select! {
            // Asked first, so that it is listened to before anybody is let in.
            biased;
            _ = &mut ended => break,
            accepted = accepted(&listener, &places) => accepted,
        };
        let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
        let connection = open.watch(connection);
        tokio::spawn(async move {
            let _place = place;
            // Who hangs up, and who sends what is no HTTP, wants no answer.
            let _ = timeout(LONGEST, connection).await;
        });
    }
    drop(listener);
    report("ending with the answers to what was asked; Ctrl-C once more ends at once");
    tokio::select! {
        () = open.shutdown() => (),
        _ = ctrl_c() => (),
    }
}

/// The next connection, as soon as there is a place for it.
async fn accepted(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    let place = places.clone().acquire_owned().await.expect("the places are never closed");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) if gone(&error) => (),
            // No more files may be open: others will be closed.
            Err(_) => sleep(Duration::from_secs(1)).await,
        }
    }
}

/// Whether whoever knocked has left already.
fn gone(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};

    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
