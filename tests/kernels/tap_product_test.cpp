// Tap products in both lanes against plain loops, and the sums over filters that they and weight
// gradients are made of: random sizes, what is read, what is written and what is not; in float and
// in double.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include <gradus/core/kernels/conv2d/filter_lanes.h>
#include <gradus/core/kernels/conv2d/output_lanes.h>
#include <gradus/core/kernels/conv2d/tap_product.h>

#include "kernels/numbers.h"

using namespace gradus::kernels;

namespace {

constexpr double sentinel = 77;

template <class V> auto at(const std::vector<V>& values, std::int64_t i) {
  return values.at(static_cast<std::size_t>(i));
}

/// A sum of k products, by whatever order, is within k·eps·Σ|a||b| of the exact one (Higham,
/// Accuracy and Stability, 3.1); here the sum it is compared with has, for double, the same error.
template <class T> double bound(std::int64_t products, double magnitude) {
  return 2 * static_cast<double>(products) *
         static_cast<double>(std::numeric_limits<T>::epsilon()) * magnitude;
}

/// A tap product of random size, its operands, and what surrounds them.
template <class T> struct Example {
  TapProductSize size;
  std::vector<std::int64_t> offsets;
  std::vector<T> image, weight, bias;

  Example(std::mt19937& engine, bool strided, std::int64_t images) {
    size.rows = between(1, 7, engine);
    size.last_rows = between(1, size.rows, engine);
    size.columns = between(1, 34, engine);
    size.column_step = strided ? between(1, 3, engine) : 1;
    size.row_step = size.columns * size.column_step + between(0, 5, engine);
    size.taps = between(0, 40, engine);
    if (engine() % 8 == 0) size.taps = between(200, 600, engine);  // several passes
    size.filters = between(1, 70, engine);
    size.output_plane = size.rows * size.columns + between(0, 3, engine);
    const std::int64_t reach = size.rows * size.row_step + size.columns * size.column_step;
    std::int64_t end = reach + patch_slack;
    for (std::int64_t t = 0; t < size.taps; ++t) {
      offsets.push_back(t * reach / 4 + between(0, 3, engine));
      end = offsets.back() + reach + patch_slack;
    }
    size.images = images;
    size.image_step = end + between(0, 3, engine);
    size.output_step = size.filters * size.output_plane + between(0, 3, engine);
    image = random_values<T>(images * size.image_step, engine);
    weight = random_values<T>(size.filters * size.taps, engine);
    bias = random_values<T>(size.filters, engine);
  }

  std::vector<T> output(Lanes lanes, std::int64_t rows, std::int64_t images, bool with_bias,
                        bool relu) const {
    const TapProduct<T> product(size, lanes, offsets);
    std::vector<T> packed = unwritten<T>(product.weight_size());
    if (lanes == Lanes::filters) {
      filter_lanes<T>().pack(size.filters, size.taps, weight.data(), size.taps, packed.data(),
                             size.taps, 0);
    } else {
      packed = weight;
    }
    std::vector<T> result(static_cast<std::size_t>(size.images * size.output_step), T{sentinel});
    product.multiply(rows, images, image.data(), packed.data(),
                     {.bias = with_bias ? bias.data() : nullptr, .relu = relu}, result.data());
    return result;
  }

  /// How many outputs are wrong, or were touched though they are none.
  int wrong(const std::vector<T>& result, std::int64_t rows, std::int64_t images, bool with_bias,
            bool relu) const {
    std::vector<T> expected(result.size(), T{sentinel});
    std::vector<double> bounds(result.size(), 0);
    for (std::int64_t k = 0; k < images; ++k) {
      for (std::int64_t f = 0; f < size.filters; ++f) {
        for (std::int64_t i = 0; i < rows * size.columns; ++i) {
          const std::int64_t first = k * size.image_step + i / size.columns * size.row_step +
                                     i % size.columns * size.column_step;
          double sum = with_bias ? at(bias, f) : 0.0;
          double magnitude = std::abs(sum);
          for (std::int64_t t = 0; t < size.taps; ++t) {
            const double term = static_cast<double>(at(weight, f * size.taps + t)) *
                                static_cast<double>(at(image, first + at(offsets, t)));
            sum += term;
            magnitude += std::abs(term);
          }
          const auto place =
              static_cast<std::size_t>(k * size.output_step + f * size.output_plane + i);
          expected[place] = static_cast<T>(relu && sum < 0 ? 0 : sum);
          bounds[place] = bound<T>(size.taps + 1, magnitude);
        }
      }
    }
    int wrong = 0;
    for (std::size_t i = 0; i < result.size(); ++i)
      wrong += !(std::abs(static_cast<double>(result[i] - expected[i])) <= bounds[i]);
    return wrong;
  }
};

/// The sums of filter_lanes.h for random sizes, added to what is there; how many are wrong.
template <class T> int wrong_sums_over_filters(std::mt19937& engine) {
  const std::int64_t filters = between(1, 70, engine);
  const std::int64_t run = between(1, most_neighbours, engine);
  const std::int64_t count = run * between(1, 12, engine);
  const std::int64_t length =
      engine() % 8 == 0 ? between(300, 500, engine) : between(0, 30, engine);
  const std::int64_t images = between(1, 3, engine);
  std::vector<std::int64_t> positions, steps;
  for (std::int64_t i = 0; i < count; ++i)
    positions.push_back(i % run == 0 ? between(0, 50, engine) : positions.back() + 1);
  for (std::int64_t l = 0; l < length; ++l) steps.push_back(between(0, 60, engine));
  const std::int64_t image_step = 150;
  const auto image = random_values<T>(images * image_step, engine);

  // Of more rows than are taken, to more sums than are meant: any rows, and any runs of places.
  const std::int64_t packed_rows = length + between(0, 4, engine);
  const std::int64_t packed_sums = count + between(0, 4, engine);
  std::vector<std::int64_t> taken, runs, places;
  for (std::int64_t l = 0; l < length; ++l) taken.push_back(between(0, packed_rows - 1, engine));
  for (std::int64_t i = 0; i < count / run; ++i) runs.push_back(i);
  std::shuffle(runs.begin(), runs.end(), engine);
  for (std::int64_t i = 0; i < count; ++i) places.push_back(at(runs, i / run) * run + i % run);

  const std::int64_t padded = filter_lanes<T>().padded_filters(filters);
  std::vector<T> rows = unwritten<T>(images * padded * packed_rows);
  const auto matrices = random_values<T>(images * filters * packed_rows, engine);
  for (std::int64_t k = 0; k < images; ++k) {
    filter_lanes<T>().pack(filters, packed_rows, matrices.data() + k * filters * packed_rows,
                           packed_rows, rows.data() + k * padded * packed_rows, packed_rows, 0);
  }
  const auto before = random_values<T>(filters * packed_sums, engine);
  std::vector<T> sums = unwritten<T>(padded * packed_sums);
  filter_lanes<T>().pack(filters, packed_sums, before.data(), packed_sums, sums.data(), packed_sums,
                         0);
  filter_lanes<T>().multiply({.filters = filters,
                              .count = count,
                              .at = positions.data(),
                              .place = places.data(),
                              .run = run,
                              .length = length,
                              .step = steps.data(),
                              .row = taken.data(),
                              .images = images,
                              .image_step = image_step,
                              .rows_step = padded * packed_rows,
                              .packed_rows = packed_rows,
                              .packed_sums = packed_sums},
                             image.data(), rows.data(), nullptr, sums.data());
  std::vector<T> result = unwritten<T>(filters * packed_sums);
  filter_lanes<T>().unpack(filters, packed_sums, sums.data(), false, result.data(), packed_sums);

  int wrong = 0;
  for (std::int64_t f = 0; f < filters; ++f) {
    for (std::int64_t i = 0; i < count; ++i) {
      double sum = at(before, f * packed_sums + at(places, i));
      double magnitude = std::abs(sum);
      for (std::int64_t k = 0; k < images; ++k) {
        for (std::int64_t l = 0; l < length; ++l) {
          const double term =
              static_cast<double>(at(matrices, (k * filters + f) * packed_rows + at(taken, l))) *
              static_cast<double>(at(image, k * image_step + at(positions, i) + at(steps, l)));
          sum += term;
          magnitude += std::abs(term);
        }
      }
      const double difference =
          static_cast<double>(at(result, f * packed_sums + at(places, i))) - sum;
      wrong += !(std::abs(difference) <= bound<T>(images * length + 1, magnitude));
    }
  }
  for (std::int64_t f = 0; f < filters; ++f) {  // the others are as they were
    for (std::int64_t i = count; i < packed_sums; ++i)
      wrong += at(result, f * packed_sums + i) != at(before, f * packed_sums + i);
  }
  return wrong;
}

}  // namespace

