// What the program prints for other programs is JSON, with the keys and types it promises.
#include <doctest/doctest.h>
#include <gradus/core/math.h>
#include <gradus/io/safetensors.h>
#include <gradus/layers/models.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include <app/json.h>
#include <support/error_message.h>
#include <support/json_result.h>
#include <support/program.h>
#include <support/temporary_folder.h>

using nlohmann::json;

namespace {

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

TEST_CASE("a checkpoint says of which BLAS library it is; an older one does not, and is read") {
  const TemporaryFolder folder;
  const std::string out = (folder / "run").string();
  RunningProgram training({"train", "--epochs", "1", "--quiet", "--out", out});
  REQUIRE(training.finish() == 0);
  json checkpoint = json::parse(
      gradus::read_safetensors_header(out + "/checkpoint.safetensors").metadata.at("run"));
  CHECK(checkpoint.at("blas") == gradus::core::blas_description());
  CHECK(gradus::app::from_run_json(checkpoint.dump(), "new").blas == checkpoint.at("blas"));
  checkpoint.erase("blas");
  CHECK(gradus::app::from_run_json(checkpoint.dump(), "older").blas.empty());
}

TEST_CASE("a checkpoint says nothing that could not be read again") {
  const TemporaryFolder folder;
  const std::string out = (folder / "run").string();
  RunningProgram training({"train", "--epochs", "1", "--quiet", "--out", out});
  REQUIRE(training.finish() == 0);
  const std::string text =
      gradus::read_safetensors_header(out + "/checkpoint.safetensors").metadata.at("run");
  const gradus::app::RunRecord run = gradus::app::from_run_json(text, "whole");
  CHECK(gradus::app::to_run_json(run) == text);
  gradus::app::RunRecord no_mean = run;
  no_mean.normalization.mean = {std::numeric_limits<double>::quiet_NaN()};
  CHECK(message_of<gradus::BadDataError>([&] { gradus::app::to_run_json(no_mean); }) ==
        "this training: a mean is nan, which no training has");
  gradus::app::RunRecord no_deviation = run;
  no_deviation.normalization.stddev = {std::numeric_limits<double>::infinity()};
  CHECK_THROWS_AS(gradus::app::to_run_json(no_deviation), gradus::BadDataError);
}

TEST_CASE("train, eval, the checkpoint and metrics.jsonl tell one story") {
  const TemporaryFolder folder;
  const std::string out = (folder / "run").string();
  const json trained = result_of({"train", "--epochs", "2", "--seed", "7", "--json", "--out", out});
  check_result(trained);
  const json evaluated = result_of({"eval", out, "--json", "--no-fuse"});
  check_result(evaluated);
  for (const char* key : {"test_accuracy", "test_loss", "train_loss"}) {
    CHECK(trained.at(key) == evaluated.at(key));
  }
  const json run = json::parse(
      gradus::read_safetensors_header(out + "/checkpoint.safetensors").metadata.at("run"));
  CHECK(run.at("last_epoch").at("test_accuracy") == trained.at("test_accuracy"));
  CHECK(run.at("seed") == 7);
  CHECK(run.at("image") == json({{"channels", 1}, {"height", 8}, {"width", 8}, {"classes", 10}}));
  CHECK(run.at("data_checksum").get<std::string>().size() == 8);

  std::ifstream metrics(folder / "run" / "metrics.jsonl");
  int steps = 0;
  std::vector<std::string> moved;
  json last;
  for (std::string line; std::getline(metrics, line);) {
    last = json::parse(line);
    if (last.at("event") == "step") {
      CHECK(last.at("step") == ++steps);
      CHECK(last.at("loss").is_number());
    } else if (last.at("event") == "parameter") {
      moved.push_back(last.at("name").get<std::string>());
      CHECK(last.at("epoch") == (steps + 1) / 45);  // before the lines of steps 1, 45 and 90
      CHECK(last.at("norm").get<double>() >= 0);    // of a bias it begins at 0
      for (const char* key : {"gradient_norm", "update_norm"})
        CHECK(last.at(key).get<double>() > 0);
    }
  }
  CHECK(steps == 90);  // 1437 images in batches of 32, twice
  std::vector<std::string> names;
  for (const auto& each : gradus::make_model("cnn", {1, 8, 8, 10}).named_parameters())
    names.push_back(each.first);
  CHECK(moved.size() == 3 * names.size());
  moved.resize(names.size());
  CHECK(moved == names);
  CHECK(last.at("event") == "epoch");
  CHECK(last.at("test_accuracy") == trained.at("test_accuracy"));
}

TEST_CASE("inspect --json shows a file that train wrote") {
  const TemporaryFolder folder;
  const std::string out = (folder / "run").string();
  result_of({"train", "--epochs", "1", "--json", "--out", out});
  const json result = result_of({"inspect", out + "/checkpoint.safetensors", "--json"});
  CHECK(result.at("elements") >= cnn_parameters());  // and the buffers, if it has any
  CHECK(result.at("metadata").at("data") == "digits");
  CHECK(result.at("metadata").at("format") == "pt");
  CHECK(result.at("tensors").at(0).at("name") == "0.weight");
  CHECK(result.at("tensors").at(0).at("shape") == json({16, 1, 3, 3}));
}
