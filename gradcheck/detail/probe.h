// Probe: the function under test, at one point, with copies of its inputs that may be moved.
#pragma once

#include <gradus/autograd/held_still.h>
#include <gradus/core/random.h>
#include <gradus/gradcheck/gradcheck.h>
#include <gradus/gradcheck/slope.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace gradus {

class Probe {
 public:
  /// Copies the inputs, calls the function and checks what it returns (the errors of gradcheck()).
  Probe(const DifferentiableFunction& function, const Variables& inputs,
        const GradcheckOptions& options);
  /// The same function at other values: moves the very leaves that this one has, which it borrows.
  Probe(const Probe& here, const std::vector<Tensor>& values);

  std::size_t inputs() const { return leaves_.size(); }
  bool wants(std::size_t input) const { return leaves_[input].requires_grad(); }
  const Variable& leaf(std::size_t input) const { return leaves_[input]; }
  const std::string& name(std::size_t input) const { return names_[input]; }
  const Tensor& output() const { return output_; }
  const std::vector<Tensor>& weights() const { return weights_; }
  const std::vector<std::string>& notes() const { return notes_; }
  /// Was an input float32?
  bool was_cast() const { return was_cast_; }
  /// How often the function calls straight_through().
  std::size_t stand_ins() const { return offsets_->size(); }

  /// Puts the inputs back when it goes.
  class Back {
   public:
    explicit Back(const Probe& probe);
    ~Back();
    Back(const Back&) = delete;
    Back& operator=(const Back&) = delete;
    /// The inputs that have changed, by name.
    std::vector<std::string> changed() const;
    /// What is put back.
    const std::vector<Tensor>& values() const { return values_; }

   private:
    const Probe& probe_;
    std::vector<Tensor> values_;
  };

  /// Do further calls give the same numbers?
  bool deterministic() const;
  /// And one that is recorded?
  bool same_when_recorded() const;

  /// Σ weights·function, differentiated by backward: one per input, undefined where the input wants
  /// none or is not reached. `weights` has the output's shape.
  std::vector<Tensor> gradients(const Tensor& weights) const;
  /// The inputs that backward wrote into, by name, where it did. They were put back.
  const std::string& overwritten() const { return overwritten_; }
  /// The same, with another forward at another point between the forward and its backward.
  std::vector<Tensor> gradients_after_another_forward(const Tensor& weights) const;
  /// Is what the function gave still the same after another forward at another point?
  bool keeps_its_output() const;
  /// The output with its history, for whoever wants to look at the tape.
  Variable record() const;
  /// The same of other inputs.
  Variable record_at(const Variables& inputs) const;
  /// Σ weights·output differentiated, for each leaf that wants it; undefined for others, and where
  /// backward does not come.
  static std::vector<Tensor> backward_of(const Variable& output, const Variables& leaves,
                                         const Tensor& weights);
  /// function(inputs) elsewhere, `where` for the message of what it throws.
  Tensor value_at(const Variables& inputs, const std::string& where) const;
  /// What the function threw beside the point, where it is not defined; empty: nothing.
  const std::string& refusal() const { return refusal_; }

  /// A way to move an input: element `flat` by t, or the whole along t·direction.
  struct Line {
    /// Which outputs have moved, at steps of up to `longest`.
    struct Reach {
      double longest = 0;
      std::vector<std::uint8_t> moved{};
    };
    std::size_t input = 0;
    std::int64_t flat = 0;
    Tensor direction{};  ///< float64, of the input's shape; undefined: one element
    double scale = 1;    ///< a typical size of what is moved
    double own = 0;      ///< that of the element itself
    double parts = 0;    ///< of a direction: the root of Σ(slope of an element·its share)²
    std::shared_ptr<Reach> reach = std::make_shared<Reach>();
  };
  Line element(std::size_t input, std::int64_t flat) const;
  Line along(std::size_t input, const Tensor& direction) const;

  /// The output with the input moved by t; NaN where the function throws.
  Tensor moved(const Line& line, double t) const;
  /// What measure_slopes() asks: per weighting, Σ weights·(function(moved by t) - function).
  Change change(const Line& line, double t) const;
  /// Do outputs take steps as low as those of a rounding, on the way from `shortest` to `longest`? Then
  /// the function rounds more coarsely than float64; a staircase with higher steps is one on purpose.
  bool rounds_coarsely(const Line& line, double longest, double shortest) const;
  /// At a kink each output may choose any slope between its left and its right one. How far the
  /// weighted sums of all these choices lie apart, from first to last, measured at steps h and h/2.
  double open_width(const Line& line, double h, std::size_t k) const;

 private:
  class Moved;
  Tensor first_output(const std::string& cast);
  void measure_sizes();
  /// What is not finite has no slope, and would drown those of the others.
  void weigh_finite();
  Variable call() const;
  void call_elsewhere() const;
  Variable guarded(const Variables& inputs, const std::function<std::string()>& where) const;
  void look_for_relations(const Variables& inputs);
  /// NaN where the function throws: beside the point, that is a border of its domain.
  Tensor evaluate(const Line& line, double t, double* actual) const;

  DifferentiableFunction function_;
  Variables leaves_;
  std::vector<std::string> names_;
  std::vector<std::string> notes_;
  std::vector<double> usual_;  // the root mean square of each leaf of floating point
  std::vector<Tensor> weights_;
  Tensor output_;
  std::shared_ptr<detail::HeldOffsets> offsets_ = std::make_shared<detail::HeldOffsets>();
  mutable std::string refusal_;
  mutable std::string overwritten_;
  bool was_cast_ = false;
  bool factories_follow_ = false;
};

/// The gradient as a function of the inputs and of the output gradient, all gradients laid end to
/// end: what gradgradcheck() checks.
struct SecondOrder {
  DifferentiableFunction function{};
  Variables inputs{};
  GradcheckOptions options{};
};
SecondOrder second_order(const DifferentiableFunction& function, const Variables& inputs,
                         const GradcheckOptions& options);

/// The same numbers, the first axis innermost in memory.
Tensor laid_out_backwards(const Tensor& x);
/// The layout of `source` (row-major where it repeats elements), with numbers of its own, of `dtype`.
Tensor copy_with_layout(const Tensor& source, DType dtype = float64);
/// The element `flat`, counted row-major, of a tensor of any strides.
double* element_at(const Tensor& tensor, std::int64_t flat);
/// A node behind `output` that takes `leaf`, with the slots it takes it in.
struct Use {
  Node* node = nullptr;
  std::vector<std::size_t> slots{};
};
/// All of them, oldest first.
std::vector<Use> uses_of(const Node* leaf, const Variable& output);
std::vector<Use> uses_of(const Node* leaf, const Variable&& output) = delete;
/// Magnitudes 0.5..1.5 and random signs: no weight hides an output, no symmetry cancels one.
Tensor random_weights(const Shape& shape, Generator& generator);

}  // namespace gradus
