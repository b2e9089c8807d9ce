// The chapter's four functions with the chapter's own values (Dive into Deep Learning, "Multiple
// Input and Multiple Output Channels"), and against conv2d.
#include <doctest/doctest.h>
#include <gradus/autograd/corr2d.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/gradcheck.h>

#include <string>

#include "support/error_message.h"

using namespace gradus;

namespace {

Variable two_channels() {
  return stack({arange(0, 9).reshape({3, 3}), arange(1, 10).reshape({3, 3})});
}
Variable two_kernels() {
  return stack({arange(0, 4).reshape({2, 2}), arange(1, 5).reshape({2, 2})});
}

}  // namespace

TEST_CASE("one channel: 0 to 8 under 0 to 3 gives 19, 25, 37, 43") {
  const Variable y = corr2d(arange(0, 9).reshape({3, 3}), arange(0, 4).reshape({2, 2}));
  CHECK(core::equal(y.value(), Tensor::from({{19.0, 25.0}, {37.0, 43.0}})));
}

TEST_CASE("two channels in: [[56, 72], [104, 120]]") {
  const Variable y = corr2d_multi_in(two_channels(), two_kernels());
  CHECK(core::equal(y.value(), Tensor::from({{56.0, 72.0}, {104.0, 120.0}})));
}

TEST_CASE("three channels out: kernels K, K+1 and K+2") {
  const Variable k = two_kernels();
  const Variable y = corr2d_multi_in_out(two_channels(), stack({k, k + 1.0, k + 2.0}));
  CHECK(core::equal(y.value(), Tensor::from({{{56.0, 72.0}, {104.0, 120.0}},
                                             {{76.0, 100.0}, {148.0, 172.0}},
                                             {{96.0, 128.0}, {192.0, 224.0}}})));
}

TEST_CASE("1x1 kernels: the matrix product equals the general correlation, and conv2d") {
  Generator generator(1);
  const Variable x = randn({3, 3, 3}, generator, float64);
  const Variable k = randn({2, 3, 1, 1}, generator, float64);
  const Tensor y = corr2d_multi_in_out_1x1(x, k).value();
  // Sums of three products around 1, added in another order.
  constexpr double tolerance = 1e-14;
  CHECK(core::allclose(y, corr2d_multi_in_out(x, k).value(), 0, tolerance));
  CHECK(core::allclose(y, conv2d(unsqueeze(x, 0), k).value()[0], 0, tolerance));
}

TEST_CASE("the general correlation equals conv2d on one image") {
  Generator generator(2);
  const Variable x = randn({3, 5, 6}, generator, float64);
  const Variable k = randn({4, 3, 2, 3}, generator, float64);
  CHECK(core::allclose(corr2d_multi_in_out(x, k).value(), conv2d(unsqueeze(x, 0), k).value()[0], 0,
                       1e-13));  // 18 products
}

TEST_CASE("the chapter's functions can be differentiated, twice") {
  Generator generator(3);
  const Variables inputs{Variable(randn({2, 3, 4}, generator, float64), true),
                         Variable(randn({3, 2, 2, 2}, generator, float64), true)};
  const auto general = [](const Variables& v) { return corr2d_multi_in_out(v[0], v[1]); };
  CHECK(gradcheck(general, inputs).passed());
  CHECK(gradgradcheck(general, inputs).passed());
  const Variables pixels{inputs[0], Variable(randn({3, 2, 1, 1}, generator, float64), true)};
  const auto pointwise = [](const Variables& v) { return corr2d_multi_in_out_1x1(v[0], v[1]); };
  CHECK(gradcheck(pointwise, pixels).passed());
  CHECK(gradgradcheck(pointwise, pixels).passed());
}

TEST_CASE("shapes that do not fit are refused with both of them") {
  const auto names_both = [](const std::string& message, const std::string& op,
                             const std::string& a, const std::string& b) {
    CAPTURE(message);
    CHECK(message.find(op + ": ") == 0);
    CHECK(contains(message, a));
    CHECK(contains(message, b));
  };
  names_both(message_of<ShapeError>([] {
               corr2d(ones({2, 2}), ones({3, 3}));
             }),
             "corr2d", "[2,2]", "[3,3]");
  names_both(message_of<ShapeError>([] {
               corr2d(ones({2}), ones({3, 3}));
             }),
             "corr2d", "[2]", "[3,3]");
  names_both(message_of<ShapeError>([] {
               corr2d_multi_in(ones({2, 3, 3}), ones({3, 2, 2}));
             }),
             "corr2d_multi_in", "[2,3,3]", "[3,2,2]");
  names_both(message_of<ShapeError>([] {
               corr2d_multi_in_out(ones({2, 3, 3}), ones({1, 3, 2, 2}));
             }),
             "corr2d_multi_in_out", "[2,3,3]", "[1,3,2,2]");
  names_both(message_of<ShapeError>([] {
               corr2d_multi_in_out_1x1(ones({2, 3, 3}), ones({1, 2, 2, 2}));
             }),
             "corr2d_multi_in_out_1x1", "[2,3,3]", "[1,2,2,2]");
}

