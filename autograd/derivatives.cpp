// Everything but checkpoint() is inputs made leaves, the function called once, and backward passes with
// well-chosen seeds. checkpoint() is a node without a forward of its own: it holds the function, and
// makes the tape of it anew in backward.
#include <gradus/autograd/derivatives.h>
#include <gradus/autograd/engine.h>
#include <gradus/autograd/functions.h>
#include <gradus/autograd/op.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace gradus {
namespace {

/// While it lives, calls are recorded, whatever the caller's mode.
class Recorded : public GradMode {
 public:
  Recorded() : GradMode(true, Place()) {}
};

/// Leaves of the function's own; with create_graph views, which have the inputs' histories.
Variables own_inputs(std::string_view op, const Variables& inputs, bool create_graph) {
  if (inputs.empty()) fail<ValueError>(op, ": expects at least one input, got none");
  Variables own;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Variable& x = inputs[i];
    if (!x.defined()) fail<GradError>(op, ": input ", i, " is undefined");
    if (!is_floating(x.dtype())) {
      fail<DTypeError>(
          op, ": input ", i, " is ", describe(x.value()),
          ", and only float32 and float64 have derivatives; let the function capture it");
    }
    own.push_back(create_graph && x.requires_grad() ? reshape(x, x.shape())
                                                    : Variable(x.value(), true));
  }
  return own;
}

Variable result_of(std::string_view op, const DifferentiableFunction& function,
                   const Variables& inputs) {
  if (!function) fail<ValueError>(op, ": there is no function to call");
  Variable y = function(inputs);
  if (!y.defined()) fail<GradError>(op, ": the function gave an undefined Variable");
  if (!is_floating(y.dtype())) {
    fail<DTypeError>(op, ": the function gave ", describe(y.value()),
                     ", and only float32 and float64 have derivatives; cast with .to(float32)");
  }
  return y;
}

void check_one_number(std::string_view op, std::string_view what, const Variable& y) {
  if (y.numel() != 1)
    fail<ShapeError>(op, ": ", what, " must give one element, got shape ", y.shape());
}

/// `v` stands beside `x`.
void check_vector(std::string_view op, const std::string& name, const Variable& v,
                  std::string_view beside, const Variable& x) {
  if (!v.defined()) fail<ShapeError>(op, ": ", name, " is undefined, ", beside, " is ", x.shape());
  if (v.shape() != x.shape())
    fail<ShapeError>(op, ": ", name, " is ", v.shape(), ", ", beside, " is ", x.shape());
  if (v.dtype() != x.dtype()) {
    fail<DTypeError>(op, ": ", name, " is ", describe(v.value()), ", ", beside, " is ",
                     describe(x.value()), "; ", cast_to_match(v.dtype(), x.dtype()));
  }
}

void check_vectors(std::string_view op, const Variables& v, const Variables& inputs) {
  if (v.size() != inputs.size()) {
    fail<ShapeError>(op, ": ", v.size(), " vectors for ", inputs.size(),
                     " inputs; there must be one for each");
  }
  for (std::size_t i = 0; i < v.size(); ++i) {
    check_vector(op, "v[" + std::to_string(i) + "]", v[i], "input " + std::to_string(i), inputs[i]);
  }
}

/// Σ seed·d(output)/d(input) for each input, zeros where there is no way from one to the other. `history_for` as
/// in run_backward().
Variables pull_back(const Variables& outputs, const Variables& seeds, const Variables& inputs,
                    GradOptions options, std::string_view history_for = {}) {
  options.allow_unused = true;
  Variables with_history;
  Variables their_seeds;
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    if (!outputs[k].requires_grad()) continue;
    with_history.push_back(outputs[k]);
    their_seeds.push_back(seeds[k]);
  }
  Variables found = history_for.empty() ? grad(with_history, inputs, their_seeds, options)
                                        : run_backward(with_history, their_seeds, inputs, options,
                                                       true, history_for);
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!found[i].defined()) found[i] = zeros_like(inputs[i].value());
  return found;
}

/// The gradient of one number, to be differentiated: with a history even of what is linear, so that an op
/// without shows.
Variables recorded_gradient(std::string_view op, const Variable& y, const Variables& inputs) {
  const Variable seed(ones_like(y.value()), true);
  return pull_back({y}, {seed}, inputs, {.create_graph = true}, op);
}

/// A result as the caller gets it.
Variable handed_out(const Variable& y, bool create_graph) { return create_graph ? y : y.detach(); }

