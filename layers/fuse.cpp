// Module::fuse(): each batch norm of a Sequential looks back at the layer before it.
#include <gradus/layers/conv.h>
#include <gradus/layers/detail/channel_line.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/norm.h>
#include <gradus/layers/sequential.h>
#include <gradus/layers/shape.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace gradus {
namespace {

/// A layer of weighted sums, into which a norm of its channels can be folded.
struct WeightedSums {
  Variable* weight;
  Variable* bias;
  detail::ChannelLayout layout;
  int rank;  // of a result whose second dimension are those channels
};

std::optional<WeightedSums> weighted_sums(Module& module) {
  if (auto* conv = dynamic_cast<Conv2d*>(&module))
    return WeightedSums{&conv->weight, &conv->bias, {}, 4};
  if (auto* conv = dynamic_cast<Conv1d*>(&module))
    return WeightedSums{&conv->weight, &conv->bias, {}, 3};
  if (auto* linear = dynamic_cast<Linear*>(&module))
    return WeightedSums{&linear->weight, &linear->bias, {}, 2};
  if (auto* conv = dynamic_cast<ConvTranspose2d*>(&module))
    return WeightedSums{&conv->weight, &conv->bias, {1, conv->options().groups}, 4};
  return std::nullopt;
}

ChannelNorm* batch_norm_of(Module& module, int rank) {
  if (rank == 4) return dynamic_cast<BatchNorm2d*>(&module);
  return dynamic_cast<BatchNorm1d*>(&module);
}

/// Do these numbers stand in the model once? Others that share them would change too.
bool is_alone(const NamedTensors& state, const Variable& numbers) {
  const auto shared = [&](const auto& named) {
    return named.second.storage().data() == numbers.value().storage().data();
  };
  return !numbers.defined() || std::count_if(state.begin(), state.end(), shared) == 1;
}

/// A layer, and the norm behind it that is folded into it.
struct Folding {
  Sequential* row;
  std::size_t norm;
  WeightedSums sums;
  detail::ChannelLine line;
};

std::optional<Folding> folding_of(Sequential& row, std::size_t i, const NamedTensors& state) {
  const auto sums = weighted_sums(row[i - 1]);
  const ChannelNorm* norm = sums ? batch_norm_of(row[i], sums->rank) : nullptr;
  const bool apart = norm != nullptr && norm->running_mean.defined() && !norm->has_hooks() &&
                     !row[i - 1].has_hooks() && is_alone(state, *sums->weight) &&
                     is_alone(state, *sums->bias);
  if (!apart) return std::nullopt;
  const auto value = [](const Variable& v) { return v.defined() ? v.value() : Tensor(); };
  const auto line = detail::channel_line(value(norm->weight), value(norm->bias), norm->running_mean,
                                         norm->running_var, norm->options().eps);
  if (!line || line->channels() != sums->layout.channels(sums->weight->value()))
    return std::nullopt;
  if (norm->is_training()) {
    fail<ValueError>("fuse: ", norm->kind(), " of ", line->channels(),
                     " channels is in training, where it normalises by the batch; it must be in "
                     "evaluation, as after eval()");
  }
  return Folding{&row, i, *sums, *line};
}

void fold(const Folding& folding) {
  const auto& [weight, bias, layout, rank] = folding.sums;
  const Tensor shift = detail::folded_bias(bias->defined() ? bias->value() : Tensor(), folding.line,
                                           weight->dtype());
  weight->zero_grad();
  weight->set_value(detail::folded_weight(weight->value(), layout, folding.line));
  if (bias->defined()) {
    bias->zero_grad();
    bias->set_value(shift);
  } else {
    *bias = Variable(shift, weight->requires_grad());
  }
  folding.row->replace(folding.norm, Identity{rank});
}

}  // namespace

int Module::fuse() {
  const NamedTensors state = state_dict();
  std::vector<Folding> foldings;
  for (const auto& [name, module] : named_modules()) {
    auto* row = dynamic_cast<Sequential*>(module);
    for (std::size_t i = 1; row != nullptr && i < row->size(); ++i)
      if (auto folding = folding_of(*row, i, state)) foldings.push_back(std::move(*folding));
  }
  for (const Folding& folding : foldings) fold(folding);
  return static_cast<int>(foldings.size());
}

}  // namespace gradus
