// What backward() and grad() promise: sums over uses, freed and retained graphs, higher
// derivatives, who may see whose gradient, and misuse said clearly.
#include <doctest/doctest.h>
#include <gradus/autograd/engine.h>
#include <gradus/autograd/functions.h>
#include <gradus/autograd/op.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>

#include <atomic>
#include <cmath>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/error_message.h"

using namespace gradus;

namespace {

Variable leaf(double value) { return Variable(Tensor::scalar(value, float64), true); }
Variable leaf(const NestedList& values) { return Variable(Tensor::from(values, float64), true); }

double gradient(const Variable& x) { return x.grad().item(); }

/// d^order f / dx^order at x, by taking gradients of gradients.
template <class F> double derivative(const F& f, double at, int order) {
  const Variable x = leaf(at);
  Variable y = f(x);
  for (int i = 0; i < order; ++i) y = grad({y}, {x}, {}, {.create_graph = true})[0];
  return y.item();
}

/// 2x, counting how often it runs backward.
struct Counted final : Op {
  static constexpr std::string_view name = "counted";
  int* runs;
  explicit Counted(int* counter) : runs(counter) {}
  Tensor forward(const Variable& x) { return core::mul(x.value(), 2); }
  Variables backward(const Variable& dy) override {
    ++*runs;
    return {dy * 2.0};
  }
};

/// w·x, telling `seen` when it runs backward.
struct Told final : Op {
  static constexpr std::string_view name = "told";
  std::vector<std::string>* seen;
  std::string line;
  Variable w;
  Variable x;
  Told(std::vector<std::string>* told, std::string its_name)
      : seen(told), line(std::move(its_name)) {}
  Tensor forward(const Variable& factor, const Variable& input) {
    w = factor;
    x = input;
    return core::mul(w.value(), x.value());
  }
  Variables backward(const Variable& dy) override {
    seen->push_back(line);
    return {needs(0) ? dy * x : Variable(), needs(1) ? dy * w : Variable()};
  }
};

/// Two inputs, one gradient.
struct Forgetful final : Op {
  static constexpr std::string_view name = "forgetful";
  Tensor forward(const Variable& a, const Variable& b) { return core::add(a.value(), b.value()); }
  Variables backward(const Variable& dy) override { return {dy}; }
};

/// A sum that does not spread its gradient.
struct Misshapen final : Op {
  static constexpr std::string_view name = "misshapen";
  Tensor forward(const Variable& a) { return core::sum(a.value()); }
  Variables backward(const Variable& dy) override { return {dy}; }
};

/// Relative; a few dozen roundings in float64.
doctest::Approx about(double value) { return doctest::Approx(value).epsilon(1e-12); }

}  // namespace

TEST_CASE("a gradient is the sum over all uses") {
  const Variable x = leaf(3);
  (x * x + x * 2.0 + x).backward();
  CHECK(gradient(x) == 9);
}

TEST_CASE("a diamond runs each node once, after both of its uses") {
  int runs = 0;
  const Variable x = leaf(5);
  Variable y = x;
  for (int depth = 0; depth < 20; ++depth) {
    const Variable shared = apply(Counted(&runs), y);
    y = shared + shared;  // two paths per level: a million in all
  }
  y.backward();
  CHECK(runs == 20);
  CHECK(gradient(x) == std::pow(4.0, 20));
}

