// Layers that move the pixels of images: windows laid out as columns and added up again, borders,
// channels that become pixels, and other sizes. No parameters.
#pragma once

#include <gradus/autograd/functions.h>
#include <gradus/layers/module.h>

#include <cstdint>
#include <string>
#include <vector>

namespace gradus {

/// Each window as a column: [N,C,H,W] -> [N, C·kh·kw, OH·OW], or [C,H,W] -> [C·kh·kw, OH·OW]; OH as of
/// Conv2d.
class Unfold final : public Module {
 public:
  /// Unfold{{.kernel_size = 3, .padding = 1}}
  /// Throws ValueError unless kernel size, dilation and stride are positive and the padding is not
  /// negative.
  explicit Unfold(const UnfoldOptions& options);
  /// A square window, all else by default: Unfold{2}
  explicit Unfold(std::int64_t kernel_size) : Unfold(UnfoldOptions{.kernel_size = kernel_size}) {}

  const UnfoldOptions& options() const { return options_; }

  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  UnfoldOptions options_;
};

/// The adjoint of Unfold: each column added where its window lies in an image of output_size.
/// [N, C·kh·kw, L] -> [N,C,H,W], or [C·kh·kw, L] -> [C,H,W]. Where windows overlap they add up: fold of
/// unfold is each pixel times the windows that hold it.
class Fold final : public Module {
 public:
  /// Fold{{4, 5}, {.kernel_size = 2}}
  /// Throws ValueError as Unfold does, and unless the output size is positive.
  Fold(Pair output_size, const UnfoldOptions& options);

  Pair output_size() const { return output_size_; }
  const UnfoldOptions& options() const { return options_; }

  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  Pair output_size_;
  UnfoldOptions options_;
};

/// Zeros around an image, or with a negative number fewer pixels: [..,H,W] -> [.., H+top+bottom,
/// W+left+right]
class ZeroPad2d final : public Module {
 public:
  /// As many on all four sides.
  explicit ZeroPad2d(std::int64_t padding) : ZeroPad2d(padding, padding, padding, padding) {}
  ZeroPad2d(std::int64_t left, std::int64_t right, std::int64_t top, std::int64_t bottom)
      : sizes_{left, right, top, bottom} {}

  /// {left, right, top, bottom}
  const std::vector<std::int64_t>& sizes() const { return sizes_; }

  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  std::vector<std::int64_t> sizes_;
};

/// [..,C·r²,H,W] -> [..,C,H·r,W·r]: r² channels are the r x r pixels of one.
///
/// W. Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel
/// convolutional neural network", CVPR 2016.
class PixelShuffle final : public Module {
 public:
  /// Throws ValueError unless the factor is positive.
  explicit PixelShuffle(std::int64_t upscale_factor);

  std::int64_t upscale_factor() const { return factor_; }

  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  std::int64_t factor_;
};

/// [..,C,H·r,W·r] -> [..,C·r²,H,W]: the way back.
class PixelUnshuffle final : public Module {
 public:
  /// Throws ValueError unless the factor is positive.
  explicit PixelUnshuffle(std::int64_t downscale_factor);

  std::int64_t downscale_factor() const { return factor_; }

  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  std::int64_t factor_;
};

/// Another size: [N,C,H,W] -> [N,C,OH,OW], as interpolate() does it.
class Upsample final : public Module {
 public:
  /// Upsample{{.scale_factor = 2}} or Upsample{{.size = {28, 28}, .mode = InterpolateMode::bilinear}}
  /// Throws ValueError unless one of size and scale_factor is given, and positive, and for
  /// align_corners with nearest.
  explicit Upsample(const InterpolateOptions& options);

  const InterpolateOptions& options() const { return options_; }

  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  InterpolateOptions options_;
};

}  // namespace gradus
