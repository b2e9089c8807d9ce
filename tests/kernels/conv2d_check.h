// One convolution, computed by every algorithm that can, in float and in double, and compared:
//
//   - elements of each result, drawn at random and at seams of tiles, with plain loops in double,
//     written here from the formula;
//   - all elements of each result with those of the other algorithms and type;
//   - Σ dy·(x ⋆ w) = Σ x·input_grad(dy, w) = Σ w·weight_grad(x, dy) over all elements.
//
// More often than not the numbers are small whole ones. Their sums of products are exact in float
// in any order, so that nothing may differ at all, Winograd's fractions apart.
//
// Operands lie between NaN, results are NaN before, workspaces are NaN and lie between NaN: what is
// read that should not be, or is not written, shows.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gradus/core/kernels/ceil_div.h>
#include <gradus/core/kernels/conv2d/conv2d.h>
#include <gradus/core/kernels/conv2d/tiles.h>
#include <gradus/core/kernels/workspace.h>

#include "kernels/conv2d_geometries.h"
#include "kernels/numbers.h"
#include "kernels/winograd_matrices.h"

namespace conv2d_check {

using namespace gradus::kernels;

struct Numbers {
  std::vector<double> x, w, dy, bias;
  double largest;  // magnitude
  bool exact;      // so are all sums of products, in float too

  Numbers(const Conv2dGeometry& g, std::mt19937& engine) {
    constexpr std::int64_t whole = 3;
    constexpr std::int64_t integers_of_float = 1 << std::numeric_limits<float>::digits;
    const std::int64_t products = std::max(
        {g.taps() + 1, g.group_out_channels() * g.kernel_plane(), g.batch * g.out_plane()});
    exact = engine() % 3 != 0 && products * whole * whole < integers_of_float;
    largest = exact ? static_cast<double>(whole) : 1.0;
    for (auto [values, count] :
         {std::pair(&x, g.input_size()), std::pair(&w, g.weight_size()),
          std::pair(&dy, g.output_size()), std::pair(&bias, g.out_channels)}) {
      if (!exact) {  // numbers that float holds
        const std::vector<float> floats = random_values<float>(count, engine);
        values->assign(floats.begin(), floats.end());
        continue;
      }
      values->resize(static_cast<std::size_t>(count));
      for (double& value : *values) {  // no zeros, which would hide something
        value = static_cast<double>(engine() % whole + 1);
        if (engine() % 2 == 0) value = -value;
      }
    }
  }
};

// ---- The oracle ----

/// A sum of products, exact or nearly so.
struct Sum {
  double value = 0;
  double magnitude = 0;  ///< Σ|a||b|
  std::int64_t products = 0;

  void add(double a, double b) {
    value += a * b;
    magnitude += std::abs(a * b);
    ++products;
  }
};

/// Single elements, by number.
class Oracle {
 public:
  Oracle(const Conv2dGeometry& g, const Numbers& in) : g_(g), in_(in) {}

  Sum y(std::int64_t element) const {
    const std::int64_t ow = element % g_.out_width();
    const std::int64_t oh = element / g_.out_width() % g_.out_height();
    const std::int64_t co = element / g_.out_plane() % g_.out_channels;
    const std::int64_t n = element / g_.out_plane() / g_.out_channels;
    Sum sum;
    sum.add(at(in_.bias, co), 1);
    for (std::int64_t ci = 0; ci < g_.group_in_channels(); ++ci) {
      for (std::int64_t i = 0; i < g_.kernel_h; ++i) {
        for (std::int64_t j = 0; j < g_.kernel_w; ++j) {
          const std::int64_t h = oh * g_.stride_h - g_.padding_h + i * g_.dilation_h;
          const std::int64_t w = ow * g_.stride_w - g_.padding_w + j * g_.dilation_w;
          if (h < 0 || h >= g_.in_height || w < 0 || w >= g_.in_width) continue;
          sum.add(at(in_.x, x_place(n, co, ci, h, w)), at(in_.w, w_place(co, ci, i, j)));
        }
      }
    }
    return sum;
  }