TEST_CASE("a leaf has its gradient, and runs its hooks, as soon as its oldest use has run") {
  const Variable x = leaf(2);
  const Variable early = leaf(3);
  const Variable shared = leaf(5);
  const Variable late = leaf(7);
  std::vector<std::string> seen;
  std::vector<bool> collected;  // late's gradient, when early's hook runs
  const auto tells = [&](const char* name) {
    return [&seen, name](const Variable& grad) {
      seen.push_back(text_of(name, " ", grad.item()));
      return Variable();
    };
  };
  x.register_hook(tells("x"));
  early.register_hook(tells("early"));
  early.register_hook([&](const Variable&) {
    collected.push_back(late.grad().defined());
    return Variable();
  });
  shared.register_hook(tells("shared"));
  late.register_hook(tells("late"));
  const auto net = [&] {
    Variable y = apply(Told(&seen, "first"), early, x);  // 6
    y = apply(Told(&seen, "second"), shared, y);         // 30
    y = apply(Told(&seen, "third"), shared, y);          // 150
    return apply(Told(&seen, "fourth"), late, y);        // 1050
  };
  const std::vector<std::string> wanted{"fourth",     "late 150", "third",     "second",
                                        "shared 420", "first",    "early 350", "x 525"};
  for (const bool create_graph : {false, true}) {
    CAPTURE(create_graph);
    seen.clear();
    late.zero_grad();
    const Variable y = net();
    y.backward({.create_graph = create_graph});
    CHECK(seen == wanted);
    CHECK(collected.back());
    // grad(), too, as far as it goes: a result, or a leaf.
    const std::size_t hooks_of_early = collected.size();
    seen.clear();
    late.zero_grad();
    const Variable again = net();
    const Variables found =
        grad({again}, {shared, again, late}, {}, {.create_graph = create_graph});
    CHECK(found[0].item() == 420);
    CHECK(found[1].item() == 1);
    CHECK(found[2].item() == 150);
    CHECK(seen == std::vector<std::string>(wanted.begin(), wanted.begin() + 5));
    CHECK(collected.size() == hooks_of_early);
    for (const Variable& leaf : {x, early, shared, late})
      leaf.zero_grad();  // or they keep each other
  }
}

TEST_CASE("a leaf whose oldest use sends it nothing keeps what the others sent") {
  struct NoSlope final : Op {
    Tensor forward(const Variable& x) { return x.value().clone(); }
    Variables backward(const Variable&) override { return {Variable()}; }
  };
  const Variable w = leaf(3);
  const Variable old = w * 5.0;  // never runs: nothing arrives
  const Variable cut = apply(NoSlope(), old);
  (w * cut).backward();
  CHECK(gradient(w) == 15);
  // As an output with uses besides, its seed counts with them.
  w.zero_grad();
  CHECK(grad({w, w * 2.0}, {w})[0].item() == 3);
}

TEST_CASE("what throws in the middle ends the pass: what was complete by then has been collected") {
  const Variable x = leaf(2);
  const Variable early = leaf(3);
  const Variable late = leaf(7);
  std::vector<std::string> seen;
  const HookHandle throwing =
      late.register_hook([](const Variable&) -> Variable { throw std::runtime_error("enough"); });
  const auto loss = [&] {
    return apply(Told(&seen, "second"), late, apply(Told(&seen, "first"), early, x));
  };
  CHECK_THROWS_WITH(loss().backward(), "enough");
  CHECK(seen == std::vector<std::string>{"second"});
  CHECK(!late.grad().defined());
  CHECK(!early.grad().defined());
  HookHandle(throwing).remove();
  early.register_hook([](const Variable&) -> Variable { throw std::runtime_error("again"); });
  CHECK_THROWS_WITH(loss().backward(), "again");
  CHECK(gradient(late) == 6);
  CHECK(!early.grad().defined());
}

TEST_CASE("gradients of several backward calls add up until they are dropped") {
  const Variable x = leaf(3);
  (x * x).backward();
  (x * x).backward();
  CHECK(gradient(x) == 12);
  x.zero_grad();
  CHECK(!x.grad().defined());
  (x * x).backward();
  CHECK(gradient(x) == 6);
}

TEST_CASE("a graph runs once, and again only when it was retained") {
  const Variable x = leaf(3);
  const Variable y = exp(x);
  y.backward({.retain_graph = true});
  y.backward();
  CHECK(gradient(x) == about(2 * std::exp(3)));
  CHECK(message_of<GradError>([&] { y.backward(); }) ==
        "backward: the graph behind exp was freed by an earlier backward(); pass retain_graph = "
        "true there to run it again");
  CHECK(gradient(x) == about(2 * std::exp(3)));
}

