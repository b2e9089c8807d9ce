// Tensor: making one, looking at it, and the views. Everything here moves windows; copy_ alone
// moves numbers.
#include <gradus/core/kernels/elementwise.h>
#include <gradus/core/tensor.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace gradus {
namespace {

/// Strides that lay `target` over the same elements, if there are any: each run of dimensions that
/// is contiguous in itself can be cut anew.
std::optional<Strides> strides_of_view(const Shape& shape, const Strides& strides,
                                       const Shape& target) {
  if (shape.numel() == 0) return contiguous_strides(target);
  Strides result = Strides::filled(target.rank(), 1);
  int t = target.rank() - 1;
  std::int64_t run = 1;  // elements of the current run, from the inside out
  std::int64_t step = 1;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    if (run == 1) step = strides[d];
    run *= shape[d];
    const bool run_ends = d == 0 || (shape[d - 1] != 1 && strides[d - 1] != run * step);
    if (!run_ends) continue;
    std::int64_t cut = 1;
    while (t >= 0 && (cut < run || target[t] == 1)) {
      result[t] = cut * step;
      cut *= target[t];
      --t;
    }
    if (cut != run) return std::nullopt;
    run = 1;
  }
  return result;
}

/// Fills in the one -1 of a requested shape, and checks the number of elements.
Shape resolve_shape(std::string_view op, const Shape& wanted, const Tensor& x) {
  Shape result = wanted;
  int unknown = -1;
  for (int d = 0; d < wanted.rank(); ++d) {
    if (wanted[d] == -1 && unknown < 0) {
      unknown = d;
      result[d] = 1;
    } else if (wanted[d] < 0) {
      fail<ShapeError>(op, ": sizes must not be negative, but for one -1, got ", wanted);
    }
  }
  check_sizes(op, result);  // the product below does not overflow
  const std::int64_t known = result.numel();
  if (unknown >= 0 && known > 0) result[unknown] = x.numel() / known;
  if (result.numel() != x.numel() || (unknown >= 0 && known == 0)) {
    fail<ShapeError>(op, ": ", x.shape(), " has ", x.numel(), " elements and cannot become ",
                     wanted);
  }
  return result;
}

/// For a type of 16 bits: an integer that no double holds becomes one that lies between the same two numbers of such a
/// type, so that it is rounded once.
template <class From> From once_rounded(From value) {
  if constexpr (std::same_as<From, std::int64_t>) {
    constexpr std::int64_t low = (1 << 10) - 1;  // what stays has 53 bits
    const bool exact = value > -(std::int64_t{1} << 53) && value < (std::int64_t{1} << 53);
    if (!exact && (value & low) != 0) return (value & ~low) | (low + 1);
  }
  return value;
}

/// As static_cast, but defined for every number: what no integer can say becomes the smallest
/// int64, and goes to the smaller types from there. That is what x86-64 and so PyTorch do.
template <class To, class From> To convert(From value) {
  if constexpr (std::same_as<To, From>) {
    return value;                                      // bit for bit, NaN too
  } else if constexpr (!std::is_arithmetic_v<From>) {  // Float16 and BFloat16
    return convert<To>(static_cast<float>(value));
  } else if constexpr (!std::is_arithmetic_v<To>) {
    return To(static_cast<double>(once_rounded(value)));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To> &&
                       !std::same_as<To, bool>) {
    const bool fits = value >= static_cast<From>(-0x1p63) && value < static_cast<From>(0x1p63);
    return static_cast<To>(fits ? static_cast<std::int64_t>(value)
                                : std::numeric_limits<std::int64_t>::min());
  } else {
    return static_cast<To>(value);
  }
}

/// Is the whole part of a number within an integer type?
template <class T> bool is_within(double value) {
  constexpr double end =
      2.0 * static_cast<double>(std::uint64_t{1} << (std::numeric_limits<T>::digits - 1));
  const double whole = std::trunc(value);
  return whole >= (std::numeric_limits<T>::is_signed ? -end : 0) && whole < end;
}

