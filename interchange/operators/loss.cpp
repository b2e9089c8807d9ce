// Losses of classification.
#include <gradus/core/words.h>
#include <gradus/interchange/operators/call.h>

#include <limits>

namespace gradus::interchange {
namespace {

/// Of weights that may be left out.
Variable negative_log(const Call& call, const Variable& log_probabilities) {
  NLLLossOptions options;
  if (call.has(2)) options.weight = call.in(2).value();
  // Without the attribute no label is ignored: none is below every other.
  options.ignore_index = call.integer("ignore_index", std::numeric_limits<std::int64_t>::min());
  const std::string reduction = call.text("reduction", "mean");
  if (reduction == "none") {
    options.reduction = gradus::Reduction::none;
  } else if (reduction == "sum") {
    options.reduction = gradus::Reduction::sum;
  } else if (reduction != "mean") {
    call.refuse("reduction ", in_quotes(reduction), "; known are none, sum and mean");
  }
  return nll_loss(log_probabilities, call.in(1).value(), options);
}

Variables nll_node(const Call& call) { return {negative_log(call, call.in(0))}; }

/// The second output is the logarithm of the probabilities.
Variables softmax_cross_entropy_node(const Call& call) {
  const Variable logarithms = log_softmax(call.in(0), 1);
  return {negative_log(call, logarithms), logarithms};
}

}  // namespace

std::vector<OperatorEntry> loss_operators() {
  return {{"NegativeLogLikelihoodLoss", nll_node},
          {"SoftmaxCrossEntropyLoss", softmax_cross_entropy_node}};
}

}  // namespace gradus::interchange
