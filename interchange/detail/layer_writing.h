// What the files that write layers down as nodes have in common: a Graph that grows, and a layer's place in it.
#pragma once

#include <gradus/core/conv.h>
#include <gradus/interchange/graph.h>
#include <gradus/layers/module.h>

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <typeindex>
#include <utility>
#include <vector>

namespace gradus::interchange::detail {

using Ints = std::vector<std::int64_t>;

Attribute integer(std::string name, std::int64_t value);
Attribute integers(std::string name, Ints values);
Attribute real(std::string name, double value);
Attribute text(std::string name, std::string value);
Attribute texts(std::string name, std::vector<std::string> values,
                Attribute::Kind kind = Attribute::Kind::texts);

/// A layer where it stands in the net.
struct LayerPlace {
  std::string path;   ///< "3.body.0", of the net itself ""
  std::string input;  ///< the name of the value that comes in
  Shape in;           ///< its shape for a batch of one
  Shape out;          ///< that of the layer's output
  DType dtype;        ///< of the input
  int batch_axis;     ///< of both

  /// Throws ValueError, naming the layer.
  template <class... Parts>
  [[noreturn]] void refuse(std::string_view kind, const Parts&... parts) const {
    const std::string where = path.empty() ? "the net" : path;
    fail<ValueError>("export: ", where, " ", kind, ": ", parts...);
  }
};

/// A Graph to which nodes are added in the order in which they are computed.
class GraphWriter {
 public:
  /// Parameters and buffers get the names that `state` has for them, if they are used.
  GraphWriter(const NamedTensors& state, const std::set<std::string>& taken);

  Graph graph;

  /// Adds a node of the layer at `path`; returns the name of its first output.
  std::string node(std::string op, const std::string& path, std::vector<std::string> inputs,
                   std::vector<Attribute> attributes = {});
  /// The same of a node with `count` outputs.
  std::vector<std::string> node_of(int count, std::string op, const std::string& path,
                                   std::vector<std::string> inputs,
                                   std::vector<Attribute> attributes = {});
  /// A parameter or a buffer of the net, under its name in state_dict(). One that stands under several names
  /// is one constant under the first.
  std::string state(const Tensor& tensor);
  /// A constant of a graph within the net at `path`: "2.conv.weight", as the net's state has it.
  std::string adopt(const std::string& name, const Tensor& tensor, const std::string& path);
  /// A node of a graph within the net at `path`, whose inputs have their names here. Its outputs get some, which
  /// `names` then knows by those of the graph.
  void adopt(GraphNode node, const std::string& path, std::map<std::string, std::string>& names);
  /// Another constant of the layer at `path`: "3/shape".
  std::string constant(const std::string& path, std::string_view what, const Tensor& tensor);
  /// A 0-d constant of that dtype.
  std::string number(const std::string& path, std::string_view what, double value, DType dtype);
  /// A constant list, int64.
  std::string list(const std::string& path, std::string_view what, const Ints& values);

  /// A node that gives `input` the shape `shape`, in which the batch, at `batch_axis`, is one.
  std::string reshape(const std::string& path, const std::string& input, const Shape& shape,
                      int batch_axis = 0);
  /// The same, all sizes as Reshape reads them: 0 keeps one, -1 is what is left.
  std::string reshape(const std::string& path, const std::string& input, const Ints& sizes);
  /// x·weightᵀ + bias over the last axis.
  std::string linear(const std::string& path, const std::string& input, const std::string& weight,
                     const std::string& bias);
  /// `input` times `weight`, plus `bias`, both [C] for the axis 1 of `rank`; either may be undefined.
  std::string by_channel(const std::string& path, std::string input, const Tensor& weight,
                         const Tensor& bias, int rank);

 private:
  std::string unused(const std::string& wanted);

  std::map<std::pair<const void*, std::vector<std::int64_t>>, std::string> state_names_;
  std::set<std::string> names_;
  std::set<std::string> names_of_state_;
};

/// Adds the nodes of one layer; returns the name of what they give.
using WriteLayer = std::function<std::string(GraphWriter&, const LayerPlace&, Module&)>;
using LayerWriters = std::map<std::type_index, WriteLayer>;

/// An entry of such a table: the class, and the function that writes it.
template <class M>
LayerWriters::value_type writes(std::string (*write)(GraphWriter&, const LayerPlace&, M&)) {
  return {typeid(M), [write](GraphWriter& w, const LayerPlace& at, Module& module) {
            return write(w, at, dynamic_cast<M&>(module));
          }};
}

/// The tables, one for each file.
LayerWriters writers_of_windows();
LayerWriters writers_of_norms();
LayerWriters writers_of_activations();
LayerWriters writers_of_shapes();
LayerWriters writers_of_sequences();

/// Around an image or a row, before and behind, in the order of its axes.
struct Border {
  Ints before;
  Ints behind;
};
/// A node that puts a border around the last axes of a value of `rank`; or several, for the mode circular.
std::string write_border(GraphWriter& w, const std::string& path, const std::string& input,
                         int rank, const Border& border, PaddingMode mode, DType dtype);

/// The outputs of RNN, LSTM and GRU: all steps, and the last state (and cell) of each layer.
/// False where `module` is none of them.
bool write_recurrent(GraphWriter& w, const LayerPlace& at, Module& module,
                     std::vector<std::string>& outputs);
/// Those of MultiheadAttention, of the values query, key and value; at.input counts for nothing.
bool write_attention(GraphWriter& w, const LayerPlace& at, Module& module,
                     const std::vector<std::string>& inputs, std::vector<std::string>& outputs);

}  // namespace gradus::interchange::detail
