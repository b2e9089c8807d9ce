// Einstein's sums, and the products of vectors and matrices that have names of their own.
//
// In "bij,bjk->bik" each letter is a label of a dimension. Elements of equal labels meet, their product
// is taken, and what the output does not name is summed. Operands are contracted one after the other
// from the left; each contraction is one matrix product: the labels of two operands are sorted into
// those that both keep (a batch), those that one of them has, and those that both sum over.
#include <gradus/autograd/ops/chapter.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {
namespace ops {
namespace {

/// Labels of dimensions: a letter, or for the k-th dimension of an ellipsis, counted from the right, the
/// character k.
using Labels = std::string;

bool has(const Labels& labels, char label) { return labels.find(label) != Labels::npos; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// One side of a comma, or what stands behind the arrow.
struct Subscripts {
  Labels letters;
  std::size_t ellipsis = Labels::npos;  // which letter it stands before

  bool has_ellipsis() const { return ellipsis != Labels::npos; }

  Subscripts(std::string_view text, std::string_view equation) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == ' ') continue;
      if (text.substr(i, 3) == "...") {
        if (has_ellipsis())
          fail<ValueError>("einsum: two ellipses in \"", text, "\" of \"", equation, "\"");
        ellipsis = letters.size();
        i += 2;
      } else if (is_letter(text[i])) {
        letters += text[i];
      } else {
        fail<ValueError>("einsum: '", text[i], "' is no letter, comma, arrow or ellipsis in \"",
                         equation, "\"");
      }
    }
  }

  /// With the labels of an ellipsis of so many dimensions in its place.
  Labels labels(int dimensions) const {
    Labels all = letters;
    Labels dots;
    for (int k = dimensions - 1; k >= 0; --k) dots += static_cast<char>(k);
    if (has_ellipsis()) all.insert(ellipsis, dots);
    return all;
  }
};

/// An operand under way, a label for each of its dimensions.
struct Labelled {
  Variable x;
  Labels labels;

  std::int64_t size(char label) const {
    return x.size(static_cast<std::int64_t>(labels.find(label)));
  }
};

/// A repeated label is a diagonal: "ii" -> "i".
void take_diagonals(Labelled& operand, Place at) {
  Labels& labels = operand.labels;
  for (std::size_t i = 0; i < labels.size();) {
    const char label = labels[i];
    const std::size_t j = labels.find(label, i + 1);
    if (j == Labels::npos) {
      ++i;
      continue;
    }
    operand.x =
        diagonal({operand.x, at}, 0, static_cast<std::int64_t>(i), static_cast<std::int64_t>(j));
    labels.erase(j, 1);
    labels.erase(i, 1);
    labels += label;  // diagonal() puts it last
  }
}

/// Sums over all labels that are not in `kept`.
void sum_out(Labelled& operand, const Labels& kept, Place at) {
  Dims dims;
  Labels rest;
  for (std::size_t i = 0; i < operand.labels.size(); ++i) {
    if (has(kept, operand.labels[i])) {
      rest += operand.labels[i];
    } else {
      dims.push_back(static_cast<std::int64_t>(i));
    }
  }
  if (dims.empty()) return;
  operand.x = sum({operand.x, at}, dims);
  operand.labels = rest;
}

/// Dimensions in the order of `labels`, each repeated to the size that it has in `sizes`, and then seen
/// as `shape`.
Variable laid_out(const Labelled& operand, const Labels& labels, const Shape& sizes,
                  const Shape& shape, Place at) {
  Dims order;
  for (const char label : labels)
    order.push_back(static_cast<std::int64_t>(operand.labels.find(label)));
  Variable sorted = permute({operand.x, at}, order);
  if (sorted.shape() != sizes) sorted = expand({sorted, at}, sizes);
  return reshape({sorted, at}, shape);
}

/// The sizes of these labels in the product of a and b: where one has 1, that of the other.
Shape sizes_of(const Labels& labels, const Labelled& a, const Labelled& b) {
  Shape sizes;
  for (const char label : labels) {
    const std::int64_t left = has(a.labels, label) ? a.size(label) : 1;
    const std::int64_t right = has(b.labels, label) ? b.size(label) : 1;
    sizes.push_back(left == 1 ? right : left);
  }
  return sizes;
}

