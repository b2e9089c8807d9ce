// The gradient checker must fail on every kind of wrong gradient and say where, must let every
// right one pass, and must say in one line what it cannot check.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/gradcheck.h>

#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/custom_op.h"
#include "support/error_message.h"

using namespace gradus;

namespace {

using Backward = std::function<Variables(const Variable& x, const Variable& y, const Variable& dz)>;

/// z = x²·y for x [2,3] and y [3], with whatever backward is handed to it.
Variable planted(const Backward& rule, const Variable& x, const Variable& y) {
  return custom(
      {x, y},
      [](const Variables& v) { return core::mul(core::pow(v[0].value(), 2), v[1].value()); },
      [rule](const Variables& v, const Variable& dz) { return rule(v[0], v[1], dz); });
}

Variable right_dx(const Variable& x, const Variable& y, const Variable& dz) {
  return dz * x * y * 2;
}
Variable right_dy(const Variable& x, const Variable&, const Variable& dz) {
  return sum_to(dz * x * x, {3});
}
Variables right(const Variable& x, const Variable& y, const Variable& dz) {
  return {right_dx(x, y, dz), right_dy(x, y, dz)};
}

Variable leaf(const NestedList& values) { return {Tensor::from(values, float64), true}; }

Variables inputs() {
  return {leaf({{0.5, -1.25, 2.0}, {1.5, 0.75, -0.5}}), leaf({1.0, -0.5, 2.0})};
}

GradcheckReport check(const Backward& rule, const GradcheckOptions& options = {}) {
  return gradcheck([&](const Variables& v) { return planted(rule, v[0], v[1]); }, inputs(),
                   options);
}

/// dx with element (1,2) changed by a share of itself.
Variable with_one_wrong(const Variable& dx, double share) {
  const Tensor mask = zeros({2, 3}, float64);
  mask.at<double>({1, 2}) = share;
  return dx + dx * Variable(mask);
}

DifferentiableFunction one(Variable (*f)(const Operand&)) {
  return [f](const Variables& v) { return f(v[0]); };
}

bool has_note(const GradcheckReport& report, const std::string& words) {
  for (const std::string& note : report.notes) {
    if (contains(note, words)) return true;
  }
  return false;
}

/// Every count adds up, and the verdict is the worst of all.
void check_counts(const GradcheckReport& report) {
  CHECK(report.passed_count + report.kink_count + report.inconclusive_count + report.fail_count ==
        report.elements + report.directions);
  CHECK(report.passed() == (report.verdict == Verdict::pass || report.verdict == Verdict::kink));
  for (std::size_t i = 1; i < report.worst.size(); ++i) {
    CHECK(report.worst[i - 1].verdict >= report.worst[i].verdict);
  }
}

}  // namespace

// ---- Verdicts ----

TEST_CASE("a right gradient passes, to far below the tolerance") {
  const GradcheckReport report = check(right);
  CHECK_MESSAGE(report.verdict == Verdict::pass, report.to_string());
  CHECK(report.elements == 9);
  CHECK(report.passed_count == 9);
  CHECK(report.worst_relative_error < 1e-10);
  CHECK(report.worst.size() == 5);
  CHECK(report.diagnoses.empty());
  CHECK(report.notes.empty());
  CHECK(report.order == 1);
  check_counts(report);
}

TEST_CASE("every planted bug is caught") {
  const std::vector<std::pair<std::string, Backward>> bugs{
      {"scaled by 1.0009, which PyTorch's defaults let pass",
       [](const Variable& x, const Variable& y, const Variable& dz) {
         return Variables{right_dx(x, y, dz) * 1.0009, right_dy(x, y, dz)};
       }},
      {"scaled by 1.00001",
       [](const Variable& x, const Variable& y, const Variable& dz) {
         return Variables{right_dx(x, y, dz), right_dy(x, y, dz) * 1.00001};
       }},
      {"the wrong sign",
       [](const Variable& x, const Variable& y, const Variable& dz) {
         return Variables{-right_dx(x, y, dz), right_dy(x, y, dz)};
       }},
      {"a missing factor",
       [](const Variable& x, const Variable& y, const Variable& dz) {
         return Variables{dz * x * y, right_dy(x, y, dz)};
       }},
      {"a mean where a sum belongs",
       [](const Variable& x, const Variable&, const Variable& dz) {
         return Variables{dz * x * 2, mean(dz * x * x, {0})};
       }},
      {"one row forgotten in the sum",
       [](const Variable& x, const Variable& y, const Variable& dz) {
         return Variables{right_dx(x, y, dz), select(dz * x * x, 0, 0)};
       }},
      {"the rows swapped",
       [](const Variable& x, const Variable& y, const Variable& dz) {
         return Variables{index_select(right_dx(x, y, dz), 0, Tensor::from({1, 0})),
                          right_dy(x, y, dz)};
       }},
      {"the incoming gradient ignored",
       [](const Variable& x, const Variable& y, const Variable& dz) {
         return Variables{right_dx(x, y, ones_like(dz.value())), right_dy(x, y, dz)};
       }},
      {"no gradient at all",
       [](const Variable& x, const Variable& y, const Variable& dz) {
         return Variables{Variable(), right_dy(x, y, dz)};
       }},
      {"one element of many",
       [](const Variable& x, const Variable& y, const Variable& dz) {
         return Variables{with_one_wrong(right_dx(x, y, dz), 1e-4), right_dy(x, y, dz)};
       }},
      {"NaN in one element",
       [](const Variable& x, const Variable& y, const Variable& dz) {
         return Variables{with_one_wrong(right_dx(x, y, dz), NAN), right_dy(x, y, dz)};
       }},
      {"infinite in one element", [](const Variable& x, const Variable& y, const Variable& dz) {
         return Variables{with_one_wrong(right_dx(x, y, dz), INFINITY), right_dy(x, y, dz)};
       }}};
  for (const auto& each : bugs) {
    CAPTURE(each.first);
    const GradcheckReport report = check(each.second);
    CHECK(report.verdict == Verdict::fail);
    CHECK(!report.passed());
    CHECK(report.fail_count >= 1);
    REQUIRE(!report.worst.empty());
    CHECK(report.worst.front().verdict == Verdict::fail);
    CHECK(report.worst.front().excess > 1);
    CHECK(!(report.worst_relative_error < 1e-6));
    CHECK(contains(report.to_string(), "the function: fail, 9 elements"));
    check_counts(report);
  }
}

TEST_CASE("an error just above the tolerance fails, one just below passes") {
  // Of slopes between 0.5 and 2 the tolerance is 1e-6 and a little; the bound lies far below.
  const auto off_by = [](double share) {
    return check([share](const Variable& x, const Variable& y, const Variable& dz) {
             return Variables{right_dx(x, y, dz) * (1 + share), right_dy(x, y, dz)};
           })
        .verdict;
  };
  CHECK(off_by(0.9e-6) == Verdict::pass);
  CHECK(off_by(1.1e-6) == Verdict::fail);
  GradcheckOptions strict{.rtol = 1e-9, .atol = 1e-10};
  CHECK(check(right, strict).verdict == Verdict::pass);
}

