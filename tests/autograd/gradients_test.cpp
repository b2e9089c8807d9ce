// Every op's value and gradient against PyTorch's, in float64: ordinary numbers, and the
// conventions at kinks, ties, zeros of both signs, infinities and NaN.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>

#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "support/fixtures.h"

using namespace gradus;

namespace {

using Function = std::function<Variable(const Variables&)>;

Tensor labels() { return Tensor::from({2, 0, 3, 2}); }

void add_losses(std::map<std::string, Function>& all) {
  for (const auto& [suffix, how] :
       {std::pair{"none", Reduction::none}, {"sum", Reduction::sum}, {"mean", Reduction::mean}}) {
    const std::string end = std::string("_") + suffix;
    const Reduction reduction = how;
    all["cross_entropy" + end] = [reduction](const Variables& v) {
      return cross_entropy(v[0], labels(), reduction);
    };
    all["nll_loss" + end] = [reduction](const Variables& v) {
      return nll_loss(v[0], labels(), reduction);
    };
    all["mse_loss" + end] = [reduction](const Variables& v) {
      return mse_loss(v[0], v[1], reduction);
    };
  }
}

std::map<std::string, Function> make_functions() {
  const auto unary = [](Variable (*f)(const Operand&)) -> Function {
    return [f](const Variables& v) { return f(v[0]); };
  };
  const auto binary = [](Variable (*f)(const Operand&, const Variable&)) -> Function {
    return [f](const Variables& v) { return f(v[0], v[1]); };
  };
  const auto power = [](double p) -> Function {
    return [p](const Variables& v) { return pow(v[0], p); };
  };
  const auto reduce = [](Variable (*f)(const Operand&, const Dims&, bool)) -> Function {
    return [f](const Variables& v) { return f(v[0], {1}, false); };
  };
  const auto reduce_all = [](Variable (*f)(const Operand&, const Dims&, bool)) -> Function {
    return [f](const Variables& v) { return f(v[0], {}, false); };
  };
  const auto max_pool = [](const Pool2dOptions& o) -> Function {
    return [o](const Variables& v) { return max_pool2d(v[0], o); };
  };
  const auto avg_pool = [](const Pool2dOptions& o) -> Function {
    return [o](const Variables& v) { return avg_pool2d(v[0], o); };
  };
  const Pool2dOptions overlapping{.kernel_size = 3, .stride = 2, .padding = 1};
  std::map<std::string, Function> all{
      {"neg", unary(neg)},
      {"exp", unary(exp)},
      {"log", unary(log)},
      {"sqrt", unary(sqrt)},
      {"abs", unary(abs)},
      {"tanh", unary(tanh)},
      {"sigmoid", unary(sigmoid)},
      {"relu", unary(relu)},
      {"square", power(2)},
      {"cube", power(3)},
      {"reciprocal", power(-1)},
      {"zeroth_power", power(0)},
      {"clamp", [](const Variables& v) { return clamp(v[0], -1, 0.5); }},
      {"clamp_low", [](const Variables& v) { return clamp(v[0], -1, std::nullopt); }},
      {"clamp_high", [](const Variables& v) { return clamp(v[0], std::nullopt, 0.5); }},
      {"add_number", [](const Variables& v) { return v[0] + 0.1; }},
      {"sub_number", [](const Variables& v) { return v[0] - 0.1; }},
      {"number_sub", [](const Variables& v) { return 0.1 - v[0]; }},
      {"mul_number", [](const Variables& v) { return v[0] * 0.1; }},
      {"div_number", [](const Variables& v) { return v[0] / 0.1; }},
      {"number_div", [](const Variables& v) { return 0.1 / v[0]; }},
      {"add", [](const Variables& v) { return add(v[0], v[1]); }},
      {"sub", binary(sub)},
      {"mul", binary(mul)},
      {"div", binary(div)},
      {"pow", binary(pow)},
      {"maximum", binary(maximum)},
      {"minimum", binary(minimum)},
      {"where",
       [](const Variables& v) {
         return where(Tensor::from({{true, false, true}}), v[0], v[1]);
       }},
      {"sum", reduce(sum)},
      {"mean", reduce(mean)},
      {"var", [](const Variables& v) { return var(v[0], {1}); }},
      {"max", reduce(max)},
      {"min", reduce(min)},
      {"logsumexp", reduce(logsumexp)},
      {"sum_all", reduce_all(sum)},
      {"mean_all", reduce_all(mean)},
      {"max_all", reduce_all(max)},
      {"min_all", reduce_all(min)},
      {"softmax", [](const Variables& v) { return softmax(v[0], 1); }},
      {"log_softmax", [](const Variables& v) { return log_softmax(v[0], 1); }},
      {"softmax_scalar", [](const Variables& v) { return softmax(v[0], 0); }},
      {"log_softmax_scalar", [](const Variables& v) { return log_softmax(v[0], 0); }},
      {"reshape",
       [](const Variables& v) {
         return reshape(v[0], {4, 6});
       }},
      {"permute",
       [](const Variables& v) {
         return permute(v[0], {2, 0, 1});
       }},
      {"expand",
       [](const Variables& v) {
         return expand(v[0], {2, 4, 3});
       }},
      {"slice", [](const Variables& v) { return slice(slice(v[0], 1, -2, 3), 2, 0, 4, 3); }},
      {"cat", [](const Variables& v) { return cat(v, 1); }},
      {"stack", [](const Variables& v) { return stack(v, 1); }},
      {"index_select",
       [](const Variables& v) {
         return index_select(v[0], 1, Tensor::from({2, 0, 2}));
       }},
      {"gather",
       [](const Variables& v) {
         return gather(v[0], 1, Tensor::from({{2, 0}, {1, 1}}));
       }},
      {"scatter_add",
       [](const Variables& v) {
         return scatter_add({2, 3}, 1, Tensor::from({{2, 0}, {1, 1}}), v[0]);
       }},
      {"matmul", binary(matmul)},
      {"linear", [](const Variables& v) { return linear(v[0], v[1], v[2]); }},
      {"conv2d", [](const Variables& v) { return conv2d(v[0], v[1], v[2]); }},
      {"conv2d_options",
       [](const Variables& v) {
         return conv2d(v[0], v[1], {},
                       {.stride = {2, 1}, .padding = {1, 0}, .dilation = {1, 2}, .groups = 2});
       }},
      {"conv2d_1x1", [](const Variables& v) { return conv2d(v[0], v[1], v[2], {.stride = 2}); }},
      {"max_pool2d", max_pool({.kernel_size = 2})},
      {"max_pool2d_padded", max_pool(overlapping)},
      {"max_pool2d_overlapping", max_pool({.kernel_size = 2, .stride = 1})},
      {"avg_pool2d", avg_pool({.kernel_size = 2})},
      {"avg_pool2d_padded", avg_pool(overlapping)},
      {"avg_pool2d_not_counted",
       avg_pool({.kernel_size = 3, .stride = 2, .padding = 1, .count_include_pad = false})},
      {"adaptive_avg_pool2d",
       [](const Variables& v) {
         return adaptive_avg_pool2d(v[0], {3, 2});
       }},
      {"batch_norm", [](const Variables& v) { return batch_norm(v[0], v[1], v[2], {}, {}); }},
      {"batch_norm_evaluation",
       [](const Variables& v) {
         return batch_norm(v[0], v[1], v[2], Tensor::from({0.5, -0.25}, float64),
                           Tensor::from({1.5, 0.75}, float64), {.training = false});
       }},
  };
  add_losses(all);
  return all;
}

/// float64: a few dozen roundings, in another order than PyTorch's, on numbers around 1.
constexpr double tolerance = 1e-12;

}  // namespace

