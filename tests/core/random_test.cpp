// Random numbers and constants: Philox against its published vectors, the transformations against
// std::, and the distributions by their moments.
#include <doctest/doctest.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/core/random.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "support/error_message.h"

using namespace gradus;

namespace {

using Counter = std::array<std::uint32_t, 4>;

double mean_of(const Tensor& x) { return core::mean(x.to(float64)).item(); }
double variance_of(const Tensor& x) { return core::var(x.to(float64)).item(); }

}  // namespace

TEST_CASE("Philox gives the known answers of its authors' distribution (Random123, kat_vectors)") {
  const std::uint32_t ones = 0xffffffff;
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == Counter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({ones, ones, ones, ones}, {ones, ones}) ==
        Counter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Counter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a generator walks the counters, two numbers a block, low words first") {
  Generator generator(0);
  CHECK(generator.next() == 0xe169c58d6627e8d5);
  CHECK(generator.next() == 0x9b00dbd8bc57ac4c);
  const Counter second = philox({1, 0, 0, 0}, {0, 0});
  CHECK(generator.next() == (second[0] | static_cast<std::uint64_t>(second[1]) << 32));
  const std::uint64_t seed = 0x299f31d0a4093822;
  const Counter far = philox({3, 1, 0, 0}, {0xa4093822, 0x299f31d0});
  CHECK(Generator(seed, (((std::uint64_t{1} << 32) + 3) * 2)).next() ==
        (far[0] | static_cast<std::uint64_t>(far[1]) << 32));
}

TEST_CASE("seed and position say everything: a generator goes on where another stopped") {
  Generator original(42);
  for (int i = 0; i < 7; ++i) original.next();
  original.normal();
  CHECK(original.position() == 9);
  Generator resumed(original.seed(), original.position());
  for (int i = 0; i < 10; ++i) CHECK(resumed.next() == original.next());
}

TEST_CASE("forked streams differ from each other and from their parent, and repeat") {
  const Generator parent(3);
  std::set<std::uint64_t> first;
  for (std::uint64_t stream = 0; stream < 1000; ++stream) {
    Generator child = parent.fork(stream);
    first.insert(child.next());
    CHECK(parent.fork(stream).seed() == child.seed());
  }
  Generator copy = parent;
  for (int i = 0; i < 1000; ++i) first.insert(copy.next());
  CHECK(first.size() == 2000);
  CHECK(Generator(3).fork(1).seed() != Generator(4).fork(1).seed());
  CHECK(parent.fork(0).fork(0).seed() != parent.fork(0).seed());
}

TEST_CASE("normal is Box-Muller to within a few units in the last place of std::log and std::cos") {
  // The reference rounds 2·pi·u before the cosine; near a zero of the cosine that is the larger
  // error, so the tolerance is absolute: 4 ulps of the largest radius (8.6).
  constexpr double tolerance = 8 * std::numeric_limits<double>::epsilon() * 4;
  Generator generator(11);
  double worst = 0;
  for (int i = 0; i < 100000; ++i) {
    Generator same = generator;
    const double radius = std::sqrt(-2 * std::log(1 - same.uniform()));
    const double expected = radius * std::cos(2 * std::numbers::pi * same.uniform());
    worst = std::max(worst, std::fabs(generator.normal() - expected));
  }
  CHECK(worst <= tolerance);
}

TEST_CASE("normal has the moments and the tails of the normal distribution") {
  Generator generator(5);
  constexpr std::int64_t count = 1000000;
  const Tensor x = randn({count}, generator, float64);
  const double root = std::sqrt(static_cast<double>(count));
  // Five standard errors: of the mean 1, the variance sqrt(2), the third moment sqrt(15), the
  // fourth sqrt(96).
  CHECK(std::fabs(mean_of(x)) < 5 / root);
  CHECK(std::fabs(variance_of(x) - 1) < 5 * std::sqrt(2.0) / root);
  CHECK(std::fabs(mean_of(core::mul(x, core::pow(x, 2)))) < 5 * std::sqrt(15.0) / root);
  CHECK(std::fabs(mean_of(core::pow(core::pow(x, 2), 2)) - 3) < 5 * std::sqrt(96.0) / root);
  const double beyond = mean_of(core::gt(core::abs(x), 3));
  CHECK(beyond == doctest::Approx(std::erfc(3 / std::numbers::sqrt2)).epsilon(0.1));
}

