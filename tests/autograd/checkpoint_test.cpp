// checkpoint(): what is computed again gives the gradients of what was kept, and keeps less.
#include <doctest/doctest.h>
#include <gradus/autograd/derivatives.h>
#include <gradus/autograd/functions.h>
#include <gradus/autograd/op.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/core/storage.h>
#include <gradus/gradcheck/gradcheck.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/dropout.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/norm.h>
#include <gradus/layers/sequential.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/error_message.h"

using namespace gradus;

namespace {

Tensor numbers(const Shape& shape, std::uint64_t seed, DType dtype = float64) {
  Generator generator(seed);
  return randn(shape, generator, dtype);
}

void check_same(const Variable& a, const Variable& b) {
  REQUIRE(a.defined());
  REQUIRE(b.defined());
  CHECK(core::equal(a.value(), b.value()));
}

/// Convolution, batch norm, dropout: all that has parameters, buffers and random numbers.
struct Block final : Module {
  Conv2d conv;
  BatchNorm2d norm{3};
  Dropout dropout{0.4};

  explicit Block(std::uint64_t seed) : Block(Generator(seed)) {}
  explicit Block(Generator generator) : conv(2, 3, {.kernel_size = 3, .padding = 1}, generator) {}
  void visit(Visitor& v) override {
    v("conv", conv);
    v("norm", norm);
    v("dropout", dropout);
  }
  Variable forward(const Variable& x) override { return dropout(norm(conv(x), Activation::relu)); }
};

struct Outcome {
  Variable y, dx;
  Variables gradients;
  NamedTensors buffers;
  std::uint64_t position;
};

Outcome run_block(bool with_checkpoint) {
  manual_seed(7);
  Block block(1);
  const Variable x(numbers({4, 2, 5, 6}, 2, float32), true);
  const Variable y =
      with_checkpoint ? checkpoint([&](const Variables& v) { return block(v[0]); }, {x}) : block(x);
  const std::uint64_t position = default_generator().position();
  sum(y * y).backward();
  CHECK(default_generator().position() == position);
  Outcome outcome{y.detach(), x.grad(), {}, {}, position};
  for (const Variable& parameter : block.parameters())
    outcome.gradients.push_back(parameter.grad());
  for (const auto& [name, buffer] : block.named_buffers())
    outcome.buffers.emplace_back(name, buffer.clone());
  return outcome;
}

Variable curve(const Variables& v) { return tanh(v[0] * v[1]) * exp(v[0]) + v[1]; }
Variable checkpointed_curve(const Variables& v) { return checkpoint(curve, v); }

}  // namespace

TEST_CASE("values, gradients, buffers and random numbers are those without, bit for bit") {
  const Outcome plain = run_block(false);
  const Outcome saved = run_block(true);
  check_same(plain.y, saved.y);
  check_same(plain.dx, saved.dx);
  REQUIRE(plain.gradients.size() == 4);
  for (std::size_t i = 0; i < plain.gradients.size(); ++i)
    check_same(plain.gradients[i], saved.gradients[i]);
  REQUIRE(plain.buffers.size() == 3);
  for (std::size_t i = 0; i < plain.buffers.size(); ++i)
    CHECK(core::equal(plain.buffers[i].second, saved.buffers[i].second));
  CHECK(plain.position == saved.position);
  CHECK(plain.position > 0);
}

TEST_CASE("a checkpoint passes the gradient checks of both orders") {
  const Variables inputs{Variable(numbers({3, 4}, 1), true), Variable(numbers({4}, 2), true)};
  const GradcheckReport first = gradcheck(checkpointed_curve, inputs);
  CHECK_MESSAGE(first.passed(), first.to_string());
  const GradcheckReport second = gradgradcheck(checkpointed_curve, inputs);
  CHECK_MESSAGE(second.passed(), second.to_string());
  CHECK(second.elements > 0);
}

