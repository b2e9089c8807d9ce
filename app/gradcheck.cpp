// gradus gradcheck: every operation and every layer through its own samples, as a table; a whole
// model with its loss; and the checker itself, on bugs planted for it.
#include <gradus/autograd/functions.h>
#include <gradus/io/atomic_file.h>

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "commands.h"
#include "exit_code.h"
#include "float32.h"
#include "in_order.h"
#include "interrupt.h"
#include "json.h"
#include "kernel_self_test.h"
#include "net_gradcheck.h"
#include "net_subject.h"
#include "output_file.h"
#include "self_test.h"
#include "stopwatch.h"
#include "subjects.h"

namespace gradus::app {
namespace {

bool colour() { return isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr; }

/// More inconclusive elements than this and a check has not confirmed what it should.
constexpr double inconclusive_share = 0.01;

bool too_vague(std::int64_t inconclusive, std::int64_t compared) {
  return static_cast<double>(inconclusive) > inconclusive_share * static_cast<double>(compared);
}

/// One line on a terminal's stderr that says how far a check is; it goes when the check ends. Of
/// several checks at once one has the line. And Ctrl-C, which stops it.
class Watch {
 public:
  Watch() : draws_(isatty(STDERR_FILENO) != 0 && !line_taken.exchange(true)) { catch_interrupts(); }
  ~Watch() {
    clear();
    if (draws_) line_taken = false;
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  std::function<bool(const GradcheckProgress&)> progress() {
    return [this](const GradcheckProgress& progress) { return draw(progress); };
  }

 private:
  bool draw(const GradcheckProgress& progress) {
    if (draws_) {
      clear();
      const std::string text =
          fmt::format("{}: {} of {} elements", progress.subject, progress.done, progress.total);
      width_ = std::min<std::size_t>(text.size(), 79);
      fmt::print(stderr, "{}", text.substr(0, width_));
      std::fflush(stderr);
    }
    return !interrupted();
  }

  void clear() {
    if (width_ > 0) fmt::print(stderr, "\r{:{}}\r", "", std::exchange(width_, 0));
  }

  static inline std::atomic<bool> line_taken = false;
  bool draws_;
  std::size_t width_ = 0;
};

/// Does a report look worse than another?
bool is_worse(const GradcheckReport& report, const std::optional<GradcheckReport>& than) {
  const auto badness = [](const GradcheckReport& r) {
    return std::pair(r.verdict, r.worst_relative_error);
  };
  return !than || badness(report) > badness(*than);
}

/// Checks a subject, and keeps the report that looks worst, for --html.
class Checker {
 public:
  Checker(int order, bool keep_worst) : order_(order), keep_worst_(keep_worst) {}

  /// Ctrl-C has come.
  bool stopped() const { return stopped_; }

  CheckRow check(const Subject& subject) {
    CheckRow row{.kind = subject.kind, .name = subject.name};
    row.orders.resize(static_cast<std::size_t>(order_));
    for (const LayerSample& base : subject.samples()) {
      const std::vector<Sample> samples = in_every_layout({base});
      for (const Sample& sample : samples) {
        if (stopped_ = interrupted(); stopped_) break;
        ++row.samples;
        check_sample(sample, base.names, 1, row, {});
        if (order_ < 2) continue;
        check_sample(sample, base.names, 2, row,
                     &sample == &samples.front() ? GradcheckOptions{} : in_another_layout());
      }
    }
    for (std::size_t i = 0; i < row.orders.size() && !stopped_; ++i) judge(row, i);
    return row;
  }

  std::optional<GradcheckReport>& worst() { return worst_; }

 private:
  /// Of second order, where the same sample was compared element by element in one layout: what reads
  /// another as if it were that one is wrong along any direction.
  static GradcheckOptions in_another_layout() {
    GradcheckOptions options = fast_gradcheck(1);
    options.elements = 1;
    return options;
  }

