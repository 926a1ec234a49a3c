"""Times ipcgan, PyTorch and ONNX Runtime on the same work, in alternating rounds, and writes one table with ratios.

    pip install torch onnx onnxruntime safetensors numpy
    cargo bench --bench compare --no-run
    python benches/compare/compare.py [--rounds 5] [--threads 2] [--only step:4] [--device cuda] [--ndarray] > table.md

The work is a training step, the generator and the age classifier, each of the published size, and the generator of the
embedded weights, which PyTorch does not run. `alexnet` is the age classifier with float32 weights, `alexnet-half` that
with weights rounded to float16 numbers, in every program. Every program is a process of its own that waits for its
round, so that all see the same machine in the same minutes: in each round each of them does the work as often as ours
can in about half a second. A ratio is the median, over the rounds, of their time divided by ours. With `--ndarray` our
program is built with that feature, and its device `ndarray`, Burn's older CPU backend, does the work as well: by Burn's
kernels instead of ours. On a GPU PyTorch runs with its defaults (convolutions in TF32) and in full float32, and a
training step also in mixed precision (bfloat16, channels last), as it is and by `torch.compile` with CUDA graphs.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
STEPS = ["step:1", "step:2", "step:4", "step:8", "step:16"]
ALEXNETS = ["alexnet:1", "alexnet:8", "alexnet-half:1", "alexnet-half:8"]
WORK = [*STEPS, "generator:1", "generator:8", "embedded:1", "embedded:8", *ALEXNETS]
HALF_NOTE = """
`alexnet-half`: the weights of every program are rounded to float16 numbers, as in a file of `ipcgan convert --half`, and
products and sums are in float32. ipcgan stores the weights of fully connected layers in 16 bits, which loses nothing;
PyTorch and the initializers of the ONNX file hold the same kind of weights in float32."""
WARM_UP = 2
# Seconds of our work in a round: short work is repeated, so that no program is timed while its threads wake up.
ROUND_SECONDS = 0.5


def our_program(features: list[str]) -> str:
    """The path of the compiled `compare` bench, as cargo tells it."""
    command = ["cargo", "bench", "--bench", "compare", "--no-run", "--message-format=json"]
    command += [f"--features={feature}" for feature in features]
    lines = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    messages = (json.loads(line) for line in lines if line.startswith("{"))
    return [m["executable"] for m in messages if m.get("target", {}).get("name") == "compare" and m["executable"]][-1]


class Contestant:
    """A process that does a piece of work as often as each line that it is sent says."""

    def __init__(self, command: list[str], threads: int) -> None:
        counts = ("RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        environment = os.environ | {name: str(threads) for name in counts} | {"OMP_WAIT_POLICY": "PASSIVE"}
        pipe = subprocess.PIPE
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=self.errors, text=True
        )
        self.seconds: list[float] = []

    def round(self, repetitions: int) -> float:
        """Runs one round and returns the seconds per repetition."""
        try:
            self.process.stdin.write(f"{repetitions}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # It has ended; its output says so too.
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise RuntimeError(f"{' '.join(self.process.args)} failed:\n{self.errors.read().decode(errors='replace')}")
        return float(line)

    def finish(self) -> float:
        """Gives the peak memory in megabytes."""
        self.process.stdin.close()
        return int(self.process.stdout.readline()) / 1024


def commands(work: str, batch: int, options: argparse.Namespace, program: str) -> dict[str, list[str]]:
    """What to start, by name."""
    theirs = [sys.executable, str(Path(__file__).with_name("theirs.py"))]
    pytorch = [*theirs, "pytorch", work, str(batch), str(options.threads)]
    if options.device != "cpu":
        ours = {f"ipcgan, {device}": [program, work, str(batch), device] for device in options.device.split(",")}
        if work == "step":
            for device in options.device.split(","):
                ours[f"ipcgan, {device}, captured"] = [program, "captured", str(batch), device]
        if work == "embedded":
            return ours
        theirs = {"PyTorch": [*pytorch, "cuda"], "PyTorch, full float32": [*pytorch, "cuda", "full"]}
        if work == "step":
            theirs["PyTorch, mixed precision"] = [*pytorch, "cuda", "amp"]
            theirs["PyTorch, mixed precision, compiled"] = [*pytorch, "cuda", "compiled"]
        return ours | theirs
    found = {"ipcgan": [program, work, str(batch)], "PyTorch": [*pytorch, "cpu"]}
    if options.ndarray:
        found["Burn, ndarray"] = [program, work, str(batch), "ndarray"]
    if work != "step":
        found["ONNX Runtime"] = [*theirs, "onnxruntime", work, str(batch), str(options.threads), "cpu"]
    if work == "embedded":
        del found["PyTorch"]
        file = str(Path(options.folder) / "embedded.onnx")
        subprocess.run([program, "onnx", file], cwd=ROOT, check=True)
        found["ONNX Runtime"].append(file)
    return found


def starts(name: str, contestant: Contestant) -> bool:
    """Whether it warms up; what does not run on this machine is left out of the table, with its error."""
    try:
        contestant.round(WARM_UP)
    except RuntimeError as error:
        print(f"left out: {name}: {error}", file=sys.stderr)
        return False
    return True


def contest(work: str, batch: int, options: argparse.Namespace, program: str) -> list[tuple[str, Contestant]]:
    started = commands(work, batch, options, program).items()
    contestants = [(name, Contestant(command, options.threads)) for name, command in started]
    (_, ours), *_ = contestants
    contestants = [entry for entry in contestants if entry[1] is ours or starts(*entry)]
    ours.round(WARM_UP)
    repetitions = max(1, round(ROUND_SECONDS / ours.round(WARM_UP)))
    for _ in range(options.rounds):
        for _, contestant in contestants:
            contestant.seconds.append(contestant.round(repetitions))
    return contestants


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="repetitions that count (default: 5)")
    parser.add_argument("--threads", type=int, default=2, help="threads of each program (default: 2)")
    parser.add_argument("--only", nargs="*", default=WORK, metavar="WORK:BATCH", help=f"of {' '.join(WORK)}")
    parser.add_argument("--device", default="cpu", help="cpu, or GPUs as `ipcgan devices` names them: cuda,vulkan (default: cpu)")
    parser.add_argument("--ndarray", action="store_true", help="on the CPU, also Burn's older backend")
    parser.add_argument("--program", help="the compiled `compare` bench (default: what cargo builds)")
    options = parser.parse_args()
    folder = tempfile.TemporaryDirectory()
    options.folder = folder.name
    program = options.program or our_program(["ndarray"] if options.ndarray else [])
    print("| work | batch | program | ms (median) | faces/s | relative time | peak MB |")
    print("|---|---|---|---|---|---|---|")
    for name in options.only:
        work, batch = name.split(":")[0], int(name.split(":")[1])
        contestants = contest(work, batch, options, program)
        ours = contestants[0][1].seconds
        for program_name, contestant in contestants:
            median = statistics.median(contestant.seconds)
            ratio = statistics.median(theirs / our for theirs, our in zip(contestant.seconds, ours))
            memory = contestant.finish()
            cells = [work, batch, program_name, f"{median * 1e3:.0f}", f"{batch / median:.1f}", f"{ratio:.2f}", f"{memory:.0f}"]
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    if any(name.startswith("alexnet-half:") for name in options.only):
        print(HALF_NOTE)


main()
