// Image files of every kind, made by libpng and libjpeg, and PNG files made chunk by chunk, for the
// damage that libpng would not write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <png.h>
#include <zlib.h>

/// In a namespace, since libjpeg's type `boolean` is not gradus::boolean.
namespace libjpeg {
#include <jpeglib.h>
}

/// What libpng is to write: rows as the format packs them.
struct PngRecipe {
  unsigned width = 0;
  unsigned height = 0;
  int color_type = PNG_COLOR_TYPE_GRAY;
  int bit_depth = 8;
  bool interlaced = false;
  std::vector<png_color> palette{};
  std::vector<png_byte> palette_alpha{};      ///< tRNS of a palette
  const png_color_16* transparent = nullptr;  ///< tRNS of gray and RGB
};

/// The PNG file of `rows`, each of (width·bits of a pixel + 7) / 8 bytes. libpng aborts where it
/// fails.
inline std::string png_file(const PngRecipe& recipe, std::string rows) {
  std::string bytes;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(
      png, &bytes,
      [](png_structp to, png_bytep data, std::size_t count) {
        static_cast<std::string*>(png_get_io_ptr(to))
            ->append(reinterpret_cast<const char*>(data), count);
      },
      nullptr);
  png_set_check_for_invalid_index(png, -1);
  png_set_IHDR(png, info, recipe.width, recipe.height, recipe.bit_depth, recipe.color_type,
               recipe.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (!recipe.palette.empty()) {
    png_set_PLTE(png, info, recipe.palette.data(), static_cast<int>(recipe.palette.size()));
  }
  if (!recipe.palette_alpha.empty() || recipe.transparent != nullptr) {
    png_set_tRNS(png, info, recipe.palette_alpha.empty() ? nullptr : recipe.palette_alpha.data(),
                 static_cast<int>(recipe.palette_alpha.size()), recipe.transparent);
  }
  png_write_info(png, info);
  const std::size_t stride = png_get_rowbytes(png, info);
  const int passes = png_set_interlace_handling(png);
  for (int pass = 0; pass < passes; ++pass) {
    for (unsigned y = 0; y < recipe.height; ++y) {
      png_write_row(png, reinterpret_cast<png_bytep>(rows.data()) + y * stride);
    }
  }
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return bytes;
}

/// A number in 4 bytes, big-endian.
inline std::string big_endian_32(std::size_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xff);
  return bytes;
}

/// One chunk of a PNG file, with its checksum.
inline std::string png_chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const uLong crc =
      crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big_endian_32(data.size()) + body + big_endian_32(crc);
}

inline std::string zlib_stream(const std::string& data) {
  uLongf size = compressBound(data.size());
  std::string packed(size, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &size,
           reinterpret_cast<const Bytef*>(data.data()), data.size());
  packed.resize(size);
  return packed;
}

/// The parts of a PNG file of 8 bits a channel made by hand; color_type 0 is gray, 2 RGB, 3 a
/// palette.
inline std::string png_start(std::size_t width, std::size_t height, char color_type = 0,
                             bool interlaced = false) {
  return "\x89PNG\r\n\x1a\n" +
         png_chunk("IHDR", big_endian_32(width) + big_endian_32(height) + '\x08' + color_type +
                               std::string(2, '\0') + (interlaced ? '\1' : '\0'));
}
inline std::string png_end() { return png_chunk("IEND", ""); }

/// How a JPEG file keeps its colours: those of 3 channels, and of 4.
enum class JpegColors { ycc, rgb, cmyk, ycck };

/// What libjpeg is to write.
struct JpegRecipe {
  unsigned width = 0;
  unsigned height = 0;
  int channels = 3;
  JpegColors stored = JpegColors::ycc;
  bool progressive = false;
  bool whole_color = true;          ///< as many colour samples as pixels
  bool single_band_scans = false;   ///< one scan for each of 63 bands of each channel
  std::vector<std::string> app1{};  ///< segments before all others
};

inline libjpeg::J_COLOR_SPACE stored_as(JpegColors colors) {
  if (colors == JpegColors::ycc) return libjpeg::JCS_YCbCr;
  if (colors == JpegColors::rgb) return libjpeg::JCS_RGB;
  return colors == JpegColors::cmyk ? libjpeg::JCS_CMYK : libjpeg::JCS_YCCK;
}

/// The JPEG file of pixels with interleaved channels, in the best quality. libjpeg ends the program
/// where it fails.
inline std::string jpeg_file(const JpegRecipe& recipe, std::string pixels) {
  using namespace libjpeg;
  jpeg_error_mgr errors{};
  jpeg_compress_struct jpeg{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &bytes, &size);
  jpeg.image_width = recipe.width;
  jpeg.image_height = recipe.height;
  jpeg.input_components = recipe.channels;
  jpeg.in_color_space = recipe.channels == 1   ? JCS_GRAYSCALE
                        : recipe.channels == 3 ? JCS_RGB
                                               : JCS_CMYK;
  jpeg_set_defaults(&jpeg);
  if (recipe.channels > 1) jpeg_set_colorspace(&jpeg, stored_as(recipe.stored));
  jpeg_set_quality(&jpeg, 100, TRUE);
  if (recipe.whole_color) {
    for (int c = 0; c < jpeg.num_components; ++c) {
      jpeg.comp_info[c].h_samp_factor = jpeg.comp_info[c].v_samp_factor = 1;
    }
  }
  if (recipe.progressive) jpeg_simple_progression(&jpeg);
  std::vector<jpeg_scan_info> scans;
  if (recipe.single_band_scans) {
    scans.push_back({recipe.channels, {0, 1, 2, 3}, 0, 0, 0, 0});
    for (int c = 0; c < recipe.channels; ++c) {
      for (int band = 1; band < 64; ++band) scans.push_back({1, {c, 0, 0, 0}, band, band, 0, 0});
    }
    jpeg.scan_info = scans.data();
    jpeg.num_scans = static_cast<int>(scans.size());
  }
  jpeg_start_compress(&jpeg, TRUE);
  for (const std::string& segment : recipe.app1) {
    jpeg_write_marker(&jpeg, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(segment.data()),
                      static_cast<unsigned>(segment.size()));
  }
  const std::size_t stride = recipe.width * static_cast<std::size_t>(recipe.channels);
  while (jpeg.next_scanline < jpeg.image_height) {
    JSAMPROW row = reinterpret_cast<JSAMPROW>(pixels.data()) + jpeg.next_scanline * stride;
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  std::string file(reinterpret_cast<const char*>(bytes), size);
  std::free(bytes);
  jpeg_destroy_compress(&jpeg);
  return file;
}

/// The content of an APP1 segment with nothing but an orientation, in the byte order asked for.
inline std::string exif(int orientation, bool big_endian = true) {
  const char value = static_cast<char>(orientation);
  using namespace std::string_literals;
  if (big_endian) {
    return "Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0"s + value + "\0\0\0\0\0\0"s;
  }
  return "Exif\0\0II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"s + value + "\0\0\0\0\0\0\0"s;
}
