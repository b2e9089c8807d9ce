// Slopes measured from values alone: the true slope lies within the reported bound, the bound is
// small where the function lets it be, and what has no slope is called what it is.
#include <doctest/doctest.h>
#include <gradus/gradcheck/slope.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

using namespace gradus;

namespace {

using Function = std::function<double(double)>;

constexpr double epsilon = std::numeric_limits<double>::epsilon();
/// The tolerance that gradcheck() has by default.
double tolerance(double slope) { return 1e-8 + 1e-6 * std::fabs(slope); }

/// f(x + t) - f(x) as the checker sees it: t as it really was added, and as noise four units in the
/// last place of what f returned, which is what the checker assumes too.
Change change_of(const Function& f, double x, double t) {
  const double moved = x + t;
  const double actual = moved - x;
  const double here = f(x);
  const double there = f(moved);
  const double size = std::max(std::fabs(here), std::fabs(there));
  return {{(there - here) * (t / actual)}, {there == here ? 0 : 4 * epsilon * size}};
}

/// The step that gradcheck() takes for an element of this size.
double first_step(double x) {
  const double scale = x == 0 ? 1 : std::fabs(x);
  return std::exp2(std::floor(std::log2(scale / 32)));
}

struct Counted {
  Slope slope;
  int steps = 0;
};

Counted measure(const Function& f, double x, SlopeOptions options = {}) {
  options.first_step = first_step(x);
  if (!options.tolerance) options.tolerance = tolerance;
  int calls = 0;
  const auto change = [&](double t) {
    ++calls;
    return change_of(f, x, t);
  };
  const Slope slope = measure_slopes(change, options).at(0);
  CHECK(calls % 2 == 0);
  CHECK(calls / 2 <= options.max_steps);
  return {slope, calls / 2};
}

struct Known {
  std::string name;
  Function f;
  double x;
  double slope;
};

std::vector<Known> known() {
  return {
      {"exp at 0", [](double x) { return std::exp(x); }, 0, 1},
      {"exp at 3", [](double x) { return std::exp(x); }, 3, std::exp(3.0)},
      {"exp at -20", [](double x) { return std::exp(x); }, -20, std::exp(-20.0)},
      {"sin at 1", [](double x) { return std::sin(x); }, 1, std::cos(1.0)},
      {"sin at its top", [](double x) { return std::sin(x); }, 1.5707963267948966,
       std::cos(1.5707963267948966)},
      {"1/x at 1e-4", [](double x) { return 1 / x; }, 1e-4, -1e8},
      {"1/x at -1e-4", [](double x) { return 1 / x; }, -1e-4, -1e8},
      {"1/x at 300", [](double x) { return 1 / x; }, 300, -1 / 9e4},
      {"a polynomial", [](double x) { return ((2 * x - 1) * x + 3) * x * x; }, 0.75,
       8 * std::pow(0.75, 3) - 3 * 0.75 * 0.75 + 6 * 0.75},
      {"x^7 at 2", [](double x) { return std::pow(x, 7); }, 2, 448},
      {"x^2 at 0", [](double x) { return x * x; }, 0, 0},
      {"x^3 at 1e6", [](double x) { return x * x * x; }, 1e6, 3e12},
      {"log at 1e-6", [](double x) { return std::log(x); }, 1e-6, 1e6},
      {"log at 100", [](double x) { return std::log(x); }, 100, 0.01},
      {"sqrt at 1e-8", [](double x) { return std::sqrt(x); }, 1e-8, 5e3},
      {"sqrt at 1e8", [](double x) { return std::sqrt(x); }, 1e8, 5e-5},
      {"sin(1000 x) at 0.3", [](double x) { return std::sin(1000 * x); }, 0.3,
       1000 * std::cos(300.0)},
      {"sin(1000 x) at 2", [](double x) { return std::sin(1000 * x); }, 2, 1000 * std::cos(2000.0)},
      {"tanh(100 x) at 0.01", [](double x) { return std::tanh(100 * x); }, 0.01,
       100 / std::pow(std::cosh(1.0), 2)},
      {"tanh(100 x) at 2, where it is flat", [](double x) { return std::tanh(100 * x); }, 2, 0},
      {"exp(-1/x^2) at 0.3", [](double x) { return std::exp(-1 / (x * x)); }, 0.3,
       2 / std::pow(0.3, 3) * std::exp(-1 / 0.09)},
      {"sin(x) + 1e4", [](double x) { return std::sin(x) + 1e4; }, 0.3, std::cos(0.3)},
      {"1e12 x", [](double x) { return 1e12 * x; }, -2, 1e12},
      {"1e-12 sin(x)", [](double x) { return 1e-12 * std::sin(x); }, 1, 1e-12 * std::cos(1.0)},
      {"x^0.3 at 1e-5", [](double x) { return std::pow(x, 0.3); }, 1e-5,
       0.3 * std::pow(1e-5, -0.7)},
      {"|x|^1.5 at 0", [](double x) { return std::pow(std::fabs(x), 1.5); }, 0, 0},
      {"a constant", [](double) { return 42.0; }, 1, 0},
      {"a line", [](double x) { return 3 * x - 7; }, 1, 3},
      {"a line through 0", [](double x) { return -0.5 * x; }, 0, -0.5},
  };
}

}  // namespace

