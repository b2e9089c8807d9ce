// Samples of layers, and the list of all layers.
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/gradcheck/layers.h>
#include <gradus/gradcheck/samples/loss_layers.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/attention.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/dropout.h>
#include <gradus/layers/embedding.h>
#include <gradus/layers/image.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/norm.h>
#include <gradus/layers/pool.h>
#include <gradus/layers/recurrent.h>
#include <gradus/layers/sequential.h>
#include <gradus/layers/shape.h>

#include <functional>
#include <string>
#include <utility>

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
      module_sample("same, one more behind",
                    make(2, 2, {.kernel_size = {2, 3}, .padding = Padding::same}),
                    randn({1, 2, 3, 4}, random, float64)),
      module_sample("reflect, an image alone",
                    make(2, 2,
                         {.kernel_size = 3,
                          .stride = 2,
                          .padding = {1, 2},
                          .padding_mode = PaddingMode::reflect}),
                    randn({2, 3, 4}, random, float64)),
      module_sample(
          "circular, same",
          make(1, 2,
               {.kernel_size = 4, .padding = Padding::same, .padding_mode = PaddingMode::circular}),
          randn({2, 1, 3, 4}, random, float64)),
  };
}

std::vector<LayerSample> conv1d_samples() {
  Generator random(13);
  const auto make = [](std::int64_t in, std::int64_t out, const Conv1dLayerOptions& options) {
    return [=] {
      Generator generator(14);
      return Conv1d{in, out, options, generator};
    };
  };
  return {module_sample("3, padding 1", make(2, 3, {.kernel_size = 3, .padding = 1}),
                        randn({2, 2, 5}, random, float64)),
          module_sample("every option, without bias",
                        make(4, 2,
                             {.kernel_size = 2,
                              .stride = 2,
                              .padding = 2,
                              .dilation = 3,
                              .groups = 2,
                              .bias = false}),
                        randn({1, 4, 6}, random, float64)),
          module_sample("replicate, same, a row alone",
                        make(2, 2,
                             {.kernel_size = 4,
                              .padding = Padding::same,
                              .padding_mode = PaddingMode::replicate}),
                        randn({2, 5}, random, float64))};
}

std::vector<LayerSample> conv_transpose2d_samples() {
  Generator random(15);
  const auto make = [](std::int64_t in, std::int64_t out,
                       const ConvTranspose2dLayerOptions& options) {
    return [=] {
      Generator generator(16);
      return ConvTranspose2d{in, out, options, generator};
    };
  };
  return {module_sample("twice the size", make(2, 3, {.kernel_size = 4, .stride = 2, .padding = 1}),
                        randn({2, 2, 3, 2}, random, float64)),
          module_sample("every option, without bias",
                        make(4, 2,
                             {.kernel_size = {2, 3},
                              .stride = {3, 2},
                              .padding = {1, 0},
                              .output_padding = {2, 1},
                              .groups = 2,
                              .bias = false,
                              .dilation = {1, 2}}),
                        randn({1, 4, 2, 3}, random, float64)),
          module_sample("an image alone", make(2, 2, {.kernel_size = 3}),
                        randn({2, 2, 3}, random, float64))};
}

std::vector<LayerSample> unfold_samples() {
  Generator random(17);
  return {module_sample(
              "3x3, padded", [] { return Unfold{{.kernel_size = 3, .padding = 1}}; },
              randn({2, 2, 3, 4}, random, float64)),
          module_sample(
              "2x2, an image alone", [] { return Unfold{2}; }, randn({2, 3, 4}, random, float64))};
}

std::vector<LayerSample> fold_samples() {
  Generator random(17);
  return {module_sample(
              "3x3, padded",
              [] {
                return Fold{{3, 4}, {.kernel_size = 3, .padding = 1}};
              },
              randn({2, 18, 12}, random, float64)),
          module_sample(
              "2x2, an image alone",
              [] {
                return Fold{{3, 4}, {.kernel_size = 2}};
              },
              randn({8, 6}, random, float64))};
}

std::vector<LayerSample> zero_pad2d_samples() {
  Generator random(18);
  return {module_sample(
              "all sides", [] { return ZeroPad2d{1}; }, randn({2, 1, 2, 3}, random, float64)),
          module_sample(
              "more and less",
              [] {
                return ZeroPad2d{2, -1, 0, 1};
              },
              randn({2, 3, 4}, random, float64))};
}

