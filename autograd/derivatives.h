// Derivatives for those who study them: products with Jacobians and Hessians, the matrices themselves,
// the gradient of each sample, and checkpoints, which pay for memory with time.
//
// All of it is a few calls of grad(). A backward pass is a product with a Jacobian, vᵀJ; the backward
// pass of a backward pass, asked for its derivative in v, is the product from the other side, Jv; and a
// matrix is its products with unit vectors. The names are those of torch.autograd.functional. Costs are
// counted in passes: a recorded pass (create_graph) takes about as long as two and keeps what it made.
//
// docs/derivatives.md is the chapter to it.
#pragma once

#include <gradus/autograd/variable.h>

#include <concepts>
#include <functional>
#include <vector>

namespace gradus {

/// What has derivatives: it is called with leaves of its own, one for each input.
using DifferentiableFunction = std::function<Variable(const Variables&)>;

/// How results of what follows are made.
struct DerivativeOptions {
  /// Record what is computed, so that results have derivatives in the inputs, and in what the function
  /// captures. Without it they are constants.
  bool create_graph = false;
};

// What all of these share. Inputs are float32 or float64 (DTypeError otherwise: what has no derivative is
// captured by the function instead), at least one (ValueError). The function gives float32 or float64 of
// any shape; where it does not depend on an input, that derivative is zeros, not an error. grad() of no
// Variable changes. They work under NoGrad too. A wrong number or shape of vectors is a ShapeError, a
// wrong dtype a DTypeError.

/// What vjp() gives.
struct VjpResult {
  Variable output;
  Variables gradients;  ///< vᵀ·d(output)/d(input), of the inputs' shapes
};
/// The product of a vector with the Jacobian: Σ_k v[k]·d(output[k])/d(input), for each input.
/// `v` has the output's shape; without it the output must have one element, and v is 1.
/// Costs a forward and a backward pass, however many inputs and outputs there are.
VjpResult vjp(const DifferentiableFunction& function, const Variables& inputs,
              const Variable& v = {}, const DerivativeOptions& options = {});

/// What jvp() gives.
struct JvpResult {
  Variable output;
  Variable tangent;  ///< Σ d(output)/d(input)·v, of the output's shape
};
/// The product of the Jacobian with a vector: the derivative of the output in the direction `v`, which
/// has the inputs' shapes. By double backward: uᵀJ is linear in u, and its derivative in u is J; so the
/// vjp, recorded, is differentiated once more. Costs a forward pass, a recorded backward pass and a
/// backward pass through that. Throws GradError where an op's backward is not made of functions on
/// Variables: its derivative would be missing.
JvpResult jvp(const DifferentiableFunction& function, const Variables& inputs, const Variables& v,
              const DerivativeOptions& options = {});

/// d(output)/d(input) for each input, of shape [output..., input...]: element [k..., i...] is
/// d(output[k])/d(input[i]). Throws ShapeError where that has more than 8 dimensions.
/// Costs a forward pass and a backward pass for each element of the output. Where the inputs have fewer
/// elements than the output, jvp() with each unit vector costs less.
Variables jacobian(const DifferentiableFunction& function, const Variables& inputs,
                   const DerivativeOptions& options = {});

/// The second derivatives of a function that gives one number (ShapeError otherwise):
/// result[i][j] is d²(output)/d(input i)d(input j), of shape [input i..., input j...].
/// Costs a forward pass, a recorded backward pass, and a backward pass through that for each element of
/// the inputs; memory for the square of their number.
std::vector<Variables> hessian(const DifferentiableFunction& function, const Variables& inputs,
                               const DerivativeOptions& options = {});

/// What hvp() gives.
struct HvpResult {
  Variable output;
  Variables product;  ///< H·v, of the inputs' shapes
};
/// The product of the Hessian with a vector of the inputs' shapes, without the Hessian: the gradient of
/// v·gradient. (That is vᵀH, and H is symmetric where the second derivatives are continuous.)
/// Costs a forward pass, a recorded backward pass and a backward pass through that.
/// Source: B. Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6, 1994.
HvpResult hvp(const DifferentiableFunction& function, const Variables& inputs, const Variables& v,
              const DerivativeOptions& options = {});

/// Of one sample: (model's output, [1,...] of the labels) -> one number.
using SampleLoss = std::function<Variable(const Variable& output, const Tensor& label)>;

namespace detail {
Variables per_sample_gradients(const std::function<Variable(const Variable&)>& model,
                               const Variables& parameters, const SampleLoss& loss, const Tensor& x,
                               const Tensor& labels);
}  // namespace detail

/// A Module, or what has its parameters() and its call.
template <class M>
concept ModelWithParameters = requires(M& model, const Variable& x) {
  { model.parameters() } -> std::convertible_to<Variables>;
  { model(x) } -> std::convertible_to<Variable>;
};

/// For each of model.parameters(), in that order, the gradients of all samples: [N, parameter...], row n
/// that of loss(model(x[n]), labels[n]) alone; undefined for a parameter that is frozen. Their mean over N
/// is the gradient of the mean loss. x is [N,...], labels [N,...], of any dtype.
/// Costs N forward and backward passes of one sample, and memory for N times the parameters. A batch
/// norm in training would see a batch of one: call eval() first.
/// Throws ShapeError where x and labels differ in N or the loss is not one number.
template <ModelWithParameters Model>
Variables per_sample_gradients(Model& model, const SampleLoss& loss, const Tensor& x,
                               const Tensor& labels) {
  return detail::per_sample_gradients([&model](const Variable& one) { return model(one); },
                                      model.parameters(), loss, x, labels);
}

/// function(inputs), bit for bit, of which the tape keeps inputs and output only: what lies between is
/// computed again in backward, when it is asked for. Saves the memory of the function's intermediate
/// results and costs one more forward pass; the function is run again by each backward pass.
///
///   y = checkpoint([&](const Variables& v) { return block(v[0]); }, {y});
///
/// Gradients reach the inputs and whatever else the function captured: parameters, and results of
/// other ops. Running again it sees the same numbers of default_generator(), which then is as it was; and
/// is_recomputing() tells batch norms not to count their batch twice. With create_graph the second run
/// stays on the tape, so second derivatives save nothing.
/// Throws GradError from backward where an input or a leaf that the function captured was written to in between, and
/// where the second run gives other numbers than the first or depends on other Variables. What else it reads (labels,
/// a generator of its own, frozen parameters) must be the same again: that is seen only where the result shows it.
/// Throws ValueError where there is no function.
/// Source: T. Chen, B. Xu, C. Zhang, C. Guestrin, "Training deep nets with sublinear memory cost", 2016.
Variable checkpoint(const DifferentiableFunction& function, const Variables& inputs,
                    Place at = Place::here());

/// Does checkpoint() run its function again, on this thread? Then nothing is to be counted or remembered
/// that the first run has counted: a module that keeps statistics asks.
bool is_recomputing();

}  // namespace gradus
