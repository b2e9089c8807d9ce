// A tensor of a file is a list of sizes and either raw bytes, little-endian, or one of five lists of numbers; which list
// holds a type is told at TensorProto in onnx.proto.
#include <gradus/interchange/onnx/tensor.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <limits>

#include <gradus/core/words.h>

namespace gradus::interchange {
namespace {

using onnx::TensorProto;

static_assert(std::endian::native == std::endian::little, "raw data are read as they lie");

Shape shape_of(const TensorProto& from, const std::string& place) {
  if (from.dims_size() > Shape::max_rank) {
    fail<BadDataError>(place, ": has ", from.dims_size(), " dimensions, a tensor at most ",
                       Shape::max_rank);
  }
  Shape shape;
  std::int64_t elements = 1;
  for (const std::int64_t size : from.dims()) {
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max() / 8;
    if (size < 0 || (size > 0 && elements > most / size)) {
      fail<BadDataError>(place, ": a size of ", size, " after ", elements,
                         " elements; sizes are 0 or more, and their product below 2^60");
    }
    elements *= size;
    shape.push_back(size);
  }
  return shape;
}

/// Bytes of one element in raw data.
std::int64_t raw_size(int data_type) {
  switch (data_type) {
    case TensorProto::INT8:
      return 1;
    case TensorProto::INT16:
    case TensorProto::UINT16:
      return 2;
    case TensorProto::INT32:
    case TensorProto::UINT32:
      return 4;
    default:
      return 8;
  }
}

/// Bytes of all elements in raw data.
std::int64_t raw_bytes(int data_type, const Shape& shape, const std::string& place) {
  const DType dtype = held_as(data_type, place);
  return shape.numel() * (dtype == int64 ? raw_size(data_type) : size_of(dtype));
}

std::int64_t to_int64(std::uint64_t value, const std::string& place) {
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    fail<BadDataError>(place, ": the uint64 ", value, ", int64 holds at most 2^63 - 1");
  }
  return static_cast<std::int64_t>(value);
}

template <class T> void widen(std::string_view raw, std::int64_t* to, const std::string& place) {
  for (std::size_t i = 0; i < raw.size() / sizeof(T); ++i) {
    T value;
    std::memcpy(&value, raw.data() + i * sizeof(T), sizeof(T));
    if constexpr (std::is_same_v<T, std::uint64_t>) {
      to[i] = to_int64(value, place);
    } else {
      to[i] = value;
    }
  }
}

void expect(std::int64_t found, std::int64_t wanted, const char* what, const Shape& shape,
            const std::string& place) {
  if (found != wanted) {
    fail<BadDataError>(place, ": has ", found, " ", what, ", its sizes ", shape, " want ", wanted);
  }
}

Tensor from_raw(int data_type, const Shape& shape, std::string_view raw, const std::string& place) {
  const DType dtype = held_as(data_type, place);
  const bool widened = dtype == int64 && data_type != TensorProto::INT64;
  expect(std::ssize(raw), raw_bytes(data_type, shape, place), "bytes", shape, place);
  Tensor tensor = Tensor::empty(shape, dtype);
  if (raw.empty()) return tensor;
  if (dtype == boolean) {
    std::transform(raw.begin(), raw.end(), tensor.data<bool>(), [](char c) { return c != 0; });
    return tensor;
  }
  if (!widened) {
    std::memcpy(tensor.storage().data(), raw.data(), raw.size());
    return tensor;
  }
  auto* to = tensor.data<std::int64_t>();
  switch (data_type) {
    case TensorProto::INT8:
      widen<std::int8_t>(raw, to, place);
      break;
    case TensorProto::INT16:
      widen<std::int16_t>(raw, to, place);
      break;
    case TensorProto::UINT16:
      widen<std::uint16_t>(raw, to, place);
      break;
    case TensorProto::INT32:
      widen<std::int32_t>(raw, to, place);
      break;
    case TensorProto::UINT32:
      widen<std::uint32_t>(raw, to, place);
      break;
    default:
      widen<std::uint64_t>(raw, to, place);
  }
  return tensor;
}

template <class T, class List, class Convert>
Tensor from_list(const List& list, const Shape& shape, const std::string& place,
                 const Convert& convert) {
  expect(list.size(), shape.numel(), "numbers", shape, place);
  Tensor tensor = Tensor::empty(shape, dtype_of<T>());
  if (shape.numel() > 0) std::transform(list.begin(), list.end(), tensor.data<T>(), convert);
  return tensor;
}

/// Of 16 bits, which int32 carries.
template <class T> T half_of(std::int32_t bits) {
  return std::bit_cast<T>(static_cast<std::uint16_t>(bits));
}

Tensor from_lists(const TensorProto& from, const Shape& shape, const std::string& place) {
  const auto same = [](auto value) { return value; };
  switch (held_as(from.data_type(), place)) {
    case float32:
      return from_list<float>(from.float_data(), shape, place, same);
    case float64:
      return from_list<double>(from.double_data(), shape, place, same);
    case float16:
      return from_list<Float16>(from.int32_data(), shape, place, half_of<Float16>);
    case bfloat16:
      return from_list<BFloat16>(from.int32_data(), shape, place, half_of<BFloat16>);
    case boolean:
      return from_list<bool>(from.int32_data(), shape, place, [](auto v) { return v != 0; });
    case uint8:
      return from_list<std::uint8_t>(from.int32_data(), shape, place,
                                     [](auto v) { return static_cast<std::uint8_t>(v); });
    case int64:
      break;
  }
  switch (from.data_type()) {
    case TensorProto::INT64:
      return from_list<std::int64_t>(from.int64_data(), shape, place, same);
    case TensorProto::UINT32:
    case TensorProto::UINT64:
      return from_list<std::int64_t>(from.uint64_data(), shape, place,
                                     [&](std::uint64_t v) { return to_int64(v, place); });
    default:
      return from_list<std::int64_t>(from.int32_data(), shape, place, same);
  }
}

Tensor from_external(const TensorProto& from, const Shape& shape, const std::string& folder,
                     const std::string& place) {
  const ExternalPlace at = external_place(from, place);
  const std::int64_t size = raw_bytes(from.data_type(), shape, place);
  if (at.length >= 0) expect(at.length, size, "bytes", shape, place);
  return from_raw(from.data_type(), shape, external_bytes(folder, at, size, place), place);
}

}  // namespace

