//! LAG, Large Age-Gap: images of identities at a young and an old age, without ages.
//!
//! `50_cent_y2.jpg` and `50_cent_a0.jpg`, or folders: `50_Cent/y/1.png` and `50_Cent/1.png`.

use std::collections::HashMap;

use ipcgan_model::AgeGroups;

use super::file_name::{FileNameLabels, number, stem};
use super::names::NameSource;
use super::{Evidence, Listing, Source, Table, Tree};
use crate::DataError;

/// Maximum number of images per identity; the data set has four of each.
const MAX_OF_ONE: usize = 200;

pub(super) struct Lag;

pub(super) const LAG: Lag = Lag;

const NAMES: NameSource = NameSource {
    name: "lag",
    description: "Large Age-Gap: names PERSON_yN.jpg (young) and PERSON_aN.jpg (old), or folders PERSON/y and PERSON",
    form: "PERSON_yN.jpg, PERSON_aN.jpg or PERSON/y/N.png",
    read,
};

impl Source for Lag {
    fn name(&self) -> &'static str {
        NAMES.name
    }

    fn description(&self) -> &'static str {
        NAMES.description
    }

    fn unknown_age_reason(&self) -> &'static str {
        "Large Age-Gap says only who is young and who is old"
    }

    /// Folders of numbered images are common: only identities with young and old images are evidence for LAG.
    fn evidence(&self, tree: &Tree) -> Evidence {
        let mut identities: HashMap<String, [usize; 2]> = HashMap::new();
        for file in tree.images() {
            if let Some(FileNameLabels { identity: Some(identity), .. }) = read(file) {
                identities.entry(identity).or_default()[usize::from(is_young(file))] += 1;
            }
        }
        let both = identities.values().filter(|counts| counts.iter().all(|count| *count > 0)).count();
        let max_images = identities.values().map(|[old, young]| old + young).max().unwrap_or_default();
        match NAMES.evidence(tree) {
            _ if both == 0 || 4 * both < identities.len() => Evidence::None,
            Evidence::Names(seen) if max_images > MAX_OF_ONE => {
                Evidence::Doubtful(format!("{seen}, but one identity would have {max_images} of them"))
            }
            Evidence::Names(seen) => {
                Evidence::Names(format!("{seen}; {both} of {} identities are young and old", identities.len()))
            }
            evidence => evidence,
        }
    }

    fn images(&self, tree: &Tree, table: &Table, groups: &AgeGroups) -> Result<Listing, DataError> {
        NAMES.images(tree, table, groups)
    }
}

/// Whether the image, whose name matches the pattern, shows the person young.
fn is_young(file_name: &str) -> bool {
    match stem(file_name).rsplit_once('_') {
        Some((_, shot)) if person_of_name(stem(file_name)).is_some() => shot.starts_with('y'),
        _ => file_name.rsplit('/').nth(1) == Some("y"),
    }
}

fn read(file_name: &str) -> Option<FileNameLabels> {
    let person = person_of_name(stem(file_name)).or_else(|| person_of_folder(file_name))?;
    Some(FileNameLabels { age: None, identity: Some(person.into()), gender: None })
}

fn person_of_name(stem: &str) -> Option<&str> {
    let (person, shot) = stem.rsplit_once('_')?;
    number(shot.strip_prefix(['y', 'a'])?)?;
    (!person.is_empty()).then_some(person)
}

fn person_of_folder(file_name: &str) -> Option<&str> {
    number(stem(file_name))?;
    let (folder, _) = file_name.rsplit_once('/')?;
    let person = folder.strip_suffix("/y").unwrap_or(folder).rsplit('/').next()?;
    // A folder named by a number is not an identity.
    (person.bytes().any(|byte| byte.is_ascii_alphabetic()) && person != "y").then_some(person)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_known_and_ages_are_not() {
        let person = |name: &str| Some(FileNameLabels { age: None, identity: Some(name.into()), gender: None });

        assert_eq!(read("50_cent_a0.jpg"), person("50_cent"));
        assert_eq!(read("lag/aaliyah_y10.jpg"), person("aaliyah"));
        assert_eq!(read("LAG/Aaliyah/y/3.png"), person("Aaliyah"));
        assert_eq!(read("LAG/Aaliyah/3.png"), person("Aaliyah"));
        assert_eq!(read("aaliyah_b0.jpg"), None);
        assert_eq!(read("aaliyah_y.jpg"), None);
        assert_eq!(read("3.png"), None);
    }
}
