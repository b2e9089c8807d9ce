// Keys keep the order in which they are written here, so that a person can read them too. Numbers
// that JSON does not have (NaN, infinity) become null; bytes that are not UTF-8 are replaced.
#include "json.h"

#include <gradus/core/version.h>
#include <gradus/core/words.h>
#include <gradus/data/dataset.h>
#include <gradus/data/transforms.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>

namespace gradus::app {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

/// A number, or null for one that was never measured.
Json measured(bool is_measured, double value) { return is_measured ? Json(value) : Json(); }

double number(const Json& json, const char* key) {
  const Json& value = json.at(key);
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

Json to_json_object(const EpochRecord& epoch) {
  return {{"epoch", epoch.epoch},
          {"lr", epoch.lr},
          {"train_loss", epoch.train_loss},
          {"validation_loss", epoch.validation_loss},
          {"validation_accuracy", epoch.validation_accuracy},
          {"test_loss", epoch.test_loss},
          {"test_accuracy", epoch.test_accuracy},
          {"seconds", epoch.seconds},
          {"images_per_second", epoch.images_per_second}};
}

EpochRecord epoch_from(const Json& json) {
  return {.epoch = json.at("epoch").get<std::int64_t>(),
          .lr = number(json, "lr"),
          .train_loss = number(json, "train_loss"),
          .validation_loss = number(json, "validation_loss"),
          .validation_accuracy = number(json, "validation_accuracy"),
          .test_loss = number(json, "test_loss"),
          .test_accuracy = number(json, "test_accuracy"),
          .seconds = number(json, "seconds"),
          .images_per_second = number(json, "images_per_second")};
}

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
          .loss_sum = number(json, "loss_sum"),
          .images = json.at("images").get<std::int64_t>(),
          .all_images = json.at("all_images").get<std::int64_t>(),
          .seconds = number(json, "seconds"),
          .evaluation_seconds = number(json, "evaluation_seconds"),
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
          .test_fraction = number(json, "test_fraction"),
          .validation = number(json, "validation"),
          .split_seed = json.at("split_seed").get<std::uint64_t>()};
}

