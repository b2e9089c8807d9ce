// The proof in float32 as a table, a row for each name. See float32.h.
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/gradcheck/module.h>
#include <gradus/layers/models.h>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>

#include "exit_code.h"
#include "float32.h"
#include "json.h"
#include "net_subject.h"
#include "records.h"
#include "stopwatch.h"

namespace gradus::app {
namespace {

/// What a sample throws is a failure like any other.
void prove(const Sample& sample, const std::vector<std::string>& names, Float32Row& row) {
  const Float32Options how{.subject = row.name + " (" + sample.description + ")", .names = names};
  ++row.samples;
  try {
    const Float32Report report = gradcheck_float32(sample.function, sample.inputs, how);
    row.elements += report.elements;
    row.identities += report.identities;
    row.undecided += report.undecided;
    row.fail += report.fail_count;
    if (report.worst > row.worst) {
      row.worst = report.worst;
      row.worst_at = report.worst_at;
    }
    if (!report.passed()) row.failures.push_back(report.to_string());
  } catch (const Error& error) {
    row.failures.push_back(how.subject + ": " + error.what());
  }
}

Float32Row prove(const Subject& subject) {
  Float32Row row{.kind = subject.kind, .name = subject.name};
  for (const LayerSample& base : subject.samples()) {
    for (const Sample& sample : in_every_layout({base})) prove(sample, base.names, row);
  }
  for (const Sample& sample : subject.training_samples()) prove(sample, {}, row);
  if (row.elements == 0 && row.passed())
    row.failures.push_back(row.name + ": nothing was compared");
  return row;
}

void print_row(const Float32Row& row) {
  fmt::print("{:6}{:24}{:>8}{:>12}{:>9.3f}  {}", row.kind, row.name, row.samples, row.elements,
             row.worst, row.passed() ? "ok" : "FAILED");
  if (row.undecided > 0) fmt::print(", {} at a relu's 0", row.undecided);
  fmt::print("\n");
  for (const std::string& failure : row.failures) fmt::print("  {}\n", failure);
  std::fflush(stdout);  // the next row may take a while
}

/// Where it matters what a net is made for: CIFAR's images.
ImageSpec image_for(const std::string& model) {
  if (model == "resnet20" || model == "mobilenet" || model == "nin")
    return {.channels = 3, .height = 32, .width = 32};
  return {};
}

}  // namespace

int prove_subjects(const GradcheckCommandOptions& options, const std::vector<Subject>& subjects) {
  const Clock::time_point start = Clock::now();
  std::vector<Float32Row> rows;
  if (!options.json) {
    fmt::print("{:6}{:24}{:>8}{:>12}{:>9}\n", "kind", "name", "samples", "elements", "worst");
  }
  for (const Subject& subject : subjects) {
    rows.push_back(prove(subject));
    if (!options.json) print_row(rows.back());
  }
  const auto failed =
      std::count_if(rows.begin(), rows.end(), [](const Float32Row& row) { return !row.passed(); });
  const double seconds = seconds_since(start);
  if (options.json) {
    fmt::print("{}\n", to_json(rows, seconds));
  } else {
    fmt::print("{} of {} passed in {:.1f} s; worst is the largest difference over its bound\n",
               std::ssize(rows) - failed, rows.size(), seconds);
  }
  return failed == 0 ? exit_ok : exit_check_failed;
}

int prove_model(const GradcheckCommandOptions& options) {
  constexpr std::int64_t images = 32;
  const Clock::time_point start = Clock::now();
  Generator generator(1);
  NetSubject subject = net_to_check(options.model, image_for(options.model), generator);
  Sequential& model = subject.model;
  const ImageSpec& image = subject.image;
  const Tensor x = randn({images, image.channels, image.height, image.width}, generator);
  const Tensor labels = randint(0, image.classes, {images}, generator);
  const Float32Report report = gradcheck_float32(
      model, x, [&](const Variable& scores) { return cross_entropy(scores, labels); },
      {.subject = options.model});
  const double seconds = seconds_since(start);
  if (options.json) {
    fmt::print("{}\n", to_json(report, model.parameter_count(), seconds));
  } else {
    fmt::print("{} with its loss, {} parameters, {} images\n{}\nin {:.1f} s\n", options.model,
               model.parameter_count(), images, report.to_string(), seconds);
  }
  return report.passed() ? exit_ok : exit_check_failed;
}

}  // namespace gradus::app
