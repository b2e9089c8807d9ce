// gradus trace: every tensor of one step of a training, made again. What a training did at a step follows from its
// settings, so it is trained anew up to there; that it was the same is known by the loss.
#include <gradus/core/error.h>
#include <gradus/core/math.h>
#include <gradus/core/parallel.h>
#include <gradus/core/random.h>
#include <gradus/core/simd.h>
#include <gradus/core/words.h>
#include <gradus/io/safetensors.h>
#include <gradus/report/trace.h>

#include <spdlog/fmt/fmt.h>

#include <string>
#include <string_view>
#include <vector>

#include "build_model.h"
#include "commands.h"
#include "data_parts.h"
#include "exit_code.h"
#include "loaders.h"
#include "metrics_file.h"
#include "output_file.h"
#include "progress.h"
#include "run_description.h"
#include "run_folder.h"
#include "training.h"

namespace gradus::app {
namespace {

constexpr std::string_view before_checksum = ", CRC-32 ";  // in settings.from

/// The line of that step in metrics.jsonl.
StepRecord recorded_step(const Metrics& metrics, const std::string& folder, std::int64_t step) {
  for (const StepRecord& record : metrics.steps)
    if (record.step == step) return record;
  const std::int64_t last = metrics.steps.empty() ? 0 : metrics.steps.back().step;
  fail<UsageError>("--at-step ", step, ": ", folder, " has done steps 1 to ", last);
}

/// Whose weights it began with, as settings.from says; empty: random ones.
std::string first_weights(const Settings& settings) {
  return settings.from.substr(0, settings.from.rfind(before_checksum));
}

/// The model as it was before the first step.
Sequential first_model(const RunRecord& run, const std::string& folder) {
  Sequential model = new_model(run.settings, run.image);
  if (run.settings.from.empty()) return model;
  const std::string file = first_weights(run.settings);
  const FirstWeights first = load_weights_from(file, all_class_names(run), model);
  if (first.checksum != run.settings.from.substr(file.size() + before_checksum.size()))
    fail<BadDataError>(folder, ": began with ", run.settings.from, "; now it has ", first.checksum);
  return model;
}

/// "node.007.conv2d.value" and so on, "parameter.0.weight.gradient", "images".
NamedTensors tensors_of(const Trace& trace) {
  NamedTensors tensors;
  const auto add = [&](const std::string& name, const Tensor& tensor) {
    if (tensor.defined()) tensors.emplace_back(name, tensor.contiguous());
  };
  for (std::size_t i = 0; i < trace.nodes.size(); ++i) {
    const TraceNode& node = trace.nodes[i];
    if (node.role == TraceRole::parameter) continue;
    const std::string name =
        fmt::format("node.{:03}.{}", i, node.role == TraceRole::input ? "images" : node.op);
    add(name + ".value", node.value);
    add(name + ".gradient", node.gradient);
  }
  for (const TraceParameter& parameter : trace.parameters) {
    add("parameter." + parameter.name + ".before", parameter.value);
    add("parameter." + parameter.name + ".gradient", parameter.gradient);
  }
  return tensors;
}

/// Trains until `steps` steps are done, with the rates that were changed by hand. Returns the loss of the last.
double train_up_to(Training& training, std::int64_t steps, const std::vector<RateRecord>& rates,
                   bool quiet) {
  TaskProgress progress("training up to there");
  double loss = 0;
  training.run({.on_step =
                    [&](const StepRecord& done, double) {
                      loss = done.loss;
                      if (!quiet) progress.show(done.step, steps);
                    },
                .should_stop =
                    [&] {
                      const std::int64_t done = training.position().step;
                      for (const RateRecord& change : rates)
                        if (change.step == done) training.set_base_lr(change.base_lr);
                      return done == steps;
                    }});
  return loss;
}

}  // namespace

int run_trace(const TraceCommandOptions& options) {
  expect_writable("--out", options.out);
  set_num_threads(options.threads.value_or(num_threads()));
  const LoadedRun loaded = load_run(options.folder);
  expect_begun(loaded, options.folder);
  const RunRecord& run = loaded.record;
  const Settings& settings = run.settings;
  expect_writable(
      "--out", options.out,
      {{settings.data.name, "the data"}, {first_weights(settings), "the first weights"}});
  if (settings.shards > 0) {
    fail<UsageError>("trace: ", options.folder, " was trained by ", settings.shards,
                     " shards, each with a tape of its own; a step without --shards has one");
  }
  const Metrics metrics = read_metrics("trace", options.folder, run.metrics);
  const StepRecord recorded = recorded_step(metrics, options.folder, options.at_step);
  if (run.simd != simd_in_use()) {
    fail<UsageError>("trace: ", options.folder, " was computed with ", run.simd,
                     " vectors, here are ", simd_in_use(),
                     ": other last bits; GRADUS_SIMD chooses");
  }
  if (!run.blas.empty() && run.blas != core::blas_description()) {
    fail<UsageError>("trace: ", options.folder, " has matrix products of ",
                     in_quotes(run.blas, longest_blas), ", here are those of ",
                     core::blas_description(), ": other last bits");
  }
  const DataParts data = load_same_data(run, options.data_dir, options.folder, options.quiet);
  manual_seed(settings.seed);
  const DataLoader batches = training_loader(settings, data);
  const DataLoader test = evaluation_loader(settings, data.test);
  Sequential model = first_model(run, options.folder);
  Training training(model, settings, {batches, nullptr, test});
  train_up_to(training, options.at_step - 1, metrics.rates, options.quiet);

  const Position at = training.position();
  const Batch batch = *batches.epoch(at.epoch - 1, at.batch).begin();
  model.train();
  const Trace trace = trace_step(model, batch.images, [&](const Variable& scores) {
    return loss_of(scores, batch.labels, settings);
  });
  NamedTensors tensors =
      copies_of(tensors_of(trace));  // the step that follows writes into parameters
  tensors.emplace_back("labels", batch.labels);
  const double loss = train_up_to(training, options.at_step, metrics.rates, true);
  if (loss != recorded.loss) {
    fail<BadDataError>(options.folder, ": made again, step ", options.at_step, " has the loss ",
                       loss, ", recorded is ", recorded.loss,
                       "; was it resumed with another number of epochs, or by another version?");
  }
  for (const auto& [name, parameter] : model.named_parameters())
    tensors.emplace_back("parameter." + name + ".after", parameter.value());
  save_safetensors(options.out, tensors,
                   {{"step", std::to_string(recorded.step)},
                    {"epoch", std::to_string(recorded.epoch)},
                    {"loss", fmt::format("{}", loss)},
                    {"model", settings.model},
                    {"data", settings.data.name}});
  fmt::print("{}: step {} of epoch {}, loss {}, {} tensors\n", options.out, recorded.step,
             recorded.epoch, loss, tensors.size());
  return exit_ok;
}

}  // namespace gradus::app
