// gradus bench: how long a training step and an inference of a model take, and, with --profile,
// where the time of the step goes. Images are noise: what they show does not matter to the clock.
#include <gradus/autograd/functions.h>
#include <gradus/autograd/profile.h>
#include <gradus/core/create.h>
#include <gradus/core/parallel.h>
#include <gradus/io/atomic_file.h>
#include <gradus/layers/models.h>
#include <gradus/optim/sgd.h>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <utility>
#include <vector>

#include "commands.h"
#include "exit_code.h"
#include "json.h"
#include "machine.h"
#include "output_file.h"
#include "profile_table.h"

namespace gradus::app {
namespace {

constexpr int warm_steps = 3;
constexpr std::int64_t traced_steps = 10;      // a trace of more is too long to look at
constexpr std::int64_t most_pixels = 1 << 26;  // of a batch: 256 MB
constexpr std::int64_t images_in_turn = 256;   // so many, or two batches, before one comes again

std::int64_t now_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

Sequential make(const BenchOptions& options, Generator& generator) {
  if (options.image * options.image > most_pixels / options.batch) {
    fail<UsageError>("--batch ", options.batch, " of --image ", options.image, ": more than ",
                     most_pixels, " pixels in all");
  }
  try {
    return make_model(options.model, {.height = options.image, .width = options.image}, generator);
  } catch (const ValueError& error) {
    fail<UsageError>("--image ", options.image, ": ", error.what());
  }
}

/// A model at work on batches that come in turn.
class Workload {
 public:
  explicit Workload(const BenchOptions& options)
      : generator_(1),
        model_(make(options, generator_)),
        // Hardly moves: a model that knows its images by heart has gradients of another kind.
        optimizer_(model_.parameters(), {.lr = 1e-5, .momentum = 0.9}) {
    const std::int64_t batches = std::max<std::int64_t>(2, images_in_turn / options.batch);
    for (std::int64_t i = 0; i < batches; ++i) {
      images_.push_back(randn({options.batch, 1, options.image, options.image}, generator_));
      labels_.push_back(randint(0, ImageSpec{}.classes, {options.batch}, generator_));
    }
  }

  void train() {
    const std::size_t batch = next_++ % images_.size();
    optimizer_.zero_grad();
    const Variable loss = cross_entropy(model_(images_[batch]), labels_[batch]);
    loss.backward();
    optimizer_.step();
  }

  /// Throws UsageError where a layer takes no batch of these in training: a batch norm of a single value.
  void expect_to_train(const BenchOptions& options) {
    try {
      train();
    } catch (const ShapeError& wrong) {
      fail<UsageError>("--batch ", options.batch, " of --image ", options.image, ": ",
                       wrong.what());
    }
  }

  void infer() {
    const NoGrad no_grad;
    model_(images_[next_++ % images_.size()]);
  }

  Sequential& model() { return model_; }

