// Files are unpacked here by inflate itself: zlib's gz functions pass over bytes behind the stream.
// Sizes are checked before they are believed.
#include <gradus/core/error.h>
#include <gradus/data/detail/files.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include <zlib.h>

namespace gradus::detail {
namespace {

constexpr std::size_t piece = std::size_t{1} << 16;  // bytes that are read or converted at a time

template <class Stored> Stored turned_around(Stored value) {
  auto bytes = std::bit_cast<std::array<std::byte, sizeof(Stored)>>(value);
  std::ranges::reverse(bytes);
  return std::bit_cast<Stored>(bytes);
}

/// Numbers that lie in memory as in the file, but for the order of their bytes.
template <class Word>
std::int64_t read_alike(const ReadBytes& read, bool big_endian, const Tensor& tensor) {
  constexpr auto width = std::int64_t{sizeof(Word)};
  auto* words = reinterpret_cast<Word*>(tensor.storage().data()) + tensor.offset();
  const std::int64_t got = read(words, tensor.numel() * width);
  if (big_endian) std::transform(words, words + got / width, words, turned_around<Word>);
  return got;
}

/// Integers, each made 64 bits wide.
template <class Stored>
std::int64_t read_widened(const ReadBytes& read, bool big_endian, const Tensor& tensor) {
  constexpr auto width = std::int64_t{sizeof(Stored)};
  constexpr auto most = std::int64_t{piece} / width;
  std::array<Stored, static_cast<std::size_t>(most)> numbers{};
  auto* out = tensor.data<std::int64_t>();
  std::int64_t total = 0;
  for (std::int64_t left = tensor.numel(); left > 0;) {
    const std::int64_t count = std::min(left, most);
    const std::int64_t got = read(numbers.data(), count * width);
    out = std::transform(numbers.data(), numbers.data() + got / width, out, [&](Stored number) {
      return std::int64_t{big_endian ? turned_around(number) : number};
    });
    total += got;
    if (got < count * width) break;
    left -= count;
  }
  return total;
}

}  // namespace

/// zlib's state, and the packed bytes that it takes next.
struct PackedFile::Inflater {
  std::array<Bytef, piece> input{};
  z_stream stream{};
  bool ended = false;  // the present member is complete

