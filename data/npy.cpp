// Three layers: the header of an array, the members of a zip archive, the file that is written. Both
// kinds of file hand their bytes to the same reader of arrays, front to back.
#include <gradus/core/error.h>
#include <gradus/core/words.h>
#include <gradus/data/detail/files.h>
#include <gradus/data/npy.h>
#include <gradus/io/atomic_file.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <zlib.h>

namespace gradus {
namespace {

using detail::PackedFile;
using detail::ReadBytes;
using detail::StoredNumber;

// ---- The header of an array ----

constexpr std::string_view npy_magic = "\x93NUMPY";

struct NpyHeader {
  StoredNumber number;
  bool fortran_order = false;
  Shape shape;
};

/// What an array is that Gradus has no tensor for, by the letter of its dtype.
std::string_view refused_array(char kind) {
  switch (kind) {
    case 'O':
      return "an object array, which would need pickle";
    case 'V':
      return "an array of raw bytes or records";
    case 'S':
    case 'a':
      return "an array of byte strings";
    case 'U':
      return "an array of strings";
    case 'c':
      return "a complex array";
    case 'u':
      return "an array of unsigned numbers wider than int64 holds";
    case 'M':
    case 'm':
      return "an array of dates or time spans";
    default:
      return "an array of another dtype";
  }
}

StoredNumber number_of(const std::string& label, std::string_view descr) {
  constexpr std::array<std::string_view, 11> known = {"b1", "i1", "i2", "i4", "i8", "u1",
                                                      "u2", "u4", "f2", "f4", "f8"};
  const bool has_order = !descr.empty() && std::string_view("<>|=").find(descr[0]) != descr.npos;
  const char order = has_order ? descr[0] : '|';
  const std::string_view type = descr.substr(has_order ? 1 : 0);
  if (std::ranges::find(known, type) != known.end()) {
    const StoredNumber number{type[0], type[1] - '0', order == '>'};
    if (number.bytes == 1 || order == '<' || order == '>') return number;
  }
  fail<BadDataError>(label, ": is ", refused_array(type.empty() ? '?' : type[0]), ": dtype ",
                     in_quotes(descr),
                     ", Gradus reads b1, i1, i2, i4, i8, u1, u2, u4, f2, f4 and f8");
}

/// Reads Python's text of a dict with the three entries that each header has.
class NpyHeaderReader {
 public:
  NpyHeaderReader(const std::string& label, std::string_view text) : label_(label), text_(text) {}

  NpyHeader header() {
    NpyHeader result;
    std::set<std::string_view> keys;
    expect('{');
    while (next() != '}') {
      const std::string_view key = quoted();
      if (!keys.insert(key).second) {
        fail<BadDataError>(label_, ": header has ", in_quotes(key), " twice");
      }
      expect(':');
      read_value(key, result);
      if (next() != '}') expect(',');
    }
    expect('}');
    if (next() != '\0') unexpected();
    for (const char* key : {"descr", "fortran_order", "shape"}) {
      if (!keys.contains(key)) fail<BadDataError>(label_, ": header has no '", key, "'");
    }
    return result;
  }

 private:
  void read_value(std::string_view key, NpyHeader& result) {
    if (key == "descr") {
      if (next() == '[' || next() == '(') {
        fail<BadDataError>(label_,
                           ": is a structured array, which has several numbers in each element");
      }
      result.number = number_of(label_, quoted());
    } else if (key == "fortran_order") {
      result.fortran_order = truth();
    } else if (key == "shape") {
      result.shape = shape();
    } else {
      fail<BadDataError>(label_, ": header has the unknown key ", in_quotes(key),
                         ", the format has descr, fortran_order and shape");
    }
  }

  /// The next character that is not a space; zero at the end.
  char next() {
    constexpr std::string_view spaces = " \t\r\n";
    at_ = std::min(text_.find_first_not_of(spaces, at_), text_.size());
    return at_ == text_.size() ? '\0' : text_[at_];
  }

  void expect(char c) {
    if (next() != c) unexpected();
    ++at_;
  }

  std::string_view quoted() {
    const char quote = next();
    if (quote != '\'' && quote != '"') unexpected();
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == text_.npos) unexpected();
    const std::string_view result = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return result;
  }

