//! How well a generator ages faces.

use ipcgan_data::FaceSet;
use ipcgan_model::AlexNet;
use ipcgan_train::TrainingError;
use ipcgan_train::evaluation::{self, EvaluatedGenerator, Evaluation, Judges};

use crate::FaceAging;

impl FaceAging {
    /// Measures how well it ages at most `count` of `faces`, by [`evaluation::evaluate`], beside the mean differences of
    /// `known` faces, and the `alexnet` that it learned from if there is one; `progress` is told how many of how many steps are done.
    ///
    /// # Errors
    /// As those of [`evaluation::evaluate`].
    pub fn evaluate(
        &self,
        faces: &dyn FaceSet,
        known: &dyn FaceSet,
        count: usize,
        judges: &Judges,
        alexnet: Option<&AlexNet>,
        progress: &dyn Fn(usize, usize),
    ) -> Result<Evaluation, TrainingError> {
        let subject = EvaluatedGenerator {
            generator: &self.generator,
            groups: self.age_groups(),
            size: self.image_size(),
            device: &self.device,
            alexnet,
        };
        evaluation::evaluate(&subject, faces, known, count, judges, progress)
    }
}
