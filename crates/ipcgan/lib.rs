//! Face ageing with IPCGAN, the identity-preserved conditional GAN, on any vendor's GPU or a CPU.
//!
//! ```no_run
//! use ipcgan::{DeviceChoice, FaceAging, photo};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let device = DeviceChoice::Auto.resolve()?;
//! let face_aging = FaceAging::embedded(&device)?;
//! let face = photo::read("face.jpg".as_ref())?;
//!
//! for (group, aged) in face_aging.at_every_age(&face) {
//!     photo::write_png(format!("face-{group}.png").as_ref(), &aged)?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! In reading order: [`FaceAging`] ages a face; [`DeviceChoice`] says where; [`mod@train`] has the
//! training, [`data`] the pictures, [`model`] the networks and losses.

mod device;
mod face_aging;
mod face_detection;
mod remote;

pub use burn::tensor::Device;
pub use device::{DeviceChoice, DeviceError, Gpu};
pub use face_aging::FaceAging;
pub use face_detection::face_detector;
pub use image::RgbImage;
pub use ipcgan_data as data;
pub use ipcgan_data::photo;
pub use ipcgan_model as model;
pub use ipcgan_model::{AgeGroups, ModelError};
pub use ipcgan_train as train;
pub use remote::lend;
