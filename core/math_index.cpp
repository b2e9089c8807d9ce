// Moving elements about: joining, selecting by index, and the adjoints of both.
#include <gradus/core/create.h>
#include <gradus/core/detail/map.h>
#include <gradus/core/math.h>

#include <algorithm>

namespace gradus::core {
namespace {

void check_index_dtype(std::string_view op, const Tensor& index) {
  if (!index.defined() || index.dtype() != int64) {
    fail<DTypeError>(op, ": the index must be int64, got ", describe(index),
                     index.defined() ? "; cast with .to(int64)" : "");
  }
}

std::int64_t check_index(std::string_view op, std::int64_t index, std::int64_t size,
                         const Shape& shape) {
  if (index < 0 || index >= size) {
    fail<ShapeError>(op, ": index ", index, " is out of range 0..", size - 1, " of shape ", shape);
  }
  return index;
}

/// Calls visit(position in `index`, offset into a tensor of `strides` with dim d taken
/// from the index).
template <class Visit>
void for_indexed(std::string_view op, const Tensor& index, int d, const Shape& shape,
                 const Strides& strides, const Visit& visit) {
  const Tensor dense = index.contiguous();
  const std::int64_t* indices = dense.data<std::int64_t>();
  for (std::int64_t i = 0, n = dense.numel(); i < n; ++i) {
    std::int64_t rest = i;
    std::int64_t offset = 0;
    for (int k = dense.rank() - 1; k >= 0; --k) {
      const std::int64_t own = rest % dense.shape()[k];
      rest /= dense.shape()[k];
      offset += (k == d ? check_index(op, indices[i], shape[k], shape) : own) * strides[k];
    }
    visit(i, offset);
  }
}

void check_gather_shapes(std::string_view op, const Shape& shape, int d, const Tensor& index) {
  check_index_dtype(op, index);
  bool fits = index.rank() == shape.rank();
  for (int k = 0; fits && k < shape.rank(); ++k) fits = k == d || index.shape()[k] <= shape[k];
  if (!fits)
    fail<ShapeError>(op, ": index ", index.shape(), " does not fit shape ", shape,
                     " outside of dimension ", d);
}

}  // namespace

Tensor cat(const std::vector<Tensor>& parts, std::int64_t dim) {
  if (parts.empty()) fail<ShapeError>("cat: expects one part or more, got none");
  const Tensor& first = parts.front();
  if (!first.defined()) fail<ShapeError>("cat: part 0 is undefined");
  const int d = normalize_dim("cat", dim, first.rank());
  Shape shape = first.shape();
  shape[d] = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].defined()) fail<ShapeError>("cat: part ", i, " is undefined");
    Shape expected = first.shape();
    if (parts[i].rank() == first.rank()) expected[d] = parts[i].shape()[d];
    if (parts[i].shape() != expected) {
      fail<ShapeError>("cat: part ", i, " is ", parts[i].shape(), ", part 0 is ", first.shape(),
                       "; they may differ in dimension ", d, " only");
    }
    if (parts[i].dtype() != first.dtype()) {
      fail<DTypeError>("cat: part ", i, " is ", parts[i].dtype(), ", part 0 is ", first.dtype(),
                       "; ", cast_to_match(parts[i].dtype(), first.dtype()));
    }
    shape[d] += parts[i].shape()[d];
    check_sizes("cat", shape);  // part by part: sixteen may be beyond int64
  }
  const Tensor out = Tensor::empty(shape, first.dtype());
  std::int64_t start = 0;
  for (const Tensor& part : parts) {
    out.narrow(d, start, part.shape()[d]).copy_(part);
    start += part.shape()[d];
  }
  return out;
}

Tensor stack(const std::vector<Tensor>& parts, std::int64_t dim) {
  if (parts.empty()) fail<ShapeError>("stack: expects one part or more, got none");
  const int d = normalize_new_dim("stack", dim, parts.front().rank());
  std::vector<Tensor> raised;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].shape() != parts[0].shape()) {
      fail<ShapeError>("stack: part ", i, " is ", parts[i].shape(), ", part 0 is ",
                       parts[0].shape());
    }
    if (!parts[i].defined()) fail<ShapeError>("stack: part ", i, " is undefined");
    if (parts[i].dtype() != parts[0].dtype()) {
      fail<DTypeError>("stack: part ", i, " is ", parts[i].dtype(), ", part 0 is ",
                       parts[0].dtype(), "; ", cast_to_match(parts[i].dtype(), parts[0].dtype()));
    }
    raised.push_back(parts[i].unsqueeze(d));
  }
  return cat(raised, d);
}

