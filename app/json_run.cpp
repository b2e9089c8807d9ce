// What a checkpoint says of its training, and back. What comes from a file is believed only within the bounds
// that the program itself keeps.
#include <gradus/core/version.h>
#include <gradus/core/words.h>
#include <gradus/data/dataset.h>
#include <gradus/data/transforms.h>

#include <algorithm>
#include <cmath>

#include "json.h"
#include "json_text.h"

namespace gradus::app {
namespace {

Json to_json_object(const Position& at) {
  return {{"epoch", at.epoch},
          {"batch", at.batch},
          {"step", at.step},
          {"loss_sum", at.loss_sum},
          {"images", at.images},
          {"all_images", at.all_images},
          {"seconds", at.seconds},
          {"evaluation_seconds", at.evaluation_seconds},
          {"generator_seed", at.generator_seed},
          {"generator_position", at.generator_position}};
}

Position position_from(const Json& json) {
  return {.epoch = json.at("epoch").get<std::int64_t>(),
          .batch = json.at("batch").get<std::int64_t>(),
          .step = json.at("step").get<std::int64_t>(),
          .loss_sum = number_at(json, "loss_sum"),
          .images = json.at("images").get<std::int64_t>(),
          .all_images = json.at("all_images").get<std::int64_t>(),
          .seconds = number_at(json, "seconds"),
          .evaluation_seconds = number_at(json, "evaluation_seconds"),
          .generator_seed = json.at("generator_seed").get<std::uint64_t>(),
          .generator_position = json.at("generator_position").get<std::uint64_t>()};
}

/// Throws BadDataError unless `name` is one of `known`.
void expect_known(const std::string& label, const std::string& key, const std::string& name,
                  const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), name) != known.end()) return;
  fail<BadDataError>(label, ": unknown ", key, " ", in_quotes(name), "; known are ", joined(known));
}

DataSettings data_settings_from(const Json& json) {
  const Json& form = json.at("form");
  return {.name = json.at("name").get<std::string>(),
          .data_dir = json.at("data_dir").get<std::string>(),
          .form = {.channels = form.at("channels").get<std::int64_t>(),
                   .height = form.at("height").get<std::int64_t>(),
                   .width = form.at("width").get<std::int64_t>(),
                   .squash = form.at("squash").get<bool>()},
          .skip_bad = json.at("skip_bad").get<bool>(),
          .label_column = json.at("label_column").get<std::string>(),
          .test_fraction = number_at(json, "test_fraction"),
          .validation = number_at(json, "validation"),
          .split_seed = json.at("split_seed").get<std::uint64_t>()};
}

Settings settings_from(const Json& json) {
  return {.data = data_settings_from(json.at("data")),
          .model = json.at("model").get<std::string>(),
          .net = json.at("net").get<std::string>(),
          .from = json.at("from").get<std::string>(),
          .augment = json.at("augment").get<std::string>(),
          .mixup = number_at(json, "mixup"),
          .epochs = json.at("epochs").get<std::int64_t>(),
          .patience = json.at("patience").get<std::int64_t>(),
          .batch_size = json.at("batch_size").get<std::int64_t>(),
          .optimizer = json.at("optimizer").get<std::string>(),
          .lr = number_at(json, "lr"),
          .momentum = number_at(json, "momentum"),
          .weight_decay = number_at(json, "weight_decay"),
          .clip_norm = number_at(json, "clip_norm"),
          .label_smoothing = number_at(json, "label_smoothing"),
          .schedule = json.at("schedule").get<std::string>(),
          .seed = json.at("seed").get<std::uint64_t>(),
          .threads = json.at("threads").get<int>(),
          .workers = json.at("workers").get<std::int64_t>(),
          .tensorboard = json.at("tensorboard").get<bool>(),
          .shards = json.value("shards", std::int64_t{0})};  // older checkpoints have none
}

