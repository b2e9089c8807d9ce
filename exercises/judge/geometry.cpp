// The judges of where windows lie: padding, stride, dilation, groups, and a convolution turned round.
#include <gradus/core/conv.h>
#include <gradus/core/error.h>
#include <gradus/core/math.h>

#include "hearing.h"
#include "judges.h"

namespace gradus {
namespace {

/// conv2d of one image, x [ci,h,w] -> [co,oh,ow].
Tensor convolved(const Tensor& x, const Tensor& k, const Conv2dOptions& options) {
  return core::conv2d(x.unsqueeze(0), k, {}, options).squeeze(0);
}

/// x with zeros around it, as many on each of its four sides.
Tensor framed(const Tensor& x, std::int64_t top, std::int64_t bottom, std::int64_t left,
              std::int64_t right) {
  const std::int64_t h = x.size(1), w = x.size(2);
  const Tensor wide = zeros({x.size(0), top + h + bottom, left + w + right}, float64);
  wide.narrow(1, top, h).narrow(2, left, w).copy_(x);
  return wide;
}

std::string geometry_of(const Tensor& x, const Tensor& k, const char* name, Pair a) {
  return text_of("x ", x.shape(), ", k ", k.shape(), ", ", name, " {", a.height, ",", a.width, "}");
}

/// The outputs whose window does not lie inside of x, set to 0.
Tensor border_left_out(const Tensor& y, const Tensor& x, const Tensor& k, Pair padding,
                       Pair stride) {
  const Tensor inside = zeros_like(y);
  for (std::int64_t i = 0; i < y.size(1); ++i) {
    for (std::int64_t j = 0; j < y.size(2); ++j) {
      const std::int64_t top = i * stride.height - padding.height;
      const std::int64_t left = j * stride.width - padding.width;
      if (top < 0 || left < 0 || top + k.size(2) > x.size(1) || left + k.size(3) > x.size(2))
        continue;
      inside.select(1, i).select(1, j).copy_(y.select(1, i).select(1, j));
    }
  }
  return inside;
}

}  // namespace

Judgement judge_padding_and_stride(const StridedConvolution& learner, std::uint64_t seed) {
  Hearing hearing("padding-and-stride", seed);
  const auto hear = [&](const Shape& image, const Shape& kernel, Pair padding, Pair stride) {
    const Tensor x = hearing.draw(image);
    const Tensor k = hearing.draw(kernel);
    const Tensor right = convolved(x, k, {.stride = stride, .padding = padding});
    const Pair p = padding;
    const auto cut = [&](const Tensor& y) {
      return y.narrow(1, 0, right.size(1)).narrow(2, 0, right.size(2));
    };
    hearing.value(
        "y",
        text_of(geometry_of(x, k, "padding", padding), ", stride {", stride.height, ",",
                stride.width, "}"),
        [&] { return learner(x, k, padding, stride); }, right,
        {{"the windows do not move by the stride: y has the right size, but i·stride is missing",
          [&] { return cut(convolved(x, k, {.padding = padding})); }},
         {"all of the padding lies behind the image: the window starts at i·stride - padding",
          [&] {
            return convolved(framed(x, 0, 2 * p.height, 0, 2 * p.width), k, {.stride = stride});
          }},
         {"the stride of the height is used for the width",
          [&] { return convolved(x, k, {.stride = stride.height, .padding = padding}); }},
         {"height and width of the padding are exchanged",
          [&] {
            return convolved(x, k, {.stride = stride, .padding = {padding.width, padding.height}});
          }},
         {"outside of the image stands the nearest pixel of the border, where 0 belongs",
          [&] {
            const std::int64_t h = x.size(1), w = x.size(2);
            const Tensor wide = framed(x, p.height, p.height, p.width, p.width);
            for (std::int64_t i = 0; i < wide.size(1); ++i) {
              const std::int64_t row = std::clamp<std::int64_t>(i - p.height, 0, h - 1);
              for (std::int64_t j = 0; j < wide.size(2); ++j) {
                const std::int64_t column = std::clamp<std::int64_t>(j - p.width, 0, w - 1);
                wide.select(1, i).select(1, j).copy_(x.select(1, row).select(1, column));
              }
            }
            return convolved(wide, k, {.stride = stride});
          }},
         {"a negative index is read, and at() counts it from the other end: it should be 0",
          [&] {
            const Tensor wide = framed(x, p.height, p.height, p.width, p.width);
            if (p.height > 0)
              wide.narrow(1, 0, p.height)
                  .narrow(2, p.width, x.size(2))
                  .copy_(x.narrow(1, x.size(1) - p.height, p.height));
            if (p.width > 0) wide.narrow(2, 0, p.width).copy_(wide.narrow(2, x.size(2), p.width));
            return convolved(wide, k, {.stride = stride});
          }},
         {"windows that hang over the border are left 0: only their outside is",
          [&] { return border_left_out(right, x, k, padding, stride); }},
         {"the kernel is flipped", [&] {
            return convolved(x, core::flip(k, {-2, -1}), {.stride = stride, .padding = padding});
          }}});
  };
  hear({2, 7, 8}, {3, 2, 3, 3}, {1, 1}, {2, 2});
  hear({2, 6, 7}, {2, 2, 3, 2}, {2, 1}, {1, 3});
  hear({1, 5, 5}, {1, 1, 3, 3}, {1, 1}, {1, 1});
  hear({3, 5, 4}, {2, 3, 2, 2}, {0, 0}, {2, 1});
  hear({3, 4, 4}, {2, 3, 1, 1}, {0, 0}, {2, 2});
  hear({2, 2, 2}, {1, 2, 4, 4}, {1, 1}, {1, 1});
  hear({5, 34, 19}, {17, 5, 5, 3}, {2, 1}, {3, 2});
  return hearing.verdict();
}

Judgement judge_dilation(const DilatedConvolution& learner, std::uint64_t seed) {
  Hearing hearing("dilation", seed);
  const auto hear = [&](const Shape& image, const Shape& kernel, Pair dilation) {
    const Tensor x = hearing.draw(image);
    const Tensor k = hearing.draw(kernel);
    const Tensor right = convolved(x, k, {.dilation = dilation});
    const auto cut = [&](const Tensor& y) {
      return y.narrow(1, 0, right.size(1)).narrow(2, 0, right.size(2));
    };
    hearing.value(
        "y", geometry_of(x, k, "dilation", dilation), [&] { return learner(x, k, dilation); },
        right,
        {{"the kernel is not spread out: its taps lie dilation apart",
          [&] { return cut(convolved(x, k, {})); }},
         {"that is a stride: the windows move by the dilation, and their taps should",
          [&] { return convolved(x, k, {.stride = dilation}); }},
         {"the dilation of the height is used for the width",
          [&] { return convolved(x, k, {.dilation = dilation.height}); }},
         {"the taps lie dilation + 1 apart",
          [&] {
            return convolved(x, k, {.dilation = {dilation.height + 1, dilation.width + 1}});
          }},
         {"the kernel is flipped",
          [&] {
            return convolved(x, core::flip(k, {-2, -1}), {.dilation = dilation});
          }},
         {"y has the size of an undilated kernel: the window is dilation·(kernel - 1) + 1 long",
          [&] {
            const Tensor plain = convolved(x, k, {});
            const Tensor y = zeros_like(plain);
            cut(y).copy_(right);
            return y;
          }}});
  };
  hear({2, 9, 9}, {2, 2, 3, 2}, {2, 3});
  hear({1, 7, 8}, {1, 1, 2, 2}, {3, 1});
  hear({3, 6, 5}, {2, 3, 2, 3}, {1, 1});
  hear({2, 4, 4}, {3, 2, 1, 1}, {2, 2});
  hear({4, 35, 18}, {17, 4, 3, 3}, {4, 5});
  return hearing.verdict();
}

Judgement judge_groups(const GroupedConvolution& learner, std::uint64_t seed) {
  Hearing hearing("groups", seed);
  const auto hear = [&](const Shape& image, const Shape& kernel, std::int64_t groups) {
    const Tensor x = hearing.draw(image);
    const Tensor k = hearing.draw(kernel);
    const std::int64_t ci = k.size(1);           // channels of x for each group
    const std::int64_t co = k.size(0) / groups;  // channels of y for each group
    const auto grouped = [&](const Tensor& input, const Tensor& weight) {
      return convolved(input, weight, {.groups = groups});
    };
    const auto interleaved = [&](const Tensor& all, std::int64_t each) {
      std::vector<Tensor> order;  // group g takes channels g, g + groups, ...
      for (std::int64_t g = 0; g < groups; ++g)
        for (std::int64_t c = 0; c < each; ++c) order.push_back(all[c * groups + g]);
      return core::stack(order, 0);
    };
    hearing.value(
        "y", text_of("x ", x.shape(), ", k ", k.shape(), ", groups ", groups),
        [&] { return learner(x, k, groups); }, grouped(x, k),
        {{"every group reads the channels of the first group",
          [&] {
            std::vector<Tensor> copies(static_cast<std::size_t>(groups), x.narrow(0, 0, ci));
            return grouped(core::cat(copies, 0), k);
          }},
         {"a group reads every so many-th channel: its channels lie side by side",
          [&] { return grouped(interleaved(x, ci), k); }},
         {"output channel o belongs to group o / (co / groups), not to o % groups",
          [&] {
            std::vector<Tensor> planes;
            for (std::int64_t o = 0; o < groups * co; ++o)
              planes.push_back(
                  convolved(x.narrow(0, (o % groups) * ci, ci), k.narrow(0, o, 1), {}));
            return core::cat(planes, 0);
          }},
         {"only the first group is computed",
          [&] {
            const Tensor y = zeros_like(grouped(x, k));
            y.narrow(0, 0, co).copy_(grouped(x, k).narrow(0, 0, co));
            return y;
          }},
         {"every group gets the kernels of the first group",
          [&] {
            std::vector<Tensor> copies(static_cast<std::size_t>(groups), k.narrow(0, 0, co));
            return grouped(x, core::cat(copies, 0));
          }},
         {"only the first channel of each group counts", [&] {
            const Tensor first = zeros_like(k);
            first.narrow(1, 0, 1).copy_(k.narrow(1, 0, 1));
            return grouped(x, first);
          }}});
  };
  hear({4, 5, 6}, {6, 2, 2, 3}, 2);
  hear({6, 4, 4}, {3, 2, 2, 2}, 3);
  hear({3, 5, 4}, {3, 1, 3, 2}, 3);
  hear({2, 4, 5}, {4, 1, 2, 2}, 2);
  hear({3, 4, 4}, {2, 3, 1, 1}, 1);
  hear({34, 17, 6}, {36, 17, 2, 2}, 2);
  return hearing.verdict();
}

Judgement judge_transposed_convolution(const StridedConvolution& learner, std::uint64_t seed) {
  Hearing hearing("transposed-convolution", seed);
  const auto hear = [&](const Shape& image, const Shape& kernel, Pair padding, Pair stride) {
    const Tensor x = hearing.draw(image);
    const Tensor k = hearing.draw(kernel);
    const std::int64_t h = (x.size(1) - 1) * stride.height - 2 * padding.height + k.size(2);
    const std::int64_t w = (x.size(2) - 1) * stride.width - 2 * padding.width + k.size(3);
    const auto transposed = [&](const Tensor& weight) {
      return core::conv2d_input_grad(x.unsqueeze(0), weight, {1, weight.size(1), h, w},
                                     {.stride = stride, .padding = padding})
          .squeeze(0);
    };
    hearing.value(
        "y",
        text_of(geometry_of(x, k, "padding", padding), ", stride {", stride.height, ",",
                stride.width, "}"),
        [&] { return learner(x, k, padding, stride); }, transposed(k),
        {{"the kernel is flipped: each pixel stamps the kernel as it is",
          [&] {
            return transposed(core::flip(k, {-2, -1}));
          }},
         {"the two channel axes of the kernel are exchanged",
          [&] { return transposed(k.transpose(0, 1)); }},
         {"where stamps overlap only the last one is kept: they add up",
          [&] {
            const Tensor wide =
                zeros({k.size(1), h + 2 * padding.height, w + 2 * padding.width}, float64);
            for (std::int64_t i = 0; i < x.size(1); ++i)
              for (std::int64_t j = 0; j < x.size(2); ++j) {
                const Tensor pixel = x.select(1, i).select(1, j).reshape({x.size(0), 1, 1, 1});
                wide.narrow(1, i * stride.height, k.size(2))
                    .narrow(2, j * stride.width, k.size(3))
                    .copy_(core::sum(core::mul(pixel, k), {0}));
              }
            return wide.narrow(1, padding.height, h).narrow(2, padding.width, w);
          }},
         {"the padding is cut off behind only: y starts at row and column `padding`",
          [&] {
            return core::conv2d_input_grad(
                       x.unsqueeze(0), k,
                       {1, k.size(1), h + 2 * padding.height, w + 2 * padding.width},
                       {.stride = stride})
                .squeeze(0)
                .narrow(1, 0, h)
                .narrow(2, 0, w);
          }},
         {"only the first input channel counts",
          [&] {
            const Tensor first = zeros_like(k);
            first.narrow(0, 0, 1).copy_(k.narrow(0, 0, 1));
            return transposed(first);
          }},
         {"the stamps lie side by side: they should lie stride apart", [&] {
            const Tensor y =
                zeros({k.size(1), h + 2 * padding.height, w + 2 * padding.width}, float64);
            const Tensor dense = core::conv2d_input_grad(
                x.unsqueeze(0), k,
                {1, k.size(1), x.size(1) + k.size(2) - 1, x.size(2) + k.size(3) - 1});
            y.narrow(1, 0, dense.size(2)).narrow(2, 0, dense.size(3)).copy_(dense.squeeze(0));
            return y.narrow(1, padding.height, h).narrow(2, padding.width, w);
          }}});
  };
  hear({3, 4, 5}, {3, 3, 3, 3}, {1, 1}, {2, 2});
  hear({2, 3, 4}, {2, 3, 3, 2}, {0, 0}, {2, 1});
  hear({1, 4, 4}, {1, 1, 2, 2}, {0, 0}, {2, 2});
  hear({2, 3, 3}, {2, 2, 1, 1}, {0, 0}, {3, 2});
  hear({3, 1, 1}, {3, 2, 4, 3}, {0, 0}, {1, 1});
  hear({5, 17, 6}, {5, 17, 4, 4}, {1, 2}, {2, 3});
  return hearing.verdict();
}

}  // namespace gradus
