// How a wrong tensor looks beside the right one, in words.
#pragma once

#include <gradus/core/tensor.h>

#include <string>

namespace gradus {

/// Are these the same numbers, but for the order in which float64 sums were added?
bool agree(const Tensor& got, const Tensor& right);

/// The first thing that is wrong: nothing returned, dtype, shape, or the element that is furthest off.
/// `what` names the tensor. Empty when they agree.
std::string first_difference(const std::string& what, const Tensor& got, const Tensor& right);

/// A pattern that explains all of the difference: a factor, exchanged axes, one slice. Empty when there
/// is none.
std::string look_of(const Tensor& got, const Tensor& right);

}  // namespace gradus
