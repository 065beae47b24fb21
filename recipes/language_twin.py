"""The network of `lookback train generate` in PyTorch: same network, data, pieces, optimiser and epochs.

Token vectors, recurrent layers that each are a module, a linear layer that may share the table of token vectors, and dropout that
is the same at every step of a row (Gal and Ghahramani 2016), before the layers, between them and behind them. Gradients flow
back through `chunk` steps; states are carried on from piece to piece. It reads the recipe's own configuration file and prepared
data, and answers two questions: does Lookback reach PyTorch's perplexity, and how do their seconds an epoch compare.

    python recipes/ptb/twin.py --seeds 0
    python recipes/ptb/twin.py --config recipes/ptb/characters.toml --seeds 0 --device cuda
"""

import argparse
import json
import math
import statistics
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
from pieces import Piece, Pieces
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, dropout
from training_twin import SCHEDULES, averaged_network

UNK, BOS, EOS = 1, 2, 3
# What pads, what is unknown, and what texts begin and end with stand before all tokens.
SPECIAL = 4
NO_TOKEN = -100
# Documents that are judged side by side, and the tokens of each that are judged at once.
TOGETHER, AT_ONCE = 64, 500
CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
# By which a layer computes with weights that are not its own.
STEPS = {"lstm": torch.lstm, "gru": torch.gru, "rnn": torch.rnn_tanh}
State = tuple[Tensor, ...]


def main(recipe: Path) -> None:
    """Train once a seed on the data of `recipe`, and print what came out."""
    arguments = parse(recipe)
    torch.set_num_threads(arguments.threads)
    if arguments.device != "cpu":
        # Every tensor that is made from here on stands there, and recurrent layers compute in full single precision as well.
        torch.set_default_device(arguments.device)
        torch.backends.cudnn.allow_tf32 = False
    options = Options.read(arguments.config)
    if arguments.epochs is not None:
        options.epochs, options.patience = arguments.epochs, 0
    corpus = Corpus.read(recipe / "data", options, arguments.part)
    report: Callable[[str], None] = (lambda line: None) if arguments.json else lambda line: print(line, flush=True)
    report(f"{corpus.tokens('train'):,} tokens train, {corpus.tokens('valid'):,} validate, {corpus.vocabulary:,} kinds")
    runs = [train(corpus, options, int(seed), arguments, report) for seed in arguments.seeds.split(",")]
    seconds = [second for run in runs for second in run["seconds_per_epoch"]]
    summary = {"seconds_per_epoch_median": statistics.median(seconds), "threads": arguments.threads, "device": arguments.device}
    if not arguments.unjudged:
        perplexities = [run["valid_perplexity"] for run in runs]
        summary |= {"valid_perplexity_mean": statistics.mean(perplexities)}
        summary |= {"valid_perplexity_spread": max(perplexities) - min(perplexities)}
        told = ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in summary.items() if "valid" in name)
        report(f"{told}, {summary['seconds_per_epoch_median']:.2f} s per epoch")
    if arguments.json:
        print(json.dumps(summary | {"runs": runs}))


def parse(recipe: Path) -> argparse.Namespace:
    """The options of this twin, those of the others where they have the same."""
    parser = argparse.ArgumentParser(description="Train a recipe's language model in PyTorch.")
    parser.add_argument("--config", type=Path, default=recipe / "config.toml", help="the recipe's options")
    parser.add_argument("--seeds", default="0", help="one run a seed, for example 0,1,2")
    parser.add_argument("--epochs", type=int, help="run this many epochs, without stopping early")
    parser.add_argument("--threads", type=int, default=2, help="PyTorch's threads")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where the network is trained")
    parser.add_argument(
        "--part", type=float, default=1.0, metavar="SHARE", help="train on this share of the data, the first of them"
    )
    parser.add_argument("--test", action="store_true", help="judge the network that is kept on the test part, too")
    parser.add_argument("--unjudged", action="store_true", help="only time the epochs: no scores of what was trained")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    return parser.parse_args()


