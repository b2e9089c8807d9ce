// The kernels of single convolutions, pass by pass, against two rates that are measured in the same
// minute: SGEMM of large matrices, and a copy of as many bytes as the pass must move. The larger of
// the two times is the floor. Times are the processor's own for this thread, so that it may be
// shared, and each is the least of many repetitions, which go round all convolutions a few times:
// what a neighbour does to the caches at one moment it does not do at each.
#include "convolutions.h"

#include <gradus/core/kernels/conv2d/conv2d.h>
#include <gradus/core/parallel.h>
#include <gradus/core/tensor.h>

#include <cblas.h>

#include <time.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <functional>
#include <limits>

#include "measure.h"

namespace bench {
namespace {

using namespace gradus;
using kernels::Conv2dGeometry;
using kernels::Conv2dPass;

constexpr int rounds = 4;
constexpr double round_ms = 10;  // of each pass
constexpr std::array passes{Conv2dPass::forward, Conv2dPass::input_grad, Conv2dPass::weight_grad};

/// Of this thread on its processor: not what it waits for one while others are at work.
double processor_ms() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

/// The least time of as many repetitions as fill a round, in milliseconds.
double least_ms(const std::function<void()>& work) {
  double least = std::numeric_limits<double>::max();
  work();
  const double begin = processor_ms();
  for (double start = begin; start - begin < round_ms;) {
    work();
    const double end = processor_ms();
    least = std::min(least, end - start);
    start = end;
  }
  return least;
}

Tensor random(std::int64_t count) {
  Tensor tensor = Tensor::empty({count});
  fill(0, 1, count, tensor.data<float>());
  return tensor;
}

/// One convolution, and the least times so far.
class Row {
 public:
  explicit Row(const Workload& workload) : name_(workload.name) {
    const Layer& conv = workload.net.front();
    g_ = {.batch = workload.batch,
          .in_channels = conv.in,
          .in_height = workload.image.height,
          .in_width = workload.image.width,
          .out_channels = conv.out,
          .kernel_h = conv.kernel,
          .kernel_w = conv.kernel,
          .stride_h = conv.stride,
          .stride_w = conv.stride,
          .padding_h = conv.padding,
          .padding_w = conv.padding,
          .dilation_h = conv.dilation,
          .dilation_w = conv.dilation,
          .groups = conv.groups};
    ms_.fill(std::numeric_limits<double>::max());
  }

  void measure() {
    const Tensor input = random(g_.input_size());
    const Tensor weight = random(g_.weight_size());
    const Tensor output = random(g_.output_size());
    float* x = input.data<float>();
    float* w = weight.data<float>();
    float* y = output.data<float>();
    for (std::size_t k = 0; k < passes.size(); ++k) {
      const auto algorithm = kernels::choose<float>(g_, passes[k]);
      ms_[k] = std::min(ms_[k], least_ms([&] {
                          if (k == 0) kernels::conv2d_forward<float>(algorithm, g_, x, w, {}, y);
                          if (k == 1) kernels::conv2d_input_grad<float>(algorithm, g_, y, w, x);
                          if (k == 2) kernels::conv2d_weight_grad<float>(algorithm, g_, x, y, w);
                        }));
    }
    // A copy reads half of what it moves and writes the other half.
    const std::int64_t half = (g_.input_size() + g_.output_size() + g_.weight_size()) / 2;
    const Tensor from = random(half);
    const Tensor to = random(half);
    ms_[passes.size()] = std::min(ms_[passes.size()], least_ms([&] {
                                    std::memcpy(to.data<float>(), from.data<float>(),
                                                static_cast<std::size_t>(half) * sizeof(float));
                                  }));
  }

  void print(double sgemm_gflops) const {
    const double flops = 2 * static_cast<double>(g_.output_size() * g_.taps());
    const double floor = std::max(flops / sgemm_gflops / 1e6, ms_.back());
    const bool bytes = floor == ms_.back();
    std::printf("| %s |", name_.c_str());
    for (std::size_t k = 0; k < passes.size(); ++k) {
      const double gflops = flops / ms_[k] / 1e6;
      std::printf(" %.4f | %.1f | %.0f%% | %.0f%% |", ms_[k], gflops, 100 * gflops / sgemm_gflops,
                  100 * floor / ms_[k]);
    }
    std::printf(" %.4f | %s |\n", floor, bytes ? "bytes" : "flops");
  }

 private:
  std::string name_;
  Conv2dGeometry g_;
  std::array<double, passes.size() + 1> ms_;  // of each pass, and of the copy
};

std::vector<Workload> chosen(const std::vector<std::string>& names) {
  std::vector<Workload> all;
  for (const Workload& workload : all_workloads()) {
    const auto begins = [&](const std::string& name) { return workload.name.starts_with(name); };
    if (workload.kind == Kind::conv_forward &&
        (names.empty() || std::any_of(names.begin(), names.end(), begins)))
      all.push_back(workload);
  }
  for (const std::string& name : names) {
    if (const auto other = any_conv_workload(name, Kind::conv_forward)) all.push_back(*other);
  }
  return all;
}

}  // namespace

int measure_convolutions(const std::vector<std::string>& names) {
  const std::vector<Workload> workloads = chosen(names);
  if (workloads.empty()) {
    std::fprintf(stderr, "bench_gradus: no convolution of such a name; --list names them\n");
    return 2;
  }
  set_num_threads(1);
  openblas_set_num_threads(1);
  constexpr int side = static_cast<int>(sgemm_side);
  const Tensor a = random(sgemm_side * sgemm_side);
  const Tensor b = random(sgemm_side * sgemm_side);
  const Tensor c = random(sgemm_side * sgemm_side);
  double sgemm_ms = std::numeric_limits<double>::max();
  std::vector<Row> rows(workloads.begin(), workloads.end());
  for (int round = 0; round < rounds; ++round) {
    for (Row& row : rows) row.measure();
    sgemm_ms = std::min(sgemm_ms, least_ms([&] {
                          cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, side, side, side,
                                      1, a.data<float>(), side, b.data<float>(), side, 0,
                                      c.data<float>(), side);
                        }));
  }
  const double sgemm_gflops =
      2 * static_cast<double>(sgemm_side * sgemm_side * sgemm_side) / sgemm_ms / 1e6;
  std::printf("SGEMM: %.1f GFLOP/s.\n\n| convolution |", sgemm_gflops);
  for (const Conv2dPass pass : passes)
    std::printf(" %s ms | GFLOP/s | of SGEMM | of the floor |",
                std::string(kernels::to_string(pass)).c_str());
  std::printf(" floor ms | set by |\n|---|%s---:|---|\n",
              "---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
  for (const Row& row : rows) row.print(sgemm_gflops);
  return 0;
}

}  // namespace bench
