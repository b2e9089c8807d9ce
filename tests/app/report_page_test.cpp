// gradus report: what its page says, held against what the other commands say of the same training.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <support/program.h>
#include <support/temporary_folder.h>

namespace fs = std::filesystem;

namespace {

/// What a report tells its page.
nlohmann::json told_by_report(const fs::path& file, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "report");
  for (const std::string& more : {std::string("-o"), file.string(), std::string("--quiet")})
    arguments.push_back(more);
  REQUIRE(RunningProgram(arguments).finish() == 0);
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  const std::string page = text.str();
  const std::string mark = "id=\"report\">";
  const std::size_t at = page.find(mark);
  REQUIRE(at != page.npos);
  const std::size_t begin = at + mark.size();
  return nlohmann::json::parse(page.substr(begin, page.find("</script>", begin) - begin));
}

/// A training of a net that does another thing in a training than in use.
std::string train_restless(const TemporaryFolder& folder) {
  const std::string net = (folder / "net.json").string();
  std::ofstream(net)
      << R"([{"Conv2d": {"out_channels": 4, "kernel_size": 3}}, "BatchNorm2d", "ReLU",
    "Flatten", {"Dropout": 0.5}, {"Linear": "classes"}])";
  const std::string run = (folder / "run").string();
  REQUIRE(RunningProgram({"train", "--model", net, "--epochs", "2", "--quiet", "--out", run})
              .finish() == 0);
  return run;
}

constexpr double apart = 1e-5;  // float32, summed in batches of another size

}  // namespace

TEST_CASE("a report takes a picture for what predict takes it for, with the same probabilities") {
  const TemporaryFolder folder;
  const std::string run = train_restless(folder);
  const std::string own = (folder / "own.png").string();
  REQUIRE(RunningProgram({"data", "digits", "--preview", own, "--count", "1"}).finish() == 0);
  RunningProgram predict({"predict", run, own, "--json", "--top", "10"});
  REQUIRE(predict.finish() == 0);
  const nlohmann::json predicted = nlohmann::json::parse(predict.output());
  const nlohmann::json report =
      told_by_report(folder / "r.html", {run, "--gradcheck", "0", "--picture", own});
  const nlohmann::json& sample = report.at("samples").at(0);
  CHECK(std::to_string(sample.at("predicted").get<int>()) == predicted.at("class"));
  const auto probabilities = sample.at("probabilities").get<std::vector<double>>();
  REQUIRE(predicted.at("top").size() == probabilities.size());
  for (const nlohmann::json& each : predicted.at("top")) {
    const std::size_t label = std::stoul(each.at("class").get<std::string>());
    CHECK(std::abs(probabilities.at(label) - each.at("probability").get<double>()) < apart);
  }
}

TEST_CASE("a report says the same of an image among the samples and among the mistakes") {
  const TemporaryFolder folder;
  const nlohmann::json report =
      told_by_report(folder / "r.html", {train_restless(folder), "--gradcheck", "0"});
  int shown = 0;
  for (const nlohmann::json& image : report.at("worst")) {
    if (image.at("sample").is_null()) continue;
    ++shown;
    const nlohmann::json& sample = report.at("samples").at(image.at("sample").get<std::size_t>());
    CHECK(image.at("predicted") == sample.at("predicted"));
    const auto all = sample.at("probabilities").get<std::vector<double>>();
    CHECK(std::abs(image.at("probability").get<double>() -
                   *std::max_element(all.begin(), all.end())) < apart);
  }
  CHECK(shown > 0);
}
