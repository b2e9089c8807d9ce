// Each layer by itself: what it computes, how it starts, and which options it refuses.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/dropout.h>
#include <gradus/layers/image.h>
#include <gradus/layers/init.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/loss.h>
#include <gradus/layers/norm.h>
#include <gradus/layers/pool.h>
#include <gradus/layers/print.h>
#include <gradus/layers/shape.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "support/error_message.h"

using namespace gradus;

namespace {

#include "fixtures/torch_layers.inc"

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

struct Moments {
  double mean, variance, low, high;
};

Moments moments(const Tensor& x) {
  return {core::mean(x).item(), core::var(x).item(), core::min(x).item(), core::max(x).item()};
}

/// float64 through and through, so only the order of sums differs from PyTorch's.
constexpr double norm_tolerance = 1e-12;

void check_close(const Tensor& x, const std::vector<double>& expected) {
  const std::vector<double> values = x.contiguous().to_vector<double>();
  REQUIRE(values.size() == expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    CHECK(values[i] == doctest::Approx(expected[i]).epsilon(norm_tolerance));
  }
}

struct Batch {
  const std::vector<double>&x, &y, &mean, &variance;
};

void check_batch_norm(const BatchNorm2dOptions& options, const std::vector<Batch>& batches) {
  BatchNorm2d layer(3, options);
  layer.to(float64);
  layer.weight.set_value(Tensor::from({1.5, -0.5, 2.0}, float64));
  layer.bias.set_value(Tensor::from({0.25, 0.0, -1.0}, float64));
  for (std::size_t i = 0; i < batches.size(); ++i) {
    CAPTURE(i);
    layer.train(i < 2);
    const Variable y = layer(Tensor::from(batches[i].x.data(), {2, 3, 2, 2}));
    check_close(y.value(), batches[i].y);
    check_close(layer.running_mean, batches[i].mean);
    check_close(layer.running_var, batches[i].variance);
  }
  CHECK(layer.num_batches_tracked.item() == 2);
}

}  // namespace

TEST_CASE("Linear is x·weightᵀ + bias over the last dimension") {
  Linear layer{2, 3};
  layer.weight.set_value(Tensor::from({{1.0, 2.0}, {3.0, 4.0}, {5.0, 6.0}}));
  layer.bias.set_value(Tensor::from({0.5, 0.0, -1.0}));
  CHECK(core::equal(layer(Tensor::from({{1.0, 1.0}, {2.0, -1.0}})).value(),
                    Tensor::from({{3.5, 7.0, 10.0}, {0.5, 2.0, 3.0}})));
  CHECK(layer(zeros({4, 5, 2})).shape() == Shape{4, 5, 3});
  CHECK(layer(zeros({0, 2})).shape() == Shape{0, 3});
  CHECK(layer.extra() == "in_features=2, out_features=3, bias=True");
}

TEST_CASE("Linear and Conv2d start in U(-1/sqrt(fan_in), 1/sqrt(fan_in)), weight and bias") {
  Generator generator(3);
  const Linear linear{100, 400, {}, generator};
  const Conv2d conv{16, 500, {.kernel_size = 5, .groups = 4}, generator};  // fan_in 4·25
  // 40,000 and 50,000 draws: the standard error of the variance is below 0.5% of it, of the
  // mean below 3e-4.
  for (const Tensor& weight : {linear.weight.value(), conv.weight.value()}) {
    const Moments m = moments(weight);
    CHECK(std::abs(m.mean) < 1e-3);
    CHECK(m.variance == doctest::Approx(0.01 / 3).epsilon(0.02));
    CHECK(m.low >= -0.1 - 1e-7);
    CHECK(m.low < -0.0999);
    CHECK(m.high <= 0.1 + 1e-7);
    CHECK(m.high > 0.0999);
  }
  for (const Tensor& bias : {linear.bias.value(), conv.bias.value()}) {
    const Moments m = moments(bias);
    CHECK(m.low >= -0.1 - 1e-7);
    CHECK(m.high <= 0.1 + 1e-7);
    CHECK(m.variance == doctest::Approx(0.01 / 3).epsilon(0.2));
  }
}

TEST_CASE("a seed fixes a layer, and two seeds give two layers") {
  const auto weight = [](std::uint64_t seed) {
    Generator generator(seed);
    return Conv2d{2, 3, {.kernel_size = 3}, generator}.weight.value();
  };
  CHECK(core::equal(weight(1), weight(1)));
  CHECK(!core::equal(weight(1), weight(2)));
}

