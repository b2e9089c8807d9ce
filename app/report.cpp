// gradus report: a training as one HTML page: how it went, the net seen from inside on a few test images, where it
// is wrong, and what it suffers from.
#include <gradus/core/parallel.h>
#include <gradus/data/loader.h>
#include <gradus/layers/models.h>
#include <gradus/report/vitals.h>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "commands.h"
#include "confusion.h"
#include "exit_code.h"
#include "kernel_history.h"
#include "loaders.h"
#include "output_file.h"
#include "picture.h"
#include "progress.h"
#include "report.h"
#include "run_description.h"
#include "training.h"

namespace gradus::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t worst_shown = 24;
constexpr std::int64_t batch_for_layers = 256;  // a unit that is 0 for all of these counts as dead

RunState state_of(const TrainedNet& s) {
  if (s.running) return RunState::running;
  if (s.metrics.diverged) return RunState::diverged;
  return s.run.record.unfinished() ? RunState::interrupted : RunState::finished;
}

std::optional<double> if_known(double value) {
  return std::isnan(value) ? std::nullopt : std::optional<double>(value);
}

ReportRun how_it_went(const TrainedNet& s, const std::string& folder) {
  const RunRecord& run = s.run.record;
  ReportRun shown{.folder = folder,
                  .state = state_of(s),
                  .command = command_of(run.settings),
                  .seed = run.settings.seed,
                  .checksum = checksum(s.run.model.state_dict()),
                  .settings = described(run)};
  double seconds = 0;
  for (const EpochRecord& epoch : s.metrics.epochs) {
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
  const std::vector<double> rates = learning_rates(s.metrics);
  for (std::size_t i = 0; i < rates.size(); ++i) {
    const StepRecord& step = s.metrics.steps[i];
    shown.steps.push_back({.step = step.step, .loss = step.loss, .learning_rate = rates[i]});
  }
  for (const RateRecord& change : s.metrics.rates) {
    shown.settings.emplace_back(fmt::format("learning rate changed after step {}", change.step),
                                fmt::format("from {} to {}", change.from, change.lr));
  }
  return shown;
}

/// Of each parameter: its norms, and of kernels what they were after some epochs.
std::vector<ParameterHistory> histories(const TrainedNet& s, const std::string& folder) {
  std::vector<ParameterHistory> histories;
  const auto of = [&](const std::string& name) -> ParameterHistory& {
    const auto found = std::find_if(histories.begin(), histories.end(),
                                    [&](const ParameterHistory& h) { return h.name == name; });
    if (found != histories.end()) return *found;
    histories.push_back({.name = name});
    return histories.back();
  };
  for (const ParameterRecord& record : s.metrics.parameters) {
    const Movement& m = record.movement;
    of(m.name).flow.push_back({.epoch = record.epoch,
                               .norm = m.norm,
                               .gradient_norm = m.gradient_norm,
                               .update_ratio = m.update_norm / m.norm});
  }
  KernelHistory kernels;
  NamedTensors state;
  for (const auto& [name, tensor] : s.run.training_state)
    if (name.starts_with(kernels_prefix)) state.emplace_back(name, tensor);
  const RunRecord& run = s.run.record;
  kernels.load_state_dict(state, s.run.model, run.last.epoch, folder);
  for (const KernelSnapshot& snapshot : kernels.snapshots()) {
    for (const auto& [name, kernel] : snapshot.kernels)
      of(name).snapshots.push_back({.epoch = snapshot.epoch, .value = kernel});
  }
  return histories;
}

/// At most `most` of `count` indices, evenly spread: folders have their images class by class.
std::vector<std::int64_t> spread_over(std::int64_t count, std::int64_t most) {
  std::vector<std::int64_t> indices;
  const std::int64_t chosen = std::min(count, most);
  for (std::int64_t i = 0; i < chosen; ++i) indices.push_back(i * count / chosen);
  return indices;
}

Batch batch_of(const Dataset& data, const std::vector<std::int64_t>& indices) {
  const Dataset images = subset(data, Tensor::from(indices.data(), Shape{std::ssize(indices)}));
  const DataLoader loader(images, {.batch_size = images.size(), .prefetch = 0});
  return *loader.epoch(0).begin();
}

/// What the doctor looks at.
Vitals vitals_of(TrainedNet& s, const ClassificationReport& report) {
  const RunRecord& run = s.run.record;
  Vitals vitals{.classes = run.image.classes,
                .diverged = s.metrics.diverged,
                .learning_rate = run.settings.lr,
                .data = data_vitals(s.data.train, s.data.test),
                .confusion = report.counts.to_vector<std::int64_t>()};
  for (const StepRecord& step : s.metrics.steps) vitals.step_losses.push_back(step.loss);
  for (const EpochRecord& epoch : s.metrics.epochs) {
    const bool validates = !std::isnan(epoch.validation_loss);
    vitals.epochs.push_back(
        {.train_loss = epoch.train_loss,
         .held_out_loss = validates ? epoch.validation_loss : epoch.test_loss,
         .held_out_accuracy = validates ? epoch.validation_accuracy : epoch.test_accuracy});
  }
  for (const auto& [name, parameter] : s.run.model.named_parameters()) {
    const Tensor& value = parameter.value();
    Vitals::Parameter of{.name = name, .is_weight = value.shape().size() > 1};
    for (const ParameterRecord& record : s.metrics.parameters) {
      if (record.movement.name != name) continue;
      of.norm.push_back(record.movement.norm);
      of.gradient_norm.push_back(record.movement.gradient_norm);
      of.update_norm.push_back(record.movement.update_norm);
    }
    if (of.is_weight) of.equal_rows = equal_rows(value);
    vitals.parameters.push_back(std::move(of));
  }
  const std::vector<std::int64_t> some =
      spread_over(s.data.test.size(), std::min(batch_for_layers, evaluation_batch(run.image)));
  vitals.layers = layer_vitals(s.run.model, batch_of(s.data.test, some).images);
  return vitals;
}

/// The images on which the net is watched: some of all, and those it is most wrong about.
struct Watched {
  std::vector<std::int64_t> indices;
  std::vector<std::string> names;
};

Watched choose_images(const std::vector<Mistake>& worst, std::int64_t test_images) {
  constexpr std::int64_t most = 8;
  constexpr std::size_t most_wrong = 3;
  Watched watched;
  const std::size_t wrong = std::min(worst.size(), most_wrong);
  watched.indices = spread_over(test_images, most - static_cast<std::int64_t>(wrong));
  for (std::size_t i = 0; i < wrong; ++i) {
    if (std::find(watched.indices.begin(), watched.indices.end(), worst[i].index) ==
        watched.indices.end())
      watched.indices.push_back(worst[i].index);
  }
  for (const std::int64_t index : watched.indices)
    watched.names.push_back("test image " + std::to_string(index));
  return watched;
}

std::vector<WorstImage> pictures_of(const std::vector<Mistake>& mistakes, const Dataset& test,
                                    const Watched& watched) {
  std::vector<WorstImage> pictures;
  for (const Mistake& mistake : mistakes) {
    WorstImage image{.index = mistake.index,
                     .label = mistake.label,
                     .predicted = mistake.predicted,
                     .probability = mistake.of_predicted,
                     .picture = as_picture(test.get(mistake.index).image)};
    const auto at = std::find(watched.indices.begin(), watched.indices.end(), mistake.index);
    if (at != watched.indices.end()) image.sample = at - watched.indices.begin();
    pictures.push_back(std::move(image));
  }
  return pictures;
}

std::vector<std::vector<std::int64_t>> rows_of(const Tensor& counts) {
  std::vector<std::vector<std::int64_t>> rows;
  for (std::int64_t r = 0; r < counts.size(0); ++r)
    rows.push_back(counts.select(0, r).contiguous().to_vector<std::int64_t>());
  return rows;
}

}  // namespace