/// Nothing that no training has, though the text says it.
void expect_sound(const RunRecord& run, const std::string& label) {
  const Settings& s = run.settings;
  const auto expect = [&](bool right, const char* key, auto value) {
    if (!right) fail<BadDataError>(label, ": ", key, " is ", value, ", which no training has");
  };
  if (s.net.empty()) expect_known(label, "model", s.model, model_names());
  expect_known(label, "optimizer", s.optimizer, optimizer_names());
  expect_known(label, "schedule", s.schedule, schedule_names());
  expect(s.epochs >= 1 && s.epochs <= most_epochs, "epochs", s.epochs);
  expect(s.patience >= 0 && s.patience <= most_epochs, "patience", s.patience);
  expect(s.batch_size >= 1 && s.batch_size <= most_batch_size, "batch_size", s.batch_size);
  expect(s.workers >= 1 && s.workers <= most_workers, "workers", s.workers);
  expect(s.shards >= 0 && s.shards <= most_shards, "shards", s.shards);
  expect(std::isfinite(s.lr) && s.lr > 0, "lr", s.lr);
  expect(s.momentum >= 0 && s.momentum < 1, "momentum", s.momentum);
  expect(std::isfinite(s.weight_decay) && s.weight_decay >= 0, "weight_decay", s.weight_decay);
  expect(std::isfinite(s.clip_norm) && s.clip_norm >= 0, "clip_norm", s.clip_norm);
  expect(std::isfinite(s.mixup) && s.mixup >= 0, "mixup", s.mixup);
  expect(s.label_smoothing >= 0 && s.label_smoothing <= 1, "label_smoothing", s.label_smoothing);
  try {
    if (!s.augment.empty()) parse_transforms(s.augment);
  } catch (const ValueError& error) {
    fail<BadDataError>(label, ": augment is ", in_quotes(s.augment), ": ", error.what());
  }
  const DataSettings& d = s.data;
  expect(d.test_fraction >= 0 && d.test_fraction < 1, "test_fraction", d.test_fraction);
  expect(d.validation >= 0 && d.validation < 1, "validation", d.validation);
  expect(run.class_names.empty() || std::ssize(run.class_names) == run.image.classes,
         "the number of class_names", run.class_names.size());
  for (const std::string& name : run.class_names)
    expect(printable(name) == name, "a class name", in_quotes(name));
  expect(run.pixels.white == 1 || run.pixels.white == 255, "pixels.white", run.pixels.white);
  const auto& [mean, stddev] = run.normalization;
  const auto count = [&](const std::vector<double>& numbers) {
    return numbers.size() == 1 || std::ssize(numbers) == run.image.channels;
  };
  expect(count(mean), "the number of means", mean.size());
  expect(count(stddev), "the number of deviations", stddev.size());
  for (const double value : mean) expect(std::isfinite(value), "a mean", value);
  for (const double value : stddev) expect(std::isfinite(value) && value > 0, "a deviation", value);
  const std::string& sum = run.data_checksum;
  const bool hexadecimal = sum.size() == 8 && sum.find_first_not_of("0123456789abcdef") == sum.npos;
  expect(hexadecimal, "data_checksum", in_quotes(sum));
}

}  // namespace

