// Untouched: a loan of a module. What looks at a net may run it, and leaves it as it was.
#pragma once

#include <gradus/core/random.h>
#include <gradus/layers/module.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace gradus::detail {

/// While it lives, the module has no gradients and writes to copies of its buffers; then parameters,
/// gradients, buffers, generators (default_generator() too), training and evaluation are as they were, bit
/// for bit. The module must not be moved meanwhile.
class Untouched final : private Visitor {
 public:
  explicit Untouched(Module& module);
  ~Untouched();
  Untouched(const Untouched&) = delete;
  Untouched& operator=(const Untouched&) = delete;

 private:
  /// A parameter, which several places may hold: what it was, and whether somebody wrote there since.
  struct Kept {
    Variable* place;
    Variable original;
    Variable gradient;
    Tensor window;   ///< on the numbers
    Tensor numbers;  ///< a copy of them
    std::uint64_t version;
    bool required_grad;
  };

  void operator()(std::string_view, Variable& parameter) override;
  void operator()(std::string_view, Tensor& buffer) override;
  void operator()(std::string_view, Module&) override {}  // apply() comes to each
  void operator()(std::string_view, Generator& generator) override;

  std::vector<Kept> parameters_;
  std::vector<std::pair<Tensor*, Tensor>> buffers_;
  std::vector<std::pair<Generator*, Generator>> generators_;
  std::vector<std::pair<Module*, bool>> training_;
  Generator default_;
};

}  // namespace gradus::detail