/// As number_as(), for a number that is stored: a finite one must not become infinite, which in arithmetic it may.
template <Element T> T stored_as(std::string_view op, double value) {
  const T number = number_as<T>(op, value);
  if constexpr (!std::is_integral_v<T> && !std::is_same_v<T, double>) {
    if (std::isfinite(value) && !std::isfinite(static_cast<float>(number)))
      fail<DTypeError>(op, ": the number ", value, " does not fit a tensor of ", dtype_of<T>());
  }
  return number;
}

thread_local DType chosen_dtype = float32;

}  // namespace

DType default_dtype() { return chosen_dtype; }

DefaultDType::DefaultDType(DType dtype) : previous_(chosen_dtype) {
  if (!is_floating(dtype))
    fail<DTypeError>("DefaultDType: expects float32 or float64, got ", dtype);
  chosen_dtype = dtype;
}
DefaultDType::~DefaultDType() { chosen_dtype = previous_; }

void check_writable(std::string_view op, std::string_view what, const Tensor& target) {
  for (int d = 0; d < target.rank(); ++d) {
    if (target.strides()[d] == 0 && target.shape()[d] > 1 && target.numel() > 0) {
      fail<ShapeError>(op, ": ", what, "dimension ", d, " of ", target.shape(),
                       " repeats one number, as expand() made it; clone() before writing");
    }
  }
}

void begin_write(const char* op, const Tensor& target) {
  if (!target.defined())
    fail<ShapeError>(op, ": the tensor is undefined; it was never given a value");
  check_writable(op, "", target);
  target.storage().count_write(op);
}

bool same_window(const Tensor& a, const Tensor& b) {
  return a.storage() == b.storage() && a.shape() == b.shape() && a.strides() == b.strides() &&
         a.offset() == b.offset();
}

Tensor readable_while_writing(const Tensor& source, const Tensor& target) {
  const bool meet = source.storage() == target.storage();
  return meet && !same_window(source, target) ? source.clone() : source;
}

Tensor Tensor::empty(const Shape& shape, DType dtype) {
  check_sizes("empty", shape);
  Tensor result;
  result.storage_ = Storage(shape.numel() * size_of(dtype));
  result.shape_ = shape;
  result.strides_ = contiguous_strides(shape);
  result.dtype_ = dtype;
  result.defined_ = true;
  return result;
}

template <Element T> Tensor Tensor::from(const T* data, const Shape& shape) {
  Tensor result = empty(shape, dtype_of<T>());
  std::copy_n(data, shape.numel(), result.data<T>());
  return result;
}

Tensor Tensor::from(const NestedList& values, std::optional<DType> dtype) {
  Shape shape;
  for (const NestedList* level = &values; !level->leaf_; level = &level->items_.front()) {
    shape.push_back(static_cast<std::int64_t>(level->items_.size()));
    if (level->items_.empty()) break;
  }
  std::vector<const NestedList*> leaves;
  const auto collect = [&](const auto& self, const NestedList& level, int depth) -> void {
    const bool fits = level.leaf_
                          ? depth == shape.rank()
                          : depth < shape.rank() &&
                                static_cast<std::int64_t>(level.items_.size()) == shape[depth];
    if (!fits) {
      fail<ShapeError>("from: the lists are ragged: expected ",
                       depth < shape.rank() ? std::to_string(shape[depth]) + " items" : "a number",
                       " at depth ", depth, ", got ",
                       level.leaf_ ? "a number" : std::to_string(level.items_.size()) + " items");
    }
    if (level.leaf_) leaves.push_back(&level);
    for (const NestedList& item : level.items_) self(self, item, depth + 1);
  };
  collect(collect, values, 0);

  if (!dtype) {
    const auto has = [&](DType kind) {
      return std::any_of(leaves.begin(), leaves.end(),
                         [&](const NestedList* leaf) { return leaf->dtype_ == kind; });
    };
    dtype = leaves.empty() || has(float32) ? default_dtype() : has(int64) ? int64 : boolean;
  }
  Tensor result = empty(shape, *dtype);
  dispatch_stored(*dtype, [&]<class T>() {
    T* out = result.data<T>();
    for (const NestedList* leaf : leaves) {
      const bool whole = leaf->dtype_ != float32;
      const double real = whole ? 0 : leaf->real_;
      if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
        if (whole ? !std::in_range<T>(leaf->integer_) : !is_within<T>(real)) {
          fail<DTypeError>("from: the number ", leaf->real_, " does not fit a tensor of ", *dtype);
        }
      }
      *out++ = whole ? convert<T>(leaf->integer_) : convert<T>(real);
    }
  });
  return result;
}

