// Two trainings side by side.
#include <optional>

#include "json.h"
#include "json_text.h"

namespace gradus::app {
namespace {

/// In ASCII, so that a terminal finds nothing to obey in it.
std::string ascii(const Json& json) {
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

Json to_json_object(const std::optional<EpochRecord>& epoch) {
  if (!epoch) return Json();
  return {{"train_loss", epoch->train_loss},
          {"test_loss", epoch->test_loss},
          {"test_accuracy", epoch->test_accuracy}};
}

Json to_json_object(const StepComparison& steps) {
  Json object{{"left", steps.left}, {"right", steps.right}, {"same", steps.same}};
  object["first_different"] = steps.step == 0 ? Json()
                                              : Json({{"step", steps.step},
                                                      {"left_loss", steps.left_loss},
                                                      {"right_loss", steps.right_loss}});
  return object;
}

Json to_json_object(const TensorDifference& tensor) {
  const auto shape = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
  return {{"name", tensor.name},
          {"left", shape(tensor.left_shape)},
          {"right", shape(tensor.right_shape)},
          {"largest_difference", tensor.largest},
          {"relative_difference", tensor.relative}};
}

}  // namespace

std::vector<SettingDifference> different_rates(const Metrics& left, const Metrics& right) {
  const auto changes = [](const Metrics& metrics) {
    Json list = Json::array();
    for (const RateRecord& change : metrics.rates)
      list.push_back({{"step", change.step}, {"lr", change.lr}});
    return list;
  };
  const Json a = changes(left);
  const Json b = changes(right);
  if (a == b) return {};
  return {{"rates changed by hand", ascii(a), ascii(b)}};
}

std::vector<std::pair<std::string, std::string>> all_settings(const RunRecord& run) {
  const Json json = Json::parse(to_run_json(run));
  std::vector<std::pair<std::string, std::string>> all;
  for (const auto& [key, value] : json.items()) {
    if (key == "last_epoch" || key == "best_epoch" || key == "position" || key == "metrics")
      continue;
    all.emplace_back(key, ascii(value));
  }
  return all;
}

std::vector<SettingDifference> different_settings(const RunRecord& left, const RunRecord& right) {
  const auto a = all_settings(left);
  const auto b = all_settings(right);
  std::vector<SettingDifference> different;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b.at(i)) different.push_back({a[i].first, a[i].second, b[i].second});
  }
  return different;
}

std::string to_json(const Comparison& comparison) {
  Json settings = Json::array();
  for (const SettingDifference& setting : comparison.settings)
    settings.push_back({{"name", setting.name},
                        {"left", Json::parse(setting.left)},
                        {"right", Json::parse(setting.right)}});
  Json epochs = Json::array();
  for (const EpochPair& pair : comparison.epochs)
    epochs.push_back({{"epoch", pair.epoch},
                      {"left", to_json_object(pair.left)},
                      {"right", to_json_object(pair.right)}});
  Json different = Json::array();
  for (const TensorDifference& tensor : comparison.weights)
    different.push_back(to_json_object(tensor));
  return dump_json({{"left", comparison.left},
                    {"right", comparison.right},
                    {"settings", settings},
                    {"epochs", epochs},
                    {"steps", to_json_object(comparison.steps)},
                    {"weights",
                     {{"same", comparison.weights.empty()},
                      {"tensors", comparison.tensors},
                      {"elements", comparison.elements},
                      {"different", different}}}});
}

}  // namespace gradus::app