  bool truth() {
    next();
    for (const std::string_view word : {"True", "False"}) {
      if (!text_.substr(at_).starts_with(word)) continue;
      at_ += word.size();
      return word == "True";
    }
    unexpected();
  }

  Shape shape() {
    Shape result;
    expect('(');
    while (next() != ')') {
      if (result.rank() == Shape::max_rank) {
        fail<BadDataError>(label_, ": has more dimensions than the ", Shape::max_rank,
                           " that Gradus holds: ", result, " and more");
      }
      result.push_back(size());
      if (next() != ')') expect(',');
    }
    expect(')');
    return result;
  }

  std::int64_t size() {
    std::int64_t value = 0;
    const auto [stop, error] =
        std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (error != std::errc() || value < 0) unexpected();
    at_ = static_cast<std::size_t>(stop - text_.data());
    if (next() == 'L') ++at_;  // Python 2 wrote long numbers so
    return value;
  }

  [[noreturn]] void unexpected() const {
    fail<BadDataError>(label_, ": header is not what NumPy writes near byte ", at_,
                       " of it: ", in_quotes(text_.substr(std::min(at_, text_.size()))));
  }

  const std::string& label_;
  std::string_view text_;
  std::size_t at_ = 0;
};

std::uint64_t little_endian(std::string_view bytes, std::size_t at, int count) {
  std::uint64_t value = 0;
  for (int i = count - 1; i >= 0; --i) {
    value = value << 8 | static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(i)]);
  }
  return value;
}

/// `count` bytes more, all of them.
std::string read_text(const std::string& label, const ReadBytes& read, std::size_t count) {
  std::string text(count, '\0');
  const std::int64_t got = read(text.data(), std::ssize(text));
  if (got != std::ssize(text)) {
    fail<BadDataError>(label, ": array ends ", std::ssize(text) - got, " bytes before its header");
  }
  return text;
}

NpyHeader read_npy_header(const std::string& label, const ReadBytes& read) {
  constexpr std::uint64_t longest = 1 << 16;
  const std::string start = read_text(label, read, 8);
  if (start.starts_with("PK")) {
    fail<BadDataError>(label, ": is a zip archive; load_npz reads those of arrays");
  }
  if (!start.starts_with(npy_magic)) {
    fail<BadDataError>(label, ": begins with ", in_quotes(start.substr(0, 6)),
                       ", an array with \\x93NUMPY");
  }
  const int version = start[6];
  if (version < 1 || version > 3 || start[7] != 0) {
    fail<BadDataError>(label, ": format version ", version, ".", int{start[7]},
                       ", Gradus reads 1.0, 2.0 and 3.0");
  }
  const std::size_t width = version == 1 ? 2 : 4;
  const std::uint64_t length =
      little_endian(read_text(label, read, width), 0, static_cast<int>(width));
  if (length > longest) {
    fail<BadDataError>(label, ": header of ", length, " bytes, at most ", longest, " expected");
  }
  const std::string text = read_text(label, read, static_cast<std::size_t>(length));
  return NpyHeaderReader(label, text).header();
}

// ---- An array ----

/// Throws when the bytes of `what`, `stored` in the file and `memory` as a tensor, cannot or must
/// not be read.
using CheckRoom =
    std::function<void(const std::string& what, std::int64_t stored, std::int64_t memory)>;

Shape reversed(Shape shape) {
  std::reverse(&shape[0], &shape[0] + shape.rank());
  return shape;
}

Dims all_dims_backwards(int rank) {
  Dims dims;
  for (int d = rank - 1; d >= 0; --d) dims.push_back(d);
  return dims;
}

void check_truths(const std::string& label, const Tensor& tensor) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(tensor.storage().data());
  const auto* end = bytes + tensor.numel();
  const auto* bad = std::find_if(bytes, end, [](std::uint8_t byte) { return byte > 1; });
  if (bad != end) {
    fail<BadDataError>(label, ": element ", bad - bytes, " is ", int{*bad}, ", a bool is 0 or 1");
  }
}

