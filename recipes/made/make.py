"""Make pairs whose targets follow from their sources by a rule: copies, reversals, dates as people write them, many words.

20,000 pairs each, no source twice, from a seed. Writes data/copy.tsv, data/reverse.tsv, data/dates.tsv and
data/words.tsv beside this script.
"""

import calendar
import random
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
COUNT = 20_000
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = 10_000
ONES = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
]
ORDINALS = [*ONES, "sixteenth", "seventeenth", "eighteenth", "nineteenth", "twentieth"]


def main() -> None:
    """Draw and write all four."""
    for name, draw in [("copy", copy), ("reverse", reverse), ("dates", date), ("words", words)]:
        rng = random.Random(1)
        pairs: dict[str, str] = {}
        while len(pairs) < COUNT:
            source, target = draw(rng)
            pairs.setdefault(source, target)
        path = HERE / "data" / f"{name}.tsv"
        path.parent.mkdir(exist_ok=True)
        lines = ["source\ttarget\n", *(f"{source}\t{target}\n" for source, target in pairs.items())]
        path.write_text("".join(lines), encoding="utf-8")
        print(f"{name}: {len(pairs)} pairs")


def letters(rng: random.Random) -> str:
    """From 4 to 12 letters."""
    return "".join(rng.choice(LETTERS) for _ in range(rng.randint(4, 12)))


def copy(rng: random.Random) -> tuple[str, str]:
    """Letters, and the same letters."""
    drawn = letters(rng)
    return drawn, drawn


def reverse(rng: random.Random) -> tuple[str, str]:
    """Letters, and the same in the opposite order."""
    drawn = letters(rng)
    return drawn, drawn[::-1]


def ordinal(day: int) -> str:
    """A day of a month in words."""
    if day <= 20:
        return ORDINALS[day - 1]
    return "thirtieth" if day == 30 else f"{'twenty' if day < 30 else 'thirty'}-{ORDINALS[day % 10 - 1]}"


def date(rng: random.Random) -> tuple[str, str]:
    """A day from 1900 to 2099 in one of the ways in which people write it, and as a machine does."""
    year, month = rng.randint(1900, 2099), rng.randint(1, 12)
    day = rng.randint(1, calendar.monthrange(year, month)[1])
    name = calendar.month_name[month]
    weekday = calendar.day_name[calendar.weekday(year, month, day)]
    forms: list[Callable[[], str]] = [
        lambda: f"the {ordinal(day)} of {name} {year}",
        lambda: f"{name} {day}, {year}",
        lambda: f"{day} {name} {year}",
        lambda: f"{name} the {ordinal(day)}, {year}",
        lambda: f"{day:02}.{month:02}.{year}",
        lambda: f"{weekday}, {day} {name} {year}",
        lambda: f"{name[:3]} {day} {year}",
        lambda: f"{year}, {ordinal(day)} of {name}",
        lambda: f"{day}-{name[:3].upper()}-{year}",
        lambda: f"{weekday} the {ordinal(day)} of {name}, {year}",
        lambda: f"{year}/{month}/{day}",
    ]
    return rng.choice(forms)(), f"{year}-{month:02}-{day:02}"


def spelt(number: int, letters: str) -> str:
    """A word for a number, of a language with these letters."""
    word = ""
    for _ in range(4):
        number, letter = divmod(number, len(letters))
        word += letters[letter]
    return word


def words(rng: random.Random) -> tuple[str, str]:
    """From 4 to 9 of 10,000 words, half of them by Zipf's law, each in one of two forms, by the word that follows."""
    numbers = []
    for _ in range(rng.randint(4, 9)):
        numbers.append(int(WORDS ** rng.random()) - 1 if rng.random() < 0.5 else rng.randrange(WORDS))
    source = [spelt(number, "bdfghjklmn") for number in numbers]
    ends = ["ei"[following % 2] for following in [*numbers[1:], 0]]
    target = [spelt(number, "pqrstvwxyz") + end for number, end in zip(numbers, ends, strict=True)]
    return " ".join(source), " ".join(target)


if __name__ == "__main__":
    main()
