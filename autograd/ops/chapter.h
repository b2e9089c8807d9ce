// What every chapter of ops needs: the ops' base, the functions gradients are made of, and
// inputs for samples.
#pragma once

#include <gradus/autograd/functions.h>
#include <gradus/autograd/ops/list.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>

#include <concepts>
#include <utility>

namespace gradus::ops {

/// What float32 may be off by is a part of an op. A composed function need not say it; it is made of
/// those.
template <class T>
concept StatesRounding = requires(const T& op) {
  op.rounding();
};

template <class T> OpInfo op_info() {
  static_assert(StatesRounding<T> || !std::derived_from<T, Op>,
                "an op states its rounding: Rounding rounding() const");
  return {T::name, &T::samples, &T::training_samples};
}

/// For backward(): dy where y > 0 (or NaN), else 0, y being the output of a relu. Written over dy
/// where nobody else can see that.
Variable relu_grad(const Variable& dy, const Tensor& y);

/// The activation inside an op: forward() keeps the output where backward() will ask for it, and
/// backward() begins with the gradient of what stood before the activation.
struct Epilogue {
  Activation activation = Activation::none;
  Tensor y{};  // defined only with an activation

  Tensor kept(Tensor output) {
    if (activation != Activation::none) y = output;
    return output;
  }
  Variable backward(const Variable& dy) const { return y.defined() ? relu_grad(dy, y) : dy; }
  /// Which it was; from now on there is none.
  Activation take() { return std::exchange(activation, Activation::none); }
};

struct Range {
  double low = -2;
  double high = 2;
};

/// A float64 leaf whose elements, in random order, are evenly spread over `range`: no ties, none on
/// the middle, so that a sample stays away from kinks.
inline Variable spread(const Shape& shape, std::uint64_t seed, Range range = {}) {
  Generator generator(seed);
  const std::int64_t count = shape.numel();
  const Tensor order = randperm(count, generator).to(float64);
  const double step =
      (range.high - range.low) / static_cast<double>(std::max<std::int64_t>(count, 1));
  const Tensor values = core::add(core::mul(core::add(order, 0.37), step), range.low);
  return Variable(values.reshape(shape), true);
}

/// For logarithms, roots and divisors.
inline constexpr Range above_zero{0.5, 2};
inline Variable positive(const Shape& shape, std::uint64_t seed) {
  return spread(shape, seed, above_zero);
}

/// The corners of an elementwise function of one input, and `more` of its own.
inline std::vector<Sample> unary_samples(const std::function<Variable(const Variables&)>& f,
                                         Range range = {}, const std::vector<Sample>& more = {}) {
  std::vector<Sample> all{{"all sizes different", {spread({3, 4, 5}, 1, range)}, f},
                          {"a square", {spread({4, 4}, 2, range)}, f},
                          {"a scalar", {spread({}, 3, range)}, f},
                          {"nothing", {spread({0, 3}, 4, range)}, f}};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

/// The samples of an op without and with an activation inside.
inline std::vector<Sample> activation_samples(
    const std::function<std::vector<Sample>(Activation)>& samples) {
  std::vector<Sample> all = samples(Activation::none);
  for (Sample& sample : samples(Activation::relu)) {
    sample.description += ", relu";
    all.push_back(std::move(sample));
  }
  return all;
}

/// Sizes around every remainder of a vector of 16.
inline constexpr std::int64_t remainders[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                                              12, 13, 14, 15, 16, 17, 31, 32, 33, 47};
/// More than one chunk of threads, and no multiple of a vector.
inline constexpr std::int64_t many_elements = 100'003;

/// "size 17"
inline std::string size_name(std::int64_t size) { return "size " + std::to_string(size); }

/// For the proof in float32, of an elementwise function of one input.
inline std::vector<Sample> unary_training_samples(
    const std::function<Variable(const Variables&)>& f, Range range = {}) {
  std::vector<Sample> all{{"many", {spread({many_elements}, 1, range)}, f},
                          {"images", {spread({4, 16, 33, 31}, 2, range)}, f}};
  for (const std::int64_t size : remainders)
    all.push_back({size_name(size), {spread({size}, 3, range)}, f});
  return all;
}

/// The same for two inputs that broadcast.
inline std::vector<Sample> binary_training_samples(
    const std::function<Variable(const Variables&)>& f, Range a = {}, Range b = {}) {
  std::vector<Sample> all{
      {"many", {spread({many_elements}, 1, a), spread({many_elements}, 2, b)}, f},
      {"a number for each channel", {spread({4, 16, 33, 31}, 3, a), spread({16, 1, 1}, 4, b)}, f},
      {"a row", {spread({257, 47}, 5, a), spread({47}, 6, b)}, f},
      {"a column", {spread({257, 1}, 7, a), spread({257, 33}, 8, b)}, f}};
  for (const std::int64_t size : remainders)
    all.push_back({size_name(size), {spread({size}, 9, a), spread({size}, 10, b)}, f});
  return all;
}

}  // namespace gradus::ops
