// What the program knows of a training: plain structs, which app/json.cpp turns into the text that a
// checkpoint carries, the lines of metrics.jsonl, and what --json prints.
#pragma once

#include <gradus/data/dataset.h>
#include <gradus/data/image_folder.h>
#include <gradus/layers/models.h>
#include <gradus/report/vitals.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace gradus::app {

/// Which data a training looks at, and how it is cut.
struct DataSettings {
  std::string name = "digits";  ///< a name, or the absolute path of a folder or file
  std::string data_dir{};       ///< of named data, absolute; empty: the usual places
  ImageForm form{};             ///< of pictures; what is open is decided by them
  bool skip_bad = false;
  std::string label_column{};  ///< of a CSV file
  double test_fraction =
      0;                  ///< held out to test with, where the data have no test part; 0: a fifth
  double validation = 0;  ///< of the training part, held out to choose by
  std::uint64_t split_seed = 0;  ///< of both
};

/// What pixels are: of whole numbers 0..255 as of bytes, or of other numbers.
struct Pixels {
  double white = 255;  ///< what numbers are divided by to be 0..1; those of bytes always by 255
  bool unit =
      true;  ///< are they 0..1 then? If not they are numbers of their own kind, and no pictures
};

/// A training as it was asked for. Equal settings (threads, workers and data_dir aside), equal data and equal
/// vectors (GRADUS_SIMD, and what the processor has) give the same model, bit for bit.
struct Settings {
  DataSettings data{};
  std::string model = "cnn";  ///< a name, or the file that `net` was read from
  std::string net{};          ///< layers as JSON; empty: the model has a name
  std::string from{};  ///< where its first weights came from, and their CRC-32; empty: random ones
  std::string augment{};  ///< as parse_transforms() takes it
  double mixup = 0;
  std::int64_t epochs = 0;
  std::int64_t patience = 0;  ///< epochs without a better validation accuracy; 0: all epochs
  std::int64_t batch_size = 0;
  std::string optimizer = "adam";
  double lr = 0;
  double momentum = 0;  ///< of sgd
  double weight_decay = 0;
  double clip_norm = 0;  ///< of all gradients together; 0: as they are
  double label_smoothing = 0;
  std::string schedule = "cosine";
  std::uint64_t seed = 1;
  int threads = 1;
  std::int64_t workers = 1;  ///< threads that make batches
  bool tensorboard = false;
  std::int64_t shards = 0;  ///< that each batch is cut into; 0: it is trained on as a whole
};

inline constexpr std::int64_t most_epochs = 1'000'000;
inline constexpr std::int64_t most_batch_size = 1'000'000;
inline constexpr std::int64_t most_workers = 256;
inline constexpr std::int64_t most_shards = 4096;
/// What Settings::optimizer and Settings::schedule may be.
inline std::vector<std::string> optimizer_names() { return {"sgd", "adam", "adamw"}; }
inline std::vector<std::string> schedule_names() { return {"cosine", "step", "none"}; }

struct StepRecord {
  std::int64_t epoch = 0;  ///< 1, 2, ...
  std::int64_t step = 0;   ///< 1, 2, ..., counted through all epochs
  double loss = 0;
};

/// A learning rate that somebody changed while the training ran, between two steps.
struct RateRecord {
  std::int64_t epoch = 0;  ///< to which the step belongs that is the first with the new rate
  std::int64_t step = 0;   ///< steps that were done
  double from = 0;         ///< the rate before
  double lr = 0;           ///< the rate that the rest of the epoch has
  double base_lr = 0;      ///< from which the schedule goes on: what makes the change again
};

/// How a parameter moved in the last step of an epoch, or in the very first one.
struct ParameterRecord {
  std::int64_t epoch = 0;  ///< 1, 2, ...; 0: the very first step
  Movement movement{};
};

struct EpochRecord {
  std::int64_t epoch = 0;
  double lr = 0;
  double train_loss = 0;  ///< mean over the epoch's images, each as it was met
  double validation_loss = std::numeric_limits<double>::quiet_NaN();  ///< NaN: nothing is held out
  double validation_accuracy = std::numeric_limits<double>::quiet_NaN();
  double test_loss = 0;
  double test_accuracy = 0;
  double seconds = 0;            ///< since the training began, evaluation included
  double images_per_second = 0;  ///< of all training steps so far, evaluation excluded
};

/// Where a training stands, between two steps; with the tensors of model and optimizer, all that the rest
/// of it depends on.
struct Position {
  std::int64_t epoch = 1;  ///< 1, 2, ...; settings.epochs + 1 when all is done
  std::int64_t batch = 0;  ///< batches of this epoch that are done
  std::int64_t step = 0;   ///< steps that are done
  double loss_sum = 0;     ///< over the images of this epoch that are done
  std::int64_t images = 0;
  std::int64_t all_images = 0;  ///< of all epochs
  double seconds = 0;           ///< of computing, evaluation included
  double evaluation_seconds = 0;
  std::uint64_t generator_seed = 0;  ///< of the generator that layers draw from
  std::uint64_t generator_position = 0;
};