@dataclass(kw_only=True)
class Options:
    """The options of Lookback that the twin follows, under Lookback's names and with Lookback's defaults.

    What Lookback chooses by the data has no default here: the recipe's file says it.
    """

    documents: str | None = None
    tokenizer: str
    min_count: int = 1
    max_vocabulary: int = 20_000
    cell: str = "lstm"
    embedding: int
    embedding_scale: float = 0.1
    hidden: int
    layers: int
    tied: bool
    forget_bias: float | None = None
    dropout: float
    embedding_dropout: float | None = None
    layer_dropout: float | None = None
    output_dropout: float | None = None
    token_dropout: float = 0.0
    weight_dropout: float = 0.0
    activation_penalty: float = 0.0
    slowness_penalty: float = 0.0
    chunk: int
    batch_size: int
    epochs: int
    learning_rate: float
    optimizer: str = "adam"
    schedule: str
    clip: float = 5.0
    average: str
    average_decay: float = 0.999
    patience: int = 0

    # What tells Lookback where the data stand and which epoch is kept, which is here the one of the best perplexity.
    ELSEWHERE: ClassVar[tuple[str, ...]] = ("format", "text", "validation", "seed", "score")
    FOLLOWED: ClassVar[dict[str, tuple[object, ...]]] = {
        "documents": ("file", None),
        "tokenizer": ("blanks", "characters"),
        "cell": tuple(CELLS),
        "optimizer": ("adam",),
        "schedule": tuple(SCHEDULES),
        "average": ("none", "ema"),
    }

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a recipe's file; an option that the twin does not follow is an error, for it would not be a twin."""
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        known = {option.name.replace("_", "-"): option for option in fields(cls)}
        if unknown := sorted(set(table) - set(known) - set(cls.ELSEWHERE)):
            raise SystemExit(f"{path}: the twin does not follow {', '.join(unknown)}")
        if missing := [key for key, option in known.items() if option.default is MISSING and key not in table]:
            raise SystemExit(f"{path}: Lookback chooses {', '.join(missing)} by the data; for the twin the file must say it")
        options = cls(**{known[key].name: value for key, value in table.items() if key in known})
        for name, choices in cls.FOLLOWED.items():
            if getattr(options, name) not in choices:
                followed = ", ".join(map(str, choices))
                raise SystemExit(f"{path}: {name.replace('_', '-')} is {getattr(options, name)}, the twin follows {followed}")
        if options.tied and options.layers == 1 and options.hidden != options.embedding:
            raise SystemExit(f"{path}: tied with one layer, but hidden is {options.hidden} and embedding {options.embedding}")
        return options

    def dropout_of(self, place: str) -> float:
        """Dropout at a place, `embedding`, `layer` or `output`: what is said of it, or else what is said of all."""
        own = getattr(self, f"{place}_dropout")
        return self.dropout if own is None else own

    def width(self, layer: int) -> int:
        """Hidden units of a layer, from 0; -1 is as wide as the token vectors, which the first one reads."""
        last = self.tied and layer == self.layers - 1
        return self.embedding if layer < 0 or last else self.hidden


TOKENS: dict[str, Callable[[str], list[str]]] = {
    "characters": list,
    # What stands between blanks, and the ends of lines.
    "blanks": lambda text: text.replace("\n", " \n ").split(" "),
}


@dataclass
class Corpus:
    """The documents of every part in tokens, what texts begin with as the first and, where they end, their end as the last."""

    parts: dict[str, list[np.ndarray]]
    # Characters of every part, an end that is learnt among them.
    characters: dict[str, int]
    vocabulary: int

    @classmethod
    def read(cls, folder: Path, options: Options, share: float) -> "Corpus":
        """Read train, valid and test; the training part alone makes the vocabulary. `share`: how much of it is taken."""
        texts = {part: documents(folder, part, options) for part in ("train", "valid", "test")}
        whole = texts["train"]
        texts["train"] = whole[: math.ceil(share * len(whole))] if len(whole) > 1 else [whole[0][: int(share * len(whole[0]))]]
        tokenize = TOKENS[options.tokenizer]
        cut = {part: [[token for token in tokenize(text) if token] for text in some] for part, some in texts.items()}
        counts = Counter(token for tokens in cut["train"] for token in tokens)
        kept = [token for token, count in counts.most_common(options.max_vocabulary - SPECIAL) if count >= options.min_count]
        ids = {token: place for place, token in enumerate(kept, start=SPECIAL)}
        end = [] if options.documents == "file" else [EOS]
        parts = {
            part: [np.array([BOS, *(ids.get(token, UNK) for token in tokens), *end]) for tokens in some]
            for part, some in cut.items()
        }
        characters = {part: sum(len(text) + len(end) for text in some) for part, some in texts.items()}
        return cls(parts, characters, SPECIAL + len(kept))

    def tokens(self, part: str) -> int:
        """Tokens of a part that are wanted: all but what texts begin with."""
        return sum(len(document) - 1 for document in self.parts[part])


