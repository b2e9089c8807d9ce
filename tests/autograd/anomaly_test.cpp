// Anomaly mode: the first NaN or infinity is an error with the op, the pass, the numbers and the lines
// of this file; what is infinite on purpose passes.
#include <doctest/doctest.h>
#include <gradus/autograd/anomaly.h>
#include <gradus/autograd/functions.h>
#include <gradus/autograd/op.h>
#include <gradus/core/create.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/sequential.h>
#include <gradus/layers/shape.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/error_message.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace gradus;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

Variable leaf(const NestedList& values) { return {Tensor::from(values, float64), true}; }
Tensor numbers(const NestedList& values) { return Tensor::from(values, float64); }
std::string line(int number) { return "anomaly_test.cpp:" + std::to_string(number); }

void check_parts(const std::string& message, const std::vector<std::string>& parts) {
  CAPTURE(message);
  for (const std::string& part : parts) {
    CAPTURE(part);
    CHECK(contains(message, part));
  }
}

/// log(x), in a module.
struct Logarithm final : Module {
  void visit(Visitor&) override {}
  Variable forward(const Variable& x) override {
    last_line = __LINE__ + 1;
    return log(x);
  }
  int last_line = 0;
};

}  // namespace

TEST_CASE("forward: the op, how many and where, its inputs, the line") {
  const DetectAnomaly guard;
  const Variable x = leaf({{4.0, 1.0, 2.0}, {0.0, 3.0, -1.0}});
  std::string at;
  const auto call = [&] {
    at = line(__LINE__ + 1);
    log(x);
  };
  check_parts(
      message_of<AnomalyError>(call),
      {"log: the forward pass gives 1 NaN and 1 infinite among 6 elements, the first at [1,0]", at,
       "its input 0 is float64 [2,3], from -1 to 4"});
  CHECK(exp(x).defined());
}

TEST_CASE("what an input brought in is told with where that came from") {
  const Variable x = leaf({-1.0, 1.0});
  const std::string at = line(__LINE__ + 1);
  const Variable bad = log(x);  // before the guard
  const DetectAnomaly guard;
  check_parts(
      message_of<AnomalyError>([&] { exp(x + bad); }),
      {"add: the forward pass gives 1 NaN", "brought in by input 1, the result of log at", at});
  check_parts(message_of<AnomalyError>([&] { neg(leaf({not_a_number})); }),
              {"neg: ", "brought in by input 0, a leaf, float64 [1] made at"});
  check_parts(message_of<AnomalyError>([&] { neg(numbers({not_a_number})); }),
              {"neg: ", "brought in by input 0, a constant"});
  check_parts(message_of<AnomalyError>([&] { neg(bad.detach()); }),
              {"brought in by input 0, a constant: detach() at"});
}

TEST_CASE("infinities on purpose pass, forward and backward") {
  const DetectAnomaly guard;
  const Variable x = leaf({{1.0, 2.0, 3.0}, {0.5, -1.0, 0.0}});
  const Tensor hidden = numbers({{1, 0, 0}, {1, 1, 0}}) > 0.5;
  const Variable scores = where(hidden, x, Tensor::scalar(-infinity, float64));
  for (const Variable& loss :
       {sum(softmax(scores, 1) * numbers({{1, 2, 3}, {3, 1, 2}})), sum(logsumexp(scores, {1})),
        sum(narrow(log_softmax(scores, 1), 1, 0, 1)), sum(max(scores, {1})),
        cross_entropy(scores, Tensor::from({0, 1}))}) {
    x.zero_grad();
    loss.backward({.retain_graph = true});
    CHECK(census_of(x.grad()).finite());
  }
  CHECK(census_of(x + infinity).infinite == 6);
  CHECK(census_of(exp(x) * -infinity).infinite == 6);
  CHECK(census_of(infinity / exp(x)).infinite == 6);
  CHECK(census_of(clamp(x, infinity, {})).infinite == 6);
  CHECK(census_of(x + numbers({infinity, 1.0, 1.0})).infinite == 2);
  // A NaN never passes, and an infinity from nowhere neither.
  CHECK_THROWS_AS(x * infinity, AnomalyError);  // 0·inf
  CHECK_THROWS_AS(scores - scores, AnomalyError);
  CHECK_THROWS_AS(exp(x * 1e6), AnomalyError);
  CHECK_THROWS_AS(1.0 / x, AnomalyError);
}

TEST_CASE("backward: the gradient of which input of which op, what arrived and what the op kept") {
  const Variable x = leaf({4.0, 0.0, 1.0});
  const std::string at = line(__LINE__ + 1);
  const Variable y = sqrt(x);  // recorded before the guard
  const Variable loss = sum(y * 3.0);
  const DetectAnomaly guard;
  check_parts(message_of<AnomalyError>([&] { loss.backward(); }),
              {"backward: the gradient of input 0 of sqrt at ", at,
               "has 1 infinite among 3 elements, the first at [1]",
               "what arrives is float64 [3], 3", "its output is float64 [3], from 0 to 2"});
  CHECK(!x.grad().defined());
}

