// The contracts of backward(), one question after the other. An op is asked by its node of the tape,
// with incoming gradients that a training would send; the function with other leaves.
#include <gradus/autograd/engine.h>
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/detail/contracts.h>
#include <gradus/gradcheck/detail/distance.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

namespace gradus {
namespace {

using Gradients = std::vector<Tensor>;  // undefined: none

double largest(const Gradients& all) {
  double size = 0;
  for (const Tensor& each : all) size = std::max(size, each.defined() ? largest(each) : 0.0);
  return size;
}

double distance(const Gradients& a, const Gradients& b, double scale = 1) {
  double apart = 0;
  for (std::size_t i = 0; i < a.size(); ++i) apart = std::max(apart, distance(a[i], b[i], scale));
  return apart;
}

Gradients difference(const Gradients& a, const Gradients& b) {
  Gradients all;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool both = a[i].defined() && b[i].defined();
    all.push_back(both ? core::sub(a[i].to(float64), b[i].to(float64)) : Tensor());
  }
  return all;
}

/// Is a = c·b for one number c?
bool is_multiple(const Gradients& a, const Gradients& b) {
  double both = 0;
  double square = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!a[i].defined() || !b[i].defined()) continue;
    both += core::sum(core::mul(a[i].to(float64), b[i].to(float64))).item();
    square += core::sum(core::mul(b[i].to(float64), b[i].to(float64))).item();
  }
  const double c = square > 0 ? both / square : 0;
  return distance(a, b, c) <= 1e-6 * std::max(largest(a), largest(b));
}

std::int64_t finite_count(const Tensor& x) {
  return static_cast<std::int64_t>(core::sum(core::isfinite(x).to(float64)).item());
}

/// What another order of sums may change, among numbers up to `size`.
double roundings(double size) { return 65536 * std::numeric_limits<double>::epsilon() * size; }

/// What lies beside the numbers of a view: a gradient that it got into shows it.
double beside(DType dtype) { return is_floating(dtype) ? 1e30 : 0; }

/// The numbers of `x` in every second place, one after the start, of memory that holds others.
Tensor sliced(const Tensor& x) {
  Shape wide = x.shape();
  wide[x.rank() - 1] = 2 * wide[x.rank() - 1] + 1;
  const Tensor view = full(wide, beside(x.dtype()), x.dtype()).slice(-1, 1, wide[x.rank() - 1], 2);
  return view.copy_(x);
}

/// The numbers of `x`, row-major, behind others in one memory: what the second of two parts of a cat() gets.
Tensor behind_others(const Tensor& x) {
  const Tensor room = full({x.numel() + 3}, beside(x.dtype()), x.dtype());
  return room.narrow(0, 3, x.numel()).view(x.shape()).copy_(x);
}

/// One slice of `x` along `dim`, repeated without a copy; what lies behind it are other numbers.
Tensor repeated(const Tensor& x, int dim) {
  const Tensor slice = x.narrow(dim, 0, 1);
  const Tensor room = full({2 * x.numel()}, beside(x.dtype()), x.dtype());
  const Tensor kept = room.narrow(0, 0, slice.numel()).view(slice.shape());
  kept.copy_(slice);
  return kept.expand(x.shape());
}

/// What an op kept, byte by byte.
class KeptCopy {
 public:
  explicit KeptCopy(const Node& node) : node_(node) {
    for (const KeptNumbers& each : node.kept) {
      const std::byte* bytes = each.numbers.storage().data();
      before_.emplace_back(bytes, bytes + each.numbers.storage().bytes());
    }
  }

  /// What of it has changed, put back; empty: nothing.
  std::string changed() const {
    std::string names;
    for (std::size_t k = 0; k < before_.size(); ++k) {
      const KeptNumbers& each = node_.kept[k];
      if (std::equal(before_[k].begin(), before_[k].end(), each.numbers.storage().data())) continue;
      std::copy(before_[k].begin(), before_[k].end(), each.numbers.storage().data());
      names += names.empty() ? "" : ", ";
      names += each.what != nullptr ? each.what : "input " + std::to_string(each.input);
    }
    return names;
  }

 private:
  const Node& node_;
  std::vector<std::vector<std::byte>> before_;
};

