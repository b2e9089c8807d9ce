// gradcheck --self-test --json: the checker catches what it must,
// and accuses nothing that is right.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <support/json_result.h>
#include <support/sanitizer.h>

using nlohmann::json;

namespace {

/// The subjects whose kernels have the most faults to plant; under the sanitizer of threads two quick ones of them.
std::vector<std::string> busiest() {
  if (under_thread_sanitizer()) return {"matmul", "softmax"};
  return {"conv2d", "matmul", "max_pool2d", "batch_norm", "softmax"};
}

/// All subjects, by no name; with a sanitizer the busiest, and some of the others.
std::vector<std::string> subjects() {
  std::vector<std::string> names;
  if (!under_sanitizer()) return names;
  names = busiest();
  const json list = result_of({"gradcheck", "--list", "--json"}).at("list");
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string name = list[i].at("name").get<std::string>();
    const bool there = std::find(names.begin(), names.end(), name) != names.end();
    if (takes_its_turn(i, 12, 24) && !there) names.push_back(name);
  }
  return names;
}

}  // namespace

TEST_CASE("gradcheck --self-test --json: bugs are caught and named, and nothing right is accused") {
  std::vector<std::string> arguments{"gradcheck", "--self-test", "--json"};
  const std::vector<std::string> some = subjects();
  arguments.insert(arguments.end(), some.begin(), some.end());
  const json result = result_of(arguments);
  const auto planted = result.at("planted").get<std::int64_t>();
  const auto caught = result.at("caught").get<std::int64_t>();
  const auto nameable = result.at("nameable").get<std::int64_t>();
  const auto diagnosed = result.at("diagnosed").get<std::int64_t>();
  const auto misnamed = result.at("misnamed").get<std::int64_t>();
  const int share = some.empty() ? 1 : under_thread_sanitizer() ? 24 : 12;
  CHECK(planted >= 3000 / share);
  CHECK(caught * 1000 >= planted * 995);
  CHECK(caught <= planted);
  CHECK(nameable <= planted);
  CHECK(diagnosed * 100 >= nameable * 90);
  CHECK(misnamed * 100 <= (diagnosed + misnamed) * 5);
  CHECK(diagnosed <= nameable);
  CHECK(result.at("false_alarms") == 0);
  CHECK(result.at("alarmed").empty());
  CHECK(result.at("good").get<std::int64_t>() >= 1200 / share);
  CHECK(result.at("escaped").is_array());
  CHECK(std::ssize(result.at("escaped")) == planted - caught);
  CHECK(result.at("not_diagnosed").is_array());
  CHECK(std::ssize(result.at("not_diagnosed")) == nameable - diagnosed);
  CHECK(std::ssize(result.at("bugs")) == planted);
  CHECK(result.at("seconds").get<double>() > 0);
  std::set<std::string> bugs;
  for (const json& bug : result.at("bugs")) {
    bugs.insert(bug.at("bug").get<std::string>());
    CHECK(bug.at("caught").is_boolean());
    for (const char* key : {"kind", "subject", "sample", "input", "shape", "expected", "diagnosed"})
      CHECK(bug.at(key).is_string());
    CHECK((bug.at("order") == 1 || bug.at("order") == 2));
  }
  CHECK(bugs.size() >= 39);

  // The same of the kernels in float32, fault by fault: none may hide behind the others.
  const auto kernel_planted = result.at("kernel_planted").get<std::int64_t>();
  const auto kernel_caught = result.at("kernel_caught").get<std::int64_t>();
  CHECK(kernel_planted >= 300);
  CHECK(kernel_caught * 100 >= kernel_planted * 99);
  CHECK(result.at("kernel_false_alarms") == 0);
  CHECK(result.at("kernel_alarmed").empty());
  CHECK(result.at("kernel_good").get<std::int64_t>() >= (under_thread_sanitizer() ? 250 : 1000));
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> by_fault;  // planted, caught
  std::set<std::string> of_kernels;
  for (const json& row : result.at("kernel_faults")) {
    auto& [planted_here, caught_here] = by_fault[row.at("fault").get<std::string>()];
    planted_here += row.at("planted").get<std::int64_t>();
    caught_here += row.at("caught").get<std::int64_t>();
    of_kernels.insert(row.at("subject").get<std::string>());
  }
  CHECK(by_fault.size() >= (under_thread_sanitizer() ? 12 : 15));
  for (const auto& [fault, counts] : by_fault) {
    const std::string& name = fault;
    CAPTURE(name);
    CHECK(counts.second * 100 >= counts.first * 99);
  }
  std::vector<std::string> expected = busiest();
  if (some.empty()) expected.insert(expected.end(), {"sgd", "adam"});
  for (const std::string& subject : expected) CHECK(of_kernels.count(subject) == 1);
}

TEST_CASE("gradcheck --self-test with a name plants there alone") {
  const json result = result_of({"gradcheck", "--self-test", "matmul", "--json"});
  CHECK(result.at("planted").get<int>() > 10);
  for (const json& bug : result.at("bugs")) CHECK(bug.at("subject") == "matmul");
  CHECK(result.at("kernel_planted").get<int>() > 10);
  for (const json& row : result.at("kernel_faults")) CHECK(row.at("subject") == "matmul");
}
