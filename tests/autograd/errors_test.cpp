// Wrong shapes, dtypes and values for every public function: one line that begins with the
// function's own name and holds what did not fit, both sides of it.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "support/error_message.h"

using namespace gradus;

namespace {

enum class Kind { shape, dtype, value };

struct Case {
  std::string op;
  Kind kind;
  std::function<void()> call;
  std::vector<std::string> parts;  // of the message
};

Tensor f32(const Shape& shape) { return ones(shape); }
Tensor f64(const Shape& shape) { return ones(shape, float64); }
Tensor i64(const Shape& shape) { return ones(shape, int64); }
Tensor truth(const Shape& shape) { return ones(shape, boolean); }

std::string thrown(const Case& c) {
  switch (c.kind) {
    case Kind::shape:
      return message_of<ShapeError>(c.call);
    case Kind::dtype:
      return message_of<DTypeError>(c.call);
    case Kind::value:
      return message_of<ValueError>(c.call);
  }
  return {};
}

void add_binary(std::vector<Case>& all) {
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
    all.push_back({name, Kind::dtype, [function] { function(truth({2}), truth({2})); }, {"bool"}});
  }
}

void add_unary(std::vector<Case>& all) {
  using Unary = Variable (*)(const Operand&);
  const std::vector<std::pair<std::string, Unary>> functions{
      {"exp", exp},   {"log", log},         {"sqrt", sqrt},
      {"tanh", tanh}, {"sigmoid", sigmoid}, {"logsigmoid", logsigmoid}};
  for (const auto& [name, f] : functions) {
    const Unary function = f;
    all.push_back(
        {name, Kind::dtype, [function] { function(i64({2})); }, {"float32 or float64", "int64"}});
  }
  for (const auto& [name, f] :
       {std::pair<std::string, Unary>{"neg", neg}, {"abs", abs}, {"relu", relu}}) {
    const Unary function = f;
    all.push_back({name, Kind::dtype, [function] { function(truth({2})); }, {"bool", ".to("}});
  }
}

void add_reductions(std::vector<Case>& all) {
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
      all.push_back({name, Kind::dtype, [function] { function(truth({2}), {}, false); }, {"bool"}});
    } else if (name != "sum") {
      all.push_back({name, Kind::dtype, [function] { function(i64({2}), {}, false); }, {"int64"}});
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
    all.push_back({name, Kind::dtype, [function] { function(i64({2}), 0); }, {"int64"}});
  }
}