TEST_CASE("uniform numbers fill [0, 1) evenly and never reach 1") {
  Generator generator(6);
  for (const DType dtype : {float32, float64}) {
    const Tensor x = rand({1000000}, generator, dtype);
    CHECK(core::min(x).item() >= 0);
    CHECK(core::max(x).item() < 1);
    CHECK(std::fabs(mean_of(x) - 0.5) < 5 / std::sqrt(12e6));
    for (int bin = 0; bin < 10; ++bin) {
      const double low = bin / 10.0;
      const double share = mean_of(core::logical_and(core::ge(x, low), core::lt(x, low + 0.1)));
      CHECK(std::fabs(share - 0.1) < 5 * 0.3 / 1000);
    }
  }
}

TEST_CASE("below is uniform, also where the bound does not divide 2^64") {
  Generator generator(7);
  std::vector<int> counts(6);
  for (int i = 0; i < 60000; ++i) ++counts[static_cast<std::size_t>(generator.below(6))];
  double chi_square = 0;
  for (const int count : counts) chi_square += (count - 10000.0) * (count - 10000.0) / 10000;
  CHECK(chi_square < 20.5);  // 5 degrees of freedom: one in a thousand seeds is above
  // Three quarters of 2^63: modulo alone would hit the lower third twice as often.
  const std::int64_t bound = std::int64_t{3} << 61;
  int low = 0;
  for (int i = 0; i < 10000; ++i) low += generator.below(bound) < bound / 3;
  CHECK(std::abs(low - 3333) < 250);
  CHECK(generator.below(1) == 0);
  CHECK_THROWS_AS(generator.below(0), ValueError);
  CHECK_THROWS_AS(generator.below(-3), ValueError);
}

TEST_CASE("randint keeps to its bounds and reaches them") {
  Generator generator(8);
  const Tensor x = randint(-2, 3, {10000}, generator);
  CHECK(x.dtype() == int64);
  CHECK(core::min(x).item() == -2);
  CHECK(core::max(x).item() == 2);
  CHECK(randint(0, 2, {5}, generator, uint8).dtype() == uint8);
  CHECK(message_of<ValueError>([&] { randint(3, 3, {1}, generator); }) ==
        "randint: low 3 must be below high 3");
  constexpr auto limits = std::numeric_limits<std::int64_t>();
  CHECK_THROWS_AS(randint(limits.min(), limits.max(), {1}, generator), ValueError);
}

