"""PyTorch reference of the IPCGAN networks, losses and training step.

It fixes the numbers that the Rust packages are compared with: the forward pass of every network, the four losses,
every gradient norm, and the parameters after two alternating steps. It also writes a generator as PyTorch users
would, to show that such a file can be read. README.md beside it lists the files and how closely they must agree.

No weights and no pictures are needed: every parameter and input is computed from its own name (`fill`).

    pip install torch safetensors numpy
    python reference.py OUT_DIR
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

FIRST_AGES = [11, 21, 31, 41, 51]
AGE_GROUPS = len(FIRST_AGES)
IMAGE_SIZE = 128
# Taken away from red, green and blue, of 0 to 255, before AlexNet.
MEAN = torch.tensor([104.0, 117.0, 124.0]).view(1, 3, 1, 1)

# Weights of the losses in the published runs.
ADVERSARIAL_WEIGHT = 75.0
IDENTITY_WEIGHT = 0.5e-4
AGE_WEIGHT = 30.0

TINY_GENERATOR = {"image_size": IMAGE_SIZE, "width": 4, "residual_blocks": 2}


# Fill: numbers from names


def uniform(name: str, count: int) -> np.ndarray:
    """Gives `count` numbers in [0, 1) that depend on `name` alone: splitmix64 seeded with the name's FNV-1a hash."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x100000001B3) % 2**64
    with np.errstate(over="ignore"):  # arithmetic modulo 2^64 is meant
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / 2**24


def named_input(name: str) -> Tensor:
    """Two images `[2, 3, 128, 128]` in [-1, 1)."""
    shape = (2, 3, IMAGE_SIZE, IMAGE_SIZE)
    return torch.from_numpy((2 * uniform(name, int(np.prod(shape))) - 1).astype(np.float32)).view(shape)


@torch.no_grad()
def fill(network: nn.Module, prefix: str) -> None:
    """Sets every parameter and running statistic of `network` from `prefix` and its own name."""
    for module_name, module in network.named_modules():
        for name, value in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
            if name == "num_batches_tracked":
                continue
            u = uniform(f"{prefix}.{module_name}.{name}", value.numel())
            filled = fill_value(module, name, u)
            if module_name == "trunk.conv1" and name == "weight":
                filled = filled / 64  # its input spans 255, not 2
            value.copy_(torch.from_numpy(filled.astype(np.float32)).view(value.shape))


def fill_value(module: nn.Module, name: str, u: np.ndarray) -> np.ndarray:
    s = 2 * u - 1
    if name == "running_mean":
        return 0.1 * s
    if name == "running_var":
        return 1 + 0.5 * u
    if name == "bias":
        return 0.1 * s
    if isinstance(module, nn.BatchNorm2d):
        return 1 + 0.2 * s
    return s * np.sqrt(6 / fan_in(module))


def fan_in(layer: nn.Module) -> int:
    """Inputs that reach one output, counting every kernel tap (also for a strided transposed convolution)."""
    if isinstance(layer, nn.Linear):
        return layer.in_features
    return layer.in_channels // layer.groups * int(np.prod(layer.kernel_size))


