// Layers that compute nothing: Flatten changes the shape, Identity not even that.
#pragma once

#include <gradus/layers/module.h>

#include <cstdint>

namespace gradus {

/// Dimensions start..end become one: [N,C,H,W] -> [N, C·H·W].
/// The first one, the batch, stays by default.
class Flatten final : public Module {
 public:
  explicit Flatten(std::int64_t start_dim = 1, std::int64_t end_dim = -1)
      : start_(start_dim), end_(end_dim) {}

  std::int64_t start_dim() const { return start_; }
  std::int64_t end_dim() const { return end_; }

  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  std::int64_t start_;
  std::int64_t end_;
};

/// y = x. Holds a place, for example of a layer that was taken out.
class Identity final : public Module {
 public:
  Identity() = default;
  /// In the place of a layer that takes x of so many dimensions only.
  explicit Identity(int rank) : rank_(rank) {}

  void visit(Visitor&) override {}
  /// Throws ShapeError where x has other dimensions than those told.
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  int rank_ = -1;  // any
};

}  // namespace gradus