/// An op, and what it answers.
class Questioned {
 public:
  Questioned(Node& node, ContractReport& report, std::uint64_t seed)
      : node_(node), report_(report), generator_(seed) {}

  void question() {
    const Tensor dy = random_weights(node_.shape, generator_).to(node_.dtype);
    const KeptCopy kept(node_);
    const Gradients plain = ask(dy);
    if (!has_right_shapes_) return;
    if (const std::string written = kept.changed(); !written.empty()) {
      return broken(Pattern::overwrites_saved,
                    text_of("backward writes into what was kept for it (", written,
                            "): a second pass reads other numbers; work on a clone()"));
    }
    if (overwrote_) {
      return broken(Pattern::overwrites_incoming,
                    "writes into the incoming gradient, which others may still read: work on a "
                    "clone()");
    }
    // Where slopes are small beside dy they may be what is left of sums of its size.
    const double size = std::max(largest(plain), largest(dy) / 64);
    if (const Gradients second = ask(dy); distance(second, plain) > roundings(size)) {
      const Diagnosis found = of_passes_that_differ(plain, second, ask(dy));
      return broken(found.pattern, found.text);
    }
    if (!hands_out_its_own(dy)) return;
    if (!is_linear(dy, plain, size)) return;
    look_at_layouts(dy, plain, size);
    look_at_recording(dy, plain, size);
  }

 private:
  void broken(Pattern pattern, const std::string& what) {
    report_.broken.push_back({pattern, "", text_of(node_.name, ": ", what)});
  }

  Gradients ask(const Tensor& dy, bool recorded = false) {
    const Tensor before = dy.clone();
    const Variable held(dy);  // the engine is not the only one to see it
    Gradients numbers;
    {
      const GradMode mode(recorded);
      const Variables given = node_.op->backward(held);
      if (!are_as_the_inputs(given)) return {};
      for (const Variable& gradient : given)
        numbers.push_back(gradient.defined() ? gradient.value().clone() : Tensor());
    }
    overwrote_ = distance(dy, before) != 0;
    if (overwrote_ && dy.is_contiguous()) dy.copy_(before);
    return numbers;
  }

  /// Is what backward gave still the same after its next call?
  bool hands_out_its_own(const Tensor& dy) {
    const NoGrad guard;
    const Variables first = node_.op->backward(Variable(dy.clone()));
    Gradients before;
    for (const Variable& gradient : first)
      before.push_back(gradient.defined() ? gradient.value().clone() : Tensor());
    ask(core::mul(dy, -3));
    for (std::size_t i = 0; i < first.size(); ++i) {
      if (!first[i].defined() || distance(first[i].value(), before[i]) == 0) continue;
      broken(Pattern::reuses_memory,
             "the gradient that backward gave changes when it is called again: it hands out memory "
             "that it writes to again; give a tensor of its own");
      return false;
    }
    return true;
  }

  bool are_as_the_inputs(const Variables& given) {
    has_right_shapes_ = false;
    if (given.size() != node_.inputs.size()) {
      broken(Pattern::wrong_shape, text_of("backward returns ", given.size(), " gradients for ",
                                           node_.inputs.size(), " inputs"));
      return false;
    }
    for (std::size_t i = 0; i < given.size(); ++i) {
      if (!node_.inputs[i] || !given[i].defined()) continue;
      const Node& input = *node_.inputs[i];
      if (given[i].shape() == input.shape && given[i].dtype() == input.dtype) continue;
      broken(Pattern::wrong_shape,
             text_of("backward returns a gradient ", describe(given[i].value()), " for input ", i,
                     ", which is ", input.dtype, " ", input.shape));
      return false;
    }
    has_right_shapes_ = true;
    return true;
  }

