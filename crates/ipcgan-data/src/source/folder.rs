//! A plain folder of pictures, of whom nothing is known.

use ipcgan_model::AgeGroups;

use super::{Evidence, Listing, Source, SourcePicture, Table, Tree};
use crate::{DataError, FaceLabel};

pub(super) struct Folder;

pub(super) const FOLDER: Folder = Folder;

impl Source for Folder {
    fn name(&self) -> &'static str {
        "folder"
    }

    fn about(&self) -> &'static str {
        "any pictures, identities and ages unknown; what a folder is that looks like nothing else"
    }

    fn why_ages_are_unknown(&self) -> &'static str {
        "nothing says the ages of pictures in a plain folder"
    }

    fn evidence(&self, _: &Tree) -> Evidence {
        Evidence::None
    }

    fn pictures(&self, tree: &Tree, _: &Table, _: &AgeGroups) -> Result<Listing, DataError> {
        let picture = |file_name| SourcePicture::of_file(file_name, Ok(FaceLabel::default()));
        Ok(tree.pictures().map(picture).collect::<Vec<_>>().into())
    }
}
