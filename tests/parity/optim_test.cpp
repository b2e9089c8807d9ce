// Optimizers, schedules, clipping and averaging against PyTorch, step for step (parity/optim.py made the
// file): the weights after each of 20 steps, in float64 and in float32.
#include <doctest/doctest.h>
#include <gradus/optim/adagrad.h>
#include <gradus/optim/adam.h>
#include <gradus/optim/clip.h>
#include <gradus/optim/ema.h>
#include <gradus/optim/lbfgs.h>
#include <gradus/optim/nadam.h>
#include <gradus/optim/rmsprop.h>
#include <gradus/optim/schedule.h>
#include <gradus/optim/sgd.h>

#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "support/parity.h"

using namespace gradus;

namespace {

using nlohmann::json;

/// Relative to 1 or to the largest number of the tensor: float64 rounds 1e-16 at a time.
constexpr double tolerance64 = 1e-10;
/// A rate is a formula of a few operations; PyTorch gets some of them from the rate before, 26 times.
constexpr double rate_tolerance = 1e-12;

struct Fixture {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, json> cases;
};

const Fixture& fixture() {
  static const Fixture all = [] {
    const std::string path = std::string(GRADUS_FIXTURES) + "/parity/optim.safetensors";
    Fixture read;
    for (const auto& [name, tensor] : load_safetensors(path)) read.tensors.emplace(name, tensor);
    for (const auto& [key, text] : read_safetensors_header(path).metadata) {
      if (key != "made_by") read.cases.emplace(key, json::parse(text));
    }
    return read;
  }();
  return all;
}

const Tensor& tensor_of(const std::string& name) { return fixture().tensors.at(name); }

/// Calls check(key, about) for each case that has `kind`; gives their number.
int for_each_case(const char* kind,
                  const std::function<void(const std::string&, const json&)>& check) {
  int count = 0;
  for (const auto& entry : fixture().cases) {
    const std::string& key = entry.first;
    const json& about = entry.second;
    if (!about.contains(kind)) continue;
    const std::string text = about.dump();
    CAPTURE(key);
    CAPTURE(text);
    check(key, about);
    ++count;
  }
  return count;
}

constexpr std::size_t parameter_count = 3;

std::string numbered(const std::string& name, std::size_t i) {
  return name + "." + std::to_string(i);
}

std::vector<Variable> start_parameters(DType dtype) {
  std::vector<Variable> all;
  for (std::size_t i = 0; i < parameter_count; ++i)
    all.push_back(Variable(tensor_of(numbered("start", i)).to(dtype).clone(), true));
  return all;
}

/// As optim.py has it: in some steps the last parameter has none.
void set_gradients(const std::vector<Variable>& parameters, std::int64_t step) {
  const std::set<std::int64_t> pauses{0, 5, 6, 7};
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    parameters[i].zero_grad();
    if (i == 2 && pauses.contains(step)) continue;
    const Tensor gradient = tensor_of(numbered("gradient", i)).select(0, step);
    parameters[i].set_grad(Variable(gradient.to(parameters[i].dtype()).clone()));
  }
}

// ---- optimizers ----

SGDOptions sgd_options(const json& o) {
  SGDOptions all;
  all.lr = o.value("lr", all.lr);
  all.momentum = o.value("momentum", all.momentum);
  all.dampening = o.value("dampening", all.dampening);
  all.weight_decay = o.value("weight_decay", all.weight_decay);
  all.nesterov = o.value("nesterov", all.nesterov);
  return all;
}

template <class Options> Options adam_options(const json& o) {
  Options all;
  all.lr = o.value("lr", all.lr);
  all.beta1 = o.value("beta1", all.beta1);
  all.beta2 = o.value("beta2", all.beta2);
  all.eps = o.value("eps", all.eps);
  all.weight_decay = o.value("weight_decay", all.weight_decay);
  if constexpr (requires { all.amsgrad; }) all.amsgrad = o.value("amsgrad", all.amsgrad);
  if constexpr (requires { all.momentum_decay; })
    all.momentum_decay = o.value("momentum_decay", all.momentum_decay);
  return all;
}

RMSpropOptions rmsprop_options(const json& o) {
  RMSpropOptions all;
  all.lr = o.value("lr", all.lr);
  all.alpha = o.value("alpha", all.alpha);
  all.eps = o.value("eps", all.eps);
  all.weight_decay = o.value("weight_decay", all.weight_decay);
  all.momentum = o.value("momentum", all.momentum);
  all.centered = o.value("centered", all.centered);
  return all;
}