TEST_CASE("a graph that shares a part with a freed one says so") {
  const Variable x = leaf(3);
  const Variable shared = exp(x);
  (shared * 2.0).backward();
  CHECK_THROWS_AS((shared * 3.0).backward(), GradError);
}

TEST_CASE("second and third derivatives are those of analysis") {
  for (const double x : {0.3, 1.1, 2.7}) {
    CAPTURE(x);
    const double t = std::tanh(x);
    CHECK(derivative([](const Variable& v) { return tanh(v); }, x, 2) ==
          about(-2 * t * (1 - t * t)));
    CHECK(derivative([](const Variable& v) { return tanh(v); }, x, 3) ==
          about((1 - t * t) * (6 * t * t - 2)));
    CHECK(derivative([](const Variable& v) { return exp(v * v); }, x, 2) ==
          about((4 * x * x + 2) * std::exp(x * x)));
    CHECK(derivative([](const Variable& v) { return log(v); }, x, 3) == about(2 / (x * x * x)));
    CHECK(derivative([](const Variable& v) { return sqrt(v); }, x, 2) ==
          about(-0.25 * std::pow(x, -1.5)));
    CHECK(derivative([](const Variable& v) { return pow(v, 4); }, x, 4) == about(24));
    CHECK(derivative([](const Variable& v) { return 1.0 / v; }, x, 2) == about(2 / (x * x * x)));
    const double s = 1 / (1 + std::exp(-x));
    CHECK(derivative([](const Variable& v) { return sigmoid(v); }, x, 2) ==
          about(s * (1 - s) * (1 - 2 * s)));
  }
}

TEST_CASE("mixed second derivatives come from a gradient in a loss") {
  const Variable x = leaf({1.0, 2.0});
  const Variable y = leaf({3.0, -1.0});
  const Variable dx = grad({sum(x * x * y)}, {x}, {}, {.create_graph = true})[0];  // 2xy
  sum(dx * dx).backward();                                                         // 4x²y²
  CHECK(core::equal(x.grad().value(), Tensor::from({72.0, 16.0}, float64)));       // 8xy²
  CHECK(core::equal(y.grad().value(), Tensor::from({24.0, -32.0}, float64)));      // 8x²y
}

TEST_CASE("backward with create_graph leaves gradients that can be differentiated") {
  const Variable x = leaf(3);
  (x * x * x).backward({.create_graph = true});
  const Variable first = x.grad();
  CHECK(first.item() == 27);
  x.zero_grad();
  first.backward();
  CHECK(gradient(x) == 18);
  x.zero_grad();
}

TEST_CASE("grad returns gradients and touches nobody's grad()") {
  const Variable x = leaf(3);
  const Variable y = leaf(5);
  const Variable product = x * y;
  const Variables found = grad({product * product}, {product, x});
  CHECK(found[0].item() == 30);
  CHECK(found[1].item() == 150);
  CHECK(!x.grad().defined());
  CHECK(!y.grad().defined());
  CHECK(!product.grad().defined());
  CHECK(!found[1].requires_grad());
}

TEST_CASE("grad of several outputs is the sum, each with its seed") {
  const Variable x = leaf({1.0, 2.0});
  const Variables found = grad({x * x, sum(x)}, {x},
                               {Tensor::from({1.0, 10.0}, float64), Tensor::scalar(100, float64)});
  CHECK(core::equal(found[0].value(), Tensor::from({102.0, 140.0}, float64)));
  CHECK(grad({sum(x)}, {}).empty());
}

TEST_CASE("an output may be its own input, and an input may be asked for twice") {
  const Variable x = leaf(3);
  CHECK(grad({x}, {x})[0].item() == 1);
  const Variables twice = grad({x * x}, {x, x});
  CHECK(twice[0].item() == 6);
  CHECK(twice[1].item() == 6);
}

