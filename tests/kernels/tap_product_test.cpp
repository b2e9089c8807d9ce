// Tap products in both lanes against plain loops, and the sums over filters that they and weight
// gradients are made of: random sizes, what is read, what is written and what is not.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include <gradus/core/kernels/conv2d/filter_lanes.h>
#include <gradus/core/kernels/conv2d/output_lanes.h>
#include <gradus/core/kernels/conv2d/tap_product.h>

using namespace gradus::kernels;

namespace {

constexpr float sentinel = 77;
constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();
constexpr double epsilon = std::numeric_limits<float>::epsilon();

std::vector<float> random_values(std::int64_t count, std::mt19937& engine) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values)
    value = static_cast<float>(static_cast<double>(engine()) / 2147483648.0 - 1.0);
  return values;
}

std::int64_t between(std::int64_t least, std::int64_t most, std::mt19937& engine) {
  return least + static_cast<std::int64_t>(engine() % static_cast<unsigned>(most - least + 1));
}

float at(const std::vector<float>& values, std::int64_t i) {
  return values.at(static_cast<std::size_t>(i));
}

/// A tap product of random size, its operands, and what surrounds them.
struct Example {
  TapProduct product;
  std::vector<std::int64_t> offset;
  std::vector<std::int64_t> window;
  std::vector<float> image, weight, bias;

  Example(std::mt19937& engine, bool strided) {
    product.rows = between(1, 7, engine);
    product.columns = between(1, 34, engine);
    product.column_step = strided ? between(1, 3, engine) : 1;
    product.row_step = product.columns * product.column_step + between(0, 5, engine);
    product.taps = between(0, 40, engine);
    if (engine() % 8 == 0) product.taps = between(200, 600, engine);  // several passes
    product.filters = between(1, 70, engine);
    product.output_plane = product.rows * product.columns + between(0, 3, engine);
    const std::int64_t reach =
        product.rows * product.row_step + product.columns * product.column_step;
    std::int64_t end = reach + patch_slack;
    for (std::int64_t t = 0; t < product.taps; ++t) {
      offset.push_back(t * reach / 4 + between(0, 3, engine));
      end = offset.back() + reach + patch_slack;
    }
    product.offset = offset.data();
    window = windows(product);
    product.window = window.data();
    image = random_values(end, engine);
    weight = random_values(product.filters * product.taps, engine);
    bias = random_values(product.filters, engine);
  }

  std::vector<float> output(Lanes lanes, bool with_bias, bool relu) const {
    TapProduct p = product;
    p.lanes = lanes;
    std::vector<float> packed(static_cast<std::size_t>(packed_size(p)), nan_value);
    pack_weights(p, weight.data(), packed.data());
    std::vector<float> result(static_cast<std::size_t>(p.filters * p.output_plane), sentinel);
    tap_product(p, image.data(), packed.data(), with_bias ? bias.data() : nullptr, relu,
                result.data());
    return result;
  }

  /// How many outputs are wrong, or were touched though they are none.
  int wrong(const std::vector<float>& result, bool with_bias, bool relu) const {
    int wrong = 0;
    for (std::int64_t f = 0; f < product.filters; ++f) {
      for (std::int64_t i = 0; i < product.output_plane; ++i) {
        const float value = at(result, f * product.output_plane + i);
        if (i >= product.rows * product.columns) {
          wrong += value != sentinel;
          continue;
        }
        const std::int64_t first =
            i / product.columns * product.row_step + i % product.columns * product.column_step;
        double sum = with_bias ? at(bias, f) : 0.0;
        double magnitude = std::fabs(sum);
        for (std::int64_t t = 0; t < product.taps; ++t) {
          const double term = static_cast<double>(at(weight, f * product.taps + t)) *
                              at(image, first + offset[static_cast<std::size_t>(t)]);
          sum += term;
          magnitude += std::fabs(term);
        }
        if (relu && sum < 0) sum = 0;
        const double bound = 2 * static_cast<double>(product.taps + 1) * epsilon * magnitude;
        wrong += !(std::fabs(value - sum) <= bound);
      }
    }
    return wrong;
  }
};

}  // namespace

TEST_CASE("a tap product agrees with plain loops, along outputs and along filters") {
  std::mt19937 engine(20261122);
  int wrong = 0;
  int different = 0;
  for (int round = 0; round < 2000; ++round) {
    const Example example(engine, false);
    const bool with_bias = engine() % 2 == 0;
    const bool relu = engine() % 2 == 0;
    const auto along = example.output(Lanes::outputs, with_bias, relu);
    const auto across = example.output(Lanes::filters, with_bias, relu);
    wrong += example.wrong(along, with_bias, relu) + example.wrong(across, with_bias, relu);
    different += along != across;
  }
  CHECK(wrong == 0);
  CHECK(different == 0);
}

