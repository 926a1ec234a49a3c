"""Ages a face in Python, with a generator that `ipcgan` wrote.

A weights file is an ordinary safetensors file: PyTorch's names and layout, and in its metadata the config of the
network and the first ages of the age groups. The face must be aligned as in training (see assets/photos); the strip
shows it, then the generated face at every age group, youngest first.

    pip install torch safetensors numpy pillow
    python load_weights.py generator.safetensors ../../assets/photos/eileen-collins-face.png strip.png
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from safetensors import safe_open
from torch import Tensor, nn


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding: the odd pixel goes right and below."""

    def forward(self, x: Tensor) -> Tensor:
        padding: list[int] = []
        for size, kernel, stride in zip(reversed(x.shape[2:]), reversed(self.kernel_size), reversed(self.stride)):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            padding += [total // 2, total - total // 2]
        return super().forward(F.pad(x, padding))


class UpConv(nn.ConvTranspose2d):
    """3x3 transposed convolution of stride 2 that doubles the size."""

    def __init__(self, input_channels: int, output_channels: int) -> None:
        super().__init__(input_channels, output_channels, 3, stride=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[:, :, :-1, :-1]


def batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.1)


class ConvNorm(nn.Module):
    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        self.conv, self.norm = conv, batch_norm(conv.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))


class ResidualBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = SameConv(channels, channels, 3, bias=False), batch_norm(channels)
        self.conv2, self.norm2 = SameConv(channels, channels, 3, bias=False), batch_norm(channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))


# Channels of the last layer by what they stand for (`output` in the file's config).
HEAD_CHANNELS = {"direct": 3, "residual": 3, "luminance_residual": 1, "luminance_saturation": 2}


class Generator(nn.Module):
    def __init__(self, width: int, residual_blocks: int, age_groups: int, output: str) -> None:
        super().__init__()
        self.age_groups, self.output = age_groups, output
        self.stem = ConvNorm(SameConv(3 + age_groups, width, 7, bias=False))
        self.down1 = ConvNorm(SameConv(width, 2 * width, 3, stride=2, bias=False))
        self.down2 = ConvNorm(SameConv(2 * width, 4 * width, 3, stride=2, bias=False))
        self.residual = nn.ModuleList(ResidualBlock(4 * width) for _ in range(residual_blocks))
        self.up1 = ConvNorm(UpConv(4 * width, 2 * width))
        self.up2 = ConvNorm(UpConv(2 * width, width))
        self.head = SameConv(width, HEAD_CHANNELS[output], 7)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Ages `source` `[batch, 3, size, size]`, RGB in [-1, 1], to the age groups `target` `[batch]`."""
        planes = F.one_hot(target, self.age_groups).float()[:, :, None, None]
        x = torch.cat([source, planes.expand(-1, -1, *source.shape[2:])], 1)
        for layer in (self.stem, self.down1, self.down2):
            x = F.relu(layer(x))
        for block in self.residual:
            x = block(x)
        for layer in (self.up1, self.up2):
            x = F.relu(layer(x))
        x = self.head(x)
        if self.output == "luminance_saturation":
            # The second channel scales the distance from grey, by 0.5 to 1.25; the first is a residual of luminance.
            grey, change = source.mean(1, keepdim=True), torch.tanh(x[:, 1:])
            change = torch.where(change > 0, 0.25 * change, 0.5 * change)
            source = (grey + (source - grey) * (1 + change)).clamp(-1, 1)
            x = x[:, :1]
        if self.output != "direct":
            # A residual of one channel is that of all colours; 0.98 keeps atanh finite on black and white.
            x = x + torch.atanh(0.98 * source)
        return torch.tanh(x)


def read_generator(path: str) -> tuple[Generator, int, list[int]]:
    """The generator, the size of its faces in pixels, and the first age of every age group."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        weights = {name: file.get_tensor(name) for name in file.keys()}
    if metadata.get("network") != "generator":
        raise SystemExit(f"{path}: not a generator but {metadata.get('network', 'a file without metadata')}")

    config, first_ages = json.loads(metadata["config"]), json.loads(metadata["age_groups"])
    output = config.get("output", "direct")
    if output not in HEAD_CHANNELS:
        raise SystemExit(f"{path}: unknown output {output!r}, expected one of {', '.join(HEAD_CHANNELS)}")
    generator = Generator(config["width"], config["residual_blocks"], len(first_ages), output)
    missing, unexpected = generator.load_state_dict(weights, strict=False)
    # PyTorch counts the batches it has seen; nothing here depends on that count.
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise SystemExit(f"{path}: missing {missing}, unexpected {unexpected}")
    return generator.eval(), config["image_size"], first_ages


def read_face(path: str, size: int) -> Tensor:
    face = ImageOps.fit(ImageOps.exif_transpose(Image.open(path)).convert("RGB"), (size, size))
    pixels = torch.from_numpy(np.array(face)).permute(2, 0, 1)
    return pixels[None] / 127.5 - 1


def write_strip(faces: Tensor, path: str) -> None:
    """Writes `faces` `[batch, 3, size, size]` beside each other."""
    pixels = ((faces + 1) * 127.5).round().clamp(0, 255).byte()
    Image.fromarray(torch.cat(list(pixels), 2).permute(1, 2, 0).numpy()).save(path)


def group_names(first_ages: list[int]) -> list[str]:
    """11-20, 21-30, ... and 51+."""
    return [f"{first}-{after - 1}" for first, after in zip(first_ages, first_ages[1:])] + [f"{first_ages[-1]}+"]


def main() -> None:
    parser = argparse.ArgumentParser(description="Age a face to every age group.")
    parser.add_argument("weights", help="generator, a .safetensors file")
    parser.add_argument("face", help="picture of an aligned face")
    parser.add_argument("strip", help="picture to write")
    arguments = parser.parse_args()

    generator, size, first_ages = read_generator(arguments.weights)
    source = read_face(arguments.face, size)
    target = torch.arange(len(first_ages))
    with torch.no_grad():
        generated = generator(source.expand(len(first_ages), -1, -1, -1), target)
    write_strip(torch.cat([source, generated]), arguments.strip)
    print(f"{arguments.strip}: source, {', '.join(group_names(first_ages))}")


if __name__ == "__main__":
    main()
