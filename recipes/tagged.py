"""Sentences with a tag per token, as the recipes of tagging write them: reading, cutting, and the plainest tagger."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from package import check

Sentence = list[tuple[str, str]]
Row = TypeVar("Row")


def read_part(recipe: Path, part: str) -> list[Sentence]:
    """The sentences of a part of a recipe, `train` or `valid`, by the file's extension."""
    for extension, read in FORMATS.items():
        file = recipe / "data" / f"{part}{extension}"
        if file.exists():
            return read(file.read_text(encoding="utf-8"))
    raise SystemExit(f"{recipe / 'data'} has no {part} part; python {recipe / 'prepare.py'} fetches the data")


def file_of(recipe: Path, part: str) -> Path:
    """The file of a part of a recipe."""
    files = [recipe / "data" / f"{part}{extension}" for extension in FORMATS]
    return next((file for file in files if file.exists()), files[0])


def read_slashes(text: str) -> list[Sentence]:
    """A sentence a line, `word/tag` with blanks between them; the last slash parts."""
    lines = ([pair.rsplit("/", 1) for pair in line.split()] for line in text.split("\n"))
    return [[(token, tag) for token, tag in pairs] for pairs in lines if pairs]


def read_columns(text: str, token: int = 0, tag: int = -1) -> list[Sentence]:
    """A token a line with its tag, tabs between them; a blank line ends a sentence, `#` begins a comment."""
    blocks = (block.split("\n") for block in text.split("\n\n"))
    rows = ([line.split("\t") for line in block if line and not line.startswith("# ")] for block in blocks)
    return [[(columns[token], columns[tag]) for columns in block] for block in rows if block]


def read_conllu(text: str) -> list[Sentence]:
    """CoNLL-U: forms and their universal part of speech; these recipes have neither ranges nor empty nodes."""
    return read_columns(text, token=1, tag=3)


FORMATS: dict[str, Callable[[str], list[Sentence]]] = {
    ".txt": read_slashes,
    ".conll": read_columns,
    ".conllu": read_conllu,
}


def cut(rows: list[Row]) -> dict[str, list[Row]]:
    """The first 80 % train, the next 10 % validate, the last 10 % test."""
    first, second = 8 * len(rows) // 10, 9 * len(rows) // 10
    return {"train": rows[:first], "valid": rows[first:second], "test": rows[second:]}


def write(path: Path, text: str) -> None:
    """Write a file and the folder it stands in; line ends are the same everywhere."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def tell(recipe: Path, expected: dict[str, tuple[int, int]], tags: int) -> None:
    """Check sentences and tokens of the named parts, and the tags trained; print them, and what the plainest tagger reaches."""
    parts = {part: read_part(recipe, part) for part in expected}
    for part, (sentences, tokens) in expected.items():
        check(f"sentences of the {part} part", len(parts[part]), sentences)
        check(f"tokens of the {part} part", sum(map(len, parts[part])), tokens)
        print(f"{part}: {sentences} sentences, {tokens} tokens")
    check("tags of the train part", len({tag for sentence in parts["train"] for _, tag in sentence}), tags)
    print(f"the most frequent of {tags} tags per word: {100 * most_frequent(parts['train'], parts['valid']):.2f} % of valid")


def most_frequent(train: list[Sentence], valid: list[Sentence]) -> float:
    """Accuracy of the tag that a word has most often in training; an unknown word gets the commonest tag of all."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for sentence in train:
        for token, tag in sentence:
            counts[token][tag] += 1
    best = {token: tags.most_common(1)[0][0] for token, tags in counts.items()}
    commonest = sum(counts.values(), Counter()).most_common(1)[0][0]
    return accuracy(([best.get(token, commonest) for token, _ in sentence] for sentence in valid), valid)


def accuracy(answers: Iterable[list[str]], sentences: list[Sentence]) -> float:
    """Share of tokens with the right tag."""
    pairs = [(answer, tag) for row, sentence in zip(answers, sentences) for answer, (_, tag) in zip(row, sentence)]
    return sum(answer == tag for answer, tag in pairs) / len(pairs)
