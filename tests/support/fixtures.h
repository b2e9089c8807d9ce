// Tensors from the fixtures in JSON that fixtures/make_torch_ops.py wrote, and how to
// compare with them.
#pragma once

#include <doctest/doctest.h>
#include <gradus/core/create.h>
#include <gradus/core/tensor.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

inline nlohmann::json read_cases(const std::string& name) {
  std::ifstream file(std::string(GRADUS_FIXTURES) + "/" + name);
  REQUIRE_MESSAGE(file, "no fixture ", name);
  nlohmann::json content = nlohmann::json::parse(file);
  REQUIRE(!content["cases"].empty());
  return content["cases"];
}

/// {"dtype": "float32", "shape": [2], "values": [1.5, "nan"]}
inline gradus::Tensor read_tensor(const nlohmann::json& entry) {
  using namespace gradus;
  Shape shape;
  for (const auto& size : entry["shape"]) shape.push_back(size.get<std::int64_t>());
  DType dtype = float32;
  for (const DType known : {float32, float64, int64, uint8, boolean}) {
    if (to_string(known) == entry["dtype"].get<std::string>()) dtype = known;
  }
  const Tensor result = Tensor::empty(shape, dtype);
  dispatch(dtype, [&]<class T>() {
    T* out = result.data<T>();
    for (const auto& value : entry["values"]) {
      if constexpr (std::is_floating_point_v<T>) {
        *out++ = value.is_string() ? static_cast<T>(std::atof(value.get<std::string>().c_str()))
                                   : value.get<T>();
      } else {
        *out++ = value.get<T>();
      }
    }
  });
  return result;
}

/// Same shape, dtype and values; of numbers that are finite, |a - b| <= tolerance·max(|b|, floor).
/// NaN equals NaN, infinities equal themselves, and -0 equals 0.
inline void check_close(const gradus::Tensor& actual, const gradus::Tensor& expected,
                        double tolerance, double floor = 0) {
  using namespace gradus;
  REQUIRE(actual.shape() == expected.shape());
  REQUIRE(actual.dtype() == expected.dtype());
  const std::vector<double> a = actual.to(float64).to_vector<double>();
  const std::vector<double> b = expected.to(float64).to_vector<double>();
  std::size_t wrong = 0;
  std::size_t first = 0;
  for (std::size_t i = a.size(); i-- > 0;) {
    const bool close = a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i])) ||
                       (std::isfinite(b[i]) &&
                        std::fabs(a[i] - b[i]) <= tolerance * std::fmax(std::fabs(b[i]), floor));
    if (!close) {
      ++wrong;
      first = i;
    }
  }
  CHECK_MESSAGE(wrong == 0, wrong, " of ", a.size(), " differ; element ", first, " is ", a[first],
                ", expected ", b[first]);
}