Tensor read_array(const std::string& label, const ReadBytes& read, const CheckRoom& check_room) {
  const NpyHeader header = read_npy_header(label, read);
  const StoredNumber& number = header.number;
  const Shape& shape = header.shape;
  detail::check_countable(label, shape);
  const std::int64_t bytes = shape.numel() * number.bytes;
  check_room(text_of("shape ", shape), bytes, shape.numel() * size_of(number.dtype()));
  const Tensor tensor =
      Tensor::empty(header.fortran_order ? reversed(shape) : shape, number.dtype());
  if (const std::int64_t got = detail::read_numbers(read, number, tensor); got != bytes) {
    fail<BadDataError>(label, ": data ends after ", got, " bytes, shape ", shape, " takes ", bytes);
  }
  char surplus = 0;
  if (read(&surplus, 1) != 0) {
    fail<BadDataError>(label, ": data goes on after the ", bytes, " bytes that shape ", shape,
                       " takes");
  }
  if (number.kind == 'b') check_truths(label, tensor);
  return header.fortran_order ? tensor.permute(all_dims_backwards(shape.rank())) : tensor;
}

// ---- A zip archive ----

/// An entry of the directory.
struct ZipMember {
  std::string name;
  bool deflated = false;
  std::uint32_t crc = 0;
  std::int64_t packed = 0;  // bytes in the file
  std::int64_t size = 0;    // unpacked
  std::int64_t header = 0;  // where the member begins,
  std::int64_t data = 0;    // and its bytes
};

/// A file whose directory is read and checked; the members' bytes are not.
class ZipArchive {
 public:
  explicit ZipArchive(const std::string& path) : file_("npz", path) {
    find_directory();
    read_directory();
    find_data();
  }

  const InputFile& file() const { return file_; }
  const std::vector<ZipMember>& members() const { return members_; }

 private:
  static constexpr std::int64_t end_record = 22;
  static constexpr std::int64_t entry_record = 46;

  std::string bytes(std::int64_t offset, std::int64_t count) const {
    std::string text(static_cast<std::size_t>(count), '\0');
    if (const std::int64_t got = file_.read_some(offset, text.data(), count); got != count) {
      fail<BadDataError>(file_.label(), ": file ends after ", offset + got, " bytes, ",
                         offset + count, " expected");
    }
    return text;
  }

  /// A number of the archive that counts bytes of the file.
  std::int64_t within_file(std::uint64_t value, std::string_view what) const {
    if (value > static_cast<std::uint64_t>(file_.size())) {
      fail<BadDataError>(file_.label(), ": ", what, " ", value, " is beyond the file of ",
                         file_.size(), " bytes");
    }
    return static_cast<std::int64_t>(value);
  }

  /// The record at the end, behind which nothing but the comment that it announces may stand.
  std::int64_t find_end() const {
    constexpr std::int64_t longest_comment = 0xffff;
    const std::int64_t length = std::min(file_.size(), end_record + longest_comment);
    const std::string tail = bytes(file_.size() - length, length);
    for (std::int64_t at = length - end_record; at >= 0; --at) {
      const auto i = static_cast<std::size_t>(at);
      if (tail.compare(i, 4, "PK\5\6") != 0) continue;
      if (end_record + at + static_cast<std::int64_t>(little_endian(tail, i + 20, 2)) == length) {
        return file_.size() - length + at;
      }
    }
    if (bytes(0, std::min<std::int64_t>(file_.size(), 6)) == npy_magic) {
      fail<BadDataError>(file_.label(), ": is one array; load_npy reads it");
    }
    fail<BadDataError>(file_.label(), ": is no zip archive, or ends before its directory does");
  }

