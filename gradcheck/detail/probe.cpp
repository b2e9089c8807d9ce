// How the function under test is called: at its point, and beside it.
#include <gradus/autograd/engine.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/detail/probe.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace gradus {
namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();
/// How many units in the last place an output may be off: a sum of many terms is off by several.
constexpr double units_off = 4;

/// Names the place where the function was when it failed.
class FailingCall final : public ErrorScope {
 public:
  explicit FailingCall(const std::function<std::string()>& where) : ErrorScope(""), where_(where) {}

 private:
  std::string name() const override { return where_(); }
  const std::function<std::string()>& where_;
};

/// While it lives, straight_through() on this thread takes these offsets, from the first on.
class Holding {
 public:
  explicit Holding(detail::HeldOffsets& offsets) : before_(detail::held_offsets()) {
    offsets.restart();
    detail::held_offsets() = &offsets;
  }
  ~Holding() { detail::held_offsets() = before_; }
  Holding(const Holding&) = delete;
  Holding& operator=(const Holding&) = delete;

 private:
  detail::HeldOffsets* before_;
};

bool repeats_elements(const Tensor& x) {
  for (int d = 0; d < x.rank(); ++d) {
    if (x.strides()[d] == 0 && x.shape()[d] > 1) return true;
  }
  return false;
}

/// How many strides of dimension order[i] fit into one of the dimension outside it; 0: not evenly.
std::int64_t block_room(const Tensor& x, const std::vector<int>& order, std::size_t i) {
  const std::int64_t outer = x.strides()[order[i - 1]];
  const std::int64_t inner = x.strides()[order[i]];
  return outer % inner == 0 ? outer / inner : 0;
}

/// Of the finite elements; no square overflows.
double root_mean_square(const Tensor& x) {
  double largest = 0;
  for (std::int64_t i = 0, n = x.numel(); i < n; ++i) {
    const double size = std::fabs(*element_at(x, i));
    if (std::isfinite(size)) largest = std::max(largest, size);
  }
  if (largest == 0) return 0;
  double sum = 0;
  for (std::int64_t i = 0, n = x.numel(); i < n; ++i) {
    const double share = *element_at(x, i) / largest;
    if (std::isfinite(share)) sum += share * share;
  }
  return largest * std::sqrt(sum / static_cast<double>(x.numel()));
}

/// Shows that the function left its inputs alone: what it wrote there would have moved the point.
void expect_same(const Variables& leaves, const std::vector<Tensor>& before,
                 const std::vector<std::string>& names) {
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    if (!core::equal(leaves[i].value(), before[i])) {
      fail<GradError>("gradcheck: the function wrote into ", names[i],
                      ": a gradient at a point that moves means nothing");
    }
  }
}

}  // namespace

Tensor laid_out_backwards(const Tensor& x) {
  Dims reversed;
  for (int d = x.rank() - 1; d >= 0; --d) reversed.push_back(d);
  return x.permute(reversed).clone().permute(reversed);
}

Tensor copy_with_layout(const Tensor& source, DType dtype) {
  const Tensor plain = source.contiguous().to(dtype).clone();
  const int rank = source.rank();
  if (source.is_contiguous() || source.numel() == 0 || rank == Shape::max_rank) return plain;
  std::vector<int> order;  // of the dimensions in memory, outermost first
  for (int d = 0; d < rank; ++d) order.push_back(d);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return source.strides()[a] > source.strides()[b]; });
  // A row-major block, of which each dimension keeps the first elements: so the strides come out
  // the same. Not where elements overlap.
  Shape block;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::int64_t stride = source.strides()[order[i]];
    if (stride == 0) return plain;
    const std::int64_t room = i == 0 ? source.shape()[order[0]] : block_room(source, order, i);
    if (room < source.shape()[order[i]]) return plain;
    block.push_back(room);
  }
  block.push_back(source.strides()[order.back()]);
  Tensor view = zeros(block, dtype).select(rank, 0);
  Dims back = Dims::filled(rank, 0);
  for (int i = 0; i < rank; ++i) {
    const int d = order[static_cast<std::size_t>(i)];
    view = view.narrow(i, 0, source.shape()[d]);
    back[d] = i;
  }
  view = view.permute(back);
  view.copy_(source);
  return view;
}

