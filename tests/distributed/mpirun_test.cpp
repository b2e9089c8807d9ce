// `mpirun gradus train --distributed` from outside, with each MPI that is here: the same bits on any number of processes, and
// what becomes of the others when one is killed, stopped, or is to do something else.
#include <doctest/doctest.h>

#include <gradus/core/math.h>
#include <gradus/core/random.h>
#include <gradus/io/safetensors.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include <support/error_message.h>
#include <support/temporary_folder.h>

#include "mpirun.h"

using namespace gradus;
namespace fs = std::filesystem;

namespace {

/// Of digits, with all that draws random numbers; mobilenet has batch norms.
const Words small{"train",        "--model",      "mobilenet", "--epochs",  "2",
                  "--batch-size", "96",           "--augment", "rotate=10", "--mixup",
                  "0.2",          "--validation", "0.2",       "--quiet"};
const Words quick{"train", "--model", "cnn", "--epochs", "3", "--batch-size", "32", "--quiet"};
const Words together{"--distributed"};

bool mpi_is_here() {
  if (!all_mpi().empty()) return true;
  MESSAGE(
      "not run: no MPI here whose mpirun is known (GRADUS_MPI_PROGRAMS), or a build with "
      "sanitizers");
  return false;
}

/// One process, without mpirun. Only --shards counts.
fs::path trained_alone(const Mpi& mpi, const TemporaryFolder& folder, const Words& settings) {
  const fs::path out = folder / "alone";
  Command command(Words{mpi.program} + settings + Words{"--shards", "8", "--out", out.string()},
                  folder / "alone.log");
  REQUIRE(command.finish() == 0);
  return out;
}

NamedTensors tensors_of(const fs::path& out) {
  return load_safetensors((out / "checkpoint.safetensors").string());
}

/// Model, optimizer, best weights: all that the checkpoint has.
void check_same_bits(const fs::path& found, const fs::path& wanted) {
  const NamedTensors a = tensors_of(found);
  const NamedTensors b = tensors_of(wanted);
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CAPTURE(a[i].first);
    REQUIRE(a[i].first == b[i].first);
    REQUIRE(a[i].second.shape() == b[i].second.shape());
    const auto bytes = static_cast<std::size_t>(a[i].second.numel() * size_of(a[i].second.dtype()));
    CHECK(std::memcmp(a[i].second.storage().data(), b[i].second.storage().data(), bytes) == 0);
  }
}

bool has_checkpoint(const fs::path& out) { return fs::exists(out / "checkpoint.safetensors"); }

/// Waits for the processes of all ranks.
std::map<int, pid_t> all_ranks_of(Command& command, std::size_t count) {
  std::map<int, pid_t> ranks;
  while (ranks.size() < count && !command.has_ended()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ranks = command.ranks();
  }
  return ranks;
}

void check_ended(const std::map<int, pid_t>& ranks) {
  for (const auto& [number, process] : ranks) {
    const int rank = number;
    CAPTURE(rank);
    // mpirun may have ended a moment before its last process.
    for (int i = 0; i < 1000 && ::kill(process, 0) == 0; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    CHECK(::kill(process, 0) != 0);
  }
}

}  // namespace

TEST_CASE("mpirun with 1, 2, 3, 4 and 8 ranks gives the bits of one process with as many shards") {
  if (!mpi_is_here()) return;
  for (const Mpi& mpi : all_mpi()) {
    CAPTURE(mpi.mpirun);
    const TemporaryFolder folder;
    const fs::path alone = trained_alone(mpi, folder, small);
    for (const auto& [number, more] :
         std::vector<std::pair<int, Words>>{{1, {}},
                                            {2, {}},
                                            {3, {"--bucket-size", "1"}},
                                            {4, {"--no-overlap", "--bucket-size", "16"}},
                                            {8, {"--bucket-size", "64"}}}) {
      const int ranks = number;
      CAPTURE(ranks);
      const fs::path out = folder / std::to_string(ranks);
      Command command(
          command_for(mpi, ranks, small + together + more + Words{"--out", out.string()}),
          folder / "log");
      const int code = command.finish();
      CAPTURE(command.output());
      REQUIRE(code == 0);
      check_same_bits(out, alone);
    }
  }
}

