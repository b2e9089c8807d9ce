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
      {"exp", exp}, {"log", log}, {"sqrt", sqrt}, {"tanh", tanh}, {"sigmoid", sigmoid}};
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
  all.push_back({"avg_pool2d",
                 Kind::value,
                 [] {
                   avg_pool2d(f32({1, 1, 4, 4}), {.kernel_size = 2, .divisor_override = 0});
                 },
                 {"divisor_override", "0"}});
  // With ceil_mode a window may be longer than the input, but not by a stride or more.
  all.push_back({"max_pool2d",
                 Kind::shape,
                 [] {
                   max_pool2d(f32({1, 1, 2, 4}),
                              {.kernel_size = 4, .stride = 2, .ceil_mode = true});
                 },
                 {"4x4", "2x4", "[1,1,2,4]"}});
  using AdaptivePool = Variable (*)(const Operand&, Pair);
  for (const auto& [name, f] :
       {std::pair<std::string, AdaptivePool>{"adaptive_avg_pool2d", adaptive_avg_pool2d},
        {"adaptive_max_pool2d", adaptive_max_pool2d}}) {
    const AdaptivePool pool = f;
    all.push_back(
        {name, Kind::shape, [pool] { pool(f32({3, 4, 4}), 1); }, {"rank 4", "[3,4,4]"}});
    all.push_back({name, Kind::shape, [pool] { pool(f32({1, 2, 0, 4}), 1); }, {"[1,2,0,4]"}});
    all.push_back({name, Kind::value, [pool] { pool(f32({1, 2, 4, 4}), 0); }, {"(0,0)"}});
    all.push_back({name, Kind::dtype, [pool] { pool(i64({1, 2, 4, 4}), 1); }, {"int64"}});
  }
  using RowPool = Variable (*)(const Operand&, const Pool1dOptions&);
  for (const auto& [name, f] :
       {std::pair<std::string, RowPool>{"max_pool1d", max_pool1d}, {"avg_pool1d", avg_pool1d}}) {
    const auto wrong = [&all, name = name, pool = f](Kind kind, const Tensor& x,
                                                     const Pool1dOptions& options,
                                                     std::vector<std::string> parts) {
      all.push_back({name, kind, [=] { pool(x, options); }, std::move(parts)});
    };
    wrong(Kind::shape, f32({3, 4}), {.kernel_size = 2}, {"rank 3", "[3,4]"});
    wrong(Kind::shape, f32({1, 1, 2}), {.kernel_size = 3}, {"1x3", "1x2", "[1,1,1,2]"});
    wrong(Kind::value, f32({1, 1, 4}), {.kernel_size = 0}, {"kernel_size", "(1,0)"});
    wrong(Kind::value, f32({1, 1, 4}), {.kernel_size = 2, .padding = 2},
          {"padding (0,2)", "(1,2)"});
    wrong(Kind::value, f32({1, 1, 4}), {.kernel_size = 2, .stride = -1}, {"stride", "(1,-1)"});
    wrong(Kind::dtype, i64({1, 1, 4}), {.kernel_size = 2}, {"int64"});
    if (name == "avg_pool1d") {
      wrong(Kind::value, f32({1, 1, 4}), {.kernel_size = 2, .dilation = 2},
            {"dilation must be 1", "2"});
    }
  }
  using AdaptiveRowPool = Variable (*)(const Operand&, std::int64_t);
  for (const auto& [name, f] :
       {std::pair<std::string, AdaptiveRowPool>{"adaptive_avg_pool1d", adaptive_avg_pool1d},
        {"adaptive_max_pool1d", adaptive_max_pool1d}}) {
    const AdaptiveRowPool pool = f;
    all.push_back({name, Kind::shape, [pool] { pool(f32({3, 4}), 1); }, {"rank 3", "[3,4]"}});
    all.push_back({name, Kind::shape, [pool] { pool(f32({1, 2, 0}), 1); }, {"[1,2,1,0]"}});
    all.push_back({name, Kind::value, [pool] { pool(f32({1, 2, 4}), 0); }, {"(1,0)"}});
    all.push_back({name, Kind::dtype, [pool] { pool(i64({1, 2, 4}), 1); }, {"int64"}});
  }

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
  // A place in a window that hangs over the edge: the last column of a window that has one.
  adjoint("max_pool2d_gather",
          [] {
            max_pool2d_gather(f32({1, 1, 3, 3}), ones({1, 1, 2, 2}, uint8),
                              {.kernel_size = 2, .ceil_mode = true});
          },
          {"outside", "[1,1,3,3]"});
  adjoint("max_pool2d_scatter",
          [] {
            max_pool2d_scatter(f32({1, 1, 2, 2}), full({1, 1, 2, 2}, 16, int64), {1, 1, 4, 4});
          },
          {"outside", "16 pixels", "[1,1,4,4]"});
  adjoint("max_pool2d_scatter",
          [] {
            max_pool2d_scatter(f32({1, 1, 3, 3}), i64({1, 1, 2, 2}), {1, 1, 4, 4});
          },
          {"[1,1,3,3]", "[1,1,2,2]"});
  adjoint("max_pool2d_gather",
          [] {
            max_pool2d_gather(f32({1, 1, 4, 4}), i64({1, 2, 2, 2}));
          },
          {"[1,2,2,2]", "[1,1,4,4]"});

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

