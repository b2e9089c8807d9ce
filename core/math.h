// The functions on Tensors: shapes are checked here, once, and memory is allocated here;
// kernels do the rest.
//
// Binary functions broadcast (NumPy's rule) and want equal dtypes: mixing throws DTypeError. A
// number takes the tensor's dtype (in a quotient only if that can hold it: see div). NaN and infinities pass through as in
// PyTorch. Results are contiguous. Defined in math_*.cpp, by topic.
#pragma once

#include <gradus/core/activation.h>
#include <gradus/core/tensor.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gradus::core {

// ---- elementwise (math_elementwise.cpp) ----
// Arithmetic takes every dtype but bool; div, and the functions from exp to logsigmoid,
// float32 and float64.
Tensor add(const Tensor& a, const Tensor& b, Activation activation = Activation::none);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);
Tensor pow(const Tensor& a, const Tensor& b);
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, const Tensor& b);
Tensor add(const Tensor& a, double b);
Tensor sub(const Tensor& a, double b);
Tensor sub(double a, const Tensor& b);
Tensor mul(const Tensor& a, double b);
/// A division, not a product with 1/b. A float32 tensor is divided in float64 by a number that
/// float32 cannot hold: 1e-10 / 1e-40 = 1e30.
Tensor div(const Tensor& a, double b);
Tensor div(double a, const Tensor& b);
Tensor pow(const Tensor& a, double exponent);
Tensor neg(const Tensor& x);
Tensor abs(const Tensor& x);
/// -1, 0 or 1; NaN stays NaN.
Tensor sign(const Tensor& x);
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor tanh(const Tensor& x);
/// log(1/(1+exp(-x))), precise and without overflow.
Tensor logsigmoid(const Tensor& x);
/// 1/(1+exp(-x)), without overflow.
Tensor sigmoid(const Tensor& x);
/// max(x, 0); NaN stays NaN.
Tensor relu(const Tensor& x);
/// dy where y > 0 (or NaN), else 0: the gradient of relu.
Tensor relu_grad(const Tensor& dy, const Tensor& y);
/// The same, written over dy.
void relu_grad_(const Tensor& dy, const Tensor& y);
Tensor clamp(const Tensor& x, std::optional<double> low, std::optional<double> high);

// Comparisons give bool; every dtype.
Tensor eq(const Tensor& a, const Tensor& b);
Tensor ne(const Tensor& a, const Tensor& b);
Tensor lt(const Tensor& a, const Tensor& b);
Tensor le(const Tensor& a, const Tensor& b);
Tensor gt(const Tensor& a, const Tensor& b);
Tensor ge(const Tensor& a, const Tensor& b);
Tensor eq(const Tensor& a, double b);
Tensor ne(const Tensor& a, double b);
Tensor lt(const Tensor& a, double b);
Tensor le(const Tensor& a, double b);
Tensor gt(const Tensor& a, double b);
Tensor ge(const Tensor& a, double b);
Tensor logical_and(const Tensor& a, const Tensor& b);
Tensor logical_or(const Tensor& a, const Tensor& b);
Tensor logical_not(const Tensor& x);
Tensor isnan(const Tensor& x);
Tensor isfinite(const Tensor& x);
/// a where condition (bool) holds, b elsewhere; all three broadcast.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

/// target += scale * source, in place; source broadcasts.
void add_(const Tensor& target, const Tensor& source, double scale = 1);
/// target *= factor, in place.
void mul_(const Tensor& target, double factor);

// ---- functions of one number (math_functions.cpp) ----
// From sin to log10 they take float32 and float64.
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
Tensor tan(const Tensor& x);
Tensor asin(const Tensor& x);
Tensor acos(const Tensor& x);
Tensor atan(const Tensor& x);
Tensor sinh(const Tensor& x);
Tensor cosh(const Tensor& x);
/// 2/√π ∫₀ˣ exp(-t²) dt
Tensor erf(const Tensor& x);
/// exp(x) - 1, right to the last digit where x is small.
Tensor expm1(const Tensor& x);
/// log(1 + x), likewise.
Tensor log1p(const Tensor& x);
Tensor log2(const Tensor& x);
Tensor log10(const Tensor& x);
/// Every dtype but bool; integers stay as they are.
Tensor floor(const Tensor& x);
Tensor ceil(const Tensor& x);
/// To the nearest whole number; from the middle to the even one: 0.5 -> 0, 1.5 -> 2.
Tensor round(const Tensor& x);
/// Towards 0.
Tensor trunc(const Tensor& x);
/// These give bool, of every dtype.
Tensor isinf(const Tensor& x);
Tensor isposinf(const Tensor& x);
Tensor isneginf(const Tensor& x);
/// f(x) for each element, float32 or float64; f is called on several threads at once. Throws
/// ValueError for an empty f.
Tensor map(const Tensor& x, const std::function<double(double)>& f);