Settings settings_from(const Json& json) {
  return {.data = data_settings_from(json.at("data")),
          .model = json.at("model").get<std::string>(),
          .net = json.at("net").get<std::string>(),
          .from = json.at("from").get<std::string>(),
          .augment = json.at("augment").get<std::string>(),
          .mixup = number(json, "mixup"),
          .epochs = json.at("epochs").get<std::int64_t>(),
          .patience = json.at("patience").get<std::int64_t>(),
          .batch_size = json.at("batch_size").get<std::int64_t>(),
          .optimizer = json.at("optimizer").get<std::string>(),
          .lr = number(json, "lr"),
          .momentum = number(json, "momentum"),
          .weight_decay = number(json, "weight_decay"),
          .clip_norm = number(json, "clip_norm"),
          .label_smoothing = number(json, "label_smoothing"),
          .schedule = json.at("schedule").get<std::string>(),
          .seed = json.at("seed").get<std::uint64_t>(),
          .threads = json.at("threads").get<int>(),
          .workers = json.at("workers").get<std::int64_t>(),
          .tensorboard = json.at("tensorboard").get<bool>()};
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

Json to_json_object(const TimingRecord& timing) {
  return {{"ms", timing.ms},
          {"images_per_second", timing.images_per_second},
          {"flops", timing.flops},
          {"gflops", timing.gflops},
          {"sgemm_percent", timing.sgemm_percent},
          {"allocations", timing.allocations}};
}

Json to_json_object(const ProfileRow& row) {
  return {{"op", row.op},
          {"direction", row.direction},
          {"calls", row.calls},
          {"ms", row.ms},
          {"percent", row.percent},
          {"flops", row.flops},
          {"gflops", row.gflops},
          {"bytes", row.bytes},
          {"gbs", row.gbs},
          {"floor_ms", row.floor_ms},
          {"floor_percent", row.floor_percent}};
}

Json to_json_object(const std::vector<Shape>& shapes) {
  Json list = Json::array();
  for (const Shape& shape : shapes) list.push_back(to_string(shape));
  return list;
}

/// In ASCII, so that a terminal finds nothing to obey in it.
std::string ascii(const Json& json) {
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

/// Throws what Json throws.
void add_metrics_line(Metrics& metrics, const Json& json) {
  const std::string event = json.at("event").get<std::string>();
  metrics.diverged = event == "diverged";
  if (event == "step") {
    metrics.steps.push_back({.epoch = json.at("epoch").get<std::int64_t>(),
                             .step = json.at("step").get<std::int64_t>(),
                             .loss = number(json, "loss")});
  } else if (event == "parameter") {
    metrics.parameters.push_back({.epoch = json.at("epoch").get<std::int64_t>(),
                                  .movement = {.name = json.at("name").get<std::string>(),
                                               .norm = number(json, "norm"),
                                               .gradient_norm = number(json, "gradient_norm"),
                                               .update_norm = number(json, "update_norm")}});
  } else if (event == "epoch") {
    metrics.epochs.push_back(epoch_from(json));
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

Json to_json_object(const ClassificationReport& report, const std::vector<std::string>& names) {
  const auto score = [](const std::optional<double>& value) {
    return value ? Json(*value) : Json();
  };
  const std::vector<std::string> all = class_names(report, names);
  const std::vector<std::int64_t> numbers = report.counts.to_vector<std::int64_t>();
  Json counts = Json::array();
  Json classes = Json::array();
  for (std::size_t k = 0; k < all.size(); ++k) {
    const auto row = numbers.begin() + static_cast<std::ptrdiff_t>(k * all.size());
    counts.push_back(std::vector<std::int64_t>(row, row + std::ssize(all)));
    const ClassScores& scores = report.classes[k];
    classes.push_back({{"name", all[k]},
                       {"precision", score(scores.precision)},
                       {"recall", score(scores.recall)},
                       {"f1", score(scores.f1)},
                       {"support", scores.support}});
  }
  return {{"accuracy", report.accuracy},
          {"samples", report.samples()},
          {"classes", classes},
          {"counts", counts}};
}

}  // namespace

std::string to_json(const StepRecord& step) {
  return dump({{"event", "step"}, {"epoch", step.epoch}, {"step", step.step}, {"loss", step.loss}});
}

std::string to_json(const ParameterRecord& parameter) {
  const Movement& movement = parameter.movement;
  return dump({{"event", "parameter"},
               {"epoch", parameter.epoch},
               {"name", movement.name},
               {"norm", movement.norm},
               {"gradient_norm", movement.gradient_norm},
               {"update_norm", movement.update_norm}});
}

std::string to_json(const EpochRecord& epoch) {
  Json line = {{"event", "epoch"}};
  line.update(to_json_object(epoch));
  return dump(line);
}

std::string diverged_line(const Position& at) {
  return dump({{"event", "diverged"}, {"epoch", at.epoch}, {"step", at.step}});
}

std::string to_run_json(const RunRecord& run) {
  const Settings& s = run.settings;
  const DataSettings& d = s.data;
  return dump(
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
       {"simd", run.simd},
       {"last_epoch", to_json_object(run.last)},
       {"best_epoch", to_json_object(run.best)},
       {"position", to_json_object(run.position)},
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
    run.pixels = {.white = number(json.at("pixels"), "white"),
                  .unit = json.at("pixels").at("unit").get<bool>()};
    run.train_images = json.at("train_images").get<std::int64_t>();
    run.validation_images = json.at("validation_images").get<std::int64_t>();
    run.test_images = json.at("test_images").get<std::int64_t>();
    run.data_checksum = json.at("data_checksum").get<std::string>();
    run.parameters = json.at("parameters").get<std::int64_t>();
    run.simd = json.at("simd").get<std::string>();
    run.last = epoch_from(json.at("last_epoch"));
    run.best = epoch_from(json.at("best_epoch"));
    run.position = position_from(json.at("position"));
    run.metrics = {.bytes = json.at("metrics").at("bytes").get<std::int64_t>(),
                   .crc32 = json.at("metrics").at("crc32").get<std::uint32_t>()};
  } catch (const Json::exception& error) {
    fail<BadDataError>(label,
                       ": what it says of its training is damaged: ", printable(error.what()));
  }
  expect_sound(run, label);
  return run;
}

std::string to_json(const std::vector<std::string>& names) { return dump(Json(names)); }

std::vector<std::string> names_from_json(const std::string& text, const std::string& label) {
  try {
    return Json::parse(text).get<std::vector<std::string>>();
  } catch (const Json::exception& error) {
    fail<BadDataError>(label, ": its class_names are damaged: ", printable(error.what()));
  }
}

std::string to_result_json(const RunRecord& run, const std::filesystem::path& out,
                           const ClassificationReport* report) {
  const EpochRecord& last = run.last;
  const EpochRecord& chosen = run.chosen();
  const bool trained = last.epoch > 0;
  const bool validated = run.best.epoch > 0;
  Json result = {{"data", run.settings.data.name},
                 {"model", run.settings.model},
                 {"parameters", run.parameters},
                 {"epochs", last.epoch},
                 {"best_epoch", validated ? Json(run.best.epoch) : Json()},
                 {"validation_accuracy", measured(validated, chosen.validation_accuracy)},
                 {"test_accuracy", measured(trained, chosen.test_accuracy)},
                 {"test_loss", measured(trained, chosen.test_loss)},
                 {"train_loss", measured(trained, chosen.train_loss)},
                 {"seconds", last.seconds},
                 {"images_per_second", last.images_per_second},
                 {"seed", run.settings.seed},
                 {"threads", run.settings.threads},
                 {"out", out.string()},
                 {"interrupted", run.unfinished()}};
  if (report != nullptr) result["report"] = to_json_object(*report, run.class_names);
  return dump(result);
}

std::string to_json(const std::vector<Subject>& subjects) {
  Json list = Json::array();
  for (const Subject& subject : subjects) {
    list.push_back({{"kind", subject.kind}, {"name", subject.name}});
  }
  return dump({{"count", subjects.size()}, {"list", list}});
}

std::string to_json(const std::vector<CheckRow>& rows, int order, double seconds) {
  Json checks = Json::array();
  std::int64_t failed = 0;
  std::int64_t ops = 0;
  std::int64_t samples = 0;
  CheckRow::Order total;
  for (const CheckRow& row : rows) {
    Json orders = Json::array();
    for (std::size_t i = 0; i < row.orders.size(); ++i) {
      const CheckRow::Order& result = row.orders[i];
      orders.push_back({{"order", i + 1},
                        {"elements", result.elements},
                        {"fail", result.fail},
                        {"kink", result.kink},
                        {"inconclusive", result.inconclusive},
                        {"worst_relative_error", result.worst},
                        {"passed", result.passed}});
      total.elements += result.elements;
      total.fail += result.fail;
      total.kink += result.kink;
      total.inconclusive += result.inconclusive;
      total.worst = std::max(total.worst, result.worst);
    }
    failed += row.passed() ? 0 : 1;
    ops += row.kind == "op" ? 1 : 0;
    samples += row.samples;
    checks.push_back({{"kind", row.kind},
                      {"name", row.name},
                      {"samples", row.samples},
                      {"orders", orders},
                      {"passed", row.passed()},
                      {"failures", row.failures}});
  }
  return dump({{"passed", failed == 0},
               {"order", order},
               {"checked", rows.size()},
               {"failed", failed},
               {"ops", ops},
               {"layers", std::ssize(rows) - ops},
               {"samples", samples},
               {"elements", total.elements},
               {"fail", total.fail},
               {"kink", total.kink},
               {"inconclusive", total.inconclusive},
               {"worst_relative_error", total.worst},
               {"seconds", seconds},
               {"checks", checks}});
}

std::string to_json(const SelfTestRecord& test, const KernelSelfTest& kernels) {
  std::int64_t caught = 0;
  std::int64_t nameable = 0;
  std::int64_t diagnosed = 0;
  std::int64_t misnamed = 0;
  Json escaped = Json::array();
  Json unnamed = Json::array();
  Json bugs = Json::array();
  for (const PlantedRow& row : test.planted) {
    const Json entry{{"kind", row.kind},
                     {"subject", row.subject},
                     {"sample", row.sample},
                     {"input", row.input},
                     {"shape", row.shape},
                     {"bug", row.bug},
                     {"order", row.order},
                     {"caught", row.caught},
                     {"expected", row.nameable() ? row.expected.front() : ""},
                     {"diagnosed", row.diagnosed}};
    caught += row.caught ? 1 : 0;
    nameable += row.nameable() ? 1 : 0;
    diagnosed += row.named() ? 1 : 0;
    misnamed += row.misnamed() ? 1 : 0;
    if (!row.caught) escaped.push_back(entry);
    if (row.nameable() && !row.named()) unnamed.push_back(entry);
    bugs.push_back(entry);
  }
  Json kernel_faults = Json::array();
  for (const KernelFaultRow& row : kernels.rows) {
    kernel_faults.push_back({{"subject", row.subject},
                             {"sample", row.sample},
                             {"pass", row.pass},
                             {"algorithm", row.algorithm},
                             {"fault", row.fault},
                             {"planted", row.planted},
                             {"caught", row.caught}});
  }
  return dump({{"planted", test.planted.size()},
               {"caught", caught},
               {"nameable", nameable},
               {"diagnosed", diagnosed},
               {"misnamed", misnamed},
               {"good", test.good},
               {"inconclusive", test.undecided},
               {"false_alarms", test.false_alarms.size()},
               {"escaped", escaped},
               {"not_diagnosed", unnamed},
               {"alarmed", test.false_alarms},
               {"kernel_planted", kernels.planted()},
               {"kernel_caught", kernels.caught()},
               {"kernel_good", kernels.good},
               {"kernel_false_alarms", kernels.false_alarms.size()},
               {"kernel_alarmed", kernels.false_alarms},
               {"kernel_faults", kernel_faults},
               {"kernel_seconds", kernels.seconds},
               {"seconds", test.seconds},
               {"bugs", bugs}});
}

std::string to_json(const std::vector<Float32Row>& rows, double seconds) {
  Json checks = Json::array();
  Float32Row total;
  std::int64_t failed = 0;
  std::int64_t ops = 0;
  for (const Float32Row& row : rows) {
    checks.push_back({{"kind", row.kind},
                      {"name", row.name},
                      {"samples", row.samples},
                      {"elements", row.elements},
                      {"identities", row.identities},
                      {"undecided", row.undecided},
                      {"fail", row.fail},
                      {"worst", row.worst},
                      {"worst_at", row.worst_at},
                      {"passed", row.passed()},
                      {"failures", row.failures}});
    failed += row.passed() ? 0 : 1;
    ops += row.kind == "op" ? 1 : 0;
    total.samples += row.samples;
    total.elements += row.elements;
    total.identities += row.identities;
    total.undecided += row.undecided;
    total.fail += row.fail;
    if (row.worst > total.worst) {
      total.worst = row.worst;
      total.worst_at = row.name + ": " + row.worst_at;
    }
  }
  return dump({{"passed", failed == 0},
               {"checked", rows.size()},
               {"failed", failed},
               {"ops", ops},
               {"layers", std::ssize(rows) - ops},
               {"samples", total.samples},
               {"elements", total.elements},
               {"identities", total.identities},
               {"undecided", total.undecided},
               {"fail", total.fail},
               {"worst", total.worst},
               {"worst_at", total.worst_at},
               {"seconds", seconds},
               {"checks", checks}});
}

std::string to_json(const Float32Report& report, std::int64_t parameters, double seconds) {
  Json failures = Json::array();
  for (const Float32Difference& failure : report.failures) {
    Json index = Json::array();
    for (const std::int64_t i : failure.index) index.push_back(i);
    failures.push_back({{"op", failure.op},
                        {"call", failure.call},
                        {"place", failure.place},
                        {"pass", failure.pass},
                        {"algorithm", failure.algorithm},
                        {"index", index},
                        {"float32", failure.result},
                        {"float64", failure.reference},
                        {"difference", failure.difference},
                        {"bound", failure.bound},
                        {"wrong", failure.wrong},
                        {"elements", failure.elements}});
  }
  return dump({{"passed", report.passed()},
               {"subject", report.subject},
               {"calls", report.calls},
               {"elements", report.elements},
               {"identities", report.identities},
               {"undecided", report.undecided},
               {"fail", report.fail_count},
               {"worst", report.worst},
               {"worst_at", report.worst_at},
               {"failures", failures},
               {"unstated", report.unstated},
               {"parameters", parameters},
               {"seconds", seconds}});
}

std::string to_json(const GradcheckReport& report, const TaylorReport& taylor,
                    std::int64_t parameters, double seconds) {
  Json orders = Json::array();
  for (const TaylorLine& line : taylor.lines) {
    orders.push_back(std::isfinite(line.order) ? Json(line.order) : Json());
  }
  Json all = Json::parse(report.to_json());
  all["parameters"] = parameters;
  all["taylor"] = {{"verdict", to_string(taylor.verdict)}, {"orders", orders}};
  all["seconds"] = seconds;
  return dump(all);
}

std::string to_json(const std::filesystem::path& file, const SafetensorsHeader& header) {
  Json tensors = Json::array();
  std::int64_t elements = 0;
  for (const SafetensorsEntry& entry : header.tensors) {
    Json shape = Json::array();
    for (const std::int64_t size : entry.shape) shape.push_back(size);
    tensors.push_back({{"name", entry.name},
                       {"dtype", entry.dtype},
                       {"shape", shape},
                       {"elements", entry.shape.numel()},
                       {"bytes", entry.bytes}});
    elements += entry.shape.numel();
  }
  return dump({{"file", file.string()},
               {"tensors", tensors},
               {"count", header.tensors.size()},
               {"elements", elements},
               {"bytes", header.data_bytes},
               {"metadata", header.metadata}});
}

std::string to_json(const BenchRecord& bench) {
  Json all{{"model", bench.model},
           {"batch", bench.batch},
           {"image", bench.image},
           {"steps", bench.steps},
           {"threads", bench.threads},
           {"parameters", bench.parameters},
           {"sgemm_gflops", bench.machine.sgemm_gflops},
           {"memory_gbs", bench.machine.memory_gbs},
           {"training", to_json_object(bench.training)},
           {"inference", to_json_object(bench.inference)}};
  if (!bench.profile.empty()) {
    Json rows = Json::array();
    for (const ProfileRow& row : bench.profile) rows.push_back(to_json_object(row));
    all["profile"] = rows;
    all["total"] = to_json_object(bench.total);
  }
  return dump(all);
}

std::string to_trace_json(const std::vector<ProfileEvent>& events) {
  const std::int64_t start = events.empty() ? 0 : events.front().begin_ns;
  const auto microseconds = [](std::int64_t ns) { return static_cast<double>(ns) / 1e3; };
  Json list = Json::array();
  for (const ProfileEvent& event : events) {
    list.push_back({{"name", event.name},
                    {"cat", to_string(event.direction)},
                    {"ph", "X"},
                    {"ts", microseconds(event.begin_ns - start)},
                    {"dur", microseconds(event.nanoseconds())},
                    {"pid", 1},
                    {"tid", 1},
                    {"args",
                     {{"inputs", to_json_object(event.inputs)},
                      {"outputs", to_json_object(event.outputs)},
                      {"flops", event.flops},
                      {"bytes", event.bytes}}}});
  }
  return dump({{"displayTimeUnit", "ms"}, {"traceEvents", list}}) + "\n";
}

std::string to_json(const Prediction& prediction) {
  Json top = Json::array();
  for (const auto& [name, probability] : prediction.top)
    top.push_back({{"class", name}, {"probability", probability}});
  return dump({{"file", prediction.file},
               {"class", prediction.top.front().first},
               {"probability", prediction.top.front().second},
               {"top", top}});
}

std::string to_json(const DataRecord& data) {
  Json classes = Json::array();
  for (const DataRecord::Class& row : data.classes)
    classes.push_back({{"class", row.name}, {"train", row.train}, {"test", row.test}});
  return dump({{"data", data.name},
               {"image",
                {{"channels", data.image.channels},
                 {"height", data.image.height},
                 {"width", data.image.width},
                 {"classes", data.image.classes}}},
               {"train_images", data.train_images},
               {"test_images", data.test_images},
               {"mean", data.normalization.mean},
               {"stddev", data.normalization.stddev},
               {"data_checksum", data.checksum},
               {"classes", classes}});
}

std::string to_json(const LrFindRecord& search) {
  Json curve = Json::array();
  for (const auto& [lr, loss] : search.curve) curve.push_back({{"lr", lr}, {"loss", loss}});
  return dump({{"suggestion", search.suggestion},
               {"steepest", search.steepest},
               {"lowest_loss", search.lowest_loss},
               {"lr_of_lowest_loss", search.lr_of_lowest_loss},
               {"curve", curve}});
}

std::string to_json(const SummaryRecord& summary) {
  Json layers = Json::array();
  for (const SummaryRow& row : summary.rows) {
    Json output = Json::array();
    for (const std::int64_t size : row.output) output.push_back(size);
    layers.push_back({{"place", row.place},
                      {"kind", row.kind},
                      {"depth", row.depth},
                      {"output", output},
                      {"parameters", row.parameters},
                      {"flops_forward", row.flops_forward},
                      {"flops_backward", row.flops_backward},
                      {"kept_bytes", row.kept_bytes}});
  }
  const SummaryRow& total = summary.rows.front();
  return dump({{"model", summary.model},
               {"image",
                {{"channels", summary.image.channels},
                 {"height", summary.image.height},
                 {"width", summary.image.width},
                 {"classes", summary.image.classes}}},
               {"batch", summary.batch},
               {"parameters", total.parameters},
               {"buffers", summary.buffers},
               {"flops_forward", total.flops_forward},
               {"flops_backward", total.flops_backward},
               {"kept_bytes", total.kept_bytes},
               {"layers", layers}});
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

std::vector<std::pair<std::string, std::string>> named_settings(const RunRecord& run) {
  std::vector<std::pair<std::string, std::string>> settings;
  for (const auto& [key, value] : Json::parse(to_run_json(run)).items()) {
    if (key != "last_epoch" && key != "best_epoch" && key != "position" && key != "metrics")
      settings.emplace_back(key, ascii(value));
  }
  return settings;
}

std::vector<SettingDifference> different_settings(const RunRecord& left, const RunRecord& right) {
  const auto a = named_settings(left);
  const auto b = named_settings(right);
  std::vector<SettingDifference> different;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i].second != b[i].second) different.push_back({a[i].first, a[i].second, b[i].second});
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
  return dump({{"left", comparison.left},
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
