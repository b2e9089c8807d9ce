// why(): a table of situations, each with what the answer must name: the reason, the op, the line of
// this file where it was called.
#include <doctest/doctest.h>
#include <gradus/autograd/functions.h>
#include <gradus/autograd/op.h>
#include <gradus/autograd/profile.h>
#include <gradus/autograd/why.h>
#include <gradus/core/create.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/sequential.h>
#include <gradus/layers/shape.h>

#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "support/error_message.h"

using namespace gradus;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

Variable leaf(const NestedList& values) { return {Tensor::from(values, float64), true}; }
Tensor numbers(const NestedList& values) { return Tensor::from(values, float64); }
/// A line of this file, as an answer names it.
std::string line(int number) { return "why_test.cpp:" + std::to_string(number); }

struct Question {
  Variable x;
  std::optional<Variable> loss;
  std::vector<std::string> parts;   ///< of the answer
  std::shared_ptr<Module> model{};  ///< stays alive
};

struct Situation {
  const char* name;
  std::function<Question()> build;
};

/// Where nothing need be on a tape.
std::vector<Situation> of_one_variable() {
  return {
      {"undefined",
       [] {
         return Question{{}, {}, {"no gradient", "undefined"}};
       }},
      {"an index",
       [] {
         const Variable x = leaf({1.0, 3.0, 2.0});
         return Question{core::argmax(x.value()), {}, {"no gradient", "int64 []", "argmax"}};
       }},
      {"a comparison",
       [] {
         return Question{Variable(numbers({1.0, 2.0}) > 1.5), {}, {"no gradient", "bool [2]"}};
       }},
      {"a constant",
       [] {
         return Question{numbers({1.0}), {}, {"no gradient", "a constant", "requires_grad_()"}};
       }},
      {"frozen",
       [] {
         const Variable x = leaf({1.0});
         const std::string at = line(__LINE__ + 1);
         x.requires_grad_(false);
         return Question{x, {}, {"no gradient", "requires_grad_(false) at", at, "froze it"}};
       }},
      {"detached",
       [] {
         const Variable y = exp(leaf({1.0}));
         const std::string at = line(__LINE__ + 1);
         const Variable x = y.detach();
         return Question{x, {}, {"no gradient", "detach() at", at}};
       }},
      {"made of what was detached",
       [] {
         const std::string at = line(__LINE__ + 1);
         const Variable y = leaf({1.0}).detach();
         return Question{exp(y) * 2.0, {}, {"no gradient", "detach() at", at}};
       }},
      {"made under NoGrad",
       [] {
         const Variable w = leaf({1.0});
         Variable y;
         std::string guard;
         std::string call;
         {
           guard = line(__LINE__ + 1);
           const NoGrad no_tape;
           call = line(__LINE__ + 1);
           y = exp(w);
         }
         return Question{y + 1.0, {}, {"no gradient", "exp at", call, "NoGrad of", guard}};
       }},
      {"a gradient that was not recorded",
       [] {
         const Variable x = leaf({1.0});
         const std::string at = line(__LINE__ + 1);
         const Variable slope = grad({exp(x)}, {x})[0];
         return Question{slope, {}, {"no gradient", "grad() at", at, "create_graph"}};
       }},
      {"a gradient that was recorded, of what is linear",
       [] {
         const Variable x = leaf({1.0});
         const Variable slope = grad({x * 3.0}, {x}, {}, {.create_graph = true})[0];
         return Question{slope, {}, {"no gradient: it is a constant; requires_grad_()"}};
       }},
      {"a leaf before any backward",
       [] {
         return Question{leaf({1.0}), {}, {"no gradient", "no backward() has reached it"}};
       }},
      {"a result without retain_grad",
       [] {
         const Variable x = leaf({1.0});
         const std::string at = line(__LINE__ + 1);
         const Variable y = exp(x);
         sum(y).backward();
         return Question{y, {}, {"no gradient", "the result of exp at", at, "retain_grad()"}};
       }},
      {"fine",
       [] {
         const Variable x = leaf({3.0, 4.0});
         sum(x * x * 0.5).backward();
         return Question{x, {}, {"a gradient", "fine", "norm 5,", "from 3 to 4"}};
       }},
      {"zero, and nobody knows any more",
       [] {
         const Variable x = leaf({-3.0, -4.0});
         sum(relu(x)).backward();
         return Question{x, {}, {"zero gradient", "all 2 elements", "why(x, loss)"}};
       }},
      {"NaN, and nobody knows any more",
       [] {
         const Variable x = leaf({0.0, 4.0});
         (sum(sqrt(x)) * 0.0).backward();
         return Question{x, {}, {"NaN in the gradient: 1 NaN among 2 elements, the first at [0]"}};
       }},
  };
}

