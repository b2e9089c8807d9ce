// Recorder: sees each op of a step go by, and makes a Trace of it.
#pragma once

#include <gradus/autograd/op.h>
#include <gradus/autograd/profile.h>
#include <gradus/report/trace.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace gradus::detail {

/// Writes into a Trace while it lives. It copies what it needs and keeps no handle on a number of the tape,
/// so that gradients are still added to and masked in place, as in a training.
class Recorder final : public Watcher {
 public:
  /// `trace` has its modules; they are those of `net`.
  Recorder(Module& net, Trace& trace, bool values);
  ~Recorder() override;

  void called(std::unique_ptr<Replay> replay, const Variable& result) override;
  void before_backward(const Node& node, const Variable& gradient) override;
  void after_backward(const Node& node, const Variables& gradients) override;

  /// The node of x, which is made where it has none yet.
  std::size_t index_of(const Variable& x);
  /// What the ops kept, before backward frees it.
  void note_kept();
  /// Runs backward from `loss`.
  void run_backward_from(const Variable& loss);
  /// What is summed up when all has run.
  void finish();

 private:
  struct Conv;  // what a convolution sent back, until all is known
  struct Running {
    std::size_t module;
    std::size_t call;
  };

  void hook(Module& module, std::size_t index);
  void place_in_modules(TraceNode& node, const Calls& calls) const;
  std::size_t add(const void* key, TraceNode node);
  void add_history(const std::shared_ptr<Node>& node);
  std::size_t claim(std::string_view name, ProfileDirection direction);
  std::vector<std::size_t> inputs_of(const Replay& replay, const Node* node);
  void note_convolution(const Replay& replay, std::size_t index, const Node* node);
  void note_algorithms(TraceConvolution& conv, std::size_t first_event) const;
  void predict(TraceConvolution& conv) const;
  Tensor copy_of(const Tensor& numbers) const { return values_ ? numbers.clone() : Tensor(); }

  Trace& trace_;
  const bool values_;
  Profiler profiler_;
  std::vector<bool> claimed_;                                // events that belong to a node
  std::unordered_map<const void*, std::size_t> index_;       // by Node, or by value() of a constant
  std::unordered_map<const void*, std::string> parameters_;  // names, by value()
  std::vector<std::pair<ModuleNumber, std::size_t>> modules_;
  std::vector<std::shared_ptr<Node>> tape_;  // by index of the node; null for constants
  Variables held_;                           // leaves and constants, whose addresses are the keys
  std::vector<HookHandle> hooks_;
  std::vector<Running> running_;
  std::size_t calls_ = 0;
  std::unordered_map<std::size_t, std::size_t> convolutions_;  // by node
};

/// How many additions the products of an event take, without those of nested events; 0 of an event that has none.
/// `convolution` tells of a conv2d_input_grad how its windows lie; null: each number of the result is one sum.
std::int64_t additions_of(const ProfileEvent& event, const Conv2dOptions* convolution);

/// Products and additions per second of a product of matrices that BLAS is at its best with: measured once for
/// each dtype and number of threads, in some milliseconds.
double product_rate(DType dtype);

/// In words, why an op keeps it: for `input` < number of inputs that one, else what `what` names.
std::string why_kept(const Node& node, const KeptNumbers& kept);

/// Modules without children, from the nodes that they gave.
std::vector<TraceActivity> activity_of(const Trace& trace);

}  // namespace gradus::detail
