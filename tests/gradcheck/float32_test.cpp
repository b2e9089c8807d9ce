// The proof in float32: it passes for every op, it fails and names what is wrong, and its bounds
// leave no room.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/autograd/ops/chapter.h>
#include <gradus/core/conv.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/gradcheck.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <support/custom_op.h>
#include <support/sanitizer.h>

using namespace gradus;

namespace {

constexpr double unit = 0x1p-24;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

Variable leaf(const Shape& shape, std::uint64_t seed) {
  Generator generator(seed);
  return Variable(randn(shape, generator), true);
}

/// y = 3·x, which may be wrong in float32 alone: at one element, or in one row of its gradient.
struct Triple final : Op {
  static constexpr std::string_view name = "triple";
  bool wrong_value, wrong_gradient;

  Triple(bool value, bool gradient) : wrong_value(value), wrong_gradient(gradient) {}

  Tensor forward(const Variable& x) {
    Tensor y = core::mul(x.value(), 3);
    if (wrong_value && y.dtype() == float32) y.at<float>({2, 1}) *= 1 + 0x1p-20F;
    return y;
  }

  Variables backward(const Variable& dy) override {
    Tensor dx = core::mul(dy.value(), 3);
    if (wrong_gradient && dx.dtype() == float32) core::mul_(dx.select(0, 1), 1 + 0x1p-20);
    return {dx};
  }

  Rounding rounding() const { return elementwise(1, 1); }
};

Variable triple(const Variable& x, bool wrong_value, bool wrong_gradient) {
  return apply(Triple(wrong_value, wrong_gradient), x);
}

Float32Report prove_triple(bool wrong_value, bool wrong_gradient) {
  return gradcheck_float32(
      [=](const Variables& v) { return tanh(triple(v[0], wrong_value, wrong_gradient)); },
      {leaf({4, 3}, 1)});
}

/// y = 2x, which forgets its gradient in float32.
struct Forgetful final : Op {
  static constexpr std::string_view name = "forgetful";
  Tensor forward(const Variable& x) { return core::mul(x.value(), 2); }
  Variables backward(const Variable& dy) override {
    return {dy.dtype() == float32 ? Variable() : mul(dy, 2)};
  }
  Rounding rounding() const { return elementwise(0, 0); }
};

/// a·b, a thousandth too much in float32; with the right gradients.
struct Enlarged final : Op {
  static constexpr std::string_view name = "enlarged";
  Variable a, b;

  Tensor forward(const Variable& left, const Variable& right) {
    a = left;
    b = right;
    return core::mul(core::matmul(a.value(), b.value()), a.dtype() == float32 ? 1.001 : 1);
  }

  Variables backward(const Variable& dy) override {
    return {matmul(dy, transpose(b)), matmul(transpose(a), dy)};
  }

  Rounding rounding() const { return bilinear(); }
};

/// Cannot be copied, and so not repeated.
struct Uncopyable final : Op {
  static constexpr std::string_view name = "uncopyable";
  std::unique_ptr<int> state;
  Tensor forward(const Variable& x) { return core::mul(x.value(), 2); }
  Variables backward(const Variable& dy) override { return {mul(dy, 2)}; }
};

/// The element of the largest magnitude; nullptr where all are 0 or there is none.
double* largest(const Tensor& tensor) {
  double* found = nullptr;
  double* x = tensor.data<double>();
  for (std::int64_t i = 0, n = tensor.numel(); i < n; ++i) {
    if (x[i] != 0 && (found == nullptr || std::fabs(x[i]) > std::fabs(*found))) found = x + i;
  }
  return found;
}

/// All ops; under sanitizers convolutions, whose algorithms are counted, and some of the others: the loops over threads are
/// the same.
std::vector<OpSamples> tried() {
  std::vector<OpSamples> ops;
  for (std::size_t i = 0; i < all_ops().size(); ++i) {
    const OpSamples& op = all_ops()[i];
    if (op.name.starts_with("conv2d") || takes_its_turn(i, 2, 12)) ops.push_back(op);
  }
  return ops;
}

}  // namespace