TEST_CASE("every op's value and gradients are PyTorch's, at kinks and infinities too") {
  const std::map<std::string, Function> functions = make_functions();
  std::set<std::string> seen;
  for (const auto& entry : read_cases("torch_gradients.json")) {
    const std::string name = entry["name"];
    CAPTURE(name);
    Variables inputs;
    for (const auto& input : entry["inputs"]) inputs.emplace_back(read_tensor(input), true);
    REQUIRE(functions.count(name) == 1);
    const Variable y = functions.at(name)(inputs);
    check_close(y.value(), read_tensor(entry["output"]), tolerance, 1);
    const Variables gradients = grad({y}, inputs, {read_tensor(entry["seed"])});
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      CAPTURE(i);
      check_close(gradients[i].value(), read_tensor(entry["gradients"][i]), tolerance, 1);
    }
    seen.insert(name);
  }
  CHECK(seen.size() == functions.size());
}

TEST_CASE("abs at NaN has the gradient NaN, where PyTorch says 0") {
  const Variable x(Tensor::from({NAN}, float64), true);
  abs(x).backward();
  CHECK(std::isnan(x.grad().item()));
}

TEST_CASE("clamp passes the gradient at its bounds in float32, though 0.1 is rounded there") {
  const Variable x(Tensor::from({0.1f, 0.3f, 0.2f, 0.09f}), true);
  sum(clamp(x, 0.1, 0.3)).backward();
  CHECK(core::equal(x.grad().value(), Tensor::from({1.0, 1.0, 1.0, 0.0})));
}

TEST_CASE("dropout scales what it keeps, and the gradient goes the same way") {
  Generator generator(3);
  const Variable x(ones({10000}), true);
  const Variable y = dropout(x, 0.25, generator);
  const double kept = core::sum(core::ne(y.value(), 0)).item() / 10000;
  CHECK(std::abs(kept - 0.75) < 5 * std::sqrt(0.25 * 0.75 / 10000));  // five standard deviations
  sum(y).backward();
  CHECK(core::equal(x.grad().value(), y.value()));
  CHECK(core::max(y.value()).item() == doctest::Approx(1 / 0.75).epsilon(1e-6));
  CHECK(core::sum(dropout(x, 1, generator).value()).item() == 0);
  CHECK(core::equal(dropout(x, 0, generator).value(), x.value()));
}

