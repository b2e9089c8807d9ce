// L-BFGS: the two loops, the line search, and the order in which a step tests whether it is done.
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/optim/detail/checks.h>
#include <gradus/optim/lbfgs.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

namespace gradus {
namespace {

constexpr const char* lbfgs_prefix = "state.0.";

double inner_product(const Tensor& a, const Tensor& b) { return core::sum(core::mul(a, b)).item(); }

double greatest_size(const Tensor& x) {
  return x.numel() == 0 ? 0 : core::max(core::abs(x)).item();
}

/// Where a line search has been: at start + t·d.
struct Trial {
  double t = 0;
  double loss = 0;
  Tensor gradient{};
  double slope = 0;  // along d
};

/// Where the cubic through both points, with both slopes, is least, within low..high; the middle
/// where it has no least.
double least_of_cubic(const Trial& a, const Trial& b, double low, double high) {
  const double d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t);
  const double square = d1 * d1 - a.slope * b.slope;
  if (!(square >= 0)) return (low + high) / 2;
  const double d2 = std::sqrt(square);
  const double t = a.t <= b.t
                       ? b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
                       : a.t - (a.t - b.t) * ((a.slope + d2 - d1) / (a.slope - b.slope + 2 * d2));
  return std::min(std::max(t, low), high);
}

/// A point along d that fulfils both Wolfe conditions, or the best after 25 trials or where the
/// bracket has become too small. `evaluate(t)` gives a Trial.
template <class Evaluate>
Trial strong_wolfe(const Evaluate& evaluate, const Trial& start, double t, double d_size,
                   double tolerance_change) {
  constexpr double c1 = 1e-4;
  constexpr double c2 = 0.9;
  constexpr int most_trials = 25;
  const auto too_high = [&](const Trial& p) {
    return p.loss > start.loss + c1 * p.t * start.slope;
  };
  const auto flat_enough = [&](const Trial& p) { return std::fabs(p.slope) <= -c2 * start.slope; };

  // Two points with a good one between them, or a good one.
  std::array<Trial, 2> bracket;
  bool done = false;
  int trials = 0;
  Trial before = start;
  Trial now = evaluate(t);
  for (; trials < most_trials; ++trials) {
    if (too_high(now) || (trials > 1 && now.loss >= before.loss)) {
      bracket = {before, now};
      break;
    }
    if (flat_enough(now)) {
      bracket = {now, now};
      done = true;
      break;
    }
    if (now.slope >= 0) {
      bracket = {before, now};
      break;
    }
    const double next = least_of_cubic(before, now, now.t + 0.01 * (now.t - before.t), now.t * 10);
    before = now;
    now = evaluate(next);
  }
  if (trials == most_trials) bracket = {start, now};

  bool little_progress = false;
  std::size_t low = bracket[0].loss <= bracket[1].loss ? 0 : 1;
  for (; !done && trials < most_trials; ++trials) {
    if (std::fabs(bracket[1].t - bracket[0].t) * d_size < tolerance_change) break;
    const double left = std::min(bracket[0].t, bracket[1].t);
    const double right = std::max(bracket[0].t, bracket[1].t);
    double next = least_of_cubic(bracket[0], bracket[1], left, right);
    // Close to an end for the second time, or at it: a tenth of the bracket away from it.
    const double tenth = 0.1 * (right - left);
    const bool close = std::min(right - next, next - left) < tenth;
    if (close && (little_progress || next >= right || next <= left)) {
      next = std::fabs(next - right) < std::fabs(next - left) ? right - tenth : left + tenth;
      little_progress = false;
    } else {
      little_progress = close;
    }
    now = evaluate(next);
    const std::size_t high = 1 - low;
    if (too_high(now) || now.loss >= bracket[low].loss) {
      bracket[high] = now;
      low = bracket[0].loss <= bracket[1].loss ? 0 : 1;
      continue;
    }
    if (flat_enough(now)) {
      done = true;
    } else if (now.slope * (bracket[high].t - bracket[low].t) >= 0) {
      bracket[high] = bracket[low];
    }
    bracket[low] = now;
  }
  return bracket[low];
}

}  // namespace

LBFGS::LBFGS(std::vector<Variable> parameters, const LBFGSOptions& options)
    : Optimizer("LBFGS", {{std::move(parameters), options.lr}}, {}), options_(options) {
  const auto check_count = [](const char* option, std::int64_t value) {
    if (value < 1) fail<ValueError>("LBFGS: ", option, " must be at least 1, got ", value);
  };
  check_count("max_iter", options.max_iter);
  check_count("max_eval", options.max_eval.value_or(1));
  check_count("history_size", options.history_size);
  check_not_negative("LBFGS", "tolerance_grad", options.tolerance_grad);
  check_not_negative("LBFGS", "tolerance_change", options.tolerance_change);
}

