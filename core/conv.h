// Convolution, pooling and windows on Tensors, and the options that describe them. [N,C,H,W]
// throughout.
//
// The three convolutions are one trilinear form Σ dy·(x ⋆ w) seen from its three sides: forward,
// input_grad and weight_grad. Which algorithm computes them is decided by kernels/conv2d/conv2d.h;
// set_conv2d_algorithm() overrules it, conv2d_algorithm() tells the choice.
#pragma once

#include <gradus/core/activation.h>
#include <gradus/core/kernels/conv2d/algorithm.h>
#include <gradus/core/tensor.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace gradus {

/// One number per axis, height first; a single number stands for both.
struct Pair {
  std::int64_t height = 0;
  std::int64_t width = 0;
  constexpr Pair(std::int64_t both) : height(both), width(both) {}
  constexpr Pair(std::int64_t h, std::int64_t w) : height(h), width(w) {}
  bool operator==(const Pair&) const = default;
};

/// Zeros around the image of a convolution: how many on both sides of each axis, or PyTorch's names.
struct Padding : Pair {
  /// What the numbers are, or which rule stands for them.
  enum class Rule { sizes, valid, same };
  Rule rule = Rule::sizes;
  constexpr Padding(std::int64_t both) : Pair(both) {}
  constexpr Padding(std::int64_t h, std::int64_t w) : Pair(h, w) {}
  constexpr Padding(Pair pair) : Pair(pair) {}
  bool operator==(const Padding&) const = default;

  /// None.
  static const Padding valid;
  /// As many as give an output of the input's size, dilation·(kernel - 1) in all; where that is odd,
  /// one more behind than before. For stride 1 only.
  static const Padding same;

 private:
  constexpr explicit Padding(Rule named) : Pair(0), rule(named) {}
};
inline constexpr Padding Padding::valid{Padding::Rule::valid};
inline constexpr Padding Padding::same{Padding::Rule::same};
/// "same"
std::string_view to_string(Padding::Rule rule);

/// What stands around an image that is made larger: a number (0 where layers are concerned, whence its
/// second name), the image mirrored at its border pixels, these pixels repeated, or the image again.
enum class PaddingMode { constant, zeros = constant, reflect, replicate, circular };
/// "reflect"; of constant "zeros", as layers print it.
std::string_view to_string(PaddingMode mode);

/// Of conv2d() and its gradients.
struct Conv2dOptions {
  Pair stride = 1;
  Padding padding = 0;  ///< `same` for conv2d on Variables only: all else wants sizes
  Pair dilation = 1;
  std::int64_t groups = 1;
  Activation activation = Activation::none;  ///< conv2d only: its gradients want dy without it
};

/// Of conv1d().
struct Conv1dOptions {
  std::int64_t stride = 1;
  Padding padding = 0;  ///< one number, `valid` or `same`
  std::int64_t dilation = 1;
  std::int64_t groups = 1;
  Activation activation = Activation::none;
};

/// Of conv_transpose2d().
struct ConvTranspose2dOptions {
  Pair stride = 1;
  Pair padding = 0;
  Pair output_padding =
      0;  ///< pixels more behind: a strided conv2d gives several sizes the same one
  std::int64_t groups = 1;
  Pair dilation = 1;
};

/// Windows, as unfold and fold lay them out.
struct UnfoldOptions {
  Pair kernel_size;
  Pair dilation = 1;
  Pair padding = 0;
  Pair stride = 1;
};

/// Windows of a pooling of images.
struct Pool2dOptions {
  Pair kernel_size;
  Pair stride = 0;  ///< 0: the kernel size, as in PyTorch
  Pair padding = 0;
  Pair dilation = 1;              ///< max_pool2d only
  bool ceil_mode = false;         ///< a last window that hangs over the right or lower edge counts
  bool count_include_pad = true;  ///< avg_pool2d only: zeros of the padding count in the mean
  std::optional<std::int64_t> divisor_override{};  ///< avg_pool2d only: divides by this instead
};

/// The same for rows [N,C,L].
struct Pool1dOptions {
  std::int64_t kernel_size;
  std::int64_t stride = 0;  ///< 0: the kernel size, as in PyTorch
  std::int64_t padding = 0;
  std::int64_t dilation = 1;      ///< max_pool1d only
  bool ceil_mode = false;         ///< a last window that hangs over the end counts
  bool count_include_pad = true;  ///< avg_pool1d only: zeros of the padding count in the mean

  /// Of images [N,C,1,L], which are the same numbers.
  constexpr Pool2dOptions of_images() const {
    return {.kernel_size = {1, kernel_size},
            .stride = {stride == 0 ? 0 : 1, stride},
            .padding = {0, padding},
            .dilation = {1, dilation},
            .ceil_mode = ceil_mode,
            .count_include_pad = count_include_pad};
  }
};