double* element_at(const Tensor& tensor, std::int64_t flat) {
  double* at = tensor.data<double>();
  for (int d = tensor.rank() - 1; d >= 0; --d) {
    at += flat % tensor.shape()[d] * tensor.strides()[d];
    flat /= tensor.shape()[d];
  }
  return at;
}

std::vector<Use> uses_of(const Node* leaf, const Variable& output) {
  std::vector<Use> uses;
  for (Node* node : nodes_of(output)) {
    Use use{node, {}};
    for (std::size_t s = 0; s < node->inputs.size(); ++s)
      if (node->inputs[s].get() == leaf) use.slots.push_back(s);
    if (!use.slots.empty()) uses.push_back(std::move(use));
  }
  return uses;
}

Tensor random_weights(const Shape& shape, Generator& generator) {
  const Tensor weights = rand(shape, generator, float64);
  double* w = weights.data<double>();
  for (std::int64_t i = 0, n = weights.numel(); i < n; ++i) {
    w[i] = (0.5 + w[i]) * (generator.next() & 1 ? 1 : -1);
  }
  return weights;
}

/// function(inputs). Its own errors pass, with the place; foreign ones become ours. Where
/// factories_follow_, what it makes without a dtype has that of its inputs.
Variable Probe::guarded(const Variables& inputs, const std::function<std::string()>& where) const {
  const FailingCall place(where);
  const auto floating = std::find_if(inputs.begin(), inputs.end(), [](const Variable& input) {
    return is_floating(input.dtype());
  });
  const bool follow = factories_follow_ && floating != inputs.end();
  const DefaultDType factories(follow ? floating->dtype() : default_dtype());
  const Holding still(*offsets_);
  try {
    Variable output = function_(inputs);
    if (!output.defined()) fail<GradError>("gradcheck: the function returned nothing");
    return output;
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    fail<Error>("gradcheck: the function threw \"", error.what(), "\"");
  }
}

/// Inputs that are not independent are taken as if they were.
void Probe::look_for_relations(const Variables& inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].requires_grad()) continue;
    const std::vector<Node*> history = nodes_of(inputs[i]);
    for (std::size_t j = 0; j < inputs.size(); ++j) {
      if (i == j || !inputs[j].requires_grad()) continue;
      const auto found = std::find(history.begin(), history.end(), inputs[j].node().get());
      std::string what;
      if (inputs[i].node() == inputs[j].node()) {
        if (j < i) what = " is the same Variable as ";
      } else if (found != history.end()) {
        what = " was computed from ";
      } else if (j < i && inputs[i].value().storage() == inputs[j].value().storage()) {
        what = " shares memory with ";
      }
      if (what.empty()) continue;
      notes_.push_back(names_[i] + what + names_[j] +
                       ": each was taken as numbers of its own, and moved alone");
    }
  }
}