  void find_directory() {
    std::int64_t end = find_end();
    const std::string record = bytes(end, end_record);
    std::uint64_t disks = little_endian(record, 4, 2) + little_endian(record, 6, 2);
    std::uint64_t count = little_endian(record, 10, 2);
    std::uint64_t size = little_endian(record, 12, 4);
    std::uint64_t start = little_endian(record, 16, 4);
    constexpr std::int64_t locator = 20;
    constexpr std::int64_t wide_record = 56;
    const std::string before = bytes(std::max(end - locator, std::int64_t{0}), locator);
    if (end >= locator && before.starts_with("PK\6\7")) {  // zip64: the same with wider numbers
      end = within_file(little_endian(before, 8, 8), "the zip64 record at");
      const std::string wide = bytes(end, wide_record);
      if (!wide.starts_with("PK\6\6")) {
        fail<BadDataError>(file_.label(), ": no zip64 record at byte ", end);
      }
      disks = little_endian(wide, 16, 4) + little_endian(wide, 20, 4);
      count = little_endian(wide, 32, 8);
      size = little_endian(wide, 40, 8);
      start = little_endian(wide, 48, 8);
    }
    directory_ = within_file(start, "the directory at byte");
    directory_size_ = within_file(size, "a directory of bytes");
    if (disks != 0 || directory_ + directory_size_ != end) {
      fail<BadDataError>(file_.label(), ": directory of ", directory_size_, " bytes at ",
                         directory_, ", its end record at ", end, " on disk ", disks);
    }
    if (count > static_cast<std::uint64_t>(directory_size_ / entry_record)) {
      fail<BadDataError>(file_.label(), ": ", count, " entries in a directory of ", directory_size_,
                         " bytes");
    }
    members_.resize(static_cast<std::size_t>(count));
  }

  void read_directory() {
    std::string left = bytes(directory_, directory_size_);
    std::string_view rest = left;
    std::set<std::string_view> names;
    for (ZipMember& member : members_) {
      if (rest.size() < entry_record || !rest.starts_with("PK\1\2")) {
        fail<BadDataError>(file_.label(), ": directory is damaged ", rest.size(),
                           " bytes before its end");
      }
      const std::size_t name = little_endian(rest, 28, 2);
      const std::size_t extra = little_endian(rest, 30, 2);
      const std::size_t length = entry_record + name + extra + little_endian(rest, 32, 2);
      if (length > rest.size()) {
        fail<BadDataError>(file_.label(), ": directory ends after ", rest.size(),
                           " bytes of an entry of ", length);
      }
      member.name = rest.substr(entry_record, name);
      read_entry(rest, rest.substr(entry_record + name, extra), member);
      if (!names.insert(rest.substr(entry_record, name)).second) {
        fail<BadDataError>(label_of(member), " is there twice");
      }
      rest.remove_prefix(length);
    }
    if (!rest.empty()) {
      fail<BadDataError>(file_.label(), ": directory goes on for ", rest.size(),
                         " bytes after its ", members_.size(), " entries");
    }
  }

  void read_entry(std::string_view record, std::string_view extra, ZipMember& member) const {
    const std::uint64_t flags = little_endian(record, 8, 2);
    const std::uint64_t method = little_endian(record, 10, 2);
    if ((flags & 1) != 0) fail<BadDataError>(label_of(member), " is encrypted");
    if (method != 0 && method != Z_DEFLATED) {
      fail<BadDataError>(label_of(member), " is packed by method ", method,
                         ", Gradus unpacks 0 (stored) and 8 (deflated)");
    }
    member.deflated = method == Z_DEFLATED;
    member.crc = static_cast<std::uint32_t>(little_endian(record, 16, 4));
    std::uint64_t packed = little_endian(record, 20, 4);
    std::uint64_t size = little_endian(record, 24, 4);
    std::uint64_t header = little_endian(record, 42, 4);
    std::string_view wide = zip64_field(extra);
    for (std::uint64_t* value : {&size, &packed, &header}) {
      if (*value != 0xffffffff) continue;
      if (wide.size() < 8) fail<BadDataError>(label_of(member), " lacks a zip64 size");
      *value = little_endian(wide, 0, 8);
      wide.remove_prefix(8);
    }
    member.packed = within_file(packed, "an entry of bytes");
    member.header = within_file(header, "an entry at byte");
    constexpr std::uint64_t most_per_byte = 1032;  // what deflate makes of one byte
    if (size > packed * (member.deflated ? most_per_byte : 1) ||
        (!member.deflated && size != packed)) {
      fail<BadDataError>(label_of(member), " of ", packed, " bytes cannot hold ", size);
    }
    member.size = static_cast<std::int64_t>(size);
  }

  /// The numbers of 64 bits among an entry's extra fields.
  static std::string_view zip64_field(std::string_view extra) {
    while (extra.size() >= 4) {
      const std::size_t length = little_endian(extra, 2, 2);
      if (little_endian(extra, 0, 2) == 1) return extra.substr(4, length);
      extra.remove_prefix(std::min(4 + length, extra.size()));
    }
    return {};
  }

