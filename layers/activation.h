// Activations: the nonlinearities between linear layers. Any shape. Elementwise but for the softmaxes;
// without parameters but for PReLU.
#pragma once

#include <gradus/autograd/functions.h>
#include <gradus/layers/module.h>

#include <cstdint>
#include <string>

namespace gradus {

/// y = max(x, 0); NaN passes.
class ReLU final : public Module {
 public:
  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
};

/// y = tanh(x)
class Tanh final : public Module {
 public:
  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
};

/// y = 1/(1 + exp(-x))
class Sigmoid final : public Module {
 public:
  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
};

/// y = x where x > 0, else negative_slope·x
class LeakyReLU final : public Module {
 public:
  explicit LeakyReLU(double negative_slope = 0.01) : negative_slope_(negative_slope) {}

  double negative_slope() const { return negative_slope_; }

  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  double negative_slope_;
};

/// y = x where x > 0, else weight·x, a slope that is learned: one for all, or one for each channel of
/// [N,C,...]. K. He et al., "Delving deep into rectifiers", ICCV 2015.
class PReLU final : public Module {
 public:
  /// The slopes start with `init`. Throws ValueError unless num_parameters is positive.
  explicit PReLU(std::int64_t num_parameters = 1, double init = 0.25);

  Variable weight;  ///< [num_parameters]

  void visit(Visitor& v) override { v("weight", weight); }
  Variable forward(const Variable& x) override;
  std::string extra() const override;
};

/// y = x where x > 0, else alpha·(exp(x) - 1)
class ELU final : public Module {
 public:
  explicit ELU(double alpha = 1) : alpha_(alpha) {}

  double alpha() const { return alpha_; }

  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  double alpha_;
};

/// y = elu with the numbers that keep mean 0 and variance 1; see selu()
class SELU final : public Module {
 public:
  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
};

/// y = x·Φ(x), Φ the normal distribution, or what is near it; see gelu()
class GELU final : public Module {
 public:
  explicit GELU(Gelu approximate = Gelu::none) : approximate_(approximate) {}

  Gelu approximate() const { return approximate_; }

  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  Gelu approximate_;
};

/// y = x·sigmoid(x)
class SiLU final : public Module {
 public:
  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
};

/// y = log(1 + exp(beta·x))/beta, and x where beta·x > threshold
class Softplus final : public Module {
 public:
  /// Throws ValueError for a beta of 0.
  explicit Softplus(double beta = 1, double threshold = 20);

  double beta() const { return beta_; }
  double threshold() const { return threshold_; }

  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  double beta_;
  double threshold_;
};

/// y = log(1/(1 + exp(-x)))
class LogSigmoid final : public Module {
 public:
  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
};

/// y = x/(1 + |x|)
class Softsign final : public Module {
 public:
  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
};

/// y = x limited to min_val..max_val
class Hardtanh final : public Module {
 public:
  /// Throws ValueError unless min_val < max_val.
  explicit Hardtanh(double min_val = -1, double max_val = 1);

  double min_val() const { return min_val_; }
  double max_val() const { return max_val_; }

  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  double min_val_;
  double max_val_;
};

/// y = x limited to 0..6
class ReLU6 final : public Module {
 public:
  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
};

/// y = relu6(x + 3)/6
class Hardsigmoid final : public Module {
 public:
  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
};

/// y = x·relu6(x + 3)/6
class Hardswish final : public Module {
 public:
  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
};

/// y = exp(x)/Σ exp(x) along `dim`
class Softmax final : public Module {
 public:
  explicit Softmax(std::int64_t dim) : dim_(dim) {}

  std::int64_t dim() const { return dim_; }

  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  std::int64_t dim_;
};

/// y = log(exp(x)/Σ exp(x)) along `dim`
class LogSoftmax final : public Module {
 public:
  explicit LogSoftmax(std::int64_t dim) : dim_(dim) {}

  std::int64_t dim() const { return dim_; }

  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  std::int64_t dim_;
};

}  // namespace gradus
