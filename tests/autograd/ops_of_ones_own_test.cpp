// Ops of one's own: local structs, names, several outputs, errors that name op and input; and hooks,
// which see gradients on their way.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/autograd/op.h>
#include <gradus/core/create.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "support/error_message.h"

using namespace gradus;

namespace {

Variable leaf(const NestedList& values) { return {Tensor::from(values, float64), true}; }

/// Quotient and remainder-like sum of two inputs, and which is the greater.
struct SumAndProduct final : MultiOp {
  static constexpr std::string_view name = "sum_and_product";
  Variable a, b;
  std::vector<Tensor> forward(const Variable& left, const Variable& right) {
    a = left;
    b = right;
    return {left.value() + right.value(), left.value() * right.value(),
            (left.value() > right.value()).to(int64)};
  }
  Variables backward_all(const Variables& grads) override {
    REQUIRE(!grads[2].defined());
    return {grads[0] + grads[1] * b, grads[0] + grads[1] * a};
  }
};

}  // namespace

TEST_CASE("an op is a local struct, and without a name it has that of its type") {
  struct Square final : Op {
    Variable x;
    Tensor forward(const Variable& input) {
      x = input;
      return input.value() * input.value();
    }
    Variables backward(const Variable& dy) override { return {dy * x * 2.0}; }
  };
  struct Named final : Op {
    static std::string_view name() { return "my_name"; }
    Tensor forward(const Variable& x) { return x.value().clone(); }
    Variables backward(const Variable& dy) override { return {dy}; }
  };
  const Variable x = leaf({1.0, 2.0});
  const Variable y = record(Square(), x);
  CHECK(y.node()->name == "Square");
  CHECK(record(Named(), x).node()->name == "my_name");
  sum(y).backward();
  CHECK(core::equal(x.grad().value(), Tensor::from({2.0, 4.0}, float64)));
}

TEST_CASE("several outputs: each adds its part, twice differentiable, unused ones count as zeros") {
  const Variable a = leaf({1.0, 2.0});
  const Variable b = leaf({3.0, -4.0});
  const Variables both = record(SumAndProduct(), a, b);
  REQUIRE(both.size() == 3);
  CHECK(core::equal(both[2].value(), Tensor::from({0, 1})));
  CHECK(!both[2].requires_grad());
  sum(both[0] * 10.0 + both[1]).backward();
  CHECK(core::equal(a.grad().value(), Tensor::from({13.0, 6.0}, float64)));
  CHECK(core::equal(b.grad().value(), Tensor::from({11.0, 12.0}, float64)));

  a.zero_grad();
  sum(record(SumAndProduct(), a, b)[1]).backward();
  CHECK(core::equal(a.grad().value(), b.value()));

  const Variable product = record(SumAndProduct(), a, a)[1];
  const Variable slope = grad({sum(product)}, {a}, {}, {.create_graph = true})[0];
  const Variable curvature = grad({sum(slope)}, {a})[0];
  CHECK(core::equal(curvature.value(), Tensor::from({2.0, 2.0}, float64)));
  {
    const NoGrad guard;
    CHECK(!record(SumAndProduct(), a, b)[0].requires_grad());
  }
  // What a MultiOp keeps is watched as well.
  const Variables kept = record(SumAndProduct(), a, b);
  a.value().fill_(7);
  CHECK(contains(message_of<GradError>([&] { sum(kept[0]).backward(); }),
                 "sum_and_product kept its input 0"));
}

TEST_CASE("a gradient that does not fit names the op, the input and both shapes") {
  struct Wrong final : Op {
    static std::string_view name() { return "wrong"; }
    Tensor forward(const Variable& x, const Variable&) { return x.value().clone(); }
    Variables backward(const Variable& dy) override { return {dy, dy}; }
  };
  const Variable x = leaf({1.0, 2.0});
  const Variable y = exp(leaf({{1.0}, {2.0}, {3.0}}));
  const std::string message = message_of<GradError>([&] { sum(record(Wrong(), x, y)).backward(); });
  CHECK(message ==
        "backward: wrong returned a gradient float64 [2] for its input 1, which is float64 "
        "[3,1], the result of exp");
}