Tensor index_select(const Tensor& x, std::int64_t dim, const Tensor& index) {
  const int d = normalize_dim("index_select", dim, x.rank());
  check_index_dtype("index_select", index);
  if (index.rank() != 1)
    fail<ShapeError>("index_select: the index must be 1-d, got ", index.shape());
  Shape shape = x.shape();
  shape[d] = index.numel();
  const Tensor out = Tensor::empty(shape, x.dtype());
  for (std::int64_t i = 0; i < index.numel(); ++i) {
    const std::int64_t row =
        check_index("index_select", index.at<std::int64_t>({i}), x.shape()[d], x.shape());
    out.select(d, i).copy_(x.select(d, row));
  }
  return out;
}

Tensor index_add(const Shape& shape, std::int64_t dim, const Tensor& index, const Tensor& source) {
  const int d = normalize_dim("index_add", dim, shape.rank());
  check_index_dtype("index_add", index);
  Shape expected = shape;
  expected[d] = index.numel();
  if (index.rank() != 1 || source.shape() != expected) {
    fail<ShapeError>("index_add: source ", source.shape(), " and index ", index.shape(),
                     " do not fit shape ", shape, " in dimension ", d);
  }
  const Tensor out = zeros(shape, source.dtype());
  for (std::int64_t i = 0; i < index.numel(); ++i) {
    add_(out.select(d, check_index("index_add", index.at<std::int64_t>({i}), shape[d], shape)),
         source.select(d, i));
  }
  return out;
}

Tensor gather(const Tensor& x, std::int64_t dim, const Tensor& index) {
  const int d = normalize_dim("gather", dim, x.rank());
  check_gather_shapes("gather", x.shape(), d, index);
  const Tensor out = Tensor::empty(index.shape(), x.dtype());
  dispatch_stored(x.dtype(), [&]<class T>() {
    const T* from = x.data<T>();
    T* to = out.data<T>();
    for_indexed("gather", index, d, x.shape(), x.strides(),
                [&](std::int64_t i, std::int64_t offset) { to[i] = from[offset]; });
  });
  return out;
}

Tensor scatter_add(const Shape& shape, std::int64_t dim, const Tensor& index,
                   const Tensor& source) {
  const int d = normalize_dim("scatter_add", dim, shape.rank());
  check_gather_shapes("scatter_add", shape, d, index);
  if (source.shape() != index.shape()) {
    fail<ShapeError>("scatter_add: source ", source.shape(), " and index ", index.shape(),
                     " differ");
  }
  const Tensor out = zeros(shape, source.dtype());
  const Tensor dense = source.contiguous();
  dispatch_number("scatter_add", source.dtype(), [&]<class T>() {
    // Unsigned, so that a sum of integers wraps around.
    using Sum = std::conditional_t<std::is_floating_point_v<T>, T, std::uint64_t>;
    const T* from = dense.data<T>();
    T* to = out.data<T>();
    for_indexed(
        "scatter_add", index, d, shape, out.strides(), [&](std::int64_t i, std::int64_t offset) {
          to[offset] = static_cast<T>(static_cast<Sum>(to[offset]) + static_cast<Sum>(from[i]));
        });
  });
  return out;
}

Tensor slice_scatter(const Shape& shape, const Tensor& source, std::int64_t dim, std::int64_t start,
                     std::int64_t step) {
  const int d = normalize_dim("slice_scatter", dim, shape.rank());
  check_sizes("slice_scatter", shape);
  if (step < 1) fail<ValueError>("slice_scatter: step must be at least 1, got ", step);
  const std::int64_t size = shape[d];
  const std::int64_t first = start < 0 ? start + size : start;
  const std::int64_t length = source.rank() == shape.rank() ? source.shape()[d] : 0;
  Shape expected = shape;
  expected[d] = length;
  // Divided, since (length - 1)·step may be beyond int64.
  const bool reaches =
      length == 0 || (first >= 0 && first < size && length - 1 <= (size - 1 - first) / step);
  if (!reaches || source.shape() != expected) {
    fail<ShapeError>("slice_scatter: source ", source.shape(), " does not fit ", shape, " from ",
                     start, " in steps of ", step);
  }
  const Tensor out = zeros(shape, source.dtype());
  if (length > 0) out.slice(d, first, first + (length - 1) * step + 1, step).copy_(source);
  return out;
}

