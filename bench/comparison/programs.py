"""The programs that can do a piece of work: ours and the peers', and which work each of them knows."""

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .work import ATTENTION, CRF, DECODER, Work

BENCH = Path(__file__).resolve().parent.parent
REPOSITORY = BENCH.parent
REQUIREMENTS = BENCH / "peers" / "requirements.txt"
CANDLE = BENCH / "peers" / "candle"
# From here on a sequence is also run with its gates computed again.
LONG = 1000


def target(manifest: Path) -> Path:
    """Where cargo puts what it builds there."""
    folder = os.environ.get("CARGO_TARGET_DIR")
    return Path(folder) if folder else manifest / "target"


@dataclass(frozen=True)
class Program:
    """One way to do the work. Programs of one `peer` are asked for by its name."""

    name: str
    peer: str
    command: Callable[[Work], list[str]]
    knows: Callable[[Work], bool]
    package: str | None = None
    """The Python package without which it cannot run, and whose version is told."""
    optional: bool = False
    """Whether it is left out, with a line, when that package is missing."""
    build: tuple[str, ...] = ()

    def missing(self) -> bool:
        module = {"tensorflow-cpu": "tensorflow", "pytorch-crf": "torchcrf"}.get(self.package, self.package)
        return module is not None and importlib.util.find_spec(module) is None

    def version(self) -> str:
        if self.peer == "lookback":
            return tomllib.loads((REPOSITORY / "Cargo.toml").read_text())["workspace"]["package"]["version"]
        if self.package == "pytorch-crf":
            return f"{importlib.metadata.version('torch')} with pytorch-crf {importlib.metadata.version(self.package)}"
        if self.package is not None:
            return importlib.metadata.version(self.package)
        lock, crate = {"burn": (REPOSITORY, "burn"), "candle": (CANDLE, "candle-nn")}[self.peer]
        packages = tomllib.loads((lock / "Cargo.lock").read_text())["package"]
        return next(package["version"] for package in packages if package["name"] == crate)


def build_ours() -> tuple[str, ...]:
    return ("cargo", "build", "--release", "--quiet", "--manifest-path", str(REPOSITORY / "Cargo.toml"), "-p", "bench")


def lookback_bench(through: str | None, *more: str) -> Callable[[Work], list[str]]:
    def command(work: Work) -> list[str]:
        own = ["--through", through] if through else []
        return [str(target(REPOSITORY) / "release" / "lookback-bench"), *work.arguments(), *own, *more, "--serve"]

    return command


def python(script: str, variant: str | None = None) -> Callable[[Work], list[str]]:
    def command(work: Work) -> list[str]:
        own = ["--variant", variant] if variant else []
        return [sys.executable, str(BENCH / "peers" / script), "--threads", str(work.threads), *own]

    return command


def full(work: Work) -> bool:
    return work.lengths == "full"


def burn_knows(work: Work) -> bool:
    return work.layer in ATTENTION or work.recurrent and (full(work) and (work.layer == "lstm" or not work.bidirectional))


def candle_knows(work: Work) -> bool:
    plain = work.layer in ("lstm", "gru") and work.layers == 1 and not work.bidirectional
    return plain and work.mode != "train" and full(work)


def keras_knows(work: Work) -> bool:
    return work.recurrent and not (work.mode == "step" and work.bidirectional)


OURS = (
    Program(
        "Lookback",
        "lookback",
        lookback_bench(None),
        lambda work: True,
        build=build_ours(),
    ),
    Program(
        "Lookback through Burn",
        "lookback",
        lookback_bench("modules"),
        lambda work: work.recurrent and work.mode != "step" or work.layer == CRF and work.mode == "train",
        build=build_ours(),
    ),
    Program(
        "Lookback recomputing",
        "lookback",
        lookback_bench(None, "--recompute"),
        lambda work: work.recurrent and work.mode == "train" and work.time >= LONG,
        build=build_ours(),
    ),
    Program(
        "Lookback with weights",
        "lookback",
        lookback_bench(None, "--weights"),
        lambda work: work.layer == "multi-head",
        build=build_ours(),
    ),
)

PEERS = (
    Program("PyTorch", "pytorch", python("pytorch.py"), lambda work: work.recurrent and full(work), "torch"),
    Program("PyTorch packed", "pytorch", python("pytorch.py"), lambda work: work.recurrent and not full(work), "torch"),
    Program(
        "PyTorch as written by users",
        "pytorch",
        python("pytorch.py"),
        lambda work: work.layer in ("additive", "dot", "general"),
        "torch",
    ),
    Program(
        "nn.MultiheadAttention", "pytorch", python("pytorch.py"), lambda work: work.layer == "multi-head", "torch"
    ),
    Program(
        "nn.MultiheadAttention with weights",
        "pytorch",
        python("pytorch.py", "weights"),
        lambda work: work.layer == "multi-head",
        "torch",
    ),
    Program(
        "scaled_dot_product_attention",
        "pytorch",
        python("pytorch.py", "sdpa"),
        lambda work: work.layer in ("dot", "general", "multi-head"),
        "torch",
    ),
    Program(
        "PyTorch step by step", "pytorch", python("pytorch.py"), lambda work: work.layer == DECODER, "torch"
    ),
    Program("pytorch-crf", "pytorch", python("pytorch.py"), lambda work: work.layer == CRF, "pytorch-crf"),
    Program(
        "ONNX Runtime",
        "onnxruntime",
        python("onnx_runtime.py"),
        lambda work: work.recurrent and work.mode != "train",
        "onnxruntime",
    ),
    Program("Keras graph", "keras", python("tensorflow_keras.py", "graph"), keras_knows, "tensorflow-cpu", True),
    Program("Keras XLA", "keras", python("tensorflow_keras.py", "xla"), keras_knows, "tensorflow-cpu", True),
    Program("Burn", "burn", lookback_bench("burn"), burn_knows, build=build_ours()),
    Program(
        "candle",
        "candle",
        lambda work: [str(target(CANDLE) / "release" / "candle-peer")],
        candle_knows,
        build=(
            *("cargo", "build", "--release", "--quiet", "--locked", "--manifest-path"),
            str(CANDLE / "Cargo.toml"),
        ),
    ),
)
NAMES = tuple(dict.fromkeys(program.peer for program in PEERS))


def choose(work: Work, peers: list[str] | None) -> list[Program]:
    """Ours, then every peer that knows the work; a peer asked for by name must be there. Empty when none knows it."""
    chosen = [program for program in OURS if program.knows(work)]
    for program in PEERS:
        if (peers is not None and program.peer not in peers) or not program.knows(work):
            continue
        if program.missing():
            if program.optional and peers is None:
                print(f"{program.name}: skipped, {program.package} is not installed", file=sys.stderr)
                continue
            raise SystemExit(
                f"{program.name} needs the Python package {program.package}; "
                f"install it with: {sys.executable} -m pip install -r {REQUIREMENTS}"
            )
        chosen.append(program)
    return chosen if chosen[-1].peer != "lookback" else []


def build(programs: list[Program]) -> None:
    """Build what is written in Rust."""
    for command in dict.fromkeys(program.build for program in programs if program.build):
        try:
            subprocess.run(command, check=True)
        except FileNotFoundError:
            raise SystemExit("cargo is not on the path, so the programs in Rust cannot be built") from None
        except subprocess.CalledProcessError as error:
            raise SystemExit(f"{' '.join(command)} failed with status {error.returncode}") from None
