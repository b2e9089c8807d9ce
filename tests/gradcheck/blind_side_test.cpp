// Wrong gradients that once passed without a word, and right ones that failed: each as a user wrote it.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/autograd/op.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/gradcheck.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "support/custom_op.h"
#include "support/error_message.h"
#include "support/named.h"

using namespace gradus;

namespace {

Variable leaf(const Shape& shape, std::uint64_t seed = 1) {
  Generator generator(seed);
  return Variable(randn(shape, generator, float64), true);
}

void check_broken(const GradcheckReport& report, Pattern pattern) {
  first_named(report, pattern, {});
}

void check_right(const GradcheckReport& report) {
  CHECK_MESSAGE(report.verdict == Verdict::pass, report.to_string());
}

bool has_note(const GradcheckReport& report, const std::string& part) {
  return std::any_of(report.notes.begin(), report.notes.end(),
                     [&](const std::string& note) { return contains(note, part); });
}

/// f(x) as an op, whose slope at each element is this function of the right one.
DifferentiableFunction with_slope(const std::function<Variable(const Variable&)>& f,
                                  const std::function<Variable(const Variable&)>& slope) {
  return [=](const Variables& v) {
    return custom(
        v, [f](const Variables& in) { return f(in[0].detach()).value(); },
        [slope](const Variables& in, const Variable& dy) { return Variables{dy * slope(in[0])}; });
  };
}

/// 1, but `factor` at one element.
Tensor one_off(std::int64_t size, std::int64_t at, double factor) {
  const Tensor factors = ones({size}, float64);
  factors.narrow(0, at, 1).fill_(factor);
  return factors;
}

/// Numbers behind three others in one memory are read from its start.
Tensor from_the_start(const Tensor& x) {
  const Tensor row = x.contiguous();
  return Tensor::from(reinterpret_cast<const double*>(row.storage().data()), x.shape());
}

}  // namespace

TEST_CASE("two equal numbers make no kink of a curve") {
  Generator generator(3);
  for (const double factor : {1.0001, 1.00001}) {
    const Tensor numbers = rand({40}, generator, float64);
    numbers.narrow(0, 3, 1).fill_(0);
    numbers.narrow(0, 17, 1).fill_(0);
    const auto cube_exp = [](const Variable& x) { return exp(x * 3.0); };
    const auto wrong = with_slope(
        cube_exp, [&](const Variable& x) { return exp(x * 3.0) * 3.0 * one_off(40, 25, factor); });
    const GradcheckReport report = gradcheck(wrong, {Variable(numbers, true)});
    CHECK_MESSAGE(report.verdict == Verdict::fail, report.to_string());
    CHECK(report.fail_count == 1);
    check_right(
        gradcheck([&](const Variables& v) { return cube_exp(v[0]); }, {Variable(numbers, true)}));
  }
}

TEST_CASE("nor of a curve's slope, in second order") {
  const Variable x(Tensor::from({1.0, 1.0, 2.0, -0.5, 0.7, 0.3}, float64), true);
  const auto slope_of_sin = [](double factor) {
    return with_slope([](const Variable& v) { return sin(v * 30.0); },
                      [factor](const Variable& v) {
                        return with_slope([](const Variable& u) { return cos(u * 30.0) * 30.0; },
                                          [factor](const Variable& u) {
                                            return sin(u * 30.0) * -900.0 * one_off(6, 2, factor);
                                          })({v});
                      });
  };
  check_right(gradgradcheck(slope_of_sin(1), {x}));
  const GradcheckReport wrong = gradgradcheck(slope_of_sin(1.03), {x});
  CHECK_MESSAGE(wrong.verdict == Verdict::fail, wrong.to_string());
}

TEST_CASE("a choice among equal numbers is still a kink") {
  const Variable x(Tensor::from({3.0, 3.0, 3.0, 1.0, 2.0}, float64), true);
  // The second largest: its gradient goes to one of the three.
  const auto second = [](const Variables& v) { return narrow(sort(v[0]).values, 0, 3, 1); };
  const GradcheckReport report = gradcheck(second, {x});
  CHECK_MESSAGE(report.verdict == Verdict::kink, report.to_string());
}