std::string to_run_json(const RunRecord& run) {
  expect_sound(run, "this training");  // JSON has no NaN: nobody could read it again
  const Settings& s = run.settings;
  const DataSettings& d = s.data;
  return dump_json(
      {{"gradus", version},
       {"model", s.model},
       {"net", s.net},
       {"parameters", run.parameters},
       {"data",
        {{"name", d.name},
         {"data_dir", d.data_dir},
         {"form",
          {{"channels", d.form.channels},
           {"height", d.form.height},
           {"width", d.form.width},
           {"squash", d.form.squash}}},
         {"skip_bad", d.skip_bad},
         {"label_column", d.label_column},
         {"test_fraction", d.test_fraction},
         {"validation", d.validation},
         {"split_seed", d.split_seed}}},
       {"data_checksum", run.data_checksum},
       {"train_images", run.train_images},
       {"validation_images", run.validation_images},
       {"test_images", run.test_images},
       {"image",
        {{"channels", run.image.channels},
         {"height", run.image.height},
         {"width", run.image.width},
         {"classes", run.image.classes}}},
       {"class_names", run.class_names},
       {"normalization", {{"mean", run.normalization.mean}, {"stddev", run.normalization.stddev}}},
       {"pixels", {{"white", run.pixels.white}, {"unit", run.pixels.unit}}},
       {"from", s.from},
       {"augment", s.augment},
       {"mixup", s.mixup},
       {"epochs", s.epochs},
       {"patience", s.patience},
       {"batch_size", s.batch_size},
       {"optimizer", s.optimizer},
       {"lr", s.lr},
       {"momentum", s.momentum},
       {"weight_decay", s.weight_decay},
       {"clip_norm", s.clip_norm},
       {"label_smoothing", s.label_smoothing},
       {"schedule", s.schedule},
       {"seed", s.seed},
       {"threads", s.threads},
       {"workers", s.workers},
       {"tensorboard", s.tensorboard},
       {"shards", s.shards},
       {"simd", run.simd},
       {"blas", run.blas},
       {"last_epoch", to_json_object(run.last)},
       {"best_epoch", to_json_object(run.best)},
       {"position", to_json_object(run.position)},
       {"diverged", run.diverged},
       {"metrics", {{"bytes", run.metrics.bytes}, {"crc32", run.metrics.crc32}}}});
}

RunRecord from_run_json(const std::string& text, const std::string& label) {
  RunRecord run;
  try {
    const Json json = Json::parse(text);
    if (json.at("data").is_string())
      fail<BadDataError>(
          label, ": was written by an earlier gradus, whose checkpoints this one cannot read");
    run.settings = settings_from(json);
    const Json& image = json.at("image");
    run.image = {.channels = image.at("channels").get<std::int64_t>(),
                 .height = image.at("height").get<std::int64_t>(),
                 .width = image.at("width").get<std::int64_t>(),
                 .classes = image.at("classes").get<std::int64_t>()};
    run.class_names = json.at("class_names").get<std::vector<std::string>>();
    run.normalization = {
        .mean = json.at("normalization").at("mean").get<std::vector<double>>(),
        .stddev = json.at("normalization").at("stddev").get<std::vector<double>>()};
    run.pixels = {.white = number_at(json.at("pixels"), "white"),
                  .unit = json.at("pixels").at("unit").get<bool>()};
    run.train_images = json.at("train_images").get<std::int64_t>();
    run.validation_images = json.at("validation_images").get<std::int64_t>();
    run.test_images = json.at("test_images").get<std::int64_t>();
    run.data_checksum = json.at("data_checksum").get<std::string>();
    run.parameters = json.at("parameters").get<std::int64_t>();
    run.simd = json.at("simd").get<std::string>();
    run.blas = json.value("blas", "");  // older checkpoints do not say
    run.last = epoch_from_json(json.at("last_epoch"));
    run.best = epoch_from_json(json.at("best_epoch"));
    run.position = position_from(json.at("position"));
    run.diverged = json.value("diverged", false);  // older checkpoints do not say
    run.metrics = {.bytes = json.at("metrics").at("bytes").get<std::int64_t>(),
                   .crc32 = json.at("metrics").at("crc32").get<std::uint32_t>()};
  } catch (const Json::exception& error) {
    fail<BadDataError>(label,
                       ": what it says of its training is damaged: ", printable(error.what()));
  }
  expect_sound(run, label);
  return run;
}

std::string to_json(const std::vector<std::string>& names) { return dump_json(Json(names)); }

std::vector<std::string> names_from_json(const std::string& text, const std::string& label) {
  try {
    return Json::parse(text).get<std::vector<std::string>>();
  } catch (const Json::exception& error) {
    fail<BadDataError>(label, ": its class_names are damaged: ", printable(error.what()));
  }
}

}  // namespace gradus::app