TEST_CASE(
    "a rank that is killed ends all within seconds; what was kept goes on, on other ranks, to the "
    "same bits") {
  if (!mpi_is_here()) return;
  // GRADUS_TEST_KILLS=100 for as many with each MPI.
  const char* asked = std::getenv("GRADUS_TEST_KILLS");
  const int kills = asked == nullptr ? 3 : std::atoi(asked);
  constexpr double most_seconds = 30;  // on a busy machine; the watchdog needs none
  for (const Mpi& mpi : all_mpi()) {
    CAPTURE(mpi.mpirun);
    const TemporaryFolder folder;
    const auto start = std::chrono::steady_clock::now();
    const fs::path alone = trained_alone(mpi, folder, quick);
    const std::chrono::duration<double> alone_time = std::chrono::steady_clock::now() - start;
    Generator random(1);
    int killed = 0;
    int named = 0;
    int resumed = 0;
    // Mostly mpirun of MPICH is faster than any watchdog: it goes on until one was.
    for (int round = 0; killed < kills || named == 0; ++round) {
      CAPTURE(round);
      REQUIRE(round < 20 * kills + 20);
      const fs::path out = folder / ("run" + std::to_string(round));
      Command command(
          command_for(mpi, 4,
                      quick + together + Words{"--checkpoint-steps", "5", "--out", out.string()}),
          folder / "log");
      const std::map<int, pid_t> ranks = all_ranks_of(command, 4);
      REQUIRE(ranks.size() == 4);
      const auto victim = static_cast<int>(random.below(4));
      // From the start of MPI to the end of the training and beyond; every other time while it trains, however long the
      // start takes here.
      const bool trains = round % 2 == 1;
      while (trains && !has_checkpoint(out) && !command.has_ended())
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      const double longest = trains ? alone_time.count() : 2 * alone_time.count() + 1;
      std::this_thread::sleep_for(std::chrono::duration<double>(random.uniform() * longest));
      const bool was_there = ::kill(ranks.at(victim), SIGKILL) == 0;
      const int code = command.finish(most_seconds);
      const std::string output = command.output();
      CAPTURE(output);
      REQUIRE(code != -1);
      check_ended(ranks);
      if (!was_there || code == 0) continue;
      ++killed;
      const bool ours = contains(output, "rank " + std::to_string(victim) + " (process ");
      const bool mpiruns =
          contains(output, "exited on signal 9") || contains(output, "Killed (signal 9)");
      named += ours ? 1 : 0;
      CHECK((ours || mpiruns || !trains));  // while MPI starts or ends only mpirun knows
      if (!has_checkpoint(out)) continue;
      const int others = 1 + static_cast<int>(random.below(3));
      Command again(
          command_for(mpi, others, Words{"train", "--resume", out.string(), "--quiet"} + together),
          folder / "log2");
      const int resume_code = again.finish();
      CAPTURE(again.output());
      // 2: all had been done when it was killed.
      REQUIRE((resume_code == 0 || contains(again.output(), "epochs are done")));
      if (resume_code == 0) CHECK((ours || mpiruns));
      check_same_bits(out, alone);
      ++resumed;
    }
    MESSAGE(mpi.mpirun, ": ", killed, " killed, ", named, " named by the watchdog, ", resumed,
            " resumed");
  }
}

TEST_CASE(
    "a rank that is stopped for five seconds does no harm; for longer than the timeout, it is "
    "named") {
  if (!mpi_is_here()) return;
  for (const Mpi& mpi : all_mpi()) {
    CAPTURE(mpi.mpirun);
    const TemporaryFolder folder;
    const fs::path alone = trained_alone(mpi, folder, quick);
    for (const bool for_good : {false, true}) {
      CAPTURE(for_good);
      const fs::path out = folder / (for_good ? "lost" : "slow");
      const Words arguments =
          quick + together +
          Words{"--timeout", for_good ? "10" : "60", "--checkpoint-steps", "1", "--out",
                out.string()} +
          (for_good ? Words{"--seed", "2"} : Words{});
      Command command(command_for(mpi, 3, arguments), folder / "log");
      const std::map<int, pid_t> ranks = all_ranks_of(command, 3);
      REQUIRE(ranks.size() == 3);
      while (!has_checkpoint(out) && !command.has_ended())
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      ::kill(ranks.at(1), SIGSTOP);
      if (!for_good) {
        std::this_thread::sleep_for(std::chrono::seconds(5));
        ::kill(ranks.at(1), SIGCONT);
      }
      const int code = command.finish(120);
      CAPTURE(command.output());
      ::kill(ranks.at(1), SIGKILL);  // some mpirun leave a stopped process behind
      if (for_good) {
        CHECK(code > 0);
        CHECK(
            contains(command.output(), "rank 0: no word from rank 1 for 10 s while waiting for "));
        CHECK(tensors_of(out).size() > 0);
      } else {
        CHECK(code == 0);
        check_same_bits(out, alone);
      }
    }
  }
}