TEST_CASE("two kernels in a row are one kernel: their full convolution") {
  Generator generator(4);
  const Variable x = randn({2, 3, 11, 9}, generator, float64);
  const Variable first = randn({4, 3, 3, 2}, generator, float64);
  const Variable second = randn({5, 4, 2, 3}, generator, float64);
  constexpr double tolerance = 1e-11;  // sums of some 100 products around 1

  const Variable composed = compose_conv2d(first, second);
  CHECK(composed.shape() == Shape{5, 3, 4, 4});
  const Tensor two = conv2d(conv2d(x, first), second).value();
  CHECK(core::allclose(two, conv2d(x, composed).value(), 0, tolerance));

  // Strides multiply, and the padding of the first is that of both.
  const Conv2dOptions strided{.stride = {2, 1}, .padding = {1, 2}};
  const Variable spread = compose_conv2d(first, second, strided.stride);
  CHECK(spread.shape() == Shape{5, 3, 5, 4});
  const Tensor in_a_row =
      conv2d(conv2d(x, first, {}, strided), second, {}, {.stride = {1, 2}}).value();
  const Tensor at_once =
      conv2d(x, spread, {}, {.stride = {2, 2}, .padding = strided.padding}).value();
  CHECK(core::allclose(in_a_row, at_once, 0, tolerance));
}

TEST_CASE("padding of the second kernel spoils the outputs that see it, and only these") {
  Generator generator(5);
  const Variable x = randn({1, 2, 8, 7}, generator, float64);
  const Variable first = randn({3, 2, 3, 3}, generator, float64);
  const Variable second = randn({4, 3, 3, 3}, generator, float64);
  const Tensor two =
      conv2d(conv2d(x, first, {}, {.padding = 1}), second, {}, {.padding = 1}).value();
  const Tensor one = conv2d(x, compose_conv2d(first, second), {}, {.padding = 2}).value();
  REQUIRE(two.shape() == one.shape());
  const auto inside = [](const Tensor& y) { return y.narrow(2, 1, 6).narrow(3, 1, 5); };
  constexpr double tolerance = 1e-11;  // sums of 54 products around 1
  CHECK(core::allclose(inside(two), inside(one), 0, tolerance));
  const Tensor differs = core::gt(core::abs(core::sub(two, one)), tolerance);
  CHECK(core::sum(differs.to(int64)).item() == 4 * (8 * 7 - 6 * 5));
}

TEST_CASE("a composed kernel has the derivatives of both, twice") {
  Generator generator(6);
  const Variables kernels{Variable(randn({2, 3, 2, 1}, generator, float64), true),
                          Variable(randn({2, 2, 1, 3}, generator, float64), true)};
  const auto compose = [](const Variables& v) { return compose_conv2d(v[0], v[1], {1, 2}); };
  CHECK(gradcheck(compose, kernels).passed());
  CHECK(gradgradcheck(compose, kernels).passed());
}

TEST_CASE("kernels that cannot follow one another are refused") {
  const auto refused = [](const Tensor& first, const Tensor& second) {
    return message_of<ShapeError>([&] { compose_conv2d(first, second); });
  };
  CHECK(refused(ones({2, 3, 3, 3}), ones({4, 5, 1, 1})) ==
        "compose_conv2d: the first kernel gives 2 channels, the second takes 5 ([2,3,3,3], "
        "[4,5,1,1])");
  CHECK(contains(refused(ones({3, 3}), ones({4, 2, 1, 1})), "got [3,3] and [4,2,1,1]"));
  CHECK(contains(refused(ones({2, 3, 0, 3}), ones({4, 2, 1, 1})), "got [2,3,0,3] and [4,2,1,1]"));
  CHECK(contains(message_of<ValueError>([] {
                   compose_conv2d(ones({1, 1, 2, 2}), ones({1, 1, 2, 2}), 0);
                 }),
                 "stride"));
}