TEST_CASE("where a whole gradient is wrong beside equal numbers, the check stays quick") {
  const Tensor numbers = randn({1500}, *std::make_unique<Generator>(2), float64);
  numbers.narrow(0, 1, 1).copy_(numbers.narrow(0, 0, 1));
  std::int64_t calls = 0;
  const auto wrong = with_slope(
      [&calls](const Variable& x) {
        ++calls;
        return tanh(x);
      },
      [](const Variable& x) { return (1.0 - tanh(x) * tanh(x)) * 1.1; });
  const GradcheckReport report = gradcheck(wrong, {Variable(numbers, true)});
  CHECK(report.fail_count > 1400);
  CHECK(calls <
        200'000);  // 24 points for each of them, of some forty calls each, would be 1.4 million
}

TEST_CASE("numbers behind others in one memory are what the second part of a cat() gets") {
  check_broken(gradcheck(
                   [](const Variables& v) {
                     return custom(
                         v, [](const Variables& in) { return core::mul(in[0].value(), 2); },
                         [](const Variables&, const Variable& dy) {
                           return Variables{Variable(core::mul(from_the_start(dy.value()), 2))};
                         });
                   },
                   {leaf({4})}),
               Pattern::reads_layout);
  check_broken(gradcheck(
                   [](const Variables& v) {
                     return custom(
                         v,
                         [](const Variables& in) {
                           const Tensor x = from_the_start(in[0].value());
                           return core::mul(x, x);
                         },
                         [](const Variables& in, const Variable& dy) {
                           return Variables{dy * in[0] * 2.0};
                         });
                   },
                   {leaf({4})}),
               Pattern::reads_layout);
}

TEST_CASE("what an earlier call kept of its indices is stale") {
  const auto kept = std::make_shared<Tensor>();
  const auto embedding = [kept](const Variables& v) {
    *kept = v[1].value();
    return custom(
        {v[0]},
        [i = v[1].value()](const Variables& in) { return core::index_select(in[0].value(), 0, i); },
        [kept](const Variables& in, const Variable& dy) {
          const Tensor dx = zeros(in[0].shape(), float64);
          for (std::int64_t row = 0; row < kept->numel(); ++row) {
            const std::int64_t to = kept->at<std::int64_t>({row});
            core::add_(dx.narrow(0, to, 1), dy.value().narrow(0, row, 1));
          }
          return Variables{Variable(dx)};
        });
  };
  check_broken(gradcheck(embedding, {leaf({4, 2}), Variable(Tensor::from({0, 1, 3}, int64))}),
               Pattern::stale_value);
}

TEST_CASE("what backward has given, and forward, stays as it is") {
  const auto scratch = std::make_shared<Tensor>(zeros({3}, float64));
  check_broken(gradcheck(
                   [scratch](const Variables& v) {
                     return custom(
                         v, [](const Variables& in) { return core::mul(in[0].value(), 3); },
                         [scratch](const Variables&, const Variable& dy) {
                           scratch->copy_(core::mul(dy.value(), 3));
                           return Variables{Variable(*scratch)};
                         });
                   },
                   {leaf({3})}),
               Pattern::reuses_memory);
  check_broken(gradcheck(
                   [scratch](const Variables& v) {
                     return custom(
                         v,
                         [scratch](const Variables& in) {
                           const Tensor y = core::mul(in[0].value(), 3);
                           std::copy_n(y.data<double>(), 3, scratch->data<double>());
                           return *scratch;
                         },
                         [](const Variables&, const Variable& dy) { return Variables{dy * 3.0}; });
                   },
                   {leaf({3})}),
               Pattern::reuses_memory);
}

TEST_CASE("of many inputs each is asked for alone, and left out alone") {
  // The slope is kept where another than the first wants a gradient.
  struct Cell final : Op {
    Variable slope;
    Tensor forward(const Variables& v) {
      Tensor y = core::tanh(core::add(v[0].value(), v[1].value()));
      for (std::size_t i = 2; i < v.size(); ++i) y = core::mul(y, v[i].value());
      const bool any = needs(1) || needs(2) || needs(3) || needs(4);
      slope = any ? Variable(y) : Variable();
      all = v;
      return y;
    }
    Variables backward(const Variable& dy) override {
      Variables gradients;
      for (std::size_t i = 0; i < all.size(); ++i) {
        Variable rest = dy;
        const Variable t = tanh(all[0] + all[1]);
        rest = i < 2 ? rest * (1.0 - t * t) : rest * t;
        for (std::size_t k = 2; k < all.size(); ++k)
          if (k != i) rest = rest * all[k];
        gradients.push_back(slope.defined() ? rest : rest * 1.5);
      }
      return gradients;
    }
    Variables all;
  };
  Variables inputs;
  for (std::uint64_t i = 0; i < 5; ++i) inputs.push_back(leaf({3}, i + 1));
  check_broken(gradcheck([](const Variables& v) { return record(Cell(), v); }, inputs),
               Pattern::depends_on_needs);
}

TEST_CASE("a size that a later call remembers is found between two points") {
  const auto rows = std::make_shared<std::int64_t>(0);
  const auto mean_of_rows = [rows](const Variables& v) {
    *rows = v[0].size(0);
    return custom(
        v, [](const Variables& in) { return core::mean(in[0].value(), {0}); },
        [rows](const Variables& in, const Variable& dy) {
          return Variables{expand(dy, in[0].shape()) / static_cast<double>(*rows)};
        });
  };
  const auto of_all_sizes = [](Generator& generator) {
    const auto n = 2 + static_cast<std::int64_t>(generator.next() % 4);
    return Variables{Variable(randn({n, 3}, generator, float64), true)};
  };
  check_broken(gradcheck(mean_of_rows, of_all_sizes, {.points = 6}), Pattern::stale_value);
}

TEST_CASE("along a direction many small errors, each allowed, are allowed together") {
  int failed = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Generator generator(seed);
    const Tensor off = core::add(
        core::mul(core::sub(core::gt(rand({8}, generator, float64), 0.5).to(float64), 0.5), 1e-6),
        1);
    const auto nearly = with_slope([](const Variable& x) { return sin(x); },
                                   [&](const Variable& x) { return cos(x) * off; });
    GradcheckOptions options = fast_gradcheck();
    options.seed = seed;
    failed += gradcheck(nearly, {leaf({8}, seed)}, options).verdict == Verdict::fail ? 1 : 0;
  }
  CHECK(failed == 0);
}

