"""Write the reference cases that Lookback's decoders over known targets are compared with.

PyTorch is the judge, in double precision: Luong's and Bahdanau's decoders step by step, with coverage where the case has it;
hard monotonic attention as a sum over alignments one step after another; and the loss of a pointer-generator. README.md
describes the format.

    python conformance/generate_decoder.py                                  the committed cases
    python conformance/generate_decoder.py --extra 200 --seed 7 --out DIR   200 random cases into DIR
"""

import json
import random
import zlib
from dataclasses import asdict, dataclass

import torch
from generate import HERE, read_options, write_cases
from torch import Tensor, nn

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn_tanh": nn.RNN}
SCORES = ("additive", "general", "dot", "scaled_dot")
DISTANCES = 3


def main() -> None:
    """Write the committed files, or random cases when `--extra` asks for them."""
    options = read_options("Write reference cases of decoders over known targets made by PyTorch.")
    if options.extra is not None:
        write_cases(random_cases(options.extra, options.seed), options.out, run_case)
    else:
        write_cases(committed_cases(), HERE / "cases", run_case)


@dataclass(frozen=True)
class Case:
    """One decoder and one batch. PyTorch's softmax over no key is NaN, so every source has one."""

    layer: str = "decoder"
    form: str = "luong"
    cell: str = "lstm"
    score: str = "additive"
    coverage: bool = False
    layers: int = 1
    input: int = 4
    hidden: int = 5
    memory: int = 6
    lengths: tuple[int, ...] = (5, 2, 0, 4)
    key_lengths: tuple[int, ...] = (3, 6, 2, 1)

    def metadata(self) -> str:
        """The JSON object under the metadata key `case`."""
        return json.dumps(asdict(self))


def committed_cases() -> dict[str, Case]:
    """The cases that stand in the repository, by file name."""
    return {
        "decoder_luong_additive": Case(),
        "decoder_luong_general_gru": Case(cell="gru", score="general"),
        "decoder_luong_dot_rnn": Case(cell="rnn_tanh", score="dot", memory=5),
        "decoder_luong_scaled_dot_layers": Case(score="scaled_dot", memory=5, layers=2),
        "decoder_luong_coverage": Case(coverage=True),
        "decoder_luong_coverage_gru_layers": Case(coverage=True, cell="gru", layers=2),
        "decoder_bahdanau_additive": Case(form="bahdanau"),
        "decoder_bahdanau_general_gru_layers": Case(form="bahdanau", cell="gru", score="general", layers=2),
        "decoder_bahdanau_coverage": Case(form="bahdanau", coverage=True),
        "decoder_bahdanau_coverage_rnn": Case(form="bahdanau", coverage=True, cell="rnn_tanh"),
        "monotonic_lstm": Case(layer="monotonic", score="general"),
        "monotonic_gru_layers": Case(layer="monotonic", score="general", cell="gru", layers=2),
        "monotonic_one_position": Case(layer="monotonic", score="general", lengths=(3, 1), key_lengths=(1, 1)),
        "pointer": Case(layer="pointer"),
        "pointer_one_step": Case(layer="pointer", lengths=(1,), key_lengths=(4,)),
    }


def random_cases(count: int, seed: int) -> dict[str, Case]:
    """Cases of odd sizes, the same ones for the same seed."""
    draw = random.Random(seed)
    cases = {}
    for index in range(count):
        layer = draw.choice(("decoder", "decoder", "decoder", "monotonic", "pointer"))
        batch, hidden = draw.randint(1, 5), draw.randint(1, 20)
        score = "general" if layer == "monotonic" else draw.choice(SCORES)
        is_product = score in ("dot", "scaled_dot")
        # At least one row has a step.
        lengths = (draw.randint(1, 8), *(draw.randint(0, 8) for _ in range(batch - 1)))
        cases[f"{layer}_extra_{seed}_{index:04}"] = Case(
            layer,
            draw.choice(("luong", "bahdanau")),
            draw.choice(tuple(CELLS)),
            score,
            score == "additive" and draw.random() < 0.5,
            draw.choice((1, 1, 2, 3)),
            draw.randint(1, 20),
            hidden,
            hidden if is_product else draw.randint(1, 20),
            lengths,
            tuple(draw.randint(1, 9) for _ in range(batch)),
        )
    return cases


