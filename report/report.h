// Report: one's own net, seen from inside, as one HTML file that needs no network and no server.
//
//   Report report("report.html");
//   report.watch(model, batch);
//
// watch() runs one training step on a few images of the batch and keeps what trace.h tells of it; the model
// stays as it was. save() writes the file, as a whole or not at all; the destructor does what was not saved,
// and logs what goes wrong instead of throwing. The other parts of the page (the training, what is wrong
// with it, kernels over time, confusion) are there when somebody fills them in.
//
// A file stays below ReportOptions::limit bytes. watch() takes fewer images, down to two, while one step does
// not fit. What is too much even so is left out, the largest first, in this order: gradients of nodes where
// several arrive; gradients, then values of nodes that belong to no convolution; snapshots of parameters;
// gradients of parameters that are no convolution's; all of a convolution but its parameters; parameters; pictures.
// The page says what it lacks, and never shows zeros for it.
#pragma once

#include <gradus/data/dataset.h>
#include <gradus/data/loader.h>
#include <gradus/report/doctor.h>
#include <gradus/report/trace.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gradus {

// In what follows a double that is NaN or infinite is shown as a number that is not there.

/// One step of a training.
struct ReportStep {
  std::int64_t step = 0;
  double loss = 0;
  double learning_rate = std::numeric_limits<double>::quiet_NaN();
};

/// One pass over the data.
struct ReportEpoch {
  std::int64_t epoch = 0;
  double loss = std::numeric_limits<double>::quiet_NaN();
  double accuracy = std::numeric_limits<double>::quiet_NaN();  ///< 0..1, as all accuracies
  std::optional<double> validation_loss{};
  std::optional<double> validation_accuracy{};
  std::optional<double> test_loss{};
  std::optional<double> test_accuracy{};
  double learning_rate = std::numeric_limits<double>::quiet_NaN();
  double seconds = std::numeric_limits<double>::quiet_NaN();
};

/// How a training ended, if it did.
enum class RunState { finished, interrupted, diverged, running };
/// "finished", "interrupted", "diverged", "running".
std::string_view to_string(RunState state);

/// A training. Of more than 2,000 steps as many are shown, evenly chosen, with the first and the last.
struct ReportRun {
  std::string folder{};
  RunState state = RunState::finished;
  std::string command{};  ///< that repeats it
  std::string caveat{};   ///< what the command does not repeat; empty: it repeats all
  std::uint64_t seed = 0;
  std::string checksum{};
  std::vector<std::pair<std::string, std::string>> settings{};
  std::vector<ReportEpoch> epochs{};
  std::vector<ReportStep> steps{};
};

/// A parameter as it was at the end of an epoch.
struct ParameterSnapshot {
  std::int64_t epoch = 0;
  Tensor value{};
};

/// The norms of a parameter, its gradient, and its last change over itself.
struct ParameterFlow {
  std::int64_t epoch = 0;
  double norm = std::numeric_limits<double>::quiet_NaN();
  double gradient_norm = std::numeric_limits<double>::quiet_NaN();
  double update_ratio = std::numeric_limits<double>::quiet_NaN();
};

/// What became of a parameter during a training.
struct ParameterHistory {
  std::string name;
  std::vector<ParameterSnapshot> snapshots{};
  std::vector<ParameterFlow> flow{};
};

/// A test image that the net takes for something else.
struct WorstImage {
  std::int64_t index = 0;  ///< in the test data
  std::int64_t label = 0;
  std::int64_t predicted = 0;
  double probability = 0;                ///< of the prediction
  std::optional<std::int64_t> sample{};  ///< which image of the watched batch it is
  Tensor picture{};                      ///< uint8 [C,H,W]
};

/// Of a file.
struct ReportOptions {
  std::string title = "A net, seen from inside";
  std::vector<std::string> classes{};  ///< names; empty: numbers
  std::int64_t limit = 3'000'000;      ///< bytes of the file, the page in it too
};

/// Of watch().
struct WatchOptions {
  std::int64_t samples = 8;          ///< so many images of the batch at most, the first ones
  bool input_gradient = false;       ///< as TraceOptions has it
  Normalization normalization{};     ///< that the images went through
  std::vector<std::string> names{};  ///< of the images; empty: "image 0", ...
};

/// A file about a net. It belongs to one thread, and so does the net while watch() runs it.
class Report {
 public:
  /// Throws ValueError for an empty path or a limit with no room for the page and 100,000 bytes, and IoError where `path` is a folder or lies in
  /// none: before a training, rather than behind it. Nothing is written yet.
  explicit Report(std::string path, ReportOptions options = {});
  /// Without a file: html() is all that comes of it, and save() throws. Throws ValueError for the limit likewise.
  static Report without_file(ReportOptions options = {});
  /// save(), where something is new since the last; logs what that throws.
  ~Report();
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;

  /// A step of `net` on the first images of a batch, with cross_entropy(). Of several calls the last counts.
  /// Throws ShapeError unless there is a label for each image, ValueError for samples below 1 or a batch without
  /// images, and what trace_step() throws.
  void watch(Module& net, const Batch& batch, const WatchOptions& options = {});
  /// The same; labels int64 [N], or float32 [N,classes]: shares of the classes. An image whose shares are all 0
  /// has no label and sends no gradient; the loss is the mean over the others.
  void watch(Module& net, const Tensor& images, const Tensor& labels,
             const WatchOptions& options = {});
  /// With a loss of one's own, which looks at all images: none is left away.
  void watch(Module& net, const Tensor& images, const TraceLoss& loss,
             const WatchOptions& options = {});
  /// What watch() saw.
  const Trace& trace() const;

  void set_run(ReportRun run);
  /// By name; parameters that the net does not have are passed over.
  void set_history(std::vector<ParameterHistory> history);
  /// What diagnose() found.
  void set_findings(std::vector<Finding> findings);
  /// What GradcheckReport::to_json() gives, or `gradus gradcheck --model M --json` prints. Throws ValueError for
  /// other text.
  void set_gradcheck(const std::string& json);
  /// counts[true class][predicted]. Throws ValueError unless it is square and no count is negative.
  void set_confusion(std::vector<std::vector<std::int64_t>> counts);
  /// Throws ValueError for a picture that is not uint8 [C,H,W].
  void set_worst(std::vector<WorstImage> worst);

  /// Writes the file. Throws IoError naming it where it cannot; what was there before stays then. Throws ValueError
  /// where there is none to write.
  void save();
  /// The file's content.
  std::string html() const;

 private:
  explicit Report(ReportOptions options);

  struct Content;
  std::string path_;
  std::unique_ptr<Content> content_;
  bool saved_ = true;
};

/// The same JSON without any `<`, which stands in strings alone: in an element of a page "</script>" would end it.
std::string without_markup(const std::string& json);

}  // namespace gradus
