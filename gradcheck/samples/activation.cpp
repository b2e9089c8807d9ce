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

std::vector<Sample> elu_samples() {
  return unary_samples([](const Variables& v) { return elu(v[0]); });
}
std::vector<Sample> elu_training_samples() {
  return unary_training_samples([](const Variables& v) { return elu(v[0]); });
}

std::vector<Sample> selu_samples() {
  return unary_samples([](const Variables& v) { return selu(v[0]); });
}
std::vector<Sample> selu_training_samples() {
  return unary_training_samples([](const Variables& v) { return selu(v[0]); });
}

std::vector<Sample> silu_samples() {
  return unary_samples([](const Variables& v) { return silu(v[0]); }, {-6, 6});
}
std::vector<Sample> silu_training_samples() {
  return unary_training_samples([](const Variables& v) { return silu(v[0]); }, {-6, 6});
}

std::vector<Sample> softsign_samples() {
  return unary_samples([](const Variables& v) { return softsign(v[0]); });
}
std::vector<Sample> softsign_training_samples() {
  return unary_training_samples([](const Variables& v) { return softsign(v[0]); });
}

std::vector<Sample> relu6_samples() {
  return unary_samples([](const Variables& v) { return relu6(v[0]); }, {-4, 10});
}
std::vector<Sample> relu6_training_samples() {
  return unary_training_samples([](const Variables& v) { return relu6(v[0]); }, {-4, 10});
}

std::vector<Sample> hardsigmoid_samples() {
  return unary_samples([](const Variables& v) { return hardsigmoid(v[0]); }, {-5, 5});
}
std::vector<Sample> hardsigmoid_training_samples() {
  return unary_training_samples([](const Variables& v) { return hardsigmoid(v[0]); }, {-5, 5});
}

std::vector<Sample> hardswish_samples() {
  return unary_samples([](const Variables& v) { return hardswish(v[0]); }, {-5, 5});
}
std::vector<Sample> hardswish_training_samples() {
  return unary_training_samples([](const Variables& v) { return hardswish(v[0]); }, {-5, 5});
}

std::vector<Sample> leaky_relu_samples() {
  return unary_samples([](const Variables& v) { return leaky_relu(v[0]); }, {},
                       {{"a steep slope", {spread({3, 4}, 5)}, [](const Variables& v) {
                           return leaky_relu(v[0], -1.5);
                         }}});
}
std::vector<Sample> leaky_relu_training_samples() {
  return unary_training_samples([](const Variables& v) { return leaky_relu(v[0], 0.3); });
}

Variable prelu_of(const Variables& v) { return prelu(v[0], v[1]); }

std::vector<Sample> prelu_samples() {
  return {{"a slope for each channel", {spread({2, 3, 4}, 1), spread({3}, 2)}, prelu_of},
          {"one slope", {spread({3, 2, 2}, 3), spread({1}, 4)}, prelu_of},
          {"a square", {spread({4, 4}, 5), spread({4}, 6)}, prelu_of},
          {"a row", {spread({5}, 7), spread({1}, 8)}, prelu_of},
          {"a scalar", {spread({}, 9), spread({1}, 10)}, prelu_of},
          {"no images", {spread({0, 3, 2}, 11), spread({3}, 12)}, prelu_of}};
}
std::vector<Sample> prelu_training_samples() {
  std::vector<Sample> all{{"images", {spread({4, 16, 33, 31}, 1), spread({16}, 2)}, prelu_of},
                          {"one slope", {spread({4, 16, 33, 31}, 3), spread({1}, 4)}, prelu_of}};
  for (const std::int64_t size : remainders)
    all.push_back({size_name(size), {spread({5, 3, size}, 5), spread({3}, 6)}, prelu_of});
  return all;
}

std::vector<Sample> gelu_samples() {
  const auto near = [](const Variables& v) { return gelu(v[0], Gelu::tanh); };
  return unary_samples(
      [](const Variables& v) { return gelu(v[0]); }, {},
      {{"by tanh", {spread({3, 4}, 5)}, near}, {"by tanh, a scalar", {spread({}, 6)}, near}});
}
std::vector<Sample> gelu_training_samples() {
  std::vector<Sample> all = unary_training_samples([](const Variables& v) { return gelu(v[0]); });
  all.push_back({"by tanh", {spread({many_elements}, 4)}, [](const Variables& v) {
                   return gelu(v[0], Gelu::tanh);
                 }});
  return all;
}

std::vector<Sample> softplus_samples() {
  const auto with = [](double beta, double threshold) {
    return [=](const Variables& v) { return softplus(v[0], beta, threshold); };
  };
  return unary_samples(with(1, 20), {},
                       {{"steep", {spread({3, 4}, 5)}, with(3, 20)},
                        {"falling", {spread({3, 4}, 6)}, with(-0.5, 20)},
                        {"some of it straight", {spread({3, 4}, 7)}, with(1, 0.5)},
                        {"all of it straight", {spread({4}, 8)}, with(1, -10)}});
}
std::vector<Sample> softplus_training_samples() {
  return unary_training_samples([](const Variables& v) { return softplus(v[0], 2, 4); }, {-6, 6});
}

std::vector<Sample> hardtanh_samples() {
  const auto with = [](double low, double high) {
    return [=](const Variables& v) { return hardtanh(v[0], low, high); };
  };
  return unary_samples(with(-1, 1), {},
                       {{"other bounds", {spread({3, 4}, 5)}, with(-0.5, 1.75)},
                        {"all inside", {spread({4}, 6)}, with(-3, 3)}});
}
std::vector<Sample> hardtanh_training_samples() {
  return unary_training_samples([](const Variables& v) { return hardtanh(v[0], -0.3, 1.1); });
}

std::vector<Sample> dropout2d_samples() {
  const auto with = [](double p) {
    return [p](const Variables& v) {
      Generator generator(7);
      return dropout2d(v[0], p, generator);
    };
  };
  return {{"images", {spread({3, 4, 2, 2}, 1)}, with(0.5)},
          {"a square", {spread({2, 2, 3, 3}, 2)}, with(0.3)},
          {"nothing dropped", {spread({2, 3}, 3)}, with(0)},
          {"everything dropped", {spread({2, 3, 2}, 4)}, with(1)},
          {"no images", {spread({0, 3, 2, 2}, 5)}, with(0.5)}};
}
std::vector<Sample> dropout2d_training_samples() {
  return {{"images", {spread({8, 16, 33, 31}, 1)}, [](const Variables& v) {
             Generator generator(7);
             return dropout2d(v[0], 0.3, generator);
           }}};
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
      {"elu", elu_samples, elu_training_samples},
      {"selu", selu_samples, selu_training_samples},
      {"silu", silu_samples, silu_training_samples},
      {"softsign", softsign_samples, softsign_training_samples},
      {"relu6", relu6_samples, relu6_training_samples},
      {"hardsigmoid", hardsigmoid_samples, hardsigmoid_training_samples},
      {"hardswish", hardswish_samples, hardswish_training_samples},
      {"leaky_relu", leaky_relu_samples, leaky_relu_training_samples},
      {"prelu", prelu_samples, prelu_training_samples},
      {"gelu", gelu_samples, gelu_training_samples},
      {"softplus", softplus_samples, softplus_training_samples},
      {"hardtanh", hardtanh_samples, hardtanh_training_samples},
      {"dropout2d", dropout2d_samples, dropout2d_training_samples},
  };
}

}  // namespace gradus::samples
