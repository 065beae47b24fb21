"""Spans that tags tell, entities or words, and how many of those that were found are right."""

from collections.abc import Iterable
from typing import NamedTuple

from tagged import Sentence

# Where it begins, where the next may begin, and what it is.
Span = tuple[int, int, str]


def spans_of_words(sentence: Sentence) -> set[Span]:
    """Where each word begins and ends in characters, and its tag."""
    spans, start = set(), 0
    for word, tag in sentence:
        spans.add((start, start + len(word), tag))
        start += len(word)
    return spans


def joined(sentence: Sentence) -> set[Span]:
    """The words of characters whose tags say that they begin one (B), stand inside it (M), end it (E) or are one (S)."""
    spans, start = set(), 0
    for index, (_, tag) in enumerate(sentence):
        following = sentence[index + 1][1][0] if index + 1 < len(sentence) else "B"
        if tag[0] in "ES" or following in "BS":
            spans.add((start, index + 1, sentence[start][1][2:]))
            start = index + 1
    return spans


def without_labels(spans: set[Span]) -> set[Span]:
    """The same spans, whatever they are."""
    return {(start, end, "") for start, end, _ in spans}


def is_bio(rows: Iterable[Iterable[str]]) -> bool:
    """Whether tags say where entities begin."""
    return all(tag == "O" or tag[:2] in ("B-", "I-") for tags in rows for tag in tags)


def entities(tags: list[str]) -> set[Span]:
    """Entities as seqeval's default mode reads BIO tags: an I- that continues nothing begins one."""
    spans, start = set(), 0
    for index, tag in enumerate([*tags, "O"]):
        before = tags[index - 1] if index else "O"
        continues = tag[:2] == "I-" and before[2:] == tag[2:]
        if before != "O" and not continues:
            spans.add((start, index, before[2:]))
        if not continues:
            start = index
    return spans


class Scores(NamedTuple):
    """Shares of spans."""

    precision: float
    recall: float
    f1: float

    def __str__(self) -> str:
        precision, recall, both = (f"{100 * share:.2f}" for share in self)
        return f"F1 {both} % (precision {precision}, recall {recall})"


def f1(found: Iterable[set[Span]], gold: Iterable[set[Span]]) -> Scores:
    """How many of the spans found are right, and how many of the right ones were found."""
    counts = [(len(some & right), len(some), len(right)) for some, right in zip(found, gold, strict=True)]
    right, answered, wanted = map(sum, zip(*counts))
    return Scores(right / max(answered, 1), right / max(wanted, 1), 2 * right / max(answered + wanted, 1))
