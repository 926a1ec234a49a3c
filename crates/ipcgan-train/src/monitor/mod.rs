//! What a stage leaves to look at while it runs: numbers as lines of JSON, TensorBoard events and plots.
//!
//! All of it is written by a thread of its own, so that training waits for none of it.

mod jsonl;
mod plots;
mod tensorboard;

pub use tensorboard::TENSORBOARD_FOLDER;

use std::borrow::Cow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use image::RgbImage;

use crate::{RunFolder, Stage, TrainingError};
use jsonl::JsonLines;
use plots::Plots;
use tensorboard::Events;

/// The two sides of a stage, which are never mixed up in names and files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Split {
    Train,
    Valid,
}

impl Split {
    const ALL: [Self; 2] = [Self::Train, Self::Valid];

    fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Valid => "valid",
        }
    }
}

/// Named numbers of a step.
type Scalars = Vec<(Cow<'static, str>, f64)>;

/// Messages that may wait; training waits for the writer beyond that.
const QUEUE_LENGTH: usize = 1024;

/// Something to look at.
enum Message {
    Scalars {
        split: Split,
        step: usize,
        scalars: Scalars,
    },
    Image {
        step: usize,
        name: &'static str,
        picture: RgbImage,
    },
    Weights {
        step: usize,
        name: String,
        values: Vec<f32>,
    },
    /// All messages before it are to be on the disk, whatever happens; the sender is told.
    Sync(SyncSender<()>),
}

/// Something that keeps what a stage shows.
trait Sink: Send {
    /// Takes `message`, or passes it by.
    fn record(&mut self, message: &Message) -> Result<(), TrainingError>;

    /// Has all that it kept so far on the disk, if a run that goes on needs it.
    fn sync(&mut self) -> Result<(), TrainingError> {
        Ok(())
    }

    /// Writes what is still held back.
    fn finish(&mut self) -> Result<(), TrainingError>;
}

/// Takes what a stage shows, and has it written.
pub(crate) struct Recorder {
    sender: Option<SyncSender<Message>>,
    writer: Option<JoinHandle<Result<(), TrainingError>>>,
}

impl Recorder {
    /// For `stage` in `run`, after `done` steps of which those until `validated` are validated: what earlier runs recorded of
    /// later ones is dropped.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub(crate) fn new(run: &RunFolder, stage: Stage, done: usize, validated: usize) -> Result<Self, TrainingError> {
        let lines = JsonLines::open(run, stage, [done, validated])?;
        let plots = Plots::new(run, stage, lines.scalars()?)?;
        let sinks: Vec<Box<dyn Sink>> =
            vec![Box::new(lines), Box::new(Events::create(run, stage, done)?), Box::new(plots)];
        let (sender, receiver) = sync_channel(QUEUE_LENGTH);
        let writer = std::thread::spawn(move || write(sinks, &receiver));
        Ok(Self { sender: Some(sender), writer: Some(writer) })
    }

    /// Numbers of the training step `step`.
    pub(crate) fn step(&self, step: usize, scalars: impl Iterator<Item = (&'static str, f64)>) {
        let scalars = scalars.map(|(name, value)| (name.into(), value)).collect();
        self.send(Message::Scalars { split: Split::Train, step, scalars });
    }

    /// Numbers measured on held-out faces after step `step`.
    pub(crate) fn validation(&self, step: usize, scalars: impl Iterator<Item = (&'static str, f64)>) {
        let scalars = scalars.map(|(name, value)| (name.into(), value)).collect();
        self.send(Message::Scalars { split: Split::Valid, step, scalars });
    }

    /// A picture called `name` after step `step`.
    pub(crate) fn picture(&self, step: usize, name: &'static str, picture: RgbImage) {
        self.send(Message::Image { step, name, picture });
    }

    /// The weights called `name` after step `step`.
    pub(crate) fn weights(&self, step: usize, name: String, values: Vec<f32>) {
        self.send(Message::Weights { step, name, values });
    }

    /// Waits until all numbers so far are on the disk: a checkpoint must never be ahead of the log.
    pub(crate) fn sync(&self) {
        let (sender, receiver) = sync_channel(1);
        self.send(Message::Sync(sender));
        // A writer that is gone answers nothing, and `finish` says why.
        let _ = receiver.recv();
    }

    /// Waits until all is written.
    ///
    /// # Errors
    /// Something could not be written.
    pub(crate) fn finish(&mut self) -> Result<(), TrainingError> {
        self.sender = None;
        match self.writer.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(result) => result.expect("writing does not panic"),
        }
    }

    /// A writer that is gone met an error, which [`Recorder::finish`] gives.
    fn send(&self, message: Message) {
        if let Some(sender) = &self.sender {
            let _ = sender.send(message);
        }
    }

    /// Whether something could not be written, so that nothing is recorded any more.
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

/// A file of the run, for errors that name it.
fn access(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> TrainingError {
    let path = path.to_path_buf();
    move |source| TrainingError::Access { path, source }
}
