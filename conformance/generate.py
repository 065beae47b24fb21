"""Write the reference cases that Lookback's recurrent layers are compared with.

PyTorch is the judge: each file holds the weights and inputs of one layer, what PyTorch answers, the gradients
that flow in from above and the gradients that must come out below. README.md describes the format.

    python conformance/generate.py                                  the committed cases and curves
    python conformance/generate.py --extra 200 --seed 7 --out DIR   200 random cases into DIR
"""

import argparse
import json
import random
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch.nn.functional import mse_loss
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

HERE = Path(__file__).resolve().parent
LAYERS = ("lstm", "gru", "rnn_tanh", "rnn_relu")


def main() -> None:
    """Write the committed files, or random cases when `--extra` asks for them."""
    options = read_options("Write reference cases made by PyTorch.")
    if options.extra is not None:
        write_cases(random_cases(options.extra, options.seed), options.out, run_case)
    else:
        write_cases(committed_cases(), HERE / "cases", run_case)
        write_curves(HERE / "curves")


def read_options(description: str) -> argparse.Namespace:
    """What the command line asks for, the same of every script here."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--extra", type=int, metavar="N", help="write N random cases instead of the committed ones")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the random cases")
    parser.add_argument("--out", "--output", type=Path, metavar="DIR", help="the folder of the random cases")
    options = parser.parse_args()
    if (options.extra is None) != (options.out is None):
        parser.error("--extra and --out go together: random cases never join the committed ones")

    # One thread fixes the order of PyTorch's sums, so that a second run writes the same bytes.
    torch.set_num_threads(1)
    return options


@dataclass(frozen=True)
class Case:
    """One layer and one batch; the first seven fields are the `case` metadata, word for word."""

    layer: str
    input: int = 5
    hidden: int = 6
    layers: int = 1
    bidirectional: bool = False
    bias: bool = True
    lengths: tuple[int, ...] | None = None
    batch: int = 3
    steps: int = 5
    initial: tuple[str, ...] = ()
    upstream: tuple[str, ...] = ("y", "h_n", "c_n")
    scale: float = 1.0

    def metadata(self) -> str:
        """The JSON object under the metadata key `case`."""
        fields = ("layer", "input", "hidden", "layers", "bidirectional", "bias", "lengths")
        values = asdict(self)
        return json.dumps({field: values[field] for field in fields})

    def module(self) -> torch.nn.RNNBase:
        """A PyTorch layer with its own random start."""
        sizes = {"input_size": self.input, "hidden_size": self.hidden, "num_layers": self.layers}
        flags = {"bias": self.bias, "bidirectional": self.bidirectional, "batch_first": True}
        if self.layer == "lstm":
            return torch.nn.LSTM(**sizes, **flags)
        if self.layer == "gru":
            return torch.nn.GRU(**sizes, **flags)
        return torch.nn.RNN(nonlinearity=self.layer.removeprefix("rnn_"), **sizes, **flags)


def committed_cases() -> dict[str, Case]:
    """The cases that stand in the repository, by file name."""
    cases = {}
    for layer in LAYERS:
        plain = Case(layer)
        ragged = replace(plain, batch=4, steps=6, lengths=(3, 6, 1, 4))
        states = ("h0", "c0") if layer == "lstm" else ("h0",)
        final_only = tuple(name for name in plain.upstream if name != "y")
        cases |= {
            f"{layer}_one_layer": plain,
            f"{layer}_two_layers": replace(plain, layers=2),
            f"{layer}_bidirectional": replace(plain, bidirectional=True),
            f"{layer}_bidirectional_two_layers": replace(plain, bidirectional=True, layers=2),
            f"{layer}_no_bias": replace(plain, bias=False),
            f"{layer}_ragged": ragged,
            f"{layer}_ragged_bidirectional": replace(ragged, bidirectional=True),
            f"{layer}_ragged_bidirectional_two_layers": replace(ragged, bidirectional=True, layers=2),
            f"{layer}_initial_state": replace(plain, layers=2, initial=states),
            f"{layer}_ragged_initial_state": replace(ragged, bidirectional=True, initial=states),
            f"{layer}_sizes_5_7": replace(plain, input=5, hidden=7),
            f"{layer}_sizes_1_1": replace(plain, input=1, hidden=1, bidirectional=True),
            f"{layer}_one_step_one_row": replace(plain, batch=1, steps=1, initial=states),
            f"{layer}_upstream_final_state_only": replace(ragged, upstream=final_only),
        }
    for layer in ("lstm", "gru"):
        # Wide enough for several registers and a rest, on every vector width there is.
        wide = Case(layer, input=19, hidden=37, batch=7, steps=9, lengths=(9, 2, 9, 5, 1, 7, 3))
        cases[f"{layer}_wide_ragged"] = wide
        # Gates near 0 and 1 show an `exp` or `tanh` that loses its tail.
        cases[f"{layer}_saturated"] = Case(layer, bidirectional=True, scale=30.0)
    # A hidden state without a cell: the absent half means zeros.
    cases["lstm_initial_hidden_only"] = Case("lstm", initial=("h0",))
    return cases


def random_cases(count: int, seed: int) -> dict[str, Case]:
    """Cases of every kind and odd size, the same ones for the same seed."""
    draw = random.Random(seed)
    cases = {}
    for index in range(count):
        layer = draw.choice(LAYERS)
        batch, steps = draw.randint(1, 9), draw.randint(1, 20)
        # PyTorch packs no row of length 0, so a row here has at least one step.
        lengths = tuple(draw.randint(1, steps) for _ in range(batch)) if draw.random() < 0.6 else None
        states = ("h0", "c0") if layer == "lstm" else ("h0",)
        gradients = ("y", "h_n", "c_n") if layer == "lstm" else ("y", "h_n")
        cases[f"extra_{seed}_{index:04}_{layer}"] = Case(
            layer,
            input=draw.randint(1, 40),
            hidden=draw.randint(1, 40),
            layers=draw.randint(1, 3),
            bidirectional=draw.random() < 0.5,
            bias=draw.random() < 0.8,
            lengths=lengths,
            batch=batch,
            steps=steps,
            initial=tuple(name for name in states if draw.random() < 0.5),
            upstream=tuple(name for name in gradients if draw.random() < 0.8) or ("y",),
            scale=draw.choice((0.1, 1.0, 1.0, 5.0)),
        )
    return cases


def write_cases(cases: dict[str, Any], folder: Path, run: Callable[[str, Any], dict[str, torch.Tensor]]) -> None:
    """Run every case and write one file for each."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, case in cases.items():
        save(folder / f"{name}.safetensors", run(name, case), {"case": case.metadata()})
    print(f"{len(cases)} cases in {folder}")


