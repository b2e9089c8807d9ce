// The optimizers against PyTorch (fixtures/torch_optim.inc), and what they refuse.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/core/parallel.h>
#include <gradus/core/storage.h>
#include <gradus/optim/adagrad.h>
#include <gradus/optim/adam.h>
#include <gradus/optim/clip.h>
#include <gradus/optim/ema.h>
#include <gradus/optim/lbfgs.h>
#include <gradus/optim/nadam.h>
#include <gradus/optim/rmsprop.h>
#include <gradus/optim/schedule.h>
#include <gradus/optim/sgd.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "support/error_message.h"

using namespace gradus;

namespace {

#include "fixtures/torch_optim.inc"

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

using Make = std::function<std::unique_ptr<Optimizer>(const std::vector<Variable>&)>;

Make sgd_with(const SGDOptions& options) {
  return [options](const std::vector<Variable>& p) { return std::make_unique<SGD>(p, options); };
}
Make adam_with(const AdamOptions& options) {
  return [options](const std::vector<Variable>& p) { return std::make_unique<Adam>(p, options); };
}
Make adamw_with(const AdamWOptions& options) {
  return [options](const std::vector<Variable>& p) { return std::make_unique<AdamW>(p, options); };
}

template <class Kind, class Options> Make made(const Options& options) {
  return [options](const std::vector<Variable>& p) { return std::make_unique<Kind>(p, options); };
}

Tensor tensor(const std::vector<double>& values, DType dtype) {
  return Tensor::from(values.data(), Shape{static_cast<std::int64_t>(values.size())}).to(dtype);
}

Variable start_at(DType dtype) { return Variable(tensor(start, dtype).clone(), true); }

/// The gradient of Σ curvature/2·(p - target)².
void set_gradient(const Variable& p) {
  const Tensor distance = core::sub(p.value(), tensor(target, p.dtype()));
  p.set_grad(Variable(core::mul(distance, tensor(curvature, p.dtype()))));
}

/// float64: only the last bits may differ. float32: ten steps of rounding, 6e-8 each, around
/// numbers near 1.
constexpr double tolerance64 = 1e-13;
constexpr double tolerance32 = 3e-6;

void check_steps(const Make& make, const std::vector<std::vector<double>>& expected,
                 int line = __builtin_LINE()) {
  CAPTURE(line);
  for (const DType dtype : {float64, float32}) {
    CAPTURE(dtype);
    const Variable p = start_at(dtype);
    const std::unique_ptr<Optimizer> optimizer = make({p});
    for (const std::vector<double>& row : expected) {
      set_gradient(p);
      optimizer->step();
      CHECK(core::max(core::abs(core::sub(p.value(), tensor(row, dtype)))).item() <=
            (dtype == float64 ? tolerance64 : tolerance32));
    }
  }
}

/// Rosenbrock's valley, chained through the numbers of p, with its gradient.
LBFGS::Closure valley(const Variable& p) {
  return [p] {
    p.zero_grad();
    const std::int64_t n = p.size(0);
    const Variable head = slice(p, 0, 0, n - 1);
    const Variable off = slice(p, 0, 1, n) - head * head;
    const Variable loss = sum(10.0 * (off * off) + (1.0 - head) * (1.0 - head));
    loss.backward();
    return loss;
  };
}

/// A step turns the rounding of sums (their order is not PyTorch's) into the direction by differences of
/// gradients, y, and divides by y·s: near the bottom |y| is some 1e-4 of the terms it is a difference of,
/// and up to 80 directions follow each other. float64 has 1e-16 for each.
constexpr double lbfgs_tolerance = 1e-9;

void check_lbfgs(const LBFGSOptions& options, const std::vector<std::vector<double>>& expected) {
  const Variable p = start_at(float64);
  LBFGS optimizer({p}, options);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(i);
    optimizer.step(valley(p));
    CHECK(core::max(core::abs(p.value() - tensor(expected[i], float64))).item() < lbfgs_tolerance);
  }
}

/// The rates that a schedule gives from epoch 0 on.
void check_rates(const std::function<std::unique_ptr<Schedule>(Optimizer&)>& make,
                 const std::vector<double>& expected) {
  SGD optimizer({start_at(float32)}, {.lr = 0.8});
  const std::unique_ptr<Schedule> schedule = make(optimizer);
  for (std::size_t epoch = 0; epoch < expected.size(); ++epoch) {
    CAPTURE(epoch);
    CHECK(optimizer.lr() == doctest::Approx(expected[epoch]).epsilon(1e-12));
    schedule->step();
  }
  // The lr is a function of the epoch.
  schedule->set_epoch(3);
  CHECK(optimizer.lr() == doctest::Approx(expected[3]).epsilon(1e-12));
}

template <class Kind, class Options>
std::function<std::unique_ptr<Schedule>(Optimizer&)> scheduled(const Options& options) {
  return [options](Optimizer& optimizer) { return std::make_unique<Kind>(optimizer, options); };
}

}  // namespace

TEST_CASE("SGD takes PyTorch's steps") { check_steps(sgd_with({.lr = 0.1}), sgd); }

TEST_CASE("SGD with weight decay, momentum, dampening and Nesterov takes PyTorch's steps") {
  check_steps(sgd_with({.lr = 0.1, .weight_decay = 0.05}), sgd_weight_decay);
  check_steps(sgd_with({.lr = 0.1, .momentum = 0.9}), sgd_momentum);
  check_steps(sgd_with({.lr = 0.1, .momentum = 0.9, .dampening = 0.3}), sgd_dampening);
  check_steps(sgd_with({.lr = 0.1, .momentum = 0.9, .weight_decay = 0.05, .nesterov = true}),
              sgd_nesterov);
}

