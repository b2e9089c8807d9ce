// Patches and the way back from phases against plain loops, and the dot products that run along
// them; in float and in double. What is written: each element once, and nothing beside them.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include <gradus/core/kernels/conv2d/output_lanes.h>
#include <gradus/core/kernels/conv2d/patch.h>
#include <gradus/core/kernels/conv2d/shifted_dots.h>

#include "kernels/numbers.h"

using namespace gradus::kernels;

namespace {

constexpr double sentinel = 77;

template <class V> auto at(const std::vector<V>& values, std::int64_t i) {
  return values.at(static_cast<std::size_t>(i));
}

}  // namespace

TEST_CASE_TEMPLATE("a patch holds the zero-padded image, whatever the stride and the place", T,
                   float, double) {
  std::mt19937 engine(1);
  for (int round = 0; round < 2000; ++round) {
    const typename Patch<T>::Size size{.rows = between(1, 12, engine),
                                       .columns = between(1, 50, engine),
                                       .stride_h = between(1, 4, engine),
                                       .stride_w = between(1, 4, engine),
                                       .all_rows = engine() % 4 != 0,
                                       .all_columns = engine() % 4 != 0};
    const PatchView view{.image_height = between(1, 12, engine),
                         .image_width = between(1, 50, engine),
                         .top = between(-8, 8, engine),
                         .left = between(-20, 20, engine)};
    const std::int64_t channels = between(1, 3, engine);
    const auto image = random_values<T>(channels * view.image_height * view.image_width, engine);
    const Patch<T> layout(size);
    std::vector<T> patch = unwritten<T>(layout.size(channels) + 1);
    layout.fill(view, channels, image.data(), patch.data());
    CHECK(std::isnan(patch.back()));
    patch.pop_back();
    int wrong = 0;
    for (const T value : patch) wrong += std::isnan(value);
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t r = 0; r < size.rows; r += size.all_rows ? 1 : size.stride_h) {
        for (std::int64_t q = 0; q < size.columns; q += size.all_columns ? 1 : size.stride_w) {
          const std::int64_t h = view.top + r;
          const std::int64_t w = view.left + q;
          const bool inside = h >= 0 && h < view.image_height && w >= 0 && w < view.image_width;
          const T expected =
              inside ? at(image, (c * view.image_height + h) * view.image_width + w) : T{0};
          wrong += at(patch, c * layout.channel() + layout.at(r, q)) != expected;
        }
      }
    }
    REQUIRE(wrong == 0);
  }
}

TEST_CASE_TEMPLATE("phases are interleaved, and pixels of other phases are left as they are", T,
                   float, double) {
  std::mt19937 engine(2);
  for (int round = 0; round < 1000; ++round) {
    const std::int64_t width = between(1, 60, engine);
    PhaseRows rows{.planes = between(1, 3, engine),
                   .rows = between(1, 4, engine),
                   .stride = between(1, 4, engine)};
    rows.row_step = width + between(0, 5, engine);
    rows.plane_step = rows.rows * rows.row_step + between(0, 5, engine);
    std::vector<T> image(static_cast<std::size_t>(rows.planes * rows.plane_step), T{sentinel});
    std::vector<T> expected = image;
    std::vector<std::vector<T>> pixels;
    std::vector<RowPhase<T>> phases;
    for (std::int64_t first = 0; first < std::min(rows.stride, width); ++first) {
      if (rows.stride > 1 && engine() % 4 == 0) continue;  // a phase that no tap reaches
      RowPhase<T> phase{.first = first, .columns = (width - first - 1) / rows.stride + 1};
      phase.plane = rows.rows * phase.columns + between(0, 3, engine);
      pixels.push_back(random_values<T>(rows.planes * phase.plane, engine));
      phases.push_back(phase);
      for (std::int64_t p = 0; p < rows.planes; ++p) {
        for (std::int64_t r = 0; r < rows.rows; ++r) {
          for (std::int64_t k = 0; k < phase.columns; ++k) {
            expected[static_cast<std::size_t>(p * rows.plane_step + r * rows.row_step + first +
                                              k * rows.stride)] =
                at(pixels.back(), p * phase.plane + r * phase.columns + k);
          }
        }
      }
    }
    for (std::size_t i = 0; i < phases.size(); ++i) phases[i].pixels = pixels[i].data();
    patch_copies<T>().interleave(rows, static_cast<std::int64_t>(phases.size()), phases.data(),
                                 image.data());
    REQUIRE(image == expected);
  }
}

