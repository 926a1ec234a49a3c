"""Writes docs/backends.md from the measurements in docs/backends/; docs/backends.sh starts it.

A folder there is a machine: machine.toml says which, devices.md and devices.svg are what `cargo run --release --example
compare_devices` makes of `cargo bench --bench devices`.
"""

import sys
import textwrap
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MACHINES = ROOT / "docs/backends"
PAGE = ROOT / "docs/backends.md"
UNITS = {"detection": "photos"}

HEADER = """# Comparison of backends

<!-- Written by docs/backends.sh; change docs/site/backends.py or docs/backends/ instead. -->

The throughput of the same networks, training step and detection on every backend of a build, in faces per second (for
detection, in photos of 512 x 600 pixels per second). The fastest backend of a row is **bold**; the percentage is the
arithmetic throughput relative to that of the backend's largest matrix product. `cpu` is the CPU with [our
kernels](performance.md), `ndarray` (a build with that feature) the CPU with Burn's. Data are loaded on the CPU.

Each section holds only measurements of the machine that it names. To add yours, or to repeat one:

```sh
cargo bench --bench devices                                # benches/devices.rs has its settings
docs/backends.sh my-gpu "My GPU, driver 1.2, Debian 13"    # writes docs/backends/my-gpu and this page
```

For PyTorch and ONNX Runtime on the same work, see [CPU performance](performance.md#benchmark); for the requirements of
each backend and the checks of its results, see [devices](devices.md).
"""


@dataclass
class Measurements:
    """The tables of compare_devices."""

    # Name, and matrix product in GFLOP/s, of each device.
    devices: dict[str, tuple[str, float]]
    # Rate and fraction of the matrix product (`27%`, or empty) by work and batch size, and by device.
    rates: dict[tuple[str, str], dict[str, tuple[str, str]]]


def read(table: Path) -> Measurements:
    devices: dict[str, tuple[str, float]] = {}
    rates: dict[tuple[str, str], dict[str, tuple[str, str]]] = {}
    for number, line in enumerate(table.read_text(encoding="utf-8").splitlines(), start=1):
        cells = [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]
        try:
            match cells:
                case [""] | ["device", *_] | ["work", *_] | ["---", *_]:
                    pass
                case [device, name, product]:
                    devices[device] = (name, float(product))
                case [work, batch, device, rate, fraction]:
                    float(rate)
                    rates.setdefault((work, batch), {})[device] = (rate, fraction)
                case _:
                    raise ValueError("neither a device nor a measurement")
        except ValueError as error:
            sys.exit(f"{table}:{number}: {error}; `cargo run --release --example compare_devices` writes this file")
    if not rates:
        sys.exit(f"{table}: no measurement; run `cargo bench --bench devices` first")
    return Measurements(devices, rates)


def cell(measured: dict[str, tuple[str, str]], device: str) -> str:
    if device not in measured:
        return ""
    rate, fraction = measured[device]
    text = f"{float(rate):,.0f}" if float(rate) >= 10 else rate
    if len(measured) > 1 and float(rate) == max(float(rate) for rate, _ in measured.values()):
        text = f"**{text}**"
    return f"{text} ({fraction})" if fraction else text


def section(folder: Path) -> str:
    machine = tomllib.loads((folder / "machine.toml").read_text(encoding="utf-8"))
    found = read(folder / "devices.md")
    devices = list(dict.fromkeys([*found.devices, *(device for rates in found.rates.values() for device in rates)]))
    measured_how = f"{machine['machine']}; `{machine['command']}`. {machine.get('note', '')}".strip()
    lines = [
        f"\n## {machine['title']}\n",
        textwrap.fill(measured_how, 120, break_long_words=False, break_on_hyphens=False) + "\n",
        f"| | batch | {' | '.join(devices)} |",
        f"|---|---|{'---|' * len(devices)}",
    ]
    products = (f"{found.devices[device][1]:,.0f}" if device in found.devices else "" for device in devices)
    lines.append(f"| matrix product, GFLOP/s | | {' | '.join(products)} |")
    for (work, batch), measured in found.rates.items():
        unit = f", {UNITS[work]}/s" if work in UNITS else ", faces/s"
        lines.append(f"| {work}{unit} | {batch} | {' | '.join(cell(measured, device) for device in devices)} |")
    if (folder / "devices.svg").is_file():
        lines.append(f"\n![{machine['title']}: the same as bars](backends/{folder.name}/devices.svg)")
    return "\n".join(lines) + "\n"


def page() -> str:
    folders = sorted(path for path in MACHINES.iterdir() if path.is_dir())
    return HEADER + "".join(section(folder) for folder in folders)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE.relative_to(ROOT))
