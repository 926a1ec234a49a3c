//! Detection of the kind of data set in a folder.

use std::collections::HashSet;

use super::file_name::parent;
use super::{Evidence, SOURCES, Source, Tree, folder, identities};
use crate::DataError;

/// Detects the source of `tree`; returns it with the evidence.
///
/// # Errors
/// No kind of data set fits, or several do; or it holds no images.
pub fn detect_source(tree: &Tree) -> Result<(&'static dyn Source, String), DataError> {
    tree.check_images()?;
    let evidence: Vec<(&'static dyn Source, Evidence)> =
        SOURCES.into_iter().map(|source| (source, source.evidence(tree))).collect();
    let by_table: Vec<_> = evidence.iter().filter(|(_, evidence)| matches!(evidence, Evidence::Table(_))).collect();
    let by_names: Vec<_> = evidence.iter().filter(|(_, evidence)| matches!(evidence, Evidence::Names(_))).collect();
    match (&by_table[..], &by_names[..]) {
        ([(source, Evidence::Table(seen))], _) | ([], [(source, Evidence::Names(seen))]) => {
            return Ok((*source, seen.clone()));
        }
        _ => (),
    }
    let described = |(source, evidence): &(&'static dyn Source, Evidence)| match evidence {
        Evidence::None => None,
        Evidence::Doubtful(seen) | Evidence::Names(seen) | Evidence::Table(seen) => {
            Some(format!("{} ({seen})", source.name()))
        }
    };
    let mut candidates: Vec<String> = evidence.iter().filter_map(described).collect();
    if candidates.is_empty() {
        let parents: HashSet<&str> = tree.images().map(parent).collect();
        if parents.len() == 1 {
            return Ok((&folder::FOLDER, "its names are those of no known data set".into()));
        }
        candidates.push(format!("{} (if its folders are people)", identities::IDENTITIES.name()));
        candidates.push(format!("{} (if nothing is known of the images)", folder::FOLDER.name()));
    }
    Err(DataError::AmbiguousSource { path: tree.folder().into(), seen: tree.summary(), candidates })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::testing::tree;

    /// The detected `name`, or the error message.
    fn of(files: &[&str]) -> String {
        match detect_source(&tree(files).1) {
            Ok((source, _)) => source.name().into(),
            Err(error) => error.to_string(),
        }
    }

    fn numbered(count: usize, name: impl Fn(usize) -> String) -> Vec<String> {
        (1..=count).map(name).collect()
    }

    fn of_numbered(files: &[String]) -> String {
        of(&files.iter().map(String::as_str).collect::<Vec<_>>())
    }

    #[test]
    fn data_sets_are_recognised_by_nearly_all_of_their_names() {
        let names: [(&str, &[&str]); 14] = [
            ("cacd", &["14_Gia_Mantegna_0012.jpg", "41_Alex_D._Linz_0001.jpg"]),
            ("utkface", &["26_1_1_20170104023102422.jpg.chip.jpg", "39_1_20170116174525125.jpg.chip.jpg"]),
            ("morph", &["Album2/009055_1M54.JPG", "Album2/012345_02F33.JPG"]),
            ("fgnet", &["images/001A02.JPG", "images/001A43a.JPG"]),
            ("lag", &["50_cent_a0.jpg", "50_cent_y2.jpg", "aaliyah_y0.jpg"]),
            ("lag", &["Aaliyah/1.png", "Aaliyah/y/1.png"]),
            ("agedb", &["AgeDB/0_MariaCallas_35_f.jpg", "AgeDB/3_GlennClose_62_f.jpg"]),
            ("all-age-faces", &["original images/00000A02.jpg", "aglined faces/00000A02.jpg"]),
            ("afad", &["AFAD-Full/15/111/1001-0.jpg", "AFAD-Full/39/112/8-1.jpg"]),
            ("imdb-wiki", &["imdb_crop/01/nm0000001_rm124825600_1899-5-10_1968.jpg"]),
            ("imdb-wiki", &["wiki_crop/17/10000217_1981-05-05_2009.jpg"]),
            ("age-folders", &["train/20-29/1.jpg", "train/30s/1.jpg", "test/60+/2.jpg"]),
            ("identities", &["lfw/Ann_Lee/Ann_Lee_0001.jpg", "lfw/Bob/Bob_0001.jpg"]),
            ("folder", &["holiday.jpg", "cat.png"]),
        ];

        for (name, files) in names {
            assert_eq!(of(files), name, "{files:?}");
        }
    }

    #[test]
    fn numbered_images_are_not_identities_of_another_data_set() {
        let cases = [
            numbered(30, |i| format!("train/n{}/{i}.jpg", i % 3)),
            numbered(30, |i| format!("{}/y/{i}.jpg", ["train", "test"][i % 2])),
            numbered(30, |i| format!("{i}_frame_{i:04}.jpg")),
            numbered(30, |i| format!("001A{i:02}.jpg")),
            numbered(30, |i| format!("{}/frame_a{i}.jpg", i % 5)),
        ];

        for files in cases {
            let message = of_numbered(&files);
            assert!(message.starts_with("cannot detect the kind of the data set"), "{files:?}: {message}");
            assert!(message.contains("it holds 30 images in") && message.contains("it may be "), "{message}");
        }
    }

    #[test]
    fn images_in_one_folder_that_look_like_no_data_set_are_a_plain_folder() {
        assert_eq!(of_numbered(&numbered(30, |i| format!("faces/{i}.jpg"))), "folder");
        assert_eq!(of_numbered(&numbered(30, |i| format!("frame_a{i}.jpg"))), "folder");
    }

    #[test]
    fn data_sets_without_ages_are_recognised_by_their_own_names() {
        assert_eq!(of_numbered(&numbered(12, |i| format!("thumbnails128x128/00000/{i:05}.png"))), "ffhq");
        assert_eq!(
            of_numbered(&numbered(12, |i| format!("{:05}/{:05}.png", i / 6 * 1000, i / 6 * 1000 + i % 6))),
            "ffhq"
        );
        assert_eq!(of_numbered(&numbered(12, |i| format!("img_align_celeba/{i:06}.jpg"))), "celeba");

        let fairface: Vec<String> =
            numbered(12, |i| format!("fairface-img-margin025-trainval/{}/{i}.jpg", ["train", "val"][i % 2]));
        let message = of_numbered(&fairface);
        assert!(message.contains("fairface (") && message.contains("fairface_label_train.csv"), "{message}");
        let message = of_numbered(&numbered(12, |i| format!("{i:06}.jpg")));
        assert!(message.contains("celeba ("), "{message}");
        let message = of_numbered(&numbered(12, |i| format!("{i:05}.png")));
        assert!(message.contains("ffhq ("), "{message}");
    }

    #[test]
    fn numeric_folder_names_are_ages_only_if_they_cannot_be_identities() {
        let folders =
            |numbers: &[u32]| -> Vec<String> { numbers.iter().map(|number| format!("{number}/a.jpg")).collect() };

        assert_eq!(of_numbered(&folders(&[18, 25, 70])), "age-folders");
        let message = of_numbered(&folders(&[1, 2, 3]));
        assert!(message.contains("age-folders (") && message.contains("people"), "{message}");
        assert!(of_numbered(&folders(&[180, 250, 700])).contains("identities ("));
    }

    #[test]
    fn a_folder_that_matches_two_data_sets_is_rejected_with_both() {
        let message = of(&["20s/24_Ann_Lee_0001.jpg", "30s/33_Ann_Lee_0002.jpg"]);

        assert!(
            message.contains("age-folders (2 of 2 images") && message.contains("or cacd (2 of 2 images"),
            "{message}"
        );
    }

    #[test]
    fn a_label_table_takes_precedence_over_file_names() {
        assert_eq!(of(&["metadata.csv", "14_Gia_Mantegna_0012.jpg"]), "csv");
        let message = of(&["labels.csv", "a.jpg"]);
        assert!(message.contains("csv (labels.csv"), "{message}");
        let message = of(&["train/metadata.csv", "test/metadata.csv", "train/a.jpg"]);
        assert!(message.contains("csv (test/metadata.csv"), "{message}");
    }
}
