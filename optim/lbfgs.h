// L-BFGS: a quasi-Newton method that keeps the last changes of gradients and parameters instead of a
// Hessian, and asks for the loss as often as it needs.
//
//   d ← -H·g, H from the pairs y = g - g before, s = t·d before (two loops over them)
//   p ← p + t·d, t = lr (at the first iteration lr·min(1, 1/Σ|g|)), or what a line search finds
//
// J. Nocedal, S. Wright, "Numerical optimization", 2nd edition, 2006, algorithms 7.4 (two loops) and 3.5,
// 3.6 (strong Wolfe conditions, by cubic interpolation), in PyTorch's form, limits and order of tests
// included. It is for whole batches: with another batch at each call the differences of gradients are noise.
#pragma once

#include <gradus/optim/optimizer.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace gradus {

enum class LineSearch { none, strong_wolfe };

/// Options of LBFGS, as the formulas above name them.
struct LBFGSOptions {
  double lr = 1;
  std::int64_t max_iter = 20;              ///< iterations in a step
  std::optional<std::int64_t> max_eval{};  ///< calls of the closure in a step; max_iter·5/4
  double tolerance_grad = 1e-7;            ///< stop where no |g| is above it
  double tolerance_change = 1e-9;          ///< stop where neither loss nor parameters change more
  std::int64_t history_size = 100;         ///< pairs that are kept; each is two vectors of float64
  LineSearch line_search_fn = LineSearch::none;
};

/// L-BFGS, by the formulas above; step() takes a closure.
class LBFGS final : public Optimizer {
 public:
  /// Clears the gradients, computes the loss, runs backward() and gives the loss.
  using Closure = std::function<Variable()>;

  /// One group only. Throws ValueError for negative or non-finite options, and unless max_iter, max_eval
  /// and history_size are at least 1.
  explicit LBFGS(std::vector<Variable> parameters, const LBFGSOptions& options = {});

  /// Up to max_iter iterations; gives the loss at its begin. Vectors are computed in float64 whatever the
  /// parameters are. What the closure throws goes to the caller; parameters may have moved by then.
  double step(const Closure& closure);

  /// Beside the rates, under PyTorch's names: "state.0.n_iter", "state.0.func_evals", "state.0.t",
  /// "state.0.H_diag", "state.0.prev_loss", "state.0.d" and "state.0.prev_flat_grad" [n], n elements of
  /// all parameters together, and "state.0.old_dirs" and "state.0.old_stps" [k,n] for k pairs.
  NamedTensors state_dict() const override;
  void load_state_dict(const NamedTensors& tensors) override;

 private:
  struct Memory {
    std::int64_t n_iter = 0;
    std::int64_t func_evals = 0;
    double t = 0;
    double h_diag = 1;
    double prev_loss = 0;
    Tensor d{};  // [n], like all vectors here
    Tensor prev_flat_grad{};
    std::vector<Tensor> old_dirs{};  // y
    std::vector<Tensor> old_stps{};  // s
    std::vector<double> ro{};        // 1/(y·s)
  };

  /// Without a closure: refused.
  void step() override;
  void update(const Part&, std::int64_t, std::int64_t) const override {}

  std::int64_t element_count() const;
  Tensor flat_grad() const;
  void move(double t, const Tensor& d) const;
  Tensor direction(const Tensor& gradient);

  LBFGSOptions options_;
  Memory memory_{};
};

}  // namespace gradus
