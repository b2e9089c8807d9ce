// BatchNorm2d: each channel shifted and scaled to mean 0 and variance 1, then by learned numbers.
//
// S. Ioffe, C. Szegedy, "Batch normalization: accelerating deep network training by reducing
// internal covariate shift", ICML 2015, algorithm 1.
#pragma once

#include <gradus/layers/module.h>

#include <cstdint>
#include <optional>

namespace gradus {

struct BatchNorm2dOptions {
  double eps = 1e-5;
  std::optional<double> momentum = 0.1;  ///< std::nullopt: the plain mean over all batches so far
  bool affine = true;                    ///< learn weight and bias
  bool track_running_stats = true;       ///< without: the batch's own statistics, in evaluation too
};

/// y = (x - mean)/√(variance + eps)·weight + bias, per channel.  [N,C,H,W] -> [N,C,H,W]
/// In training mean and variance are those of the batch, over N, H and W, and the running ones
/// follow: running = (1-momentum)·running + momentum·batch, with the variance divided by n-1. In
/// evaluation they are the running ones. weight starts with 1, bias with 0, running_mean with 0,
/// running_var with 1.
class BatchNorm2d final : public Module {
 public:
  /// Throws ValueError unless channels > 0, eps >= 0 and 0 <= momentum <= 1.
  explicit BatchNorm2d(std::int64_t channels, const BatchNorm2dOptions& options = {});

  Variable weight;             ///< [C]; undefined unless affine
  Variable bias;               ///< [C]; undefined unless affine
  Tensor running_mean;         ///< [C]; undefined unless tracked
  Tensor running_var;          ///< [C]; undefined unless tracked
  Tensor num_batches_tracked;  ///< int64, 0-d; undefined unless tracked

  void visit(Visitor& v) override;
  /// Throws ShapeError unless x is [N,C,H,W] with, in training, more than one value per channel.
  Variable forward(const Variable& x) override;
  Variable forward_fused(const Variable& x, Activation activation) override;
  std::string extra() const override;

 private:
  std::int64_t channels_;
  BatchNorm2dOptions options_;
};

}  // namespace gradus
