// The questions that the two tensors answer: "analytic", what backward said, and "numeric", what
// differences said.
#include <gradus/core/tensor.h>
#include <gradus/gradcheck/detail/suspect.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <sstream>

namespace gradus {
namespace {

using Values = Suspect::Values;

template <class... Parts> std::string line(const Parts&... parts) {
  PlainText text;
  text.precision(4);
  (text << ... << parts);
  return text.str();
}

bool is_bias(const std::string& name) {
  return name == "bias" || (name.size() > 5 && name.substr(name.size() - 5) == ".bias");
}

bool is_zero_where_wrong(const Suspect& s) {
  for (std::size_t e = 0; e < s.size(); ++e) {
    if (s.wrong(e) && s.analytic()[e] != 0) return false;
  }
  return true;
}

std::string names_of(const std::vector<int>& axes) {
  std::string text = axes.size() == 1 ? "axis " : "axes ";
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (i > 0) text += i + 1 < axes.size() ? ", " : " and ";
    text += std::to_string(axes[i]);
  }
  return text;
}

}  // namespace

std::optional<Diagnosis> is_not_finite(const Suspect& s) {
  for (std::size_t e = 0; e < s.size(); ++e) {
    if (!s.wrong(e) || std::isfinite(s.analytic()[e])) continue;
    const double value = s.analytic()[e];
    return s.proved(Pattern::not_finite,
                    line("the gradient is ", std::isnan(value) ? std::fabs(value) : value, " at ",
                         s.index(e), ", where the slope is finite"));
  }
  return std::nullopt;
}

std::optional<Diagnosis> is_missing(const Suspect& s) {
  const bool any = std::any_of(s.analytic().begin(), s.analytic().end(),
                               [](double slope) { return slope != 0; });
  if (any) return std::nullopt;
  if (is_bias(s.name())) {
    return s.proved(
        Pattern::bias_forgotten,
        "the bias gets no gradient: sum the incoming one over all axes but the channel's");
  }
  if (!s.input().connected) {
    return s.proved(Pattern::disconnected,
                    "backward never reaches it: its history was cut (a .value(), a detach(), or no "
                    "gradient returned)");
  }
  return s.proved(Pattern::zero, "the gradient is 0 everywhere, the slopes are not");
}

std::optional<Diagnosis> is_another_inputs(const Suspect& s) {
  for (std::size_t j = 0; j < s.inputs().size(); ++j) {
    const GradcheckInput& other = s.inputs()[j];
    if (j == s.which() || other.numeric.shape() != s.shape()) continue;
    // In a - b each gradient is the other's with another sign: where the other is right, nothing was exchanged.
    if (!any_fails(other) && is_scaled(s)) continue;
    if (s.explains(s.analytic(), other.numeric.to_vector<double>()))
      return s.named(Pattern::swapped_inputs, "this is the gradient of " + other.name,
                     s.measured_count());
  }
  return std::nullopt;
}

// ---- A multiple of the right gradient ----

