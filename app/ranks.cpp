// Setting up a training on several processes.
#include "ranks.h"

#include <gradus/core/parallel.h>
#include <gradus/core/version.h>
#include <gradus/distributed/in_memory.h>

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>

#include "data_parts.h"
#include "exit_code.h"
#include "json.h"

namespace gradus::app {
namespace {

namespace fs = std::filesystem;

/// What a rank says of a stage: "", or its exit code and the line.
struct Verdict {
  int code = exit_ok;
  std::string line{};
};

std::string text_of_verdict(const Verdict& verdict) {
  return verdict.code == exit_ok ? "" : std::to_string(verdict.code) + " " + verdict.line;
}

Verdict verdict_of(const std::string& text) {
  if (text.empty()) return {};
  const std::size_t space = text.find(' ');
  return {.code = std::stoi(text.substr(0, space)), .line = text.substr(space + 1)};
}

/// Without what the result does not depend on, and what machines may have elsewhere.
RunRecord what_counts(RunRecord run) {
  Settings& settings = run.settings;
  settings.threads = 1;
  settings.workers = 1;
  settings.from.clear();
  settings.data.name = short_name(settings.data);
  settings.data.data_dir.clear();
  return run;
}

/// A new folder for this process, gone with it. Never one that is there already: that is somebody's.
class OwnFolder {
 public:
  OwnFolder() {
    std::string name = (fs::temp_directory_path() / "gradus-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      fail<IoError>(name, ": no folder can be made there: ", std::strerror(errno));
    path_ = name;
  }
  ~OwnFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  OwnFolder(const OwnFolder&) = delete;
  OwnFolder& operator=(const OwnFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// As share_of_processors() takes it. Ranks of one running system have its processors in common.
std::string place_of_this_process() {
  std::string place;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> place;
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return place;
  for (std::size_t number = 0; number < CPU_SETSIZE; ++number) {
    if (CPU_ISSET(number, &allowed)) place += " " + std::to_string(number);
  }
  return place;
}

constexpr char separator = '\0';  // is in no name of a file
constexpr const char* checkpoint = "checkpoint.safetensors";

}  // namespace

int share_of_processors(const std::vector<std::string>& places, std::size_t rank) {
  std::map<std::string, int> users;  // of each processor, by its machine and number
  std::vector<std::string> own;
  for (std::size_t i = 0; i < places.size(); ++i) {
    std::istringstream words(places[i]);
    std::string machine;
    words >> machine;
    for (std::string number; words >> number;) {
      const std::string processor = machine + " " + number;
      ++users[processor];
      if (i == rank) own.push_back(processor);
    }
  }
  if (own.empty()) return 0;
  double share = 0;
  for (const std::string& processor : own) share += 1.0 / users.at(processor);
  constexpr double rounding = 1e-6;  // three thirds are a whole
  return std::max(1, static_cast<int>(share + rounding));
}

Ranks::Ranks(Communicator* world) : world_(world) {
  if (world != nullptr) {
    if (many()) places_ = world_->gather(place_of_this_process(), "the other ranks to start");
    return;
  }
  alone_ = std::move(in_memory_ranks(1)[0]);
  world_ = alone_.get();
}

void Ranks::stage(const std::function<void()>& body) const {
  if (!many()) {
    body();
    return;
  }
  Verdict mine;
  try {
    body();
  } catch (const RankError&) {
    throw;
  } catch (const std::exception& error) {
    mine = {.code = exit_code_of(error), .line = error.what()};
  }
  const std::vector<std::string> all =
      world_->gather(text_of_verdict(mine), "the other ranks to read data and build the net");
  const auto failed =
      std::find_if(all.begin(), all.end(), [](const auto& t) { return !t.empty(); });
  if (failed == all.end()) return;
  const Verdict first = verdict_of(*failed);
  const bool all_alike = std::count(all.begin(), all.end(), *failed) == std::ssize(all);
  const std::string who =
      all_alike ? "" : text_of("rank ", std::distance(all.begin(), failed), ": ");
  throw StageFailed(first.code, who + first.line);
}

void Ranks::agree(const std::function<void()>& body) const {
  if (!many()) {
    body();
    return;
  }
  try {
    body();
  } catch (const RankError&) {
    throw;
  } catch (const Error& error) {
    throw StageFailed(exit_usage, error.what());
  }
}

int Ranks::threads() const {
  if (std::getenv("GRADUS_NUM_THREADS") != nullptr) return num_threads();
  if (!many()) return num_threads();
  const int share = share_of_processors(places_, static_cast<std::size_t>(world_->rank()));
  if (share == 0) {  // no processors are known: of ranks in the same place each has a part of them
    const auto here = std::count(places_.begin(), places_.end(),
                                 places_[static_cast<std::size_t>(world_->rank())]);
    return std::max(1, num_threads() / static_cast<int>(here));
  }
  return std::min(share, num_threads());
}

void Ranks::expect_same(const RunRecord& run) const {
  if (!many()) return;
  std::vector<std::pair<std::string, std::string>> facts{
      {"the version of Gradus", std::string(version)}};
  const auto settings = all_settings(what_counts(run));
  facts.insert(facts.end(), settings.begin(), settings.end());
  expect_same_facts(*world_, facts);
}

void Ranks::share_imported(Settings& settings, bool imported, bool told) const {
  if (!many()) return;
  const std::string mine =
      is_first() && imported ? settings.model + separator + settings.net : std::string();
  const std::string first = world_->gather(mine, "the net of rank 0")[0];
  if (is_first() || told || first.empty()) return;
  const std::size_t end = first.find(separator);
  settings.model = first.substr(0, end);
  settings.net = first.substr(end + 1);
}

void Ranks::share(LoadedRun& run, const fs::path& folder) const {
  std::string bytes;
  stage([&] {
    if (is_first()) bytes = bytes_of_file((folder / checkpoint).string());
  });
  auto size = static_cast<std::int64_t>(bytes.size());
  const std::string what = "the checkpoint";
  world_->broadcast(reinterpret_cast<std::byte*>(&size), sizeof size, what);
  bytes.resize(static_cast<std::size_t>(size));
  world_->broadcast(reinterpret_cast<std::byte*>(bytes.data()), size, what);
  stage([&] {
    if (is_first()) return;
    const OwnFolder own;
    std::ofstream file(own.path() / checkpoint, std::ios::binary);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (!file)
      fail<IoError>(own.path().string(), ": the checkpoint of rank 0 cannot be written there");
    run = load_run(own.path());
  });
}

}  // namespace gradus::app
