//! A plain folder of images without labels.

use ipcgan_model::AgeGroups;

use super::{Evidence, Listing, Source, SourceImage, Table, Tree};
use crate::{DataError, FaceLabel};

pub(super) struct Folder;

pub(super) const FOLDER: Folder = Folder;

impl Source for Folder {
    fn name(&self) -> &'static str {
        "folder"
    }

    fn description(&self) -> &'static str {
        "any images, identities and ages unknown; what a folder is that looks like nothing else"
    }

    fn unknown_age_reason(&self) -> &'static str {
        "nothing says the ages of images in a plain folder"
    }

    fn evidence(&self, _: &Tree) -> Evidence {
        Evidence::None
    }

    fn images(&self, tree: &Tree, _: &Table, _: &AgeGroups) -> Result<Listing, DataError> {
        let image = |file_name| SourceImage::of_file(file_name, Ok(FaceLabel::default()));
        Ok(tree.images().map(image).collect::<Vec<_>>().into())
    }
}
