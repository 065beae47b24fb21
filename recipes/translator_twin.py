"""The network of `lookback train translate` in PyTorch: same network, data, batches, optimiser and epochs.

A bidirectional encoder, a dense bridge, and Luong's decoder (Luong 2015) with input feeding over the keys, which are projected
once; with `copy` a pointer to the source (See 2017). It reads the recipe's own configuration file and prepared data, and answers two questions: does Lookback reach PyTorch's
scores, and how do their seconds an epoch compare (`epochs.py` takes them in turns). Whatever the configuration's `score` is, the
epoch that it keeps is the one with the most tokens right where those before are known.

    python recipes/help-en-zh/twin.py --seeds 0

Greedy search and beams are written as their users write them: all rows of a batch step by step, until the last has ended.
`bench/end_to_end/decoding.py` times them beside Lookback's.
"""

import csv
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import training_twin
from classifier_twin import TOKENIZERS, WORDS
from encoder_twin import PAD, UNK, EncodedTokens, Encoder, EncoderOptions, TokenEncoder
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid

EVALUATION_BATCH = 64
BOS, EOS = 2, 3
NO_TOKEN = -100
CELLS = {"lstm": nn.LSTMCell, "gru": nn.GRUCell}


def main(recipe: Path, score: str = "valid_bleu") -> None:
    """Train once a seed on the data of `recipe`, and print what came out, `score` as a mean over the seeds."""

    def task(arguments: Namespace) -> Translation:
        return Translation.read(recipe / "data", Options.read(arguments.config), arguments.part)

    training_twin.run(task, recipe, score, "Train a recipe's translator in PyTorch.")


@dataclass
class Options(EncoderOptions):
    """The options of Lookback that the twin follows, under Lookback's names and with Lookback's defaults."""

    tokenizer: str = "words"
    target_tokenizer: str = "characters"
    target_min_count: int = 1
    target_max_vocabulary: int = 20_000
    target_max_length: int = 512
    decoder_attention: str = "general"
    decoder_hidden: int | None = None
    decoder_layers: int | None = None
    label_smoothing: float | None = None
    copy: bool = False

    ELSEWHERE = (*EncoderOptions.ELSEWHERE, "source", "target", "score", "validation-split")
    FOLLOWED = EncoderOptions.FOLLOWED | {
        "tokenizer": tuple(TOKENIZERS),
        "target_tokenizer": ("characters", "blanks", "words"),
        "decoder_attention": ("general", "additive"),
        "decoder_layers": (1, None),
        "char_ngrams": ("",),
        "bigram_buckets": (0,),
        "shape_buckets": (0,),
    }

    def __post_init__(self) -> None:
        if self.decoder_layers is None and self.layers > 1:
            raise SystemExit(f"the twin's decoder has one layer; with layers {self.layers}, say decoder-layers 1")
        if self.label_smoothing is None:
            self.label_smoothing = 0.0 if self.copy else 0.1
        if self.copy and (self.tokenizer, self.target_tokenizer, self.label_smoothing) != ("words", "words", 0.0):
            raise SystemExit("the twin copies words on both sides, without label smoothing")


def words_with_blanks(text: str) -> list[str]:
    """Words and marks, each with the blank before it, as `lookback` cuts targets; of other white space nothing is kept."""
    found = WORDS.finditer(text)
    return [" " * (word.start() == 0 or text[word.start() - 1] == " ") + word.group() for word in found]


TARGET_TOKENS = {"characters": list, "blanks": str.split, "words": words_with_blanks}
BETWEEN = {"characters": "", "blanks": " ", "words": ""}


@dataclass
class Example:
    """A source and the ids of its target, without beginning and end."""

    tokens: EncodedTokens
    target: list[int]
    reference: str
    # The ids of the source's tokens among the target's where they are copied, and the words that the source has of its own,
    # which are numbered behind the vocabulary.
    copied: list[int]
    own: list[str]


