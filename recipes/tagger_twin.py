"""The network of `lookback train tag` in PyTorch: same network, data, batches, optimiser and epochs.

Token vectors (words, the mean of their hashed character n-grams, their shapes), a bidirectional LSTM or GRU, a dense layer
at every step, and a linear-chain CRF (`pytorch-crf`) or softmax. It reads the recipe's own configuration file and prepared
data, and answers two questions: does Lookback reach PyTorch's accuracy, within the spread of the seeds, and how do their
seconds an epoch compare (`epochs.py` takes them in turns).

    python recipes/peoples-daily/twin.py --seeds 0,1,2
"""

import unicodedata
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import training_twin
from encoder_twin import EncodedTokens, Encoder, EncoderOptions, TokenEncoder
from spans import entities, f1, is_bio
from tagged import Sentence, read_part
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchcrf import CRF

EVALUATION_BATCH = 64
# What a loss leaves out: the tag of padding, and one that was never trained.
NO_TAG = -100


def main(recipe: Path) -> None:
    """Train once a seed on the data of `recipe`, and print what came out."""

    def task(arguments: Namespace) -> Tagging:
        return Tagging.read(recipe, Options.read(arguments.config), arguments.part)

    training_twin.run(task, recipe, "valid_accuracy", "Train a recipe's tagger in PyTorch.")


@dataclass
class Options(EncoderOptions):
    """The options of Lookback that the twin follows, under Lookback's names and with Lookback's defaults."""

    normalize: str = "nfkc"
    crf: bool = False

    ELSEWHERE = (*EncoderOptions.ELSEWHERE, "token-column", "tag-column", "tag-separator", "scheme")
    FOLLOWED = EncoderOptions.FOLLOWED | {"normalize": ("nfkc", "none")}


@dataclass
class Example:
    """A sentence and the tags of its tokens."""

    tokens: EncodedTokens
    targets: np.ndarray


@dataclass
class Tagging:
    """The train and the valid part of a recipe, encoded, and the network that reads them."""

    options: Options
    train: list[Example]
    valid: list[Example]
    vocabulary: int
    tags: list[str]
    # The valid part as it is written; a tag that was never trained stands there alone.
    gold: list[list[str]]

    @classmethod
    def read(cls, recipe: Path, options: Options, share: float) -> "Tagging":
        """Read and encode both parts; `share`: how much of the training part is taken."""
        train, valid = (read_part(recipe, part) for part in ("train", "valid"))
        train = train[: round(share * len(train))]
        train, valid = ([sentence[: options.max_length] for sentence in part] for part in (train, valid))
        encoder = TokenEncoder.fit(options, ([lowered(token, options) for token in tokens(s, options)] for s in train))
        tags = sorted({tag for sentence in train for _, tag in sentence})
        places = {tag: index for index, tag in enumerate(tags)}

        def encode(sentence: Sentence) -> Example:
            written = tokens(sentence, options)
            encoded = encoder.encode([lowered(token, options) for token in written], written)
            return Example(encoded, np.array([places.get(tag, NO_TAG) for _, tag in sentence], dtype=np.int64))

        gold = [[tag for _, tag in sentence] for sentence in valid]
        return cls(options, list(map(encode, train)), list(map(encode, valid)), encoder.vocabulary, tags, gold)

    @property
    def lengths(self) -> np.ndarray:
        """Of each sentence of the training part."""
        return np.array([len(example.tokens) for example in self.train])

    def network(self, packed: bool) -> "Tagger":
        """A network with random weights."""
        return Tagger(self.options, self.vocabulary, len(self.tags), packed)

    def loss(self, network: nn.Module, rows: Sequence[int], draw: np.random.Generator) -> Tensor:
        """What the tags of these sentences cost in nats, the mean over their tokens."""
        batch = [self.train[row] for row in rows]
        return network.loss(*network(batch, draw), targets(batch))

    def validate(self, network: nn.Module) -> tuple[float, float]:
        """Share of tokens of the valid part with the right tag, and the mean loss of the tags that were trained."""
        answers, loss = answer(network, self.valid)
        pairs = zip(answers, self.valid, strict=True)
        right = sum(int((np.array(path) == example.targets).sum()) for path, example in pairs)
        return right / sum(len(example.tokens) for example in self.valid), loss

    def judge(self, network: nn.Module) -> dict[str, float]:
        """F1 of entities on the valid part, where tags say where these begin."""
        if not is_bio(self.gold):
            return {}
        answers = [[self.tags[tag] for tag in path] for path in answer(network, self.valid)[0]]
        return {"valid_f1": f1(map(entities, answers), map(entities, self.gold)).f1}


