// Ctrl-C: the training stops after its step, what was finished is kept, and nothing else is harmed.
#include <doctest/doctest.h>
#include <gradus/io/safetensors.h>

#include <nlohmann/json.hpp>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include <support/program.h>
#include <support/temporary_folder.h>

namespace fs = std::filesystem;

namespace {

/// The epoch that the model in `folder` says it is of; 0 when there is none.
int saved_epoch(const fs::path& folder) {
  const fs::path file = folder / "model.safetensors";
  if (!fs::exists(file)) return 0;
  return std::stoi(gradus::read_safetensors_header(file).metadata.at("epoch"));
}

}  // namespace

TEST_CASE("a signal in the middle of a training leaves the model of the last epoch") {
  for (const int signal : {SIGINT, SIGTERM}) {
    const TemporaryFolder folder;
    const fs::path out = folder / "run";
    RunningProgram training({"train", "--epochs", "100000", "--json", "--out", out.string()});
    REQUIRE(training.wait_until([&] { return saved_epoch(out) >= 2; }));
    training.send(signal);
    CHECK(training.finish() == 130);

    const auto result = nlohmann::json::parse(training.output());
    CHECK(result.at("interrupted") == true);
    CHECK(result.at("epochs") == saved_epoch(out));
    const auto run = nlohmann::json::parse(std::ifstream(out / "run.json"));
    CHECK(run.at("interrupted") == true);
    CHECK(run.at("last_epoch").at("epoch") == saved_epoch(out));

    RunningProgram evaluation({"eval", out.string(), "--json"});
    CHECK(evaluation.finish() == 0);
    const auto again = nlohmann::json::parse(evaluation.output());
    CHECK(again.at("test_accuracy") == result.at("test_accuracy"));
    CHECK(again.at("test_loss") == result.at("test_loss"));
  }
}

TEST_CASE("a signal in the first epoch leaves an earlier training as it was") {
  const TemporaryFolder folder;
  const fs::path out = folder / "run";
  const auto train_once = [&] {
    RunningProgram first({"train", "--epochs", "1", "--out", out.string()});
    REQUIRE(first.finish() == 0);
  };
  train_once();
  const auto model_before = gradus::load_safetensors(out / "model.safetensors");
  const auto metrics_before = fs::file_size(out / "metrics.jsonl");

  // Batches of one image make the first epoch last. On a busy machine the signal may come after it
  // all the same: then once more from the start.
  for (bool in_time = false; !in_time;) {
    RunningProgram second({"train", "--batch-size", "1", "--seed", "2", "--json", "--model", "mlp",
                           "--out", out.string()});
    REQUIRE(second.wait_until([&] { return fs::exists(out / "metrics.jsonl.new"); }));
    second.send(SIGINT);
    const int code = second.finish();
    // Before its handler is there, the signal ends the program: just as well for the files.
    in_time = second.output().empty() ||
              nlohmann::json::parse(second.output()).at("epochs").get<int>() == 0;
    if (in_time) {
      CHECK(code == 130);
    } else {
      train_once();
    }
  }
  CHECK(saved_epoch(out) == 1);
  CHECK(gradus::load_safetensors(out / "model.safetensors").size() == model_before.size());
  CHECK(fs::file_size(out / "metrics.jsonl") == metrics_before);
  CHECK(nlohmann::json::parse(std::ifstream(out / "run.json")).at("model") == "cnn");
}

TEST_CASE("a second signal ends the program at once") {
  const TemporaryFolder folder;
  const fs::path out = folder / "run";
  RunningProgram training({"train", "--epochs", "100000", "--out", out.string()});
  REQUIRE(training.wait_until([&] { return saved_epoch(out) >= 2; }));
  training.send(SIGINT);
  training.send(SIGTERM);
  CHECK(training.finish() == 130);
  RunningProgram evaluation({"eval", out.string()});
  CHECK(evaluation.finish() == 0);
}
