// float16 and bfloat16: every one of their 65536 patterns, where rounding turns over, what a tensor of
// them can do, and that nothing computes with one.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/float16.h>
#include <gradus/core/math.h>
#include <gradus/core/tensor.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "support/error_message.h"

using namespace gradus;

namespace {

template <class T> T with_bits(std::uint32_t bits) {
  T number;
  number.bits = static_cast<std::uint16_t>(bits);
  return number;
}

template <class T> float value_of(std::uint32_t bits) {
  return static_cast<float>(with_bits<T>(bits));
}

/// The definition: (-1)^sign · 2^(exponent - bias) · (1 + fraction/2^digits), without the 1 and with
/// exponent 1 where that is 0.
double defined_value(std::uint32_t bits, int digits, int bias) {
  const auto exponent = static_cast<int>((bits & 0x7fff) >> digits);
  const double fraction = static_cast<double>(bits & ((1U << digits) - 1)) / std::exp2(digits);
  const double size =
      exponent == 0 ? std::exp2(1 - bias) * fraction : std::exp2(exponent - bias) * (1 + fraction);
  return (bits & 0x8000) != 0 ? -size : size;
}

/// Between two neighbours rounding turns over at their middle, which goes to the even one.
template <class T> void check_rounding(std::uint32_t infinity, double overflow) {
  for (std::uint32_t bits = 0; bits < infinity; ++bits) {
    const double low = value_of<T>(bits);
    const bool last = bits + 1 == infinity;
    const double middle = last ? overflow : (low + value_of<T>(bits + 1)) / 2;
    const std::uint32_t even = bits % 2 == 0 ? bits : bits + 1;
    const bool right = T(middle).bits == even && T(std::nextafter(middle, 0.0)).bits == bits &&
                       T(std::nextafter(middle, HUGE_VAL)).bits == bits + 1 &&
                       T(-middle).bits == (even | 0x8000U);
    if (!right) FAIL_CHECK("wrong beside pattern ", bits, ", ", low);
  }
}

Tensor halves() { return Tensor::from({{1.0, -2.5, 0.0}, {3.0, 0.1, 65504.0}}, float16); }

struct Refusal {
  std::string op;
  std::function<void(const Tensor&)> call;
};

}  // namespace

TEST_CASE("every pattern has the value of its definition, and converts back to itself") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float half = value_of<Float16>(bits);
    const float brain = value_of<BFloat16>(bits);
    bool right = true;
    if ((bits & 0x7c00) != 0x7c00) {
      right = right && half == defined_value(bits, 10, 15) && Float16(half).bits == bits;
    } else {
      right =
          right && ((bits & 0x3ff) == 0
                        ? std::isinf(half) && Float16(half).bits == bits
                        : std::isnan(half) && std::isnan(value_of<Float16>(Float16(half).bits)));
    }
    if ((bits & 0x7f80) != 0x7f80) {
      right = right && brain == defined_value(bits, 7, 127) && BFloat16(brain).bits == bits;
    } else {
      right = right &&
              ((bits & 0x7f) == 0
                   ? std::isinf(brain) && BFloat16(brain).bits == bits
                   : std::isnan(brain) && std::isnan(value_of<BFloat16>(BFloat16(brain).bits)));
    }
    if (!right) FAIL_CHECK("wrong pattern ", bits, ": ", half, " and ", brain);
  }
}

TEST_CASE("a number is rounded to the nearest, and a tie to the even one, up to infinity") {
  check_rounding<Float16>(0x7c00, 65520.0);                       // halfway from 65504 to 2^16
  check_rounding<BFloat16>(0x7f80, std::ldexp(2 - 0x1p-8, 127));  // likewise to 2^128
  CHECK(Float16(HUGE_VAL).bits == 0x7c00);
  CHECK(BFloat16(-HUGE_VAL).bits == 0xff80);
  CHECK(Float16(1e300).bits == 0x7c00);
  CHECK(Float16(std::numeric_limits<double>::denorm_min()).bits == 0);
  CHECK(Float16(-0.0).bits == 0x8000);
  CHECK(BFloat16(-0.0).bits == 0x8000);
}

