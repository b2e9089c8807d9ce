// Normalisation. In training the statistics are functions of the input and take part in the
// derivative; in evaluation they are constants and the whole is an affine map. Batch norm is the op.
// The others differ in what shares a mean: they lay that out as a channel of one image, and run it.
#include <gradus/autograd/derivatives.h>
#include <gradus/autograd/ops/chapter.h>
#include <gradus/core/norm.h>

#include <algorithm>

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

/// How a call of batch norm rounds, by channel; [1,C,1,...] all. Errors in units of u.
///
/// 1/σ: the variance is rounded (its sums are of float64), eps too, then their sum, the root and the
/// quotient: 1/2·(1 + 1) + 1 + 1 = 3. w/σ: one more, so y = (x - μ)·(w/σ) + b has 4, the
/// difference's and the product's on the product, μ's own on |μ|·|w/σ|, and one on y.
struct NormNumbers {
  static constexpr double inverse_error = 3;
  static constexpr double scale_error = inverse_error + 1;
  Tensor mean, inverse, scale;
  Tensor centred;     // x - μ
  Tensor mean_error;  // μ is rounded; one that is given is not
  double count;       // values of a channel

  NormNumbers(const RoundingCall& call, double eps, bool of_batch, const Tensor& given_mean,
              const Tensor& given_variance) {
    const Tensor& x = call.inputs[0];
    const Shape channels = channel_shape(x.size(1), x.rank());
    const core::ChannelMoments moments =
        of_batch ? core::channel_moments(x)
                 : core::ChannelMoments{given_mean.to(float64), given_variance.to(float64)};
    mean = moments.mean.reshape(channels);
    inverse = core::div(1, core::sqrt(core::add(moments.variance, eps))).reshape(channels);
    const Tensor& weight = call.inputs[1];
    scale = weight.defined() ? core::mul(inverse, weight.reshape(channels)) : inverse;
    scale = core::abs(scale);
    centred = core::sub(x, mean);
    mean_error = core::mul(core::abs(mean), of_batch ? 1 : 0);
    count = static_cast<double>(x.numel() / std::max<std::int64_t>(x.size(1), 1));
  }

  Tensor value_bound(const Tensor& y) const {
    const Tensor product = core::add(core::mul(core::abs(centred), scale_error + 2), mean_error);
    return core::mul(core::add(core::mul(product, scale), core::abs(y)), unit_roundoff);
  }

  /// dL/dx = (g - G/n - (x-μ)·s)·(w/σ), g = dL/dy, G = Σ g, P = Σ g·(x-μ), s = P/(σ²·n).
  /// The sums add four float32 numbers before they go on in float64 (kernels/norm): two roundings
  /// of each g in G, and of each product in P, which has its own and the difference's before.
  std::vector<Tensor> gradient_bounds(const RoundingCall& call, bool of_batch) const {
    const Dims dims = statistics_dims(call.y.rank());
    const Tensor size = core::abs(call.dy);
    const Tensor distance = core::abs(centred);
    const auto sum = [&](const Tensor& t) { return core::sum(t, dims, true); };  // [1,C,1,...]
    const auto scaled = [](const Tensor& t, double factor) { return core::mul(t, factor); };
    const Tensor total = sum(call.dy);
    const Tensor along = sum(core::mul(call.dy, centred));
    const Tensor total_error = core::add(scaled(sum(size), 2), core::abs(total));
    const Tensor product_error = core::add(scaled(distance, 4), mean_error);
    const Tensor along_error = core::add(sum(core::mul(size, product_error)), core::abs(along));

    Tensor inner = zeros_like(call.dy);
    Tensor outer = core::mul(core::abs(call.gradients[0].defined() ? call.gradients[0] : inner),
                             scale_error + 1);
    if (of_batch) {
      const Tensor offset = core::abs(scaled(total, 1 / count));
      const Tensor offset_error = core::add(scaled(total_error, 1 / count), scaled(offset, 2));
      const Tensor squared = scaled(core::mul(inverse, inverse), 1 / count);
      const Tensor slope = core::mul(core::abs(along), squared);
      // P's error; then 1/σ twice, n, two products and a quotient.
      const Tensor slope_error =
          core::add(core::mul(along_error, squared), scaled(slope, 2 * inverse_error + 4));
      // (x-μ)·s: the difference and μ, s, the product.
      inner = core::add(core::mul(distance, slope_error),
                        core::mul(slope, core::add(scaled(distance, 2), mean_error)));
      // g - G/n, and the difference that follows.
      const Tensor level = core::add(size, offset);
      inner = core::add(core::add(inner, offset_error),
                        core::add(scaled(level, 2), core::mul(distance, slope)));
    }
    const auto as_channels = [&](const Tensor& t) {
      return scaled(t, unit_roundoff).reshape({call.inputs[0].size(1)});
    };
    std::vector<Tensor> bounds(call.gradients.size());
    if (call.gradients[0].defined())
      bounds[0] = scaled(core::add(core::mul(inner, scale), outer), unit_roundoff);
    if (call.gradients[1].defined()) {
      const Tensor slope = core::mul(core::abs(along), inverse);
      bounds[1] =
          as_channels(core::add(core::mul(along_error, inverse), scaled(slope, inverse_error + 1)));
    }
    if (call.gradients[2].defined()) bounds[2] = as_channels(total_error);
    return bounds;
  }
};

