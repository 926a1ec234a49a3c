//! Monitors of a stage: JSON lines, TensorBoard events, plots, progress lines and dashboard.
//!
//! A separate thread writes the files, so that training does not wait.

pub(crate) mod dashboard;
mod jsonl;
pub(crate) mod lines;
pub(crate) mod parameter_values;
mod plots;
mod sink;
mod tensorboard;
pub(crate) mod validation_logger;

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use image::RgbImage;

use crate::{RunFolder, Stage, TrainingError};
use jsonl::JsonLines;
use plots::Plots;
use sink::{Message, Sink, Split};
use tensorboard::Events;

/// Messages in the queue of the writer thread; beyond that training waits.
const QUEUE_LENGTH: usize = 1024;

/// Sends metrics, images and weights of a stage to the writer thread.
pub(crate) struct Recorder {
    sender: Option<SyncSender<Message>>,
    writer: Option<JoinHandle<Result<(), TrainingError>>>,
}

impl Recorder {
    /// A recorder for `stage` in `run` after `done` steps, validated up to `validated`: entries of later steps, left
    /// by an earlier run, are dropped.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub(crate) fn new(run: &RunFolder, stage: Stage, done: usize, validated: usize) -> Result<Self, TrainingError> {
        let lines = JsonLines::open(run, stage, done, validated)?;
        let plots = Plots::new(run, stage, lines.scalars()?)?;
        let sinks: Vec<Box<dyn Sink>> =
            vec![Box::new(lines), Box::new(Events::create(run, stage, done)?), Box::new(plots)];
        let (sender, receiver) = sync_channel(QUEUE_LENGTH);
        let writer = std::thread::spawn(move || write(sinks, &receiver));
        Ok(Self { sender: Some(sender), writer: Some(writer) })
    }

    /// Metrics of the training step `step`.
    pub(crate) fn step(&self, step: usize, scalars: impl Iterator<Item = (&'static str, f64)>) {
        let scalars = scalars.map(|(name, value)| (name.into(), value)).collect();
        self.send(Message::Scalars { split: Split::Train, step, scalars });
    }

    /// Validation metrics after step `step`.
    pub(crate) fn validation(&self, step: usize, scalars: impl Iterator<Item = (&'static str, f64)>) {
        let scalars = scalars.map(|(name, value)| (name.into(), value)).collect();
        self.send(Message::Scalars { split: Split::Valid, step, scalars });
    }

    /// The image `name` after step `step`.
    pub(crate) fn image(&self, step: usize, name: &'static str, image: RgbImage) {
        self.send(Message::Image { step, name, image });
    }

    /// The weights `name` after step `step`.
    pub(crate) fn weights(&self, step: usize, name: String, values: Vec<f32>) {
        self.send(Message::Weights { step, name, values });
    }

    /// Waits until all metrics so far are on disk: a checkpoint must never be ahead of the log.
    pub(crate) fn sync(&self) {
        let (sender, receiver) = sync_channel(1);
        self.send(Message::Sync(sender));
        // A writer that failed does not answer; `finish` returns its error.
        let _ = receiver.recv();
    }

    /// Waits until everything is written.
    ///
    /// # Errors
    /// A file could not be written.
    pub(crate) fn finish(&mut self) -> Result<(), TrainingError> {
        self.sender = None;
        match self.writer.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(result) => result.expect("writing does not panic"),
        }
    }

    /// Sends `message`. A writer that failed has stopped; [`Recorder::finish`] returns its error.
    fn send(&self, message: Message) {
        if let Some(sender) = &self.sender {
            let _ = sender.send(message);
        }
    }

    /// Whether the writer has failed, so that nothing is recorded any more.
    pub(crate) fn has_failed(&self) -> bool {
        self.sender.is_some() && self.writer.as_ref().is_some_and(JoinHandle::is_finished)
    }
}

fn write(mut sinks: Vec<Box<dyn Sink>>, messages: &Receiver<Message>) -> Result<(), TrainingError> {
    for message in messages {
        sinks.iter_mut().try_for_each(|sink| sink.record(&message))?;
        if let Message::Sync(done) = message {
            sinks.iter_mut().try_for_each(|sink| sink.sync())?;
            let _ = done.send(());
        }
    }
    sinks.iter_mut().try_for_each(|sink| sink.finish())
}
