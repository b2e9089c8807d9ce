// bench_kernels: the suites of kernels_*.cpp with the options of Google Benchmark.
#include <gradus/core/parallel.h>

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>

int main(int argc, char** argv) {
  if (std::getenv("GRADUS_NUM_THREADS") == nullptr) gradus::set_num_threads(1);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::AddCustomContext("threads", std::to_string(gradus::num_threads()));
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
