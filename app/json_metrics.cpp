// The lines of metrics.jsonl, and back.
#include <gradus/core/words.h>

#include "json.h"
#include "json_text.h"

namespace gradus::app {
namespace {

/// Throws what Json throws.
void add_metrics_line(Metrics& metrics, const Json& json) {
  const std::string event = json.at("event").get<std::string>();
  metrics.diverged = event == "diverged";
  if (event == "step") {
    metrics.steps.push_back({.epoch = json.at("epoch").get<std::int64_t>(),
                             .step = json.at("step").get<std::int64_t>(),
                             .loss = number_at(json, "loss")});
  } else if (event == "parameter") {
    metrics.parameters.push_back({.epoch = json.at("epoch").get<std::int64_t>(),
                                  .movement = {.name = json.at("name").get<std::string>(),
                                               .norm = number_at(json, "norm"),
                                               .gradient_norm = number_at(json, "gradient_norm"),
                                               .update_norm = number_at(json, "update_norm")}});
  } else if (event == "epoch") {
    metrics.epochs.push_back(epoch_from_json(json));
  } else if (event == "rate") {
    metrics.rates.push_back({.epoch = json.at("epoch").get<std::int64_t>(),
                             .step = json.at("step").get<std::int64_t>(),
                             .from = number_at(json, "from"),
                             .lr = number_at(json, "lr"),
                             .base_lr = number_at(json, "base_lr")});
  }
}

/// Numbers without a fraction where there must be none: converting a large one would be undefined.
bool counts_are_whole(const Json& json) {
  for (const char* key : {"epoch", "step"})
    if (json.contains(key) && !json.at(key).is_number_integer()) return false;
  return true;
}

/// Does the last line go on behind the one before?
bool goes_up(const Metrics& metrics) {
  const std::vector<StepRecord>& steps = metrics.steps;
  const std::vector<EpochRecord>& epochs = metrics.epochs;
  const auto last_two_rise = [](const auto& records, auto count) {
    const auto last = records.rbegin();
    return records.empty() || (count(*last) > (records.size() > 1 ? count(*(last + 1)) : 0));
  };
  return last_two_rise(steps, [](const StepRecord& r) { return r.step; }) &&
         last_two_rise(epochs, [](const EpochRecord& r) { return r.epoch; });
}

}  // namespace

std::string to_json(const StepRecord& step) {
  return dump_json(
      {{"event", "step"}, {"epoch", step.epoch}, {"step", step.step}, {"loss", step.loss}});
}

std::string to_json(const ParameterRecord& parameter) {
  const Movement& movement = parameter.movement;
  return dump_json({{"event", "parameter"},
                    {"epoch", parameter.epoch},
                    {"name", movement.name},
                    {"norm", movement.norm},
                    {"gradient_norm", movement.gradient_norm},
                    {"update_norm", movement.update_norm}});
}

std::string diverged_line(const Position& at) {
  return dump_json({{"event", "diverged"}, {"epoch", at.epoch}, {"step", at.step}});
}

std::string to_json(const EpochRecord& epoch) {
  Json line = {{"event", "epoch"}};
  line.update(to_json_object(epoch));
  return dump_json(line);
}

std::string to_json(const RateRecord& change) {
  return dump_json({{"event", "rate"},
                    {"epoch", change.epoch},
                    {"step", change.step},
                    {"from", change.from},
                    {"lr", change.lr},
                    {"base_lr", change.base_lr}});
}

Metrics from_metrics_lines(std::string_view text, const std::string& label) {
  constexpr std::size_t longest = 4096;  // parsed text takes many times its size
  Metrics metrics;
  for (std::int64_t number = 1; !text.empty(); ++number) {
    const std::size_t length = text.find('\n');
    const std::string_view line = text.substr(0, length);
    const auto refuse = [&](const char* what) {
      fail<BadDataError>(label, ": line ", number, ": ", what, ": ", in_quotes(line));
    };
    if (length == text.npos) refuse("has no end");
    if (length > longest) refuse("is longer than 4096 bytes");
    try {
      const Json json = Json::parse(line);
      if (!counts_are_whole(json)) refuse("its epoch or step is no whole number");
      add_metrics_line(metrics, json);
    } catch (const Json::exception&) {
      refuse("is not what a training writes");
    }
    if (!goes_up(metrics)) refuse("does not go on behind the lines before");
    text.remove_prefix(length + 1);
  }
  return metrics;
}

}  // namespace gradus::app
