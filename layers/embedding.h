// Embedding: a table of vectors, looked up by number.
#pragma once

#include <gradus/core/random.h>
#include <gradus/layers/module.h>

#include <cstdint>
#include <optional>

namespace gradus {

/// Options of Embedding.
struct EmbeddingOptions {
  std::optional<std::int64_t>
      padding_idx{};  ///< a row that stays as it is; negative counts from the end
};

/// y[.., :] = weight[x[..], :]. int64 [..] -> [.., embedding_dim]; weight [num_embeddings, embedding_dim].
/// The weight starts with N(0, 1), the row of padding_idx with zeros; that row gets no gradient.
class Embedding final : public Module {
 public:
  /// Throws ValueError unless both sizes are positive and padding_idx is one of the rows.
  Embedding(std::int64_t num_embeddings, std::int64_t embedding_dim,
            const EmbeddingOptions& options = {}, Generator& generator = default_generator());

  Variable weight;

  void visit(Visitor& v) override;
  /// Throws DTypeError unless x is int64, ShapeError for a number that is no row.
  Variable forward(const Variable& x) override;
  std::string extra() const override;

 private:
  std::optional<std::int64_t> padding_idx_;  // not negative
};

}  // namespace gradus