TEST_CASE("a known slope lies within the bound, and the bound within the tolerance") {
  for (const Known& each : known()) {
    CAPTURE(each.name);
    const Counted found = measure(each.f, each.x);
    CAPTURE(found.slope.value);
    CAPTURE(found.slope.bound);
    CAPTURE(found.steps);
    CHECK(found.slope.kind == SlopeKind::smooth);
    CHECK(std::fabs(found.slope.value - each.slope) <= found.slope.bound);
    CHECK(found.slope.bound <= tolerance(each.slope));
    CHECK(found.slope.left == found.slope.value);
    CHECK(found.slope.right == found.slope.value);
  }
}

TEST_CASE("a slope that settles needs few steps") {
  // exp, sin and the like are entire: six rows of the tableau are more than enough.
  constexpr int few = 8;
  for (const Known& each : known()) {
    if (each.name != "exp at 3" && each.name != "sin at 1" && each.name != "a line") continue;
    CAPTURE(each.name);
    CHECK(measure(each.f, each.x).steps <= few);
  }
}

TEST_CASE("the bound holds at a thousand points of functions of many shapes and scales") {
  // Where rounding is what it is assumed to be, no slope may be further off than its bound.
  const std::vector<std::pair<Function, Function>> pairs{
      {[](double x) { return std::exp(x); }, [](double x) { return std::exp(x); }},
      {[](double x) { return std::sin(7 * x); }, [](double x) { return 7 * std::cos(7 * x); }},
      {[](double x) { return std::log(x * x); }, [](double x) { return 2 / x; }},
      {[](double x) { return std::tanh(5 * x); },
       [](double x) { return 5 / std::pow(std::cosh(5 * x), 2); }},
      {[](double x) { return x / (1 + x * x); },
       [](double x) { return (1 - x * x) / std::pow(1 + x * x, 2); }},
      {[](double x) { return x * std::fabs(x); }, [](double x) { return 2 * std::fabs(x); }},
      {[](double x) { return std::sin(40 * x) * std::exp(x); },
       [](double x) { return (40 * std::cos(40 * x) + std::sin(40 * x)) * std::exp(x); }},
      {[](double x) { return std::cbrt(x); }, [](double x) { return std::cbrt(x) / (3 * x); }}};
  int violated = 0;
  int wide = 0;
  int all = 0;
  for (const auto& [f, slope_of] : pairs) {
    for (int i = 0; i < 250; ++i) {
      // From 1e-5 to 10, both signs.
      const double x = (i % 2 == 0 ? 1 : -1) * 1e-5 * std::pow(10, 6.0 * i / 250);
      const Slope slope = measure(f, x).slope;
      const double truth = slope_of(x);
      ++all;
      // What f does not show at all, because it returns the same number, is no noise to the
      // checker: else a thousand outputs that stay the same would drown one that moves.
      const double unseen = epsilon * std::fabs(f(x)) / first_step(x);
      if (std::fabs(slope.value - truth) > slope.bound + unseen) {
        ++violated;
        MESSAGE("at ", x, ": ", slope.value, " ± ", slope.bound, ", truth ", truth);
      }
      wide += slope.bound > tolerance(truth) ? 1 : 0;
    }
  }
  CHECK(all == 2000);
  CHECK(violated == 0);
  CHECK(wide == 0);
}

