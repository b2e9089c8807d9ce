// What a model answers for labelled images, gathered batch by batch: for its confusion matrix, and to look
// at where it is wrong.
#pragma once

#include <gradus/core/tensor.h>
#include <gradus/data/loader.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gradus::app {

/// An image that was taken for something else.
struct Mistake {
  std::int64_t index = 0;  ///< in the order of the data
  std::int64_t label = 0;
  std::int64_t predicted = 0;
  double of_label = 0;      ///< probability that the model gave the label
  double of_predicted = 0;  ///< and what it took the image for
};

/// To be filled by evaluate().
class Answers {
 public:
  /// Of a batch: what the model made of its images, [B,classes].
  void add(const Batch& batch, const Tensor& logits);
  std::int64_t size() const { return std::ssize(labels_); }
  Tensor labels() const;       ///< int64 [size()]
  Tensor predictions() const;  ///< int64 [size()]
  /// At most so many mistakes: those in which the model gave the label the least probability, first.
  std::vector<Mistake> worst(std::size_t most) const;

 private:
  std::vector<std::int64_t> labels_;
  std::vector<std::int64_t> predictions_;
  std::vector<Mistake> mistakes_;
};

}  // namespace gradus::app