class Kind:
    """In what PyTorch computes."""

    of_numbers = torch.float64


def run_case(name: str, case: Case) -> dict[str, Tensor]:
    """Every tensor of one case: parameters, inputs, answers, gradients in, gradients out. A draw that PyTorch itself misses by more
    than 2e-6 in single precision is replaced by the next one."""
    run = {"decoder": run_decoder, "monotonic": run_monotonic, "pointer": run_pointer}[case.layer]
    # The name is the seed, so that a case added later leaves the bytes of all others alone.
    seed = zlib.crc32(name.encode())
    while True:
        found = []
        for Kind.of_numbers in (torch.float64, torch.float32):
            torch.manual_seed(seed)
            found.append(run(case))
        exact, single = found
        if all(error(single[key], value) < 2e-6 for key, value in exact.items() if key.startswith(("expect.", "grad."))):
            return exact
        seed += 1


def error(found: Tensor, want: Tensor) -> float:
    """The largest difference, relative to the largest value."""
    largest = want.abs().max().clamp_min(1e-300)
    return float((found.double() - want).abs().max() / largest)


def drawn(*shape: int, scale: float = 1.0) -> Tensor:
    """Drawn in single precision, computed with in double."""
    return (torch.randn(shape) * scale).to(Kind.of_numbers).requires_grad_()


def real(lengths: tuple[int, ...], time: int) -> Tensor:
    """`[B, time]`: which steps are."""
    return torch.arange(time) < torch.tensor(lengths)[:, None]


class Layers:
    """Recurrent layers, and the parameters of all that is around them, by the names of Lookback."""

    def __init__(self, case: Case, beside: int) -> None:
        self.module = CELLS[case.cell](case.input + beside, case.hidden, case.layers, batch_first=True)
        with torch.no_grad():
            for parameter in self.module.parameters():
                parameter.copy_(torch.randn(parameter.shape) * parameter.shape[-1] ** -0.5)
        self.module = self.module.to(Kind.of_numbers)
        self.parameters = {f"recurrent.{name}": value for name, value in self.module.named_parameters()}

    def add(self, name: str, *shape: int) -> Tensor:
        """A parameter more; of wide ones that are not scaled down single precision loses digits, in PyTorch as well."""
        self.parameters[name] = drawn(*shape, scale=shape[-1] ** -0.5)
        return self.parameters[name]


def first_states(case: Case) -> dict[str, Tensor]:
    """The states before the first step, `[L, B, H]`."""
    shape = (case.layers, len(case.lengths), case.hidden)
    return {name: drawn(*shape) for name in (("h0", "c0") if case.cell == "lstm" else ("h0",))}


def together(states: dict[str, Tensor]) -> Tensor | tuple[Tensor, ...]:
    """As PyTorch takes them."""
    return (states["h0"], states["c0"]) if "c0" in states else states["h0"]


