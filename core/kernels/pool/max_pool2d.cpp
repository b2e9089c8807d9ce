// Max pooling with the indices of what it took. See pool2d.h.
#include <gradus/core/kernels/pool/max_pool_2x2.h>
#include <gradus/core/kernels/pool/pool2d.h>

#include <algorithm>
#include <array>
#include <limits>
#include <type_traits>

#include <gradus/core/parallel.h>

namespace gradus::kernels {
namespace {

constexpr std::int64_t comparisons_per_chunk = 20'000;  // about 10 microseconds
constexpr std::int64_t moves_per_chunk = 20'000;
// The same time in vectors.
constexpr std::int64_t vector_comparisons_per_chunk = 60'000;
constexpr std::int64_t vector_moves_per_chunk = 60'000;

std::int64_t planes_per_chunk(std::int64_t items_per_plane, std::int64_t items_per_chunk) {
  return items_per_chunk / std::max<std::int64_t>(items_per_plane, 1) + 1;
}

/// Whether a later element replaces the best so far: the first maximum wins, a NaN always does.
/// (NaN > x is false, so that no number replaces it again.)
template <class T> bool replaces(T value, T best) { return (value > best) | (value != value); }

/// The positions a window reads along one axis: begin, begin + step, ... below end.
struct Window {
  std::int64_t begin;
  std::int64_t end;
  std::int64_t step = 1;

  bool empty() const { return begin >= end; }
};

Window fixed_window(std::int64_t output, std::int64_t kernel, std::int64_t stride,
                    std::int64_t padding, std::int64_t dilation, std::int64_t size) {
  const std::int64_t start = output * stride - padding;
  const std::int64_t skipped = start < 0 ? (-start + dilation - 1) / dilation : 0;
  return {std::min(start + skipped * dilation, size),
          std::min(start + (kernel - 1) * dilation + 1, size), dilation};
}

/// The greatest of a window of a plane, and where it stands; of nothing -inf, where the window begins.
template <class T> struct Greatest {
  T best = -std::numeric_limits<T>::infinity();
  std::int64_t h;
  std::int64_t w;

  Greatest(const T* plane, std::int64_t width, const Window& rows, const Window& columns)
      : h(rows.begin), w(columns.begin) {
    for (std::int64_t i = rows.begin; i < rows.end; i += rows.step) {
      for (std::int64_t j = columns.begin; j < columns.end; j += columns.step) {
        const T value = plane[i * width + j];
        if (replaces(value, best)) {
          best = value;
          h = i;
          w = j;
        }
      }
    }
  }
};

/// What is kept of a choice: the index in the plane, or, in a byte, the place in the window.
template <class Choice> constexpr bool is_place = std::is_same_v<Choice, std::uint8_t>;

template <class T, class Choice>
void max_pool_plane(const Pool2dGeometry& g, const T* x, T* y, Choice* choices) {
  const std::int64_t out_height = g.out_height();
  const std::int64_t out_width = g.out_width();
  for (std::int64_t oh = 0; oh < out_height; ++oh) {
    const Window rows =
        fixed_window(oh, g.kernel_h, g.stride_h, g.padding_h, g.dilation_h, g.in_height);
    for (std::int64_t ow = 0; ow < out_width; ++ow) {
      const Window columns =
          fixed_window(ow, g.kernel_w, g.stride_w, g.padding_w, g.dilation_w, g.in_width);
      const Greatest<T> greatest(x, g.in_width, rows, columns);
      *y++ = greatest.best;
      if constexpr (is_place<Choice>) {
        const std::int64_t kh = (greatest.h - oh * g.stride_h + g.padding_h) / g.dilation_h;
        const std::int64_t kw = (greatest.w - ow * g.stride_w + g.padding_w) / g.dilation_w;
        *choices++ = static_cast<Choice>(kh * g.kernel_w + kw);
      } else {
        *choices++ =
            rows.empty() || columns.empty() ? no_pixel : greatest.h * g.in_width + greatest.w;
      }
    }
  }
}

/// The pooling of almost every small network, without branches: random data would mispredict every
/// other one. The place in the window is counted in integers as wide as T, so that the compiler can
/// choose values and places with the same masks. (float32 with places in bytes: max_pool_2x2.h.)
template <class T, class Choice>
void max_pool_plane_2x2(const Pool2dGeometry& g, const T* x, T* __restrict y,
                        Choice* __restrict choices) {
  using Place = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  const auto below = is_place<Choice> ? Place{2} : static_cast<Place>(g.in_width);
  const std::int64_t out_width = g.out_width();
  for (std::int64_t oh = 0; oh < g.out_height(); ++oh, y += out_width, choices += out_width) {
    const std::int64_t first = 2 * oh * g.in_width;
    const T* upper = x + first;
    const T* lower = upper + g.in_width;
    for (std::int64_t ow = 0; ow < out_width; ++ow) {
      T best = upper[2 * ow];
      Place place = 0;
      const auto meet = [&](T value, Place at) {
        const bool wins = replaces(value, best);
        best = wins ? value : best;
        place = wins ? at : place;
      };
      meet(upper[2 * ow + 1], 1);
      meet(lower[2 * ow], below);
      meet(lower[2 * ow + 1], below + 1);
      y[ow] = best;
      if constexpr (is_place<Choice>) {
        choices[ow] = static_cast<Choice>(place);
      } else {
        choices[ow] = first + 2 * ow + place;
      }
    }
  }
}

bool is_2x2(const Pool2dGeometry& g) {
  constexpr std::int64_t widest = std::numeric_limits<std::int32_t>::max() - 1;  // of a Place
  return g.kernel_h == 2 && g.kernel_w == 2 && g.stride_h == 2 && g.stride_w == 2 &&
         g.padding_h == 0 && g.padding_w == 0 && g.dilation_h == 1 && g.dilation_w == 1 &&
         g.out_height() == g.in_height / 2 && g.out_width() == g.in_width / 2 &&
         g.in_width <= widest;
}

template <class T, class Choice>
void forward(const Pool2dGeometry& g, const T* x, T* y, Choice* choices) {
  const auto plane_kernel = is_2x2(g) ? max_pool_plane_2x2<T, Choice> : max_pool_plane<T, Choice>;
  // One division after the other: the product of all three may be beyond int64.
  const std::int64_t outputs_per_chunk = comparisons_per_chunk / (g.kernel_h * g.kernel_w);
  parallel_for(g.planes, planes_per_chunk(g.out_plane(), outputs_per_chunk),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t plane = begin; plane < end; ++plane) {
                   plane_kernel(g, x + plane * g.in_plane(), y + plane * g.out_plane(),
                                choices + plane * g.out_plane());
                 }
               });
}

