// Trainings that are killed: at random moments, and at every system call by which a checkpoint reaches the
// disk. Each must go on to the very bits of one that was left alone.
#include <doctest/doctest.h>

#include <gradus/core/random.h>
#include <gradus/io/safetensors.h>

#include <nlohmann/json.hpp>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <app/metrics_file.h>
#include <support/error_message.h>
#include <support/program.h>
#include <support/sanitizer.h>
#include <support/temporary_folder.h>

using namespace gradus;
namespace fs = std::filesystem;
using Words = std::vector<std::string>;

namespace {

Words operator+(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

int exit_code(const Words& arguments) { return RunningProgram(arguments).finish(); }

/// All that a training has come to, but for how long it took.
struct Outcome {
  NamedTensors tensors;  // of model and optimizer
  nlohmann::json run;    // what the checkpoint says
  std::string metrics;   // the lines; while it goes on there may be half a one at the end
};

void remove_times(nlohmann::json& json) {
  for (const char* key : {"seconds", "evaluation_seconds", "images_per_second"}) json.erase(key);
}

Outcome outcome_of(const fs::path& folder) {
  Outcome outcome;
  std::map<std::string, std::string> metadata;
  outcome.tensors = load_safetensors((folder / "checkpoint.safetensors").string(), &metadata);
  outcome.run = nlohmann::json::parse(metadata.at("run"));
  for (const char* key : {"threads", "workers", "metrics"}) outcome.run.erase(key);
  for (const char* key : {"position", "last_epoch", "best_epoch"})
    remove_times(outcome.run.at(key));
  outcome.metrics = read_bytes((folder / "metrics.jsonl").string());
  return outcome;
}

nlohmann::json without_times(const std::string& metrics) {
  nlohmann::json result;
  std::istringstream lines(metrics);
  for (std::string line; std::getline(lines, line);) {
    result.push_back(nlohmann::json::parse(line));
    remove_times(result.back());
  }
  return result;
}

/// Of trainings that have ended.
void check_same(const Outcome& found, const Outcome& wanted) {
  CHECK(found.run == wanted.run);
  CHECK(without_times(found.metrics) == without_times(wanted.metrics));
  REQUIRE(found.tensors.size() == wanted.tensors.size());
  for (std::size_t i = 0; i < wanted.tensors.size(); ++i) {
    CAPTURE(wanted.tensors[i].first);
    CHECK(found.tensors[i].first == wanted.tensors[i].first);
    const Tensor& tensor = found.tensors[i].second;
    const Tensor& other = wanted.tensors[i].second;
    REQUIRE(tensor.shape() == other.shape());
    REQUIRE(tensor.dtype() == other.dtype());
    const auto bytes = static_cast<std::size_t>(tensor.numel() * size_of(tensor.dtype()));
    CHECK(std::memcmp(tensor.storage().data(), other.storage().data(), bytes) == 0);
  }
}

bool holds_checkpoint(const fs::path& folder) {
  return fs::exists(folder / "checkpoint.safetensors");
}

/// Nothing but the two files; a temporary one only until the next checkpoint.
void check_tidy(const fs::path& folder) {
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const bool known = name == "checkpoint.safetensors" || name == "metrics.jsonl";
    CHECK_MESSAGE(known, name);
  }
}

/// By writing into a pipe a sanitizer of undefined behaviour learns whether memory can be read.
bool is_pipe(pid_t process, std::uint64_t descriptor) {
  std::error_code error;
  const fs::path file = fs::read_symlink(
      "/proc/" + std::to_string(process) + "/fd/" + std::to_string(descriptor), error);
  return file.string().starts_with("pipe:");
}

/// The calls of a process that change what is on the disk, by name; "" for the others.
std::string name_of(const __ptrace_syscall_info& call, pid_t process) {
  switch (call.entry.nr) {
    case SYS_write:
      return is_pipe(process, call.entry.args[0]) ? "" : "write";
    case SYS_pwrite64:
      return "pwrite";
    case SYS_ftruncate:
      return "truncate";
    case SYS_fsync:
      return "fsync";
    case SYS_rename:
      return "rename";
    case SYS_unlink:
      return "unlink";
    case SYS_openat:
      return (call.entry.args[2] & O_CREAT) != 0 ? "create" : "";
    default:
      return "";
  }
}

/// Does this system let no process be traced, as containers may? Only then can the tests that trace not run.
bool tracing_is_refused() {
  const pid_t child = ::fork();
  if (child == 0)
    ::_exit(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0 && errno == EPERM ? 1 : 0);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status) == 1;
}

