// The classic mistakes, each a question to the two tensors "analytic" (what backward said) and
// "numeric" (what differences said). The questions go from the particular to the general, and the
// first that is answered with yes names the mistake: a flipped sign is a constant factor too.
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/detail/evidence.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <sstream>
#include <vector>

namespace gradus {
namespace {

using Values = std::vector<double>;

template <class... Parts> std::string line(const Parts&... parts) {
  PlainText text;
  text.precision(4);
  (text << ... << parts);
  return text.str();
}

bool any_fails(const GradcheckInput& input) {
  const std::vector<std::uint8_t> verdicts = input.verdicts.to_vector<std::uint8_t>();
  return std::count(verdicts.begin(), verdicts.end(), static_cast<int>(Verdict::fail)) > 0;
}

/// One failing input, its numbers row-major.
class Suspect {
 public:
  Suspect(const Evidence& evidence, std::size_t which)
      : evidence_(evidence),
        which_(which),
        position_(evidence.positions[which]),
        input_(evidence.inputs[which]),
        shape_(input_.analytic.shape()),
        analytic_(input_.analytic.to_vector<double>()),
        numeric_(input_.numeric.to_vector<double>()) {
    for (std::uint8_t v : input_.verdicts.to_vector<std::uint8_t>()) {
      checked_.push_back(v != GradcheckInput::unchecked);
      wrong_.push_back(v == static_cast<int>(Verdict::fail));
      // An element whose slope is 0 may be right by accident, and says nothing.
      const double slope = numeric_[checked_.size() - 1];
      telling_.push_back(checked_.back() && (wrong_.back() || !near(slope, 0)));
      telling_count_ += telling_.back() ? 1 : 0;
      wrong_count_ += wrong_.back() ? 1 : 0;
      checked_count_ += checked_.back() ? 1 : 0;
    }
  }

  std::optional<Diagnosis> diagnose() const {
    std::optional<Diagnosis> found = is_not_finite();
    if (!found) found = is_missing();
    if (!found) found = is_one_use_of_several();
    if (!found) found = ignores_incoming();
    if (!found) found = is_another_inputs();
    if (!found) found = is_scaled();
    if (!found) found = is_rearranged();
    if (!found) found = lacks_a_sum();
    if (!found) found = is_wrong_at_the_border();
    if (!found) found = is_wrong_in_one_slice();
    if (!found) found = is_zero_in_places();
    if (!found) found = is_scaled_in_places();
    return found;
  }

 private:
  Diagnosis name(Pattern pattern, std::string text) const {
    return {pattern, input_.name, std::move(text)};
  }

  bool near(double a, double b) const {
    const GradcheckOptions& o = evidence_.options;
    return std::fabs(a - b) <= 10 * (o.atol + o.rtol * std::max(std::fabs(a), std::fabs(b)));
  }

  /// Would `guess`, in the place of the analytic gradient, explain every element that was checked?
  bool explains(const Values& guess) const { return explains(guess, numeric_); }
  bool explains(const Values& guess, const Values& numeric) const {
    for (std::size_t e = 0; e < guess.size(); ++e) {
      if (checked_[e] && !near(guess[e], numeric[e])) return false;
    }
    return true;
  }

  bool all_zero(const Values& values, const std::vector<bool>& where) const {
    for (std::size_t e = 0; e < values.size(); ++e) {
      if (where[e] && values[e] != 0) return false;
    }
    return true;
  }

  bool is_bias() const {
    const std::string& full = input_.name;
    return full == "bias" || (full.size() > 5 && full.substr(full.size() - 5) == ".bias");
  }

  std::optional<Diagnosis> is_not_finite() const {
    for (std::size_t e = 0; e < analytic_.size(); ++e) {
      if (!wrong_[e] || std::isfinite(analytic_[e])) continue;
      const double shown = std::isnan(analytic_[e]) ? std::fabs(analytic_[e]) : analytic_[e];
      return name(Pattern::not_finite, line("the gradient is ", shown, " at ",
                                            unravel(static_cast<std::int64_t>(e), shape_),
                                            ", where the slope is finite"));
    }
    return std::nullopt;
  }