  bool is_linear(const Tensor& dy, const Gradients& plain, double size) {
    const Gradients doubled = ask(core::mul(dy, 2));
    const Gradients negated = ask(core::mul(dy, -1));
    for (std::size_t i = 0; i < plain.size(); ++i) {
      if (!plain[i].defined() || largest(plain[i]) == 0 || distance(doubled[i], plain[i]) != 0 ||
          distance(negated[i], plain[i]) != 0)
        continue;
      broken(Pattern::ignores_incoming,
             "twice the incoming gradient gives the same: multiply by it (chain rule)");
      return false;
    }
    for (const double factor : {1e3, 1e-3, -1.0}) {
      const double apart = distance(ask(core::mul(dy, factor)), plain, factor);
      if (apart <= roundings(std::fabs(factor) * size)) continue;
      broken(
          Pattern::not_linear,
          text_of("an incoming gradient ", factor, " times as large gives another gradient than ",
                  factor, " times the first: backward must be linear in it, not clip or round"));
      return false;
    }
    if (!adds_up_with_zeros(dy, plain, size)) return false;
    const Tensor other = random_weights(node_.shape, generator_).to(node_.dtype);
    const Gradients second = ask(other);
    const Gradients both = ask(core::add(core::mul(dy, 0.75), core::mul(other, -1.25)));
    for (std::size_t i = 0; i < both.size(); ++i) {
      if (!plain[i].defined() || !second[i].defined() || !both[i].defined()) continue;
      const Tensor sum = core::add(core::mul(plain[i], 0.75), core::mul(second[i], -1.25));
      if (distance(both[i], sum) <= roundings(size + largest(second))) continue;
      broken(Pattern::not_linear,
             "the gradient of a sum is not the sum of the gradients: backward must be linear in "
             "the incoming one");
      return false;
    }
    return true;
  }

  /// Behind a relu or a max-pooling most incoming gradients are exact zeros.
  bool adds_up_with_zeros(const Tensor& dy, const Gradients& plain, double size) {
    const Tensor mask = core::gt(rand(node_.shape, generator_, float64), 0.5).to(node_.dtype);
    const Gradients some = ask(core::mul(dy, mask));
    const Gradients others = ask(core::mul(dy, core::sub(ones_like(mask), mask)));
    for (std::size_t i = 0; i < plain.size(); ++i) {
      if (!plain[i].defined() || !some[i].defined() || !others[i].defined()) continue;
      const Tensor sum = core::add(some[i], others[i]);
      if (finite_count(sum) == finite_count(plain[i]) && distance(sum, plain[i]) <= roundings(size))
        continue;
      broken(
          Pattern::not_linear,
          finite_count(sum) < finite_count(plain[i])
              ? "an incoming gradient with zeros in it, as behind a relu, gives a gradient that is "
                "not finite"
              : "an incoming gradient with zeros in it, as behind a relu, gives another gradient: "
                "backward must be linear in it");
      return false;
    }
    return true;
  }

  void look_at_layouts(const Tensor& dy, const Gradients& plain, double size) {
    if (!reads(behind_others(dy), plain, size, "a part of another tensor")) return;
    if (dy.rank() == 0 || dy.numel() < 2) return;
    if (!reads(laid_out_backwards(dy), plain, size, "transposed in memory")) return;
    if (!reads(sliced(dy), plain, size, "a slice of another tensor")) return;
    for (int d = 0; d < dy.rank(); ++d) {
      if (dy.size(d) < 2) continue;
      const Tensor view = repeated(dy, d);
      if (!reads(view, ask(view.clone()), size, "expanded, as behind a sum or a mean")) return;
    }
    const Tensor one = dy.narrow(0, 0, 1).flatten().narrow(0, 0, 1);
    const Tensor view =
        repeated(one.expand({dy.numel()}).clone(), 0).narrow(0, 0, 1).squeeze(0).expand(dy.shape());
    reads(view, ask(view.clone()), size, "expanded from one number, as behind a sum or a mean");
  }

  bool reads(const Tensor& dy, const Gradients& expected, double size, const char* how) {
    try {
      if (distance(ask(dy), expected) <= roundings(size)) return true;
    } catch (const Error& error) {
      report_.notes.push_back(text_of(node_.name, ": backward takes no incoming gradient that is ",
                                      how, ": ", error.what()));
      return true;
    }
    broken(Pattern::reads_layout,
           text_of("backward reads the incoming gradient as if it were row-major: ", how,
                   ", it gives another gradient"));
    return false;
  }

