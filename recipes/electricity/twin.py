"""The network of `lookback train forecast` in PyTorch on hourly load: same windows, network, optimiser, batches and epochs.

Every window is a week, without the season of a day where a test finds one in the ten days before its end, scaled by itself; an LSTM
reads it with hour and weekday, a dense layer says quantiles of 24 hours ahead, and a small network joins hour and weekday of each.
It answers two questions: does Lookback reach PyTorch's error on what training holds out, and how do their seconds an epoch compare.
The first 144 windows, which are shorter than a week, are left out.

    python recipes/electricity/twin.py --seeds 0,1,2
    python recipes/electricity/twin.py --beside target/release/lookback --epochs 3
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor, nn
from torch.nn.functional import softplus

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from training_twin import SCHEDULES, averaged_network, batches

LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)
MEDIAN = LEVELS.index(0.5)
# Seasons of which the indices of a season are made.
SEASONS = 10
# Of the standard normal distribution at 0.95.
QUANTILE_95 = 1.6448536269514722
CHANNELS, AHEAD = 5, 4


class Options(argparse.Namespace):
    """The recipe's configuration, by Lookback's names."""

    @classmethod
    def read(cls, file: Path) -> "Options":
        """Every option must be one that the twin follows."""
        said = tomllib.loads(file.read_text(encoding="utf-8"))
        fixed = {"cell": "lstm", "layers": 1, "deseasonalize": True, "around": "last", "average": "ema"}
        for name, value in fixed.items():
            if said[name] != value:
                raise SystemExit(f"{file}: the twin knows {name} = {value!r} alone")
        return cls(**{name.replace("-", "_"): value for name, value in said.items()})


class Windows:
    """All windows of the training part, those of the end held out."""

    def __init__(self, file: Path, options: Options) -> None:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        self.options = options
        values = np.array([float(row["y"]) for row in rows])
        start = datetime.fromisoformat(rows[0]["ts"])
        if datetime.fromisoformat(rows[-1]["ts"]) != start + timedelta(hours=len(rows) - 1):
            raise SystemExit(f"{file}: the twin reads hours without gaps")
        context, horizon, season = options.context, options.horizon, options.season
        hours = start.hour + np.arange(len(values) + horizon)
        day, week = (hours % 24) / 24, ((start.weekday() * 24 + hours) % 168) / 168
        angles = 2 * np.pi * np.stack([day, week], 1)
        calendar = np.stack([np.sin(angles), np.cos(angles)], 2).reshape(-1, AHEAD)
        held_out = max(1, int(len(values) * 0.1) // horizon)
        end = len(values) - held_out * horizon
        judged = [end + window * horizon for window in range(held_out)]
        # Where little is known, the last step that has anything behind it counts as well.
        self.origins = np.array([*range(SEASONS * season, end), *judged])
        self.train, self.valid = np.arange(end - SEASONS * season), np.arange(end - SEASONS * season, len(self.origins))
        ends = np.where(self.origins < end, end, len(values))
        indices = seasons(sliding_window_view(values, SEASONS * season)[self.origins - SEASONS * season], season)
        past = self.origins[:, None] + np.arange(-context, 0)
        ahead = self.origins[:, None] + np.arange(horizon)
        place = (np.arange(-context, horizon) + SEASONS * season) % season
        own = np.take_along_axis(indices, place[None].repeat(len(indices), 0), 1)
        read = values[past] / own[:, :context]
        mean, deviation = read.mean(1, keepdims=True), read.std(1, keepdims=True)
        scaled = (read - mean) / deviation
        known = ahead < ends[:, None]
        self.actual = np.where(known, values[np.minimum(ahead, len(values) - 1)], np.nan)
        truth = (self.actual / own[:, context:] - mean) / deviation - scaled[:, -1:]
        self.scale = (mean, deviation, own[:, context:], scaled[:, -1:])
        as_tensor = lambda array: torch.tensor(array, dtype=torch.float32)
        self.x = as_tensor(np.concatenate([scaled[:, :, None], calendar[past]], 2))
        self.ahead, self.truth = as_tensor(calendar[ahead]), as_tensor(truth)
        # What the season before has of every step before an origin, for MASE.
        steps = np.abs(values[season:] - values[:-season]).cumsum()
        self.seasonal = steps[self.origins - season - 1] / (self.origins - season)

    def mase(self, points: np.ndarray, rows: np.ndarray) -> tuple[float, float]:
        """Mean absolute scaled error and mean absolute error of scaled points, `[rows, horizon]`."""
        mean, deviation, own, last = (part[rows] for part in self.scale)
        errors = np.abs(((points + last) * deviation + mean) * own - self.actual[rows])
        return float((errors.mean(1) / self.seasonal[rows]).mean()), float(errors.mean())


def seasons(before: np.ndarray, season: int) -> np.ndarray:
    """The season's factor at every place, the first value's first, of rows of values; ones where a test finds no season."""
    rows, count = before.shape
    centred = before - before.mean(1, keepdims=True)
    covariance = [(centred[:, lag:] * centred[:, : count - lag]).sum(1) for lag in range(season + 1)]
    shorter = sum((covariance[lag] / covariance[0]) ** 2 for lag in range(1, season))
    found = np.abs(covariance[season] / covariance[0]) / np.sqrt((1 + 2 * shorter) / count) > QUANTILE_95
    half = season // 2
    windows = sliding_window_view(before, season + 1, axis=1)
    average = (windows.sum(2) - 0.5 * (windows[:, :, 0] + windows[:, :, -1])) / season
    ratio = before[:, half : count - half] / average
    places = np.arange(half, count - half) % season
    factors = np.stack([ratio[:, places == place].mean(1) for place in range(season)], 1)
    factors /= factors.mean(1, keepdims=True)
    return np.where(found[:, None], factors, 1.0)


class Forecaster(nn.Module):
    """LSTM, a dense layer for all steps ahead, and one that joins what is known of each."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.horizon = options.horizon
        self.recurrent = nn.LSTM(CHANNELS, options.hidden, batch_first=True)
        self.dropout = nn.Dropout(options.dropout)
        self.output = nn.Linear(options.hidden, options.horizon * len(LEVELS))
        self.context = nn.Linear(options.hidden, options.ahead, bias=False)
        self.ahead = nn.Linear(AHEAD, options.ahead)
        self.local = nn.Linear(options.ahead, len(LEVELS), bias=False)

    def forward(self, x: Tensor, ahead: Tensor) -> Tensor:
        """Quantiles `[rows, horizon, levels]` that rise."""
        last = self.dropout(self.recurrent(x)[1][0][-1])
        own = self.local(torch.tanh(self.context(last).unsqueeze(1) + self.ahead(ahead)))
        levels = list((self.output(last).view(-1, self.horizon, len(LEVELS)) + own).unbind(2))
        for above in range(MEDIAN + 1, len(LEVELS)):
            levels[above] = levels[above - 1] + softplus(levels[above])
        for below in reversed(range(MEDIAN)):
            levels[below] = levels[below + 1] - softplus(levels[below])
        return torch.stack(levels, 2)


