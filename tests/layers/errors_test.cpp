// Wrong layers and wrong calls of layers and losses. What a constructor refuses begins with the layer's
// name, what a call refuses with that or with the name of the function that computes it.
#include <doctest/doctest.h>
#include <gradus/gradcheck/layers.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/attention.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/dropout.h>
#include <gradus/layers/embedding.h>
#include <gradus/layers/image.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/loss.h>
#include <gradus/layers/norm.h>
#include <gradus/layers/pool.h>
#include <gradus/layers/recurrent.h>
#include <gradus/layers/residual.h>
#include <gradus/layers/sequential.h>
#include <gradus/layers/shape.h>

#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/wrong_calls.h"

using namespace gradus;

namespace {

/// Collects the wrong calls of one layer.
struct Table {
  WrongCalls& all;
  std::string layer;

  void shape(std::function<void()> call, std::vector<std::string> parts) const {
    all.push_back({layer, Kind::shape, std::move(call), std::move(parts)});
  }
  void dtype(std::function<void()> call, std::vector<std::string> parts) const {
    all.push_back({layer, Kind::dtype, std::move(call), std::move(parts)});
  }
  void value(std::function<void()> call, std::vector<std::string> parts) const {
    all.push_back({layer, Kind::value, std::move(call), std::move(parts)});
  }
};

// ---- activations: each refuses the dtypes that its function does ----

template <class Layer, auto... arguments>
void add_activation(WrongCalls& all, const std::string& name) {
  for (const DType dtype : {int64, uint8, boolean, float16}) {
    all.push_back({name,
                   Kind::dtype,
                   [dtype] {
                     Layer(arguments...)(ones({2, 3}).to(dtype));
                   },
                   {"float32 or float64", std::string(to_string(dtype)), ".to(float32)"}});
  }
}

void add_activations(WrongCalls& all) {
  add_activation<Tanh>(all, "Tanh");
  add_activation<Sigmoid>(all, "Sigmoid");
  add_activation<LeakyReLU>(all, "LeakyReLU");
  add_activation<PReLU>(all, "PReLU");
  add_activation<ELU>(all, "ELU");
  add_activation<SELU>(all, "SELU");
  add_activation<GELU>(all, "GELU");
  add_activation<SiLU>(all, "SiLU");
  add_activation<Softplus>(all, "Softplus");
  add_activation<LogSigmoid>(all, "LogSigmoid");
  add_activation<Softsign>(all, "Softsign");
  add_activation<Hardtanh>(all, "Hardtanh");
  add_activation<ReLU6>(all, "ReLU6");
  add_activation<Hardsigmoid>(all, "Hardsigmoid");
  add_activation<Hardswish>(all, "Hardswish");
  add_activation<Softmax, 1>(all, "Softmax");
  add_activation<LogSoftmax, 1>(all, "LogSoftmax");
  const Table relu{all, "ReLU"};
  relu.dtype([] { ReLU()(truth({2})); }, {"does not take", "bool"});
  for (const DType dtype : {float16, bfloat16})
    relu.dtype([=] { ReLU()(ones({2}).to(dtype)); }, {"storage", std::string(to_string(dtype))});
  Table{all, "PReLU"}.value([] { PReLU(0); }, {"num_parameters must be positive", "got 0"});
  Table{all, "PReLU"}.shape(
      [] {
        PReLU(3)(f32({2, 4}));
      },
      {"weight is [3]", "[2,4]", "4 channels"});
  for (const double beta : {0.0, HUGE_VAL})
    Table{all, "Softplus"}.value([=] { Softplus{beta}; }, {"beta must be finite and not 0", "got"});
  Table{all, "Hardtanh"}.value([] { Hardtanh(2, 1); }, {"below max_val", "2 and 1"});
  for (const std::int64_t dim : {2, -3}) {
    const std::string words = "dimension " + std::to_string(dim);
    Table{all, "Softmax"}.shape([=] { Softmax{dim}(f32({2, 3})); }, {words, "rank 2"});
    Table{all, "LogSoftmax"}.shape([=] { LogSoftmax{dim}(f32({2, 3})); }, {words, "rank 2"});
  }
}

// ---- layers with weights ----

void add_linear_and_convolutions(WrongCalls& all) {
  const Table linear{all, "Linear"};
  linear.value([] { Linear(0, 3); }, {"positive", "in_features 0", "out_features 3"});
  linear.value([] { Linear(3, -1); }, {"positive", "in_features 3", "out_features -1"});
  linear.shape([] { Linear(4, 3)(f32({2, 5})); }, {"5 features", "expects 4", "[2,5]", "[3,4]"});
  linear.dtype([] { Linear(4, 3)(f64({2, 4})); }, {"float64 [2,4]", "float32 [3,4]"});

  const Table conv1d{all, "Conv1d"};
  conv1d.value([] { Conv1d(0, 8, 3); }, {"positive", "in_channels 0", "out_channels 8"});
  conv1d.value([] { Conv1d(4, 8, 0); }, {"kernel_size", "at least 1", "(0,)"});
  conv1d.value([] { Conv1d(4, 6, {.kernel_size = 3, .groups = 4}); },
               {"groups 4 must divide", "in_channels 4", "out_channels 6"});
  conv1d.shape(
      [] {
        Conv1d(4, 8, 3)(f32({2, 3, 9}));
      },
      {"3 channels", "expects 4", "[2,3,9]", "[8,4,3]"});
  conv1d.shape([] { Conv1d(4, 8, 3)(f32({2, 4, 2})); }, {"reaches 3,", "only 2 ", "[2,4,2]"});

  const Table conv2d{all, "Conv2d"};
  conv2d.value([] { Conv2d(4, 0, 3); }, {"positive", "in_channels 4", "out_channels 0"});
  conv2d.value(
      [] {
        Conv2d(4, 8, {.kernel_size = 3, .stride = {1, 0}});
      },
      {"stride", "at least 1", "(1, 0)"});
  conv2d.value([] { Conv2d(4, 8, {.kernel_size = 3, .groups = 3}); },
               {"groups 3 must divide", "in_channels 4", "out_channels 8"});
  conv2d.shape(
      [] {
        Conv2d(3, 8, 3)(f32({2, 4, 9, 9}));
      },
      {"4 channels", "expects 3", "[2,4,9,9]", "[8,3,3,3]"});
  conv2d.dtype(
      [] {
        Conv2d(3, 8, 3)(f64({2, 3, 9, 9}));
      },
      {"float64 [2,3,9,9]", "float32 [8,3,3,3]"});

  const Table transposed{all, "ConvTranspose2d"};
  transposed.value([] { ConvTranspose2d(4, 8, {.kernel_size = 3, .output_padding = 1}); },
                   {"output_padding", "(1, 1)", "stride (1, 1)"});
  transposed.value([] { ConvTranspose2d(4, 8, {.kernel_size = 3, .groups = 3}); },
                   {"groups 3 must divide", "in_channels 4"});
  transposed.shape(
      [] {
        ConvTranspose2d(4, 8, 3)(f32({2, 3, 5, 5}));
      },
      {"3 channels", "expects 4", "[2,3,5,5]", "[4,8,3,3]"});
  transposed.shape([] { ConvTranspose2d(4, 8, 3)(f32({5, 5})); }, {"rank 4", "[5,5]"});

  const Table embedding{all, "Embedding"};
  embedding.value([] { Embedding(0, 3); }, {"positive", "num_embeddings 0", "embedding_dim 3"});
  embedding.value([] { Embedding(4, 3, {.padding_idx = 4}); }, {"padding_idx 4", "4 rows"});
  embedding.dtype([] { Embedding(4, 3)(f32({2})); }, {"int64", "float32 [2]"});
  embedding.shape([] { Embedding(4, 3)(Tensor::from({1, 4})); }, {"4", "0..3", "[4,3]"});
}

// ---- layers of images ----

void add_images(WrongCalls& all) {
  const Table unfold{all, "Unfold"};
  unfold.value([] { Unfold{0}; }, {"kernel_size", "at least 1", "(0, 0)"});
  unfold.value([] { Unfold({.kernel_size = 2, .padding = -1}); },
               {"padding at least 0", "(-1, -1)"});
  unfold.shape([] { Unfold{4}(f32({2, 1, 3, 5})); }, {"4x4", "3x5"});
  const Table fold{all, "Fold"};
  fold.value(
      [] {
        Fold({0, 3}, {.kernel_size = 2});
      },
      {"output_size must be at least 1", "(0, 3)"});
  fold.value([] { Fold(3, {.kernel_size = -1}); }, {"kernel_size", "at least 1", "(-1, -1)"});
  fold.shape([] { Fold(3, {.kernel_size = 2})(f32({2, 7, 4})); }, {"[2,7,4]", "(2,2)"});
  fold.shape([] { Fold(3, {.kernel_size = 2})(f32({2, 8, 5})); }, {"2x2 windows", "[2,8,5]", "5"});
  const Table pad{all, "ZeroPad2d"};
  pad.shape([] { ZeroPad2d{1}(f32({3})); }, {"2 dimensions", "[3]"});
  pad.value(
      [] {
        ZeroPad2d{-3}(f32({4, 9}));
      },
      {"taken away", "-3 and -3", "dimension 0 of [4,9]"});
  pad.value(
      [] {
        ZeroPad2d(-5, -5, 0, 0)(f32({4, 9}));
      },
      {"taken away", "-5 and -5", "dimension 1 of [4,9]"});
  const Table shuffle{all, "PixelShuffle"};
  shuffle.value([] { PixelShuffle{0}; }, {"upscale_factor must be at least 1", "got 0"});
  shuffle.shape([] { PixelShuffle{2}(f32({4, 3})); }, {"[..,C,H,W]", "[4,3]"});
  shuffle.shape([] { PixelShuffle{2}(f32({6, 3, 3})); }, {"6 channels", "2x2", "[6,3,3]"});
  const Table unshuffle{all, "PixelUnshuffle"};
  unshuffle.value([] { PixelUnshuffle{-2}; }, {"downscale_factor must be at least 1", "got -2"});
  unshuffle.shape([] { PixelUnshuffle{2}(f32({4, 4})); }, {"[..,C,H,W]", "[4,4]"});
  unshuffle.shape([] { PixelUnshuffle{2}(f32({1, 3, 4})); }, {"3x4 pixels", "2x2", "[1,3,4]"});
  const Table upsample{all, "Upsample"};
  upsample.value([] { Upsample(InterpolateOptions{}); }, {"either size or scale_factor", "(0, 0)"});
  upsample.value([] { Upsample({.size = {2, -1}}); }, {"size must be at least 1", "(2, -1)"});
  upsample.value([] { Upsample({.size = 2, .align_corners = true}); },
                 {"align_corners", "bilinear", "nearest"});
  upsample.shape([] { Upsample({.size = 2})(f32({4, 3, 5})); }, {"[N,C,H,W]", "[4,3,5]"});
}

template <class Pool> void add_pool2d(WrongCalls& all, const std::string& name) {
  const Table pool{all, name};
  pool.value([] { Pool({.kernel_size = 0}); }, {"kernel_size (0, 0)", "at least 1"});
  pool.value([] { Pool({.kernel_size = 2, .padding = 2}); },
             {"padding (2, 2)", "half the kernel size", "kernel_size (2, 2)"});
  pool.value([] { Pool({.kernel_size = 2, .stride = -1}); }, {"stride (-1, -1)", "at least 1"});
  pool.shape([] { Pool(2)(f32({4, 4})); }, {"rank 4", "[4,4]"});
  pool.shape([] { Pool(3)(f32({1, 1, 2, 4})); }, {"3x3", "2x4", "[1,1,2,4]"});
}

template <class Pool> void add_pool1d(WrongCalls& all, const std::string& name) {
  const Table pool{all, name};
  pool.value([] { Pool({.kernel_size = 0}); }, {"kernel_size 0", "at least 1"});
  pool.value([] { Pool({.kernel_size = 3, .padding = 2}); },
             {"padding 2", "half the kernel size", "kernel_size 3"});
  pool.shape([] { Pool(2)(f32({4})); }, {"rank 3", "[4]"});
  pool.shape([] { Pool(3)(f32({1, 1, 2})); }, {"reaches 3,", "only 2 ", "[1,1,2]"});
}

template <class Pool>
void add_adaptive(WrongCalls& all, const std::string& name, const Shape& fits) {
  const Table pool{all, name};
  pool.value([] { Pool{0}; }, {"output_size must be at least 1", "0"});
  const Tensor flat = f32({4});
  pool.shape([=] { Pool{1}(flat); }, {"must have rank " + std::to_string(fits.rank()), "[4]"});
  pool.dtype([=] { Pool{1}(i64(fits)); }, {"float32 or float64", "int64"});
}

void add_pools(WrongCalls& all) {
  add_pool2d<MaxPool2d>(all, "MaxPool2d");
  add_pool2d<AvgPool2d>(all, "AvgPool2d");
  add_pool1d<MaxPool1d>(all, "MaxPool1d");
  add_pool1d<AvgPool1d>(all, "AvgPool1d");
  add_adaptive<AdaptiveAvgPool2d>(all, "AdaptiveAvgPool2d", {1, 2, 4, 4});
  add_adaptive<AdaptiveMaxPool2d>(all, "AdaptiveMaxPool2d", {1, 2, 4, 4});
  add_adaptive<AdaptiveAvgPool1d>(all, "AdaptiveAvgPool1d", {1, 2, 4});
  add_adaptive<AdaptiveMaxPool1d>(all, "AdaptiveMaxPool1d", {1, 2, 4});
  Table{all, "AvgPool2d"}.value([] { AvgPool2d({.kernel_size = 2, .dilation = 2}); },
                                {"no dilation", "got (2, 2)", "instead of (1, 1)"});
}

// ---- norms, dropouts, containers ----

template <class Norm> void add_channel_norm(WrongCalls& all, const std::string& name) {
  const Table norm{all, name};
  norm.value([] { Norm(0); }, {"channels must be positive", "got 0"});
  norm.value([] { Norm(3, {.eps = -1}); }, {"eps must be finite and at least 0", "got -1"});
  norm.value([] { Norm(3, {.momentum = 1.5}); }, {"momentum", "between 0 and 1", "1.5"});
  norm.shape([] { Norm(3)(f32({2, 4, 5, 5})); }, {"[N,3", "[2,4,5,5]"});
  norm.shape([] { Norm(3)(f32({3})); }, {"[N,3", "[3]"});
}

void add_norms(WrongCalls& all) {
  add_channel_norm<BatchNorm1d>(all, "BatchNorm1d");
  add_channel_norm<BatchNorm2d>(all, "BatchNorm2d");
  add_channel_norm<InstanceNorm2d>(all, "InstanceNorm2d");
  Table{all, "BatchNorm2d"}.shape(
      [] {
        BatchNorm2d{3}(f32({1, 3, 1, 1}));
      },
      {"more than 1 value", "[1,3,1,1]"});
  // PyTorch takes no images at all, and learns nothing from them; here that is told.
  Table{all, "BatchNorm2d"}.shape(
      [] {
        BatchNorm2d{3}(f32({0, 3, 4, 4}));
      },
      {"more than 1 value", "[0,3,4,4]"});
  Table{all, "BatchNorm1d"}.shape(
      [] {
        BatchNorm1d{3}(f32({0, 3}));
      },
      {"more than 1 value", "[0,3]"});
  Table{all, "BatchNorm1d"}.dtype(
      [] {
        BatchNorm1d{3}(f64({4, 3}));
      },
      {"float32 [3]", "float64 [4,3]"});
  const Table layer{all, "LayerNorm"};
  layer.value([] { LayerNorm{Shape{}}; }, {"positive sizes, one at least", "[]"});
  layer.value([] { LayerNorm(3, {.eps = NAN}); }, {"eps must be finite", "nan"});
  layer.shape([] { LayerNorm{3}(f32({2, 4})); }, {"does not end with", "[2,4]", "[3]"});
  layer.dtype([] { LayerNorm{3}(f64({2, 3})); }, {"float32 [3]", "float64 [2,3]"});
  const Table group{all, "GroupNorm"};
  group.value([] { GroupNorm(4, 6); }, {"num_groups 4 must divide", "channels 6"});
  group.value([] { GroupNorm(0, 6); }, {"num_groups must be positive", "got 0"});
  group.shape([] { GroupNorm(2, 6)(f32({2, 4})); }, {"[N,6,...]", "[2,4]"});
}

void add_dropouts_and_shapes(WrongCalls& all) {
  const Table dropout{all, "Dropout"};
  const Table channels{all, "Dropout2d"};
  for (const double p : {-0.5, 1.5}) {
    const std::string given = "got " + std::string(p < 0 ? "-0.5" : "1.5");
    dropout.value([=] { Dropout{p}; }, {"between 0 and 1", given});
    channels.value([=] { Dropout2d{p}; }, {"between 0 and 1", given});
  }
  dropout.dtype([] { Dropout{0.5}(i64({4})); }, {"float32 or float64", "int64"});
  channels.shape([] { Dropout2d{0.5}(f32({3, 4})); }, {"[N,C,H,W]", "[3,4]"});
  const Table flatten{all, "Flatten"};
  flatten.shape([] { Flatten{}(f32({3})); }, {"dimension 1", "rank 1"});
  flatten.shape([] { Flatten(0, 2)(f32({3, 4})); }, {"dimension 2", "rank 2"});
  flatten.shape([] { Flatten(1, 0)(f32({3, 4})); }, {"start 1 is behind end 0", "[3,4]"});
}

void add_containers(WrongCalls& all) {
  const Table row{all, "Sequential"};
  row.value([] { Sequential{ReLU{}, Tanh{}}[2]; }, {"index 2", "out of range", "2 modules"});
  row.value([] { Sequential{ReLU{}}.append(std::unique_ptr<Module>()); },
            {"null module", "1 modules"});
  row.value([] { Sequential{ReLU{}}.append("a.b", Tanh{}); }, {"a.b", "dot"});
  row.value([] { Sequential{ReLU{}}.get<Tanh>(0); }, {"module 0", "another type", "ReLU"});
  const Table list{all, "ModuleList"};
  list.value([] { ModuleList{ReLU{}}.pop(1); }, {"index 1", "out of range", "1 modules"});
  list.value([] { ModuleList{ReLU{}}.insert(3, Tanh{}); }, {"index 3", "1 modules"});
  list.value([] { ModuleList{ReLU{}}(f32({2, 3})); }, {"no forward", "[2,3]", "1 modules"});
  const Table residual{all, "Residual"};
  residual.value([] { Residual(std::unique_ptr<Module>()); }, {"needs a body", "null"});
  residual.shape(
      [] {
        Residual{Linear(3, 4)}(f32({2, 3}));
      },
      {"body gives [2,4]", "input is [2,3]"});
  residual.shape(
      [] {
        Residual(Linear(3, 4), Linear(3, 5))(f32({2, 3}));
      },
      {"body gives [2,4]", "shortcut [2,5]"});
}

// ---- sequences ----

template <class Layer> void add_recurrent(WrongCalls& all, const std::string& name) {
  const Table layer{all, name};
  layer.value([] { Layer(0, 3); }, {"positive", "input_size 0", "hidden_size 3"});
  layer.value([] { Layer(2, 3, {.num_layers = 0}); }, {"num_layers must be at least 1", "got 0"});
  layer.value([] { Layer(2, 3, {.dropout = 1.5}); }, {"dropout", "between 0 and 1", "1.5"});
  layer.shape([] { Layer(2, 3)({f32({4, 2, 5})}); }, {"2 features", "[4,2,5]"});
  layer.shape([] { Layer(2, 3)({f32({0, 2, 2})}); }, {"one step", "[0,2,2]"});
  layer.value([] { Layer(2, 3)({f32({4, 2, 2}), {}, {}, {}}); }, {"expects x", "got 4 Variables"});
}

template <class Cell> void add_cell(WrongCalls& all, const std::string& name, std::size_t states) {
  const Table cell{all, name};
  cell.value([] { Cell(3, 0); }, {"positive", "input_size 3", "hidden_size 0"});
  cell.shape([] { Cell(3, 2)({f32({2, 4})}); }, {"3 features", "[2,4]"});
  cell.shape(
      [=] {
        Variables inputs{f32({2, 3})};
        inputs.resize(1 + states, f32({5, 2}));
        Cell(3, 2)(inputs);
      },
      {"state 0 of shape [2,2]", "[5,2]"});
}

void add_sequences(WrongCalls& all) {
  add_recurrent<RNN>(all, "RNN");
  add_recurrent<LSTM>(all, "LSTM");
  add_recurrent<GRU>(all, "GRU");
  add_cell<RNNCell>(all, "RNNCell", 1);
  add_cell<LSTMCell>(all, "LSTMCell", 2);
  add_cell<GRUCell>(all, "GRUCell", 1);
  const Table heads{all, "MultiheadAttention"};
  const Tensor x = f32({3, 2, 4});
  heads.value([] { MultiheadAttention(4, 3); }, {"num_heads 3 must divide", "embed_dim 4"});
  heads.value([] { MultiheadAttention(4, 2, {.dropout = -1}); }, {"between 0 and 1", "got -1"});
  heads.value([=] { MultiheadAttention(4, 2)({x, x}); }, {"query, key, value", "got 2 Variables"});
  heads.shape([=] { MultiheadAttention(4, 2)({x, x, f32({3, 2, 5})}); }, {"[L,N,4]", "[3,2,5]"});
  heads.shape(
      [=] {
        MultiheadAttention(4, 2)({x, x, x, truth({3, 2})});
      },
      {"key_padding_mask of [2,3]", "got [3,2]"});
  heads.shape(
      [=] {
        MultiheadAttention(4, 2)({x, x, x, {}, truth({2, 3})});
      },
      {"attn_mask of [3,3]", "got [2,3]"});
  const Table encoder{all, "TransformerEncoderLayer"};
  encoder.value([] { TransformerEncoderLayer(4, 3); }, {"num_heads 3 must divide", "d_model 4"});
  encoder.value([] { TransformerEncoderLayer(4, 2, {.dropout = 2}); },
                {"between 0 and 1", "got 2"});
  encoder.value([] { TransformerEncoderLayer(4, 2, {.dim_feedforward = 0}); },
                {"dim_feedforward must be positive", "got 0"});
  encoder.value(
      [=] {
        TransformerEncoderLayer(4, 2)({x, {}, {}, {}});
      },
      {"two masks", "got 4 Variables"});
  encoder.shape([] { TransformerEncoderLayer(4, 2)(f32({3, 2, 5})); }, {"[3,2,5]", "4"});
}

// ---- losses ----

/// A wrong number of inputs; wrong shapes; wrong dtypes. `wrong_shapes` are two or three inputs.
template <class Criterion>
void add_loss(WrongCalls& all, const std::string& name, std::size_t inputs,
              const Variables& wrong_shapes, const Variables& wrong_dtypes) {
  const Table loss{all, name};
  const std::string takes = "takes " + std::to_string(inputs) + " Variables";
  for (const std::size_t given : {inputs - 1, inputs + 1}) {
    loss.value(
        [=] {
          Criterion()(Variables(given, f32({2, 3})));
        },
        {takes, "got " + std::to_string(given)});
  }
  loss.shape([=] { Criterion()(wrong_shapes); },
             {to_string(wrong_shapes[0].shape()), to_string(wrong_shapes[1].shape())});
  const Variable& wrong = wrong_dtypes[1].dtype() == float32 ? wrong_dtypes[0] : wrong_dtypes[1];
  loss.dtype([=] { Criterion()(wrong_dtypes); },
             {std::string(to_string(wrong.dtype())), "float32"});
}

void add_losses(WrongCalls& all) {
  const Tensor x = f32({2, 3});
  const Variables differ{x, f32({3, 2})};
  const Variables mixed{x, f64({2, 3})};
  add_loss<CrossEntropyLoss>(all, "CrossEntropyLoss", 2, {x, i64({3})}, mixed);
  add_loss<NLLLoss>(all, "NLLLoss", 2, {x, i64({3})}, {x, f32({2})});
  add_loss<BCELoss>(all, "BCELoss", 2, differ, mixed);
  add_loss<BCEWithLogitsLoss>(all, "BCEWithLogitsLoss", 2, differ, mixed);
  add_loss<KLDivLoss>(all, "KLDivLoss", 2, differ, mixed);
  add_loss<MSELoss>(all, "MSELoss", 2, differ, mixed);
  add_loss<L1Loss>(all, "L1Loss", 2, differ, mixed);
  add_loss<HuberLoss>(all, "HuberLoss", 2, differ, mixed);
  add_loss<SmoothL1Loss>(all, "SmoothL1Loss", 2, differ, mixed);
  add_loss<HingeEmbeddingLoss>(all, "HingeEmbeddingLoss", 2, differ, {i64({2, 3}), x});
  add_loss<MarginRankingLoss>(all, "MarginRankingLoss", 3, {x, f32({3, 2}), x},
                              {x, f64({2, 3}), x});
  add_loss<MultiMarginLoss>(all, "MultiMarginLoss", 2, {x, i64({3})}, {x, f32({2})});
  add_loss<CosineSimilarity>(all, "CosineSimilarity", 2, {x, f32({2, 4})}, mixed);
  add_loss<CosineEmbeddingLoss>(all, "CosineEmbeddingLoss", 3, {x, f32({3, 2}), f32({2})},
                                {x, f64({2, 3}), f32({2})});
  add_loss<PairwiseDistance>(all, "PairwiseDistance", 2, {x, f32({2, 4})}, mixed);
  add_loss<TripletMarginLoss>(all, "TripletMarginLoss", 3, {x, f32({3, 2}), x},
                              {x, f64({2, 3}), x});
}

WrongCalls wrong_layer_calls() {
  WrongCalls all;
  add_activations(all);
  add_linear_and_convolutions(all);
  add_images(all);
  add_pools(all);
  add_norms(all);
  add_dropouts_and_shapes(all);
  add_containers(all);
  add_sequences(all);
  add_losses(all);
  return all;
}

/// The functions that compute a layer.
const std::map<std::string, std::string>& functions_of_layers() {
  static const std::map<std::string, std::string> all{
      {"Tanh", "tanh"},
      {"Sigmoid", "sigmoid"},
      {"LeakyReLU", "leaky_relu"},
      {"PReLU", "prelu"},
      {"ELU", "elu"},
      {"SELU", "selu"},
      {"GELU", "gelu"},
      {"SiLU", "silu"},
      {"Softplus", "softplus"},
      {"LogSigmoid", "logsigmoid"},
      {"Softsign", "softsign"},
      {"Hardtanh", "hardtanh"},
      {"ReLU", "relu"},
      {"ReLU6", "relu6"},
      {"Hardsigmoid", "hardsigmoid"},
      {"Hardswish", "hardswish"},
      {"Softmax", "softmax"},
      {"LogSoftmax", "log_softmax"},
      {"Linear", "linear"},
      {"Conv1d", "conv1d"},
      {"Conv2d", "conv2d"},
      {"ConvTranspose2d", "conv_transpose2d"},
      {"Embedding", "index_select"},
      {"Unfold", "unfold"},
      {"Fold", "fold"},
      {"ZeroPad2d", "pad"},
      {"PixelShuffle", "pixel_shuffle"},
      {"PixelUnshuffle", "pixel_unshuffle"},
      {"Upsample", "interpolate"},
      {"MaxPool2d", "max_pool2d"},
      {"AvgPool2d", "avg_pool2d"},
      {"MaxPool1d", "max_pool1d"},
      {"AvgPool1d", "avg_pool1d"},
      {"AdaptiveAvgPool2d", "adaptive_avg_pool2d"},
      {"AdaptiveMaxPool2d", "adaptive_max_pool2d"},
      {"AdaptiveAvgPool1d", "adaptive_avg_pool1d"},
      {"AdaptiveMaxPool1d", "adaptive_max_pool1d"},
      {"BatchNorm1d", "batch_norm"},
      {"BatchNorm2d", "batch_norm"},
      {"InstanceNorm2d", "instance_norm"},
      {"LayerNorm", "layer_norm"},
      {"GroupNorm", "group_norm"},
      {"Dropout", "dropout"},
      {"Dropout2d", "dropout2d"},
      {"Flatten", "flatten"},
      {"TransformerEncoderLayer", "MultiheadAttention"},
      {"CrossEntropyLoss", "cross_entropy"},
      {"NLLLoss", "nll_loss"},
      {"BCELoss", "binary_cross_entropy"},
      {"BCEWithLogitsLoss", "binary_cross_entropy_with_logits"},
      {"KLDivLoss", "kl_div"},
      {"MSELoss", "mse_loss"},
      {"L1Loss", "l1_loss"},
      {"HuberLoss", "huber_loss"},
      {"SmoothL1Loss", "smooth_l1_loss"},
      {"HingeEmbeddingLoss", "hinge_embedding_loss"},
      {"MarginRankingLoss", "margin_ranking_loss"},
      {"MultiMarginLoss", "multi_margin_loss"},
      {"CosineSimilarity", "cosine_similarity"},
      {"CosineEmbeddingLoss", "cosine_embedding_loss"},
      {"PairwiseDistance", "pairwise_distance"},
      {"TripletMarginLoss", "triplet_margin_loss"}};
  return all;
}

}  // namespace

TEST_CASE(
    "wrong layers and wrong calls of them are told in one line, with the rule and both sides") {
  check_wrong_calls(wrong_layer_calls(), functions_of_layers());
}

TEST_CASE("every layer and loss has three wrong calls or more, whose messages are tested") {
  std::map<std::string, int> counts = counted({wrong_layer_calls()});
  for (const LayerSamples& layer : all_layers()) {
    const std::string name(layer.name);
    CAPTURE(name);
    // Identity gives back whatever it gets: no call of it is wrong.
    CHECK((counts[name] >= least_wrong_calls || name == "Identity"));
  }
}
