// How a bug gets into a tape: after the function has run, the op that took the input is wrapped in
// one that asks it for its gradients and then spoils one of them.
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/detail/probe.h>
#include <gradus/gradcheck/planted.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace gradus {
namespace {

/// A mask of ones with `value` at the middle element.
Tensor one_element(const Shape& shape, double value) {
  const Tensor mask = ones(shape, float64);
  if (mask.numel() > 0) mask.data<double>()[mask.numel() / 2] = value;
  return mask;
}

Variable transpose_equal_axes(const Variable& g) {
  for (int a = 0; a < g.rank(); ++a) {
    for (int b = a + 1; b < g.rank(); ++b) {
      if (g.size(a) == g.size(b) && g.size(a) > 1) return transpose(g, a, b);
    }
  }
  return g;
}

Variable backwards(Variable g) {
  for (int d = std::max(0, g.rank() - 2); d < g.rank(); ++d) {
    const std::int64_t n = g.size(d);
    const Tensor order = Tensor::empty({n}, int64);
    for (std::int64_t i = 0; i < n; ++i) order.data<std::int64_t>()[i] = n - 1 - i;
    g = index_select(g, d, order);
  }
  return g;
}

Variable shift_last_axis(const Variable& g) {
  if (g.rank() == 0 || g.size(-1) < 2) return g;
  const Variable gap = zeros_like(narrow(g, -1, 0, 1).value());
  return cat({gap, narrow(g, -1, 0, g.size(-1) - 1)}, -1);
}

Variable without_border(const Variable& g) {
  if (g.rank() < 2 || g.size(-1) < 3 || g.size(-2) < 3) return g;
  const Tensor mask = zeros(g.shape(), float64);
  mask.narrow(-1, 1, g.size(-1) - 2).narrow(-2, 1, g.size(-2) - 2).fill_(1);
  return mul(g, mask);
}

Variable without_one_slice(const Variable& g) {
  if (g.rank() < 2 || g.size(0) < 2) return g;
  const Tensor mask = ones(g.shape(), float64);
  mask.select(0, g.size(0) - 1).fill_(0);
  return mul(g, mask);
}

/// The same number, with its derivative times `factor`.
Variable with_history_scaled(const Variable& g, double factor) {
  return add(g.detach(), mul(sub(g, g.detach()), factor));
}

/// An axis of the output along which the input was repeated, or over which its gradient is summed;
/// -1 if there is none.
int summed_axis(const Shape& input, const Shape& output) {
  if (output.numel() <= input.numel() || output.rank() == 0) return -1;
  const int missing = output.rank() - input.rank();
  if (missing < 0) return -1;
  if (broadcasts(input, output) && broadcast("planted bug", input, output) == output) {
    for (int d = 0; d < output.rank(); ++d) {
      const std::int64_t own = d < missing ? 1 : input[d - missing];
      if (own == 1 && output[d] > 1) return d;
    }
  }
  return output[0] > 1 ? 0 : -1;
}

/// What passes from one call of the planted function to the next.
struct Memory {
  Tensor last_gradient;
  std::shared_ptr<Node> last_node;
};

struct Saboteur final : Op {
  std::unique_ptr<Op> inner;
  Bug bug;
  std::size_t slot;                 // of the input whose gradient is spoiled
  std::vector<std::size_t> others;  // the other slots that take the very same input
  std::weak_ptr<Memory> memory;

  Variables backward(const Variable& dy) override {
    Variables gradients = original(dy)->backward(dy);
    Variable& g = gradients[slot];
    if (!g.defined()) return gradients;
    switch (bug) {
      case Bug::swapped:
        swap_with_another(gradients);
        break;
      case Bug::disconnected:
      case Bug::use_dropped:
      case Bug::use_overwritten:
        g = {};
        break;
      case Bug::incoming_ignored:
        g = inner->backward(ones_like(dy.value()))[slot];
        break;
      case Bug::sum_dropped:
        g = of_one_slice(dy, g);
        break;
      case Bug::stale_accumulation:
        g = with_the_last(g);
        break;
      default:
        g = spoiled(g, dy);
        break;
    }
    return gradients;
  }

 private:
  Op* original(const Variable&) const {
    const std::shared_ptr<Memory> kept = memory.lock();
    if (bug != Bug::stale_value || !kept || !kept->last_node) return inner.get();
    return static_cast<Saboteur*>(kept->last_node->op.get())->inner.get();
  }

  Variable spoiled(const Variable& g, const Variable& dy) const {
    switch (bug) {
      case Bug::scaled:
        return mul(g, 1.0009);
      case Bug::mean_for_sum: {
        const double ratio = static_cast<double>(dy.numel()) /
                             static_cast<double>(std::max<std::int64_t>(g.numel(), 1));
        return ratio > 1 ? mul(g, 1 / ratio) : g;
      }
      case Bug::sign_flipped:
        return neg(g);
      case Bug::zeroed:
        return mul(g, 0);
      case Bug::element_zeroed:
        return mul(g, one_element(g.shape(), 0));
      case Bug::element_off:
        return mul(g, one_element(g.shape(), 1.0009));
      case Bug::not_finite:
        return mul(g, one_element(g.shape(), std::nan("")));
      case Bug::transposed:
        return transpose_equal_axes(g);
      case Bug::flipped:
        return backwards(g);
      case Bug::shifted:
        return shift_last_axis(g);
      case Bug::border_dropped:
        return without_border(g);
      case Bug::slice_dropped:
        return without_one_slice(g);
      case Bug::history_cut:
        return g.detach();
      case Bug::history_scaled:
        return with_history_scaled(g, 1.0009);
      case Bug::history_flipped:
        return with_history_scaled(g, -1);
      default:
        return g;
    }
  }

