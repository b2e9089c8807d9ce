// Batch normalisation. In training the statistics are functions of the input and take part in the
// derivative; in evaluation they are constants and the whole is an affine map.
#include <gradus/autograd/ops/chapter.h>

namespace gradus {
namespace ops {
namespace {

/// All dimensions but the channels'.
Dims statistics_dims(int rank) {
  Dims dims{0};
  for (int d = 2; d < rank; ++d) dims.push_back(d);
  return dims;
}

/// [C] -> [1,C,1,...], to stand beside an input of `rank`.
Shape channel_shape(std::int64_t channels, int rank) {
  Shape shape = Shape::filled(rank, 1);
  shape[1] = channels;
  return shape;
}

}  // namespace

/// x̂ = (x - μ)/σ, y = x̂·w + b, μ and σ² = var + eps over all but channels
/// dL/db = Σ dL/dy,   dL/dw = Σ dL/dy·x̂,   dL/dx = w/σ·(dL/dy - mean(dL/dy) - x̂·mean(dL/dy·x̂))
/// Source: S. Ioffe, C. Szegedy, "Batch Normalization", ICML 2015.
struct BatchNorm final : Op {
  static constexpr std::string_view name = "batch_norm";
  double eps;
  Variable x, w;
  Tensor mu, inverse_sigma;  // [1,C,1,..]

  BatchNorm(double epsilon, Tensor batch_mean, const Tensor& batch_variance)
      : eps(epsilon),
        mu(std::move(batch_mean)),
        inverse_sigma(core::div(1, core::sqrt(core::add(batch_variance, eps)))) {}

  Tensor forward(const Variable& input, const Variable& weight, const Variable& bias) {
    x = input;
    w = weight;
    const Shape channels = mu.shape();
    const Tensor scale = weight.defined()
                             ? core::mul(weight.value().reshape(channels), inverse_sigma)
                             : inverse_sigma;
    const Tensor y = core::mul(core::sub(input.value(), mu), scale);
    if (bias.defined()) core::add_(y, bias.value().reshape(channels));
    return y;
  }

  Variables backward(const Variable& dy) override {
    const Dims dims = statistics_dims(x.rank());
    Variable mean_x = mu;
    Variable inverse = inverse_sigma;
    if (grad_enabled()) {  // a second derivative will want them as functions of x
      mean_x = mean(x, dims, true);
      inverse = pow(var(x, dims, true, 0) + eps, -0.5);
    }
    const Variable normal = (x - mean_x) * inverse;
    const auto count = static_cast<double>(x.numel() / std::max<std::int64_t>(x.size(1), 1));
    const Variable total = sum(dy, dims, true);           // [1,C,1,..]
    const Variable along = sum(dy * normal, dims, true);  // [1,C,1,..]
    Variable dx;
    if (needs(0)) {
      dx = (dy - total * (1 / count) - normal * (along * (1 / count))) *
           (w.defined() ? inverse * reshape(w, mu.shape()) : inverse);
    }
    return {dx, needs(1) ? reshape(along, w.shape()) : Variable(),
            needs(2) ? reshape(total, {x.size(1)}) : Variable()};
  }