TEST_CASE("the initialisers have the bounds and moments of their formulas") {
  Generator generator(5);
  const Tensor w = Tensor::empty({300, 20, 3, 3});  // fan_in 180, fan_out 2700; 54,000 elements
  const auto check_uniform = [&](double bound) {
    const Moments m = moments(w);
    CHECK(m.high <= bound * (1 + 1e-6));
    CHECK(m.high > bound * 0.999);
    CHECK(m.low < -bound * 0.999);
    CHECK(m.variance == doctest::Approx(bound * bound / 3).epsilon(0.02));
  };
  const auto check_normal = [&](double std) {
    const Moments m = moments(w);
    CHECK(std::abs(m.mean) < 5 * std / std::sqrt(54000.0));
    CHECK(m.variance == doctest::Approx(std * std).epsilon(0.03));
    CHECK(m.high > 3 * std);
  };
  init::kaiming_uniform_(w, {}, generator);
  check_uniform(std::sqrt(6.0 / 180));
  init::kaiming_uniform_(w, {.a = 1, .mode = init::FanMode::fan_out}, generator);
  check_uniform(std::sqrt(3.0 / 2700));
  init::kaiming_normal_(w, {}, generator);
  check_normal(std::sqrt(2.0 / 180));
  init::xavier_uniform_(w, 2, generator);
  check_uniform(2 * std::sqrt(6.0 / 2880));
  init::xavier_normal_(w, 1, generator);
  check_normal(std::sqrt(2.0 / 2880));
  init::uniform_(w, 2, 2.5, generator);
  CHECK(moments(w).mean == doctest::Approx(2.25).epsilon(0.01));
  init::normal_(w, -1, 0.1, generator);
  CHECK(moments(w).mean == doctest::Approx(-1).epsilon(0.01));
  init::constant_(w, 4);
  CHECK(moments(w).low == 4);

  CHECK_THROWS_AS(init::kaiming_uniform_(zeros({3})), ShapeError);
  CHECK_THROWS_AS(init::uniform_(w, 1, 0), ValueError);
  CHECK_THROWS_AS(init::uniform_(w, not_a_number, 1), ValueError);
  CHECK_THROWS_AS(init::normal_(w, 0, -1), ValueError);
  CHECK_THROWS_AS(init::constant_(zeros({3}, int64), 1), DTypeError);
}

TEST_CASE("an initialiser writes through a strided view and nowhere else") {
  Generator generator(5);
  const Tensor whole = zeros({4, 6});
  init::uniform_(whole.transpose().slice(0, 0, 6, 2), 1, 2, generator);
  for (std::int64_t i = 0; i < 4; ++i) {
    for (std::int64_t j = 0; j < 6; ++j) CHECK((whole.at<float>({i, j}) != 0) == (j % 2 == 0));
  }
}

