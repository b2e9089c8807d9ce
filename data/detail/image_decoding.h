// What the decoders of PNG and JPEG share: where their input stands, how much memory they may take,
// how their rows of pixels become planes, and how they fail.
//
// Both libraries report an error through a function that must not return. What always holds here:
// they are called only inside JumpPoint::completes(), from functions whose variables have no
// destructors, so that the jump out of the library skips none; and what is to be freed belongs to
// an object outside.
#pragma once

#include <gradus/data/image.h>

#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace gradus::images {

/// A file's content, and "image: cat.png", the beginning of a message about it.
struct EncodedImage {
  std::span<const std::byte> bytes;
  std::string label;
};

/// Where a library jumps to when it fails, and what it said.
struct JumpPoint {
  std::jmp_buf target;
  std::array<char, 256> message{};

  /// Calls step(), which calls the library; false when that failed. `step` must have no variables
  /// with destructors, and must not throw.
  template <class Step> bool completes(const Step& step) {
    if (setjmp(target) != 0) return false;
    step();
    return true;
  }
};

/// Throws unless an image of `info`, its conversion to `mode`, and `beside` bytes more may be
/// allocated.
void check_room(const EncodedImage& image, const ImageInfo& info, ImageMode mode,
                std::int64_t beside);

/// Where pixel (row, column) of a decoder goes in a plane: origin + row·row_step +
/// column·column_step.
struct Placement {
  std::int64_t origin = 0;
  std::int64_t row_step = 0;
  std::int64_t column_step = 1;
};

/// Pixels of one row, channels interleaved, to planes of `plane` bytes each.
inline void place_row(const std::uint8_t* pixels, std::int64_t count, std::int64_t channels,
                      std::int64_t row, const Placement& to, std::uint8_t* planes,
                      std::int64_t plane) {
  for (std::int64_t c = 0; c < channels; ++c) {
    std::uint8_t* out = planes + c * plane + to.origin + row * to.row_step;
    for (std::int64_t i = 0; i < count; ++i) out[i * to.column_step] = pixels[i * channels + c];
  }
}

ImageInfo png_info(const EncodedImage& image);
ImageInfo jpeg_info(const EncodedImage& image);
/// uint8 [C,H,W] with the file's own channels; `mode` is what it will be converted to, for
/// check_room.
Tensor decode_png(const EncodedImage& image, ImageMode mode);
Tensor decode_jpeg(const EncodedImage& image, ImageMode mode);

/// The EXIF orientation of a JPEG file, 1..8 (Exif 2.3, tag 0x0112): where row 0 and column 0 are
/// seen. 1, as it is, when the file has none, or one that cannot be understood.
int exif_orientation(std::span<const std::byte> bytes);

}  // namespace gradus::images
