// Wrong calls of pools and norms, and of their adjoints.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "autograd/wrong_calls.h"

using namespace gradus;

namespace {

void add_pools_and_norms(WrongCalls& all) {
  using Pool = Variable (*)(const Operand&, const Pool2dOptions&);
  for (const auto& [name, f] :
       {std::pair<std::string, Pool>{"max_pool2d", max_pool2d}, {"avg_pool2d", avg_pool2d}}) {
    const Pool pool = f;
    all.push_back({name,
                   Kind::shape,
                   [pool] {
                     pool(f32({4, 4}), {.kernel_size = 2});
                   },
                   {"rank 4", "[4,4]"}});
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
                   {"stride must be at least 1", "(-1,-1)"}});
    all.push_back({name,
                   Kind::dtype,
                   [pool] {
                     pool(i64({1, 1, 4, 4}), {.kernel_size = 2});
                   },
                   {"float32 or float64", "int64"}});
  }
  all.push_back({"avg_pool2d",
                 Kind::value,
                 [] {
                   avg_pool2d(f32({1, 1, 4, 4}), {.kernel_size = 2, .dilation = 2});
                 },
                 {"dilation must be 1", "(2,2)"}});
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
    all.push_back({name, Kind::shape, [pool] { pool(f32({4, 4}), 1); }, {"rank 4", "[4,4]"}});
    all.push_back({name,
                   Kind::shape,
                   [pool] {
                     pool(f32({1, 2, 0, 4}), 1);
                   },
                   {"no pixels", "[1,2,0,4]"}});
    all.push_back({name,
                   Kind::value,
                   [pool] {
                     pool(f32({1, 2, 4, 4}), 0);
                   },
                   {"output_size must be at least 1", "(0,0)"}});
    all.push_back({name,
                   Kind::dtype,
                   [pool] {
                     pool(i64({1, 2, 4, 4}), 1);
                   },
                   {"float32 or float64", "int64"}});
  }
  using RowPool = Variable (*)(const Operand&, const Pool1dOptions&);
  for (const auto& [name, f] :
       {std::pair<std::string, RowPool>{"max_pool1d", max_pool1d}, {"avg_pool1d", avg_pool1d}}) {
    const auto wrong = [&all, name = name, pool = f](Kind kind, const Tensor& x,
                                                     const Pool1dOptions& options,
                                                     std::vector<std::string> parts) {
      all.push_back({name, kind, [=] { pool(x, options); }, std::move(parts)});
    };
    wrong(Kind::shape, f32({4}), {.kernel_size = 2}, {"rank 3", "[4]"});
    wrong(Kind::shape, f32({1, 1, 2}), {.kernel_size = 3}, {"reaches 3,", "only 2 ", "[1,1,2]"});
    wrong(Kind::value, f32({1, 1, 4}), {.kernel_size = 0},
          {"kernel_size must be at least 1", "got 0"});
    wrong(Kind::value, f32({1, 1, 4}), {.kernel_size = 2, .padding = 2},
          {"padding 2", "half of kernel_size 2"});
    wrong(Kind::value, f32({1, 1, 4}), {.kernel_size = 2, .stride = -1},
          {"stride must be at least 1", "got -1"});
    wrong(Kind::dtype, i64({1, 1, 4}), {.kernel_size = 2}, {"float32 or float64", "int64"});
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
    all.push_back({name, Kind::shape, [pool] { pool(f32({4}), 1); }, {"rank 3", "[4]"}});
    all.push_back({name,
                   Kind::shape,
                   [pool] {
                     pool(f32({1, 2, 0}), 1);
                   },
                   {"no elements along L", "[1,2,0]"}});
    all.push_back({name,
                   Kind::value,
                   [pool] {
                     pool(f32({1, 2, 4}), 0);
                   },
                   {"output_size must be at least 1", "got 0"}});
    all.push_back({name,
                   Kind::dtype,
                   [pool] {
                     pool(i64({1, 2, 4}), 1);
                   },
                   {"float32 or float64", "int64"}});
  }

  // The adjoints.
  const auto adjoint = [&](const char* op, std::function<void()> call,
                           std::vector<std::string> parts) {
    all.push_back({op, Kind::shape, std::move(call), std::move(parts)});
  };
  const Pool2dOptions two{.kernel_size = 2};
  adjoint("avg_pool2d_grad",
          [=] {
            avg_pool2d_grad(f32({1, 1, 3, 3}), {1, 1, 4, 4}, two);
          },
          {"[1,1,3,3]", "[1,1,2,2]"});
  adjoint("avg_pool2d_grad",
          [=] {
            avg_pool2d_grad(f32({1, 1, 2, 2}), {1, 4, 4}, two);
          },
          {"[N,C,H,W]", "[1,4,4]"});
  all.push_back({"avg_pool2d_grad",
                 Kind::value,
                 [] {
                   avg_pool2d_grad(f32({1, 1, 2, 2}), {1, 1, 4, 4}, {.kernel_size = {0, 2}});
                 },
                 {"kernel_size", "at least 1", "(0,2)"}});
  adjoint("adaptive_avg_pool2d_grad",
          [] {
            adaptive_avg_pool2d_grad(f32({1, 2, 3, 3}), {1, 1, 4, 4});
          },
          {"[1,2,3,3]", "[1,1,3,3]"});
  adjoint("adaptive_avg_pool2d_grad",
          [] {
            adaptive_avg_pool2d_grad(f32({1, 2, 2}), {1, 2, 4, 4});
          },
          {"rank 4", "[1,2,2]"});
  adjoint("adaptive_avg_pool2d_grad",
          [] {
            adaptive_avg_pool2d_grad(f32({1, 2, 2, 2}), {2, 4, 4});
          },
          {"[N,C,H,W]", "[2,4,4]"});
  adjoint("adaptive_avg_pool2d_grad",
          [] {
            adaptive_avg_pool2d_grad(f32({1, 2, 2, 2}), {1, 2, 0, 4});
          },
          {"no pixels", "[1,2,0,4]"});
  adjoint("max_pool2d_scatter",
          [=] {
            max_pool2d_scatter(f32({1, 1, 3, 3}), i64({1, 1, 2, 2}), {1, 1, 4, 4}, two);
          },
          {"[1,1,3,3]", "[1,1,2,2]"});
  adjoint("max_pool2d_gather",
          [=] {
            max_pool2d_gather(f32({1, 1, 4, 4}), i64({1, 1, 3, 3}), two);
          },
          {"[1,1,3,3]", "[1,1,2,2]"});
  // A place in a window that hangs over the edge: the last column of a window that has one.
  adjoint("max_pool2d_gather",
          [] {
            max_pool2d_gather(f32({1, 1, 3, 3}), ones({1, 1, 2, 2}, uint8),
                              {.kernel_size = 2, .ceil_mode = true});
          },
          {"place 1", "outside", "[1,1,3,3]"});
  adjoint("max_pool2d_scatter",
          [] {
            max_pool2d_scatter(f32({1, 1, 2, 2}), full({1, 1, 2, 2}, 16, int64), {1, 1, 4, 4});
          },
          {"index 16", "outside", "16 pixels", "[1,1,4,4]"});
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
    all.push_back(
        {name, Kind::shape, [=] { norm(f32({3}), {}, {}, {}, {}); }, {"[N,C,...]", "[3]"}});
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
    all.push_back({name,
                   Kind::dtype,
                   [=] {
                     norm(i64({4, 3}), {}, {}, {}, {});
                   },
                   {"float32 or float64", "int64"}});
    all.push_back({name,
                   Kind::value,
                   [=] { norm(x, {}, {}, {}, {}, {.training = false}); },
                   {"running_mean and running_var", "undefined", "[4,3]"}});
  }
}

void add_other_norms(WrongCalls& all) {
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
  wrong("layer_norm", Kind::dtype,
        [] {
          layer_norm(i64({2, 2}), {2});
        },
        {"float32 or float64", "int64"});

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
  wrong("group_norm", Kind::dtype,
        [] {
          group_norm(i64({4, 6}), 2);
        },
        {"float32 or float64", "int64"});

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
  wrong("instance_norm", Kind::dtype,
        [] {
          instance_norm(i64({4, 6, 2}));
        },
        {"float32 or float64", "int64"});
  wrong("instance_norm", Kind::value,
        [=] { instance_norm(x, {}, {}, f32({6}), {}, {.use_input_stats = false}); },
        {"running_var", "[4,6,2]"});
}

}  // namespace

WrongCalls wrong_pool_norm_calls() {
  WrongCalls all;
  add_pools_and_norms(all);
  add_other_norms(all);
  return all;
}

TEST_CASE(
    "wrong calls of pools and norms are told in one line, with the name, the rule and both sides") {
  check_wrong_calls(wrong_pool_norm_calls());
}
