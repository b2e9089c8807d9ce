// Winograd convolution against the direct loops in double, on random geometries: in float within
// the bound that winograd_transforms.h states, computed here from matrices written down again; in
// double the algebra by itself, nearly without roundings.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gradus/core/kernels/conv2d/conv2d.h>
#include <gradus/core/parallel.h>

#include "kernels/winograd_matrices.h"

using namespace gradus::kernels;

using winograd::a_t;
using winograd::b_t;
using winograd::m;
using winograd::Matrix;
using winograd::n;
using winograd::transposed;

namespace {

/// by·x·byᵀ
Matrix sandwich(const Matrix& by, const Matrix& x) {
  Matrix y(by.size(), std::vector<double>(by.size(), 0.0));
  for (std::size_t r = 0; r < by.size(); ++r) {
    for (std::size_t s = 0; s < by.size(); ++s) {
      for (std::size_t i = 0; i < x.size(); ++i) {
        for (std::size_t j = 0; j < x.size(); ++j) y[r][s] += by[r][i] * x[i][j] * by[s][j];
      }
    }
  }
  return y;
}

Matrix zeros(std::int64_t side) {
  return Matrix(static_cast<std::size_t>(side),
                std::vector<double>(static_cast<std::size_t>(side), 0.0));
}

/// |x[h.., w..]| of so many rows and columns, zeros outside of [height, width].
Matrix window(const double* x, std::int64_t height, std::int64_t width, std::int64_t h,
              std::int64_t w, std::int64_t side) {
  Matrix cut = zeros(side);
  for (std::int64_t i = 0; i < side; ++i) {
    for (std::int64_t j = 0; j < side; ++j) {
      if (h + i >= 0 && h + i < height && w + j >= 0 && w + j < width)
        cut[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] =
            std::abs(x[(h + i) * width + w + j]);
    }
  }
  return cut;
}

void add_product(Matrix& sum, const Matrix& a, const Matrix& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < a.size(); ++j) sum[i][j] += a[i][j] * b[i][j];
  }
}

struct Operands {
  std::vector<double> x, w, bias, dy;
};

/// The bounds of the three passes without the factor eps·(terms + 32): |Aᵀ|[...]|A| and its kin.
struct Bounds {
  std::vector<double> y, dx, dw;

  Bounds(const Conv2dGeometry& g, const Operands& in)
      : y(static_cast<std::size_t>(g.output_size()), 0.0),
        dx(static_cast<std::size_t>(g.input_size()), 0.0),
        dw(static_cast<std::size_t>(g.weight_size()), 0.0) {
    const std::int64_t channels = g.group_in_channels();
    const std::int64_t filters = g.group_out_channels();
    std::vector<double> turned(in.w.size());
    for (std::int64_t co = 0; co < g.out_channels; ++co) {
      for (std::int64_t c = 0; c < channels; ++c) {
        const std::int64_t group = co / filters;
        for (std::int64_t k = 0; k < 9; ++k) {
          turned[static_cast<std::size_t>((((group * channels + c) * filters) + co % filters) * 9 +
                                          k)] =
              in.w[static_cast<std::size_t>((co * channels + c) * 9 + 8 - k)];
        }
      }
    }
    correlate(g.batch, g.groups, channels, filters, g.in_height, g.in_width, g.out_height(),
              g.out_width(), g.padding_h, g.padding_w, in.x, in.w, y);
    correlate(g.batch, g.groups, filters, channels, g.out_height(), g.out_width(), g.in_height,
              g.in_width, 2 - g.padding_h, 2 - g.padding_w, in.dy, turned, dx);
    for (std::int64_t co = 0; co < g.out_channels; ++co) {
      for (std::int64_t c = 0; c < channels; ++c) {
        Matrix sum = zeros(n);
        for (std::int64_t image = 0; image < g.batch; ++image) {
          const double* x = &in.x[static_cast<std::size_t>(
              (image * g.in_channels + co / filters * channels + c) * g.in_plane())];
          const double* dy =
              &in.dy[static_cast<std::size_t>((image * g.out_channels + co) * g.out_plane())];
          for (std::int64_t h = 0; h < g.out_height(); h += m) {
            for (std::int64_t w = 0; w < g.out_width(); w += m) {
              add_product(
                  sum,
                  sandwich(b_t,
                           window(x, g.in_height, g.in_width, h - g.padding_h, w - g.padding_w, n)),
                  sandwich(transposed(a_t), window(dy, g.out_height(), g.out_width(), h, w, m)));
            }
          }
        }
        const Matrix grad = sandwich(transposed(winograd::g), sum);
        for (std::int64_t k = 0; k < 9; ++k) {
          dw[static_cast<std::size_t>((co * channels + c) * 9 + k)] =
              grad[static_cast<std::size_t>(k / 3)][static_cast<std::size_t>(k % 3)];
        }
      }
    }
  }

