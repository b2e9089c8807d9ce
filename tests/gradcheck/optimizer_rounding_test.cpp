// Steps of the optimizers in float32 against float64: within their bounds, and not by miles.
#include <doctest/doctest.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/optimizer_rounding.h>

#include <vector>

using namespace gradus;

namespace {

OptimizerNumbers numbers(std::size_t states) {
  constexpr std::int64_t count = 10'007;
  Generator generator(3);
  OptimizerNumbers made{randn({count}, generator), randn({count}, generator)};
  if (states > 0) made.state.push_back(randn({count}, generator));
  if (states > 1) made.state.push_back(rand({count}, generator));
  return made;
}

/// A bound counts up to 20 roundings, all of them in one direction and as large as can be: of
/// 10'007 elements the worst uses more than a tenth.
constexpr double least_used = 0.1;

void check(std::vector<Float32Comparison> comparisons, std::size_t tensors) {
  REQUIRE(comparisons.size() == tensors);
  for (Float32Comparison& comparison : comparisons) {
    const Float32Difference as_it_is = compare_float32(comparison);
    CHECK_MESSAGE(as_it_is.wrong == 0, as_it_is.to_string());
    CHECK_MESSAGE(as_it_is.ratio > least_used, as_it_is.to_string());
    comparison.result = comparison.result.clone();
    comparison.result.at<float>({777}) += 1e-3F;
    const Float32Difference off = compare_float32(comparison);
    CHECK(off.wrong == 1);
    CHECK(off.index == Shape{777});
  }
}

}  // namespace

TEST_CASE("SGD's steps in float32 are within their bounds of float64, in every form") {
  for (const float weight_decay : {0.0F, 0.1F}) {
    detail::SgdStep<float> step{.lr = 0.1F,
                                .momentum = 0.9F,
                                .weight_decay = weight_decay,
                                .damped = 0.7F,
                                .nesterov = false};
    check(compare_sgd_update(numbers(0), step), 1);
    check(compare_sgd_update(numbers(1), step), 2);
    step.nesterov = true;
    check(compare_sgd_update(numbers(1), step), 2);
  }
}

TEST_CASE("Adam's and AdamW's steps in float32 are within their bounds of float64") {
  for (const float weight_decay : {0.0F, 0.1F}) {
    for (const float shrink : {1.0F, 0.99F}) {
      check(compare_adam_update(numbers(2), {.weight_decay = weight_decay,
                                             .shrink = shrink,
                                             .beta1 = 0.9F,
                                             .rest1 = 0.1F,
                                             .beta2 = 0.999F,
                                             .rest2 = 0.001F,
                                             .size = 0.01F,
                                             .root_correction = 0.3F,
                                             .eps = 1e-8F}),
            3);
    }
  }
}

TEST_CASE("a step leaves the numbers that it is compared with as they were") {
  const OptimizerNumbers before = numbers(1);
  const Tensor parameter = before.parameter.clone();
  compare_sgd_update(
      before, {.lr = 0.1F, .momentum = 0.9F, .weight_decay = 0, .damped = 1, .nesterov = false});
  CHECK(core::equal(before.parameter, parameter));
}