/// Calls f(k, index) for each output k of one plane, `index` being the element it took.
template <class F>
void for_each_choice(const Pool2dGeometry& g, const std::uint8_t* places, const F& f) {
  std::array<std::int64_t, 256> offset;  // of each place, from the window's first element
  for (std::int64_t kh = 0, place = 0; kh < g.kernel_h; ++kh) {
    for (std::int64_t kw = 0; kw < g.kernel_w; ++kw, ++place) {
      offset[static_cast<std::size_t>(place)] = kh * g.dilation_h * g.in_width + kw * g.dilation_w;
    }
  }
  const std::int64_t out_height = g.out_height();
  const std::int64_t out_width = g.out_width();
  std::int64_t k = 0;
  for (std::int64_t oh = 0; oh < out_height; ++oh) {
    std::int64_t first = (oh * g.stride_h - g.padding_h) * g.in_width - g.padding_w;
    for (std::int64_t ow = 0; ow < out_width; ++ow, ++k, first += g.stride_w)
      f(k, first + offset[places[k]]);
  }
}

}  // namespace

template <class T>
void max_pool2d_forward(const Pool2dGeometry& g, const T* x, T* y, std::int64_t* indices) {
  forward(g, x, y, indices);
}

template <class T>
void max_pool2d_forward(const Pool2dGeometry& g, const T* x, T* y, std::uint8_t* places) {
  if constexpr (std::is_same_v<T, float>) {
    if (is_2x2(g)) {
      const std::int64_t grain = planes_per_chunk(g.in_plane(), vector_comparisons_per_chunk);
      return parallel_for(g.planes, grain, [&](std::int64_t begin, std::int64_t end) {
        max_pool_2x2(end - begin, g.in_height, g.in_width, x + begin * g.in_plane(),
                     y + begin * g.out_plane(), places + begin * g.out_plane());
      });
    }
  }
  forward(g, x, y, places);
}

template <class T>
void max_pool2d_scatter(std::int64_t planes, std::int64_t in_plane, std::int64_t out_plane,
                        const T* dy, const std::int64_t* indices, T* dx) {
  parallel_for(planes, planes_per_chunk(in_plane, moves_per_chunk),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t plane = begin; plane < end; ++plane) {
                   T* out = dx + plane * in_plane;
                   std::fill_n(out, in_plane, T{0});
                   for (std::int64_t k = plane * out_plane; k < (plane + 1) * out_plane; ++k) {
                     if (indices[k] != no_pixel) out[indices[k]] += dy[k];
                   }
                 }
               });
}