AdagradOptions adagrad_options(const json& o) {
  AdagradOptions all;
  all.lr = o.value("lr", all.lr);
  all.lr_decay = o.value("lr_decay", all.lr_decay);
  all.weight_decay = o.value("weight_decay", all.weight_decay);
  all.initial_accumulator_value =
      o.value("initial_accumulator_value", all.initial_accumulator_value);
  all.eps = o.value("eps", all.eps);
  return all;
}

using Parameters = std::vector<Variable>;
using Make = std::function<std::unique_ptr<Optimizer>(const Parameters&, const json& groups)>;

template <class Kind, class Options> Make made_with(Options (*options_of)(const json&)) {
  return [options_of](const Parameters& parameters, const json& groups) {
    std::vector<ParameterGroup<Options>> all;
    for (const json& group : groups) {
      ParameterGroup<Options> one;
      for (const json& i : group["parameters"])
        one.parameters.push_back(parameters[i.get<std::size_t>()]);
      one.options = options_of(group["options"]);
      all.push_back(one);
    }
    return std::make_unique<Kind>(all);
  };
}

const std::map<std::string, Make>& optimizers() {
  static const std::map<std::string, Make> all{
      {"SGD", made_with<SGD>(sgd_options)},
      {"Adam", made_with<Adam>(adam_options<AdamOptions>)},
      {"AdamW", made_with<AdamW>(adam_options<AdamWOptions>)},
      {"RMSprop", made_with<RMSprop>(rmsprop_options)},
      {"Adagrad", made_with<Adagrad>(adagrad_options)},
      {"NAdam", made_with<NAdam>(adam_options<NAdamOptions>)}};
  return all;
}

/// How far float32 may be from float64, for each element, after each step.
///
/// A running mean of t gradients multiplies each of them up to t times with a factor, itself rounded, and
/// adds: 3t roundings for the oldest. A step has at most two such means behind each other (RMSprop's
/// momentum of what a mean of squares has scaled), and half of one more, below a root: less than 8t. A decayed
/// gradient, the corrections, the root, the quotient and the rate are less than 24 more. So step t is off
/// by (8t + 24)·u of the move that would be if nothing cancelled in the means (optim.py stores these);
/// and writing the weight down rounds it, with AdamW's decay and NAdam's two parts, three times. What
/// is wrong in a weight acts on later steps through the decay alone, which pulls weights together; the
/// factor 2 is for a momentum, by which it does so late.
class Float32Bound {
 public:
  explicit Float32Bound(std::size_t size) : sum_(size) {}

  /// Of the step that gives `weights`, with its sizes of moves.
  const std::vector<double>& after(const Tensor& weights, const Tensor& moves, double t) {
    constexpr double u = 0x1p-24;
    const std::vector<double> p = weights.contiguous().to_vector<double>();
    const std::vector<double> m = moves.to(float64).contiguous().to_vector<double>();
    for (std::size_t k = 0; k < sum_.size(); ++k)
      sum_[k] += 2 * u * (3 * std::fabs(p[k]) + (8 * t + 24) * m[k]);
    return sum_;
  }

 private:
  std::vector<double> sum_;
};

double largest_ratio(const Tensor& actual, const Tensor& expected,
                     const std::vector<double>& bound) {
  const std::vector<double> a = actual.to(float64).contiguous().to_vector<double>();
  const std::vector<double> b = expected.contiguous().to_vector<double>();
  double most = 0;
  for (std::size_t k = 0; k < bound.size(); ++k) {
    const double apart = std::fabs(a[k] - b[k]);
    if (!(apart <= bound[k])) return std::max(2.0, apart / bound[k]);
    if (apart > 0) most = std::max(most, apart / bound[k]);
  }
  return most;
}

// ---- schedules ----

std::unique_ptr<Schedule> schedule_of(const std::string& name, const json& o, Optimizer& optimizer);

std::unique_ptr<Schedule> sequential_of(const json& o, Optimizer& optimizer) {
  std::vector<std::unique_ptr<Schedule>> parts;
  for (const json& part : o["schedules"])
    parts.push_back(schedule_of(part[0].get<std::string>(), part[1], optimizer));
  return std::make_unique<SequentialLR>(optimizer, std::move(parts),
                                        o["milestones"].get<std::vector<std::int64_t>>());
}

