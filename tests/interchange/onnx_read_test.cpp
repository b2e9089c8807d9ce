// Files that lie, break off or ask for too much: one line each, that names the file, the node and both values. The messages of
// protobuf are written here byte by byte, so that they may be wrong in ways in which no library writes them.
#include <doctest/doctest.h>
#include <gradus/core/error.h>
#include <gradus/core/math.h>
#include <gradus/interchange/onnx_file.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "support/error_message.h"
#include "support/temporary_folder.h"

using namespace gradus;
using namespace gradus::interchange;

namespace {

std::string number(std::uint64_t value) {
  std::string bytes;
  for (; value > 0x7f; value >>= 7) bytes += static_cast<char>((value & 0x7f) | 0x80);
  return bytes + static_cast<char>(value);
}
std::string whole(int field, std::uint64_t value) {
  return number(static_cast<std::uint64_t>(field) << 3) + number(value);
}
std::string part(int field, const std::string& content) {
  return number(static_cast<std::uint64_t>(field) << 3 | 2) + number(content.size()) + content;
}

std::string node(const std::string& op, const std::vector<std::string>& inputs,
                 const std::vector<std::string>& outputs, const std::string& more = "") {
  std::string content;
  for (const std::string& input : inputs) content += part(1, input);
  for (const std::string& output : outputs) content += part(2, output);
  return part(1, content + part(4, op) + more);
}
/// A tensor of float32 with these raw bytes.
std::string tensor(const std::string& name, const std::vector<std::uint64_t>& sizes,
                   const std::string& rest, std::uint64_t type = 1) {
  std::string content;
  for (const std::uint64_t size : sizes) content += whole(1, size);
  return part(5, content + whole(2, type) + part(8, name) + rest);
}
std::string raw(std::size_t bytes) { return part(9, std::string(bytes, '\0')); }
std::string value(int field, const std::string& name) {
  return part(field, part(1, name) + part(2, part(1, whole(1, 1))));
}
std::string model(const std::string& graph, std::uint64_t opset = 13) {
  return whole(1, 8) + part(7, graph + value(11, "x") + value(12, "y")) + part(8, whole(2, opset));
}

std::string refusal(const std::string& bytes) {
  return message_of<BadDataError>([&] { parse_onnx(bytes, "file"); });
}

const std::string one_node = node("Relu", {"x"}, {"y"});

bool without_onnx() {
  if (has_onnx()) return false;
  std::cout << "skipped: no ONNX in this build\n";
  return true;
}

}  // namespace

TEST_CASE("a file as it should be is read") {
  if (without_onnx()) return;
  const Graph graph = parse_onnx(model(one_node + tensor("w", {2}, raw(8))), "file");
  CHECK(graph.nodes.size() == 1);
  CHECK(graph.nodes[0].op == "Relu");
  CHECK(graph.opset == 13);
  CHECK(graph.inputs[0].name == "x");
  CHECK(graph.constants[0].second.shape() == Shape{2});
}

TEST_CASE("a file that is cut off at any byte is refused or read, and never anything else") {
  if (without_onnx()) return;
  const std::string whole_file = model(one_node + tensor("w", {2}, raw(8)));
  int refused = 0;
  for (std::size_t size = 0; size < whole_file.size(); ++size) {
    try {
      parse_onnx(std::string_view(whole_file).substr(0, size), "file");
    } catch (const BadDataError& error) {
      CHECK(std::string_view(error.what()).starts_with("onnx: file: "));
      ++refused;
    }
  }
  CHECK(refused > static_cast<int>(whole_file.size()) - 8);
}

TEST_CASE("names that nothing gives, or that are given twice, and cycles") {
  if (without_onnx()) return;
  CHECK(refusal(model(node("Relu", {"q"}, {"y"}))) ==
        "onnx: file: node 0 Relu: takes 'q', which nothing gives");
  CHECK(refusal(model(one_node + node("Tanh", {"x"}, {"y"}))) ==
        "onnx: file: node 1 Tanh: gives 'y', which was given before; names are given once");
  CHECK(refusal(model(node("Add", {"x", "b"}, {"a"}) + node("Relu", {"a"}, {"b"}) +
                      node("Relu", {"b"}, {"y"})))
            .find("a cycle, or nodes out of order") != std::string::npos);
  CHECK(refusal(model(node("Relu", {"x"}, {"z"}))) ==
        "onnx: file: output 'y': neither a node nor an input gives it");
  CHECK(refusal(model(one_node + tensor("w", {1}, raw(4)) + tensor("w", {1}, raw(4))))
            .find("given before") != std::string::npos);
}

TEST_CASE("names that are no text, which no other file could tell apart") {
  if (without_onnx()) return;
  CHECK(refusal(model(node("Relu", {"x"}, {"\xe4"}) + node("Relu", {"\xe4"}, {"y"})))
            .starts_with("onnx: file: node 0 Relu: gives '"));
  CHECK(refusal(model(one_node + tensor("\xfc", {2}, raw(8)))).find("is not UTF-8") !=
        std::string::npos);
}

