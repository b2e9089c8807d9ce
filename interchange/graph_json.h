// A graph as JSON text, without the numbers of its constants, which are the state of a net: with both a checkpoint is
// enough to build the net again, without ONNX.
//
//   {"opset": 13, "nodes": [{"op": "Conv", "inputs": ["images", "conv.weight"], "outputs": ["3"],
//                            "attributes": {"strides": {"ints": [2, 2]}}}, ...],
//    "constants": [{"name": "conv.weight", "dtype": "float32", "shape": [8, 1, 3, 3]}, ...],
//    "inputs": [{"name": "images", "dtype": "float32", "shape": [null, 1, 28, 28], "axes": ["N", "", "", ""]}],
//    "outputs": [...], "fixed": [], "metadata": [["author", "somebody"], ...]}
#pragma once

#include <gradus/interchange/graph.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace gradus::interchange {

/// The text. Tensors in attributes are written with their numbers, and small ones of whole numbers, which are sizes.
std::string to_graph_json(const Graph& graph);

/// Is that text, which describes a net, of a graph (rather than of layers, net_json.h)?
bool is_graph_json(std::string_view text);

/// The graph, its constants but those of sizes full of zeros. Throws BadDataError, opened by `label`, for a text that is no such graph, and
/// where the constants take more than `most_bytes`.
Graph from_graph_json(std::string_view text, const std::string& label, std::int64_t most_bytes);

}  // namespace gradus::interchange
