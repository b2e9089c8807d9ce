// Pooling against naive loops and PyTorch's answers: NaN, -inf, ties, padding, dilation, adjoints.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <gradus/core/kernels/pool/pool2d.h>
#include <gradus/core/parallel.h>

using namespace gradus::kernels;

namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

using Indices = std::vector<std::int64_t>;

std::size_t size_of(std::int64_t count) { return static_cast<std::size_t>(count); }

std::vector<double> random_values(std::int64_t count, std::mt19937& engine) {
  std::vector<double> values(size_of(count));
  for (double& value : values) value = static_cast<double>(engine()) / 2147483648.0 - 1.0;
  return values;
}

double inner_product(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
  return sum;
}

struct MaxResult {
  std::vector<double> y;
  Indices indices;
};

MaxResult max_pool(const Pool2dGeometry& g, const std::vector<double>& x) {
  MaxResult result{std::vector<double>(size_of(g.planes * g.out_plane()), 77.0),
                   Indices(size_of(g.planes * g.out_plane()), -1)};
  max_pool2d_forward(g, x.data(), result.y.data(), result.indices.data());
  return result;
}

/// Every position of the padded image is asked whether it belongs to the window: slow, and
/// unlike the kernel.
MaxResult naive_max_pool(const Pool2dGeometry& g, const std::vector<double>& x) {
  MaxResult result;
  for (std::int64_t plane = 0; plane < g.planes; ++plane) {
    for (std::int64_t output = 0; output < g.out_plane(); ++output) {
      const std::int64_t top = output / g.out_width() * g.stride_h - g.padding_h;
      const std::int64_t left = output % g.out_width() * g.stride_w - g.padding_w;
      double best = -infinity;
      std::int64_t index = no_pixel;
      for (std::int64_t k = 0; k < g.in_plane(); ++k) {
        const std::int64_t h = k / g.in_width - top;
        const std::int64_t w = k % g.in_width - left;
        if (h < 0 || w < 0 || h % g.dilation_h != 0 || w % g.dilation_w != 0) continue;
        if (h / g.dilation_h >= g.kernel_h || w / g.dilation_w >= g.kernel_w) continue;
        const double value = x[size_of(plane * g.in_plane() + k)];
        if (index < 0) index = k;
        if (value > best || std::isnan(value)) {
          best = value;
          index = k;
        }
      }
      result.y.push_back(best);
      result.indices.push_back(index);
    }
  }
  return result;
}

bool same_values(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (!(a[k] == b[k] || (std::isnan(a[k]) && std::isnan(b[k])))) return false;
  }
  return true;
}

Pool2dGeometry random_geometry(std::mt19937& engine, std::int64_t largest_dilation) {
  const auto between = [&](std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(engine()) % (high - low + 1);
  };
  Pool2dGeometry g;
  g.planes = between(1, 4);
  g.kernel_h = between(1, 4);
  g.kernel_w = between(1, 4);
  g.stride_h = between(1, 3);
  g.stride_w = between(1, 3);
  g.padding_h = between(0, g.kernel_h / 2);
  g.padding_w = between(0, g.kernel_w / 2);
  g.dilation_h = between(1, largest_dilation);
  g.dilation_w = between(1, largest_dilation);
  g.ceil_mode = between(0, 1) == 1;
  g.in_height = std::max<std::int64_t>(1, g.dilation_h * (g.kernel_h - 1) + 1 - 2 * g.padding_h) +
                between(0, 8);
  g.in_width = std::max<std::int64_t>(1, g.dilation_w * (g.kernel_w - 1) + 1 - 2 * g.padding_w) +
               between(0, 8);
  return g;
}

/// Mean over rows [top, bottom) and columns [left, right), outside positions counting as zero.
double naive_mean(const double* x, std::int64_t height, std::int64_t width, std::int64_t top,
                  std::int64_t bottom, std::int64_t left, std::int64_t right, bool count_outside) {
  double sum = 0;
  std::int64_t counted = 0;
  for (std::int64_t h = top; h < bottom; ++h) {
    for (std::int64_t w = left; w < right; ++w) {
      const bool inside = h >= 0 && h < height && w >= 0 && w < width;
      if (inside) sum += x[h * width + w];
      if (inside || count_outside) ++counted;
    }
  }
  return sum / static_cast<double>(counted);
}