  static std::vector<Sample> samples() {
    const auto train = [](const Variables& v) {
      return batch_norm(v[0], v.size() > 1 ? v[1] : Variable(), v.size() > 2 ? v[2] : Variable(),
                        {}, {}, {.eps = 0.1});
    };
    const auto evaluate = [](const Variables& v) {
      return batch_norm(v[0], v[1], v[2], Tensor::from({0.5, -0.25}, float64),
                        Tensor::from({1.5, 0.75}, float64), {.training = false});
    };
    return {{"images", {spread({3, 2, 2, 4}, 1), positive({2}, 2), spread({2}, 3)}, train},
            {"sequences", {spread({3, 4, 5}, 4), positive({4}, 5), spread({4}, 6)}, train},
            {"a square", {spread({4, 4}, 7), positive({4}, 8), spread({4}, 9)}, train},
            {"rows, no weight", {spread({4, 3}, 10)}, train},
            {"no bias", {spread({3, 4}, 11), positive({4}, 12)}, train},
            {"no weight",
             {spread({3, 4}, 13), spread({4}, 14)},
             [](const Variables& v) { return batch_norm(v[0], {}, v[1], {}, {}); }},
            {"one image", {spread({1, 2, 3, 2}, 15), positive({2}, 16), spread({2}, 17)}, train},
            {"the same twice",
             {spread({3, 4}, 18), positive({4}, 19)},
             [](const Variables& v) { return batch_norm(v[0], v[1], v[1], {}, {}); }},
            {"running statistics",
             {spread({3, 2, 2, 4}, 20), positive({2}, 21), spread({2}, 22)},
             evaluate},
            {"running statistics, no images",
             {spread({0, 2, 2, 2}, 23), positive({2}, 24), spread({2}, 25)},
             evaluate}};
  }
};

template OpInfo op_info<BatchNorm>();

namespace {

void check_channels(std::string_view what, const Tensor& tensor, const Tensor& x) {
  if (tensor.shape() != Shape{x.shape()[1]}) {
    fail<ShapeError>("batch_norm: ", what, " is ", tensor.shape(), ", input ", x.shape(), " has ",
                     x.shape()[1], " channels");
  }
  if (tensor.dtype() != x.dtype()) {
    fail<DTypeError>("batch_norm: ", what, " is ", describe(tensor), ", input is ", describe(x),
                     "; cast with .to(", x.dtype(), ")");
  }
}

/// running = (1 - momentum)·running + momentum·batch, in place; the variance unbiased, as in
/// PyTorch.
void update_running(const Tensor& running, const Tensor& batch, double factor, double momentum) {
  core::mul_(running, 1 - momentum);
  core::add_(running, batch.reshape(running.shape()), momentum * factor);
}

}  // namespace
}  // namespace ops

Variable batch_norm(const Variable& x, const Variable& weight, const Variable& bias,
                    const Tensor& running_mean, const Tensor& running_var,
                    const BatchNormOptions& options) {
  const Shape& shape = x.shape();
  if (shape.rank() < 2) fail<ShapeError>("batch_norm: expects input [N,C,...], got ", shape);
  dispatch_floating("batch_norm", x.dtype(), []<class T>() {});
  if (weight.defined()) ops::check_channels("weight", weight.value(), x.value());
  if (bias.defined()) ops::check_channels("bias", bias.value(), x.value());
  if (running_mean.defined()) ops::check_channels("running_mean", running_mean, x.value());
  if (running_var.defined()) ops::check_channels("running_var", running_var, x.value());
  const Shape channels = ops::channel_shape(shape[1], shape.rank());

  if (!options.training) {
    if (!running_mean.defined() || !running_var.defined()) {
      fail<ValueError>("batch_norm: evaluation needs running_mean and running_var");
    }
    const Variable inverse =
        core::div(1, core::sqrt(core::add(running_var, options.eps))).reshape(channels);
    const Variable scale = weight.defined() ? reshape(weight, channels) * inverse : inverse;
    const Variable y = (x - Variable(running_mean.reshape(channels))) * scale;
    return bias.defined() ? y + reshape(bias, channels) : y;
  }

  const Dims dims = ops::statistics_dims(shape.rank());
  const std::int64_t count = shape[1] == 0 ? 0 : x.numel() / shape[1];
  if (count < 2) {
    fail<ShapeError>("batch_norm: training needs more than one value a channel, got input ", shape);
  }
  const Tensor mean = core::mean(x.value(), dims, true);
  const Tensor variance = core::var(x.value(), dims, true, 0);
  if (running_mean.defined()) ops::update_running(running_mean, mean, 1, options.momentum);
  if (running_var.defined()) {
    const double unbiased = static_cast<double>(count) / static_cast<double>(count - 1);
    ops::update_running(running_var, variance, unbiased, options.momentum);
  }
  return apply(ops::BatchNorm(options.eps, mean, variance), x, weight, bias);
}

}  // namespace gradus