void LBFGS::step() {
  fail<ValueError>("LBFGS: step() needs a closure that computes the loss, step(closure)");
}

std::int64_t LBFGS::element_count() const {
  std::int64_t count = 0;
  for (const Variable& parameter : this->parameters()) count += parameter.numel();
  return count;
}

Tensor LBFGS::flat_grad() const {
  std::vector<Tensor> parts;
  for (std::size_t i = 0; i < parameters().size(); ++i) {
    const Variable& parameter = parameters()[i];
    if (parameter.grad().defined()) {
      check(i);
      parts.push_back(parameter.grad().value().to(float64).reshape({parameter.numel()}));
    } else {
      parts.push_back(zeros({parameter.numel()}, float64));
    }
  }
  return core::cat(parts, 0);
}

void LBFGS::move(double t, const Tensor& d) const {
  std::int64_t first = 0;
  for (const Variable& parameter : parameters()) {
    const Tensor part = d.narrow(0, first, parameter.numel()).reshape(parameter.shape());
    core::add_(parameter.value(), part.to(parameter.dtype()), t);
    first += parameter.numel();
  }
}

Tensor LBFGS::direction(const Tensor& gradient) {
  Memory& m = memory_;
  if (m.n_iter == 1) return core::neg(gradient);
  const Tensor y = core::sub(gradient, m.prev_flat_grad);
  const Tensor s = core::mul(m.d, m.t);
  const double ys = inner_product(y, s);
  if (ys > 1e-10) {
    if (std::ssize(m.old_dirs) == options_.history_size) {
      m.old_dirs.erase(m.old_dirs.begin());
      m.old_stps.erase(m.old_stps.begin());
      m.ro.erase(m.ro.begin());
    }
    m.old_dirs.push_back(y);
    m.old_stps.push_back(s);
    m.ro.push_back(1 / ys);
    m.h_diag = ys / inner_product(y, y);
  }
  const std::size_t pairs = m.old_dirs.size();
  std::vector<double> al(pairs);
  const Tensor q = core::neg(gradient);
  for (std::size_t i = pairs; i-- > 0;) {
    al[i] = inner_product(m.old_stps[i], q) * m.ro[i];
    core::add_(q, m.old_dirs[i], -al[i]);
  }
  core::mul_(q, m.h_diag);
  for (std::size_t i = 0; i < pairs; ++i) {
    const double be = inner_product(m.old_dirs[i], q) * m.ro[i];
    core::add_(q, m.old_stps[i], al[i] - be);
  }
  return q;
}

double LBFGS::step(const Closure& closure) {
  if (!closure) fail<ValueError>("LBFGS: step() needs a closure that computes the loss");
  const std::int64_t max_eval = options_.max_eval.value_or(options_.max_iter * 5 / 4);
  Memory& m = memory_;
  std::int64_t evaluations = 0;
  double loss = 0;
  Tensor gradient;
  const auto evaluate = [&] {
    loss = closure().item();
    ++evaluations;
    ++m.func_evals;
    gradient = flat_grad();
  };
  const auto is_flat = [&] { return greatest_size(gradient) <= options_.tolerance_grad; };

  evaluate();
  const double first_loss = loss;
  if (is_flat()) return first_loss;
  for (std::int64_t iteration = 1; iteration <= options_.max_iter; ++iteration) {
    ++m.n_iter;
    m.d = direction(gradient);
    m.prev_flat_grad = gradient;
    m.prev_loss = loss;
    m.t = lr();
    if (m.n_iter == 1) m.t *= std::min(1.0, 1 / core::sum(core::abs(gradient)).item());
    const double slope = inner_product(gradient, m.d);
    if (slope > -options_.tolerance_change) break;
    if (options_.line_search_fn == LineSearch::strong_wolfe) {
      std::vector<Tensor> start;
      for (const Variable& parameter : parameters()) start.push_back(parameter.value().clone());
      const auto try_at = [&](double t) {
        move(t, m.d);
        evaluate();
        // Back to the start as it was: by a move it would be reached up to rounding.
        for (std::size_t i = 0; i < start.size(); ++i) parameters()[i].value().copy_(start[i]);
        return Trial{t, loss, gradient, inner_product(gradient, m.d)};
      };
      const Trial found = strong_wolfe(try_at, {0, loss, gradient, slope}, m.t, greatest_size(m.d),
                                       options_.tolerance_change);
      m.t = found.t;
      loss = found.loss;
      gradient = found.gradient;
      move(m.t, m.d);
    } else {
      move(m.t, m.d);
      // After the last iteration the next step asks anyway.
      if (iteration != options_.max_iter) evaluate();
    }
    if (iteration == options_.max_iter || evaluations >= max_eval || is_flat()) break;
    if (greatest_size(core::mul(m.d, m.t)) <= options_.tolerance_change) break;
    if (std::fabs(loss - m.prev_loss) < options_.tolerance_change) break;
  }
  return first_loss;
}

