// The proof in float32: watches a function and its backward pass, repeats each step in float64 on
// the numbers that it got, and compares. What the ops state is told in core/rounding.h.
//
// The float32 run is the one that trains: it is not recorded twice, gradients are still added to
// and masked in place, because a Watcher copies what it needs and keeps no handle. The references
// run with recording on, so a fused derivative is held against the one made of functions.
#include <gradus/autograd/functions.h>
#include <gradus/autograd/profile.h>
#include <gradus/core/conv.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/detail/probe.h>
#include <gradus/gradcheck/gradcheck.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <sstream>
#include <unordered_map>
#include <utility>

namespace gradus {

namespace detail {
constinit thread_local Watcher* watcher = nullptr;
}

namespace {

/// Bounds are of first order; with n·u below 2⁻⁷ what they leave out is below n·u of them.
constexpr double second_order_share = 1 + 0x1p-7;
/// Below the least normal number precision fades, and some kernels flush to 0.
constexpr double least_normal = 0x1p-126;

double allowed(double bound) { return bound == 0 ? 0 : bound * second_order_share + least_normal; }

/// Difference over bound: 0 where equal, infinite where none was allowed.
double ratio_of(double result, double reference, double limit) {
  const bool both_nan = std::isnan(result) && std::isnan(reference);
  const bool both_infinite = std::isinf(result) && result == static_cast<float>(reference);
  if (result == reference || both_nan || both_infinite) return 0;
  if (limit < 0) return std::numeric_limits<double>::infinity();
  const double ratio = std::fabs(result - reference) / limit;
  return std::isnan(ratio) ? std::numeric_limits<double>::infinity() : ratio;
}

Tensor promoted(const Tensor& tensor) { return tensor.to(float64).contiguous(); }

/// While it lives, convolutions go by this algorithm, whatever the user has forced.
class Algorithm {
 public:
  explicit Algorithm(std::optional<Conv2dAlgorithm> chosen) : before_(forced_conv2d_algorithm()) {
    set_conv2d_algorithm(chosen);
  }
  ~Algorithm() { set_conv2d_algorithm(before_); }
  Algorithm(const Algorithm&) = delete;
  Algorithm& operator=(const Algorithm&) = delete;

 private:
  std::optional<Conv2dAlgorithm> before_;
};

/// One call of an op, until its derivative has run.
struct Call {
  std::unique_ptr<detail::Replay> replay;
  Rounding rounding;
  std::size_t number = 0;
  std::string place{};
  std::vector<Tensor> inputs{};  // float64
  std::vector<bool> wanted{};    // which of them want a gradient
  Tensor y{};                    // float64, before the activation
  Tensor bound{};                // of y
  Tensor result{};               // float32; kept where the derivative is compared with its help

  bool rectified() const { return replay->activation == Activation::relu; }

  RoundingRun run(const std::vector<Tensor>& numbers, const Tensor& dy,
                  std::optional<Conv2dAlgorithm> algorithm) const {
    const Algorithm forced(algorithm);
    const detail::WatchedBy nobody(nullptr);
    const GradMode recording(true);
    Variables leaves;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      leaves.push_back(numbers[i].defined() ? Variable(numbers[i], wanted[i] && dy.defined())
                                            : Variable());
    }
    const Variable y_again = replay->run(leaves);
    RoundingRun made{y_again.value().contiguous(), {}};
    if (!dy.defined()) return made;
    for (const Variable& gradient : y_again.node()->backward(Variable(dy.clone())))
      made.gradients.push_back(gradient.defined() ? gradient.value().contiguous() : Tensor());
    return made;
  }

  /// The reference: by direct loops where they do not take too long.
  RoundingRun reference(const Tensor& dy, std::int64_t direct_flops) const {
    const Profiler profiler;
    RoundingRun made = run(inputs, dy, std::nullopt);
    std::int64_t flops = 0;
    for (const ProfileEvent& event : profiler.events()) flops += event.flops;
    if (flops == 0 || flops > direct_flops) return made;
    return run(inputs, dy, Conv2dAlgorithm::direct);
  }

  RoundingCall rounding_call(const RoundingRun& made, const Tensor& dy) const {
    return {inputs, made.y, dy, made.gradients,
            [this](const std::vector<Tensor>& numbers, const Tensor& slope) {
              return run(numbers, slope, std::nullopt);
            }};
  }

