//! `ipcgan prepare`: prepares a downloaded data set for training.

mod options;
mod request;
mod summary;

use anyhow::{Context, Result, bail};
use ipcgan::data::detection::YunetConfig;
use ipcgan::data::preparation::{PrepareOptions, PublishedSplit, prepare};
use ipcgan::data::source::{FaceExtraction, FaceQuality, Listing, Source, SourceFaces, Table, TableNote, Tree};
use ipcgan::data::{Cause, Excluded, FaceSet, SyntheticConfig, SyntheticFaces, counted};
use ipcgan::{DeviceChoice, face_detector};
use log::{info, warn};

use crate::devices;
use crate::exit_reason::ExitReason;
use crate::interrupt;
use crate::output::print_path;
use crate::progress::Progress;
pub(crate) use request::{DataSet, PrepareRequest, SYNTHETIC, SplitChoice, UnknownAges};

pub(crate) fn run(request: &PrepareRequest) -> Result<()> {
    let mut config = request.config.clone();
    if request.device != DeviceChoice::Auto && (request.data_set.is_none() || config.aligned) {
        info!("note: face detection is skipped, so --device has no effect");
    }
    let published = published_split(&request.split)?;
    let (faces, excluded) = match &request.data_set {
        None => (synthetic(request), Vec::new()),
        Some(data_set) => {
            let (source, faces, excluded) = downloaded(data_set, request, published.as_ref())?;
            config.source = source;
            (faces, excluded)
        }
    };
    let progress = Progress::new("preparing faces");
    let stop = interrupt::flag_on_signal("stopping after the current images")?;
    let mut options =
        PrepareOptions { progress: &|done, all| progress.show(done, all), stop: &stop, ..PrepareOptions::default() };
    options.threads = request.threads.unwrap_or(options.threads);
    let prepared = prepare(&*faces, excluded, &request.out, &config, &options);
    progress.finish();
    let Some(prepared) = prepared? else {
        return Err(ExitReason::Stopped("stopped; run the same command again to resume".into()).into());
    };
    summary::report_prepared(&prepared, &config.age_groups);
    for name in ["report.html", "metadata.csv"] {
        print_path(&request.out.join(name));
    }
    Ok(())
}

/// The table of `--split`, if it is one.
fn published_split(split: &SplitChoice) -> Result<Option<PublishedSplit>> {
    let SplitChoice::Table(path) = split else { return Ok(None) };
    let read = PublishedSplit::read(path);
    read.map(Some).with_context(|| format!("--split {} is neither source nor seeded", path.display()))
}

/// A downloaded data set: its kind, its faces, and excluded images.
fn downloaded(
    data_set: &DataSet,
    request: &PrepareRequest,
    published: Option<&PublishedSplit>,
) -> Result<(String, Box<dyn FaceSet>, Vec<Excluded>)> {
    let DataSet { folder, table, columns, .. } = data_set;
    let config = &request.config;
    let tree = Tree::read(folder, Some(&request.out))?;
    tree.check_images()?;
    let (source, reason) = options::source(&tree, data_set)?;
    options::check_table(source, data_set)?;
    let table = Table { path: table.clone(), columns: columns.clone() };
    let listing = source.images(&tree, &table, &config.age_groups);
    let mut listing = listing.map_err(|error| options::with_advice(error, source))?.with_unlisted(&tree);
    info!("{} is read as {}: {reason}", folder.display(), source.name());
    listing.notes.iter().for_each(|note| info!("note: {note}"));
    check_labels(source, &listing, data_set.unknown_ages)?;
    match (&request.split, published) {
        (SplitChoice::Seeded, _) => remove_splits(&mut listing),
        (_, Some(published)) => set_splits(&mut listing, published)?,
        (_, None) => (),
    }
    let extraction = match config.aligned {
        true => FaceExtraction::Aligned,
        false => {
            let quality = FaceQuality { min_sharpness: config.min_sharpness, max_yaw: config.max_yaw };
            let detector = face_detector(YunetConfig::default(), &devices::open(&request.device)?);
            FaceExtraction::Detect { detector: Box::new(detector), min_side: config.min_face, quality }
        }
    };
    let (faces, mut excluded) = SourceFaces::new(folder, listing.images, extraction, config.size);
    excluded.extend_from_slice(tree.excluded());
    Ok((source.name().into(), Box::new(faces), excluded))
}

fn synthetic(request: &PrepareRequest) -> Box<dyn FaceSet> {
    let config = SyntheticConfig::new()
        .with_identities(request.identities)
        .with_size(request.config.size)
        .with_seed(request.config.seed);
    Box::new(SyntheticFaces::new(config, &request.config.age_groups))
}

/// Rejects labels without a usable image, or with mostly unknown ages unless that is allowed.
fn check_labels(source: &dyn Source, listing: &Listing, unknown_ages: UnknownAges) -> Result<()> {
    let faults = || listing.images.iter().filter_map(|image| Some((image, image.label.as_ref().err()?)));
    let dates = || faults().filter(|(_, fault)| fault.cause == Cause::SpreadsheetDate);
    if let Some((image, fault)) = dates().next() {
        let line = image.line.map(|line| format!("line {line}: ")).unwrap_or_default();
        let rows = counted(dates().count(), "row is", "rows are");
        warn!("{rows} left out: {line}{}", fault.reason);
    }
    let [usable, ageless] = listing.usable_and_ageless();
    if usable == 0 {
        let Some((image, fault)) = faults().next() else {
            bail!("the data set has no image if it is read as {}; select its kind with --source", source.name())
        };
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
    if is_minority || unknown_ages == UnknownAges::Allow {
        info!("note: {unknown}");
        return Ok(());
    }
    let is_of_age = |note: &&TableNote| matches!(note, TableNote::MissingColumn { ours: "age", .. });
    let missing_column = listing.notes.iter().find(is_of_age);
    let missing_column = missing_column.map(|note| format!(" ({note})")).unwrap_or_default();
    bail!(
        "{unknown}{missing_column}; the age and aging stages need ages: give a table of them (--table FILE, --column \
         age=NAME), or use --allow-unknown-ages for faces that only the identity stage uses"
    )
}

/// Removes the official split, so that all faces are split by seed.
fn remove_splits(listing: &mut Listing) {
    let labels = listing.images.iter_mut().filter_map(|image| image.label.as_mut().ok());
    labels.for_each(|label| label.split = None);
}

fn set_splits(listing: &mut Listing, published: &PublishedSplit) -> Result<()> {
    let applied = published.apply(&mut listing.images)?;
    info!(
        "--split lists {}; {} split by seed; {} no usable image",
        counted(applied.listed, "image", "images"),
        counted(applied.unlisted, "other is", "others are"),
        counted(applied.unused_entries, "of its entries names", "of its entries name")
    );
    Ok(())
}
