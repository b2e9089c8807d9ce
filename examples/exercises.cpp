// The exercises at the end of the chapter on channels, answered by computing. docs/channels.md has
// the reasoning.
#include <gradus/gradus.h>

#include <iostream>

using namespace gradus;

namespace {

/// Multiplications of a forward pass: each output pixel of each output channel takes ci·kh·kw.
std::int64_t multiplications(const Shape& x, const Shape& k, const Conv2dOptions& options) {
  const Tensor y = core::conv2d(zeros({1, x[0], x[1], x[2]}), zeros(k), {}, options);
  return y.numel() * k[1] * k[2] * k[3];
}

}  // namespace

int main() {
  Generator generator(1);

  // 1. Two kernels in a row, no nonlinearity between: one kernel of size k1+k2-1, the full
  // correlation of both.
  const Tensor x = randn({9, 9}, generator, float64);
  const Tensor k1 = randn({3, 3}, generator, float64);
  const Tensor k2 = randn({2, 2}, generator, float64);
  const Tensor two = corr2d(corr2d(x, k1), k2).value();
  const Tensor flipped =
      core::index_select(core::index_select(k2, 0, Tensor::from({1, 0})), 1, Tensor::from({1, 0}));
  const Tensor joined =
      core::conv2d(k1.reshape({1, 1, 3, 3}), flipped.reshape({1, 1, 2, 2}), {}, {.padding = 1});
  const Tensor one = corr2d(x, joined.reshape({4, 4})).value();
  std::cout << "1. A 3x3 and a 2x2 kernel make one of 4x4: "
            << (core::allclose(two, one, 1e-12, 1e-12) ? "yes" : "no")
            << ".\n   The converse fails: a 3x3 kernel has 9 free numbers, two 2x2 kernels only 8 "
               "(7 up to scale).\n";

  // 2. Cost of one image, c_i = 16, c_o = 32, 28x28, 3x3, padding 1.
  const Shape image{16, 28, 28};
  const Shape kernel{32, 16, 3, 3};
  const std::int64_t forward = multiplications(image, kernel, {.padding = 1});
  std::cout << "2. Forward: " << forward << " multiply-adds. Backward: " << 2 * forward
            << " (one such product for the input's gradient, one for the weight's).\n"
            << "   Memory: " << image.numel() << " + " << kernel.numel() << " + " << 32 * 28 * 28
            << " numbers (input, weight, output); the backward pass needs as many again for the "
               "gradients.\n";

  // 3. Twice the channels, twice the padding.
  const std::int64_t doubled = multiplications({32, 28, 28}, {64, 32, 3, 3}, {.padding = 1});
  const std::int64_t padded = multiplications(image, kernel, {.padding = 2});
  std::cout << "3. Doubling both channel counts multiplies the work by " << doubled / forward
            << "; doubling the padding, by "
            << static_cast<double>(padded) / static_cast<double>(forward) << ".\n";

  // 4. 1x1.
  std::cout << "4. With 1x1 the work is c_i·c_o·h·w: " << multiplications(image, {32, 16, 1, 1}, {})
            << ", a ninth of 3x3.\n";

  // 5. Are Y1 and Y2 equal to the last bit? Sums in another order round differently.
  const Tensor pixels = randn({64, 8, 8}, generator);
  const Tensor mix = randn({16, 64, 1, 1}, generator);
  const Tensor y1 = corr2d_multi_in_out_1x1(pixels, mix).value();
  const Tensor y2 = corr2d_multi_in_out(pixels, mix).value();
  std::cout << "5. Y1 and Y2 agree to 1e-4: " << (core::allclose(y1, y2, 1e-4, 1e-4) ? "yes" : "no")
            << "; to the last bit: " << (core::equal(y1, y2) ? "yes" : "no") << ".\n";

  // 6. Correlation as a matrix product, for any window.
  const Variable picture = randn({2, 6, 5}, generator, float64);
  const Variable filters = randn({3, 2, 2, 3}, generator, float64);
  const Variable windows = unfold(picture, {.kernel_size = {2, 3}});  // [2·2·3, 5·3]
  const Variable product = matmul(reshape(filters, {3, -1}), windows);
  const Variable direct = corr2d_multi_in_out(picture, filters);
  std::cout << "6. Windows laid out as columns turn any correlation into one matrix product: "
            << (core::allclose(product.value(), reshape(direct, {3, -1}).value(), 1e-12, 1e-12)
                    ? "yes"
                    : "no")
            << ".\n";
}
