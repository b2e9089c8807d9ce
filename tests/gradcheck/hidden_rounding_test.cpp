// Right functions whose changes drown in rounding: saturated ones, tiny numbers beside large ones, what
// is left where numbers around 1 cancel. And what hid behind such a point: ties, zeros, values that no
// input had.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/module.h>
#include <gradus/layers/linear.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "support/custom_op.h"
#include "support/error_message.h"

using namespace gradus;

namespace {

Variable at(const NestedList& values) { return {Tensor::from(values, float64), true}; }

Variable random(const Shape& shape, std::uint64_t seed = 1) {
  Generator generator(seed);
  return {randn(shape, generator, float64), true};
}

/// x² with a gradient of one's own.
DifferentiableFunction square(
    const std::function<Variable(const Variable& x, const Variable& dy)>& rule) {
  return [rule](const Variables& v) {
    return custom(
        v, [](const Variables& in) { return core::mul(in[0].value(), in[0].value()); },
        [rule](const Variables& in, const Variable& dy) { return Variables{rule(in[0], dy)}; });
  };
}

bool is_named(const GradcheckReport& report, Pattern pattern) {
  return report.verdict == Verdict::fail && !report.diagnoses.empty() &&
         report.diagnoses.front().pattern == pattern;
}

}  // namespace

TEST_CASE("slopes that rounding swallows are no failures") {
  struct Case {
    const char* name;
    DifferentiableFunction function;
    Variables inputs;
  };
  const auto tanh_of = [](const Variables& v) { return tanh(v[0]); };
  const std::vector<Case> all{{"exp of tiny numbers",
                               [](const Variables& v) { return exp(v[0]); },
                               {at({0.0, 1e-14, 0.0})}},
                              {"a confident classifier",
                               [](const Variables& v) {
                                 return cross_entropy(v[0], Tensor::from({0, 1}));
                               },
                               {at({{25.0, 0.0, 0.0}, {0.0, 25.0, 1.0}})}},
                              {"softmax, one takes all",
                               [](const Variables& v) { return softmax(v[0], 1); },
                               {at({{30.0, 0.0}, {0.0, 31.0}})}},
                              {"softmax, far apart",
                               [](const Variables& v) { return softmax(v[0], 1); },
                               {at({{100.0, 0.0, -100.0}, {38.0, 0.0, 40.0}})}},
                              {"sigmoid, saturated",
                               [](const Variables& v) { return sigmoid(v[0]); },
                               {at({33.0, 34.0, 35.0})}},
                              {"tanh, saturated", tanh_of, {at({18.0, -17.0})}},
                              {"tanh, nearly saturated", tanh_of, {at({16.5, 17.5, 18.5})}},
                              {"a gate that is open",
                               [](const Variables& v) { return sigmoid(v[0] + v[1]); },
                               {at({0.3, -1.0, 2.0}), at({30.0, 40.0, 50.0})}},
                              {"tiny beside large",
                               [](const Variables& v) { return v[0] + v[1]; },
                               {at({1000.3, -1001.0, 2000.0}), at({1e-13, 2e-13, -1e-13})}},
                              {"a tiny bias",
                               [](const Variables& v) { return tanh(v[0] + v[1]); },
                               {at({0.3, -1.0, 0.2}), at({1e-15, 2e-15, -1e-15})}},
                              {"log(x + 1) of tiny numbers",
                               [](const Variables& v) { return log(v[0] + 1.0); },
                               {at({1e-12, 3e-12})}},
                              {"log of tiny beside huge numbers",
                               [](const Variables& v) { return log(v[0]); },
                               {at({1e-30, 1e-10, 1.0, 1e10})}}};
  for (const Case& each : all) {
    const std::string name = each.name;
    CAPTURE(name);
    const GradcheckReport report = gradcheck(each.function, each.inputs);
    CHECK_MESSAGE(report.passed(), report.to_string());
  }
  Linear layer(3, 2);
  layer.bias = Variable(full({2}, 1e-18), true);
  Generator generator(1);
  CHECK(gradcheck(layer, randn({4, 3}, generator)).passed());
}

