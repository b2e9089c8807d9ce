// The functions on Variables: everything here is recorded and can be differentiated,
// twice and more.
//
// Each is defined in its chapter under ops/, with its formula and its derivative. The names,
// arguments and defaults are PyTorch's. Binary functions broadcast and want equal dtypes; a number
// takes the tensor's dtype. Shapes and dtypes are checked by the core function of the same name
// (ShapeError, DTypeError).
//
// The first Variable is an Operand: a Variable or a Tensor, and the line of the call.
//
// add, linear, conv2d and batch_norm take the activation behind them: relu(y) bit for bit, without
// another pass over memory.
#pragma once

#include <gradus/autograd/variable.h>
#include <gradus/core/conv.h>
#include <gradus/core/index.h>
#include <gradus/core/math.h>
#include <gradus/core/random.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace gradus {

// ---- ops/arithmetic.cpp ----
Variable add(const Operand& a, const Variable& b, Activation activation = Activation::none);
Variable sub(const Operand& a, const Variable& b);
Variable mul(const Operand& a, const Variable& b);
Variable div(const Operand& a, const Variable& b);
Variable add(const Operand& a, double b);
Variable mul(const Operand& a, double b);
/// True divisions: 49/49 is 1, and 0/x is 0 for every x but 0.
Variable div(const Operand& a, double b);
Variable div(double a, const Operand& b);
Variable neg(const Operand& x);
/// x^exponent, elementwise.
Variable pow(const Operand& x, double exponent);
Variable pow(const Operand& base, const Variable& exponent);
/// The greater of both; where they are equal each gets half of the gradient.
Variable maximum(const Operand& a, const Variable& b);
Variable minimum(const Operand& a, const Variable& b);
/// x limited to low..high; the gradient passes where low <= x <= high. Throws ValueError without a bound.
Variable clamp(const Operand& x, std::optional<double> low, std::optional<double> high);
/// a where `condition` (bool) holds, else b.
Variable where(const Tensor& condition, const Operand& a, const Variable& b);
/// The numbers of `value` with the slope of `stand_in`, of the same shape and dtype: the straight-through
/// estimator by which quantisers and spikes are trained, straight_through(round(x), x). All of the
/// gradient goes to stand_in. A gradient check knows of it: it checks the slope that is declared here.
Variable straight_through(const Operand& value, const Variable& stand_in);

inline Variable operator+(const Operand& a, const Variable& b) { return add(a, b); }
inline Variable operator-(const Operand& a, const Variable& b) { return sub(a, b); }
inline Variable operator*(const Operand& a, const Variable& b) { return mul(a, b); }
inline Variable operator/(const Operand& a, const Variable& b) { return div(a, b); }
inline Variable operator+(const Operand& a, double b) { return add(a, b); }
inline Variable operator-(const Operand& a, double b) {
  if (is_floating(a->dtype())) return add(a, -b);
  return sub(a, Variable(Tensor::scalar(b, a->dtype())));  // -b may be no number of the dtype
}
inline Variable operator*(const Operand& a, double b) { return mul(a, b); }
inline Variable operator/(const Operand& a, double b) { return div(a, b); }
inline Variable operator+(double a, const Operand& b) { return add(b, a); }
inline Variable operator-(double a, const Operand& b) { return add({neg(b), b.at()}, a); }
inline Variable operator*(double a, const Operand& b) { return mul(b, a); }
inline Variable operator/(double a, const Operand& b) { return div(a, b); }
inline Variable operator-(const Operand& x) { return neg(x); }