  std::string algorithm(const RoundingCall& call, std::size_t pass) const {
    return rounding.algorithm ? rounding.algorithm(call, pass) : std::string();
  }
};

/// What was sent to a node, one gradient after the other, and how much of it.
struct Arrivals {
  std::string name;       // of the node
  bool is_leaf = false;   // the engine runs all others
  Tensor sum, magnitude;  // float64
  std::int64_t count = 0;

  void add(const Tensor& gradient) {
    sum = count == 0 ? gradient : core::add(sum, gradient);
    const Tensor size = core::abs(gradient);
    magnitude = count == 0 ? size : core::add(magnitude, size);
    ++count;
  }
  Tensor bound() const {
    return core::mul(gamma(full(sum.shape(), static_cast<double>(count - 1), float64)), magnitude);
  }
};

class Proof final : public detail::Watcher {
 public:
  Proof(const Float32Options& options, Float32Report& report)
      : options_(options), report_(report) {}

  void called(std::unique_ptr<detail::Replay> replay, const Variable& result) override {
    const detail::WatchedBy nobody(nullptr);
    if (result.dtype() != float32) return;
    const auto number = static_cast<std::size_t>(report_.calls++);
    std::optional<Rounding> rounding = replay->rounding();
    if (!rounding) return not_stated(replay->name);
    Call call{std::move(replay), std::move(*rounding), number, error_scope_path()};
    for (const Variable& input : call.replay->inputs) {
      call.inputs.push_back(input.defined() ? promoted(input.value()) : Tensor());
      call.wanted.push_back(input.defined() && input.requires_grad() && result.requires_grad());
    }
    call.replay->inputs.clear();  // a handle would keep the engine from working in place
    compare_value(call, result.value());
    if (result.requires_grad()) calls_.emplace(result.node()->number, std::move(call));
  }

  void before_backward(const Node& node, const Variable& gradient) override {
    slope_ = promoted(gradient.value());
    check_arrival(node.number, std::string(node.name), gradient);
  }

  void after_backward(const Node& node, const Variables& gradients) override {
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      if (node.inputs[i] && gradients[i].defined()) send(*node.inputs[i], gradients[i].value());
    }
    const auto found = calls_.find(node.number);
    if (found == calls_.end()) return;
    const Call call = std::move(found->second);
    calls_.erase(found);
    compare_gradients(call, gradients);
  }

  void send(const Node& node, const Tensor& gradient) {
    Arrivals& arrivals = arrivals_[node.number];
    arrivals.name = node.name;
    arrivals.is_leaf = node.is_leaf;
    arrivals.add(promoted(gradient));
  }

  /// The gradient that was summed up for a leaf.
  void finish_leaf(const Variable& leaf, const std::string& name) {
    check_arrival(leaf.node()->number, name, leaf.grad());
  }

  /// All that was sent has arrived, or went to leaves that nobody asked for.
  void finish() {
    std::map<std::uint64_t, std::string> lost;
    for (const auto& [node, arrivals] : arrivals_) {
      if (!arrivals.is_leaf) lost.emplace(node, arrivals.name);
    }
    for (const auto& [node, name] : lost) check_arrival(node, name, {});
  }

 private:
  void not_stated(std::string_view op) {
    std::vector<std::string>& ops = report_.unstated;
    if (std::find(ops.begin(), ops.end(), op) == ops.end()) ops.emplace_back(op);
  }

  /// No gradient stands for 0.
  static Tensor number_of(const Variable& gradient, const Shape& shape) {
    return gradient.defined() ? gradient.value() : zeros(shape, float32);
  }

  static Float32Comparison comparison_of(const Call& call, std::string pass) {
    return {.op = std::string(call.replay->name),
            .call = call.number,
            .place = call.place,
            .pass = std::move(pass)};
  }

  void compare_value(Call& call, const Tensor& result) {
    const RoundingRun made = call.reference({}, options_.direct_flops);
    const RoundingCall rounding_call = call.rounding_call(made, {});
    call.y = made.y;
    call.bound = call.rounding.value(rounding_call);
    Float32Comparison comparison = comparison_of(call, "forward");
    comparison.algorithm = call.algorithm(rounding_call, 0);
    comparison.result = result;
    comparison.reference = call.rectified() ? core::relu(call.y) : call.y;
    comparison.bound = call.bound;  // relu brings no two numbers further apart
    if (call.rectified()) {
      const Tensor passed = core::gt(result, 0);
      report_.undecided += static_cast<std::int64_t>(
          core::sum(core::ne(passed, core::gt(call.y, 0)).to(float64)).item());
    }
    if (call.rectified() || call.rounding.bilinear) call.result = result;
    judge(std::move(comparison));
  }

