// Optimizer: what all optimizers share. A step reads the gradients and writes the
// parameters, in place.
//
// An optimizer works on the Tensors inside the Variables, so nothing it does is recorded. It goes
// over all parameters once, as if they were one long array that threads share, and its state is
// allocated at a parameter's first step: later steps allocate nothing. Parameters without a
// gradient are left alone. The Variables are handles, so a model may be moved, and even loaded
// anew, under its optimizer.
#pragma once

#include <gradus/autograd/variable.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

class Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// Moves every parameter that has a gradient by one step. Throws ShapeError or DTypeError
  /// when a gradient, or the state of earlier steps, does not match its parameter; then no
  /// parameter has moved.
  void step();
  /// Drops the gradient of every parameter.
  void zero_grad();

  double lr() const { return lr_; }
  /// What schedules start from: the lr as the constructor or the last set_lr() said.
  double base_lr() const { return base_lr_; }
  /// Throws ValueError unless lr is finite and not negative.
  void set_lr(double lr);
  const std::vector<Variable>& parameters() const { return parameters_; }

  /// "lr" and "base_lr" (float64, 0-d), then for each parameter that has been stepped, by its index, the
  /// tensors of its state under PyTorch's names: "state.0.step", "state.0.exp_avg". They share
  /// storage with the optimizer; clone() to keep them. Other options are the constructor's
  /// business and not saved.
  NamedTensors state_dict() const;
  /// Goes on from a saved state; parameters that it does not name start afresh. Copies the numbers.
  /// Without a "base_lr", as older files are, that stays as it was.
  /// Throws ValueError, ShapeError or DTypeError naming the key, and then nothing has changed.
  void load_state_dict(const NamedTensors& tensors);

 protected:
  /// `name` is used in messages. Throws ValueError for no parameters, for one given twice, for one
  /// that requires no gradient, and for a bad lr.
  Optimizer(std::string_view name, std::vector<Variable> parameters, double lr,
            std::vector<std::string_view> state_names);
  Optimizer(Optimizer&&) = default;
  Optimizer& operator=(Optimizer&&) = default;

  /// What is kept of one parameter between steps: empty until its first step, then as many tensors
  /// as state_names.
  struct State {
    std::int64_t steps = 0;
    std::vector<Tensor> tensors;  ///< shaped like the parameter, contiguous, zeros at first
  };

  /// A parameter that takes part in a step; everything contiguous, steps already counted.
  struct Part {
    Tensor parameter;
    Tensor grad;
    const State* state;
    std::int64_t first;  ///< where its elements stand among those of all parts
  };

  /// One fused pass over the elements begin .. end of a part: updates parameter and state from
  /// grad. Called by several threads at once, for other elements.
  virtual void update(const Part& part, std::int64_t begin, std::int64_t end) const = 0;

  const std::string& name() const { return name_; }

 private:
  friend class Schedule;
  void check(std::size_t index) const;
  void follow_schedule(double lr);

  std::string name_;
  std::vector<Variable> parameters_;
  std::vector<State> states_;
  std::vector<std::string_view> state_names_;
  std::vector<Part> parts_;  // of a running step; empty, with its memory kept, between steps
  double lr_ = 0;
  double base_lr_ = 0;
};

}  // namespace gradus
