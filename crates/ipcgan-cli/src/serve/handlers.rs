//! Routes and handlers.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::handler::Handler;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use ipcgan::web_api::{AgesResponse, FacesResponse};
use ipcgan::{NoFaceFound, PhotoFace};
use serde::Deserialize;
use serde_json::Value;

use super::age_query::{AgeParameters, AgeQuery};
use super::api_error::ApiError;
use super::openapi;
use super::photo_service::PhotoService;
use crate::age::face_area;

/// Methods of readable resources.
const READ: &str = "GET, HEAD, OPTIONS";
/// Methods of upload resources.
const UPLOAD: &str = "POST, OPTIONS";

const SCRIPT: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];
const STYLE: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "text/css; charset=utf-8")];

/// All routes.
pub(super) fn router(service: Arc<PhotoService>) -> Router {
    Router::new()
        .route("/", readable(async || Html(include_str!("page/page.html"))))
        .route("/page.css", readable(async || (STYLE, include_str!("page/page.css"))))
        .route("/page.js", readable(async || (SCRIPT, include_str!("page/page.js"))))
        .route("/photo.js", readable(async || (SCRIPT, include_str!("page/photo.js"))))
        .route("/service.js", readable(async || (SCRIPT, include_str!("page/service.js"))))
        .route("/api/openapi.json", readable(description))
        .route("/api/ages", readable(ages))
        .route("/api/faces", uploadable(faces))
        .route("/api/age", uploadable(age))
        .fallback(async || ApiError::new(StatusCode::NOT_FOUND, "not found; /api/openapi.json lists all resources"))
        // Uploads have their own limit.
        .layer(DefaultBodyLimit::disable())
        .with_state(service)
}

fn readable<T: 'static>(handler: impl Handler<T, Arc<PhotoService>>) -> MethodRouter<Arc<PhotoService>> {
    with_methods(get(handler), READ)
}

fn uploadable<T: 'static>(handler: impl Handler<T, Arc<PhotoService>>) -> MethodRouter<Arc<PhotoService>> {
    with_methods(post(handler), UPLOAD)
}

/// Adds the `Allow` header to responses to `OPTIONS` and to unsupported methods.
fn with_methods(router: MethodRouter<Arc<PhotoService>>, allowed: &'static str) -> MethodRouter<Arc<PhotoService>> {
    let allow = [(header::ALLOW, allowed)];
    let options = allow.clone();
    router.options(async move || (StatusCode::NO_CONTENT, options)).fallback(async move || {
        let reason = format!("allowed methods: {allowed}");
        (allow, ApiError::new(StatusCode::METHOD_NOT_ALLOWED, reason)).into_response()
    })
}

async fn description(State(service): State<Arc<PhotoService>>) -> Json<Value> {
    Json(openapi::description(service.aging.age_groups()))
}

/// Age groups with their middle ages, and the upload limit.
async fn ages(State(service): State<Arc<PhotoService>>) -> Json<AgesResponse> {
    Json(AgesResponse::new(service.aging.age_groups(), service.max_upload_mb()))
}

/// An empty query.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoParameters {}

/// Detects the faces of a photo.
async fn faces(
    State(service): State<Arc<PhotoService>>,
    query: Result<Query<NoParameters>, QueryRejection>,
    request: Request,
) -> Result<Json<FacesResponse>, ApiError> {
    query.map_err(|_| ApiError::bad_request("this resource takes no query parameters"))?;
    let found = service.process(request, |aging, photo, faces| Ok(FacesResponse::new(aging, &photo, &faces)));
    found.await.map(Json)
}

/// Ages the faces of a photo.
async fn age(
    State(service): State<Arc<PhotoService>>,
    query: Result<Query<AgeQuery>, QueryRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let Query(query) = query.map_err(|error| {
        let reason = error.body_text();
        let reason = reason.trim_start_matches("Failed to deserialize query string: ");
        ApiError::bad_request(format!("parameters: {reason}"))
    })?;
    let AgeParameters { age, faces: selected, strength, format } = query.checked(service.aging.age_groups())?;
    let aged = service.process(request, move |aging, mut photo, faces| {
        if faces.is_empty() {
            return Err(ApiError::unprocessable(NoFaceFound::new(aging, &photo.rgb(), "the photo").to_string()));
        }
        let max = format.max_side();
        if photo.image.width().max(photo.image.height()) > max {
            let reason = format!("a {format} may have {max} pixels a side at most; choose another format");
            return Err(ApiError::unprocessable(reason));
        }
        let faces = selected.of(faces, face_area).map_err(|error| ApiError::unprocessable(error.to_string()))?;
        let faces: Vec<&PhotoFace> = faces.iter().map(|(_, face)| face).collect();
        let aged = aging.age_faces(&mut photo, &faces, &age, strength);
        aged.map_err(|error| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
        photo.encoded(format).map_err(|error| ApiError::unprocessable(error.to_string()))
    });
    Ok(([(header::CONTENT_TYPE, format.media_type())], aged.await?).into_response())
}