TEST_CASE("ranks that are to train other things are refused before the first step, naming both") {
  if (!mpi_is_here()) return;
  for (const Mpi& mpi : all_mpi()) {
    CAPTURE(mpi.mpirun);
    const TemporaryFolder folder;
    const auto refused = [&](const Words& first, const Words& second) {
      const Words common = quick + together + Words{"--out", folder / "never"};
      const Words command = command_for(mpi, 1, common + first) +
                            Words{":", "-n", "1", mpi.program} + common + second;
      Command running(command, folder / "log");
      CHECK(running.finish(120) == 2);
      CHECK(!fs::exists(folder / "never"));
      return running.output();
    };
    CHECK(contains(refused({"--weight-decay", "0.1"}, {"--weight-decay", "0.2"}),
                   "gradus: distributed: all ranks must compute the same: weight_decay is 0.1 on "
                   "rank 0, 0.2 on rank 1\n"));
    CHECK(contains(refused({"--shards", "8"}, {"--shards", "16"}),
                   "shards is 8 on rank 0, 16 on rank 1"));
    CHECK(contains(refused({}, {"--bucket-size", "7"}),
                   "the size of a bucket is 262144 on rank 0, 7168 on rank 1"));
  }
}

TEST_CASE("what is wrong on all ranks is told once, what is wrong on one with its number") {
  if (!mpi_is_here()) return;
  for (const Mpi& mpi : all_mpi()) {
    CAPTURE(mpi.mpirun);
    const TemporaryFolder folder;
    const Words nowhere{"train", "--quiet",    "--distributed",   "--data",
                        "mnist", "--data-dir", folder / "nowhere"};
    {
      Command command(command_for(mpi, 3, nowhere), folder / "log");
      CHECK(command.finish(120) == 66);
      const std::string output = command.output();
      CAPTURE(output);
      const std::size_t at = output.find("gradus: ");
      REQUIRE(at != std::string::npos);
      CHECK(output.find("gradus: ", at + 1) == std::string::npos);
    }
    Command command(command_for(mpi, 1, quick + together + Words{"--out", folder / "never"}) +
                        Words{":", "-n", "1", mpi.program} + nowhere,
                    folder / "log");
    CHECK(command.finish(120) == 66);
    CHECK(contains(command.output(), "gradus: rank 1: "));
    Command too_many(command_for(mpi, 3, quick + together + Words{"--shards", "2"}),
                     folder / "log");
    CHECK(too_many.finish(120) == 2);
    CHECK(contains(too_many.output(),
                   "gradus: --distributed: 3 processes need as many shards at least, there are 2; "
                   "choose --shards\n"));
  }
}

TEST_CASE("Ctrl-C and SIGUSR1 for mpirun stop all ranks after a step, which is kept and goes on") {
  if (!mpi_is_here()) return;
  // Many short steps: the signal comes in the middle of an epoch, of whichever.
  const Words settings{"train", "--model", "cnn",        "--batch-size", "8",
                       "--lr",  "0.001",   "--schedule", "none",         "--quiet"};
  for (const Mpi& mpi : all_mpi()) {
    CAPTURE(mpi.mpirun);
    for (const int number : {SIGINT, SIGUSR1}) {
      const int signal = number;
      CAPTURE(signal);
      const TemporaryFolder folder;
      const fs::path out = folder / "run";
      nlohmann::json position;
      // After the last step of an epoch nothing would tell that it was kept because of the signal.
      for (int attempt = 0; position.is_null() || position.at("batch") == 0; ++attempt) {
        REQUIRE(attempt < 5);
        fs::remove_all(out);
        Command command(
            command_for(mpi, 2,
                        settings + together + Words{"--epochs", "100000", "--out", out.string()}),
            folder / "log");
        while (!has_checkpoint(out) && !command.has_ended())
          std::this_thread::sleep_for(std::chrono::milliseconds(2));
        command.send(signal);
        const int code = command.finish(120);
        CAPTURE(command.output());
        // OpenMPI's mpirun that is interrupted exits with a code of its own, and hands nothing on any more. That of MPICH,
        // when it has handed on a signal, may exit with 0 whatever its processes do, `sh -c 'exit 130'` too.
        const bool tells = !mpi.is_open_mpi() || signal != SIGINT;
        const bool is_right = code == (tells ? 130 : 1) || (!mpi.is_open_mpi() && code == 0);
        CHECK_MESSAGE(is_right, code);
        if (tells) CHECK(contains(command.output(), "gradus: interrupted; "));
        const std::string file = (out / "checkpoint.safetensors").string();
        position =
            nlohmann::json::parse(read_safetensors_header(file).metadata.at("run")).at("position");
      }
      const Words to_its_end{"--epochs", std::to_string(position.at("epoch").get<int>())};
      Command again(Words{mpi.program, "train", "--resume", out.string(), "--quiet"} + to_its_end,
                    folder / "again.log");
      const int resume_code = again.finish();
      CAPTURE(again.output());
      REQUIRE(resume_code == 0);
      check_same_bits(out, trained_alone(mpi, folder, settings + to_its_end));
    }
  }
}