TEST_CASE("bad options are refused in one line with the values") {
  CHECK(message_of([] { Conv2d(4, 8, {.kernel_size = 3, .groups = 3}); }) ==
        "Conv2d: groups 3 must divide in_channels 4 and out_channels 8");
  CHECK(message_of([] { Dropout(1.5); }) == "Dropout: p must be between 0 and 1, got 1.5");
  CHECK(message_of([] { Linear(0, 3); }) ==
        "Linear: sizes must be positive, got in_features 0 and out_features 3");
  CHECK_THROWS_AS(Linear(3, -1), ValueError);
  CHECK_THROWS_AS(Conv2d(0, 8, {.kernel_size = 3}), ValueError);
  CHECK_THROWS_AS(Conv2d(4, 8, {.kernel_size = 0}), ValueError);
  CHECK_THROWS_AS(Conv2d(4, 8, {.kernel_size = 3, .stride = {1, 0}}), ValueError);
  CHECK_THROWS_AS(Conv2d(4, 8, {.kernel_size = 3, .padding = -1}), ValueError);
  CHECK_THROWS_AS(Conv2d(4, 8, {.kernel_size = 3, .dilation = 0}), ValueError);
  CHECK_THROWS_AS(Conv2d(4, 8, {.kernel_size = 3, .groups = 0}), ValueError);
  CHECK(message_of([] {
          Conv2d(4, 8, {.kernel_size = 3, .stride = {1, 2}, .padding = Padding::same});
        }) == "Conv2d: padding same needs a stride of (1, 1), got (1, 2)");
  CHECK(message_of([] {
          Conv1d(4, 8, {.kernel_size = 3, .stride = 2, .padding = Padding::same});
        }) == "Conv1d: padding same needs a stride of (1,), got (2,)");
  CHECK(message_of([] { Conv1d(4, 6, {.kernel_size = 3, .groups = 4}); }) ==
        "Conv1d: groups 4 must divide in_channels 4 and out_channels 6");
  CHECK(message_of([] {
          Conv1d(4, 6, {.kernel_size = 3, .padding = {0, 1}});
        }) == "Conv1d: padding must be one number, got (0, 1)");
  CHECK_THROWS_AS(Conv1d(0, 8, 3), ValueError);
  CHECK_THROWS_AS(Conv1d(4, 8, 0), ValueError);
  CHECK_THROWS_AS(Conv1d(4, 8, {.kernel_size = 3, .padding = -1}), ValueError);
  CHECK_THROWS_AS(Conv1d(4, 8, {.kernel_size = 3, .dilation = 0}), ValueError);
  CHECK(message_of([] {
          ConvTranspose2d(4, 8, {.kernel_size = 3, .stride = 2, .output_padding = {1, 2}});
        }) ==
        "ConvTranspose2d: output_padding must be at least 0 and below stride or dilation, got "
        "(1, 2), stride (2, 2), dilation (1, 1)");
  CHECK_THROWS_AS(ConvTranspose2d(4, 0, 3), ValueError);
  CHECK_THROWS_AS(ConvTranspose2d(4, 8, {.kernel_size = 3, .groups = 3}), ValueError);
  CHECK_THROWS_AS(ConvTranspose2d(4, 8, {.kernel_size = 3, .stride = 0}), ValueError);
  CHECK_THROWS_AS(ConvTranspose2d(4, 8, {.kernel_size = 3, .output_padding = -1}), ValueError);
  CHECK_THROWS_AS(Unfold{0}, ValueError);
  CHECK_THROWS_AS(Unfold({.kernel_size = 2, .stride = {1, 0}}), ValueError);
  CHECK_THROWS_AS(Unfold({.kernel_size = 2, .padding = -1}), ValueError);
  CHECK(message_of([] {
          Fold({0, 3}, {.kernel_size = 2});
        }) == "Fold: output_size must be at least 1, got (0, 3)");
  CHECK_THROWS_AS(Fold(3, {.kernel_size = 2, .dilation = 0}), ValueError);
  CHECK_THROWS_AS(Fold(3, {.kernel_size = -1}), ValueError);
  CHECK(message_of([] { PixelShuffle(0); }) ==
        "PixelShuffle: upscale_factor must be at least 1, got 0");
  CHECK_THROWS_AS(PixelShuffle{-2}, ValueError);
  CHECK_THROWS_AS(PixelUnshuffle{0}, ValueError);
  CHECK(message_of([] { Upsample(InterpolateOptions{}); }) ==
        "Upsample: expects either size or scale_factor, got size (0, 0) and scale_factor (0, 0)");
  CHECK_THROWS_AS(Upsample({.size = 2, .scale_factor = 2}), ValueError);
  CHECK_THROWS_AS(Upsample({.size = {2, -1}}), ValueError);
  CHECK_THROWS_AS(Upsample({.scale_factor = not_a_number}), ValueError);
  CHECK_THROWS_AS(Upsample({.size = 2, .align_corners = true}), ValueError);
  CHECK_THROWS_AS(MaxPool2d({.kernel_size = 0}), ValueError);
  CHECK_THROWS_AS(MaxPool2d({.kernel_size = 2, .padding = 2}), ValueError);
  CHECK_THROWS_AS(MaxPool2d({.kernel_size = 2, .stride = -1}), ValueError);
  CHECK_THROWS_AS(AvgPool2d({.kernel_size = 2, .dilation = 2}), ValueError);
  CHECK(message_of([] { AvgPool2d({.kernel_size = 2, .divisor_override = 0}); }) ==
        "AvgPool2d: divisor_override must not be 0");
  CHECK(message_of([] { MaxPool1d({.kernel_size = 3, .padding = 2}); }) ==
        "MaxPool1d: padding must be between 0 and half the kernel size, got padding 2 and "
        "kernel_size 3");
  CHECK_THROWS_AS(MaxPool1d(0), ValueError);
  CHECK_THROWS_AS(MaxPool1d({.kernel_size = 2, .stride = -1}), ValueError);
  CHECK_THROWS_AS(MaxPool1d({.kernel_size = 2, .dilation = 0}), ValueError);
  CHECK_THROWS_AS(AvgPool1d(0), ValueError);
  CHECK_THROWS_AS(AvgPool1d({.kernel_size = 2, .padding = -1}), ValueError);
  CHECK(message_of([] { AvgPool1d({.kernel_size = 2, .dilation = 2}); }) ==
        "AvgPool1d: has no dilation, got 2 instead of 1");
  CHECK_THROWS_AS(AdaptiveAvgPool2d{0}, ValueError);
  CHECK_THROWS_AS((AdaptiveMaxPool2d{Pair{2, 0}}), ValueError);
  CHECK_THROWS_AS(AdaptiveAvgPool1d{0}, ValueError);
  CHECK(message_of([] { AdaptiveMaxPool1d{-1}; }) ==
        "AdaptiveMaxPool1d: output_size must be at least 1, got -1");
  CHECK_THROWS_AS(BatchNorm1d(0), ValueError);
  CHECK_THROWS_AS(BatchNorm1d(3, {.eps = not_a_number}), ValueError);
  CHECK_THROWS_AS(BatchNorm1d(3, {.momentum = -0.5}), ValueError);
  CHECK_THROWS_AS(InstanceNorm2d(0), ValueError);
  CHECK_THROWS_AS(InstanceNorm2d(3, {.momentum = 2}), ValueError);
  CHECK_THROWS_AS(InstanceNorm2d(3, {.eps = -1}), ValueError);
  CHECK(message_of([] { LayerNorm{Shape{}}; }) ==
        "LayerNorm: normalized_shape must have positive sizes, one at least, got []");
  CHECK_THROWS_AS(LayerNorm(0), ValueError);
  CHECK_THROWS_AS(LayerNorm(3, {.eps = -1}), ValueError);
  CHECK(message_of([] { GroupNorm(4, 6); }) == "GroupNorm: num_groups 4 must divide channels 6");
  CHECK_THROWS_AS(GroupNorm(0, 6), ValueError);
  CHECK_THROWS_AS(GroupNorm(2, 0), ValueError);
  CHECK_THROWS_AS(GroupNorm(2, 6, {.eps = -1}), ValueError);
  CHECK(message_of([] { Hardtanh(2, 1); }) ==
        "Hardtanh: min_val must be below max_val, got 2 and 1");
  CHECK_THROWS_AS(Hardtanh(1, 1), ValueError);
  CHECK_THROWS_AS(Hardtanh(not_a_number, 1), ValueError);
  CHECK(message_of([] { Softplus(0); }) == "Softplus: beta must be finite and not 0, got 0");
  CHECK_THROWS_AS(Softplus{not_a_number}, ValueError);
  CHECK_THROWS_AS(PReLU(0), ValueError);
  CHECK(message_of([] { Dropout2d(-1); }) == "Dropout2d: p must be between 0 and 1, got -1");
  CHECK_THROWS_AS(BatchNorm2d(0), ValueError);
  CHECK_THROWS_AS(BatchNorm2d(3, {.eps = -1e-5}), ValueError);
  CHECK_THROWS_AS(BatchNorm2d(3, {.momentum = 1.5}), ValueError);
  CHECK_THROWS_AS(Dropout{not_a_number}, ValueError);
  CHECK_THROWS_AS(Dropout{-0.1}, ValueError);
}