# Networks


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding: the odd pixel goes right and below."""

    def forward(self, x: Tensor) -> Tensor:
        padding: list[int] = []
        for size, kernel, stride in zip(reversed(x.shape[2:]), reversed(self.kernel_size), reversed(self.stride)):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            padding += [total // 2, total - total // 2]
        return super().forward(F.pad(x, padding))


class UpConv(nn.ConvTranspose2d):
    """3x3 transposed convolution of stride 2: the adjoint of `SameConv` on the doubled size."""

    def __init__(self, input_channels: int, output_channels: int) -> None:
        super().__init__(input_channels, output_channels, 3, stride=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[:, :, :-1, :-1]


def batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.1)


class ConvNorm(nn.Module):
    """A convolution without bias, then batch normalisation."""

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


def condition_planes(age_groups: Tensor, size: int) -> Tensor:
    """One-hot planes `[batch, 5, size, size]` of the age groups `[batch]`."""
    return F.one_hot(age_groups, AGE_GROUPS).float()[:, :, None, None].expand(-1, -1, size, size)


class Generator(nn.Module):
    """`G(y|t)`: source faces `[batch, 3, size, size]` and target groups `[batch]` to faces of the same shape."""

    def __init__(self, width: int = 32, residual_blocks: int = 6) -> None:
        super().__init__()
        self.stem = ConvNorm(SameConv(3 + AGE_GROUPS, width, 7, bias=False))
        self.down1 = ConvNorm(SameConv(width, 2 * width, 3, stride=2, bias=False))
        self.down2 = ConvNorm(SameConv(2 * width, 4 * width, 3, stride=2, bias=False))
        self.residual = nn.ModuleList(ResidualBlock(4 * width) for _ in range(residual_blocks))
        self.up1 = ConvNorm(UpConv(4 * width, 2 * width))
        self.up2 = ConvNorm(UpConv(2 * width, width))
        self.head = SameConv(width, 3, 7)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        x = torch.cat([source, condition_planes(target, source.shape[-1])], 1)
        for layer in (self.stem, self.down1, self.down2):
            x = F.relu(layer(x))
        for block in self.residual:
            x = block(x)
        for layer in (self.up1, self.up2):
            x = F.relu(layer(x))
        return torch.tanh(self.head(x))


class Discriminator(nn.Module):
    """`D(x|t)`: scores of patches `[batch, 8 * width, size / 8, size / 8]`; the planes join after the first layer."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.stem = SameConv(3, width, 4, stride=2)
        self.down1 = ConvNorm(SameConv(width + AGE_GROUPS, 2 * width, 4, stride=2, bias=False))
        self.down2 = ConvNorm(SameConv(2 * width, 4 * width, 4, stride=2, bias=False))
        self.patch = ConvNorm(SameConv(4 * width, 8 * width, 4, bias=False))
        self.head = SameConv(8 * width, 8 * width, 4)

    def forward(self, face: Tensor, age_groups: Tensor) -> Tensor:
        x = F.leaky_relu(self.stem(face), 0.2)
        x = torch.cat([x, condition_planes(age_groups, x.shape[-1])], 1)
        for layer in (self.down1, self.down2, self.patch):
            x = F.leaky_relu(layer(x), 0.2)
        return self.head(x)


