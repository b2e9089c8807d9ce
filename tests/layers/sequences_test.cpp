// Recurrent layers, embeddings and attention: names, printing, what they share with their cells, and wrong
// calls. Their numbers are held against PyTorch's in tests/parity/sequences_test.cpp.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/layers/attention.h>
#include <gradus/layers/embedding.h>
#include <gradus/layers/recurrent.h>

#include <cmath>
#include <string>
#include <vector>

#include "support/error_message.h"

using namespace gradus;

namespace {

std::vector<std::string> names_of(const Module& module) {
  std::vector<std::string> names;
  for (const auto& [name, parameter] : module.named_parameters()) names.push_back(name);
  return names;
}

}  // namespace

TEST_CASE("recurrent layers have PyTorch's parameters, in its order, and print as there") {
  Generator generator(1);
  const LSTM lstm(3, 2,
                  {.num_layers = 2, .batch_first = true, .dropout = 0.5, .bidirectional = true},
                  generator);
  CHECK(names_of(lstm) == std::vector<std::string>{
                              "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0",
                              "weight_ih_l0_reverse", "weight_hh_l0_reverse", "bias_ih_l0_reverse",
                              "bias_hh_l0_reverse", "weight_ih_l1", "weight_hh_l1", "bias_ih_l1",
                              "bias_hh_l1", "weight_ih_l1_reverse", "weight_hh_l1_reverse",
                              "bias_ih_l1_reverse", "bias_hh_l1_reverse"});
  CHECK(lstm.weights(1, true).weight_ih.shape() == Shape{8, 4});
  CHECK(to_string(lstm) ==
        "LSTM(3, 2, num_layers=2, batch_first=True, dropout=0.5, bidirectional=True)");
  CHECK(to_string(GRU(3, 2, {.bias = false}, generator)) == "GRU(3, 2, bias=False)");
  CHECK(names_of(GRU(3, 2, {.bias = false}, generator)) ==
        std::vector<std::string>{"weight_ih_l0", "weight_hh_l0"});
  CHECK(to_string(RNN(3, 2)) == "RNN(3, 2)");
  CHECK(to_string(RNNCell(3, 2, {.nonlinearity = Nonlinearity::relu})) ==
        "RNNCell(3, 2, nonlinearity=relu)");
  CHECK(to_string(LSTMCell(3, 2, {.bias = false})) == "LSTMCell(3, 2, bias=False)");
  CHECK(names_of(GRUCell(3, 2)) ==
        std::vector<std::string>{"weight_ih", "weight_hh", "bias_ih", "bias_hh"});
  const MultiheadAttention attention(4, 2);
  CHECK(names_of(attention) == std::vector<std::string>{"in_proj_weight", "in_proj_bias",
                                                        "out_proj.weight", "out_proj.bias"});
  CHECK(to_string(Embedding(10, 3, {.padding_idx = -1})) == "Embedding(10, 3, padding_idx=9)");
}

TEST_CASE(
    "parameters start in U(-1/sqrt(H), 1/sqrt(H)), an embedding with N(0, 1) and zeros for "
    "padding") {
  Generator generator(2);
  const LSTM lstm(50, 100, {}, generator);
  const Tensor w = lstm.weights(0).weight_ih.value();  // 20,000 numbers
  CHECK(core::max(w).item() <= 0.1);
  CHECK(core::min(w).item() >= -0.1);
  CHECK(core::max(w).item() > 0.0999);
  CHECK(core::var(w).item() == doctest::Approx(0.01 / 3).epsilon(0.05));
  const Embedding table(200, 100, {.padding_idx = 7}, generator);
  CHECK(core::var(table.weight.value()).item() == doctest::Approx(0.995).epsilon(0.05));
  CHECK(core::equal(table.weight.value()[7], zeros({100})));
}