const std::string stands_aside =
    "not run: ptrace, by which a training is stopped at its calls, is not permitted here (EPERM)";

struct Traced {
  bool killed = false;
  Words calls;  // those that were begun
};

/// Runs the program and kills it as it begins the `fatal`-th of those calls, counted from 0.
Traced run_until_call(Words arguments, std::size_t fatal) {
  arguments.insert(arguments.begin(), GRADUS_PROGRAM);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    for (const int descriptor : {STDOUT_FILENO, STDERR_FILENO})
      ::dup2(::open("/dev/null", O_WRONLY), descriptor);
    ::setenv("ASAN_OPTIONS", "detect_leaks=0", 1);  // which would trace the program too
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::execv(GRADUS_PROGRAM, pointers.data());
    ::_exit(127);
  }
  Traced traced;
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFSTOPPED(status));  // by execv
  ::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  long signal = 0;
  for (;;) {
    ::ptrace(PTRACE_SYSCALL, child, nullptr, signal);
    ::waitpid(child, &status, 0);
    if (WIFEXITED(status) || WIFSIGNALED(status)) break;
    const bool at_call = WSTOPSIG(status) == (SIGTRAP | 0x80);
    signal = at_call ? 0 : WSTOPSIG(status);
    if (!at_call) continue;
    __ptrace_syscall_info call{};
    ::ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof call, &call);
    if (call.op != PTRACE_SYSCALL_INFO_ENTRY) continue;
    const std::string name = name_of(call, child);
    if (name.empty()) continue;
    if (traced.calls.size() == fatal) {
      traced.killed = true;
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      break;
    }
    traced.calls.push_back(name);
  }
  return traced;
}

constexpr std::size_t never = SIZE_MAX;

}  // namespace

TEST_CASE("killed at a random moment, a training goes on to the same bits") {
  // GRADUS_TEST_KILLS=300 for as many of each kind.
  const char* asked = std::getenv("GRADUS_TEST_KILLS");
  const int least_kills = asked == nullptr ? 0 : std::atoi(asked);
  int in_the_middle = 0;  // of an epoch
  int killed_again = 0;
  // With the state of every optimizer; mobilenet has batch norms; with all that draws random numbers, and with
  // the weights of the best epoch.
  const std::vector<Words> kinds{
      {"--model", "cnn", "--optimizer", "adam", "--augment", "crop=1,rotate=10", "--mixup", "0.2",
       "--validation", "0.2", "--clip-norm", "5", "--label-smoothing", "0.1"},
      {"--model", "mobilenet", "--optimizer", "sgd", "--schedule", "step"},
      {"--model", "mlp", "--optimizer", "adamw", "--patience", "1", "--validation", "0.1"}};
  for (const Words& kind : kinds) {
    const TemporaryFolder folder;
    const Words settings = Words{"train", "--epochs", "2", "--batch-size", "64", "--quiet"} + kind;
    int all_kills = 0;
    const auto start = std::chrono::steady_clock::now();
    REQUIRE(exit_code(settings + Words{"--out", folder / "whole"}) == 0);
    const std::chrono::duration<double> whole_time = std::chrono::steady_clock::now() - start;
    const Outcome whole = outcome_of(folder / "whole");

    Generator random(1);
    // On a slow machine or a fast one the moments lie elsewhere: until each kind was met.
    for (int round = 0; round < (under_sanitizer() ? 1 : 4) || in_the_middle < 2 ||
                        killed_again == 0 || all_kills < least_kills;
         ++round) {
      REQUIRE(round < 200 + least_kills);
      const fs::path out = folder / ("run" + std::to_string(round));
      const Words fresh = settings + Words{"--checkpoint-steps", "3", "--out", out.string()};
      bool done = false;
      for (int kills = 0; !done; ++kills) {
        const bool resumes = holds_checkpoint(out);
        Words arguments =
            resumes ? Words{"train", "--resume", out.string(), "--quiet", "--checkpoint-steps", "5"}
                    : fresh;
        arguments = arguments + Words{"--threads", round % 2 == 0 ? "1" : "2"};
        if (!resumes) arguments = arguments + Words{"--workers", round % 3 == 0 ? "1" : "3"};
        if (kills == 3) {
          CHECK(exit_code(arguments) == 0);
          break;
        }
        RunningProgram training(arguments);
        const double seconds = random.uniform() * whole_time.count();
        std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
        training.send(SIGKILL);
        const int code = training.finish();
        CHECK((code == 0 || code == 128 + SIGKILL));
        done = code == 0;
        all_kills += done ? 0 : 1;
        if (!holds_checkpoint(out)) continue;
        const Outcome so_far = outcome_of(out);
        in_the_middle += so_far.run.at("position").at("batch") > 0 ? 1 : 0;
        killed_again += resumes && !done ? 1 : 0;
        done = done || so_far.run.at("position").at("epoch") == 3;
      }
      const Outcome found = outcome_of(out);
      check_same(found, whole);
      check_tidy(out);
    }
  }
}

