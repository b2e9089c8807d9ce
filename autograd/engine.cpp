// loss.backward(), whole. Read this first.
//
// The tape is made of Nodes, numbered as they were recorded: an input is always older than an
// output. So nodes from the newest to the oldest are a topological order, each after everything that
// depends on it, without recursion. A node runs once, when the gradients of all its uses have been
// summed. A leaf's are when its oldest use has run: it does not wait for the rest of the tape, so that
// a hook may begin to send a late layer's gradient while those of early layers are still computed.
#include <gradus/autograd/anomaly.h>
#include <gradus/autograd/engine.h>
#include <gradus/autograd/functions.h>
#include <gradus/autograd/op.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <unordered_set>

namespace gradus {
namespace {

struct Step {
  std::uint64_t turn;     // the highest runs first: a node's own number, a leaf's oldest use's
  Variable gradient{};    // the sum of what has arrived
  bool is_wanted = true;  // or leads to what is
  bool leads_on = true;   // to something wanted
};
using Steps = std::unordered_map<Node*, Step>;

/// The tape that leads to `outputs` in the order in which it runs, each node with its step.
std::vector<Steps::value_type*> order_of(const std::vector<Node*>& outputs, Steps& steps) {
  std::vector<Steps::value_type*> order;
  const auto visit = [&](Node* node, std::uint64_t use) {
    const auto [step, first] = steps.try_emplace(node, Step{node->is_leaf ? use : node->number});
    if (first) order.push_back(&*step);
    if (node->is_leaf) step->second.turn = std::min(step->second.turn, use);
  };
  for (Node* const output : outputs) visit(output, std::numeric_limits<std::uint64_t>::max());
  for (std::size_t i = 0; i < order.size(); ++i) {
    const Node* const node = order[i]->first;
    for (const auto& input : node->inputs) {
      if (input) visit(input.get(), node->number);
    }
  }
  // A leaf is older than its uses, so it stands right behind the oldest.
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::pair(a->second.turn, a->first->number) >
           std::pair(b->second.turn, b->first->number);
  });
  return order;
}

/// Leaves out what does not lead to `wanted`: it is neither computed nor freed.
void prune(const std::vector<Steps::value_type*>& order, const Variables& wanted, Steps& steps) {
  std::unordered_set<const Node*> ends;
  for (const Variable& each : wanted) ends.insert(each.node().get());
  for (auto place = order.rbegin(); place != order.rend(); ++place) {  // inputs first
    auto& [node, step] = **place;
    step.leads_on = std::ranges::any_of(node->inputs, [&](const std::shared_ptr<Node>& input) {
      return input != nullptr && steps.find(input.get())->second.is_wanted;
    });
    step.is_wanted = step.leads_on || ends.contains(node);
  }
}

/// A gradient is linear in that of the result: where that has a history, what is not 0 has one too.
void expect_history(std::string_view who, const Node& node, const Variables& gradients) {
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    if (!node.inputs[i] || !gradients[i].defined() || gradients[i].requires_grad()) continue;
    const Tensor& numbers = gradients[i].value();
    if (core::equal(numbers, zeros_like(numbers))) continue;
    fail<GradError>(who, ": the gradient that ", node.text(), " gave for its input ", i,
                    " has no history: its backward is not made of functions on Variables");
  }
}

}  // namespace

Variables run_backward(const Variables& outputs, Variables seeds, const Variables& wanted,
                       const GradOptions& options, bool with_hooks, std::string_view history_for) {
  const detail::InBackward anomalies_are_the_engines;
  // A gradient is made of ops: recorded or not, the code is the same.
  const GradMode mode(options.create_graph, Place());
  std::vector<Node*> last;
  for (const Variable& output : outputs) last.push_back(output.node().get());
  Steps steps;
  const std::vector<Steps::value_type*> order = order_of(last, steps);
  if (!wanted.empty()) prune(order, wanted, steps);

  // `from` is the op that computed the gradient, of its input `input`; null for a seed.
  const auto deliver = [&](Node* node, Variable gradient, const Node* from, std::size_t input) {
    if (gradient.shape() != node->shape || gradient.dtype() != node->dtype) {
      PlainText line;
      line << "backward: ";
      if (from == nullptr) {
        line << "the seed is " << describe(gradient.value()) << ", the output of " << node->name
             << " is " << node->dtype << " " << node->shape;
      } else {
        line << from->name << " returned a gradient " << describe(gradient.value())
             << " for its input " << input << ", which is " << node->dtype << " " << node->shape
             << (node->is_leaf ? ", a " : ", the result of ") << node->name;
      }
      fail<GradError>(line.str());
    }
    Variable& sum = steps.find(node)->second.gradient;
    const bool first = !sum.defined();
    sum = first ? std::move(gradient) : accumulate(std::move(sum), gradient, options.create_graph);
    if ((from == nullptr || !first) && detects_anomaly())
      detail::check_gradient(first ? "the seed of" : "the sum over all uses of", *node, sum);
  };

  for (std::size_t i = 0; i < outputs.size(); ++i)
    deliver(last[i], std::move(seeds[i]), nullptr, 0);

  Variables found(wanted.size());
  for (Steps::value_type* const place : order) {
    Node* const node = place->first;
    Variable gradient = std::move(place->second.gradient);
    if (!gradient.defined() || !place->second.is_wanted) continue;  // no use of it had one to give
    if (with_hooks && !node->hooks.empty()) gradient = node->run_hooks(std::move(gradient));

    if (wanted.empty()) node->collect(gradient, options.create_graph);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (wanted[i].node().get() == node) found[i] = gradient;
    }
    if (node->is_leaf || !place->second.leads_on) continue;

    // What forward saved is not needed again, unless somebody says so.
    Variables gradients = node->backward(gradient, !options.retain_graph && !options.create_graph);
    if (!history_for.empty() && gradient.requires_grad())
      expect_history(history_for, *node, gradients);
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      if (node->inputs[i] && gradients[i].defined())
        deliver(node->inputs[i].get(), std::move(gradients[i]), node, i);
    }
  }
  return found;
}

Variable accumulate(Variable total, const Variable& part, bool create_graph) {
  if (create_graph || !total.is_unshared() || !total.value().is_contiguous())
    return add(total, part);
  core::add_(total.value(), part.value());
  return total;
}

std::vector<Node*> nodes_of(Node* last) {
  std::vector<Node*> all;
  if (last == nullptr) return all;
  Steps steps;
  for (const Steps::value_type* place : order_of({last}, steps)) all.push_back(place->first);
  std::sort(all.begin(), all.end(),
            [](const Node* a, const Node* b) { return a->number < b->number; });
  return all;
}

std::vector<Node*> nodes_of(const Variable& output) { return nodes_of(output.node().get()); }

}  // namespace gradus