TEST_CASE(
    "every op stays within its bounds, through all samples, small ones and those that train") {
  std::set<std::string> algorithms;  // "conv2d, forward by winograd"
  Float32Options options;
  options.visit = [&](const Float32Comparison& c) {
    if (!c.algorithm.empty()) algorithms.insert(c.op + ", " + c.pass + " by " + c.algorithm);
  };
  for (const OpSamples& op : tried()) {
    CAPTURE(op.name);
    std::int64_t elements = 0;
    const auto prove = [&](const Sample& sample) {
      CAPTURE(sample.description);
      const Float32Report report = gradcheck_float32(sample.function, sample.inputs, options);
      CHECK_MESSAGE(report.passed(), report.to_string());
      elements += report.elements;
    };
    for (const Sample& sample : in_every_layout(op.samples())) prove(sample);
    for (const Sample& sample : op.training_samples()) prove(sample);
    CHECK(elements > 0);
  }
  // No fast algorithm escapes because its choice has moved; direct loops are the reference.
  for (const std::string op : {"conv2d", "conv2d_input_grad", "conv2d_weight_grad"}) {
    for (const std::string pass : {"forward", "gradient of input 0", "gradient of input 1"}) {
      for (const std::string algorithm : {"pointwise", "depthwise", "implicit_gemm", "winograd"}) {
        const std::string taken = op + ", " + pass + " by " + algorithm;
        CAPTURE(taken);
        CHECK(algorithms.contains(taken));
      }
    }
  }
}

TEST_CASE("every op has samples of sizes that train") {
  constexpr std::int64_t many = 10'000;
  for (const OpSamples& op : all_ops()) {
    CAPTURE(op.name);
    const bool brings_some = op.training_samples != nullptr;
    REQUIRE(brings_some);
    std::int64_t most = 0;
    for (const Sample& sample : op.training_samples()) {
      std::int64_t elements = sample.function(sample.inputs).numel();
      for (const Variable& input : sample.inputs) elements += input.numel();
      most = std::max(most, elements);
    }
    CHECK(most >= many);
  }
}

TEST_CASE("a right op passes, and what was compared is counted") {
  const Float32Report report = prove_triple(false, false);
  CHECK_MESSAGE(report.passed(), report.to_string());
  CHECK(report.calls == 2);
  // Both values; both gradients; what arrives at each op and at the leaf.
  CHECK(report.elements == 12 * (2 + 2 + 3));
  CHECK(report.fail_count == 0);
  CHECK(report.worst > 0);
  CHECK(report.worst <= 1);
}

TEST_CASE("a float32 value that is off at one element is found: op, pass, index, values, bound") {
  const Float32Report report = prove_triple(true, false);
  CHECK_FALSE(report.passed());
  CHECK(report.fail_count == 1);  // tanh is judged by what it got, so it is not blamed
  REQUIRE(report.failures.size() == 1);
  const Float32Difference& failure = report.failures[0];
  CHECK(failure.op == "triple");
  CHECK(failure.call == 0);
  CHECK(failure.pass == "forward");
  CHECK(failure.index == Shape{2, 1});
  CHECK(failure.wrong == 1);
  CHECK(failure.elements == 12);
  CHECK(failure.difference > failure.bound);
  CHECK(failure.difference == doctest::Approx(0x1p-20 * std::fabs(failure.reference)).epsilon(0.2));
  CHECK(contains(report.to_string(), "triple (call 0), forward, [2,1]: "));
  CHECK(contains(report.to_string(), "1 of 12 elements"));
}

TEST_CASE("a float32 gradient that is off in one row is found") {
  const Float32Report report = prove_triple(false, true);
  CHECK_FALSE(report.passed());
  REQUIRE(report.failures.size() == 1);
  const Float32Difference& failure = report.failures[0];
  CHECK(failure.op == "triple");
  CHECK(failure.pass == "gradient of input 0");
  CHECK(failure.index[0] == 1);
  CHECK(failure.wrong == 3);
}

