// The judges of what is counted or laid out anew: sizes, kernels in a row, windows, multiplications.
#include <gradus/core/conv.h>
#include <gradus/core/error.h>
#include <gradus/core/math.h>

#include <algorithm>
#include <array>

#include "hearing.h"
#include "judges.h"

namespace gradus {
namespace {

/// conv2d of one plane by one kernel.
Tensor plane_by_kernel(const Tensor& x, const Tensor& k, Pair padding) {
  return core::conv2d(x.unsqueeze(0).unsqueeze(0), k.unsqueeze(0).unsqueeze(0), {},
                      {.padding = padding})
      .squeeze(0)
      .squeeze(0);
}

Tensor turned(const Tensor& k) { return core::flip(k, {0, 1}); }

std::string in_braces(Pair pair) { return text_of("{", pair.height, ",", pair.width, "}"); }

using SizeRule = std::int64_t (*)(std::int64_t n, std::int64_t k, std::int64_t p, std::int64_t s,
                                  std::int64_t d);

struct NamedRule {
  const char* name;
  SizeRule rule;
};

// Each as somebody has written it.
constexpr std::array<NamedRule, 8> wrong_sizes{{
    {"the padding counts on one side only: there is some on both",
     [](auto n, auto k, auto p, auto s, auto d) { return (n + p - d * (k - 1) - 1) / s + 1; }},
    {"the dilation is left out: a dilated kernel is dilation·(kernel - 1) + 1 long",
     [](auto n, auto k, auto p, auto s, auto) { return (n + 2 * p - k) / s + 1; }},
    {"the dilated kernel is taken to be dilation·kernel long",
     [](auto n, auto k, auto p, auto s, auto d) { return (n + 2 * p - d * k) / s + 1; }},
    {"rounded up: a window that does not fit is no window",
     [](auto n, auto k, auto p, auto s, auto d) {
       return (n + 2 * p - d * (k - 1) - 1 + s - 1) / s + 1;
     }},
    {"the first window is not counted: + 1",
     [](auto n, auto k, auto p, auto s, auto d) { return (n + 2 * p - d * (k - 1) - 1) / s; }},
    {"the stride is left out",
     [](auto n, auto k, auto p, auto, auto d) { return n + 2 * p - d * (k - 1); }},
    {"the 1 is added before the division: it belongs behind it",
     [](auto n, auto k, auto p, auto s, auto d) { return (n + 2 * p - d * (k - 1)) / s; }},
    {"the padding is left out",
     [](auto n, auto k, auto, auto s, auto d) { return (n - d * (k - 1) - 1) / s + 1; }},
}};

/// A size by a rule, along both axes.
Pair size_by(SizeRule rule, Pair n, Pair k, const Conv2dOptions& o) {
  return {rule(n.height, k.height, o.padding.height, o.stride.height, o.dilation.height),
          rule(n.width, k.width, o.padding.width, o.stride.width, o.dilation.width)};
}

/// A call of the learner's, and what it gave.
struct SizeAnswer {
  Pair input, kernel;
  Conv2dOptions options;
  Pair right, got;
};

std::string where_of(const SizeAnswer& a) {
  return text_of("input ", in_braces(a.input), ", kernel ", in_braces(a.kernel), ", padding ",
                 in_braces(a.options.padding), ", stride ", in_braces(a.options.stride),
                 ", dilation ", in_braces(a.options.dilation));
}

/// The mistake that explains every answer: a single size has many explanations.
std::string name_of_sizes(const std::vector<SizeAnswer>& answers) {
  const auto explains = [&](const auto& rule) {
    return std::all_of(answers.begin(), answers.end(),
                       [&](const SizeAnswer& a) { return a.got == rule(a); });
  };
  if (explains([](const SizeAnswer&) { return Pair(0); })) return "nothing is written yet";
  for (const NamedRule& wrong : wrong_sizes)
    if (explains(
            [&](const SizeAnswer& a) { return size_by(wrong.rule, a.input, a.kernel, a.options); }))
      return wrong.name;
  if (explains([](const SizeAnswer& a) { return Pair(a.right.width, a.right.height); }))
    return "height and width are exchanged";
  if (explains([](const SizeAnswer& a) { return Pair(a.right.height); }))
    return "the width is taken from the height";
  return {};
}

/// Likewise of multiplications.
struct CountAnswer {
  Shape x, k, y;
  Conv2dOptions options;
  Multiplications got;

