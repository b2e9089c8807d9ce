// ONNX files as they are written: read back they are the same graph, and what was there stays when writing fails.
#include <doctest/doctest.h>
#include <gradus/core/error.h>
#include <gradus/interchange/onnx_file.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <limits>

#include "interchange/zoo.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"

using namespace gradus;
using namespace gradus::interchange;

namespace {

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.defined() != b.defined()) return false;
  if (!a.defined()) return true;
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  const Tensor left = a.contiguous();
  const Tensor right = b.contiguous();
  const auto bytes = static_cast<std::size_t>(a.numel() * size_of(a.dtype()));
  return dispatch_stored(a.dtype(), [&]<class T>() {
    return bytes == 0 || std::memcmp(left.data<T>(), right.data<T>(), bytes) == 0;
  });
}

void check_same(const Attribute& a, const Attribute& b) {
  CHECK(a.name == b.name);
  CHECK(a.kind == b.kind);
  CHECK(a.ints == b.ints);
  CHECK(a.floats == b.floats);
  CHECK(a.texts == b.texts);
  CHECK(same_bits(a.tensor, b.tensor));
}

void check_same(const GraphValue& a, const GraphValue& b) {
  CHECK(a.name == b.name);
  CHECK(a.dtype == b.dtype);
  CHECK(a.has_shape == b.has_shape);
  CHECK(a.shape == b.shape);
  CHECK(a.axis_names == b.axis_names);
}

void check_same(const GraphNode& a, const GraphNode& b) {
  CHECK(a.op == b.op);
  CHECK(a.domain == b.domain);
  CHECK(a.name == b.name);
  CHECK(a.inputs == b.inputs);
  CHECK(a.outputs == b.outputs);
  REQUIRE(a.attributes.size() == b.attributes.size());
  for (std::size_t i = 0; i < a.attributes.size(); ++i)
    check_same(a.attributes[i], b.attributes[i]);
}

void check_same(const Graph& a, const Graph& b) {
  CHECK(a.name == b.name);
  CHECK(a.opset == b.opset);
  CHECK(a.metadata == b.metadata);
  REQUIRE(a.nodes.size() == b.nodes.size());
  for (std::size_t i = 0; i < a.nodes.size(); ++i) check_same(a.nodes[i], b.nodes[i]);
  REQUIRE(a.constants.size() == b.constants.size());
  for (std::size_t i = 0; i < a.constants.size(); ++i) {
    CHECK(a.constants[i].first == b.constants[i].first);
    CHECK(same_bits(a.constants[i].second, b.constants[i].second));
  }
  REQUIRE(a.inputs.size() == b.inputs.size());
  for (std::size_t i = 0; i < a.inputs.size(); ++i) check_same(a.inputs[i], b.inputs[i]);
  REQUIRE(a.outputs.size() == b.outputs.size());
  for (std::size_t i = 0; i < a.outputs.size(); ++i) check_same(a.outputs[i], b.outputs[i]);
}

Attribute attribute(std::string name, Attribute::Kind kind) {
  Attribute made;
  made.name = std::move(name);
  made.kind = kind;
  return made;
}

/// y = op(x), with one attribute of each kind and a constant of each dtype.
Graph everything() {
  Graph graph;
  graph.name = "everything";
  graph.opset = 15;
  GraphNode node{.op = "Odd",
                 .domain = "org.example",
                 .name = "a \"name\", ä",
                 .inputs = {"x", "", "float64"},
                 .outputs = {"y", ""},
                 .attributes = {}};
  using Kind = Attribute::Kind;
  node.attributes = {attribute("i", Kind::integer),   attribute("f", Kind::real),
                     attribute("s", Kind::text),      attribute("t", Kind::tensor),
                     attribute("is", Kind::integers), attribute("fs", Kind::reals),
                     attribute("ss", Kind::texts),    attribute("none", Kind::integers)};
  node.attributes[0].ints = {std::numeric_limits<std::int64_t>::min()};
  node.attributes[1].floats = {-0.0F};
  node.attributes[2].texts = {std::string("\0\xff", 2)};
  node.attributes[3].tensor = Tensor::from({{1, 2}, {3, 4}});
  node.attributes[4].ints = {3, -1};
  node.attributes[5].floats = {1e-45F, std::numeric_limits<float>::infinity()};
  node.attributes[6].texts = {"Tanh", ""};
  graph.nodes.push_back(node);
  const Tensor numbers = Tensor::from({{0.0, 1.0, 2.5}, {1e30, 3.0, 4.0}});
  for (const DType dtype : {float32, float64, int64, uint8, boolean, float16, bfloat16}) {
    graph.constants.emplace_back(std::string(to_string(dtype)),
                                 (dtype == uint8 ? Tensor::from({7, 255}) : numbers).to(dtype));
  }
  graph.constants.emplace_back("turned", numbers.transpose());
  graph.constants.emplace_back("scalar", Tensor::scalar(2));
  graph.constants.emplace_back("empty", Tensor::empty({0, 3}));
  graph.inputs.push_back(
      {.name = "x", .dtype = int64, .shape = {-1, 3, -1}, .axis_names = {"N", "", ""}});
  graph.outputs.push_back({.name = "y", .has_shape = false, .shape = {}, .axis_names = {}});
  graph.metadata = {{"key", "a value"}, {"empty", ""}};
  return graph;
}

}  // namespace