Rounding norm_rounding(double eps, bool of_batch, const Tensor& mean, const Tensor& variance) {
  const auto value = [=](const RoundingCall& call) {
    if (call.y.numel() == 0) return zeros_like(call.y);
    return NormNumbers(call, eps, of_batch, mean, variance).value_bound(call.y);
  };
  const auto gradients = [=](const RoundingCall& call) {
    return NormNumbers(call, eps, of_batch, mean, variance).gradient_bounds(call, of_batch);
  };
  return {.value = value, .gradients = gradients};
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
  Tensor variance;       // [C]
  Tensor inverse_sigma;  // [C]
  Variable x, w;
  core::ChannelMap map;  // x -> y

  BatchNorm(const BatchNormOptions& options, Tensor mean, const Tensor& sigma_squared)
      : eps(options.eps),
        of_batch(options.training),
        variance(sigma_squared),
        inverse_sigma(core::div(1, core::sqrt(core::add(variance, eps)))) {
    map.mean = std::move(mean);
    map.activation = options.activation;
  }

  Tensor forward(const Variable& input, const Variable& weight, const Variable& bias) {
    x = input;
    w = weight;
    map.scale = weight.defined() ? core::mul(weight.value(), inverse_sigma) : inverse_sigma;
    if (bias.defined()) map.bias = bias.value();
    const Tensor y = core::channel_map(x.value(), map);
    if (map.activation == Activation::none) map.bias = {};  // the derivative does not ask for it
    return y;
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

  Activation take_activation() { return std::exchange(map.activation, Activation::none); }

  /// On other numbers: the statistics of the batch are theirs, others stay.
  void recast(const Variables& inputs) {
    const Tensor& numbers = inputs[0].value();
    core::ChannelMoments moments{map.mean.to(numbers.dtype()), variance.to(numbers.dtype())};
    if (of_batch) moments = core::channel_moments(numbers);
    *this = BatchNorm({.training = of_batch, .eps = eps, .activation = map.activation},
                      moments.mean, moments.variance);
  }

  Rounding rounding() const { return norm_rounding(eps, of_batch, map.mean, variance); }
};

namespace {

void check_same_dtype(std::string_view op, std::string_view what, const Tensor& tensor,
                      const Tensor& x) {
  if (tensor.dtype() != x.dtype()) {
    fail<DTypeError>(op, ": ", what, " is ", describe(tensor), ", input is ", describe(x), "; ",
                     cast_to_match(tensor.dtype(), x.dtype()));
  }
}

/// An input [N,C,...] of `rank` dimensions at least, in float32 or float64.
void check_input(std::string_view op, const Variable& x, int rank) {
  if (x.rank() < rank) {
    fail<ShapeError>(op, ": expects input ", rank == 2 ? "[N,C,...]" : "[N,C,L,...]", ", got ",
                     x.shape());
  }
  dispatch_floating(op, x.dtype(), []<class T>() {});
}

void check_channels(std::string_view op, std::string_view what, const Tensor& tensor,
                    const Tensor& x) {
  if (!tensor.defined()) return;
  if (tensor.shape() != Shape{x.shape()[1]}) {
    fail<ShapeError>(op, ": ", what, " is ", tensor.shape(), ", input ", x.shape(), " has ",
                     x.shape()[1], " channels");
  }
  check_same_dtype(op, what, tensor, x);
}

void check_channels(std::string_view op, std::string_view what, const Variable& numbers,
                    const Variable& x) {
  check_channels(op, what, numbers.defined() ? numbers.value() : Tensor(), x.value());
}

/// running = (1 - momentum)·running + momentum·batch, in place;
/// the variance unbiased, as in PyTorch.
void update_running(const Tensor& running, const Tensor& batch, double factor, double momentum) {
  core::mul_(running, 1 - momentum);
  core::add_(running, batch, momentum * factor);
}

/// Both of them, from the moments of batches of `count` values; not where a checkpoint runs a second time,
/// the first run has counted this batch. `whose`, a literal, is for messages.
void update_running(const char* whose, const Tensor& running_mean, const Tensor& running_var,
                    const core::ChannelMoments& moments, std::int64_t count, double momentum) {
  if (is_recomputing()) return;
  check_writable(whose, "running_mean: ", running_mean);
  check_writable(whose, "running_var: ", running_var);
  const WrittenBy writer(whose);
  if (running_mean.defined()) update_running(running_mean, moments.mean, 1, momentum);
  if (running_var.defined()) {
    const double unbiased = static_cast<double>(count) / static_cast<double>(count - 1);
    update_running(running_var, moments.variance, unbiased, momentum);
  }
}

/// x, of any shape with elements, as one image of `rows` channels.
Shape one_image(const Variable& x, std::int64_t rows) { return {1, rows, x.numel() / rows}; }

/// Each of these channels normalised by itself, with the moments that they have.
Variable normalised(const Operand& x, const core::ChannelMoments& moments, double eps) {
  const Variable image = reshape(x, one_image(x, moments.mean.numel()));
  const Variable y = apply(BatchNorm({.eps = eps}, moments.mean, moments.variance),
                           Operand(image, x.at()), Variable(), Variable());
  return reshape({y, x.at()}, x->shape());
}
Variable normalised(const Operand& x, std::int64_t rows, double eps) {
  if (x->numel() == 0) return *x;
  return normalised(x, core::channel_moments(x->value().reshape(one_image(x, rows))), eps);
}

/// x·weight + bias; each may be undefined.
Variable scaled(const Operand& x, const Variable& weight, const Variable& bias) {
  const Variable y = weight.defined() ? mul(x, weight) : *x;
  return bias.defined() ? add({y, x.at()}, bias) : y;
}

/// The same with numbers [C] for an input [N,C,...].
Variable scaled_channels(const Operand& x, const Variable& weight, const Variable& bias) {
  const auto beside_x = [&](const Variable& numbers) {
    return numbers.defined() ? reshape({numbers, x.at()}, channel_shape(x->size(1), x->rank()))
                             : Variable();
  };
  return scaled(x, beside_x(weight), beside_x(bias));
}

}  // namespace
}  // namespace ops

