// why(): first what x tells by itself, then a walk from the loss. A zero or a NaN entered at the ops
// to which a gradient came without it and left with it, towards x; what an op kept tells the reason.
#include <gradus/autograd/anomaly.h>
#include <gradus/autograd/engine.h>
#include <gradus/autograd/op.h>
#include <gradus/autograd/profile.h>
#include <gradus/autograd/why.h>
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/math.h>

#include <algorithm>
#include <functional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace gradus {
namespace {

// ---- what an op kept, and what that explains ----

Tensor kept_input(const Node& node, std::size_t input) {
  for (const KeptNumbers& kept : node.kept)
    if (kept.what == nullptr && kept.input == input) return kept.numbers;
  return {};
}

Tensor kept_output(const Node& node) {
  for (const KeptNumbers& kept : node.kept)
    if (kept.what != nullptr && std::string_view(kept.what) == "output") return kept.numbers;
  return {};
}

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Is y = a·b in some sense, so that the gradient of one is made of the other?
bool is_product(std::string_view name) {
  return is_one_of(
      name, {"mul", "matmul", "linear", "conv2d", "conv2d_input_grad", "conv2d_weight_grad"});
}

/// How many outputs of a squashing function lie so far out that its slope is 0.
std::int64_t saturated(std::string_view name, const Tensor& y) {
  const Tensor slope = name == "tanh" ? 1 - y * y : y * (1 - y);
  return census_of(slope).zero;
}

/// Why `node` made zeros of the gradient `arrived`, for its input `i`.
std::string reason_of_zero(const Node& node, std::size_t i, const Census& arrived) {
  const std::string_view name = node.name;
  const Census y = census_of(kept_output(node));
  const Census x = census_of(kept_input(node, 0));
  if (is_one_of(name, {"relu", "add", "linear", "conv2d"}) && y.zero > 0) {
    if (y.all_zero()) {
      return text_of(
          "a dead relu: none of its ", y.count,
          " inputs is positive; a smaller learning rate, another initialisation or batch "
          "norm keeps it alive");
    }
    return text_of("its relu has ", y.zero, " of ", y.count,
                   " inputs that are not positive, and the gradient arrives at these alone");
  }
  if (is_one_of(name, {"sigmoid", "tanh", "softmax"})) {
    if (name == "softmax" && arrived.least == arrived.greatest)
      return "softmax adds up to 1 whatever its input, and the gradient that arrives is the same "
             "for each element";
    return text_of("saturated: ", saturated(name, kept_output(node)), " of ", y.count,
                   " outputs lie where its slope is 0; smaller inputs keep it alive");
  }
  if (is_one_of(name, {"cross_entropy", "log_softmax"}))
    return "saturated: the label has probability 1 already, and nothing is left to learn";
  if (name == "scale") return "it multiplies by the number 0";
  if (name == "exp" && y.zero > 0)
    return text_of("underflow: ", y.zero, " of ", y.count, " outputs are 0");
  if (name == "clamp") {
    return text_of("no input lies within its bounds where a gradient arrives: they go from ",
                   x.least, " to ", x.greatest);
  }
  if (is_one_of(name, {"maximum", "minimum"}))
    return "it never took this input: the other one won everywhere";
  if (name == "where") return "its condition never takes this input";
  if (name == "abs") return text_of(x.zero, " of ", x.count, " inputs are 0, where its slope is 0");
  if (is_one_of(name, {"pow", "pow_scalar"}))
    return x.zero > 0 ? text_of(x.zero, " of ", x.count, " bases are 0") : "the exponent is 0";
  if (name == "div" && i == 1) return "its numerator is 0";
  if (is_one_of(name, {"cat", "slice_scatter", "index_add", "scatter_add"}))
    return "no gradient arrives in the part that this input takes: what stands behind never chose "
           "it";
  if (is_product(name) && i < 2) {
    const Census other = census_of(kept_input(node, 1 - i));
    if (other.zero > 0) {
      return text_of("its input ", 1 - i, " is 0 in ", other.zero, " of ", other.count,
                     " elements (a mask? dropout with p = 1 gives one, weights of 0 do)");
    }
  }
  return "its derivative gives 0 here";
}

/// Why `node` made NaN or infinities of the gradient that arrived, for its input `i`.
std::string reason_of_bad(const Node& node, std::size_t i) {
  const std::string_view name = node.name;
  const Census y = census_of(kept_output(node));
  const Census x = census_of(kept_input(node, 0));
  const auto of = [](std::int64_t some, const Census& all) {
    return text_of(some, " of ", all.count);
  };
  if (name == "log" && x.zero + x.negative > 0) {
    return text_of(of(x.zero + x.negative, x),
                   " inputs are 0 or negative; add a small eps, or clamp, before it");
  }
  if (name == "sqrt" && y.zero > 0) {
    return text_of(of(y.zero, y),
                   " roots are 0, where the slope is infinite; add an eps under the root");
  }
  if (name == "sqrt") return "a root of a negative number; clamp before it";
  if (is_one_of(name, {"div", "scalar_div"})) {
    const Census divisor = name == "div" ? census_of(kept_input(node, 1)) : x;
    if (divisor.zero > 0)
      return text_of(of(divisor.zero, divisor), " divisors are 0; add an eps to the divisor");
  }
  if (name == "div_scalar") return "it divides by the number 0";
  if (is_one_of(name, {"pow", "pow_scalar"})) {
    if (x.negative > 0)
      return text_of(of(x.negative, x), " bases are negative; take abs() or clamp before it");
    if (x.zero > 0)
      return text_of(of(x.zero, x), " bases are 0, where the slope is infinite; add an eps");
  }
  if (name == "exp" && y.infinite > 0) {
    return text_of(
        "overflow: ", of(y.infinite, y),
        " outputs are infinite; logsumexp, softmax and log_softmax do without these, clamp "
        "bounds them");
  }
  if (is_product(name) && i < 2) {
    const Tensor other = kept_input(node, 1 - i);
    if (!census_of(other).finite())
      return text_of("its input ", 1 - i, " is ", census_text(other), ", and 0·inf is NaN");
  }
  if (name == "scale") return "the product leaves the range of its dtype";
  for (const KeptNumbers& kept : node.kept) {
    if (!census_of(kept.numbers).finite())
      return text_of("it kept ", census_text(kept.numbers), " from the forward pass");
  }
  return "its derivative gives that here; DetectAnomaly tells the numbers";
}

// ---- what x tells by itself ----

std::string as_a_sentence(const Census& grad) {
  if (!grad.finite())
    return (grad.nan > 0 ? "NaN in the gradient: " : "infinite gradient: ") + bad_text(grad);
  if (grad.count == 0) return "a gradient without elements, like its value";
  if (grad.all_zero())
    return text_of("zero gradient: all ", grad.count, " elements of grad() are 0");
  return text_of("a gradient, and it is fine: norm ", grad.norm, ", from ", grad.least, " to ",
                 grad.greatest);
}

/// Empty where x may have a gradient.
std::string what_forbids(const Variable& x) {
  if (!x.defined()) return "no gradient: the Variable is undefined; it was never given a value";
  if (x.requires_grad()) return {};
  if (!is_floating(x.dtype())) {
    return text_of(
        "no gradient: it is ", describe(x.value()),
        ", and only float32 and float64 have gradients; an argmax, an index or a comparison "
        "cuts the way");
  }
  if (x.origin() == nullptr)
    return "no gradient: it is a constant; requires_grad_() before the forward pass makes it a "
           "leaf";
  const char* remedy = "";
  switch (x.origin()->cut) {
    case Origin::Cut::detach:
      remedy = "; use the Variable itself where its gradient shall pass";
      break;
    case Origin::Cut::no_grad:
      remedy = "; end the guard before";
      break;
    case Origin::Cut::frozen:
      remedy = "; requires_grad_() before the forward pass lets it learn again";
      break;
    case Origin::Cut::no_create_graph:
      remedy = "; pass that to differentiate a gradient";
      break;
  }
  return "no gradient: it is a constant, " + x.origin()->text() + remedy;
}

bool keeps_gradient(const Variable& x) { return x.is_leaf() || !x.node()->keep.expired(); }

std::string not_kept(const Variable& x) {
  return "no gradient: it is the result of " + x.node()->text() +
         ", and results keep none; call retain_grad() on it before backward()";
}

// ---- the tape ----

/// Watches a backward pass: what came to each op, and what left.
class Onlooker final : public detail::Watcher {
 public:
  struct Pass {
    Census arrived;
    std::vector<Census> left;  // for each input; of an undefined one nothing
  };
  std::unordered_map<const Node*, Pass> passes{};

