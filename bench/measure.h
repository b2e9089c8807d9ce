// How it is measured, the same for both programs: data, first weights, clock, report. Knows neither
// Gradus nor libtorch. Numbers come from a formula, so that both programs compute the same, which
// the report lets compare.py verify.
//
// A program runs in turns: compare.py starts it once, and lets it and the other one run for a
// moment each, A B A B ... A turn begins when a line comes in and ends with a line of JSON. Each
// turn starts with steps that are not timed: they fetch back the caches that the other one used,
// and give the threads of its BLAS the time to go to sleep.
#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "workloads.h"

namespace bench {

// The first steps are compared, so they learn; afterwards the loss stays where it is. A net that
// knows its images by heart has gradients too small for a normal float, and what is measured is
// then the processor's way with such numbers.
constexpr double first_learning_rate = 1e-2;
constexpr double learning_rate = 1e-5;
constexpr double momentum = 0.9;
constexpr int compared_steps = 3;

constexpr double warm_seconds = 0.2;        // before the first turn, with the compared steps
constexpr double turn_warm_seconds = 0.05;  // before each
constexpr int fewest_steps = 3;             // in a turn, however long they take

// ---- Data ----

/// The i-th number of stream `stream`, in [0, 1): splitmix64 (G. Steele, D. Lea, C. Flood, 2014).
inline float uniform(std::uint64_t stream, std::uint64_t i) {
  std::uint64_t z = (stream << 32) + (i + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return static_cast<float>((z ^ (z >> 31)) >> 40) / 16777216.0F;
}

/// `count` numbers in ±bound.
inline void fill(std::uint64_t stream, float bound, std::int64_t count, float* values) {
  for (std::int64_t i = 0; i < count; ++i)
    values[i] = bound * (2 * uniform(stream, static_cast<std::uint64_t>(i)) - 1);
}

constexpr std::uint64_t parameter_streams = 1 << 16;  // above those of the batches
constexpr std::uint64_t seed_stream = 1 << 17;        // of a convolution's output gradient

/// How many batches are taken in turn.
inline std::int64_t batches(const Workload& workload) {
  const bool net = workload.kind == Kind::train || workload.kind == Kind::infer;
  return net ? std::max<std::int64_t>(2, 256 / workload.batch) : 1;
}

/// Pixels of batch b.
inline void fill_images(std::int64_t b, std::int64_t count, float* images) {
  fill(static_cast<std::uint64_t>(b), 1, count, images);
}

/// Labels of batch b, [batch].
inline void fill_labels(std::int64_t b, std::int64_t batch, std::int64_t* labels) {
  for (std::int64_t i = 0; i < batch; ++i) labels[i] = (b * batch + i) * 7 % classes;
}

/// First values of the weights and biases of convolutions and linear layers, numbered as they are
/// made, in ±1/√fan_in; batch norm keeps 1 and 0.
class Parameters {
 public:
  void fill(std::int64_t fan_in, std::int64_t count, float* values) {
    bench::fill(parameter_streams + made_++, 1 / std::sqrt(static_cast<float>(fan_in)), count,
                values);
  }

 private:
  std::uint64_t made_ = 0;
};

/// What is compared of a tensor: the sum of its magnitudes, each with a weight of its own, so that
/// neither rounding nor an exchange of elements hides in it.
inline double digest(const float* values, std::int64_t count) {
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i)
    sum += std::abs(static_cast<double>(values[i])) * uniform(0, static_cast<std::uint64_t>(i));
  return sum;
}

// ---- Command line ----

struct Settings {
  std::string workload;
  int threads = 1;
  double seconds = 0.5;
  int steps = 0;  // 0: as many as fill the seconds
  bool turns = false;
  bool describe = false;
  bool list = false;
};

inline Settings parse(int argc, char** argv) {
  Settings settings;
  const auto usage = [&] {
    std::fprintf(
        stderr,
        "usage: %s --list\n"
        "       %s --workload NAME/KIND [--threads N] [--seconds S | --steps N] [--turns]\n"
        "       %s --workload NAME/KIND --describe\n"
        "--turns: a turn for each line of standard input, instead of one\n",
        argv[0], argv[0], argv[0]);
    std::exit(2);
  };
  const auto parse_number = [&](std::string_view text, auto& number) {
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || !(number > 0))
      usage();
  };
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--list") {
      settings.list = true;
    } else if (option == "--turns") {
      settings.turns = true;
    } else if (option == "--describe") {
      settings.describe = true;
    } else if (++i == argc) {
      usage();
    } else if (option == "--workload") {
      settings.workload = argv[i];
    } else if (option == "--threads") {
      parse_number(argv[i], settings.threads);
    } else if (option == "--seconds") {
      parse_number(argv[i], settings.seconds);
    } else if (option == "--steps") {
      parse_number(argv[i], settings.steps);
    } else {
      usage();
    }
  }
  if (!settings.list && settings.workload.empty()) usage();
  return settings;
}

