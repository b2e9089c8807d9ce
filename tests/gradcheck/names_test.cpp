// Names that need more than a look at two tensors: branches, means and variances, the output for the
// input, half a Jacobian. And what must not be named, or only with a doubt.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/gradcheck.h>

#include <cmath>
#include <functional>
#include <string>
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

using Rule = std::function<Variable(const Variable& x, const Variable& y, const Variable& dy)>;

using Function = std::function<Variable(const Variable& x)>;

/// f(x) with a backward of its own.
DifferentiableFunction with_backward(const Function& f, const Rule& rule) {
  return [f, rule](const Variables& v) {
    return custom(
        v, [f](const Variables& in) { return f(in[0].detach()).value(); },
        [f, rule](const Variables& in, const Variable& dy) {
          return Variables{rule(in[0], f(in[0]), dy)};
        });
  };
}

Variable exp_of(const Variable& x) { return exp(x); }
Variable tanh_of(const Variable& x) { return tanh(x); }

void check_nameless(const GradcheckReport& report) {
  CAPTURE(report.to_string());
  CHECK(report.verdict == Verdict::fail);
  CHECK(report.diagnoses.empty());
}

/// (x - mean)/σ along the last axis, the variance divided by n - `less`.
Variable normalised(const Variable& x, double less) {
  const auto n = static_cast<double>(x.size(-1));
  const Variable centred = x - mean(x, {-1}, true);
  const Variable variance = sum(centred * centred, {-1}, true) / (n - less);
  return centred / sqrt(variance + 1e-5);
}

/// Its right gradient, with the derivative of the mean and of the variance each times a number.
Variable normalised_backward(const Variable& x, const Variable& dy, double mean_share,
                             double variance_share) {
  const auto n = static_cast<double>(x.size(-1));
  const Variable centred = x - mean(x, {-1}, true);
  const Variable sigma = sqrt(sum(centred * centred, {-1}, true) / n + 1e-5);
  const Variable y = centred / sigma;
  return (dy - mean(dy, {-1}, true) * mean_share - y * mean(dy * y, {-1}, true) * variance_share) /
         sigma;
}

DifferentiableFunction norm_with(double mean_share, double variance_share) {
  return [=](const Variables& v) {
    return custom(
        v, [](const Variables& in) { return normalised(in[0].detach(), 0).value(); },
        [=](const Variables& in, const Variable& dy) {
          return Variables{normalised_backward(in[0], dy, mean_share, variance_share)};
        });
  };
}

Variable leaky(const Variable& x) { return maximum(x, x * 0.1); }

}  // namespace

TEST_CASE("wrong only for negative inputs") {
  const auto rule = [](const Variable& x, const Variable&, const Variable& dy) {
    return dy * core::ge(x.value(), 0).to(float64);
  };
  check_named(gradcheck(with_backward(leaky, rule), {random({5, 6})}), Pattern::wrong_branch,
              Certainty::likely, {"of 30 elements", "just where input 0 is negative"});
}

TEST_CASE("wrong only above a value, and which; or where another input is positive") {
  const auto above = [](const Variable& x, const Variable& y, const Variable& dy) {
    const Tensor far = core::gt(x.value(), 0.7);
    return dy * y * where(far, Tensor::scalar(1.5, float64), Tensor::scalar(1, float64));
  };
  check_named(gradcheck(with_backward(exp_of, above), {random({30})}), Pattern::wrong_branch,
              Certainty::likely, {"just where input 0 is large (from 0.", "right up to 0."});
  const auto product = [](const Variables& v) {
    return custom(
        v, [](const Variables& in) { return core::mul(in[0].value(), in[1].value()); },
        [](const Variables& in, const Variable& dy) {
          const Tensor positive = core::gt(in[1].value(), 0).to(float64);
          return Variables{dy * in[1] * (positive * 0.5 + 1.0), dy * in[0]};
        });
  };
  check_named(gradcheck(product, {random({30}), random({30}, 2)}), Pattern::wrong_branch,
              Certainty::likely, {"just where input 1 is positive"});
}

