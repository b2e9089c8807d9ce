// Samples of layers, and the list of all layers.
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/gradcheck/layers.h>
#include <gradus/gradcheck/samples/loss_layers.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/attention.h>
#include <gradus/layers/container.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/dropout.h>
#include <gradus/layers/embedding.h>
#include <gradus/layers/image.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/norm.h>
#include <gradus/layers/pool.h>
#include <gradus/layers/recurrent.h>
#include <gradus/layers/residual.h>
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
  return {
      module_sample(
          "halves", [] { return AvgPool1d{2}; }, randn({2, 2, 4}, random, float64)),
      module_sample(
          "padding not counted",
          [] { return AvgPool1d{{.kernel_size = 3, .padding = 1, .count_include_pad = false}}; },
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
  // Two steps of two sequences, and the states of two layers and both directions behind them. One
  // hidden number: what matrices do is seen in the others.
  const auto with_states = [states](const Variable& x) {
    Variables all{reshape(narrow(x, 0, 0, 8), {2, 2, 2})};
    for (int k = 0; k < states; ++k) all.push_back(reshape(narrow(x, 0, 8 + 8 * k, 8), {4, 2, 1}));
    return all;
  };
  return {sample_of<Layer>("two steps", Make([](Generator& g) { return Layer(3, 2, {}, g); }),
                           alone, randn({2, 2, 3}, random, float64)),
          sample_of<Layer>("two layers, both ways, with states", Make([](Generator& g) {
                             return Layer(2, 1, {.num_layers = 2, .bidirectional = true}, g);
                           }),
                           with_states, randn({8 + 8 * states}, random, float64)),
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

std::vector<LayerSample> transformer_encoder_layer_samples() {
  Generator random(19);
  using Make = std::function<TransformerEncoderLayer(Generator&)>;
  const auto masked = [](const Variable& x) {
    return Variables{
        x, Tensor::from({{false, true, true}, {false, false, true}, {false, false, false}})};
  };
  return {sample_of<TransformerEncoderLayer>("relu, norms behind", Make([](Generator& g) {
                                               return TransformerEncoderLayer(
                                                   4, 2, {.dim_feedforward = 3, .dropout = 0}, g);
                                             }),
                                             alone, randn({3, 2, 4}, random, float64)),
          sample_of<TransformerEncoderLayer>(
              "gelu, norms in front, batch first, a mask", Make([](Generator& g) {
                return TransformerEncoderLayer(4, 1,
                                               {.dim_feedforward = 5,
                                                .dropout = 0,
                                                .activation = TransformerActivation::gelu,
                                                .batch_first = true,
                                                .norm_first = true},
                                               g);
              }),
              masked, randn({1, 3, 4}, random, float64))};
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
      {"Embedding", embedding_samples},
      {"RNN", rnn_samples},
      {"LSTM", lstm_samples},
      {"GRU", gru_samples},
      {"RNNCell", rnn_cell_samples},
      {"LSTMCell", lstm_cell_samples},
      {"GRUCell", gru_cell_samples},
      {"MultiheadAttention", multihead_attention_samples},
      {"TransformerEncoderLayer", transformer_encoder_layer_samples},
  });
  return layers;
}

}  // namespace gradus
