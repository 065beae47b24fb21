"""The network of `lookback train classify` in PyTorch: same network, data, batches, optimiser and epochs.

The linear part that Lookback has beside it is solved once, and no part of an epoch: it is left out here.

It answers two questions about a recipe: does Lookback's network reach the accuracy PyTorch's reaches, within the spread of the
seeds, and how do their seconds an epoch compare (`epochs.py` takes them in turns). It reads the recipe's own configuration file and prepared data.

    python recipes/questions/twin.py --seeds 0,1,2
"""

import argparse
import csv
import json
import re
import statistics
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

PAD, UNK = 0, 1
EVALUATION_BATCH = 256


def main(recipe: Path) -> None:
    """Train once a seed on the data of `recipe`, and print what came out."""
    parser = argparse.ArgumentParser(description="Train a recipe's classifier in PyTorch.")
    parser.add_argument("--config", type=Path, default=recipe / "config.toml", help="the recipe's options")
    parser.add_argument("--seeds", default="0,1,2", help="one run a seed, for example 0,1,2")
    parser.add_argument("--epochs", type=int, help="run this many epochs, without stopping early")
    parser.add_argument("--threads", type=int, default=2, help="PyTorch's threads")
    parser.add_argument(
        "--batching",
        choices=("padded", "packed"),
        default="padded",
        help="padded is PyTorch's fast path, whose reverse direction reads the padding first; packed is exact",
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    options = Options.read(arguments.config)
    if arguments.epochs is not None:
        options.epochs, options.patience = arguments.epochs, 0
    data = Data.read(recipe / "data", options)
    report = (lambda line: None) if arguments.json else print

    runs = []
    for seed in map(int, arguments.seeds.split(",")):
        runs.append(train(options, data, seed, arguments.batching == "packed", report))
        report("seed {seed}: test accuracy {test_accuracy:.4f}, of epoch {epoch}".format(**runs[-1]))
    accuracies = [run["test_accuracy"] for run in runs]
    seconds = [second for run in runs for second in run["seconds_per_epoch"]]
    summary = {
        "test_accuracy_mean": statistics.mean(accuracies),
        "test_accuracy_spread": max(accuracies) - min(accuracies),
        "seconds_per_epoch_median": statistics.median(seconds),
        "batching": arguments.batching,
        "threads": arguments.threads,
        "runs": runs,
    }
    if arguments.json:
        print(json.dumps(summary))
    else:
        print(
            "mean test accuracy {test_accuracy_mean:.4f}, spread {test_accuracy_spread:.4f}, "
            "{seconds_per_epoch_median:.2f} s an epoch".format(**summary)
        )


@dataclass
class Options:
    """The options of Lookback that the twin follows, under Lookback's names and with Lookback's defaults."""

    tokenizer: str = "words"
    lowercase: bool = True
    min_count: int = 1
    max_vocabulary: int = 50_000
    max_length: int = 512
    embedding: int = 128
    embedding_scale: float = 0.3
    cell: str = "lstm"
    hidden: int = 128
    layers: int = 1
    pooling: str = "attention"
    dropout: float = 0.5
    word_dropout: float = 0.0
    char_ngrams: str = ""
    char_buckets: int = 4_000
    bigram_buckets: int = 0
    optimizer: str = "adam"
    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 1e-3
    schedule: str = "constant"
    clip: float = 5.0
    label_smoothing: float = 0.0
    average: str = "none"
    average_decay: float = 0.999
    patience: int = 5

    # What tells Lookback where the data stand, for the twin knows the recipe's folder, and what is said of the linear part.
    ELSEWHERE = ("text", "label", "format", "header", "validation", "seed")
    ELSEWHERE += ("linear-characters", "linear-words", "linear-buckets", "linear-c")

    @classmethod
    def read(cls, path: Path) -> "Options":
        """Read a recipe's file; an option that the twin does not follow is an error, for it would not be a twin."""
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        known = {field.name.replace("_", "-"): field.name for field in fields(cls)}
        unknown = sorted(set(table) - set(known) - set(cls.ELSEWHERE))
        if unknown:
            raise SystemExit(f"{path}: the twin does not follow {', '.join(unknown)}")
        options = cls(**{known[key]: value for key, value in table.items() if key in known})
        followed = {"optimizer": ("adam",), "cell": tuple(CELLS), "pooling": ("attention", "attention+max"), "average": ("none", "ema")}
        for name, choices in followed.items():
            if getattr(options, name) not in choices:
                raise SystemExit(f"{path}: {name} is {getattr(options, name)}, the twin follows {', '.join(choices)}")
        return options


@dataclass
class Example:
    """One text: ids of its tokens, of the n-grams of each token, of each token with the one before, and its label."""

    ids: np.ndarray
    ngrams: list[tuple[int, ...]]
    bigrams: np.ndarray
    target: int


@dataclass
class Data:
    """The three parts of a recipe, encoded."""

    parts: dict[str, list[Example]]
    vocabulary: int
    labels: list[str]

    @classmethod
    def read(cls, folder: Path, options: Options) -> "Data":
        """Read and encode train.tsv, valid.tsv and test.tsv. The training part alone makes the vocabulary."""
        tokenize = TOKENIZERS[options.tokenizer]
        rows: dict[str, list[tuple[str, list[str]]]] = {}
        for part in ("train", "valid", "test"):
            with (folder / f"{part}.tsv").open(encoding="utf-8", newline="") as file:
                table = csv.DictReader(file, delimiter="\t")
                texts = [(row["label"], row["text"].lower() if options.lowercase else row["text"]) for row in table]
            rows[part] = [(label, tokenize(text)[: options.max_length]) for label, text in texts]

        counts = Counter(token for _, tokens in rows["train"] for token in tokens)
        frequent = [token for token, count in counts.most_common(options.max_vocabulary - 2) if count >= options.min_count]
        ids = {token: index for index, token in enumerate(frequent, start=UNK + 1)}
        labels = sorted({label for label, _ in rows["train"]})
        ngrams_of = NgramTable(options)

        def encode(label: str, tokens: list[str]) -> Example:
            pairs = zip(["", *tokens], tokens) if options.bigram_buckets else ()
            return Example(
                ids=np.array([ids.get(token, UNK) for token in tokens], dtype=np.int64),
                ngrams=[ngrams_of[token] for token in tokens],
                bigrams=np.array([bigram(pair, options.bigram_buckets) for pair in pairs], dtype=np.int64),
                target=labels.index(label),
            )

        parts = {part: [encode(label, tokens) for label, tokens in some] for part, some in rows.items()}
        return cls(parts, len(frequent) + 2, labels)


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


def fnv1a(data: bytes, state: int = 0x811C9DC5) -> int:
    """The hash that fastText and Lookback use."""
    for byte in data:
        state = (state ^ byte) * 0x01000193 & 0xFFFFFFFF
    return state


class NgramTable(dict[str, tuple[int, ...]]):
    """The hashed character n-grams of a token (Bojanowski 2017, section 3.2), each token's worked out once."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.sizes = sizes(options.char_ngrams)
        self.buckets = options.char_buckets

    def __missing__(self, token: str) -> tuple[int, ...]:
        marked = f"<{token[:64]}>"
        grams = (marked[start : start + size] for size in self.sizes for start in range(len(marked) - size + 1))
        self[token] = tuple(1 + fnv1a(gram.encode()) % self.buckets for gram in grams if gram not in "<>")
        return self[token]


def bigram(pair: tuple[str, str], buckets: int) -> int:
    """The hashed pair of a token and the one before it (Joulin 2017, section 2.2)."""
    return 1 + fnv1a(pair[0].encode() + b"\xff" + pair[1].encode()) % buckets


def sizes(option: str) -> range:
    """`1-3` as a range, nothing as an empty one."""
    shortest, _, longest = option.partition("-")
    return range(int(shortest), int(longest or shortest) + 1) if option else range(0)


CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}


class Classifier(nn.Module):
    """Embedding, bidirectional LSTM or GRU, attention pooling (Zhou 2016), dense layer."""

    def __init__(self, options: Options, vocabulary: int, labels: int, packed: bool) -> None:
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
        for table in tables:
            nn.init.normal_(table.weight, std=options.embedding_scale)
        self.dropout = nn.Dropout(options.dropout)
        self.recurrent = CELLS[options.cell](
            options.embedding,
            options.hidden,
            options.layers,
            batch_first=True,
            bidirectional=True,
            dropout=options.dropout if options.layers > 1 else 0.0,
        )
        self.pool = nn.Linear(2 * options.hidden, 1, bias=False)
        self.output = nn.Linear(2 * options.hidden * len(options.pooling.split("+")), labels)

    def forward(self, examples: list[Example], draw: np.random.Generator | None = None) -> Tensor:
        """Logits [B, N]; words are dropped with the help of `draw`, while training."""
        lengths = torch.tensor([len(example.ids) for example in examples])
        mask = torch.arange(int(lengths.max())) < lengths[:, None]
        h = self.states(self.dropout(self.vectors(examples, draw, mask)), lengths)
        # Zhou 2016, eq. 9 to 11: α = softmax(wᵀ tanh(H)), r = H αᵀ.
        scores = self.pool(torch.tanh(h)).squeeze(2).masked_fill(~mask, float("-inf"))
        pooled = (scores.softmax(1).unsqueeze(1) @ h).squeeze(1)
        if self.options.pooling == "attention+max":
            pooled = torch.cat([pooled, h.masked_fill(~mask.unsqueeze(2), float("-inf")).amax(1)], 1)
        return self.output(self.dropout(pooled))

    def vectors(self, examples: list[Example], draw: np.random.Generator | None, mask: Tensor) -> Tensor:
        """Token vectors [B, T, E]: the word's vector, plus the mean of its n-grams', plus that of its bigram."""
        ids = np.concatenate([example.ids for example in examples])
        if draw is not None and self.options.word_dropout > 0:
            # A dropped word keeps its n-grams: an unknown word will have them, too.
            ids = np.where(draw.random(len(ids)) < self.options.word_dropout, UNK, ids)
        tokens = self.embedding(torch.from_numpy(ids))
        if self.options.char_ngrams:
            # The n-grams of every different token of the batch are put together once, then laid out.
            places: dict[tuple[int, ...], int] = {}
            inverse = [places.setdefault(grams, len(places)) for example in examples for grams in example.ngrams]
            flat = np.fromiter((gram for grams in places for gram in grams), dtype=np.int64)
            offsets = np.cumsum([0] + [len(grams) for grams in places][:-1])
            means = self.ngram_embedding(torch.from_numpy(flat), torch.from_numpy(offsets))
            tokens = tokens + means[torch.tensor(inverse)]
        if self.options.bigram_buckets:
            tokens = tokens + self.bigram_embedding(torch.from_numpy(np.concatenate([e.bigrams for e in examples])))
        vectors = tokens.new_zeros(*mask.shape, self.options.embedding)
        vectors[mask] = tokens
        return vectors

    def states(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Outputs of the recurrent layers [B, T, 2H]."""
        if not self.packed:
            return self.recurrent(x)[0]
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.recurrent(packed)[0], batch_first=True, total_length=x.shape[1])[0]