  void compare_gradients(const Call& call, const Variables& gradients) {
    // After a relu the mask is float32's: its numbers have been compared.
    const Tensor dy = call.rectified() ? core::relu_grad(slope_, promoted(call.result)) : slope_;
    const RoundingRun made = call.reference(dy, options_.direct_flops);
    const RoundingCall rounding_call = call.rounding_call(made, dy);
    const std::vector<Tensor> bounds = call.rounding.gradients(rounding_call);
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      if (!call.wanted[i] || !made.gradients[i].defined()) continue;
      Float32Comparison comparison = comparison_of(call, "gradient of input " + std::to_string(i));
      comparison.algorithm = call.algorithm(rounding_call, i + 1);
      comparison.result = number_of(gradients[i], made.gradients[i].shape());
      comparison.reference = made.gradients[i];
      comparison.bound = bounds[i];
      judge(std::move(comparison));
    }
    if (call.rounding.bilinear) check_identity(call, dy, gradients, bounds);
  }

  /// Σ tensor·numbers, and how far rounding may move it.
  struct Product {
    double value = 0;
    double bound = 0;

    void add(const Tensor& factor, const Tensor& numbers, const Tensor& bounds, double sign) {
      const Tensor sizes = core::abs(core::mul(factor, numbers));
      const double lost = static_cast<double>(factor.numel()) * double_roundoff;
      value += sign * core::sum(core::mul(factor, numbers)).item();
      bound += core::sum(core::mul(core::abs(factor), bounds)).item();
      bound += lost * core::sum(sizes).item();
    }
  };

  void check_identity(const Call& call, const Tensor& dy, const Variables& gradients,
                      const std::vector<Tensor>& bounds) {
    Product whole;
    whole.add(dy, promoted(call.result), call.bound, 1);
    if (call.inputs.size() > 2 && call.inputs[2].defined()) {
      if (!gradients[2].defined()) return;
      whole.add(call.inputs[2], promoted(gradients[2].value()), bounds[2], -1);
    }
    for (std::size_t i = 0; i < 2; ++i) {
      if (!gradients[i].defined()) continue;
      Product part;
      part.add(call.inputs[i], promoted(gradients[i].value()), bounds[i], 1);
      // What overflows has been compared element by element.
      const double limit = allowed(whole.bound + part.bound);
      if (!std::isfinite(part.value - whole.value) || !std::isfinite(limit)) continue;
      ++report_.identities;
      Float32Comparison comparison = comparison_of(
          call, "sum of dy·y against that of input " + std::to_string(i) + " times its gradient");
      record(std::move(comparison), {}, part.value, whole.value, limit, 1,
             std::fabs(part.value - whole.value) > limit ? 1 : 0);
    }
  }

  void check_arrival(std::uint64_t node, const std::string& name, const Variable& gradient) {
    const auto found = arrivals_.find(node);
    if (found == arrivals_.end()) return;
    const Arrivals sent = std::move(found->second);
    arrivals_.erase(found);
    const auto call = calls_.find(node);
    Float32Comparison comparison;
    if (call != calls_.end()) comparison = comparison_of(call->second, "");
    comparison.op = name;
    comparison.pass = "sum of " + std::to_string(sent.count) + " incoming gradients";
    comparison.result = number_of(gradient, sent.sum.shape());
    comparison.reference = sent.sum;
    comparison.bound = sent.bound();
    judge(std::move(comparison));
  }

  void judge(Float32Comparison comparison) {
    if (options_.visit) options_.visit(comparison);
    report_.elements += comparison.result.numel();
    if (comparison.result.numel() == 0) return;
    keep(compare_float32(comparison));
  }

  void record(Float32Comparison of, const Shape& index, double result, double reference,
              double limit, std::int64_t elements, std::int64_t wrong) {
    keep({.op = std::move(of.op),
          .call = of.call,
          .place = std::move(of.place),
          .pass = std::move(of.pass),
          .algorithm = std::move(of.algorithm),
          .index = index,
          .result = result,
          .reference = reference,
          .difference = std::fabs(result - reference),
          .bound = limit,
          .ratio = limit == 0 ? 0 : std::fabs(result - reference) / limit,
          .wrong = wrong,
          .elements = elements});
  }

  void keep(Float32Difference worst) {
    if (worst.ratio > report_.worst) {
      report_.worst = worst.ratio;
      report_.worst_at =
          worst.op + ", " + worst.pass + (worst.algorithm.empty() ? "" : " by " + worst.algorithm);
    }
    report_.fail_count += worst.wrong;
    if (worst.wrong > 0 && report_.failures.size() < options_.failures)
      report_.failures.push_back(std::move(worst));
  }

  const Float32Options& options_;
  Float32Report& report_;
  std::unordered_map<std::uint64_t, Call> calls_;  // by the number of their node
  std::unordered_map<std::uint64_t, Arrivals> arrivals_;
  Tensor slope_;  // of the derivative that is running
};

}  // namespace

