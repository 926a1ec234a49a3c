#![doc = include_str!("../README.md")]
//!
#![doc = concat!("![Synthetic faces at five age groups](data:image/webp;base64,", include_str!("../front_picture.txt"), ")")]
//!
//! A face is an [`RgbImage`](image::RgbImage) with a [`FaceLabel`]; a [`FaceSet`] is a collection of faces. Data sets
//! turn face sets into batches; only [`pixels`] converts bytes to tensors. Random numbers are a pure function of seed
//! and index, so that a resumed training run sees the same items as an uninterrupted one.
//!
//! # Modules, in reading order
//! - `face`: labels of faces ([`FaceLabel`]), and sets of faces ([`FaceSet`])
//! - [`photo`]: reading and writing of photos
//! - [`pixels`]: conversion between images and tensors; `resample`: cropping and resizing
//! - [`detection`], [`alignment`]: face detection, and alignment by landmarks
//! - `paste_back`: pasting an aged face back into its photo ([`paste_back()`], [`Residual`], [`FacePlacement`])
//! - [`source`]: public data sets as downloaded; `excluded`: unusable images with reasons ([`Excluded`])
//! - [`preparation`]: preparation of a data set
//! - `prepared`, `metadata`: folders of faces with a `metadata.csv` ([`PreparedFolder`]); `table_file`, `age_text`,
//!   `calendar`: parsing of tables
//! - `sharded`, `shard_file`: prepared faces in Parquet files ([`ShardedFaces`])
//! - `synthetic`: synthetic faces with identity and age as parameters ([`SyntheticFaces`])
//! - [`split`]: splits by identity; `check`: checks that a set suffices for a training stage
//! - [`random`]: counter-based randomness; `augment`: data augmentation ([`Augmentation`])
//! - `labelled`, `aging`: data sets and batches of the training stages ([`LabelledDataset`], [`AgingDataset`])
//! - `sheet`, `caption`: contact sheets for samples and reports
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
pub mod random;
mod resample;
mod shard_file;
mod sharded;
pub mod source;
pub mod split;
mod synthetic;
mod table_file;

pub use aging::{AgingBatch, AgingBatcher, AgingDataset, AgingItem, View};
pub use augment::Augmentation;
pub use check::{check_groups, check_identities, check_images};
pub use contact_sheet::{contact_sheet, contact_sheet_with_captions};
pub use counted::counted;
pub use error::DataError;
pub use excluded::{Cause, Excluded, Fault};
pub use face::{FaceLabel, FaceSet, Split};
pub use labelled::{IdentityLabels, LabelledBatch, LabelledBatcher, LabelledDataset, LabelledFace, group_labels};
pub use metadata::Columns;
pub use open::open_faces;
pub use paste_back::{Residual, paste_back};
pub use placement::{FacePlacement, OvalMask};
pub use prepared::PreparedFolder;
pub use sharded::ShardedFaces;
pub use split::Subset;
pub use synthetic::{SyntheticConfig, SyntheticFaces};