TEST_CASE("an input that is not reached is an error, or undefined when that is allowed") {
  const Variable x = leaf(3);
  const Variable stranger = leaf(4);
  CHECK(message_of<GradError>([&] {
          grad({x * x}, {x, stranger});
        }) ==
        "grad: the outputs do not depend on input 1; pass allow_unused = true to get an undefined "
        "one");
  const Variables found = grad({x * x}, {stranger, x}, {}, {.allow_unused = true});
  CHECK(!found[0].defined());
  CHECK(found[1].item() == 6);
}

TEST_CASE("misuse is refused with the reason") {
  const Variable x = leaf({1.0, 2.0});
  const Variable constant = ones({}, float64);
  CHECK(message_of<GradError>([&] { (x * x).backward(); }) ==
        "backward: expects an output of one element, got [2]; pass a seed of that shape");
  CHECK(message_of<GradError>([&] { constant.backward(); }) ==
        "backward: the output float64 [] depends on nothing that requires a gradient");
  CHECK(message_of<GradError>([&] { (x * x).backward(ones({3}, float64)); }) ==
        "backward: the seed is float64 [3], the output of mul is float64 [2]");
  CHECK(message_of<GradError>([&] { (x * x).backward(ones({2})); }) ==
        "backward: the seed is float32 [2], the output of mul is float64 [2]");
  CHECK(message_of<GradError>([&] { (-x).backward(ones({2})); }) ==
        "backward: the seed is float32 [2], the output of neg is float64 [2]");
  CHECK(message_of<GradError>([&] { grad({sum(x)}, {constant}); }) ==
        "grad: input 0 does not require a gradient");
  CHECK(message_of<GradError>([&] {
          grad({sum(x), sum(x)}, {x}, {constant});
        }) == "grad: 2 outputs, but 1 seeds");
  CHECK_THROWS_AS(grad({constant}, {x}), GradError);
  CHECK_THROWS_AS(grad({Variable()}, {x}), GradError);
  CHECK_THROWS_AS(grad({sum(x)}, {Variable()}), GradError);
  CHECK_THROWS_AS((x * x).backward(Variable()), GradError);
  CHECK(!x.grad().defined());
}

TEST_CASE("an undefined Variable is refused by everything, and crashes nothing") {
  const Variable none;
  CHECK(!none.defined());
  CHECK(!none.requires_grad());
  CHECK(!none.grad().defined());
  none.zero_grad();
  CHECK_THROWS_AS(none.value(), GradError);
  CHECK_THROWS_AS(none.backward(), GradError);
  CHECK_THROWS_AS(none.detach(), GradError);
  CHECK_THROWS_AS(none.retain_grad(), GradError);
  CHECK_THROWS_AS(none.requires_grad_(), GradError);
  CHECK_THROWS_AS(none.requires_grad_(false), GradError);
  CHECK_THROWS_AS(none.set_value(ones({2})), GradError);
  CHECK_THROWS_AS(none.set_grad(ones({2})), GradError);
  CHECK_THROWS_AS(none.set_grad({}), GradError);
}

TEST_CASE("detach shares the value and forgets the history") {
  const Variable x = leaf(3);
  const Variable y = x * x;
  const Variable cut = y.detach();
  CHECK(cut.value().storage() == y.value().storage());
  CHECK(!cut.requires_grad());
  (y * cut).backward();  // 2x·9
  CHECK(gradient(x) == 54);
}

TEST_CASE("NoGrad nests, GradMode turns it back on, and each thread has its own") {
  const Variable x = leaf(3);
  CHECK(grad_enabled());
  {
    const NoGrad outer;
    {
      const NoGrad inner;
      CHECK(!(x * x).requires_grad());
    }
    CHECK(!grad_enabled());
    {
      const GradMode mode(true);
      CHECK((x * x).requires_grad());
    }
    CHECK(!grad_enabled());
    bool elsewhere = false;
    std::thread([&] { elsewhere = grad_enabled(); }).join();
    CHECK(elsewhere);
  }
  CHECK(grad_enabled());
}

