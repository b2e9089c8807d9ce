// One step is five lines; the rest of this file measures, reports, stops in time, and goes on.
#include "training.h"

#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/core/random.h>
#include <gradus/core/words.h>
#include <gradus/optim/adam.h>
#include <gradus/optim/clip.h>
#include <gradus/optim/schedule.h>
#include <gradus/optim/sgd.h>
#include <gradus/report/vitals.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "build_model.h"
#include "exit_code.h"
#include "stopwatch.h"

namespace gradus::app {
namespace {

const std::string optimizer_prefix = "optimizer.";

/// Have they tensors of the same names and shapes?
bool fits(const Module& one, const Module& other) {
  const auto same = [](const NamedTensors::value_type& a, const NamedTensors::value_type& b) {
    return a.first == b.first && a.second.shape() == b.second.shape();
  };
  return std::ranges::equal(one.state_dict(), other.state_dict(), same);
}

std::unique_ptr<Schedule> make_schedule(const Settings& settings, Optimizer& optimizer) {
  if (settings.schedule == "none") return nullptr;
  if (settings.schedule == "step") {
    // A tenth after half of the epochs, and again after three quarters.
    std::vector<std::int64_t> milestones;
    for (const std::int64_t epoch : {settings.epochs / 2, settings.epochs * 3 / 4}) {
      if (epoch > (milestones.empty() ? 0 : milestones.back())) milestones.push_back(epoch);
    }
    return std::make_unique<MultiStepLR>(optimizer, MultiStepLROptions{.milestones = milestones});
  }
  return std::make_unique<CosineAnnealing>(optimizer,
                                           CosineAnnealingOptions{.epochs = settings.epochs});
}

/// Is `epoch` to be preferred to the best so far?
bool is_better(const EpochRecord& epoch, const EpochRecord& best) {
  if (best.epoch == 0) return true;
  if (epoch.validation_accuracy != best.validation_accuracy)
    return epoch.validation_accuracy > best.validation_accuracy;
  return epoch.validation_loss < best.validation_loss;
}

/// Names, shapes and dtypes of the model, in its order.
void expect_weights(const NamedTensors& weights, const NamedTensors& model,
                    const std::string& label) {
  bool same = weights.size() == model.size();
  for (std::size_t i = 0; same && i < model.size(); ++i) {
    same = weights[i].first == model[i].first &&
           weights[i].second.shape() == model[i].second.shape() &&
           weights[i].second.dtype() == model[i].second.dtype();
  }
  if (!same) fail<BadDataError>(label, ": its best weights are not those of its model");
}

/// Those of rank 0, then those of rank 1, and so on.
std::vector<Evaluation> of_all_ranks(const std::vector<Evaluation>& mine, Communicator& world) {
  const std::string text(reinterpret_cast<const char*>(mine.data()),
                         mine.size() * sizeof(Evaluation));
  std::vector<Evaluation> all;
  for (const std::string& theirs : world.gather(text, "the evaluation of the other ranks")) {
    const std::size_t count = theirs.size() / sizeof(Evaluation);
    all.resize(all.size() + count);
    if (count > 0) std::memcpy(&all[all.size() - count], theirs.data(), theirs.size());
  }
  return all;
}

}  // namespace

NamedTensors copies_of(const NamedTensors& tensors) {
  NamedTensors copies;
  for (const auto& [name, tensor] : tensors) copies.emplace_back(name, tensor.clone());
  return copies;
}

/// `step` is that which failed, or the last before the evaluation that did.
void Training::expect_finite(double loss, const char* which, std::int64_t step) const {
  if (std::isfinite(loss)) return;
  // What was resumed has the rate that it has: there --lr cannot be given.
  const bool chosen = !resumed_ && optimizer_->base_lr() == settings_.lr;
  fail<Diverged>(
      "training diverged: the ", which, " is ", loss, " in epoch ", at_.epoch, ", at step ", step,
      chosen ? text_of("; try an --lr below ", settings_.lr)
             : text_of("; the learning rate was ", optimizer_->lr(), ": choose a lower one"));
}

std::unique_ptr<Optimizer> make_optimizer(const Settings& s, const Module& model) {
  if (s.optimizer == "sgd") {
    return std::make_unique<SGD>(
        model.parameters(),
        SGDOptions{.lr = s.lr, .momentum = s.momentum, .weight_decay = s.weight_decay});
  }
  if (s.optimizer == "adamw") {
    return std::make_unique<AdamW>(model.parameters(),
                                   AdamWOptions{.lr = s.lr, .weight_decay = s.weight_decay});
  }
  return std::make_unique<Adam>(model.parameters(),
                                AdamOptions{.lr = s.lr, .weight_decay = s.weight_decay});
}

void expect_to_take_all_batches(const Settings& settings, const ImageSpec& image,
                                const Module& model, const DataLoader& train) {
  const std::int64_t rest = train.samples() % settings.batch_size;
  const std::int64_t last = rest == 0 ? settings.batch_size : rest;
  // Of the shards, those that have images at all.
  const std::int64_t smallest =
      settings.shards == 0 ? last : std::max<std::int64_t>(last / settings.shards, 1);
  const Generator before = default_generator();  // first weights and dropout draw from it
  // The one to be trained keeps its running statistics. In an imported net, numbers may be sizes of tensors. Where it does
  // not fit, the data are not those of the training, as whoever compares them will tell.
  Sequential net = new_model(settings, image);
  if (fits(net, model)) {
    net.load_state_dict(model.state_dict());
    const NoGrad no_grad;
    try {
      net(zeros({smallest, image.channels, image.height, image.width}, float32));
    } catch (const ShapeError& error) {
      fail<UsageError>("--batch-size ", settings.batch_size, ": of ", train.samples(),
                       " images to train with the last batch has ", last,
                       settings.shards == 0 ? "" : text_of(", and a shard of it ", smallest),
                       ", too few for the net: ", error.what(), "; choose another --batch-size");
    }
  }
  default_generator() = before;
}

Variable loss_of(const Variable& scores, const Tensor& labels, const Settings& settings) {
  return cross_entropy(scores, labels, {.label_smoothing = settings.label_smoothing});
}

Variable loss_of(Module& model, const Batch& batch, const Settings& settings) {
  return loss_of(model(batch.images), batch.labels, settings);
}

void descend(const Variable& loss, Module& model, Optimizer& optimizer, const Settings& settings) {
  optimizer.zero_grad();
  loss.backward();
  follow_gradients(model, optimizer, settings);
}

void follow_gradients(Module& model, Optimizer& optimizer, const Settings& settings) {
  if (settings.clip_norm > 0) clip_grad_norm_(model.parameters(), settings.clip_norm);
  optimizer.step();
}

Evaluation evaluate(Module& model, const DataLoader& data, const SeeBatch& see,
                    Communicator* world) {
  const NoGrad no_grad;
  const bool was_training = model.is_training();
  model.eval();
  std::vector<Evaluation> batches;  // sums over the images of each
  const auto begin = [&](int rank) {
    return world == nullptr ? rank * data.batches() : rank * data.batches() / world->size();
  };
  const int rank = world == nullptr ? 0 : world->rank();
  for (const Batch& batch : data.epoch(0, begin(rank), begin(rank + 1))) {
    const Variable logits = model(batch.images);  // [B,classes]
    if (see) see(batch, logits.value());
    const std::int64_t images = batch.labels.size(0);
    const Tensor hits = core::eq(core::argmax(logits.value(), 1), batch.labels);
    batches.push_back(
        {.loss = cross_entropy(logits, batch.labels).item() * static_cast<double>(images),
         .accuracy = core::sum(hits.to(int64)).item(),
         .images = images});
  }
  model.train(was_training);
  if (world != nullptr) batches = of_all_ranks(batches, *world);
  Evaluation sum;
  for (const Evaluation& batch : batches) {
    sum.loss += batch.loss;
    sum.accuracy += batch.accuracy;
    sum.images += batch.images;
  }
  const auto all = static_cast<double>(sum.images);
  return {.loss = sum.loss / all, .accuracy = sum.accuracy / all, .images = sum.images};
}

Training::Training(Module& model, const Settings& settings, const TrainingData& data,
                   Communicator* world, const DistributedOptions& distributed)
    : model_(model),
      settings_(settings),
      data_(data),
      optimizer_(make_optimizer(settings, model)),
      schedule_(make_schedule(settings, *optimizer_)) {
  if (settings.shards == 0) return;
  DistributedOptions options = distributed;
  options.shards = settings.shards;
  parallel_ = std::make_unique<DistributedDataParallel>(model, *world, options);
}

double Training::seconds() const { return at_.seconds + seconds_since(start_); }

double Training::images_per_second() const {
  return static_cast<double>(at_.all_images) / (seconds() - at_.evaluation_seconds);
}

Position Training::position() const {
  Position now = at_;
  now.seconds = seconds();
  now.generator_seed = default_generator().seed();
  now.generator_position = default_generator().position();
  return now;
}

NamedTensors Training::state_dict() const {
  NamedTensors state;
  for (const auto& [name, tensor] : optimizer_->state_dict())
    state.emplace_back(optimizer_prefix + name, tensor);
  for (const auto& [name, tensor] : best_weights_) state.emplace_back(best_prefix + name, tensor);
  for (const auto& [name, tensor] : kernels_.state_dict()) state.emplace_back(name, tensor);
  return state;
}

/// All that follows from epoch and batch must be as it follows.
void Training::expect_possible(const Position& at, const std::string& label) const {
  const std::int64_t batches = data_.train.batches();
  if (at.epoch < 1 || at.epoch > most_epochs + 1 || at.batch < 0 || at.batch > batches) {
    fail<BadDataError>(label, ": stands at batch ", at.batch, " of epoch ", at.epoch,
                       ", an epoch has ", batches);
  }
  const std::int64_t images = std::min(at.batch * settings_.batch_size, data_.train.samples());
  if (at.step != (at.epoch - 1) * batches + at.batch || at.images != images ||
      at.all_images != (at.epoch - 1) * data_.train.samples() + images ||
      !std::isfinite(at.loss_sum) || !(at.seconds >= at.evaluation_seconds) ||
      !(at.evaluation_seconds >= 0)) {
    fail<BadDataError>(label, ": its position contradicts itself: batch ", at.batch, " of epoch ",
                       at.epoch, ", step ", at.step, ", ", at.images, " and ", at.all_images,
                       " images");
  }
}

void Training::resume(const RunRecord& run, const NamedTensors& state, const std::string& label) {
  const Position& position = run.position;
  expect_possible(position, label);
  NamedTensors of_optimizer;
  NamedTensors best;
  NamedTensors kernels;
  for (const auto& [name, tensor] : state) {
    if (name.starts_with(optimizer_prefix)) {
      of_optimizer.emplace_back(name.substr(optimizer_prefix.size()), tensor);
    } else if (name.starts_with(best_prefix)) {
      best.emplace_back(name.substr(best_prefix.size()), tensor);
    } else if (name.starts_with(kernels_prefix)) {
      kernels.emplace_back(name, tensor);
    } else {
      fail<BadDataError>(label, ": unknown ", in_quotes(name));
    }
  }
  const EpochRecord& of = run.best;
  const bool chooses = data_.validation != nullptr && position.epoch > 1;
  if (of.epoch < (chooses ? 1 : 0) || of.epoch > (chooses ? position.epoch - 1 : 0)) {
    fail<BadDataError>(label, ": its best epoch is ", of.epoch, ", it stands in epoch ",
                       position.epoch, chooses ? "" : " and has nothing to choose by");
  }
  if (of.epoch > 0 || !best.empty()) expect_weights(best, model_.state_dict(), label);
  kernels_.load_state_dict(kernels, model_, position.epoch - 1, label);
  try {
    optimizer_->load_state_dict(of_optimizer);
    if (schedule_) schedule_->set_epoch(position.epoch - 1);
  } catch (const Error& error) {
    fail<BadDataError>(label, ": fits no optimizer ", settings_.optimizer, ": ", error.what());
  }
  default_generator() = Generator(position.generator_seed, position.generator_position);
  resumed_ = true;
  at_ = position;
  best_ = of;
  best_weights_ = std::move(best);
  start_ = Clock::now();
}

void Training::set_base_lr(double base_lr) {
  optimizer_->set_lr(base_lr);
  if (schedule_) schedule_->set_epoch(schedule_->epoch());
}

RateRecord Training::change_lr(double lr) {
  const double from = optimizer_->lr();
  // A checkpoint keeps the base, from which resume() computes the rate of its epoch again.
  const double base = from > 0 ? lr * (optimizer_->base_lr() / from) : lr;
  set_base_lr(base);
  return {
      .epoch = at_.epoch, .step = at_.step, .from = from, .lr = optimizer_->lr(), .base_lr = base};
}

bool Training::patience_has_run_out() const {
  return settings_.patience > 0 && best_.epoch > 0 &&
         at_.epoch - 1 - best_.epoch >= settings_.patience;
}

bool Training::run(const TrainingEvents& events) {
  if (at_.step == 0) kernels_.add(model_, 0);
  while (at_.epoch <= settings_.epochs && !patience_has_run_out()) {
    model_.train();
    for (const Batch& batch : data_.train.epoch(at_.epoch - 1, at_.batch)) {
      if (stops(events)) return false;
      take_step(batch, events);
    }
    finish_epoch(events);
  }
  return true;
}

bool Training::stops(const TrainingEvents& events) {
  const bool asked = events.should_stop && events.should_stop();
  if (!parallel_ || parallel_->communicator().size() == 1) return asked;
  if (asked) parallel_->ask_to_stop();
  return parallel_->stopping();
}

/// Leaves the gradients of the loss, which it returns.
double Training::backward(const Batch& batch, std::int64_t step) {
  optimizer_->zero_grad();
  if (parallel_) {
    const double loss = parallel_->backward(batch, [this](Module& model, const Batch& shard) {
      return loss_of(model, shard, settings_);
    });
    expect_finite(loss, "loss", step);
    return loss;
  }
  const Variable loss = loss_of(model_, batch, settings_);
  expect_finite(loss.item(), "loss", step);
  loss.backward();
  return loss.item();
}

void Training::take_step(const Batch& batch, const TrainingEvents& events) {
  StepRecord step{.epoch = at_.epoch, .step = at_.step + 1};
  step.loss = backward(batch, step.step);
  const bool seen =
      (at_.step == 0 || at_.batch + 1 == data_.train.batches()) && events.on_movements;
  const NamedTensors before = seen ? values_of(model_) : NamedTensors{};
  follow_gradients(model_, *optimizer_, settings_);
  if (seen) events.on_movements(at_.step == 0 ? 0 : at_.epoch, movements(model_, before));

  const std::int64_t images = batch.samples;
  at_.step = step.step;
  ++at_.batch;
  at_.loss_sum += step.loss * static_cast<double>(images);
  at_.images += images;
  at_.all_images += images;
  if (events.on_step) events.on_step(step, images_per_second());
}

void Training::finish_epoch(const TrainingEvents& events) {
  EpochRecord epoch{.epoch = at_.epoch,
                    .lr = optimizer_->lr(),
                    .train_loss = at_.loss_sum / static_cast<double>(at_.images),
                    .images_per_second = images_per_second()};
  const Clock::time_point start = Clock::now();
  Communicator* const world = parallel_ ? &parallel_->communicator() : nullptr;
  if (data_.validation != nullptr) {
    const Evaluation validation = evaluate(model_, *data_.validation, {}, world);
    expect_finite(validation.loss, "validation loss", at_.step);
    epoch.validation_loss = validation.loss;
    epoch.validation_accuracy = validation.accuracy;
  }
  const Evaluation result = evaluate(model_, data_.test, {}, world);
  at_.evaluation_seconds += seconds_since(start);
  expect_finite(result.loss, "test loss", at_.step);
  epoch.test_loss = result.loss;
  epoch.test_accuracy = result.accuracy;
  epoch.seconds = seconds();
  if (data_.validation != nullptr && is_better(epoch, best_)) {
    best_ = epoch;
    best_weights_ = copies_of(model_.state_dict());
  }
  if (schedule_) schedule_->step();
  kernels_.add(model_, at_.epoch);
  ++at_.epoch;
  at_.batch = 0;
  at_.loss_sum = 0;
  at_.images = 0;
  if (events.on_epoch) events.on_epoch(epoch);
}

}  // namespace gradus::app
