// Nets that the tests export: the models that train knows, every layer of NET.json with the options that make it
// another net, and nets of sequences. With numbers drawn anew, so that no norm is the identity.
#pragma once

#include <gradus/core/create.h>
#include <gradus/core/random.h>
#include <gradus/interchange/from_module.h>
#include <gradus/layers/attention.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/embedding.h>
#include <gradus/layers/image.h>
#include <gradus/layers/models.h>
#include <gradus/layers/net_json.h>
#include <gradus/layers/norm.h>
#include <gradus/layers/pool.h>
#include <gradus/layers/recurrent.h>
#include <gradus/layers/sequential.h>
#include <gradus/layers/shape.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace zoo {

/// A net, and what graph_of() is told of it.
struct Net {
  std::string name;
  std::shared_ptr<gradus::Module> net;
  gradus::Shape example;
  gradus::interchange::ExportOptions options;
};

/// Parameters from U(-1/2, 1/2)·√(6/fan_in) or so, shifts small, variances around 1.
inline void draw(gradus::Module& net, gradus::Generator& generator) {
  using namespace gradus;
  for (const auto& [name, tensor] : net.state_dict()) {
    if (!is_floating(tensor.dtype())) continue;
    const Tensor numbers = rand(tensor.shape(), generator, tensor.dtype());
    const bool is_scale = tensor.rank() == 1 && name.ends_with("weight");
    const bool is_variance = name.ends_with("running_var");
    if (tensor.rank() > 1) continue;  // drawn by the layer
    for (std::int64_t i = 0; i < numbers.numel(); ++i) {
      float& x = numbers.data<float>()[i];
      x = is_scale || is_variance ? x + 0.5F : x - 0.5F;
    }
    tensor.copy_(numbers);
  }
}

/// One of a layer, or a net, as NET.json has it, for images [2,9,8]; a head makes scores of what it gives.
struct Text {
  const char* name;
  const char* layers;
};

