// The loss of classification, in one pass forward and one back.
#include <gradus/core/math.h>
#include <gradus/core/parallel.h>

#include <algorithm>
#include <cmath>

namespace gradus::core {
namespace {

constexpr std::int64_t exponentials_per_chunk = 2'000;  // about 10 microseconds

/// scores [N,C,...] as N images of C rows of `inner` numbers.
struct Scores {
  std::int64_t images, classes, inner;

  explicit Scores(const Tensor& scores)
      : images(scores.size(0)), classes(scores.size(1)), inner(1) {
    for (int d = 2; d < scores.rank(); ++d) inner *= scores.size(d);
  }

  /// Calls f(label, score) for each label; `score` is where the first of its C scores lies,
  /// `inner` apart.
  template <class F> void for_each_label(const F& f) const {
    const std::int64_t grain = exponentials_per_chunk / std::max<std::int64_t>(classes, 1) + 1;
    parallel_for(images * inner, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) f(i, i / inner * classes * inner + i % inner);
    });
  }
};

}  // namespace

void check_labels(std::string_view op, const Tensor& scores, const Tensor& labels,
                  std::optional<std::int64_t> ignored) {
  if (!scores.defined()) fail<ShapeError>(op, ": the scores are undefined");
  dispatch_floating(op, scores.dtype(), []<class T>() {});
  if (!labels.defined() || labels.dtype() != int64) {
    fail<DTypeError>(op, ": labels must be int64 class indices, got ", describe(labels),
                     labels.defined() ? "; cast with .to(int64)" : "");
  }
  Shape expected;
  for (int d = 0; d < scores.rank(); ++d) {
    if (d != 1) expected.push_back(scores.shape()[d]);
  }
  if (scores.rank() < 2 || labels.shape() != expected) {
    fail<ShapeError>(op, ": expects scores [N,C,...] and labels [N,...], or [C] and [], got ",
                     scores.shape(), " and ", labels.shape());
  }
  const std::int64_t classes = scores.size(1);
  const Tensor dense = labels.contiguous();
  const std::int64_t* label = dense.data<std::int64_t>();
  for (std::int64_t i = 0, n = dense.numel(); i < n; ++i) {
    if ((label[i] < 0 || label[i] >= classes) && label[i] != ignored) {
      fail<ValueError>(op, ": label ", label[i], " at position ", i, " is outside of 0..",
                       classes - 1);
    }
  }
}

CrossEntropyResult cross_entropy(const Tensor& logits, const Tensor& labels, bool with_softmax) {
  check_labels("cross_entropy", logits, labels);
  CrossEntropyResult result{
      Tensor::empty(labels.shape(), logits.dtype()),
      with_softmax ? Tensor::empty(logits.shape(), logits.dtype()) : Tensor()};
  const Scores scores(logits);
  const Tensor dense = logits.contiguous();
  const Tensor dense_labels = labels.contiguous();
  dispatch_floating("cross_entropy", logits.dtype(), [&]<class T>() {
    const T* x = dense.data<T>();
    const std::int64_t* label = dense_labels.data<std::int64_t>();
    T* losses = result.losses.data<T>();
    T* softmax = with_softmax ? result.softmax.data<T>() : nullptr;
    scores.for_each_label([&](std::int64_t i, std::int64_t first) {
      const std::int64_t end = first + scores.classes * scores.inner;
      // Without the greatest subtracted, exp() would overflow. A NaN comes through the sum.
      T peak = x[first];
      for (std::int64_t k = first; k < end; k += scores.inner) peak = std::max(peak, x[k]);
      double total = 0;
      for (std::int64_t k = first; k < end; k += scores.inner) {
        const T e = std::exp(x[k] - peak);
        if (softmax != nullptr) softmax[k] = e;
        total += static_cast<double>(e);
      }
      const T log_probability =
          x[first + label[i] * scores.inner] - peak - static_cast<T>(std::log(total));
      losses[i] = -log_probability;
      if (softmax == nullptr) return;
      for (std::int64_t k = first; k < end; k += scores.inner) softmax[k] /= static_cast<T>(total);
    });
  });
  return result;
}

Tensor cross_entropy_grad(const Tensor& dy, const Tensor& softmax, const Tensor& labels,
                          double scale) {
  check_labels("cross_entropy_grad", softmax, labels);
  const bool one_for_all = dy.rank() == 0;
  if (dy.dtype() != softmax.dtype() || (!one_for_all && dy.shape() != labels.shape())) {
    fail<ShapeError>("cross_entropy_grad: dy is ", describe(dy), ", the losses are ",
                     softmax.dtype(), " ", labels.shape());
  }
  const Tensor dx = Tensor::empty(softmax.shape(), softmax.dtype());
  const Scores scores(softmax);
  const Tensor dense = softmax.contiguous();
  const Tensor dense_labels = labels.contiguous();
  const Tensor dense_dy = dy.contiguous();
  dispatch_floating("cross_entropy_grad", softmax.dtype(), [&]<class T>() {
    const T* probability = dense.data<T>();
    const std::int64_t* label = dense_labels.data<std::int64_t>();
    const T* slope = dense_dy.data<T>();
    T* out = dx.data<T>();
    scores.for_each_label([&](std::int64_t i, std::int64_t first) {
      const T factor = static_cast<T>(scale) * slope[one_for_all ? 0 : i];
      for (std::int64_t c = 0, k = first; c < scores.classes; ++c, k += scores.inner)
        out[k] = (probability[k] - (c == label[i] ? T{1} : T{0})) * factor;
    });
  });
  return dx;
}

}  // namespace gradus::core
