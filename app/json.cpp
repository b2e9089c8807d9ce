// Keys keep the order in which they are written here, so that a person can read them too. Numbers
// that JSON does not have (NaN, infinity) become null; bytes that are not UTF-8 are replaced.
#include "json.h"

#include <gradus/core/version.h>
#include <gradus/core/words.h>
#include <gradus/data/dataset.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

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
          {"test_loss", epoch.test_loss},
          {"test_accuracy", epoch.test_accuracy},
          {"seconds", epoch.seconds},
          {"images_per_second", epoch.images_per_second}};
}

EpochRecord epoch_from(const Json& json) {
  return {.epoch = json.at("epoch").get<std::int64_t>(),
          .lr = number(json, "lr"),
          .train_loss = number(json, "train_loss"),
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

}  // namespace

std::string to_json(const StepRecord& step) {
  return dump({{"event", "step"}, {"epoch", step.epoch}, {"step", step.step}, {"loss", step.loss}});
}

std::string to_json(const EpochRecord& epoch) {
  Json line = {{"event", "epoch"}};
  line.update(to_json_object(epoch));
  return dump(line);
}

std::string to_run_json(const RunRecord& run) {
  const Settings& s = run.settings;
  return dump({{"gradus", version},
               {"model", s.model},
               {"parameters", run.parameters},
               {"data", s.data},
               {"data_dir", s.data_dir.empty() ? Json() : Json(s.data_dir)},
               {"data_checksum", run.data_checksum},
               {"train_images", run.train_images},
               {"test_images", run.test_images},
               {"image",
                {{"channels", run.image.channels},
                 {"height", run.image.height},
                 {"width", run.image.width},
                 {"classes", run.image.classes}}},
               {"epochs", s.epochs},
               {"batch_size", s.batch_size},
               {"optimizer", s.optimizer},
               {"lr", s.lr},
               {"momentum", s.momentum},
               {"weight_decay", s.weight_decay},
               {"schedule", s.schedule},
               {"seed", s.seed},
               {"threads", s.threads},
               {"simd", run.simd},
               {"last_epoch", to_json_object(run.last)},
               {"position", to_json_object(run.position)},
               {"metrics", {{"bytes", run.metrics.bytes}, {"crc32", run.metrics.crc32}}}});
}

RunRecord from_run_json(const std::string& text, const std::string& label) {
  RunRecord run;
  try {
    const Json json = Json::parse(text);
    Settings& s = run.settings;
    s.model = json.at("model").get<std::string>();
    s.data = json.at("data").get<std::string>();
    if (!json.at("data_dir").is_null()) s.data_dir = json.at("data_dir").get<std::string>();
    s.epochs = json.at("epochs").get<std::int64_t>();
    s.batch_size = json.at("batch_size").get<std::int64_t>();
    s.optimizer = json.at("optimizer").get<std::string>();
    s.lr = number(json, "lr");
    s.momentum = number(json, "momentum");
    s.weight_decay = number(json, "weight_decay");
    s.schedule = json.at("schedule").get<std::string>();
    s.seed = json.at("seed").get<std::uint64_t>();
    s.threads = json.at("threads").get<int>();
    const Json& image = json.at("image");
    run.image = {.channels = image.at("channels").get<std::int64_t>(),
                 .height = image.at("height").get<std::int64_t>(),
                 .width = image.at("width").get<std::int64_t>(),
                 .classes = image.at("classes").get<std::int64_t>()};
    run.train_images = json.at("train_images").get<std::int64_t>();
    run.test_images = json.at("test_images").get<std::int64_t>();
    run.data_checksum = json.at("data_checksum").get<std::string>();
    run.parameters = json.at("parameters").get<std::int64_t>();
    run.simd = json.at("simd").get<std::string>();
    run.last = epoch_from(json.at("last_epoch"));
    run.position = position_from(json.at("position"));
    run.metrics = {.bytes = json.at("metrics").at("bytes").get<std::int64_t>(),
                   .crc32 = json.at("metrics").at("crc32").get<std::uint32_t>()};
  } catch (const Json::exception& error) {
    fail<BadDataError>(label, ": what it says of its training is damaged: ", error.what());
  }
  expect_known(label, "model", run.settings.model, model_names());
  expect_known(label, "data", run.settings.data, dataset_names());
  expect_known(label, "optimizer", run.settings.optimizer, optimizer_names());
  expect_known(label, "schedule", run.settings.schedule, schedule_names());
  const Settings& s = run.settings;
  const auto expect = [&](bool right, const char* key, auto value) {
    if (!right) fail<BadDataError>(label, ": ", key, " is ", value, ", which no training has");
  };
  expect(s.epochs >= 1 && s.epochs <= most_epochs, "epochs", s.epochs);
  expect(s.batch_size >= 1 && s.batch_size <= most_batch_size, "batch_size", s.batch_size);
  expect(std::isfinite(s.lr) && s.lr > 0, "lr", s.lr);
  expect(s.momentum >= 0 && s.momentum < 1, "momentum", s.momentum);
  expect(std::isfinite(s.weight_decay) && s.weight_decay >= 0, "weight_decay", s.weight_decay);
  const std::string& sum = run.data_checksum;
  const bool hexadecimal = sum.size() == 8 && sum.find_first_not_of("0123456789abcdef") == sum.npos;
  expect(hexadecimal, "data_checksum", in_quotes(sum));
  return run;
}

std::string to_result_json(const RunRecord& run, const std::filesystem::path& out) {
  const EpochRecord& last = run.last;
  const bool trained = last.epoch > 0;
  return dump({{"data", run.settings.data},
               {"model", run.settings.model},
               {"parameters", run.parameters},
               {"epochs", last.epoch},
               {"test_accuracy", measured(trained, last.test_accuracy)},
               {"test_loss", measured(trained, last.test_loss)},
               {"train_loss", measured(trained, last.train_loss)},
               {"seconds", last.seconds},
               {"images_per_second", last.images_per_second},
               {"seed", run.settings.seed},
               {"threads", run.settings.threads},
               {"out", out.string()},
               {"interrupted", run.unfinished()}});
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

}  // namespace gradus::app
