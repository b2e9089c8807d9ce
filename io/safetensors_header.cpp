// The header as a stream of JSON events. A parsed JSON document would have lost what must be seen:
// of two equal keys it keeps the last. The reader below is told of each key and value as it comes,
// and refuses at the first that does not belong where it stands.
#include <gradus/core/error.h>
#include <gradus/core/words.h>
#include <gradus/io/safetensors_header.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <unordered_set>
#include <utility>

#include <nlohmann/json.hpp>

namespace gradus {
namespace {

using nlohmann::json;

/// Bits of one element; nothing for a type the format does not have. F4 and F6 lie packed.
/// Source: the enum Dtype of https://docs.rs/safetensors, version 0.8.
std::optional<std::int64_t> element_bits(std::string_view dtype) {
  constexpr std::pair<std::string_view, int> sizes[] = {
      {"BOOL", 8},        {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
      {"I8", 8},          {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
      {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16},    {"BF16", 16},
      {"I32", 32},        {"U32", 32},    {"F32", 32},    {"C64", 64},    {"F64", 64},
      {"I64", 64},        {"U64", 64}};
  for (const auto& [name, bits] : sizes) {
    if (name == dtype) return bits;
  }
  return std::nullopt;
}

/// Where in the header the reader stands; the next event must fit there.
enum class Position { outside, names, metadata, tensor, shape, offsets, done };

class HeaderReader final : public nlohmann::json_sax<json> {
 public:
  HeaderReader(const std::string& label, SafetensorsHeader& header)
      : label_(label), header_(header) {}

  bool start_object(std::size_t) override {
    if (place_ == Position::outside) {
      place_ = Position::names;
    } else if (place_ == Position::names && key_ == "__metadata__") {
      place_ = Position::metadata;
      keys_.clear();
    } else if (place_ == Position::names) {
      place_ = Position::tensor;
      keys_.clear();
      offsets_.clear();
      header_.tensors.emplace_back().name = key_;
    } else {
      unexpected("an object");
    }
    return true;
  }

  bool end_object() override {
    if (place_ == Position::names) {
      place_ = Position::done;
      return true;
    }
    if (place_ == Position::tensor) finish_tensor();
    place_ = Position::names;
    return true;
  }

  bool key(std::string& key) override {
    key_ = key;
    auto& seen = place_ == Position::names ? names_ : keys_;
    if (!seen.insert(key).second) {
      fail<BadDataError>(label_, ": ", where(), " has the key ", in_quotes(key), " twice");
    }
    const bool known = key == "dtype" || key == "shape" || key == "data_offsets";
    if (place_ == Position::tensor && !known) {
      fail<BadDataError>(label_, ": ", where(), " has the unknown key ", in_quotes(key),
                         ", the format has dtype, shape and data_offsets");
    }
    return true;
  }

  bool string(std::string& value) override {
    if (place_ == Position::metadata) {
      header_.metadata[key_] = value;
    } else if (place_ == Position::tensor && key_ == "dtype") {
      header_.tensors.back().dtype = value;
    } else {
      unexpected("the string " + in_quotes(value));
    }
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ == Position::tensor && key_ == "shape") {
      place_ = Position::shape;
    } else if (place_ == Position::tensor && key_ == "data_offsets") {
      place_ = Position::offsets;
    } else {
      unexpected("a list");
    }
    return true;
  }

  bool end_array() override {
    place_ = Position::tensor;
    return true;
  }

  bool number_unsigned(std::uint64_t value) override {
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      unexpected("the number " + std::to_string(value));
    }
    const auto number = static_cast<std::int64_t>(value);
    if (place_ == Position::shape) {
      Shape& shape = header_.tensors.back().shape;
      if (shape.rank() == Shape::max_rank) {
        fail<BadDataError>(label_, ": ", where(), " has more than ", Shape::max_rank,
                           " dimensions: ", shape, " and ", number);
      }
      shape.push_back(number);
    } else if (place_ == Position::offsets && offsets_.size() < 2) {
      offsets_.push_back(number);
    } else {
      unexpected("the number " + std::to_string(number));
    }
    return true;
  }

  bool number_integer(std::int64_t value) override {
    unexpected("the negative number " + std::to_string(value));
  }
  bool number_float(double, const std::string& text) override {
    unexpected("the number " + in_quotes(text) + ", which is no 64-bit integer");
  }
  bool null() override { unexpected("null"); }
  bool boolean(bool value) override { unexpected(value ? "true" : "false"); }
  bool binary(binary_t&) override { unexpected("binary data"); }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    fail<BadDataError>(label_, ": header is not valid JSON near byte ", position, " of it");
  }