  Sum dx(std::int64_t element) const {
    const std::int64_t w = element % g_.in_width;
    const std::int64_t h = element / g_.in_width % g_.in_height;
    const std::int64_t channel = element / g_.in_plane() % g_.in_channels;
    const std::int64_t n = element / g_.in_plane() / g_.in_channels;
    const std::int64_t first = channel / g_.group_in_channels() * g_.group_out_channels();
    Sum sum;
    for (std::int64_t co = first; co < first + g_.group_out_channels(); ++co) {
      for (std::int64_t i = 0; i < g_.kernel_h; ++i) {
        for (std::int64_t j = 0; j < g_.kernel_w; ++j) {
          const std::int64_t from_h = h + g_.padding_h - i * g_.dilation_h;
          const std::int64_t from_w = w + g_.padding_w - j * g_.dilation_w;
          if (from_h < 0 || from_h % g_.stride_h != 0 || from_h / g_.stride_h >= g_.out_height())
            continue;
          if (from_w < 0 || from_w % g_.stride_w != 0 || from_w / g_.stride_w >= g_.out_width())
            continue;
          sum.add(at(in_.dy, y_place(n, co, from_h / g_.stride_h, from_w / g_.stride_w)),
                  at(in_.w, w_place(co, channel % g_.group_in_channels(), i, j)));
        }
      }
    }
    return sum;
  }

  Sum dw(std::int64_t element) const {
    const std::int64_t j = element % g_.kernel_w;
    const std::int64_t i = element / g_.kernel_w % g_.kernel_h;
    const std::int64_t ci = element / g_.kernel_plane() % g_.group_in_channels();
    const std::int64_t co = element / g_.taps();
    Sum sum;
    for (std::int64_t n = 0; n < g_.batch; ++n) {
      for (std::int64_t oh = 0; oh < g_.out_height(); ++oh) {
        const std::int64_t h = oh * g_.stride_h - g_.padding_h + i * g_.dilation_h;
        if (h < 0 || h >= g_.in_height) continue;
        for (std::int64_t ow = 0; ow < g_.out_width(); ++ow) {
          const std::int64_t w = ow * g_.stride_w - g_.padding_w + j * g_.dilation_w;
          if (w < 0 || w >= g_.in_width) continue;
          sum.add(at(in_.x, x_place(n, co, ci, h, w)), at(in_.dy, y_place(n, co, oh, ow)));
        }
      }
    }
    return sum;
  }

 private:
  static double at(const std::vector<double>& values, std::int64_t i) {
    return values[static_cast<std::size_t>(i)];
  }
  std::int64_t x_place(std::int64_t n, std::int64_t co, std::int64_t ci, std::int64_t h,
                       std::int64_t w) const {
    const std::int64_t channel = co / g_.group_out_channels() * g_.group_in_channels() + ci;
    return ((n * g_.in_channels + channel) * g_.in_height + h) * g_.in_width + w;
  }
  std::int64_t w_place(std::int64_t co, std::int64_t ci, std::int64_t i, std::int64_t j) const {
    return ((co * g_.group_in_channels() + ci) * g_.kernel_h + i) * g_.kernel_w + j;
  }
  std::int64_t y_place(std::int64_t n, std::int64_t co, std::int64_t oh, std::int64_t ow) const {
    return ((n * g_.out_channels + co) * g_.out_height() + oh) * g_.out_width() + ow;
  }

