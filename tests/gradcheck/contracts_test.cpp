// Mistakes that no difference quotient at one point shows, each with what is right beside it: the
// checker must find the one and let the other pass.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/autograd/op.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/gradcheck.h>
#include <gradus/gradcheck/module.h>
#include <gradus/layers/linear.h>

#include <cmath>
#include <functional>
#include <numbers>
#include <string>
#include <vector>

#include "support/custom_op.h"
#include "support/error_message.h"

using namespace gradus;

namespace {

Variable leaf(const Shape& shape, std::uint64_t seed = 1) {
  Generator generator(seed);
  return Variable(randn(shape, generator, float64), true);
}

/// f of each number, and what `slope` says of it; all contiguous.
DifferentiableFunction each(double (*f)(double), double (*slope)(double)) {
  const auto map = [](const Tensor& x, double (*g)(double)) {
    std::vector<double> numbers = x.to_vector<double>();
    for (double& number : numbers) number = g(number);
    return Tensor::from(numbers.data(), x.shape());
  };
  return [=](const Variables& v) {
    return custom(
        v, [=](const Variables& in) { return map(in[0].value(), f); },
        [=](const Variables& in, const Variable& dy) {
          return Variables{dy * Variable(map(in[0].value(), slope))};
        });
  };
}

Tensor cubed(const Variables& v) {
  return core::mul(v[0].value(), core::mul(v[0].value(), v[0].value()));
}
Variable cube_slope(const Variables& v) { return v[0] * v[0] * 3.0; }

/// x³ with a backward of one's own.
DifferentiableFunction cube(const CustomOp::Backward& rule) {
  return [rule](const Variables& v) { return custom(v, cubed, rule); };
}

void check_broken(const GradcheckReport& report, Pattern pattern) {
  const std::string text = report.to_string();
  CAPTURE(text);
  CHECK(report.verdict == Verdict::fail);
  REQUIRE(!report.diagnoses.empty());
  CHECK(report.diagnoses.front().pattern == pattern);
}

void check_right(const GradcheckReport& report) {
  CHECK_MESSAGE(report.verdict == Verdict::pass, report.to_string());
}

}  // namespace

// ---- Steps and points ----

TEST_CASE("a staircase has the slope 0, and a straight-through 1 is wrong") {
  const Variable x(Tensor::from({0.2685, 0.2959, 0.3233, 0.5014}, float64), true);
  const auto quantised = [](double v) { return std::nearbyint(255 * v) / 255; };
  const GradcheckReport right = gradcheck(each(quantised, [](double) { return 0.0; }), {x});
  check_right(right);
  const GradcheckReport wrong = gradcheck(each(quantised, [](double) { return 1.0; }), {x});
  CHECK_MESSAGE(wrong.verdict == Verdict::fail, wrong.to_string());
  CHECK(wrong.fail_count == 4);
}

TEST_CASE("steps that are whole periods tell nothing, and others are asked") {
  constexpr double omega = 2 * std::numbers::pi * 512;
  Generator generator(1);
  for (int i = 0; i < 20; ++i) {
    const Variable x(rand({16}, generator, float64), true);
    check_right(gradcheck(each([](double t) { return std::sin(omega * t); },
                               [](double t) { return omega * std::cos(omega * t); }),
                          {x}));
    const GradcheckReport halved =
        gradcheck(each([](double t) { return std::sin(omega * t); },
                       [](double t) { return omega / 2 * std::cos(omega * t); }),
                  {x});
    CHECK_MESSAGE(halved.fail_count == 16, halved.to_string());
  }
}

TEST_CASE("kinks in a row are no kinks beside the point") {
  // Slope 1 or 2 in turns, of width 1/64: long steps see 1.5.
  const auto zigzag = [](double v) {
    const double whole = std::floor(v * 64);
    const double rest = v - whole / 64;
    const double below = std::floor(whole / 2) * 3 / 64 + (std::fmod(whole, 2) != 0 ? 1.0 / 64 : 0);
    return below + (std::fmod(whole, 2) != 0 ? 2 : 1) * rest;
  };
  const auto slope = [](double v) { return std::fmod(std::floor(v * 64), 2) != 0 ? 2.0 : 1.0; };
  const Variable x(Tensor::from({0.3010, 1.3007, 0.7313, 2.1234}, float64), true);
  check_right(gradcheck(each(zigzag, slope), {x}));
  const GradcheckReport wrong = gradcheck(each(zigzag, [](double) { return 1.5; }), {x});
  CHECK_MESSAGE(wrong.fail_count == 4, wrong.to_string());
}

