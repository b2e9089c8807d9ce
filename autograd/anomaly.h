// Anomaly mode: the first NaN or infinity that an op gives, or a gradient has, is an error that tells
// where it was born. In the manner of torch.autograd.detect_anomaly, but forward too.
//
//   const DetectAnomaly guard;  // or the environment variable GRADUS_ANOMALY=1, for all threads
//   cross_entropy(model(x), labels).backward();
//
// A NaN always counts. An infinity counts where no input has one: a mask of -inf, where() with an
// infinite constant and what follows from them are meant. While it is on, every result is read
// once more; off, it costs a load and a branch per op.
#pragma once

#include <gradus/autograd/variable.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace gradus {

namespace detail {
enum class Anomaly : signed char { not_asked, off, on };
extern constinit thread_local Anomaly anomaly;
}  // namespace detail

/// While it lives, anomaly mode on this thread is on or off as told: AnomalyError from ops, recorded
/// or not, and from backward passes.
class DetectAnomaly {
 public:
  explicit DetectAnomaly(bool enabled = true);
  ~DetectAnomaly();
  DetectAnomaly(const DetectAnomaly&) = delete;
  DetectAnomaly& operator=(const DetectAnomaly&) = delete;

 private:
  detail::Anomaly previous_;
};

/// Is anomaly mode on, on this thread?
bool detects_anomaly();

/// What kinds of numbers a tensor holds.
struct Census {
  std::int64_t count = 0;
  std::int64_t nan = 0;
  std::int64_t infinite = 0;
  std::int64_t zero = 0;
  std::int64_t negative = 0;  ///< with -inf
  double least = 0;           ///< of the finite ones; above `greatest` where there is none
  double greatest = -1;
  double norm = 0;    ///< √Σ x²
  Shape first_bad{};  ///< index of the first NaN or infinity

  bool all_zero() const { return count > 0 && zero == count; }
  bool finite() const { return nan == 0 && infinite == 0; }
};
/// Of an undefined Variable, nothing. Of any dtype and layout.
Census census_of(const Variable& x);
/// "float32 [2,3], from -1 to 3.5, 1 NaN, 2 infinite"
std::string census_text(const Variable& x);
/// "1 NaN and 2 infinite among 6 elements, the first at [0,1]"
std::string bad_text(const Census& census);
/// Where a Variable comes from: "the result of exp at train.cpp:41", "a leaf ...", "a constant ...".
std::string source_text(const Variable& x);

namespace detail {
/// Throws AnomalyError where anomaly mode is on and an output has what no input has. With
/// `states_infinity`, infinities are what the caller asked for.
void check_call(std::string_view op, Place at, const Variables& inputs, const Variables& outputs,
                bool states_infinity);
/// The same for what the op of `node` made of the gradient that arrived.
void check_gradients(const Node& node, const Variable& arrived, const Variables& gradients);
/// For any other gradient of a result: `what` says where it comes from.
void check_gradient(std::string_view what, const Node& node, const Variable& gradient);

/// While it lives, the engine checks gradients as a whole, and no op by itself.
class InBackward {
 public:
  InBackward();
  ~InBackward();
  InBackward(const InBackward&) = delete;
  InBackward& operator=(const InBackward&) = delete;

 private:
  bool previous_;
};
}  // namespace detail

}  // namespace gradus
