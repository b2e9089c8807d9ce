// The list of all layers with the samples that check them (samples/layers.cpp), for the gradient checker
// and for whoever wants to show them. A test reads the headers of layers/ and fails when a layer was
// forgotten.
#pragma once

#include <gradus/gradcheck/module_sample.h>

#include <string_view>
#include <vector>

namespace gradus {

/// The samples of a layer.
struct LayerSamples {
  std::string_view name;  ///< of the class: "Conv2d"
  std::vector<LayerSample> (*samples)();
};

/// Every layer of the framework.
const std::vector<LayerSamples>& all_layers();

}  // namespace gradus
