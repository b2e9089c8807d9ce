// Hooks on modules, modules of several Variables, and the short forms of layers.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/pool.h>
#include <gradus/layers/sequential.h>

#include <stdexcept>
#include <string>
#include <vector>

using namespace gradus;

namespace {

struct Doubled final : Module {
  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override { return x * 2.0; }
};

/// (a, b) -> (a + b, a·b)
struct Pairwise final : MultiModule {
  void visit(Visitor&) override {}
  Variables forward_all(const Variables& v) override { return {v[0] + v[1], v[0] * v[1]}; }
};

/// x -> x, x²
struct Powers final : MultiModule {
  void visit(Visitor&) override {}
  Variables forward_all(const Variables& v) override { return {v[0], v[0] * v[0]}; }
};

double only(const Variable& x) { return x.item(); }

}  // namespace

TEST_CASE("hooks before and after a module see and change what passes, until they are removed") {
  Doubled module;
  std::vector<std::string> order;
  HookHandle before = module.register_forward_pre_hook([&](Module& m, const Variable& x) {
    order.push_back("before " + m.kind());
    return x + 1.0;
  });
  HookHandle after =
      module.register_forward_hook([&](Module&, const Variable& x, const Variable& y) {
        order.push_back("after");
        return y + x;
      });
  const Variable x = Tensor::scalar(3, float64);
  CHECK(only(module(x)) == 12);  // 2·(3+1) + (3+1)
  CHECK(order == std::vector<std::string>{"before Doubled", "after"});
  after.remove();
  CHECK(only(module(x)) == 8);
  before.remove();
  CHECK(!module.has_hooks());
  CHECK(only(module(x)) == 6);
}

TEST_CASE("a backward hook sees both gradients of its module alone") {
  Doubled module;
  std::vector<double> seen;
  HookHandle handle = module.register_full_backward_hook(
      [&](Module&, const Variable& grad_input, const Variable& grad_output) {
        seen = {only(grad_input), only(grad_output)};
        return grad_input * 10.0;
      });
  const Variable x(Tensor::scalar(3, float64), true);
  (module(x) * 5.0 + x).backward();  // beside the module x has a slope of 1
  CHECK(seen == std::vector<double>{10, 5});
  CHECK(only(x.grad()) == 101);

  seen.clear();
  const HookHandle plain =
      module.register_full_backward_hook([&](Module&, const Variable& grad_input, const Variable&) {
        seen.push_back(grad_input.defined() ? 1 : 0);
        return Variable();
      });
  handle.remove();
  Linear layer(1, 1);
  layer.register_full_backward_hook([&](Module&, const Variable& grad_input, const Variable&) {
    seen.push_back(grad_input.defined() ? 1 : 0);
    return Variable();
  });
  sum(layer(Variable(ones({2, 1})))).backward();  // the input wants no gradient
  CHECK(seen == std::vector<double>{0});
}

TEST_CASE("a hook that throws leaves the module usable") {
  Doubled module;
  HookHandle handle =
      module.register_forward_hook([](Module&, const Variable&, const Variable&) -> Variable {
        throw std::runtime_error("no");
      });
  const Variable x = Tensor::scalar(3, float64);
  CHECK_THROWS_WITH(module(x), "no");
  handle.remove();
  CHECK(only(module(x)) == 6);
}

TEST_CASE("in a Sequential, hooks of a layer and of the ReLU behind it see their own outputs") {
  Generator generator(1);
  Sequential net(Linear(3, 4, {}, generator), ReLU());
  const Variable x = randn({5, 3}, generator);
  const Tensor expected = net(x).value();
  Variable before;
  Variable after;
  HookHandle first = net[0].register_forward_hook(
      [&](Module&, const Variable&, const Variable& y) { return before = y, Variable(); });
  CHECK(core::equal(net(x).value(), expected));
  CHECK(core::min(before.value()).item() < 0);  // before the relu
  first.remove();
  HookHandle second = net[1].register_forward_hook(
      [&](Module&, const Variable&, const Variable& y) { return after = y, Variable(); });
  CHECK(core::equal(net(x).value(), expected));
  CHECK(core::equal(after.value(), expected));
}

TEST_CASE("a module of several Variables") {
  Pairwise module;
  const Variable a(Tensor::scalar(3, float64), true);
  const Variable b(Tensor::scalar(4, float64), true);
  const Variables both = module({a, b});
  (both[0] + both[1]).backward();
  CHECK(only(a.grad()) == 5);
  CHECK(only(b.grad()) == 4);
}

TEST_CASE("the short forms are the long ones") {
  Generator one(1);
  Generator two(1);
  const Conv2d brief(3, 16, 3, one);
  const Conv2d whole(3, 16, {.kernel_size = 3}, two);
  CHECK(brief.extra() == whole.extra());
  CHECK(core::equal(brief.weight.value(), whole.weight.value()));
  CHECK(MaxPool2d(2).extra() == MaxPool2d({.kernel_size = 2}).extra());
  CHECK(AvgPool2d(3).extra() == AvgPool2d({.kernel_size = 3}).extra());
  CHECK(Conv2d(1, 6, {.kernel_size = 5, .padding = 2}).extra().find("padding") !=
        std::string::npos);
}

TEST_CASE("a module of several Variables takes a list of one as a list") {
  Powers module;
  const Variable x = Tensor::scalar(3, float64);
  const Variables y = module({x});
  REQUIRE(y.size() == 2);
  CHECK(only(y[1]) == 9);
  CHECK_THROWS_AS(module(x), ValueError);  // asked for one
}
