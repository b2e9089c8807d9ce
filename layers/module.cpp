// What a module can do, all of it by asking visit(). Two visitors suffice: Members writes down what
// one module names, and walk() goes through the tree in PyTorch's order with it.
#include <cxxabi.h>
#include <gradus/autograd/functions.h>
#include <gradus/layers/module.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <set>
#include <sstream>
#include <typeinfo>

namespace gradus {
namespace {

/// The members one module names, in its own order.
struct Members final : Visitor {
  std::vector<std::pair<std::string, Variable*>> parameters;
  std::vector<std::pair<std::string, Tensor*>> buffers;
  std::vector<std::pair<std::string, Module*>> children;

  explicit Members(Module& module) { module.visit(*this); }
  /// visit() only hands out references, so asking a const module is safe as long as nobody
  /// writes through them.
  explicit Members(const Module& module) : Members(const_cast<Module&>(module)) {}

  void operator()(std::string_view name, Variable& parameter) override {
    if (parameter.defined()) parameters.emplace_back(name, &parameter);
  }
  void operator()(std::string_view name, Tensor& buffer) override {
    if (buffer.defined()) buffers.emplace_back(name, &buffer);
  }
  void operator()(std::string_view name, Module& child) override {
    children.emplace_back(name, &child);
  }
};

/// Calls f(prefix, members) for a module and everything below it; a prefix ends with a
/// dot or is empty.
template <class F> void walk(const Module& module, const std::string& prefix, const F& f) {
  const Members members(module);
  f(prefix, members);
  for (const auto& [name, child] : members.children) walk(*child, prefix + name + ".", f);
}

/// Handles of one Variable share one value() object, so its address tells which Variable it is.
const void* identity(const Variable& variable) { return &variable.value(); }

void collect_modules(Module& module, const std::string& name,
                     std::vector<std::pair<std::string, Module*>>& found) {
  const auto seen = [&](const auto& entry) { return entry.second == &module; };
  if (std::any_of(found.begin(), found.end(), seen)) return;
  found.emplace_back(name, &module);
  for (const auto& [child_name, child] : Members(module).children) {
    collect_modules(*child, name.empty() ? child_name : name + "." + child_name, found);
  }
}

/// The place of `wanted` below `root`, empty when it is not there.
std::string find_name(const Module& root, const Module& wanted) {
  for (const auto& [name, child] : Members(root).children) {
    if (child == &wanted) return name;
    const std::string below = find_name(*child, wanted);
    if (!below.empty()) return name + "." + below;
  }
  return {};
}

/// Of a module in a model, as CallScope asks for it.
std::string path_in(const void* model, const void* module) {
  const auto& wanted = *static_cast<const Module*>(module);
  const std::string found = find_name(*static_cast<const Module*>(model), wanted);
  return found.empty() ? wanted.kind() : found;
}

class ModuleScope;
thread_local const ModuleScope* innermost = nullptr;

/// A module while it runs. Its name is asked for only when something fails, and then found by
/// searching the module that called it: nothing has to be stored, nor kept right when modules move.
class ModuleScope final : public ErrorScope {
 public:
  ModuleScope(const Module& module, Place at)
      : ErrorScope({}), module_(module), caller_(innermost), call_(at, module.number(), path_in) {
    innermost = this;
  }
  ~ModuleScope() override { innermost = caller_; }

 private:
  std::string name() const override {
    if (caller_ == nullptr) return {};  // the model itself: its name would say nothing
    std::string found = find_name(caller_->module_, module_);
    return found.empty() ? module_.kind() : found;
  }