// At most 16 (adaptive: some 100) terms below 1 in another order: 1e-14 is about fifty times eps.
constexpr double mean_tolerance = 1e-14;
// Inner products of a few thousand such terms.
constexpr double adjoint_tolerance = 1e-11;

}  // namespace

TEST_CASE("max_pool2d takes the maximum of each 2x2 window and says where it was") {
  const std::vector<double> x = {1, 2, 5, 0, 9,
                                 4, 3, 7, 8};  // 3x3: the last row and column are not reached
  const auto strided = max_pool(
      {.in_height = 3, .in_width = 3, .kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2},
      x);
  CHECK(strided.y == std::vector<double>{9});
  CHECK(strided.indices == Indices{4});
  const auto dense = max_pool({.in_height = 3, .in_width = 3, .kernel_h = 2, .kernel_w = 2}, x);
  CHECK(dense.y == std::vector<double>{9, 9, 9, 9});
  CHECK(dense.indices == Indices{4, 4, 4, 4});
}

TEST_CASE("the first maximum wins a tie") {
  for (const std::int64_t stride : {1, 2}) {
    const auto result = max_pool({.in_height = 2,
                                  .in_width = 2,
                                  .kernel_h = 2,
                                  .kernel_w = 2,
                                  .stride_h = stride,
                                  .stride_w = stride},
                                 {1, 3, 3, 3});
    CHECK(result.indices == Indices{1});
  }
}

TEST_CASE("a NaN in the window is the maximum, and the last NaN gives the index") {
  // PyTorch 1.13: max_pool2d([[1,nan],[nan,2]], 2, return_indices) is nan at 2.
  for (const std::int64_t stride : {1, 2}) {
    const auto result = max_pool({.in_height = 2,
                                  .in_width = 2,
                                  .kernel_h = 2,
                                  .kernel_w = 2,
                                  .stride_h = stride,
                                  .stride_w = stride},
                                 {1, nan_value, nan_value, 2});
    CHECK(std::isnan(result.y[0]));
    CHECK(result.indices == Indices{2});
  }
}

TEST_CASE("windows of -inf give -inf at their first element") {
  // PyTorch 1.13: full(4,4,-inf), kernel 3, stride 2, padding 1 gives indices [[0,1],[4,5]].
  const std::vector<double> x(16, -infinity);
  const auto padded = max_pool({.in_height = 4,
                                .in_width = 4,
                                .kernel_h = 3,
                                .kernel_w = 3,
                                .stride_h = 2,
                                .stride_w = 2,
                                .padding_h = 1,
                                .padding_w = 1},
                               x);
  CHECK(padded.y == std::vector<double>(4, -infinity));
  CHECK(padded.indices == Indices{0, 1, 4, 5});
  const auto plain = max_pool(
      {.in_height = 4, .in_width = 4, .kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2},
      x);
  CHECK(plain.y == std::vector<double>(4, -infinity));
  CHECK(plain.indices == Indices{0, 2, 8, 10});
}

TEST_CASE("a dilated window that lies in the padding alone gives -inf and no index") {
  const auto result = max_pool({.in_height = 2,
                                .in_width = 2,
                                .kernel_h = 2,
                                .kernel_w = 2,
                                .padding_h = 1,
                                .padding_w = 1,
                                .dilation_h = 3,
                                .dilation_w = 3},
                               {1, 2, 3, 4});
  CHECK(result.y == std::vector<double>{-infinity});
  CHECK(result.indices == Indices{no_pixel});
  std::vector<double> dx(4, 77.0);
  const double dy = 5;
  max_pool2d_scatter(1, 4, 1, &dy, result.indices.data(), dx.data());
  CHECK(dx == std::vector<double>(4, 0.0));
  double y = 77;
  max_pool2d_gather(1, 4, 1, std::vector<double>{1, 2, 3, 4}.data(), result.indices.data(), &y);
  CHECK(y == 0);
}