TEST_CASE("the report names input, index, analytic and numeric value of the wrong element") {
  const GradcheckReport report =
      check([](const Variable& x, const Variable& y, const Variable& dz) {
        return Variables{with_one_wrong(right_dx(x, y, dz), 1), right_dy(x, y, dz)};
      });
  REQUIRE(report.verdict == Verdict::fail);
  CHECK(report.fail_count == 1);
  const GradcheckEntry& worst = report.worst.front();
  CHECK(worst.input == 0);
  CHECK(worst.name == "input 0");
  CHECK(worst.index == Shape{1, 2});
  CHECK(worst.place() == "input 0[1,2]");
  CHECK(worst.analytic == doctest::Approx(2 * worst.numeric));
  CHECK(worst.relative_error == doctest::Approx(0.5));
  CHECK(worst.absolute_error > 0.1);
  CHECK(worst.bound < 1e-8);
  CHECK(report.worst[1].excess < 1);
  const std::string text = report.to_string();
  CHECK(contains(text, "fail input 0[1,2]: analytic "));
  CHECK(contains(text, ", numeric "));
  CHECK(!contains(text, "input 1"));
}

TEST_CASE("subject and names stand in the report, and inputs without one are numbered") {
  const auto wrong = [](const Variable& x, const Variable& y, const Variable& dz) {
    return Variables{right_dx(x, y, dz) * 2, right_dy(x, y, dz) * 3};
  };
  const GradcheckReport report = check(wrong, {.subject = "my op", .names = {"weight"}});
  CHECK(report.subject == "my op");
  CHECK(report.inputs.at(0).name == "weight");
  CHECK(report.inputs.at(1).name == "input 1");
  const std::string text = report.to_string();
  CHECK(text.find("my op: fail") == 0);
  CHECK(contains(text, "weight["));
  CHECK(contains(text, "input 1["));
}

TEST_CASE("`worst` says how many elements are kept") {
  CHECK(check(right, {.worst = 2}).worst.size() == 2);
  CHECK(check(right, {.worst = 100}).worst.size() == 9);
  const GradcheckReport none = check(
      [](const Variable& x, const Variable& y, const Variable& dz) {
        return Variables{right_dx(x, y, dz) * 2, right_dy(x, y, dz)};
      },
      {.worst = 0});
  CHECK(none.verdict == Verdict::fail);
  CHECK(none.worst.empty());
}

TEST_CASE("colours are escape codes around the same text") {
  for (const bool wrong : {false, true}) {
    const GradcheckReport report =
        check([wrong](const Variable& x, const Variable& y, const Variable& dz) {
          return Variables{right_dx(x, y, dz) * (wrong ? -1 : 1), right_dy(x, y, dz)};
        });
    const std::string plain = report.to_string();
    const std::string painted = report.to_string(true);
    CHECK(!contains(plain, "\033"));
    CHECK(contains(painted, wrong ? "\033[1;31mfail\033[0m" : "\033[32mpass\033[0m"));
    std::string washed;
    for (std::size_t i = 0; i < painted.size(); ++i) {
      if (painted[i] == '\033') i = painted.find('m', i) + 1;
      if (i < painted.size() && painted[i] != '\033') washed += painted[i];
      if (i < painted.size() && painted[i] == '\033') --i;
    }
    CHECK(washed == plain);
  }
}

// ---- Kinks ----

TEST_CASE("at a kink every slope between left and right passes as one, and none beyond") {
  const auto relu_with = [](double slope_at_0) {
    return [slope_at_0](const Variables& v) {
      return custom(
          v, [](const Variables& in) { return core::relu(in[0].value()); },
          [slope_at_0](const Variables& in, const Variable& dy) {
            const Tensor& x = in[0].value();
            const Tensor step = core::where(core::gt(x, 0), ones_like(x), zeros_like(x));
            const Tensor at_0 = full(x.shape(), slope_at_0, float64);
            return Variables{dy * core::where(core::eq(x, 0), at_0, step)};
          });
    };
  };
  const Variables x{leaf({{0, 1}, {-2, 0}})};
  for (const double slope : {0.0, 0.3, 0.5, 1.0}) {
    CAPTURE(slope);
    const GradcheckReport report = gradcheck(relu_with(slope), x);
    CHECK_MESSAGE(report.verdict == Verdict::kink, report.to_string());
    CHECK(report.passed());
    CHECK(report.kink_count == 2);
    CHECK(report.passed_count == 2);
    CHECK(contains(report.to_string(), ", 2 at kinks"));
    check_counts(report);
  }
  for (const double slope : {-0.1, -1e-4, 1.0001, 1.1, 7.0}) {
    CAPTURE(slope);
    const GradcheckReport report = gradcheck(relu_with(slope), x);
    CHECK_MESSAGE(report.verdict == Verdict::fail, report.to_string());
    CHECK(report.fail_count == 2);
    CHECK(contains(report.to_string(), "numeric between "));
  }
}

TEST_CASE("a kink allows nothing elsewhere: the smooth elements beside it are still judged") {
  const auto wrong_at_1 = [](const Variables& v) {
    return custom(
        v, [](const Variables& in) { return core::abs(in[0].value()); },
        [](const Variables& in, const Variable& dy) {
          return Variables{
              dy * core::mul(core::sign(in[0].value()), Tensor::from({1.0, 1.001, 1.0}, float64))};
        });
  };
  const GradcheckReport report = gradcheck(wrong_at_1, {leaf({0, 1, -2})});
  CHECK(report.verdict == Verdict::fail);
  CHECK(report.kink_count == 1);
  CHECK(report.fail_count == 1);
  CHECK(report.worst.front().index == Shape{1});
}

TEST_CASE(
    "ties of max-pooling pass, also where windows overlap, and a gradient beyond them fails") {
  const Variable ties = leaf({{{{1, 1, 0.5, 2}, {1, 1, 2, 2}, {-1, 3, 3, 0}, {3, 3, 0, 0}}}});
  for (const std::int64_t stride : {1, 2}) {
    CAPTURE(stride);
    const auto pool = [stride](const Variables& v) {
      return max_pool2d(v[0], {.kernel_size = 2, .stride = stride});
    };
    const GradcheckReport report = gradcheck(pool, {ties});
    CHECK_MESSAGE(report.verdict == Verdict::kink, report.to_string());
    // Four windows meet in an element: each may choose, but not give more than all of its gradient.
    const auto doubled = [stride](const Variables& v) {
      const Variable y = max_pool2d(v[0], {.kernel_size = 2, .stride = stride});
      return custom(
          {y}, [](const Variables& in) { return in[0].value().clone(); },
          [](const Variables&, const Variable& dy) { return Variables{dy * 1.5}; });
    };
    CHECK(gradcheck(doubled, {ties}).verdict == Verdict::fail);
  }
}

TEST_CASE("a kink beside the point does not disturb, at whatever distance") {
  for (double distance = 1; distance > 1e-12; distance /= 10) {
    CAPTURE(distance);
    const GradcheckReport report =
        gradcheck(one(relu), {leaf({distance, -distance, 2, distance / 3})});
    CHECK_MESSAGE(report.passed(), report.to_string());
  }
}

// ---- What finite differences cannot tell ----

