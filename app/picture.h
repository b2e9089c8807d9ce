// Images as they are looked at.
#pragma once

#include <gradus/core/tensor.h>

namespace gradus::app {

/// An image [C,H,W], uint8 or float32 of 0..1 (what is beyond is cut), as uint8 of 1 or 3 channels: RGB, or
/// the first.
Tensor as_picture(const Tensor& image);

}  // namespace gradus::app
