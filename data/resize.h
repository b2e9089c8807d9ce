// Images in other sizes: resized without aliasing, cropped, or both.
//
// The rule is PIL's BILINEAR, which is torchvision's Resize with antialias: a pixel of the result
// is the mean of the pixels of the image around it, weighted by a triangle that is 2 pixels wide,
// of the result's pixels where the image shrinks and of the image's where it grows. Pixel i covers
// i to i + 1; at the edge the triangle is cut off. Sums are of float32 and rounded once, to the
// nearest.
#pragma once

#include <gradus/core/tensor.h>

#include <cstdint>

namespace gradus {

/// uint8 [C,H,W] -> uint8 [C,height,width]. All functions here throw ShapeError or DTypeError for
/// another tensor or one without pixels, and ValueError for a size outside 1..largest_image_side
/// (image.h), also where it follows from the others.
Tensor resize(const Tensor& image, std::int64_t height, std::int64_t width);

/// The shorter side becomes `side`, the longer one follows, rounded down: torchvision's
/// Resize(side).
Tensor resize_shorter_side(const Tensor& image, std::int64_t side);

/// [C,H,W] -> [C,height,width] around the centre; black where the image is smaller. A row or column
/// too many falls as in torchvision's CenterCrop. A copy.
Tensor center_crop(const Tensor& image, std::int64_t height, std::int64_t width);

/// Resized until both sides reach the size asked for, one of them exactly, then cropped around the
/// centre: center_crop(resize(...)), of which only the pixels that stay are computed.
Tensor fit(const Tensor& image, std::int64_t height, std::int64_t width);

}  // namespace gradus