/// dy/dx for each of `inputs`, row by row.
Variables jacobian_of(std::string_view op, const Variable& y, const Variables& inputs,
                      bool create_graph) {
  std::vector<Variables> rows(inputs.size());
  std::vector<Shape> shapes(inputs.size(), y.shape());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (y.rank() + inputs[i].rank() > Shape::max_rank) {
      fail<ShapeError>(op, ": a result of shape ", y.shape(), " and then ", inputs[i].shape(),
                       " would have more than ", Shape::max_rank, " dimensions; flatten one");
    }
    for (const std::int64_t size : inputs[i].shape()) shapes[i].push_back(size);
  }
  for (std::int64_t k = 0; k < y.numel(); ++k) {
    const Tensor unit = zeros({y.numel()}, y.dtype());
    unit.narrow(0, k, 1).fill_(1);
    const Variables row = pull_back({y}, {unit.reshape(y.shape())}, inputs,
                                    {.retain_graph = true, .create_graph = create_graph});
    for (std::size_t i = 0; i < inputs.size(); ++i) rows[i].push_back(row[i]);
  }
  Variables all;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    all.push_back(rows[i].empty() ? Variable(zeros(shapes[i], y.dtype()))
                                  : reshape(stack(rows[i]), shapes[i]));
  }
  return all;
}

}  // namespace

VjpResult vjp(const DifferentiableFunction& function, const Variables& inputs, const Variable& v,
              const DerivativeOptions& options) {
  const Recorded recorded;
  const Variables x = own_inputs("vjp", inputs, options.create_graph);
  const Variable y = result_of("vjp", function, x);
  if (v.defined()) {
    check_vector("vjp", "v", v, "the output", y);
  } else {
    check_one_number("vjp", "without v the function", y);
  }
  const Variable seed = v.defined() ? v : Variable(ones_like(y.value()));
  Variables gradients = pull_back({y}, {seed}, x, {.create_graph = options.create_graph});
  return {handed_out(y, options.create_graph), std::move(gradients)};
}

JvpResult jvp(const DifferentiableFunction& function, const Variables& inputs, const Variables& v,
              const DerivativeOptions& options) {
  const Recorded recorded;
  const Variables x = own_inputs("jvp", inputs, options.create_graph);
  check_vectors("jvp", v, x);
  const Variable y = result_of("jvp", function, x);
  // uᵀJ is linear in u: any u has the derivative. With ones, a term that lost its history shows.
  const Variable u(ones_like(y.value()), true);
  const Variables pulled = pull_back({y}, {u}, x, {.create_graph = true}, "jvp");
  const Variable tangent =
      pull_back(pulled, v, {u}, {.create_graph = options.create_graph}).front();
  return {handed_out(y, options.create_graph), tangent};
}

Variables jacobian(const DifferentiableFunction& function, const Variables& inputs,
                   const DerivativeOptions& options) {
  const Recorded recorded;
  const Variables x = own_inputs("jacobian", inputs, options.create_graph);
  return jacobian_of("jacobian", result_of("jacobian", function, x), x, options.create_graph);
}

std::vector<Variables> hessian(const DifferentiableFunction& function, const Variables& inputs,
                               const DerivativeOptions& options) {
  const Recorded recorded;
  const Variables x = own_inputs("hessian", inputs, options.create_graph);
  const Variable y = result_of("hessian", function, x);
  check_one_number("hessian", "the function", y);
  std::vector<Variables> rows;
  for (const Variable& gradient : recorded_gradient("hessian", y, x))
    rows.push_back(jacobian_of("hessian", gradient, x, options.create_graph));
  return rows;
}

HvpResult hvp(const DifferentiableFunction& function, const Variables& inputs, const Variables& v,
              const DerivativeOptions& options) {
  const Recorded recorded;
  const Variables x = own_inputs("hvp", inputs, options.create_graph);
  check_vectors("hvp", v, x);
  const Variable y = result_of("hvp", function, x);
  check_one_number("hvp", "the function", y);
  Variables product =
      pull_back(recorded_gradient("hvp", y, x), v, x, {.create_graph = options.create_graph});
  return {handed_out(y, options.create_graph), std::move(product)};
}

