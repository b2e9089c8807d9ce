// The passes of batch normalisation on tensors, against the same written with elementwise functions
// and reductions, in every layout.
#include <doctest/doctest.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/core/norm.h>
#include <gradus/core/random.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "support/error_message.h"
#include "support/naive.h"

using namespace gradus;

namespace {

/// The same bits: -0 is not 0, and a NaN is one.
bool same_bits(const Tensor& a, const Tensor& b) {
  const Tensor left = a.contiguous();
  const Tensor right = b.contiguous();
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(left.storage().data() + left.offset() * size_of(a.dtype()),
                     right.storage().data() + right.offset() * size_of(b.dtype()),
                     static_cast<std::size_t>(a.numel() * size_of(a.dtype()))) == 0;
}

Tensor beside(const Tensor& numbers) { return numbers.reshape({1, numbers.numel(), 1, 1}); }

Tensor composed(const Tensor& x, const core::ChannelMap& map) {
  Tensor y = core::mul(core::sub(x, beside(map.mean)), beside(map.scale));
  if (map.bias.defined()) y = core::add(y, beside(map.bias));
  return map.activation == Activation::relu ? core::relu(y) : y;
}

core::ChannelMap random_map(std::int64_t channels, DType dtype, Generator& generator, bool bias,
                            Activation activation) {
  return {randn({channels}, generator, dtype), randn({channels}, generator, dtype),
          bias ? randn({channels}, generator, dtype) : Tensor(), activation};
}

}  // namespace

TEST_CASE("channel_map gives the bits of sub, mul, add and relu, one after the other") {
  Generator generator(1);
  for (const DType dtype : {float32, float64}) {
    for (const bool bias : {false, true}) {
      for (const Activation activation : {Activation::none, Activation::relu}) {
        for (const Shape& shape : {Shape{2, 3, 5, 7}, Shape{3, 20, 8, 8}, Shape{0, 2, 3, 3}}) {
          for (const auto& wide_laid_out : naive::layouts(shape, generator)) {
            const auto& layout = wide_laid_out.first;
            const Tensor& wide = wide_laid_out.second;
            const Tensor x = dtype == float64 ? wide : wide.to(dtype);
            const core::ChannelMap map = random_map(shape[1], dtype, generator, bias, activation);
            CAPTURE(layout);
            CHECK(same_bits(core::channel_map(x, map), composed(x, map)));
          }
        }
      }
    }
  }
}

TEST_CASE("channel_map keeps NaN, infinities and the sign of 0, at each place of a vector") {
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float special : {infinity, -infinity, nan, 0.0F, -0.0F}) {
    for (int at = 0; at < 37; ++at) {
      const Tensor x = ones({1, 1, 1, 37});
      x.at<float>({0, 0, 0, at}) = special;
      for (const Activation activation : {Activation::none, Activation::relu}) {
        const core::ChannelMap map{zeros({1}), core::mul(ones({1}), 2), Tensor(), activation};
        CHECK(same_bits(core::channel_map(x, map), composed(x, map)));
      }
    }
  }
}

TEST_CASE("channel_moments are mean and var, whatever the layout") {
  Generator generator(2);
  for (const Shape& shape : {Shape{2, 3, 5, 7}, Shape{4, 3}, Shape{1, 20, 8}}) {
    for (const auto& laid_out : naive::layouts(shape, generator)) {
      const auto& layout = laid_out.first;
      const Tensor& x = laid_out.second;
      Dims dims{0};
      for (int d = 2; d < shape.rank(); ++d) dims.push_back(d);
      const core::ChannelMoments moments = core::channel_moments(x);
      CAPTURE(layout);
      CHECK(core::allclose(moments.mean, core::mean(x, dims), 1e-14, 1e-14));
      CHECK(core::allclose(moments.variance, core::var(x, dims, false, 0), 1e-14, 1e-14));
    }
  }
}

