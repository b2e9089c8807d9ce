// What PyTorch computed, case by case, against what Gradus does: values and gradients, in float64 and
// in float32. fixtures/parity/ holds the cases and the scripts that made them.
#pragma once

#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/io/safetensors.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace parity {

using Options = nlohmann::json;
/// A call on the inputs of a case; undefined where PyTorch had None.
using Call =
    std::function<gradus::Variables(const gradus::Variables& inputs, const Options& options)>;

/// "stride": 2 or [2, 1]
inline gradus::Pair pair_of(const Options& options, const char* name, gradus::Pair otherwise) {
  const auto found = options.find(name);
  if (found == options.end()) return otherwise;
  if (found->is_number()) return gradus::Pair(found->get<std::int64_t>());
  return {found->at(0).get<std::int64_t>(), found->at(1).get<std::int64_t>()};
}

/// ((7k mod 11) - 5)/4, as cases.py has it.
inline gradus::Tensor seed_of(const gradus::Tensor& output) {
  std::vector<double> numbers;
  for (std::int64_t k = 0; k < output.numel(); ++k)
    numbers.push_back(static_cast<double>((7 * k) % 11 - 5) / 4);
  return gradus::Tensor::from(numbers.data(), output.shape()).to(output.dtype());
}

/// The largest |actual - expected|, where NaN equals NaN and infinities themselves; infinite where shapes
/// or dtypes differ.
inline double distance(const gradus::Tensor& actual, const gradus::Tensor& expected) {
  if (!actual.defined() || actual.shape() != expected.shape()) return HUGE_VAL;
  if (is_floating(actual.dtype()) != is_floating(expected.dtype())) return HUGE_VAL;
  const std::vector<double> a = actual.to(gradus::float64).to_vector<double>();
  const std::vector<double> b = expected.to(gradus::float64).to_vector<double>();
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) continue;
    const double apart = std::fabs(a[i] - b[i]);
    most = std::isnan(apart) ? HUGE_VAL : std::max(most, apart);
  }
  return most;
}

/// What the largest finite number is, and at least 1.
inline double scale_of(const gradus::Tensor& expected) {
  double most = 1;
  for (const double x : expected.to(gradus::float64).to_vector<double>())
    if (std::isfinite(x)) most = std::max(most, std::fabs(x));
  return most;
}

/// Runs every case of fixtures/parity/`file`.safetensors, in float64 to 1e-10 and in float32 to its stated
/// bound, relative to the largest number of the tensor. Fails where a case has no call, or a call no case.
inline void check(const std::string& file, const std::map<std::string, Call>& calls) {
  using namespace gradus;
  const std::string path = std::string(GRADUS_FIXTURES) + "/parity/" + file + ".safetensors";
  std::map<std::string, Tensor> tensors;
  for (const auto& [name, tensor] : load_safetensors(path)) tensors.emplace(name, tensor);
  std::set<std::string> met;
  std::size_t cases = 0;
  for (const auto& entry : read_safetensors_header(path).metadata) {
    const std::string& key = entry.first;
    const std::string& text = entry.second;
    if (key == "made_by") continue;
    ++cases;
    CAPTURE(key);
    CAPTURE(text);
    const nlohmann::json about = nlohmann::json::parse(text);
    const std::string name = about["call"];
    met.insert(name);
    const auto call = calls.find(name);
    REQUIRE_MESSAGE(call != calls.end(), "no call for this case");
    // A sum of k products is off by at most k·u of the sum of their magnitudes (Higham, Accuracy and
    // Stability, 3.1), u = 2^-24; a few roundings more for the functions behind it. A value and its
    // gradient are two such sums.
    const double terms = about["terms"].get<double>();
    for (const DType dtype : {float64, float32}) {
      CAPTURE(to_string(dtype));
      const double bound = dtype == float64 ? 1e-10 : (2 * terms + 32) * 0x1p-24;
      Variables inputs;
      for (int i = 0; i < about["inputs"].get<int>(); ++i) {
        const auto given = tensors.find(key + ".x" + std::to_string(i));
        if (given == tensors.end()) {
          inputs.emplace_back();
        } else if (is_floating(given->second.dtype())) {
          inputs.push_back(Variable(given->second.to(dtype).clone(), true));
        } else {
          inputs.push_back(given->second);
        }
      }
      const Variables outputs = call->second(inputs, about["options"]);
      REQUIRE(outputs.size() == about["outputs"].get<std::size_t>());
      Variable total;
      for (std::size_t k = 0; k < outputs.size(); ++k) {
        const Tensor& expected = tensors.at(key + ".y" + std::to_string(k));
        CAPTURE(k);
        CHECK(distance(outputs[k].value(), expected) <= bound * scale_of(expected));
        if (!outputs[k].requires_grad()) continue;
        const Variable part = sum(outputs[k] * Variable(seed_of(outputs[k].value())));
        total = total.defined() ? total + part : part;
      }
      if (!total.defined()) continue;
      total.backward();
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        const auto expected = tensors.find(key + ".g" + std::to_string(i));
        if (expected == tensors.end()) continue;
        CAPTURE(i);
        const Variable& gradient = inputs[i].grad();
        const Tensor mine = gradient.defined() ? gradient.value() : zeros_like(inputs[i].value());
        CHECK(distance(mine, expected->second) <= bound * scale_of(expected->second));
      }
    }
  }
  for (const auto& entry : calls)
    CHECK_MESSAGE(met.contains(entry.first), "no case calls ", entry.first);
  MESSAGE(file, ": ", cases, " cases");
}

}  // namespace parity
