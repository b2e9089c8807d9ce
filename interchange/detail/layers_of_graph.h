// Which nodes of a graph are layers, and which of its constants are trained.
#pragma once

#include <gradus/interchange/graph.h>
#include <gradus/layers/module.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace gradus::interchange {

/// A constant within a layer.
struct LayerWeight {
  std::string constant;     ///< its name in the graph
  std::string member;       ///< "weight", "bias", "running_mean"
  bool transposed = false;  ///< the layer holds it the other way round
};

/// A layer in the place of one node, or of two that follow each other.
struct GraphLayer {
  std::unique_ptr<Module> module;
  std::vector<std::size_t> nodes;
  std::string input;   ///< the value that it takes
  std::string output;  ///< the one that it gives
  std::vector<LayerWeight> weights;
};

/// What is known of the values of a graph before it runs.
class GraphFacts {
 public:
  explicit GraphFacts(const Graph& graph);

  /// A constant that one input of one node takes, and no output of the graph: a layer may have it for itself.
  const Tensor* own_constant(const std::string& name) const;
  /// Any constant.
  const Tensor* constant(const std::string& name) const;
  /// How many dimensions a value has, where that follows from the sizes of inputs and weights (graph_ranks.cpp).
  std::optional<int> rank(const std::string& name) const;
  /// Does a node take it, or is it an output?
  bool is_used(const std::string& name) const;
  /// The one node that takes the value, which is no output of the graph; -1 for none or several.
  std::int64_t only_user(const std::string& name) const;

 private:
  void learn_numbers(const std::string& name, const Tensor& tensor);
  void infer(const GraphNode& node);
  std::optional<int> rank_of_result(const GraphNode& node) const;
  std::optional<int> rank_of_moved(const GraphNode& node, int first) const;
  std::optional<int> broadcast_rank(const GraphNode& node) const;
  std::optional<std::int64_t> length_of_result(const GraphNode& node) const;
  std::optional<std::int64_t> length_of_slice(const GraphNode& node) const;
  std::optional<std::int64_t> length(const GraphNode& node, std::size_t input) const;
  std::optional<std::int64_t> count_of_axes(const GraphNode& node) const;

  std::map<std::string, const Tensor*> constants_;
  std::map<std::string, const Tensor*> lists_;   ///< whose numbers are known before the net runs
  std::map<std::string, std::int64_t> lengths_;  ///< of values of one dimension, or none: 1
  std::map<std::string, std::vector<std::size_t>> users_;
  std::map<std::string, int> ranks_;
  std::set<std::string> outputs_;
};

/// The layer of node `index`, or nothing.
std::optional<GraphLayer> layer_of(const Graph& graph, const GraphFacts& facts, std::size_t index);

/// The constants that a gradient may train.
std::set<std::string> trained_constants(const Graph& graph);

/// Large tensors of Constant nodes, and weights in such, are constants of the graph in these nodes' place. So is a constant of
/// 16 bits that is cast to float32, in which it can be trained, and the Identity of a constant: exporters write equal weights
/// once, of which each is trained by itself.
void hoist_constants(Graph& graph);

/// The tensors of a layer by their names; what a layer lacks is undefined.
Tensor member_of(Module& layer, const std::string& name);

}  // namespace gradus::interchange