TEST_CASE("where the output is not finite nothing is confirmed and nothing refuted") {
  const auto finite_gradient = [](const Variables& v) {
    return custom(
        v, [](const Variables& in) { return core::sqrt(in[0].value()); },
        [](const Variables&, const Variable& dy) { return Variables{dy * 5.0}; });
  };
  const std::vector<std::pair<std::string, GradcheckReport>> reports{
      {"sqrt of -1", gradcheck(one(sqrt), {leaf({-1.0})})},
      {"exp of 1000", gradcheck(one(exp), {leaf({1000.0})})},
      {"log of 0", gradcheck(one(log), {leaf({0.0})})},
      {"a finite gradient", gradcheck(finite_gradient, {leaf({-1.0})})}};
  for (const auto& each : reports) {
    CAPTURE(each.first);
    const GradcheckReport& report = each.second;
    CHECK_MESSAGE(report.verdict == Verdict::inconclusive, report.to_string());
    CHECK(!report.passed());
    CHECK(report.diagnoses.empty());
    CHECK(has_note(report, "the output is not finite in 1 of 1 elements"));
  }
  // The other elements are judged as ever.
  const GradcheckReport half = gradcheck(one(sqrt), {leaf({-1.0, 4.0})});
  CHECK(half.passed_count == 1);
  CHECK(half.inconclusive_count == 1);
}

TEST_CASE("at the edge of its domain a function has no slope to compare with") {
  const GradcheckReport report = gradcheck(one(sqrt), {leaf({0.0})});
  CHECK(report.verdict == Verdict::inconclusive);
  CHECK(has_note(report, "finite differences settle nowhere"));
}

TEST_CASE("a jump is inconclusive, whatever backward says") {
  for (const double slope : {0.0, 1.0}) {
    const auto step = [slope](const Variables& v) {
      return custom(
          v,
          [](const Variables& in) {
            const Tensor& x = in[0].value();
            return core::where(core::ge(x, 0), ones_like(x), zeros_like(x));
          },
          [slope](const Variables&, const Variable& dy) { return Variables{dy * slope}; });
    };
    const GradcheckReport report = gradcheck(step, {leaf({0.0})});
    CHECK(report.verdict == Verdict::inconclusive);
    CHECK(report.inconclusive_count == 1);
    CHECK(has_note(report, "the function jumps, is not finite or is not differentiable here"));
  }
}

TEST_CASE(
    "a function that rounds to float32 on the way is inconclusive, right or wrong by little") {
  const auto rounded = [](double factor) {
    return [factor](const Variables& v) {
      return custom(
          v, [](const Variables& in) { return core::exp(in[0].value()).to(float32).to(float64); },
          [factor](const Variables& in, const Variable& dy) {
            return Variables{dy * exp(in[0]) * factor};
          });
    };
  };
  Generator generator(5);
  const Variables x{Variable(randn({40}, generator, float64), true)};
  const GradcheckReport report = gradcheck(rounded(1), x);
  CHECK_MESSAGE(report.verdict == Verdict::inconclusive, report.to_string());
  CHECK(report.inconclusive_count >= 10);
  // What is wrong by more than the noise is wrong.
  CHECK(gradcheck(rounded(2), x).verdict == Verdict::fail);
}

TEST_CASE("where there is no derivative there is no failure, but one line that says so") {
  /// f elementwise, and as its gradient 1.
  const auto elementwise = [](double (*f)(double)) {
    return [f](const Variables& v) {
      return custom(
          v,
          [f](const Variables& in) {
            const Tensor y = in[0].value().clone();
            for (std::int64_t i = 0; i < y.numel(); ++i) {
              y.data<double>()[i] = f(y.data<double>()[i]);
            }
            return y;
          },
          [](const Variables&, const Variable& dy) { return Variables{dy * 1.0}; });
    };
  };
  const std::vector<std::pair<std::string, DifferentiableFunction>> functions{
      // Σ 0.7^n·cos(11^n·π·x) has a derivative at no point of the line: 0.7·11 > 1 + 3π/2.
      {"Weierstrass", elementwise([](double x) {
         double sum = 0;
         for (int n = 0; n < 14; ++n) {
           sum += std::pow(0.7, n) * std::cos(std::pow(11, n) * M_PI * x);
         }
         return sum;
       })},
      {"a staircase", elementwise([](double x) { return std::floor(x * 1e5) / 1e5; })}};
  for (const auto& each : functions) {
    CAPTURE(each.first);
    const GradcheckReport report = gradcheck(each.second, {leaf({0.3, 0.123, 1.7})});
    CHECK_MESSAGE(report.verdict == Verdict::inconclusive, report.to_string());
    CHECK(report.diagnoses.empty());
    CHECK(contains(report.to_string(), "the function: inconclusive, 3 elements, 3 inconclusive"));
    CHECK(has_note(report, "finite differences"));
    CHECK(has_note(report, "not differentiable"));
  }
}

TEST_CASE("right gradients of functions that are badly scaled are no failures") {
  struct Hard {
    std::string name;
    DifferentiableFunction f;
    Variables x;
  };
  Generator generator(3);
  const std::vector<Hard> all{
      {"x + 1e8", [](const Variables& v) { return v[0] + 1e8; }, {leaf({0.3, -2})}},
      {"1e150 x", [](const Variables& v) { return v[0] * 1e150; }, {leaf({0.3, -2})}},
      {"tiny inputs",
       [](const Variables& v) { return tanh(v[0] * 1e200); },
       {leaf({3e-201, 1e-200})}},
      {"huge inputs", [](const Variables& v) { return v[0] * v[0]; }, {leaf({1e120, -3e120})}},
      {"inputs whose squares overflow",
       [](const Variables& v) { return v[0] * 1e-200; },
       {leaf({1e200, -3e201})}},
      {"inputs whose squares underflow",
       [](const Variables& v) { return log(v[0]); },
       {leaf({1e-200, 3e-201})}},
      {"log of small beside large", one(log), {leaf({1e-9, 1, 100})}},
      {"sums that cancel",
       [](const Variables& v) { return sum(v[0]) * sum(v[0]); },
       {leaf({1e6, -1e6, 1})}}};
  for (const Hard& each : all) {
    CAPTURE(each.name);
    const GradcheckReport report = gradcheck(each.f, each.x);
    CHECK_MESSAGE(report.verdict == Verdict::pass, report.to_string());
    const GradcheckReport fast = gradcheck(each.f, each.x, fast_gradcheck());
    CHECK_MESSAGE(fast.verdict != Verdict::fail, fast.to_string());
  }
}

// ---- Draws, samples, directions ----

TEST_CASE("each draw weighs the output anew, so an error that one weighting hides is found") {
  // Right for the weights that it meets first, wrong for all others.
  std::map<double, int> seen;
  const auto blind = [&](const Variables& v) {
    return custom(
        v, [](const Variables& in) { return core::mul(in[0].value(), 2); },
        [&seen](const Variables&, const Variable& dy) {
          const double w = dy.value().data<double>()[0];
          if (seen.empty()) seen[w] = 1;
          return Variables{seen.count(w) ? dy * 2.0 : dy * 2.1};
        });
  };
  CHECK(gradcheck(blind, {leaf({1, 2})}, {.draws = 1, .contracts = false}).verdict ==
        Verdict::pass);
  seen.clear();
  const GradcheckReport report = gradcheck(blind, {leaf({1, 2})});
  CHECK(report.verdict == Verdict::fail);
  CHECK(report.worst.front().draw == 1);
}