Probe::Probe(const DifferentiableFunction& function, const Variables& inputs,
             const GradcheckOptions& options)
    : function_(function) {
  bool any = false;
  std::size_t cast = inputs.size();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    names_.push_back(i < options.names.size() ? options.names[i] : "input " + std::to_string(i));
    if (!inputs[i].defined()) fail<GradError>("gradcheck: ", names_[i], " is undefined");
    const Tensor& value = inputs[i].value();
    any = any || inputs[i].requires_grad();
    if (!is_floating(value.dtype())) {
      leaves_.push_back(value.clone());
      continue;
    }
    if (value.dtype() == float32) {
      cast = std::min(cast, i);
      was_cast_ = true;
      notes_.push_back(names_[i] + " is float32 and was cast to float64");
    }
    if (inputs[i].requires_grad() && repeats_elements(value)) {
      notes_.push_back(names_[i] + " repeats its elements; each was taken as a number of its own");
    }
    leaves_.push_back(Variable(copy_with_layout(value), inputs[i].requires_grad()));
  }
  if (!any)
    fail<GradError>("gradcheck: none of the ", inputs.size(), " inputs requires a gradient");

  look_for_relations(inputs);

  std::vector<Tensor> before;
  for (const Variable& leaf : leaves_) before.push_back(leaf.value().clone());
  output_ = first_output(cast < inputs.size() ? names_[cast] : std::string()).contiguous();
  if (output_.dtype() != float64) {
    fail<DTypeError>("gradcheck: the function returned ", describe(output_), ", expected float64: ",
                     is_floating(output_.dtype())
                         ? "it rounds to float32 on the way, too coarsely to check"
                         : "only floating-point numbers have derivatives");
  }
  output_ = output_.clone();
  expect_same(leaves_, before, names_);
  Generator generator(options.seed);
  for (int k = 0; k < std::max(options.draws, 1); ++k)
    weights_.push_back(random_weights(output_.shape(), generator));
  weigh_finite();
  measure_sizes();
  if (stand_ins() > 0) {
    notes_.push_back("straight_through() was called " + std::to_string(stand_ins()) +
                     (stand_ins() == 1 ? " time" : " times") +
                     ": checked is the slope that it declares");
  }
}

Probe::Probe(const Probe& here, const std::vector<Tensor>& values) : Probe(here) {
  notes_.clear();
  refusal_.clear();
  offsets_ = std::make_shared<detail::HeldOffsets>();
  for (std::size_t i = 0; i < leaves_.size(); ++i) leaves_[i].value().copy_(values[i]);
  for (Tensor& weights : weights_) weights = weights.clone();
  output_ = value_at(leaves_, "at other inputs").contiguous().clone();
  weigh_finite();
  measure_sizes();
}

void Probe::measure_sizes() {
  usual_.assign(leaves_.size(), 0);
  for (std::size_t i = 0; i < leaves_.size(); ++i)
    if (is_floating(leaves_[i].dtype())) usual_[i] = root_mean_square(leaves_[i].value());
}

void Probe::weigh_finite() {
  for (const Tensor& weights : weights_) {
    for (std::int64_t o = 0, n = output_.numel(); o < n; ++o) {
      if (!std::isfinite(output_.data<double>()[o])) weights.data<double>()[o] = 0;
    }
  }
}

/// A function that makes float32 numbers inside, zeros() for one, does not take float64 as it is.
Tensor Probe::first_output(const std::string& cast) {
  std::string first;
  try {
    return call().value();
  } catch (const DTypeError& error) {
    first = error.what();
  }
  factories_follow_ = true;
  try {
    const Tensor output = call().value();
    notes_.push_back("what the function makes without a dtype was made in float64 here: " + first);
    return output;
  } catch (const DTypeError&) {
    fail<DTypeError>(
        "gradcheck: ",
        cast.empty() ? std::string("in float64")
                     : cast +
                           " is float32, which rounds too coarsely to check; in "
                           "float64",
        " the function fails: ", first,
        "; what it makes inside needs its input's dtype: zeros_like(x), or zeros(shape, "
        "x.dtype())");
  }
}

Variable Probe::call() const {
  const NoGrad guard;
  return guarded(leaves_, [] { return std::string("gradcheck, at the given inputs"); });
}

namespace {

bool same_bits(const Tensor& a, const Tensor& b) {
  const std::vector<double> x = a.to_vector<double>();
  const std::vector<double> y = b.to_vector<double>();
  return std::equal(x.begin(), x.end(), y.begin(), y.end(),
                    [](double p, double q) { return p == q || (std::isnan(p) && std::isnan(q)); });
}

}  // namespace

