"""What the networks of all twins in PyTorch begin with: options, tokens as ids, token vectors, recurrent layers.

The counterpart of `lookback-infer`'s input and encoder, for the recipes alone. Reading a recipe's options is here too, for they
name the same things.
"""

import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

PAD, UNK = 0, 1
LONGEST_TOKEN = 64
CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}


@dataclass
class EncoderOptions:
    """The options of Lookback that every twin follows, under Lookback's names and with Lookback's defaults."""

    lowercase: bool = True
    min_count: int = 1
    max_vocabulary: int = 50_000
    max_length: int = 512
    embedding: int = 128
    embedding_scale: float = 0.3
    cell: str = "lstm"
    hidden: int = 128
    layers: int = 1
    dropout: float = 0.5
    embedding_dropout: float | None = None
    layer_dropout: float | None = None
    output_dropout: float | None = None
    word_dropout: float = 0.0
    char_ngrams: str = ""
    char_buckets: int = 4_000
    bigram_buckets: int = 0
    shape_buckets: int = 0
    optimizer: str = "adam"
    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 1e-3
    schedule: str = "constant"
    clip: float = 5.0
    average: str = "none"
    average_decay: float = 0.999
    patience: int = 5

    # What tells Lookback where the data stand, for the twin knows the recipe's folder.
    ELSEWHERE: ClassVar[tuple[str, ...]] = ("format", "header", "validation", "seed")
    FOLLOWED: ClassVar[dict[str, tuple[object, ...]]] = {
        "optimizer": ("adam",),
        "cell": tuple(CELLS),
        "average": ("none", "ema"),
        "schedule": ("constant", "linear", "cosine"),
    }

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a recipe's file; an option that the twin does not follow is an error, for it would not be a twin."""
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        known = {option.name.replace("_", "-"): option.name for option in fields(cls)}
        unknown = sorted(set(table) - set(known) - set(cls.ELSEWHERE))
        if unknown:
            raise SystemExit(f"{path}: the twin does not follow {', '.join(unknown)}")
        options = cls(**{known[key]: value for key, value in table.items() if key in known})
        for name, choices in cls.FOLLOWED.items():
            if getattr(options, name) not in choices:
                followed = ", ".join(map(str, choices))
                raise SystemExit(f"{path}: {name.replace('_', '-')} is {getattr(options, name)}, the twin follows {followed}")
        return options

    def dropout_of(self, place: str) -> float:
        """Dropout at a place, `embedding`, `layer` or `output`: what is said of it, or else what is said of all."""
        own = getattr(self, f"{place}_dropout")
        return self.dropout if own is None else own


@dataclass
class EncodedTokens:
    """Ids of tokens, of the n-grams of each token, of each token with the one before it, and of the shape of each token."""

    ids: np.ndarray
    ngrams: list[tuple[int, ...]]
    bigrams: np.ndarray
    shapes: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


@dataclass
class TokenEncoder:
    """From tokens to ids; the training part alone makes the vocabulary."""

    options: EncoderOptions
    ids: dict[str, int]
    ngrams: "NgramTable" = field(init=False)

    def __post_init__(self) -> None:
        self.ngrams = NgramTable(self.options)

    @classmethod
    def fit(cls, options: EncoderOptions, texts: Iterable[list[str]]) -> "TokenEncoder":
        """The vocabulary of these tokens, the commonest first."""
        counts = Counter(token for tokens in texts for token in tokens)
        frequent = [token for token, count in counts.most_common(options.max_vocabulary - 2) if count >= options.min_count]
        return cls(options, {token: index for index, token in enumerate(frequent, start=UNK + 1)})

    @property
    def vocabulary(self) -> int:
        """How many rows the table of tokens has."""
        return len(self.ids) + 2

    def encode(self, tokens: list[str], written: list[str] | None = None) -> EncodedTokens:
        """The ids of tokens; `written`: the same without lower case, by which shapes are told."""
        options = self.options
        pairs = zip(["", *tokens], tokens) if options.bigram_buckets else ()
        shaped = written if written is not None and options.shape_buckets else ()
        return EncodedTokens(
            ids=np.array([self.ids.get(token, UNK) for token in tokens], dtype=np.int64),
            ngrams=[self.ngrams[token] for token in tokens],
            bigrams=np.array([bigram(pair, options.bigram_buckets) for pair in pairs], dtype=np.int64),
            shapes=np.array([1 + fnv1a(shape(token).encode()) % options.shape_buckets for token in shaped], dtype=np.int64),
        )


def fnv1a(data: bytes, state: int = 0x811C9DC5) -> int:
    """The hash that fastText and Lookback use."""
    for byte in data:
        state = (state ^ byte) * 0x01000193 & 0xFFFFFFFF
    return state