TEST_CASE("every net of the zoo is the same graph when it is read back") {
  for (zoo::Net& net : zoo::all()) {
    CAPTURE(net.name);
    const Graph graph = graph_of(*net.net, net.example, net.options);
    const Graph back = parse_onnx(onnx_bytes(graph), net.name);
    check_same(graph, back);
    CHECK(back.producer == "gradus");
  }
}

TEST_CASE("attributes of all kinds, constants of all dtypes and axes without a size come back") {
  check_same(everything(), parse_onnx(onnx_bytes(everything()), "everything"));
}

TEST_CASE("a cast to an integer type is written as its numbers are held beside it") {
  const Attribute to = [] {
    Attribute made;
    made.name = "to";
    made.ints = {6};  // int32
    return made;
  }();
  Graph graph;
  graph.nodes = {{.op = "Cast",
                  .domain = "",
                  .name = "",
                  .inputs = {"x"},
                  .outputs = {"y"},
                  .attributes = {to}}};
  graph.inputs = {{.name = "x", .dtype = int64, .has_shape = false, .shape = {}, .axis_names = {}}};
  graph.outputs = {
      {.name = "y", .dtype = int64, .has_shape = false, .shape = {}, .axis_names = {}}};
  const Graph back = interchange::parse_onnx(interchange::onnx_bytes(graph), "graph");
  CHECK(back.nodes[0].attributes[0].ints == std::vector<std::int64_t>{7});
}

TEST_CASE("the same graph gives the same bytes, and another's producer stays") {
  Graph graph = everything();
  CHECK(onnx_bytes(graph) == onnx_bytes(everything()));
  graph.producer = "somebody";
  CHECK(parse_onnx(onnx_bytes(graph), "").producer == "somebody");
}

TEST_CASE("constants of more than 2 GB are refused before they are copied") {
  Graph graph;
  graph.constants.emplace_back("large", zeros({1}).expand({std::int64_t{1} << 29}));
  graph.constants.emplace_back("small", zeros({1}));
  CHECK(message_of<ValueError>([&] { onnx_bytes(graph); }) ==
        "write_onnx: the constants have 2147483652 bytes, a file of ONNX at most 2147483647");
}

TEST_CASE("a file is replaced as a whole or not at all") {
  const TemporaryFolder folder;
  const std::string path = folder / "net.onnx";
  write_bytes(path, "an old file");
  {
    std::signal(SIGXFSZ, SIG_IGN);  // a full disk, in small
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit small{100, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
    const std::string message = message_of([&] { write_onnx(everything(), path); });
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, SIG_DFL);
    CHECK(contains(message, path));
  }
  CHECK(read_bytes(path) == "an old file");
  CHECK(folder.entries() == 1);
  write_onnx(everything(), path);
  CHECK(read_bytes(path) == onnx_bytes(everything()));
  CHECK(folder.entries() == 1);
  check_same(everything(), read_onnx(path));
}

TEST_CASE("folders, devices and folders that are not there are told by their names") {
  const TemporaryFolder folder;
  for (const std::string& path :
       {folder.path().string(), (folder / "no/net.onnx").string(), std::string("/dev/full"),
        std::string("/dev/null"), std::string()}) {
    CAPTURE(path);
    CHECK(contains(message_of<IoError>([&] { write_onnx(everything(), path); }), path));
  }
  CHECK(folder.entries() == 0);
}