TEST_CASE("a hook on a Variable sees its whole gradient, and may change it") {
  const Variable x = leaf({1.0, 2.0});
  const Variable y = x * 3.0;
  std::vector<std::string> seen;
  HookHandle watching = y.register_hook([&](const Variable& grad) {
    seen.push_back(std::to_string(grad.value().to_vector<double>()[0]));
    return Variable();
  });
  HookHandle halving = y.register_hook([](const Variable& grad) { return grad * 0.5; });
  const auto run = [&] {
    x.zero_grad();
    (sum(y) + sum(y * y)).backward({.retain_graph = true});
    return x.grad().value().to_vector<double>();
  };
  CHECK(run() == std::vector<double>{10.5, 19.5});  // (1 + 2y)·3/2
  CHECK(seen == std::vector<std::string>{std::to_string(7.0)});
  halving.remove();
  halving.remove();
  CHECK(run() == std::vector<double>{21, 39});
  watching.remove();
  run();
  CHECK(seen.size() == 2);

  // A leaf's: before it is added to grad().
  const Variable w = leaf({1.0});
  w.register_hook([](const Variable& grad) { return grad * 10.0; });
  sum(w).backward();
  sum(w).backward();
  CHECK(w.grad().item() == 20);
  CHECK_THROWS_AS(Variable(ones({1})).register_hook([](const Variable& g) { return g; }),
                  GradError);
}

TEST_CASE("a hook that throws ends the pass, and one of a wrong shape is named") {
  const Variable x = leaf({1.0, 2.0});
  const Variable y = x * 3.0;
  HookHandle throwing =
      y.register_hook([](const Variable&) -> Variable { throw std::runtime_error("enough"); });
  CHECK_THROWS_WITH(sum(y).backward({.retain_graph = true}), "enough");
  CHECK(!x.grad().defined());
  throwing.remove();
  const HookHandle wrong = y.register_hook([](const Variable& grad) { return sum(grad); });
  CHECK(contains(message_of<GradError>([&] { sum(y).backward({.retain_graph = true}); }),
                 "register_hook: a hook on a result of scale gave a gradient float64 []"));
}

TEST_CASE("operators on Tensors say what the functions do") {
  const Tensor a = Tensor::from({1.0, -2.0, 3.0}, float64);
  const Tensor b = Tensor::from({2.0, 2.0, 3.0}, float64);
  CHECK(core::equal(a + b, core::add(a, b)));
  CHECK(core::equal(a - b, core::sub(a, b)));
  CHECK(core::equal(a * b, core::mul(a, b)));
  CHECK(core::equal(a / b, core::div(a, b)));
  CHECK(core::equal(2.0 - a / 2.0 + 1 * a, core::add(core::sub(2, core::div(a, 2)), a)));
  CHECK(core::equal(1 / a, core::div(1, a)));
  CHECK(core::equal(-a, core::neg(a)));
  CHECK(core::equal(a < b, core::lt(a, b)));
  CHECK(core::equal(a >= 1, core::ge(a, 1)));
  CHECK(core::equal(a == b, core::eq(a, b)));
  CHECK(core::equal(a != 3, core::ne(a, 3)));
  // With a Variable it stays on the tape.
  const Variable x(a, true);
  CHECK((x * b).requires_grad());
  CHECK((a + x).requires_grad());
}

TEST_CASE("the advice of a dtype error never loses numbers") {
  const auto advice = [](DType a, DType b) {
    return message_of<DTypeError>([&] { core::add(ones({1}, a), ones({1}, b)); });
  };
  for (const auto& [a, b] :
       {std::pair{int64, float32}, std::pair{float32, int64}, std::pair{uint8, float32}}) {
    CHECK(contains(advice(a, b), "; cast the other with .to(float32)"));
  }
  CHECK(contains(advice(int64, float64), "; cast the other with .to(float64)"));
  CHECK(contains(advice(uint8, int64), "; cast the other with .to(int64)"));
  CHECK(contains(advice(float64, float32), "; cast one with .to(float32) or .to(float64)"));
}
