// The list of all layers, for the gradient checker and for whoever wants to show them. A new
// layer adds its line to all.cpp; a test reads the headers of this folder and fails when one
// was forgotten.
#pragma once

#include <gradus/layers/sample.h>

#include <string_view>
#include <vector>

namespace gradus {

struct LayerInfo {
  std::string_view name;  ///< of the class: "Conv2d"
  std::vector<LayerSample> (*samples)();
};

/// Every layer of the framework, with the samples that check it.
const std::vector<LayerInfo>& all_layers();

}  // namespace gradus
