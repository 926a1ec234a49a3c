//! AFAD, Asian Face Age Dataset: `AFAD-Full/39/112/1004-0.jpg` is a woman (112; a man is 111) of 39.

use super::file_name::{FileNameLabels, number, parent};
use super::names::NameSource;
use crate::Gender;

pub(super) const AFAD: NameSource = NameSource {
    name: "afad",
    description: "AFAD (Full and Lite): folders AGE/111 (men) and AGE/112 (women)",
    form: "AGE/111/NAME.jpg or AGE/112/NAME.jpg",
    read,
};

fn read(file_name: &str) -> Option<FileNameLabels> {
    let mut folders = parent(file_name).rsplit('/');
    let sex = folders.next()?;
    let age = folders.next()?;
    let gender = match sex {
        "111" => Gender::Male,
        "112" => Gender::Female,
        _ => return None,
    };
    (age.len() == 2).then_some(FileNameLabels { age: Some(number(age)?), identity: None, gender: Some(gender) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_above_that_of_the_sex_is_the_age() {
        let named = |years, gender| Some(FileNameLabels { age: Some(years), identity: None, gender: Some(gender) });

        assert_eq!(read("tarball/AFAD-Full/39/112/1004-0.jpg"), named(39, Gender::Female));
        assert_eq!(read("15/111/8.jpg"), named(15, Gender::Male));
        assert_eq!(read("15/113/8.jpg"), None);
        assert_eq!(read("111/8.jpg"), None);
    }
}