def documents(folder: Path, part: str, options: Options) -> list[str]:
    """The texts of a part: a whole file, or the rows of JSON Lines."""
    if options.documents == "file":
        return [(folder / f"{part}.txt").read_text(encoding="utf-8")]
    with (folder / f"{part}.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line)["text"] for line in file]


def train(corpus: Corpus, options: Options, seed: int, arguments: argparse.Namespace, report: Callable[[str], None]) -> dict:
    """One training run; the weights of the best perplexity on the valid part are the ones that are kept."""
    torch.manual_seed(seed)
    network = Language(options, corpus.vocabulary)
    sequences = corpus.parts["train"]
    lengths = [len(document) - 1 for document in sequences]
    pieces = Pieces(lengths, options.batch_size, options.chunk, np.random.default_rng(seed))
    steps = pieces.batches * options.epochs
    optimizer = torch.optim.Adam(network.parameters(), lr=options.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, SCHEDULES[options.schedule](steps))
    averaged = averaged_network(options, network)
    best, best_weights, seconds = {"valid_perplexity": math.inf, "epoch": 0}, network.state_dict(), []
    for epoch in range(1, options.epochs + 1):
        started = time.perf_counter()
        network.train()
        losses, left = [], {}
        for batch in pieces.epoch():
            loss, cost = network.loss(sequences, batch, left)
            optimizer.zero_grad()
            loss.backward()
            if options.clip > 0:
                nn.utils.clip_grad_norm_(network.parameters(), options.clip)
            optimizer.step()
            schedule.step()
            if averaged is not None:
                averaged.update_parameters(network)
            losses.append((cost, sum(map(len, batch))))
        costs, counts = torch.stack([cost for cost, _ in losses]).tolist(), [count for _, count in losses]
        seconds.append(time.perf_counter() - started)
        told = f"seed {seed}, epoch {epoch}: perplexity {math.exp(np.average(costs, weights=counts)):.3f}"
        if arguments.unjudged:
            report(f"{told}, {seconds[-1]:.2f} s")
            continue
        candidate = averaged.module if averaged is not None else network
        judged = judge(candidate, corpus, "valid")
        report(f"{told}; {in_words(judged)}, {seconds[-1]:.2f} s")
        if judged["valid_perplexity"] < best["valid_perplexity"]:
            best = judged | {"epoch": epoch}
            best_weights = {name: value.clone() for name, value in candidate.state_dict().items()}
        elif options.patience and epoch - best["epoch"] >= options.patience:
            break
    if arguments.unjudged:
        return {"seed": seed, "seconds_per_epoch": seconds}
    network.load_state_dict(best_weights)
    if arguments.test:
        best |= judge(network, corpus, "test")
    report(f"seed {seed}, of epoch {best['epoch']}: {in_words(best)}")
    return {"seed": seed, **best, "seconds_per_epoch": seconds}


def in_words(judged: dict[str, float]) -> str:
    """`valid perplexity 80.12, valid bits per character 1.23`"""
    return ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in judged.items() if name != "epoch")