TEST_CASE("Conv2d hands its options on") {
  Generator generator(1);
  Conv2d layer{
      4, 6, {.kernel_size = {3, 2}, .stride = {2, 1}, .padding = {1, 0}, .groups = 2}, generator};
  const Tensor x = randn({2, 4, 7, 5}, generator);
  const Conv2dOptions options{.stride = {2, 1}, .padding = {1, 0}, .groups = 2};
  CHECK(core::equal(layer(x).value(),
                    core::conv2d(x, layer.weight.value(), layer.bias.value(), options)));
  CHECK(layer.extra() == "4, 6, kernel_size=(3, 2), stride=(2, 1), padding=(1, 0), groups=2");
}

TEST_CASE("the layers of images print their options as PyTorch does") {
  const auto print = [](const Module& layer) { return layer.kind() + "(" + layer.extra() + ")"; };
  CHECK(print(Conv1d{2, 3, {.kernel_size = 3, .padding = Padding::same}}) ==
        "Conv1d(2, 3, kernel_size=(3,), stride=(1,), padding=same)");
  CHECK(print(Conv1d{2, 3, {.kernel_size = 3, .padding = 1, .dilation = 2}}) ==
        "Conv1d(2, 3, kernel_size=(3,), stride=(1,), padding=(1,), dilation=(2,))");
  CHECK(print(Conv2d{2,
                     4,
                     {.kernel_size = 3,
                      .padding = Padding::valid,
                      .groups = 2,
                      .bias = false,
                      .padding_mode = PaddingMode::reflect}}) ==
        "Conv2d(2, 4, kernel_size=(3, 3), stride=(1, 1), padding=valid, groups=2, bias=False, "
        "padding_mode=reflect)");
  CHECK(print(ConvTranspose2d{2,
                              4,
                              {.kernel_size = {3, 2},
                               .stride = 2,
                               .padding = 1,
                               .output_padding = 1,
                               .groups = 2,
                               .bias = false,
                               .dilation = 2}}) ==
        "ConvTranspose2d(2, 4, kernel_size=(3, 2), stride=(2, 2), padding=(1, 1), dilation=(2, 2), "
        "output_padding=(1, 1), groups=2, bias=False)");
  CHECK(print(ZeroPad2d{1}) == "ZeroPad2d((1, 1, 1, 1))");
  CHECK(print(ZeroPad2d{1, 2, 3, 4}) == "ZeroPad2d((1, 2, 3, 4))");
  CHECK(print(Unfold{{.kernel_size = {2, 3}, .padding = 1}}) ==
        "Unfold(kernel_size=(2, 3), dilation=1, padding=1, stride=1)");
  CHECK(print(Fold{{4, 5}, {.kernel_size = 2, .stride = {1, 2}}}) ==
        "Fold(output_size=(4, 5), kernel_size=2, dilation=1, padding=0, stride=(1, 2))");
  CHECK(print(PixelShuffle{2}) == "PixelShuffle(upscale_factor=2)");
  CHECK(print(PixelUnshuffle{3}) == "PixelUnshuffle(downscale_factor=3)");
  CHECK(print(Upsample{{.scale_factor = 2}}) == "Upsample(scale_factor=2.0, mode=nearest)");
  CHECK(print(Upsample{{.scale_factor = {1.5, 2}}}) ==
        "Upsample(scale_factor=(1.5, 2.0), mode=nearest)");
  CHECK(print(Upsample{{.size = {3, 4}, .mode = InterpolateMode::bilinear}}) ==
        "Upsample(size=(3, 4), mode=bilinear)");
}

TEST_CASE("the convolutions keep their parameters under PyTorch's names and in its shapes") {
  const auto shapes = [](const Module& layer) {
    std::vector<std::string> all;
    for (const auto& [name, tensor] : layer.state_dict())
      all.push_back(name + " " + to_string(tensor.shape()));
    return all;
  };
  using Names = std::vector<std::string>;
  CHECK(shapes(Conv1d{4, 6, {.kernel_size = 5, .groups = 2}}) ==
        Names{"weight [6,2,5]", "bias [6]"});
  CHECK(shapes(ConvTranspose2d{4, 6, {.kernel_size = {3, 2}, .groups = 2}}) ==
        Names{"weight [4,3,3,2]", "bias [6]"});
  CHECK(shapes(ConvTranspose2d{4, 6, {.kernel_size = 3, .bias = false}}) ==
        Names{"weight [4,6,3,3]"});
  // fan_in = out/groups·kh·kw = 3·6
  const ConvTranspose2d layer{4, 6, {.kernel_size = {3, 2}, .groups = 2}};
  for (const Tensor& tensor : {layer.weight.value(), layer.bias.value()})
    CHECK(core::max(core::abs(tensor)).item() <= 1 / std::sqrt(18.0) + 1e-7);
}

