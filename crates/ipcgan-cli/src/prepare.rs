//! `ipcgan prepare`: a downloaded data set in, faces ready for training out.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use ipcgan::data::detection::YunetConfig;
use ipcgan::data::preparation::{PreparationConfig, Prepared, PublishedSplit, Watch, prepare};
use ipcgan::data::source::{FaceFinding, SourceFaces, SourcePicture, Table, Tree, by_name, recognised};
use ipcgan::data::{Columns, FaceSet, LeftOut, Split, SyntheticConfig, SyntheticFaces};
use ipcgan::{AgeGroups, face_detector};

use crate::arguments::{PrepareArguments, SYNTHETIC};
use crate::progress::Progress;
use crate::unfinished::{Unfinished, misused};
use crate::{answer_path, devices, report};

pub(crate) fn run(arguments: &PrepareArguments) -> Result<()> {
    let groups =
        AgeGroups::new(arguments.age_groups.clone()).map_err(|reason| misused(format!("--age-groups: {reason}")))?;
    if arguments.valid_share + arguments.test_share >= 1.0 {
        return Err(misused("--valid-share and --test-share leave nobody to learn from"));
    }
    let (source, faces, left_out) = match (&arguments.folder, arguments.source.as_deref()) {
        (None, Some(SYNTHETIC)) => drawn(arguments, &groups),
        (Some(_), Some(SYNTHETIC)) => {
            return Err(misused(format!("--source {SYNTHETIC} draws faces and reads no folder")));
        }
        (Some(folder), _) => downloaded(folder, arguments, &groups)?,
        (None, _) => {
            return Err(misused(format!(
                "give the FOLDER into which the data set was unpacked, or --source {SYNTHETIC}"
            )));
        }
    };
    let config = PreparationConfig {
        source,
        size: arguments.size,
        aligned: arguments.aligned,
        least_face: arguments.least_face,
        find_same_pictures: arguments.folder.is_some(),
        age_groups: groups.clone(),
        seed: arguments.seed,
        valid_share: arguments.valid_share,
        test_share: arguments.test_share,
    };
    let progress = Progress::new("preparing faces");
    let stop = stopped_by_control_c()?;
    let mut watch = Watch { progress: &|done, all| progress.show(done, all), stop: &stop, ..Watch::default() };
    if let Some(threads) = arguments.threads {
        watch.threads = threads.into();
    }
    let prepared = prepare(&*faces, left_out, &arguments.out, &config, &watch);
    progress.finish();
    let Some(prepared) = prepared? else {
        return Err(Unfinished::Stopped("stopped; the same command goes on with what is missing".into()).into());
    };
    say_what_is_there(&prepared, &groups);
    for name in ["report.html", "metadata.csv"] {
        answer_path(&arguments.out.join(name));
    }
    Ok(())
}

/// A data set as it was downloaded: what kind it is, its faces, and what cannot be used.
fn downloaded(
    folder: &Path,
    arguments: &PrepareArguments,
    groups: &AgeGroups,
) -> Result<(String, Box<dyn FaceSet>, Vec<LeftOut>)> {
    if folder.canonicalize().is_ok_and(|folder| Some(folder) == arguments.out.canonicalize().ok()) {
        return Err(misused(format!(
            "{} is the data set itself; give another folder as --out",
            arguments.out.display()
        )));
    }
    let tree = Tree::read(folder, Some(&arguments.out))?;
    let csv = arguments.table.as_ref().is_some_and(|table| table.extension().is_some_and(|ending| ending == "csv"));
    let named = arguments.source.as_deref().or(csv.then_some("csv"));
    let source = named.map_or_else(|| recognised(&tree), |name| by_name(name).expect("the arguments were checked"));
    let table = Table { path: arguments.table.clone(), columns: columns(&arguments.columns)? };
    let mut pictures = source.pictures(&tree, &table, groups)?;
    report(&format!("{} is read as {} ({})", folder.display(), source.name(), source.about()));
    set_sides(&mut pictures, &arguments.split)?;
    let finding = match arguments.aligned {
        true => FaceFinding::Aligned,
        false => {
            let detector = face_detector(YunetConfig::default(), &devices::open(&arguments.device)?);
            FaceFinding::Detected { detector: Box::new(detector), least_side: arguments.least_face }
        }
    };
    let (faces, mut left_out) = SourceFaces::new(folder, pictures, finding, arguments.size);
    left_out.extend_from_slice(tree.left_out());
    Ok((source.name().into(), Box::new(faces), left_out))
}

fn drawn(arguments: &PrepareArguments, groups: &AgeGroups) -> (String, Box<dyn FaceSet>, Vec<LeftOut>) {
    let config =
        SyntheticConfig::new().with_identities(arguments.people).with_size(arguments.size).with_seed(arguments.seed);
    (SYNTHETIC.into(), Box::new(SyntheticFaces::new(config, groups)), Vec::new())
}

fn columns(renamed: &[String]) -> Result<Columns> {
    let mut columns = Columns::default();
    for text in renamed {
        let unclear = || misused(format!("--column {text} is not of the form OURS=THEIRS"));
        let (ours, theirs) = text.split_once('=').ok_or_else(unclear)?;
        columns.rename(ours, theirs).map_err(|reason| misused(format!("--column {text}: {reason}")))?;
    }
    Ok(columns)
}

fn set_sides(pictures: &mut [SourcePicture], how: &Path) -> Result<()> {
    match how.to_str() {
        Some("source") => (),
        Some("seeded") => {
            pictures.iter_mut().filter_map(|picture| picture.label.as_mut().ok()).for_each(|label| label.split = None);
        }
        _ => PublishedSplit::read(how)?.apply(pictures)?,
    }
    Ok(())
}

fn say_what_is_there(prepared: &Prepared, groups: &AgeGroups) {
    let count = |group, split| {
        prepared.faces.iter().filter(|(_, label)| label.group == group && label.split == Some(split)).count()
    };
    let line = |name: &str, group| {
        let [train, valid, test] = Split::ALL.map(|split| count(group, split));
        report(&format!("{name:<12}{train:>8}{valid:>8}{test:>8}"));
    };
    report(&format!("{:<12}{:>8}{:>8}{:>8}", "age group", "train", "valid", "test"));
    groups.indices().for_each(|group| line(&groups.name(group), Some(group)));
    if prepared.faces.iter().any(|(_, label)| label.group.is_none()) {
        line("unknown", None);
    }
    report(&format!("{} faces; {} pictures left out", prepared.faces.len(), prepared.left_out.len()));
    let mut causes: Vec<_> = prepared.left_out.iter().map(|left_out| left_out.fault.cause).collect();
    causes.sort_unstable();
    for same in causes.chunk_by(|one, other| one == other) {
        report(&format!("{:>8}  {}", same.len(), same[0]));
    }
}

/// The first Ctrl-C ends the work in good order; the second one ends at once.
fn stopped_by_control_c() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let handle = stop.clone();
    ctrlc::set_handler(move || {
        if handle.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        report("stopping after the pictures in work; once more to stop at once");
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(stop)
}
