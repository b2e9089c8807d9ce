// Attention as the composition that the paper writes down.
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/layers/attention.h>
#include <gradus/layers/init.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

namespace gradus {
namespace {

/// The scores where `allowed`, elsewhere -inf: after softmax, 0.
Variable masked(const Variable& scores, const Tensor& allowed) {
  return where(allowed, scores,
               Tensor::scalar(-std::numeric_limits<double>::infinity(), scores.dtype()));
}

/// A bool mask says where it may look.
Variable with_mask(std::string_view op, const Variable& scores, const Variable& mask) {
  bool fits = mask.rank() <= scores.rank();
  for (int d = 1; fits && d <= mask.rank(); ++d)
    fits = mask.size(-d) == 1 || mask.size(-d) == scores.size(-d);
  if (!fits) {
    fail<ShapeError>(op, ": a mask of ", mask.shape(), " does not broadcast to the scores, ",
                     scores.shape());
  }
  if (mask.dtype() == boolean) return masked(scores, mask.value());
  if (mask.dtype() != scores.dtype()) {
    fail<DTypeError>(op, ": a mask is bool or ", scores.dtype(), " as the scores, got ",
                     describe(mask.value()), "; ", cast_to_match(scores.dtype(), mask.dtype()));
  }
  return scores + mask;
}

/// [i][j]: j <= i
Tensor lower_triangle(std::int64_t rows, std::int64_t columns) {
  return core::le(arange(columns).reshape({1, columns}), arange(rows).reshape({rows, 1}));
}

/// A mask of the layer as one of the function: of bool, it says where not to look.
Variable allowed_by(const Variable& mask) {
  return mask.dtype() == boolean ? Variable(core::logical_not(mask.value())) : mask;
}

void check_attention(std::string_view op, const Variable& q, const Variable& k, const Variable& v) {
  const bool fits = q.rank() >= 2 && k.rank() >= 2 && v.rank() >= 2 && q.size(-1) == k.size(-1) &&
                    k.size(-2) == v.size(-2);
  if (!fits) {
    fail<ShapeError>(op, ": expects query [..,L,E], key [..,S,E] and value [..,S,V], got ",
                     q.shape(), ", ", k.shape(), " and ", v.shape());
  }
  const auto batch_of = [](const Variable& x) {
    return Shape(std::vector<std::int64_t>(x.shape().begin(), x.shape().end() - 2));
  };
  broadcast(op, broadcast(op, batch_of(q), batch_of(k)), batch_of(v));
  dispatch_floating(op, q.dtype(), []<class T>() {});
  for (const Variable* other : {&k, &v}) {
    if (other->dtype() == q.dtype()) continue;
    fail<DTypeError>(op, ": expects query, key and value of one dtype, got ", describe(q.value()),
                     ", ", describe(k.value()), " and ", describe(v.value()), "; ",
                     cast_to_match(q.dtype(), other->dtype()));
  }
}

}  // namespace

Variable scaled_dot_product_attention(const Operand& query, const Variable& key,
                                      const Variable& value, const AttentionOptions& options) {
  constexpr std::string_view op = "scaled_dot_product_attention";
  check_attention(op, query, key, value);
  if (options.is_causal && options.attn_mask.defined())
    fail<ValueError>(op, ": takes either attn_mask or is_causal, got is_causal and a mask ",
                     describe(options.attn_mask.value()));
  if (!(options.dropout_p >= 0 && options.dropout_p <= 1))
    fail<ValueError>(op, ": dropout_p must be in 0..1, got ", options.dropout_p);
  const double scale = options.scale.value_or(1 / std::sqrt(static_cast<double>(query->size(-1))));
  Variable scores = matmul(mul(query, scale), transpose(key));
  if (options.is_causal) scores = masked(scores, lower_triangle(scores.size(-2), scores.size(-1)));
  if (options.attn_mask.defined()) scores = with_mask(op, scores, options.attn_mask);
  Variable weights = softmax(scores, -1);
  if (options.dropout_p != 0) weights = dropout(weights, options.dropout_p, default_generator());
  return matmul(weights, value);
}

MultiheadAttention::MultiheadAttention(std::int64_t embed_dim, std::int64_t num_heads,
                                       const MultiheadAttentionOptions& options,
                                       Generator& generator)
    : out_proj(std::max<std::int64_t>(embed_dim, 1), std::max<std::int64_t>(embed_dim, 1),
               {.bias = options.bias}, generator),
      num_heads_(num_heads),
      options_(options) {
  if (embed_dim < 1 || num_heads < 1 || embed_dim % num_heads != 0) {
    fail<ValueError>("MultiheadAttention: num_heads ", num_heads, " must divide embed_dim ",
                     embed_dim);
  }
  if (!(options.dropout >= 0 && options.dropout <= 1)) {
    fail<ValueError>("MultiheadAttention: dropout must be between 0 and 1, got ", options.dropout);
  }
  in_proj_weight = Variable(Tensor::empty({3 * embed_dim, embed_dim}), true);
  init::xavier_uniform_(in_proj_weight.value(), 1, generator);
  if (options.bias) {
    in_proj_bias = Variable(zeros({3 * embed_dim}), true);
    out_proj.bias.value().fill_(0);
  }
}

void MultiheadAttention::visit(Visitor& v) {
  v("in_proj_weight", in_proj_weight);
  v("in_proj_bias", in_proj_bias);
  v("out_proj", out_proj);
}

Variables MultiheadAttention::forward_all(const Variables& inputs) {
  constexpr std::string_view op = "MultiheadAttention";
  if (inputs.size() < 3 || inputs.size() > 5) {
    fail<ValueError>(op, ": expects query, key, value and up to two masks, got ", inputs.size(),
                     " Variables");
  }
  const std::int64_t features = in_proj_weight.size(1);
  const int rank = inputs[0].rank();
  for (std::size_t i = 0; i < 3; ++i) {
    if ((rank != 2 && rank != 3) || inputs[i].rank() != rank || inputs[i].size(-1) != features) {
      fail<ShapeError>(op, ": expects query, key and value of ",
                       options_.batch_first ? "[N,L," : "[L,N,", features, "] or [L,", features,
                       "], got ", inputs[i].shape());
    }
    const int along_batch = options_.batch_first ? 0 : 1;
    if (rank == 3 && inputs[i].size(along_batch) != inputs[0].size(along_batch)) {
      fail<ShapeError>(op, ": the query ", inputs[0].shape(), " has a batch of ",
                       inputs[0].size(along_batch), ", the ", i == 1 ? "key " : "value ",
                       inputs[i].shape(), " one of ", inputs[i].size(along_batch));
    }
  }
  const bool batched = rank == 3;
  const std::int64_t width = features / num_heads_;
  // [L,N,E] -> [N,heads,L,E/heads]
  const auto projected = [&](std::size_t i) {
    const auto from = static_cast<std::int64_t>(i) * features;
    Variable x = inputs[i];
    if (!batched) x = unsqueeze(x, 1);
    if (batched && options_.batch_first) x = transpose(x, 0, 1);
    x = linear(x, narrow(in_proj_weight, 0, from, features),
               in_proj_bias.defined() ? narrow(in_proj_bias, 0, from, features) : Variable());
    return permute(reshape(x, {x.size(0), x.size(1), num_heads_, width}), {1, 2, 0, 3});
  };
  const Variable query = projected(0);
  const Variable key = projected(1);
  const Variable value = projected(2);
  check_attention(op, query, key, value);
  const std::int64_t batch = query.size(0);
  const std::int64_t length = query.size(2);
  const std::int64_t sources = key.size(2);
  Variable scores = matmul(query * (1 / std::sqrt(static_cast<double>(width))), transpose(key));
  if (inputs.size() > 3 && inputs[3].defined()) {
    const Shape expected = batched ? Shape{batch, sources} : Shape{sources};
    if (inputs[3].shape() != expected) {
      fail<ShapeError>(op, ": expects a key_padding_mask of ", expected, ", got ",
                       inputs[3].shape());
    }
    scores =
        with_mask(op, scores, allowed_by(reshape(inputs[3], {batched ? batch : 1, 1, 1, sources})));
  }
  if (inputs.size() > 4 && inputs[4].defined()) {
    const bool of_all = inputs[4].rank() == 3;
    const Shape expected =
        of_all ? Shape{batch * num_heads_, length, sources} : Shape{length, sources};
    if (inputs[4].shape() != expected) {
      fail<ShapeError>(op, ": expects an attn_mask of ", expected, ", got ", inputs[4].shape());
    }
    const Variable mask =
        of_all ? reshape(inputs[4], {batch, num_heads_, length, sources}) : inputs[4];
    scores = with_mask(op, scores, allowed_by(mask));
  }
  Variable weights = softmax(scores, -1);
  if (is_training() && options_.dropout > 0)
    weights = dropout(weights, options_.dropout, default_generator());
  // [N,heads,L,E/heads] -> [L,N,E]
  Variable y = reshape(permute(matmul(weights, value), {2, 0, 1, 3}), {length, batch, features});
  y = out_proj(y);
  Variable seen = mean(weights, {1});
  if (!batched) {
    y = squeeze(y, 1);
    seen = squeeze(seen, 0);
  } else if (options_.batch_first) {
    y = transpose(y, 0, 1);
  }
  return {y, seen};
}

namespace {

/// d_model, once all is checked in the layer's own name.
std::int64_t checked_model(std::int64_t d_model, std::int64_t num_heads,
                           const TransformerEncoderLayerOptions& options) {
  constexpr std::string_view op = "TransformerEncoderLayer";
  if (d_model < 1 || num_heads < 1 || d_model % num_heads != 0)
    fail<ValueError>(op, ": num_heads ", num_heads, " must divide d_model ", d_model);
  if (options.dim_feedforward < 1)
    fail<ValueError>(op, ": dim_feedforward must be positive, got ", options.dim_feedforward);
  if (!(options.dropout >= 0 && options.dropout <= 1))
    fail<ValueError>(op, ": dropout must be between 0 and 1, got ", options.dropout);
  return d_model;
}

}  // namespace

TransformerEncoderLayer::TransformerEncoderLayer(std::int64_t d_model, std::int64_t num_heads,
                                                 const TransformerEncoderLayerOptions& options,
                                                 Generator& generator)
    : self_attn(checked_model(d_model, num_heads, options), num_heads,
                {.dropout = options.dropout, .batch_first = options.batch_first}, generator),
      linear1(d_model, options.dim_feedforward, {}, generator),
      linear2(options.dim_feedforward, d_model, {}, generator),
      norm1(d_model, {.eps = options.layer_norm_eps}),
      norm2(d_model, {.eps = options.layer_norm_eps}),
      options_(options) {}

void TransformerEncoderLayer::visit(Visitor& v) {
  v("self_attn", self_attn);
  v("linear1", linear1);
  v("linear2", linear2);
  v("norm1", norm1);
  v("norm2", norm2);
}

Variable TransformerEncoderLayer::dropped(const Variable& x) const {
  const bool drops = is_training() && options_.dropout > 0;
  return drops ? dropout(x, options_.dropout, default_generator()) : x;
}

Variable TransformerEncoderLayer::attended(const Variable& x, const Variables& inputs) {
  const Variable mask = inputs.size() > 1 ? inputs[1] : Variable();
  const Variable padding = inputs.size() > 2 ? inputs[2] : Variable();
  return dropped(self_attn({x, x, x, padding, mask}).front());
}

Variable TransformerEncoderLayer::perceived(const Variable& x) {
  const bool is_relu = options_.activation == TransformerActivation::relu;
  const Variable hidden = is_relu ? linear1(x, Activation::relu) : gelu(linear1(x));
  return dropped(linear2(dropped(hidden)));
}

Variables TransformerEncoderLayer::forward_all(const Variables& inputs) {
  if (inputs.empty() || inputs.size() > 3) {
    fail<ValueError>("TransformerEncoderLayer: expects x and up to two masks, got ", inputs.size(),
                     " Variables");
  }
  Variable x = inputs[0];
  if (options_.norm_first) {
    x = x + attended(norm1(x), inputs);
    return {x + perceived(norm2(x))};
  }
  x = norm1(x + attended(x, inputs));
  return {norm2(x + perceived(x))};
}

}  // namespace gradus