def train(options: Options, data: Data, seed: int, packed: bool, report: Callable[[str], None]) -> dict:
    """One training run; the weights of the best validation accuracy are the ones that are tested."""
    torch.manual_seed(seed)
    draw = np.random.default_rng(seed)
    model = Classifier(options, data.vocabulary, len(data.labels), packed)
    examples = data.parts["train"]
    steps = -(-len(examples) // options.batch_size) * options.epochs
    optimizer = torch.optim.Adam(model.parameters(), lr=options.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, SCHEDULES[options.schedule](steps))
    averaged = averaged_model(options, model)
    best, best_loss, best_epoch, best_weights, seconds = -1.0, 0.0, 0, model.state_dict(), []
    for epoch in range(1, options.epochs + 1):
        started = time.perf_counter()
        model.train()
        for batch in batches(examples, options.batch_size, draw):
            targets = torch.tensor([example.target for example in batch])
            loss = cross_entropy(model(batch, draw), targets, label_smoothing=options.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            if options.clip > 0:
                nn.utils.clip_grad_norm_(model.parameters(), options.clip)
            optimizer.step()
            schedule.step()
            if averaged is not None:
                averaged.update_parameters(model)
        seconds.append(time.perf_counter() - started)
        candidate = averaged.module if averaged is not None else model
        accuracy, valid_loss = evaluate(candidate, data.parts["valid"])
        report(f"seed {seed}, epoch {epoch}: validation accuracy {accuracy:.4f}, {seconds[-1]:.2f} s")
        if (accuracy, -valid_loss) > (best, -best_loss):
            best, best_loss, best_epoch = accuracy, valid_loss, epoch
            best_weights = {name: value.clone() for name, value in candidate.state_dict().items()}
        elif options.patience and epoch - best_epoch >= options.patience:
            break
    model.load_state_dict(best_weights)
    return {
        "seed": seed,
        "epoch": best_epoch,
        "valid_accuracy": best,
        "test_accuracy": evaluate(model, data.parts["test"])[0],
        "seconds_per_epoch": seconds,
    }


SCHEDULES: dict[str, Callable[[int], Callable[[int], float]]] = {
    "constant": lambda steps: lambda step: 1.0,
    "linear": lambda steps: lambda step: 1 - step / steps,
    "cosine": lambda steps: lambda step: (1 + np.cos(np.pi * step / steps)) / 2,
}


def averaged_model(options: Options, model: Classifier) -> torch.optim.swa_utils.AveragedModel | None:
    """The exponential moving average of the weights, if wanted; its decay is lower early on, as Lookback's is."""
    if options.average == "none":
        return None

    def blend(mean: Tensor, weights: Tensor, step: Tensor) -> Tensor:
        decay = min(options.average_decay, (1 + int(step)) / (10 + int(step)))
        return mean.lerp(weights, 1 - decay)

    return torch.optim.swa_utils.AveragedModel(model, avg_fn=blend)


def batches(examples: list[Example], size: int, draw: np.random.Generator) -> Iterator[list[Example]]:
    """Shuffled batches of similar length: sorted inside windows of 50 batches, as Lookback does."""
    order = draw.permutation(len(examples))
    lengths = np.array([len(example.ids) for example in examples])
    windows = [order[start : start + 50 * size] for start in range(0, len(order), 50 * size)]
    order = np.concatenate([window[np.argsort(lengths[window], kind="stable")] for window in windows])
    starts = range(0, len(order), size)
    for start in draw.permutation(starts):
        yield [examples[index] for index in order[start : start + size]]


@torch.no_grad()
def evaluate(model: nn.Module, examples: list[Example]) -> tuple[float, float]:
    """Accuracy and mean cross-entropy."""
    model.eval()
    ordered = sorted(examples, key=lambda example: len(example.ids))
    right, loss = 0, 0.0
    for start in range(0, len(ordered), EVALUATION_BATCH):
        batch = ordered[start : start + EVALUATION_BATCH]
        logits = model(batch)
        targets = torch.tensor([example.target for example in batch])
        right += int((logits.argmax(1) == targets).sum())
        loss += float(cross_entropy(logits, targets, reduction="sum"))
    return right / len(examples), loss / len(examples)
