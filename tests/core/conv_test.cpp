// Convolution and pooling on tensors: empty corners, views, forcing an algorithm, and adjoints. The
// kernels behind them have tests of their own.
#include <doctest/doctest.h>
#include <gradus/core/conv.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "kernels/conv2d_geometries.h"
#include "support/error_message.h"

using namespace gradus;

namespace {

double dot(const Tensor& a, const Tensor& b) { return core::sum(core::mul(a, b)).item(); }

/// Small integers in float64: sums of their products are exact in any order.
Tensor whole_numbers(const Shape& shape, Generator& generator) {
  return randint(-3, 4, shape, generator, float64);
}

/// Gives the choice of the algorithm back when a test ends.
struct ForcedAlgorithm {
  explicit ForcedAlgorithm(Conv2dAlgorithm algorithm) { set_conv2d_algorithm(algorithm); }
  ~ForcedAlgorithm() { set_conv2d_algorithm(std::nullopt); }
};

}  // namespace

TEST_CASE("a convolution with nothing in it gives zeros, or the bias, or nothing") {
  { const Tensor dirt = full({2, 3, 4, 4}, NAN); }
  const Tensor bias = Tensor::from({1.0, 2.0, 3.0});
  CHECK(core::conv2d(zeros({0, 2, 4, 4}), ones({3, 2, 3, 3}), bias).shape() == Shape{0, 3, 2, 2});
  CHECK(core::conv2d(ones({2, 2, 4, 4}), ones({0, 2, 3, 3})).shape() == Shape{2, 0, 2, 2});
  const Tensor no_channels = core::conv2d(zeros({2, 0, 4, 4}), zeros({3, 0, 1, 1}), bias);
  CHECK(core::equal(no_channels, bias.reshape({1, 3, 1, 1}).expand({2, 3, 4, 4})));
  for (const std::int64_t kernel : {1, 2}) {
    CAPTURE(kernel);
    const Conv2dOptions padded{.padding = 1};
    const Tensor nothing = zeros({2, 2, 0, 0});
    const Tensor weight = ones({3, 2, kernel, kernel});
    const std::int64_t size = 3 - kernel;  // nothing but padding: 2x2
    CHECK(core::equal(core::conv2d(nothing, weight, bias, padded),
                      bias.reshape({1, 3, 1, 1}).expand({2, 3, size, size})));
    const Tensor dy = ones({2, 3, size, size});
    CHECK(core::conv2d_input_grad(dy, weight, nothing.shape(), padded).shape() == nothing.shape());
    CHECK(core::equal(core::conv2d_weight_grad(dy, nothing, weight.shape(), padded),
                      zeros_like(weight)));
  }
  CHECK(
      core::equal(core::conv2d_weight_grad(zeros({0, 3, 2, 2}), zeros({0, 2, 4, 4}), {3, 2, 3, 3}),
                  zeros({3, 2, 3, 3})));
  CHECK(core::equal(core::conv2d_input_grad(zeros({2, 0, 2, 2}), zeros({0, 2, 3, 3}), {2, 2, 4, 4}),
                    zeros({2, 2, 4, 4})));
}

TEST_CASE("so it does for random geometries of which one extent is 0") {
  std::mt19937 engine(1);
  RandomGeometries geometries(engine);
  for (int tried = 0; tried < 500;) {
    kernels::Conv2dGeometry g = geometries.next();
    *std::array{&g.batch, &g.in_height, &g.in_width}[engine() % 3] = 0;
    if (g.in_height + 2 * g.padding_h <= g.dilation_h * (g.kernel_h - 1)) continue;
    if (g.in_width + 2 * g.padding_w <= g.dilation_w * (g.kernel_w - 1)) continue;
    ++tried;
    CAPTURE(describe(g));
    const Conv2dOptions options{.stride = {g.stride_h, g.stride_w},
                                .padding = {g.padding_h, g.padding_w},
                                .dilation = {g.dilation_h, g.dilation_w},
                                .groups = g.groups};
    const DType dtype = engine() % 2 == 0 ? float32 : float64;
    const Shape output{g.batch, g.out_channels, g.out_height(), g.out_width()};
    const Tensor x = zeros({g.batch, g.in_channels, g.in_height, g.in_width}, dtype);
    const Tensor w = ones({g.out_channels, g.group_in_channels(), g.kernel_h, g.kernel_w}, dtype);
    const Tensor bias = full({g.out_channels}, 2, dtype);
    const Tensor dy = ones(output, dtype);
    { const Tensor dirt = full(output, NAN, dtype); }
    CHECK(core::equal(core::conv2d(x, w, bias, options), full(output, 2, dtype)));
    CHECK(core::conv2d_input_grad(dy, w, x.shape(), options).shape() == x.shape());
    CHECK(core::equal(core::conv2d_weight_grad(dy, x, w.shape(), options), zeros_like(w)));
  }
}

