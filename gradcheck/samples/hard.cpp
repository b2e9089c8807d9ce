// Functions that are right where it is hard to see.
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/hard.h>
#include <gradus/gradcheck/samples/inputs.h>

#include <cmath>
#include <numbers>
#include <span>
#include <utility>

namespace gradus {
namespace {

Variable at(const NestedList& values) { return {Tensor::from(values, float64), true}; }

DifferentiableFunction of(Variable (*f)(const Operand&)) {
  return [f](const Variables& v) { return f(v[0]); };
}

Tensor each(const Tensor& x, double (*f)(double, double), double parameter) {
  const Tensor y = zeros(x.shape(), x.dtype());
  const std::vector<double> values = x.to(float64).to_vector<double>();
  const Tensor wide = Tensor::from(values.data(), x.shape());
  for (double& v : std::span(wide.data<double>(), values.size())) v = f(v, parameter);
  return y.copy_(wide.to(x.dtype()));
}

/// sin(omega·x), its derivative made of the same op.
struct Sine final : Op {
  double omega;
  double phase;
  Variable x;

  Sine(double frequency, double shift) : omega(frequency), phase(shift) {}
  Tensor forward(const Variable& input) {
    x = input;
    const Tensor angle = core::add(core::mul(input.value(), omega), phase);
    return each(
        angle, [](double v, double) { return std::sin(v); }, 0);
  }
  Variables backward(const Variable& dy) override {
    return {dy * record(Sine(omega, phase + std::numbers::pi / 2), x) * omega};
  }
};

Variable sine(const Variable& x, double omega) { return record(Sine(omega, 0), x); }

/// Stairs: level nearly everywhere, so their slope is 0.
struct Stairs final : Op {
  double per_unit;

  explicit Stairs(double steps) : per_unit(steps) {}
  Tensor forward(const Variable& x) {
    return each(
        x.value(), [](double v, double n) { return std::floor(v * n) / n; }, per_unit);
  }
  Variables backward(const Variable& dy) override { return {dy * 0.0}; }
};

Variable stairs(const Variable& x, double per_unit) { return record(Stairs(per_unit), x); }

/// ln(x/(1-x)), which knows nothing outside of 0 to 1.
struct Logit final : Op {
  Variable x;

