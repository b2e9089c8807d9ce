// What goes along one dimension, each element after the one before it: cumulative sums, recurrences,
// and sorting.
#include <gradus/core/detail/map.h>
#include <gradus/core/math.h>
#include <gradus/core/parallel.h>

#include <algorithm>
#include <numeric>

namespace gradus::core {
namespace {

/// The lines of a row-major tensor along one dimension: element k of a line lies k·step behind its
/// first. A scalar is a line of one.
struct Lines {
  std::int64_t count = 1, length = 1, step = 1;

  Lines(std::string_view op, std::int64_t dim, const Shape& shape) {
    const int d = normalize_dim_of_line(op, dim, shape.rank());
    for (int k = 0; k < shape.rank(); ++k) {
      if (k == d) {
        length = shape[k];
      } else {
        count *= shape[k];
        if (k > d) step *= shape[k];
      }
    }
  }

  /// Calls visit(position of the first element) for each line, on several threads.
  template <class Visit> void for_each(const Visit& visit) const {
    const std::int64_t grain = std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(length, 1));
    parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) visit(i / step * length * step + i % step);
    });
  }
};

/// What sums of T are added up in: float32 in double, integers unsigned, so that they wrap around.
template <class T>
using SumOf = std::conditional_t<std::is_floating_point_v<T>, double, std::uint64_t>;

/// A NaN counts as the greatest, as in PyTorch.
constexpr auto comes_first = []<class T>(T a, T b) { return a < b || (b != b && a == a); };

}  // namespace

Tensor cumsum(const Tensor& tensor, std::int64_t dim) {
  check_defined("cumsum", tensor);
  const Lines lines("cumsum", dim, tensor.shape());
  const Tensor x = tensor.contiguous();
  return dispatch(x.dtype(), [&]<class T>() {
    using Out = std::conditional_t<std::is_floating_point_v<T>, T, std::int64_t>;
    const Tensor y = Tensor::empty(x.shape(), dtype_of<Out>());
    const T* in = x.data<T>();
    Out* out = y.data<Out>();
    lines.for_each([&](std::int64_t first) {
      SumOf<T> total = 0;
      for (std::int64_t k = 0; k < lines.length; ++k) {
        total += static_cast<SumOf<T>>(in[first + k * lines.step]);
        out[first + k * lines.step] = static_cast<Out>(total);
      }
    });
    return y;
  });
}

Tensor linear_recurrence(const Tensor& a, const Tensor& b, std::int64_t dim) {
  check_same_dtype("linear_recurrence", a, b);
  if (a.shape() != b.shape())
    fail<ShapeError>("linear_recurrence: a is ", a.shape(), ", b is ", b.shape());
  const Lines lines("linear_recurrence", dim, a.shape());
  const Tensor factors = a.contiguous();
  const Tensor terms = b.contiguous();
  const Tensor y = Tensor::empty(a.shape(), a.dtype());
  dispatch_number("linear_recurrence", a.dtype(), [&]<class T>() {
    const T* factor = factors.data<T>();
    const T* term = terms.data<T>();
    T* out = y.data<T>();
    lines.for_each([&](std::int64_t first) {
      SumOf<T> value = 0;
      for (std::int64_t k = 0; k < lines.length; ++k) {
        const std::int64_t i = first + k * lines.step;
        const auto grown = k == 0 ? SumOf<T>{0} : static_cast<SumOf<T>>(factor[i]) * value;
        value = grown + static_cast<SumOf<T>>(term[i]);
        out[i] = static_cast<T>(value);
      }
    });
  });
  return y;
}

Tensor argsort(const Tensor& tensor, std::int64_t dim, bool descending) {
  check_defined("argsort", tensor);
  const Lines lines("argsort", dim, tensor.shape());
  const Tensor x = tensor.contiguous();
  const Tensor order = Tensor::empty(x.shape(), int64);
  std::int64_t* out = order.data<std::int64_t>();
  dispatch(x.dtype(), [&]<class T>() {
    const T* in = x.data<T>();
    lines.for_each([&](std::int64_t first) {
      std::vector<std::int64_t> places(static_cast<std::size_t>(lines.length));
      std::iota(places.begin(), places.end(), std::int64_t{0});
      const auto at = [&](std::int64_t place) { return in[first + place * lines.step]; };
      std::stable_sort(places.begin(), places.end(), [&](std::int64_t i, std::int64_t j) {
        return descending ? comes_first(at(j), at(i)) : comes_first(at(i), at(j));
      });
      for (std::int64_t k = 0; k < lines.length; ++k)
        out[first + k * lines.step] = places[static_cast<std::size_t>(k)];
    });
  });
  return order;
}

}  // namespace gradus::core
