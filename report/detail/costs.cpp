// Additions, and the rate of products: what the profiler does not tell.
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/core/parallel.h>
#include <gradus/report/detail/recorder.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <utility>

namespace gradus::detail {
namespace {

/// How many places of a line some window covers; those of the padding too.
std::int64_t places_covered(std::int64_t windows, std::int64_t taps, std::int64_t stride,
                            std::int64_t dilation) {
  std::set<std::int64_t> covered;
  for (std::int64_t window = 0; window < windows; ++window)
    for (std::int64_t tap = 0; tap < taps; ++tap) covered.insert(window * stride + tap * dilation);
  return std::ssize(covered);
}

/// The sums that a convolution's gradient of its input [N,C,H,W] is made of, from dy [N,F,OH,OW] and the weight
/// [F,C/groups,kh,kw].
std::int64_t sums_of_input_gradient(const ProfileEvent& event, const Conv2dOptions& options) {
  const Shape& dy = event.inputs.at(0);
  const Shape& weight = event.inputs.at(1);
  const Shape& dx = event.outputs.at(0);
  return dx[0] * dx[1] *
         places_covered(dy[2], weight[2], options.stride.height, options.dilation.height) *
         places_covered(dy[3], weight[3], options.stride.width, options.dilation.width);
}

}  // namespace

std::int64_t additions_of(const ProfileEvent& event, const Conv2dOptions* convolution) {
  if (event.flops == 0 || event.outputs.empty()) return 0;
  const std::int64_t products = event.flops / 2;
  if (event.name == "conv2d_input_grad" && convolution != nullptr)
    return products - sums_of_input_gradient(event, *convolution);
  const std::int64_t sums = event.outputs[0].numel();
  const bool biased = (event.name == "conv2d" || event.name == "linear") &&
                      event.inputs.size() > 2 && event.inputs[2].rank() > 0;
  return products - sums + (biased ? sums : 0);
}

double product_rate(DType dtype) {
  constexpr std::int64_t side = 384;
  constexpr int tries = 3;
  static std::mutex one_at_a_time;
  static std::map<std::pair<DType, int>, double> rates;
  const std::lock_guard lock(one_at_a_time);
  double& rate = rates[{dtype, num_threads()}];
  if (rate > 0) return rate;
  const Tensor a = ones({side, side}, dtype);
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i <= tries; ++i) {  // the first wakes memory and threads
    const auto start = std::chrono::steady_clock::now();
    core::matmul(a, a);
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    best = std::min(best, spent.count());
  }
  rate = 2.0 * side * side * side / best;
  return rate;
}

}  // namespace gradus::detail