  void look_at_recording(const Tensor& dy, const Gradients& plain, double size) {
    try {
      if (distance(ask(dy, true), plain) <= roundings(size)) return;
    } catch (const Error& error) {
      report_.notes.push_back(text_of(node_.name, ": backward cannot be recorded: ", error.what()));
      return;
    }
    broken(Pattern::depends_on_recording,
           "with create_graph backward gives another gradient than without");
  }

  Node& node_;
  ContractReport& report_;
  Generator generator_;
  bool overwrote_ = false;
  bool has_right_shapes_ = true;
};

/// What the function says about other leaves that hold the same numbers.
void compare_layouts(const Probe& probe, const Gradients& gradients,
                     const std::function<Tensor(const Tensor&)>& layout, const char* how,
                     ContractReport& report) {
  Variables laid_out;
  bool differs = false;
  for (std::size_t i = 0; i < probe.inputs(); ++i) {
    const Variable& leaf = probe.leaf(i);
    const bool moves = leaf.rank() > 0 && leaf.numel() > 1;
    const Tensor other = moves ? layout(leaf.value()) : leaf.value();
    differs = differs || (moves && (other.strides() != leaf.value().strides() ||
                                    other.offset() != leaf.value().offset()));
    laid_out.push_back(Variable(other, leaf.requires_grad()));
  }
  if (!differs) return;
  try {
    const Variable output = probe.record_at(laid_out);
    const double size = std::max(largest(probe.output()), largest(gradients));
    if (output.shape() == probe.output().shape() &&
        distance(output.value(), probe.output()) <= roundings(size)) {
      const Gradients there = Probe::backward_of(output, laid_out, probe.weights()[0]);
      if (distance(there, gradients) <= roundings(size)) return;
      return report.broken.push_back({Pattern::reads_layout, "",
                                      text_of("the same inputs, ", how,
                                              ", give another gradient: backward reads an input as "
                                              "if it were row-major")});
    }
    report.broken.push_back({Pattern::reads_layout, "",
                             text_of("the same inputs, ", how,
                                     ", give another output: the function reads an input as "
                                     "if it were row-major")});
  } catch (const Error& error) {
    report.notes.push_back(text_of("inputs that are ", how, " are not taken: ", error.what()));
  }
}

/// Each set of the inputs that shall want a gradient, the others frozen. Of few inputs all sets; of more each
/// alone, all but each, and so many that each input wants one once while each other does not: any two differ in a digit of their
/// binary numbers, and the sets are those with the digit 1, and with 0.
std::vector<std::vector<bool>> subsets(const Probe& probe) {
  std::vector<std::size_t> wanting;
  for (std::size_t i = 0; i < probe.inputs(); ++i)
    if (probe.wants(i)) wanting.push_back(i);
  const std::size_t n = wanting.size();
  std::vector<std::vector<bool>> all;
  const auto add = [&](const std::function<bool(std::size_t)>& wants) {
    std::vector<bool> set(probe.inputs(), false);
    for (std::size_t k = 0; k < n; ++k) set[wanting[k]] = wants(k);
    if (std::find(set.begin(), set.end(), true) != set.end()) all.push_back(set);
  };
  if (n <= 4) {
    for (std::size_t mask = 1; mask + 1 < (std::size_t{1} << n); ++mask)
      add([&](std::size_t k) { return (mask >> k & 1) != 0; });
    return all;
  }
  // What a training most often asks for.
  constexpr std::size_t most_alone = 64;
  for (std::size_t one = 0; one < n && n <= most_alone; ++one) {
    add([&](std::size_t k) { return k == one; });
    add([&](std::size_t k) { return k != one; });
  }
  for (std::size_t digit = 1; digit < n; digit *= 2) {
    add([&](std::size_t k) { return (k & digit) != 0; });
    add([&](std::size_t k) { return (k & digit) == 0; });
  }
  return all;
}

std::string frozen_names(const Probe& probe, const std::vector<bool>& wanted) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < probe.inputs(); ++i)
    if (probe.wants(i) && !wanted[i]) names.push_back(probe.name(i));
  return joined(names);
}