// ---- ops/activation.cpp ----
Variable exp(const Operand& x);
Variable log(const Operand& x);
Variable sqrt(const Operand& x);
/// |x|; the gradient at 0 is 0.
Variable abs(const Operand& x);
Variable tanh(const Operand& x);
Variable sigmoid(const Operand& x);
/// max(x, 0); the gradient at 0 is 0.
Variable relu(const Operand& x);
/// dy where y > 0 (or NaN), else 0: the gradient of a relu whose output was y.
Variable relu_grad(const Operand& dy, const Tensor& y);
/// Keeps each element with probability 1-p, scaled by 1/(1-p). Throws ValueError
/// unless 0 <= p <= 1.
Variable dropout(const Operand& x, double p = 0.5, Generator& generator = default_generator());
/// The same for whole channels: x [N,C,...], rank 2 at least.
Variable dropout2d(const Operand& x, double p = 0.5, Generator& generator = default_generator());
/// x where x > 0, else negative_slope·x, with that slope at 0.
Variable leaky_relu(const Operand& x, double negative_slope = 0.01);
/// The same with slopes that are learned: weight has one element, or [C] for x [N,C,...].
Variable prelu(const Operand& x, const Variable& weight);
/// x where x > 0, else alpha·(eˣ - 1).
Variable elu(const Operand& x, double alpha = 1);
/// scale·elu(x, alpha) with the numbers that keep mean 0 and variance 1: G. Klambauer et al.,
/// "Self-normalizing neural networks", NIPS 2017.
Variable selu(const Operand& x);
enum class Gelu {
  none,  ///< by the error function
  tanh   ///< x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))
};
/// x·Φ(x), Φ the normal distribution: D. Hendrycks, K. Gimpel, "Gaussian error linear units", 2016.
Variable gelu(const Operand& x, Gelu approximate = Gelu::none);
/// x·sigmoid(x)
Variable silu(const Operand& x);
/// ln sigmoid(x), precise at both ends.
Variable logsigmoid(const Operand& x);
/// ln(1 + e^(beta·x))/beta, and x where beta·x > threshold. Throws ValueError for a beta of 0.
Variable softplus(const Operand& x, double beta = 1, double threshold = 20);
/// x/(1 + |x|)
Variable softsign(const Operand& x);
/// x limited to min_val..max_val; the gradient passes in between, not at the ends (clamp's does).
/// Throws ValueError unless min_val < max_val.
Variable hardtanh(const Operand& x, double min_val = -1, double max_val = 1);
/// hardtanh(x, 0, 6)
Variable relu6(const Operand& x);
/// relu6(x + 3)/6
Variable hardsigmoid(const Operand& x);
/// x·relu6(x + 3)/6: A. Howard et al., "Searching for MobileNetV3", ICCV 2019.
Variable hardswish(const Operand& x);

// ---- ops/elementwise.cpp ---- from sin to square float32 and float64, square integers as well
Variable sin(const Operand& x);
Variable cos(const Operand& x);
Variable tan(const Operand& x);
Variable asin(const Operand& x);
Variable acos(const Operand& x);
Variable atan(const Operand& x);
Variable sinh(const Operand& x);
Variable cosh(const Operand& x);
/// 2/√π ∫₀ˣ exp(-t²) dt
Variable erf(const Operand& x);
/// exp(x) - 1 and log(1 + x), right to the last digit where x is small.
Variable expm1(const Operand& x);
Variable log1p(const Operand& x);
Variable log2(const Operand& x);
Variable log10(const Operand& x);
/// 1/√x
Variable rsqrt(const Operand& x);
/// 1/x
Variable reciprocal(const Operand& x);
/// x²
Variable square(const Operand& x);
/// Every dtype but bool; the gradient is 0 everywhere.
Variable floor(const Operand& x);
Variable ceil(const Operand& x);
/// To the nearest whole number; from the middle to the even one: 0.5 -> 0, 1.5 -> 2.
Variable round(const Operand& x);
/// Towards 0.
Variable trunc(const Operand& x);
/// -1, 0 or 1; NaN stays NaN.
Variable sign(const Operand& x);
using NumberFunction = std::function<double(double)>;
/// f(x) for each element, float32 or float64, with the slope df(x). `ddf`, the slope of df, is for second
/// derivatives: without it they throw GradError. The functions are called on several threads at once.
/// Throws ValueError for an empty f or df. A gradient check tells whether df is the slope of f.
Variable map(const Operand& x, const NumberFunction& f, const NumberFunction& df,
             const NumberFunction& ddf = {});

// ---- ops/reduce.cpp ---- empty `dims` means all
Variable sum(const Operand& x, const Dims& dims = {}, bool keepdim = false);
Variable mean(const Operand& x, const Dims& dims = {}, bool keepdim = false);
Variable var(const Operand& x, const Dims& dims = {}, bool keepdim = false,
             std::int64_t correction = 1);
/// √var; the gradient at 0 is 0.
Variable std(const Operand& x, const Dims& dims = {}, bool keepdim = false,
             std::int64_t correction = 1);
