//! One folder a person, as LFW, CASIA-WebFace and VGGFace come: whose faces they are is known, their age is not.

use ipcgan_model::AgeGroups;

use super::names::labelled;
use super::{Source, SourcePicture, Table, Tree};
use crate::DataError;
use crate::left_out::Fault;

pub(super) struct People;

pub(super) const PEOPLE: People = People;

impl Source for People {
    fn name(&self) -> &'static str {
        "people"
    }

    fn about(&self) -> &'static str {
        "one folder a person, ages unknown (as LFW, CASIA-WebFace, VGGFace); only by its name"
    }

    /// Never: folders are called by many things.
    fn recognises(&self, _: &Tree) -> bool {
        false
    }

    fn pictures(&self, tree: &Tree, _: &Table, groups: &AgeGroups) -> Result<Vec<SourcePicture>, DataError> {
        let picture = |file_name: &str| {
            let person = file_name.rsplit_once('/').and_then(|(folder, _)| folder.rsplit('/').next());
            let label = person
                .ok_or_else(|| Fault::label("is in no folder of a person"))
                .and_then(|person| labelled(None, Some(person.into()), groups));
            SourcePicture::of_file(file_name, label)
        };
        Ok(tree.pictures().map(picture).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_folder_is_the_person() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("lfw/Ann_Lee")).unwrap();
        for file in ["lfw/Ann_Lee/1.jpg", "cover.jpg"] {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        let tree = Tree::read(folder.path(), None).unwrap();

        let pictures = PEOPLE.pictures(&tree, &Table::default(), &AgeGroups::default()).unwrap();

        assert_eq!(pictures[0].label.as_ref().unwrap_err().reason, "is in no folder of a person");
        assert_eq!(pictures[1].label.as_ref().unwrap().identity.as_deref(), Some("Ann_Lee"));
    }
}
