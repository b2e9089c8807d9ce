// Matrix products: batches are broadcast here, each matrix is a GEMM.
#include <gradus/core/create.h>
#include <gradus/core/kernels/matmul/gemm.h>
#include <gradus/core/math.h>

#include <algorithm>
#include <string_view>

namespace gradus::core {
namespace {

/// A [rows, cols] matrix as BLAS takes it: row-major with a leading dimension, possibly transposed.
struct BlasMatrix {
  Tensor tensor;  // keeps a copy alive where one was needed
  kernels::Transpose transpose = kernels::Transpose::no;
  std::int64_t leading = 1;
};

/// Reads the last two dimensions as they lie where a transposition flag can say it, else copies.
BlasMatrix as_blas(const Tensor& x) {
  const std::int64_t rows = x.size(-2);
  const std::int64_t cols = x.size(-1);
  const std::int64_t row_step = x.strides()[x.rank() - 2];
  const std::int64_t col_step = x.strides()[x.rank() - 1];
  if ((col_step == 1 || cols == 1) && (row_step >= cols || rows == 1)) {
    return {x, kernels::Transpose::no, std::max<std::int64_t>({row_step, cols, 1})};
  }
  if ((row_step == 1 || rows == 1) && (col_step >= rows || cols == 1)) {
    return {x, kernels::Transpose::yes, std::max<std::int64_t>({col_step, rows, 1})};
  }
  return {x.clone(), kernels::Transpose::no, std::max<std::int64_t>(cols, 1)};
}

Shape batch_of(const Shape& shape) {
  return Shape(
      std::span<const std::int64_t>(shape.begin(), static_cast<std::size_t>(shape.rank() - 2)));
}

Shape with_matrix(Shape batch, std::int64_t rows, std::int64_t cols) {
  batch.push_back(rows);
  batch.push_back(cols);
  return batch;
}

/// [m,k]·[k,n] of integers, which BLAS has not. They wrap around, as sums of integers do.
Tensor multiply_integers(const Tensor& a, const Tensor& b) {
  const Tensor left = a.contiguous();
  const Tensor right = b.contiguous();
  const std::int64_t k = a.size(1);
  const std::int64_t n = b.size(1);
  const Tensor out = zeros({a.size(0), n}, int64);
  const auto* x = left.data<std::int64_t>();
  const auto* y = right.data<std::int64_t>();
  auto* z = out.data<std::int64_t>();
  for (std::int64_t i = 0; i < a.size(0); ++i) {
    for (std::int64_t p = 0; p < k; ++p) {
      const auto factor = static_cast<std::uint64_t>(x[i * k + p]);
      for (std::int64_t j = 0; j < n; ++j) {
        const auto sum = static_cast<std::uint64_t>(z[i * n + j]);
        z[i * n + j] =
            static_cast<std::int64_t>(sum + factor * static_cast<std::uint64_t>(y[p * n + j]));
      }
    }
  }
  return out;
}

/// [..,m,k]·[..,k,n] -> [..,m,n]
Tensor multiply(const Tensor& a, const Tensor& b) {
  const std::int64_t m = a.size(-2);
  const std::int64_t k = a.size(-1);
  const std::int64_t n = b.size(-1);
  const Shape batch = broadcast("matmul", batch_of(a.shape()), batch_of(b.shape()));
  if (a.dtype() == int64) {
    const Tensor lefts = a.expand(with_matrix(batch, m, k)).reshape({batch.numel(), m, k});
    const Tensor rights = b.expand(with_matrix(batch, k, n)).reshape({batch.numel(), k, n});
    const Tensor out = Tensor::empty({batch.numel(), m, n}, int64);
    for (std::int64_t i = 0; i < batch.numel(); ++i)
      out.select(0, i).copy_(multiply_integers(lefts.select(0, i), rights.select(0, i)));
    return out.reshape(with_matrix(batch, m, n));
  }
  const Tensor out = Tensor::empty(with_matrix(batch, m, n), a.dtype());
  const BlasMatrix left = as_blas(a);
  const BlasMatrix right = as_blas(b);
  const Tensor left_all = left.tensor.expand(with_matrix(batch, m, k));
  const Tensor right_all = right.tensor.expand(with_matrix(batch, k, n));
  dispatch_floating("matmul", a.dtype(), [&]<class T>() {
    const kernels::Gemm<T> first{.m = m,
                                 .n = n,
                                 .k = k,
                                 .a = left_all.data<T>(),
                                 .lda = left.leading,
                                 .b = right_all.data<T>(),
                                 .ldb = right.leading,
                                 .c = out.data<T>(),
                                 .ldc = n,
                                 .transpose_a = left.transpose,
                                 .transpose_b = right.transpose};
    if (batch.rank() == 0) return kernels::gemm(first);
    if (batch.rank() == 1) {
      return kernels::gemm_batched(batch[0], {left_all.strides()[0], right_all.strides()[0], m * n},
                                   first);
    }
    for (std::int64_t i = 0, count = batch.numel(); i < count; ++i) {
      std::int64_t rest = i;
      std::int64_t at_left = 0;
      std::int64_t at_right = 0;
      for (int d = batch.rank() - 1; d >= 0; --d) {
        at_left += rest % batch[d] * left_all.strides()[d];
        at_right += rest % batch[d] * right_all.strides()[d];
        rest /= batch[d];
      }
      kernels::Gemm<T> one = first;
      one.a += at_left;
      one.b += at_right;
      one.c += i * m * n;
      kernels::gemm(one);
    }
  });
  return out;
}

void check_linear(std::string_view op, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (!x.defined() || !weight.defined()) fail<ShapeError>(op, ": an operand is undefined");
  if (weight.rank() != 2 || x.rank() < 1) {
    fail<ShapeError>(op, ": expects input [..,in] and weight [out,in], got ", x.shape(), " and ",
                     weight.shape());
  }
  if (x.size(-1) != weight.size(1)) {
    fail<ShapeError>(op, ": input ", x.shape(), " has ", x.size(-1), " features, weight ",
                     weight.shape(), " expects ", weight.size(1));
  }
  if (weight.dtype() != x.dtype() || (bias.defined() && bias.dtype() != x.dtype())) {
    fail<DTypeError>(
        op, ": dtypes differ: input ", describe(x), ", weight ", describe(weight), ", bias ",
        bias.defined() ? describe(bias) : "none", "; ",
        cast_to_match(x.dtype(), weight.dtype() != x.dtype() ? weight.dtype() : bias.dtype()));
  }
  if (bias.defined() && bias.shape() != Shape{weight.size(0)}) {
    fail<ShapeError>(op, ": bias is ", bias.shape(), ", weight ", weight.shape(), " has ",
                     weight.size(0), " output features");
  }
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, Activation activation) {
  constexpr std::string_view op = "linear";
  check_linear(op, x, weight, bias);
  Shape shape = x.shape();
  shape[shape.rank() - 1] = weight.size(0);
  const Tensor y = Tensor::empty(shape, x.dtype());
  dispatch_floating(op, x.dtype(), [&]<class T>() {
    const std::int64_t in = weight.size(1);
    const std::int64_t out = weight.size(0);
    const Tensor rows = x.contiguous();
    const Tensor dense_weight = weight.contiguous();
    const Tensor dense_bias = bias.defined() ? bias.contiguous() : bias;
    kernels::gemm<T>({.m = out == 0 ? 0 : y.numel() / out,
                      .n = out,
                      .k = in,
                      .a = rows.data<T>(),
                      .lda = std::max<std::int64_t>(in, 1),
                      .b = dense_weight.data<T>(),
                      .ldb = std::max<std::int64_t>(in, 1),
                      .c = y.data<T>(),
                      .ldc = std::max<std::int64_t>(out, 1),
                      .transpose_b = kernels::Transpose::yes,
                      .epilogue = {.bias = bias.defined() ? dense_bias.data<T>() : nullptr,
                                   .relu = activation == Activation::relu},
                      .bias_of = kernels::BiasOf::columns});
  });
  return y;
}

Tensor matmul(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined()) fail<ShapeError>("matmul: an operand is undefined");
  if (a.dtype() != b.dtype()) {
    fail<DTypeError>("matmul: dtypes differ: ", describe(a), " and ", describe(b), "; ",
                     cast_to_match(a.dtype(), b.dtype()));
  }
  if (!is_floating(a.dtype()) && a.dtype() != int64) {
    const bool whole = a.dtype() == uint8 || a.dtype() == boolean;
    fail<DTypeError>("matmul: expects float32, float64 or int64, got ", a.dtype(),
                     "; cast with .to(", whole ? int64 : float32, ")");
  }
  if (a.rank() == 0 || b.rank() == 0) {
    fail<ShapeError>("matmul: expects vectors or matrices, got ", a.shape(), " and ", b.shape());
  }
  const std::int64_t inner_left = a.size(-1);
  const std::int64_t inner_right = b.size(b.rank() == 1 ? 0 : -2);
  if (inner_left != inner_right) {
    fail<ShapeError>("matmul: inner sizes differ: ", inner_left, " and ", inner_right, " (",
                     a.shape(), " · ", b.shape(), ")");
  }
  const auto batch = [](const Tensor& x) {
    return batch_of(x.rank() > 2 ? x.shape() : Shape{1, 1});
  };
  if (!broadcasts(batch(a), batch(b))) {
    fail<ShapeError>("matmul: batches ", batch(a), " and ", batch(b), " do not broadcast (",
                     a.shape(), " · ", b.shape(), ")");
  }
  const Tensor product =
      multiply(a.rank() == 1 ? a.unsqueeze(0) : a, b.rank() == 1 ? b.unsqueeze(-1) : b);
  Tensor result = product;
  if (b.rank() == 1) result = result.squeeze(-1);
  if (a.rank() == 1) result = result.squeeze(b.rank() == 1 ? -1 : -2);
  return result;
}

bool blas_is_single_threaded() { return kernels::blas_is_single_threaded(); }
std::string blas_description() { return kernels::blas_description(); }

}  // namespace gradus::core