TEST_CASE("a float64 is rounded once: by way of float32 it would go to the other side") {
  const double beyond_tie = 1 + 0x1p-11 + 0x1p-40;
  const Tensor x = Tensor::scalar(beyond_tie, float64);
  CHECK(x.to(float16).item() == 1 + 0x1p-10);
  CHECK(x.to(float32).to(float16).item() == 1);
}

TEST_CASE("tensors convert in any layout and between all dtypes") {
  CHECK(core::equal(halves().to(float32),
                    Tensor::from({{1.0, -2.5, 0.0}, {3.0, 0.0999755859375, 65504.0}})));
  CHECK(core::equal(halves().transpose().to(float64).transpose(), halves().to(float64)));
  CHECK(
      core::equal(halves().slice(1, 0, 3, 2).to(float32), halves().to(float32).slice(1, 0, 3, 2)));
  CHECK(core::equal(Tensor::from({1, 0, 300}).to(bfloat16).to(int64), Tensor::from({1, 0, 300})));
  CHECK(core::equal(Tensor::from({true, false}).to(float16).to(boolean),
                    Tensor::from({true, false})));
  CHECK(core::equal(Tensor::from({-1.5, 2.5}, float16).to(int64), Tensor::from({-1, 2})));
  CHECK(Tensor::from({1e5}, float16).to(bfloat16).item() == HUGE_VAL);
  CHECK(Tensor::from({1e5}, bfloat16).item() == 99840);
  CHECK(size_of(float16) == 2);
  CHECK(Tensor::empty({3, 5}, bfloat16).storage().bytes() == 30);
  CHECK(halves().dtype() == float16);
  CHECK(halves().at<Float16>({0, 1}).bits == 0xc100);
  CHECK(halves().to_vector<Float16>()[3].bits == 0x4200);
  CHECK(full({}, 0.1, bfloat16).item() == 0.10009765625);
  CHECK(zeros({2}, float16).to_vector<Float16>()[1].bits == 0);
}

TEST_CASE("elements move bit for bit, NaN with its payload") {
  std::vector<Float16> all(65536);
  for (std::uint32_t bits = 0; bits < 65536; ++bits) all[bits] = with_bits<Float16>(bits);
  const Tensor x = Tensor::from(all.data(), {256, 256});
  const Tensor twice = x.transpose().clone().transpose().contiguous();
  const Tensor joined = core::cat({x.slice(0, 0, 100), x.slice(0, 100, 256)}, 0);
  const Tensor chosen = core::index_select(x, 0, arange(256));
  const Tensor gathered =
      core::gather(x, 1, arange(256).reshape({1, 256}).expand({256, 256}).contiguous());
  for (const Tensor& y : {twice, joined, chosen, gathered}) {
    const std::vector<Float16> moved = y.to_vector<Float16>();
    std::int64_t different = 0;
    for (std::uint32_t bits = 0; bits < 65536; ++bits) different += moved[bits].bits != bits;
    CHECK(different == 0);
  }
}

TEST_CASE("they are equal where their numbers are") {
  for (const DType dtype : {float16, bfloat16}) {
    const Tensor x = Tensor::from({1.0, 2.5, std::nan("")}, float64).to(dtype);
    CHECK(core::equal(x, x.clone()));
    CHECK(!core::equal(x, Tensor::from({1.0, 2.5, 3.0}, float64).to(dtype)));
  }
}

TEST_CASE("they print as PyTorch prints them") {
  CHECK(to_string(Tensor::from({1.0, 2.5}, float16)) == "tensor([1.0000, 2.5000], dtype=float16)");
  CHECK(to_string(Tensor::from({1.0, -2.0}, bfloat16)) == "tensor([ 1., -2.], dtype=bfloat16)");
  CHECK(to_string(Tensor::from({0.1}, float16)) == "tensor([0.1000], dtype=float16)");
  CHECK(to_string(Tensor::from({0.1}, bfloat16)) == "tensor([0.1001], dtype=bfloat16)");
  CHECK(describe(halves()) == "float16 [2,3]");
}

