"""What every peer written in Python shares: its case, its results, and the line protocol of `lookback-bench --serve`.

A peer is a program. It reads a case (safetensors, the metadata key `case` says what it is), computes once and writes
the results, says "ready", and then answers lines: a number of repetitions with their milliseconds, `memory` with the
MiB before the work was made and the most since.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

Array = np.ndarray


@dataclass
class Peer:
    """One piece of work, ready to be repeated."""

    run: Callable[[], object]
    """One repetition."""
    results: Callable[[], dict[str, Array]]
    """What a repetition computed, by the names of lookback-bench."""
    units: int = 1
    """How many timed units a repetition is: the steps of a stream, else 1."""


@dataclass
class Case:
    """What is computed, and on what."""

    about: dict
    tensors: dict[str, Array]

    @classmethod
    def read(cls, path: Path) -> "Case":
        with safe_open(path, framework="numpy") as file:
            about = json.loads(file.metadata()["case"])
            return cls(about, {name: file.get_tensor(name) for name in file.keys()})

    def parameters(self) -> dict[str, Array]:
        return {name.removeprefix("param."): value for name, value in self.tensors.items() if name.startswith("param.")}


def main(make: Callable[[Case, argparse.Namespace], Peer], variants: list[str]) -> None:
    """Run a peer's program: `make` puts the work together."""
    parser = argparse.ArgumentParser(description="A peer of lookback-bench; bench/compare.py starts it.")
    parser.add_argument("--case", type=Path, required=True, help="weights and inputs")
    parser.add_argument("--results", type=Path, required=True, help="where the results are written")
    parser.add_argument("--variant", choices=variants, default=variants[0])
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    forget_peak()
    before = memory("VmRSS")
    peer = make(Case.read(options.case), options)
    peer.run()
    save_file({name: np.ascontiguousarray(value) for name, value in peer.results().items()}, options.results)
    forget_peak()
    print("ready", flush=True)
    for line in sys.stdin:
        match line.strip():
            case "memory":
                print(f"{before:.1f} {memory('VmHWM'):.1f}", flush=True)
            case text:
                times = [once(peer) for _ in range(int(text or 1))]
                print(" ".join(f"{ms:.6f}" for ms in times), flush=True)


def once(peer: Peer) -> float:
    """The milliseconds of one unit in one repetition."""
    start = time.perf_counter()
    peer.run()
    return (time.perf_counter() - start) * 1e3 / peer.units


def memory(key: str) -> float:
    """MiB of this process, by a key of Linux's status file."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"this system does not tell {key}")


def forget_peak() -> None:
    """Let VmHWM begin anew."""
    Path("/proc/self/clear_refs").write_text("5")
