// Products with Jacobians and Hessians, and the matrices, against closed forms and against each other.
// PyTorch's numbers are in tests/parity/derivatives_test.cpp.
#include <doctest/doctest.h>
#include <gradus/autograd/derivatives.h>
#include <gradus/autograd/functions.h>
#include <gradus/autograd/op.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/sequential.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "support/error_message.h"

using namespace gradus;

namespace {

/// Sums of at most forty products of numbers near 1, in float64.
constexpr double tolerance = 1e-12;

void check_close(const Variable& a, const Tensor& b) {
  CAPTURE(a.value());
  CAPTURE(b);
  CHECK(core::allclose(a.value(), b, tolerance, tolerance));
}

Tensor numbers(const Shape& shape, std::uint64_t seed) {
  Generator generator(seed);
  return randn(shape, generator, float64);
}

Tensor diagonal(const Tensor& x) {
  return core::mul(eye(x.numel(), x.dtype()), x.reshape({x.numel(), 1}));
}

double dot(const Tensor& a, const Tensor& b) { return core::sum(core::mul(a, b)).item(); }

/// tanh(x·a + b), with every kind of op between: broadcasting, products, reductions, a softmax.
Variable tangled(const Variables& v) {
  const Variable h = tanh(matmul(v[0], v[1]) + v[2]);
  return softmax(h, -1) * mean(h * h, {0}, true) + v[2];
}

Variables tangled_inputs() { return {numbers({2, 3}, 1), numbers({3, 4}, 2), numbers({4}, 3)}; }

/// y = x², which counts how often it runs.
struct CountedSquare final : Op {
  static inline int forwards = 0;
  static inline int backwards = 0;
  Variable x;
  Tensor forward(const Variable& input) {
    ++forwards;
    x = input;
    return x.value() * x.value();
  }
  Variables backward(const Variable& dy) override {
    ++backwards;
    return {dy * x * 2.0};
  }
};

struct Passes {
  int forwards, backwards;
  bool operator==(const Passes&) const = default;
};

Passes passes_of(const std::function<void(const DifferentiableFunction&)>& use) {
  CountedSquare::forwards = 0;
  CountedSquare::backwards = 0;
  use([](const Variables& v) { return record(CountedSquare(), v[0]); });
  return {CountedSquare::forwards, CountedSquare::backwards};
}

Variable squares(const Variables& v) { return v[0] * v[0]; }
Variable sum_of_squares(const Variables& v) { return sum(v[0] * v[0]); }

}  // namespace

TEST_CASE(
    "the Jacobian of a linear map is its matrix, and its products are the map's and its "
    "adjoint's") {
  const Tensor a = numbers({3, 4}, 1);
  const Tensor x = numbers({4}, 2);
  const auto map = [&a](const Variables& v) { return matmul(Variable(a), v[0]); };
  check_close(jacobian(map, {x})[0], a);
  const Tensor left = numbers({3}, 3);
  const Tensor right = numbers({4}, 4);
  const VjpResult back = vjp(map, {x}, left);
  check_close(back.output, core::matmul(a, x));
  check_close(back.gradients[0], core::matmul(left, a));
  const JvpResult forward = jvp(map, {x}, {right});
  check_close(forward.output, core::matmul(a, x));
  check_close(forward.tangent, core::matmul(a, right));
}

TEST_CASE("Jacobians of elementwise functions are diagonal, that of softmax is diag(s) - ssᵀ") {
  const Tensor x = numbers({5}, 1);
  check_close(jacobian([](const Variables& v) { return exp(v[0]); }, {x})[0],
              diagonal(core::exp(x)));
  const Tensor s = core::softmax(x, 0);
  check_close(jacobian([](const Variables& v) { return softmax(v[0], 0); }, {x})[0],
              diagonal(s) - core::mul(s.reshape({5, 1}), s.reshape({1, 5})));
}

TEST_CASE("a Jacobian has the output's dimensions, then the input's") {
  const Variables all = jacobian(tangled, tangled_inputs());
  REQUIRE(all.size() == 3);
  CHECK(all[0].shape() == Shape{2, 4, 2, 3});
  CHECK(all[1].shape() == Shape{2, 4, 3, 4});
  CHECK(all[2].shape() == Shape{2, 4, 4});
  // d(aᵢ·bⱼ)/daₖ
  const Tensor a = Tensor::from({2.0, 3.0}, float64);
  const Tensor b = Tensor::from({5.0, 7.0}, float64);
  const auto outer = [](const Variables& v) { return unsqueeze(v[0], 1) * unsqueeze(v[1], 0); };
  check_close(jacobian(outer, {a, b})[0],
              Tensor::from({{{5.0, 0.0}, {7.0, 0.0}}, {{0.0, 5.0}, {0.0, 7.0}}}, float64));
  check_close(jacobian(outer, {a, b})[1],
              Tensor::from({{{2.0, 0.0}, {0.0, 2.0}}, {{3.0, 0.0}, {0.0, 3.0}}}, float64));
}