Tensor Tensor::scalar(double value, DType dtype) {
  const Tensor result = empty({}, dtype);
  result.fill_(value);
  return result;
}

std::int64_t Tensor::size(std::int64_t dim) const {
  return shape_[normalize_dim("size", dim, rank())];
}

bool Tensor::is_contiguous() const {
  std::int64_t step = 1;
  for (int d = rank() - 1; d >= 0; --d) {
    if (shape_[d] == 0) return true;
    if (shape_[d] != 1 && strides_[d] != step) return false;
    step *= shape_[d];
  }
  return true;
}

void Tensor::check_type(DType wanted) const {
  if (!defined()) fail<ShapeError>("tensor: undefined; it was never given a value");
  if (dtype_ != wanted) {
    fail<DTypeError>("tensor: elements are ", dtype_, ", asked for as ", wanted, "; cast with .to(",
                     wanted, ")");
  }
}

std::int64_t Tensor::element_offset(const Shape& index) const {
  if (index.rank() != rank()) {
    fail<ShapeError>("at: index ", index, " has ", index.rank(), " entries, the tensor ", shape_,
                     " has rank ", rank());
  }
  std::int64_t position = 0;
  for (int d = 0; d < rank(); ++d) {
    const std::int64_t i = index[d] < 0 ? index[d] + shape_[d] : index[d];
    if (i < 0 || i >= shape_[d])
      fail<ShapeError>("at: index ", index, " is outside of shape ", shape_);
    position += i * strides_[d];
  }
  return position;
}

double Tensor::item() const {
  if (!defined()) fail<ShapeError>("item: the tensor is undefined");
  if (numel() != 1) fail<ShapeError>("item: expects one element, got shape ", shape_);
  return dispatch_stored(dtype_, [&]<class T>() { return convert<double>(*data<T>()); });
}

template <Element T> std::vector<T> Tensor::to_vector() const {
  const Tensor dense = contiguous();
  return std::vector<T>(dense.data<T>(), dense.data<T>() + numel());
}

template Tensor Tensor::from(const float*, const Shape&);
template Tensor Tensor::from(const double*, const Shape&);
template Tensor Tensor::from(const std::int64_t*, const Shape&);
template Tensor Tensor::from(const std::uint8_t*, const Shape&);
template Tensor Tensor::from(const bool*, const Shape&);
template Tensor Tensor::from(const Float16*, const Shape&);
template Tensor Tensor::from(const BFloat16*, const Shape&);
template std::vector<float> Tensor::to_vector() const;
template std::vector<double> Tensor::to_vector() const;
template std::vector<std::int64_t> Tensor::to_vector() const;
template std::vector<std::uint8_t> Tensor::to_vector() const;
template std::vector<bool> Tensor::to_vector() const;
template std::vector<Float16> Tensor::to_vector() const;
template std::vector<BFloat16> Tensor::to_vector() const;

Tensor Tensor::with(const Shape& shape, const Strides& strides, std::int64_t offset) const {
  if (!defined()) fail<ShapeError>("view: the tensor is undefined; it was never given a value");
  Tensor window = *this;
  window.shape_ = shape;
  window.strides_ = strides;
  window.offset_ = offset;
  return window;
}

Tensor Tensor::view(const Shape& wanted) const {
  const Shape shape = resolve_shape("view", wanted, *this);
  const auto strides = strides_of_view(shape_, strides_, shape);
  if (!strides) {
    fail<ShapeError>("view: ", shape_, " with strides ", strides_, " cannot be seen as ", shape,
                     " without a copy; use reshape");
  }
  return with(shape, *strides, offset_);
}