def run_decoder(case: Case) -> dict[str, Tensor]:
    """Luong's or Bahdanau's decoder (Luong 2015, Bahdanau 2015), with coverage by See 2017, eq. 10 and 11."""
    is_luong, width = case.form == "luong", 3 if case.score == "additive" else case.hidden
    batch, time, keys_time = len(case.lengths), max(case.lengths), max(case.key_lengths)
    layers = Layers(case, case.hidden if is_luong else case.memory)
    x, memory = drawn(batch, time, case.input), drawn(batch, keys_time, case.memory)
    states = first_states(case)
    inputs = {"x": x, "memory": memory, **states}
    if case.score == "additive":
        query, bias = layers.add("attention.w_query", width, case.hidden), layers.add("attention.bias", width)
        v, keys = layers.add("attention.v", width), memory @ layers.add("attention.w_key", width, case.memory).T
    elif case.score == "general":
        keys = memory @ layers.add("attention.w", case.hidden, case.memory).T
    else:
        keys = memory
    if is_luong:
        combine = layers.add("combine.projection.weight", case.hidden, case.memory + case.hidden)
        combine_bias = layers.add("combine.projection.bias", case.hidden)
        inputs["previous"] = drawn(batch, case.hidden)
    w_covered = layers.add("coverage", width) if case.coverage else None
    allowed, covered = real(case.key_lengths, keys_time), torch.zeros(batch, keys_time, dtype=Kind.of_numbers)

    def attend(h: Tensor) -> tuple[Tensor, Tensor]:
        if case.score == "additive":
            seen = (h @ query.T + bias).unsqueeze(1) + keys
            if w_covered is not None:
                seen = seen + covered.unsqueeze(2) * w_covered
            scores = torch.tanh(seen) @ v
        else:
            scores = (keys @ h.unsqueeze(2)).squeeze(2) * (case.hidden**-0.5 if case.score == "scaled_dot" else 1.0)
        weights = scores.masked_fill(~allowed, -torch.inf).softmax(1)
        return (weights.unsqueeze(1) @ memory).squeeze(1), weights

    state, fed, is_real = together(states), inputs.get("previous"), real(case.lengths, time)
    made: dict[str, list[Tensor]] = {"y": [], "context": [], "weights": []}
    for t in range(time):
        here = is_real[:, t].unsqueeze(1)
        if is_luong:
            h, after = layers.module(torch.cat([x[:, t], fed], 1).unsqueeze(1), state)
            context, weights = attend(h.squeeze(1))
            y = fed = torch.tanh(torch.cat([context, h.squeeze(1)], 1) @ combine.T + combine_bias)
        else:
            context, weights = attend((state[0] if isinstance(state, tuple) else state)[-1])
            y, after = layers.module(torch.cat([x[:, t], context], 1).unsqueeze(1), state)
            y = y.squeeze(1)
        covered = covered + weights
        for name, value in (("y", y), ("context", context), ("weights", weights)):
            made[name].append(torch.where(here, value, torch.zeros_like(value)))
        if isinstance(state, tuple):
            state = tuple(torch.where(here, new, old) for new, old in zip(after, state, strict=True))
        else:
            state = torch.where(here, after, state)
    results = {name: torch.stack(values, 1) for name, values in made.items() if name != "context" or not is_luong}
    results |= {"h_n": state[0], "c_n": state[1]} if isinstance(state, tuple) else {"h_n": state}
    return judged(layers.parameters, inputs, results)


def run_monotonic(case: Case) -> dict[str, Tensor]:
    """Hard monotonic attention (Wu and Cotterell 2019): `log p(y | x)` by going through alignments step by step."""
    batch, time, positions, vocabulary = len(case.lengths), max(case.lengths), max(case.key_lengths), 7
    layers = Layers(case, 0)
    x, memory, states = drawn(batch, time, case.input), drawn(batch, positions, case.memory), first_states(case)
    w = layers.add("attention.w", case.hidden, case.memory)
    source = layers.add("source.weight", case.hidden, case.memory)
    target, target_bias = layers.add("target.weight", case.hidden, case.hidden), layers.add("target.bias", case.hidden)
    distances = layers.add("distances", DISTANCES)
    output, output_bias = drawn(vocabulary, case.hidden), drawn(vocabulary)
    tokens = torch.randint(vocabulary, (batch, time))
    made, _ = layers.module(x, together(states))
    likelihoods = []
    for row, (length, sources) in enumerate(zip(case.lengths, case.key_lengths, strict=True)):
        h, c = made[row, :length], memory[row, :sources]
        read = torch.tanh((c @ source.T).unsqueeze(0) + (h @ target.T + target_bias).unsqueeze(1))
        emissions = (read @ output.T + output_bias).log_softmax(2)
        fits = h @ (c @ w.T).T
        # log p(a_(t-1) = i, y before); before the first step all stand at the first position.
        alpha = torch.full((sources,), -torch.inf, dtype=Kind.of_numbers)
        alpha[0] = 0.0
        for t in range(length):
            far = torch.arange(sources)[None] - torch.arange(sources)[:, None]
            jumps = (fits[t] + distances[far.clamp(0, DISTANCES - 1)]).masked_fill(far < 0, -torch.inf).log_softmax(1)
            alpha = (alpha[:, None] + jumps).logsumexp(0) + emissions[t, :, tokens[row, t]]
        likelihoods.append(alpha.logsumexp(0) if length > 0 else torch.zeros((), dtype=Kind.of_numbers))
    inputs = {"x": x, "memory": memory, **states, "output": output, "output_bias": output_bias}
    return judged(layers.parameters, inputs, {"likelihoods": torch.stack(likelihoods)}) | {"input.tokens": tokens}


