// What a Recorder writes down: a node for each call, and for what a call took that no call gave.
#include <gradus/autograd/convolution_call.h>
#include <gradus/autograd/engine.h>
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/math.h>
#include <gradus/report/detail/recorder.h>

#include <algorithm>
#include <set>
#include <utility>

namespace gradus::detail {
namespace {

/// Handles of one Variable share one value(), so its address tells which it is.
const void* identity_of(const Variable& x) {
  return x.requires_grad() ? static_cast<const void*>(x.node().get()) : &x.value();
}

double microseconds_of(const ProfileEvent& event) {
  return static_cast<double>(event.nanoseconds()) / 1000;
}

}  // namespace

Recorder::Recorder(Module& net, Trace& trace, bool values) : trace_(trace), values_(values) {
  for (const auto& [name, parameter] : net.named_parameters())
    parameters_.emplace(&parameter.value(), name);
  std::size_t index = 0;
  for (const auto& [path, module] : net.named_modules()) hook(*module, index++);
}

Recorder::~Recorder() {
  for (HookHandle& hook : hooks_) hook.remove();
}

/// A module that has hooks is computed by itself: nothing is fused into it.
void Recorder::hook(Module& module, std::size_t index) {
  modules_.emplace_back(module.number(), index);
  hooks_.push_back(module.register_forward_pre_hook([this, index](Module&, const Variable& x) {
    if (x.defined()) trace_.modules[index].input = x.shape();
    running_.push_back({index, ++calls_});
    return Variable();
  }));
  hooks_.push_back(
      module.register_forward_hook([this, index](Module&, const Variable&, const Variable& y) {
        // What threw, and was caught, within this module has not ended in order.
        while (running_.back().module != index) running_.pop_back();
        running_.pop_back();
        if (!y.defined()) return Variable();
        trace_.modules[index].output = y.shape();
        trace_.modules[index].outputs.push_back(index_of(y));
        return Variable();
      }));
}

// ---- nodes ----

void Recorder::place_in_modules(TraceNode& node, const Calls& calls) const {
  if (!running_.empty()) {
    node.module = running_.back().module;
    node.call = running_.back().call;
  }
  for (const auto& [number, index] : modules_)
    if (number == calls.module) node.module = index;
}

std::size_t Recorder::add(const void* key, TraceNode node) {
  const std::size_t index = trace_.nodes.size();
  trace_.nodes.push_back(std::move(node));
  index_.emplace(key, index);
  tape_.emplace_back();
  return index;
}

std::size_t Recorder::index_of(const Variable& x) {
  if (!x.defined()) return no_index;
  const void* const key = identity_of(x);
  if (const auto found = index_.find(key); found != index_.end()) return found->second;
  const std::shared_ptr<Node>& node = x.node();
  if (node != nullptr && !node->is_leaf) {  // of a MultiOp, or from before the trace
    add_history(node);
    const std::size_t index = index_.at(key);
    trace_.nodes[index].value = copy_of(x.value());
    return index;
  }
  held_.push_back(x);
  TraceNode leaf{.op = "leaf", .role = TraceRole::constant, .shape = x.shape()};
  if (const auto name = parameters_.find(&x.value()); name != parameters_.end())
    leaf.name = name->second;
  if (node != nullptr || !leaf.name.empty()) leaf.role = TraceRole::parameter;
  leaf.value = copy_of(x.value());
  const std::size_t index = add(key, std::move(leaf));
  tape_[index] = node;
  return index;
}

/// Of `node` and all behind it that were not seen: their numbers are not known.
void Recorder::add_history(const std::shared_ptr<Node>& node) {
  std::vector<std::shared_ptr<Node>> found;
  std::set<const Node*> seen;
  std::vector<std::shared_ptr<Node>> ahead = {node};
  while (!ahead.empty()) {
    const std::shared_ptr<Node> each = ahead.back();
    ahead.pop_back();
    if (each == nullptr || index_.contains(each.get()) || !seen.insert(each.get()).second) continue;
    found.push_back(each);
    ahead.insert(ahead.end(), each->inputs.begin(), each->inputs.end());
  }
  const auto older = [](const auto& a, const auto& b) { return a->number < b->number; };
  std::sort(found.begin(), found.end(), older);
  for (const std::shared_ptr<Node>& each : found) {
    TraceNode step{.op = std::string(each->name),
                   .role = each->is_leaf ? TraceRole::parameter : TraceRole::op,
                   .place = each->is_leaf ? "" : places_text(each->at, each->within),
                   .shape = each->shape};
    if (!each->is_leaf) place_in_modules(step, each->within);
    for (const std::shared_ptr<Node>& input : each->inputs) {
      const auto at = index_.find(input.get());
      step.inputs.push_back(input == nullptr || at == index_.end() ? no_index : at->second);
    }
    const std::size_t index = add(each.get(), std::move(step));
    tape_[index] = each;
  }
}

/// The last event of that name that belongs to no node yet. Those nested in a call have found theirs.
std::size_t Recorder::claim(std::string_view name, ProfileDirection direction) {
  const std::vector<ProfileEvent>& events = profiler_.events();
  claimed_.resize(events.size());
  for (std::size_t i = events.size(); i-- > 0;) {
    if (claimed_[i] || events[i].direction != direction || events[i].name != name) continue;
    claimed_[i] = true;
    return i;
  }
  return no_index;
}

std::vector<std::size_t> Recorder::inputs_of(const Replay& replay, const Node* node) {
  std::vector<std::size_t> inputs;
  for (const Variable& input : replay.inputs) inputs.push_back(index_of(input));
  if (!inputs.empty() || node == nullptr) return inputs;
  for (const std::shared_ptr<Node>& input : node->inputs) {
    if (input != nullptr && !index_.contains(input.get())) add_history(input);
    inputs.push_back(input == nullptr ? no_index : index_.at(input.get()));
  }
  return inputs;
}

void Recorder::called(std::unique_ptr<Replay> replay, const Variable& result) {
  const std::shared_ptr<Node>& node = result.node();
  TraceNode step{.op = std::string(replay->name), .shape = result.shape()};
  step.inputs = inputs_of(*replay, node.get());
  step.value = copy_of(result.value());
  step.role = node == nullptr ? TraceRole::constant : TraceRole::op;
  if (node != nullptr) step.place = places_text(node->at, node->within);
  place_in_modules(step, node != nullptr ? node->within : CallScope::current());
  const std::size_t event = claim(step.op, ProfileDirection::forward);
  if (event != no_index) {
    const auto* const call =
        node == nullptr ? nullptr : dynamic_cast<const ConvolutionCall*>(node->op.get());
    const Conv2dOptions windows = call == nullptr ? Conv2dOptions{} : call->convolution();
    for (std::size_t i = event; i < profiler_.events().size(); ++i) {
      if (i != event && claimed_[i]) continue;
      step.flops += profiler_.events()[i].flops;
      step.additions += additions_of(profiler_.events()[i], call == nullptr ? nullptr : &windows);
    }
    const ProfileEvent& own = profiler_.events()[event];
    if (own.end_ns > own.begin_ns) step.forward_us = microseconds_of(own);
  }
  if (node == nullptr) held_.push_back(result);
  const std::size_t index = add(identity_of(result), std::move(step));
  tape_[index] = node;
  if (node != nullptr) note_convolution(*replay, index, node.get());
}

// ---- convolutions ----

void Recorder::note_convolution(const Replay& replay, std::size_t index, const Node* node) {
  const auto* const call = dynamic_cast<const ConvolutionCall*>(node->op.get());
  if (call == nullptr || node->name != "conv2d") return;
  const TraceNode& step = trace_.nodes[index];
  TraceConvolution conv{.node = index, .options = call->convolution()};
  const auto value_of = [&](std::size_t input) {
    const std::size_t at = step.inputs.at(input);
    return at == no_index ? Tensor() : trace_.nodes[at].value;
  };
  conv.input = value_of(0);
  conv.weight = value_of(1);
  conv.bias = value_of(2);
  conv.output = step.value;
  if (values_ && conv.options.activation != Activation::none) {
    const WatchedBy nobody(nullptr);
    const Profiler events_of_its_own;
    const NoGrad not_recorded;
    conv.output = replay.run(replay.inputs).value().clone();
  }
  for (const Conv2dPass pass :
       {Conv2dPass::forward, Conv2dPass::input_grad, Conv2dPass::weight_grad}) {
    const Shape& x = replay.inputs[0].shape();
    const Shape& w = replay.inputs[1].shape();
    const DType dtype = replay.inputs[0].dtype();
    const Conv2dAlgorithm chosen = core::conv2d_algorithm(x, w, conv.options, dtype, pass);
    conv.algorithms.push_back(
        {.pass = pass,
         .name = std::string(kernels::to_string(chosen)),
         .why = std::string(core::conv2d_algorithm_reason(x, w, conv.options, dtype, pass))});
  }
  conv.algorithms[0].microseconds = step.forward_us;
  if (values_) predict(conv);
  convolutions_.emplace(index, trace_.convolutions.size());
  trace_.convolutions.push_back(std::move(conv));
}

/// All three passes have the same products.
void Recorder::predict(TraceConvolution& conv) const {
  constexpr double microseconds_per_second = 1e6;
  constexpr double of_winograd =
      36.0 / 144;  // products of a 6x6 tile over those of its 4x4 outputs
  const double products = 2.0 * static_cast<double>(trace_.nodes[conv.node].shape.numel()) *
                          static_cast<double>(conv.weight.numel() / conv.weight.size(0));
  const double rate = product_rate(conv.input.dtype());
  for (TraceAlgorithm& each : conv.algorithms) {
    const double share = each.name == "winograd" ? of_winograd : 1;
    each.predicted = microseconds_per_second * share * products / rate;
  }
}

/// Of the gradients that were computed, how long each took; without those that were not.
void Recorder::note_algorithms(TraceConvolution& conv, std::size_t first_event) const {
  const auto took = [&](std::string_view op) -> std::optional<double> {
    for (std::size_t i = first_event; i < profiler_.events().size(); ++i)
      if (profiler_.events()[i].name == op) return microseconds_of(profiler_.events()[i]);
    return std::nullopt;
  };
  conv.algorithms[1].microseconds = took("conv2d_input_grad");
  conv.algorithms[2].microseconds = took("conv2d_weight_grad");
}

// ---- backward ----

void Recorder::before_backward(const Node& node, const Variable& gradient) {
  const auto found = index_.find(&node);
  if (found == index_.end()) return;
  trace_.nodes[found->second].gradient = copy_of(gradient.value());
  trace_.backward.push_back(found->second);
}

void Recorder::after_backward(const Node& node, const Variables& gradients) {
  const auto found = index_.find(&node);
  if (found == index_.end()) return;
  TraceNode& step = trace_.nodes[found->second];
  const std::size_t event = claim(node.name, ProfileDirection::backward);
  if (event != no_index) {
    const auto conv = convolutions_.find(found->second);
    const Conv2dOptions* windows =
        conv == convolutions_.end() ? nullptr : &trace_.convolutions[conv->second].options;
    step.backward_us = microseconds_of(profiler_.events()[event]);
    for (std::size_t i = event; i < profiler_.events().size(); ++i) {
      step.backward_flops += profiler_.events()[i].flops;
      step.backward_additions += additions_of(profiler_.events()[i], windows);
    }
  }
  const bool has_bias = (node.name == "conv2d" || node.name == "linear") && gradients.size() > 2;
  if (has_bias && gradients[2].defined())
    step.backward_additions += step.shape.numel() - gradients[2].numel();
  std::vector<Tensor> sent(gradients.size());
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i].defined()) continue;
    sent[i] = copy_of(gradients[i].value());
    const auto to = index_.find(node.inputs[i].get());
    if (node.inputs[i] != nullptr && to != index_.end())
      trace_.nodes[to->second].arrivals.push_back({found->second, sent[i]});
  }
  const auto at = convolutions_.find(found->second);
  if (at == convolutions_.end()) return;
  TraceConvolution& conv = trace_.convolutions[at->second];
  conv.input_gradient = sent[0];
  conv.weight_gradient = sent[1];
  if (sent.size() > 2) conv.bias_gradient = sent[2];
  conv.output_gradient = step.gradient;
  if (values_ && conv.options.activation == Activation::relu)
    conv.output_gradient = core::relu_grad(step.gradient, step.value);
  if (event != no_index) note_algorithms(conv, event);
}

