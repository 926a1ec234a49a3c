//! TensorBoard event files.
//!
//! A file is records of `Event` messages (tensorflow/core/util/event.proto), each framed by its length and two masked
//! CRC-32C checksums (tensorflow/core/lib/io/record_writer.cc). A resumed run starts a new file.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{BufWriter, Cursor, Write};
use std::path::PathBuf;
use std::process;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use image::{ImageFormat, RgbImage};
use prost::Message as _;

use super::sink::{Message, Sink, Split, access};
use crate::run::folder::TENSORBOARD_FOLDER;
use crate::{RunFolder, Stage, TrainingError};

/// Flush interval.
const FLUSH: Duration = Duration::from_secs(5);
/// Bins of a histogram.
const COLUMNS: usize = 40;

/// The used subset of TensorBoard's protocol buffers.
mod protocol {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Event {
        #[prost(double, tag = "1")]
        pub wall_time: f64,
        #[prost(int64, tag = "2")]
        pub step: i64,
        #[prost(oneof = "What", tags = "3, 5, 7")]
        pub what: Option<What>,
    }

    #[derive(Clone, PartialEq, prost::Oneof)]
    pub(super) enum What {
        #[prost(string, tag = "3")]
        FileVersion(String),
        #[prost(message, tag = "5")]
        Summary(Summary),
        #[prost(message, tag = "7")]
        SessionLog(SessionLog),
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct SessionLog {
        #[prost(int32, tag = "1")]
        pub status: i32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Summary {
        #[prost(message, repeated, tag = "1")]
        pub values: Vec<Value>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Value {
        #[prost(string, tag = "1")]
        pub tag: String,
        #[prost(oneof = "Shown", tags = "2, 4, 5")]
        pub shown: Option<Shown>,
    }

    #[derive(Clone, PartialEq, prost::Oneof)]
    pub(super) enum Shown {
        #[prost(float, tag = "2")]
        Scalar(f32),
        #[prost(message, tag = "4")]
        Image(Image),
        #[prost(message, tag = "5")]
        Histogram(Histogram),
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Image {
        #[prost(int32, tag = "1")]
        pub height: i32,
        #[prost(int32, tag = "2")]
        pub width: i32,
        #[prost(int32, tag = "3")]
        pub channels: i32,
        #[prost(bytes = "vec", tag = "4")]
        pub png: Vec<u8>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Histogram {
        #[prost(double, tag = "1")]
        pub min: f64,
        #[prost(double, tag = "2")]
        pub max: f64,
        #[prost(double, tag = "3")]
        pub count: f64,
        #[prost(double, tag = "4")]
        pub sum: f64,
        #[prost(double, tag = "5")]
        pub sum_of_squares: f64,
        #[prost(double, repeated, tag = "6")]
        pub limits: Vec<f64>,
        #[prost(double, repeated, tag = "7")]
        pub counts: Vec<f64>,
    }
}

use protocol::{Event, Histogram, SessionLog, Shown, Summary, Value, What};

/// Event file of a stage.
pub(super) struct Events {
    path: PathBuf,
    file: BufWriter<File>,
    flushed: Instant,
}

impl Events {
    /// A new file for `stage` after `done` steps; TensorBoard ignores entries of older files for later steps.
    pub(super) fn create(run: &RunFolder, stage: Stage, done: usize) -> Result<Self, TrainingError> {
        /// Session status: started or resumed.
        const START: i32 = 1;
        let folder = run.path().join(TENSORBOARD_FOLDER).join(stage.name());
        fs::create_dir_all(&folder).map_err(access(&folder))?;
        // Names sort by time; the process id distinguishes two of the same second.
        let path = folder.join(format!("events.out.tfevents.{:010}.ipcgan.{}", now() as u64, process::id()));
        let file = BufWriter::new(File::create(&path).map_err(access(&path))?);
        let mut events = Self { path, file, flushed: Instant::now() };
        events.write(0, What::FileVersion("brain.Event:2".into()))?;
        if done > 0 {
            events.write(done + 1, What::SessionLog(SessionLog { status: START }))?;
        }
        Ok(events)
    }

    fn write(&mut self, step: usize, what: What) -> Result<(), TrainingError> {
        let event = Event { wall_time: now(), step: step as i64, what: Some(what) }.encode_to_vec();
        let length = (event.len() as u64).to_le_bytes();
        let parts = [&length[..], &masked_checksum(&length), &event, &masked_checksum(&event)];
        parts.into_iter().try_for_each(|part| self.file.write_all(part)).map_err(access(&self.path))
    }

    fn flush(&mut self) -> Result<(), TrainingError> {
        self.flushed = Instant::now();
        self.file.flush().map_err(access(&self.path))
    }
}

impl Sink for Events {
    fn record(&mut self, message: &Message) -> Result<(), TrainingError> {
        let (step, values) = match message {
            Message::Scalars { split, step, scalars } => {
                let value = |(name, value): &(Cow<'static, str>, f64)| Value {
                    tag: format!("{}/{}", tag(name), split.name()),
                    shown: Some(Shown::Scalar(*value as f32)),
                };
                (step, scalars.iter().map(value).collect())
            }
            Message::Image { step, name, image } => {
                (step, vec![Value { tag: tag(name), shown: Some(Shown::Image(png_image(image))) }])
            }
            Message::Weights { step, name, values } => {
                let shown = Shown::Histogram(histogram(values));
                (step, vec![Value { tag: format!("weights/{name}"), shown: Some(shown) }])
            }
            Message::Sync(_) => return Ok(()),
        };
        self.write(*step, What::Summary(Summary { values }))?;
        let now = matches!(message, Message::Scalars { split: Split::Valid, .. } | Message::Image { .. });
        if now || self.flushed.elapsed() >= FLUSH {
            self.flush()?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), TrainingError> {
        self.flush()
    }

    fn finish(&mut self) -> Result<(), TrainingError> {
        self.flush()
    }
}

/// `name` as a TensorBoard tag.
fn tag(name: &str) -> String {
    name.replace(' ', "_")
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Masked CRC-32C checksum of the record format.
fn masked_checksum(bytes: &[u8]) -> [u8; 4] {
    const MASK: u32 = 0xa282_ead8;
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(MASK).to_le_bytes()
}

fn png_image(image: &RgbImage) -> protocol::Image {
    let mut png = Cursor::new(Vec::new());
    image.write_to(&mut png, ImageFormat::Png).expect("writing to memory does not fail");
    protocol::Image { height: image.height() as i32, width: image.width() as i32, channels: 3, png: png.into_inner() }
}

fn histogram(values: &[f32]) -> Histogram {
    let values = || values.iter().map(|value| f64::from(*value)).filter(|value| value.is_finite());
    let (min, max) = values()
        .map(|value| (value, value))
        .reduce(|(min, max), (value, _)| (min.min(value), max.max(value)))
        .unwrap_or((0.0, 0.0));
    let width = ((max - min) / COLUMNS as f64).max(f64::MIN_POSITIVE);
    let mut counts = vec![0.0; COLUMNS];
    for value in values() {
        counts[(((value - min) / width) as usize).min(COLUMNS - 1)] += 1.0;
    }
    Histogram {
        min,
        max,
        count: values().count() as f64,
        sum: values().sum(),
        sum_of_squares: values().map(|value| value * value).sum(),
        limits: (1..=COLUMNS).map(|column| min + width * column as f64).collect(),
        counts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_the_checksums_of_tensorflow() {
        // From `tf.io.TFRecordWriter().write(b"abc")`.
        let length = 3u64.to_le_bytes();

        assert_eq!(masked_checksum(&length), [0xb0, 0x99, 0x49, 0x0e]);
        assert_eq!(masked_checksum(b"abc"), [0x6e, 0x57, 0xf1, 0x21]);
    }

    #[test]
    fn a_histogram_spans_the_minimum_and_the_maximum() {
        let histogram = histogram(&[1.0, 2.0]);

        assert_eq!((histogram.min, histogram.max), (1.0, 2.0));
        assert_eq!(super::histogram(&[]).counts.iter().sum::<f64>(), 0.0);
    }

    #[test]
    fn every_value_is_in_one_bin_of_a_histogram() {
        let histogram = histogram(&[-1.0, 0.0, 0.25, 1.0, f32::NAN]);

        assert_eq!(histogram.counts.iter().sum::<f64>(), 4.0);
        assert_eq!((histogram.counts[0], histogram.counts[COLUMNS - 1]), (1.0, 1.0));
        assert_eq!((histogram.min, histogram.max, histogram.count), (-1.0, 1.0, 4.0));
        assert!((histogram.limits[COLUMNS - 1] - 1.0).abs() < 1e-12);
    }
}
