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
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use ipcgan::{DeviceChoice, PhotoAging};
use log::{debug, info};
use serde::Serialize;
use tokio::net::TcpListener;

use crate::devices;
use crate::exit_reason::ExitReason;
use crate::listen::ListenRequest;
use crate::output::print_line;
use crate::request::{optional_path, text};
use crate::weights::face_aging;
use access::{AccessPolicy, Reach, check_access};
use connections::{Connection, Ended};
use photo_service::PhotoService;
use sent_body::SentBody;

/// Default port.
pub(crate) const PORT: u16 = 8080;

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

/// What `ipcgan serve` does.
#[derive(Debug, Serialize)]
pub(crate) struct ServeRequest {
    pub(crate) listen: ListenRequest,
    /// Further host names whose requests are accepted.
    pub(crate) allowed_hosts: Vec<String>,
    /// Number of photos processed at the same time.
    pub(crate) concurrency: usize,
    pub(crate) max_upload_mb: usize,
    /// Time within which an upload must complete.
    pub(crate) timeout: Duration,
    /// Where the generator is; `None` for the embedded weights.
    #[serde(serialize_with = "optional_path")]
    pub(crate) weights: Option<PathBuf>,
    #[serde(serialize_with = "text")]
    pub(crate) device: DeviceChoice,
}

pub(crate) fn run(request: &ServeRequest) -> Result<()> {
    // Bind before the weights are loaded, so that a port in use is reported immediately.
    let listeners = request.listen.bind()?;
    let device = devices::open(&request.device)?;
    let service = PhotoService::new(
        PhotoAging::new(face_aging(request.weights.as_deref(), &device)?, &device),
        request.concurrency,
        request.max_upload_mb,
        request.timeout,
    );
    // Worker threads keep buffers of some megabytes, so there are no more than concurrent jobs.
    let threads = request.concurrency;
    let runtime = tokio::runtime::Builder::new_multi_thread().max_blocking_threads(threads).enable_all().build()?;
    let ended = runtime.block_on(async {
        let listeners = listeners.into_iter().map(|listener| {
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)
        });
        let listeners = listeners.collect::<Result<Vec<_>, _>>()?;
        let addresses = listeners.iter().map(TcpListener::local_addr).collect::<Result<Vec<_>, _>>()?;
        let policy = AccessPolicy::new(&request.allowed_hosts, announce(&request.listen.host, &addresses));
        let service = Arc::new(service);
        tokio::spawn(service.clone().release_memory_when_idle());
        connections::serve(listeners, router(service, policy), request.timeout).await.context("cannot wait for signals")
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
