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
  shape_case("conv2d", [=] { conv2d(f32({32, 32}), kernel); }, {"rank 4", "[32,32]"});
  shape_case("conv2d", [=] { conv2d(f32({2, 32, 32}), kernel); }, {"2 channels", "expects 3"});
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

void add_convolutions(std::vector<Case>& all) {
  const auto add_case = [&](const std::string& op, Kind kind, std::function<void()> call,
                            std::vector<std::string> parts) {
    all.push_back({op, kind, std::move(call), std::move(parts)});
  };
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  add_case("conv2d", Kind::value,
           [] {
             conv2d(f32({1, 2, 4, 4}), f32({3, 2, 3, 3}), {},
                    {.stride = {1, 2}, .padding = Padding::same});
           },
           {"same", "(1,1)", "(1,2)"});
  add_case(
      "conv2d", Kind::value,
      [] {
        conv2d(f32({1, 2, 4, 4}), f32({3, 2, 3, 3}), {}, {.padding = Padding::same, .dilation = 0});
      },
      {"dilation", "(0,0)"});
  add_case("conv2d_input_grad", Kind::value,
           [] {
             conv2d_input_grad(f32({1, 3, 4, 4}), f32({3, 2, 3, 3}), {1, 2, 4, 4},
                               {.padding = Padding::same});
           },
           {"sizes", "same"});

  const Tensor row = f32({2, 3, 8});
  const Tensor taps = f32({4, 3, 5});
  const auto rows = [&](Kind kind, const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const Conv1dOptions& o, std::vector<std::string> parts) {
    add_case(
        "conv1d", kind, [=] { conv1d(x, weight, bias, o); }, std::move(parts));
  };
  rows(Kind::shape, f32({2, 3, 8, 8}), taps, {}, {}, {"rank 3", "[2,3,8,8]"});
  rows(Kind::shape, row, f32({4, 3, 1, 5}), {}, {}, {"weight", "rank 3", "[4,3,1,5]"});
  rows(Kind::shape, row, f32({4, 2, 5}), {}, {}, {"3 channels", "expects 2", "[2,3,8]", "[4,2,5]"});
  rows(Kind::shape, f32({2, 3, 4}), taps, {}, {}, {"reaches 5,", "only 4 ", "[2,3,4]", "[4,3,5]"});
  rows(Kind::shape, row, f32({4, 3, 0}), {}, {}, {"empty", "[4,3,0]"});
  rows(Kind::shape, row, f32({4, 1, 5}), {}, {.groups = 3}, {"4 output channels", "3 groups"});
  rows(Kind::shape, row, taps, f32({3}), {}, {"bias is [3]", "4 output channels"});
  rows(Kind::value, row, taps, {}, {.stride = 0}, {"stride", "got 0"});
  rows(Kind::value, row, taps, {}, {.padding = -1}, {"padding", "got -1"});
  rows(Kind::value, row, taps, {}, {.padding = {0, 1}}, {"one number", "(0,1)"});
  rows(Kind::value, row, taps, {}, {.stride = 2, .padding = Padding::same}, {"of 1", "got 2"});
  rows(Kind::value, row, taps, {}, {.dilation = huge}, {"beyond", std::to_string(huge)});
  rows(Kind::dtype, row, f64({4, 3, 5}), {}, {}, {"float32 [2,3,8]", "float64 [4,3,5]"});
  rows(Kind::dtype, row, taps, f64({4}), {}, {"float32 [2,3,8]", "float64 [4]"});
  rows(Kind::dtype, i64({1, 1, 2}), i64({1, 1, 1}), {}, {}, {"float32 or float64", "int64"});

  const Tensor image = f32({2, 4, 5, 5});
  const Tensor kernel = f32({4, 3, 3, 3});
  const auto transposed = [&](Kind kind, const Tensor& x, const Tensor& weight, const Tensor& bias,
                              const ConvTranspose2dOptions& o, std::vector<std::string> parts) {
    add_case(
        "conv_transpose2d", kind, [=] { conv_transpose2d(x, weight, bias, o); }, std::move(parts));
  };
  transposed(Kind::shape, f32({5, 5}), kernel, {}, {}, {"rank 4", "[5,5]"});
  transposed(Kind::shape, image, f32({4, 3, 3}), {}, {}, {"weight", "rank 4", "[4,3,3]"});
  transposed(Kind::shape, image, f32({3, 4, 3, 3}), {}, {},
             {"4 channels", "expects 3", "[2,4,5,5]", "[3,4,3,3]"});
  transposed(Kind::shape, image, kernel, {}, {.groups = 3}, {"4 input channels", "3 groups"});
  transposed(Kind::shape, image, f32({4, 3, 3, 0}), {}, {}, {"empty", "[4,3,3,0]"});
  transposed(Kind::shape, f32({2, 4, 0, 5}), kernel, {}, {}, {"no pixels", "[2,4,0,5]"});
  transposed(Kind::shape, f32({1, 4, 1, 1}), kernel, {}, {.padding = 2}, {"(2,2)", "-1x-1"});
  transposed(Kind::shape, image, kernel, f32({4}), {}, {"bias is [4]", "3 output channels"});
  transposed(Kind::value, image, kernel, {}, {.output_padding = 1}, {"(1,1)", "stride (1,1)"});
  transposed(Kind::value, image, kernel, {}, {.stride = 2, .output_padding = {1, 2}},
             {"(1,2)", "stride (2,2)", "dilation (1,1)"});
  transposed(Kind::value, image, kernel, {}, {.output_padding = -1}, {"(-1,-1)"});
  transposed(Kind::value, image, kernel, {}, {.stride = {0, 1}}, {"stride", "(0,1)"});
  transposed(Kind::value, image, kernel, {}, {.padding = -1}, {"padding", "(-1,-1)"});
  transposed(Kind::value, image, kernel, {}, {.groups = 0}, {"groups", "0"});
  transposed(Kind::value, image, kernel, {}, {.dilation = huge}, {"beyond"});
  transposed(Kind::dtype, image, f64({4, 3, 3, 3}), {}, {},
             {"float32 [2,4,5,5]", "float64 [4,3,3,3]"});
  transposed(Kind::dtype, image, kernel, f64({3}), {}, {"float32 [2,4,5,5]", "float64 [3]"});
  transposed(Kind::dtype, i64({1, 1, 2, 2}), i64({1, 1, 1, 1}), {}, {}, {"int64"});
}

