// How a bug gets into a tape: after the function has run, the op that took the input is wrapped in
// one that asks it for its gradients and then spoils one of them.
#include <gradus/autograd/engine.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/detail/probe.h>
#include <gradus/gradcheck/detail/saboteur.h>
#include <gradus/gradcheck/planted.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace gradus {
namespace {

/// What is planted, and where.
struct Plan {
  DifferentiableFunction function;
  Bug bug;
  Site site;
  std::shared_ptr<Memory> memory = std::make_shared<Memory>();

  Variable operator()(const Variables& inputs) const;

 private:
  void sabotage(const Use& use, std::size_t slot, const Variables& inputs,
                const Variable& output) const;
  std::shared_ptr<Node> recorded_at_the_output(const Variables& inputs, const Variable& output,
                                               const std::string_view op) const;
};

Variable Plan::operator()(const Variables& inputs) const {
  Variable output = function(inputs);
  if (bug == Bug::parameter_hidden && site.input == 0 && is_floating(output.dtype())) {
    if (!memory->hidden.defined() || memory->hidden.dtype() != output.dtype())
      memory->hidden = Variable(ones({}, output.dtype()), true);
    return mul(output, memory->hidden);
  }
  const Node* leaf = inputs[site.input].node().get();
  if (!output.requires_grad() || leaf == nullptr) return output;
  const std::vector<Use> uses = uses_of(leaf, output);
  std::size_t count = 0;
  for (const Use& use : uses) count += use.slots.size();
  const bool needs_several = bug == Bug::use_dropped || bug == Bug::use_overwritten;
  if (uses.empty() || (needs_several && count < 2)) return output;
  if (bug == Bug::use_dropped) {
    sabotage(uses.back(), uses.back().slots.back(), inputs, output);
    return output;
  }
  for (const Use& use : uses) {
    if (!site.op.empty() && use.node->name != site.op) continue;
    sabotage(use, use.slots.front(), inputs, output);
    break;
  }
  return output;
}

void Plan::sabotage(const Use& use, std::size_t slot, const Variables& inputs,
                    const Variable& output) const {
  auto wrapper = std::make_unique<Saboteur>();
  wrapper->bug = bug;
  wrapper->slot = slot;
  wrapper->others = use.slots;
  wrapper->memory = memory;
  wrapper->node = use.node;
  wrapper->x = inputs[site.input].value();
  if (bug == Bug::output_read)
    wrapper->elsewhere = recorded_at_the_output(inputs, output, use.node->name);
  wrapper->inner = std::move(use.node->op);
  use.node->adopt(std::move(wrapper));
  if (bug == Bug::stale_value) memory->last_node = use.node->shared_from_this();
  if (!memory->first_values.defined())
    memory->first_values = inputs[site.input].value().to(float64).clone();
  std::size_t wanted = 0;
  for (const auto& input : use.node->inputs) wanted += input != nullptr ? 1 : 0;
  memory->most_wanted = std::max(memory->most_wanted, wanted);
}

/// The op that takes the input, recorded with f(x) in the place of x; null where that is not defined.
std::shared_ptr<Node> Plan::recorded_at_the_output(const Variables& inputs, const Variable& output,
                                                   const std::string_view op) const {
  if (output.shape() != inputs[site.input].shape()) return nullptr;
  Variables there = inputs;
  there[site.input] = Variable(output.value().clone(), true);
  try {
    const Variable recorded = function(there);
    for (const Use& use : uses_of(there[site.input].node().get(), recorded))
      if (use.node->name == op) return use.node->shared_from_this();
  } catch (const Error&) {
    // The input's domain does not have it.
  }
  return nullptr;
}

}  // namespace

std::size_t use_count(const DifferentiableFunction& function, const Variables& inputs,
                      std::size_t input) {
  std::size_t count = 0;
  const Variable output = function(inputs);
  for (const Use& use : uses_of(inputs[input].node().get(), output)) {
    count += use.slots.size();
  }
  return count;
}

DifferentiableFunction plant(const DifferentiableFunction& function, Bug bug, const Site& site) {
  return Plan{function, bug, site};
}