@torch.inference_mode()
def judge(network: "Language", corpus: Corpus, part: str) -> dict[str, float]:
    """Perplexity of a token and bits per character of a part, every document from its beginning, states carried on to its end."""
    network.eval()
    order = sorted(corpus.parts[part], key=len, reverse=True)
    nats = 0.0
    for start in range(0, len(order), TOGETHER):
        together, states = order[start : start + TOGETHER], None
        for at in range(0, len(together[0]) - 1, AT_ONCE):
            rows = [document[at : at + AT_ONCE + 1] for document in together]
            # Documents that ended before, which are the last, for they are ordered by length.
            rows = [row for row in rows if len(row) > 1]
            states = states and [tuple(tensor[:, : len(rows)] for tensor in state) for state in states]
            read, wanted, lengths = padded(rows)
            outputs, _, states = network(read, lengths, [], states)
            real = wanted != NO_TOKEN
            nats += float(cross_entropy(network.logits(outputs[real]), wanted[real], reduction="sum"))
    bits = nats / math.log(2) / corpus.characters[part]
    return {f"{part}_perplexity": math.exp(nats / corpus.tokens(part)), f"{part}_bits_per_character": bits}


def padded(rows: Sequence[np.ndarray]) -> tuple[Tensor, Tensor, list[int]]:
    """Tokens that are read and those that are wanted behind them, `[B, T]`, and how many of each row are real."""
    lengths = [len(row) - 1 for row in rows]
    read = np.zeros((len(rows), max(lengths)), dtype=np.int64)
    wanted = np.full((len(rows), max(lengths)), NO_TOKEN, dtype=np.int64)
    for place, (row, length) in enumerate(zip(rows, lengths, strict=True)):
        read[place, :length], wanted[place, :length] = row[:-1], row[1:]
    return torch.as_tensor(read), torch.as_tensor(wanted), lengths


class Language(nn.Module):
    """Token vectors, recurrent layers and the output layer."""

    def __init__(self, options: Options, vocabulary: int) -> None:
        super().__init__()
        self.options = options
        self.embedding = nn.Embedding(vocabulary, options.embedding)
        nn.init.normal_(self.embedding.weight, std=options.embedding_scale)
        layers = range(options.layers)
        self.layers = nn.ModuleList(Layer(options, options.width(layer - 1), options.width(layer)) for layer in layers)
        self.output = nn.Linear(options.width(options.layers - 1), vocabulary)
        nn.init.zeros_(self.output.bias)
        if options.tied:
            # Press and Wolf 2017.
            self.output.weight = self.embedding.weight

    def forward(
        self, tokens: Tensor, lengths: Sequence[int], followed: Sequence[int], states: list[State] | None
    ) -> tuple[Tensor, Tensor, list[State]]:
        """The last layer's outputs after and before their dropout, and every layer's state at the end.

        tokens: `[B, T]`. followed: rows that go on behind their `lengths`, whose states must be those at that place.
        """
        options = self.options
        x = self.embedding(tokens)
        if self.training and options.token_dropout > 0:
            # A token is dropped wherever it stands (Gal and Ghahramani 2016, section 4.2).
            x = x * dropout(x.new_ones(self.embedding.num_embeddings, 1), options.token_dropout)[tokens]
        x = outputs = self.locked(x, "embedding")
        ends = []
        for place, layer in enumerate(self.layers):
            outputs, end = layer(x, lengths, followed, None if states is None else states[place])
            x = self.locked(outputs, "output" if place + 1 == options.layers else "layer")
            ends.append(end)
        return x, outputs, ends

    def locked(self, x: Tensor, place: str) -> Tensor:
        """Dropout that is the same at every step of a row. x: `[B, T, W]`."""
        share = self.options.dropout_of(place)
        if not self.training or share == 0:
            return x
        return x * dropout(x.new_ones(x.shape[0], 1, x.shape[2]), share)

    def logits(self, outputs: Tensor) -> Tensor:
        """`[..., V]`"""
        return self.output(outputs)

    def loss(self, sequences: list[np.ndarray], batch: list[Piece], left: dict[int, list[State]]) -> tuple[Tensor, Tensor]:
        """What the wanted tokens cost in nats, the mean over them, with the penalties and without.

        left: what each stretch that goes on has read so far, changed to what it has read behind this batch.
        """
        options = self.options
        rows = [sequences[piece.document][piece.start : piece.end + 1] for piece in batch]
        read, wanted, lengths = padded(rows)
        followed = [row for row, piece in enumerate(batch) if piece.followed]
        dropped, outputs, ends = self(read, lengths, followed, self.gathered(batch, left))
        # A selection costs time; most batches are whole.
        real = wanted != NO_TOKEN if min(lengths) < max(lengths) else (slice(None), slice(None))
        read_out = dropped[real].reshape(-1, dropped.shape[2])
        cost = cross_entropy(self.logits(read_out), wanted[real].flatten())
        loss = cost
        if options.activation_penalty > 0:
            # Merity 2017, eq. 5.
            loss = loss + options.activation_penalty * read_out.square().mean()
        if options.slowness_penalty > 0 and max(lengths) > 1:
            # Merity 2017, eq. 6.
            pairs = real[:, 1:] if isinstance(real, Tensor) else real
            loss = loss + options.slowness_penalty * (outputs[:, 1:] - outputs[:, :-1])[pairs].square().mean()
        left.clear()
        for row in followed:
            left[batch[row].stretch] = [tuple(tensor[:, row].detach() for tensor in end) for end in ends]
        return loss, cost.detach()

    def gathered(self, batch: list[Piece], left: dict[int, list[State]]) -> list[State] | None:
        """The states with which the rows of a batch begin, zeros where nothing was read."""
        if not left:
            return None
        states = []
        for place, layer in enumerate(self.layers):
            zeros = layer.zeros(1)
            rows = [left[piece.stretch][place] if piece.goes_on else tuple(zero[:, 0] for zero in zeros) for piece in batch]
            states.append(tuple(torch.stack(tensors, dim=1) for tensors in zip(*rows)))
        return states


