//! `ipcgan prepare`: prepares a downloaded data set for training.

mod options;
mod summary;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use ipcgan::data::detection::YunetConfig;
use ipcgan::data::preparation::{PreparationConfig, PrepareOptions, prepare};
use ipcgan::data::source::{FaceExtraction, Listing, Source, SourceFaces, Table, Tree};
use ipcgan::data::{Cause, Excluded, FaceSet, SyntheticConfig, SyntheticFaces, counted};
use ipcgan::{AgeGroups, face_detector};

use crate::arguments::{PrepareArguments, SYNTHETIC};
use crate::exit_reason::{ExitReason, usage_error};
use crate::progress::Progress;
use crate::{devices, print_path};
use log::{info, warn};
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
        .with_find_duplicates(arguments.folder.is_some())
        .with_age_groups(groups.clone())
        .with_seed(arguments.seed)
        .with_valid_fraction(arguments.valid_fraction)
        .with_test_fraction(arguments.test_fraction);
    config.min_face = arguments.min_face.unwrap_or(config.min_face);
    let folder = options::check(arguments)?;
    let table = Table { path: arguments.table.clone(), columns: options::columns(&arguments.columns)? };
    let splits = Splits::of(&arguments.split)?;
    let (faces, excluded) = match folder {
        None => (synthetic(arguments, &groups), Vec::new()),
        Some(folder) => {
            let (source, faces, excluded) = downloaded(folder, arguments, &table, &splits, &config)?;
            config.source = source;
            (faces, excluded)
        }
    };
    let progress = Progress::new("preparing faces");
    let stop = stop_on_ctrl_c()?;
    let mut watch =
        PrepareOptions { progress: &|done, all| progress.show(done, all), stop: &stop, ..PrepareOptions::default() };
    if let Some(threads) = arguments.threads {
        watch.threads = threads.into();
    }
    let prepared = prepare(&*faces, excluded, &arguments.out, &config, &watch);
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

/// A downloaded data set: its kind, its faces, and excluded images.
fn downloaded(
    folder: &Path,
    arguments: &PrepareArguments,
    table: &Table,
    splits: &Splits,
    config: &PreparationConfig,
) -> Result<(String, Box<dyn FaceSet>, Vec<Excluded>)> {
    let tree = Tree::read(folder, Some(&arguments.out))?;
    tree.check_images()?;
    let (source, reason) = options::source(&tree, arguments)?;
    options::check_table(source, arguments)?;
    let listing = source.images(&tree, table, &config.age_groups);
    let mut listing = listing.map_err(|error| options::with_advice(error, source))?.with_unlisted(&tree);
    info!("{} is read as {}: {reason}", folder.display(), source.name());
    listing.notes.iter().for_each(|note| info!("note: {note}"));
    check_labels(source, &listing, arguments)?;
    set_splits(&mut listing, splits)?;
    let extraction = match arguments.aligned {
        true => FaceExtraction::Aligned,
        false => {
            let detector = face_detector(YunetConfig::default(), &devices::open(&arguments.device)?);
            FaceExtraction::Detect { detector: Box::new(detector), min_side: config.min_face }
        }
    };
    let (faces, mut excluded) = SourceFaces::new(folder, listing.images, extraction, arguments.size);
    excluded.extend_from_slice(tree.excluded());
    Ok((source.name().into(), Box::new(faces), excluded))
}

fn synthetic(arguments: &PrepareArguments, groups: &AgeGroups) -> Box<dyn FaceSet> {
    let identities = arguments.identities.unwrap_or(SYNTHETIC_IDENTITIES);
    let config =
        SyntheticConfig::new().with_identities(identities as usize).with_size(arguments.size).with_seed(arguments.seed);
    Box::new(SyntheticFaces::new(config, groups))
}

/// Rejects labels without a usable image, or with mostly unknown ages unless that is allowed.
fn check_labels(source: &dyn Source, listing: &Listing, arguments: &PrepareArguments) -> Result<()> {
    let faults = || listing.images.iter().filter_map(|image| Some((image, image.label.as_ref().err()?)));
    let dates = || faults().filter(|(_, fault)| fault.cause == Cause::SpreadsheetDate);
    if let Some((image, fault)) = dates().next() {
        let line = image.line.map(|line| format!("line {line}: ")).unwrap_or_default();
        let rows = counted(dates().count(), "row is", "rows are");
        warn!("warning: {rows} left out: {line}{}", fault.reason);
    }
    let [usable, ageless] = listing.usable_and_ageless();
    if usable == 0 {
        let Some((image, fault)) = faults().next() else { bail!("{} names no image", source.name()) };
        let line = image.line.map(|line| format!("line {line}: ")).unwrap_or_default();
        bail!(
            "none of {} can be used; the first one: {line}{}: {}",
            counted(listing.images.len(), "image", "images"),
            image.file_name,
            fault.reason
        );
    }
    if ageless == 0 {
        return Ok(());
    }
    let unknown = format!("the ages of {ageless} of {usable} images are unknown: {}", source.unknown_age_reason());
    let is_minority = 2 * ageless <= usable;
    if is_minority || arguments.allow_unknown_ages {
        info!("note: {unknown}");
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
            let labels = listing.images.iter_mut().filter_map(|image| image.label.as_mut().ok());
            labels.for_each(|label| label.split = None);
        }
        Splits::Published(list) => {
            let applied = list.apply(&mut listing.images)?;
            info!(
                "--split says the split of {}; {} split by seed; {} no usable image",
                counted(applied.listed, "image", "images"),
                counted(applied.unlisted, "other is", "others are"),
                counted(applied.unused_entries, "of its entries names", "of its entries name")
            );
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
        info!("stopping after the current images; press Ctrl-C again to exit immediately");
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(stop)
}
