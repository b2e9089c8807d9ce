// Wrong calls of what sums up, cuts, joins, chooses and moves elements.
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

void add_reductions(WrongCalls& all) {
  using Reduce = Variable (*)(const Operand&, const Dims&, bool);
  const std::vector<std::pair<std::string, Reduce>> functions{
      {"sum", sum},
      {"mean", mean},
      {"max", max},
      {"min", min},
      {"logsumexp", logsumexp},
      {"var", [](const Operand& x, const Dims& d, bool keep) { return var(x, d, keep); }}};
  for (const auto& [name, f] : functions) {
    const Reduce function = f;
    all.push_back({name,
                   Kind::shape,
                   [function] {
                     function(f32({2, 3}), {2}, false);
                   },
                   {"dimension 2", "rank 2"}});
    all.push_back({name,
                   Kind::shape,
                   [function] { function(f32({3}), {-2}, true); },
                   {"dimension -2", "rank 1", "-1 to 0"}});
    all.push_back({name,
                   Kind::shape,
                   [function] {
                     function(f32({2, 3}), {0, -2}, false);
                   },
                   {"named twice", "[0,-2]"}});
    if (name == "max" || name == "min") {
      all.push_back({name,
                     Kind::shape,
                     [function] {
                       function(f32({2, 0}), {1}, false);
                     },
                     {"no elements", "[2,0]"}});
      all.push_back({name,
                     Kind::dtype,
                     [function] { function(truth({2}), {}, false); },
                     {"does not take", "bool"}});
    } else if (name != "sum") {
      all.push_back({name,
                     Kind::dtype,
                     [function] { function(i64({2}), {}, false); },
                     {"float32 or float64", "int64"}});
    }
  }
  for (const auto& [name, f] :
       {std::pair<std::string, Variable (*)(const Operand&, std::int64_t)>{"softmax", softmax},
        {"log_softmax", log_softmax}}) {
    const auto function = f;
    all.push_back({name,
                   Kind::shape,
                   [function] {
                     function(f32({2, 3}), 2);
                   },
                   {"dimension 2", "rank 2"}});
    all.push_back(
        {name, Kind::shape, [=] { function(f32({}), 1); }, {"dimension 1", "rank 0", "-1 to 0"}});
    all.push_back(
        {name, Kind::dtype, [=] { function(i64({2}), 0); }, {"float32 or float64", "int64"}});
  }
}

