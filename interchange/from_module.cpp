// The walk through the net. Each layer runs once on zeros, for the shapes that its nodes state.
#include <gradus/autograd/variable.h>
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/interchange/detail/layer_writing.h>
#include <gradus/interchange/fold.h>
#include <gradus/interchange/from_module.h>
#include <gradus/interchange/graph_net.h>
#include <gradus/layers/attention.h>
#include <gradus/layers/norm.h>
#include <gradus/layers/recurrent.h>
#include <gradus/layers/residual.h>
#include <gradus/layers/sequential.h>

#include <map>
#include <set>
#include <utility>
#include <vector>

namespace gradus::interchange {
namespace {

using detail::GraphWriter;
using detail::LayerPlace;

/// In evaluation while it lives; then each module as it was.
class EvaluationOf {
 public:
  explicit EvaluationOf(Module& net) : modules_(net.named_modules()) {
    for (const auto& [path, module] : modules_) modes_.push_back(module->is_training());
    net.eval();
  }
  ~EvaluationOf() {
    // Parents come first: what they set, their children set again.
    for (std::size_t i = 0; i < modules_.size(); ++i) modules_[i].second->train(modes_[i]);
  }
  EvaluationOf(const EvaluationOf&) = delete;
  EvaluationOf& operator=(const EvaluationOf&) = delete;

 private:
  std::vector<std::pair<std::string, Module*>> modules_;
  std::vector<bool> modes_;
};

/// Modules directly below one, with their names.
class DirectChildren final : public Visitor {
 public:
  explicit DirectChildren(Module& module) { module.visit(*this); }
  void operator()(std::string_view, Variable&) override {}
  void operator()(std::string_view, Tensor&) override {}
  void operator()(std::string_view name, Module& child) override {
    all.emplace_back(std::string(name), &child);
  }
  std::vector<std::pair<std::string, Module*>> all;
};

/// A value under way: its name, and what it is for a batch of one.
struct Flow {
  std::string name;
  Variable sample;
};

class NetWalk {
 public:
  NetWalk(GraphWriter& writer, int batch_axis) : writer_(writer), batch_axis_(batch_axis) {
    for (auto table :
         {detail::writers_of_windows, detail::writers_of_norms, detail::writers_of_activations,
          detail::writers_of_shapes, detail::writers_of_sequences})
      writers_.merge(table());
  }

  Flow through(Module& module, const std::string& path, const Flow& in) {
    if (module.has_hooks())
      place(path, in, in).refuse(module.kind(), "has hooks, which a file cannot hold");
    if (typeid(module) == typeid(Sequential)) return through_all(module, path, in);
    if (auto* residual = dynamic_cast<Residual*>(&module)) return around(*residual, path, in);
    if (auto* imported = dynamic_cast<GraphNet*>(&module)) return within(*imported, path, in);
    const auto write = writers_.find(typeid(module));
    if (write == writers_.end())
      place(path, in, in).refuse(module.kind(), "no nodes of ONNX are known for this type");
    Flow out{.name = {}, .sample = module(in.sample)};
    out.name = write->second(writer_, place(path, in, out), module);
    return out;
  }

  LayerPlace place(const std::string& path, const Flow& in, const Flow& out) const {
    return {.path = path,
            .input = in.name,
            .in = in.sample.shape(),
            .out = out.sample.shape(),
            .dtype = in.sample.dtype(),
            .batch_axis = batch_axis_};
  }

 private:
  static std::string below(const std::string& path, const std::string& name) {
    return path.empty() ? name : path + "." + name;
  }

  Flow through_all(Module& row, const std::string& path, Flow flow) {
    for (const auto& [name, child] : DirectChildren(row).all)
      flow = through(*child, below(path, name), flow);
    return flow;
  }

  Flow around(Residual& residual, const std::string& path, const Flow& in) {
    const Flow body = through(residual.body(), below(path, "body"), in);
    Module* shortcut = residual.shortcut();
    const Flow beside = shortcut != nullptr ? through(*shortcut, below(path, "shortcut"), in) : in;
    Flow out = body;  // of the same shape, says the run of the whole net
    out.name = writer_.node("Add", path, {body.name, beside.name});
    if (residual.activation() == Activation::relu)
      out.name = writer_.node("Relu", path, {out.name});
    return out;
  }

  /// The nodes of an imported net, their values named as lying below `path`.
  Flow within(GraphNet& imported, const std::string& path, const Flow& in) {
    Graph graph = imported.graph();
    if (graph.inputs.size() != 1 || graph.outputs.size() != 1) {
      place(path, in, in)
          .refuse("GraphNet", "has ", graph.inputs.size(), " inputs and ", graph.outputs.size(),
                  " outputs, within a net it has one of each");
    }
    if (graph.opset != writer_.graph.opset) {
      place(path, in, in)
          .refuse("GraphNet", "its nodes are of opset ", graph.opset, ", those of this file of ",
                  writer_.graph.opset,
                  ", where they may mean something else; alone it is exported");
    }
    std::map<std::string, std::string> names = {{"", ""}, {graph.inputs[0].name, in.name}};
    for (const auto& [name, tensor] : graph.constants)
      names[name] = writer_.adopt(name, tensor, path);
    for (GraphNode& node : graph.nodes) {
      for (std::string& input : node.inputs) input = names.at(input);
      writer_.adopt(std::move(node), path, names);
    }
    return {.name = names.at(graph.outputs[0].name), .sample = imported(in.sample)};
  }

