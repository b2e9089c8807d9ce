// Wrong calls of convolutions, of their adjoints, and of what moves the pixels of images.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "autograd/wrong_calls.h"

using namespace gradus;

namespace {

void add_conv2d(WrongCalls& all) {
  const auto shape_case = [&](const std::string& op, std::function<void()> call,
                              std::vector<std::string> parts) {
    all.push_back({op, Kind::shape, std::move(call), std::move(parts)});
  };
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
  const std::string beyond = "beyond 2147483647";
  const std::vector<std::pair<Conv2dOptions, std::vector<std::string>>> wrong_options{
      {{.stride = 0}, {"stride must be at least 1", "(0,0)"}},
      {{.stride = {1, -1}}, {"stride must be at least 1", "(1,-1)"}},
      {{.padding = -1}, {"padding must not be negative", "(-1,-1)"}},
      {{.dilation = 0}, {"dilation must be at least 1", "(0,0)"}},
      {{.groups = 0}, {"groups must be at least 1", "got 0"}},
      {{.groups = huge}, {"groups", std::to_string(huge), beyond}},
      {{.padding = huge / 2}, {"padding", std::to_string(huge / 2), beyond}},
      {{.dilation = huge}, {"dilation", std::to_string(huge), beyond}}};
  for (const auto& wrong : wrong_options) {
    const Conv2dOptions options = wrong.first;
    all.push_back(
        {"conv2d", Kind::value, [=] { conv2d(image, kernel, {}, options); }, wrong.second});
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
                 {"float32 or float64", "int64"}});
}

void add_convolutions(WrongCalls& all) {
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

  const Tensor dy = f32({1, 4, 3, 3});
  const auto adjoints = [&](Kind kind, const Tensor& gradient, const Tensor& weight,
                            const Shape& input, std::vector<std::string> parts) {
    add_case(
        "conv2d_input_grad", kind, [=] { conv2d_input_grad(gradient, weight, input); },
        std::move(parts));
  };
  adjoints(Kind::shape, f32({1, 4, 5, 5}), f32({4, 2, 3, 3}), {1, 2, 5, 5},
           {"[1,4,5,5]", "[1,4,3,3]"});
  adjoints(Kind::shape, dy, f32({4, 2, 3}), {1, 2, 5, 5}, {"weight", "rank 4", "[4,2,3]"});
  adjoints(Kind::shape, dy, f32({4, 2, 3, 3}), {1, 3, 5, 5},
           {"3 channels", "expects 2", "[1,3,5,5]", "[4,2,3,3]"});
  adjoints(Kind::dtype, dy, f64({4, 2, 3, 3}), {1, 2, 5, 5},
           {"float32 [1,4,3,3]", "float64 [4,2,3,3]"});
  const auto of_weight = [&](Kind kind, const Tensor& gradient, const Tensor& input,
                             const Shape& weight, std::vector<std::string> parts) {
    add_case(
        "conv2d_weight_grad", kind, [=] { conv2d_weight_grad(gradient, input, weight); },
        std::move(parts));
  };
  of_weight(Kind::shape, f32({1, 4, 5, 5}), f32({1, 2, 5, 5}), {4, 2, 3, 3},
            {"[1,4,5,5]", "[1,4,3,3]"});
  of_weight(Kind::shape, dy, f32({1, 2, 5, 5}), {4, 2, 3}, {"[N,C,H,W]", "[4,2,3]"});
  of_weight(Kind::shape, dy, f32({1, 3, 5, 5}), {4, 2, 3, 3}, {"3 channels", "expects 2"});
  of_weight(Kind::dtype, dy, f64({1, 2, 5, 5}), {4, 2, 3, 3},
            {"float32 [1,4,3,3]", "float64 [1,2,5,5]"});

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
  transposed(Kind::value, image, kernel, {}, {.output_padding = -1}, {"at least 0", "(-1,-1)"});
  transposed(Kind::value, image, kernel, {}, {.stride = {0, 1}}, {"stride", "(0,1)"});
  transposed(Kind::value, image, kernel, {}, {.padding = -1}, {"padding", "(-1,-1)"});
  transposed(Kind::value, image, kernel, {}, {.groups = 0}, {"groups", "0"});
  transposed(Kind::value, image, kernel, {}, {.dilation = huge}, {"dilation", "beyond 2147483647"});
  transposed(Kind::dtype, image, f64({4, 3, 3, 3}), {}, {},
             {"float32 [2,4,5,5]", "float64 [4,3,3,3]"});
  transposed(Kind::dtype, image, kernel, f64({3}), {}, {"float32 [2,4,5,5]", "float64 [3]"});
  transposed(Kind::dtype, i64({1, 1, 2, 2}), i64({1, 1, 1, 1}), {}, {},
             {"float32 or float64", "int64"});
}