void add_shapes(WrongCalls& all) {
  const Tensor x = f32({2, 3});
  const Tensor rows = Tensor::from({0, 2});
  const auto shape_case = [&](const std::string& op, std::function<void()> call,
                              std::vector<std::string> parts) {
    all.push_back({op, Kind::shape, std::move(call), std::move(parts)});
  };
  const auto dtype_case = [&](const std::string& op, std::function<void()> call,
                              std::vector<std::string> parts) {
    all.push_back({op, Kind::dtype, std::move(call), std::move(parts)});
  };
  const auto value_case = [&](const std::string& op, std::function<void()> call,
                              std::vector<std::string> parts) {
    all.push_back({op, Kind::value, std::move(call), std::move(parts)});
  };
  shape_case("sum_to", [=] { sum_to(x, {2}); }, {"[2,3]", "[2]"});
  shape_case("sum_to", [=] { sum_to(x, {2, 4}); }, {"[2,3]", "[2,4]", "3 against 4"});
  shape_case("sum_to", [=] { sum_to(x, {1, 2, 3}); }, {"does not broadcast", "[1,2,3]", "[2,3]"});
  shape_case("reshape", [=] { reshape(x, {-1, 4}); }, {"[2,3]", "[-1,4]", "6 elements"});
  shape_case("reshape", [=] { reshape(x, {-1, -1}); }, {"one -1", "[-1,-1]"});
  shape_case("reshape", [=] { reshape(x, {-2, 3}); }, {"must not be negative", "[-2,3]"});
  shape_case("flatten", [=] { flatten(x, 0, -3); }, {"dimension -3", "rank 2"});
  shape_case("permute", [=] { permute(x, {0, 2}); }, {"dimension 2", "rank 2"});
  shape_case("transpose", [=] { transpose(x, 0, 2); }, {"dimension 2", "rank 2"});
  shape_case("transpose", [=] { transpose(x, -3, 1); }, {"dimension -3", "rank 2"});
  shape_case("squeeze", [=] { squeeze(x, -3); }, {"dimension -3", "rank 2"});
  shape_case("squeeze", [=] { squeeze(f32({}), 0); }, {"dimension 0", "rank 0"});
  shape_case("unsqueeze", [=] { unsqueeze(x, -4); }, {"dimension -4", "rank 2", "-3 to 2"});
  shape_case("unsqueeze", [=] { unsqueeze(f32({}), 1); }, {"dimension 1", "rank 0", "-1 to 0"});
  shape_case("expand", [=] { expand(x, {3}); }, {"[2,3]", "[3]"});
  shape_case("expand", [=] { expand(x, {2, -5}); }, {"[2,3]", "[2,-5]"});
  shape_case("slice", [=] { slice(x, -3, 0, 1); }, {"dimension -3", "rank 2"});
  value_case("slice", [=] { slice(x, 0, 0, 1, -2); }, {"step", "at least 1", "-2"});
  shape_case("slice_scatter",
             [] {
               slice_scatter({4, 3}, 0, 0, 1, f32({2, 5}));
             },
             {"[2,5]", "[4,3]"});
  shape_case("slice_scatter",
             [=] {
               slice_scatter({4, 3}, 2, 0, 1, x);
             },
             {"dimension 2", "rank 2"});
  shape_case("slice_scatter",
             [=] {
               slice_scatter({4, 3}, 0, 3, 1, x);
             },
             {"[2,3]", "[4,3]", "from 3"});
  shape_case("narrow", [=] { narrow(x, 2, 0, 1); }, {"dimension 2", "rank 2"});
  shape_case("narrow", [=] { narrow(x, 0, 0, -1); }, {"-1 elements from 0", "[2,3]"});
  shape_case("select", [=] { select(x, 0, -3); }, {"index -3", "dimension 0", "[2,3]"});
  shape_case("select", [=] { select(x, 2, 0); }, {"dimension 2", "rank 2"});
  shape_case("index_select", [=] { index_select(x, 0, i64({2, 3})); }, {"1-d", "[2,3]"});
  shape_case("index_select", [=] { index_select(x, 2, rows); }, {"dimension 2", "rank 2"});
  dtype_case("index_select", [=] { index_select(x, 0, Tensor()); }, {"int64", "undefined"});
  shape_case("straight_through", [=] { straight_through(x, f32({3})); }, {"[2,3]", "[3]"});
  shape_case("reshape", [=] { reshape(x, {4}); }, {"[2,3]", "[4]", "6 elements"});
  shape_case("flatten", [=] { flatten(x, 1, 0); }, {"start 1 is behind end 0", "[2,3]"});
  shape_case("flatten", [=] { flatten(x, 2); }, {"dimension 2", "rank 2"});
  shape_case("permute", [=] { permute(x, {0}); }, {"[0]", "[2,3]"});
  shape_case("permute", [=] { permute(x, {1, 1}); }, {"named twice", "[1,1]"});
  shape_case("transpose", [=] { transpose(f32({3})); }, {"dimension -2", "rank 1"});
  shape_case("squeeze", [=] { squeeze(x, 2); }, {"dimension 2", "rank 2"});
  shape_case("unsqueeze", [=] { unsqueeze(x, 3); }, {"dimension 3", "rank 2", "-3 to 2"});
  shape_case("expand", [=] { expand(x, {4, 3}); }, {"[2,3]", "[4,3]"});
  shape_case("slice", [=] { slice(x, 2, 0, 1); }, {"dimension 2", "rank 2"});
  all.push_back({"slice", Kind::value, [=] { slice(x, 0, 0, 1, 0); }, {"step", "0"}});
  shape_case("narrow", [=] { narrow(x, 1, 1, 3); }, {"3 elements from 1", "[2,3]"});
  shape_case("select", [=] { select(x, 0, 2); }, {"index 2", "[2,3]"});
  shape_case("cat", [=] { cat({x, f32({2, 4})}, 0); }, {"[2,4]", "[2,3]"});
  shape_case("cat", [=] { cat({x, f32({2})}, 1); }, {"[2]", "[2,3]"});
  shape_case("cat", [=] { cat({}, 0); }, {"one part or more", "none"});
  dtype_case("cat", [=] { cat({x, f64({2, 3})}, 0); }, {"float64", "float32"});
  shape_case("stack", [=] { stack({x, f32({3, 2})}, 0); }, {"[3,2]", "[2,3]"});
  shape_case("stack", [=] { stack({x, x}, 3); }, {"dimension 3", "rank"});
  shape_case("stack", [=] { stack({}, 0); }, {"one part or more", "none"});
  dtype_case("stack", [=] { stack({x, f64({2, 3})}, 0); }, {"float64", "float32"});
  shape_case("index_select", [=] { index_select(x, 0, rows); }, {"index 2", "[2,3]"});
  dtype_case("index_select", [=] { index_select(x, 0, f32({1})); }, {"int64", "float32 [1]"});
  shape_case("index_add",
             [=] {
               index_add({2, 3}, 0, rows, f32({1, 3}));
             },
             {"[1,3]", "[2]", "[2,3]"});
  shape_case("index_add", [=] { index_add({2, 3}, 0, rows, x); }, {"index 2", "[2,3]"});
  dtype_case("index_add", [=] { index_add({2, 3}, 0, f32({2}), x); }, {"int64", "float32 [2]"});
  shape_case("gather", [=] { gather(x, 0, rows); }, {"[2]", "[2,3]"});
  // PyTorch takes a number for a row of one; here an index needs a dimension.
  const Variable number = Tensor::scalar(1);
  shape_case("gather", [=] { gather(number, 0, rows); },
             {"dimension 0", "rank 0, which has no dimensions"});
  shape_case("index_select", [=] { index_select(number, 0, rows); },
             {"dimension 0", "rank 0, which has no dimensions"});
  shape_case("gather", [=] { gather(x, 1, Tensor::from({{3}})); }, {"index 3", "[2,3]"});
  dtype_case("gather", [=] { gather(x, 1, f32({1, 1})); }, {"int64", "float32 [1,1]"});
  shape_case("scatter_add",
             [=] {
               scatter_add({2, 3}, 1, i64({2, 2}), f32({2, 1}));
             },
             {"[2,1]", "[2,2]"});
  shape_case("scatter_add",
             [=] {
               scatter_add({2, 3}, 1, i64({3, 1}), f32({3, 1}));
             },
             {"[3,1]", "[2,3]"});
  dtype_case("scatter_add",
             [=] {
               scatter_add({2, 3}, 1, f32({2, 3}), x);
             },
             {"int64", "float32 [2,3]"});
  shape_case("where", [=] { where(truth({4}), x, x); }, {"[4]", "[2,3]"});
  dtype_case("where", [=] { where(x, x, x); }, {"bool", "float32 [2,3]"});
  dtype_case("where", [=] { where(truth({3}), x, f64({2, 3})); }, {"float32", "float64"});
  shape_case("straight_through", [=] { straight_through(f32({4}), x); }, {"[4]", "[2,3]"});
  dtype_case("straight_through", [=] { straight_through(f64({2, 3}), x); }, {"float64", "float32"});
}

