// Copies between images, patches and columns. See columns.h.
#include <gradus/core/kernels/conv2d/columns.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace gradus::kernels {
namespace {

/// Where an image and a padded patch that starts at padded position `first` overlap,
/// along one axis.
struct Overlap {
  std::int64_t begin;  // first patch position inside the image
  std::int64_t end;    // one past the last
  std::int64_t shift;  // image position = patch position + shift

  Overlap(std::int64_t first, std::int64_t patch_size, std::int64_t padding,
          std::int64_t image_size)
      : begin(std::clamp<std::int64_t>(padding - first, 0, patch_size)),
        end(std::clamp<std::int64_t>(padding - first + image_size, begin, patch_size)),
        shift(first - padding) {}
};

template <class T> void gather_row(const T* from, std::int64_t stride, std::int64_t count, T* to) {
  for (std::int64_t k = 0; k < count; ++k) to[k] = from[k * stride];
}

template <class T>
void copy_rows(const T* from, std::int64_t distance, std::int64_t rows, std::int64_t count, T* to) {
  for (std::int64_t r = 0; r < rows; ++r) gather_row(from + r * distance, 1, count, to + r * count);
}

/// Copies rows of `vectors` times 16 bytes, written densely: `count` elements apart, so each row's
/// surplus is overwritten by the next; the last row has none. Rows of small images are a few
/// vectors long, where a call of memcpy costs more than the copy.
template <std::size_t vectors, class T>
void copy_short_rows(const T* from, std::int64_t distance, std::int64_t rows, std::int64_t count,
                     T* to) {
  for (std::int64_t r = 0; r < rows - 1; ++r)
    std::memcpy(to + r * count, from + r * distance, 16 * vectors);
  if (rows > 0) std::copy_n(from + (rows - 1) * distance, count, to + (rows - 1) * count);
}

template <class T>
using CopyRows = void (*)(const T* from, std::int64_t distance, std::int64_t rows,
                          std::int64_t count, T* to);

/// The copy for rows of `count` elements, unrolled where they are short. (A surplus reaches into
/// the next row and no further when a row is a vector at least.)
template <class T> CopyRows<T> choose_copy(std::int64_t count) {
  constexpr std::int64_t vector = 16 / sizeof(T);
  if (count < vector) return copy_rows<T>;
  switch ((count + vector - 1) / vector) {
    case 1:
      return copy_short_rows<1, T>;
    case 2:
      return copy_short_rows<2, T>;
    case 3:
      return copy_short_rows<3, T>;
    case 4:
      return copy_short_rows<4, T>;
    case 5:
      return copy_short_rows<5, T>;
    case 6:
      return copy_short_rows<6, T>;
    case 7:
      return copy_short_rows<7, T>;
    case 8:
      return copy_short_rows<8, T>;
    default:
      return copy_rows<T>;
  }
}

template <class T> void add_row(const T* __restrict from, std::int64_t count, T* __restrict to) {
  for (std::int64_t k = 0; k < count; ++k) to[k] += from[k];
}

template <class T> void scatter_row(const T* from, std::int64_t count, T* to, std::int64_t stride) {
  for (std::int64_t k = 0; k < count; ++k) to[k * stride] += from[k];
}

}  // namespace

template <class T>
Planes<const T> read_patch(const Conv2dGeometry& g, std::int64_t channels, RowTile tile, const T* x,
                           T* patch) {
  if (!is_padded(g)) return {x + tile.first * g.stride_h * g.in_width, g.in_width, g.in_plane()};
  const std::int64_t height = patch_height(g, tile.count);
  const std::int64_t width = patch_width(g);
  const Overlap rows(tile.first * g.stride_h, height, g.padding_h, g.in_height);
  const Overlap columns(0, width, g.padding_w, g.in_width);
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t h = 0; h < height; ++h) {
      T* out = patch + (c * height + h) * width;
      if (h < rows.begin || h >= rows.end) {
        std::fill_n(out, width, T{0});
        continue;
      }
      const T* in = x + (c * g.in_height + h + rows.shift) * g.in_width + columns.shift;
      std::fill(out, out + columns.begin, T{0});
      std::copy(in + columns.begin, in + columns.end, out + columns.begin);
      std::fill(out + columns.end, out + width, T{0});
    }
  }
  return {patch, width, height * width};
}

template <class T>
Planes<T> clear_patch(const Conv2dGeometry& g, std::int64_t channels, T* x, T* patch) {
  const std::int64_t width = is_padded(g) ? patch_width(g) : g.in_width;
  const std::int64_t height = is_padded(g) ? patch_height(g, g.out_height()) : g.in_height;
  const Planes<T> cleared{is_padded(g) ? patch : x, width, height * width};
  std::fill_n(cleared.data, channels * cleared.plane, T{0});
  return cleared;
}

