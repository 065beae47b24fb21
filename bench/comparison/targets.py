"""The aims of the table of issue 4: work, peer, and how many times as fast ours must be."""

from dataclasses import dataclass

from .work import Work


@dataclass(frozen=True)
class Target:
    """`at_least` is a ratio of times, or of memory where `memory` says so."""

    work: Work
    peer: str
    at_least: float
    memory: bool = False


def step(layer: str, batch: int, time: int, input: int, hidden: int, **more: object) -> Work:
    return Work(layer, batch=batch, time=time, input=input, hidden=hidden, **more).completed()


def inference(*sizes: int) -> Work:
    return step("lstm", *sizes, mode="infer")


RAGGED = {"lengths": "uniform:0.25"}
STREAM = step("lstm", 1, 100, 128, 128, mode="step")
BURN = 4.0

TARGETS = (
    Target(step("lstm", 32, 100, 128, 128), "PyTorch", 1.3),
    Target(step("lstm", 32, 100, 128, 256), "PyTorch", 1.3),
    Target(step("lstm", 64, 100, 512, 512), "PyTorch", 1.15),
    Target(step("lstm", 32, 500, 64, 64), "PyTorch", 2.2),
    Target(step("lstm", 16, 28, 64, 32), "PyTorch", 3.5),
    Target(step("lstm", 1, 100, 128, 256), "PyTorch", 1.3),
    Target(step("lstm", 64, 50, 300, 128, layers=2, bidirectional=True), "PyTorch", 1.5),
    Target(step("lstm", 32, 100, 128, 128, **RAGGED), "PyTorch packed", 4),
    Target(step("lstm", 16, 28, 64, 32, **RAGGED), "PyTorch packed", 15),
    Target(step("gru", 32, 100, 128, 128), "PyTorch", 2.7),
    Target(step("gru", 16, 28, 64, 32), "PyTorch", 10),
    Target(step("rnn", 32, 100, 128, 128), "PyTorch", 2.5),
    Target(step("rnn", 16, 28, 64, 32), "PyTorch", 10),
    Target(inference(32, 100, 128, 256), "ONNX Runtime", 1.05),
    Target(inference(32, 100, 128, 128), "ONNX Runtime", 1.05),
    Target(inference(8, 50, 128, 128), "ONNX Runtime", 1.05),
    Target(inference(1, 100, 128, 256), "ONNX Runtime", 1.3),
    Target(inference(1, 100, 64, 128), "ONNX Runtime", 1.3),
    Target(STREAM, "ONNX Runtime", 3),
    Target(STREAM, "PyTorch", 20),
    Target(step("lstm", 32, 2000, 64, 128), "PyTorch", 1, memory=True),
)

# The aims of issue 3; they run where the attention layers are.
ATTENTION_TARGETS = (
    Target(Work("additive", "infer", 32, None, 256, 256, queries=40, keys=50), "PyTorch as written by users", 30),
    Target(Work("additive", "train", 32, None, 256, 256, queries=40, keys=50), "PyTorch as written by users", 15),
    Target(Work("additive", "infer", 16, None, 256, 256, queries=100, keys=100), "PyTorch as written by users", 30),
    Target(Work("additive", "train", 16, None, 256, 256, queries=100, keys=100), "PyTorch as written by users", 15),
    Target(Work("additive", "infer", 8, None, 128, 128, queries=1, keys=200), "PyTorch as written by users", 3),
    Target(Work("multi-head", "train", 32, None, 256, queries=100, keys=100, heads=8), "nn.MultiheadAttention", 1.2),
    Target(
        Work("multi-head", "train", 32, None, 256, queries=100, keys=100, heads=8),
        "nn.MultiheadAttention with weights",
        1.2,
    ),
    Target(
        Work("additive", "train", 8, None, 256, 256, queries=200, keys=400),
        "PyTorch as written by users",
        10,
        memory=True,
    ),
)

# The aims of issue 13.
CRF_TARGETS = (
    Target(Work("crf", "train", 32, 50, 44), "pytorch-crf", 10),
    Target(Work("crf", "infer", 32, 50, 44), "pytorch-crf", 10),
)

# The aims of issue 14.
DECODER_TARGETS = (
    Target(Work("decoder", "train", 64, 30, 256, 256, keys=30), "PyTorch step by step", 1.8),
    Target(Work("decoder", "train", 64, 30, 256, 256, keys=30), "PyTorch step by step", 2, memory=True),
    Target(Work("decoder", "infer", 64, 30, 256, 256, keys=30), "PyTorch step by step", 1.8),
)


def aim(work: Work, peer: str, memory: bool) -> float | None:
    """What the issues ask for, where they ask for something."""
    for target in TARGETS + ATTENTION_TARGETS + CRF_TARGETS + DECODER_TARGETS:
        if (target.work, target.peer, target.memory) == (work, peer, memory):
            return target.at_least
    in_table = any(target.work == work and not target.memory for target in TARGETS)
    return BURN if peer == "Burn" and in_table and not memory else None