void add_images(std::vector<Case>& all) {
  const auto add_case = [&](const std::string& op, Kind kind, std::function<void()> call,
                            std::vector<std::string> parts) {
    all.push_back({op, kind, std::move(call), std::move(parts)});
  };
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  const Tensor image = f32({2, 4, 3, 5});
  const auto windows = [&](Kind kind, const Tensor& x, const UnfoldOptions& o,
                           std::vector<std::string> parts) {
    add_case(
        "unfold", kind, [=] { unfold(x, o); }, std::move(parts));
  };
  windows(Kind::shape, f32({3, 5}), {.kernel_size = 2}, {"rank 4", "[3,5]"});
  windows(Kind::shape, image, {.kernel_size = 4}, {"4x4", "3x5"});
  windows(Kind::shape, image, {.kernel_size = 3, .dilation = {1, 3}}, {"3x7", "3x5"});
  windows(Kind::value, image, {.kernel_size = {2, 0}}, {"kernel_size", "(2,0)"});
  windows(Kind::value, image, {.kernel_size = 2, .stride = 0}, {"stride", "(0,0)"});
  windows(Kind::value, image, {.kernel_size = 2, .padding = -1}, {"padding", "(-1,-1)"});
  windows(Kind::value, image, {.kernel_size = 2, .dilation = huge}, {"beyond"});
  windows(Kind::dtype, i64({1, 1, 2, 2}), {.kernel_size = 2}, {"float32 or float64", "int64"});

  const auto folded = [&](Kind kind, const Tensor& x, Pair size, const UnfoldOptions& o,
                          std::vector<std::string> parts) {
    add_case(
        "fold", kind, [=] { fold(x, size, o); }, std::move(parts));
  };
  folded(Kind::shape, f32({8}), 3, {.kernel_size = 2}, {"rank 3", "[8]"});
  folded(Kind::shape, f32({2, 7, 4}), 3, {.kernel_size = 2}, {"[2,7,4]", "(2,2)"});
  folded(Kind::shape, f32({2, 8, 5}), 3, {.kernel_size = 2}, {"2x2", "[2,8,5]", "5"});
  folded(Kind::shape, f32({2, 8, 5}), {1, 3}, {.kernel_size = 2}, {"2x2", "1x3"});
  folded(Kind::value, f32({2, 8, 4}), {0, 3}, {.kernel_size = 2}, {"output_size", "(0,3)"});
  folded(Kind::value, f32({2, 8, 4}), 3, {.kernel_size = 0}, {"kernel_size", "(0,0)"});
  folded(Kind::dtype, i64({1, 4, 4}), 3, {.kernel_size = 2}, {"int64"});

  const auto padded = [&](Kind kind, const Tensor& x, const std::vector<std::int64_t>& sizes,
                          PaddingMode mode, double value, std::vector<std::string> parts) {
    add_case(
        "pad", kind, [=] { pad(x, sizes, mode, value); }, std::move(parts));
  };
  constexpr PaddingMode constant = PaddingMode::constant;
  const Tensor x = f32({3, 4});
  padded(Kind::value, x, {1, 2, 3}, constant, 0, {"two sizes", "3"});
  padded(Kind::shape, x, {1, 1, 1, 1, 1, 1}, constant, 0, {"3 dimensions", "[3,4]"});
  padded(Kind::value, x, {-3, -2}, constant, 0, {"-3 and -2", "dimension 1", "[3,4]"});
  padded(Kind::value, x, {0, 0, huge, 0}, constant, 0, {std::to_string(huge), "dimension 0"});
  padded(Kind::value, x, {0, -huge - 1}, constant, 0, {"dimension 1"});
  padded(Kind::value, x, {4, 0}, PaddingMode::reflect, 0, {"reflect", "4 and 0", "[3,4]"});
  padded(Kind::value, x, {0, 0, 0, 4}, PaddingMode::circular, 0, {"circular", "0 and 4", "[3,4]"});
  padded(Kind::value, x, {-2, 3}, PaddingMode::circular, 0, {"circular", "-2 and 3"});
  padded(Kind::value, f32({3, 0}), {1, 0}, PaddingMode::replicate, 0, {"replicate", "[3,0]"});
  padded(Kind::value, x, {1, 1}, PaddingMode::reflect, 2, {"reflect", "2"});
  padded(Kind::dtype, i64({3}), {1, 1}, constant, 0.5, {"0.5", "int64"});

  add_case("pixel_shuffle", Kind::shape, [] { pixel_shuffle(f32({4, 3}), 2); }, {"[4,3]"});
  add_case("pixel_shuffle", Kind::shape,
           [] {
             pixel_shuffle(f32({6, 3, 3}), 2);
           },
           {"6 channels", "2x2", "[6,3,3]"});
  add_case("pixel_shuffle", Kind::value, [=] { pixel_shuffle(image, 0); }, {"factor", "0"});
  add_case("pixel_shuffle", Kind::shape, [=] { pixel_shuffle(image, huge); }, {"too many"});
  add_case("pixel_unshuffle", Kind::shape, [] { pixel_unshuffle(f32({4, 4}), 2); }, {"[4,4]"});
  add_case("pixel_unshuffle", Kind::shape, [=] { pixel_unshuffle(image, 3); }, {"3x5", "3x3"});
  add_case("pixel_unshuffle", Kind::value, [=] { pixel_unshuffle(image, -1); }, {"factor", "-1"});
  add_case("pixel_unshuffle", Kind::shape, [=] { pixel_unshuffle(image, huge); }, {"too many"});

  const auto resized = [&](Kind kind, const Tensor& in, const InterpolateOptions& o,
                           std::vector<std::string> parts) {
    add_case(
        "interpolate", kind, [=] { interpolate(in, o); }, std::move(parts));
  };
  constexpr InterpolateMode bilinear = InterpolateMode::bilinear;
  resized(Kind::shape, f32({4, 3, 5}), {.size = 2}, {"[N,C,H,W]", "[4,3,5]"});
  resized(Kind::shape, f32({2, 4, 0, 5}), {.size = 2}, {"no pixels", "[2,4,0,5]"});
  resized(Kind::value, image, {}, {"size (0,0)", "scale_factor (0,0)"});
  resized(Kind::value, image, {.size = 2, .scale_factor = 2}, {"size (2,2)", "scale_factor (2,2)"});
  resized(Kind::value, image, {.size = {2, 0}}, {"(2,0)"});
  resized(Kind::value, image, {.size = {1, huge}}, {std::to_string(huge)});
  resized(Kind::value, image, {.scale_factor = 0.25}, {"(0.25,0.25)", "0x1", "[2,4,3,5]"});
  resized(Kind::value, image, {.scale_factor = {2, NAN}}, {"(2,nan)"});
  resized(Kind::value, image, {.scale_factor = 1e300}, {"1e+300"});
  resized(Kind::value, image, {.size = 2, .align_corners = false}, {"align_corners", "nearest"});
  resized(Kind::dtype, i64({1, 1, 2, 2}), {.size = 2, .mode = bilinear}, {"int64"});
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
  all.push_back(
      {"max_pool2d",
       Kind::shape,
       [] {
         max_pool2d(f32({1, 1, 2, 4}), {.kernel_size = 4, .stride = 2, .ceil_mode = true});
       },
       {"4x4", "2x4", "[1,1,2,4]"}});
  using AdaptivePool = Variable (*)(const Operand&, Pair);
  for (const auto& [name, f] :
       {std::pair<std::string, AdaptivePool>{"adaptive_avg_pool2d", adaptive_avg_pool2d},
        {"adaptive_max_pool2d", adaptive_max_pool2d}}) {
    const AdaptivePool pool = f;
    all.push_back({name, Kind::shape, [pool] { pool(f32({3, 4, 4}), 1); }, {"rank 4", "[3,4,4]"}});
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
  wrong("layer_norm", Kind::shape, [=] { layer_norm(x, {1, 4, 6, 2}); }, {"[1,4,6,2]", "[4,6,2]"});
  wrong("layer_norm", Kind::shape, [=] { layer_norm(x, {2}, f32({6})); }, {"weight is [6]", "[2]"});
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
        [=] { instance_norm(x, {}, {}, f32({6}), {}, {.use_input_stats = false}); },
        {"running_var", "[4,6,2]"});
}

