// What a module's outputs look like as numbers, and their gradients: mean, deviation, histogram, and units
// that are dead.
#include <gradus/report/detail/recorder.h>
#include <gradus/report/detail/units.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace gradus::detail {
namespace {

std::vector<double> numbers_of(const std::vector<Tensor>& tensors) {
  std::vector<double> all;
  for (const Tensor& tensor : tensors) {
    const std::vector<double> part = tensor.to(float64).to_vector<double>();
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

}  // namespace

std::vector<bool> lively_units(const Tensor& y) {
  const std::int64_t units = y.rank() == 0 ? 1 : y.size(y.rank() >= 3 ? 1 : -1);
  const std::int64_t inner =
      y.rank() >= 3 ? y.numel() / std::max<std::int64_t>(y.size(0) * units, 1) : 1;
  std::vector<bool> lively(static_cast<std::size_t>(units));
  const std::vector<double> numbers = numbers_of({y});
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::int64_t unit = static_cast<std::int64_t>(i) / inner % units;
    if (!(numbers[i] <= 0)) lively[static_cast<std::size_t>(unit)] = true;
  }
  return lively;
}

namespace {

constexpr std::size_t histogram_bins = 32;

TraceHistogram histogram_of(const std::vector<double>& numbers) {
  TraceHistogram histogram{std::numeric_limits<double>::infinity(),
                           -std::numeric_limits<double>::infinity(),
                           std::vector<std::int64_t>(histogram_bins)};
  for (const double x : numbers) {
    if (!std::isfinite(x)) continue;
    histogram.low = std::min(histogram.low, x);
    histogram.high = std::max(histogram.high, x);
  }
  if (histogram.low > histogram.high) return {};  // none is finite
  const double width = histogram.high - histogram.low;
  for (const double x : numbers) {
    if (!std::isfinite(x)) continue;
    const double share = width > 0 ? (x - histogram.low) / width : 0;
    const auto bin = static_cast<std::size_t>(share * static_cast<double>(histogram_bins));
    ++histogram.counts[std::min(bin, histogram_bins - 1)];
  }
  return histogram;
}

TraceSpread spread_of(const std::vector<double>& numbers) {
  const auto count = static_cast<double>(numbers.size());
  double sum = 0;
  for (const double x : numbers) sum += x;
  const double mean = sum / count;
  double squares = 0;
  for (const double x : numbers) squares += (x - mean) * (x - mean);
  return {mean, std::sqrt(squares / count), histogram_of(numbers)};
}

/// A unit is dead where no call of the module's relu makes it positive.
std::optional<double> dead_share(const Trace& trace, std::size_t module) {
  std::vector<bool> lively;
  for (const TraceNode& node : trace.nodes) {
    if (node.module != module || node.op != "relu" || !node.value.defined()) continue;
    const std::vector<bool> now = lively_units(node.value);
    if (lively.empty()) lively.resize(now.size());
    if (now.size() != lively.size()) return std::nullopt;
    for (std::size_t i = 0; i < now.size(); ++i) lively[i] = lively[i] || now[i];
  }
  if (lively.empty()) return std::nullopt;
  const auto dead = std::count(lively.begin(), lively.end(), false);
  return static_cast<double>(dead) / static_cast<double>(lively.size());
}

}  // namespace

std::vector<TraceActivity> activity_of(const Trace& trace) {
  std::vector<TraceActivity> all;
  for (std::size_t m = 0; m < trace.modules.size(); ++m) {
    if (trace.modules[m].has_children) continue;
    std::vector<Tensor> values;
    std::vector<Tensor> gradients;
    for (const std::size_t index : trace.modules[m].outputs) {
      const TraceNode& node = trace.nodes[index];
      if (node.value.defined() && node.value.numel() > 0) values.push_back(node.value);
      if (node.gradient.defined() && node.gradient.numel() > 0) gradients.push_back(node.gradient);
    }
    if (values.empty()) continue;
    TraceActivity activity{.module = m, .values = spread_of(numbers_of(values))};
    activity.dead = dead_share(trace, m);
    if (!gradients.empty()) activity.gradients = spread_of(numbers_of(gradients));
    all.push_back(std::move(activity));
  }
  return all;
}

}  // namespace gradus::detail
