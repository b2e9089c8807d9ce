// The judges of backward passes without windows: elementwise, broadcast, sums, linear, batch norm, and the
// loss.
#include <gradus/core/error.h>
#include <gradus/core/math.h>

#include <cmath>
#include <limits>

#include "hearing.h"
#include "judges.h"
#include "look.h"

namespace gradus {
namespace {

/// Numbers without ties and without any near 0, in an order by chance.
Tensor off_zero(Hearing& hearing, const Shape& shape) {
  const Tensor x = hearing.draw(shape);
  return core::add(x, core::mul(core::sign(x), 0.25));
}

Hearing::Forward normalised(double eps) {
  return [eps](const std::vector<Tensor>& in) {  // x [n,c], weight [c], bias [c]
    const Tensor centred = core::sub(in[0], core::mean(in[0], {0}));
    const Tensor spread = core::sqrt(core::add(core::mean(core::mul(centred, centred), {0}), eps));
    return core::add(core::mul(core::div(centred, spread), in[1]), in[2]);
  };
}

/// The gradients of a batch norm, with what may go wrong left to the caller: the weight and eps that dx
/// reads, how many numbers the variance is divided by, and the spread.
std::vector<Tensor> batch_norm_gradients(const Tensor& dy, const Tensor& x, const Tensor& weight,
                                         double eps, bool unbiased = false, bool divided = true) {
  const Tensor centred = core::sub(x, core::mean(x, {0}));
  const Tensor variance = core::var(x, {0}, false, unbiased ? 1 : 0);
  const Tensor spread = core::sqrt(core::add(variance, eps));
  const Tensor z = core::div(centred, spread);
  const Tensor dz = core::mul(dy, weight);
  const Tensor by_variance = core::mul(z, core::mean(core::mul(dz, z), {0}));
  const Tensor dx = core::sub(core::sub(dz, core::mean(dz, {0})), by_variance);
  return {divided ? core::div(dx, spread) : dx, core::sum(core::mul(dy, z), {0}),
          core::sum(dy, {0})};
}

std::vector<Hearing::WrongBackward> wrong_batch_norms(double eps) {
  using All = const std::vector<Tensor>&;
  return {{"the weight is left out of dx",
           [eps](const Tensor& dy, All in) {
             return batch_norm_gradients(dy, in[0], ones_like(in[1]), eps);
           }},
          {"eps is left out: it is part of the spread √(v + eps)",
           [](const Tensor& dy, All in) { return batch_norm_gradients(dy, in[0], in[1], 0); }},
          {"dx is not divided by the spread √(v + eps)",
           [eps](const Tensor& dy, All in) {
             return batch_norm_gradients(dy, in[0], in[1], eps, false, false);
           }},
          {"the variance is divided by n - 1: here it is the mean of the squares, by n",
           [eps](const Tensor& dy, All in) {
             return batch_norm_gradients(dy, in[0], in[1], eps, true);
           }},
          {"dweight takes x: it is the sum of dy·z, of the normalised x",
           [eps](const Tensor& dy, All in) {
             std::vector<Tensor> all = batch_norm_gradients(dy, in[0], in[1], eps);
             all[1] = core::sum(core::mul(dy, in[0]), {0});
             return all;
           }}};
}

}  // namespace

Judgement judge_relu(const std::function<Tensor(const Tensor& x)>& relu,
                     const std::function<Tensor(const Tensor& dy, const Tensor& x)>& backward,
                     std::uint64_t seed) {
  Hearing hearing("relu", seed);
  for (const Shape& shape : {Shape{5, 4}, Shape{2, 3, 2, 2}, Shape{1}, Shape{33, 17}}) {
    const Tensor x = off_zero(hearing, shape);
    hearing.value("y", text_of("x ", shape), [&] { return relu(x); }, core::relu(x),
                  {{"negative numbers come through", [&] { return x; }},
                   {"that is the absolute value", [&] { return core::abs(x); }},
                   {"the negative half comes through, where the positive one should",
                    [&] { return core::minimum(x, zeros_like(x)); }},
                   {"y is 1 where x is positive: that is the slope",
                    [&] { return core::gt(x, 0).to(float64); }}});
  }
  for (const Shape& shape : {Shape{5, 4}, Shape{2, 3, 2}, Shape{1, 6}}) {
    hearing.gradients(
        text_of("backward, x ", shape), {"x"}, {off_zero(hearing, shape)},
        [](const std::vector<Tensor>& in) { return core::relu(in[0]); },
        [&](const Tensor& dy, const std::vector<Tensor>& in) -> std::vector<Tensor> {
          return {backward(dy, in[0])};
        },
        {{"dy comes through where x is negative, and it should where x is positive",
          [](const Tensor& dy, const std::vector<Tensor>& in) -> std::vector<Tensor> {
            return {core::mul(dy, core::lt(in[0], 0).to(float64))};
          }},
         {"x stands for the slope of relu, which is 1 or 0",
          [](const Tensor& dy, const std::vector<Tensor>& in) -> std::vector<Tensor> {
            return {core::mul(dy, core::relu(in[0]))};
          }}});
  }
  const Tensor zero = zeros({3}, float64);
  hearing.value("dx", "backward, x = 0", [&] { return backward(ones({3}, float64), zero); }, zero,
                {{"at 0 the slope is 0 by convention", [&] { return ones({3}, float64); }}});
  return hearing.verdict();
}

Judgement judge_add_backward(const AddBackward& learner, std::uint64_t seed) {
  Hearing hearing("add-backward", seed);
  const auto hear = [&](const Shape& a, const Shape& b) {
    hearing.gradients(
        text_of("a ", a, ", b ", b), {"a", "b"}, {hearing.draw(a), hearing.draw(b)},
        [](const std::vector<Tensor>& in) { return core::add(in[0], in[1]); },
        [&](const Tensor& dy, const std::vector<Tensor>&) -> std::vector<Tensor> {
          const PairOfGradients both = learner(dy, a, b);
          return {both.da, both.db};
        });
  };
  hear({4, 3}, {4, 3});
  hear({4, 3}, {3});
  hear({3, 4}, {3, 1});
  hear({4, 1}, {1, 4});
  hear({2, 3, 4}, {3, 1});
  hear({}, {2, 3});
  hear({1, 1, 5}, {4, 1, 1});
  return hearing.verdict();
}

Judgement judge_mean_backward(const MeanBackward& learner, std::uint64_t seed) {
  Hearing hearing("mean-backward", seed);
  const auto hear = [&](const Shape& shape, std::int64_t dim) {
    hearing.gradients(
        text_of("x ", shape, ", dim ", dim), {"x"}, {hearing.draw(shape)},
        [dim](const std::vector<Tensor>& in) { return core::mean(in[0], {dim}); },
        [&](const Tensor& dy, const std::vector<Tensor>& in) -> std::vector<Tensor> {
          return {learner(dy, in[0].shape(), dim)};
        },
        {{"only the first number of each mean gets the gradient: all of them do",
          [dim](const Tensor& dy, const std::vector<Tensor>& in) -> std::vector<Tensor> {
            const Tensor dx = zeros_like(in[0]);
            dx.select(dim, 0).copy_(dy);
            return {dx};
          }}});
  };
  hear({4, 3}, 0);
  hear({3, 5}, 1);
  hear({2, 4, 3}, 1);
  hear({6}, 0);
  hear({3, 1}, 1);
  hear({3, 3}, 0);
  return hearing.verdict();
}

Judgement judge_linear_backward(const LinearBackward& learner, std::uint64_t seed) {
  Hearing hearing("linear-backward", seed);
  const auto hear = [&](std::int64_t n, std::int64_t in, std::int64_t out) {
    hearing.gradients(
        text_of("x [", n, ",", in, "], weight [", out, ",", in, "]"), {"x", "weight", "bias"},
        {hearing.draw({n, in}), hearing.draw({out, in}), hearing.draw({out})},
        [](const std::vector<Tensor>& all) { return core::linear(all[0], all[1], all[2]); },
        [&](const Tensor& dy, const std::vector<Tensor>& all) -> std::vector<Tensor> {
          const LayerGradients g = learner(dy, all[0], all[1]);
          return {g.dx, g.dweight, g.dbias};
        },
        {{"W is transposed in dx: dy·W is [n,out]·[out,in]",
          [](const Tensor& dy, const std::vector<Tensor>& all) -> std::vector<Tensor> {
            return {core::matmul(dy, all[1].transpose()), core::matmul(dy.transpose(), all[0]),
                    core::sum(dy, {0})};
          }},
         {"dbias is summed over the outputs: it is the sum over the rows",
          [](const Tensor& dy, const std::vector<Tensor>& all) -> std::vector<Tensor> {
            return {core::matmul(dy, all[1]), core::matmul(dy.transpose(), all[0]),
                    core::sum(dy, {1})};
          }}});
  };
  hear(4, 4, 4);
  hear(3, 4, 2);
  hear(1, 3, 5);
  hear(5, 1, 1);
  hear(18, 5, 3);
  return hearing.verdict();
}

Judgement judge_batch_norm_backward(const BatchNormBackward& learner, std::uint64_t seed) {
  Hearing hearing("batch-norm-backward", seed);
  const auto hear = [&](std::int64_t n, std::int64_t c, double eps) {
    hearing.gradients(
        text_of("x [", n, ",", c, "], eps ", eps), {"x", "weight", "bias"},
        {hearing.draw({n, c}), off_zero(hearing, {c}), hearing.draw({c})}, normalised(eps),
        [&](const Tensor& dy, const std::vector<Tensor>& all) -> std::vector<Tensor> {
          const LayerGradients g = learner(dy, all[0], all[1], eps);
          return {g.dx, g.dweight, g.dbias};
        },
        wrong_batch_norms(eps));
  };
  hear(6, 5, 1e-5);
  hear(5, 3, 0.3);
  hear(4, 1, 1e-5);
  hear(19, 2, 1e-5);
  return hearing.verdict();
}

Judgement judge_softmax_cross_entropy(const CrossEntropy& learner, std::uint64_t seed) {
  Hearing hearing("softmax-cross-entropy", seed);
  const auto labels_for = [&](std::int64_t n, std::int64_t classes) {
    return randint(0, classes, {n}, hearing.generator());
  };
  const auto losses = [](const Tensor& scores, const Tensor& labels) {  // [n]
    const Tensor picked = core::gather(scores, 1, labels.unsqueeze(1)).squeeze(1);
    return core::sub(core::logsumexp(scores, {1}), picked);
  };
  const auto hear = [&](const std::string& what, const Tensor& scores, const Tensor& labels) {
    const std::string where = text_of(what, "scores ", scores.shape());
    const auto scalar = [](double v) { return Tensor::scalar(v, float64); };
    hearing.value(
        "the loss", where,
        [&] {
          const LossAndGradient got = learner(scores, labels);
          return got.gradient.defined() ? scalar(got.loss) : Tensor();
        },
        core::mean(losses(scores, labels)),
        {{"the sum over the batch, where its mean belongs",
          [&] { return core::sum(losses(scores, labels)); }},
         {"the greatest score was taken out and not put back",
          [&] {
            const Tensor top = core::max(scores, {1});
            return core::mean(core::sub(losses(scores, labels), top));
          }},
         {"the label's score is not taken off",
          [&] { return core::mean(core::logsumexp(scores, {1})); }},
         {"-log of the sum of a row is missing: that is the mean of the label's score", [&] {
            const Tensor picked = core::gather(scores, 1, labels.unsqueeze(1));
            return core::neg(core::mean(picked));
          }}});
  };
  hear("", hearing.draw({4, 5}), labels_for(4, 5));
  hear("", hearing.draw({1, 3}), labels_for(1, 3));
  const Tensor large = core::mul(hearing.draw({3, 4}), 1000);
  hear("scores of some 1000, ", large, core::argmax(large, 1));
  hear("rows 2000 apart, ",
       core::add(hearing.draw({2, 3}), Tensor::from({{0.0}, {-2000.0}}, float64)),
       labels_for(2, 3));
  const auto hear_gradient = [&](std::int64_t n, std::int64_t classes) {
    const Tensor labels = labels_for(n, classes);
    hearing.gradients(
        text_of("gradient, scores [", n, ",", classes, "]"), {"scores"},
        {hearing.draw({n, classes})},
        [&](const std::vector<Tensor>& in) { return core::mean(losses(in[0], labels)); },
        [&](const Tensor& dy, const std::vector<Tensor>& in) -> std::vector<Tensor> {
          const Tensor gradient = learner(in[0], labels).gradient;
          return {gradient.defined() ? core::mul(gradient, dy.item()) : gradient};
        },
        {{"the label's 1 is missing: the gradient is (p - 1 at the label)/n",
          [n](const Tensor& dy, const std::vector<Tensor>& in) -> std::vector<Tensor> {
            return {core::mul(core::softmax(in[0], 1), dy.item() / static_cast<double>(n))};
          }}});
  };
  hear_gradient(4, 5);
  hear_gradient(3, 3);
  hear_gradient(1, 4);
  const Tensor labels = core::argmax(large, 1);
  hearing.value(
      "the gradient", "scores of some 1000, scores [3,4]",
      [&] { return learner(large, labels).gradient; },
      core::div(core::sub(core::softmax(large, 1), core::one_hot(labels, 4).to(float64)), 3));
  return hearing.verdict();
}

}  // namespace gradus