std::unique_ptr<Schedule> one_cycle_of(const json& o, Optimizer& optimizer) {
  OneCycleLROptions all;
  all.steps = o["steps"];
  all.rising = o.value("rising", all.rising);
  all.div_factor = o.value("div_factor", all.div_factor);
  all.final_div_factor = o.value("final_div_factor", all.final_div_factor);
  all.linear = o.value("linear", all.linear);
  return std::make_unique<OneCycleLR>(optimizer, all);
}

std::unique_ptr<Schedule> schedule_of(const std::string& name, const json& o,
                                      Optimizer& optimizer) {
  const double gamma = o.value("gamma", 0.1);
  const double min_lr = o.value("min_lr", 0.0);
  if (name == "StepLR") {
    return std::make_unique<StepLR>(
        optimizer, StepLROptions{.step_size = o["step_size"].get<std::int64_t>(), .gamma = gamma});
  }
  if (name == "MultiStepLR") {
    return std::make_unique<MultiStepLR>(
        optimizer,
        MultiStepLROptions{.milestones = o["milestones"].get<std::vector<std::int64_t>>(),
                           .gamma = gamma});
  }
  if (name == "ExponentialLR") return std::make_unique<ExponentialLR>(optimizer, gamma);
  if (name == "CosineAnnealing") {
    return std::make_unique<CosineAnnealing>(
        optimizer,
        CosineAnnealingOptions{.epochs = o["epochs"].get<std::int64_t>(), .min_lr = min_lr});
  }
  if (name == "CosineAnnealingWarmRestarts") {
    return std::make_unique<CosineAnnealingWarmRestarts>(
        optimizer, CosineAnnealingWarmRestartsOptions{.period = o["period"].get<std::int64_t>(),
                                                      .factor = o.value("factor", std::int64_t{1}),
                                                      .min_lr = min_lr});
  }
  if (name == "LinearLR") {
    LinearLROptions all;
    all.start_factor = o.value("start_factor", all.start_factor);
    all.end_factor = o.value("end_factor", all.end_factor);
    all.epochs = o.value("epochs", all.epochs);
    return std::make_unique<LinearLR>(optimizer, all);
  }
  if (name == "OneCycleLR") return one_cycle_of(o, optimizer);
  if (name == "SequentialLR") return sequential_of(o, optimizer);
  REQUIRE(name == "LambdaLR");
  const double rate = o["rate"];
  return std::make_unique<LambdaLR>(optimizer, [rate](std::int64_t epoch) {
    return 1 / (1 + rate * static_cast<double>(epoch));
  });
}

ReduceLROnPlateauOptions plateau_options(const json& o) {
  ReduceLROnPlateauOptions all;
  all.factor = o.value("factor", all.factor);
  all.patience = o.value("patience", all.patience);
  all.threshold = o.value("threshold", all.threshold);
  all.absolute = o.value("absolute", all.absolute);
  all.maximize = o.value("maximize", all.maximize);
  all.cooldown = o.value("cooldown", all.cooldown);
  all.min_lr = o.value("min_lr", all.min_lr);
  return all;
}

/// Two groups, 0.8 and 0.05.
SGD two_groups() {
  return SGD(
      {{{Variable(zeros({1}), true)}, {.lr = 0.8}}, {{Variable(zeros({1}), true)}, {.lr = 0.05}}});
}

void check_rates(const Optimizer& optimizer, const Tensor& rates, std::int64_t epoch) {
  CAPTURE(epoch);
  for (std::int64_t group = 0; group < 2; ++group) {
    CAPTURE(group);
    const double expected = rates.at<double>({epoch, group});
    CHECK(std::fabs(optimizer.lr(static_cast<std::size_t>(group)) - expected) <=
          rate_tolerance * std::max(std::fabs(expected), 1e-3));
  }
}

// ---- L-BFGS ----

LBFGSOptions lbfgs_options(const json& o) {
  LBFGSOptions all;
  all.lr = o.value("lr", all.lr);
  all.max_iter = o.value("max_iter", all.max_iter);
  if (o.contains("max_eval")) all.max_eval = o["max_eval"].get<std::int64_t>();
  all.tolerance_grad = o.value("tolerance_grad", all.tolerance_grad);
  all.tolerance_change = o.value("tolerance_change", all.tolerance_change);
  all.history_size = o.value("history_size", all.history_size);
  if (o.contains("line_search_fn")) all.line_search_fn = LineSearch::strong_wolfe;
  return all;
}

