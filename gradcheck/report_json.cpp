// The report as JSON, for machines: keys stay in the order in which they are written here, so that
// a person can read them too. Numbers that JSON does not have (NaN, infinity) become null; bytes
// that are not UTF-8 are replaced.
#include <gradus/gradcheck/gradcheck.h>

#include <vector>

#include <nlohmann/json.hpp>

namespace gradus {
namespace {

using Json = nlohmann::ordered_json;

Json array_of(const Shape& shape) { return std::vector(shape.begin(), shape.end()); }

template <class Range, class F> Json array_of(const Range& range, const F& f) {
  Json array = Json::array();
  for (const auto& each : range) array.push_back(f(each));
  return array;
}

Json json_of(const Diagnosis& diagnosis) {
  return {{"pattern", to_string(diagnosis.pattern)},
          {"certainty", to_string(diagnosis.certainty)},
          {"input", diagnosis.input},
          {"text", diagnosis.text}};
}

Json json_of(const GradcheckEntry& entry) {
  Json json = {{"verdict", to_string(entry.verdict)}, {"input", entry.name}};
  if (entry.direction >= 0) {
    json["direction"] = entry.direction;
  } else {
    json["index"] = array_of(entry.index);
  }
  json["analytic"] = entry.analytic;
  json["numeric"] = entry.numeric;
  json["bound"] = entry.bound;
  if (entry.left < entry.right) {  // a kink
    json["left"] = entry.left;
    json["right"] = entry.right;
  }
  json["absolute_error"] = entry.absolute_error;
  json["relative_error"] = entry.relative_error;
  return json;
}

Json json_of(const GradcheckInput& input) {
  return {{"name", input.name},
          {"shape", array_of(input.analytic.shape())},
          {"connected", input.connected}};
}

Json json_of(const SlopeStep& step) {
  return {{"h", step.h},
          {"left", step.left},
          {"right", step.right},
          {"central", step.central},
          {"rounding", step.rounding}};
}

}  // namespace

std::string GradcheckReport::to_json() const {
  const auto convert = [](const auto& part) { return json_of(part); };
  const Json json = {{"subject", subject},
                     {"order", order},
                     {"verdict", gradus::to_string(verdict)},
                     {"elements", elements},
                     {"directions", directions},
                     {"pass", passed_count},
                     {"kink", kink_count},
                     {"inconclusive", inconclusive_count},
                     {"fail", fail_count},
                     {"worst_relative_error", worst_relative_error},
                     {"diagnoses", array_of(diagnoses, convert)},
                     {"notes", notes},
                     {"not_exercised", not_exercised},
                     {"stopped", stopped},
                     {"worst", array_of(worst, convert)},
                     {"inputs", array_of(inputs, convert)},
                     {"sweep", array_of(sweep, convert)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace gradus