@dataclass
class Translation:
    """The train and the valid part of a recipe, encoded, and the network that reads them."""

    options: Options
    train: list[Example]
    valid: list[Example]
    vocabulary: int
    target_tokens: list[str]

    @classmethod
    def read(cls, folder: Path, options: Options, share: float) -> "Translation":
        """Read and encode train.tsv and valid.tsv; `share`: how much of the training part is taken."""
        rows = {}
        for part in ("train", "valid"):
            with (folder / f"{part}.tsv").open(encoding="utf-8", newline="") as file:
                table = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
                pairs = [(row["source"], row["target"]) for row in table]
            tokenize, cut = TOKENIZERS[options.tokenizer], TARGET_TOKENS[options.target_tokenizer]
            rows[part] = [
                (tokenize(source.lower() if options.lowercase else source)[: options.max_length],
                 words_with_blanks(source)[: options.max_length] if options.copy else [],
                 cut(target)[: options.target_max_length], target)
                for source, target in pairs
            ]
        rows["train"] = rows["train"][: round(share * len(rows["train"]))]
        encoder = TokenEncoder.fit(options, (tokens for tokens, *_ in rows["train"]))
        counts = Counter(token for _, _, target, _ in rows["train"] for token in target)
        kept = [token for token, count in counts.most_common(options.target_max_vocabulary - 4) if count >= options.target_min_count]
        ids = {token: place for place, token in enumerate(kept, start=EOS + 1)}

        def encode(row: tuple[list[str], list[str], list[str], str]) -> Example:
            source, written, target, reference = row
            own = list(dict.fromkeys(token for token in written if token not in ids))
            all_ids = ids | {token: EOS + 1 + len(kept) + place for place, token in enumerate(own)} if own else ids
            copied = [all_ids[token] for token in written]
            return Example(encoder.encode(source), [all_ids.get(token, UNK) for token in target], reference, copied, own)

        parts = {part: [encode(row) for row in some if row[0]] for part, some in rows.items()}
        # Batches of it are taken in this order, and hold little padding.
        parts["valid"].sort(key=lambda example: len(example.target))
        return cls(options, parts["train"], parts["valid"], encoder.vocabulary, ["", "", "", "", *kept])

    @property
    def lengths(self) -> np.ndarray:
        """By which pairs are put together: the target's length first, then the source's."""
        return np.array([(len(example.target) << 20) + len(example.tokens) for example in self.train])

    def network(self, packed: bool) -> "Translator":
        """A network with random weights."""
        return Translator(self.options, self.vocabulary, len(self.target_tokens), packed)

    def loss(self, network: nn.Module, rows: Sequence[int], draw: np.random.Generator) -> Tensor:
        """What the right tokens of these pairs cost in nats, the mean over them."""
        batch = [self.train[row] for row in rows]
        before, wanted = targets(batch)
        logits, copying = network(batch, before, draw)
        if copying is not None:
            return copying.losses(logits, wanted)[wanted != NO_TOKEN].mean()
        smoothing = self.options.label_smoothing
        return cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=NO_TOKEN, label_smoothing=smoothing)

    @torch.inference_mode()
    def validate(self, network: nn.Module) -> tuple[float, float]:
        """Share of the tokens of the valid part that are the likeliest where those before are known, and their mean loss."""
        network.eval()
        right, total, loss = 0, 0, 0.0
        for batch in batches(self.valid):
            before, wanted = targets(batch)
            logits, copying = network(batch, before)
            real = wanted != NO_TOKEN
            if copying is not None:
                right += int((copying.mixed(logits).argmax(2) == wanted)[real].sum())
                loss += float(copying.losses(logits, wanted)[real].sum())
            else:
                right += int((logits.argmax(2) == wanted)[real].sum())
                loss += float(cross_entropy(logits[real], wanted[real], reduction="sum"))
            total += int(real.sum())
        return right / total, loss / total

    @torch.inference_mode()
    def judge(self, network: nn.Module) -> dict[str, float]:
        """BLEU of greedy search and of a beam of 5 on the valid part, by the tokenizer for Chinese where targets are Chinese; of
        what is copied ROUGE's F1, greedy and of a beam of 4."""
        network.eval()
        if self.options.copy:
            rouge = {f"{kind}{way}": value for way, beam in (("", 4), ("_greedy", 1)) for kind, value in self.rouge(network, beam).items()}
            return {f"valid_{name}": value for name, value in rouge.items()}
        # Here, for whoever only times epochs need not have it.
        import sacrebleu

        references = [[example.reference for example in self.valid]]
        tokenizer = "zh" if any("\u4e00" <= c <= "\u9fff" for text in references[0][:100] for c in text) else "13a"

        def bleu(beam: int) -> float:
            return sacrebleu.corpus_bleu(self.answers(network, beam), references, tokenize=tokenizer).score

        return {"valid_bleu": bleu(5), "valid_bleu_greedy": bleu(1)}

    def answers(self, network: nn.Module, beam: int) -> list[str]:
        """What is written of the valid part."""
        longest = max(len(example.target) for example in self.train) * 3 // 2 + 10
        between, found = BETWEEN[self.options.target_tokenizer], []
        for batch in batches(self.valid):
            for example, ids in zip(batch, search(network, batch, beam, longest), strict=True):
                tokens = [*self.target_tokens, *example.own]
                found.append(between.join(tokens[token] for token in ids).strip())
        return found

    def rouge(self, network: nn.Module, beam: int) -> dict[str, float]:
        """F1 by single words, pairs and the longest common subsequence, from 0 to 100."""
        # Here, as above.
        from rouge_score.rouge_scorer import RougeScorer

        scorer = RougeScorer(["rouge1", "rouge2", "rougeL"])
        answers = zip(self.answers(network, beam), self.valid, strict=True)
        scores = [scorer.score(example.reference, answer) for answer, example in answers]
        return {kind: 100 * sum(score[kind].fmeasure for score in scores) / len(scores) for kind in scores[0]}