class Trunk(nn.Module):
    """AlexNet's convolutions up to conv5, `h(x)` of the identity loss; 227 pixels to `[batch, 8 * width, 13, 13]`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 3 * width, 11, stride=4)
        self.conv2 = nn.Conv2d(3 * width, 8 * width, 5, padding=2, groups=2)
        self.conv3 = nn.Conv2d(8 * width, 12 * width, 3, padding=1)
        self.conv4 = nn.Conv2d(12 * width, 12 * width, 3, padding=1, groups=2)
        self.conv5 = nn.Conv2d(12 * width, 8 * width, 3, padding=1, groups=2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool_and_norm(F.relu(self.conv1(x)))
        x = self.pool_and_norm(F.relu(self.conv2(x)))
        for layer in (self.conv3, self.conv4, self.conv5):
            x = F.relu(layer(x))
        return x

    @staticmethod
    def pool_and_norm(x: Tensor) -> Tensor:
        """`y = x / (1 + 2e-5 * sum over 5 channels of x^2)^0.75`; PyTorch divides alpha by the 5 channels."""
        return F.local_response_norm(F.max_pool2d(x, 3, 2), 5, alpha=1e-4, beta=0.75, k=1.0)


class AlexNet(nn.Module):
    """Identity net and age classifier on one trunk. `width` 32 is the published size, `hidden` that of fc6 and fc7."""

    def __init__(self, identities: int = 2000, width: int = 32, hidden: int = 4096, embedding: int = 256) -> None:
        super().__init__()
        features = 8 * width * 6 * 6
        self.trunk = Trunk(width)
        self.identity_head = nn.ModuleDict(
            {
                "fc6": nn.Linear(features, hidden),
                "fc7": nn.Linear(hidden, hidden),
                "embedding": nn.Linear(hidden, embedding),
                "logits": nn.Linear(embedding, identities),
            }
        )
        self.age_head = nn.ModuleDict(
            {
                "fc6": nn.Linear(features, hidden),
                "fc7": nn.Linear(hidden, hidden),
                "logits": nn.Linear(hidden, AGE_GROUPS),
            }
        )

    def identity(self, conv5: Tensor) -> tuple[Tensor, Tensor]:
        """The embedding and the logits of the identities."""
        x = F.max_pool2d(conv5, 3, 2).flatten(1)
        for name in ("fc6", "fc7", "embedding"):
            x = F.relu(self.identity_head[name](x))
        return x, self.identity_head["logits"](x)

    def age(self, conv5: Tensor) -> Tensor:
        """The logits of the age groups."""
        x = F.max_pool2d(conv5, 3, 2).flatten(1)
        for name in ("fc6", "fc7"):
            x = F.relu(self.age_head[name](x))
        return self.age_head["logits"](x)


def alexnet_input(face: Tensor) -> Tensor:
    """A face in [-1, 1] as AlexNet sees it: 227x227, 0 to 255, the mean colour taken away."""
    pixels = (face + 1) * 127.5
    return F.interpolate(pixels, (227, 227), mode="bilinear", align_corners=False) - MEAN


# Losses


def discriminator_loss(
    discriminator: Discriminator, real: Tensor, generated: Tensor, target: Tensor, mismatched: Tensor
) -> Tensor:
    """`L_D`. Three passes, because each batch normalisation sees its own batch."""
    real_right = (discriminator(real, target) - 1).square().mean()
    real_wrong = discriminator(real, mismatched).square().mean()
    generated_right = discriminator(generated, target).square().mean()
    return 0.5 * (real_right + 0.5 * (real_wrong + generated_right))


def generator_losses(
    discriminator: Discriminator, alexnet: AlexNet, source: Tensor, generated: Tensor, target: Tensor
) -> dict[str, Tensor]:
    """`L_G`, `L_identity` and `L_age`, not yet weighted. `gan` is the adversarial loss's name in the golden files."""
    conv5 = alexnet.trunk(alexnet_input(generated))
    with torch.no_grad():
        source_conv5 = alexnet.trunk(alexnet_input(source))
    return {
        "gan": 0.5 * (discriminator(generated, target) - 1).square().mean(),
        "identity": (conv5 - source_conv5).square().flatten(1).sum(1).mean(),
        "age": F.cross_entropy(alexnet.age(conv5), target),
    }


# Golden files


def tiny_networks() -> tuple[Generator, Discriminator, AlexNet]:
    generator = Generator(TINY_GENERATOR["width"], TINY_GENERATOR["residual_blocks"])
    return filled(generator, Discriminator(4), AlexNet(identities=10, width=4, hidden=32, embedding=16))


def paper_networks() -> tuple[Generator, Discriminator, AlexNet]:
    return filled(Generator(), Discriminator(), AlexNet())


def filled(
    generator: Generator, discriminator: Discriminator, alexnet: AlexNet
) -> tuple[Generator, Discriminator, AlexNet]:
    fill(generator, "generator")
    fill(discriminator, "discriminator")
    fill(alexnet, "alexnet")
    return generator, discriminator, alexnet


@torch.no_grad()
def forward_goldens(generator: Generator, discriminator: Discriminator, alexnet: AlexNet) -> dict[str, Tensor]:
    """Outputs of every network, with running statistics (`eval`) and with those of the batch (`train`)."""
    groups = torch.tensor([1, 4])
    source, real = named_input("input.source"), named_input("input.real")
    goldens: dict[str, Tensor] = {}
    for mode in ("eval", "train"):
        generator.train(mode == "train")
        discriminator.train(mode == "train")
        goldens[f"generator.{mode}"] = generator(source, groups)
        # The first 16 channels are enough to find a fault.
        goldens[f"discriminator.{mode}"] = discriminator(real, groups)[:, :16].contiguous()

    pixels = alexnet_input(source)
    conv5 = alexnet.trunk(pixels)
    embedding, identity_logits = alexnet.identity(conv5)
    return goldens | {
        "alexnet.input": pixels[:1, :, ::4, ::4].contiguous(),
        "alexnet.conv5": conv5[:1].contiguous(),
        "alexnet.embedding": embedding,
        "alexnet.identity_logits": identity_logits,
        "alexnet.age_logits": alexnet.age(conv5),
    }


