// The judges: one function for each exercise, which takes the learner's and says whether it is right.
//
// All tensors are float64 unless an exercise says otherwise. x.at<double>({i, j}) reads and writes an
// element; zeros({h, w}, float64) makes a tensor.
#pragma once

#include <gradus/core/conv.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/core/tensor.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "judgement.h"

namespace gradus {

/// f(x, k)
using Correlation = std::function<Tensor(const Tensor& x, const Tensor& k)>;

Judgement judge_corr2d(const Correlation& corr2d, std::uint64_t seed);
Judgement judge_many_input_channels(const Correlation& corr2d, std::uint64_t seed);
Judgement judge_many_output_channels(const Correlation& corr2d, std::uint64_t seed);
Judgement judge_one_by_one(const Correlation& corr2d, std::uint64_t seed);

/// f(x, k, ...)
using StridedConvolution =
    std::function<Tensor(const Tensor& x, const Tensor& k, Pair padding, Pair stride)>;
using DilatedConvolution = std::function<Tensor(const Tensor& x, const Tensor& k, Pair dilation)>;
using GroupedConvolution =
    std::function<Tensor(const Tensor& x, const Tensor& k, std::int64_t groups)>;

Judgement judge_padding_and_stride(const StridedConvolution& conv, std::uint64_t seed);
Judgement judge_dilation(const DilatedConvolution& conv, std::uint64_t seed);
Judgement judge_groups(const GroupedConvolution& conv, std::uint64_t seed);
Judgement judge_transposed_convolution(const StridedConvolution& conv, std::uint64_t seed);

using OutputSize = std::function<Pair(Pair input, Pair kernel, const Conv2dOptions& options)>;
Judgement judge_output_size(const OutputSize& output_size, std::uint64_t seed);

using Composition = std::function<Tensor(const Tensor& k1, const Tensor& k2)>;
Judgement judge_compose_two_kernels(const Composition& compose, std::uint64_t seed);

using Windows = std::function<Tensor(const Tensor& x, Pair kernel)>;
Judgement judge_windows_as_a_matrix(const Windows& windows, std::uint64_t seed);

/// Multiplications of a convolution.
struct Multiplications {
  std::int64_t forward = 0;
  std::int64_t backward = 0;  ///< of both gradients, that of x and that of the kernel
};
using CountMultiplications =
    std::function<Multiplications(const Shape& x, const Shape& k, const Conv2dOptions& options)>;
Judgement judge_count_multiplications(const CountMultiplications& count, std::uint64_t seed);

Judgement judge_relu(const std::function<Tensor(const Tensor& x)>& relu,
                     const std::function<Tensor(const Tensor& dy, const Tensor& x)>& backward,
                     std::uint64_t seed);

/// The gradients of two operands.
struct PairOfGradients {
  Tensor da{};
  Tensor db{};
};
using AddBackward =
    std::function<PairOfGradients(const Tensor& dy, const Shape& a, const Shape& b)>;
Judgement judge_add_backward(const AddBackward& backward, std::uint64_t seed);

using MeanBackward = std::function<Tensor(const Tensor& dy, const Shape& x, std::int64_t dim)>;
Judgement judge_mean_backward(const MeanBackward& backward, std::uint64_t seed);

/// A loss and its gradient with respect to the scores.
struct LossAndGradient {
  double loss = 0;
  Tensor gradient{};
};
using CrossEntropy = std::function<LossAndGradient(const Tensor& scores, const Tensor& labels)>;
Judgement judge_softmax_cross_entropy(const CrossEntropy& cross_entropy, std::uint64_t seed);

using MaxPool = std::function<Tensor(const Tensor& x, std::int64_t size, std::int64_t stride)>;
using MaxPoolBackward = std::function<Tensor(const Tensor& dy, const Tensor& x, std::int64_t size,
                                             std::int64_t stride)>;
Judgement judge_max_pool(const MaxPool& pool, const MaxPoolBackward& backward, std::uint64_t seed);

/// A step of a tape of numbers: what was computed, and from which earlier steps.
struct TapeStep {
  /// What a step does: a number of its own, a + b, a·b, tanh(a).
  enum class Kind { leaf, add, mul, tanh };
  Kind kind = Kind::leaf;
  std::size_t a = 0;  ///< the number of the step that is its first operand
  std::size_t b = 0;  ///< of its second, for add and mul
  double value = 0;   ///< its result
};
using TapeBackward = std::function<std::vector<double>(const std::vector<TapeStep>& tape)>;
Judgement judge_tape(const TapeBackward& backward, std::uint64_t seed);

/// The gradients of a layer.
struct LayerGradients {
  Tensor dx{};
  Tensor dweight{};
  Tensor dbias{};
};
using LinearBackward =
    std::function<LayerGradients(const Tensor& dy, const Tensor& x, const Tensor& weight)>;
Judgement judge_linear_backward(const LinearBackward& backward, std::uint64_t seed);
using BatchNormBackward = std::function<LayerGradients(const Tensor& dy, const Tensor& x,
                                                       const Tensor& weight, double eps)>;
Judgement judge_batch_norm_backward(const BatchNormBackward& backward, std::uint64_t seed);

/// f(dy, x, shape of k) or f(dy, k, shape of x)
using ConvGradient =
    std::function<Tensor(const Tensor& dy, const Tensor& other, const Shape& shape)>;
Judgement judge_conv_weight_gradient(const ConvGradient& gradient, std::uint64_t seed);
Judgement judge_conv_input_gradient(const ConvGradient& gradient, std::uint64_t seed);

/// The gradients of a convolution without bias.
struct ConvGradients {
  Tensor dx{};
  Tensor dk{};
};
using StridedConvBackward = std::function<ConvGradients(
    const Tensor& dy, const Tensor& x, const Tensor& k, Pair padding, Pair stride)>;
Judgement judge_strided_conv_backward(const StridedConvBackward& backward, std::uint64_t seed);

/// A parameter and its velocity, after a step.
struct Moved {
  Tensor weight{};
  Tensor velocity{};
};
using SgdStep = std::function<Moved(const Tensor& weight, const Tensor& gradient,
                                    const Tensor& velocity, double lr, double momentum)>;
Judgement judge_sgd_momentum(const SgdStep& step, std::uint64_t seed);

/// bug_answer.h has it.
struct BugAnswer;
/// The seed decides which mistake is planted, so the answer may depend on it.
using FindTheBug = std::function<BugAnswer(std::uint64_t seed)>;
Judgement judge_find_the_bug(const FindTheBug& find, std::uint64_t seed);

}  // namespace gradus
