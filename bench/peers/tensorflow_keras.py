"""A peer: Keras on TensorFlow-CPU, as a graph or compiled by XLA. Its gates are i, f, c, o (LSTM) and z, r, h (GRU)."""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow as tf
from protocol import Array, Case, Peer, main

VARIANTS = ["graph", "xla"]
# Where each of Keras's gates stands among PyTorch's, and the other way round (each order is its own inverse).
GATES = {"lstm": [0, 1, 2, 3], "gru": [1, 0, 2], "rnn_tanh": [0]}


def make(case: Case, options: argparse.Namespace) -> Peer:
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    layers = [keras_layer(case, index) for index in range(case.about["layers"])]
    x = tf.constant(case.tensors["input.x"])
    lengths = case.about["lengths"]
    mask = None if lengths is None else tf.sequence_mask(lengths, x.shape[1])
    streaming, train = case.about["mode"] == "step", case.about["mode"] == "train"
    for index, layer in enumerate(layers):
        layer.build((x.shape[0], None, case.about["input"] if index == 0 else width(case)))
        layer.set_weights(keras_weights(case, index))
    variables = [variable.value for layer in layers for variable in layer.trainable_variables]

    def forward(x: tf.Tensor) -> tf.Tensor:
        for layer in layers:
            x = layer(x, mask=mask)
        # Keras repeats the last output where a row has ended.
        return x if mask is None else x * tf.cast(mask, x.dtype)[:, :, None]

    @tf.function(jit_compile=options.variant == "xla")
    def compiled(x: tf.Tensor) -> list[tf.Tensor]:
        if not train:
            return [forward(x)]
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = forward(x)
            total = tf.reduce_sum(y)
        return [y, *tape.gradient(total, [x, *variables])]

    last: list[tf.Tensor] = []
    if streaming:
        return stream(case, layers, x, options.variant)

    def run() -> None:
        last[:] = compiled(x)

    def results() -> dict[str, Array]:
        found = {"y": last[0].numpy()}
        if train:
            found["grad.x"] = last[1].numpy()
            found |= gradients(case, [value.numpy() for value in last[2:]])
        return found

    return Peer(run, results)


def stream(case: Case, layers: list, x: tf.Tensor, variant: str) -> Peer:
    steps = [x[:, t] for t in range(x.shape[1])]
    hidden = case.about["hidden"]
    count = 2 if case.about["layer"] == "lstm" else 1

    @tf.function(jit_compile=variant == "xla")
    def step(x_t: tf.Tensor, states: list) -> tuple[tf.Tensor, list]:
        following = []
        for layer, state in zip(layers, states):
            x_t, state = layer.cell(x_t, state)
            following.append(list(state))
        return x_t, following

    outputs: list[tf.Tensor] = []

    def run() -> None:
        outputs.clear()
        states = [[tf.zeros([1, hidden])] * count for _ in layers]
        for x_t in steps:
            y_t, states = step(x_t, states)
            outputs.append(y_t)

    return Peer(run, lambda: {"y": tf.stack(outputs, 1).numpy()}, units=len(steps))


def width(case: Case) -> int:
    return case.about["hidden"] * (2 if case.about["bidirectional"] else 1)


def keras_layer(case: Case, index: int) -> tf.keras.layers.Layer:
    kind = {"lstm": tf.keras.layers.LSTM, "gru": tf.keras.layers.GRU, "rnn_tanh": tf.keras.layers.SimpleRNN}
    layer = kind[case.about["layer"]](case.about["hidden"], return_sequences=True)
    return tf.keras.layers.Bidirectional(layer) if case.about["bidirectional"] else layer


def keras_weights(case: Case, index: int) -> list[Array]:
    layer, parameters = case.about["layer"], case.parameters()
    weights = []
    for end in [f"_l{index}", f"_l{index}_reverse"][: 2 if case.about["bidirectional"] else 1]:
        w, u, b, c = (
            reorder(parameters[f"{kind}{end}"], GATES[layer]) for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        # Only the GRU keeps the two biases apart, because its reset stands between them.
        weights += [w.T, u.T, np.stack([b, c]) if layer == "gru" else b + c]
    return weights


def gradients(case: Case, values: list[Array]) -> dict[str, Array]:
    """Keras's gradients of the weights under PyTorch's names."""
    gates = GATES[case.about["layer"]]
    ends = [
        f"_l{index}{end}"
        for index in range(case.about["layers"])
        for end in (["", "_reverse"] if case.about["bidirectional"] else [""])
    ]
    found = {}
    for end, w, u, b in zip(ends, values[::3], values[1::3], values[2::3]):
        found[f"grad.param.weight_ih{end}"] = reorder(w.T, gates)
        found[f"grad.param.weight_hh{end}"] = reorder(u.T, gates)
        biases = b if b.ndim == 2 else (b, b)
        for kind, bias in zip(("bias_ih", "bias_hh"), biases):
            found[f"grad.param.{kind}{end}"] = reorder(bias, gates)
    return found


def reorder(parameter: Array, gates: list[int]) -> Array:
    """The gates' blocks of rows in another order."""
    blocks = np.split(parameter, len(gates))
    return np.concatenate([blocks[gate] for gate in gates])


if __name__ == "__main__":
    main(make, VARIANTS)
