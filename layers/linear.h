// Linear: every output is a weighted sum of all inputs.
#pragma once

#include <gradus/core/random.h>
#include <gradus/layers/module.h>

#include <cstdint>

namespace gradus {

/// Options of Linear.
struct LinearOptions {
  bool bias = true;
};

/// y = x·weightᵀ + bias
/// [.., in] -> [.., out]; weight [out, in], bias [out]
/// Starts as PyTorch's: weight and bias from U(-1/√in, 1/√in).
class Linear final : public Module {
 public:
  /// Throws ValueError unless both sizes are positive.
  Linear(std::int64_t in_features, std::int64_t out_features, const LinearOptions& options = {},
         Generator& generator = default_generator());

  Variable weight;
  Variable bias;  ///< undefined without bias

  void visit(Visitor& v) override;
  Variable forward(const Variable& x) override;
  Variable forward_fused(const Variable& x, Activation activation) override;
  std::string extra() const override;
};

}  // namespace gradus