TEST_CASE("the products are those with the whole Jacobian, from both sides") {
  const Variables inputs = tangled_inputs();
  const Variables all = jacobian(tangled, inputs);
  const Tensor v = numbers({2, 4}, 5);
  const VjpResult back = vjp(tangled, inputs, v);
  Variables along;
  Tensor expected = zeros({8}, float64);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Shape& shape = inputs[i].shape();
    const Tensor matrix = all[i].value().reshape({8, shape.numel()});
    check_close(back.gradients[i], core::matmul(v.reshape({8}), matrix).reshape(shape));
    along.push_back(numbers(shape, 6 + i));
    expected = expected + core::matmul(matrix, along[i].value().reshape({shape.numel()}));
  }
  const JvpResult forward = jvp(tangled, inputs, along);
  check_close(forward.tangent, expected.reshape({2, 4}));
  double pulled = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    pulled += dot(back.gradients[i].value(), along[i].value());
  CHECK(pulled == doctest::Approx(dot(v, forward.tangent.value())).epsilon(tolerance));
}

TEST_CASE(
    "the Hessian of a quadratic form is its symmetric part, and of Rosenbrock's what the books "
    "say") {
  const Tensor a = numbers({4, 4}, 1);
  const Tensor x = numbers({4}, 2);
  const auto form = [&a](const Variables& v) { return matmul(matmul(v[0], Variable(a)), v[0]); };
  check_close(hessian(form, {x})[0][0], a + a.transpose());
  const Tensor along = numbers({4}, 3);
  check_close(hvp(form, {x}, {along}).product[0], core::matmul(a + a.transpose(), along));

  const auto rosenbrock = [](const Variables& v) {
    return pow(1.0 - v[0], 2) + 100.0 * pow(v[1] - v[0] * v[0], 2);
  };
  const double p = -1.2;
  const double q = 1;
  const std::vector<Variables> h =
      hessian(rosenbrock, {Tensor::scalar(p, float64), Tensor::scalar(q, float64)});
  CHECK(h[0][0].item() == doctest::Approx(2 - 400 * q + 1200 * p * p).epsilon(tolerance));
  CHECK(h[0][1].item() == doctest::Approx(-400 * p).epsilon(tolerance));
  CHECK(h[1][0].item() == doctest::Approx(-400 * p).epsilon(tolerance));
  CHECK(h[1][1].item() == doctest::Approx(200).epsilon(tolerance));
}

TEST_CASE("a Hessian has a block for each pair of inputs, and hvp is its product") {
  const Tensor a = numbers({3}, 1);
  const Tensor b = numbers({3}, 2);
  const auto f = [](const Variables& v) { return sum(v[0] * v[0] * v[1]); };
  const std::vector<Variables> h = hessian(f, {a, b});
  check_close(h[0][0], diagonal(2.0 * b));
  check_close(h[0][1], diagonal(2.0 * a));
  check_close(h[1][0], diagonal(2.0 * a));
  check_close(h[1][1], zeros({3, 3}, float64));

  const auto loss = [](const Variables& v) { return sum(pow(tangled(v), 3)); };
  const Variables inputs = tangled_inputs();
  const std::vector<Variables> blocks = hessian(loss, inputs);
  Variables v;
  for (std::size_t i = 0; i < inputs.size(); ++i) v.push_back(numbers(inputs[i].shape(), 9 + i));
  const HvpResult result = hvp(loss, inputs, v);
  check_close(result.output, loss(inputs).value());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::int64_t rows = inputs[i].numel();
    Tensor expected = zeros({rows}, float64);
    for (std::size_t j = 0; j < inputs.size(); ++j) {
      const std::int64_t columns = inputs[j].numel();
      CHECK(blocks[i][j].rank() == inputs[i].rank() + inputs[j].rank());
      const Tensor block = blocks[i][j].value().reshape({rows, columns});
      check_close(block, blocks[j][i].value().reshape({columns, rows}).transpose());
      expected = expected + core::matmul(block, v[j].value().reshape({columns}));
    }
    check_close(result.product[i], expected.reshape(inputs[i].shape()));
  }
}

