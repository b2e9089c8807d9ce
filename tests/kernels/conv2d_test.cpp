// The fast convolutions against the readable one: a grid of named geometries, and some hundred
// random ones, for all three passes, in float and double. Also the adjoint identities, the bits at
// different thread counts, and with plans that are kept.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gradus/core/kernels/conv2d/conv2d.h>
#include <gradus/core/kernels/conv2d/tiles.h>
#include <gradus/core/kernels/matmul/unpacked_gemm.h>
#include <gradus/core/parallel.h>

#include "kernels/conv2d_geometries.h"
#include "kernels/numbers.h"

using namespace gradus::kernels;

namespace {

template <class T> std::vector<T> magnitudes(std::vector<T> values) {
  for (T& value : values) value = std::abs(value);
  return values;
}

/// The operands of one convolution.
template <class T> struct Operands {
  std::vector<T> x, w, bias, dy;

  Operands(const Conv2dGeometry& g, std::mt19937& engine)
      : x(random_values<T>(g.input_size(), engine)),
        w(random_values<T>(g.weight_size(), engine)),
        bias(random_values<T>(g.out_channels, engine)),
        dy(random_values<T>(g.output_size(), engine)) {}
};

/// What the three passes give.
template <class T> struct Results {
  std::vector<T> y, dx, dw;

  Results(Conv2dAlgorithm algorithm, const Conv2dGeometry& g, const Operands<T>& in)
      : y(unwritten<T>(g.output_size())),
        dx(unwritten<T>(g.input_size())),
        dw(unwritten<T>(g.weight_size())) {
    conv2d_forward<T>(algorithm, g, in.x.data(), in.w.data(), {.bias = in.bias.data()}, y.data());
    conv2d_input_grad(algorithm, g, in.dy.data(), in.w.data(), dx.data());
    conv2d_weight_grad(algorithm, g, in.x.data(), in.dy.data(), dw.data());
  }

  bool operator==(const Results&) const = default;
};

/// Two sums of the same k products in different order differ by at most 2·k·eps·Σ|a||b|
/// (each is within k·eps·Σ|a||b| of the exact sum: Higham, Accuracy and Stability, 3.1).
/// `bounds` holds Σ|a||b|.
template <class T>
void check_close(const std::vector<T>& actual, const std::vector<T>& expected,
                 const std::vector<T>& bounds, std::int64_t products) {
  const double factor =
      2.0 * static_cast<double>(products) * static_cast<double>(std::numeric_limits<T>::epsilon());
  std::size_t wrong = 0;
  for (std::size_t k = 0; k < actual.size(); ++k) {
    // Written so that a NaN counts as wrong.
    if (!(std::abs(static_cast<double>(actual[k]) - static_cast<double>(expected[k])) <=
          factor * static_cast<double>(bounds[k]))) {
      ++wrong;
    }
  }
  CHECK(wrong == 0);
}

template <class T>
void check_against_direct(Conv2dAlgorithm algorithm, const Conv2dGeometry& g,
                          std::mt19937& engine) {
  CAPTURE(to_string(algorithm));
  CAPTURE(describe(g));
  const Operands<T> in(g, engine);
  Operands<T> absolute = in;
  for (std::vector<T>* values : {&absolute.x, &absolute.w, &absolute.bias, &absolute.dy}) {
    *values = magnitudes(std::move(*values));
  }
  const Results<T> actual(algorithm, g, in);
  const Results<T> expected(Conv2dAlgorithm::direct, g, in);
  const Results<T> bounds(Conv2dAlgorithm::direct, g, absolute);
  check_close(actual.y, expected.y, bounds.y, g.taps() + 1);  // and the bias
  check_close(actual.dx, expected.dx, bounds.dx, g.group_out_channels() * g.kernel_plane());
  check_close(actual.dw, expected.dw, bounds.dw, g.batch * g.out_plane());
}

constexpr Conv2dAlgorithm all_algorithms[] = {Conv2dAlgorithm::direct, Conv2dAlgorithm::pointwise,
                                              Conv2dAlgorithm::depthwise,
                                              Conv2dAlgorithm::implicit_gemm};

void check_all_algorithms(const Conv2dGeometry& g, std::mt19937& engine) {
  for (const auto algorithm : all_algorithms) {
    if (algorithm == Conv2dAlgorithm::direct) continue;
    if (!supports(algorithm, g)) continue;
    check_against_direct<float>(algorithm, g, engine);
    check_against_direct<double>(algorithm, g, engine);
  }
}

/// One corner each, and a few of everything together.
std::vector<Conv2dGeometry> grid() {
  return {
      {.batch = 2,
       .in_channels = 3,
       .in_height = 8,
       .in_width = 8,
       .out_channels = 4,
       .kernel_h = 3,
       .kernel_w = 3},
      // not square: image, kernel, stride, padding, dilation
      {.batch = 3,
       .in_channels = 2,
       .in_height = 7,
       .in_width = 12,
       .out_channels = 5,
       .kernel_h = 2,
       .kernel_w = 5,
       .stride_h = 2,
       .stride_w = 3,
       .padding_h = 1,
       .padding_w = 2,
       .dilation_h = 3,
       .dilation_w = 2},
      // a batch of one; an output of 1x1; a single pixel; padding wider than the image
      {.batch = 1,
       .in_channels = 8,
       .in_height = 9,
       .in_width = 9,
       .out_channels = 8,
       .kernel_h = 3,
       .kernel_w = 3},
      {.batch = 4,
       .in_channels = 3,
       .in_height = 5,
       .in_width = 6,
       .out_channels = 7,
       .kernel_h = 5,
       .kernel_w = 6},
      {.batch = 2,
       .in_channels = 1,
       .in_height = 1,
       .in_width = 1,
       .out_channels = 1,
       .kernel_h = 1,
       .kernel_w = 1},
      {.batch = 1,
       .in_channels = 2,
       .in_height = 1,
       .in_width = 2,
       .out_channels = 2,
       .kernel_h = 3,
       .kernel_w = 3,
       .stride_h = 2,
       .padding_h = 4,
       .padding_w = 5},
      // a stride that leaves the last rows and columns unread, and one wider than the kernel
      {.batch = 2,
       .in_channels = 2,
       .in_height = 10,
       .in_width = 11,
       .out_channels = 3,
       .kernel_h = 3,
       .kernel_w = 2,
       .stride_h = 4,
       .stride_w = 5},
      // groups, depthwise, depthwise with a multiplier, one channel
      {.batch = 2,
       .in_channels = 6,
       .in_height = 6,
       .in_width = 7,
       .out_channels = 4,
       .kernel_h = 3,
       .kernel_w = 3,
       .padding_h = 1,
       .padding_w = 1,
       .groups = 2},
      {.batch = 2,
       .in_channels = 5,
       .in_height = 9,
       .in_width = 20,
       .out_channels = 5,
       .kernel_h = 3,
       .kernel_w = 3,
       .stride_h = 2,
       .padding_h = 1,
       .padding_w = 1,
       .groups = 5},
      {.batch = 3,
       .in_channels = 3,
       .in_height = 8,
       .in_width = 19,
       .out_channels = 9,
       .kernel_h = 2,
       .kernel_w = 3,
       .stride_w = 2,
       .padding_w = 2,
       .dilation_h = 2,
       .dilation_w = 2,
       .groups = 3},
      {.batch = 64,
       .in_channels = 1,
       .in_height = 28,
       .in_width = 28,
       .out_channels = 6,
       .kernel_h = 5,
       .kernel_w = 5,
       .padding_h = 2,
       .padding_w = 2},
      // 1x1: plain, strided, with groups, more pixels than a tile, with padding (not pointwise)
      {.batch = 3, .in_channels = 7, .in_height = 5, .in_width = 6, .out_channels = 4},
      {.batch = 2,
       .in_channels = 4,
       .in_height = 9,
       .in_width = 8,
       .out_channels = 6,
       .stride_h = 2,
       .stride_w = 3},
      {.batch = 2,
       .in_channels = 6,
       .in_height = 7,
       .in_width = 7,
       .out_channels = 9,
       .stride_h = 2,
       .groups = 3},
      {.batch = 1, .in_channels = 3, .in_height = 25, .in_width = 31, .out_channels = 5},
      {.batch = 2,
       .in_channels = 3,
       .in_height = 4,
       .in_width = 4,
       .out_channels = 2,
       .padding_h = 1,
       .padding_w = 2},
      // tiles of rows and blocks of channels
      {.batch = 1,
       .in_channels = 40,
       .in_height = 40,
       .in_width = 50,
       .out_channels = 3,
       .kernel_h = 3,
       .kernel_w = 3,
       .padding_h = 1,
       .padding_w = 1},
      {.batch = 0,
       .in_channels = 3,
       .in_height = 8,
       .in_width = 8,
       .out_channels = 4,
       .kernel_h = 3,
       .kernel_w = 3},
  };
}

Conv2dGeometry random_geometry(std::mt19937& engine, std::int64_t most_channels = 5) {
  const auto between = [&](std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(engine()) % (high - low + 1);
  };
  Conv2dGeometry g;
  g.groups = between(0, 2) == 0 ? between(1, 4) : 1;
  g.batch = between(1, 4);
  g.in_channels = g.groups * (between(0, 2) == 0 ? 1 : between(1, most_channels));
  g.out_channels = g.groups * between(1, most_channels);
  const bool pointwise = between(0, 3) == 0;
  g.kernel_h = pointwise ? 1 : between(1, 5);
  g.kernel_w = pointwise ? 1 : between(1, 5);
  g.stride_h = between(1, 3);
  g.stride_w = between(1, 3);
  g.padding_h = pointwise ? 0 : between(0, 3);
  g.padding_w = pointwise ? 0 : between(0, 3);
  g.dilation_h = between(1, 3);
  g.dilation_w = between(1, 3);
  const std::int64_t least_h =
      std::max<std::int64_t>(1, g.dilation_h * (g.kernel_h - 1) + 1 - 2 * g.padding_h);
  const std::int64_t least_w =
      std::max<std::int64_t>(1, g.dilation_w * (g.kernel_w - 1) + 1 - 2 * g.padding_w);
  g.in_height = least_h + between(0, 9);
  g.in_width = least_w + between(0, 9);
  return g;
}

double inner_product(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
  return sum;
}

}  // namespace

