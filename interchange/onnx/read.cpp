// From protobuf's messages to a Graph; what the messages hold is checked here, once.
#include <gradus/core/words.h>
#include <gradus/interchange/onnx/limits.h>
#include <gradus/interchange/onnx/tensor.h>
#include <gradus/interchange/onnx_file.h>
#include <gradus/io/input_file.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

namespace gradus::interchange {
namespace {

/// What protobuf can parse.
constexpr std::int64_t most_bytes = (std::int64_t{1} << 31) - 1;

[[noreturn]] void refuse_size(const std::string& label, std::int64_t size) {
  fail<BadDataError>(label, ": has ", size, " bytes, protobuf reads at most ", most_bytes);
}

class Reader {
 public:
  Reader(std::string label, std::string folder)
      : label_(std::move(label)), folder_(std::move(folder)) {}

  Graph model(std::string_view bytes) {
    if (std::ssize(bytes) > most_bytes) refuse_size(label_, std::ssize(bytes));
    check_limits(bytes, label_);
    onnx::ModelProto from;
    if (!from.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
      fail<BadDataError>(label_, ": no ONNX file, or damaged");
    if (!from.has_graph()) fail<BadDataError>(label_, ": no ONNX file: it has no graph");
    graph_.opset = opset(from);
    graph_.producer = from.producer_name();
    for (const onnx::StringStringEntryProto& entry : from.metadata_props())
      graph_.metadata.emplace_back(entry.key(), entry.value());
    read(from.graph());
    return std::move(graph_);
  }

  /// Paths of the files that data of the model were in.
  const std::set<std::string>& external_files() const { return external_files_; }

 private:
  std::int64_t opset(const onnx::ModelProto& from) const {
    std::int64_t version = 1;
    for (const onnx::OperatorSetIdProto& set : from.opset_import()) {
      if (set.domain().empty() || set.domain() == "ai.onnx") version = set.version();
    }
    if (version < oldest_opset || version > newest_opset) {
      fail<BadDataError>(label_, ": is of opset ", version, ", read are ", oldest_opset, " to ",
                         newest_opset);
    }
    return version;
  }

  void read(const onnx::GraphProto& from) {
    graph_.name = from.name();
    if (from.sparse_initializer_size() > 0)
      fail<BadDataError>(label_, ": has sparse initializers, dense ones are read");
    for (const onnx::TensorProto& tensor : from.initializer()) {
      const std::string place = label_ + ": initializer " + in_quotes(tensor.name());
      introduce(tensor.name(), place);
      graph_.constants.emplace_back(tensor.name(), read_tensor(tensor, place));
    }
    // Files of IR version 3 list their initializers among the inputs.
    const std::set<std::string> constants = known_;
    for (const onnx::ValueInfoProto& input : from.input()) {
      if (constants.contains(input.name())) continue;
      const std::string place = label_ + ": input " + in_quotes(input.name());
      introduce(input.name(), place);
      graph_.inputs.push_back(value(input, place));
    }
    for (const onnx::NodeProto& made : from.node()) {
      for (const std::string& output : made.output()) later_.emplace(output, made.op_type());
    }
    for (const onnx::NodeProto& made : from.node()) node(made);
    for (const onnx::ValueInfoProto& output : from.output()) {
      const std::string place = label_ + ": output " + in_quotes(output.name());
      if (!known_.contains(output.name()))
        fail<BadDataError>(place, ": neither a node nor an input gives it");
      graph_.outputs.push_back(value(output, place));
    }
    if (graph_.outputs.empty()) fail<BadDataError>(label_, ": has 0 outputs, 1 or more expected");
  }

  /// Every name is given once.
  void introduce(const std::string& name, const std::string& place) {
    if (name.empty()) fail<BadDataError>(place, ": has no name");
    if (!is_utf8(name)) {
      fail<BadDataError>(place, ": gives ", in_quotes(name),
                         ", which is not UTF-8, the text of ONNX files");
    }
    if (!known_.insert(name).second) {
      fail<BadDataError>(place, ": gives ", in_quotes(name),
                         ", which was given before; names are given once");
    }
  }

  GraphValue value(const onnx::ValueInfoProto& from, const std::string& place) const {
    if (!from.type().has_tensor_type())
      fail<BadDataError>(place, ": no tensor; sequences, maps and optional values are not read");
    const onnx::TypeProto_Tensor& type = from.type().tensor_type();
    GraphValue made{.name = from.name(),
                    .dtype = held_as(type.elem_type(), place),
                    .has_shape = type.has_shape(),
                    .shape = {},
                    .axis_names = {}};
    if (type.shape().dim_size() > Shape::max_rank) {
      fail<BadDataError>(place, ": has ", type.shape().dim_size(), " dimensions, a tensor at most ",
                         Shape::max_rank);
    }
    for (const onnx::TensorShapeProto_Dimension& axis : type.shape().dim()) {
      if (axis.has_dim_value() && axis.dim_value() < 0) {
        fail<BadDataError>(place, ": a size of ", axis.dim_value(), ", 0 or more expected");
      }
      made.shape.push_back(axis.has_dim_value() ? axis.dim_value() : -1);
      made.axis_names.push_back(axis.dim_param());
    }
    return made;
  }

  void node(const onnx::NodeProto& from) {
    GraphNode made{.op = from.op_type(),
                   .domain = from.domain() == "ai.onnx" ? "" : from.domain(),
                   .name = from.name(),
                   .inputs = {from.input().begin(), from.input().end()},
                   .outputs = {from.output().begin(), from.output().end()},
                   .attributes = {}};
    const std::string place = label_ + ": " + place_of(made, graph_.nodes.size());
    for (const std::string& input : made.inputs) {
      if (input.empty() || known_.contains(input)) continue;
      const auto other = later_.find(input);
      if (other == later_.end())
        fail<BadDataError>(place, ": takes ", in_quotes(input), ", which nothing gives");
      fail<BadDataError>(place, ": takes ", in_quotes(input), ", which ", in_quotes(other->second),
                         " gives that does not stand before it: a cycle, or nodes out of order");
    }
    std::set<std::string> names;
    for (const onnx::AttributeProto& attribute : from.attribute()) {
      const std::string where = place + ": attribute " + in_quotes(attribute.name());
      if (!names.insert(attribute.name()).second)
        fail<BadDataError>(where, ": is given twice, once expected");
      made.attributes.push_back(read_attribute(attribute, where));
    }
    for (const std::string& output : made.outputs) {
      if (!output.empty()) introduce(output, place);
    }
    graph_.nodes.push_back(std::move(made));
  }

  Tensor read_tensor(const onnx::TensorProto& from, const std::string& place) {
    Tensor tensor = tensor_of(from, folder_, place);
    if (from.data_location() == onnx::TensorProto::EXTERNAL) {
      const std::filesystem::path folder = folder_;
      external_files_.insert((folder / external_place(from, place).location).string());
    }
    return tensor;
  }

  Attribute read_attribute(const onnx::AttributeProto& from, const std::string& place) {
    using onnx::AttributeProto;
    Attribute made;
    made.name = from.name();
    switch (from.type()) {
      case AttributeProto::INT:
        made.kind = Attribute::Kind::integer;
        made.ints = {from.i()};
        break;
      case AttributeProto::FLOAT:
        made.kind = Attribute::Kind::real;
        made.floats = {from.f()};
        break;
      case AttributeProto::STRING:
        made.kind = Attribute::Kind::text;
        made.texts = {from.s()};
        break;
      case AttributeProto::TENSOR:
        made.kind = Attribute::Kind::tensor;
        made.tensor = read_tensor(from.t(), place);
        break;
      case AttributeProto::INTS:
        made.kind = Attribute::Kind::integers;
        made.ints = {from.ints().begin(), from.ints().end()};
        break;
      case AttributeProto::FLOATS:
        made.kind = Attribute::Kind::reals;
        made.floats = {from.floats().begin(), from.floats().end()};
        break;
      case AttributeProto::STRINGS:
        made.kind = Attribute::Kind::texts;
        made.texts = {from.strings().begin(), from.strings().end()};
        break;
      case AttributeProto::GRAPH:
      case AttributeProto::GRAPHS:
        fail<BadDataError>(place, ": a graph within a node, which is not read");
      default:
        fail<BadDataError>(place, ": of kind ", static_cast<int>(from.type()),
                           "; known are numbers, texts, tensors and lists of numbers and texts");
    }
    if (names_type(made)) held_as(made.ints[0], place);  // known, or refused
    return made;
  }

  std::string label_;
  std::string folder_;
  Graph graph_;
  std::set<std::string> known_;
  std::set<std::string> external_files_;
  std::map<std::string, std::string> later_;  // what nodes give, and the operators that do
};

std::string bytes_of(const std::string& path) {
  const InputFile file("onnx", path);
  if (file.size() > most_bytes) refuse_size(file.label(), file.size());
  std::string bytes(static_cast<std::size_t>(file.size()), '\0');
  file.read(0, bytes.data(), file.size());
  return bytes;
}

}  // namespace

bool has_onnx() { return true; }

Graph read_onnx(const std::string& path, std::vector<std::string>* external_files) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  Reader reader("onnx: " + printable(path), folder.empty() ? "." : folder);
  Graph graph = reader.model(bytes_of(path));
  if (external_files != nullptr) {
    external_files->insert(external_files->end(), reader.external_files().begin(),
                           reader.external_files().end());
  }
  return graph;
}

Graph parse_onnx(std::string_view bytes, const std::string& label) {
  return Reader("onnx: " + label, "").model(bytes);
}

Tensor read_onnx_tensor(const std::string& path) {
  onnx::TensorProto from;
  const std::string label = "onnx: " + printable(path);
  if (!from.ParseFromString(bytes_of(path)))
    fail<BadDataError>(label, ": no tensor of ONNX, or damaged");
  return tensor_of(from, "", label);
}

}  // namespace gradus::interchange
