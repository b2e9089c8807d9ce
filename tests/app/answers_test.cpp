// What a model answers, gathered: by hand, over batches, and the worst mistakes with both probabilities.
#include <doctest/doctest.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>

#include <app/answers.h>

#include <cstdint>
#include <vector>

namespace app = gradus::app;
using gradus::Tensor;

namespace {

/// Logits whose softmax is these probabilities.
Tensor logits_of(const Tensor& probabilities) { return gradus::core::log(probabilities); }

}  // namespace

TEST_CASE("answers are gathered over batches, and the surest mistake is the worst") {
  app::Answers answers;
  answers.add(
      {.images = {}, .labels = Tensor::from({std::int64_t{0}, std::int64_t{1}, std::int64_t{2}})},
      logits_of(Tensor::from({{0.5F, 0.3F, 0.2F}, {0.7F, 0.1F, 0.2F}, {0.1F, 0.5F, 0.4F}})));
  answers.add({.images = {}, .labels = Tensor::from({std::int64_t{2}})},
              logits_of(Tensor::from({{0.94F, 0.05F, 0.01F}})));
  CHECK(answers.size() == 4);
  CHECK(answers.labels().to_vector<std::int64_t>() == std::vector<std::int64_t>{0, 1, 2, 2});
  CHECK(answers.predictions().to_vector<std::int64_t>() == std::vector<std::int64_t>{0, 0, 1, 0});
  const std::vector<app::Mistake> worst = answers.worst(10);
  REQUIRE(worst.size() == 3);
  CHECK(worst[0].index == 3);
  CHECK(worst[0].label == 2);
  CHECK(worst[0].predicted == 0);
  CHECK(worst[0].of_label == doctest::Approx(0.01));
  CHECK(worst[0].of_predicted == doctest::Approx(0.94));
  CHECK(worst[1].index == 1);
  CHECK(worst[1].of_label == doctest::Approx(0.1));
  CHECK(worst[1].of_predicted == doctest::Approx(0.7));
  CHECK(worst[2].index == 2);
  CHECK(answers.worst(1).size() == 1);
  CHECK(app::Answers().worst(3).empty());
  CHECK(app::Answers().size() == 0);
}
