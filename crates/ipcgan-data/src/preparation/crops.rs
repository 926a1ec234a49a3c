//! Writes the face crops with several threads.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ipcgan_system::catch_panic;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use super::PrepareOptions;
use super::fingerprint::Fingerprint;
use super::folder::file_name;
use super::journal::{Done, Journal};
use crate::excluded::Fault;
use crate::{DataError, FaceSet, photo};

/// Result of one face.
type Outcome = Result<Done, Fault>;

/// Writes the crop of each face that is not in `done`; `None` if it was stopped.
///
/// Each thread is its own pool and runs its arithmetic there: images are many and small, and a thread that waits for
/// the arithmetic of others must not start a second image meanwhile.
pub(super) fn write_crops(
    faces: &dyn FaceSet,
    done: &HashMap<String, Done>,
    folder: &Path,
    journal: &Journal,
    options: &PrepareOptions<'_>,
) -> Result<Option<Vec<Outcome>>, DataError> {
    let outcomes = Mutex::new(vec![None; faces.len()]);
    let error = Mutex::new(None);
    let [next, finished] = [AtomicUsize::new(0), AtomicUsize::new(0)];
    let work = || {
        while !options.stop.load(Ordering::Relaxed) && error.lock().expect("no holder panics").is_none() {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= faces.len() {
                return;
            }
            let name = faces.name(index);
            let outcome = match done.get(&name) {
                Some(done) => Ok(Ok(*done)),
                None => write_crop(faces, index, &name, folder, journal),
            };
            match outcome {
                Ok(outcome) => outcomes.lock().expect("no holder panics")[index] = Some(outcome),
                Err(found) => *error.lock().expect("no holder panics") = Some(found),
            }
            (options.progress)(finished.fetch_add(1, Ordering::Relaxed) + 1, faces.len());
        }
    };
    thread::scope(|scope| {
        for _ in 1..options.threads.min(faces.len()) {
            let Ok(pool) = pool_of_one() else { break };
            // If the system refuses more threads, the existing ones do the work.
            if thread::Builder::new().spawn_scoped(scope, move || pool.install(work)).is_err() {
                break;
            }
        }
        match pool_of_one() {
            Ok(pool) => pool.install(work),
            Err(_) => work(),
        }
    });
    match error.into_inner().expect("no holder panics") {
        Some(error) => Err(error),
        None => Ok(outcomes.into_inner().expect("no holder panics").into_iter().collect()),
    }
}

fn pool_of_one() -> Result<ThreadPool, ThreadPoolBuildError> {
    ThreadPoolBuilder::new().num_threads(1).build()
}

/// Writes the crop of one face.
fn write_crop(
    faces: &dyn FaceSet,
    index: usize,
    name: &str,
    folder: &Path,
    journal: &Journal,
) -> Result<Outcome, DataError> {
    // Taken before the image is read, so that an image that changes meanwhile is processed again.
    let source = faces.source_checksum(index);
    let made = catch_panic(|| faces.image(index).map(|face| (Fingerprint::of(&face), face)));
    let made = made.unwrap_or_else(|reason| Err(DataError::ImageFailed { path: name.into(), reason }));
    let (fingerprint, face) = match made {
        Ok(made) => made,
        // The detector or its device failed, so the images after this one would fail as well.
        Err(error @ DataError::DetectorFailed { .. }) => return Err(error),
        Err(error) => return Ok(Err(Fault::of(&error))),
    };
    let path = folder.join(file_name(name));
    let parent = path.parent().expect("an image is in a folder");
    fs::create_dir_all(parent).map_err(DataError::writing(parent))?;
    photo::write_png(&path, &face)?;
    let done = Done { fingerprint, source };
    journal.add(name, done)?;
    Ok(Ok(done))
}
