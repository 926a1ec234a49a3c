//! Data sets whose file names say everything.

use ipcgan_model::AgeGroups;

use super::{Source, SourcePicture, Table, Tree};
use crate::left_out::Fault;
use crate::metadata::{OLDEST, group_of};
use crate::{DataError, FaceLabel};

/// A data set whose file names say whose face it is and how old.
pub(super) struct NameSource {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// How its names look, as `AGE_Name_NNNN.jpg`.
    pub(super) form: &'static str,
    /// What a path says; none if it is of another form.
    pub(super) read: fn(&str) -> Option<Named>,
}

/// What a file name says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// Years.
    pub(super) age: Option<u32>,
    pub(super) identity: Option<String>,
}

impl NameSource {
    /// What is known of the face in the picture `file_name`.
    pub(super) fn label(&self, file_name: &str, groups: &AgeGroups) -> Result<FaceLabel, Fault> {
        let other_form = || Fault::label(format!("is not called {}", self.form));
        let Named { age, identity } = (self.read)(file_name).ok_or_else(other_form)?;
        labelled(age, identity, groups)
    }
}

/// The label of a face of this age and person.
pub(super) fn labelled(age: Option<u32>, identity: Option<String>, groups: &AgeGroups) -> Result<FaceLabel, Fault> {
    if let Some(age) = age.filter(|age| *age > OLDEST) {
        return Err(Fault::label(format!("age {age} is above {OLDEST}")));
    }
    let group = age.map(|age| group_of(age, groups)).transpose()?;
    Ok(FaceLabel { group, age, identity, split: None })
}

impl Source for NameSource {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    /// If more than half of the pictures have such names.
    fn recognises(&self, tree: &Tree) -> bool {
        let [mut all, mut ours] = [0, 0];
        for file_name in tree.pictures() {
            all += 1;
            ours += usize::from((self.read)(file_name).is_some());
        }
        2 * ours > all
    }

    fn pictures(&self, tree: &Tree, _: &Table, groups: &AgeGroups) -> Result<Vec<SourcePicture>, DataError> {
        let picture = |file_name| SourcePicture::of_file(file_name, self.label(file_name, groups));
        Ok(tree.pictures().map(picture).collect())
    }
}

/// The name of a file without folders and without its last ending.
pub(super) fn stem(file_name: &str) -> &str {
    let name = file_name.rsplit('/').next().unwrap_or(file_name);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// A number of decimal digits alone: no sign, no space.
pub(super) fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::left_out::Cause;
    use crate::source::{by_name, recognised};

    fn tree(files: &[&str]) -> (tempfile::TempDir, Tree) {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let tree = Tree::read(folder.path(), None).unwrap();
        (folder, tree)
    }

    #[test]
    fn data_sets_are_recognised_by_most_of_their_names() {
        let names: [(&str, &[&str]); 7] = [
            ("cacd", &["14_Gia_Mantegna_0012.jpg", "41_Alex_D._Linz_0001.jpg", "cover.jpg"]),
            ("utkface", &["26_1_1_20170104023102422.jpg.chip.jpg", "39_1_20170116174525125.jpg.chip.jpg"]),
            ("morph", &["Album2/009055_1M54.JPG", "Album2/012345_02F33.JPG"]),
            ("fgnet", &["images/001A02.JPG", "images/001A43a.JPG"]),
            ("lag", &["50_cent_a0.jpg", "aaliyah_y0.jpg"]),
            ("lag", &["Aaliyah/1.png", "Aaliyah/y/1.png"]),
            ("folder", &["holiday.jpg", "cat.png"]),
        ];

        for (name, files) in names {
            assert_eq!(recognised(&tree(files).1).name(), name, "{files:?}");
        }
        assert_eq!(recognised(&tree(&[]).1).name(), "folder");
    }

    #[test]
    fn a_name_of_another_form_or_an_impossible_age_is_left_out_alone() {
        let (_folder, tree) = tree(&["14_A_0001.jpg", "cover.jpg", "200_A_0001.jpg", "9_A_0001.jpg"]);

        let cacd = by_name("cacd").unwrap();
        let pictures = cacd.pictures(&tree, &Table::default(), &AgeGroups::default()).unwrap();

        let faults: Vec<_> = pictures.into_iter().filter_map(|picture| picture.label.err()).collect();
        let expected = [
            Fault::label("age 200 is above 125"),
            Fault { cause: Cause::Age, reason: "age 9 is below the first age group 11-20".into() },
            Fault::label("is not called AGE_Name_NNNN.jpg"),
        ];
        assert_eq!(faults, expected);
    }

    #[test]
    fn a_number_is_of_digits_alone() {
        assert_eq!(["7", "+7", "-7", " 7", "", "99999999999"].map(number), [Some(7), None, None, None, None, None]);
    }
}
