//! `ipcgan prepare`: prepares a downloaded data set for training.

mod options;
mod summary;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use ipcgan::data::detection::YunetConfig;
use ipcgan::data::preparation::{PreparationConfig, Watch, prepare};
use ipcgan::data::source::{FaceFinding, Listing, Source, SourceFaces, Table, Tree};
use ipcgan::data::{Cause, FaceSet, LeftOut, SyntheticConfig, SyntheticFaces, counted};
use ipcgan::{AgeGroups, face_detector};

use crate::arguments::{PrepareArguments, SYNTHETIC};
use crate::exit_reason::{ExitReason, usage_error};
use crate::progress::Progress;
use crate::{devices, info, print_path, warn};
use options::Splits;

/// Default number of synthetic identities.
const SYNTHETIC_IDENTITIES: u32 = 300;

pub(crate) fn run(arguments: &PrepareArguments) -> Result<()> {
    let groups = AgeGroups::new(arguments.age_groups.clone())
        .map_err(|reason| usage_error(format!("--age-groups: {reason}")))?;
    if arguments.valid_fraction + arguments.test_fraction >= 1.0 {
        return Err(usage_error("--valid-fraction and --test-fraction leave no identities for training"));
    }
    let mut config = PreparationConfig::new(SYNTHETIC.into())
        .with_size(arguments.size)
        .with_aligned(arguments.aligned)
        .with_find_same_pictures(arguments.folder.is_some())
        .with_age_groups(groups.clone())
        .with_seed(arguments.seed)
        .with_valid_fraction(arguments.valid_fraction)
        .with_test_fraction(arguments.test_fraction);
    config.min_face = arguments.min_face.unwrap_or(config.min_face);
    let folder = options::check(arguments)?;
    let table = Table { path: arguments.table.clone(), columns: options::columns(&arguments.columns)? };
    let splits = Splits::of(&arguments.split)?;
    let (faces, left_out) = match folder {
        None => (synthetic(arguments, &groups), Vec::new()),
        Some(folder) => {
            let (source, faces, left_out) = downloaded(folder, arguments, &table, &splits, &config)?;
            config.source = source;
            (faces, left_out)
        }
    };
    let progress = Progress::new("preparing faces");
    let stop = stop_on_ctrl_c()?;
    let mut watch = Watch { progress: &|done, all| progress.show(done, all), stop: &stop, ..Watch::default() };
    if let Some(threads) = arguments.threads {
        watch.threads = threads.into();
    }
    let prepared = prepare(&*faces, left_out, &arguments.out, &config, &watch);
    progress.finish();
    let Some(prepared) = prepared? else {
        return Err(ExitReason::Stopped("stopped; run the same command again to resume".into()).into());
    };
    summary::report_prepared(&prepared, &groups);
    for name in ["report.html", "metadata.csv"] {
        print_path(&arguments.out.join(name));
    }
    Ok(())
}

/// A downloaded data set: its kind, its faces, and what is excluded.
fn downloaded(
    folder: &Path,
    arguments: &PrepareArguments,
    table: &Table,
    splits: &Splits,
    config: &PreparationConfig,
) -> Result<(String, Box<dyn FaceSet>, Vec<LeftOut>)> {
    let tree = Tree::read(folder, Some(&arguments.out))?;
    tree.check_pictures()?;
    let (source, reason) = options::source(&tree, arguments)?;
    options::check_table(source, arguments)?;
    let listing = source.pictures(&tree, table, &config.age_groups);
    let mut listing = listing.map_err(|error| options::with_advice(error, source))?.with_unlisted(&tree);
    info(&format!("{} is read as {}: {reason}", folder.display(), source.name()));
    listing.notes.iter().for_each(|note| info(&format!("note: {note}")));
    check_labels(source, &listing, arguments)?;
    set_splits(&mut listing, splits)?;
    let finding = match arguments.aligned {
        true => FaceFinding::Aligned,
        false => {
            let detector = face_detector(YunetConfig::default(), &devices::open(&arguments.device)?);
            FaceFinding::Detected { detector: Box::new(detector), min_side: config.min_face }
        }
    };
    let (faces, mut left_out) = SourceFaces::new(folder, listing.pictures, finding, arguments.size);
    left_out.extend_from_slice(tree.left_out());
    Ok((source.name().into(), Box::new(faces), left_out))
}

fn synthetic(arguments: &PrepareArguments, groups: &AgeGroups) -> Box<dyn FaceSet> {
    let identities = arguments.identities.unwrap_or(SYNTHETIC_IDENTITIES);
    let config =
        SyntheticConfig::new().with_identities(identities as usize).with_size(arguments.size).with_seed(arguments.seed);
    Box::new(SyntheticFaces::new(config, groups))
}

/// Rejects labels without a usable image, or with mostly unknown ages unless that is allowed.
fn check_labels(source: &dyn Source, listing: &Listing, arguments: &PrepareArguments) -> Result<()> {
    let faults = || listing.pictures.iter().filter_map(|picture| Some((picture, picture.label.as_ref().err()?)));
    let dates = || faults().filter(|(_, fault)| fault.cause == Cause::SpreadsheetDate);
    if let Some((picture, fault)) = dates().next() {
        let line = picture.line.map(|line| format!("line {line}: ")).unwrap_or_default();
        let rows = counted(dates().count(), "row is", "rows are");
        warn(&format!("warning: {rows} left out: {line}{}", fault.reason));
    }
    let [usable, ageless] = listing.usable_and_ageless();
    if usable == 0 {
        let Some((picture, fault)) = faults().next() else { bail!("{} names no picture", source.name()) };
        let line = picture.line.map(|line| format!("line {line}: ")).unwrap_or_default();
        bail!(
            "none of {} can be used; the first one: {line}{}: {}",
            counted(listing.pictures.len(), "picture", "pictures"),
            picture.file_name,
            fault.reason
        );
    }
    if ageless == 0 {
        return Ok(());
    }
    let unknown = format!("the ages of {ageless} of {usable} pictures are unknown: {}", source.why_ages_are_unknown());
    let is_minority = 2 * ageless <= usable;
    if is_minority || arguments.allow_unknown_ages {
        info(&format!("note: {unknown}"));
        return Ok(());
    }
    let missing_column = listing.notes.iter().find(|note| note.contains("no column `age`"));
    let missing_column = missing_column.map(|note| format!(" ({note})")).unwrap_or_default();
    bail!(
        "{unknown}{missing_column}; the age and aging stages need ages: give a table of them (--table FILE, --column age=NAME), \
         or use --allow-unknown-ages for faces that only the identity stage uses"
    )
}

fn set_splits(listing: &mut Listing, splits: &Splits) -> Result<()> {
    match splits {
        Splits::Source => (),
        Splits::Seeded => {
            let labels = listing.pictures.iter_mut().filter_map(|picture| picture.label.as_mut().ok());
            labels.for_each(|label| label.split = None);
        }
        Splits::Published(list) => {
            let applied = list.apply(&mut listing.pictures)?;
            info(&format!(
                "--split says the split of {}; {} split by seed; {} no usable picture",
                counted(applied.listed, "picture", "pictures"),
                counted(applied.unlisted, "other is", "others are"),
                counted(applied.unused_entries, "of its entries names", "of its entries name")
            ));
        }
    }
    Ok(())
}

/// The first Ctrl-C stops after the current images; the second exits immediately.
fn stop_on_ctrl_c() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let handle = stop.clone();
    ctrlc::set_handler(move || {
        if handle.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        info("stopping after the current images; press Ctrl-C again to exit immediately");
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(stop)
}
