// Variable and Node: the handle, the step of the tape, and how both are freed.
#include <gradus/autograd/anomaly.h>
#include <gradus/autograd/engine.h>
#include <gradus/autograd/functions.h>
#include <gradus/autograd/op.h>
#include <gradus/autograd/profile.h>
#include <gradus/core/create.h>
#include <gradus/core/log.h>

#include <cxxabi.h>

#include <algorithm>
#include <atomic>
#include <ostream>
#include <string>
#include <utility>

namespace gradus {

constinit thread_local detail::Recording detail::recording;

namespace {

/// Frees nodes one after the other. Freeing one may release the last hold on the next; that one
/// only joins the list, so a chain of a million nodes needs no more stack than a chain of two.
void free_node(Node* node) {
  thread_local Node* waiting =
      nullptr;  // linked through the nodes: nothing here needs destroying at exit
  thread_local bool freeing = false;
  node->next_to_free = std::exchange(waiting, node);
  if (freeing) return;
  freeing = true;
  while (waiting != nullptr) {
    const Node* next = waiting;
    waiting = next->next_to_free;
    delete next;
  }
  freeing = false;
}

}  // namespace

struct Variable::State {
  Tensor value;
  Variable grad;
  std::shared_ptr<Node> node;    // what made the value; for a leaf, what collects its gradient
  std::shared_ptr<Node> frozen;  // the same until requires_grad_(false), with its hooks
  std::optional<Origin> origin;  // of a constant

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  /// A gradient may have a gradient, and so on: they are freed one after the other, like nodes.
  ~State() {
    std::shared_ptr<State> next = std::move(grad.state_);
    while (next.use_count() == 1) next = std::move(next->grad.state_);
  }
};

// ---- Node and Op ----

std::shared_ptr<Node> Node::make(std::string_view name, Place at) {
  static std::atomic<std::uint64_t> count{1};
  std::shared_ptr<Node> node(new Node, free_node);
  node->number = count.fetch_add(1, std::memory_order_relaxed);
  node->name = name;
  node->at = at;
  CallScope::remember(node->within);
  return node;
}

std::string Node::text() const {
  PlainText text;
  if (is_leaf) {
    text << "a leaf, " << dtype << " " << shape << " made at " << at;
  } else {
    const std::string path = within.path();
    text << name << (path.empty() ? " at " : " in " + path + ", ") << places_text(at, within);
  }
  return text.str();
}

bool Node::is_wanted() const {
  if (!is_leaf) return true;
  const std::shared_ptr<Variable::State> owner = keep.lock();
  return owner != nullptr && owner->node.get() == this;
}

Tensor Node::leaf_value() const {
  const std::shared_ptr<Variable::State> state = is_leaf ? keep.lock() : nullptr;
  return state == nullptr ? Tensor() : state->value;
}

void Node::take(const Variable& input) {
  const Variable::State* const state = input.state_.get();
  inputs.push_back(state == nullptr ? nullptr : state->node);
  if (state == nullptr || state->node != nullptr) return;
  constants.push_back({inputs.size() - 1, state->value.storage().data(), nullptr});
  if (state->origin) constants.back().origin = std::make_unique<const Origin>(*state->origin);
}

void Node::adopt(std::unique_ptr<Op> new_op) {
  op = std::move(new_op);
  op->node_ = this;
}

namespace {

/// While it lives, the node is this backward pass's.
class Running {
 public:
  explicit Running(Node& node) : node_(node) {
    if (node_.running.exchange(true, std::memory_order_acquire)) {
      fail<GradError>("backward: another thread is running backward through the same graph, at ",
                      node_.name, "; threads may share leaves, each with a graph of its own");
    }
  }
  ~Running() { node_.running.store(false, std::memory_order_release); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  Node& node_;
};

/// Has anybody written to what the op kept?
void check_kept(const Node& node) {
  for (const KeptNumbers& kept : node.kept) {
    const Storage& storage = kept.numbers.storage();
    const std::uint64_t now = storage.version();
    if (now == kept.version) continue;
    const std::string what =
        kept.what == nullptr ? "input " + std::to_string(kept.input) : std::string(kept.what);
    fail<GradError>("backward: ", node.name, " kept its ", what, " for the derivative at version ",
                    kept.version, ", and ", storage.writer(), " has written there since (version ",
                    now, "): write to a clone(), or after backward()");
  }
}

}  // namespace

Variables Node::backward(const Variable& gradient, bool release_after) {
  const Running here(*this);
  if (!op) {
    fail<GradError>(
        "backward: the graph behind ", name,
        " was freed by an earlier backward(); pass retain_graph = true there to run it again");
  }
  check_kept(*this);
  detail::Watcher* const watcher = detail::watcher;
  const detail::WatchedBy nobody(nullptr);
  if (watcher != nullptr) watcher->before_backward(*this, gradient);
  // Held, the gradient that arrives is not written over, and can be told of.
  const bool checked = detail::anomaly != detail::Anomaly::off && detects_anomaly();
  const Variable arrived = checked ? gradient : Variable();
  ProfileScope profile(name, ProfileDirection::backward);
  Variables gradients = op->backward(gradient);
  if (profile) profile.finish_backward(gradient, gradients);
  if (gradients.size() != inputs.size()) {
    fail<GradError>("backward: ", name, " returned ", gradients.size(), " gradients for ",
                    inputs.size(), " inputs");
  }
  if (watcher != nullptr) watcher->after_backward(*this, gradients);
  if (checked) detail::check_gradients(*this, arrived, gradients);
  if (release_after) {
    op.reset();
    kept.clear();
  }
  return gradients;
}

void Node::collect(const Variable& gradient, bool create_graph) {
  const std::shared_ptr<Variable::State> owner = keep.lock();
  if (!owner) return;
  if (owner->node == nullptr) return;  // frozen since the forward pass
  const std::lock_guard lock(collecting);
  if (owner->grad.defined()) {
    owner->grad = accumulate(std::move(owner->grad), gradient, create_graph);
    if (detects_anomaly())
      detail::check_gradient("the gradients of several passes, added up in grad() of", *this,
                             owner->grad);
  } else if (is_leaf && gradient.is_unshared() && gradient.value().is_contiguous()) {
    owner->grad = gradient;
  } else {
    // A copy: another leaf, or the seed, may be the same memory. Recorded, where history counts.
    owner->grad = create_graph ? mul(gradient, 1) : Variable(gradient.value().clone());
  }
}

void Op::keeps(const Tensor& numbers, const char* what) const {
  if (node_ != nullptr && numbers.defined())
    node_->kept.push_back({numbers, numbers.storage().version(), what});
}

bool Op::needs(std::size_t i) const { return node_ != nullptr && node_->inputs[i] != nullptr; }

const Shape& Op::input_shape(std::size_t i) const { return node_->inputs[i]->shape; }

Variable Op::reattach(const Tensor& output) const {
  return Variable::attach(output, node_->shared_from_this());
}

void detail::Kept::look_at(const Variable& input, const Variable::Handles& before) {
  const std::size_t number = next_++;
  if (!input.defined()) return;
  const Variable::Handles now = input.handles();
  const Storage& storage = input.value().storage();
  const std::int64_t of_outputs = handles_of_outputs(storage);
  if (of_outputs > 0) shared_.push_back(storage.data());
  if (now.of_variable > before.of_variable || now.of_storage - of_outputs > before.of_storage) {
    if (node_.kept.empty()) node_.kept.reserve(node_.inputs.size() + 1);
    node_.kept.push_back({input.value(), storage.version(), nullptr, number});
  }
}

void detail::Kept::look_at_outputs() {
  for (const Tensor& output : outputs_) {
    const Storage& storage = output.storage();
    const bool is_an_inputs =
        std::find(shared_.begin(), shared_.end(), storage.data()) != shared_.end();
    if (!is_an_inputs && storage.use_count() > handles_of_outputs(storage))
      node_.kept.push_back({output, storage.version(), "output"});
  }
}

std::int64_t detail::Kept::handles_of_outputs(const Storage& storage) const {
  return std::count_if(outputs_.begin(), outputs_.end(),
                       [&](const Tensor& output) { return output.storage() == storage; });
}

void detail::CutFinder::look_at(const Variable& input) {
  if (!input.defined()) return;
  const std::shared_ptr<Node>& node = input.node();
  if (node == nullptr) {
    if (older_ == nullptr) older_ = input.origin();
    return;
  }
  if (!here_) here_ = Origin{Origin::Cut::no_grad, op_, at_, recording.place};
  here_->add_source(node);
}

void detail::CutFinder::mark(const Variable& result) {
  const Origin* const origin = here_ ? &*here_ : older_;
  if (origin != nullptr) result.set_origin(*origin);
}

void Origin::add_source(const std::shared_ptr<Node>& node) {
  const auto free = std::find(sources.begin(), sources.end(), 0);
  if (free != sources.end()) *free = node->number;
  if (node->is_leaf || has_result) return;
  result = node;
  has_result = true;
}

namespace {
Origin cut_of(Origin::Cut cut, Place at, const std::shared_ptr<Node>& node) {
  Origin origin{cut, node->name, at};
  origin.add_source(node);
  return origin;
}
}  // namespace

std::string Origin::text() const {
  PlainText text;
  switch (cut) {
    case Cut::detach:
      text << "detach() at " << at << " cut it off";
      break;
    case Cut::no_grad:
      text << op << " at " << at << " ran under the NoGrad of " << no_grad;
      break;
    case Cut::frozen:
      text << "requires_grad_(false) at " << at << " froze it";
      break;
    case Cut::no_create_graph:
      text << "grad() at " << at << " gave it without create_graph = true";
      break;
  }
  return text.str();
}

std::string_view detail::type_name(const std::type_info& type) {
  // Never freed: a name outlives every tape.
  char* const readable = abi::__cxa_demangle(type.name(), nullptr, nullptr, nullptr);
  const std::string_view name = readable == nullptr ? type.name() : readable;
  return name.substr(name.rfind(':') + 1);  // 0 where there is none
}

// ---- MultiOp ----

namespace {

/// One output of a MultiOp: `numel` numbers of the row, from `start` on.
struct Part final : Op {
  std::int64_t start;
  std::int64_t total;