TEST_CASE("randperm is a permutation, and each is equally likely") {
  Generator generator(9);
  std::vector<std::int64_t> order = randperm(1000, generator).to_vector<std::int64_t>();
  CHECK(!std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  std::vector<std::int64_t> expected(1000);
  std::iota(expected.begin(), expected.end(), 0);
  CHECK(order == expected);
  std::vector<int> counts(6);
  for (int i = 0; i < 6000; ++i) {
    const auto p = randperm(3, generator).to_vector<std::int64_t>();
    ++counts[static_cast<std::size_t>(2 * p[0] + (p[1] > p[2]))];
  }
  for (const int count : counts) CHECK(std::abs(count - 1000) < 150);  // five standard deviations
  CHECK(randperm(0, generator).shape() == Shape{0});
  CHECK(randperm(1, generator).item() == 0);
  CHECK_THROWS_AS(randperm(-1, generator), ValueError);
}

TEST_CASE("a seed means the same numbers, whatever was drawn elsewhere") {
  manual_seed(4);
  const Tensor first = randn({5}, default_generator());
  manual_seed(4);
  CHECK(core::equal(randn({5}, default_generator()), first));
  CHECK(!core::equal(randn({5}, default_generator()), first));
  Generator generator(4);
  CHECK(core::equal(randn({5}, generator), first));
  CHECK_THROWS_AS(randn({5}, generator, int64), DTypeError);
  CHECK_THROWS_AS(rand({5}, generator, boolean), DTypeError);
}

TEST_CASE("arange counts by its step, in every dtype") {
  CHECK(core::equal(arange(4), Tensor::from({0, 1, 2, 3})));
  CHECK(core::equal(arange(1, 2, 0.25), Tensor::from({1.0, 1.25, 1.5, 1.75})));
  CHECK(core::equal(arange(3, 0, -1, int64), Tensor::from({3, 2, 1})));
  CHECK(core::equal(arange(0, 1, 0.3, float64), Tensor::from({0.0, 0.3, 0.6, 0.3 * 3}, float64)));
  CHECK(arange(2, 2).shape() == Shape{0});
  CHECK(arange(0).shape() == Shape{0});
  CHECK_THROWS_AS(arange(-1), ValueError);
  CHECK_THROWS_AS(arange(0, 5, 0), ValueError);
  CHECK_THROWS_AS(arange(0, 5, -1), ValueError);
  CHECK_THROWS_AS(arange(0, NAN), ValueError);
  CHECK_THROWS_AS(arange(0, HUGE_VAL), ValueError);
}

TEST_CASE("linspace has both its ends exactly") {
  CHECK(core::equal(linspace(0, 1, 5), Tensor::from({0.0, 0.25, 0.5, 0.75, 1.0})));
  for (const std::int64_t count : {2, 3, 7, 1000}) {
    const Tensor x = linspace(0.1, 0.7, count, float64);
    CHECK(x.at<double>({0}) == 0.1);
    CHECK(x.at<double>({-1}) == 0.7);
    CHECK(x.numel() == count);
  }
  CHECK(linspace(3, 9, 1).item() == 3);
  CHECK(linspace(3, 9, 0).numel() == 0);
  CHECK_THROWS_AS(linspace(0, 1, -1), ValueError);
}

TEST_CASE("constants have their value, shape and dtype") {
  CHECK(core::equal(eye(3, int64), Tensor::from({{1, 0, 0}, {0, 1, 0}, {0, 0, 1}})));
  CHECK(eye(0).shape() == Shape{0, 0});
  CHECK_THROWS_AS(eye(-1), ShapeError);
  const Tensor view = zeros({2, 3}, uint8).transpose();
  CHECK(core::equal(ones_like(view), ones({3, 2}, uint8)));
  CHECK(ones_like(view).is_contiguous());
  CHECK(core::equal(full({2}, true, boolean), Tensor::from({true, true})));
  CHECK(full({}, 2.5, float64).item() == 2.5);
  CHECK(zeros_like(ones({0, 2})).shape() == Shape{0, 2});
  CHECK(empty_like(ones({2}, int64)).dtype() == int64);
}

TEST_CASE("randint refuses what the dtype cannot hold, and draws up to what it can") {
  Generator generator(1);
  CHECK_THROWS_AS(randint(0, 1000, {10}, generator, uint8), DTypeError);
  CHECK_THROWS_AS(randint(-1, 5, {10}, generator, uint8), DTypeError);
  CHECK_THROWS_AS(randint(0, 3, {10}, generator, boolean), DTypeError);
  CHECK_THROWS_AS(randint(0, (1 << 24) + 2, {10}, generator, float32), DTypeError);
  CHECK(core::max(randint(0, 256, {20'000}, generator, uint8)).item() == 255);
  CHECK(core::max(randint(0, 2, {100}, generator, boolean).to(int64)).item() == 1);
  randint(0, (1 << 24) + 1, {10}, generator, float32);
}