TEST_CASE(
    "max_pool2d agrees with a naive search on random geometries with ties, NaN and infinities") {
  std::mt19937 engine(1);
  for (int trial = 0; trial < 500; ++trial) {
    Pool2dGeometry g = random_geometry(engine, 3);
    if (trial % 5 == 0) {  // the special case, at odd sizes too
      g = {.planes = 3,
           .in_height = 2 + trial % 7,
           .in_width = 2 + trial % 11,
           .kernel_h = 2,
           .kernel_w = 2,
           .stride_h = 2,
           .stride_w = 2};
    }
    std::vector<double> x(size_of(g.planes * g.in_plane()));
    for (double& value : x) {
      const auto draw = engine() % 12;
      value = draw == 0   ? nan_value
              : draw == 1 ? -infinity
              : draw == 2 ? infinity
                          : static_cast<double>(draw / 3);
    }
    const MaxResult actual = max_pool(g, x);
    const MaxResult expected = naive_max_pool(g, x);
    REQUIRE(same_values(actual.y, expected.y));
    REQUIRE(actual.indices == expected.indices);
  }
}

TEST_CASE("scatter adds where windows share a maximum, and gather reads there") {
  const Indices indices = {4, 4, 4, 0, 1, 1};  // two planes of 5 elements, three outputs each
  const std::vector<double> dy = {1, 2, 4, 8, 16, 32};
  std::vector<double> dx(10, nan_value);
  max_pool2d_scatter(2, 5, 3, dy.data(), indices.data(), dx.data());
  CHECK(dx == std::vector<double>{0, 0, 0, 0, 7, 8, 48, 0, 0, 0});
  std::vector<double> y(6, nan_value);
  max_pool2d_gather(2, 5, 3, dx.data(), indices.data(), y.data());
  CHECK(y == std::vector<double>{7, 7, 7, 8, 48, 48});
}

TEST_CASE("avg_pool2d divides by the window with padding or without, as asked") {
  const Pool2dGeometry g{.in_height = 2,
                         .in_width = 2,
                         .kernel_h = 2,
                         .kernel_w = 2,
                         .stride_h = 2,
                         .stride_w = 2,
                         .padding_h = 1,
                         .padding_w = 1};
  const std::vector<double> x = {4, 8, 12, 16};
  std::vector<double> y(4);
  avg_pool2d_forward(g, {}, x.data(), y.data());
  CHECK(y == std::vector<double>{1, 2, 3, 4});
  avg_pool2d_forward(g, {.count_include_pad = false}, x.data(), y.data());
  CHECK(y == x);
}

TEST_CASE(
    "with ceil_mode a last window may hang over, but has to start in the input or before it") {
  CHECK(pooled_size(5, 2, 2, 0, 1, false) == 2);
  CHECK(pooled_size(5, 2, 2, 0, 1, true) == 3);
  CHECK(pooled_size(4, 2, 2, 0, 1, true) == 2);
  CHECK(pooled_size(4, 1, 2, 0, 1, true) == 2);  // a third would start behind the input
  CHECK(pooled_size(5, 3, 3, 1, 1, true) == 2);  // a third would start in the padding behind it
  CHECK(pooled_size(2, 3, 2, 0, 1, true) == 1);  // longer than the input
  CHECK(pooled_size(2, 3, 1, 0, 1, true) == 0);
  CHECK(pooled_size(2, 3, 2, 0, 1, false) == 0);
}