TEST_CASE("a choice of elements compares as many as it says, without repetition, and marks them") {
  Generator generator(1);
  const Variables x{Variable(randn({10, 10}, generator, float64), true), leaf({1, 2})};
  const auto f = [](const Variables& v) { return sum(v[0] * v[0]) * v[1]; };
  const GradcheckReport report = gradcheck(f, x, {.elements = 7});
  CHECK(report.elements == 7 + 2);
  CHECK(report.verdict == Verdict::pass);
  int checked = 0;
  const GradcheckInput& input = report.inputs.at(0);
  for (std::int64_t e = 0; e < 100; ++e) {
    const bool here = input.verdicts.data<std::uint8_t>()[e] != GradcheckInput::unchecked;
    CHECK(std::isnan(input.numeric.data<double>()[e]) == !here);
    checked += here ? 1 : 0;
  }
  CHECK(checked == 7);
  // Another seed chooses others.
  std::set<std::vector<double>> choices;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    const GradcheckReport other = gradcheck(f, x, {.elements = 7, .seed = seed});
    choices.insert(core::isnan(other.inputs.at(0).numeric).to(float64).to_vector<double>());
  }
  CHECK(choices.size() == 4);
}

TEST_CASE("a gradient that is wrong everywhere costs less than three times a right one") {
  const auto cost = [](double factor) {
    Generator generator(1);
    const Variables x{Variable(rand({40}, generator, float64), true)};
    int calls = 0;
    const auto function = [&](const Variables& v) {
      return custom(
          v,
          [&](const Variables& in) {
            ++calls;
            return core::exp(in[0].value());
          },
          [factor](const Variables& in, const Variable& dy) {
            return Variables{dy * exp(in[0]) * factor};
          });
    };
    const GradcheckReport report = gradcheck(function, x, {.contracts = false, .sweep = false});
    CHECK(report.fail_count == (factor == 1 ? 0 : 40));
    return calls;
  };
  const int right = cost(1);
  CHECK(cost(1.01) < 3 * right);  // all five measurements would be more
  CHECK(cost(1.0001) < 3 * right);
}

TEST_CASE("beside wrong elements right ones are heard, however fast they wave") {
  Generator generator(3);
  int waves = 0;
  for (int i = 0; i < 60; ++i) {
    const double omega = std::exp(2 + 14 * generator.uniform());
    const auto run = [&](std::int64_t wrong) {
      const Tensor start = core::add(core::mul(rand({12}, generator, float64), 0.01), 0.5);
      const Tensor first = zeros({12}, float64);
      first.narrow(0, 0, wrong).fill_(1);
      const auto function = [&](const Variables& v) {
        return custom(
            v,
            [&](const Variables& in) {
              const Tensor& x = in[0].value();
              return core::where(core::gt(first, 0), core::exp(x), core::sin(core::mul(x, omega)));
            },
            [&](const Variables& in, const Variable& dy) {
              return Variables{
                  dy * where(core::gt(first, 0), exp(in[0]) * 1.01, cos(in[0] * omega) * omega)};
            });
      };
      return gradcheck(function, {Variable(start, true)}, {.contracts = false, .sweep = false});
    };
    CAPTURE(omega);
    if (run(0).fail_count > 0) continue;
    ++waves;
    CHECK(run(4).fail_count == 4);
  }
  CHECK(waves >= 50);
}

TEST_CASE("several groups of ties, each right by the points beside it, are right together") {
  for (const std::int64_t groups : {1, 2, 5}) {
    CAPTURE(groups);
    const Variables x{Variable(full({3 * groups}, 3, float64), true)};
    const auto second_largest = [&](const Variables& v) {
      Variables parts;
      for (std::int64_t g = 0; g < groups; ++g)
        parts.push_back(narrow(sort(narrow(v[0], 0, 3 * g, 3), 0).values, 0, 1, 1));
      return cat(parts, 0);
    };
    const GradcheckReport report = gradcheck(second_largest, x, {.contracts = false});
    CHECK_MESSAGE(report.passed(), report.to_string());
    // Each alone lies between two right ones; all together they are three times too much.
    const auto each_gets_all = [&](const Variables& v) {
      return custom(
          v, [&](const Variables& in) { return second_largest(in).value(); },
          [&](const Variables&, const Variable& dy) {
            return Variables{reshape(expand(unsqueeze(dy, 1), {groups, 3}), {3 * groups})};
          });
    };
    CHECK(gradcheck(each_gets_all, x, {.contracts = false}).verdict == Verdict::fail);
  }
}

TEST_CASE("the steps through the worst element are kept unless they are not wanted") {
  CHECK(check(right).sweep.size() == 44);
  CHECK(check(right, {.sweep = false}).sweep.empty());
}

TEST_CASE("a choice of elements and fast mode catch a gradient that is wrong throughout") {
  Generator generator(1);
  const Variables x{Variable(randn({50, 20}, generator, float64), true)};
  const auto wrong = [](const Variables& v) {
    return custom(
        v, [](const Variables& in) { return core::tanh(in[0].value()); },
        [](const Variables& in, const Variable& dy) {
          const Variable y = tanh(in[0]);
          return Variables{dy * (1.0 - y * y) * 1.0009};
        });
  };
  const GradcheckReport sampled = gradcheck(wrong, x, {.elements = 3});
  CHECK(sampled.verdict == Verdict::fail);
  CHECK(sampled.fail_count == 3);
  const GradcheckReport fast = gradcheck(wrong, x, fast_gradcheck());
  CHECK(fast.verdict == Verdict::fail);
  CHECK(fast.elements == 1);  // the one that it was led to
  CHECK(fast.directions == 8);
  const std::string text = fast.to_string();
  CHECK(contains(text, ", 8 directions, "));
  CHECK(contains(text, "input 0 along direction "));
  CHECK(has_note(fast, "fast mode: an error of a single element among n"));
  check_counts(fast);
}

TEST_CASE("fast mode leads from a direction that fails to the one element that is wrong") {
  Generator generator(1);
  const Variables x{Variable(randn({40, 50}, generator, float64), true)};
  const Shape guilty{15, 27};
  const auto wrong = [&](const Variables& v) {
    return custom(
        v, [](const Variables& in) { return core::tanh(in[0].value()); },
        [&](const Variables& in, const Variable& dy) {
          const Tensor mask = ones({40, 50}, float64);
          mask.at<double>(guilty) = 1.01;
          const Variable y = tanh(in[0]);
          return Variables{dy * (1.0 - y * y) * Variable(mask)};
        });
  };
  const GradcheckReport report = gradcheck(wrong, x, fast_gradcheck());
  CHECK(report.verdict == Verdict::fail);
  CHECK(report.worst.front().direction == -1);
  CHECK(report.worst.front().index == guilty);
  CHECK(report.diagnoses.empty());  // one number would fit any factor
}

TEST_CASE("fast mode passes what is right, kinks and flat parts included, and costs no element") {
  Generator generator(1);
  int calls = 0;
  const auto f = [&](const Variables& v) {
    ++calls;
    return relu(matmul(v[0], v[1]));
  };
  const Variables x{Variable(randn({30, 20}, generator, float64), true),
                    Variable(randn({20, 10}, generator, float64), true)};
  const GradcheckReport report = gradcheck(f, x, fast_gradcheck(3));
  CHECK_MESSAGE(report.passed(), report.to_string());
  CHECK(report.directions == 6);
  // At most 32 steps on two sides each, a second measurement, two longer tries, and a few
  // backward passes.
  CHECK(calls < 6 * 2 * 32 * 4);
  // Directions through large numbers: x + t·u is rounded, and the slope is not to blame.
  const Tensor large = core::mul(randn({200}, generator, float64), 1e6);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    GradcheckOptions options = fast_gradcheck(4);
    options.seed = seed;
    const GradcheckReport waves =
        gradcheck([&](const Variables& v) { return sigmoid(v[0] - large); },
                  {Variable(large, true)}, options);
    CHECK_MESSAGE(waves.verdict == Verdict::pass, waves.to_string());
  }
}