TEST_CASE("along filters windows may be any distance apart") {
  std::mt19937 engine(7);
  int wrong = 0;
  for (int round = 0; round < 500; ++round) {
    const Example example(engine, true);
    wrong += example.wrong(example.output(Lanes::filters, true, false), true, false);
    CHECK((example.product.column_step == 1 || choose_lanes(example.product) == Lanes::filters));
  }
  CHECK(wrong == 0);
}

TEST_CASE("a NaN passes through the ReLU of a tap product") {
  const std::int64_t offset = 0;
  TapProduct p{.rows = 1,
               .columns = 3,
               .row_step = 3,
               .taps = 1,
               .offset = &offset,
               .filters = 1,
               .output_plane = 3};
  const auto window = windows(p);
  p.window = window.data();
  std::vector<float> image(3 + patch_slack, -1.0F);
  image[1] = nan_value;
  for (const Lanes lanes : {Lanes::outputs, Lanes::filters}) {
    p.lanes = lanes;
    const float weight = 2;
    std::vector<float> packed(static_cast<std::size_t>(packed_size(p)));
    pack_weights(p, &weight, packed.data());
    std::vector<float> y(3, sentinel);
    tap_product(p, image.data(), packed.data(), nullptr, true, y.data());
    CHECK(y[0] == 0);
    CHECK(std::isnan(y[1]));
    CHECK(y[2] == 0);
  }
}

TEST_CASE("the lanes are those that fewer are lost in") {
  const auto lanes = [](std::int64_t rows, std::int64_t columns, std::int64_t row_step,
                        std::int64_t taps, std::int64_t filters) {
    return choose_lanes(
        {.rows = rows, .columns = columns, .row_step = row_step, .taps = taps, .filters = filters});
  };
  CHECK(lanes(32, 32, 34, 576, 64) == Lanes::outputs);
  CHECK(lanes(32, 32, 34, 27, 1) == Lanes::outputs);
  // On any CPU that has vectors.
  if (padded_filters(1) > 1) CHECK(lanes(5, 1, 9, 576, 64) == Lanes::filters);
}

TEST_CASE("sums over filters: several images, runs of neighbours, added to what is there") {
  std::mt19937 engine(11);
  int wrong = 0;
  for (int round = 0; round < 1000; ++round) {
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
    const auto image = random_values(images * image_step, engine);

    const std::int64_t padded = padded_filters(filters);
    std::vector<float> rows;
    std::vector<std::vector<float>> matrices;
    for (std::int64_t k = 0; k < images; ++k) {
      matrices.push_back(random_values(filters * length, engine));
      std::vector<float> packed(static_cast<std::size_t>(padded * length), nan_value);
      pack_filters(filters, length, matrices.back().data(), length, packed.data());
      rows.insert(rows.end(), packed.begin(), packed.end());
    }
    const auto before = random_values(filters * count, engine);
    std::vector<float> sums(static_cast<std::size_t>(padded * count));
    pack_filters(filters, count, before.data(), count, sums.data());
    filter_lanes_product({.filters = filters,
                          .count = count,
                          .at = positions.data(),
                          .run = run,
                          .length = length,
                          .step = steps.data(),
                          .images = images,
                          .image_step = image_step,
                          .rows_step = padded * length},
                         image.data(), rows.data(), nullptr, sums.data());
    std::vector<float> result(static_cast<std::size_t>(filters * count), sentinel);
    unpack_filters(filters, count, sums.data(), false, result.data(), count);

    for (std::int64_t f = 0; f < filters; ++f) {
      for (std::int64_t i = 0; i < count; ++i) {
        double sum = at(before, f * count + i);
        double magnitude = std::fabs(sum);
        for (std::int64_t k = 0; k < images; ++k) {
          for (std::int64_t l = 0; l < length; ++l) {
            const double term =
                static_cast<double>(at(matrices[static_cast<std::size_t>(k)], f * length + l)) *
                at(image, k * image_step + positions[static_cast<std::size_t>(i)] +
                              steps[static_cast<std::size_t>(l)]);
            sum += term;
            magnitude += std::fabs(term);
          }
        }
        const double bound = 2 * static_cast<double>(images * length + 1) * epsilon * magnitude;
        wrong += !(std::fabs(at(result, f * count + i) - sum) <= bound);
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("a row of neighbours is cut into runs of its largest small divisor") {
  CHECK(run_of(10) == 5);
  CHECK(run_of(28) == 7);
  CHECK(run_of(32) == 8);
  CHECK(run_of(13) == 1);
  CHECK(run_of(1) == 1);
}
