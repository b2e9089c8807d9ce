// safetensors, the good half: what is written is what is read, and it is the bytes the
// format asks for.
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/math.h>
#include <gradus/io/safetensors.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "support/error_message.h"
#include "support/temporary_folder.h"

using namespace gradus;
namespace fs = std::filesystem;

namespace {

/// 8 bytes of length, then the header, then the data.
std::string file_of(const std::string& header, const std::string& data) {
  std::string length(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(header.size() >> (8 * i));
  return length + header + data;
}

NamedTensors round_trip(const NamedTensors& tensors) {
  const TemporaryFolder folder;
  save_safetensors(folder / "t.safetensors", tensors);
  return load_safetensors(folder / "t.safetensors");
}

void check_same(const NamedTensors& a, const NamedTensors& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(a[i].first == b[i].first);
    CHECK_MESSAGE(core::equal(a[i].second, b[i].second), a[i].first);
  }
}

}  // namespace

TEST_CASE("every dtype comes back with its values and in its order") {
  Generator generator(1);
  const NamedTensors tensors = {
      {"flags", Tensor::from({true, false, true})},
      {"weight", randn({3, 4, 5}, generator)},
      {"bytes", randint(0, 256, {7}, generator, uint8)},
      {"double", randn({2, 3}, generator, float64)},
      {"count", Tensor::from({std::numeric_limits<std::int64_t>::min(), std::int64_t{-1},
                              std::numeric_limits<std::int64_t>::max()})},
  };
  check_same(tensors, round_trip(tensors));
}

TEST_CASE("NaN, infinities, minus zero and denormals keep their bits") {
  const float values[] = {std::nanf("1"), INFINITY, -INFINITY, -0.0F, 1e-45F};
  const Tensor tensor = Tensor::from(values, {5});
  const Tensor back = round_trip({{"x", tensor}})[0].second;
  CHECK(std::equal(tensor.storage().data(), tensor.storage().data() + 20, back.storage().data()));
}

TEST_CASE("tensors of rank 0, rank 8 and without elements come back") {
  const NamedTensors tensors = {{"num_batches_tracked", Tensor::scalar(17, int64)},
                                {"empty", Tensor::empty({0})},
                                {"hollow", Tensor::empty({3, 0, 2}, boolean)},
                                {"deep", ones({1, 2, 1, 2, 1, 2, 1, 2})}};
  check_same(tensors, round_trip(tensors));
}

TEST_CASE("a file may hold no tensor at all") { CHECK(round_trip({}).empty()); }

TEST_CASE("views are written row-major, as what they show") {
  const Tensor base = arange(0, 24).reshape({4, 6});
  const NamedTensors views = {{"transposed", base.transpose()},
                              {"column", base.select(1, 3)},
                              {"every other", base.slice(1, 1, 6, 2)},
                              {"expanded", base.select(0, 1).unsqueeze(0).expand({3, 6})},
                              {"tail", base.narrow(0, 2, 2)}};
  check_same(views, round_trip(views));
}

TEST_CASE("the bytes of a file are those of the hand-written one") {
  const TemporaryFolder folder;
  const float values[] = {1, 2, 3, 4, 5, 6};
  save_safetensors(folder / "t", {{"attn.0", Tensor::from(values, {1, 2, 3})}});
  const std::string header = R"({"attn.0":{"dtype":"F32","shape":[1,2,3],"data_offsets":[0,24]}})";
  REQUIRE(header.size() == 64);
  const std::string data("\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40\0\0\x80\x40\0\0\xa0\x40\0\0\xc0\x40",
                         24);
  CHECK(read_bytes(folder / "t") == file_of(header, data));
}

