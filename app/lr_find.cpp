// gradus lr-find: which learning rate to begin with.
//
// One step at each of many rates, rising from one to the next by a factor; the loss, smoothed, falls
// while the rate is of use and rises when it is too much.
// L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017, section 3.3.
#include <gradus/core/parallel.h>
#include <gradus/core/random.h>
#include <gradus/data/loader.h>
#include <gradus/optim/optimizer.h>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "build_model.h"
#include "commands.h"
#include "data_parts.h"
#include "exit_code.h"
#include "interrupt.h"
#include "json.h"
#include "loaders.h"
#include "progress.h"
#include "resolve.h"
#include "training.h"

namespace gradus::app {
namespace {

/// Mean of the losses so far, in which older ones count less and less; without the bias of its beginning,
/// as Adam corrects its own.
class Smoothed {
 public:
  double add(double loss) {
    constexpr double keep = 0.95;
    sum_ = keep * sum_ + (1 - keep) * loss;
    weight_ *= keep;
    return sum_ / (1 - weight_);
  }

 private:
  double sum_ = 0;
  double weight_ = 1;
};

/// Where the loss falls fastest over a factor of the rate, and where it is lowest.
void judge(LrFindRecord& search) {
  const auto& curve = search.curve;
  double steepest = 0;
  search.lowest_loss = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < curve.size(); ++i) {
    if (curve[i].second < search.lowest_loss) {
      search.lowest_loss = curve[i].second;
      search.lr_of_lowest_loss = curve[i].first;
    }
    if (i == 0 || i + 1 == curve.size()) continue;
    const double fall = curve[i - 1].second - curve[i + 1].second;
    if (fall > steepest) {
      steepest = fall;
      search.steepest = curve[i].first;
    }
  }
  // A tenth of the rate of the lowest loss is safe; the steepest is where the most is gained.
  const double safe = std::max(search.lr_of_lowest_loss / 10, curve.front().first);
  search.suggestion = search.steepest > 0 ? std::min(search.steepest, safe) : safe;
}

/// One step at each rate; ends early where the loss is no number, or four times the lowest.
LrFindRecord find_lr(Module& model, const DataLoader& loader, const Settings& settings,
                     const LrFindOptions& options) {
  const std::unique_ptr<Optimizer> optimizer = make_optimizer(settings, model);
  LrFindRecord search;
  Smoothed smoothed;
  TaskProgress progress("trying learning rates");
  double lowest = std::numeric_limits<double>::infinity();
  model.train();
  std::int64_t step = 0;
  for (std::int64_t epoch = 0; step < options.steps; ++epoch) {
    for (const Batch& batch : loader.epoch(epoch)) {
      if (step == options.steps || interrupted()) return search;
      const double share = static_cast<double>(step) / static_cast<double>(options.steps - 1);
      const double lr = options.lowest * std::pow(options.highest / options.lowest, share);
      optimizer->set_lr(lr);
      const Variable loss = loss_of(model, batch, settings);
      const double seen = smoothed.add(loss.item());
      constexpr double too_much = 4;
      if (!std::isfinite(seen) || seen > too_much * lowest) return search;
      lowest = std::min(lowest, seen);
      search.curve.emplace_back(lr, seen);
      descend(loss, model, *optimizer, settings);
      progress.show(++step, options.steps);
    }
  }
  return search;
}

void print(const LrFindRecord& search) {
  fmt::print("      lr    loss\n");
  const std::size_t rows = 20;
  const std::size_t stride = std::max<std::size_t>(1, search.curve.size() / rows);
  for (std::size_t i = 0; i < search.curve.size(); i += stride)
    fmt::print("{:8.2e}  {:.4f}\n", search.curve[i].first, search.curve[i].second);
  fmt::print("the loss falls fastest at {:.1e} and is lowest at {:.1e}; try --lr {:.1e}\n",
             search.steepest, search.lr_of_lowest_loss, search.suggestion);
}

}  // namespace

int run_lr_find(const LrFindOptions& options) {
  if (options.lowest >= options.highest) {
    fail<UsageError>("--lowest ", options.lowest, " must be below --highest ", options.highest);
  }
  const Settings settings = resolve(options.train);
  set_num_threads(settings.threads);
  const DataParts data = load_parts(settings.data, options.train.quiet);
  manual_seed(settings.seed);
  Sequential model = new_model(settings, image_spec(data.train));
  const DataLoader loader = training_loader(settings, data);
  expect_to_take_all_batches(settings, image_spec(data.train), model, loader);
  catch_interrupts();
  LrFindRecord search = find_lr(model, loader, settings, options);
  if (search.curve.size() < 3) {
    if (interrupted()) return exit_interrupted;
    fail<Diverged>("lr-find: the loss is no number, or four times higher, after ",
                   search.curve.size(), " steps from --lowest ", options.lowest);
  }
  judge(search);
  if (options.train.json) {
    fmt::print("{}\n", to_json(search));
  } else {
    print(search);
  }
  return interrupted() ? exit_interrupted : exit_ok;
}

}  // namespace gradus::app
