// BatchNorm2d: which statistics to use, and their bookkeeping; batch_norm() does the arithmetic.
#include <gradus/autograd/derivatives.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/layers/norm.h>

#include <cmath>
#include <sstream>

namespace gradus {

BatchNorm2d::BatchNorm2d(std::int64_t channels, const BatchNorm2dOptions& options)
    : channels_(channels), options_(options) {
  if (channels < 1) fail<ValueError>("BatchNorm2d: channels must be positive, got ", channels);
  if (!(options.eps >= 0) || !std::isfinite(options.eps)) {
    fail<ValueError>("BatchNorm2d: eps must be finite and at least 0, got ", options.eps);
  }
  if (options.momentum && !(*options.momentum >= 0 && *options.momentum <= 1)) {
    fail<ValueError>("BatchNorm2d: momentum must be between 0 and 1, got ", *options.momentum);
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

void BatchNorm2d::visit(Visitor& v) {
  v("weight", weight);
  v("bias", bias);
  v("running_mean", running_mean);
  v("running_var", running_var);
  v("num_batches_tracked", num_batches_tracked);
}

Variable BatchNorm2d::forward(const Variable& x) { return forward_fused(x, Activation::none); }

Variable BatchNorm2d::forward_fused(const Variable& x, Activation activation) {
  if (x.rank() != 4 || x.size(1) != channels_) {
    fail<ShapeError>("BatchNorm2d: expects [N,", channels_, ",H,W], got ", x.shape());
  }
  if (is_training() && x.numel() <= channels_) {
    fail<ShapeError>("BatchNorm2d: training needs more than 1 value per channel, got ", x.shape());
  }
  const bool tracked = options_.track_running_stats;
  BatchNormOptions options{
      .training = is_training() || !tracked, .eps = options_.eps, .activation = activation};
  if (!tracked || !is_training()) {
    return batch_norm(x, weight, bias, running_mean, running_var, options);
  }
  // The batch is counted only once the call has succeeded, so that a failed one leaves no trace.
  std::int64_t& batches = num_batches_tracked.at<std::int64_t>({});
  options.momentum = options_.momentum.value_or(1 / static_cast<double>(batches + 1));
  Variable y = batch_norm(x, weight, bias, running_mean, running_var, options);
  if (!is_recomputing()) ++batches;
  return y;
}

std::string BatchNorm2d::extra() const {
  PlainText text;
  text << channels_ << ", eps=" << options_.eps << ", momentum=";
  if (options_.momentum) {
    text << *options_.momentum;
  } else {
    text << "None";
  }
  text << ", affine=" << (options_.affine ? "True" : "False")
       << ", track_running_stats=" << (options_.track_running_stats ? "True" : "False");
  return text.str();
}

}  // namespace gradus