/// (Σ|x|^p)^(1/p), the gradient at 0 being 0; max|x| for p = ∞, min|x| for -∞, and for 0 how many are not
/// 0, NaN among them. Where a sum of negative powers is 0 the norm is infinite and its gradient NaN.
/// Throws ShapeError for an infinite or a negative p over zero elements.
Variable norm(const Operand& x, double p = 2, const Dims& dims = {}, bool keepdim = false);
/// The greatest; elements that tie share the gradient equally (PyTorch's amax).
Variable max(const Operand& x, const Dims& dims = {}, bool keepdim = false);
Variable min(const Operand& x, const Dims& dims = {}, bool keepdim = false);
Variable logsumexp(const Operand& x, const Dims& dims = {}, bool keepdim = false);
Variable softmax(const Operand& x, std::int64_t dim);
Variable log_softmax(const Operand& x, std::int64_t dim);
/// Sums what broadcasting repeated, back to `shape`.
Variable sum_to(const Operand& x, const Shape& shape);

// ---- ops/shape.cpp ----
Variable reshape(const Operand& x, const Shape& shape);
Variable flatten(const Operand& x, std::int64_t start = 0, std::int64_t end = -1);
Variable permute(const Operand& x, const Dims& order);
Variable transpose(const Operand& x, std::int64_t a = -2, std::int64_t b = -1);
Variable squeeze(const Operand& x, std::optional<std::int64_t> dim = std::nullopt);
Variable unsqueeze(const Operand& x, std::int64_t dim);
Variable expand(const Operand& x, const Shape& shape);
Variable slice(const Operand& x, std::int64_t dim, std::int64_t start, std::int64_t stop,
               std::int64_t step = 1);
/// Zeros of `shape`, and `source` at start, start + step, ... of `dim`: the adjoint of slice.
Variable slice_scatter(const Shape& shape, std::int64_t dim, std::int64_t start, std::int64_t step,
                       const Operand& source);
Variable narrow(const Operand& x, std::int64_t dim, std::int64_t start, std::int64_t length);
Variable select(const Operand& x, std::int64_t dim, std::int64_t index);
Variable cat(const Variables& parts, std::int64_t dim = 0, Place at = Place::here());
Variable stack(const Variables& parts, std::int64_t dim = 0, Place at = Place::here());
Variable index_select(const Operand& x, std::int64_t dim, const Tensor& index);
Variable gather(const Operand& x, std::int64_t dim, const Tensor& index);
/// Zeros of `shape` plus source's rows added at `index`: the adjoint of index_select.
Variable index_add(const Shape& shape, std::int64_t dim, const Tensor& index,
                   const Operand& source);
/// Zeros of `shape` plus `source` added at `index`: the adjoint of gather.
Variable scatter_add(const Shape& shape, std::int64_t dim, const Tensor& index,
                     const Operand& source);

// ---- ops/rearrange.cpp ----
/// The order of elements reversed along each of `dims`; without dims as it is.
Variable flip(const Operand& x, const Dims& dims);
/// Moved on by shifts[i] along dims[i]; what leaves at the end comes in at the beginning. Without dims one
/// shift, of all elements in row-major order.
Variable roll(const Operand& x, const Shape& shifts, const Dims& dims = {});
/// Parts of `split_size` along dim; the last may be smaller.
Variables split(const Operand& x, std::int64_t split_size, std::int64_t dim = 0);
/// Parts of these sizes, which add up to that of dim.
Variables split(const Operand& x, const std::vector<std::int64_t>& sizes, std::int64_t dim = 0);
/// Parts of equal size, as many as asked for or fewer; the last may be smaller.
Variables chunk(const Operand& x, std::int64_t chunks, std::int64_t dim = 0);
/// x repeats[d] times along each dimension; more numbers than dimensions make new ones in front.
Variable repeat(const Operand& x, const Shape& repeats);
/// The same; fewer numbers than dimensions are for the last ones.
Variable tile(const Operand& x, const Shape& dims);
/// Each element `repeats` times one after the other; without `dim` of all elements in a row.
Variable repeat_interleave(const Operand& x, std::int64_t repeats,
                           std::optional<std::int64_t> dim = std::nullopt);
/// The elements x[..i..i+offset..] of two dimensions, as a new last one. A view is not promised.
Variable diagonal(const Operand& x, std::int64_t offset = 0, std::int64_t dim1 = 0,
                  std::int64_t dim2 = 1);
