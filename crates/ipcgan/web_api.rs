//! The JSON of the web page: the responses of `ipcgan serve` and of the page's WebAssembly version.

use ipcgan_data::photo::Original;
use ipcgan_model::AgeGroups;
use serde::Serialize;

use crate::photo_aging::{FaceDescription, PhotoAging, PhotoFace};
use crate::rotation_advice;

/// Maximum number of pixels of a photo: enough for most cameras, and little enough for the memory of a page.
pub const MAX_PIXELS: u64 = 50_000_000;
/// Default maximum size of a photo's file in megabytes.
pub const MAX_UPLOAD_MB: usize = 32;

/// The age groups, youngest first, and the upload limit.
#[derive(Clone, Debug, Serialize)]
pub struct AgesResponse {
    /// The age groups.
    pub groups: Vec<AgeGroup>,
    /// Maximum size of a photo's file in megabytes.
    pub max_upload_mb: usize,
}

/// An age group.
#[derive(Clone, Debug, Serialize)]
pub struct AgeGroup {
    /// Its name, such as `31-40`.
    pub name: String,
    /// Its middle age.
    pub middle: f32,
}

/// The faces of a photo.
#[derive(Clone, Debug, Serialize)]
pub struct FacesResponse {
    /// Width of the upright photo in pixels.
    pub width: u32,
    /// Height of the upright photo in pixels.
    pub height: u32,
    /// Its faces, from left to right.
    pub faces: Vec<FaceDescription>,
    /// What is wrong with the file although its image is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// If there is no face: how to rotate the photo so that one is found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Why a request was rejected.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorResponse {
    /// The reason, for the user.
    pub error: String,
}

impl AgesResponse {
    /// The response for `groups`.
    pub fn new(groups: &AgeGroups, max_upload_mb: usize) -> Self {
        let group = |index| AgeGroup { name: groups.name(index), middle: groups.middle(index) };
        Self { groups: groups.indices().map(group).collect(), max_upload_mb }
    }
}

impl FacesResponse {
    /// The response for `faces`, which `aging` found in `photo`.
    pub fn new(aging: &PhotoAging, photo: &Original, faces: &[PhotoFace]) -> Self {
        let rotation = if faces.is_empty() { rotation_advice(aging, &photo.rgb()) } else { None };
        Self {
            width: photo.image.width(),
            height: photo.image.height(),
            faces: (1..).zip(faces).map(|(number, face)| face.description(number)).collect(),
            warning: photo.warning().map(|warning| warning.to_string()),
            hint: rotation.map(|rotation| rotation.advice().into()),
        }
    }
}

/// The reason to reject a photo of too many pixels.
pub fn too_many_pixels() -> String {
    format!("photos are limited to {} million pixels", MAX_PIXELS / 1_000_000)
}
