// Dropout: noise in training that keeps units from relying on each other.
//
// N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting",
// JMLR 15, 2014.
#pragma once

#include <gradus/core/random.h>
#include <gradus/layers/module.h>

#include <optional>

namespace gradus {

/// In training each element is kept with probability 1-p and scaled by 1/(1-p), else 0; in
/// evaluation y = x. Any shape.
class Dropout final : public Module {
 public:
  /// Draws from default_generator(). Throws ValueError unless 0 <= p <= 1.
  explicit Dropout(double p = 0.5);
  /// Draws from a generator of its own, which goes on from call to call.
  Dropout(double p, Generator generator);

  double p() const { return p_; }

  void visit(Visitor& v) override;
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  double p_;
  std::optional<Generator> generator_;
};

}  // namespace gradus
