//! Decides which faces of an earlier run still belong to the data set.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use rayon::prelude::*;

use super::folder::file_name;
use super::journal::Done;
use crate::{DataError, FaceSet};

/// Removes from `done` the faces whose source image was replaced by another image of the same name, with their crops.
///
/// # Errors
/// Most finished faces are not among `faces`, or have another source image there: the folder belongs to another data
/// set, possibly one with the same file names.
pub(super) fn remove_replaced(
    faces: &dyn FaceSet,
    done: &mut HashMap<String, Done>,
    folder: &Path,
) -> Result<(), DataError> {
    let checked = (0..faces.len()).into_par_iter().filter_map(|index| {
        let name = faces.name(index);
        let is_same = done.get(&name)?.source == faces.source_checksum(index);
        Some((name, is_same))
    });
    let (same, changed): (Vec<_>, Vec<_>) = checked.collect::<Vec<_>>().into_iter().partition(|(_, is_same)| *is_same);
    if 2 * same.len() < done.len() {
        return Err(DataError::OtherDataSet { path: folder.into(), done: done.len(), known: same.len() });
    }
    for (name, _) in changed {
        let path = folder.join(file_name(&name));
        fs::remove_file(&path).map_err(DataError::writing(path))?;
        done.remove(&name);
    }
    Ok(())
}
