//! Images for IPCGAN: photos in and out of files, prepared data sets, synthetic faces, and batches for the networks.
//!
//! A face is an [`RgbImage`](image::RgbImage) with a [`FaceLabel`]; any [`FaceSet`] is many of them. Data sets turn
//! face sets into batches, and [`pixels`] is the one place where bytes become tensors. Everything that depends on
//! chance is a pure function of a seed and a place, so that an interrupted training goes on with the very faces it
//! would have met.
//!
//! ```
//! use std::sync::Arc;
//!
//! use burn::data::dataset::Dataset;
//! use ipcgan_data::{AgingDataset, Augmentation, SyntheticConfig, SyntheticFaces, split};
//! use ipcgan_model::AgeGroups;
//!
//! # fn main() -> Result<(), ipcgan_data::DataError> {
//! let groups = AgeGroups::default();
//! let config = SyntheticConfig { identities: 12, faces_per_group: 1, size: 32, seed: 7 };
//! let faces = Arc::new(SyntheticFaces::new(config, &groups));
//! let (train, _valid) = split::by_identity(faces, 7, 0.25)?;
//!
//! let items = AgingDataset::stream(Arc::new(train), &groups, 32, Augmentation::mirrored(), 7, 1_000)?;
//!
//! let item = items.get(0).expect("synthetic faces are always there");
//! assert_ne!(item.target, item.mismatched);
//! # Ok(())
//! # }
//! ```
//!
//! # Modules, in reading order
//! - `face`: what is known of a face ([`FaceLabel`]), and sets of faces ([`FaceSet`])
//! - [`photo`]: photos in and out of files
//! - [`pixels`]: from bytes to tensors and back; `resample`: cutting and resizing
//! - [`detection`], [`alignment`]: faces found in photos, and brought upright and to size
//! - `paste_back`: an aged face back in its photo ([`paste_back()`], [`Residual`], [`FacePlacement`])
//! - [`source`]: public data sets as they are downloaded; `excluded`: what of them cannot be used ([`Excluded`])
//! - [`preparation`]: making a data set ready
//! - `prepared`, `metadata`: folders of faces with a `metadata.csv` ([`PreparedFolder`]); `table_file`, `age_text`, `calendar`:
//!   tables as people and spreadsheets write them
//! - `sharded`, `shard_file`: the same in Parquet files ([`ShardedFaces`])
//! - `synthetic`: faces drawn by ourselves, with person and age as parameters ([`SyntheticFaces`])
//! - [`split`]: sides that share no person; `check`: whether a set can teach what is needed
//! - [`random`]: chance as a pure function; `augment`: small changes to a face ([`Augmentation`])
//! - `labelled`, `aging`: data sets and batches of the training stages ([`LabelledDataset`], [`AgingDataset`])
//! - `sheet`, `caption`: contact sheets for samples and reports
//! - `counted`: numbers of things in words; `error`: what can go wrong ([`DataError`])

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
