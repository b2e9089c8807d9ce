// gradus gradcheck: every operation and every layer through its own samples, as a table.
#include <gradus/autograd/gradcheck.h>
#include <gradus/layers/all.h>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "commands.h"
#include "exit_code.h"
#include "json.h"

namespace gradus::app {
namespace {

/// Something with samples: an operation or a layer.
struct Subject {
  std::string kind;
  std::string name;
  std::vector<Sample> (*op_samples)() = nullptr;
  std::vector<LayerSample> (*layer_samples)() = nullptr;

  std::vector<Sample> samples() const {
    if (op_samples != nullptr) return op_samples();
    std::vector<Sample> plain;
    for (LayerSample& sample : layer_samples()) plain.push_back(std::move(sample));
    return plain;
  }
};

std::vector<Subject> all_subjects() {
  std::vector<Subject> subjects;
  for (const OpInfo& op : all_ops()) {
    subjects.push_back({.kind = "op", .name = std::string(op.name), .op_samples = op.samples});
  }
  for (const LayerInfo& layer : all_layers()) {
    subjects.push_back(
        {.kind = "layer", .name = std::string(layer.name), .layer_samples = layer.samples});
  }
  return subjects;
}

/// How many letters to insert, remove or replace to turn `a` into `b`, whatever their case.
/// V. Levenshtein, "Binary codes capable of correcting deletions, insertions, and reversals", 1966.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  const auto same = [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  };
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (same(a[i], b[j]) ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row[b.size()];
}

[[noreturn]] void fail_unknown(const std::string& name, std::vector<Subject> subjects) {
  const auto distance = [&](const Subject& subject) {
    const bool holds_it = subject.name.find(name) != std::string::npos;
    return std::pair(!holds_it, edit_distance(name, subject.name));
  };
  std::stable_sort(subjects.begin(), subjects.end(),
                   [&](const Subject& a, const Subject& b) { return distance(a) < distance(b); });
  fail<UsageError>("gradcheck: nothing is named ", name, "; nearest are ", subjects[0].name, ", ",
                   subjects[1].name, ", ", subjects[2].name,
                   " (gradus gradcheck --list shows all)");
}

std::vector<Subject> selected(const std::vector<std::string>& names) {
  std::vector<Subject> all = all_subjects();
  if (names.empty()) return all;
  std::vector<Subject> chosen;
  for (const std::string& name : names) {
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const Subject& subject) { return subject.name == name; });
    if (found == all.end()) fail_unknown(name, all);
    chosen.push_back(*found);
  }
  return chosen;
}

/// One sample at one order, into `row`. What the sample throws is a failure like any other.
void check_sample(const Sample& sample, std::size_t order, CheckRow& row) {
  CheckRow::Order& result = row.orders[order];
  std::string failure;
  try {
    const GradcheckReport report = order == 0 ? gradcheck(sample.function, sample.inputs)
                                              : gradgradcheck(sample.function, sample.inputs);
    result.elements += report.elements;
    result.worst = std::max(result.worst, report.worst_relative_error);
    if (!report.passed()) failure = report.to_string();
  } catch (const Error& error) {
    failure = error.what();
  }
  if (failure.empty()) return;
  result.passed = false;
  row.failures.push_back(
      fmt::format("{} ({}), order {}: {}", row.name, sample.description, order + 1, failure));
}

CheckRow check(const Subject& subject, int order) {
  CheckRow row{.kind = subject.kind, .name = subject.name};
  row.orders.resize(static_cast<std::size_t>(order));
  const std::vector<Sample> samples = subject.samples();
  row.samples = std::ssize(samples);
  for (const Sample& sample : samples) {
    for (std::size_t i = 0; i < row.orders.size(); ++i) check_sample(sample, i, row);
  }
  // Without a number compared, "passed" would mean nothing.
  for (std::size_t i = 0; i < row.orders.size(); ++i) {
    if (row.orders[i].elements > 0 || !row.orders[i].passed) continue;
    row.orders[i].passed = false;
    row.failures.push_back(fmt::format("{}, order {}: nothing was compared", row.name, i + 1));
  }
  return row;
}

void print_head(int order) {
  fmt::print("{:6}{:24}{:>8}{:>10}{:>12}", "kind", "name", "samples", "elements", "worst");
  if (order == 2) fmt::print("{:>10}{:>12}", "order 2", "worst");
  fmt::print("\n");
}

void print_row(const CheckRow& row) {
  fmt::print("{:6}{:24}{:>8}", row.kind, row.name, row.samples);
  for (const CheckRow::Order& result : row.orders) {
    fmt::print("{:>10}{:>12.1e}", result.elements, result.worst);
  }
  fmt::print("  {}\n", row.passed() ? "ok" : "FAILED");
  for (const std::string& failure : row.failures) fmt::print("  {}\n", failure);
  std::fflush(stdout);  // the next row may take a while
}

void print_list(const std::vector<Subject>& subjects) {
  for (const Subject& subject : subjects) fmt::print("{:6}{}\n", subject.kind, subject.name);
}

}  // namespace

int run_gradcheck(const GradcheckCommandOptions& options) {
  const std::vector<Subject> subjects = selected(options.names);
  if (options.list) {
    print_list(subjects);
    return exit_ok;
  }
  const auto start = std::chrono::steady_clock::now();
  std::vector<CheckRow> rows;
  std::size_t failed = 0;
  if (!options.json) print_head(options.order);
  for (const Subject& subject : subjects) {
    rows.push_back(check(subject, options.order));
    failed += rows.back().passed() ? 0 : 1;
    if (!options.json) print_row(rows.back());
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (options.json) {
    fmt::print("{}\n", to_json(rows, options.order, seconds));
  } else {
    fmt::print("{} of {} passed in {:.1f} s\n", rows.size() - failed, rows.size(), seconds);
  }
  return failed == 0 ? exit_ok : exit_check_failed;
}

}  // namespace gradus::app