  /// Where the members' bytes are: behind headers of their own. None may reach into another.
  void find_data() {
    constexpr std::int64_t header_record = 30;
    std::vector<ZipMember*> order;
    order.reserve(members_.size());
    for (ZipMember& member : members_) order.push_back(&member);
    std::ranges::sort(order, {}, &ZipMember::header);
    std::int64_t end = 0;
    for (ZipMember* member : order) {
      const std::string record = bytes(member->header, header_record);
      const auto name = static_cast<std::int64_t>(little_endian(record, 26, 2));
      const auto extra = static_cast<std::int64_t>(little_endian(record, 28, 2));
      if (!record.starts_with("PK\3\4") || name != std::ssize(member->name) ||
          bytes(member->header + header_record, name) != member->name) {
        fail<BadDataError>(label_of(*member), " is not at byte ", member->header,
                           ", where the directory says");
      }
      if (member->header < end) {
        fail<BadDataError>(label_of(*member), " begins at byte ", member->header,
                           ", the one before it ends at ", end, " (an overlap)");
      }
      member->data = member->header + header_record + name + extra;
      end = member->data + member->packed;
      if (end > directory_) {
        fail<BadDataError>(label_of(*member), " ends at byte ", end, ", the directory begins at ",
                           directory_, " (an overlap)");
      }
    }
  }

  std::string label_of(const ZipMember& member) const {
    return file_.label() + ": entry " + in_quotes(member.name);
  }

  InputFile file_;
  std::int64_t directory_ = 0;
  std::int64_t directory_size_ = 0;
  std::vector<ZipMember> members_;
};

/// The bytes of a member, front to back; at their end, sizes and checksum are compared.
class ZipReader {
 public:
  ZipReader(std::string label, const InputFile& file, const ZipMember& member)
      : label_(std::move(label)), file_(file), member_(member) {
    if (inflateInit2(&stream_, -MAX_WBITS) != Z_OK) fail("npz: zlib has no memory");
  }
  ~ZipReader() { inflateEnd(&stream_); }
  ZipReader(const ZipReader&) = delete;
  ZipReader& operator=(const ZipReader&) = delete;

  std::int64_t read(void* target, std::int64_t count) {
    auto* bytes = static_cast<Bytef*>(target);
    const std::int64_t got =
        member_.deflated ? unpack(bytes, count) : take(bytes, std::min(count, left()));
    if (got > 0) crc_ = crc32_z(crc_, bytes, static_cast<z_size_t>(got));  // none would reset it
    total_ += got;
    if (total_ > member_.size || (got < count && total_ < member_.size)) {
      fail<BadDataError>(label_, ": unpacks to ", total_ > member_.size ? "more than " : "",
                         std::min(total_, member_.size), " bytes, the directory says ",
                         member_.size);
    }
    if (got < count) check_end();
    return got;
  }

 private:
  std::int64_t left() const { return member_.packed - taken_; }

  std::int64_t take(Bytef* target, std::int64_t count) {
    const std::int64_t got = file_.read_some(member_.data + taken_, target, count);
    taken_ += got;
    return got;
  }

  std::int64_t unpack(Bytef* target, std::int64_t count) {
    std::int64_t done = 0;
    while (done < count && !ended_) {
      constexpr std::int64_t most = 1 << 30;  // zlib counts in unsigned int
      if (stream_.avail_in == 0) {
        stream_.avail_in =
            static_cast<uInt>(take(input_.data(), std::min(left(), std::ssize(input_))));
        stream_.next_in = input_.data();
        if (stream_.avail_in == 0) {
          fail<BadDataError>(label_, ": deflate stream is truncated after ", taken_, " bytes");
        }
      }
      stream_.next_out = target + done;
      stream_.avail_out = static_cast<uInt>(std::min(count - done, most));
      const int code = inflate(&stream_, Z_NO_FLUSH);
      done = stream_.next_out - target;
      ended_ = code == Z_STREAM_END;
      if (code != Z_OK && code != Z_STREAM_END) {
        fail<BadDataError>(label_, ": deflate stream is damaged: ",
                           stream_.msg == nullptr ? zError(code) : stream_.msg);
      }
    }
    return done;
  }