TEST_CASE("a padding_mode fills what padding asks for") {
  Generator generator(1);
  const Tensor x = randn({2, 3, 5, 4}, generator, float64);
  for (const PaddingMode mode :
       {PaddingMode::zeros, PaddingMode::reflect, PaddingMode::replicate, PaddingMode::circular}) {
    CAPTURE(to_string(mode));
    Conv2d layer{3, 2, {.kernel_size = {3, 2}, .padding = Padding::same, .padding_mode = mode}};
    layer.to(float64);
    const Variable padded = pad(x, {0, 1, 1, 1}, mode);
    CHECK(core::allclose(layer(x).value(), conv2d(padded, layer.weight, layer.bias).value()));
    CHECK(core::equal(layer(x, Activation::relu).value(), core::relu(layer(x).value())));
  }
}

TEST_CASE("the pools' stride is the kernel size unless given") {
  const Tensor x = arange(0, 16).reshape({1, 1, 4, 4});
  CHECK(core::equal(MaxPool2d{{.kernel_size = 2}}(x).value(),
                    Tensor::from({{{{5.0, 7.0}, {13.0, 15.0}}}})));
  CHECK(core::equal(AvgPool2d{{.kernel_size = 2}}(x).value(),
                    Tensor::from({{{{2.5, 4.5}, {10.5, 12.5}}}})));
  CHECK(core::equal(AdaptiveAvgPool2d{1}(x).value(), Tensor::from({{{{7.5}}}})));
  CHECK(MaxPool2d{{.kernel_size = 2, .stride = 1}}(x).shape() == Shape{1, 1, 3, 3});
}

TEST_CASE("Flatten keeps the batch, Identity keeps everything") {
  CHECK(Flatten{}(zeros({2, 3, 4, 5})).shape() == Shape{2, 60});
  CHECK(Flatten{0, 1}(zeros({2, 3, 4})).shape() == Shape{6, 4});
  const Tensor x = Tensor::from({1.0, 2.0});
  CHECK(core::equal(Identity{}(x).value(), x));
}

TEST_CASE("the activations are their functions, and NaN passes") {
  const Tensor x = Tensor::from({-1.0, 0.0, 2.0, not_a_number});
  CHECK(core::equal(ReLU{}(x).value(), core::relu(x)));
  CHECK(core::equal(Tanh{}(x).value(), core::tanh(x)));
  CHECK(core::equal(Sigmoid{}(x).value(), core::sigmoid(x)));
  CHECK(std::isnan(ReLU{}(x).value().at<float>({3})));
}

TEST_CASE("layers print as PyTorch prints them") {
  CHECK(to_string(MaxPool2d{3}) ==
        "MaxPool2d(kernel_size=3, stride=3, padding=0, dilation=1, ceil_mode=False)");
  CHECK(to_string(MaxPool2d{{.kernel_size = {3, 2}, .stride = 1, .padding = {1, 0}}}) ==
        "MaxPool2d(kernel_size=(3, 2), stride=1, padding=(1, 0), dilation=1, ceil_mode=False)");
  CHECK(to_string(MaxPool1d{{.kernel_size = 2, .dilation = 2, .ceil_mode = true}}) ==
        "MaxPool1d(kernel_size=2, stride=2, padding=0, dilation=2, ceil_mode=True)");
  CHECK(to_string(AvgPool2d{2}) == "AvgPool2d(kernel_size=2, stride=2, padding=0)");
  CHECK(to_string(AvgPool1d{2}) == "AvgPool1d(kernel_size=(2,), stride=(2,), padding=(0,))");
  // PyTorch prints no more than that of these.
  CHECK(
      AvgPool2d{
          {.kernel_size = 2, .ceil_mode = true, .count_include_pad = false, .divisor_override = 3}}
          .extra() ==
      "kernel_size=2, stride=2, padding=0, ceil_mode=True, "
      "count_include_pad=False, divisor_override=3");
  CHECK(to_string(AdaptiveMaxPool2d{Pair{5, 7}}) == "AdaptiveMaxPool2d(output_size=(5, 7))");
  CHECK(to_string(AdaptiveAvgPool1d{5}) == "AdaptiveAvgPool1d(output_size=5)");
  CHECK(to_string(AdaptiveMaxPool1d{5}) == "AdaptiveMaxPool1d(output_size=5)");
  CHECK(to_string(BatchNorm1d{4, {.eps = 1e-3, .momentum = 1}}) ==
        "BatchNorm1d(4, eps=0.001, momentum=1.0, affine=True, track_running_stats=True)");
  CHECK(to_string(InstanceNorm2d{4}) ==
        "InstanceNorm2d(4, eps=1e-05, momentum=0.1, affine=False, track_running_stats=False)");
  CHECK(to_string(LayerNorm{4}) == "LayerNorm((4,), eps=1e-05, elementwise_affine=True)");
  CHECK(to_string(LayerNorm{{2, 3}, {.elementwise_affine = false}}) ==
        "LayerNorm((2, 3), eps=1e-05, elementwise_affine=False)");
  CHECK(to_string(GroupNorm{2, 6}) == "GroupNorm(2, 6, eps=1e-05, affine=True)");
  CHECK(to_string(LeakyReLU{}) == "LeakyReLU(negative_slope=0.01)");
  CHECK(to_string(PReLU{3}) == "PReLU(num_parameters=3)");
  CHECK(to_string(ELU{}) == "ELU(alpha=1.0)");
  CHECK(to_string(SELU{}) == "SELU()");
  CHECK(to_string(GELU{}) == "GELU(approximate='none')");
  CHECK(to_string(GELU{Gelu::tanh}) == "GELU(approximate='tanh')");
  CHECK(to_string(SiLU{}) == "SiLU()");
  CHECK(to_string(Softplus{}) == "Softplus(beta=1, threshold=20)");
  CHECK(to_string(LogSigmoid{}) == "LogSigmoid()");
  CHECK(to_string(Softsign{}) == "Softsign()");
  CHECK(to_string(Hardtanh{}) == "Hardtanh(min_val=-1.0, max_val=1.0)");
  CHECK(to_string(ReLU6{}) == "ReLU6()");
  CHECK(to_string(Hardsigmoid{}) == "Hardsigmoid()");
  CHECK(to_string(Hardswish{}) == "Hardswish()");
  CHECK(to_string(Softmax{-1}) == "Softmax(dim=-1)");
  CHECK(to_string(LogSoftmax{1}) == "LogSoftmax(dim=1)");
}

