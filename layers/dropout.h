// Dropout: noise in training that keeps units from relying on each other.
//
// N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting",
// JMLR 15, 2014.
#pragma once

#include <gradus/core/random.h>
#include <gradus/layers/module.h>

#include <optional>

namespace gradus {

/// What the layers that drop something have in common: the probability, and where they draw from.
class DropoutBase : public Module {
 public:
  double p() const { return p_; }

  void visit(Visitor& v) override;
  std::string extra() const override;

 protected:
  /// Throws ValueError, naming `layer`, unless 0 <= p <= 1.
  DropoutBase(std::string_view layer, double p, std::optional<Generator> generator);
  /// Its own, or default_generator().
  Generator& generator();
  /// False in evaluation, and where p is 0.
  bool drops() const { return is_training() && p_ != 0; }

 private:
  double p_;
  std::optional<Generator> generator_;
};

/// In training each element is kept with probability 1-p and scaled by 1/(1-p), else 0; in
/// evaluation y = x. Any shape.
class Dropout final : public DropoutBase {
 public:
  /// Draws from default_generator(). Throws ValueError unless 0 <= p <= 1.
  explicit Dropout(double p = 0.5);
  /// Draws from a generator of its own, which goes on from call to call.
  Dropout(double p, Generator generator);

  Variable forward(const Variable& x) override;
};

/// The same for whole channels of [N,C,H,W]: pixels side by side say much the same, so dropping one of
/// them alone makes little noise. J. Tompson et al., "Efficient object localization using
/// convolutional networks", CVPR 2015.
class Dropout2d final : public DropoutBase {
 public:
  /// Draws from default_generator(). Throws ValueError unless 0 <= p <= 1.
  explicit Dropout2d(double p = 0.5);
  /// Draws from a generator of its own, which goes on from call to call.
  Dropout2d(double p, Generator generator);

  /// Throws ShapeError unless x is [N,C,H,W].
  Variable forward(const Variable& x) override;
};

}  // namespace gradus
