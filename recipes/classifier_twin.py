"""The network of `lookback train classify` in PyTorch: same network, data, batches, optimiser and epochs.

The linear part that Lookback has beside it is solved once, and no part of an epoch: it is left out here.

It answers two questions about a recipe: does Lookback's network reach the accuracy PyTorch's reaches, within the spread of the
seeds, and how do their seconds an epoch compare (`epochs.py` takes them in turns). It reads the recipe's own configuration file and prepared data.

    python recipes/questions/twin.py --seeds 0,1,2
"""

import csv
import re
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import training_twin
from encoder_twin import EncodedTokens, Encoder, EncoderOptions, TokenEncoder
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

EVALUATION_BATCH = 256


def main(recipe: Path) -> None:
    """Train once a seed on the data of `recipe`, and print what came out."""

    def task(arguments: Namespace) -> Classification:
        return Classification.read(recipe / "data", Options.read(arguments.config), arguments.part)

    training_twin.run(task, recipe, "test_accuracy", "Train a recipe's classifier in PyTorch.")


@dataclass
class Options(EncoderOptions):
    """The options of Lookback that the twin follows, under Lookback's names and with Lookback's defaults."""

    tokenizer: str = "words"
    pooling: str = "attention"
    label_smoothing: float = 0.0

    # The linear part is no part of the network.
    ELSEWHERE = (*EncoderOptions.ELSEWHERE, "text", "label", "linear-characters", "linear-words", "linear-buckets", "linear-c")
    FOLLOWED = EncoderOptions.FOLLOWED | {"pooling": ("attention", "attention+max"), "shape_buckets": (0,)}


@dataclass
class Example:
    """A text and its label."""

    tokens: EncodedTokens
    target: int


@dataclass
class Classification:
    """The three parts of a recipe, encoded, and the network that reads them."""

    options: Options
    parts: dict[str, list[Example]]
    vocabulary: int
    labels: list[str]

    @classmethod
    def read(cls, folder: Path, options: Options, share: float) -> "Classification":
        """Read and encode train.tsv, valid.tsv and test.tsv; `share`: how much of the training part is taken."""
        tokenize = TOKENIZERS[options.tokenizer]
        rows: dict[str, list[tuple[str, list[str]]]] = {}
        for part in ("train", "valid", "test"):
            with (folder / f"{part}.tsv").open(encoding="utf-8", newline="") as file:
                table = csv.DictReader(file, delimiter="\t")
                texts = [(row["label"], row["text"].lower() if options.lowercase else row["text"]) for row in table]
            rows[part] = [(label, tokenize(text)[: options.max_length]) for label, text in texts]
        rows["train"] = rows["train"][: round(share * len(rows["train"]))]

        encoder = TokenEncoder.fit(options, (tokens for _, tokens in rows["train"]))
        labels = sorted({label for label, _ in rows["train"]})
        parts = {
            part: [Example(encoder.encode(tokens), labels.index(label)) for label, tokens in some] for part, some in rows.items()
        }
        return cls(options, parts, encoder.vocabulary, labels)

    @property
    def lengths(self) -> np.ndarray:
        """Of each example of the training part."""
        return np.array([len(example.tokens) for example in self.parts["train"]])

    def network(self, packed: bool) -> "Classifier":
        """A network with random weights."""
        return Classifier(self.options, self.vocabulary, len(self.labels), packed)

    def loss(self, network: nn.Module, rows: Sequence[int], draw: np.random.Generator) -> Tensor:
        """The mean cross-entropy of these examples of the training part."""
        batch = [self.parts["train"][row] for row in rows]
        targets = torch.tensor([example.target for example in batch])
        return cross_entropy(network(batch, draw), targets, label_smoothing=self.options.label_smoothing)

    def validate(self, network: nn.Module) -> tuple[float, float]:
        """Accuracy and mean cross-entropy on the valid part."""
        return evaluate(network, self.parts["valid"])

    def judge(self, network: nn.Module) -> dict[str, float]:
        """Accuracy on the test part."""
        return {"test_accuracy": evaluate(network, self.parts["test"])[0]}


# Unicode's words, but for rare scripts: a dot or an apostrophe inside a word and a mark inside a number join it.
WORDS = re.compile(r"\w+(?:(?:(?<=[^\W\d])[.'’:](?=[^\W\d])|(?<=\d)[.,;'](?=\d))\w+)*|[^\w\s]")
HAN = re.compile("([\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+)")


def words(text: str) -> list[str]:
    """Words and punctuation marks."""
    return WORDS.findall(text)


def characters(text: str) -> list[str]:
    """Everything but white space, one by one."""
    return [character for character in text if not character.isspace()]


def chinese_words(text: str) -> list[str]:
    """Runs of Han characters cut by jieba, what lies between them cut as words."""
    # Only this tokenizer needs the package, so only this one asks for it.
    import jieba

    tokens: list[str] = []
    for index, run in enumerate(HAN.split(text)):
        tokens += jieba.lcut(run) if index % 2 else words(run)
    return tokens


TOKENIZERS: dict[str, Callable[[str], list[str]]] = {
    "words": words,
    "characters": characters,
    "jieba": chinese_words,
}


class Classifier(nn.Module):
    """The encoder, attention pooling (Zhou 2016), dense layer."""

    def __init__(self, options: Options, vocabulary: int, labels: int, packed: bool) -> None:
        super().__init__()
        self.options = options
        self.encoder = Encoder(options, vocabulary, packed)
        self.dropout = nn.Dropout(options.dropout_of("output"))
        self.pool = nn.Linear(2 * options.hidden, 1, bias=False)
        self.output = nn.Linear(2 * options.hidden * len(options.pooling.split("+")), labels)

    def forward(self, examples: list[Example], draw: np.random.Generator | None = None) -> Tensor:
        """Logits [B, N]; words are dropped with the help of `draw`, while training."""
        h, mask = self.encoder([example.tokens for example in examples], draw)
        # Zhou 2016, eq. 9 to 11: α = softmax(wᵀ tanh(H)), r = H αᵀ.
        scores = self.pool(torch.tanh(h)).squeeze(2).masked_fill(~mask, float("-inf"))
        pooled = (scores.softmax(1).unsqueeze(1) @ h).squeeze(1)
        if self.options.pooling == "attention+max":
            pooled = torch.cat([pooled, h.masked_fill(~mask.unsqueeze(2), float("-inf")).amax(1)], 1)
        return self.output(self.dropout(pooled))


@torch.no_grad()
def evaluate(network: nn.Module, examples: list[Example]) -> tuple[float, float]:
    """Accuracy and mean cross-entropy."""
    network.eval()
    ordered = sorted(examples, key=lambda example: len(example.tokens))
    right, loss = 0, 0.0
    for start in range(0, len(ordered), EVALUATION_BATCH):
        batch = ordered[start : start + EVALUATION_BATCH]
        logits = network(batch)
        targets = torch.tensor([example.target for example in batch])
        right += int((logits.argmax(1) == targets).sum())
        loss += float(cross_entropy(logits, targets, reduction="sum"))
    return right / len(examples), loss / len(examples)