NamedTensors LBFGS::state_dict() const {
  NamedTensors saved = Optimizer::state_dict();
  const Memory& m = memory_;
  const auto save = [&](const char* key, Tensor tensor) {
    saved.emplace_back(std::string(lbfgs_prefix) + key, std::move(tensor));
  };
  save("func_evals", Tensor::from(&m.func_evals, Shape{}));
  save("n_iter", Tensor::from(&m.n_iter, Shape{}));
  if (m.n_iter == 0) return saved;
  save("t", Tensor::scalar(m.t, float64));
  save("H_diag", Tensor::scalar(m.h_diag, float64));
  save("prev_loss", Tensor::scalar(m.prev_loss, float64));
  save("d", m.d);
  save("prev_flat_grad", m.prev_flat_grad);
  if (m.old_dirs.empty()) return saved;
  save("old_dirs", core::stack(m.old_dirs, 0));
  save("old_stps", core::stack(m.old_stps, 0));
  return saved;
}

void LBFGS::load_state_dict(const NamedTensors& tensors) {
  NamedTensors rates;
  NamedTensors own;
  for (const auto& [key, tensor] : tensors) {
    if (!key.starts_with(lbfgs_prefix)) {
      rates.emplace_back(key, tensor);
      continue;
    }
    const std::string name = key.substr(std::string(lbfgs_prefix).size());
    for (const auto& [other, ignored] : own) {
      if (other == name) fail<ValueError>("LBFGS: ", key, " is twice in the loaded state");
    }
    own.emplace_back(name, tensor);
  }
  const auto take = [&](const std::string& name) {
    const auto at = std::find_if(own.begin(), own.end(),
                                 [&](const auto& entry) { return entry.first == name; });
    if (at == own.end() || !at->second.defined())
      fail<ValueError>("LBFGS: ", lbfgs_prefix, name, " is missing in the loaded state");
    Tensor tensor = std::move(at->second);
    own.erase(at);
    return tensor;
  };
  const auto number = [&](const std::string& name) {
    const Tensor tensor = take(name);
    if (tensor.numel() != 1) {
      fail<ShapeError>("LBFGS: ", lbfgs_prefix, name,
                       " of the loaded state must be one number, got ", describe(tensor));
    }
    return tensor.item();
  };
  const std::int64_t n = element_count();
  const auto check_vectors = [&](const std::string& name, const Tensor& tensor, bool fits) {
    if (!fits) {
      fail<ShapeError>("LBFGS: ", lbfgs_prefix, name, " of the loaded state is ", tensor.shape(),
                       ", the parameters have ", n, " elements");
    }
    if (tensor.dtype() != float64) {
      fail<DTypeError>("LBFGS: ", lbfgs_prefix, name, " of the loaded state is ", describe(tensor),
                       ", expected float64");
    }
    return tensor.contiguous().clone();
  };
  const auto vector = [&](const std::string& name) {
    const Tensor tensor = take(name);
    return check_vectors(name, tensor, tensor.shape() == Shape{n});
  };
  const auto rows = [&](const std::string& name) {
    const Tensor tensor = take(name);
    const Tensor all = check_vectors(name, tensor, tensor.rank() == 2 && tensor.size(1) == n);
    std::vector<Tensor> each;
    for (std::int64_t i = 0; i < all.size(0); ++i) each.push_back(all.select(0, i));
    return each;
  };

  Memory m;
  m.func_evals = static_cast<std::int64_t>(number("func_evals"));
  m.n_iter = static_cast<std::int64_t>(number("n_iter"));
  if (m.n_iter > 0) {
    m.t = number("t");
    m.h_diag = number("H_diag");
    m.prev_loss = number("prev_loss");
    m.d = vector("d");
    m.prev_flat_grad = vector("prev_flat_grad");
    const auto is_of_pairs = [](const auto& entry) {
      return entry.first == "old_dirs" || entry.first == "old_stps";
    };
    if (std::any_of(own.begin(), own.end(), is_of_pairs)) {
      m.old_dirs = rows("old_dirs");
      m.old_stps = rows("old_stps");
    }
  }
  if (m.old_dirs.size() != m.old_stps.size()) {
    fail<ShapeError>("LBFGS: the loaded state has ", m.old_dirs.size(), " old_dirs and ",
                     m.old_stps.size(), " old_stps");
  }
  if (!own.empty()) {
    fail<ValueError>("LBFGS: ", lbfgs_prefix, own.front().first, " in the loaded state is unknown");
  }
  for (std::size_t i = 0; i < m.old_dirs.size(); ++i)
    m.ro.push_back(1 / inner_product(m.old_dirs[i], m.old_stps[i]));
  Optimizer::load_state_dict(rates);
  memory_ = std::move(m);
}

}  // namespace gradus