  GraphWriter& writer_;
  int batch_axis_;
  detail::LayerWriters writers_;
};

GraphValue described(const std::string& name, const Shape& shape, DType dtype, int batch_axis) {
  GraphValue value{.name = name,
                   .dtype = dtype,
                   .shape = std::vector<std::int64_t>(shape.begin(), shape.end()),
                   .axis_names = std::vector<std::string>(static_cast<std::size_t>(shape.rank()))};
  const auto batch = static_cast<std::size_t>(batch_axis);
  value.shape[batch] = -1;
  value.axis_names[batch] = "N";
  return value;
}

/// Whatever the last node calls its result, the world knows it as `name`.
void end_with(GraphWriter& writer, std::string produced, const std::string& name,
              const std::set<std::string>& inputs) {
  if (inputs.contains(produced)) produced = writer.node("Identity", "", {produced});
  for (GraphNode& node : writer.graph.nodes) {
    for (std::string& value : node.inputs)
      if (value == produced) value = name;
    for (std::string& value : node.outputs)
      if (value == produced) value = name;
  }
}

/// Beyond what PyTorch's names say: how many batches each batch norm has seen.
void note_batches(Graph& graph, const NamedTensors& state) {
  std::erase_if(graph.metadata,
                [](const auto& note) { return note.first.ends_with("num_batches_tracked"); });
  for (const auto& [name, tensor] : state) {
    if (name.ends_with("num_batches_tracked") && tensor.dtype() == int64 && tensor.rank() == 0)
      graph.metadata.emplace_back(name, std::to_string(tensor.at<std::int64_t>({})));
  }
}

/// Names of the inputs, the outputs that follow the first, and the module's own run.
struct Frame {
  std::vector<std::string> inputs;
  std::vector<std::string> more_outputs;
  Variables outputs;  // for a batch of one
};

Frame frame_of(Module& net, const Variable& sample, const ExportOptions& options) {
  if (auto* attention = dynamic_cast<MultiheadAttention*>(&net)) {
    return {.inputs = {"query", "key", "value"},
            .more_outputs = {"weights"},
            .outputs = (*attention)({sample, sample, sample})};
  }
  Frame frame{.inputs = {options.input}, .more_outputs = {}, .outputs = {}};
  if (auto* recurrent = dynamic_cast<Recurrent*>(&net)) {
    frame.outputs = (*recurrent)(Variables{sample});
    frame.more_outputs = {"h_n", "c_n"};
    frame.more_outputs.resize(frame.outputs.size() - 1);
  } else {
    frame.outputs = {net(sample)};
  }
  return frame;
}

/// Writes the whole net; returns the names of its outputs as the nodes have them.
std::vector<std::string> write_net(GraphWriter& writer, Module& net, const Variable& sample,
                                   const Frame& frame, int batch_axis) {
  NetWalk walk(writer, batch_axis);
  const Flow in{.name = frame.inputs.front(), .sample = sample};
  std::vector<std::string> outputs;
  const LayerPlace whole = walk.place("", in, {.name = {}, .sample = frame.outputs.front()});
  if (detail::write_recurrent(writer, whole, net, outputs)) return outputs;
  if (detail::write_attention(writer, whole, net, frame.inputs, outputs)) return outputs;
  return {walk.through(net, "", in).name};
}

}  // namespace

Graph graph_of(Module& net, const Shape& example, const ExportOptions& options) {
  if (auto* imported = dynamic_cast<GraphNet*>(&net)) {
    Graph graph = imported->graph();
    note_batches(graph, net.state_dict());
    if (options.fold_batch_norm) fold_batch_norms(graph);
    return graph;
  }
  if (options.batch_axis < 0 || options.batch_axis > example.rank()) {
    fail<ValueError>("export: batch_axis ", options.batch_axis, " is no axis of an input of ",
                     example.rank() + 1, " dimensions");
  }
  std::vector<std::int64_t> sizes(example.begin(), example.end());
  sizes.insert(sizes.begin() + options.batch_axis, 1);
  const Variable sample = zeros(Shape(sizes), options.dtype);
  const NoGrad no_grad;
  const EvaluationOf evaluation(net);
  const Frame frame = frame_of(net, sample, options);

  std::vector<std::string> outputs = {options.output};
  outputs.insert(outputs.end(), frame.more_outputs.begin(), frame.more_outputs.end());
  std::set<std::string> taken(frame.inputs.begin(), frame.inputs.end());
  taken.insert(outputs.begin(), outputs.end());
  if (taken.size() != frame.inputs.size() + outputs.size()) {
    fail<ValueError>("export: inputs and outputs need names of their own, got ",
                     joined(frame.inputs), " and ", joined(outputs));
  }
  const NamedTensors state = net.state_dict();
  GraphWriter writer(state, taken);
  const std::vector<std::string> produced =
      write_net(writer, net, sample, frame, options.batch_axis);

  writer.graph.name = options.name;
  for (const std::string& name : frame.inputs)
    writer.graph.inputs.push_back(
        described(name, sample.shape(), options.dtype, options.batch_axis));
  const std::set<std::string> inputs(frame.inputs.begin(), frame.inputs.end());
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    end_with(writer, produced[k], outputs[k], inputs);
    const Tensor& value = frame.outputs[k].value();
    // States of a recurrent net are [layers,N,H] and attention's weights [N,L,S], whatever x is.
    const bool is_state = k > 0 && dynamic_cast<Recurrent*>(&net) != nullptr;
    const int batch_axis = k == 0 ? options.batch_axis : is_state ? 1 : 0;
    writer.graph.outputs.push_back(described(outputs[k], value.shape(), value.dtype(), batch_axis));
  }
  note_batches(writer.graph, state);
  if (options.fold_batch_norm) fold_batch_norms(writer.graph);
  return std::move(writer.graph);
}

}  // namespace gradus::interchange