ExternalPlace external_place(const TensorProto& from, const std::string& place) {
  ExternalPlace at;
  for (const onnx::StringStringEntryProto& entry : from.external_data()) {
    if (entry.key() == "location") at.location = entry.value();
    if (entry.key() != "offset" && entry.key() != "length") continue;
    std::int64_t& number = entry.key() == "offset" ? at.offset : at.length;
    const std::string& text = entry.value();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < 0) {
      fail<BadDataError>(place, ": external data with ", entry.key(), " ", in_quotes(text),
                         ", a whole number from 0 to 2^63 - 1 is expected");
    }
  }
  return at;
}

std::string name_of_type(std::int64_t data_type) {
  const int known = data_type > 0 && data_type <= 16 ? static_cast<int>(data_type) : 0;
  std::string name = onnx::TensorProto_DataType_Name(known);
  if (known == 0) return text_of("of number ", data_type);
  for (char& letter : name) letter = static_cast<char>(letter | 0x20);
  return name == "float" ? "float32" : name == "double" ? "float64" : name;
}

bool names_type(const Attribute& attribute) {
  return attribute.kind == Attribute::Kind::integer &&
         (attribute.name == "to" || attribute.name == "dtype" ||
          attribute.name == "output_datatype");
}

DType held_as(std::int64_t data_type, const std::string& place) {
  switch (data_type) {
    case TensorProto::FLOAT:
      return float32;
    case TensorProto::DOUBLE:
      return float64;
    case TensorProto::FLOAT16:
      return float16;
    case TensorProto::BFLOAT16:
      return bfloat16;
    case TensorProto::UINT8:
      return uint8;
    case TensorProto::BOOL:
      return boolean;
    case TensorProto::INT8:
    case TensorProto::INT16:
    case TensorProto::INT32:
    case TensorProto::INT64:
    case TensorProto::UINT16:
    case TensorProto::UINT32:
    case TensorProto::UINT64:
      return int64;
    default:
      fail<BadDataError>(place, ": the type ", name_of_type(data_type),
                         "; known are floats, integers and bool");
  }
}

Tensor tensor_of(const TensorProto& from, const std::string& folder, const std::string& place) {
  const Shape shape = shape_of(from, place);
  if (from.has_segment()) fail<BadDataError>(place, ": a part of a tensor; whole ones are read");
  if (from.data_location() == TensorProto::EXTERNAL)
    return from_external(from, shape, folder, place);
  if (from.has_raw_data()) return from_raw(from.data_type(), shape, from.raw_data(), place);
  return from_lists(from, shape, place);
}

}  // namespace gradus::interchange
