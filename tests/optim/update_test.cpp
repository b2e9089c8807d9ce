// The optimizers' vectors against their plain loops, to the bit.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <gradus/optim/update.h>

using namespace gradus::detail;

namespace {

/// Of all sizes, with subnormal numbers, infinities and a NaN here and there.
std::vector<float> awkward_values(std::int64_t count, std::mt19937& engine, bool positive = false) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) {
    value = std::ldexp(static_cast<float>(engine()) / 4294967296.0F,
                       static_cast<int>(engine() % 40) - 20);
    const auto kind = engine() % 50;
    if (kind == 0) value = std::numeric_limits<float>::denorm_min() * 5;
    if (kind == 1) value = std::numeric_limits<float>::infinity();
    if (kind == 2) value = 0;
    if (!positive && engine() % 2 == 0) value = -value;
    if (!positive && kind == 3) value = std::numeric_limits<float>::quiet_NaN();
  }
  return values;
}

/// NaN equal to NaN, else bit for bit: which NaN comes out is the processor's business.
bool same(const std::vector<float>& a, const std::vector<float>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0) return false;
  }
  return a.size() == b.size();
}

}  // namespace

TEST_CASE("SGD in vectors takes the steps of the plain loop") {
  std::mt19937 engine(1);
  for (const std::int64_t count : {0, 1, 15, 16, 17, 1000}) {
    for (const float weight_decay : {0.0F, 0.1F}) {
      for (const int kind : {0, 1, 2}) {
        const SgdStep<float> step{.lr = 0.1F,
                                  .momentum = 0.9F,
                                  .weight_decay = weight_decay,
                                  .damped = 0.7F,
                                  .nesterov = kind == 2};
        const std::vector<float> grad = awkward_values(count, engine);
        std::vector<float> p = awkward_values(count + 1, engine);  // one more, which must stay
        std::vector<float> b = awkward_values(count + 1, engine);
        std::vector<float> expected_p = p;
        std::vector<float> expected_b = b;
        sgd_update(count, p.data(), grad.data(), kind == 0 ? nullptr : b.data(), step);
        sgd_update_plain(count, expected_p.data(), grad.data(),
                         kind == 0 ? nullptr : expected_b.data(), step);
        CHECK(same(p, expected_p));
        CHECK(same(b, expected_b));
      }
    }
  }
}

TEST_CASE("Adam in vectors takes the steps of the plain loop") {
  std::mt19937 engine(2);
  for (const std::int64_t count : {0, 1, 15, 16, 17, 1000}) {
    for (const float weight_decay : {0.0F, 0.1F}) {
      const AdamStep<float> step{.weight_decay = weight_decay,
                                 .shrink = 0.99F,
                                 .beta1 = 0.9F,
                                 .rest1 = 0.1F,
                                 .beta2 = 0.999F,
                                 .rest2 = 0.001F,
                                 .size = 0.01F,
                                 .root_correction = 0.3F,
                                 .eps = 1e-8F};
      const std::vector<float> grad = awkward_values(count, engine);
      std::vector<float> p = awkward_values(count + 1, engine);
      std::vector<float> m = awkward_values(count + 1, engine);
      std::vector<float> v = awkward_values(count + 1, engine, true);
      std::vector<float> expected_p = p;
      std::vector<float> expected_m = m;
      std::vector<float> expected_v = v;
      adam_update(count, p.data(), grad.data(), m.data(), v.data(), step);
      adam_update_plain(count, expected_p.data(), grad.data(), expected_m.data(), expected_v.data(),
                        step);
      CHECK(same(p, expected_p));
      CHECK(same(m, expected_m));
      CHECK(same(v, expected_v));
    }
  }
}