 private:
  void finish_tensor() {
    for (const char* key : {"dtype", "shape", "data_offsets"}) {
      if (!keys_.contains(key)) fail<BadDataError>(label_, ": ", where(), " has no ", key);
    }
    if (offsets_.size() != 2) {
      fail<BadDataError>(label_, ": ", where(), " has ", offsets_.size(),
                         " data_offsets, 2 expected");
    }
    if (offsets_[1] < offsets_[0]) {
      fail<BadDataError>(label_, ": ", where(), " ends before it begins, data_offsets [",
                         offsets_[0], ",", offsets_[1], "]");
    }
    SafetensorsEntry& entry = header_.tensors.back();
    entry.begin = offsets_[0];
    entry.bytes = offsets_[1] - offsets_[0];
  }

  /// What a message calls the present place.
  std::string where() const {
    switch (place_) {
      case Position::outside:
      case Position::names:
      case Position::done:
        return "header";
      case Position::metadata:
        return "__metadata__";
      case Position::tensor:
      case Position::shape:
      case Position::offsets:
        break;
    }
    return "tensor " + in_quotes(header_.tensors.back().name);
  }

  [[noreturn]] void unexpected(const std::string& what) const {
    const std::string at = place_ == Position::outside ? "" : " at " + in_quotes(key_);
    fail<BadDataError>(label_, ": ", where(), at, " does not take ", what);
  }

  const std::string& label_;
  SafetensorsHeader& header_;
  Position place_ = Position::outside;
  std::string key_;                        // the last one seen
  std::unordered_set<std::string> names_;  // of tensors
  std::unordered_set<std::string> keys_;   // of the present tensor, or of the metadata
  std::vector<std::int64_t> offsets_;      // of the present tensor
};

/// Bytes that shape and dtype ask for. No multiplication overflows: there are at most 2^59 elements, and
/// those of 8 bits or more are counted in bytes.
std::int64_t checked_bytes(const std::string& label, const SafetensorsEntry& entry) {
  const std::optional<std::int64_t> bits = element_bits(entry.dtype);
  if (!bits) {
    fail<BadDataError>(label, ": tensor ", in_quotes(entry.name), " has the unknown dtype ",
                       in_quotes(entry.dtype));
  }
  try {
    check_sizes("", entry.shape);
  } catch (const ShapeError&) {
    fail<BadDataError>(label, ": tensor ", in_quotes(entry.name), " of shape ", entry.shape,
                       " has too many elements");
  }
  const std::int64_t count = entry.shape.numel();
  if (*bits % 8 == 0) return count * (*bits / 8);
  if (count * *bits % 8 != 0) {
    fail<BadDataError>(label, ": tensor ", in_quotes(entry.name), " of ", entry.dtype, " ",
                       entry.shape, " takes ", count * *bits, " bits, which are no whole bytes");
  }
  return count * *bits / 8;
}

/// The tensors, in the order of their offsets, must follow each other without holes up to the end.
void check_layout(const std::string& label, const SafetensorsHeader& header) {
  std::vector<const SafetensorsEntry*> order;
  order.reserve(header.tensors.size());
  for (const SafetensorsEntry& entry : header.tensors) order.push_back(&entry);
  std::ranges::sort(order, {}, [](const SafetensorsEntry* entry) {
    return std::pair(entry->begin,
                     entry->bytes);  // empty tensors stand before what begins with them
  });
  std::int64_t end = 0;
  for (const SafetensorsEntry* entry : order) {
    if (entry->begin != end) {
      fail<BadDataError>(label, ": tensor ", in_quotes(entry->name), " begins at byte ",
                         entry->begin, " of the data, the one before it ends at ", end,
                         entry->begin > end ? " (a hole)" : " (an overlap)");
    }
    end += entry->bytes;
  }
  if (end != header.data_bytes) {
    fail<BadDataError>(label, ": file has ", header.data_bytes, " bytes of data, the tensors take ",
                       end);
  }
}

}  // namespace

std::string json_string(const std::string& label, const std::string& text) {
  try {
    return json(text).dump();
  } catch (const json::exception&) {
    fail<ValueError>(label, ": ", in_quotes(text), " is not valid UTF-8");
  }
}

SafetensorsHeader parse_safetensors_header(const std::string& label, std::string_view json_text,
                                           std::int64_t data_bytes) {
  if (!json_text.starts_with('{')) fail<BadDataError>(label, ": header does not begin with '{'");
  // The parser would take a zero byte for the end of its input.
  if (const std::size_t zero = json_text.find('\0'); zero != std::string_view::npos) {
    fail<BadDataError>(label, ": header is not valid JSON near byte ", zero, " of it");
  }
  SafetensorsHeader header;
  header.data_bytes = data_bytes;
  HeaderReader reader(label, header);
  json::sax_parse(json_text, &reader);
  for (const SafetensorsEntry& entry : header.tensors) {
    const std::int64_t expected = checked_bytes(label, entry);
    if (expected != entry.bytes) {
      fail<BadDataError>(label, ": tensor ", in_quotes(entry.name), " of ", entry.dtype, " ",
                         entry.shape, " takes ", expected, " bytes, its data_offsets span ",
                         entry.bytes);
    }
  }
  check_layout(label, header);
  return header;
}

}  // namespace gradus