TEST_CASE("a gradient that is missing in float32 counts as 0, and is found") {
  const Float32Report report = gradcheck_float32(
      [](const Variables& v) { return apply(Forgetful(), v[0]); }, {leaf({4, 3}, 1)});
  CHECK(report.fail_count == 12);
  REQUIRE(report.failures.size() == 1);
  CHECK(report.failures[0].op == "forgetful");
  CHECK(report.failures[0].pass == "gradient of input 0");
  CHECK(report.failures[0].result == 0);
}

TEST_CASE("an op that states no bound proves nothing, and the report says which") {
  const Float32Report report = gradcheck_float32(
      [](const Variables& v) {
        return custom(
            {mul(v[0], 2)}, [](const Variables& inputs) { return core::mul(inputs[0].value(), 3); },
            [](const Variables&, const Variable& dy) { return Variables{mul(dy, 3)}; });
      },
      {leaf({4, 3}, 1)});
  CHECK_FALSE(report.passed());
  CHECK(report.fail_count == 0);
  CHECK(report.unstated == std::vector<std::string>{"custom"});
  CHECK(contains(report.to_string(), "custom states no bound"));

  const Float32Report other = gradcheck_float32(
      [](const Variables& v) { return apply(Uncopyable(), v[0]); }, {leaf({4, 3}, 1)});
  CHECK(other.unstated == std::vector<std::string>{"uncopyable"});
}

TEST_CASE("what the engine adds up is compared as well") {
  Float32Options options;
  options.names = {"weight"};
  std::int64_t sums = 0;
  options.visit = [&](Float32Comparison& comparison) {
    if (comparison.op != "weight") return;
    ++sums;
    CHECK(comparison.pass == "sum of 3 incoming gradients");
    comparison.result = comparison.result.clone();
    comparison.result.at<float>({5}) += 1e-3F;
  };
  const Float32Report report = gradcheck_float32(
      [](const Variables& v) { return v[0] * v[0] + exp(v[0]); }, {leaf({7}, 1)}, options);
  CHECK(sums == 1);
  REQUIRE(report.failures.size() == 1);
  CHECK(report.failures[0].op == "weight");
  CHECK(report.failures[0].index == Shape{5});
}

TEST_CASE("a bilinear op is held against itself: dy·f(a, b) = a·dL/da = b·dL/db") {
  const auto f = [](const Variables& v) { return matmul(v[0], v[1]); };
  const Variables inputs{leaf({17, 33}, 1), leaf({33, 9}, 2)};
  CHECK(gradcheck_float32(f, inputs).identities == 2);
  // A reference and a bound that go along with a wrong product do not help it.
  Float32Options options;
  options.visit = [](Float32Comparison& comparison) {
    if (comparison.op == "enlarged") comparison.reference = comparison.result.to(float64);
  };
  const Float32Report report = gradcheck_float32(
      [](const Variables& v) { return apply(Enlarged(), v[0], v[1]); }, inputs, options);
  CHECK(report.fail_count == 2);
  REQUIRE(report.failures.size() == 2);
  CHECK(contains(report.failures[0].pass, "sum of dy·y"));
}

TEST_CASE(
    "an element whose relu rounding decides counts as undecided, and its derivative follows") {
  // 1 + 2⁻²⁵ - 1 is positive in float64, and in float32 0 unless the first and the last meet first.
  // In whatever order a product adds up, some of the permutations are of the one kind, some of the
  // other.
  const double a = 1;
  const double b = 0x1p-25;
  const double c = -1;
  const Tensor x =
      Tensor::from({{a, b, c}, {a, c, b}, {b, a, c}, {b, c, a}, {c, a, b}, {c, b, a}}, float32);
  const auto product = [](const Variables& v) { return linear(v[0], v[1], {}, Activation::relu); };
  const auto convolution = [](const Variables& v) {
    return conv2d(v[0], v[1], {}, {.activation = Activation::relu});
  };
  for (const Float32Report& report :
       {gradcheck_float32(product, {Variable(x, true), Variable(ones({1, 3}), true)}),
        gradcheck_float32(convolution, {Variable(x.reshape({6, 3, 1, 1}), true),
                                        Variable(ones({1, 3, 1, 1}), true)})}) {
    CHECK_MESSAGE(report.passed(), report.to_string());
    CHECK(report.undecided > 0);
    CHECK(report.undecided < 6);
  }
}

