// Each pattern has a wrong backward, written by hand, that must be called by its name; and what is
// wrong in no pattern must not get one.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/gradcheck.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "support/custom_op.h"
#include "support/error_message.h"
#include "support/named.h"

using namespace gradus;

namespace {

Variable random(const Shape& shape, std::uint64_t seed = 1) {
  Generator generator(seed);
  return {randn(shape, generator, float64), true};
}

/// Of x·factor elementwise, with whatever is done to its right gradient.
GradcheckReport spoiled(const Shape& shape, const std::function<Variable(const Variable& dx)>& how,
                        const GradcheckOptions& options = {}) {
  Generator generator(9);
  const Tensor factor = randn(shape, generator, float64);
  return gradcheck(
      [&](const Variables& v) {
        return custom(
            v, [&](const Variables& in) { return core::mul(in[0].value(), factor); },
            [&](const Variables&, const Variable& dy) { return Variables{how(dy * factor)}; });
      },
      {random(shape)}, options);
}

}  // namespace

TEST_CASE("a flipped sign") {
  check_named(spoiled({2, 3}, [](const Variable& dx) { return -dx; }), Pattern::sign_flipped,
              "input 0", {"the sign is flipped"});
}

TEST_CASE("a factor, with the number and what it may mean") {
  check_named(spoiled({2, 3}, [](const Variable& dx) { return dx * 0.25; }),
              Pattern::constant_factor, "input 0",
              {"times 0.25", "1/4, a mean where a sum belongs?"});
  check_named(spoiled({2, 3}, [](const Variable& dx) { return dx * 2.0; }),
              Pattern::constant_factor, "input 0", {"times 2", "counted more than once"});
  check_named(spoiled({2, 3}, [](const Variable& dx) { return dx * 1.0009; }),
              Pattern::constant_factor, "input 0", {"times 1.0009"});
  check_named(spoiled({2, 3}, [](const Variable& dx) { return dx * -3.0; }),
              Pattern::constant_factor, "input 0", {"times -3"});
}

TEST_CASE("a factor in some elements only, and how many") {
  check_named(spoiled({2, 8},
                      [](const Variable& dx) {
                        const Tensor factor = ones({2, 8}, float64);
                        factor.at<double>({0, 1}) = factor.at<double>({1, 6}) = 0.5;
                        return dx * factor;
                      }),
              Pattern::constant_factor, "input 0", {"times 0.5 in 2 of 16 elements"});
}

TEST_CASE("two axes swapped, and which") {
  check_named(spoiled({3, 3}, [](const Variable& dx) { return transpose(dx); }),
              Pattern::transposed, "input 0", {"axes 0 and 1 are swapped"});
  check_named(spoiled({4, 2, 4}, [](const Variable& dx) { return transpose(dx, 0, 2); }),
              Pattern::transposed, "input 0", {"axes 0 and 2 are swapped"});
}

TEST_CASE("an axis that runs backwards, or the kernel of a convolution") {
  const auto backwards = [](int axis, std::int64_t n) {
    return [=](const Variable& dx) {
      const Tensor order = arange(n);
      for (std::int64_t i = 0; i < n; ++i) order.data<std::int64_t>()[i] = n - 1 - i;
      return index_select(dx, axis, order);
    };
  };
  check_named(spoiled({5}, backwards(0, 5)), Pattern::flipped, "input 0",
              {"axis 0 runs backwards"});
  check_named(spoiled({4, 3}, backwards(1, 3)), Pattern::flipped, "input 0",
              {"axis 1 runs backwards"});
  const auto both = [&](const Variable& dx) { return backwards(2, 3)(backwards(3, 3)(dx)); };
  check_named(spoiled({2, 2, 3, 3}, both), Pattern::flipped, "input 0",
              {"rows and columns run backwards", "convolution"});
}

TEST_CASE("off by one along an axis, with or without going around") {
  const auto moved = [](std::int64_t n, bool around) {
    return [=](const Variable& dx) {
      const Variable last = narrow(dx, 0, n - 1, 1);
      return cat({around ? last : last * 0.0, narrow(dx, 0, 0, n - 1)}, 0);
    };
  };
  const GradcheckReport plain = spoiled({5, 2}, moved(5, false));
  check_named(plain, Pattern::shifted, "input 0", {"off by one along axis 0"});
  CHECK(!contains(plain.diagnoses.front().text, "around"));
  check_named(spoiled({5, 2}, moved(5, true)), Pattern::shifted, "input 0",
              {"off by one along axis 0, around the end"});
}

TEST_CASE("the sum over a broadcast axis is missing, and which") {
  const GradcheckReport report = gradcheck(
      [](const Variables& v) {
        return custom(
            v, [](const Variables& in) { return core::add(in[0].value(), in[1].value()); },
            [](const Variables&, const Variable& dy) {
              return Variables{dy, select(dy, 0, 0)};
            });
      },
      {random({4, 3}), random({3}, 2)});
  check_named(report, Pattern::missing_sum, "input 1",
              {"only slice 0 of output axis 0 counts", "the sum over that axis is missing"});
}

