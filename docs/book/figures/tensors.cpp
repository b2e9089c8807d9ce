// Chapters 1 and 2: one row of memory read in three ways, and a window over an image.
#include "figures/drawing.h"

namespace book {
namespace {

using namespace gradus;

std::string describe_window(const Tensor& view) {
  std::ostringstream text;
  text << "shape " << view.shape() << ", strides " << view.strides() << ", offset "
       << view.offset();
  return text.str();
}

void draw_strides(const std::string& folder) {
  Drawing d(760, 270, "A row of six numbers in memory, and three tensors that look at it");
  const Tensor a = arange(0, 6).reshape({2, 3});
  const Tensor views[] = {a, a.transpose(), a.slice(1, 0, 3, 2)};
  const std::string_view names[] = {"a", "a.transpose()", "a.slice(1, 0, 3, 2)"};
  // The shade says in which row of `a` a number stands.
  const auto by_number = [](const Tensor& view) {
    return [view](std::int64_t i, std::int64_t j) {
      return view.at<float>({i, j}) < 3 ? Shade::orange : Shade::blue;
    };
  };
  const Tensor memory = a.reshape({1, 6});
  d.text(150, 44, "memory");
  d.matrix(200, 22, memory, by_number(memory));
  for (int n = 0; n < 3; ++n) {
    const Tensor& view = views[n];
    const int centre = 130 + n * 250;
    const int width = static_cast<int>(view.size(1)) * Drawing::cell_size;
    d.text(centre, 98, names[n]);
    d.matrix(centre - width / 2, 110, view, by_number(view));
    d.small(centre, 240, describe_window(view));
  }
  d.save(folder + "/strides.svg");
}

void draw_correlation(const std::string& folder) {
  Drawing d(600, 200, "A window of 2x2 weights over an image of 3x3");
  const Tensor x = arange(0, 9).reshape({3, 3});
  const Tensor k = arange(0, 4).reshape({2, 2});
  const Tensor y = corr2d(x, k).value();
  const auto window = [](std::int64_t i, std::int64_t j) {
    return i < 2 && j < 2 ? Shade::orange : Shade::none;
  };
  const auto first = [](std::int64_t i, std::int64_t j) {
    return i == 0 && j == 0 ? Shade::green : Shade::none;
  };
  d.text(91, 30, "image [3,3]");
  d.matrix(40, 42, x, window);
  d.sign(200, 100, "⋆");
  d.text(284, 30, "kernel [2,2]");
  d.matrix(250, 59, k, window);
  d.sign(374, 100, "=");
  d.text(484, 30, "output [2,2]");
  d.matrix(450, 59, y, first);
  std::ostringstream sum;
  for (std::int64_t u = 0; u < 2; ++u) {
    for (std::int64_t v = 0; v < 2; ++v)
      sum << (u + v > 0 ? " + " : "") << x.at<float>({u, v}) << "·" << k.at<float>({u, v});
  }
  sum << " = " << y.at<float>({0, 0});
  d.text(300, 180, sum.str());
  d.save(folder + "/correlation.svg");
}

}  // namespace

void draw_tensors(const std::string& folder) {
  draw_strides(folder);
  draw_correlation(folder);
}

}  // namespace book
