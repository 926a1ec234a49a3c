//! Monitors the GAN for a discriminator that overpowers the generator, and for mode collapse.

use super::objective::{ADVERSARIAL, DISCRIMINATOR, DIVERSITY};
use crate::step::metrics::StepMetrics;

/// Window of the running means, in steps, and number of steps before the first warning.
const WINDOW: f64 = 200.0;

/// Limits of a running mean with hysteresis, so that a mean that fluctuates around one limit is reported once.
struct Limits {
    /// Where a symptom begins.
    begins: f64,
    /// Where a symptom that was reported has ceased.
    ceases: f64,
}

/// Below this loss the discriminator is almost never wrong; chance is 0.25.
const MIN_DISCRIMINATOR_LOSS: Limits = Limits { begins: 0.02, ceases: 0.03 };
/// Above this adversarial loss of the generator, its faces are almost always recognised as generated (0.5).
const MAX_ADVERSARIAL_LOSS: Limits = Limits { begins: 0.4, ceases: 0.35 };
/// Mode collapse: below this ratio of the diversity of generated faces to that of their sources.
const MIN_DIVERSITY: Limits = Limits { begins: 0.5, ceases: 0.6 };

/// A symptom, and whether it was reported and has not ceased since.
#[derive(Default)]
struct Symptom {
    reported: bool,
}

impl Symptom {
    fn limit(&self, limits: &Limits) -> f64 {
        if self.reported { limits.ceases } else { limits.begins }
    }

    /// Whether it begins now, if it is `present` now.
    fn begins(&mut self, present: bool) -> bool {
        !std::mem::replace(&mut self.reported, present) && present
    }
}

/// Reports a symptom when the running means over [`WINDOW`] steps show it; again only after it has ceased.
#[derive(Default)]
pub(super) struct GanMonitor {
    steps: f64,
    discriminator: f64,
    adversarial: f64,
    diversity: f64,
    overpowered: Symptom,
    collapsed: Symptom,
}

impl GanMonitor {
    /// Updates the running means with the metrics of step `step`. Returns a warning for each symptom that begins.
    pub(super) fn observe(&mut self, step: usize, metrics: &StepMetrics) -> Vec<String> {
        let value = |metric: &str| metrics.numbers().find(|(name, _)| *name == metric).map(|(_, value)| value);
        let (Some(discriminator), Some(adversarial), Some(diversity)) =
            (value(DISCRIMINATOR), value(ADVERSARIAL), value(DIVERSITY))
        else {
            return Vec::new();
        };
        self.steps += 1.0;
        // A plain mean at first, then an exponential moving average.
        let weight = 1.0 / self.steps.min(WINDOW);
        for (mean, value) in [
            (&mut self.discriminator, discriminator),
            (&mut self.adversarial, adversarial),
            (&mut self.diversity, diversity),
        ] {
            *mean += (value - *mean) * weight;
        }
        let mut warnings = Vec::new();
        if self.steps < WINDOW {
            return warnings;
        }
        let overpowered = self.discriminator < self.overpowered.limit(&MIN_DISCRIMINATOR_LOSS)
            && self.adversarial > self.overpowered.limit(&MAX_ADVERSARIAL_LOSS);
        let collapsed = self.diversity < self.collapsed.limit(&MIN_DIVERSITY);
        if self.overpowered.begins(overpowered) {
            warnings.push(format!(
                "at step {step} the discriminator has been almost never wrong for {WINDOW} steps (its loss is {:.3}, the \
                 generator's adversarial loss {:.2}), so the generator gets little gradient from it; try a lower \
                 aging.discriminator_learning_rate or more aging.generator_updates",
                self.discriminator, self.adversarial,
            ));
        }
        if self.collapsed.begins(collapsed) {
            warnings.push(format!(
                "at step {step} possible mode collapse: the diversity of generated faces is {:.0}% of that of \
                 their sources; try a larger aging.weights.identity or lower learning rates",
                100.0 * self.diversity,
            ));
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(steps: usize, discriminator: f64, adversarial: f64, diversity: f64) -> Vec<String> {
        warnings_of(std::iter::repeat_n([discriminator, adversarial, diversity], steps))
    }

    /// The warnings of steps with these losses of the discriminator, adversarial losses and diversities.
    fn warnings_of(steps: impl Iterator<Item = [f64; 3]>) -> Vec<String> {
        let mut monitor = GanMonitor::default();
        let warnings = steps.enumerate().flat_map(|(step, [discriminator, adversarial, diversity])| {
            let metrics = StepMetrics::new(1).with_number(DISCRIMINATOR, discriminator);
            monitor.observe(step, &metrics.with_number(ADVERSARIAL, adversarial).with_number(DIVERSITY, diversity))
        });
        warnings.collect()
    }

    #[test]
    fn a_healthy_run_has_no_warning() {
        assert!(warnings(1000, 0.2, 0.2, 0.9).is_empty());
        assert!(warnings(100, 0.0, 0.5, 0.1).is_empty(), "shorter than the window");
    }

    #[test]
    fn a_lasting_symptom_is_reported_once() {
        let lines = warnings(1000, 0.001, 0.49, 0.2);

        assert_eq!(lines.len(), 2);
        assert!(lines[0].contains("almost never wrong") && lines[1].contains("is 20% of"), "{lines:?}");
    }

    #[test]
    fn a_mean_that_fluctuates_around_a_limit_is_reported_once_and_again_after_it_has_recovered() {
        let steps = |diversity: [f64; 2], count: usize| {
            let turns = (0..count).map(move |step| diversity[step / 200 % 2]);
            turns.map(|diversity| [0.2, 0.2, diversity])
        };

        let fluctuating = warnings_of(steps([0.44, 0.58], 4000));
        let recovered = warnings_of(steps([0.3, 0.9], 400).chain(steps([0.9, 0.9], 400)).chain(steps([0.3, 0.3], 800)));

        assert_eq!(fluctuating.len(), 1, "{fluctuating:?}");
        assert_eq!(recovered.len(), 2, "{recovered:?}");
    }
}