TEST_CASE_TEMPLATE("a tap product agrees with plain loops, along outputs and along filters", T,
                   float, double) {
  std::mt19937 engine(20261122);
  int wrong = 0;
  int different = 0;
  for (int round = 0; round < 1500; ++round) {
    const Example<T> example(engine, false, 1);
    const bool with_bias = engine() % 2 == 0;
    const bool relu = engine() % 2 == 0;
    const std::int64_t rows = engine() % 2 == 0 ? example.size.rows : example.size.last_rows;
    const auto along = example.output(Lanes::outputs, rows, 1, with_bias, relu);
    const auto across = example.output(Lanes::filters, rows, 1, with_bias, relu);
    wrong += example.wrong(along, rows, 1, with_bias, relu);
    different += along != across;
  }
  CHECK(wrong == 0);
  CHECK(different == 0);
}

TEST_CASE_TEMPLATE("along filters windows may be any distance apart, of several images", T, float,
                   double) {
  std::mt19937 engine(7);
  int wrong = 0;
  for (int round = 0; round < 500; ++round) {
    const Example<T> example(engine, true, between(1, 4, engine));
    const TapProductSize& size = example.size;
    const std::int64_t images = between(1, size.images, engine);  // fewer in the last item
    // Only an image that is a single tile shares an item with others.
    const std::int64_t rows = size.images > 1 ? size.rows : size.last_rows;
    wrong += example.wrong(example.output(Lanes::filters, rows, images, true, false), rows, images,
                           true, false);
    CHECK((size.column_step == 1 || choose_lanes<T>(size) == Lanes::filters));
  }
  CHECK(wrong == 0);
}

