// Residual: the sum of two ways, and the activation in the same pass.
#include <gradus/autograd/functions.h>
#include <gradus/layers/residual.h>

namespace gradus {

Residual::Residual(std::unique_ptr<Module> body, std::unique_ptr<Module> shortcut,
                   Activation activation)
    : body_(std::move(body)), shortcut_(std::move(shortcut)), activation_(activation) {
  if (body_ == nullptr) fail<ValueError>("Residual: needs a body, got a null module");
}

void Residual::visit(Visitor& v) {
  v("body", *body_);
  if (shortcut_ != nullptr) v("shortcut", *shortcut_);
}

Variable Residual::forward(const Variable& x) { return forward_fused(x, Activation::none); }

Variable Residual::forward_fused(const Variable& x, Activation activation) {
  const Variable body = (*body_)(x);
  const Variable around = shortcut_ != nullptr ? (*shortcut_)(x) : x;
  if (body.shape() != around.shape()) {
    fail<ShapeError>("Residual: the body gives ", body.shape(), ", the ",
                     shortcut_ != nullptr ? "shortcut " : "input is ", around.shape());
  }
  // A relu behind a relu changes nothing.
  return add(body, around, activation_ == Activation::none ? activation : activation_);
}

std::string Residual::extra() const {
  return activation_ == Activation::relu ? "activation=relu" : "";
}

}  // namespace gradus
