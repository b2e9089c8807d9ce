// Linear: two parameters and one call of linear().
#include <gradus/autograd/functions.h>
#include <gradus/layers/init.h>
#include <gradus/layers/linear.h>

#include <sstream>

namespace gradus {

Linear::Linear(std::int64_t in_features, std::int64_t out_features, const LinearOptions& options,
               Generator& generator) {
  if (in_features < 1 || out_features < 1) {
    fail<ValueError>("Linear: sizes must be positive, got in_features ", in_features,
                     " and out_features ", out_features);
  }
  weight = Variable(Tensor::empty({out_features, in_features}), true);
  if (options.bias) bias = Variable(Tensor::empty({out_features}), true);
  init::default_(weight.value(), options.bias ? bias.value() : Tensor(), generator);
}

void Linear::visit(Visitor& v) {
  v("weight", weight);
  v("bias", bias);
}

Variable Linear::forward(const Variable& x) { return forward_fused(x, Activation::none); }

Variable Linear::forward_fused(const Variable& x, Activation activation) {
  return linear(x, weight, bias, activation);
}

std::string Linear::extra() const {
  PlainText text;
  text << "in_features=" << weight.size(1) << ", out_features=" << weight.size(0)
       << ", bias=" << (bias.defined() ? "True" : "False");
  return text.str();
}

}  // namespace gradus