TEST_CASE_TEMPLATE("a NaN passes through the ReLU of a tap product", T, float, double) {
  const TapProductSize size{.rows = 1,
                            .last_rows = 1,
                            .columns = 3,
                            .row_step = 3,
                            .taps = 1,
                            .filters = 1,
                            .output_plane = 3};
  std::vector<T> image(3 + patch_slack, T{-1});
  image[1] = std::numeric_limits<T>::quiet_NaN();
  for (const Lanes lanes : {Lanes::outputs, Lanes::filters}) {
    const TapProduct<T> product(size, lanes, {0});
    std::vector<T> weight(static_cast<std::size_t>(product.weight_size()), T{0});
    weight[0] = 2;
    std::vector<T> y(3, T{sentinel});
    product.multiply(1, 1, image.data(), weight.data(), {.relu = true}, y.data());
    CHECK(y[0] == 0);
    CHECK(std::isnan(y[1]));
    CHECK(y[2] == 0);
  }
}

TEST_CASE_TEMPLATE("the lanes are those that fewer are lost in", T, float, double) {
  const auto lanes = [](std::int64_t rows, std::int64_t columns, std::int64_t row_step,
                        std::int64_t taps, std::int64_t filters) {
    return choose_lanes<T>(
        {.rows = rows, .columns = columns, .row_step = row_step, .taps = taps, .filters = filters});
  };
  CHECK(lanes(32, 32, 34, 576, 64) == Lanes::outputs);
  CHECK(lanes(32, 32, 34, 27, 1) == Lanes::outputs);
  // On any CPU that has vectors.
  if (filter_lanes<T>().padded_filters(1) > 1) CHECK(lanes(5, 1, 9, 576, 64) == Lanes::filters);
}

