// What is asked of a graph without computing it.
#include <gradus/core/words.h>
#include <gradus/interchange/graph.h>

#include <charconv>

namespace gradus::interchange {

const Attribute* GraphNode::find(const std::string& attribute) const {
  for (const Attribute& candidate : attributes) {
    if (candidate.name == attribute) return &candidate;
  }
  return nullptr;
}

std::int64_t GraphNode::integer(const std::string& attribute, std::int64_t otherwise) const {
  const Attribute* found = find(attribute);
  return found == nullptr || found->ints.empty() ? otherwise : found->ints[0];
}

double GraphNode::real(const std::string& attribute, double otherwise) const {
  const Attribute* found = find(attribute);
  return found == nullptr || found->floats.empty() ? otherwise : as_written(found->floats[0]);
}

double as_written(float number) {
  char text[64];
  const auto written = std::to_chars(text, text + sizeof text, number);
  double value = static_cast<double>(number);
  std::from_chars(text, written.ptr, value);  // "inf" and "nan" too
  return value;
}

std::string place_of(const GraphNode& node, std::size_t index) {
  std::string place = text_of("node ", index, " ");
  if (!node.domain.empty()) place += without_controls(node.domain.substr(0, 80)) + ".";
  place += without_controls(node.op.substr(0, 80));
  return node.name.empty() ? place : place + " " + in_quotes(node.name);
}

}  // namespace gradus::interchange