std::vector<Situation> of_cut_ways() {
  return {
      {"detach on the way",
       [] {
         const Variable x = leaf({1.0, 2.0});
         const Variable w = leaf({1.0, 2.0});
         const std::string at = line(__LINE__ + 1);
         const Variable h = exp(x).detach();
         const std::string user = line(__LINE__ + 1);
         const Variable loss = sum(h + w);
         return Question{x, loss, {"no gradient", "detach() at", at, "add at", user}};
       }},
      {"two cuts: the one next to the loss is named",
       [] {
         const Variable x = leaf({1.0});
         const Variable w = leaf({1.0});
         const Variable middle = x.detach() * w;
         const std::string at = line(__LINE__ + 1);
         const Variable end = middle.detach();
         return Question{x, sum(end * w), {"no gradient", "detach() at", at}};
       }},
      {"NoGrad on the way",
       [] {
         const Variable x = leaf({1.0});
         const Variable w = leaf({1.0});
         Variable h;
         std::string call;
         {
           const NoGrad no_tape;
           call = line(__LINE__ + 1);
           h = x * 2.0;
         }
         return Question{x, h * w, {"no gradient", "scale at", call, "NoGrad"}};
       }},
      {"the whole loss under NoGrad",
       [] {
         const Variable x = leaf({1.0});
         const std::string guard = line(__LINE__ + 1);
         const NoGrad no_tape;
         return Question{x, sum(x * x), {"no gradient", "mul at", "NoGrad of", guard}};
       }},
      {"value() used, by an op that keeps nothing",
       [] {
         const Variable x = leaf({1.0});
         const Variable w = leaf({1.0});
         const std::string at = line(__LINE__ + 1);
         const Variable loss = w + x.value();
         return Question{x, loss, {"no gradient", "add at", at, "as a constant", "input 1"}};
       }},
      {"not there at all",
       [] {
         const Variable x = leaf({1.0});
         const Variable w = leaf({1.0});
         const std::string at = line(__LINE__ + 1);
         const Variable loss = exp(w);
         return Question{x, loss, {"no gradient", "does not depend on it", "exp at", at}};
       }},
      {"the loss is made of constants",
       [] {
         const Variable x = leaf({1.0});
         return Question{x, sum(numbers({1.0})), {"no gradient", "the loss is a constant"}};
       }},
      {"an argmax on the way",
       [] {
         const Variable x = leaf({1.0, 2.0});
         const Variable loss = sum(core::argmax(x.value()).to(float64));
         return Question{x, loss, {"no gradient", "the loss is a constant"}};
       }},
      {"frozen after it was used",
       [] {
         const Variable x = leaf({1.0});
         const Variable loss = exp(x);
         const std::string at = line(__LINE__ + 1);
         x.requires_grad_(false);
         return Question{x, loss, {"no gradient", "requires_grad_(false) at", at}};
       }},
      {"a constant that the loss uses",
       [] {
         const Variable x = numbers({1.0});
         const std::string at = line(__LINE__ + 1);
         const Variable loss = leaf({1.0}) * x;
         return Question{x, loss, {"no gradient", "a constant", "mul at", at}};
       }},
      {"what was cut off is gone",
       [] {
         const Variable x = leaf({1.0});
         const std::string at = line(__LINE__ + 1);
         const Variable h = exp(x * 3.0).detach();
         const Variable loss = h * leaf({1.0});
         return Question{x, loss, {"no gradient", "may have been cut", "detach() at", at}};
       }},
      {"the graph was freed",
       [] {
         const Variable x = leaf({1.0});
         const Variable loss = sum(exp(x));
         loss.backward();
         x.zero_grad();
         return Question{x, loss, {"no gradient", "zero_grad()", "freed", "retain_graph"}};
       }},
      {"zero, and the graph was freed",
       [] {
         const Variable x = leaf({-1.0});
         const Variable loss = sum(relu(x));
         loss.backward();
         return Question{x, loss, {"zero gradient", "freed", "ask before backward()"}};
       }},
      {"fine, and the graph was freed",
       [] {
         const Variable x = leaf({2.0});
         const Variable loss = sum(x * 3.0);
         loss.backward();
         return Question{x, loss, {"a gradient", "fine", "norm 3"}};
       }},
      {"backward was not called yet",
       [] {
         const Variable x = leaf({2.0});
         return Question{x, sum(x * 3.0), {"no gradient yet", "norm 3", "not called"}};
       }},
      {"a result that keeps none",
       [] {
         const Variable x = leaf({2.0});
         const std::string at = line(__LINE__ + 1);
         const Variable y = x * 3.0;
         return Question{y, sum(y), {"no gradient", "scale at", at, "retain_grad()"}};
       }},
      {"backward would throw",
       [] {
         const Variable x = leaf({2.0});
         const Variable loss = sum(x * x);
         x.value().fill_(1);
         return Question{x, loss, {"no gradient", "would throw", "mul kept its input 0"}};
       }},
      {"an op of one's own forgets an input",
       [] {
         struct Forgetful final : Op {
           Tensor forward(const Variable& a, const Variable&) { return a.value().clone(); }
           Variables backward(const Variable& dy) override { return {dy, {}}; }
         };
         const Variable x = leaf({2.0});
         const std::string at = line(__LINE__ + 1);
         const Variable loss = record(Forgetful(), leaf({1.0}), x);
         return Question{x, loss, {"no gradient", "Forgetful at", at, "input 1", "undefined"}};
       }},
      {"a zero of another backward",
       [] {
         const Variable x = leaf({2.0});
         sum(x * 0.0).backward();
         return Question{x, sum(x * 3.0), {"zero gradient", "this loss alone gives one of norm 3"}};
       }},
      {"a hook on the way",
       [] {
         const Variable x = leaf({2.0});
         const Variable y = x * 3.0;
         y.register_hook([](const Variable&) -> Variable { throw std::runtime_error("ran"); });
         return Question{x, sum(y), {"no gradient yet", "norm 3", "hook"}};
       }},
  };
}

