// Trace: one training step of a net, looked at from inside. The net runs forward and backward, and what
// came by is written down: each operation in the order recorded, its value, what it kept for its
// derivative and why, each gradient as it arrived, time and products.
//
//   const Trace step = trace_step(net, batch.images, batch.labels);
//   for (const TraceNode& node : step.nodes) std::cout << node.op << ' ' << node.shape << '\n';
//
// The numbers are those of the training: nothing is computed again, but for a convolution with its
// activation in one op, which is run once more without it. Activations of layers are not fused while a
// trace runs, so that what stands before them is seen; bit for bit that is the same. What a module keeps is
// counted in a second run forward, in which they are: memory is what it is in a training. The net stays as it
// was: parameters, gradients, buffers, generators, training or evaluation. Its hooks run, as in a step,
// whenever it is run forward: twice.
// What was not computed is an undefined Tensor, never zeros.
#pragma once

#include <gradus/core/conv.h>
#include <gradus/layers/module.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace gradus {

/// Stands for "none" where an index is meant.
inline constexpr std::size_t no_index = std::numeric_limits<std::size_t>::max();

/// What an op kept for its derivative.
struct TraceKept {
  std::string what;  ///< "input 1, conv.weight", "output", "labels"
  Shape shape{};
  std::int64_t bytes = 0;
  std::string why{};  ///< "dL/d(input 0) is made of it"
  /// Not there anyway, as a parameter is, and not counted with an earlier op that keeps the same.
  bool counts = false;
};

/// A gradient that came to a node from a later one.
struct TraceArrival {
  std::size_t from = no_index;  ///< the node
  Tensor gradient{};
};

/// What a node is.
enum class TraceRole {
  op,         ///< on the tape
  parameter,  ///< a leaf
  input,      ///< the images
  constant,  ///< has no gradient; also the result of an op on constants alone, which is not on the tape
};
/// "op", "parameter", "input", "constant".
std::string_view to_string(TraceRole role);

/// An operation, or what operations begin with.
struct TraceNode {
  std::string op;  ///< its name; "leaf" where there is none
  TraceRole role = TraceRole::op;
  std::string name{};                 ///< of a parameter "conv.weight"; "images"
  std::size_t module = no_index;      ///< the innermost that ran, in Trace::modules
  std::size_t call = 0;               ///< tells the calls of modules apart; 0 outside of any
  std::string place{};                ///< "layers/conv.cpp:88, called at train.cpp:41"
  std::vector<std::size_t> inputs{};  ///< no_index for one that is undefined, or was not seen
  Shape shape{};
  Tensor value{};     ///< undefined where the trace was told to keep none, or did not see it
  Tensor gradient{};  ///< dL/d(value), complete
  std::vector<TraceKept> kept{};
  std::vector<TraceArrival> arrivals{};  ///< in the order they came: two or more are added
  std::optional<double> forward_us{};    ///< what it runs in turn included
  std::optional<double> backward_us{};
  std::int64_t flops = 0;  ///< of products: a multiplication counts 1, its addition another
  std::int64_t backward_flops = 0;
  /// Of the same products: a sum of K takes K - 1, and one more for its bias. Of conv2d's and linear's
  /// derivatives those of the bias too.
  std::int64_t additions = 0;
  std::int64_t backward_additions = 0;
};

/// A module, with all below it: numbers of a container are sums.
struct TraceModule {
  std::string path;  ///< as in state_dict, "features.3"; "" of the net
  std::string type;  ///< "Conv2d"
  std::string text;  ///< "1, 6, kernel_size=(5, 5)"
  std::size_t parent = no_index;
  bool has_children = false;
  Shape input{};  ///< of its last call; [] where it was not called, or takes a list
  Shape output{};
  std::vector<std::size_t> outputs{};  ///< the nodes that it gave, one for each call
  std::int64_t parameters = 0;         ///< elements
  std::int64_t flops = 0;
  std::int64_t backward_flops = 0;
  std::int64_t additions = 0;  ///< as of its nodes
  std::int64_t backward_additions = 0;
  /// What its ops keep in a training's step, each number once, without parameters, buffers and images, without the pool's
  /// rounding and what a norm keeps for each channel (gradus summary counts these). The nodes may keep more: there each
  /// activation is by itself.
  std::int64_t kept_bytes = 0;
};