TEST_CASE("the three convolutions read every view as they read a copy of it") {
  Generator generator(1);
  const Tensor x = whole_numbers({5, 4, 2, 2}, generator).permute({3, 2, 0, 1});  // [2,2,5,4]
  const Tensor w = whole_numbers({3, 2, 3, 6}, generator).slice(3, 0, 6, 2);      // [3,2,3,3]
  const Tensor dy = whole_numbers({1, 3, 3, 2}, generator).expand({2, 3, 3, 2});
  const Tensor bias = whole_numbers({6}, generator).slice(0, 0, 6, 2);
  CHECK(core::equal(core::conv2d(x, w, bias), core::conv2d(x.clone(), w.clone(), bias.clone())));
  CHECK(core::equal(core::conv2d_input_grad(dy, w, {2, 2, 5, 4}),
                    core::conv2d_input_grad(dy.clone(), w.clone(), {2, 2, 5, 4})));
  CHECK(core::equal(core::conv2d_weight_grad(dy, x, {3, 2, 3, 3}),
                    core::conv2d_weight_grad(dy.clone(), x.clone(), {3, 2, 3, 3})));
}

TEST_CASE("the three convolutions are one trilinear form, exactly") {
  Generator generator(2);
  const Conv2dOptions options{.stride = {2, 1}, .padding = {1, 2}, .dilation = {1, 2}, .groups = 2};
  const Tensor x = whole_numbers({2, 4, 6, 5}, generator);
  const Tensor w = whole_numbers({6, 2, 3, 2}, generator);
  const Tensor y = core::conv2d(x, w, {}, options);
  const Tensor dy = whole_numbers(y.shape(), generator);
  const double form = dot(dy, y);
  CHECK(form != 0);
  CHECK(dot(x, core::conv2d_input_grad(dy, w, x.shape(), options)) == form);
  CHECK(dot(w, core::conv2d_weight_grad(dy, x, w.shape(), options)) == form);
}

TEST_CASE("an algorithm can be forced and asked for, and refuses what it cannot do") {
  const Shape image{1, 2, 4, 4};
  CHECK(core::conv2d_algorithm({8, 64, 16, 16}, {64, 64, 1, 1}) == Conv2dAlgorithm::pointwise);
  Generator generator(3);
  const Tensor x = whole_numbers(image, generator);
  const Tensor w = whole_numbers({3, 2, 3, 3}, generator);
  const Tensor expected = core::conv2d(x, w);
  CHECK(forced_conv2d_algorithm() == std::nullopt);
  {
    const ForcedAlgorithm forced(Conv2dAlgorithm::direct);
    CHECK(forced_conv2d_algorithm() == Conv2dAlgorithm::direct);
    CHECK(core::conv2d_algorithm(image, {3, 2, 1, 1}) == Conv2dAlgorithm::direct);
    CHECK(core::equal(core::conv2d(x, w), expected));
  }
  {
    const ForcedAlgorithm forced(Conv2dAlgorithm::pointwise);
    CHECK(contains(message_of<ValueError>([&] { core::conv2d(x, w); }), "kernel of 3x3"));
  }
  CHECK(core::equal(core::conv2d(x, w), expected));
}

