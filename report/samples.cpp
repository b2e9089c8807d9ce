// The images of a batch as pictures, and what the net takes them for.
#include <gradus/autograd/anomaly.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/report/detail/content.h>
#include <gradus/report/detail/untouched.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace gradus::detail {
namespace {

/// The pixels that became x, 0..1 where it was normalized with these numbers.
Tensor denormalized(const Tensor& images, const Normalization& how) {
  if (images.dtype() == uint8) return images.to(float64) * (1.0 / 255);
  Tensor pixels = images.to(float64).clone();
  const std::int64_t plane = pixels.size(2) * pixels.size(3);
  auto* x = pixels.data<double>();
  for (std::int64_t i = 0; i < pixels.numel(); ++i) {
    const auto channel = static_cast<std::size_t>(i / plane % pixels.size(1));
    x[i] = x[i] * how.stddev[std::min(channel, how.stddev.size() - 1)] +
           how.mean[std::min(channel, how.mean.size() - 1)];
  }
  return pixels;
}

/// [N,C,H,W] as bytes. Where numbers lie beyond 0..1, which is nobody's pixel, the least is black and the
/// greatest white.
Tensor as_bytes(const Tensor& pixels) {
  constexpr double white = 255;
  constexpr double slack = 1e-3;  // of float32 that went to and fro
  double low = 0;
  double high = 1;
  const auto* x = pixels.data<double>();
  for (std::int64_t i = 0; i < pixels.numel(); ++i) {
    if (!std::isfinite(x[i])) continue;
    low = std::min(low, x[i]);
    high = std::max(high, x[i]);
  }
  if (low > -slack && high < 1 + slack) {
    low = 0;
    high = 1;
  }
  Tensor bytes = Tensor::empty(pixels.shape(), uint8);
  auto* y = bytes.data<std::uint8_t>();
  for (std::int64_t i = 0; i < pixels.numel(); ++i) {
    const double share = std::isfinite(x[i]) ? (x[i] - low) / (high - low) : 0;
    y[i] = static_cast<std::uint8_t>(std::lround(std::clamp(share, 0.0, 1.0) * white));
  }
  return bytes;
}

/// The classes as shares of 1: [N,C], or undefined where the scores are no such table.
Tensor probabilities_of(const Tensor& scores) {
  if (!scores.defined() || scores.rank() != 2 || scores.size(1) < 1) return {};
  return core::softmax(scores.to(float64), 1);
}

/// The class with the largest share; of shares that are all 0 none is known.
std::optional<std::int64_t> label_of(const Tensor& labels, std::int64_t image) {
  const Tensor one = labels[image];
  if (labels.rank() == 1) return static_cast<std::int64_t>(one.to(float64).item());
  if (core::max(one).item() == 0) return std::nullopt;
  return static_cast<std::int64_t>(core::argmax(one).item());
}

}  // namespace

Tensor scores_of(Module& net, const Tensor& images) {
  const Untouched borrowed(net);
  const DetectAnomaly may_diverge(false);
  const NoGrad unrecorded;
  net.eval();
  return net(images).value();
}

std::vector<ReportSample> samples_of(const Trace& trace, const Tensor& scores,
                                     const WatchOptions& options) {
  const Tensor& images = trace.nodes[trace.images].value;
  const Tensor probabilities = probabilities_of(scores);
  const bool are_pictures = images.rank() == 4 && images.numel() > 0 &&
                            !options.normalization.mean.empty() &&
                            !options.normalization.stddev.empty();
  const Tensor pictures =
      are_pictures ? as_bytes(denormalized(images, options.normalization)) : Tensor();
  std::vector<ReportSample> samples;
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    const auto at = static_cast<std::size_t>(i);
    ReportSample sample{at < options.names.size() ? options.names[at]
                                                  : "image " + std::to_string(i)};
    if (trace.labels.defined() && (trace.labels.rank() == 1 || trace.labels.rank() == 2))
      sample.label = label_of(trace.labels, i);
    if (probabilities.defined()) {
      sample.probabilities = probabilities[i].to_vector<double>();
      const auto greatest =
          std::max_element(sample.probabilities.begin(), sample.probabilities.end());
      sample.predicted = greatest - sample.probabilities.begin();
    }
    if (pictures.defined()) sample.picture = pictures[i].clone();
    samples.push_back(std::move(sample));
  }
  return samples;
}

}  // namespace gradus::detail
