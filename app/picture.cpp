// Other numbers of channels than 3 have no colours of their own.
#include "picture.h"

#include <gradus/core/math.h>

namespace gradus::app {

Tensor as_picture(const Tensor& image) {
  const Tensor shown = (image.size(0) == 3 ? image : image.narrow(0, 0, 1)).contiguous();
  if (shown.dtype() == uint8) return shown;
  return core::round(core::clamp(core::mul(shown, 255.0), 0.0, 255.0)).to(uint8);
}

}  // namespace gradus::app
