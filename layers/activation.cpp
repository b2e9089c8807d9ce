// Activations: each is one call.
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/print.h>

#include <cmath>

namespace gradus {

Variable ReLU::forward(const Variable& x) { return relu(x); }

Variable Tanh::forward(const Variable& x) { return tanh(x); }

Variable Sigmoid::forward(const Variable& x) { return sigmoid(x); }

Variable LeakyReLU::forward(const Variable& x) { return leaky_relu(x, negative_slope_); }

std::string LeakyReLU::extra() const { return "negative_slope=" + print_float(negative_slope_); }

PReLU::PReLU(std::int64_t num_parameters, double init) {
  if (num_parameters < 1)
    fail<ValueError>("PReLU: num_parameters must be positive, got ", num_parameters);
  weight = Variable(full({num_parameters}, init), true);
}

Variable PReLU::forward(const Variable& x) { return prelu(x, weight); }

std::string PReLU::extra() const { return "num_parameters=" + std::to_string(weight.numel()); }

Variable ELU::forward(const Variable& x) { return elu(x, alpha_); }

std::string ELU::extra() const { return "alpha=" + print_float(alpha_); }

Variable SELU::forward(const Variable& x) { return selu(x); }

Variable GELU::forward(const Variable& x) { return gelu(x, approximate_); }

std::string GELU::extra() const {
  return approximate_ == Gelu::none ? "approximate='none'" : "approximate='tanh'";
}

Variable SiLU::forward(const Variable& x) { return silu(x); }

Softplus::Softplus(double beta, double threshold) : beta_(beta), threshold_(threshold) {
  if (!(beta != 0) || !std::isfinite(beta))
    fail<ValueError>("Softplus: beta must be finite and not 0, got ", beta);
}

Variable Softplus::forward(const Variable& x) { return softplus(x, beta_, threshold_); }

std::string Softplus::extra() const { return text_of("beta=", beta_, ", threshold=", threshold_); }

Variable LogSigmoid::forward(const Variable& x) { return logsigmoid(x); }

Variable Softsign::forward(const Variable& x) { return softsign(x); }

Hardtanh::Hardtanh(double min_val, double max_val) : min_val_(min_val), max_val_(max_val) {
  if (!(min_val < max_val)) {
    fail<ValueError>("Hardtanh: min_val must be below max_val, got ", min_val, " and ", max_val);
  }
}

Variable Hardtanh::forward(const Variable& x) { return hardtanh(x, min_val_, max_val_); }

std::string Hardtanh::extra() const {
  return "min_val=" + print_float(min_val_) + ", max_val=" + print_float(max_val_);
}

Variable ReLU6::forward(const Variable& x) { return relu6(x); }

Variable Hardsigmoid::forward(const Variable& x) { return hardsigmoid(x); }

Variable Hardswish::forward(const Variable& x) { return hardswish(x); }

Variable Softmax::forward(const Variable& x) { return softmax(x, dim_); }

std::string Softmax::extra() const { return "dim=" + std::to_string(dim_); }

Variable LogSoftmax::forward(const Variable& x) { return log_softmax(x, dim_); }

std::string LogSoftmax::extra() const { return "dim=" + std::to_string(dim_); }

}  // namespace gradus