TEST_CASE("Adam takes PyTorch's steps") {
  check_steps(adam_with({.lr = 0.1}), adam);
  check_steps(
      adam_with({.lr = 0.05, .beta1 = 0.8, .beta2 = 0.99, .eps = 1e-6, .weight_decay = 0.1}),
      adam_weight_decay);
}

TEST_CASE("AdamW takes PyTorch's steps") {
  check_steps(adamw_with({.lr = 0.1}), adamw);
  check_steps(
      adamw_with({.lr = 0.05, .beta1 = 0.8, .beta2 = 0.99, .eps = 1e-6, .weight_decay = 0.3}),
      adamw_weight_decay);
}

TEST_CASE("amsgrad, RMSprop, Adagrad and NAdam take PyTorch's steps") {
  check_steps(adam_with({.lr = 0.1, .beta1 = 0.8, .beta2 = 0.6, .amsgrad = true}), adam_amsgrad);
  check_steps(adamw_with({.lr = 0.1, .beta1 = 0.8, .beta2 = 0.6, .amsgrad = true}), adamw_amsgrad);
  check_steps(made<RMSprop, RMSpropOptions>({.lr = 0.05}), rmsprop);
  check_steps(made<RMSprop, RMSpropOptions>(
                  {.lr = 0.05, .alpha = 0.9, .weight_decay = 0.1, .momentum = 0.8}),
              rmsprop_momentum);
  check_steps(
      made<RMSprop, RMSpropOptions>({.lr = 0.05, .alpha = 0.9, .eps = 1e-3, .centered = true}),
      rmsprop_centered);
  check_steps(made<Adagrad, AdagradOptions>({.lr = 0.5}), adagrad);
  check_steps(made<Adagrad, AdagradOptions>({.lr = 0.5,
                                             .lr_decay = 0.1,
                                             .weight_decay = 0.05,
                                             .initial_accumulator_value = 0.3,
                                             .eps = 1e-6}),
              adagrad_decay);
  check_steps(made<NAdam, NAdamOptions>({.lr = 0.1}), nadam);
  check_steps(made<NAdam, NAdamOptions>({.lr = 0.1,
                                         .beta1 = 0.8,
                                         .beta2 = 0.99,
                                         .eps = 1e-6,
                                         .weight_decay = 0.1,
                                         .momentum_decay = 0.02}),
              nadam_weight_decay);
}

TEST_CASE("LBFGS takes PyTorch's steps, with and without a line search") {
  check_lbfgs({.lr = 0.1, .max_iter = 2}, lbfgs);
  check_lbfgs({.lr = 0.05, .max_iter = 4, .history_size = 2}, lbfgs_history);
  check_lbfgs({.lr = 0.05, .max_iter = 6, .max_eval = 3}, lbfgs_evaluations);
  check_lbfgs({.max_iter = 1, .line_search_fn = LineSearch::strong_wolfe}, lbfgs_wolfe);
  check_lbfgs(
      {.lr = 0.5, .max_iter = 2, .history_size = 3, .line_search_fn = LineSearch::strong_wolfe},
      lbfgs_wolfe_history);
}

TEST_CASE(
    "LBFGS moves several float32 parameters, one of them a view, to the bottom of the valley") {
  const Variable whole(tensor({-1.0, 7, 1.5, 7, 0.5, 7}, float32).clone(), true);
  const Variable even(whole.value().slice(0, 0, 6, 2), true);
  const Variable unused(ones({2}), true);
  LBFGS optimizer({even, unused}, {.line_search_fn = LineSearch::strong_wolfe});
  const double first = optimizer.step(valley(even));
  double last = first;
  for (int i = 0; i < 4; ++i) last = optimizer.step(valley(even));
  CHECK(last < 1e-8 * first);
  // Where the loss is flat to float32, 6e-8 of terms near 10, p is off by its root.
  CHECK(core::allclose(even.value(), ones({3}), 0, 1e-3));
  CHECK(core::equal(unused.value(), ones({2})));
  for (const std::int64_t i : {1, 3, 5}) CHECK(whole.value().at<float>({i}) == 7);
}

TEST_CASE("LBFGS goes on from its saved state as if it had never stopped") {
  for (const LineSearch search : {LineSearch::none, LineSearch::strong_wolfe}) {
    for (const int saved_after : {0, 1, 4}) {
      CAPTURE(saved_after);
      const LBFGSOptions options{
          .lr = 0.1, .max_iter = 3, .history_size = 4, .line_search_fn = search};
      const Variable whole = start_at(float64);
      const Variable parted = start_at(float64);
      LBFGS a({whole}, options);
      auto b = std::make_unique<LBFGS>(std::vector<Variable>{parted}, options);
      for (int i = 0; i < 7; ++i) {
        if (i == saved_after) {
          NamedTensors saved;
          for (const auto& [key, numbers] : b->state_dict())
            saved.emplace_back(key, numbers.clone());
          b = std::make_unique<LBFGS>(std::vector<Variable>{parted}, options);
          b->load_state_dict(saved);
        }
        CHECK(a.step(valley(whole)) == b->step(valley(parted)));
      }
      CHECK(core::equal(whole.value(), parted.value()));
    }
  }
}

