// Which classes a model takes for which: the confusion matrix, and what follows from it for each class.
#pragma once

#include <gradus/core/tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gradus::app {

/// Of one class. What would be a division by 0 has no value: it is not 0.
struct ClassScores {
  std::optional<double> precision{};  ///< of what was taken for it, how much is; none: nothing was
  std::optional<double> recall{};     ///< of what is it, how much was found; none: nothing is
  std::optional<double> f1{};         ///< 2·right / (what is it + what was taken for it)
  std::int64_t support = 0;           ///< how many are of this class
};

struct ClassificationReport {
  Tensor counts;  ///< int64 [K,K]: a row for each true class, a column for each predicted one
  double accuracy = 0;
  std::vector<ClassScores> classes{};  ///< K

  std::int64_t samples() const;
};

/// `labels` and `predictions` are int64 [N], N at least 1, in 0..classes-1, and classes 1..4096.
/// Throws ShapeError, DTypeError or ValueError for others.
ClassificationReport classification_report(const Tensor& labels, const Tensor& predictions,
                                           std::int64_t classes);

/// One class taken for another.
struct ConfusedPair {
  std::int64_t truth = 0;
  std::int64_t predicted = 0;
  std::int64_t count = 0;
};
/// The most frequent mistakes, at most `most` and none that was never made; equals in the order of classes.
std::vector<ConfusedPair> most_confused(const ClassificationReport& report, std::size_t most);

/// `names`, or 0, 1, ... where there are none. Throws ValueError unless they are K.
std::vector<std::string> class_names(const ClassificationReport& report,
                                     const std::vector<std::string>& names);

/// Tables for a terminal: the counts with up to 20 classes, else the ten most confused pairs; then a line for
/// each class. `names` are K, or none for 0, 1, ...; long ones are cut, and a terminal finds nothing to obey
/// in them. What has no value is "-". Ends with a newline. Throws as class_names().
std::string to_text(const ClassificationReport& report, const std::vector<std::string>& names = {});

}  // namespace gradus::app
