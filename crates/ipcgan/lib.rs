//! Face ageing with IPCGAN, the identity-preserved conditional GAN, on any vendor's GPU or a CPU.
//!
#![doc = concat!("![A photo, and five age groups](data:image/webp;base64,", include_str!("front_picture.txt"), ")")]
//!
//! ```no_run
//! use ipcgan::{AgeBlend, DeviceChoice, PhotoAging, photo};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let aging = PhotoAging::embedded(&DeviceChoice::Auto.resolve()?)?;
//! let age = AgeBlend::from_age(60.0, aging.age_groups());
//! let mut photo = photo::read_original("party.jpg".as_ref())?;
//! aging.age(&mut photo, &age)?;
//! photo.write("party-at-60.png".as_ref(), photo::PhotoFormat::Png)?;
//! # Ok(())
//! # }
//! ```
//!
//! In reading order: [`PhotoAging`] ages the faces in a photo, [`FaceAging`] one aligned face; [`DeviceChoice`] selects
//! the device; [`web_api`] is the JSON of the web page; [`mod@train`] contains the training, [`data`] images and data
//! sets, [`model`] networks and losses.

mod device;
#[cfg(feature = "train")]
mod evaluation;
mod face_aging;
mod face_detection;
mod missing_face;
mod photo_aging;
mod remote;
mod self_test;
mod upright;
pub mod web_api;

pub use burn::tensor::Device;
pub use device::{DeviceChoice, DeviceError, DeviceKind, Gpu};
pub use face_aging::FaceAging;
pub use face_detection::face_detector;
pub use image::RgbImage;
pub use ipcgan_data as data;
pub use ipcgan_data::photo;
pub use ipcgan_model as model;
pub use ipcgan_model::{AgeBlend, AgeGroups, ModelError};
#[cfg(feature = "train")]
pub use ipcgan_train as train;
pub use missing_face::{NoFaceFound, NoSuchFace};
pub use photo_aging::{FaceDescription, PhotoAging, PhotoFace};
pub use remote::serve_device;
pub use self_test::SelfTest;
pub use upright::{Rotation, rotation_advice};

/// Atomic writing of files, paths in JSON, panics as errors, and the memory of the process.
pub mod system {
    pub use ipcgan_kernels::{CacheAlignedAllocator, release_freed_memory, retain_freed_memory};
    pub use ipcgan_system::*;
}

/// Documentation pages whose code is compiled by the doctests.
#[cfg(all(doctest, feature = "train"))]
mod pages {
    #[doc = include_str!("../../README.md")]
    struct Readme;
    #[doc = include_str!("../../docs/library.md")]
    struct Library;
    #[doc = include_str!("../../docs/extending.md")]
    struct Extending;
}