TEST_CASE("watching changes nothing: gradients are still worked on in place") {
  std::vector<bool> unshared;
  const auto function = [&](const Variables& v) {
    const Variable y = custom(
        {v[0]}, [](const Variables& inputs) { return core::mul(inputs[0].value(), 1); },
        [&](const Variables&, const Variable& dy) {
          if (dy.dtype() == float32) unshared.push_back(dy.is_unshared());
          return Variables{dy};
        });
    return mul(relu(y), 0.5);
  };
  gradcheck_float32(function, {leaf({33}, 1)});
  const Variable x = leaf({33}, 1);
  sum(function({x})).backward();
  CHECK(unshared == std::vector<bool>{true, true});
}

TEST_CASE("convolutions are held against the bound of the algorithm that ran") {
  const Variables inputs{leaf({8, 64, 33, 31}, 1), leaf({64, 64, 3, 3}, 2), leaf({64}, 3)};
  const auto f = [](const Variables& v) { return conv2d(v[0], v[1], v[2], {.padding = 1}); };
  const auto bounds = [&](bool winograd) {
    set_conv2d_winograd(winograd);
    std::map<std::string, std::pair<std::string, double>> by_pass;  // algorithm, sum of bounds
    Float32Options options;
    options.visit = [&](Float32Comparison& c) {
      if (c.op == "conv2d") by_pass[c.pass] = {c.algorithm, core::sum(c.bound).item()};
    };
    const Float32Report report = gradcheck_float32(f, inputs, options);
    CHECK_MESSAGE(report.passed(), report.to_string());
    set_conv2d_winograd(true);
    return by_pass;
  };
  auto with = bounds(true);
  auto without = bounds(false);
  CHECK(contains(with["forward"].first, "winograd"));
  CHECK(contains(with["gradient of input 0"].first, "winograd"));
  CHECK_FALSE(contains(without["forward"].first, "winograd"));
  CHECK(with["forward"].second != without["forward"].second);
  CHECK(with["gradient of input 0"].second != without["gradient of input 0"].second);
  CHECK(with["gradient of input 2"].first.empty());
}

TEST_CASE("a forced algorithm stays forced, and each one is within its bounds") {
  const Variables inputs{leaf({2, 16, 13, 11}, 1), leaf({20, 16, 3, 3}, 2), leaf({20}, 3)};
  for (const Conv2dAlgorithm algorithm :
       {Conv2dAlgorithm::direct, Conv2dAlgorithm::implicit_gemm, Conv2dAlgorithm::winograd}) {
    const std::string name(to_string(algorithm));
    CAPTURE(name);
    set_conv2d_algorithm(algorithm);
    Float32Options options;
    options.visit = [&](Float32Comparison& c) {
      if (c.pass == "forward") CHECK(c.algorithm == name);
    };
    const Float32Report report = gradcheck_float32(
        [](const Variables& v) { return conv2d(v[0], v[1], v[2], {.padding = 1}); }, inputs,
        options);
    CHECK_MESSAGE(report.passed(), report.to_string());
    CHECK(forced_conv2d_algorithm() == algorithm);
    set_conv2d_algorithm(std::nullopt);
  }
}

