// From the nodes of a step to boxes: all that one call of a layer runs is one box, an op outside of any layer
// another. Then the same boxes as SVG or for Graphviz.
#include <gradus/core/error.h>
#include <gradus/gradcheck/detail/plot.h>
#include <gradus/report/detail/layout.h>
#include <gradus/report/graph.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <utility>

namespace gradus {
namespace {

constexpr double box_height = 46;
constexpr double row_height = 96;
constexpr double margin = 20;
constexpr double letter = 7.4;  // of a line of 12 pixels, at most
constexpr double box_padding = 24;
constexpr double least_width = 84;

struct GraphBox {
  std::string name;  // "features.0 · Conv2d"
  std::string detail;
  bool is_end = false;  // the images, or what the net gives
};

struct GraphEdge {
  std::size_t from;
  std::size_t to;
  Shape shape;
  auto operator<=>(const GraphEdge& other) const {
    return std::pair(from, to) <=> std::pair(other.from, other.to);
  }
};

struct Graph {
  std::vector<GraphBox> boxes;
  std::set<GraphEdge> edges;
};

class GraphMaker {
 public:
  explicit GraphMaker(const Trace& trace) : trace_(trace), box_of_(trace.nodes.size(), no_index) {
    if (trace.nodes.empty() || trace.images == no_index || trace.output == no_index)
      fail<ValueError>("graph: the trace has no nodes");
    find_needed();
    for (std::size_t i = 0; i < trace_.nodes.size(); ++i)
      if (needed_[i]) add(i);
    const std::size_t last = graph.boxes.size();
    graph.boxes.push_back({"output", to_string(trace.nodes[trace.output].shape), true});
    graph.edges.insert({box_of_[trace.output], last, trace.nodes[trace.output].shape});
  }
  Graph graph{};

 private:
  /// What the output is made of: neither the loss, nor parameters.
  void find_needed() {
    needed_.resize(trace_.nodes.size());
    needed_[trace_.output] = true;
    for (std::size_t i = trace_.nodes.size(); i-- > 0;) {
      if (!needed_[i]) continue;
      for (const std::size_t input : trace_.nodes[i].inputs)
        if (input != no_index) needed_[input] = true;
    }
    for (std::size_t i = 0; i < trace_.nodes.size(); ++i) {
      const TraceNode& node = trace_.nodes[i];
      if (node.op == "leaf" && node.role != TraceRole::input) needed_[i] = false;
    }
    needed_[trace_.images] = true;
  }

  void add(std::size_t index) {
    const TraceNode& node = trace_.nodes[index];
    const std::size_t box = box_for(index);
    box_of_[index] = box;
    for (const std::size_t input : node.inputs) {
      if (input == no_index || box_of_[input] == no_index || box_of_[input] == box) continue;
      graph.edges.insert({box_of_[input], box, trace_.nodes[input].shape});
    }
    graph.boxes[box].detail = to_string(node.shape);  // of the last op of a layer
  }

  std::size_t box_for(std::size_t index) {
    const TraceNode& node = trace_.nodes[index];
    const bool in_layer = node.module != no_index && !trace_.modules[node.module].has_children;
    if (in_layer && node.role != TraceRole::input) {
      const std::pair call(node.module, node.call);
      const auto known = box_of_call_.find(call);
      // Two calls that no hook told apart are two, where something else lies between them.
      if (known != box_of_call_.end() && !takes_from_behind(node, known->second))
        return known->second;
      box_of_call_[call] = graph.boxes.size();
      const TraceModule& module = trace_.modules[node.module];
      const std::size_t calls = ++calls_of_[node.module];
      std::string name = module.path.empty() ? module.type : module.path + " · " + module.type;
      if (calls > 1) name += text_of(" · call ", calls);
      graph.boxes.push_back({std::move(name), {}});
    } else {
      graph.boxes.push_back(
          {node.name.empty() ? node.op : node.name, {}, node.role == TraceRole::input});
    }
    return graph.boxes.size() - 1;
  }

  bool takes_from_behind(const TraceNode& node, std::size_t box) const {
    return std::any_of(node.inputs.begin(), node.inputs.end(), [&](std::size_t input) {
      return input != no_index && box_of_[input] != no_index && box_of_[input] > box;
    });
  }

  const Trace& trace_;
  std::vector<bool> needed_;
  std::vector<std::size_t> box_of_;
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> box_of_call_;
  std::map<std::size_t, std::size_t> calls_of_;
};

std::string dot_text(std::string_view text) {
  std::string safe = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') safe += '\\';
    safe += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return safe + '"';
}

/// Letters, not bytes of UTF-8.
double width_of(const std::string& text) {
  const auto letters = std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  });
  return letter * static_cast<double>(letters);
}