TEST_CASE("killed at any call that writes, a training has lost nothing that it had kept") {
  if (tracing_is_refused()) {
    MESSAGE(stands_aside);
    return;
  }
  const TemporaryFolder folder;
  const Words settings{"train",   "--model",      "mlp", "--epochs",  "1",
                       "--quiet", "--batch-size", "500", "--threads", "1"};
  REQUIRE(exit_code(settings + Words{"--out", folder / "whole"}) == 0);
  const Outcome whole = outcome_of(folder / "whole");
  REQUIRE(exit_code(settings + Words{"--seed", "2", "--out", folder / "earlier"}) == 0);
  const Outcome earlier = outcome_of(folder / "earlier");

  // Into a new folder, and in the place of an earlier training.
  for (const bool overwrites : {false, true}) {
    CAPTURE(overwrites);
    const fs::path out = folder / "run";
    const Words arguments =
        settings + Words{"--checkpoint-steps", "2", "--overwrite", "--out", out.string()};
    int of_earlier = 0;
    int unfinished = 0;
    int kills = 0;
    for (std::size_t call = 0;; ++call) {
      CAPTURE(call);
      if (!takes_its_turn(call, 7, 7)) continue;
      fs::remove_all(out);
      if (overwrites) fs::copy(folder / "earlier", out);
      const Traced traced = run_until_call(arguments, call);
      if (!traced.killed) break;
      ++kills;
      if (!holds_checkpoint(out)) {  // killed before the first: then nothing was promised
        CHECK(!overwrites);
        continue;
      }
      Outcome found = outcome_of(out);
      if (found.run.at("seed") == 2) {
        ++of_earlier;
        CHECK(found.run == earlier.run);
        CHECK(exit_code({"eval", out.string()}) == 0);
        REQUIRE(exit_code({"train", "--resume", out.string(), "--epochs", "2"}) == 0);
        check_tidy(out);
        continue;
      }
      if (found.run.at("position").at("epoch") == 1) {
        ++unfinished;
        REQUIRE(exit_code({"train", "--resume", out.string(), "--quiet"}) == 0);
        check_tidy(out);
        found = outcome_of(out);
      }
      check_same(found, whole);
    }
    CHECK((of_earlier > 0) == overwrites);
    CHECK(unfinished > 0);
    MESSAGE("killed at ", kills, " calls");
  }
}

TEST_CASE("what a checkpoint counts is on the disk before it, and it before its name") {
  if (tracing_is_refused()) {
    MESSAGE(stands_aside);
    return;
  }
  const TemporaryFolder folder;
  const Traced traced = run_until_call({"train", "--model", "mlp", "--epochs", "2", "--quiet",
                                        "--batch-size", "500", "--out", folder / "run"},
                                       never);
  std::string order;
  for (const std::string& call : traced.calls) order += call + " ";
  // What a sanitizer does as the program starts is not ours.
  REQUIRE(order.find("create ") != std::string::npos);
  order.erase(0, order.find("create "));
  CAPTURE(order);
  // Whether the folder can be written; then the lines, the temporary file, its name, the folder; the first time
  // the name of metrics.jsonl, the folder, and the one above it; at last the result.
  const std::string checkpoint = "pwrite fsync create (write )+fsync rename fsync ";
  const std::string first = "create unlink unlink create " + checkpoint + "rename fsync fsync ";
  CHECK(std::regex_match(order, std::regex(first + checkpoint + "write ")));
}

