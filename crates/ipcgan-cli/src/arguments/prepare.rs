//! Arguments of `ipcgan prepare`.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anyhow::Result;
use clap::{Args, value_parser};
use ipcgan::AgeGroups;
use ipcgan::data::preparation::PreparationConfig;
use ipcgan::data::source::{SOURCES, TableUse};
use ipcgan::data::{Columns, SyntheticConfig};

use super::device::DeviceArgument;
use crate::exit_reason::usage_error;
use crate::invalid_value::InvalidValue;
use crate::prepare::{DataSet, PrepareRequest, SYNTHETIC, SplitChoice, UnknownAges};

#[derive(Debug, Args)]
#[command(after_help = prepare_help())]
pub(crate) struct PrepareArguments {
    /// Folder with the unpacked data set; omit it with `--source synthetic`.
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Output folder for the prepared faces; created if it does not exist. Running the same command again resumes an
    /// interrupted preparation.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Kind of data set. Default: detected from the folder; an ambiguous folder is an error.
    #[arg(long, value_name = "NAME", value_parser = source)]
    source: Option<String>,
    #[arg(long, value_name = "COUNT", help = identities_help(), value_parser = value_parser!(u32).range(1..=1_000_000))]
    identities: Option<u32>,
    /// Table with labels: CSV, TSV or other text for csv, celebrity2000_meta.mat for cacd, imdb.mat or wiki.mat for
    /// imdb-wiki, ffhq_aging_labels.csv for ffhq. Without --source, the kind is detected from its contents.
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    /// Maps one of our columns (file_name, age, group, identity, split) to a column of the table, such as age=Years;
    /// can be repeated.
    #[arg(long = "column", value_name = "OURS=THEIRS")]
    columns: Vec<String>,
    /// How to split the faces: `source` (official split of the data set, the rest by seed), `seeded`, or a table with
    /// the columns file_name or identity, and split.
    #[arg(long, value_name = "HOW", default_value = "source")]
    split: PathBuf,
    /// Continue even if most images have no age label; faces without an age are used only by the identity stage.
    #[arg(long)]
    allow_unknown_ages: bool,
    /// Width and height of a prepared face in pixels.
    #[arg(
        long,
        value_name = "PIXELS",
        default_value_t = defaults().size,
        value_parser = value_parser!(u32).range(16..=1024)
    )]
    size: u32,
    /// The images are already aligned face crops, so face detection is skipped: eyes at 0.30 and 0.68 of the width
    /// and 0.30 of the height, mouth at 0.70.
    #[arg(long)]
    aligned: bool,
    #[arg(long, value_name = "PIXELS", conflicts_with = "aligned", help = min_face_help())]
    min_face: Option<u32>,
    /// Skip blurred faces: minimum variance of the Laplacian of the aligned face, at 128 pixels about 100 for a blurred
    /// and 1000 for a sharp one.
    #[arg(long, value_name = "VARIANCE", conflicts_with = "aligned", value_parser = non_negative)]
    min_sharpness: Option<f64>,
    /// Skip heads turned to a side, for example above 0.4: 0 is frontal, 1 has the nose below an eye.
    #[arg(long, value_name = "YAW", conflicts_with = "aligned", value_parser = non_negative)]
    max_yaw: Option<f64>,
    /// First age of each age group.
    #[arg(long, value_name = "YEARS", value_delimiter = ',', value_parser = years, default_value = AGE_GROUPS.as_str())]
    age_groups: Vec<u32>,
    /// Random seed of the split by identity and of synthetic faces.
    #[arg(long, default_value_t = defaults().seed)]
    seed: u64,
    /// Fraction of identities held out for the validation split.
    #[arg(long, value_name = "FRACTION", default_value_t = defaults().valid_fraction, value_parser = fraction)]
    valid_fraction: f64,
    /// Fraction of identities held out for the test split.
    #[arg(long, value_name = "FRACTION", default_value_t = defaults().test_fraction, value_parser = fraction)]
    test_fraction: f64,
    /// Number of worker threads, up to 1024. Default: one per processor.
    #[arg(long, value_name = "COUNT", value_parser = value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    #[command(flatten)]
    device: DeviceArgument,
}

/// The library's defaults.
fn defaults() -> PreparationConfig {
    PreparationConfig::new(SYNTHETIC.into())
}

/// The library's default number of synthetic identities.
fn default_identities() -> usize {
    SyntheticConfig::new().identities
}

/// The first age of each of the default groups, as the argument has them.
static AGE_GROUPS: LazyLock<String> = LazyLock::new(|| {
    let groups = AgeGroups::default();
    groups.indices().map(|group| groups.ages(group).0.to_string()).collect::<Vec<_>>().join(",")
});

fn identities_help() -> String {
    let default = default_identities();
    format!("Number of synthetic identities, with `--source {SYNTHETIC}` [default: {default}]")
}

fn min_face_help() -> String {
    let default = defaults().min_face;
    format!("Skip faces smaller than this many pixels in the source image, in width and height [default: {default}]")
}

/// Examples and the list of data sets.
fn prepare_help() -> String {
    let mut help = String::from(
        "\
Examples:
  ipcgan prepare UTKFace --out faces
  ipcgan prepare CACD2000 --source cacd --out faces --size 160
  ipcgan prepare photos --table labels.csv --column file_name=path --column age=Years --out faces
  ipcgan prepare LFW --source identities --allow-unknown-ages --out faces
  ipcgan prepare --source synthetic --identities 300 --out synthetic

Data sets:
",
    );
    for source in SOURCES {
        let table = if source.table_use() == TableUse::Nothing { "" } else { " (or --table FILE)" };
        help += &format!("  {:<13} {}{table}\n", source.name(), source.description());
    }
    help += &format!("  {SYNTHETIC:<13} synthetic faces, with identity and age as parameters\n");
    help + "
The prepared folder holds images/, metadata.csv, report.html, excluded.csv (skipped images with
their reasons), duplicates.csv (duplicates), fingerprints.csv and prepare.json."
}