  std::optional<Diagnosis> is_missing() const {
    if (!all_zero(analytic_, std::vector<bool>(analytic_.size(), true))) return std::nullopt;
    if (is_bias()) {
      return name(
          Pattern::bias_forgotten,
          "the bias gets no gradient: sum the incoming one over all axes but the channel's");
    }
    if (!input_.connected) {
      return name(Pattern::disconnected,
                  "backward never reaches it: its history was cut (a .value(), a detach(), or no "
                  "gradient returned)");
    }
    return name(Pattern::zero, "the gradient is 0 everywhere, the slopes are not");
  }

  /// Nodes of the tape that take the input several times: which of these uses bring nothing?
  std::optional<Diagnosis> is_one_use_of_several() const {
    const Variable output = evidence_.probe.record();
    int uses = 0;
    for (const Use& use : uses_of(evidence_.probe.leaf(position_).node().get(), output)) {
      uses += static_cast<int>(use.slots.size());
      const NoGrad guard;
      const Node& node = *use.node;
      const Variables gradients = use.node->backward(ones(node.shape, node.dtype));
      const auto silent = [&](std::size_t s) { return !gradients[s].defined(); };
      const auto missing = std::count_if(use.slots.begin(), use.slots.end(), silent);
      if (missing > 0) {
        return name(Pattern::missing_accumulation,
                    line(node.name, " uses it ", use.slots.size(),
                         use.slots.size() == 1 ? " time" : " times",
                         ", but returns no gradient for ", missing, " of these"));
      }
    }
    if (uses < 2) return std::nullopt;
    for (int counted = 1; counted < uses; ++counted) {
      const double share = static_cast<double>(counted) / uses;
      if (!explains(scaled(analytic_, 1 / share))) continue;
      return name(Pattern::missing_accumulation,
                  line("it is used ", uses, " times, and only ", counted, " of these counted"));
    }
    return std::nullopt;
  }

  Values gradient_for(const Tensor& weights) const {
    const Tensor gradient = evidence_.probe.gradients(weights)[position_];
    return gradient.defined() ? gradient.to_vector<double>() : Values(analytic_.size(), 0.0);
  }

  std::optional<Diagnosis> ignores_incoming() const {
    const Tensor& weights = evidence_.probe.weights()[0];
    if (gradient_for(core::mul(weights, 2)) != analytic_) return std::nullopt;
    return name(Pattern::ignores_incoming,
                "twice the incoming gradient gives the same: multiply by it (chain rule)");
  }

  std::optional<Diagnosis> is_another_inputs() const {
    for (std::size_t j = 0; j < evidence_.inputs.size(); ++j) {
      const GradcheckInput& other = evidence_.inputs[j];
      if (j == which_ || other.numeric.shape() != shape_ || !any_fails(other)) continue;
      if (explains(analytic_, other.numeric.to_vector<double>()))
        return name(Pattern::swapped_inputs, "this is the gradient of " + other.name);
    }
    return std::nullopt;
  }

  static Values scaled(Values values, double factor) {
    for (double& v : values) v *= factor;
    return values;
  }

  /// The c for which analytic = c·numeric fits best, over the elements `where`.
  double best_factor(const std::vector<bool>& where) const {
    double both = 0;
    double square = 0;
    for (std::size_t e = 0; e < analytic_.size(); ++e) {
      if (!where[e] || !std::isfinite(numeric_[e])) continue;
      both += analytic_[e] * numeric_[e];
      square += numeric_[e] * numeric_[e];
    }
    return square > 0 ? both / square : 0;
  }

