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

TEST_CASE("dtypes without a tensor type are shown by the header and refused by the load") {
  const TemporaryFolder folder;
  write_bytes(folder / "t",
              file_of(R"({"h":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]}})", "abcdef"));
  CHECK(read_safetensors_header(folder / "t").tensors[0].dtype == "BF16");
  const std::string message = message_of<BadDataError>([&] { load_safetensors(folder / "t"); });
  CHECK(contains(message, "tensor 'h' is BF16, Gradus reads F32, F64, I64, U8 and BOOL"));
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