/// optim.py's convex(), of both parameters in a row.
LBFGS::Closure convex(const std::vector<Variable>& p) {
  return [p] {
    for (const Variable& each : p) each.zero_grad();
    const DType dtype = p[0].dtype();
    const Variable x = cat({reshape(p[0], {4}), p[1]}, 0);
    const Tensor curvature = Tensor::from({1.0, 0.5, 2.0, 4.0, 1.5, 3.0, 0.75}, float64).to(dtype);
    const Tensor target = Tensor::from({0.0, 1.0, -1.0, 0.5, 0.25, -0.75, 2.0}, float64).to(dtype);
    const Variable off = x - Variable(target);
    const Variable steps = slice(x, 0, 1, 7) - slice(x, 0, 0, 6);
    const Variable loss = sum(Variable(curvature) * off * off) * 0.5 + sum(pow(steps, 4)) * 0.125;
    loss.backward();
    return loss;
  };
}

}  // namespace

TEST_CASE("every optimizer takes PyTorch's 20 steps, in float64 and in float32") {
  std::set<std::string> met;
  double most64 = 0;
  double most32 = 0;
  const int count = for_each_case("optimizer", [&](const std::string& key, const json& about) {
    const std::string name = about["optimizer"];
    REQUIRE(optimizers().contains(name));
    met.insert(name);
    for (const DType dtype : {float64, float32}) {
      CAPTURE(to_string(dtype));
      const std::vector<Variable> p = start_parameters(dtype);
      const std::unique_ptr<Optimizer> optimizer = optimizers().at(name)(p, about["groups"]);
      std::vector<Float32Bound> bounds;
      for (const Variable& each : p)
        bounds.emplace_back(static_cast<std::size_t>(each.value().numel()));
      for (std::int64_t step = 0; step < 20; ++step) {
        CAPTURE(step);
        set_gradients(p, step);
        optimizer->step();
        for (std::size_t i = 0; i < p.size(); ++i) {
          CAPTURE(i);
          const Tensor expected = tensor_of(numbered(key + ".after", i)).select(0, step);
          const Tensor moves = tensor_of(numbered(key + ".moves", i)).select(0, step);
          const std::vector<double>& bound =
              bounds[i].after(expected, moves, static_cast<double>(step + 1));
          if (dtype == float64) {
            const double apart = parity::distance(p[i].value(), expected);
            most64 = std::max(most64, apart);
            CHECK(apart <= tolerance64 * parity::scale_of(expected));
          } else {
            const double ratio = largest_ratio(p[i].value(), expected, bound);
            most32 = std::max(most32, ratio);
            CHECK(ratio <= 1);
          }
        }
      }
    }
  });
  CHECK(met.size() == optimizers().size());
  MESSAGE(count, " cases; float64 is off by at most ", most64, ", float32 by at most ", most32,
          " of its bound");
}

TEST_CASE("LBFGS takes PyTorch's steps and calls its closure as often") {
  const int count = for_each_case("lbfgs", [&](const std::string& key, const json& about) {
    std::vector<Variable> p;
    for (std::size_t i = 0; i < 2; ++i) {
      const Tensor start = tensor_of(numbered(key + ".start", i));
      p.push_back(Variable(start.to(float64).clone(), true));
    }
    LBFGS optimizer(p, lbfgs_options(about["lbfgs"]));
    std::int64_t calls = 0;
    const LBFGS::Closure loss = convex(p);
    for (std::int64_t step = 0; step < 20; ++step) {
      CAPTURE(step);
      const double before = optimizer.step([&] {
        ++calls;
        return loss();
      });
      const double expected = tensor_of(key + ".losses").at<double>({step});
      CHECK(std::fabs(before - expected) <= tolerance64 * std::max(1.0, std::fabs(expected)));
      CHECK(calls == tensor_of(key + ".calls").at<std::int64_t>({step}));
      const Tensor now = core::cat({p[0].value().reshape({4}), p[1].value()}, 0);
      const Tensor after = tensor_of(key + ".after").select(0, step);
      CHECK(parity::distance(now, after) <= tolerance64 * parity::scale_of(after));
    }
  });
  MESSAGE(count, " cases");
}

/// Near the bottom the loss in float32 is flat: of terms near 1 its last bit is 6e-8, and with a least
/// curvature of 0.5 that is what the loss rises by at a distance of √(2·6e-8/0.5), 5e-4.
TEST_CASE("LBFGS comes in float32 to where PyTorch's comes in float64") {
  constexpr double flat = 5e-4;
  for_each_case("lbfgs", [&](const std::string& key, const json& about) {
    if (!about["lbfgs"].contains("line_search_fn")) return;
    std::vector<Variable> p;
    for (std::size_t i = 0; i < 2; ++i)
      p.push_back(Variable(tensor_of(numbered(key + ".start", i)).clone(), true));
    LBFGS optimizer(p, lbfgs_options(about["lbfgs"]));
    for (int step = 0; step < 20; ++step) optimizer.step(convex(p));
    const Tensor now = core::cat({p[0].value().reshape({4}), p[1].value()}, 0);
    CHECK(parity::distance(now, tensor_of(key + ".after").select(0, 19)) <= flat);
  });
}