TEST_CASE("the gradients refuse an activation: its mask belongs on dy") {
  const Conv2dOptions rectified{.activation = Activation::relu};
  const Tensor x = ones({1, 2, 4, 4});
  const Tensor w = ones({3, 2, 3, 3});
  const Tensor dy = core::relu_grad(ones({1, 3, 2, 2}), core::conv2d(x, w, {}, rectified));
  CHECK(message_of<ValueError>([&] { core::conv2d_input_grad(dy, w, x.shape(), rectified); }) ==
        "conv2d_input_grad: the activation must be none, got relu; mask dy with relu_grad");
  CHECK(contains(
      message_of<ValueError>([&] { core::conv2d_weight_grad(dy, x, w.shape(), rectified); }),
      "conv2d_weight_grad: the activation must be none, got relu"));
}

TEST_CASE("a gradient of a shape that is not the output's is refused") {
  const Tensor x = ones({1, 2, 4, 4});
  const Tensor w = ones({3, 2, 3, 3});
  CHECK(message_of<ShapeError>([&] {
          core::conv2d_input_grad(ones({1, 3, 3, 2}), w, x.shape());
        }) == "conv2d_input_grad: dy is [1,3,3,2], the output is [1,3,2,2]");
  CHECK_THROWS_AS(core::conv2d_weight_grad(ones({1, 2, 2, 2}), x, w.shape()), ShapeError);
  CHECK_THROWS_AS(core::avg_pool2d_grad(ones({1, 2, 3, 3}), x.shape(), {.kernel_size = 2}),
                  ShapeError);
}

TEST_CASE("pooling forward and gradient are adjoint, exactly") {
  Generator generator(4);
  const Tensor x = whole_numbers({2, 3, 5, 6}, generator);
  for (const Pool2dOptions& options :
       {Pool2dOptions{.kernel_size = 2},
        {.kernel_size = {4, 2}, .stride = {1, 3}, .padding = {2, 1}},
        {.kernel_size = 2, .stride = 1, .padding = 1, .count_include_pad = false}}) {
    // Windows of 1, 2, 4 and 8 pixels: the means are exact.
    const Tensor y = core::avg_pool2d(x, options);
    const Tensor dy = whole_numbers(y.shape(), generator);
    CHECK(dot(dy, y) == dot(x, core::avg_pool2d_grad(dy, x.shape(), options)));
    const core::MaxPool2dResult greatest = core::max_pool2d(x, options);
    CHECK(core::equal(core::max_pool2d_gather(x, greatest.indices), greatest.values));
    CHECK(dot(dy, greatest.values) ==
          dot(x, core::max_pool2d_scatter(dy, greatest.indices, x.shape())));
  }
  CHECK(core::max_pool2d(zeros({0, 3, 4, 4}), {.kernel_size = 2}).values.shape() ==
        Shape{0, 3, 2, 2});
  CHECK(core::avg_pool2d(zeros({2, 0, 4, 4}), {.kernel_size = 2}).shape() == Shape{2, 0, 2, 2});
  CHECK(core::adaptive_avg_pool2d(zeros({0, 3, 4, 4}), 1).shape() == Shape{0, 3, 1, 1});
}

TEST_CASE("indices of max pooling that point outside of the image are refused") {
  const Tensor x = ones({1, 1, 2, 2});
  const auto index = [](std::int64_t i) {
    return full({1, 1, 1, 1}, static_cast<double>(i), int64);
  };
  CHECK(core::max_pool2d_gather(x, index(3)).item() == 1);
  CHECK_THROWS_AS(core::max_pool2d_gather(x, index(4)), ShapeError);
  CHECK_THROWS_AS(core::max_pool2d_gather(x, index(-2)), ShapeError);
  CHECK_THROWS_AS(core::max_pool2d_gather(x, index(0).to(float32)), DTypeError);
  CHECK_THROWS_AS(core::max_pool2d_gather(x, zeros({2, 1, 1, 1}, int64)), ShapeError);
  CHECK_THROWS_AS(core::max_pool2d_scatter(ones({1, 1, 1, 1}), index(4), {1, 1, 2, 2}), ShapeError);
}

