//! Summary of a prepared data set.

use ipcgan::AgeGroups;
use ipcgan::data::preparation::Prepared;
use ipcgan::data::{Cause, Split, counted};
use log::{info, warn};

/// Prints faces by age group and split, excluded images by reason, and the readiness for each training stage.
pub(super) fn report_prepared(prepared: &Prepared, groups: &AgeGroups) {
    let count = |group, split| {
        prepared.faces.iter().filter(|(_, label)| label.group == group && label.split == Some(split)).count()
    };
    let line = |name: &str, group| {
        let [train, valid, test] = Split::ALL.map(|split| count(group, split));
        info!("{name:<12}{train:>8}{valid:>8}{test:>8}");
    };
    info!("{:<12}{:>8}{:>8}{:>8}", "age group", "train", "valid", "test");
    groups.indices().for_each(|group| line(&groups.name(group), Some(group)));
    if prepared.faces.iter().any(|(_, label)| label.group.is_none()) {
        line("unknown", None);
    }
    let faces = counted(prepared.faces.len(), "face", "faces");
    let images = counted(prepared.excluded.len(), "image", "images");
    info!("{faces}; {images} left out");
    let mut excluded: Vec<_> = prepared.excluded.iter().collect();
    excluded.sort_by_key(|excluded| excluded.fault.cause);
    for same in excluded.chunk_by(|one, other| one.fault.cause == other.fault.cause) {
        info!("{:>8}  {}, such as {}", same.len(), same[0].fault.cause, same[0]);
    }
    if prepared.excluded.len() > 1 {
        info!("          excluded.csv names each with its reason");
    }
    let failed = || prepared.excluded.iter().filter(|excluded| excluded.fault.cause == Cause::Failed);
    if let Some(first) = failed().next() {
        let images = counted(failed().count(), "image is", "images are");
        warn!("{images} left out because the preparation failed, such as {first}; try --device cpu");
    }
    prepared.readiness(groups).lines().iter().for_each(|line| info!("{line}"));
}
