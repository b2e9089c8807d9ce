// What is asked of a graph without computing it.
#include <gradus/core/error.h>
#include <gradus/core/words.h>
#include <gradus/interchange/graph.h>

#include <charconv>

namespace gradus::interchange {
namespace {

using Kind = Attribute::Kind;

/// Has the attribute what its kind says?
bool holds(const Attribute& attribute, Kind kind) {
  if (attribute.kind != kind) return false;
  if (kind == Kind::integer) return !attribute.ints.empty();
  if (kind == Kind::real) return !attribute.floats.empty();
  return kind != Kind::text || !attribute.texts.empty();
}

/// The attribute, if there is one; throws where it is of another kind, which nobody may take for one left out.
const Attribute* of_kind(const GraphNode& node, const std::string& name, Kind kind,
                         const char* what) {
  const Attribute* found = node.find(name);
  if (found != nullptr && !holds(*found, kind)) {
    fail<BadDataError>(node.op, ": attribute ", in_quotes(name), " is not ", what,
                       ", which is expected");
  }
  return found;
}

}  // namespace

const Attribute* GraphNode::find(const std::string& attribute) const {
  for (const Attribute& candidate : attributes) {
    if (candidate.name == attribute) return &candidate;
  }
  return nullptr;
}

std::int64_t GraphNode::integer(const std::string& attribute, std::int64_t otherwise) const {
  const Attribute* found = of_kind(*this, attribute, Kind::integer, "a whole number");
  return found == nullptr ? otherwise : found->ints[0];
}

double GraphNode::real(const std::string& attribute, double otherwise) const {
  const Attribute* found = of_kind(*this, attribute, Kind::real, "a number");
  return found == nullptr ? otherwise : as_written(found->floats[0]);
}

std::string GraphNode::text(const std::string& attribute, const std::string& otherwise) const {
  const Attribute* found = of_kind(*this, attribute, Kind::text, "a text");
  return found == nullptr ? otherwise : found->texts[0];
}

std::vector<std::int64_t> GraphNode::integers(const std::string& attribute,
                                              const std::vector<std::int64_t>& otherwise) const {
  const Attribute* found = of_kind(*this, attribute, Kind::integers, "a list of whole numbers");
  return found == nullptr ? otherwise : found->ints;
}

std::vector<double> GraphNode::reals(const std::string& attribute) const {
  const Attribute* found = of_kind(*this, attribute, Kind::reals, "a list of numbers");
  std::vector<double> numbers;
  if (found == nullptr) return numbers;
  for (const float number : found->floats) numbers.push_back(as_written(number));
  return numbers;
}

std::vector<std::string> GraphNode::texts(const std::string& attribute) const {
  const Attribute* found = of_kind(*this, attribute, Kind::texts, "a list of texts");
  return found == nullptr ? std::vector<std::string>() : found->texts;
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