def run_case(name: str, case: Case) -> dict[str, torch.Tensor]:
    """Every tensor of one case: weights, inputs, answers, gradients in, gradients out."""
    # The name is the seed, so that a case added later leaves the bytes of all others alone.
    torch.manual_seed(zlib.crc32(name.encode()))
    module = case.module()
    directions = 2 if case.bidirectional else 1
    state_shape = (case.layers * directions, case.batch, case.hidden)

    # Steps past a row's length hold random numbers, not zeros: whoever reads them gets another answer.
    x = torch.randn(case.batch, case.steps, case.input) * case.scale
    states = {state: torch.randn(state_shape) * 0.5 for state in case.initial}
    parameters = dict(module.named_parameters())
    tensors = {"input.x": x} | {f"input.{state}": value for state, value in states.items()}
    tensors |= {f"param.{key}": value.detach().clone() for key, value in parameters.items()}

    # The answers are computed in double precision from single-precision inputs and rounded once, so that the whole
    # tolerance is left to the layer under test.
    module.double()
    x = x.double().requires_grad_()
    states = {state: value.double().requires_grad_() for state, value in states.items()}
    outputs = forward(module, case, x, states, state_shape)
    tensors |= {f"expect.{key}": value.detach() for key, value in outputs.items()}

    # The gradient that flows in on the outputs is random at padded steps too, where it must count for nothing.
    upstream = {key: torch.randn(outputs[key].shape) for key in case.upstream if key in outputs}
    tensors |= {f"upstream.{key}": value for key, value in upstream.items()}
    torch.autograd.backward([outputs[key] for key in upstream], [value.double() for value in upstream.values()])

    tensors["grad.x"] = x.grad
    tensors |= {f"grad.{state}": value.grad for state, value in states.items()}
    tensors |= {f"grad.param.{key}": value.grad for key, value in parameters.items()}
    return tensors


