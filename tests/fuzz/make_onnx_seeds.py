#!/usr/bin/env python3
"""make_onnx_seeds.py CORPUS FIXTURES: the ONNX files of the fuzzer's corpus, small ones with all that the importer reads:
layers, raw numbers and lists of them, tensors of each type, attributes of each kind, data beside the file; and the net for
digits that the tests of the program import, with first weights. Takes python3-onnx."""
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def save(name, nodes, inputs, outputs, constants=(), opset=13, folder=None):
    graph = helper.make_graph(nodes, name, inputs, outputs, initializer=list(constants))
    model = helper.make_model(graph, producer_name="seed", ir_version=8,
                              opset_imports=[helper.make_opsetid("", opset)])
    with open(f"{folder or sys.argv[1]}/{name}.onnx", "wb") as file:
        file.write(model.SerializeToString())


def value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def raw(name, array):
    return numpy_helper.from_array(array, name)


random = np.random.default_rng(1)
real = lambda *shape: random.standard_normal(shape).astype(np.float32)

save("layers",
     [helper.make_node("Conv", ["images", "c.weight", "c.bias"], ["1"], "c", strides=[2, 2], pads=[1, 1, 1, 1]),
      helper.make_node("BatchNormalization", ["1", "b.weight", "b.bias", "b.running_mean", "b.running_var"], ["2"]),
      helper.make_node("Relu", ["2"], ["3"]),
      helper.make_node("Flatten", ["3"], ["4"]),
      helper.make_node("MatMul", ["4", "m"], ["5"]),
      helper.make_node("Add", ["5", "f.bias"], ["6"]),
      helper.make_node("Gemm", ["6", "g.weight"], ["scores"], transB=1)],
     [value("images", ["N", 1, 4, 4])], [value("scores", ["N", 2])],
     [raw("c.weight", real(2, 1, 3, 3)), raw("c.bias", real(2)), raw("b.weight", real(2)), raw("b.bias", real(2)),
      raw("b.running_mean", real(2)), raw("b.running_var", np.ones(2, np.float32)), raw("m", real(8, 3)),
      raw("f.bias", real(3)), raw("g.weight", real(2, 3))])

kinds = [(TensorProto.FLOAT, [1.5]), (TensorProto.DOUBLE, [2.5]), (TensorProto.INT8, [-1]), (TensorProto.INT32, [3]),
         (TensorProto.INT64, [4]), (TensorProto.UINT8, [5]), (TensorProto.UINT64, [6]), (TensorProto.BOOL, [1])]
lists = [helper.make_tensor(f"t{i}", kind, [1], numbers) for i, (kind, numbers) in enumerate(kinds)]
save("types", [helper.make_node("Cast", [f"t{i}"], [f"c{i}"], to=TensorProto.FLOAT) for i in range(len(kinds))]
     + [helper.make_node("Concat", [f"c{i}" for i in range(len(kinds))] + ["x"], ["y"], axis=0)],
     [value("x", [1])], [value("y", [9])], lists)

save("attributes",
     [helper.make_node("Constant", [], ["shape"], value=raw("v", np.array([2, -1], np.int64))),
      helper.make_node("Reshape", ["x", "shape"], ["r"]),
      helper.make_node("Clip", ["r"], ["c"], min=-1.0, max=1.0),
      helper.make_node("LSTM", ["s", "w", "r2"], ["h"], hidden_size=1, direction="forward",
                       activations=["Sigmoid", "Tanh", "Tanh"], activation_alpha=[1.0]),
      helper.make_node("Resize", ["i", "", "scales"], ["z"], mode="linear")],
     [value("x", [4]), value("s", [1, 1, 2]), value("i", [1, 1, 2, 2])],
     [value("c", [2, 2]), value("h", None), value("z", None)],
     [raw("w", real(1, 4, 2)), raw("r2", real(1, 4, 1)), raw("scales", np.array([1, 1, 2, 2], np.float32))], opset=10)

outside = onnx.TensorProto(name="o", data_type=TensorProto.FLOAT, dims=[2],
                           data_location=onnx.TensorProto.EXTERNAL)
for key, text in (("location", "data.bin"), ("offset", "0"), ("length", "8")):
    outside.external_data.add(key=key, value=text)
save("beside", [helper.make_node("Add", ["x", "o"], ["y"])], [value("x", [2])], [value("y", [2])], [outside])

save("digits",
     [helper.make_node("Conv", ["images", "conv.weight", "conv.bias"], ["1"], pads=[1, 1, 1, 1]),
      helper.make_node("BatchNormalization", ["1", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"], ["2"]),
      helper.make_node("Elu", ["2"], ["3"]),
      helper.make_node("MaxPool", ["3"], ["4"], kernel_shape=[2, 2], strides=[2, 2]),
      helper.make_node("Shape", ["4"], ["5"]),
      helper.make_node("Gather", ["5", "first"], ["6"], axis=0),
      helper.make_node("Unsqueeze", ["6", "axes"], ["7"]),
      helper.make_node("Concat", ["7", "rest"], ["8"], axis=0),
      helper.make_node("Reshape", ["4", "8"], ["9"]),
      helper.make_node("Gemm", ["9", "head.weight", "head.bias"], ["scores"], transB=1)],
     [value("images", ["N", 1, 8, 8])], [value("scores", ["N", 10])],
     [raw("conv.weight", 0.3 * real(8, 1, 3, 3)), raw("conv.bias", np.zeros(8, np.float32)),
      raw("bn.weight", np.ones(8, np.float32)), raw("bn.bias", np.zeros(8, np.float32)),
      raw("bn.running_mean", np.zeros(8, np.float32)), raw("bn.running_var", np.ones(8, np.float32)),
      raw("first", np.array(0, np.int64)), raw("axes", np.array([0], np.int64)), raw("rest", np.array([-1], np.int64)),
      raw("head.weight", 0.1 * real(10, 128)), raw("head.bias", np.zeros(10, np.float32))],
     folder=sys.argv[2])
