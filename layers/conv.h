// Conv1d, Conv2d: the same small weighted sum at every place of a row or an image. ConvTranspose2d: the
// other way round, from each place to its neighbourhood.
#pragma once

#include <gradus/core/conv.h>
#include <gradus/core/random.h>
#include <gradus/layers/module.h>

#include <cstdint>

namespace gradus {

/// Options of Conv1d.
struct Conv1dLayerOptions {
  std::int64_t kernel_size;
  std::int64_t stride = 1;
  Padding padding = 0;  ///< one number, Padding::valid or Padding::same
  std::int64_t dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
  PaddingMode padding_mode = PaddingMode::zeros;  ///< what the padding is filled with
};

/// Cross-correlation along one axis:
///   y[n,o,i] = bias[o] + Σ_{c,u} x[n, c, i·stride - padding + u·dilation]·weight[o,c,u]
///   OL = (L + 2·padding - dilation·(k-1) - 1)/stride + 1, rounded down
/// [N,in,L] -> [N,out,OL], or [in,L] -> [out,OL]; weight [out, in/groups, k], bias [out]
/// Starts as PyTorch's: weight and bias from U(-1/√fan_in, 1/√fan_in), fan_in = in/groups·k.
class Conv1d final : public Module {
 public:
  /// Conv1d{1, 8, {.kernel_size = 5, .padding = Padding::same}}
  /// Throws ValueError as Conv2d does, and for a padding of two numbers.
  Conv1d(std::int64_t in_channels, std::int64_t out_channels, const Conv1dLayerOptions& options,
         Generator& generator = default_generator());
  /// All else by default: Conv1d{3, 16, 3}
  Conv1d(std::int64_t in_channels, std::int64_t out_channels, std::int64_t kernel_size,
         Generator& generator = default_generator())
      : Conv1d(in_channels, out_channels, Conv1dLayerOptions{.kernel_size = kernel_size},
               generator) {}

  Variable weight;
  Variable bias;  ///< undefined without bias

  /// Stride, padding, dilation and groups, as conv1d() takes them. It knows zeros only: with another
  /// padding_mode the layer pads x by itself.
  const Conv1dOptions& options() const { return options_; }
  /// What the padding is filled with.
  PaddingMode padding_mode() const { return padding_mode_; }

  void visit(Visitor& v) override;
  Variable forward(const Variable& x) override;
  Variable forward_fused(const Variable& x, Activation activation) override;
  std::string extra() const override;

 private:
  Conv1dOptions options_;
  PaddingMode padding_mode_;
};

/// Options of Conv2d.
struct Conv2dLayerOptions {
  Pair kernel_size;
  Pair stride = 1;
  Padding padding = 0;  ///< sizes, Padding::valid or Padding::same
  Pair dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
  PaddingMode padding_mode = PaddingMode::zeros;  ///< what the padding is filled with
};

/// Cross-correlation:
///   y[n,o,i,j] = bias[o] + Σ_{c,u,v} x[n, c, i·stride - padding + u·dilation, j..]·weight[o,c,u,v]
///   OH = (H + 2·padding - dilation·(kh-1) - 1)/stride + 1, rounded down
/// [N,in,H,W] -> [N,out,OH,OW], or [in,H,W] -> [out,OH,OW]; weight [out, in/groups, kh, kw], bias [out]
/// Starts as PyTorch's: weight and bias from U(-1/√fan_in, 1/√fan_in), fan_in = in/groups·kh·kw.
class Conv2d final : public Module {
 public:
  /// Conv2d{1, 6, {.kernel_size = 5, .padding = 2}}
  /// Throws ValueError unless channels, kernel size, stride, dilation and groups are positive, the
  /// padding is not negative, groups divides both numbers of channels, and for padding `same` with a
  /// stride.
  Conv2d(std::int64_t in_channels, std::int64_t out_channels, const Conv2dLayerOptions& options,
         Generator& generator = default_generator());
  /// A square kernel, all else by default: Conv2d{3, 16, 3}
  Conv2d(std::int64_t in_channels, std::int64_t out_channels, std::int64_t kernel_size,
         Generator& generator = default_generator())
      : Conv2d(in_channels, out_channels, Conv2dLayerOptions{.kernel_size = kernel_size},
               generator) {}

  Variable weight;
  Variable bias;  ///< undefined without bias

  /// Stride, padding, dilation and groups, as conv2d() takes them. It knows zeros only: with another
  /// padding_mode the layer pads x by itself.
  const Conv2dOptions& options() const { return options_; }
  /// What the padding is filled with.
  PaddingMode padding_mode() const { return padding_mode_; }

  void visit(Visitor& v) override;
  Variable forward(const Variable& x) override;
  Variable forward_fused(const Variable& x, Activation activation) override;
  std::string extra() const override;

 private:
  Conv2dOptions options_;
  PaddingMode padding_mode_;
};

/// Options of ConvTranspose2d.
struct ConvTranspose2dLayerOptions {
  Pair kernel_size;
  Pair stride = 1;
  Pair padding = 0;
  Pair output_padding = 0;
  std::int64_t groups = 1;
  bool bias = true;
  Pair dilation = 1;
};

/// What Conv2d of the same options does to a gradient, with a bias: each pixel is spread by the kernel.
/// Makes images larger: kernel 4, stride 2, padding 1 doubles them.
///   OH = (H-1)·stride - 2·padding + dilation·(kh-1) + output_padding + 1
/// [N,in,H,W] -> [N,out,OH,OW], or [in,H,W] -> [out,OH,OW]; weight [in, out/groups, kh, kw], bias [out]
/// Starts as PyTorch's: as Conv2d, with fan_in = out/groups·kh·kw.
class ConvTranspose2d final : public Module {
 public:
  /// ConvTranspose2d{16, 8, {.kernel_size = 4, .stride = 2, .padding = 1}}
  /// Throws ValueError as Conv2d does, and unless output_padding is below stride or dilation.
  ConvTranspose2d(std::int64_t in_channels, std::int64_t out_channels,
                  const ConvTranspose2dLayerOptions& options,
                  Generator& generator = default_generator());
  /// A square kernel, all else by default: ConvTranspose2d{16, 3, 3}
  ConvTranspose2d(std::int64_t in_channels, std::int64_t out_channels, std::int64_t kernel_size,
                  Generator& generator = default_generator())
      : ConvTranspose2d(in_channels, out_channels,
                        ConvTranspose2dLayerOptions{.kernel_size = kernel_size}, generator) {}

  Variable weight;
  Variable bias;  ///< undefined without bias

  /// As conv_transpose2d() takes them.
  const ConvTranspose2dOptions& options() const { return options_; }

  void visit(Visitor& v) override;
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  ConvTranspose2dOptions options_;
};

}  // namespace gradus