TEST_CASE("with create_graph each result has derivatives, in the inputs and in what was captured") {
  const Variable x(numbers({3}, 1), true);
  const Variable factor(Tensor::scalar(1.5, float64), true);
  const auto f = [&factor](const Variables& v) { return sum(pow(v[0], 4)) * factor; };
  const DerivativeOptions recorded{.create_graph = true};
  const Tensor& at = x.value();

  const Variable trace = sum(hessian(f, {x}, recorded)[0][0]);  // 12·c·Σ x²
  const Variables of_trace = grad({trace}, {x, factor});
  check_close(of_trace[0], 24.0 * 1.5 * at);
  CHECK(of_trace[1].item() == doctest::Approx(12 * dot(at, at)).epsilon(tolerance));

  const Tensor v = numbers({3}, 2);
  check_close(grad({sum(hvp(f, {x}, {v}, recorded).product[0])}, {x})[0], 24.0 * 1.5 * at * v);
  check_close(grad({sum(vjp(f, {x}, {}, recorded).gradients[0])}, {x})[0], 12.0 * 1.5 * at * at);
  check_close(grad({jvp(f, {x}, {v}, recorded).tangent}, {x})[0], 12.0 * 1.5 * at * at * v);
  check_close(grad({sum(jacobian(f, {x}, recorded)[0])}, {x})[0], 12.0 * 1.5 * at * at);
  check_close(grad({vjp(f, {x}, {}, recorded).output}, {x})[0], 4.0 * 1.5 * at * at * at);
  // In the vectors too: both products are linear in theirs.
  const Variable left(numbers({3}, 3), true);
  const auto cubes = [](const Variables& u) { return pow(u[0], 3); };
  check_close(grad({sum(vjp(cubes, {x}, left, recorded).gradients[0])}, {left})[0], 3.0 * at * at);
  check_close(grad({sum(jvp(cubes, {x}, {left}, recorded).tangent)}, {left})[0], 3.0 * at * at);
}

TEST_CASE("without create_graph results are constants, and no grad() changes") {
  const Variable x(numbers({3}, 1), true);
  const Variable captured(numbers({3}, 2), true);
  const auto f = [&captured](const Variables& v) { return sum(v[0] * v[0] * captured); };
  CHECK(!vjp(f, {x}).output.requires_grad());
  CHECK(!vjp(f, {x}).gradients[0].requires_grad());
  CHECK(!jvp(f, {x}, {x}).tangent.requires_grad());
  CHECK(!jacobian(f, {x})[0].requires_grad());
  CHECK(!hessian(f, {x})[0][0].requires_grad());
  CHECK(!hvp(f, {x}, {captured}).product[0].requires_grad());
  CHECK(!x.grad().defined());
  CHECK(!captured.grad().defined());
}

TEST_CASE("under NoGrad they work as anywhere") {
  const NoGrad guard;
  const Tensor x = numbers({3}, 1);
  check_close(jacobian(squares, {x})[0], diagonal(2.0 * x));
  check_close(hessian(sum_of_squares, {x})[0][0], diagonal(full({3}, 2, float64)));
  check_close(jvp(squares, {x}, {x}).tangent, 2.0 * x * x);
  CHECK(!grad_enabled());
}

TEST_CASE("where the output does not depend on an input its derivative is zero") {
  const Tensor x = numbers({3}, 1);
  const Tensor y = numbers({2, 2}, 2);
  const auto first = [](const Variables& v) { return v[0] * 3.0; };
  check_close(jacobian(first, {x, y})[1], zeros({3, 2, 2}, float64));
  check_close(vjp(first, {x, y}, x).gradients[1], zeros({2, 2}, float64));
  check_close(jvp(first, {x, y}, {zeros({3}, float64), y}).tangent, zeros({3}, float64));
  const auto constant = [](const Variables&) { return Variable(ones({2}, float64)); };
  check_close(jacobian(constant, {x})[0], zeros({2, 3}, float64));
  check_close(jvp(constant, {x}, {x}).tangent, zeros({2}, float64));
  const auto linear_sum = [](const Variables& v) { return sum(v[0]); };
  check_close(hessian(linear_sum, {x})[0][0], zeros({3, 3}, float64));
  check_close(hvp(linear_sum, {x}, {x}).product[0], zeros({3}, float64));
  // The input itself, and nothing at all.
  check_close(jacobian([](const Variables& v) { return v[0]; }, {x})[0], eye(3, float64));
  CHECK(jacobian(squares, {zeros({0, 2}, float64)})[0].shape() == Shape{0, 2, 0, 2});
  check_close(jvp(squares, {zeros({0}, float64)}, {zeros({0}, float64)}).tangent,
              zeros({0}, float64));
}

