// A net as ONNX sees it: nodes by name, in an order in which they can be computed, and the constants that they use.
// Plain structs, that know nothing of the file's format: read_onnx() makes them, write_onnx() stores them, GraphNet
// (graph_net.h) computes them on the tape.
#pragma once

#include <gradus/core/tensor.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace gradus::interchange {

/// One attribute of a node: a value, or a list, of one kind.
struct Attribute {
  /// Which member holds the value.
  enum class Kind { integer, real, text, tensor, integers, reals, texts };
  std::string name;                ///< as ONNX names it, "kernel_shape"
  Kind kind = Kind::integer;       ///< which of the following counts
  std::vector<std::int64_t> ints;  ///< integers; of `integer` the only one
  std::vector<float> floats;       ///< reals; of `real` the only one
  std::vector<std::string> texts;  ///< texts; of `text` the only one
  Tensor tensor;                   ///< of Kind::tensor
};

/// One call of an operator.
struct GraphNode {
  std::string op;                     ///< "Conv"
  std::string domain;                 ///< "" is ONNX's own
  std::string name;                   ///< may be empty
  std::vector<std::string> inputs;    ///< names of values; "" is an optional input left out
  std::vector<std::string> outputs;   ///< names of values; "" is one that nobody wants
  std::vector<Attribute> attributes;  ///< in the file's order

  /// The attribute of that name, or nullptr.
  const Attribute* find(const std::string& attribute) const;
  /// The whole number of that attribute, or `otherwise` where there is none. This and what follows throw BadDataError
  /// for an attribute of another kind.
  std::int64_t integer(const std::string& attribute, std::int64_t otherwise) const;
  /// The real number likewise, as_written().
  double real(const std::string& attribute, double otherwise) const;
  /// The text likewise.
  std::string text(const std::string& attribute, const std::string& otherwise) const;
  /// The whole numbers likewise.
  std::vector<std::int64_t> integers(const std::string& attribute,
                                     const std::vector<std::int64_t>& otherwise) const;
  /// The real numbers, as_written(); none where there is no such attribute.
  std::vector<double> reals(const std::string& attribute) const;
  /// The texts likewise.
  std::vector<std::string> texts(const std::string& attribute) const;
};

/// A value that goes in or comes out. An axis is a number, or a name ("N") where any size goes (then the size is -1).
struct GraphValue {
  std::string name;                 ///< of the value
  DType dtype = float32;            ///< of its numbers
  bool has_shape = true;            ///< false: the file does not say
  std::vector<std::int64_t> shape;  ///< -1: any size
  std::vector<std::string>
      axis_names;  ///< as many as axes; "" where the axis has a size or no name
};

/// A whole net.
struct Graph {
  std::string name;              ///< of the graph
  std::string producer;          ///< who wrote the file
  std::int64_t opset = 17;       ///< version of ONNX's own operators
  std::vector<GraphNode> nodes;  ///< each after those whose outputs it takes
  std::vector<std::pair<std::string, Tensor>>
      constants;                    ///< initializers by name, in the file's order
  std::vector<GraphValue> inputs;   ///< those that are no initializers
  std::vector<GraphValue> outputs;  ///< in the file's order
  std::vector<std::pair<std::string, std::string>>
      metadata;                    ///< what the writer says of it, by key, in the file's order
  std::vector<std::string> fixed;  ///< constants that no gradient shall train
};

/// The number that somebody wrote who meant `number`: 0.1, whose float is 0.100000001490116.
double as_written(float number);

/// "node 3 Conv 'features.0'", for messages; `index` is its place in the graph.
std::string place_of(const GraphNode& node, std::size_t index);

}  // namespace gradus::interchange