  /// Counted, not computed: one for each tap at each output.
  std::int64_t right() const {
    std::int64_t count = 0;
    for (std::int64_t output = 0; output < y.numel(); ++output) count += k[1] * k[2] * k[3];
    return count;
  }
};

struct NamedCount {
  const char* name;
  std::int64_t (*count)(const CountAnswer& a);
};

constexpr std::array<NamedCount, 9> wrong_counts{{
    {"nothing is written yet", [](const CountAnswer&) { return std::int64_t{0}; }},
    {"additions are counted too", [](const CountAnswer& a) { return 2 * a.right(); }},
    {"counted over the pixels of x: it is those of y",
     [](const CountAnswer& a) { return a.x[0] * a.k.numel() * a.x[2] * a.x[3]; }},
    {"one image only: the batch is left out",
     [](const CountAnswer& a) { return a.right() / a.x[0]; }},
    {"the groups are counted again: k[1] is ci / groups already",
     [](const CountAnswer& a) { return a.right() / a.options.groups; }},
    {"all input channels for each output: a group has ci / groups",
     [](const CountAnswer& a) { return a.right() * a.options.groups; }},
    {"the output channels are left out", [](const CountAnswer& a) { return a.right() / a.k[0]; }},
    {"the input channels are left out", [](const CountAnswer& a) { return a.right() / a.k[1]; }},
    {"the kernel's window is left out",
     [](const CountAnswer& a) { return a.right() / (a.k[2] * a.k[3]); }},
}};

std::string name_of_counts(const std::vector<CountAnswer>& answers) {
  for (const NamedCount& wrong : wrong_counts) {
    if (std::all_of(answers.begin(), answers.end(),
                    [&](const CountAnswer& a) { return a.got.forward == wrong.count(a); }))
      return wrong.name;
  }
  return {};
}

std::string name_of_backward(const CountAnswer& a) {
  if (a.got.backward == a.right())
    return "one gradient only: backward makes two, each as dear as forward";
  return a.got.backward == 3 * a.right() ? "that is forward and backward together" : "";
}

}  // namespace

Judgement judge_output_size(const OutputSize& learner, std::uint64_t seed) {
  Hearing hearing("output-size", seed);
  std::vector<SizeAnswer> answers;
  const auto hear = [&](Pair input, Pair kernel, const Conv2dOptions& options) {
    const Tensor y = core::conv2d(zeros({1, 1, input.height, input.width}),
                                  zeros({1, 1, kernel.height, kernel.width}), {}, options);
    const Pair right(y.size(2), y.size(3));
    hearing.attempt("a size", [&] {
      answers.push_back({input, kernel, options, right, learner(input, kernel, options)});
    });
  };
  hear({23, 39}, {4, 3}, {.stride = {3, 4}, .padding = {1, 2}, .dilation = {3, 2}});
  hear({28, 28}, {3, 3}, {.padding = 1});
  hear({32, 30}, {5, 3}, {});
  hear({7, 9}, {1, 1}, {.stride = 2});
  hear({3, 4}, {3, 4}, {});
  hear({224, 225}, {7, 7}, {.stride = 2, .padding = 3});
  for (int i = 0; i < 20; ++i) {
    const auto some = [&](std::int64_t low, std::int64_t high) {
      const auto span = static_cast<std::uint64_t>(high - low);
      return low + static_cast<std::int64_t>(hearing.generator().next() % span);
    };
    hear({some(12, 40), some(12, 40)}, {some(1, 5), some(1, 5)},
         {.stride = {some(1, 5), some(1, 5)},
          .padding = {some(0, 3), some(0, 3)},
          .dilation = {some(1, 4), some(1, 4)}});
  }
  const std::string name = name_of_sizes(answers);
  for (const SizeAnswer& each : answers)
    hearing.claim(each.got == each.right,
                  text_of(where_of(each), ": the size is ", in_braces(each.got), ", it should be ",
                          in_braces(each.right)),
                  name);
  return hearing.verdict();
}

Judgement judge_compose_two_kernels(const Composition& learner, std::uint64_t seed) {
  Hearing hearing("compose-two-kernels", seed);
  const auto hear = [&](const Shape& first, const Shape& second) {
    const Tensor k1 = hearing.draw(first);
    const Tensor k2 = hearing.draw(second);
    const Pair overlap(k2.size(0) - 1, k2.size(1) - 1);
    const Tensor right = plane_by_kernel(k1, turned(k2), overlap);
    const auto placed = [&](std::int64_t row, std::int64_t column, std::int64_t h, std::int64_t w) {
      return right.narrow(0, row, h).narrow(1, column, w);
    };
    hearing.value(
        "k", text_of("k1 ", k1.shape(), ", k2 ", k2.shape()), [&] { return learner(k1, k2); },
        right,
        {{"k2 is slid over k1 as it is: k[i,j] takes k1[i-u, j-v], so k2 runs backwards",
          [&] { return plane_by_kernel(k1, k2, overlap); }},
         {"k comes out turned by 180 degrees", [&] { return turned(right); }},
         {"only where k2 lies inside of k1: the composed kernel is k1 + k2 - 1 large",
          [&] { return plane_by_kernel(k1, turned(k2), 0); }},
         {"only the part of the size of k1 is kept: the composed kernel is k1 + k2 - 1 large",
          [&] { return placed(0, 0, k1.size(0), k1.size(1)); }},
         {"a row and a column too many: the size is k1 + k2 - 1",
          [&] {
            const Tensor wide = zeros({right.size(0) + 1, right.size(1) + 1}, float64);
            wide.narrow(0, 0, right.size(0)).narrow(1, 0, right.size(1)).copy_(right);
            return wide;
          }},
         {"the sum of both kernels, where a product of every pair belongs",
          [&] {
            const Tensor k = zeros_like(right);
            const Tensor at1 = k.narrow(0, 0, k1.size(0)).narrow(1, 0, k1.size(1));
            at1.copy_(core::add(at1, k1));
            const Tensor at2 = k.narrow(0, 0, k2.size(0)).narrow(1, 0, k2.size(1));
            at2.copy_(core::add(at2, k2));
            return k;
          }},
         {"only the last product for each place is kept: a sum needs +=", [&] {
            const Tensor k = zeros_like(right);
            for (std::int64_t i = 0; i < k1.size(0); ++i)
              for (std::int64_t j = 0; j < k1.size(1); ++j)
                k.narrow(0, i, k2.size(0))
                    .narrow(1, j, k2.size(1))
                    .copy_(core::mul(k2, k1.at<double>({i, j})));
            return k;
          }}});
    hearing.attempt("the two in a row", [&] {
      const Tensor x = hearing.draw({right.size(0) + 3, right.size(1) + 2});
      const Tensor twice = plane_by_kernel(plane_by_kernel(x, k1, 0), k2, 0);
      hearing.value(
          "corr2d(x, k)", text_of("x ", x.shape(), ", k1 ", k1.shape(), ", k2 ", k2.shape()),
          [&] { return plane_by_kernel(x, learner(k1, k2), 0); }, twice);
    });
  };
  hear({3, 4}, {2, 3});
  hear({3, 3}, {3, 3});
  hear({1, 1}, {2, 3});
  hear({4, 2}, {1, 1});
  hear({1, 5}, {3, 1});
  hear({11, 18}, {7, 4});
  return hearing.verdict();
}

Judgement judge_windows_as_a_matrix(const Windows& learner, std::uint64_t seed) {
  Hearing hearing("windows-as-a-matrix", seed);
  const auto hear = [&](const Shape& image, Pair kernel) {
    const Tensor x = hearing.draw(image);
    const std::int64_t c = x.size(0), kh = kernel.height, kw = kernel.width;
    const std::int64_t oh = x.size(1) - kh + 1, ow = x.size(2) - kw + 1;
    const auto laid_out = [&](const Tensor& picture) {
      return core::unfold(picture.unsqueeze(0), {.kernel_size = kernel}).squeeze(0);
    };
    const Tensor right = laid_out(x);
    const Tensor taps = right.reshape({c, kh, kw, oh, ow});
    const auto ordered = [&](const Dims& order) {
      return taps.permute(order).contiguous().reshape({c * kh * kw, oh * ow});
    };
    hearing.value(
        "the matrix", text_of("x ", x.shape(), ", kernel ", in_braces(kernel)),
        [&] { return learner(x, kernel); }, right,
        {{"a window is a row here: it should be a column", [&] { return right.transpose(); }},
         {"the channel runs fastest down a column: the order is channel, row, column",
          [&] {
            return ordered({1, 2, 0, 3, 4});
          }},
         {"rows and columns of the window are exchanged: the order is channel, row, column",
          [&] {
            return ordered({0, 2, 1, 3, 4});
          }},
         {"the windows are taken column by column: they go row by row",
          [&] {
            return ordered({0, 1, 2, 4, 3});
          }},
         {"the windows run backwards: that is the kernel flipped",
          [&] {
            return core::flip(taps, {1, 2}).reshape(right.shape());
          }},
         {"windows side by side: neighbours overlap, their distance is 1",
          [&] {
            return core::unfold(x.unsqueeze(0), {.kernel_size = kernel, .stride = kernel})
                .squeeze(0);
          }},
         {"every channel shows the numbers of the first",
          [&] { return laid_out(x.narrow(0, 0, 1).expand(x.shape())); }}});
  };
  hear({3, 5, 6}, {2, 3});
  hear({2, 5, 5}, {2, 2});
  hear({1, 4, 6}, {3, 2});
  hear({4, 3, 2}, {1, 1});
  hear({2, 3, 4}, {3, 4});
  hear({5, 19, 8}, {4, 3});
  return hearing.verdict();
}

Judgement judge_count_multiplications(const CountMultiplications& learner, std::uint64_t seed) {
  Hearing hearing("count-multiplications", seed);
  std::vector<CountAnswer> answers;
  const auto hear = [&](const Shape& x, const Shape& k, const Conv2dOptions& options) {
    hearing.attempt(text_of("x ", x, ", k ", k), [&] {
      const Shape y = core::conv2d(zeros(x), zeros(k), {}, options).shape();
      answers.push_back({x, k, y, options, learner(x, k, options)});
    });
  };
  hear({5, 6, 11, 13}, {14, 3, 3, 5}, {.stride = {2, 1}, .padding = {1, 0}, .groups = 2});
  hear({1, 16, 28, 28}, {32, 16, 3, 3}, {.padding = 1});
  hear({7, 3, 8, 9}, {5, 3, 1, 1}, {});
  hear({2, 1, 6, 6}, {4, 1, 5, 5}, {.stride = 3, .padding = 2});
  hear({3, 8, 9, 7}, {8, 1, 3, 3}, {.groups = 8});
  const std::string name = name_of_counts(answers);
  for (const CountAnswer& a : answers) {
    const std::string where =
        text_of("x ", a.x, ", k ", a.k, ", padding ", in_braces(a.options.padding), ", stride ",
                in_braces(a.options.stride), ", groups ", a.options.groups);
    hearing.claim(a.got.forward == a.right(),
                  text_of(where, ": forward takes ", a.got.forward, ", it should be ", a.right()),
                  name);
    if (a.got.forward != a.right()) continue;
    hearing.claim(
        a.got.backward == 2 * a.right(),
        text_of(where, ": backward takes ", a.got.backward, ", it should be ", 2 * a.right()),
        name_of_backward(a));
  }
  return hearing.verdict();
}

}  // namespace gradus