  std::optional<Diagnosis> is_scaled() const {
    if (checked_count_ < 2 && checked_.size() > 1) return std::nullopt;  // fits any factor
    const double c = best_factor(checked_);
    if (c == 0 || !explains(scaled(analytic_, 1 / c))) return std::nullopt;
    return name_factor(c, "");
  }

  Diagnosis name_factor(double c, const std::string& where) const {
    if (std::fabs(c + 1) < 1e-5) return name(Pattern::sign_flipped, "the sign is flipped" + where);
    std::string hint;
    const double n = 1 / c;
    if (n > 1.5 && n < 1e6 && std::fabs(n - std::round(n)) < 1e-5 * n) {
      hint = line(": 1/", std::round(n), ", a mean where a sum belongs?");
    } else if (c > 1.5 && c < 1e6 && std::fabs(c - std::round(c)) < 1e-5 * c) {
      hint = ": counted more than once, or a sum where a mean belongs?";
    }
    PlainText factor;
    factor.precision(7);
    factor << c;
    return name(Pattern::constant_factor,
                "it is the right gradient times " + factor.str() + where + hint);
  }

  /// Is analytic[index] = numeric[map(index)] everywhere, and 0 where `map` leads outside? Where
  /// some elements were not measured, enough others must say so.
  template <class Map> bool is_moved_by(const Map& map) const {
    constexpr int enough = 4;
    const Strides strides = contiguous_strides(shape_);
    int seen = 0;
    bool all_measured = true;
    for (std::size_t e = 0; e < analytic_.size(); ++e) {
      const Shape to = unravel(static_cast<std::int64_t>(e), shape_);
      const Shape from = map(to);
      std::int64_t at = 0;
      bool inside = true;
      for (int d = 0; d < shape_.rank(); ++d) {
        inside = inside && from[d] >= 0 && from[d] < shape_[d];
        at += from[d] * strides[d];
      }
      const auto source = static_cast<std::size_t>(at);
      if (!checked_[e] || (inside && !checked_[source])) {
        all_measured = false;
        continue;
      }
      if (!near(analytic_[e], inside ? numeric_[source] : 0)) return false;
      seen += from != to ? 1 : 0;
    }
    return all_measured || seen >= enough;
  }

  std::optional<Diagnosis> is_rearranged() const {
    const int rank = shape_.rank();
    for (int a = 0; a < rank; ++a) {
      for (int b = a + 1; b < rank; ++b) {
        if (shape_[a] != shape_[b] || shape_[a] < 2) continue;
        const auto swapped = [&](Shape i) {
          std::swap(i[a], i[b]);
          return i;
        };
        if (is_moved_by(swapped))
          return name(Pattern::transposed, line("axes ", a, " and ", b, " are swapped"));
      }
    }
    if (std::optional<Diagnosis> turned = is_flipped()) return turned;
    return is_shifted();
  }

  std::optional<Diagnosis> is_flipped() const {
    const int rank = shape_.rank();
    if (rank >= 2) {
      const auto both = [&](Shape i) {
        for (int d : {rank - 2, rank - 1}) i[d] = shape_[d] - 1 - i[d];
        return i;
      };
      if (is_moved_by(both))
        return name(
            Pattern::flipped,
            "rows and columns run backwards: a convolution where a cross-correlation belongs?");
    }
    for (int d = 0; d < rank; ++d) {
      const auto backwards = [&](Shape i) {
        i[d] = shape_[d] - 1 - i[d];
        return i;
      };
      if (shape_[d] > 1 && is_moved_by(backwards))
        return name(Pattern::flipped, line("axis ", d, " runs backwards"));
    }
    return std::nullopt;
  }

  std::optional<Diagnosis> is_shifted() const {
    for (int d = 0; d < shape_.rank(); ++d) {
      if (shape_[d] < 2) continue;
      for (const int step : {1, -1}) {
        for (const bool around : {false, true}) {
          const auto moved = [&](Shape i) {
            i[d] -= step;
            if (around) i[d] = (i[d] + shape_[d]) % shape_[d];
            return i;
          };
          if (is_moved_by(moved))
            return name(Pattern::shifted,
                        line("off by one along axis ", d, around ? ", around the end" : ""));
        }
      }
    }
    return std::nullopt;
  }

