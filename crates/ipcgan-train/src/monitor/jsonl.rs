//! JSON lines, one per step: `{"step":12,"loss":0.5}`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ipcgan_system::write_atomic;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use super::sink::{Message, Scalars, Sink, Split, access};
use crate::{RunFolder, Stage, TrainingError};

/// Key of the step.
const STEP: &str = "step";
/// Flush interval.
const FLUSH: Duration = Duration::from_secs(5);

/// `log/<stage>/train.jsonl` and `valid.jsonl`.
pub(super) struct JsonLines {
    files: [(PathBuf, BufWriter<File>); 2],
    flushed: Instant,
}

impl JsonLines {
    /// Opens the files of `stage` to continue after `done` training steps and the validation after step `validated`;
    /// lines of later steps, and a truncated last line, are dropped.
    pub(super) fn open(run: &RunFolder, stage: Stage, done: usize, validated: usize) -> Result<Self, TrainingError> {
        let folder = run.log(stage)?;
        let file = |split: Split, last: usize| {
            let path = folder.join(format!("{}.jsonl", split.name()));
            truncate_after(&path, last).map_err(access(&path))?;
            let file = OpenOptions::new().create(true).append(true).open(&path).map_err(access(&path))?;
            Ok::<_, TrainingError>((path, BufWriter::new(file)))
        };
        Ok(Self { files: [file(Split::Train, done)?, file(Split::Valid, validated)?], flushed: Instant::now() })
    }

    /// Existing contents of the files.
    pub(super) fn scalars(&self) -> Result<Vec<(Split, usize, Scalars)>, TrainingError> {
        let mut all = Vec::new();
        for (split, (path, _)) in Split::ALL.into_iter().zip(&self.files) {
            let lines = lines(path).map_err(access(path))?;
            all.extend(lines.iter().filter_map(|line| parsed(line)).map(|(step, scalars)| (split, step, scalars)));
        }
        Ok(all)
    }

    fn flush(&mut self) -> Result<(), TrainingError> {
        self.files.iter_mut().try_for_each(|(path, file)| file.flush().map_err(access(path)))
    }
}

impl Sink for JsonLines {
    fn record(&mut self, message: &Message) -> Result<(), TrainingError> {
        let Message::Scalars { split, step, scalars } = message else { return Ok(()) };
        let (path, file) = &mut self.files[*split as usize];
        serde_json::to_writer(&mut *file, &Line { step: *step, scalars })
            .map_err(io::Error::from)
            .and_then(|()| file.write_all(b"\n"))
            .map_err(access(path))?;
        if *split == Split::Valid || self.flushed.elapsed() >= FLUSH {
            self.flushed = Instant::now();
            self.flush()?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), TrainingError> {
        self.flush()?;
        self.files.iter().try_for_each(|(path, file)| file.get_ref().sync_data().map_err(access(path)))
    }

    fn finish(&mut self) -> Result<(), TrainingError> {
        self.sync()
    }
}

/// One line; borrows its metrics.
struct Line<'a> {
    step: usize,
    scalars: &'a Scalars,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(Some(1 + self.scalars.len()))?;
        line.serialize_entry(STEP, &self.step)?;
        self.scalars.iter().try_for_each(|(name, value)| line.serialize_entry(name, value))?;
        line.end()
    }
}

/// Complete lines of the file, if it exists.
fn lines(path: &Path) -> io::Result<Vec<String>> {
    match File::open(path) {
        Ok(file) => BufReader::new(file).split(b'\n').map(|line| Ok(String::from_utf8_lossy(&line?).into())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn truncate_after(path: &Path, done: usize) -> io::Result<()> {
    let before = lines(path)?;
    let kept: Vec<&String> = before.iter().filter(|line| parsed(line).is_some_and(|(step, _)| step <= done)).collect();
    match (kept.is_empty(), kept.len() == before.len()) {
        (_, true) => Ok(()),
        (true, _) => fs::remove_file(path),
        (false, _) => write_atomic(path, kept.iter().flat_map(|line| [line, "\n"]).collect::<String>().as_bytes()),
    }
}

/// Step and metrics of a line; values that JSON cannot represent are left out.
fn parsed(line: &str) -> Option<(usize, Scalars)> {
    let Value::Object(fields) = serde_json::from_str(line).ok()? else { return None };
    let step = fields.get(STEP)?.as_u64()? as usize;
    let scalars = fields.iter().filter(|(name, _)| *name != STEP);
    Some((step, scalars.filter_map(|(name, value)| Some((name.clone().into(), value.as_f64()?))).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(run: &RunFolder, done: usize, steps: std::ops::Range<usize>) -> Vec<usize> {
        let mut lines = JsonLines::open(run, Stage::Age, done, 0).unwrap();
        for step in steps {
            let scalars = vec![("loss".into(), 0.5)];
            lines.record(&Message::Scalars { split: Split::Train, step, scalars }).unwrap();
        }
        lines.finish().unwrap();
        lines.scalars().unwrap().into_iter().map(|(_, step, _)| step).collect()
    }

    #[test]
    fn repeated_steps_are_recorded_once() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path());

        assert_eq!(recorded(&run, 0, 1..5), [1, 2, 3, 4]);
        assert_eq!(recorded(&run, 2, 3..6), [1, 2, 3, 4, 5]);
        assert_eq!(recorded(&run, 0, 1..2), [1]);
    }

    #[test]
    fn a_validation_after_the_last_checkpoint_is_recorded_once() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path());
        let validated = |validated: usize, step: usize| {
            let mut lines = JsonLines::open(&run, Stage::Age, 4, validated).unwrap();
            lines.record(&Message::Scalars { split: Split::Valid, step, scalars: vec![("loss".into(), 0.5)] }).unwrap();
            lines.finish().unwrap();
            lines.scalars().unwrap().into_iter().map(|(_, step, _)| step).collect::<Vec<_>>()
        };

        assert_eq!(validated(0, 2), [2]);
        assert_eq!(validated(2, 4), [2, 4]);
        assert_eq!(validated(2, 4), [2, 4], "the checkpoint of step 4 was made before its validation");
    }

    #[test]
    fn metrics_are_on_disk_before_the_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path());
        let recorder = super::super::Recorder::new(&run, Stage::Age, 0, 0).unwrap();
        recorder.step(1, [("loss", 0.5)].into_iter());

        recorder.sync();

        let text = fs::read_to_string(run.log(Stage::Age).unwrap().join("train.jsonl")).unwrap();
        assert_eq!(text, "{\"step\":1,\"loss\":0.5}\n");
    }

    #[test]
    fn a_truncated_line_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path());
        let path = run.log(Stage::Age).unwrap().join("train.jsonl");
        fs::write(&path, "{\"step\":1,\"loss\":2.5}\n{\"step\":2,\"lo").unwrap();

        assert_eq!(recorded(&run, 2, 3..4), [1, 3]);
        assert_eq!(fs::read_to_string(&path).unwrap().lines().next(), Some("{\"step\":1,\"loss\":2.5}"));
    }
}
