//! Values of the trainable parameters of a model.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// Every trainable parameter of `model` by its path, read from the device.
pub(crate) fn parameter_values<M: Module>(model: &M) -> Vec<(String, Vec<f32>)> {
    let mut reader = Reader { path: Vec::new(), weights: Vec::new() };
    model.visit(&mut reader);
    reader.weights
}

struct Reader {
    path: Vec<String>,
    weights: Vec<(String, Vec<f32>)>,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        if parameter.is_require_grad() {
            let values = parameter.val().without_autodiff().into_data();
            self.weights.push((self.path.join("."), values.iter::<f32>().collect()));
        }
    }
}