TEST_CASE("LBFGS refuses what it cannot do, and a bad state leaves it as it was") {
  const Variable p = start_at(float64);
  LBFGS optimizer({p}, {.max_iter = 2});
  const auto refuses = [](const std::string& words, const auto& act) {
    CAPTURE(words);
    CHECK(contains(message_of(act), words));
  };
  refuses("needs a closure", [&] { optimizer.step(nullptr); });
  p.set_grad(Variable(ones({5}, float64)));
  Optimizer& base = optimizer;
  refuses("LBFGS: step() needs a closure", [&] { base.step(); });
  refuses("max_iter must be at least 1, got 0", [&] { LBFGS({p}, {.max_iter = 0}); });
  refuses("max_eval must be at least 1, got -3", [&] { LBFGS({p}, {.max_eval = -3}); });
  refuses("history_size must be at least 1, got 0", [&] { LBFGS({p}, {.history_size = 0}); });
  refuses("tolerance_grad must be", [&] { LBFGS({p}, {.tolerance_grad = -1}); });
  refuses("lr must be finite", [&] { LBFGS({p}, {.lr = not_a_number}); });
  optimizer.step(valley(p));
  const auto changed = [&](const std::string& key, const Tensor& other) {
    NamedTensors state;
    for (const auto& [name, numbers] : optimizer.state_dict()) {
      if (name != key) state.emplace_back(name, numbers);
    }
    if (other.defined()) state.emplace_back(key, other);
    return state;
  };
  refuses("state.0.d is missing", [&] { optimizer.load_state_dict(changed("state.0.d", {})); });
  refuses("state.0.d of the loaded state is [4], the parameters have 5 elements",
          [&] { optimizer.load_state_dict(changed("state.0.d", zeros({4}, float64))); });
  refuses("expected float64", [&] { optimizer.load_state_dict(changed("state.0.d", zeros({5}))); });
  refuses("state.0.x in the loaded state is unknown",
          [&] { optimizer.load_state_dict(changed("state.0.x", zeros({5}))); });
  refuses("state.0.t of the loaded state must be one number",
          [&] { optimizer.load_state_dict(changed("state.0.t", zeros({2}))); });
  refuses("lr is missing", [&] { optimizer.load_state_dict(changed("lr", {})); });
  const NamedTensors whole = optimizer.state_dict();
  optimizer.load_state_dict(whole);
  CHECK(optimizer.state_dict().size() == whole.size());
}

TEST_CASE("gradients of parts of a batch add up to that of the whole") {
  Generator generator(1);
  const Tensor x = randn({8, 3}, generator, float64);
  const Tensor y = randn({8, 1}, generator, float64);
  const Variable at_once(ones({3, 1}, float64), true);
  const Variable in_parts(ones({3, 1}, float64), true);
  SGD a({at_once}, {.lr = 0.1});
  SGD b({in_parts}, {.lr = 0.1});
  for (int step = 0; step < 3; ++step) {
    a.zero_grad();
    mse_loss(matmul(x, at_once), y).backward();
    a.step();
    b.zero_grad();
    for (std::int64_t k = 0; k < 4; ++k) {
      const Variable prediction = matmul(x.narrow(0, 2 * k, 2), in_parts);
      div(mse_loss(prediction, y.narrow(0, 2 * k, 2)), 4).backward();
    }
    b.step();
  }
  CHECK(core::allclose(at_once.value(), in_parts.value(), 0, tolerance64));
}

TEST_CASE("each optimizer goes on from its saved state as if it had never stopped") {
  const std::vector<Make> all{
      sgd_with({.lr = 0.1, .momentum = 0.9}), adam_with({.lr = 0.1, .amsgrad = true}),
      made<RMSprop, RMSpropOptions>({.lr = 0.05, .momentum = 0.8, .centered = true}),
      made<Adagrad, AdagradOptions>({.lr = 0.5, .lr_decay = 0.1}),
      made<NAdam, NAdamOptions>({.lr = 0.1})};
  for (const Make& make : all) {
    const Variable whole = start_at(float64);
    const Variable parted = start_at(float64);
    const std::unique_ptr<Optimizer> a = make({whole});
    std::unique_ptr<Optimizer> b = make({parted});
    for (int i = 0; i < 6; ++i) {
      set_gradient(whole);
      a->step();
      if (i == 3) {
        NamedTensors saved;
        for (const auto& [key, tensor] : b->state_dict()) saved.emplace_back(key, tensor.clone());
        b = make({parted});
        b->load_state_dict(saved);
      }
      set_gradient(parted);
      b->step();
    }
    CHECK(core::equal(whole.value(), parted.value()));
  }
}

TEST_CASE("groups are moved by their own options, saved apart, and follow a schedule together") {
  const Variable a = start_at(float64);
  const Variable b = start_at(float64);
  const Variable a_alone = start_at(float64);
  const Variable b_alone = start_at(float64);
  SGD both({{{a}, {.lr = 0.1, .momentum = 0.9}}, {{b}, {.lr = 0.02, .weight_decay = 0.05}}});
  SGD first({a_alone}, {.lr = 0.1, .momentum = 0.9});
  SGD second({b_alone}, {.lr = 0.02, .weight_decay = 0.05});
  StepLR schedule(both, {.step_size = 2, .gamma = 0.5});
  StepLR of_first(first, {.step_size = 2, .gamma = 0.5});
  StepLR of_second(second, {.step_size = 2, .gamma = 0.5});
  for (int i = 0; i < 6; ++i) {
    for (const Variable& p : {a, b, a_alone, b_alone}) set_gradient(p);
    both.step();
    first.step();
    second.step();
    schedule.step();
    of_first.step();
    of_second.step();
  }
  CHECK(core::equal(a.value(), a_alone.value()));
  CHECK(core::equal(b.value(), b_alone.value()));
  CHECK(both.group_count() == 2);
  CHECK(both.lr(1) == second.lr());
  CHECK(both.base_lr(1) == 0.02);
  const NamedTensors saved = both.state_dict();
  CHECK(saved[2].first == "group.1.lr");
  SGD again({{{start_at(float64)}, {.lr = 1, .momentum = 0.9}}, {{start_at(float64)}, {.lr = 1}}});
  again.load_state_dict(saved);
  CHECK(again.lr(0) == both.lr(0));
  CHECK(again.lr(1) == both.lr(1));
  again.set_lr(0.3, 1);
  CHECK(again.lr(1) == 0.3);
  CHECK(again.lr(0) == both.lr(0));
  CHECK(contains(message_of([&] { again.lr(2); }), "SGD: there is no group 2 of 2"));
  CHECK(contains(message_of([&] { SGD({{{a}, {}}, {{a}, {}}}); }), "parameter 1 is given twice"));
  SGD({a}, {.lr = 0.1}).load_state_dict({{"lr", Tensor::scalar(0.5, float64)}});
}