TEST_CASE("a kink at the point has its two slopes, whatever lies under or over it") {
  struct Kink {
    std::string name;
    Function f;
    double x, left, right;
  };
  const std::vector<Kink> kinks{
      {"|x|", [](double x) { return std::fabs(x); }, 0, -1, 1},
      {"relu", [](double x) { return std::max(x, 0.0); }, 0, 0, 1},
      {"relu(x - 3)", [](double x) { return std::max(x - 3, 0.0); }, 3, 0, 1},
      {"exp(relu(2x))", [](double x) { return std::exp(std::max(2 * x, 0.0)); }, 0, 0, 2},
      {"|sin x| + x²", [](double x) { return std::fabs(std::sin(x)) + x * x; }, 0, -1, 1},
      {"|x| + 1000", [](double x) { return std::fabs(x) + 1000; }, 0, -1, 1},
      {"5x + 1e-3·|x|", [](double x) { return 5 * x + 1e-3 * std::fabs(x); }, 0, 4.999, 5.001},
      {"1e9·relu(x)", [](double x) { return 1e9 * std::max(x, 0.0); }, 0, 0, 1e9},
      {"min(x², x) at 1", [](double x) { return std::min(x * x, x); }, 1, 2, 1}};
  for (const Kink& each : kinks) {
    CAPTURE(each.name);
    const Slope slope = measure(each.f, each.x).slope;
    CAPTURE(slope.bound);
    REQUIRE(slope.kind == SlopeKind::kink);
    CHECK(std::fabs(slope.left - each.left) <= slope.bound + 4 * epsilon * std::fabs(each.left));
    CHECK(std::fabs(slope.right - each.right) <= slope.bound + 4 * epsilon * std::fabs(each.right));
    CHECK(slope.bound <= tolerance(std::max(std::fabs(each.left), std::fabs(each.right))));
  }
}

TEST_CASE("a kink beside the point is resolved, or taken for one at the point, never for a slope") {
  // 32 halvings of 1/32 reach 1.5e-11: what is nearer looks as if it were here.
  constexpr double resolved = 1e-10;
  for (const double side : {1.0, -1.0}) {
    for (double distance = 1e-1; distance > 1e-13; distance *= 0.83) {
      CAPTURE(side);
      CAPTURE(distance);
      const Function f = [&](double x) { return std::max(side * distance + x, 0.0) + x; };
      const double truth = side > 0 ? 2 : 1;
      const Slope slope = measure(f, 0).slope;
      CAPTURE(slope.value);
      CAPTURE(slope.bound);
      if (distance > resolved) {
        CHECK(slope.kind == SlopeKind::smooth);
        CHECK(slope.bound <= tolerance(truth));
      }
      if (slope.kind == SlopeKind::smooth) CHECK(std::fabs(slope.value - truth) <= slope.bound);
      if (slope.kind == SlopeKind::kink) {
        CHECK(slope.left - slope.bound <= truth);
        CHECK(slope.right + slope.bound >= truth);
      }
      if (slope.kind == SlopeKind::rough) CHECK(slope.bound > tolerance(slope.value));
    }
  }
}