void freeze_some(const Probe& probe, const Gradients& gradients, ContractReport& report) {
  for (const std::vector<bool>& wanted : subsets(probe)) {
    Variables leaves;
    Gradients expected;
    for (std::size_t i = 0; i < probe.inputs(); ++i) {
      leaves.push_back(Variable(probe.leaf(i).value(), wanted[i]));
      expected.push_back(wanted[i] ? gradients[i] : Tensor());
    }
    std::string what;
    try {
      const Gradients there =
          Probe::backward_of(probe.record_at(leaves), leaves, probe.weights()[0]);
      const double size = std::max(largest(gradients), largest(probe.weights()[0]));
      if (distance(there, expected) <= roundings(size)) continue;
      what = "the others get other gradients";
    } catch (const Error& error) {
      what = text_of("it throws: ", error.what());
    }
    return report.broken.push_back(
        {Pattern::depends_on_needs, "",
         text_of("with ", frozen_names(probe, wanted), " frozen, ", what,
                 ": what is kept for the gradient of one input depends on another's needs()")});
  }
}

}  // namespace

/// What piles up does so evenly, or ever less: its changes are multiples of each other. What is drawn anew
/// changes otherwise each time.
Diagnosis of_passes_that_differ(const Gradients& first, const Gradients& second,
                                const Gradients& third) {
  if (is_multiple(difference(third, second), difference(second, first))) {
    return {Pattern::stale_accumulation, "",
            "a second backward pass gives another gradient: something is kept from the first"};
  }
  return {
      Pattern::random_backward, "",
      "each backward pass gives another gradient: it draws random numbers of its own, instead of "
      "keeping what forward drew"};
}

ContractReport check_ops(const Probe& probe, const GradcheckOptions& options) {
  ContractReport report;
  const Variable output = probe.record();
  std::uint64_t seed = options.seed + 11;
  for (Node* node : nodes_of(output)) {
    if (node->op == nullptr || node->shape.numel() == 0) continue;
    try {
      Questioned(*node, report, ++seed).question();
    } catch (const Error& error) {
      report.broken.push_back({Pattern::overwrites_saved, "",
                               text_of(node->name, ": backward throws when it is asked again: ",
                                       error.what(), ": what was kept for it must stay")});
    }
  }
  return report;
}

std::vector<Diagnosis> unnamed_parameters(const Variable& output,
                                          const std::set<const Node*>& named) {
  std::vector<Diagnosis> found;
  const std::vector<Node*> nodes = nodes_of(output);
  for (const Node* leaf : nodes) {
    if (!leaf->is_leaf || named.contains(leaf)) continue;
    std::string_view user;
    for (const Node* node : nodes) {
      for (const auto& input : node->inputs)
        if (user.empty() && input.get() == leaf) user = node->name;
    }
    found.push_back({Pattern::unnamed_parameter, "",
                     text_of("a parameter that nobody named takes part, ", leaf->dtype, " ",
                             leaf->shape, " in ", user,
                             ": its gradient is not checked; pass it as an input, name it in "
                             "visit(), or detach() it")});
  }
  return found;
}

ContractReport check_function(const Probe& probe, const Gradients& gradients) {
  ContractReport report;
  compare_layouts(probe, gradients, laid_out_backwards, "transposed in memory", report);
  if (report.broken.empty())
    compare_layouts(probe, gradients, sliced, "slices of other tensors", report);
  if (report.broken.empty())
    compare_layouts(probe, gradients, behind_others, "parts of other tensors", report);
  freeze_some(probe, gradients, report);
  return report;
}