inline const std::vector<Text>& texts() {
  static const std::vector<Text> all = {
      {"conv_same",
       R"([{"Conv2d": {"out_channels": 4, "kernel_size": [4, 3], "padding": "same", "dilation": [1, 2]}}])"},
      {"conv_groups",
       R"([{"Conv2d": {"out_channels": 4, "kernel_size": 3, "stride": [2, 1], "padding": [0, 2], "groups": 2, "bias": false}}])"},
      {"conv_reflect",
       R"([{"Conv2d": {"out_channels": 3, "kernel_size": 3, "padding": [1, 2], "padding_mode": "reflect"}}])"},
      {"conv_replicate",
       R"([{"Conv2d": {"out_channels": 3, "kernel_size": 3, "padding": 1, "padding_mode": "replicate"}}])"},
      {"conv_circular",
       R"([{"Conv2d": {"out_channels": 3, "kernel_size": [4, 3], "padding": "same", "padding_mode": "circular"}}])"},
      {"conv_transpose",
       R"([{"ConvTranspose2d": {"out_channels": 4, "kernel_size": [3, 2], "stride": 2, "padding": [1, 0], "output_padding": [1, 0], "groups": 2}}])"},
      {"max_pool", R"([{"MaxPool2d": {"kernel_size": 3, "stride": 2, "padding": 1}}])"},
      {"max_pool_ceil", R"([{"MaxPool2d": {"kernel_size": 2, "stride": 2, "ceil_mode": true}}])"},
      {"max_pool_ceil_dropped",
       R"([{"MaxPool2d": {"kernel_size": [2, 3], "stride": [2, 5], "padding": [1, 1], "ceil_mode": true}}])"},
      {"max_pool_dilated",
       R"([{"MaxPool2d": {"kernel_size": 3, "stride": 1, "dilation": [2, 1]}}])"},
      {"avg_pool", R"([{"AvgPool2d": {"kernel_size": 3, "stride": 2, "padding": 1}}])"},
      {"avg_pool_exclusive",
       R"([{"AvgPool2d": {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": false}}])"},
      {"avg_pool_ceil",
       R"([{"AvgPool2d": {"kernel_size": [2, 3], "stride": [2, 3], "padding": [0, 1], "ceil_mode": true}}])"},
      {"avg_pool_ceil_exclusive",
       R"([{"AvgPool2d": {"kernel_size": 3, "stride": 3, "padding": 1, "ceil_mode": true, "count_include_pad": false}}])"},
      {"avg_pool_divisor",
       R"([{"AvgPool2d": {"kernel_size": 2, "stride": 2, "padding": 1, "ceil_mode": true, "divisor_override": 3}}])"},
      {"adaptive_avg_even", R"([{"AdaptiveAvgPool2d": [3, 4]}])"},
      {"adaptive_avg_uneven", R"([{"AdaptiveAvgPool2d": [4, 5]}])"},
      {"adaptive_avg_global", R"([{"AdaptiveAvgPool2d": 1}])"},
      {"adaptive_max_even", R"([{"AdaptiveMaxPool2d": [3, 2]}])"},
      {"adaptive_max_uneven", R"([{"AdaptiveMaxPool2d": [2, 3]}])"},
      {"adaptive_max_global", R"([{"AdaptiveMaxPool2d": 1}])"},
      {"batch_norm",
       R"(["BatchNorm2d", {"BatchNorm2d": {"eps": 0.01, "momentum": 0.3, "affine": false}}])"},
      {"batch_norm_plain_mean", R"([{"BatchNorm2d": {"momentum": null}}])"},
      {"batch_norm_untracked", R"([{"BatchNorm2d": {"track_running_stats": false}}])"},
      {"batch_norm_rows",
       R"(["Flatten", {"Linear": 6}, "BatchNorm1d", {"Linear": {"out_features": 5, "bias": false}}, "BatchNorm1d"])"},
      {"instance_norm", R"(["InstanceNorm2d", {"InstanceNorm2d": {"affine": true}}])"},
      {"instance_norm_tracked",
       R"([{"InstanceNorm2d": {"affine": true, "track_running_stats": true}}])"},
      {"group_norm",
       R"([{"Conv2d": {"out_channels": 6, "kernel_size": 1}}, {"GroupNorm": 3}, {"GroupNorm": {"num_groups": 2, "affine": false}}])"},
      {"layer_norm",
       R"(["LayerNorm", {"LayerNorm": {"normalized_shape": [8], "elementwise_affine": false}}])"},
      {"relus",
       R"(["ReLU", {"Conv2d": {"out_channels": 3, "kernel_size": 1}}, "ReLU6", {"Conv2d": {"out_channels": 3, "kernel_size": 1}}, {"LeakyReLU": 0.2}, "PReLU", {"PReLU": {"num_parameters": 3}}])"},
      {"exponentials", R"(["SELU", {"ELU": 0.7}, "SiLU", "Sigmoid", "Tanh"])"},
      {"softplus",
       R"(["Softplus", {"Softplus": {"beta": 2, "threshold": 1}}, "LogSigmoid", "Softsign"])"},
      {"gelus", R"(["GELU", {"GELU": "tanh"}])"},
      {"hard", R"(["Hardswish", "Hardsigmoid", {"Hardtanh": {"min_val": 0.3, "max_val": 0.6}}])"},
      {"softmax", R"([{"Softmax": 1}, {"LogSoftmax": -1}])"},
      {"dropout", R"(["Dropout", {"Dropout2d": 0.3}, {"Dropout": 0}, "Identity"])"},
      {"flatten",
       R"([{"Flatten": {"start_dim": 1, "end_dim": 2}}, {"Linear": 5}, {"Flatten": {"start_dim": 2}}])"},
      {"upsample",
       R"([{"Upsample": 2}, {"Upsample": {"scale_factor": [1.5, 2], "mode": "bilinear"}}])"},
      {"upsample_to_size",
       R"([{"Upsample": {"size": [12, 5], "mode": "bilinear", "align_corners": true}}, {"Upsample": {"size": [7, 11]}}])"},
      {"upsample_odd", R"([{"Upsample": {"scale_factor": 2.05, "mode": "nearest"}}])"},
      {"pixels",
       R"([{"Conv2d": {"out_channels": 8, "kernel_size": 2}}, {"PixelShuffle": 2}, {"ZeroPad2d": [-1, 1, 2, -2]}, {"PixelUnshuffle": 2}])"},
      {"residual",
       R"([{"Residual": {"body": [{"Conv2d": {"out_channels": 4, "kernel_size": 3, "padding": 1, "bias": false}}, "BatchNorm2d"], "shortcut": [{"Conv2d": {"out_channels": 4, "kernel_size": 1}}], "activation": "relu"}}, {"Residual": {"body": [{"Sequential": ["ReLU"]}]}}])"},
  };
  return all;
}

inline std::string with_head(const std::string& layers) {
  const bool flat = layers.find("\"Flatten\", {\"Linear\": 6}") != std::string::npos;
  return layers.substr(0, layers.rfind(']')) + (flat ? "" : ", \"Flatten\"") +
         ", {\"Linear\": \"classes\"}]";
}

template <class M>
void add(std::vector<Net>& nets, std::string name, M&& net, gradus::Shape example,
         gradus::interchange::ExportOptions options = {}) {
  nets.push_back({std::move(name), std::make_shared<M>(std::move(net)), std::move(example),
                  std::move(options)});
}

