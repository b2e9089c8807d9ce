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

Variable given(const Variables& v, std::size_t i) { return v.size() > i ? v[i] : Variable(); }

std::vector<Sample> layer_norm_samples() {
  const auto over = [](const Shape& shape) {
    return [shape](const Variables& v) {
      return layer_norm(v[0], shape, given(v, 1), given(v, 2), 0.1);
    };
  };
  return {{"rows", {spread({4, 3}, 1), positive({3}, 2), spread({3}, 3)}, over({3})},
          {"two dimensions",
           {spread({2, 4, 3}, 4), positive({4, 3}, 5), spread({4, 3}, 6)},
           over({4, 3})},
          {"all dimensions, no weight", {spread({2, 4}, 7)}, over({2, 4})},
          {"no bias", {spread({2, 2, 3}, 8), positive({3}, 9)}, over({3})},
          {"a square", {spread({4, 4}, 10), positive({4}, 11), spread({4}, 12)}, over({4})},
          {"one value a row", {spread({3, 1}, 13), positive({1}, 14), spread({1}, 15)}, over({1})},
          {"no rows", {spread({0, 3}, 16), positive({3}, 17), spread({3}, 18)}, over({3})}};
}

std::vector<Sample> layer_norm_training_samples() {
  const auto sample = [](const Shape& shape, Range range = {}) {
    const Shape last{shape[shape.rank() - 1]};
    return Sample{to_string(shape),
                  {spread(shape, 1, range), positive(last, 2), spread(last, 3)},
                  [=](const Variables& v) { return layer_norm(v[0], last, v[1], v[2]); }};
  };
  std::vector<Sample> all{sample({8, 65, 256}), sample({401, 257}, {98, 102})};
  for (const std::int64_t size : remainders) all.push_back(sample({5, 3, size}));
  return all;
}

std::vector<Sample> group_norm_samples() {
  const auto into = [](std::int64_t groups) {
    return [groups](const Variables& v) {
      return group_norm(v[0], groups, given(v, 1), given(v, 2), 0.1);
    };
  };
  return {{"images", {spread({2, 4, 3, 2}, 1), positive({4}, 2), spread({4}, 3)}, into(2)},
          {"one group", {spread({3, 2, 4}, 4), positive({2}, 5), spread({2}, 6)}, into(1)},
          {"a group for each channel", {spread({2, 3, 4}, 7), positive({3}, 8)}, into(3)},
          {"rows, no weight", {spread({3, 6}, 9)}, into(2)},
          {"one value a group", {spread({2, 3}, 10), positive({3}, 11)}, into(3)},
          {"no images", {spread({0, 4, 2, 2}, 12), positive({4}, 13), spread({4}, 14)}, into(2)}};
}

std::vector<Sample> group_norm_training_samples() {
  const auto sample = [](const Shape& shape, std::int64_t groups, Range range = {}) {
    return Sample{to_string(shape),
                  {spread(shape, 1, range), positive({shape[1]}, 2), spread({shape[1]}, 3)},
                  [=](const Variables& v) { return group_norm(v[0], groups, v[1], v[2]); }};
  };
  std::vector<Sample> all{sample({8, 16, 33, 31}, 4), sample({4, 32, 32, 32}, 32, {98, 102})};
  for (const std::int64_t size : remainders) all.push_back(sample({3, 6, size, 2}, 3));
  return all;
}

std::vector<Sample> instance_norm_samples() {
  const auto f = [](const Variables& v) {
    return instance_norm(v[0], given(v, 1), given(v, 2), {}, {}, {.eps = 0.1});
  };
  const auto evaluate = [](const Variables& v) {
    return instance_norm(v[0], v[1], v[2], Tensor::from({0.5, -0.25}, v[0].dtype()),
                         Tensor::from({1.5, 0.75}, v[0].dtype()), {.use_input_stats = false});
  };
  return {
      {"images", {spread({2, 3, 4, 2}, 1), positive({3}, 2), spread({3}, 3)}, f},
      {"rows, no weight", {spread({3, 2, 4}, 4)}, f},
      {"a square", {spread({2, 2, 3, 3}, 5), positive({2}, 6)}, f},
      {"running statistics", {spread({3, 2, 2, 2}, 7), positive({2}, 8), spread({2}, 9)}, evaluate},
      {"no images", {spread({0, 2, 2, 2}, 10), positive({2}, 11), spread({2}, 12)}, f}};
}

std::vector<Sample> instance_norm_training_samples() {
  const auto sample = [](const Shape& shape, Range range = {}) {
    return Sample{to_string(shape),
                  {spread(shape, 1, range), positive({shape[1]}, 2), spread({shape[1]}, 3)},
                  [](const Variables& v) { return instance_norm(v[0], v[1], v[2]); }};
  };
  std::vector<Sample> all{sample({8, 16, 33, 31}), sample({4, 32, 32, 32}, {98, 102})};
  for (const std::int64_t size : remainders) all.push_back(sample({3, 5, 2, size}));
  return all;
}

}  // namespace

std::vector<OpSamples> norm() {
  return {
      {"batch_norm", batch_norm_samples, batch_norm_training_samples},
      {"layer_norm", layer_norm_samples, layer_norm_training_samples},
      {"group_norm", group_norm_samples, group_norm_training_samples},
      {"instance_norm", instance_norm_samples, instance_norm_training_samples},
  };
}

}  // namespace gradus::samples