class NgramTable(dict[str, tuple[int, ...]]):
    """The hashed character n-grams of a token (Bojanowski 2017, section 3.2), each token's worked out once."""

    def __init__(self, options: EncoderOptions) -> None:
        super().__init__()
        self.sizes = sizes(options.char_ngrams)
        self.buckets = options.char_buckets

    def __missing__(self, token: str) -> tuple[int, ...]:
        marked = f"<{token[:LONGEST_TOKEN]}>"
        places = ((start, size) for size in self.sizes for start in range(len(marked) - size + 1))
        # A mark alone says nothing.
        grams = (marked[start : start + size] for start, size in places if size > 1 or 0 < start < len(marked) - 1)
        self[token] = tuple(1 + fnv1a(gram.encode()) % self.buckets for gram in grams)
        return self[token]


def bigram(pair: tuple[str, str], buckets: int) -> int:
    """The hashed pair of a token and the one before it (Joulin 2017, section 2.2)."""
    return 1 + fnv1a(pair[0].encode() + b"\xff" + pair[1].encode()) % buckets


def shape(written: str) -> str:
    """Runs of capitals as X, small letters as x, letters without case as a, digits as 0, anything else as it is."""
    runs = ""
    for character in written[:LONGEST_TOKEN]:
        tests = {"X": character.isupper(), "x": character.islower(), "a": character.isalpha(), "0": character.isnumeric()}
        kind = next((kind for kind, holds in tests.items() if holds), character)
        runs += "" if runs.endswith(kind) else kind
    return runs


def sizes(option: str) -> range:
    """`1-3` as a range, nothing as an empty one."""
    shortest, _, longest = option.partition("-")
    return range(int(shortest), int(longest or shortest) + 1) if option and option != "none" else range(0)


class Encoder(nn.Module):
    """Token vectors and a bidirectional LSTM or GRU over them."""

    def __init__(self, options: EncoderOptions, vocabulary: int, packed: bool) -> None:
        super().__init__()
        self.options = options
        self.packed = packed
        self.embedding = nn.Embedding(vocabulary, options.embedding)
        tables = [self.embedding]
        if options.char_ngrams:
            self.ngram_embedding = nn.EmbeddingBag(options.char_buckets + 1, options.embedding, mode="mean")
            tables.append(self.ngram_embedding)
        if options.bigram_buckets:
            self.bigram_embedding = nn.Embedding(options.bigram_buckets + 1, options.embedding)
            tables.append(self.bigram_embedding)
        if options.shape_buckets:
            self.shape_embedding = nn.Embedding(options.shape_buckets + 1, options.embedding)
            tables.append(self.shape_embedding)
        for table in tables:
            nn.init.normal_(table.weight, std=options.embedding_scale)
        self.dropout = nn.Dropout(options.dropout_of("embedding"))
        self.recurrent = CELLS[options.cell](
            options.embedding,
            options.hidden,
            options.layers,
            batch_first=True,
            bidirectional=True,
            dropout=options.dropout_of("layer") if options.layers > 1 else 0.0,
        )

    def forward(self, texts: list[EncodedTokens], draw: np.random.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Steps [B, T, 2H], and which of them are real [B, T]; words are dropped with the help of `draw`, while training."""
        lengths = torch.tensor([len(text) for text in texts])
        mask = torch.arange(int(lengths.max())) < lengths[:, None]
        return self.states(self.dropout(self.vectors(texts, draw, mask)), lengths), mask

    def vectors(self, texts: list[EncodedTokens], draw: np.random.Generator | None, mask: Tensor) -> Tensor:
        """Token vectors [B, T, E]: the word's vector, the mean of its n-grams', those of its bigram and of its shape."""
        ids = np.concatenate([text.ids for text in texts])
        if draw is not None and self.options.word_dropout > 0:
            # A dropped word keeps its n-grams: an unknown word will have them, too.
            ids = np.where(draw.random(len(ids)) < self.options.word_dropout, UNK, ids)
        tokens = self.embedding(torch.as_tensor(ids))
        if self.options.char_ngrams:
            # The n-grams of every different token of the batch are put together once, then laid out.
            places: dict[tuple[int, ...], int] = {}
            inverse = [places.setdefault(grams, len(places)) for text in texts for grams in text.ngrams]
            flat = np.fromiter((gram for grams in places for gram in grams), dtype=np.int64)
            offsets = np.cumsum([0] + [len(grams) for grams in places][:-1])
            means = self.ngram_embedding(torch.as_tensor(flat), torch.as_tensor(offsets))
            tokens = tokens + means[torch.tensor(inverse)]
        if self.options.bigram_buckets:
            tokens = tokens + self.bigram_embedding(torch.as_tensor(np.concatenate([text.bigrams for text in texts])))
        if self.options.shape_buckets:
            tokens = tokens + self.shape_embedding(torch.as_tensor(np.concatenate([text.shapes for text in texts])))
        vectors = tokens.new_zeros(*mask.shape, self.options.embedding)
        vectors[mask] = tokens
        return vectors

    def states(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Outputs of the recurrent layers [B, T, 2H]."""
        if not self.packed:
            return self.recurrent(x)[0]
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.recurrent(packed)[0], batch_first=True, total_length=x.shape[1])[0]
