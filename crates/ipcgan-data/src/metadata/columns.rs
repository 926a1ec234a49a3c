//! Column names of tables of faces.

use std::fmt;

use csv::StringRecord;

/// Column names of a table. Only the column of file names and renamed columns are required.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// In the order of [`Columns::NAMES`].
    pub(super) names: [String; 6],
    pub(super) renamed: [bool; 6],
}

impl Default for Columns {
    fn default() -> Self {
        Self { names: Self::NAMES.map(String::from), renamed: [false; 6] }
    }
}

/// The renamed columns, as `age=Years, identity=Person`.
impl fmt::Display for Columns {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let renamed = Self::NAMES.iter().zip(&self.names).zip(self.renamed).filter(|(_, renamed)| *renamed);
        let renamed: Vec<String> = renamed.map(|((ours, theirs), _)| format!("{ours}={theirs}")).collect();
        formatter.write_str(&renamed.join(", "))
    }
}

impl Columns {
    /// Our names of the columns: path of the image, relative to the folder; age in years or a range such as `40-49` or
    /// `70+`; index of the age group, which takes precedence over the age; identity; `train`, `valid` or `test`; gender.
    pub(crate) const NAMES: [&str; 6] = ["file_name", "age", "group", "identity", "split", "gender"];
    /// Common names of each column in other tables, for suggestions.
    const SYNONYMS: [&[&str]; 6] = [
        &["file", "filename", "image", "img", "path", "picture", "photo", "image_id", "full_path"],
        &["years", "real_age", "age_years", "alter"],
        &["age_group", "class"],
        &["person", "person_id", "subject", "subject_id", "id", "who", "name", "celeb_id", "user_id"],
        &["set", "subset", "partition"],
        &["sex"],
    ];

    /// Maps our column `ours` to the column `theirs` of the table.
    ///
    /// # Errors
    /// There is no column `ours`, it was renamed before, or `theirs` is empty.
    pub fn rename(&mut self, ours: &str, theirs: &str) -> Result<(), String> {
        let Some(index) = Self::NAMES.iter().position(|name| *name == ours) else {
            return Err(format!("there is no column `{ours}`, only {}", Self::NAMES.join(", ")));
        };
        if self.renamed[index] {
            return Err(format!("column `{ours}` is `{}` already", self.names[index]));
        }
        if theirs.trim().is_empty() {
            return Err(format!("says no name for column `{ours}`"));
        }
        self.names[index] = theirs.trim().into();
        self.renamed[index] = true;
        Ok(())
    }

    /// With the table's name `theirs` for our column `ours`.
    pub(crate) fn with(mut self, ours: &str, theirs: &str) -> Self {
        self.rename(ours, theirs).expect("our own columns are renamed once");
        self
    }

    /// The table's name for the column of file names.
    pub(crate) fn file_name(&self) -> &str {
        &self.names[0]
    }

    /// The column of `header` whose name is most similar to our column `index`; `None` if none is similar.
    pub(super) fn similar(&self, index: usize, header: &StringRecord) -> Option<String> {
        const MIN_SIMILARITY: f64 = 0.85;
        let name = self.names[index].to_lowercase();
        let similarity = |column: &&str| {
            let column = column.to_lowercase();
            match column == Self::NAMES[index] || Self::SYNONYMS[index].contains(&column.as_str()) {
                true => 1.0,
                false => strsim::jaro_winkler(&name, &column),
            }
        };
        let best = header.iter().max_by(|one, other| similarity(one).total_cmp(&similarity(other)))?;
        (similarity(&best) >= MIN_SIMILARITY).then(|| best.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_renamed_once_and_not_to_an_empty_name() {
        let mut columns = Columns::default();
        assert!(columns.rename("shoe", "size").unwrap_err().contains("file_name, age"));
        assert!(columns.rename("age", " ").unwrap_err().contains("no name"));

        columns.rename("age", "Years").unwrap();

        assert!(columns.rename("age", "Alter").unwrap_err().contains("is `Years` already"));
    }
}
