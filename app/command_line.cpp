// The command line: every option with its range and its default, and the help texts.
#include <gradus/core/version.h>
#include <gradus/data/dataset.h>
#include <gradus/layers/models.h>

#include <CLI/CLI.hpp>

#include <charconv>
#include <cstdio>
#include <limits>
#include <sstream>
#include <string>

#include "commands.h"
#include "exit_code.h"
#include "records.h"

namespace gradus::app {
namespace {

constexpr const char* footer = R"(Exit codes:
    0  all went well
    1  a check failed: a gradient is wrong, a training diverged, or GRADUS_ANOMALY found a NaN
    2  usage: the command line makes no sense, or --out, --html or --trace cannot be written
   65  bad data: a file is damaged or not what was expected
   66  no input: a file or data set is not there
   70  a fault of this program
   74  reading or writing failed on the way
  130  interrupted: Ctrl-C stops a training after its step, a second one at once

Environment:
  GRADUS_NUM_THREADS  threads to compute with (default: all processors)
  GRADUS_DATA_DIR     where data sets are looked for when there is no --data-dir
  GRADUS_SIMD         at most these vectors: avx512, avx2, sse4, baseline (default: all it has)
  GRADUS_WINOGRAD     0: no Winograd convolutions, which are faster and less accurate
  GRADUS_ANOMALY      1: the first NaN or infinity is an error that tells where it was born
  GRADUS_LOG_LEVEL    trace, debug, info, warn (default), error, critical, off
  NO_COLOR            no colours)";

/// A whole number from `low` to `high`; the library's own would take -1 for a huge unsigned one.
CLI::Validator whole(std::uint64_t low, std::uint64_t high) {
  const auto check = [=](std::string& text) -> std::string {
    std::uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error == std::errc() && stop == end && value >= low && value <= high) {
      text = std::to_string(value);  // the library would read a leading 0 as octal
      return {};
    }
    return text + " is not a whole number from " + std::to_string(low) + " to " +
           std::to_string(high);
  };
  return {check, "", "whole"};
}

constexpr double infinity = std::numeric_limits<double>::infinity();
enum class Low { included, excluded };

/// A number from `low` to below `high`.
CLI::Validator real(double low, Low kind, double high = infinity) {
  PlainText rule;
  rule << (kind == Low::included ? "at least " : "above ") << low;
  if (high < infinity) rule << " and below " << high;
  const auto check = [=, rule = rule.str()](std::string& text) -> std::string {
    double value = 0;
    const bool in_range = CLI::detail::lexical_cast(text, value) &&
                          (kind == Low::included ? value >= low : value > low) && value < high;
    return in_range ? "" : text + " is not a finite number " + rule;
  };
  return {check, "", "real"};
}

CLI::Validator not_empty() {
  const auto check = [](const std::string& text) {
    return std::string(text.empty() ? "is empty" : "");
  };
  return {check, "", "not empty"};
}

/// An option with its help: what its value is called, what it means, what it is when left out.
template <class T>
CLI::Option* add(CLI::App& command, const std::string& name, T& target, const char* value,
                 const std::string& meaning, const std::string& otherwise) {
  const bool one_line = meaning.size() + otherwise.size() < 60;
  return command
      .add_option(name, target, meaning + (one_line ? " " : "\n") + "(default: " + otherwise + ")")
      ->option_text(value);
}

template <class Options> void add_data_dir(CLI::App& command, Options& o) {
  add(command, "--data-dir", o.data_dir, "DIR",
      "Folder of mnist or fashion-mnist: its four IDX files, raw or .gz",
      "GRADUS_DATA_DIR, then where packages put them");
}

template <class Options> void add_threads(CLI::App& command, Options& o) {
  add(command, "--threads", o.threads, "N", "Threads to compute with; results do not depend on it",
      "GRADUS_NUM_THREADS, then all processors")
      ->check(whole(1, 1024));
}

