// IDX files, plain and packed: what is read, and every damage refused.
#include <gradus/core/error.h>
#include <gradus/core/math.h>
#include <gradus/core/random.h>
#include <gradus/data/idx.h>

#include <sys/stat.h>

#include <string>

#include <doctest/doctest.h>

#include "support/error_message.h"
#include "support/idx_files.h"
#include "support/temporary_folder.h"

using namespace gradus;

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
  CHECK(contains(message(std::string("\0\0\x0d\x01\0\0\0\0", 8)), "begins with bytes 0 0 13"));
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
  CHECK(contains(message_of<BadDataError>([&] { read_idx(folder / "f"); }), "can hold at most"));
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