Variable batch_norm(const Operand& x, const Variable& weight, const Variable& bias,
                    const Tensor& running_mean, const Tensor& running_var,
                    const BatchNormOptions& options) {
  constexpr std::string_view op = ops::BatchNorm::name;
  const Shape& shape = x->shape();
  ops::check_input(op, x, 2);
  ops::check_channels(op, "weight", weight, *x);
  ops::check_channels(op, "bias", bias, *x);
  ops::check_channels(op, "running_mean", running_mean, x->value());
  ops::check_channels(op, "running_var", running_var, x->value());

  if (!options.training) {
    if (!running_mean.defined() || !running_var.defined()) {
      fail<ValueError>(op, ": evaluation needs running_mean and running_var, got ",
                       describe(running_mean), " and ", describe(running_var), "; input ",
                       x->shape());
    }
    // A copy: the next step of training changes the running mean in place.
    return apply(ops::BatchNorm(options, running_mean.clone(), running_var), x, weight, bias);
  }

  const std::int64_t count = shape[1] == 0 ? 0 : x->numel() / shape[1];
  if (count < 2) {
    fail<ShapeError>(op, ": training needs more than one value a channel, got input ", shape);
  }
  const core::ChannelMoments moments = core::channel_moments(x->value());
  Variable y = apply(ops::BatchNorm(options, moments.mean, moments.variance), x, weight, bias);
  ops::update_running("batch_norm's running statistics", running_mean, running_var, moments, count,
                      options.momentum);  // last: a call that fails leaves no trace
  return y;
}

