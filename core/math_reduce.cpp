// Reductions: one walk over memory for all of them, in two orders.
//
// A reduction is a fold. When the reduced dimensions are innermost, each result folds along memory
// (rows); when a kept dimension is innermost, a block of results folds side by side (columns). The
// order of folding depends on the shape alone, so the bits do not depend on the number of threads.
// Sums of float32 over long runs have kernels of their own.
#include <gradus/core/create.h>
#include <gradus/core/kernels/norm/batch_norm.h>
#include <gradus/core/kernels/workspace.h>
#include <gradus/core/math.h>
#include <gradus/core/parallel.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace gradus::core {
namespace {

/// A tensor's dimensions, sorted into those that stay and those that are summed away.
struct Split {
  Shape kept, kept_strides;
  Shape reduced, reduced_strides;
  Shape result;  // the shape of the output
};

Split split_dims(std::string_view op, const Tensor& x, const Dims& dims, bool keepdim) {
  if (!x.defined()) fail<ShapeError>(op, ": the operand is undefined");
  const Dims reduced = normalize_dims(op, dims, x.rank());
  Split split;
  for (int d = 0, r = 0; d < x.rank(); ++d) {
    const bool drop = r < reduced.rank() && reduced[r] == d;
    if (drop) ++r;
    Shape& sizes = drop ? split.reduced : split.kept;
    Shape& strides = drop ? split.reduced_strides : split.kept_strides;
    const int last = sizes.rank() - 1;
    if (x.shape()[d] != 1) {
      if (last >= 0 && strides[last] == x.strides()[d] * x.shape()[d]) {
        sizes[last] *= x.shape()[d];
        strides[last] = x.strides()[d];
      } else {
        sizes.push_back(x.shape()[d]);
        strides.push_back(x.strides()[d]);
      }
    }
    if (!drop) split.result.push_back(x.shape()[d]);
    if (drop && keepdim) split.result.push_back(1);
  }
  return split;
}

std::int64_t offset_at(const Shape& sizes, const Shape& strides, std::int64_t index) {
  std::int64_t offset = 0;
  for (int d = sizes.rank() - 1; d >= 0; --d) {
    offset += index % sizes[d] * strides[d];
    index /= sizes[d];
  }
  return offset;
}

/// Folds `count` numbers `step` apart into `total`, in eight interleaved chains: a pairwise-like
/// order that is also free of the one-addition-at-a-time latency.
template <class Acc, class T, class Fold>
Acc fold_row(Acc total, Acc identity, const T* x, std::int64_t count, std::int64_t step,
             const Fold& fold) {
  constexpr std::int64_t lanes = 8;
  std::array<Acc, lanes> partial;
  partial.fill(identity);
  std::int64_t i = 0;
  if (step == 1) {
    for (; i + lanes <= count; i += lanes) {
      for (std::size_t l = 0; l < lanes; ++l)
        partial[l] = fold(partial[l], static_cast<Acc>(x[i + static_cast<std::int64_t>(l)]));
    }
  }
  for (; i < count; ++i) {
    Acc& lane = partial[static_cast<std::size_t>(i % lanes)];
    lane = fold(lane, static_cast<Acc>(x[i * step]));
  }
  for (const Acc value : partial) total = fold(total, value);
  return total;
}

/// One result: all reduced elements below `x`.
template <class Acc, class T, class Fold>
Acc fold_all(const Split& split, Acc identity, const T* x, const Fold& fold) {
  const int inner = split.reduced.rank() - 1;
  if (inner < 0) return fold(identity, static_cast<Acc>(*x));
  Shape outer, outer_strides;
  for (int d = 0; d < inner; ++d) {
    outer.push_back(split.reduced[d]);
    outer_strides.push_back(split.reduced_strides[d]);
  }
  Acc total = identity;
  for (std::int64_t i = 0, n = outer.numel(); i < n; ++i) {
    total = fold_row(total, identity, x + offset_at(outer, outer_strides, i), split.reduced[inner],
                     split.reduced_strides[inner], fold);
  }
  return total;
}

/// A block of at most `columns` neighbouring results at once: memory is read along the
/// kept dimension.
constexpr std::int64_t columns = 256;

template <class Acc, class T, class Out, class Fold>
void fold_columns(const Split& split, Acc identity, const T* x, std::int64_t width, Out* out,
                  const Fold& fold) {
  std::array<Acc, columns> total;
  total.fill(identity);
  for (std::int64_t i = 0, n = split.reduced.numel(); i < n; ++i) {
    const T* row = x + offset_at(split.reduced, split.reduced_strides, i);
    for (std::int64_t c = 0; c < width; ++c) {
      Acc& cell = total[static_cast<std::size_t>(c)];
      cell = fold(cell, static_cast<Acc>(row[c]));
    }
  }
  for (std::int64_t c = 0; c < width; ++c)
    out[c] = static_cast<Out>(total[static_cast<std::size_t>(c)]);
}

/// Folds the elements of x (of type T) in type Acc and stores them as Out.
template <class Out, class Acc, class T, class Fold>
Tensor reduce(const Tensor& x, const Split& split, Acc identity, const Fold& fold) {
  const Tensor result = Tensor::empty(split.result, dtype_of<Out>());
  const T* in = x.data<T>();
  Out* out = result.data<Out>();
  const std::int64_t count = result.numel();
  const std::int64_t work = std::max<std::int64_t>(split.reduced.numel(), 1);
  const int inner = split.kept.rank() - 1;
  const bool by_columns = inner >= 0 && split.kept_strides[inner] == 1 && split.reduced.rank() > 0;
  if (!by_columns) {
    parallel_for(count, std::max<std::int64_t>(1, 16384 / work),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t i = begin; i < end; ++i) {
                     const T* from = in + offset_at(split.kept, split.kept_strides, i);
                     out[i] = static_cast<Out>(fold_all(split, identity, from, fold));
                   }
                 });
    return result;
  }
  const std::int64_t width = split.kept[inner];
  const std::int64_t blocks = (width + columns - 1) / columns;
  const std::int64_t rows = width == 0 ? 0 : count / width;
  parallel_for(rows * blocks, std::max<std::int64_t>(1, 16384 / (work * columns)),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) {
                   const std::int64_t first = i / blocks * width + i % blocks * columns;
                   const T* from = in + offset_at(split.kept, split.kept_strides, first);
                   fold_columns(split, identity, from,
                                std::min(columns, width - i % blocks * columns), out + first, fold);
                 }
               });
  return result;
}

