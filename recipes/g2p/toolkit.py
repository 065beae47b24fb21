"""Beside yoyodyne, the toolkit in PyTorch for such tasks: seconds of an epoch, and of answers by a beam of 5, in turns.

    python -m venv .yoyodyne && .yoyodyne/bin/pip install yoyodyne==0.5.27
    .yoyodyne/bin/python recipes/g2p/toolkit.py target/release/lookback

Both train an encoder-decoder of the same sizes on the same pairs: a BiLSTM, attention that is additive, an LSTM that reads the token
before and what was looked at (Bahdanau 2015), batches of 64, Adam, and then answer the same words. An epoch of either is its steps
alone, by its own clock; of yoyodyne's answers its loop over batches alone is timed, of Lookback's the whole program.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lightning.pytorch.callbacks import Callback

HERE = Path(__file__).resolve().parent
YOYODYNE = Path(sys.executable).parent / "yoyodyne"
EMBEDDING, HIDDEN, BATCH, DROPOUT, BEAM = 128, 256, 64, 0.3, 5
SECONDS = "TOOLKIT_SECONDS"


def main() -> None:
    """Train and answer in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path, help="target/release/lookback")
    parser.add_argument("--pairs", type=int, default=10_000, help="how many pairs are trained on, the first of them")
    parser.add_argument("--words", type=int, default=1_000, help="how many words are answered")
    parser.add_argument("--epochs", type=int, default=2, help="epochs a turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Data(Path(folder), options)
        ratios: dict[str, list[float]] = {"an epoch": [], f"a beam of {BEAM}": []}
        for turn in range(1, options.turns + 1):
            both = {"an epoch": (data.theirs_trained(), data.ours_trained(turn))}
            both[f"a beam of {BEAM}"] = (data.theirs_answered(turn), data.ours_answered())
            for what, (theirs, ours) in both.items():
                ratios[what].append(theirs / ours)
                print(f"turn {turn}, {what}: yoyodyne {theirs:.2f} s, Lookback {ours:.2f} s, {theirs / ours:.2f} times as fast", flush=True)
    for what, found in ratios.items():
        print(f"{what}: median of {options.turns} turns {statistics.median(found):.2f}")


class Seconds(Callback):
    """Tells a file how long epochs of training, and all answers, took."""

    def __init__(self) -> None:
        self.started = 0.0

    def on_train_epoch_start(self, *_: object) -> None:
        self.started = time.perf_counter()

    def on_train_batch_end(self, trainer: object, *_: object) -> None:
        # The last batch's time is the epoch's: validation comes behind it.
        self.last = time.perf_counter() - self.started

    def on_train_epoch_end(self, *_: object) -> None:
        self.tell(self.last)

    def on_predict_start(self, *_: object) -> None:
        self.started = time.perf_counter()

    def on_predict_end(self, *_: object) -> None:
        self.tell(time.perf_counter() - self.started)

    def tell(self, seconds: float) -> None:
        """A line of the file."""
        with Path(os.environ[SECONDS]).open("a", encoding="utf-8") as file:
            file.write(f"{seconds}\n")


class Data:
    """The pairs and words, written for both, and the programs that read them."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder, self.options = folder, options
        train, valid = ((HERE / "data" / f"{part}.tsv").read_text(encoding="utf-8").splitlines() for part in ("train", "valid"))
        for name, rows in (("train", train[1 : options.pairs + 1]), ("valid", valid[1:201])):
            (folder / f"{name}.yoyodyne.tsv").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
            (folder / f"{name}.tsv").write_text("".join(f"{row}\n" for row in [train[0], *rows]), encoding="utf-8")
        words = dict.fromkeys(row.split("\t")[0] for row in valid[1:])
        self.words = folder / "words.txt"
        self.words.write_text("".join(f"{word}\n" for word in list(words)[: options.words]), encoding="utf-8")
        self.model = folder / "model.safetensors"

    def yoyodyne(self, command: str, *own: object) -> list[float]:
        """Runs it; gives the seconds that it told."""
        seconds = self.folder / "seconds"
        seconds.unlink(missing_ok=True)
        encoder = {"class_path": "yoyodyne.models.modules.LSTMEncoder", "init_args": {"hidden_size": HIDDEN, "dropout": DROPOUT}}
        model = {
            "class_path": "yoyodyne.models.SoftAttentionLSTMModel",
            "init_args": {
                "embedding_size": EMBEDDING,
                "decoder_hidden_size": HIDDEN,
                "decoder_dropout": DROPOUT,
                "source_encoder": encoder,
                "beam_width": BEAM if command == "predict" else 1,
            },
        }
        data = {"model_dir": str(self.folder), "source_col": 1, "target_col": 2, "target_sep": " ", "tie_embeddings": False, "batch_size": BATCH}
        config = {"model": model, "data": data, "trainer": {"accelerator": "cpu", "logger": False, "callbacks": [{"class_path": "toolkit.Seconds"}]}}
        config["trainer"] |= {"enable_progress_bar": False, "enable_model_summary": False}
        for name, value in own:
            section, key = name.split(".")
            config.setdefault(section, {})[key] = value
        path = self.folder / "config.yaml"
        path.write_text(json.dumps(config), encoding="utf-8")
        threads = str(self.options.threads)
        environment = os.environ | {"PYTHONPATH": str(HERE), SECONDS: str(seconds), "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        extra = ["--ckpt_path", str(next(self.folder.glob("*.ckpt")))] if command == "predict" else []
        run = subprocess.run([YOYODYNE, command, "--config", path, *extra], env=environment, check=False, capture_output=True, text=True)
        if run.returncode != 0 or not seconds.exists():
            raise SystemExit(run.stdout + run.stderr)
        return [float(line) for line in seconds.read_text(encoding="utf-8").splitlines()]

    def theirs_trained(self) -> float:
        """The median of the seconds of its epochs."""
        for old in self.folder.glob("*.ckpt"):
            old.unlink()
        own = [("data.train", str(self.folder / "train.yoyodyne.tsv")), ("data.val", str(self.folder / "valid.yoyodyne.tsv"))]
        own += [("trainer.max_epochs", self.options.epochs)]
        own += [("checkpoint.dirpath", str(self.folder)), ("checkpoint.filename", "model"), ("checkpoint.monitor", "val_loss")]
        return statistics.median(self.yoyodyne("fit", *own))

    def theirs_answered(self, turn: int) -> float:
        """The seconds of its answers."""
        own = [("data.predict", str(self.words)), ("data.target_col", 0)]
        own += [("prediction.path", str(self.folder / f"answers{turn}.txt"))]
        return self.yoyodyne("predict", *own)[-1]

    def lookback(self, *arguments: object) -> None:
        """Runs it."""
        command = list(map(str, [self.options.program, *arguments, "--threads", self.options.threads]))
        with (self.folder / "out").open("w", encoding="utf-8") as out:
            run = subprocess.run(command, check=False, stdout=out, stderr=subprocess.PIPE, text=True)
        if run.returncode != 0:
            raise SystemExit(run.stderr)

    def ours_trained(self, turn: int) -> float:
        """The median of the seconds of our epochs, from the log of the training."""
        log = self.folder / f"log{turn}.jsonl"
        sizes = ["--tokenizer", "characters", "--target-tokenizer", "blanks", "--embedding", EMBEDDING, "--hidden", HIDDEN, "--layers", 1]
        form = ["--decoder", "bahdanau", "--decoder-attention", "additive", "--decoder-hidden", HIDDEN, "--decoder-layers", 1]
        other = ["--dropout", DROPOUT, "--label-smoothing", 0, "--batch-size", BATCH, "--epochs", self.options.epochs, "--average", "none"]
        files = [self.folder / "train.tsv", "--validation", self.folder / "valid.tsv", "-o", self.model, "--log", log]
        self.lookback("train", "translate", *files, *sizes, *form, *other, "--seed", turn)
        lines = map(json.loads, log.read_text(encoding="utf-8").splitlines())
        return statistics.median(line["seconds"] for line in lines if "seconds" in line)

    def ours_answered(self) -> float:
        """The seconds of the whole program."""
        started = time.perf_counter()
        self.lookback("predict", self.model, self.words, "--beam", BEAM)
        return time.perf_counter() - started


if __name__ == "__main__":
    main()
