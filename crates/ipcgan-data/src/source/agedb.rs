//! AgeDB: `0_MariaCallas_35_f.jpg` is image 0, of Maria Callas at age 35; `f` and `m` are the sexes.

use super::file_name::{FileNameLabels, number, stem};
use super::names::NameSource;
use crate::Gender;

pub(super) const AGEDB: NameSource = NameSource {
    name: "agedb",
    description: "AgeDB: names as 0_MariaCallas_35_f.jpg",
    form: "NUMBER_Name_AGE_f.jpg",
    read,
};

fn read(file_name: &str) -> Option<FileNameLabels> {
    let (image, rest) = stem(file_name).split_once('_')?;
    let (rest, sex) = rest.rsplit_once('_')?;
    let (name, age) = rest.rsplit_once('_')?;
    number(image)?;
    let is_of_form = matches!(sex, "f" | "m" | "F" | "M") && name.chars().any(char::is_alphabetic);
    is_of_form.then_some(FileNameLabels {
        age: Some(number(age)?),
        identity: Some(name.into()),
        gender: Gender::by_name(sex),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_number_person_age_and_sex() {
        let named = |name: &str, age, gender| {
            Some(FileNameLabels { age: Some(age), identity: Some(name.into()), gender: Some(gender) })
        };

        assert_eq!(read("AgeDB/0_MariaCallas_35_f.jpg"), named("MariaCallas", 35, Gender::Female));
        assert_eq!(read("16487_J_R_Tolkien_101_m.jpg"), named("J_R_Tolkien", 101, Gender::Male));
        assert_eq!(read("0_1_35_f.jpg"), None);
        assert_eq!(read("0_MariaCallas_35_x.jpg"), None);
        assert_eq!(read("41_Robert_De_Niro_0012.jpg"), None);
    }
}
