// What both LeNet benchmarks share, so that they measure the same thing: data, first weights, clock
// and report. Knows neither Gradus nor libtorch; numbers come from a formula, so that both compute
// the same loss, which the report shows.
#pragma once

#include <time.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

constexpr std::int64_t image_side = 28;
constexpr std::int64_t classes = 10;
constexpr std::int64_t distinct_images = 512;  // at least, in batches that are taken in turn
// So small that the loss stays where it is. A net that knows its images by heart has gradients too
// small for a normal float, and what is measured is then the processor's way with such numbers.
constexpr double learning_rate = 1e-5;
constexpr double momentum = 0.9;

struct Settings {
  std::int64_t batch = 64;
  std::int64_t threads = 1;
  std::int64_t warmup = 50;
  std::int64_t steps = 200;

  std::int64_t batches() const { return (distinct_images + batch - 1) / batch; }
};

/// --batch N --threads N --warmup N --steps N
inline Settings parse(int argc, char** argv) {
  Settings settings;
  const auto usage = [&] {
    std::fprintf(stderr, "usage: %s [--batch N] [--threads N] [--warmup N] [--steps N]\n", argv[0]);
    std::exit(2);
  };
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    const std::string_view text = i + 1 < argc ? argv[i + 1] : "";
    std::int64_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || parsed.ptr != text.data() + text.size() || number < 1) usage();
    if (name == "--batch") {
      settings.batch = number;
    } else if (name == "--threads") {
      settings.threads = number;
    } else if (name == "--warmup") {
      settings.warmup = number;
    } else if (name == "--steps") {
      settings.steps = number;
    } else {
      usage();
    }
  }
  return settings;
}

/// The i-th number of stream `stream`, in [0, 1): splitmix64 (G. Steele, D. Lea, C. Flood, 2014).
inline float uniform(std::uint64_t stream, std::uint64_t i) {
  std::uint64_t z = (stream << 32) + (i + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return static_cast<float>((z ^ (z >> 31)) >> 40) / 16777216.0F;
}

/// Pixels of batch b, [batch,1,28,28].
inline void fill_images(std::int64_t b, std::int64_t batch, float* images) {
  for (std::int64_t i = 0, n = batch * image_side * image_side; i < n; ++i)
    images[i] = 2 * uniform(static_cast<std::uint64_t>(b), static_cast<std::uint64_t>(i)) - 1;
}

/// Labels of batch b, [batch].
inline void fill_labels(std::int64_t b, std::int64_t batch, std::int64_t* labels) {
  for (std::int64_t i = 0; i < batch; ++i) labels[i] = (b * batch + i) * 7 % classes;
}

/// First value of parameter p, in ±1/√fan_in.
inline void fill_parameter(std::int64_t p, std::int64_t fan_in, std::int64_t count, float* values) {
  const float bound = 1 / std::sqrt(static_cast<float>(fan_in));
  for (std::int64_t i = 0; i < count; ++i) {
    const float u =
        uniform(static_cast<std::uint64_t>(distinct_images + p), static_cast<std::uint64_t>(i));
    values[i] = bound * (2 * u - 1);
  }
}

/// The most memory this process has ever held, in MiB.
inline double peak_rss() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::strtod(line.c_str() + 6, nullptr) / 1024;
  }
  return 0;
}

/// Milliseconds of processor time of all threads: unlike the clock on the wall, it does not run
/// while somebody else has the core.
inline double cpu_ms() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

struct Timing {
  double median_ms, min_ms, cpu_ms;  // of one step
  double loss;                       // of the last step
};

/// Runs step(batch number), which returns the loss: warm-up first, then the timed steps. `warm` is
/// called between the two.
template <class Step, class Warm>
Timing time_steps(const Settings& settings, const Step& step, const Warm& warm) {
  using Clock = std::chrono::steady_clock;
  double loss = 0;
  for (std::int64_t i = 0; i < settings.warmup; ++i) loss = step(i % settings.batches());
  warm();
  std::vector<double> wall;
  const double cpu_start = cpu_ms();
  for (std::int64_t i = 0; i < settings.steps; ++i) {
    const Clock::time_point start = Clock::now();
    loss = step((settings.warmup + i) % settings.batches());
    wall.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  const double cpu = (cpu_ms() - cpu_start) / static_cast<double>(settings.steps);
  std::sort(wall.begin(), wall.end());
  return {wall[wall.size() / 2], wall[0], cpu, loss};
}

/// One line of JSON; `more` is further members, as text that starts with a comma.
inline void report(std::string_view program, const Settings& settings, const Timing& timing,
                   const std::string& more = {}) {
  std::printf(
      "{\"program\":\"%.*s\",\"model\":\"lenet\",\"batch\":%lld,\"threads\":%lld,\"steps\":%lld,"
      "\"median_ms\":%.4f,\"min_ms\":%.4f,\"cpu_ms\":%.4f,\"peak_rss_mib\":%.1f,\"loss\":%.6f%s}\n",
      static_cast<int>(program.size()), program.data(), static_cast<long long>(settings.batch),
      static_cast<long long>(settings.threads), static_cast<long long>(settings.steps),
      timing.median_ms, timing.min_ms, timing.cpu_ms, peak_rss(), timing.loss, more.c_str());
}

}  // namespace bench
