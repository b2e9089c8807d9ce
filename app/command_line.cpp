// The command line: every option with its range and its default, and the help texts.
#include <gradus/core/version.h>
#include <gradus/core/words.h>
#include <gradus/data/dataset.h>
#include <gradus/data/transforms.h>
#include <gradus/layers/models.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <sstream>
#include <string>
#include <string_view>

#include "commands.h"
#include "exit_code.h"
#include "records.h"
#include "resolve.h"

namespace gradus::app {
namespace {

constexpr const char* footer = R"(Exit codes:
    0  all went well
    1  a check failed: a gradient is wrong, a training diverged, or GRADUS_ANOMALY found a NaN
    2  usage: the command line makes no sense, or it names a file or folder that cannot be
       written, or a port that is taken
   65  bad data: a file is damaged or not what was expected
   66  no input: a file or data set is not there
   70  a fault of this program
   74  reading or writing failed on the way
   75  another process of a distributed training died, failed or was silent
  130  interrupted: Ctrl-C stops a training after its step, a second one at once; serve ends
       with 0 where no training was stopped

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

/// One of `names`; another is answered with the nearest.
CLI::Validator one_of(const std::vector<std::string>& names) {
  const auto check = [names](const std::string& text) -> std::string {
    if (std::find(names.begin(), names.end(), text) != names.end()) return {};
    return text + " is not known; known are " + joined(names) + did_you_mean(text, names);
  };
  return {check, "", "one of"};
}

/// "32" or "48x32".
CLI::Validator image_size() {
  const auto check = [](const std::string& text) -> std::string {
    return parse_image_size(text) ? ""
                                  : text + " is no size of 1 to 4096 pixels: N or WIDTHxHEIGHT";
  };
  return {check, "", "image size"};
}

template <class Options> void add_data_dir(CLI::App& command, Options& o) {
  add(command, "--data-dir", o.data_dir, "DIR", "Folder where the files of a named data set are",
      "GRADUS_DATA_DIR, then where packages put them");
}

/// How data of one's own are read and cut.
void add_form(CLI::App& command, DataOptions& o) {
  add(command, "--image-size", o.image_size, "N",
      "Size of all pictures, N or WIDTHxHEIGHT: scaled, what is too long cut off",
      "their own, if all have one")
      ->check(image_size());
  command.add_flag("--squash", o.squash, "Change proportions instead of cutting off")
      ->option_text(" ");
  add(command, "--channels", o.channels, "N", "1: gray, 3: RGB",
      "gray where all pictures are, else RGB")
      ->check(one_of({"1", "3"}));
  command.add_flag("--skip-bad", o.skip_bad, "Go on without pictures that cannot be read")
      ->option_text(" ");
  add(command, "--label-column", o.label_column, "NAME",
      "Column of a CSV file that holds the label, by name or number from 0",
      "label, class, or the first")
      ->check(not_empty());
  add(command, "--test-split", o.test_fraction, "X",
      "Share of one's own data held out to test with, where they have no\ntest part", "0.2")
      ->check(real(0, Low::excluded, 1));
  add(command, "--split-seed", o.split_seed, "N", "Decides which images are held out",
      std::to_string(o.split_seed))
      ->check(whole(0, std::numeric_limits<std::uint64_t>::max()));
}

/// "a, b, ..." in lines that fit beside the options' names.
std::string listed(const std::string& before, const std::vector<std::string>& names) {
  constexpr std::size_t longest = 72;
  std::string text;
  std::string line = before;
  for (const std::string& name : names) {
    const std::string word = name + (&name == &names.back() ? "" : ",");
    if (line.size() + 1 + word.size() > longest) {
      text += line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return text + line;
}

std::string data_meaning() {
  return "A data set's name, a folder of pictures (a class a subfolder, or\n"
         "these in train and test), of IDX or .npy files, or a .csv or .npz\n" +
         listed("file; names:", dataset_names());
}

std::string augment_meaning() {
  return listed("Random changes of each image, as flip,crop=4:", transform_names());
}

template <class Options> void add_threads(CLI::App& command, Options& o) {
  add(command, "--threads", o.threads, "N", "Threads to compute with; results do not depend on it",
      "GRADUS_NUM_THREADS, then all processors")
      ->check(whole(1, 1024));
}

/// What a training does with its data, but for how long.
void add_learning(CLI::App& command, TrainOptions& o) {
  add(command, "--data", o.data, "DATA", data_meaning(), "digits");
  add_data_dir(command, o);
  add_form(command, o.form);
  add(command, "--validation", o.validation, "X",
      "Share of the training images held out to choose the best epoch by", "0")
      ->check(real(0, Low::included, 1));
  add(command, "--model", o.model, "NAME",
      "Model: cnn, mlp, mobilenet, nin, resnet20, lenet, which takes 28x28\n"
      "images, or a file NET.json of layers",
      "cnn for digits and one's own data, resnet20 for cifar, else lenet")
      ->check(not_empty());
  add(command, "--augment", o.augment, "LIST", augment_meaning(), "none")->check(not_empty());
  add(command, "--mixup", o.mixup, "X", "Mix images and labels two by two; 0.2 is usual", "0")
      ->check(real(0, Low::included));
  add(command, "--batch-size", o.batch_size, "N", "Images a step, at least 1",
      "32 for digits and one's own data, else 64")
      ->check(whole(1, most_batch_size));
  add(command, "--optimizer", o.optimizer, "NAME", "Optimizer: sgd, adam or adamw", o.optimizer)
      ->check(one_of(optimizer_names()));
  add(command, "--momentum", o.momentum, "X", "Momentum of sgd, from 0 to below 1", "0.9")
      ->check(real(0, Low::included, 1));
  add(command, "--weight-decay", o.weight_decay, "X", "Weight decay, at least 0",
      "0.01 for adamw, else 0")
      ->check(real(0, Low::included));
  add(command, "--clip-norm", o.clip_norm, "X", "Most that the gradients' norm may be", "no limit")
      ->check(real(0, Low::excluded));
  add(command, "--label-smoothing", o.label_smoothing, "X",
      "Share of the label that is spread over all classes", "0")
      ->check(real(0, Low::included, 1));
  add(command, "--seed", o.seed, "N", "Decides the first weights and the order of the images",
      std::to_string(o.seed))
      ->check(whole(0, std::numeric_limits<std::uint64_t>::max()));
  add_threads(command, o);
  add(command, "--workers", o.workers, "N",
      "Threads that read and change images ahead; results do not depend on it", "1")
      ->check(whole(1, most_workers));
}

/// How a training runs on several processes; its result does not depend on it.
void add_processes(CLI::App& train, TrainOptions& o) {
  train.add_flag("--distributed", o.distributed,
                 "Train on all processes that mpirun has started: mpirun -n 4 gradus train ...");
  const auto needs_it = [&](CLI::Option* option) {
    option->needs(train.get_option("--distributed"));
  };
  needs_it(add(train, "--bucket-size", o.bucket_kilobytes, "KB",
               "Gradients that travel together, in kilobytes", std::to_string(o.bucket_kilobytes))
               ->check(whole(1, 1 << 20)));
  needs_it(train.add_flag("--no-overlap", o.no_overlap,
                          "Exchange gradients only when all are computed"));
  needs_it(add(train, "--timeout", o.timeout, "S",
               "Seconds after which a silent process counts as lost", "300")
               ->check(real(0, Low::excluded)));
}

/// Where a page is served. Returns the options.
std::vector<CLI::Option*> add_address(CLI::App& command, ServeAddress& o) {
  CLI::Option* port =
      add(command, "--port", o.port, "P", "Port of the page, 0: a free one", std::to_string(o.port))
          ->check(whole(0, 65535));
  CLI::Option* listen = add(command, "--listen", o.host, "ADDRESS",
                            "Address of the page: with another than those of this machine alone,\n"
                            "whoever reaches it can watch and steer the training",
                            o.host)
                            ->check(not_empty());
  return {port, listen};
}

void add_train(CLI::App& app, TrainOptions& o) {
  CLI::App& train = *app.add_subcommand("train", "Train a model and keep it");
  add_learning(train, o);
  add(train, "--from", o.from, "FILE",
      "Begin with the weights of a .safetensors file or an earlier\n"
      "training's folder; the last layer is new where the classes are",
      "random weights")
      ->check(not_empty());
  add(train, "--epochs", o.epochs, "N", "Passes over the training data, at least 1",
      "20 for digits and one's own data, 3 for mnist, 10 for cifar, else 5")
      ->check(whole(1, most_epochs));
  add(train, "--patience", o.patience, "N",
      "End after N epochs without a better validation accuracy", "never")
      ->check(whole(1, most_epochs));
  add(train, "--lr", o.lr, "X", "Learning rate, above 0",
      "0.05 for sgd, else 0.005 for digits and 0.002 for the others")
      ->check(real(0, Low::excluded));
  add(train, "--schedule", o.schedule, "NAME",
      "Learning rate from epoch to epoch: cosine (falling), step (a tenth\n"
      "after a half, and again after three quarters) or none",
      o.schedule)
      ->check(one_of(schedule_names()));
  add(train, "--out", o.out, "DIR", "Folder for checkpoint.safetensors and metrics.jsonl",
      "runs/DATA-MODEL")
      ->check(not_empty());
  train.add_flag("--overwrite", o.overwrite, "Write over an earlier training in that folder")
      ->option_text(" ");
  train.add_flag("--tensorboard", o.tensorboard, "Write event files for TensorBoard there too")
      ->option_text(" ");
  add(train, "--shards", o.shards, "N",
      "Parts that each batch is cut into, each with its own forward and backward\n"
      "pass; on any number of processes they give the same result",
      "none; 8 with --distributed")
      ->check(whole(1, most_shards));
  const std::vector<CLI::Option*> all = train.get_options();
  CLI::Option* resume =
      add(train, "--resume", o.resume, "DIR",
          "Go on with the training in this folder, with its own settings; beside\n"
          "it go --epochs, --patience, --data where the data have moved,\n"
          "--data-dir, --threads, --workers and what concerns processes",
          "none")
          ->check(not_empty());
  const std::vector<std::string> beside = {"--help",     "--epochs",  "--patience", "--data",
                                           "--data-dir", "--threads", "--workers"};
  for (CLI::Option* other : all) {
    if (std::find(beside.begin(), beside.end(), other->get_name()) == beside.end())
      resume->excludes(other);
  }
  add(train, "--checkpoint-steps", o.checkpoint_steps, "N",
      "Keep a checkpoint after every N steps, beside those of epochs and minutes", "none")
      ->check(whole(1, std::numeric_limits<std::int64_t>::max()));
  add_processes(train, o);
  CLI::Option* serve =
      train.add_flag("--serve", o.serve, "Show it while it runs on a page, where it can be paused")
          ->excludes("--distributed");
  for (CLI::Option* option : add_address(train, o.address)) option->needs(serve);
  train.add_flag("--json", o.json, "Print the result as one line of JSON");
  train.add_flag("--quiet", o.quiet, "No progress on stderr");
}

void add_lr_find(CLI::App& app, LrFindOptions& o) {
  CLI::App& command =
      *app.add_subcommand("lr-find", "Find a learning rate: a step at each of many, rising");
  add_learning(command, o.train);
  add(command, "--lowest", o.lowest, "X", "Rate of the first step", "1e-6")
      ->check(real(0, Low::excluded));
  add(command, "--highest", o.highest, "X", "Rate of the last step", "1")
      ->check(real(0, Low::excluded));
  add(command, "--steps", o.steps, "N", "How many steps", std::to_string(o.steps))
      ->check(whole(3, 1'000'000));
  command.add_flag("--json", o.train.json, "Print the result as one line of JSON");
}

void add_data(CLI::App& app, DataCommandOptions& o) {
  CLI::App& command = *app.add_subcommand("data", "Show what a data set holds");
  command.add_option("DATA", o.data, data_meaning())->required()->option_text(" ");
  add_data_dir(command, o);
  add_form(command, o.form);
  CLI::Option* augment =
      add(command, "--augment", o.augment, "LIST", augment_meaning(), "none")->check(not_empty());
  CLI::Option* preview = add(command, "--preview", o.preview, "FILE",
                             "Write a PNG of images as a net would see them, labels below", "none")
                             ->check(not_empty());
  augment->needs(preview);
  add(command, "--count", o.count, "N", "Images in the preview", std::to_string(o.count))
      ->check(whole(1, 1024))
      ->needs(preview);
  add(command, "--seed", o.seed, "N", "Decides which, and their changes", std::to_string(o.seed))
      ->check(whole(0, std::numeric_limits<std::uint64_t>::max()))
      ->needs(preview);
  command.add_flag("--json", o.json, "Print it as one line of JSON");
}

/// Where a net is used and not trained.
template <class Options> void add_no_fuse(CLI::App& command, Options& o) {
  command
      .add_flag("--no-fuse{false}", o.fuse,
                "Leave batch norms where they are: a little slower, with the\n"
                "last bits of the training's own evaluation")
      ->option_text(" ");
}

void add_predict(CLI::App& app, PredictOptions& o) {
  CLI::App& command = *app.add_subcommand("predict", "Say what a trained model takes pictures for");
  command.add_option("DIR", o.folder, "Folder that train wrote")->required()->option_text(" ");
  command.add_option("IMAGE", o.images, "Pictures (.png, .jpg), and folders of them")
      ->required()
      ->option_text("...");
  add(command, "--top", o.top, "N", "How many classes to name", std::to_string(o.top))
      ->check(whole(1, 1'000'000));
  command.add_flag("--skip-bad", o.skip_bad, "Go on without pictures that cannot be read")
      ->option_text(" ");
  add_no_fuse(command, o);
  add_threads(command, o);
  command.add_flag("--json", o.json, "Print a line of JSON for each picture");
}

/// On what images.
void add_image(CLI::App& command, NetOptions& o) {
  add(command, "--channels", o.channels, "N", "Channels of an image", "3; 1 for lenet")
      ->check(whole(1, 4096));
  add(command, "--height", o.height, "N", "Height of an image", "32; 28 for lenet")
      ->check(whole(1, 4096));
  add(command, "--width", o.width, "N", "Width of an image", "32; 28 for lenet")
      ->check(whole(1, 4096));
  add(command, "--classes", o.classes, "N", "Classes", "10")->check(whole(1, 1'000'000));
}

/// Which net, and on what images.
void add_net(CLI::App& command, NetOptions& o) {
  command
      .add_option("MODEL", o.what,
                  "A model's name, the folder of a training, or a file NET.json of layers")
      ->required()
      ->option_text(" ");
  add_image(command, o);
  add(command, "--batch", o.batch, "N", "Images at a time", std::to_string(o.batch))
      ->check(whole(1, 1'000'000));
}

void add_summary(CLI::App& app, SummaryOptions& o) {
  CLI::App& command =
      *app.add_subcommand("summary", "Show a model layer by layer: shapes, parameters, cost");
  add_net(command, o);
  command.add_flag("--json", o.json, "Print it as one line of JSON");
}

void add_graph(CLI::App& app, GraphOptions& o) {
  CLI::App& command = *app.add_subcommand("graph", "Draw a model: layers, shapes, branches");
  add_net(command, o);
  command.add_option("-o,--out", o.out, "The file to write: .svg, or .dot for Graphviz")
      ->required()
      ->check(not_empty())
      ->option_text("FILE");
}

void add_compare(CLI::App& app, CompareOptions& o) {
  CLI::App& command = *app.add_subcommand("compare", "Say in what two trainings differ");
  command.add_option("LEFT", o.left, "Folder that train wrote")->required()->option_text(" ");
  command.add_option("RIGHT", o.right, "Another one")->required()->option_text(" ");
  command.add_flag("--json", o.json, "Print it as one line of JSON");
}

void add_eval(CLI::App& app, EvalOptions& o) {
  CLI::App& eval = *app.add_subcommand("eval", "Measure a trained model on its test data again");
  eval.add_option("DIR", o.folder, "Folder that train wrote")->required()->option_text(" ");
  add(eval, "--data", o.data, "DATA", "Other data to test with", "those of the training");
  add_data_dir(eval, o);
  add(eval, "--confusion", o.confusion, "FILE", "Write the confusion matrix as a PNG", "none")
      ->check(not_empty());
  add(eval, "--worst", o.worst, "FILE", "Write the most wrong images as a PNG", "none")
      ->check(not_empty());
  add_no_fuse(eval, o);
  add_threads(eval, o);
  eval.add_flag("--json", o.json, "Print the result as one line of JSON, with the keys of train");
}

void add_export(CLI::App& app, ExportOptions& o) {
  CLI::App& command = *app.add_subcommand(
      "export", "Write a trained model's weights as a file of their own, or a net as ONNX");
  command
      .add_option(
          "DIR", o.what,
          "Folder that train wrote; for ONNX also a file NET.json of layers or a model's name")
      ->required()
      ->option_text(" ");
  command.add_option("FILE", o.file, "The .safetensors or .onnx file to write")
      ->required()
      ->check(not_empty())
      ->option_text(" ");
  add_image(command, o);
  command.add_flag("--fold", o.fold,
                   "ONNX: batch norms become part of the convolutions and layers before them");
}

void add_import(CLI::App& app, ImportOptions& o) {
  CLI::App& command =
      *app.add_subcommand("import", "Make a net of an ONNX file, to train, test and look at");
  command.add_option("FILE", o.file, "The .onnx file")->required()->option_text(" ");
  command.add_option("-o,--out", o.out, "Folder to make")
      ->required()
      ->check(not_empty())
      ->option_text("DIR");
  add(command, "--data", o.data, "NAME", "Data that it shall know: a name, a folder or a file",
      "none");
  add(command, "--data-dir", o.data_dir, "DIR", "Where named data are", "the usual places");
  add(command, "--image-size", o.image_size, "N",
      "Where the file leaves it open: N or WIDTHxHEIGHT", "the file's");
  command.add_flag("--overwrite", o.overwrite, "Replace a training that is there");
}

void add_run(CLI::App& app, RunGraphOptions& o) {
  CLI::App& command = *app.add_subcommand("run", "Compute an ONNX file on arrays of NumPy's");
  command.add_option("FILE", o.file, "The .onnx file")->required()->option_text(" ");
  command.add_option("--input", o.inputs, "An input, in the file's order, or by name")
      ->option_text("[NAME=]FILE.npy");
  command.add_option("--output", o.outputs, "Where an output goes, likewise")
      ->option_text("[NAME=]FILE.npy");
  add_threads(command, o);
}

/// A model's name, or a folder.
CLI::Validator model_or_folder() {
  const auto check = [name = one_of(model_names())](std::string& text) {
    std::error_code error;
    return std::filesystem::is_directory(text, error) ? std::string() : name(text);
  };
  return {check, "", "model"};
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
          "A model, with its loss: cnn, mlp, lenet, mobilenet, nin, resnet20, a folder", "none")
          ->check(model_or_folder())
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

void add_report(CLI::App& app, ReportCommandOptions& o) {
  CLI::App& report = *app.add_subcommand(
      "report", "Write a page that shows a training, or a net alone, from inside");
  report
      .add_option("WHAT", o.what,
                  "The folder of a training; or a model's name or a file NET.json\n"
                  "of layers, with first weights")
      ->required()
      ->option_text(" ");
  add(report, "-o,--out", o.out, "FILE", "The page, one HTML file that needs no network", o.out)
      ->check(not_empty());
  report
      .add_option("--picture", o.pictures,
                  "Pictures of one's own to show it with, or folders of them, 8 at most")
      ->option_text("FILE...");
  add(report, "--gradcheck", o.gradcheck_seconds, "N",
      "Seconds that a check of the net's gradients may take; 0: none", "2")
      ->check(real(0, Low::included));
  add(report, "--data", o.data, "DATA", data_meaning(), "digits; for a net alone")
      ->check(not_empty());
  add_data_dir(report, o);
  add_form(report, o.form);
  add(report, "--seed", o.seed, "N", "Decides the weights of a net alone", std::to_string(o.seed))
      ->check(whole(0, std::numeric_limits<std::uint64_t>::max()));
  add_threads(report, o);
  report.add_flag("--quiet", o.quiet, "No progress on stderr");
}

void add_serve(CLI::App& app, ServeOptions& o) {
  CLI::App& serve =
      *app.add_subcommand("serve", "Show a training on a page of this machine, and go on with it");
  serve
      .add_option("DIR", o.folder,
                  "The folder of a training (default: the latest in runs); one that is\n"
                  "not finished is paused until somebody goes on with it on the page")
      ->check(not_empty())
      ->option_text(" ");
  add_address(serve, o.address);
  add(serve, "--data-dir", o.data_dir, "DIR", "Folder where the files of a named data set are",
      "where they were, then where packages put them");
  add_threads(serve, o);
  serve.add_flag("--quiet", o.quiet, "No progress on stderr");
}

void add_trace(CLI::App& app, TraceCommandOptions& o) {
  CLI::App& trace =
      *app.add_subcommand("trace", "Make a step of a training again, and write its every tensor");
  trace.add_option("DIR", o.folder, "The folder of a training")->required()->option_text(" ");
  trace.add_option("--at-step", o.at_step, "Which step, 1, 2, ...")
      ->required()
      ->check(whole(1, std::numeric_limits<std::int64_t>::max()))
      ->option_text("N");
  add(trace, "-o,--out", o.out, "FILE", "A .safetensors file to write", o.out)->check(not_empty());
  add(trace, "--data-dir", o.data_dir, "DIR", "Folder where the files of a named data set are",
      "where they were, then where packages put them");
  add_threads(trace, o);
  trace.add_flag("--quiet", o.quiet, "No progress on stderr");
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
      ->check(one_of(model_names()));
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

/// Words that the parser did not expect, and what they may have been meant for.
std::string meant_by(const CLI::App& app, const std::vector<std::string>& words) {
  std::vector<std::string> known;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    known.push_back(sub->get_name());
  for (const CLI::Option* option : app.get_options()) known.push_back(option->get_name());
  for (const std::string& word : words) {
    const std::string meant = did_you_mean(word.substr(0, word.find('=')), known);
    if (!meant.empty()) return meant;
  }
  return {};
}

/// The parser's message as one line, and where help is to be found.
int report_usage(const CLI::App& app, const std::string& message) {
  std::string line = message;
  for (char& c : line) {
    if (c == '\n') c = ' ';
  }
  std::string command = "gradus";
  const CLI::App* innermost = &app;
  for (const CLI::App* sub : app.get_subcommands()) {
    command += " " + sub->get_name();
    innermost = sub;
  }
  line += meant_by(*innermost, innermost->remaining());
  if (innermost != &app) line += meant_by(*innermost, app.remaining());
  std::fprintf(stderr, "gradus: %s (see %s --help)\n", line.c_str(), command.c_str());
  return exit_usage;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  TrainOptions train;
  LrFindOptions lr_find;
  EvalOptions eval;
  PredictOptions predict;
  DataCommandOptions data;
  SummaryOptions summary;
  GraphOptions graph;
  CompareOptions compare;
  ReportCommandOptions report;
  ServeOptions serve;
  TraceCommandOptions trace;
  ExportOptions export_options;
  ImportOptions import_options;
  RunGraphOptions run_options;
  GradcheckCommandOptions gradcheck;
  InspectOptions inspect;
  BenchOptions bench;
  bool all = false;

  CLI::App app("Gradus: a small deep-learning framework that checks its own derivatives", "gradus");
  app.set_version_flag("--version", "gradus " + std::string(library_version()));
  app.footer(footer);
  app.get_formatter()->column_width(22);
  // One subcommand: the words behind it are its own, also those that name another.
  app.require_subcommand(0, 1);
  add_train(app, train);
  add_eval(app, eval);
  add_predict(app, predict);
  add_data(app, data);
  add_summary(app, summary);
  add_graph(app, graph);
  add_lr_find(app, lr_find);
  add_compare(app, compare);
  add_report(app, report);
  add_serve(app, serve);
  add_trace(app, trace);
  add_export(app, export_options);
  add_import(app, import_options);
  add_run(app, run_options);
  add_gradcheck(app, gradcheck, all);
  add_inspect(app, inspect);
  add_bench(app, bench);
  // The library would not count a subcommand that stands behind "--".
  for (; argc > 1 && std::string_view(argv[1]) == "--"; --argc) ++argv;
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help or --version
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    return report_usage(app, error.what());
  }
  if (app.got_subcommand("train")) return run_train(train);
  if (app.got_subcommand("eval")) return run_eval(eval);
  if (app.got_subcommand("predict")) return run_predict(predict);
  if (app.got_subcommand("data")) return run_data(data);
  if (app.got_subcommand("summary")) return run_summary(summary);
  if (app.got_subcommand("graph")) return run_graph(graph);
  if (app.got_subcommand("lr-find")) return run_lr_find(lr_find);
  if (app.got_subcommand("compare")) return run_compare(compare);
  if (app.got_subcommand("report")) return run_report(report);
  if (app.got_subcommand("serve")) return run_serve(serve);
  if (app.got_subcommand("trace")) return run_trace(trace);
  if (app.got_subcommand("export")) return run_export(export_options);
  if (app.got_subcommand("import")) return run_import(import_options);
  if (app.got_subcommand("run")) return run_graph_file(run_options);
  if (app.got_subcommand("gradcheck")) return run_gradcheck(gradcheck);
  if (app.got_subcommand("inspect")) return run_inspect(inspect);
  if (app.got_subcommand("bench")) return run_bench(bench);
  // Not left to the parser: it would say this of a misspelt subcommand too.
  return report_usage(
      app,
      "a subcommand is required: train, eval, predict, data, summary, graph, "
      "lr-find, compare, report, serve, trace, export, import, run, gradcheck, inspect or bench");
}

}  // namespace gradus::app