class Layer(nn.Module):
    """A recurrent layer with dropout of its recurrent weights (DropConnect, Merity 2018, section 2)."""

    def __init__(self, options: Options, inputs: int, hidden: int) -> None:
        super().__init__()
        self.cell = options.cell
        self.weight_dropout = options.weight_dropout
        self.recurrent = CELLS[options.cell](inputs, hidden, batch_first=True)
        if options.forget_bias is not None:
            with torch.no_grad():
                # Of PyTorch's two biases one has all of it.
                self.recurrent.bias_ih_l0[hidden : 2 * hidden] = options.forget_bias
                self.recurrent.bias_hh_l0[hidden : 2 * hidden] = 0.0

    def zeros(self, batch: int) -> State:
        """The state before the first token."""
        zero = torch.zeros(1, batch, self.recurrent.hidden_size)
        return (zero, zero) if self.cell == "lstm" else (zero,)

    def forward(self, x: Tensor, lengths: Sequence[int], followed: Sequence[int], state: State | None) -> tuple[Tensor, State]:
        """Outputs `[B, T, H]`, and states at the end; those of rows that are `followed` stand where these end."""
        state = self.zeros(x.shape[0]) if state is None else tuple(tensor.contiguous() for tensor in state)
        # PyTorch has no name for these that is its users' own; a copy of some dropped weights stands in for the second.
        weights = self.recurrent._flat_weights
        if self.training and self.weight_dropout > 0:
            weights = [weights[0], dropout(weights[1], self.weight_dropout), *weights[2:]]
        # A row that ends before the others and goes on is read to its end with all the others, who then read on.
        places = sorted({lengths[row] for row in followed if lengths[row] < x.shape[1]} | {x.shape[1]})
        outputs, ends, start = [], None, 0
        for place in places:
            steps, state = self.steps(x[:, start:place], state, weights)
            outputs.append(steps)
            rows = [row for row in followed if lengths[row] == place]
            if len(places) == 1:
                ends = state
            elif rows:
                ends = ends or tuple(torch.zeros_like(tensor) for tensor in state)
                keep = torch.tensor(rows)
                ends = tuple(end.index_copy(1, keep, tensor[:, keep].detach()) for end, tensor in zip(ends, state))
            start = place
        return torch.cat(outputs, dim=1) if len(outputs) > 1 else outputs[0], ends

    def steps(self, x: Tensor, state: State, weights: list[Tensor]) -> tuple[Tensor, State]:
        """The steps of all rows. x: `[B, T, I]`."""
        initial = state if self.cell == "lstm" else state[0]
        outputs, *end = STEPS[self.cell](x, initial, weights, True, 1, 0.0, self.training, False, True)
        return outputs, tuple(end)