  void called(std::unique_ptr<detail::Replay>, const Variable&) override {}
  void before_backward(const Node& node, const Variable& gradient) override {
    passes[&node].arrived = census_of(gradient);
  }
  void after_backward(const Node& node, const Variables& gradients) override {
    for (const Variable& each : gradients) passes[&node].left.push_back(census_of(each));
  }
};

using Nodes = std::unordered_set<const Node*>;

/// Of `tape`, oldest first, what lies on a way from x to the loss, both included.
Nodes ways_to(const Node* x, const std::vector<Node*>& tape) {
  Nodes found{x};
  for (const Node* node : tape) {
    for (const auto& input : node->inputs)
      if (input != nullptr && found.contains(input.get())) found.insert(node);
  }
  return found;
}

/// What cut the way from x to the loss, which is not on one tape; empty where nothing is known to.
/// Behind a cut the search goes on, where that tape still lives.
std::string cut_between(const Variable& x, const Variable& loss) {
  struct Step {
    std::shared_ptr<Node> node;
    std::string cut;  // the first on the way
  };
  std::vector<Step> open{{loss.node(), ""}};
  std::string found;
  std::string lost;  // a cut behind which nothing lives any more
  const auto follow = [&](const Origin& origin, const std::string& cut) {
    const auto& sources = origin.sources;
    if (std::find(sources.begin(), sources.end(), x.node()->number) != sources.end() &&
        found.empty())
      found = cut + "; use what is not cut off, or record that op";
    if (!origin.has_result) return;
    std::shared_ptr<Node> behind = origin.result.lock();
    if (behind == nullptr) lost = cut;
    open.push_back({std::move(behind), cut});
  };
  if (loss.origin() != nullptr) follow(*loss.origin(), loss.origin()->text());
  Nodes seen{nullptr};
  const std::byte* const memory = x.value().storage().data();
  for (std::size_t k = 0; k < open.size() && found.empty(); ++k) {
    const Step step = open[k];
    if (!seen.insert(step.node.get()).second) continue;
    if (step.node == x.node()) return step.cut + "; use what is not cut off, or record that op";
    for (const auto& input : step.node->inputs) open.push_back({input, step.cut});
    for (const ConstantInput& constant : step.node->constants) {
      if (constant.origin != nullptr) {
        follow(*constant.origin, step.cut.empty()
                                     ? text_of(constant.origin->text(), ", and ", step.node->text(),
                                               " took what was left as a constant")
                                     : step.cut);
      } else if (constant.memory == memory && step.node->number > x.node()->number) {
        return text_of(step.node->text(), " takes its numbers as a constant, its input ",
                       constant.input, ", through value() or a Tensor; pass the Variable itself");
      }
    }
  }
  if (!found.empty() || lost.empty()) return found;
  return "the way may have been cut, but what lay there is gone by now: " + lost;
}

using Question = std::function<bool(const Census&)>;

/// The answers of all ops, from the loss down, that gave what is asked for towards x, of a gradient that
/// was not so; and of the results whose gradients became so when they were added up.
std::vector<std::string> entries(
    const std::vector<Node*>& tape, const Nodes& ways, const Onlooker& seen, const Node* x,
    const Census& found, const Question& is_bad, std::string_view what,
    const std::function<std::string(const Node&, std::size_t, const Census&)>& reason) {
  std::vector<std::string> all;
  std::unordered_map<const Node*, bool> came_well;  // did a gradient that was not so come here?
  for (auto it = tape.rbegin(); it != tape.rend(); ++it) {
    const Node& node = **it;
    const auto pass = seen.passes.find(&node);
    const bool ran = pass != seen.passes.end();
    if (!ways.contains(&node) || !(ran || &node == x)) continue;
    const Census& arrived = &node == x ? found : pass->second.arrived;
    if (is_bad(arrived)) {
      if (came_well.contains(&node))
        all.push_back(text_of("the gradients of all uses of ", node.text(), " add up to ", what));
      continue;
    }
    for (std::size_t i = 0; ran && &node != x && i < node.inputs.size(); ++i) {
      const Node* input = node.inputs[i].get();
      if (input == nullptr || !ways.contains(input)) continue;
      const Census& left = pass->second.left[i];
      if (!is_bad(left)) {
        if (left.count > 0) came_well[input] = true;
        continue;
      }
      all.push_back(text_of(node.text(), " gives ", what, " for its input ", i,
                            ", of a gradient of norm ", arrived.norm, ": ",
                            reason(node, i, arrived)));
    }
  }
  return all;
}

std::string joined_entries(const std::vector<std::string>& all, const char* otherwise) {
  if (all.empty()) return otherwise;
  std::string text = all[0];
  for (std::size_t k = 1; k < std::min<std::size_t>(all.size(), 3); ++k)
    text += "; on another way, " + all[k];
  return all.size() > 3 ? text + text_of("; and ", all.size() - 3, " more") : text;
}

/// Forward was it already? The oldest op that kept such numbers tells.
std::string bad_forward(const std::vector<Node*>& tape) {
  for (const Node* node : tape) {
    for (const KeptNumbers& kept : node->kept) {
      const Census census = census_of(kept.numbers);
      if (census.finite()) continue;
      const std::string where = kept.what == nullptr ? text_of("input ", kept.input, " of ")
                                                     : text_of("the ", kept.what, " of ");
      std::string from;
      if (kept.what == nullptr && kept.input < node->inputs.size()) {
        const auto& input = node->inputs[kept.input];
        from = input == nullptr ? ", a constant,"
               : input->is_leaf ? ", a leaf,"
                                : ", the result of " + input->text() + ",";
      }
      return "; forward already " + where + node->text() + from + " has " + bad_text(census);
    }
  }
  return {};
}

std::string after_freeing(const Variable& x) {
  const std::string rest =
      "the graph was freed by an earlier backward(): what happened on it can no longer be told; "
      "ask "
      "before backward(), or after backward({.retain_graph = true})";
  if (!keeps_gradient(x)) return not_kept(x) + "; " + rest;
  if (!x.grad().defined())
    return "no gradient: it was dropped by zero_grad(), or the graph was freed by grad(), which "
           "stores none; " +
           rest;
  const Census grad = census_of(x.grad());
  if (grad.finite() && !grad.all_zero()) return as_a_sentence(grad);
  return as_a_sentence(grad) + "; " + rest;
}

/// The loss depends on x, and backward can run: what would come of it?
std::string after_a_look(const Variable& x, const Variable& loss, const std::vector<Node*>& tape,
                         const Nodes& ways) {
  Onlooker seen;
  Variable found;
  try {
    const DetectAnomaly off(false);
    const Profiler events_of_its_own;
    const detail::WatchedBy watched(&seen);
    found = run_backward({loss}, {ones_like(loss.value())}, {x}, {.retain_graph = true}, false)[0];
  } catch (const Error& error) {
    return text_of("no gradient: backward() would throw: ", error.what());
  }
  const Census census = census_of(found);
  const auto look = [&](const Question& is_bad, std::string_view what, const auto& reason,
                        const char* otherwise) {
    return joined_entries(entries(tape, ways, seen, x.node().get(), census, is_bad, what, reason),
                          otherwise);
  };
  if (!found.defined()) {
    return "no gradient: " +
           look([](const Census& c) { return c.count == 0; }, "none",
                [](const Node&, std::size_t, const Census&) {
                  return std::string("its backward() returns an undefined Variable");
                },
                "an op on the way returns an undefined one");
  }
  if (!census.finite()) {
    const std::string what = census.nan > 0 ? "NaN" : "infinities";
    return (census.nan > 0 ? "NaN in the gradient: " : "infinite gradient: ") +
           look([](const Census& c) { return !c.finite(); }, what,
                [](const Node& node, std::size_t i, const Census&) {
                  return reason_of_bad(node, i);
                },
                "it came with the loss") +
           bad_forward(tape);
  }
  if (census.all_zero())
    return "zero gradient: " + look([](const Census& c) { return c.all_zero(); }, "0",
                                    reason_of_zero, "no op on the way tells why");
  if (!keeps_gradient(x)) return not_kept(x);
  std::string hooks;
  for (const Node* node : tape)
    if (ways.contains(node) && !node->hooks.empty())
      hooks = "; a hook on the way, which was not run here, may change that";
  if (!x.grad().defined()) {
    return text_of("no gradient yet: backward() on this loss would give it one of norm ",
                   census.norm, "; it was not called, or zero_grad() came after", hooks);
  }
  const Census grad = census_of(x.grad());
  const std::string own = as_a_sentence(grad);
  if (grad.finite() && !grad.all_zero()) return own + hooks;
  return text_of(own, "; but this loss alone gives one of norm ", census.norm,
                 ": another backward() or set_grad() put it there", hooks);
}

}  // namespace

