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
#include <gradus/core/math.h>
#include <gradus/core/random.h>

#include <cstdint>
#include <optional>

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
/// x limited to low..high; the gradient passes where low <= x <= high.
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
inline Variable operator-(const Operand& a, double b) { return add(a, -b); }
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
/// The error function, 2/√π·∫₀ˣ e^(-t²) dt.
Variable erf(const Operand& x);
/// eˣ - 1, precise near 0.
Variable expm1(const Operand& x);
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

// ---- ops/reduce.cpp ---- empty `dims` means all
Variable sum(const Operand& x, const Dims& dims = {}, bool keepdim = false);
Variable mean(const Operand& x, const Dims& dims = {}, bool keepdim = false);
Variable var(const Operand& x, const Dims& dims = {}, bool keepdim = false,
             std::int64_t correction = 1);
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
Variable conv2d(const Operand& x, const Variable& weight, const Variable& bias = {},
                const Conv2dOptions& options = {});
/// dL/dx of conv2d, x of shape `input`: dy [N,O,OH,OW], weight [O,C/groups,kh,kw] -> [N,C,H,W]
Variable conv2d_input_grad(const Operand& dy, const Variable& weight, const Shape& input,
                           const Conv2dOptions& options = {});
/// dL/dweight of conv2d, of shape `weight`: dy [N,O,OH,OW], x [N,C,H,W] -> [O,C/groups,kh,kw]
Variable conv2d_weight_grad(const Operand& dy, const Variable& x, const Shape& weight,
                            const Conv2dOptions& options = {});

// ---- ops/pool.cpp ---- [N,C,H,W] -> [N,C,OH,OW]
Variable max_pool2d(const Operand& x, const Pool2dOptions& options);
Variable avg_pool2d(const Operand& x, const Pool2dOptions& options);
Variable adaptive_avg_pool2d(const Operand& x, Pair output_size);
Variable adaptive_max_pool2d(const Operand& x, Pair output_size);
/// The same of rows: [N,C,L] -> [N,C,OL]
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

// ---- ops/loss.cpp ----
enum class Reduction { none, sum, mean };
/// -log softmax(logits)[label]; logits [N,C], labels int64 [N]. Throws ValueError for a label
/// outside 0..C-1.
Variable cross_entropy(const Operand& logits, const Tensor& labels,
                       Reduction reduction = Reduction::mean);
/// -log_probabilities[label]; the same shapes.
Variable nll_loss(const Operand& log_probabilities, const Tensor& labels,
                  Reduction reduction = Reduction::mean);
/// (prediction - target)²; equal shapes.
Variable mse_loss(const Operand& prediction, const Variable& target,
                  Reduction reduction = Reduction::mean);

}  // namespace gradus