TEST_CASE_TEMPLATE("rows of gradients are spread with zeros between and behind them", T, float,
                   double) {
  std::mt19937 engine(3);
  for (int round = 0; round < 500; ++round) {
    const std::int64_t filters = between(1, 5, engine);
    const std::int64_t rows = between(1, 5, engine);
    const std::int64_t columns = between(1, 40, engine);
    const std::int64_t filter_step = rows * columns + between(0, 5, engine);
    const std::int64_t row_step = columns + between(0, 9, engine);
    const std::int64_t length = (rows - 1) * row_step + columns + between(0, 20, engine);
    const auto from = random_values<T>(filters * filter_step, engine);
    std::vector<T> to = unwritten<T>(filters * length);
    shifted_dots<T>().spread_rows(filters, rows, columns, from.data(), filter_step, row_step,
                                  length, to.data());
    std::vector<T> expected(to.size(), T{0});
    for (std::int64_t f = 0; f < filters; ++f) {
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t c = 0; c < columns; ++c) {
          expected[static_cast<std::size_t>(f * length + r * row_step + c)] =
              at(from, f * filter_step + r * columns + c);
        }
      }
    }
    REQUIRE(to == expected);
  }
}

TEST_CASE_TEMPLATE("shifted dots agree with plain loops, added to what is there", T, float,
                   double) {
  std::mt19937 engine(4);
  int wrong = 0;
  for (int round = 0; round < 1000; ++round) {
    const std::int64_t taps = between(1, 40, engine);
    std::vector<std::int64_t> offsets;
    for (std::int64_t t = 0; t < taps; ++t) offsets.push_back(between(0, 50, engine));
    const ShiftedDots dots{.filters = between(1, 11, engine),
                           .taps = taps,
                           .offset = offsets.data(),
                           .length = line_multiple * between(1, 6, engine),
                           .images = between(1, 3, engine),
                           .image_step = 200};
    const auto patch = random_values<T>(dots.images * dots.image_step, engine);
    const auto grad = random_values<T>(dots.images * dots.filters * dots.length, engine);
    const auto before = random_values<T>(dots.filters * taps, engine);
    std::vector<T> sums = before;
    shifted_dots<T>().add(dots, patch.data(), grad.data(), sums.data());
    for (std::int64_t f = 0; f < dots.filters; ++f) {
      for (std::int64_t t = 0; t < taps; ++t) {
        double sum = at(before, f * taps + t);
        double magnitude = std::abs(sum);
        for (std::int64_t k = 0; k < dots.images; ++k) {
          for (std::int64_t i = 0; i < dots.length; ++i) {
            const double term =
                static_cast<double>(at(grad, (k * dots.filters + f) * dots.length + i)) *
                static_cast<double>(at(patch, k * dots.image_step + at(offsets, t) + i));
            sum += term;
            magnitude += std::abs(term);
          }
        }
        // Two sums of k products differ by at most 2·k·eps·Σ|a||b| (Higham, 3.1).
        const double bound = 2 * static_cast<double>(dots.images * dots.length + 1) *
                             static_cast<double>(std::numeric_limits<T>::epsilon()) * magnitude;
        wrong += !(std::abs(static_cast<double>(at(sums, f * taps + t)) - sum) <= bound);
      }
    }
  }
  CHECK(wrong == 0);
}
