// gradcheck --json: everything through every sample in both orders, and whole models.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <support/json_result.h>
#include <support/sanitizer.h>

using nlohmann::json;

TEST_CASE("gradcheck --json lists what it checked, and its totals add up") {
  const json result = result_of({"gradcheck", "mul", "Linear", "--order", "2", "--json"});
  CHECK(result.at("passed") == true);
  CHECK(result.at("checked") == 2);
  CHECK(result.at("failed") == 0);
  std::int64_t elements = 0;
  for (const json& check : result.at("checks")) {
    CHECK(check.at("orders").size() == 2);
    for (const json& order : check.at("orders")) {
      CHECK(order.at("worst_relative_error").get<double>() < 1e-6);
      elements += order.at("elements").get<std::int64_t>();
    }
  }
  CHECK(result.at("elements") == elements);
}

TEST_CASE("gradcheck --order 2 --json of many: everything passes, through eight samples or more") {
  const json list = result_of({"gradcheck", "--list", "--json"}).at("list");
  std::vector<std::string> names;  // op_samples and layer_samples check them all
  for (std::size_t i = 0; i < list.size(); i += 12)
    names.push_back(list[i].at("name").get<std::string>());
  std::vector<std::string> arguments{"gradcheck", "--order", "2", "--json"};
  arguments.insert(arguments.end(), names.begin(), names.end());
  const json result = result_of(arguments);
  CHECK(result.at("checked") == names.size());
  CHECK(result.at("passed") == true);
  CHECK(result.at("order") == 2);
  CHECK(result.at("failed") == 0);
  CHECK(result.at("fail") == 0);
  CHECK(result.at("ops").get<int>() + result.at("layers").get<int>() == result.at("checked"));
  CHECK(result.at("ops").get<int>() >= 12);
  CHECK(result.at("layers").get<int>() >= 5);
  CHECK(result.at("checks").size() == result.at("checked"));
  CHECK(result.at("worst_relative_error").get<double>() < 1e-6);
  CHECK(result.at("seconds").get<double>() > 0);
  std::map<std::string, std::int64_t> totals;
  for (const json& check : result.at("checks")) {
    CAPTURE(check.at("name").get<std::string>());
    CHECK(check.at("passed") == true);
    CHECK(check.at("failures").empty());
    CHECK(check.at("samples").get<std::int64_t>() >= 8);
    totals["samples"] += check.at("samples").get<std::int64_t>();
    REQUIRE(check.at("orders").size() == 2);
    for (const json& order : check.at("orders")) {
      CHECK(order.at("passed") == true);
      CHECK(order.at("elements").get<std::int64_t>() > 0);
      for (const char* key : {"elements", "fail", "kink", "inconclusive"}) {
        totals[key] += order.at(key).get<std::int64_t>();
      }
    }
  }
  for (const auto& each : totals) {
    CAPTURE(each.first);
    CHECK(result.at(each.first) == each.second);
  }
  // Samples keep off kinks and off what finite differences cannot tell.
  CHECK(totals["inconclusive"] * 1000 <= totals["elements"]);
}

TEST_CASE("gradcheck --model --json: the report, the Taylor test, and how many parameters") {
  std::map<std::string, int> models{{"lenet", 61706}, {"mlp", 235146}, {"cnn", 11354}};
  // Each of its parameters is measured; of the others some. It takes five times as long as both together.
  if (under_sanitizer()) models.erase("cnn");
  if (under_thread_sanitizer()) models.erase("mlp");
  for (const auto& model : models) {
    CAPTURE(model.first);
    const json result = result_of({"gradcheck", "--model", model.first, "--json"});
    CHECK(result.at("parameters") == model.second);
    CHECK(result.at("taylor").at("verdict") == "pass");
    REQUIRE(result.at("taylor").at("orders").size() == 4);
    for (const json& order : result.at("taylor").at("orders")) {
      CHECK((order.is_null() || order.get<double>() > 1.5));
    }
    CHECK(result.at("seconds").get<double>() > 0);
  }
}

TEST_CASE("gradcheck --float32 --json: totals add up, and nothing is out of bounds") {
  const json result =
      result_of({"gradcheck", "conv2d", "softmax", "Linear", "--float32", "--json"});
  CHECK(result.at("passed") == true);
  CHECK(result.at("checked") == 3);
  CHECK(result.at("failed") == 0);
  CHECK(result.at("fail") == 0);
  CHECK(result.at("ops") == 2);
  CHECK(result.at("layers") == 1);
  CHECK(result.at("worst").get<double>() > 0);
  CHECK(result.at("worst").get<double>() <= 1);
  CHECK(result.at("seconds").get<double>() > 0);
  std::map<std::string, std::int64_t> totals;
  double worst = 0;
  for (const json& check : result.at("checks")) {
    CHECK(check.at("passed") == true);
    CHECK(check.at("failures").empty());
    for (const char* key : {"samples", "elements", "identities", "undecided", "fail"})
      totals[key] += check.at(key).get<std::int64_t>();
    worst = std::max(worst, check.at("worst").get<double>());
  }
  for (const auto& each : totals) {
    CAPTURE(each.first);
    CHECK(result.at(each.first) == each.second);
  }
  CHECK(result.at("worst") == worst);
  CHECK(totals["elements"] > 1'000'000);
  CHECK(totals["identities"] > 100);
}

TEST_CASE("gradcheck --float32 --model --json: every call of every layer") {
  std::map<std::string, int> models{
      {"lenet", 61706}, {"resnet20", 272474}, {"mobilenet", 31946}, {"nin", 64132}};
  if (under_sanitizer()) models = {{"lenet", 61706}};
  for (const auto& model : models) {
    CAPTURE(model.first);
    const json result = result_of({"gradcheck", "--float32", "--model", model.first, "--json"});
    CHECK(result.at("passed") == true);
    CHECK(result.at("parameters") == model.second);
    CHECK(result.at("calls").get<int>() >= 9);
    CHECK(result.at("fail") == 0);
    CHECK(result.at("failures").empty());
    CHECK(result.at("unstated").empty());
    CHECK(result.at("elements").get<std::int64_t>() > 100'000);
  }
}

TEST_CASE("gradcheck --list --json names what can be checked") {
  const json result = result_of({"gradcheck", "--list", "--json"});
  CHECK(std::ssize(result.at("list")) == result.at("count"));
  CHECK(result.at("list").at(0) == json({{"kind", "op"}, {"name", "add"}}));
}
