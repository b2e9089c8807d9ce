// Wrong calls of what works element by element: arithmetic, functions of one number, activations.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>

#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "autograd/wrong_calls.h"

using namespace gradus;

namespace {

void add_binary(WrongCalls& all) {
  using Binary = Variable (*)(const Operand&, const Variable&);
  const auto plain_add = [](const Operand& a, const Variable& b) { return add(a, b); };
  const auto rectified_add = [](const Operand& a, const Variable& b) {
    return add(a, b, Activation::relu);
  };
  const std::vector<std::pair<std::string, Binary>> functions{
      {"add", plain_add}, {"add", rectified_add}, {"sub", sub},         {"mul", mul},
      {"div", div},       {"pow", pow},           {"maximum", maximum}, {"minimum", minimum}};
  for (const auto& [name, f] : functions) {
    const Binary function = f;
    all.push_back({name,
                   Kind::shape,
                   [function] {
                     function(f32({2, 3}), f32({4}));
                   },
                   {"[2,3]", "[4]"}});
    all.push_back({name,
                   Kind::dtype,
                   [function] {
                     function(f32({2, 3}), f64({3}));
                   },
                   {"float32 [2,3]", "float64 [3]", ".to(float32)"}});
    all.push_back(
        {name, Kind::dtype, [function] { function(truth({2}), truth({2})); }, {"bool", ".to("}});
  }
}

/// What takes float32 and float64 only, and what takes every number: each refuses the rest.
void add_functions_of_one_number(WrongCalls& all) {
  using Unary = Variable (*)(const Operand&);
  const auto refuses = [&](const std::string& op, Unary f, DType dtype,
                           std::vector<std::string> parts) {
    const Tensor x = ones({2, 3}).to(dtype);
    all.push_back({op, Kind::dtype, [f, x] { f(x); }, std::move(parts)});
  };
  const std::vector<std::pair<std::string, Unary>> floating{
      {"exp", exp},     {"log", log},         {"sqrt", sqrt},
      {"tanh", tanh},   {"sigmoid", sigmoid}, {"logsigmoid", logsigmoid},
      {"sin", sin},     {"cos", cos},         {"tan", tan},
      {"asin", asin},   {"acos", acos},       {"atan", atan},
      {"sinh", sinh},   {"cosh", cosh},       {"erf", erf},
      {"expm1", expm1}, {"log1p", log1p},     {"log2", log2},
      {"log10", log10}, {"rsqrt", rsqrt},     {"reciprocal", reciprocal}};
  for (const auto& [name, f] : floating) {
    for (const DType dtype : {int64, uint8, boolean, float16})
      refuses(name, f, dtype, {"float32 or float64", std::string(to_string(dtype)), ".to("});
  }
  const std::vector<std::pair<std::string, Unary>> of_numbers{
      {"neg", neg},     {"abs", abs},     {"relu", relu}, {"floor", floor},  {"ceil", ceil},
      {"round", round}, {"trunc", trunc}, {"sign", sign}, {"square", square}};
  for (const auto& [name, f] : of_numbers) {
    refuses(name, f, boolean, {"does not take", "bool", ".to("});
    for (const DType dtype : {float16, bfloat16})
      refuses(name, f, dtype, {"for storage", std::string(to_string(dtype)), ".to(float32)"});
  }
  const NumberFunction f = [](double x) { return x; };
  for (const DType dtype : {int64, uint8, boolean}) {
    all.push_back({"map",
                   Kind::dtype,
                   [=] { map(ones({2}, dtype), f, f); },
                   {"float32 or float64", std::string(to_string(dtype))}});
  }
  all.push_back({"map", Kind::value, [=] { map(f32({2}), {}, f); }, {"function", "empty"}});
  all.push_back({"map", Kind::value, [=] { map(f32({2}), f, {}); }, {"derivative", "empty"}});
}

void add_activations(WrongCalls& all) {
  using Unary = Variable (*)(const Operand&);
  const std::vector<std::pair<std::string, Unary>> functions{
      {"leaky_relu", [](const Operand& x) { return leaky_relu(x); }},
      {"prelu", [](const Operand& x) { return prelu(x, f32({1})); }},
      {"elu", [](const Operand& x) { return elu(x); }},
      {"selu", selu},
      {"gelu", [](const Operand& x) { return gelu(x); }},
      {"gelu", [](const Operand& x) { return gelu(x, Gelu::tanh); }},
      {"silu", silu},
      {"softplus", [](const Operand& x) { return softplus(x); }},
      {"softsign", softsign},
      {"hardtanh", [](const Operand& x) { return hardtanh(x); }},
      {"relu6", relu6},
      {"hardsigmoid", hardsigmoid},
      {"hardswish", hardswish}};
  for (const auto& [name, f] : functions) {
    const Unary function = f;
    for (const DType dtype : {int64, uint8, boolean}) {
      all.push_back({name,
                     Kind::dtype,
                     [=] {
                       function(ones({2, 3}, dtype));
                     },
                     {"float32 or float64", std::string(to_string(dtype))}});
    }
  }
  const auto wrong = [&](const std::string& op, Kind kind, std::function<void()> call,
                         std::vector<std::string> parts) {
    all.push_back({op, kind, std::move(call), std::move(parts)});
  };
  const Tensor x = f32({4, 3});
  wrong("prelu", Kind::shape, [=] { prelu(x, f32({4})); }, {"weight is [4]", "[4,3]", "3"});
  wrong("prelu", Kind::shape, [=] { prelu(x, f32({3, 1})); }, {"weight is [3,1]", "[4,3]"});
  wrong("prelu", Kind::shape, [] { prelu(f32({3}), f32({3})); }, {"weight is [3]", "[3]", "1"});
  wrong("prelu", Kind::dtype, [=] { prelu(x, f64({3})); }, {"float64 [3]", "float32 [4,3]"});
  wrong("softplus", Kind::value, [=] { softplus(x, 0); }, {"beta", "0"});
  wrong("softplus", Kind::value, [=] { softplus(x, NAN); }, {"beta", "nan"});
  wrong("hardtanh", Kind::value, [=] { hardtanh(x, 1, 1); }, {"below", "1 and 1"});
  wrong("hardtanh", Kind::value, [=] { hardtanh(x, 2, -1); }, {"below", "2 and -1"});
  static Generator generator(1);
  wrong("dropout2d", Kind::value, [=] { dropout2d(x, 1.5, generator); }, {"0..1", "1.5"});
  wrong("dropout2d", Kind::value, [=] { dropout2d(x, -1, generator); }, {"0..1", "-1"});
  wrong("dropout2d", Kind::shape, [] { dropout2d(f32({3})); }, {"[N,C,...]", "[3]"});
  wrong("dropout2d", Kind::dtype, [] { dropout2d(i64({4, 3})); }, {"float32", "int64"});
}

void add_numbers(WrongCalls& all) {
  static Generator generator(1);
  all.push_back(
      {"dropout", Kind::value, [] { dropout(f32({4}), 1.5, generator); }, {"0..1", "1.5"}});
  all.push_back(
      {"dropout", Kind::value, [] { dropout(f32({4}), NAN, generator); }, {"0..1", "nan"}});
  all.push_back({"dropout",
                 Kind::dtype,
                 [] { dropout(i64({4}), 0.5, generator); },
                 {"float32 or float64", "int64"}});
  all.push_back({"relu_grad",
                 Kind::dtype,
                 [] { relu_grad(f32({2}), f64({2})); },
                 {"float32 [2]", "float64 [2]"}});
  all.push_back({"relu_grad",
                 Kind::shape,
                 [] {
                   relu_grad(f32({2, 3}), f32({3, 2}));
                 },
                 {"[2,3]", "[3,2]"}});
  all.push_back({"relu_grad",
                 Kind::dtype,
                 [] { relu_grad(truth({2}), truth({2})); },
                 {"float32 or float64", "bool"}});
  all.push_back(
      {"clamp", Kind::dtype, [] { clamp(ones({2}).to(float16), 0, 1); }, {"storage", "float16"}});
  all.push_back({"clamp", Kind::value, [] { clamp(f32({4}), 1, 0); }, {"low 1", "high 0"}});
  all.push_back({"clamp", Kind::dtype, [] { clamp(truth({4}), 0, 1); }, {"does not take", "bool"}});
  all.push_back({"add", Kind::dtype, [] { add(i64({4}), 0.5); }, {"0.5", "int64"}});
  all.push_back({"mul", Kind::dtype, [] { mul(i64({4}), 0.5); }, {"0.5", "int64"}});
  all.push_back({"pow", Kind::dtype, [] { pow(i64({4}), 0.5); }, {"float32 or float64", "int64"}});
}

}  // namespace

WrongCalls wrong_elementwise_calls() {
  WrongCalls all;
  add_binary(all);
  add_functions_of_one_number(all);
  add_activations(all);
  add_numbers(all);
  return all;
}

TEST_CASE("wrong elementwise calls are told in one line, with the name, the rule and both sides") {
  check_wrong_calls(wrong_elementwise_calls());
}