TEST_CASE("wrong gradients of such functions fail where anything can be seen of them") {
  const auto wrong = [](double factor, double shift) {
    return [=](const Variables& v) {
      return custom(
          v, [=](const Variables& in) { return core::tanh(core::add(in[0].value(), shift)); },
          [=](const Variables& in, const Variable& dy) {
            const Variable y = tanh(in[0] + shift);
            return Variables{dy * (1.0 - y * y) * factor};
          });
    };
  };
  CHECK(gradcheck(wrong(1, 0), {at({1e-14, 2e-14})}).passed());
  CHECK(gradcheck(wrong(1.01, 0), {at({1e-14, 2e-14})}).verdict == Verdict::fail);
  CHECK(gradcheck(wrong(1, 10), {at({0.3, -0.7})}).passed());
  CHECK(gradcheck(wrong(1.5, 10), {at({0.3, -0.7})}).verdict == Verdict::fail);
}

TEST_CASE("an incoming gradient with zeros in it is a case of its own") {
  const auto right = [](const Variable& x, const Variable& dy) { return dy * x * 2.0; };
  CHECK(gradcheck(square(right), {random({3, 4})}).passed());
  CHECK(is_named(gradcheck(square([&](const Variable& x, const Variable& dy) {
                             return right(x, dy * dy / dy);
                           }),
                           {random({3, 4})}),
                 Pattern::not_linear));
  CHECK(is_named(gradcheck(square([&](const Variable& x, const Variable& dy) {
                             return right(x, dy) + core::eq(dy.value(), 0).to(float64);
                           }),
                           {random({3, 4})}),
                 Pattern::not_linear));
}

TEST_CASE("inputs of zeros are moved too, and values change places") {
  const auto three = [](const Variable& x, const Variable& dy) { return dy * x * 3.0; };
  CHECK(is_named(gradcheck(square(three), {at({0.0, 0.0, 0.0})}), Pattern::wrong_elsewhere));
  const Tensor first = random({4}).value();
  const auto table = [&](const Variable&, const Variable& dy) { return dy * first * 2.0; };
  CHECK(is_named(gradcheck(square(table), {Variable(first, true)}), Pattern::wrong_elsewhere));
}

TEST_CASE("of several equal numbers each may get a share of the gradient, not each all of it") {
  const auto max_with = [](bool all) {
    return [all](const Variables& v) {
      return custom(
          v, [](const Variables& in) { return core::max(in[0].value(), {-1}, true); },
          [all](const Variables& in, const Variable& dy) {
            const Tensor x = in[0].value();
            const Tensor chosen = core::eq(x, core::max(x, {-1}, true)).to(float64);
            const Tensor share = core::div(chosen, core::sum(chosen, {-1}, true));
            return Variables{dy * (all ? chosen : share)};
          });
    };
  };
  const Variables ties{at({{1.0, 1.0, 1.0}, {2.0, 2.0, 0.5}})};
  CHECK(gradcheck(max_with(false), ties).verdict == Verdict::kink);
  CHECK(is_named(gradcheck(max_with(true), ties), Pattern::not_a_subgradient));
  // The norm at 0: each (1, 0, 0) is a subgradient, (1, 1, 1) is none.
  const auto norm = [](double slope) {
    return [slope](const Variables& v) {
      return custom(
          v,
          [](const Variables& in) {
            return core::sqrt(core::sum(core::mul(in[0].value(), in[0].value())));
          },
          [slope](const Variables& in, const Variable& dy) {
            return Variables{expand(dy, in[0].shape()) * slope};
          });
    };
  };
  CHECK(is_named(gradcheck(norm(1), {at({0.0, 0.0, 0.0})}), Pattern::not_a_subgradient));
}