def tokens(sentence: Sentence, options: Options) -> list[str]:
    """Tokens in the form in which their characters are read."""
    return [unicodedata.normalize("NFKC", token) if options.normalize == "nfkc" else token for token, _ in sentence]


def lowered(token: str, options: Options) -> str:
    """A token in lower case, if that is how tokens are read."""
    return token.lower() if options.lowercase else token


class Tagger(nn.Module):
    """The encoder, a dense layer at every step, and a CRF if wanted."""

    def __init__(self, options: Options, vocabulary: int, tags: int, packed: bool) -> None:
        super().__init__()
        self.encoder = Encoder(options, vocabulary, packed)
        self.dropout = nn.Dropout(options.dropout_of("output"))
        self.output = nn.Linear(2 * options.hidden, tags)
        self.crf = CRF(tags, batch_first=True) if options.crf else None

    def forward(self, examples: list[Example], draw: np.random.Generator | None = None) -> tuple[Tensor, Tensor]:
        """The scores of every tag at every step [B, T, N], and which steps are real [B, T]."""
        h, mask = self.encoder([example.tokens for example in examples], draw)
        return self.output(self.dropout(h)), mask

    def loss(self, scores: Tensor, mask: Tensor, targets: Tensor) -> Tensor:
        """Mean over the real tokens of what their tags [B, T] cost."""
        if self.crf is None:
            return cross_entropy(scores[mask], targets[mask], ignore_index=NO_TAG)
        return -self.crf(scores, targets.clamp_min(0), mask, reduction="token_mean")

    def decode(self, scores: Tensor, mask: Tensor) -> list[list[int]]:
        """The best tags of every sentence."""
        if self.crf is not None:
            return self.crf.decode(scores, mask)
        return [row[:length].tolist() for row, length in zip(scores.argmax(2), mask.sum(1).tolist())]


def targets(examples: list[Example]) -> Tensor:
    """The tags of a batch [B, T], padded."""
    padded = np.full((len(examples), max(len(example.tokens) for example in examples)), NO_TAG, dtype=np.int64)
    for row, example in zip(padded, examples):
        row[: len(example.targets)] = example.targets
    return torch.as_tensor(padded)


@torch.no_grad()
def answer(network: Tagger, examples: list[Example]) -> tuple[list[list[int]], float]:
    """The tags of every sentence in its place, and the mean loss of a token."""
    network.eval()
    order = sorted(range(len(examples)), key=lambda row: len(examples[row].tokens))
    answers: list[list[int]] = [[] for _ in examples]
    loss, count = 0.0, 0
    for start in range(0, len(order), EVALUATION_BATCH):
        rows = order[start : start + EVALUATION_BATCH]
        batch = [examples[row] for row in rows]
        scores, mask = network(batch)
        for row, path in zip(rows, network.decode(scores, mask), strict=True):
            answers[row] = path
        # A sentence with a tag that was never trained has no loss.
        known = torch.tensor([bool((example.targets != NO_TAG).all()) for example in batch])
        if known.any():
            tokens_known = int(mask[known].sum())
            loss += tokens_known * float(network.loss(scores[known], mask[known], targets(batch)[known]))
            count += tokens_known
    return answers, loss / max(count, 1)
