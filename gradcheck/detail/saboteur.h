// Saboteur: an op in the place of another, whose gradient it spoils.
#pragma once

#include <gradus/autograd/op.h>
#include <gradus/core/random.h>
#include <gradus/gradcheck/planted.h>

#include <cstddef>
#include <memory>
#include <vector>

namespace gradus {

/// What passes from one call of a planted function to the next.
struct Memory {
  Tensor last_gradient;
  std::shared_ptr<Node> last_node;
  Tensor first_values;          // of the input
  std::size_t most_wanted = 0;  // inputs of the op that wanted a gradient
  Variable hidden;              // a parameter
  Generator generator{5};
};

struct Saboteur final : Op {
  std::unique_ptr<Op> inner;
  Bug bug{};
  std::size_t slot = 0;             // of the input whose gradient is spoiled
  std::vector<std::size_t> others;  // all slots that take the very same input
  std::weak_ptr<Memory> memory;     // the tape only looks at it
  const Node* node = nullptr;       // whose op this is
  Tensor x;                         // the input
  std::shared_ptr<Node> elsewhere;  // the same op, recorded at f(x) for x

  Variables backward(const Variable& dy) override;

 private:
  Variable gradient(const Variable& dy) const { return inner->backward(dy)[slot]; }
  Variables of_another_call(const Variable& dy) const;
  Variable spoiled(const Variable& g, const Variable& dy) const;
  void swap_with_another(Variables& gradients) const;
  Variable of_one_slice(const Variable& dy, const Variable& g) const;
  Variable with_the_last(const Variable& g) const;
  Variable of_the_diagonal(const Variable& dy, const Variable& g) const;
  Variable at_the_output(const Variable& dy, const Variable& g) const;
  bool misses_a_neighbour() const;
  bool is_elsewhere() const;
  void overwrite_what_was_kept() const;
};

/// Is something kept that overwrite_what_was_kept() may write to? An input that is a constant may
/// belong to somebody else.
bool can_be_overwritten(const Node& node, const KeptNumbers& kept);

}  // namespace gradus
