// IDX files, plain and packed: what is read, and every damage refused.
#include <gradus/core/error.h>
#include <gradus/core/math.h>
#include <gradus/core/random.h>
#include <gradus/data/idx.h>

#include <sys/stat.h>

#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "support/error_message.h"
#include "support/idx_files.h"
#include "support/temporary_folder.h"

using namespace gradus;

namespace {

/// The same for elements of another type.
std::string typed_idx_bytes(int type, const Shape& shape, std::string_view data) {
  std::string bytes = idx_bytes(shape, std::string(data));
  bytes[2] = static_cast<char>(type);
  return bytes;
}

}  // namespace

TEST_CASE("bytes of any rank are read, plain and packed") {
  const TemporaryFolder folder;
  for (const Shape& shape :
       {Shape{3}, Shape{2, 3}, Shape{2, 2, 2}, Shape{1, 2, 1, 2, 1, 2, 1, 1}}) {
    CAPTURE(shape);
    std::string data;
    for (std::int64_t i = 0; i < shape.numel(); ++i) data += static_cast<char>(250 + i);
    write_bytes(folder / "plain", idx_bytes(shape, data));
    write_gz(folder / "packed", idx_bytes(shape, data));
    const Tensor plain = read_idx(folder / "plain");
    CHECK(plain.shape() == shape);
    CHECK(plain.dtype() == uint8);
    CHECK(plain.flatten()[1].item() == 251);
    CHECK(core::equal(plain, read_idx(folder / "packed")));
  }
}

TEST_CASE("arrays without elements and of rank 0 are read") {
  const TemporaryFolder folder;
  write_bytes(folder / "none", idx_bytes({0, 28, 28}, ""));
  CHECK(read_idx(folder / "none").shape() == Shape{0, 28, 28});
  write_bytes(folder / "one", idx_bytes({}, "\7"));
  CHECK(read_idx(folder / "one").item() == 7);
}

TEST_CASE("every element type is read: integers as int64, floats as they are") {
  const TemporaryFolder folder;
  const auto read = [&](int type, const Shape& shape, std::string_view data) {
    const std::string bytes = typed_idx_bytes(type, shape, data);
    write_bytes(folder / "plain", bytes);
    write_gz(folder / "packed", bytes);
    const Tensor plain = read_idx(folder / "plain");
    CHECK(core::equal(plain, read_idx(folder / "packed")));
    return plain;
  };
  using namespace std::string_view_literals;
  CHECK(core::equal(read(0x08, {2}, "\x80\xff"sv), Tensor::from({128, 255}, uint8)));
  CHECK(core::equal(read(0x09, {2}, "\x80\x7f"sv), Tensor::from({-128, 127})));
  CHECK(core::equal(read(0x0B, {2}, "\x80\x00\x01\x02"sv), Tensor::from({-32768, 258})));
  CHECK(core::equal(read(0x0C, {1, 2}, "\xff\xff\xff\xfe\x01\x02\x03\x04"sv),
                    Tensor::from({{-2, 16909060}})));
  // IEEE 754: 1.5 is 3ff8... and 3fc00000, -2 is c0000000.
  CHECK(
      core::equal(read(0x0D, {2}, "\x3f\xc0\0\0\xc0\0\0\0"sv), Tensor::from({1.5, -2.0}, float32)));
  CHECK(core::equal(read(0x0E, {1}, "\x3f\xf8\0\0\0\0\0\0"sv), Tensor::from({1.5}, float64)));
}

