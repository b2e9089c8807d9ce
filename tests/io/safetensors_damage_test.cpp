// safetensors, the bad half: every way to break a file is refused with one line that says
// what is wrong.
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/io/safetensors.h>

#include <sys/stat.h>

#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "support/error_message.h"
#include "support/temporary_folder.h"

using namespace gradus;
namespace fs = std::filesystem;

namespace {

std::string length_of(std::uint64_t length) {
  std::string bytes(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(length >> (8 * i));
  return bytes;
}

struct Damage {
  const char* header;
  std::size_t data_bytes;
  const char* message;
};

// A tensor "a" that is right is {"dtype":"U8","shape":[4],"data_offsets":[0,4]} over 4 bytes.
const Damage damages[] = {
    // not JSON
    {"", 0, "header does not begin with '{'"},
    {" {}", 0, "header does not begin with '{'"},
    {"[]", 0, "header does not begin with '{'"},
    {"{", 0, "header is not valid JSON near byte"},
    {"{}}", 0, "header is not valid JSON near byte"},
    {"{} x", 0, "header is not valid JSON near byte"},
    {R"({"a")", 0, "header is not valid JSON near byte"},
    {"{\"a\xff\":{}}", 0, "header is not valid JSON near byte"},
    {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4],}})", 4, "header is not valid JSON"},
    {R"({"a":{"dtype":"U8","shape":[-],"data_offsets":[0,4]}})", 4, "header is not valid JSON"},
    {R"({"a":{"dtype":"U8","shape":[NaN],"data_offsets":[0,4]}})", 4, "header is not valid JSON"},
    // values of the wrong kind
    {R"({"a":3})", 0, "header at 'a' does not take the number 3"},
    {R"({"a":null})", 0, "header at 'a' does not take null"},
    {R"({"a":[]})", 0, "header at 'a' does not take a list"},
    {R"({"a":"x"})", 0, "header at 'a' does not take the string 'x'"},
    {R"({"__metadata__":[]})", 0, "header at '__metadata__' does not take a list"},
    {R"({"__metadata__":{"k":1}})", 0, "__metadata__ at 'k' does not take the number 1"},
    {R"({"__metadata__":{"k":{}}})", 0, "__metadata__ at 'k' does not take an object"},
    {R"({"a":{"dtype":8,"shape":[4],"data_offsets":[0,4]}})", 4,
     "'dtype' does not take the number 8"},
    {R"({"a":{"dtype":"U8","shape":4,"data_offsets":[0,4]}})", 4,
     "'shape' does not take the number 4"},
    {R"({"a":{"dtype":"U8","shape":"4","data_offsets":[0,4]}})", 4,
     "'shape' does not take the string"},
    {R"({"a":{"dtype":"U8","shape":[[4]],"data_offsets":[0,4]}})", 4,
     "'shape' does not take a list"},
    {R"({"a":{"dtype":"U8","shape":[true],"data_offsets":[0,4]}})", 4,
     "'shape' does not take true"},
    {R"({"a":{"dtype":"U8","shape":{},"data_offsets":[0,4]}})", 4,
     "'shape' does not take an object"},
    {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":"0"}})", 4, "does not take the string '0'"},
    {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4.0]}})", 4, "'4.0', which is no 64-bit"},
    {R"({"a":{"dtype":"U8","shape":[4e0],"data_offsets":[0,4]}})", 4, "'4e0', which is no 64-bit"},
    {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[-4,0]}})", 4, "the negative number -4"},
    {R"({"a":{"dtype":"U8","shape":[-4],"data_offsets":[0,4]}})", 4, "the negative number -4"},
    {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,18446744073709551615]}})", 4,
     "does not take the number 18446744073709551615"},
    {R"({"a":{"dtype":"U8","shape":[99999999999999999999],"data_offsets":[0,4]}})", 4, "no 64-bit"},
    // keys
    {R"({"a":{"shape":[4],"data_offsets":[0,4]}})", 4, "tensor 'a' has no dtype"},
    {R"({"a":{"dtype":"U8","data_offsets":[0,4]}})", 4, "tensor 'a' has no shape"},
    {R"({"a":{"dtype":"U8","shape":[4]}})", 4, "tensor 'a' has no data_offsets"},
    {R"({"a":{}})", 4, "tensor 'a' has no dtype"},
    {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"x":1}})", 4,
     "has the unknown key 'x'"},
    {R"({"a":{"dtype":"U8","dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 4,
     "tensor 'a' has the key 'dtype' twice"},
    {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
     8, "header has the key 'a' twice"},
    {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"\u0061":{"dtype":"U8","shape":[0],"data_offsets":[4,4]}})",
     4, "header has the key 'a' twice"},
    {R"({"__metadata__":{},"__metadata__":{}})", 0, "has the key '__metadata__' twice"},
    {R"({"__metadata__":{"k":"1","k":"2"}})", 0, "__metadata__ has the key 'k' twice"},
    // dtype and shape
    {R"({"a":{"dtype":"U7","shape":[4],"data_offsets":[0,4]}})", 4, "the unknown dtype 'U7'"},
    {R"({"a":{"dtype":"u8","shape":[4],"data_offsets":[0,4]}})", 4, "the unknown dtype 'u8'"},
    {R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}})", 2,
     "tensor 'a' of F4 [3] takes 12 bits, which are no whole bytes"},
    {R"({"a":{"dtype":"F6_E2M3","shape":[3],"data_offsets":[0,3]}})", 3,
     "tensor 'a' of F6_E2M3 [3] takes 18 bits, which are no whole bytes"},
    {R"({"a":{"dtype":"F6_E3M2","shape":[4],"data_offsets":[0,4]}})", 4,
     "F6_E3M2 [4] takes 3 bytes, its data_offsets span 4"},
    {R"({"a":{"dtype":"C64","shape":[288230376151711744,4],"data_offsets":[0,4]}})", 4,
     "has too many elements"},
    {R"({"a":{"dtype":"F6_E3M2","shape":[576460752303423488],"data_offsets":[0,4]}})", 4,
     "takes 432345564227567616 bytes, its data_offsets span 4"},
    {R"({"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}})", 4,
     "tensor 'a' is I32, Gradus reads"},
    {R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,4],"data_offsets":[0,4]}})", 4,
     "tensor 'a' has more than 8 dimensions: [1,1,1,1,1,1,1,1] and 4"},
    {R"({"a":{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0,
     "tensor 'a' of shape [4294967296,4294967296] has too many elements"},
    {R"({"a":{"dtype":"U8","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}})", 0,
     "has too many elements"},
    {R"({"a":{"dtype":"F64","shape":[1099511627776],"data_offsets":[0,8796093022208]}})", 4,
     "file has 4 bytes of data, the tensors take 8796093022208"},
    // offsets
    {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[]}})", 4, "has 0 data_offsets, 2 expected"},
    {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[4]}})", 4, "has 1 data_offsets, 2 expected"},
    {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4,8]}})", 4, "does not take the number 8"},
    {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}})", 4, "ends before it begins"},
    {R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,4]}})", 4,
     "takes 3 bytes, its data_offsets span 4"},
    {R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,4]}})", 4, "F32 [4] takes 16 bytes"},
    {R"({"a":{"dtype":"U8","shape":[],"data_offsets":[0,0]}})", 0, "U8 [] takes 1 bytes"},
    {R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,4]}})", 4, "takes 0 bytes"},
    {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[1,5]}})", 5,
     "begins at byte 1 of the data, the one before it ends at 0 (a hole)"},
    {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}})",
     5, "tensor 'b' begins at byte 3 of the data, the one before it ends at 2 (a hole)"},
    {R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[3],"data_offsets":[2,5]}})",
     5, "tensor 'b' begins at byte 2 of the data, the one before it ends at 3 (an overlap)"},
    {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})",
     4, "(an overlap)"},
    {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[0],"data_offsets":[2,2]}})",
     4, "(an overlap)"},
    {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 5,
     "file has 5 bytes of data, the tensors take 4"},
    {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 3,
     "file has 3 bytes of data, the tensors take 4"},
    {"{}", 1, "file has 1 bytes of data, the tensors take 0"},
};

}  // namespace

