// What is done to a gradient, bug by bug.
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/detail/probe.h>
#include <gradus/gradcheck/detail/saboteur.h>

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

Variable without_negatives(const Variable& g, const Tensor& x) {
  return mul(g, core::ge(x, 0).to(g.dtype()));
}

Variable off_by_a_mean(const Variable& g) {
  if (g.rank() == 0 || g.size(-1) < 3) return g;
  return add(g, mean(g, {-1}, true));
}

Variable off_by_a_variance(const Variable& g, const Tensor& x) {
  if (g.rank() == 0 || g.size(-1) < 4) return g;
  const Variable deviation = core::sub(x, core::mean(x, {-1}, true));
  return add(g, mul(deviation, mean(mul(g, deviation), {-1}, true)));
}

/// Each number of `x` once, where expand() repeats it.
Tensor without_repetition(Tensor x) {
  for (int d = 0; d < x.rank(); ++d) {
    if (x.strides()[d] == 0 && x.size(d) > 1) x = x.narrow(d, 0, 1);
  }
  return x;
}

/// The numbers of `dy` for whoever takes its memory for row-major.
Variable as_if_row_major(const Variable& dy) {
  const Tensor& from = dy.value();
  if (from.dtype() != float64) return dy;
  const double* there = from.data<double>();
  const std::int64_t room =
      from.storage().bytes() / static_cast<std::int64_t>(sizeof(double)) - from.offset();
  const Tensor read = Tensor::empty(from.shape(), float64);
  for (std::int64_t i = 0; i < read.numel(); ++i) read.data<double>()[i] = there[i % room];
  return read;
}

}  // namespace

Variables Saboteur::backward(const Variable& dy) {
  Variables gradients = of_another_call(dy);
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
      g = gradient(ones_like(dy.value()));
      break;
    case Bug::sum_dropped:
      g = of_one_slice(dy, g);
      break;
    case Bug::stale_accumulation:
      g = with_the_last(g);
      break;
    case Bug::diagonal_kept:
      g = of_the_diagonal(dy, g);
      break;
    case Bug::output_read:
      g = at_the_output(dy, g);
      break;
    case Bug::clipped:
      g = gradient(clamp(dy, -50, 50));
      break;
    case Bug::layout_ignored:
      g = gradient(as_if_row_major(dy));
      break;
    case Bug::incoming_overwritten:
      if (dy.numel() > 0) core::mul_(without_repetition(dy.value()), 0.5);
      break;
    case Bug::saved_overwritten:
      overwrite_what_was_kept();
      break;
    default:
      g = spoiled(g, dy);
      break;
  }
  return gradients;
}

Variables Saboteur::of_another_call(const Variable& dy) const {
  const std::shared_ptr<Memory> kept = memory.lock();
  if (bug != Bug::stale_value || !kept || !kept->last_node) return inner->backward(dy);
  return static_cast<Saboteur*>(kept->last_node->op.get())->inner->backward(dy);
}

