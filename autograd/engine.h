// The engine's one entry: what Variable::backward() and grad() share.
#pragma once

#include <gradus/autograd/variable.h>

namespace gradus {

/// Runs the tape backwards from `outputs`, started with `seeds`. Without `wanted`, every leaf
/// reached collects its gradient in grad(); with it, nothing is collected and the gradients of
/// `wanted` are returned (undefined where not reached), and what leads to none of them does not run: it
/// keeps what it has saved. Who only looks runs no hooks. `history_for` names who needs the history of
/// each gradient: then an op that drops that of its result's is a GradError.
Variables run_backward(const Variables& outputs, Variables seeds, const Variables& wanted,
                       const GradOptions& options, bool with_hooks = true,
                       std::string_view history_for = {});

/// Every node of the tape that leads to `last`, oldest first; none for a null one.
std::vector<Node*> nodes_of(Node* last);
/// Those behind an output.
std::vector<Node*> nodes_of(const Variable& output);
/// They live no longer than the output does.
std::vector<Node*> nodes_of(const Variable&& output) = delete;

/// total + part; in place where nobody else can see `total`, and never while a graph is recorded.
Variable accumulate(Variable total, const Variable& part, bool create_graph);

}  // namespace gradus
