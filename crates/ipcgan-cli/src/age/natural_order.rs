//! Natural order of file names: numbers compare by value (f1, f2, f10).

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::path::Path;

/// Compares two names: runs of digits by value, everything else byte by byte.
pub(crate) fn compare_names(one: &OsStr, other: &OsStr) -> Ordering {
    let (mut a, mut b) = (one.as_encoded_bytes(), other.as_encoded_bytes());
    while let ([first, ..], [second, ..]) = (a, b) {
        let order = if first.is_ascii_digit() && second.is_ascii_digit() {
            let (number, rest) = leading_number(a);
            let (other_number, other_rest) = leading_number(b);
            (a, b) = (rest, other_rest);
            number.len().cmp(&other_number.len()).then(number.cmp(other_number))
        } else {
            (a, b) = (&a[1..], &b[1..]);
            first.cmp(second)
        };
        if order.is_ne() {
            return order;
        }
    }
    // Names that differ only in leading zeros are still different.
    a.len().cmp(&b.len()).then_with(|| one.cmp(other))
}

/// Compares two paths, folder by folder.
pub(crate) fn compare_paths(one: &Path, other: &Path) -> Ordering {
    let mut components = one.components().zip(other.components());
    let order =
        components.find_map(|(a, b)| Some(compare_names(a.as_os_str(), b.as_os_str())).filter(|order| order.is_ne()));
    order.unwrap_or_else(|| one.components().count().cmp(&other.components().count()))
}

/// Leading digits of `bytes` without leading zeros, and the rest.
fn leading_number(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len());
    let zeros = bytes[..end].iter().take_while(|byte| **byte == b'0').count();
    (&bytes[zeros..end], &bytes[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_are_in_the_order_of_their_values() {
        let mut found = ["f10.png", "f2.png", "f1.png", "f11.png", "f002b.png", "a.png", "f2.5.png"];

        found.sort_by(|a, b| compare_names(a.as_ref(), b.as_ref()));

        assert_eq!(found, ["a.png", "f1.png", "f2.5.png", "f2.png", "f002b.png", "f10.png", "f11.png"]);
    }

    #[test]
    fn paths_are_compared_folder_by_folder() {
        let mut found = ["clip10/f1.png", "clip2/f2.png", "clip2/f10.png"];

        found.sort_by(|a, b| compare_paths(a.as_ref(), b.as_ref()));

        assert_eq!(found, ["clip2/f2.png", "clip2/f10.png", "clip10/f1.png"]);
    }

    #[test]
    fn only_equal_names_are_equal() {
        assert_eq!(compare_names("f1".as_ref(), "f01".as_ref()), Ordering::Greater);
        assert_eq!(compare_names("f1".as_ref(), "f1".as_ref()), Ordering::Equal);
    }
}
