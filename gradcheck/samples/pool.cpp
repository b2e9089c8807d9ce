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
// Windows that hang over the edges of an image of 6x7, by a row and by a column.
constexpr Pool2dOptions hanging{
    .kernel_size = {3, 2}, .stride = {2, 3}, .padding = {1, 0}, .ceil_mode = true};
constexpr Pool2dOptions hanging_dilated{
    .kernel_size = 2, .stride = 3, .dilation = 2, .ceil_mode = true};
constexpr Pool2dOptions divided{
    .kernel_size = {3, 2}, .stride = 2, .padding = 1, .ceil_mode = true, .divisor_override = -5};

/// For the proof in float32: f(input shape, options) makes the sample.
template <class F> std::vector<Sample> pool_training_samples(const F& f) {
  std::vector<Sample> all{f(Shape{8, 16, 32, 32}, Pool2dOptions{.kernel_size = 2}),
                          f(Shape{8, 16, 33, 31}, Pool2dOptions{.kernel_size = 2}),
                          f(Shape{8, 16, 33, 31}, overlapping), f(Shape{4, 8, 35, 37}, uneven),
                          f(Shape{4, 8, 36, 37}, hanging)};
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

/// What adaptive max pooling chooses.
Tensor bins(const Shape& input, Pair output_size) {
  return core::adaptive_max_pool2d(spread(input, 9).value(), output_size).indices;
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
          {"an image alone", {spread({2, 3, 4}, 8)}, with({.kernel_size = 2})},
          {"hanging over", {spread({2, 1, 6, 7}, 7)}, with(hanging)},
          {"hanging over, dilated", {spread({1, 2, 5, 6}, 8)}, with(hanging_dilated)},
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
          {"hanging over", {spread(pooled({2, 1, 6, 7}, hanging), 6)}, into({2, 1, 6, 7}, hanging)},
          {"by indices",
           {spread({1, 2, 3, 4}, 7)},
           [](const Variables& v) {
             return max_pool2d_scatter(v[0], bins({1, 2, 5, 6}, {3, 4}), {1, 2, 5, 6});
           }},
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
          {"hanging over", {spread({2, 1, 6, 7}, 6)}, with(hanging)},
          {"by indices",
           {spread({1, 2, 5, 6}, 7)},
           [](const Variables& v) {
             return max_pool2d_gather(v[0], bins(v[0].shape(), {3, 4}));
           }},
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
          {"hanging over", {spread({2, 1, 6, 7}, 6)}, with(hanging)},
          {"a divisor of its own", {spread({1, 2, 4, 5}, 7)}, with(divided)},
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
          {"hanging over", {spread(pooled({2, 1, 6, 7}, hanging), 6)}, to({2, 1, 6, 7}, hanging)},
          {"a divisor of its own",
           {spread(pooled({1, 2, 4, 5}, divided), 7)},
           to({1, 2, 4, 5}, divided)},
          {"no images", {spread({0, 2, 2, 2}, 5)}, to({0, 2, 4, 4}, {.kernel_size = 2})}};
}

std::vector<Sample> avg_pool2d_grad_training_samples() {
  return pool_training_samples([](const Shape& x, const Pool2dOptions& o) {
    return Sample{to_string(x), {spread(pooled(x, o), 1)}, [=](const Variables& v) {
                    return avg_pool2d_grad(v[0], x, o);
                  }};
  });
}

/// f(output size) is the function.
template <class F> std::vector<Sample> adaptive_samples(const F& to) {
  return {{"to one pixel", {spread({2, 3, 4, 3}, 1)}, to(1)},
          {"uneven bins", {spread({1, 3, 5, 7}, 2)}, to({3, 2})},
          {"a square", {spread({2, 2, 4, 4}, 3)}, to({2, 4})},
          {"enlarging", {spread({1, 1, 2, 3}, 4)}, to(4)},
          {"no images", {spread({0, 2, 4, 4}, 5)}, to(2)}};
}

template <class F> std::vector<Sample> adaptive_training_samples(const F& to) {
  std::vector<Sample> all{{"to one pixel", {spread({32, 64, 8, 8}, 1)}, to(1)},
                          {"uneven bins", {spread({8, 16, 33, 31}, 2)}, to({5, 7})}};
  for (const std::int64_t size : remainders)
    all.push_back({size_name(size), {spread({2, 3, 6, size}, 3)}, to(4)});
  return all;
}

const auto adaptive_avg = [](Pair size) {
  return [size](const Variables& v) { return adaptive_avg_pool2d(v[0], size); };
};
const auto adaptive_max = [](Pair size) {
  return [size](const Variables& v) { return adaptive_max_pool2d(v[0], size); };
};