namespace {

/// How far apart the errors of float32's gradients lie, of each input, here and at points nearby. What is rounded away inside
/// is another there; what is wrong is as wrong as here.
std::vector<double> float32_unrest(const Probe& probe, const Gradients& error_here,
                                   Generator& generator) {
  constexpr int points = 3;
  std::vector<double> unrest(probe.inputs(), 0);
  const Tensor& weights = probe.weights()[0];
  for (int point = 0; point < points; ++point) {
    Variables wide;
    Variables narrow;
    for (std::size_t i = 0; i < probe.inputs(); ++i) {
      const Variable& leaf = probe.leaf(i);
      const Tensor& x = leaf.value();
      Tensor moved = x;
      if (is_floating(x.dtype())) {
        const Tensor share = core::mul(core::sub(rand(x.shape(), generator, float64), 0.5), 0x1p-8);
        moved = core::mul(x, core::add(share, 1)).to(float32);  // which float64 holds too
      }
      narrow.push_back(Variable(moved, leaf.requires_grad()));
      wide.push_back(
          Variable(is_floating(x.dtype()) ? moved.to(float64) : moved, leaf.requires_grad()));
    }
    try {
      const Gradients error =
          difference(Probe::backward_of(probe.record_at(narrow), narrow, weights.to(float32)),
                     Probe::backward_of(probe.record_at(wide), wide, weights));
      for (std::size_t i = 0; i < unrest.size(); ++i)
        unrest[i] = std::max(unrest[i], distance(error[i], error_here[i]));
    } catch (const Error&) {
      // Not defined there.
    }
  }
  return unrest;
}

}  // namespace

ContractReport check_float32(const Probe& probe, const Gradients& gradients,
                             const GradcheckOptions& options) {
  ContractReport report;
  const Tensor& weights = probe.weights()[0];
  const auto with = [&](const std::function<Tensor(const Tensor&)>& change) {
    Variables leaves;
    for (std::size_t i = 0; i < probe.inputs(); ++i) {
      const Variable& leaf = probe.leaf(i);
      const bool moves = is_floating(leaf.dtype());
      leaves.push_back(Variable(moves ? change(leaf.value()) : leaf.value(), leaf.requires_grad()));
    }
    return leaves;
  };
  Variable single;
  const Variables rounded = with([](const Tensor& x) { return copy_with_layout(x, float32); });
  try {
    single = probe.record_at(rounded);
  } catch (const Error& error) {
    if (probe.was_cast())
      report.notes.push_back(text_of("float32 was not compared: ", error.what()));
    return report;
  }
  if (single.dtype() != float32 || single.shape() != probe.output().shape()) return report;
  // How far the numbers move when the inputs move by some roundings of float32.
  Generator generator(options.seed + 7);
  const Variables shaken = with([&](const Tensor& x) {
    const Tensor share = core::mul(core::sub(rand(x.shape(), generator, float64), 0.5), 0x1p-19);
    return core::mul(x, core::add(share, 1));
  });
  constexpr double most = 64;     // of these movements
  constexpr double share = 0.05;  // of the largest slope: what is off by less, the proof tells
  try {
    const Variable moved = probe.record_at(shaken);
    const double forward = distance(single.value(), probe.output());
    if (!(forward <=
          share * largest(probe.output()) + most * distance(moved.value(), probe.output()))) {
      report.notes.push_back("float32 was not compared: there the function gives other numbers");
      return report;
    }
    const Gradients there = Probe::backward_of(single, rounded, weights.to(float32));
    const Gradients movement = Probe::backward_of(moved, shaken, weights);
    constexpr double greatest = std::numeric_limits<float>::max();
    if (largest(gradients) > greatest) {
      report.notes.push_back("float32 was not compared: there the gradient is beyond its range");
      return report;
    }
    const std::vector<double> unrest =
        float32_unrest(probe, difference(there, gradients), generator);
    for (std::size_t i = 0; i < probe.inputs(); ++i) {
      if (!gradients[i].defined() && !there[i].defined()) continue;
      const double apart = distance(there[i], gradients[i]);
      const double size = gradients[i].defined() ? largest(gradients[i]) : 0;
      const double noise =
          0x1p-16 * largest(gradients) + 0x1p-20 * largest(weights) + 2 * unrest[i];
      const double limit = share * size + most * distance(movement[i], gradients[i]) + noise;
      if (apart > limit) {
        report.broken.push_back(
            {Pattern::wrong_in_float32, probe.name(i),
             text_of("in float32 the gradient is off by up to ", apart,
                     " where the largest slope is ", size, ", in float64 it is another one")});
      } else if (limit > size / 2 && size > 0) {
        report.notes.push_back(text_of("float32 says little about ", probe.name(i),
                                       ": its slopes are up to ", size, ", and rounding may be ",
                                       limit));
      }
    }
  } catch (const Error& error) {
    report.notes.push_back(text_of("float32 was not compared: ", error.what()));
  }
  return report;
}

}  // namespace gradus
