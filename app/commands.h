// The subcommands. Each takes its options, already checked one by one, prints its result on stdout
// and returns the exit code; what goes wrong it throws. What options there are is told in
// app/command_line.cpp, the only file that knows the command-line library.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gradus::app {

/// What is absent gets a default that suits the data set or the optimizer: resolve() in train.cpp.
struct TrainOptions {
  std::string data = "digits";
  std::string data_dir;
  std::string model;
  std::optional<std::int64_t> epochs;
  std::optional<std::int64_t> batch_size;
  std::string optimizer = "adam";
  std::optional<double> lr;
  std::optional<double> momentum;
  std::optional<double> weight_decay;
  std::string schedule = "cosine";
  std::uint64_t seed = 1;
  std::optional<int> threads;
  std::string out;
  bool overwrite = false;
  std::string resume;  ///< folder of the training to go on with; empty: a new one
  std::optional<std::int64_t> checkpoint_steps;
  bool json = false;
  bool quiet = false;
};
int run_train(const TrainOptions& options);

struct EvalOptions {
  std::string folder;
  std::string data_dir;
  std::optional<int> threads;
  bool json = false;
};
int run_eval(const EvalOptions& options);

struct ExportOptions {
  std::string folder;
  std::string file;
};
int run_export(const ExportOptions& options);

struct GradcheckCommandOptions {
  std::vector<std::string> names;  ///< none: all
  int order = 1;
  std::string model;     ///< check this model instead
  std::string html;      ///< file for a page of the worst report; empty: none
  bool float32 = false;  ///< rounding instead of derivatives
  bool self_test = false;
  bool list = false;
  bool json = false;
};
int run_gradcheck(const GradcheckCommandOptions& options);

struct InspectOptions {
  std::string file;
  bool json = false;
};
int run_inspect(const InspectOptions& options);

struct BenchOptions {
  std::string model = "lenet";
  std::int64_t batch = 64;
  std::int64_t image = 28;
  std::int64_t steps = 50;
  std::optional<int> threads;
  bool profile = false;
  std::string trace;  ///< file for the events of the profile; empty: none
  bool json = false;
};
int run_bench(const BenchOptions& options);

/// Reads the command line and runs the subcommand it names.
int run_command_line(int argc, char** argv);

}  // namespace gradus::app