std::vector<Sample> adaptive_avg_pool2d_samples() { return adaptive_samples(adaptive_avg); }
std::vector<Sample> adaptive_avg_pool2d_training_samples() {
  return adaptive_training_samples(adaptive_avg);
}
std::vector<Sample> adaptive_max_pool2d_samples() { return adaptive_samples(adaptive_max); }
std::vector<Sample> adaptive_max_pool2d_training_samples() {
  return adaptive_training_samples(adaptive_max);
}

/// Of rows; f(options) is the function.
template <class F> std::vector<Sample> row_samples(const F& with) {
  return {{"halves", {spread({2, 2, 4}, 1)}, with(Pool1dOptions{.kernel_size = 2})},
          {"overlapping, padded",
           {spread({1, 3, 7}, 2)},
           with(Pool1dOptions{.kernel_size = 3, .stride = 2, .padding = 1})},
          {"hanging over",
           {spread({2, 1, 6}, 3)},
           with(Pool1dOptions{.kernel_size = 3, .stride = 2, .ceil_mode = true})},
          {"padding not counted",
           {spread({2, 3, 5}, 4)},
           with(Pool1dOptions{
               .kernel_size = 4, .stride = 1, .padding = 2, .count_include_pad = false})},
          {"no rows", {spread({0, 2, 4}, 5)}, with(Pool1dOptions{.kernel_size = 2})}};
}

template <class F> std::vector<Sample> row_training_samples(const F& with) {
  std::vector<Sample> all{
      {"halves", {spread({16, 32, 257}, 1)}, with(Pool1dOptions{.kernel_size = 2})}};
  for (const std::int64_t size : remainders) {
    all.push_back({size_name(size),
                   {spread({3, 5, size + 2}, 2)},
                   with(Pool1dOptions{.kernel_size = 3, .stride = 2, .padding = 1})});
  }
  return all;
}

const auto max_rows = [](const Pool1dOptions& o) {
  return [o](const Variables& v) { return max_pool1d(v[0], o); };
};
const auto avg_rows = [](const Pool1dOptions& o) {
  return [o](const Variables& v) { return avg_pool1d(v[0], o); };
};

std::vector<Sample> max_pool1d_samples() {
  std::vector<Sample> all = row_samples(max_rows);
  all.push_back({"dilated",
                 {spread({1, 2, 6}, 6)},
                 max_rows({.kernel_size = 3, .stride = 1, .dilation = 2})});
  return all;
}
std::vector<Sample> max_pool1d_training_samples() { return row_training_samples(max_rows); }
std::vector<Sample> avg_pool1d_samples() { return row_samples(avg_rows); }
std::vector<Sample> avg_pool1d_training_samples() { return row_training_samples(avg_rows); }

/// Of rows; f(output size) is the function.
template <class F> std::vector<Sample> adaptive_row_samples(const F& to) {
  return {{"to one number", {spread({2, 3, 4}, 1)}, to(1)},
          {"uneven bins", {spread({1, 3, 7}, 2)}, to(3)},
          {"enlarging", {spread({2, 2, 3}, 3)}, to(5)},
          {"no rows", {spread({0, 2, 4}, 4)}, to(2)}};
}

template <class F> std::vector<Sample> adaptive_row_training_samples(const F& to) {
  std::vector<Sample> all{{"to one number", {spread({32, 64, 65}, 1)}, to(1)},
                          {"uneven bins", {spread({16, 32, 257}, 2)}, to(31)}};
  for (const std::int64_t size : remainders)
    all.push_back({size_name(size), {spread({3, 5, size}, 3)}, to(4)});
  return all;
}

const auto adaptive_avg_rows = [](std::int64_t size) {
  return [size](const Variables& v) { return adaptive_avg_pool1d(v[0], size); };
};
const auto adaptive_max_rows = [](std::int64_t size) {
  return [size](const Variables& v) { return adaptive_max_pool1d(v[0], size); };
};

std::vector<Sample> adaptive_avg_pool1d_samples() {
  return adaptive_row_samples(adaptive_avg_rows);
}
std::vector<Sample> adaptive_avg_pool1d_training_samples() {
  return adaptive_row_training_samples(adaptive_avg_rows);
}
std::vector<Sample> adaptive_max_pool1d_samples() {
  return adaptive_row_samples(adaptive_max_rows);
}
std::vector<Sample> adaptive_max_pool1d_training_samples() {
  return adaptive_row_training_samples(adaptive_max_rows);
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
      {"adaptive_max_pool2d", adaptive_max_pool2d_samples, adaptive_max_pool2d_training_samples},
      {"max_pool1d", max_pool1d_samples, max_pool1d_training_samples},
      {"avg_pool1d", avg_pool1d_samples, avg_pool1d_training_samples},
      {"adaptive_avg_pool1d", adaptive_avg_pool1d_samples, adaptive_avg_pool1d_training_samples},
      {"adaptive_max_pool1d", adaptive_max_pool1d_samples, adaptive_max_pool1d_training_samples},
  };
}

}  // namespace gradus::samples
