//! IPCGAN in a browser: detector and generator in WebAssembly, as static files for the page of `ipcgan serve`.
//!
//! `crates/ipcgan-web/build.sh FOLDER` builds them. The photo never leaves the page.

use ipcgan::data::Residual;
use ipcgan::photo::{self, Original, PhotoFormat};
use ipcgan::web_api::{self, AgesResponse, FacesResponse, MAX_PIXELS, MAX_UPLOAD_MB};
use ipcgan::{AgeBlend, Device, NoFaceFound, NoSuchFace, PhotoAging, PhotoFace};
use serde::Serialize;
use wasm_bindgen::prelude::wasm_bindgen;

/// Ages the faces in photos, one photo at a time.
#[wasm_bindgen]
pub struct Aging {
    aging: PhotoAging,
    opened: Option<(Original, Vec<PhotoFace>)>,
}

#[wasm_bindgen]
impl Aging {
    /// Loads the embedded weights.
    ///
    /// # Errors
    /// Only if the embedded weights were replaced by invalid ones.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Result<Aging, String> {
        let aging = PhotoAging::embedded(&Device::flex()).map_err(|error| error.to_string())?;
        Ok(Self { aging, opened: None })
    }

    /// Age groups with their middle ages, and the upload limit, as JSON.
    pub fn about(&self) -> String {
        json(&AgesResponse::new(self.aging.age_groups(), MAX_UPLOAD_MB))
    }

    /// Opens a photo; returns its size and faces as JSON, or how to rotate it if no face is found.
    ///
    /// # Errors
    /// The bytes are not an image of a readable format, or it has too many or too few pixels.
    pub fn open(&mut self, bytes: &[u8]) -> Result<String, String> {
        let origin = "the photo".as_ref();
        self.opened = None;
        if photo::pixels_of(bytes, origin).map_err(|error| error.to_string())? > MAX_PIXELS {
            return Err(web_api::too_many_pixels());
        }
        let photo = photo::original(bytes, origin).map_err(|error| error.to_string())?;
        let faces = self.aging.faces(&photo.rgb());
        let found = json(&FacesResponse::new(&self.aging, &photo, &faces));
        self.opened = Some((photo, faces));
        Ok(found)
    }

    /// The open photo with the face `number`, or all faces, at `age`, as [`AgeBlend::parse`] reads it, as a PNG file.
    ///
    /// # Errors
    /// No photo is open, it shows no face or no such face, the generator does not support `age`, its output is not
    /// finite, or the photo cannot be encoded.
    pub fn aged(&self, age: &str, number: Option<usize>) -> Result<Vec<u8>, String> {
        let Some((photo, faces)) = &self.opened else { return Err("no photo is open".into()) };
        if faces.is_empty() {
            return Err(NoFaceFound::new(&self.aging, &photo.rgb(), "the photo").to_string());
        }
        let age = AgeBlend::parse(age, self.aging.age_groups())?;
        let selected: Vec<&PhotoFace> = match number {
            None => faces.iter().collect(),
            Some(number) => {
                let face = number.checked_sub(1).and_then(|index| faces.get(index));
                vec![face.ok_or_else(|| NoSuchFace { number, count: faces.len() }.to_string())?]
            }
        };
        let mut photo = photo.clone();
        let aged = self.aging.age_faces(&mut photo, &selected, &age, Residual::DEFAULT_STRENGTH);
        aged.map_err(|error| error.to_string())?;
        photo.encoded(PhotoFormat::Png).map_err(|error| error.to_string())
    }
}

fn json(response: &impl Serialize) -> String {
    serde_json::to_string(response).expect("plain data turn into JSON")
}
