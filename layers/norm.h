// Normalisation: numbers that belong together are shifted and scaled to mean 0 and variance 1, then
// by learned numbers. The layers differ in what belongs together: a channel of all images (batch
// norm), of one image (instance norm), some channels of one image (group norm), or the last
// dimensions (layer norm).
//
// S. Ioffe, C. Szegedy, "Batch normalization: accelerating deep network training by reducing
// internal covariate shift", ICML 2015, algorithm 1. The other papers stand at the functions.
#pragma once

#include <gradus/layers/module.h>

#include <cstdint>
#include <optional>

namespace gradus {

/// Options of BatchNorm2d and BatchNorm1d.
struct BatchNorm2dOptions {
  double eps = 1e-5;
  std::optional<double> momentum = 0.1;  ///< std::nullopt: the plain mean over all batches so far
  bool affine = true;                    ///< learn weight and bias
  bool track_running_stats = true;       ///< without: the batch's own statistics, in evaluation too
};
using BatchNorm1dOptions = BatchNorm2dOptions;

/// Options of InstanceNorm2d.
struct InstanceNorm2dOptions {
  double eps = 1e-5;
  double momentum = 0.1;
  bool affine = false;               ///< learn weight and bias
  bool track_running_stats = false;  ///< in evaluation normalise with what training saw
};

/// What layers with numbers for each channel have in common. weight starts with 1, bias with 0,
/// running_mean with 0, running_var with 1.
class ChannelNorm : public Module {
 public:
  Variable weight;             ///< [C]; undefined unless affine
  Variable bias;               ///< [C]; undefined unless affine
  Tensor running_mean;         ///< [C]; undefined unless tracked
  Tensor running_var;          ///< [C]; undefined unless tracked
  Tensor num_batches_tracked;  ///< int64, 0-d; undefined unless tracked

  const BatchNorm2dOptions& options() const { return options_; }

  void visit(Visitor& v) override;
  std::string extra() const override;

 protected:
  /// Throws ValueError, naming `layer`, unless channels > 0, eps >= 0 and 0 <= momentum <= 1.
  ChannelNorm(std::string_view layer, std::int64_t channels, const BatchNorm2dOptions& options);
  std::int64_t channels() const { return channels_; }
  /// Batch normalisation of x, whose shape was checked.
  Variable normalise(const Variable& x, Activation activation);

 private:
  std::int64_t channels_;
  BatchNorm2dOptions options_;
};

/// y = (x - mean)/√(variance + eps)·weight + bias, per channel.  [N,C,H,W] -> [N,C,H,W]
/// In training mean and variance are those of the batch, over N, H and W, and the running ones
/// follow: running = (1-momentum)·running + momentum·batch, with the variance divided by n-1. In
/// evaluation they are the running ones.
class BatchNorm2d final : public ChannelNorm {
 public:
  /// Throws ValueError unless channels > 0, eps >= 0 and 0 <= momentum <= 1.
  explicit BatchNorm2d(std::int64_t channels, const BatchNorm2dOptions& options = {});

  /// Throws ShapeError unless x is [N,C,H,W] with, in training, more than one value per channel.
  Variable forward(const Variable& x) override;
  Variable forward_fused(const Variable& x, Activation activation) override;
};

/// The same for [N,C] -> [N,C] and [N,C,L] -> [N,C,L].
class BatchNorm1d final : public ChannelNorm {
 public:
  /// Throws ValueError unless channels > 0, eps >= 0 and 0 <= momentum <= 1.
  explicit BatchNorm1d(std::int64_t channels, const BatchNorm1dOptions& options = {});

  /// Throws ShapeError unless x is [N,C] or [N,C,L] with, in training, more than one value per channel.
  Variable forward(const Variable& x) override;
  Variable forward_fused(const Variable& x, Activation activation) override;
};

/// The same per channel of each image: [N,C,H,W] -> [N,C,H,W], or one image [C,H,W] -> [C,H,W]. By
/// default nothing is learned and nothing tracked, and evaluation is as training. num_batches_tracked
/// stays 0, as in PyTorch.
class InstanceNorm2d final : public ChannelNorm {
 public:
  /// Throws ValueError unless channels > 0, eps >= 0 and 0 <= momentum <= 1.
  explicit InstanceNorm2d(std::int64_t channels, const InstanceNorm2dOptions& options = {});

  /// Throws ShapeError unless x is [N,C,H,W] or [C,H,W] with, where its own statistics are used, more
  /// than one pixel.
  Variable forward(const Variable& x) override;
};

/// Options of LayerNorm.
struct LayerNormOptions {
  double eps = 1e-5;
  bool elementwise_affine = true;  ///< learn weight and bias
};

/// y = (x - mean)/√(variance + eps)·weight + bias over the last dimensions, which are
/// `normalized_shape`.  [..., normalized_shape] -> the same. weight starts with 1, bias with 0.
class LayerNorm final : public Module {
 public:
  /// LayerNorm{64}, LayerNorm{{8, 8}}. Throws ValueError unless all sizes are positive and eps >= 0.
  explicit LayerNorm(const Shape& normalized_shape, const LayerNormOptions& options = {});
  explicit LayerNorm(std::int64_t size, const LayerNormOptions& options = {})
      : LayerNorm(Shape{size}, options) {}

  Variable weight;  ///< normalized_shape; undefined unless elementwise_affine
  Variable bias;    ///< normalized_shape; undefined unless elementwise_affine

  const Shape& normalized_shape() const { return normalized_shape_; }
  const LayerNormOptions& options() const { return options_; }

  void visit(Visitor& v) override;
  /// Throws ShapeError unless x ends with normalized_shape.
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  Shape normalized_shape_;
  LayerNormOptions options_;
};

/// Options of GroupNorm.
struct GroupNormOptions {
  double eps = 1e-5;
  bool affine = true;  ///< learn weight and bias
};

/// y = (x - mean)/√(variance + eps)·weight + bias over each of num_groups groups of channels of each
/// image, weight and bias per channel.  [N,C,...] -> [N,C,...]. weight starts with 1, bias with 0.
class GroupNorm final : public Module {
 public:
  /// Throws ValueError unless num_groups > 0 divides channels > 0, and eps >= 0.
  GroupNorm(std::int64_t num_groups, std::int64_t channels, const GroupNormOptions& options = {});

  Variable weight;  ///< [C]; undefined unless affine
  Variable bias;    ///< [C]; undefined unless affine

  std::int64_t num_groups() const { return num_groups_; }
  const GroupNormOptions& options() const { return options_; }

  void visit(Visitor& v) override;
  /// Throws ShapeError unless x is [N,C,...].
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  std::int64_t num_groups_;
  std::int64_t channels_;
  GroupNormOptions options_;
};

}  // namespace gradus
