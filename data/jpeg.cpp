// JPEG by libjpeg-turbo. Sources: ITU-T T.81 for the format, Exif 2.3 for the orientation, Adobe's
// technical note 5116 for CMYK.
#include <gradus/core/error.h>
#include <gradus/data/detail/image_decoding.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <string_view>
#include <vector>

#include <jpeglib.h>

#include <jerror.h>

namespace gradus {
namespace {

using images::EncodedImage;
using images::JumpPoint;
using images::Placement;

/// What libjpeg calls when it fails, warns or goes on. The base is the first member: libjpeg knows
/// only that.
struct JpegErrors {
  jpeg_error_mgr base{};
  JumpPoint jump;
};

[[noreturn]] void jump_out_of_jpeg(j_common_ptr jpeg) {
  auto& errors = *reinterpret_cast<JpegErrors*>(jpeg->err);
  static_assert(sizeof errors.jump.message >= JMSG_LENGTH_MAX);
  errors.base.format_message(jpeg, errors.jump.message.data());
  std::longjmp(errors.jump.target, 1);
}

/// After these warnings libjpeg makes pixels up. All others (a few bytes too many before a marker,
/// an unknown version) leave the image whole.
void judge_jpeg_message(j_common_ptr jpeg, int level) {
  constexpr std::array damage{JWRN_JPEG_EOF,       JWRN_HIT_MARKER,  JWRN_HUFF_BAD_CODE,
                              JWRN_ARITH_BAD_CODE, JWRN_MUST_RESYNC, JWRN_BOGUS_PROGRESSION};
  const bool warning = level < 0;
  if (warning && std::ranges::find(damage, jpeg->err->msg_code) != damage.end()) {
    jump_out_of_jpeg(jpeg);
  }
}

void drop_jpeg_message(j_common_ptr) {}

/// A progressive file of a few bytes a scan could keep a decoder busy for hours. Encoders make 10
/// or so.
void limit_jpeg_scans(j_common_ptr jpeg) {
  constexpr int most = 100;
  if (reinterpret_cast<j_decompress_ptr>(jpeg)->input_scan_number <= most) return;
  auto& errors = *reinterpret_cast<JpegErrors*>(jpeg->err);
  std::snprintf(errors.jump.message.data(), errors.jump.message.size(), "more than %d scans", most);
  std::longjmp(errors.jump.target, 1);
}

/// Stored inverted, 255 is no ink: r = c·k / 255, rounded, and so on. In place: 4 bytes a pixel
/// become 3.
void jpeg_cmyk_to_rgb(std::uint8_t* row, std::int64_t width) {
  for (std::int64_t x = 0; x < width; ++x) {
    const int black = row[4 * x + 3];
    for (std::int64_t c = 0; c < 3; ++c) {
      row[3 * x + c] = static_cast<std::uint8_t>((row[4 * x + c] * black + 127) / 255);
    }
  }
}

/// Where pixels of `info`, sizes as stored, are seen.
Placement oriented(const ImageInfo& info, int orientation) {
  const std::int64_t w = info.width;
  const std::int64_t h = info.height;
  switch (orientation) {
    case 2:
      return {.origin = w - 1, .row_step = w, .column_step = -1};
    case 3:
      return {.origin = h * w - 1, .row_step = -w, .column_step = -1};
    case 4:
      return {.origin = (h - 1) * w, .row_step = -w, .column_step = 1};
    case 5:
      return {.origin = 0, .row_step = 1, .column_step = h};
    case 6:
      return {.origin = h - 1, .row_step = -1, .column_step = h};
    case 7:
      return {.origin = h * w - 1, .row_step = -1, .column_step = -h};
    case 8:
      return {.origin = (w - 1) * h, .row_step = 1, .column_step = -h};
    default:
      return {.origin = 0, .row_step = w, .column_step = 1};
  }
}

/// From 5 on rows become columns.
ImageInfo turned(const ImageInfo& info, int orientation) {
  if (orientation < 5) return info;
  return {.channels = info.channels, .height = info.width, .width = info.height};
}

/// One image being read.
class JpegReader {
 public:
  explicit JpegReader(const EncodedImage& image) : image_(image) {
    jpeg_.err = jpeg_std_error(&errors_.base);
    errors_.base.error_exit = jump_out_of_jpeg;
    errors_.base.emit_message = judge_jpeg_message;
    errors_.base.output_message = drop_jpeg_message;
    progress_.progress_monitor = limit_jpeg_scans;
  }
  ~JpegReader() { jpeg_destroy_decompress(&jpeg_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  /// Everything before the pixels; sizes as stored.
  ImageInfo read_header() {
    guarded([&] {
      jpeg_create_decompress(&jpeg_);
      jpeg_.progress = &progress_;
      jpeg_mem_src(&jpeg_, reinterpret_cast<const unsigned char*>(image_.bytes.data()),
                   image_.bytes.size());
      jpeg_read_header(&jpeg_, TRUE);
    });
    if (jpeg_.jpeg_color_space == JCS_UNKNOWN) {
      fail<BadDataError>(image_.label, ": has ", jpeg_.num_components,
                         " channels of unknown meaning, known are 1, 3 and 4");
    }
    return {.channels = jpeg_.num_components == 1 ? 1 : 3,
            .height = jpeg_.image_height,
            .width = jpeg_.image_width};
  }

  /// Of a file in several scans libjpeg keeps all coefficients, 2 bytes each, until the last is
  /// read.
  std::int64_t coefficient_bytes() {
    if (jpeg_has_multiple_scans(&jpeg_) == 0) return 0;
    std::int64_t bytes = 0;
    for (int i = 0; i < jpeg_.num_components; ++i) {
      const jpeg_component_info& component = jpeg_.comp_info[i];
      const auto padded = [](JDIMENSION blocks, int factor) {
        return (std::int64_t{blocks} + factor - 1) / factor * factor;
      };
      bytes += padded(component.width_in_blocks, component.h_samp_factor) *
               padded(component.height_in_blocks, component.v_samp_factor) *
               std::int64_t{sizeof(JBLOCK)};
    }
    return bytes;
  }

  Tensor read_pixels(const ImageInfo& info, int orientation) {
    const bool inverted = jpeg_.num_components == 4;
    const ImageInfo seen = turned(info, orientation);
    const Tensor result = Tensor::empty({seen.channels, seen.height, seen.width}, uint8);
    auto* planes = result.data<std::uint8_t>();
    std::vector<std::uint8_t> row(
        static_cast<std::size_t>(info.width * (inverted ? 4 : info.channels)));
    const Placement to = oriented(info, orientation);
    // Beyond this libjpeg would put coefficients into a file, which Debian's refuses: an error.
    jpeg_.mem->max_memory_to_use = coefficient_bytes() + (16 << 20);
    jpeg_.out_color_space = inverted ? JCS_CMYK : info.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    guarded([&] {
      jpeg_start_decompress(&jpeg_);
      for (std::int64_t y = 0; y < info.height; ++y) {
        JSAMPROW target = row.data();
        jpeg_read_scanlines(&jpeg_, &target, 1);
        if (inverted) jpeg_cmyk_to_rgb(row.data(), info.width);
        images::place_row(row.data(), info.width, info.channels, y, to, planes,
                          info.height * info.width);
      }
      jpeg_finish_decompress(&jpeg_);
    });
    return result;
  }

 private:
  template <class Step> void guarded(const Step& step) {
    if (errors_.jump.completes(step)) return;
    fail<BadDataError>(image_.label, ": JPEG is damaged: ", errors_.jump.message.data());
  }

  const EncodedImage& image_;
  JpegErrors errors_;
  jpeg_progress_mgr progress_{};
  jpeg_decompress_struct jpeg_{};
};

/// Numbers of an EXIF block, whose byte order the block gives; nothing where it ends before.
class ExifNumbers {
 public:
  ExifNumbers(std::span<const std::byte> block, bool big_endian)
      : block_(block), big_endian_(big_endian) {}

  std::optional<std::uint32_t> number(std::uint64_t at, std::uint64_t bytes) const {
    if (at > block_.size() || bytes > block_.size() - at) return std::nullopt;
    std::uint32_t value = 0;
    for (std::uint64_t i = 0; i < bytes; ++i) {
      const std::uint64_t next = at + (big_endian_ ? i : bytes - 1 - i);
      value = value << 8 | std::to_integer<std::uint32_t>(block_[next]);
    }
    return value;
  }

 private:
  std::span<const std::byte> block_;
  bool big_endian_;
};

std::string_view exif_text(std::span<const std::byte> bytes, std::size_t count) {
  return {reinterpret_cast<const char*>(bytes.data()), std::min(count, bytes.size())};
}

/// The orientation of a TIFF block: 2 bytes order, 42, the offset of a directory; there a count of
/// entries of 12 bytes: tag, type, how many values, the value itself where it is short.
int orientation_of_tiff(std::span<const std::byte> block) {
  constexpr std::uint32_t orientation_tag = 0x0112;
  constexpr std::uint32_t short_type = 3;
  const std::string_view order = exif_text(block, 2);
  if (order != "MM" && order != "II") return 1;
  const ExifNumbers exif(block, order == "MM");
  if (exif.number(2, 2) != 42) return 1;
  const std::uint64_t directory = exif.number(4, 4).value_or(0);
  const std::uint32_t entries = exif.number(directory, 2).value_or(0);
  for (std::uint64_t i = 0; i < entries; ++i) {
    const std::uint64_t entry = directory + 2 + 12 * i;
    if (exif.number(entry, 2) != orientation_tag) continue;
    const std::uint32_t value = exif.number(entry + 8, 2).value_or(0);
    const bool plain = exif.number(entry + 2, 2) == short_type && exif.number(entry + 4, 4) == 1;
    return plain && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

}  // namespace

int images::exif_orientation(std::span<const std::byte> bytes) {
  constexpr std::string_view mark{"Exif\0\0", 6};
  constexpr std::uint32_t app1 = 0xe1;
  constexpr std::uint32_t start_of_scan = 0xda;
  constexpr std::uint32_t end_of_image = 0xd9;
  const auto stands_alone = [](std::uint32_t marker) {
    return marker == 0x01 || (marker >= 0xd0 && marker <= 0xd7);
  };
  const ExifNumbers file(bytes, true);
  // Segments: 0xff, a marker, a length that counts itself. What stands between them is skipped, as
  // libjpeg does.
  for (std::size_t at = 2; at + 4 <= bytes.size();) {
    const std::uint32_t marker = file.number(at + 1, 1).value_or(0);
    if (file.number(at, 1) != 0xff || marker == 0xff || marker == 0) {
      ++at;
    } else if (stands_alone(marker)) {
      at += 2;
    } else if (marker == start_of_scan || marker == end_of_image) {
      break;
    } else {
      const std::size_t length = file.number(at + 2, 2).value_or(0);
      const auto rest = bytes.subspan(at + 4);
      const auto segment = rest.first(std::min(rest.size(), std::max<std::size_t>(length, 2) - 2));
      if (marker == app1 && exif_text(segment, mark.size()) == mark) {
        return orientation_of_tiff(segment.subspan(mark.size()));
      }
      at += 2 + length;
    }
  }
  return 1;
}

ImageInfo images::jpeg_info(const EncodedImage& image) {
  return turned(JpegReader(image).read_header(), exif_orientation(image.bytes));
}

Tensor images::decode_jpeg(const EncodedImage& image, ImageMode mode) {
  JpegReader reader(image);
  const ImageInfo info = reader.read_header();
  check_room(image, info, mode, reader.coefficient_bytes());
  return reader.read_pixels(info, exif_orientation(image.bytes));
}

}  // namespace gradus
