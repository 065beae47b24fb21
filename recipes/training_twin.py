"""How all twins in PyTorch are trained, started and reported: the same batches, optimiser and average as Lookback's."""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from encoder_twin import EncoderOptions
from torch import Tensor, nn

Report = Callable[[str], None]


class Task(Protocol):
    """What a task says of its data and its network."""

    options: EncoderOptions
    # Of each example of the training part.
    lengths: np.ndarray

    def network(self, packed: bool) -> nn.Module:
        """A network with random weights."""

    def loss(self, network: nn.Module, rows: Sequence[int], draw: np.random.Generator) -> Tensor:
        """What these examples of the training part cost."""

    def validate(self, network: nn.Module) -> tuple[float, float]:
        """Accuracy on the valid part, and its loss."""

    def judge(self, network: nn.Module) -> dict[str, float]:
        """What else is reported of the network that is kept."""


def run(task_of: Callable[[argparse.Namespace], Task], recipe: Path, score: str, description: str) -> None:
    """Train once a seed on the data of `recipe`, and print what came out; `score` is a name in what is reported of a run."""
    arguments = parse(recipe, description)
    torch.set_num_threads(arguments.threads)
    if arguments.device != "cpu":
        # Every tensor that is made from here on stands there, and recurrent layers compute in full single precision as well.
        torch.set_default_device(arguments.device)
        torch.backends.cudnn.allow_tf32 = False
    task = task_of(arguments)
    if arguments.epochs is not None:
        task.options.epochs, task.options.patience = arguments.epochs, 0
    report: Report = (lambda line: None) if arguments.json else lambda line: print(line, flush=True)
    runs = []
    for seed in map(int, arguments.seeds.split(",")):
        runs.append(train(task, seed, arguments, report))
        figures = (f"{name} {value:.4f}" for name, value in runs[-1].items() if isinstance(value, float))
        report(f"seed {seed}, of epoch {runs[-1]['epoch']}: {', '.join(figures)}")
    scores = [] if arguments.unjudged else [run[score] for run in runs]
    seconds = [second for run in runs for second in run["seconds_per_epoch"]]
    summary = {f"{score}_mean": statistics.mean(scores), f"{score}_spread": max(scores) - min(scores)} if scores else {}
    summary |= {
        "seconds_per_epoch_median": statistics.median(seconds),
        "batching": arguments.batching,
        "threads": arguments.threads,
        "device": arguments.device,
        "runs": runs,
    }
    if arguments.json:
        print(json.dumps(summary))
    else:
        told = f"mean {score.replace('_', ' ')} {statistics.mean(scores):.4f}, spread {max(scores) - min(scores):.4f}, " if scores else ""
        print(f"{told}{summary['seconds_per_epoch_median']:.2f} s per epoch")


def parse(recipe: Path, description: str) -> argparse.Namespace:
    """The options of every twin."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--config", type=Path, default=recipe / "config.toml", help="the recipe's options")
    parser.add_argument("--seeds", default="0,1,2", help="one run a seed, for example 0,1,2")
    parser.add_argument("--epochs", type=int, help="run this many epochs, without stopping early")
    parser.add_argument("--threads", type=int, default=2, help="PyTorch's threads")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where the network is trained")
    parser.add_argument(
        "--part", type=float, default=1.0, metavar="SHARE", help="train on this share of the data, the first of them"
    )
    parser.add_argument(
        "--batching",
        choices=("padded", "packed"),
        default="padded",
        help="padded is PyTorch's fast path, whose reverse direction reads the padding first; packed is exact",
    )
    parser.add_argument("--unjudged", action="store_true", help="only time the epochs: no scores of what was trained")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    return parser.parse_args()


def train(task: Task, seed: int, arguments: argparse.Namespace, report: Report) -> dict:
    """One training run; the weights of the best validation accuracy are the ones that are kept."""
    torch.manual_seed(seed)
    draw = np.random.default_rng(seed)
    options = task.options
    network = task.network(arguments.batching == "packed")
    steps = -(-len(task.lengths) // options.batch_size) * options.epochs
    optimizer = torch.optim.Adam(network.parameters(), lr=options.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, SCHEDULES[options.schedule](steps))
    averaged = averaged_network(options, network)
    best, best_loss, best_epoch, best_weights, seconds = -1.0, 0.0, 0, network.state_dict(), []
    for epoch in range(1, options.epochs + 1):
        started = time.perf_counter()
        network.train()
        losses = []
        for rows in batches(task.lengths, options.batch_size, draw):
            loss = task.loss(network, rows, draw)
            optimizer.zero_grad()
            loss.backward()
            if options.clip > 0:
                nn.utils.clip_grad_norm_(network.parameters(), options.clip)
            optimizer.step()
            schedule.step()
            if averaged is not None:
                averaged.update_parameters(network)
            losses.append(loss.item())
        seconds.append(time.perf_counter() - started)
        candidate = averaged.module if averaged is not None else network
        accuracy, valid_loss = task.validate(candidate)
        told = f"loss {np.mean(losses):.4f}, validation accuracy {accuracy:.4f}, loss {valid_loss:.4f}, {seconds[-1]:.2f} s"
        report(f"seed {seed}, epoch {epoch}: {told}")
        if (accuracy, -valid_loss) > (best, -best_loss):
            best, best_loss, best_epoch = accuracy, valid_loss, epoch
            best_weights = {name: value.clone() for name, value in candidate.state_dict().items()}
        elif options.patience and epoch - best_epoch >= options.patience:
            break
    network.load_state_dict(best_weights)
    judged = {} if arguments.unjudged else task.judge(network)
    return {"seed": seed, "epoch": best_epoch, "valid_accuracy": best, **judged, "seconds_per_epoch": seconds}


SCHEDULES: dict[str, Callable[[int], Callable[[int], float]]] = {
    "constant": lambda steps: lambda step: 1.0,
    "linear": lambda steps: lambda step: 1 - step / steps,
    "cosine": lambda steps: lambda step: (1 + np.cos(np.pi * step / steps)) / 2,
}


def averaged_network(options: EncoderOptions, network: nn.Module) -> torch.optim.swa_utils.AveragedModel | None:
    """The exponential moving average of the weights, if wanted; its decay is lower early on, as Lookback's is."""
    if options.average == "none":
        return None

    def blend(mean: Tensor, weights: Tensor, step: Tensor) -> Tensor:
        decay = min(options.average_decay, (1 + int(step)) / (10 + int(step)))
        return mean.lerp(weights, 1 - decay)

    return torch.optim.swa_utils.AveragedModel(network, avg_fn=blend)


def batches(lengths: np.ndarray, size: int, draw: np.random.Generator) -> Iterator[np.ndarray]:
    """Shuffled batches of similar length: sorted inside windows of 50 batches, as Lookback does."""
    order = draw.permutation(len(lengths))
    windows = [order[start : start + 50 * size] for start in range(0, len(order), 50 * size)]
    order = np.concatenate([window[np.argsort(lengths[window], kind="stable")] for window in windows])
    starts = range(0, len(order), size)
    for start in draw.permutation(starts):
        yield order[start : start + size]
