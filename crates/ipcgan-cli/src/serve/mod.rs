//! `ipcgan serve`: a web page and an HTTP API that age photos.
//!
//! Nothing is written to disk. Connections, bodies and jobs are limited in number, size and time.

mod access;
mod age_query;
mod api_error;
mod body;
mod connections;
mod handlers;
mod openapi;
mod photo_service;
mod sent_body;
mod stop;
mod upload;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use ipcgan::PhotoAging;
use log::{debug, info};
use tokio::net::TcpListener;

use crate::arguments::ServeArguments;
use crate::exit_reason::ExitReason;
use crate::weights::face_aging;
use crate::{devices, print_line};
use access::{AccessPolicy, Reach, check_access};
use connections::{Connection, Ended};
use photo_service::PhotoService;
use sent_body::SentBody;

/// Default port.
const PORT: u16 = 8080;

/// Security headers: only resources of this server, and images created by the page.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; \
         form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(self), microphone=(), geolocation=()"),
];

pub(crate) fn run(arguments: &ServeArguments) -> Result<()> {
    // Bind before the weights are loaded, so that a port in use is reported immediately.
    let listeners = arguments.listen.bind(PORT)?;
    let device = devices::open(&arguments.device)?;
    let timeout = Duration::from_secs(arguments.timeout.into());
    let service = PhotoService::new(
        PhotoAging::new(face_aging(arguments.weights.as_deref(), &device)?, &device),
        arguments.concurrency.into(),
        arguments.max_upload_mb.into(),
        timeout,
    );
    // Worker threads keep buffers of some megabytes, so there are no more than concurrent jobs.
    let threads = arguments.concurrency.into();
    let runtime = tokio::runtime::Builder::new_multi_thread().max_blocking_threads(threads).enable_all().build()?;
    let ended = runtime.block_on(async {
        let listeners = listeners.into_iter().map(|listener| {
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)
        });
        let listeners = listeners.collect::<Result<Vec<_>, _>>()?;
        let addresses = listeners.iter().map(TcpListener::local_addr).collect::<Result<Vec<_>, _>>()?;
        let policy = AccessPolicy::new(&arguments.allow_host, announce(&arguments.listen.host.name, &addresses));
        let service = Arc::new(service);
        tokio::spawn(service.clone().release_memory_when_idle());
        connections::serve(listeners, router(service, policy), timeout).await.context("cannot wait for signals")
    })?;
    // Do not wait for jobs whose clients are gone.
    runtime.shutdown_background();
    match ended {
        Ended::Complete => Ok(()),
        Ended::Aborted => Err(ExitReason::Stopped("stopped with requests in progress".into()).into()),
    }
}

/// Prints the address, and who can reach it.
fn announce(host: &str, addresses: &[SocketAddr]) -> Reach {
    let port = addresses.first().map_or(PORT, SocketAddr::port);
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_string() };
    print_line(&format!("http://{host}:{port}"));
    info!("press Ctrl-C to stop");
    if addresses.iter().all(|address| address.ip().is_loopback()) {
        return Reach::Loopback;
    }
    info!("other computers can reach this address; connections are not encrypted");
    Reach::Network
}

fn router(service: Arc<PhotoService>, policy: AccessPolicy) -> Router {
    handlers::router(service)
        .layer(from_fn_with_state(Arc::new(policy), check_access))
        .layer(from_fn(with_headers))
        .layer(from_fn(observe))
}

async fn with_headers(request: Request, next: Next) -> Response {
    let has_body = !request.body().is_end_stream();
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    // The body of a rejected request may be unread, so the connection cannot be reused.
    if has_body && !response.status().is_success() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Logs each request, and tracks whether the connection waits for its client.
async fn observe(request: Request, next: Next) -> Response {
    let start = Instant::now();
    let line = format!("{} {}", request.method(), request.uri().path());
    let connection = request.extensions().get::<Connection>().cloned();
    match &connection {
        Some(connection) if request.body().is_end_stream() => connection.working(),
        Some(connection) => connection.waiting(),
        None => (),
    }
    let mut response = next.run(request).await;
    if let Some(connection) = connection {
        connection.waiting();
        response = response.map(|body| Body::new(SentBody::new(body, connection)));
    }
    debug!("{line} {} in {} ms", response.status().as_u16(), start.elapsed().as_millis());
    response
}