TEST_CASE("an input that is used twice, and one use that counts for nothing") {
  const auto square = [](bool undefined) {
    return [undefined](const Variables& v) {
      return custom(
          {v[0], v[0]}, [](const Variables& in) { return core::mul(in[0].value(), in[1].value()); },
          [undefined](const Variables& in, const Variable& dy) {
            return Variables{dy * in[1], undefined ? Variable() : dy * 0.0};
          });
    };
  };
  check_named(gradcheck(square(true), {random({3})}), Pattern::missing_accumulation, "input 0",
              {"custom uses it 2 times, but returns no gradient for 1 of these"});
  check_named(gradcheck(square(false), {random({3})}), Pattern::missing_accumulation, "input 0",
              {"custom uses it 2 times, but returns no gradient for 1 of these"});
}

TEST_CASE("what is kept from an earlier backward") {
  Variable kept;
  const GradcheckReport report = gradcheck(
      [&](const Variables& v) {
        return custom(
            v, [](const Variables& in) { return core::mul(in[0].value(), 2); },
            [&](const Variables&, const Variable& dy) {
              kept = kept.defined() ? kept + dy * 2.0 : dy * 2.0;
              return Variables{kept};
            });
      },
      {random({3})});
  check_named(report, Pattern::stale_accumulation, "", {"a second backward pass gives another"});
}

TEST_CASE("what a later forward overwrote") {
  Tensor workspace = zeros({3}, float64);
  const GradcheckReport report = gradcheck(
      [&](const Variables& v) {
        return custom(
            v,
            [&](const Variables& in) {
              workspace.copy_(core::exp(in[0].value()));
              return workspace.clone();
            },
            [&](const Variables&, const Variable& dy) {
              return Variables{dy * workspace.clone()};
            });
      },
      {random({3})});
  check_named(report, Pattern::stale_value, "", {"another forward between forward and backward"});
}

TEST_CASE("the gradients of two inputs exchanged") {
  const GradcheckReport report = gradcheck(
      [](const Variables& v) {
        return custom(
            v, [](const Variables& in) { return core::mul(in[0].value(), in[1].value()); },
            [](const Variables& in, const Variable& dy) {
              return Variables{dy * in[0], dy * in[1]};
            });
      },
      {random({2, 3}), random({2, 3}, 2)}, {.names = {"left", "right"}});
  check_named(report, Pattern::swapped_inputs, "left", {"this is the gradient of right"});
  REQUIRE(report.diagnoses.size() == 2);
  CHECK(report.diagnoses[1].input == "right");
}

TEST_CASE("the incoming gradient ignored") {
  const GradcheckReport report = gradcheck(
      [](const Variables& v) {
        return custom(
            v, [](const Variables& in) { return core::exp(in[0].value()); },
            [](const Variables& in, const Variable&) { return Variables{exp(in[0])}; });
      },
      {random({4})});
  check_named(report, Pattern::ignores_incoming, "input 0", {"chain rule"});
}

TEST_CASE("wrong at the border alone, and how many") {
  check_named(spoiled({5, 6},
                      [](const Variable& dx) {
                        const Tensor factor = full({5, 6}, 0.7, float64);
                        factor.narrow(0, 1, 3).narrow(1, 1, 4).fill_(1);
                        // Not one factor for all: that would be another pattern's first answer.
                        return dx * factor;
                      }),
              Pattern::border_only, "input 0",
              {"18 of 18 elements at the border", "none of 12 inside"});
}

TEST_CASE("wrong in one channel or group, and which") {
  check_named(spoiled({2, 3, 4, 4},
                      [](const Variable& dx) {
                        const Tensor mask = ones({2, 3, 4, 4}, float64);
                        mask.select(1, 1).fill_(0);
                        return dx * mask;
                      }),
              Pattern::one_slice, "input 0",
              {"only index 1 of axis 1 of [2,3,4,4] is wrong", "(0)"});
  check_named(spoiled({6, 4},
                      [](const Variable& dx) {
                        const Tensor mask = ones({6, 4}, float64);
                        mask.narrow(0, 2, 2).fill_(0.5);
                        return dx * mask;
                      }),
              Pattern::one_slice, "input 0", {"only indices 2 to 3 of axis 0 of [6,4] are wrong"});
}

TEST_CASE("zero everywhere, or in places, and how many") {
  check_named(spoiled({2, 3}, [](const Variable& dx) { return dx * 0.0; }), Pattern::zero,
              "input 0", {"the gradient is 0 everywhere"});
  check_named(spoiled({4, 5},
                      [](const Variable& dx) {
                        const Tensor mask = ones({4, 5}, float64);
                        mask.at<double>({1, 1}) = mask.at<double>({2, 3}) = 0;
                        return dx * mask;
                      }),
              Pattern::zero, "input 0", {"the gradient is 0 in 2 of 20 elements"});
}