Variable layer_norm(const Operand& x, const Shape& normalized_shape, const Variable& weight,
                    const Variable& bias, double eps) {
  constexpr std::string_view op = "layer_norm";
  const Shape& shape = x->shape();
  const int kept = shape.rank() - normalized_shape.rank();
  if (normalized_shape.empty())
    fail<ShapeError>(op, ": normalized_shape needs one dimension at least, got []; input ", shape);
  bool fits = kept >= 0;
  for (int d = 0; fits && d < normalized_shape.rank(); ++d)
    fits = shape[kept + d] == normalized_shape[d];
  if (!fits) {
    fail<ShapeError>(op, ": input ", shape, " does not end with normalized_shape ",
                     normalized_shape);
  }
  dispatch_floating(op, x->dtype(), []<class T>() {});
  for (const auto& [what, numbers] : {std::pair("weight", &weight), std::pair("bias", &bias)}) {
    if (!numbers->defined()) continue;
    if (numbers->shape() != normalized_shape) {
      fail<ShapeError>(op, ": ", what, " is ", numbers->shape(), ", normalized_shape is ",
                       normalized_shape);
    }
    ops::check_same_dtype(op, what, numbers->value(), x->value());
  }
  std::int64_t rows = 1;
  for (int d = 0; d < kept; ++d) rows *= shape[d];
  return ops::scaled({ops::normalised(x, rows, eps), x.at()}, weight, bias);
}

Variable group_norm(const Operand& x, std::int64_t num_groups, const Variable& weight,
                    const Variable& bias, double eps) {
  constexpr std::string_view op = "group_norm";
  ops::check_input(op, x, 2);
  const Shape& shape = x->shape();
  if (num_groups < 1) fail<ValueError>(op, ": num_groups must be at least 1, got ", num_groups);
  if (shape[1] % num_groups != 0) {
    fail<ShapeError>(op, ": ", shape[1], " channels of input ", shape, " do not divide into ",
                     num_groups, " groups");
  }
  // PyTorch's rule: with more images a group may have one value, which becomes 0.
  if (x->numel() == num_groups) {
    fail<ShapeError>(op, ": needs more than one value a group, got input ", shape, " and ",
                     num_groups, " groups");
  }
  ops::check_channels(op, "weight", weight, *x);
  ops::check_channels(op, "bias", bias, *x);
  const Variable y = ops::normalised(x, shape[0] * num_groups, eps);
  return ops::scaled_channels({y, x.at()}, weight, bias);
}

Variable instance_norm(const Operand& x, const Variable& weight, const Variable& bias,
                       const Tensor& running_mean, const Tensor& running_var,
                       const InstanceNormOptions& options) {
  constexpr std::string_view op = "instance_norm";
  ops::check_input(op, x, 3);
  ops::check_channels(op, "weight", weight, *x);
  ops::check_channels(op, "bias", bias, *x);
  ops::check_channels(op, "running_mean", running_mean, x->value());
  ops::check_channels(op, "running_var", running_var, x->value());
  if (!options.use_input_stats) {
    if (!running_mean.defined() || !running_var.defined()) {
      fail<ValueError>(op,
                       ": without use_input_stats it needs running_mean and running_var, input ",
                       x->shape());
    }
    return batch_norm(x, weight, bias, running_mean, running_var,
                      {.training = false, .eps = options.eps});
  }
  const std::int64_t images = x->size(0);
  const std::int64_t channels = x->size(1);
  std::int64_t values = 1;  // of a channel
  for (int d = 2; d < x->rank(); ++d) values *= x->size(d);
  if (values == 1)
    fail<ShapeError>(op, ": needs more than one value a channel, got input ", x->shape());
  if (x->numel() == 0) return ops::scaled_channels(x, weight, bias);
  const core::ChannelMoments moments =
      core::channel_moments(x->value().reshape(ops::one_image(x, images * channels)));
  const auto over_images = [&](const Tensor& numbers) {
    return core::mean(numbers.reshape({images, channels}), {0});
  };
  const Variable normal = ops::normalised(x, moments, options.eps);
  Variable y = ops::scaled_channels({normal, x.at()}, weight, bias);
  ops::update_running("instance_norm's running statistics", running_mean, running_var,
                      {over_images(moments.mean), over_images(moments.variance)}, values,
                      options.momentum);
  return y;
}

}  // namespace gradus
