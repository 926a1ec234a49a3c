"""Brings dlib's face recogniser into the form that ipcgan reads, and writes the numbers that its tests expect.

    python convert.py face_recognition_resnet.f16.safetensors

The file is face-api's port of dlib_face_recognition_resnet_model_v1 (names as `conv32_1/conv1/conv/filters`). Each affine
layer is folded into the convolution before it. The expected numbers come from the network as it was, layer by layer in
PyTorch.
"""

import sys

import numpy
import torch
from safetensors.numpy import load_file, save_file
from torch.nn import functional

BLOCKS = (
    ["conv32_1", "conv32_2", "conv32_3", "conv64_down", "conv64_1", "conv64_2", "conv64_3"]
    + ["conv128_down", "conv128_1", "conv128_2", "conv256_down", "conv256_1", "conv256_2", "conv256_down_out"]
)
MEANS = numpy.array([122.782, 117.001, 104.298], numpy.float32).reshape(1, 3, 1, 1)


def recogniser(source):
    tensors = {}

    def add(name, path):
        weight = source[f"{path}/conv/filters"].transpose(3, 2, 0, 1)
        bias, scale, offset = [source[f"{path}/{part}"] for part in ("conv/bias", "scale/weights", "scale/biases")]
        tensors[f"{name}.weight"] = weight * scale.reshape(-1, 1, 1, 1)
        tensors[f"{name}.bias"] = bias * scale + offset

    add("stem", "conv32_down")
    for index, block in enumerate(BLOCKS):
        for conv in ("conv1", "conv2"):
            add(f"blocks.{index}.{conv}", f"{block}/{conv}")
    tensors["head.weight"] = source["fc"].T
    return tensors


def embeddings(source, faces):
    """The recogniser as face-api runs it."""
    at = {name: torch.tensor(value) for name, value in source.items()}

    def conv(x, path, stride, padding):
        weight = at[f"{path}/conv/filters"].permute(3, 2, 0, 1)
        x = functional.conv2d(x, weight, at[f"{path}/conv/bias"], stride, padding)
        return x * at[f"{path}/scale/weights"].view(1, -1, 1, 1) + at[f"{path}/scale/biases"].view(1, -1, 1, 1)

    x = torch.relu(conv(torch.tensor((faces - MEANS) / 256), "conv32_down", 2, 0))
    x = functional.max_pool2d(x, 3, 2)
    for block in BLOCKS:
        down = "down" in block
        y = torch.relu(conv(x, f"{block}/conv1", 2 if down else 1, 0 if down else 1))
        y = conv(y, f"{block}/conv2", 1, 1)
        x = functional.avg_pool2d(x, 2, 2) if down else x
        sizes = [max(a, b) for a, b in zip(x.shape, y.shape)]
        whole = lambda z: functional.pad(z, (0, sizes[3] - z.shape[3], 0, sizes[2] - z.shape[2], 0, sizes[1] - z.shape[1]))
        x = torch.relu(whole(x) + whole(y))
    return (x.mean((2, 3)) @ at["fc"]).numpy()


def faces(side):
    """Smooth images, which the tests make in the same way."""
    row, column = numpy.meshgrid(numpy.arange(side), numpy.arange(side), indexing="ij")
    planes = [numpy.sin(row * (0.05 + 0.01 * c) + column * 0.07 + n) for n in range(2) for c in range(3)]
    return (127.5 + 127.5 * numpy.stack(planes).reshape(2, 3, side, side)).astype(numpy.float32)


def main():
    source = {name: value.astype(numpy.float32) for name, value in load_file(sys.argv[1]).items()}
    tensors = recogniser(source).items()
    halved = {name: numpy.ascontiguousarray(value.astype(numpy.float16)) for name, value in tensors}
    save_file(halved, "recogniser.safetensors")
    save_file({"embeddings": embeddings(source, faces(150))}, "../../tests/reference/recogniser.safetensors")


if __name__ == "__main__":
    main()
