// The picture of a net: a box for each call of a layer, an edge for each value, no two boxes on one place.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/models.h>
#include <gradus/layers/recurrent.h>
#include <gradus/layers/sequential.h>
#include <gradus/layers/shape.h>
#include <gradus/report/graph.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "support/error_message.h"

using namespace gradus;

namespace {

Trace traced(Module& net, const Shape& shape) {
  return trace_step(net, ones(shape), [](const Variable& y) { return sum(y); }, {.values = false});
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++count;
  return count;
}

struct GraphRectangle {
  double x, y, width, height;
  bool overlaps(const GraphRectangle& other) const {
    return x < other.x + other.width && other.x < x + width && y < other.y + other.height &&
           other.y < y + height;
  }
};

std::vector<GraphRectangle> rectangles(const std::string& svg) {
  const std::regex rect(
      "<rect class=\"(?:box|end)\" rx=\"6\" x=\"([-0-9.e+]+)\" y=\"([-0-9.e+]+)\" "
      "width=\"([-0-9.e+]+)\" height=\"([-0-9.e+]+)\"/>");
  std::vector<GraphRectangle> found;
  for (std::sregex_iterator at(svg.begin(), svg.end(), rect), end; at != end; ++at)
    found.push_back(
        {std::stod((*at)[1]), std::stod((*at)[2]), std::stod((*at)[3]), std::stod((*at)[4])});
  return found;
}

/// Every tag that opens closes, and in order.
bool is_balanced(const std::string& svg) {
  const std::regex tag("<(/?)([a-z]+)[^<>]*?(/?)>");
  std::vector<std::string> open;
  for (std::sregex_iterator at(svg.begin(), svg.end(), tag), end; at != end; ++at) {
    if ((*at)[3].length() > 0) continue;
    if ((*at)[1].length() == 0) {
      open.push_back((*at)[2]);
    } else {
      if (open.empty() || open.back() != (*at)[2]) return false;
      open.pop_back();
    }
  }
  return open.empty();
}

/// A layer that is called twice, and a sum with a way around it.
struct Around final : Module {
  Linear layer{3, 3};
  void visit(Visitor& v) override { v("<a & \"b\">", layer); }
  Variable forward(const Variable& x) override { return x + layer(relu(layer(x))); }
};

/// A layer that takes a list, called twice with an op between.
struct Lists final : Module {
  LSTM lstm{3, 3, {.batch_first = true}};
  void visit(Visitor& v) override { v("lstm", lstm); }
  Variable forward(const Variable& x) override { return lstm({relu(lstm({x})[0])})[0]; }
};

}  // namespace

TEST_CASE("a net without branches is a row of its layers, with the shapes between them") {
  Sequential net{Conv2d{1, 2, 3}, ReLU{}, Flatten{}, Linear{72, 5}};
  const std::string dot = graph_dot(traced(net, {4, 1, 8, 8}));
  CHECK(dot ==
        "digraph \"Sequential\" {\n"
        "  node [shape=box, style=rounded];\n"
        "  n0 [label=\"images\\n[4,1,8,8]\"];\n"
        "  n1 [label=\"0 · Conv2d\\n[4,2,6,6]\"];\n"
        "  n2 [label=\"1 · ReLU\\n[4,2,6,6]\"];\n"
        "  n3 [label=\"2 · Flatten\\n[4,72]\"];\n"
        "  n4 [label=\"3 · Linear\\n[4,5]\"];\n"
        "  n5 [label=\"output\\n[4,5]\"];\n"
        "  n0 -> n1 [label=\"[4,1,8,8]\"];\n"
        "  n1 -> n2 [label=\"[4,2,6,6]\"];\n"
        "  n2 -> n3 [label=\"[4,2,6,6]\"];\n"
        "  n3 -> n4 [label=\"[4,72]\"];\n"
        "  n4 -> n5 [label=\"[4,5]\"];\n"
        "}\n");
}

TEST_CASE("branches, shared layers and ops of the net's own are seen, and names are escaped") {
  Around net;
  const Trace trace = traced(net, {2, 3});
  const std::string dot = graph_dot(trace);
  CHECK(contains(dot, "n1 [label=\"<a & \\\"b\\\"> · Linear\\n[2,3]\"]"));
  CHECK(contains(dot, "n3 [label=\"<a & \\\"b\\\"> · Linear · call 2\\n[2,3]\"]"));
  CHECK(contains(dot, "n4 [label=\"add\\n[2,3]\"]"));
  CHECK(contains(dot, "n0 -> n4"));
  CHECK(contains(dot, "n3 -> n4"));
  const std::string svg = graph_svg(trace);
  CHECK(is_balanced(svg));
  CHECK(count_of(svg, "&lt;a &amp; &quot;b&quot;&gt; · Linear") == 2);
  CHECK(count_of(svg, "class=\"edge\"") == count_of(dot, " -> "));
  CHECK(contains(svg, "prefers-color-scheme: dark"));
}

TEST_CASE("two calls of a layer that takes lists do not make a circle") {
  Lists net;
  const std::string dot = graph_dot(traced(net, {2, 4, 3}));
  const std::regex edge("n([0-9]+) -> n([0-9]+)");
  int edges = 0;
  for (std::sregex_iterator at(dot.begin(), dot.end(), edge), end; at != end; ++at, ++edges)
    CHECK(std::stoi((*at)[1]) < std::stoi((*at)[2]));
  CHECK(edges > 3);
  CHECK(contains(dot, "lstm · LSTM · call 2"));
}

TEST_CASE("in the pictures of all models no two boxes lie on one place, and all lie on the paper") {
  for (const std::string& name : model_names()) {
    CAPTURE(name);
    const std::int64_t side = name == "lenet" ? 28 : 32;
    Sequential net = make_model(name, {.channels = 1, .height = side, .width = side});
    const std::string svg = graph_svg(traced(net, {2, 1, side, side}));
    const std::vector<GraphRectangle> boxes = rectangles(svg);
    REQUIRE(boxes.size() > 4);
    std::smatch size;
    REQUIRE(std::regex_search(svg, size, std::regex("viewBox=\"0 0 ([0-9.]+) ([0-9.]+)\"")));
    for (std::size_t i = 0; i < boxes.size(); ++i) {
      CHECK(boxes[i].x >= 0);
      CHECK(boxes[i].x + boxes[i].width <= std::stod(size[1]));
      CHECK(boxes[i].y + boxes[i].height <= std::stod(size[2]));
      for (std::size_t k = 0; k < i; ++k) CHECK_FALSE(boxes[i].overlaps(boxes[k]));
    }
    CHECK(is_balanced(svg));
  }
}

TEST_CASE("a trace of nothing has no graph") {
  CHECK(message_of<ValueError>([] { graph_svg(Trace{}); }) == "graph: the trace has no nodes");
  CHECK(message_of<ValueError>([] { graph_dot(Trace{}); }) == "graph: the trace has no nodes");
  Around net;
  Trace without_output = traced(net, {2, 3});
  without_output.output = no_index;
  CHECK(message_of<ValueError>([&] { graph_dot(without_output); }) ==
        "graph: the trace has no nodes");
}
