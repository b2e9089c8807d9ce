// The three steps, each a formula; one loop over layers, directions and time; and the cells.
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/layers/init.h>
#include <gradus/layers/recurrent.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace gradus {
namespace {

// ---- a step ----

Variable from_state(const Variable& h, const RecurrentWeights& w) {
  return linear(h, w.weight_hh, w.bias_hh);
}

/// Part `k` of [N, parts·H].
Variable gate(const Variable& all, std::int64_t k, std::int64_t size) {
  return narrow(all, -1, k * size, size);
}

Variables tanh_step(const Variable& input, const Variables& states, const RecurrentWeights& w) {
  return {tanh(input + from_state(states[0], w))};
}

Variables relu_step(const Variable& input, const Variables& states, const RecurrentWeights& w) {
  return {add(input, from_state(states[0], w), Activation::relu)};
}

Variables lstm_step(const Variable& input, const Variables& states, const RecurrentWeights& w) {
  const Variable all = input + from_state(states[0], w);
  const std::int64_t size = states[0].size(-1);
  const Variable c = sigmoid(gate(all, 1, size)) * states[1] +
                     sigmoid(gate(all, 0, size)) * tanh(gate(all, 2, size));
  return {sigmoid(gate(all, 3, size)) * tanh(c), c};
}

Variables gru_step(const Variable& input, const Variables& states, const RecurrentWeights& w) {
  const Variable& h = states[0];
  const Variable own = from_state(h, w);
  const std::int64_t size = h.size(-1);
  const Variable r = sigmoid(gate(input, 0, size) + gate(own, 0, size));
  const Variable z = sigmoid(gate(input, 1, size) + gate(own, 1, size));
  const Variable n = tanh(gate(input, 2, size) + r * gate(own, 2, size));
  return {n + z * (h - n)};
}

RecurrentFormula rnn_formula(std::string_view name, Nonlinearity nonlinearity) {
  return {name, 1, 1, nonlinearity == Nonlinearity::tanh ? tanh_step : relu_step};
}
RecurrentFormula lstm_formula(std::string_view name) { return {name, 4, 2, lstm_step}; }
RecurrentFormula gru_formula(std::string_view name) { return {name, 3, 1, gru_step}; }

RecurrentOptions without_nonlinearity(const RNNOptions& o) {
  return {.num_layers = o.num_layers,
          .bias = o.bias,
          .batch_first = o.batch_first,
          .dropout = o.dropout,
          .bidirectional = o.bidirectional};
}

// ---- parameters ----

void check_sizes_of(const RecurrentFormula& formula, std::int64_t input_size,
                    std::int64_t hidden_size) {
  if (input_size < 1 || hidden_size < 1) {
    fail<ValueError>(formula.name, ": sizes must be positive, got input_size ", input_size,
                     " and hidden_size ", hidden_size);
  }
}

RecurrentWeights new_weights(const RecurrentFormula& formula, std::int64_t input_size,
                             std::int64_t hidden_size, bool bias, Generator& generator) {
  const double bound = 1 / std::sqrt(static_cast<double>(hidden_size));
  const auto make = [&](const Shape& shape) {
    const Tensor numbers = Tensor::empty(shape);
    init::uniform_(numbers, -bound, bound, generator);
    return Variable(numbers, true);
  };
  const std::int64_t rows = formula.gates * hidden_size;
  RecurrentWeights weights;
  weights.weight_ih = make({rows, input_size});
  weights.weight_hh = make({rows, hidden_size});
  if (bias) weights.bias_ih = make({rows});
  if (bias) weights.bias_hh = make({rows});
  return weights;
}

void visit_weights(Visitor& v, RecurrentWeights& weights, const std::string& suffix) {
  v("weight_ih" + suffix, weights.weight_ih);
  v("weight_hh" + suffix, weights.weight_hh);
  v("bias_ih" + suffix, weights.bias_ih);
  v("bias_hh" + suffix, weights.bias_hh);
}

// ---- inputs ----

void check_input(const RecurrentFormula& formula, const Variables& inputs, std::string_view shapes,
                 int least_rank, std::int64_t input_size) {
  if (inputs.size() != 1 && inputs.size() != 1 + formula.states) {
    fail<ValueError>(formula.name, ": expects x, or x and ", formula.states,
                     formula.states == 1 ? " state" : " states", ", got ", inputs.size(),
                     " Variables");
  }
  const Variable& x = inputs[0];
  const bool fits = x.defined() && (x.rank() == least_rank || x.rank() == least_rank + 1) &&
                    x.size(-1) == input_size;
  if (!fits) {
    fail<ShapeError>(formula.name, ": expects x of shape ", shapes, " with ", input_size,
                     " features, got ", x.defined() ? describe(x.value()) : "undefined");
  }
}

/// Those that were given, or zeros.
Variables states_of(const RecurrentFormula& formula, const Variables& inputs, const Shape& shape) {
  Variables states;
  for (std::size_t k = 0; k < formula.states; ++k) {
    if (inputs.size() == 1) {
      states.push_back(zeros(shape, inputs[0].dtype()));
      continue;
    }
    const Variable& state = inputs[k + 1];
    if (!state.defined() || state.shape() != shape) {
      fail<ShapeError>(formula.name, ": expects state ", k, " of shape ", shape, ", got ",
                       state.defined() ? describe(state.value()) : "undefined");
    }
    states.push_back(state);
  }
  return states;
}

std::string print_sizes(std::int64_t input_size, std::int64_t hidden_size) {
  return std::to_string(input_size) + ", " + std::to_string(hidden_size);
}

}  // namespace