TEST_CASE("a function that refuses what is outside of its domain is checked inside of it") {
  const auto log_of_probability = [](const Variables& v) {
    for (const double p : v[0].value().to_vector<double>())
      if (p > 1) fail<ValueError>("p must be in 0..1, got ", p);
    return log(v[0]);
  };
  const auto at = [&](double p) {
    return gradcheck(log_of_probability, {Variable(Tensor::from({0.3, p}, float64), true)});
  };
  check_right(at(0.985));
  check_right(at(0.9999));
  CHECK(contains(message_of<ValueError>([&] { at(1.5); }), "p must be in 0..1, got 1.5"));
  // At the border itself there is no slope from the right.
  const GradcheckReport border = at(1);
  CHECK(border.verdict == Verdict::inconclusive);
  CHECK(contains(border.to_string(), "beside the point the function is not defined: p must be"));
}

TEST_CASE("an error as large as the slopes does not hide below atol") {
  for (const double scale : {1e-3, 1e-9, 1e-12}) {
    CAPTURE(scale);
    const auto scaled = [scale](double share) {
      return [=](const Variables& v) {
        return custom(
            v, [=](const Variables& in) { return core::mul(in[0].value(), scale); },
            [=](const Variables&, const Variable& dy) { return Variables{dy * (scale * share)}; });
      };
    };
    check_right(gradcheck(scaled(1), {leaf({3})}));
    for (const double share : {0.0, 2.0, 1.01})
      CHECK(gradcheck(scaled(share), {leaf({3})}).verdict == Verdict::fail);
  }
  // A slope that is 0 but for rounding stays one: a bias before a normalisation.
  const auto centred = [](const Variables& v) {
    const Variable x = v[0] + v[1];
    return (x - mean(x, {0}, true)) * 3.0;
  };
  CHECK(gradcheck(centred, {leaf({6, 2}), leaf({1, 2}, 2)}).passed());
}

// ---- What backward promises ----

TEST_CASE("backward leaves the incoming gradient as it was") {
  check_broken(gradcheck(cube([](const Variables& v, const Variable& dy) {
                           dy.value().copy_(core::mul(dy.value(), cube_slope(v).value()));
                           return Variables{dy};
                         }),
                         {leaf({3, 4})}),
               Pattern::overwrites_incoming);
}

TEST_CASE("backward does not keep numbers of the first call") {
  Tensor table;
  const auto keeps_a_table = [&](const Variables& v) {
    return custom(
        v,
        [&](const Variables& in) {
          const Tensor y = core::exp(in[0].value());
          if (!table.defined()) table = y;
          return y;
        },
        [&](const Variables&, const Variable& dy) { return Variables{dy * Variable(table)}; });
  };
  check_broken(gradcheck(keeps_a_table, {leaf({3, 4})}), Pattern::wrong_elsewhere);
  const Variable x = leaf({3, 4});
  const Tensor before = x.value().clone();
  gradcheck([](const Variables& v) { return exp(v[0]); }, {x});
  CHECK(core::equal(x.value(), before));
}

TEST_CASE("a gradient that is right here and wrong close by is found there") {
  const Variable x(Tensor::from({0.9, 0.95, 0.99}, float64), true);
  check_broken(gradcheck(each([](double t) { return t * t; },
                              [](double t) { return t < 1 ? 2 * t : 3 * t; }),
                         {x}),
               Pattern::wrong_elsewhere);
}

TEST_CASE("backward reads the incoming gradient wherever it lies") {
  const auto rows = [](bool by_pointer) {
    return [=](const Variables& v) {
      return custom(
          v,
          [](const Variables& in) {
            return core::sum(core::mul(in[0].value(), in[0].value()), {1});
          },
          [=](const Variables& in, const Variable& dy) {
            const Tensor& x = in[0].value();
            const Tensor dx = zeros_like(x);
            for (std::int64_t n = 0; n < x.size(0); ++n) {
              const double slope =
                  by_pointer ? dy.value().data<double>()[n] : dy.value().at<double>({n});
              dx[n].copy_(core::mul(x[n], 2 * slope));
            }
            return Variables{dx};
          });
    };
  };
  check_broken(gradcheck(rows(true), {leaf({3, 4})}), Pattern::reads_layout);
  check_right(gradcheck(rows(false), {leaf({3, 4})}));
}

TEST_CASE("backward is linear in the incoming gradient") {
  check_broken(gradcheck(cube([](const Variables& v, const Variable& dy) {
                           return Variables{clamp(dy, -5, 5) * cube_slope(v)};
                         }),
                         {leaf({3, 4})}),
               Pattern::not_linear);
  check_broken(gradcheck(cube([](const Variables& v, const Variable& dy) {
                           return Variables{(dy + 1e-12) * cube_slope(v)};
                         }),
                         {leaf({3, 4})}, {.rtol = 1e-3}),
               Pattern::not_linear);
}

TEST_CASE("an op inside of a function is asked by itself") {
  const auto clipped_inside = [](const Variables& v) {
    const auto rule = [](const Variables& in, const Variable& dy) {
      return Variables{clamp(dy, -100, 100) * cube_slope(in)};
    };
    return sum(custom({v[0] * 2.0}, cubed, rule) * 0.25);
  };
  check_broken(gradcheck(clipped_inside, {leaf({3, 4})}), Pattern::not_linear);
}