void add_norms_and_scans(WrongCalls& all) {
  const Tensor x = f32({2, 3});
  const auto wrong = [&](const std::string& op, Kind kind, std::function<void()> call,
                         std::vector<std::string> parts) {
    all.push_back({op, kind, std::move(call), std::move(parts)});
  };
  wrong("std", Kind::shape, [=] { gradus::std(x, {2}); }, {"dimension 2", "rank 2"});
  wrong("std", Kind::shape, [=] { gradus::std(x, {0, -2}); }, {"named twice", "[0,-2]"});
  wrong("std", Kind::dtype, [] { gradus::std(i64({2})); }, {"float32 or float64", "int64"});
  wrong("norm", Kind::shape, [=] { norm(x, 2, {2}); }, {"dimension 2", "rank 2"});
  wrong("norm", Kind::shape, [=] { norm(x, 2, {1, 1}); }, {"named twice", "[1,1]"});
  wrong("norm", Kind::shape, [] { norm(f32({2, 0}), HUGE_VAL, {1}); }, {"no elements", "[2,0]"});
  wrong("norm", Kind::dtype, [] { norm(i64({2})); }, {"float32 or float64", "int64"});
  wrong("norm", Kind::value, [=] { norm(x, NAN); }, {"p must be", "nan"});

  using Along = std::function<void(const Tensor&, std::int64_t)>;
  const std::vector<std::pair<std::string, Along>> along{
      {"cumsum", [](const Tensor& t, std::int64_t d) { cumsum(t, d); }},
      {"cumprod", [](const Tensor& t, std::int64_t d) { cumprod(t, d); }},
      {"prod", [](const Tensor& t, std::int64_t d) { prod(t, d); }},
      {"linear_recurrence", [](const Tensor& t, std::int64_t d) { linear_recurrence(t, t, d); }},
      {"sort", [](const Tensor& t, std::int64_t d) { sort(t, d); }},
      {"topk", [](const Tensor& t, std::int64_t d) { topk(t, 1, d); }}};
  for (const auto& [name, f] : along) {
    const Along call = f;
    wrong(name, Kind::shape, [=] { call(x, 2); }, {"dimension 2", "rank 2"});
    wrong(name, Kind::shape, [=] { call(x, -3); }, {"dimension -3", "rank 2"});
    wrong(name, Kind::shape, [=] { call(f32({}), 1); }, {"dimension 1", "rank 0", "-1 to 0"});
  }
  wrong("linear_recurrence", Kind::shape, [=] { linear_recurrence(x, f32({3}), 0); },
        {"[2,3]", "[3]"});
  wrong("linear_recurrence", Kind::dtype,
        [=] {
          linear_recurrence(x, f64({2, 3}), 0);
        },
        {"float32 [2,3]", "float64 [2,3]"});
  wrong("linear_recurrence", Kind::dtype, [] { linear_recurrence(truth({2}), truth({2}), 0); },
        {"does not take", "bool"});
  wrong("topk", Kind::shape, [=] { topk(x, 4); }, {"k is 4", "[2,3]", "3 elements"});
  wrong("topk", Kind::shape, [=] { topk(x, -1); }, {"k is -1", "[2,3]"});
}

