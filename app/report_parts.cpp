// A training's lines and checkpoint, put into the words of report/report.h and report/vitals.h.
#include "report_parts.h"

#include <gradus/io/safetensors.h>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "kernel_history.h"
#include "run_description.h"

namespace gradus::app {
namespace {

RunState state_of(const RunRecord& run, const Metrics& metrics, bool running) {
  if (running) return RunState::running;
  if (metrics.diverged) return RunState::diverged;
  return run.unfinished() ? RunState::interrupted : RunState::finished;
}

std::optional<double> if_known(double value) {
  return std::isnan(value) ? std::nullopt : std::optional<double>(value);
}

}  // namespace

ReportRun how_it_went(const LoadedRun& s, const Metrics& metrics, const std::string& folder,
                      bool running) {
  const RunRecord& run = s.record;
  const bool trained = running || !s.training_state.empty();  // else an imported net as it came
  ReportRun shown{
      .folder = folder,
      .state = trained ? state_of(run, metrics, running) : RunState::finished,
      .command = trained ? command_of(run.settings) : import_command_of(run.settings, folder),
      .seed = run.settings.seed,
      .checksum = checksum(s.model.state_dict()),
      .settings = described(run, trained)};
  double seconds = 0;
  for (const EpochRecord& epoch : metrics.epochs) {
    shown.epochs.push_back({.epoch = epoch.epoch,
                            .loss = epoch.train_loss,
                            .validation_loss = if_known(epoch.validation_loss),
                            .validation_accuracy = if_known(epoch.validation_accuracy),
                            .test_loss = epoch.test_loss,
                            .test_accuracy = epoch.test_accuracy,
                            .learning_rate = epoch.lr,
                            .seconds = epoch.seconds - seconds});
    seconds = epoch.seconds;
  }
  const std::vector<double> rates = learning_rates(metrics);
  for (std::size_t i = 0; i < rates.size(); ++i) {
    const StepRecord& step = metrics.steps[i];
    shown.steps.push_back({.step = step.step, .loss = step.loss, .learning_rate = rates[i]});
  }
  if (!metrics.rates.empty())
    shown.caveat =
        "The command trains without the changes of the learning rate that were made by hand.";
  for (const RateRecord& change : metrics.rates) {
    shown.settings.emplace_back(fmt::format("learning rate changed after step {}", change.step),
                                fmt::format("from {} to {}", change.from, change.lr));
  }
  return shown;
}

std::vector<ParameterHistory> histories(const LoadedRun& s, const Metrics& metrics,
                                        const std::string& folder) {
  std::vector<ParameterHistory> histories;
  const auto of = [&](const std::string& name) -> ParameterHistory& {
    const auto found = std::find_if(histories.begin(), histories.end(),
                                    [&](const ParameterHistory& h) { return h.name == name; });
    if (found != histories.end()) return *found;
    histories.push_back({.name = name});
    return histories.back();
  };
  for (const ParameterRecord& record : metrics.parameters) {
    const Movement& m = record.movement;
    of(m.name).flow.push_back({.epoch = record.epoch,
                               .norm = m.norm,
                               .gradient_norm = m.gradient_norm,
                               .update_ratio = m.update_norm / m.norm});
  }
  KernelHistory kernels;
  NamedTensors state;
  for (const auto& [name, tensor] : s.training_state)
    if (name.starts_with(kernels_prefix)) state.emplace_back(name, tensor);
  const RunRecord& run = s.record;
  kernels.load_state_dict(state, s.model, run.last.epoch, folder);
  for (const KernelSnapshot& snapshot : kernels.snapshots()) {
    for (const auto& [name, kernel] : snapshot.kernels)
      of(name).snapshots.push_back({.epoch = snapshot.epoch, .value = kernel});
  }
  return histories;
}

double rate_to_blame(const Settings& settings, const Metrics& metrics) {
  double highest = settings.lr;
  double last = settings.lr;
  for (const double rate : learning_rates(metrics)) {
    if (std::isnan(rate)) continue;
    last = rate;
    highest = std::max(highest, rate);
  }
  return metrics.diverged ? last : highest;
}

void add_course(Vitals& vitals, const Metrics& metrics) {
  vitals.diverged = metrics.diverged;
  for (const StepRecord& step : metrics.steps) vitals.step_losses.push_back(step.loss);
  for (const EpochRecord& epoch : metrics.epochs) {
    const bool validates = !std::isnan(epoch.validation_loss);
    vitals.epochs.push_back(
        {.train_loss = epoch.train_loss,
         .held_out_loss = validates ? epoch.validation_loss : epoch.test_loss,
         .held_out_accuracy = validates ? epoch.validation_accuracy : epoch.test_accuracy});
  }
  for (Vitals::Parameter& parameter : vitals.parameters) {
    for (const ParameterRecord& record : metrics.parameters) {
      if (record.movement.name != parameter.name) continue;
      parameter.norm.push_back(record.movement.norm);
      parameter.gradient_norm.push_back(record.movement.gradient_norm);
      parameter.update_norm.push_back(record.movement.update_norm);
    }
  }
}

std::vector<Vitals::Parameter> parameter_vitals(const Module& net) {
  std::vector<Vitals::Parameter> vitals;
  for (const auto& [name, parameter] : net.named_parameters()) {
    const Tensor& value = parameter.value();
    Vitals::Parameter of{.name = name, .is_weight = value.shape().size() > 1};
    if (of.is_weight) of.equal_rows = equal_rows(value);
    vitals.push_back(std::move(of));
  }
  return vitals;
}

}  // namespace gradus::app
