//! Adience: images in `faces` and `aligned`, ages as ranges and genders in five tables, `fold_0_data.txt` to `fold_4_data.txt`.

use std::collections::BTreeSet;

use ipcgan_model::AgeGroups;

use super::names::labelled;
use super::{Evidence, Listing, Source, SourceImage, Table, Tree};
use crate::age_text::age;
use crate::excluded::Fault;
use crate::table_file::{TableFile, TableRow};
use crate::{DataError, FaceLabel, Gender};

/// Columns that identify the image, the face and its age.
const COLUMNS: [&str; 4] = ["user_id", "original_image", "face_id", "age"];
/// Column of genders.
const GENDER: &str = "gender";
/// Prefixes of file names in `faces` and in `aligned`, the preferred version first.
const VERSIONS: [&str; 2] = ["coarse_tilt_aligned_face", "landmark_aligned_face"];

pub(super) struct Adience;

pub(super) const ADIENCE: Adience = Adience;

impl Source for Adience {
    fn name(&self) -> &'static str {
        "adience"
    }

    fn description(&self) -> &'static str {
        "Adience: fold_0_data.txt to fold_4_data.txt beside faces or aligned; ages are ranges"
    }

    fn evidence(&self, tree: &Tree) -> Evidence {
        if let Some(table) = tables(tree).first() {
            return Evidence::Table(format!("{table} is there"));
        }
        let name =
            |file: &str| file.rsplit('/').next().is_some_and(|name| VERSIONS.iter().any(|it| name.starts_with(it)));
        match tree.images().filter(|file| name(file)).count() {
            0 => Evidence::None,
            count => Evidence::Doubtful(format!("{count} images are called as its faces, but {}", missing())),
        }
    }

    fn images(&self, tree: &Tree, _: &Table, groups: &AgeGroups) -> Result<Listing, DataError> {
        let mut images = Vec::new();
        for name in tables(tree) {
            let path = tree.folder().join(name);
            let table = TableFile::read(&path, &COLUMNS)?;
            let places =
                Places { columns: table.columns(&path, COLUMNS)?, gender: table.optional_column(&path, GENDER)? };
            table.rows.into_iter().for_each(|row| images.extend(row_images(tree, row, &places, groups)));
        }
        match images.is_empty() {
            true => Err(DataError::unusable(tree.folder(), format!("cannot be read as Adience: {}", missing()))),
            false => Ok(images.into()),
        }
    }
}

fn missing() -> String {
    "the tables fold_0_data.txt to fold_4_data.txt, which say the ages, are missing".into()
}

/// The tables that exist; `fold_frontal_0_data.txt` and similar tables repeat some of the same faces.
fn tables(tree: &Tree) -> Vec<&str> {
    (0..5).filter_map(|fold| tree.named(&format!("fold_{fold}_data.txt")).first().copied()).collect()
}

/// Indices of the columns of a table.
struct Places {
    /// Those of [`COLUMNS`].
    columns: [usize; 4],
    gender: Option<usize>,
}

/// The preferred image of a row, and its other version.
fn row_images(tree: &Tree, row: TableRow, places: &Places, groups: &AgeGroups) -> Vec<SourceImage> {
    let line = Some(row.line);
    let cells = match row.cells {
        Ok(cells) => cells,
        Err(fault) => return vec![SourceImage { file_name: String::new(), line, label: Err(fault) }],
    };
    let [user, image, face, age] = places.columns.map(|place| cells.get(place).unwrap_or_default());
    // `u` is unknown.
    let gender = places.gender.and_then(|place| cells.get(place)).and_then(Gender::by_name);
    let names = VERSIONS.map(|version| format!("{user}/{version}.{face}.{image}"));
    // The download has them in `faces` and `aligned`; a user may have unpacked only one.
    let found: BTreeSet<(usize, String)> = names
        .iter()
        .enumerate()
        .flat_map(|(version, name)| {
            let folders = ["faces/", "aligned/", ""].into_iter().map(move |folder| format!("{folder}{name}"));
            folders.filter(|file| tree.contains(file)).map(move |file| (version, file))
        })
        .collect();
    let mut found = found.into_iter().map(|(_, file)| file);
    let Some(used) = found.next() else {
        let fault = Fault::image("there is no such file in the data set's folder");
        return vec![SourceImage { file_name: names[0].clone(), line, label: Err(fault) }];
    };
    let others: Vec<_> = found.map(|other| SourceImage::other_version(&other, &used)).collect();
    let subject = (!face.is_empty()).then(|| format!("{user}/{face}"));
    let label = label(age, subject, groups).map(|label| FaceLabel { gender, ..label });
    let image = SourceImage { file_name: used, line, label };
    std::iter::once(image).chain(others).collect()
}

/// The label of a face of `subject`, whose age is the text `text`.
fn label(text: &str, subject: Option<String>, groups: &AgeGroups) -> Result<FaceLabel, Fault> {
    let unknown = text.is_empty() || text == "None";
    let age = (!unknown).then(|| age(text)).transpose()?;
    labelled(age, subject, groups)
}

#[cfg(test)]
mod tests {
    use crate::Gender;
    use crate::source::testing::{described, genders, listing};

    const HEADER: &str =
        "user_id\toriginal_image\tface_id\tage\tgender\tx\ty\tdx\tdy\ttilt_ang\tfiducial_yaw_angle\tfiducial_score\n";

    #[test]
    fn tables_of_all_folds_hold_identities_age_ranges_and_genders() {
        let row = |user: &str, image: &str, face: u32, age: &str| {
            let gender = if face == 2 { "u" } else { "f" };
            format!("{user}\t{image}\t{face}\t{age}\t{gender}\t0\t414\t1086\t1383\t-115\t30\t17\n")
        };
        let first =
            [HEADER, &row("30601258@N03", "10399_o.jpg", 1, "(25, 32)"), &row("30601258@N03", "2_o.jpg", 2, "None")];
        let second = [HEADER, &row("9@N01", "3_o.jpg", 77, "35"), &row("9@N01", "4_o.jpg", 77, "(38, 43)")];
        let [first, second] = [first.concat(), second.concat()];
        let files = [
            ("fold_0_data.txt", first.as_str()),
            ("fold_1_data.txt", second.as_str()),
            ("faces/30601258@N03/coarse_tilt_aligned_face.1.10399_o.jpg", ""),
            ("aligned/30601258@N03/landmark_aligned_face.1.10399_o.jpg", ""),
            ("aligned/30601258@N03/landmark_aligned_face.2.2_o.jpg", ""),
            ("faces/9@N01/coarse_tilt_aligned_face.77.3_o.jpg", ""),
        ];

        let expected = [
            "faces/30601258@N03/coarse_tilt_aligned_face.1.10399_o.jpg: 28 30601258@N03/1 ?",
            "aligned/30601258@N03/landmark_aligned_face.1.10399_o.jpg: \
             faces/30601258@N03/coarse_tilt_aligned_face.1.10399_o.jpg is another version of it, and used",
            "aligned/30601258@N03/landmark_aligned_face.2.2_o.jpg: ? 30601258@N03/2 ?",
            "faces/9@N01/coarse_tilt_aligned_face.77.3_o.jpg: 35 9@N01/77 ?",
            "9@N01/coarse_tilt_aligned_face.77.4_o.jpg: there is no such file in the data set's folder",
        ];
        let listing = listing("adience", &files);
        assert_eq!(described(&listing), expected);
        assert_eq!(genders(&listing), [Some(Gender::Female), None, Some(Gender::Female)]);
    }
}