TEST_CASE_TEMPLATE("sums over filters: several images, runs of neighbours, added to what is there",
                   T, float, double) {
  std::mt19937 engine(11);
  int wrong = 0;
  for (int round = 0; round < 1000; ++round) wrong += wrong_sums_over_filters<T>(engine);
  CHECK(wrong == 0);
}

TEST_CASE_TEMPLATE("panels hold every filter once, zeros beyond the last, and come back", T, float,
                   double) {
  std::mt19937 engine(12);
  for (int round = 0; round < 500; ++round) {
    const std::int64_t filters = between(1, 70, engine);
    const std::int64_t columns = between(1, 40, engine);
    const std::int64_t first = between(0, 3, engine);  // of more columns than these
    const std::int64_t packed_columns = first + columns + between(0, 3, engine);
    const std::int64_t row_step = columns + between(0, 3, engine);
    const std::int64_t padded = filter_lanes<T>().padded_filters(filters);
    const auto matrix = random_values<T>(filters * row_step, engine);
    std::vector<T> packed(static_cast<std::size_t>(padded * packed_columns), T{sentinel});
    filter_lanes<T>().pack(filters, columns, matrix.data(), row_step, packed.data(), packed_columns,
                           first);
    std::vector<T> expected(packed.size(), T{sentinel});
    for (std::int64_t panel = 0; panel < padded;) {
      const std::int64_t width = filter_lanes<T>().panel_width(padded - panel);
      for (std::int64_t c = 0; c < columns; ++c) {
        for (std::int64_t f = 0; f < width; ++f) {
          expected[static_cast<std::size_t>(panel * packed_columns + (first + c) * width + f)] =
              panel + f < filters ? at(matrix, (panel + f) * row_step + c) : T{0};
        }
      }
      panel += width;
    }
    REQUIRE(packed == expected);

    const bool relu = engine() % 2 == 0;
    const auto panels = random_values<T>(padded * columns, engine);
    std::vector<T> back(static_cast<std::size_t>(filters * row_step), T{sentinel});
    filter_lanes<T>().unpack(filters, columns, panels.data(), relu, back.data(), row_step);
    std::vector<T> expected_back(back.size(), T{sentinel});
    for (std::int64_t panel = 0; panel < padded;) {
      const std::int64_t width = filter_lanes<T>().panel_width(padded - panel);
      for (std::int64_t f = panel; f < std::min(panel + width, filters); ++f) {
        for (std::int64_t c = 0; c < columns; ++c) {
          const T value = at(panels, panel * columns + c * width + f - panel);
          expected_back[static_cast<std::size_t>(f * row_step + c)] =
              relu && value < 0 ? T{0} : value;
        }
      }
      panel += width;
    }
    REQUIRE(back == expected_back);
  }
}

TEST_CASE_TEMPLATE("a matrix of any size is transposed, and nothing else is touched", T, float,
                   double) {
  std::mt19937 engine(13);
  for (int round = 0; round < 500; ++round) {
    const std::int64_t rows = between(1, 40, engine);
    const std::int64_t columns = between(1, 40, engine);
    const std::int64_t from_step = columns + between(0, 3, engine);
    const std::int64_t to_step = rows + between(0, 3, engine);
    const auto from = random_values<T>(rows * from_step, engine);
    std::vector<T> to(static_cast<std::size_t>(columns * to_step), T{sentinel});
    std::vector<T> expected = to;
    filter_lanes<T>().transpose(rows, columns, from.data(), from_step, to.data(), to_step);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < columns; ++c)
        expected[static_cast<std::size_t>(c * to_step + r)] = at(from, r * from_step + c);
    }
    REQUIRE(to == expected);
  }
}

TEST_CASE("a row of neighbours is cut into runs of its largest small divisor") {
  CHECK(run_of(10) == 5);
  CHECK(run_of(28) == 4);
  CHECK(run_of(33) == 3);
  CHECK(run_of(13) == 1);
  CHECK(run_of(1) == 1);
}
