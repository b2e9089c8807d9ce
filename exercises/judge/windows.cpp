// The judges of backward passes with windows: max-pool, and the gradients of a convolution.
#include <gradus/core/conv.h>
#include <gradus/core/error.h>
#include <gradus/core/math.h>

#include "hearing.h"
#include "judges.h"

namespace gradus {
namespace {

Tensor flipped_window(const Tensor& k) { return core::flip(k, {-2, -1}); }

/// Only one slice of `x` along `dim`, the others 0.
Tensor only_slice(const Tensor& x, std::int64_t dim, std::int64_t index) {
  const Tensor y = zeros_like(x);
  y.select(dim, index).copy_(x.select(dim, index));
  return y;
}

/// The maximum of each window, x [c,h,w].
Tensor pooled(const Tensor& x, std::int64_t size, std::int64_t stride) {
  return core::max_pool2d(x.unsqueeze(0), {.kernel_size = size, .stride = stride})
      .values.squeeze(0);
}

/// As a loop writes it that has = for +=: the last window that chose a pixel wins.
Tensor last_window_alone(const Tensor& dy, const Tensor& x, std::int64_t size,
                         std::int64_t stride) {
  const Tensor dx = zeros_like(x);
  const Tensor indices =
      core::max_pool2d(x.unsqueeze(0), {.kernel_size = size, .stride = stride}).indices.squeeze(0);
  for (std::int64_t c = 0; c < dy.size(0); ++c)
    for (std::int64_t i = 0; i < dy.size(1); ++i)
      for (std::int64_t j = 0; j < dy.size(2); ++j)
        dx[c].flatten().at<double>({indices.at<std::int64_t>({c, i, j})}) =
            dy.at<double>({c, i, j});
  return dx;
}

Tensor pooled_backward(const Tensor& dy, const Tensor& x, std::int64_t size, std::int64_t stride) {
  const Tensor batch = x.unsqueeze(0);
  const core::MaxPool2dResult result =
      core::max_pool2d(batch, {.kernel_size = size, .stride = stride});
  return core::max_pool2d_scatter(dy.unsqueeze(0), result.indices, batch.shape()).squeeze(0);
}

void hear_pool(Hearing& hearing, const MaxPool& pool, const Tensor& x, std::int64_t size,
               std::int64_t stride) {
  const Tensor batch = x.unsqueeze(0);
  const Tensor right = pooled(x, size, stride);
  hearing.value(
      "y", text_of("x ", x.shape(), ", size ", size, ", stride ", stride),
      [&] { return pool(x, size, stride); }, right,
      {{"the search for the maximum starts at 0: negative numbers never win",
        [&] { return core::maximum(right, zeros_like(right)); }},
       {"that is the mean of each window",
        [&] {
          return core::avg_pool2d(batch, {.kernel_size = size, .stride = stride}).squeeze(0);
        }},
       {"that is the minimum of each window",
        [&] { return core::neg(pooled(core::neg(x), size, stride)); }},
       {"the windows move by their size: they should move by the stride",
        [&] { return pooled(x, size, size); }},
       {"the absolute values are compared", [&] { return pooled(core::abs(x), size, stride); }}});
}

}  // namespace

Judgement judge_max_pool(const MaxPool& pool, const MaxPoolBackward& backward, std::uint64_t seed) {
  Hearing hearing("max-pool", seed);
  hear_pool(hearing, pool, hearing.draw({2, 6, 7}), 2, 2);
  hear_pool(hearing, pool, core::sub(hearing.draw({2, 5, 5}), 10), 3, 2);
  hear_pool(hearing, pool, hearing.draw({1, 4, 6}), 2, 1);
  hear_pool(hearing, pool, hearing.draw({3, 3, 4}), 1, 1);
  hear_pool(hearing, pool, hearing.draw({17, 19, 8}), 3, 3);
  const auto hear_backward = [&](const Shape& shape, std::int64_t size, std::int64_t stride) {
    hearing.gradients(
        text_of("backward, x ", shape, ", size ", size, ", stride ", stride), {"x"},
        {hearing.draw(shape)},
        [=](const std::vector<Tensor>& in) { return pooled(in[0], size, stride); },
        [&, size, stride](const Tensor& dy, const std::vector<Tensor>& in) -> std::vector<Tensor> {
          return {backward(dy, in[0], size, stride)};
        });
    const Tensor x = hearing.draw(shape);
    const Tensor y = pooled(x, size, stride);
    const Tensor dy = hearing.draw(y.shape());
    hearing.value(
        "dx", text_of("backward, x ", shape, ", size ", size, ", stride ", stride),
        [&] { return backward(dy, x, size, stride); }, pooled_backward(dy, x, size, stride),
        {{"every number of the window gets a part: only the greatest has a slope",
          [&] {
            return core::avg_pool2d_grad(dy.unsqueeze(0), x.unsqueeze(0).shape(),
                                         {.kernel_size = size, .stride = stride})
                .squeeze(0);
          }},
         {"where windows overlap only the last one counts: += and not =",
          [&] { return last_window_alone(dy, x, size, stride); }},
         {"the smallest of the window gets the gradient",
          [&] { return pooled_backward(dy, core::neg(x), size, stride); }},
         {"each maximum gets 1: dy is not used", [&] {
            return core::gt(pooled_backward(ones_like(dy), x, size, stride), 0).to(float64);
          }}});
  };
  hear_backward({2, 4, 4}, 2, 2);
  hear_backward({1, 5, 6}, 3, 1);
  hear_backward({2, 5, 4}, 3, 2);
  const Tensor ties = ones({1, 2, 4}, float64);
  const Tensor dy = Tensor::from({{{2.0, 3.0}}}, float64);
  hearing.value("dx", "backward, all numbers equal", [&] { return backward(dy, ties, 2, 2); },
                pooled_backward(dy, ties, 2, 2),
                {{"of equal numbers the last one gets the gradient: by convention it is the first",
                  [&] {
                    return core::flip(pooled_backward(core::flip(dy, {2}), ties, 2, 2), {1, 2});
                  }},
                 {"each of several equal numbers gets the whole gradient", [&] {
                    return Tensor::from({{{2.0, 2.0, 3.0, 3.0}, {2.0, 2.0, 3.0, 3.0}}}, float64);
                  }}});
  return hearing.verdict();
}

Judgement judge_conv_weight_gradient(const ConvGradient& learner, std::uint64_t seed) {
  Hearing hearing("conv-weight-gradient", seed);
  const auto hear = [&](const Shape& image, const Shape& kernel) {
    const Tensor x = hearing.draw(image);
    const Tensor k = hearing.draw(kernel);
    const std::string where = text_of("x ", image, ", k ", kernel);
    const Tensor dy = hearing.draw(core::conv2d(x, k).shape());
    const auto gradient = [&](const Tensor& incoming, const Tensor& input) {
      return core::conv2d_weight_grad(incoming, input, kernel);
    };
    const Tensor right = gradient(dy, x);
    hearing.value("dk", where, [&] { return learner(dy, x, kernel); }, right,
                  {{"only the first image of the batch counts",
                    [&] { return gradient(only_slice(dy, 0, 0), x); }},
                   {"only the last image of the batch is kept: the images add up",
                    [&] { return gradient(only_slice(dy, 0, -1), x); }},
                   {"the mean over the batch, where its sum belongs",
                    [&] { return core::div(right, static_cast<double>(image[0])); }},
                   {"the kernel's gradient runs backwards: no flip here",
                    [&] { return flipped_window(right); }},
                   {"the two channel axes are exchanged", [&] { return right.transpose(0, 1); }},
                   {"only the first output pixel counts: a tap is used at every pixel",
                    [&] { return gradient(only_slice(only_slice(dy, 2, 0), 3, 0), x); }},
                   {"only the first output channel's dy is used, for all of them",
                    [&] { return gradient(dy.narrow(1, 0, 1).expand(dy.shape()), x); }},
                   {"dy is not used", [&] { return gradient(ones_like(dy), x); }},
                   {"only the first input channel is read, for all of them",
                    [&] { return gradient(dy, x.narrow(1, 0, 1).expand(x.shape())); }}});
    if (right.numel() > 200) return;
    hearing.gradients(
        where, {"k"}, {k}, [&](const std::vector<Tensor>& in) { return core::conv2d(x, in[0]); },
        [&](const Tensor& incoming, const std::vector<Tensor>&) -> std::vector<Tensor> {
          return {learner(incoming, x, kernel)};
        });
  };
  hear({2, 3, 5, 6}, {3, 3, 2, 2});
  hear({3, 2, 4, 5}, {4, 2, 3, 2});
  hear({1, 1, 4, 4}, {1, 1, 3, 3});
  hear({2, 3, 3, 2}, {2, 3, 1, 1});
  hear({2, 2, 3, 4}, {2, 2, 3, 4});
  hear({3, 5, 12, 19}, {17, 5, 3, 3});
  return hearing.verdict();
}

Judgement judge_conv_input_gradient(const ConvGradient& learner, std::uint64_t seed) {
  Hearing hearing("conv-input-gradient", seed);
  const auto hear = [&](const Shape& image, const Shape& kernel) {
    const Tensor x = hearing.draw(image);
    const Tensor k = hearing.draw(kernel);
    const std::string where = text_of("x ", image, ", k ", kernel);
    const Tensor dy = hearing.draw(core::conv2d(x, k).shape());
    const auto gradient = [&](const Tensor& incoming, const Tensor& weight) {
      return core::conv2d_input_grad(incoming, weight, image);
    };
    const Tensor right = gradient(dy, k);
    hearing.value(
        "dx", where, [&] { return learner(dy, k, image); }, right,
        {{"the kernel runs the wrong way: dx takes dy[i-u, j-v]·k[u,v]",
          [&] { return gradient(dy, flipped_window(k)); }},
         {"the two channel axes of the kernel are exchanged",
          [&] { return gradient(dy, k.transpose(0, 1)); }},
         {"only the first output channel counts: all of them read x",
          [&] { return gradient(only_slice(dy, 1, 0), k); }},
         {"only the last product is kept: a pixel lies in many windows, which add up",
          [&] {
            const Tensor dx = zeros(image, float64);
            const Tensor last = only_slice(dy, 1, -1);
            for (std::int64_t i = 0; i < dy.size(2); ++i)
              for (std::int64_t j = 0; j < dy.size(3); ++j)
                dx.narrow(2, i, k.size(2))
                    .narrow(3, j, k.size(3))
                    .copy_(gradient(only_slice(only_slice(last, 2, i), 3, j), k)
                               .narrow(2, i, k.size(2))
                               .narrow(3, j, k.size(3)));
            return dx;
          }},
         {"pixels whose windows hang over dy are left 0: the border has a gradient too",
          [&] {
            const Tensor dx = zeros(image, float64);
            const std::int64_t h = k.size(2), w = k.size(3);
            const Tensor inner =
                dx.slice(2, h - 1, image[2] - h + 1).slice(3, w - 1, image[3] - w + 1);
            inner.copy_(right.slice(2, h - 1, image[2] - h + 1).slice(3, w - 1, image[3] - w + 1));
            return dx;
          }},
         {"every image gets the gradient of the first",
          [&] { return gradient(dy.narrow(0, 0, 1).expand(dy.shape()), k); }},
         {"dy is not used", [&] { return gradient(ones_like(dy), k); }}});
    if (right.numel() > 200) return;
    hearing.gradients(
        where, {"x"}, {x}, [&](const std::vector<Tensor>& in) { return core::conv2d(in[0], k); },
        [&](const Tensor& incoming, const std::vector<Tensor>& in) -> std::vector<Tensor> {
          return {learner(incoming, k, in[0].shape())};
        });
  };
  hear({2, 3, 5, 6}, {3, 3, 2, 2});
  hear({1, 2, 5, 4}, {4, 2, 3, 2});
  hear({1, 1, 4, 4}, {1, 1, 3, 3});
  hear({2, 3, 3, 2}, {2, 3, 1, 1});
  hear({2, 2, 3, 4}, {2, 2, 3, 4});
  hear({3, 5, 12, 19}, {17, 5, 3, 3});
  return hearing.verdict();
}

Judgement judge_strided_conv_backward(const StridedConvBackward& learner, std::uint64_t seed) {
  Hearing hearing("strided-conv-backward", seed);
  const auto hear = [&](const Shape& image, const Shape& kernel, Pair padding, Pair stride) {
    const Tensor x = hearing.draw(image);
    const Tensor k = hearing.draw(kernel);
    const Conv2dOptions options{.stride = stride, .padding = padding};
    const std::string where =
        text_of("x ", image, ", k ", kernel, ", padding {", padding.height, ",", padding.width,
                "}, stride {", stride.height, ",", stride.width, "}");
    const Tensor dy = hearing.draw(core::conv2d(x, k, {}, options).shape());
    const auto with = [&](Pair p, Pair s) { return Conv2dOptions{.stride = s, .padding = p}; };
    // dy with the shape that it has for other options: missing outputs count as 0.
    const auto fitted = [&](const Conv2dOptions& other) {
      const Tensor wide = zeros(core::conv2d(x, k, {}, other).shape(), float64);
      const std::int64_t h = std::min(wide.size(2), dy.size(2)),
                         w = std::min(wide.size(3), dy.size(3));
      wide.narrow(2, 0, h).narrow(3, 0, w).copy_(dy.narrow(2, 0, h).narrow(3, 0, w));
      return wide;
    };
    const auto dx = [&](const Conv2dOptions& other, const Tensor& weight) {
      return core::conv2d_input_grad(fitted(other), weight, image, other);
    };
    const auto dk = [&](const Conv2dOptions& other) {
      return core::conv2d_weight_grad(fitted(other), x, kernel, other);
    };
    // x with all of the padding behind it: for windows that start at i·stride.
    const Tensor behind = zeros(
        {image[0], image[1], image[2] + 2 * padding.height, image[3] + 2 * padding.width}, float64);
    behind.narrow(2, 0, image[2]).narrow(3, 0, image[3]).copy_(x);
    const Conv2dOptions no_stride = with(padding, 1);
    const Conv2dOptions one_stride = with(padding, stride.height);
    hearing.value(
        "dx", where, [&] { return learner(dy, x, k, padding, stride).dx; }, dx(options, k),
        {{"the stride is left out of dx: output i reads x from i·stride - padding on",
          [&] { return dx(no_stride, k); }},
         {"the padding is left out of dx: output i reads x from i·stride - padding on",
          [&] {
            return core::conv2d_input_grad(dy, k, behind.shape(), {.stride = stride})
                .narrow(2, 0, image[2])
                .narrow(3, 0, image[3]);
          }},
         {"a negative row is written, and at() counts it from the other end: it lies outside",
          [&] {
            const std::int64_t p = padding.height;
            const Tensor framed = core::conv2d_input_grad(dy, k, behind.shape(), {.stride = stride})
                                      .narrow(3, padding.width, image[3]);
            const Tensor inside = framed.narrow(2, p, image[2]).clone();
            const Tensor end = inside.narrow(2, image[2] - p, p);
            end.copy_(core::add(end, framed.narrow(2, 0, p)));
            return inside;
          }},
         {"the stride of the height is used for the width of dx",
          [&] { return dx(one_stride, k); }},
         {"the kernel is flipped in dx", [&] { return dx(options, flipped_window(k)); }}});
    hearing.value(
        "dk", where, [&] { return learner(dy, x, k, padding, stride).dk; }, dk(options),
        {{"the stride is left out of dk: output i reads x from i·stride - padding on",
          [&] { return dk(no_stride); }},
         {"the padding is left out of dk: output i reads x from i·stride - padding on",
          [&] { return core::conv2d_weight_grad(dy, behind, kernel, {.stride = stride}); }},
         {"the stride of the height is used for the width of dk", [&] { return dk(one_stride); }},
         {"the kernel's gradient runs backwards", [&] { return flipped_window(dk(options)); }},
         {"only the first image counts in dk",
          [&] { return core::conv2d_weight_grad(only_slice(dy, 0, 0), x, kernel, options); }}});
    if (x.numel() + k.numel() > 300) return;
    hearing.gradients(
        where, {"x", "k"}, {x, k},
        [&](const std::vector<Tensor>& in) { return core::conv2d(in[0], in[1], {}, options); },
        [&](const Tensor& incoming, const std::vector<Tensor>& in) -> std::vector<Tensor> {
          const ConvGradients both = learner(incoming, in[0], in[1], padding, stride);
          return {both.dx, both.dk};
        });
  };
  hear({2, 2, 6, 7}, {3, 2, 3, 2}, {1, 1}, {2, 3});
  hear({1, 2, 6, 5}, {2, 2, 3, 3}, {1, 0}, {2, 2});
  hear({2, 1, 4, 4}, {1, 1, 2, 2}, {0, 0}, {1, 1});
  hear({1, 3, 4, 5}, {2, 3, 1, 1}, {0, 0}, {2, 2});
  hear({2, 3, 17, 18}, {16, 3, 5, 3}, {2, 1}, {3, 2});
  return hearing.verdict();
}

}  // namespace gradus
