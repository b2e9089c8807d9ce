// Dropout: the layer chooses the generator and knows the mode; dropout() draws.
#include <gradus/autograd/functions.h>
#include <gradus/layers/dropout.h>

#include <sstream>

namespace gradus {

Dropout::Dropout(double p) : p_(p) {
  if (!(p >= 0 && p <= 1)) fail<ValueError>("Dropout: p must be between 0 and 1, got ", p);
}

Dropout::Dropout(double p, Generator generator) : Dropout(p) { generator_ = generator; }

void Dropout::visit(Visitor& v) {
  if (generator_) v("generator", *generator_);
}

Variable Dropout::forward(const Variable& x) {
  if (!is_training() || p_ == 0) return x;
  return dropout(x, p_, generator_ ? *generator_ : default_generator());
}

std::string Dropout::extra() const {
  PlainText text;
  text << "p=" << p_;
  return text.str();
}

}  // namespace gradus
