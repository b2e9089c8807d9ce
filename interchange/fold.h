// Batch norm after a convolution is a convolution: with statistics that no longer change both are linear.
#pragma once

#include <gradus/interchange/graph.h>

namespace gradus::interchange {

/// Multiplies every BatchNormalization into the Conv, ConvTranspose or Gemm whose output it takes:
///   weight' = weight·scale/√(variance + eps),  bias' = (bias - mean)·scale/√(variance + eps) + shift
/// computed in float64, so that one rounding is left. Stays as it is where the output goes elsewhere too, where the
/// weights are no constants or serve two nodes. Returns how many were folded.
int fold_batch_norms(Graph& graph);

}  // namespace gradus::interchange