def batches(examples: list[Example]) -> list[list[Example]]:
    """In their order."""
    return [examples[start : start + EVALUATION_BATCH] for start in range(0, len(examples), EVALUATION_BATCH)]


def targets(batch: list[Example]) -> tuple[Tensor, Tensor]:
    """The tokens before each step and the wanted ones, `[B, T]`."""
    time = max(len(example.target) for example in batch) + 1
    before = np.full((len(batch), time), PAD, dtype=np.int64)
    wanted = np.full((len(batch), time), NO_TOKEN, dtype=np.int64)
    for row, example in enumerate(batch):
        length = len(example.target)
        before[row, : length + 1] = [BOS, *example.target]
        wanted[row, : length + 1] = [*example.target, EOS]
    return torch.as_tensor(before), torch.as_tensor(wanted)


class Translator(nn.Module):
    """Encoder, bridge, decoder and output layer; its parameters have the names of Lookback's model files where they can."""

    def __init__(self, options: Options, vocabulary: int, target_vocabulary: int, packed: bool) -> None:
        super().__init__()
        self.options = options
        self.encoder = Encoder(options, vocabulary, packed)
        width = 2 * options.hidden
        self.hidden = options.decoder_hidden or width
        self.has_cell_state = options.cell == "lstm"
        self.bridge = nn.Linear(width, (1 + self.has_cell_state) * self.hidden)
        self.target_embedding = nn.Embedding(target_vocabulary, options.embedding)
        nn.init.normal_(self.target_embedding.weight, std=options.embedding_scale)
        self.target_dropout = nn.Dropout(options.dropout_of("embedding"))
        self.cell = CELLS[options.cell](options.embedding + self.hidden, self.hidden)
        self.keys = nn.Linear(width, self.hidden, bias=False)
        if options.decoder_attention == "additive":
            self.query, self.v = nn.Linear(self.hidden, self.hidden), nn.Parameter(torch.empty(self.hidden))
            nn.init.uniform_(self.v, -(self.hidden**-0.5), self.hidden**-0.5)
        self.combine = nn.Linear(width + self.hidden, self.hidden)
        self.output_dropout = nn.Dropout(options.dropout_of("output"))
        self.output = nn.Linear(self.hidden, target_vocabulary)
        if options.copy:
            self.gate = nn.Linear(self.hidden + options.embedding, 1)

    def read(self, batch: list[Example], draw: np.random.Generator | None = None) -> tuple["Memory", "State"]:
        """What is looked at, and the state before the first token."""
        steps, mask = self.encoder([example.tokens for example in batch], draw)
        half, last = self.options.hidden, mask.sum(1) - 1
        # The forward state after the last real step, the reverse one after the first.
        final = torch.cat([steps[torch.arange(len(steps)), last, :half], steps[:, 0, half:]], 1)
        first = torch.tanh(self.bridge(final)).split(self.hidden, 1)
        state = first if self.has_cell_state else first[0]
        copied = None
        if self.options.copy:
            copied = torch.zeros(mask.shape, dtype=torch.long)
            for row, example in enumerate(batch):
                copied[row, : len(example.copied)] = torch.as_tensor(example.copied)
        return Memory(steps, self.keys(steps), mask, copied), State(state, steps.new_zeros(len(steps), self.hidden), None)

    def step(self, x: Tensor, memory: "Memory", state: "State") -> "State":
        """One step of all rows; x `[B, E]`."""
        recurrent = self.cell(torch.cat([x, state.attentional], 1), state.recurrent)
        h = recurrent[0] if self.has_cell_state else recurrent
        if self.options.decoder_attention == "additive":
            scores = torch.tanh(self.query(h).unsqueeze(1) + memory.keys) @ self.v
        else:
            scores = (memory.keys @ h.unsqueeze(2)).squeeze(2)
        weights = scores.masked_fill(~memory.mask, -torch.inf).softmax(1)
        context = (weights.unsqueeze(1) @ memory.steps).squeeze(1)
        return State(recurrent, torch.tanh(self.combine(torch.cat([context, h], 1))), weights)

    def vectors(self, tokens: Tensor) -> Tensor:
        """Of target tokens; a word that a source has of its own is an unknown one."""
        return self.target_embedding(tokens.masked_fill(tokens >= self.output.out_features, UNK))

    def forward(
        self, batch: list[Example], before: Tensor, draw: np.random.Generator | None = None
    ) -> tuple[Tensor, "Copying | None"]:
        """The logits of every step, `[B, T, V]`, and what is copied, where tokens are."""
        memory, state = self.read(batch, draw)
        made, weights = [], []
        vectors = self.target_dropout(self.vectors(before))
        for x in vectors.unbind(1):
            state = self.step(x, memory, state)
            made.append(state.attentional)
            weights.append(state.weights)
        read = self.output_dropout(torch.stack(made, 1))
        copying = None
        if memory.copied is not None:
            gates = self.gate(torch.cat([read, vectors], 2)).squeeze(2)
            copying = Copying(gates, torch.stack(weights, 1), memory.copied.unsqueeze(1))
        return self.output(read), copying

    def said(self, x: Tensor, memory: "Memory", state: "State") -> Tensor:
        """What comes next after a step, `[B, V]` and behind it what sources have of their own: as logits, or as log-probabilities
        where tokens are copied; x as in `step`."""
        logits = self.output(state.attentional)
        if memory.copied is None:
            return logits
        gates = self.gate(torch.cat([state.attentional, x], 1)).squeeze(1)
        return Copying(gates, state.weights, memory.copied).mixed(logits).log()