std::string why(const Variable& x) {
  if (std::string no = what_forbids(x); !no.empty()) return no;
  if (!keeps_gradient(x)) return not_kept(x);
  if (x.grad().defined()) {
    const Census grad = census_of(x.grad());
    const bool fine = grad.finite() && !grad.all_zero();
    return as_a_sentence(grad) +
           (fine ? "" : "; why(x, loss), before backward(), finds where that came from");
  }
  return "no gradient: no backward() has reached it yet, or zero_grad() dropped it; why(x, loss) "
         "looks "
         "at the way from a loss";
}

std::string why(const Variable& x, const Variable& loss) {
  if (std::string no = what_forbids(x); !no.empty()) {
    for (const Node* node : x.defined() ? nodes_of(loss) : std::vector<Node*>()) {
      for (const ConstantInput& constant : node->constants)
        if (constant.memory == x.value().storage().data())
          return no + "; " + node->text() + " takes it as a constant";
    }
    return no;
  }
  if (!loss.defined()) return "no gradient: the loss is undefined";
  const std::vector<Node*> tape = nodes_of(loss);
  const Nodes ways = ways_to(x.node().get(), tape);
  if (!loss.requires_grad() || !ways.contains(loss.node().get())) {
    if (const std::string cut = cut_between(x, loss); !cut.empty()) return "no gradient: " + cut;
    if (!loss.requires_grad())
      return "no gradient: the loss is a constant, it depends on nothing that requires a gradient";
    return text_of("no gradient: the loss does not depend on it: none of the ", tape.size(),
                   " nodes of its tape, which ends with ", loss.node()->text(), ", uses it");
  }
  for (const Node* node : tape)
    if (!node->is_leaf && node->op == nullptr) return after_freeing(x);
  return after_a_look(x, loss, tape, ways);
}

}  // namespace gradus