def forward(
    module: torch.nn.RNNBase,
    case: Case,
    x: torch.Tensor,
    states: dict[str, torch.Tensor],
    state_shape: tuple[int, int, int],
) -> dict[str, torch.Tensor]:
    """PyTorch's `y`, `h_n` and, of an LSTM, `c_n`; ragged batches go through a packed sequence and back."""
    hidden = states.get("h0", torch.zeros(state_shape, dtype=x.dtype))
    cell = states.get("c0", torch.zeros(state_shape, dtype=x.dtype))
    state = (hidden, cell) if case.layer == "lstm" else hidden
    if case.lengths is None:
        y, final = module(x, state)
    else:
        packed = pack_padded_sequence(x, torch.tensor(case.lengths), batch_first=True, enforce_sorted=False)
        packed, final = module(packed, state)
        y, _ = pad_packed_sequence(packed, batch_first=True, total_length=case.steps)
    if case.layer == "lstm":
        return {"y": y, "h_n": final[0], "c_n": final[1]}
    return {"y": y, "h_n": final}


def write_curves(folder: Path) -> None:
    """Train each layer on a toy task and write its start, its data and its losses."""
    folder.mkdir(parents=True, exist_ok=True)
    for layer in LAYERS:
        case = Case(layer, input=4, hidden=8, batch=6, steps=7)
        curve = {
            "layer": case.layer,
            "input": case.input,
            "hidden": case.hidden,
            "layers": case.layers,
            "bidirectional": case.bidirectional,
            "bias": case.bias,
            "optimizer": "sgd",
            "learning_rate": 0.5,
        }
        save(folder / f"{layer}.safetensors", run_curve(case, curve["learning_rate"]), {"curve": json.dumps(curve)})
    print(f"{len(LAYERS)} curves in {folder}")


def run_curve(case: Case, learning_rate: float) -> dict[str, torch.Tensor]:
    """The toy task: every unit follows its own mixture of the running mean of the inputs."""
    torch.manual_seed(zlib.crc32(f"curve_{case.layer}".encode()))
    module = case.module()
    start = {key: value.detach().clone() for key, value in module.named_parameters()}
    x = torch.randn(case.batch, case.steps, case.input)
    running_mean = x.cumsum(1) / torch.arange(1, case.steps + 1).view(1, -1, 1)
    target = torch.sigmoid(running_mean @ torch.randn(case.input, case.hidden))

    losses = train_curve(module.double(), x.double(), target.double(), learning_rate)
    # A curve that single precision cannot follow would prove nothing about the layer under test.
    single = case.module()
    single.load_state_dict(start)
    drift = (train_curve(single, x, target, learning_rate) - losses).abs().max().item()
    if drift > 1e-5:
        raise SystemExit(f"the {case.layer} curve is ill-conditioned: single precision drifts by {drift:.1e}")

    tensors = {f"param.{key}": value for key, value in start.items()}
    return tensors | {"input.x": x, "target.y": target, "expect.loss": losses}


def train_curve(
    module: torch.nn.RNNBase, x: torch.Tensor, target: torch.Tensor, learning_rate: float, steps: int = 200
) -> torch.Tensor:
    """Plain gradient descent on the whole batch; each loss is taken before its step."""
    optimizer = torch.optim.SGD(module.parameters(), lr=learning_rate)
    losses = []
    for _ in range(steps):
        loss = mse_loss(module(x)[0], target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return torch.tensor(losses, dtype=torch.float64)


def save(path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    """Write one safetensors file, every number in single precision; masks stay boolean."""
    singles = {key: value if value.dtype == torch.bool else value.float() for key, value in tensors.items()}
    save_file({key: value.contiguous() for key, value in singles.items()}, path, metadata)


if __name__ == "__main__":
    main()