  /// What a sample throws is a failure like any other.
  void check_sample(const Sample& sample, const std::vector<std::string>& names, int order,
                    CheckRow& row, GradcheckOptions options) {
    CheckRow::Order& result = row.orders[static_cast<std::size_t>(order - 1)];
    Watch watch;
    options.subject = row.name + " (" + sample.description + ")";
    options.names = names;
    options.sweep = keep_worst_;
    options.progress = watch.progress();
    try {
      GradcheckReport report = order == 1 ? gradcheck(sample.function, sample.inputs, options)
                                          : gradgradcheck(sample.function, sample.inputs, options);
      result.elements += report.elements;
      result.fail += report.fail_count;
      result.kink += report.kink_count;
      result.inconclusive += report.inconclusive_count;
      result.worst = std::max(result.worst, report.worst_relative_error);
      if (report.verdict == Verdict::fail) {
        result.passed = false;
        row.failures.push_back(report.to_string(colour()));
      }
      keep_if_worst(std::move(report));
    } catch (const Error& error) {
      result.passed = false;
      row.failures.push_back(options.subject + ": " + error.what());
    }
  }

  static void judge(CheckRow& row, std::size_t order) {
    CheckRow::Order& result = row.orders[order];
    const auto refuse = [&](const std::string& why) {
      result.passed = false;
      row.failures.push_back(fmt::format("{}, order {}: {}", row.name, order + 1, why));
    };
    if (!result.passed) return;
    if (result.elements == 0) return refuse("nothing was compared");  // passed would mean nothing
    if (too_vague(result.inconclusive, result.elements)) {
      refuse(
          fmt::format("{} of {} elements are inconclusive", result.inconclusive, result.elements));
    }
  }

  void keep_if_worst(GradcheckReport report) {
    if (keep_worst_ && is_worse(report, worst_)) worst_ = std::move(report);
  }