std::vector<Situation> of_zeros() {
  return {
      {"a dead relu",
       [] {
         const Variable x = leaf({-1.0, -2.0, 0.0});
         const std::string at = line(__LINE__ + 1);
         const Variable y = relu(x);
         return Question{
             x, sum(y * y + y), {"zero gradient", "relu at", at, "dead", "none of its 3"}};
       }},
      {"a relu that is dead where the gradient arrives",
       [] {
         const Variable x = leaf({-1.0, 2.0});
         const std::string at = line(__LINE__ + 1);
         const Variable y = relu(x);
         return Question{
             x, sum(narrow(y, 0, 0, 1)), {"zero gradient", "relu at", at, "1 of 2 inputs"}};
       }},
      {"a dead relu inside linear",
       [] {
         const Variable w = leaf({{-1.0, -2.0}});
         const std::string at = line(__LINE__ + 1);
         const Variable y = linear(numbers({{1.0, 1.0}}), w, {}, Activation::relu);
         return Question{w, sum(y), {"zero gradient", "linear at", at, "dead relu"}};
       }},
      {"a dead relu in a model",
       [] {
         const auto model =
             std::make_shared<Sequential>(Sequential{Identity{}, Linear{2, 3}, ReLU{}});
         Linear& layer = model->get<Linear>(1);
         layer.bias.value().fill_(-100);
         const std::string at = line(__LINE__ + 1);
         const Variable y = (*model)(ones({4, 2}));
         return Question{layer.weight,
                         sum(y),
                         {"zero gradient", "linear in 1, layers/linear.cpp:", at, "none of its 12"},
                         model};
       }},
      {"a dead relu in a model that is gone",
       [] {
         Sequential model{Identity{}, Linear{2, 3}, ReLU{}};
         Linear& layer = model.get<Linear>(1);
         layer.bias.value().fill_(-100);
         const std::string at = line(__LINE__ + 1);
         const Variable y = model(ones({4, 2}));
         return Question{
             layer.weight, sum(y), {"zero gradient", "linear at layers/linear.cpp:", at}};
       }},
      {"a mask",
       [] {
         const Variable x = leaf({1.0, 2.0});
         const std::string at = line(__LINE__ + 1);
         const Variable y = x * zeros({2}, float64);
         return Question{x, sum(y), {"zero gradient", "mul at", at, "its input 1 is 0 in 2 of 2"}};
       }},
      {"dropout of everything",
       [] {
         const Variable x = leaf({1.0, 2.0});
         Generator generator(1);
         const std::string at = line(__LINE__ + 1);
         const Variable y = dropout(x, 1.0, generator);
         return Question{x, sum(y), {"zero gradient", "mul at", at, "dropout with p = 1"}};
       }},
      {"a product with the number 0",
       [] {
         const Variable x = leaf({1.0, 2.0});
         const std::string at = line(__LINE__ + 1);
         const Variable y = x * 0.0;
         return Question{x, sum(y), {"zero gradient", "scale at", at, "by the number 0"}};
       }},
      {"a saturated sigmoid",
       [] {
         const Variable x = leaf({800.0, -800.0});
         const std::string at = line(__LINE__ + 1);
         const Variable y = sigmoid(x);
         return Question{x, sum(y), {"zero gradient", "sigmoid at", at, "saturated: 2 of 2"}};
       }},
      {"a saturated tanh",
       [] {
         const Variable x = leaf({40.0, -40.0});
         const std::string at = line(__LINE__ + 1);
         const Variable y = tanh(x);
         return Question{x, sum(y), {"zero gradient", "tanh at", at, "saturated: 2 of 2"}};
       }},
      {"a saturated softmax",
       [] {
         const Variable x = leaf({0.0, 900.0});
         const std::string at = line(__LINE__ + 1);
         const Variable y = softmax(x, 0);
         return Question{
             x, sum(y * numbers({1.0, 2.0})), {"zero gradient", "softmax at", at, "saturated"}};
       }},
      {"a sum over softmax",
       [] {
         const Variable x = leaf({0.0, 0.0});
         const std::string at = line(__LINE__ + 1);
         const Variable y = softmax(x, 0);
         return Question{x, sum(y), {"zero gradient", "softmax at", at, "adds up to 1"}};
       }},
      {"cross-entropy with nothing left to learn",
       [] {
         const Variable x = leaf({{0.0, 900.0}});
         const std::string at = line(__LINE__ + 1);
         const Variable loss = cross_entropy(x, Tensor::from({1}));
         return Question{x, loss, {"zero gradient", "cross_entropy at", at, "saturated"}};
       }},
      {"clamp",
       [] {
         const Variable x = leaf({5.0, 7.0});
         const std::string at = line(__LINE__ + 1);
         const Variable y = clamp(x, 0, 1);
         return Question{x, sum(y), {"zero gradient", "clamp at", at, "from 5 to 7"}};
       }},
      {"maximum took the other",
       [] {
         const Variable x = leaf({1.0, 2.0});
         const std::string at = line(__LINE__ + 1);
         const Variable y = maximum(x, numbers({3.0, 3.0}));
         return Question{x, sum(y), {"zero gradient", "maximum at", at, "never took this input"}};
       }},
      {"minimum took the other",
       [] {
         const Variable x = leaf({9.0, 9.0});
         const std::string at = line(__LINE__ + 1);
         const Variable y = minimum(x, numbers({3.0, 3.0}));
         return Question{x, sum(y), {"zero gradient", "minimum at", at, "never took this input"}};
       }},
      {"where took the other",
       [] {
         const Variable x = leaf({1.0, 2.0});
         const std::string at = line(__LINE__ + 1);
         const Variable y = where(numbers({1.0, 1.0}) > 0.0, numbers({3.0, 3.0}), x);
         return Question{x, sum(y), {"zero gradient", "where at", at, "never takes this input"}};
       }},
      {"max pooling never chose it",
       [] {
         const Variable x = leaf({{{{1.0, 2.0}}}});
         const std::string at = line(__LINE__ + 1);
         const Variable both = cat({x, numbers({{{{3.0, 4.0}}}})}, 2);
         return Question{x,
                         sum(max_pool2d(both, {.kernel_size = 2})),
                         {"zero gradient", "cat at", at, "never chose it"}};
       }},
      {"abs at 0",
       [] {
         const Variable x = leaf({0.0, 0.0});
         const std::string at = line(__LINE__ + 1);
         const Variable y = abs(x);
         return Question{x, sum(y), {"zero gradient", "abs at", at, "2 of 2 inputs are 0"}};
       }},
      {"a square at 0",
       [] {
         const Variable x = leaf({0.0, 0.0});
         const std::string at = line(__LINE__ + 1);
         const Variable y = pow(x, 2.0);
         return Question{x, sum(y), {"zero gradient", "pow_scalar at", at, "2 of 2 bases are 0"}};
       }},
      {"underflow",
       [] {
         const Variable x = leaf({-2000.0});
         const std::string at = line(__LINE__ + 1);
         const Variable y = exp(x);
         return Question{x, sum(y), {"zero gradient", "exp at", at, "underflow"}};
       }},
      {"weights of 0 behind it",
       [] {
         const Variable x = leaf({{1.0, 2.0}});
         const std::string at = line(__LINE__ + 1);
         const Variable y = matmul(x, zeros({2, 3}, float64));
         return Question{
             x, sum(y), {"zero gradient", "matmul at", at, "its input 1 is 0 in 6 of 6"}};
       }},
      {"zero further up",
       [] {
         const Variable x = leaf({1.0, 2.0});
         const Variable y = exp(x);
         const std::string at = line(__LINE__ + 1);
         const Variable z = y * 0.0;
         return Question{x, sum(z), {"zero gradient", "scale at", at}};
       }},
      {"two uses cancel",
       [] {
         const std::string at = line(__LINE__ + 1);
         const Variable x(numbers({1.0, 2.0}), true);
         return Question{x, sum(x - x), {"zero gradient", "all uses of", at, "add up to 0"}};
       }},
      {"two ways, both dead",
       [] {
         const Variable x = leaf({-1.0});
         return Question{x,
                         sum(relu(x) + x * 0.0),
                         {"zero gradient", "scale at", "; on another way, ", "relu at"}};
       }},
  };
}

