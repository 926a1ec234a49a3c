"""Writes one table of what criterion measured of each layer: ours against Burn's, and against what the machine can do.

    cargo bench -p ipcgan-kernels
    cargo bench --bench kernels
    python benches/compare/layers.py [target/criterion] > table.md
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = ["output", "input gradient", "weight gradient"]


def measured(folder: Path) -> dict[tuple[str, str, str], tuple[float, float]]:
    """Seconds and things a second of each bench, by group, function and parameter."""
    results = {}
    for path in sorted(folder.glob("**/new/benchmark.json")):
        bench = json.loads(path.read_text())
        seconds = json.loads(path.with_name("estimates.json").read_text())["median"]["point_estimate"] / 1e9
        count = (bench["throughput"] or {}).get("Elements", 0)
        key = (bench["group_id"], bench["function_id"], bench["value_str"] or "")
        results[key] = (seconds, count / seconds)
    return results


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "target" / "criterion"
    results = measured(folder)
    if not results:
        sys.exit(f"{folder} holds no results: run the two benches first, or name the folder")
    _, peak = results[("peak", "multiplications and additions", "")]
    print(f"Peak: {peak / 1e9:.0f} GFLOP/s.\n")
    print("| layer | ours, ms | Burn, ms | Burn / ours | " + " | ".join(f"{part}, GFLOP/s (of peak)" for part in PARTS) + " |")
    print("|---" * (4 + len(PARTS)) + "|")
    for group, function, parameter in results:
        if (function, parameter) != ("output and gradients", "ours"):
            continue
        ours, burns = (results[(group, function, name)][0] for name in ("ours", "Burn"))
        rates = [results[(group, part, "fast")][1] for part in PARTS]
        cells = [group, f"{ours * 1e3:.1f}", f"{burns * 1e3:.1f}", f"{burns / ours:.1f}"]
        cells += [f"{rate / 1e9:.0f} ({rate / peak:.0%})" for rate in rates]
        print("| " + " | ".join(cells) + " |")


main()
