// Constants, ranges and random numbers. Random tensors draw element by element in row-major order,
// on one thread, so a seed means the same numbers everywhere.
#include <gradus/core/create.h>
#include <gradus/core/detail/map.h>

#include <cmath>
#include <limits>

namespace gradus {
namespace {

/// A new tensor whose element i (row-major) is f(i), as a double.
template <class F> Tensor generate(std::string_view op, const Shape& shape, DType dtype, F&& f) {
  const Tensor result = Tensor::empty(shape, dtype);
  dispatch(op, dtype, [&]<class T>() {
    T* out = result.data<T>();
    for (std::int64_t i = 0, n = result.numel(); i < n; ++i) {
      if constexpr (std::is_same_v<decltype(f(i)), double>) {
        out[i] = number_as<T>(op, f(i));
      } else {
        out[i] = static_cast<T>(f(i));
      }
    }
  });
  return result;
}

void require_floating(std::string_view op, DType dtype) {
  dispatch_floating(op, dtype, []<class T>() {});
}

}  // namespace

Tensor full(const Shape& shape, double value, DType dtype) {
  const Tensor result = Tensor::empty(shape, dtype);
  result.fill_(value);
  return result;
}

Tensor zeros(const Shape& shape, DType dtype) { return full(shape, 0, dtype); }
Tensor ones(const Shape& shape, DType dtype) { return full(shape, 1, dtype); }
Tensor zeros_like(const Tensor& like) {
  core::check_defined("zeros_like", like);
  return zeros(like.shape(), like.dtype());
}
Tensor ones_like(const Tensor& like) {
  core::check_defined("ones_like", like);
  return ones(like.shape(), like.dtype());
}
Tensor empty_like(const Tensor& like) {
  core::check_defined("empty_like", like);
  return Tensor::empty(like.shape(), like.dtype());
}

Tensor arange(double start, double stop, double step, DType dtype) {
  const double count = std::ceil((stop - start) / step);
  if (!(step != 0 && count >= 0 && count < 0x1p60)) {
    fail<ValueError>("arange: no way from ", start, " to ", stop, " in steps of ", step);
  }
  return generate("arange", {static_cast<std::int64_t>(count)}, dtype,
                  [&](std::int64_t i) { return start + static_cast<double>(i) * step; });
}

Tensor arange(std::int64_t stop) {
  if (stop < 0) fail<ValueError>("arange: stop must not be negative, got ", stop);
  return generate("arange", {stop}, int64, [](std::int64_t i) { return i; });
}

Tensor linspace(double start, double stop, std::int64_t count, DType dtype) {
  if (count < 0) fail<ValueError>("linspace: count must not be negative, got ", count);
  const bool whole = !is_floating(dtype);  // there fractions are cut off
  return generate("linspace", {count}, dtype, [&](std::int64_t i) {
    const double share = count > 1 ? static_cast<double>(i) / static_cast<double>(count - 1) : 0;
    const double number = start * (1 - share) + stop * share;  // exact at both ends
    return whole ? std::trunc(number) : number;
  });
}

Tensor eye(std::int64_t n, DType dtype) { return eye(n, n, dtype); }
Tensor eye(std::int64_t n, std::int64_t m, DType dtype) {
  return generate("eye", {n, m}, dtype, [&](std::int64_t i) { return i / m == i % m ? 1 : 0; });
}

Tensor rand(const Shape& shape, Generator& generator, DType dtype) {
  require_floating("rand", dtype);
  // 24 bits for float32: rounding 53 bits to float could give 1.
  if (dtype == float64)
    return generate("rand", shape, dtype, [&](std::int64_t) { return generator.uniform(); });
  return generate("rand", shape, dtype, [&](std::int64_t) {
    return static_cast<double>(generator.next() >> 40) * 0x1p-24;
  });
}

namespace {

/// The integers that a dtype holds, all from the first to the second.
std::pair<std::int64_t, std::int64_t> integers_of(DType dtype) {
  std::pair<std::int64_t, std::int64_t> range;
  dispatch("randint", dtype, [&]<class T>() {
    using limits = std::numeric_limits<T>;
    if constexpr (std::is_integral_v<T>) {
      range = {static_cast<std::int64_t>(limits::min()), static_cast<std::int64_t>(limits::max())};
    } else {
      constexpr std::int64_t most = std::int64_t{1} << limits::digits;
      range = {-most, most};
    }
  });
  return range;
}

}  // namespace

Tensor randn(const Shape& shape, Generator& generator, DType dtype) {
  require_floating("randn", dtype);
  return generate("randn", shape, dtype, [&](std::int64_t) { return generator.normal(); });
}

Tensor randint(std::int64_t low, std::int64_t high, const Shape& shape, Generator& generator,
               DType dtype) {
  if (low >= high) fail<ValueError>("randint: low ", low, " must be below high ", high);
  if (low < 0 && high > std::numeric_limits<std::int64_t>::max() + low) {
    fail<ValueError>("randint: from ", low, " to ", high, " are more numbers than an int64 counts");
  }
  const auto [least, greatest] = integers_of(dtype);
  if (low < least || high - 1 > greatest) {
    fail<DTypeError>("randint: from ", low, " to ", high - 1, " are not all in a tensor of ", dtype,
                     ", which holds the integers from ", least, " to ", greatest);
  }
  return generate("randint", shape, dtype,
                  [&](std::int64_t) { return low + generator.below(high - low); });
}

Tensor randperm(std::int64_t n, Generator& generator) {
  const Tensor order = arange(n);
  std::int64_t* items = order.data<std::int64_t>();
  for (std::int64_t i = n - 1; i > 0; --i) std::swap(items[i], items[generator.below(i + 1)]);
  return order;
}

}  // namespace gradus