TEST_CASE("numbers print as Python prints them") {
  // Python: [repr(x) for x in (0.1, 1.0, -2.5, 1e-05, 0.0001, 1/3, 1e16, 123456789.0, 0.0)]
  CHECK(print_float(0.1) == "0.1");
  CHECK(print_float(1) == "1.0");
  CHECK(print_float(-2.5) == "-2.5");
  CHECK(print_float(1e-5) == "1e-05");
  CHECK(print_float(1e-4) == "0.0001");
  CHECK(print_float(1.0 / 3) == "0.3333333333333333");
  CHECK(print_float(1e16) == "1e+16");
  CHECK(print_float(123456789) == "123456789.0");
  CHECK(print_float(0) == "0.0");
}

TEST_CASE("the slopes of the activations where their branches meet are PyTorch's") {
  // torch.autograd.grad(f(x).sum(), x) at the points, PyTorch 1.13.
  const auto slopes = [](Variable (*f)(const Operand&), const std::vector<double>& at) {
    const Variable x(Tensor::from(at.data(), {static_cast<std::int64_t>(at.size())}), true);
    return grad({sum(f(x))}, {x})[0].value().to_vector<double>();
  };
  using Slopes = std::vector<double>;
  CHECK(slopes(relu6, {0, 6}) == Slopes{0, 0});
  CHECK(slopes([](const Operand& x) { return hardtanh(x); }, {-1, 1}) == Slopes{0, 0});
  CHECK(slopes(hardsigmoid, {-3, 3}) == Slopes{0, 0});
  CHECK(slopes(hardswish, {-3, 3}) == Slopes{-0.5, 1.5});
  CHECK(slopes([](const Operand& x) { return leaky_relu(x, 0.25); }, {0}) == Slopes{0.25});
  CHECK(slopes([](const Operand& x) { return elu(x, 0.25); }, {0}) == Slopes{0.25});
  CHECK(slopes(logsigmoid, {0}) == Slopes{0.5});
  CHECK(slopes([](const Operand& x) { return softplus(x); }, {0}) == Slopes{0.5});
  CHECK(slopes(softsign, {0}) == Slopes{1});
}

TEST_CASE("what an activation does not choose makes no NaN of its gradient") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const Variable x(Tensor::from({infinity, 800.0}, float64), true);
  const Variable weight(Tensor::from({0.5}, float64), true);
  const Variables gradients =
      grad({sum(prelu(x, weight)) + sum(elu(x)) + sum(softplus(x))}, {x, weight});
  CHECK(gradients[0].value().to_vector<double>() == std::vector<double>{3, 3});
  CHECK(gradients[1].value().to_vector<double>() == std::vector<double>{0});
}

TEST_CASE("the activations' layers are their functions") {
  Generator generator(3);
  const Tensor x = core::mul(randn({4, 5}, generator), 3);
  const auto same = [&](Module&& layer, const Variable& expected) {
    CAPTURE(to_string(layer));
    CHECK(core::equal(layer(x).value(), expected.value()));
  };
  same(LeakyReLU{0.3}, leaky_relu(x, 0.3));
  same(PReLU{5, 0.4}, prelu(x, full({5}, 0.4)));
  same(ELU{0.3}, elu(x, 0.3));
  same(SELU{}, selu(x));
  same(GELU{}, gelu(x));
  same(GELU{Gelu::tanh}, gelu(x, Gelu::tanh));
  same(SiLU{}, silu(x));
  same(Softplus{2, 1}, softplus(x, 2, 1));
  same(LogSigmoid{}, logsigmoid(x));
  same(Softsign{}, softsign(x));
  same(Hardtanh{-2, 0.5}, hardtanh(x, -2, 0.5));
  same(ReLU6{}, relu6(x));
  same(Hardsigmoid{}, hardsigmoid(x));
  same(Hardswish{}, hardswish(x));
  same(Softmax{0}, softmax(x, 0));
  same(LogSoftmax{-1}, log_softmax(x, -1));
}

