// RNN, GRU and LSTM: sequences of one or both directions, with peepholes, limits, lengths of their own and the
// activations that a node names.
//
//   RNN   h = f(x·Wᵀ + h·Rᵀ + b)
//   GRU   z, r = f(x·Wᵀ + h·Rᵀ + b),  n = g(x·Wₙᵀ + (r∘h)·Rₙᵀ + b),  h = (1-z)∘n + z∘h;
//         with linear_before_reset the n takes r∘(h·Rₙᵀ + bᵣ)
//   LSTM  i, o, f = f(x·Wᵀ + h·Rᵀ + p∘c + b),  c = f∘c + i∘g(x·W꜀ᵀ + h·R꜀ᵀ + b),  h = o∘h(c)
#include <gradus/core/words.h>
#include <gradus/interchange/operators/call.h>

namespace gradus::interchange {
namespace {

/// A named activation with its numbers.
struct GateFunction {
  std::string name;
  std::optional<double> alpha, beta;

  /// In small letters: files write "Tanh" and "tanh".
  std::string known_name() const {
    std::string known = name;
    for (char& letter : known) letter = static_cast<char>(letter | 0x20);
    return known;
  }
  bool has_beta() const {
    const std::string known = known_name();
    return known == "affine" || known == "scaledtanh" || known == "hardsigmoid";
  }
  bool has_alpha() const {
    const std::string known = known_name();
    return has_beta() || known == "leakyrelu" || known == "elu" || known == "thresholdedrelu";
  }

