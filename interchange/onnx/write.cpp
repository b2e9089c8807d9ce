// Graphs to ONNX files. With read.cpp the only files that know protobuf.
#include <gradus/core/error.h>
#include <gradus/core/version.h>
#include <gradus/interchange/onnx/tensor.h>
#include <gradus/interchange/onnx_file.h>
#include <gradus/io/atomic_file.h>

#include <onnx/onnx_pb.h>

#include <bit>
#include <climits>
#include <set>
#include <string>

namespace gradus::interchange {
namespace {

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");

/// 7 came with training, 8 with opset 15: older programs need not try.
constexpr std::int64_t ir_version = 8;
/// Protobuf counts the bytes of a message in an int.
constexpr std::int64_t most_file_bytes = INT_MAX;

int data_type_of(DType dtype) {
  switch (dtype) {
    case float32:
      return ::onnx::TensorProto::FLOAT;
    case float64:
      return ::onnx::TensorProto::DOUBLE;
    case int64:
      return ::onnx::TensorProto::INT64;
    case uint8:
      return ::onnx::TensorProto::UINT8;
    case boolean:
      return ::onnx::TensorProto::BOOL;
    case float16:
      return ::onnx::TensorProto::FLOAT16;
    case bfloat16:
      return ::onnx::TensorProto::BFLOAT16;
  }
  return ::onnx::TensorProto::UNDEFINED;
}

void fill(::onnx::TensorProto& proto, const std::string& name, const Tensor& tensor) {
  proto.set_name(name);
  proto.set_data_type(data_type_of(tensor.dtype()));
  for (const std::int64_t size : tensor.shape()) proto.add_dims(size);
  const Tensor row_major = tensor.contiguous();
  const auto bytes = static_cast<std::size_t>(tensor.numel() * size_of(tensor.dtype()));
  dispatch_stored(tensor.dtype(), [&]<class T>() {
    proto.set_raw_data(static_cast<const void*>(row_major.data<T>()), bytes);
  });
}

void fill(::onnx::AttributeProto& proto, const Attribute& attribute) {
  using Kind = Attribute::Kind;
  using Proto = ::onnx::AttributeProto;
  proto.set_name(attribute.name);
  switch (attribute.kind) {
    case Kind::integer: {
      proto.set_type(Proto::INT);
      // Names of types go with the numbers beside, which are written as they are held.
      const bool widened =
          names_type(attribute) && held_as(attribute.ints.at(0), attribute.name) == int64;
      return proto.set_i(widened ? std::int64_t{::onnx::TensorProto::INT64} : attribute.ints.at(0));
    }
    case Kind::real:
      proto.set_type(Proto::FLOAT);
      return proto.set_f(attribute.floats.at(0));
    case Kind::text:
      proto.set_type(Proto::STRING);
      return proto.set_s(attribute.texts.at(0));
    case Kind::tensor:
      proto.set_type(Proto::TENSOR);
      return fill(*proto.mutable_t(), "", attribute.tensor);
    case Kind::integers:
      proto.set_type(Proto::INTS);
      for (const std::int64_t value : attribute.ints) proto.add_ints(value);
      return;
    case Kind::reals:
      proto.set_type(Proto::FLOATS);
      for (const float value : attribute.floats) proto.add_floats(value);
      return;
    case Kind::texts:
      proto.set_type(Proto::STRINGS);
      for (const std::string& value : attribute.texts) proto.add_strings(value);
      return;
  }
}

void fill(::onnx::NodeProto& proto, const GraphNode& node) {
  proto.set_op_type(node.op);
  proto.set_domain(node.domain);
  proto.set_name(node.name);
  for (const std::string& name : node.inputs) proto.add_input(name);
  for (const std::string& name : node.outputs) proto.add_output(name);
  for (const Attribute& attribute : node.attributes) fill(*proto.add_attribute(), attribute);
}

void fill(::onnx::ValueInfoProto& proto, const GraphValue& value) {
  proto.set_name(value.name);
  ::onnx::TypeProto::Tensor& type = *proto.mutable_type()->mutable_tensor_type();
  type.set_elem_type(data_type_of(value.dtype));
  if (!value.has_shape) return;
  ::onnx::TensorShapeProto& shape = *type.mutable_shape();  // also of a value without axes
  for (std::size_t i = 0; i < value.shape.size(); ++i) {
    ::onnx::TensorShapeProto::Dimension& axis = *shape.add_dim();
    if (value.shape[i] >= 0) {
      axis.set_dim_value(value.shape[i]);
    } else if (i < value.axis_names.size() && !value.axis_names[i].empty()) {
      axis.set_dim_param(value.axis_names[i]);
    }
  }
}

/// Before gigabytes are copied.
void check_size(const Graph& graph) {
  std::int64_t bytes = 0;
  for (const auto& [name, tensor] : graph.constants)
    bytes += tensor.numel() * size_of(tensor.dtype());
  if (bytes > most_file_bytes) {
    fail<ValueError>("write_onnx: the constants have ", bytes, " bytes, a file of ONNX at most ",
                     most_file_bytes);
  }
}

void fill(::onnx::ModelProto& model, const Graph& graph) {
  model.set_ir_version(ir_version);
  model.set_producer_name(graph.producer.empty() ? "gradus" : graph.producer);
  if (graph.producer.empty()) model.set_producer_version(std::string(library_version()));
  std::set<std::string> domains;
  for (const GraphNode& node : graph.nodes) domains.insert(node.domain);
  domains.insert("");
  for (const std::string& domain : domains) {
    ::onnx::OperatorSetIdProto& set = *model.add_opset_import();
    set.set_domain(domain);
    set.set_version(domain.empty() ? graph.opset : 1);
  }
  for (const auto& [key, value] : graph.metadata) {
    ::onnx::StringStringEntryProto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  ::onnx::GraphProto& proto = *model.mutable_graph();
  proto.set_name(graph.name.empty() ? "graph" : graph.name);  // ONNX wants one
  for (const GraphNode& node : graph.nodes) fill(*proto.add_node(), node);
  for (const auto& [name, tensor] : graph.constants) fill(*proto.add_initializer(), name, tensor);
  for (const GraphValue& value : graph.inputs) fill(*proto.add_input(), value);
  for (const GraphValue& value : graph.outputs) fill(*proto.add_output(), value);
}

}  // namespace

std::string onnx_bytes(const Graph& graph) {
  check_size(graph);
  ::onnx::ModelProto model;
  fill(model, graph);
  const std::size_t bytes = model.ByteSizeLong();
  if (bytes > static_cast<std::size_t>(most_file_bytes)) {
    fail<ValueError>("write_onnx: the graph has ", bytes, " bytes, a file of ONNX at most ",
                     most_file_bytes);
  }
  std::string text;
  if (!model.SerializeToString(&text)) fail<ValueError>("write_onnx: the graph cannot be written");
  return text;
}

void write_onnx(const Graph& graph, const std::string& path) {
  write_file_atomically(path, onnx_bytes(graph));
}

}  // namespace gradus::interchange