  const Module& module_;
  const ModuleScope* caller_;
  CallScope call_;
};

void check_strict(const LoadReport& report) {
  if (report.missing.empty() && report.unexpected.empty()) return;
  std::string line;
  if (!report.missing.empty()) line += "missing keys: " + joined(report.missing);
  if (!report.unexpected.empty()) {
    line += (line.empty() ? "" : "; ") + ("unexpected keys: " + joined(report.unexpected));
  }
  fail<ValueError>("load_state_dict: ", line);
}

void check_match(const std::string& key, const Tensor& mine, const Tensor& given, bool may_cast) {
  if (mine.shape() != given.shape()) {
    fail<ShapeError>("load_state_dict: ", key, " has shape ", mine.shape(), " in the model, ",
                     given.shape(), " in what is loaded");
  }
  check_writable("load_state_dict", key + ": ", mine);
  if (mine.dtype() == given.dtype()) return;
  const bool convertible =
      is_floating(mine.dtype()) && (is_floating(given.dtype()) || is_storage_only(given.dtype()));
  if (may_cast && convertible) return;
  fail<DTypeError>("load_state_dict: ", key, " is ", mine.dtype(), " in the model, ", given.dtype(),
                   " in what is loaded; cast it with .to(", mine.dtype(), ")",
                   convertible ? ", or load with {.cast = true}" : "");
}

void print(std::ostream& out, const Module& module, const std::string& indent) {
  out << module.kind() << '(' << module.extra();
  const Members members(module);
  for (const auto& [name, child] : members.children) {
    out << '\n' << indent << "  (" << name << "): ";
    print(out, *child, indent + "  ");
  }
  if (!members.children.empty()) out << '\n' << indent;
  out << ')';
}

}  // namespace

Module::Module() : number_(this) {}

Module::Module(Module&& other) noexcept
    : training_(other.training_),
      hooks_(std::move(other.hooks_)),
      number_(std::exchange(other.number_, ModuleNumber())) {
  number_.move_to(this);
}

Module& Module::operator=(Module&& other) noexcept {
  if (this == &other) return *this;
  training_ = other.training_;
  hooks_ = std::move(other.hooks_);
  number_.strike();
  number_ = std::exchange(other.number_, ModuleNumber());
  number_.move_to(this);
  return *this;
}

Module::~Module() { number_.strike(); }

/// Each kind with the number that its handle knows.
struct Module::Hooks {
  std::vector<std::pair<int, ForwardPreHook>> before;
  std::vector<std::pair<int, ForwardHook>> after;
  std::vector<std::pair<int, BackwardHook>> backward;
  int next = 0;
};

template <class Hook>
HookHandle Module::add_hook(std::vector<std::pair<int, Hook>> Hooks::*list, Hook hook) {
  if (hooks_ == nullptr) hooks_ = std::make_shared<Hooks>();
  const int number = hooks_->next++;
  ((*hooks_).*list).emplace_back(number, std::move(hook));
  return HookHandle([place = std::weak_ptr<Hooks>(hooks_), list, number] {
    const std::shared_ptr<Hooks> there = place.lock();
    if (there)
      std::erase_if((*there).*list, [&](const auto& each) { return each.first == number; });
  });
}

HookHandle Module::register_forward_pre_hook(ForwardPreHook hook) {
  return add_hook(&Hooks::before, std::move(hook));
}
HookHandle Module::register_forward_hook(ForwardHook hook) {
  return add_hook(&Hooks::after, std::move(hook));
}
HookHandle Module::register_full_backward_hook(BackwardHook hook) {
  return add_hook(&Hooks::backward, std::move(hook));
}

bool Module::has_hooks() const {
  return hooks_ != nullptr &&
         !(hooks_->before.empty() && hooks_->after.empty() && hooks_->backward.empty());
}

Variable Module::forward_with_hooks(const Variable& given) {
  const Hooks hooks = *hooks_;  // one may remove itself, or another
  Variable x = given;
  for (const auto& [number, hook] : hooks.before) {
    const Variable other = hook(*this, x);
    if (other.defined()) x = other;
  }
  // A node of its own on each side, so that only what passes through this module is seen.
  const bool watches = !hooks.backward.empty() && grad_enabled();
  const bool sees_input = watches && x.requires_grad();
  if (sees_input) x = reshape(x, x.shape());
  Variable y = forward(x);
  for (const auto& [number, hook] : hooks.after) {
    const Variable other = hook(*this, x, y);
    if (other.defined()) y = other;
  }
  if (!watches || !y.requires_grad()) return y;
  y = reshape(y, y.shape());
  const auto grad_output = std::make_shared<Variable>();
  const auto run = [this, all = hooks.backward](const Variable& grad_input, const Variable& dy) {
    Variable result;
    for (const auto& [number, hook] : all) {
      const Variable other = hook(*this, result.defined() ? result : grad_input, dy);
      if (other.defined()) result = other;
    }
    return result;
  };
  y.register_hook([grad_output, run, sees_input](const Variable& dy) {
    *grad_output = dy;
    if (!sees_input) run({}, dy);
    return Variable();
  });
  if (sees_input) {
    x.register_hook([grad_output, run](const Variable& dx) {
      const Variable dy = std::exchange(*grad_output, Variable());
      return run(dx, dy);
    });
  }
  return y;
}

Variable Module::operator()(const Variable& x, Activation activation, Place at) {
  const ModuleScope scope(*this, at);
  if (has_hooks()) {
    const Variable y = forward_with_hooks(x);
    return activation == Activation::none ? y : relu(y);
  }
  if (activation == Activation::none) return forward(x);
  Variable y = forward_fused(x, activation);
  return y.defined() ? y : relu(forward(x));
}

Variable Module::fused(const Variable& x, Activation activation, Place at) {
  if (has_hooks()) return {};
  const ModuleScope scope(*this, at);
  return forward_fused(x, activation);
}

Variables MultiModule::operator()(const Variables& inputs, Place at) {
  const ModuleScope scope(*this, at);
  return forward_all(inputs);
}

Variable MultiModule::forward(const Variable& x) {
  Variables outputs = forward_all({x});
  if (outputs.size() != 1) {
    fail<ValueError>(kind(), ": gives ", outputs.size(),
                     " Variables; call it with a list, module({x})");
  }
  return std::move(outputs.front());
}

NamedVariables Module::named_parameters() const {
  NamedVariables found;
  std::set<const void*> seen;
  walk(*this, "", [&](const std::string& prefix, const Members& members) {
    for (const auto& [name, parameter] : members.parameters) {
      if (seen.insert(identity(*parameter)).second) found.emplace_back(prefix + name, *parameter);
    }
  });
  return found;
}

std::vector<Variable> Module::parameters() const {
  std::vector<Variable> found;
  for (auto& [name, parameter] : named_parameters()) found.push_back(std::move(parameter));
  return found;
}

NamedTensors Module::named_buffers() const {
  NamedTensors found;
  walk(*this, "", [&](const std::string& prefix, const Members& members) {
    for (const auto& [name, buffer] : members.buffers) found.emplace_back(prefix + name, *buffer);
  });
  return found;
}

std::vector<std::pair<std::string, Module*>> Module::named_modules() {
  std::vector<std::pair<std::string, Module*>> found;
  collect_modules(*this, "", found);
  return found;
}

std::int64_t Module::parameter_count() const {
  std::int64_t count = 0;
  for (const auto& [name, parameter] : named_parameters()) count += parameter.numel();
  return count;
}

void Module::train(bool training) {
  apply([training](Module& module) { module.training_ = training; });
}

void Module::zero_grad() {
  for (const auto& [name, parameter] : named_parameters()) parameter.zero_grad();
}

void Module::apply(const std::function<void(Module&)>& function) {
  for (const auto& [name, child] : Members(*this).children) child->apply(function);
  function(*this);
}

void Module::to(DType dtype) {
  if (!is_floating(dtype)) {
    fail<DTypeError>("Module::to: parameters are float32 or float64, not ", dtype);
  }
  for (const auto& [name, parameter] : named_parameters()) {
    const Variable grad = parameter.grad();
    parameter.set_value(parameter.value().to(dtype));
    if (grad.defined()) parameter.set_grad(Variable(grad.value().to(dtype)));
  }
  walk(*this, "", [&](const std::string&, const Members& members) {
    for (const auto& [name, buffer] : members.buffers) {
      if (is_floating(buffer->dtype())) *buffer = buffer->to(dtype);
    }
  });
}

NamedTensors Module::state_dict() const {
  NamedTensors state;
  walk(*this, "", [&](const std::string& prefix, const Members& members) {
    for (const auto& [name, parameter] : members.parameters) {
      state.emplace_back(prefix + name, parameter->value());
    }
    for (const auto& [name, buffer] : members.buffers) state.emplace_back(prefix + name, *buffer);
  });
  return state;
}

LoadReport Module::load_state_dict(const NamedTensors& tensors, const LoadOptions& options) {
  const NamedTensors mine = state_dict();
  std::set<std::string_view> mine_keys;
  for (const auto& [key, tensor] : mine) mine_keys.insert(key);

  LoadReport report;
  std::vector<std::pair<std::string_view, const Tensor*>> given;  // sorted by key
  for (const auto& [key, tensor] : tensors) {
    given.emplace_back(key, &tensor);
    if (!mine_keys.contains(key)) report.unexpected.push_back(key);
  }
  const auto by_key = [](const auto& a, const auto& b) { return a.first < b.first; };
  std::sort(given.begin(), given.end(), by_key);
  const auto same_key = [](const auto& a, const auto& b) { return a.first == b.first; };
  if (const auto twice = std::adjacent_find(given.begin(), given.end(), same_key);
      twice != given.end()) {
    fail<ValueError>("load_state_dict: key ", twice->first, " is given twice");
  }

  std::vector<std::pair<const Tensor*, Tensor>> copies;  // to, from
  for (const auto& [key, tensor] : mine) {
    const auto at =
        std::lower_bound(given.begin(), given.end(),
                         std::pair<std::string_view, const Tensor*>(key, nullptr), by_key);
    if (at == given.end() || at->first != key) {
      report.missing.push_back(key);
      continue;
    }
    if (!at->second->defined())
      fail<ValueError>("load_state_dict: ", key, " is given an undefined tensor");
    check_match(key, tensor, *at->second, options.cast);
    copies.emplace_back(&tensor, *at->second);
  }
  if (options.strict) check_strict(report);
  std::set<const std::byte*> targets;
  for (const auto& [key, tensor] : mine) targets.insert(tensor.storage().data());
  for (auto& [to, from] : copies) {  // what is read must not be what another key has written
    const bool own = targets.contains(from.storage().data());
    if (own && !same_window(*to, from)) from = from.clone();
  }
  const WrittenBy writer("load_state_dict");
  for (const auto& [to, from] : copies) to->copy_(from);
  return report;
}

std::string Module::kind() const {
  const std::unique_ptr<char, decltype(&std::free)> readable(
      abi::__cxa_demangle(typeid(*this).name(), nullptr, nullptr, nullptr), &std::free);
  std::string name = readable ? readable.get() : typeid(*this).name();
  const std::size_t arguments = name.find('<');  // of a template; they may hold colons of their own
  const std::size_t colons = name.rfind("::", arguments);
  return colons == std::string::npos ? name : name.substr(colons + 2);
}

std::string to_string(const Module& module) {
  PlainText text;
  text << module;
  return text.str();
}

std::ostream& operator<<(std::ostream& out, const Module& module) {
  print(out, module, "");
  return out;
}

}  // namespace gradus