TEST_CASE("options that compare nothing, or make no sense, are refused") {
  const auto square = [](const Variables& v) { return v[0] * v[0]; };
  const Variables x{leaf({1, 2})};
  CHECK(contains(message_of<ValueError>([&] { gradcheck(square, x, {.elements = 0}); }),
                 "gradcheck: with 0 elements and 0 directions nothing would be compared"));
  CHECK_THROWS_AS(gradcheck(square, x, fast_gradcheck(0)), ValueError);
  CHECK_THROWS_AS(gradcheck(square, x, fast_gradcheck(-1)), ValueError);
  CHECK_THROWS_AS(gradcheck(square, x, {.rtol = -1}), ValueError);
  CHECK_THROWS_AS(gradcheck(square, x, {.atol = NAN}), ValueError);
  CHECK_THROWS_AS(gradcheck(square, x, {.draws = 0}), ValueError);
}

// ---- Emptiness ----

TEST_CASE("an input that backward does not reach, and that does nothing, is named") {
  const GradcheckReport report =
      gradcheck([](const Variables& v) { return v[0] * 2.0; }, {leaf({1, 2}), leaf({3})});
  CHECK(report.verdict == Verdict::pass);
  CHECK(!report.inputs.at(1).connected);
  CHECK(has_note(report, "input 1 is disconnected"));
}

TEST_CASE("slopes that are all 0 pass, but it is said") {
  const GradcheckReport report =
      gradcheck([](const Variables& v) { return v[0] * 0.0; }, {leaf({1, 2})});
  CHECK(report.verdict == Verdict::pass);
  CHECK(has_note(report, "every slope of input 0 is 0, by backward and by differences"));
}

TEST_CASE("a constant confirms nothing") {
  const GradcheckReport report = gradcheck(
      [](const Variables&) {
        return Variable(Tensor::from({1.0, 2.0}, float64));
      },
      {leaf({1, 2})});
  CHECK(report.verdict == Verdict::inconclusive);
  CHECK(has_note(report, "vacuous: the output does not depend on any input"));
}

TEST_CASE("an output cut from its history fails and is called disconnected") {
  const GradcheckReport report = gradcheck(
      [](const Variables& v) { return Variable(core::mul(v[0].value(), 2)); }, {leaf({1, 2})});
  CHECK(report.verdict == Verdict::fail);
  REQUIRE(report.diagnoses.size() == 1);
  CHECK(report.diagnoses.front().pattern == Pattern::disconnected);
}

TEST_CASE("empty inputs compare nothing, and the report says so") {
  const auto square = [](const Variables& v) { return v[0] * v[0]; };
  const GradcheckReport empty = gradcheck(square, {Variable(ones({0}, float64), true)});
  CHECK(empty.elements == 0);
  CHECK(has_note(empty, "nothing to compare: every input is empty"));
  const GradcheckReport half = gradcheck([](const Variables& v) { return sum(v[0]) + v[1] * v[1]; },
                                         {Variable(ones({3, 0}, float64), true), leaf({1, 2})});
  CHECK(half.verdict == Verdict::pass);
  CHECK(half.elements == 2);
  // No output: no slope either.
  const GradcheckReport nothing =
      gradcheck([](const Variables& v) { return narrow(v[0], 0, 0, 0); }, {leaf({1, 2})});
  CHECK(nothing.verdict != Verdict::fail);
  CHECK(has_note(nothing, "every slope of input 0 is 0"));
}

// ---- What is not a function ----

TEST_CASE("a function that changes from call to call is found out, in one line") {
  Generator generator(1);
  const GradcheckReport report =
      gradcheck([&](const Variables& v) { return v[0] * generator.uniform(); }, {inputs()[0]});
  CHECK(report.verdict == Verdict::fail);
  CHECK(report.elements == 0);
  CHECK(has_note(report, "not deterministic"));
  CHECK(contains(report.to_string(), "not deterministic: two calls with the same inputs"));
}

TEST_CASE("a backward that adds to what it left behind is found out") {
  Variable left_behind;
  const GradcheckReport report = gradcheck(
      [&](const Variables& v) {
        return custom(
            v, [](const Variables& in) { return core::mul(in[0].value(), 3); },
            [&](const Variables&, const Variable& dy) {
              left_behind = left_behind.defined() ? left_behind + dy * 3.0 : dy * 3.0;
              return Variables{left_behind};
            });
      },
      {leaf({1, 2})});
  CHECK(report.verdict == Verdict::fail);
  REQUIRE(report.diagnoses.size() == 1);
  CHECK(report.diagnoses.front().pattern == Pattern::stale_accumulation);
}

TEST_CASE("a layer that keeps its input itself, not on the tape, is found out") {
  Variable last;
  const GradcheckReport report = gradcheck(
      [&](const Variables& v) {
        last = v[0];
        return custom(
            v, [](const Variables& in) { return core::mul(in[0].value(), in[0].value()); },
            [&](const Variables&, const Variable& dy) { return Variables{dy * last * 2.0}; });
      },
      {leaf({1, 2})});
  CHECK(report.verdict == Verdict::fail);
  REQUIRE(report.diagnoses.size() == 1);
  CHECK(report.diagnoses.front().pattern == Pattern::stale_value);
}

TEST_CASE("a function that writes into its input is refused by name") {
  const auto writes = [](const Variables& v) {
    core::mul_(v[1].value(), 0.5);
    return v[0] * v[1];
  };
  const std::string message = message_of<GradError>([&] {
    gradcheck(writes, {leaf({1, 2}), leaf({3, 4})});
  });
  CHECK(contains(message, "gradcheck: the function wrote into input 1"));
  // To clamp twice is to clamp once: the outputs alone would not show it.
  const auto clamps = [](const Variables& v) {
    v[0].value().copy_(core::clamp(v[0].value(), 0, 1));
    return v[0] * 2.0;
  };
  CHECK_THROWS_AS(gradcheck(clamps, {leaf({-1, 2})}), GradError);
}

// ---- Layouts ----

