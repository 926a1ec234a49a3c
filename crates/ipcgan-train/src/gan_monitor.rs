//! Signs that a GAN is on a wrong way, before it has lost it.

use crate::progress::LineSink;
use crate::step_metrics::StepMetrics;

/// Steps that a sign must last.
const WINDOW: f64 = 200.0;
/// Below this the discriminator's loss means that it is hardly ever wrong; guessing would lose 0.25.
const MIN_DISCRIMINATOR_LOSS: f64 = 0.02;
/// Above this the generator's adversarial loss means that it is always found out, which loses 0.5.
const MAX_ADVERSARIAL_LOSS: f64 = 0.4;
/// Below this share of their sources' variety, generated faces have become alike.
const MIN_DIVERSITY: f64 = 0.5;

/// Watches the terms of the ageing stage and says once when something lasts.
pub(crate) struct GanMonitor {
    notices: LineSink,
    steps: f64,
    discriminator: f64,
    adversarial: f64,
    diversity: f64,
    warned: [bool; 2],
}

impl GanMonitor {
    pub(crate) fn new(notices: LineSink) -> Self {
        Self { notices, steps: 0.0, discriminator: 0.0, adversarial: 0.0, diversity: 0.0, warned: [false; 2] }
    }

    /// Looks at the terms that step `step` gave; those of other stages have none of the signs.
    pub(crate) fn observe(&mut self, step: usize, metrics: &StepMetrics) {
        let value = |wanted: &str| metrics.numbers().find(|(name, _)| *name == wanted).map(|(_, value)| value);
        let (Some(discriminator), Some(adversarial), Some(diversity)) =
            (value("discriminator"), value("adversarial"), value("diversity"))
        else {
            return;
        };
        self.steps += 1.0;
        // A plain mean at first, then one that forgets.
        let share = 1.0 / self.steps.min(WINDOW);
        for (mean, value) in [
            (&mut self.discriminator, discriminator),
            (&mut self.adversarial, adversarial),
            (&mut self.diversity, diversity),
        ] {
            *mean += (value - *mean) * share;
        }
        if self.steps < WINDOW {
            return;
        }
        let discriminator_wins = self.discriminator < MIN_DISCRIMINATOR_LOSS && self.adversarial > MAX_ADVERSARIAL_LOSS;
        let mode_collapse = self.diversity < MIN_DIVERSITY;
        if discriminator_wins && !self.warned[0] {
            (self.notices)(&format!(
                "warning: at step {step} the discriminator has been hardly ever wrong for {WINDOW} steps (its loss is {:.3}, the \
                 generator's adversarial loss {:.2}), so the generator learns little from it; a lower \
                 aging.discriminator_learning_rate or more aging.generator_updates may help",
                self.discriminator, self.adversarial,
            ));
        }
        if mode_collapse && !self.warned[1] {
            (self.notices)(&format!(
                "warning: at step {step} generated faces vary {:.0}% as much as their sources, so they become one face; a \
                 larger aging.weights.identity or lower rates may help",
                100.0 * self.diversity,
            ));
        }
        self.warned = [discriminator_wins, mode_collapse];
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn warnings(steps: usize, discriminator: f64, adversarial: f64, diversity: f64) -> Vec<String> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = lines.clone();
        let mut monitor = GanMonitor::new(Arc::new(move |line: &str| kept.lock().unwrap().push(line.to_string())));
        for step in 0..steps {
            let metrics = StepMetrics::new(1).with_number("discriminator", discriminator);
            monitor.observe(step, &metrics.with_number("adversarial", adversarial).with_number("diversity", diversity));
        }
        lines.lock().unwrap().clone()
    }

    #[test]
    fn a_healthy_run_is_not_spoken_of() {
        assert!(warnings(1000, 0.2, 0.2, 0.9).is_empty());
        assert!(warnings(100, 0.0, 0.5, 0.1).is_empty(), "too short to tell");
    }

    #[test]
    fn what_lasts_is_said_once() {
        let lines = warnings(1000, 0.001, 0.49, 0.2);

        assert_eq!(lines.len(), 2);
        assert!(lines[0].contains("hardly ever wrong") && lines[1].contains("20% as much"), "{lines:?}");
    }
}