def step_goldens(
    generator: Generator, discriminator: Discriminator, alexnet: AlexNet, steps: int
) -> dict[str, Tensor]:
    """Losses and gradient norms of `steps` alternating steps: the discriminator, then the generator against it."""
    alexnet.eval().requires_grad_(False)
    generator.train()
    discriminator.train()
    generator_adam, discriminator_adam = (
        torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.5, 0.999), eps=1e-8)
        for network in (generator, discriminator)
    )
    target, mismatched = torch.tensor([2, 4]), torch.tensor([0, 3])
    goldens: dict[str, Tensor] = {}
    for step in range(steps):
        source, real = named_input(f"step{step}.source"), named_input(f"step{step}.real")
        generated = generator(source, target)

        loss = discriminator_loss(discriminator, real, generated.detach(), target, mismatched)
        discriminator_adam.zero_grad()
        (ADVERSARIAL_WEIGHT * loss).backward()
        goldens[f"step{step}.loss_d"] = loss.detach().view(1)
        goldens |= gradient_norms(step, "discriminator", discriminator)
        discriminator_adam.step()

        discriminator.requires_grad_(False)
        losses = generator_losses(discriminator, alexnet, source, generated, target)
        generator_adam.zero_grad()
        weighted = (
            ADVERSARIAL_WEIGHT * losses["gan"] + IDENTITY_WEIGHT * losses["identity"] + AGE_WEIGHT * losses["age"]
        )
        weighted.backward()
        goldens |= {f"step{step}.loss_{name}": loss.detach().view(1) for name, loss in losses.items()}
        goldens |= gradient_norms(step, "generator", generator)
        generator_adam.step()
        discriminator.requires_grad_(True)
    return goldens


def gradient_norms(step: int, prefix: str, network: nn.Module) -> dict[str, Tensor]:
    return {
        f"step{step}.grad_norm.{prefix}.{name}": parameter.grad.norm().view(1)
        for name, parameter in network.named_parameters()
    }


@torch.no_grad()
def parameters_after(generator: Generator, discriminator: Discriminator) -> dict[str, Tensor]:
    """What the steps made of the two networks, and a face from the generator with its new running statistics."""
    goldens = {"generator.after": generator.eval()(named_input("input.source"), torch.tensor([1, 4]))}
    for prefix, network in (("generator", generator), ("discriminator", discriminator)):
        goldens |= {f"after.{prefix}.{name}": value.detach() for name, value in network.named_parameters()}
    return goldens


def write_pytorch_generator(path: Path) -> None:
    """Saves the tiny generator's whole `state_dict()`, with the metadata of a weights file; and as `torch.save` does."""
    generator, _, _ = tiny_networks()
    metadata = {
        "network": "generator",
        "config": json.dumps(TINY_GENERATOR | {"output": "direct"}),
        "age_groups": json.dumps(FIRST_AGES),
    }
    save_file(generator.state_dict(), path, metadata)
    torch.save(generator.state_dict(), path.with_suffix(".pth"))
    torch.save(generator.state_dict(), path.with_suffix(".old.pth"), _use_new_zipfile_serialization=False)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"fill.sample": torch.from_numpy(uniform("sample", 16).astype(np.float32))}, folder / "fill.safetensors")
    write_pytorch_generator(folder / "pytorch_generator.safetensors")

    save_file(forward_goldens(*tiny_networks()), folder / "tiny_forward.safetensors")
    generator, discriminator, alexnet = tiny_networks()
    tiny_steps = step_goldens(generator, discriminator, alexnet, steps=2)
    save_file(tiny_steps | parameters_after(generator, discriminator), folder / "tiny_step.safetensors")

    save_file(forward_goldens(*paper_networks()), folder / "paper_forward.safetensors")
    # One step and no parameters after it: at full width Adam's first step amplifies rounding.
    save_file(step_goldens(*paper_networks(), steps=1), folder / "paper_step.safetensors")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python reference.py OUT_DIR")
    main(Path(sys.argv[1]))