/// A parameter with its gradient in this step.
struct TraceParameter {
  std::string name;
  std::size_t module = no_index;
  Tensor value{};
  Tensor gradient{};  ///< undefined where none was computed
};

/// How one of the three passes of a convolution was computed.
struct TraceAlgorithm {
  Conv2dPass pass = Conv2dPass::forward;
  std::string name;
  std::string why;
  std::optional<double> microseconds{};
  /// What its products take at the rate of a large product of matrices, measured on this machine: the loops reach
  /// less. Winograd has a quarter of the products. Without values nothing is predicted.
  std::optional<double> predicted{};
};

/// A call of conv2d. The gradients of input, weight and bias are what this call sent; a node to which
/// several calls send has their sum.
struct TraceConvolution {
  std::size_t node = no_index;
  std::string name{};       ///< of its module, "features.3"; "conv2d" outside of any
  Conv2dOptions options{};  ///< with the padding in sizes; the activation is that of the op
  Tensor input{};           ///< [N,C,H,W]
  Tensor weight{};          ///< [O,C/groups,kh,kw]
  Tensor bias{};            ///< [O], or undefined
  Tensor output{};          ///< [N,O,OH,OW], with the bias, before any activation
  Tensor output_gradient{};
  Tensor input_gradient{};
  Tensor weight_gradient{};
  Tensor bias_gradient{};
  std::vector<TraceAlgorithm> algorithms{};
};

/// How often numbers fall into each of equally wide parts of low..high. What is not finite does not count.
struct TraceHistogram {
  double low = 0;
  double high = 0;
  std::vector<std::int64_t> counts{};
};

/// Mean, standard deviation and histogram of numbers. The first two are NaN as soon as one number is.
struct TraceSpread {
  double mean = 0;
  double deviation = 0;
  TraceHistogram histogram{};
};

/// What a module without children gives, all its calls together.
struct TraceActivity {
  std::size_t module = no_index;
  TraceSpread values{};
  /// Share of the units (channels, or features) that no image of the batch makes positive; where the
  /// module runs a relu.
  std::optional<double> dead{};
  std::optional<TraceSpread> gradients{};
};

/// All of it. Indices are those of `nodes` and `modules`.
struct Trace {
  std::vector<TraceModule> modules{};  ///< parents first; [0] is the net
  std::vector<TraceParameter> parameters{};
  std::vector<TraceNode>
      nodes{};  ///< in the order recorded; a leaf before the first op that takes it
  std::vector<std::size_t> backward{};  ///< ops in the order in which backward ran them
  std::size_t images = no_index;        ///< node of the input
  std::size_t output = no_index;        ///< of what the net gave
  std::size_t loss = no_index;
  std::vector<TraceConvolution> convolutions{};
  std::vector<TraceActivity> activity{};
  Tensor labels{};  ///< as they were given; undefined with a loss of one's own
};

/// What a trace keeps.
struct TraceOptions {
  /// The gradient of the images too, for which a training has no use: the first layer then computes one
  /// more gradient than it does there.
  bool input_gradient = false;
  bool values = true;  ///< the numbers; false: shapes, times, products and bytes alone
};

/// From what the net gives to one number.
using TraceLoss = std::function<Variable(const Variable& output)>;

/// One step on images [N,...] with cross_entropy(). labels int64 [N], or float32 [N,classes]. The loss may
/// be NaN. Throws ValueError for undefined images or labels, and what the net and cross_entropy() throw.
Trace trace_step(Module& net, const Tensor& images, const Tensor& labels,
                 const TraceOptions& options = {});
/// The same with a loss of one's own. Throws ValueError for an empty one, and where it gives no Variable;
/// ShapeError unless that has one element.
Trace trace_step(Module& net, const Tensor& images, const TraceLoss& loss,
                 const TraceOptions& options = {});

}  // namespace gradus