  Inflater() {
    constexpr int expect_gzip = 16;
    if (inflateInit2(&stream, MAX_WBITS + expect_gzip) != Z_OK) fail("gzip: zlib has no memory");
  }
  ~Inflater() { inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  bool at_member() const {
    return stream.avail_in >= 2 && stream.next_in[0] == 0x1f && stream.next_in[1] == 0x8b;
  }
};

PackedFile::PackedFile(std::string_view format, const std::string& path) : file_(format, path) {
  std::array<unsigned char, 2> magic{};
  file_.read_some(0, magic.data(), std::ssize(magic));
  if (magic[0] == 0x1f && magic[1] == 0x8b) inflater_ = std::make_unique<Inflater>();
}

PackedFile::~PackedFile() = default;

/// More packed bytes behind those that are left; are there any now?
bool PackedFile::refill() {
  z_stream& stream = inflater_->stream;
  std::array<Bytef, piece>& input = inflater_->input;
  if (stream.avail_in > 0) std::memmove(input.data(), stream.next_in, stream.avail_in);
  const std::int64_t got = file_.read_some(position_, input.data() + stream.avail_in,
                                           std::ssize(input) - std::int64_t{stream.avail_in});
  position_ += got;
  stream.next_in = input.data();
  stream.avail_in += static_cast<uInt>(got);
  return stream.avail_in > 0;
}

/// Goes on to the next member of the stream, if there is one; nothing else may follow.
bool PackedFile::next_member() {
  z_stream& stream = inflater_->stream;
  if (stream.avail_in < 2 && !refill()) return false;
  if (!inflater_->at_member()) {
    fail<BadDataError>(label(), ": ", file_.size() - position_ + std::int64_t{stream.avail_in},
                       " bytes follow the gzip stream");
  }
  inflateReset(&stream);
  inflater_->ended = false;
  return true;
}

std::int64_t PackedFile::read(void* target, std::int64_t count) {
  if (!packed()) {
    const std::int64_t got = file_.read_some(position_, target, count);
    position_ += got;
    return got;
  }
  z_stream& stream = inflater_->stream;
  auto* bytes = static_cast<Bytef*>(target);
  std::int64_t done = 0;
  while (done < count) {
    constexpr std::int64_t most = 1 << 30;  // zlib counts in unsigned int
    if (inflater_->ended && !next_member()) break;
    if (stream.avail_in == 0 && !refill()) {
      fail<BadDataError>(label(), ": gzip stream is truncated, file ends after ", file_.size(),
                         " bytes");
    }
    stream.next_out = bytes + done;
    stream.avail_out = static_cast<uInt>(std::min(count - done, most));
    const int code = inflate(&stream, Z_NO_FLUSH);
    done = stream.next_out - bytes;
    inflater_->ended = code == Z_STREAM_END;
    if (code != Z_OK && code != Z_STREAM_END) {
      fail<BadDataError>(
          label(), ": gzip stream is damaged: ", stream.msg == nullptr ? zError(code) : stream.msg);
    }
  }
  return done;
}

void PackedFile::check_room(std::string_view what, std::int64_t stored, std::int64_t memory) const {
  if (!packed() && stored > size()) {
    fail<BadDataError>(label(), ": ", what, " takes ", stored, " bytes, the file can hold at most ",
                       size());
  }
  const std::int64_t most = 4 * size() + unpacking_allowance;
  if (packed() && memory > most) {
    fail<BadDataError>(label(), ": ", what, " takes ", memory, " bytes, a packed file of ", size(),
                       " may take at most ", most);
  }
}

DType StoredNumber::dtype() const {
  if (kind == 'b') return boolean;
  if (kind == 'f') return bytes == 2 ? float16 : bytes == 4 ? float32 : float64;
  return kind == 'u' && bytes == 1 ? uint8 : int64;
}

std::int64_t read_numbers(const ReadBytes& read, const StoredNumber& stored, const Tensor& tensor) {
  const bool big = stored.big_endian;
  if (size_of(stored.dtype()) == stored.bytes) {
    if (stored.bytes == 1) return read_alike<std::uint8_t>(read, false, tensor);
    if (stored.bytes == 2) return read_alike<std::uint16_t>(read, big, tensor);
    if (stored.bytes == 4) return read_alike<std::uint32_t>(read, big, tensor);
    return read_alike<std::uint64_t>(read, big, tensor);
  }
  if (stored.bytes == 1) return read_widened<std::int8_t>(read, big, tensor);
  const bool is_signed = stored.kind == 'i';
  if (stored.bytes == 2) {
    return is_signed ? read_widened<std::int16_t>(read, big, tensor)
                     : read_widened<std::uint16_t>(read, big, tensor);
  }
  return is_signed ? read_widened<std::int32_t>(read, big, tensor)
                   : read_widened<std::uint32_t>(read, big, tensor);
}

void check_countable(const std::string& label, const Shape& shape) {
  constexpr std::int64_t widest = 8;
  try {
    check_sizes("", shape);
    if (shape.numel() <= std::numeric_limits<std::int64_t>::max() / widest) return;
  } catch (const ShapeError&) {
    // Said below, with the file.
  }
  fail<BadDataError>(label, ": shape ", shape, " has too many elements");
}

void expect_finite(const std::string& label, const Tensor& numbers) {
  const Tensor narrow = numbers.to(float32).contiguous();
  const auto* first = narrow.data<float>();
  const auto* end = first + narrow.numel();
  const auto* wrong = std::find_if_not(first, end, [](float x) { return std::isfinite(x); });
  if (wrong == end) return;
  Shape place = numbers.shape();
  std::int64_t left = wrong - first;
  for (int d = place.rank() - 1; d >= 0; --d) {
    const std::int64_t size = place[d];
    place[d] = left % size;
    left /= size;
  }
  const double value = numbers.to(float64).flatten()[wrong - first].item();
  fail<BadDataError>(label, ": the number at ", place, " is ",
                     std::isnan(value) ? "nan" : text_of(value),  // else "-nan" as well
                     ", not a finite one that float32 holds");
}

}  // namespace gradus::detail