TrainedNet load_trained_net(const std::string& folder, const std::string& data_dir, bool quiet) {
  TrainedNet s;
  s.run = load_trained(folder);
  const RunRecord& run = s.run.record;
  s.metrics = read_metrics("report", folder, run.metrics);
  s.data = load_same_data(run, data_dir, folder, quiet);
  TaskProgress progress("evaluating");
  evaluate(s.run.model, evaluation_loader(run.settings, s.data.test),
           [&](const Batch& batch, const Tensor& logits) {
             s.answers.add(batch, logits);
             if (!quiet) progress.show(s.answers.size(), s.data.test.size());
           });
  return s;
}

ReportOptions report_options(const RunRecord& run) {
  return {.title = run.settings.model + " on " + short_name(run.settings.data),
          .classes = all_class_names(run)};
}

void tell_run(Report& report, const TrainedNet& net, const std::string& folder) {
  report.set_run(how_it_went(net, folder));
}

std::vector<Finding> look_inside(Report& report, TrainedNet& net, const std::string& folder) {
  const ClassificationReport answers = classification_report(
      net.answers.labels(), net.answers.predictions(), net.run.record.image.classes);
  const std::vector<Mistake> worst = net.answers.worst(worst_shown);
  const Watched watched = choose_images(worst, net.data.test.size());
  report.watch(net.run.model, batch_of(net.data.test, watched.indices),
               {.normalization = net.data.test.normalization, .names = watched.names});
  report.set_history(histories(net, folder));
  report.set_confusion(rows_of(answers.counts));
  report.set_worst(pictures_of(worst, net.data.test, watched));
  std::vector<Finding> findings = diagnose(vitals_of(net, answers));
  report.set_findings(findings);
  return findings;
}

int run_report(const ReportCommandOptions& options) {
  std::error_code error;
  const std::vector<std::string>& models = model_names();
  const bool net = std::find(models.begin(), models.end(), options.folder) != models.end();
  if (fs::is_regular_file(options.folder, error) || (net && !fs::exists(options.folder, error))) {
    fail<UsageError>(options.folder,
                     ": report shows the folder of a training; a net alone: gradus graph ",
                     options.folder, " --out net.svg");
  }
  expect_writable("--out", options.out);
  set_num_threads(options.threads.value_or(num_threads()));
  TrainedNet subject = load_trained_net(options.folder, options.data_dir, options.quiet);
  Report report(options.out, report_options(subject.run.record));
  tell_run(report, subject, options.folder);
  const std::vector<Finding> findings = look_inside(report, subject, options.folder);
  report.save();

  for (const Finding& finding : findings) {
    fmt::print("{}: {}{}: {}\n", to_string(finding.severity), finding.title,
               finding.where.empty() ? "" : " (" + finding.where + ")", finding.evidence);
  }
  fmt::print("written: {}\n", options.out);
  return exit_ok;
}

}  // namespace gradus::app
