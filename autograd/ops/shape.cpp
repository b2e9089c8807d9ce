// Moving elements without changing them. Each is linear, and the gradient of each is its adjoint:
// what was copied is summed, what was selected is put back among zeros.
#include <gradus/autograd/ops/chapter.h>

#include <algorithm>

namespace gradus {
namespace ops {

/// y = x, in another shape        dL/dx = dL/dy, in x's shape
struct Reshape final : Op {
  static constexpr std::string_view name = "reshape";
  Shape shape;

  explicit Reshape(const Shape& target) : shape(target) {}

  Tensor forward(const Variable& x) { return x.value().reshape(shape); }

  Variables backward(const Variable& dy) override { return {reshape(dy, input_shape(0))}; }

  Rounding rounding() const { return multilinear(0); }
};

/// y[..] = x, dimensions reordered        dL/dx = dL/dy in the inverse order
struct Permute final : Op {
  static constexpr std::string_view name = "permute";
  Dims order;

  explicit Permute(const Dims& dims) : order(dims) {}

  Tensor forward(const Variable& x) { return x.value().permute(order); }

  Variables backward(const Variable& dy) override {
    Dims inverse = order;
    for (int d = 0; d < order.rank(); ++d) inverse[normalize_dim(name, order[d], order.rank())] = d;
    return {permute(dy, inverse)};
  }

  Rounding rounding() const { return multilinear(0); }
};

/// y = x, repeated        dL/dx = Σ dL/dy over the repetitions
struct Expand final : Op {
  static constexpr std::string_view name = "expand";
  Shape shape;

  explicit Expand(const Shape& target) : shape(target) {}

  Tensor forward(const Variable& x) { return x.value().expand(shape); }

  Variables backward(const Variable& dy) override { return {sum_to(dy, input_shape(0))}; }

  /// The gradient is summed by sum_to, in float64.
  Rounding rounding() const { return summed_in_double(1); }
};

/// Where a slice of a dimension of `size` starts, counted from the front.
std::int64_t start_in(std::int64_t size, std::int64_t start) {
  return std::clamp<std::int64_t>(start < 0 ? start + size : start, 0, size);
}
/// A step beyond the end is as good as a longer one, and its products do not overflow.
std::int64_t stride_in(std::int64_t size, std::int64_t step) { return std::min(step, size + 1); }

/// y = zeros, with x at a slice        dL/dx = dL/dy at the slice
struct SliceScatter final : Op {
  static constexpr std::string_view name = "slice_scatter";
  Shape shape;
  std::int64_t dim, start, step;

  SliceScatter(const Shape& target, std::int64_t d, std::int64_t first, std::int64_t stride)
      : shape(target), dim(d), start(first), step(stride) {}

  Tensor forward(const Variable& x) {
    return core::slice_scatter(shape, x.value(), dim, start, step);
  }

  Variables backward(const Variable& dy) override {
    const int d = normalize_dim(name, dim, shape.rank());
    const std::int64_t first = start_in(shape[d], start);
    const std::int64_t stride = stride_in(shape[d], step);
    return {slice(dy, dim, first, first + input_shape(0)[d] * stride, stride)};
  }

  Rounding rounding() const { return multilinear(0); }
};

/// y = x[start : stop : step] of one dimension        dL/dx = zeros, with dL/dy at the slice
struct Slice final : Op {
  static constexpr std::string_view name = "slice";
  std::int64_t dim, start, stop, step;

  Slice(std::int64_t d, std::int64_t first, std::int64_t last, std::int64_t stride)
      : dim(d), start(first), stop(last), step(stride) {}

  Tensor forward(const Variable& x) { return x.value().slice(dim, start, stop, step); }

  Variables backward(const Variable& dy) override {
    const Shape& shape = input_shape(0);
    const std::int64_t size = shape[normalize_dim(name, dim, shape.rank())];
    return {apply(SliceScatter(shape, dim, start_in(size, start), stride_in(size, step)), dy)};
  }

  Rounding rounding() const { return multilinear(0); }
};

/// y = x₀ | x₁ | … joined along a dimension        dL/dxᵢ = its part of dL/dy
struct Cat final : Op {
  static constexpr std::string_view name = "cat";
  std::int64_t dim;
  std::vector<std::int64_t> sizes;

  explicit Cat(std::int64_t d) : dim(d) {}

  Tensor forward(const Variables& parts) {
    std::vector<Tensor> tensors;
    for (const Variable& part : parts) tensors.push_back(part.defined() ? part.value() : Tensor());
    Tensor joined = core::cat(tensors, dim);
    for (const Tensor& part : tensors) sizes.push_back(part.size(dim));
    return joined;
  }

  Variables backward(const Variable& dy) override {
    Variables gradients;
    std::int64_t start = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      gradients.push_back(needs(i) ? narrow(dy, dim, start, sizes[i]) : Variable());
      start += sizes[i];
    }
    return gradients;
  }

  Rounding rounding() const { return multilinear(0); }
};

/// y = rows `index` of x        dL/dx = dL/dy's rows added at `index`
struct IndexSelect final : Op {
  static constexpr std::string_view name = "index_select";
  std::int64_t dim;
  Tensor index;

  IndexSelect(std::int64_t d, Tensor rows) : dim(d), index(std::move(rows)) {}

  Tensor forward(const Variable& x) {
    keeps(index, "index");
    return core::index_select(x.value(), dim, index);
  }

  Variables backward(const Variable& dy) override {
    return {index_add(input_shape(0), dim, index, dy)};
  }