void Recorder::run_backward_from(const Variable& loss) {
  if (!loss.requires_grad()) return;
  Variables leaves;
  for (const Variable& each : held_)
    if (each.requires_grad()) leaves.push_back(each);
  const Variables found = run_backward({loss}, {ones_like(loss.value())}, leaves, {});
  for (std::size_t i = 0; i < leaves.size(); ++i)
    if (found[i].defined()) trace_.nodes[index_of(leaves[i])].gradient = copy_of(found[i].value());
}

// ---- what follows from it ----

void Recorder::note_kept() {
  std::set<const std::byte*> counted;  // memory that is there anyway, or was counted
  for (const Variable& each : held_)
    if (trace_.nodes[index_of(each)].op == "leaf") counted.insert(each.value().storage().data());
  for (std::size_t i = 0; i < tape_.size(); ++i) {
    if (tape_[i] == nullptr) continue;
    TraceNode& node = trace_.nodes[i];
    for (const KeptNumbers& kept : tape_[i]->kept) {
      TraceKept line;
      line.shape = kept.numbers.shape();
      line.bytes = bytes_of(kept.numbers);
      if (kept.what != nullptr) {
        line.what = kept.what;
      } else {
        const std::size_t from =
            kept.input < node.inputs.size() ? node.inputs[kept.input] : no_index;
        line.what = text_of("input ", kept.input);
        if (from != no_index) {
          const TraceNode& input = trace_.nodes[from];
          line.what += ", " + (input.name.empty() ? input.op : input.name);
        }
      }
      line.why = why_kept(*tape_[i], kept);
      line.counts = counted.insert(kept.numbers.storage().data()).second;
      node.kept.push_back(std::move(line));
    }
  }
}

void Recorder::finish() {
  for (const TraceNode& node : trace_.nodes) {
    for (std::size_t m = node.module; m != no_index; m = trace_.modules[m].parent) {
      trace_.modules[m].flops += node.flops;
      trace_.modules[m].backward_flops += node.backward_flops;
      trace_.modules[m].additions += node.additions;
      trace_.modules[m].backward_additions += node.backward_additions;
    }
  }
  for (TraceConvolution& conv : trace_.convolutions) {
    const std::size_t module = trace_.nodes[conv.node].module;
    conv.name = module == no_index ? "" : trace_.modules[module].path;
    if (conv.name.empty()) conv.name = "conv2d";
    std::erase_if(conv.algorithms, [](const TraceAlgorithm& each) {
      return each.pass != Conv2dPass::forward && !each.microseconds;
    });
  }
  for (TraceParameter& parameter : trace_.parameters) {
    for (const TraceNode& node : trace_.nodes)
      if (node.role == TraceRole::parameter && node.name == parameter.name)
        parameter.gradient = node.gradient;
  }
}

}  // namespace gradus::detail