  const Conv2dGeometry& g_;
  const Numbers& in_;
};

/// Some elements of a result, and what they should be.
struct Samples {
  std::vector<std::int64_t> elements;
  std::vector<Sum> sums;
};

/// All elements, if they are cheap, else the first and the last, and some of the rest: every other
/// one in a row beside a seam between tiles. work: products of an element.
template <class F>
Samples sample(std::int64_t rows, std::int64_t columns, std::int64_t planes,
               const std::vector<std::int64_t>& seams, std::int64_t work, std::mt19937& engine,
               const F& oracle) {
  constexpr std::int64_t cheap = 20'000;
  constexpr std::int64_t fewest = 64;
  Samples samples;
  const std::int64_t size = planes * rows * columns;
  const std::int64_t count = std::max(fewest, cheap / std::max<std::int64_t>(work, 1));
  if (size <= count) {
    for (std::int64_t k = 0; k < size; ++k) samples.elements.push_back(k);
  } else {
    samples.elements = {0, columns - 1, rows * columns - 1, size - columns, size - 1};
    while (static_cast<std::int64_t>(samples.elements.size()) < count) {
      std::int64_t row = between(0, rows - 1, engine);
      if (!seams.empty() && samples.elements.size() % 2 == 0) {
        const std::int64_t seam = seams[engine() % seams.size()] + between(-2, 2, engine);
        row = std::clamp<std::int64_t>(seam, 0, rows - 1);
      }
      samples.elements.push_back((between(0, planes - 1, engine) * rows + row) * columns +
                                 between(0, columns - 1, engine));
    }
  }
  for (const std::int64_t element : samples.elements) samples.sums.push_back(oracle(element));
  return samples;
}

template <class T>
void add_seams(const Conv2dGeometry& g, std::vector<std::int64_t>& outputs,
               std::vector<std::int64_t>& inputs) {
  const ForwardTiles<T> forward(g, ForwardTiles<T>::best_lanes(g));
  for (std::int64_t tile = 1; tile < forward.count(); ++tile)
    outputs.push_back(forward.first_row(tile));
  const InputTiles<T> backward(g);
  for (const auto& phase : backward.phases()) {
    for (std::int64_t k = phase.product.size().rows; k < phase.rows; k += phase.product.size().rows)
      inputs.push_back(phase.row + k * g.stride_h);
  }
}

// ---- What may differ ----

/// How much Winograd's transforms enlarge numbers at most: the largest element of
/// outer·[(first·1·firstᵀ) ∘ (second·1·secondᵀ)]·outerᵀ.
inline double amplification(const winograd::Matrix& outer, const winograd::Matrix& first,
                            const winograd::Matrix& second) {
  const auto sum = [](const std::vector<double>& row) {
    double total = 0;
    for (const double value : row) total += value;
    return total;
  };
  double most = 0;
  for (const std::vector<double>& row : outer) {
    double total = 0;
    for (std::size_t k = 0; k < row.size(); ++k) total += row[k] * sum(first[k]) * sum(second[k]);
    most = std::max(most, total);
  }
  return most * most;
}

/// By how much an element of a result may be off, `terms` products each of which is at most
/// `product`. For a direct sum that is 2·k·eps·Σ|a||b| (Higham, Accuracy and Stability, 3.1: k·eps
/// for each of the two sums that are compared); for Winograd's what winograd_transforms.h states,
/// of numbers that are all as large as the largest.
struct Tolerance {
  double per_magnitude = 0;  ///< times Σ|a||b|
  double constant = 0;
};

template <class T>
Tolerance tolerance(Conv2dAlgorithm algorithm, Conv2dPass pass, const Conv2dGeometry& g,
                    const Numbers& in) {
  constexpr auto eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  std::int64_t products = 0;
  std::int64_t terms = 0;  // of a place of Winograd's
  double enlarged = 0;
  if (pass == Conv2dPass::forward) {
    products = g.taps() + 1;
    terms = g.group_in_channels();
    enlarged = amplification(winograd::a_t, winograd::g, winograd::b_t);
  } else if (pass == Conv2dPass::input_grad) {
    products = g.group_out_channels() * g.kernel_plane();
    terms = g.group_out_channels();
    enlarged = amplification(winograd::a_t, winograd::g, winograd::b_t);
  } else {
    products = g.batch * g.out_plane();
    terms = g.batch * ceil_div(g.out_height(), winograd::m) * ceil_div(g.out_width(), winograd::m);
    enlarged = amplification(winograd::transposed(winograd::g), winograd::b_t,
                             winograd::transposed(winograd::a_t));
  }
  const auto k = static_cast<double>(terms);
  if (algorithm == Conv2dAlgorithm::winograd) {  // 1: and the bias
    const double largest = in.largest * in.largest;
    return {.per_magnitude = 0, .constant = (k + 32) * eps * (k * enlarged + 1) * largest};
  }
  return {.per_magnitude = in.exact ? 0 : 2 * static_cast<double>(products) * eps};
}

// ---- The check ----

/// Memory between NaN, further than any vector reaches.
template <class T> class Between {
 public:
  explicit Between(std::int64_t size) : size_(size), values_(unwritten<T>(size + 2 * margin)) {}
  explicit Between(const std::vector<double>& values)
      : Between(static_cast<std::int64_t>(values.size())) {
    for (std::size_t k = 0; k < values.size(); ++k) data()[k] = static_cast<T>(values[k]);
  }
  T* data() { return values_.data() + margin; }
  const T* data() const { return values_.data() + margin; }
  std::int64_t size() const { return size_; }
  bool margins_untouched() const {
    const auto is_nan = [](T value) { return std::isnan(value); };
    return std::all_of(values_.begin(), values_.begin() + margin, is_nan) &&
           std::all_of(values_.end() - margin, values_.end(), is_nan);
  }

 private:
  static constexpr std::int64_t margin = 64;

  std::int64_t size_;
  std::vector<T> values_;
};

/// The results of the three passes.
struct Results {
  std::vector<double> y, dx, dw;
};

class Check {
 public:
  Check(const Conv2dGeometry& g, std::mt19937& engine)
      : g_(g), engine_(engine), in_(g, engine), oracle_(g, in_) {
    std::vector<std::int64_t> output_seams, input_seams;
    if (patches_in_proportion(g)) {
      add_seams<float>(g, output_seams, input_seams);
      add_seams<double>(g, output_seams, input_seams);
    }
    y_ = sample(g.out_height(), g.out_width(), g.batch * g.out_channels, output_seams, g.taps(),
                engine, [&](std::int64_t k) { return oracle_.y(k); });
    dx_ = sample(g.in_height, g.in_width, g.batch * g.in_channels, input_seams,
                 g.group_out_channels() * g.kernel_plane(), engine,
                 [&](std::int64_t k) { return oracle_.dx(k); });
    dw_ = sample(g.kernel_h, g.kernel_w, g.weight_size() / g.kernel_plane(), {},
                 g.batch * g.out_plane(), engine, [&](std::int64_t k) { return oracle_.dw(k); });
  }