TEST_CASE("every schedule gives PyTorch's rates to both groups, stepped or set to an epoch") {
  std::set<std::string> met;
  const int count = for_each_case("schedule", [&](const std::string& key, const json& about) {
    const std::string name = about["schedule"];
    met.insert(name);
    const Tensor rates = tensor_of(key + ".rates");
    const std::int64_t epochs = rates.size(0);
    CHECK(epochs > 20);
    SGD optimizer = two_groups();
    if (name == "ReduceLROnPlateau") {
      ReduceLROnPlateau schedule(optimizer, plateau_options(about["options"]));
      for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
        check_rates(optimizer, rates, epoch);
        schedule.step(tensor_of(key + ".metrics").at<double>({epoch}));
      }
      return;
    }
    const std::unique_ptr<Schedule> schedule = schedule_of(name, about["options"], optimizer);
    for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
      check_rates(optimizer, rates, epoch);
      schedule->step();
    }
    for (std::int64_t epoch = epochs - 1; epoch >= 0; --epoch) {
      schedule->set_epoch(epoch);
      check_rates(optimizer, rates, epoch);
    }
  });
  CHECK(met.size() == 10);
  MESSAGE(count, " cases");
}

TEST_CASE("gradients are clipped as PyTorch clips them") {
  const int count = for_each_case("clip", [&](const std::string& key, const json& about) {
    const json& o = about["options"];
    for (const DType dtype : {float64, float32}) {
      CAPTURE(to_string(dtype));
      // The norm is taken in float64; then one factor, rounded, and one product.
      const double tolerance = dtype == float64 ? tolerance64 : 3 * 0x1p-24;
      const std::vector<Variable> p = start_parameters(dtype);
      for (std::size_t i = 0; i < 2; ++i) {
        const Tensor gradient = tensor_of(numbered("gradient", i)).select(0, 0).to(dtype);
        p[i].set_grad(Variable(core::mul(gradient, about["scale"].get<double>())));
      }
      if (about["clip"] == "clip_grad_value_") {
        clip_grad_value_(p, o["clip_value"].get<double>());
      } else {
        const double norm_type =
            about["greatest"].get<bool>() ? HUGE_VAL : o["norm_type"].get<double>();
        const double total =
            clip_grad_norm_(p, {.max_norm = o["max_norm"].get<double>(), .norm_type = norm_type});
        const double expected = tensor_of(key + ".total").item();
        CHECK(std::fabs(total - expected) <= tolerance64 * expected);
      }
      for (std::size_t i = 0; i < 2; ++i) {
        const Tensor expected = tensor_of(numbered(key + ".after", i));
        const double most = core::max(core::abs(expected)).item();
        CHECK(parity::distance(p[i].grad().value(), expected) <= tolerance * most);
      }
      CHECK(!p[2].grad().defined());
    }
  });
  MESSAGE(count, " cases");
}

TEST_CASE("ExponentialMovingAverage is PyTorch's AveragedModel with that formula") {
  const int count = for_each_case("average", [&](const std::string& key, const json& about) {
    for (const DType dtype : {float64, float32}) {
      CAPTURE(to_string(dtype));
      const std::vector<Variable> p = start_parameters(dtype);
      SGD optimizer(p, {.lr = 0.1});
      ExponentialMovingAverage average(p, about["average"].get<double>());
      for (std::int64_t step = 0; step < 20; ++step) {
        CAPTURE(step);
        set_gradients(p, step);
        optimizer.step();
        average.update();
        // Each step rounds the weight twice and the average four times, with both factors.
        const double bound =
            dtype == float64 ? tolerance64 : 6 * static_cast<double>(step + 1) * 0x1p-24;
        for (std::size_t i = 0; i < p.size(); ++i) {
          const Tensor expected = tensor_of(numbered(key + ".after", i)).select(0, step);
          // The largest weight on the way, which the outlier among the gradients makes.
          CHECK(parity::distance(average.averages()[i], expected) <= bound * 8);
        }
      }
    }
  });
  MESSAGE(count, " cases");
}
