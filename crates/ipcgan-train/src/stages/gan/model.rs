//! Generator and discriminator in training.

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use ipcgan_data::{AgingBatch, View};
use ipcgan_model::{
    AlexNet, Discriminator, Generator, Recogniser, StepGraph, WindowOffset, diversity, update_together, window,
};

use super::captured::CapturedStep;
use super::objective::{
    AGE_ACCURACY, DIVERSITY, DiscriminatorOutputs, GeneratorOutputs, discriminator_objective, generator_objective,
    pretraining_objective,
};
use crate::config::AgingTraining;
use crate::metric::realism::AgingValidation;
use crate::stages::frozen::{Frozen, FrozenRecogniser};
use crate::step::ema::{ema_decay, ema_update, first_parameter};
use crate::step::loss_scale::LossScale;
use crate::step::metrics::StepMetrics;
use crate::step::model::{accuracy, largest};
use crate::step::update::{StepGradients, gradients};

/// Fields of [`AgingModel`], which name its networks in parameter groups and checkpoints.
pub(super) const GENERATOR_FIELD: &str = "generator";
pub(super) const DISCRIMINATOR_FIELD: &str = "discriminator";
const EMA_FIELD: &str = "ema";

/// The networks of IPCGAN in training.
#[derive(Module, Debug)]
pub struct AgingModel {
    /// The generator.
    pub generator: Generator,
    /// The discriminator.
    pub discriminator: Discriminator,
    /// Exponential moving average (EMA) of the generator, if it is enabled.
    pub ema: Option<Generator>,
    /// Frozen identity network and age classifier; not part of the checkpoints.
    #[module(skip)]
    alexnet: Frozen,
    /// Frozen recogniser of the projected discriminator; not part of the checkpoints.
    #[module(skip)]
    recogniser: Option<FrozenRecogniser>,
    #[module(skip)]
    pub(crate) config: AgingTraining,
    /// Number of generator updates done.
    #[module(skip)]
    updates: usize,
    #[module(skip)]
    pub(crate) loss_scale: LossScale,
    /// The step as a GPU graph, if it is captured.
    #[module(skip)]
    pub(super) captured: Option<CapturedStep>,
}

impl AgingModel {
    /// The networks, with frozen `alexnet` and without EMA; losses are scaled as the generator's precision needs.
    ///
    /// # Panics
    /// If `config` has a weight for the losses of a projected discriminator, and `discriminator` has none.
    pub fn new(generator: Generator, discriminator: Discriminator, alexnet: AlexNet, config: AgingTraining) -> Self {
        let projected = config.weights.projected == 0.0 || discriminator.projected.is_some();
        assert!(projected, "weights.projected needs a projected discriminator");
        let alexnet = Frozen::new(alexnet);
        let generator = if config.suppress_checkerboard { generator.without_checkerboard() } else { generator };
        let loss_scale = LossScale::of(generator.precision());
        let captured = config.capture.then(CapturedStep::default);
        Self {
            generator,
            discriminator,
            ema: None,
            alexnet,
            recogniser: None,
            config,
            updates: 0,
            loss_scale,
            captured,
        }
    }

    /// With the frozen `recogniser`, on a device without autodiff, which a projected discriminator needs.
    pub fn with_recogniser(self, recogniser: Recogniser) -> Self {
        Self { recogniser: Some(FrozenRecogniser::new(recogniser)), ..self }
    }

    /// Enables the EMA. `ema` is a generator of the same architecture (not a clone, which would share its running
    /// statistics); its weights are overwritten.
    ///
    /// # Panics
    /// If `ema` has another architecture.
    pub fn with_ema(self, ema: Generator) -> Self {
        Self { ema: Some(ema_update(ema, &self.generator, 0.0).no_grad()), ..self }
    }

    /// The model after `steps` steps; checkpoints do not store the number of updates.
    pub fn after(self, steps: usize) -> Self {
        Self { updates: steps * self.config.generator_updates, ..self }
    }

    /// The EMA of the generator, or the generator itself without EMA; used for validation and saved weights.
    pub fn ema_generator(&self) -> &Generator {
        self.ema.as_ref().unwrap_or(&self.generator)
    }