void add_activations(std::vector<Case>& all) {
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

/// What takes float32 and float64 only, and what takes every number.
void add_functions_of_one_number(std::vector<Case>& all) {
  using Unary = Variable (*)(const Operand&);
  const auto refuses = [&](const std::string& op, Unary f, DType dtype,
                           std::vector<std::string> parts) {
    const Tensor x = ones({2, 3}, dtype);
    all.push_back({op, Kind::dtype, [f, x] { f(x); }, std::move(parts)});
  };
  const std::vector<std::pair<std::string, Unary>> floating{
      {"sin", sin},     {"cos", cos},     {"tan", tan},
      {"asin", asin},   {"acos", acos},   {"atan", atan},
      {"sinh", sinh},   {"cosh", cosh},   {"erf", erf},
      {"expm1", expm1}, {"log1p", log1p}, {"log2", log2},
      {"log10", log10}, {"rsqrt", rsqrt}, {"reciprocal", reciprocal}};
  for (const auto& [name, f] : floating) {
    for (const DType dtype : {int64, uint8, boolean})
      refuses(name, f, dtype, {"float32 or float64", std::string(to_string(dtype)), ".to("});
  }
  const std::vector<std::pair<std::string, Unary>> of_numbers{{"floor", floor}, {"ceil", ceil},
                                                              {"round", round}, {"trunc", trunc},
                                                              {"sign", sign},   {"square", square}};
  for (const auto& [name, f] : of_numbers) refuses(name, f, boolean, {"bool", ".to("});
  const NumberFunction f = [](double x) { return x; };
  for (const DType dtype : {int64, uint8, boolean}) {
    all.push_back({"map",
                   Kind::dtype,
                   [=] { map(ones({2}, dtype), f, f); },
                   {"float32 or float64", std::string(to_string(dtype))}});
  }
  all.push_back({"map", Kind::value, [=] { map(f32({2}), {}, f); }, {"function is empty"}});
  all.push_back({"map", Kind::value, [=] { map(f32({2}), f, {}); }, {"derivative is empty"}});
}

void add_norms_and_scans(std::vector<Case>& all) {
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
    wrong(name, Kind::shape, [=] { call(f32({}), 1); }, {"dimension 1", "rank 1"});
  }
  wrong("linear_recurrence", Kind::shape, [=] { linear_recurrence(x, f32({3}), 0); },
        {"[2,3]", "[3]"});
  wrong("linear_recurrence", Kind::dtype,
        [=] {
          linear_recurrence(x, f64({2, 3}), 0);
        },
        {"float32 [2,3]", "float64 [2,3]"});
  wrong("linear_recurrence", Kind::dtype, [] { linear_recurrence(truth({2}), truth({2}), 0); },
        {"bool"});
  wrong("topk", Kind::shape, [=] { topk(x, 4); }, {"k is 4", "[2,3]", "3 elements"});
  wrong("topk", Kind::shape, [=] { topk(x, -1); }, {"k is -1", "[2,3]"});
}

