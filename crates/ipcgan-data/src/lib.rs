//! Pictures for IPCGAN: photos in and out of files, prepared data sets, drawn faces, and batches for the networks.
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
//! let item = items.get(0).expect("drawn faces are always there");
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
//! - `put_back`: an aged face back in its photo ([`put_back()`], [`Change`], [`Place`])
//! - [`source`]: public data sets as they are downloaded; `left_out`: what of them cannot be used ([`LeftOut`])
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
mod counted;
pub mod detection;
mod error;
mod face;
mod labelled;
mod left_out;
mod metadata;
mod open;
pub mod page;
pub mod photo;
pub mod pixels;
mod place;
pub mod preparation;
mod prepared;
mod put_back;
pub mod random;
mod resample;
mod shard_file;
mod sharded;
mod sheet;
pub mod source;
pub mod split;
mod synthetic;
mod table_file;

pub use aging::{AgingBatch, AgingBatcher, AgingDataset, AgingItem, View};
pub use augment::Augmentation;
pub use check::{check_groups, check_identities, check_pictures};
pub use counted::counted;
pub use error::DataError;
pub use face::{FaceLabel, FaceSet, Split};
pub use labelled::{IdentityLabels, LabelledBatch, LabelledBatcher, LabelledDataset, LabelledFace, group_labels};
pub use left_out::{Cause, Fault, LeftOut};
pub use metadata::Columns;
pub use open::open_faces;
pub use place::{Oval, Place};
pub use prepared::PreparedFolder;
pub use put_back::{Change, put_back};
pub use sharded::ShardedFaces;
pub use sheet::{sheet, sheet_with_captions};
pub use split::Subset;
pub use synthetic::{SyntheticConfig, SyntheticFaces};
