// Gradients that are NaN only where a contract asks for them, and faults that only a choice among numbers shows: each passed
// once without a word.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/gradcheck.h>
#include <gradus/gradcheck/taylor.h>

#include <cmath>
#include <functional>
#include <limits>
#include <memory>

#include "support/custom_op.h"
#include "support/error_message.h"
#include "support/named.h"

using namespace gradus;

namespace {

Variable leaf(const NestedList& values) { return {Tensor::from(values, float64), true}; }

using Condition = std::function<bool(const Variables& in, const Variable& dy)>;

/// a·b, whose gradients are NaN where `fails`.
DifferentiableFunction product_but(const Condition& fails) {
  return [fails](const Variables& v) {
    return custom(
        v, [](const Variables& in) { return core::mul(in[0].value(), in[1].value()); },
        [fails](const Variables& in, const Variable& dy) {
          if (!fails(in, dy)) return Variables{dy * in[1], dy * in[0]};
          const Variable nothing(full(dy.shape(), std::nan(""), dy.dtype()));
          return Variables{nothing, nothing};
        });
  };
}

GradcheckReport check_product(const Condition& fails) {
  return gradcheck(product_but(fails), {leaf({{0.3, -1.2, 0.8}, {1.5, 0.7, -0.4}}),
                                        leaf({{-0.6, 0.9, 1.1}, {0.2, -1.4, 0.5}})});
}

}  // namespace

TEST_CASE(
    "a gradient that is NaN in one dtype, one layout, one size or one mode breaks a contract") {
  const auto never = [](const Variables&, const Variable&) { return false; };
  const GradcheckReport right = check_product(never);
  CHECK_MESSAGE(right.verdict == Verdict::pass, right.to_string());
  const Condition conditions[] = {
      [](const Variables&, const Variable& dy) { return dy.dtype() == float32; },
      [](const Variables&, const Variable& dy) { return !dy.value().is_contiguous(); },
      [](const Variables&, const Variable&) { return grad_enabled(); },
      [](const Variables& in, const Variable&) { return !in[1].requires_grad(); },
      [](const Variables& in, const Variable&) { return !in[0].value().is_contiguous(); },
      [](const Variables&, const Variable& dy) {
        return core::max(core::abs(dy.value())).item() > 100;
      },
      [count = std::make_shared<int>(0)](const Variables&, const Variable&) {
        return ++*count % 2 == 0;
      }};
  for (std::size_t i = 0; i < std::size(conditions); ++i) {
    const GradcheckReport report = check_product(conditions[i]);
    CHECK_MESSAGE(report.verdict == Verdict::fail, "condition ", i, ": ", report.to_string());
  }
}

TEST_CASE("a choice that a later call writes over is stale") {
  const auto kept = std::make_shared<Tensor>();
  const auto relu_of_last = [kept](const Variables& v) {
    return custom(
        v,
        [kept](const Variables& in) {
          *kept = core::gt(in[0].value(), 0).to(in[0].dtype());
          return core::mul(in[0].value(), *kept);
        },
        [kept](const Variables&, const Variable& dy) {
          return Variables{dy * Variable(kept->to(dy.dtype()))};
        });
  };
  first_named(gradcheck(relu_of_last, {leaf({0.4, -1.1, 0.9, -0.3, -0.7})}), Pattern::stale_value,
              {});
  const auto greatest_of_last = [kept](const Variables& v) {
    return custom(
        v,
        [kept](const Variables& in) {
          *kept = core::argmax(in[0].value(), 1, true);
          return core::max(in[0].value(), {1}, true);
        },
        [kept](const Variables& in, const Variable& dy) {
          const Tensor columns = arange(in[0].size(1)).reshape({1, -1});
          const Tensor mine = core::eq(columns.expand(in[0].shape()), *kept);
          return Variables{dy * Variable(mine.to(dy.dtype()))};
        });
  };
  const Variable x = leaf({{0.1, 0.9, 0.4}, {1.2, -0.3, 0.5}});
  first_named(gradcheck(greatest_of_last, {x}), Pattern::stale_value, {});
}

TEST_CASE("a number that ties with none is judged though others tie") {
  const auto half_near_zero = [](const Variables& v) {
    return custom(
        v, [](const Variables& in) { return core::abs(in[0].value()); },
        [](const Variables& in, const Variable& dy) {
          const Tensor& x = in[0].value();
          const Tensor near = core::lt(core::abs(x), 1e-3);
          return Variables{dy *
                           Variable(core::where(near, full({}, 0.5, x.dtype()), core::sign(x)))};
        });
  };
  CHECK(gradcheck(half_near_zero, {leaf({1e-15, 1, -2})}).verdict == Verdict::fail);
  CHECK(gradcheck(half_near_zero, {leaf({1e-15, 1, 1})}).verdict == Verdict::fail);
}

TEST_CASE("a bound below 0 allows nothing") {
  const auto wrong_with = [](double bound) {
    return compare_float32({.result = full({2}, 5, float32),
                            .reference = full({2}, 1, float64),
                            .bound = full({2}, bound, float64)})
        .wrong;
  };
  CHECK(wrong_with(-1) == 2);
  CHECK(wrong_with(std::numeric_limits<double>::quiet_NaN()) == 2);
  CHECK(wrong_with(8) == 0);
}

TEST_CASE("the Taylor test takes no NaN for rounding") {
  const auto square_with = [](double slope) {
    return [slope](const Variables& v) {
      return custom(
          v, [](const Variables& in) { return core::mul(in[0].value(), in[0].value()); },
          [slope](const Variables& in, const Variable& dy) {
            return Variables{dy * in[0] * slope};
          });
    };
  };
  CHECK(taylor_test(square_with(2), {leaf({0.3, -1.2})}).verdict == Verdict::pass);
  const TaylorReport report = taylor_test(square_with(std::nan("")), {leaf({0.3, -1.2})});
  CHECK(report.verdict == Verdict::fail);
  CHECK(report.to_string() ==
        "Taylor test: fail, the gradient is NaN where the function has a difference");
}
