// The doctor: what a training that does not do well suffers from, in plain words, from numbers that a training
// leaves behind anyway. It is a table of rules; each looks at one thing, says what it saw, and what to try.
//
// Rules are heuristics: docs/doctor.md says how often they are right on trainings with one planted fault each, and on
// healthy ones. What was not measured (an empty list, NaN) is no evidence of anything.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

/// "bad": this alone explains a failure; "warning": worth a look; "note": good to know.
enum class Severity { note, warning, bad };
/// "note", "warning" or "bad".
std::string_view to_string(Severity severity);

/// One thing that the doctor found.
struct Finding {
  std::string id;  ///< of the rule: "rate-too-high"
  Severity severity = Severity::note;
  std::string where;     ///< a parameter, a layer, "data"; empty: the training as a whole
  std::string title;     ///< what it is, in a few words
  std::string evidence;  ///< the numbers that were seen
  std::string advice;    ///< what to try
};

/// What the doctor looks at. Losses are cross-entropies in nats.
struct Vitals {
  static constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

  struct Epoch {
    double train_loss = unknown;     ///< NaN also where it is no number: see `diverged`
    double held_out_loss = unknown;  ///< of images that are not trained with
    double held_out_accuracy = unknown;
  };
  /// A parameter: Euclidean norms, at the very first step and at the last one of each epoch.
  struct Parameter {
    std::string name;
    bool is_weight =
        true;  ///< of two or more dimensions; biases and scales do not count for some rules
    std::vector<double> norm{};
    std::vector<double> gradient_norm{};  ///< 0 or NaN: none
    std::vector<double> update_norm{};
    /// Of the rows (one for each output unit): how many are the same numbers as another row, over all.
    double equal_rows = unknown;
  };
  /// A layer on a batch of images.
  struct Layer {
    std::string path;
    std::string type;  ///< "ReLU"
    double dead =
        unknown;  ///< share of units that are 0 for every image, of activations that can be
    double saturated =
        unknown;  ///< share of outputs within 1% of the end of their range (tanh, sigmoid)
  };
  /// The data as the net gets them.
  struct Data {
    double mean = unknown;       ///< of all numbers of the training images, normalized
    double deviation = unknown;  ///< likewise
    std::vector<std::int64_t> class_counts{};  ///< training images of each class
    std::int64_t held_out = 0;                 ///< images to test with
    std::int64_t shared = 0;  ///< of these, how many are among the training images, pixel by pixel
  };

  std::int64_t classes = 0;
  std::vector<std::string> class_names{};  ///< empty: they have none, and are told by their numbers
  bool diverged = false;                   ///< a loss was infinite or no number
  double learning_rate = unknown;          ///< the highest
  std::vector<double> step_losses{};       ///< of every step
  std::vector<Epoch> epochs{};
  std::vector<Parameter> parameters{};  ///< in the order of the net
  std::vector<Layer> layers{};
  Data data{};
  /// Of held-out images, row by row: how many of class r were taken for class c; classes x classes.
  std::vector<std::int64_t> confusion{};
};

/// All rules, the worst findings first; of equal ones in the order of the rules.
std::vector<Finding> diagnose(const Vitals& vitals);
/// The ids of all rules.
std::vector<std::string> doctor_rules();

}  // namespace gradus