 private:
  static void correlate(std::int64_t batch, std::int64_t groups, std::int64_t channels,
                        std::int64_t filters, std::int64_t in_h, std::int64_t in_w,
                        std::int64_t out_h, std::int64_t out_w, std::int64_t pad_h,
                        std::int64_t pad_w, const std::vector<double>& in,
                        const std::vector<double>& kernels, std::vector<double>& out) {
    for (std::int64_t k = 0; k < batch * groups * filters; ++k) {
      const std::int64_t image_group = k / filters;
      for (std::int64_t h = 0; h < out_h; h += m) {
        for (std::int64_t w = 0; w < out_w; w += m) {
          Matrix sum = zeros(n);
          for (std::int64_t c = 0; c < channels; ++c) {
            const double* plane =
                &in[static_cast<std::size_t>((image_group * channels + c) * in_h * in_w)];
            const double* kernel = &kernels[static_cast<std::size_t>(
                ((image_group % groups * filters + k % filters) * channels + c) * 9)];
            add_product(sum, sandwich(b_t, window(plane, in_h, in_w, h - pad_h, w - pad_w, n)),
                        sandwich(winograd::g, window(kernel, 3, 3, 0, 0, 3)));
          }
          const Matrix tile = sandwich(a_t, sum);
          for (std::int64_t i = 0; i < m && h + i < out_h; ++i) {
            for (std::int64_t j = 0; j < m && w + j < out_w; ++j) {
              out[static_cast<std::size_t>((k * out_h + h + i) * out_w + w + j)] =
                  tile[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)];
            }
          }
        }
      }
    }
  }
};

template <class To> std::vector<To> cast(const std::vector<double>& values) {
  std::vector<To> result;
  for (const double value : values) result.push_back(static_cast<To>(value));
  return result;
}

template <class T> struct Results {
  std::vector<T> y, dx, dw;

  Results(Conv2dAlgorithm algorithm, const Conv2dGeometry& g, const Operands& in, bool relu = false)
      : y(static_cast<std::size_t>(g.output_size()), std::numeric_limits<T>::quiet_NaN()),
        dx(static_cast<std::size_t>(g.input_size()), std::numeric_limits<T>::quiet_NaN()),
        dw(static_cast<std::size_t>(g.weight_size()), std::numeric_limits<T>::quiet_NaN()) {
    const auto x = cast<T>(in.x), w = cast<T>(in.w), bias = cast<T>(in.bias), dy = cast<T>(in.dy);
    conv2d_forward<T>(algorithm, g, x.data(), w.data(), {.bias = bias.data(), .relu = relu},
                      y.data());
    conv2d_input_grad(algorithm, g, dy.data(), w.data(), dx.data());
    conv2d_weight_grad(algorithm, g, x.data(), dy.data(), dw.data());
  }
  bool operator==(const Results&) const = default;
};

/// Numbers that float holds exactly.
std::vector<double> random_values(std::int64_t count, std::mt19937& engine) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < count; ++i)
    values.push_back(static_cast<float>(static_cast<double>(engine()) / 2147483648.0 - 1.0));
  return values;
}

Operands random_operands(const Conv2dGeometry& g, std::mt19937& engine) {
  return {random_values(g.input_size(), engine), random_values(g.weight_size(), engine),
          random_values(g.out_channels, engine), random_values(g.output_size(), engine)};
}

/// How many results are further from the exact ones than factor·bound. (The bias is one more
/// rounding of a number below 1.)
template <class T>
std::size_t beyond(const std::vector<T>& actual, const std::vector<double>& exact,
                   const std::vector<double>& bounds, double factor) {
  std::size_t wrong = 0;
  for (std::size_t k = 0; k < actual.size(); ++k) {
    // Written so that a NaN counts as wrong.
    if (!(std::abs(static_cast<double>(actual[k]) - exact[k]) <= factor * (bounds[k] + 1))) ++wrong;
  }
  return wrong;
}

