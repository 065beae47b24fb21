"""How documents are gone through, as Lookback does: in pieces, side by side, each row going on where it was left.

The counterpart of `crates/lookback/src/tasks/generate/pieces.rs`. A document that is much longer than the others is cut into
stretches, so that all rows have about as much to read. A stretch begins with a state of zeros; its pieces carry theirs on
(truncated backpropagation through time, Williams and Peng 1990).
"""

import heapq
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Piece:
    """A piece of a document."""

    document: int
    # What a state is kept of.
    stretch: int
    # The places of the tokens that are read; each wants the one behind it.
    start: int
    end: int
    # Whether it goes on from the piece before, and whether another follows.
    goes_on: bool
    followed: bool

    def __len__(self) -> int:
        return self.end - self.start


class Pieces:
    """All pieces of documents of these lengths, in `rows` rows side by side, of at most `chunk` steps each."""

    def __init__(self, lengths: Sequence[int], rows: int, chunk: int, draw: np.random.Generator) -> None:
        self.chunk, self.draw = chunk, draw
        share = max(-(-sum(lengths) // rows), chunk)
        # The document of each stretch, where it begins there, and how long it is.
        self.stretches: list[tuple[int, int, int]] = []
        for document, length in enumerate(lengths):
            part = -(-length // -(-length // share))
            self.stretches += [(document, start, min(part, length - start)) for start in range(0, length, part)]
        # The longest first, each to the row that has least: rows end at about the same time.
        dealt: list[list[int]] = [[] for _ in range(min(rows, len(self.stretches)))]
        least = [(0, row) for row in range(len(dealt))]
        for count in sorted(map(self.count, range(len(self.stretches))), reverse=True):
            total, row = heapq.heappop(least)
            dealt[row].append(count)
            heapq.heappush(least, (total + count, row))
        # How many pieces the stretches of each row have: the stretch of as many that comes next fills the place.
        self.rows = dealt
        self.batches = max(map(sum, dealt))

    def count(self, stretch: int) -> int:
        """Pieces of a stretch."""
        return -(-self.stretches[stretch][2] // self.chunk)

    def epoch(self) -> Iterator[list[Piece]]:
        """The batches of an epoch. Which document stands where is drawn."""
        of_count: defaultdict[int, list[int]] = defaultdict(list)
        for stretch in self.draw.permutation(len(self.stretches)).tolist():
            of_count[self.count(stretch)].append(stretch)
        batches: list[list[Piece]] = [[] for _ in range(self.batches)]
        for row in self.rows:
            at = 0
            for count in self.draw.permutation(row).tolist():
                for piece in self.pieces(of_count[count].pop()):
                    batches[at].append(piece)
                    at += 1
        yield from batches

    def pieces(self, stretch: int) -> Iterator[Piece]:
        """Its pieces; where the first ends is drawn, so that the same tokens do not always stand at the ends of pieces."""
        document, start, length = self.stretches[stretch]
        count = self.count(stretch)
        # The last piece takes what is left, at most a whole one.
        first = length if count == 1 else int(self.draw.integers(length - (count - 1) * self.chunk, self.chunk + 1))
        ends = [min(first + piece * self.chunk, length) for piece in range(count - 1)] + [length]
        for piece, (begin, end) in enumerate(zip([0, *ends], ends)):
            yield Piece(document, stretch, start + begin, start + end, piece > 0, piece + 1 < count)
