// gradus compare: two trainings side by side: what they were asked for, how they went, and what came of it. That
// they differ is a result like another: exit code 0.
#include <gradus/core/words.h>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "commands.h"
#include "data_parts.h"
#include "exit_code.h"
#include "json.h"
#include "metrics_file.h"
#include "run_folder.h"

namespace gradus::app {
namespace {

namespace fs = std::filesystem;

struct ComparedRun {
  std::string folder;
  RunRecord record;
  NamedTensors weights;
  Metrics metrics;
};

ComparedRun load_compared(const std::string& folder) {
  const LoadedRun run = load_trained(folder);
  return {.folder = folder,
          .record = run.record,
          .weights = run.model.state_dict(),
          .metrics = read_metrics("compare", folder, run.record.metrics)};
}

std::vector<EpochPair> pair_epochs(const Metrics& left, const Metrics& right) {
  std::map<std::int64_t, EpochPair> pairs;
  for (const EpochRecord& epoch : left.epochs) pairs[epoch.epoch].left = epoch;
  for (const EpochRecord& epoch : right.epochs) pairs[epoch.epoch].right = epoch;
  std::vector<EpochPair> list;
  for (auto& [number, pair] : pairs) {
    pair.epoch = number;
    list.push_back(pair);
  }
  return list;
}

/// Their text is the shortest that gives the number: equal texts are equal numbers, two NaN among them.
bool same_loss(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

/// Of the steps that both have, up to the first that differs.
StepComparison compare_steps(const std::vector<StepRecord>& left,
                             const std::vector<StepRecord>& right) {
  StepComparison result{.left = std::ssize(left), .right = std::ssize(right)};
  for (auto a = left.begin(), b = right.begin(); a != left.end() && b != right.end();) {
    if (a->step != b->step) {
      a->step < b->step ? ++a : ++b;
      continue;
    }
    if (!same_loss(a->loss, b->loss)) {
      result.step = a->step;
      result.left_loss = a->loss;
      result.right_loss = b->loss;
      break;
    }
    ++result.same;
    ++a;
    ++b;
  }
  return result;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) return false;
  const Tensor left = a.contiguous();
  const Tensor right = b.contiguous();
  const std::int64_t width = size_of(a.dtype());
  return std::memcmp(left.storage().data() + left.offset() * width,
                     right.storage().data() + right.offset() * width,
                     static_cast<std::size_t>(a.numel() * width)) == 0;
}

/// Of tensors of one shape; in pieces, which as float64 take little memory. A difference to NaN is infinite,
/// of two NaN or two equal infinities none.
void measure_difference(const Tensor& a, const Tensor& b, TensorDifference& result) {
  constexpr std::int64_t piece = 1 << 16;
  const Tensor left = a.flatten();
  const Tensor right = b.flatten();
  double magnitude = 0;
  for (std::int64_t begin = 0; begin < left.numel(); begin += piece) {
    const std::int64_t count = std::min(piece, left.numel() - begin);
    const auto x = left.narrow(0, begin, count).to(float64).to_vector<double>();
    const auto y = right.narrow(0, begin, count).to(float64).to_vector<double>();
    for (std::size_t i = 0; i < x.size(); ++i) {
      for (const double number : {x[i], y[i]})
        if (std::isfinite(number)) magnitude = std::max(magnitude, std::fabs(number));
      if (same_loss(x[i], y[i])) continue;
      const double apart = std::fabs(x[i] - y[i]);
      constexpr double endless = std::numeric_limits<double>::infinity();
      result.largest = std::isnan(apart) ? endless : std::max(result.largest, apart);
    }
  }
  result.relative = result.largest == 0 ? 0 : result.largest / magnitude;
}

TensorDifference describe_difference(const std::string& name, const Tensor* left,
                                     const Tensor* right) {
  TensorDifference result{.name = name};
  if (left != nullptr) result.left_shape = describe(*left);
  if (right != nullptr) result.right_shape = describe(*right);
  if (left != nullptr && right != nullptr && left->shape() == right->shape()) {
    measure_difference(*left, *right, result);
  } else {
    result.largest = std::numeric_limits<double>::quiet_NaN();
    result.relative = result.largest;
  }
  return result;
}

const Tensor* find_tensor(const NamedTensors& tensors, const std::string& name) {
  const auto found = std::ranges::find(tensors, name, &NamedTensors::value_type::first);
  return found == tensors.end() ? nullptr : &found->second;
}

void compare_weights(const NamedTensors& left, const NamedTensors& right, Comparison& result) {
  for (const auto& [name, tensor] : left) {
    const Tensor* other = find_tensor(right, name);
    ++result.tensors;
    result.elements += tensor.numel();
    if (other != nullptr && same_bits(tensor, *other)) continue;
    result.weights.push_back(describe_difference(name, &tensor, other));
  }
  for (const auto& [name, tensor] : right) {
    if (find_tensor(left, name) != nullptr) continue;
    ++result.tensors;
    result.weights.push_back(describe_difference(name, nullptr, &tensor));
  }
}

// ---- Text for a person ----

void print_run(const char* side, const ComparedRun& run) {
  fmt::print("{:6} {}: {} on {}, {} epochs, {} steps\n", side, run.folder,
             run.record.settings.model, short_name(run.record.settings.data), run.record.last.epoch,
             run.record.position.step);
}

void print_settings(const std::vector<SettingDifference>& settings) {
  if (settings.empty()) return fmt::print("settings: the same\n");
  std::size_t name = 0;
  std::size_t left = 4;
  for (const SettingDifference& setting : settings) {
    name = std::max(name, setting.name.size());
    left = std::max(left, setting.left.size());
  }
  fmt::print("settings that differ:\n  {:{}}  {:{}}  right\n", "", name, "left", left);
  for (const SettingDifference& setting : settings)
    fmt::print("  {:{}}  {:{}}  {}\n", setting.name, name, setting.left, left, setting.right);
}

std::string loss_text(const std::optional<EpochRecord>& epoch, double EpochRecord::*loss) {
  return epoch ? fmt::format("{:.6g}", (*epoch).*loss) : "-";
}

std::string accuracy_text(const std::optional<EpochRecord>& epoch) {
  return epoch ? fmt::format("{:.4f}", epoch->test_accuracy) : "-";
}

void print_epochs(const std::vector<EpochPair>& epochs) {
  if (epochs.empty()) return;
  fmt::print("\n{:>5}  {:>23}  {:>23}  {:>15}\n", "", "train loss", "test loss", "test accuracy");
  fmt::print("{0:>5}  {1:>11} {2:>11}  {1:>11} {2:>11}  {1:>7} {2:>7}\n", "epoch", "left", "right");
  for (const auto& [epoch, left, right] : epochs) {
    fmt::print("{:>5}  {:>11} {:>11}  {:>11} {:>11}  {:>7} {:>7}\n", epoch,
               loss_text(left, &EpochRecord::train_loss),
               loss_text(right, &EpochRecord::train_loss), loss_text(left, &EpochRecord::test_loss),
               loss_text(right, &EpochRecord::test_loss), accuracy_text(left),
               accuracy_text(right));
  }
}

void print_steps(const StepComparison& steps) {
  if (steps.step != 0)
    return fmt::print(
        "\nsteps: the same for {}, then apart: at step {} the loss is {} left, {} right\n",
        steps.same, steps.step, steps.left_loss, steps.right_loss);
  fmt::print("\nsteps: the same for {} steps", steps.same);
  if (steps.left != steps.right) fmt::print("; left has {}, right {}", steps.left, steps.right);
  fmt::print("\n");
}

void print_weights(const Comparison& comparison) {
  if (comparison.weights.empty())
    return fmt::print("weights: the same, bit for bit: {} tensors, {} numbers\n",
                      comparison.tensors, comparison.elements);
  std::size_t width = 4;
  for (const TensorDifference& tensor : comparison.weights)
    width = std::max(width, tensor.name.size());
  fmt::print("weights: {} of {} tensors differ\n  {:{}}  {:>18}  {:>12}\n",
             comparison.weights.size(), comparison.tensors, "name", width, "largest difference",
             "relative");
  for (const TensorDifference& tensor : comparison.weights) {
    if (std::isnan(tensor.largest)) {
      const auto shape = [](const std::string& text) { return text.empty() ? "nothing" : text; };
      fmt::print("  {:{}}  {} left, {} right\n", tensor.name, width, shape(tensor.left_shape),
                 shape(tensor.right_shape));
    } else {
      fmt::print("  {:{}}  {:>18.4g}  {:>12.4g}\n", tensor.name, width, tensor.largest,
                 tensor.relative);
    }
  }
}

}  // namespace

int run_compare(const CompareOptions& options) {
  const ComparedRun left = load_compared(options.left);
  const ComparedRun right = load_compared(options.right);
  Comparison result{.left = left.folder, .right = right.folder};
  result.settings = different_settings(left.record, right.record);
  for (SettingDifference& rates : different_rates(left.metrics, right.metrics))
    result.settings.push_back(std::move(rates));
  result.epochs = pair_epochs(left.metrics, right.metrics);
  result.steps = compare_steps(left.metrics.steps, right.metrics.steps);
  compare_weights(left.weights, right.weights, result);
  if (options.json) {
    fmt::print("{}\n", to_json(result));
    return exit_ok;
  }
  print_run("left:", left);
  print_run("right:", right);
  fmt::print("\n");
  print_settings(result.settings);
  print_epochs(result.epochs);
  print_steps(result.steps);
  print_weights(result);
  return exit_ok;
}

}  // namespace gradus::app
