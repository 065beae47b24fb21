"""Times lookback-bench and PyTorch on the same shape, taking turns in one run, and prints the ratio.

    python bench/compare.py lstm 32 100 128 128
    python bench/compare.py gru 16 28 64 32 --lengths uniform:0.25

A step is forward and backward of the summed output, with the gradients of input and weights. PyTorch runs padded
sequences, or packed ones where the lengths differ. Needs the environment of conformance/requirements.txt.
"""

import argparse
import json
import statistics
import subprocess
import time

import torch

TURNS = 3


def ours(options: argparse.Namespace) -> float:
    command = ["cargo", "run", "--release", "--quiet", "-p", "bench", "--", options.layer]
    for name in ["batch", "time", "input", "hidden", "lengths", "mode", "threads"]:
        command += [f"--{name}", str(getattr(options, name))]
    command += ["--seconds", "2", "--json"] + (["--bidirectional"] if options.bidirectional else [])
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(out.splitlines()[-1])["median_ms"]


def theirs(options: argparse.Namespace) -> float:
    torch.manual_seed(0)
    kind = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[options.layer]
    layer = kind(options.input, options.hidden, batch_first=True, bidirectional=options.bidirectional)
    x = torch.randn(options.batch, options.time, options.input, requires_grad=options.mode == "train")
    lengths = None
    if options.lengths != "full":
        share = float(options.lengths.removeprefix("uniform:"))
        places = [(row + 0.5) / options.batch for row in range(options.batch)]
        lengths = torch.tensor([round((share + (1 - share) * place) * options.time) for place in places])

    def run() -> None:
        inputs = x
        if lengths is not None:
            inputs = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        if options.mode == "infer":
            with torch.inference_mode():
                layer(inputs)
            return
        y = layer(inputs)[0]
        if lengths is not None:
            y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=options.time)
        layer.zero_grad(set_to_none=True)
        x.grad = None
        y.sum().backward()

    for _ in range(3):
        run()
    times, end = [], time.perf_counter() + 2
    while len(times) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("layer", choices=["rnn", "lstm", "gru"])
    for name in ["batch", "time", "input", "hidden"]:
        parser.add_argument(name, type=int)
    parser.add_argument("--lengths", default="full")
    parser.add_argument("--mode", choices=["train", "infer"], default="train")
    parser.add_argument("--bidirectional", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    turns = [(ours(options), theirs(options)) for _ in range(TURNS)]
    our, their = (statistics.median(column) for column in zip(*turns))
    shape = (options.batch, options.time, options.input, options.hidden)
    both = " bidirectional" if options.bidirectional else ""
    print(
        f"{options.layer}{both} {shape} {options.lengths} {options.mode}: "
        f"lookback {our:.2f} ms, PyTorch {torch.__version__} {their:.2f} ms, ratio {their / our:.2f}"
    )


if __name__ == "__main__":
    main()