def run_pointer(case: Case) -> dict[str, Tensor]:
    """The mean of `-log (g p(w) + (1 - g) Σ a)` (See 2017, eq. 9)."""
    batch, time, keys_time, vocabulary = len(case.lengths), max(case.lengths), max(case.key_lengths), 6
    steps = [(row, t) for row, length in enumerate(case.lengths) for t in range(length)]
    logits, gates = drawn(len(steps), vocabulary), drawn(len(steps))
    allowed = real(case.key_lengths, keys_time).unsqueeze(1).expand(-1, time, -1)
    weights = torch.randn(batch, time, keys_time).masked_fill(~allowed, -torch.inf).softmax(2)
    weights = weights.to(Kind.of_numbers).requires_grad_()
    # Tokens of the sources, of which those from V on can be copied alone.
    source = torch.randint(vocabulary + 3, (batch, keys_time))
    p, g = logits.softmax(1), gates.sigmoid()
    tokens, offsets, places, losses = [], [0], [], []
    for n, (row, t) in enumerate(steps):
        length = case.key_lengths[row]
        token = int(source[row, torch.randint(length, ())]) if n % 3 else int(torch.randint(vocabulary, ()))
        at = [k for k in range(length) if int(source[row, k]) == token]
        copied = sum((weights[row, t, k] for k in at), torch.zeros((), dtype=Kind.of_numbers))
        written = p[n, token] if token < vocabulary else torch.zeros((), dtype=Kind.of_numbers)
        losses.append(-(g[n] * written + (1 - g[n]) * copied).log())
        tokens.append(token if token < vocabulary else -1)
        places += [(row * time + t) * keys_time + k for k in at]
        offsets.append(len(places))
    lists = {"tokens": tokens, "offsets": offsets, "places": places}
    found = judged({}, {"logits": logits, "gates": gates, "weights": weights}, {"loss": torch.stack(losses).mean().reshape(1)})
    return found | {f"input.{name}": torch.tensor(values) for name, values in lists.items()}


def judged(parameters: dict[str, Tensor], inputs: dict[str, Tensor], results: dict[str, Tensor]) -> dict[str, Tensor]:
    """The results, gradients that flow into them, and those that come out."""
    upstream = {name: torch.randn(value.shape) for name, value in results.items()}
    sum((results[name] * value.to(Kind.of_numbers)).sum() for name, value in upstream.items()).backward()
    tensors = {f"param.{name}": value.detach() for name, value in parameters.items()}
    tensors |= {f"input.{name}": value.detach() for name, value in inputs.items()}
    tensors |= {f"upstream.{name}": value for name, value in upstream.items()}
    tensors |= {f"expect.{name}": value.detach() for name, value in results.items()}
    found = {f"grad.param.{name}": value for name, value in parameters.items()} | {f"grad.{name}": value for name, value in inputs.items()}
    return tensors | {name: value.grad if value.grad is not None else torch.zeros_like(value) for name, value in found.items()}


if __name__ == "__main__":
    main()