TEST_CASE("where mixed inputs are refused, moved ones are tried") {
  const auto cached = std::make_shared<Tensor>();
  const auto sorted_exp = [cached](const Variables& v) {
    return custom(
        v,
        [cached](const Variables& in) {
          const std::vector<double> knots = in[0].value().to_vector<double>();
          if (!std::is_sorted(knots.begin(), knots.end())) fail<ValueError>("knots must rise");
          if (!cached->defined()) *cached = core::exp(in[0].value());
          return core::exp(in[0].value());
        },
        [cached](const Variables&, const Variable& dy) {
          return Variables{dy * Variable(*cached)};
        });
  };
  const Variable knots(Tensor::from({-1.0, 0.1, 1.2}, float64), true);
  check_broken(gradcheck(sorted_exp, {knots}), Pattern::wrong_elsewhere);
}

TEST_CASE("float32 that drowns in rounding is told, and a small wrong slope above it is found") {
  const auto small_square = [](double sign, double scale) {
    return [sign, scale](const Variables& v) {
      return custom(
          v,
          [scale](const Variables& in) {
            return core::mul(core::mul(in[0].value(), in[0].value()), scale);
          },
          [sign, scale](const Variables& in, const Variable& dy) {
            const bool narrow = in[0].dtype() == float32;
            return Variables{dy * in[0] * (2 * scale * (narrow ? sign : 1))};
          });
    };
  };
  check_broken(gradcheck(small_square(-1, 1e-5), {leaf({6})}), Pattern::wrong_in_float32);
  CHECK(has_note(gradcheck(small_square(-1, 1e-8), {leaf({6})}),
                 "float32 says little about input 0"));
  check_right(gradcheck(small_square(1, 1e-5), {leaf({6})}));
  CHECK(!has_note(gradcheck(small_square(1, 1e-5), {leaf({6})}), "float32 says little"));
  // Cancellation is no fault of backward's.
  const auto cancelling = [](const Variables& v) { return (1.0 - cos(v[0])) / (v[0] * v[0]); };
  const GradcheckReport report =
      gradcheck(cancelling, {Variable(Tensor::from({1.1e-2, 2.3e-2, 1.7e-2}, float64), true)});
  CHECK_MESSAGE(report.verdict != Verdict::fail, report.to_string());
}