  Variable operator()(const Call& call, const Variable& x) const {
    const std::string known = known_name();
    if (known == "sigmoid") return sigmoid(x);
    if (known == "tanh") return tanh(x);
    if (known == "relu") return relu(x);
    if (known == "softsign") return softsign(x);
    if (known == "softplus") return softplus_of(x);
    if (known == "leakyrelu") return leaky_relu(x, alpha.value_or(0.01));
    if (known == "elu") return elu(x, alpha.value_or(1));
    if (known == "affine") return add(mul(x, alpha.value_or(1)), beta.value_or(0));
    if (known == "scaledtanh") return mul(tanh(mul(x, beta.value_or(1))), alpha.value_or(1));
    if (known == "thresholdedrelu") return thresholded_relu_of(x, alpha.value_or(1));
    if (known == "hardsigmoid") return hard_sigmoid_of(x, alpha.value_or(0.2), beta.value_or(0.5));
    call.refuse("activation ", in_quotes(name),
                "; known are Relu, Tanh, Sigmoid, Affine, LeakyRelu, ThresholdedRelu, ScaledTanh, "
                "HardSigmoid, Elu, Softsign and Softplus");
  }
};

/// The weights of one direction.
struct Direction {
  Variable w, r;            ///< [gates·H, in], [gates·H, H]
  Variable w_bias, r_bias;  ///< [gates·H]; undefined without
  Variable peephole;        ///< [3·H]; undefined without
  std::vector<GateFunction> functions;
};

/// What a cell of that kind does with x and the states, h first.
using CellStep = Variables (*)(const Call& call, const Direction& d, const Variable& x,
                               const Variables& states, std::int64_t hidden);

Variable limited(const Call& call, const Variable& x) {
  const double clip = call.real("clip", 0);
  return clip > 0 ? clamp(x, -clip, clip) : x;
}

Variable gate(const Variable& all, std::int64_t number, std::int64_t hidden) {
  return narrow(all, -1, number * hidden, hidden);
}

Variables rnn_step(const Call& call, const Direction& d, const Variable& x, const Variables& states,
                   std::int64_t) {
  const Variable sum = add(linear(x, d.w, d.w_bias), linear(states[0], d.r, d.r_bias));
  return {d.functions[0](call, limited(call, sum))};
}

Variables gru_step(const Call& call, const Direction& d, const Variable& x, const Variables& states,
                   std::int64_t hidden) {
  const Variable& h = states[0];
  const Variable from_x = linear(x, d.w, d.w_bias);
  const Variable from_h = linear(h, d.r, d.r_bias);
  const auto both = [&](std::int64_t number) {
    const Variable sum = add(gate(from_x, number, hidden), gate(from_h, number, hidden));
    return d.functions[0](call, limited(call, sum));
  };
  const Variable z = both(0);
  const Variable r = both(1);
  Variable recurrent = mul(r, gate(from_h, 2, hidden));
  if (!call.flag("linear_before_reset", false)) {
    const Variable bias = d.r_bias.defined() ? narrow(d.r_bias, 0, 2 * hidden, hidden) : Variable();
    recurrent = linear(mul(r, h), narrow(d.r, 0, 2 * hidden, hidden), bias);
  }
  const Variable n = d.functions[1](call, limited(call, add(gate(from_x, 2, hidden), recurrent)));
  return {add(mul(z, h), mul(1.0 - z, n))};
}

Variables lstm_step(const Call& call, const Direction& d, const Variable& x,
                    const Variables& states, std::int64_t hidden) {
  const Variable& c = states[1];
  const Variable sums = add(linear(x, d.w, d.w_bias), linear(states[0], d.r, d.r_bias));
  const auto peeking = [&](std::int64_t number, const Variable& cell) {
    const Variable sum = gate(sums, number, hidden);
    if (!d.peephole.defined()) return limited(call, sum);
    return limited(call, add(sum, mul(cell, narrow(d.peephole, 0, number * hidden, hidden))));
  };
  const Variable i = d.functions[0](call, peeking(0, c));
  const Variable f =
      call.flag("input_forget", false) ? 1.0 - i : d.functions[0](call, peeking(2, c));
  const Variable n = d.functions[1](call, limited(call, gate(sums, 3, hidden)));
  const Variable next = add(mul(f, c), mul(i, n));
  const Variable o = d.functions[0](call, peeking(1, next));
  return {mul(o, d.functions[2](call, next)), next};
}

/// What the three kinds differ in.
struct CellKind {
  std::int64_t gates;
  std::vector<std::string> functions;
  std::size_t states;
  CellStep step;
};

/// The named activations of direction `number`. The numbers of all directions are one list, in the order of those functions
/// that have such a number.
std::vector<GateFunction> functions_of(const Call& call, const CellKind& kind,
                                       std::int64_t directions, std::int64_t number) {
  std::vector<std::string> names = call.texts("activations");
  const std::size_t each = kind.functions.size();
  if (names.empty()) {
    for (std::int64_t d = 0; d < directions; ++d)
      names.insert(names.end(), kind.functions.begin(), kind.functions.end());
  }
  if (names.size() != each * static_cast<std::size_t>(directions)) {
    call.refuse(names.size(), " activations, ", each * static_cast<std::size_t>(directions),
                " expected");
  }
  const std::vector<double> alphas = call.reals("activation_alpha");
  const std::vector<double> betas = call.reals("activation_beta");
  std::size_t alpha = 0;
  std::size_t beta = 0;
  std::vector<GateFunction> functions;
  for (const std::string& name : names) {
    GateFunction f{name, {}, {}};
    if (f.has_alpha() && alpha < alphas.size()) f.alpha = alphas[alpha++];
    if (f.has_beta() && beta < betas.size()) f.beta = betas[beta++];
    functions.push_back(std::move(f));
  }
  if (alpha < alphas.size() || beta < betas.size()) {
    call.refuse(alphas.size(), " activation_alpha and ", betas.size(), " activation_beta, ", alpha,
                " and ", beta, " of these activations have such a number");
  }
  const auto first = functions.begin() + number * static_cast<std::int64_t>(each);
  return {first, first + static_cast<std::int64_t>(each)};
}

/// The lengths of sequences that have their own: 0 to T, one each.
void check_lengths(const Call& call, const Shape& x) {
  if (!call.has(4)) return;
  const Integers lengths = call.integers_in(4);
  if (std::ssize(lengths) != x[1])
    call.refuse("sequence_lens has ", lengths.size(), " lengths for ", x[1], " sequences");
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] < 0 || lengths[i] > x[0]) {
      call.refuse("sequence_lens: sequence ", i, " has ", lengths[i], " steps; 0 to ", x[0],
                  " are expected");
    }
  }
}

/// a where time t is within a sequence's length, else b; all [N,H].
Variable within(const Call& call, std::int64_t t, const Variable& a, const Variable& b) {
  if (!call.has(4)) return a;
  const Tensor lengths = call.in(4).value().reshape({-1, 1});
  return where(core::gt(lengths, static_cast<double>(t)), a, b);
}