/// [n] -> a matrix with x on that diagonal; [m,n] -> that diagonal.
Variable diag(const Operand& x, std::int64_t diagonal = 0);
/// The sum of the diagonal of a matrix.
Variable trace(const Operand& x);
/// [..,m,n] with 0 above (below) the diagonal that begins `diagonal` columns further right.
Variable tril(const Operand& x, std::int64_t diagonal = 0);
Variable triu(const Operand& x, std::int64_t diagonal = 0);
/// n axes [k_i] -> n grids [k_0,k_1,..], the i-th of which changes along dimension i only. With
/// "xy" the first two dimensions are swapped. Throws ValueError for another indexing.
Variables meshgrid(const Variables& axes, std::string_view indexing = "ij",
                   Place at = Place::here());

// ---- ops/index.cpp ----
/// index(x, {Slice(1, 5), Ellipsis, None, 2, rows, mask}) is x[1:5, ..., None, 2, rows, mask]. Tensors
/// broadcast with each other and choose together; their dimensions stand where the first was, or in front
/// where others stood between them. Throws ShapeError for a number out of range or a mask that does not
/// fit, ValueError for a step below 1, DTypeError for a tensor that is neither int64 nor bool.
Variable index(const Operand& x, const std::vector<TensorIndex>& indices);
/// The same with a number, in the dtype of the other.
Variable where(const Tensor& condition, const Operand& a, double b);
Variable where(const Tensor& condition, double a, const Operand& b);
/// `value` where `mask` (bool, broadcast) holds, else x.
Variable masked_fill(const Operand& x, const Tensor& mask, double value);
/// The elements where `mask` (bool, broadcast) holds, in a row.
Variable masked_select(const Operand& x, const Tensor& mask);

// ---- ops/scan.cpp ---- a scalar counts as [1]
/// y_k = x_0 + ... + x_k along dim. Integers and bool give int64.
Variable cumsum(const Operand& x, std::int64_t dim);
/// y_k = x_0 · ... · x_k along dim; zeros do no harm to the gradient, nor do products on the way that
/// are beyond float32 (with create_graph = true they do). uint8 and bool give int64.
Variable cumprod(const Operand& x, std::int64_t dim);
/// y_0 = b_0, y_k = a_k·y_(k-1) + b_k along dim; equal shapes. Linear recurrent layers are that.
Variable linear_recurrence(const Operand& a, const Variable& b, std::int64_t dim);
/// The product along dim, or of all; its gradient is that of cumprod. A product of nothing is 1.
Variable prod(const Operand& x, std::optional<std::int64_t> dim = std::nullopt,
              bool keepdim = false);
/// What sort() and topk() give.
struct ValuesAndIndices {
  Variable values;
  Tensor indices;  ///< int64: where in the dimension each value was
};
/// Sorted along dim; equal elements stay in their order (it is always stable), a NaN is the greatest.
ValuesAndIndices sort(const Operand& x, std::int64_t dim = -1, bool descending = false);
/// The k largest (smallest) along dim, sorted. Throws ShapeError where there are less than k.
ValuesAndIndices topk(const Operand& x, std::int64_t k, std::int64_t dim = -1, bool largest = true);

// ---- ops/einsum.cpp ----
/// Einstein's sum: einsum("bij,bjk->bik", {a, b}). A letter is the label of a dimension: equal labels
/// meet, those that the output does not name are summed, one that an operand repeats is its diagonal.
/// "..." stands for dimensions that broadcast; without "->" the output has it, and the letters that
/// stand once, sorted. float32, float64 or int64. Throws ValueError for an equation that is none,
/// ShapeError for operands that do not fit it.
Variable einsum(std::string_view equation, const Variables& operands, Place at = Place::here());
/// [b,m,k]·[b,k,n] -> [b,m,n]
Variable bmm(const Operand& a, const Variable& b);
/// [m], [n] -> [m,n]
Variable outer(const Operand& a, const Variable& b);
/// Σ a·b of two vectors.
Variable dot(const Operand& a, const Variable& b);

// ---- ops/linalg.cpp ----
/// [k]·[k], [m,k]·[k], [k]·[k,n] or [..,m,k]·[..,k,n] with broadcast batches.
Variable matmul(const Operand& a, const Variable& b);
/// x·weightᵀ + bias: [..,in], [out,in], [out] or undefined -> [..,out]
Variable linear(const Operand& x, const Variable& weight, const Variable& bias = {},
                Activation activation = Activation::none);

