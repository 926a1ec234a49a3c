//! What each address answers.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use ipcgan::AgeBlend;
use ipcgan::photo::PhotoFormat;
use serde::Deserialize;
use serde_json::{Value, json};

use super::work::{Refusal, Workshop};
use crate::age::Faces;

const SCRIPT: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];

pub(super) async fn page() -> Html<&'static str> {
    Html(include_str!("page/page.html"))
}

pub(super) async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("page/page.css"))
}

pub(super) async fn script() -> impl IntoResponse {
    (SCRIPT, include_str!("page/page.js"))
}

pub(super) async fn service() -> impl IntoResponse {
    (SCRIPT, include_str!("page/service.js"))
}

pub(super) async fn description() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], include_str!("openapi.json"))
}

/// The age groups, with the age in the middle of each, and how large a photo may be.
pub(super) async fn ages(State(workshop): State<Arc<Workshop>>) -> Json<Value> {
    let groups = workshop.aging.age_groups();
    let group = |index| json!({ "name": groups.name(index), "middle": groups.middle(index) });
    Json(json!({
        "groups": groups.indices().map(group).collect::<Vec<_>>(),
        "most_megabytes": workshop.most_megabytes(),
    }))
}

/// Where the faces of a photo are.
pub(super) async fn faces(State(workshop): State<Arc<Workshop>>, body: Body) -> Result<Json<Value>, Refusal> {
    let found = workshop.on_photo(body, |_, photo, faces| {
        let faces: Vec<_> = (1..).zip(&faces).map(|(number, face)| face.described(number)).collect();
        Ok(json!({ "width": photo.picture.width(), "height": photo.picture.height(), "faces": faces }))
    });
    found.await.map(Json)
}

/// What is wanted of a photo.
#[derive(Deserialize)]
pub(super) struct Wish {
    /// A group by name, or years.
    age: String,
    face: Option<String>,
    strength: Option<f32>,
    format: Option<String>,
}

/// A photo with its people at another age.
pub(super) async fn age(
    State(workshop): State<Arc<Workshop>>,
    wish: Result<Query<Wish>, QueryRejection>,
    body: Body,
) -> Result<Response, Refusal> {
    let bad = |reason: String| Refusal(StatusCode::BAD_REQUEST, reason);
    let Query(wish) = wish.map_err(|error| bad(error.body_text()))?;
    let groups = workshop.aging.age_groups();
    let age = AgeBlend::named(&wish.age, groups)
        .ok_or_else(|| bad(format!("age is {}, or years as 45", groups.names().join(", "))))?;
    let which: Faces =
        wish.face.as_deref().unwrap_or("all").parse().map_err(|reason| bad(format!("face: {reason}")))?;
    let format: PhotoFormat = wish.format.as_deref().unwrap_or("png").parse().map_err(bad)?;
    let strength = wish.strength.unwrap_or(1.0);
    if !(0.0..=3.0).contains(&strength) {
        return Err(bad("strength is a number from 0 to 3".into()));
    }
    let aged = workshop.on_photo(body, move |aging, mut photo, faces| {
        let unfit = |reason: String| Refusal(StatusCode::UNPROCESSABLE_ENTITY, reason);
        if faces.is_empty() {
            return Err(unfit("no face was found in the photo".into()));
        }
        let ages = [age];
        for (_, face) in which.of(faces).map_err(|error| unfit(error.to_string()))? {
            let change = aging.changes(&face, &ages).remove(0).scaled(strength);
            face.put_back(&mut photo.picture, &change);
        }
        photo.encoded(format).map_err(|error| unfit(error.to_string()))
    });
    Ok(([(header::CONTENT_TYPE, format.media_type())], aged.await?).into_response())
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}
