// Units of a layer: the channels of [N,C,H,W], the features of [N,F].
#pragma once

#include <gradus/core/tensor.h>

#include <vector>

namespace gradus::detail {

/// Of each unit: is it positive anywhere, for any image? A unit that never is, behind a relu, is dead.
std::vector<bool> lively_units(const Tensor& y);

}  // namespace gradus::detail