namespace {

bool differ(const std::vector<Tensor>& right, const std::vector<Tensor>& wrong,
            const GradcheckOptions& options) {
  for (std::size_t i = 0; i < right.size(); ++i) {
    if (right[i].defined() != wrong[i].defined()) {
      const Tensor& there = right[i].defined() ? right[i] : wrong[i];
      if (there.numel() > 0 && core::max(core::abs(there)).item() > 10 * options.atol) return true;
      continue;
    }
    for (std::int64_t e = 0, n = right[i].defined() ? right[i].numel() : 0; e < n; ++e) {
      const double a = right[i].data<double>()[e];
      const double b = wrong[i].data<double>()[e];
      const double size = std::max(std::fabs(a), std::fabs(b));
      if (!(std::fabs(a - b) <= 10 * (options.atol + options.rtol * size))) return true;
    }
  }
  return false;
}

/// The node of the op that is spoiled, or null.
Node* spoiled_node(const Variable& output) {
  for (Node* node : nodes_of(output))
    if (dynamic_cast<Saboteur*>(node->op.get()) != nullptr) return node;
  return nullptr;
}

/// Does the op give another gradient than the one that it replaced?
bool spoils(const Node& node, const Tensor& dy) {
  auto& saboteur = static_cast<Saboteur&>(*node.op);
  const Variable wrong = saboteur.backward(dy.clone().copy_(dy))[saboteur.slot];
  const Variable right = saboteur.inner->backward(dy)[saboteur.slot];
  if (!right.defined() || right.numel() == 0) return false;
  const double size = core::max(core::abs(right.value())).item();
  return !wrong.defined() || wrong.shape() != right.shape() ||
         core::max(core::abs(core::sub(wrong.value(), right.value()))).item() > 1e-5 * size;
}

bool spoils_laid_out(const Node& node, const Tensor& dy) {
  auto& saboteur = static_cast<Saboteur&>(*node.op);
  const Tensor turned = laid_out_backwards(dy);
  if (dy.rank() < 1 || turned.numel() < 2) return false;
  const Tensor view = dy.flatten().narrow(0, 0, 1).expand({dy.numel()}).reshape(dy.shape());
  for (const Tensor& other : {turned, view}) {
    if (other.is_contiguous()) continue;
    const Variable wrong = saboteur.backward(other)[saboteur.slot];
    const Variable right = saboteur.inner->backward(other)[saboteur.slot];
    if (!core::allclose(wrong.value(), right.value())) return true;
  }
  return false;
}

Variables cast_to_float32(const Variables& inputs) {
  Variables cast;
  for (const Variable& input : inputs) {
    const bool moves = is_floating(input.dtype());
    cast.push_back(moves ? Variable(input.value().to(float32), input.requires_grad()) : input);
  }
  return cast;
}

/// Is there a case in which the broken contract shows?
bool breaks_contract(const DifferentiableFunction& right, const DifferentiableFunction& wrong,
                     const Variables& inputs, Bug bug, const GradcheckOptions& options) {
  const Probe probe(wrong, inputs, options);
  const Variable output = probe.record();
  if (bug == Bug::parameter_hidden)
    return output.requires_grad() && output.node()->inputs.back() != nullptr &&
           output.node()->inputs.back()->is_leaf && output.numel() > 0 &&
           spoiled_node(output) == nullptr && nodes_of(output).size() > 2;
  const Node* node = spoiled_node(output);
  if (node == nullptr || node->shape.numel() == 0) return false;
  Generator generator(options.seed + 3);
  const Tensor dy = random_weights(node->shape, generator).to(node->dtype);
  const Tensor& weights = probe.weights()[0];
  switch (bug) {
    case Bug::incoming_overwritten:
      return true;
    case Bug::saved_overwritten:
      return std::any_of(node->kept.begin(), node->kept.end(),
                         [&](const KeptNumbers& kept) { return can_be_overwritten(*node, kept); });
    case Bug::shape_lost:
      return node->inputs[static_cast<Saboteur&>(*node->op).slot]->shape.rank() < Shape::max_rank;
    case Bug::clipped:
      return spoils(*node, core::mul(dy, 1000));
    case Bug::layout_ignored:
      return spoils_laid_out(*node, dy);
    case Bug::recorded_scaled: {
      const GradMode recording(true);
      return spoils(*node, dy);
    }
    case Bug::neighbour_needed: {
      Variables frozen;
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        const auto& slots = node->inputs;
        const Node* leaf = probe.leaf(i).node().get();
        const auto& taken = slots[static_cast<Saboteur&>(*node->op).slot];
        frozen.push_back(
            Variable(inputs[i].value(), inputs[i].requires_grad() && leaf == taken.get()));
      }
      const Probe a(right, frozen, options);
      const Probe b(wrong, frozen, options);
      return differ(a.gradients(weights), b.gradients(weights), options);
    }
    case Bug::wrong_elsewhere: {
      std::vector<Tensor> values;
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        const Tensor& x = probe.leaf(i).value();
        values.push_back(is_floating(x.dtype()) ? core::mul(x, 1.0625) : x);
      }
      const Probe::Back back(probe);
      const Probe there(probe, values);
      Variables moved;
      for (std::size_t i = 0; i < inputs.size(); ++i)
        moved.push_back(Variable(values[i], inputs[i].requires_grad()));
      const Probe a(right, moved, options);
      return differ(a.gradients(weights), there.gradients(weights), options);
    }
    case Bug::float32_scaled: {
      const Variables cast = cast_to_float32(inputs);
      const std::vector<Tensor> a = Probe::backward_of(right(cast), cast, weights.to(float32));
      const std::vector<Tensor> b = Probe::backward_of(wrong(cast), cast, weights.to(float32));
      for (std::size_t i = 0; i < a.size(); ++i) {
        if (!a[i].defined() || a[i].numel() == 0 || a[i].dtype() != float32) continue;
        const double size = core::max(core::abs(a[i])).item();
        if (core::max(core::abs(core::sub(a[i], b[i]))).item() > 0.2 * size) return true;
      }
      return false;
    }
    default:
      return false;
  }
}

}  // namespace