namespace {

/// Groups of elements that differ only in their index along `axes`.
std::vector<std::vector<std::size_t>> groups_along(const Suspect& s, const std::vector<int>& axes) {
  Shape kept = s.shape();
  for (const int d : axes) kept[d] = 1;
  std::vector<std::vector<std::size_t>> groups(static_cast<std::size_t>(kept.numel()));
  const Strides strides = contiguous_strides(kept);
  for (std::size_t e = 0; e < s.size(); ++e) {
    const Shape i = s.index(e);
    std::int64_t at = 0;
    for (int d = 0; d < kept.rank(); ++d) at += kept[d] == 1 ? 0 : i[d] * strides[d];
    groups[static_cast<std::size_t>(at)].push_back(e);
  }
  return groups;
}

/// Axes over which layers take means: each by itself, all, the last ones, all but the channel's.
std::vector<std::vector<int>> axes_of_means(int rank) {
  std::vector<std::vector<int>> all;
  for (int d = 0; d < rank; ++d) all.push_back({d});
  for (int first = rank - 2; first >= 0; --first) {
    all.emplace_back();
    for (int d = first; d < rank; ++d) all.back().push_back(d);
  }
  if (rank > 2) {
    all.push_back({0});
    for (int d = 2; d < rank; ++d) all.back().push_back(d);
  }
  return all;
}

/// The c for which analytic = c·numeric fits best, over the elements `where`.
double best_factor(const Suspect& s, const std::function<bool(std::size_t)>& where) {
  double both = 0;
  double square = 0;
  for (std::size_t e = 0; e < s.size(); ++e) {
    if (!where(e) || !std::isfinite(s.analytic()[e])) continue;
    both += s.analytic()[e] * s.numeric()[e];
    square += s.numeric()[e] * s.numeric()[e];
  }
  return square > 0 ? both / square : 0;
}

/// Is c what lies between dividing by n and by n - 1, for the n numbers of the input that a variance is
/// taken over? Its slopes along them sum to 0. Gives n, or 0. (2 and 1/2 may be so much else.)
std::int64_t divisor_of_variance(const Suspect& s, double c) {
  for (const std::vector<int>& axes : axes_of_means(s.shape().rank())) {
    const auto groups = groups_along(s, axes);
    if (groups.empty() || groups[0].size() < 3) continue;
    const auto n = static_cast<double>(groups[0].size());
    const double ratio = 1 - 1 / n;
    bool fits = false;
    for (const double expected : {ratio, 1 / ratio, std::sqrt(ratio), 1 / std::sqrt(ratio)})
      fits = fits || std::fabs(c - expected) < 1e-6;
    for (const std::vector<std::size_t>& group : groups) {
      double sum = 0;
      double size = 0;
      for (const std::size_t e : group) {
        sum += s.numeric()[e];
        size += std::fabs(s.numeric()[e]);
      }
      fits = fits && std::fabs(sum) < 1e-6 * size;
    }
    if (fits) return static_cast<std::int64_t>(groups[0].size());
  }
  return 0;
}

Diagnosis name_factor(const Suspect& s, double c, const std::string& where, std::size_t numbers) {
  if (std::fabs(c + 1) < 1e-5)
    return s.named(Pattern::sign_flipped, "the sign is flipped" + where, numbers);
  PlainText factor;
  factor.precision(7);
  factor << c;
  const std::string what = "it is the right gradient times " + factor.str() + where;
  if (const std::int64_t n = divisor_of_variance(s, c); n > 0 && where.empty()) {
    return s.named(Pattern::biased_variance,
                   line(what, ": a variance of ", n, " numbers, divided by ", n, " here and by ",
                        n - 1, " there?"),
                   numbers);
  }
  std::string hint;
  const double n = 1 / c;
  if (n > 1.5 && n < 1e6 && std::fabs(n - std::round(n)) < 1e-5 * n) {
    hint = line(": 1/", std::round(n), ", a mean where a sum belongs?");
  } else if (c > 1.5 && c < 1e6 && std::fabs(c - std::round(c)) < 1e-5 * c) {
    hint = ": counted more than once, or a sum where a mean belongs?";
  }
  return s.named(Pattern::constant_factor, what + hint, numbers);
}

}  // namespace

std::optional<Diagnosis> is_scaled(const Suspect& s) {
  if (s.measured_count() < 2 && s.size() > 1) return std::nullopt;  // fits any factor
  const double c = best_factor(s, [&](std::size_t e) { return s.measured(e); });
  if (c == 0 || !s.explains(Suspect::scaled(s.analytic(), 1 / c))) return std::nullopt;
  // One number is a multiple of any other; but by a whole number, or a whole part, seldom.
  const double whole = std::max(std::fabs(c), std::fabs(1 / c));
  if (s.size() == 1 && std::fabs(whole - std::round(whole)) > 1e-6 * whole && lacks_a_sum(s))
    return std::nullopt;
  return name_factor(s, c, "", s.wrong_count());
}