Tensor Tensor::reshape(const Shape& wanted) const {
  const Shape shape = resolve_shape("reshape", wanted, *this);
  if (const auto strides = strides_of_view(shape_, strides_, shape))
    return with(shape, *strides, offset_);
  return clone().view(shape);
}

Tensor Tensor::flatten(std::int64_t start, std::int64_t end) const {
  const int dims = std::max(rank(), 1);  // a scalar has one for those who flatten it
  const int first = normalize_dim("flatten", start, dims);
  const int last = normalize_dim("flatten", end, dims);
  if (rank() == 0) return reshape({1});
  if (first > last)
    fail<ShapeError>("flatten: start ", start, " is behind end ", end, " in shape ", shape_);
  Shape shape;
  for (int d = 0; d <= first; ++d) shape.push_back(shape_[d]);
  for (int d = first + 1; d < rank(); ++d) {
    if (d <= last) {
      shape[first] *= shape_[d];
    } else {
      shape.push_back(shape_[d]);
    }
  }
  return reshape(shape);
}

Tensor Tensor::permute(const Dims& order) const {
  if (order.rank() != rank())
    fail<ShapeError>("permute: order ", order, " does not fit shape ", shape_);
  if (rank() > 0) normalize_dims("permute", order, rank());  // in range, none twice
  Shape shape;
  Strides strides;
  for (const std::int64_t dim : order) {
    const int d = normalize_dim("permute", dim, rank());
    shape.push_back(shape_[d]);
    strides.push_back(strides_[d]);
  }
  return with(shape, strides, offset_);
}

Tensor Tensor::transpose(std::int64_t a, std::int64_t b) const {
  const int first = normalize_dim("transpose", a, rank());
  const int second = normalize_dim("transpose", b, rank());
  Tensor window = *this;
  std::swap(window.shape_[first], window.shape_[second]);
  std::swap(window.strides_[first], window.strides_[second]);
  return window;
}

Tensor Tensor::slice(std::int64_t dim, std::int64_t start, std::int64_t stop,
                     std::int64_t step) const {
  const int d = normalize_dim("slice", dim, rank());
  if (step < 1) fail<ValueError>("slice: step must be at least 1, got ", step);
  const std::int64_t size = shape_[d];
  const std::int64_t first = std::clamp<std::int64_t>(start < 0 ? start + size : start, 0, size);
  const std::int64_t last = std::clamp<std::int64_t>(stop < 0 ? stop + size : stop, first, size);
  const std::int64_t stride = std::min(step, size + 1);  // beyond the end is beyond the end
  Tensor window = *this;
  window.shape_[d] = (last - first + stride - 1) / stride;
  // A single element is never stepped over; a step kept for it would grow with each slice of a slice.
  if (window.shape_[d] > 1) window.strides_[d] = strides_[d] * stride;
  window.offset_ = offset_ + first * strides_[d];
  return window;
}

Tensor Tensor::narrow(std::int64_t dim, std::int64_t start, std::int64_t length) const {
  const int d = normalize_dim("narrow", dim, rank());
  const std::int64_t first = start < 0 ? start + shape_[d] : start;
  if (first < 0 || length < 0 || length > shape_[d] - first) {
    fail<ShapeError>("narrow: ", length, " elements from ", start, " do not fit dimension ", dim,
                     " of shape ", shape_);
  }
  return slice(d, first, first + length);
}

Tensor Tensor::select(std::int64_t dim, std::int64_t index) const {
  const int d = normalize_dim("select", dim, rank());
  const std::int64_t i = index < 0 ? index + shape_[d] : index;
  if (i < 0 || i >= shape_[d]) {
    fail<ShapeError>("select: index ", index, " is out of range for dimension ", dim, " of shape ",
                     shape_);
  }
  Shape shape;
  Strides strides;
  for (int k = 0; k < rank(); ++k) {
    if (k == d) continue;
    shape.push_back(shape_[k]);
    strides.push_back(strides_[k]);
  }
  return with(shape, strides, offset_ + i * strides_[d]);
}