TEST_CASE("an exception in backward leaves the recording mode as it was") {
  const Variable x = leaf({1.0, 2.0});
  CHECK_THROWS_AS((x * x).backward(ones({3}, float64)), GradError);
  CHECK(grad_enabled());
}

TEST_CASE("a constant result of NoGrad is a leaf that starts a new graph") {
  const Variable x = leaf(3);
  Variable y;
  {
    const NoGrad guard;
    y = x * x;
  }
  CHECK(y.is_leaf());
  y.requires_grad_();
  (y * 2.0).backward();
  CHECK(gradient(y) == 2);
  CHECK(!x.grad().defined());
}

TEST_CASE("requires_grad_ is for leaves of floating dtype") {
  const Variable x = leaf(3);
  CHECK(x.is_leaf());
  CHECK(!(x * x).is_leaf());
  CHECK(Variable(ones({})).is_leaf());
  CHECK(message_of<GradError>([&] { (x * x).requires_grad_(); }) ==
        "requires_grad_: only for leaves, not for a result of mul; use detach()");
  CHECK_THROWS_AS((x * x).requires_grad_(false), GradError);
  CHECK(message_of<GradError>([] { Variable(ones({2}, int64), true); }) ==
        "requires_grad_: only float32 and float64 have gradients, got int64");
  x.requires_grad_(false);
  CHECK(!(x * x).requires_grad());
}

TEST_CASE("set_value replaces a leaf's numbers, not a result's, and keeps the dtype floating") {
  const Variable x = leaf(3);
  x.set_value(Tensor::from({1.0, 2.0}, float64));
  sum(x * x).backward();
  CHECK(core::equal(x.grad().value(), Tensor::from({2.0, 4.0}, float64)));
  CHECK(message_of<GradError>([&] { (x * x).set_value(ones({2})); }) ==
        "set_value: only for leaves and constants, not for a result of mul");
  CHECK_THROWS_AS(x.set_value(ones({2}, int64)), GradError);
  CHECK_THROWS_AS(x.set_value(Tensor()), GradError);
  CHECK(x.dtype() == float64);
}

TEST_CASE("set_grad takes a gradient of the right shape and dtype only") {
  const Variable x = leaf({1.0, 2.0});
  x.set_grad(ones({2}, float64));
  sum(x).backward();
  CHECK(core::equal(x.grad().value(), full({2}, 2, float64)));
  CHECK_THROWS_AS(x.set_grad(ones({3}, float64)), ShapeError);
  CHECK_THROWS_AS(x.set_grad(ones({2})), Error);
}

TEST_CASE("relu masks a gradient where it lies only while nobody else sees it") {
  const Tensor mask = Tensor::from({0.0, 1.0, 0.0, 1.0});
  const Variable x(Tensor::from({-1.0, 2.0, -3.0, 4.0}), true);
  const Tensor all = ones({4});

  const Variable seed(all.clone());
  relu(x).backward(seed);
  CHECK(core::equal(seed.value(), all));  // the caller's
  CHECK(core::equal(x.grad().value(), mask));

  x.zero_grad();
  const Variable y = relu(x);
  y.retain_grad();
  sum(y * 1.0).backward();
  CHECK(core::equal(y.grad().value(), all));  // kept in a grad()
  CHECK(core::equal(x.grad().value(), mask));

  const Variable z = relu(x);
  const Variables found = grad({sum(z * 1.0)}, {z, x});
  CHECK(core::equal(found[0].value(), all));  // asked for
  CHECK(core::equal(found[1].value(), mask));

  x.zero_grad();
  const Variable other(Tensor::from({5.0, 6.0, 7.0, 8.0}), true);
  sum((relu(x) + other) * 1.0).backward();
  CHECK(core::equal(other.grad().value(), all));  // two inputs of one sum
  CHECK(core::equal(x.grad().value(), mask));

  x.zero_grad();
  sum(relu(x)).backward();  // an expanded one: four elements in one place
  CHECK(core::equal(x.grad().value(), mask));
}