TEST_CASE("they cost the passes that are documented") {
  const Tensor x = numbers({5}, 1);
  const Tensor one = numbers({1}, 2);
  CHECK(passes_of([&](const auto& f) { vjp(f, {x}, x); }) == Passes{1, 1});
  CHECK(passes_of([&](const auto& f) { jvp(f, {x}, {x}); }) == Passes{1, 1});
  CHECK(passes_of([&](const auto& f) { jacobian(f, {x}); }) == Passes{1, 5});
  CHECK(passes_of([&](const auto& f) { hvp(f, {one}, {one}); }) == Passes{1, 1});
  CHECK(passes_of([&](const auto& f) { hessian(f, {one}); }) == Passes{1, 1});
}

TEST_CASE("wrong calls are told in one line, with both sides") {
  const Tensor x = numbers({3}, 1);
  const auto undefined = [](const Variables&) { return Variable(); };
  const auto whole = [](const Variables&) { return Variable(ones({2}, int64)); };
  CHECK(message_of<ValueError>([&] { vjp(squares, {}); }) ==
        "vjp: expects at least one input, got none");
  CHECK(message_of<ShapeError>([&] { vjp(squares, {x}); }) ==
        "vjp: without v the function must give one element, got shape [3]");
  CHECK(message_of<ShapeError>([&] { vjp(squares, {x}, ones({2}, float64)); }) ==
        "vjp: v is [2], the output is [3]");
  CHECK(message_of<DTypeError>([&] { vjp(squares, {x}, ones({3})); }) ==
        "vjp: v is float32 [3], the output is float64 [3]; cast one with .to(float32) or "
        ".to(float64)");
  CHECK(message_of<ShapeError>([&] { jvp(squares, {x}, {}); }) ==
        "jvp: 0 vectors for 1 inputs; there must be one for each");
  CHECK(message_of<ShapeError>([&] { jvp(squares, {x}, {ones({4}, float64)}); }) ==
        "jvp: v[0] is [4], input 0 is [3]");
  CHECK(message_of<DTypeError>([&] { jacobian(squares, {ones({2}, int64)}); }) ==
        "jacobian: input 0 is int64 [2], and only float32 and float64 have derivatives; let the "
        "function capture it");
  CHECK(message_of<ShapeError>([&] {
          jacobian(squares, {ones({1, 1, 1, 1, 2}, float64)});
        }) ==
        "jacobian: a result of shape [1,1,1,1,2] and then [1,1,1,1,2] would have more than 8 "
        "dimensions; flatten one");
  CHECK(message_of<GradError>([&] { jacobian(undefined, {x}); }) ==
        "jacobian: the function gave an undefined Variable");
  CHECK(message_of<GradError>([&] { jacobian(squares, {Variable()}); }) ==
        "jacobian: input 0 is undefined");
  CHECK(message_of<ShapeError>([&] { hessian(squares, {x}); }) ==
        "hessian: the function must give one element, got shape [3]");
  CHECK(message_of<DTypeError>([&] { hessian(whole, {x}); }) ==
        "hessian: the function gave int64 [2], and only float32 and float64 have derivatives; cast "
        "with .to(float32)");
  CHECK(message_of<ShapeError>([&] { hvp(squares, {x}, {x}); }) ==
        "hvp: the function must give one element, got shape [3]");
  CHECK(message_of<ShapeError>([&] { hvp(sum_of_squares, {x}, {Variable()}); }) ==
        "hvp: v[0] is undefined, input 0 is [3]");
}

TEST_CASE("an op whose derivative is no function is refused, instead of giving zero") {
  struct Blind final : Op {
    Tensor forward(const Variable& x) { return x.value() * 3.0; }
    Variables backward(const Variable& dy) override { return {Variable(dy.value() * 3.0)}; }
  };
  const auto f = [](const Variables& v) { return record(Blind(), v[0]); };
  const Tensor x = numbers({3}, 1);
  const std::string none = "has no history: its backward is not made of functions on Variables";
  const auto refused = [&](const char* who, const auto& call) {
    const std::string message = message_of<GradError>(call);
    CAPTURE(message);
    CHECK(message.starts_with(std::string(who) + ": the gradient that "));
    CHECK(message.ends_with(" gave for its input 0 " + none));
  };
  refused("jvp", [&] { jvp(f, {x}, {x}); });
  // Beside a term that has a history, and where the second derivative would be 0 without a word.
  const auto mixed = [&](const Variables& v) { return f(v) + v[0]; };
  refused("jvp", [&] { jvp(mixed, {x}, {x}); });
  const auto total = [&](const Variables& v) { return sum(f(v) + pow(v[0], 3)); };
  refused("hvp", [&] { hvp(total, {x}, {x}); });
  refused("hessian", [&] { hessian([&](const Variables& v) { return sum(f(v)); }, {x}); });
  // First derivatives need none.
  check_close(jacobian(mixed, {x})[0], core::mul(eye(3, float64), 4.0));
}

