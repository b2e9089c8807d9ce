// Inputs for the ops of autograd/ops/scan.cpp.
#include <gradus/gradcheck/samples/inputs.h>

namespace gradus::samples {
namespace {

/// Samples for a function of (x, dim).
template <class F> std::vector<Sample> scan_samples(F f) {
  const auto along = [f](std::int64_t dim) {
    return [=](const Variables& v) { return f(v[0], dim); };
  };
  return {{"rows", {spread({3, 4}, 1)}, along(1)},
          {"columns of a square", {spread({4, 4}, 2)}, along(0)},
          {"the middle", {spread({3, 4, 5}, 3)}, along(-2)},
          {"one of each", {spread({3, 1}, 4)}, along(1)},
          {"a scalar", {spread({}, 5)}, along(0)},
          {"no rows", {spread({0, 3}, 6)}, along(1)},
          {"nothing in a row", {spread({3, 0}, 7)}, along(1)}};
}

/// For the proof in float32.
template <class F> std::vector<Sample> scan_training_samples(F f, Range range) {
  const auto along = [f](std::int64_t dim) {
    return [=](const Variables& v) { return f(v[0], dim); };
  };
  std::vector<Sample> all{{"long rows", {spread({97, 1031}, 1, range)}, along(1)},
                          {"columns", {spread({1031, 97}, 2, range)}, along(0)},
                          {"channels", {spread({4, 16, 33, 31}, 3, range)}, along(1)}};
  for (const std::int64_t size : remainders)
    all.push_back({"rows of " + size_name(size), {spread({33, size}, 4, range)}, along(1)});
  return all;
}

std::vector<Sample> cumsum_samples() {
  return scan_samples([](const Variable& x, std::int64_t d) { return cumsum(x, d); });
}

std::vector<Sample> cumsum_training_samples() {
  return scan_training_samples([](const Variable& x, std::int64_t d) { return cumsum(x, d); }, {});
}

/// x with zeros: none, one and two in a row. The gradient of a product must not divide by x.
Variable with_zeros(const Shape& shape, std::uint64_t seed) {
  const Tensor x = spread(shape, seed).value().clone();
  x.select(0, 1).select(0, 1).fill_(0);
  x.select(0, 2).select(0, 0).fill_(0);
  x.select(0, 2).select(0, 2).fill_(0);
  return Variable(x, true);
}

/// Near 1 and -1, so that products of many neither vanish nor grow out of range.
constexpr Range near_one{0.97, 1.03};

std::vector<Sample> cumprod_samples() {
  auto all = scan_samples([](const Variable& x, std::int64_t d) { return cumprod(x, d); });
  all.push_back({"zeros, one and two in a row", {with_zeros({3, 4}, 8)}, [](const Variables& v) {
                   return cumprod(v[0], 1);
                 }});
  return all;
}

std::vector<Sample> cumprod_training_samples() {
  return scan_training_samples([](const Variable& x, std::int64_t d) { return cumprod(x, d); },
                               near_one);
}

std::vector<Sample> prod_samples() {
  const auto over = [](std::optional<std::int64_t> dim, bool keepdim) {
    return [=](const Variables& v) { return prod(v[0], dim, keepdim); };
  };
  return {{"everything", {spread({2, 3}, 1)}, over(std::nullopt, false)},
          {"everything, kept", {spread({2, 3}, 2)}, over(std::nullopt, true)},
          {"rows", {spread({3, 4}, 3)}, over(1, false)},
          {"columns of a square, kept", {spread({4, 4}, 4)}, over(0, true)},
          {"the middle", {spread({3, 4, 2}, 5)}, over(-2, false)},
          {"zeros, one and two in a row", {with_zeros({3, 4}, 6)}, over(1, false)},
          {"a scalar", {spread({}, 7)}, over(std::nullopt, false)},
          {"nothing in a row", {spread({3, 0}, 8)}, over(1, false)}};
}

std::vector<Sample> prod_training_samples() {
  return scan_training_samples([](const Variable& x, std::int64_t d) { return prod(x, d); },
                               near_one);
}

/// Samples for a recurrence of (a, b, dim).
std::vector<Sample> linear_recurrence_samples() {
  const auto along = [](std::int64_t dim) {
    return [=](const Variables& v) { return linear_recurrence(v[0], v[1], dim); };
  };
  return {{"rows", {spread({3, 4}, 1), spread({3, 4}, 2)}, along(1)},
          {"columns of a square", {spread({4, 4}, 3), spread({4, 4}, 4)}, along(0)},
          {"the middle", {spread({3, 4, 5}, 5), spread({3, 4, 5}, 6)}, along(-2)},
          {"zeros among the factors", {with_zeros({3, 4}, 7), spread({3, 4}, 8)}, along(1)},
          {"a scalar", {spread({}, 9), spread({}, 10)}, along(0)},
          {"nothing", {spread({3, 0}, 11), spread({3, 0}, 12)}, along(1)},
          {"the same twice", {spread({3, 3}, 13)}, [](const Variables& v) {
             return linear_recurrence(v[0], v[0], 1);
           }}};
}

std::vector<Sample> linear_recurrence_training_samples() {
  const auto along = [](std::int64_t dim) {
    return [=](const Variables& v) { return linear_recurrence(v[0], v[1], dim); };
  };
  constexpr Range fading{-0.95, 0.95};
  std::vector<Sample> all{
      {"long rows", {spread({97, 1031}, 1, fading), spread({97, 1031}, 2)}, along(1)},
      {"columns", {spread({1031, 97}, 3, fading), spread({1031, 97}, 4)}, along(0)}};
  for (const std::int64_t size : remainders) {
    all.push_back({"rows of " + size_name(size),
                   {spread({33, size}, 5, fading), spread({33, size}, 6)},
                   along(1)});
  }
  return all;
}

std::vector<Sample> sort_samples() {
  const auto along = [](std::int64_t dim, bool descending) {
    return [=](const Variables& v) { return sort(v[0], dim, descending).values; };
  };
  return {{"rows", {spread({3, 4}, 1)}, along(1, false)},
          {"columns of a square, descending", {spread({4, 4}, 2)}, along(0, true)},
          {"the middle", {spread({3, 4, 5}, 3)}, along(-2, false)},
          {"a scalar", {spread({}, 4)}, along(0, true)},
          {"nothing", {spread({0, 3}, 5)}, along(1, false)}};
}

std::vector<Sample> sort_training_samples() {
  return {{"rows", {spread({97, 1031}, 1)}, [](const Variables& v) {
             return sort(v[0], 1, true).values;
           }}};
}

std::vector<Sample> topk_samples() {
  const auto of = [](std::int64_t k, std::int64_t dim, bool largest) {
    return [=](const Variables& v) { return topk(v[0], k, dim, largest).values; };
  };
  return {{"rows", {spread({3, 5}, 1)}, of(2, 1, true)},
          {"the smallest of columns of a square", {spread({4, 4}, 2)}, of(3, 0, false)},
          {"the middle", {spread({3, 4, 5}, 3)}, of(1, -2, true)},
          {"none", {spread({3, 4}, 4)}, of(0, 1, true)},
          {"a scalar", {spread({}, 5)}, of(1, 0, true)}};
}

std::vector<Sample> topk_training_samples() {
  return {{"a thousand classes", {spread({128, 1000}, 1)}, [](const Variables& v) {
             return topk(v[0], 5).values;
           }}};
}

}  // namespace

std::vector<OpSamples> scan() {
  return {
      {"cumsum", cumsum_samples, cumsum_training_samples},
      {"cumprod", cumprod_samples, cumprod_training_samples},
      {"linear_recurrence", linear_recurrence_samples, linear_recurrence_training_samples},
      {"prod", prod_samples, prod_training_samples},
      {"sort", sort_samples, sort_training_samples},
      {"topk", topk_samples, topk_training_samples},
  };
}

}  // namespace gradus::samples
