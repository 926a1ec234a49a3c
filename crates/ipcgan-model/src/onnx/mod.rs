//! ONNX export of the generator.
//!
//! | name | what | shape |
//! |---|---|---|
//! | `face` | input: RGB in [-1, 1]; sides are multiples of 4 | `[batch, 3, height, width]` |
//! | `group_weights` | input: weight of each age group (see [`AgeBlend`](crate::AgeBlend)) | `[batch, groups]` |
//! | `aged` | output, as `face` | `[batch, 3, height, width]` |
//!
//! The file's metadata hold the names of the age groups as `age_groups`, and the face size in pixels as `image_size`.

mod graph;
mod proto;

use ipcgan_kernels::Activation;
use prost::Message;

use crate::generator::{Generator, GeneratorOutput, MAX_SATURATION_CHANGE, SOURCE_SCALE};
use crate::layers::Layer;
use crate::{AgeGroups, GeneratorConfig};
use graph::{Builder, Side, float, one, whole};
use proto::{Entry, Model, OperatorSet};

/// Versions of the file format and of the operator set: those of 2021, which all common runtimes support.
const IR_VERSION: i64 = 8;
const OPERATORS: i64 = 13;

/// The bytes of an ONNX file that computes `generator`, independently for each face.
pub fn generator(generator: &Generator, config: &GeneratorConfig, groups: &AgeGroups) -> Vec<u8> {
    let mut builder = Builder::default();
    let faces = [Side::Any("batch"), Side::Of(3), Side::Any("height"), Side::Any("width")];
    let face = builder.input("face", &faces);
    let group_weights = builder.input("group_weights", &[Side::Any("batch"), Side::Of(groups.count())]);

    let x = concat_conditions(&mut builder, &face, &group_weights);
    let head = generator.layers().into_iter().fold(x, |x, layer| apply_layer(&mut builder, layer, &x));
    let aged = output(&mut builder, config.output, &head, &face);
    builder.output(aged, "aged", &faces);

    let mut graph = builder.graph;
    graph.name = "generator".into();
    let model = Model {
        ir_version: IR_VERSION,
        producer_name: "ipcgan".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(graph),
        opset_import: vec![OperatorSet { domain: String::new(), version: OPERATORS }],
        metadata_props: vec![
            Entry { key: "age_groups".into(), value: groups.names().join(" ") },
            Entry { key: "image_size".into(), value: config.image_size.to_string() },
        ],
    };
    model.encode_to_vec()
}

/// Concatenates the faces with one constant plane for each group's weight.
fn concat_conditions(builder: &mut Builder, face: &str, group_weights: &str) -> String {
    let axes = builder.whole_numbers(&[2, 3]);
    let pixels = builder.apply("Unsqueeze", &[group_weights, &axes], vec![]); // [batch, groups, 1, 1]
    let shape = builder.apply("Shape", &[face], vec![]);
    let [from, to] = [2, 4].map(|axis| builder.whole_numbers(&[axis]));
    let sides = builder.apply("Slice", &[&shape, &from, &to], vec![]);
    let ones = builder.whole_numbers(&[1, 1]);
    let shape = builder.apply("Concat", &[&ones, &sides], vec![one("axis", 0)]);
    let planes = builder.apply("Expand", &[&pixels, &shape], vec![]); // [batch, groups, height, width]
    builder.apply("Concat", &[face, &planes], vec![one("axis", 1)])
}

fn apply_layer(builder: &mut Builder, layer: Layer, x: &str) -> String {
    match layer {
        Layer::Conv(conv, activation) => {
            let x = builder.convolution(conv, x);
            activate(builder, x, activation)
        }
        Layer::ConvNorm(layer, activation) => {
            let x = builder.convolution(&layer.conv, x);
            let x = layer.norm.as_ref().map_or(x.clone(), |norm| builder.norm(norm, &x));
            activate(builder, x, activation)
        }
        Layer::UpNorm(layer, activation) => {
            let x = builder.transposed_convolution(&layer.conv, x);
            let x = builder.norm(&layer.norm, &x);
            activate(builder, x, activation)
        }
        Layer::Residual(block) => {
            let y = builder.convolution(&block.conv1, x);
            let y = builder.norm(&block.norm1, &y);
            let y = activate(builder, y, Activation::Relu);
            let y = builder.convolution(&block.conv2, &y);
            let y = builder.norm(&block.norm2, &y);
            builder.apply("Add", &[x, &y], vec![])
        }
    }
}

