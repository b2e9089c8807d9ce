// fuzz_parsers_corpus DIR ROUNDS: every file of the corpus for every parser, as it is, and changed in ROUNDS ways.
// Fails when a parser read none of them: then the corpus would try nothing.
#include <gradus/core/random.h>
#include <gradus/interchange/onnx_file.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "parsers.h"

namespace {

namespace fs = std::filesystem;

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A byte changed, a piece left out or doubled, or the end cut off.
std::string changed(std::string bytes, gradus::Generator& random) {
  const auto below = [&](std::size_t bound) {
    return static_cast<std::size_t>(random.below(static_cast<std::int64_t>(bound)));
  };
  for (std::size_t changes = 1 + below(4); changes > 0 && !bytes.empty(); --changes) {
    const std::size_t at = below(bytes.size());
    const std::size_t length = 1 + below(std::min<std::size_t>(bytes.size() - at, 16));
    switch (below(4)) {
      case 0:
        bytes[at] = static_cast<char>(below(256));
        break;
      case 1:
        bytes.erase(at, length);
        break;
      case 2:
        bytes.insert(at, bytes.substr(at, length));
        break;
      default:
        if (below(4) == 0) bytes.resize(at);
    }
  }
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const int rounds = std::atoi(argv[2]);
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(argv[1])) files.push_back(entry);
  std::sort(files.begin(), files.end());
  gradus::Generator random(1);
  for (const fs::path& file : files) {
    const std::string bytes = bytes_of(file);
    parse(std::as_bytes(std::span(bytes)));
    for (int round = 0; round < rounds; ++round) {
      const std::string other = changed(bytes, random);
      parse(std::as_bytes(std::span(other)));
    }
  }
  for (std::size_t i = 0; i < parser_names.size(); ++i) {
    const bool absent =
        i == static_cast<std::size_t>(Parser::onnx) && !gradus::interchange::has_onnx();
    if (times_read[i] > 0 || absent) continue;
    std::printf("no file of %s was read by %s\n", argv[1], std::string(parser_names[i]).c_str());
    return 1;
  }
  std::printf("%zu files, each parser read some\n", files.size());
  return 0;
}