TEST_CASE("a backward pass and a step bring a least-squares fit to its solution") {
  Generator generator(1);
  const Tensor x = randn({40, 3}, generator);
  const Tensor truth = Tensor::from({{1.0}, {-2.0}, {0.5}});
  const Variable w(zeros({3, 1}), true);
  SGD optimizer({w}, {.lr = 0.1, .momentum = 0.9});
  for (int i = 0; i < 200; ++i) {
    optimizer.zero_grad();
    mse_loss(matmul(x, w), core::matmul(x, truth)).backward();
    optimizer.step();
  }
  CHECK(core::allclose(w.value(), truth, 0, 1e-4));
}

TEST_CASE("a parameter without gradient, or frozen, is left alone and has no state") {
  const Variable with = start_at(float32);
  const Variable without = start_at(float32);
  Adam optimizer({without, with});
  set_gradient(with);
  optimizer.step();
  CHECK(core::equal(without.value(), start_at(float32).value()));
  CHECK(!core::equal(with.value(), start_at(float32).value()));
  std::vector<std::string> keys;
  for (const auto& [key, value] : optimizer.state_dict()) keys.push_back(key);
  CHECK(keys == std::vector<std::string>{"lr", "base_lr", "state.1.step", "state.1.exp_avg",
                                         "state.1.exp_avg_sq"});
  optimizer.zero_grad();
  CHECK(!with.grad().defined());
}

TEST_CASE(
    "a step on a strided parameter, or with a strided gradient, is the step on the plain one") {
  Generator generator(2);
  const Tensor values = randn({3, 4}, generator);
  const Tensor gradient = randn({3, 4}, generator);
  const Variable plain(values.clone(), true);
  const Variable strided(values.transpose().clone().transpose(), true);
  REQUIRE(!strided.value().is_contiguous());
  plain.set_grad(Variable(gradient));
  strided.set_grad(Variable(gradient.transpose().clone().transpose()));
  AdamW(std::vector<Variable>{plain}).step();
  AdamW(std::vector<Variable>{strided}).step();
  CHECK(core::equal(plain.value(), strided.value()));
}

TEST_CASE("a large parameter takes the same bits at one thread and at two") {
  const auto run = [](int threads) {
    set_num_threads(threads);
    Generator generator(3);
    const Variable p(randn({100003}, generator), true);
    p.set_grad(Variable(randn({100003}, generator)));
    Adam optimizer({p});
    optimizer.step();
    optimizer.step();
    return p.value();
  };
  const int before = num_threads();
  const Tensor one = run(1);
  CHECK(core::equal(one, run(2)));
  set_num_threads(before);
}

TEST_CASE("after the first step nothing is allocated any more") {
  const Variable p(ones({1000}), true);
  p.set_grad(Variable(ones({1000})));
  Adam optimizer({p});
  optimizer.step();
  const StorageStatistics before = storage_statistics();
  for (int i = 0; i < 10; ++i) optimizer.step();
  const StorageStatistics after = storage_statistics();
  CHECK(after.allocations == before.allocations);
  CHECK(after.reuses == before.reuses);
}

TEST_CASE("an infinite parameter stays infinite without weight decay, and NaN gradients show") {
  const double infinity = std::numeric_limits<double>::infinity();
  const Variable p(Tensor::from({infinity, 1.0}), true);
  p.set_grad(Variable(Tensor::from({1.0, not_a_number})));
  SGD({p}, {.lr = 0.1, .momentum = 0.9}).step();
  CHECK(p.value().at<float>({0}) == std::numeric_limits<float>::infinity());
  CHECK(std::isnan(p.value().at<float>({1})));
}

TEST_CASE("a saved optimizer goes on where it was") {
  for (const Make& make :
       {sgd_with({.lr = 0.1, .momentum = 0.9}), adam_with({.lr = 0.1}), adamw_with({.lr = 0.1})}) {
    const Variable p = start_at(float64);
    const std::unique_ptr<Optimizer> first = make({p});
    first->set_lr(0.03);
    for (int i = 0; i < 3; ++i) {
      set_gradient(p);
      first->step();
    }
    const Variable q(p.value().clone(), true);
    const std::unique_ptr<Optimizer> second = make({q});
    second->load_state_dict(first->state_dict());
    CHECK(second->lr() == 0.03);
    for (int i = 0; i < 3; ++i) {
      for (const Variable& each : {p, q}) set_gradient(each);
      first->step();
      second->step();
    }
    CHECK(core::equal(p.value(), q.value()));
  }
}

TEST_CASE("a state that does not fit is refused by its key, and changes nothing") {
  const Variable p = start_at(float32);
  Adam optimizer({p});
  set_gradient(p);
  optimizer.step();
  NamedTensors before = optimizer.state_dict();
  for (auto& [key, value] : before) value = value.clone();
  const auto refused = [&](const std::function<void(NamedTensors&)>& spoil,
                           const std::string& word) {
    NamedTensors state = before;
    state[0].second = Tensor::scalar(0.5, float64);
    spoil(state);
    const std::string message = message_of([&] { optimizer.load_state_dict(state); });
    CAPTURE(message);
    CHECK(message.find(word) != std::string::npos);
    CHECK(message.find('\n') == std::string::npos);
  };
  refused([](NamedTensors& s) { s.erase(s.begin()); }, "lr");
  refused([](NamedTensors& s) { s[0].second = Tensor::scalar(-1, float64); }, "-1");
  refused([](NamedTensors& s) { s[1].second = Tensor::scalar(-2, float64); }, "-2");
  refused([](NamedTensors& s) { s.pop_back(); }, "state.0.exp_avg_sq");
  refused([](NamedTensors& s) { s.emplace_back("state.1.step", Tensor::scalar(1, int64)); },
          "state.1.step");
  refused([](NamedTensors& s) { s[3].second = zeros({4}); }, "[4]");
  refused([](NamedTensors& s) { s[3].second = zeros({5}, float64); }, "float64");
  refused([](NamedTensors& s) { s.push_back(s[0]); }, "twice");
  refused([](NamedTensors& s) { s[2].second = Tensor::scalar(0, int64); }, "step");
  refused([](NamedTensors& s) { s[2].second = zeros({2}, int64); }, "state.0.step");
  CHECK(optimizer.lr() == 1e-3);
  const NamedTensors after = optimizer.state_dict();
  REQUIRE(after.size() == before.size());
  for (std::size_t i = 0; i < after.size(); ++i)
    CHECK(core::equal(after[i].second, before[i].second));
}