// ---- ops/conv.cpp ----
/// Cross-correlation, as every framework's "convolution":
/// y[n,o,i,j] = bias[o] + Σ_{c,u,v} x[n,c, i·stride - padding + u·dilation, j·..] · weight[o,c,u,v]
/// x [N,C,H,W], weight [O,C/groups,kh,kw], bias [O] or undefined -> [N,O,OH,OW]
/// An image alone, [C,H,W], gives [O,OH,OW]. Throws ValueError for padding `same` with a stride.
Variable conv2d(const Operand& x, const Variable& weight, const Variable& bias = {},
                const Conv2dOptions& options = {});
/// dL/dx of conv2d, x of shape `input`: dy [N,O,OH,OW], weight [O,C/groups,kh,kw] -> [N,C,H,W]
Variable conv2d_input_grad(const Operand& dy, const Variable& weight, const Shape& input,
                           const Conv2dOptions& options = {});
/// dL/dweight of conv2d, of shape `weight`: dy [N,O,OH,OW], x [N,C,H,W] -> [O,C/groups,kh,kw]
Variable conv2d_weight_grad(const Operand& dy, const Variable& x, const Shape& weight,
                            const Conv2dOptions& options = {});

/// The same along one axis: x [N,C,L] or [C,L], weight [O,C/groups,k], bias [O] or undefined
/// -> [N,O,OL]. It is conv2d of images one pixel high.
Variable conv1d(const Operand& x, const Variable& weight, const Variable& bias = {},
                const Conv1dOptions& options = {});
/// Each pixel of x spread by the kernel: y[n,o, i·stride - padding + u·dilation, j..] gets
/// x[n,c,i,j]·weight[c,o,u,v], and bias[o]. It is conv2d_input_grad, with a bias.
/// x [N,C,H,W] or [C,H,W], weight [C,O/groups,kh,kw], bias [O] or undefined -> [N,O,OH,OW],
/// OH = (H-1)·stride - 2·padding + dilation·(kh-1) + output_padding + 1.
/// Throws ValueError unless output_padding is below the stride or the dilation of its axis.
Variable conv_transpose2d(const Operand& x, const Variable& weight, const Variable& bias = {},
                          const ConvTranspose2dOptions& options = {});

// ---- ops/image.cpp ----
enum class InterpolateMode { nearest, bilinear };
/// "bilinear"
std::string_view to_string(InterpolateMode mode);
/// A factor per axis; a single number stands for both.
struct Scale {
  double height = 0;
  double width = 0;
  constexpr Scale(double both) : height(both), width(both) {}
  constexpr Scale(double h, double w) : height(h), width(w) {}
  bool operator==(const Scale&) const = default;
};
/// Of interpolate() and Upsample: the size or the factor, and how to fill in.
struct InterpolateOptions {
  Pair size = 0;           ///< 0: not given
  Scale scale_factor = 0;  ///< 0: not given
  InterpolateMode mode = InterpolateMode::nearest;
  std::optional<bool> align_corners = std::nullopt;  ///< bilinear only; false unless given
};
/// Each window as a column: [N,C,H,W] -> [N, C·kh·kw, L], L = OH·OW windows as conv2d has them.
/// conv2d without groups is the product of the weight, as a matrix [O, C·kh·kw], with that.
/// An image alone, [C,H,W], gives [C·kh·kw, L]. Float32 and float64.
Variable unfold(const Operand& x, const UnfoldOptions& options);
/// Its adjoint: each column added where its window lies, [N, C·kh·kw, L] -> [N,C,H,W], H and W
/// = `output_size`; [C·kh·kw, L] gives [C,H,W].
Variable fold(const Operand& x, Pair output_size, const UnfoldOptions& options);
/// `sizes` elements more before and behind, the last dimension first as in PyTorch:
/// {left, right, top, bottom}. A negative size takes away. Every dtype.
/// Throws ValueError for an odd number of sizes, for a `value` in any mode but constant, and where
/// a mode asks for more than is there: reflect for size - 1, circular for the size.
Variable pad(const Operand& x, const std::vector<std::int64_t>& sizes,
             PaddingMode mode = PaddingMode::constant, double value = 0);