@dataclass
class Copying:
    """A pointer to the source (See 2017, eq. 9): gates `[..]`, weights `[.., S]`, and which tokens they fall on."""

    gates: Tensor
    weights: Tensor
    copied: Tensor

    def losses(self, logits: Tensor, wanted: Tensor) -> Tensor:
        """`-log (g p(w) + (1 - g) Σ a)`, `[..]`; of what is no token, anything."""
        vocabulary = logits.shape[-1]
        own = logits.log_softmax(-1).gather(-1, wanted.clamp(0, vocabulary - 1).unsqueeze(-1)).squeeze(-1)
        own = own.masked_fill(wanted >= vocabulary, -torch.inf)
        copied = (self.weights * (self.copied == wanted.unsqueeze(-1))).sum(-1).clamp_min(1e-30).log()
        return -torch.logaddexp(own + logsigmoid(self.gates), copied + logsigmoid(-self.gates))

    def mixed(self, logits: Tensor) -> Tensor:
        """The probability of every token, `[.., V]` and behind it those of the sources' own."""
        own = max(0, int(self.copied.max()) + 1 - logits.shape[-1])
        written = logits.softmax(-1) * self.gates.sigmoid().unsqueeze(-1)
        written = torch.cat([written, written.new_zeros(*written.shape[:-1], own)], -1)
        pointed = self.weights * (-self.gates).sigmoid().unsqueeze(-1)
        return written.scatter_add(-1, self.copied.expand(pointed.shape), pointed)


