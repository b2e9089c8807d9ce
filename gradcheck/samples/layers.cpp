// Samples of layers, and the list of all layers.
#include <gradus/core/create.h>
#include <gradus/gradcheck/layers.h>
#include <gradus/gradcheck/samples/loss_layers.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/dropout.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/norm.h>
#include <gradus/layers/pool.h>
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

std::vector<LayerSample> relu_samples() {
  Generator random(5);
  return {module_sample(
              "away from 0", [] { return ReLU{}; }, spaced({3, 4}, random)),
          module_sample(
              "images", [] { return ReLU{}; }, spaced({2, 1, 2, 3}, random))};
}

std::vector<LayerSample> tanh_samples() {
  Generator random(5);
  return {module_sample(
              "normal", [] { return Tanh{}; }, randn({3, 4}, random, float64)),
          module_sample(
              "images", [] { return Tanh{}; }, randn({2, 1, 2, 3}, random, float64))};
}

std::vector<LayerSample> sigmoid_samples() {
  Generator random(5);
  return {module_sample(
              "normal", [] { return Sigmoid{}; }, randn({3, 4}, random, float64)),
          module_sample(
              "images", [] { return Sigmoid{}; }, randn({2, 1, 2, 3}, random, float64))};
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

std::vector<LayerSample> batch_norm2d_samples() {
  Generator random(7);
  const auto make = [](bool training, const BatchNorm2dOptions& options) {
    return [=] {
      BatchNorm2d layer(2, options);
      if (options.track_running_stats) {
        layer.running_mean = Tensor::from({0.5, -0.25});
        layer.running_var = Tensor::from({2.0, 0.5});
      }
      layer.train(training);
      return layer;
    };
  };
  return {module_sample("training", make(true, {}), randn({3, 2, 2, 2}, random, float64)),
          module_sample("evaluation", make(false, {}), randn({3, 2, 2, 2}, random, float64)),
          module_sample("training, not affine", make(true, {.affine = false}),
                        randn({2, 2, 2, 3}, random, float64)),
          module_sample("evaluation, statistics of the batch",
                        make(false, {.track_running_stats = false}),
                        randn({2, 2, 2, 2}, random, float64))};
}

std::vector<LayerSample> dropout_samples() {
  Generator random(10);
  const auto make = [](bool training) {
    return [training] {
      Dropout layer(0.4, Generator(11));
      layer.train(training);
      return layer;
    };
  };
  return {module_sample("training", make(true), randn({4, 5}, random, float64)),
          module_sample("evaluation", make(false), randn({2, 3}, random, float64))};
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

std::vector<LayerSamples> with_losses(std::vector<LayerSamples> all) {
  for (const LayerSamples& loss : samples::loss_layers()) all.push_back(loss);
  return all;
}

}  // namespace

const std::vector<LayerSamples>& all_layers() {
  static const std::vector<LayerSamples> layers = with_losses({
      {"Linear", linear_samples},
      {"Conv2d", conv2d_samples},
      {"ReLU", relu_samples},
      {"Tanh", tanh_samples},
      {"Sigmoid", sigmoid_samples},
      {"MaxPool2d", max_pool2d_samples},
      {"AvgPool2d", avg_pool2d_samples},
      {"AdaptiveAvgPool2d", adaptive_avg_pool2d_samples},
      {"BatchNorm2d", batch_norm2d_samples},
      {"Dropout", dropout_samples},
      {"Flatten", flatten_samples},
      {"Identity", identity_samples},
      {"Sequential", sequential_samples},
  });
  return layers;
}

}  // namespace gradus
