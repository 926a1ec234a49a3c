//! A plain folder of pictures, of whom nothing is known.

use ipcgan_model::AgeGroups;

use super::{Source, SourcePicture, Table, Tree};
use crate::{DataError, FaceLabel};

pub(super) struct Folder;

pub(super) const FOLDER: Folder = Folder;

impl Source for Folder {
    fn name(&self) -> &'static str {
        "folder"
    }

    fn about(&self) -> &'static str {
        "any pictures, people and ages unknown; what a folder is that looks like nothing else"
    }

    fn recognises(&self, _: &Tree) -> bool {
        true
    }

    fn pictures(&self, tree: &Tree, _: &Table, _: &AgeGroups) -> Result<Vec<SourcePicture>, DataError> {
        Ok(tree.pictures().map(|file_name| SourcePicture::of_file(file_name, Ok(FaceLabel::default()))).collect())
    }
}