void add_rearranged(WrongCalls& all) {
  const Tensor x = f32({2, 3});
  const std::int64_t huge = std::int64_t{1} << 59;
  const auto shape = [&](const std::string& op, std::function<void()> call,
                         std::vector<std::string> parts) {
    all.push_back({op, Kind::shape, std::move(call), std::move(parts)});
  };
  const auto value = [&](const std::string& op, std::function<void()> call,
                         std::vector<std::string> parts) {
    all.push_back({op, Kind::value, std::move(call), std::move(parts)});
  };
  shape("flip", [=] { flip(x, {2}); }, {"dimension 2", "rank 2"});
  shape("flip", [=] { flip(x, {0, 0}); }, {"named twice", "[0,0]"});
  shape("flip", [] { flip(f32({0, 3}), {2}); }, {"dimension 2", "rank 2"});
  shape("roll", [=] { roll(x, {1}, {2}); }, {"dimension 2", "rank 2"});
  shape("roll", [=] { roll(x, {1, 2}, {0}); }, {"[1,2]", "[0]"});
  shape("roll", [=] { roll(x, {1, 2}); }, {"[1,2]", "[]"});
  shape("split", [=] { split(x, 1, 2); }, {"dimension 2", "rank 2"});
  value("split", [=] { split(x, 0); }, {"at least 1", "0", "2 elements"});
  value("split", [=] { split(x, -1); }, {"at least 1", "-1"});
  shape("split", [=] { split(x, {1, 2}, 0); }, {"add up to 3", "[2,3]"});
  value("split", [=] { split(x, {3, -1}, 0); }, {"negative", "-1"});
  shape("chunk", [=] { chunk(x, 1, 2); }, {"dimension 2", "rank 2"});
  value("chunk", [=] { chunk(x, 0); }, {"at least 1", "0"});
  value("chunk", [=] { chunk(x, -2); }, {"at least 1", "-2"});
  shape("repeat", [=] { repeat(x, {2}); }, {"[2,3]", "[2]"});
  value("repeat", [=] { repeat(x, {2, -1}); }, {"negative", "[2,-1]"});
  shape("repeat", [=] { repeat(x, {1, huge}); }, {"too many elements", "more than"});
  value("tile", [=] { tile(x, {-1}); }, {"negative", "[-1]"});
  value("tile", [=] { tile(x, {1, 2, -3}); }, {"negative", "[1,2,-3]"});
  shape("tile", [=] { tile(x, {huge}); }, {"too many elements", "more than"});
  value("repeat_interleave", [=] { repeat_interleave(x, -1, 0); }, {"negative", "-1"});
  shape("repeat_interleave", [=] { repeat_interleave(x, 2, 2); }, {"dimension 2", "rank 2"});
  shape("repeat_interleave", [=] { repeat_interleave(x, huge, 1); },
        {"too many elements", "more than"});
  shape("diagonal", [=] { diagonal(x, 0, 0, 2); }, {"dimension 2", "rank 2"});
  shape("diagonal", [=] { diagonal(x, 0, 1, -1); }, {"1 and -1", "[2,3]"});
  shape("diagonal", [] { diagonal(f32({3})); }, {"dimension 1", "rank 1"});
  for (const auto& [name, f] :
       {std::pair<std::string, Variable (*)(const Operand&, std::int64_t)>{"diag", diag},
        {"tril", tril},
        {"triu", triu}}) {
    const auto call = f;
    shape(name, [=] { call(f32({}), 0); }, {"matri", "[]"});
    if (name != "diag") {
      shape(name, [=] { call(f32({4}), 1); }, {"matrices", "[4]"});
      all.push_back({name,
                     Kind::dtype,
                     [=] {
                       call(ones({2, 2}).to(float16), 0);
                     },
                     {"float16", "storage"}});
    }
    if (name == "diag") shape(name, [=] { call(f32({2, 3, 4}), 0); }, {"a matrix", "[2,3,4]"});
  }
  shape("diag", [=] { diag(f32({2}), huge); }, {"too many elements", "more than"});
  shape("trace", [] { trace(f32({3})); }, {"a matrix", "[3]"});
  shape("trace", [] { trace(f32({2, 3, 4})); }, {"a matrix", "[2,3,4]"});
  shape("trace", [] { trace(f32({})); }, {"a matrix", "[]"});
  shape("meshgrid", [] { meshgrid({}); }, {"one axis", "none"});
  shape("meshgrid", [=] { meshgrid({f32({2}), x}); }, {"[2,3]", "axis 1"});
  value("meshgrid", [] { meshgrid({f32({2})}, "yx"); }, {"ij or xy", "yx"});
  all.push_back({"meshgrid",
                 Kind::dtype,
                 [] {
                   meshgrid({f32({2}), f64({2})});
                 },
                 {"float64", "float32", "axis 1"}});
}

