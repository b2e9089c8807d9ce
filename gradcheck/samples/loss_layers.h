// The samples of losses as layers, which all_layers() appends to its own.
#pragma once

#include <gradus/gradcheck/layers.h>

#include <vector>

namespace gradus::samples {

std::vector<LayerSamples> loss_layers();

}  // namespace gradus::samples