  /// Does the gradient change when all of an output axis but its slice k is left out?
  std::optional<Diagnosis> lacks_a_sum() const {
    // A gradient that is right in places lacks something else.
    if (4 * wrong_count_ < 3 * telling_count_) return std::nullopt;
    const Tensor& weights = evidence_.probe.weights()[0];
    for (int d = 0; d < weights.rank(); ++d) {
      if (weights.size(d) < 2) continue;
      for (const std::int64_t k : {std::int64_t{0}, weights.size(d) - 1}) {
        const Tensor only = zeros_like(weights);
        only.select(d, k).copy_(weights.select(d, k));
        if (is_same(gradient_for(only), analytic_))
          return name(Pattern::missing_sum, line("only slice ", k, " of output axis ", d,
                                                 " counts: the sum over that axis is missing"));
      }
    }
    return std::nullopt;
  }

  bool is_same(const Values& a, const Values& b) const {
    for (std::size_t e = 0; e < a.size(); ++e) {
      if (!near(a[e], b[e])) return false;
    }
    return true;
  }

  bool on_border(std::size_t e, int first) const {
    const Shape i = unravel(static_cast<std::int64_t>(e), shape_);
    for (int d = first; d < shape_.rank(); ++d) {
      if (i[d] == 0 || i[d] == shape_[d] - 1) return true;
    }
    return false;
  }

  /// Wrong along the rim of the last two axes, right inside.
  std::optional<Diagnosis> is_wrong_at_the_border() const {
    if (shape_.rank() < 2) return std::nullopt;
    std::size_t rim = 0;
    std::size_t rim_wrong = 0;
    std::size_t inside = 0;
    for (std::size_t e = 0; e < wrong_.size(); ++e) {
      if (!telling_[e]) continue;
      if (on_border(e, shape_.rank() - 2)) {
        ++rim;
        rim_wrong += wrong_[e] ? 1 : 0;
      } else {
        if (wrong_[e]) return std::nullopt;
        ++inside;
      }
    }
    if (inside == 0 || 2 * rim_wrong < rim) return std::nullopt;
    return name(Pattern::border_only,
                line(rim_wrong, " of ", rim, " elements at the border are wrong, and none inside"));
  }

  /// Calls f(element, its index along axis d).
  template <class F> void for_each_telling(int d, const F& f) const {
    for (std::size_t e = 0; e < telling_.size(); ++e) {
      if (telling_[e]) f(e, unravel(static_cast<std::int64_t>(e), shape_)[d]);
    }
  }

  /// All wrong elements share a short range of one axis, and the rest of that axis is right.
  std::optional<Diagnosis> is_wrong_in_one_slice() const {
    if (shape_.rank() == 0) return std::nullopt;
    for (int d = 0; d < shape_.rank(); ++d) {
      std::int64_t first = shape_[d];
      std::int64_t last = -1;
      for_each_telling(d, [&](std::size_t e, std::int64_t i) {
        if (!wrong_[e]) return;
        first = std::min(first, i);
        last = std::max(last, i);
      });
      std::size_t inside = 0;
      for_each_telling(
          d, [&](std::size_t, std::int64_t i) { inside += first <= i && i <= last ? 1 : 0; });
      // More than half of an axis is no slice of it.
      const bool narrow = 2 * (last - first + 1) <= shape_[d] + 1 && shape_[d] > 1;
      if (!narrow || wrong_count_ < 2 || 2 * wrong_count_ < inside) continue;
      const std::string range =
          first == last ? line("index ", first) : line("indices ", first, " to ", last);
      return name(Pattern::one_slice,
                  line("only ", range, " of axis ", d, " of ", shape_,
                       first == last ? " is wrong" : " are wrong",
                       all_zero(analytic_, wrong_) ? " (0)" : "", ": a channel or a group"));
    }
    return std::nullopt;
  }

