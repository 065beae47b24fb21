"""A peer: PyTorch, as its users write it. Padded or packed recurrent layers, every attention layer, a decoder, and `pytorch-crf`."""

import argparse
import math

import numpy as np
import torch
from protocol import Array, Case, Peer, main
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

# `default` is the layer itself; the others are further ways to get the same numbers.
VARIANTS = ["default", "weights", "sdpa"]


def make(case: Case, options: argparse.Namespace) -> Peer:
    torch.set_num_threads(options.threads)
    if case.about["layer"] == "attention":
        return attention(case, options.variant)
    if case.about["layer"] == "crf":
        return crf(case)
    if case.about["layer"] == "decoder":
        return decoder(case)
    if case.about["mode"] == "step":
        return stream(case)
    return recurrent(case)


def layer_of(case: Case) -> nn.RNNBase:
    about = case.about
    kind = {"rnn_tanh": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[about["layer"]]
    layer = kind(
        about["input"], about["hidden"], about["layers"], batch_first=True, bidirectional=about["bidirectional"]
    )
    layer.load_state_dict({name: torch.from_numpy(value) for name, value in case.parameters().items()})
    return layer


def recurrent(case: Case) -> Peer:
    layer = layer_of(case)
    train = case.about["mode"] == "train"
    x = torch.from_numpy(case.tensors["input.x"]).requires_grad_(train)
    lengths = case.about["lengths"]
    lengths = None if lengths is None else torch.tensor(lengths)
    last: dict[str, Tensor] = {}

    def forward() -> Tensor:
        if lengths is None:
            return layer(x)[0]
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(layer(packed)[0], batch_first=True, total_length=x.shape[1])[0]

    def run() -> None:
        last.clear()
        if not train:
            with torch.inference_mode():
                last["y"] = forward()
            return
        layer.zero_grad(set_to_none=True)
        x.grad = None
        last["y"] = y = forward()
        y.sum().backward()

    return Peer(run, lambda: results(last, {"x": x}, layer))


def stream(case: Case) -> Peer:
    layer = layer_of(case)
    x = torch.from_numpy(case.tensors["input.x"])
    steps = [x[:, t : t + 1] for t in range(x.shape[1])]
    outputs: list[Tensor] = []

    @torch.inference_mode()
    def run() -> None:
        outputs.clear()
        state = None
        for x_t in steps:
            y_t, state = layer(x_t, state)
            outputs.append(y_t)

    return Peer(run, lambda: {"y": torch.cat(outputs, 1).numpy()}, units=len(steps))


class Additive(nn.Module):
    """Bahdanau 2015, as PyTorch's users write it: the sum of every query with every key is a tensor."""

    def __init__(self, parameters: dict[str, Tensor]) -> None:
        super().__init__()
        self.w_query, self.w_key, self.bias, self.v = (
            nn.Parameter(parameters[name]) for name in ("w_query", "w_key", "bias", "v")
        )

    def forward(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        sums = (query @ self.w_query.T).unsqueeze(2) + (keys @ self.w_key.T).unsqueeze(1) + self.bias
        return weighted(torch.tanh(sums) @ self.v, values, mask)


class Product(nn.Module):
    """The dot product, or Luong's general product with a matrix between."""

    def __init__(self, parameters: dict[str, Tensor], fused: bool) -> None:
        super().__init__()
        self.w = nn.Parameter(parameters["w"]) if "w" in parameters else None
        self.fused = fused

    def forward(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        if self.w is not None:
            query = query @ self.w
        if self.fused:
            # One head: the fused function takes four axes.
            q, k, v = (tensor.unsqueeze(1) for tensor in (query, keys, values))
            mask = None if mask is None else mask.unsqueeze(1)
            return scaled_dot_product_attention(q, k, v, mask, scale=1.0).squeeze(1)
        return weighted(query @ keys.transpose(1, 2), values, mask)


class MultiHead(nn.Module):
    """`nn.MultiheadAttention`, with or without the weights, or its products around the fused function."""

    def __init__(self, parameters: dict[str, Tensor], heads: int, variant: str) -> None:
        super().__init__()
        size = parameters["out_proj.bias"].shape[0]
        self.attention = nn.MultiheadAttention(size, heads, batch_first=True)
        self.attention.load_state_dict(parameters)
        self.heads, self.variant = heads, variant

    def forward(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        if self.variant != "sdpa":
            ignored = None if mask is None else ~mask.squeeze(1)
            need = self.variant == "weights"
            return self.attention(query, keys, values, key_padding_mask=ignored, need_weights=need)[0]
        weights, biases = self.attention.in_proj_weight.chunk(3), self.attention.in_proj_bias.chunk(3)

        def split(x: Tensor, part: int) -> Tensor:
            projected = nn.functional.linear(x, weights[part], biases[part])
            return projected.unflatten(2, (self.heads, -1)).transpose(1, 2)

        q, k, v = split(query, 0), split(keys, 1), split(values, 2)
        mask = None if mask is None else mask.unsqueeze(1)
        context = scaled_dot_product_attention(q, k, v, mask)
        return self.attention.out_proj(context.transpose(1, 2).flatten(2))


def weighted(scores: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return scores.softmax(2) @ values


def attention(case: Case, variant: str) -> Peer:
    parameters = {name: torch.from_numpy(value) for name, value in case.parameters().items()}
    score = case.about["score"]
    if score == "additive":
        layer: nn.Module = Additive(parameters)
    elif score == "multi_head":
        layer = MultiHead(parameters, case.about["heads"], variant)
    else:
        layer = Product(parameters, variant == "sdpa")
    train = case.about["mode"] == "train"
    inputs = {name: torch.from_numpy(case.tensors[f"input.{name}"]) for name in ("query", "keys", "values")}
    for tensor in inputs.values():
        tensor.requires_grad_(train)
    mask = None
    if case.about["key_lengths"] is not None:
        lengths = torch.tensor(case.about["key_lengths"])
        mask = (torch.arange(inputs["keys"].shape[1]) < lengths[:, None]).unsqueeze(1)
    layer.train(train)
    last: dict[str, Tensor] = {}

    def run() -> None:
        last.clear()
        if not train:
            with torch.inference_mode():
                last["context"] = layer(*inputs.values(), mask)
            return
        layer.zero_grad(set_to_none=True)
        for tensor in inputs.values():
            tensor.grad = None
        last["context"] = context = layer(*inputs.values(), mask)
        context.sum().backward()

    def computed() -> dict[str, Array]:
        return {name.replace("grad.param.attention.", "grad.param."): v for name, v in results(last, inputs, layer).items()}

    return Peer(run, computed)


class Decoder(nn.Module):
    """Additive attention (Bahdanau 2015) and input feeding (Luong 2015), as the tutorials write them: a step at a time, the keys
    projected once."""

    def __init__(self, parameters: dict[str, Tensor]) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(parameters["recurrent.weight_ih_l0"].shape[1], parameters["recurrent.weight_hh_l0"].shape[1])
        self.cell.load_state_dict(
            {name: parameters[f"recurrent.{name}_l0"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
        )
        self.w_query, self.w_key, self.v = (
            nn.Parameter(parameters[f"attention.{name}"]) for name in ("w_query", "w_key", "v")
        )
        self.combine = nn.Linear(*reversed(parameters["combine.projection.weight"].shape))
        self.combine.load_state_dict({name: parameters[f"combine.projection.{name}"] for name in ("weight", "bias")})

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        keys = memory @ self.w_key.T
        fed, state, outputs = x.new_zeros(len(x), len(self.v)), None, []
        for x_t in x.unbind(1):
            state = self.cell(torch.cat([x_t, fed], 1), state)
            h = state[0]
            scores = torch.tanh((h @ self.w_query.T).unsqueeze(1) + keys) @ self.v
            context = (scores.softmax(1).unsqueeze(1) @ memory).squeeze(1)
            fed = torch.tanh(self.combine(torch.cat([context, h], 1)))
            outputs.append(fed)
        return torch.stack(outputs, 1)


# How parameters of the decoder are called there.
DECODER_NAMES = {"combine.": "combine.projection."} | {
    f"cell.{name}": f"recurrent.{name}_l0" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
}


def decoder(case: Case) -> Peer:
    layer = Decoder({name: torch.from_numpy(value) for name, value in case.parameters().items()})
    train = case.about["mode"] == "train"
    inputs = {name: torch.from_numpy(case.tensors[f"input.{name}"]).requires_grad_(train) for name in ("x", "memory")}
    last: dict[str, Tensor] = {}

    def run() -> None:
        last.clear()
        if not train:
            with torch.inference_mode():
                last["y"] = layer(*inputs.values())
            return
        layer.zero_grad(set_to_none=True)
        for tensor in inputs.values():
            tensor.grad = None
        last["y"] = y = layer(*inputs.values())
        y.sum().backward()

    def computed() -> dict[str, Array]:
        found = {}
        for name, value in results(last, inputs, layer).items():
            for own, there in DECODER_NAMES.items():
                name = name.replace(f"grad.param.{own}", f"grad.param.{there}")
            for own in ("w_query", "w_key", "v"):
                name = f"grad.param.attention.{own}" if name == f"grad.param.{own}" else name
            found[name] = value
        return found

    return Peer(run, computed)


def crf(case: Case) -> Peer:
    """A step is the loss of all rows and its gradients, inference is decoding."""
    # Here, for whoever has no use for it need not have it.
    from torchcrf import CRF

    field = CRF(case.about["tags"], batch_first=True)
    field.load_state_dict({name: torch.from_numpy(value) for name, value in case.parameters().items()})
    train = case.about["mode"] == "train"
    emissions = torch.from_numpy(case.tensors["input.emissions"]).requires_grad_(train)
    batch, time, count = emissions.shape
    mask = torch.arange(time) < torch.tensor(case.about["lengths"] or [time] * batch)[:, None]
    # The path of lookback-bench.
    tags = (7 * torch.arange(batch)[:, None] + 3 * torch.arange(time)) % count
    last: dict[str, Tensor] = {}
    paths: list[list[int]] = []

    def run() -> None:
        last.clear()
        if not train:
            with torch.inference_mode():
                paths[:] = field.decode(emissions, mask)
            return
        field.zero_grad(set_to_none=True)
        emissions.grad = None
        last["y"] = losses = -field(emissions, tags, mask, reduction="none")
        losses.sum().backward()

    def computed() -> dict[str, Array]:
        if train:
            return results(last, {"emissions": emissions}, field)
        found = np.zeros((batch, time), dtype=np.float32)
        for row, path in enumerate(paths):
            found[row, : len(path)] = path
        return {"y": found}

    return Peer(run, computed)


def results(outputs: dict[str, Tensor], inputs: dict[str, Tensor], layer: nn.Module) -> dict[str, Array]:
    found = {name: value.detach().numpy() for name, value in outputs.items()}
    found |= {f"grad.{name}": value.grad.numpy() for name, value in inputs.items() if value.grad is not None}
    for name, parameter in layer.named_parameters():
        if parameter.grad is not None:
            found[f"grad.param.{name}"] = parameter.grad.numpy()
    return {name: np.array(value) for name, value in found.items()}


if __name__ == "__main__":
    main(make, VARIANTS)