TEST_CASE("a module's ops are told with the path, the layer's line and the caller's") {
  Sequential model{Identity{}, Sequential{ReLU{}, Logarithm{}}};
  const Variable x = leaf({0.0, 1.0});
  const auto& layer = dynamic_cast<Logarithm&>(dynamic_cast<Sequential&>(model[1])[1]);
  std::string at;
  {
    const DetectAnomaly guard;
    const auto call = [&] {
      at = line(__LINE__ + 1);
      model(x);
    };
    const std::string message = message_of<AnomalyError>(call);
    check_parts(message, {"log: ", line(layer.last_line) + ", called at ", at, "[in 1.1]"});
  }
  at = line(__LINE__ + 1);
  const Variable y = model(x);
  Sequential moved = std::move(model);  // the names are asked for later
  const DetectAnomaly guard;
  const std::string of_log = "of log in 1.1, ";
  check_parts(message_of<AnomalyError>([&] { sum(exp(y)).backward(); }),
              {of_log, line(layer.last_line) + ", called at ", at});
}

TEST_CASE("an op of one's own, with several outputs too") {
  struct Halves final : MultiOp {
    std::vector<Tensor> forward(const Variable& x) {
      return {x.value() * 0.5, core::log(x.value())};
    }
    Variables backward_all(const Variables& grads) override { return {grads[0] / 0.0}; }
  };
  const Variable x = leaf({0.0, 1.0});
  const Variable fine = leaf({1.0, 2.0});
  const DetectAnomaly guard;
  check_parts(
      message_of<AnomalyError>([&] { record(Halves(), x); }),
      {"Halves: the forward pass gives 1 infinite among 2 elements, the first at [0] of output 1",
       "anomaly_test.cpp:"});
  const std::string at = line(__LINE__ + 1);
  const Variable y = record(Halves(), fine)[0];
  check_parts(message_of<AnomalyError>([&] { sum(y).backward(); }),
              {"the gradient of input 0 of Halves at", at, "2 infinite"});
  check_parts(message_of<AnomalyError>([&] { stack({x, x / 0.0}); }), {"div_scalar: "});
}

TEST_CASE("ops that are not recorded are checked as well") {
  const DetectAnomaly guard;
  const NoGrad no_tape;
  check_parts(message_of<AnomalyError>([] { log(numbers({0.0})); }), {"log: ", "1 infinite"});
}

TEST_CASE("hooks, seeds and sums of gradients") {
  const Variable x = leaf({1.0, 2.0});
  const DetectAnomaly guard;
  const std::string at = line(__LINE__ + 1);
  const Variable y = exp(x);
  HookHandle hook =
      y.register_hook([](const Variable& grad) { return Variable(core::log(grad.value() * 0.0)); });
  check_parts(message_of<AnomalyError>([&] { sum(y).backward({.retain_graph = true}); }),
              {"backward: a hook's gradient of exp at", at, "2 infinite"});
  hook.remove();
  check_parts(message_of<AnomalyError>([&] {
                y.backward(numbers({1.0, not_a_number}), {.retain_graph = true});
              }),
              {"backward: the seed of exp at", at, "1 NaN among 2 elements, the first at [1]"});
  const Variable z = x * 1e-6;
  check_parts(message_of<AnomalyError>([&] { (sum(z * 1e308) + sum(z * 1.1e308)).backward(); }),
              {"backward: the sum over all uses of scale at", "2 infinite"});
  const std::string of_leaf = line(__LINE__ + 1);
  const Variable w(numbers({1e-6, 1e-6}), true);
  w.set_grad(numbers({1e308, 1e308}));
  check_parts(message_of<AnomalyError>([&] { sum(w * 1.7e308).backward(); }),
              {"several passes, added up in grad() of a leaf, float64 [2] made at", of_leaf});
}

TEST_CASE("guards nest, and are off again behind their end") {
  CHECK(!detects_anomaly());
  const Variable zero = numbers({0.0});
  {
    const DetectAnomaly on;
    CHECK(detects_anomaly());
    {
      const DetectAnomaly off(false);
      CHECK(!detects_anomaly());
      CHECK(std::isinf(log(zero).item()));
      const DetectAnomaly on_again;
      CHECK_THROWS_AS(log(zero), AnomalyError);
    }
    CHECK_THROWS_AS(log(zero), AnomalyError);
  }
  CHECK(!detects_anomaly());
  CHECK(std::isinf(log(zero).item()));
}

TEST_CASE("a guard is of its own thread") {
  const DetectAnomaly guard;
  bool there = true;
  double value = 0;
  std::thread other([&] {
    there = detects_anomaly();
    value = log(numbers({0.0})).item();
  });
  other.join();
  CHECK(!there);
  CHECK(std::isinf(value));
}

TEST_CASE("GRADUS_ANOMALY=1 turns it on in all threads of a process") {
  // This very program again, as a child that runs the test below alone.
  const std::vector<std::pair<const char*, int>> settings{{"1", 0}, {"0", 1}, {"", 1}};
  for (const std::pair<const char*, int>& each : settings) {
    const char* const setting = each.first;
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::setenv("GRADUS_ANOMALY", setting, 1);
      ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
      ::execl("/proc/self/exe", "test_autograd", "--no-skip", "--minimal",
              "--test-case=child of GRADUS_ANOMALY", nullptr);
      ::_exit(127);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CAPTURE(setting);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == each.second);
  }
}

TEST_CASE("child of GRADUS_ANOMALY" * doctest::skip()) {
  std::thread other([] { CHECK_THROWS_AS(log(numbers({0.0})), AnomalyError); });
  other.join();
  CHECK_THROWS_AS(log(numbers({0.0})), AnomalyError);
  const DetectAnomaly off(false);
  CHECK(std::isinf(log(numbers({0.0})).item()));
}
