// Derivatives, as torch.autograd.functional computes them, and the derivatives of those.
#include <gradus/autograd/derivatives.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/sequential.h>

#include "support/parity.h"

using namespace gradus;
using parity::Options;

namespace {

/// The functions of derivatives.py, under their names there.
const std::map<std::string, DifferentiableFunction>& functions() {
  using V = const Variables&;
  static const std::map<std::string, DifferentiableFunction> all{
      {"cube", [](V v) { return pow(v[0], 3); }},
      {"identity", [](V v) { return v[0]; }},
      {"tanh", [](V v) { return tanh(v[0]); }},
      {"row_sums", [](V v) { return sum(v[0], {-1}); }},
      {"transposed", [](V v) { return transpose(v[0]) * 2.0; }},
      {"softmax", [](V v) { return softmax(v[0], -1); }},
      {"log_softmax", [](V v) { return log_softmax(v[0], -1); }},
      {"logsumexp", [](V v) { return logsumexp(v[0], {-1}); }},
      {"variance", [](V v) { return var(v[0], {0}); }},
      {"first_of_two", [](V v) { return v[0] * 2.0; }},
      {"product", [](V v) { return v[0] * v[1]; }},
      {"quotient", [](V v) { return v[0] / (v[1] * v[1] + 1.0); }},
      {"matmul", [](V v) { return matmul(v[0], v[1]); }},
      {"layer", [](V v) { return tanh(linear(v[0], v[1], v[2])); }},
      {"conv", [](V v) { return tanh(conv2d(v[0], v[1], {}, {.stride = 2, .padding = 1})); }},
      {"quartic", [](V v) { return sum(pow(v[0], 4)); }},
      {"sum", [](V v) { return sum(v[0]); }},
      {"logsumexp_of_all", [](V v) { return logsumexp(v[0]); }},
      {"sigmoid_mean", [](V v) { return mean(sigmoid(v[0])); }},
      {"bilinear", [](V v) { return sum(v[0] * v[1]); }},
      {"quadratic", [](V v) { return sum(matmul(v[0], v[1]) * v[0]); }},
      {"of_first", [](V v) { return sum(pow(v[0], 3)); }},
      {"rosenbrock",
       [](V v) { return sum(pow(1.0 - v[0], 2) + 100.0 * pow(v[1] - v[0] * v[0], 2)); }},
      {"classifier",
       [](V v) {
         return cross_entropy(tanh(linear(v[0], v[1], v[2])), Tensor::from({1, 0, 2}));
       }},
      {"conv_energy",
       [](V v) {
         const Variable y = tanh(conv2d(v[0], v[1], {}, {.padding = 1}));
         return sum(y * y);
       }},
  };
  return all;
}

/// A case's inputs: those of the function, then the vectors.
struct Arguments {
  DifferentiableFunction function;
  Variables inputs, vectors;

  Arguments(const Variables& all, const Options& o)
      : function(functions().at(o["function"].get<std::string>())) {
    const auto count = o["count"].get<std::ptrdiff_t>();
    inputs.assign(all.begin(), all.begin() + count);
    vectors.assign(all.begin() + count, all.end());
  }
};

constexpr DerivativeOptions recorded{.create_graph = true};

Variables one_and(const Variable& first, const Variables& rest) {
  Variables all{first};
  all.insert(all.end(), rest.begin(), rest.end());
  return all;
}

}  // namespace

TEST_CASE("derivatives are PyTorch's") {
  parity::check(
      "derivatives",
      {
          {"vjp",
           [](const Variables& x, const Options& o) -> Variables {
             const Arguments a(x, o);
             const VjpResult result = vjp(a.function, a.inputs, a.vectors[0], recorded);
             return one_and(result.output, result.gradients);
           }},
          {"jvp",
           [](const Variables& x, const Options& o) -> Variables {
             const Arguments a(x, o);
             const JvpResult result = jvp(a.function, a.inputs, a.vectors, recorded);
             return {result.output, result.tangent};
           }},
          {"hvp",
           [](const Variables& x, const Options& o) -> Variables {
             const Arguments a(x, o);
             const HvpResult result = hvp(a.function, a.inputs, a.vectors, recorded);
             return one_and(result.output, result.product);
           }},
          {"jacobian",
           [](const Variables& x, const Options& o) -> Variables {
             const Arguments a(x, o);
             return jacobian(a.function, a.inputs, recorded);
           }},
          {"hessian",
           [](const Variables& x, const Options& o) -> Variables {
             const Arguments a(x, o);
             Variables all;
             for (const Variables& row : hessian(a.function, a.inputs, recorded))
               all.insert(all.end(), row.begin(), row.end());
             return all;
           }},
          {"per_sample_gradients",
           [](const Variables& x, const Options&) -> Variables {
             Sequential model{Linear{3, x[1].size(0)}, Tanh{}, Linear{x[1].size(0), x[3].size(0)}};
             const Variables parameters = model.parameters();
             for (std::size_t i = 0; i < 4; ++i) parameters[i].set_value(x[i + 1].value());
             return per_sample_gradients(
                 model,
                 [](const Variable& y, const Tensor& label) { return cross_entropy(y, label); },
                 x[0].value(), x[5].value());
           }},
          {"checkpoint",
           [](const Variables& x, const Options& o) -> Variables {
             return {checkpoint(functions().at(o["function"].get<std::string>()), x)};
           }},
      });
}