TEST_CASE("wrong far from 0 on both sides") {
  const auto rule = [](const Variable& x, const Variable& y, const Variable& dy) {
    const Tensor far = core::gt(core::abs(x.value()), 1).to(float64);
    return dy * (1.0 - y * y) * (1.0 - far * 0.5);
  };
  check_named(gradcheck(with_backward(tanh_of, rule), {random({30})}), Pattern::wrong_branch,
              Certainty::likely, {"the size of input 0 is large"});
}

TEST_CASE("a mean whose derivative is missing") {
  check_named(gradcheck(norm_with(0, 1), {random({4, 6})}), Pattern::constant_error,
              Certainty::likely, {"along axis 1", "derivative of a mean"});
  check_named(gradcheck(
                  [](const Variables& v) {
                    return custom(
                        v,
                        [](const Variables& in) {
                          return core::sub(in[0].value(), core::mean(in[0].value()));
                        },
                        [](const Variables&, const Variable& dy) { return Variables{dy}; });
                  },
                  {random({3, 4})}),
              Pattern::constant_error, Certainty::likely, {"along axes 0 and 1"});
}

TEST_CASE("a variance whose derivative is missing, or has another divisor") {
  check_named(gradcheck(norm_with(1, 0), {random({4, 6})}), Pattern::variance_term,
              Certainty::likely, {"along axis 1", "distance from its mean"});
  check_named(gradcheck(norm_with(1, 6.0 / 5), {random({4, 6})}), Pattern::variance_term,
              Certainty::likely, {"divided by n where n-1 belongs"});
  check_named(gradcheck(norm_with(0, 0), {random({4, 6})}), Pattern::variance_term,
              Certainty::likely, {"the derivatives of a mean and of a variance"});
}

TEST_CASE("a variance that is divided by n in one place and by n - 1 in the other") {
  const auto variance = [](const Variables& v) {
    return custom(
        v,
        [](const Variables& in) {
          const Tensor& x = in[0].value();
          const Tensor centred = core::sub(x, core::mean(x, {-1}, true));
          return core::div(core::sum(core::mul(centred, centred), {-1}, true), 6);
        },
        [](const Variables& in, const Variable& dy) {
          return Variables{dy * (in[0] - mean(in[0], {-1}, true)) * (2.0 / 5)};
        });
  };
  check_named(gradcheck(variance, {random({3, 6})}), Pattern::biased_variance, Certainty::likely,
              {"a variance of 6 numbers, divided by 6 here and by 5 there"});
}

TEST_CASE("only the diagonal of a Jacobian") {
  const auto rule = [](const Variable&, const Variable& y, const Variable& dy) {
    return dy * y * (1.0 - y);
  };
  const auto f = [](const Variable& x) { return softmax(x, 1); };
  check_named(gradcheck(with_backward(f, rule), {random({3, 5})}), Pattern::diagonal_only,
              Certainty::certain, {"moves others too"});
}

TEST_CASE("the output in the place of the input, and the input in that of the output") {
  const auto square = [](const Variable& x) { return x * x; };
  check_named(gradcheck(with_backward(square, [](const Variable&, const Variable& y,
                                                 const Variable& dy) { return dy * y * 2.0; }),
                        {random({3, 4})}),
              Pattern::output_for_input, Certainty::likely, {"the slope at f(x), not at x"});
  check_named(
      gradcheck(with_backward(tanh_of, [](const Variable& x, const Variable&,
                                          const Variable& dy) { return dy * (1.0 - x * x); }),
                {random({3, 4})}),
      Pattern::input_for_output, Certainty::likely, {"wants the output"});
}

TEST_CASE("a backward that draws a mask of its own") {
  Generator generator(3);
  const auto rule = [&](const Variable&, const Variable&, const Variable& dy) {
    return dy * core::gt(rand(dy.shape(), generator, float64), 0.5).to(float64);
  };
  const auto twice = [](const Variable& x) { return x * 1.0; };
  check_named(gradcheck(with_backward(twice, rule), {random({4, 4})}), Pattern::random_backward,
              Certainty::certain, {"draws random numbers of its own"});
}

