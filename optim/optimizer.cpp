// The frame around every optimizer's update(): checks before anything moves, state at a parameter's
// first step, saving.
#include <gradus/autograd/profile_scope.h>
#include <gradus/core/create.h>
#include <gradus/core/parallel.h>
#include <gradus/optim/optimizer.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <utility>

namespace gradus {
namespace {

// Elements per chunk: some 10 microseconds of work, well above the cost of a chunk.
constexpr std::int64_t grain = 1 << 17;

void check_lr(std::string_view name, double lr) {
  if (!(lr >= 0) || !std::isfinite(lr)) {
    fail<ValueError>(name, ": lr must be finite and at least 0, got ", lr);
  }
}

/// Both must be what the parameter is.
void check_like(const std::string& name, std::string_view what, std::size_t index,
                const Tensor& parameter, const Tensor& other) {
  if (other.shape() == parameter.shape() && other.dtype() == parameter.dtype()) return;
  std::string line = name + ": parameter " + std::to_string(index) + " is " + describe(parameter) +
                     ", " + std::string(what) + " is " + describe(other);
  if (other.shape() != parameter.shape()) fail<ShapeError>(line);
  fail<DTypeError>(line);
}

double read_number(const std::string& name, const std::string& key, const Tensor& tensor) {
  if (tensor.numel() == 1) return tensor.item();
  fail<ShapeError>(name, ": ", key, " of the loaded state must be one number, got ",
                   describe(tensor));
}

/// The first group's keys have no prefix, as in files of one group.
std::string key_of_group(std::size_t group) {
  return group == 0 ? std::string() : "group." + std::to_string(group) + ".";
}

}  // namespace

Optimizer::Optimizer(std::string_view name, const std::vector<Group>& groups,
                     std::vector<std::string_view> state_names,
                     std::vector<std::string_view> number_names)
    : name_(name), state_names_(std::move(state_names)), number_names_(std::move(number_names)) {
  for (const Group& group : groups) {
    check_lr(name_, group.lr);
    for (const Variable& parameter : group.parameters) {
      parameters_.push_back(parameter);
      group_of_.push_back(groups_.size());
    }
    groups_.push_back({group.lr, group.lr});
  }
  states_.resize(parameters_.size());
  if (parameters_.empty()) fail<ValueError>(name_, ": there are no parameters to optimize");
  std::set<const Tensor*> seen;  // handles of one Variable share one value() object
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Variable& parameter = parameters_[i];
    if (!parameter.defined()) fail<ValueError>(name_, ": parameter ", i, " is undefined");
    if (!parameter.is_leaf()) {
      fail<ValueError>(name_, ": parameter ", i, " is the result of an operation, not a leaf");
    }
    if (!parameter.requires_grad()) {
      fail<ValueError>(name_, ": parameter ", i, " is a constant, it requires no gradient (",
                       describe(parameter.value()), "); requires_grad_() makes it a parameter");
    }
    if (!seen.insert(&parameter.value()).second) {
      fail<ValueError>(name_, ": parameter ", i, " is given twice");
    }
  }
}

const Optimizer::Rate& Optimizer::rate(std::size_t group) const {
  if (group >= groups_.size())
    fail<ValueError>(name_, ": there is no group ", group, " of ", groups_.size());
  return groups_[group];
}

double Optimizer::lr(std::size_t group) const { return rate(group).lr; }

double Optimizer::base_lr(std::size_t group) const { return rate(group).base_lr; }

void Optimizer::set_lr(double lr) {
  check_lr(name_, lr);
  for (Rate& each : groups_) each = {lr, lr};
}

void Optimizer::set_lr(double lr, std::size_t group) {
  check_lr(name_, lr);
  static_cast<void>(rate(group));
  groups_[group] = {lr, lr};
}

void Optimizer::follow_schedule(double lr, std::size_t group) {
  check_lr(name_, lr);
  groups_[group].lr = lr;
}

void Optimizer::begin_step(State&, std::size_t) const {}

void Optimizer::zero_grad() {
  for (const Variable& parameter : parameters_) parameter.zero_grad();
}

void Optimizer::check(std::size_t index) const {
  const Tensor& parameter = parameters_[index].value();
  check_like(name_, "its gradient", index, parameter, parameters_[index].grad().value());
  for (const Tensor& tensor : states_[index].tensors) {
    check_like(name_, "its state of earlier steps", index, parameter, tensor);
  }
}