fn activate(builder: &mut Builder, x: String, activation: Activation) -> String {
    match activation {
        Activation::None => x,
        Activation::Relu => builder.apply("Relu", &[&x], vec![]),
        Activation::LeakyRelu(slope) => builder.apply("LeakyRelu", &[&x], vec![float("alpha", slope)]),
    }
}

/// `tanh(head)`, or `tanh(head + atanh(0.98 face))` for a residual, with `atanh(x) = 1/2 log((1 + x) / (1 - x))`.
fn output(builder: &mut Builder, output: GeneratorOutput, head: &str, face: &str) -> String {
    if output == GeneratorOutput::Direct {
        return builder.apply("Tanh", &[head], vec![]);
    }
    let (head, face) = match output {
        GeneratorOutput::LuminanceSaturation => resaturated(builder, head, face),
        _ => (head.to_owned(), face.to_owned()),
    };
    let [scale, unit, half] = [SOURCE_SCALE, 1.0, 0.5].map(|number| builder.number(number));
    let face = builder.apply("Mul", &[&face, &scale], vec![]);
    let above = builder.apply("Add", &[&unit, &face], vec![]);
    let below = builder.apply("Sub", &[&unit, &face], vec![]);
    let ratio = builder.apply("Div", &[&above, &below], vec![]);
    let logarithm = builder.apply("Log", &[&ratio], vec![]);
    let before = builder.apply("Mul", &[&logarithm, &half], vec![]);
    // A luminance residual has one channel, which is broadcast to all three.
    let after = builder.apply("Add", &[&head, &before], vec![]);
    builder.apply("Tanh", &[&after], vec![])
}

/// The luminance channel of the head, and the face with its saturation scaled by the other channel.
fn resaturated(builder: &mut Builder, head: &str, face: &str) -> (String, String) {
    let axes = builder.whole_numbers(&[1]);
    let bounds = [0, 1, 2].map(|bound| builder.whole_numbers(&[bound]));
    let [luminance, saturation] =
        [0, 1].map(|channel| builder.apply("Slice", &[head, &bounds[channel], &bounds[channel + 1], &axes], vec![]));
    let grey = builder.apply("ReduceMean", &[face], vec![whole("axes", &[1])]);
    let chroma = builder.apply("Sub", &[face, &grey], vec![]);
    let [minus_one, plus_one] = [-1.0, 1.0].map(|number| builder.number(number));
    let change = builder.apply("Tanh", &[&saturation], vec![]);
    let [decrease, increase] = MAX_SATURATION_CHANGE;
    let increased = builder.apply("Relu", &[&change], vec![]);
    let [decrease, difference] = [decrease, decrease - increase].map(|number| builder.number(number));
    let change = builder.apply("Mul", &[&change, &decrease], vec![]);
    let beyond = builder.apply("Mul", &[&increased, &difference], vec![]);
    let change = builder.apply("Sub", &[&change, &beyond], vec![]);
    let factor = builder.apply("Add", &[&change, &plus_one], vec![]);
    let chroma = builder.apply("Mul", &[&chroma, &factor], vec![]);
    let face = builder.apply("Add", &[&grey, &chroma], vec![]);
    (luminance, builder.apply("Clip", &[&face, &minus_one, &plus_one], vec![]))
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn the_exported_tensors_are_those_of_the_generator() {
        let (config, groups) = (GeneratorConfig::new().with_width(4).with_residual_blocks(2), AgeGroups::default());

        let bytes = generator(&config.init(&groups, 0, &Device::flex()), &config, &groups);

        let graph = Model::decode(bytes.as_slice()).unwrap().graph.unwrap();
        let count = |kind: &str| graph.node.iter().filter(|node| node.op_type == kind).count();
        assert_eq!([count("Conv"), count("ConvTranspose"), count("BatchNormalization")], [8, 2, 9]);
        // Every value is produced before it is used.
        let mut known: Vec<&str> = graph.input.iter().map(|value| value.name.as_str()).collect();
        known.extend(graph.initializer.iter().map(|constant| constant.name.as_str()));
        for node in &graph.node {
            assert!(node.input.iter().all(|input| known.contains(&input.as_str())), "{}", node.name);
            known.extend(node.output.iter().map(String::as_str));
        }
        for constant in &graph.initializer {
            let width = if constant.data_type == 7 { 8 } else { 4 };
            assert_eq!(
                constant.raw_data.len() as i64,
                width * constant.dims.iter().product::<i64>(),
                "{}",
                constant.name
            );
        }
    }
}
