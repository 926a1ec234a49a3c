//! Public data sets as downloaded, and user folders: lists their images and labels.
//!
//! Each data set is one file here and one line in [`SOURCES`].

mod adience;
mod afad;
mod age_folders;
mod agedb;
mod all_age_faces;
mod appa_real;
mod autodetect;
mod cacd;
mod celeba;
mod definition;
mod evidence;
mod face_quality;
mod faces;
mod fairface;
mod ffhq;
mod fgnet;
mod file_name;
mod folder;
mod identities;
mod imdb_wiki;
mod lag;
mod listing;
mod matlab;
mod morph;
mod name_statistics;
mod names;
mod table;
mod table_note;
#[cfg(test)]
mod testing;
mod tree;
mod utkface;

pub use autodetect::detect_source;
pub use definition::{Source, Table, TableUse};
pub use evidence::Evidence;
pub use face_quality::{FaceQuality, sharpness};
pub use faces::{FaceExtraction, SourceFaces};
pub use listing::{Listing, SourceImage};
pub use table::source_of_table;
pub use table_note::TableNote;
pub use tree::Tree;

/// All supported data sets.
pub const SOURCES: [&dyn Source; 18] = [
    &table::TABLE,
    &adience::ADIENCE,
    &afad::AFAD,
    &age_folders::AGE_FOLDERS,
    &agedb::AGEDB,
    &all_age_faces::ALL_AGE_FACES,
    &appa_real::APPA_REAL,
    &cacd::CACD,
    &celeba::CELEBA,
    &fairface::FAIRFACE,
    &ffhq::FFHQ,
    &fgnet::FGNET,
    &imdb_wiki::IMDB_WIKI,
    &lag::LAG,
    &morph::MORPH,
    &utkface::UTKFACE,
    &identities::IDENTITIES,
    &folder::FOLDER,
];

/// The source named `name`.
pub fn by_name(name: &str) -> Option<&'static dyn Source> {
    SOURCES.into_iter().find(|source| source.name() == name)
}
