// Elements in other places: reversed, rolled, cut into pieces, repeated, and the diagonals and triangles
// of matrices. All but flip are made of the ops of shape.cpp.
#include <gradus/autograd/ops/chapter.h>

#include <algorithm>
#include <cstdlib>

namespace gradus {
namespace ops {

/// y = x in reverse order along `dims`        dL/dx = dL/dy in reverse order
struct Flip final : Op {
  static constexpr std::string_view name = "flip";
  Dims dims;

  explicit Flip(const Dims& along) : dims(along) {}

  Tensor forward(const Variable& x) { return core::flip(x.value(), dims); }

  Variables backward(const Variable& dy) override { return {flip(dy, dims)}; }

  Rounding rounding() const { return multilinear(0); }
};

namespace {

/// Each of `blocks` equal parts of x, in row-major order, `times` times one after the other.
Variable repeat_blocks(const Variable& x, std::int64_t blocks, std::int64_t times, Shape shape,
                       Place at) {
  const std::int64_t length = blocks == 0 ? 0 : x.numel() / blocks;
  const Variable lined = reshape({x, at}, {blocks, 1, length});
  return reshape({expand({lined, at}, {blocks, times, length}), at}, shape);
}

/// Product of the sizes of the first `count` dimensions.
std::int64_t sizes_before(const Shape& shape, int count) {
  std::int64_t product = 1;
  for (int d = 0; d < count; ++d) product *= shape[d];
  return product;
}

/// Parts of x along dimension d, of these sizes.
Variables cut(const Operand& x, int d, const std::vector<std::int64_t>& sizes) {
  Variables parts;
  std::int64_t start = 0;
  for (const std::int64_t size : sizes) {
    parts.push_back(narrow(x, d, start, size));
    start += size;
  }
  return parts;
}

/// Where a diagonal of a [rows,columns] matrix lies among its elements in row-major order.
struct DiagonalLine {
  std::int64_t first = 0, length = 0, step;

