// The passes of batch normalisation in vectors, against the plain loops in float64; how well the
// variance stands large means and wild first values; the bits at different thread counts.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gradus/core/kernels/norm/batch_norm.h>
#include <gradus/core/parallel.h>

using namespace gradus::kernels;

namespace {

template <class T> using Values = std::vector<T>;

constexpr double float_eps = std::numeric_limits<float>::epsilon();

Values<float> random_values(std::int64_t count, std::mt19937& engine) {
  std::uniform_real_distribution<float> uniform(-2, 2);
  Values<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = uniform(engine);
  return values;
}

Values<double> widen(const Values<float>& values) { return {values.begin(), values.end()}; }

template <class T> Values<T> unwritten(std::int64_t count) {
  return Values<T>(static_cast<std::size_t>(count), std::numeric_limits<T>::quiet_NaN());
}

std::int64_t size_of(const ChannelPlanes& p) { return p.images * p.channels * p.plane; }

std::string describe(const ChannelPlanes& p) {
  return std::to_string(p.images) + " images, " + std::to_string(p.channels) + " channels, plane " +
         std::to_string(p.plane);
}

/// Planes shorter than a vector, with and without a rest, and longer than a block; few and many
/// channels and images.
std::vector<ChannelPlanes> geometries() {
  std::vector<ChannelPlanes> all;
  for (const std::int64_t plane : {1, 7, 16, 49, 64, 1000}) {
    all.push_back({1, 1, plane});
    all.push_back({5, 3, plane});
    all.push_back({2, 300, plane});
    all.push_back({70, 2, plane});
  }
  all.push_back({2, 3, 40'001});
  all.push_back({1, 20'000, 2});
  all.push_back({0, 3, 4});
  all.push_back({3, 0, 4});
  return all;
}

/// Everything the passes take and give.
template <class T> struct Passes {
  Values<T> mean, variance, y, total, along, dx;

  Passes(const ChannelPlanes& p, const Values<T>& x, const Values<T>& dy, const Values<T>& numbers,
         bool relu, bool with_bias)
      : mean(unwritten<T>(p.channels)),
        variance(mean),
        y(unwritten<T>(size_of(p))),
        total(mean),
        along(mean),
        dx(y) {
    const T* per_channel = numbers.data();
    const ChannelMap<T> map{per_channel, per_channel + p.channels,
                            with_bias ? per_channel + 2 * p.channels : nullptr, relu};
    if (p.images > 0) channel_moments(p, x.data(), mean.data(), variance.data());
    channel_map(p, map, x.data(), y.data());
    channel_grad_sums(p, map, dy.data(), x.data(), total.data(), along.data());
    channel_input_grad(p, map, dy.data(), x.data(), per_channel + 3 * p.channels,
                       per_channel + 4 * p.channels, dx.data());
  }
};

/// |actual - expected| <= bound everywhere.
void check_close(const char* what, const Values<float>& actual, const Values<double>& expected,
                 double bound) {
  REQUIRE(actual.size() == expected.size());
  double worst = 0;
  for (std::size_t i = 0; i < actual.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(actual[i]) - expected[i]));
  CHECK_MESSAGE(worst <= bound, what, ": off by ", worst);
}

template <class F> auto with_threads(int count, const F& f) {
  const int before = gradus::num_threads();
  gradus::set_num_threads(count);
  const auto result = f();
  gradus::set_num_threads(before);
  return result;
}

}  // namespace

TEST_CASE("the passes in vectors agree with the plain loops in float64") {
  std::mt19937 engine(1);
  for (const ChannelPlanes& p : geometries()) {
    for (const bool relu : {false, true}) {
      CAPTURE(describe(p));
      CAPTURE(relu);
      const Values<float> x = random_values(size_of(p), engine);
      const Values<float> dy = random_values(size_of(p), engine);
      const Values<float> numbers = random_values(5 * p.channels, engine);
      const Passes<float> fast(p, x, dy, numbers, relu, relu);
      const Passes<double> plain(p, widen(x), widen(dy), widen(numbers), relu, relu);
      const auto count = static_cast<double>(p.images * p.plane);
      Values<double> fast_sums(static_cast<std::size_t>(p.channels), -1);
      Values<double> plain_sums(fast_sums);
      channel_sums(p, x.data(), fast_sums.data());
      channel_sums(p, widen(x).data(), plain_sums.data());
      for (std::size_t c = 0; c < fast_sums.size(); ++c)
        CHECK(std::abs(fast_sums[c] - plain_sums[c]) <= 1e-15 * count * count);
      if (p.images > 0) {
        // Sums are exact but for their rounding to float32.
        check_close("mean", fast.mean, plain.mean, 2 * float_eps);
        check_close("variance", fast.variance, plain.variance, 4 * float_eps);
      }
      // Numbers up to 4·2 + 2, rounded three times; up to (2 + 2 + 4·2)·2, rounded five times.
      check_close("y", fast.y, plain.y, 3 * 10 * float_eps);
      if (!relu) {
        // Numbers up to 2 and 2·4; four are added in float32, in two steps, and the sum is rounded.
        check_close("total", fast.total, plain.total, 2 * count * 3 * float_eps);
        check_close("along", fast.along, plain.along, 8 * count * 5 * float_eps);
        check_close("dx", fast.dx, plain.dx, 5 * 24 * float_eps);
      }
    }
  }
}

TEST_CASE("with relu a gradient counts exactly where the output is positive") {
  std::mt19937 engine(2);
  for (const ChannelPlanes& p : geometries()) {
    CAPTURE(describe(p));
    const Values<float> x = random_values(size_of(p), engine);
    Values<float> numbers = random_values(5 * p.channels, engine);
    const Values<float> dy = random_values(size_of(p), engine);
    const Passes<float> fused(p, x, dy, numbers, true, true);
    Values<float> kept = dy;
    for (std::size_t i = 0; i < kept.size(); ++i) {
      if (fused.y[i] <= 0) kept[i] = 0;
    }
    const Passes<float> masked(p, x, kept, numbers, false, true);
    CHECK(fused.total == masked.total);
    CHECK(fused.along == masked.along);
    CHECK(fused.dx == masked.dx);
  }
}

TEST_CASE("a gradient may be written over the one it is made from") {
  std::mt19937 engine(3);
  for (const ChannelPlanes& p : geometries()) {
    CAPTURE(describe(p));
    const Values<float> x = random_values(size_of(p), engine);
    const Values<float> numbers = random_values(5 * p.channels, engine);
    Values<float> dy = random_values(size_of(p), engine);
    const Passes<float> apart(p, x, dy, numbers, true, false);
    const float* per_channel = numbers.data();
    channel_input_grad(p, {per_channel, per_channel + p.channels, nullptr, true}, dy.data(),
                       x.data(), per_channel + 3 * p.channels, per_channel + 4 * p.channels,
                       dy.data());
    CHECK(dy == apart.dx);
  }
}

TEST_CASE("the bits do not depend on the number of threads") {
  std::mt19937 engine(4);
  for (const ChannelPlanes& p : geometries()) {
    CAPTURE(describe(p));
    const Values<float> x = random_values(size_of(p), engine);
    const Values<float> dy = random_values(size_of(p), engine);
    const Values<float> numbers = random_values(5 * p.channels, engine);
    const auto run = [&] { return Passes<float>(p, x, dy, numbers, true, true); };
    const Passes<float> alone = with_threads(1, run);
    const Passes<float> shared = with_threads(3, run);
    if (p.images > 0) {
      CHECK(alone.mean == shared.mean);
      CHECK(alone.variance == shared.variance);
    }
    CHECK(alone.y == shared.y);
    CHECK(alone.total == shared.total);
    CHECK(alone.along == shared.along);
    CHECK(alone.dx == shared.dx);
  }
}

TEST_CASE("the variance of float32 stays right far from 0, and behind a wild first value") {
  std::mt19937 engine(5);
  const ChannelPlanes p{16, 3, 1024};
  for (const float level : {0.0F, 1e3F, -1e6F}) {
    for (const float first : {0.0F, 1e4F, 1e20F}) {
      CAPTURE(level);
      CAPTURE(first);
      Values<float> x = random_values(size_of(p), engine);
      for (float& value : x) value += level;
      for (std::int64_t c = 0; c < p.channels; ++c)
        x[static_cast<std::size_t>(c * p.plane)] = first;
      const Values<double> wide = widen(x);
      Values<float> mean(3), variance(3);
      channel_moments(p, x.data(), mean.data(), variance.data());
      for (std::int64_t c = 0; c < p.channels; ++c) {
        // The textbook's two passes, in long double.
        const auto each = [&](const auto& f) {
          long double sum = 0;
          for (std::int64_t n = 0; n < p.images; ++n) {
            for (std::int64_t i = 0; i < p.plane; ++i)
              sum += f(wide[static_cast<std::size_t>((n * p.channels + c) * p.plane + i)]);
          }
          return sum / static_cast<long double>(p.images * p.plane);
        };
        const long double centre = each([](long double v) { return v; });
        const long double spread = each([&](long double v) { return (v - centre) * (v - centre); });
        const auto index = static_cast<std::size_t>(c);
        CHECK(mean[index] == doctest::Approx(static_cast<double>(centre)).epsilon(float_eps));
        if (spread < std::numeric_limits<float>::max())
          CHECK(variance[index] == doctest::Approx(static_cast<double>(spread)).epsilon(float_eps));
      }
    }
  }
}

TEST_CASE("the variance of float64 is that of two passes, also behind a wild first value") {
  std::mt19937 engine(6);
  const ChannelPlanes p{10, 1, 10'000};
  Values<double> x = widen(random_values(size_of(p), engine));
  for (double& value : x) value /= 3;
  x[0] = 300;  // a sum of squares centred on it has 10 digits left
  long double sum = 0;
  for (const double value : x) sum += value;
  const long double centre = sum / static_cast<long double>(x.size());
  long double squares = 0;
  for (const double value : x) squares += (value - centre) * (value - centre);
  Values<double> mean(1), variance(1);
  channel_moments(p, x.data(), mean.data(), variance.data());
  // 10^5 additions, whose roundings go both ways.
  constexpr double random_walk = 1e-13;
  CHECK(mean[0] == doctest::Approx(static_cast<double>(centre)).epsilon(random_walk));
  CHECK(variance[0] == doctest::Approx(static_cast<double>(squares) / 1e5).epsilon(random_walk));
}

TEST_CASE("infinities and NaN come out of the moments as they do out of a sum") {
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const ChannelPlanes p{1, 4, 3};
  const Values<float> x{infinity, 1, 2, 1, infinity, 2, nan, 1, 2, infinity, 1, -infinity};
  Values<float> mean(4), variance(4);
  channel_moments(p, x.data(), mean.data(), variance.data());
  CHECK(mean[0] == infinity);
  CHECK(mean[1] == infinity);
  CHECK(std::isnan(mean[2]));
  CHECK(std::isnan(mean[3]));
  for (const float v : variance) CHECK(std::isnan(v));
}
