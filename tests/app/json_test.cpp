// What the program prints for other programs is JSON, with the keys and types it promises.
#include <doctest/doctest.h>
#include <gradus/layers/models.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <support/program.h>
#include <support/temporary_folder.h>

using nlohmann::json;

namespace {

json result_of(std::vector<std::string> arguments) {
  RunningProgram program(std::move(arguments));
  CHECK(program.finish() == 0);
  CHECK(std::count(program.output().begin(), program.output().end(), '\n') == 1);
  return json::parse(program.output());
}

std::int64_t cnn_parameters() { return gradus::make_model("cnn", {1, 8, 8, 10}).parameter_count(); }

void check_result(const json& result) {
  CHECK(result.at("data") == "digits");
  CHECK(result.at("model") == "cnn");
  CHECK(result.at("epochs") == 2);
  CHECK(result.at("parameters") == cnn_parameters());
  CHECK(result.at("test_accuracy").get<double>() > 0.8);
  CHECK(result.at("test_loss").get<double>() > 0);
  CHECK(result.at("train_loss").get<double>() > 0);
  CHECK(result.at("seconds").get<double>() > 0);
  CHECK(result.at("images_per_second").get<double>() > 0);
  CHECK(result.at("seed") == 7);
  CHECK(result.at("threads").is_number_integer());
  CHECK(result.at("out").is_string());
  CHECK(result.at("interrupted") == false);
}

}  // namespace

TEST_CASE("train, eval, run.json and metrics.jsonl tell one story") {
  const TemporaryFolder folder;
  const std::string out = (folder / "run").string();
  const json trained = result_of({"train", "--epochs", "2", "--seed", "7", "--json", "--out", out});
  check_result(trained);
  const json evaluated = result_of({"eval", out, "--json"});
  check_result(evaluated);
  for (const char* key : {"test_accuracy", "test_loss", "train_loss"}) {
    CHECK(trained.at(key) == evaluated.at(key));
  }
  const json run = json::parse(std::ifstream(folder / "run" / "run.json"));
  CHECK(run.at("last_epoch").at("test_accuracy") == trained.at("test_accuracy"));
  CHECK(run.at("seed") == 7);
  CHECK(run.at("image") == json({{"channels", 1}, {"height", 8}, {"width", 8}, {"classes", 10}}));
  CHECK(run.at("data_checksum").get<std::string>().size() == 8);

  std::ifstream metrics(folder / "run" / "metrics.jsonl");
  int steps = 0;
  json last;
  for (std::string line; std::getline(metrics, line);) {
    last = json::parse(line);
    if (last.at("event") == "step") {
      CHECK(last.at("step") == ++steps);
      CHECK(last.at("loss").is_number());
    }
  }
  CHECK(steps == 90);  // 1437 images in batches of 32, twice
  CHECK(last.at("event") == "epoch");
  CHECK(last.at("test_accuracy") == trained.at("test_accuracy"));
}

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

TEST_CASE("gradcheck --all --order 2 --json: everything passes, through eight samples or more") {
  const json result = result_of({"gradcheck", "--all", "--order", "2", "--json"});
  CHECK(result.at("passed") == true);
  CHECK(result.at("order") == 2);
  CHECK(result.at("failed") == 0);
  CHECK(result.at("fail") == 0);
  CHECK(result.at("ops").get<int>() + result.at("layers").get<int>() == result.at("checked"));
  CHECK(result.at("ops").get<int>() >= 50);
  CHECK(result.at("layers").get<int>() >= 13);
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
  for (const auto& [key, total] : totals) {
    CAPTURE(key);
    CHECK(result.at(key) == total);
  }
  // Samples keep off kinks and off what finite differences cannot tell.
  CHECK(totals["inconclusive"] * 1000 <= totals["elements"]);
}

TEST_CASE("gradcheck --self-test --json: bugs are caught and named, and nothing right is accused") {
  const json result = result_of({"gradcheck", "--self-test", "--json"});
  const auto planted = result.at("planted").get<std::int64_t>();
  const auto caught = result.at("caught").get<std::int64_t>();
  const auto nameable = result.at("nameable").get<std::int64_t>();
  const auto diagnosed = result.at("diagnosed").get<std::int64_t>();
  CHECK(planted >= 300);
  CHECK(caught * 100 >= planted * 99);
  CHECK(caught <= planted);
  CHECK(nameable <= planted);
  CHECK(diagnosed * 100 >= nameable * 80);
  CHECK(diagnosed <= nameable);
  CHECK(result.at("false_alarms") == 0);
  CHECK(result.at("alarmed").empty());
  CHECK(result.at("good").get<std::int64_t>() >= 900);
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
  CHECK(bugs.size() >= 20);
}

TEST_CASE("gradcheck --self-test with a name plants there alone") {
  const json result = result_of({"gradcheck", "--self-test", "matmul", "--json"});
  CHECK(result.at("planted").get<int>() > 10);
  for (const json& bug : result.at("bugs")) CHECK(bug.at("subject") == "matmul");
}

TEST_CASE("gradcheck --model --json: the report, the Taylor test, and how many parameters") {
  for (const auto& [name, parameters] :
       std::map<std::string, int>{{"lenet", 61706}, {"mlp", 235146}, {"cnn", 11354}}) {
    CAPTURE(name);
    const json result = result_of({"gradcheck", "--model", name, "--json"});
    CHECK(result.at("parameters") == parameters);
    CHECK(result.at("taylor").at("verdict") == "pass");
    REQUIRE(result.at("taylor").at("orders").size() == 4);
    for (const json& order : result.at("taylor").at("orders")) {
      CHECK((order.is_null() || order.get<double>() > 1.5));
    }
    CHECK(result.at("seconds").get<double>() > 0);
  }
}

TEST_CASE("gradcheck --list --json names what can be checked") {
  const json result = result_of({"gradcheck", "--list", "--json"});
  CHECK(std::ssize(result.at("list")) == result.at("count"));
  CHECK(result.at("list").at(0) == json({{"kind", "op"}, {"name", "add"}}));
}

TEST_CASE("inspect --json shows a file that train wrote") {
  const TemporaryFolder folder;
  const std::string out = (folder / "run").string();
  result_of({"train", "--epochs", "1", "--json", "--out", out});
  const json result = result_of({"inspect", out + "/model.safetensors", "--json"});
  CHECK(result.at("elements") >= cnn_parameters());  // and the buffers, if it has any
  CHECK(result.at("metadata").at("data") == "digits");
  CHECK(result.at("metadata").at("format") == "pt");
  CHECK(result.at("tensors").at(0).at("name") == "0.weight");
  CHECK(result.at("tensors").at(0).at("shape") == json({16, 1, 3, 3}));
}
