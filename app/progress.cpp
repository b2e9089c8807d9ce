// The bar is one line, at most as wide as the terminal: a longer one would wrap, and could not
// be drawn over.
#include "progress.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <sys/ioctl.h>
#include <unistd.h>

namespace gradus::app {
namespace {

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

bool can_draw() {
  if (isatty(STDERR_FILENO) == 0) return false;
  const char* terminal = std::getenv("TERM");
  return terminal == nullptr || std::string_view(terminal) != "dumb";
}

/// "7 s", "3:07", "1:02:03".
std::string duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::ceil(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

}  // namespace

DrawnLine::DrawnLine() : possible_(can_draw()), color_(!is_set("NO_COLOR")) {}

std::size_t DrawnLine::columns() const {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

void DrawnLine::draw(std::string text) {
  const std::size_t width = text.size();
  // What is left of a longer line is overwritten by spaces, which needs no escape code.
  text.append(drawn_ > width ? drawn_ - width : 0, ' ');
  drawn_ = width;
  if (color_) text = "\x1b[36m" + text + "\x1b[0m";
  std::fputs(("\r" + text).c_str(), stderr);
  std::fflush(stderr);
}

void DrawnLine::clear() {
  if (drawn_ == 0) return;
  std::fputs(("\r" + std::string(drawn_, ' ') + "\r").c_str(), stderr);
  std::fflush(stderr);
  drawn_ = 0;
}

void TaskProgress::show(std::int64_t done, std::int64_t total) {
  constexpr std::chrono::seconds patience{2};
  const Clock::time_point now = Clock::now();
  const auto pause = line_.possible() ? std::chrono::milliseconds(100) : std::chrono::seconds(30);
  if (now - start_ < patience || now - last_ < pause || done < 1 || total < 1) return;
  last_ = now;
  const double left =
      seconds_since(start_) * static_cast<double>(total - done) / static_cast<double>(done);
  std::string text = fmt::format("{}: {} of {}, {}%, {} left", what_, done, total,
                                 100 * done / total, duration(left));
  if (line_.possible()) {
    line_.draw(text.substr(0, line_.columns() - 1));
  } else {
    std::fputs((text + "\n").c_str(), stderr);
  }
}

Progress::Progress(bool quiet, std::int64_t epochs, std::int64_t steps, std::int64_t done)
    : quiet_(quiet), epochs_(epochs), steps_(steps), done_(done) {}

void Progress::step(const StepRecord& step, double images_per_second) {
  loss_ = step.step == done_ + 1 ? step.loss : loss_ + (step.loss - loss_) / 20;
  if (quiet_ || !bar_.possible()) return;
  const Clock::time_point now = Clock::now();
  if (now - last_draw_ < std::chrono::milliseconds(100)) return;
  last_draw_ = now;
  bar_.draw(bar(step, images_per_second));
}

std::string Progress::bar(const StepRecord& step, double images_per_second) const {
  const std::int64_t done = step.step - (step.epoch - 1) * steps_;
  const std::string head = fmt::format("epoch {}/{} ", step.epoch, epochs_);
  const std::string tail =
      fmt::format(" {:3}%  loss {:.4f}  {:.0f} images/s  {} left", 100 * done / steps_, loss_,
                  images_per_second, duration(seconds_left(step.step)));
  const std::size_t columns = bar_.columns() - 1;  // the last one would wrap on some terminals
  const std::size_t used = head.size() + tail.size() + 2;
  if (used + 5 > columns) return (head + tail).substr(0, columns);
  const std::size_t cells = std::min<std::size_t>(columns - used, 30);
  const std::size_t full =
      cells * static_cast<std::size_t>(done) / static_cast<std::size_t>(steps_);
  return fmt::format("{}[{}{}]{}", head, std::string(full, '='), std::string(cells - full, ' '),
                     tail);
}

double Progress::seconds_left(std::int64_t steps_done) const {
  const double elapsed = seconds_since(start_);
  const std::int64_t ahead = epochs_ * steps_ - steps_done;
  return elapsed * static_cast<double>(ahead) / static_cast<double>(steps_done - done_);
}

void Progress::epoch(const EpochRecord& epoch) {
  const std::string validation =
      std::isnan(epoch.validation_accuracy)
          ? ""
          : fmt::format("validation accuracy {:.4f}, ", epoch.validation_accuracy);
  line(
      fmt::format("epoch {}/{}: loss {:.4f}, {}test loss {:.4f}, test accuracy {:.4f}, {:.0f} "
                  "images/s, {:.1f} s",
                  epoch.epoch, epochs_, epoch.train_loss, validation, epoch.test_loss,
                  epoch.test_accuracy, epoch.images_per_second, epoch.seconds));
}

void Progress::line(const std::string& text) {
  if (quiet_) return;
  clear();
  std::fputs((text + "\n").c_str(), stderr);
}

}  // namespace gradus::app