TEST_CASE("whatever computes refuses them in one line, with the cast that helps") {
  Generator generator(1);
  const std::vector<Refusal> refusals{
      {"add", [](const Tensor& x) { core::add(x, x); }},
      {"add", [](const Tensor& x) { core::add(x, 1); }},
      {"mul", [](const Tensor& x) { core::mul(x, x); }},
      {"div", [](const Tensor& x) { core::div(x, 2); }},
      {"neg", [](const Tensor& x) { core::neg(x); }},
      {"exp", [](const Tensor& x) { core::exp(x); }},
      {"relu", [](const Tensor& x) { core::relu(x); }},
      {"maximum", [](const Tensor& x) { core::maximum(x, x); }},
      {"clamp", [](const Tensor& x) { core::clamp(x, 0, 1); }},
      {"eq", [](const Tensor& x) { core::eq(x, x); }},
      {"lt", [](const Tensor& x) { core::lt(x, 1); }},
      {"isnan", [](const Tensor& x) { core::isnan(x); }},
      {"isfinite", [](const Tensor& x) { core::isfinite(x); }},
      {"where",
       [](const Tensor& x) {
         core::where(ones({2, 3}, boolean), x, x);
       }},
      {"add_", [](const Tensor& x) { core::add_(x, x); }},
      {"mul_", [](const Tensor& x) { core::mul_(x, 2); }},
      {"sum", [](const Tensor& x) { core::sum(x); }},
      {"mean", [](const Tensor& x) { core::mean(x); }},
      {"max", [](const Tensor& x) { core::max(x); }},
      {"argmax", [](const Tensor& x) { core::argmax(x); }},
      {"softmax", [](const Tensor& x) { core::softmax(x, 0); }},
      {"matmul", [](const Tensor& x) { core::matmul(x, x.transpose()); }},
      {"linear", [](const Tensor& x) { core::linear(x, x); }},
      {"scatter_add",
       [](const Tensor& x) {
         core::scatter_add({2, 3}, 0, zeros({2, 3}, int64), x);
       }},
      {"arange", [](const Tensor& x) { arange(0, 3, 1, x.dtype()); }},
      {"eye", [](const Tensor& x) { eye(3, x.dtype()); }},
      {"rand", [&](const Tensor& x) { rand({2}, generator, x.dtype()); }},
      {"randint", [&](const Tensor& x) { randint(0, 3, {2}, generator, x.dtype()); }},
      {"tanh", [](const Tensor& x) { tanh(x); }},
      {"cross_entropy", [](const Tensor& x) { cross_entropy(x, zeros({2}, int64)); }},
  };
  for (const DType dtype : {float16, bfloat16}) {
    const Tensor x = halves().to(dtype);
    for (const Refusal& refusal : refusals) {
      CAPTURE(refusal.op);
      const std::string message = message_of<DTypeError>([&] { refusal.call(x); });
      CAPTURE(message);
      CHECK(message.find(refusal.op + ": ") == 0);
      CHECK(contains(message, std::string(to_string(dtype))));
      CHECK(contains(message, "cast with .to(float32)"));
    }
  }
  CHECK(message_of<DTypeError>([] { core::add(halves(), halves()); }) ==
        "add: float16 is for storage and has no arithmetic; cast with .to(float32)");
}

TEST_CASE("mixed with other dtypes they name the cast too, and have no gradients") {
  CHECK(message_of<DTypeError>([] {
          core::mul(ones({2, 3}), halves());
        }) ==
        "mul: dtypes differ: float32 [2,3] and float16 [2,3]; cast the other with .to(float32)");
  CHECK(contains(message_of<DTypeError>([] { core::mul(halves().to(bfloat16), halves()); }),
                 "bfloat16 [2,3] and float16 [2,3]; cast both with .to(float32)"));
  CHECK(contains(message_of<GradError>([] { Variable(halves(), true); }), "float16"));
  CHECK(contains(message_of<DTypeError>([] { DefaultDType guard(float16); }), "float16"));
  CHECK(contains(message_of<DTypeError>([] { halves().data<float>(); }),
                 "elements are float16, asked for as float32"));
}
