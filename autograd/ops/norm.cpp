// Batch normalisation. In training the statistics are functions of the input and take part in the
// derivative; in evaluation they are constants and the whole is an affine map.
#include <gradus/autograd/ops/chapter.h>
#include <gradus/core/norm.h>

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

/// x̂ = (x - μ)/σ,   y = x̂·w + b
/// dL/db = Σ dL/dy
/// dL/dw = Σ dL/dy·x̂
/// dL/dx = w/σ·(dL/dy - mean(dL/dy) - x̂·mean(dL/dy·x̂))
/// The statistics are of the batch: μ and σ² = var + eps over all but channels. With others these
/// are constants: dL/dx = w/σ·dL/dy. With an activation dL/dy counts where y > 0: computed again
/// from x, so that y need not be kept.
/// Source: S. Ioffe, C. Szegedy, "Batch Normalization", ICML 2015.
struct BatchNorm final : Op {
  static constexpr std::string_view name = "batch_norm";
  double eps;
  bool of_batch;         // are the statistics functions of x?
  Tensor inverse_sigma;  // [C]
  Variable x, w;
  core::ChannelMap map;  // x -> y

  BatchNorm(const BatchNormOptions& options, Tensor mean, const Tensor& variance)
      : eps(options.eps),
        of_batch(options.training),
        inverse_sigma(core::div(1, core::sqrt(core::add(variance, eps)))) {
    map.mean = std::move(mean);
    map.activation = options.activation;
  }

  Tensor forward(const Variable& input, const Variable& weight, const Variable& bias) {
    x = input;
    w = weight;
    map.scale = weight.defined() ? core::mul(weight.value(), inverse_sigma) : inverse_sigma;
    if (bias.defined()) map.bias = bias.value();
    return core::channel_map(x.value(), map);
  }

  Variables backward(const Variable& dy) override {
    return of_batch && !grad_enabled() ? by_passes(dy) : by_functions(dy);
  }

  /// Two passes over memory. dx is written over dy when the engine is the only one to see it.
  Variables by_passes(const Variable& dy) {
    const core::ChannelGradSums sums = core::channel_grad_sums(dy.value(), x.value(), map);
    const Tensor along = core::mul(sums.along, inverse_sigma);  // Σ dy·x̂
    count_bytes(bytes_of(dy.value()) + bytes_of(x.value()));
    Variable dx;
    if (needs(0)) {
      count_bytes(2 * bytes_of(dy.value()) + bytes_of(x.value()));
      const double count = values_of_a_channel();
      const Tensor offset = core::div(sums.total, count);
      const Tensor slope = core::div(core::mul(along, inverse_sigma), count);
      if (dy.is_unshared() && dy.value().is_contiguous()) {
        core::channel_input_grad_(dy.value(), x.value(), map, offset, slope);
        dx = dy;
      } else {
        dx = core::channel_input_grad(dy.value(), x.value(), map, offset, slope);
      }
    }
    return {dx, needs(1) ? Variable(along) : Variable(),
            needs(2) ? Variable(sums.total) : Variable()};
  }

  /// The same written with functions on Variables, so that it may be differentiated again.
  Variables by_functions(const Variable& dy) {
    const Dims dims = statistics_dims(x.rank());
    const Shape channels = channel_shape(x.size(1), x.rank());
    Variable mean_x = map.mean.reshape(channels);
    Variable inverse = inverse_sigma.reshape(channels);
    if (of_batch) {
      mean_x = mean(x, dims, true);
      inverse = pow(var(x, dims, true, 0) + eps, -0.5);
    }
    const Variable g = map.activation == Activation::none ? dy : kept(dy);
    const Variable normal = (x - mean_x) * inverse;
    const bool all = needs(0) && of_batch;
    const Variable total = all || needs(2) ? sum(g, dims, true) : Variable();  // [1,C,1,..]
    const Variable along =
        all || needs(1) ? sum(g * normal, dims, true) : Variable();  // [1,C,1,..]
    Variable dx;
    if (needs(0)) {
      const double count = values_of_a_channel();
      dx = (of_batch ? g - total / count - normal * (along / count) : g) *
           (w.defined() ? inverse * reshape(w, channels) : inverse);
    }
    return {dx, needs(1) ? reshape(along, w.shape()) : Variable(),
            needs(2) ? reshape(total, {x.size(1)}) : Variable()};
  }

  /// dy where y > 0, else 0. The same arithmetic as in forward, so the same side of 0.
  Variable kept(const Variable& dy) const {
    const Tensor y = core::channel_map(x.value(), map);
    return where(core::le(y, 0), Tensor::scalar(0, dy.dtype()), dy);
  }

  double values_of_a_channel() const {
    return static_cast<double>(x.numel() / std::max<std::int64_t>(x.size(1), 1));
  }

  static std::vector<Sample> samples() { return activation_samples(samples_with); }