void add_train(CLI::App& app, TrainOptions& o) {
  CLI::App& train = *app.add_subcommand("train", "Train a model and keep it");
  add(train, "--data", o.data, "NAME", "Data set: digits, mnist or fashion-mnist", o.data)
      ->check(CLI::IsMember(dataset_names()));
  add_data_dir(train, o);
  add(train, "--model", o.model, "NAME",
      "Model: cnn, mlp, mobilenet, nin, resnet20, or lenet, which takes 28x28 images",
      "cnn for digits, else lenet")
      ->check(CLI::IsMember(model_names()));
  add(train, "--epochs", o.epochs, "N", "Passes over the training data, at least 1",
      "20 for digits, 3 for mnist, 5 for fashion-mnist")
      ->check(whole(1, most_epochs));
  add(train, "--batch-size", o.batch_size, "N", "Images a step, at least 1",
      "32 for digits, else 64")
      ->check(whole(1, most_batch_size));
  add(train, "--optimizer", o.optimizer, "NAME", "Optimizer: sgd, adam or adamw", o.optimizer)
      ->check(CLI::IsMember(optimizer_names()));
  add(train, "--lr", o.lr, "X", "Learning rate, above 0",
      "0.05 for sgd, else 0.005 for digits and 0.002 for the others")
      ->check(real(0, Low::excluded));
  add(train, "--momentum", o.momentum, "X", "Momentum of sgd, from 0 to below 1", "0.9")
      ->check(real(0, Low::included, 1));
  add(train, "--weight-decay", o.weight_decay, "X", "Weight decay, at least 0",
      "0.01 for adamw, else 0")
      ->check(real(0, Low::included));
  add(train, "--schedule", o.schedule, "NAME",
      "Learning rate from epoch to epoch: cosine (falling) or none", o.schedule)
      ->check(CLI::IsMember(schedule_names()));
  add(train, "--seed", o.seed, "N", "Decides the first weights and the order of the images",
      std::to_string(o.seed))
      ->check(whole(0, std::numeric_limits<std::uint64_t>::max()));
  add_threads(train, o);
  add(train, "--out", o.out, "DIR", "Folder for checkpoint.safetensors and metrics.jsonl",
      "runs/DATA-MODEL");
  train.add_flag("--overwrite", o.overwrite, "Write over an earlier training in that folder")
      ->option_text(" ");
  const std::vector<CLI::Option*> all = train.get_options();
  CLI::Option* resume =
      add(train, "--resume", o.resume, "DIR",
          "Go on with the training in this folder, with its own settings but --epochs", "none")
          ->check(not_empty());
  for (CLI::Option* other : all) {
    const std::string name = other->get_name();
    if (name != "--help" && name != "--epochs" && name != "--data-dir" && name != "--threads")
      resume->excludes(other);
  }
  add(train, "--checkpoint-steps", o.checkpoint_steps, "N",
      "Keep a checkpoint after every N steps, beside those of epochs and minutes", "none")
      ->check(whole(1, std::numeric_limits<std::int64_t>::max()));
  train.add_flag("--json", o.json, "Print the result as one line of JSON");
  train.add_flag("--quiet", o.quiet, "No progress on stderr");
}

void add_eval(CLI::App& app, EvalOptions& o) {
  CLI::App& eval = *app.add_subcommand("eval", "Measure a trained model on its test data again");
  eval.add_option("DIR", o.folder, "Folder that train wrote")->required()->option_text(" ");
  add_data_dir(eval, o);
  add_threads(eval, o);
  eval.add_flag("--json", o.json, "Print the result as one line of JSON, with the keys of train");
}

void add_export(CLI::App& app, ExportOptions& o) {
  CLI::App& command =
      *app.add_subcommand("export", "Write a trained model's weights as a file of their own");
  command.add_option("DIR", o.folder, "Folder that train wrote")->required()->option_text(" ");
  command.add_option("FILE", o.file, "The .safetensors file to write")
      ->required()
      ->check(not_empty())
      ->option_text(" ");
}

