//! MORPH: `009055_1M54.JPG` is image 1 of identity 009055, a man at age 54.

use super::file_name::{FileNameLabels, number, stem};
use super::names::NameSource;
use crate::Gender;

pub(super) const MORPH: NameSource =
    NameSource { name: "morph", description: "MORPH: names as 009055_1M54.JPG", form: "009055_1M54.JPG", read };

fn read(file_name: &str) -> Option<FileNameLabels> {
    let (person, shot) = stem(file_name).split_once('_')?;
    let place = shot.find(['M', 'F', 'm', 'f'])?;
    let (image, gender, age) = (&shot[..place], &shot[place..=place], &shot[place + 1..]);
    number(person)?;
    number(image)?;
    let is_of_form = (5..=7).contains(&person.len()) && age.len() == 2;
    is_of_form.then_some(FileNameLabels {
        age: Some(number(age)?),
        identity: Some(person.into()),
        gender: Gender::by_name(gender),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_person_image_sex_and_age() {
        let named = |person: &str, age, gender| {
            Some(FileNameLabels { age: Some(age), identity: Some(person.into()), gender: Some(gender) })
        };

        assert_eq!(read("Album2/009055_1M54.JPG"), named("009055", 54, Gender::Male));
        assert_eq!(read("343213_02F18.jpg"), named("343213", 18, Gender::Female));
        assert_eq!(read("adam_1M54.jpg"), None);
        assert_eq!(read("9_1M54.jpg"), None);
        assert_eq!(read("009055_1X54.jpg"), None);
    }
}