/// [..,C·r²,H,W] -> [..,C,H·r,W·r]: r² channels are the r x r pixels of one.
Variable pixel_shuffle(const Operand& x, std::int64_t upscale_factor);
/// [..,C,H·r,W·r] -> [..,C·r²,H,W]: the way back.
Variable pixel_unshuffle(const Operand& x, std::int64_t downscale_factor);
/// [N,C,H,W] -> [N,C,OH,OW], OH = options.size or ⌊H·scale_factor⌋. With s = H/OH, or 1/scale_factor
/// where that is given, y[i] is x at s·i, rounded down (nearest), or between the pixels beside
/// s·(i + 1/2) - 1/2 (bilinear; with align_corners beside i·(H-1)/(OH-1)). Nearest takes s = 1 for OH = H
/// and 1/2 for OH = 2·H, whatever the factor.
/// Throws ValueError unless one of size and scale_factor is given, and positive, and for align_corners
/// with nearest.
Variable interpolate(const Operand& x, const InterpolateOptions& options);

// ---- ops/pool.cpp ---- [N,C,H,W] -> [N,C,OH,OW], or an image alone, [C,H,W] -> [C,OH,OW]
Variable max_pool2d(const Operand& x, const Pool2dOptions& options);
Variable avg_pool2d(const Operand& x, const Pool2dOptions& options);
Variable adaptive_avg_pool2d(const Operand& x, Pair output_size);
Variable adaptive_max_pool2d(const Operand& x, Pair output_size);
/// The same of rows: [N,C,L] -> [N,C,OL], or [C,L] -> [C,OL]
Variable max_pool1d(const Operand& x, const Pool1dOptions& options);
Variable avg_pool1d(const Operand& x, const Pool1dOptions& options);
Variable adaptive_avg_pool1d(const Operand& x, std::int64_t output_size);
Variable adaptive_max_pool1d(const Operand& x, std::int64_t output_size);
/// The adjoints of those of images, [N,C,OH,OW] -> [N,C,H,W] = `input`. `choices` are what
/// core::max_pool2d_compact() or core::max_pool2d() chose: each dy is added where it was chosen from.
Variable max_pool2d_scatter(const Operand& dy, const Tensor& choices, const Shape& input,
                            const Pool2dOptions& options);
/// The same for int64 indices into the planes of the input, as core::max_pool2d() and
/// core::adaptive_max_pool2d() give them.
Variable max_pool2d_scatter(const Operand& dy, const Tensor& indices, const Shape& input);
Variable avg_pool2d_grad(const Operand& dy, const Shape& input, const Pool2dOptions& options);
Variable adaptive_avg_pool2d_grad(const Operand& dy, const Shape& input);
/// x where `choices` say: [N,C,H,W] -> [N,C,OH,OW], the adjoint of max_pool2d_scatter.
Variable max_pool2d_gather(const Operand& x, const Tensor& choices, const Pool2dOptions& options);
Variable max_pool2d_gather(const Operand& x, const Tensor& indices);

// ---- ops/norm.cpp ----
/// Options of batch_norm().
struct BatchNormOptions {
  bool training = true;  ///< normalise with the batch's statistics; otherwise with the running ones
  double momentum = 0.1;  ///< running = (1-momentum)·running + momentum·batch
  double eps = 1e-5;
  Activation activation = Activation::none;
};
/// (x - mean)/sqrt(var + eps)·weight + bias per channel; x [N,C,...], the rest [C] or undefined.
/// In training the running statistics (float tensors, or undefined) are updated in place, with the
/// unbiased variance, as in PyTorch.
Variable batch_norm(const Operand& x, const Variable& weight, const Variable& bias,
                    const Tensor& running_mean, const Tensor& running_var,
                    const BatchNormOptions& options = {});
/// (x - mean)/sqrt(var + eps)·weight + bias, with mean and variance over the last dimensions, which
/// must be `normalized_shape`; weight and bias have that shape, or are undefined.
/// J. Ba, J. Kiros, G. Hinton, "Layer normalization", 2016.
Variable layer_norm(const Operand& x, const Shape& normalized_shape, const Variable& weight = {},
                    const Variable& bias = {}, double eps = 1e-5);
/// The same with mean and variance over each group of C/num_groups channels of each image;
/// x [N,C,...], weight and bias [C] or undefined. Throws ShapeError where num_groups does not divide C.
/// Y. Wu, K. He, "Group normalization", ECCV 2018.
Variable group_norm(const Operand& x, std::int64_t num_groups, const Variable& weight = {},
                    const Variable& bias = {}, double eps = 1e-5);