  void swap_with_another(Variables& gradients) const {
    for (std::size_t s = 0; s < gradients.size(); ++s) {
      const bool same_input = std::find(others.begin(), others.end(), s) != others.end();
      if (s == slot || same_input || !gradients[s].defined()) continue;
      if (gradients[s].shape() == gradients[slot].shape())
        return std::swap(gradients[s], gradients[slot]);
    }
  }

  Variable of_one_slice(const Variable& dy, const Variable& g) const {
    const int axis = summed_axis(g.shape(), dy.shape());
    if (axis < 0) return g;
    const Tensor mask = zeros(dy.shape(), float64);
    mask.select(axis, 0).fill_(1);
    const Variable one = inner->backward(mul(dy, mask))[slot];
    // A sum that lost its other terms still says something everywhere. Where it does not, there
    // was no sum: only a part of the gradient would be missing.
    const Tensor lost = core::logical_and(core::eq(one.value(), 0), core::ne(g.value(), 0));
    return core::sum(lost.to(float64)).item() > 0 ? g : one;
  }

  Variable with_the_last(const Variable& g) const {
    const std::shared_ptr<Memory> kept = memory.lock();
    if (!kept) return g;
    const Tensor before = std::exchange(kept->last_gradient, g.value().clone());
    return before.defined() && before.shape() == g.shape() ? add(g, before) : g;
  }
};

void sabotage(const Use& use, std::size_t slot, Bug bug, const std::shared_ptr<Memory>& memory) {
  auto wrapper = std::make_unique<Saboteur>();
  wrapper->inner = std::move(use.node->op);
  wrapper->bug = bug;
  wrapper->slot = slot;
  wrapper->others = use.slots;
  wrapper->memory = memory;
  use.node->adopt(std::move(wrapper));
  if (bug == Bug::stale_value) memory->last_node = use.node->shared_from_this();
}

}  // namespace

std::size_t use_count(const DifferentiableFunction& function, const Variables& inputs,
                      std::size_t input) {
  std::size_t count = 0;
  for (const Use& use : uses_of(inputs[input].node().get(), function(inputs))) {
    count += use.slots.size();
  }
  return count;
}

DifferentiableFunction plant(const DifferentiableFunction& function, Bug bug, const Site& site) {
  // The tape only looks at the memory; whoever holds the function holds it.
  return [function, bug, site, memory = std::make_shared<Memory>()](const Variables& inputs) {
    Variable output = function(inputs);
    const Node* leaf = inputs[site.input].node().get();
    if (!output.requires_grad() || leaf == nullptr) return output;
    const std::vector<Use> uses = uses_of(leaf, output);
    std::size_t count = 0;
    for (const Use& use : uses) count += use.slots.size();
    const bool needs_several = bug == Bug::use_dropped || bug == Bug::use_overwritten;
    if (uses.empty() || (needs_several && count < 2)) return output;
    if (bug == Bug::use_dropped) {
      sabotage(uses.back(), uses.back().slots.back(), bug, memory);
      return output;
    }
    for (const Use& use : uses) {
      if (!site.op.empty() && use.node->name != site.op) continue;
      sabotage(use, use.slots.front(), bug, memory);
      break;
    }
    return output;
  };
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

}  // namespace

bool is_effective(const DifferentiableFunction& right, const DifferentiableFunction& wrong,
                  const Variables& inputs, Bug bug, const GradcheckOptions& options) {
  if (order_of(bug) == 2) {
    const SecondOrder r = second_order(right, inputs, options);
    const SecondOrder w = second_order(wrong, inputs, options);
    const Probe a(r.function, r.inputs, options);
    const Probe b(w.function, w.inputs, options);
    return differ(a.gradients(a.weights()[0]), b.gradients(b.weights()[0]), options);
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

std::optional<Pattern> expected_pattern(Bug bug, std::string_view input_name) {
  const bool bias = input_name.size() >= 4 && input_name.substr(input_name.size() - 4) == "bias";
  switch (bug) {
    case Bug::scaled:
    case Bug::mean_for_sum:
      return Pattern::constant_factor;
    case Bug::sign_flipped:
      return Pattern::sign_flipped;
    case Bug::zeroed:
      return bias ? Pattern::bias_forgotten : Pattern::zero;
    case Bug::element_zeroed:
      return Pattern::zero;
    case Bug::not_finite:
      return Pattern::not_finite;
    case Bug::transposed:
      return Pattern::transposed;
    case Bug::flipped:
      return Pattern::flipped;
    case Bug::shifted:
      return Pattern::shifted;
    case Bug::border_dropped:
      return Pattern::border_only;
    case Bug::slice_dropped:
      return Pattern::one_slice;
    case Bug::sum_dropped:
      return Pattern::missing_sum;
    case Bug::use_dropped:
    case Bug::use_overwritten:
      return Pattern::missing_accumulation;
    case Bug::swapped:
      return Pattern::swapped_inputs;
    case Bug::incoming_ignored:
      return Pattern::ignores_incoming;
    case Bug::disconnected:
      return bias ? Pattern::bias_forgotten : Pattern::disconnected;
    case Bug::stale_accumulation:
      return Pattern::stale_accumulation;
    case Bug::stale_value:
      return Pattern::stale_value;
    case Bug::element_off:
    case Bug::history_cut:
    case Bug::history_scaled:
    case Bug::history_flipped:
      return std::nullopt;
  }
  return std::nullopt;
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