void add_shapes(std::vector<Case>& all) {
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
  shape_case("sum_to", [=] { sum_to(x, {2}); }, {"[2,3]", "[2]"});
  shape_case("reshape", [=] { reshape(x, {4}); }, {"[2,3]", "[4]", "6 elements"});
  shape_case("flatten", [=] { flatten(x, 1, 0); }, {"[2,3]"});
  shape_case("flatten", [=] { flatten(x, 2); }, {"dimension 2", "rank 2"});
  shape_case("permute", [=] { permute(x, {0}); }, {"[0]", "[2,3]"});
  shape_case("permute", [=] { permute(x, {1, 1}); }, {"[1,1]"});
  shape_case("transpose", [=] { transpose(f32({3})); }, {"dimension -2", "rank 1"});
  shape_case("squeeze", [=] { squeeze(x, 2); }, {"dimension 2", "rank 2"});
  shape_case("unsqueeze", [=] { unsqueeze(x, 3); }, {"dimension 3", "rank 3"});
  shape_case("expand", [=] { expand(x, {4, 3}); }, {"[2,3]", "[4,3]"});
  shape_case("slice", [=] { slice(x, 2, 0, 1); }, {"dimension 2", "rank 2"});
  all.push_back({"slice", Kind::value, [=] { slice(x, 0, 0, 1, 0); }, {"step", "0"}});
  shape_case("narrow", [=] { narrow(x, 1, 1, 3); }, {"3 elements from 1", "[2,3]"});
  shape_case("select", [=] { select(x, 0, 2); }, {"index 2", "[2,3]"});
  shape_case("cat", [=] { cat({x, f32({2, 4})}, 0); }, {"[2,4]", "[2,3]"});
  shape_case("cat", [=] { cat({x, f32({2})}, 1); }, {"[2]", "[2,3]"});
  shape_case("cat", [=] { cat({}, 0); }, {"nothing"});
  dtype_case("cat", [=] { cat({x, f64({2, 3})}, 0); }, {"float64", "float32"});
  shape_case("stack", [=] { stack({x, f32({3, 2})}, 0); }, {"[3,2]", "[2,3]"});
  shape_case("stack", [=] { stack({x, x}, 3); }, {"dimension 3"});
  shape_case("stack", [=] { stack({}, 0); }, {"nothing"});
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

void add_products(std::vector<Case>& all) {
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
  all.push_back({"matmul", Kind::dtype, [=] { matmul(i64({2, 2}), i64({2, 2})); }, {"int64"}});
  for (const Activation activation : {Activation::none, Activation::relu}) {
    const std::string name = "linear";
    const auto layer = [=](const Variable& in, const Variable& weight, const Variable& bias) {
      linear(in, weight, bias, activation);
    };
    shape_case(name, [=] { layer(x, f32({4, 2}), {}); }, {"[2,3]", "[4,2]"});
    shape_case(name, [=] { layer(x, f32({3}), {}); }, {"[2,3]", "[3]"});
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

  const Tensor image = f32({8, 3, 32, 32});
  const Tensor kernel = f32({16, 3, 3, 3});
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  shape_case("conv2d",
             [=] {
               conv2d(image, f32({16, 4, 3, 3}));
             },
             {"input has 3 channels, weight expects 4", "[8,3,32,32]", "[16,4,3,3]", "groups 1"});
  shape_case("conv2d", [=] { conv2d(image, f32({16, 27})); }, {"rank 4", "[16,27]"});
  shape_case("conv2d", [=] { conv2d(f32({3, 32, 32}), kernel); }, {"rank 4", "[3,32,32]"});
  shape_case("conv2d", [=] { conv2d(image, kernel, f32({3})); }, {"bias is [3]", "[16,3,3,3]"});
  shape_case("conv2d",
             [=] {
               conv2d(f32({1, 3, 2, 5}), kernel);
             },
             {"3x3", "2x5", "[1,3,2,5]", "[16,3,3,3]"});
  shape_case("conv2d",
             [=] {
               conv2d(image, f32({16, 3, 0, 3}));
             },
             {"kernel is empty", "[16,3,0,3]"});
  shape_case("conv2d",
             [=] {
               conv2d(image, f32({16, 1, 3, 3}), {}, {.groups = 3});
             },
             {"16", "3 groups"});
  for (const Conv2dOptions& bad : {Conv2dOptions{.stride = 0},
                                   {.stride = {1, -1}},
                                   {.padding = -1},
                                   {.dilation = 0},
                                   {.groups = 0},
                                   {.groups = huge},
                                   {.padding = huge / 2},
                                   {.dilation = huge}}) {
    all.push_back({"conv2d", Kind::value, [=] { conv2d(image, kernel, {}, bad); }, {}});
  }
  all.push_back({"conv2d",
                 Kind::dtype,
                 [=] {
                   conv2d(image, f64({16, 3, 3, 3}));
                 },
                 {"float32 [8,3,32,32]", "float64 [16,3,3,3]"}});
  all.push_back({"conv2d",
                 Kind::dtype,
                 [=] { conv2d(image, kernel, f64({16})); },
                 {"float32", "float64 [16]"}});
  all.push_back({"conv2d",
                 Kind::dtype,
                 [=] {
                   conv2d(i64({1, 1, 2, 2}), i64({1, 1, 1, 1}));
                 },
                 {"int64"}});
}

void add_pools_and_norms(std::vector<Case>& all) {
  using Pool = Variable (*)(const Operand&, const Pool2dOptions&);
  for (const auto& [name, f] :
       {std::pair<std::string, Pool>{"max_pool2d", max_pool2d}, {"avg_pool2d", avg_pool2d}}) {
    const Pool pool = f;
    all.push_back({name,
                   Kind::shape,
                   [pool] {
                     pool(f32({3, 4, 4}), {.kernel_size = 2});
                   },
                   {"rank 4", "[3,4,4]"}});
    all.push_back({name,
                   Kind::shape,
                   [pool] {
                     pool(f32({1, 1, 2, 4}), {.kernel_size = 3});
                   },
                   {"3x3", "[1,1,2,4]"}});
    all.push_back({name,
                   Kind::value,
                   [pool] {
                     pool(f32({1, 1, 4, 4}), {.kernel_size = 0});
                   },
                   {"kernel_size", "(0,0)"}});
    all.push_back({name,
                   Kind::value,
                   [pool] {
                     pool(f32({1, 1, 4, 4}), {.kernel_size = 2, .padding = 2});
                   },
                   {"padding (2,2)", "(2,2)"}});
    all.push_back({name,
                   Kind::value,
                   [pool] {
                     pool(f32({1, 1, 4, 4}), {.kernel_size = 2, .stride = -1});
                   },
                   {"stride"}});
    all.push_back({name,
                   Kind::dtype,
                   [pool] {
                     pool(i64({1, 1, 4, 4}), {.kernel_size = 2});
                   },
                   {"int64"}});
  }
  all.push_back({"avg_pool2d",
                 Kind::value,
                 [] {
                   avg_pool2d(f32({1, 1, 4, 4}), {.kernel_size = 2, .dilation = 2});
                 },
                 {"dilation"}});
  all.push_back({"adaptive_avg_pool2d",
                 Kind::shape,
                 [] {
                   adaptive_avg_pool2d(f32({3, 4, 4}), 1);
                 },
                 {"rank 4", "[3,4,4]"}});
  all.push_back({"adaptive_avg_pool2d",
                 Kind::shape,
                 [] {
                   adaptive_avg_pool2d(f32({1, 2, 0, 4}), 1);
                 },
                 {"[1,2,0,4]"}});
  all.push_back({"adaptive_avg_pool2d",
                 Kind::value,
                 [] {
                   adaptive_avg_pool2d(f32({1, 2, 4, 4}), 0);
                 },
                 {"(0,0)"}});
  all.push_back({"adaptive_avg_pool2d",
                 Kind::dtype,
                 [] {
                   adaptive_avg_pool2d(i64({1, 2, 4, 4}), 1);
                 },
                 {"int64"}});

  // The adjoints.
  const auto adjoint = [&](const char* op, std::function<void()> call,
                           std::vector<std::string> parts) {
    all.push_back({op, Kind::shape, std::move(call), std::move(parts)});
  };
  const Pool2dOptions two{.kernel_size = 2};
  all.push_back({"relu_grad",
                 Kind::dtype,
                 [] { relu_grad(f32({2}), f64({2})); },
                 {"float32 [2]", "float64 [2]"}});
  adjoint("slice_scatter", [] { slice_scatter({4, 3}, 0, 0, 1, f32({2, 5})); }, {"[2,5]"});
  adjoint("conv2d_input_grad",
          [] {
            conv2d_input_grad(f32({1, 4, 5, 5}), f32({4, 2, 3, 3}), {1, 2, 5, 5});
          },
          {"[1,4,5,5]", "[1,4,3,3]"});
  adjoint("conv2d_weight_grad",
          [] {
            conv2d_weight_grad(f32({1, 4, 5, 5}), f32({1, 2, 5, 5}), {4, 2, 3, 3});
          },
          {"[1,4,5,5]", "[1,4,3,3]"});
  adjoint("avg_pool2d_grad",
          [=] {
            avg_pool2d_grad(f32({1, 1, 3, 3}), {1, 1, 4, 4}, two);
          },
          {"[1,1,3,3]", "[1,1,2,2]"});
  adjoint("adaptive_avg_pool2d_grad",
          [] {
            adaptive_avg_pool2d_grad(f32({1, 2, 3, 3}), {1, 1, 4, 4});
          },
          {"[1,2,3,3]"});
  adjoint("max_pool2d_scatter",
          [=] {
            max_pool2d_scatter(f32({1, 1, 3, 3}), i64({1, 1, 2, 2}), {1, 1, 4, 4}, two);
          },
          {"[1,1,3,3]"});
  adjoint("max_pool2d_gather",
          [=] {
            max_pool2d_gather(f32({1, 1, 4, 4}), i64({1, 1, 3, 3}), two);
          },
          {"[1,1,3,3]"});

  const Tensor x = f32({4, 3});
  for (const Activation activation : {Activation::none, Activation::relu}) {
    const std::string name = "batch_norm";
    const auto norm = [=](const Variable& in, const Variable& weight, const Variable& bias,
                          const Tensor& mean, const Tensor& variance,
                          BatchNormOptions options = {}) {
      options.activation = activation;
      batch_norm(in, weight, bias, mean, variance, options);
    };
    all.push_back({name, Kind::shape, [=] { norm(f32({3}), {}, {}, {}, {}); }, {"[3]"}});
    all.push_back({name,
                   Kind::shape,
                   [=] {
                     norm(f32({1, 3}), {}, {}, {}, {});
                   },
                   {"more than one", "[1,3]"}});
    all.push_back(
        {name, Kind::shape, [=] { norm(x, f32({4}), {}, {}, {}); }, {"weight is [4]", "[4,3]"}});
    all.push_back(
        {name, Kind::shape, [=] { norm(x, {}, f32({2}), {}, {}); }, {"bias is [2]", "[4,3]"}});
    all.push_back({name,
                   Kind::shape,
                   [=] { norm(x, {}, {}, f32({2}), {}); },
                   {"running_mean is [2]", "[4,3]"}});
    all.push_back({name,
                   Kind::shape,
                   [=] { norm(x, {}, {}, {}, f32({2})); },
                   {"running_var is [2]", "[4,3]"}});
    all.push_back({name,
                   Kind::dtype,
                   [=] { norm(x, f64({3}), {}, {}, {}); },
                   {"float64 [3]", "float32 [4,3]"}});
    all.push_back({name,
                   Kind::dtype,
                   [=] { norm(x, {}, {}, f64({3}), {}); },
                   {"float64 [3]", "float32 [4,3]"}});
    all.push_back({name, Kind::dtype, [=] { norm(i64({4, 3}), {}, {}, {}, {}); }, {"int64"}});
    all.push_back({name,
                   Kind::value,
                   [=] { norm(x, {}, {}, {}, {}, {.training = false}); },
                   {"running_mean"}});
  }
}

void add_losses_and_numbers(std::vector<Case>& all) {
  const Tensor scores = f32({4, 3});
  using Loss = Variable (*)(const Operand&, const Tensor&, Reduction);
  for (const auto& [name, f] :
       {std::pair<std::string, Loss>{"cross_entropy", cross_entropy}, {"nll_loss", nll_loss}}) {
    const Loss loss = f;
    const auto call = [=](const Tensor& x, const Tensor& labels) {
      return [=] { loss(x, labels, Reduction::mean); };
    };
    all.push_back({name, Kind::shape, call(scores, i64({3})), {"[4,3]", "[3]"}});
    all.push_back({name, Kind::shape, call(f32({3}), i64({})), {"[3]", "[]"}});
    all.push_back({name, Kind::dtype, call(scores, f32({4})), {"int64", "float32 [4]"}});
    all.push_back({name, Kind::dtype, call(scores, {}), {"undefined"}});
    all.push_back(
        {name, Kind::dtype, call(i64({4, 3}), i64({4})), {"float32 or float64", "int64"}});
    all.push_back({name,
                   Kind::value,
                   call(scores, Tensor::from({0, 1, 3, 2})),
                   {"label 3 at position 2", "0..2"}});
    all.push_back({name,
                   Kind::value,
                   call(scores, Tensor::from({0, -1, 0, 0})),
                   {"label -1 at position 1", "0..2"}});
    all.push_back({name, Kind::value, call(f32({1, 0}), i64({1})), {"label 1"}});
  }
  static Generator generator(1);
  all.push_back({"dropout", Kind::value, [] { dropout(f32({4}), 1.5, generator); }, {"1.5"}});
  all.push_back({"dropout", Kind::value, [] { dropout(f32({4}), NAN, generator); }, {"nan"}});
  all.push_back({"dropout", Kind::dtype, [] { dropout(i64({4}), 0.5, generator); }, {"int64"}});
  all.push_back({"clamp", Kind::value, [] { clamp(f32({4}), 1, 0); }, {"low 1", "high 0"}});
  all.push_back({"clamp", Kind::dtype, [] { clamp(truth({4}), 0, 1); }, {"bool"}});
  all.push_back({"add", Kind::dtype, [] { add(i64({4}), 0.5); }, {"0.5", "int64"}});
  all.push_back({"mul", Kind::dtype, [] { mul(i64({4}), 0.5); }, {"0.5", "int64"}});
  all.push_back({"pow", Kind::dtype, [] { pow(i64({4}), 0.5); }, {"int64"}});
}

/// A wrong pair of prediction and target, of a loss that wants them alike.
template <class Loss> void add_pair_loss(std::vector<Case>& all, const std::string& name, Loss f) {
  all.push_back({name, Kind::shape, [f] { f(f32({4, 1}), f32({4})); }, {"[4,1]", "[4]"}});
  all.push_back({name, Kind::shape, [f] { f(f32({4}), Variable()); }, {"undefined"}});
  all.push_back({name,
                 Kind::dtype,
                 [f] { f(f32({4}), f64({4})); },
                 {"float32 [4]", "float64 [4]", ".to(float32)"}});
  all.push_back(
      {name, Kind::dtype, [f] { f(i64({4}), i64({4})); }, {"float32 or float64", "int64"}});
}

void add_pair_losses(std::vector<Case>& all) {
  const auto value_case = [&](const std::string& op, std::function<void()> call,
                              std::vector<std::string> parts) {
    all.push_back({op, Kind::value, std::move(call), std::move(parts)});
  };
  const Tensor x = f32({4});
  add_pair_loss(all, "mse_loss", [](const Variable& a, const Variable& b) { mse_loss(a, b); });
  add_pair_loss(all, "l1_loss", [](const Variable& a, const Variable& b) { l1_loss(a, b); });
  add_pair_loss(all, "huber_loss", [](const Variable& a, const Variable& b) { huber_loss(a, b); });
  add_pair_loss(all, "smooth_l1_loss",
                [](const Variable& a, const Variable& b) { smooth_l1_loss(a, b); });
  add_pair_loss(all, "binary_cross_entropy",
                [](const Variable& a, const Variable& b) { binary_cross_entropy(a, b); });
  add_pair_loss(all, "binary_cross_entropy_with_logits", [](const Variable& a, const Variable& b) {
    binary_cross_entropy_with_logits(a, b);
  });
  add_pair_loss(all, "kl_div", [](const Variable& a, const Variable& b) { kl_div(a, b); });
  add_pair_loss(all, "margin_ranking_loss",
                [](const Variable& a, const Variable& b) { margin_ranking_loss(a, b, f32({4})); });
  for (const double wrong : {0.0, -1.0, HUGE_VAL}) {
    value_case("huber_loss", [=] { huber_loss(x, x, {.delta = wrong}); }, {"delta", "positive"});
  }
  value_case("smooth_l1_loss", [=] { smooth_l1_loss(x, x, {.beta = -0.5}); }, {"beta", "-0.5"});
  value_case("smooth_l1_loss", [=] { smooth_l1_loss(x, x, {.beta = NAN}); }, {"beta", "nan"});
  const Tensor above = Tensor::from({0.5, 1.5, 0.0, 1.0});
  value_case("binary_cross_entropy", [=] { binary_cross_entropy(above, x); },
             {"0..1", "from 0 to 1.5"});
  value_case("binary_cross_entropy", [=] { binary_cross_entropy(x * NAN, x); }, {"0..1", "nan"});
  const Reduction batchmean = Reduction::batchmean;
  value_case("mse_loss", [=] { mse_loss(x, x, batchmean); }, {"batchmean", "kl_div"});
  value_case("l1_loss", [=] { l1_loss(x, x, batchmean); }, {"batchmean", "kl_div"});
  value_case("binary_cross_entropy", [=] { binary_cross_entropy(x, x, {.reduction = batchmean}); },
             {"batchmean", "kl_div"});

  for (const Tensor& weight : {f64({4}), f32({3}), f32({2, 4})}) {
    const Kind kind = weight.dtype() == float64 ? Kind::dtype : Kind::shape;
    const std::string size = to_string(weight.shape());
    all.push_back({"binary_cross_entropy",
                   kind,
                   [=] { binary_cross_entropy(x, x, {.weight = weight}); },
                   {size, "[4]"}});
    all.push_back({"binary_cross_entropy_with_logits",
                   kind,
                   [=] { binary_cross_entropy_with_logits(x, x, {.weight = weight}); },
                   {size, "[4]"}});
    all.push_back({"binary_cross_entropy_with_logits",
                   kind,
                   [=] { binary_cross_entropy_with_logits(x, x, {.pos_weight = weight}); },
                   {size, "[4]"}});
  }
}

void add_class_losses(std::vector<Case>& all) {
  const Tensor scores = f32({4, 3});
  const Tensor labels = Tensor::from({0, 2, 1, 7});
  const auto add = [&](const std::string& op, Kind kind, std::function<void()> call,
                       std::vector<std::string> parts) {
    all.push_back({op, kind, std::move(call), std::move(parts)});
  };
  const auto weighted = [=](const Tensor& weight) {
    return std::vector<std::pair<std::string, std::function<void()>>>{
        {"cross_entropy", [=] { cross_entropy(scores, i64({4}), {.weight = weight}); }},
        {"cross_entropy", [=] { cross_entropy(scores, Variable(scores), {.weight = weight}); }},
        {"nll_loss", [=] { nll_loss(scores, i64({4}), {.weight = weight}); }},
        {"multi_margin_loss", [=] { multi_margin_loss(scores, i64({4}), {.weight = weight}); }}};
  };
  for (const auto& [name, call] : weighted(f32({4})))
    add(name, Kind::shape, call, {"weight is [4]", "[3]", "[4,3]"});
  for (const auto& [name, call] : weighted(f64({3})))
    add(name, Kind::dtype, call, {"weight is float64 [3]", "float32 [4,3]"});
  add("cross_entropy", Kind::value, [=] { cross_entropy(scores, labels, {.ignore_index = 2}); },
      {"label 7 at position 3", "0..2"});
  add("nll_loss", Kind::value, [=] { nll_loss(scores, labels, {.ignore_index = 2}); },
      {"label 7 at position 3", "0..2"});
  for (const double smoothing : {-0.1, 1.5, static_cast<double>(NAN)}) {
    add("cross_entropy", Kind::value,
        [=] { cross_entropy(scores, labels, {.label_smoothing = smoothing}); },
        {"label_smoothing", "0..1"});
  }
  add("cross_entropy", Kind::value, [=] { cross_entropy(scores, labels, Reduction::batchmean); },
      {"batchmean"});
  add("nll_loss", Kind::value, [=] { nll_loss(scores, i64({4}), Reduction::batchmean); },
      {"batchmean"});
  const auto soft = [=](const Variable& target, const CrossEntropyOptions& options = {}) {
    return [=] { cross_entropy(scores, target, options); };
  };
  add("cross_entropy", Kind::shape, soft(f32({4})), {"logits [4,3]", "probabilities [4]"});
  add("cross_entropy", Kind::dtype, soft(f64({4, 3})), {"float32 [4,3]", "float64 [4,3]"});
  add("cross_entropy", Kind::shape, soft(Variable()), {"undefined"});
  add("cross_entropy", Kind::value, soft(scores, {.ignore_index = 1}), {"ignore_index 1", "[4,3]"});
  add("cross_entropy", Kind::shape, [] { cross_entropy(f32({3}), Variable(f32({3}))); },
      {"[N,C,...]", "[3]"});

  add("multi_margin_loss", Kind::value, [=] { multi_margin_loss(scores, i64({4}), {.p = 3}); },
      {"p must be 1 or 2", "3"});
  add("multi_margin_loss", Kind::value, [=] { multi_margin_loss(scores, labels); },
      {"label 7 at position 3"});
  add("multi_margin_loss", Kind::shape,
      [] {
        multi_margin_loss(f32({4, 3, 2}), i64({4, 2}));
      },
      {"[N,C]", "[4,3,2]"});
}

void add_margin_losses(std::vector<Case>& all) {
  const auto add = [&](const std::string& op, Kind kind, std::function<void()> call,
                       std::vector<std::string> parts) {
    all.push_back({op, kind, std::move(call), std::move(parts)});
  };
  const Tensor x = f32({2, 3});
  const Tensor signs = Tensor::from({1, 0});
  add("hinge_embedding_loss", Kind::shape, [=] { hinge_embedding_loss(x, f32({2})); },
      {"[2]", "[2,3]"});
  add("hinge_embedding_loss", Kind::value, [=] { hinge_embedding_loss(f32({2}), signs); },
      {"target 0 at position 1", "1 nor -1"});
  add("hinge_embedding_loss", Kind::dtype, [] { hinge_embedding_loss(i64({2}), i64({2})); },
      {"int64"});
  add("hinge_embedding_loss", Kind::shape, [=] { hinge_embedding_loss(x, Tensor()); },
      {"target is undefined"});
  add("margin_ranking_loss", Kind::shape, [=] { margin_ranking_loss(x, x, f32({2})); },
      {"[2]", "[2,3]"});
  add("margin_ranking_loss", Kind::value, [=] { margin_ranking_loss(f32({2}), f32({2}), signs); },
      {"target 0 at position 1"});
  add("cosine_similarity", Kind::shape,
      [=] {
        cosine_similarity(x, f32({2, 4}));
      },
      {"[2,3]", "[2,4]"});
  add("cosine_similarity", Kind::shape, [=] { cosine_similarity(x, x, {.dim = 2}); },
      {"dimension 2", "rank 2"});
  add("cosine_similarity", Kind::dtype,
      [=] {
        cosine_similarity(x, f64({2, 3}));
      },
      {"float32 [2,3]", "float64 [2,3]"});
  add("cosine_similarity", Kind::value, [=] { cosine_similarity(x, x, {.eps = -1}); },
      {"eps", "-1"});
  add("cosine_embedding_loss", Kind::shape,
      [=] {
        cosine_embedding_loss(x, f32({3, 2}), f32({2}));
      },
      {"[2,3]", "[3,2]"});
  add("cosine_embedding_loss", Kind::shape, [=] { cosine_embedding_loss(x, x, f32({3})); },
      {"[3]", "[2]"});
  add("cosine_embedding_loss", Kind::value, [=] { cosine_embedding_loss(x, x, signs); },
      {"target 0 at position 1"});
  add("cosine_embedding_loss", Kind::shape,
      [] {
        cosine_embedding_loss(f32({1, 2, 3}), f32({1, 2, 3}), f32({1}));
      },
      {"[N,D]", "[1,2,3]"});
  add("pairwise_distance", Kind::shape,
      [=] {
        pairwise_distance(x, f32({2, 4}));
      },
      {"[2,3]", "[2,4]"});
  add("pairwise_distance", Kind::shape, [] { pairwise_distance(f32({}), f32({})); },
      {"vectors", "[]"});
  add("pairwise_distance", Kind::dtype, [=] { pairwise_distance(x, f64({3})); },
      {"float32", "float64"});
  add("pairwise_distance", Kind::value, [=] { pairwise_distance(x, x, {.p = 0.5}); },
      {"p must be at least 1", "0.5"});
  add("pairwise_distance", Kind::value, [=] { pairwise_distance(x, x, {.eps = NAN}); },
      {"eps", "nan"});
  add("triplet_margin_loss", Kind::shape, [=] { triplet_margin_loss(x, f32({3}), x); },
      {"anchor [2,3]", "positive [3]"});
  add("triplet_margin_loss", Kind::shape, [=] { triplet_margin_loss(x, x, f32({3})); },
      {"anchor [2,3]", "negative [3]"});
  add("triplet_margin_loss", Kind::dtype,
      [=] {
        triplet_margin_loss(x, x, f64({2, 3}));
      },
      {"float32 [2,3]", "float64 [2,3]"});
  add("triplet_margin_loss", Kind::value, [=] { triplet_margin_loss(x, x, x, {.p = -2}); },
      {"p must be at least 1", "-2"});
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> list;
    add_binary(list);
    add_unary(list);
    add_reductions(list);
    add_shapes(list);
    add_products(list);
    add_pools_and_norms(list);
    add_losses_and_numbers(list);
    add_pair_losses(list);
    add_class_losses(list);
    add_margin_losses(list);
    return list;
  }();
  return all;
}

}  // namespace