Variables detail::per_sample_gradients(const std::function<Variable(const Variable&)>& model,
                                       const Variables& parameters, const SampleLoss& loss,
                                       const Tensor& x, const Tensor& labels) {
  constexpr std::string_view op = "per_sample_gradients";
  if (!x.defined() || x.rank() == 0)
    fail<ShapeError>(op, ": expects x of shape [N,...], got ", describe(x));
  if (!labels.defined() || labels.rank() == 0 || labels.size(0) != x.size(0)) {
    fail<ShapeError>(op, ": expects labels of shape [", x.size(0), ",...], for x of ", x.shape(),
                     ", got ", describe(labels));
  }
  if (!loss) fail<ValueError>(op, ": there is no loss to call");
  const Recorded recorded;
  Variables trained;
  for (const Variable& parameter : parameters)
    if (parameter.requires_grad()) trained.push_back(parameter);
  std::vector<Variables> rows(trained.size());
  for (std::int64_t n = 0; n < x.size(0); ++n) {
    const Variable y = loss(model(x.narrow(0, n, 1)), labels.narrow(0, n, 1));
    if (!y.defined()) fail<GradError>(op, ": the loss gave an undefined Variable");
    check_one_number(op, "the loss of a sample", y);
    const Variables row = pull_back({y}, {ones_like(y.value())}, trained, {});
    for (std::size_t i = 0; i < row.size(); ++i) rows[i].push_back(row[i]);
  }
  Variables all;
  std::size_t next = 0;
  for (const Variable& parameter : parameters) {
    if (!parameter.requires_grad()) {
      all.emplace_back();
      continue;
    }
    Shape none{0};
    for (const std::int64_t size : parameter.shape()) none.push_back(size);
    const Variables& mine = rows[next++];
    all.push_back(mine.empty() ? Variable(zeros(none, parameter.dtype())) : stack(mine));
  }
  return all;
}

// ---- checkpoint ----

namespace {

constinit thread_local bool recomputing = false;

/// While it lives, a function runs again, on the random numbers that it had.
class SecondRun {
 public:
  explicit SecondRun(const Generator& random)
      : was_recomputing_(std::exchange(recomputing, true)),
        random_now_(std::exchange(default_generator(), random)) {}
  ~SecondRun() {
    recomputing = was_recomputing_;
    default_generator() = random_now_;
  }
  SecondRun(const SecondRun&) = delete;
  SecondRun& operator=(const SecondRun&) = delete;

 private:
  bool was_recomputing_;
  Generator random_now_;
};

/// Nodes made from now on have a greater number.
std::uint64_t latest_node() { return Node::make("none", Place())->number; }

/// Where a tape that was made after node `start` leads to what is older.
struct Exit {
  Node* from;
  std::size_t input;
  std::shared_ptr<Node> to;
};

std::vector<Exit> exits_of(const Variable& output, std::uint64_t start) {
  std::vector<Exit> exits;
  std::unordered_set<const Node*> seen;
  std::vector<Node*> open;
  const auto visit = [&](Node* node) {
    if (seen.insert(node).second) open.push_back(node);
  };
  if (output.node() != nullptr && output.node()->number > start) visit(output.node().get());
  while (!open.empty()) {
    Node* const node = open.back();
    open.pop_back();
    for (std::size_t i = 0; i < node->inputs.size(); ++i) {
      const std::shared_ptr<Node>& input = node->inputs[i];
      if (input == nullptr) continue;
      if (input->number > start) {
        visit(input.get());
      } else {
        exits.push_back({node, i, input});
      }
    }
  }
  return exits;
}

/// While it lives, the tape behind `output` ends where it leads to nodes that are no newer than `start`:
/// a leaf stands for each of them. So a backward pass can run through this part of a tape alone.
class CutTape {
 public:
  CutTape(const Variable& output, std::uint64_t start) : exits_(exits_of(output, start)) {
    for (const Exit& exit : exits_) {
      Variable& leaf = leaves_[exit.to.get()];
      if (!leaf.defined()) {
        const std::shared_ptr<Node> node = Node::make("leaf", exit.to->at);
        node->is_leaf = true;
        node->number = exit.to->number;  // older than all of this tape, or it would run too early
        leaf = Variable::attach(zeros({}, exit.to->dtype).expand(exit.to->shape), node);
      }
      exit.from->inputs[exit.input] = leaf.node();
    }
  }
  ~CutTape() {
    for (Exit& exit : exits_) exit.from->inputs[exit.input] = std::move(exit.to);
  }
  CutTape(const CutTape&) = delete;
  CutTape& operator=(const CutTape&) = delete;