void add_other_norms(std::vector<Case>& all) {
  const Tensor x = f32({4, 6, 2});
  const auto wrong = [&](const std::string& op, Kind kind, std::function<void()> call,
                         std::vector<std::string> parts) {
    all.push_back({op, kind, std::move(call), std::move(parts)});
  };
  wrong("layer_norm", Kind::shape, [=] { layer_norm(x, {}); }, {"[]", "[4,6,2]"});
  wrong("layer_norm", Kind::shape, [=] { layer_norm(x, {6}); }, {"[6]", "[4,6,2]"});
  wrong("layer_norm", Kind::shape,
        [=] {
          layer_norm(x, {1, 4, 6, 2});
        },
        {"[1,4,6,2]", "[4,6,2]"});
  wrong("layer_norm", Kind::shape, [=] { layer_norm(x, {2}, f32({6})); },
        {"weight is [6]", "[2]"});
  wrong("layer_norm", Kind::shape, [=] { layer_norm(x, {2}, {}, f32({1})); },
        {"bias is [1]", "[2]"});
  wrong("layer_norm", Kind::dtype, [=] { layer_norm(x, {2}, f64({2})); },
        {"float64 [2]", "float32 [4,6,2]"});
  wrong("layer_norm", Kind::dtype, [] { layer_norm(i64({2, 2}), {2}); }, {"int64"});

  wrong("group_norm", Kind::shape, [] { group_norm(f32({6}), 2); }, {"[N,C,...]", "[6]"});
  wrong("group_norm", Kind::shape, [=] { group_norm(x, 4); }, {"6 channels", "4 groups"});
  wrong("group_norm", Kind::value, [=] { group_norm(x, 0); }, {"num_groups", "0"});
  wrong("group_norm", Kind::shape, [] { group_norm(f32({1, 6}), 6); }, {"more than one", "[1,6]"});
  wrong("group_norm", Kind::shape, [=] { group_norm(x, 2, f32({2})); },
        {"weight is [2]", "[4,6,2]"});
  wrong("group_norm", Kind::shape, [=] { group_norm(x, 2, {}, f32({2})); },
        {"bias is [2]", "[4,6,2]"});
  wrong("group_norm", Kind::dtype, [=] { group_norm(x, 2, f64({6})); },
        {"float64 [6]", "float32 [4,6,2]"});
  wrong("group_norm", Kind::dtype, [] { group_norm(i64({4, 6}), 2); }, {"int64"});

  wrong("instance_norm", Kind::shape, [] { instance_norm(f32({4, 6})); }, {"[N,C,L,...]", "[4,6]"});
  wrong("instance_norm", Kind::shape,
        [] {
          instance_norm(f32({4, 6, 1}));
        },
        {"more than one", "[4,6,1]"});
  wrong("instance_norm", Kind::shape, [=] { instance_norm(x, f32({4})); },
        {"weight is [4]", "[4,6,2]"});
  wrong("instance_norm", Kind::shape, [=] { instance_norm(x, {}, f32({4})); },
        {"bias is [4]", "[4,6,2]"});
  wrong("instance_norm", Kind::shape, [=] { instance_norm(x, {}, {}, f32({4})); },
        {"running_mean is [4]", "[4,6,2]"});
  wrong("instance_norm", Kind::dtype, [=] { instance_norm(x, {}, {}, {}, f64({6})); },
        {"float64 [6]", "float32 [4,6,2]"});
  wrong("instance_norm", Kind::dtype, [] { instance_norm(i64({4, 6, 2})); }, {"int64"});
  wrong("instance_norm", Kind::value,
        [=] {
          instance_norm(x, {}, {}, f32({6}), {}, {.use_input_stats = false});
        },
        {"running_var", "[4,6,2]"});
}

void add_activations(std::vector<Case>& all) {
  using Unary = Variable (*)(const Operand&);
  const std::vector<std::pair<std::string, Unary>> functions{
      {"erf", erf},
      {"expm1", expm1},
      {"leaky_relu", [](const Operand& x) { return leaky_relu(x); }},
      {"prelu", [](const Operand& x) { return prelu(x, f32({1})); }},
      {"elu", [](const Operand& x) { return elu(x); }},
      {"selu", selu},
      {"gelu", [](const Operand& x) { return gelu(x); }},
      {"gelu", [](const Operand& x) { return gelu(x, Gelu::tanh); }},
      {"silu", silu},
      {"logsigmoid", logsigmoid},
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
  wrong("prelu", Kind::shape,
        [=] {
          prelu(x, f32({3, 1}));
        },
        {"weight is [3,1]", "[4,3]"});
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
  all.push_back({"mse_loss",
                 Kind::shape,
                 [] {
                   mse_loss(f32({4, 1}), f32({4}));
                 },
                 {"[4,1]", "[4]"}});
  all.push_back({"mse_loss",
                 Kind::dtype,
                 [] { mse_loss(f32({4}), f64({4})); },
                 {"float32 [4]", "float64 [4]"}});
  all.push_back({"mse_loss", Kind::dtype, [] { mse_loss(i64({4}), i64({4})); }, {"int64"}});
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

const std::vector<Case>& cases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> list;
    add_binary(list);
    add_unary(list);
    add_reductions(list);
    add_shapes(list);
    add_products(list);
    add_pools_and_norms(list);
    add_other_norms(list);
    add_activations(list);
    add_losses_and_numbers(list);
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