bool Probe::deterministic() const {
  constexpr int calls = 3;
  for (int i = 0; i < calls; ++i) {
    const Tensor again = call().value();
    if (again.shape() != output_.shape()) {
      fail<ShapeError>("gradcheck: the function returned ", output_.shape(), ", then ",
                       again.shape(), " for the same inputs");
    }
    if (!same_bits(again, output_)) return false;
  }
  return true;
}

bool Probe::same_when_recorded() const { return same_bits(record().value(), output_); }

Variable Probe::record() const { return record_at(leaves_); }

Variable Probe::record_at(const Variables& inputs) const {
  const GradMode recording(true);
  return guarded(inputs, [] { return std::string("gradcheck, recording"); });
}

Tensor Probe::value_at(const Variables& inputs, const std::string& where) const {
  const NoGrad guard;
  Tensor output = guarded(inputs, [&] { return where; }).value();
  if (output.shape() != output_.shape()) {
    fail<ShapeError>("gradcheck: the function returned ", output_.shape(), ", but ", output.shape(),
                     " ", where);
  }
  return output;
}

std::vector<Tensor> Probe::backward_of(const Variable& output, const Variables& leaves,
                                       const Tensor& weights) {
  Variables wanted;
  for (const Variable& leaf : leaves) {
    if (leaf.requires_grad()) wanted.push_back(leaf);
  }
  Variables found(wanted.size());
  // A seed of its own: a backward that writes into it must not change the weights.
  if (output.requires_grad()) {
    found =
        grad({output}, wanted, {copy_with_layout(weights, output.dtype())}, {.allow_unused = true});
  }
  std::vector<Tensor> gradients;
  std::size_t next = 0;
  for (const Variable& leaf : leaves) {
    const Variable gradient = leaf.requires_grad() ? found[next++] : Variable();
    gradients.push_back(gradient.defined() ? gradient.value().clone() : Tensor());
  }
  return gradients;
}

std::vector<Tensor> Probe::gradients(const Tensor& weights) const {
  const Variable output = record();
  const Back back(*this);
  std::vector<Tensor> gradients = backward_of(output, leaves_, weights);
  if (overwritten_.empty()) overwritten_ = joined(back.changed());
  return gradients;
}

Probe::Back::Back(const Probe& probe) : probe_(probe) {
  for (const Variable& leaf : probe.leaves_) values_.push_back(leaf.value().clone());
}

Probe::Back::~Back() {
  for (std::size_t i = 0; i < values_.size(); ++i) {
    const Tensor& x = probe_.leaves_[i].value();
    if (!core::equal(x, values_[i])) x.copy_(values_[i]);
  }
}

std::vector<std::string> Probe::Back::changed() const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (!core::equal(probe_.leaves_[i].value(), values_[i])) names.push_back(probe_.names_[i]);
  }
  return names;
}

/// Forward at other points: other numbers, the same in another order (of which others are the greatest, or positive), and
/// then the integers in another order too.
void Probe::call_elsewhere() const {
  enum class Other { numbers, order, integers };
  for (const Other other : {Other::numbers, Other::order, Other::integers}) {
    Variables elsewhere;
    bool differs = other == Other::numbers;
    for (const Variable& leaf : leaves_) {
      const Tensor& x = leaf.value();
      const bool floats = is_floating(x.dtype());
      const auto backwards = [&] { return core::flip(x.flatten(), {0}).reshape(x.shape()); };
      const bool turned = other == (floats ? Other::order : Other::integers);
      differs = differs || (turned && x.numel() > 1);
      if (!floats) {
        elsewhere.push_back(turned ? Variable(backwards()) : leaf);
      } else {
        const Tensor numbers = turned ? backwards() : x;
        elsewhere.emplace_back(core::add(core::mul(numbers, 0.96875), 0.03), leaf.requires_grad());
      }
    }
    if (!differs) continue;
    try {
      const GradMode recording(true);
      guarded(elsewhere, [] { return std::string(); });
    } catch (...) {
      // Not defined there; what it saved before it found out counts as well.
    }
  }
}

