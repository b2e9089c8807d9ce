// What follows from the records of a training.
#include "records.h"

#include <map>

namespace gradus::app {

std::vector<double> learning_rates(const Metrics& metrics) {
  std::map<std::int64_t, double> of_epochs;  // as each ended
  for (const EpochRecord& epoch : metrics.epochs) of_epochs[epoch.epoch] = epoch.lr;
  std::vector<double> rates;
  for (const StepRecord& step : metrics.steps) {
    const auto epoch = of_epochs.find(step.epoch);
    double rate =
        epoch == of_epochs.end() ? std::numeric_limits<double>::quiet_NaN() : epoch->second;
    // Of several changes in an epoch the last before the step counts; before the first of them, what that one replaced.
    bool first = true;
    for (const RateRecord& change : metrics.rates) {
      if (change.epoch != step.epoch) continue;
      if (change.step < step.step) rate = change.lr;
      if (change.step >= step.step && first) rate = change.from;
      first = false;
    }
    rates.push_back(rate);
  }
  return rates;
}

}  // namespace gradus::app
