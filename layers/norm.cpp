// Norms: which statistics to use, and their bookkeeping; the functions do the arithmetic.
#include <gradus/autograd/derivatives.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/layers/norm.h>
#include <gradus/layers/print.h>

#include <cmath>

namespace gradus {
namespace {

void check_eps(std::string_view layer, double eps) {
  if (!(eps >= 0) || !std::isfinite(eps))
    fail<ValueError>(layer, ": eps must be finite and at least 0, got ", eps);
}

void check_positive(std::string_view layer, std::string_view what, std::int64_t number) {
  if (number < 1) fail<ValueError>(layer, ": ", what, " must be positive, got ", number);
}

}  // namespace

ChannelNorm::ChannelNorm(std::string_view layer, std::int64_t channels,
                         const BatchNorm2dOptions& options)
    : channels_(channels), options_(options) {
  check_positive(layer, "channels", channels);
  check_eps(layer, options.eps);
  if (options.momentum && !(*options.momentum >= 0 && *options.momentum <= 1)) {
    fail<ValueError>(layer, ": momentum must be between 0 and 1, got ", *options.momentum);
  }
  if (options.affine) {
    weight = Variable(ones({channels}), true);
    bias = Variable(zeros({channels}), true);
  }
  if (options.track_running_stats) {
    running_mean = zeros({channels});
    running_var = ones({channels});
    num_batches_tracked = zeros({}, int64);
  }
}

void ChannelNorm::visit(Visitor& v) {
  v("weight", weight);
  v("bias", bias);
  v("running_mean", running_mean);
  v("running_var", running_var);
  v("num_batches_tracked", num_batches_tracked);
}

std::string ChannelNorm::extra() const {
  return text_of(channels_, ", eps=", print_float(options_.eps),
                 ", momentum=", options_.momentum ? print_float(*options_.momentum) : "None",
                 ", affine=", print_bool(options_.affine),
                 ", track_running_stats=", print_bool(options_.track_running_stats));
}

Variable ChannelNorm::normalise(const Variable& x, Activation activation) {
  const bool tracked = options_.track_running_stats;
  BatchNormOptions how{
      .training = is_training() || !tracked, .eps = options_.eps, .activation = activation};
  if (!tracked || !is_training()) {
    return batch_norm(x, weight, bias, running_mean, running_var, how);
  }
  // The batch is counted only once the call has succeeded, so that a failed one leaves no trace.
  std::int64_t& batches = num_batches_tracked.at<std::int64_t>({});
  how.momentum = options_.momentum.value_or(1 / static_cast<double>(batches + 1));
  Variable y = batch_norm(x, weight, bias, running_mean, running_var, how);
  if (!is_recomputing()) ++batches;
  return y;
}

BatchNorm2d::BatchNorm2d(std::int64_t channels, const BatchNorm2dOptions& options)
    : ChannelNorm("BatchNorm2d", channels, options) {}

Variable BatchNorm2d::forward(const Variable& x) { return forward_fused(x, Activation::none); }

Variable BatchNorm2d::forward_fused(const Variable& x, Activation activation) {
  if (x.rank() != 4 || x.size(1) != channels()) {
    fail<ShapeError>("BatchNorm2d: expects [N,", channels(), ",H,W], got ", x.shape());
  }
  if (is_training() && x.numel() <= channels()) {
    fail<ShapeError>("BatchNorm2d: training needs more than 1 value per channel, got ", x.shape());
  }
  return normalise(x, activation);
}

BatchNorm1d::BatchNorm1d(std::int64_t channels, const BatchNorm1dOptions& options)
    : ChannelNorm("BatchNorm1d", channels, options) {}

Variable BatchNorm1d::forward(const Variable& x) { return forward_fused(x, Activation::none); }

Variable BatchNorm1d::forward_fused(const Variable& x, Activation activation) {
  if ((x.rank() != 2 && x.rank() != 3) || x.size(1) != channels()) {
    fail<ShapeError>("BatchNorm1d: expects [N,", channels(), "] or [N,", channels(), ",L], got ",
                     x.shape());
  }
  if (is_training() && x.numel() <= channels()) {
    fail<ShapeError>("BatchNorm1d: training needs more than 1 value per channel, got ", x.shape());
  }
  return normalise(x, activation);
}

InstanceNorm2d::InstanceNorm2d(std::int64_t channels, const InstanceNorm2dOptions& options)
    : ChannelNorm("InstanceNorm2d", channels,
                  {.eps = options.eps,
                   .momentum = options.momentum,
                   .affine = options.affine,
                   .track_running_stats = options.track_running_stats}) {}

Variable InstanceNorm2d::forward(const Variable& x) {
  const int rank = x.rank();
  if ((rank != 3 && rank != 4) || x.size(rank - 3) != channels()) {
    fail<ShapeError>("InstanceNorm2d: expects [N,", channels(), ",H,W] or [", channels(),
                     ",H,W], got ", x.shape());
  }
  if (rank == 3) return squeeze(forward(unsqueeze(x, 0)), 0);
  const bool of_input = is_training() || !options().track_running_stats;
  return instance_norm(x, weight, bias, running_mean, running_var,
                       {.use_input_stats = of_input,
                        .momentum = options().momentum.value_or(0),
                        .eps = options().eps});
}

LayerNorm::LayerNorm(const Shape& normalized_shape, const LayerNormOptions& options)
    : normalized_shape_(normalized_shape), options_(options) {
  bool positive = !normalized_shape.empty();
  for (const std::int64_t size : normalized_shape) positive = positive && size > 0;
  if (!positive) {
    fail<ValueError>("LayerNorm: normalized_shape must have positive sizes, one at least, got ",
                     normalized_shape);
  }
  check_eps("LayerNorm", options.eps);
  if (options.elementwise_affine) {
    weight = Variable(ones(normalized_shape), true);
    bias = Variable(zeros(normalized_shape), true);
  }
}

void LayerNorm::visit(Visitor& v) {
  v("weight", weight);
  v("bias", bias);
}

Variable LayerNorm::forward(const Variable& x) {
  return layer_norm(x, normalized_shape_, weight, bias, options_.eps);
}

std::string LayerNorm::extra() const {
  return text_of(print_tuple(normalized_shape_), ", eps=", print_float(options_.eps),
                 ", elementwise_affine=", print_bool(options_.elementwise_affine));
}

GroupNorm::GroupNorm(std::int64_t num_groups, std::int64_t channels,
                     const GroupNormOptions& options)
    : num_groups_(num_groups), channels_(channels), options_(options) {
  check_positive("GroupNorm", "num_groups", num_groups);
  check_positive("GroupNorm", "channels", channels);
  check_eps("GroupNorm", options.eps);
  if (channels % num_groups != 0) {
    fail<ValueError>("GroupNorm: num_groups ", num_groups, " must divide channels ", channels);
  }
  if (options.affine) {
    weight = Variable(ones({channels}), true);
    bias = Variable(zeros({channels}), true);
  }
}

void GroupNorm::visit(Visitor& v) {
  v("weight", weight);
  v("bias", bias);
}

Variable GroupNorm::forward(const Variable& x) {
  if (x.rank() < 2 || x.size(1) != channels_)
    fail<ShapeError>("GroupNorm: expects [N,", channels_, ",...], got ", x.shape());
  return group_norm(x, num_groups_, weight, bias, options_.eps);
}

std::string GroupNorm::extra() const {
  return text_of(num_groups_, ", ", channels_, ", eps=", print_float(options_.eps),
                 ", affine=", print_bool(options_.affine));
}

}  // namespace gradus
