// Inputs for the ops of autograd/ops/pool.cpp.
#include <gradus/gradcheck/samples/inputs.h>

namespace gradus::samples {
namespace {

// Options of several kinds, and what max pooling chooses: places in the window, but
// with `dilated` indices, since a byte cannot say them.
constexpr Pool2dOptions uneven{.kernel_size = {3, 2}, .stride = {2, 1}, .padding = {1, 0}};
constexpr Pool2dOptions overlapping{.kernel_size = 3, .stride = 2, .padding = 1};
constexpr Pool2dOptions uncounted{
    .kernel_size = {2, 3}, .stride = 1, .padding = 1, .count_include_pad = false};
constexpr Pool2dOptions dilated{
    .kernel_size = {2, 3}, .stride = 1, .padding = 1, .dilation = {3, 2}};

/// For the proof in float32: f(input shape, options) makes the sample.
template <class F> std::vector<Sample> pool_training_samples(const F& f) {
  std::vector<Sample> all{f(Shape{8, 16, 32, 32}, Pool2dOptions{.kernel_size = 2}),
                          f(Shape{8, 16, 33, 31}, Pool2dOptions{.kernel_size = 2}),
                          f(Shape{8, 16, 33, 31}, overlapping), f(Shape{4, 8, 35, 37}, uneven)};
  for (const std::int64_t size : remainders) {
    all.push_back(f(Shape{2, 3, 6, size + 1}, Pool2dOptions{.kernel_size = 2}));
    all.push_back(f(Shape{2, 3, 6, size + 1}, overlapping));
  }
  return all;
}

Shape pooled(const Shape& input, const Pool2dOptions& options) {
  return core::avg_pool2d(zeros(input), options).shape();
}

Tensor choice(const Shape& input, const Pool2dOptions& options) {
  return core::max_pool2d_compact(spread(input, 9).value(), options).indices;
}

std::vector<Sample> max_pool2d_samples() {
  const auto with = [](const Pool2dOptions& o) {
    return [o](const Variables& v) { return max_pool2d(v[0], o); };
  };
  return {{"2x2", {spread({2, 2, 4, 4}, 1)}, with({.kernel_size = 2})},
          {"all sizes different", {spread({2, 3, 6, 5}, 2)}, with(uneven)},
          {"overlapping, padded", {spread({1, 2, 5, 4}, 3)}, with(overlapping)},
          {"dilated",
           {spread({1, 1, 5, 6}, 4)},
           with({.kernel_size = {2, 3}, .stride = 1, .dilation = {3, 2}})},
          {"dilated, padded", {spread({1, 2, 5, 6}, 6)}, with(dilated)},
          {"no images", {spread({0, 2, 4, 4}, 5)}, with({.kernel_size = 2})}};
}

std::vector<Sample> max_pool2d_training_samples() {
  return pool_training_samples([](const Shape& x, const Pool2dOptions& o) {
    return Sample{
        to_string(x), {spread(x, 1)}, [o](const Variables& v) { return max_pool2d(v[0], o); }};
  });
}

std::vector<Sample> max_pool2d_scatter_samples() {
  const auto into = [](const Shape& x, const Pool2dOptions& o) {
    return [=](const Variables& v) { return max_pool2d_scatter(v[0], choice(x, o), x, o); };
  };
  return {{"2x2", {spread({2, 2, 2, 2}, 1)}, into({2, 2, 4, 4}, {.kernel_size = 2})},
          {"all sizes different", {spread({2, 3, 3, 4}, 2)}, into({2, 3, 6, 5}, uneven)},
          {"pixels chosen twice", {spread({1, 2, 3, 2}, 3)}, into({1, 2, 5, 4}, overlapping)},
          {"dilated, padded", {spread({1, 2, 4, 4}, 5)}, into({1, 2, 5, 6}, dilated)},
          {"no images", {spread({0, 2, 2, 2}, 4)}, into({0, 2, 4, 4}, {.kernel_size = 2})}};
}

std::vector<Sample> max_pool2d_scatter_training_samples() {
  return pool_training_samples([](const Shape& x, const Pool2dOptions& o) {
    return Sample{to_string(x), {spread(pooled(x, o), 1)}, [=](const Variables& v) {
                    return max_pool2d_scatter(v[0], choice(x, o), x, o);
                  }};
  });
}

std::vector<Sample> max_pool2d_gather_samples() {
  const auto with = [](const Pool2dOptions& o) {
    return [=](const Variables& v) { return max_pool2d_gather(v[0], choice(v[0].shape(), o), o); };
  };
  return {{"2x2", {spread({2, 2, 4, 4}, 1)}, with({.kernel_size = 2})},
          {"all sizes different", {spread({2, 3, 6, 5}, 2)}, with(uneven)},
          {"pixels chosen twice", {spread({1, 2, 5, 4}, 3)}, with(overlapping)},
          {"dilated, padded", {spread({1, 2, 5, 6}, 5)}, with(dilated)},
          {"no images", {spread({0, 2, 4, 4}, 4)}, with({.kernel_size = 2})}};
}

std::vector<Sample> max_pool2d_gather_training_samples() {
  return pool_training_samples([](const Shape& x, const Pool2dOptions& o) {
    return Sample{to_string(x), {spread(x, 1)}, [=](const Variables& v) {
                    return max_pool2d_gather(v[0], choice(x, o), o);
                  }};
  });
}

std::vector<Sample> avg_pool2d_samples() {
  const auto with = [](const Pool2dOptions& o) {
    return [o](const Variables& v) { return avg_pool2d(v[0], o); };
  };
  return {{"2x2", {spread({2, 2, 4, 4}, 1)}, with({.kernel_size = 2})},
          {"all sizes different", {spread({2, 3, 6, 5}, 2)}, with(uneven)},
          {"overlapping, padded", {spread({1, 2, 5, 4}, 3)}, with(overlapping)},
          {"padding not counted", {spread({1, 2, 4, 5}, 4)}, with(uncounted)},
          {"no images", {spread({0, 2, 4, 4}, 5)}, with({.kernel_size = 2})}};
}

std::vector<Sample> avg_pool2d_training_samples() {
  return pool_training_samples([](const Shape& x, const Pool2dOptions& o) {
    return Sample{
        to_string(x), {spread(x, 1)}, [o](const Variables& v) { return avg_pool2d(v[0], o); }};
  });
}

std::vector<Sample> avg_pool2d_grad_samples() {
  const auto to = [](const Shape& x, const Pool2dOptions& o) {
    return [=](const Variables& v) { return avg_pool2d_grad(v[0], x, o); };
  };
  return {{"2x2", {spread({2, 2, 2, 2}, 1)}, to({2, 2, 4, 4}, {.kernel_size = 2})},
          {"all sizes different", {spread({2, 3, 3, 4}, 2)}, to({2, 3, 6, 5}, uneven)},
          {"overlapping, padded", {spread({1, 2, 3, 2}, 3)}, to({1, 2, 5, 4}, overlapping)},
          {"padding not counted", {spread({1, 2, 5, 5}, 4)}, to({1, 2, 4, 5}, uncounted)},
          {"no images", {spread({0, 2, 2, 2}, 5)}, to({0, 2, 4, 4}, {.kernel_size = 2})}};
}

std::vector<Sample> avg_pool2d_grad_training_samples() {
  return pool_training_samples([](const Shape& x, const Pool2dOptions& o) {
    return Sample{to_string(x), {spread(pooled(x, o), 1)}, [=](const Variables& v) {
                    return avg_pool2d_grad(v[0], x, o);
                  }};
  });
}

std::vector<Sample> adaptive_avg_pool2d_samples() {
  const auto to = [](Pair size) {
    return [size](const Variables& v) { return adaptive_avg_pool2d(v[0], size); };
  };
  return {{"to one pixel", {spread({2, 3, 4, 3}, 1)}, to(1)},
          {"uneven bins", {spread({1, 3, 5, 7}, 2)}, to({3, 2})},
          {"a square", {spread({2, 2, 4, 4}, 3)}, to({2, 4})},
          {"enlarging", {spread({1, 1, 2, 3}, 4)}, to(4)},
          {"no images", {spread({0, 2, 4, 4}, 5)}, to(2)}};
}

std::vector<Sample> adaptive_avg_pool2d_training_samples() {
  const auto to = [](Pair size) {
    return [size](const Variables& v) { return adaptive_avg_pool2d(v[0], size); };
  };
  std::vector<Sample> all{{"to one pixel", {spread({32, 64, 8, 8}, 1)}, to(1)},
                          {"uneven bins", {spread({8, 16, 33, 31}, 2)}, to({5, 7})}};
  for (const std::int64_t size : remainders)
    all.push_back({size_name(size), {spread({2, 3, 6, size}, 3)}, to(4)});
  return all;
}

std::vector<Sample> adaptive_avg_pool2d_grad_samples() {
  const auto to = [](const Shape& x) {
    return [x](const Variables& v) { return adaptive_avg_pool2d_grad(v[0], x); };
  };
  return {{"from one pixel", {spread({2, 3, 1, 1}, 1)}, to({2, 3, 4, 3})},
          {"uneven bins", {spread({1, 3, 5, 2}, 2)}, to({1, 3, 7, 4})},
          {"a square", {spread({2, 2, 2, 4}, 3)}, to({2, 2, 4, 4})},
          {"enlarging", {spread({1, 1, 4, 4}, 4)}, to({1, 1, 2, 3})},
          {"no images", {spread({0, 2, 2, 2}, 5)}, to({0, 2, 4, 4})}};
}

std::vector<Sample> adaptive_avg_pool2d_grad_training_samples() {
  const auto to = [](const Shape& x) {
    return [x](const Variables& v) { return adaptive_avg_pool2d_grad(v[0], x); };
  };
  std::vector<Sample> all{{"from one pixel", {spread({32, 64, 1, 1}, 1)}, to({32, 64, 8, 8})},
                          {"uneven bins", {spread({8, 16, 5, 7}, 2)}, to({8, 16, 33, 31})}};
  for (const std::int64_t size : remainders)
    all.push_back({size_name(size), {spread({2, 3, 4, 4}, 3)}, to({2, 3, 6, size})});
  return all;
}

}  // namespace

std::vector<OpSamples> pool() {
  return {
      {"max_pool2d", max_pool2d_samples, max_pool2d_training_samples},
      {"max_pool2d_scatter", max_pool2d_scatter_samples, max_pool2d_scatter_training_samples},
      {"max_pool2d_gather", max_pool2d_gather_samples, max_pool2d_gather_training_samples},
      {"avg_pool2d", avg_pool2d_samples, avg_pool2d_training_samples},
      {"avg_pool2d_grad", avg_pool2d_grad_samples, avg_pool2d_grad_training_samples},
      {"adaptive_avg_pool2d", adaptive_avg_pool2d_samples, adaptive_avg_pool2d_training_samples},
      {"adaptive_avg_pool2d_grad", adaptive_avg_pool2d_grad_samples,
       adaptive_avg_pool2d_grad_training_samples},
  };
}

}  // namespace gradus::samples