/// Options of instance_norm().
struct InstanceNormOptions {
  bool use_input_stats =
      true;               ///< normalise with the input's statistics; otherwise the running ones
  double momentum = 0.1;  ///< running = (1-momentum)·running + momentum·mean over the images
  double eps = 1e-5;
};
/// The same with mean and variance over each channel of each image; x [N,C,...] with more than one
/// value a channel, the rest [C] or undefined. The running statistics are updated as by batch_norm.
/// D. Ulyanov, A. Vedaldi, V. Lempitsky, "Instance normalization", 2016.
Variable instance_norm(const Operand& x, const Variable& weight = {}, const Variable& bias = {},
                       const Tensor& running_mean = {}, const Tensor& running_var = {},
                       const InstanceNormOptions& options = {});

// ---- ops/loss.cpp ---- targets are classes or probabilities
/// What becomes of the losses. Their mean over nothing is NaN, as in PyTorch. Only kl_div has batchmean;
/// others throw ValueError.
enum class Reduction { none, sum, mean, batchmean };

/// Options of cross_entropy().
struct CrossEntropyOptions {
  Tensor weight{};                   ///< [C], of each class; undefined: all 1
  std::int64_t ignore_index = -100;  ///< a label whose loss is 0 and does not count in the mean
  Reduction reduction = Reduction::mean;
  double label_smoothing = 0;  ///< in 0..1: so much of the target is spread over all classes evenly
};
/// -log softmax(logits)[label]; logits [N,C,d1,..], labels int64 [N,d1,..], or of one example [C] and
/// []. The mean divides by the sum of the labels' weights. Throws ValueError for a label outside 0..C-1 that
/// is not ignored.
Variable cross_entropy(const Operand& logits, const Tensor& labels,
                       Reduction reduction = Reduction::mean);
Variable cross_entropy(const Operand& logits, const Tensor& labels,
                       const CrossEntropyOptions& options);
/// -Σ weight[c]·probabilities[c]·log softmax(logits)[c] over the classes; both [N,C,d1,..]. The mean divides
/// by the number of sums. Throws ValueError for an ignore_index of 0 or more. int64 are labels, as above.
Variable cross_entropy(const Operand& logits, const Variable& probabilities,
                       const CrossEntropyOptions& options = {});

/// Options of nll_loss().
struct NLLLossOptions {
  Tensor weight{};
  std::int64_t ignore_index = -100;
  Reduction reduction = Reduction::mean;
};
/// -log_probabilities[label], otherwise as cross_entropy.
Variable nll_loss(const Operand& log_probabilities, const Tensor& labels,
                  Reduction reduction = Reduction::mean);
Variable nll_loss(const Operand& log_probabilities, const Tensor& labels,
                  const NLLLossOptions& options);

/// Options of binary_cross_entropy().
struct BinaryCrossEntropyOptions {
  Tensor weight{};  ///< broadcasts to the input's shape; undefined: all 1
  Reduction reduction = Reduction::mean;
};
/// -weight·(t·log x + (1-t)·log(1-x)), each logarithm at least -100; equal shapes. Throws ValueError for
/// an input outside 0..1 or NaN.
Variable binary_cross_entropy(const Operand& input, const Variable& target,
                              const BinaryCrossEntropyOptions& options = {});

/// Options of binary_cross_entropy_with_logits().
struct BCEWithLogitsOptions {
  Tensor weight{};  ///< broadcasts to the shape of the logits; undefined: all 1
  Reduction reduction = Reduction::mean;
  Tensor pos_weight{};  ///< of t, likewise: above 1 it asks for recall, below 1 for precision
};
/// -weight·(pos_weight·t·log sigmoid(x) + (1-t)·log(1 - sigmoid(x))), without overflow; equal shapes.
Variable binary_cross_entropy_with_logits(const Operand& logits, const Variable& target,
                                          const BCEWithLogitsOptions& options = {});

/// Options of kl_div().
struct KLDivOptions {
  Reduction reduction =
      Reduction::mean;      ///< batchmean, the sum over size(0), is what the formula means
  bool log_target = false;  ///< the target is given by its logarithm
};
/// target·(log target - input), the input being a logarithm; 0 where the target is 0. Equal shapes.
Variable kl_div(const Operand& input, const Variable& target, const KLDivOptions& options = {});

// ---- ops/difference_loss.cpp ---- prediction and target of equal shapes
/// (prediction - target)²
Variable mse_loss(const Operand& prediction, const Variable& target,
                  Reduction reduction = Reduction::mean);
