//! Losses of discriminator and generator.

use burn::tensor::Tensor;
use ipcgan_data::AgingBatch;
use ipcgan_model::FrozenAlexNet;
use ipcgan_model::loss::{
    adversarial_loss, age_loss, chroma_loss, discriminator_loss, identity_loss, perceptual_identity_loss,
    prototype_loss, reconstruction_loss,
};

use crate::config::{AgingTraining, IdentityLoss};
use crate::step::objective::{Loss, Objective};

/// Names of the metrics that show whether the training is balanced.
pub(super) const DISCRIMINATOR: &str = "discriminator";
pub(super) const ADVERSARIAL: &str = "adversarial";
pub(super) const DIVERSITY: &str = "diversity";
/// Names of the losses of the projected discriminator.
const PROJECTED_DISCRIMINATOR: &str = "projected discriminator";
const PROJECTED: &str = "projected adversarial";
/// Names of the other metrics of a step.
pub(super) const AGE_ACCURACY: &str = "age accuracy";
pub(super) const DISCRIMINATOR_GRADIENT_NORM: &str = "discriminator gradient norm";
pub(super) const GENERATOR_GRADIENT_NORM: &str = "generator gradient norm";
/// Names of the other losses of the generator; the prototype loss is the only one of the pretraining.
const IDENTITY: &str = "identity";
const AGE: &str = "age";
const RECONSTRUCTION: &str = "reconstruction";
const PROTOTYPE: &str = "prototype";
const CHROMA: &str = "chroma";

/// Objective of the discriminator: `λ1 L_D`, from its scores for real faces, real faces of another group and
/// generated faces, and the same loss of the projected discriminator.
pub(super) fn discriminator_objective(config: &AgingTraining) -> Objective<DiscriminatorOutputs> {
    let weights = &config.weights;
    Objective::new([
        Loss::new(DISCRIMINATOR, weights.adversarial, DiscriminatorOutputs::patch_loss),
        Loss::new(PROJECTED_DISCRIMINATOR, weights.projected, DiscriminatorOutputs::projected).optional(),
    ])
}

/// Inputs of the discriminator's loss.
pub(super) struct DiscriminatorOutputs {
    /// Scores of real faces, of real faces with a mismatched group and of generated faces,
    /// `[3 batch, channels, height, width]`.
    pub(super) scores: Tensor<4>,
    /// Those of the projected discriminator, if there is one.
    pub(super) projected_scores: Option<Tensor<4>>,
    /// Weight of the real faces with a mismatched group relative to the generated faces.
    pub(super) mismatched_weight: f64,
}

impl DiscriminatorOutputs {
    fn patch_loss(&self) -> Tensor<1> {
        discriminator_loss(self.scores.clone(), self.mismatched_weight)
    }

    fn projected(&self) -> Tensor<1> {
        discriminator_loss(expect_projected(&self.projected_scores), self.mismatched_weight)
    }
}

/// The scores of the projected discriminator, which settings with a weight for its loss have.
fn expect_projected(scores: &Option<Tensor<4>>) -> Tensor<4> {
    scores.clone().expect("settings with a weight for its loss have a projected discriminator")
}

/// Objective of the generator: `λ1 L_G + λ2 L_identity + λ3 L_age`, and losses that are not in the paper.
pub(super) fn generator_objective(config: &AgingTraining) -> Objective<GeneratorOutputs> {
    let weights = &config.weights;
    Objective::new([
        // The discriminator learns as well, so its scores of held-out faces at different steps cannot be compared.
        Loss::new(ADVERSARIAL, weights.adversarial, GeneratorOutputs::adversarial).without_validation(),
        Loss::new(PROJECTED, weights.projected, GeneratorOutputs::projected).without_validation().optional(),
        match config.identity_loss {
            IdentityLoss::Conv5 => Loss::new(IDENTITY, weights.identity, GeneratorOutputs::identity),
            IdentityLoss::Perceptual => Loss::new(IDENTITY, weights.identity, GeneratorOutputs::perceptual_identity),
        },
        Loss::new(AGE, weights.age, GeneratorOutputs::age),
        Loss::new(RECONSTRUCTION, weights.reconstruction, GeneratorOutputs::reconstruction).optional(),
        Loss::new(PROTOTYPE, weights.prototype, GeneratorOutputs::prototype).optional(),
        Loss::new(CHROMA, weights.chroma, GeneratorOutputs::chroma).optional(),
    ])
}

/// Objective of the generator's pretraining, from the batch and the generated faces.
pub(super) fn pretraining_objective(config: &AgingTraining) -> Objective<(AgingBatch, Tensor<4>)> {
    Objective::new([Loss::new(PROTOTYPE, config.weights.prototype, |(batch, generated): &(AgingBatch, Tensor<4>)| {
        prototype_loss(generated.clone(), batch.expected.clone())
    })])
}

/// Inputs of the generator's losses.
pub(super) struct GeneratorOutputs {
    pub(super) batch: AgingBatch,
    /// The source faces aged to their target groups, `[batch, 3, height, width]`.
    pub(super) generated: Tensor<4>,
    /// Scores of the discriminator for the generated faces, `[batch, channels, height, width]`.
    pub(super) scores: Tensor<4>,
    /// Scores of the projected discriminator, `[batch, scores, 1, 1]`, if there is one.
    pub(super) projected_scores: Option<Tensor<4>>,
    /// AlexNet's feature maps conv2 to conv5 of the generated faces, and of the source faces, each
    /// `[batch, channels, height, width]`.
    pub(super) maps: [Tensor<4>; 4],
    pub(super) source_maps: [Tensor<4>; 4],
    /// Logits of the age classifier for the generated faces, `[batch, groups]`.
    pub(super) age_logits: Tensor<2>,
}

impl GeneratorOutputs {
    /// The outputs for the `generated` faces of `batch`, with the scores of both discriminators. `windows` are the
    /// generated and the source faces, augmented and cropped for AlexNet.
    pub(super) fn new(
        batch: &AgingBatch,
        generated: Tensor<4>,
        (scores, projected_scores): (Tensor<4>, Option<Tensor<4>>),
        alexnet: &FrozenAlexNet,
        windows: [Tensor<4>; 2],
    ) -> Self {
        let [maps, source_maps] = windows.map(|faces| alexnet.feature_maps(faces));
        let [.., features] = maps.clone();
        let age_logits = alexnet.age_logits(features);
        Self { batch: batch.clone(), generated, scores, projected_scores, maps, source_maps, age_logits }
    }

    fn adversarial(&self) -> Tensor<1> {
        adversarial_loss(self.scores.clone())
    }

    fn projected(&self) -> Tensor<1> {
        adversarial_loss(expect_projected(&self.projected_scores))
    }

    fn identity(&self) -> Tensor<1> {
        let ([.., generated], [.., source]) = (self.maps.clone(), self.source_maps.clone());
        identity_loss(generated, source)
    }

    fn perceptual_identity(&self) -> Tensor<1> {
        perceptual_identity_loss(self.maps.clone(), self.source_maps.clone())
    }

    fn age(&self) -> Tensor<1> {
        age_loss(self.age_logits.clone(), self.batch.target.clone())
    }

    fn reconstruction(&self) -> Tensor<1> {
        reconstruction_loss(self.generated.clone(), self.batch.source.clone(), self.batch.own_group.clone())
    }

    fn chroma(&self) -> Tensor<1> {
        chroma_loss(self.generated.clone(), self.batch.expected.clone())
    }

    fn prototype(&self) -> Tensor<1> {
        prototype_loss(self.generated.clone(), self.batch.expected.clone())
    }
}
