// Sequences, as PyTorch computes them: the layers with its parameters under its names.
#include <gradus/layers/attention.h>
#include <gradus/layers/embedding.h>
#include <gradus/layers/recurrent.h>

#include "support/parity.h"

using namespace gradus;
using parity::Options;

namespace {

/// Puts the first inputs of a case in the place of the parameters; gives the others.
Variables take_parameters(Module& layer, const Variables& all, const Options& o) {
  struct Replace final : Visitor {
    const Variables& values;
    std::size_t next = 0;
    explicit Replace(const Variables& from) : values(from) {}
    void operator()(std::string_view, Variable& parameter) override {
      if (parameter.defined()) parameter = values[next++];
    }
    void operator()(std::string_view, Tensor&) override {}
    void operator()(std::string_view, Module& child) override { child.visit(*this); }
  };
  Replace replace(all);
  layer.visit(replace);
  REQUIRE(replace.next == o["parameters"].get<std::size_t>());
  return Variables(all.begin() + static_cast<std::ptrdiff_t>(replace.next), all.end());
}

std::int64_t size_of(const Options& o, int i) {
  return o["sizes"][static_cast<std::size_t>(i)].get<std::int64_t>();
}

Nonlinearity nonlinearity(const Options& o) {
  return o.value("nonlinearity", "tanh") == "relu" ? Nonlinearity::relu : Nonlinearity::tanh;
}

RecurrentOptions recurrent_options(const Options& o) {
  return {.num_layers = o.value("num_layers", std::int64_t{1}),
          .bias = o.value("bias", true),
          .batch_first = o.value("batch_first", false),
          .bidirectional = o.value("bidirectional", false)};
}

RNNOptions rnn_options(const Options& o) {
  const RecurrentOptions shared = recurrent_options(o);
  return {.num_layers = shared.num_layers,
          .nonlinearity = nonlinearity(o),
          .bias = shared.bias,
          .batch_first = shared.batch_first,
          .bidirectional = shared.bidirectional};
}

Variables run(MultiModule& layer, const Variables& x, const Options& o) {
  return layer(take_parameters(layer, x, o));
}

}  // namespace

TEST_CASE("sequences give PyTorch's values and gradients") {
  parity::check(
      "sequences",
      {
          {"RNN",
           [](const Variables& x, const Options& o) -> Variables {
             RNN layer(size_of(o, 0), size_of(o, 1), rnn_options(o));
             return run(layer, x, o);
           }},
          {"LSTM",
           [](const Variables& x, const Options& o) -> Variables {
             LSTM layer(size_of(o, 0), size_of(o, 1), recurrent_options(o));
             return run(layer, x, o);
           }},
          {"GRU",
           [](const Variables& x, const Options& o) -> Variables {
             GRU layer(size_of(o, 0), size_of(o, 1), recurrent_options(o));
             return run(layer, x, o);
           }},
          {"RNNCell",
           [](const Variables& x, const Options& o) -> Variables {
             RNNCell cell(size_of(o, 0), size_of(o, 1),
                          {.bias = o.value("bias", true), .nonlinearity = nonlinearity(o)});
             return run(cell, x, o);
           }},
          {"LSTMCell",
           [](const Variables& x, const Options& o) -> Variables {
             LSTMCell cell(size_of(o, 0), size_of(o, 1), {.bias = o.value("bias", true)});
             return run(cell, x, o);
           }},
          {"GRUCell",
           [](const Variables& x, const Options& o) -> Variables {
             GRUCell cell(size_of(o, 0), size_of(o, 1), {.bias = o.value("bias", true)});
             return run(cell, x, o);
           }},
          {"Embedding",
           [](const Variables& x, const Options& o) -> Variables {
             EmbeddingOptions options;
             if (o.contains("padding_idx"))
               options.padding_idx = o["padding_idx"].get<std::int64_t>();
             Embedding layer(size_of(o, 0), size_of(o, 1), options);
             return {layer(take_parameters(layer, x, o)[0])};
           }},
          {"scaled_dot_product_attention",
           [](const Variables& x, const Options& o) -> Variables {
             AttentionOptions options{.attn_mask = x[3], .is_causal = o["is_causal"].get<bool>()};
             if (o.contains("scale")) options.scale = o["scale"].get<double>();
             return {scaled_dot_product_attention(x[0], x[1], x[2], options)};
           }},
          {"MultiheadAttention",
           [](const Variables& x, const Options& o) -> Variables {
             MultiheadAttention layer(
                 o["embed_dim"].get<std::int64_t>(), o["num_heads"].get<std::int64_t>(),
                 {.bias = o["bias"].get<bool>(), .batch_first = o["batch_first"].get<bool>()});
             return run(layer, x, o);
           }},
          {"TransformerEncoderLayer",
           [](const Variables& x, const Options& o) -> Variables {
             TransformerEncoderLayer layer(
                 4, 2,
                 {.dim_feedforward = 3,
                  .dropout = 0,
                  .activation = o["activation"] == "gelu" ? TransformerActivation::gelu
                                                          : TransformerActivation::relu,
                  .batch_first = o["batch_first"].get<bool>(),
                  .norm_first = o["norm_first"].get<bool>()});
             return run(layer, x, o);
           }},
      });
}
