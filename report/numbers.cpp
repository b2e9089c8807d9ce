// Arrays with the same bytes are one: the output of a layer is the input of the next, and a gradient that
// arrived alone is the whole gradient.
#include <gradus/core/error.h>
#include <gradus/report/detail/numbers.h>

#include <algorithm>
#include <functional>
#include <set>

#include <zlib.h>

namespace gradus::detail {
namespace {

constexpr std::size_t alignment = 8;
constexpr int fast = 1;
constexpr int usual = 6;

std::string bytes_in_order(const Tensor& tensor) {
  const Tensor plain = (tensor.dtype() == float64 ? tensor.to(float32) : tensor).contiguous();
  const std::int64_t size = size_of(plain.dtype());
  const auto* from = reinterpret_cast<const char*>(plain.storage().data()) + plain.offset() * size;
  return {from, static_cast<std::size_t>(plain.numel() * size)};
}

std::int64_t in_base64(std::int64_t bytes) { return (bytes + 2) / 3 * 4; }

}  // namespace

std::string gzip(std::string_view bytes, int level) {
  constexpr int with_gzip_header = 16;
  constexpr int memory_level = 9;
  z_stream stream{};
  if (deflateInit2(&stream, level, Z_DEFLATED, MAX_WBITS + with_gzip_header, memory_level,
                   Z_DEFAULT_STRATEGY) != Z_OK)
    fail<Error>("report: zlib cannot begin to pack ", bytes.size(), " bytes");
  std::string packed(deflateBound(&stream, static_cast<uLong>(bytes.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib only reads it
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  const int code = deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  if (code != Z_STREAM_END) fail<Error>("report: zlib cannot pack the numbers, error ", code);
  return packed;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve(static_cast<std::size_t>(in_base64(std::ssize(bytes))));
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t k) {
      return k < bytes.size() ? static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[k]))
                              : 0;
    };
    const std::uint32_t three = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    for (int shift = 18; shift >= 0; shift -= 6) text += digits[three >> shift & 63];
  }
  // What stands beyond the end is not there.
  for (std::size_t beyond = (3 - bytes.size() % 3) % 3; beyond > 0; --beyond)
    text[text.size() - beyond] = '=';
  return text;
}

std::optional<std::size_t> Numbers::find(const std::string& bytes) const {
  const auto [begin, end] = by_hash_.equal_range(std::hash<std::string>()(bytes));
  for (auto at = begin; at != end; ++at)
    if (arrays_[at->second].bytes == bytes) return at->second;
  return std::nullopt;
}

void Numbers::add(const Tensor& tensor, Rank rank, std::size_t group) {
  if (!tensor.defined()) return;
  std::string bytes = bytes_in_order(tensor);
  std::optional<std::size_t> array = find(bytes);
  if (!array) {
    array = arrays_.size();
    by_hash_.emplace(std::hash<std::string>()(bytes), *array);
    const std::int64_t packed = in_base64(std::ssize(gzip(bytes, fast)));
    arrays_.push_back({std::move(bytes), packed});
  }
  uses_.push_back({*array, rank, group == 0 ? ++last_group_ : group});
}

std::int64_t Numbers::size() const {
  std::int64_t size = 0;
  for (const Array& array : arrays_) size += array.packed;
  return size;
}

void Numbers::fit(std::int64_t bytes) {
  std::map<std::pair<Rank, std::size_t>, std::int64_t> sizes;
  for (const Use& use : uses_) sizes[{use.rank, use.group}] += arrays_[use.array].packed;
  std::vector<std::pair<Rank, std::size_t>> order;
  for (const auto& [key, size] : sizes) order.push_back(key);
  std::stable_sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : sizes[a] > sizes[b];
  });

  std::vector<int> users(arrays_.size());
  for (const Use& use : uses_) ++users[use.array];
  std::int64_t left = size();
  for (const auto& key : order) {
    if (left <= bytes) break;
    for (const Use& use : uses_) {
      if (std::pair(use.rank, use.group) == key && --users[use.array] == 0)
        left -= arrays_[use.array].packed;
    }
  }
  std::int64_t end = 0;
  for (std::size_t i = 0; i < arrays_.size(); ++i) {
    arrays_[i].at = users[i] > 0 ? end : -1;
    if (users[i] == 0) continue;
    const std::size_t padded = (arrays_[i].bytes.size() + alignment - 1) / alignment * alignment;
    end += static_cast<std::int64_t>(padded);
  }
}

std::optional<std::int64_t> Numbers::place_of(const Tensor& tensor) const {
  if (!tensor.defined()) return std::nullopt;
  const std::optional<std::size_t> array = find(bytes_in_order(tensor));
  if (!array || arrays_[*array].at < 0) return std::nullopt;
  return arrays_[*array].at;
}

std::string_view Numbers::dtype_of(const Tensor& tensor) {
  if (tensor.dtype() == uint8) return "uint8";
  return tensor.dtype() == int64 ? "int64" : "float32";
}

std::string Numbers::base64() const {
  std::string all;
  for (const Array& array : arrays_) {
    if (array.at < 0) continue;
    all += array.bytes;
    all.resize((all.size() + alignment - 1) / alignment * alignment);
  }
  return detail::base64(gzip(all, usual));
}

}  // namespace gradus::detail