void add_rearranged(std::vector<Case>& all) {
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
  shape("repeat", [=] { repeat(x, {1, huge}); }, {"too many elements"});
  value("tile", [=] { tile(x, {-1}); }, {"negative", "[-1]"});
  value("tile", [=] { tile(x, {1, 2, -3}); }, {"negative", "[1,2,-3]"});
  value("repeat_interleave", [=] { repeat_interleave(x, -1, 0); }, {"negative", "-1"});
  shape("repeat_interleave", [=] { repeat_interleave(x, 2, 2); }, {"dimension 2", "rank 2"});
  shape("repeat_interleave", [=] { repeat_interleave(x, huge, 1); }, {"too many elements"});
  shape("diagonal", [=] { diagonal(x, 0, 0, 2); }, {"dimension 2", "rank 2"});
  shape("diagonal", [=] { diagonal(x, 0, 1, -1); }, {"1 and -1", "[2,3]"});
  shape("diagonal", [] { diagonal(f32({3})); }, {"dimension 1", "rank 1"});
  for (const auto& [name, f] :
       {std::pair<std::string, Variable (*)(const Operand&, std::int64_t)>{"diag", diag},
        {"tril", tril},
        {"triu", triu}}) {
    const auto call = f;
    shape(name, [=] { call(f32({}), 0); }, {"matri", "[]"});
    if (name != "diag") shape(name, [=] { call(f32({4}), 1); }, {"matrices", "[4]"});
    if (name == "diag") shape(name, [=] { call(f32({2, 3, 4}), 0); }, {"a matrix", "[2,3,4]"});
  }
  shape("diag", [=] { diag(f32({2}), huge); }, {"too many elements"});
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

void add_indexing(std::vector<Case>& all) {
  const Tensor x = f32({2, 3});
  const auto wrong = [&](Kind kind, std::vector<TensorIndex> entries,
                         std::vector<std::string> parts) {
    all.push_back({"index", kind, [=] { index(x, entries); }, std::move(parts)});
  };
  wrong(Kind::shape, {2}, {"2 is out of range", "dimension 0", "[2,3]"});
  wrong(Kind::shape, {0, -4}, {"-4 is out of range", "[3]"});
  wrong(Kind::shape, {0, 1, 2}, {"3 dimensions", "[2,3]", "2"});
  wrong(Kind::shape, {Ellipsis, 0, Ellipsis}, {"one Ellipsis", "2"});
  wrong(Kind::shape, {Tensor::from({0, 1, -3})}, {"-3 is out of range", "dimension 0", "[2,3]"});
  wrong(Kind::shape, {Slice(), Tensor::from({{3}})}, {"3 is out of range", "dimension 1"});
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

void add_einsum(std::vector<Case>& all) {
  const Tensor x = f32({2, 3});
  const auto wrong = [&](Kind kind, const char* equation, const Variables& operands,
                         std::vector<std::string> parts) {
    parts.emplace_back(equation);
    all.push_back({"einsum", kind, [=] { einsum(equation, operands); }, std::move(parts)});
  };
  wrong(Kind::value, "ij,j1->i", {x, f32({3})}, {"'1'"});
  wrong(Kind::value, "i.j->ij", {x}, {"'.'"});
  wrong(Kind::value, "ij>ji", {x}, {"'>'"});
  wrong(Kind::value, "ij->j->i", {x}, {"'-'"});
  wrong(Kind::value, "...i...->i", {x}, {"two ellipses"});
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
    all.push_back({name, Kind::dtype, [=] { call(truth({3}), truth({3})); }, {"bool [3]"}});
  }
  all.push_back({"dot", Kind::shape, [] { dot(f32({3}), f32({4})); }, {"3 and 4"}});
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
    add_convolutions(list);
    add_images(list);
    add_pools_and_norms(list);
    add_other_norms(list);
    add_activations(list);
    add_losses_and_numbers(list);
    add_functions_of_one_number(list);
    add_norms_and_scans(list);
    add_rearranged(list);
    add_indexing(list);
    add_einsum(list);
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
  const std::regex declaration(R"(\n(?:Variables?|ValuesAndIndices) (\w+)\()");
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