  void check_end() const {
    if (const std::int64_t surplus = left() + std::int64_t{stream_.avail_in}; surplus != 0) {
      fail<BadDataError>(label_, ": ", surplus, " bytes follow the deflate stream");
    }
    if (crc_ != member_.crc) {
      fail<BadDataError>(label_, ": checksum is ", crc_, ", the directory says ", member_.crc);
    }
  }

  std::string label_;
  const InputFile& file_;
  const ZipMember& member_;
  std::array<Bytef, 1 << 16> input_{};
  z_stream stream_{};
  std::int64_t taken_ = 0;  // of the packed bytes
  std::int64_t total_ = 0;  // unpacked
  uLong crc_ = 0;
  bool ended_ = false;
};

// ---- A file to write ----

std::string npy_type(const std::string& label, DType dtype) {
  switch (dtype) {
    case float32:
      return "<f4";
    case float64:
      return "<f8";
    case float16:
      return "<f2";
    case int64:
      return "<i8";
    case uint8:
      return "|u1";
    case boolean:
      return "|b1";
    case bfloat16:
      break;
  }
  fail<DTypeError>(label, ": NumPy has no ", dtype, "; cast with .to(float32)");
}

std::string npy_start(const std::string& label, const Tensor& tensor) {
  constexpr std::size_t alignment = 64;
  constexpr std::size_t fixed = 10;  // magic, version, length
  std::string header =
      "{'descr': '" + npy_type(label, tensor.dtype()) + "', 'fortran_order': False, 'shape': (";
  for (const std::int64_t size : tensor.shape()) header += std::to_string(size) + ", ";
  if (tensor.rank() > 1) header.resize(header.size() - 2);  // (3, ) and (2, 3)
  header += "), }";
  header.resize((fixed + header.size()) / alignment * alignment + alignment - fixed, ' ');
  header.back() = '\n';
  std::string start(npy_magic);
  start +=
      {'\1', '\0', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  return start + header;
}

}  // namespace

Tensor load_npy(const std::string& path) {
  PackedFile file("npy", path);
  return read_array(
      file.label(), [&](void* target, std::int64_t count) { return file.read(target, count); },
      [&](const std::string& what, std::int64_t stored, std::int64_t memory) {
        file.check_room(what, stored, memory);
      });
}

NamedTensors load_npz(const std::string& path) {
  constexpr std::string_view ending = ".npy";
  const ZipArchive archive(path);
  std::int64_t allowance = detail::unpacking_allowance;  // for all together
  NamedTensors tensors;
  tensors.reserve(archive.members().size());
  for (const ZipMember& member : archive.members()) {
    const std::string label = archive.file().label() + ": entry " + in_quotes(member.name);
    if (!member.name.ends_with(ending)) fail<BadDataError>(label, " is no .npy array");
    const auto check_room = [&](const std::string& what, std::int64_t stored, std::int64_t memory) {
      if (stored > member.size) {
        fail<BadDataError>(label, ": ", what, " takes ", stored, " bytes, the entry has ",
                           member.size);
      }
      if (!member.deflated) return;
      allowance -= std::max(memory - 4 * member.packed, std::int64_t{0});
      if (allowance < 0) {
        fail<BadDataError>(label, ": ", what, " takes ", memory, " bytes, packed in ",
                           member.packed, " it may take at most ", memory + allowance);
      }
    };
    ZipReader reader(label, archive.file(), member);
    const auto read = [&](void* target, std::int64_t count) { return reader.read(target, count); };
    tensors.emplace_back(member.name.substr(0, member.name.size() - ending.size()),
                         read_array(label, read, check_room));
  }
  return tensors;
}

void save_npy(const std::string& path, const Tensor& tensor) {
  const std::string label = "npy: " + path;
  if (!tensor.defined()) fail<ValueError>(label, ": tensor is undefined");
  const std::string start = npy_start(label, tensor);
  const Tensor whole = tensor.contiguous();
  const std::int64_t width = size_of(whole.dtype());
  write_file_atomically(path, [&](ByteSink& file) {
    file.write(std::string_view(start));
    file.write(std::span<const std::byte>(whole.storage().data() + whole.offset() * width,
                                          static_cast<std::size_t>(whole.numel() * width)));
  });
}

}  // namespace gradus