TEST_CASE("a max pooling window in the padding alone chooses nothing") {
  // Columns -1 and 2 of 2: none of the image.
  const Pool2dOptions options{
      .kernel_size = {1, 2}, .stride = 1, .padding = {0, 1}, .dilation = {1, 3}};
  const Tensor x = ones({1, 2, 5, 2});
  for (const auto& pool : {core::max_pool2d, core::max_pool2d_compact}) {
    const core::MaxPool2dResult result = pool(x, options);
    CHECK(core::equal(result.values, full({1, 2, 5, 1}, -HUGE_VAL)));
    CHECK(core::equal(result.indices, full({1, 2, 5, 1}, -1, int64)));
    const Tensor dy = ones({1, 2, 5, 1});
    CHECK(core::equal(core::max_pool2d_scatter(dy, result.indices, x.shape(), options),
                      zeros(x.shape())));
    CHECK(core::equal(core::max_pool2d_gather(x, result.indices, options), zeros(dy.shape())));
  }
}

TEST_CASE("a shape that pooling's gradients are told is compared as a whole") {
  const Tensor dy = ones({1, 1, 2, 2});
  const Pool2dOptions two{.kernel_size = 2};
  const Tensor indices = core::max_pool2d(ones({1, 1, 4, 4}), two).indices;
  const Tensor places = core::max_pool2d_compact(ones({1, 1, 4, 4}), two).indices;
  for (const Shape& input : {Shape{64, 64, 4, 4}, Shape{1, 2, 4, 4}, Shape{1, 1, 4, 4, 7},
                             Shape{1, 4, 4}, Shape{1, 1, -4, -4}, Shape{-1, -1, 4, 4}}) {
    CAPTURE(input);
    CHECK_THROWS_AS(core::adaptive_avg_pool2d_grad(dy, input), ShapeError);
    CHECK_THROWS_AS(core::avg_pool2d_grad(dy, input, two), ShapeError);
    CHECK_THROWS_AS(core::max_pool2d_scatter(dy, indices, input), ShapeError);
    CHECK_THROWS_AS(core::max_pool2d_scatter(dy, indices, input, two), ShapeError);
    CHECK_THROWS_AS(core::max_pool2d_scatter(dy, places, input, two), ShapeError);
    CHECK_THROWS_AS(core::conv2d_input_grad(dy, ones({1, 1, 3, 3}), input), ShapeError);
  }
  CHECK(message_of<ShapeError>([&] {
          core::adaptive_avg_pool2d_grad(ones({1, 1, 1, 1}), {64, 64, 1, 1});
        }) == "adaptive_avg_pool2d_grad: dy is [1,1,1,1], the output is [64,64,1,1]");
  CHECK(message_of<ShapeError>([&] {
          core::max_pool2d_gather(ones({1, 1, 6, 4}), indices, two);
        }) == "max_pool2d_gather: the choice is [1,1,2,2], the output is [1,1,3,2]");
}