TEST_CASE("a gradient or a state of another shape or dtype is refused before anything moves") {
  const Variable p = start_at(float32);
  const Variable q = start_at(float32);
  SGD optimizer({p, q}, {.lr = 0.1, .momentum = 0.9});
  set_gradient(p);
  set_gradient(q);
  optimizer.step();
  const Tensor before = p.value().clone();
  q.set_value(q.value().to(float64));
  set_gradient(q);
  CHECK_THROWS_AS(optimizer.step(), DTypeError);
  CHECK(message_of([&] { optimizer.step(); }).find("SGD: parameter 1 is float64 [5]") == 0);
  CHECK(core::equal(p.value(), before));
}

TEST_CASE("bad options and bad parameters are refused with the value") {
  const std::vector<Variable> p{start_at(float32)};
  CHECK(message_of([&] { SGD(p, {.lr = -0.5}); }) ==
        "SGD: lr must be finite and at least 0, got -0.5");
  CHECK(message_of([&] { Adam(p, {.beta1 = 1}); }) ==
        "Adam: beta1 must be at least 0 and below 1, got 1");
  CHECK_THROWS_AS(SGD(p, {.lr = not_a_number}), ValueError);
  CHECK_THROWS_AS(SGD(p, {.momentum = -1}), ValueError);
  CHECK_THROWS_AS(SGD(p, {.weight_decay = not_a_number}), ValueError);
  CHECK_THROWS_AS(SGD(p, {.dampening = not_a_number}), ValueError);
  CHECK_THROWS_AS(SGD(p, {.nesterov = true}), ValueError);
  CHECK_THROWS_AS(SGD(p, {.momentum = 0.9, .dampening = 0.1, .nesterov = true}), ValueError);
  CHECK_THROWS_AS(Adam(p, {.beta2 = -0.1}), ValueError);
  CHECK_THROWS_AS(AdamW(p, {.eps = -1}), ValueError);
  CHECK_THROWS_AS(AdamW(p, {.weight_decay = -1}), ValueError);
  CHECK_THROWS_AS(SGD({}, {.lr = 0.1}), ValueError);
  CHECK_THROWS_AS(SGD({p[0], p[0]}, {.lr = 0.1}), ValueError);
  CHECK_THROWS_AS(SGD({Variable()}, {.lr = 0.1}), ValueError);
  CHECK_THROWS_AS(SGD({p[0] * 2.0}, {.lr = 0.1}), ValueError);
  SGD good(p);
  CHECK_THROWS_AS(good.set_lr(not_a_number), ValueError);
  CHECK(good.lr() == 1e-3);
}

TEST_CASE("the schedules give PyTorch's learning rates") {
  SGD a({start_at(float32)}, {.lr = 0.8});
  SGD b({start_at(float32)}, {.lr = 0.8});
  StepLR steps(a, {.step_size = 3, .gamma = 0.5});
  CosineAnnealing cosine(b, {.epochs = 8, .min_lr = 0.1});
  for (std::size_t epoch = 0; epoch < step_lr_3_half.size(); ++epoch) {
    CHECK(a.lr() == doctest::Approx(step_lr_3_half[epoch]).epsilon(1e-12));
    // PyTorch's rises again after its last epoch; here it stays.
    CHECK(b.lr() ==
          doctest::Approx(cosine_8_from_min[std::min<std::size_t>(epoch, 8)]).epsilon(1e-12));
    steps.step();
    cosine.step();
  }
  cosine.set_epoch(20);
  CHECK(b.lr() == doctest::Approx(0.1));
  steps.set_epoch(0);
  CHECK(a.lr() == 0.8);
  CHECK_THROWS_AS(steps.set_epoch(-1), ValueError);
  CHECK_THROWS_AS(StepLR(a, {.step_size = 0}), ValueError);
  CHECK_THROWS_AS(StepLR(a, {.gamma = not_a_number}), ValueError);
  CHECK_THROWS_AS(CosineAnnealing(a, {.epochs = 0}), ValueError);
  CHECK_THROWS_AS(CosineAnnealing(a, {.min_lr = -1}), ValueError);
}

