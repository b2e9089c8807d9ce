// Inputs for the ops of autograd/ops/elementwise.cpp.
#include <gradus/gradcheck/samples/inputs.h>

#include <cmath>

namespace gradus::samples {
namespace {

std::vector<Sample> sin_samples() {
  return unary_samples([](const Variables& v) { return sin(v[0]); }, {-3, 3});
}

std::vector<Sample> sin_training_samples() {
  return unary_training_samples([](const Variables& v) { return sin(v[0]); }, {-30, 30});
}

std::vector<Sample> cos_samples() {
  return unary_samples([](const Variables& v) { return cos(v[0]); }, {-3, 3});
}

std::vector<Sample> cos_training_samples() {
  return unary_training_samples([](const Variables& v) { return cos(v[0]); }, {-30, 30});
}

std::vector<Sample> tan_samples() {
  return unary_samples([](const Variables& v) { return tan(v[0]); }, {-1.3, 1.3});
}

std::vector<Sample> tan_training_samples() {
  return unary_training_samples([](const Variables& v) { return tan(v[0]); }, {-1.3, 1.3});
}

std::vector<Sample> asin_samples() {
  return unary_samples([](const Variables& v) { return asin(v[0]); }, {-0.9, 0.9},
                       {{"near the border", {spread({4}, 5, {0.9, 0.999})}, [](const Variables& v) {
                           return asin(v[0]);
                         }}});
}

std::vector<Sample> asin_training_samples() {
  return unary_training_samples([](const Variables& v) { return asin(v[0]); }, {-0.99, 0.99});
}

std::vector<Sample> acos_samples() {
  return unary_samples([](const Variables& v) { return acos(v[0]); }, {-0.9, 0.9},
                       {{"near the border", {spread({4}, 5, {0.9, 0.999})}, [](const Variables& v) {
                           return acos(v[0]);
                         }}});
}

std::vector<Sample> acos_training_samples() {
  return unary_training_samples([](const Variables& v) { return acos(v[0]); }, {-0.99, 0.99});
}

std::vector<Sample> atan_samples() {
  return unary_samples([](const Variables& v) { return atan(v[0]); }, {-3, 3});
}

std::vector<Sample> atan_training_samples() {
  return unary_training_samples([](const Variables& v) { return atan(v[0]); }, {-30, 30});
}

std::vector<Sample> sinh_samples() {
  return unary_samples([](const Variables& v) { return sinh(v[0]); });
}

std::vector<Sample> sinh_training_samples() {
  return unary_training_samples([](const Variables& v) { return sinh(v[0]); }, {-6, 6});
}

std::vector<Sample> cosh_samples() {
  return unary_samples([](const Variables& v) { return cosh(v[0]); });
}

std::vector<Sample> cosh_training_samples() {
  return unary_training_samples([](const Variables& v) { return cosh(v[0]); }, {-6, 6});
}

std::vector<Sample> erf_samples() {
  return unary_samples([](const Variables& v) { return erf(v[0]); });
}

std::vector<Sample> erf_training_samples() {
  return unary_training_samples([](const Variables& v) { return erf(v[0]); }, {-4, 4});
}

std::vector<Sample> expm1_samples() {
  return unary_samples([](const Variables& v) { return expm1(v[0]); }, {},
                       {{"small numbers", {spread({4}, 5, {-1e-3, 1e-3})}, [](const Variables& v) {
                           return expm1(v[0]);
                         }}});
}

std::vector<Sample> expm1_training_samples() {
  return unary_training_samples([](const Variables& v) { return expm1(v[0]); }, {-6, 3});
}

std::vector<Sample> log1p_samples() {
  return unary_samples([](const Variables& v) { return log1p(v[0]); }, {-0.5, 2},
                       {{"small numbers", {spread({4}, 5, {-1e-3, 1e-3})}, [](const Variables& v) {
                           return log1p(v[0]);
                         }}});
}

std::vector<Sample> log1p_training_samples() {
  return unary_training_samples([](const Variables& v) { return log1p(v[0]); }, {-0.9, 30});
}

std::vector<Sample> log2_samples() {
  return unary_samples([](const Variables& v) { return log2(v[0]); }, above_zero);
}

std::vector<Sample> log2_training_samples() {
  return unary_training_samples([](const Variables& v) { return log2(v[0]); }, above_zero);
}

std::vector<Sample> log10_samples() {
  return unary_samples([](const Variables& v) { return log10(v[0]); }, above_zero);
}

std::vector<Sample> log10_training_samples() {
  return unary_training_samples([](const Variables& v) { return log10(v[0]); }, above_zero);
}

std::vector<Sample> rsqrt_samples() {
  return unary_samples([](const Variables& v) { return rsqrt(v[0]); }, above_zero);
}

std::vector<Sample> rsqrt_training_samples() {
  return unary_training_samples([](const Variables& v) { return rsqrt(v[0]); }, above_zero);
}

std::vector<Sample> reciprocal_samples() {
  return unary_samples([](const Variables& v) { return reciprocal(v[0]); }, above_zero);
}

std::vector<Sample> reciprocal_training_samples() {
  return unary_training_samples([](const Variables& v) { return reciprocal(v[0]); }, above_zero);
}

std::vector<Sample> square_samples() {
  return unary_samples([](const Variables& v) { return square(v[0]); });
}

std::vector<Sample> square_training_samples() {
  return unary_training_samples([](const Variables& v) { return square(v[0]); });
}

// The functions with steps, on ranges that keep off them.

std::vector<Sample> floor_samples() {
  return unary_samples(
      [](const Variables& v) { return floor(v[0]); }, {0.1, 0.9},
      {{"a step between", {spread({2, 4}, 5, {-3.9, 3.7})}, [](const Variables& v) {
          return floor(v[0]);
        }}});
}

std::vector<Sample> floor_training_samples() {
  return unary_training_samples([](const Variables& v) { return floor(v[0]); }, {-30, 30});
}

std::vector<Sample> ceil_samples() {
  return unary_samples(
      [](const Variables& v) { return ceil(v[0]); }, {-1.9, -1.1},
      {{"a step between", {spread({2, 4}, 5, {-3.9, 3.7})}, [](const Variables& v) {
          return ceil(v[0]);
        }}});
}

std::vector<Sample> ceil_training_samples() {
  return unary_training_samples([](const Variables& v) { return ceil(v[0]); }, {-30, 30});
}

std::vector<Sample> round_samples() {
  return unary_samples(
      [](const Variables& v) { return round(v[0]); }, {1.6, 2.4},
      {{"a step between", {spread({2, 4}, 5, {-3.9, 3.7})}, [](const Variables& v) {
          return round(v[0]);
        }}});
}

std::vector<Sample> round_training_samples() {
  return unary_training_samples([](const Variables& v) { return round(v[0]); }, {-30, 30});
}

std::vector<Sample> trunc_samples() {
  return unary_samples(
      [](const Variables& v) { return trunc(v[0]); }, {0.1, 0.9},
      {{"a step between", {spread({2, 4}, 5, {-3.9, 3.7})}, [](const Variables& v) {
          return trunc(v[0]);
        }}});
}

std::vector<Sample> trunc_training_samples() {
  return unary_training_samples([](const Variables& v) { return trunc(v[0]); }, {-30, 30});
}

std::vector<Sample> sign_samples() {
  return unary_samples(
      [](const Variables& v) { return sign(v[0]); }, {0.2, 2},
      {{"a step between", {spread({2, 4}, 5, {-3.9, 3.7})}, [](const Variables& v) {
          return sign(v[0]);
        }}});
}

std::vector<Sample> sign_training_samples() {
  return unary_training_samples([](const Variables& v) { return sign(v[0]); }, {-30, 30});
}

/// x³ - x of one's own, with both derivatives.
Variable cubic(const Variables& v) {
  return map(
      v[0], [](double x) { return x * x * x - x; }, [](double x) { return 3 * x * x - 1; },
      [](double x) { return 6 * x; });
}

std::vector<Sample> map_samples() { return unary_samples(cubic); }

std::vector<Sample> map_training_samples() { return unary_training_samples(cubic); }

}  // namespace

std::vector<OpSamples> elementwise() {
  return {
      {"sin", sin_samples, sin_training_samples},
      {"cos", cos_samples, cos_training_samples},
      {"tan", tan_samples, tan_training_samples},
      {"asin", asin_samples, asin_training_samples},
      {"acos", acos_samples, acos_training_samples},
      {"atan", atan_samples, atan_training_samples},
      {"sinh", sinh_samples, sinh_training_samples},
      {"cosh", cosh_samples, cosh_training_samples},
      {"erf", erf_samples, erf_training_samples},
      {"expm1", expm1_samples, expm1_training_samples},
      {"log1p", log1p_samples, log1p_training_samples},
      {"log2", log2_samples, log2_training_samples},
      {"log10", log10_samples, log10_training_samples},
      {"rsqrt", rsqrt_samples, rsqrt_training_samples},
      {"reciprocal", reciprocal_samples, reciprocal_training_samples},
      {"square", square_samples, square_training_samples},
      {"floor", floor_samples, floor_training_samples},
      {"ceil", ceil_samples, ceil_training_samples},
      {"round", round_samples, round_training_samples},
      {"trunc", trunc_samples, trunc_training_samples},
      {"sign", sign_samples, sign_training_samples},
      {"map", map_samples, map_training_samples},
  };
}

}  // namespace gradus::samples
