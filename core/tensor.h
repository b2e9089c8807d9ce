// Tensor: a strided array of numbers, without gradients. Read this first in core/.
//
// A tensor is a window on a Storage: shape, strides and offset say where its elements lie. Views
// share the storage, so a write through one is seen through the others. Copying a Tensor copies the
// window, not the numbers; clone() copies the numbers. Views are O(1) and never change what they
// look at. Thread safety: like int; several readers or one writer.
#pragma once

#include <gradus/core/dtype.h>
#include <gradus/core/shape.h>
#include <gradus/core/storage.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gradus {

/// A number or a list of lists of numbers, as written in braces: {{1, 2}, {3, 4}}.
class NestedList {
 public:
  template <class T>
  requires std::is_arithmetic_v<T> NestedList(T value)
      : dtype_(std::same_as<T, bool>   ? boolean
               : std::is_integral_v<T> ? int64
                                       : float32),
        real_(static_cast<double>(value)),
        integer_(std::is_integral_v<T> ? static_cast<std::int64_t>(value) : 0),
        leaf_(true) {
    if constexpr (std::is_unsigned_v<T> && sizeof(T) == sizeof(integer_)) {
      if (integer_ < 0)
        fail<DTypeError>("from: the number ", value, " does not fit a tensor of int64");
    }
  }
  NestedList(std::initializer_list<NestedList> items) : items_(items) {}

 private:
  friend class Tensor;
  DType dtype_ = float32;
  double real_ = 0;
  std::int64_t integer_ = 0;
  bool leaf_ = false;
  std::vector<NestedList> items_;
};

/// A window on numbers: shape, strides, dtype and a Storage.
class Tensor {
 public:
  /// An undefined tensor: no shape, no elements; only defined() may be asked of it.
  Tensor() = default;

  /// Uninitialised elements. Throws ShapeError for negative sizes.
  static Tensor empty(const Shape& shape, DType dtype = default_dtype());
  /// From braces: Tensor::from({{1, 2}, {3, 4}}). Without `dtype`, integers give int64, bools bool,
  /// anything with a decimal point default_dtype(). Among integers fractions are cut off. Throws ShapeError when the
  /// lists are ragged, DTypeError for a number out of the range of an integer dtype.
  static Tensor from(const NestedList& values, std::optional<DType> dtype = std::nullopt);
  /// A copy of shape.numel() elements at `data`, row-major.
  template <Element T> static Tensor from(const T* data, const Shape& shape);
  /// A 0-d tensor.
  static Tensor scalar(double value, DType dtype = default_dtype());

  /// Does it look at numbers? Not one that was never given any, nor one that was moved from.
  bool defined() const { return defined_.value; }
  const Shape& shape() const { return shape_; }
  const Strides& strides() const { return strides_; }
  std::int64_t offset() const { return offset_; }
  DType dtype() const { return dtype_; }
  const Storage& storage() const { return storage_; }
  int rank() const { return shape_.rank(); }
  /// The size of one dimension; negative counts from the end.
  std::int64_t size(std::int64_t dim) const;
  std::int64_t numel() const { return shape_.numel(); }
  bool is_contiguous() const;

  /// The first element. Throws DTypeError when T is not the dtype. Strides say where
  /// the others are.
  template <Element T> T* data() const {
    check_type(dtype_of<T>());
    return reinterpret_cast<T*>(storage_.data()) + offset_;
  }
  /// One element, bounds-checked: x.at<float>({0, 2}).
  template <Element T> T& at(const Shape& index) const { return data<T>()[element_offset(index)]; }
  /// The only element, as a double. Throws ShapeError when there is not exactly one.
  double item() const;
  /// All elements, row-major.
  template <Element T> std::vector<T> to_vector() const;

