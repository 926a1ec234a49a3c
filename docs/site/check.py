"""Checks that every relative link of a built site leads to a file, and every anchor to an element.

python3 docs/site/check.py FOLDER
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

from markdown_page import is_external


class Page(HTMLParser):
    """The anchors of a page, and its links with their lines."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[tuple[int, str]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name == "id" or (name == "name" and tag == "a"):
                self.anchors.add(value or "")
            elif name in ("href", "src") and value:
                self.links.append((self.getpos()[0], value))


def broken_links(folder: Path) -> tuple[int, list[str]]:
    """The number of relative links below `folder`, and a message for each that leads nowhere."""
    folder = folder.resolve()
    pages = {path: Page(path) for path in sorted(folder.rglob("*.html"))}
    checked, messages = 0, []
    for path, page in pages.items():
        for line, link in page.links:
            if is_external(link):
                continue
            checked += 1
            target, _, anchor = link.partition("#")
            place = f"{path.relative_to(folder)}:{line}: {link}"
            leads_to = (path.parent / unquote(target.partition("?")[0])).resolve() if target else path
            if leads_to.is_dir():
                leads_to /= "index.html"
            if not leads_to.is_relative_to(folder) or not leads_to.is_file():
                messages.append(f"{place}: there is no such file in the site")
            elif anchor and leads_to in pages and unquote(anchor) not in pages[leads_to].anchors:
                messages.append(f"{place}: the page has no element with this id")
    return checked, messages


def main() -> None:
    checked, messages = broken_links(Path(sys.argv[1]))
    if messages:
        sys.exit("\n".join(messages))
    if not checked:
        sys.exit(f"{sys.argv[1]}: no page with a link; is this the folder of a built site?")
    print(f"{checked} relative links lead to files and anchors of the site")


if __name__ == "__main__":
    main()
