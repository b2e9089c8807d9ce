// The values of a graph have numbers, given once; a run fills a list of Variables, and drops each behind its last use.
#include <gradus/autograd/functions.h>
#include <gradus/core/words.h>
#include <gradus/interchange/detail/layers_of_graph.h>
#include <gradus/interchange/graph_net.h>
#include <gradus/interchange/operators/call.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

namespace gradus::interchange {

/// A module of modules and tensors by name, which holds what dots in names say.
class GraphScope final : public Module {
 public:
  std::vector<std::pair<std::string, Variable>> parameters_here;
  std::vector<std::pair<std::string, Tensor>> buffers_here;
  std::vector<std::pair<std::string, std::unique_ptr<Module>>> children;

  void visit(Visitor& v) override {
    for (auto& [name, parameter] : parameters_here) v(name, parameter);
    for (auto& [name, buffer] : buffers_here) v(name, buffer);
    for (auto& [name, child] : children) v(name, *child);
  }
  Variable forward(const Variable&) override {
    fail<ValueError>("GraphNet: a part of the net holds names; only the whole computes");
  }

  bool is_taken(const std::string& name) const {
    const auto same = [&](const auto& member) { return member.first == name; };
    return std::any_of(parameters_here.begin(), parameters_here.end(), same) ||
           std::any_of(buffers_here.begin(), buffers_here.end(), same) ||
           std::any_of(children.begin(), children.end(), same);
  }
  std::string free_name(std::string name) const {
    while (is_taken(name)) name += '_';
    return name;
  }

  GraphScope* scope_called(const std::string& name) {
    for (auto& [known, child] : children) {
      if (known == name) return dynamic_cast<GraphScope*>(child.get());
    }
    return nullptr;
  }

  /// The scope of that name within this one, made where there is none. Where the name was taken by something else, the
  /// scope that was made for it has '_' behind: one for all that say the name.
  GraphScope& within(std::string name) {
    for (;; name += '_') {
      if (GraphScope* scope = scope_called(name)) return *scope;
      if (!is_taken(name)) break;
    }
    auto made = std::make_unique<GraphScope>();
    GraphScope& scope = *made;
    children.emplace_back(name, std::move(made));
    return scope;
  }
};

namespace {

/// "a.b.c" -> {"a","b","c"}, each fit to be a name.
std::vector<std::string> parts_of(const std::string& name) {
  std::string text = without_controls(name);
  if (!is_utf8(text)) {
    std::replace_if(
        text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) > 0x7e; }, '?');
  }
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find('.', begin), text.size());
    parts.push_back(end == begin ? "_" : text.substr(begin, end - begin));
    begin = end + 1;
  }
  // A module in a module costs a call each: what is deeper than any net has stays one name.
  constexpr std::size_t deepest = 32;
  while (parts.size() > deepest) {
    parts[deepest - 1] += "_" + parts[deepest];
    parts.erase(parts.begin() + deepest);
  }
  if (parts[0] == "training") parts[0] = "training_";
  return parts;
}

/// What a layer is called: as its weights are ("features.0" of "features.0.weight"), as its node, or by its place.
std::string name_of_layer(const GraphLayer& layer, const Graph& graph) {
  for (const LayerWeight& weight : layer.weights) {
    const std::string ending = "." + weight.member;
    if (weight.constant.ends_with(ending) && weight.constant.size() > ending.size())
      return weight.constant.substr(0, weight.constant.size() - ending.size());
  }
  const GraphNode& node = graph.nodes[layer.nodes[0]];
  if (node.name.empty()) return text_of(node.op, "_", layer.nodes[0]);
  std::string name = node.name;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

}  // namespace