TEST_CASE("the function sees each input in the layout that it was given in") {
  Generator generator(2);
  const Tensor base = randn({4, 6}, generator, float64);
  const std::vector<std::pair<std::string, Tensor>> layouts{
      {"row-major", base},
      {"transposed", base.transpose()},
      {"sliced", base.slice(1, 0, 6, 2)},
      {"sliced in both", base.slice(0, 1, 4, 2).slice(1, 1, 6, 3)},
      {"rows from the middle", base.narrow(0, 1, 2)},
      {"a column", base.select(1, 2)},
      {"sliced, then transposed", base.slice(1, 1, 6, 2).transpose()},
      {"permuted", randn({2, 3, 4}, generator, float64).permute({2, 0, 1})},
      {"a scalar", base.select(0, 1).select(0, 1)},
      {"one row", base.narrow(0, 2, 1)},
      {"nothing", base.narrow(0, 0, 0)}};
  for (const auto& each : layouts) {
    CAPTURE(each.first);
    const Tensor& x = each.second;
    const Tensor before = x.clone();
    std::set<std::vector<std::int64_t>> strides;
    bool shared = false;
    const auto f = [&](const Variables& v) {
      const Tensor& seen = v[0].value();
      std::vector<std::int64_t> all;
      for (int d = 0; d < seen.rank(); ++d) {
        // The stride of a dimension with one element says nothing.
        all.push_back(seen.shape()[d] > 1 ? seen.strides()[d] : 0);
      }
      strides.insert(all);
      shared = shared || seen.storage().data() == x.storage().data();
      return v[0] * v[0];
    };
    const GradcheckReport report = gradcheck(f, {Variable(x, true)});
    CHECK_MESSAGE(report.passed(), report.to_string());
    CHECK(report.elements == x.numel());
    CHECK(!shared);
    CHECK(core::equal(x, before));
    std::vector<std::int64_t> given;
    for (int d = 0; d < x.rank(); ++d) given.push_back(x.shape()[d] > 1 ? x.strides()[d] : 0);
    if (x.numel() > 0) CHECK(strides.count(given) == 1);
  }
}

TEST_CASE("an error is reported at its index, whatever the layout") {
  Generator generator(2);
  const Tensor base = randn({3, 2}, generator, float64);
  const auto wrong_at_01 = [](const Variables& v) {
    return custom(
        v, [](const Variables& in) { return core::mul(in[0].value(), 2); },
        [](const Variables&, const Variable& dy) {
          const Tensor factor = full({2, 3}, 2, float64);
          factor.at<double>({0, 1}) = 3;
          return Variables{dy * factor};
        });
  };
  const GradcheckReport report = gradcheck(wrong_at_01, {Variable(base.transpose(), true)});
  CHECK(report.fail_count == 1);
  CHECK(report.worst.front().index == Shape{0, 1});
  CHECK(report.inputs.at(0).verdicts.at<std::uint8_t>({0, 1}) ==
        static_cast<std::uint8_t>(Verdict::fail));
  CHECK(report.inputs.at(0).numeric.shape() == Shape{2, 3});
}

TEST_CASE("an expanded input is checked as numbers of its own, and that is said") {
  const Tensor row = Tensor::from({{1.0, 2.0, 3.0}}, float64);
  const GradcheckReport report = gradcheck([](const Variables& v) { return v[0] * v[0]; },
                                           {Variable(row.expand({4, 3}), true)});
  CHECK_MESSAGE(report.verdict == Verdict::pass, report.to_string());
  CHECK(report.elements == 12);
  CHECK(has_note(report, "input 0 repeats its elements; each was taken as a number of its own"));
}

TEST_CASE("inputs that share memory are moved one at a time") {
  const Tensor memory = Tensor::from({1.0, 2.0, 3.0, 4.0}, float64);
  const Tensor before = memory.clone();
  const Variables x{Variable(memory.narrow(0, 0, 3), true), Variable(memory.narrow(0, 1, 3), true)};
  const GradcheckReport report =
      gradcheck([](const Variables& v) { return v[0] * v[0] * v[1]; }, x);
  CHECK_MESSAGE(report.verdict == Verdict::pass, report.to_string());
  CHECK(core::equal(memory, before));
  // The very same Variable twice is two inputs as well.
  const GradcheckReport twice =
      gradcheck([](const Variables& v) { return v[0] * v[1]; }, {x[0], x[0]});
  CHECK_MESSAGE(twice.verdict == Verdict::pass, twice.to_string());
  CHECK(twice.elements == 6);
}

TEST_CASE("an output that is a view of the input, or the input itself, is no trap") {
  for (const DifferentiableFunction& f :
       {DifferentiableFunction([](const Variables& v) { return v[0]; }),
        DifferentiableFunction([](const Variables& v) { return transpose(v[0]); }),
        DifferentiableFunction([](const Variables& v) { return select(v[0], 0, 1); })}) {
    const GradcheckReport report = gradcheck(f, {leaf({{1, 2}, {3, 4}})});
    CHECK_MESSAGE(report.verdict == Verdict::pass, report.to_string());
    CHECK_MESSAGE(gradgradcheck(f, {leaf({{1, 2}, {3, 4}})}).passed(), "second order");
  }
}

// ---- What is left as it was ----

TEST_CASE("the checker leaves its inputs, their gradients and the mode as they were") {
  const Variables leaves = inputs();
  const Tensor before = leaves[0].value().clone();
  sum(leaves[0]).backward();
  const Tensor gradient = leaves[0].grad().value().clone();
  gradgradcheck([](const Variables& v) { return v[0] * v[1]; }, leaves);
  CHECK(core::equal(leaves[0].value(), before));
  CHECK(core::equal(leaves[0].grad().value(), gradient));
  CHECK(!leaves[1].grad().defined());
  CHECK(grad_enabled());
  {
    const NoGrad guard;
    CHECK(gradcheck([](const Variables& v) { return v[0] * v[1]; }, leaves).passed());
    CHECK(gradgradcheck([](const Variables& v) { return v[0] * v[1]; }, leaves).passed());
    CHECK(!grad_enabled());
  }
}

TEST_CASE("the same when the function throws, at whatever call") {
  for (const bool second : {false, true}) {
    int survived = 0;
    for (int at = 1; at < 30; ++at) {
      const Variables leaves = inputs();
      const Tensor before = leaves[0].value().clone();
      int calls = 0;
      const auto throws = [&](const Variables& v) {
        if (++calls == at) fail<ValueError>("tired");
        return v[0] * v[1];
      };
      try {
        second ? gradgradcheck(throws, leaves) : gradcheck(throws, leaves);
        ++survived;
      } catch (const ValueError&) {
      }
      CHECK(core::equal(leaves[0].value(), before));
      CHECK(!leaves[0].grad().defined());
      CHECK(grad_enabled());
      CHECK(error_scope_path().empty());
    }
    // Beside the point it may throw: there the function is not defined.
    CHECK(survived > 0);
    CHECK(survived < 29);
  }
}

// ---- Inputs and outputs of every kind ----

TEST_CASE("inputs that do not want a gradient are handed through and not compared") {
  Variables mixed = inputs();
  mixed[1] = mixed[1].detach();
  mixed.push_back(Tensor::from({1, 0}));
  const auto f = [](const Variables& v) { return index_select(v[0], 0, v[2].value()) * v[1]; };
  for (const GradcheckReport& report : {gradcheck(f, mixed), gradgradcheck(f, mixed)}) {
    CHECK_MESSAGE(report.passed(), report.to_string());
    CHECK(report.elements == (report.order == 1 ? 6 : 12));
  }
}