/// How much of metrics.jsonl belongs to a checkpoint.
struct MetricsRecord {
  std::int64_t bytes = 0;
  std::uint32_t crc32 = 0;  ///< of these bytes
};

/// What a checkpoint says beside its tensors: enough to build the model again and to go on.
struct RunRecord {
  Settings settings{};
  ImageSpec image{};
  std::vector<std::string> class_names{};  ///< empty where they have none
  Pixels pixels{};
  Normalization normalization{};
  std::int64_t train_images = 0;
  std::int64_t validation_images = 0;
  std::int64_t test_images = 0;
  std::string data_checksum{};
  std::int64_t parameters = 0;
  std::string simd{};  ///< the vectors that it was computed with, to which the last bits belong
  std::string
      blas{};  ///< likewise the library of matrix products and its kernels; empty in older checkpoints
  EpochRecord last{};  ///< the last whole epoch; last.epoch is 0 when there is none
  EpochRecord best{};  ///< that of the best validation accuracy; best.epoch is 0 without validation
  Position position{};
  MetricsRecord metrics{};
  bool diverged = false;  ///< before anything good was kept: the weights are those that led nowhere

  /// The epoch whose weights count.
  const EpochRecord& chosen() const { return best.epoch > 0 ? best : last; }
  /// Has the patience run out?
  bool gave_up() const {
    return settings.patience > 0 && best.epoch > 0 && last.epoch - best.epoch >= settings.patience;
  }
  /// Did an evaluation with these very weights show them to be of use? Not where its loss is over four times that of
  /// who gives each class the same chance: a step too long does that, and one more often ends in NaN.
  bool tested() const {
    const double of_all_alike = std::log(static_cast<double>(image.classes));
    return position.batch == 0 && last.epoch > 0 && !(last.test_loss > 4 * of_all_alike);
  }
  /// Are there epochs to go?
  bool unfinished() const { return position.epoch <= settings.epochs && !gave_up(); }
  /// "rose", or the number of a class without a name.
  std::string class_name(std::int64_t label) const {
    const auto at = static_cast<std::size_t>(label);
    return at < class_names.size() ? class_names[at] : std::to_string(label);
  }
};

/// What a model takes an image for.
struct Prediction {
  std::string file;
  std::vector<std::pair<std::string, double>> top;  ///< classes and their probabilities, falling
};

/// What `gradus data` tells.
struct DataRecord {
  struct Class {
    std::string name;
    std::int64_t train = 0;
    std::int64_t test = 0;
  };
  std::string name;
  ImageSpec image{};
  std::int64_t train_images = 0;
  std::int64_t test_images = 0;
  Normalization normalization{};
  std::string checksum{};
  std::vector<Class> classes{};
};

/// What `gradus lr-find` found.
struct LrFindRecord {
  std::vector<std::pair<double, double>>
      curve;            ///< learning rates, rising, and the smoothed loss at each
  double steepest = 0;  ///< the rate at which the loss falls fastest
  double lowest_loss = 0;
  double lr_of_lowest_loss = 0;
  double suggestion = 0;
};

/// What one name of `gradus gradcheck` came to.
struct CheckRow {
  struct Order {
    std::int64_t elements = 0;
    std::int64_t fail = 0;  ///< of the elements, by verdict; the others passed
    std::int64_t kink = 0;
    std::int64_t inconclusive = 0;
    double worst = 0;  ///< relative error
    bool passed = true;
  };
  std::string kind;  ///< "op" or "layer"
  std::string name;
  std::int64_t samples = 0;
  std::vector<Order> orders{};          ///< of the first order, and perhaps of the second
  std::vector<std::string> failures{};  ///< which sample, and its report

  bool passed() const { return failures.empty(); }
};

/// What one name of `gradus gradcheck --float32` came to.
struct Float32Row {
  std::string kind;  ///< "op" or "layer"
  std::string name;
  std::int64_t samples = 0;
  std::int64_t elements = 0;
  std::int64_t identities = 0;
  std::int64_t undecided = 0;  ///< at a relu's 0
  std::int64_t fail = 0;       ///< elements and identities out of bounds
  double worst = 0;            ///< the largest difference over its bound
  std::string worst_at{};
  std::vector<std::string> failures{};  ///< which sample, and its report

  bool passed() const { return failures.empty(); }
};

/// What became of one bug planted by `gradus gradcheck --self-test`.
struct PlantedRow {
  std::string kind;  ///< "op" or "layer"
  std::string subject;
  std::string sample;
  std::string input;
  std::string shape;  ///< of that input
  std::string bug;
  int order = 1;
  bool caught = false;
  std::vector<std::string>
      expected{};           ///< the patterns that name it rightly; empty: it has no name
  std::string diagnosed{};  ///< the pattern that the checker named first; empty: none
  bool nameable() const { return !expected.empty(); }
  bool named() const {
    return caught && std::find(expected.begin(), expected.end(), diagnosed) != expected.end();
  }
  bool misnamed() const { return nameable() && caught && !diagnosed.empty() && !named(); }
};

