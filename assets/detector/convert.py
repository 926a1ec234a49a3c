"""Brings the face detector YuNet into the form that ipcgan reads.

    pip install numpy onnx safetensors
    python convert.py face_detection_yunet_2023mar.onnx

The tensors keep their values. Three things change: their names; the first convolution takes red, green, blue where the
original takes blue, green, red; and the four branches of a level (classification, objectness, bounding box, landmarks),
which see the same input, become one unit whose outputs are the branches' one after another.
"""

import sys

import numpy
import onnx
from onnx import numpy_helper
from safetensors.numpy import save_file

# Of our name, the original's name. A stage's units work at one size; the network pools between stages.
UNITS = {
    "stages.0.0": "backbone.model0.conv2",
    "stages.1.0": "backbone.model1.conv1",
    "stages.1.1": "backbone.model1.conv2",
    "stages.1.2": "backbone.model2.conv1",
    "stages.1.3": "backbone.model2.conv2",
    "stages.2.0": "backbone.model3.conv1",
    "stages.2.1": "backbone.model3.conv2",
    "stages.3.0": "backbone.model4.conv1",
    "stages.3.1": "backbone.model4.conv2",
    "stages.4.0": "backbone.model5.conv1",
    "stages.4.1": "backbone.model5.conv2",
    "laterals.0": "neck.lateral_convs.0",
    "laterals.1": "neck.lateral_convs.1",
    "laterals.2": "neck.lateral_convs.2",
}
BRANCHES = ["cls", "obj", "bbox", "kps"]
PARTS = ["weight", "bias"]


def layers(model):
    """The weight and bias of each convolution in the order of the graph, and of those that have names by their names."""
    values = {part.name: numpy_helper.to_array(part) for part in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    order = [tuple(values[name] for name in node.input[1:3]) for node in convolutions]
    return order, {node.input[1].removesuffix(".weight"): index for index, node in enumerate(convolutions)}


def converted(model):
    order, places = layers(model)
    tensors = {}

    def add(name, layer):
        tensors.update({f"{name}.{part}": value for part, value in zip(PARTS, layer)})

    weight, bias = order[0]
    add("stem", (weight[:, ::-1], bias))
    for name, original in UNITS.items():
        # The depthwise convolution lost its name when batch norm was folded into it; it follows the pointwise one.
        place = places[f"{original}.conv1"]
        add(f"{name}.pointwise", order[place])
        add(f"{name}.depthwise", order[place + 1])
    for level in range(3):
        units = [places[f"bbox_head.multi_level_{branch}.{level}.conv1"] for branch in BRANCHES]
        for offset, layer in enumerate(["pointwise", "depthwise"]):
            branches = [order[place + offset] for place in units]
            add(f"heads.{level}.{layer}", [numpy.concatenate(part) for part in zip(*branches)])
    return tensors


def main():
    tensors = converted(onnx.load(sys.argv[1]))
    tensors = {name: numpy.ascontiguousarray(value, numpy.float32) for name, value in tensors.items()}
    # One entry: several would be written in another order each time.
    origin = {"origin": "YuNet of the OpenCV zoo (models/face_detection_yunet), MIT, Copyright (c) 2020 Shiqi Yu"}
    save_file(tensors, "yunet.safetensors", origin)


if __name__ == "__main__":
    main()
