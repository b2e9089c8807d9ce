// What of a training is on the disk when steps ruin it: the last checkpoint that went well, for whichever process finds out.
#include <doctest/doctest.h>
#include <gradus/layers/models.h>

#include <app/json.h>
#include <app/records.h>
#include <app/resolve.h>
#include <app/run_folder.h>
#include <support/error_message.h>
#include <support/temporary_folder.h>

#include <filesystem>
#include <string>

namespace app = gradus::app;
namespace fs = std::filesystem;
using app::Position;
using app::RunFolder;
using app::RunRecord;

namespace {

RunRecord record_after(std::int64_t epoch, std::int64_t batch) {
  app::TrainOptions asked;
  asked.data = "digits";
  asked.model = "mlp";
  asked.epochs = 9;
  RunRecord run;
  run.settings = app::resolve(asked);
  run.image = {1, 8, 8, 10};
  run.last.epoch = epoch;
  run.last.test_loss = 0.5;
  run.position = {.epoch = epoch + 1, .batch = batch, .step = 10 * epoch + batch};
  run.data_checksum = "00000000";
  return run;
}

/// Keeps the state after `epoch` and `batch` steps more.
void keep(RunFolder& folder, std::int64_t epoch, std::int64_t batch) {
  RunRecord run = record_after(epoch, batch);
  const gradus::Sequential model = gradus::make_model("mlp", run.image);
  folder.keep(model, {}, run, run.tested());
}

std::int64_t step_in(const fs::path& folder) { return app::load_record(folder).position.step; }

bool has_tested(const fs::path& folder) {
  return fs::exists(folder / "checkpoint.tested.safetensors");
}

void find_ruin(const fs::path& path, std::int64_t step) {
  RunFolder folder(path, RunFolder::Purpose::resume);
  RunRecord run = app::load_record(path);
  folder.go_on_from(run);
  const gradus::Sequential model = gradus::make_model("mlp", run.image);
  folder.keep_diverged(model, {}, run, Position{.epoch = 3, .batch = 2, .step = step});
}

}  // namespace

TEST_CASE("the last good checkpoint outlives the process that kept another in its place") {
  const TemporaryFolder temporary;
  const fs::path path = temporary / "run";
  {
    RunFolder folder(path, RunFolder::Purpose::fresh);
    keep(folder, 1, 0);
    CHECK_FALSE(has_tested(path));
    keep(folder, 1, 3);
    CHECK(has_tested(path));
    CHECK(step_in(path) == 13);
    keep(folder, 2, 0);
    CHECK_FALSE(has_tested(path));
    keep(folder, 2, 1);
    keep(folder, 2, 2);  // the ruin, of which nobody knows yet
  }
  CHECK(has_tested(path));
  CHECK(step_in(path) == 22);
  find_ruin(path, 23);
  CHECK(step_in(path) == 20);
  CHECK_FALSE(has_tested(path));
  CHECK_FALSE(app::load_record(path).diverged);
  // Found again from there, the checkpoint stays.
  find_ruin(path, 21);
  CHECK(step_in(path) == 20);
}

TEST_CASE("a training that replaces another leaves nothing of it to be put back") {
  const TemporaryFolder temporary;
  const fs::path path = temporary / "run";
  {
    RunFolder folder(path, RunFolder::Purpose::fresh);
    keep(folder, 1, 0);
    keep(folder, 1, 1);
  }
  CHECK(has_tested(path));
  {
    RunFolder folder(path, RunFolder::Purpose::overwrite);
    keep(folder, 0, 1);
  }
  CHECK_FALSE(has_tested(path));
  CHECK(app::would_replace(path, (path / "checkpoint.tested.safetensors").string()));
  find_ruin(path, 2);
  CHECK(step_in(path) == 1);
}
