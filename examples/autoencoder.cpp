// A convolutional autoencoder: each digit of 64 pixels has to pass through 8 numbers and come out
// again. How much is lost says little alone, so the same is measured of two that are known: the
// mean image, which passes no number at all, and principal components (PCA), the best that 8
// numbers can do when they are a linear function of the image and the image one of them.
//
// Mean squared errors of the test images, pixels being 0..1: mean image 0.073, PCA 0.024,
// autoencoder 0.012 (other seeds and processors 0.0117 to 0.0124). It fails above 0.6 of PCA's.
#include <gradus/gradus.h>

#include <cmath>
#include <cstdio>

using namespace gradus;

namespace {

constexpr std::int64_t code = 8;

/// [N,1,8,8] -> [N,code,1,1] -> [N,1,8,8]
Sequential make_autoencoder() {
  return Sequential{Conv2d{1, 16, {.kernel_size = 3, .padding = 1}},  // [N,16,8,8]
                    ReLU{},
                    Conv2d{16, 32, {.kernel_size = 4, .stride = 2, .padding = 1}},  // [N,32,4,4]
                    ReLU{},
                    Conv2d{32, code, {.kernel_size = 4}},  // [N,code,1,1], a number a channel
                    ConvTranspose2d{code, 32, {.kernel_size = 4}},  // [N,32,4,4]
                    ReLU{},
                    ConvTranspose2d{32, 16, {.kernel_size = 4, .stride = 2, .padding = 1}},
                    ReLU{},
                    Conv2d{16, 1, {.kernel_size = 3, .padding = 1}},  // [N,1,8,8]
                    Sigmoid{}};
}

double mean_square(const Tensor& x) { return core::mean(x * x).item(); }

/// The directions in which the rows of x [N,D], of mean 0, differ most: [D,count], orthonormal. By
/// subspace iteration: xᵀ·x stretches those directions most, so applying it again and again turns any
/// others towards them.
Tensor principal_directions(const Tensor& x, std::int64_t count, Generator& generator) {
  const Tensor covariance = core::matmul(x.transpose(), x);
  Tensor directions = randn({x.size(1), count}, generator);
  for (int round = 0; round < 100; ++round) {
    directions = core::matmul(covariance, directions);
    for (std::int64_t j = 0; j < count; ++j) {  // Gram-Schmidt
      const Tensor column = directions.select(1, j);
      for (std::int64_t i = 0; i < j; ++i) {
        const Tensor before = directions.select(1, i);
        column.copy_(column - core::sum(column * before).item() * before);
      }
      column.copy_(column / std::sqrt(core::sum(column * column).item()));
    }
  }
  return directions;
}

}  // namespace

int main() {
  manual_seed(1);
  DataSplit digits = load_digits();
  digits.train.normalization = {};  // the loader leaves pixels as they are, 0..1
  const Tensor train = digits.train.images.flatten(1);  // [1437,64]
  const Tensor test = digits.test.images.flatten(1);    // [360,64]

  const Tensor mean = core::mean(train, {0});
  const double mean_error = mean_square(test - mean);
  const Tensor directions = principal_directions(train - mean, code, default_generator());
  const Tensor numbers = core::matmul(test - mean, directions);  // [360,code]
  const double pca_error = mean_square(test - mean - core::matmul(numbers, directions.transpose()));

  constexpr int epochs = 30;
  Sequential model = make_autoencoder();
  AdamW optimizer(model.parameters(), {.lr = 0.003});
  CosineAnnealing schedule(optimizer, {.epochs = epochs});
  DataLoader loader(digits.train, {.batch_size = 32, .shuffle = true, .seed = 1});
  double error = 0;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    for (const Batch& batch : loader.epoch(epoch)) {
      optimizer.zero_grad();
      mse_loss(model(batch.images), batch.images).backward();
      optimizer.step();
    }
    schedule.step();
    const NoGrad no_tape;
    error = mean_square(model(digits.test.images).value() - digits.test.images);
    if ((epoch + 1) % 5 == 0) std::printf("epoch %d: test error %.4f\n", epoch + 1, error);
  }
  std::printf("mean image %.4f, PCA %.4f, autoencoder %.4f\n", mean_error, pca_error, error);
  return error <= 0.6 * pca_error ? 0 : 1;
}