  int order_;
  bool keep_worst_;
  bool stopped_ = false;
  std::optional<GradcheckReport> worst_;
};

void print_head(int order) {
  fmt::print("{:6}{:24}{:>8}{:>10}{:>12}", "kind", "name", "samples", "elements", "worst");
  if (order == 2) fmt::print("{:>10}{:>12}", "order 2", "worst");
  fmt::print("\n");
}

void print_row(const CheckRow& row) {
  fmt::print("{:6}{:24}{:>8}", row.kind, row.name, row.samples);
  std::int64_t kinks = 0;
  std::int64_t inconclusive = 0;
  for (const CheckRow::Order& result : row.orders) {
    fmt::print("{:>10}{:>12.1e}", result.elements, result.worst);
    kinks += result.kink;
    inconclusive += result.inconclusive;
  }
  fmt::print("  {}", row.passed() ? "ok" : "FAILED");
  if (kinks > 0) fmt::print(", {} at kinks", kinks);
  if (inconclusive > 0) fmt::print(", {} inconclusive", inconclusive);
  fmt::print("\n");
  for (const std::string& failure : row.failures) fmt::print("  {}\n", failure);
  std::fflush(stdout);  // the next row may take a while
}

void write_page(const std::string& file, const std::optional<GradcheckReport>& report) {
  if (!file.empty() && report) write_file_atomically(file, report->to_html());
}

int check_subjects(const GradcheckCommandOptions& options, const std::vector<Subject>& subjects) {
  const Clock::time_point start = Clock::now();
  std::optional<GradcheckReport> worst;
  std::vector<CheckRow> rows;
  std::size_t failed = 0;
  bool stopped = false;
  if (!options.json) print_head(options.order);
  struct Checked {
    CheckRow row;
    std::optional<GradcheckReport> worst;
    bool stopped;
  };
  const auto check = [&](std::size_t i) {
    Checker checker(options.order, !options.html.empty());
    CheckRow row = checker.check(subjects[i]);
    return Checked{std::move(row), std::move(checker.worst()), checker.stopped()};
  };
  in_order(subjects.size(), check, [&](Checked checked) {
    stopped = checked.stopped;
    if (stopped) return false;
    if (checked.worst && is_worse(*checked.worst, worst)) worst = std::move(checked.worst);
    rows.push_back(std::move(checked.row));
    failed += rows.back().passed() ? 0 : 1;
    if (!options.json) print_row(rows.back());
    return true;
  });
  write_page(options.html, worst);
  const double seconds = seconds_since(start);
  if (options.json) {
    fmt::print("{}\n", to_json(rows, options.order, seconds));
  } else {
    fmt::print("{} of {} passed in {:.1f} s\n", rows.size() - failed, rows.size(), seconds);
  }
  if (stopped) {
    fmt::print(stderr, "gradus: stopped: {} of {} were checked\n", rows.size(), subjects.size());
    return exit_interrupted;
  }
  return failed == 0 ? exit_ok : exit_check_failed;
}

int check_model(const GradcheckCommandOptions& options) {
  constexpr std::int64_t exact_elements = 24;  // of each parameter
  const Clock::time_point start = Clock::now();
  Generator generator(1);
  NetSubject subject = net_to_check(options.model, {}, generator);
  Sequential& model = subject.model;
  const CheckedBatch batch = batch_to_check(subject.image, generator);
  GradcheckOptions how = fast_gradcheck();
  how.elements = exact_elements;
  how.subject = options.model;
  std::optional<Watch> watch(std::in_place);
  how.progress = watch->progress();
  const GradcheckReport report = check_net(model, batch, how);
  watch.reset();
  if (report.stopped) {
    fmt::print("{}\n", options.json ? report.to_json() : report.to_string(colour()));
    return exit_interrupted;
  }
  const auto loss = [&](const Variable& scores) { return cross_entropy(scores, batch.labels); };
  const TaylorReport taylor = taylor_test(model, batch.images, loss);
  write_page(options.html, report);
  const double seconds = seconds_since(start);
  if (options.json) {
    fmt::print("{}\n", to_json(report, taylor, model.parameter_count(), seconds));
  } else {
    fmt::print("{} with its loss, {} parameters, {} images\n{}\n{}\nin {:.1f} s\n", options.model,
               model.parameter_count(), batch.images.size(0), report.to_string(colour()),
               taylor.to_string(), seconds);
  }
  const bool bad = report.verdict == Verdict::fail || taylor.verdict == Verdict::fail ||
                   too_vague(report.inconclusive_count, report.elements + report.directions);
  return bad ? exit_check_failed : exit_ok;
}

int test_checker(const GradcheckCommandOptions& options, const std::vector<Subject>& subjects) {
  catch_interrupts();
  const SelfTestRecord test = run_self_test(subjects);
  const KernelSelfTest kernels = run_kernel_self_test(subjects, options.names.empty());
  const auto escaped = std::count_if(test.planted.begin(), test.planted.end(),
                                     [](const PlantedRow& row) { return !row.caught; });
  if (options.json) {
    fmt::print("{}\n", to_json(test, kernels));
  } else {
    print_self_test(test);
    print_kernel_self_test(kernels);
  }
  if (interrupted()) {
    fmt::print(stderr, "gradus: stopped: this is what was known by then\n");
    return exit_interrupted;
  }
  const bool good = escaped == 0 && test.false_alarms.empty() && passed(kernels);
  return good ? exit_ok : exit_check_failed;
}

}  // namespace

int run_gradcheck(const GradcheckCommandOptions& options) {
  if (!options.html.empty()) expect_writable("--html", options.html);
  if (!options.model.empty()) return options.float32 ? prove_model(options) : check_model(options);
  const std::vector<Subject> subjects = selected_subjects(options.names);
  if (options.list) {
    if (options.json) {
      fmt::print("{}\n", to_json(subjects));
    } else {
      for (const Subject& subject : subjects) fmt::print("{:6}{}\n", subject.kind, subject.name);
    }
    return exit_ok;
  }
  if (options.float32) return prove_subjects(options, subjects);
  return options.self_test ? test_checker(options, subjects) : check_subjects(options, subjects);
}

}  // namespace gradus::app
