#![doc = include_str!("../README.md")]
//!
#![doc = concat!("![Synthetic faces at five age groups](data:image/webp;base64,", include_str!("../front_picture.txt"), ")")]
//!
//! A face is an [`RgbImage`](image::RgbImage) with a [`FaceLabel`]; a [`FaceSet`] is a collection of faces. Data sets
//! turn face sets into batches; only [`pixels`] converts bytes to tensors. Random numbers are a pure function of seed
//! and index, so that a resumed training run sees the same items as an uninterrupted one.
//!
//! # Modules, in reading order
//! - `label`, `face`: labels of faces ([`FaceLabel`]), and sets of faces ([`FaceSet`])
//! - [`photo`]: reading and writing of photos
//! - [`pixels`]: conversion between images and tensors; `resample`: cropping and resizing
//! - [`detection`], [`alignment`], `similarity_transform`: face detection, and alignment by landmarks
//! - `paste_back`: pasting an aged face back into its photo ([`paste_back()`], [`Residual`], [`FacePlacement`])
//! - [`source`]: public data sets as downloaded; `excluded`: unusable images with reasons ([`Excluded`])
//! - [`preparation`]: preparation of a data set
//! - `prepared`, `metadata`: folders of faces with a `metadata.csv` ([`PreparedFolder`]); `table_file`, `age_text`,
//!   `calendar`: parsing of tables
//! - `sharded`, `shard_file`: prepared faces in Parquet files; `open`: either kind of folder ([`open_faces`])
//! - `synthetic`: synthetic faces with identity and age as parameters ([`SyntheticFaces`])
//! - [`split`]: splits by identity; `check`: checks that a set suffices for a training stage
//! - [`random`]: counter-based randomness; `augment`: data augmentation ([`Augmentation`])
//! - `labelled`, `aging`: data sets and batches of the training stages ([`LabelledDataset`], [`AgingDataset`])
//! - `prototype`: ageing by mean faces, as targets of the generator ([`PrototypeAging`]) and as a baseline
//!   ([`MeanDifference`])
//! - `contact_sheet`, `caption`: contact sheets for samples and reports ([`aged_sheet`]); [`page`]: report pages
//! - `counted`: counts with plural forms, for messages; `error`: errors ([`DataError`])

mod age_text;
mod aging;
pub mod alignment;
mod augment;
mod calendar;
mod caption;
mod check;
mod contact_sheet;
mod counted;
pub mod detection;
mod error;
mod excluded;
mod face;
mod file_bytes;
mod label;
mod labelled;
mod metadata;
mod open;
pub mod page;
mod paste_back;
pub mod photo;
pub mod pixels;
mod placement;
pub mod preparation;
mod prepared;
mod prototype;
pub mod random;
mod resample;
mod shard_file;
mod sharded;
mod similarity_transform;
pub mod source;
pub mod split;
mod synthetic;
mod table_file;

pub use aging::{AgingBatch, AgingBatcher, AgingDataset, AgingItem, View};
pub use augment::Augmentation;
pub use check::{check_groups, check_identities, check_images};
pub use contact_sheet::aged_sheet;
pub use counted::counted;
pub use error::DataError;
pub use excluded::{Cause, Excluded, Fault};
pub use face::FaceSet;
pub use label::{FaceLabel, Gender, Split};
pub use labelled::{IdentityLabels, LabelledBatch, LabelledBatcher, LabelledDataset, LabelledFace, group_labels};
pub use metadata::Columns;
pub use open::open_faces;
pub use paste_back::{Residual, paste_back};
pub use placement::FacePlacement;
pub use prepared::PreparedFolder;
pub use prototype::{MeanDifference, PrototypeAging, PrototypeStrength};
pub use split::Subset;
pub use synthetic::{SyntheticConfig, SyntheticFaces};
