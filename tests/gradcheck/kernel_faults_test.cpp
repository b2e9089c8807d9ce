// Faults of float32 kernels: each of them applies somewhere, changes what it should and nothing
// else, and is caught by the proof's own bounds, which call nothing right wrong.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/kernel_faults.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace gradus;

namespace {

Variable leaf(const Shape& shape, std::uint64_t seed) {
  Generator generator(seed);
  return Variable(randn(shape, generator), true);
}

Variable rectified_conv2d(const Operand& x, const Variable& w, const Variable& b,
                          const Conv2dOptions& options) {
  Conv2dOptions with_relu = options;
  with_relu.activation = Activation::relu;
  return conv2d(x, w, b, with_relu);
}

/// A right result: random numbers, which are their own reference.
KernelPass pass_of(const Shape& shape, const std::string& op = "f",
                   const std::string& algorithm = "") {
  Generator generator(1);
  const Tensor y = randn(shape, generator);
  return {.right = {.op = op,
                    .pass = "forward",
                    .algorithm = algorithm,
                    .result = y,
                    .reference = y.to(float64),
                    .bound = zeros(shape, float64)}};
}

const KernelFault& fault(std::string_view name) {
  const auto& all = kernel_faults();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const KernelFault& f) { return f.name == name; });
  REQUIRE(found != all.end());
  return *found;
}

/// Which elements the fault changes, row-major, in all places where it is planted.
std::set<std::int64_t> changed(std::string_view name, const KernelPass& pass) {
  REQUIRE(fault(name).applies(pass));
  const Tensor right = pass.right.result.contiguous();
  std::set<std::int64_t> indices;
  for (const Tensor& spoiled : fault(name).spoil(pass)) {
    const Tensor wrong = spoiled.contiguous();
    for (std::int64_t i = 0; i < right.numel(); ++i) {
      if (wrong.data<float>()[i] != right.data<float>()[i]) indices.insert(i);
    }
  }
  return indices;
}

std::set<std::int64_t> range(std::int64_t begin, std::int64_t end) {
  std::set<std::int64_t> indices;
  for (std::int64_t i = begin; i < end; ++i) indices.insert(i);
  return indices;
}

KernelFaultRecord planted_in(std::string_view op, const Sample& sample) {
  KernelFaultRecord record;
  plant_kernel_faults(op, sample, record);
  return record;
}

Sample convolution(Variable (*f)(const Operand&, const Variable&, const Variable&,
                                 const Conv2dOptions&)) {
  return {"3x3",
          {leaf({3, 16, 17, 19}, 1), leaf({20, 16, 3, 3}, 2), leaf({20}, 3)},
          [f](const Variables& v) { return f(v[0], v[1], v[2], {.padding = 1}); }};
}

}  // namespace

TEST_CASE("each fault of a kernel changes the numbers that it says, and no others") {
  const KernelPass matrix = pass_of({9, 21});
  CHECK(changed("tile row missing", matrix) == range(3 * 21, 4 * 21));
  CHECK(changed("tile row repeated", matrix) == range(3 * 21, 4 * 21));
  CHECK(changed("remainder zero", matrix) == range(9 * 21 - 5, 9 * 21));
  CHECK(changed("lane zero", matrix) == range(9 * 21 - 3, 9 * 21 - 2));
  CHECK(changed("lane stale", matrix) == range(9 * 21 - 3, 9 * 21 - 2));
  CHECK(changed("chunk not a number", matrix) == range(189 - 48, 189));
  CHECK(changed("chunk zero", matrix) == range(189 - 48, 189));
  CHECK(changed("block added twice", matrix) == range(0, 4 * 21));

  const KernelPass images = pass_of({2, 4, 6, 5}, "conv2d", "winograd");
  CHECK(changed("image of neighbour", images) == range(0, 120));
  CHECK(changed("group of another", images).size() == 2 * 60);
  CHECK(changed("phase of stride zero", images) == range(0, 240));  // four phases, one at a time
  CHECK(changed("winograd tile edge", images) == std::set<std::int64_t>{3, 8, 13, 18});
}

TEST_CASE("what was not written holds what its memory held before") {
  KernelPass pass = pass_of({40});
  pass.before = full({40}, 7);
  const Tensor wrong = fault("chunk stale").spoil(pass).front();
  for (std::int64_t i = 0; i < 40; ++i)
    CHECK(wrong.at<float>({i}) == (i < 30 ? pass.right.result.at<float>({i}) : 7));
}

TEST_CASE("faults do not apply where a result has no place for them") {
  CHECK_FALSE(fault("tile row missing").applies(pass_of({21})));
  CHECK_FALSE(fault("image of neighbour").applies(pass_of({1, 4, 6, 5})));
  CHECK_FALSE(fault("group of another").applies(pass_of({2, 3, 6, 5}, "conv2d")));
  CHECK_FALSE(fault("phase of stride zero").applies(pass_of({2, 4, 6, 5}, "exp")));
  CHECK_FALSE(
      fault("winograd tile edge").applies(pass_of({2, 4, 6, 5}, "conv2d", "implicit_gemm")));
  CHECK_FALSE(fault("last slice not read").applies(pass_of({21})));
  for (const KernelFault& each : kernel_faults()) CHECK_FALSE(each.applies(pass_of({0, 3})));
}

