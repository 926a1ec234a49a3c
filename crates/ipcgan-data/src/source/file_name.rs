//! Parts of file names, and the labels in them.

use crate::{Gender, Split};

/// Labels in a file name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileNameLabels {
    /// Age in years.
    pub(super) age: Option<u32>,
    pub(super) identity: Option<String>,
    pub(super) gender: Option<Gender>,
}

/// The folders of a file, without a trailing `/`; empty at the top.
pub(super) fn parent(file_name: &str) -> &str {
    file_name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The split that one of the file's folders is named after.
pub(super) fn split_of_folders(file_name: &str) -> Option<Split> {
    parent(file_name).split('/').find_map(|folder| Split::by_name(&folder.to_lowercase()))
}

/// The name of a file without folders and without its last extension.
pub(super) fn stem(file_name: &str) -> &str {
    let name = file_name.rsplit('/').next().unwrap_or(file_name);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// Parses a number of decimal digits only: no sign, no space.
pub(super) fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_only_digits() {
        assert_eq!(["7", "+7", "-7", " 7", "", "99999999999"].map(number), [Some(7), None, None, None, None, None]);
    }

    #[test]
    fn folders_may_name_the_split() {
        assert_eq!(split_of_folders("data/Train/20s/1.jpg"), Some(Split::Train));
        assert_eq!(split_of_folders("val/1.jpg"), Some(Split::Valid));
        assert_eq!(split_of_folders("training/test.jpg"), None);
    }
}
