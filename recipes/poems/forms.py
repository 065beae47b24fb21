"""Which regular form a poem has: how many lines of how many characters."""

import re

HAN = "[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]"
COUPLET = re.compile(f"({HAN}+)[，？！；]({HAN}+)[。？！]")


def form(text: str) -> tuple[int, int] | None:
    """Characters of a line and how many lines: 5 or 7, 4 or 8; nothing where the text has none of these forms."""
    lines = lines_of(text)
    if lines is None or len(lines) not in (4, 8) or len(set(map(len, lines))) != 1 or len(lines[0]) not in (5, 7):
        return None
    return len(lines[0]), len(lines)


def lines_of(text: str) -> list[str] | None:
    """The lines of a text that is made of couplets, each line ended by its mark; nothing where it is not."""
    couplets = list(COUPLET.finditer(text))
    if "".join(couplet.group() for couplet in couplets) != text or not couplets:
        return None
    return [line for couplet in couplets for line in couplet.groups()]
