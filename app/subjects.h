// Subjects: what `gradus gradcheck` can check by name, operations and layers alike.
#pragma once

#include <gradus/gradcheck/gradcheck.h>
#include <gradus/gradcheck/module_sample.h>

#include <string>
#include <vector>

namespace gradus::app {

/// Something with samples.
struct Subject {
  std::string kind;  ///< "op" or "layer"
  std::string name;
  std::vector<Sample> (*op_samples)() = nullptr;
  std::vector<LayerSample> (*layer_samples)() = nullptr;
  std::vector<Sample> (*op_training_samples)() = nullptr;

  /// The inputs of an op have no names of their own.
  std::vector<LayerSample> samples() const;
  /// For the proof in float32; a layer has none of its own, it is made of ops.
  std::vector<Sample> training_samples() const;
};

std::vector<Subject> all_subjects();
/// Those with the given names, all without any. Throws UsageError for an unknown name, and tells
/// the nearest.
std::vector<Subject> selected_subjects(const std::vector<std::string>& names);

}  // namespace gradus::app
