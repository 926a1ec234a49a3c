//! LAG, Large Age-Gap: young and old pictures of people, without ages.
//!
//! `50_cent_y2.jpg` and `50_cent_a0.jpg`, or folders: `50_Cent/y/1.png` and `50_Cent/1.png`.

use super::names::{NameSource, Named, number, stem};

pub(super) const LAG: NameSource = NameSource {
    name: "lag",
    about: "Large Age-Gap: names PERSON_yN.jpg (young) and PERSON_aN.jpg (old), or folders PERSON/y and PERSON",
    form: "PERSON_yN.jpg, PERSON_aN.jpg or PERSON/y/N.png",
    read,
};

fn read(file_name: &str) -> Option<Named> {
    let person = person_of_name(stem(file_name)).or_else(|| person_of_folder(file_name))?;
    Some(Named { age: None, identity: Some(person.into()) })
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
    // A folder of numbers is no person.
    (person.bytes().any(|byte| byte.is_ascii_alphabetic()) && person != "y").then_some(person)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_person_is_known_and_the_age_is_not() {
        let person = |name: &str| Some(Named { age: None, identity: Some(name.into()) });

        assert_eq!(read("50_cent_a0.jpg"), person("50_cent"));
        assert_eq!(read("lag/aaliyah_y10.jpg"), person("aaliyah"));
        assert_eq!(read("LAG/Aaliyah/y/3.png"), person("Aaliyah"));
        assert_eq!(read("LAG/Aaliyah/3.png"), person("Aaliyah"));
        assert_eq!(read("aaliyah_b0.jpg"), None);
        assert_eq!(read("aaliyah_y.jpg"), None);
        assert_eq!(read("3.png"), None);
    }
}
