// Switches in the environment: what is not understood is said, and changes nothing.
#include <doctest/doctest.h>
#include <gradus/core/detail/environment.h>

#include <array>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "support/temporary_folder.h"

namespace gradus {
namespace {

constexpr const char* name = "GRADUS_TEST_SWITCH";

struct Answer {
  bool value = false;
  std::string said;
};

/// What the switch is, and what was written to stderr on the way.
Answer ask(bool otherwise) {
  const TemporaryFolder folder;
  const int file = ::open((folder / "stderr").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  const int kept = ::dup(STDERR_FILENO);
  REQUIRE(file >= 0);
  REQUIRE(kept >= 0);
  ::dup2(file, STDERR_FILENO);
  Answer answer{detail::switch_from_environment(name, otherwise), {}};
  ::dup2(kept, STDERR_FILENO);
  std::array<char, 200> text{};
  const ssize_t length = ::pread(file, text.data(), text.size(), 0);
  if (length > 0) answer.said.assign(text.data(), static_cast<std::size_t>(length));
  ::close(kept);
  ::close(file);
  return answer;
}

}  // namespace

TEST_CASE("a switch in the environment is 0 or 1") {
  for (const bool otherwise : {false, true}) {
    ::unsetenv(name);
    CHECK(ask(otherwise).value == otherwise);
    for (const bool value : {false, true}) {
      ::setenv(name, value ? "1" : "0", 1);
      const Answer answer = ask(otherwise);
      CHECK(answer.value == value);
      CHECK(answer.said.empty());
    }
    ::setenv(name, "", 1);
    CHECK(ask(otherwise).value == otherwise);
    CHECK(ask(otherwise).said.empty());
  }
  ::unsetenv(name);
}

TEST_CASE("a switch that nobody understands is said, and changes nothing") {
  for (const char* text : {"yes", "true", "on", "2", "01", " 1"}) {
    CAPTURE(text);
    ::setenv(name, text, 1);
    const Answer answer = ask(false);
    CHECK(!answer.value);
    CHECK(answer.said == "gradus: warning: GRADUS_TEST_SWITCH='" + std::string(text) +
                             "' is neither 0 nor 1; using 0\n");
    CHECK(ask(true).value);
    CHECK(ask(true).said.find("; using 1\n") != std::string::npos);
  }
  ::unsetenv(name);
}

}  // namespace gradus
