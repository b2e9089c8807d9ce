// Inputs for the ops of autograd/ops/norm.cpp.
#include <gradus/gradcheck/samples/inputs.h>

namespace gradus::samples {
namespace {

std::vector<Sample> batch_norm_samples_with(Activation activation) {
  // With these seeds no number comes nearer to relu's kink than 0.06.
  const std::uint64_t seed = activation == Activation::none ? 0 : 3313;
  const auto train = [=](const Variables& v) {
    return batch_norm(v[0], v.size() > 1 ? v[1] : Variable(), v.size() > 2 ? v[2] : Variable(), {},
                      {}, {.eps = 0.1, .activation = activation});
  };
  const auto evaluate = [=](const Variables& v) {
    return batch_norm(v[0], v[1], v[2], Tensor::from({0.5, -0.25}, v[0].dtype()),
                      Tensor::from({1.5, 0.75}, v[0].dtype()),
                      {.training = false, .activation = activation});
  };
  return {{"images",
           {spread({3, 2, 2, 4}, seed + 1), positive({2}, seed + 2), spread({2}, seed + 3)},
           train},
          {"sequences",
           {spread({3, 4, 5}, seed + 4), positive({4}, seed + 5), spread({4}, seed + 6)},
           train},
          {"a square",
           {spread({4, 4}, seed + 7), positive({4}, seed + 8), spread({4}, seed + 9)},
           train},
          {"rows, no weight", {spread({4, 3}, seed + 10)}, train},
          {"no bias", {spread({3, 4}, seed + 11), positive({4}, seed + 12)}, train},
          {"no weight",
           {spread({3, 4}, seed + 13), spread({4}, seed + 14)},
           [=](const Variables& v) {
             return batch_norm(v[0], {}, v[1], {}, {}, {.activation = activation});
           }},
          {"one image",
           {spread({1, 2, 3, 2}, seed + 15), positive({2}, seed + 16), spread({2}, seed + 17)},
           train},
          {"the same twice",
           {spread({3, 4}, seed + 18), positive({4}, seed + 19)},
           [=](const Variables& v) {
             return batch_norm(v[0], v[1], v[1], {}, {}, {.activation = activation});
           }},
          {"running statistics",
           {spread({3, 2, 2, 4}, seed + 20), positive({2}, seed + 21), spread({2}, seed + 22)},
           evaluate},
          {"running statistics, no images",
           {spread({0, 2, 2, 2}, seed + 23), positive({2}, seed + 24), spread({2}, seed + 25)},
           evaluate}};
}

std::vector<Sample> batch_norm_training_samples_with(Activation activation) {
  const auto train = [=](const Variables& v) {
    return batch_norm(v[0], v[1], v[2], {}, {}, {.activation = activation});
  };
  const auto evaluate = [=](const Variables& v) {
    const std::int64_t channels = v[0].size(1);
    return batch_norm(v[0], v[1], v[2], spread({channels}, 1).value().to(v[0].dtype()),
                      positive({channels}, 2).value().to(v[0].dtype()),
                      {.training = false, .activation = activation});
  };
  const auto sample = [](const std::string& description, const Shape& shape, const auto& f,
                         Range range = {}) {
    return Sample{
        description, {spread(shape, 1, range), positive({shape[1]}, 2), spread({shape[1]}, 3)}, f};
  };
  std::vector<Sample> all{
      sample("images", {8, 32, 32, 32}, train), sample("ragged planes", {8, 16, 33, 31}, train),
      sample("a mean of 100", {8, 16, 33, 31}, train, {98, 102}),
      sample("a perceptron", {64, 256}, train), sample("evaluation", {8, 16, 33, 31}, evaluate)};
  for (const std::int64_t size : remainders) {
    all.push_back(sample("columns, " + size_name(size), {3, 5, 4, size}, train));
    all.push_back(sample("channels, " + size_name(size), {33, size}, train));
  }
  return all;
}

std::vector<Sample> batch_norm_samples() { return activation_samples(batch_norm_samples_with); }

std::vector<Sample> batch_norm_training_samples() {
  return activation_samples(batch_norm_training_samples_with);
}

}  // namespace

std::vector<OpSamples> norm() {
  return {
      {"batch_norm", batch_norm_samples, batch_norm_training_samples},
  };
}

}  // namespace gradus::samples
