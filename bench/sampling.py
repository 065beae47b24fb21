"""How fast a language model writes, beside a loop in PyTorch over a network of the same size.

    cargo build --release
    .venv/bin/python bench/sampling.py target/release/lookback

Two layers of LSTM with 512 units over characters, two threads each. The program is asked for texts of two lengths, and what the longer
ones take more is told by token, so that its start and the reading of its model do not count. Programs take turns; medians.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

HIDDEN, LAYERS, EMBEDDING = 512, 2, 64
THREADS = 2


def main() -> None:
    """Train a model of a moment, and time both."""
    parser = argparse.ArgumentParser(description="Time the sampling of language models.")
    parser.add_argument("program", help="target/release/lookback")
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    with tempfile.TemporaryDirectory() as folder:
        model, tokens = made(arguments.program, Path(folder))
        print("| sequences | PyTorch ms a token | Lookback ms a token | ratio |")
        print("|---:|---:|---:|---:|")
        for rows, lengths in ((1, (500, 2500)), (64, (100, 300))):
            ours, theirs = [], []
            for _ in range(arguments.turns):
                theirs.append(peer(tokens, rows, lengths[0]))
                taken = [timed(arguments.program, model, rows, length) for length in lengths]
                ours.append((taken[1] - taken[0]) / (lengths[1] - lengths[0]))
            peer_ms, own_ms = (1e3 * statistics.median(times) for times in (theirs, ours))
            print(f"| {rows} | {peer_ms:.3f} | {own_ms:.3f} | {peer_ms / own_ms:.2f} |", flush=True)


def made(program: str, folder: Path) -> tuple[Path, int]:
    """A model, and how many tokens it has: what it has learnt does not matter."""
    text = folder / "text.txt"
    alphabet = "".join(chr(code) for code in range(33, 113))
    text.write_text((alphabet + " ") * 60, encoding="utf-8")
    model = folder / "model.safetensors"
    sizes = ["--hidden", HIDDEN, "--layers", LAYERS, "--embedding", EMBEDDING, "--tied=false"]
    training = ["--epochs", 1, "--documents", "file", "--validation-split", 0, "--batch-size", 4]
    run([program, "--quiet", "train", "generate", text, "-o", model, *sizes, *training])
    return model, len(alphabet) + 1 + 4


def timed(program: str, model: Path, rows: int, length: int) -> float:
    """Seconds for so many texts of exactly this length."""
    begin = time.perf_counter()
    asked = ["--count", rows, "--length", length, "--min-length", length, "--threads", THREADS, "--fields", "completion"]
    out = run([program, "predict", model, *asked], "\n")
    seconds = time.perf_counter() - begin
    written = len(json.loads(out)["completion"])
    if written != length:
        sys.exit(f"{written} characters were written, {length} were asked for")
    return seconds


def peer(tokens: int, rows: int, length: int) -> float:
    """Seconds a token of the usual loop: a step of the layers, the logits, a draw."""
    torch.manual_seed(0)
    embedding = torch.nn.Embedding(tokens, EMBEDDING)
    lstm = torch.nn.LSTM(EMBEDDING, HIDDEN, LAYERS, batch_first=True)
    output = torch.nn.Linear(HIDDEN, tokens)
    token, state = torch.zeros(rows, 1, dtype=torch.long), None
    with torch.inference_mode():
        for step in range(length + 20):
            # The first steps warm up.
            if step == 20:
                begin = time.perf_counter()
            made, state = lstm(embedding(token), state)
            token = torch.multinomial(torch.softmax(output(made[:, -1]), dim=-1), 1)
    return (time.perf_counter() - begin) / length


def run(command: list[object], said: str = "") -> str:
    """What a program writes; its messages only where it fails."""
    done = subprocess.run([str(part) for part in command], input=said, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return done.stdout


if __name__ == "__main__":
    main()
