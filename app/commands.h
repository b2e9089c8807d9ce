// The subcommands. Each takes its options, already checked one by one, prints its result on stdout
// and returns the exit code; what goes wrong it throws. What options there are is told in
// app/command_line.cpp, the only file that knows the command-line library.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gradus::app {

/// How data of one's own are read and cut.
struct DataOptions {
  std::int64_t channels = 0;
  std::string image_size;  ///< as parse_image_size() takes it; empty: as the pictures are
  bool squash = false;
  bool skip_bad = false;
  std::string label_column;
  std::optional<double> test_fraction;
  std::uint64_t split_seed = 0;
};

class LiveServer;

/// Where a page is served.
struct ServeAddress {
  std::string host = "127.0.0.1";
  int port = 8028;  ///< 0: a free one
};

/// What is absent gets a default that suits the data set or the optimizer: resolve() in resolve.cpp.
struct TrainOptions {
  std::string data;  ///< empty: digits, or those of the training that is resumed
  std::string data_dir;
  DataOptions form;
  std::optional<double> validation;
  std::string model;
  std::string from;  ///< weights to begin with; empty: random ones
  std::string augment;
  double mixup = 0;
  std::optional<std::int64_t> epochs;
  std::optional<std::int64_t> patience;
  std::optional<std::int64_t> batch_size;
  std::string optimizer = "adam";
  std::optional<double> lr;
  std::optional<double> momentum;
  std::optional<double> weight_decay;
  double clip_norm = 0;
  double label_smoothing = 0;
  std::string schedule = "cosine";
  std::uint64_t seed = 1;
  std::optional<int> threads;
  std::optional<std::int64_t> workers;
  std::string out;
  bool overwrite = false;
  std::string resume;  ///< folder of the training to go on with; empty: a new one
  std::optional<std::int64_t> checkpoint_steps;
  std::optional<std::int64_t> shards;
  bool distributed = false;
  std::int64_t bucket_kilobytes = 256;
  bool no_overlap = false;
  double timeout = 300;  ///< seconds
  bool tensorboard = false;
  bool serve = false;  ///< a page that shows it, at `address`
  ServeAddress address{};
  bool json = false;
  bool quiet = false;
};
/// Shown by `server`, where there is one already, as `gradus serve` has: what is said is then said by its name.
int run_train(const TrainOptions& options, LiveServer* server = nullptr);

struct EvalOptions {
  std::string folder;
  std::string data;  ///< other data than those of the training; empty: the same
  std::string data_dir;
  std::string worst;      ///< PNG of the most wrong images; empty: none
  std::string confusion;  ///< PNG of the confusion matrix; empty: none
  bool fuse = true;       ///< fold batch norms, see Module::fuse()
  std::optional<int> threads;
  bool json = false;
};
int run_eval(const EvalOptions& options);

struct PredictOptions {
  std::string folder;
  std::vector<std::string> images;  ///< files, and folders of them
  std::int64_t top = 3;
  bool fuse = true;  ///< likewise
  std::optional<int> threads;
  bool skip_bad = false;
  bool json = false;
};
int run_predict(const PredictOptions& options);

struct DataCommandOptions {
  std::string data;
  std::string data_dir;
  DataOptions form;
  std::string augment;
  std::uint64_t seed = 1;
  std::string preview;  ///< PNG to write; empty: none
  std::int64_t count = 64;
  bool json = false;
};
int run_data(const DataCommandOptions& options);

struct LrFindOptions {
  TrainOptions train;
  double lowest = 1e-6;
  double highest = 1;
  std::int64_t steps = 200;
};
int run_lr_find(const LrFindOptions& options);

struct ReportCommandOptions {
  std::string what;  ///< the folder of a training, a model's name, or a file of layers
  std::string data;  ///< of a net; empty: digits
  std::string data_dir;
  DataOptions form;
  std::uint64_t seed = 1;             ///< of a net's first weights
  std::vector<std::string> pictures;  ///< files, and folders of them
  double gradcheck_seconds = 2;       ///< 0: no check
  std::string out = "report.html";
  std::optional<int> threads;
  bool quiet = false;
};
int run_report(const ReportCommandOptions& options);

struct ServeOptions {
  std::string folder;  ///< empty: that of the latest training below runs
  std::string data_dir;
  ServeAddress address{};
  std::optional<int> threads;
  bool quiet = false;
};
int run_serve(const ServeOptions& options);

struct TraceCommandOptions {
  std::string folder;
  std::int64_t at_step = 0;
  std::string data_dir;
  std::string out = "trace.safetensors";
  std::optional<int> threads;
  bool quiet = false;
};
int run_trace(const TraceCommandOptions& options);

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

struct CompareOptions {
  std::string left;  ///< folders of trainings
  std::string right;
  bool json = false;
};
int run_compare(const CompareOptions& options);

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

/// A net to look at.
struct NetOptions {
  std::string what;  ///< a model's name, the folder of a training, or a file that make_net() reads
  /// The images. What is absent is that of the training in the folder; else [3,32,32] and 10 classes, and
  /// [1,28,28] of lenet.
  std::optional<std::int64_t> channels;
  std::optional<std::int64_t> height;
  std::optional<std::int64_t> width;
  std::optional<std::int64_t> classes;
  std::int64_t batch = 1;
};

struct SummaryOptions : NetOptions {
  bool json = false;
};
int run_summary(const SummaryOptions& options);

/// The weights of a training in a .safetensors file, or a whole net in a .onnx file.
struct ExportOptions : NetOptions {
  std::string file;
  bool fold = false;  ///< batch norms into what stands before them
};
int run_export(const ExportOptions& options);

struct GraphOptions : NetOptions {
  std::string out;  ///< .svg or .dot
};
int run_graph(const GraphOptions& options);

/// A net of another program, as a folder of a training that has not begun.
struct ImportOptions {
  std::string file;  ///< .onnx
  std::string out;   ///< folder to make
  std::string data;  ///< what it shall be trained or tested with; empty: nothing yet
  std::string data_dir;
  std::string image_size;  ///< where the file leaves it open
  bool overwrite = false;
};
int run_import(const ImportOptions& options);

struct RunGraphOptions {
  std::string file;                  ///< .onnx
  std::vector<std::string> inputs;   ///< .npy, or NAME=FILE.npy
  std::vector<std::string> outputs;  ///< likewise
  std::optional<int> threads;
};
int run_graph_file(const RunGraphOptions& options);

/// Reads the command line and runs the subcommand it names.
int run_command_line(int argc, char** argv);

}  // namespace gradus::app
