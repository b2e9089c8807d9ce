// The two generators of numbers, and the formulas that choose their bounds.
#include <gradus/layers/init.h>

#include <cmath>

namespace gradus::init {
namespace {

void check_floating(std::string_view op, const Tensor& tensor) {
  if (is_floating(tensor.dtype())) return;
  fail<DTypeError>(op, ": expects float32 or float64, got ", describe(tensor));
}

/// Fills row by row with draw(), whatever the strides.
template <class Draw> void fill(const char* op, const Tensor& tensor, const Draw& draw) {
  const Tensor values = Tensor::empty(tensor.shape(), float64);
  double* out = values.data<double>();
  for (std::int64_t i = 0, count = tensor.numel(); i < count; ++i) out[i] = draw();
  const WrittenBy writer(op);
  tensor.copy_(values);
}

/// gain/√fan: the standard deviation that keeps the variance of the signal.
double kaiming_std(const Tensor& weight, const KaimingOptions& options) {
  const Fans counts = fans(weight.shape());
  const std::int64_t fan = options.mode == FanMode::fan_in ? counts.in : counts.out;
  const double gain = std::sqrt(2 / (1 + options.a * options.a));
  return fan == 0 ? 0 : gain / std::sqrt(static_cast<double>(fan));
}

double xavier_std(const Tensor& weight, double gain) {
  const Fans counts = fans(weight.shape());
  const std::int64_t fan = counts.in + counts.out;
  return fan == 0 ? 0 : gain * std::sqrt(2 / static_cast<double>(fan));
}

/// U(-b, b) has the variance b²/3.
double bound_of(double std) { return std::sqrt(3.0) * std; }

}  // namespace

Fans fans(const Shape& weight) {
  if (weight.rank() < 2) {
    fail<ShapeError>("init: fan_in and fan_out need a weight of at least 2 dimensions, got ",
                     weight);
  }
  std::int64_t receptive_field = 1;
  for (int d = 2; d < weight.rank(); ++d) receptive_field *= weight[d];
  return {weight[1] * receptive_field, weight[0] * receptive_field};
}

void uniform_(const Tensor& tensor, double low, double high, Generator& generator) {
  check_floating("uniform_", tensor);
  if (!(low <= high) || !std::isfinite(high - low)) {
    fail<ValueError>("uniform_: expects finite low <= high, got low ", low, " and high ", high);
  }
  fill("uniform_", tensor, [&] { return low + (high - low) * generator.uniform(); });
}

void normal_(const Tensor& tensor, double mean, double std, Generator& generator) {
  check_floating("normal_", tensor);
  if (!(std >= 0) || !std::isfinite(std))
    fail<ValueError>("normal_: std must be finite and >= 0, got ", std);
  fill("normal_", tensor, [&] { return mean + std * generator.normal(); });
}

void constant_(const Tensor& tensor, double value) {
  check_floating("constant_", tensor);
  tensor.fill_(value);
}

void kaiming_uniform_(const Tensor& weight, const KaimingOptions& options, Generator& generator) {
  const double bound = bound_of(kaiming_std(weight, options));
  uniform_(weight, -bound, bound, generator);
}

void kaiming_normal_(const Tensor& weight, const KaimingOptions& options, Generator& generator) {
  normal_(weight, 0, kaiming_std(weight, options), generator);
}

void xavier_uniform_(const Tensor& weight, double gain, Generator& generator) {
  const double bound = bound_of(xavier_std(weight, gain));
  uniform_(weight, -bound, bound, generator);
}

void xavier_normal_(const Tensor& weight, double gain, Generator& generator) {
  normal_(weight, 0, xavier_std(weight, gain), generator);
}

void default_(const Tensor& weight, const Tensor& bias, Generator& generator) {
  kaiming_uniform_(weight, {.a = std::sqrt(5.0)}, generator);
  if (!bias.defined()) return;
  const std::int64_t fan_in = fans(weight.shape()).in;
  const double bound = fan_in == 0 ? 0 : 1 / std::sqrt(static_cast<double>(fan_in));
  uniform_(bias, -bound, bound, generator);
}

}  // namespace gradus::init
