// gradus bench --json: figures that follow from each other, a table whose rows sum to the whole
// step, and a trace of all of it.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <utility>

#include <support/json_result.h>

using nlohmann::json;

namespace {

/// Multiplications and additions of LeNet for an image: 28x28 pixels of 6x25, 10x10 of 16x150,
/// three matrices.
constexpr double first_layer = 2.0 * 784 * 6 * 25;
constexpr double other_layers = 2.0 * (100 * 16 * 150 + 400 * 120 + 120 * 84 + 84 * 10);

/// Sums of rounded divisions.
doctest::Approx about(double value) { return doctest::Approx(value).epsilon(1e-9); }

}  // namespace

TEST_CASE("bench --json: rates follow from times, and LeNet has the flops that its layers have") {
  const json result =
      result_of({"bench", "--batch", "4", "--steps", "5", "--threads", "2", "--json"});
  CHECK(result.at("model") == "lenet");
  CHECK(result.at("batch") == 4);
  CHECK(result.at("image") == 28);
  CHECK(result.at("steps") == 5);
  CHECK(result.at("threads") == 2);
  CHECK(result.at("parameters") == 61706);
  CHECK(!result.contains("profile"));
  const double sgemm = result.at("sgemm_gflops");
  CHECK(sgemm > 0);
  CHECK(result.at("memory_gbs").get<double>() > 0);
  CHECK(result.at("inference").at("flops") == 4 * (first_layer + other_layers));
  // Nobody wants the gradient of the images.
  CHECK(result.at("training").at("flops") == 4 * (2 * first_layer + 3 * other_layers));
  for (const char* kind : {"training", "inference"}) {
    CAPTURE(kind);
    const json& timing = result.at(kind);
    const double ms = timing.at("ms");
    const double gflops = timing.at("flops").get<double>() / ms / 1e6;
    CHECK(ms > 0);
    CHECK(timing.at("images_per_second").get<double>() == about(4e3 / ms));
    CHECK(timing.at("gflops").get<double>() == about(gflops));
    CHECK(timing.at("sgemm_percent").get<double>() == about(100 * gflops / sgemm));
    CHECK(timing.at("allocations").get<double>() >= 0);
  }
}

TEST_CASE("bench --profile: the rows sum to the step, and floors follow from flops and bytes") {
  const json result = result_of({"bench", "--batch", "4", "--steps", "3", "--profile", "--json"});
  const json& rows = result.at("profile");
  const json& total = result.at("total");
  std::set<std::pair<std::string, std::string>> seen;
  json sums = {{"calls", 0.0}, {"ms", 0.0},    {"percent", 0.0},
               {"flops", 0.0}, {"bytes", 0.0}, {"floor_ms", 0.0}};
  for (const json& row : rows) {
    CAPTURE(row.dump());
    CHECK(seen.emplace(row.at("op"), row.at("direction")).second);
    for (auto& sum : sums.items()) {
      sum.value() = sum.value().get<double>() + row.at(sum.key()).get<double>();
    }
    const double ms = row.at("ms");
    CHECK(ms >= 0);
    const double floor =
        std::max(row.at("flops").get<double>() / result.at("sgemm_gflops").get<double>() / 1e6,
                 row.at("bytes").get<double>() / result.at("memory_gbs").get<double>() / 1e6);
    CHECK(row.at("floor_ms").get<double>() == about(floor));
    if (ms > 0) {
      CHECK(row.at("floor_percent").get<double>() == about(100 * floor / ms));
      CHECK(row.at("gflops").get<double>() == about(row.at("flops").get<double>() / ms / 1e6));
      CHECK(row.at("gbs").get<double>() == about(row.at("bytes").get<double>() / ms / 1e6));
    }
  }
  for (const auto& sum : sums.items()) {
    CAPTURE(sum.key());
    CHECK(total.at(sum.key()).get<double>() == about(sum.value().get<double>()));
  }
  CHECK(total.at("percent").get<double>() == about(100));
  CHECK(total.at("flops") == result.at("training").at("flops"));
  CHECK(rows.back().at("op") == "engine and the rest");
  CHECK(std::is_sorted(rows.begin(), rows.end() - 1, [](const json& a, const json& b) {
    return a.at("ms").get<double>() > b.at("ms").get<double>();
  }));
  for (const char* direction : {"forward", "backward"}) CHECK(seen.contains({"conv2d", direction}));
  CHECK(!seen.contains({"relu", "forward"}));  // it runs inside the op before it
  CHECK(seen.contains({"conv2d_weight_grad", "in backward"}));
  CHECK(seen.contains({"SGD", "step"}));
}

TEST_CASE("bench --trace: a trace has the events of every row, in time, and at most ten steps") {
  const auto path = std::filesystem::path(GRADUS_SCRATCH) / "bench_trace.json";
  const json result = result_of({"bench", "--model", "cnn", "--batch", "2", "--image", "8",
                                 "--steps", "12", "--profile", "--trace", path.string(), "--json"});
  std::ifstream file(path);
  const json trace = json::parse(file);
  std::set<std::string> names;
  int steps = 0;
  double last = 0;
  for (const json& event : trace.at("traceEvents")) {
    CHECK(event.at("ph") == "X");
    CHECK(event.at("ts").get<double>() >= last);
    CHECK(event.at("dur").get<double>() >= 0);
    last = event.at("ts");
    names.insert(event.at("name"));
    steps += event.at("name") == "SGD" ? 1 : 0;
    for (const char* key : {"inputs", "outputs"}) CHECK(event.at("args").at(key).is_array());
    for (const char* key : {"flops", "bytes"}) CHECK(event.at("args").at(key).get<double>() >= 0);
  }
  CHECK(steps == 10);
  for (const json& row : result.at("profile")) {
    if (row.at("op") != "engine and the rest") CHECK(names.contains(row.at("op")));
  }
  const json& first = trace.at("traceEvents").at(0);
  CHECK(first.at("name") == "conv2d");
  CHECK(first.at("cat") == "forward");
  CHECK(first.at("args").at("inputs").at(0) == "[2,1,8,8]");
  CHECK(first.at("args").at("outputs").at(0) == "[2,16,8,8]");
  std::filesystem::remove(path);
}
