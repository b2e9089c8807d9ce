// A net of layers as a Graph, node by node: how Gradus leaves for other programs.
//
// Numbers keep their names: each parameter and each running statistic is a constant of the Graph under its name
// in state_dict() and in its layout there; where ONNX wants another layout, as of the gates of an LSTM, nodes make
// it. What a layer computes in evaluation is written down, and Dropout as such, so that who trains on drops.
#pragma once

#include <gradus/core/dtype.h>
#include <gradus/core/shape.h>
#include <gradus/interchange/graph.h>
#include <gradus/layers/module.h>

#include <string>

namespace gradus::interchange {

/// Of graph_of().
struct ExportOptions {
  std::string name = "gradus";    ///< of the graph
  std::string input = "images";   ///< name of the input; of MultiheadAttention query, key and value
  std::string output = "logits";  ///< name of the (first) output
  DType dtype = float32;  ///< of the input: int64 for an Embedding, float64 for a net in float64
  int batch_axis = 0;     ///< where the batch stands: 1 for sequences [L,N,E]
  bool fold_batch_norm = false;  ///< see fold_batch_norms()
};

/// The net as a Graph of opset 17 for one input of `example` with a batch of any size put in at batch_axis:
/// [C,H,W] becomes [N,C,H,W], all other sizes stay as they are. Sequential and Residual are gone through, every
/// layer of NET.json is known, and Conv1d, the pools of rows, Unfold, Fold, Embedding, TransformerEncoderLayer;
/// RNN, LSTM and GRU as a net of their own, with the outputs "h_n" (and "c_n") beside; MultiheadAttention likewise,
/// with three inputs of that shape and the output "weights". A GraphNet alone is the graph that it is made of, under
/// its own names and for its own sizes; within a net its nodes are taken over, if they are of opset 17 too.
///
/// The net runs once, in evaluation, on a batch of one example of zeros; its modes are put back. The constants share
/// the net's numbers. How often a batch norm was trained, which ONNX has no place for, is in the metadata.
///
/// Throws ValueError, naming the layer's path and type, for a layer that has no form in ONNX or has hooks, and for
/// equal names of inputs, outputs and parameters; and what the net throws for an input that does not suit it.
Graph graph_of(Module& net, const Shape& example, const ExportOptions& options = {});

}  // namespace gradus::interchange
