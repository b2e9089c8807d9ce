// PNG by libpng. Source of the format: https://www.w3.org/TR/png-3/
//
// libpng is let do as little as possible: of the chunks only those that make pixels are kept (IHDR,
// PLTE, tRNS, IDAT), so that no profile, text or preview takes memory; a wrong checksum is an error
// in any chunk; rows are taken one at a time, of interlaced images those of each pass.
#include <gradus/core/error.h>
#include <gradus/data/detail/image_decoding.h>
#include <gradus/data/image.h>
#include <gradus/io/atomic_file.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include <png.h>

namespace gradus {
namespace {

using images::EncodedImage;
using images::JumpPoint;
using images::Placement;

[[noreturn]] void jump_out_of_png(png_structp png, png_const_charp message) {
  auto& jump = *static_cast<JumpPoint*>(png_get_error_ptr(png));
  std::strncpy(jump.message.data(), message, jump.message.size() - 1);
  std::longjmp(jump.target, 1);
}

/// What libpng calls harmless: unusual order, colours that no decoder needs.
void ignore_png_warning(png_structp, png_const_charp) {}

/// One image being read.
class PngReader {
 public:
  explicit PngReader(const EncodedImage& image) : image_(image), left_(image.bytes) {}
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  /// Everything before the pixels.
  ImageInfo read_header() {
    guarded([&] {
      png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &jump_, jump_out_of_png,
                                    ignore_png_warning);
      if (png_ != nullptr) info_ = png_create_info_struct(png_);
    });
    if (info_ == nullptr) fail<Error>(image_.label, ": no memory for libpng");
    guarded([&] {
      png_set_read_fn(png_, this, take_bytes);
      png_set_crc_action(png_, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
      png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // check_room says it better
      constexpr png_alloc_size_t longest_chunk = 8'000'000;
      png_set_chunk_malloc_max(png_, longest_chunk);
      constexpr int all_without_pixels = -1;
      png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, all_without_pixels);
      png_read_info(png_, info_);
    });
    const png_byte color = png_get_color_type(png_, info_);
    const bool alpha =
        (color & PNG_COLOR_MASK_ALPHA) != 0 || png_get_valid(png_, info_, PNG_INFO_tRNS) != 0;
    return {.channels = ((color & PNG_COLOR_MASK_COLOR) != 0 ? 3 : 1) + (alpha ? 1 : 0),
            .height = png_get_image_height(png_, info_),
            .width = png_get_image_width(png_, info_)};
  }

  Tensor read_pixels(const ImageInfo& info) {
    guarded([&] {
      png_set_expand(png_);
      png_set_scale_16(png_);
      png_read_update_info(png_, info_);
    });
    std::vector<std::uint8_t> row(png_get_rowbytes(png_, info_));
    if (std::ssize(row) != info.channels * info.width) {
      fail<BadDataError>(image_.label, ": a row has ", row.size(), " bytes, ", info.width,
                         " pixels of ", info.channels, " channels take ",
                         info.channels * info.width);
    }
    const Tensor result = Tensor::empty({info.channels, info.height, info.width}, uint8);
    auto* planes = result.data<std::uint8_t>();
    guarded([&] {
      // Else libpng lets pass what is wrong with the end of the compressed data: its checksum, or
      // that it is more than the pixels take.
      png_set_benign_errors(png_, 0);
      if (png_get_interlace_type(png_, info_) == PNG_INTERLACE_NONE) {
        read_pass(info, {.rows = info.height, .columns = info.width}, row.data(), planes);
      } else {
        for (int pass = 0; pass < PNG_INTERLACE_ADAM7_PASSES; ++pass) {
          read_pass(info, adam7(info, pass), row.data(), planes);
        }
      }
      png_read_end(png_, nullptr);
    });
    return result;
  }

 private:
  /// Every row_step-th row and column_step-th column, from the given ones on.
  struct Pass {
    std::int64_t rows = 0, columns = 0;
    std::int64_t first_row = 0, first_column = 0;
    std::int64_t row_step = 1, column_step = 1;
  };

  static Pass adam7(const ImageInfo& info, int pass) {
    return {.rows = PNG_PASS_ROWS(info.height, pass),
            .columns = PNG_PASS_COLS(info.width, pass),
            .first_row = PNG_PASS_START_ROW(pass),
            .first_column = PNG_PASS_START_COL(pass),
            .row_step = PNG_PASS_ROW_OFFSET(pass),
            .column_step = PNG_PASS_COL_OFFSET(pass)};
  }

