// Attention: each position of a sequence gathers from the positions of another, by how well its query fits
// their keys.
//
// A. Vaswani et al., "Attention is all you need", NeurIPS 2017, sections 3.2.1 and 3.2.2.
#pragma once

#include <gradus/core/random.h>
#include <gradus/layers/dropout.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/module.h>
#include <gradus/layers/norm.h>

#include <cstdint>
#include <optional>

namespace gradus {

/// Of scaled_dot_product_attention(): who may look where.
struct AttentionOptions {
  Variable
      attn_mask{};  ///< broadcasts to [..,L,S]: bool, true where it may look, or added to the scores
  double dropout_p = 0;           ///< of the weights, from default_generator(), whatever the mode
  bool is_causal = false;         ///< position i sees positions 0..i only
  std::optional<double> scale{};  ///< of the scores; 1/√E unless given
};

/// softmax(scale·query·keyᵀ)·value: query [..,L,E], key [..,S,E], value [..,S,V] -> [..,L,V].
/// A row that may look nowhere is NaN, as in PyTorch. Throws ShapeError for other shapes, ValueError for a mask
/// together with is_causal, DTypeError for a mask that is neither bool nor of the scores' dtype.
Variable scaled_dot_product_attention(const Operand& query, const Variable& key,
                                      const Variable& value, const AttentionOptions& options = {});

/// Options of MultiheadAttention.
struct MultiheadAttentionOptions {
  double dropout = 0;  ///< of the weights, in training
  bool bias = true;
  bool batch_first = false;
};

/// Attention in num_heads parts of the features at once, between projections; query, key and value have
/// embed_dim features each. [L,N,E], with batch_first [N,L,E], or without a batch [L,E].
///   mha({query, key, value}) -> {output, weights}, weights [N,L,S], the mean over the heads
///   mha({query, key, value, key_padding_mask, attn_mask}), either mask undefined for none
/// As PyTorch's, masks of bool say where it may not look, others are added to the scores:
/// key_padding_mask [N,S] or [S], attn_mask [L,S] or [N·heads,L,S].
/// Parameters: in_proj_weight [3E,E] and in_proj_bias, of query, key and value; out_proj.
class MultiheadAttention final : public MultiModule {
 public:
  /// Throws ValueError unless num_heads divides embed_dim and 0 <= dropout <= 1.
  MultiheadAttention(std::int64_t embed_dim, std::int64_t num_heads,
                     const MultiheadAttentionOptions& options = {},
                     Generator& generator = default_generator());

  Variable in_proj_weight;
  Variable in_proj_bias;  ///< undefined without bias
  Linear out_proj;

  std::int64_t num_heads() const { return num_heads_; }
  const MultiheadAttentionOptions& options() const { return options_; }

  void visit(Visitor& v) override;
  /// Throws ShapeError for other shapes, ValueError for another number of inputs.
  Variables forward_all(const Variables& inputs) override;

 private:
  std::int64_t num_heads_;
  MultiheadAttentionOptions options_;
};

enum class TransformerActivation { relu, gelu };

/// Options of TransformerEncoderLayer.
struct TransformerEncoderLayerOptions {
  std::int64_t dim_feedforward = 2048;
  double dropout = 0.1;  ///< of the weights, of what attention gives, and twice in the perceptron
  TransformerActivation activation = TransformerActivation::relu;
  double layer_norm_eps = 1e-5;
  bool batch_first = false;
  bool norm_first = false;  ///< the norms stand before what they belong to, within the shortcuts
};

/// Attention of a sequence to itself, then a perceptron for each position, each beside a shortcut:
///   x = norm1(x + attention(x)),  y = norm2(x + linear2(activation(linear1(x))))
/// or with norm_first  x = x + attention(norm1(x)),  y = x + perceptron(norm2(x)).
/// [L,N,E], with batch_first [N,L,E], or without a batch [L,E]; the same shape comes out.
///   layer(x), or layer({x, src_mask, src_key_padding_mask}), either mask undefined for none
/// Parameters: self_attn, linear1, linear2, norm1, norm2, as PyTorch's.
/// Source: A. Vaswani et al., section 3.1; norm_first: R. Xiong et al., "On layer normalization in the
/// transformer architecture", ICML 2020.
class TransformerEncoderLayer final : public MultiModule {
 public:
  /// Throws ValueError unless num_heads divides d_model, all sizes are positive and 0 <= dropout <= 1.
  TransformerEncoderLayer(std::int64_t d_model, std::int64_t num_heads,
                          const TransformerEncoderLayerOptions& options = {},
                          Generator& generator = default_generator());

  MultiheadAttention self_attn;
  Linear linear1;
  Linear linear2;
  LayerNorm norm1;
  LayerNorm norm2;

  const TransformerEncoderLayerOptions& options() const { return options_; }

  void visit(Visitor& v) override;
  /// Throws ValueError for another number of inputs; ShapeErrors are those of self_attn.
  Variables forward_all(const Variables& inputs) override;

 private:
  Variable attended(const Variable& x, const Variables& inputs);
  Variable perceived(const Variable& x);
  Variable dropped(const Variable& x) const;

  TransformerEncoderLayerOptions options_;
};

}  // namespace gradus