/// x as [images, channels, plane] where the channels are what is kept; nullopt where it is not of
/// this form, or where planes are so short that folding is faster.
std::optional<kernels::ChannelPlanes> channel_planes(const Tensor& x, const Split& split) {
  constexpr std::int64_t shortest = 8;
  if (!x.is_contiguous() || split.kept.rank() > 1 || x.numel() == 0) return std::nullopt;
  const bool all = split.kept.rank() == 0;
  const std::int64_t channels = all ? 1 : split.kept[0];
  const std::int64_t plane = all ? x.numel() : split.kept_strides[0];
  if (plane < shortest) return std::nullopt;
  return kernels::ChannelPlanes{x.numel() / (channels * plane), channels, plane};
}

/// Σ x/divisor; float32 is summed in double.
template <class T> Tensor floating_sum(const Tensor& x, const Split& split, double divisor) {
  if constexpr (std::is_same_v<T, float>) {
    if (const auto planes = channel_planes(x, split)) {
      kernels::Workspace<double> sums(planes->channels);
      kernels::channel_sums(*planes, x.data<T>(), sums.data());
      const Tensor result = Tensor::empty(split.result, x.dtype());
      T* out = result.data<T>();
      for (std::int64_t c = 0; c < planes->channels; ++c)
        out[c] = static_cast<T>(sums.data()[c] / divisor);
      return result;
    }
  }
  const Tensor total =
      reduce<T, double, T>(x, split, 0.0, [](double a, double b) { return a + b; });
  return divisor == 1 ? total : div(total, divisor);
}

/// NaN wins, as in PyTorch.
constexpr auto keep_greater = []<class T>(T a, T b) { return a > b || a != a ? a : b; };
constexpr auto keep_less = []<class T>(T a, T b) { return a < b || a != a ? a : b; };

template <class Fold>
Tensor extreme(std::string_view op, const Tensor& x, const Dims& dims, bool keepdim, bool greatest,
               const Fold& fold) {
  const Split split = split_dims(op, x, dims, keepdim);
  if (split.reduced.numel() == 0)
    fail<ShapeError>(op, ": no elements to choose from in shape ", x.shape(), " over dims ", dims);
  return dispatch_number(op, x.dtype(), [&]<class T>() {
    using limits = std::numeric_limits<T>;
    const T least = limits::has_infinity ? static_cast<T>(-limits::infinity()) : limits::lowest();
    const T most = limits::has_infinity ? limits::infinity() : limits::max();
    return reduce<T, T, T>(x, split, greatest ? least : most, fold);
  });
}

