// Conv2d: the same small weighted sum at every place of an image.
#pragma once

#include <gradus/core/conv.h>
#include <gradus/core/random.h>
#include <gradus/layers/module.h>

#include <cstdint>

namespace gradus {

struct Conv2dLayerOptions {
  Pair kernel_size;
  Pair stride = 1;
  Pair padding = 0;
  Pair dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
};

/// Cross-correlation:
///   y[n,o,i,j] = bias[o] + Σ_{c,u,v} x[n, c, i·stride - padding + u·dilation, j..]·weight[o,c,u,v]
///   OH = (H + 2·padding - dilation·(kh-1) - 1)/stride + 1, rounded down
/// [N,in,H,W] -> [N,out,OH,OW]; weight [out, in/groups, kh, kw], bias [out]
/// Starts as PyTorch's: weight and bias from U(-1/√fan_in, 1/√fan_in), fan_in = in/groups·kh·kw.
class Conv2d final : public Module {
 public:
  /// Conv2d{1, 6, {.kernel_size = 5, .padding = 2}}
  /// Throws ValueError unless channels, kernel size, stride, dilation and groups are positive, the
  /// padding is not negative, and groups divides both numbers of channels.
  Conv2d(std::int64_t in_channels, std::int64_t out_channels, const Conv2dLayerOptions& options,
         Generator& generator = default_generator());
  /// A square kernel, all else by default: Conv2d{3, 16, 3}
  Conv2d(std::int64_t in_channels, std::int64_t out_channels, std::int64_t kernel_size,
         Generator& generator = default_generator())
      : Conv2d(in_channels, out_channels, Conv2dLayerOptions{.kernel_size = kernel_size},
               generator) {}

  Variable weight;
  Variable bias;  ///< undefined without bias

  /// Stride, padding, dilation and groups, as conv2d() takes them.
  const Conv2dOptions& options() const { return options_; }

  void visit(Visitor& v) override;
  Variable forward(const Variable& x) override;
  Variable forward_fused(const Variable& x, Activation activation) override;
  std::string extra() const override;

 private:
  Conv2dOptions options_;
};

}  // namespace gradus