TEST_CASE("a resume takes nothing away from a folder of temporary files that is there already") {
  if (!mpi_is_here()) return;
  for (const Mpi& mpi : all_mpi()) {
    CAPTURE(mpi.mpirun);
    const TemporaryFolder folder;
    const fs::path alone = trained_alone(mpi, folder, quick);
    const fs::path temporary = folder / "temporary";
    fs::create_directory(temporary);
    // exec keeps the number of the process.
    const std::string script =
        "export TMPDIR=\"$0\"; mkdir \"$TMPDIR/gradus-$$\" && touch \"$TMPDIR/gradus-$$/mine\" && "
        "exec \"$@\"";
    const Words resume = command_for({.mpirun = mpi.mpirun, .program = "/bin/sh"}, 2,
                                     Words{"-c", script, temporary.string(), mpi.program, "train",
                                           "--resume", alone.string(), "--epochs", "4", "--quiet"} +
                                         together);
    Command command(resume, folder / "log");
    const int code = command.finish(120);
    CAPTURE(command.output());
    REQUIRE(code == 0);
    int kept = 0;
    for (const auto& entry : fs::directory_iterator(temporary))
      kept += fs::exists(entry.path() / "mine") ? 1 : 0;
    CHECK(kept == 2);
  }
}

TEST_CASE("only the first process needs the folder of an imported net") {
  if (!mpi_is_here()) return;
  for (const Mpi& mpi : all_mpi()) {
    CAPTURE(mpi.mpirun);
    const TemporaryFolder folder;
    const std::string onnx = GRADUS_FIXTURES "/onnx_import/digits.onnx";
    Command import({mpi.program, "import", onnx, "-o", folder / "net", "--data", "digits"},
                   folder / "import.log");
    const int imported = import.finish();
    CAPTURE(import.output());
    if (contains(import.output(), "this build has no ONNX")) return;
    REQUIRE(imported == 0);
    const Words settings{"train", "--epochs", "1", "--quiet", "--from"};
    const fs::path alone = trained_alone(mpi, folder, settings + Words{(folder / "net").c_str()});
    const Words out{"--out", folder / "together"};
    Command command(command_for(mpi, 1, settings + Words{folder / "net"} + together + out) +
                        Words{":", "-n", "1", mpi.program} + settings +
                        Words{folder / "only there"} + together + out,
                    folder / "log");
    const int code = command.finish(120);
    CAPTURE(command.output());
    REQUIRE(code == 0);
    check_same_bits(folder / "together", alone);
  }
}

TEST_CASE("the mpirun of another MPI is refused, whose processes would each train alone") {
  if (!mpi_is_here()) return;
  if (all_mpi().size() < 2) {
    MESSAGE("not run: one MPI alone is here");
    return;
  }
  for (const Mpi& mpi : all_mpi()) {
    for (const Mpi& other : all_mpi()) {
      if (other.mpirun == mpi.mpirun) continue;
      CAPTURE(mpi.mpirun);
      CAPTURE(other.program);
      const TemporaryFolder folder;
      Command command(command_for({.mpirun = mpi.mpirun, .program = other.program}, 2,
                                  quick + together + Words{"--out", folder / "never"}),
                      folder / "log");
      const int code = command.finish(120);
      CAPTURE(command.output());
      CHECK(code == 2);
      CHECK(contains(command.output(), "mpirun has started 2 processes, and MPI sees 1: "));
      CHECK(!fs::exists(folder / "never"));
    }
  }
}

TEST_CASE("ranks whose matrix products have other kernels are refused") {
  if (!mpi_is_here()) return;
  const std::string blas = core::blas_description();
  if (!contains(blas, "DYNAMIC_ARCH") || contains(blas, "Prescott")) {
    MESSAGE("not run: no other kernels here than those of ", blas);
    return;
  }
  for (const Mpi& mpi : all_mpi()) {
    CAPTURE(mpi.mpirun);
    const TemporaryFolder folder;
    const Words train = quick + together + Words{"--out", folder / "never"};
    Command command(
        command_for(mpi, 1, train) +
            Words{":", "-n", "1", "/usr/bin/env", "OPENBLAS_CORETYPE=Prescott", mpi.program} +
            train,
        folder / "log");
    const int code = command.finish(120);
    CAPTURE(command.output());
    CHECK(code == 2);
    CHECK(contains(command.output(), "all ranks must compute the same: blas is "));
    CHECK(!fs::exists(folder / "never"));
  }
}