  /// The first difference in words, or nothing.
  std::string difference() {
    for (const auto algorithm :
         {Conv2dAlgorithm::depthwise, Conv2dAlgorithm::implicit_gemm, Conv2dAlgorithm::pointwise,
          Conv2dAlgorithm::winograd, Conv2dAlgorithm::direct}) {
      if (!supports(algorithm, g_)) continue;
      // The loops take long; they are tested enough with small ones.
      constexpr std::int64_t few = 100'000;
      const bool only = !patches_in_proportion(g_);
      if (algorithm == Conv2dAlgorithm::direct && !only && multiply_adds(g_) > few) continue;
      run<double>(algorithm);
      run<float>(algorithm);
      if (!text_.empty()) return text_;
    }
    return {};
  }

 private:
  template <class T> void run(Conv2dAlgorithm algorithm) {
    const Between<T> x(in_.x), w(in_.w), dy(in_.dy), bias(in_.bias);
    Between<T> y(g_.output_size()), dx(g_.input_size()), dw(g_.weight_size());
    const std::int64_t guards = detail::overwritten_guards();
    conv2d_forward<T>(algorithm, g_, x.data(), w.data(), {.bias = bias.data()}, y.data());
    conv2d_input_grad<T>(algorithm, g_, dy.data(), w.data(), dx.data());
    conv2d_weight_grad<T>(algorithm, g_, x.data(), dy.data(), dw.data());
    name_ = (std::same_as<T, float> ? "float, " : "double, ") + std::string(to_string(algorithm));
    if (detail::overwritten_guards() != guards) report("wrote beyond a workspace");
    for (const Between<T>* result : {&y, &dx, &dw}) {
      if (!result->margins_untouched()) report("wrote beyond a result");
    }
    compare<T>(algorithm, Conv2dPass::forward, y, y_, others_.y);
    compare<T>(algorithm, Conv2dPass::input_grad, dx, dx_, others_.dx);
    compare<T>(algorithm, Conv2dPass::weight_grad, dw, dw_, others_.dw);
    if (algorithm != Conv2dAlgorithm::winograd) identity<T>(y, dx, dw);

    if (engine_() % 4 != 0) return;
    Between<T> rectified(g_.output_size());
    conv2d_forward<T>(algorithm, g_, x.data(), w.data(), {.bias = bias.data(), .relu = true},
                      rectified.data());
    for (std::int64_t k = 0; k < y.size(); ++k) {
      if (rectified.data()[k] != std::max(y.data()[k], T{0})) return report("relu differs");
    }
  }