std::vector<Tensor> Probe::gradients_after_another_forward(const Tensor& weights) const {
  const Variable output = record();
  call_elsewhere();
  return backward_of(output, leaves_, weights);
}

bool Probe::keeps_its_output() const {
  const Tensor output = record().value();
  const Tensor before = output.clone();
  call_elsewhere();
  return same_bits(output, before);
}

Probe::Line Probe::element(std::size_t input, std::int64_t flat) const {
  // What is small beside its neighbours moves by its own size, but not by nothing.
  const double own = std::fabs(*element_at(leaves_[input].value(), flat));
  const double usual = usual_[input];
  return {.input = input,
          .flat = flat,
          .scale = std::max(own, usual > 0 ? usual / 64 : 1.0),
          .own = own};
}

Probe::Line Probe::along(std::size_t input, const Tensor& direction) const {
  const double usual = usual_[input];
  return {.input = input, .direction = direction, .scale = usual > 0 ? usual : 1.0};
}

/// While it lives, an input is moved along a line.
class Probe::Moved {
 public:
  Moved(const Tensor& x, const Line& line, double t) : x_(x), line_(line) {
    if (!line.direction.defined()) {
      double* at = element_at(x, line.flat);
      before_ = *at;
      *at = before_ + t;
      actual_ = *at - before_;
      return;
    }
    copy_ = x.contiguous().clone();
    for (std::int64_t i = 0, n = x.numel(); i < n; ++i) {
      *element_at(x, i) = copy_.data<double>()[i] + t * line.direction.data<double>()[i];
    }
    actual_ = t;
  }
  ~Moved() {
    if (line_.direction.defined()) {
      for (std::int64_t i = 0, n = x_.numel(); i < n; ++i)
        *element_at(x_, i) = copy_.data<double>()[i];
    } else {
      *element_at(x_, line_.flat) = before_;
    }
  }
  Moved(const Moved&) = delete;
  Moved& operator=(const Moved&) = delete;
  double actual() const { return actual_; }

 private:
  const Tensor& x_;
  const Line& line_;
  Tensor copy_;
  double before_ = 0;
  double actual_ = 0;
};

Tensor Probe::evaluate(const Line& line, double t, double* actual) const {
  const Moved moved(leaves_[line.input].value(), line, t);
  *actual = moved.actual();
  const NoGrad guard;
  const auto where = [&] {
    PlainText text;
    text << "gradcheck, with " << names_[line.input];
    if (!line.direction.defined()) text << unravel(line.flat, leaves_[line.input].shape());
    text << " moved by " << t;
    return text.str();
  };
  Tensor output;
  try {
    // A copy: the output may be a view of the leaf, which moves back.
    output = guarded(leaves_, where).value().clone();
  } catch (const Error& error) {
    if (refusal_.empty()) refusal_ = error.what();
    return full(output_.shape(), std::nan(""), float64);
  }
  if (output.shape() != output_.shape()) {
    fail<ShapeError>("gradcheck: the function returned ", output_.shape(), ", but ", output.shape(),
                     " with ", names_[line.input], " moved by ", t);
  }
  return output;
}

Tensor Probe::moved(const Line& line, double t) const {
  double actual = t;
  return evaluate(line, t, &actual).contiguous();
}