std::vector<LayerSample> pixel_shuffle_samples() {
  Generator random(19);
  return {module_sample(
              "by 2", [] { return PixelShuffle{2}; }, randn({2, 8, 2, 3}, random, float64)),
          module_sample(
              "by 3, an image alone", [] { return PixelShuffle{3}; },
              randn({9, 1, 2}, random, float64))};
}

std::vector<LayerSample> pixel_unshuffle_samples() {
  Generator random(19);
  return {module_sample(
              "by 2", [] { return PixelUnshuffle{2}; }, randn({2, 2, 4, 2}, random, float64)),
          module_sample(
              "by 3, an image alone", [] { return PixelUnshuffle{3}; },
              randn({1, 3, 6}, random, float64))};
}

std::vector<LayerSample> upsample_samples() {
  Generator random(20);
  return {module_sample(
              "nearest, twice the size", [] { return Upsample{{.scale_factor = 2}}; },
              randn({2, 1, 2, 3}, random, float64)),
          module_sample(
              "bilinear, to a size",
              [] {
                return Upsample{{.size = {5, 3}, .mode = InterpolateMode::bilinear}};
              },
              randn({1, 2, 3, 4}, random, float64))};
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

/// A layer of several Variables as one of one: `inputs` makes them of x, and all that it gives stands in a row.
template <class Layer> struct InARow final : Module {
  Layer layer;
  std::function<Variables(const Variable&)> inputs;

  InARow(Layer of, std::function<Variables(const Variable&)> from)
      : layer(std::move(of)), inputs(std::move(from)) {}
  void visit(Visitor& v) override { v("layer", layer); }
  Variable forward(const Variable& x) override {
    Variables rows;
    for (const Variable& y : layer(inputs(x))) rows.push_back(flatten(y));
    return cat(rows);
  }
};

Variables alone(const Variable& x) { return {x}; }

template <class Layer>
LayerSample sample_of(std::string description, std::function<Layer(Generator&)> make,
                      std::function<Variables(const Variable&)> inputs, const Tensor& x) {
  return module_sample(
      std::move(description),
      [make = std::move(make), inputs = std::move(inputs)] {
        Generator generator(13);
        return InARow<Layer>(make(generator), inputs);
      },
      x);
}

template <class Layer> std::vector<LayerSample> recurrent_samples(int states) {
  Generator random(14);
  using Make = std::function<Layer(Generator&)>;
  // Two steps of two sequences, and the states of two layers and both directions behind them.
  const auto with_states = [states](const Variable& x) {
    Variables all{reshape(narrow(x, 0, 0, 12), {2, 2, 3})};
    for (int k = 0; k < states; ++k)
      all.push_back(reshape(narrow(x, 0, 12 + 16 * k, 16), {4, 2, 2}));
    return all;
  };
  return {sample_of<Layer>("three steps", Make([](Generator& g) { return Layer(2, 3, {}, g); }),
                           alone, randn({3, 2, 2}, random, float64)),
          sample_of<Layer>("two layers, both ways, with states", Make([](Generator& g) {
                             return Layer(3, 2, {.num_layers = 2, .bidirectional = true}, g);
                           }),
                           with_states, randn({12 + 16 * states}, random, float64)),
          sample_of<Layer>("batch first, without bias", Make([](Generator& g) {
                             return Layer(2, 2, {.bias = false, .batch_first = true}, g);
                           }),
                           alone, randn({1, 3, 2}, random, float64)),
          sample_of<Layer>("without a batch", Make([](Generator& g) { return Layer(2, 2, {}, g); }),
                           alone, randn({2, 2}, random, float64))};
}

template <class Layer> std::vector<LayerSample> cell_samples(int states) {
  Generator random(15);
  using Make = std::function<Layer(Generator&)>;
  const auto with_states = [states](const Variable& x) {
    Variables all{reshape(narrow(x, 0, 0, 6), {2, 3})};
    for (int k = 0; k < states; ++k) all.push_back(reshape(narrow(x, 0, 6 + 4 * k, 4), {2, 2}));
    return all;
  };
  return {sample_of<Layer>("with states", Make([](Generator& g) { return Layer(3, 2, {}, g); }),
                           with_states, randn({6 + 4 * states}, random, float64)),
          sample_of<Layer>("without a batch, without bias",
                           Make([](Generator& g) { return Layer(3, 2, {.bias = false}, g); }),
                           alone, randn({3}, random, float64))};
}

std::vector<LayerSample> rnn_samples() { return recurrent_samples<RNN>(1); }
std::vector<LayerSample> lstm_samples() { return recurrent_samples<LSTM>(2); }
std::vector<LayerSample> gru_samples() { return recurrent_samples<GRU>(1); }
std::vector<LayerSample> rnn_cell_samples() { return cell_samples<RNNCell>(1); }
std::vector<LayerSample> lstm_cell_samples() { return cell_samples<LSTMCell>(2); }
std::vector<LayerSample> gru_cell_samples() { return cell_samples<GRUCell>(1); }

std::vector<LayerSample> multihead_attention_samples() {
  Generator random(16);
  using Make = std::function<MultiheadAttention(Generator&)>;
  const auto itself = [](const Variable& x) { return Variables{x, x, x}; };
  const auto padded = [](const Variable& x) {
    return Variables{narrow(x, 1, 0, 2), x, x * 0.5, Tensor::from({{false, false, true}}),
                     Tensor::from({{0.5, 0.0, 1.0}, {0.0, -1.0, 0.25}}, x.dtype())};
  };
  return {sample_of<MultiheadAttention>("itself, two heads", Make([](Generator& g) {
                                          return MultiheadAttention(4, 2, {}, g);
                                        }),
                                        itself, randn({3, 2, 4}, random, float64)),
          sample_of<MultiheadAttention>("masks, batch first, without bias", Make([](Generator& g) {
                                          return MultiheadAttention(
                                              2, 1, {.bias = false, .batch_first = true}, g);
                                        }),
                                        padded, randn({1, 3, 2}, random, float64))};
}

/// Looks rows up and scales them by x, since the numbers of rows have no slopes.
struct LookedUp final : Module {
  Embedding table;
  Tensor rows;

  LookedUp(Embedding of, Tensor numbers) : table(std::move(of)), rows(std::move(numbers)) {}
  void visit(Visitor& v) override { v("table", table); }
  Variable forward(const Variable& x) override { return table(rows) * x; }
};

std::vector<LayerSample> embedding_samples() {
  Generator random(17);
  const auto make = [](const EmbeddingOptions& options, const Tensor& rows) {
    return [=] {
      Generator generator(18);
      return LookedUp(Embedding(4, 3, options, generator), rows);
    };
  };
  return {module_sample("rows, one twice", make({}, Tensor::from({1, 3, 1})),
                        randn({3, 3}, random, float64)),
          module_sample("a matrix of numbers", make({}, Tensor::from({{0, 2}, {2, 3}})),
                        randn({3}, random, float64))};
}

std::vector<LayerSamples> with_losses(std::vector<LayerSamples> all) {
  for (const LayerSamples& loss : samples::loss_layers()) all.push_back(loss);
  return all;
}

}  // namespace

const std::vector<LayerSamples>& all_layers() {
  static const std::vector<LayerSamples> layers = with_losses({
      {"Linear", linear_samples},
      {"Conv1d", conv1d_samples},
      {"Conv2d", conv2d_samples},
      {"ConvTranspose2d", conv_transpose2d_samples},
      {"Unfold", unfold_samples},
      {"Fold", fold_samples},
      {"ZeroPad2d", zero_pad2d_samples},
      {"PixelShuffle", pixel_shuffle_samples},
      {"PixelUnshuffle", pixel_unshuffle_samples},
      {"Upsample", upsample_samples},
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
      {"Embedding", embedding_samples},
      {"RNN", rnn_samples},
      {"LSTM", lstm_samples},
      {"GRU", gru_samples},
      {"RNNCell", rnn_cell_samples},
      {"LSTMCell", lstm_cell_samples},
      {"GRUCell", gru_cell_samples},
      {"MultiheadAttention", multihead_attention_samples},
  });
  return layers;
}

}  // namespace gradus