TEST_CASE("second derivatives and those of captured parameters are those without") {
  const Variable x(numbers({3, 4}, 1), true);
  const Variable w(numbers({4}, 2), true);
  const auto captures = [&w](const Variables& v) { return sigmoid(v[0] * w) * w; };
  std::vector<Variables> results;
  for (const bool with_checkpoint : {false, true}) {
    const Variable y = with_checkpoint ? checkpoint(captures, {x}) : captures({x});
    const Variables first = grad({sum(y * y)}, {x, w}, {}, {.create_graph = true});
    const Variables second =
        grad({sum(first[0] * first[0]) + sum(first[1])}, {x, w}, {}, {.create_graph = true});
    const Variables third = grad({sum(second[0]) + sum(second[1] * second[1])}, {x, w});
    results.push_back({first[0], first[1], second[0], second[1], third[0], third[1]});
  }
  for (std::size_t i = 0; i < results[0].size(); ++i) {
    CAPTURE(i);
    // Sums over several uses may be added up in another order.
    CHECK(core::allclose(results[0][i].value(), results[1][i].value(), 1e-12, 1e-12));
  }
}

TEST_CASE(
    "a chain of checkpoints keeps one result each, and needs one segment's memory in backward") {
  constexpr int segments = 8;
  constexpr int length = 8;
  const Tensor x = numbers({128, 256}, 1, float32);
  const auto segment = [](const Variables& v) {
    Variable y = v[0];
    for (int i = 0; i < length; ++i) y = tanh(y);
    return y;
  };
  struct Use {
    std::int64_t tape, peak;  // in results
  };
  const auto use_of = [&](bool with_checkpoint) {
    const Variable leaf(x, true);
    const std::int64_t before = storage_statistics().live_bytes;
    const Tensor one = Tensor::empty(x.shape());
    const std::int64_t unit = storage_statistics().live_bytes - before;
    Variable y = leaf;
    for (int i = 0; i < segments; ++i)
      y = with_checkpoint ? checkpoint(segment, {y}) : segment({y});
    Use use{(storage_statistics().live_bytes - before) / unit - 1, 0};
    reset_peak_storage();
    y = sum(y);
    y.backward();
    use.peak = (storage_statistics().peak_bytes - before) / unit - 1;
    return use;
  };
  const Use plain = use_of(false);
  const Use saved = use_of(true);
  CHECK(plain.tape == segments * length);
  CHECK(saved.tape == segments);
  CHECK(plain.peak >= segments * length);
  // The segments' results and one segment's tape; a gradient, what comes next, and what tells whether
  // the results are the same.
  CHECK(saved.peak <= segments + length + 8);
}

TEST_CASE("the function runs once in forward and once in each backward pass") {
  int runs = 0;
  const auto f = [&runs](const Variables& v) {
    ++runs;
    return v[0] * v[0];
  };
  const Variable x(numbers({3}, 1), true);
  const Variable y = sum(checkpoint(f, {x}));
  CHECK(runs == 1);
  y.backward({.retain_graph = true});
  CHECK(runs == 2);
  CHECK(core::equal(x.grad().value(), 2.0 * x.value()));
  y.backward();
  CHECK(runs == 3);
  CHECK(core::equal(x.grad().value(), 4.0 * x.value()));
  CHECK(contains(message_of<GradError>([&] { y.backward(); }), "freed"));
}

TEST_CASE(
    "what needs no gradient is not kept: under NoGrad, of constants, and of the input itself") {
  const Variable x(numbers({3}, 1), true);
  {
    const NoGrad guard;
    CHECK(!checkpoint(curve, {x, x}).requires_grad());
  }
  CHECK(!checkpoint(curve, {x.value(), x.value()}).requires_grad());
  const Variable same = checkpoint([](const Variables& v) { return v[0]; }, {x});
  CHECK(same.node() == x.node());
}