  /// A pass without pixels is not in the file.
  void read_pass(const ImageInfo& info, const Pass& pass, std::uint8_t* row, std::uint8_t* planes) {
    if (pass.columns == 0) return;
    const Placement to{.origin = pass.first_row * info.width + pass.first_column,
                       .row_step = pass.row_step * info.width,
                       .column_step = pass.column_step};
    for (std::int64_t y = 0; y < pass.rows; ++y) {
      png_read_row(png_, row, nullptr);
      images::place_row(row, pass.columns, info.channels, y, to, planes, info.height * info.width);
    }
  }

  static void take_bytes(png_structp png, png_bytep target, std::size_t count) {
    auto& left = static_cast<PngReader*>(png_get_io_ptr(png))->left_;
    if (count > left.size()) png_error(png, "the file ends too early");
    std::memcpy(target, left.data(), count);
    left = left.subspan(count);
  }

  template <class Step> void guarded(const Step& step) {
    if (jump_.completes(step)) return;
    fail<BadDataError>(image_.label, ": PNG is damaged after ", image_.bytes.size() - left_.size(),
                       " of ", image_.bytes.size(), " bytes: ", jump_.message.data());
  }

  const EncodedImage& image_;
  std::span<const std::byte> left_;
  JumpPoint jump_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

/// One image being written, into memory.
class PngWriter {
 public:
  PngWriter() = default;
  ~PngWriter() { png_destroy_write_struct(&png_, &info_); }
  PngWriter(const PngWriter&) = delete;
  PngWriter& operator=(const PngWriter&) = delete;

  /// Contiguous uint8 [C,H,W].
  std::string encode(const Tensor& image) {
    const std::int64_t channels = image.size(0);
    const std::int64_t height = image.size(1);
    const std::int64_t width = image.size(2);
    guarded([&] {
      png_ = png_create_write_struct(PNG_LIBPNG_VER_STRING, &jump_, jump_out_of_png,
                                     ignore_png_warning);
      if (png_ != nullptr) info_ = png_create_info_struct(png_);
    });
    if (info_ == nullptr) fail<Error>("write_png: no memory for libpng");
    std::vector<std::uint8_t> row(static_cast<std::size_t>(channels * width));
    const auto* planes = image.data<std::uint8_t>();
    guarded([&] {
      png_set_write_fn(png_, &encoded_, append_bytes, nullptr);
      png_set_IHDR(png_, info_, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height),
                   8, channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                   PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
      png_write_info(png_, info_);
      for (std::int64_t y = 0; y < height; ++y) {
        for (std::int64_t i = 0; i < channels * width; ++i) {
          const std::int64_t c = i % channels;
          row[static_cast<std::size_t>(i)] = planes[(c * height + y) * width + i / channels];
        }
        png_write_row(png_, row.data());
      }
      png_write_end(png_, info_);
    });
    return std::move(encoded_);
  }

 private:
  /// Nothing may be thrown through libpng.
  static void append_bytes(png_structp png, png_bytep bytes, std::size_t count) {
    auto& encoded = *static_cast<std::string*>(png_get_io_ptr(png));
    bool appended = false;
    try {
      encoded.append(reinterpret_cast<const char*>(bytes), count);
      appended = true;
    } catch (const std::exception&) {
    }
    if (!appended) png_error(png, "no memory");
  }

  template <class Step> void guarded(const Step& step) {
    if (!jump_.completes(step)) fail<Error>("write_png: ", jump_.message.data());
  }

  std::string encoded_;
  JumpPoint jump_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

}  // namespace

ImageInfo images::png_info(const EncodedImage& image) { return PngReader(image).read_header(); }

Tensor images::decode_png(const EncodedImage& image, ImageMode mode) {
  PngReader reader(image);
  const ImageInfo info = reader.read_header();
  // libpng keeps two rows of at most 8 bytes a pixel, the reader one of at most 4.
  check_room(image, info, mode, 20 * info.width);
  return reader.read_pixels(info);
}

void write_png(const std::string& path, const Tensor& image) {
  const auto refuse_shape = [&] {
    fail<ShapeError>("write_png: takes [H,W], [1,H,W] or [3,H,W] with sides of 1 to ",
                     largest_image_side, ", got ", describe(image));
  };
  if (!image.defined()) fail<ShapeError>("write_png: image is undefined");
  if (image.rank() != 2 && image.rank() != 3) refuse_shape();
  const Tensor planes = (image.rank() == 2 ? image.unsqueeze(0) : image).contiguous();
  if (planes.size(0) != 1 && planes.size(0) != 3) refuse_shape();
  if (std::min(planes.size(1), planes.size(2)) < 1) refuse_shape();
  if (std::max(planes.size(1), planes.size(2)) > largest_image_side) refuse_shape();
  if (image.dtype() != uint8) fail<DTypeError>("write_png: takes uint8, got ", describe(image));
  write_file_atomically(path, PngWriter().encode(planes));
}

}  // namespace gradus