TEST_CASE("where numbers tie, the gradient of a neighbour is right, and another is not") {
  // The second largest of 3, 3, 3, 1: moving one of the threes alone moves nothing.
  const auto second = [](double slope) {
    return [slope](const Variables& v) {
      return custom(
          v,
          [](const Variables& in) {
            std::vector<double> x = in[0].value().to_vector<double>();
            std::sort(x.begin(), x.end());
            return Tensor::scalar(x[x.size() - 2], float64);
          },
          [slope](const Variables& in, const Variable& dy) {
            const std::vector<double> x = in[0].value().to_vector<double>();
            std::vector<std::size_t> order(x.size());
            std::iota(order.begin(), order.end(), std::size_t{0});
            std::stable_sort(order.begin(), order.end(),
                             [&](std::size_t a, std::size_t b) { return x[a] < x[b]; });
            const Tensor chosen = zeros(in[0].shape(), float64);
            chosen.data<double>()[order[x.size() - 2]] = slope;
            return Variables{expand(dy, in[0].shape()) * chosen};
          });
    };
  };
  const Variables ties{at({3.0, 3.0, 3.0, 1.0})};
  const GradcheckReport right = gradcheck(second(1), ties);
  CHECK_MESSAGE(right.passed(), right.to_string());
  CHECK(gradcheck(second(1.5), ties).verdict == Verdict::fail);
  CHECK(gradcheck(second(-0.5), ties).verdict == Verdict::fail);
}

TEST_CASE("slopes that are too small beside others are told") {
  const GradcheckReport report =
      gradcheck([](const Variables& v) { return tanh(v[0]); }, {at({0.3, 12.0})});
  CHECK(report.passed());
  CHECK(std::any_of(report.notes.begin(), report.notes.end(), [](const std::string& note) {
    return contains(note, "the slopes of 1 elements are below 1e-08 and not 0");
  }));
}

TEST_CASE("what piles up is not called random, however it does") {
  for (const double decay : {1.0, 0.5, 0.01}) {
    CAPTURE(decay);
    Variable kept;
    const auto piles = square([&, decay](const Variable& x, const Variable& dy) {
      const Variable g = dy * x * 2.0;
      kept = kept.defined() ? g + kept * decay : g;
      return kept;
    });
    CHECK(is_named(gradcheck(piles, {random({3})}), Pattern::stale_accumulation));
  }
}

TEST_CASE("more names, and none that is wrong") {
  // The gradient of the other input, where only one is wrong.
  const auto copies = [](const Variables& v) {
    return custom(
        v, [](const Variables& in) { return core::mul(in[0].value(), in[1].value()); },
        [](const Variables& in, const Variable& dy) {
          return Variables{dy * in[1], dy * in[1]};
        });
  };
  const GradcheckReport copied = gradcheck(copies, {random({2, 3}), random({2, 3}, 2)});
  CHECK(is_named(copied, Pattern::swapped_inputs));
  CHECK(contains(copied.to_string(), "input 1: this is the gradient of input 0"));
  // Where a mask is 0, not where it is negative.
  const auto masked = [](const Variables& v) {
    const Tensor mask = v[1].value();
    return custom(
        {v[0]}, [&](const Variables& in) { return core::mul(in[0].value(), mask); },
        [](const Variables&, const Variable& dy) { return Variables{dy}; });
  };
  Generator generator(4);
  const Tensor mask = core::gt(rand({20}, generator, float64), 0.5).to(float64);
  const GradcheckReport where = gradcheck(masked, {random({20}), mask});
  CHECK(is_named(where, Pattern::wrong_branch));
  CHECK(contains(where.to_string(), "just where input 1 is 0"));
  // A norm, not a variance.
  const auto unit = [](const Variables& v) {
    return custom(
        v,
        [](const Variables& in) {
          const Tensor& x = in[0].value();
          return core::div(x, core::sqrt(core::sum(core::mul(x, x), {-1}, true)));
        },
        [](const Variables& in, const Variable& dy) {
          return Variables{dy / sqrt(sum(in[0] * in[0], {-1}, true))};
        });
  };
  CHECK(is_named(gradcheck(unit, {random({3, 5})}), Pattern::norm_term));
}