TEST_CASE("captured results of other ops get their gradients, and the rest of the tape runs once") {
  const Variable x(numbers({3}, 1), true);
  int hooked = 0;
  const Variable h = exp(x);
  h.register_hook([&hooked](const Variable&) {
    ++hooked;
    return Variable();
  });
  int leaf_hooked = 0;
  x.register_hook([&leaf_hooked](const Variable& dx) {
    ++leaf_hooked;
    return dx * 10.0;
  });
  const Variable y = checkpoint([&](const Variables& v) { return v[0] * h * x; }, {x});
  (sum(y) + sum(h)).backward();
  CHECK(hooked == 1);
  CHECK(leaf_hooked == 1);
  // d(x²·eˣ + eˣ)/dx
  const Tensor e = core::exp(x.value());
  const Tensor expected = (x.value() * x.value() + 2.0 * x.value() + 1.0) * e * 10.0;
  CHECK(core::allclose(x.grad().value(), expected, 1e-12, 1e-12));
}

TEST_CASE("hooks of modules inside run in backward, once") {
  Generator generator(1);
  Linear layer(3, 2, {}, generator);
  int seen = 0;
  layer.register_full_backward_hook([&seen](Module&, const Variable&, const Variable&) {
    ++seen;
    return Variable();
  });
  const Variable x(numbers({2, 3}, 1, float32), true);
  sum(checkpoint([&](const Variables& v) { return layer(v[0]); }, {x})).backward();
  CHECK(seen == 1);
}

TEST_CASE("checkpoints nest, and stand side by side with the same parameters") {
  const Variable x(numbers({3}, 1), true);
  const Variable w(numbers({3}, 2), true);
  const auto inner = [&w](const Variables& v) { return tanh(v[0] * w); };
  const auto outer = [&](const Variables& v) {
    return checkpoint(inner, {checkpoint(inner, v) * w}) + v[0];
  };
  const auto plain = [&](const Variables& v) { return inner({inner(v) * w}) + v[0]; };
  const Variables expected = grad({sum(pow(plain({x}), 2))}, {x, w});
  const Variables actual = grad({sum(pow(checkpoint(outer, {x}), 2))}, {x, w});
  for (std::size_t i = 0; i < 2; ++i)
    CHECK(core::allclose(expected[i].value(), actual[i].value(), 1e-12, 1e-12));
}

TEST_CASE(
    "backward on another thread draws the numbers of the first, and leaves that thread's alone") {
  manual_seed(3);
  const Variable x(ones({64}), true);
  const Variable y =
      checkpoint([](const Variables& v) { return dropout(v[0], 0.5, default_generator()); }, {x});
  std::thread([&] {
    const std::uint64_t position = default_generator().position();
    sum(y).backward();
    CHECK(default_generator().position() == position);
  }).join();
  CHECK(core::equal(x.grad().value(), y.value()));
}

TEST_CASE("a parameter frozen in between gets no gradient") {
  const Variable x(numbers({3}, 1), true);
  const Variable w(numbers({3}, 2), true);
  const Variable y = sum(checkpoint([&w](const Variables& v) { return v[0] * w; }, {x}));
  w.requires_grad_(false);
  y.backward();
  CHECK(core::equal(x.grad().value(), w.value()));
  CHECK(!w.grad().defined());
}

TEST_CASE("a second run that depends on less than the first is an error, not a lost gradient") {
  const Variable x(numbers({3}, 1), true);
  const Variable w(numbers({3}, 2), true);
  int run = 0;
  const Variable y = sum(checkpoint(
      [&](const Variables& v) { return run++ == 0 ? v[0] * w : v[0] * Variable(w.value()); }, {x}));
  const std::string line = message_of<GradError>([&] { y.backward(); });
  CHECK(line.starts_with("checkpoint: run again in backward, the function no longer depends on "));
  CHECK(contains(line, "1 of 2 Variables would get no gradient"));
}