  // Views: no element moves. [..] shows shapes.
  /// Any shape of as many elements, one size may be -1; a copy when the strides do
  /// not allow a view.
  Tensor reshape(const Shape& shape) const;
  /// Like reshape, but throws ShapeError where it would have to copy.
  Tensor view(const Shape& shape) const;
  /// [2,3,4] flatten(1) -> [2,12]
  Tensor flatten(std::int64_t start = 0, std::int64_t end = -1) const;
  /// [2,3,4] permute({2,0,1}) -> [4,2,3]
  Tensor permute(const Dims& order) const;
  /// Swaps two dimensions.
  Tensor transpose(std::int64_t a = -2, std::int64_t b = -1) const;
  /// Elements start, start+step, ... below stop of one dimension; negative bounds
  /// count from the end.
  Tensor slice(std::int64_t dim, std::int64_t start, std::int64_t stop,
               std::int64_t step = 1) const;
  /// `length` elements from `start`; out of range throws ShapeError.
  Tensor narrow(std::int64_t dim, std::int64_t start, std::int64_t length) const;
  /// Drops a dimension by choosing one index of it.
  Tensor select(std::int64_t dim, std::int64_t index) const;
  /// select(0, index)
  Tensor operator[](std::int64_t index) const { return select(0, index); }
  /// Drops dimension `dim` if its size is 1; without argument, every dimension of size 1.
  Tensor squeeze(std::optional<std::int64_t> dim = std::nullopt) const;
  /// A new dimension of size 1 at `dim`.
  Tensor unsqueeze(std::int64_t dim) const;
  /// Repeats dimensions of size 1 without copying; -1 keeps a size.
  Tensor expand(const Shape& shape) const;

  /// This tensor if it is row-major, else a row-major copy.
  Tensor contiguous() const;
  /// A row-major copy with numbers of its own.
  Tensor clone() const;
  /// Converted elements; this very tensor when the dtype is already right. float to integer
  /// truncates; NaN and what is out of range give the smallest int64. To float16 and bfloat16 each number
  /// is rounded once, to the nearest and to even (float16.h).
  Tensor to(DType dtype) const;

  // Writing in place, through the view. Backward knows of these writes, not of those through data()
  // and at(): an op that kept the numbers for its derivative then throws GradError.
  /// Converts and broadcasts `source` into this tensor; both may look at the same numbers.
  const Tensor& copy_(const Tensor& source) const;
  /// Throws DTypeError for a number that the dtype cannot hold.
  const Tensor& fill_(double value) const;

 private:
  void check_type(DType wanted) const;
  std::int64_t element_offset(const Shape& index) const;
  Tensor with(const Shape& shape, const Strides& strides, std::int64_t offset) const;

  Storage storage_;
  Shape shape_;
  Strides strides_;
  std::int64_t offset_ = 0;
  DType dtype_ = float32;
  /// True until moved from.
  struct Flag {
    bool value = false;
    Flag() = default;
    Flag(bool initial) : value(initial) {}
    Flag(const Flag&) = default;
    Flag& operator=(const Flag&) = default;
    Flag(Flag&& other) noexcept : value(std::exchange(other.value, false)) {}
    Flag& operator=(Flag&& other) noexcept {
      value = std::exchange(other.value, false);
      return *this;
    }
    ~Flag() = default;
  };
  Flag defined_;
};

/// Throws ShapeError naming `op` and `what` when `target` shows one number several times, as expand() makes it.
void check_writable(std::string_view op, std::string_view what, const Tensor& target);
/// For functions that write in place, once nothing else can go wrong: counts the write (storage.h).
/// Throws ShapeError naming `op`, a literal, when `target` is undefined or shows one number several
/// times.
void begin_write(const char* op, const Tensor& target);
/// Do both look at the same numbers in the same way?
bool same_window(const Tensor& a, const Tensor& b);
/// `source`, or a copy of it where writing to `target` could change what is still to be read.
Tensor readable_while_writing(const Tensor& source, const Tensor& target);

/// Tensors with names, in a fixed order: a state_dict, the content of a file.
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// "float32 [2,3]", for messages.
std::string describe(const Tensor& tensor);

/// Readable numbers in brackets, four decimals, summarised above 1000 elements.
std::string to_string(const Tensor& tensor);
std::ostream& operator<<(std::ostream& out, const Tensor& tensor);

}  // namespace gradus
