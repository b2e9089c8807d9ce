// loss.backward(), whole. Read this first.
//
// The tape is made of Nodes, numbered as they were recorded: an input is always older than an
// output. So taking nodes from a max-heap by number visits each one after everything that depends
// on it: a topological order, without recursion and without a search. A node runs once, when the
// gradients of all its uses have been summed.
#include <gradus/autograd/anomaly.h>
#include <gradus/autograd/engine.h>
#include <gradus/autograd/functions.h>
#include <gradus/autograd/op.h>
#include <gradus/core/math.h>

#include <algorithm>
#include <queue>
#include <set>
#include <unordered_map>

namespace gradus {

Variables run_backward(const Variables& outputs, Variables seeds, const Variables& wanted,
                       const GradOptions& options, bool with_hooks) {
  const detail::InBackward anomalies_are_the_engines;
  // A gradient is made of ops: recorded or not, the code is the same.
  const GradMode mode(options.create_graph, Place());
  const auto older = [](const Node* a, const Node* b) { return a->number < b->number; };
  std::priority_queue<Node*, std::vector<Node*>, decltype(older)> ready(older);
  std::unordered_map<Node*, Variable> arrived;  // the gradients of nodes in `ready`, summed so far

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
    const auto [sum, first] = arrived.try_emplace(node);
    if (first) ready.push(node);
    sum->second = first ? std::move(gradient)
                        : accumulate(std::move(sum->second), gradient, options.create_graph);
    if ((from == nullptr || !first) && detects_anomaly())
      detail::check_gradient(first ? "the seed of" : "the sum over all uses of", *node,
                             sum->second);
  };

  for (std::size_t i = 0; i < outputs.size(); ++i)
    deliver(outputs[i].node().get(), std::move(seeds[i]), nullptr, 0);

  Variables found(wanted.size());
  while (!ready.empty()) {
    Node* node = ready.top();
    ready.pop();
    Variable gradient = std::move(arrived.extract(node).mapped());
    if (with_hooks && !node->hooks.empty()) gradient = node->run_hooks(std::move(gradient));

    if (wanted.empty()) node->collect(gradient, options.create_graph);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (wanted[i].node().get() == node) found[i] = gradient;
    }
    if (node->is_leaf) continue;

    // What forward saved is not needed again, unless somebody says so.
    Variables gradients = node->backward(gradient, !options.retain_graph && !options.create_graph);
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

std::vector<Node*> nodes_of(const Variable& output) {
  std::vector<Node*> all;
  std::set<const Node*> seen{nullptr};
  std::vector<Node*> open{output.node().get()};
  while (!open.empty()) {
    Node* node = open.back();
    open.pop_back();
    if (!seen.insert(node).second) continue;
    all.push_back(node);
    for (const auto& input : node->inputs) open.push_back(input.get());
  }
  const auto older = [](const Node* a, const Node* b) { return a->number < b->number; };
  std::sort(all.begin(), all.end(), older);
  return all;
}

}  // namespace gradus