TEST_CASE("more schedules give PyTorch's learning rates") {
  check_rates(scheduled<MultiStepLR>(MultiStepLROptions{.milestones = {2, 5, 6, 13}, .gamma = 0.5}),
              multi_step);
  check_rates(scheduled<ExponentialLR>(0.9), exponential);
  check_rates(scheduled<CosineAnnealingWarmRestarts>(
                  CosineAnnealingWarmRestartsOptions{.period = 3, .factor = 2, .min_lr = 0.1}),
              warm_restarts);
  check_rates(
      scheduled<CosineAnnealingWarmRestarts>(CosineAnnealingWarmRestartsOptions{.period = 4}),
      warm_restarts_even);
  check_rates(
      scheduled<LinearLR>(LinearLROptions{.start_factor = 0.25, .end_factor = 0.9, .epochs = 6}),
      linear_lr);
  check_rates(scheduled<OneCycleLR>(OneCycleLROptions{.steps = 22}), one_cycle);
  check_rates(
      scheduled<OneCycleLR>(OneCycleLROptions{
          .steps = 22, .rising = 0.4, .div_factor = 10, .final_div_factor = 50, .linear = true}),
      one_cycle_linear);
  check_rates(
      scheduled<LambdaLR>([](std::int64_t epoch) { return 1 / (1 + static_cast<double>(epoch)); }),
      lambda_lr);
  check_rates(
      [](Optimizer& optimizer) {
        std::vector<std::unique_ptr<Schedule>> parts;
        parts.push_back(std::make_unique<LinearLR>(
            optimizer, LinearLROptions{.start_factor = 0.5, .end_factor = 1, .epochs = 4}));
        parts.push_back(std::make_unique<ExponentialLR>(optimizer, 0.8));
        return std::make_unique<SequentialLR>(optimizer, std::move(parts),
                                              std::vector<std::int64_t>{5});
      },
      sequential);
}

TEST_CASE("a plateau lowers the learning rate when PyTorch does, and goes on from its state") {
  const auto check = [](const ReduceLROnPlateauOptions& options,
                        const std::vector<double>& expected) {
    SGD optimizer({start_at(float32)}, {.lr = 0.8});
    auto schedule = std::make_unique<ReduceLROnPlateau>(optimizer, options);
    for (std::size_t epoch = 0; epoch < expected.size(); ++epoch) {
      CAPTURE(epoch);
      CHECK(optimizer.lr() == doctest::Approx(expected[epoch]).epsilon(1e-12));
      schedule->step(metrics[epoch]);
      const NamedTensors saved = schedule->state_dict();
      schedule = std::make_unique<ReduceLROnPlateau>(optimizer, options);
      schedule->load_state_dict(saved);
    }
  };
  check({.factor = 0.5, .patience = 1}, plateau);
  check({.factor = 0.5,
         .patience = 1,
         .threshold = 0.2,
         .absolute = true,
         .maximize = true,
         .cooldown = 3,
         .min_lr = 0.15},
        plateau_cooldown);
  SGD optimizer({start_at(float32)}, {.lr = 0.8});
  ReduceLROnPlateau schedule(optimizer, {.patience = 0});
  schedule.step(1);
  schedule.step(not_a_number);
  CHECK(optimizer.lr() == doctest::Approx(0.08));
  CHECK(contains(message_of([&] { schedule.load_state_dict({}); }), "best is missing"));
  NamedTensors more = schedule.state_dict();
  more.emplace_back("worst", zeros({}));
  CHECK(contains(message_of([&] { schedule.load_state_dict(more); }), "worst"));
  ReduceLROnPlateau fresh(optimizer, {.patience = 0});
  const double before = optimizer.lr();
  fresh.step(HUGE_VAL);  // no better than none
  CHECK(optimizer.lr() < before);
}

TEST_CASE("bad options of schedules are refused with the value") {
  SGD o({start_at(float32)}, {.lr = 0.8});
  const auto refuses = [](const std::string& words, const auto& make) {
    CAPTURE(words);
    CHECK(contains(message_of(make), words));
  };
  refuses("got 3 after 3", [&] { MultiStepLR(o, {.milestones = {3, 3}}); });
  refuses("gamma must be finite", [&] { MultiStepLR(o, {.milestones = {3}, .gamma = -1}); });
  refuses("gamma must be finite", [&] { ExponentialLR(o, not_a_number); });
  refuses("period must be at least 1, got 0",
          [&] { CosineAnnealingWarmRestarts(o, {.period = 0}); });
  refuses("start_factor must be above 0", [&] { LinearLR(o, {.start_factor = 0}); });
  refuses("end_factor must be at least 0", [&] { LinearLR(o, {.end_factor = 2}); });
  refuses("steps must be at least 1, got 0", [&] { OneCycleLR(o, {}); });
  refuses("rising must be from 0 to 1", [&] { OneCycleLR(o, {.steps = 3, .rising = 2}); });
  refuses("there is no function", [&] { LambdaLR(o, nullptr); });
  refuses("0 schedules need one milestone less, got 0", [&] { SequentialLR(o, {}, {}); });
  refuses("schedule 0 is null", [&] {
    std::vector<std::unique_ptr<Schedule>> none(1);
    SequentialLR(o, std::move(none), {});
  });
  refuses("factor must be at least 0 and below 1", [&] { ReduceLROnPlateau(o, {.factor = 1}); });
  refuses("patience and cooldown", [&] { ReduceLROnPlateau(o, {.patience = -1}); });
}

