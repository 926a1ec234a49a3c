"""PyTorch's and ONNX Runtime's side of the comparison; prints what `ours.rs` prints.

compare.py starts it as `theirs.py pytorch step|generator|alexnet|alexnet-half BATCH THREADS DEVICE
[full|amp|compiled]`. With `full` a GPU does not round the factors of convolutions to TF32, which is PyTorch's default
there; `amp` is automatic mixed precision in bfloat16 with channels-last maps, `compiled` is that by `torch.compile`
with CUDA graphs; or as `theirs.py onnxruntime generator|alexnet|alexnet-half|embedded BATCH THREADS cpu [FILE]`, where
FILE is the ONNX file of the embedded weights. The weights of `alexnet-half` are rounded to float16 numbers, which
tensors and the initializers of the ONNX file hold in float32.
"""

import io
import resource
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

DEVICE = sys.argv[5]
OPTION = sys.argv[6] if sys.argv[1] == "pytorch" and len(sys.argv) > 6 else None
# Before the reference makes its constants.
torch.set_default_device(DEVICE)
sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "reference"))
import reference  # noqa: E402


def faces(batch: int) -> torch.Tensor:
    return torch.rand(batch, 3, reference.IMAGE_SIZE, reference.IMAGE_SIZE) * 2 - 1


def groups(batch: int, first: int = 0) -> torch.Tensor:
    return (torch.arange(batch) + first) % reference.AGE_GROUPS


def prepared(network: torch.nn.Module) -> torch.nn.Module:
    """The network of a training step as OPTION wants it."""
    if OPTION in ("amp", "compiled"):
        network = network.to(memory_format=torch.channels_last)
    # Compiled in place, so that the losses find the layers where they are.
    if OPTION == "compiled":
        network.compile(mode="reduce-overhead")
    return network


def precision():
    """What the forward passes of a training step run in."""
    return torch.autocast(DEVICE.split(":")[0], torch.bfloat16, enabled=OPTION in ("amp", "compiled"))


class AgeNet(torch.nn.Module):
    """From a face to the scores of the age groups."""

    def __init__(self) -> None:
        super().__init__()
        self.net = reference.AlexNet()

    def forward(self, face: torch.Tensor) -> torch.Tensor:
        return self.net.age(self.net.trunk(reference.alexnet_input(face)))


def training_step(batch: int):
    """Both updates; the generator runs once, frozen networks learn nothing, as on our side."""
    networks = reference.Generator(), reference.Discriminator(), reference.AlexNet()
    generator, discriminator, alexnet = (prepared(network) for network in networks)
    alexnet.requires_grad_(False)
    adam = lambda network: torch.optim.Adam(network.parameters(), 1e-4, betas=(0.5, 0.999))
    generator_adam, discriminator_adam = adam(generator), adam(discriminator)
    source, real, target, mismatched = faces(batch), faces(batch), groups(batch), groups(batch, 1)

    def step() -> None:
        with precision():
            generated = generator(source, target)
            loss = reference.discriminator_loss(discriminator, real, generated.detach(), target, mismatched)
        discriminator_adam.zero_grad()
        (loss * reference.ADVERSARIAL_WEIGHT).backward()
        discriminator_adam.step()

        discriminator.requires_grad_(False)
        with precision():
            losses = reference.generator_losses(discriminator, alexnet, source, generated, target)
        generator_adam.zero_grad()
        (
            reference.ADVERSARIAL_WEIGHT * losses["gan"]
            + reference.IDENTITY_WEIGHT * losses["identity"]
            + reference.AGE_WEIGHT * losses["age"]
        ).backward()
        generator_adam.step()
        discriminator.requires_grad_(True)

    return step


def network(work: str, batch: int):
    """A network and its inputs."""
    if work == "generator":
        planes = F.one_hot(groups(batch), reference.AGE_GROUPS).float()[:, :, None, None]
        return PlanesGenerator().eval(), (faces(batch), planes.expand(-1, -1, 128, 128).contiguous())
    if work in ("alexnet", "alexnet-half"):
        net = AgeNet().eval()
        if work == "alexnet-half":
            net = net.half().float()
        return net, (faces(batch),)
    raise ValueError(f"PyTorch does not run {work}")


class PlanesGenerator(reference.Generator):
    """The generator after its condition planes, which ONNX cannot make."""

    def forward(self, source: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
        x = torch.cat([source, planes], 1)
        for layer in (self.stem, self.down1, self.down2):
            x = F.relu(layer(x))
        for block in self.residual:
            x = block(x)
        for layer in (self.up1, self.up2):
            x = F.relu(layer(x))
        return torch.tanh(self.head(x))


def pytorch(work: str, batch: int):
    if work == "step":
        return training_step(batch)
    net, inputs = network(work, batch)
    # Channels last is the faster layout of PyTorch's inference here.
    net, inputs = net.to(memory_format=torch.channels_last), [x.to(memory_format=torch.channels_last) for x in inputs]

    def run() -> None:
        with torch.no_grad():
            net(*inputs)

    return run


def onnx(work: str, batch: int):
    """An ONNX file, and its inputs by name."""
    if work == "embedded":
        weights = F.one_hot(groups(batch), reference.AGE_GROUPS).float()
        return Path(sys.argv[6]).read_bytes(), {"face": faces(batch).numpy(), "group_weights": weights.numpy()}
    net, inputs = network(work, batch)
    file = io.BytesIO()
    names = [f"x{index}" for index in range(len(inputs))]
    with torch.no_grad():
        torch.onnx.export(net, inputs, file, input_names=names, output_names=["y"], opset_version=17, dynamo=False)
    return file.getvalue(), {name: x.numpy() for name, x in zip(names, inputs)}


def onnxruntime(work: str, batch: int, threads: int):
    import onnxruntime as runtime

    file, feed = onnx(work, batch)
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = runtime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, feed)


def main() -> None:
    library, work, batch, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = OPTION != "full"
    # As every program here, it may look for its fastest kernels first.
    torch.backends.cudnn.benchmark = True
    repeat = pytorch(work, batch) if library == "pytorch" else onnxruntime(work, batch, threads)
    for line in sys.stdin:
        repetitions = int(line)
        start = time.perf_counter()
        for _ in range(repetitions):
            repeat()
        if DEVICE != "cpu":
            torch.cuda.synchronize()
        print((time.perf_counter() - start) / repetitions, flush=True)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)


main()