TEST_CASE("the reference of a matrix product is what plain loops give") {
  // In float64 both are within k·2⁻⁵³ of the exact sum of magnitudes, and so within twice that.
  constexpr std::int64_t k = 131;
  constexpr double each_way = static_cast<double>(k) * 0x1p-53;
  const Variables inputs{leaf({47, k}, 1), leaf({33, k}, 2)};
  const auto at = [](const Variable& v, std::int64_t i, std::int64_t j) {
    return static_cast<double>(v.value().at<float>({i, j}));
  };
  for (const bool as_linear : {false, true}) {
    CAPTURE(as_linear);
    Float32Options options;
    std::int64_t compared = 0;
    options.visit = [&](Float32Comparison& c) {
      if ((c.op != "matmul" && c.op != "linear") || c.pass != "forward") return;
      for (std::int64_t i = 0; i < 47; ++i) {
        for (std::int64_t j = 0; j < 33; ++j) {
          double sum = 0;
          double size = 0;
          for (std::int64_t l = 0; l < k; ++l) {
            sum += at(inputs[0], i, l) * at(inputs[1], j, l);
            size += std::fabs(at(inputs[0], i, l) * at(inputs[1], j, l));
          }
          CHECK(std::fabs(c.reference.at<double>({i, j}) - sum) <= 2 * each_way * size);
          ++compared;
        }
      }
    };
    gradcheck_float32(
        [=](const Variables& v) {
          return as_linear ? linear(v[0], v[1]) : matmul(v[0], transpose(v[1]));
        },
        inputs, options);
    CHECK(compared == 47 * 33);
  }
}

TEST_CASE("the bounds of a convolution are met within decades, not by miles") {
  // A sum of k products of random sign has partial sums of about √k, so k roundings add up to about
  // u·k, where the bound is u·k·k: 1/k of it is used. Adding in blocks makes it less, within 16.
  const std::map<std::string, double> terms{{"forward", 16 * 9 + 1},
                                            {"gradient of input 0", 24 * 9},
                                            {"gradient of input 1", 4 * 32 * 32},
                                            {"gradient of input 2", 1}};  // added up in float64
  constexpr double blocks = 16;
  std::map<std::string, std::vector<double>> used;
  Float32Options options;
  options.visit = [&](Float32Comparison& c) {
    if (c.op != "conv2d" || c.pass.starts_with("sum of")) return;
    const Tensor result = c.result.to(float64).contiguous();
    for (std::int64_t i = 0; i < result.numel(); ++i) {
      used[c.pass].push_back(std::fabs(result.data<double>()[i] - c.reference.data<double>()[i]) /
                             c.bound.data<double>()[i]);
    }
  };
  gradcheck_float32([](const Variables& v) { return conv2d(v[0], v[1], v[2], {.padding = 1}); },
                    {leaf({4, 16, 32, 32}, 1), leaf({24, 16, 3, 3}, 2), leaf({24}, 3)}, options);
  CHECK(used.size() == terms.size());
  for (auto& each : used) {
    const std::string& pass = each.first;
    std::vector<double>& ratios = each.second;
    CAPTURE(pass);
    std::nth_element(ratios.begin(), ratios.begin() + std::ssize(ratios) / 2, ratios.end());
    const double median = ratios[ratios.size() / 2];
    CAPTURE(median);
    CHECK(median > 1 / (blocks * terms.at(pass)));
    CHECK(median < 1);
  }
}

namespace {

/// How many numbers a convolution adds up for each weight's gradient; 0 for what is no such sum.
std::int64_t pixels_of_weights(const Float32Comparison& c, const Sample& sample) {
  const bool forward = c.op == "conv2d";
  const bool weights = c.pass == (c.op == "conv2d_weight_grad" ? "forward" : "gradient of input 1");
  if (!c.op.starts_with("conv2d") || !weights) return 0;
  const Shape dy = forward ? sample.function(sample.inputs).shape() : sample.inputs[0].shape();
  return dy[0] * dy[2] * dy[3];
}

}  // namespace