void check_within_bounds(const Conv2dGeometry& g, std::mt19937& engine) {
  CAPTURE(g.in_height);
  CAPTURE(g.in_width);
  CAPTURE(g.padding_h);
  CAPTURE(g.padding_w);
  const Operands in = random_operands(g, engine);
  const Results<double> exact(Conv2dAlgorithm::direct, g, in);
  const Bounds bounds(g, in);
  const std::int64_t tiles =
      g.batch * ((g.out_height() + m - 1) / m) * ((g.out_width() + m - 1) / m);
  const auto factor = [](std::int64_t terms) {  // see winograd_transforms.h
    return static_cast<double>(terms + 32) * std::numeric_limits<float>::epsilon();
  };
  const Results<float> floats(Conv2dAlgorithm::winograd, g, in);
  CHECK(beyond(floats.y, exact.y, bounds.y, factor(g.group_in_channels())) == 0);
  CHECK(beyond(floats.dx, exact.dx, bounds.dx, factor(g.group_out_channels())) == 0);
  CHECK(beyond(floats.dw, exact.dw, bounds.dw, factor(tiles)) == 0);
  // The same bound in double, of a thousand terms on both sides, would be 5e-13.
  constexpr double algebra = 1e-12;
  const Results<double> doubles(Conv2dAlgorithm::winograd, g, in);
  CHECK(beyond(doubles.y, exact.y, bounds.y, algebra) == 0);
  CHECK(beyond(doubles.dx, exact.dx, bounds.dx, algebra) == 0);
  CHECK(beyond(doubles.dw, exact.dw, bounds.dw, algebra) == 0);
}

Conv2dGeometry random_geometry(std::mt19937& engine) {
  const auto between = [&](std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(engine()) % (high - low + 1);
  };
  Conv2dGeometry g;
  g.groups = between(0, 3) == 0 ? between(2, 3) : 1;
  g.batch = between(1, 3);
  g.in_channels = g.groups * between(1, 4);
  g.out_channels = g.groups * between(1, 4);
  g.kernel_h = g.kernel_w = 3;
  g.padding_h = between(0, 3);
  g.padding_w = between(0, 3);
  g.in_height = between(3, 12);
  g.in_width = between(3, 12);
  return g;
}

}  // namespace

TEST_CASE("Winograd convolution stays within its stated bound on 2000 random geometries") {
  std::mt19937 engine(1);
  for (int trial = 0; trial < 2000; ++trial) {
    CAPTURE(trial);
    check_within_bounds(random_geometry(engine), engine);
  }
}

TEST_CASE("many channels, large images and blocks of images: within the bound too") {
  std::mt19937 engine(2);
  const Conv2dGeometry geometries[] = {
      {.batch = 5,
       .in_channels = 33,
       .in_height = 8,
       .in_width = 9,
       .out_channels = 50,
       .kernel_h = 3,
       .kernel_w = 3,
       .padding_h = 1,
       .padding_w = 1},
      {.batch = 2,
       .in_channels = 3,
       .in_height = 61,
       .in_width = 83,
       .out_channels = 17,
       .kernel_h = 3,
       .kernel_w = 3,
       .padding_w = 1},
  };
  for (const Conv2dGeometry& g : geometries) check_within_bounds(g, engine);
}

TEST_CASE("Winograd gives the same bits with one, two and three threads") {
  std::mt19937 engine(3);
  const int before = gradus::num_threads();
  const Conv2dGeometry g{.batch = 7,
                         .in_channels = 40,
                         .in_height = 21,
                         .in_width = 30,
                         .out_channels = 56,
                         .kernel_h = 3,
                         .kernel_w = 3,
                         .padding_h = 1,
                         .padding_w = 1};
  const Operands in = random_operands(g, engine);
  gradus::set_num_threads(1);
  const Results<float> one(Conv2dAlgorithm::winograd, g, in);
  for (const int threads : {2, 3}) {
    gradus::set_num_threads(threads);
    CHECK((Results<float>(Conv2dAlgorithm::winograd, g, in) == one));
  }
  gradus::set_num_threads(before);
}

TEST_CASE("relu in the epilogue is relu afterwards, for every algorithm") {
  std::mt19937 engine(4);
  for (int trial = 0; trial < 50; ++trial) {
    const Conv2dGeometry g = random_geometry(engine);
    const Operands in = random_operands(g, engine);
    for (const auto algorithm :
         {Conv2dAlgorithm::direct, Conv2dAlgorithm::implicit_gemm, Conv2dAlgorithm::winograd}) {
      Results<float> plain(algorithm, g, in);
      for (float& value : plain.y) value = value < 0 ? 0 : value;
      CHECK(Results<float>(algorithm, g, in, true).y == plain.y);
    }
  }
}
