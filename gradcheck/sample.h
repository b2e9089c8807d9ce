// Samples: the calls by which ops and layers are checked. They stand in gradcheck/samples/, one file
// for each chapter of ops; an op without samples fails a test.
#pragma once

#include <gradus/autograd/variable.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

/// One call to check: function(inputs), with every float64 input differentiated.
struct Sample {
  std::string description;
  Variables inputs;
  std::function<Variable(const Variables&)> function;
};

/// An op, or a function that is composed of ops, with the samples that check it.
struct OpSamples {
  std::string_view name;
  /// The corners: sizes that differ, squares, scalars, nothing at all.
  std::vector<Sample> (*samples)();
  /// For the proof in float32: sizes that train, several tiles and images, more than one chunk of
  /// threads, all remainders of a vector.
  std::vector<Sample> (*training_samples)() = nullptr;
};

/// Every op of the framework (samples/all.cpp).
const std::vector<OpSamples>& all_ops();

/// Each sample as it is, with its inputs laid out transposed, with its inputs as strided slices,
/// and with every input used twice.
std::vector<Sample> in_every_layout(const std::vector<Sample>& samples);

}  // namespace gradus
