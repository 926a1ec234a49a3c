//! Ages videos with face tracking and temporal smoothing.
//!
//! In reading order: [`tracked_faces`] smooths residuals over time; [`frames`] ages frames that are photos. A *clip* is
//! a video file, which `ffmpeg` decodes and encodes: [`program`] runs it, [`probe`] and [`first_frame`] describe a clip
//! and [`timing`] its frame rate, [`container`] and [`colours`] define how the result is stored, [`decoder`] and
//! [`encoder`] are pipes of frames, and [`clip_aging`] ages a [`clip`], with an [`aged_clip`] as result.

mod aged_clip;
mod clip;
mod clip_aging;
mod colours;
mod container;
mod decoder;
mod encoder;
mod first_frame;
pub(super) mod frames;
mod probe;
mod program;
mod timing;
mod tracked_faces;

pub(super) use aged_clip::AgedClip;
pub(super) use clip_aging::ClipAging;
pub(super) use container::Container;
