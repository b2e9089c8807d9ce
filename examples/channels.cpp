// Multiple input and multiple output channels, step by step: the chapter's functions and the
// chapter's numbers. Ends where a framework begins: the same result from conv2d, and its gradient.
#include <gradus/gradus.h>

#include <iostream>

using namespace gradus;

int main() {
  // Two input channels. The kernel has a slice for each; the results are added.
  const Tensor x =
      Tensor::from({{{0, 1, 2}, {3, 4, 5}, {6, 7, 8}}, {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}}}, float32);
  const Tensor k = Tensor::from({{{0, 1}, {2, 3}}, {{1, 2}, {3, 4}}}, float32);
  std::cout << "Two channels in, one out:\n" << corr2d_multi_in(x, k).value() << "\n\n";

  // Three output channels: three kernels, each sees all input channels.
  const Variable kernels = stack({k, Variable(k) + 1.0, Variable(k) + 2.0});
  std::cout << "K, K+1 and K+2 stacked: " << kernels.shape() << "\n";
  std::cout << "Two channels in, three out:\n" << corr2d_multi_in_out(x, kernels).value() << "\n\n";

  // 1x1: nothing to correlate in space, only channels to mix. It is a matrix product.
  Generator generator(0);
  const Tensor image = randn({3, 3, 3}, generator);
  const Tensor mix = randn({2, 3, 1, 1}, generator);
  const Tensor y1 = corr2d_multi_in_out_1x1(image, mix).value();
  const Tensor y2 = corr2d_multi_in_out(image, mix).value();
  const double difference = core::sum(core::abs(core::sub(y1, y2))).item();
  std::cout << "1x1 as a matrix product against the general one, sum of differences below 1e-6: "
            << (difference < 1e-6 ? "yes" : "no") << "\n";

  // The layer does the same for whole batches; the library sees by itself that 1x1 is a
  // matrix product.
  const Tensor batch = image.unsqueeze(0);
  std::cout << "conv2d agrees: "
            << (core::allclose(conv2d(batch, mix).value()[0], y1, 1e-5, 1e-6) ? "yes" : "no")
            << ", computed by "
            << kernels::to_string(core::conv2d_algorithm(batch.shape(), mix.shape())) << "\n\n";

  // And what the chapter leaves to the framework: the derivative.
  const Variable weight(k.unsqueeze(0), true);
  sum(conv2d(x.unsqueeze(0), weight)).backward();
  std::cout << "d(sum of outputs)/dK, the sum of the pixels that each weight met:\n"
            << weight.grad().value()[0] << "\n";
}
