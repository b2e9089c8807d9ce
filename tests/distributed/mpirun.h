// Runs `mpirun ... gradus train ...` from a test, with each MPI that is here, and finds the processes of its ranks.
#pragma once

#include <cctype>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

/// An mpirun, and the program gradus that was linked with its MPI.
struct Mpi {
  std::string mpirun;
  std::string program;

  bool is_open_mpi() const { return mpirun.find("openmpi") != std::string::npos; }
};

/// Those that ctest was told of: GRADUS_MPI_PROGRAMS="mpirun=program|...".
inline std::vector<Mpi> all_mpi() {
  const char* told = std::getenv("GRADUS_MPI_PROGRAMS");
  std::istringstream text(told == nullptr ? "" : told);
  std::vector<Mpi> all;
  for (std::string each; std::getline(text, each, '|');) {
    const std::size_t equals = each.find('=');
    all.push_back({each.substr(0, equals), each.substr(equals + 1)});
  }
  return all;
}

using Words = std::vector<std::string>;

inline Words operator+(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

/// So many ranks on a machine that may have fewer processors, as root in a container too.
inline Words command_for(const Mpi& mpi, int ranks, const Words& arguments) {
  Words command{mpi.mpirun};
  if (mpi.is_open_mpi()) {
    command = command + Words{"--oversubscribe", "--allow-run-as-root", "--bind-to", "none",
                              // Containers do not let processes read each other's memory.
                              "--mca", "btl_vader_single_copy_mechanism", "none"};
  }
  return command + Words{"-n", std::to_string(ranks), mpi.program} + arguments;
}

/// A command in a group of processes of its own, which is killed with it.
class Command {
 public:
  Command(Words words, std::string log) : log_(std::move(log)) {
    process_ = ::fork();
    if (process_ == 0) {
      ::setpgid(0, 0);
      const int file = ::open(log_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
      for (const int descriptor : {STDOUT_FILENO, STDERR_FILENO}) ::dup2(file, descriptor);
      ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);
      ::setenv("GRADUS_NUM_THREADS", "1", 0);
      std::vector<char*> pointers;
      for (std::string& word : words) pointers.push_back(word.data());
      pointers.push_back(nullptr);
      ::execvp(pointers[0], pointers.data());
      ::_exit(127);
    }
  }
  ~Command() {
    if (process_ < 0) return;
    for (const pid_t below : descendants()) ::kill(below, SIGKILL);
    ::kill(-process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  /// Its exit code, 128 and more for a signal; -1 when it has not ended after so many seconds.
  int finish(double seconds = 600) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    int status = 0;
    while (::waitpid(process_, &status, WNOHANG) == 0) {
      if (std::chrono::steady_clock::now() > end) return -1;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    process_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  void send(int signal) const { ::kill(process_, signal); }

  bool has_ended() {
    siginfo_t ended{};
    ::waitid(P_PID, static_cast<id_t>(process_), &ended, WEXITED | WNOHANG | WNOWAIT);
    return ended.si_pid == process_;
  }

  std::string output() const {
    std::ifstream file(log_);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  /// The processes of the ranks, by rank; fewer than there will be while they start.
  std::map<int, pid_t> ranks() const {
    std::map<int, pid_t> found;
    for (const pid_t below : descendants()) {
      std::ifstream file("/proc/" + std::to_string(below) + "/environ");
      for (std::string variable; std::getline(file, variable, '\0');) {
        for (const std::string name : {"OMPI_COMM_WORLD_RANK=", "PMI_RANK="}) {
          if (variable.starts_with(name)) found[std::stoi(variable.substr(name.size()))] = below;
        }
      }
    }
    return found;
  }

 private:
  /// All processes below this one.
  std::vector<pid_t> descendants() const {
    std::multimap<pid_t, pid_t> children;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const std::string name = entry.path().filename().string();
      if (std::isdigit(static_cast<unsigned char>(name[0])) == 0) continue;
      std::ifstream file(entry.path() / "stat");
      std::string text;
      std::getline(file, text);
      const std::size_t behind_name = text.rfind(')');
      if (behind_name == std::string::npos) continue;  // it has ended
      std::istringstream rest(text.substr(behind_name + 1));
      std::string state;
      pid_t parent = 0;
      rest >> state >> parent;
      children.emplace(parent, std::stoi(name));
    }
    std::vector<pid_t> found{process_};
    for (std::size_t i = 0; i < found.size(); ++i) {
      const auto [first, last] = children.equal_range(found[i]);
      for (auto child = first; child != last; ++child) found.push_back(child->second);
    }
    found.erase(found.begin());
    return found;
  }

  pid_t process_ = -1;
  std::string log_;
};