bool is_a_broken_contract(Bug bug) {
  return bug >= Bug::incoming_overwritten && bug <= Bug::parameter_hidden;
}

bool is_effective(const DifferentiableFunction& right, const DifferentiableFunction& wrong,
                  const Variables& inputs, Bug bug, const GradcheckOptions& options) {
  if (order_of(bug) == 2) {
    const SecondOrder r = second_order(right, inputs, options);
    const SecondOrder w = second_order(wrong, inputs, options);
    const Probe a(r.function, r.inputs, options);
    const Probe b(w.function, w.inputs, options);
    return differ(a.gradients(a.weights()[0]), b.gradients(b.weights()[0]), options);
  }
  if (is_a_broken_contract(bug)) {
    try {
      return breaks_contract(right, wrong, inputs, bug, options);
    } catch (const Error&) {
      return false;  // float32, or other values, are not taken
    }
  }
  const Probe a(right, inputs, options);
  const Probe b(wrong, inputs, options);
  const Tensor& weights = a.weights()[0];
  const std::vector<Tensor> expected = a.gradients(weights);
  if (bug == Bug::stale_value)
    return differ(expected, b.gradients_after_another_forward(weights), options);
  if (bug == Bug::stale_accumulation) b.gradients(weights);
  return differ(expected, b.gradients(weights), options);
}

namespace {

/// Do enough values lie on both sides of 0, that errors of one side are hardly chance?
bool has_two_sides(const Tensor& x) {
  const double below = core::sum(core::lt(x, 0).to(float64)).item();
  const double above = core::sum(core::gt(x, 0).to(float64)).item();
  return below >= 4 && above >= 4;
}

}  // namespace

