// Ctrl-C: the training stops after its step, all that was done is kept, and nothing else is harmed.
#include <doctest/doctest.h>
#include <gradus/io/safetensors.h>

#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>

#include <support/program.h>
#include <support/temporary_folder.h>

namespace fs = std::filesystem;

namespace {

/// What the checkpoint in `folder` says of the training; null when there is none.
nlohmann::json checkpoint_of(const fs::path& folder) {
  const fs::path file = folder / "checkpoint.safetensors";
  if (!fs::exists(file)) return {};
  return nlohmann::json::parse(gradus::read_safetensors_header(file).metadata.at("run"));
}

/// The last whole epoch of that training.
int saved_epoch(const fs::path& folder) {
  const nlohmann::json run = checkpoint_of(folder);
  return run.is_null() ? 0 : run.at("last_epoch").at("epoch").get<int>();
}

}  // namespace

TEST_CASE("a signal in the middle of a training leaves all steps that were done") {
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) {
    const TemporaryFolder folder;
    const fs::path out = folder / "run";
    RunningProgram training({"train", "--epochs", "100000", "--json", "--out", out.string()});
    REQUIRE(training.wait_until([&] { return saved_epoch(out) >= 2; }));
    training.send(signal);
    CHECK(training.finish() == 130);

    const auto result = nlohmann::json::parse(training.output());
    CHECK(result.at("interrupted") == true);
    CHECK(result.at("epochs") == saved_epoch(out));
    const nlohmann::json run = checkpoint_of(out);
    CHECK(run.at("last_epoch").at("test_accuracy") == result.at("test_accuracy"));
    CHECK(run.at("position").at("epoch") == saved_epoch(out) + 1);
    int steps = 0;
    std::ifstream metrics(out / "metrics.jsonl");
    for (std::string line; std::getline(metrics, line);)
      steps += nlohmann::json::parse(line).at("event") == "step" ? 1 : 0;
    CHECK(run.at("position").at("step") == steps);

    RunningProgram evaluation({"eval", out.string(), "--json"});
    CHECK(evaluation.finish() == 0);
    CHECK(nlohmann::json::parse(evaluation.output()).at("epochs") == result.at("epochs"));
  }
}

TEST_CASE("a signal in the first epoch leaves the earlier training that would be written over") {
  const TemporaryFolder folder;
  const fs::path out = folder / "run";
  const auto train_once = [&] {
    RunningProgram first({"train", "--epochs", "1", "--overwrite", "--out", out.string()});
    REQUIRE(first.finish() == 0);
  };
  train_once();
  nlohmann::json before = checkpoint_of(out);

  // Batches of one image make the first epoch last. Where the signal comes after it all the same: once more
  // from the start, and sooner.
  for (auto [in_time, wait] = std::pair(false, std::chrono::milliseconds(100)); !in_time;
       wait /= 2) {
    RunningProgram second({"train", "--batch-size", "1", "--seed", "2", "--json", "--model", "mlp",
                           "--overwrite", "--out", out.string()});
    std::this_thread::sleep_for(wait);
    second.send(SIGINT);
    const int code = second.finish();
    // Before its handler is there, the signal ends the program: just as well for the files.
    in_time = second.output().empty() ||
              nlohmann::json::parse(second.output()).at("epochs").get<int>() == 0;
    if (in_time) {
      CHECK(code == 130);
    } else {
      train_once();
      before = checkpoint_of(out);
    }
  }
  CHECK(checkpoint_of(out) == before);
  CHECK(fs::file_size(out / "metrics.jsonl") == before.at("metrics").at("bytes"));
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

TEST_CASE("a request to stop may come as often as it likes, and before Ctrl-C") {
  const TemporaryFolder folder;
  const fs::path out = folder / "run";
  // A step takes long enough for all signals to come within it.
  RunningProgram training({"train", "--model", "mobilenet", "--epochs", "100000", "--batch-size",
                           "1437", "--checkpoint-steps", "1", "--json", "--out", out.string()});
  REQUIRE(training.wait_until([&] { return checkpoint_of(out).is_object(); }));
  for (const int signal : {SIGUSR1, SIGUSR1, SIGINT}) {
    training.send(signal);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  CHECK(training.finish() == 130);
  // Who is ended at once prints nothing.
  REQUIRE(!training.output().empty());
  CHECK(nlohmann::json::parse(training.output()).at("interrupted") == true);
  CHECK(checkpoint_of(out).at("position").at("step") >= 1);
}
