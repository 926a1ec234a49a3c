//! The photo in a request: its whole body, or the file of a form.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{HeaderMap, StatusCode, header};
use tokio::sync::OwnedSemaphorePermit;

use super::api_error::ApiError;
use super::body::{BodyReceiver, ReceivedBody};
use super::connections::Connection;

/// Overhead of a form: boundaries and part headers.
const FORM_BYTES: usize = 64 << 10;

/// An uploaded photo.
pub(super) struct Upload {
    pub(super) bytes: Bytes,
    /// Its part of the memory budget.
    _budget: OwnedSemaphorePermit,
}

/// Receives the photo in `request`, of at most `max_bytes`.
///
/// # Errors
/// The body cannot be received, is empty, or is a form with anything but one photo.
pub(super) async fn receive_photo(
    receiver: &BodyReceiver,
    request: Request,
    max_bytes: usize,
) -> Result<Upload, ApiError> {
    let (parts, body) = request.into_parts();
    let is_form = is_form(&parts.headers)?;
    let max_body = if is_form { max_bytes + FORM_BYTES } else { max_bytes };
    let ReceivedBody { bytes, budget } = receiver.receive(body, max_body).await?;
    if let Some(connection) = parts.extensions.get::<Connection>() {
        connection.working();
    }
    let bytes = match is_form {
        true => photo_in_form(Request::from_parts(parts, Body::from(bytes))).await?,
        false => bytes,
    };
    if bytes.is_empty() {
        return Err(ApiError::bad_request(
            "the request contains no photo: send its bytes as the body, or a form with a file",
        ));
    }
    if bytes.len() > max_bytes {
        return Err(ApiError::too_large(format!("photos are limited to {} MB", max_bytes >> 20)));
    }
    Ok(Upload { bytes, _budget: budget })
}

/// Whether the body is a form; other content types are ignored.
fn is_form(headers: &HeaderMap) -> Result<bool, ApiError> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "multipart/form-data" => Ok(true),
        other if other.starts_with("multipart/") => {
            Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "only multipart/form-data forms are supported"))
        }
        _ => Ok(false),
    }
}

async fn photo_in_form(request: Request) -> Result<Bytes, ApiError> {
    let unreadable = |reason: String| ApiError::bad_request(format!("the form cannot be read: {reason}"));
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|error| unreadable(error.body_text()))?;
    let mut photo = None;
    while let Some(field) = form.next_field().await.map_err(|error| unreadable(error.body_text()))? {
        let name = field.name().unwrap_or_default();
        if field.file_name().is_none() && name != "photo" {
            return Err(ApiError::bad_request(format!(
                "unexpected form field `{name}`: a form contains only the photo; pass options in the query, such \
                 as ?age=60"
            )));
        }
        if photo.is_some() {
            return Err(ApiError::bad_request("the form has several photos; send one"));
        }
        photo = Some(field.bytes().await.map_err(|error| unreadable(error.body_text()))?);
    }
    photo.ok_or_else(|| ApiError::bad_request("the form has no field `photo`"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn receive(content_type: &str, body: impl Into<Body>) -> Result<Bytes, ApiError> {
        let receiver = BodyReceiver::new(1 << 20, Duration::from_secs(30));
        let mut request = Request::builder().header(header::CONTENT_TYPE, content_type).body(body.into()).unwrap();
        axum::extract::DefaultBodyLimit::disable().apply(&mut request);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(receive_photo(&receiver, request, 1 << 20)).map(|upload| upload.bytes)
    }

    /// A form of these fields, each the attributes behind its disposition and its content.
    fn form(fields: &[(&str, &str)]) -> Result<Bytes, ApiError> {
        let field = |(attributes, content): &(&str, &str)| {
            format!("--cut\r\nContent-Disposition: form-data; {attributes}\r\n\r\n{content}\r\n")
        };
        let body = fields.iter().map(field).collect::<String>() + "--cut--\r\n";
        receive("multipart/form-data; boundary=cut", body)
    }

    #[test]
    fn the_photo_is_the_whole_body_or_the_file_of_a_form() {
        assert_eq!(receive("image/png", "pixels").unwrap(), "pixels");
        assert_eq!(receive("application/x-www-form-urlencoded", "pixels").unwrap(), "pixels");
        assert_eq!(form(&[("name=\"photo\"; filename=\"x.jpg\"", "pixels")]).unwrap(), "pixels");
        assert_eq!(form(&[("name=\"image\"; filename=\"x.jpg\"", "pixels")]).unwrap(), "pixels");
        assert_eq!(form(&[("name=\"photo\"", "pixels")]).unwrap(), "pixels");
    }

    #[test]
    fn a_form_above_the_default_limit_of_the_library_is_accepted() {
        let large = "x".repeat(1 << 20);

        assert_eq!(form(&[("name=\"photo\"; filename=\"x.jpg\"", &large)]).unwrap().len(), 1 << 20);
    }

    #[test]
    fn anything_but_one_photo_is_rejected_with_what_to_change() {
        let photo = ("name=\"photo\"; filename=\"x.jpg\"", "pixels");
        for (result, word) in [
            (receive("image/png", ""), "contains no photo"),
            (form(&[]), "no field `photo`"),
            (form(&[("name=\"photo\"; filename=\"\"", "")]), "contains no photo"),
            (form(&[photo, photo]), "several photos"),
            (form(&[photo, ("name=\"age\"", "60")]), "?age=60"),
            (receive("multipart/form-data", "--cut"), "cannot be read"),
            (receive("multipart/form-data; boundary=cut", "no form"), "cannot be read"),
        ] {
            let error = result.unwrap_err();

            assert!(error.status == StatusCode::BAD_REQUEST && error.reason.contains(word), "{word}: {error:?}");
        }
        assert_eq!(
            receive("multipart/mixed; boundary=cut", "").unwrap_err().status,
            StatusCode::UNSUPPORTED_MEDIA_TYPE
        );
    }

    #[test]
    fn a_photo_above_the_limit_is_too_large_in_a_form_too() {
        let large = "x".repeat((1 << 20) + 1);

        assert_eq!(receive("image/png", large.clone()).unwrap_err().status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(form(&[("name=\"photo\"", &large)]).unwrap_err().status, StatusCode::PAYLOAD_TOO_LARGE);
    }
}
