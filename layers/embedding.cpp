// Embedding: rows by their numbers, without a gradient for the padding.
#include <gradus/autograd/functions.h>
#include <gradus/core/math.h>
#include <gradus/layers/embedding.h>
#include <gradus/layers/init.h>

namespace gradus {

Embedding::Embedding(std::int64_t num_embeddings, std::int64_t embedding_dim,
                     const EmbeddingOptions& options, Generator& generator)
    : padding_idx_(options.padding_idx) {
  if (num_embeddings < 1 || embedding_dim < 1) {
    fail<ValueError>("Embedding: sizes must be positive, got num_embeddings ", num_embeddings,
                     " and embedding_dim ", embedding_dim);
  }
  if (padding_idx_ && (*padding_idx_ < -num_embeddings || *padding_idx_ >= num_embeddings)) {
    fail<ValueError>("Embedding: padding_idx ", *padding_idx_, " is none of the ", num_embeddings,
                     " rows");
  }
  if (padding_idx_ && *padding_idx_ < 0) *padding_idx_ += num_embeddings;
  weight = Variable(Tensor::empty({num_embeddings, embedding_dim}), true);
  init::normal_(weight.value(), 0, 1, generator);
  if (padding_idx_) weight.value().select(0, *padding_idx_).fill_(0);
}

void Embedding::visit(Visitor& v) { v("weight", weight); }

Variable Embedding::forward(const Variable& x) {
  if (x.dtype() != int64) {
    fail<DTypeError>("Embedding: expects the numbers of rows in int64, got ", describe(x.value()),
                     "; cast with .to(int64)");
  }
  const Tensor index = x.value().reshape({x.numel()});
  Variable rows = index_select(weight, 0, index);
  if (padding_idx_) {
    const Tensor is_padding =
        core::eq(index, static_cast<double>(*padding_idx_)).reshape({index.numel(), 1});
    rows = where(is_padding, rows.detach(), rows);
  }
  Shape shape = x.shape();
  shape.push_back(weight.size(1));
  return reshape(rows, shape);
}

std::string Embedding::extra() const {
  PlainText text;
  text << weight.size(0) << ", " << weight.size(1);
  if (padding_idx_) text << ", padding_idx=" << *padding_idx_;
  return text.str();
}

}  // namespace gradus