Tensor flip(const Tensor& x, const Dims& dims) {
  check_defined("flip", x);
  if (dims.empty() || x.numel() == 0) {
    if (!dims.empty()) normalize_dims("flip", dims, x.rank());
    return x.clone();
  }
  Strides backwards = x.strides();
  std::int64_t start = 0;
  for (const std::int64_t dim : normalize_dims("flip", dims, x.rank())) {
    const int d = static_cast<int>(dim);
    start += std::max<std::int64_t>(x.shape()[d] - 1, 0) * x.strides()[d];
    backwards[d] = -x.strides()[d];
  }
  const Tensor out = Tensor::empty(x.shape(), x.dtype());
  const kernels::Loop<2> loop(x.shape(), {out.strides(), backwards});
  dispatch(x.dtype(), [&]<class T>() {
    kernels::elementwise(
        loop, [](T value) { return value; }, out.data<T>(), x.data<T>() + start);
  });
  return out;
}

Tensor nonzero(const Tensor& x) {
  check_defined("nonzero", x);
  const std::vector<bool> chosen = ne(x, 0).to_vector<bool>();
  const auto count = std::count(chosen.begin(), chosen.end(), true);
  const Tensor places = Tensor::empty({count, x.rank()}, int64);
  std::int64_t* out = places.data<std::int64_t>();
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (!chosen[i]) continue;
    for (const std::int64_t place : unravel(static_cast<std::int64_t>(i), x.shape()))
      *out++ = place;
  }
  return places;
}

Tensor bincount(const Tensor& labels, const Tensor& weights, std::int64_t minlength) {
  check_index_dtype("bincount", labels);
  if (labels.rank() != 1)
    fail<ShapeError>("bincount: the labels must be 1-d, got ", labels.shape());
  if (minlength < 0) fail<ValueError>("bincount: minlength must not be negative, got ", minlength);
  if (weights.defined() && weights.shape() != labels.shape()) {
    fail<ShapeError>("bincount: weights are ", weights.shape(), ", labels ", labels.shape());
  }
  if (labels.numel() > 0 && min(labels).item() < 0) {
    fail<ValueError>("bincount: labels must be 0 or greater, got ",
                     static_cast<std::int64_t>(min(labels).item()));
  }
  const auto used = labels.numel() == 0 ? 0 : static_cast<std::int64_t>(max(labels).item()) + 1;
  return scatter_add({std::max(used, minlength)}, 0, labels,
                     weights.defined() ? weights : ones_like(labels));
}

Tensor one_hot(const Tensor& labels, std::int64_t wanted, DType dtype) {
  check_index_dtype("one_hot", labels);
  if (wanted == -1 && labels.numel() == 0)
    fail<ValueError>("one_hot: without labels the number of classes must be told, got -1");
  const std::int64_t classes =
      wanted == -1 ? static_cast<std::int64_t>(std::max(max(labels).item(), 0.0)) + 1 : wanted;
  if (classes < 1) fail<ValueError>("one_hot: at least one class, got ", classes);
  Shape shape = labels.shape();
  shape.push_back(classes);
  const Tensor out = zeros(shape, dtype);
  const std::vector<std::int64_t> values = labels.to_vector<std::int64_t>();
  const Tensor rows = out.view({labels.numel(), classes});
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] < 0 || values[i] >= classes) {
      fail<ValueError>("one_hot: label ", values[i], " at position ", i, " is outside of 0..",
                       classes - 1);
    }
    rows.select(0, static_cast<std::int64_t>(i)).narrow(0, values[i], 1).fill_(1);
  }
  return out;
}

}  // namespace gradus::core