Tensor Tensor::squeeze(std::optional<std::int64_t> dim) const {
  const int only = dim ? normalize_dim("squeeze", *dim, rank()) : -1;
  Shape shape;
  Strides strides;
  for (int d = 0; d < rank(); ++d) {
    if (shape_[d] == 1 && (only < 0 || only == d)) continue;
    shape.push_back(shape_[d]);
    strides.push_back(strides_[d]);
  }
  return with(shape, strides, offset_);
}

Tensor Tensor::unsqueeze(std::int64_t dim) const {
  const int at = normalize_new_dim("unsqueeze", dim, rank());
  Shape shape;
  Strides strides;
  for (int d = 0; d <= rank(); ++d) {
    if (d == at) {
      shape.push_back(1);
      strides.push_back(d < rank() ? strides_[d] * shape_[d] : 1);
    }
    if (d == rank()) break;
    shape.push_back(shape_[d]);
    strides.push_back(strides_[d]);
  }
  return with(shape, strides, offset_);
}

Tensor Tensor::expand(const Shape& wanted) const {
  Shape shape = wanted;
  const int lead = wanted.rank() - rank();
  for (int d = 0; d < wanted.rank(); ++d) {
    const std::int64_t own = d < lead ? 1 : shape_[d - lead];
    if (wanted[d] == -1 && d >= lead) shape[d] = own;
    if (shape[d] < 0 || (own != 1 && own != shape[d])) {
      fail<ShapeError>("expand: ", shape_, " does not expand to ", wanted);
    }
  }
  if (lead < 0) fail<ShapeError>("expand: ", shape_, " does not expand to ", wanted);
  check_sizes("expand", shape);
  return with(shape, broadcast_strides(shape_, strides_, shape), offset_);
}

Tensor Tensor::contiguous() const { return is_contiguous() ? *this : clone(); }

Tensor Tensor::clone() const {
  if (!defined()) fail<ShapeError>("clone: the tensor is undefined; it was never given a value");
  const Tensor result = empty(shape_, dtype_);
  result.copy_(*this);
  return result;
}

Tensor Tensor::to(DType dtype) const {
  if (!defined()) fail<ShapeError>("to: the tensor is undefined; it was never given a value");
  if (dtype == dtype_) return *this;
  const Tensor result = empty(shape_, dtype);
  result.copy_(*this);
  return result;
}

const Tensor& Tensor::copy_(const Tensor& from) const {
  if (!from.defined()) fail<ShapeError>("copy_: the source is undefined");
  Tensor source = from;
  if (defined() && broadcast("copy_", shape_, source.shape_) != shape_) {
    fail<ShapeError>("copy_: source ", source.shape_, " does not broadcast to ", shape_);
  }
  begin_write("copy_", *this);
  const bool same_layout = dtype_ == source.dtype_ && shape_ == source.shape_ && is_contiguous() &&
                           source.is_contiguous() && numel() > 0;
  if (same_layout) {
    const auto unit = size_of(dtype_);
    std::memmove(storage_.data() + offset_ * unit, source.storage_.data() + source.offset_ * unit,
                 static_cast<std::size_t>(numel() * unit));
    return *this;
  }
  source = readable_while_writing(source, *this);
  const kernels::Loop<2> loop(
      shape_, {strides_, broadcast_strides(source.shape_, source.strides_, shape_)});
  dispatch_stored(dtype_, [&]<class To>() {
    dispatch_stored(source.dtype_, [&]<class From>() {
      kernels::elementwise(
          loop, [](From value) { return convert<To>(value); }, data<To>(), source.data<From>());
    });
  });
  return *this;
}

const Tensor& Tensor::fill_(double value) const {
  dispatch_stored(dtype_, [&]<class T>() {
    const T filler = stored_as<T>("fill_", value);
    begin_write("fill_", *this);
    const kernels::Loop<1> loop(shape_, {strides_});
    kernels::elementwise(
        loop, [filler] { return filler; }, data<T>());
  });
  return *this;
}

std::string describe(const Tensor& tensor) {
  if (!tensor.defined()) return "undefined";
  return std::string(to_string(tensor.dtype())) + " " + to_string(tensor.shape());
}

}  // namespace gradus
