//! `ipcgan serve`: a web page on which people age photos, and an interface for programs.
//!
//! Nothing is written to disk. Connections and work on photos are bounded in number, size and time.

mod answers;
mod connections;
mod work;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use ipcgan::PhotoAging;
use tokio::net::TcpListener;

use crate::arguments::ServeArguments;
use crate::weights::face_aging;
use crate::{answer, devices, report};
use work::Workshop;

/// What a browser may do with what it gets: nothing from elsewhere, and pictures that the page made itself.
const HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; \
         form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("permissions-policy"), "camera=(self), microphone=(), geolocation=()"),
];

pub(crate) fn run(arguments: &ServeArguments) -> Result<()> {
    let device = devices::open(&arguments.device)?;
    let patience = Duration::from_secs(arguments.seconds.into());
    let workshop = Workshop::new(
        PhotoAging::new(face_aging(arguments.weights.as_deref(), &device)?, &device),
        arguments.at_once.into(),
        usize::from(arguments.most_megabytes) << 20,
        patience,
    );
    // A thread that worked keeps buffers of some megabytes for its next photo, so there are no more than work.
    let threads = arguments.at_once.into();
    let runtime = tokio::runtime::Builder::new_multi_thread().max_blocking_threads(threads).enable_all().build()?;
    runtime.block_on(listen(SocketAddr::new(arguments.host, arguments.port), Arc::new(workshop), patience))
}

async fn listen(address: SocketAddr, workshop: Arc<Workshop>, patience: Duration) -> Result<()> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        report(
            "others can reach this address; they can use the page too, and nothing between you and them is encrypted",
        );
    }
    answer(&format!("http://{address}"));
    report("Ctrl-C ends");
    tokio::spawn(workshop.clone().rest());
    connections::serve(listener, router(workshop), patience).await;
    Ok(())
}

fn router(workshop: Arc<Workshop>) -> Router {
    Router::new()
        .route("/", get(answers::page))
        .route("/page.css", get(answers::style))
        .route("/page.js", get(answers::script))
        .route("/service.js", get(answers::service))
        .route("/api/openapi.json", get(answers::description))
        .route("/api/ages", get(answers::ages))
        .route("/api/faces", post(answers::faces))
        .route("/api/age", post(answers::age))
        .layer(from_fn(with_headers))
        .with_state(workshop)
}

async fn with_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
