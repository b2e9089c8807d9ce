// What is asked of a graph without computing it.
#include <gradus/core/error.h>
#include <gradus/core/words.h>
#include <gradus/interchange/graph.h>

#include <charconv>
#include <string_view>

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

/// "a whole number"
std::string_view words(Kind kind) {
  constexpr std::string_view of_each[]{
      "a whole number",          "a number",          "a text",         "a tensor",
      "a list of whole numbers", "a list of numbers", "a list of texts"};
  return of_each[static_cast<std::size_t>(kind)];
}

/// The attribute, if there is one; throws where it is of another kind, which nobody may take for one left out.
const Attribute* of_kind(const GraphNode& node, const std::string& name, Kind kind) {
  const Attribute* found = node.find(name);
  if (found == nullptr || holds(*found, kind)) return found;
  if (found->kind == kind)
    fail<BadDataError>(node.op, ": attribute ", in_quotes(name), " has no value: ", words(kind),
                       " is expected");
  fail<BadDataError>(node.op, ": attribute ", in_quotes(name), " is ", words(found->kind), ", not ",
                     words(kind));
}

}  // namespace

const Attribute* GraphNode::find(const std::string& attribute) const {
  for (const Attribute& candidate : attributes) {
    if (candidate.name == attribute) return &candidate;
  }
  return nullptr;
}

std::int64_t GraphNode::integer(const std::string& attribute, std::int64_t otherwise) const {
  const Attribute* found = of_kind(*this, attribute, Kind::integer);
  return found == nullptr ? otherwise : found->ints[0];
}

double GraphNode::real(const std::string& attribute, double otherwise) const {
  const Attribute* found = of_kind(*this, attribute, Kind::real);
  return found == nullptr ? otherwise : as_written(found->floats[0]);
}

std::string GraphNode::text(const std::string& attribute, const std::string& otherwise) const {
  const Attribute* found = of_kind(*this, attribute, Kind::text);
  return found == nullptr ? otherwise : found->texts[0];
}

std::vector<std::int64_t> GraphNode::integers(const std::string& attribute,
                                              const std::vector<std::int64_t>& otherwise) const {
  const Attribute* found = of_kind(*this, attribute, Kind::integers);
  return found == nullptr ? otherwise : found->ints;
}

std::vector<double> GraphNode::reals(const std::string& attribute) const {
  const Attribute* found = of_kind(*this, attribute, Kind::reals);
  std::vector<double> numbers;
  if (found == nullptr) return numbers;
  for (const float number : found->floats) numbers.push_back(as_written(number));
  return numbers;
}

std::vector<std::string> GraphNode::texts(const std::string& attribute) const {
  const Attribute* found = of_kind(*this, attribute, Kind::texts);
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