TEST_CASE("no function is an error that says so") {
  const Tensor x = numbers({3}, 1);
  const DifferentiableFunction none;
  CHECK(message_of<ValueError>([&] { vjp(none, {x}); }) == "vjp: there is no function to call");
  CHECK(message_of<ValueError>([&] { jvp(none, {x}, {x}); }) ==
        "jvp: there is no function to call");
  CHECK(message_of<ValueError>([&] { jacobian(none, {x}); }) ==
        "jacobian: there is no function to call");
  CHECK(message_of<ValueError>([&] { hessian(none, {x}); }) ==
        "hessian: there is no function to call");
  CHECK(message_of<ValueError>([&] { hvp(none, {x}, {x}); }) ==
        "hvp: there is no function to call");
  CHECK(message_of<ValueError>([&] { checkpoint(none, {x}); }) ==
        "checkpoint: there is no function to call");
  Sequential model{Linear{3, 2}};
  CHECK(message_of<ValueError>([&] {
          per_sample_gradients(model, nullptr, ones({2, 3}), zeros({2}, int64));
        }) == "per_sample_gradients: there is no loss to call");
}

TEST_CASE("each sample's gradient is that of the sample alone, and their mean that of the batch") {
  Generator generator(1);
  Sequential model{Linear{4, 5, {}, generator}, Tanh{}, Linear{5, 3, {}, generator}};
  model.to(float64);
  const Tensor x = randn({6, 4}, generator, float64);
  const Tensor labels = randint(0, 3, {6}, generator);
  const auto loss = [](const Variable& y, const Tensor& label) { return cross_entropy(y, label); };
  const Variables all = per_sample_gradients(model, loss, x, labels);
  const Variables parameters = model.parameters();
  REQUIRE(all.size() == parameters.size());
  const Variables of_batch = grad({cross_entropy(model(x), labels)}, parameters);
  const Variables of_third =
      grad({cross_entropy(model(x.narrow(0, 3, 1)), labels.narrow(0, 3, 1))}, parameters);
  for (std::size_t i = 0; i < all.size(); ++i) {
    CHECK(all[i].rank() == parameters[i].rank() + 1);
    CHECK(all[i].size(0) == 6);
    CHECK(core::equal(all[i].value()[3], of_third[i].value()));
    check_close(of_batch[i], core::mean(all[i].value(), {0}));
    CHECK(!all[i].requires_grad());
    CHECK(!parameters[i].grad().defined());
  }
}

TEST_CASE("per-sample gradients of frozen, of unused parameters and of no samples") {
  struct Half final : Module {
    Variable used{ones({2}, float64), true};
    Variable frozen{ones({2}, float64)};
    Variable unused{ones({3}, float64), true};
    void visit(Visitor& v) override {
      v("used", used);
      v("frozen", frozen);
      v("unused", unused);
    }
    Variable forward(const Variable& x) override { return x * used * frozen; }
  };
  Half model;
  const auto loss = [](const Variable& y, const Tensor& target) { return mse_loss(y, target); };
  const Tensor x = numbers({4, 2}, 1);
  const Variables all = per_sample_gradients(model, loss, x, zeros({4, 2}, float64));
  check_close(all[0], x * x);  // d(mean of (x·w)² over two)/dw = x²·w
  CHECK(!all[1].defined());
  check_close(all[2], zeros({4, 3}, float64));
  const Variables none =
      per_sample_gradients(model, loss, zeros({0, 2}, float64), zeros({0, 2}, float64));
  CHECK(none[0].shape() == Shape{0, 2});

  CHECK(message_of<ShapeError>([&] {
          per_sample_gradients(model, loss, x, zeros({3, 2}, float64));
        }) ==
        "per_sample_gradients: expects labels of shape [4,...], for x of [4,2], got float64 "
        "[3,2]");
  CHECK(message_of<ShapeError>([&] {
          per_sample_gradients(model, loss, Tensor::scalar(1, float64), x);
        }) == "per_sample_gradients: expects x of shape [N,...], got float64 []");
  const auto many = [](const Variable& y, const Tensor&) { return y; };
  CHECK(message_of<ShapeError>([&] { per_sample_gradients(model, many, x, x); }) ==
        "per_sample_gradients: the loss of a sample must give one element, got shape [1,2]");
}