TEST_CASE("retain_grad keeps an intermediate's gradient, others are dropped") {
  const Variable x = leaf(3);
  const Variable kept = x * x;
  const Variable dropped = x * 2.0;
  kept.retain_grad();
  (kept * dropped).backward();
  CHECK(kept.grad().item() == 6);
  CHECK(!dropped.grad().defined());
  CHECK(gradient(x) == 54);  // 6x²
  CHECK_THROWS_AS(Variable(ones({})).retain_grad(), GradError);
}

TEST_CASE("only what somebody needs is computed") {
  const Variable x = leaf(3);
  const Variable constant = Tensor::scalar(2, float64);
  const Variable y = x * constant;
  REQUIRE(y.node() != nullptr);
  CHECK(y.node()->inputs[0] == x.node());
  CHECK(y.node()->inputs[1] == nullptr);
  y.backward();
  CHECK(gradient(x) == 2);
  CHECK(!constant.grad().defined());
}

TEST_CASE("grad runs what leads to what is asked for, and leaves the rest of the tape as it is") {
  const Variable x = leaf(3);
  const Variable below = x * x;
  const Variable other = leaf(5);
  const Variable y = below * other;
  int of_x = 0;
  int of_other = 0;
  x.register_hook([&](const Variable& g) { return ++of_x, g; });
  other.register_hook([&](const Variable& g) { return ++of_other, g; });
  const Variable g = grad({y}, {below})[0];
  CHECK(g.item() == 5);
  CHECK(of_x == 0);
  CHECK(of_other == 0);
  below.backward(g);  // on through what was not freed
  CHECK(gradient(x) == 30);
  CHECK(of_x == 1);
  // The part that ran was.
  CHECK_THROWS_AS(grad({y}, {other}), GradError);
}

TEST_CASE("no leaf's gradient is the seed's memory, or another leaf's, create_graph or not") {
  for (const bool create_graph : {false, true}) {
    CAPTURE(create_graph);
    const Variable a = leaf({1.0, 2.0});
    const Variable b = leaf({3.0, 4.0});
    const Variable seed = Tensor::from({5.0, 6.0}, float64);
    const Variable c = leaf({3.0, 4.0});
    (a + b + c).backward(seed, {.create_graph = create_graph});
    CHECK(!(a.grad().value().storage() == b.grad().value().storage()));
    CHECK(!(a.grad().value().storage() == c.grad().value().storage()));
    CHECK(!(b.grad().value().storage() == c.grad().value().storage()));
    for (const Variable& x : {a, b, c}) {
      CHECK(!(x.grad().value().storage() == seed.value().storage()));
      x.zero_grad();
    }
    a.backward(seed, {.create_graph = create_graph});  // a leaf as its own output
    CHECK(!(a.grad().value().storage() == seed.value().storage()));
  }
}

TEST_CASE("who holds an older gradient never sees it change") {
  const Variable x = leaf({1.0, 2.0});
  sum(x * x).backward();
  const Variable handle = x.grad();
  sum(x * x).backward();
  CHECK(core::equal(handle.value(), Tensor::from({2.0, 4.0}, float64)));
  const Tensor tensor = x.grad().value();
  const Tensor part = x.grad().value().select(0, 0);
  sum(x * x).backward();
  CHECK(core::equal(tensor, Tensor::from({4.0, 8.0}, float64)));
  CHECK(part.item() == 4);
  CHECK(core::equal(x.grad().value(), Tensor::from({6.0, 12.0}, float64)));
}