TEST_CASE("a second run that differs from the first is an error, not a wrong gradient") {
  const Variable x(numbers({4}, 1), true);
  const Variable w(numbers({4}, 2), true);
  const std::string other = "checkpoint: run again in backward, the function gave other numbers, ";
  {
    const Variable frozen(numbers({4}, 2));
    const Variable y = sum(checkpoint([&](const Variables& v) { return v[0] + frozen; }, {x}));
    core::mul_(frozen.value(), 2);
    CHECK(message_of<GradError>([&] { y.backward(); }) ==
          other +
              "float64 [4] for float64 [4]: what it reads was changed, or it draws from a "
              "generator of its own");
  }
  {
    Dropout noise(0.5, Generator(3));
    const Variable y = sum(
        checkpoint([&](const Variables& v) { return noise(v[0]); }, {Variable(ones({64}), true)}));
    CHECK(contains(message_of<GradError>([&] { y.backward(); }), other));
  }
  {
    bool again = false;
    const auto f = [&](const Variables& v) {
      return std::exchange(again, true) ? Variable() : v[0] * 2.0;
    };
    const Variable y = sum(checkpoint(f, {x}));
    CHECK(contains(message_of<GradError>([&] { y.backward(); }),
                   other + "undefined for float64 [4]"));
  }
  {
    bool again = false;
    const auto f = [&](const Variables& v) {
      return std::exchange(again, true) ? v[0] * 2.0 + w * 0.0 : v[0] * 2.0;
    };
    const Variable y = sum(checkpoint(f, {x}));
    CHECK(message_of<GradError>([&] { y.backward(); }) ==
          "checkpoint: run again in backward, the function depends on 2 Variables, 1 of them new; "
          "at first it was 1");
  }
  {
    const Variable given(numbers({4}, 3) * 1.0, true);
    const Variable y = sum(checkpoint([](const Variables& v) { return v[0] * 2.0; }, {given}));
    core::mul_(given.value(), 2);
    CHECK(contains(message_of<GradError>([&] { y.backward(); }), "checkpoint kept its input 0"));
  }
  CHECK(message_of<GradError>([&] {
          checkpoint([](const Variables&) { return Variable(); }, {x});
        }) == "checkpoint: the function gave an undefined Variable");
  CHECK(!is_recomputing());
}

TEST_CASE(
    "a captured leaf that was written to is an error, also where the result does not show it") {
  const Variable x(numbers({2, 3}, 1), true);
  Linear first(3, 4);
  Linear last(4, 3, {.bias = false});
  first.to(float64);
  last.to(float64);
  last.weight.value().fill_(0);  // as a residual branch often begins
  const auto block = [&](const Variables& v) { return v[0] + last(relu(first(v[0]))); };
  const Variable y = sum(checkpoint(block, {x}));
  core::mul_(first.weight.value(), -1);
  CHECK(contains(message_of<GradError>([&] { y.backward(); }),
                 "checkpoint kept its captured Variable for the derivative at version "));
  CHECK(!last.weight.grad().defined());

  const Variable again = sum(checkpoint(block, {x}));
  first.weight.set_value(numbers({4, 3}, 5));
  CHECK_THROWS_AS(again.backward(), GradError);
  const Variable untouched = sum(checkpoint(block, {x}));
  untouched.backward();
  CHECK(last.weight.grad().defined());
}

TEST_CASE("what throws in the second run leaves everything as it was") {
  const Variable x(numbers({4}, 1), true);
  bool again = false;
  const auto f = [&](const Variables& v) {
    const Variable y = dropout(v[0], 0.5, default_generator());
    if (std::exchange(again, true)) fail<ValueError>("mine: enough");
    return y;
  };
  const Variable y = sum(checkpoint(f, {x}));
  const std::uint64_t position = default_generator().position();
  CHECK(message_of<ValueError>([&] { y.backward({.retain_graph = true}); }) == "mine: enough");
  CHECK(default_generator().position() == position);
  CHECK(!is_recomputing());
  CHECK(grad_enabled());
}

TEST_CASE("the tape knows the line of a checkpoint") {
  const Variable x(numbers({2}, 1), true);
  const Variable y = checkpoint([](const Variables& v) { return exp(v[0]); }, {x});
  CHECK(contains(y.node()->text(), "checkpoint at "));
  CHECK(contains(y.node()->text(), "checkpoint_test.cpp:"));
}