  static std::vector<Sample> samples_with(Activation activation) {
    // With these seeds no number comes nearer to relu's kink than 0.06.
    const std::uint64_t seed = activation == Activation::none ? 0 : 3313;
    const auto train = [=](const Variables& v) {
      return batch_norm(v[0], v.size() > 1 ? v[1] : Variable(), v.size() > 2 ? v[2] : Variable(),
                        {}, {}, {.eps = 0.1, .activation = activation});
    };
    const auto evaluate = [=](const Variables& v) {
      return batch_norm(v[0], v[1], v[2], Tensor::from({0.5, -0.25}, float64),
                        Tensor::from({1.5, 0.75}, float64),
                        {.training = false, .activation = activation});
    };
    return {{"images",
             {spread({3, 2, 2, 4}, seed + 1), positive({2}, seed + 2), spread({2}, seed + 3)},
             train},
            {"sequences",
             {spread({3, 4, 5}, seed + 4), positive({4}, seed + 5), spread({4}, seed + 6)},
             train},
            {"a square",
             {spread({4, 4}, seed + 7), positive({4}, seed + 8), spread({4}, seed + 9)},
             train},
            {"rows, no weight", {spread({4, 3}, seed + 10)}, train},
            {"no bias", {spread({3, 4}, seed + 11), positive({4}, seed + 12)}, train},
            {"no weight",
             {spread({3, 4}, seed + 13), spread({4}, seed + 14)},
             [=](const Variables& v) {
               return batch_norm(v[0], {}, v[1], {}, {}, {.activation = activation});
             }},
            {"one image",
             {spread({1, 2, 3, 2}, seed + 15), positive({2}, seed + 16), spread({2}, seed + 17)},
             train},
            {"the same twice",
             {spread({3, 4}, seed + 18), positive({4}, seed + 19)},
             [=](const Variables& v) {
               return batch_norm(v[0], v[1], v[1], {}, {}, {.activation = activation});
             }},
            {"running statistics",
             {spread({3, 2, 2, 4}, seed + 20), positive({2}, seed + 21), spread({2}, seed + 22)},
             evaluate},
            {"running statistics, no images",
             {spread({0, 2, 2, 2}, seed + 23), positive({2}, seed + 24), spread({2}, seed + 25)},
             evaluate}};
  }
};

template OpInfo op_info<BatchNorm>();

namespace {

void check_channels(std::string_view op, std::string_view what, const Tensor& tensor,
                    const Tensor& x) {
  if (!tensor.defined()) return;
  if (tensor.shape() != Shape{x.shape()[1]}) {
    fail<ShapeError>(op, ": ", what, " is ", tensor.shape(), ", input ", x.shape(), " has ",
                     x.shape()[1], " channels");
  }
  if (tensor.dtype() != x.dtype()) {
    fail<DTypeError>(op, ": ", what, " is ", describe(tensor), ", input is ", describe(x),
                     "; cast with .to(", x.dtype(), ")");
  }
}

/// running = (1 - momentum)·running + momentum·batch, in place;
/// the variance unbiased, as in PyTorch.
void update_running(const Tensor& running, const Tensor& batch, double factor, double momentum) {
  core::mul_(running, 1 - momentum);
  core::add_(running, batch, momentum * factor);
}

}  // namespace
}  // namespace ops

Variable batch_norm(const Variable& x, const Variable& weight, const Variable& bias,
                    const Tensor& running_mean, const Tensor& running_var,
                    const BatchNormOptions& options) {
  constexpr std::string_view op = ops::BatchNorm::name;
  const Shape& shape = x.shape();
  if (shape.rank() < 2) fail<ShapeError>(op, ": expects input [N,C,...], got ", shape);
  dispatch_floating(op, x.dtype(), []<class T>() {});
  ops::check_channels(op, "weight", weight.defined() ? weight.value() : Tensor(), x.value());
  ops::check_channels(op, "bias", bias.defined() ? bias.value() : Tensor(), x.value());
  ops::check_channels(op, "running_mean", running_mean, x.value());
  ops::check_channels(op, "running_var", running_var, x.value());

  if (!options.training) {
    if (!running_mean.defined() || !running_var.defined()) {
      fail<ValueError>(op, ": evaluation needs running_mean and running_var");
    }
    // A copy: the next step of training changes the running mean in place.
    return apply(ops::BatchNorm(options, running_mean.clone(), running_var), x, weight, bias);
  }

  const std::int64_t count = shape[1] == 0 ? 0 : x.numel() / shape[1];
  if (count < 2) {
    fail<ShapeError>(op, ": training needs more than one value a channel, got input ", shape);
  }
  const core::ChannelMoments moments = core::channel_moments(x.value());
  if (running_mean.defined()) ops::update_running(running_mean, moments.mean, 1, options.momentum);
  if (running_var.defined()) {
    const double unbiased = static_cast<double>(count) / static_cast<double>(count - 1);
    ops::update_running(running_var, moments.variance, unbiased, options.momentum);
  }
  return apply(ops::BatchNorm(options, moments.mean, moments.variance), x, weight, bias);
}

}  // namespace gradus