void add_gradcheck(CLI::App& app, GradcheckCommandOptions& o, bool& all) {
  CLI::App& check = *app.add_subcommand(
      "gradcheck", "Compare every derivative with finite differences, in float64");
  CLI::Option* names = check
                           .add_option("NAME", o.names,
                                       "Operations and layers, such as conv2d or Conv2d "
                                       "(default: all)")
                           ->option_text("...");
  CLI::Option* everything = check.add_flag("--all", all, "All of them, as without a NAME")
                                ->excludes(names)
                                ->option_text(" ");
  CLI::Option* order = add(check, "--order", o.order, "N",
                           "1, or 2: the second derivatives as well", std::to_string(o.order))
                           ->check(whole(1, 2));
  CLI::Option* model =
      add(check, "--model", o.model, "NAME",
          "A whole model with its loss: cnn, mlp, lenet, mobilenet, nin or resnet20", "none")
          ->check(CLI::IsMember(model_names()))
          ->excludes(names)
          ->excludes(everything)
          ->excludes(order);
  CLI::Option* float32_proof =
      check
          .add_flag("--float32", o.float32,
                    "Hold float32 against float64 instead, op by op, within derived bounds")
          ->excludes(order)
          ->option_text(" ");
  CLI::Option* self_test =
      check
          .add_flag("--self-test", o.self_test,
                    "Plant bugs in every derivative and float32 kernel, and count those caught")
          ->excludes(model)
          ->excludes(order)
          ->excludes(float32_proof)
          ->option_text(" ");
  CLI::Option* html = add(check, "--html", o.html, "FILE",
                          "Write a page with pictures of the check that looks worst", "none")
                          ->check(not_empty())
                          ->excludes(float32_proof)
                          ->excludes(self_test);
  check.add_flag("--list", o.list, "Only list the names")
      ->excludes(model)
      ->excludes(float32_proof)
      ->excludes(self_test)
      ->excludes(order)
      ->excludes(html)
      ->option_text(" ");
  check.add_flag("--json", o.json, "Print the result as one line of JSON");
}

void add_inspect(CLI::App& app, InspectOptions& o) {
  CLI::App& inspect = *app.add_subcommand("inspect", "Show what a safetensors file holds");
  inspect.add_option("FILE", o.file, "A .safetensors file")->required()->option_text(" ");
  inspect.add_flag("--json", o.json, "Print it as one line of JSON");
}

void add_bench(CLI::App& app, BenchOptions& o) {
  CLI::App& bench = *app.add_subcommand("bench", "Measure how fast a model trains and infers");
  add(bench, "--model", o.model, "NAME",
      "Model: cnn, mlp, mobilenet, nin, resnet20, or lenet, which takes 28x28 images", o.model)
      ->check(CLI::IsMember(model_names()));
  add(bench, "--batch", o.batch, "N", "Images a step, at least 1", std::to_string(o.batch))
      ->check(whole(1, 1'000'000));
  add(bench, "--image", o.image, "N", "Height and width of the images", std::to_string(o.image))
      ->check(whole(1, 4096));
  add(bench, "--steps", o.steps, "N", "Steps to measure, at least 1", std::to_string(o.steps))
      ->check(whole(1, 1'000'000));
  add_threads(bench, o);
  CLI::Option* profile = bench.add_flag("--profile", o.profile,
                                        "Show where the time of a training step goes, op by op");
  add(bench, "--trace", o.trace, "FILE",
      "Write the first steps of the profile for Perfetto or chrome://tracing", "none")
      ->check(not_empty())
      ->needs(profile);
  bench.add_flag("--json", o.json, "Print the result as one line of JSON");
}

/// The parser's message as one line, and where help is to be found.
int report_usage(const CLI::App& app, const std::string& message) {
  std::string line = message;
  for (char& c : line) {
    if (c == '\n') c = ' ';
  }
  std::string command = "gradus";
  for (const CLI::App* sub : app.get_subcommands()) command += " " + sub->get_name();
  std::fprintf(stderr, "gradus: %s (see %s --help)\n", line.c_str(), command.c_str());
  return exit_usage;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  TrainOptions train;
  EvalOptions eval;
  ExportOptions export_options;
  GradcheckCommandOptions gradcheck;
  InspectOptions inspect;
  BenchOptions bench;
  bool all = false;

  CLI::App app("Gradus: a small deep-learning framework that checks its own derivatives", "gradus");
  app.set_version_flag("--version", "gradus " + std::string(library_version()));
  app.footer(footer);
  app.get_formatter()->column_width(22);
  add_train(app, train);
  add_eval(app, eval);
  add_export(app, export_options);
  add_gradcheck(app, gradcheck, all);
  add_inspect(app, inspect);
  add_bench(app, bench);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help or --version
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    return report_usage(app, error.what());
  }
  if (app.got_subcommand("train")) return run_train(train);
  if (app.got_subcommand("eval")) return run_eval(eval);
  if (app.got_subcommand("export")) return run_export(export_options);
  if (app.got_subcommand("gradcheck")) return run_gradcheck(gradcheck);
  if (app.got_subcommand("inspect")) return run_inspect(inspect);
  if (app.got_subcommand("bench")) return run_bench(bench);
  // Not left to the parser: it would say this of a misspelt subcommand too.
  return report_usage(app,
                      "a subcommand is required: train, eval, export, gradcheck, inspect or bench");
}

}  // namespace gradus::app