struct GraphNet::Parts {
  /// What is computed: a node, or a layer in the place of one or two.
  struct Step {
    std::size_t node = 0;
    Module* layer = nullptr;
    Operator run = nullptr;
    std::vector<std::size_t> inputs;   // numbers of values; `none` for one left out
    std::vector<std::size_t> outputs;  // likewise
    std::vector<std::size_t> last_of;  // values that nothing takes any more
    std::string place;
  };
  /// A constant that is no layer's: a parameter or a buffer.
  struct Held {
    std::size_t value;
    std::string constant;
    GraphScope* scope;
    bool trained;
    std::size_t at;  // in the scope's list
  };
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  Graph graph;
  GraphScope root;
  std::vector<GraphLayer> layers;  // their modules are in the scopes
  std::vector<Module*> layer_modules;
  std::vector<Step> steps;
  std::vector<Held> held;
  std::map<std::string, std::size_t> numbers;
  std::vector<std::size_t> input_numbers;
  std::vector<std::size_t> output_numbers;
  // What the file has as float32, if anything: a weight of a layer, else a constant.
  Variable narrow_weight;
  std::size_t narrow_held = none;

  explicit Parts(Graph from) : graph(std::move(from)) {
    hoist_constants(graph);
    check_operators();
    const GraphFacts facts(graph);
    const std::set<std::size_t> within_layers = find_layers(facts);
    number_values();
    hold_constants();
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      if (!within_layers.contains(i)) add_step(i);
    }
    find_last_uses();
    restore_batches();
    // The tensors live on in the modules: graph() takes them from there.
    for (auto& [name, tensor] : graph.constants) tensor = Tensor();
  }

  /// How often batch norms were trained is no constant: who exported them wrote it beside the graph.
  void restore_batches() {
    const NamedTensors state = root.state_dict();
    for (const auto& [name, text] : graph.metadata) {
      const std::string& key = name;  // clang 14 captures no binding
      const auto found = std::find_if(state.begin(), state.end(), [&](const auto& member) {
        return member.first == key && key.ends_with("num_batches_tracked");
      });
      std::int64_t batches = 0;
      const char* end = text.data() + text.size();
      const auto [stop, error] = std::from_chars(text.data(), end, batches);
      const bool is_count = error == std::errc() && stop == end && batches >= 0;
      if (found != state.end() && is_count && found->second.dtype() == int64 &&
          found->second.rank() == 0)
        found->second.fill_(static_cast<double>(batches));
    }
  }

  void check_operators() const {
    if (graph.outputs.empty()) fail<ValueError>("GraphNet: has 0 outputs, 1 or more expected");
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      const GraphNode& node = graph.nodes[i];
      if (!node.domain.empty())
        fail<BadDataError>(place_of(node, i), ": is of another set of operators than ONNX's own");
      if (find_operator(node.op) == nullptr) {
        fail<BadDataError>(place_of(node, i), ": this operator is not known",
                           did_you_mean(node.op, operator_names()));
      }
    }
  }

  /// Makes the layers; which nodes they take in beside their own.
  std::set<std::size_t> find_layers(const GraphFacts& facts) {
    std::set<std::size_t> within;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      if (within.contains(i)) continue;
      const std::string place = place_of(graph.nodes[i], i);
      const ErrorScope scope(place);
      auto layer = layer_of(graph, facts, i);
      if (!layer) continue;
      for (std::size_t k = 1; k < layer->nodes.size(); ++k) within.insert(layer->nodes[k]);
      layers.push_back(std::move(*layer));
    }
    for (GraphLayer& layer : layers) {
      std::vector<std::string> path = parts_of(name_of_layer(layer, graph));
      GraphScope* scope = &root;
      for (std::size_t k = 0; k + 1 < path.size(); ++k) scope = &scope->within(path[k]);
      layer_modules.push_back(layer.module.get());
      for (const Variable& parameter : layer.module->parameters())
        if (parameter.value().dtype() == float32) narrow_weight = parameter;
      scope->children.emplace_back(scope->free_name(path.back()), std::move(layer.module));
    }
    return within;
  }

  std::size_t give(const std::string& name, const std::string& place) {
    if (name.empty()) return none;
    const auto [at, fresh] = numbers.emplace(name, numbers.size());
    if (!fresh) fail<BadDataError>(place, ": gives ", in_quotes(name), ", which was given before");
    return at->second;
  }

  std::size_t take(const std::string& name, const std::string& place) const {
    if (name.empty()) return none;
    const auto found = numbers.find(name);
    if (found == numbers.end())
      fail<BadDataError>(place, ": takes ", in_quotes(name), ", which nothing before it gives");
    return found->second;
  }

  void number_values() {
    for (const auto& [name, tensor] : graph.constants) give(name, "constant");
    for (const GraphValue& input : graph.inputs) input_numbers.push_back(give(input.name, "input"));
  }

  void hold_constants() {
    const std::set<std::string> trained = trained_constants(graph);
    std::set<std::string> of_layers;
    for (const GraphLayer& layer : layers) {
      for (const LayerWeight& weight : layer.weights) of_layers.insert(weight.constant);
    }
    for (const auto& [name, tensor] : graph.constants) {
      if (of_layers.contains(name)) continue;
      std::vector<std::string> path = parts_of(name);
      GraphScope* scope = &root;
      for (std::size_t k = 0; k + 1 < path.size(); ++k) scope = &scope->within(path[k]);
      const std::string last = scope->free_name(path.back());
      const bool is_trained = trained.contains(name);
      const std::size_t at =
          is_trained ? scope->parameters_here.size() : scope->buffers_here.size();
      if (!is_trained && is_floating(tensor.dtype()) && !is_fixed(name))
        graph.fixed.push_back(name);
      if (is_trained) {
        scope->parameters_here.emplace_back(last, Variable(tensor.clone(), true));
      } else {
        scope->buffers_here.emplace_back(last, tensor.clone());
      }
      if (tensor.dtype() == float32) narrow_held = held.size();
      held.push_back({numbers.at(name), name, scope, is_trained, at});
    }
  }

  bool is_fixed(const std::string& name) const {
    return std::find(graph.fixed.begin(), graph.fixed.end(), name) != graph.fixed.end();
  }

  void add_step(std::size_t index) {
    const GraphNode& node = graph.nodes[index];
    Step step;
    step.node = index;
    step.place = place_of(node, index);
    const auto is_here = [&](const GraphLayer& layer) { return layer.nodes[0] == index; };
    const auto layer = std::find_if(layers.begin(), layers.end(), is_here);
    if (layer != layers.end()) {
      step.layer = layer_modules[static_cast<std::size_t>(layer - layers.begin())];
      step.inputs.push_back(take(layer->input, step.place));
      step.outputs.push_back(give(layer->output, step.place));
    } else {
      step.run = find_operator(node.op);
      for (const std::string& input : node.inputs) step.inputs.push_back(take(input, step.place));
      for (const std::string& output : node.outputs)
        step.outputs.push_back(give(output, step.place));
    }
    steps.push_back(std::move(step));
  }

  void find_last_uses() {
    for (const GraphValue& output : graph.outputs)
      output_numbers.push_back(take(output.name, "output"));
    std::set<std::size_t> seen(output_numbers.begin(), output_numbers.end());
    for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
      for (const auto* list : {&step->inputs, &step->outputs}) {
        for (const std::size_t value : *list) {
          if (value != none && seen.insert(value).second) step->last_of.push_back(value);
        }
      }
    }
  }

  Variable current(const Held& h) const {
    return h.trained ? h.scope->parameters_here[h.at].second
                     : Variable(h.scope->buffers_here[h.at].second);
  }

  /// float64 for float32: inputs that are so where the graph says otherwise, or weights that were converted.
  bool is_wide(const Variables& inputs) const {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (graph.inputs[i].dtype == float32 && inputs[i].value().dtype() == float64) return true;
    }
    if (narrow_weight.defined()) return narrow_weight.value().dtype() == float64;
    return narrow_held != none && current(held[narrow_held]).value().dtype() == float64;
  }

  void check_input(const GraphValue& wanted, const Variable& given) const {
    const Tensor& x = given.value();
    const auto describe_wanted = [&] { return text_of("input ", in_quotes(wanted.name)); };
    if (x.dtype() != wanted.dtype && !(is_floating(x.dtype()) && is_floating(wanted.dtype))) {
      fail<DTypeError>("GraphNet: ", describe_wanted(), " is ", wanted.dtype, ", got ",
                       describe(x));
    }
    if (!wanted.has_shape) return;
    bool fits = x.rank() == static_cast<int>(wanted.shape.size());
    for (int d = 1; fits && d < x.rank(); ++d) {
      const std::int64_t size = wanted.shape[static_cast<std::size_t>(d)];
      fits = size < 0 || size == x.shape()[d];
    }
    if (fits) return;
    std::vector<std::string> sizes;
    for (const std::int64_t size : wanted.shape) sizes.push_back(size < 0 ? "?" : text_of(size));
    fail<ShapeError>("GraphNet: ", describe_wanted(), " has sizes [", joined(sizes), "], got ",
                     describe(x));
  }

  void run(const Step& step, std::vector<Variable>& values, bool training, bool wide) const {
    if (step.layer != nullptr) {
      values[step.outputs[0]] = (*step.layer)(values[step.inputs[0]]);
      return;
    }
    Variables inputs;
    for (const std::size_t input : step.inputs)
      inputs.push_back(input == none ? Variable() : values[input]);
    const GraphNode& node = graph.nodes[step.node];
    const Variables results = step.run({node, graph.opset, inputs, training, wide});
    for (std::size_t i = 0; i < step.outputs.size(); ++i) {
      if (step.outputs[i] == none) continue;
      if (i >= results.size()) {
        fail<BadDataError>(node.op, ": gives ", results.size(), " outputs, the node has ",
                           step.outputs.size());
      }
      values[step.outputs[i]] = results[i];
    }
  }
};