// ---- layers ----

Recurrent::Recurrent(const RecurrentFormula& formula, std::int64_t input_size,
                     std::int64_t hidden_size, const RecurrentOptions& options,
                     Generator& generator)
    : formula_(formula), input_size_(input_size), hidden_size_(hidden_size), options_(options) {
  check_sizes_of(formula, input_size, hidden_size);
  if (options.num_layers < 1)
    fail<ValueError>(formula.name, ": num_layers must be at least 1, got ", options.num_layers);
  if (!(options.dropout >= 0 && options.dropout <= 1)) {
    fail<ValueError>(formula.name, ": dropout must be between 0 and 1, got ", options.dropout);
  }
  const std::int64_t directions = options.bidirectional ? 2 : 1;
  for (std::int64_t layer = 0; layer < options.num_layers; ++layer) {
    const std::int64_t features = layer == 0 ? input_size : directions * hidden_size;
    for (std::int64_t d = 0; d < directions; ++d)
      layers_.push_back(new_weights(formula, features, hidden_size, options.bias, generator));
  }
}

void Recurrent::visit(Visitor& v) {
  const std::size_t directions = options_.bidirectional ? 2 : 1;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    std::string suffix = "_l" + std::to_string(i / directions);
    if (i % directions == 1) suffix += "_reverse";
    visit_weights(v, layers_[i], suffix);
  }
}

const RecurrentWeights& Recurrent::weights(std::int64_t layer, bool reverse) const {
  if (layer < 0 || layer >= options_.num_layers || (reverse && !options_.bidirectional)) {
    fail<ValueError>(formula_.name, ": num_layers is ", options_.num_layers, " and bidirectional ",
                     options_.bidirectional ? "true" : "false", ", asked for layer ", layer,
                     reverse ? ", reverse" : "");
  }
  const std::int64_t directions = options_.bidirectional ? 2 : 1;
  return layers_[static_cast<std::size_t>(layer * directions + (reverse ? 1 : 0))];
}

Variables Recurrent::forward_all(const Variables& inputs) {
  check_input(formula_, inputs, options_.batch_first ? "[N,L,in] or [L,in]" : "[L,N,in] or [L,in]",
              2, input_size_);
  const bool batched = inputs[0].rank() == 3;
  Variable x = inputs[0];
  if (!batched) x = unsqueeze(x, 1);
  if (batched && options_.batch_first) x = transpose(x, 0, 1);
  const std::int64_t steps = x.size(0);
  const std::int64_t batch = x.size(1);
  if (steps < 1)
    fail<ShapeError>(formula_.name, ": expects at least one step, got x of ", inputs[0].shape());
  const auto count = static_cast<std::int64_t>(layers_.size());
  Variables first = states_of(
      formula_, inputs, batched ? Shape{count, batch, hidden_size_} : Shape{count, hidden_size_});
  if (!batched) {
    for (Variable& state : first) state = unsqueeze(state, 1);
  }

  std::vector<Variables> last(formula_.states);  // of each layer and direction
  const std::size_t directions = options_.bidirectional ? 2 : 1;
  for (std::size_t layer = 0; layer < layers_.size(); layer += directions) {
    if (layer > 0 && is_training() && options_.dropout > 0)
      x = dropout(x, options_.dropout, default_generator());
    Variables ways;
    for (std::size_t d = 0; d < directions; ++d) {
      const RecurrentWeights& w = layers_[layer + d];
      const Variable all = linear(x, w.weight_ih, w.bias_ih);  // of all steps, [L,N,gates·H]
      Variables states;
      for (const Variable& state : first)
        states.push_back(select(state, 0, static_cast<std::int64_t>(layer + d)));
      Variables outputs(static_cast<std::size_t>(steps));
      for (std::int64_t t = 0; t < steps; ++t) {
        const std::int64_t at = d == 0 ? t : steps - 1 - t;
        states = formula_.step(select(all, 0, at), states, w);
        outputs[static_cast<std::size_t>(at)] = states[0];
      }
      ways.push_back(stack(outputs));
      for (std::size_t k = 0; k < states.size(); ++k) last[k].push_back(states[k]);
    }
    x = directions == 1 ? ways[0] : cat(ways, -1);
  }
  Variables results{x};
  for (const Variables& states : last) results.push_back(stack(states));
  if (!batched) {
    for (Variable& result : results) result = squeeze(result, 1);
  } else if (options_.batch_first) {
    results[0] = transpose(results[0], 0, 1);
  }
  return results;
}

