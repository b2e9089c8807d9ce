// What samples are made of: inputs that keep off kinks and ties, and the corners of a function.
#pragma once

#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/sample.h>

#include <functional>
#include <string>
#include <vector>

namespace gradus::samples {

struct Range {
  double low = -2;
  double high = 2;
};

/// A float64 leaf whose elements, in random order, are evenly spread over `range`: no ties, none on
/// the middle, so that a sample stays away from kinks.
Variable spread(const Shape& shape, std::uint64_t seed, Range range = {});

/// The same, half a step beside: no element equals one of spread(shape, ...), nor comes near.
Variable beside(const Shape& shape, std::uint64_t seed, Range range = {});

/// For logarithms, roots and divisors.
inline constexpr Range above_zero{0.5, 2};
Variable positive(const Shape& shape, std::uint64_t seed);

/// The corners of an elementwise function of one input, and `more` of its own.
std::vector<Sample> unary_samples(const std::function<Variable(const Variables&)>& f,
                                  Range range = {}, const std::vector<Sample>& more = {});

/// The samples of an op without and with an activation inside.
std::vector<Sample> activation_samples(
    const std::function<std::vector<Sample>(Activation)>& samples);

/// Sizes around every remainder of a vector of 16.
inline constexpr std::int64_t remainders[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                                              12, 13, 14, 15, 16, 17, 31, 32, 33, 47};
/// More than one chunk of threads, and no multiple of a vector.
inline constexpr std::int64_t many_elements = 100'003;

/// "size 17"
std::string size_name(std::int64_t size);

/// For the proof in float32, of an elementwise function of one input.
std::vector<Sample> unary_training_samples(const std::function<Variable(const Variables&)>& f,
                                           Range range = {});

/// The same for two inputs that broadcast.
std::vector<Sample> binary_training_samples(const std::function<Variable(const Variables&)>& f,
                                            Range a = {}, Range b = {});

/// Of a loss of prediction and target, of one shape.
using PairLoss = std::function<Variable(const Variable&, const Variable&, Reduction)>;
std::vector<Sample> pair_loss_samples(const PairLoss& f, Range prediction = {}, Range target = {});
std::vector<Sample> pair_loss_training_samples(const PairLoss& f, Range prediction = {},
                                               Range target = {});

/// The samples of a chapter of ops, op by op.
std::vector<OpSamples> arithmetic();
std::vector<OpSamples> activation();
std::vector<OpSamples> elementwise();
std::vector<OpSamples> reduce();
std::vector<OpSamples> shape();
std::vector<OpSamples> rearrange();
std::vector<OpSamples> index_chapter();
std::vector<OpSamples> scan();
std::vector<OpSamples> einsum_chapter();
std::vector<OpSamples> linalg();
std::vector<OpSamples> conv();
std::vector<OpSamples> image();
std::vector<OpSamples> pool();
std::vector<OpSamples> norm();
std::vector<OpSamples> loss();
std::vector<OpSamples> difference_loss();
std::vector<OpSamples> margin_loss();
std::vector<OpSamples> attention();

}  // namespace gradus::samples