@dataclass
class Memory:
    """Steps of the sources, their keys, which are real, and which tokens of the target they are where they are copied."""

    steps: Tensor
    keys: Tensor
    mask: Tensor
    copied: Tensor | None

    def of(self, rows: Tensor) -> "Memory":
        """Those of these rows."""
        copied = None if self.copied is None else self.copied[rows]
        return Memory(self.steps[rows], self.keys[rows], self.mask[rows], copied)


@dataclass
class State:
    """The cell's state, the attentional vector that is fed back, and what the step looked at."""

    recurrent: Tensor | tuple[Tensor, ...]
    attentional: Tensor
    weights: Tensor | None

    def of(self, rows: Tensor) -> "State":
        """Those of these rows."""
        recurrent = self.recurrent
        taken = tuple(part[rows] for part in recurrent) if isinstance(recurrent, tuple) else recurrent[rows]
        return State(taken, self.attentional[rows], None)


def search(network: Translator, batch: list[Example], beam: int, longest: int, shortest: int = 0) -> list[list[int]]:
    """The best sequence of each text, by the mean log-probability of its tokens where there is a beam."""
    return greedy(network, batch, longest, shortest) if beam == 1 else beams(network, batch, beam, longest, shortest)


def greedy(network: Translator, batch: list[Example], longest: int, shortest: int) -> list[list[int]]:
    """The likeliest token at every step."""
    memory, state = network.read(batch)
    token = torch.full((len(batch),), BOS)
    ended, found = torch.zeros(len(batch), dtype=torch.bool), []
    for step in range(longest):
        x = network.vectors(token)
        state = network.step(x, memory, state)
        token = allowed(network.said(x, memory, state), step < shortest).argmax(1).masked_fill(ended, EOS)
        found.append(token)
        ended |= token == EOS
        if ended.all():
            break
    return [without_end(row) for row in torch.stack(found, 1).tolist()]


def beams(network: Translator, batch: list[Example], beam: int, longest: int, shortest: int) -> list[list[int]]:
    """Beams of all rows at once; an ended hypothesis stays among them with its score."""
    rows = len(batch)
    memory, state = network.read(batch)
    every = torch.arange(rows).repeat_interleave(beam)
    memory, state = memory.of(every), state.of(every)
    token = torch.full((rows * beam,), BOS)
    # At first all beams of a row are the same: one counts.
    scores = torch.full((rows, beam), -torch.inf)
    scores[:, 0] = 0.0
    ended, lengths = torch.zeros(rows, beam, dtype=torch.bool), torch.zeros(rows, beam)
    found = torch.empty(rows, beam, 0, dtype=torch.long)
    for step in range(longest):
        x = network.vectors(token)
        state = network.step(x, memory, state)
        # Log-probabilities stay what they are.
        steps = allowed(network.said(x, memory, state).log_softmax(1), step < shortest).view(rows, beam, -1)
        vocabulary = steps.shape[2]
        only_end = torch.full((vocabulary,), -torch.inf)
        only_end[EOS] = 0.0
        steps = torch.where(ended.unsqueeze(2), only_end, steps)
        totals = (scores.unsqueeze(2) + steps).view(rows, -1)
        after = (lengths + ~ended).unsqueeze(2).expand(-1, -1, vocabulary).reshape(rows, -1)
        best = (totals / after.clamp_min(1)).topk(beam, 1).indices
        parent, token = best // vocabulary, best % vocabulary
        scores, lengths = totals.gather(1, best), after.gather(1, best)
        found = torch.cat([found.gather(1, parent.unsqueeze(2).expand(-1, -1, found.shape[2])), token.unsqueeze(2)], 2)
        ended = ended.gather(1, parent) | (token == EOS)
        taken = (torch.arange(rows).unsqueeze(1) * beam + parent).flatten()
        state, token = state.of(taken), token.flatten()
        if ended.all():
            break
    first = (scores / lengths.clamp_min(1)).argmax(1)
    return [without_end(found[row, place].tolist()) for row, place in enumerate(first)]


def allowed(scores: Tensor, too_early: bool) -> Tensor:
    """Padding and the beginning never come, and the end not too early."""
    scores[:, [PAD, BOS, EOS] if too_early else [PAD, BOS]] = -torch.inf
    return scores


def without_end(ids: list[int]) -> list[int]:
    """The tokens before the first end."""
    return ids[: ids.index(EOS)] if EOS in ids else ids