  DiagonalLine(std::int64_t rows, std::int64_t columns, std::int64_t offset) : step(columns + 1) {
    if (offset <= -rows || offset >= columns) return;
    first = offset >= 0 ? offset : -offset * columns;
    length = offset >= 0 ? std::min(rows, columns - offset) : std::min(rows + offset, columns);
  }
};

/// x where `inside(row + diagonal, column)` of its last two dimensions, else 0.
Variable triangle(std::string_view op, const Operand& x, std::int64_t diagonal,
                  Tensor (*inside)(const Tensor&, const Tensor&)) {
  if (x->rank() < 2) fail<ShapeError>(op, ": expects matrices [..,m,n], got ", x->shape());
  if (is_storage_only(x->dtype())) refuse_storage(op, x->dtype());
  const std::int64_t shift = std::clamp(diagonal, -x->size(-2), x->size(-1));
  const Tensor rows = core::add(arange(x->size(-2)), static_cast<double>(shift));
  const Tensor mask = inside(rows.unsqueeze(1), arange(x->size(-1)));
  return where(mask, x, Tensor::scalar(0, x->dtype()));
}

}  // namespace
}  // namespace ops

Variable flip(const Operand& x, const Dims& dims) { return apply(ops::Flip(dims), x); }

Variable roll(const Operand& x, const Shape& shifts, const Dims& dims) {
  if (dims.empty() && shifts.rank() == 1) {
    return reshape({roll({reshape(x, {-1}), x.at()}, shifts, {0}), x.at()}, x->shape());
  }
  if (shifts.rank() != dims.rank() || shifts.empty()) {
    fail<ShapeError>("roll: expects a shift for each dimension, got shifts ", shifts, " and dims ",
                     dims);
  }
  Variable y = *x;
  for (int i = 0; i < dims.rank(); ++i) {
    const int d = normalize_dim("roll", dims[i], x->rank());
    const std::int64_t size = x->size(d);
    if (size == 0) continue;
    const std::int64_t head =
        (size - shifts[i] % size) % size;  // what comes to stand behind the rest
    const Variable tail = narrow({y, x.at()}, d, head, size - head);
    y = cat({tail, narrow({y, x.at()}, d, 0, head)}, d, x.at());
  }
  return y;
}

Variables split(const Operand& x, std::int64_t split_size, std::int64_t dim) {
  const int d = normalize_dim("split", dim, x->rank());
  const std::int64_t size = x->size(d);
  if (split_size < 0 || (split_size == 0 && size > 0)) {
    fail<ValueError>("split: split_size must be at least 1, got ", split_size, " for ", size,
                     " elements");
  }
  std::vector<std::int64_t> sizes;
  for (std::int64_t start = 0; start < size; start += split_size)
    sizes.push_back(std::min(split_size, size - start));
  if (sizes.empty()) sizes.push_back(0);
  return ops::cut(x, d, sizes);
}

Variables split(const Operand& x, const std::vector<std::int64_t>& sizes, std::int64_t dim) {
  const int d = normalize_dim("split", dim, x->rank());
  std::int64_t total = 0;
  for (const std::int64_t size : sizes) {
    if (size < 0) fail<ValueError>("split: sizes must not be negative, got ", size);
    total += size;
  }
  if (total != x->size(d)) {
    fail<ShapeError>("split: the sizes add up to ", total, ", dimension ", dim, " of shape ",
                     x->shape(), " has ", x->size(d));
  }
  return ops::cut(x, d, sizes);
}

Variables chunk(const Operand& x, std::int64_t chunks, std::int64_t dim) {
  const int d = normalize_dim("chunk", dim, x->rank());
  if (chunks < 1) fail<ValueError>("chunk: chunks must be at least 1, got ", chunks);
  const std::int64_t size = x->size(d);
  if (size == 0)
    return ops::cut(x, d, std::vector<std::int64_t>(static_cast<std::size_t>(chunks), 0));
  return split(x, (size - 1) / chunks + 1, d);
}

Variable repeat(const Operand& x, const Shape& repeats) {
  if (repeats.rank() < x->rank()) {
    fail<ShapeError>("repeat: expects a number for each dimension of ", x->shape(), ", got ",
                     repeats);
  }
  for (const std::int64_t times : repeats)
    if (times < 0) fail<ValueError>("repeat: numbers must not be negative, got ", repeats);
  Shape shape = repeats;
  const int lead = repeats.rank() - x->rank();
  for (int d = 0; d < repeats.rank(); ++d) shape[d] = d < lead ? 1 : x->shape()[d - lead];
  Variable y = reshape(x, shape);
  for (int d = repeats.rank() - 1; d >= 0; --d) {
    if (repeats[d] == 1) continue;
    const std::int64_t blocks = ops::sizes_before(shape, d);
    check_sizes("repeat", {shape[d], repeats[d]});  // the product does not overflow
    shape[d] *= repeats[d];
    y = ops::repeat_blocks(y, blocks, repeats[d], shape, x.at());
  }
  return y;
}

Variable tile(const Operand& x, const Shape& dims) {
  for (int d = 0; d < dims.rank(); ++d) {
    if (dims[d] < 0) fail<ValueError>("tile: numbers must not be negative, got ", dims);
    const int of_x = d + x->rank() - dims.rank();
    check_sizes("tile", {of_x < 0 ? 1 : x->size(of_x), dims[d]});
  }
  Shape repeats;
  for (int d = dims.rank(); d < x->rank(); ++d) repeats.push_back(1);
  for (const std::int64_t times : dims) repeats.push_back(times);
  return repeat(x, repeats);
}

Variable repeat_interleave(const Operand& x, std::int64_t repeats,
                           std::optional<std::int64_t> dim) {
  if (repeats < 0)
    fail<ValueError>("repeat_interleave: repeats must not be negative, got ", repeats);
  if (!dim) return repeat_interleave({reshape(x, {-1}), x.at()}, repeats, 0);
  const int d = normalize_dim("repeat_interleave", *dim, x->rank());
  Shape shape = x->shape();
  const std::int64_t blocks = ops::sizes_before(shape, d + 1);
  check_sizes("repeat_interleave", {shape[d], repeats});  // the product does not overflow
  shape[d] *= repeats;
  return ops::repeat_blocks(x, blocks, repeats, shape, x.at());
}

Variable diagonal(const Operand& x, std::int64_t offset, std::int64_t dim1, std::int64_t dim2) {
  const int a = normalize_dim("diagonal", dim1, x->rank());
  const int b = normalize_dim("diagonal", dim2, x->rank());
  if (a == b) {
    fail<ShapeError>("diagonal: expects two dimensions, got ", dim1, " and ", dim2, " of shape ",
                     x->shape());
  }
  Dims order;
  Shape flat;
  for (int d = 0; d < x->rank(); ++d) {
    if (d == a || d == b) continue;
    order.push_back(d);
    flat.push_back(x->shape()[d]);
  }
  order.push_back(a);
  order.push_back(b);
  const std::int64_t rows = x->size(a);
  const std::int64_t columns = x->size(b);
  flat.push_back(rows * columns);
  const ops::DiagonalLine line(rows, columns, offset);
  const Variable elements = reshape({permute(x, order), x.at()}, flat);
  return slice({elements, x.at()}, -1, line.first, line.first + line.length * line.step, line.step);
}

Variable diag(const Operand& x, std::int64_t diagonal) {
  if (x->rank() == 2) return gradus::diagonal(x, diagonal);
  if (x->rank() != 1) fail<ShapeError>("diag: expects a vector or a matrix, got ", x->shape());
  const std::int64_t size = x->size(0) + std::abs(diagonal);
  check_sizes("diag", {size, size});
  const ops::DiagonalLine line(size, size, diagonal);
  const Variable elements = slice_scatter({size * size}, 0, line.first, line.step, x);
  return reshape({elements, x.at()}, {size, size});
}

Variable trace(const Operand& x) {
  if (x->rank() != 2) fail<ShapeError>("trace: expects a matrix, got ", x->shape());
  return sum({diagonal(x), x.at()});
}

Variable tril(const Operand& x, std::int64_t diagonal) {
  return ops::triangle("tril", x, diagonal, core::ge);
}
Variable triu(const Operand& x, std::int64_t diagonal) {
  return ops::triangle("triu", x, diagonal, core::le);
}

Variables meshgrid(const Variables& axes, std::string_view indexing, Place at) {
  if (indexing != "ij" && indexing != "xy")
    fail<ValueError>("meshgrid: indexing must be ij or xy, got ", indexing);
  if (axes.empty()) fail<ShapeError>("meshgrid: expects one axis or more, got none");
  Shape shape;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (axes[i].rank() > 1) {
      fail<ShapeError>("meshgrid: axes are numbers or vectors, got ", axes[i].shape(), " as axis ",
                       i);
    }
    if (axes[i].dtype() != axes[0].dtype()) {
      fail<DTypeError>("meshgrid: axis ", i, " is ", axes[i].dtype(), ", axis 0 is ",
                       axes[0].dtype(), "; ", cast_to_match(axes[i].dtype(), axes[0].dtype()));
    }
    shape.push_back(axes[i].numel());
  }
  // "xy": the first axis goes along the columns.
  const bool swapped = indexing == "xy" && axes.size() > 1;
  if (swapped) std::swap(shape[0], shape[1]);
  Variables grids;
  for (int i = 0; i < shape.rank(); ++i) {
    const int along = swapped && i < 2 ? 1 - i : i;
    Shape line = Shape::filled(shape.rank(), 1);
    line[along] = shape[along];
    const Variable laid = reshape({axes[static_cast<std::size_t>(i)], at}, line);
    grids.push_back(expand({laid, at}, shape));
  }
  return grids;
}

}  // namespace gradus