void add_indexing(WrongCalls& all) {
  const Tensor x = f32({2, 3});
  const auto wrong = [&](Kind kind, std::vector<TensorIndex> entries,
                         std::vector<std::string> parts) {
    all.push_back({"index", kind, [=] { index(x, entries); }, std::move(parts)});
  };
  wrong(Kind::shape, {2}, {"2 is out of range", "dimension 0", "[2,3]"});
  wrong(Kind::shape, {0, -4}, {"-4 is out of range", "dimension 1", "[2,3]"});
  wrong(Kind::shape, {0, 1, 2}, {"3 dimensions", "[2,3]", "2"});
  wrong(Kind::shape, {Ellipsis, 0, Ellipsis}, {"one Ellipsis", "2"});
  wrong(Kind::shape, {Tensor::from({0, 1, -3})}, {"-3 is out of range", "dimension 0", "[2,3]"});
  wrong(Kind::shape, {Slice(), Tensor::from({{3}})}, {"3 is out of range", "dimension 1"});
  wrong(Kind::shape, {None, 1, Tensor::from({0, 5})}, {"5 is out of range", "dimension 1"});
  wrong(Kind::shape, {0, truth({2})}, {"mask", "[2]", "dimension 1", "[2,3]"});
  wrong(Kind::shape, {truth({3})}, {"mask", "[3]", "[2,3]"});
  wrong(Kind::shape, {truth({2, 3, 4})}, {"3 dimensions", "[2,3]"});
  wrong(Kind::shape, {Tensor::from({0, 1}), Tensor::from({0, 1, 2})}, {"[2]", "[3]"});
  wrong(Kind::value, {Slice(0, 2, 0)}, {"step", "at least 1", "0"});
  wrong(Kind::value, {Slice(None, None, -1)}, {"step", "-1"});
  wrong(Kind::dtype, {f32({2})}, {"int64 or bool", "float32 [2]"});
  wrong(Kind::dtype, {Tensor()}, {"int64 or bool", "undefined"});

  using Masked = std::function<void(const Tensor&, const Tensor&)>;
  const std::vector<std::pair<std::string, Masked>> masked{
      {"masked_fill", [](const Tensor& t, const Tensor& mask) { masked_fill(t, mask, 0); }},
      {"masked_select", [](const Tensor& t, const Tensor& mask) { masked_select(t, mask); }}};
  for (const auto& [name, f] : masked) {
    const Masked call = f;
    all.push_back({name, Kind::shape, [=] { call(x, truth({2})); }, {"[2,3]", "[2]"}});
    all.push_back({name, Kind::dtype, [=] { call(x, i64({3})); }, {"bool", "int64 [3]"}});
    all.push_back({name, Kind::dtype, [=] { call(x, {}); }, {"bool", "undefined"}});
  }
  all.push_back({"masked_fill",
                 Kind::dtype,
                 [] { masked_fill(i64({2}), truth({2}), 0.5); },
                 {"0.5", "int64"}});
  all.push_back({"where", Kind::dtype, [] { where(truth({2}), i64({2}), 0.5); }, {"0.5", "int64"}});
  all.push_back({"where", Kind::dtype, [] { where(truth({2}), 0.5, i64({2})); }, {"0.5", "int64"}});
}

}  // namespace

WrongCalls wrong_shape_calls() {
  WrongCalls all;
  add_reductions(all);
  add_shapes(all);
  add_norms_and_scans(all);
  add_rearranged(all);
  add_indexing(all);
  return all;
}

TEST_CASE(
    "wrong calls of sums, scans and shapes are told in one line, with the name, the rule and both "
    "sides") {
  check_wrong_calls(wrong_shape_calls());
}