Change Probe::change(const Line& line, double t) const {
  double actual = t;
  const Tensor moved = evaluate(line, t, &actual);
  const auto outputs = static_cast<std::size_t>(output_.numel());
  const double* y = moved.data<double>();
  const double* y0 = output_.data<double>();
  Line::Reach& reach = *line.reach;
  reach.moved.resize(outputs);
  reach.longest = std::max(reach.longest, std::fabs(t));
  std::vector<std::size_t> changed;
  double usual = 0;
  for (std::size_t o = 0; o < outputs; ++o) {
    if (y[o] == y0[o] || !std::isfinite(y0[o])) continue;
    changed.push_back(o);
    usual += std::fabs(y0[o]);
    reach.moved[o] = 1;
  }
  // An output that cancelled to nothing is as uncertain as what cancelled: about as its neighbours.
  usual /= static_cast<double>(std::max<std::size_t>(changed.size(), 1));
  // What did not change may have done so by less than a rounding; what no step has moved, by less than
  // that at the longest one. A rounding of itself, that is, or of numbers around 1 that it was made of.
  // Those of many outputs add up as the root of their squares does. Beside outputs that change only
  // numbers up to 1 count: larger ones would drown the others.
  const double most = changed.empty() ? INFINITY : 1;
  const double share = std::fabs(t) / reach.longest;
  std::vector<double> size(outputs);
  for (std::size_t o = 0; o < outputs; ++o) {
    if (y[o] != y0[o] || !std::isfinite(y0[o])) continue;
    const double own = std::min(most, std::fabs(y0[o]));
    size[o] = reach.moved[o] ? std::max(1.0, own) : own * share;
  }
  Change change{std::vector<double>(weights_.size()), std::vector<double>(weights_.size())};
  for (std::size_t k = 0; k < weights_.size(); ++k) {
    const double* w = weights_[k].data<double>();
    double unseen = 0;
    for (std::size_t o = 0; o < outputs; ++o) unseen += w[o] * size[o] * (w[o] * size[o]);
    double noise = std::sqrt(unseen);
    for (const std::size_t o : changed) {
      change.value[k] += w[o] * (y[o] - y0[o]);
      noise += std::fabs(w[o]) * std::max({std::fabs(y[o]), std::fabs(y0[o]), usual});
    }
    change.noise[k] = units_off * epsilon * noise;
  }
  // t was rounded when it was added; the slope belongs to the step that really happened.
  for (double& value : change.value) value = actual == t ? value : value * (t / actual);
  return change;
}

bool Probe::rounds_coarsely(const Line& line, double longest, double shortest) const {
  constexpr double low = 0x1p-18;  // of a step, relative to the output
  std::array<std::vector<Tensor>, 2> sides;
  for (double h = shortest; h <= longest; h *= 4) {
    double actual = 0;
    sides[0].push_back(evaluate(line, h, &actual));
    sides[1].push_back(evaluate(line, -h, &actual));
  }
  for (std::int64_t o = 0, n = output_.numel(); o < n; ++o) {
    for (const std::vector<Tensor>& side : sides) {
      double before = output_.data<double>()[o];
      bool level = false;  // so far, from the last step of the stairs on
      for (const Tensor& at : side) {
        const double y = at.data<double>()[o];
        const double size = std::max(std::fabs(y), std::fabs(before));
        if (level && y != before && std::fabs(y - before) <= low * size) return true;
        level = y == before;
        before = y;
      }
    }
  }
  return false;
}

double Probe::open_width(const Line& line, double h, std::size_t k) const {
  // Left and right slope of each output at h and h/2: a gap that halves is only curvature.
  std::array<Tensor, 2> above;
  std::array<Tensor, 2> below;
  std::array<double, 2> up{h, h / 2};
  std::array<double, 2> down{-h, -h / 2};
  for (std::size_t i = 0; i < 2; ++i) {
    above[i] = evaluate(line, up[i], &up[i]);
    below[i] = evaluate(line, down[i], &down[i]);
  }
  double width = 0;
  for (std::int64_t o = 0, n = output_.numel(); o < n; ++o) {
    const double centre = output_.data<double>()[o];
    std::array<double, 2> gap{};
    for (std::size_t i = 0; i < 2; ++i) {
      gap[i] = (above[i].data<double>()[o] - centre) / up[i] -
               (below[i].data<double>()[o] - centre) / down[i];
    }
    const double limit = 2 * gap[1] - gap[0];  // the gap at h = 0
    if (!(std::fabs(gap[1]) > 0.75 * std::fabs(gap[0])) || !std::isfinite(limit)) continue;
    width += std::fabs(weights_[k].data<double>()[o] * limit);
  }
  return width;
}

}  // namespace gradus
