// Chapters 3 to 5: many channels in, many out, and 1x1.
#include "figures/drawing.h"

#include <array>

namespace book {
namespace {

using namespace gradus;

constexpr int size = Drawing::cell_size;
constexpr std::array<Shade, 3> shade_of{Shade::orange, Shade::blue, Shade::violet};

Tensor two_channels() {
  return stack({arange(0, 9).reshape({3, 3}), arange(1, 10).reshape({3, 3})}).value();
}
Tensor two_slices() {
  return stack({arange(0, 4).reshape({2, 2}), arange(1, 5).reshape({2, 2})}).value();
}

/// The elements of the first window, or of its result, in the shade of their channel.
ShadeOf first_window(std::int64_t side, Shade shade) {
  return [=](std::int64_t i, std::int64_t j) { return i < side && j < side ? shade : Shade::none; };
}

/// "0·0 + 1·1 + 3·2 + 4·3 = 19", of the first window.
std::string first_sum(const Tensor& x, const Tensor& k) {
  std::ostringstream text;
  double sum = 0;
  for (std::int64_t u = 0; u < k.size(0); ++u) {
    for (std::int64_t v = 0; v < k.size(1); ++v) {
      text << (u + v > 0 ? " + " : "") << x.at<float>({u, v}) << "·" << k.at<float>({u, v});
      sum += x.at<float>({u, v}) * k.at<float>({u, v});
    }
  }
  text << " = " << sum;
  return text.str();
}

void draw_channels_in(const std::string& folder) {
  Drawing d(760, 330, "Two input channels, one kernel slice each, summed to one output channel");
  const Tensor x = two_channels();
  const Tensor k = two_slices();
  const Tensor y = corr2d_multi_in(x, k).value();
  d.text(91, 30, "input [2,3,3]");
  d.text(274, 30, "kernel [2,2,2]");
  d.text(444, 30, "by channel");
  d.text(650, 30, "output [1,2,2]");
  for (int c = 0; c < 2; ++c) {
    const int top = 48 + c * 142;
    const Shade shade = shade_of[static_cast<std::size_t>(c)];
    d.matrix(40, top, x[c], first_window(2, shade));
    d.sign(192, top + 58, "⋆");
    d.matrix(240, top + 17, k[c], first_window(2, shade));
    d.sign(358, top + 58, "=");
    d.matrix(410, top + 17, corr2d(x[c], k[c]).value(), first_window(1, shade));
    d.arrow(486, top + 51, 604, c == 0 ? 163 : 177);
    d.small(634, 256 + 20 * c, first_sum(x[c], k[c]));
  }
  d.sign(444, 182, "+");
  d.matrix(616, 136, y, first_window(1, Shade::green));
  std::ostringstream total;
  total << corr2d(x[0], k[0]).value().at<float>({0, 0}) << " + "
        << corr2d(x[1], k[1]).value().at<float>({0, 0}) << " = " << y.at<float>({0, 0});
  d.text(634, 298, total.str());
  d.save(folder + "/channels-in.svg");
}

void draw_channels_out(const std::string& folder) {
  Drawing d(700, 340, "Two input channels under three kernels: three output channels");
  const Tensor x = two_channels();
  const Variable k = two_slices();
  const Variable kernels = stack({k, k + 1.0, k + 2.0});
  const Tensor y = corr2d_multi_in_out(x, kernels).value();
  d.text(91, 30, "input [2,3,3]");
  d.text(374, 30, "weight [3,2,2,2]");
  d.text(604, 30, "output [3,2,2]");
  for (int c = 0; c < 2; ++c) d.matrix(40, 72 + c * 128, x[c], plain);
  for (int o = 0; o < 3; ++o) {
    const int top = 48 + o * 96;
    const Shade shade = shade_of[static_cast<std::size_t>(o)];
    d.arrow(156, 185, 286, top + size);
    for (int c = 0; c < 2; ++c)
      d.matrix(300 + c * 80, top, kernels.value()[o][c], first_window(2, shade));
    d.arrow(458, top + size, 556, top + size);
    d.matrix(570, top, y[o], first_window(2, shade));
  }
  d.save(folder + "/channels-out.svg");
}

void draw_one_by_one(const std::string& folder) {
  Drawing d(700, 400, "Three input channels, two kernels of 1x1, two output channels");
  const Tensor x = Tensor::from({{{0, 1, 2}, {3, 4, 5}, {6, 7, 8}},
                                 {{1, 1, 1}, {2, 2, 2}, {3, 3, 3}},
                                 {{4, 0, 4}, {0, 4, 0}, {4, 0, 4}}},
                                float32);
  const Tensor k = Tensor::from({{1, 2, 0}, {-1, 0, 2}}, float32);
  const Tensor y = corr2d_multi_in_out_1x1(x, k.reshape({2, 3, 1, 1})).value();
  const auto centre = [](Shade shade) -> ShadeOf {
    return [=](std::int64_t i, std::int64_t j) { return i == 1 && j == 1 ? shade : Shade::none; };
  };
  d.text(91, 30, "input [3,3,3]");
  d.text(340, 30, "weight [2,3,1,1]");
  d.text(569, 30, "output [2,3,3]");
  for (int c = 0; c < 3; ++c)
    d.matrix(40, 44 + c * 112, x[c], centre(shade_of[static_cast<std::size_t>(c)]));
  for (int o = 0; o < 2; ++o) {
    const int top = 80 + o * 150;
    d.arrow(156, 203, 276, top + 56);
    d.matrix(290, top + 40, k[o].reshape({1, 3}),
             [](std::int64_t, std::int64_t c) { return shade_of[static_cast<std::size_t>(c)]; });
    d.arrow(406, top + 56, 504, top + 56);
    d.matrix(518, top + 6, y[o], centre(Shade::green));
    std::ostringstream sum;
    for (std::int64_t c = 0; c < 3; ++c)
      sum << (c > 0 ? " + " : "") << k.at<float>({o, c}) << "·" << x.at<float>({c, 1, 1});
    sum << " = " << y.at<float>({o, 1, 1});
    d.small(341, top + 96, sum.str());
  }
  d.save(folder + "/one-by-one.svg");
}

}  // namespace

void draw_channels(const std::string& folder) {
  draw_channels_in(folder);
  draw_channels_out(folder);
  draw_one_by_one(folder);
}

}  // namespace book