TEST_CASE("gradients are clipped by their norm, or each by its value") {
  const auto two = [] {
    const Variable a(zeros({2}, float64), true);
    const Variable b(zeros({1}, float64), true);
    a.set_grad(Variable(Tensor::from({3.0, -4.0}, float64)));
    b.set_grad(Variable(Tensor::from({12.0}, float64)));
    return std::vector<Variable>{a, b, Variable(zeros({3}, float64), true)};
  };
  const auto gradient = [](const Variable& p) { return p.grad().value(); };
  std::vector<Variable> p = two();
  CHECK(clip_grad_norm_(p, 26) == doctest::Approx(13));  // no longer than that: left alone
  CHECK(core::equal(gradient(p[0]), Tensor::from({3.0, -4.0}, float64)));
  CHECK(clip_grad_norm_(p, 6.5) == doctest::Approx(13));
  CHECK(core::allclose(gradient(p[0]), Tensor::from({1.5, -2.0}, float64), 1e-6, 0));
  CHECK(core::allclose(gradient(p[1]), Tensor::from({6.0}, float64), 1e-6, 0));
  p = two();
  CHECK(clip_grad_norm_(p, {.max_norm = 9.5, .norm_type = 1}) == doctest::Approx(19));
  CHECK(core::allclose(gradient(p[1]), Tensor::from({6.0}, float64), 1e-6, 0));
  p = two();
  CHECK(clip_grad_norm_(p, {.max_norm = 1, .norm_type = INFINITY}) == 12);
  CHECK(core::allclose(gradient(p[1]), Tensor::from({1.0}, float64), 1e-6, 0));
  p = two();
  clip_grad_value_(p, 3.5);
  CHECK(core::equal(gradient(p[0]), Tensor::from({3.0, -3.5}, float64)));
  CHECK(core::equal(gradient(p[1]), Tensor::from({3.5}, float64)));
  p[1].set_grad(Variable(Tensor::from({not_a_number}, float64)));
  CHECK(contains(message_of([&] { clip_grad_norm_(p, {.error_if_nonfinite = true}); }),
                 "the norm of the gradients is"));
  CHECK(contains(message_of([&] { clip_grad_norm_(p, -1); }), "max_norm must be at least 0"));
  CHECK(contains(message_of([&] { clip_grad_norm_(p, {.norm_type = 0}); }), "norm_type must be"));
  CHECK(contains(message_of([&] { clip_grad_value_(p, -1); }), "value must be at least 0"));
}

TEST_CASE("a moving average of weights, used and put back") {
  const Variable p(Tensor::from({1.0, 2.0}, float64), true);
  ExponentialMovingAverage average({p}, 0.75);
  p.value().copy_(Tensor::from({5.0, -2.0}, float64));
  average.update();
  average.swap();
  CHECK(core::equal(p.value(), Tensor::from({2.0, 1.0}, float64)));
  average.swap();
  CHECK(core::equal(p.value(), Tensor::from({5.0, -2.0}, float64)));
  ExponentialMovingAverage other({p}, 0.75);
  other.load_state_dict(average.state_dict());
  CHECK(core::equal(other.averages()[0], Tensor::from({2.0, 1.0}, float64)));
  const auto refused = [&](const NamedTensors& state) {
    return message_of([&] { other.load_state_dict(state); });
  };
  CHECK(contains(refused({}), "has 0 averages, expected 1"));
  CHECK(contains(refused({{"x", zeros({2})}}), "x belongs to no parameter"));
  ExponentialMovingAverage two({p, Variable(zeros({2}, float64), true)}, 0.5);
  const Tensor same = zeros({2}, float64);
  CHECK(contains(message_of([&] {
                   two.load_state_dict({{"average.0", same}, {"average.0", same}});
                 }),
                 "average.0 is twice"));
  CHECK(contains(refused({{"average.0", zeros({3}, float64)}}), "average.0 is [3], expected [2]"));
  CHECK(contains(refused({{"average.0", zeros({2}, float32)}}), "is float32, expected float64"));
  CHECK(contains(message_of([&] { ExponentialMovingAverage({p}, 1); }), "decay must be"));
}

TEST_CASE("a parameter that is given twice is averaged by nobody") {
  const Variable p(ones({2}, float64), true);
  const Variable q(ones({2}, float64), true);
  CHECK(message_of([&] {
          ExponentialMovingAverage({p, q, p}, 0.9);
        }) == "ExponentialMovingAverage: parameter 2 is parameter 0 again");
}

TEST_CASE("the norm of gradients is right where its powers are beyond float64") {
  const auto clipped = [](double size, double p) {
    const Variable w(zeros({2}, float64), true);
    w.set_grad(Variable(full({2}, size, float64)));
    const double norm = clip_grad_norm_({w}, {.max_norm = 1, .norm_type = p});
    return std::pair(norm, w.grad().value().at<double>({0}));
  };
  for (const double p : {2.0, 10.0, 40.0}) {
    for (const double size : {1e-300, 1e-10, 1.0, 1e10, 1e200}) {
      CAPTURE(p);
      CAPTURE(size);
      const double norm = size * std::pow(2, 1 / p);
      const auto [found, first] = clipped(size, p);
      CHECK(found == doctest::Approx(norm));
      CHECK(first == doctest::Approx(size * std::min(1.0, 1 / (norm + 1e-6))));
    }
  }
  CHECK(clipped(0, 3).first == 0);
  CHECK(std::isinf(clipped(HUGE_VAL, 3).first));
}

TEST_CASE("a schedule restarts ever later without end, and its state is a whole number") {
  const Variable p(ones({2}, float64), true);
  SGD optimizer({p}, {.lr = 1});
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  CosineAnnealingWarmRestarts never_again(optimizer, {.period = 10, .factor = most});
  for (int i = 0; i < 12; ++i) never_again.step();
  CHECK(optimizer.lr() == 1);
  CosineAnnealingWarmRestarts doubling(optimizer, {.period = 3, .factor = 2});
  doubling.set_epoch(most);
  CHECK(optimizer.lr() >= 0);
  CHECK(optimizer.lr() <= 1);
  for (const double epoch : {2.9, -1.0, 1e300, std::nan("")}) {
    CAPTURE(epoch);
    CHECK(contains(message_of([&] {
                     doubling.load_state_dict({{"epoch", Tensor::scalar(epoch, float64)}});
                   }),
                   "epoch of the loaded state must be a whole number"));
  }
}

TEST_CASE("a moving average is not half renewed when a parameter has changed its shape or dtype") {
  const Variable p(Tensor::from({1.0, 2.0}, float64), true);
  const Variable q(Tensor::from({3.0, 4.0}, float64), true);
  ExponentialMovingAverage average({p, q}, 0.75);
  p.value().fill_(9);
  const auto refused = [&](Tensor value) {
    q.set_value(std::move(value));
    const std::string update = message_of([&] { average.update(); });
    CHECK(message_of([&] { average.swap(); }) ==
          "ExponentialMovingAverage: swap" + update.substr(update.find(": parameter")));
    CHECK(core::equal(average.averages()[0], Tensor::from({1.0, 2.0}, float64)));
    CHECK(core::equal(p.value(), full({2}, 9, float64)));
    return update;
  };
  CHECK(refused(zeros({3}, float64)) ==
        "ExponentialMovingAverage: update: parameter 1 is [3] now, its average [2]");
  CHECK(refused(zeros({2}, float32)) ==
        "ExponentialMovingAverage: update: parameter 1 is float32 now, its average float64");
}

