"""A piece of work: which layer, on what sizes, in which mode; and the case file that every program reads."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

RECURRENT = ("rnn", "lstm", "gru")
ATTENTION = ("additive", "dot", "general", "multi-head")
CRF = "crf"
DECODER = "decoder"
GATES = {"rnn": 1, "lstm": 4, "gru": 3}


@dataclass(frozen=True)
class Work:
    """The options of lookback-bench, under the same names; what does not apply to the layer is None."""

    layer: str
    mode: str = "train"
    batch: int = 32
    time: int | None = None
    input: int = 128
    hidden: int | None = None
    layers: int | None = None
    bidirectional: bool = False
    queries: int | None = None
    keys: int | None = None
    heads: int | None = None
    lengths: str = "full"
    threads: int = 2

    @property
    def recurrent(self) -> bool:
        return self.layer in RECURRENT

    def completed(self) -> "Work":
        """With the defaults of lookback-bench where an option that applies was not given."""
        if self.layer == CRF:
            defaults = {}
        elif self.layer == DECODER:
            defaults = {"time": 30, "hidden": 256, "keys": 30}
        elif self.recurrent:
            defaults = {"time": 100, "hidden": 128, "layers": 1}
        else:
            defaults = {"queries": 40, "keys": 50}
            defaults |= {"hidden": self.input} if self.layer == "additive" else {}
            defaults |= {"heads": 8} if self.layer == "multi-head" else {}
        wanted = {name: value for name, value in defaults.items() if getattr(self, name) is None}
        return replace(self, **wanted)

    def arguments(self) -> list[str]:
        """The command line of lookback-bench."""
        arguments = [self.layer]
        for name, value in asdict(self).items():
            if name == "layer" or value is None or value is False:
                continue
            # A stream runs on one thread here, whatever the peers are given.
            if name == "threads" and self.mode == "step":
                continue
            arguments += [f"--{name}"] if value is True else [f"--{name}", str(value)]
        return arguments

    def describe(self) -> str:
        """One cell of the table."""
        if self.mode == "step":
            stacked = f"{self.layers}-layer " if self.layers > 1 else ""
            return f"{stacked}{self.layer.upper()}, one streamed step (I {self.input}, H {self.hidden})"
        if self.layer == CRF:
            what = {"train": "loss and gradients", "infer": "decoding"}[self.mode]
            return f"CRF, {what} ({self.batch}, {self.time}, {self.input}){self.ragged()}"
        if self.layer == DECODER:
            what = {"train": "step", "infer": "forward"}[self.mode]
            return f"decoder {what} ({self.batch}, {self.time}, {self.input}, {self.hidden}), {self.keys} keys"
        what = {"train": "step", "infer": "inference"}[self.mode]
        if not self.recurrent:
            sizes = f"({self.batch}, {self.queries}, {self.keys}, {self.input})"
            extra = f", {self.heads} heads" if self.heads else ""
            return f"{self.layer} attention {what} {sizes}{extra}{self.ragged()}"
        both = "bidirectional " if self.bidirectional else ""
        stacked = f"{self.layers}-layer " if self.layers and self.layers > 1 else ""
        sizes = f"({self.batch}, {self.time}, {self.input}, {self.hidden})"
        return f"{both}{stacked}{self.layer.upper()} {what} {sizes}{self.ragged()}"

    def ragged(self) -> str:
        return "" if self.lengths == "full" else f", lengths {self.lengths}"

    def row_lengths(self) -> list[int] | None:
        """`[B]`, as lookback-bench spreads them."""
        if self.lengths == "full":
            return None
        kind, _, text = self.lengths.partition(":")
        share = float(text)
        axis = self.keys if self.time is None else self.time
        spread = 1 - share if kind == "uniform" else 0.0
        places = [(row + 0.5) / self.batch for row in range(self.batch)]
        # Rust rounds halves away from zero, Python to even.
        return [int((share + spread * place) * axis + 0.5) for place in places]

    def write_case(self, path: Path) -> None:
        """Weights from U(-1/√H, 1/√H) and inputs from U(-1, 1), of a field U(-1, 1) and emissions from U(-3, 3), seed 0."""
        draw = np.random.default_rng(0)
        tensors = {}
        if self.layer == CRF:
            wanted = self._crf()
        elif self.layer == DECODER:
            wanted = self._decoder()
        else:
            wanted = self._recurrent() if self.recurrent else self._attention()
        for name, (shape, bound) in wanted.items():
            tensors[name] = draw.uniform(-bound, bound, shape).astype(np.float32)
        save_file(tensors, path, {"case": json.dumps(self._about())})

    def _about(self) -> dict:
        """In the words of conformance/README.md, and the mode."""
        if self.layer == CRF:
            return {"layer": CRF, "tags": self.input, "lengths": self.row_lengths(), "mode": self.mode}
        if self.layer == DECODER:
            return {"layer": DECODER, "mode": self.mode}
        if self.recurrent:
            return {
                "layer": "rnn_tanh" if self.layer == "rnn" else self.layer,
                "input": self.input,
                "hidden": self.hidden,
                "layers": self.layers,
                "bidirectional": self.bidirectional,
                "bias": True,
                "lengths": self.row_lengths(),
                "mode": self.mode,
            }
        return {
            "layer": "attention",
            "score": self.layer.replace("-", "_"),
            "heads": self.heads,
            "mask": "none" if self.lengths == "full" else "lengths",
            "key_lengths": self.row_lengths(),
            "causal": False,
            "mode": self.mode,
        }

    def _crf(self) -> dict[str, tuple[list[int], float]]:
        tags = self.input
        return {
            "param.transitions": ([tags, tags], 1.0),
            "param.start_transitions": ([tags], 1.0),
            "param.end_transitions": ([tags], 1.0),
            "input.emissions": ([self.batch, self.time, tags], 3.0),
        }

    def _decoder(self) -> dict[str, tuple[list[int], float]]:
        hidden, bound = self.hidden, self.hidden**-0.5
        parameters = {
            "recurrent.weight_ih_l0": [4 * hidden, self.input + hidden],
            "recurrent.weight_hh_l0": [4 * hidden, hidden],
            "recurrent.bias_ih_l0": [4 * hidden],
            "recurrent.bias_hh_l0": [4 * hidden],
            "attention.w_query": [hidden, hidden],
            "attention.w_key": [hidden, 2 * hidden],
            "attention.v": [hidden],
            "combine.projection.weight": [hidden, 3 * hidden],
            "combine.projection.bias": [hidden],
        }
        tensors = {f"param.{name}": (shape, bound) for name, shape in parameters.items()}
        tensors["input.x"] = ([self.batch, self.time, self.input], 1.0)
        tensors["input.memory"] = ([self.batch, self.keys, 2 * hidden], 1.0)
        return tensors

    def _recurrent(self) -> dict[str, tuple[list[int], float]]:
        rows, bound = GATES[self.layer] * self.hidden, self.hidden**-0.5
        tensors = {}
        for layer in range(self.layers):
            for end in [f"_l{layer}", f"_l{layer}_reverse"][: 1 + self.bidirectional]:
                size = self.input if layer == 0 else (1 + self.bidirectional) * self.hidden
                tensors[f"param.weight_ih{end}"] = ([rows, size], bound)
                tensors[f"param.weight_hh{end}"] = ([rows, self.hidden], bound)
                tensors[f"param.bias_ih{end}"] = ([rows], bound)
                tensors[f"param.bias_hh{end}"] = ([rows], bound)
        return tensors | {"input.x": ([self.batch, self.time, self.input], 1.0)}

    def _attention(self) -> dict[str, tuple[list[int], float]]:
        size, hidden, bound = self.input, self.hidden, self.input**-0.5
        parameters = {
            "additive": {"w_query": [hidden, size], "w_key": [hidden, size], "bias": [hidden], "v": [hidden]},
            "dot": {},
            "general": {"w": [size, size]},
            "multi-head": {
                "in_proj_weight": [3 * size, size],
                "in_proj_bias": [3 * size],
                "out_proj.weight": [size, size],
                "out_proj.bias": [size],
            },
        }[self.layer]
        tensors = {f"param.{name}": (shape, bound) for name, shape in parameters.items()}
        tensors["input.query"] = ([self.batch, self.queries, size], 1.0)
        tensors["input.keys"] = ([self.batch, self.keys, size], 1.0)
        tensors["input.values"] = ([self.batch, self.keys, size], 1.0)
        return tensors
