//! Sample grids: a few fixed faces at every age group, rendered during training.

use burn::tensor::Device;
use image::RgbImage;
use ipcgan_data::{FaceSet, photo};
use ipcgan_model::AgeGroups;

use super::model::AgingModel;
use crate::samples::sample_grid;
use crate::trainer::SampleGridRenderer;
use crate::{RunFolder, TrainingConfig, TrainingError};

/// Rows of a grid.
const FACES: usize = 8;

/// Writes a grid every few steps: one row per face with the source first, then one column per age group.
pub(crate) struct SampleGrids {
    run: RunFolder,
    faces: Vec<RgbImage>,
    groups: AgeGroups,
    every: usize,
    steps: usize,
    device: Device,
}

impl SampleGrids {
    /// Grids of faces spread evenly over `faces`, at the interval in `config`.
    pub(crate) fn new(
        run: RunFolder,
        faces: &dyn FaceSet,
        config: &TrainingConfig,
        device: &Device,
    ) -> Result<Self, TrainingError> {
        let count = FACES.min(faces.len());
        let images = (0..count).map(|row| {
            let image = faces.image(row * faces.len() / count)?;
            Ok::<_, TrainingError>(photo::resized(&image, config.generator.image_size as u32))
        });
        Ok(Self {
            run,
            faces: images.collect::<Result<_, _>>()?,
            groups: config.age_groups.clone(),
            every: config.aging.sample_every,
            steps: config.aging.steps,
            device: device.clone().inner(),
        })
    }
}

impl SampleGridRenderer<AgingModel> for SampleGrids {
    fn after_step(&self, step: usize, model: &AgingModel) -> Result<Option<RgbImage>, TrainingError> {
        if !step.is_multiple_of(self.every) && step != self.steps {
            return Ok(None);
        }
        let grid = self.grid(model);
        photo::write_png(&self.run.sample(step), &grid)?;
        Ok(Some(grid))
    }

    fn dry_run(&self, model: &AgingModel) {
        let _ = self.grid(model);
    }
}

impl SampleGrids {
    fn grid(&self, model: &AgingModel) -> RgbImage {
        let generator = model.ema_generator().clone().into_inference();
        sample_grid(&generator, &self.groups, &self.faces, &self.device)
    }
}