TEST_CASE("a jump is a jump, and has no bound") {
  const std::vector<std::pair<std::string, Function>> jumps{
      {"a step up", [](double x) { return x >= 0 ? 1.0 : 0.0; }},
      {"a step down, on a slope", [](double x) { return x > 0 ? x - 0.25 : x; }},
      {"the point itself", [](double x) { return x == 0 ? 1.0 : 0.0; }}};
  for (const auto& each : jumps) {
    CAPTURE(each.first);
    const Slope slope = measure(each.second, 0).slope;
    CHECK(slope.kind == SlopeKind::jump);
    CHECK(std::isinf(slope.bound));
  }
  // Beside the point it does no harm.
  const Slope beside = measure([](double x) { return std::floor(x); }, 1.001).slope;
  CHECK(beside.kind == SlopeKind::smooth);
  CHECK(beside.value == 0);
}

TEST_CASE("a function that is not finite on a side, or anywhere, has no slope") {
  const std::vector<std::pair<std::string, Function>> functions{
      {"sqrt at 0", [](double x) { return std::sqrt(x); }},
      {"log at 0", [](double x) { return std::log(x); }},
      {"NaN everywhere", [](double) { return std::nan(""); }},
      {"infinite on the right", [](double x) { return x > 0 ? INFINITY : x; }},
      {"infinite everywhere", [](double) { return INFINITY; }},
      {"NaN at the point alone", [](double x) { return x == 0 ? std::nan("") : x; }}};
  for (const auto& each : functions) {
    CAPTURE(each.first);
    const Slope slope = measure(each.second, 0).slope;
    CHECK(slope.kind == SlopeKind::undefined);
    CHECK(std::isnan(slope.value));
    CHECK(std::isinf(slope.bound));
    CHECK(slope.steps.empty());
  }
}

TEST_CASE("steps that leave the domain are left out, and the slope is found with nearer ones") {
  const Function f = [](double x) { return std::log(1 - x); };
  for (const double x : {0.99, 0.999999, 1 - 1e-7}) {
    CAPTURE(x);
    const Slope slope = measure(f, x).slope;
    const double truth = -1 / (1 - x);
    CHECK(slope.kind == SlopeKind::smooth);
    CHECK(std::fabs(slope.value - truth) <= slope.bound);
    CHECK(slope.bound <= tolerance(truth));
    CHECK(x + slope.steps.front().h < 1);
  }
}

TEST_CASE("noise that nobody announced is never taken for a well-known, wrong slope") {
  // A function that rounds inside to float32, or adds noise, is off by more than four units in the
  // last place. Its slope must be far from settled, or right.
  int settled = 0;
  int wrong = 0;
  const auto look = [&](const Function& f, double x, double truth) {
    const Slope slope = measure(f, x).slope;
    if (slope.kind == SlopeKind::smooth || slope.kind == SlopeKind::rough) {
      settled += slope.bound <= tolerance(slope.value) ? 1 : 0;
      if (std::fabs(slope.value - truth) <= slope.bound + tolerance(truth)) return;
    } else if (slope.kind == SlopeKind::kink) {
      if (truth >= slope.left - slope.bound && truth <= slope.right + slope.bound) return;
    } else {
      return;
    }
    ++wrong;
    MESSAGE("at ", x, ": ", slope.value, " ± ", slope.bound, ", truth ", truth);
  };
  for (int i = 1; i <= 500; ++i) {
    const double x = 0.013 * i;
    look([](double v) { return static_cast<double>(static_cast<float>(std::sin(v))); }, x,
         std::cos(x));
    look([](double v) { return static_cast<double>(std::exp(static_cast<float>(v))); }, x,
         std::exp(x));
    look([](double v) { return std::sin((v + 1e8) - 1e8); }, x, std::cos(x));
    for (const double size : {1e-6, 1e-9, 1e-12}) {
      look(
          [&](double v) {
            std::uint64_t bits = std::bit_cast<std::uint64_t>(v) * 0x9E3779B97F4A7C15U;
            bits ^= bits >> 29;
            return std::sin(v) + size * std::ldexp(static_cast<double>(bits >> 11), -53);
          },
          x, std::cos(x));
    }
  }
  CAPTURE(settled);
  CHECK(wrong == 0);
}