TEST_CASE("a divisor that is given stands in for the size of the window, forward and backward") {
  const Pool2dGeometry g{.in_height = 2,
                         .in_width = 3,
                         .kernel_h = 2,
                         .kernel_w = 2,
                         .stride_h = 2,
                         .stride_w = 2,
                         .ceil_mode = true};
  const std::vector<double> x = {1, 2, 3, 4, 5, 6};
  std::vector<double> y(2);
  avg_pool2d_forward(g, {.fixed = 3}, x.data(), y.data());
  CHECK(y == std::vector<double>{4, 3});
  avg_pool2d_forward(g, {.fixed = -1}, x.data(), y.data());
  CHECK(y == std::vector<double>{-12, -9});
  const std::vector<double> dy = {6, 9};
  std::vector<double> dx(6);
  avg_pool2d_input_grad(g, {.fixed = 3}, dy.data(), dx.data());
  CHECK(dx == std::vector<double>{2, 2, 3, 2, 2, 3});
}

TEST_CASE("adaptive_max_pool2d takes the greatest of each bin, and the first of equals") {
  std::mt19937 engine(6);
  for (std::int64_t trial = 0; trial < 200; ++trial) {
    const AdaptivePool2dGeometry g{.planes = 2,
                                   .in_height = 1 + trial % 9,
                                   .in_width = 1 + trial % 7,
                                   .out_height = 1 + trial % 5,
                                   .out_width = 1 + trial % 11};
    std::vector<double> x(size_of(2 * g.in_height * g.in_width));
    for (double& value : x)
      value = engine() % 9 == 0 ? nan_value : static_cast<double>(engine() % 4);
    std::vector<double> y(size_of(2 * g.out_height * g.out_width));
    Indices indices(y.size());
    adaptive_max_pool2d_forward(g, x.data(), y.data(), indices.data());
    for (std::int64_t k = 0; k < 2 * g.out_height * g.out_width; ++k) {
      // Of one bin alone: a max pooling with a window as large as the image that is cut out.
      const std::int64_t oh = k / g.out_width % g.out_height;
      const std::int64_t ow = k % g.out_width;
      const std::int64_t top = oh * g.in_height / g.out_height;
      const std::int64_t left = ow * g.in_width / g.out_width;
      Pool2dGeometry bin;
      bin.in_height = ((oh + 1) * g.in_height + g.out_height - 1) / g.out_height - top;
      bin.in_width = ((ow + 1) * g.in_width + g.out_width - 1) / g.out_width - left;
      bin.kernel_h = bin.in_height;
      bin.kernel_w = bin.in_width;
      std::vector<double> cut;
      const std::int64_t plane = k / (g.out_height * g.out_width) * g.in_height * g.in_width;
      for (std::int64_t h = top; h < top + bin.in_height; ++h) {
        for (std::int64_t w = left; w < left + bin.in_width; ++w)
          cut.push_back(x[size_of(plane + h * g.in_width + w)]);
      }
      const MaxResult expected = naive_max_pool(bin, cut);
      REQUIRE(same_values({y[size_of(k)]}, expected.y));
      const std::int64_t chosen = expected.indices[0];
      REQUIRE(indices[size_of(k)] ==
              (top + chosen / bin.in_width) * g.in_width + left + chosen % bin.in_width);
    }
  }
}

TEST_CASE("avg_pool2d agrees with a naive mean, and its gradient is its adjoint") {
  std::mt19937 engine(2);
  for (int trial = 0; trial < 300; ++trial) {
    const Pool2dGeometry g = random_geometry(engine, 1);
    const bool count_include_pad = trial % 2 == 0;
    const std::vector<double> x = random_values(g.planes * g.in_plane(), engine);
    const std::vector<double> dy = random_values(g.planes * g.out_plane(), engine);
    std::vector<double> y(dy.size(), nan_value);
    std::vector<double> dx(x.size(), nan_value);
    avg_pool2d_forward(g, {.count_include_pad = count_include_pad}, x.data(), y.data());
    avg_pool2d_input_grad(g, {.count_include_pad = count_include_pad}, dy.data(), dx.data());
    for (std::int64_t k = 0; k < g.planes * g.out_plane(); ++k) {
      const std::int64_t output = k % g.out_plane();
      const std::int64_t top = output / g.out_width() * g.stride_h - g.padding_h;
      const std::int64_t left = output % g.out_width() * g.stride_w - g.padding_w;
      // What hangs over the padding counts for nothing.
      const std::int64_t bottom = std::min(top + g.kernel_h, g.in_height + g.padding_h);
      const std::int64_t right = std::min(left + g.kernel_w, g.in_width + g.padding_w);
      const double expected = naive_mean(x.data() + k / g.out_plane() * g.in_plane(), g.in_height,
                                         g.in_width, top, bottom, left, right, count_include_pad);
      REQUIRE(std::abs(y[size_of(k)] - expected) <= mean_tolerance);
    }
    REQUIRE(std::abs(inner_product(y, dy) - inner_product(x, dx)) <= adjoint_tolerance);
  }
}

