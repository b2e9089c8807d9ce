// The judges of the first four exercises: cross-correlation, and its channels.
#include <gradus/autograd/corr2d.h>
#include <gradus/core/error.h>
#include <gradus/core/math.h>

#include "hearing.h"
#include "judges.h"

namespace gradus {
namespace {

std::string shapes_of(const Tensor& x, const Tensor& k) {
  return text_of("x ", x.shape(), ", k ", k.shape());
}

Tensor last_axes_flipped(const Tensor& k) { return core::flip(k, {-2, -1}); }

Tensor one_channel(const Tensor& x, const Tensor& k) { return corr2d(x, k).value(); }
Tensor many_in(const Tensor& x, const Tensor& k) { return corr2d_multi_in(x, k).value(); }
Tensor many_out(const Tensor& x, const Tensor& k) { return corr2d_multi_in_out(x, k).value(); }

}  // namespace

Judgement judge_corr2d(const Correlation& learner, std::uint64_t seed) {
  Hearing hearing("corr2d", seed);
  const auto hear = [&](const Shape& image, const Shape& kernel) {
    const Tensor x = hearing.draw(image);
    const Tensor k = hearing.draw(kernel);
    const Tensor last = zeros_like(k);
    last.at<double>({-1, -1}) = k.at<double>({-1, -1});
    hearing.value("y", shapes_of(x, k), [&] { return learner(x, k); }, one_channel(x, k),
                  {{"the kernel is flipped: that is the true convolution",
                    [&] { return one_channel(x, last_axes_flipped(k)); }},
                   {"the kernel is read with rows and columns exchanged",
                    [&] { return one_channel(x, k.transpose()); }},
                   {"only the last product of each window is kept: a sum needs +=",
                    [&] { return one_channel(x, last); }},
                   {"only the first row of the kernel counts",
                    [&] {
                      const Tensor first = zeros_like(k);
                      first.select(0, 0).copy_(k.select(0, 0));
                      return one_channel(x, first);
                    }},
                   {"only the first column of the kernel counts", [&] {
                      const Tensor first = zeros_like(k);
                      first.select(1, 0).copy_(k.select(1, 0));
                      return one_channel(x, first);
                    }}});
  };
  hear({6, 5}, {2, 3});
  hear({5, 7}, {3, 3});
  hear({4, 4}, {1, 1});
  hear({3, 4}, {3, 4});
  hear({1, 6}, {1, 4});
  hear({33, 20}, {5, 2});
  return hearing.verdict();
}

Judgement judge_many_input_channels(const Correlation& learner, std::uint64_t seed) {
  Hearing hearing("many-input-channels", seed);
  const auto hear = [&](const Shape& image, const Shape& kernel) {
    const Tensor x = hearing.draw(image);
    const Tensor k = hearing.draw(kernel);
    const std::int64_t c = x.size(0);
    hearing.value("y", shapes_of(x, k), [&] { return learner(x, k); }, many_in(x, k),
                  {{"only the first channel counts", [&] { return one_channel(x[0], k[0]); }},
                   {"only the last channel is kept: the channels are to be added",
                    [&] { return one_channel(x[-1], k[-1]); }},
                   {"the last channel is left out",
                    [&] { return many_in(x.narrow(0, 0, c - 1), k.narrow(0, 0, c - 1)); }},
                   {"every channel gets the kernel slice of the first",
                    [&] { return many_in(x, k.narrow(0, 0, 1).expand(k.shape())); }},
                   {"the mean over the channels, where their sum belongs",
                    [&] { return core::div(many_in(x, k), static_cast<double>(c)); }},
                   {"the kernel slices are in the reverse order of the channels",
                    [&] { return many_in(x, core::flip(k, {0})); }},
                   {"the kernel is flipped", [&] { return many_in(x, last_axes_flipped(k)); }},
                   {"the channels are added first: every one has a kernel slice of its own",
                    [&] { return one_channel(core::sum(x, {0}), core::sum(k, {0})); }}});
  };
  hear({3, 6, 5}, {3, 2, 3});
  hear({2, 4, 4}, {2, 3, 3});
  hear({1, 5, 4}, {1, 2, 2});
  hear({4, 3, 3}, {4, 1, 1});
  hear({17, 20, 9}, {17, 3, 2});
  return hearing.verdict();
}

Judgement judge_many_output_channels(const Correlation& learner, std::uint64_t seed) {
  Hearing hearing("many-output-channels", seed);
  const auto hear = [&](const Shape& image, const Shape& kernel) {
    const Tensor x = hearing.draw(image);
    const Tensor k = hearing.draw(kernel);
    const std::int64_t outputs = k.size(0);
    hearing.value(
        "y", shapes_of(x, k), [&] { return learner(x, k); }, many_out(x, k),
        {{"every output channel gets the first kernel",
          [&] { return many_out(x, k.narrow(0, 0, 1).expand(k.shape())); }},
         {"the two channel axes of the kernel are exchanged",
          [&] { return many_out(x, k.transpose(0, 1)); }},
         {"the kernels are in the reverse order", [&] { return many_out(x, core::flip(k, {0})); }},
         {"the kernel is flipped", [&] { return many_out(x, last_axes_flipped(k)); }},
         {"output channel o reads input channel o alone",
          [&] {
            std::vector<Tensor> planes;
            for (std::int64_t o = 0; o < outputs; ++o) planes.push_back(one_channel(x[o], k[o][o]));
            return core::stack(planes, 0);
          }},
         {"only the first input channel counts",
          [&] { return many_out(x.narrow(0, 0, 1), k.narrow(1, 0, 1)); }},
         {"every output channel is added to those before it",
          [&] { return core::cumsum(many_out(x, k), 0); }}});
  };
  hear({3, 6, 5}, {3, 3, 2, 3});
  hear({2, 5, 4}, {4, 2, 2, 2});
  hear({4, 5, 4}, {3, 4, 3, 1});
  hear({1, 4, 6}, {2, 1, 2, 2});
  hear({3, 4, 4}, {1, 3, 1, 1});
  hear({9, 18, 7}, {17, 9, 3, 3});
  return hearing.verdict();
}

Judgement judge_one_by_one(const Correlation& learner, std::uint64_t seed) {
  Hearing hearing("one-by-one", seed);
  const auto hear = [&](const Shape& image, std::int64_t co) {
    const Tensor x = hearing.draw(image);
    const std::int64_t ci = x.size(0), h = x.size(1), w = x.size(2);
    const Tensor k = hearing.draw({co, ci, 1, 1});
    const Tensor matrix = k.reshape({co, ci});
    const Tensor pixels = x.reshape({ci, h * w});
    hearing.value(
        "y", shapes_of(x, k), [&] { return learner(x, k); }, many_out(x, k),
        {{"the kernel is reshaped to [ci,co]: it is [co,ci] as it lies",
          [&] {
            return core::matmul(k.reshape({ci, co}), pixels).reshape({co, h, w});
          }},
         {"the kernel is transposed",
          [&] {
            return core::matmul(matrix.transpose(), pixels).reshape({co, h, w});
          }},
         {"a reshape to [h·w,ci] is no transpose: it mixes pixels and channels",
          [&] {
            const Tensor mixed = x.reshape({h * w, ci});
            return core::matmul(mixed, matrix.transpose()).transpose().reshape({co, h, w});
          }},
         {"[h·w,co] is reshaped to [co,h,w]: it must be transposed first",
          [&] {
            const Tensor y = core::matmul(pixels.transpose(), matrix.transpose());
            return y.contiguous().reshape({co, h, w});
          }},
         {"every pixel gets the answer of the first",
          [&] {
            const Tensor y = core::matmul(matrix, pixels.narrow(1, 0, 1));
            return y.reshape({co, 1, 1}).expand({co, h, w});
          }},
         {"only the first input channel counts", [&] {
            return core::matmul(matrix.narrow(1, 0, 1), pixels.narrow(0, 0, 1)).reshape({co, h, w});
          }}});
  };
  hear({3, 4, 5}, 3);
  hear({3, 4, 5}, 2);
  hear({1, 3, 3}, 4);
  hear({5, 1, 1}, 2);
  hear({4, 2, 3}, 1);
  hear({20, 17, 3}, 33);
  return hearing.verdict();
}

}  // namespace gradus
