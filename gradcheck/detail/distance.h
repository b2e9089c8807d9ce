// How far two gradients lie apart, and how large one is, where some of their numbers may be none.
#pragma once

#include <gradus/core/tensor.h>

namespace gradus {

/// The greatest |x| of those that are finite, 0 where none is.
double largest(const Tensor& x);

/// The greatest |a - scale·b|; no gradient stands for 0. Elements that are finite in neither are as
/// good as equal: which of them an infinite slope becomes depends on what it meets. One that is so in
/// one alone is infinitely far.
double distance(const Tensor& a, const Tensor& b, double scale = 1);

}  // namespace gradus