  Part(std::int64_t first, std::int64_t all) : start(first), total(all) {}

  Variables backward(const Variable& dy) override {
    return {slice_scatter({total}, 0, start, 1, reshape(dy, {dy.numel()}))};
  }
};

}  // namespace

Variables detail::record_parts(std::vector<Tensor> outputs, std::shared_ptr<Node> node) {
  auto& op = static_cast<MultiOp&>(*node->op);
  std::int64_t total = 0;
  for (const Tensor& output : outputs) {
    const bool has_slopes = output.defined() && is_floating(output.dtype());
    op.shapes_.push_back(output.shape());
    op.has_slopes_.push_back(has_slopes);
    if (!has_slopes) continue;
    if (total > 0 && output.dtype() != node->dtype) {
      fail<DTypeError>(node->name, ": its outputs are ", node->dtype, " and ", output.dtype(),
                       "; those with gradients must be of one dtype");
    }
    node->dtype = output.dtype();
    total += output.numel();
  }
  node->shape = {total};
  Variables all;
  std::int64_t start = 0;
  for (Tensor& output : outputs) {
    if (!op.has_slopes_[all.size()]) {
      all.push_back(output.defined() ? Variable(std::move(output)) : Variable());
      continue;
    }
    std::shared_ptr<Node> part = Node::make(node->name, node->at);
    part->inputs = {node};
    part->adopt(std::make_unique<Part>(start, total));
    start += output.numel();
    all.push_back(Variable::attach(std::move(output), std::move(part)));
  }
  return all;
}

Variables MultiOp::backward(const Variable& packed) {
  Variables grads;
  std::int64_t start = 0;
  for (std::size_t k = 0; k < shapes_.size(); ++k) {
    if (!has_slopes_[k]) {
      grads.emplace_back();
      continue;
    }
    grads.push_back(reshape(narrow(packed, 0, start, shapes_[k].numel()), shapes_[k]));
    start += shapes_[k].numel();
  }
  return backward_all(grads);
}

// ---- Hooks ----

void HookHandle::remove() {
  if (remove_) remove_();
  remove_ = nullptr;
}

Variable Node::run_hooks(Variable gradient) {
  const auto all = hooks;  // one may remove itself, or another
  for (const auto& [number_of_hook, hook] : all) {
    Variable other = hook(gradient);
    if (!other.defined()) continue;
    if (detects_anomaly()) detail::check_gradient("a hook's gradient of", *this, other);
    if (other.shape() != shape || other.dtype() != dtype) {
      fail<GradError>("register_hook: a hook on a result of ", name, " gave a gradient ",
                      describe(other.value()), ", its value is ", dtype, " ", shape);
    }
    gradient = std::move(other);
  }
  return gradient;
}

HookHandle Variable::register_hook(Hook hook) const {
  check_defined("register_hook");
  if (!requires_grad()) fail<GradError>("register_hook: this Variable does not require a gradient");
  static std::atomic<std::uint64_t> count{0};
  const std::uint64_t number = count.fetch_add(1, std::memory_order_relaxed);
  node()->hooks.emplace_back(number, std::move(hook));
  return HookHandle([place = std::weak_ptr<Node>(node()), number] {
    const std::shared_ptr<Node> there = place.lock();
    if (there) std::erase_if(there->hooks, [&](const auto& each) { return each.first == number; });
  });
}

// ---- Variable ----

Variable::Variable(Tensor value, bool requires_grad, Place at) : state_(std::make_shared<State>()) {
  state_->value = std::move(value);
  if (requires_grad) requires_grad_(true, at);
}

Variable Variable::attach(Tensor value, std::shared_ptr<Node> node) {
  node->shape = value.shape();
  node->dtype = value.dtype();
  Variable result(std::move(value));
  result.state_->node = std::move(node);
  return result;
}

void Variable::set_origin(const Origin& origin) const {
  if (state_) state_->origin = origin;
}

const Origin* Variable::origin() const {
  return state_ && state_->origin ? &*state_->origin : nullptr;
}

const Tensor& Variable::value() const {
  if (!state_) fail<UndefinedVariable>("variable: undefined; it was never given a value");
  return state_->value;
}

void Operand::fail_undefined() const {
  // No UndefinedVariable: it knows more than the op around it would tell.
  fail<GradError>("the first argument of the call at ", at_,
                  " is undefined; it was never given a value");
}

void detail::fail_undefined(std::string_view op, Place at) {
  fail<GradError>(
      op, ": reads a Variable that is undefined; it was never given a value (called at ", at, ")");
}

void Variable::set_value(Tensor value) const {
  check_defined("set_value");
  if (!is_leaf())
    fail<GradError>("set_value: only for leaves and constants, not for a result of ", node()->name);
  if (!value.defined()) fail<GradError>("set_value: the new value is undefined");
  if (node()) {
    if (!is_floating(value.dtype())) {
      fail<GradError>("set_value: only float32 and float64 have gradients, got ", value.dtype());
    }
    node()->shape = value.shape();
    node()->dtype = value.dtype();
  }
  if (value.shape() != shape() || value.dtype() != dtype())
    state_->grad = {};  // that of other numbers
  // What an op kept as a Variable shows other numbers from now on: as good as written over.
  if (!same_window(state_->value, value)) state_->value.storage().count_write("set_value");
  state_->value = std::move(value);
}

void Variable::check_defined(std::string_view function) const {
  if (!state_) fail<GradError>(function, ": the Variable is undefined; it was never given a value");
}

const Variable& Variable::grad() const {
  static const Variable none;
  if (!state_) return none;
  if (!state_->grad.defined() && !is_leaf() && node()->keep.expired()) {
    log_warn("grad: this Variable is a result of " + std::string(node()->name) +
             ", and results keep no gradient; call retain_grad() before backward()");
  }
  return state_->grad;
}

void Variable::set_grad(Variable grad) const {
  check_defined("set_grad");
  if (grad.defined() && (grad.shape() != shape() || grad.dtype() != dtype())) {
    fail<ShapeError>("set_grad: gradient ", describe(grad.value()), " does not fit ",
                     describe(value()));
  }
  state_->grad = std::move(grad);
}

void Variable::zero_grad() const {
  if (state_) state_->grad = {};
}

bool Variable::requires_grad() const { return node() != nullptr; }

const Variable& Variable::requires_grad_(bool wanted, Place at) const {
  check_defined("requires_grad_");
  if (!is_leaf())
    fail<GradError>("requires_grad_: only for leaves, not for a result of ", node()->name,
                    "; use detach()");
  if (!wanted) {
    if (state_->node == nullptr) return *this;
    set_origin(cut_of(Origin::Cut::frozen, at, state_->node));
    state_->frozen = std::exchange(state_->node, nullptr);
  } else if (!state_->node) {
    if (!is_floating(dtype())) {
      fail<GradError>("requires_grad_: only float32 and float64 have gradients, got ", dtype());
    }
    state_->origin.reset();
    state_->node = std::exchange(state_->frozen, nullptr);
    if (state_->node == nullptr) {
      state_->node = Node::make("leaf", at);
      state_->node->is_leaf = true;
      state_->node->keep = state_;
    }
    state_->node->shape = shape();  // they may be others than before the freezing
    state_->node->dtype = dtype();
  }
  return *this;
}

bool Variable::is_leaf() const { return !node() || node()->is_leaf; }

const Variable& Variable::retain_grad() const {
  if (!requires_grad()) fail<GradError>("retain_grad: this Variable does not require a gradient");
  state_->node->keep = state_;
  return *this;
}

Variable Variable::detach(Place at) const {
  const Variable result(value());
  if (requires_grad()) {
    result.set_origin(cut_of(Origin::Cut::detach, at, node()));
  } else if (origin() != nullptr) {
    result.set_origin(*origin());
  }
  return result;
}

Variable::Handles Variable::handles() const {
  if (!state_) return {};
  return {state_.use_count(), state_->value.storage().use_count()};
}

bool Variable::is_unshared() const {
  return state_.use_count() == 1 && state_->value.storage().use_count() == 1;
}

const std::shared_ptr<Node>& Variable::node() const {
  static const std::shared_ptr<Node> none;
  return state_ ? state_->node : none;
}

// ---- running backwards ----

namespace {

void check_output(std::string_view op, const Variable& output) {
  if (!output.defined()) fail<GradError>(op, ": the output is undefined");
  if (!output.requires_grad()) {
    fail<GradError>(op, ": the output ", describe(output.value()),
                    " depends on nothing that requires a gradient");
  }
}

Variable default_seed(std::string_view op, const Variable& output) {
  if (output.numel() != 1) {
    fail<GradError>(op, ": expects an output of one element, got ", output.shape(),
                    "; pass a seed of that shape");
  }
  return ones_like(output.value());
}

}  // namespace

void Variable::backward(const BackwardOptions& options) const {
  check_output("backward", *this);
  backward(default_seed("backward", *this), options);
}

void Variable::backward(const Variable& seed, const BackwardOptions& options) const {
  check_output("backward", *this);
  run_backward({*this}, {seed}, {},
               {.retain_graph = options.retain_graph, .create_graph = options.create_graph});
}

Variables grad(const Variables& outputs, const Variables& inputs, const Variables& seeds,
               const GradOptions& options, Place at) {
  if (!seeds.empty() && seeds.size() != outputs.size()) {
    fail<GradError>("grad: ", outputs.size(), " outputs, but ", seeds.size(), " seeds");
  }
  Variables starts = seeds;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    check_output("grad", outputs[i]);
    if (seeds.empty()) starts.push_back(default_seed("grad", outputs[i]));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].requires_grad())
      fail<GradError>("grad: input ", i, " does not require a gradient");
  }
  if (inputs.empty()) return {};
  Variables found = run_backward(outputs, std::move(starts), inputs, options);
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i].defined() && !options.create_graph) {
      found[i] = Variable(found[i].value());
      found[i].set_origin(cut_of(Origin::Cut::no_create_graph, at, inputs[i].node()));
    } else if (!found[i].defined() && !options.allow_unused) {
      fail<GradError>("grad: the outputs do not depend on input ", i,
                      "; pass allow_unused = true to get an undefined one");
    }
  }
  return found;
}

GradMode::GradMode(bool enabled, Place at)
    : previous_(std::exchange(detail::recording, detail::Recording{enabled, at})) {}
GradMode::~GradMode() { detail::recording = previous_; }

std::string to_string(const Variable& variable) {
  if (!variable.defined()) return "variable(undefined)";
  std::string text = to_string(variable.value());
  if (!variable.requires_grad()) return text;
  text.pop_back();  // the bracket
  if (variable.is_leaf()) return text + ", requires_grad=True)";
  return text + ", grad_fn=" + std::string(variable.node()->name) + ")";
}

std::ostream& operator<<(std::ostream& out, const Variable& variable) {
  return out << to_string(variable);
}

}  // namespace gradus
