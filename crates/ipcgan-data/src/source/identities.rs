//! One folder per identity, as in LFW, CASIA-WebFace and VGGFace: identities are known, ages are not.

use ipcgan_model::AgeGroups;

use super::file_name::{number, parent, split_of_folders, stem};
use super::names::labelled;
use super::{Evidence, Listing, Source, SourceImage, Table, Tree};
use crate::excluded::Fault;
use crate::{DataError, Split};

pub(super) struct Identities;

pub(super) const IDENTITIES: Identities = Identities;

impl Source for Identities {
    fn name(&self) -> &'static str {
        "identities"
    }

    fn description(&self) -> &'static str {
        "one folder an identity, ages unknown (as LFW, CASIA-WebFace, VGGFace); known by names FOLDER/FOLDER_NNNN.jpg"
    }

    fn unknown_age_reason(&self) -> &'static str {
        "the folders name people, not ages"
    }

    /// Only file names in LFW's pattern are evidence; folders of other data sets have no common pattern.
    fn evidence(&self, tree: &Tree) -> Evidence {
        let [mut all, mut named] = [0, 0];
        for file in tree.images() {
            all += 1;
            named += usize::from(is_named_after_folder(file));
        }
        let seen = format!("{named} of {all} images are called FOLDER/FOLDER_NNNN.jpg");
        match 10 * named >= 9 * all {
            true => Evidence::Names(seen),
            false if 3 * named >= all => Evidence::Doubtful(seen),
            false => Evidence::None,
        }
    }

    fn images(&self, tree: &Tree, _: &Table, groups: &AgeGroups) -> Result<Listing, DataError> {
        let image = |file_name: &str| {
            let label = identity(file_name).ok_or_else(|| Fault::label("is in no folder of an identity"));
            let label = label.and_then(|identity| labelled(None, Some(identity.into()), groups));
            let label = label.map(|mut label| {
                label.split = split_of_folders(file_name);
                label
            });
            SourceImage::of_file(file_name, label)
        };
        Ok(tree.images().map(image).collect::<Vec<_>>().into())
    }
}

/// The innermost folder, unless it is named after a split.
fn identity(file_name: &str) -> Option<&str> {
    let folder = parent(file_name).rsplit('/').next()?;
    (!folder.is_empty() && Split::by_name(&folder.to_lowercase()).is_none()).then_some(folder)
}

/// Such as `Ann_Lee/Ann_Lee_0001.jpg`.
fn is_named_after_folder(file_name: &str) -> bool {
    let shot = identity(file_name).and_then(|folder| stem(file_name).strip_prefix(folder)?.strip_prefix('_'));
    shot.is_some_and(|shot| shot.len() == 4 && number(shot).is_some())
}

#[cfg(test)]
mod tests {
    use crate::source::testing::{described, listing};

    #[test]
    fn the_nearest_folder_is_the_identity_and_one_above_may_be_the_split() {
        let files = ["lfw/Ann_Lee/1.jpg", "cover.jpg", "test/1.jpg", "test/Bob/1.jpg"].map(|file| (file, ""));

        let expected = [
            "cover.jpg: is in no folder of an identity",
            "lfw/Ann_Lee/1.jpg: ? Ann_Lee ?",
            "test/1.jpg: is in no folder of an identity",
            "test/Bob/1.jpg: ? Bob test",
        ];
        assert_eq!(described(&listing("identities", &files)), expected);
    }
}