/// |prediction - target|
Variable l1_loss(const Operand& prediction, const Variable& target,
                 Reduction reduction = Reduction::mean);

/// Options of huber_loss().
struct HuberLossOptions {
  Reduction reduction = Reduction::mean;
  double delta = 1;
};
/// d²/2 where |d| <= delta, else delta·(|d| - delta/2); d = prediction - target. Throws ValueError unless
/// delta is positive and finite.
Variable huber_loss(const Operand& prediction, const Variable& target,
                    const HuberLossOptions& options = {});

/// Options of smooth_l1_loss().
struct SmoothL1LossOptions {
  Reduction reduction = Reduction::mean;
  double beta = 1;
};
/// d²/(2·beta) where |d| <= beta, else |d| - beta/2; l1_loss for beta 0. Throws ValueError unless beta is
/// finite and not negative.
Variable smooth_l1_loss(const Operand& prediction, const Variable& target,
                        const SmoothL1LossOptions& options = {});

// ---- ops/margin_loss.cpp ---- targets are 1 or -1, of any dtype (ValueError for others)
/// Options of hinge_embedding_loss().
struct HingeEmbeddingLossOptions {
  double margin = 1;
  Reduction reduction = Reduction::mean;
};
/// x where the target is 1, max(0, margin - x) where it is -1; equal shapes.
Variable hinge_embedding_loss(const Operand& x, const Tensor& target,
                              const HingeEmbeddingLossOptions& options = {});

/// Options of margin_ranking_loss().
struct MarginRankingLossOptions {
  double margin = 0;
  Reduction reduction = Reduction::mean;
};
/// max(0, margin - target·(x1 - x2)); equal shapes.
Variable margin_ranking_loss(const Operand& x1, const Variable& x2, const Tensor& target,
                             const MarginRankingLossOptions& options = {});

/// Options of multi_margin_loss().
struct MultiMarginLossOptions {
  int p = 1;  ///< 1 or 2
  double margin = 1;
  Tensor weight{};  ///< [C], of each label's class; undefined: all 1
  Reduction reduction = Reduction::mean;
};
/// weight[label]/C · Σ max(0, margin - x[label] + x[c])^p over the other classes c; x [N,C], labels int64
/// [N], or of one example [C] and []. Throws ValueError for another p, and for a label outside 0..C-1.
Variable multi_margin_loss(const Operand& x, const Tensor& labels,
                           const MultiMarginLossOptions& options = {});

/// Options of cosine_similarity().
struct CosineSimilarityOptions {
  std::int64_t dim = 1;
  double eps = 1e-8;
};
/// x1·x2/(max(|x1|, eps)·max(|x2|, eps)) along `dim`, which goes; the shapes broadcast.
Variable cosine_similarity(const Operand& x1, const Variable& x2,
                           const CosineSimilarityOptions& options = {});

/// Options of cosine_embedding_loss().
struct CosineEmbeddingLossOptions {
  double margin = 0;
  Reduction reduction = Reduction::mean;
};
/// 1 - cos(x1, x2) where the target is 1, max(0, cos(x1, x2) - margin) where it is -1. x1 and x2 [N,D] and
/// target [N], or [D] and [].
Variable cosine_embedding_loss(const Operand& x1, const Variable& x2, const Tensor& target,
                               const CosineEmbeddingLossOptions& options = {});

/// Options of pairwise_distance().
struct PairwiseDistanceOptions {
  double p = 2;       ///< at least 1; infinity: the greatest
  double eps = 1e-6;  ///< added to each difference
  bool keepdim = false;
};
/// (Σ |x1 - x2 + eps|^p)^(1/p) over the last dimension; the shapes broadcast. Where the distance is 0 its
/// gradient is.
Variable pairwise_distance(const Operand& x1, const Variable& x2,
                           const PairwiseDistanceOptions& options = {});

/// Options of triplet_margin_loss().
struct TripletMarginLossOptions {
  double margin = 1;
  double p = 2;
  double eps = 1e-6;
  bool swap = false;  ///< take the distance from positive to negative where that is the less
  Reduction reduction = Reduction::mean;
};
/// max(0, margin + |anchor - positive| - |anchor - negative|), by pairwise_distance; [N,D] or [D] all three.
Variable triplet_margin_loss(const Operand& anchor, const Variable& positive,
                             const Variable& negative,
                             const TripletMarginLossOptions& options = {});

}  // namespace gradus