  Rounding rounding() const { return multilinear(0); }
};

/// y = zeros, with x's rows added at `index`        dL/dx = rows `index` of dL/dy
struct IndexAdd final : Op {
  static constexpr std::string_view name = "index_add";
  Shape shape;
  std::int64_t dim;
  Tensor index;

  IndexAdd(const Shape& target, std::int64_t d, Tensor rows)
      : shape(target), dim(d), index(std::move(rows)) {}

  Tensor forward(const Variable& source) {
    keeps(index, "index");
    return core::index_add(shape, dim, index, source.value());
  }

  Variables backward(const Variable& dy) override { return {index_select(dy, dim, index)}; }

  Rounding rounding() const { return multilinear(0); }
};

/// y[i][j] = x[i][index[i][j]] for dim 1        dL/dx = dL/dy added at `index`
struct Gather final : Op {
  static constexpr std::string_view name = "gather";
  std::int64_t dim;
  Tensor index;

  Gather(std::int64_t d, Tensor where_from) : dim(d), index(std::move(where_from)) {}

  Tensor forward(const Variable& x) {
    keeps(index, "index");
    return core::gather(x.value(), dim, index);
  }

  Variables backward(const Variable& dy) override {
    return {scatter_add(input_shape(0), dim, index, dy)};
  }

  Rounding rounding() const { return multilinear(0); }
};

/// y = zeros, with x added at `index`        dL/dx = dL/dy gathered at `index`
struct ScatterAdd final : Op {
  static constexpr std::string_view name = "scatter_add";
  Shape shape;
  std::int64_t dim;
  Tensor index;

  ScatterAdd(const Shape& target, std::int64_t d, Tensor where_to)
      : shape(target), dim(d), index(std::move(where_to)) {}

  Tensor forward(const Variable& source) {
    keeps(index, "index");
    return core::scatter_add(shape, dim, index, source.value());
  }

  Variables backward(const Variable& dy) override { return {gather(dy, dim, index)}; }

  Rounding rounding() const { return multilinear(0); }
};

}  // namespace ops

Variable reshape(const Operand& x, const Shape& shape) { return apply(ops::Reshape(shape), x); }
Variable flatten(const Operand& x, std::int64_t start, std::int64_t end) {
  return reshape(x, x->value().flatten(start, end).shape());
}
Variable permute(const Operand& x, const Dims& order) { return apply(ops::Permute(order), x); }

Variable transpose(const Operand& x, std::int64_t a, std::int64_t b) {
  Dims order;
  for (int d = 0; d < x->rank(); ++d) order.push_back(d);
  std::swap(order[normalize_dim("transpose", a, x->rank())],
            order[normalize_dim("transpose", b, x->rank())]);
  return permute(x, order);
}

Variable squeeze(const Operand& x, std::optional<std::int64_t> dim) {
  return reshape(x, x->value().squeeze(dim).shape());
}
Variable unsqueeze(const Operand& x, std::int64_t dim) {
  return reshape(x, x->value().unsqueeze(dim).shape());
}
Variable expand(const Operand& x, const Shape& shape) { return apply(ops::Expand(shape), x); }

Variable slice(const Operand& x, std::int64_t dim, std::int64_t start, std::int64_t stop,
               std::int64_t step) {
  return apply(ops::Slice(dim, start, stop, step), x);
}
Variable slice_scatter(const Shape& shape, std::int64_t dim, std::int64_t start, std::int64_t step,
                       const Operand& source) {
  return apply(ops::SliceScatter(shape, dim, start, step), source);
}
Variable narrow(const Operand& x, std::int64_t dim, std::int64_t start, std::int64_t length) {
  x->value().narrow(dim, start, length);  // checks the range; slice would clamp it
  const std::int64_t first = start < 0 ? start + x->size(dim) : start;
  return slice(x, dim, first, first + length);
}
Variable select(const Operand& x, std::int64_t dim, std::int64_t index) {
  const Shape shape = x->value().select(dim, index).shape();
  return reshape({narrow(x, dim, index < 0 ? index + x->size(dim) : index, 1), x.at()}, shape);
}

Variable cat(const Variables& parts, std::int64_t dim, Place at) {
  return record(ops::Cat(dim), Operands(parts, at));
}

Variable stack(const Variables& parts, std::int64_t dim, Place at) {
  if (parts.empty()) fail<ShapeError>("stack: expects one part or more, got none");
  normalize_new_dim("stack", dim, parts[0].rank());
  Variables raised;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].dtype() != parts[0].dtype()) {
      fail<DTypeError>("stack: part ", i, " is ", parts[i].dtype(), ", part 0 is ",
                       parts[0].dtype(), "; ", cast_to_match(parts[i].dtype(), parts[0].dtype()));
    }
    if (parts[i].shape() != parts[0].shape()) {
      fail<ShapeError>("stack: part ", i, " is ", parts[i].shape(), ", part 0 is ",
                       parts[0].shape());
    }
    raised.push_back(unsqueeze({parts[i], at}, dim));
  }
  return cat(raised, dim, at);
}

Variable index_select(const Operand& x, std::int64_t dim, const Tensor& index) {
  return apply(ops::IndexSelect(dim, index), x);
}
Variable index_add(const Shape& shape, std::int64_t dim, const Tensor& index,
                   const Operand& source) {
  return apply(ops::IndexAdd(shape, dim, index), source);
}
Variable gather(const Operand& x, std::int64_t dim, const Tensor& index) {
  return apply(ops::Gather(dim, index), x);
}
Variable scatter_add(const Shape& shape, std::int64_t dim, const Tensor& index,
                     const Operand& source) {
  return apply(ops::ScatterAdd(shape, dim, index), source);
}

}  // namespace gradus