// ---- reductions (math_reduce.cpp) ----
// Empty `dims` means all. With keepdim a reduced dimension stays with size 1.
/// Sums of float32 are accumulated in double. Integers and bool give int64.
Tensor sum(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
Tensor mean(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// Σ(x - mean)² / (n - correction), in two passes.
Tensor var(const Tensor& x, const Dims& dims = {}, bool keepdim = false,
           std::int64_t correction = 1);
/// Greatest and least; a NaN wins. Throws ShapeError over zero elements.
Tensor max(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
Tensor min(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// int64 index of the first greatest (least) along `dim`; without `dim`, into the flattened tensor.
Tensor argmax(const Tensor& x, std::optional<std::int64_t> dim = std::nullopt,
              bool keepdim = false);
Tensor argmin(const Tensor& x, std::optional<std::int64_t> dim = std::nullopt,
              bool keepdim = false);
/// Is one of them (are all of them) not 0? bool, of every dtype; a NaN is not 0.
Tensor any(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
Tensor all(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// log Σ exp(x), shifted by the maximum so that nothing overflows.
Tensor logsumexp(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// exp(x) / Σ exp(x) along `dim`.
Tensor softmax(const Tensor& x, std::int64_t dim);
/// x - logsumexp(x) along `dim`.
Tensor log_softmax(const Tensor& x, std::int64_t dim);
/// Sums what broadcasting repeated: back to `shape`. The adjoint of expand.
Tensor sum_to(const Tensor& x, const Shape& shape);
/// True when both have the same shape, dtype and elements, NaN equal to NaN.
bool equal(const Tensor& a, const Tensor& b);
/// |a - b| <= atol + rtol·|b| everywhere, NaN equal to NaN. Same shape and dtype, or
/// ShapeError/DTypeError.
bool allclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8);

// ---- along one dimension (math_scan.cpp) ---- a scalar counts as [1]
/// y_k = x_0 + ... + x_k; sums of float32 are accumulated in double, integers and bool give int64.
Tensor cumsum(const Tensor& x, std::int64_t dim);
/// y_0 = b_0, y_k = a_k·y_(k-1) + b_k, in double where a and b are float32. Equal shapes; a_0 has no
/// part in it. Every dtype but bool.
Tensor linear_recurrence(const Tensor& a, const Tensor& b, std::int64_t dim);
/// The int64 order in which the elements are sorted; equal ones stay in theirs (it is stable). A NaN
/// counts as the greatest. Every dtype.
Tensor argsort(const Tensor& x, std::int64_t dim = -1, bool descending = false);

// ---- matrices (math_linalg.cpp) ----
/// [k]·[k] -> [], [m,k]·[k] -> [m], [k]·[k,n] -> [n], [..,m,k]·[..,k,n] -> [..,m,n]
/// Batches broadcast. float32 and float64, by OpenBLAS or, where that is faster, our own loop; transposed
/// views are read as they lie; int64 by plain loops.
Tensor matmul(const Tensor& a, const Tensor& b);
/// x·weightᵀ + bias, then the activation, in one pass. float32 and float64.
/// [..,in], [out,in], [out] or undefined -> [..,out]
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              Activation activation = Activation::none);
/// Whether BLAS was pinned to one thread and reports that it took. An OpenMP build may ignore the pin:
/// then results may depend on the number of threads, and a program should say so.
bool blas_is_single_threaded();
/// One line for a log: BLAS's own description, and whether it is pinned.
std::string blas_description();

// ---- the loss of classification (math_loss.cpp) ----
/// Throws, naming `op`, unless scores are [N,C,...], float32 or float64,
/// and labels int64 [N,...] in 0..C-1, or `ignored`.
void check_labels(std::string_view op, const Tensor& scores, const Tensor& labels,
                  std::optional<std::int64_t> ignored = std::nullopt);
/// What cross_entropy() on Tensors gives.
struct CrossEntropyResult {
  Tensor losses;   ///< -log softmax(logits)[label], [N,...]
  Tensor softmax;  ///< of the logits along C, where asked for
};
CrossEntropyResult cross_entropy(const Tensor& logits, const Tensor& labels, bool with_softmax);
/// (softmax - onehot(labels))·dy·scale: the gradient of the losses, or for a 0-d dy of their sum.
Tensor cross_entropy_grad(const Tensor& dy, const Tensor& softmax, const Tensor& labels,
                          double scale);

// ---- moving elements (math_index.cpp) ----
Tensor cat(const std::vector<Tensor>& parts, std::int64_t dim);
Tensor stack(const std::vector<Tensor>& parts, std::int64_t dim);
/// Rows `index` (int64, 1-d) of dimension `dim`.
Tensor index_select(const Tensor& x, std::int64_t dim, const Tensor& index);
/// The adjoint of index_select: zeros of `shape`, plus source's rows added at `index`.
Tensor index_add(const Shape& shape, std::int64_t dim, const Tensor& index, const Tensor& source);
/// out[i][j][k] = x[i][index[i][j][k]][k] for dim 1; index has x's rank.
Tensor gather(const Tensor& x, std::int64_t dim, const Tensor& index);
/// The adjoint of gather: zeros of `shape`, plus source added at `index`.
Tensor scatter_add(const Shape& shape, std::int64_t dim, const Tensor& index, const Tensor& source);
/// The adjoint of slice: zeros of `shape` with `source` at the slice.
Tensor slice_scatter(const Shape& shape, const Tensor& source, std::int64_t dim, std::int64_t start,
                     std::int64_t step);
/// The order of elements reversed along each of `dims`; without dims, a copy.
Tensor flip(const Tensor& x, const Dims& dims);
/// Where x is not 0: int64 [count, rank], an index in each row, in row-major order. Every dtype.
Tensor nonzero(const Tensor& x);
/// How often each of 0, 1, 2, ... stands in `labels` (int64, 1-d): int64 [max + 1], or [minlength] where
/// that is more. With `weights`, of the shape of labels, the sum of those instead, in their dtype.
/// Throws ValueError for a negative label.
Tensor bincount(const Tensor& labels, const Tensor& weights = {}, std::int64_t minlength = 0);
/// int64 [..] -> [.., classes]; -1 stands for the greatest label + 1. Throws ValueError for a label
/// outside 0 .. classes-1.
Tensor one_hot(const Tensor& labels, std::int64_t classes = -1, DType dtype = int64);

}  // namespace gradus::core

namespace gradus {

// What the functions say, in the signs of arithmetic; a comparison gives a tensor of bool.
inline Tensor operator+(const Tensor& a, const Tensor& b) { return core::add(a, b); }
inline Tensor operator+(const Tensor& a, double b) { return core::add(a, b); }
inline Tensor operator+(double a, const Tensor& b) { return core::add(b, a); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return core::sub(a, b); }
inline Tensor operator-(const Tensor& a, double b) { return core::sub(a, b); }
inline Tensor operator-(double a, const Tensor& b) { return core::sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return core::mul(a, b); }
inline Tensor operator*(const Tensor& a, double b) { return core::mul(a, b); }
inline Tensor operator*(double a, const Tensor& b) { return core::mul(b, a); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return core::div(a, b); }
inline Tensor operator/(const Tensor& a, double b) { return core::div(a, b); }
inline Tensor operator/(double a, const Tensor& b) { return core::div(a, b); }
inline Tensor operator-(const Tensor& x) { return core::neg(x); }
inline Tensor operator==(const Tensor& a, const Tensor& b) { return core::eq(a, b); }
inline Tensor operator==(const Tensor& a, double b) { return core::eq(a, b); }
inline Tensor operator!=(const Tensor& a, const Tensor& b) { return core::ne(a, b); }
inline Tensor operator!=(const Tensor& a, double b) { return core::ne(a, b); }
inline Tensor operator<(const Tensor& a, const Tensor& b) { return core::lt(a, b); }
inline Tensor operator<(const Tensor& a, double b) { return core::lt(a, b); }
inline Tensor operator<=(const Tensor& a, const Tensor& b) { return core::le(a, b); }
inline Tensor operator<=(const Tensor& a, double b) { return core::le(a, b); }
inline Tensor operator>(const Tensor& a, const Tensor& b) { return core::gt(a, b); }
inline Tensor operator>(const Tensor& a, double b) { return core::gt(a, b); }
inline Tensor operator>=(const Tensor& a, const Tensor& b) { return core::ge(a, b); }
inline Tensor operator>=(const Tensor& a, double b) { return core::ge(a, b); }

}  // namespace gradus