TEST_CASE(
    "the chapter's convolution gives [[56,72],[104,120]] with every algorithm that can do it") {
  // Two input channels, each times its own 2x2 kernel, summed.
  const std::vector<double> x = {0, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  const std::vector<double> w = {0, 1, 2, 3, 1, 2, 3, 4};
  const Conv2dGeometry g{
      .in_channels = 2, .in_height = 3, .in_width = 3, .kernel_h = 2, .kernel_w = 2};
  for (const auto algorithm : {Conv2dAlgorithm::direct, Conv2dAlgorithm::implicit_gemm}) {
    std::vector<double> y(4);
    conv2d_forward<double>(algorithm, g, x.data(), w.data(), {}, y.data());
    CHECK(y == std::vector<double>{56, 72, 104, 120});
  }
}

TEST_CASE("every algorithm agrees with the direct loops on a grid of geometries") {
  std::mt19937 engine(1);
  for (const Conv2dGeometry& g : grid()) check_all_algorithms(g, engine);
}

TEST_CASE("every algorithm agrees with the direct loops on random geometries") {
  std::mt19937 engine(2);
  for (int trial = 0; trial < 2000; ++trial) check_all_algorithms(random_geometry(engine), engine);
  // Several vectors of filters.
  for (int trial = 0; trial < 300; ++trial)
    check_all_algorithms(random_geometry(engine, 40), engine);
  // Many images, of which small ones are taken together.
  for (int trial = 0; trial < 100; ++trial) {
    Conv2dGeometry g = random_geometry(engine, 20);
    g.batch = 16 + trial % 17;
    check_all_algorithms(g, engine);
  }
}

TEST_CASE("the input gradient is right at every seam between the tiles of a strided convolution") {
  // Padding that is no multiple of the stride, and images of several tiles.
  std::mt19937 engine(7);
  for (const std::int64_t kernel : {3, 4, 5, 7}) {
    for (const std::int64_t stride : {2, 3}) {
      for (std::int64_t padding = 0; padding <= kernel / 2; ++padding) {
        check_all_algorithms({.batch = 1,
                              .in_channels = 16,
                              .in_height = 61,
                              .in_width = 40,
                              .out_channels = 16,
                              .kernel_h = kernel,
                              .kernel_w = kernel,
                              .stride_h = stride,
                              .stride_w = stride,
                              .padding_h = padding,
                              .padding_w = padding},
                             engine);
      }
    }
  }
}

/// Not finite where it must be so, and never a finite number that is wrong.
template <class T>
void check_not_finite(const std::vector<T>& actual, const std::vector<T>& expected,
                      double tolerance) {
  int hidden = 0;
  int wrong = 0;
  for (std::size_t k = 0; k < actual.size(); ++k) {
    if (!std::isfinite(expected[k])) {
      hidden += std::isfinite(actual[k]);
    } else if (std::isfinite(actual[k])) {
      wrong += !(std::abs(static_cast<double>(actual[k] - expected[k])) <= tolerance);
    }
  }
  CHECK(hidden == 0);
  CHECK(wrong == 0);
}

TEST_CASE_TEMPLATE("a number that is not finite never makes a finite number wrong", T, float,
                   double) {
  // Sums of up to 4·9·9·36 products of numbers below 1; Winograd's transforms grow them by up to
  // some hundred.
  const double tolerance = 1e5 * static_cast<double>(std::numeric_limits<T>::epsilon());
  std::mt19937 engine(8);
  std::vector<Conv2dGeometry> geometries;
  for (const std::int64_t channels : {3, 16}) {
    for (const std::int64_t side : {4, 9, 21}) {
      geometries.push_back({.batch = 2,
                            .in_channels = channels,
                            .in_height = side,
                            .in_width = side,
                            .out_channels = channels,
                            .kernel_h = 3,
                            .kernel_w = 3,
                            .padding_h = 1,
                            .padding_w = 1});
      geometries.push_back(geometries.back());
      geometries.back().stride_h = geometries.back().stride_w = 2;
    }
  }
  for (const Conv2dGeometry& g : geometries) {
    for (const double number :
         {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
      for (int operand = 0; operand < 3; ++operand) {
        Operands<T> in(g, engine);
        std::vector<T>& values = operand == 0 ? in.x : operand == 1 ? in.w : in.dy;
        values[engine() % values.size()] = static_cast<T>(number);
        const Results<T> expected(Conv2dAlgorithm::direct, g, in);
        for (const auto algorithm : {Conv2dAlgorithm::depthwise, Conv2dAlgorithm::implicit_gemm,
                                     Conv2dAlgorithm::winograd}) {
          if (!supports(algorithm, g)) continue;
          CAPTURE(describe(g));
          CAPTURE(to_string(algorithm));
          CAPTURE(operand);
          const Results<T> actual(algorithm, g, in);
          check_not_finite(actual.y, expected.y, tolerance);
          check_not_finite(actual.dx, expected.dx, tolerance);
          check_not_finite(actual.dw, expected.dw, tolerance);
        }
      }
    }
  }
}

TEST_CASE("without a bias nothing is added") {
  std::mt19937 engine(3);
  for (const Conv2dGeometry& g : grid()) {
    const Operands<double> in(g, engine);
    for (const auto algorithm : all_algorithms) {
      if (!supports(algorithm, g)) continue;
      const std::vector<double> zeros(static_cast<std::size_t>(g.out_channels), 0.0);
      std::vector<double> without = unwritten<double>(g.output_size());
      std::vector<double> with_zeros = without;
      conv2d_forward<double>(algorithm, g, in.x.data(), in.w.data(), {}, without.data());
      conv2d_forward<double>(algorithm, g, in.x.data(), in.w.data(), {.bias = zeros.data()},
                             with_zeros.data());
      CHECK(without == with_zeros);
    }
  }
}

TEST_CASE(
    "the three passes are adjoint: <conv(x,w),dy> = <x,input_grad(dy,w)> = <w,weight_grad(x,dy)>") {
  // The three numbers are sums of the same products; 1e-12 of their absolute sum is some
  // thousand times eps.
  constexpr double relative_tolerance = 1e-12;
  std::mt19937 engine(4);
  std::vector<Conv2dGeometry> geometries = grid();
  for (int trial = 0; trial < 100; ++trial) geometries.push_back(random_geometry(engine));
  for (const Conv2dGeometry& g : geometries) {
    CAPTURE(describe(g));
    Operands<double> in(g, engine);
    std::fill(in.bias.begin(), in.bias.end(), 0.0);
    Operands<double> absolute = in;
    for (auto* values : {&absolute.x, &absolute.w, &absolute.dy}) *values = magnitudes(*values);
    const Results<double> bounds(choose<double>(g), g, absolute);
    const double tolerance = relative_tolerance * inner_product(bounds.y, absolute.dy);
    for (const auto algorithm : {Conv2dAlgorithm::direct, choose<double>(g)}) {
      const Results<double> out(algorithm, g, in);
      const double by_output = inner_product(out.y, in.dy);
      CHECK(std::abs(by_output - inner_product(out.dx, in.x)) <= tolerance);
      CHECK(std::abs(by_output - inner_product(out.dw, in.w)) <= tolerance);
    }
  }
}

TEST_CASE("a convolution gives the same bits with one, two and three threads") {
  std::mt19937 engine(5);
  const int before = gradus::num_threads();
  std::vector<Conv2dGeometry> geometries = grid();
  geometries.push_back({.batch = 9,
                        .in_channels = 16,
                        .in_height = 33,
                        .in_width = 30,
                        .out_channels = 24,
                        .kernel_h = 3,
                        .kernel_w = 3,
                        .padding_h = 1,
                        .padding_w = 1});
  geometries.push_back(
      {.batch = 1, .in_channels = 64, .in_height = 40, .in_width = 40, .out_channels = 64});
  geometries.push_back({.batch = 16,
                        .in_channels = 24,
                        .in_height = 20,
                        .in_width = 20,
                        .out_channels = 40,
                        .stride_h = 2,
                        .stride_w = 2});
  for (const Conv2dGeometry& g : geometries) {
    CAPTURE(describe(g));
    const Operands<float> in(g, engine);
    for (const auto algorithm : all_algorithms) {
      if (!supports(algorithm, g)) continue;
      gradus::set_num_threads(1);
      const Results<float> one(algorithm, g, in);
      for (const int threads : {2, 3}) {
        gradus::set_num_threads(threads);
        CHECK((Results<float>(algorithm, g, in) == one));
      }
    }
  }
  gradus::set_num_threads(before);
}

TEST_CASE_TEMPLATE("a plan that is kept is that of the whole geometry: any other size has another",
                   T, float, double) {
  // Sizes that differ from the first in one field each. Their plans are kept when they are computed
  // once more, here; a new thread has none.
  const Conv2dGeometry first{.batch = 3,
                             .in_channels = 4,
                             .in_height = 9,
                             .in_width = 8,
                             .out_channels = 6,
                             .kernel_h = 3,
                             .kernel_w = 2,
                             .padding_h = 1,
                             .padding_w = 1};
  std::vector<Conv2dGeometry> geometries{first};
  for (std::int64_t Conv2dGeometry::*const field :
       {&Conv2dGeometry::batch, &Conv2dGeometry::in_height, &Conv2dGeometry::in_width,
        &Conv2dGeometry::kernel_h, &Conv2dGeometry::kernel_w, &Conv2dGeometry::stride_h,
        &Conv2dGeometry::stride_w, &Conv2dGeometry::padding_h, &Conv2dGeometry::padding_w,
        &Conv2dGeometry::dilation_h, &Conv2dGeometry::dilation_w, &Conv2dGeometry::groups}) {
    geometries.push_back(first);
    ++(geometries.back().*field);
  }
  for (std::int64_t Conv2dGeometry::*const field :
       {&Conv2dGeometry::in_channels, &Conv2dGeometry::out_channels}) {
    geometries.push_back(first);
    geometries.back().*field *= 5;  // 30 filters: the weight gradient's other lanes
  }
  Conv2dGeometry tiles = first;  // several of an image, also of the input gradient
  tiles.in_channels = tiles.out_channels = 32;
  tiles.in_height = tiles.in_width = 80;
  geometries.push_back(tiles);
  ++tiles.in_height;
  geometries.push_back(tiles);
  tiles.stride_h = tiles.stride_w = 2;
  geometries.push_back(tiles);
  CHECK(ForwardTiles<T>(tiles, ForwardTiles<T>::best_lanes(tiles)).count() > 1);
  CHECK(InputTiles<T>(tiles).count() > 1);
  std::mt19937 engine(8);
  std::vector<Operands<T>> operands;
  std::vector<Results<T>> expected;
  for (const Conv2dGeometry& g : geometries) {
    const Operands<T>& in = operands.emplace_back(g, engine);
    std::thread([&] { expected.emplace_back(Conv2dAlgorithm::implicit_gemm, g, in); }).join();
  }
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < geometries.size(); ++i) {
      CAPTURE(describe(geometries[i]));
      for (const std::size_t k : {std::size_t{0}, i}) {
        CHECK((Results<T>(Conv2dAlgorithm::implicit_gemm, geometries[k], operands[k]) ==
               expected[k]));
      }
    }
  }
}

