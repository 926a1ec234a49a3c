//! UTKFace: `AGE_GENDER_RACE_DATE.jpg`; a few of its names lack the race.

use super::file_name::{FileNameLabels, number};
use super::names::NameSource;
use crate::Gender;

pub(super) const UTKFACE: NameSource = NameSource {
    name: "utkface",
    description: "UTKFace: names AGE_GENDER_RACE_DATE.jpg",
    form: "AGE_GENDER_RACE_DATE.jpg",
    read,
};

fn read(file_name: &str) -> Option<FileNameLabels> {
    let name = file_name.rsplit('/').next()?;
    // `26_1_1_20170104.jpg.chip.jpg`
    let stem = name.split('.').next()?;
    let parts: Vec<&str> = stem.split('_').collect();
    let (age, gender, date) = match parts[..] {
        [age, gender, _, date] | [age, gender, date] => (age, gender, date),
        _ => return None,
    };
    let gender = match gender {
        "0" => Gender::Male,
        "1" => Gender::Female,
        _ => return None,
    };
    // Four plain numbers may be anything: require a plausible date.
    let date = date.trim_end();
    let has_date = date.len() >= 8 && date.bytes().all(|byte| byte.is_ascii_digit());
    has_date.then_some(FileNameLabels { age: Some(number(age)?), identity: None, gender: Some(gender) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_numbers_are_age_and_gender() {
        let named = |years, gender| Some(FileNameLabels { age: Some(years), identity: None, gender: Some(gender) });

        assert_eq!(read("part1/26_1_1_20170104023102422.jpg.chip.jpg"), named(26, Gender::Female));
        assert_eq!(read("61_1_20170109150557335.jpg.chip.jpg"), named(61, Gender::Female));
        assert_eq!(read("011_0_20170103200509559.jpg"), named(11, Gender::Male));
        assert_eq!(read("26_2_1_20170104023102422.jpg"), None);
        assert_eq!(read("24_0_1_20170116220224657 .jpg.chip.jpg"), named(24, Gender::Male));
        assert_eq!(read("26_1_1_2017.jpg"), None);
        assert_eq!(read("14_Gia_Mantegna_0012.jpg"), None);
    }
}
