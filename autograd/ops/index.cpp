// Choosing elements: by an index, by a mask, or between two. All are made of the ops of shape.cpp and
// of where, so what an index repeats gets the sum of its gradients.
#include <gradus/autograd/ops/chapter.h>

#include <algorithm>
#include <limits>
#include <string_view>
#include <vector>

namespace gradus {
namespace ops {
namespace {

/// An index at work. Numbers, slices and new dimensions are applied one by one, from the first
/// dimension on; tensors are collected, each with the dimension that it chooses from, and applied
/// together at the end.
class Indexing {
 public:
  Indexing(const Operand& x, const std::vector<TensorIndex>& entries)
      : y_(*x), at_(x.at()), shape_(x->shape()) {
    std::int64_t used = 0;
    std::int64_t ellipses = 0;
    for (const TensorIndex& entry : entries) {
      used += dimensions_of(entry);
      ellipses += entry.kind == TensorIndex::Kind::ellipsis ? 1 : 0;
    }
    if (ellipses > 1) fail<ShapeError>("index: one Ellipsis at most, got ", ellipses);
    if (used > x->rank()) {
      fail<ShapeError>("index: ", used, " dimensions are indexed, shape ", x->shape(), " has ",
                       x->rank());
    }
    whole_ = static_cast<int>(x->rank() - used);
    for (const TensorIndex& entry : entries) take(entry);
  }

  Variable result() {
    if (chosen_.empty()) return y_;
    return choose();
  }

 private:
  /// How many dimensions of x an entry stands for.
  static std::int64_t dimensions_of(const TensorIndex& entry) {
    using Kind = TensorIndex::Kind;
    if (entry.kind != Kind::tensor) return entry.kind == Kind::number || entry.kind == Kind::slice;
    const Tensor& chosen = entry.tensor;
    if (!chosen.defined() || (chosen.dtype() != int64 && chosen.dtype() != boolean)) {
      fail<DTypeError>("index: a tensor in an index must be int64 or bool, got ", describe(chosen),
                       chosen.defined() ? "; cast with .to(int64)" : "");
    }
    return chosen.dtype() == boolean ? chosen.rank() : 1;
  }

  void take(const TensorIndex& entry) {
    switch (entry.kind) {
      case TensorIndex::Kind::number:
        return take(entry.number);
      case TensorIndex::Kind::new_dimension:
        y_ = unsqueeze({y_, at_}, d_++);
        return;
      case TensorIndex::Kind::ellipsis:
        d_ += whole_;
        of_x_ += whole_;
        return;
      case TensorIndex::Kind::slice:
        return take(entry.slice);
      case TensorIndex::Kind::tensor:
        return take(entry.tensor);
    }
  }

  void take(std::int64_t number) {
    const std::int64_t size = y_.size(d_);
    if (number < -size || number >= size) {
      fail<ShapeError>("index: ", number, " is out of range for dimension ", of_x_, " of shape ",
                       shape_);
    }
    y_ = select({y_, at_}, d_, number);
    ++of_x_;
  }

  void take(const gradus::Slice& part) {
    if (part.step.value_or(1) < 1)
      fail<ValueError>("index: the step of a Slice must be at least 1, got ", *part.step);
    const bool everything = !part.start && !part.stop && !part.step;
    if (!everything) {
      y_ = slice({y_, at_}, d_, part.start.value_or(0),
                 part.stop.value_or(std::numeric_limits<std::int64_t>::max()),
                 part.step.value_or(1));
    }
    ++d_;
    ++of_x_;
  }

  void take(const Tensor& chosen) {
    if (chosen.dtype() == boolean) return take_mask(chosen);
    if (chosen.rank() == 0) return take(static_cast<std::int64_t>(chosen.item()));
    const std::int64_t size = y_.size(d_);
    const auto out_of_range = core::logical_or(core::lt(chosen, static_cast<double>(-size)),
                                               core::ge(chosen, static_cast<double>(size)));
    if (core::any(out_of_range).item() != 0) {
      const Tensor wrong = masked_select(chosen, out_of_range).value();
      fail<ShapeError>("index: ", wrong.at<std::int64_t>({0}), " is out of range for dimension ",
                       of_x_, " of shape ", shape_);
    }
    const Tensor from_the_end = core::lt(chosen, 0).to(int64);
    collect(core::add(chosen, core::mul(from_the_end, static_cast<double>(size))));
    ++of_x_;
  }