std::string Recurrent::extra() const {
  PlainText text;
  text << print_sizes(input_size_, hidden_size_);
  if (options_.num_layers != 1) text << ", num_layers=" << options_.num_layers;
  if (!options_.bias) text << ", bias=False";
  if (options_.batch_first) text << ", batch_first=True";
  if (options_.dropout != 0) text << ", dropout=" << options_.dropout;
  if (options_.bidirectional) text << ", bidirectional=True";
  return text.str();
}

RNN::RNN(std::int64_t input_size, std::int64_t hidden_size, const RNNOptions& options,
         Generator& generator)
    : Recurrent(rnn_formula("RNN", options.nonlinearity), input_size, hidden_size,
                without_nonlinearity(options), generator),
      nonlinearity_(options.nonlinearity) {}

LSTM::LSTM(std::int64_t input_size, std::int64_t hidden_size, const RecurrentOptions& options,
           Generator& generator)
    : Recurrent(lstm_formula("LSTM"), input_size, hidden_size, options, generator) {}

GRU::GRU(std::int64_t input_size, std::int64_t hidden_size, const RecurrentOptions& options,
         Generator& generator)
    : Recurrent(gru_formula("GRU"), input_size, hidden_size, options, generator) {}

// ---- cells ----

RecurrentCell::RecurrentCell(const RecurrentFormula& formula, std::int64_t input_size,
                             std::int64_t hidden_size, bool bias, Generator& generator)
    : formula_(formula) {
  check_sizes_of(formula, input_size, hidden_size);
  weights = new_weights(formula, input_size, hidden_size, bias, generator);
}

void RecurrentCell::visit(Visitor& v) { visit_weights(v, weights, ""); }

Variables RecurrentCell::forward_all(const Variables& inputs) {
  check_input(formula_, inputs, "[N,in] or [in]", 1, weights.weight_ih.size(1));
  Shape shape = inputs[0].shape();
  shape[shape.rank() - 1] = weights.weight_hh.size(1);
  const Variables states = states_of(formula_, inputs, shape);
  return formula_.step(linear(inputs[0], weights.weight_ih, weights.bias_ih), states, weights);
}

std::string RecurrentCell::extra() const {
  return print_sizes(weights.weight_ih.size(1), weights.weight_hh.size(1)) +
         (weights.bias_ih.defined() ? "" : ", bias=False");
}

RNNCell::RNNCell(std::int64_t input_size, std::int64_t hidden_size, const RNNCellOptions& options,
                 Generator& generator)
    : RecurrentCell(rnn_formula("RNNCell", options.nonlinearity), input_size, hidden_size,
                    options.bias, generator),
      nonlinearity_(options.nonlinearity) {}

std::string RNNCell::extra() const {
  return RecurrentCell::extra() +
         (nonlinearity_ == Nonlinearity::tanh ? "" : ", nonlinearity=relu");
}

LSTMCell::LSTMCell(std::int64_t input_size, std::int64_t hidden_size, const CellOptions& options,
                   Generator& generator)
    : RecurrentCell(lstm_formula("LSTMCell"), input_size, hidden_size, options.bias, generator) {}

GRUCell::GRUCell(std::int64_t input_size, std::int64_t hidden_size, const CellOptions& options,
                 Generator& generator)
    : RecurrentCell(gru_formula("GRUCell"), input_size, hidden_size, options.bias, generator) {}

}  // namespace gradus