TEST_CASE("float32 is compared where the function takes it") {
  const auto only_in_float64 = [](const Variables& v) {
    return custom(
        v, [](const Variables& in) { return core::mul(in[0].value(), in[0].value()); },
        [](const Variables& in, const Variable& dy) {
          return Variables{dy * in[0] * (dy.dtype() == float32 ? 1.0 : 2.0)};
        });
  };
  Generator generator(1);
  for (const DType dtype : {float32, float64}) {
    check_broken(gradcheck(only_in_float64, {Variable(randn({3}, generator, dtype), true)}),
                 Pattern::wrong_in_float32);
  }
}

/// dx needs x, which is kept only where w wants a gradient.
struct KeptForTheOther final : Op {
  static constexpr std::string_view name = "kept_for_the_other";
  Variable x, w;
  Tensor forward(const Variable& a, const Variable& b) {
    if (needs(1)) x = a;
    w = b;
    return core::mul(core::mul(a.value(), a.value()), b.value());
  }
  Variables backward(const Variable& dy) override {
    return {dy * w * x * 2.0, needs(1) ? dy * x * x : Variable()};
  }
};

TEST_CASE("what is kept for one input does not depend on another's needs") {
  check_broken(gradcheck([](const Variables& v) { return apply(KeptForTheOther(), v[0], v[1]); },
                         {leaf({4}), leaf({4}, 2)}),
               Pattern::depends_on_needs);
}

TEST_CASE("a gradient is the same with create_graph") {
  const auto rule = [](const Variables& v, const Variable& dy) {
    return Variables{dy * v[0] * v[0] * (grad_enabled() ? 2.0 : 3.0)};
  };
  check_broken(gradcheck(cube(rule), {leaf({4})}), Pattern::depends_on_recording);
  check_broken(gradgradcheck(cube(rule), {leaf({4})}), Pattern::depends_on_recording);
}

TEST_CASE("a parameter that nobody named makes the check fail, with its shape and its op") {
  const Variable w = leaf({4}, 2);
  const auto captured = [&](const Variables& v) { return v[0] * w; };
  const GradcheckReport report = gradcheck(captured, {leaf({4})});
  check_broken(report, Pattern::unnamed_parameter);
  CHECK(contains(report.diagnoses[0].text, "float64 [4] in mul"));
  check_right(gradcheck([&](const Variables& v) { return v[0] * w.detach(); }, {leaf({4})}));
}

TEST_CASE("inputs may lie in memory as they like") {
  const auto weighted = [](bool by_pointer) {
    return [=](const Variables& v) {
      const auto weigh = [=](const Tensor& x) {
        const Tensor rows = by_pointer ? x : x.contiguous();
        const Tensor y = Tensor::empty(x.shape(), x.dtype());
        for (int i = 0; i < 12; ++i) {
          y.data<double>()[i] = (i + 1) * rows.data<double>()[i];
        }
        return y;
      };
      return custom(
          v, [=](const Variables& in) { return weigh(in[0].value()); },
          [=](const Variables&, const Variable& dy) {
            return Variables{weigh(dy.value().contiguous())};
          });
    };
  };
  check_broken(gradcheck(weighted(true), {leaf({3, 4})}), Pattern::reads_layout);
  check_right(gradcheck(weighted(false), {leaf({3, 4})}));
}

struct MakesZeros final : Module {
  Linear inner{3, 2};
  void visit(Visitor& visitor) override { visitor("inner", inner); }
  Variable forward(const Variable& x) override {
    return tanh(inner(x) + Variable(zeros({x.size(0), 2})));
  }
};

TEST_CASE("what a module makes inside without a dtype follows its inputs, or the error says how") {
  MakesZeros module;
  Generator generator(3);
  const GradcheckReport report = gradcheck(module, randn({2, 3}, generator));
  check_right(report);
  CHECK(
      contains(report.to_string(), "what the function makes without a dtype was made in float64"));
  CHECK(zeros({1}).dtype() == float32);

  const auto insists = [](const Variables& v) { return v[0] + Variable(zeros({3}, float32)); };
  const std::string message = message_of<DTypeError>([&] { gradcheck(insists, {leaf({3})}); });
  CHECK(contains(message,
                 "in float64 the function fails: add: dtypes differ: float64 [3] and float32 [3]"));
  CHECK(contains(message, "zeros_like(x), or zeros(shape, x.dtype())"));
}

TEST_CASE("the default dtype is a thread's own, and comes back") {
  {
    const DefaultDType wide(float64);
    CHECK(ones({2}).dtype() == float64);
    CHECK(Tensor::from({1.5}).dtype() == float64);
    CHECK(Linear(2, 2).weight.dtype() == float64);
  }
  CHECK(ones({2}).dtype() == float32);
  CHECK_THROWS_AS(DefaultDType{int64}, DTypeError);
}
