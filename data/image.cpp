// What does not depend on the format: files, the choice of a decoder, the limit of memory,
// channels.
#include <gradus/core/error.h>
#include <gradus/data/detail/image_decoding.h>
#include <gradus/data/image.h>
#include <gradus/io/input_file.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace gradus {
namespace {

using images::EncodedImage;

/// The first `count` bytes of a file, uint8 [count].
Tensor first_bytes(const InputFile& file, std::int64_t count) {
  Tensor content =
      Tensor::empty({count}, uint8);  // a lack of memory is an Error, and none is cleared first
  file.read(0, content.data<std::uint8_t>(), count);
  return content;
}

std::span<const std::byte> bytes_of(const Tensor& content) {
  return std::as_bytes(
      std::span(content.data<std::uint8_t>(), static_cast<std::size_t>(content.numel())));
}

enum class ImageFormat { png, jpeg };

ImageFormat format_of(const EncodedImage& image) {
  constexpr std::array<unsigned char, 8> png{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  constexpr std::array<unsigned char, 3> jpeg{0xff, 0xd8, 0xff};
  const auto begins_with = [&](const auto& signature) {
    return image.bytes.size() >= signature.size() &&
           std::memcmp(image.bytes.data(), signature.data(), signature.size()) == 0;
  };
  if (begins_with(png)) return ImageFormat::png;
  if (begins_with(jpeg)) return ImageFormat::jpeg;
  std::string start;
  for (const std::byte byte : image.bytes.first(std::min<std::size_t>(8, image.bytes.size()))) {
    start += " " + std::to_string(std::to_integer<int>(byte));
  }
  fail<BadDataError>(image.label, ": begins with bytes", start.empty() ? " (none)" : start,
                     ", a PNG file with 137 80 78 71 13 10 26 10, a JPEG file with 255 216 255");
}

ImageInfo info_of(const EncodedImage& image) {
  return format_of(image) == ImageFormat::png ? images::png_info(image) : images::jpeg_info(image);
}

std::int64_t channels_in(ImageMode mode, std::int64_t as_is) {
  if (mode == ImageMode::as_is) return as_is;
  return mode == ImageMode::gray ? 1 : 3;
}

/// [3 or more,H,W] -> [1,H,W]. The weights are those of BT.601 in 65536ths; their sum is 65536, so
/// that gray stays what it is.
Tensor luma(const Tensor& colors) {
  constexpr std::uint32_t red = 19595;
  constexpr std::uint32_t green = 38470;
  constexpr std::uint32_t blue = 7471;
  const Tensor gray = Tensor::empty({1, colors.size(1), colors.size(2)}, uint8);
  const std::int64_t plane = gray.numel();
  const auto* in = colors.data<std::uint8_t>();
  auto* out = gray.data<std::uint8_t>();
  for (std::int64_t i = 0; i < plane; ++i) {
    const std::uint32_t sum = red * in[i] + green * in[plane + i] + blue * in[2 * plane + i];
    out[i] = static_cast<std::uint8_t>((sum + 32768) >> 16);
  }
  return gray;
}

/// Row-major [C,H,W] to the channels that `mode` asks for. A copy where channels are dropped, since
/// a view would keep their memory.
Tensor converted(const Tensor& image, ImageMode mode) {
  const std::int64_t wanted = channels_in(mode, image.size(0));
  if (wanted == image.size(0)) return image;
  const bool colored = image.size(0) >= 3;
  if (wanted == 1) return colored ? luma(image) : image.narrow(0, 0, 1).clone();
  if (colored) return image.narrow(0, 0, 3).clone();
  return image.narrow(0, 0, 1).expand({3, image.size(1), image.size(2)}).clone();
}

}  // namespace

void images::check_room(const EncodedImage& image, const ImageInfo& info, ImageMode mode,
                        std::int64_t beside) {
  constexpr std::int64_t always = 48'000'000;
  if (info.width > largest_image_side || info.height > largest_image_side) {
    fail<BadDataError>(image.label, ": claims ", info.width, "x", info.height,
                       " pixels, a side may have ", largest_image_side);
  }
  // While it is converted, both the file's channels and those asked for are there. No overflow:
  // 7 channels of 10^12 pixels.
  const std::int64_t wanted = channels_in(mode, info.channels);
  const std::int64_t channels = info.channels + (wanted == info.channels ? 0 : wanted);
  const std::int64_t bytes = info.width * info.height * channels + beside;
  const std::int64_t most = 3 * std::ssize(image.bytes) + always;
  if (bytes > most) {
    fail<BadDataError>(image.label, ": claims ", info.width, "x", info.height,
                       " pixels, to decode them takes ", bytes, " bytes, a file of ",
                       image.bytes.size(), " bytes may take ", most);
  }
}

bool is_image_name(std::string_view name) {
  for (const std::string_view extension : {".png", ".jpg", ".jpeg"}) {
    if (name.size() <= extension.size()) continue;
    const auto same = [](char a, char b) {
      return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b;
    };
    if (std::ranges::equal(name.substr(name.size() - extension.size()), extension, same))
      return true;
  }
  return false;
}

ImageInfo read_image_info(const std::string& path) {
  constexpr std::int64_t most_headers = 1 << 16;
  const InputFile file("image", path);
  const auto info = [&](std::int64_t count) {
    const Tensor content = first_bytes(file, count);
    return info_of({bytes_of(content), "image: " + path});
  };
  if (file.size() > most_headers) {
    try {
      return info(most_headers);
    } catch (const BadDataError&) {
      // Either damaged, or a profile or a preview stands before the sizes: the whole file tells.
    }
  }
  return info(file.size());
}

Tensor read_image(const std::string& path, ImageMode mode) {
  const InputFile file("image", path);
  const Tensor content = first_bytes(file, file.size());
  return decode_image(bytes_of(content), path, mode);
}

Tensor decode_image(std::span<const std::byte> bytes, const std::string& label, ImageMode mode) {
  const EncodedImage image{bytes, "image: " + label};
  const bool is_png = format_of(image) == ImageFormat::png;
  return converted(is_png ? images::decode_png(image, mode) : images::decode_jpeg(image, mode),
                   mode);
}

}  // namespace gradus
