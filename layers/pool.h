// Pooling: one number for each window of a channel. No parameters.
// Of images, [N,C,H,W] -> [N,C,OH,OW], and of rows, [N,C,L] -> [N,C,OL].
#pragma once

#include <gradus/core/conv.h>
#include <gradus/layers/module.h>

namespace gradus {

/// The greatest of each window; NaN wins, padding never does.
/// OH = (H + 2·padding - dilation·(kh-1) - 1)/stride + 1, rounded down. With ceil_mode it is rounded
/// up, but the last window must start in the image or in the padding before it.
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
/// OH = (H + 2·padding - kh)/stride + 1, rounded as by MaxPool2d. What hangs over the padding with
/// ceil_mode counts for nothing.
class AvgPool2d final : public Module {
 public:
  /// AvgPool2d{{.kernel_size = 2}}; the stride is the kernel size unless given.
  /// Throws ValueError as MaxPool2d does, for a dilation, which averages do not have, and for a
  /// divisor_override of 0.
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

/// The greatest of each of as many windows as are asked for, which lie as AdaptiveAvgPool2d's do.
class AdaptiveMaxPool2d final : public Module {
 public:
  /// Throws ValueError unless both sizes are positive.
  explicit AdaptiveMaxPool2d(Pair output_size);

  Pair output_size() const { return output_size_; }

  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  Pair output_size_;
};

/// MaxPool2d of rows, with one number where that has two.
class MaxPool1d final : public Module {
 public:
  /// Throws ValueError as MaxPool2d does.
  explicit MaxPool1d(const Pool1dOptions& options);
  explicit MaxPool1d(std::int64_t kernel_size)
      : MaxPool1d(Pool1dOptions{.kernel_size = kernel_size}) {}

  const Pool1dOptions& options() const { return options_; }

  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  Pool1dOptions options_;
};

/// AvgPool2d of rows, with one number where that has two; it has no divisor_override.
class AvgPool1d final : public Module {
 public:
  /// Throws ValueError as AvgPool2d does.
  explicit AvgPool1d(const Pool1dOptions& options);
  explicit AvgPool1d(std::int64_t kernel_size)
      : AvgPool1d(Pool1dOptions{.kernel_size = kernel_size}) {}

  const Pool1dOptions& options() const { return options_; }

  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  Pool1dOptions options_;
};

/// AdaptiveAvgPool2d of rows.
class AdaptiveAvgPool1d final : public Module {
 public:
  /// Throws ValueError unless output_size is positive.
  explicit AdaptiveAvgPool1d(std::int64_t output_size);

  std::int64_t output_size() const { return output_size_; }

  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  std::int64_t output_size_;
};

/// AdaptiveMaxPool2d of rows.
class AdaptiveMaxPool1d final : public Module {
 public:
  /// Throws ValueError unless output_size is positive.
  explicit AdaptiveMaxPool1d(std::int64_t output_size);

  std::int64_t output_size() const { return output_size_; }

  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  std::int64_t output_size_;
};

}  // namespace gradus
