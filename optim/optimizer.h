// Optimizer: what all optimizers share. A step reads the gradients and writes the
// parameters, in place.
//
// An optimizer works on the Tensors inside the Variables, so nothing it does is recorded. It goes
// over all parameters once, as if they were one long array that threads share, and its state is
// allocated at a parameter's first step: later steps allocate nothing. Parameters without a
// gradient are left alone. The Variables are handles, so a model may be moved, and even loaded
// anew, under its optimizer.
//
// backward() adds to the gradients, so a large batch may come in parts: zero_grad() once, then for each
// of k parts div(loss, k).backward(), then one step(). The gradient is that of the mean over all parts (a
// batch norm still sees each part alone).
#pragma once

#include <gradus/autograd/variable.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

/// Parameters that are moved alike, with options of their own:
///   SGD optimizer({{body.parameters(), {.lr = 0.01}}, {head.parameters(), {.lr = 0.1}}});
template <class Options> struct ParameterGroup {
  std::vector<Variable> parameters;
  Options options{};
};

/// Base of optimizers: groups of parameters, each with a learning rate.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// Moves every parameter that has a gradient by one step. Throws ShapeError or DTypeError
  /// when a gradient, or the state of earlier steps, does not match its parameter; then no
  /// parameter has moved.
  virtual void step();
  /// Drops the gradient of every parameter.
  void zero_grad();

  std::size_t group_count() const { return groups_.size(); }
  /// Of a group; ValueError for one that does not exist.
  double lr(std::size_t group = 0) const;
  /// What schedules start from: the lr as the constructor or the last set_lr() said.
  double base_lr(std::size_t group = 0) const;
  /// For all groups, or for one. Throws ValueError unless lr is finite and not negative.
  void set_lr(double lr);
  /// Likewise, ValueError for a group that does not exist.
  void set_lr(double lr, std::size_t group);
  /// Of all groups, one after the other.
  const std::vector<Variable>& parameters() const { return parameters_; }

  /// "lr" and "base_lr" (float64, 0-d), of further groups "group.1.lr" and so on, then for each
  /// parameter that has been stepped, by its index, the tensors of its state under PyTorch's names:
  /// "state.0.step", "state.0.exp_avg". They share storage with the optimizer; clone() to keep them.
  /// Other options are the constructor's business and not saved.
  virtual NamedTensors state_dict() const;
  /// Goes on from a saved state; parameters that it does not name start afresh. Copies the numbers.
  /// Without a "base_lr", as older files are, that stays as it was.
  /// Throws ValueError, ShapeError or DTypeError naming the key, and then nothing has changed.
  virtual void load_state_dict(const NamedTensors& tensors);

 protected:
  /// A group, as this class needs to know it.
  struct Group {
    std::vector<Variable> parameters;
    double lr = 0;
  };
  /// Of an optimizer's groups what this class needs.
  template <class Options>
  static std::vector<Group> groups_of(const std::vector<ParameterGroup<Options>>& groups) {
    std::vector<Group> all;
    for (const ParameterGroup<Options>& each : groups)
      all.push_back({each.parameters, each.options.lr});
    return all;
  }
  /// And the rest.
  template <class Options>
  static std::vector<Options> options_of(const std::vector<ParameterGroup<Options>>& groups) {
    std::vector<Options> all;
    for (const ParameterGroup<Options>& each : groups) all.push_back(each.options);
    return all;
  }

  /// `name` is used in messages. Throws ValueError for no parameters, for one given twice, for one
  /// that requires no gradient, and for a bad lr.
  Optimizer(std::string_view name, const std::vector<Group>& groups,
            std::vector<std::string_view> state_names,
            std::vector<std::string_view> number_names = {});
  Optimizer(Optimizer&&) = default;
  Optimizer& operator=(Optimizer&&) = default;

  /// What is kept of one parameter between steps: empty until its first step, then as many tensors
  /// as state_names.
  struct State {
    std::int64_t steps = 0;
    std::vector<Tensor> tensors;    ///< shaped like the parameter, contiguous, zeros at first
    std::vector<double> numbers{};  ///< one for each of number_names, 1 at first
  };
  /// Called once for each parameter that is stepped, `state.steps` already counted.
  virtual void begin_step(State& state, std::size_t group) const;

  /// A parameter that takes part in a step; everything contiguous, steps already counted.
  struct Part {
    Tensor parameter;
    Tensor grad;
    const State* state;
    std::size_t group;
    std::int64_t first;  ///< where its elements stand among those of all parts
  };

  /// One fused pass over the elements begin .. end of a part: updates parameter and state from
  /// grad. Called by several threads at once, for other elements.
  virtual void update(const Part& part, std::int64_t begin, std::int64_t end) const = 0;

  const std::string& name() const { return name_; }
  /// Throws ShapeError or DTypeError unless the gradient and the state of parameter `index`, which
  /// has a gradient, are as the parameter is.
  void check(std::size_t index) const;

 private:
  friend class Schedule;
  struct Rate {
    double lr;
    double base_lr;
  };

  const Rate& rate(std::size_t group) const;
  void follow_schedule(double lr, std::size_t group);

  std::string name_;
  std::vector<Rate> groups_;
  std::vector<Variable> parameters_;
  std::vector<std::size_t> group_of_;  // by parameter
  std::vector<State> states_;
  std::vector<std::string_view> state_names_;
  std::vector<std::string_view> number_names_;
  std::vector<Part> parts_;  // of a running step; empty, with its memory kept, between steps
};

}  // namespace gradus
