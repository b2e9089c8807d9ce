// How straight_through() is checked. Differences of a quantiser know nothing of the slope that was
// declared for it; those of stand_in + (value - stand_in at the point) do, and at the point that is
// the same function. So the checker holds the offsets of one call of its function, and gives them to
// all others.
#pragma once

#include <gradus/core/tensor.h>

#include <cstddef>
#include <vector>

namespace gradus::detail {

class HeldOffsets {
 public:
  /// The function is called anew.
  void restart() { next_ = 0; }
  /// value - stand_in in the first call of the function that came to this place.
  Tensor next(const Tensor& value, const Tensor& stand_in);
  /// How many places there are.
  std::size_t size() const { return offsets_.size(); }

 private:
  std::vector<Tensor> offsets_;  // float64
  std::size_t next_ = 0;
};

/// Those of the check that runs on this thread, or null.
HeldOffsets*& held_offsets();

}  // namespace gradus::detail
