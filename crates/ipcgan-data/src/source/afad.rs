//! AFAD, Asian Face Age Dataset: `AFAD-Full/39/112/1004-0.jpg` is a woman (112; a man is 111) of 39.

use super::file_name::{Named, number, parent};
use super::names::NameSource;

pub(super) const AFAD: NameSource = NameSource {
    name: "afad",
    description: "AFAD (Full and Lite): folders AGE/111 (men) and AGE/112 (women)",
    form: "AGE/111/NAME.jpg or AGE/112/NAME.jpg",
    read,
};

fn read(file_name: &str) -> Option<Named> {
    let mut folders = parent(file_name).rsplit('/');
    let sex = folders.next()?;
    let age = folders.next()?;
    (matches!(sex, "111" | "112") && age.len() == 2).then_some(Named { age: Some(number(age)?), identity: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_above_that_of_the_sex_is_the_age() {
        let years = |years| Some(Named { age: Some(years), identity: None });

        assert_eq!(read("tarball/AFAD-Full/39/112/1004-0.jpg"), years(39));
        assert_eq!(read("15/111/8.jpg"), years(15));
        assert_eq!(read("15/113/8.jpg"), None);
        assert_eq!(read("111/8.jpg"), None);
    }
}