TEST_CASE("every schedule goes on from its saved state, made after its optimizer was loaded") {
  using Made = std::function<std::unique_ptr<Schedule>(Optimizer&)>;
  const std::vector<Made> all{
      scheduled<StepLR>(StepLROptions{.step_size = 2, .gamma = 0.5}),
      scheduled<CosineAnnealing>(CosineAnnealingOptions{.epochs = 9, .min_lr = 0.01}),
      scheduled<MultiStepLR>(MultiStepLROptions{.milestones = {2, 5}}),
      scheduled<ExponentialLR>(0.9),
      scheduled<CosineAnnealingWarmRestarts>(CosineAnnealingWarmRestartsOptions{.period = 3}),
      scheduled<LinearLR>(LinearLROptions{}),
      scheduled<OneCycleLR>(OneCycleLROptions{.steps = 9}),
      scheduled<LambdaLR>([](std::int64_t epoch) { return 1 / (2 + static_cast<double>(epoch)); })};
  for (std::size_t which = 0; which < all.size(); ++which) {
    CAPTURE(which);
    SGD first({{{start_at(float32)}, {.lr = 0.8}}, {{start_at(float32)}, {.lr = 0.2}}});
    const std::unique_ptr<Schedule> going = all[which](first);
    for (int i = 0; i < 4; ++i) going->step();
    SGD second({{{start_at(float32)}, {.lr = 3}}, {{start_at(float32)}, {.lr = 5}}});
    second.load_state_dict(first.state_dict());
    const std::unique_ptr<Schedule> resumed = all[which](second);
    resumed->load_state_dict(going->state_dict());
    CHECK(resumed->epoch() == 4);
    for (int i = 0; i < 4; ++i) {
      CHECK(second.lr(0) == first.lr(0));
      CHECK(second.lr(1) == first.lr(1));
      going->step();
      resumed->step();
    }
    CHECK(contains(message_of([&] { resumed->load_state_dict({}); }), "epoch is missing"));
    CHECK(contains(message_of([&] {
                     resumed->load_state_dict({{"epoch", Tensor::scalar(-1, float64)}});
                   }),
                   "epoch of the loaded state must be a whole number from 0 to 2^53, got -1"));
  }
}

TEST_CASE("a schedule goes on from a loaded optimizer, whichever of the two came first") {
  const auto parameter = [] { return Variable(ones({1}), true); };
  SGD first({parameter()}, {.lr = 0.1});
  CosineAnnealing(first, {.epochs = 10}).set_epoch(5);
  CHECK(first.lr() == doctest::Approx(0.05));
  CHECK(first.base_lr() == 0.1);
  const NamedTensors saved = first.state_dict();

  SGD loaded_before({parameter()}, {.lr = 0.7});
  loaded_before.load_state_dict(saved);
  CosineAnnealing made_after(loaded_before, {.epochs = 10});
  made_after.set_epoch(5);
  CHECK(loaded_before.lr() == doctest::Approx(0.05));

  SGD loaded_after({parameter()}, {.lr = 0.7});
  CosineAnnealing made_before(loaded_after, {.epochs = 10});
  loaded_after.load_state_dict(saved);
  CHECK(loaded_after.lr() == doctest::Approx(0.05));
  made_before.set_epoch(5);
  CHECK(loaded_after.lr() == doctest::Approx(0.05));

  // A file of before base_lr was saved: the base is what the constructor said.
  SGD old({parameter()}, {.lr = 0.1});
  old.load_state_dict({saved[0]});
  StepLR schedule(old, {.step_size = 1, .gamma = 0.5});
  schedule.step();
  CHECK(old.lr() == doctest::Approx(0.05));
  old.set_lr(0.4);
  schedule.step();
  CHECK(old.lr() == doctest::Approx(0.1));
}

TEST_CASE("Momentum whose gradient stays zero ends at zero, not in slow subnormal numbers") {
  const std::vector<std::pair<Make, std::string>> with_momentum = {
      {sgd_with({.lr = 0.1, .momentum = 0.9}), "state.0.momentum_buffer"},
      {adam_with({}), "state.0.exp_avg"},
  };
  for (const auto& kind : with_momentum) {
    const std::string& key = kind.second;
    CAPTURE(key);
    const Variable p(ones({5}), true);
    const std::unique_ptr<Optimizer> optimizer = kind.first({p});
    p.set_grad(Variable(ones({5})));
    // 0.9^n passes the smallest normal float, 1.2e-38, at n = 830.
    for (int step = 0; step < 1000; ++step) {
      optimizer->step();
      p.set_grad(Variable(zeros({5})));
    }
    for (const auto& [name, momentum] : optimizer->state_dict())
      if (name == key) CHECK(core::equal(momentum, zeros({5})));
  }
}

TEST_CASE("a constant is refused: a step would never move it") {
  const Variable constant(ones({2, 3}));
  const std::string line = message_of([&] { SGD({start_at(float32), constant}, {.lr = 0.1}); });
  CHECK(line.find("SGD: parameter 1 is a constant") == 0);
  CHECK(line.find("float32 [2,3]") != std::string::npos);
  Variable frozen = start_at(float32);
  SGD optimizer({frozen}, {.lr = 0.1});  // but one may be frozen later
  frozen.requires_grad_(false);
  optimizer.step();
  CHECK(core::equal(frozen.value(), start_at(float32).value()));
}