using Conv2dAlgorithm = kernels::Conv2dAlgorithm;
using Conv2dPass = kernels::Conv2dPass;
/// Forces an algorithm for the whole process; nullopt gives the choice back. Where the forced one
/// cannot do a geometry, ValueError is thrown: a benchmark must not silently measure another.
void set_conv2d_algorithm(std::optional<Conv2dAlgorithm> algorithm);
/// The one that is forced, if one is.
std::optional<Conv2dAlgorithm> forced_conv2d_algorithm();
/// Whether float32 3x3 convolutions with many channels may use Winograd's minimal filtering, which
/// is some 1.7 times as fast and has an error some ten times as large
/// (kernels/conv2d/winograd_transforms.h). True unless the environment says GRADUS_WINOGRAD=0.
void set_conv2d_winograd(bool allowed);

namespace core {

/// x [N,C,H,W], weight [O,C/groups,kh,kw], bias [O] or undefined -> [N,O,OH,OW],
/// OH = (H + 2·padding - dilation·(kh-1) - 1)/stride + 1, rounded down.
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const Conv2dOptions& options = {});
/// dL/dx of shape `input`, from dy = dL/dy and weight. This and the next are linear: both throw
/// ValueError for options with an activation, whose gradient is the caller's (relu_grad()).
Tensor conv2d_input_grad(const Tensor& dy, const Tensor& weight, const Shape& input,
                         const Conv2dOptions& options = {});
/// dL/dweight of shape `weight`, from dy = dL/dy and x.
Tensor conv2d_weight_grad(const Tensor& dy, const Tensor& x, const Shape& weight,
                          const Conv2dOptions& options = {});
/// The algorithm that conv2d, or one of its gradients, would use for these shapes.
Conv2dAlgorithm conv2d_algorithm(const Shape& x, const Shape& weight,
                                 const Conv2dOptions& options = {}, DType dtype = float32,
                                 Conv2dPass pass = Conv2dPass::forward);
/// In words, why that one: "a 3x3 kernel, but too few channels ...".
std::string_view conv2d_algorithm_reason(const Shape& x, const Shape& weight,
                                         const Conv2dOptions& options = {}, DType dtype = float32,
                                         Conv2dPass pass = Conv2dPass::forward);

/// Each window as a column: x [N,C,H,W] -> [N, C·kh·kw, OH·OW], OH as of conv2d. Zeros stand for the
/// padding.
Tensor unfold(const Tensor& x, const UnfoldOptions& options);
/// Its adjoint: every column added where its window lies in an image of `output_size`.
/// [N, C·kh·kw, OH·OW] -> [N,C,H,W]
Tensor fold(const Tensor& columns, Pair output_size, const UnfoldOptions& options);
/// Throws, naming `op`, unless windows of these options have a place in x [N,C,H,W]. With ceil_mode
/// OH is rounded up, but the last window must start inside of x or of the padding before it.
void check_pool2d(std::string_view op, const Shape& x, const Pool2dOptions& options);
/// The same for rows, x [N,C,L]. Messages show them as what they are.
void check_pool1d(std::string_view op, const Shape& x, const Pool1dOptions& options);
/// Throws, naming `op`, unless x [N,C,H,W] has pixels and output_size is positive.
void check_adaptive_pool2d(std::string_view op, const Shape& x, Pair output_size);
void check_adaptive_pool1d(std::string_view op, const Shape& x, std::int64_t output_size);

/// The greatest of each window, and where it was.
struct MaxPool2dResult {
  Tensor values;   ///< [N,C,OH,OW]
  Tensor indices;  ///< int64 [N,C,OH,OW], into the H·W plane of the input; -1 for none
};
/// Greatest of each window; NaN wins, the first of equals wins, padding never does. A window in the
/// padding alone, as a dilated one can be, gives -inf, the index -1, and no gradient to anything.
MaxPool2dResult max_pool2d(const Tensor& x, const Pool2dOptions& options);
/// Zeros of shape `input` with dy added at `indices`, plane by plane, but nowhere for -1: the adjoint
/// of reading x at `indices`.
Tensor max_pool2d_scatter(const Tensor& dy, const Tensor& indices, const Shape& input);
/// x read at `indices`, plane by plane; 0 for -1.
Tensor max_pool2d_gather(const Tensor& x, const Tensor& indices);

/// The same choice in an eighth of the memory, for who need not look at it: in place of `indices`
/// uint8 [N,C,OH,OW], the place kh·KW + kw within the window. int64 indices as before where a byte
/// cannot say it: windows of more than 256 elements, and dilated ones with padding.
MaxPool2dResult max_pool2d_compact(const Tensor& x, const Pool2dOptions& options);
/// The two for such a result; `options` as for the pooling.
Tensor max_pool2d_scatter(const Tensor& dy, const Tensor& choices, const Shape& input,
                          const Pool2dOptions& options);
Tensor max_pool2d_gather(const Tensor& x, const Tensor& choices, const Pool2dOptions& options);

/// The greatest over floor(i·H/OH) .. ceil((i+1)·H/OH), by the rules of max_pool2d.
MaxPool2dResult adaptive_max_pool2d(const Tensor& x, Pair output_size);

Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& options);
Tensor avg_pool2d_grad(const Tensor& dy, const Shape& input, const Pool2dOptions& options);
/// Means over floor(i·H/OH) .. ceil((i+1)·H/OH), as PyTorch.
Tensor adaptive_avg_pool2d(const Tensor& x, Pair output_size);
Tensor adaptive_avg_pool2d_grad(const Tensor& dy, const Shape& input);

}  // namespace core
}  // namespace gradus