TEST_CASE("float32 inputs are cast, with a note, and float32 inside the function is refused") {
  const auto square = [](const Variables& v) { return v[0] * v[0]; };
  const Variable x(Tensor::from({1.5, -2.0}), true);
  REQUIRE(x.dtype() == float32);
  for (const GradcheckReport& report : {gradcheck(square, {x}), gradgradcheck(square, {x})}) {
    CHECK_MESSAGE(report.passed(), report.to_string());
    CHECK(has_note(report, "input 0 is float32 and was cast to float64"));
  }
  CHECK(x.dtype() == float32);
  // A parameter that stayed float32 does not mix with the cast input.
  const Tensor weight = Tensor::from({2.0, 3.0});
  CHECK(contains(
      message_of<DTypeError>(
          [&] { gradcheck([&](const Variables& v) { return v[0] * weight; }, {x}); }),
      "gradcheck: input 0 is float32, which rounds too coarsely to check; in float64 the function "
      "fails: mul: dtypes differ: float64 [2] and float32 [2]"));
  CHECK(contains(
      message_of<DTypeError>([&] {
        gradcheck([](const Variables& v) { return Variable(v[0].value().to(float32)); },
                  {inputs()[0]});
      }),
      "gradcheck: the function returned float32 [2,3], expected float64: it rounds to float32 on "
      "the way, too coarsely to check"));
}

TEST_CASE("what cannot be checked is refused in one line") {
  const auto square = [](const Variables& v) { return v[0] * v[0]; };
  const Variables x{leaf({1, 2})};
  CHECK(contains(message_of<GradError>([&] { gradcheck(square, {Variable(ones({2}, float64))}); }),
                 "gradcheck: none of the 1 inputs requires a gradient"));
  CHECK_THROWS_AS(gradcheck(square, {}), GradError);
  CHECK(contains(message_of<DTypeError>([&] {
                   gradcheck([](const Variables& v) { return Variable(v[0].value().to(int64)); },
                             x);
                 }),
                 "gradcheck: the function returned int64 [2], expected float64: only "
                 "floating-point numbers have derivatives"));
  CHECK(contains(
      message_of<GradError>([&] { gradcheck([](const Variables&) { return Variable(); }, x); }),
      "gradcheck: the function returned nothing"));
  // The second order asks the same questions.
  CHECK_THROWS_AS(gradgradcheck(square, {Variable(ones({2}, float64))}), GradError);
  CHECK_THROWS_AS(
      gradgradcheck([](const Variables& v) { return Variable(v[0].value().to(int64)); }, x),
      DTypeError);
  CHECK(contains(
      message_of<GradError>([&] { gradgradcheck([](const Variables&) { return Variable(); }, x); }),
      "gradcheck: the function returned nothing"));
}

TEST_CASE("an output that changes shape is refused, from call to call and beside the point") {
  int calls = 0;
  CHECK(contains(
      message_of<ShapeError>([&] {
        gradcheck([&](const Variables& v) { return ++calls == 1 ? v[0] : narrow(v[0], 0, 0, 1); },
                  {leaf({1, 2})});
      }),
      "gradcheck: the function returned [2], then [1] for the same inputs"));
  // As many as are positive.
  const auto positive = [](const Variables& v) {
    std::vector<std::int64_t> kept;
    for (std::int64_t i = 0; i < v[0].numel(); ++i) {
      if (v[0].value().contiguous().data<double>()[i] > 0) kept.push_back(i);
    }
    return index_select(v[0], 0, Tensor::from(kept.data(), {std::ssize(kept)}));
  };
  CHECK(contains(message_of<ShapeError>([&] {
                   gradcheck(positive, {leaf({1e-9, 1})});
                 }),
                 "gradcheck: the function returned [2], but [1] with input 0 moved by -"));
}

TEST_CASE(
    "the function's own errors keep their type and gain the place, foreign ones become ours") {
  class Own : public Error {
   public:
    using Error::Error;
  };
  const auto throwing = [](int at, const std::function<void()>& what) {
    return [=, calls = std::make_shared<int>(0)](const Variables& v) {
      if (++*calls == at) what();
      return v[0] * v[0];
    };
  };
  const Variables x{leaf({{1, 2}})};
  CHECK(
      contains(message_of<Own>([&] { gradcheck(throwing(1, [] { fail<Own>("out of tea"); }), x); }),
               "out of tea [in gradcheck, at the given inputs]"));
  for (const int at : {1, 4}) {
    CAPTURE(at);
    CHECK(contains(message_of<Error>([&] {
                     gradcheck(throwing(at, [] { throw std::out_of_range("no such key"); }), x);
                   }),
                   "gradcheck: the function threw \"no such key\" [in gradcheck"));
    CHECK(contains(message_of<Error>([&] {
                     gradgradcheck(throwing(at, [] { throw std::out_of_range("no such key"); }), x);
                   }),
                   "gradcheck: the function threw \"no such key\" [in gradcheck"));
  }
  CHECK_THROWS_AS(gradcheck(throwing(14, [] { throw 42; }), x), int);
}

TEST_CASE("an undefined input is refused in one line") {
  const auto f = [](const Variables& v) { return v[0] * 2.0; };
  CHECK(contains(message_of<GradError>([&] {
                   gradcheck(f, {leaf({1}), Variable()});
                 }),
                 "gradcheck: input 1 is undefined"));
  CHECK_THROWS_AS(gradgradcheck(f, {Variable()}), GradError);
}

TEST_CASE("more names than inputs are no harm") {
  const auto f = [](const Variables& v) { return v[0] * v[0]; };
  const GradcheckOptions options{.names = {"a", "b", "c"}};
  CHECK(gradcheck(f, {leaf({1})}, options).passed());
  const GradcheckReport second = gradgradcheck(f, {leaf({1})}, options);
  REQUIRE(second.inputs.size() == 2);
  CHECK(second.inputs[1].name == "output gradient");
}

TEST_CASE("a gradient of a wrong shape is a verdict that names the op and the input") {
  const auto wrong_shape = [](const Variables& v) {
    return custom(
        v, [](const Variables& in) { return core::mul(in[0].value(), 2); },
        [](const Variables&, const Variable& dy) { return Variables{sum(dy)}; });
  };
  const GradcheckReport report = gradcheck(wrong_shape, {leaf({1, 2})});
  CHECK(report.verdict == Verdict::fail);
  REQUIRE(report.diagnoses.size() == 1);
  CHECK(report.diagnoses[0].pattern == Pattern::wrong_shape);
  CHECK(report.diagnoses[0].text ==
        "custom: backward returns a gradient float64 [] for input 0, which is float64 [2]");
  CHECK(grad_enabled());
}

TEST_CASE("inputs that are not finite are told apart from wrong gradients") {
  const GradcheckReport report =
      gradcheck([](const Variables& v) { return v[0] * 2.0; }, {leaf({1, INFINITY, NAN})});
  CHECK(report.verdict == Verdict::inconclusive);
  CHECK(report.passed_count == 1);
  CHECK(report.inconclusive_count == 2);
}

// ---- Second order ----

TEST_CASE("the second order fails where only the second derivative is wrong") {
  // dx is right as a number, but y is cut out of its history.
  const auto cut = [](const Variables& v) {
    return planted(
        [](const Variable& x, const Variable& y, const Variable& dz) {
          return Variables{right_dx(x, y.detach(), dz), right_dy(x, y, dz)};
        },
        v[0], v[1]);
  };
  CHECK(gradcheck(cut, inputs()).passed());
  const GradcheckReport second = gradgradcheck(cut, inputs());
  CHECK(second.verdict == Verdict::fail);
  CHECK(second.order == 2);
  CHECK(second.worst.front().name == "input 1");
  CHECK(contains(second.to_string(), "the function, second order: fail"));
}

