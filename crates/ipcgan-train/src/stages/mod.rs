//! The list of stages. Each is one module: model, step, metrics, data, and saved weights.

mod adversarial_examples;
mod age;
mod age_labelled_faces;
mod frozen;
pub(crate) mod gan;
mod identity;
mod labelled;

pub use age::AgeModel;
pub use gan::AgingModel;
pub use identity::IdentityModel;

use crate::Stage;
use crate::stage::training::AnyStage;

impl Stage {
    /// The implementation of the stage.
    pub(crate) fn definition(self) -> &'static dyn AnyStage {
        match self {
            Self::Identity => &identity::IdentityStage,
            Self::Age => &age::AgeStage,
            Self::Aging => &gan::GanStage,
        }
    }
}