  Tensor forward(const Variable& input) {
    x = input;
    const Tensor& p = input.value();
    if (core::min(p).item() <= 0 || core::max(p).item() >= 1)
      fail<ValueError>("logit: wants probabilities");
    return core::log(core::div(p, core::sub(1, p)));
  }
  Variables backward(const Variable& dy) override { return {dy / (x * (1.0 - x))}; }
};

void add_kinks(std::vector<HardFunction>& all) {
  const Variable ties = at({{{{1, 1, 0.5, 2}, {1, 1, 2, 2}, {-1, 3, 3, 0}, {3, 3, 0, 0}}}});
  const auto pool = [](std::int64_t stride) {
    return [stride](const Variables& v) {
      return max_pool2d(v[0], {.kernel_size = 2, .stride = stride});
    };
  };
  const auto zigzag = [](double apart, int count) {
    return [=](const Variables& v) {
      Variable sum = v[0] * 0.0;
      for (int k = 0; k < count; ++k) sum = sum + abs(v[0] - k * apart) * (k % 2 == 0 ? 1.0 : -1.0);
      return sum;
    };
  };
  all.insert(
      all.end(),
      {{"relu at 0", of(relu), {at({0, 1, -1, 0})}, 2},
       {"abs at 0", of(abs), {at({0, 2, -3})}},
       {"relu a hair from 0", of(relu), {at({1e-9, -1e-9, 1e-6, -1e-6, 1e-4})}, 2},
       {"abs a hair from 0", of(abs), {at({1e-9, -1e-9, 1e-6, -1e-6, 1e-4})}},
       {"relu of a sum that is 0",
        [](const Variables& v) { return relu(v[0] + v[1]); },
        {at({1, -2}), at({-1, 2})}},
       {"max with ties",
        [](const Variables& v) { return max(v[0], {-1}); },
        {at({{1, 1, 0}, {2, 2, 2}})}},
       {"maximum of equals",
        [](const Variables& v) { return maximum(v[0], v[1]); },
        {at({1, 2, 3}), at({1, 2, 4})}},
       {"max_pool2d with ties", pool(2), {ties}},
       {"max_pool2d with ties in windows that overlap", pool(1), {ties}},
       {"clamp at its bounds",
        [](const Variables& v) { return clamp(v[0], -1, 1); },
        {at({-1, 1, 0})}},
       {"clamp a hair within its bounds",
        [](const Variables& v) { return clamp(v[0], -1, 1); },
        {at({-1 + 1e-7, 1 - 1e-9, 0})},
        2},
       {"a kink under a smooth function",
        [](const Variables& v) { return exp(relu(v[0]) * 2.0); },
        {at({0, 0.5})}},
       {"|x|^1.5 at 0", [](const Variables& v) { return pow(abs(v[0]), 1.5); }, {at({0, 1})}},
       {"kinks in a row, 1e-3 apart", zigzag(1e-3, 8), {at({0.00051, 0.0033, 0.1})}},
       {"kinks in a row, 1e-5 apart", zigzag(1e-5, 8), {at({0.0000051, 0.000033, 0.1})}},
       {"kinks in a row, on one of them", zigzag(1e-3, 8), {at({0.002, 0.005})}},
       {"abs of abs of abs",
        [](const Variables& v) { return abs(abs(abs(v[0]) - 1.0) - 0.5); },
        {at({0.7, -0.2, 1.6, 2.1})}},
       {"a hinge loss near its margin",
        [](const Variables& v) { return mean(relu(1.0 - v[0])); },
        {at({0.999999, 1.000001, 3, -2})}},
       {"the greatest of nearly equals",
        [](const Variables& v) { return max(v[0], {-1}); },
        {at({{1, 1 + 1e-7, 1 - 1e-7}, {-2, -2 - 1e-9, -3}})}}});
}

void add_waves(std::vector<HardFunction>& all) {
  for (const int power : {0, 3, 6, 9, 12}) {
    const double omega = 2 * std::numbers::pi * std::ldexp(1.0, power);
    all.push_back({"sin(2π·2^" + std::to_string(power) + "·x)",
                   [omega](const Variables& v) { return sine(v[0], omega); },
                   {at({0.1, 0.75, -0.3})},
                   power <= 6 ? 2 : 1});
  }
  all.insert(all.end(), {{"x + a small fast wave",
                          [](const Variables& v) { return v[0] + sine(v[0], 5000) * 1e-3; },
                          {at({0.3, 1.1})}},
                         {"a wave of 1000 on top of 1e4·x",
                          [](const Variables& v) { return v[0] * 1e4 + sine(v[0], 1000); },
                          {at({0.3, 1.1})}},
                         {"sin(1/x)",
                          [](const Variables& v) { return sine(1.0 / v[0], 1); },
                          {at({0.05, -0.02, 0.5})},
                          2},
                         {"a triangular wave",
                          [](const Variables& v) { return abs(sine(v[0], 40)); },
                          {at({0.31, 1.13, -0.45})}}});
}

void add_stairs(std::vector<HardFunction>& all) {
  for (const double per_unit : {1.0, 8.0, 128.0, 1000.0}) {
    const std::string name = std::to_string(static_cast<int>(per_unit)) + " stairs for each 1";
    all.push_back({name,
                   [per_unit](const Variables& v) { return stairs(v[0], per_unit); },
                   {at({0.30031, -1.70017, 0.90042})}});
    all.push_back({"a slope with " + name,
                   [per_unit](const Variables& v) { return v[0] * 2.0 + stairs(v[0], per_unit); },
                   {at({0.30031, -1.70017, 0.90042})}});
    all.push_back(
        {name + ", straight through",
         [per_unit](const Variables& v) { return straight_through(stairs(v[0], per_unit), v[0]); },
         {at({0.30031, -1.70017, 0.90042})},
         2});
    all.push_back({name + ", straight through within ±1, times a weight",
                   [per_unit](const Variables& v) {
                     return straight_through(stairs(v[0], per_unit), clamp(v[0], -1, 1)) * v[1];
                   },
                   {at({0.30031, -1.70017, 0.90042}), at({2, 0.5, -1})},
                   2});
  }
  all.insert(all.end(), {{"a spike whose slope is said to be that of a sigmoid",
                          [](const Variables& v) {
                            return straight_through(core::gt(v[0].value(), 0).to(v[0].dtype()),
                                                    sigmoid(v[0] * 4.0));
                          },
                          {at({0.3, -0.2, 1e-9, 2})},
                          2},
                         {"the sign, with slope 0",
                          [](const Variables& v) { return record(Stairs(1), v[0]) * 2.0 + 1.0; },
                          {at({0.3, -0.2, 0.7})}}});
}

void add_scales(std::vector<HardFunction>& all) {
  for (const double scale : {1e12, 1e-12}) {
    const std::string name = scale > 1 ? "1e12" : "1e-12";
    all.push_back(
        {name + " x", [scale](const Variables& v) { return v[0] * scale; }, {at({0.3, -2})}, 2});
    all.push_back({name + " tanh(x)",
                   [scale](const Variables& v) { return tanh(v[0]) * scale; },
                   {at({0.3, -2, 1})},
                   2});
    all.push_back({"tanh(x/" + name + ") at " + name,
                   [scale](const Variables& v) { return tanh(v[0] / scale); },
                   {at({0.3 * scale, -1.2 * scale})},
                   2});
    all.push_back({"a product of " + name + " with its reciprocal",
                   [](const Variables& v) { return v[0] * v[1]; },
                   {at({scale, 2 * scale}), at({1 / scale, 3 / scale})},
                   2});
    all.push_back({"softmax of x/" + name + " at " + name,
                   [scale](const Variables& v) { return softmax(v[0] / scale, 0); },
                   {at({0.3 * scale, -1.2 * scale, scale})},
                   2});
  }
  all.insert(
      all.end(),
      {{"x + 1e8", [](const Variables& v) { return v[0] + 1e8; }, {at({0.3, -2})}},
       {"x² at 1e-8", [](const Variables& v) { return v[0] * v[0]; }, {at({1e-8, 1})}, 2},
       {"x³ at 1e6", [](const Variables& v) { return pow(v[0], 3); }, {at({1e6, -1})}, 2},
       {"exp(50 x)", [](const Variables& v) { return exp(v[0] * 50.0); }, {at({0.1, 1, -1})}, 2},
       {"tanh(100 x), saturated",
        [](const Variables& v) { return tanh(v[0] * 100.0); },
        {at({2, 0.01, -0.3})}},
       {"sigmoid at ±40", of(sigmoid), {at({40, -40})}},
       {"softmax of logits of 500",
        [](const Variables& v) { return softmax(v[0], 0); },
        {at({500, 499, 0})},
        2},
       {"a sum of large numbers that cancel",
        [](const Variables& v) { return sum(v[0]); },
        {at({1e8, -1e8, 1})}},
       {"rows of 1e6 and 1e-6 in one product",
        [](const Variables& v) { return matmul(v[0], v[1]); },
        {at({{1e6, -2e6}, {1e-6, 3e-6}}), at({{0.5}, {-1.5}})},
        2}});
}

void add_domains(std::vector<HardFunction>& all) {
  all.insert(
      all.end(),
      {{"log at 1e-6", of(log), {at({1e-6, 1e-3, 100})}, 2},
       {"sqrt at 1e-8", of(sqrt), {at({1e-8, 1, 1e8})}},
       {"1/x at 1e-4", [](const Variables& v) { return 1.0 / v[0]; }, {at({1e-4, -1e-4, 3})}},
       {"x^0.3 at 1e-5", [](const Variables& v) { return pow(v[0], 0.3); }, {at({1e-5, 2})}},
       {"log(1 - x²) near 1",
        [](const Variables& v) { return log(1.0 - v[0] * v[0]); },
        {at({0.999, -0.9999})}},
       {"x·log(x) at 1e-5",
        [](const Variables& v) { return v[0] * log(v[0]); },
        {at({1e-5, 0.4})},
        2},
       {"logit, which throws outside of 0 to 1",
        [](const Variables& v) { return record(Logit(), v[0]); },
        {at({0.5, 0.999, 0.0004})},
        2},
       {"sqrt(1 - x²) near 1",
        [](const Variables& v) { return sqrt(1.0 - v[0] * v[0]); },
        {at({0.9999, -0.3})}},
       {"a negative base with a whole exponent",
        [](const Variables& v) { return pow(v[0], 3); },
        {at({-1e-3, -2})},
        2}});
}

}  // namespace

std::vector<HardFunction> hard_functions() {
  std::vector<HardFunction> all;
  add_kinks(all);
  add_waves(all);
  add_stairs(all);
  add_scales(all);
  add_domains(all);
  return all;
}

}  // namespace gradus
