// The command line: every option with its range and its default, and the help texts.
#include <gradus/core/version.h>
#include <gradus/data/dataset.h>
#include <gradus/layers/models.h>

#include <CLI/CLI.hpp>

#include <cmath>
#include <cstdio>
#include <string>

#include "commands.h"
#include "exit_code.h"

namespace gradus::app {
namespace {

constexpr const char* footer = R"(Exit codes:
    0  all went well
    1  a check failed: a gradient is wrong, or a training diverged
    2  usage: the command line makes no sense, or --out cannot be written
   65  bad data: a file is damaged or not what was expected
   66  no input: a file or data set is not there
   70  a fault of this program
   74  reading or writing failed on the way
  130  interrupted: Ctrl-C stops a training after its step, a second one at once

Environment:
  GRADUS_NUM_THREADS  threads to compute with (default: all processors)
  GRADUS_DATA_DIR     where data sets are looked for when there is no --data-dir
  GRADUS_LOG_LEVEL    trace, debug, info, warn (default), error, critical, off
  NO_COLOR            no colours)";

constexpr std::int64_t most_epochs = 1'000'000;
constexpr std::int64_t largest_batch = 1'000'000;
constexpr int most_threads = 1024;

/// A finite number, above `low` or (at_least) equal to it.
CLI::Validator finite(double low, bool at_least) {
  const std::string rule = (at_least ? "at least " : "above ") + std::to_string(int(low));
  return {[=](std::string& text) -> std::string {
            double value = 0;
            const bool is_number = CLI::detail::lexical_cast(text, value);
            if (is_number && std::isfinite(value) && (value > low || (at_least && value == low))) {
              return {};
            }
            return text + " is not a finite number " + rule;
          },
          "NUMBER " + rule, "finite"};
}

template <class Options> void add_threads(CLI::App& command, Options& options) {
  command.add_option("--threads", options.threads, "Threads to compute with; results are the same")
      ->check(CLI::Range(1, most_threads))
      ->default_str("GRADUS_NUM_THREADS, else all processors");
}

template <class Options> void add_data_dir(CLI::App& command, Options& options) {
  command
      .add_option("--data-dir", options.data_dir,
                  "Folder of mnist or fashion-mnist: its four IDX files, raw or .gz")
      ->default_str("GRADUS_DATA_DIR, else where packages put them");
}

void add_train(CLI::App& app, TrainOptions& o) {
  CLI::App& train = *app.add_subcommand("train", "Train a model and keep it");
  train.add_option("--data", o.data, "Data set")
      ->check(CLI::IsMember(dataset_names()))
      ->capture_default_str();
  add_data_dir(train, o);
  train.add_option("--model", o.model, "Model; lenet takes 28x28")
      ->check(CLI::IsMember(model_names()))
      ->default_str("cnn for digits, else lenet");
  train.add_option("--epochs", o.epochs, "Passes over the training data")
      ->check(CLI::Range(std::int64_t{1}, most_epochs))
      ->default_str("digits 20, mnist 3, fashion-mnist 5");
  train.add_option("--batch-size", o.batch_size, "Images a step")
      ->check(CLI::Range(std::int64_t{1}, largest_batch))
      ->default_str("digits 32, else 64");
  train.add_option("--optimizer", o.optimizer, "Optimizer")
      ->check(CLI::IsMember({"sgd", "adam", "adamw"}))
      ->capture_default_str();
  train.add_option("--lr", o.lr, "Learning rate")
      ->check(finite(0, false))
      ->default_str("sgd 0.05, else 0.002");
  train.add_option("--momentum", o.momentum, "Momentum of sgd, below 1")
      ->check(CLI::Range(0.0, std::nextafter(1.0, 0.0)))
      ->default_str("0.9");
  train.add_option("--weight-decay", o.weight_decay, "Weight decay")
      ->check(finite(0, true))
      ->default_str("adamw 0.01, else 0");
  train.add_option("--schedule", o.schedule, "Learning rate from epoch to epoch: falling, or not")
      ->check(CLI::IsMember({"cosine", "none"}))
      ->capture_default_str();
  train.add_option("--seed", o.seed, "Of the first weights and of the order of images")
      ->capture_default_str();
  add_threads(train, o);
  train.add_option("--out", o.out, "Folder for model.safetensors, run.json and metrics.jsonl")
      ->default_str("runs/DATA-MODEL");
  train.add_flag("--json", o.json, "Print the result as one line of JSON");
  train.add_flag("--quiet", o.quiet, "No progress on stderr");
}

void add_eval(CLI::App& app, EvalOptions& o) {
  CLI::App& eval = *app.add_subcommand("eval", "Measure a trained model on its test data again");
  eval.add_option("DIR", o.folder, "Folder that train wrote")->required();
  add_data_dir(eval, o);
  add_threads(eval, o);
  eval.add_flag("--json", o.json, "Print the result as one line of JSON, with the keys of train");
}

void add_gradcheck(CLI::App& app, GradcheckCommandOptions& o, bool& all) {
  CLI::App& check = *app.add_subcommand(
      "gradcheck", "Compare every derivative with finite differences, in float64");
  CLI::Option* names =
      check.add_option("NAME", o.names, "Operations and layers, such as conv2d or Conv2d")
          ->default_str("all");
  check.add_flag("--all", all, "All of them, as without a NAME")->excludes(names);
  check.add_option("--order", o.order, "2: check the second derivatives as well")
      ->check(CLI::Range(1, 2))
      ->capture_default_str();
  check.add_flag("--list", o.list, "Only list the names");
  check.add_flag("--json", o.json, "Print the result as one line of JSON");
}

void add_inspect(CLI::App& app, InspectOptions& o) {
  CLI::App& inspect = *app.add_subcommand("inspect", "Show what a safetensors file holds");
  inspect.add_option("FILE", o.file, "A .safetensors file")->required();
  inspect.add_flag("--json", o.json, "Print it as one line of JSON");
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
  GradcheckCommandOptions gradcheck;
  InspectOptions inspect;
  bool all = false;

  CLI::App app("Gradus: a small deep-learning framework that checks its own derivatives", "gradus");
  app.set_version_flag("--version", "gradus " + std::string(library_version()));
  app.require_subcommand(1);
  app.footer(footer);
  app.get_formatter()->column_width(34);
  add_train(app, train);
  add_eval(app, eval);
  add_gradcheck(app, gradcheck, all);
  add_inspect(app, inspect);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help or --version
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    return report_usage(app, error.what());
  }
  if (app.got_subcommand("train")) return run_train(train);
  if (app.got_subcommand("eval")) return run_eval(eval);
  if (app.got_subcommand("gradcheck")) return run_gradcheck(gradcheck);
  return run_inspect(inspect);
}

}  // namespace gradus::app
