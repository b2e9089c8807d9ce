// Pooling: one number for each window of a channel. No parameters. [N,C,H,W] -> [N,C,OH,OW]
#pragma once

#include <gradus/core/conv.h>
#include <gradus/layers/module.h>

namespace gradus {

/// The greatest of each window; NaN wins, padding never does.
/// OH = (H + 2·padding - dilation·(kh-1) - 1)/stride + 1, rounded down
class MaxPool2d final : public Module {
 public:
  /// MaxPool2d{{.kernel_size = 2}}; the stride is the kernel size unless given.
  /// Throws ValueError for sizes below 1, a negative padding, or one above half the kernel size.
  explicit MaxPool2d(const Pool2dOptions& options);
  /// A square window, all else by default: MaxPool2d{2}
  explicit MaxPool2d(std::int64_t kernel_size)
      : MaxPool2d(Pool2dOptions{.kernel_size = kernel_size}) {}

  const Pool2dOptions& options() const { return options_; }

  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  Pool2dOptions options_;
};

/// The mean of each window; zeros of the padding count unless count_include_pad is false.
/// OH = (H + 2·padding - kh)/stride + 1, rounded down
class AvgPool2d final : public Module {
 public:
  /// AvgPool2d{{.kernel_size = 2}}; the stride is the kernel size unless given.
  /// Throws ValueError as MaxPool2d does, and for a dilation, which averages do not have.
  explicit AvgPool2d(const Pool2dOptions& options);
  /// A square window, all else by default: AvgPool2d{2}
  explicit AvgPool2d(std::int64_t kernel_size)
      : AvgPool2d(Pool2dOptions{.kernel_size = kernel_size}) {}

  const Pool2dOptions& options() const { return options_; }

  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  Pool2dOptions options_;
};

/// Means over as many windows as are asked for, whatever the size of the image: window i covers
/// floor(i·H/OH) .. ceil((i+1)·H/OH). AdaptiveAvgPool2d{1} is global average pooling.
class AdaptiveAvgPool2d final : public Module {
 public:
  /// Throws ValueError unless both sizes are positive.
  explicit AdaptiveAvgPool2d(Pair output_size);

  Pair output_size() const { return output_size_; }

  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  Pair output_size_;
};

}  // namespace gradus