TEST_CASE("a gradient that comes expanded, or as a view, is a leaf's own row-major memory") {
  const Variable x = leaf({{1.0, 2.0}, {3.0, 4.0}});
  sum(x).backward();
  CHECK(x.grad().value().is_contiguous());
  sum(x).backward();
  CHECK(core::equal(x.grad().value(), full({2, 2}, 2, float64)));
  x.zero_grad();
  sum(transpose(x) * Tensor::from({{1.0, 2.0}, {3.0, 4.0}}, float64)).backward();
  CHECK(x.grad().value().is_contiguous());
  CHECK(core::equal(x.grad().value(), Tensor::from({{1.0, 3.0}, {2.0, 4.0}}, float64)));
}

TEST_CASE("a seed is read, never written, however often its gradient is accumulated") {
  const Variable x = leaf({1.0, 2.0});
  const Variable seed = Tensor::from({1.0, 10.0}, float64);
  (x + x + x * 2.0).backward(seed);
  (x + x).backward(seed);
  CHECK(core::equal(seed.value(), Tensor::from({1.0, 10.0}, float64)));
  CHECK(core::equal(x.grad().value(), Tensor::from({6.0, 60.0}, float64)));
}

TEST_CASE("threads that share a leaf lose no gradient") {
  constexpr int threads = 3;
  constexpr int passes = 300;
  for (const bool create_graph : {false, true}) {
    CAPTURE(create_graph);
    const Variable w(zeros({2000}), true);
    std::vector<std::thread> workers;
    for (int t = 0; t < threads; ++t) {
      workers.emplace_back([&] {
        for (int i = 0; i < passes; ++i) sum(w * 1.0).backward({.create_graph = create_graph});
      });
    }
    for (std::thread& worker : workers) worker.join();
    const Tensor expected = full({2000}, threads * passes);
    CHECK(core::equal(w.grad().value(), expected));
  }
}