Variable Saboteur::spoiled(const Variable& g, const Variable& dy) const {
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
    case Bug::negative_dropped:
      return without_negatives(g, x);
    case Bug::mean_dropped:
      return off_by_a_mean(g);
    case Bug::variance_dropped:
      return off_by_a_variance(g, x);
    case Bug::random: {
      const std::shared_ptr<Memory> kept = memory.lock();
      return kept ? mul(g, core::add(rand(g.shape(), kept->generator, g.dtype()), 0.5)) : g;
    }
    case Bug::neighbour_needed:
      return misses_a_neighbour() ? mul(g, 0) : g;
    case Bug::recorded_scaled:
      return grad_enabled() ? mul(g, 1.0009) : g;
    case Bug::float32_scaled:
      return g.dtype() == float32 ? mul(g, 1.5) : g;
    case Bug::shape_lost:
      return unsqueeze(g, 0);
    case Bug::wrong_elsewhere:
      return is_elsewhere() ? mul(g, 1.1) : g;
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

void Saboteur::swap_with_another(Variables& gradients) const {
  for (std::size_t s = 0; s < gradients.size(); ++s) {
    const bool same_input = std::find(others.begin(), others.end(), s) != others.end();
    if (s == slot || same_input || !gradients[s].defined()) continue;
    if (gradients[s].shape() == gradients[slot].shape())
      return std::swap(gradients[s], gradients[slot]);
  }
}

Variable Saboteur::of_one_slice(const Variable& dy, const Variable& g) const {
  const int axis = summed_axis(g.shape(), dy.shape());
  if (axis < 0) return g;
  const Tensor mask = zeros(dy.shape(), dy.dtype());
  mask.select(axis, 0).fill_(1);
  // A sum that lost its other terms still says something everywhere. Where it does not, there
  // was no sum: only a part of the gradient would be missing. (Asked with ones: the incoming gradient
  // may have zeros of its own.)
  const Tensor one = gradient(mask).value();
  const Tensor all = gradient(ones(dy.shape(), dy.dtype())).value();
  const Tensor lost = core::logical_and(core::eq(one, 0), core::ne(all, 0));
  return core::sum(lost.to(float64)).item() > 0 ? g : gradient(mul(dy, mask));
}

Variable Saboteur::with_the_last(const Variable& g) const {
  const std::shared_ptr<Memory> kept = memory.lock();
  if (!kept) return g;
  const Tensor before = std::exchange(kept->last_gradient, g.value().clone());
  return before.defined() && before.shape() == g.shape() ? add(g, before) : g;
}

/// Σ eᵢ⊙(Jᵀ·(eᵢ⊙dy)): an element's own output only.
Variable Saboteur::of_the_diagonal(const Variable& dy, const Variable& g) const {
  constexpr std::int64_t most = 64;
  if (g.shape() != dy.shape() || g.numel() > most) return g;
  Variable sum = mul(g, 0);
  for (std::int64_t i = 0; i < g.numel(); ++i) {
    const Tensor only = zeros({g.numel()}, dy.dtype());
    only.narrow(0, i, 1).fill_(1);
    const Tensor mask = only.reshape(dy.shape());
    sum = add(sum, mul(gradient(mul(dy, mask)), mask));
  }
  return sum;
}

Variable Saboteur::at_the_output(const Variable& dy, const Variable& g) const {
  if (!elsewhere) return g;
  const Variable other = elsewhere->op->backward(dy)[slot];
  const bool fits = other.defined() && other.shape() == g.shape();
  const auto finite = [](const Tensor& t) {
    return core::sum(core::isfinite(t).to(float64)).item() == static_cast<double>(t.numel());
  };
  return fits && finite(other.value()) ? other : g;
}

bool Saboteur::misses_a_neighbour() const {
  const std::shared_ptr<Memory> kept = memory.lock();
  const auto wanted = static_cast<std::size_t>(
      std::count_if(node->inputs.begin(), node->inputs.end(),
                    [](const std::shared_ptr<Node>& input) { return input != nullptr; }));
  return kept && wanted < kept->most_wanted;
}

bool Saboteur::is_elsewhere() const {
  const std::shared_ptr<Memory> kept = memory.lock();
  if (!kept || !kept->first_values.defined() || x.numel() == 0) return false;
  const Tensor apart = core::abs(core::sub(x.to(float64), kept->first_values));
  return core::max(apart).item() > 1e-3 * core::max(core::abs(kept->first_values)).item();
}

bool can_be_overwritten(const Node& node, const KeptNumbers& kept) {
  return kept.what == nullptr && kept.input < node.inputs.size() &&
         node.inputs[kept.input] != nullptr && node.dtype == float64 &&
         kept.numbers.storage().bytes() > 0;
}

void Saboteur::overwrite_what_was_kept() const {
  for (const KeptNumbers& kept : node->kept) {
    if (!can_be_overwritten(*node, kept)) continue;
    const auto count = static_cast<std::size_t>(kept.numbers.storage().bytes()) / sizeof(double);
    auto* numbers = reinterpret_cast<double*>(kept.numbers.storage().data());
    for (std::size_t i = 0; i < count; ++i) numbers[i] *= 1.5;
    return;
  }
}

}  // namespace gradus