TEST_CASE("the header is padded with spaces, metadata stands first, wide elements lie first") {
  const TemporaryFolder folder;
  save_safetensors(
      folder / "t",
      {{"b", Tensor::from({true})}, {"f", Tensor::from({1.0F})}, {"i", Tensor::scalar(2, int64)}},
      {{"format", "pt"}});
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BOOL","shape":[1],"data_offsets":[12,13]},)"
      R"("f":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},)"
      R"("i":{"dtype":"I64","shape":[],"data_offsets":[0,8]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  const std::string data("\2\0\0\0\0\0\0\0\0\0\x80\x3f\1", 13);
  CHECK(read_bytes(folder / "t") == file_of(padded, data));
}

TEST_CASE("the same tensors give the same file") {
  const TemporaryFolder folder;
  Generator generator(3);
  const NamedTensors tensors = {{"a", randn({5}, generator)}, {"b", randn({2, 2}, generator)}};
  save_safetensors(folder / "1", tensors, {{"k", "v"}});
  save_safetensors(folder / "2", tensors, {{"k", "v"}});
  CHECK(read_bytes(folder / "1") == read_bytes(folder / "2"));
}

TEST_CASE("a file whose header is ordered otherwise than its data is read by its offsets") {
  // As other writers lay it out: keys in any order, spaces, a tensor whose data lies before.
  const TemporaryFolder folder;
  const std::string header =
      R"({ "second" : {"data_offsets":[4, 6], "shape":[2], "dtype":"U8"},
          "first": {"shape":[1,1],"dtype":"F32","data_offsets":[0,4]}, "__metadata__":{}}   )";
  write_bytes(folder / "t", file_of(header, std::string("\0\0\x20\x41\7\xff", 6)));
  const NamedTensors tensors = load_safetensors(folder / "t");
  REQUIRE(tensors.size() == 2);
  CHECK(tensors[0].first == "second");
  CHECK(core::equal(tensors[0].second, Tensor::from({7, 255}, uint8)));
  CHECK(core::equal(tensors[1].second, Tensor::from({{10.0F}})));
}

TEST_CASE("names and metadata may hold any text") {
  const TemporaryFolder folder;
  const std::string name = "weird \"name\"\n\t\\ größe 数";
  save_safetensors(folder / "t", {{name, Tensor::scalar(1)}, {"", Tensor::scalar(2)}},
                   {{"", ""}, {name, name}});
  CHECK(load_safetensors(folder / "t")[0].first == name);
  CHECK(load_safetensors(folder / "t")[1].first.empty());
  const auto metadata = read_safetensors_header(folder / "t").metadata;
  CHECK(metadata == std::map<std::string, std::string>{{"", ""}, {name, name}});
}

TEST_CASE("the header alone tells names, dtypes, shapes and sizes") {
  const TemporaryFolder folder;
  save_safetensors(folder / "t", {{"u", Tensor::empty({3}, uint8)}, {"w", Tensor::empty({2, 5})}},
                   {{"step", "12"}});
  const SafetensorsHeader header = read_safetensors_header(folder / "t");
  REQUIRE(header.tensors.size() == 2);
  CHECK(header.tensors[1].name == "w");
  CHECK(header.tensors[1].dtype == "F32");
  CHECK(header.tensors[1].shape == Shape{2, 5});
  CHECK(header.tensors[1].begin == 0);
  CHECK(header.tensors[1].bytes == 40);
  CHECK(header.tensors[0].begin == 40);
  CHECK(header.data_bytes == 43);
  CHECK(header.data_start % 8 == 0);
  CHECK(header.metadata.at("step") == "12");
}

