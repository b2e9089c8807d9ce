// docs/onnx.md names every operator that is read, and no other.
#include <doctest/doctest.h>
#include <gradus/interchange/graph_net.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

TEST_CASE("the table of operators in docs/onnx.md is that of GraphNet") {
  std::ifstream page(std::string(GRADUS_FIXTURES) + "/../../docs/onnx.md");
  REQUIRE(page);
  std::set<std::string> named;
  std::string title;
  bool in_table = false;
  for (std::string line; std::getline(page, line);) {
    if (line.find(" operators, in the versions of opsets 6 to 17:") != std::string::npos) {
      in_table = true;
      title = line;
    }
    if (!in_table || !line.starts_with("| ")) continue;
    const std::size_t second = line.find("| ", 2);
    std::istringstream words(line.substr(second + 1));
    for (std::string word; words >> word;) {
      if (word.back() == ',') word.pop_back();
      if (word != "|") CHECK_MESSAGE(named.insert(word).second, word, " twice");
    }
  }
  const std::vector<std::string> known = gradus::interchange::operator_names();
  CHECK(named == std::set<std::string>(known.begin(), known.end()));
  CHECK(title.starts_with(std::to_string(known.size()) + " operators"));
}