template <class T>
void max_pool2d_gather(std::int64_t planes, std::int64_t in_plane, std::int64_t out_plane,
                       const T* x, const std::int64_t* indices, T* y) {
  parallel_for(planes, planes_per_chunk(out_plane, moves_per_chunk),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t plane = begin; plane < end; ++plane) {
                   const T* in = x + plane * in_plane;
                   for (std::int64_t k = plane * out_plane; k < (plane + 1) * out_plane; ++k)
                     y[k] = indices[k] == no_pixel ? T{0} : in[indices[k]];
                 }
               });
}

template <class T>
void max_pool2d_scatter(const Pool2dGeometry& g, const T* dy, const std::uint8_t* places, T* dx) {
  if constexpr (std::is_same_v<T, float>) {
    if (is_2x2(g)) {
      const std::int64_t grain = planes_per_chunk(g.in_plane(), vector_moves_per_chunk);
      return parallel_for(g.planes, grain, [&](std::int64_t begin, std::int64_t end) {
        max_pool_2x2_scatter(end - begin, g.in_height, g.in_width, dy + begin * g.out_plane(),
                             places + begin * g.out_plane(), dx + begin * g.in_plane());
      });
    }
  }
  parallel_for(g.planes, planes_per_chunk(g.in_plane(), moves_per_chunk),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t plane = begin; plane < end; ++plane) {
                   const T* slope = dy + plane * g.out_plane();
                   T* out = dx + plane * g.in_plane();
                   std::fill_n(out, g.in_plane(), T{0});
                   for_each_choice(
                       g, places + plane * g.out_plane(),
                       [&](std::int64_t k, std::int64_t index) { out[index] += slope[k]; });
                 }
               });
}

template <class T>
void max_pool2d_gather(const Pool2dGeometry& g, const T* x, const std::uint8_t* places, T* y) {
  parallel_for(g.planes, planes_per_chunk(g.out_plane(), moves_per_chunk),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t plane = begin; plane < end; ++plane) {
                   const T* in = x + plane * g.in_plane();
                   T* out = y + plane * g.out_plane();
                   for_each_choice(g, places + plane * g.out_plane(),
                                   [&](std::int64_t k, std::int64_t index) { out[k] = in[index]; });
                 }
               });
}

template <class T>
void adaptive_max_pool2d_forward(const AdaptivePool2dGeometry& g, const T* x, T* y,
                                 std::int64_t* indices) {
  const std::int64_t in_plane = g.in_height * g.in_width;
  const std::int64_t out_plane = g.out_height * g.out_width;
  const auto bin = [](std::int64_t output, std::int64_t outputs, std::int64_t size) {
    return Window{bin_begin(output, outputs, size), bin_end(output, outputs, size)};
  };
  parallel_for(g.planes, planes_per_chunk(in_plane + out_plane, comparisons_per_chunk),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t k = begin * out_plane; k < end * out_plane; ++k) {
                   const std::int64_t output = k % out_plane;
                   const Greatest<T> greatest(x + k / out_plane * in_plane, g.in_width,
                                              bin(output / g.out_width, g.out_height, g.in_height),
                                              bin(output % g.out_width, g.out_width, g.in_width));
                   y[k] = greatest.best;
                   indices[k] = greatest.h * g.in_width + greatest.w;
                 }
               });
}

template void adaptive_max_pool2d_forward(const AdaptivePool2dGeometry&, const float*, float*,
                                          std::int64_t*);
template void adaptive_max_pool2d_forward(const AdaptivePool2dGeometry&, const double*, double*,
                                          std::int64_t*);
template void max_pool2d_forward(const Pool2dGeometry&, const float*, float*, std::int64_t*);
template void max_pool2d_forward(const Pool2dGeometry&, const double*, double*, std::int64_t*);
template void max_pool2d_scatter(std::int64_t, std::int64_t, std::int64_t, const float*,
                                 const std::int64_t*, float*);
template void max_pool2d_scatter(std::int64_t, std::int64_t, std::int64_t, const double*,
                                 const std::int64_t*, double*);
template void max_pool2d_gather(std::int64_t, std::int64_t, std::int64_t, const float*,
                                const std::int64_t*, float*);
template void max_pool2d_gather(std::int64_t, std::int64_t, std::int64_t, const double*,
                                const std::int64_t*, double*);
template void max_pool2d_forward(const Pool2dGeometry&, const float*, float*, std::uint8_t*);
template void max_pool2d_forward(const Pool2dGeometry&, const double*, double*, std::uint8_t*);
template void max_pool2d_scatter(const Pool2dGeometry&, const float*, const std::uint8_t*, float*);
template void max_pool2d_scatter(const Pool2dGeometry&, const double*, const std::uint8_t*,
                                 double*);
template void max_pool2d_gather(const Pool2dGeometry&, const float*, const std::uint8_t*, float*);
template void max_pool2d_gather(const Pool2dGeometry&, const double*, const std::uint8_t*, double*);

}  // namespace gradus::kernels
