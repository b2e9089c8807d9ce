// Inputs for the ops of autograd/ops/linalg.cpp.
#include <gradus/gradcheck/samples/inputs.h>

namespace gradus::samples {
namespace {

std::vector<Sample> matmul_samples() {
  const auto f = [](const Variables& v) { return matmul(v[0], v[1]); };
  return {{"matrices", {spread({3, 4}, 1), spread({4, 5}, 2)}, f},
          {"squares", {spread({4, 4}, 3), spread({4, 4}, 4)}, f},
          {"batches", {spread({3, 4, 5}, 5), spread({3, 5, 2}, 6)}, f},
          {"batches of squares", {spread({3, 3, 3}, 7), spread({3, 3, 3}, 8)}, f},
          {"both batches broadcast", {spread({2, 1, 3, 4}, 9), spread({3, 4, 2}, 10)}, f},
          {"a matrix against a batch", {spread({3, 4}, 11), spread({2, 4, 5}, 12)}, f},
          {"vectors", {spread({3}, 13), spread({3}, 14)}, f},
          {"matrix and vector", {spread({3, 4}, 15), spread({4}, 16)}, f},
          {"vector and batch", {spread({3}, 17), spread({2, 3, 4}, 18)}, f},
          {"transposed views",
           {spread({4, 3}, 19), spread({5, 4}, 20)},
           [](const Variables& v) { return matmul(transpose(v[0]), transpose(v[1])); }},
          {"an empty inner size", {spread({2, 0}, 21), spread({0, 3}, 22)}, f},
          {"no rows", {spread({0, 3}, 23), spread({3, 4}, 24)}, f},
          {"no batches", {spread({0, 2, 3}, 25), spread({3, 4}, 26)}, f},
          {"the same twice", {spread({3, 3}, 27)}, [](const Variables& v) {
             return matmul(v[0], v[0]);
           }}};
}

std::vector<Sample> matmul_training_samples() {
  const auto f = [](const Variables& v) { return matmul(v[0], v[1]); };
  std::vector<Sample> all{
      {"large", {spread({256, 400}, 1), spread({400, 120}, 2)}, f},
      {"no multiples of a vector", {spread({97, 131}, 3), spread({131, 113}, 4)}, f},
      {"long sums", {spread({31, 4099}, 5), spread({4099, 33}, 6)}, f},
      {"batches", {spread({4, 33, 65}, 7), spread({4, 65, 17}, 8)}, f},
      {"one matrix for all", {spread({4, 33, 65}, 9), spread({65, 47}, 10)}, f},
      {"transposed views", {spread({131, 97}, 11), spread({113, 131}, 12)}, [](const Variables& v) {
         return matmul(transpose(v[0]), transpose(v[1]));
       }}};
  for (const std::int64_t size : remainders) {
    all.push_back({"rows, " + size_name(size), {spread({size, 33}, 13), spread({33, 47}, 14)}, f});
    all.push_back(
        {"columns, " + size_name(size), {spread({47, 33}, 15), spread({33, size}, 16)}, f});
    all.push_back(
        {"inner, " + size_name(size), {spread({47, size}, 17), spread({size, 33}, 18)}, f});
  }
  return all;
}

std::vector<Sample> linear_samples_with(Activation activation) {
  const auto f = [=](const Variables& v) {
    return linear(v[0], v[1], v.size() > 2 ? v[2] : Variable(), activation);
  };
  return {{"with bias", {spread({3, 4}, 1), spread({5, 4}, 2), spread({5}, 3)}, f},
          {"without bias", {spread({2, 3, 4}, 4), spread({5, 4}, 5)}, f},
          {"all sizes equal", {spread({4, 4}, 6), spread({4, 4}, 7), spread({4}, 8)}, f},
          {"batches, with bias", {spread({2, 3, 4}, 19), spread({5, 4}, 20), spread({5}, 21)}, f},
          {"one vector", {spread({4}, 9), spread({3, 4}, 10), spread({3}, 11)}, f},
          {"no rows", {spread({0, 4}, 12), spread({3, 4}, 13), spread({3}, 14)}, f},
          {"no features", {spread({2, 0}, 15), spread({3, 0}, 16), spread({3}, 17)}, f},
          {"batches without features", {spread({2, 2, 0}, 22), spread({3, 0}, 23)}, f},
          {"batches to nothing", {spread({2, 3, 4}, 24), spread({0, 4}, 25), spread({0}, 26)}, f},
          {"one vector to nothing", {spread({4}, 27), spread({0, 4}, 28)}, f},
          {"one vector without features", {spread({0}, 29), spread({3, 0}, 30)}, f},
          {"the same twice", {spread({3, 4}, 18)}, [=](const Variables& v) {
             return linear(v[0], v[0], {}, activation);
           }}};
}

std::vector<Sample> linear_training_samples_with(Activation activation) {
  const auto f = [=](const Variables& v) {
    return linear(v[0], v[1], v.size() > 2 ? v[2] : Variable(), activation);
  };
  std::vector<Sample> all{
      {"a perceptron", {spread({64, 784}, 1), spread({256, 784}, 2), spread({256}, 3)}, f},
      {"a head", {spread({32, 512}, 4), spread({10, 512}, 5), spread({10}, 6)}, f},
      {"without bias", {spread({97, 131}, 7), spread({113, 131}, 8)}, f},
      {"sequences", {spread({4, 33, 65}, 9), spread({47, 65}, 10), spread({47}, 11)}, f}};
  for (const std::int64_t size : remainders) {
    all.push_back({"batch, " + size_name(size),
                   {spread({size, 33}, 12), spread({47, 33}, 13), spread({47}, 14)},
                   f});
    all.push_back({"features, " + size_name(size),
                   {spread({33, 47}, 15), spread({size, 47}, 16), spread({size}, 17)},
                   f});
  }
  return all;
}

std::vector<Sample> linear_samples() { return activation_samples(linear_samples_with); }

std::vector<Sample> linear_training_samples() {
  return activation_samples(linear_training_samples_with);
}

}  // namespace

std::vector<OpSamples> linalg() {
  return {
      {"matmul", matmul_samples, matmul_training_samples},
      {"linear", linear_samples, linear_training_samples},
  };
}

}  // namespace gradus::samples