    /// Field of a model with the settings `config` that holds its [`AgingModel::ema_generator`].
    pub(super) fn ema_generator_field(config: &AgingTraining) -> &'static str {
        if config.has_ema() { EMA_FIELD } else { GENERATOR_FIELD }
    }

    /// The source faces of `batch` aged to their target groups.
    ///
    /// # Shapes
    /// - returns: as [`AgingBatch::source`], `[batch, 3, height, width]`, RGB, in [-1, 1]
    ///
    /// # Panics
    /// If the batch does not have one target group for each source face.
    pub fn generated(&self, batch: &AgingBatch) -> Tensor<4> {
        self.generator.forward(batch.source.clone(), batch.target.clone())
    }

    /// Gradients of the discriminator's objective, `λ1 L_D` ([`discriminator_loss`](ipcgan_model::loss::discriminator_loss))
    /// and the same loss of the projected discriminator if there is one, and its metrics. The `generated` faces are
    /// detached.
    ///
    /// # Shapes
    /// - `generated`: as [`AgingBatch::source`], `[batch, 3, height, width]`, RGB, in [-1, 1]
    ///
    /// # Panics
    /// If `generated` has another shape than the source or the real faces of `batch`, if the discriminator has a
    /// [`ProjectedDiscriminator`](ipcgan_model::ProjectedDiscriminator) but the model no recogniser
    /// ([`AgingModel::with_recogniser`]), or if its loss has a weight but there is none.
    pub fn discriminator_gradients(&self, batch: &AgingBatch, generated: Tensor<4>) -> StepGradients {
        assert_eq!(generated.dims(), batch.source.dims(), "shapes of generated and source faces");
        const REAL: usize = 0;
        const GENERATED: usize = 1;
        let real = self.augmented(batch.real.clone(), batch, View::Real);
        let generated = self.augmented(generated.detach(), batch, View::Generated);
        let projected_scores = self.projected_scores([real.clone(), generated.clone()], batch);
        let features = self.discriminator.stem_features([real, generated]);
        let evaluations =
            [(REAL, batch.target.clone()), (REAL, batch.mismatched.clone()), (GENERATED, batch.target.clone())];
        let scores = self.discriminator.conditional_scores(features, evaluations);
        let outputs =
            DiscriminatorOutputs { scores, projected_scores, mismatched_weight: self.config.weights.mismatched };
        let (loss, metrics) = discriminator_objective(&self.config).training(&outputs, metrics(batch));
        StepGradients { metrics, gradients: gradients(loss, &self.discriminator, &self.loss_scale) }
    }

    /// Gradients of the generator's objective, the sum of its losses weighted by [`LossWeights`](crate::LossWeights), and
    /// its metrics.
    ///
    /// # Shapes
    /// - `generated`: from [`AgingModel::generated`] with this generator's weights, `[batch, 3, height, width]`, RGB, in
    ///   [-1, 1]
    ///
    /// # Panics
    /// If `generated` has another shape than the source faces of `batch`, or is smaller than the shifts of AlexNet's
    /// window; and for want of a recogniser or a projected discriminator, as [`AgingModel::discriminator_gradients`].
    pub fn generator_gradients(&self, batch: &AgingBatch, generated: Tensor<4>) -> StepGradients {
        assert_eq!(generated.dims(), batch.source.dims(), "shapes of generated and source faces");
        // The discriminator is frozen in this update.
        let discriminator = self.discriminator.clone().no_grad();
        let alexnet = self.alexnet.on(&generated.device());
        let diversity = diversity(generated.clone(), batch.source.clone());
        let augmented = self.augmented(generated.clone(), batch, View::GeneratorUpdate);
        let scores = self.scores(&discriminator, augmented.clone(), batch);
        let source = self.augmented(batch.source.clone(), batch, View::GeneratorUpdate);
        let windows = self.shifted_windows([augmented, source]);
        let outputs = GeneratorOutputs::new(batch, generated, scores, &alexnet, windows);
        let (loss, metrics) = generator_objective(&self.config).training(&outputs, metrics(batch));
        let metrics =
            metrics.with(AGE_ACCURACY, accuracy(outputs.age_logits, batch.target.clone())).with(DIVERSITY, diversity);
        StepGradients { metrics, gradients: gradients(loss, &self.generator, &self.loss_scale) }
    }
}

