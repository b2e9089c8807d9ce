// Names are given here, once: a name that is taken gets a number behind it.
#include <gradus/core/error.h>
#include <gradus/interchange/detail/layer_writing.h>

#include <algorithm>

namespace gradus::interchange::detail {
namespace {

using StateKey = std::pair<const void*, std::vector<std::int64_t>>;

/// What makes two handles of the state one tensor.
StateKey key_of_state(const Tensor& tensor) {
  const void* first =
      dispatch_stored(tensor.dtype(), [&]<class T>() -> const void* { return tensor.data<T>(); });
  return {first, std::vector<std::int64_t>(tensor.shape().begin(), tensor.shape().end())};
}

Attribute named(std::string name, Attribute::Kind kind) {
  Attribute attribute;
  attribute.name = std::move(name);
  attribute.kind = kind;
  return attribute;
}

}  // namespace

Attribute integer(std::string name, std::int64_t value) {
  Attribute attribute = named(std::move(name), Attribute::Kind::integer);
  attribute.ints = {value};
  return attribute;
}

Attribute integers(std::string name, Ints values) {
  Attribute attribute = named(std::move(name), Attribute::Kind::integers);
  attribute.ints = std::move(values);
  return attribute;
}

Attribute real(std::string name, double value) {
  Attribute attribute = named(std::move(name), Attribute::Kind::real);
  attribute.floats = {static_cast<float>(value)};
  return attribute;
}

Attribute text(std::string name, std::string value) {
  return texts(std::move(name), {std::move(value)}, Attribute::Kind::text);
}

Attribute texts(std::string name, std::vector<std::string> values, Attribute::Kind kind) {
  Attribute attribute = named(std::move(name), kind);
  attribute.texts = std::move(values);
  return attribute;
}

GraphWriter::GraphWriter(const NamedTensors& state, const std::set<std::string>& taken)
    : names_(taken) {
  for (const auto& [name, tensor] : state) {
    state_names_.emplace(key_of_state(tensor), name);
    names_of_state_.insert(name);
    if (!names_.insert(name).second)
      fail<ValueError>("export: ", name, " is the name of an input or output and of a parameter");
  }
}

std::string GraphWriter::unused(const std::string& wanted) {
  std::string name = wanted;
  for (int k = 1; !names_.insert(name).second; ++k) name = wanted + "_" + std::to_string(k);
  return name;
}

std::vector<std::string> GraphWriter::node_of(int count, std::string op, const std::string& path,
                                              std::vector<std::string> inputs,
                                              std::vector<Attribute> attributes) {
  const std::string name = unused(path.empty() ? op : path + "/" + op);
  std::vector<std::string> outputs = {name};
  for (int k = 1; k < count; ++k) outputs.push_back(unused(name + "_output" + std::to_string(k)));
  graph.nodes.push_back({.op = std::move(op),
                         .domain = {},
                         .name = name,
                         .inputs = std::move(inputs),
                         .outputs = outputs,
                         .attributes = std::move(attributes)});
  return outputs;
}

std::string GraphWriter::node(std::string op, const std::string& path,
                              std::vector<std::string> inputs, std::vector<Attribute> attributes) {
  return node_of(1, std::move(op), path, std::move(inputs), std::move(attributes)).front();
}

std::string GraphWriter::state(const Tensor& tensor) {
  const std::string& name = state_names_.at(key_of_state(tensor));
  const auto is_it = [&](const auto& constant) { return constant.first == name; };
  if (std::none_of(graph.constants.begin(), graph.constants.end(), is_it))
    graph.constants.emplace_back(name, tensor);
  return name;
}

std::string GraphWriter::adopt(const std::string& name, const Tensor& tensor,
                               const std::string& path) {
  const std::string wanted = path.empty() ? name : path + "." + name;
  const std::string given = names_of_state_.erase(wanted) == 1 ? wanted : unused(wanted);
  graph.constants.emplace_back(given, tensor);
  return given;
}

void GraphWriter::adopt(GraphNode node, const std::string& path,
                        std::map<std::string, std::string>& names) {
  const std::string prefix = path.empty() ? "" : path + "/";
  node.name = unused(prefix + (node.name.empty() ? node.op : node.name));
  for (std::string& output : node.outputs) {
    if (output.empty()) continue;
    const std::string name = unused(prefix + output);
    names[output] = name;
    output = name;
  }
  graph.nodes.push_back(std::move(node));
}

std::string GraphWriter::constant(const std::string& path, std::string_view what,
                                  const Tensor& tensor) {
  const std::string name = unused(path + "/" + std::string(what));
  graph.constants.emplace_back(name, tensor);
  return name;
}

std::string GraphWriter::number(const std::string& path, std::string_view what, double value,
                                DType dtype) {
  return constant(path, what, Tensor::scalar(value, dtype));
}

std::string GraphWriter::list(const std::string& path, std::string_view what, const Ints& values) {
  return constant(path, what, Tensor::from(values.data(), {std::ssize(values)}));
}

std::string GraphWriter::reshape(const std::string& path, const std::string& input,
                                 const Ints& sizes) {
  return node("Reshape", path, {input, list(path, "shape", sizes)});
}

std::string GraphWriter::reshape(const std::string& path, const std::string& input,
                                 const Shape& shape, int batch_axis) {
  Ints sizes(shape.begin(), shape.end());
  sizes[static_cast<std::size_t>(batch_axis)] = -1;
  return reshape(path, input, sizes);
}

std::string GraphWriter::linear(const std::string& path, const std::string& input,
                                const std::string& weight, const std::string& bias) {
  const std::string turned = node("Transpose", path, {weight}, {integers("perm", {1, 0})});
  const std::string product = node("MatMul", path, {input, turned});
  return bias.empty() ? product : node("Add", path, {product, bias});
}

std::string GraphWriter::by_channel(const std::string& path, std::string input,
                                    const Tensor& weight, const Tensor& bias, int rank) {
  const Ints along(static_cast<std::size_t>(rank - 1), 1);
  const auto shaped = [&](const Tensor& numbers) {
    Ints sizes = along;
    sizes[0] = numbers.numel();
    return reshape(path, state(numbers), sizes);
  };
  if (weight.defined()) input = node("Mul", path, {input, shaped(weight)});
  if (bias.defined()) input = node("Add", path, {input, shaped(bias)});
  return input;
}

}  // namespace gradus::interchange::detail