 private:
  Generator generator_;
  Sequential model_;
  SGD optimizer_;
  std::vector<Tensor> images_;  // [batch,1,image,image]
  std::vector<Tensor> labels_;
  std::size_t next_ = 0;
};

double median(std::vector<double> numbers) {
  std::sort(numbers.begin(), numbers.end());
  const std::size_t half = numbers.size() / 2;
  return numbers.size() % 2 == 1 ? numbers[half] : (numbers[half - 1] + numbers[half]) / 2;
}

TimingRecord timed(const BenchOptions& options, const MachineRates& machine,
                   const std::function<void()>& step) {
  std::int64_t flops = 0;
  for (int i = 0; i < warm_steps; ++i) {
    const Profiler profiler;
    step();
    flops = 0;  // of one step, the last
    for (const ProfileEvent& event : profiler.events()) flops += event.flops;
  }
  std::vector<double> ms(static_cast<std::size_t>(options.steps));
  const std::int64_t allocations = storage_statistics().allocations;
  for (double& each : ms) {
    const std::int64_t start = now_ns();
    step();
    each = static_cast<double>(now_ns() - start) / 1e6;
  }
  const std::int64_t allocated = storage_statistics().allocations - allocations;

  TimingRecord timing;
  timing.ms = median(std::move(ms));
  timing.images_per_second = static_cast<double>(options.batch) / timing.ms * 1e3;
  timing.flops = static_cast<double>(flops);
  timing.gflops = timing.flops / timing.ms / 1e6;
  timing.sgemm_percent = 100 * timing.gflops / machine.sgemm_gflops;
  timing.allocations = static_cast<double>(allocated) / static_cast<double>(options.steps);
  return timing;
}

/// Trains with a Profiler; gives the events of the first steps.
std::vector<ProfileEvent> profile(const BenchOptions& options, Workload& workload,
                                  ProfileTable& table) {
  std::vector<ProfileEvent> traced;
  for (std::int64_t i = 0; i < options.steps; ++i) {
    const Profiler profiler;
    const std::int64_t start = now_ns();
    workload.train();
    table.add(profiler.events(), now_ns() - start);
    if (options.trace.empty() || i >= traced_steps) continue;
    traced.insert(traced.end(), profiler.events().begin(), profiler.events().end());
  }
  return traced;
}

void print(const char* what, const TimingRecord& timing) {
  fmt::print("{:14}{:>10.3f}{:>12.0f}{:>10.1f}{:>9.0f}%{:>13.4g}\n", what, timing.ms,
             timing.images_per_second, timing.gflops, timing.sgemm_percent, timing.allocations);
}

/// A number where there is one: nothing is not 0.
std::string some(double number, int width, int digits) {
  return number > 0 ? fmt::format("{:>{}.{}f}", number, width, digits)
                    : fmt::format("{:>{}}", "", width);
}

void print(const ProfileRow& row) {
  fmt::print("{:20}{:12}{:>7.4g}{:>9.4f}{:>7.1f}{}{}{}{}{}{}\n", row.op, row.direction, row.calls,
             row.ms, row.percent, some(row.flops / 1e6, 9, 2), some(row.gflops, 9, 1),
             some(row.bytes / 1e6, 8, 2), some(row.gbs, 7, 1), some(row.floor_ms, 9, 4),
             some(row.floor_percent, 8, 0));
}

void print(const BenchRecord& bench) {
  fmt::print("{}, {} parameters, {} images of {}x{} a step, {} steps, threads: {}\n", bench.model,
             bench.parameters, bench.batch, bench.image, bench.image, bench.steps, bench.threads);
  fmt::print("this machine: {:.1f} GFLOP/s in SGEMM, {:.1f} GB/s from memory\n\n",
             bench.machine.sgemm_gflops, bench.machine.memory_gbs);
  fmt::print("{:14}{:>10}{:>12}{:>10}{:>10}{:>13}\n", "", "ms a step", "images/s", "GFLOP/s",
             "of SGEMM", "allocations");
  print("training step", bench.training);
  print("inference", bench.inference);
  if (bench.profile.empty()) return;
  fmt::print("\nWhere the training step's time goes, by op, without what is nested in it:\n");
  fmt::print("{:20}{:12}{:>7}{:>9}{:>7}{:>9}{:>9}{:>8}{:>7}{:>9}{:>8}\n", "op", "direction",
             "calls", "ms", "%", "MFLOP", "GFLOP/s", "MB", "GB/s", "floor ms", "floor %");
  for (const ProfileRow& row : bench.profile) print(row);
  print(bench.total);
}

}  // namespace

int run_bench(const BenchOptions& options) {
  if (!options.trace.empty()) expect_writable("--trace", options.trace);
  if (options.threads) set_num_threads(*options.threads);
  Workload workload(options);
  workload.expect_to_train(options);
  BenchRecord bench{.model = options.model,
                    .batch = options.batch,
                    .image = options.image,
                    .steps = options.steps,
                    .threads = num_threads(),
                    .parameters = workload.model().parameter_count(),
                    .machine = measure_machine()};
  bench.training = timed(options, bench.machine, [&] { workload.train(); });
  if (options.profile) {
    ProfileTable table;
    const std::vector<ProfileEvent> traced = profile(options, workload, table);
    bench.profile = table.rows(bench.machine);
    bench.total = table.total(bench.machine);
    if (!options.trace.empty()) write_file_atomically(options.trace, to_trace_json(traced));
  }
  workload.model().eval();
  bench.inference = timed(options, bench.machine, [&] { workload.infer(); });
  if (options.json) {
    fmt::print("{}\n", to_json(bench));
  } else {
    print(bench);
  }
  return exit_ok;
}

}  // namespace gradus::app