TEST_CASE("the second order checks the output gradient too, under its name") {
  const auto f = [](const Variables& v) { return v[0] * v[0] * v[0]; };
  const GradcheckReport report = gradgradcheck(f, {leaf({1, -2})}, {.names = {"x"}});
  CHECK_MESSAGE(report.passed(), report.to_string());
  CHECK(report.elements == 4);
  REQUIRE(report.inputs.size() == 2);
  CHECK(report.inputs[0].name == "x");
  CHECK(report.inputs[1].name == "output gradient");
  // A backward that is not linear in dy is wrong there.
  const GradcheckReport wrong = gradgradcheck(
      [](const Variables& v) {
        return custom(
            v, [](const Variables& in) { return core::mul(in[0].value(), 2); },
            [](const Variables&, const Variable& dy) {
              return Variables{dy * 2.0 + (dy - dy.detach()) * 0.5};
            });
      },
      {leaf({1, 2})});
  CHECK(wrong.verdict == Verdict::fail);
  CHECK(wrong.worst.front().name == "output gradient");
}

TEST_CASE("a linear function has second derivatives of 0 by its input, and passes") {
  const GradcheckReport report =
      gradgradcheck([](const Variables& v) { return v[0] * 3.0; }, {leaf({1, 2})});
  CHECK_MESSAGE(report.verdict == Verdict::pass, report.to_string());
}

// ---- Samples in every layout ----

TEST_CASE("a sample comes in four layouts, with the same numbers") {
  Generator generator(4);
  const Sample sample{"a sample",
                      {Variable(randn({2, 3}, generator, float64), true), Tensor::from({1, 0})},
                      [](const Variables& v) { return index_select(v[0], 0, v[1].value()); }};
  const std::vector<Sample> all = in_every_layout({sample});
  REQUIRE(all.size() == 4);
  CHECK(all[1].description == "a sample, transposed in memory");
  CHECK(all[2].description == "a sample, sliced");
  CHECK(all[3].description == "a sample, used twice");
  for (const Sample& each : all) {
    CHECK(core::equal(each.inputs[0].value(), sample.inputs[0].value()));
    CHECK(each.inputs[1].value().is_contiguous());
    CHECK(gradcheck(each.function, each.inputs).passed());
  }
  CHECK(all[1].inputs[0].value().strides() == Strides{1, 2});
  CHECK(all[2].inputs[0].value().strides() == Strides{6, 2});
}

// ---- What a review found ----

namespace {

/// x scaled by a factor in backward only.
Variable wrong_by(const Variable& x, double factor) {
  return custom(
      {x}, [](const Variables& in) { return in[0].value().clone(); },
      [factor](const Variables&, const Variable& dy) { return Variables{dy * factor}; });
}

}  // namespace

TEST_CASE("a direction across many kinks is never a success") {
  Generator generator(1);
  const Tensor x = randn({2000}, generator, float64);
  for (std::int64_t i = 0; i < 1000; ++i) x.data<double>()[i] = 0;
  for (const double factor : {1.0, 1.05, -1.0}) {
    CAPTURE(factor);
    const auto f = [factor](const Variables& v) { return sum(relu(wrong_by(v[0], factor))); };
    CHECK(!gradcheck(f, {Variable(x, true)}, fast_gradcheck()).passed());
  }
}

TEST_CASE("smooth outputs beside a kink do not widen what the kink allows") {
  const auto with = [](double factor) {
    return [factor](const Variables& v) {
      const Variable many = expand(v[0], {1000});
      return cat({relu(v[0]), sigmoid(wrong_by(many, factor) * 3.0 + 1.0)}, 0);
    };
  };
  CHECK(gradcheck(with(1), {leaf({0.0})}).verdict == Verdict::kink);
  CHECK(gradcheck(with(1.5), {leaf({0.0})}).verdict == Verdict::fail);
  CHECK(gradcheck(with(0.5), {leaf({0.0})}).verdict == Verdict::fail);
}

TEST_CASE("steps that jump over a whole period, or a narrow hill, never fail a right gradient") {
  const auto wave = [](double omega) {
    return [omega](const Variables& v) {
      return custom(
          v,
          [omega](const Variables& in) {
            const Tensor y = in[0].value().clone();
            y.data<double>()[0] = std::sin(omega * y.data<double>()[0]);
            return y;
          },
          [omega](const Variables& in, const Variable& dy) {
            const double slope = omega * std::cos(omega * in[0].value().data<double>()[0]);
            return Variables{dy * slope};
          });
    };
  };
  for (const double x : {32.0, 64.0, 1024.0}) {
    CAPTURE(x);
    CHECK(gradcheck(wave(2 * 3.14159265358979), {leaf({x})}).verdict != Verdict::fail);
  }
  Generator generator(2);
  for (int i = 0; i < 100; ++i) {
    const double omega = std::exp(2 + 14 * generator.uniform());
    CAPTURE(omega);
    CHECK(gradcheck(wave(omega), {leaf({0.3 + generator.uniform()})}).verdict != Verdict::fail);
    const double centre = std::exp(1 + 9 * generator.uniform());
    const auto hill = [centre](const Variables& v) { return exp(neg(pow(v[0] - centre, 2))); };
    CHECK(gradcheck(hill, {leaf({centre + 0.7})}).verdict != Verdict::fail);
  }
}

TEST_CASE("a backward that writes into the incoming gradient, or ignores its layout, fails") {
  const auto writes = [](const Variables& v) {
    return custom(
        v, [](const Variables& in) { return in[0].value().clone(); },
        [](const Variables&, const Variable& dy) {
          dy.value().copy_(core::mul(dy.value(), -3));
          return Variables{dy};
        });
  };
  CHECK(gradcheck(writes, {leaf({{1, 2}, {3, 4}})}).verdict == Verdict::fail);
  const auto row_major = [](const Variables& v) {
    return custom(
        v, [](const Variables& in) { return core::mul(in[0].value(), 2); },
        [](const Variables&, const Variable& dy) {
          const Tensor g = zeros_like(dy.value());
          for (std::int64_t i = 0; i < g.numel(); ++i)
            g.data<double>()[i] = 2 * dy.value().data<double>()[i];
          return Variables{Variable(g)};
        });
  };
  const GradcheckReport report = gradcheck(row_major, {leaf({{1, 2, 5}, {3, 4, 6}})});
  CHECK(report.verdict == Verdict::fail);
  CHECK(has_note(report, "backward reads the incoming gradient as if it were row-major"));
}

TEST_CASE("a function that is another one when it is recorded fails") {
  const auto f = [](const Variables& v) { return grad_enabled() ? tanh(v[0]) + 5.0 : tanh(v[0]); };
  const GradcheckReport report = gradcheck(f, {leaf({1, 2})});
  CHECK(report.verdict == Verdict::fail);
  CHECK(has_note(report, "other numbers when it is recorded"));
}

TEST_CASE("one output that is not finite leaves the others to be checked") {
  const auto with = [](double factor) {
    return [factor](const Variables& v) {
      return cat({wrong_by(v[0], factor) * 2.0, Variable(full({1}, NAN, float64))}, 0);
    };
  };
  CHECK(gradcheck(with(1), {leaf({1, 2})}).verdict == Verdict::pass);
  CHECK(gradcheck(with(1.5), {leaf({1, 2})}).verdict == Verdict::fail);
}