TEST_CASE("the sums and the gradient are those of the masked gradient") {
  Generator generator(3);
  const Shape shape{2, 3, 5, 7};
  for (const Activation activation : {Activation::none, Activation::relu}) {
    const core::ChannelMap map = random_map(3, float64, generator, true, activation);
    const Tensor offset = randn({3}, generator, float64);
    const Tensor slope = randn({3}, generator, float64);
    for (const auto& laid_out : naive::layouts(shape, generator)) {
      const auto& layout = laid_out.first;
      const Tensor& x = laid_out.second;
      for (const auto& dy_laid_out : naive::layouts(shape, generator)) {
        const auto& other = dy_laid_out.first;
        const Tensor& dy = dy_laid_out.second;
        CAPTURE(layout);
        CAPTURE(other);
        const Tensor g =
            activation == Activation::relu ? core::relu_grad(dy, composed(x, map)) : dy;
        const Tensor centred = core::sub(x, beside(map.mean));
        const core::ChannelGradSums sums = core::channel_grad_sums(dy, x, map);
        CHECK(core::allclose(sums.total, core::sum(g, {0, 2, 3}), 1e-13, 1e-13));
        CHECK(
            core::allclose(sums.along, core::sum(core::mul(g, centred), {0, 2, 3}), 1e-13, 1e-13));
        const Tensor dx =
            core::mul(core::sub(core::sub(g, beside(offset)), core::mul(centred, beside(slope))),
                      beside(map.scale));
        CHECK(
            core::allclose(core::channel_input_grad(dy, x, map, offset, slope), dx, 1e-13, 1e-13));
        const Tensor over = dy.contiguous().clone();
        core::channel_input_grad_(over, x, map, offset, slope);
        CHECK(core::equal(over, core::channel_input_grad(dy, x, map, offset, slope)));
      }
    }
  }
}

TEST_CASE("a gradient may be the input itself, and be written over it") {
  Generator generator(4);
  const core::ChannelMap map = random_map(3, float32, generator, true, Activation::relu);
  const Tensor offset = randn({3}, generator);
  const Tensor slope = randn({3}, generator);
  const Tensor x = randn({2, 3, 5, 7}, generator);
  const Tensor dx = core::channel_input_grad(x, x, map, offset, slope);
  core::channel_input_grad_(x, x, map, offset, slope);
  CHECK(core::equal(x, dx));
}

TEST_CASE("what does not fit is refused in one line") {
  const Tensor x = zeros({2, 3, 4, 4});
  const core::ChannelMap map{zeros({3}), ones({3}), Tensor()};
  CHECK(message_of<ShapeError>([] { core::channel_moments({}); }) ==
        "channel_moments: the operand is undefined");
  CHECK(message_of<ShapeError>([] { core::channel_moments(zeros({3})); }) ==
        "channel_moments: expects [N,C,...], got [3]");
  CHECK(contains(message_of<ShapeError>([] {
                   core::channel_moments(zeros({0, 3, 2}));
                 }),
                 "[0,3,2] has no values"));
  CHECK_THROWS_AS(core::channel_moments(zeros({2, 3}, int64)), DTypeError);
  CHECK(contains(message_of<ShapeError>([&] {
                   core::channel_map(x, {zeros({2}), ones({3})});
                 }),
                 "mean is [2], input [2,3,4,4] has 3 channels"));
  CHECK(message_of<ShapeError>([&] {
          core::channel_map(x, {zeros({3}), {}});
        }) == "channel_map: scale is undefined");
  CHECK_THROWS_AS(core::channel_map(x, {zeros({3}), ones({3}, float64)}), DTypeError);
  CHECK(contains(message_of<ShapeError>([&] {
                   core::channel_grad_sums(zeros({2, 3, 4, 5}), x, map);
                 }),
                 "the gradient is [2,3,4,5], the input [2,3,4,4]"));
  CHECK_THROWS_AS(core::channel_grad_sums(x.to(float64), x, map), DTypeError);
  CHECK_THROWS_AS(core::channel_grad_sums({}, x, map), ShapeError);
  CHECK_THROWS_AS(core::channel_input_grad(x, x, map, zeros({2}), zeros({3})), ShapeError);
  CHECK_THROWS_AS(core::channel_input_grad(x, x, map, zeros({3}), {}), ShapeError);
  CHECK(contains(message_of<ShapeError>([&] {
                   core::channel_input_grad_(x.transpose(), x, map, zeros({3}), zeros({3}));
                 }),
                 "not contiguous"));
}