TEST_CASE("bad input to any function gives one line with the function's name and both sides") {
  for (const Case& c : cases()) {
    const std::string message = thrown(c);
    CAPTURE(c.op);
    CAPTURE(message);
    CHECK(message.find(c.op + ": ") == 0);
    for (const std::string& part : c.parts) {
      CAPTURE(part);
      CHECK(contains(message, part));
    }
  }
}

TEST_CASE("every function of functions.h has a case here") {
  std::ifstream file(std::filesystem::path(GRADUS_FIXTURES).parent_path().parent_path() /
                     "autograd" / "functions.h");
  REQUIRE(file);
  const std::string header{std::istreambuf_iterator<char>(file), {}};
  const std::regex declaration(R"(\nVariable (\w+)\()");
  std::set<std::string> covered;
  for (const Case& c : cases()) covered.insert(c.op);
  int functions = 0;
  for (std::sregex_iterator at(header.begin(), header.end(), declaration), end; at != end; ++at) {
    const std::string name = (*at)[1];
    CAPTURE(name);
    CHECK(covered.count(name) == 1);
    ++functions;
  }
  CHECK(functions > 50);
}

TEST_CASE("a refused batch leaves the running statistics as they were") {
  const Tensor mean = zeros({3});
  const Tensor variance = ones({3});
  CHECK_THROWS_AS(batch_norm(f32({4, 3}), {}, f64({3}), mean, variance), DTypeError);
  CHECK_THROWS_AS(batch_norm(f32({4, 3}), {}, {}, mean, f64({3})), DTypeError);
  CHECK(mean.to_vector<float>() == std::vector<float>(3, 0));
  CHECK(variance.to_vector<float>() == std::vector<float>(3, 1));
}