  std::optional<Diagnosis> is_zero_in_places() const {
    if (!all_zero(analytic_, wrong_)) return std::nullopt;
    return name(Pattern::zero, line("the gradient is 0 in ", wrong_count_, " of ", checked_count_,
                                    " elements, the slopes there are not"));
  }

  std::optional<Diagnosis> is_scaled_in_places() const {
    // Any one number is a multiple of any other.
    if (wrong_count_ == checked_count_ || wrong_count_ < 2) return std::nullopt;
    const double c = best_factor(wrong_);
    if (c == 0) return std::nullopt;
    for (std::size_t e = 0; e < wrong_.size(); ++e) {
      if (wrong_[e] && !near(analytic_[e] / c, numeric_[e])) return std::nullopt;
    }
    return name_factor(c, line(" in ", wrong_count_, " of ", checked_count_, " elements"));
  }

  const Evidence& evidence_;
  std::size_t which_;
  std::size_t position_;
  const GradcheckInput& input_;
  Shape shape_;
  Values analytic_;
  Values numeric_;
  std::vector<bool> checked_;
  std::vector<bool> wrong_;
  std::vector<bool> telling_;
  std::size_t wrong_count_ = 0;
  std::size_t checked_count_ = 0;
  std::size_t telling_count_ = 0;
};

}  // namespace

std::string_view to_string(Pattern pattern) {
  switch (pattern) {
    case Pattern::sign_flipped:
      return "sign_flipped";
    case Pattern::constant_factor:
      return "constant_factor";
    case Pattern::transposed:
      return "transposed";
    case Pattern::flipped:
      return "flipped";
    case Pattern::shifted:
      return "shifted";
    case Pattern::missing_sum:
      return "missing_sum";
    case Pattern::missing_accumulation:
      return "missing_accumulation";
    case Pattern::stale_accumulation:
      return "stale_accumulation";
    case Pattern::stale_value:
      return "stale_value";
    case Pattern::swapped_inputs:
      return "swapped_inputs";
    case Pattern::ignores_incoming:
      return "ignores_incoming";
    case Pattern::border_only:
      return "border_only";
    case Pattern::one_slice:
      return "one_slice";
    case Pattern::zero:
      return "zero";
    case Pattern::bias_forgotten:
      return "bias_forgotten";
    case Pattern::disconnected:
      return "disconnected";
    case Pattern::not_finite:
      return "not_finite";
    case Pattern::wrong_shape:
      return "wrong_shape";
    case Pattern::overwrites_incoming:
      return "overwrites_incoming";
    case Pattern::not_linear:
      return "not_linear";
    case Pattern::reads_layout:
      return "reads_layout";
    case Pattern::depends_on_needs:
      return "depends_on_needs";
    case Pattern::depends_on_recording:
      return "depends_on_recording";
    case Pattern::unnamed_parameter:
      return "unnamed_parameter";
    case Pattern::wrong_in_float32:
      return "wrong_in_float32";
    case Pattern::wrong_elsewhere:
      return "wrong_elsewhere";
  }
  return {};
}

std::vector<Diagnosis> diagnose(const Evidence& evidence) {
  if (!evidence.repeats) {
    return {{Pattern::stale_accumulation, "",
             "a second backward pass gives another gradient: something is kept from the first"}};
  }
  if (!evidence.survives_forward) {
    return {{Pattern::stale_value, "",
             "another forward between forward and backward changes the gradient: backward reads "
             "what that one overwrote"}};
  }
  std::vector<Diagnosis> all;
  for (std::size_t i = 0; i < evidence.inputs.size(); ++i) {
    if (!any_fails(evidence.inputs[i])) continue;
    if (std::optional<Diagnosis> found = Suspect(evidence, i).diagnose())
      all.push_back(std::move(*found));
  }
  return all;
}

}  // namespace gradus