TEST_CASE("the norms refuse inputs that do not fit, and leave their statistics alone then") {
  BatchNorm1d rows(3);
  CHECK(message_of([&] {
          rows(zeros({2, 4}));
        }) == "BatchNorm1d: expects [N,3] or [N,3,L], got [2,4]");
  CHECK_THROWS_AS(rows(zeros({2, 3, 2, 2})), ShapeError);
  CHECK_THROWS_AS(rows(zeros({1, 3})), ShapeError);
  CHECK_THROWS_AS(rows(zeros({2, 3}, int64)), DTypeError);
  CHECK(rows.num_batches_tracked.item() == 0);
  CHECK(core::equal(rows.running_mean, zeros({3})));
  InstanceNorm2d images(3, {.track_running_stats = true});
  CHECK(message_of([&] {
          images(zeros({2, 4, 5, 5}));
        }) == "InstanceNorm2d: expects [N,3,H,W] or [3,H,W], got [2,4,5,5]");
  CHECK_THROWS_AS(images(zeros({2, 3, 1, 1})), ShapeError);
  CHECK_THROWS_AS(images(zeros({3, 2})), ShapeError);
  CHECK(core::equal(images.running_var, ones({3})));
  CHECK_THROWS_AS(LayerNorm{4}(zeros({4, 3})), ShapeError);
  CHECK_THROWS_AS(LayerNorm{4}(zeros({2, 4}, int64)), DTypeError);
  CHECK(message_of([] {
          GroupNorm{2, 4}(zeros({2, 3}));
        }) == "GroupNorm: expects [N,4,...], got [2,3]");
  CHECK_THROWS_AS((GroupNorm{4, 4}(zeros({1, 4}))), ShapeError);
}

TEST_CASE("norms without numbers of their own have none in their state") {
  CHECK(InstanceNorm2d{3}.state_dict().empty());
  CHECK(LayerNorm{3, {.elementwise_affine = false}}.state_dict().empty());
  CHECK((GroupNorm{1, 3, {.affine = false}}.state_dict().empty()));
  std::vector<std::string> keys;
  const InstanceNorm2d all(3, {.affine = true, .track_running_stats = true});
  for (const auto& [key, tensor] : all.state_dict()) keys.push_back(key);
  CHECK(keys == std::vector<std::string>{"weight", "bias", "running_mean", "running_var",
                                         "num_batches_tracked"});
}

TEST_CASE("the norms take batches of nothing, and give their parameters gradients of 0") {
  const Variable weight(ones({4}), true);
  const Variable bias(zeros({4}), true);
  const auto check = [&](const Variable& y, const Shape& shape) {
    CHECK(y.shape() == shape);
    for (const Variable& g : grad({sum(y)}, {weight, bias}))
      CHECK(core::equal(g.value(), zeros({4})));
  };
  check(layer_norm(zeros({0, 4}), {4}, weight, bias), {0, 4});
  check(group_norm(zeros({0, 4, 2}), 2, weight, bias), {0, 4, 2});
  check(instance_norm(zeros({0, 4, 2, 2}), weight, bias), {0, 4, 2, 2});
  check(group_norm(zeros({2, 4, 0}), 2, weight, bias), {2, 4, 0});
}

TEST_CASE("BatchNorm2d computes what PyTorch computes, training, tracking and evaluating") {
  check_batch_norm({}, {{norm_x0, norm_y0, norm_mean0, norm_var0},
                        {norm_x1, norm_y1, norm_mean1, norm_var1},
                        {norm_x2, norm_y2, norm_mean2, norm_var2}});
}

TEST_CASE("BatchNorm2d without momentum keeps the plain mean over batches") {
  check_batch_norm({.momentum = std::nullopt},
                   {{cumulative_x0, cumulative_y0, cumulative_mean0, cumulative_var0},
                    {cumulative_x1, cumulative_y1, cumulative_mean1, cumulative_var1},
                    {cumulative_x2, cumulative_y2, cumulative_mean2, cumulative_var2}});
}

TEST_CASE("BatchNorm2d without running statistics has none, and evaluates with the batch's") {
  BatchNorm2d layer(2, {.affine = false, .track_running_stats = false});
  CHECK(layer.state_dict().empty());
  Generator generator(2);
  const Tensor x = randn({3, 2, 4, 4}, generator);
  const Tensor trained = layer(x).value();
  layer.eval();
  CHECK(core::equal(layer(x).value(), trained));
  CHECK(std::abs(core::mean(trained).item()) < 1e-6);  // float32, 96 values of size 1
}