  /// With samples, and with what was computed first.
  template <class T>
  void compare(Conv2dAlgorithm algorithm, Conv2dPass pass, const Between<T>& result,
               const Samples& samples, std::vector<double>& first) {
    const Tolerance allowed = tolerance<T>(algorithm, pass, g_, in_);
    for (std::size_t k = 0; k < samples.elements.size(); ++k) {
      const Sum& expected = samples.sums[k];
      const auto actual = static_cast<double>(result.data()[samples.elements[k]]);
      const double bound = allowed.per_magnitude * expected.magnitude + allowed.constant;
      // Written so that a NaN counts as wrong.
      if (!(std::abs(actual - expected.value) <= bound))
        return report_element(pass, samples.elements[k], actual, expected.value, bound);
    }
    if (first.empty()) {
      first.assign(result.data(), result.data() + result.size());
      return;
    }
    // Each within its tolerance of the exact sum; Σ|a||b| is not larger than that of the largest.
    const double most = in_.largest * in_.largest * static_cast<double>(most_products(pass));
    const double first_bound =
        tolerance<double>(Conv2dAlgorithm::implicit_gemm, pass, g_, in_).per_magnitude * most;
    const double bound = allowed.per_magnitude * most + allowed.constant + first_bound;
    for (std::int64_t k = 0; k < result.size(); ++k) {
      const auto actual = static_cast<double>(result.data()[k]);
      if (!(std::abs(actual - first[static_cast<std::size_t>(k)]) <= bound))
        return report_element(pass, k, actual, first[static_cast<std::size_t>(k)], bound);
    }
  }

  std::int64_t most_products(Conv2dPass pass) const {
    if (pass == Conv2dPass::forward) return g_.taps() + 1;
    if (pass == Conv2dPass::input_grad) return g_.group_out_channels() * g_.kernel_plane();
    return g_.batch * g_.out_plane();
  }

  /// The same sum of products dy·x·w three times.
  template <class T>
  void identity(const Between<T>& y, const Between<T>& dx, const Between<T>& dw) {
    double by_y = 0;
    double by_dx = 0;
    double by_dw = 0;
    for (std::int64_t k = 0; k < y.size(); ++k) {
      const double bias = in_.bias[static_cast<std::size_t>(k / g_.out_plane() % g_.out_channels)];
      by_y += in_.dy[static_cast<std::size_t>(k)] * (static_cast<double>(y.data()[k]) - bias);
    }
    for (std::int64_t k = 0; k < dx.size(); ++k)
      by_dx += in_.x[static_cast<std::size_t>(k)] * static_cast<double>(dx.data()[k]);
    for (std::int64_t k = 0; k < dw.size(); ++k)
      by_dw += in_.w[static_cast<std::size_t>(k)] * static_cast<double>(dw.data()[k]);
    // Whole numbers far below 2^53 are exact. Else, two results each within 2·k·eps·Σ|a||b|, and
    // the sums here, of as many as the larger has elements, within k·eps of double.
    double bound = 0;
    if (!in_.exact) {
      const auto largest = static_cast<double>(
          std::max({most_products(Conv2dPass::forward), most_products(Conv2dPass::input_grad),
                    most_products(Conv2dPass::weight_grad)}));
      const auto elements = static_cast<double>(std::max({y.size(), dx.size(), dw.size()}));
      const auto products = static_cast<double>(multiply_adds(g_) + g_.output_size());
      bound = (4 * largest * static_cast<double>(std::numeric_limits<T>::epsilon()) +
               2 * elements * std::numeric_limits<double>::epsilon()) *
              products;
    }
    if (!(std::abs(by_y - by_dx) <= bound) || !(std::abs(by_y - by_dw) <= bound)) {
      std::ostringstream text;
      text << "the passes are not adjoint: " << by_y << " by outputs, " << by_dx << " by inputs, "
           << by_dw << " by weights, allowed " << bound;
      report(text.str());
    }
  }

  void report_element(Conv2dPass pass, std::int64_t element, double actual, double expected,
                      double bound) {
    std::ostringstream text;
    text << to_string(pass) << ", element " << element << ": " << actual << " instead of "
         << expected << " ± " << bound;
    report(text.str());
  }

  void report(const std::string& text) {
    if (text_.empty()) text_ = name_ + ": " + text;
  }

  const Conv2dGeometry& g_;
  std::mt19937& engine_;
  Numbers in_;
  Oracle oracle_;
  Samples y_, dx_, dw_;
  Results others_;  // of the first algorithm that ran
  std::string name_, text_;
};

/// What differs for this geometry, in words; nothing if all is right. Guard workspaces before.
inline std::string first_difference(const Conv2dGeometry& g, std::mt19937& engine) {
  return Check(g, engine).difference();
}

}  // namespace conv2d_check
