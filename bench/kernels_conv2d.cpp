// The single convolutions of workloads.h by every algorithm that can do them, in each pass:
// conv2d/ALGORITHM/PASS/SHAPE. The one that choose() takes is marked.
#include <gradus/core/kernels/conv2d/conv2d.h>

#include <string>
#include <vector>

#include "kernels.h"
#include "workloads.h"

namespace {

using namespace gradus;
using kernels::Conv2dAlgorithm;
using kernels::Conv2dGeometry;
using kernels::Conv2dPass;

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

void run(benchmark::State& state, Conv2dAlgorithm algorithm, Conv2dPass pass,
         const Conv2dGeometry& g) {
  const Tensor input = bench::numbers({g.input_size()});
  const Tensor weight = bench::numbers({g.weight_size()});
  const Tensor output = bench::numbers({g.output_size()});
  float* x = input.data<float>();
  float* w = weight.data<float>();
  float* y = output.data<float>();
  for (auto _ : state) {
    switch (pass) {
      case Conv2dPass::forward:
        kernels::conv2d_forward<float>(algorithm, g, x, w, {}, y);
        break;
      case Conv2dPass::input_grad:
        kernels::conv2d_input_grad<float>(algorithm, g, y, w, x);
        break;
      case Conv2dPass::weight_grad:
        kernels::conv2d_weight_grad<float>(algorithm, g, x, y, w);
        break;
    }
    benchmark::ClobberMemory();
  }
  bench::set_rates(state, 2 * g.output_size() * g.taps(), bench::bytes({input, weight, output}));
}

const bool registered = [] {
  for (const bench::Workload& workload : bench::all_workloads()) {
    if (workload.kind != bench::Kind::conv_forward) continue;
    const Conv2dGeometry g = geometry_of(workload);
    for (const auto pass : {Conv2dPass::forward, Conv2dPass::input_grad, Conv2dPass::weight_grad}) {
      for (const auto algorithm :
           {Conv2dAlgorithm::direct, Conv2dAlgorithm::pointwise, Conv2dAlgorithm::depthwise,
            Conv2dAlgorithm::implicit_gemm, Conv2dAlgorithm::winograd}) {
        if (!kernels::supports(algorithm, g)) continue;
        const std::string name = "conv2d/" + std::string(to_string(algorithm)) + "/" +
                                 std::string(to_string(pass)) + "/" + workload.name +
                                 (algorithm == kernels::choose<float>(g, pass) ? "/chosen" : "");
        benchmark::RegisterBenchmark(name.c_str(), run, algorithm, pass, g)
            ->Unit(benchmark::kMillisecond)
            ->UseRealTime();
      }
    }
  }
  return true;
}();

}  // namespace