TEST_CASE("each broken header is refused with its reason") {
  const TemporaryFolder folder;
  const fs::path path = folder / "broken.safetensors";
  for (const Damage& damage : damages) {
    CAPTURE(damage.header);
    const std::string header = damage.header;
    write_bytes(path, length_of(header.size()) + header + std::string(damage.data_bytes, '\0'));
    const std::string message = message_of<BadDataError>([&] { load_safetensors(path); });
    CHECK_MESSAGE(contains(message, damage.message), message);
    CHECK(message.starts_with("safetensors: " + path.string() + ": "));
  }
}

TEST_CASE("a zero byte does not end the header early") {
  const TemporaryFolder folder;
  write_bytes(folder / "t", length_of(8) + std::string("{}\0 junk", 8));
  CHECK(contains(message_of<BadDataError>([&] { load_safetensors(folder / "t"); }),
                 "not valid JSON near byte 2"));
}

TEST_CASE("a header nested a million deep is refused, not followed") {
  const TemporaryFolder folder;
  const std::string header = R"({"a":)" + std::string(1'000'000, '[');
  write_bytes(folder / "t", length_of(header.size()) + header);
  CHECK(contains(message_of<BadDataError>([&] { load_safetensors(folder / "t"); }),
                 "does not take a list"));
}

