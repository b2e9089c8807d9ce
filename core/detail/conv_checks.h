// What the functions on images ask of their arguments before anything is computed. Each gives its own
// name, so that a message begins with what the caller wrote.
#pragma once

#include <gradus/core/conv.h>
#include <gradus/core/kernels/conv2d/geometry.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace gradus::checks {

/// No option and no size may be greater: then no product of two of them overflows.
inline constexpr std::int64_t largest = (std::int64_t{1} << 31) - 1;

/// How many sizes an option has: those of a row, which is an image one pixel high, have a width only.
enum class Axes { width, both };

/// "(2,1)"; of a row "1".
std::string spell(Pair pair, Axes axes = Axes::both);
/// "5x3"; of a row "3".
std::string extent(std::int64_t height, std::int64_t width, Axes axes);
/// A shape as the caller gave it: of a row without the height.
Shape as_given(const Shape& shape, Axes axes);

void check_tensor(std::string_view op, std::string_view what, const Tensor& x, int rank);
void check_same_dtype(std::string_view op, std::string_view a_name, const Tensor& a,
                      std::string_view b_name, const Tensor& b);
/// float32 or float64.
void check_floating(std::string_view op, const Tensor& x);
/// Beyond `largest`?
void check_extent(std::string_view op, const Shape& shape);
/// Options that hold for every convolution, whatever the shapes. The padding must be sizes.
void check_options(std::string_view op, const Conv2dOptions& o, Axes axes = Axes::both);
/// [channels], of the input's dtype; or undefined.
void check_bias(std::string_view op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                std::int64_t channels);

/// Throws unless x [N,C,H,W] and w [O,C/groups,kh,kw] fit together. Rows come as images one pixel
/// high, x [N,C,1,L] and w [O,C/groups,1,k]; messages show them as what they are.
kernels::Conv2dGeometry geometry_of(std::string_view op, const Shape& x, const Shape& w,
                                    const Conv2dOptions& o, Axes axes = Axes::both);

/// What conv1d asks of x [N,C,L], weight [O,C/groups,k] and bias. `o` are its options as those of
/// images one pixel high.
void check_conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const Conv2dOptions& o);

/// What conv_transpose2d asks of x [N,C,H,W], weight [C,O/groups,kh,kw] and bias; the shape of its
/// result.
Shape check_conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                             const ConvTranspose2dOptions& o);

/// Pixels in front of an image and behind it.
struct PaddingSizes {
  Pair before;
  Pair after;
};
/// What a padding stands for. Of `same`, dilation·(kernel - 1) in all; where that is odd there is one
/// more behind than before, as in PyTorch. Throws ValueError for `same` with a stride.
PaddingSizes padding_sizes(std::string_view op, const Padding& padding, Pair kernel_size,
                           Pair stride, Pair dilation, Axes axes = Axes::both);

}  // namespace gradus::checks