void add_images(WrongCalls& all) {
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
  windows(Kind::value, image, {.kernel_size = 2, .dilation = huge},
          {"dilation", "beyond 2147483647"});
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
  folded(Kind::dtype, i64({1, 4, 4}), 3, {.kernel_size = 2}, {"float32 or float64", "int64"});

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
  padded(Kind::value, x, {0, -huge - 1}, constant, 0, {"dimension 1", "beyond"});
  padded(Kind::value, x, {4, 0}, PaddingMode::reflect, 0, {"reflect", "4 and 0", "[3,4]"});
  padded(Kind::value, x, {0, 0, 0, 4}, PaddingMode::circular, 0, {"circular", "0 and 4", "[3,4]"});
  padded(Kind::value, x, {-2, 3}, PaddingMode::circular, 0, {"circular", "-2 and 3"});
  padded(Kind::value, f32({3, 0}), {1, 0}, PaddingMode::replicate, 0, {"replicate", "[3,0]"});
  padded(Kind::value, x, {1, 1}, PaddingMode::reflect, 2, {"reflect", "2"});
  padded(Kind::dtype, i64({3}), {1, 1}, constant, 0.5, {"0.5", "int64"});

  add_case("pixel_shuffle", Kind::shape,
           [] {
             pixel_shuffle(f32({4, 3}), 2);
           },
           {"[..,C,H,W]", "[4,3]"});
  add_case("pixel_shuffle", Kind::shape,
           [] {
             pixel_shuffle(f32({6, 3, 3}), 2);
           },
           {"6 channels", "2x2", "[6,3,3]"});
  add_case("pixel_shuffle", Kind::value, [=] { pixel_shuffle(image, 0); }, {"factor", "0"});
  add_case("pixel_shuffle", Kind::shape, [=] { pixel_shuffle(image, huge); },
           {"too many elements", "more than"});
  add_case("pixel_unshuffle", Kind::shape,
           [] {
             pixel_unshuffle(f32({4, 4}), 2);
           },
           {"[..,C,H,W]", "[4,4]"});
  add_case("pixel_unshuffle", Kind::shape, [=] { pixel_unshuffle(image, 3); }, {"3x5", "3x3"});
  add_case("pixel_unshuffle", Kind::value, [=] { pixel_unshuffle(image, -1); }, {"factor", "-1"});
  add_case("pixel_unshuffle", Kind::shape, [=] { pixel_unshuffle(image, huge); },
           {"too many elements", "more than"});

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
  resized(Kind::value, image, {.size = {2, 0}}, {"size must be between", "(2,0)"});
  resized(Kind::value, image, {.size = {1, huge}},
          {"between 1 and 2147483647", std::to_string(huge)});
  resized(Kind::value, image, {.scale_factor = 0.25}, {"(0.25,0.25)", "0x1", "[2,4,3,5]"});
  resized(Kind::value, image, {.scale_factor = {2, NAN}}, {"scale_factor", "(2,nan)"});
  resized(Kind::value, image, {.scale_factor = 1e300}, {"scale_factor", "1e+300"});
  resized(Kind::value, image, {.size = 2, .align_corners = false}, {"align_corners", "nearest"});
  resized(Kind::dtype, i64({1, 1, 2, 2}), {.size = 2, .mode = bilinear},
          {"float32 or float64", "int64"});
}

}  // namespace

WrongCalls wrong_conv_calls() {
  WrongCalls all;
  add_conv2d(all);
  add_convolutions(all);
  add_images(all);
  return all;
}

TEST_CASE("wrong convolutions are told in one line, with the name, the rule and both sides") {
  check_wrong_calls(wrong_conv_calls());
}