/// The product of a and b, summed over the labels of both that are not in `kept`.
Labelled contract(Labelled a, Labelled b, const Labels& kept, Place at) {
  sum_out(a, kept + b.labels, at);
  sum_out(b, kept + a.labels, at);
  Labels batch, left, right, summed;
  for (const char label : a.labels) {
    Labels& kind = !has(b.labels, label) ? left : has(kept, label) ? batch : summed;
    kind += label;
  }
  for (const char label : b.labels)
    if (!has(a.labels, label)) right += label;

  const auto size = [&](const Labels& labels) { return sizes_of(labels, a, b).numel(); };
  const auto sizes = [&](const Labels& labels) { return sizes_of(labels, a, b); };
  const std::int64_t n = size(batch), l = size(left), r = size(right), k = size(summed);
  Labelled product{{}, batch + left + right};
  const Labels left_order = batch + left + summed;
  Variable z;
  if (summed.empty()) {
    const Labels right_order = batch + right + summed;
    const Variable x = laid_out(a, left_order, sizes(left_order), {n, l, 1, k}, at);
    z = mul({x, at}, laid_out(b, right_order, sizes(right_order), {n, 1, r, k}, at));
  } else {
    const Labels right_order = batch + summed + right;
    const bool one = batch.empty();
    const Variable x =
        laid_out(a, left_order, sizes(left_order), one ? Shape{l, k} : Shape{n, l, k}, at);
    const Variable y =
        laid_out(b, right_order, sizes(right_order), one ? Shape{k, r} : Shape{n, k, r}, at);
    z = matmul({x, at}, y);
  }
  product.x = reshape({z, at}, sizes(product.labels));
  return product;
}

/// The operands' labels and the output's, as the equation has them.
struct Equation {
  std::vector<Subscripts> inputs;
  std::optional<Subscripts> output;

  explicit Equation(std::string_view text) {
    std::string_view left = text;
    if (const auto arrow = text.find("->"); arrow != std::string_view::npos) {
      left = text.substr(0, arrow);
      output.emplace(text.substr(arrow + 2), text);
    }
    for (;;) {
      const auto comma = left.find(',');
      inputs.emplace_back(left.substr(0, comma), text);
      if (comma == std::string_view::npos) return;
      left = left.substr(comma + 1);
    }
  }

  /// Without an arrow: the ellipsis, and the letters that stand there once, sorted.
  Labels implicit_output(int dimensions) const {
    Labels all;
    Labels once;
    for (const Subscripts& input : inputs) all += input.letters;
    for (const char label : all)
      if (std::count(all.begin(), all.end(), label) == 1) once += label;
    std::sort(once.begin(), once.end());
    Labels dots;
    for (int k = dimensions - 1; k >= 0; --k) dots += static_cast<char>(k);
    return dots + once;
  }
};

std::string name_of(char label) {
  return is_letter(label) ? "'" + std::string(1, label) + "'"
                          : "of the ellipsis, " + std::to_string(label + 1) + " from its end,";
}

/// Each operand's rank, dtype and sizes against what the equation says; gives the number of dimensions
/// of the ellipsis.
int check_operands(const Equation& equation, std::string_view text, const Variables& operands) {
  if (equation.inputs.size() != operands.size()) {
    fail<ShapeError>("einsum: \"", text, "\" names ", equation.inputs.size(), " operands, got ",
                     operands.size());
  }
  int dimensions = 0;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const Subscripts& input = equation.inputs[i];
    const auto letters = static_cast<int>(input.letters.size());
    const int rank = operands[i].rank();
    if (input.has_ellipsis() ? rank < letters : rank != letters) {
      fail<ShapeError>("einsum: operand ", i, " of \"", text, "\" has ", letters, " labels",
                       input.has_ellipsis() ? " and an ellipsis" : "", ", got shape ",
                       operands[i].shape());
    }
    if (operands[i].dtype() == boolean || operands[i].dtype() == uint8) {
      fail<DTypeError>("einsum: does not take ", operands[i].dtype(), ", which operand ", i,
                       " is; cast with .to(int64)");
    }
    if (operands[i].dtype() != operands[0].dtype()) {
      fail<DTypeError>("einsum: operand ", i, " is ", operands[i].dtype(), ", operand 0 is ",
                       operands[0].dtype(), "; ",
                       cast_to_match(operands[i].dtype(), operands[0].dtype()));
    }
    if (input.has_ellipsis()) dimensions = std::max(dimensions, rank - letters);
  }
  return dimensions;
}

