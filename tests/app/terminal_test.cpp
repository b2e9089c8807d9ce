// What a person at a terminal sees: a bar, and no escape code where none is wanted.
#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>
#include <string>

#include <support/program.h>
#include <support/temporary_folder.h>

namespace {

std::string on_terminal(std::vector<std::pair<std::string, std::string>> environment,
                        int columns = 100, std::vector<std::string> more = {}) {
  const TemporaryFolder folder;
  std::vector<std::string> arguments = {"train", "--epochs", "3", "--out", (folder / "x").string()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  RunningProgram program(arguments, {.out = RunningProgram::Output::terminal,
                                     .environment = std::move(environment),
                                     .columns = columns});
  CHECK(program.finish() == 0);
  return program.output();
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("on a terminal a bar shows loss, rate and time left, and each epoch leaves a line") {
  if (!terminal_available()) return;
  const std::string seen = on_terminal({{"TERM", "xterm"}, {"NO_COLOR", ""}});
  CHECK(holds(seen, "\r\x1b[36mepoch 1/3 ["));
  CHECK(holds(seen, "%  loss "));
  CHECK(holds(seen, " s left"));
  CHECK(holds(seen, "epoch 3/3: loss "));
  CHECK(holds(seen, "cnn on digits: test accuracy"));
}

TEST_CASE("NO_COLOR leaves a bar without escape codes") {
  if (!terminal_available()) return;
  const std::string seen = on_terminal({{"TERM", "xterm"}, {"NO_COLOR", "1"}});
  CHECK(holds(seen, "\repoch 1/3 ["));
  CHECK_FALSE(holds(seen, "\x1b"));
}

TEST_CASE("TERM=dumb and --quiet draw no bar") {
  if (!terminal_available()) return;
  const std::string dumb = on_terminal({{"TERM", "dumb"}});
  CHECK(holds(dumb, "epoch 3/3: loss "));
  CHECK_FALSE(holds(dumb, "["));
  const std::string quiet = on_terminal({{"TERM", "xterm"}}, 100, {"--quiet"});
  CHECK_FALSE(holds(quiet, "epoch 1/3"));
  CHECK(holds(quiet, "cnn on digits: test accuracy"));
}

TEST_CASE("a bar is never wider than its terminal") {
  if (!terminal_available()) return;
  for (const int columns : {20, 60, 90}) {
    const std::string seen = on_terminal({{"TERM", "xterm"}, {"NO_COLOR", "1"}}, columns);
    std::istringstream pieces(seen);
    for (std::string piece; std::getline(pieces, piece, '\r');) {
      if (piece.find("% ") == std::string::npos && piece.find('[') == std::string::npos) continue;
      CHECK(std::min(piece.find('\n'), piece.size()) < static_cast<std::size_t>(columns));
    }
  }
}
