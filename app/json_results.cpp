// What the other subcommands print with --json.
#include <filesystem>
#include <optional>

#include "json.h"
#include "json_text.h"

namespace gradus::app {
namespace {

/// A number, or null for one that was never measured.
Json measured(bool is_measured, double value) { return is_measured ? Json(value) : Json(); }

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
  return dump_json(result);
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
  return dump_json({{"file", file.string()},
                    {"tensors", tensors},
                    {"count", header.tensors.size()},
                    {"elements", elements},
                    {"bytes", header.data_bytes},
                    {"metadata", header.metadata}});
}

std::string to_json(const Prediction& prediction) {
  Json top = Json::array();
  for (const auto& [name, probability] : prediction.top)
    top.push_back({{"class", name}, {"probability", probability}});
  return dump_json({{"file", prediction.file},
                    {"class", prediction.top.front().first},
                    {"probability", prediction.top.front().second},
                    {"top", top}});
}

std::string to_json(const DataRecord& data) {
  Json classes = Json::array();
  for (const DataRecord::Class& row : data.classes)
    classes.push_back({{"class", row.name}, {"train", row.train}, {"test", row.test}});
  return dump_json({{"data", data.name},
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
  return dump_json({{"suggestion", search.suggestion},
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
  return dump_json({{"model", summary.model},
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

}  // namespace gradus::app