TEST_CASE("a border without a tap is wrong along the border alone, and by that tap") {
  const Sample sample = convolution(conv2d);
  SampleRuns runs(sample);
  const Tensor y = runs.pass(0, "", {});
  KernelPass pass{.right = {.op = "conv2d", .result = y}, .runs = &runs};
  REQUIRE(fault("border tap missing").applies(pass));
  const std::vector<Tensor> wrong = fault("border tap missing").spoil(pass);
  REQUIRE(wrong.size() == 2);
  // Along the first row and column the first tap meets the padding; along the last ones the last.
  const Tensor first = core::ne(wrong[0], y);
  const auto count = [](const Tensor& mask) { return core::sum(mask.to(float64)).item(); };
  CHECK(count(first.narrow(-2, 1, 15).narrow(-1, 1, 17)) == 0);
  CHECK(count(first.narrow(-2, 0, 1)) == 0);
  CHECK(count(first.narrow(-2, 16, 1)) > 0);
  // One output, by hand: it lacks Σ over channels of x[c,15,4]·w[k,c,0,0].
  double lost = 0;
  for (std::int64_t c = 0; c < 16; ++c) {
    lost += static_cast<double>(sample.inputs[0].value().at<float>({1, c, 15, 4})) *
            static_cast<double>(sample.inputs[1].value().at<float>({7, c, 0, 0}));
  }
  // Sums of 145 products of about 1 in float32: within 145·u·Σ|ab|, which is below 145·145·u.
  constexpr double rounding = 2 * 145 * 145 * unit_roundoff;
  const Shape at{1, 7, 16, 5};
  CHECK(std::fabs(static_cast<double>(y.at<float>(at) - wrong[0].at<float>(at)) - lost) < rounding);
}

TEST_CASE("a dropped activation shows what the relu hid") {
  const Sample rectified = convolution(rectified_conv2d);
  SampleRuns runs(rectified);
  const Tensor y = runs.pass(0, "", {});
  const KernelPass pass{.right = {.op = "conv2d", .result = y}, .runs = &runs};
  REQUIRE(fault("activation dropped").applies(pass));
  const Tensor wrong = fault("activation dropped").spoil(pass).front();
  const Tensor plain = convolution(conv2d).function(rectified.inputs).value();
  const std::int64_t from = y.numel() - (y.numel() + 3) / 4;
  for (std::int64_t i = 0; i < y.numel(); ++i) {
    const float expected = i < from ? y.data<float>()[i] : plain.data<float>()[i];
    REQUIRE(wrong.data<float>()[i] == expected);
  }

  const Sample never(convolution(conv2d));
  SampleRuns others(never);
  const KernelPass without{.right = {.op = "conv2d", .result = plain}, .runs = &others};
  CHECK_FALSE(fault("activation dropped").applies(without));
}

TEST_CASE(
    "every fault of the table is planted somewhere and caught, and nothing right is accused") {
  std::set<std::string> names;
  for (const auto f : {&conv2d, &rectified_conv2d}) {
    Sample sample = convolution(f);
    // Large enough for Winograd's transforms.
    sample.inputs = {leaf({8, 64, 33, 31}, 1), leaf({64, 64, 3, 3}, 2), leaf({64}, 3)};
    const Sample planes{"depthwise",
                        {leaf({3, 16, 17, 37}, 1), leaf({16, 1, 3, 3}, 2), leaf({16}, 3)},
                        [f](const Variables& v) {
                          return f(v[0], v[1], v[2], {.stride = 2, .padding = 1, .groups = 16});
                        }};
    for (const Sample& each : {convolution(f), sample, planes}) {
      const KernelFaultRecord record = planted_in("conv2d", each);
      CHECK(record.good == 4);  // y, and three gradients
      CHECK(record.false_alarms.empty());
      for (const KernelFaultRow& row : record.rows) {
        CAPTURE(row.fault);
        CAPTURE(row.pass);
        CAPTURE(row.algorithm);
        // One lane among sums over all pixels may hide in their bound (docs/gradient-checking.md).
        const bool long_sums = row.pass == "gradient of input 1";
        if (!long_sums) CHECK(row.caught == row.planted);
        if (row.caught > 0) names.insert(row.fault);
      }
    }
  }
  for (const KernelFault& each : kernel_faults()) {
    CAPTURE(each.name);
    CHECK(names.count(std::string(each.name)) == 1);
  }
}

TEST_CASE("a fault that changes nothing is not counted, and one within the bound is not caught") {
  KernelPass zero = pass_of({9, 21});
  zero.right.result = zeros({9, 21});
  zero.right.reference = zeros({9, 21}, float64);
  KernelFaultRecord record;
  plant_kernel_faults(zero, "zeros", record);
  REQUIRE(record.rows.size() == 1);
  CHECK(record.rows[0].fault == "chunk not a number");

  KernelPass loose = pass_of({9, 21});
  loose.right.bound = full({9, 21}, 1e6, float64);
  KernelFaultRecord blind;
  plant_kernel_faults(loose, "loose", blind);
  CHECK(blind.planted() == 10);
  CHECK(blind.caught() == 1);  // NaN is within no bound
  CHECK(blind.false_alarms.empty());
}

TEST_CASE("a right result that the comparison refuses is a false alarm") {
  KernelPass pass = pass_of({9, 21});
  pass.right.reference = core::mul(pass.right.reference, 1.001);
  KernelFaultRecord record;
  plant_kernel_faults(pass, "a sample", record);
  CHECK(record.good == 1);
  REQUIRE(record.false_alarms.size() == 1);
  CHECK(record.false_alarms[0].starts_with("a sample: f (call 0), forward"));
}
