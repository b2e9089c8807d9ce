// Inputs for the ops of autograd/ops/arithmetic.cpp.
#include <gradus/gradcheck/samples/inputs.h>

namespace gradus::samples {
namespace {

/// The corners of a function of two inputs that broadcast, and `more` of its own.
std::vector<Sample> binary_samples(const std::function<Variable(const Variables&)>& f, Range a = {},
                                   Range b = {}, const std::vector<Sample>& more = {}) {
  std::vector<Sample> all{
      {"all sizes different", {spread({3, 4, 5}, 1, a), spread({3, 4, 5}, 2, b)}, f},
      {"squares", {spread({4, 4}, 3, a), spread({4, 4}, 4, b)}, f},
      {"a row", {spread({3, 4}, 5, a), spread({4}, 6, b)}, f},
      {"a column", {spread({4, 1}, 7, a), spread({4, 4}, 8, b)}, f},
      {"both broadcast", {spread({3, 1, 4}, 9, a), spread({5, 1}, 10, b)}, f},
      {"scalars", {spread({}, 11, a), spread({}, 12, b)}, f},
      {"a scalar and a matrix", {spread({}, 13, a), spread({3, 4}, 14, b)}, f},
      {"nothing", {spread({0, 3}, 15, a), spread({3}, 16, b)}, f},
      {"the same twice", {spread({3, 4}, 17, b)}, [f](const Variables& v) {
         return f({v[0], v[0]});
       }}};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::vector<Sample> add_samples() {
  return activation_samples([](Activation activation) {
    const auto f = [=](const Variables& v) { return add(v[0], v[1], activation); };
    return binary_samples(f, {}, {},
                          {{"all positive", {positive({3, 4}, 18), positive({3, 4}, 19)}, f}});
  });
}

std::vector<Sample> add_training_samples() {
  return activation_samples([](Activation activation) {
    return binary_training_samples([=](const Variables& v) { return add(v[0], v[1], activation); });
  });
}

std::vector<Sample> shift_samples() {
  return unary_samples(
      [](const Variables& v) { return add(v[0], 1.5); }, {},
      {{"minus from the left", {spread({3}, 5)}, [](const Variables& v) { return 1.0 - v[0]; }}});
}

std::vector<Sample> shift_training_samples() {
  return unary_training_samples([](const Variables& v) { return add(v[0], 1.7); });
}

std::vector<Sample> sub_samples() {
  return binary_samples([](const Variables& v) { return sub(v[0], v[1]); });
}

std::vector<Sample> sub_training_samples() {
  return binary_training_samples([](const Variables& v) { return sub(v[0], v[1]); });
}

std::vector<Sample> mul_samples() {
  return binary_samples([](const Variables& v) { return mul(v[0], v[1]); });
}

std::vector<Sample> mul_training_samples() {
  return binary_training_samples([](const Variables& v) { return mul(v[0], v[1]); });
}

std::vector<Sample> scale_samples() {
  return unary_samples(
      [](const Variables& v) { return mul(v[0], -1.5); }, {},
      {{"zero", {spread({2}, 5)}, [](const Variables& v) { return mul(v[0], 0); }}});
}

std::vector<Sample> scale_training_samples() {
  return unary_training_samples([](const Variables& v) { return mul(v[0], -1.7); });
}

std::vector<Sample> div_samples() {
  const auto f = [](const Variables& v) { return div(v[0], v[1]); };
  return binary_samples(
      f, {}, above_zero,
      {{"a negative divisor", {spread({3, 4}, 18), spread({4}, 19, {-2, -0.5})}, f}});
}

std::vector<Sample> div_training_samples() {
  return binary_training_samples([](const Variables& v) { return div(v[0], v[1]); }, {},
                                 above_zero);
}

std::vector<Sample> div_scalar_samples() {
  return unary_samples([](const Variables& v) { return div(v[0], -1.5); });
}

std::vector<Sample> div_scalar_training_samples() {
  return unary_training_samples([](const Variables& v) { return div(v[0], -1.7); });
}

std::vector<Sample> scalar_div_samples() {
  const auto f = [](const Variables& v) { return div(2.0, v[0]); };
  return unary_samples(f, above_zero, {{"a negative divisor", {spread({3}, 5, {-2, -0.5})}, f}});
}

std::vector<Sample> scalar_div_training_samples() {
  return unary_training_samples([](const Variables& v) { return div(1.7, v[0]); }, above_zero);
}

std::vector<Sample> neg_samples() {
  return unary_samples([](const Variables& v) { return neg(v[0]); });
}

std::vector<Sample> neg_training_samples() {
  return unary_training_samples([](const Variables& v) { return neg(v[0]); });
}

std::vector<Sample> pow_scalar_samples() {
  const auto to_the = [](double p) { return [p](const Variables& v) { return pow(v[0], p); }; };
  return unary_samples(to_the(3), {},
                       {{"exponent 2", {spread({2, 3}, 5)}, to_the(2)},
                        {"exponent -1", {positive({3}, 6)}, to_the(-1)},
                        {"exponent 0.7", {positive({2, 2}, 7)}, to_the(0.7)},
                        {"exponent 1", {spread({3}, 8)}, to_the(1)},
                        {"exponent 0", {spread({3}, 9)}, to_the(0)}});
}

std::vector<Sample> pow_scalar_training_samples() {
  std::vector<Sample> all =
      unary_training_samples([](const Variables& v) { return pow(v[0], -0.7); }, above_zero);
  for (const double p : {2.0, 3.0, -1.0}) {
    all.push_back({"exponent " + std::to_string(p),
                   {spread({4, 16, 33, 31}, 4)},
                   [p](const Variables& v) { return pow(v[0], p); }});
  }
  return all;
}

std::vector<Sample> pow_samples() {
  const auto f = [](const Variables& v) { return pow(v[0], v[1]); };
  return binary_samples(f, above_zero, above_zero,
                        {{"exponents of both signs", {positive({3, 4}, 18), spread({4}, 19)}, f}});
}

std::vector<Sample> pow_training_samples() {
  return binary_training_samples([](const Variables& v) { return pow(v[0], v[1]); }, above_zero,
                                 above_zero);
}

std::vector<Sample> maximum_samples() {
  // "the same twice" ties everywhere, but max(x, x) = x has no kink.
  return binary_samples([](const Variables& v) { return maximum(v[0], v[1]); }, {}, {-1.8, 2.3});
}

std::vector<Sample> maximum_training_samples() {
  return binary_training_samples([](const Variables& v) { return maximum(v[0], v[1]); }, {},
                                 {-1.8, 2.3});
}

std::vector<Sample> minimum_samples() {
  // "the same twice" ties everywhere, but min(x, x) = x has no kink.
  return binary_samples([](const Variables& v) { return minimum(v[0], v[1]); }, {}, {-1.8, 2.3});
}

std::vector<Sample> minimum_training_samples() {
  return binary_training_samples([](const Variables& v) { return minimum(v[0], v[1]); }, {},
                                 {-1.8, 2.3});
}

std::vector<Sample> clamp_samples() {
  return unary_samples([](const Variables& v) { return clamp(v[0], -1, 1); }, {},
                       {{"from below",
                         {spread({6}, 5)},
                         [](const Variables& v) { return clamp(v[0], -0.5, std::nullopt); }},
                        {"from above", {spread({6}, 6)}, [](const Variables& v) {
                           return clamp(v[0], std::nullopt, 0.5);
                         }}});
}

std::vector<Sample> clamp_training_samples() {
  return unary_training_samples([](const Variables& v) { return clamp(v[0], -1.1, 0.7); });
}

std::vector<Sample> where_samples() {
  const auto f = [](const Variables& v) {
    const Shape shape = broadcast("where", v[0].shape(), v[1].shape());
    return where(core::gt(spread(shape, 1).value(), 0), v[0], v[1]);
  };
  const Tensor mask = Tensor::from({{true, false, true}, {false, false, true}});
  return binary_samples(f, {}, {},
                        {{"a broadcast condition",
                          {spread({4, 2, 3}, 18), spread({}, 19)},
                          [mask](const Variables& v) { return where(mask, v[0], v[1]); }}});
}

std::vector<Sample> where_training_samples() {
  return binary_training_samples([](const Variables& v) {
    const Shape shape = broadcast("where", v[0].shape(), v[1].shape());
    return where(core::gt(spread(shape, 1).value(), 0), v[0], v[1]);
  });
}

/// A quantiser to eighths whose slope is said to be 1 within ±1.
Variable quantised(const Variable& x) {
  const Variable steps = core::mul(core::mul(x.value(), 8).to(int64).to(x.dtype()), 0.125);
  return straight_through(steps, clamp(x, -1.1, 1.3));
}

std::vector<Sample> straight_through_samples() {
  return unary_samples(
      [](const Variables& v) { return quantised(v[0]); }, {},
      {{"of two inputs", {spread({3, 4}, 21), spread({4}, 22)}, [](const Variables& v) {
          return quantised(v[0] * v[1]) * quantised(v[1]);
        }}});
}

std::vector<Sample> straight_through_training_samples() {
  return unary_training_samples([](const Variables& v) { return quantised(v[0]); });
}

}  // namespace

std::vector<OpSamples> arithmetic() {
  return {
      {"add", add_samples, add_training_samples},
      {"shift", shift_samples, shift_training_samples},
      {"sub", sub_samples, sub_training_samples},
      {"mul", mul_samples, mul_training_samples},
      {"scale", scale_samples, scale_training_samples},
      {"div", div_samples, div_training_samples},
      {"div_scalar", div_scalar_samples, div_scalar_training_samples},
      {"scalar_div", scalar_div_samples, scalar_div_training_samples},
      {"neg", neg_samples, neg_training_samples},
      {"pow_scalar", pow_scalar_samples, pow_scalar_training_samples},
      {"pow", pow_samples, pow_training_samples},
      {"maximum", maximum_samples, maximum_training_samples},
      {"minimum", minimum_samples, minimum_training_samples},
      {"clamp", clamp_samples, clamp_training_samples},
      {"where", where_samples, where_training_samples},
      {"straight_through", straight_through_samples, straight_through_training_samples},
  };
}

}  // namespace gradus::samples
