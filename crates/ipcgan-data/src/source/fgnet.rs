//! FG-NET: `001A02.JPG` is identity 001 at age 2; a letter distinguishes images of the same age.

use super::file_name::{FileNameLabels, number, stem};
use super::names::NameSource;

pub(super) const FGNET: NameSource =
    NameSource { name: "fgnet", description: "FG-NET: names PERSONAAGE.JPG, as 001A02.JPG", form: "001A02.JPG", read };

fn read(file_name: &str) -> Option<FileNameLabels> {
    let stem = stem(file_name);
    let (person, age) = stem.split_once(['A', 'a'])?;
    let age = age.strip_suffix(|last: char| last.is_ascii_alphabetic()).unwrap_or(age);
    let is_of_form = person.len() == 3 && age.len() == 2;
    number(person)?;
    is_of_form.then_some(FileNameLabels { age: Some(number(age)?), identity: Some(person.into()), gender: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_person_and_age() {
        let named =
            |person: &str, age| Some(FileNameLabels { age: Some(age), identity: Some(person.into()), gender: None });

        assert_eq!(read("images/001A02.JPG"), named("001", 2));
        assert_eq!(read("001a43a.jpg"), named("001", 43));
        assert_eq!(read("082A.JPG"), None);
        assert_eq!(read("1A02.JPG"), None);
    }
}