TEST_CASE("what backward kept and writes into: an input, or numbers of its own") {
  const auto into_the_input = [](const Variables& v) {
    return custom(
        v, [](const Variables& in) { return core::exp(in[0].value()); },
        [](const Variables& in, const Variable& dy) {
          const Variable dx = dy * exp(in[0]);
          double* x = in[0].value().data<double>();
          for (std::int64_t i = 0; i < in[0].numel(); ++i) x[i] = 0;
          return Variables{dx};
        });
  };
  const Variable x = random({3});
  check_named(gradcheck(into_the_input, {x}), Pattern::overwrites_saved, Certainty::certain,
              {"backward writes into it"});
  CHECK(x.value().at<double>({0}) != 0);  // a copy was checked

  struct Exponential final : Op {
    Tensor y;
    Tensor forward(const Variable& in) { return y = core::exp(in.value()); }
    Variables backward(const Variable& dy) override {
      const Variable dx = dy * y.clone();
      for (std::int64_t i = 0; i < y.numel(); ++i) y.data<double>()[i] = 1;
      return {dx};
    }
  };
  check_named(gradcheck([](const Variables& v) { return record(Exponential(), v[0]); }, {x}),
              Pattern::overwrites_saved, Certainty::certain, {"writes into what was kept"});
}

TEST_CASE("few numbers leave a doubt, and the report says so") {
  const auto minus = [](const Variable&, const Variable&, const Variable& dy) { return -dy; };
  const auto same = [](const Variable& x) { return x * 1.0; };
  const GradcheckReport two = gradcheck(with_backward(same, minus), {random({2})});
  check_named(two, Pattern::sign_flipped, Certainty::possible, {});
  CHECK(contains(two.to_string(), "possible sign_flipped: "));
  const GradcheckReport twelve = gradcheck(with_backward(same, minus), {random({12})});
  check_named(twelve, Pattern::sign_flipped, Certainty::likely, {});
  CHECK(contains(twelve.to_json(), "\"certainty\":\"likely\""));
}

TEST_CASE("a branch is not named where chance may have parted the values") {
  // Two of four wrong, those with the least values: one chance in three.
  const auto rule = [](const Variable& x, const Variable& y, const Variable& dy) {
    const Tensor low = core::lt(x.value(), 0).to(float64);
    const Tensor odd = Tensor::from({1.3, 0.2, 1.7, 0.6}, float64);
    return dy * y * (1.0 + core::mul(low, odd));
  };
  const Variable x(Tensor::from({-1.0, 0.5, 0.8, -0.2}, float64), true);
  check_nameless(gradcheck(with_backward(exp_of, rule), {x}));
}

TEST_CASE("a slice is not named where the others say nothing") {
  // The slopes of the other rows are 0, so their gradients are right whatever is wrong.
  const Tensor weights = zeros({4, 3}, float64);
  weights.select(0, 1).copy_(Tensor::from({1.0, 2.0, 3.0}, float64));
  const auto f = [weights](const Variables& v) {
    return custom(
        v, [&](const Variables& in) { return core::mul(in[0].value(), weights); },
        [weights](const Variables&, const Variable& dy) {
          return Variables{dy * weights * Tensor::from({1.1, 0.3, 2.5}, float64)};
        });
  };
  check_nameless(gradcheck(f, {random({4, 3})}));
}

TEST_CASE("a factor is not named where it leaves as much as it explains") {
  const auto rule = [](const Variable&, const Variable&, const Variable& dy) {
    Generator generator(5);
    return dy * core::add(core::mul(rand(dy.shape(), generator, float64), 1e-5), 1.000003);
  };
  const auto same = [](const Variable& x) { return x * 1.0; };
  check_nameless(gradcheck(with_backward(same, rule), {random({20})}));
}

TEST_CASE("a missing sum is not named along an axis that belongs to the input") {
  // Backward of a running sum that looks at its first element only.
  const auto f = [](const Variables& v) {
    return custom(
        v,
        [](const Variables& in) {
          const Tensor y = in[0].value().clone();
          for (std::int64_t i = 1; i < y.numel(); ++i)
            y.data<double>()[i] += y.data<double>()[i - 1];
          return y;
        },
        [](const Variables&, const Variable& dy) {
          return Variables{expand(select(dy, 0, 0), dy.shape()) *
                           Tensor::from({1.0, 0.3, 2.0, 0.7}, float64)};
        });
  };
  const GradcheckReport report = gradcheck(f, {random({4})});
  CAPTURE(report.to_string());
  for (const Diagnosis& each : report.diagnoses) CHECK(each.pattern != Pattern::missing_sum);
}