impl AgingModel {
    /// Whether the next step belongs to the pretraining of the generator.
    pub(super) fn is_pretraining(&self) -> bool {
        self.updates < self.config.pretraining_steps * self.config.generator_updates
    }

    /// Whether `gradients` are the generator's.
    pub(super) fn are_of_generator(&self, gradients: &GradientsParams) -> bool {
        first_parameter(&self.generator).is_some_and(|id| gradients.get::<4>(id).is_some())
    }

    /// Gradients of the generator's pretraining: the prototype loss alone, so that neither discriminator nor AlexNet runs.
    pub(super) fn pretraining_gradients(&self, batch: &AgingBatch, generated: Tensor<4>) -> StepGradients {
        let (loss, metrics) = pretraining_objective(&self.config).training(&(batch.clone(), generated), metrics(batch));
        StepGradients { metrics, gradients: gradients(loss, &self.generator, &self.loss_scale) }
    }

    /// Scores of `discriminator`, and of its projected discriminator if it has one, for generated `faces` of `batch`.
    fn scores(
        &self,
        discriminator: &Discriminator,
        faces: Tensor<4>,
        batch: &AgingBatch,
    ) -> (Tensor<4>, Option<Tensor<4>>) {
        let projected = discriminator.projected.as_ref().map(|projected| {
            projected.conditional_scores(projected.scores(self.feature_maps(faces.clone())), batch.target.clone())
        });
        (discriminator.forward(faces, batch.target.clone()), projected)
    }

    /// Scores of the projected discriminator, if there is one: of `real` faces, of the same with a mismatched group, and of
    /// `generated` faces, `[3 batch, scores, 1, 1]`.
    fn projected_scores(&self, [real, generated]: [Tensor<4>; 2], batch: &AgingBatch) -> Option<Tensor<4>> {
        let projected = self.discriminator.projected.as_ref()?;
        let [count, ..] = real.dims();
        let scores = projected.scores(self.feature_maps(Tensor::cat(vec![real, generated], 0)));
        let [real, generated] = [0, count].map(|first| scores.clone().narrow(0, first, count));
        let evaluations = [(real.clone(), &batch.target), (real, &batch.mismatched), (generated, &batch.target)];
        let scores = evaluations.map(|(scores, groups)| projected.conditional_scores(scores, groups.clone()));
        Some(Tensor::cat(scores.into(), 0))
    }

    /// Feature maps of the recogniser.
    ///
    /// # Panics
    /// If there is none: a projected discriminator needs [`AgingModel::with_recogniser`].
    fn feature_maps(&self, faces: Tensor<4>) -> Vec<Tensor<4>> {
        let recogniser = self.recogniser.as_ref().expect("a projected discriminator needs a recogniser");
        recogniser.on(&faces.device()).feature_maps(faces)
    }

    /// `faces` after differentiable augmentation with the random numbers for `view`.
    fn augmented(&self, faces: Tensor<4>, batch: &AgingBatch, view: View) -> Tensor<4> {
        if self.config.differentiable_augmentation.is_identity() {
            faces
        } else {
            self.config.differentiable_augmentation.apply(faces, batch.draws(view))
        }
    }

    /// The windows of `faces` that AlexNet receives in this generator update, `shifts - 1` pixels smaller: each of
    /// `shifts x shifts` offsets in turn.
    fn shifted_windows(&self, faces: [Tensor<4>; 2]) -> [Tensor<4>; 2] {
        let Some(offset) = self.window_offset() else { return faces };
        let [_, _, height, width] = faces[0].dims();
        let sides = [height, width].map(|side| side + 1 - self.config.window_shifts);
        let offset = WindowOffset::new(offset, &faces[0].device());
        faces.map(|faces| window(faces, &offset, sides))
    }

    /// Offset of the windows of this generator update, down and to the right; `None` if AlexNet receives whole faces.
    pub(super) fn window_offset(&self) -> Option<[usize; 2]> {
        let shifts = self.config.window_shifts;
        (shifts > 1).then(|| [self.updates / shifts % shifts, self.updates % shifts])
    }
}

fn metrics(batch: &AgingBatch) -> StepMetrics {
    let [size] = batch.target.dims();
    StepMetrics::new(size)
}