TEST_CASE("a layer is its cell, step by step") {
  Generator generator(3);
  LSTM layer(3, 2, {}, generator);
  LSTMCell cell(3, 2);
  cell.weights = layer.weights(0);
  const Tensor x = randn({4, 5, 3}, generator);
  const Variables whole = layer({x});
  Variables states{zeros({5, 2}), zeros({5, 2})};
  for (std::int64_t t = 0; t < 4; ++t) {
    states = cell({x[t], states[0], states[1]});
    // The products of all steps at once may be added up in another order.
    CHECK(core::allclose(whole[0].value()[t], states[0].value(), 1e-5, 1e-6));
  }
  CHECK(core::allclose(whole[1].value()[0], states[0].value(), 1e-5, 1e-6));
  CHECK(core::allclose(whole[2].value()[0], states[1].value(), 1e-5, 1e-6));
}

TEST_CASE("dropout stands between layers, in training only") {
  Generator generator(4);
  LSTM layer(3, 4, {.num_layers = 2, .dropout = 0.5}, generator);
  const Tensor x = randn({6, 2, 3}, generator);
  const auto y = [&] { return layer({x})[0].value(); };
  CHECK(!core::equal(y(), y()));
  layer.eval();
  CHECK(core::equal(y(), y()));
  LSTM single(3, 4, {.dropout = 0.5}, generator);
  CHECK(core::equal(single({x})[0].value(), single({x})[0].value()));
}

TEST_CASE("attention that may look nowhere is NaN, and a causal one sees no later position") {
  Generator generator(5);
  const Tensor q = randn({3, 2}, generator, float64);
  const Tensor v = randn({3, 2}, generator, float64);
  const Variable first = scaled_dot_product_attention(q, q, v, {.is_causal = true});
  CHECK(core::allclose(first.value()[0], v[0]));
  const Variable nowhere =
      scaled_dot_product_attention(q, q, v, {.attn_mask = zeros({3, 3}, boolean)});
  CHECK(std::isnan(nowhere.value().at<double>({0, 0})));

  // So has the layer it, as PyTorch's: only the example whose keys are all padding.
  MultiheadAttention attention(4, 2, {.batch_first = true});
  const Tensor x = randn({2, 3, 4}, generator);
  const Tensor padding = Tensor::from({1, 1, 1, 0, 0, 1}).reshape({2, 3}).to(boolean);
  const Variables seen = attention({x, x, x, padding});
  for (const Variable& of : seen) {
    CHECK(std::isnan(of.value().at<float>({0, 0, 0})));
    CHECK(std::isfinite(of.value().at<float>({1, 0, 0})));
  }
}

