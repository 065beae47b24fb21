"""Fetch the help of LibreOffice in English and in Chinese, and put its paragraphs side by side.

The Debian packages `libreoffice-help-en-us` and `libreoffice-help-zh-cn` hold the same pages; a paragraph or heading has the
same id in both. The folders `scalc` and `simpress` are left out of everything. Pages are drawn by a seed: four fifths of them
train, a tenth validates, a tenth tests. A pair that is not translated is left out, and a source that came before, in
whatever part, is not taken again, so that nothing is judged that was learnt by heart.

Writes data/train.tsv, data/valid.tsv and data/test.tsv beside this script. Wants `apt-get` and `dpkg-deb`.
"""

import random
import re
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import debian

PACKAGES = {"en": ("libreoffice-help-en-us", "en-US"), "zh": ("libreoffice-help-zh-cn", "zh-CN")}
LEFT_OUT = {"scalc", "simpress"}
SEED = 1
TAGS = {"p", "h1", "h2", "h3", "h4", "h5", "h6"}


def main() -> None:
    """Download, read, align, split, write."""
    with tempfile.TemporaryDirectory() as folder:
        debian.lists(Path(folder))
        pages = {language: read(Path(folder), *package) for language, package in PACKAGES.items()}
    names = sorted(pages["en"].keys() & pages["zh"].keys())
    random.Random(SEED).shuffle(names)
    tenth = len(names) // 10
    parts = {"valid": names[:tenth], "test": names[tenth : 2 * tenth], "train": names[2 * tenth :]}
    seen: set[str] = set()
    for part in ("train", "valid", "test"):
        rows = []
        for name in parts[part]:
            english, chinese = pages["en"][name], pages["zh"][name]
            for key, source in english.items():
                target = chinese.get(key, "")
                if target and target != source and source not in seen and has_han(target):
                    seen.add(source)
                    rows.append((source, target))
        path = HERE / "data" / f"{part}.tsv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"{a}\t{b}\n" for a, b in [("source", "target"), *rows]), encoding="utf-8")
        print(f"{part}: {len(parts[part])} pages, {len(rows)} pairs")


def read(folder: Path, package: str, language: str) -> dict[str, dict[str, str]]:
    """The texts of every page of a package, by the page's path and the paragraph's id."""
    root = next(debian.unpacked(folder, package).glob(f"usr/share/libreoffice/help/{language}/text"))
    pages = {}
    for file in sorted(root.rglob("*.html")):
        name = file.relative_to(root).as_posix()
        if LEFT_OUT.isdisjoint(name.split("/")):
            parser = Paragraphs()
            parser.feed(file.read_text(encoding="utf-8"))
            pages[name] = parser.texts
    return pages


def has_han(text: str) -> bool:
    """Whether it holds a Chinese character."""
    return re.search(r"[\u4e00-\u9fff]", text) is not None


class Paragraphs(HTMLParser):
    """Collects the text of paragraphs and headings that have an id."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self.key: str | None = None
        self.pieces: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        key = dict(attrs).get("id") or ""
        if tag in TAGS and key.startswith(("par_id", "hd_id")):
            self.close_paragraph()
            self.key = key

    def handle_endtag(self, tag: str) -> None:
        if tag in TAGS:
            self.close_paragraph()

    def handle_data(self, data: str) -> None:
        if self.key is not None:
            self.pieces.append(data)

    def close_paragraph(self) -> None:
        text = " ".join("".join(self.pieces).split())
        if self.key is not None and text:
            self.texts.setdefault(self.key, text)
        self.key, self.pieces = None, []


if __name__ == "__main__":
    main()
