"""The PyTorch twins of lookback-end-to-end: the same models, losses, clipping and optimiser, one unit at a time.

    python bench/end_to_end/twins.py translator --case FILE

bench/end_to_end/compare.py starts it. The protocol is that of bench/peers/protocol.py.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

BENCH = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(BENCH / "peers"), str(BENCH.parent / "recipes")]

from protocol import forget_peak, memory, save_file
from safetensors.torch import load_file

# Units whose losses are compared before any is timed.
FIRST = 3


class Translator(nn.Module):
    """Embedding, two-layer BiLSTM encoder, LSTM decoder with additive attention and input feeding."""

    def __init__(self, parameters: dict[str, Tensor]) -> None:
        super().__init__()
        rows, width = parameters["source.weight"].shape
        parameters = {name.removeprefix("attention."): value for name, value in parameters.items()}
        hidden = parameters["v"].shape[0]
        encoded = parameters["encoder.weight_hh_l0"].shape[1]
        self.source, self.target = nn.Embedding(rows, width), nn.Embedding(rows, width)
        self.encoder = nn.LSTM(width, encoded, 2, batch_first=True, bidirectional=True)
        self.decoder = nn.LSTM(width + hidden, hidden, batch_first=True)
        self.w_query, self.w_key = nn.Parameter(torch.empty(hidden, hidden)), nn.Parameter(torch.empty(hidden, 2 * encoded))
        self.v = nn.Parameter(torch.empty(hidden))
        self.combine = nn.Linear(2 * encoded + hidden, hidden)
        self.output = nn.Linear(hidden, rows)
        self.load_state_dict(parameters)

    def forward(self, source: Tensor, before: Tensor) -> Tensor:
        memory_states = self.encoder(self.source(source))[0]
        keys = memory_states @ self.w_key.T
        words = self.target(before)
        fed, state, outputs = words.new_zeros(len(words), len(self.v)), None, []
        for t in range(words.shape[1]):
            h, state = self.decoder(torch.cat([words[:, t], fed], 1).unsqueeze(1), state)
            scores = torch.tanh(h @ self.w_query.T + keys) @ self.v
            context = (scores.softmax(1).unsqueeze(1) @ memory_states).squeeze(1)
            fed = torch.tanh(self.combine(torch.cat([context, h.squeeze(1)], 1)))
            outputs.append(fed)
        return self.output(torch.stack(outputs, 1)).flatten(0, 1)


class Forecaster(nn.Module):
    """A two-layer LSTM, and a dense layer on its last state."""

    def __init__(self, parameters: dict[str, Tensor]) -> None:
        super().__init__()
        rows, channels = parameters["recurrent.weight_ih_l0"].shape
        self.recurrent = nn.LSTM(channels, rows // 4, 2, batch_first=True)
        self.output = nn.Linear(rows // 4, parameters["output.bias"].shape[0])
        self.load_state_dict(parameters)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.recurrent(x)[1][0][1])


def translator(case: dict[str, Tensor]) -> Callable[[], float]:
    source, before, words = (case[f"input.{name}"].long() for name in ("source", "before", "words"))
    model = Translator(parameters(case))
    return stepper(model, lambda: cross_entropy(model(source, before), words.flatten()))


def forecaster(case: dict[str, Tensor]) -> Callable[[], float]:
    model = Forecaster(parameters(case))
    return stepper(model, lambda: mse_loss(model(case["input.x"]), case["input.target"]))


def parameters(case: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("param."): value for name, value in case.items() if name.startswith("param.")}


def stepper(model: nn.Module, loss_of: Callable[[], Tensor]) -> Callable[[], float]:
    """A training step, as lookback's loop makes it: Adam at 0.001, the norm of all gradients clipped at 5."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step() -> float:
        loss = loss_of()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        return loss.item()

    return step


def classifier(recipe: Path, packed: bool) -> Callable[[], float]:
    """An epoch of recipes/classifier_twin.py, validation left out."""
    import classifier_twin
    import training_twin

    options = classifier_twin.Options.read(recipe / "config.toml")
    task = classifier_twin.Classification.read(recipe / "data", options, share=1.0)
    torch.manual_seed(0)
    draw = np.random.default_rng(0)
    model = task.network(packed)
    optimizer = torch.optim.Adam(model.parameters(), lr=options.learning_rate)
    averaged = training_twin.averaged_network(options, model)

    def epoch() -> float:
        model.train()
        total = 0.0
        for rows in training_twin.batches(task.lengths, options.batch_size, draw):
            loss = task.loss(model, rows, draw)
            optimizer.zero_grad()
            loss.backward()
            if options.clip > 0:
                nn.utils.clip_grad_norm_(model.parameters(), options.clip)
            optimizer.step()
            if averaged is not None:
                averaged.update_parameters(model)
            total += loss.item()
        return total

    return epoch


def main() -> None:
    parser = argparse.ArgumentParser(description="The PyTorch twins of lookback-end-to-end.")
    parser.add_argument("task", choices=["classifier", "translator", "forecaster"])
    parser.add_argument("--case", type=Path, help="weights and data (translator, forecaster)")
    parser.add_argument("--recipe", type=Path, help="the recipe's folder (classifier)")
    parser.add_argument("--batching", choices=["padded", "packed"], default="padded", help="of the classifier")
    parser.add_argument("--results", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    forget_peak()
    before = memory("VmRSS")
    if options.task == "classifier":
        unit, first = classifier(options.recipe, options.batching == "packed"), 1
    else:
        make = {"translator": translator, "forecaster": forecaster}[options.task]
        unit, first = make(load_file(options.case)), FIRST
    losses = np.array([unit() for _ in range(first)], dtype=np.float32)
    if options.results is not None:
        save_file({"y": losses}, options.results)
    forget_peak()
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "memory":
            print(f"{before:.1f} {memory('VmHWM'):.1f}", flush=True)
            continue
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            unit()
            times.append((time.perf_counter() - start) * 1e3)
        print(" ".join(f"{ms:.6f}" for ms in times), flush=True)


if __name__ == "__main__":
    main()
