// A hearing: the cases on which a learner's function is tried, and what the first one that fails
// says about the mistake.
//
// Values are compared with the library's; gradients are checked by gradcheck() with the library's
// forward pass and the learner's backward. A mistake gets a name in one of two ways: the checker
// gives its diagnosis, or the answer is exactly what one of the `suspects` (the typical mistakes of
// the exercise) would give. Of the cases that fail, one with a name is preferred.
#pragma once

#include <gradus/core/create.h>
#include <gradus/core/tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "judgement.h"

namespace gradus {

/// What a typical mistake would have given, computed only when an answer is wrong. One that throws
/// cannot have happened.
struct Suspect {
  std::string name;
  std::function<Tensor()> answer;
};
using Suspects = std::vector<Suspect>;

/// Collects cases and gives the verdict over all of them.
class Hearing {
 public:
  /// `exercise` is its name; inputs are drawn from `seed`.
  Hearing(std::string exercise, std::uint64_t seed)
      : exercise_(std::move(exercise)), generator_(seed + 1) {}

  /// float64 numbers of a standard normal distribution.
  Tensor draw(const Shape& shape) { return randn(shape, generator_, float64); }
  Generator& generator() { return generator_; }

  /// A case of values: `what` names the result ("y"), `where` the inputs ("x [5,4], k [2,3]").
  void value(const std::string& what, const std::string& where,
             const std::function<Tensor()>& answer, const Tensor& right,
             const Suspects& suspects = {});

  using Forward = std::function<Tensor(const std::vector<Tensor>& inputs)>;
  using Backward =
      std::function<std::vector<Tensor>(const Tensor& dy, const std::vector<Tensor>& inputs)>;
  /// What a typical mistake makes of the backward pass.
  struct WrongBackward {
    std::string name;
    Backward rule;
  };
  /// A case of gradients: is `backward` the derivative of `forward` at these float64 inputs?
  /// `names` are those of the inputs. Of `mistakes` one that gives the same numbers is
  /// named instead of what the checker says.
  void gradients(const std::string& where, const std::vector<std::string>& names,
                 const std::vector<Tensor>& inputs, const Forward& forward,
                 const Backward& backward, const std::vector<WrongBackward>& mistakes = {});

  /// A case of any other kind. Where it does not hold, `line` says what was found, and `name` what
  /// that looks like ("": nothing known).
  void claim(bool holds, const std::string& line, const std::string& name = "");

  /// Runs a part of a hearing; what it throws is a case that failed.
  void attempt(const std::string& where, const std::function<void()>& part);

  Judgement verdict() const;

 private:
  void failed(const std::string& line, const std::string& name);

  std::string exercise_;
  Generator generator_;
  int cases_ = 0;
  int failures_ = 0;
  std::string line_{};
  std::string name_{};
};

}  // namespace gradus
