// RNN, LSTM and GRU: a state that is carried from step to step of a sequence; and their cells, one step
// alone. Parameters have PyTorch's names and order: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0,
// then those of the way back with _reverse, then layer 1.
//
// Each is a MultiModule: lstm({x}) or lstm({x, h, c}) gives {y, h, c}, y being the last layer's states h at
// all steps, [L,N,D·H], and h and c the last ones of all layers, [D·layers,N,H], D = 2 if bidirectional.
// x is [L,N,in], with batch_first [N,L,in] (then y too), or without a batch [L,in]; states that are
// not given are zeros. What x contributes is one product for all steps; the rest is a loop on the tape.
//
// All parameters start with U(-1/√H, 1/√H).
#pragma once

#include <gradus/core/random.h>
#include <gradus/layers/module.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

enum class Nonlinearity { tanh, relu };

/// Options of LSTM and GRU.
struct RecurrentOptions {
  std::int64_t num_layers = 1;  ///< each takes what the one before gives
  bool bias = true;
  bool batch_first = false;
  double dropout = 0;  ///< in training, between layers
  bool bidirectional =
      false;  ///< a second one of each layer runs from the end; y has both, [.., 2·H]
};

/// Options of RNN.
struct RNNOptions {
  std::int64_t num_layers = 1;
  Nonlinearity nonlinearity = Nonlinearity::tanh;
  bool bias = true;
  bool batch_first = false;
  double dropout = 0;
  bool bidirectional = false;
};

/// Options of RNNCell.
struct RNNCellOptions {
  bool bias = true;
  Nonlinearity nonlinearity = Nonlinearity::tanh;
};

/// Options of LSTMCell and GRUCell.
struct CellOptions {
  bool bias = true;
};

/// What one layer computes a step with.
struct RecurrentWeights {
  Variable weight_ih;  ///< [gates·H, in]
  Variable weight_hh;  ///< [gates·H, H]
  Variable bias_ih;    ///< [gates·H], or undefined
  Variable bias_hh;    ///< likewise
};

/// From weight_ih·x + bias_ih of a step, [N, gates·H], and the states before it, [N,H] each, those after it.
using RecurrentStep = Variables (*)(const Variable& input, const Variables& states,
                                    const RecurrentWeights& weights);

/// A formula: how many gates and states it has, and its step.
struct RecurrentFormula {
  std::string_view name;
  std::int64_t gates;
  std::size_t states;
  RecurrentStep step;
};

/// Base of the three.
class Recurrent : public MultiModule {
 public:
  /// module({x}) is a list here: the call of one Variable, which gives one, is not among these.
  Variables operator()(const Variables& inputs, Place at = Place::here()) {
    return MultiModule::operator()(inputs, at);
  }
  void visit(Visitor& v) override;
  /// Throws ShapeError for another x or other states, ValueError for another number of them.
  Variables forward_all(const Variables& inputs) override;
  std::string extra() const override;

  /// Of layer `layer`; with `reverse` of its way back. Throws ValueError where there is none.
  const RecurrentWeights& weights(std::int64_t layer, bool reverse = false) const;
  std::int64_t hidden_size() const { return hidden_size_; }
  const RecurrentOptions& options() const { return options_; }

 protected:
  /// Throws ValueError unless all sizes are positive and 0 <= dropout <= 1.
  Recurrent(const RecurrentFormula& formula, std::int64_t input_size, std::int64_t hidden_size,
            const RecurrentOptions& options, Generator& generator);

 private:
  RecurrentFormula formula_;
  std::int64_t input_size_;
  std::int64_t hidden_size_;
  RecurrentOptions options_;
  std::vector<RecurrentWeights> layers_;  // with both directions: forth, back, forth, ...
};

/// h' = tanh(W_ih·x + b_ih + W_hh·h + b_hh), or with relu. rnn({x, h}) -> {y, h}
class RNN final : public Recurrent {
 public:
  RNN(std::int64_t input_size, std::int64_t hidden_size, const RNNOptions& options = {},
      Generator& generator = default_generator());

  Nonlinearity nonlinearity() const { return nonlinearity_; }

 private:
  Nonlinearity nonlinearity_;
};

/// i, f, o = σ(..), g = tanh(..);  c' = f·c + i·g,  h' = o·tanh(c'). Rows in the order i, f, g, o.
/// lstm({x, h, c}) -> {y, h, c}
/// Source: S. Hochreiter, J. Schmidhuber, "Long short-term memory", Neural Computation 9, 1997.
class LSTM final : public Recurrent {
 public:
  LSTM(std::int64_t input_size, std::int64_t hidden_size, const RecurrentOptions& options = {},
       Generator& generator = default_generator());
};

/// r, z = σ(..);  n = tanh(W_in·x + b_in + r·(W_hn·h + b_hn)),  h' = (1-z)·n + z·h. Rows: r, z, n.
/// gru({x, h}) -> {y, h}
/// Source: K. Cho et al., "Learning phrase representations using RNN encoder-decoder", EMNLP 2014.
class GRU final : public Recurrent {
 public:
  GRU(std::int64_t input_size, std::int64_t hidden_size, const RecurrentOptions& options = {},
      Generator& generator = default_generator());
};

/// Base of the cells: one step of one layer. cell({x, states...}) gives the states; x [N,in] or [in],
/// states [N,H] or [H], zeros where they are not given.
class RecurrentCell : public MultiModule {
 public:
  RecurrentWeights weights;  ///< named weight_ih, weight_hh, bias_ih, bias_hh

  /// module({x}) is a list here: the call of one Variable, which gives one, is not among these.
  Variables operator()(const Variables& inputs, Place at = Place::here()) {
    return MultiModule::operator()(inputs, at);
  }
  void visit(Visitor& v) override;
  /// Throws as Recurrent does.
  Variables forward_all(const Variables& inputs) override;
  std::string extra() const override;

 protected:
  RecurrentCell(const RecurrentFormula& formula, std::int64_t input_size, std::int64_t hidden_size,
                bool bias, Generator& generator);

 private:
  RecurrentFormula formula_;
};

/// cell({x, h}) -> {h}
class RNNCell final : public RecurrentCell {
 public:
  RNNCell(std::int64_t input_size, std::int64_t hidden_size, const RNNCellOptions& options = {},
          Generator& generator = default_generator());
  std::string extra() const override;

 private:
  Nonlinearity nonlinearity_;
};

/// cell({x, h, c}) -> {h, c}
class LSTMCell final : public RecurrentCell {
 public:
  LSTMCell(std::int64_t input_size, std::int64_t hidden_size, const CellOptions& options = {},
           Generator& generator = default_generator());
};

/// cell({x, h}) -> {h}
class GRUCell final : public RecurrentCell {
 public:
  GRUCell(std::int64_t input_size, std::int64_t hidden_size, const CellOptions& options = {},
          Generator& generator = default_generator());
};

}  // namespace gradus