/// The index of the first element no other one beats; a NaN beats all.
template <class T, class Beats>
std::int64_t first_best(const T* x, std::int64_t count, std::int64_t step, const Beats& beats) {
  std::int64_t best = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    if (x[i * step] != x[i * step]) return i;
    if (beats(x[i * step], x[best * step])) best = i;
  }
  return best;
}

template <class Beats>
Tensor arg_extreme(std::string_view op, const Tensor& tensor, std::optional<std::int64_t> dim,
                   bool keepdim, const Beats& beats) {
  if (!tensor.defined()) fail<ShapeError>(op, ": the operand is undefined");
  const Tensor x = dim ? tensor : tensor.reshape({tensor.numel()});
  const bool scalar = x.rank() == 0;
  const int d = dim && !scalar ? normalize_dim(op, *dim, x.rank()) : 0;
  if (!scalar && x.size(d) == 0)
    fail<ShapeError>(op, ": no elements to choose from in shape ", tensor.shape());
  if (scalar) {
    normalize_dim_of_line(op, *dim, 0);
    dispatch_number(op, x.dtype(), []<class T>() {});
    return Tensor::scalar(0, int64);
  }
  const Tensor kept = x.transpose(d, -1).select(-1, 0);  // one element per result, dim d moved away
  const Tensor indices = Tensor::empty(x.transpose(d, -1).slice(-1, 0, 1).shape(), int64);
  dispatch_number(op, x.dtype(), [&]<class T>() {
    const T* in = kept.data<T>();
    std::int64_t* out = indices.data<std::int64_t>();
    for (std::int64_t i = 0, n = indices.numel(); i < n; ++i) {
      out[i] = first_best(in + offset_at(kept.shape(), kept.strides(), i), x.size(d),
                          x.strides()[d], beats);
    }
  });
  const Tensor placed = indices.transpose(d, -1);
  if (!dim) return keepdim ? placed.reshape(Shape::filled(tensor.rank(), 1)) : placed.reshape({});
  return (keepdim ? placed : placed.squeeze(d)).contiguous();
}

}  // namespace

Tensor sum(const Tensor& x, const Dims& dims, bool keepdim) {
  const Split split = split_dims("sum", x, dims, keepdim);
  return dispatch("sum", x.dtype(), [&]<class T>() {
    if constexpr (std::is_floating_point_v<T>) {
      return floating_sum<T>(x, split, 1);
    } else {  // unsigned, so that a sum wraps around
      return reduce<std::int64_t, std::uint64_t, T>(
          x, split, std::uint64_t{0}, [](std::uint64_t a, std::uint64_t b) { return a + b; });
    }
  });
}

Tensor mean(const Tensor& x, const Dims& dims, bool keepdim) {
  if (x.defined()) dispatch_floating("mean", x.dtype(), []<class T>() {});
  const Split split = split_dims("mean", x, dims, keepdim);
  const auto count = static_cast<double>(split.reduced.numel());
  return dispatch_floating("mean", x.dtype(),
                           [&]<class T>() { return floating_sum<T>(x, split, count); });
}

Tensor var(const Tensor& x, const Dims& dims, bool keepdim, std::int64_t correction) {
  if (x.defined()) dispatch_floating("var", x.dtype(), []<class T>() {});
  const std::int64_t count = split_dims("var", x, dims, keepdim).reduced.numel();
  const Tensor near = sub(x, mean(x, dims, true));
  // The mean is rounded. Where numbers are large and close together that is as much as they differ by.
  const Tensor centred = sub(near, mean(near, dims, true));
  const Tensor squares = sum(mul(centred, centred), dims, keepdim);
  // In double, in which no correction overflows.
  return div(squares, std::max(static_cast<double>(count) - static_cast<double>(correction), 0.0));
}

Tensor max(const Tensor& x, const Dims& dims, bool keepdim) {
  return extreme("max", x, dims, keepdim, true, keep_greater);
}
Tensor min(const Tensor& x, const Dims& dims, bool keepdim) {
  return extreme("min", x, dims, keepdim, false, keep_less);
}

Tensor any(const Tensor& x, const Dims& dims, bool keepdim) {
  if (!x.defined()) fail<ShapeError>("any: the operand is undefined");
  normalize_dims("any", dims, x.rank());
  return gt(sum(ne(x, 0), dims, keepdim), 0);
}
Tensor all(const Tensor& x, const Dims& dims, bool keepdim) {
  if (!x.defined()) fail<ShapeError>("all: the operand is undefined");
  normalize_dims("all", dims, x.rank());
  return eq(sum(eq(x, 0), dims, keepdim), 0);
}