TEST_CASE("an algorithm is chosen that supports the geometry, the same for float and double") {
  const Conv2dGeometry wide{.in_channels = 8, .in_height = 4, .in_width = 4, .out_channels = 8};
  CHECK(choose<float>(wide) == Conv2dAlgorithm::pointwise);
  Conv2dGeometry deep = wide;
  deep.in_channels = deep.out_channels = 64;
  deep.in_height = deep.in_width = 3;
  CHECK(choose<float>(deep) == Conv2dAlgorithm::implicit_gemm);
  deep.in_height = deep.in_width = 32;
  CHECK(choose<float>(deep) == Conv2dAlgorithm::pointwise);
  CHECK(choose<float>(deep, Conv2dPass::weight_grad) == (unpacked_gemm<float>().beats_blas
                                                             ? Conv2dAlgorithm::pointwise
                                                             : Conv2dAlgorithm::implicit_gemm));
  Conv2dGeometry depthwise = deep;
  depthwise.groups = 64;
  CHECK(choose<float>(depthwise) == Conv2dAlgorithm::implicit_gemm);  // 1x1
  depthwise.kernel_h = depthwise.kernel_w = 3;
  CHECK(choose<float>(depthwise) == Conv2dAlgorithm::depthwise);
  CHECK(choose<float>(depthwise, Conv2dPass::input_grad) == Conv2dAlgorithm::depthwise);
  CHECK(choose<float>(depthwise, Conv2dPass::weight_grad) == Conv2dAlgorithm::depthwise);
  Conv2dGeometry far = wide;
  far.kernel_h = far.kernel_w = 3;
  CHECK(choose<float>(far) == Conv2dAlgorithm::implicit_gemm);
  far.padding_h = far.padding_w = far.dilation_h = far.dilation_w = 10'000;
  CHECK(choose<float>(far) == Conv2dAlgorithm::direct);
  CHECK_FALSE(supports(Conv2dAlgorithm::implicit_gemm, far));
  std::mt19937 engine(6);
  for (int trial = 0; trial < 200; ++trial) {
    const Conv2dGeometry g = random_geometry(engine);
    for (const auto pass : {Conv2dPass::forward, Conv2dPass::input_grad, Conv2dPass::weight_grad}) {
      CHECK(supports(choose<float>(g, pass), g));
      CHECK(choose<float>(g, pass, false) == choose<double>(g, pass));
    }
  }
  const Conv2dGeometry large{.batch = 32,
                             .in_channels = 64,
                             .in_height = 16,
                             .in_width = 16,
                             .out_channels = 64,
                             .kernel_h = 3,
                             .kernel_w = 3,
                             .padding_h = 1,
                             .padding_w = 1};
  for (const auto pass : {Conv2dPass::forward, Conv2dPass::input_grad, Conv2dPass::weight_grad}) {
    CHECK(choose<float>(large, pass) == Conv2dAlgorithm::winograd);
    CHECK(choose<float>(large, pass, false) == Conv2dAlgorithm::implicit_gemm);
    CHECK(choose<double>(large, pass) == Conv2dAlgorithm::implicit_gemm);
  }
  CHECK(to_string(Conv2dAlgorithm::direct) == "direct");
  CHECK(to_string(Conv2dAlgorithm::pointwise) == "pointwise");
  CHECK(to_string(Conv2dAlgorithm::depthwise) == "depthwise");
  CHECK(to_string(Conv2dAlgorithm::implicit_gemm) == "implicit_gemm");
  CHECK(to_string(Conv2dAlgorithm::winograd) == "winograd");
}
