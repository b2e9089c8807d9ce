// Windows as columns: what lies where, and that fold is the adjoint.
#include <doctest/doctest.h>
#include <gradus/core/conv.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>

#include <string>
#include <vector>

#include "support/error_message.h"

using namespace gradus;

namespace {

double dot(const Tensor& a, const Tensor& b) { return core::sum(core::mul(a, b)).item(); }

/// Small integers in float64: sums of their products are exact in any order.
Tensor whole_numbers(const Shape& shape, Generator& generator) {
  return randint(-3, 4, shape, generator, float64);
}

}  // namespace

TEST_CASE("a column is a window, row by row, channel by channel, and the padding is zeros") {
  const Tensor x = arange(0, 12).reshape({1, 2, 2, 3});
  CHECK(core::equal(core::unfold(x, {.kernel_size = 2}), Tensor::from({{{0.0, 1.0},
                                                                        {1.0, 2.0},
                                                                        {3.0, 4.0},
                                                                        {4.0, 5.0},
                                                                        {6.0, 7.0},
                                                                        {7.0, 8.0},
                                                                        {9.0, 10.0},
                                                                        {10.0, 11.0}}})));
  const Tensor one = Tensor::from({{{{7.0}}}});
  CHECK(core::equal(core::unfold(one, {.kernel_size = {1, 3}, .padding = {0, 1}}),
                    Tensor::from({{{0.0}, {7.0}, {0.0}}})));
  // Every other column of windows begins in the padding.
  CHECK(core::equal(core::unfold(x.slice(1, 0, 1), {.kernel_size = 1, .padding = 1, .stride = 2}),
                    Tensor::from({{{0.0, 0.0, 0.0, 0.0, 4.0, 0.0}}})));
}

TEST_CASE("columns that overlap add up") {
  const Tensor pixels = ones({1, 1, 3, 3});
  const Tensor times = core::fold(core::unfold(pixels, {.kernel_size = 2}), 3, {.kernel_size = 2});
  CHECK(core::equal(times, Tensor::from({{{{1.0, 2.0, 1.0}, {2.0, 4.0, 2.0}, {1.0, 2.0, 1.0}}}})));
}

TEST_CASE("fold is the adjoint of unfold, exactly, and both read views as they lie") {
  Generator generator(5);
  const std::vector<UnfoldOptions> all{
      {.kernel_size = 2},
      {.kernel_size = {3, 2}, .dilation = {1, 2}, .padding = {2, 1}, .stride = {2, 1}},
      {.kernel_size = 1, .padding = 3, .stride = 4},
      {.kernel_size = {2, 1}, .dilation = {4, 1}, .padding = {0, 2}, .stride = {1, 3}}};
  for (const UnfoldOptions& options : all) {
    CAPTURE(options.kernel_size.height);
    const Tensor x = whole_numbers({2, 5, 7, 3}, generator).permute({0, 3, 1, 2});
    const Tensor columns = core::unfold(x, options);
    CHECK(core::equal(columns, core::unfold(x.clone(), options)));
    const Tensor other =
        whole_numbers({2, columns.size(2), columns.size(1)}, generator).transpose();
    const Tensor image = core::fold(other, {5, 7}, options);
    CHECK(image.shape() == x.shape());
    CHECK(core::equal(image, core::fold(other.clone(), {5, 7}, options)));
    const double form = dot(columns, other);
    CHECK(form != 0);
    CHECK(dot(x, image) == form);
  }
}

TEST_CASE("convolution is a product with the columns, exactly") {
  Generator generator(6);
  const Tensor x = whole_numbers({2, 3, 5, 4}, generator);
  const Tensor w = whole_numbers({4, 3, 2, 3}, generator);
  const Tensor columns = core::unfold(x, {.kernel_size = {2, 3}, .padding = 1, .stride = {1, 2}});
  const Tensor y = core::conv2d(x, w, {}, {.stride = {1, 2}, .padding = 1});
  CHECK(core::equal(core::matmul(w.reshape({4, 18}), columns), y.reshape({2, 4, -1})));
}

TEST_CASE("the convolutions of tensors refuse same, and know valid") {
  const Tensor x = ones({1, 2, 4, 4});
  const Tensor w = ones({3, 2, 3, 3});
  CHECK(message_of<ValueError>([&] { core::conv2d(x, w, {}, {.padding = Padding::same}); }) ==
        "conv2d: padding must be sizes, got same, which only conv2d of Variables takes");
  CHECK(core::equal(core::conv2d(x, w, {}, {.padding = Padding::valid}), core::conv2d(x, w)));
  CHECK(Padding::valid != Padding(0));
  CHECK(to_string(Padding::same.rule) == "same");
}
