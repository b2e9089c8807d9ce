// Faults of float32 kernels, in every op and in the optimizers. See kernel_self_test.h.
#include <gradus/autograd/functions.h>
#include <gradus/core/conv.h>
#include <gradus/core/create.h>
#include <gradus/gradcheck/optimizer_rounding.h>

#include <spdlog/fmt/fmt.h>

#include <cstdint>
#include <optional>
#include <string>

#include "interrupt.h"
#include "kernel_self_test.h"
#include "stopwatch.h"

namespace gradus::app {
namespace {

/// Numbers of a training some steps old. Their remainder is no whole vector.
OptimizerNumbers numbers(std::size_t states) {
  constexpr std::int64_t count = 10'007;
  Generator generator(1);
  OptimizerNumbers made{randn({count}, generator), randn({count}, generator)};
  if (states > 0) made.state.push_back(randn({count}, generator));
  if (states > 1) made.state.push_back(rand({count}, generator));
  return made;
}

/// A sample with more numbers takes as long as all others of its op.
constexpr std::int64_t most_numbers = 500'000;

bool is_fast(const Sample& sample) {
  std::int64_t count = 0;
  for (const Variable& input : sample.inputs) count += input.numel();
  return count <= most_numbers;
}

void plant(const std::string& sample, const OptimizerNumbers& before,
           const std::vector<Float32Comparison>& comparisons, KernelFaultRecord& record) {
  for (std::size_t i = 0; i < comparisons.size(); ++i) {
    const Tensor& old = i == 0 ? before.parameter : before.state[i - 1];
    plant_kernel_faults({.right = comparisons[i], .before = old}, sample, record);
  }
}

/// Winograd's transforms, which only large images take by themselves: tiles that fit, and ragged ones.
void plant_in_winograd(KernelFaultRecord& record) {
  const std::optional<Conv2dAlgorithm> before = forced_conv2d_algorithm();
  set_conv2d_algorithm(Conv2dAlgorithm::winograd);
  for (const Shape& x : {Shape{4, 16, 16, 16}, Shape{3, 18, 13, 11}}) {
    Generator generator(1);
    const Variables inputs{{randn(x, generator), true},
                           {randn({24, x[1], 3, 3}, generator), true},
                           {randn({24}, generator), true}};
    plant_kernel_faults(
        "conv2d",
        {"tiles of " + gradus::to_string(x), inputs,
         [](const Variables& v) { return conv2d(v[0], v[1], v[2], {.padding = 1}); }},
        record);
  }
  set_conv2d_algorithm(before);
}

/// SGD and Adam, in each of their forms.
void plant_in_optimizers(KernelFaultRecord& record) {
  for (const float weight_decay : {0.0F, 0.01F}) {
    for (const bool nesterov : {false, true}) {
      for (const std::size_t states : {std::size_t{0}, std::size_t{1}}) {
        if (nesterov && states == 0) continue;
        const OptimizerNumbers before = numbers(states);
        const detail::SgdStep<float> step{.lr = 0.1F,
                                          .momentum = 0.9F,
                                          .weight_decay = weight_decay,
                                          .damped = 1,
                                          .nesterov = nesterov};
        plant(fmt::format("SGD, {} buffers, weight decay {}{}", states, weight_decay,
                          nesterov ? ", nesterov" : ""),
              before, compare_sgd_update(before, step), record);
      }
    }
    const OptimizerNumbers before = numbers(2);
    const detail::AdamStep<float> step{.weight_decay = weight_decay,
                                       .shrink = 0.999F,
                                       .beta1 = 0.9F,
                                       .rest1 = 0.1F,
                                       .beta2 = 0.999F,
                                       .rest2 = 0.001F,
                                       .size = 0.01F,
                                       .root_correction = 0.3F,
                                       .eps = 1e-8F};
    plant(fmt::format("Adam, weight decay {}", weight_decay), before,
          compare_adam_update(before, step), record);
  }
}

}  // namespace

KernelSelfTest run_kernel_self_test(const std::vector<Subject>& subjects, bool optimizers) {
  const Clock::time_point start = Clock::now();
  KernelSelfTest test;
  for (const Subject& subject : subjects) {
    for (const Sample& sample : subject.training_samples()) {
      if (is_fast(sample) && !interrupted()) plant_kernel_faults(subject.name, sample, test);
    }
    if (subject.name == "conv2d" && !interrupted()) plant_in_winograd(test);
  }
  if (optimizers && !interrupted()) plant_in_optimizers(test);
  test.seconds = seconds_since(start);
  return test;
}

bool passed(const KernelFaultRecord& test) {
  return test.caught() * 100 >= test.planted() * 99 && test.false_alarms.empty();
}

void print_kernel_self_test(const KernelSelfTest& test) {
  std::string by_fault;
  for (const KernelFault& fault : kernel_faults()) {
    std::int64_t planted = 0;
    std::int64_t caught = 0;
    for (const KernelFaultRow& row : test.rows) {
      if (row.fault != fault.name) continue;
      planted += row.planted;
      caught += row.caught;
    }
    if (planted == 0) continue;
    by_fault +=
        fmt::format("{}{} {} of {}", by_fault.empty() ? "" : ", ", fault.name, caught, planted);
  }
  for (const KernelFaultRow& row : test.rows) {
    if (row.caught == row.planted) continue;
    fmt::print("escaped in float32: {} of {}, {}, in {} ({}), {}{}{}\n", row.planted - row.caught,
               row.planted, row.fault, row.subject, row.sample, row.pass,
               row.algorithm.empty() ? "" : " by ", row.algorithm);
  }
  for (const std::string& alarm : test.false_alarms)
    fmt::print("false alarm in float32: {}\n", alarm);
  fmt::print("faults of float32 kernels: {}\n", by_fault.empty() ? "none applies" : by_fault);
  fmt::print(
      "{} of {} caught by the proof in float32, {} false alarms on {} right results; {:.1f} s\n",
      test.caught(), test.planted(), test.false_alarms.size(), test.good, test.seconds);
}

}  // namespace gradus::app