TEST_CASE("only one process trains in a folder") {
  const TemporaryFolder folder;
  const std::string out = folder / "run";
  RunningProgram first({"train", "--epochs", "100000", "--quiet", "--out", out});
  REQUIRE(first.wait_until([&] { return holds_checkpoint(out); }));
  struct Way {
    std::string words;
    std::string named;  // how the folder is, in the error
  };
  for (const Way& way :
       {Way{"train --resume ", "--resume "}, Way{"train --overwrite --out ", "--out "},
        Way{"serve --port 0 ", "serve "}}) {
    CAPTURE(way.words);
    const std::string log = folder / "log";
    const std::string told = folder / "told";
    static_cast<void>(
        std::system((GRADUS_PROGRAM " " + way.words + out + " >" + told + " 2>" + log).c_str()));
    CHECK(contains(read_bytes(log),
                   "gradus: " + way.named + out + ": another process is training there"));
    CHECK(read_bytes(told).empty());  // such as where a page is that nobody shows
  }
  CHECK(exit_code({"eval", out}) == 0);
  first.send(SIGINT);
  CHECK(first.finish() == 130);
  CHECK(exit_code({"train", "--resume", out, "--epochs", "1"}) == 2);  // it was longer already
}

TEST_CASE("a training whose folder is replaced ends, and writes nothing into the other one") {
  const TemporaryFolder folder;
  const fs::path out = folder / "run";
  RunningProgram first({"train", "--epochs", "100000", "--quiet", "--out", out.string()});
  REQUIRE(first.wait_until([&] { return holds_checkpoint(out); }));
  fs::rename(out, folder / "elsewhere");
  REQUIRE(exit_code({"train", "--epochs", "1", "--quiet", "--seed", "2", "--out", out.string()}) ==
          0);
  CHECK(first.finish() == 74);
  CHECK(outcome_of(out).run.at("seed") == 2);
  CHECK(exit_code({"train", "--resume", (folder / "elsewhere").string(), "--epochs", "1"}) == 2);
}

TEST_CASE(
    "lines that a checkpoint does not count are cut off, those of another training are put aside") {
  const TemporaryFolder folder;
  const fs::path out = folder / "run";
  REQUIRE(exit_code({"train", "--epochs", "1", "--quiet", "--out", out.string()}) == 0);
  const std::string lines = read_bytes(out / "metrics.jsonl");
  write_bytes(out / "metrics.jsonl", lines + "{\"half");
  REQUIRE(exit_code({"train", "--resume", out.string(), "--epochs", "2"}) == 0);
  std::string longer = read_bytes(out / "metrics.jsonl");
  CHECK(longer.substr(0, lines.size()) == lines);
  CHECK(!contains(longer, "half"));

  longer.at(10) = '#';
  write_bytes(out / "metrics.jsonl", longer);
  REQUIRE(exit_code({"train", "--resume", out.string(), "--epochs", "3"}) == 0);
  CHECK(read_bytes(out / "metrics.jsonl.old") == longer);
  const std::string anew = read_bytes(out / "metrics.jsonl");
  CHECK(contains(anew, "\"epoch\":3"));
  CHECK(!contains(anew, "\"epoch\":2"));
}

TEST_CASE(
    "lines that cannot be read are not taken for those of another training, and stay in place") {
  const TemporaryFolder folder;
  const fs::path file = folder / "metrics.jsonl";
  app::MetricsRecord counted;
  {
    app::MetricsFile lines(file);
    lines.add("{}");
    counted = lines.flush();
    lines.take_name();
  }
  // Root may read everything, and so is somebody else meanwhile, who may do in this folder what he wants.
  fs::permissions(folder.path(), fs::perms::all);
  const bool root = ::geteuid() == 0;
  if (root && ::seteuid(65534) != 0) {
    MESSAGE("skipped: root, and no other user can be had: " << std::strerror(errno));
    return;
  }
  for (const fs::perms mode : {fs::perms::none, fs::perms::owner_read | fs::perms::others_read}) {
    if (root) REQUIRE(::seteuid(0) == 0);
    fs::permissions(file, mode);
    if (root) REQUIRE(::seteuid(65534) == 0);
    app::MetricsFile lines(file);
    CHECK(message_of<IoError>([&] { lines.go_on_from(counted); }) ==
          file.string() + ": cannot be read: Permission denied");
    CHECK(folder.entries() == 1);
  }
  if (root) REQUIRE(::seteuid(0) == 0);
  fs::permissions(file, fs::perms::owner_all);
  CHECK(read_bytes(file) == "{}\n");
}