std::optional<Diagnosis> is_scaled_in_places(const Suspect& s) {
  // Any one number is a multiple of any other.
  if (s.wrong_count() == s.measured_count() || s.wrong_count() < 2) return std::nullopt;
  const double c = best_factor(s, [&](std::size_t e) { return s.wrong(e); });
  if (c == 0) return std::nullopt;
  for (std::size_t e = 0; e < s.size(); ++e) {
    if (!s.wrong(e)) continue;
    const double guess = s.analytic()[e] / c;
    if (!s.near(guess, s.numeric()[e]) || std::fabs(guess - s.numeric()[e]) > s.unexplained())
      return std::nullopt;
  }
  return name_factor(s, c, line(" in ", s.wrong_count(), " of ", s.measured_count(), " elements"),
                     s.wrong_count());
}

// ---- The right numbers in other places ----

namespace {

/// Is analytic[index] = numeric[map(index)] everywhere, and 0 where `map` leads outside? Gives how many
/// elements say so that moved; 0: no. Where some were not measured, enough others must.
template <class Map> std::size_t moved_by(const Suspect& s, const Map& map) {
  constexpr std::size_t enough = 4;
  const Shape& shape = s.shape();
  const Strides strides = contiguous_strides(shape);
  std::size_t seen = 0;
  bool all_measured = true;
  for (std::size_t e = 0; e < s.size(); ++e) {
    const Shape to = s.index(e);
    const Shape from = map(to);
    std::int64_t at = 0;
    bool inside = true;
    for (int d = 0; d < shape.rank(); ++d) {
      inside = inside && from[d] >= 0 && from[d] < shape[d];
      at += from[d] * strides[d];
    }
    const auto source = static_cast<std::size_t>(at);
    if (!s.measured(e) || (inside && !s.measured(source))) {
      all_measured = false;
      continue;
    }
    const double there = inside ? s.numeric()[source] : 0;
    if (!s.near(s.analytic()[e], there) || std::fabs(s.analytic()[e] - there) > s.unexplained())
      return 0;
    // Where both places have one number, nothing is seen to move.
    const bool shows = inside && std::fabs(there - s.numeric()[e]) > s.unexplained();
    seen += shows && s.telling(e) ? 1 : 0;
  }
  return all_measured || seen >= enough ? seen : 0;
}

std::optional<Diagnosis> is_transposed(const Suspect& s) {
  for (int a = 0; a < s.shape().rank(); ++a) {
    for (int b = a + 1; b < s.shape().rank(); ++b) {
      if (s.shape()[a] != s.shape()[b] || s.shape()[a] < 2) continue;
      const std::size_t seen = moved_by(s, [&](Shape i) {
        std::swap(i[a], i[b]);
        return i;
      });
      if (seen > 0)
        return s.named(Pattern::transposed, line("axes ", a, " and ", b, " are swapped"), seen);
    }
  }
  return std::nullopt;
}

std::optional<Diagnosis> is_flipped(const Suspect& s) {
  const Shape& shape = s.shape();
  const int rank = shape.rank();
  if (rank >= 2) {
    const std::size_t seen = moved_by(s, [&](Shape i) {
      for (int d : {rank - 2, rank - 1}) i[d] = shape[d] - 1 - i[d];
      return i;
    });
    if (seen > 0) {
      return s.named(
          Pattern::flipped,
          "rows and columns run backwards: a convolution where a cross-correlation belongs?", seen);
    }
  }
  for (int d = 0; d < rank; ++d) {
    if (shape[d] < 2) continue;
    const std::size_t seen = moved_by(s, [&](Shape i) {
      i[d] = shape[d] - 1 - i[d];
      return i;
    });
    if (seen > 0) return s.named(Pattern::flipped, line("axis ", d, " runs backwards"), seen);
  }
  return std::nullopt;
}

std::optional<Diagnosis> is_shifted(const Suspect& s) {
  const Shape& shape = s.shape();
  for (int d = 0; d < shape.rank(); ++d) {
    if (shape[d] < 2) continue;
    for (const int step : {1, -1}) {
      for (const bool around : {false, true}) {
        const std::size_t seen = moved_by(s, [&](Shape i) {
          i[d] -= step;
          if (around) i[d] = (i[d] + shape[d]) % shape[d];
          return i;
        });
        if (seen > 0) {
          return s.named(Pattern::shifted,
                         line("off by one along axis ", d, around ? ", around the end" : ""), seen);
        }
      }
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<Diagnosis> is_rearranged(const Suspect& s) {
  if (std::optional<Diagnosis> swapped = is_transposed(s)) return swapped;
  if (std::optional<Diagnosis> turned = is_flipped(s)) return turned;
  return is_shifted(s);
}

// ---- What a mean or a variance would have brought ----

namespace {

double error_at(const Suspect& s, std::size_t e) { return s.analytic()[e] - s.numeric()[e]; }

/// How far values lie apart in the group where they do so most.
template <class ValueOf>
double spread(const std::vector<std::vector<std::size_t>>& groups, const ValueOf& value) {
  double widest = 0;
  for (const std::vector<std::size_t>& group : groups) {
    double low = INFINITY;
    double high = -INFINITY;
    for (const std::size_t e : group) {
      low = std::min(low, value(e));
      high = std::max(high, value(e));
    }
    if (high > low) widest = std::max(widest, high - low);
  }
  return widest;
}

bool all_wrong_are_finite(const Suspect& s) {
  for (std::size_t e = 0; e < s.size(); ++e)
    if (s.wrong(e) && !std::isfinite(s.analytic()[e])) return false;
  return true;
}

}  // namespace

std::optional<Diagnosis> is_constant_along_axes(const Suspect& s) {
  if (!s.all_measured() || !all_wrong_are_finite(s)) return std::nullopt;
  std::vector<int> axes;
  for (int d = 0; d < s.shape().rank(); ++d) {
    if (s.shape()[d] < 2) continue;
    const auto apart = spread(groups_along(s, {d}), [&](std::size_t e) { return error_at(s, e); });
    if (apart <= s.unexplained()) axes.push_back(d);
  }
  if (axes.empty()) return std::nullopt;
  const auto groups = groups_along(s, axes);
  // Where the gradient is constant as well, so is any error of it.
  const double varies = spread(groups, [&](std::size_t e) { return s.numeric()[e]; });
  if (varies <= 5 * s.unexplained()) return std::nullopt;
  return s.named(
      Pattern::constant_error,
      line("along ", names_of(axes),
           " the error is one number, the gradient is not: the derivative of a mean or a "
           "sum over it is missing, or a constant term"),
      s.size() - groups.size());
}

namespace {

/// values = level + slope·(x - mean) in each group of elements, least squares.
struct AffineFit {
  double worst_left = 0;      // what the fit does not explain, at most
  double greatest_level = 0;  // |level|
  double greatest_share = 0;  // |slope·(x - mean)|
  double from_origin = 0;     // |level - slope·mean|: 0 where the values are multiples of x
  std::vector<double> slopes{};
};

template <class ValueOf>
AffineFit fit(const std::vector<std::vector<std::size_t>>& groups, const Values& x,
              const ValueOf& value) {
  AffineFit found;
  for (const std::vector<std::size_t>& group : groups) {
    const auto n = static_cast<double>(group.size());
    double mean = 0;
    double level = 0;
    for (const std::size_t e : group) {
      mean += x[e] / n;
      level += value(e) / n;
    }
    double both = 0;
    double square = 0;
    for (const std::size_t e : group) {
      both += (x[e] - mean) * value(e);
      square += (x[e] - mean) * (x[e] - mean);
    }
    const double slope = square > 0 ? both / square : 0;
    for (const std::size_t e : group) {
      const double share = slope * (x[e] - mean);
      found.worst_left = std::max(found.worst_left, std::fabs(value(e) - level - share));
      found.greatest_share = std::max(found.greatest_share, std::fabs(share));
    }
    found.greatest_level = std::max(found.greatest_level, std::fabs(level));
    found.from_origin = std::max(found.from_origin, std::fabs(level - slope * mean));
    found.slopes.push_back(slope);
  }
  return found;
}

}  // namespace

std::optional<Diagnosis> is_a_variance_term(const Suspect& s) {
  if (!s.all_measured() || !all_wrong_are_finite(s)) return std::nullopt;
  const Values x = s.probe().leaf(s.position()).value().to(float64).to_vector<double>();
  std::vector<std::vector<int>> candidates = axes_of_means(s.shape().rank());
  const auto size_along = [&](const std::vector<int>& axes) {
    std::int64_t size = 1;
    for (const int d : axes) size *= s.shape()[d];
    return size;
  };
  // Over as many numbers as fit.
  std::stable_sort(candidates.begin(), candidates.end(),
                   [&](const auto& a, const auto& b) { return size_along(a) > size_along(b); });
  for (const std::vector<int>& axes : candidates) {
    const auto groups = groups_along(s, axes);
    if (groups.empty() || groups[0].size() < 4) continue;
    const AffineFit error = fit(groups, x, [&](std::size_t e) { return error_at(s, e); });
    if (error.worst_left > s.unexplained() || error.greatest_share <= 5 * s.unexplained()) continue;
    // Where the gradient itself is of this kind, any factor for each group is.
    const AffineFit right = fit(groups, x, [&](std::size_t e) { return s.numeric()[e]; });
    if (right.worst_left <= 5 * s.unexplained()) continue;
    const auto [low, high] = std::minmax_element(error.slopes.begin(), error.slopes.end());
    // One factor for all groups is a multiple of x (a decay of weights), no variance.
    if (groups.size() > 1 && *high - *low < 1e-6 * std::max(std::fabs(*low), std::fabs(*high)))
      continue;
    const std::size_t numbers = s.size() - 2 * groups.size();
    if (error.greatest_level <= s.unexplained()) {
      return s.named(Pattern::variance_term,
                     line("along ", names_of(axes),
                          " the error is proportional to the input's distance from its mean: the "
                          "derivative of a variance is missing there, or divided by n where n-1 "
                          "belongs, or the reverse"),
                     numbers);
    }
    if (error.from_origin <= s.unexplained()) {
      return s.named(Pattern::norm_term,
                     line("along ", names_of(axes),
                          " the error is proportional to the input: the derivative of a norm, of a "
                          "sum of squares, is missing there or wrong"),
                     numbers);
    }
    if (groups.size() == 1) continue;
    return s.named(Pattern::variance_term,
                   line("along ", names_of(axes),
                        " the error is a number plus a multiple of the input's distance from its "
                        "mean: the derivatives of a mean and of a variance are missing there"),
                   numbers);
  }
  return std::nullopt;
}

// ---- Wrong in places ----

namespace {

/// Within `width` of an end of the last two axes, or of the only one.
bool on_border(const Suspect& s, std::size_t e, std::int64_t width) {
  const Shape i = s.index(e);
  for (int d = std::max(0, s.shape().rank() - 2); d < s.shape().rank(); ++d) {
    if (i[d] < width || i[d] >= s.shape()[d] - width) return true;
  }
  return false;
}

std::optional<Diagnosis> find_a_border(const Suspect& s, bool all_of_it) {
  if (s.shape().rank() == 0) return std::nullopt;
  for (const std::int64_t width : {1, 2}) {
    std::size_t rim = 0;
    std::size_t rim_wrong = 0;
    std::size_t inside = 0;
    bool inside_is_right = true;
    for (std::size_t e = 0; e < s.size(); ++e) {
      if (!s.telling(e)) continue;
      if (on_border(s, e, width)) {
        ++rim;
        rim_wrong += s.wrong(e) ? 1 : 0;
      } else {
        inside_is_right = inside_is_right && !s.wrong(e);
        ++inside;
      }
    }
    const std::size_t enough = all_of_it ? rim : (rim + 1) / 2;
    // Two ends of a short row are wrong by chance.
    if (s.shape().rank() == 1 && inside < 4 * rim) continue;
    if (!inside_is_right || inside == 0 || rim_wrong < std::max<std::size_t>(enough, 2)) continue;
    return s.named(Pattern::border_only,
                   line(rim_wrong, " of ", rim, " elements at the border are wrong, and none of ",
                        inside, " inside"),
                   std::min(rim_wrong, 2 * inside));
  }
  return std::nullopt;
}

}  // namespace

std::optional<Diagnosis> is_wrong_at_the_border(const Suspect& s) { return find_a_border(s, true); }

std::optional<Diagnosis> is_wrong_in_part_of_the_border(const Suspect& s) {
  return find_a_border(s, false);
}

namespace {

/// All wrong elements share a short range of one axis, each index of it has some, and each other index
/// has elements that are right.
std::optional<Diagnosis> find_a_slice(const Suspect& s, bool all_of_it) {
  if (s.wrong_count() < 2) return std::nullopt;
  for (int d = 0; d < s.shape().rank(); ++d) {
    const auto extent = static_cast<std::size_t>(s.shape()[d]);
    std::vector<std::size_t> wrong(extent);
    std::vector<std::size_t> right(extent);
    for (std::size_t e = 0; e < s.size(); ++e) {
      if (!s.telling(e)) continue;
      ++(s.wrong(e) ? wrong : right)[static_cast<std::size_t>(s.index(e)[d])];
    }
    const auto has_some = [](std::size_t count) { return count > 0; };
    const auto begin = std::find_if(wrong.begin(), wrong.end(), has_some);
    const auto end = std::find_if(wrong.rbegin(), wrong.rend(), has_some).base();
    const auto first = static_cast<std::size_t>(begin - wrong.begin());
    const auto last = static_cast<std::size_t>(end - wrong.begin()) - 1;
    // More than half of an axis is no slice of it.
    if (extent < 2 || 2 * (last - first + 1) > extent + 1) continue;
    if (!std::all_of(begin, end, has_some)) continue;
    std::size_t right_inside = 0;
    bool others_are_right = true;
    for (std::size_t i = 0; i < extent; ++i) {
      if (first <= i && i <= last) {
        right_inside += right[i];
      } else {
        others_are_right = others_are_right && right[i] > 0;
      }
    }
    if (!others_are_right || right_inside > (all_of_it ? 0 : s.wrong_count())) continue;
    const std::string range =
        first == last ? line("index ", first) : line("indices ", first, " to ", last);
    return s.named(
        Pattern::one_slice,
        line("only ", range, " of axis ", d, " of ", s.shape(),
             first == last ? " is wrong" : " are wrong", is_zero_where_wrong(s) ? " (0)" : ""),
        std::min(s.wrong_count(), s.telling_count() - s.wrong_count()));
  }
  return std::nullopt;
}

}  // namespace

std::optional<Diagnosis> is_wrong_in_one_slice(const Suspect& s) { return find_a_slice(s, true); }

std::optional<Diagnosis> is_wrong_in_part_of_a_slice(const Suspect& s) {
  return find_a_slice(s, false);
}

namespace {

/// Do the values of wrong and of right elements lie apart? By chance they do so in 2 of
/// C(n, wrong) cases.
class Separation {
 public:
  Separation(const Suspect& s, const Values& values) {
    for (std::size_t e = 0; e < s.size(); ++e) {
      if (!s.measured(e) || std::isnan(values[e])) continue;
      if (!s.telling(e)) {
        silent_low_ = std::min(silent_low_, values[e]);
        silent_high_ = std::max(silent_high_, values[e]);
        continue;
      }
      double& low = s.wrong(e) ? wrong_low_ : right_low_;
      double& high = s.wrong(e) ? wrong_high_ : right_high_;
      low = std::min(low, values[e]);
      high = std::max(high, values[e]);
    }
    // 2/(n over k), number by number: lgamma writes a sign that all threads share.
    const auto n = static_cast<double>(s.telling_count());
    const auto wrong = static_cast<double>(s.wrong_count());
    const double k = std::min(wrong, n - wrong);
    chance_ = 2;
    for (double i = 1; i <= k; ++i) chance_ *= i / (n - k + i);
  }

  bool apart() const { return below() || above(); }
  double chance() const { return chance_; }

  /// "negative", "0", "small (up to 0.93, right from 1.02 on)". What lies beyond and is right because its
  /// slope is 0 bounds it on the other side.
  std::string where(const char* sign_below, const char* sign_above) const {
    if (wrong_low_ == wrong_high_) return line(wrong_low_);
    if (below() && silent_low_ < wrong_low_)
      return line("between ", wrong_low_, " and ", wrong_high_, " (right from ", right_low_,
                  " on)");
    if (above() && silent_high_ > wrong_high_)
      return line("between ", wrong_low_, " and ", wrong_high_, " (right up to ", right_high_, ")");
    if (below() && sign_below != nullptr && wrong_high_ < 0 && right_low_ >= 0) return sign_below;
    if (above() && sign_above != nullptr && right_high_ <= 0 && wrong_low_ > 0) return sign_above;
    return below() ? line("small (up to ", wrong_high_, ", right from ", right_low_, " on)")
                   : line("large (from ", wrong_low_, " on, right up to ", right_high_, ")");
  }

 private:
  bool below() const { return wrong_high_ < right_low_; }
  bool above() const { return right_high_ < wrong_low_; }

  double wrong_low_ = INFINITY, wrong_high_ = -INFINITY;
  double right_low_ = INFINITY, right_high_ = -INFINITY;
  double silent_low_ = INFINITY, silent_high_ = -INFINITY;
  double chance_ = 1;
};

}  // namespace

namespace {

/// Wrong exactly where some values lie on one side of a number: those of an input or of the output, or
/// their sizes. By chance less likely than `most`, with all that was tried.
std::optional<Diagnosis> find_a_branch(const Suspect& s, double most) {
  int tried = 0;
  const auto ask = [&](const std::string& what, const Values& values) -> std::optional<Diagnosis> {
    if (values.size() != s.size()) return std::nullopt;
    Values sizes = values;
    for (double& v : sizes) v = std::fabs(v);
    const Separation by_value(s, values);
    const Separation by_size(s, sizes);
    tried += 2;
    const bool valued = by_value.apart();
    const Separation& best = valued ? by_value : by_size;
    if (!best.apart() || tried * best.chance() > most) return std::nullopt;
    return Diagnosis{
        Pattern::wrong_branch, s.name(),
        line("wrong in ", s.wrong_count(), " of ", s.measured_count(), " elements, just where ",
             valued ? what : "the size of " + what, " is ",
             valued ? best.where("negative", "positive") : best.where(nullptr, nullptr)),
        Certainty::likely};
  };
  for (std::size_t k = 0; k < s.probe().inputs(); ++k) {
    // The suspect's own values first.
    const std::size_t i = k == 0 ? s.position() : k <= s.position() ? k - 1 : k;
    const Tensor& x = s.probe().leaf(i).value();
    if (x.shape() != s.shape()) continue;
    if (auto found = ask(s.probe().name(i), x.to(float64).to_vector<double>())) return found;
  }
  if (s.probe().output().shape() != s.shape()) return std::nullopt;
  return ask("the output", s.probe().output().to_vector<double>());
}

}  // namespace

std::optional<Diagnosis> is_wrong_in_a_branch(const Suspect& s) { return find_a_branch(s, 0.01); }

std::optional<Diagnosis> may_be_wrong_in_a_branch(const Suspect& s) {
  std::optional<Diagnosis> found = find_a_branch(s, 0.1);
  if (found) found->certainty = Certainty::possible;
  return found;
}

std::optional<Diagnosis> is_zero_in_places(const Suspect& s) {
  if (!is_zero_where_wrong(s)) return std::nullopt;
  return s.named(Pattern::zero,
                 line("the gradient is 0 in ", s.wrong_count(), " of ", s.measured_count(),
                      " elements, the slopes there are not"),
                 s.measured_count());
}

}  // namespace gradus
