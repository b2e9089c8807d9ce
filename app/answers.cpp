// Mistakes are kept apart as they come, so that the worst are found without the images.
#include "answers.h"

#include <gradus/core/math.h>

#include <algorithm>

namespace gradus::app {
namespace {

Tensor column_of(const std::vector<std::int64_t>& values) {
  return Tensor::from(values.data(), Shape{std::ssize(values)});
}

}  // namespace

void Answers::add(const Batch& batch, const Tensor& logits) {
  const Tensor best = core::argmax(logits, 1);
  const Tensor probabilities = core::softmax(logits, 1);
  for (std::int64_t i = 0; i < best.numel(); ++i) {
    const auto label = batch.labels.at<std::int64_t>({i});
    const auto predicted = best.at<std::int64_t>({i});
    if (predicted != label) {
      mistakes_.push_back(
          {.index = size(),
           .label = label,
           .predicted = predicted,
           .of_label = static_cast<double>(probabilities.at<float>({i, label})),
           .of_predicted = static_cast<double>(probabilities.at<float>({i, predicted}))});
    }
    labels_.push_back(label);
    predictions_.push_back(predicted);
  }
}

Tensor Answers::labels() const { return column_of(labels_); }
Tensor Answers::predictions() const { return column_of(predictions_); }

std::vector<Mistake> Answers::worst(std::size_t most) const {
  std::vector<Mistake> worst = mistakes_;
  std::stable_sort(worst.begin(), worst.end(),
                   [](const Mistake& a, const Mistake& b) { return a.of_label < b.of_label; });
  worst.resize(std::min(worst.size(), most));
  return worst;
}

}  // namespace gradus::app
