"""Times ipcgan, PyTorch and ONNX Runtime on the same work, in turn, and writes one table with ratios.

    pip install torch onnx onnxruntime safetensors numpy
    cargo bench --bench compare --no-run
    python benches/compare/compare.py [--rounds 5] [--threads 2] [--only step:4] > table.md

Every program is a process of its own that waits until its turn, so that all see the same machine in the same minutes:
in each round each of them does the work as often as ours can in about half a second. A ratio is the median, over the
rounds, of their time by ours.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORK = ["step:1", "step:2", "step:4", "step:8", "step:16", "generator:1", "generator:8", "alexnet:1", "alexnet:8"]
WARM_UP = 2
# Seconds of our work in a turn: short work is repeated, so that nobody is timed while waking up.
TURN = 0.5


def our_program() -> str:
    """The path of the compiled `compare` bench, as cargo tells it."""
    command = ["cargo", "bench", "--bench", "compare", "--no-run", "--message-format=json"]
    lines = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    messages = (json.loads(line) for line in lines if line.startswith("{"))
    return [m["executable"] for m in messages if m.get("target", {}).get("name") == "compare" and m["executable"]][-1]


class Contestant:
    """A process that does a piece of work as often as each line that it is sent says."""

    def __init__(self, command: list[str], threads: int) -> None:
        counts = ("RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        environment = os.environ | {name: str(threads) for name in counts} | {"OMP_WAIT_POLICY": "PASSIVE"}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        )
        self.seconds: list[float] = []

    def turn(self, repetitions: int) -> float:
        """Gives the seconds of a repetition."""
        self.process.stdin.write(f"{repetitions}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def finish(self) -> float:
        """Gives the peak memory in megabytes."""
        self.process.stdin.close()
        return int(self.process.stdout.readline()) / 1024


def contest(work: str, batch: int, threads: int, rounds: int, program: str) -> dict[str, Contestant]:
    theirs = [sys.executable, str(Path(__file__).with_name("theirs.py"))]
    commands = {
        "ipcgan": [program, work, str(batch)],
        "PyTorch": [*theirs, "pytorch", work, str(batch), str(threads)],
        "Burn alone": [program, work, str(batch), "burn"],
    }
    if work != "step":
        commands["ONNX Runtime"] = [*theirs, "onnxruntime", work, str(batch), str(threads)]
    contestants = {name: Contestant(command, threads) for name, command in commands.items()}
    for contestant in contestants.values():
        contestant.turn(WARM_UP)
    repetitions = max(1, round(TURN / contestants["ipcgan"].turn(WARM_UP)))
    for _ in range(rounds):
        for contestant in contestants.values():
            contestant.seconds.append(contestant.turn(repetitions))
    return contestants


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="repetitions that count (default: 5)")
    parser.add_argument("--threads", type=int, default=2, help="threads of each program (default: 2)")
    parser.add_argument("--only", nargs="*", default=WORK, metavar="WORK:BATCH", help=f"of {' '.join(WORK)}")
    options = parser.parse_args()
    program = our_program()
    print("| work | batch | program | ms (median) | faces/s | its time by ours | peak MB |")
    print("|---|---|---|---|---|---|---|")
    for name in options.only:
        work, batch = name.split(":")[0], int(name.split(":")[1])
        contestants = contest(work, batch, options.threads, options.rounds, program)
        ours = contestants["ipcgan"].seconds
        for program_name, contestant in contestants.items():
            median = statistics.median(contestant.seconds)
            ratio = statistics.median(theirs / our for theirs, our in zip(contestant.seconds, ours))
            memory = contestant.finish()
            cells = [work, batch, program_name, f"{median * 1e3:.0f}", f"{batch / median:.1f}", f"{ratio:.2f}", f"{memory:.0f}"]
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)


main()