std::vector<Situation> of_bad_numbers() {
  return {
      {"log of 0",
       [] {
         const Variable x = leaf({0.0, 1.0});
         const std::string at = line(__LINE__ + 1);
         const Variable y = log(x);
         return Question{
             x, sum(y), {"infinite gradient", "log at", at, "1 of 2 inputs are 0 or negative"}};
       }},
      {"the root of 0",
       [] {
         const Variable x = leaf({0.0, 1.0});
         const std::string at = line(__LINE__ + 1);
         const Variable y = sqrt(x);
         return Question{x, sum(y), {"infinite gradient", "sqrt at", at, "eps under the root"}};
       }},
      {"0/0",
       [] {
         const Variable x = leaf({0.0});
         const std::string at = line(__LINE__ + 1);
         const Variable y = x / numbers({0.0});
         return Question{
             x, y * 0.0, {"NaN in the gradient", "div at", at, "1 of 1 divisors are 0"}};
       }},
      {"0·inf",
       [] {
         const Variable x = leaf({1.0});
         const std::string at = line(__LINE__ + 1);
         const Variable y = x * numbers({infinity});
         return Question{x, y * 0.0 + x, {"NaN in the gradient", "mul at", at, "0·inf"}};
       }},
      {"overflow of exp",
       [] {
         const Variable x = leaf({900.0});
         const std::string at = line(__LINE__ + 1);
         const Variable y = exp(x);
         return Question{x, y, {"infinite gradient", "exp at", at, "overflow: 1 of 1"}};
       }},
      {"a power of a negative number",
       [] {
         const Variable x = leaf({-1.0, 1.0});
         const std::string at = line(__LINE__ + 1);
         const Variable y = pow(x, 0.5);
         return Question{
             x, sum(y), {"NaN in the gradient", "pow_scalar at", at, "1 of 2 bases are negative"}};
       }},
      {"forward already",
       [] {
         const Variable x = leaf({-1.0});
         const std::string at = line(__LINE__ + 1);
         const Variable y = log(x);
         return Question{
             x, exp(y), {"NaN in the gradient", "forward already the output of exp", "exp at"}};
       }},
      {"an op of one's own",
       [] {
         struct Broken final : Op {
           Tensor forward(const Variable& a) { return a.value().clone(); }
           Variables backward(const Variable& dy) override { return {dy / 0.0}; }
         };
         const Variable x = leaf({2.0});
         const std::string at = line(__LINE__ + 1);
         const Variable loss = record(Broken(), x);
         return Question{x, loss, {"infinite gradient", "Broken at", at}};
       }},
  };
}

