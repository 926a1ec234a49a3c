//! Evaluation of a generator.

use ipcgan_data::FaceSet;
use ipcgan_model::AlexNet;
use ipcgan_train::TrainingError;
use ipcgan_train::evaluation::{self, EvaluatedGenerator, Evaluation, Judges};

use crate::FaceAging;

impl FaceAging {
    /// Evaluates the generator on at most `count` of `faces` with [`evaluation::evaluate`], with the mean faces of
    /// `known` for a baseline and the `alexnet` that it was trained with, if there is one; `progress` receives done
    /// and total.
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
