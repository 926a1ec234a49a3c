//! Evaluation of a generator.

use ipcgan_data::FaceSet;
use ipcgan_model::AlexNet;
use ipcgan_train::TrainingError;
use ipcgan_train::evaluation::{self, EvaluatedGenerator, Evaluation, Judges};

use crate::FaceAging;

impl FaceAging {
    /// Evaluates the generator on at most `count` of `faces`; see [`evaluation::evaluate`].
    ///
    /// `known` are the training faces, whose mean faces make a baseline; `alexnet` is the network that the generator
    /// was trained with, if it is available; `progress` receives the number of faces done and the total.
    ///
    /// # Errors
    /// As [`evaluation::evaluate`].
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