fn source(name: &str) -> Result<String, InvalidValue> {
    let known: Vec<&str> = SOURCES.iter().map(|source| source.name()).chain([SYNTHETIC]).collect();
    match known.contains(&name) {
        true => Ok(name.into()),
        false => Err(InvalidValue::new(format!("must be one of {}", known.join(", ")))),
    }
}

fn years(text: &str) -> Result<u32, InvalidValue> {
    text.trim().parse().map_err(|_| InvalidValue::new("an age is a whole number of years"))
}

fn fraction(text: &str) -> Result<f64, InvalidValue> {
    let fraction = text.parse().ok().filter(|fraction| (0.0..1.0).contains(fraction));
    fraction.ok_or_else(|| InvalidValue::new("must be at least 0 and below 1"))
}

fn non_negative(text: &str) -> Result<f64, InvalidValue> {
    let value = text.parse().ok().filter(|value: &f64| *value >= 0.0 && value.is_finite());
    value.ok_or_else(|| InvalidValue::new("must be 0 or above"))
}

impl PrepareArguments {
    /// # Errors
    /// Arguments are invalid, contradict each other, or would have no effect.
    pub(crate) fn request(self) -> Result<PrepareRequest> {
        let age_groups =
            AgeGroups::new(self.age_groups.clone()).map_err(|reason| usage_error(format!("--age-groups: {reason}")))?;
        if self.valid_fraction + self.test_fraction >= 1.0 {
            return Err(usage_error("--valid-fraction and --test-fraction leave no identities for training"));
        }
        self.check_effect()?;
        let min_face = self.min_face.unwrap_or(defaults().min_face);
        let config = defaults()
            .with_size(self.size)
            .with_aligned(self.aligned)
            .with_min_face(min_face)
            .with_min_sharpness(self.min_sharpness)
            .with_max_yaw(self.max_yaw)
            .with_find_duplicates(self.folder.is_some())
            .with_age_groups(age_groups)
            .with_seed(self.seed)
            .with_valid_fraction(self.valid_fraction)
            .with_test_fraction(self.test_fraction);
        let columns = columns(&self.columns)?;
        let data_set = self.folder.map(|folder| DataSet {
            folder,
            source: self.source,
            table: self.table,
            columns,
            unknown_ages: if self.allow_unknown_ages { UnknownAges::Allow } else { UnknownAges::Refuse },
        });
        Ok(PrepareRequest {
            data_set,
            identities: self.identities.map_or_else(default_identities, |count| count as usize),
            split: SplitChoice::of(self.split),
            out: self.out,
            config,
            threads: self.threads.map(usize::from),
            device: self.device.choice(),
        })
    }

    /// Rejects a data set that is missing or is the output folder, and options without effect.
    fn check_effect(&self) -> Result<()> {
        let is_synthetic = self.source.as_deref() == Some(SYNTHETIC);
        match (&self.folder, is_synthetic) {
            (Some(_), true) => {
                return Err(usage_error(format!("--source {SYNTHETIC} generates faces and reads no folder")));
            }
            (None, false) => {
                return Err(usage_error(format!(
                    "give the FOLDER into which the data set was unpacked, or --source {SYNTHETIC}"
                )));
            }
            _ => (),
        }
        let is_table = matches!(SplitChoice::of(self.split.clone()), SplitChoice::Table(_));
        let unread = [
            ("--identities", self.identities.is_some() && !is_synthetic),
            ("--table", self.table.is_some() && is_synthetic),
            ("--column", !self.columns.is_empty() && is_synthetic),
            ("--split FILE", is_table && is_synthetic),
            ("--aligned", self.aligned && is_synthetic),
            ("--min-face", self.min_face.is_some() && is_synthetic),
            ("--min-sharpness", self.min_sharpness.is_some() && is_synthetic),
            ("--max-yaw", self.max_yaw.is_some() && is_synthetic),
            ("--allow-unknown-ages", self.allow_unknown_ages && is_synthetic),
        ];
        if let Some((option, _)) = unread.into_iter().find(|(_, given)| *given) {
            let reason = if is_synthetic { "has no effect with" } else { "is used only with" };
            return Err(usage_error(format!("{option} {reason} --source {SYNTHETIC}")));
        }
        match &self.folder {
            Some(folder) if is_same(folder, &self.out) => Err(usage_error(format!(
                "{} is the data set itself; choose another output folder with --out",
                self.out.display()
            ))),
            _ => Ok(()),
        }
    }
}

/// Whether both paths are one existing folder.
fn is_same(one: &Path, other: &Path) -> bool {
    one.canonicalize().is_ok_and(|path| Some(path) == other.canonicalize().ok())
}

/// Parses `OURS=THEIRS` column mappings.
fn columns(renamed: &[String]) -> Result<Columns> {
    let mut columns = Columns::default();
    for text in renamed {
        let unclear = || usage_error(format!("--column {text} is not of the form OURS=THEIRS"));
        let (ours, theirs) = text.split_once('=').ok_or_else(unclear)?;
        columns.rename(ours, theirs).map_err(|reason| usage_error(format!("--column {text}: {reason}")))?;
    }
    Ok(columns)
}