TEST_CASE("sizes that overflow, and tensors that are not there") {
  if (without_onnx()) return;
  const std::uint64_t large = std::uint64_t{1} << 40;
  CHECK(refusal(model(one_node + tensor("w", {large, large}, raw(8)))) ==
        "onnx: file: initializer 'w': a size of 1099511627776 after 1099511627776 elements; "
        "sizes are 0 or more, and their product below 2^60");
  CHECK(refusal(model(one_node + tensor("w", {~std::uint64_t{0}}, raw(8)))).find("a size of -1") !=
        std::string::npos);
  CHECK(refusal(model(one_node + tensor("w", {large}, raw(8)))) ==
        "onnx: file: initializer 'w': has 8 bytes, its sizes [1099511627776] want 4398046511104");
  CHECK(refusal(model(one_node + tensor("w", {large}, ""))).find("has 0 numbers") !=
        std::string::npos);
  CHECK(refusal(model(one_node + tensor("w", {1}, raw(8), 8)))
            .find("the type string; known are floats, integers and bool") != std::string::npos);
  CHECK(refusal(model(one_node + tensor("w", {1}, raw(8), 77))).find("of number 77") !=
        std::string::npos);
  CHECK(refusal(model(one_node + tensor("w", {1, 1, 1, 1, 1, 1, 1, 1, 1}, raw(4)))) ==
        "onnx: file: initializer 'w': has 9 dimensions, a tensor at most 8");
}

TEST_CASE("graphs in nodes, other versions, and what is no ONNX") {
  if (without_onnx()) return;
  const std::string body = part(5, part(1, "body") + part(6, one_node) + whole(20, 5));
  CHECK(refusal(model(node("Loop", {"x"}, {"y"}, body))) ==
        "onnx: file: node 0 Loop: attribute 'body': a graph within a node, which is not read");
  CHECK(refusal(model(one_node, 5)) == "onnx: file: is of opset 5, read are 6 to 17");
  CHECK(refusal(model(one_node, 18)) == "onnx: file: is of opset 18, read are 6 to 17");
  CHECK(refusal("no such thing").starts_with("onnx: file: no ONNX file"));
  CHECK(refusal(whole(1, 8)) == "onnx: file: no ONNX file: it has no graph");
}

TEST_CASE("a hundred thousand nodes are read, one more is not; nor are a million names") {
  if (without_onnx()) return;
  std::string many;
  for (int i = 0; i < 100'001; ++i) many += part(1, "");
  CHECK(refusal(model(many)) == "onnx: file: has 100001 nodes or more, at most 100000 are read");
  std::string names;
  for (int i = 0; i < 2'000'001; ++i) names += part(1, "");
  CHECK(refusal(model(part(1, names))).find("fields or more, at most 2000000") !=
        std::string::npos);
  std::string nested = one_node;
  for (int i = 0; i < 200; ++i) nested = part(1, part(5, part(6, nested)));
  CHECK(refusal(model(nested)).find("deep") != std::string::npos);
}

TEST_CASE("data beside the file are read from its folder and below, and from nowhere else") {
  if (without_onnx()) return;
  namespace fs = std::filesystem;
  const TemporaryFolder folder;
  const fs::path inside = folder.path() / "model";
  fs::create_directories(inside / "below");
  const float numbers[] = {1.5F, -2.F, 7.F};
  for (const fs::path& file : {folder.path() / "data", inside / "data", inside / "below/data"}) {
    std::ofstream(file, std::ios::binary)
        .write(reinterpret_cast<const char*>(numbers), sizeof(numbers));
  }
  fs::create_symlink(folder.path() / "data", inside / "link");
  fs::create_symlink(folder.path(), inside / "up");
  const auto entry = [](const std::string& key, const std::string& text) {
    return part(13, part(1, key) + part(2, text));
  };
  const auto read = [&](const std::string& location, const std::string& offset = "4",
                        const std::string& length = "8") {
    const std::string external = whole(14, 1) + entry("location", location) +
                                 entry("offset", offset) +
                                 (length.empty() ? "" : entry("length", length));
    std::ofstream(inside / "m.onnx", std::ios::binary)
        << model(one_node + tensor("w", {2}, external));
    return read_onnx((inside / "m.onnx").string()).constants[0].second;
  };
  CHECK(core::equal(read("data"), Tensor::from({-2.F, 7.F})));
  CHECK(core::equal(read("below/data"), Tensor::from({-2.F, 7.F})));
  const auto refused = [&](const std::string& location, const std::string& offset = "4",
                           const std::string& length = "8") {
    return message_of<BadDataError>([&] { read(location, offset, length); });
  };
  CHECK(refused("../data").find("leads out of the folder") != std::string::npos);
  CHECK(refused("below/../../data").find("leads out of the folder") != std::string::npos);
  CHECK(refused((folder.path() / "data").string()).find("must be a path below") !=
        std::string::npos);
  CHECK(refused("").find("must be a path below") != std::string::npos);
  CHECK(refused("link").find("is a symbolic link") != std::string::npos);
  CHECK(refused("up/data").find("is a symbolic link") != std::string::npos);
  CHECK(refused("data", "8").find("has 12 bytes, the tensor wants 8 from byte 8 on") !=
        std::string::npos);
  CHECK(refused("data", "-1").find("a whole number") != std::string::npos);
  CHECK(refused("data", "4", "99999999999999999999").find("a whole number") != std::string::npos);
  CHECK(refused("data", "0", "12").find("has 12 bytes, its sizes [2] want 8") != std::string::npos);
  CHECK_THROWS_AS(read("absent"), NotFoundError);
  // More than any machine holds, none of it on the disk: refused by its size, not by an attempt to read it.
  constexpr std::uintmax_t tebibyte = std::uintmax_t{1} << 40;
  std::ofstream(inside / "vast").close();
  std::error_code error;
  fs::resize_file(inside / "vast", tebibyte, error);
  if (error) return;
  CHECK(refused("vast", "0", std::to_string(tebibyte)).find("its sizes [2] want 8") !=
        std::string::npos);
  CHECK(refused("vast", "0", "").find("the tensor wants 8 from byte 0 on and no length is told") !=
        std::string::npos);
  CHECK(core::equal(read("data", "4", ""), Tensor::from({-2.F, 7.F})));
}