GraphNet::GraphNet(Graph graph) : parts_(std::make_unique<Parts>(std::move(graph))) {}
GraphNet::GraphNet(GraphNet&& other) noexcept = default;
GraphNet& GraphNet::operator=(GraphNet&& other) noexcept = default;
GraphNet::~GraphNet() = default;

Graph GraphNet::graph() const {
  Graph result = parts_->graph;
  std::map<std::string, Tensor> now;
  for (const Parts::Held& h : parts_->held) now[h.constant] = parts_->current(h).value().clone();
  for (std::size_t i = 0; i < parts_->layers.size(); ++i) {
    for (const LayerWeight& weight : parts_->layers[i].weights) {
      const Tensor member = member_of(*parts_->layer_modules[i], weight.member);
      now[weight.constant] = (weight.transposed ? member.transpose(0, 1) : member).clone();
    }
  }
  for (auto& [name, tensor] : result.constants) tensor = now.at(name);
  return result;
}

void GraphNet::visit(Visitor& v) { parts_->root.visit(v); }

std::string GraphNet::extra() const {
  return text_of(parts_->graph.nodes.size(), " nodes, opset ", parts_->graph.opset);
}

Variables GraphNet::forward_all(const Variables& inputs) {
  const Graph& graph = parts_->graph;
  if (inputs.size() != graph.inputs.size()) {
    fail<ValueError>("GraphNet: takes ", graph.inputs.size(), " inputs, got ", inputs.size());
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) parts_->check_input(graph.inputs[i], inputs[i]);
  const bool wide = parts_->is_wide(inputs);
  std::vector<Variable> values(parts_->numbers.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) values[parts_->input_numbers[i]] = inputs[i];
  for (const Parts::Held& h : parts_->held) {
    const Variable constant = parts_->current(h);
    const bool widen = wide && constant.value().dtype() == float32;
    values[h.value] = widen ? cast(constant, float64) : constant;
  }
  for (const Parts::Step& step : parts_->steps) {
    const ErrorScope scope(step.place);
    parts_->run(step, values, is_training(), wide);
    for (const std::size_t value : step.last_of) values[value] = Variable();
  }
  Variables outputs;
  for (const std::size_t output : parts_->output_numbers) outputs.push_back(values[output]);
  return outputs;
}

}  // namespace gradus::interchange