Tensor argmax(const Tensor& x, std::optional<std::int64_t> dim, bool keepdim) {
  return arg_extreme("argmax", x, dim, keepdim, [](auto a, auto b) { return a > b; });
}
Tensor argmin(const Tensor& x, std::optional<std::int64_t> dim, bool keepdim) {
  return arg_extreme("argmin", x, dim, keepdim, [](auto a, auto b) { return a < b; });
}

Tensor logsumexp(const Tensor& x, const Dims& dims, bool keepdim) {
  if (x.defined()) dispatch_floating("logsumexp", x.dtype(), []<class T>() {});
  if (split_dims("logsumexp", x, dims, keepdim).reduced.numel() == 0) {
    return log(sum(x, dims, keepdim));  // log of an empty sum: -inf
  }
  const Tensor peak = max(x, dims, true);
  // An infinite peak stays where it is: inf - inf would be NaN.
  const Tensor shift = where(isfinite(peak), peak, zeros_like(peak));
  const Tensor total = log(sum(exp(sub(x, shift)), dims, true));
  const Tensor result = add(total, shift);
  return keepdim ? result : result.reshape(split_dims("logsumexp", x, dims, false).result);
}

namespace {

/// x - max(x) along `dim`, checked in the name of `op`: the greatest becomes 0, so exp() of the
/// rest cannot overflow, and large numbers lose nothing, since only differences matter.
struct Shifted {
  Tensor x;
  Dims dims;  // where to sum; empty for a scalar
};

Shifted shift_to_peak(std::string_view op, const Tensor& x, std::int64_t dim) {
  if (!x.defined()) fail<ShapeError>(op, ": the operand is undefined");
  dispatch_floating(op, x.dtype(), []<class T>() {});
  const int d = normalize_dim_of_line(op, dim, x.rank());
  const Dims dims = x.rank() == 0 ? Dims{} : Dims{d};
  if (x.numel() == 0) return {x, dims};
  return {sub(x, max(x, dims, true)), dims};
}

}  // namespace

Tensor softmax(const Tensor& x, std::int64_t dim) {
  const Shifted shifted = shift_to_peak("softmax", x, dim);
  const Tensor e = exp(shifted.x);
  return div(e, sum(e, shifted.dims, true));
}

Tensor log_softmax(const Tensor& x, std::int64_t dim) {
  const Shifted shifted = shift_to_peak("log_softmax", x, dim);
  return sub(shifted.x, log(sum(exp(shifted.x), shifted.dims, true)));
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  if (broadcast("sum_to", x.shape(), shape) != x.shape()) {
    fail<ShapeError>("sum_to: ", shape, " does not broadcast to ", x.shape());
  }
  const int lead = x.rank() - shape.rank();
  Dims repeated;
  for (int d = 0; d < x.rank(); ++d) {
    if (d < lead || (shape[d - lead] == 1 && x.shape()[d] != 1)) repeated.push_back(d);
  }
  return (repeated.empty() ? x : sum(x, repeated, true).to(x.dtype())).reshape(shape);
}

bool equal(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  if (is_storage_only(a.dtype()))
    return equal(a.to(float32), b.to(float32));  // which holds them all
  const Tensor same = logical_or(eq(a, b), logical_and(isnan(a), isnan(b)));
  return sum(same).item() == static_cast<double>(a.numel());
}

bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol) {
  if (a.shape() != b.shape())
    fail<ShapeError>("allclose: shapes differ: ", a.shape(), " and ", b.shape());
  if (a.dtype() != b.dtype())
    fail<DTypeError>("allclose: dtypes differ: ", a.dtype(), " and ", b.dtype());
  const auto all_close = [&]<class T>() {  // T holds every element
    const Tensor left = a.to(dtype_of<T>()).contiguous();
    const Tensor right = b.to(dtype_of<T>()).contiguous();
    const auto close = [&](T x, T y) {
      if (x == y || (x != x && y != y)) return true;
      const auto wide_x = static_cast<double>(x);
      const auto wide_y = static_cast<double>(y);
      // Two integers that one double stands for are at least 1 apart.
      const double apart = wide_x == wide_y ? 1 : std::fabs(wide_x - wide_y);
      return std::isfinite(wide_y) && apart <= atol + rtol * std::fabs(wide_y);
    };
    const T* x = left.data<T>();
    return std::equal(x, x + a.numel(), right.data<T>(), close);
  };
  return a.dtype() == int64 ? all_close.template operator()<std::int64_t>()
                            : all_close.template operator()<double>();
}

}  // namespace gradus::core
