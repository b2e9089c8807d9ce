// How far a convolution by Winograd's minimal filtering may be off: the bound that
// core/kernels/conv2d/winograd_transforms.h states, for each of the three passes, in float64.
#pragma once

#include <gradus/core/conv.h>

namespace gradus {

/// (terms + 32)·eps·|Aᵀ|[Σ (|G||w||Gᵀ|) ∘ (|Bᵀ||x||B|)]|A| and its adjoints, eps = 2⁻²³; terms are the
/// channels, the filters or the tiles that are summed over. The operands are (x, w) of the forward
/// pass, (dy, w) of the input's gradient and (dy, x) of the weight's; `result` is the shape of what
/// they give.
Tensor winograd_bound(Conv2dPass pass, const Tensor& first, const Tensor& second,
                      const Shape& result, const Conv2dOptions& options);

}  // namespace gradus