TEST_CASE("lines that had not got their name when a training was killed are its own all the same") {
  const TemporaryFolder folder;
  const fs::path out = folder / "run";
  const std::string named = out / "metrics.jsonl";
  const std::string unnamed = named + ".new";
  REQUIRE(exit_code({"train", "--epochs", "1", "--quiet", "--out", out.string()}) == 0);
  const std::string lines = read_bytes(named);
  const auto kill_before_the_name = [&](const std::string& of_another) {
    fs::rename(named, unnamed);
    if (!of_another.empty()) write_bytes(named, of_another);
  };
  for (const std::string& of_another : Words{"", "{}\n"}) {
    CAPTURE(of_another);
    kill_before_the_name(of_another);
    CHECK(exit_code({"eval", out.string()}) == 0);
    CHECK(exit_code({"compare", out.string(), out.string()}) == 0);
    // Another training begins in its place, and cannot write its first checkpoint.
    const std::string other = "ulimit -f 100; exec " GRADUS_PROGRAM
                              " train --epochs 1 --seed 9 --quiet --overwrite --out " +
                              out.string() + " 2>/dev/null";
    CHECK(WEXITSTATUS(std::system(other.c_str())) == 74);
    CHECK(read_bytes(named) == lines);
    check_tidy(out);
  }
  kill_before_the_name("");
  REQUIRE(exit_code({"train", "--resume", out.string(), "--epochs", "2"}) == 0);
  CHECK(read_bytes(named).substr(0, lines.size()) == lines);
  check_tidy(out);
  // Of one that was to be written over this one, and was killed before its checkpoint.
  write_bytes(unnamed, "{}\n");
  REQUIRE(exit_code({"train", "--resume", out.string(), "--epochs", "3"}) == 0);
  check_tidy(out);
}

TEST_CASE("on a disk that is full an earlier training is whole, its lines too") {
  const TemporaryFolder folder;
  const std::string out = folder / "run";
  REQUIRE(exit_code({"train", "--epochs", "1", "--quiet", "--out", out}) == 0);
  const std::string checkpoint = read_bytes(out + "/checkpoint.safetensors");
  const std::string metrics = read_bytes(out + "/metrics.jsonl");
  // Files of at most 50 KiB: enough for the lines, not for the checkpoint.
  const std::string training = "ulimit -f 100; exec " GRADUS_PROGRAM
                               " train --epochs 2 --seed 9 --quiet --overwrite --out " +
                               out;
  const int status = std::system((training + " 2>" + out + ".log").c_str());
  CHECK(WEXITSTATUS(status) == 74);
  CHECK(contains(read_bytes(out + ".log"), "checkpoint.safetensors: cannot write: File too large"));
  CHECK(read_bytes(out + "/checkpoint.safetensors") == checkpoint);
  CHECK(read_bytes(out + "/metrics.jsonl") == metrics);
  check_tidy(out);
}

TEST_CASE("more epochs go on from the last one") {
  const TemporaryFolder folder;
  const std::string out = folder / "run";
  const Words settings{"train", "--model", "mlp", "--schedule", "none", "--quiet"};
  REQUIRE(exit_code(settings + Words{"--epochs", "3", "--out", folder / "whole"}) == 0);
  REQUIRE(exit_code(settings + Words{"--epochs", "1", "--out", out}) == 0);
  REQUIRE(exit_code({"train", "--resume", out, "--epochs", "3"}) == 0);
  check_same(outcome_of(out), outcome_of(folder / "whole"));
}

TEST_CASE("nobody reads what a training says, and it goes on") {
  const TemporaryFolder folder;
  const Words settings{"train", "--model", "mlp", "--epochs", "2", "--batch-size", "500"};
  REQUIRE(exit_code(settings + Words{"--quiet", "--out", folder / "whole"}) == 0);
  const Outcome whole = outcome_of(folder / "whole");
  const std::string program =
      std::string(GRADUS_PROGRAM) + " train --model mlp --epochs 2 --batch-size 500 --out ";
  int number = 0;
  for (const char* streams :
       {" 2>&-", " >&- 2>&-", " <&- >&- 2>&-", " 2>/dev/full", " 2>&1 | head -n 1 >/dev/null"}) {
    CAPTURE(streams);
    const std::string out = folder / ("run" + std::to_string(number++));
    static_cast<void>(std::system((program + out + streams).c_str()));
    const auto is_done = [&] {
      return holds_checkpoint(out) && outcome_of(out).run.at("position").at("epoch") == 3;
    };
    for (int i = 0; i < 6000 && !is_done(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    REQUIRE(exit_code({"eval", out}) == 0);
    check_same(outcome_of(out), whole);
  }
}