TEST_CASE("wrong calls of sequences are told in one line, with both sides") {
  CHECK(message_of<ValueError>([] { LSTM(0, 3); }) ==
        "LSTM: sizes must be positive, got input_size 0 and hidden_size 3");
  CHECK(message_of<ValueError>([] { GRU(2, 3, {.num_layers = 0}); }) ==
        "GRU: num_layers must be at least 1, got 0");
  CHECK(message_of<ValueError>([] { RNN(2, 3, {.dropout = 1.5}); }) ==
        "RNN: dropout must be between 0 and 1, got 1.5");
  LSTM lstm(2, 3);
  CHECK(message_of<ShapeError>([&] {
          lstm({ones({4, 2, 5})});
        }) == "LSTM: expects x of shape [L,N,in] or [L,in] with 2 features, got float32 [4,2,5]");
  CHECK(message_of<ShapeError>([&] { lstm({ones({2})}); }) ==
        "LSTM: expects x of shape [L,N,in] or [L,in] with 2 features, got float32 [2]");
  CHECK(message_of<ValueError>([&] {
          lstm({ones({4, 2, 2}), ones({1, 2, 3})});
        }) == "LSTM: expects x, or x and 2 states, got 2 Variables");
  CHECK(message_of<ShapeError>([&] {
          lstm({ones({4, 2, 2}), ones({1, 2, 3}), ones({1, 3, 3})});
        }) == "LSTM: expects state 1 of shape [1,2,3], got float32 [1,3,3]");
  CHECK(message_of<ShapeError>([&] {
          lstm({ones({0, 2, 2})});
        }) == "LSTM: expects at least one step, got x of [0,2,2]");
  CHECK(message_of<ValueError>([&] { static_cast<void>(lstm.weights(0, true)); }) ==
        "LSTM: num_layers is 1 and bidirectional false, asked for layer 0, reverse");
  {
    MultiheadAttention across(4, 2);
    CHECK(message_of<ShapeError>([&] {
            across({ones({3, 2, 4}), ones({5, 1, 4}), ones({5, 1, 4})});
          }) == "MultiheadAttention: the query [3,2,4] has a batch of 2, the key [5,1,4] one of 1");
    CHECK(message_of<ShapeError>([&] {
            across({ones({3, 2, 4}), ones({5, 2, 4}), ones({5, 3, 4})});
          }) ==
          "MultiheadAttention: the query [3,2,4] has a batch of 2, the value [5,3,4] one of 3");
  }
  GRUCell cell(2, 3);
  CHECK(message_of<ShapeError>([&] {
          cell({ones({4, 3})});
        }) == "GRUCell: expects x of shape [N,in] or [in] with 2 features, got float32 [4,3]");
  CHECK(message_of<ShapeError>([&] {
          cell({ones({4, 2}), ones({3})});
        }) == "GRUCell: expects state 0 of shape [4,3], got float32 [3]");

  CHECK(message_of<ValueError>([] { Embedding(0, 3); }) ==
        "Embedding: sizes must be positive, got num_embeddings 0 and embedding_dim 3");
  CHECK(message_of<ValueError>([] { Embedding(4, 3, {.padding_idx = 4}); }) ==
        "Embedding: padding_idx 4 is none of the 4 rows");
  Embedding table(4, 3);
  CHECK(message_of<DTypeError>([&] { table(ones({2})); }) ==
        "Embedding: expects the numbers of rows in int64, got float32 [2]; cast with .to(int64)");
  CHECK(contains(message_of<ShapeError>([&] { table(Tensor::from({4})); }), "0..3"));

  const Tensor q = ones({3, 2});
  CHECK(
      message_of<ShapeError>([&] {
        scaled_dot_product_attention(q, ones({4, 3}), q);
      }) ==
      "scaled_dot_product_attention: expects query [..,L,E], key [..,S,E] and value [..,S,V], got "
      "[3,2], [4,3] and [3,2]");
  CHECK(message_of<ValueError>([&] {
          scaled_dot_product_attention(q, q, q, {.attn_mask = ones({3, 3}), .is_causal = true});
        }) ==
        "scaled_dot_product_attention: takes either attn_mask or is_causal, got is_causal and a "
        "mask float32 [3,3]");
  CHECK(message_of<ShapeError>([&] {
          scaled_dot_product_attention(q, q, q, {.attn_mask = ones({2, 3})});
        }).find("scaled_dot_product_attention: ") == 0);
  CHECK(contains(message_of<DTypeError>([&] {
                   scaled_dot_product_attention(q, q, q, {.attn_mask = ones({3, 3}, int64)});
                 }),
                 "a mask is bool or float32 as the scores, got int64 [3,3]"));

  CHECK(message_of<ValueError>([] { MultiheadAttention(6, 4); }) ==
        "MultiheadAttention: num_heads 4 must divide embed_dim 6");
  CHECK(message_of<ValueError>([] { MultiheadAttention(4, 2, {.dropout = -1}); }) ==
        "MultiheadAttention: dropout must be between 0 and 1, got -1");
  MultiheadAttention attention(4, 2);
  const Tensor x = ones({3, 2, 4});
  CHECK(message_of<ValueError>([&] {
          attention({x, x});
        }) == "MultiheadAttention: expects query, key, value and up to two masks, got 2 Variables");
  CHECK(message_of<ShapeError>([&] {
          attention({x, x, ones({3, 2, 5})});
        }) == "MultiheadAttention: expects query, key and value of [L,N,4] or [L,4], got [3,2,5]");
  CHECK(message_of<ShapeError>([&] {
          attention({x, x, x, ones({3, 2}, boolean)});
        }) == "MultiheadAttention: expects a key_padding_mask of [2,3], got [3,2]");
  CHECK(message_of<ShapeError>([&] {
          attention({x, x, x, Variable(), ones({2, 3}, boolean)});
        }) == "MultiheadAttention: expects an attn_mask of [3,3], got [2,3]");
}