TEST_CASE("every pattern of float16 and bfloat16 comes back, and lies in the file as it is") {
  std::vector<Float16> half(65536);
  std::vector<BFloat16> brain(65536);
  std::string data;
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    half[bits].bits = static_cast<std::uint16_t>(bits);
    brain[bits].bits = static_cast<std::uint16_t>(bits);
    data += static_cast<char>(bits & 255);
    data += static_cast<char>(bits >> 8);
  }
  const TemporaryFolder folder;
  save_safetensors(folder / "t", {{"h", Tensor::from(half.data(), {256, 256})},
                                  {"b", Tensor::from(brain.data(), {65536})}});
  CHECK(read_bytes(folder / "t").ends_with(data + data));
  const NamedTensors back = load_safetensors(folder / "t");
  REQUIRE(back.size() == 2);
  CHECK(back[0].second.dtype() == float16);
  CHECK(back[0].second.shape() == Shape{256, 256});
  CHECK(back[1].second.dtype() == bfloat16);
  const SafetensorsHeader header = read_safetensors_header(folder / "t");
  CHECK(header.tensors[0].dtype == "F16");
  CHECK(header.tensors[1].dtype == "BF16");
  for (const auto& [name, tensor] : back) {
    const auto* bytes = reinterpret_cast<const char*>(tensor.storage().data());
    CHECK(std::string_view(bytes, data.size()) == data);
  }
}

TEST_CASE("all dtypes of the format are shown by the header, in their sizes") {
  const std::pair<const char*, std::int64_t> dtypes[] = {
      {"BOOL", 8},        {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
      {"I8", 8},          {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
      {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16},    {"BF16", 16},
      {"I32", 32},        {"U32", 32},    {"F32", 32},    {"C64", 64},    {"F64", 64},
      {"I64", 64},        {"U64", 64}};
  const TemporaryFolder folder;
  const std::string known = " F32 F64 F16 BF16 I64 U8 BOOL ";
  for (const auto& [name, bits] : dtypes) {
    const std::string dtype = name;
    const std::int64_t bytes = 8 * bits / 8;
    CAPTURE(dtype);
    const std::string header = R"({"h":{"dtype":")" + dtype +
                               R"(","shape":[2,4],"data_offsets":[0,)" + std::to_string(bytes) +
                               "]}}";
    write_bytes(folder / "t", file_of(header, std::string(static_cast<std::size_t>(bytes), '\0')));
    const SafetensorsEntry entry = read_safetensors_header(folder / "t").tensors.at(0);
    CHECK(entry.dtype == dtype);
    CHECK(entry.bytes == bytes);
    CHECK(entry.shape == Shape{2, 4});
    if (contains(known, " " + dtype + " ")) {
      CHECK(load_safetensors(folder / "t").size() == 1);
    } else {
      CHECK(contains(
          message_of<BadDataError>([&] { load_safetensors(folder / "t"); }),
          "tensor 'h' is " + dtype + ", Gradus reads F32, F64, F16, BF16, I64, U8 and BOOL"));
    }
  }
}

TEST_CASE("what cannot be saved is refused before anything is written") {
  const TemporaryFolder folder;
  const Tensor x = Tensor::scalar(1);
  const auto message = [&](const NamedTensors& tensors,
                           const std::map<std::string, std::string>& metadata = {}) {
    return message_of<ValueError>([&] { save_safetensors(folder / "t", tensors, metadata); });
  };
  CHECK(contains(message({{"a", x}, {"a", x}}), "two tensors are named 'a'"));
  CHECK(contains(message({{"a", Tensor()}}), "tensor 'a' is undefined"));
  CHECK(contains(message({{"__metadata__", x}}), "cannot be named __metadata__"));
  CHECK(contains(message({{"\xff", x}}), "is not valid UTF-8"));
  CHECK(contains(message({}, {{"k", "\xc3"}}), "is not valid UTF-8"));
  CHECK(contains(message({{std::string(100'000'001, 'n'), x}}), "the format allows 100000000"));
  CHECK(folder.entries() == 0);
}

TEST_CASE("a save that fails leaves the old file readable") {
  const TemporaryFolder folder;
  save_safetensors(folder / "t", {{"a", Tensor::scalar(1)}});
  const std::string before = read_bytes(folder / "t");
  CHECK_THROWS_AS(save_safetensors(folder / "t", {{"a", Tensor()}}), ValueError);
  CHECK(read_bytes(folder / "t") == before);
  CHECK(contains(message_of<IoError>([&] { save_safetensors(folder / "no" / "t", {}); }),
                 "No such file or directory"));
}
