// A graph as a module: its nodes computed on the tape, its weights trained.
//
// Nodes that are layers become the modules of layers/: Conv (of rows and images) Conv1d and Conv2d, ConvTranspose
// ConvTranspose2d, BatchNormalization BatchNorm1d and BatchNorm2d, Gemm, and MatMul with the Add behind it, Linear; so
// they train, print and are reported as such. What has no module is a function on the tape (operators/).
//
// Every initializer is part of the state. Parameters are those of floats of which something in the graph has a slope:
// weights and biases of all that has any; of plain arithmetic, an operand of one dimension or more that is finite and whose
// name does not begin with "onnx::", as exporters call what they computed themselves. All others are buffers.
//
// Names. An initializer "features.0.weight" is found under that name: dots open a module within a module. A layer whose
// weights have names that say no module (no dot) is called after its node's name, or "Conv_3" by its place. Parts of a name that are
// empty become "_", bytes that are no text '?', a first part "training" (under which trainings keep their own)
// "training_", and a name that is taken gets "_" behind it.
//
// float32 in the graph becomes float64 where the inputs are: the net can be gradient-checked as it is.
#pragma once

#include <gradus/interchange/graph.h>
#include <gradus/layers/module.h>

#include <memory>
#include <string>

namespace gradus::interchange {

/// The operators that GraphNet knows, by the alphabet.
std::vector<std::string> operator_names();

/// A net made of a graph: net(x) where it has one input and one output, net({a, b}) of lists in the graph's order.
class GraphNet final : public MultiModule {
 public:
  /// Throws BadDataError, naming the node, for operators that are not known, and names that nothing gives; ValueError
  /// for a graph without outputs.
  explicit GraphNet(Graph graph);
  GraphNet(GraphNet&& other) noexcept;
  GraphNet& operator=(GraphNet&& other) noexcept;
  ~GraphNet() override;

  /// The graph that it is made of, with the weights as they are now.
  Graph graph() const;

  void visit(Visitor& v) override;
  /// The outputs, in the graph's order. Throws ShapeError and DTypeError for inputs that are not those of the graph
  /// (of a first axis any size goes), and what the nodes throw, with the place of the node.
  Variables forward_all(const Variables& inputs) override;
  std::string extra() const override;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace gradus::interchange
