// How a matrix product or a convolution is finished on the way out, so that its result is written
// once: y = activation(product + bias).
#pragma once

#include <cstdint>

namespace gradus::kernels {

template <class T> struct Epilogue {
  const T* bias = nullptr;  ///< one for each output channel, or none
  bool relu = false;        ///< then max(y, 0); a NaN stays

  /// That of the output channels from `first` on.
  Epilogue from(std::int64_t first) const {
    return {bias == nullptr ? nullptr : bias + first, relu};
  }
};

}  // namespace gradus::kernels
