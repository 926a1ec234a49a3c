//! Data sets whose file names hold all labels.

use ipcgan_model::AgeGroups;

use super::file_name::FileNameLabels;
use super::name_statistics::NameStatistics;
use super::{Evidence, Listing, Source, SourceImage, Table, Tree};
use crate::age_text::MAX_LABEL_AGE;
use crate::excluded::Fault;
use crate::metadata::group_of;
use crate::{DataError, FaceLabel};

/// A data set whose file names hold identity and age.
pub(super) struct NameSource {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    /// Pattern of its file names, such as `AGE_Name_NNNN.jpg`.
    pub(super) form: &'static str,
    /// Parses a path; `None` if it does not match the pattern.
    pub(super) read: fn(&str) -> Option<FileNameLabels>,
}

impl NameSource {
    /// The label of the face in the image `file_name`.
    pub(super) fn label(&self, file_name: &str, groups: &AgeGroups) -> Result<FaceLabel, Fault> {
        let other_form = || Fault::label(format!("is not called {}", self.form));
        let FileNameLabels { age, identity, gender } = (self.read)(file_name).ok_or_else(other_form)?;
        Ok(FaceLabel { gender, ..labelled(age, identity, groups)? })
    }
}

/// The label for an age and an identity.
pub(super) fn labelled(age: Option<u32>, identity: Option<String>, groups: &AgeGroups) -> Result<FaceLabel, Fault> {
    if let Some(age) = age.filter(|age| *age > MAX_LABEL_AGE) {
        return Err(Fault::label(format!("age {age} is above {MAX_LABEL_AGE}")));
    }
    let group = age.map(|age| group_of(age, groups)).transpose()?;
    Ok(FaceLabel { group, age, identity, ..FaceLabel::default() })
}

impl Source for NameSource {
    fn name(&self) -> &'static str {
        self.name
    }

    fn description(&self) -> &'static str {
        self.description
    }

    fn evidence(&self, tree: &Tree) -> Evidence {
        NameStatistics::of(tree.images(), self.read).evidence(self.form)
    }

    fn images(&self, tree: &Tree, _: &Table, groups: &AgeGroups) -> Result<Listing, DataError> {
        let image = |file_name| SourceImage::of_file(file_name, self.label(file_name, groups));
        Ok(tree.images().map(image).collect::<Vec<_>>().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::excluded::Cause;
    use crate::source::by_name;
    use crate::source::testing::tree;

    #[test]
    fn only_names_of_another_form_and_impossible_ages_are_excluded() {
        let (_folder, tree) = tree(&["14_A_0001.jpg", "cover.jpg", "200_A_0001.jpg", "9_A_0001.jpg"]);

        let cacd = by_name("cacd").unwrap();
        let images = cacd.images(&tree, &Table::default(), &AgeGroups::default()).unwrap().images;

        let faults: Vec<_> = images.into_iter().filter_map(|image| image.label.err()).collect();
        let expected = [
            Fault::label("age 200 is above 125"),
            Fault { cause: Cause::Age, reason: "age 9 is below the first age group 11-20".into() },
            Fault::label("is not called AGE_Name_NNNN.jpg"),
        ];
        assert_eq!(faults, expected);
    }
}
