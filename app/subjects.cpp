// The names, and what to say of one that is not there.
#include <gradus/core/words.h>
#include <gradus/gradcheck/layers.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "exit_code.h"
#include "subjects.h"

namespace gradus::app {

std::vector<LayerSample> Subject::samples() const {
  if (layer_samples != nullptr) return layer_samples();
  std::vector<LayerSample> nameless;
  for (Sample& sample : op_samples()) nameless.push_back({std::move(sample), {}});
  return nameless;
}

std::vector<Sample> Subject::training_samples() const {
  return op_training_samples == nullptr ? std::vector<Sample>() : op_training_samples();
}

std::vector<Subject> all_subjects() {
  std::vector<Subject> subjects;
  for (const OpSamples& op : all_ops()) {
    subjects.push_back({.kind = "op",
                        .name = std::string(op.name),
                        .op_samples = op.samples,
                        .op_training_samples = op.training_samples});
  }
  for (const LayerSamples& layer : all_layers()) {
    subjects.push_back(
        {.kind = "layer", .name = std::string(layer.name), .layer_samples = layer.samples});
  }
  return subjects;
}

namespace {

[[noreturn]] void fail_unknown(const std::string& name, std::vector<Subject> subjects) {
  const auto distance = [&](const Subject& subject) {
    const bool holds_it = subject.name.find(name) != std::string::npos;
    return std::pair(!holds_it, letters_apart(name, subject.name));
  };
  std::stable_sort(subjects.begin(), subjects.end(),
                   [&](const Subject& a, const Subject& b) { return distance(a) < distance(b); });
  fail<UsageError>("gradcheck: nothing is named ", name, "; nearest are ", subjects[0].name, ", ",
                   subjects[1].name, ", ", subjects[2].name,
                   " (gradus gradcheck --list shows all)");
}

}  // namespace

std::vector<Subject> selected_subjects(const std::vector<std::string>& names) {
  std::vector<Subject> all = all_subjects();
  if (names.empty()) return all;
  std::vector<Subject> chosen;
  for (const std::string& name : names) {
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const Subject& subject) { return subject.name == name; });
    if (found == all.end()) fail_unknown(name, all);
    chosen.push_back(*found);
  }
  return chosen;
}

}  // namespace gradus::app