struct SelfTestRecord {
  std::vector<PlantedRow> planted{};
  std::int64_t good = 0;                    ///< right functions that were checked
  std::int64_t undecided = 0;               ///< of these, how many were inconclusive
  std::vector<std::string> false_alarms{};  ///< those of them that failed, with their report
  double seconds = 0;
};

/// What this machine can do, measured in the same run.
struct MachineRates {
  double sgemm_gflops = 0;  ///< of a product of large matrices, float32
  double memory_gbs = 0;    ///< GB/s read and written, of more than the caches hold
};

/// How long a step of `gradus bench` takes.
struct TimingRecord {
  double ms = 0;  ///< median
  double images_per_second = 0;
  double flops = 0;  ///< per step, of convolutions and matrix products
  double gflops = 0;
  double sgemm_percent = 0;
  double allocations = 0;  ///< blocks taken from the system, per step
};

/// A line of `gradus bench --profile`: means per step. Times are own times, without nested events.
struct ProfileRow {
  std::string op;
  std::string direction;  ///< "forward", "backward", "in backward", "step"; "" of the rest
  double calls = 0;
  double ms = 0;
  double percent = 0;  ///< of the step
  double flops = 0;
  double gflops = 0;         ///< flops / ms
  double bytes = 0;          ///< the least that must be moved
  double gbs = 0;            ///< bytes / ms
  double floor_ms = 0;       ///< what flops at SGEMM's rate, or bytes at memory's, would take
  double floor_percent = 0;  ///< floor / ms; above 100 where the bytes were in a cache
};

/// What `gradus bench` measured.
struct BenchRecord {
  std::string model;
  std::int64_t batch = 0;
  std::int64_t image = 0;  ///< height and width
  std::int64_t steps = 0;
  int threads = 1;
  std::int64_t parameters = 0;
  MachineRates machine{};
  TimingRecord training{};
  TimingRecord inference{};
  std::vector<ProfileRow> profile{};  ///< of the training step; empty without --profile
  ProfileRow total{};                 ///< of the profile
};

/// A module of `gradus summary`, with all below it: the numbers of a container are sums.
struct SummaryRow {
  std::string place;  ///< in the model, as in state_dict: "3.body.0"; "" of the model itself
  std::string kind;
  int depth = 0;                    ///< 0 of the model, 1 of its layers
  Shape output{};                   ///< of its last call
  std::int64_t parameters = 0;      ///< elements
  std::int64_t flops_forward = 0;   ///< of products; a multiplication counts 1, an addition too
  std::int64_t flops_backward = 0;  ///< likewise
  /// What its ops keep from forward to backward: whole blocks of the pool, without what is there anyway
  /// (parameters, images), and what several keep counted with the first. That of a ReLU stands with the
  /// layer in front where both are one op.
  std::int64_t kept_bytes = 0;
};

/// What `gradus summary` counted in one step on a batch of images.
struct SummaryRecord {
  std::string model;
  ImageSpec image{};
  std::int64_t batch = 0;
  std::int64_t buffers = 0;        ///< elements that are saved and not trained
  std::vector<SummaryRow> rows{};  ///< parents first; the first is the whole model
};

/// What metrics.jsonl tells, in the order of its lines.
struct Metrics {
  std::vector<StepRecord> steps{};
  std::vector<ParameterRecord> parameters{};
  std::vector<EpochRecord> epochs{};
  std::vector<RateRecord> rates{};  ///< changes by hand
  bool diverged = false;            ///< the last that happened
};

/// The learning rate of each step: that of its epoch, but for changes by hand; NaN where no line tells it.
std::vector<double> learning_rates(const Metrics& metrics);

/// One setting, or other fact of a checkpoint, of two trainings.
struct SettingDifference {
  std::string name;
  std::string left;  ///< as JSON, in ASCII
  std::string right;
};

/// An epoch of two trainings, of which one may not have it.
struct EpochPair {
  std::int64_t epoch = 0;
  std::optional<EpochRecord> left{};
  std::optional<EpochRecord> right{};
};

/// Where two trainings part.
struct StepComparison {
  std::int64_t left = 0;   ///< how many steps it has
  std::int64_t right = 0;  ///< how many steps it has
  std::int64_t same = 0;   ///< steps with the same loss, up to the first with another
  std::int64_t step = 0;   ///< that first one; 0: there is none
  double left_loss = 0;
  double right_loss = 0;
};

/// A tensor of two models that is not the same bits.
struct TensorDifference {
  std::string name;
  std::string left_shape{};   ///< with its dtype; empty: it is not there
  std::string right_shape{};  ///< with its dtype; empty: it is not there
  double largest = 0;         ///< of the differences of two elements; NaN where the shapes differ
  double relative = 0;        ///< largest, over the largest magnitude in either; NaN likewise
};

/// What `gradus compare` found.
struct Comparison {
  std::string left;  ///< the folder
  std::string right;
  std::vector<SettingDifference> settings{};  ///< those that differ
  std::vector<EpochPair> epochs{};
  StepComparison steps{};
  std::int64_t tensors = 0;                 ///< with a name in either model
  std::int64_t elements = 0;                ///< of the left model
  std::vector<TensorDifference> weights{};  ///< those that differ
};

}  // namespace gradus::app
