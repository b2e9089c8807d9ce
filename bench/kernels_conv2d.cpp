// The single convolutions of workloads.h by every algorithm that can do them, in each direction:
// conv2d/ALGORITHM/DIRECTION/SHAPE. The one that choose() takes is marked.
#include <gradus/core/kernels/conv2d/select.h>

#include <string>
#include <vector>

#include "kernels.h"
#include "workloads.h"

namespace {

using namespace gradus;
using kernels::Conv2dAlgorithm;
using kernels::Conv2dGeometry;

Conv2dGeometry geometry_of(const bench::Workload& workload) {
  const bench::Layer& conv = workload.net.front();
  return {.batch = workload.batch,
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
}

enum class Direction { forward, input_grad, weight_grad };

const char* to_string(Direction direction) {
  switch (direction) {
    case Direction::forward:
      return "forward";
    case Direction::input_grad:
      return "input_grad";
    case Direction::weight_grad:
      return "weight_grad";
  }
  return "?";
}

void run(benchmark::State& state, Conv2dAlgorithm algorithm, Direction direction,
         const Conv2dGeometry& g) {
  const Tensor input = bench::numbers({g.input_size()});
  const Tensor weight = bench::numbers({g.weight_size()});
  const Tensor output = bench::numbers({g.output_size()});
  float* x = input.data<float>();
  float* w = weight.data<float>();
  float* y = output.data<float>();
  for (auto _ : state) {
    switch (direction) {
      case Direction::forward:
        kernels::conv2d_forward<float>(algorithm, g, x, w, nullptr, y);
        break;
      case Direction::input_grad:
        kernels::conv2d_input_grad<float>(algorithm, g, y, w, x);
        break;
      case Direction::weight_grad:
        kernels::conv2d_weight_grad<float>(algorithm, g, x, y, w);
        break;
    }
    benchmark::ClobberMemory();
  }
  bench::set_rates(state, 2 * g.output_size() * g.taps(), bench::bytes({input, weight, output}));
}

/// Whatever has a name: a new algorithm appears here by itself.
std::vector<Conv2dAlgorithm> all_algorithms() {
  std::vector<Conv2dAlgorithm> all;
  for (int i = 0; kernels::to_string(static_cast<Conv2dAlgorithm>(i)) != "unknown"; ++i)
    all.push_back(static_cast<Conv2dAlgorithm>(i));
  return all;
}

kernels::Conv2dPass pass_of(Direction direction) {
  switch (direction) {
    case Direction::forward:
      return kernels::Conv2dPass::forward;
    case Direction::input_grad:
      return kernels::Conv2dPass::input_grad;
    case Direction::weight_grad:
      return kernels::Conv2dPass::weight_grad;
  }
  return kernels::Conv2dPass::forward;
}

const bool registered = [] {
  for (const bench::Workload& workload : bench::all_workloads()) {
    if (workload.kind != bench::Kind::conv_forward) continue;
    const Conv2dGeometry g = geometry_of(workload);
    for (const Direction direction :
         {Direction::forward, Direction::input_grad, Direction::weight_grad}) {
      for (const Conv2dAlgorithm algorithm : all_algorithms()) {
        if (!kernels::supports<float>(algorithm, g)) continue;
        const std::string name =
            "conv2d/" + std::string(kernels::to_string(algorithm)) + "/" + to_string(direction) +
            "/" + workload.name +
            (algorithm == kernels::choose<float>(g, pass_of(direction)) ? "/chosen" : "");
        benchmark::RegisterBenchmark(name.c_str(), run, algorithm, direction, g)
            ->Unit(benchmark::kMillisecond)
            ->UseRealTime();
      }
    }
  }
  return true;
}();

}  // namespace