constexpr std::string_view graph_style = R"(<style>
svg { color-scheme: light dark; font: 12px system-ui, sans-serif; }
.paper { fill: #ffffff; } .box { fill: #eef3fb; stroke: #3b6ea8; } .end { fill: #f4f4f4; stroke: #666666; }
.edge { fill: none; stroke: #666666; } .tip { fill: #666666; }
text { fill: #1a1a1a; text-anchor: middle; } .shape { fill: #4a4a4a; }
.label { text-anchor: start; paint-order: stroke; stroke: #ffffff; stroke-width: 3px; }
@media (prefers-color-scheme: dark) {
.paper { fill: #16181d; } .box { fill: #1f2c3f; stroke: #86b3e8; } .end { fill: #2a2c31; stroke: #a0a0a0; }
.edge { stroke: #a0a0a0; } .tip { fill: #a0a0a0; } text { fill: #f0f0f0; } .shape { fill: #c4c4c4; }
.label { stroke: #16181d; }
}
</style>
)";

double top_of(std::size_t row) { return margin + row_height * static_cast<double>(row); }

/// From the lower side of a box to the upper side of another, by a point in each row between.
std::string path_of(const detail::Layout& layout, const detail::LayoutEdge& edge) {
  PlainText path;
  std::size_t row = layout.boxes[edge.from].row;
  double x = layout.boxes[edge.from].x + margin;
  path << "M" << x << " " << top_of(row) + box_height;
  std::vector<double> points = edge.through;
  points.push_back(layout.boxes[edge.to].x);
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double start = top_of(row) + box_height;
    const double end = top_of(++row);
    const double middle = (start + end) / 2;
    const double next = points[i] + margin;
    path << " C" << x << " " << middle << " " << next << " " << middle << " " << next << " " << end;
    if (i + 1 < points.size()) path << " V" << end + box_height;
    x = next;
  }
  return path.str();
}

detail::Layout layout_of(const Graph& graph) {
  detail::Layout layout;
  for (const GraphBox& box : graph.boxes) {
    const double text = std::max(width_of(box.name), width_of(box.detail));
    layout.boxes.push_back({std::max(text + box_padding, least_width)});
  }
  for (const GraphEdge& edge : graph.edges) layout.edges.push_back({edge.from, edge.to});
  detail::lay_out(layout);
  return layout;
}

}  // namespace

std::string graph_svg(const Trace& trace) {
  const Graph graph = GraphMaker(trace).graph;
  const detail::Layout layout = layout_of(graph);
  constexpr double label_room = 90;  // an edge's shape stands right of it
  const double width = layout.width + 2 * margin + label_room;
  const double height = top_of(layout.rows - 1) + box_height + margin;
  PlainText svg;
  svg << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " << width << " " << height
      << "\" width=\"" << width << "\" height=\"" << height << "\" role=\"img\">\n<title>"
      << plot::escape(trace.modules[0].type) << "</title>\n"
      << graph_style << "<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n"
      << "<defs><marker id=\"tip\" markerWidth=\"8\" markerHeight=\"8\" refX=\"7\" refY=\"4\" "
         "orient=\"auto\"><path class=\"tip\" d=\"M0 0 L8 4 L0 8 z\"/></marker></defs>\n";
  auto shape = graph.edges.begin();
  for (const detail::LayoutEdge& edge : layout.edges) {
    const double x = (edge.through.empty() ? layout.boxes[edge.to].x : edge.through[0]) + margin;
    const double y = top_of(layout.boxes[edge.from].row + 1) - 10;
    svg << "<path class=\"edge\" marker-end=\"url(#tip)\" d=\"" << path_of(layout, edge)
        << "\"/>\n<text class=\"shape label\" x=\"" << x + 6 << "\" y=\"" << y << "\">"
        << plot::escape(to_string((shape++)->shape)) << "</text>\n";
  }
  for (std::size_t i = 0; i < graph.boxes.size(); ++i) {
    const detail::LayoutBox& box = layout.boxes[i];
    const double x = box.x + margin;
    const double y = top_of(box.row);
    svg << "<rect class=\"" << (graph.boxes[i].is_end ? "end" : "box") << "\" rx=\"6\" x=\""
        << x - box.width / 2 << "\" y=\"" << y << "\" width=\"" << box.width << "\" height=\""
        << box_height << "\"/>\n<text x=\"" << x << "\" y=\"" << y + 19 << "\">"
        << plot::escape(graph.boxes[i].name) << "</text>\n<text class=\"shape\" x=\"" << x
        << "\" y=\"" << y + 36 << "\">" << plot::escape(graph.boxes[i].detail) << "</text>\n";
  }
  svg << "</svg>\n";
  return svg.str();
}

std::string graph_dot(const Trace& trace) {
  const Graph graph = GraphMaker(trace).graph;
  PlainText dot;
  dot << "digraph " << dot_text(trace.modules[0].type)
      << " {\n  node [shape=box, style=rounded];\n";
  for (std::size_t i = 0; i < graph.boxes.size(); ++i) {
    // \n within quotes is Graphviz's own line break.
    const std::string name = dot_text(graph.boxes[i].name);
    const std::string shape = dot_text(graph.boxes[i].detail);
    dot << "  n" << i << " [label=" << name.substr(0, name.size() - 1) << "\\n"
        << shape.substr(1) << "];\n";
  }
  for (const GraphEdge& edge : graph.edges)
    dot << "  n" << edge.from << " -> n" << edge.to << " [label=" << dot_text(to_string(edge.shape))
        << "];\n";
  dot << "}\n";
  return dot.str();
}

}  // namespace gradus
