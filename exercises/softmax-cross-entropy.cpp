// Exercise softmax-cross-entropy: the loss of a classifier, with its gradient, for scores of any size.
//
//   p[i,c] = exp(s[i,c]) / Σ_d exp(s[i,d])        loss = mean over i of -log p[i, label[i]]
//
// scores [n,c], labels int64 [n] -> {loss, d(loss)/d(scores) [n,c]}. Scores of 1000 must not overflow: exp(1000) is
// infinite. labels.at<std::int64_t>({i}) reads a label.
#include "judge/judges.h"

using namespace gradus;

LossAndGradient my_cross_entropy(const Tensor& scores, const Tensor& labels) {
  return {};  // in its place: {loss, gradient}
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_softmax_cross_entropy(my_cross_entropy, seed); }