impl TrainStep for AgingModel {
    type Input = AgingBatch;
    type Output = StepMetrics;

    /// Gradients of both networks at the same weights, without pretraining, for Burn's own strategies, which update once
    /// per step.
    fn step(&self, batch: AgingBatch) -> TrainOutput<StepMetrics> {
        let generated = self.generated(&batch);
        let discriminator = self.discriminator_gradients(&batch, generated.clone());
        let generator = self.generator_gradients(&batch, generated);
        let mut both = GradientsAccumulator::new();
        both.accumulate(self, discriminator.gradients);
        both.accumulate(self, generator.gradients);
        TrainOutput { grads: both.grads(), item: discriminator.metrics.and(generator.metrics) }
    }

    /// Updates the EMA after each generator update.
    fn optimize(self, optimizer: &mut ModuleOptimizer, rate: ModuleLearningRate, gradients: GradientsParams) -> Self {
        let of_generator = self.are_of_generator(&gradients);
        let skipped = gradients.is_empty();
        if let Some(captured) = &self.captured
            && StepGraph::is_recording()
        {
            captured.keep(&gradients, &self);
        }
        let mut model = update_together(|| optimizer.step(rate, self, gradients));
        model.updates += usize::from(of_generator || skipped);
        if of_generator && model.config.suppress_checkerboard && !StepGraph::is_renewing() {
            model.generator = model.generator.without_checkerboard();
        }
        if of_generator && let Some(ema) = model.ema.take() {
            let decay = ema_decay(model.config.ema_decay, model.updates);
            model.ema = Some(ema_update(ema, &model.generator, decay));
        }
        model
    }
}

impl InferenceStep for AgingModel {
    type Input = AgingBatch;
    type Output = AgingValidation;

    fn step(&self, batch: AgingBatch) -> AgingValidation {
        let alexnet = self.alexnet.on(&batch.source.device());
        let generated = self.ema_generator().forward(batch.source.clone(), batch.target.clone());
        let scores = self.scores(&self.discriminator, generated.clone(), &batch);
        let windows = [generated.clone(), batch.source.clone()];
        let outputs = GeneratorOutputs::new(&batch, generated, scores, &alexnet, windows);
        let metrics = generator_objective(&self.config).validation(&outputs, metrics(&batch));
        let GeneratorOutputs { maps: [.., features], age_logits, .. } = outputs;
        let real_features = alexnet.features(batch.real.clone());
        let metrics = metrics.with(AGE_ACCURACY, accuracy(age_logits.clone(), batch.target.clone()));
        let [_, groups] = age_logits.dims();
        AgingValidation {
            metrics,
            aged: global_average_pooling(features),
            real: global_average_pooling(real_features.clone()),
            target: batch.target,
            aged_group: largest(age_logits),
            real_group: largest(alexnet.age_logits(real_features)),
            groups,
        }
    }
}

