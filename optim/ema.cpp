// The average, and its state.
#include <gradus/core/math.h>
#include <gradus/optim/detail/checks.h>
#include <gradus/optim/ema.h>

namespace gradus {

ExponentialMovingAverage::ExponentialMovingAverage(std::vector<Variable> parameters, double decay)
    : parameters_(std::move(parameters)), decay_(decay) {
  check_decay("ExponentialMovingAverage", "decay", decay);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (!parameters_[i].defined())
      fail<ValueError>("ExponentialMovingAverage: parameter ", i, " is undefined");
    for (std::size_t k = 0; k < i; ++k) {  // twice it would be averaged twice, and lost in swap()
      if (same_window(parameters_[k].value(), parameters_[i].value()))
        fail<ValueError>("ExponentialMovingAverage: parameter ", i, " is parameter ", k, " again");
    }
    averages_.push_back(parameters_[i].value().clone());
  }
}

/// Before anything is written: an average that is half renewed is none.
void ExponentialMovingAverage::check_parameters(const char* call) const {
  for (std::size_t i = 0; i < averages_.size(); ++i) {
    const Variable& parameter = parameters_[i];
    if (parameter.shape() != averages_[i].shape()) {
      fail<ShapeError>("ExponentialMovingAverage: ", call, ": parameter ", i, " is ",
                       parameter.shape(), " now, its average ", averages_[i].shape());
    }
    if (parameter.dtype() != averages_[i].dtype()) {
      fail<DTypeError>("ExponentialMovingAverage: ", call, ": parameter ", i, " is ",
                       parameter.dtype(), " now, its average ", averages_[i].dtype());
    }
  }
}

void ExponentialMovingAverage::update() {
  check_parameters("update");
  for (std::size_t i = 0; i < averages_.size(); ++i) {
    core::mul_(averages_[i], decay_);
    core::add_(averages_[i], parameters_[i].value(), 1 - decay_);
  }
}

void ExponentialMovingAverage::swap() {
  check_parameters("swap");
  for (std::size_t i = 0; i < averages_.size(); ++i) {
    const Tensor weight = parameters_[i].value().clone();
    parameters_[i].value().copy_(averages_[i]);
    averages_[i].copy_(weight);
  }
}

NamedTensors ExponentialMovingAverage::state_dict() const {
  NamedTensors saved;
  for (std::size_t i = 0; i < averages_.size(); ++i)
    saved.emplace_back("average." + std::to_string(i), averages_[i]);
  return saved;
}

void ExponentialMovingAverage::load_state_dict(const NamedTensors& tensors) {
  constexpr const char* name = "ExponentialMovingAverage: ";
  if (tensors.size() != averages_.size()) {
    fail<ValueError>(name, "the loaded state has ", tensors.size(), " averages, expected ",
                     averages_.size());
  }
  std::vector<Tensor> loaded(averages_.size());
  for (const auto& [key, tensor] : tensors) {
    std::size_t i = 0;
    while (i < loaded.size() && key != "average." + std::to_string(i)) ++i;
    if (i == loaded.size()) fail<ValueError>(name, key, " belongs to no parameter");
    if (loaded[i].defined()) fail<ValueError>(name, key, " is twice in the loaded state");
    if (!tensor.defined()) fail<ValueError>(name, key, " is undefined in the loaded state");
    if (tensor.shape() != averages_[i].shape())
      fail<ShapeError>(name, key, " is ", tensor.shape(), ", expected ", averages_[i].shape());
    if (tensor.dtype() != averages_[i].dtype())
      fail<DTypeError>(name, key, " is ", tensor.dtype(), ", expected ", averages_[i].dtype());
    loaded[i] = tensor.contiguous().clone();
  }
  averages_ = std::move(loaded);
}

}  // namespace gradus
