// Inputs for the ops of autograd/ops/reduce.cpp.
#include <gradus/core/error.h>
#include <gradus/gradcheck/samples/inputs.h>

#include <cmath>

namespace gradus::samples {
namespace {

/// Samples for a function of (x, dims, keepdim).
template <class F> std::vector<Sample> reduction_samples(F f) {
  const auto over = [f](const Dims& dims, bool keepdim) {
    return [=](const Variables& v) { return f(v[0], dims, keepdim); };
  };
  return {{"everything", {spread({3, 4, 5}, 1)}, over({}, false)},
          {"everything, kept", {spread({3, 4}, 2)}, over({}, true)},
          {"the last dimension", {spread({3, 4}, 3)}, over({-1}, false)},
          {"the first, kept", {spread({3, 4, 5}, 4)}, over({0}, true)},
          {"two of three", {spread({3, 4, 5}, 5)}, over({0, 2}, false)},
          {"two of three, kept, sizes equal", {spread({4, 3, 4}, 6)}, over({-1, 1}, true)},
          {"columns of a square", {spread({4, 4}, 7)}, over({0}, false)},
          {"a scalar", {spread({}, 8)}, over({}, false)},
          {"no rows", {spread({0, 3}, 9)}, over({1}, false)}};
}

/// For the proof in float32, of a function of (x, dims, keepdim).
template <class F> std::vector<Sample> reduction_training_samples(F f) {
  const auto over = [f](const Dims& dims) {
    return [=](const Variables& v) { return f(v[0], dims, false); };
  };
  std::vector<Sample> all{{"everything", {spread({many_elements}, 1)}, over({})},
                          {"all but channels", {spread({8, 16, 33, 31}, 2)}, over({0, 2, 3})},
                          {"planes", {spread({8, 16, 33, 31}, 3)}, over({2, 3})},
                          {"columns", {spread({1031, 97}, 4)}, over({0})},
                          {"rows", {spread({97, 1031}, 5)}, over({1})}};
  for (const std::int64_t size : remainders) {
    all.push_back({"rows of " + size_name(size), {spread({33, size}, 6)}, over({1})});
    all.push_back({"columns, " + size_name(size), {spread({size, 33}, 7)}, over({0})});
  }
  return all;
}

/// Samples for a function of (x, dim).
template <class F> std::vector<Sample> softmax_samples(F f) {
  const auto along = [f](std::int64_t dim) {
    return [=](const Variables& v) { return f(v[0], dim); };
  };
  return {{"rows", {spread({3, 4}, 1)}, along(1)},
          {"columns of a square", {spread({4, 4}, 2)}, along(0)},
          {"the middle", {spread({3, 4, 5}, 3)}, along(-2)},
          {"a scalar", {spread({}, 4)}, along(0)},
          {"no rows", {spread({0, 3}, 5)}, along(1)},
          {"nothing to share", {spread({3, 0}, 6)}, along(1)}};
}

/// For the proof in float32.
template <class F> std::vector<Sample> softmax_training_samples(F f) {
  const auto along = [f](std::int64_t dim) {
    return [=](const Variables& v) { return f(v[0], dim); };
  };
  std::vector<Sample> all{{"a thousand classes", {spread({128, 1000}, 1)}, along(1)},
                          {"classes of pixels", {spread({4, 19, 33, 31}, 2)}, along(1)},
                          {"far apart", {spread({64, 33}, 3, {-60, 60})}, along(1)}};
  for (const std::int64_t size : remainders)
    all.push_back({"rows of " + size_name(size), {spread({33, size}, 4)}, along(1)});
  return all;
}

std::vector<Sample> sum_samples() {
  auto all = reduction_samples(
      [](const Variable& x, const Dims& d, bool keep) { return sum(x, d, keep); });
  all.push_back(
      {"nothing", {spread({0, 3}, 10)}, [](const Variables& v) { return sum(v[0], {0}); }});
  return all;
}

std::vector<Sample> sum_training_samples() {
  return reduction_training_samples(
      [](const Variable& x, const Dims& d, bool keep) { return sum(x, d, keep); });
}

std::vector<Sample> mean_samples() {
  return reduction_samples(
      [](const Variable& x, const Dims& d, bool keep) { return mean(x, d, keep); });
}

std::vector<Sample> mean_training_samples() {
  return reduction_training_samples(
      [](const Variable& x, const Dims& d, bool keep) { return mean(x, d, keep); });
}

std::vector<Sample> var_samples() {
  auto all = reduction_samples(
      [](const Variable& x, const Dims& d, bool keep) { return var(x, d, keep, 0); });
  all.push_back(
      {"unbiased", {spread({3, 4}, 10)}, [](const Variables& v) { return var(v[0], {1}); }});
  all.push_back({"a greater correction", {spread({4, 3}, 11)}, [](const Variables& v) {
                   return var(v[0], {0}, true, 2);
                 }});
  return all;
}

std::vector<Sample> var_training_samples() {
  return reduction_training_samples(
      [](const Variable& x, const Dims& d, bool keep) { return var(x, d, keep, 0); });
}

std::vector<Sample> std_samples() {
  auto all = reduction_samples(
      [](const Variable& x, const Dims& d, bool keep) { return gradus::std(x, d, keep, 0); });
  all.push_back({"unbiased", {spread({3, 4}, 10)}, [](const Variables& v) {
                   return gradus::std(v[0], {1});
                 }});
  return all;
}

std::vector<Sample> std_training_samples() {
  return reduction_training_samples(
      [](const Variable& x, const Dims& d, bool keep) { return gradus::std(x, d, keep, 0); });
}

std::vector<Sample> norm_samples() {
  std::vector<Sample> all;
  for (const double p : {1.0, 2.0, 3.0, 1.5, -1.0, HUGE_VAL}) {
    for (Sample sample : reduction_samples([p](const Variable&x, const Dims&d, bool keep) {
           return gradus::norm(x, p, d, keep);
         })) {
      sample.description += text_of(", p = ", p);
      all.push_back(std::move(sample));
    }
  }
  return all;
}

std::vector<Sample> norm_training_samples() {
  auto all = reduction_training_samples(
      [](const Variable& x, const Dims& d, bool keep) { return gradus::norm(x, 2, d, keep); });
  all.push_back({"p = 3", {spread({97, 1031}, 8)}, [](const Variables& v) {
                   return gradus::norm(v[0], 3, {1});
                 }});
  return all;
}

std::vector<Sample> max_samples() {
  return reduction_samples(
      [](const Variable& input, const Dims& d, bool keep) { return max(input, d, keep); });
}

std::vector<Sample> max_training_samples() {
  return reduction_training_samples(
      [](const Variable& input, const Dims& d, bool keep) { return max(input, d, keep); });
}

std::vector<Sample> min_samples() {
  return reduction_samples(
      [](const Variable& x, const Dims& d, bool keep) { return min(x, d, keep); });
}

std::vector<Sample> min_training_samples() {
  return reduction_training_samples(
      [](const Variable& x, const Dims& d, bool keep) { return min(x, d, keep); });
}

std::vector<Sample> logsumexp_samples() {
  return reduction_samples(
      [](const Variable& input, const Dims& d, bool keep) { return logsumexp(input, d, keep); });
}

std::vector<Sample> logsumexp_training_samples() {
  return reduction_training_samples(
      [](const Variable& input, const Dims& d, bool keep) { return logsumexp(input, d, keep); });
}

std::vector<Sample> softmax_samples() {
  return softmax_samples([](const Variable& x, std::int64_t d) { return softmax(x, d); });
}

std::vector<Sample> softmax_training_samples() {
  return softmax_training_samples([](const Variable& x, std::int64_t d) { return softmax(x, d); });
}

std::vector<Sample> log_softmax_samples() {
  return softmax_samples([](const Variable& x, std::int64_t d) { return log_softmax(x, d); });
}

std::vector<Sample> log_softmax_training_samples() {
  return softmax_training_samples(
      [](const Variable& x, std::int64_t d) { return log_softmax(x, d); });
}

std::vector<Sample> sum_to_samples() {
  const auto to = [](const Shape& target) {
    return [target](const Variables& v) { return sum_to(v[0], target); };
  };
  return {{"to a row", {spread({3, 4}, 1)}, to({4})},
          {"to a column", {spread({4, 4}, 2)}, to({4, 1})},
          {"to the middle", {spread({3, 4, 5}, 3)}, to({4, 1})},
          {"to both ends", {spread({4, 3, 4}, 4)}, to({4, 1, 4})},
          {"to a number", {spread({3, 4}, 5)}, to({})},
          {"to itself", {spread({3, 4}, 6)}, to({3, 4})},
          {"a scalar", {spread({}, 7)}, to({})},
          {"nothing", {spread({0, 3}, 8)}, to({3})}};
}

std::vector<Sample> sum_to_training_samples() {
  const auto to = [](const Shape& target) {
    return [target](const Variables& v) { return sum_to(v[0], target); };
  };
  std::vector<Sample> all{{"to a bias", {spread({512, 47}, 1)}, to({47})},
                          {"to channels", {spread({8, 16, 33, 31}, 2)}, to({16, 1, 1})},
                          {"to a number", {spread({many_elements}, 3)}, to({})},
                          {"to a column", {spread({33, 1031}, 4)}, to({33, 1})}};
  for (const std::int64_t size : remainders)
    all.push_back({size_name(size), {spread({33, size}, 5)}, to({size})});
  return all;
}

}  // namespace

std::vector<OpSamples> reduce() {
  return {
      {"sum", sum_samples, sum_training_samples},
      {"mean", mean_samples, mean_training_samples},
      {"var", var_samples, var_training_samples},
      {"std", std_samples, std_training_samples},
      {"norm", norm_samples, norm_training_samples},
      {"max", max_samples, max_training_samples},
      {"min", min_samples, min_training_samples},
      {"logsumexp", logsumexp_samples, logsumexp_training_samples},
      {"softmax", softmax_samples, softmax_training_samples},
      {"log_softmax", log_softmax_samples, log_softmax_training_samples},
      {"sum_to", sum_to_samples, sum_to_training_samples},
  };
}

}  // namespace gradus::samples