/// Global average pooling: `[batch, channels, height, width]` to `[batch, channels]`.
fn global_average_pooling(features: Tensor<4>) -> Tensor<2> {
    let [batch, channels, _, _] = features.dims();
    features.mean_dims(&[2, 3]).reshape([batch, channels])
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Barrier;
    use std::{fs, thread};

    use burn::tensor::{Device, Int};
    use burn::train::Learner;
    use ipcgan_model::{AUGMENTATION_DRAWS, AlexNetConfig, Precision};

    use super::*;
    use crate::{Preset, TrainingConfig, gan_lr_scheduler, gan_optimizer};

    /// Metrics of three steps of small networks in `precision`; `step` is called before each.
    fn steps(precision: Precision, step: impl Fn()) -> Vec<(&'static str, f64)> {
        steps_with(&TrainingConfig::of(Preset::Tiny), precision, step)
    }

    fn steps_with(config: &TrainingConfig, precision: Precision, step: impl Fn()) -> Vec<(&'static str, f64)> {
        let device = Device::flex().autodiff();
        let (groups, seed) = (&config.age_groups, 0);
        let generator = config.generator.clone().with_width(4).init(groups, seed, &device).with_precision(precision);
        let discriminator =
            config.discriminator.clone().with_width(4).init(groups, seed, &device).with_precision(precision);
        let alexnet = AlexNetConfig { identities: 2, ..config.alexnet.clone() };
        let alexnet = alexnet.init(groups, seed, &Device::flex()).with_precision(precision);
        let mut model = AgingModel::new(generator, discriminator, alexnet, config.aging.clone());
        if config.discriminator.projected {
            let path =
                Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/recogniser/recogniser.safetensors"));
            let recogniser = Recogniser::from_bytes(fs::read(path).unwrap(), path, &Device::flex()).unwrap();
            model = model.with_recogniser(recogniser);
        }
        let mut learner = Learner::new(model, gan_optimizer(&config.aging), gan_lr_scheduler(&config.aging));
        let faces = Tensor::<1, Int>::arange(0..2 * 3 * 32 * 32, &device).float().sin().reshape([2, 3, 32, 32]);
        let labels = |labels: [i64; 2]| Tensor::<1, Int>::from_data(labels, &device);
        let batch = AgingBatch {
            source: faces.clone(),
            expected: faces.clone() * 0.5,
            real: faces.flip([3]),
            own_group: Tensor::from_data([0.0f32, 1.0], &device),
            target: labels([4, 1]),
            mismatched: labels([2, 3]),
            augmentation: Tensor::ones([2, 3, AUGMENTATION_DRAWS], &device) * 0.5,
        };
        let learn = |_| {
            step();
            learner.lr_step();
            AgingModel::train_step(&mut learner, vec![batch.clone()]).read().unwrap().numbers().collect::<Vec<_>>()
        };
        (0..3).flat_map(learn).collect()
    }

    #[test]
    fn pretraining_has_the_prototype_loss_alone_and_lowers_it() {
        let mut config = TrainingConfig::of(Preset::Tiny);
        config.aging.weights.prototype = 100.0;
        config.aging.pretraining_steps = 2;

        let metrics = steps_with(&config, Precision::Float32, || ());

        let prototype: Vec<_> =
            metrics.iter().filter(|(name, _)| *name == "prototype").map(|(_, loss)| *loss).collect();
        assert!(prototype.len() == 3 && prototype[2] < prototype[0], "{prototype:?}");
        let first_of = |loss| metrics.iter().position(|(name, _)| *name == loss).unwrap();
        let third_step = metrics.iter().rposition(|(name, _)| *name == "discriminator").unwrap();
        assert_eq!(first_of("discriminator"), third_step, "the discriminator is not updated before");
        assert!(first_of("age") > 2, "AlexNet does not run before");
    }

    #[test]
    fn a_projected_discriminator_learns_and_the_generator_with_it() {
        let mut config = TrainingConfig::of(Preset::Tiny);
        config.discriminator.projected = true;
        config.aging.weights.projected = 10.0;

        let metrics = steps_with(&config, Precision::Float32, || ());

        let of = |loss| metrics.iter().filter(|(name, _)| *name == loss).map(|(_, value)| *value).collect::<Vec<_>>();
        let (discriminator, generator) = (of("projected discriminator"), of("projected adversarial"));
        // Scores of one half.
        assert_eq!(discriminator[0], 0.25, "{discriminator:?}");
        assert!(discriminator[2] < 0.24, "{discriminator:?}");
        assert_ne!(generator[0], 0.125, "the discriminator is updated first: {generator:?}");
    }

    #[test]
    fn steps_that_no_gpu_can_capture_run_launch_by_launch() {
        let config = TrainingConfig::of(Preset::Tiny);
        let mut captured = config.clone();
        captured.aging.capture = true;

        let [expected, found] = [config, captured].map(|config| steps_with(&config, Precision::Float32, || ()));

        assert_eq!(found, expected);
    }

    #[test]
    fn trainings_of_different_precision_in_one_process_do_not_influence_each_other() {
        let precisions = [Precision::Float32, Precision::Bfloat16];
        let alone = precisions.map(|precision| steps(precision, || ()));

        let barrier = Barrier::new(precisions.len());
        let together = thread::scope(|scope| {
            let start = |precision| {
                let barrier = &barrier;
                let step = move || {
                    barrier.wait();
                };
                scope.spawn(move || steps(precision, step))
            };
            precisions.map(start).map(|training| training.join().unwrap())
        });

        assert_eq!(together, alone);
        assert_ne!(alone[0], alone[1], "the precision has an effect");
    }
}