template <class T>
void write_patch(const Conv2dGeometry& g, std::int64_t channels, const T* patch, T* x) {
  if (!is_padded(g)) return;
  const std::int64_t height = patch_height(g, g.out_height());
  const std::int64_t width = patch_width(g);
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t h = 0; h < g.in_height; ++h) {
      T* out = x + (c * g.in_height + h) * g.in_width;
      const std::int64_t patch_row = h + g.padding_h;
      // A stride can leave the last rows and columns unread.
      const std::int64_t read =
          patch_row < height ? std::clamp<std::int64_t>(width - g.padding_w, 0, g.in_width) : 0;
      const T* in = patch + (c * height + patch_row) * width + g.padding_w;
      std::copy(in, in + read, out);
      std::fill(out + read, out + g.in_width, T{0});
    }
  }
}

template <class T>
void gather_columns(const Conv2dGeometry& g, std::int64_t channels, std::int64_t rows,
                    Planes<const T> patch, T* columns) {
  const std::int64_t height = patch_height(g, rows);
  const std::int64_t out_width = g.out_width();
  const CopyRows<T> copy = choose_copy<T>(out_width);
  for (std::int64_t cj = 0; cj < channels * g.kernel_w; ++cj) {  // cj = (channel, kernel column)
    const T* in = patch.data + cj / g.kernel_w * patch.plane + cj % g.kernel_w * g.dilation_w;
    T* out = columns + cj * column_size(g, rows);
    for (std::int64_t phase = 0; phase < std::min(g.stride_h, height); ++phase) {
      const std::int64_t count = (height - phase - 1) / g.stride_h + 1;
      if (g.stride_w == 1) {
        copy(in + phase * patch.row, g.stride_h * patch.row, count, out_width, out);
      } else {
        for (std::int64_t r = 0; r < count; ++r) {
          gather_row(in + (r * g.stride_h + phase) * patch.row, g.stride_w, out_width,
                     out + r * out_width);
        }
      }
      out += column_rows(g, rows) * out_width;
    }
  }
}

template <class T>
void scatter_columns(const Conv2dGeometry& g, std::int64_t channels, RowTile tile, const T* columns,
                     Planes<T> patch) {
  const std::int64_t height = patch_height(g, tile.count);
  const std::int64_t out_width = g.out_width();
  T* first = patch.data + tile.first * g.stride_h * patch.row;
  for (std::int64_t cj = 0; cj < channels * g.kernel_w; ++cj) {  // cj = (channel, kernel column)
    const T* in = columns + cj * column_size(g, tile.count);
    T* out = first + cj / g.kernel_w * patch.plane + cj % g.kernel_w * g.dilation_w;
    for (std::int64_t phase = 0; phase < std::min(g.stride_h, height); ++phase) {
      const std::int64_t count = (height - phase - 1) / g.stride_h + 1;
      for (std::int64_t r = 0; r < count; ++r) {
        T* row = out + (r * g.stride_h + phase) * patch.row;
        if (g.stride_w == 1) {
          add_row(in + r * out_width, out_width, row);
        } else {
          scatter_row(in + r * out_width, out_width, row, g.stride_w);
        }
      }
      in += column_rows(g, tile.count) * out_width;
    }
  }
}

template Planes<const float> read_patch(const Conv2dGeometry&, std::int64_t, RowTile, const float*,
                                        float*);
template Planes<const double> read_patch(const Conv2dGeometry&, std::int64_t, RowTile,
                                         const double*, double*);
template Planes<float> clear_patch(const Conv2dGeometry&, std::int64_t, float*, float*);
template Planes<double> clear_patch(const Conv2dGeometry&, std::int64_t, double*, double*);
template void write_patch(const Conv2dGeometry&, std::int64_t, const float*, float*);
template void write_patch(const Conv2dGeometry&, std::int64_t, const double*, double*);
template void gather_columns(const Conv2dGeometry&, std::int64_t, std::int64_t, Planes<const float>,
                             float*);
template void gather_columns(const Conv2dGeometry&, std::int64_t, std::int64_t,
                             Planes<const double>, double*);
template void scatter_columns(const Conv2dGeometry&, std::int64_t, RowTile, const float*,
                              Planes<float>);
template void scatter_columns(const Conv2dGeometry&, std::int64_t, RowTile, const double*,
                              Planes<double>);

}  // namespace gradus::kernels