TEST_CASE("contracts hold for small slopes too") {
  const auto tiny = [](const Variables& v) {
    return custom(
        v, [](const Variables& in) { return core::mul(in[0].value(), 1e-12); },
        [](const Variables&, const Variable& dy) {
          return Variables{clamp(dy, -50.0, 50.0) * 1e-12};
        });
  };
  check_broken(gradcheck(tiny, {leaf({5})}), Pattern::not_linear);
}

TEST_CASE("a fine staircase with its slope 0 is not refuted") {
  Generator generator(5);
  for (const double steps : {4096.0, 65536.0, 1048576.0}) {
    for (const double size : {1.0, 10.0, 100.0}) {
      if (steps * size > 7e6) continue;  // below 10^-7 of a number nobody sees steps
      const Variable x(core::mul(randn({10}, generator, float64), size), true);
      const auto stairs = [steps](const Variable& v) {
        return Variable(core::mul(core::floor(core::mul(v.value(), steps)), 1 / steps));
      };
      const GradcheckReport report =
          gradcheck(with_slope(stairs, [](const Variable& v) { return v * 0.0; }), {x});
      CHECK_MESSAGE(report.verdict != Verdict::fail, report.to_string());
    }
  }
}

TEST_CASE("what refuses a layout is told, and what throws when asked again is a verdict") {
  const auto refuses = [](const Variables& v) {
    return custom(
        v, [](const Variables& in) { return core::mul(in[0].value(), 2); },
        [](const Variables&, const Variable& dy) {
          if (!dy.value().is_contiguous()) fail<ShapeError>("mine: row-major only");
          return Variables{dy * 2.0};
        });
  };
  const GradcheckReport told = gradcheck(refuses, {leaf({3, 5})});
  check_right(told);
  CHECK(has_note(told, "mine: row-major only"));

  struct Moves final : Op {
    Variable kept;
    Tensor forward(const Variable& x) {
      kept = x;
      return core::mul(x.value(), x.value());
    }
    Variables backward(const Variable& dy) override {
      const Variable mine = std::move(kept);
      return {dy * mine * 2.0};
    }
  };
  first_named(gradcheck([](const Variables& v) { return record(Moves(), v[0]); }, {leaf({3})}),
              Pattern::overwrites_saved, {"throws when it is asked again"});
}

TEST_CASE("names that do not fit are not given") {
  // The second gradient of a - b with the wrong sign is the first one's, which is right.
  const auto difference = [](const Variables& v) {
    return custom(
        v, [](const Variables& in) { return core::sub(in[0].value(), in[1].value()); },
        [](const Variables&, const Variable& dy) {
          return Variables{dy, dy};
        });
  };
  check_broken(gradcheck(difference, {leaf({4}), leaf({4}, 2)}), Pattern::sign_flipped);

  // One row's sum of a number that all share is a multiple of the whole one, as anything is.
  const auto scaled = [](const Variables& v) {
    return custom(
        v, [](const Variables& in) { return core::mul(in[0].value(), in[1].value()); },
        [](const Variables& in, const Variable& dy) {
          const Variable products = dy * in[0];
          return Variables{dy * in[1], reshape(sum(narrow(products, 0, 0, 1)), in[1].shape())};
        });
  };
  const GradcheckReport report = gradcheck(scaled, {leaf({4, 5}), leaf({}, 2)});
  CHECK(report.verdict == Verdict::fail);
  for (const Diagnosis& each : report.diagnoses) CHECK(each.pattern != Pattern::constant_factor);

  // dy/|dy| does depend on dy.
  const auto normalises = [](const Variables& v) {
    return custom(
        v, [](const Variables& in) { return core::mul(in[0].value(), 2); },
        [](const Variables&, const Variable& dy) { return Variables{dy / norm(dy)}; });
  };
  check_broken(gradcheck(normalises, {leaf({4})}), Pattern::not_linear);
}