void Optimizer::step() {
  const ProfileScope profile(name_, ProfileDirection::step);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (parameters_[i].grad().defined()) check(i);
  }
  parts_.clear();
  std::int64_t elements = 0;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (!parameters_[i].grad().defined()) continue;
    const Tensor& parameter = parameters_[i].value();
    State& state = states_[i];
    if (state.steps == 0) {
      state.tensors.clear();
      for (std::size_t k = 0; k < state_names_.size(); ++k) {
        state.tensors.push_back(zeros(parameter.shape(), parameter.dtype()));
      }
      state.numbers.assign(number_names_.size(), 1);
    }
    ++state.steps;
    begin_step(state, group_of_[i]);
    // The parameter itself, unless it is a strided view.
    parts_.push_back({parameter.contiguous(), parameters_[i].grad().value().contiguous(), &state,
                      group_of_[i], elements});
    elements += parameter.numel();
    // Parameter and state are read and written, the gradient is read.
    count_bytes(bytes_of(parameter) * (3 + 2 * std::ssize(state.tensors)));
  }
  parallel_for(elements, grain, [&](std::int64_t begin, std::int64_t end) {
    const auto starts_after = [](std::int64_t element, const Part& part) {
      return element < part.first;
    };
    auto part = std::upper_bound(parts_.begin(), parts_.end(), begin, starts_after) - 1;
    for (; begin < end; ++part) {
      const std::int64_t stop = std::min(end, part->first + part->parameter.numel());
      if (begin < stop) update(*part, begin - part->first, stop - part->first);
      begin = stop;
    }
  });
  for (std::size_t i = 0, k = 0; i < parameters_.size(); ++i) {
    if (!parameters_[i].grad().defined()) continue;
    const Tensor& parameter = parameters_[i].value();
    if (!parameter.is_contiguous()) parameter.copy_(parts_[k].parameter);
    begin_write("an optimizer's step", parameter);
    ++k;
  }
  parts_.clear();
}

NamedTensors Optimizer::state_dict() const {
  NamedTensors saved;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    saved.emplace_back(key_of_group(g) + "lr", Tensor::scalar(groups_[g].lr, float64));
    saved.emplace_back(key_of_group(g) + "base_lr", Tensor::scalar(groups_[g].base_lr, float64));
  }
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (states_[i].steps == 0) continue;
    const std::string prefix = "state." + std::to_string(i) + ".";
    saved.emplace_back(prefix + "step", Tensor::from(&states_[i].steps, Shape{}));
    for (std::size_t k = 0; k < state_names_.size(); ++k) {
      saved.emplace_back(prefix + std::string(state_names_[k]), states_[i].tensors[k]);
    }
    for (std::size_t k = 0; k < number_names_.size(); ++k) {
      saved.emplace_back(prefix + std::string(number_names_[k]),
                         Tensor::scalar(states_[i].numbers[k], float64));
    }
  }
  return saved;
}

void Optimizer::load_state_dict(const NamedTensors& tensors) {
  std::set<std::string_view> unread;
  for (const auto& [key, tensor] : tensors) {
    if (!tensor.defined()) fail<ValueError>(name_, ": ", key, " is undefined in the loaded state");
    if (!unread.insert(key).second)
      fail<ValueError>(name_, ": ", key, " is twice in the loaded state");
  }
  const auto take = [&](const std::string& key) -> const Tensor* {
    if (unread.erase(key) == 0) return nullptr;
    const auto has_key = [&](const auto& entry) { return entry.first == key; };
    return &std::find_if(tensors.begin(), tensors.end(), has_key)->second;
  };

  std::vector<Rate> rates = groups_;
  for (std::size_t g = 0; g < rates.size(); ++g) {
    const std::string key = key_of_group(g) + "lr";
    const Tensor* lr = take(key);
    if (lr == nullptr) fail<ValueError>(name_, ": ", key, " is missing in the loaded state");
    rates[g].lr = read_number(name_, key, *lr);
    check_lr(name_, rates[g].lr);
    const std::string base_key = key_of_group(g) + "base_lr";
    if (const Tensor* base_lr = take(base_key))
      rates[g].base_lr = read_number(name_, base_key, *base_lr);
    check_lr(name_, rates[g].base_lr);
  }

  std::vector<State> states(parameters_.size());
  for (std::size_t i = 0; i < states.size(); ++i) {
    const std::string prefix = "state." + std::to_string(i) + ".";
    const Tensor* steps = take(prefix + "step");
    if (steps == nullptr) continue;
    states[i].steps = static_cast<std::int64_t>(read_number(name_, prefix + "step", *steps));
    if (states[i].steps < 1) {
      fail<ValueError>(name_, ": ", prefix, "step must be at least 1 in the loaded state, got ",
                       states[i].steps);
    }
    for (const std::string_view state_name : state_names_) {
      const std::string key = prefix + std::string(state_name);
      const Tensor* given = take(key);
      if (given == nullptr) fail<ValueError>(name_, ": ", key, " is missing in the loaded state");
      check_like(name_, key + " of the loaded state", i, parameters_[i].value(), *given);
      states[i].tensors.push_back(given->contiguous().clone());
    }
    for (const std::string_view number_name : number_names_) {
      const std::string key = prefix + std::string(number_name);
      const Tensor* given = take(key);
      if (given == nullptr) fail<ValueError>(name_, ": ", key, " is missing in the loaded state");
      states[i].numbers.push_back(read_number(name_, key, *given));
    }
  }
  if (!unread.empty()) {
    fail<ValueError>(name_, ": ", *unread.begin(),
                     " in the loaded state belongs to no parameter of this optimizer");
  }
  states_ = std::move(states);
  groups_ = std::move(rates);
}

}  // namespace gradus
