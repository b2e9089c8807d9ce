// Wrong calls of products: matmul and its kin, linear, einsum, attention.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/layers/attention.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "autograd/wrong_calls.h"

using namespace gradus;

namespace {

void add_products(WrongCalls& all) {
  const Tensor x = f32({2, 3});
  const auto shape_case = [&](const std::string& op, std::function<void()> call,
                              std::vector<std::string> parts) {
    all.push_back({op, Kind::shape, std::move(call), std::move(parts)});
  };
  shape_case("matmul", [=] { matmul(x, f32({4, 5})); }, {"3 and 4", "[2,3]", "[4,5]"});
  shape_case("matmul", [=] { matmul(f32({3}), f32({4})); }, {"[3]", "[4]"});
  shape_case("matmul", [=] { matmul(f32({}), x); }, {"[]", "[2,3]"});
  shape_case("matmul", [=] { matmul(f32({2, 2, 3}), f32({3, 3, 2})); }, {"[2,2,3]", "[3,3,2]"});
  all.push_back({"matmul",
                 Kind::dtype,
                 [=] {
                   matmul(x, f64({3, 2}));
                 },
                 {"float32 [2,3]", "float64 [3,2]"}});
  all.push_back({"matmul",
                 Kind::dtype,
                 [=] {
                   matmul(zeros({2, 2}, uint8), zeros({2, 2}, uint8));
                 },
                 {"float32, float64 or int64", "uint8"}});
  for (const Activation activation : {Activation::none, Activation::relu}) {
    const std::string name = "linear";
    const auto layer = [=](const Variable& in, const Variable& weight, const Variable& bias) {
      linear(in, weight, bias, activation);
    };
    shape_case(name, [=] { layer(x, f32({4, 2}), {}); }, {"[2,3]", "[4,2]"});
    shape_case(name, [=] { layer(x, f32({3}), {}); }, {"weight [out,in]", "[2,3]", "[3]"});
    shape_case(name, [=] { layer(f32({}), f32({4, 3}), {}); }, {"input [..,in]", "[]", "[4,3]"});
    shape_case(name, [=] { layer(x, f32({4, 3}), f32({3})); }, {"[3]", "[4,3]"});
    all.push_back({name,
                   Kind::dtype,
                   [=] {
                     layer(x, f64({4, 3}), {});
                   },
                   {"float32 [2,3]", "float64 [4,3]"}});
    all.push_back({name,
                   Kind::dtype,
                   [=] {
                     layer(x, f32({4, 3}), f64({4}));
                   },
                   {"float32 [2,3]", "float64 [4]"}});
  }
}

void add_einsum(WrongCalls& all) {
  const Tensor x = f32({2, 3});
  const auto wrong = [&](Kind kind, const char* equation, const Variables& operands,
                         std::vector<std::string> parts) {
    parts.emplace_back(equation);
    all.push_back({"einsum", kind, [=] { einsum(equation, operands); }, std::move(parts)});
  };
  wrong(Kind::value, "ij,j1->i", {x, f32({3})}, {"'1'", "no letter"});
  wrong(Kind::value, "i.j->ij", {x}, {"'.'", "no letter"});
  wrong(Kind::value, "ij>ji", {x}, {"'>'", "no letter"});
  wrong(Kind::value, "ij->j->i", {x}, {"'-'", "no letter"});
  wrong(Kind::value, "...i...->i", {x}, {"two ellipses", "...i..."});
  wrong(Kind::value, "ij->ii", {x}, {"'i'", "twice"});
  wrong(Kind::value, "ij->ik", {x}, {"'k'", "no operand"});
  wrong(Kind::shape, "ij,jk->ik", {x}, {"2 operands", "got 1"});
  wrong(Kind::shape, "ij", {x, x}, {"1 operands", "got 2"});
  wrong(Kind::shape, "ijk->k", {x}, {"operand 0", "3 labels", "[2,3]"});
  wrong(Kind::shape, "...ijk->k", {x}, {"3 labels and an ellipsis", "[2,3]"});
  wrong(Kind::shape, "i->i", {x}, {"1 labels", "[2,3]"});
  wrong(Kind::shape, "ii->i", {x}, {"'i'", "2 and 3", "[2,3]"});
  wrong(Kind::shape, "ij,jk->ik", {x, f32({4, 5})}, {"'j'", "size 3", "4", "[2,3]", "[4,5]"});
  wrong(Kind::shape, "...i,...i", {f32({2, 3}), f32({4, 3})}, {"ellipsis", "2", "4", "[4,3]"});
  all.push_back({"einsum",
                 Kind::dtype,
                 [=] {
                   einsum("ij,j", {x, f64({3})});
                 },
                 {"float64", "float32", "operand 1"}});
  all.push_back({"einsum",
                 Kind::dtype,
                 [] { einsum("i->", {truth({3})}); },
                 {"bool", "operand 0", ".to(int64)"}});

  all.push_back({"bmm", Kind::shape, [=] { bmm(x, x); }, {"[b,m,k]", "[2,3]"}});
  all.push_back({"bmm",
                 Kind::shape,
                 [] {
                   bmm(f32({2, 3, 4}), f32({1, 4, 5}));
                 },
                 {"[2,3,4]", "[1,4,5]"}});
  all.push_back({"bmm",
                 Kind::shape,
                 [] {
                   bmm(f32({2, 3, 4}), f32({2, 3, 4}));
                 },
                 {"[b,k,n]", "[2,3,4]"}});
  all.push_back({"bmm",
                 Kind::dtype,
                 [] {
                   bmm(f32({2, 3, 4}), f64({2, 4, 5}));
                 },
                 {"float32 [2,3,4]", "float64 [2,4,5]"}});
  for (const auto& [name, f] :
       {std::pair<std::string, Variable (*)(const Operand&, const Variable&)>{"outer", outer},
        {"dot", dot}}) {
    const auto call = f;
    all.push_back({name, Kind::shape, [=] { call(x, f32({3})); }, {"vectors", "[2,3]", "[3]"}});
    all.push_back({name, Kind::shape, [=] { call(f32({3}), f32({})); }, {"vectors", "[3]", "[]"}});
    all.push_back({name,
                   Kind::dtype,
                   [=] { call(f32({3}), f64({3})); },
                   {"float32 [3]", "float64 [3]", ".to("}});
    all.push_back(
        {name, Kind::dtype, [=] { call(truth({3}), truth({3})); }, {"does not take", "bool"}});
  }
  all.push_back(
      {"dot", Kind::shape, [] { dot(f32({3}), f32({4})); }, {"lengths differ", "3 and 4"}});
}

void add_attention(WrongCalls& all) {
  const auto wrong = [&](Kind kind, const Tensor& query, const Tensor& key, const Tensor& value,
                         const AttentionOptions& options, std::vector<std::string> parts) {
    all.push_back({"scaled_dot_product_attention", kind,
                   [=] { scaled_dot_product_attention(query, key, value, options); },
                   std::move(parts)});
  };
  const Tensor x = f32({2, 3});
  wrong(Kind::shape, f32({3}), x, x, {}, {"query [..,L,E]", "[3]", "[2,3]"});
  wrong(Kind::shape, x, f32({2, 4}), x, {}, {"key [..,S,E]", "[2,3]", "[2,4]"});
  wrong(Kind::shape, x, f32({4, 3}), f32({5, 3}), {}, {"value [..,S,V]", "[4,3]", "[5,3]"});
  const Tensor two = f32({2, 2, 3});
  wrong(Kind::shape, two, f32({3, 2, 3}), f32({3, 2, 3}), {}, {"[2]", "[3]"});
  wrong(Kind::shape, two, two, f32({3, 2, 3}), {}, {"[2]", "[3]"});
  wrong(Kind::dtype, x, f64({2, 3}), x, {}, {"one dtype", "float32 [2,3]", "float64 [2,3]"});
  wrong(Kind::dtype, x, x, f64({2, 3}), {}, {"one dtype", "float32 [2,3]", "float64 [2,3]"});
  wrong(Kind::dtype, i64({2, 3}), i64({2, 3}), i64({2, 3}), {}, {"float32 or float64", "int64"});
  wrong(Kind::shape, x, x, x, {.attn_mask = truth({5})}, {"mask", "[5]", "[2,2]"});
  wrong(Kind::shape, x, x, x, {.attn_mask = truth({3, 2, 2})}, {"mask", "[3,2,2]", "[2,2]"});
  wrong(Kind::dtype, x, x, x, {.attn_mask = i64({2, 2})}, {"bool or float32", "int64 [2,2]"});
  wrong(Kind::value, x, x, x, {.attn_mask = truth({2, 2}), .is_causal = true},
        {"either attn_mask or is_causal", "bool [2,2]"});
  wrong(Kind::value, x, x, x, {.dropout_p = 1.5}, {"dropout_p", "0..1", "1.5"});
}

}  // namespace

WrongCalls wrong_product_calls() {
  WrongCalls all;
  add_products(all);
  add_einsum(all);
  add_attention(all);
  return all;
}

TEST_CASE("wrong products are told in one line, with the name, the rule and both sides") {
  check_wrong_calls(wrong_product_calls());
}