  /// A mask is the list of the places where it holds.
  void take_mask(const Tensor& mask) {
    if (mask.rank() == 0) {  // all of x or nothing, behind a new dimension
      y_ = unsqueeze({y_, at_}, d_);
      return collect(core::nonzero(mask.reshape({1})).select(1, 0));
    }
    for (int k = 0; k < mask.rank(); ++k) {
      if (mask.size(k) == y_.size(d_ + k)) continue;
      fail<ShapeError>("index: a mask of shape ", mask.shape(), " at dimension ", of_x_,
                       " does not fit shape ", shape_);
    }
    const Tensor places = core::nonzero(mask);
    for (int k = 0; k < mask.rank(); ++k) collect(places.select(1, k));
    of_x_ += mask.rank();
  }

  void collect(const Tensor& places) {
    chosen_.push_back(places);
    from_.push_back(d_++);
  }

  /// The tensors together: the dimensions that they choose from come first, and are made one.
  Variable choose() {
    Shape chosen_shape = chosen_[0].shape();
    for (const Tensor& places : chosen_)
      chosen_shape = broadcast("index", chosen_shape, places.shape());
    Dims order = from_;
    Shape rest;
    for (int d = 0; d < y_.rank(); ++d) {
      if (std::find(from_.begin(), from_.end(), d) != from_.end()) continue;
      order.push_back(d);
      rest.push_back(y_.size(d));
    }
    Tensor flat = zeros(chosen_shape, int64);
    std::int64_t count = 1;
    for (int k = 0; k < from_.rank(); ++k) {
      const std::int64_t size = y_.size(from_[k]);
      flat = core::add(core::mul(flat, static_cast<double>(size)),
                       chosen_[static_cast<std::size_t>(k)]);
      count *= size;
    }
    Shape rows{count};
    for (const std::int64_t size : rest) rows.push_back(size);
    const Variable lined = reshape({permute({y_, at_}, order), at_}, rows);
    const Variable taken = index_select({lined, at_}, 0, flat.reshape({-1}));
    Shape shape = chosen_shape;
    for (const std::int64_t size : rest) shape.push_back(size);
    return place({reshape({taken, at_}, shape), at_}, chosen_shape.rank());
  }

  /// The chosen dimensions stay in front, unless those that they come from stood side by side: then
  /// they take their place.
  Variable place(const Operand& taken, int count) const {
    const bool side_by_side = from_[from_.rank() - 1] - from_[0] == from_.rank() - 1;
    if (!side_by_side || from_[0] == 0) return *taken;
    const int before = static_cast<int>(from_[0]);
    Dims order;
    for (int d = 0; d < before; ++d) order.push_back(count + d);
    for (int d = 0; d < count; ++d) order.push_back(d);
    for (int d = count + before; d < taken->rank(); ++d) order.push_back(d);
    return permute(taken, order);
  }

  Variable y_;
  Place at_;
  Shape shape_;    // of x, for messages
  int d_ = 0;      // of y_: where the next entry stands
  int of_x_ = 0;   // of x: the same
  int whole_ = 0;  // dimensions that an Ellipsis stands for
  std::vector<Tensor> chosen_{};
  Dims from_{};  // the dimension of y_ that each chooses from
};

/// A number as a constant of x's dtype. Throws DTypeError naming `op` where that cannot hold it.
Variable number_like(std::string_view op, double number, const Variable& x) {
  dispatch(x.dtype(), [&]<class T>() { number_as<T>(op, number); });
  return Tensor::scalar(number, x.dtype());
}

void check_mask(std::string_view op, const Tensor& mask) {
  if (!mask.defined() || mask.dtype() != boolean) {
    fail<DTypeError>(op, ": the mask must be bool, got ", describe(mask),
                     mask.defined() ? "; compare with ne(x, 0)" : "");
  }
}

}  // namespace
}  // namespace ops

Variable index(const Operand& x, const std::vector<TensorIndex>& indices) {
  return ops::Indexing(x, indices).result();
}

Variable where(const Tensor& condition, const Operand& a, double b) {
  return where(condition, a, ops::number_like("where", b, a));
}
Variable where(const Tensor& condition, double a, const Operand& b) {
  return where(condition, {ops::number_like("where", a, b), b.at()}, b);
}

Variable masked_fill(const Operand& x, const Tensor& mask, double value) {
  ops::check_mask("masked_fill", mask);
  broadcast("masked_fill", mask.shape(), x->shape());
  return where(mask, {ops::number_like("masked_fill", value, x), x.at()}, x);
}

Variable masked_select(const Operand& x, const Tensor& mask) {
  ops::check_mask("masked_select", mask);
  const Shape shape = broadcast("masked_select", x->shape(), mask.shape());
  const Tensor chosen = core::nonzero(mask.expand(shape).reshape({-1})).select(1, 0);
  const Variable all = reshape({expand(x, shape), x.at()}, {-1});
  return index_select({all, x.at()}, 0, chosen);
}

}  // namespace gradus
