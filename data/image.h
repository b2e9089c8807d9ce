// Image files: PNG and JPEG to uint8 tensors [C,H,W], and tensors to PNG.
//
// What a file is, its first bytes say, not its name. Colours are taken as they are stored: no gamma
// and no colour profile is applied, as PyTorch's and PIL's readers do by default. libpng and
// libjpeg do the decoding; a file that is cut short or damaged is an error here, also where those
// would only warn and fill the rest of the picture with gray.
//
// Memory: a few hundred bytes of a file can claim gigabytes of pixels. Therefore the pixels and
// what decoding needs beside them may take at most 3 times the file's bytes and 48 MB, which is
// checked before anything is allocated. An RGB image of 15 million pixels always fits; a
// progressive JPEG, all of whose coefficients libjpeg keeps, with 5 million (8 million when its
// colours have half the resolution, as is usual), and more where the file is large.
#pragma once

#include <gradus/core/tensor.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace gradus {

/// Which channels an image is to have.
enum class ImageMode {
  as_is,  ///< those of the file: 1 gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha
  gray,  ///< 1: of colours the luma 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), rounded to the nearest
  rgb,  ///< 3: gray stands three times; alpha is dropped, not blended
};

/// What an image file says of itself.
struct ImageInfo {
  std::int64_t channels = 0;  ///< of ImageMode::as_is
  std::int64_t height = 0;    ///< in pixels, as it is shown: after the EXIF orientation
  std::int64_t width = 0;
};

/// The longest side an image may have, read or made: more is damage, or an attack on time.
inline constexpr std::int64_t largest_image_side = 1'000'000;

/// Does the name end in .png, .jpg or .jpeg, in capitals or not, with something before it?
bool is_image_name(std::string_view name);

/// Size and channels, from the header: of most files 64 KiB are read, and no pixels. What is
/// damaged behind the header goes unnoticed. Throws as read_image does.
ImageInfo read_image_info(const std::string& path);

/// Reads a PNG or JPEG file -> uint8 [C,H,W].
///
/// PNG: all kinds of the format. Numbers of 1, 2 and 4 bits are spread over 0..255, those of 16
/// bits rounded to 8; a palette becomes RGB; a transparent colour (tRNS) becomes an alpha channel.
/// JPEG: gray, and colours as RGB, CMYK among them (stored inverted, as Adobe's programs do);
/// progressive ones with at most 100 scans; turned and mirrored as the EXIF orientation says.
///
/// Throws NotFoundError when there is no file, IoError when it cannot be read or is no regular file
/// (a folder, a pipe), and BadDataError, naming the file, when it is neither PNG nor JPEG, is
/// damaged or cut short, or would take more memory than the file's size justifies.
Tensor read_image(const std::string& path, ImageMode mode = ImageMode::as_is);

/// The same of a file's content in memory; `label` stands in messages in place of the path.
Tensor decode_image(std::span<const std::byte> bytes, const std::string& label,
                    ImageMode mode = ImageMode::as_is);

/// Writes uint8 [C,H,W] with 1 (gray) or 3 (RGB) channels, or [H,W], as a PNG file of 8 bits. The
/// file is replaced as a whole or not at all (io/atomic_file.h). Throws DTypeError or ShapeError for another tensor or a side beyond
/// largest_image_side, IoError with the reason when the file cannot be written.
void write_png(const std::string& path, const Tensor& image);

}  // namespace gradus