TEST_CASE("lengths beyond the limit or the file are refused before memory is taken") {
  const TemporaryFolder folder;
  const auto message = [&](const std::string& bytes) {
    write_bytes(folder / "t", bytes);
    return message_of<BadDataError>([&] { load_safetensors(folder / "t"); });
  };
  CHECK(contains(message(""), "file ends after 0 bytes, the header length takes 8"));
  CHECK(contains(message("1234567"), "file ends after 7 bytes"));
  CHECK(contains(message(length_of(100) + "{}"), "file ends after 10 bytes, header needs 108"));
  CHECK(contains(message(length_of(100'000'000) + "{}"), "header needs 100000008"));
  CHECK(contains(message(length_of(100'000'001) + "{}"),
                 "header of 100000001 bytes, the format allows"));
  CHECK(contains(message(length_of(~std::uint64_t{0}) + "{}"),
                 "header of 18446744073709551615 bytes"));
}

TEST_CASE("another kind of file is named as what it is, in one line") {
  const TemporaryFolder folder;
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n";
  const std::string zeros(64, '\0');
  const std::pair<std::string, std::string> files[] = {
      {pointer,
       "is a Git LFS pointer, not the file that it stands for; fetch that with git lfs pull"},
      {std::string("PK\3\4\0\0\10\10", 8) + zeros,
       "is a zip archive, as torch.save() writes; convert it with safetensors.torch.save_file()"},
      {"\x80\2}q\1." + zeros,
       "is a pickle, which may hold code; convert it with safetensors.torch.save_file()"},
      {"\x80\4\x95" + zeros,
       "is a pickle, which may hold code; convert it with safetensors.torch.save_file()"},
      {"\x80\2\x8a\nl\xfc\x9c"
       "F",
       "is a pickle, which may hold code"},
      {"GGUF\3" + zeros, "is a GGUF file"},
      {"\x89HDF\r\n\x1a\n" + zeros, "is an HDF5 file, as Keras writes"},
      {"\x93NUMPY\1" + zeros, "is a NumPy array"},
      {"\x1f\x8b\x08" + zeros, "is compressed by gzip; unpack it first"},
      {"<!DOCTYPE html>\n<html>", "is a web page, not a download"},
      {"<html><head>", "is a web page, not a download"},
  };
  for (const auto& [bytes, what] : files) {
    CAPTURE(what);
    write_bytes(folder / "t", bytes);
    const std::string message = message_of<BadDataError>([&] { load_safetensors(folder / "t"); });
    CHECK_MESSAGE(message.starts_with("safetensors: " + (folder / "t").string() + ": " + what),
                  message);
    CHECK(message_of<BadDataError>([&] { read_safetensors_header(folder / "t"); }) == message);
  }
}