  /// What stands for `node`; undefined where the tape does not lead there.
  Variable leaf_for(const Node* node) const {
    const auto found = leaves_.find(node);
    return found == leaves_.end() ? Variable() : found->second;
  }
  std::size_t leaf_count() const { return leaves_.size(); }

 private:
  std::vector<Exit> exits_;
  std::unordered_map<const Node*, Variable> leaves_{};
};

/// y = f(x, w), w being what f captured        dL/dx, dL/dw: by the tape of f, made again
struct Checkpoint final : Op {
  static constexpr std::string_view name = "checkpoint";
  DifferentiableFunction function;
  Variables inputs;
  Tensor output;
  Generator random;                  // the default generator, as it was before the call
  std::vector<const Node*> sources;  // what y depends on; the node's inputs

  Checkpoint(DifferentiableFunction f, Variables x, Tensor y, const Generator& before)
      : function(std::move(f)), inputs(std::move(x)), output(std::move(y)), random(before) {}

  Variables backward(const Variable& dy) override {
    const bool create_graph = grad_enabled();
    const Recorded recorded;
    const std::uint64_t start = latest_node();
    const Variable y = run_again();
    // Cut off, this tape is left by no gradient, runs no hooks of others and frees nothing of theirs. What
    // second derivatives need of the true edges is there again afterwards.
    const CutTape tape(y, start);
    Variables wanted;
    std::vector<std::size_t> places;
    std::vector<std::size_t> missing;
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const Variable leaf = tape.leaf_for(sources[i]);
      if (!leaf.defined() && sources[i]->is_wanted()) missing.push_back(i);
      if (!leaf.defined()) continue;
      wanted.push_back(leaf);
      places.push_back(i);
    }
    if (wanted.size() != tape.leaf_count()) {
      fail<GradError>("checkpoint: run again in backward, the function depends on ",
                      tape.leaf_count(), " Variables, ", tape.leaf_count() - wanted.size(),
                      " of them new; at first it was ", sources.size());
    }
    if (!missing.empty()) {
      fail<GradError>("checkpoint: run again in backward, the function no longer depends on ",
                      sources[missing[0]]->text(), ", as it did at first; ", missing.size(), " of ",
                      sources.size(), " Variables would get no gradient");
    }
    Variables gradients(sources.size());
    if (wanted.empty()) return gradients;
    Variables found = run_backward({y}, {dy}, wanted, {.create_graph = create_graph});
    for (std::size_t i = 0; i < found.size(); ++i) gradients[places[i]] = std::move(found[i]);
    return gradients;
  }

  Variable run_again() const {
    const SecondRun again(random);
    Variable y = function(inputs);
    if (!y.defined() || !core::equal(y.value(), output)) {
      fail<GradError>("checkpoint: run again in backward, the function gave other numbers, ",
                      y.defined() ? describe(y.value()) : "undefined", " for ", describe(output),
                      ": what it reads was changed, or it draws from a generator of its own");
    }
    return y;
  }
};

}  // namespace

bool is_recomputing() { return recomputing; }

Variable checkpoint(const DifferentiableFunction& function, const Variables& inputs, Place at) {
  if (!function) fail<ValueError>("checkpoint: there is no function to call");
  const Generator random = default_generator();
  const std::uint64_t start = latest_node();
  // Recorded, so that it is known what the result depends on; that tape is then dropped.
  const Variable y = function(inputs);
  if (!y.defined()) fail<GradError>("checkpoint: the function gave an undefined Variable");
  const std::vector<Exit> exits = exits_of(y, start);
  if (exits.empty()) return y;

  auto op = std::make_unique<Checkpoint>(function, inputs, y.value(), random);
  const std::shared_ptr<Node> node = Node::make(Checkpoint::name, at);
  std::vector<Tensor> captured;
  for (const Exit& exit : exits) {
    if (std::ranges::find(op->sources, exit.to.get()) != op->sources.end()) continue;
    op->sources.push_back(exit.to.get());
    node->inputs.push_back(exit.to);
    captured.push_back(exit.to->leaf_value());
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined()) continue;
    const Tensor& numbers = inputs[i].value();
    node->kept.push_back({numbers, numbers.storage().version(), nullptr, i});
  }
  for (const Tensor& numbers : captured) {
    if (numbers.defined())
      node->kept.push_back({numbers, numbers.storage().version(), "captured Variable"});
  }
  node->kept.push_back({y.value(), y.value().storage().version(), "output"});
  node->adopt(std::move(op));
  return Variable::attach(y.value(), node);
}

}  // namespace gradus
