// Dropout: the layer chooses the generator and knows the mode; the functions draw.
#include <gradus/autograd/functions.h>
#include <gradus/layers/dropout.h>

namespace gradus {

DropoutBase::DropoutBase(std::string_view layer, double p, std::optional<Generator> generator)
    : p_(p), generator_(generator) {
  if (!(p >= 0 && p <= 1)) fail<ValueError>(layer, ": p must be between 0 and 1, got ", p);
}

Generator& DropoutBase::generator() { return generator_ ? *generator_ : default_generator(); }

void DropoutBase::visit(Visitor& v) {
  if (generator_) v("generator", *generator_);
}

std::string DropoutBase::extra() const { return text_of("p=", p_); }

Dropout::Dropout(double p) : DropoutBase("Dropout", p, std::nullopt) {}

Dropout::Dropout(double p, Generator generator) : DropoutBase("Dropout", p, generator) {}

Variable Dropout::forward(const Variable& x) { return drops() ? dropout(x, p(), generator()) : x; }

Dropout2d::Dropout2d(double p) : DropoutBase("Dropout2d", p, std::nullopt) {}

Dropout2d::Dropout2d(double p, Generator generator) : DropoutBase("Dropout2d", p, generator) {}

Variable Dropout2d::forward(const Variable& x) {
  if (x.rank() != 4) fail<ShapeError>("Dropout2d: expects [N,C,H,W], got ", x.shape());
  return drops() ? dropout2d(x, p(), generator()) : x;
}

}  // namespace gradus