TEST_CASE(
    "a length that looks like another format's first bytes is a length, where a header follows") {
  const TemporaryFolder folder;
  for (const std::uint64_t length : {std::uint64_t{0x0280}, std::uint64_t{0x8b1f}}) {
    std::string header = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
    header.resize(static_cast<std::size_t>(length), ' ');
    write_bytes(folder / "t", length_of(length) + header + "x");
    CHECK(load_safetensors(folder / "t").size() == 1);
  }
}

TEST_CASE("a BOOL byte other than 0 and 1 is refused") {
  const TemporaryFolder folder;
  const std::string header = R"({"mask":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}})";
  write_bytes(folder / "t", length_of(header.size()) + header + std::string("\0\1\2", 3));
  CHECK(contains(message_of<BadDataError>([&] { load_safetensors(folder / "t"); }),
                 "tensor 'mask' holds 2 at element 2, a BOOL is 0 or 1"));
}

TEST_CASE("names with line breaks or of great length keep a message on one short line") {
  const TemporaryFolder folder;
  const std::string name = "a\\n" + std::string(10'000, 'b');
  const std::string header = R"({")" + name + R"(":{}})";
  write_bytes(folder / "t", length_of(header.size()) + header);
  const std::string message = message_of<BadDataError>([&] { load_safetensors(folder / "t"); });
  CHECK(contains(message, "tensor 'a?bbb"));
  CHECK(message.size() < 300);
}

TEST_CASE("a missing file is not found; a folder and a pipe are not files") {
  const TemporaryFolder folder;
  CHECK(contains(message_of<NotFoundError>([&] { load_safetensors(folder / "gone"); }),
                 (folder / "gone").string() + ": no such file"));
  CHECK(contains(message_of<IoError>([&] { load_safetensors(folder.path()); }),
                 "is not a regular file"));
  ::mkfifo((folder / "pipe").c_str(), 0600);
  CHECK(contains(message_of<IoError>([&] { load_safetensors(folder / "pipe"); }),
                 "is not a regular file"));
}

TEST_CASE("a file cut at any length is refused") {
  const TemporaryFolder folder;
  save_safetensors(folder / "t", {{"a", arange(5)}, {"b", Tensor::from({true, false})}},
                   {{"k", "v"}});
  const std::string whole = read_bytes(folder / "t");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    write_bytes(folder / "cut", std::string_view(whole).substr(0, length));
    CHECK_THROWS_AS(load_safetensors(folder / "cut"), BadDataError);
  }
}

TEST_CASE("two thousand damaged files either load or are refused") {
  const TemporaryFolder folder;
  save_safetensors(
      folder / "t",
      {{"a", arange(0, 6).reshape({2, 3})}, {"b", Tensor::from({true})}, {"c", arange(2)}},
      {{"k", "v"}});
  const std::string whole = read_bytes(folder / "t");
  Generator generator(5);
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = whole;
    for (std::int64_t flips = 1 + generator.below(4); flips > 0; --flips) {
      auto& byte = bytes[static_cast<std::size_t>(generator.below(std::ssize(bytes)))];
      byte = static_cast<char>(byte ^ (1 << generator.below(8)));
    }
    write_bytes(folder / "damaged", bytes);
    try {
      load_safetensors(folder / "damaged");
    } catch (const BadDataError&) {
      ++refused;
    }
  }
  CHECK(refused > 1000);  // most of the file is header
}