std::string answer_to(const Question& question) {
  return question.loss ? why(question.x, *question.loss) : why(question.x);
}

}  // namespace

TEST_CASE("why() names the reason, the op and the line") {
  std::size_t situations = 0;
  for (const auto& table : {of_one_variable(), of_cut_ways(), of_zeros(), of_bad_numbers()}) {
    for (const Situation& situation : table) {
      CAPTURE(situation.name);
      const Question question = situation.build();
      const std::string answer = answer_to(question);
      CAPTURE(answer);
      CHECK(!contains(answer, "\n"));
      for (const std::string& part : question.parts) {
        CAPTURE(part);
        CHECK(contains(answer, part));
      }
      CHECK(answer_to(question) == answer);  // asking changes nothing
      ++situations;
    }
  }
  CHECK(situations >= 60);
}

TEST_CASE("why() changes nothing: no gradient, no tape, no hook, and asks no anomaly mode") {
  const Variable x = leaf({0.0, 4.0});
  const Variable y = sqrt(x);
  y.register_hook([](const Variable&) -> Variable { throw std::runtime_error("ran"); });
  x.set_grad(numbers({1.0, 2.0}));
  const Variable loss = sum(y);
  const DetectAnomaly guard;
  const Profiler profiler;
  CHECK(contains(why(x, loss), "infinite gradient"));
  CHECK(profiler.events().empty());
  CHECK(core::equal(x.grad().value(), numbers({1.0, 2.0})));
  CHECK_THROWS_WITH(loss.backward(), "ran");  // the graph is still there, and so is the hook
}

TEST_CASE("what tells of a cut keeps no tape alive and does not pile up") {
  const Variable w = leaf({1.0});
  std::weak_ptr<Node> tape;
  Variable h;
  {
    const Variable y = exp(w);
    tape = y.node();
    h = y.detach();
  }
  CHECK(tape.expired());
  for (int step = 0; step < 1000; ++step) h = (h * w).detach();
  REQUIRE(h.origin() != nullptr);
  CHECK(h.origin()->result.expired());
  {
    const NoGrad no_tape;
    for (int step = 0; step < 1000; ++step) h = h * 0.9 + w * 0.1;
  }
  CHECK(h.origin()->cut == Origin::Cut::detach);  // the first one
}

TEST_CASE("a way of a hundred thousand ops is walked without recursion") {
  const Variable x = leaf({1.0});
  Variable y = x * 0.0;
  for (int i = 0; i < 100'000; ++i) y = y + 1.0;
  CHECK(contains(why(x, y), "zero gradient: scale at"));
}
