// One call of an operator: what a node gives to the function that computes it, and the tables of these functions, a
// chapter each. Each has its differences between opset 6 and 17 where it reads its attributes and inputs.
//
// The functions compute by those of autograd, so that gradients come by themselves; what has none (indices, masks,
// sizes) by core's. Source of all: https://github.com/onnx/onnx/blob/main/docs/Operators.md and Changelog.md.
#pragma once

#include <gradus/autograd/functions.h>
#include <gradus/autograd/variable.h>
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/interchange/graph.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gradus::interchange {

using Integers = std::vector<std::int64_t>;

/// What a node says and gets.
struct Call {
  const GraphNode& node;
  std::int64_t opset;
  const Variables& inputs;  ///< undefined: left out
  bool training;            ///< is the net being trained?
  bool wide;                ///< float64 stands where the file says float32

  bool has(std::size_t i) const { return i < inputs.size() && inputs[i].defined(); }
  /// An input that must be there. Throws BadDataError.
  const Variable& in(std::size_t i) const;
  /// One that may be left out.
  Variable optional(std::size_t i) const { return has(i) ? inputs[i] : Variable(); }
  /// The numbers of a tensor, as the net's sizes and axes are. Throws BadDataError unless it is int64.
  Integers integers_in(std::size_t i) const;
  /// Does anybody want that output?
  bool wants(std::size_t i) const { return i < node.outputs.size() && !node.outputs[i].empty(); }

  /// Attributes, or the default. Throw BadDataError where the attribute is of another kind.
  std::int64_t integer(const std::string& name, std::int64_t otherwise) const {
    return node.integer(name, otherwise);
  }
  bool flag(const std::string& name, bool otherwise) const {
    return integer(name, otherwise ? 1 : 0) != 0;
  }
  double real(const std::string& name, double otherwise) const {
    return node.real(name, otherwise);
  }
  std::string text(const std::string& name, const std::string& otherwise) const {
    return node.text(name, otherwise);
  }
  Integers integers(const std::string& name, const Integers& otherwise = {}) const {
    return node.integers(name, otherwise);
  }
  std::vector<double> reals(const std::string& name) const { return node.reals(name); }
  std::vector<std::string> texts(const std::string& name) const { return node.texts(name); }
  bool given(const std::string& name) const { return node.find(name) != nullptr; }
  /// An attribute that became an input in opset `since`; `otherwise` where it is left out.
  Integers integers_since(std::int64_t since, const std::string& name, std::size_t input,
                          const Integers& otherwise = {}) const;
  /// The dtype of an attribute that names one by ONNX's number.
  DType dtype(const std::string& name, DType otherwise) const;
  /// float64 for float32 where the net is computed so.
  DType computed(DType dtype) const { return wide && dtype == float32 ? float64 : dtype; }

  /// Throws BadDataError for what a node asks and is not known: "Conv: auto_pad 'FOO'; known are ...".
  template <class... Parts> [[noreturn]] void refuse(const Parts&... parts) const {
    fail<BadDataError>(node.op, ": ", parts...);
  }
};

/// Computes a node.
using Operator = Variables (*)(const Call& call);

/// An operator's name and function.
struct OperatorEntry {
  std::string_view name;
  Operator run;
};

std::vector<OperatorEntry> activation_operators();
std::vector<OperatorEntry> constant_operators();
std::vector<OperatorEntry> conv_operators();
std::vector<OperatorEntry> elementwise_operators();
std::vector<OperatorEntry> image_operators();
std::vector<OperatorEntry> index_operators();
std::vector<OperatorEntry> integer_operators();
std::vector<OperatorEntry> logic_operators();
std::vector<OperatorEntry> loss_operators();
std::vector<OperatorEntry> matmul_operators();
std::vector<OperatorEntry> norm_operators();
std::vector<OperatorEntry> pool_operators();
std::vector<OperatorEntry> recurrent_operators();
std::vector<OperatorEntry> reduce_operators();
std::vector<OperatorEntry> scatter_operators();
std::vector<OperatorEntry> shape_operators();
std::vector<OperatorEntry> signal_operators();

/// The function of an operator; null for one that is not known.
Operator find_operator(const std::string& name);

// ---- what several chapters need ----
Shape shape_of(const Integers& sizes, const Call& call);
/// Counted from either end. Throws BadDataError for an axis that is not there.
std::int64_t axis_of(const Call& call, std::int64_t axis, int rank);
/// x converted; the gradient is converted back, and goes where x is a float.
Variable cast(const Variable& x, DType dtype);
/// The second input as it broadcasts with the first. Before opset 7 it did so only where the node said broadcast=1, from
/// dimension `axis` of the first on.
Variable aligned(const Call& call);
/// `data` and `updates` flat, element i of the updates meant for element at[i]. Several updates of one element: the last
/// replaces ("none"), all are added ("add") or multiplied ("mul"). Throws BadDataError for another reduction.
Variable scattered(const Call& call, const Variable& data, const Integers& at,
                   const Variable& updates, const std::string& reduction);
/// max(0, min(1, alpha·x + beta))
Variable hard_sigmoid_of(const Variable& x, double alpha, double beta);
/// x above alpha, else 0.
Variable thresholded_relu_of(const Variable& x, double alpha);
/// log(1 + eˣ), nowhere replaced by x.
Variable softplus_of(const Operand& x);
/// A tensor of int64 [n].
Tensor tensor_of(const Integers& values);
/// Of a window of images along their axes: sizes behind the batch and the channels.
struct Windows {
  Integers kernel, stride, dilation, begin, end;  ///< as many as axes; begin and end are padding
  bool symmetric() const { return begin == end; }
};
/// From kernel_shape or `kernel`, strides, dilations, pads and auto_pad, for an input of `sizes`.
Windows windows_of(const Call& call, const Integers& sizes, const Integers& kernel);
/// Sizes of x behind batch and channels. Throws BadDataError unless there are 1 to 3.
Integers spatial_sizes(const Call& call, const Variable& x);
/// x with so much more before and behind the axes of the window, filled with `value`.
Variable padded(const Variable& x, const Windows& windows, double value);

}  // namespace gradus::interchange