TEST_CASE("BatchNorm2d refuses other shapes, and a refused call leaves its statistics alone") {
  BatchNorm2d layer(3);
  CHECK_THROWS_AS(layer(zeros({2, 3})), ShapeError);
  CHECK(message_of([&] {
          layer(zeros({2, 4, 5, 5}));
        }) == "BatchNorm2d: expects [N,3,H,W], got [2,4,5,5]");
  CHECK_THROWS_AS(layer(zeros({1, 3, 1, 1})), ShapeError);
  CHECK_THROWS_AS(layer(zeros({2, 3, 2, 2}, int64)), DTypeError);
  CHECK(layer.num_batches_tracked.item() == 0);
  CHECK(core::equal(layer.running_mean, zeros({3})));
  layer.eval();
  CHECK(layer(zeros({1, 3, 1, 1})).shape() == Shape{1, 3, 1, 1});
}

TEST_CASE("Dropout drops p of the elements, scales the rest, and rests in evaluation") {
  Dropout layer(0.3, Generator(1));
  const Tensor x = ones({20000});
  const std::vector<float> y = layer(x).value().to_vector<float>();
  std::int64_t zero_count = 0;
  for (const float value : y) {
    CHECK_UNARY(value == 0.0F || std::abs(value - 1 / 0.7F) < 1e-6F);
    zero_count += value == 0.0F ? 1 : 0;
  }
  CHECK(std::abs(static_cast<double>(zero_count) / 20000 - 0.3) <
        0.013);  // four standard deviations
  CHECK(!core::equal(layer(x).value(), layer(x).value()));
  layer.eval();
  CHECK(core::equal(layer(x).value(), x));
  CHECK(core::equal(Dropout{1.0}(x).value(), zeros({20000})));
  CHECK(core::equal(Dropout{0.0}(x).value(), x));
}

TEST_CASE("Dropout2d drops whole channels, and rests in evaluation") {
  Dropout2d layer(0.25, Generator(1));
  const Tensor x = ones({50, 80, 2, 3});
  const Tensor y = layer(x).value();
  const Tensor first = y.slice(2, 0, 1).slice(3, 0, 1);
  CHECK(core::equal(y, first.expand(y.shape()).contiguous()));
  std::int64_t zero_count = 0;
  for (const float value : first.contiguous().to_vector<float>()) {
    CHECK_UNARY(value == 0.0F || std::abs(value - 1 / 0.75F) < 1e-6F);
    zero_count += value == 0.0F ? 1 : 0;
  }
  // Four standard deviations of 4000 draws.
  CHECK(std::abs(static_cast<double>(zero_count) / 4000 - 0.25) < 0.028);
  CHECK(!core::equal(layer(x).value(), y));
  CHECK_THROWS_AS(layer(ones({3, 4, 5})), ShapeError);
  layer.eval();
  CHECK(core::equal(layer(x).value(), x));
  CHECK_THROWS_AS(layer(ones({3, 4, 5})), ShapeError);
  CHECK(layer.extra() == "p=0.25");
}

TEST_CASE("Dropout draws from the default generator, or from its own") {
  const Tensor x = ones({64});
  manual_seed(4);
  const Tensor first = Dropout{0.5}(x).value();
  manual_seed(4);
  CHECK(core::equal(Dropout{0.5}(x).value(), first));
  const std::uint64_t position = default_generator().position();
  CHECK(core::equal(Dropout(0.5, Generator(7))(x).value(), Dropout(0.5, Generator(7))(x).value()));
  CHECK(default_generator().position() == position);
}

TEST_CASE("a criterion is its function with its options, and takes them once") {
  Generator generator(1);
  const Tensor scores = randn({4, 3}, generator);
  const Tensor labels = Tensor::from({2, 0, 1, 1});
  const Tensor weight = Tensor::from({0.5, 1.0, 2.0});
  CrossEntropyLoss plain;
  CHECK(core::equal(plain(scores, labels).value(), cross_entropy(scores, labels).value()));
  CrossEntropyLoss weighted({.weight = weight, .ignore_index = 1, .label_smoothing = 0.1});
  const CrossEntropyOptions options{.weight = weight, .ignore_index = 1, .label_smoothing = 0.1};
  CHECK(core::equal(weighted(scores, labels).value(),
                    cross_entropy(scores, labels, options).value()));
  CHECK(weighted.parameters().empty());
  CHECK(weighted.state_dict().size() == 1);
  CHECK(weighted.state_dict()[0].first == "weight");
  weighted.to(float64);
  CHECK(weighted(scores.to(float64), labels).dtype() == float64);
  CHECK(to_string(weighted) == "CrossEntropyLoss()");
  MSELoss apart(Reduction::none);
  CHECK(apart(scores, core::mul(scores, 2)).shape() == Shape{4, 3});
  BCEWithLogitsLoss logits({.pos_weight = weight});
  CHECK(logits.state_dict()[0].first == "pos_weight");
}

TEST_CASE("a criterion says how many inputs it takes") {
  const Tensor x = ones({2, 3});
  MSELoss mse;
  CHECK(message_of([&] { mse({x, x, x}); }).find("MSELoss: takes 2 Variables, got 3") == 0);
  CHECK(message_of([&] { mse(x); }).find("MSELoss: takes 2 Variables, got 1") == 0);
  CHECK_THROWS_AS(mse(x, zeros({2})), ShapeError);
  CHECK_THROWS_AS(TripletMarginLoss()(x, x), ValueError);
  CHECK_THROWS_AS(CrossEntropyLoss({.label_smoothing = 2})(x, Tensor::from({0, 1})), ValueError);
}
