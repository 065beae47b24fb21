"""NeuralForecast's LSTM on a frequency of M3, beside a forecaster of Lookback that was trained on the same series.

    pip install neuralforecast==3.3.0
    python recipes/m3/neural.py target/release/lookback quarterly

Both get the training part and forecast the official test part once. NeuralForecast trains as its own defaults have it but for the
horizon, a context of two seasons or horizons and, so that a CPU comes to an end, `--steps` (its default is 1,000).
"""

import argparse
import json
import logging
import os
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
os.environ["NIXTLA_ID_AS_COL"] = "1"

import numpy as np
import pandas as pd
import torch
from measure import HERE, HORIZONS
from neuralforecast import NeuralForecast
from neuralforecast.losses.pytorch import MAE
from neuralforecast.models import LSTM
from series import SEASONS, read


def main() -> None:
    """Train both, judge both by sMAPE on the 200 scale."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path, help="target/release/lookback")
    parser.add_argument("frequency", choices=HORIZONS)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    data = HERE / "data" / arguments.frequency
    theirs, seconds = neural(data, arguments)
    print(f"{arguments.frequency}: NeuralForecast's LSTM, sMAPE {theirs:.2f}, {seconds:.0f} s")
    ours, seconds = lookback(data, arguments)
    print(f"{arguments.frequency}: Lookback, sMAPE {ours:.2f}, {seconds:.0f} s")


def neural(data: Path, arguments: argparse.Namespace) -> tuple[float, float]:
    """sMAPE and seconds of NeuralForecast."""
    horizon, season = HORIZONS[arguments.frequency], SEASONS[arguments.frequency]
    known, all_values = read(data / "train.csv"), read(data / "test.csv")
    frame = pd.DataFrame(
        [(name, step, value) for name, values in known.items() for step, value in enumerate(values)], columns=["unique_id", "ds", "y"]
    )
    started = time.perf_counter()
    model = LSTM(
        h=horizon,
        input_size=2 * max(season, horizon),
        loss=MAE(),
        max_steps=arguments.steps,
        scaler_type="standard",
        random_seed=0,
        accelerator="cpu",
        enable_progress_bar=False,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        start_padding_enabled=True,
    )
    forecaster = NeuralForecast(models=[model], freq=1)
    forecaster.fit(frame)
    said = forecaster.predict()
    seconds = time.perf_counter() - started
    errors = []
    for name, rows in said.groupby("unique_id"):
        mean, actual = rows.sort_values("ds")["LSTM"].to_numpy(), np.array(all_values[name][-horizon:])
        errors.append((200 * np.abs(mean - actual) / (np.abs(mean) + np.abs(actual))).mean())
    return float(np.mean(errors)), seconds


def lookback(data: Path, arguments: argparse.Namespace) -> tuple[float, float]:
    """sMAPE and seconds of Lookback with the recipe's configuration; those of the classic forecasts beside it are in them."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        config = HERE / f"{arguments.frequency}.toml"
        started = time.perf_counter()
        command = ["train", "forecast", data / "train.csv", "--config", config, "--threads", arguments.threads, "-o", model]
        subprocess.run(list(map(str, [arguments.program, *command])), check=True, capture_output=True)
        subprocess.run([str(arguments.program), "predict", str(model), str(data / "train.csv")], check=True, capture_output=True)
        seconds = time.perf_counter() - started
        judged = subprocess.run(
            [str(arguments.program), "evaluate", str(model), str(data / "test.csv"), "--json"], check=True, capture_output=True, text=True
        )
    return json.loads(judged.stdout)["smape"], seconds


if __name__ == "__main__":
    main()