TEST_CASE("a graph that two threads run backward through is refused, or each pass counts") {
  constexpr int threads = 2;
  constexpr int passes = 200;
  const Variable w(zeros({100}), true);
  Variable y = w;
  for (int i = 0; i < 20; ++i) y = y * 1.0;
  const Variable loss = sum(y);
  std::atomic<int> refused = 0;
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([&] {
      for (int i = 0; i < passes; ++i) {
        try {
          loss.backward({.retain_graph = true});
        } catch (const GradError& error) {
          ++refused;
          if (std::string(error.what()).find("another thread is running backward") ==
              std::string::npos)
            refused = -1000000;
        }
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  CHECK(refused >= 0);
  const Tensor expected = full({100}, threads * passes - refused.load());
  CHECK(core::equal(w.grad().value(), expected));
}

TEST_CASE("separate graphs run backward on several threads at once") {
  constexpr int threads = 4;
  std::vector<double> results(threads);
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([t, &results] {
      const Variable x(full({100}, t + 1, float64), true);
      for (int step = 0; step < 50; ++step) {
        Variable y = x;
        for (int i = 0; i < 10; ++i) y = tanh(y) + x;
        x.zero_grad();
        sum(y).backward();
      }
      results[static_cast<std::size_t>(t)] = core::sum(x.grad().value()).item();
    });
  }
  for (std::thread& worker : workers) worker.join();
  for (int t = 0; t < threads; ++t) {
    double y = t + 1;
    double slope = 1;
    for (int i = 0; i < 10; ++i) {
      slope = slope * (1 - std::tanh(y) * std::tanh(y)) + 1;
      y = std::tanh(y) + t + 1;
    }
    CHECK(results[static_cast<std::size_t>(t)] == about(100 * slope));
  }
}

TEST_CASE("an op that returns too few gradients, or one of the wrong shape, is named") {
  const Variable x = leaf({1.0, 2.0});
  CHECK(message_of<GradError>([&] { sum(apply(Forgetful(), x, x)).backward(); }) ==
        "backward: forgetful returned 1 gradients for 2 inputs");
  CHECK(
      message_of<GradError>([&] { apply(Misshapen(), x).backward(); }) ==
      "backward: misshapen returned a gradient float64 [] for its input 0, which is float64 [2], a "
      "leaf");
}

TEST_CASE("dropping the result frees what only the graph held") {
  const Variable x(ones({1000}, float64), true);
  const std::int64_t live = storage_statistics().live_bytes;
  {
    Variable y = x;
    for (int i = 0; i < 10; ++i) y = exp(y * 0.1);
    CHECK(storage_statistics().live_bytes > live + 10 * 8000);
  }
  CHECK(storage_statistics().live_bytes == live);
  {
    const Variable y = sum(exp(x * 0.1));
    y.backward();
    x.zero_grad();
    CHECK(storage_statistics().live_bytes < live + 8000);  // saved values went with backward()
  }
  CHECK(storage_statistics().live_bytes == live);
}

TEST_CASE("a Variable prints as its numbers, and as what it is to the tape") {
  const Variable leaf(Tensor::from({1.0, 2.0}, float32), true);
  CHECK(to_string(leaf) == "tensor([1., 2.], requires_grad=True)");
  CHECK(to_string(leaf * 2) == "tensor([2., 4.], grad_fn=scale)");
  CHECK(to_string(leaf.detach()) == "tensor([1., 2.])");
  CHECK(to_string(Variable()) == "variable(undefined)");
  std::ostringstream out;
  out << leaf;
  CHECK(out.str() == to_string(leaf));
}

TEST_CASE("what is frozen after the forward pass gets no gradient; thawed, it gets its own again") {
  const Variable x = leaf(2.0);
  const Variable frozen = leaf(3.0);
  const Variable y = mul(mul(x, x), frozen);
  frozen.requires_grad_(false);
  y.backward({.retain_graph = true});
  CHECK(gradient(x) == 12);
  CHECK_FALSE(frozen.grad().defined());
  CHECK_FALSE(frozen.requires_grad());
  frozen.requires_grad_();
  y.backward({.retain_graph = true});
  CHECK(gradient(frozen) == 4);
  CHECK(grad({y}, {frozen}, {}, {.retain_graph = true})[0].item() == 4);
  // Frozen and thawed with no graph in between, too.
  const Variable alone = leaf(5.0);
  alone.requires_grad_(false).requires_grad_();
  mul(alone, alone).backward();
  CHECK(gradient(alone) == 10);
}

TEST_CASE("a leaf that is frozen and thawed keeps its hooks, with a graph in between and without") {
  for (const bool with_graph : {false, true}) {
    const Variable x = leaf(2.0);
    HookHandle handle = x.register_hook([](const Variable& g) { return g * 10.0; });
    const Variable graph = with_graph ? mul(x, x) : Variable();
    x.requires_grad_(false).requires_grad_();
    mul(x, x).backward();
    CHECK(gradient(x) == 40);
    x.zero_grad();
    handle.remove();
    mul(x, x).backward();
    CHECK(gradient(x) == 4);
  }
}

TEST_CASE("numbers of another shape or dtype take the gradient with them") {
  const Variable x(ones({3}), true);
  sum(x * 2.0).backward();
  x.set_value(full({3}, 2));
  CHECK(x.grad().defined());  // that of the numbers before, as for all who write in place
  x.set_value(ones({1}));
  CHECK(!x.grad().defined());
  sum(x * 5.0).backward();
  CHECK(core::equal(x.grad().value(), full({1}, 5)));
  x.set_value(ones({1}, float64));
  CHECK(!x.grad().defined());
  // A graph of before then has a gradient that fits no more.
  const Variable y = sum(x * x);
  x.requires_grad_(false);
  x.set_value(ones({2}, float64));
  x.requires_grad_();
  CHECK_THROWS_AS(y.backward(), GradError);
}