TEST_CASE("a forgotten bias") {
  const auto forgets = [](bool undefined) {
    return [undefined](const Variables& v) {
      return custom(
          v, [](const Variables& in) { return core::add(in[0].value(), in[1].value()); },
          [undefined](const Variables& in, const Variable& dy) {
            return Variables{dy, undefined ? Variable() : zeros_like(in[1].value())};
          });
    };
  };
  for (const char* name : {"bias", "head.bias"}) {
    for (const bool undefined : {true, false}) {
      check_named(
          gradcheck(forgets(undefined), {random({2, 3}), random({3})}, {.names = {"x", name}}),
          Pattern::bias_forgotten, name, {"sum the incoming one over all axes"});
    }
  }
}

TEST_CASE("a history that was cut") {
  check_named(gradcheck([](const Variables& v) { return v[0] * exp(v[1].detach()); },
                        {random({3}), random({3}, 2)}),
              Pattern::disconnected, "input 1", {"backward never reaches it", "detach()"});
}

TEST_CASE("a gradient that is no number, and where") {
  const auto with = [](double value) {
    return spoiled({2, 3}, [value](const Variable& dx) {
      const Tensor extra = zeros({2, 3}, float64);
      extra.at<double>({1, 2}) = value;
      return dx + extra;
    });
  };
  check_named(with(NAN), Pattern::not_finite, "input 0", {"the gradient is nan at [1,2]"});
  check_named(with(-NAN), Pattern::not_finite, "input 0", {"the gradient is nan at [1,2]"});
  check_named(with(INFINITY), Pattern::not_finite, "input 0", {"the gradient is inf at [1,2]"});
}

TEST_CASE("what is wrong without a pattern gets no name") {
  // Random numbers that are always the same.
  CHECK(spoiled({4, 4}, [](const Variable& dx) {
          Generator generator(77);
          return dx * randn({4, 4}, generator, float64);
        }).diagnoses.empty());
  // One element among many, off by a little: any factor would explain it.
  CHECK(spoiled({4, 4}, [](const Variable& dx) {
          const Tensor factor = ones({4, 4}, float64);
          factor.at<double>({1, 2}) = 1.5;
          return dx * factor;
        }).diagnoses.empty());
  // Two elements in two places, off by unlike factors.
  CHECK(spoiled({4, 4}, [](const Variable& dx) {
          const Tensor factor = ones({4, 4}, float64);
          factor.at<double>({1, 2}) = 1.5;
          factor.at<double>({2, 1}) = 0.3;
          return dx * factor;
        }).diagnoses.empty());
}

TEST_CASE("what is not linear in the incoming gradient says so") {
  for (const auto& spoil :
       std::vector<Variable (*)(const Variable&)>{[](const Variable& dx) { return tanh(dx * 7.0); },
                                                  [](const Variable& dx) { return dx + 0.125; }}) {
    const GradcheckReport report = spoiled({3, 4}, spoil);
    REQUIRE(report.diagnoses.size() == 1);
    CHECK(report.diagnoses[0].pattern == Pattern::not_linear);
  }
}

TEST_CASE("a pattern that fits by accident is not named") {
  // A symmetric gradient looks the same transposed; what is wrong here is the sign.
  const GradcheckReport symmetric = gradcheck(
      [](const Variables& v) {
        return custom(
            v, [](const Variables& in) { return core::sum(in[0].value()); },
            [](const Variables& in, const Variable& dy) {
              return Variables{-expand(dy, in[0].shape())};
            });
      },
      {random({3, 3})});
  check_named(symmetric, Pattern::sign_flipped, "input 0", {});
  // A single number is a multiple of any other, and lies on every border: a factor is all to say.
  const GradcheckReport scalar = spoiled({}, [](const Variable& dx) { return dx * 1.7; });
  check_named(scalar, Pattern::constant_factor, "input 0", {"1.7"});
}

TEST_CASE("an input whose gradient is right is not accused") {
  const GradcheckReport report = gradcheck(
      [](const Variables& v) {
        return custom(
            v, [](const Variables& in) { return core::mul(in[0].value(), in[1].value()); },
            [](const Variables& in, const Variable& dy) {
              return Variables{dy * in[1], -(dy * in[0])};
            });
      },
      {random({2, 3}), random({2, 3}, 2)});
  REQUIRE(report.diagnoses.size() == 1);
  CHECK(report.diagnoses.front().input == "input 1");
}

TEST_CASE("of a choice of elements the pattern is still seen") {
  check_named(spoiled({10, 10}, [](const Variable& dx) { return -dx; }, {.elements = 5}),
              Pattern::sign_flipped, "input 0", {});
  check_named(spoiled({10, 10}, [](const Variable& dx) { return transpose(dx); }, {.elements = 50}),
              Pattern::transposed, "input 0", {});
  // Too few to tell what goes where: no name is better than a wrong one.
  CHECK(spoiled({10, 10}, [](const Variable& dx) { return transpose(dx); }, {.elements = 12})
            .diagnoses.empty());
}
