// What the chapters of losses share: the checks that a loss owes its user, and its reduction.
#pragma once

#include <gradus/autograd/functions.h>

#include <cstdint>
#include <string_view>

namespace gradus::ops {

/// Throws ValueError, naming `op`, for batchmean.
void check_reduction(std::string_view op, Reduction reduction);
/// `losses`, their sum or their mean. Throws as check_reduction() does.
Variable reduced(std::string_view op, const Operand& losses, Reduction reduction);

/// Throws, naming `op`, unless both are floating, of one shape and dtype.
void check_alike(std::string_view op, std::string_view what, const Variable& a,
                 std::string_view other, const Variable& b);

/// Throws, naming `op`, unless `weight` is undefined or of one dtype with the scores [N,C,...], and [C].
void check_class_weight(std::string_view op, const Tensor& weight, const Tensor& scores);

/// Throws, naming `op` and `what`, unless `weight` is undefined or of x's dtype and broadcasts to its shape.
void check_weight(std::string_view op, std::string_view what, const Tensor& weight,
                  const Tensor& x);

/// Throws, naming `op`, unless `target` has `shape` and each of its numbers is 1 or -1.
void check_signs(std::string_view op, const Tensor& target, const Shape& shape);

/// weight[label] for each label; labels in 0..C-1. [C], [N,...] -> [N,...]
Tensor weight_of(const Tensor& weight, const Tensor& labels);

/// Scores [C] and one label, as PyTorch takes them too?
bool is_one_example(const Variable& scores, const Tensor& labels);
/// Of these, as a batch of one, whose `loss` is computed.
template <class Loss>
Variable of_one_example(const Operand& scores, const Tensor& labels, Reduction reduction,
                        const Loss& loss) {
  const Place at = scores.at();
  const Variable batch = unsqueeze(scores, 0);
  const Variable result = loss(Operand(batch, at), labels.unsqueeze(0));
  return reduction == Reduction::none ? squeeze({result, at}, 0) : result;
}

}  // namespace gradus::ops