std::vector<Pattern> expected_patterns(Bug bug, std::string_view input_name, const Tensor& input) {
  const bool bias = input_name.size() >= 4 && input_name.substr(input_name.size() - 4) == "bias";
  switch (bug) {
    case Bug::scaled:
    case Bug::mean_for_sum:
      return {Pattern::constant_factor};
    case Bug::sign_flipped:
      return {Pattern::sign_flipped};
    case Bug::zeroed:
      return {bias ? Pattern::bias_forgotten : Pattern::zero};
    case Bug::element_zeroed:
      return {Pattern::zero};
    case Bug::not_finite:
      return {Pattern::not_finite};
    case Bug::transposed:
      return {Pattern::transposed};
    case Bug::flipped:
      return {Pattern::flipped};
    case Bug::shifted:
      return {Pattern::shifted};
    case Bug::border_dropped:
      return {Pattern::border_only};
    case Bug::slice_dropped:
      return {Pattern::one_slice};
    case Bug::sum_dropped:
      return {Pattern::missing_sum};
    case Bug::use_dropped:
    case Bug::use_overwritten:
      return {Pattern::missing_accumulation};
    case Bug::swapped:
      return {Pattern::swapped_inputs};
    case Bug::incoming_ignored:
      return {Pattern::ignores_incoming};
    case Bug::disconnected:
      return {bias ? Pattern::bias_forgotten : Pattern::disconnected};
    case Bug::stale_accumulation:
      return {Pattern::stale_accumulation};
    case Bug::stale_value:
      return {Pattern::stale_value};
    case Bug::negative_dropped:
      return has_two_sides(input) ? std::vector{Pattern::wrong_branch} : std::vector<Pattern>();
    case Bug::diagonal_kept:
      return {Pattern::diagonal_only};
    case Bug::mean_dropped:
      return {Pattern::constant_error};
    case Bug::variance_dropped:
      return {Pattern::variance_term};
    case Bug::output_read:
      return {Pattern::output_for_input,
              Pattern::input_for_output};  // one thing where f(f(x)) is x
    case Bug::random:
      return {Pattern::random_backward};
    case Bug::incoming_overwritten:
      return {Pattern::overwrites_incoming};
    case Bug::saved_overwritten:
      return {Pattern::overwrites_saved};
    case Bug::clipped:
      return {Pattern::not_linear};
    case Bug::layout_ignored:
      return {Pattern::reads_layout};
    case Bug::neighbour_needed:
      return {Pattern::depends_on_needs};
    case Bug::recorded_scaled:
      return {Pattern::depends_on_recording};
    case Bug::float32_scaled:
      return {Pattern::wrong_in_float32};
    case Bug::shape_lost:
      return {Pattern::wrong_shape};
    case Bug::wrong_elsewhere:
      return {Pattern::wrong_elsewhere};
    case Bug::parameter_hidden:
      return {Pattern::unnamed_parameter};
    case Bug::element_off:
    case Bug::history_cut:
    case Bug::history_scaled:
    case Bug::history_flipped:
      return {};
  }
  return {};
}

std::string_view to_string(Bug bug) {
  switch (bug) {
    case Bug::scaled:
      return "scaled";
    case Bug::mean_for_sum:
      return "mean_for_sum";
    case Bug::sign_flipped:
      return "sign_flipped";
    case Bug::zeroed:
      return "zeroed";
    case Bug::element_zeroed:
      return "element_zeroed";
    case Bug::element_off:
      return "element_off";
    case Bug::not_finite:
      return "not_finite";
    case Bug::transposed:
      return "transposed";
    case Bug::flipped:
      return "flipped";
    case Bug::shifted:
      return "shifted";
    case Bug::border_dropped:
      return "border_dropped";
    case Bug::slice_dropped:
      return "slice_dropped";
    case Bug::sum_dropped:
      return "sum_dropped";
    case Bug::use_dropped:
      return "use_dropped";
    case Bug::use_overwritten:
      return "use_overwritten";
    case Bug::swapped:
      return "swapped";
    case Bug::incoming_ignored:
      return "incoming_ignored";
    case Bug::disconnected:
      return "disconnected";
    case Bug::stale_accumulation:
      return "stale_accumulation";
    case Bug::stale_value:
      return "stale_value";
    case Bug::negative_dropped:
      return "negative_dropped";
    case Bug::diagonal_kept:
      return "diagonal_kept";
    case Bug::mean_dropped:
      return "mean_dropped";
    case Bug::variance_dropped:
      return "variance_dropped";
    case Bug::output_read:
      return "output_read";
    case Bug::random:
      return "random";
    case Bug::incoming_overwritten:
      return "incoming_overwritten";
    case Bug::saved_overwritten:
      return "saved_overwritten";
    case Bug::clipped:
      return "clipped";
    case Bug::layout_ignored:
      return "layout_ignored";
    case Bug::neighbour_needed:
      return "neighbour_needed";
    case Bug::recorded_scaled:
      return "recorded_scaled";
    case Bug::float32_scaled:
      return "float32_scaled";
    case Bug::shape_lost:
      return "shape_lost";
    case Bug::wrong_elsewhere:
      return "wrong_elsewhere";
    case Bug::parameter_hidden:
      return "parameter_hidden";
    case Bug::history_cut:
      return "history_cut";
    case Bug::history_scaled:
      return "history_scaled";
    case Bug::history_flipped:
      return "history_flipped";
  }
  return {};
}

const std::vector<Bug>& all_bugs() {
  static const std::vector<Bug> all = [] {
    std::vector<Bug> bugs;
    for (int b = 0; b <= static_cast<int>(Bug::history_flipped); ++b)
      bugs.push_back(static_cast<Bug>(b));
    return bugs;
  }();
  return all;
}

int order_of(Bug bug) { return bug >= Bug::history_cut ? 2 : 1; }

}  // namespace gradus
