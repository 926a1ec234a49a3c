//! All-Age-Faces: `00000A02.jpg` is individual 00000 at age 2; one image per individual, in two versions: original and
//! aligned.

use std::collections::HashMap;

use ipcgan_model::AgeGroups;

use super::file_name::{FileNameLabels, number, stem};
use super::names::NameSource;
use super::{Evidence, Listing, Source, SourceImage, Table, Tree};
use crate::{DataError, Gender};

pub(super) struct AllAgeFaces;

pub(super) const ALL_AGE_FACES: AllAgeFaces = AllAgeFaces;

const NAMES: NameSource = NameSource {
    name: "all-age-faces",
    description: "All-Age-Faces: names as 00000A02.jpg; of original and aligned images the original ones are used",
    form: "NNNNNAYY.jpg",
    read,
};

impl Source for AllAgeFaces {
    fn name(&self) -> &'static str {
        NAMES.name
    }

    fn description(&self) -> &'static str {
        NAMES.description
    }

    fn evidence(&self, tree: &Tree) -> Evidence {
        NAMES.evidence(tree)
    }

    fn images(&self, tree: &Tree, _: &Table, groups: &AgeGroups) -> Result<Listing, DataError> {
        // The aligned version lacks the surroundings of the face, which our own alignment needs.
        let is_original = |file: &str| file.split('/').any(|folder| folder.to_lowercase().contains("original"));
        let mut used: HashMap<&str, &str> = HashMap::new();
        for file in tree.images().filter(|file| read(file).is_some()) {
            let version = used.entry(stem(file)).or_insert(file);
            if is_original(file) && !is_original(version) {
                *version = file;
            }
        }
        let image = |file: &str| match used.get(stem(file)) {
            Some(version) if *version != file => SourceImage::other_version(file, version),
            _ => SourceImage::of_file(file, NAMES.label(file, groups)),
        };
        Ok(tree.images().map(image).collect::<Vec<_>>().into())
    }
}

fn read(file_name: &str) -> Option<FileNameLabels> {
    let (individual, age) = stem(file_name).split_once('A')?;
    let gender = gender(number(individual)?);
    (individual.len() == 5 && age.len() == 2).then_some(FileNameLabels {
        age: Some(number(age)?),
        identity: None,
        gender,
    })
}

/// Gender of an individual. The data set's README: "Individuals from serial number 00000 to 07380 are all female, from
/// 07381 to 13321 are male."
fn gender(individual: u32) -> Option<Gender> {
    match individual {
        0..=7380 => Some(Gender::Female),
        7381..=13_321 => Some(Gender::Male),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::{described, genders, listing};

    #[test]
    fn the_name_is_individual_and_age_and_the_original_image_is_used() {
        let files =
            ["aglined faces/00000A32.jpg", "aglined faces/00001A33.jpg", "original images/00000A32.jpg", "x.jpg"];

        let expected = [
            "aglined faces/00000A32.jpg: original images/00000A32.jpg is another version of it, and used",
            "aglined faces/00001A33.jpg: 33 ? ?",
            "original images/00000A32.jpg: 32 ? ?",
            "x.jpg: is not called NNNNNAYY.jpg",
        ];
        assert_eq!(described(&listing("all-age-faces", &files.map(|file| (file, "")))), expected);
    }

    #[test]
    fn the_individuals_up_to_number_7380_are_female_and_the_others_male() {
        let files = ["00000A32.jpg", "07380A80.jpg", "07381A12.jpg", "13321A33.jpg", "13322A33.jpg"];

        let genders = genders(&listing("all-age-faces", &files.map(|file| (file, ""))));

        let [female, male] = [Some(Gender::Female), Some(Gender::Male)];
        assert_eq!(genders, [female, female, male, male, None], "the data set has no individual 13322");
    }
}
