"""Copies the pages of docs/SUMMARY.md, and all files that they link to, to a folder for mdBook.

    python3 docs/site/stage.py FOLDER

Files keep their places relative to each other, so that links need no change, with two exceptions: a link to a folder becomes
a link to its README.md, and one to a source file a link to a page with its text.
"""

import re
import shutil
import sys
from pathlib import Path

from markdown_page import is_external, resolved, with_links

ROOT = Path(__file__).resolve().parents[2]
SUMMARY = ROOT / "docs/SUMMARY.md"
BOOK_FILES = [ROOT / "docs/site" / name for name in ("book.toml", "site.css")]
IMAGES = {".jpg", ".png", ".svg", ".webp"}
# Names of languages for the syntax highlighter; `rs` instead of `rust`, of which mdBook would hide lines.
LANGUAGES = {".rs": "rs", ".py": "python", ".toml": "toml", ".sh": "sh"}


class Stage:
    """A book's folder of pages while it is filled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pages: set[Path] = set()
        self.sources: set[Path] = set()

    def write(self, path: Path, text: str) -> None:
        path = self.folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def link(self, page: Path, target: str) -> str:
        """Takes along what `target` leads to; gives the link that leads there in the book."""
        if is_external(target) or target.startswith("#"):
            return target
        path, anchor = resolved(page, target)
        if path.is_dir():
            path, target = path / "README.md", f"{target.rstrip('/')}/README.md"
        if not path.is_relative_to(ROOT) or not path.is_file():
            sys.exit(f"{page}: the link {target} leads to no file of the project")
        within = path.relative_to(ROOT)
        if path.suffix == ".md":
            if within not in self.pages:
                sys.exit(f"{page}: {within} is not in {SUMMARY.relative_to(ROOT)}; add it there")
            # mdBook calls the page of a README index.html.
            return re.sub(r"README\.md(?=#|$)", "index.md", target)
        if path.suffix in IMAGES:
            (self.folder / within).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, self.folder / within)
            return target
        self.sources.add(within)
        return f"{target}.md"

    def page(self, within: Path) -> None:
        page = ROOT / within
        self.write(within, with_links(page.read_text(encoding="utf-8"), lambda target: self.link(page, target)))

    def source(self, within: Path) -> None:
        text = (ROOT / within).read_text(encoding="utf-8")
        fence, language = "`" * 5, LANGUAGES.get(within.suffix, "text")
        page = f"# {within.name}\n\n`{within}`\n\n{fence}{language}\n{text}{fence}\n"
        self.write(within.with_name(f"{within.name}.md"), page)

    def source_files(self, summary: str) -> None:
        """Writes the pages of source files and what lists them, and leaves them out of the search."""
        summary += "- [Source files](source-files.md)\n"
        listed = "# Source files\n\nFiles of the project that other pages link to.\n\n"
        with (self.folder.parent / "book.toml").open("a", encoding="utf-8") as book:
            for within in sorted(self.sources):
                self.source(within)
                summary += f"  - [{within.name}]({within}.md)\n"
                listed += f"- [{within}]({within}.md)\n"
                book.write(f'"{within}.md" = {{ enable = false }}\n')
        self.write(Path("source-files.md"), listed)
        self.write(Path("SUMMARY.md"), summary)


def main() -> None:
    book = Path(sys.argv[1])
    shutil.rmtree(book, ignore_errors=True)
    book.mkdir(parents=True)
    for path in BOOK_FILES:
        shutil.copyfile(path, book / path.name)
    stage = Stage(book / "source")

    def listed(target: str) -> str:
        within = resolved(SUMMARY, target)[0].relative_to(ROOT)
        stage.pages.add(within)
        return within.as_posix()

    summary = with_links(SUMMARY.read_text(encoding="utf-8"), listed)
    for within in sorted(stage.pages):
        stage.page(within)
    stage.source_files(summary)


main()