TEST_CASE("adaptive_avg_pool2d uses PyTorch's bins, and its gradient is its adjoint") {
  std::mt19937 engine(3);
  for (std::int64_t trial = 0; trial < 200; ++trial) {
    // Outputs larger than the input too: bins then overlap.
    const AdaptivePool2dGeometry g{.planes = 2,
                                   .in_height = 1 + trial % 9,
                                   .in_width = 1 + trial % 7,
                                   .out_height = 1 + trial % 5,
                                   .out_width = 1 + trial % 11};
    const std::int64_t in_plane = g.in_height * g.in_width;
    const std::int64_t out_plane = g.out_height * g.out_width;
    const std::vector<double> x = random_values(2 * in_plane, engine);
    const std::vector<double> dy = random_values(2 * out_plane, engine);
    std::vector<double> y(dy.size(), nan_value);
    std::vector<double> dx(x.size(), nan_value);
    adaptive_avg_pool2d_forward(g, x.data(), y.data());
    adaptive_avg_pool2d_input_grad(g, dy.data(), dx.data());
    const auto bin_begin = [](std::int64_t i, std::int64_t size, std::int64_t bins) {
      return static_cast<std::int64_t>(
          std::floor(static_cast<double>(i * size) / static_cast<double>(bins)));
    };
    const auto bin_end = [](std::int64_t i, std::int64_t size, std::int64_t bins) {
      return static_cast<std::int64_t>(
          std::ceil(static_cast<double>((i + 1) * size) / static_cast<double>(bins)));
    };
    for (std::int64_t k = 0; k < 2 * out_plane; ++k) {
      const std::int64_t oh = k % out_plane / g.out_width;
      const std::int64_t ow = k % g.out_width;
      const double expected = naive_mean(
          x.data() + k / out_plane * in_plane, g.in_height, g.in_width,
          bin_begin(oh, g.in_height, g.out_height), bin_end(oh, g.in_height, g.out_height),
          bin_begin(ow, g.in_width, g.out_width), bin_end(ow, g.in_width, g.out_width), false);
      REQUIRE(std::abs(y[size_of(k)] - expected) <= mean_tolerance);
    }
    REQUIRE(std::abs(inner_product(y, dy) - inner_product(x, dx)) <= adjoint_tolerance);
  }
}

TEST_CASE("pooling gives the same bits with one, two and three threads") {
  std::mt19937 engine(4);
  const int before = gradus::num_threads();
  const Pool2dGeometry g{.planes = 100,
                         .in_height = 28,
                         .in_width = 28,
                         .kernel_h = 3,
                         .kernel_w = 3,
                         .stride_h = 2,
                         .stride_w = 2,
                         .padding_h = 1,
                         .padding_w = 1};
  const std::vector<double> x = random_values(g.planes * g.in_plane(), engine);
  const auto run = [&](int threads) {
    gradus::set_num_threads(threads);
    const MaxResult result = max_pool(g, x);
    std::vector<double> all(3 * x.size());
    max_pool2d_scatter(g.planes, g.in_plane(), g.out_plane(), result.y.data(),
                       result.indices.data(), all.data());
    avg_pool2d_forward(g, {.count_include_pad = false}, x.data(), all.data() + x.size());
    avg_pool2d_input_grad(g, {}, result.y.data(), all.data() + 2 * x.size());
    return all;
  };
  const std::vector<double> one = run(1);
  CHECK(run(2) == one);
  CHECK(run(3) == one);
  gradus::set_num_threads(before);
}

