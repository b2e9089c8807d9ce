// Inputs for scaled_dot_product_attention (layers/attention.cpp), the one function on Variables that is
// declared beside its layer.
#include <gradus/gradcheck/samples/inputs.h>
#include <gradus/layers/attention.h>

namespace gradus::samples {
namespace {

std::function<Variable(const Variables&)> attention_with(const AttentionOptions& options) {
  return [options](const Variables& v) {
    return scaled_dot_product_attention(v[0], v[1], v[2], options);
  };
}

std::vector<Sample> attention_samples() {
  const auto f = attention_with({});
  const auto inputs = [](const Shape& q, const Shape& k, const Shape& v, std::uint64_t seed) {
    return Variables{spread(q, seed), spread(k, seed + 1), spread(v, seed + 2)};
  };
  const Tensor seen = Tensor::from({{true, false, true, true}, {true, true, false, true}});
  return {
      {"all sizes different", inputs({2, 3}, {4, 3}, {4, 5}, 1), f},
      {"all sizes equal", inputs({3, 3}, {3, 3}, {3, 3}, 4), f},
      {"batches and heads", inputs({2, 3, 2, 4}, {2, 3, 5, 4}, {2, 3, 5, 2}, 7), f},
      {"one key for all batches", inputs({3, 2, 2}, {4, 2}, {4, 3}, 10), f},
      {"causal", inputs({4, 2}, {4, 2}, {4, 3}, 13), attention_with({.is_causal = true})},
      {"a mask of places", inputs({2, 3}, {4, 3}, {4, 2}, 16), attention_with({.attn_mask = seen})},
      {"a mask that is added",
       {spread({2, 3}, 19), spread({4, 3}, 20), spread({4, 2}, 21), spread({2, 4}, 22)},
       [](const Variables& v) {
         return scaled_dot_product_attention(v[0], v[1], v[2], {.attn_mask = v[3]});
       }},
      {"a scale", inputs({2, 3}, {4, 3}, {4, 2}, 23), attention_with({.scale = 0.3})},
      {"one place", inputs({1, 2}, {1, 2}, {1, 3}, 26), f},
      {"no queries", inputs({0, 2}, {3, 2}, {3, 2}, 29), f},
      {"to itself", {spread({3, 2}, 32)}, [](const Variables& v) {
         return scaled_dot_product_attention(v[0], v[0], v[0]);
       }}};
}

std::vector<Sample> attention_training_samples() {
  std::vector<Sample> all{
      {"heads",
       {spread({4, 8, 33, 16}, 1), spread({4, 8, 47, 16}, 2), spread({4, 8, 47, 16}, 3)},
       attention_with({})},
      {"causal",
       {spread({8, 65, 32}, 4), spread({8, 65, 32}, 5), spread({8, 65, 32}, 6)},
       attention_with({.is_causal = true})}};
  for (const std::int64_t size : remainders) {
    all.push_back({"keys, " + size_name(size),
                   {spread({33, 15}, 7), spread({size, 15}, 8), spread({size, 9}, 9)},
                   attention_with({})});
  }
  return all;
}

}  // namespace

std::vector<OpSamples> attention() {
  return {{"scaled_dot_product_attention", attention_samples, attention_training_samples}};
}

}  // namespace gradus::samples