TEST_CASE("several functions share the evaluations, and each gets its own slope") {
  int calls = 0;
  const auto change = [&](double t) {
    ++calls;
    return Change{{std::sin(t), std::fabs(t), 3 * t, std::exp(t) - 1},
                  std::vector<double>(4, 4 * epsilon * std::fabs(t))};
  };
  const std::vector<Slope> slopes = measure_slopes(change, {.tolerance = tolerance});
  REQUIRE(slopes.size() == 4);
  CHECK(std::fabs(slopes[0].value - 1) <= slopes[0].bound);
  CHECK(slopes[1].kind == SlopeKind::kink);
  CHECK(slopes[2].value == 3);
  CHECK(std::fabs(slopes[3].value - 1) <= slopes[3].bound);
  CHECK(calls <= 2 * SlopeOptions().max_steps);
}

TEST_CASE("one function that is not finite does not keep a slope from being called undefined") {
  const auto change = [](double t) { return Change{{std::sin(t), std::nan("")}, {0.0, 0.0}}; };
  const std::vector<Slope> slopes = measure_slopes(change, {.tolerance = tolerance});
  REQUIRE(slopes.size() == 2);
  for (const Slope& slope : slopes) CHECK(slope.kind == SlopeKind::undefined);
}

TEST_CASE("a whole sweep takes every step, each half of the one before") {
  SlopeOptions options{.max_steps = 20, .whole = true};
  const Counted found = measure([](double x) { return std::exp(x); }, 1, options);
  CHECK(found.steps == 20);
  REQUIRE(found.slope.steps.size() == 20);
  for (std::size_t i = 1; i < 20; ++i) {
    CHECK(found.slope.steps[i].h == found.slope.steps[i - 1].h / 2);
    const SlopeStep& step = found.slope.steps[i];
    CHECK(step.central == (step.left + step.right) / 2);
    CHECK(step.rounding > 0);
  }
}

TEST_CASE("many kinks beside the point, near and far, never make a wrong slope") {
  // As in a network with relus: each unit has its kink at some distance, on either side.
  std::uint64_t state = 1;
  const auto uniform = [&state] {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return std::ldexp(static_cast<double>(state >> 11), -53);
  };
  constexpr int functions = 2000;
  constexpr int units = 40;
  int wrong = 0;
  int unknown = 0;
  for (int n = 0; n < functions; ++n) {
    std::vector<double> at(units);
    std::vector<double> weight(units);
    double truth = std::cos(0.3);
    for (int i = 0; i < units; ++i) {
      const auto u = static_cast<std::size_t>(i);
      // From 1e-7 to 1 away.
      at[u] = (uniform() < 0.5 ? -1 : 1) * std::pow(10, -7 * uniform());
      weight[u] = (2 * uniform() - 1) / 8;
      if (at[u] < 0) truth += weight[u];
    }
    const Function f = [&](double x) {
      double sum = std::sin(x + 0.3);
      for (std::size_t u = 0; u < units; ++u) sum += weight[u] * std::max(x - at[u], 0.0);
      return sum;
    };
    const Slope slope = measure(f, 0).slope;
    const bool kink = slope.kind == SlopeKind::kink;
    const double low = kink ? std::min(slope.left, slope.right) : slope.value;
    const double high = kink ? std::max(slope.left, slope.right) : slope.value;
    const double allowed = slope.bound + tolerance(truth);
    if (truth < low - allowed || truth > high + allowed) {
      ++wrong;
      MESSAGE(slope.value, " ± ", slope.bound, ", truth ", truth);
    }
    unknown += slope.bound > tolerance(truth) || kink ? 1 : 0;
  }
  CHECK(wrong == 0);
  // A kink at 1e-7 leaves the steps below it, where rounding is about to drown the slope.
  CHECK(unknown < functions / 20);
}