inline void add_rows(std::vector<Net>& nets, gradus::Generator& g) {
  using namespace gradus;
  add(nets, "rows",
      Sequential{
          Conv1d{2, 4, {.kernel_size = 4, .padding = Padding::same}, g}, BatchNorm1d{4},
          MaxPool1d{{.kernel_size = 3, .stride = 2, .ceil_mode = true}},
          AvgPool1d{{.kernel_size = 2, .stride = 2, .padding = 1, .ceil_mode = true}},
          Conv1d{4, 3, {.kernel_size = 3, .padding = 1, .padding_mode = PaddingMode::circular}, g},
          AdaptiveMaxPool1d{3}, AdaptiveAvgPool1d{2}, Flatten{}, Linear{6, 5, {}, g}},
      {2, 19});
  add(nets, "unfold", Sequential{Unfold{{.kernel_size = {2, 3}, .padding = {1, 0}, .stride = 2}}},
      {2, 7, 8});
  add(nets, "fold",
      Sequential{Fold{{6, 7}, {.kernel_size = {2, 3}, .padding = {0, 1}, .stride = 2}}}, {12, 12});
}

inline void add_sequences(std::vector<Net>& nets, gradus::Generator& g) {
  using namespace gradus;
  const interchange::ExportOptions second{.input = "sequence", .output = "output", .batch_axis = 1};
  const interchange::ExportOptions first{.input = "sequence", .output = "output"};
  add(nets, "rnn", RNN{3, 4, {.nonlinearity = Nonlinearity::relu}, g}, {5, 3}, second);
  add(nets, "lstm", LSTM{3, 4, {}, g}, {5, 3}, second);
  add(nets, "lstm_two_ways",
      LSTM{3, 4, {.num_layers = 2, .batch_first = true, .dropout = 0.2, .bidirectional = true}, g},
      {5, 3}, first);
  add(nets, "gru", GRU{3, 4, {.num_layers = 2, .bias = false}, g}, {5, 3}, second);
  add(nets, "gru_two_ways", GRU{3, 4, {.bidirectional = true}, g}, {5, 3}, second);
  add(nets, "attention", MultiheadAttention{6, 2, {.dropout = 0.1}, g}, {5, 6}, second);
  add(nets, "attention_batch_first",
      MultiheadAttention{6, 3, {.bias = false, .batch_first = true}, g}, {5, 6}, first);
  add(nets, "encoder", TransformerEncoderLayer{6, 2, {.dim_feedforward = 10}, g}, {5, 6}, second);
  Sequential encoders{Embedding{11, 6, {}, g},
                      TransformerEncoderLayer{6,
                                              3,
                                              {.dim_feedforward = 10,
                                               .dropout = 0,
                                               .activation = TransformerActivation::gelu,
                                               .batch_first = true,
                                               .norm_first = true},
                                              g},
                      LayerNorm{6}, Linear{6, 4, {}, g}};
  add(nets, "embedding", std::move(encoders), {5},
      {.input = "tokens", .output = "logits", .dtype = int64});
}

/// All of them; the same numbers each time.
inline std::vector<Net> all() {
  using namespace gradus;
  std::vector<Net> nets;
  Generator g(7);
  for (const std::string& name : model_names()) {
    const std::int64_t side = name == "lenet" ? 28 : 16;
    const ImageSpec image{.channels = name == "lenet" ? 1 : 3, .height = side, .width = side};
    add(nets, name, make_model(name, image, g), {image.channels, side, side});
  }
  for (const Text& text : texts()) {
    const ImageSpec image{.channels = 2, .height = 9, .width = 8, .classes = 5};
    add(nets, text.name, make_net(with_head(text.layers), text.name, image, g), {2, 9, 8});
  }
  add_rows(nets, g);
  add_sequences(nets, g);
  for (Net& net : nets) draw(*net.net, g);
  return nets;
}

/// `shape` of a batch of `batch` for a net.
inline gradus::Shape batch_of(const Net& net, std::int64_t batch) {
  std::vector<std::int64_t> sizes(net.example.begin(), net.example.end());
  sizes.insert(sizes.begin() + net.options.batch_axis, batch);
  return gradus::Shape(sizes);
}

/// Inputs by the names that the graph has for them, drawn from `seed`.
inline gradus::NamedTensors inputs_of(const Net& net, std::int64_t batch, std::uint64_t seed) {
  using namespace gradus;
  Generator generator(seed);
  std::vector<std::string> names = {net.options.input};
  if (dynamic_cast<MultiheadAttention*>(net.net.get()) != nullptr)
    names = {"query", "key", "value"};
  NamedTensors inputs;
  for (const std::string& name : names) {
    const Shape shape = batch_of(net, batch);
    inputs.emplace_back(name, net.options.dtype == int64 ? randint(0, 11, shape, generator)
                                                         : randn(shape, generator));
  }
  return inputs;
}

/// What the net gives for them, in its mode.
inline gradus::Variables outputs_of(gradus::Module& net, const gradus::NamedTensors& inputs) {
  using namespace gradus;
  Variables given;
  for (const auto& [name, tensor] : inputs) given.push_back(Variable(tensor));
  if (auto* several = dynamic_cast<MultiModule*>(&net)) return (*several)(given);
  return {net(given[0])};
}

}  // namespace zoo
