// Numbers that JSON has not (infinities, NaN) are written as texts.
#include <gradus/core/create.h>
#include <gradus/core/words.h>
#include <gradus/interchange/graph_json.h>

#include <cmath>
#include <limits>

#include <nlohmann/json.hpp>

namespace gradus::interchange {
namespace {

using GraphJson = nlohmann::json;
using Kind = Attribute::Kind;

constexpr DType dtypes_of_json[] = {float32, float64, int64, uint8, boolean, float16, bfloat16};

GraphJson number_to_json(double value) {
  if (std::isfinite(value)) return value;
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

double number_from_json(const GraphJson& json) {
  if (!json.is_string()) return json.get<double>();
  const auto text = json.get<std::string>();
  if (text == "nan") return std::numeric_limits<double>::quiet_NaN();
  return text == "-inf" ? -std::numeric_limits<double>::infinity()
                        : std::numeric_limits<double>::infinity();
}

GraphJson shape_to_json(const Shape& shape) {
  return std::vector<std::int64_t>(shape.begin(), shape.end());
}

GraphJson tensor_to_json(const Tensor& tensor) {
  GraphJson values = GraphJson::array();
  if (tensor.dtype() == int64) {
    values = tensor.to_vector<std::int64_t>();
  } else {
    for (const double value : tensor.to(float64).to_vector<double>())
      values.push_back(number_to_json(value));
  }
  return {{"dtype", to_string(tensor.dtype())},
          {"shape", shape_to_json(tensor.shape())},
          {"values", std::move(values)}};
}

/// Whole numbers in small tensors are sizes, axes and the like: without them nothing can be computed, not even to see
/// whether a net takes images of some size.
bool holds_sizes(const Tensor& tensor) {
  constexpr std::int64_t most = 64;
  return tensor.dtype() == int64 && tensor.numel() <= most;
}

GraphJson attribute_to_json(const Attribute& attribute) {
  GraphJson reals = GraphJson::array();
  for (const float value : attribute.floats)
    reals.push_back(number_to_json(static_cast<double>(value)));
  switch (attribute.kind) {
    case Kind::integer:
      return {{"int", attribute.ints.at(0)}};
    case Kind::real:
      return {{"float", reals.at(0)}};
    case Kind::text:
      return {{"text", attribute.texts.at(0)}};
    case Kind::tensor:
      return {{"tensor", tensor_to_json(attribute.tensor)}};
    case Kind::integers:
      return {{"ints", attribute.ints}};
    case Kind::reals:
      return {{"floats", std::move(reals)}};
    case Kind::texts:
      break;
  }
  return {{"texts", attribute.texts}};
}

GraphJson node_to_json(const GraphNode& node) {
  GraphJson json = {{"op", node.op}, {"inputs", node.inputs}, {"outputs", node.outputs}};
  if (!node.domain.empty()) json["domain"] = node.domain;
  if (!node.name.empty()) json["name"] = node.name;
  for (const Attribute& attribute : node.attributes)
    json["attributes"][attribute.name] = attribute_to_json(attribute);
  return json;
}

GraphJson value_to_json(const GraphValue& value) {
  GraphJson json = {{"name", value.name}, {"dtype", to_string(value.dtype)}};
  if (!value.has_shape) return json;
  json["shape"] = GraphJson::array();
  for (const std::int64_t size : value.shape)
    json["shape"].push_back(size < 0 ? GraphJson() : GraphJson(size));
  json["axes"] = value.axis_names;
  return json;
}

DType dtype_from_json(const GraphJson& json) {
  const auto name = json.get<std::string>();
  for (const DType known : dtypes_of_json) {
    if (to_string(known) == name) return known;
  }
  fail<BadDataError>("dtype ", in_quotes(name), " is not known");
}

Shape shape_from_json(const GraphJson& json) {
  const auto sizes = json.get<std::vector<std::int64_t>>();
  const Shape shape{std::span<const std::int64_t>(sizes)};
  check_sizes("graph", shape);
  return shape;
}

Tensor tensor_from_json(const GraphJson& json) {
  const Shape shape = shape_from_json(json.at("shape"));
  const GraphJson& values = json.at("values");
  if (static_cast<std::int64_t>(values.size()) != shape.numel()) {
    fail<BadDataError>("a tensor of ", values.size(), " numbers, its sizes ", shape, " want ",
                       shape.numel());
  }
  const DType dtype = dtype_from_json(json.at("dtype"));
  if (dtype == int64) {
    const auto numbers = values.get<std::vector<std::int64_t>>();
    return Tensor::from(numbers.data(), shape);
  }
  std::vector<double> numbers;
  for (const GraphJson& value : values) numbers.push_back(number_from_json(value));
  return Tensor::from(numbers.data(), shape).to(dtype);
}

Attribute attribute_from_json(const std::string& name, const GraphJson& json) {
  Attribute made;
  made.name = name;
  const auto reals = [&](const GraphJson& list) {
    for (const GraphJson& value : list)
      made.floats.push_back(static_cast<float>(number_from_json(value)));
  };
  const std::string kind = json.is_object() && json.size() == 1 ? json.begin().key() : "";
  const GraphJson& value = kind.empty() ? json : json.begin().value();
  if (kind == "int") {
    made.ints = {value.get<std::int64_t>()};
  } else if (kind == "float") {
    made.kind = Kind::real;
    reals(GraphJson::array({value}));
  } else if (kind == "text") {
    made.kind = Kind::text;
    made.texts = {value.get<std::string>()};
  } else if (kind == "tensor") {
    made.kind = Kind::tensor;
    made.tensor = tensor_from_json(value);
  } else if (kind == "ints") {
    made.kind = Kind::integers;
    made.ints = value.get<std::vector<std::int64_t>>();
  } else if (kind == "floats") {
    made.kind = Kind::reals;
    reals(value);
  } else if (kind == "texts") {
    made.kind = Kind::texts;
    made.texts = value.get<std::vector<std::string>>();
  } else {
    fail<BadDataError>("attribute ", in_quotes(name), " is of no kind that is known");
  }
  return made;
}

GraphNode node_from_json(const GraphJson& json) {
  GraphNode node{.op = json.at("op").get<std::string>(),
                 .domain = json.value("domain", ""),
                 .name = json.value("name", ""),
                 .inputs = json.at("inputs").get<std::vector<std::string>>(),
                 .outputs = json.at("outputs").get<std::vector<std::string>>(),
                 .attributes = {}};
  const auto attributes = json.find("attributes");
  if (attributes == json.end()) return node;
  for (const auto& [name, value] : attributes->items())
    node.attributes.push_back(attribute_from_json(name, value));
  return node;
}

GraphValue value_from_json(const GraphJson& json) {
  GraphValue value{.name = json.at("name").get<std::string>(),
                   .dtype = dtype_from_json(json.at("dtype")),
                   .has_shape = json.contains("shape"),
                   .shape = {},
                   .axis_names = {}};
  if (!value.has_shape) return value;
  for (const GraphJson& size : json.at("shape"))
    value.shape.push_back(size.is_null() ? -1 : size.get<std::int64_t>());
  value.axis_names = json.at("axes").get<std::vector<std::string>>();
  if (value.axis_names.size() != value.shape.size()) {
    fail<BadDataError>("value ", in_quotes(value.name), " has ", value.shape.size(), " sizes and ",
                       value.axis_names.size(), " names of axes");
  }
  return value;
}

Graph graph_from_json(const GraphJson& json, std::int64_t most_bytes) {
  Graph graph;
  graph.name = json.value("name", "");
  graph.producer = json.value("producer", "");
  graph.opset = json.at("opset").get<std::int64_t>();
  for (const GraphJson& node : json.at("nodes")) graph.nodes.push_back(node_from_json(node));
  for (const GraphJson& value : json.at("inputs")) graph.inputs.push_back(value_from_json(value));
  for (const GraphJson& value : json.at("outputs")) graph.outputs.push_back(value_from_json(value));
  graph.fixed = json.at("fixed").get<std::vector<std::string>>();
  if (const auto notes = json.find("metadata"); notes != json.end())
    graph.metadata = notes->get<std::vector<std::pair<std::string, std::string>>>();
  std::int64_t bytes = 0;
  for (const GraphJson& constant : json.at("constants")) {
    const Shape shape = shape_from_json(constant.at("shape"));
    const DType dtype = dtype_from_json(constant.at("dtype"));
    // check_sizes() has seen that the product is an int64, not that times eight it is.
    if (shape.numel() > (most_bytes - bytes) / size_of(dtype)) {
      fail<BadDataError>("constants of more than ", most_bytes, " bytes, at most so many expected");
    }
    bytes += shape.numel() * size_of(dtype);
    graph.constants.emplace_back(
        constant.at("name").get<std::string>(),
        constant.contains("values") ? tensor_from_json(constant) : zeros(shape, dtype));
  }
  return graph;
}

}  // namespace

std::string to_graph_json(const Graph& graph) {
  GraphJson json = {{"name", graph.name},
                    {"producer", graph.producer},
                    {"opset", graph.opset},
                    {"nodes", GraphJson::array()},
                    {"constants", GraphJson::array()},
                    {"inputs", GraphJson::array()},
                    {"outputs", GraphJson::array()},
                    {"fixed", graph.fixed},
                    {"metadata", graph.metadata}};
  for (const GraphNode& node : graph.nodes) json["nodes"].push_back(node_to_json(node));
  for (const auto& [name, tensor] : graph.constants) {
    GraphJson constant = holds_sizes(tensor) ? tensor_to_json(tensor)
                                             : GraphJson{{"dtype", to_string(tensor.dtype())},
                                                         {"shape", shape_to_json(tensor.shape())}};
    constant["name"] = name;
    json["constants"].push_back(std::move(constant));
  }
  for (const GraphValue& value : graph.inputs) json["inputs"].push_back(value_to_json(value));
  for (const GraphValue& value : graph.outputs) json["outputs"].push_back(value_to_json(value));
  return json.dump(-1, ' ', false, GraphJson::error_handler_t::replace);
}

bool is_graph_json(std::string_view text) {
  return text.starts_with('{') && text.find("\"nodes\"") != std::string_view::npos;
}

Graph from_graph_json(std::string_view text, const std::string& label, std::int64_t most_bytes) {
  constexpr int deepest = 16;
  const auto guard = [&](int depth, GraphJson::parse_event_t, GraphJson&) {
    if (depth > deepest) fail<BadDataError>(label, ": lists more than ", deepest, " deep");
    return true;
  };
  try {
    return graph_from_json(GraphJson::parse(text, guard), most_bytes);
  } catch (const GraphJson::exception& error) {
    fail<BadDataError>(label, ": is no graph: ", printable(error.what()));
  } catch (const Error& error) {
    fail<BadDataError>(label, ": ", error.what());
  }
}

}  // namespace gradus::interchange