namespace {

/// Small integers, so that ties are many, with a NaN, infinities and a -0 here and there.
template <class T> std::vector<T> awkward_values(std::int64_t count, std::mt19937& engine) {
  std::vector<T> values(size_of(count));
  for (T& value : values) {
    const auto drawn = engine() % 24;
    value = static_cast<T>(drawn % 4);
    if (drawn == 20) value = static_cast<T>(nan_value);
    if (drawn == 21) value = static_cast<T>(infinity);
    if (drawn == 22) value = static_cast<T>(-infinity);
    if (drawn == 23) value = static_cast<T>(-0.0);
  }
  return values;
}

template <class T> bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

/// Pooling with places in bytes against the same with indices: values, derivative and gather.
template <class T> void check_places(const Pool2dGeometry& g, std::mt19937& engine) {
  CAPTURE(g.in_height);
  CAPTURE(g.in_width);
  CAPTURE(g.kernel_h);
  CAPTURE(g.kernel_w);
  CAPTURE(g.stride_h);
  CAPTURE(g.stride_w);
  const std::vector<T> x = awkward_values<T>(g.planes * g.in_plane(), engine);
  const std::size_t outputs = size_of(g.planes * g.out_plane());
  std::vector<T> y(outputs, T{77});
  std::vector<T> expected(outputs, T{78});
  Indices indices(outputs, -1);
  // One byte more, which must stay.
  std::vector<std::uint8_t> places(outputs + 1, 255);
  max_pool2d_forward(g, x.data(), expected.data(), indices.data());
  max_pool2d_forward(g, x.data(), y.data(), places.data());
  CHECK(same_bits(y, expected));
  CHECK(places.back() == 255);

  const std::vector<T> dy = awkward_values<T>(g.planes * g.out_plane(), engine);
  std::vector<T> dx(x.size(), T{77});
  std::vector<T> expected_dx(x.size(), T{78});
  max_pool2d_scatter(g.planes, g.in_plane(), g.out_plane(), dy.data(), indices.data(),
                     expected_dx.data());
  max_pool2d_scatter(g, dy.data(), places.data(), dx.data());
  CHECK(same_bits(dx, expected_dx));

  max_pool2d_gather(g.planes, g.in_plane(), g.out_plane(), x.data(), indices.data(),
                    expected.data());
  max_pool2d_gather(g, x.data(), places.data(), y.data());
  CHECK(same_bits(y, expected));
}

}  // namespace

TEST_CASE("places in bytes say the same as indices, to the bit, on random geometries") {
  std::mt19937 engine(11);
  int tried = 0;
  for (int i = 0; i < 300; ++i) {
    const Pool2dGeometry g = random_geometry(engine, i % 2 == 0 ? 1 : 3);
    if (!place_fits_byte(g)) continue;
    ++tried;
    check_places<float>(g, engine);
    check_places<double>(g, engine);
  }
  CHECK(tried > 150);
  Pool2dGeometry widest{.in_height = 17, .in_width = 18, .kernel_h = 16, .kernel_w = 16};
  CHECK(place_fits_byte(widest));
  check_places<float>(widest, engine);
  widest.kernel_w = 17;
  CHECK(!place_fits_byte(widest));
}

TEST_CASE("2x2 pooling in vectors agrees with the plain loop on every small plane") {
  std::mt19937 engine(12);
  for (std::int64_t height = 2; height <= 9; ++height) {
    for (std::int64_t width = 2; width <= 70; ++width) {
      check_places<float>({.planes = 3,
                           .in_height = height,
                           .in_width = width,
                           .kernel_h = 2,
                           .kernel_w = 2,
                           .stride_h = 2,
                           .stride_w = 2},
                          engine);
    }
  }
}