Float32Difference compare_float32(const Float32Comparison& comparison) {
  const Tensor result = promoted(comparison.result);
  const Tensor reference = comparison.reference.contiguous();
  const Tensor bound = comparison.bound.contiguous();
  if (result.shape() != reference.shape() || result.shape() != bound.shape()) {
    fail<ShapeError>("compare_float32: ", comparison.op, ", ", comparison.pass, ": the result is ",
                     result.shape(), ", the reference ", reference.shape(), ", the bound ",
                     bound.shape());
  }
  Float32Difference worst{.op = comparison.op,
                          .call = comparison.call,
                          .place = comparison.place,
                          .pass = comparison.pass,
                          .algorithm = comparison.algorithm,
                          .elements = result.numel()};
  const double* x = result.data<double>();
  const double* y = reference.data<double>();
  const double* limit = bound.data<double>();
  for (std::int64_t i = 0; i < worst.elements; ++i) {
    const double ratio = ratio_of(x[i], y[i], allowed(limit[i]));
    if (ratio > 1) ++worst.wrong;
    if (ratio <= worst.ratio) continue;
    worst.ratio = ratio;
    worst.index = unravel(i, result.shape());
    worst.result = x[i];
    worst.reference = y[i];
    worst.difference = std::fabs(x[i] - y[i]);
    worst.bound = allowed(limit[i]);
  }
  return worst;
}

std::string Float32Difference::to_string() const {
  PlainText text;
  text << op;
  if (!place.empty()) text << " in " << place;
  text << " (call " << call << "), " << pass;
  if (!algorithm.empty()) text << " by " << algorithm;
  if (!index.empty()) text << ", " << index;
  text.precision(9);
  text << ": " << result << " in float32, ";
  text.precision(17);
  text << reference << " in float64, ";
  text.precision(3);
  text << "difference " << difference << ", bound " << bound;
  if (elements > 1) text << "; " << wrong << " of " << elements << " elements";
  return text.str();
}

std::string Float32Report::to_string() const {
  PlainText text;
  text << subject << ": " << (passed() ? "pass" : "fail") << ", " << calls << " calls, " << elements
       << " elements, " << identities << " identities";
  if (fail_count > 0) text << ", " << fail_count << " out of bounds";
  if (undecided > 0) text << ", " << undecided << " at a relu's 0";
  text.precision(3);
  text << ", largest difference " << worst << " of its bound";
  if (!worst_at.empty()) text << " (" << worst_at << ")";
  for (const Float32Difference& failure : failures) text << "\n  " << failure.to_string();
  for (const std::string& op : unstated) text << "\n  " << op << " states no bound";
  return text.str();
}

std::ostream& operator<<(std::ostream& out, const Float32Report& report) {
  return out << report.to_string();
}

Float32Report gradcheck_float32(const DifferentiableFunction& function, const Variables& inputs,
                                const Float32Options& options) {
  Float32Report report{.subject = options.subject};
  Proof proof(options, report);
  Variables leaves;
  for (const Variable& input : inputs) {
    const Tensor& value = input.value();
    leaves.push_back(
        Variable(copy_with_layout(value, is_floating(value.dtype()) ? float32 : value.dtype()),
                 input.requires_grad()));
  }
  {
    const GradMode recording(true);
    const detail::WatchedBy watched(&proof);
    const Variable output = function(leaves);
    if (output.dtype() != float32) {
      fail<DTypeError>("gradcheck_float32: the function returned ", describe(output.value()),
                       " for float32 inputs, expected float32");
    }
    if (output.requires_grad()) {
      Generator generator(options.seed);
      const Tensor weights = random_weights(output.shape(), generator).to(float32);
      proof.send(*output.node(), weights);
      output.backward(Variable(weights));
    }
  }
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    const std::string name =
        i < options.names.size() ? options.names[i] : "input " + std::to_string(i);
    if (leaves[i].requires_grad()) proof.finish_leaf(leaves[i], name);
  }
  proof.finish();
  return report;
}

}  // namespace gradus