TEST_CASE("division by a number divides, and so does its gradient") {
  // 49·(1/49) is 1 - 2⁻⁵³ in float64.
  const Variable x(Tensor::scalar(49, float64), true);
  const Variable y = x / 49.0;
  CHECK(y.item() == 1);
  CHECK(grad({y}, {x}, {Tensor::scalar(49, float64)})[0].item() == 1);
  const Variable many(ones({49}, float64), true);
  CHECK(core::equal(grad({mean(many)}, {many}, {Tensor::scalar(49, float64)})[0].value(),
                    ones({49}, float64)));
}

TEST_CASE("the quotient of a number and a tensor is right where the reciprocal is out of range") {
  // 1/x and 1/number are infinite in all of these.
  const Variable tiny(full({1}, 1e-310, float64), true);
  CHECK((0.0 / tiny).item() == 0);
  CHECK(grad({0.0 / tiny}, {tiny})[0].item() == 0);
  CHECK((1e-300 / tiny).item() == 1e-300 / 1e-310);
  CHECK((Variable(zeros({1}, float64)) / 1e-310).item() == 0);
}

TEST_CASE("the gradients of a quotient stay in range where they can, second order too") {
  const auto of_divisor = [](double dividend, double divisor, DType dtype) {
    const Variable a(full({1}, dividend, dtype), true);
    const Variable b(full({1}, divisor, dtype), true);
    const Variable db = grad({div(a, b)}, {b}, {}, {.create_graph = true})[0];
    return std::pair{db.item(), grad({db}, {b})[0].item()};
  };
  CHECK(of_divisor(0, 1e-310, float64).first == 0);             // dy/b is infinite
  CHECK(of_divisor(1e-39, 1e-39, float32).first == -HUGE_VAL);  // -1e39
  CHECK(of_divisor(1e-20, 1e-39, float32).first == -HUGE_VAL);  // -1e58

  // b² = 1e-50 is 0 in float32, and so is b³ = 1e-75. A subnormal number of 1e-40 has a rounding error
  // of up to 7e-6, and each of the handful of operations one of 6e-8.
  constexpr double rounding = 1e-5;
  const auto [first, second] = of_divisor(1e-40, 1e-25, float32);
  CHECK(first == doctest::Approx(-1e10).epsilon(rounding));
  CHECK(second == doctest::Approx(2e35).epsilon(rounding));
}

TEST_CASE("the gradient of a mean or variance of nothing has derivative 0, as in PyTorch") {
  const Variable x(zeros({0, 3}, float64), true);
  const Variable dy(ones({3}, float64), true);
  for (const Variable& y : {mean(x, {0}), var(x, {0})}) {
    CHECK(core::equal(y.value(), full({3}, NAN, float64)));
    const Variable dx = grad({y}, {x}, {dy}, {.create_graph = true})[0];
    CHECK(core::equal(grad({dx}, {dy}, {x.value()})[0].value(), zeros({3}, float64)));
  }
}

TEST_CASE("a max pooling window in the padding alone gives no gradient, in any order") {
  // Rows -1 and 2 of 2.
  const Pool2dOptions options{
      .kernel_size = {2, 1}, .stride = 1, .padding = {1, 0}, .dilation = {3, 1}};
  const Variable x(ones({1, 1, 2, 3}, float64), true);
  const Variable dy(ones({1, 1, 1, 3}, float64), true);
  const Variable y = max_pool2d(x, options);
  CHECK(core::equal(y.value(), full({1, 1, 1, 3}, -HUGE_VAL, float64)));
  const Variable dx = grad({y}, {x}, {dy}, {.create_graph = true})[0];
  CHECK(core::equal(dx.value(), zeros(x.shape(), float64)));
  CHECK(core::equal(grad({dx}, {dy}, {x.value()})[0].value(), zeros(dy.shape(), float64)));
}

TEST_CASE("a slice in the greatest step can be differentiated twice") {
  const Variable x(arange(0, 6, 1, float64).reshape({2, 3}), true);
  const Variable dy(ones({2, 1}, float64), true);
  const Variable y = slice(x, 1, 1, 3, std::numeric_limits<std::int64_t>::max());
  const Variable dx = grad({y}, {x}, {dy}, {.create_graph = true})[0];
  CHECK(core::equal(dx.value(), Tensor::from({{0.0, 1.0, 0.0}, {0.0, 1.0, 0.0}}, float64)));
  CHECK(
      core::equal(grad({dx}, {dy}, {x.value()})[0].value(), Tensor::from({{1.0}, {4.0}}, float64)));
}