TEST_CASE("pooling options and sizes whose products are beyond int64 are refused or work") {
  constexpr std::int64_t most = (std::int64_t{1} << 31) - 1;
  // A window as large as the options allow, on an image of 3x3: 9 outputs of 2^62 elements each.
  const Pool2dOptions vast{.kernel_size = most, .stride = 1, .padding = most / 2};
  const Tensor x = arange(9).to(float32).reshape({1, 1, 3, 3});
  CHECK(core::equal(core::max_pool2d(x, vast).values, full({1, 1, 3, 3}, 8)));
  const Pool2dOptions counted_inside{
      .kernel_size = most, .stride = 1, .padding = most / 2, .count_include_pad = false};
  CHECK(core::equal(core::avg_pool2d(x, counted_inside), full({1, 1, 3, 3}, 4)));
  CHECK(core::sum(core::avg_pool2d_grad(ones({1, 1, 3, 3}), x.shape(), counted_inside)).item() ==
        doctest::Approx(9));
  CHECK_THROWS_AS(core::max_pool2d(x, {.kernel_size = 2, .padding = most, .dilation = most}),
                  ValueError);
  CHECK_THROWS_AS(core::max_pool2d(x, {.kernel_size = 3, .padding = 1, .dilation = most}),
                  ShapeError);
  for (const Shape& input : {Shape{1, 1, most, most}, Shape{most, most, 1, 1},
                             Shape{1, 1, most + 1, 1}, Shape{most, most, most, most}}) {
    CAPTURE(input);
    CHECK_THROWS_AS(core::adaptive_avg_pool2d_grad(ones({1, 1, 1, 1}), input), ShapeError);
    CHECK_THROWS_AS(core::max_pool2d_scatter(ones({1, 1, 1, 1}), zeros({1, 1, 1, 1}, int64), input),
                    ShapeError);
    CHECK_THROWS_AS(core::avg_pool2d_grad(ones({1, 1, 1, 1}), input, {.kernel_size = most}),
                    ShapeError);
  }
  CHECK_THROWS_AS(core::adaptive_avg_pool2d(x, Pair(most + 1, 1)), ShapeError);
}

TEST_CASE("the compact choice of max pooling gives the same numbers as the indices") {
  Generator generator(5);
  const Tensor x = whole_numbers({2, 3, 20, 23}, generator);
  for (const Pool2dOptions& options :
       {Pool2dOptions{.kernel_size = 2},
        {.kernel_size = {4, 2}, .stride = {1, 3}, .padding = {2, 1}},
        {.kernel_size = {16, 17}},
        {.kernel_size = 2, .stride = 1, .padding = 1, .dilation = 3}}) {
    const core::MaxPool2dResult plain = core::max_pool2d(x, options);
    const core::MaxPool2dResult compact = core::max_pool2d_compact(x, options);
    const bool fits = options.dilation == Pair(1) && options.kernel_size != Pair(16, 17);
    CHECK(plain.indices.dtype() == int64);
    CHECK(compact.indices.dtype() == (fits ? uint8 : int64));
    CHECK(core::equal(compact.values, plain.values));
    CHECK(core::equal(core::max_pool2d_gather(x, compact.indices, options), plain.values));
    const Tensor dy = whole_numbers(plain.values.shape(), generator);
    CHECK(core::equal(core::max_pool2d_scatter(dy, compact.indices, x.shape(), options),
                      core::max_pool2d_scatter(dy, plain.indices, x.shape())));
  }
}

TEST_CASE("places of max pooling that point outside of the image are refused") {
  const Tensor x = ones({1, 1, 2, 2});
  const Pool2dOptions options{.kernel_size = 2};
  const auto place = [](std::int64_t i, const Shape& shape = {1, 1, 1, 1}) {
    return full(shape, static_cast<double>(i), uint8);
  };
  CHECK(core::max_pool2d_gather(x, place(3), options).item() == 1);
  CHECK_THROWS_AS(core::max_pool2d_gather(x, place(4), options), ShapeError);
  CHECK_THROWS_AS(core::max_pool2d_gather(x, place(0, {1, 1, 2, 1}), options), ShapeError);
  CHECK_THROWS_AS(core::max_pool2d_scatter(ones({1, 1, 1, 1}), place(4), {1, 1, 2, 2}, options),
                  ShapeError);
  const Pool2dOptions padded{.kernel_size = 2, .padding = 1};  // the corners of four windows
  CHECK_THROWS_AS(core::max_pool2d_gather(x, place(0, {1, 1, 2, 2}), padded), ShapeError);
  CHECK_THROWS_AS(core::max_pool2d_gather(x, place(3, {1, 1, 2, 2}), padded), ShapeError);
  const Pool2dOptions loose{.kernel_size = 2, .stride = 1, .padding = 1, .dilation = 3};
  CHECK_THROWS_AS(core::max_pool2d_gather(ones({1, 1, 4, 4}), place(0, {1, 1, 3, 3}), loose),
                  DTypeError);
}