// ---- Clock and report ----

/// The most memory this process has ever held, in MiB. Not getrusage(): its ru_maxrss starts with
/// what the process held that started this one, before it became this program; a small net needs
/// less than that.
inline double peak_rss() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::strtod(line.c_str() + 6, nullptr) / 1024;
  }
  return 0;
}

inline double now_ms() {
  using Clock = std::chrono::steady_clock;
  return std::chrono::duration<double, std::milli>(Clock::now().time_since_epoch()).count();
}

/// "1,2.5,..." with as many digits as are known.
inline std::string joined(const std::vector<double>& numbers, const char* format) {
  std::string text;
  for (const double number : numbers) {
    char digits[32];
    std::snprintf(digits, sizeof digits, format, number);
    if (!text.empty()) text += ',';
    text += digits;
  }
  return text;
}

/// A workload as a line of JSON.
inline void describe(const Workload& workload) {
  const auto shown = [](bool yes) { return yes ? "true" : "false"; };
  std::printf("{\"workload\":\"%s\",\"kind\":\"%s\",\"flops\":%lld,\"quick\":%s,\"products\":%s}\n",
              workload.name.c_str(), to_string(workload.kind),
              static_cast<long long>(flops(workload)), shown(workload.quick),
              shown(workload.has_products()));
}

/// The whole of a program. Machine(workload, threads) builds one workload with one library, and has
///   void step(std::int64_t index, std::vector<double>* results): one step on batch `index`; where
///     `results` is given, with what it computed: losses, digests;
///   void settle(): the compared steps are over;
///   int threads(): how many the library says it uses;
///   std::int64_t allocations(): blocks taken from the system so far, -1 where nobody counts.
template <class Machine> int run(std::string_view program, int argc, char** argv) {
  const Settings settings = parse(argc, argv);
  if (settings.list) {
    for (const Workload& workload : all_workloads()) describe(workload);
    return 0;
  }
  const std::optional<Workload> workload = find_workload(settings.workload);
  if (!workload) {
    std::fprintf(stderr, "%s: no workload '%s'; --list names them\n", argv[0],
                 settings.workload.c_str());
    return 2;
  }
  if (settings.describe) {
    describe(*workload);
    return 0;
  }
  Machine machine(*workload, settings.threads);
  std::int64_t taken = 0;
  const auto step = [&](std::vector<double>* results) {
    machine.step(taken++ % batches(*workload), results);
  };
  const auto step_for = [&](double seconds, int fewest) {
    const double end = now_ms() + seconds * 1e3;
    for (int i = 0; i < fewest || now_ms() < end; ++i) step(nullptr);
  };

  std::vector<double> results;
  bool warm = false;
  for (std::string line; !settings.turns || std::getline(std::cin, line);) {
    if (!warm) {
      for (int i = 0; i < compared_steps; ++i) step(&results);
      machine.settle();
      step_for(warm_seconds, 1);
      warm = true;
    }
    step_for(turn_warm_seconds, 1);

    std::vector<double> times;
    times.reserve(1 << 16);  // before the count starts
    const std::int64_t allocations = machine.allocations();
    const double begin = now_ms();
    for (double start = begin;;) {
      step(nullptr);
      const double end = now_ms();
      times.push_back(end - start);
      start = end;
      const int done = static_cast<int>(times.size());
      if (settings.steps > 0 ? done >= settings.steps
                             : done >= fewest_steps && end - begin >= settings.seconds * 1e3)
        break;
    }
    const std::int64_t allocated = machine.allocations() - allocations;

    std::vector<double> sorted = times;
    std::sort(sorted.begin(), sorted.end());
    std::printf(
        "{\"program\":\"%.*s\",\"workload\":\"%s\",\"kind\":\"%s\",\"threads\":%d,\"flops\":%lld,"
        "\"steps\":%zu,\"median_ms\":%.4f,\"allocations\":%lld,\"peak_rss_mb\":%.1f,"
        "\"results\":[%s],\"ms\":[%s]}\n",
        static_cast<int>(program.size()), program.data(), workload->name.c_str(),
        to_string(workload->kind), machine.threads(), static_cast<long long>(flops(*workload)),
        times.size(), sorted[sorted.size() / 2], static_cast<long long>(allocated), peak_rss(),
        joined(results, "%.9g").c_str(), joined(times, "%.4f").c_str());
    std::fflush(stdout);
    if (!settings.turns) break;
  }
  return 0;
}

}  // namespace bench
