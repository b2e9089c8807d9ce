// Options stand in a command where they are not what the program would take by itself.
#include "run_description.h"

#include <gradus/core/math.h>
#include <gradus/core/simd.h>
#include <gradus/interchange/graph_json.h>

#include <spdlog/fmt/fmt.h>

namespace gradus::app {
namespace {

/// A word as a shell takes it.
std::string shell_word(const std::string& word) {
  constexpr const char* plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./,=+-:@%";
  if (!word.empty() && word.find_first_not_of(plain) == word.npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace

RunRecord describe_run(const Settings& settings, const DataParts& data) {
  return {.settings = settings,
          .image = image_spec(data.train),
          .class_names = data.train.class_names,
          .pixels = data.pixels,
          .normalization = data.train.normalization,
          .train_images = data.train.size(),
          .validation_images = data.validation.size(),
          .test_images = data.test.size(),
          .data_checksum = data.checksum,
          .simd = simd_in_use(),
          .blas = core::blas_description()};
}

std::string import_command_of(const Settings& s, const std::string& folder) {
  std::string command = "gradus import " + shell_word(s.model) + " --out " + shell_word(folder) +
                        " --data " + shell_word(s.data.name);
  if (!s.data.data_dir.empty()) command += " --data-dir " + shell_word(s.data.data_dir);
  return command;
}

std::string command_of(const Settings& s) {
  std::string command = "gradus train --data " + shell_word(s.data.name);
  const auto add = [&](const char* option, const std::string& value) {
    command += std::string(" ") + option + " " + shell_word(value);
  };
  const auto add_if = [&](bool given, const char* option, const auto& value) {
    if (given) add(option, fmt::format("{}", value));
  };
  add_if(!s.data.data_dir.empty(), "--data-dir", s.data.data_dir);
  const ImageForm& form = s.data.form;
  add_if(form.width > 0, "--image-size", fmt::format("{}x{}", form.width, form.height));
  if (form.squash) command += " --squash";
  add_if(form.channels > 0, "--channels", form.channels);
  if (s.data.skip_bad) command += " --skip-bad";
  add_if(!s.data.label_column.empty(), "--label-column", s.data.label_column);
  if (!interchange::is_graph_json(s.net)) add("--model", s.model);  // else it is that of --from
  add_if(!s.from.empty(), "--from", s.from.substr(0, s.from.rfind(", CRC-32 ")));
  add_if(s.data.test_fraction > 0, "--test-split", s.data.test_fraction);
  add_if(s.data.validation > 0, "--validation", s.data.validation);
  add_if(s.data.split_seed > 0, "--split-seed", s.data.split_seed);
  add_if(!s.augment.empty(), "--augment", s.augment);
  add_if(s.mixup > 0, "--mixup", s.mixup);
  add("--epochs", std::to_string(s.epochs));
  add_if(s.patience > 0, "--patience", s.patience);
  add("--batch-size", std::to_string(s.batch_size));
  add_if(s.shards > 0, "--shards", s.shards);
  add("--optimizer", s.optimizer);
  add("--lr", fmt::format("{}", s.lr));
  add_if(s.optimizer == "sgd", "--momentum", s.momentum);
  add("--weight-decay", fmt::format("{}", s.weight_decay));
  add_if(s.clip_norm > 0, "--clip-norm", s.clip_norm);
  add_if(s.label_smoothing > 0, "--label-smoothing", s.label_smoothing);
  add("--schedule", s.schedule);
  add("--seed", std::to_string(s.seed));
  return command;
}

std::vector<std::pair<std::string, std::string>> described(const RunRecord& run, bool trained) {
  const Settings& s = run.settings;
  std::vector<std::pair<std::string, std::string>> list;
  const auto add_if = [&](bool used, const char* name, const auto& value) {
    if (used) list.emplace_back(name, fmt::format("{}", value));
  };
  const auto add = [&](const char* name, const auto& value) { add_if(true, name, value); };
  add("data", s.data.name);
  add("checksum of the data", run.data_checksum);
  add("images", fmt::format("{} × {} × {}", run.image.channels, run.image.height, run.image.width));
  add("classes", run.image.classes);
  add("to train with", run.train_images);
  add_if(run.validation_images > 0, "to choose by", run.validation_images);
  add("to test", run.test_images);
  add("model", s.model);
  add("parameters", run.parameters);
  if (!trained) return list;
  add_if(!s.from.empty(), "begun with", s.from);
  add_if(!s.augment.empty(), "augmentation", s.augment);
  add_if(s.mixup > 0, "mixup", s.mixup);
  add("epochs", s.epochs);
  add_if(s.patience > 0, "patience", s.patience);
  add("images a step", s.batch_size);
  add_if(s.shards > 0, "shards of each", s.shards);
  add("optimizer", s.optimizer);
  add("learning rate", s.lr);
  add("schedule", s.schedule);
  add_if(s.optimizer == "sgd", "momentum", s.momentum);
  add_if(s.weight_decay > 0, "weight decay", s.weight_decay);
  add_if(s.clip_norm > 0, "norm of gradients at most", s.clip_norm);
  add_if(s.label_smoothing > 0, "label smoothing", s.label_smoothing);
  add("threads", s.threads);
  add("vectors", run.simd);
  add_if(!run.blas.empty(), "matrix products", run.blas);
  add_if(run.best.epoch > 0, "epoch shown, the best", run.best.epoch);
  return list;
}

}  // namespace gradus::app
