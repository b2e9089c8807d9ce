// What every chapter of ops needs: the ops' base, the functions gradients are made of, and
// inputs for samples.
#pragma once

#include <gradus/autograd/functions.h>
#include <gradus/autograd/ops/list.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>

namespace gradus::ops {

template <class T> OpInfo op_info() { return {T::name, &T::samples}; }

/// A float64 leaf whose elements, in random order, are evenly spread over low..high: no ties, none
/// on the middle, so that a sample stays away from kinks.
inline Variable spread(const Shape& shape, std::uint64_t seed, double low = -2, double high = 2) {
  Generator generator(seed);
  const std::int64_t count = shape.numel();
  const Tensor order = randperm(count, generator).to(float64);
  const double step = (high - low) / static_cast<double>(std::max<std::int64_t>(count, 1));
  return Variable(core::add(core::mul(core::add(order, 0.37), step), low).reshape(shape), true);
}

/// The same over 0.5..2: for logarithms, roots and divisors.
inline Variable positive(const Shape& shape, std::uint64_t seed) {
  return spread(shape, seed, 0.5, 2);
}

}  // namespace gradus::ops
