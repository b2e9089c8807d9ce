// Samples of layers, and the list of all layers.
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/gradcheck/layers.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/container.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/dropout.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/norm.h>
#include <gradus/layers/pool.h>
#include <gradus/layers/residual.h>
#include <gradus/layers/sequential.h>
#include <gradus/layers/shape.h>

namespace gradus {
namespace {

std::vector<LayerSample> linear_samples() {
  Generator random(1);
  const auto make = [](bool with_bias) {
    return [with_bias] {
      Generator generator(2);
      return Linear{3, 4, {.bias = with_bias}, generator};
    };
  };
  return {module_sample("[5,3] -> [5,4]", make(true), randn({5, 3}, random, float64)),
          module_sample("without bias", make(false), randn({2, 3}, random, float64)),
          module_sample("[2,2,3] -> [2,2,4]", make(true), randn({2, 2, 3}, random, float64))};
}

std::vector<LayerSample> conv2d_samples() {
  Generator random(3);
  const auto make = [](std::int64_t in, std::int64_t out, const Conv2dLayerOptions& options) {
    return [=] {
      Generator generator(4);
      return Conv2d{in, out, options, generator};
    };
  };
  return {
      module_sample("3x3, padding 1", make(2, 3, {.kernel_size = 3, .padding = 1}),
                    randn({2, 2, 4, 5}, random, float64)),
      module_sample("1x1", make(3, 2, {.kernel_size = 1}), randn({2, 3, 3, 3}, random, float64)),
      module_sample("1x1, stride 2, without bias",
                    make(2, 2, {.kernel_size = 1, .stride = 2, .bias = false}),
                    randn({1, 2, 5, 4}, random, float64)),
      module_sample(
          "3x2, strides, paddings and dilations that differ",
          make(2, 2,
               {.kernel_size = {3, 2}, .stride = {2, 1}, .padding = {2, 0}, .dilation = {1, 2}}),
          randn({2, 2, 5, 6}, random, float64)),
      module_sample("groups 2", make(4, 2, {.kernel_size = 3, .groups = 2}),
                    randn({1, 4, 4, 4}, random, float64)),
      module_sample("depthwise", make(3, 3, {.kernel_size = 3, .padding = 1, .groups = 3}),
                    randn({1, 3, 3, 4}, random, float64)),
  };
}

/// Of an activation, with its numbers. No kink lies on an odd multiple of 0.05, as the inputs do.
template <class Layer, auto... numbers> std::vector<LayerSample> activation_samples() {
  Generator random(5);
  const auto make = [] { return Layer{numbers...}; };
  return {module_sample("away from 0", make, spaced({3, 4}, random)),
          module_sample("images", make, spaced({2, 3, 2, 2}, random)),
          module_sample("far out", make, core::mul(spaced({2, 5}, random), 9))};
}

std::vector<LayerSample> max_pool2d_samples() {
  Generator random(6);
  return {module_sample(
              "2x2", [] { return MaxPool2d{{.kernel_size = 2}}; }, spaced({2, 2, 4, 4}, random)),
          module_sample(
              "3x2, overlapping, padded",
              [] {
                return MaxPool2d{{.kernel_size = {3, 2}, .stride = {2, 1}, .padding = {1, 0}}};
              },
              spaced({1, 2, 5, 5}, random)),
          module_sample(
              "dilated", [] { return MaxPool2d{{.kernel_size = 2, .stride = 1, .dilation = 2}}; },
              spaced({1, 1, 5, 4}, random))};
}

std::vector<LayerSample> avg_pool2d_samples() {
  Generator random(6);
  return {module_sample(
              "2x2", [] { return AvgPool2d{{.kernel_size = 2}}; },
              randn({2, 2, 4, 4}, random, float64)),
          module_sample(
              "3x3, padding counted",
              [] { return AvgPool2d{{.kernel_size = 3, .stride = 2, .padding = 1}}; },
              randn({1, 2, 5, 4}, random, float64)),
          module_sample(
              "3x2, padding not counted",
              [] {
                return AvgPool2d{
                    {.kernel_size = {3, 2}, .stride = 1, .padding = 1, .count_include_pad = false}};
              },
              randn({1, 1, 4, 4}, random, float64))};
}

std::vector<LayerSample> adaptive_avg_pool2d_samples() {
  Generator random(6);
  return {module_sample(
              "global", [] { return AdaptiveAvgPool2d{1}; }, randn({2, 2, 3, 4}, random, float64)),
          module_sample(
              "windows that overlap",
              [] {
                return AdaptiveAvgPool2d{Pair{3, 2}};
              },
              randn({1, 2, 5, 5}, random, float64)),
          module_sample(
              "more windows than pixels", [] { return AdaptiveAvgPool2d{4}; },
              randn({1, 1, 2, 3}, random, float64))};
}

std::vector<LayerSample> max_pool1d_samples() {
  Generator random(6);
  return {module_sample(
              "halves", [] { return MaxPool1d{2}; }, spaced({2, 2, 4}, random)),
          module_sample(
              "overlapping, padded, hanging over",
              [] {
                return MaxPool1d{{.kernel_size = 3, .stride = 2, .padding = 1, .ceil_mode = true}};
              },
              spaced({1, 2, 6}, random))};
}

std::vector<LayerSample> avg_pool1d_samples() {
  Generator random(6);
  return {module_sample(
              "halves", [] { return AvgPool1d{2}; }, randn({2, 2, 4}, random, float64)),
          module_sample(
              "padding not counted",
              [] {
                return AvgPool1d{{.kernel_size = 3, .padding = 1, .count_include_pad = false}};
              },
              randn({1, 2, 5}, random, float64))};
}

/// Of rows, unless the shapes are of images.
template <class Layer>
std::vector<LayerSample> adaptive_samples(const Shape& first = {2, 2, 5},
                                          const Shape& second = {1, 3, 2}) {
  Generator random(6);
  return {module_sample(
              "to one number", [] { return Layer{1}; }, spaced(first, random)),
          module_sample(
              "windows that overlap", [] { return Layer{3}; }, spaced(first, random)),
          module_sample(
              "more windows than numbers", [] { return Layer{4}; }, spaced(second, random))};
}

std::vector<LayerSample> adaptive_max_pool2d_samples() {
  return adaptive_samples<AdaptiveMaxPool2d>({2, 2, 5, 4}, {1, 1, 2, 3});
}

/// `make(training, options)` makes the layer of two channels; [N,2,...] are the inputs.
template <class Layer, class Options>
std::vector<LayerSample> channel_norm_samples(const Shape& larger, const Shape& smaller) {
  Generator random(7);
  const auto make = [](bool training, const Options& options) {
    return [=] {
      Layer layer(2, options);
      if (options.track_running_stats) {
        layer.running_mean = Tensor::from({0.5, -0.25});
        layer.running_var = Tensor::from({2.0, 0.5});
      }
      layer.train(training);
      return layer;
    };
  };
  const Options tracked{.affine = true, .track_running_stats = true};
  return {module_sample("training", make(true, tracked), randn(larger, random, float64)),
          module_sample("evaluation", make(false, tracked), randn(larger, random, float64)),
          module_sample("training, not affine",
                        make(true, {.affine = false, .track_running_stats = true}),
                        randn(smaller, random, float64)),
          module_sample("evaluation, statistics of the batch",
                        make(false, {.affine = true, .track_running_stats = false}),
                        randn(larger, random, float64))};
}

std::vector<LayerSample> batch_norm2d_samples() {
  return channel_norm_samples<BatchNorm2d, BatchNorm2dOptions>({3, 2, 2, 2}, {2, 2, 2, 3});
}

std::vector<LayerSample> batch_norm1d_samples() {
  return channel_norm_samples<BatchNorm1d, BatchNorm1dOptions>({4, 2, 3}, {5, 2});
}

std::vector<LayerSample> instance_norm2d_samples() {
  return channel_norm_samples<InstanceNorm2d, InstanceNorm2dOptions>({3, 2, 2, 3}, {2, 3, 2});
}

std::vector<LayerSample> layer_norm_samples() {
  Generator random(7);
  return {module_sample(
              "rows", [] { return LayerNorm{4}; }, randn({3, 4}, random, float64)),
          module_sample(
              "two dimensions",
              [] {
                return LayerNorm{{3, 2}};
              },
              randn({2, 3, 2}, random, float64)),
          module_sample(
              "not affine",
              [] {
                return LayerNorm{3, {.elementwise_affine = false}};
              },
              randn({2, 2, 3}, random, float64))};
}

std::vector<LayerSample> group_norm_samples() {
  Generator random(7);
  return {module_sample(
              "two groups",
              [] {
                return GroupNorm{2, 4};
              },
              randn({2, 4, 2, 2}, random, float64)),
          module_sample(
              "not affine",
              [] {
                return GroupNorm{1, 2, {.affine = false}};
              },
              randn({3, 2, 3}, random, float64))};
}

template <class Layer>
std::vector<LayerSample> dropping_samples(const Shape& larger, const Shape& smaller) {
  Generator random(10);
  const auto make = [](bool training) {
    return [training] {
      Layer layer(0.4, Generator(11));
      layer.train(training);
      return layer;
    };
  };
  return {module_sample("training", make(true), randn(larger, random, float64)),
          module_sample("evaluation", make(false), randn(smaller, random, float64))};
}

std::vector<LayerSample> dropout_samples() { return dropping_samples<Dropout>({4, 5}, {2, 3}); }

std::vector<LayerSample> dropout2d_samples() {
  return dropping_samples<Dropout2d>({3, 4, 2, 2}, {2, 3, 1, 1});
}

std::vector<LayerSample> flatten_samples() {
  Generator random(12);
  return {module_sample(
              "all but the batch", [] { return Flatten{}; }, randn({2, 3, 2, 2}, random, float64)),
          module_sample(
              "two in the middle",
              [] {
                return Flatten{1, 2};
              },
              randn({2, 3, 2, 2}, random, float64))};
}

std::vector<LayerSample> identity_samples() {
  Generator random(12);
  return {module_sample(
              "a matrix", [] { return Identity{}; }, randn({2, 3}, random, float64)),
          module_sample(
              "a vector", [] { return Identity{}; }, randn({4}, random, float64))};
}

std::vector<LayerSample> sequential_samples() {
  Generator random(8);
  const auto make = [] {
    Generator generator(9);
    return Sequential{Linear{3, 4, {}, generator}, Tanh{}, Linear{4, 2, {}, generator}};
  };
  return {module_sample("linear, tanh, linear", make, randn({5, 3}, random, float64)),
          module_sample(
              "empty", [] { return Sequential{}; }, randn({2, 3}, random, float64))};
}

std::vector<LayerSample> module_list_samples() {
  struct Loop : Module {
    ModuleList layers;
    void visit(Visitor& v) override { v("layers", layers); }
    Variable forward(const Variable& x) override {
      Variable y = x;
      for (Module& layer : layers) y = tanh(layer(y));
      return y;
    }
  };
  Generator random(13);
  const auto make = [](std::size_t count) {
    return [count] {
      Generator generator(14);
      Loop loop;
      for (std::size_t i = 0; i < count; ++i) loop.layers.append(Linear{3, 3, {}, generator});
      return loop;
    };
  };
  return {module_sample("two", make(2), randn({4, 3}, random, float64)),
          module_sample("none", make(0), randn({2, 3}, random, float64))};
}

std::vector<LayerSample> residual_samples() {
  Generator random(15);
  const auto make = [](std::int64_t out, Activation activation) {
    return [=] {
      Generator generator(16);
      auto body = std::make_unique<Sequential>(Linear{3, 5, {}, generator}, Tanh{},
                                               Linear{5, out, {}, generator});
      std::unique_ptr<Module> shortcut;
      if (out != 3) shortcut = std::make_unique<Linear>(3, out, LinearOptions{}, generator);
      return Residual(std::move(body), std::move(shortcut), activation);
    };
  };
  return {
      module_sample("x itself", make(3, Activation::none), randn({4, 3}, random, float64)),
      module_sample("a shortcut", make(2, Activation::none), randn({4, 3}, random, float64)),
      module_sample("a shortcut, relu", make(4, Activation::relu), randn({2, 3}, random, float64))};
}

}  // namespace

const std::vector<LayerSamples>& all_layers() {
  static const std::vector<LayerSamples> layers = {
      {"Linear", linear_samples},
      {"Conv2d", conv2d_samples},
      {"ReLU", activation_samples<ReLU>},
      {"Tanh", activation_samples<Tanh>},
      {"Sigmoid", activation_samples<Sigmoid>},
      {"LeakyReLU", activation_samples<LeakyReLU>},
      {"PReLU", activation_samples<PReLU>},
      {"ELU", activation_samples<ELU>},
      {"SELU", activation_samples<SELU>},
      {"GELU", activation_samples<GELU>},
      {"SiLU", activation_samples<SiLU>},
      {"Softplus", activation_samples<Softplus, 2>},
      {"LogSigmoid", activation_samples<LogSigmoid>},
      {"Softsign", activation_samples<Softsign>},
      {"Hardtanh", activation_samples<Hardtanh, -1, 2>},
      {"ReLU6", activation_samples<ReLU6>},
      {"Hardsigmoid", activation_samples<Hardsigmoid>},
      {"Hardswish", activation_samples<Hardswish>},
      {"Softmax", activation_samples<Softmax, 1>},
      {"LogSoftmax", activation_samples<LogSoftmax, -1>},
      {"MaxPool2d", max_pool2d_samples},
      {"AvgPool2d", avg_pool2d_samples},
      {"AdaptiveAvgPool2d", adaptive_avg_pool2d_samples},
      {"AdaptiveMaxPool2d", adaptive_max_pool2d_samples},
      {"MaxPool1d", max_pool1d_samples},
      {"AvgPool1d", avg_pool1d_samples},
      {"AdaptiveAvgPool1d", [] { return adaptive_samples<AdaptiveAvgPool1d>(); }},
      {"AdaptiveMaxPool1d", [] { return adaptive_samples<AdaptiveMaxPool1d>(); }},
      {"BatchNorm2d", batch_norm2d_samples},
      {"BatchNorm1d", batch_norm1d_samples},
      {"InstanceNorm2d", instance_norm2d_samples},
      {"LayerNorm", layer_norm_samples},
      {"GroupNorm", group_norm_samples},
      {"Dropout", dropout_samples},
      {"Dropout2d", dropout2d_samples},
      {"Flatten", flatten_samples},
      {"Identity", identity_samples},
      {"Sequential", sequential_samples},
      {"ModuleList", module_list_samples},
      {"Residual", residual_samples},
  };
  return layers;
}

}  // namespace gradus
