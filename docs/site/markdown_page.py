"""Links, headings and code of a Markdown page."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# The target of `[text](target)` and `![text](target)`, and of `[text]: target`. No target has spaces or a title.
INLINE_LINK = re.compile(r"\]\(([^()\s]+)\)")
LINK_DEFINITION = re.compile(r"^\[[^\]]+\]:[ \t]+(\S+)[ \t]*$", re.MULTILINE)
FENCE = re.compile(r"^\s*(`{3,})(.*)$")
CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
HEADING = re.compile(r"^#{1,6}[ \t]+(.*?)[ \t]*#*$", re.MULTILINE)


@dataclass
class CodeBlock:
    """A fenced code block."""

    # The line of its opening fence, from 1.
    line: int
    # What follows the opening fence, as `sh` or `rust,no_run`.
    info: str
    lines: list[str]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def code_blocks(text: str) -> list[CodeBlock]:
    """The fenced code blocks, in order; raises ValueError if one is not closed."""
    found: list[CodeBlock] = []
    fence = ""
    for number, line in enumerate(text.split("\n"), start=1):
        match = FENCE.match(line)
        if match and not fence:
            fence = match[1]
            found.append(CodeBlock(number, match[2].strip(), []))
        elif match and match[1].startswith(fence) and not match[2].strip():
            fence = ""
        elif fence:
            found[-1].lines.append(line)
    if fence:
        raise ValueError(f"line {found[-1].line}: the code block is not closed")
    return found


def _without_code_blocks(text: str) -> str:
    """The page with code blocks as spaces, so that lines and offsets stay."""
    lines = text.split("\n")
    for block in code_blocks(text):
        for index in range(block.line - 1, block.line + len(block.lines) + 1):
            lines[index] = " " * len(lines[index])
    return "\n".join(lines)


def code_spans(text: str) -> list[tuple[int, str]]:
    """Line and text of each `code span` outside of code blocks; a line break in it is a space."""
    prose = _without_code_blocks(text)
    found = CODE_SPAN.finditer(prose)
    return [(prose.count("\n", 0, match.start()) + 1, " ".join(match[2].split())) for match in found]


def links(text: str) -> list[tuple[int, int]]:
    """Start and end of each link target outside of code."""
    blank = lambda match: re.sub(r"[^\n]", " ", match[0])
    prose = CODE_SPAN.sub(blank, _without_code_blocks(text))
    return sorted(match.span(1) for pattern in (INLINE_LINK, LINK_DEFINITION) for match in pattern.finditer(prose))


def with_links(text: str, change: Callable[[str], str]) -> str:
    """The page with each link target replaced by `change(target)`."""
    for start, end in reversed(links(text)):
        text = text[:start] + change(text[start:end]) + text[end:]
    return text


def anchors(text: str) -> set[str]:
    """The anchors of the headings, by the rules of GitHub."""
    found: set[str] = set()
    for match in HEADING.finditer(_without_code_blocks(text)):
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match[1])
        anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        number = 0
        while (unique := f"{anchor}-{number}" if number else anchor) in found:
            number += 1
        found.add(unique)
    return found


def is_external(target: str) -> bool:
    return bool(re.match(r"[a-z][a-z0-9+.-]*:", target))


def resolved(page: Path, target: str) -> tuple[Path, str]:
    """The file or folder that a relative link of `page` names, and its anchor."""
    path, _, anchor = target.partition("#")
    return ((page.parent / path).resolve() if path else page), anchor


def broken_links(page: Path) -> list[str]:
    """A message for each relative link of the file `page` that leads nowhere."""
    text = page.read_text(encoding="utf-8")
    messages = []
    for start, end in links(text):
        target = text[start:end]
        if is_external(target):
            continue
        place = f"{page}:{text.count(chr(10), 0, start) + 1}: {target}"
        path, anchor = resolved(page, target)
        if not path.exists():
            messages.append(f"{place}: {path} does not exist")
        elif anchor and path.suffix != ".md":
            messages.append(f"{place}: only Markdown pages have anchors")
        elif anchor and anchor not in anchors(path.read_text(encoding="utf-8")):
            messages.append(f"{place}: {path} has no heading #{anchor}")
    return messages
