// Chapters 7 and 8: the three faces of a convolution, and windows as the columns of a matrix.
#include "figures/drawing.h"

#include <array>

namespace book {
namespace {

using namespace gradus;

void draw_faces(const std::string& folder) {
  Drawing d(640, 300, "The form S(dy, x, w); each two of its arguments give the third's gradient");
  const auto corner = [&](int x, int y, std::string_view name, Shade shade) {
    d.box(x - 40, y - 20, 80, 40, shade);
    d.text(x, y + 6, name);
  };
  d.arrow(120, 240, 520, 240);
  d.arrow(520, 240, 120, 240);
  d.arrow(120, 240, 320, 70);
  d.arrow(320, 70, 120, 240);
  d.arrow(520, 240, 320, 70);
  d.arrow(320, 70, 520, 240);
  corner(320, 50, "dy", Shade::green);
  corner(100, 250, "x", Shade::orange);
  corner(540, 250, "w", Shade::blue);
  d.text(320, 268, "conv2d(x, w), for dy");
  d.text(110, 145, "conv2d_weight_grad(dy, x), for w");
  d.text(530, 145, "conv2d_input_grad(dy, w), for x");
  d.text(320, 195, "S(dy, x, w)");
  d.save(folder + "/faces.svg");
}

void draw_windows(const std::string& folder) {
  constexpr std::array<Shade, 4> shades{Shade::orange, Shade::blue, Shade::green, Shade::violet};
  Drawing d(760, 360, "The windows of an image as the columns of a matrix");
  const Tensor x = arange(0, 9).reshape({3, 3});
  const Tensor k = arange(0, 4).reshape({1, 4});
  const Tensor columns = unfold(x.unsqueeze(0), {.kernel_size = 2}).value();
  for (int n = 0; n < 4; ++n) {
    const int row = n / 2;
    const int column = n % 2;
    const auto window = [=](std::int64_t i, std::int64_t j) {
      const bool inside = i >= row && i < row + 2 && j >= column && j < column + 2;
      return inside ? shades[static_cast<std::size_t>(n)] : Shade::none;
    };
    d.matrix(60 + n * 175, 44, x, window);
    d.small(60 + n * 175 + 51, 30,
            "output (" + std::to_string(row) + "," + std::to_string(column) + ")");
  }
  const auto of_column = [&](std::int64_t, std::int64_t j) {
    return shades[static_cast<std::size_t>(j)];
  };
  d.text(118, 180, "kernel [1,4]");
  d.matrix(50, 226, k, plain);
  d.sign(222, 252, "·");
  d.text(328, 168, "windows [4,4]");
  d.matrix(260, 180, columns, of_column);
  d.sign(440, 252, "=");
  d.text(558, 180, "output [1,4]");
  d.matrix(490, 226, core::matmul(k, columns), of_column);
  d.save(folder + "/windows.svg");
}

}  // namespace

void draw_matrices(const std::string& folder) {
  draw_faces(folder);
  draw_windows(folder);
}

}  // namespace book
