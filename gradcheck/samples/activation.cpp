// Inputs for the ops of autograd/ops/activation.cpp.
#include <gradus/gradcheck/samples/inputs.h>

namespace gradus::samples {
namespace {

std::vector<Sample> exp_samples() {
  return unary_samples([](const Variables& v) { return exp(v[0]); });
}

std::vector<Sample> exp_training_samples() {
  return unary_training_samples([](const Variables& v) { return exp(v[0]); });
}

std::vector<Sample> log_samples() {
  const auto f = [](const Variables& v) { return log(v[0]); };
  return unary_samples(f, above_zero, {{"small numbers", {spread({4}, 5, {0.05, 0.5})}, f}});
}

std::vector<Sample> log_training_samples() {
  return unary_training_samples([](const Variables& v) { return log(v[0]); }, above_zero);
}

std::vector<Sample> sqrt_samples() {
  return unary_samples([](const Variables& v) { return sqrt(v[0]); }, above_zero,
                       {{"a sum of squares", {spread({2, 3}, 5)}, [](const Variables& v) {
                           return sqrt(sum(v[0] * v[0], {1}));
                         }}});
}

std::vector<Sample> sqrt_training_samples() {
  return unary_training_samples([](const Variables& v) { return sqrt(v[0]); }, above_zero);
}

std::vector<Sample> abs_samples() {
  return unary_samples([](const Variables& v) { return abs(v[0]); });
}

std::vector<Sample> abs_training_samples() {
  return unary_training_samples([](const Variables& v) { return abs(v[0]); });
}

std::vector<Sample> tanh_samples() {
  return unary_samples([](const Variables& v) { return tanh(v[0]); });
}

std::vector<Sample> tanh_training_samples() {
  return unary_training_samples([](const Variables& v) { return tanh(v[0]); }, {-6, 6});
}

std::vector<Sample> sigmoid_samples() {
  const auto f = [](const Variables& v) { return sigmoid(v[0]); };
  return unary_samples(f, {}, {{"far from zero", {spread({4}, 5, {-6, 6})}, f}});
}

std::vector<Sample> sigmoid_training_samples() {
  return unary_training_samples([](const Variables& v) { return sigmoid(v[0]); }, {-6, 6});
}

std::vector<Sample> logsigmoid_samples() {
  const auto f = [](const Variables& v) { return logsigmoid(v[0]); };
  return unary_samples(f, {}, {{"far from zero", {spread({4}, 5, {-6, 6})}, f}});
}

std::vector<Sample> logsigmoid_training_samples() {
  return unary_training_samples([](const Variables& v) { return logsigmoid(v[0]); }, {-40, 40});
}

Variable relu_grad_masked(const Variables& v) {
  const Tensor positive_part = core::relu(spread(v[0].shape(), 5).value());
  return relu_grad(v[0], positive_part.to(v[0].dtype()));
}

std::vector<Sample> relu_grad_samples() { return unary_samples(relu_grad_masked); }

std::vector<Sample> relu_grad_training_samples() {
  return unary_training_samples(relu_grad_masked);
}

std::vector<Sample> relu_samples() {
  const auto f = [](const Variables& v) { return relu(v[0]); };
  return unary_samples(f, {},
                       {{"a strided view",
                         {spread({4, 3}, 5)},
                         [](const Variables& v) { return relu(slice(v[0], 1, 0, 3, 2)); }},
                        {"all positive", {positive({3, 4}, 6)}, f}});
}

std::vector<Sample> relu_training_samples() {
  return unary_training_samples([](const Variables& v) { return relu(v[0]); });
}

std::vector<Sample> dropout_samples() {
  const auto with = [](double p) {
    return [p](const Variables& v) {
      Generator generator(7);
      return dropout(v[0], p, generator);
    };
  };
  return unary_samples(with(0.5), {},
                       {{"little", {spread({3, 4}, 5)}, with(0.1)},
                        {"nothing dropped", {spread({4}, 6)}, with(0)},
                        {"everything dropped", {spread({4}, 7)}, with(1)}});
}

std::vector<Sample> dropout_training_samples() {
  return unary_training_samples([](const Variables& v) {
    Generator generator(7);
    return dropout(v[0], 0.3, generator);
  });
}

}  // namespace

std::vector<OpSamples> activation() {
  return {
      {"exp", exp_samples, exp_training_samples},
      {"log", log_samples, log_training_samples},
      {"sqrt", sqrt_samples, sqrt_training_samples},
      {"abs", abs_samples, abs_training_samples},
      {"tanh", tanh_samples, tanh_training_samples},
      {"sigmoid", sigmoid_samples, sigmoid_training_samples},
      {"logsigmoid", logsigmoid_samples, logsigmoid_training_samples},
      {"relu_grad", relu_grad_samples, relu_grad_training_samples},
      {"relu", relu_samples, relu_training_samples},
      {"dropout", dropout_samples, dropout_training_samples},
  };
}

}  // namespace gradus::samples