TEST_CASE("one element that is off by 1e-4 of itself is caught, in every op and every pass") {
  // Planted where a tensor is largest, and so least cancels. k terms of random sign have magnitudes
  // of about √k/3 times their largest sum: from k = 300 on k·u·Σ|ab| exceeds 1e-4 of it. That is
  // only so for the weights of convolutions, which are sums over the pixels of all images, and for
  // some rows of other sums: of the tensors of any op and pass at least nine in ten must tell.
  constexpr double relative = 1e-4;
  constexpr std::int64_t long_sum = 300;
  constexpr double share = 0.9;
  for (const OpSamples& op : tried()) {
    std::map<std::string, std::pair<int, int>> by_pass;  // planted, and caught
    for (const Sample& sample : op.training_samples()) {
      Float32Options options;
      options.visit = [&](Float32Comparison& c) {
        if (c.op != op.name || c.pass.starts_with("sum of")) return;
        const Tensor wrong = c.result.to(float64).contiguous().clone();
        double* element = largest(wrong);
        if (element == nullptr || pixels_of_weights(c, sample) > long_sum) return;
        *element *= 1 + relative;
        Float32Comparison planted = c;
        planted.result = wrong.to(float32);
        const Float32Difference found = compare_float32(planted);
        auto& [all, caught] = by_pass[c.pass];
        ++all;
        if (found.wrong == 0) return;
        ++caught;
        CHECK(found.wrong == 1);
        CHECK(wrong.at<double>(found.index) == *element);
      };
      gradcheck_float32(sample.function, sample.inputs, options);
    }
    for (const auto& each : by_pass) {
      const std::string& pass = each.first;
      const int planted = each.second.first;
      const int caught = each.second.second;
      CAPTURE(op.name);
      CAPTURE(pass);
      CAPTURE(planted);
      CAPTURE(caught);
      CHECK(caught >= share * planted);
    }
  }
}

TEST_CASE("comparing: 0 means equal, NaN belongs to NaN, and infinities are told apart") {
  constexpr double inf = std::numeric_limits<double>::infinity();
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  const auto wrong = [](double result, double reference, double bound) {
    return compare_float32({.op = "f",
                            .pass = "forward",
                            .result = full({1}, result),
                            .reference = full({1}, reference, float64),
                            .bound = full({1}, bound, float64)})
        .wrong;
  };
  CHECK(wrong(0.5, 0.5, 0) == 0);
  CHECK(wrong(0.5, 0.5 + unit, 0) == 1);
  CHECK(wrong(0.5, 0.5 + unit, unit) == 0);
  CHECK(wrong(0.5, 0.5 + 1.1 * unit, unit) == 1);
  CHECK(wrong(nan, nan, 1) == 0);
  CHECK(wrong(nan, 1, 1) == 1);
  CHECK(wrong(1, nan, 1) == 1);
  CHECK(wrong(inf, inf, 1) == 0);
  CHECK(wrong(inf, 1e60, 1) == 0);  // beyond float32
  CHECK(wrong(-inf, inf, 1) == 1);
  CHECK(wrong(inf, 1, 1) == 1);
  CHECK(wrong(0x1p-130, 0, unit) == 0);  // subnormal
  CHECK_THROWS_AS(compare_float32({.op = "f",
                                   .pass = "forward",
                                   .result = zeros({2}),
                                   .reference = zeros({1, 2}, float64),
                                   .bound = zeros({2}, float64)}),
                  ShapeError);
}

TEST_CASE("a function that leaves float32 is refused, and one that throws throws") {
  CHECK_THROWS_AS(gradcheck_float32([](const Variables& v) { return v[0].value().to(float64); },
                                    {leaf({2}, 1)}),
                  DTypeError);
  CHECK_THROWS_AS(
      gradcheck_float32([](const Variables& v) { return matmul(v[0], v[0]); }, {leaf({2, 3}, 1)}),
      ShapeError);
  // And nobody watches any more.
  const Float32Report after = prove_triple(false, false);
  CHECK(after.calls == 2);
}
