//! A graph that grows by an operation at a time.

use burn::nn::BatchNorm;
use burn::nn::conv::{Conv2d, ConvTranspose2d};
use burn::tensor::Tensor;

use super::proto::{Attribute, Constant, Graph, Kind, Length, Node, Shape, TensorKind, Value};

/// Numbers of ONNX for kinds of values and attributes.
const FLOAT: i32 = 1;
const INT64: i32 = 7;
const ATTRIBUTE_FLOAT: i32 = 1;
const ATTRIBUTE_INT: i32 = 2;
const ATTRIBUTE_INTS: i32 = 7;

/// A length of a shape: a number, or any that has the name.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Of(usize),
    Any(&'static str),
}

/// The operations and constants so far; values go by their names.
#[derive(Default)]
pub(super) struct Builder {
    pub(super) graph: Graph,
}

impl Builder {
    /// Adds an input `name` and returns its name.
    pub(super) fn input(&mut self, name: &str, shape: &[Side]) -> String {
        self.graph.input.push(value(name, shape));
        name.into()
    }

    /// Adds the value `from` as the output `name`.
    pub(super) fn output(&mut self, from: String, name: &str, shape: &[Side]) {
        self.graph.node.push(Node {
            input: vec![from],
            output: vec![name.into()],
            name: "output".into(),
            op_type: "Identity".into(),
            attribute: vec![],
        });
        self.graph.output.push(value(name, shape));
    }

    /// Applies the operator `kind` to `inputs` and returns the name of its output.
    pub(super) fn apply(&mut self, kind: &str, inputs: &[&str], attribute: Vec<Attribute>) -> String {
        let name = format!("{kind}{}", self.graph.node.len());
        self.graph.node.push(Node {
            input: inputs.iter().map(|input| input.to_string()).collect(),
            output: vec![name.clone()],
            name: name.clone(),
            op_type: kind.into(),
            attribute,
        });
        name
    }

    /// A number that every element meets.
    pub(super) fn number(&mut self, number: f64) -> String {
        self.constant(vec![], FLOAT, (number as f32).to_le_bytes().to_vec())
    }

    /// Whole numbers in a row.
    pub(super) fn whole_numbers(&mut self, numbers: &[i64]) -> String {
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.constant(vec![numbers.len() as i64], INT64, bytes)
    }

    fn weights<const D: usize>(&mut self, weights: Tensor<D>) -> String {
        let dims = weights.dims().iter().map(|length| *length as i64).collect();
        let values = weights.without_autodiff().into_data().convert::<f32>();
        let bytes = values.iter::<f32>().flat_map(f32::to_le_bytes).collect();
        self.constant(dims, FLOAT, bytes)
    }

    fn constant(&mut self, dims: Vec<i64>, data_type: i32, raw_data: Vec<u8>) -> String {
        let name = format!("constant{}", self.graph.initializer.len());
        self.graph.initializer.push(Constant { dims, data_type, name: name.clone(), raw_data });
        name
    }

    /// A convolution with TensorFlow's SAME padding, for inputs whose sides the stride divides.
    pub(super) fn convolution(&mut self, conv: &Conv2d, x: &str) -> String {
        let weights = self.weights(conv.weight.val());
        let bias = conv.bias.as_ref().map(|bias| self.weights(bias.val()));
        let inputs: Vec<&str> = [x, &weights].into_iter().chain(bias.as_deref()).collect();
        let (kernel, stride) = (conv.kernel_size[0], conv.stride[0]);
        let padding = kernel - stride;
        // SAME padding adds the odd pixel at the right and at the bottom.
        let [before, after] = [padding / 2, padding - padding / 2];
        let attributes = vec![
            whole("kernel_shape", &[kernel; 2]),
            whole("strides", &[stride; 2]),
            whole("pads", &[before, before, after, after]),
        ];
        self.apply("Conv", &inputs, attributes)
    }

    /// A transposed convolution that doubles both sides.
    pub(super) fn transposed_convolution(&mut self, conv: &ConvTranspose2d, x: &str) -> String {
        let weights = self.weights(conv.weight.val());
        let attributes = vec![
            whole("kernel_shape", &conv.kernel_size),
            whole("strides", &conv.stride),
            // The last row and column are one too many.
            whole("pads", &[0, 0, 1, 1]),
        ];
        self.apply("ConvTranspose", &[x, &weights], attributes)
    }

    /// A batch norm by its running statistics.
    pub(super) fn norm(&mut self, norm: &BatchNorm, x: &str) -> String {
        let gamma = self.weights(norm.gamma.val());
        let beta = self.weights(norm.beta.val());
        let mean = self.weights(norm.running_mean.value());
        let variance = self.weights(norm.running_var.value());
        let epsilon = float("epsilon", norm.epsilon as f32);
        self.apply("BatchNormalization", &[x, &gamma, &beta, &mean, &variance], vec![epsilon])
    }
}

/// The attribute `name` with one whole number.
pub(super) fn one(name: &str, number: i64) -> Attribute {
    Attribute { name: name.into(), i: Some(number), kind: ATTRIBUTE_INT, ..Attribute::default() }
}

/// The attribute `name` with one number.
pub(super) fn float(name: &str, number: f32) -> Attribute {
    Attribute { name: name.into(), f: Some(number), kind: ATTRIBUTE_FLOAT, ..Attribute::default() }
}

pub(super) fn whole(name: &str, numbers: &[usize]) -> Attribute {
    let ints = numbers.iter().map(|number| *number as i64).collect();
    Attribute { name: name.into(), ints, kind: ATTRIBUTE_INTS, ..Attribute::default() }
}

fn value(name: &str, shape: &[Side]) -> Value {
    let length = |side: &Side| match *side {
        Side::Of(length) => Length { value: Some(length as i64), name: None },
        Side::Any(name) => Length { value: None, name: Some(name.into()) },
    };
    let shape = Shape { dim: shape.iter().map(length).collect() };
    Value { name: name.into(), kind: Some(Kind { tensor: Some(TensorKind { data_type: FLOAT, shape: Some(shape) }) }) }
}
