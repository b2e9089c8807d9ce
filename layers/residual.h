// Residual: a module with a way around it.
//
// K. He et al., "Deep residual learning for image recognition", CVPR 2016.
#pragma once

#include <gradus/layers/container.h>

#include <memory>
#include <string>
#include <utility>

namespace gradus {

/// y = x + body(x), or shortcut(x) + body(x), where the shape changes.
///
///   Residual block{Sequential{Conv2d{8, 8, {.kernel_size = 3, .padding = 1}}, ReLU{}}};
///
/// Children are named "body" and "shortcut". Residual{Residual{...}} is a move, not a nesting.
class Residual final : public Module {
 public:
  template <OwnedModule Body>
  explicit Residual(Body&& body) : Residual(std::make_unique<Body>(std::move(body)), nullptr) {}
  template <OwnedModule Body, OwnedModule Shortcut>
  Residual(Body&& body, Shortcut&& shortcut)
      : Residual(std::make_unique<Body>(std::move(body)),
                 std::make_unique<Shortcut>(std::move(shortcut))) {}
  /// For modules whose types are known at run time only; without a shortcut that is x. The activation
  /// stands behind the sum. Throws ValueError for a null body.
  explicit Residual(std::unique_ptr<Module> body, std::unique_ptr<Module> shortcut = nullptr,
                    Activation activation = Activation::none);

  Module& body() { return *body_; }
  /// nullptr where x itself goes around.
  Module* shortcut() { return shortcut_.get(); }
  Activation activation() const { return activation_; }

  void visit(Visitor& v) override;
  /// Throws ShapeError where the two ways give different shapes.
  Variable forward(const Variable& x) override;
  Variable forward_fused(const Variable& x, Activation activation) override;
  std::string extra() const override;

 private:
  std::unique_ptr<Module> body_;
  std::unique_ptr<Module> shortcut_;  // may be null
  Activation activation_;
};

}  // namespace gradus