TEST_CASE("more numbers than are converted at a time are widened in their order") {
  const TemporaryFolder folder;
  constexpr std::int64_t count = 100'000;
  std::string data;
  for (std::int64_t i = 0; i < count; ++i) {
    data += static_cast<char>(i % 30'000 >> 8);
    data += static_cast<char>(i % 30'000);
  }
  write_bytes(folder / "f", typed_idx_bytes(0x0B, {count}, data));
  const auto numbers = read_idx(folder / "f").to_vector<std::int64_t>();
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    wrong += numbers[static_cast<std::size_t>(i)] != i % 30'000;
  }
  CHECK(wrong == 0);
}

TEST_CASE("a file of wide elements that is cut within one tells its bytes") {
  const TemporaryFolder folder;
  write_bytes(folder / "f", typed_idx_bytes(0x0C, {2}, "1234567"));
  CHECK(contains(message_of<BadDataError>([&] { read_idx(folder / "f"); }),
                 "data ends after 7 bytes, shape [2] takes 8"));
}

TEST_CASE("bytes behind a gzip stream are refused, a second member is part of it") {
  const TemporaryFolder folder;
  const std::string whole = idx_bytes({4, 5}, "abcdefghijklmnopqrst");
  write_gz(folder / "f", whole);
  const std::string packed = read_bytes(folder / "f");
  for (const std::string& surplus :
       {std::string("x"), std::string("\0", 1), std::string("\x1f"), std::string(100'000, 'x')}) {
    write_bytes(folder / "f", packed + surplus);
    CHECK(contains(message_of<BadDataError>([&] { read_idx(folder / "f"); }),
                   std::to_string(surplus.size()) + " bytes follow the gzip stream"));
  }
  write_bytes(folder / "f", packed + packed);
  CHECK(contains(message_of<BadDataError>([&] { read_idx(folder / "f"); }),
                 "data goes on after the 20 bytes"));
  write_bytes(folder / "f", packed + "\x1f\x8bxxxxxxxx");
  CHECK(contains(message_of<BadDataError>([&] { read_idx(folder / "f"); }),
                 "gzip stream is damaged: "));
  write_gz(folder / "first", whole.substr(0, 17));
  write_gz(folder / "empty", "");
  write_gz(folder / "second", whole.substr(17));
  write_bytes(folder / "f", read_bytes(folder / "first") + read_bytes(folder / "empty") +
                                read_bytes(folder / "second"));
  CHECK(read_idx(folder / "f").flatten()[19].item() == 't');
}

TEST_CASE("a damaged file is refused with both values") {
  const TemporaryFolder folder;
  const auto message = [&](const std::string& bytes) {
    write_bytes(folder / "f", bytes);
    const std::string text = message_of<BadDataError>([&] { read_idx(folder / "f"); });
    CHECK(text.starts_with("idx: " + (folder / "f").string() + ": "));
    return text;
  };
  CHECK(contains(message(""), "file ends after 0 bytes, the magic number takes 4"));
  CHECK(contains(message(std::string("\0\0\x08\x02\0\0", 6)),
                 "file ends after 6 bytes, header needs 12"));
  CHECK(contains(message("PNG..."), "begins with bytes 80 78 71"));
  CHECK(contains(message(std::string("\0\0\x0a\x01\0\0\0\0", 8)),
                 "begins with bytes 0 0 10, an IDX file with 0 0 and 8, 9, 11, 12, 13 or 14"));
  CHECK(contains(message(std::string("\0\0\x08\x09", 4)),
                 "has 9 dimensions, Gradus holds at most 8"));
  CHECK(contains(message(idx_bytes({2, 3}, "12345")),
                 "data ends after 5 bytes, shape [2,3] takes 6"));
  CHECK(contains(message(idx_bytes({2, 3}, "1234567")),
                 "goes on after the 6 bytes that shape [2,3]"));
  CHECK(
      contains(message(idx_bytes({0xffffffff}, "1")), "takes 4294967295 bytes, the file can hold"));
  CHECK(
      contains(message(idx_bytes({0xffffffff, 0xffffffff, 0xffffffff}, "1")), "too many elements"));
  CHECK(contains(message(idx_bytes({0, 0xffffffff, 0xffffffff}, "1")), "too many elements"));
}

TEST_CASE("a packed file whose header promises more than it can unpack to takes no memory") {
  const TemporaryFolder folder;
  write_gz(folder / "f", idx_bytes({1'000'000, 28, 28}, "1"));
  CHECK(contains(message_of<BadDataError>([&] { read_idx(folder / "f"); }),
                 "takes 784000000 bytes, a packed file of "));
  write_gz(folder / "f", idx_bytes({2'000}, "1"));
  CHECK(contains(message_of<BadDataError>([&] { read_idx(folder / "f"); }),
                 "data ends after 1 bytes, shape [2000] takes 2000"));
}

TEST_CASE("a plain or packed file cut at any length is refused") {
  const TemporaryFolder folder;
  const std::string plain = idx_bytes({4, 5}, "abcdefghijklmnopqrst");
  write_gz(folder / "packed", plain);
  for (const std::string& whole : {plain, read_bytes(folder / "packed")}) {
    for (std::size_t length = 0; length < whole.size(); ++length) {
      CAPTURE(length);
      write_bytes(folder / "cut", std::string_view(whole).substr(0, length));
      CHECK_THROWS_AS(read_idx(folder / "cut"), BadDataError);
    }
  }
}

TEST_CASE("a packed file with one wrong bit is refused, or the bit carried nothing") {
  const TemporaryFolder folder;
  write_gz(folder / "f", idx_bytes({4, 5}, "abcdefghijklmnopqrst"));
  const Tensor right = read_idx(folder / "f");
  const std::string whole = read_bytes(folder / "f");
  int without_effect = 0;
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    CAPTURE(bit);
    std::string bytes = whole;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    write_bytes(folder / "f", bytes);
    Tensor read;
    try {
      read = read_idx(folder / "f");
    } catch (const BadDataError&) {
      continue;
    }
    CHECK(core::equal(read, right));
    ++without_effect;
  }
  // gzip's time, system and flag bytes, and up to 7 bits that fill the last byte of the stream.
  CHECK(without_effect <= 8 * 7 + 7);
}

TEST_CASE("two thousand damaged files either load or are refused") {
  const TemporaryFolder folder;
  const std::string plain = idx_bytes({4, 5}, "abcdefghijklmnopqrst");
  write_gz(folder / "packed", plain);
  const std::string packed = read_bytes(folder / "packed");
  Generator generator(7);
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = round % 2 == 0 ? plain : packed;
    for (std::int64_t flips = 1 + generator.below(4); flips > 0; --flips) {
      auto& byte = bytes[static_cast<std::size_t>(generator.below(std::ssize(bytes)))];
      byte = static_cast<char>(byte ^ (1 << generator.below(8)));
    }
    write_bytes(folder / "damaged", bytes);
    try {
      read_idx(folder / "damaged");
    } catch (const BadDataError&) {
      ++refused;
    }
  }
  CHECK(refused > 1000);
}

TEST_CASE("a missing file is not found; a folder and a pipe are not files") {
  const TemporaryFolder folder;
  CHECK(contains(message_of<NotFoundError>([&] { read_idx(folder / "gone"); }), "no such file"));
  CHECK(contains(message_of<IoError>([&] { read_idx(folder.path()); }), "is not a regular file"));
  ::mkfifo((folder / "pipe").c_str(), 0600);
  CHECK(contains(message_of<IoError>([&] { read_idx(folder / "pipe"); }), "is not a regular file"));
}
