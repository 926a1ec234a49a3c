//! Values of the trainable parameters of a model.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use ipcgan_model::{NamedVisitor, visit_named};

/// Every trainable parameter of `model` by its name, read from the device.
pub(crate) fn parameter_values<M: Module>(model: &M) -> Vec<(String, Vec<f32>)> {
    visit_named(model, ParameterValues(Vec::new())).0
}

struct ParameterValues(Vec<(String, Vec<f32>)>);

impl NamedVisitor for ParameterValues {
    fn visit<const D: usize>(&mut self, name: &[String], parameter: &Param<Tensor<D>>) {
        if parameter.is_require_grad() {
            let values = parameter.val().without_autodiff().into_data();
            self.0.push((name.join("."), values.iter::<f32>().collect()));
        }
    }
}