def pinball(quantiles: Tensor, truth: Tensor) -> Tensor:
    """Twice the mean pinball loss of all steps that came."""
    levels = torch.tensor(LEVELS)
    known = ~truth.isnan()
    error = truth.nan_to_num().unsqueeze(2) - quantiles
    return (torch.maximum(levels * error, (levels - 1) * error).mean(2) * 2)[known].mean()


def train(windows: Windows, seed: int, epochs: int) -> dict:
    """One training; of its epochs the one with the least MASE on what is held out."""
    options = windows.options
    torch.manual_seed(seed)
    draw = np.random.default_rng(seed)
    network = Forecaster(options)
    steps = -(-len(windows.train) // options.batch_size) * epochs
    optimizer = torch.optim.Adam(network.parameters(), lr=options.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, SCHEDULES[options.schedule](steps))
    averaged = averaged_network(options, network)
    best, seconds = (np.inf, np.inf, 0), []
    for epoch in range(1, epochs + 1):
        started = time.perf_counter()
        network.train()
        for rows in batches(np.full(len(windows.train), options.context), options.batch_size, draw):
            loss = pinball(network(windows.x[rows], windows.ahead[rows]), windows.truth[rows])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), options.clip)
            optimizer.step()
            schedule.step()
            averaged.update_parameters(network)
        seconds.append(time.perf_counter() - started)
        averaged.module.eval()
        with torch.no_grad():
            points = averaged.module(windows.x[windows.valid], windows.ahead[windows.valid])[:, :, MEDIAN]
        best = min(best, (*windows.mase(points.double().numpy(), windows.valid), epoch))
    mase, mae, epoch = best
    return {"seed": seed, "epoch": epoch, "mase": mase, "mae": mae, "seconds_per_epoch": statistics.median(seconds)}


def lookback(program: Path, seed: int, epochs: int, threads: int) -> dict:
    """The same of Lookback, from the log of a training."""
    with tempfile.TemporaryDirectory() as folder:
        log, model = Path(folder) / "log.jsonl", Path(folder) / "model"
        command = [program, "train", "forecast", HERE / "data" / "train.csv", "--config", HERE / "config.toml", "--blend", "none"]
        command += ["--seed", seed, "--epochs", epochs, "--threads", threads, "-o", model, "--log", log]
        run = subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True)
        if run.returncode != 0:
            raise SystemExit(run.stderr)
        lines = list(map(json.loads, log.read_text(encoding="utf-8").splitlines()))
    seconds = statistics.median(line["seconds"] for line in lines if "seconds" in line)
    best = min((line["validation"] for line in lines if "validation" in line), key=lambda scores: scores["mase"])
    return {"seed": seed, "mase": best["mase"], "mae": best["mae"], "seconds_per_epoch": seconds}


def main() -> None:
    """Train once a seed, and beside Lookback in turns where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0,1,2", help="one run a seed, for example 0,1,2")
    parser.add_argument("--epochs", type=int, help="of both; those of the configuration where nothing is said")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--beside", type=Path, metavar="PROGRAM", help="train Lookback in turns with it")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    options = Options.read(HERE / "config.toml")
    windows = Windows(HERE / "data" / "train.csv", options)
    epochs = arguments.epochs or options.epochs
    print(f"{len(windows.train):,} windows train, {len(windows.valid)} validate")
    ratios = []
    for seed in map(int, arguments.seeds.split(",")):
        theirs = train(windows, seed, epochs)
        told = f"seed {seed}: twin MASE {theirs['mase']:.4f}, MAE {theirs['mae']:.2f}, {theirs['seconds_per_epoch']:.2f} s an epoch"
        if arguments.beside:
            ours = lookback(arguments.beside, seed, epochs, arguments.threads)
            ratios.append(theirs["seconds_per_epoch"] / ours["seconds_per_epoch"])
            told += f"; Lookback MASE {ours['mase']:.4f}, MAE {ours['mae']:.2f}, {ours['seconds_per_epoch']:.2f} s, {ratios[-1]:.2f} times as fast"
        print(told, flush=True)
    if ratios:
        print(f"median {statistics.median(ratios):.2f} times as fast")


if __name__ == "__main__":
    main()
