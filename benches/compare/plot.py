"""Draws the table of compare.py as bars: how many times faster ipcgan is than each of the others.

    python benches/compare/plot.py table.md > docs/performance.svg
"""

import sys
from pathlib import Path

COLOURS = {"PyTorch": "#ee4c2c", "ONNX Runtime": "#5b6abf", "Burn, ndarray": "#9a9a9a"}
ROW, BAR, LEFT, UNIT, TOP = 22, 16, 140, 95, 44


def rows(table: str) -> list[tuple[str, str, float]]:
    """Work, program and ratio of each line that is about another program."""
    found = []
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        if len(cells) == 7 and cells[2] in COLOURS:
            found.append((f"{cells[0]}, batch {cells[1]}", cells[2], float(cells[5])))
    return found


def main() -> None:
    bars = rows(Path(sys.argv[1]).read_text())
    longest = max(ratio for _, _, ratio in bars)
    works = list(dict.fromkeys(work for work, _, _ in bars))
    height = TOP + ROW * len(bars) + 10 * len(works)
    width = LEFT + UNIT * longest + 60
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" font-family="sans-serif" font-size="12">')
    print(f'<rect width="100%" height="100%" fill="white"/>')
    x = LEFT
    for name in (name for name in COLOURS if any(program == name for _, program, _ in bars)):
        colour = COLOURS[name]
        print(f'<rect x="{x}" y="8" width="12" height="12" fill="{colour}"/><text x="{x + 16}" y="18">{name}</text>')
        x += 120
    print(f'<text x="{LEFT}" y="{TOP - 8}" fill="#555">time relative to ipcgan (dashed line: 1)</text>')
    y = TOP
    for work in works:
        print(f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{work}</text>')
        for _, program, ratio in (bar for bar in bars if bar[0] == work):
            print(f'<rect x="{LEFT}" y="{y}" width="{UNIT * ratio:.0f}" height="{BAR}" fill="{COLOURS[program]}"/>')
            print(f'<text x="{LEFT + UNIT * ratio + 4:.0f}" y="{y + 13}">{ratio:.2f}</text>')
            y += ROW
        y += 10
    print(f'<line x1="{LEFT + UNIT}" y1="{TOP - 4}" x2="{LEFT + UNIT}" y2="{height - 8}" stroke="black" stroke-dasharray="3 3"/>')
    print("</svg>")


main()
