"""A peer: ONNX Runtime. The model is written with the `onnx` package from the same weights; inference only.

ONNX has time before batch, and gates in the order i, o, f, c (LSTM) and z, r, h (GRU).
"""

import argparse

import numpy as np
import onnxruntime
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper
from protocol import Array, Case, Peer, main

# Where each of ONNX's gates stands among PyTorch's.
GATES = {"lstm": [0, 3, 1, 2], "gru": [1, 0, 2], "rnn_tanh": [0]}
OPERATORS = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN"}


def make(case: Case, options: argparse.Namespace) -> Peer:
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    streaming = case.about["mode"] == "step"
    model = model_of(case, streaming)
    session = onnxruntime.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    return stream(case, session) if streaming else whole(case, session)


def whole(case: Case, session: onnxruntime.InferenceSession) -> Peer:
    feed = {"x": np.ascontiguousarray(case.tensors["input.x"].swapaxes(0, 1))}
    if case.about["lengths"] is not None:
        feed["lengths"] = np.array(case.about["lengths"], dtype=np.int32)
    last: list[Array] = []

    def run() -> None:
        last[:] = session.run(["y"], feed)

    return Peer(run, lambda: {"y": last[0].swapaxes(0, 1)})


def stream(case: Case, session: onnxruntime.InferenceSession) -> Peer:
    """One input at a time, the states of every layer handed back in."""
    about = case.about
    steps = list(np.ascontiguousarray(case.tensors["input.x"].swapaxes(0, 1))[:, None])
    states = [value.name for value in session.get_inputs() if value.name != "x"]
    names = ["y", *(f"{name}_next" for name in states)]
    zeros = np.zeros([1, 1, about["hidden"]], dtype=np.float32)
    outputs: list[Array] = []

    def run() -> None:
        outputs.clear()
        carried = dict.fromkeys(states, zeros)
        for x_t in steps:
            y_t, *following = session.run(names, {"x": x_t, **carried})
            carried = dict(zip(states, following))
            outputs.append(y_t)

    return Peer(run, lambda: {"y": np.concatenate(outputs).swapaxes(0, 1)}, units=len(steps))


def model_of(case: Case, streaming: bool) -> ModelProto:
    about, parameters = case.about, case.parameters()
    layer, hidden, directions = about["layer"], about["hidden"], 2 if about["bidirectional"] else 1
    ragged = about["lengths"] is not None and not streaming
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, None, about["input"]])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, None, directions * hidden])]
    if ragged:
        inputs.append(helper.make_tensor_value_info("lengths", TensorProto.INT32, [None]))
    tensors = {"joined": np.array([0, 0, -1], dtype=np.int64)}
    nodes = []
    x = "x"
    for index in range(about["layers"]):
        ends = [f"_l{index}", f"_l{index}_reverse"][:directions]

        def gather(kind: str, ends: list[str] = ends) -> Array:
            return np.stack([reorder(parameters[f"{kind}{end}"], GATES[layer]) for end in ends])

        tensors[f"w{index}"], tensors[f"r{index}"] = gather("weight_ih"), gather("weight_hh")
        tensors[f"b{index}"] = np.concatenate([gather("bias_ih"), gather("bias_hh")], axis=1)
        fed = [x, f"w{index}", f"r{index}", f"b{index}", "lengths" if ragged else ""]
        made = [f"whole{index}"]
        if streaming:
            for state in ["h", "c"] if layer == "lstm" else ["h"]:
                shape = [directions, None, hidden]
                inputs.append(helper.make_tensor_value_info(f"{state}{index}", TensorProto.FLOAT, shape))
                outputs.append(helper.make_tensor_value_info(f"{state}{index}_next", TensorProto.FLOAT, shape))
                fed.append(f"{state}{index}")
                made.append(f"{state}{index}_next")
        attributes = {"hidden_size": hidden, "direction": "bidirectional" if directions == 2 else "forward"}
        if layer == "gru":
            attributes["linear_before_reset"] = 1
        nodes.append(helper.make_node(OPERATORS[layer], fed, made, **attributes))
        # [T, D, B, H] to [T, B, D, H] to [T, B, D*H]; with one direction the transposition moves nothing.
        x = "y" if index + 1 == about["layers"] else f"y{index}"
        if directions == 1:
            tensors["first"] = np.array([1], dtype=np.int64)
            nodes.append(helper.make_node("Squeeze", [f"whole{index}", "first"], [x]))
        else:
            nodes.append(helper.make_node("Transpose", [f"whole{index}"], [f"turned{index}"], perm=[0, 2, 1, 3]))
            nodes.append(helper.make_node("Reshape", [f"turned{index}", "joined"], [x]))
    if directions == 1:
        del tensors["joined"]
    initializers = [numpy_helper.from_array(value, name) for name, value in tensors.items()]
    graph = helper.make_graph(nodes, "recurrent", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(model)
    return model


def reorder(parameter: Array, gates: list[int]) -> Array:
    """The gates' blocks of rows in another order."""
    blocks = np.split(parameter, len(gates))
    return np.ascontiguousarray(np.concatenate([blocks[gate] for gate in gates]))


if __name__ == "__main__":
    main(make, ["default"])