/// Sizes of one label are equal, or 1.
void check_label_sizes(const std::vector<Labelled>& operands, std::string_view text) {
  for (std::size_t i = 0; i < operands.size(); ++i) {
    for (std::size_t d = 0; d < operands[i].labels.size(); ++d) {
      const char label = operands[i].labels[d];
      const std::int64_t size = operands[i].x.shape()[static_cast<int>(d)];
      const std::int64_t before = operands[i].size(label);
      if (size != before) {
        fail<ShapeError>("einsum: label ", name_of(label), " of \"", text, "\" has sizes ", before,
                         " and ", size, " in operand ", i, ", which is ", operands[i].x.shape());
      }
      for (std::size_t j = 0; j < i; ++j) {
        if (!has(operands[j].labels, label)) continue;
        const std::int64_t other = operands[j].size(label);
        if (size == other || size == 1 || other == 1) continue;
        fail<ShapeError>("einsum: label ", name_of(label), " of \"", text, "\" has size ", other,
                         " in operand ", j, ", ", operands[j].x.shape(), ", and ", size,
                         " in operand ", i, ", ", operands[i].x.shape());
      }
    }
  }
}

void check_output(const Labels& output, const std::vector<Labelled>& operands,
                  std::string_view text) {
  for (const char label : output) {
    if (std::count(output.begin(), output.end(), label) > 1) {
      fail<ValueError>("einsum: label ", name_of(label), " stands twice in the output of \"", text,
                       "\"");
    }
    const bool known = std::any_of(operands.begin(), operands.end(),
                                   [label](const Labelled& x) { return has(x.labels, label); });
    if (!known) {
      fail<ValueError>("einsum: label ", name_of(label),
                       " of the output stands in no operand of \"", text, "\"");
    }
  }
}

}  // namespace
}  // namespace ops

Variable einsum(std::string_view equation, const Variables& operands, Place at) {
  const ops::Equation parsed(equation);
  const int dimensions = ops::check_operands(parsed, equation, operands);
  std::vector<ops::Labelled> all;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const ops::Subscripts& input = parsed.inputs[i];
    const int own = operands[i].rank() - static_cast<int>(input.letters.size());
    all.push_back({operands[i], input.labels(own)});
  }
  const ops::Labels output =
      parsed.output ? parsed.output->labels(dimensions) : parsed.implicit_output(dimensions);
  ops::check_label_sizes(all, equation);
  ops::check_output(output, all, equation);

  for (ops::Labelled& operand : all) ops::take_diagonals(operand, at);
  ops::Labelled result = all[0];
  for (std::size_t i = 1; i < all.size(); ++i) {
    ops::Labels kept = output;
    for (std::size_t j = i + 1; j < all.size(); ++j) kept += all[j].labels;
    result = ops::contract(std::move(result), all[i], kept, at);
  }
  ops::sum_out(result, output, at);
  Dims order;
  for (const char label : output)
    order.push_back(static_cast<std::int64_t>(result.labels.find(label)));
  return permute({result.x, at}, order);
}

Variable bmm(const Operand& a, const Variable& b) {
  const bool fits =
      a->rank() == 3 && b.rank() == 3 && a->size(0) == b.size(0) && a->size(2) == b.size(1);
  if (!fits) {
    fail<ShapeError>("bmm: expects [b,m,k] and [b,k,n], got ", a->shape(), " and ", b.shape());
  }
  if (a->dtype() != b.dtype() || !is_floating(b.dtype())) {
    fail<DTypeError>("bmm: expects float32 or float64, the same of both, got ",
                     describe(a->value()), " and ", describe(b.value()), "; ",
                     cast_to_match(a->dtype(), b.dtype()));
  }
  return matmul(a, b);
}

namespace ops {
namespace {

void check_vectors(std::string_view op, const Variable& a, const Variable& b) {
  if (a.rank() != 1 || b.rank() != 1)
    fail<ShapeError>(op, ": expects two vectors, got ", a.shape(), " and ", b.shape());
  if (a.dtype() == boolean && b.dtype() == boolean)
    fail<DTypeError>(op, ": does not take bool; cast with .to(int64) or .to(float32)");
  if (a.dtype() != b.dtype()) {
    fail<DTypeError>(op, ": expects numbers of one dtype, got ", describe(a.value()), " and ",
                     describe(b.value()), "; ", cast_to_match(a.dtype(), b.dtype()));
  }
}

}  // namespace
}  // namespace ops

Variable outer(const Operand& a, const Variable& b) {
  ops::check_vectors("outer", a, b);
  return mul({unsqueeze(a, 1), a.at()}, b);
}

Variable dot(const Operand& a, const Variable& b) {
  ops::check_vectors("dot", a, b);
  if (a->numel() != b.numel())
    fail<ShapeError>("dot: lengths differ: ", a->numel(), " and ", b.numel());
  const Variable y = sum({mul(a, b), a.at()});
  return is_floating(a->dtype()) ? y : Variable(y.value().to(a->dtype()));
}

}  // namespace gradus