/// One direction through x [T,N,in]: its outputs [T,N,H], and its last states.
std::pair<Variable, Variables> run_direction(const Call& call, const CellKind& kind,
                                             const Direction& d, const Variable& x,
                                             Variables states, bool backwards) {
  const std::int64_t steps = x.value().size(0);
  const std::int64_t hidden = states[0].value().size(1);
  Variables outputs(static_cast<std::size_t>(steps));
  const Variable nothing = zeros_like(states[0].value());
  for (std::int64_t i = 0; i < steps; ++i) {
    const std::int64_t t = backwards ? steps - 1 - i : i;
    const Variables next = kind.step(call, d, select(x, 0, t), states, hidden);
    for (std::size_t s = 0; s < states.size(); ++s) states[s] = within(call, t, next[s], states[s]);
    outputs[static_cast<std::size_t>(t)] = within(call, t, next[0], nothing);
  }
  return {stack(outputs, 0), states};
}

Variables run_cells(const Call& call, const CellKind& kind) {
  const bool batch_first = call.flag("layout", false);
  const Variable x = batch_first ? transpose(call.in(0), 0, 1) : call.in(0);
  const Variable& w = call.in(1);
  const Variable& r = call.in(2);
  const std::string way = call.text("direction", "forward");
  if (way != "forward" && way != "reverse" && way != "bidirectional")
    call.refuse("direction ", in_quotes(way), "; known are forward, reverse and bidirectional");
  const std::int64_t directions = way == "bidirectional" ? 2 : 1;
  if (x.value().rank() != 3 || w.value().rank() != 3 || r.value().rank() != 3 ||
      r.value().size(0) != directions || r.value().size(1) != kind.gates * r.value().size(2) ||
      w.value().size(1) != r.value().size(1) || x.value().size(0) < 1) {
    call.refuse("input ", describe(x.value()), ", W ", describe(w.value()), ", R ",
                describe(r.value()), "; [T,N,in], [", directions, ",", kind.gates, "·H,in] and [",
                directions, ",", kind.gates, "·H,H] are expected");
  }
  check_lengths(call, x.value().shape());
  const std::int64_t hidden = r.value().size(2);
  const std::int64_t all = kind.gates * hidden;
  const Shape state_shape{x.value().size(1), hidden};
  Variables sequences;
  std::vector<Variables> last(kind.states);
  for (std::int64_t k = 0; k < directions; ++k) {
    Direction d{
        select(w, 0, k), select(r, 0, k), {}, {}, {}, functions_of(call, kind, directions, k)};
    if (call.has(3)) {
      d.w_bias = narrow(select(call.in(3), 0, k), 0, 0, all);
      d.r_bias = narrow(select(call.in(3), 0, k), 0, all, all);
    }
    if (kind.states == 2 && call.has(7)) d.peephole = select(call.in(7), 0, k);
    Variables states;
    for (std::size_t s = 0; s < kind.states; ++s) {
      if (!call.has(5 + s)) {
        states.emplace_back(zeros(state_shape, x.value().dtype()));
      } else {
        states.push_back(select(call.in(5 + s), batch_first ? 1 : 0, k));
      }
    }
    auto [outputs, ends] = run_direction(call, kind, d, x, states, way == "reverse" || k == 1);
    sequences.push_back(outputs);
    for (std::size_t s = 0; s < kind.states; ++s) last[s].push_back(ends[s]);
  }
  // [T,D,N,H], or batch first [N,T,D,H]; states [D,N,H] or [N,D,H]
  const Variable y = stack(sequences, 1);
  Variables results{batch_first ? permute(y, {2, 0, 1, 3}) : y};
  for (const Variables& ends : last) results.push_back(stack(ends, batch_first ? 1 : 0));
  return results;
}

Variables rnn_node(const Call& call) { return run_cells(call, {1, {"Tanh"}, 1, rnn_step}); }
Variables gru_node(const Call& call) {
  return run_cells(call, {3, {"Sigmoid", "Tanh"}, 1, gru_step});
}
Variables lstm_node(const Call& call) {
  return run_cells(call, {4, {"Sigmoid", "Tanh", "Tanh"}, 2, lstm_step});
}

}  // namespace

std::vector<OperatorEntry> recurrent_operators() {
  return {{"GRU", gru_node}, {"LSTM", lstm_node}, {"RNN", rnn_node}};
}

}  // namespace gradus::interchange
