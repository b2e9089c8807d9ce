// Chapters 7 and 8: the three faces of a convolution, and windows as the columns of a matrix.
#include "figures/drawing.h"

#include <array>

namespace book {
namespace {

using namespace gradus;

void draw_faces(const std::string& folder) {
  Drawing d(900, 300,
            "The form S(dy, x, w): each two of its arguments give the gradient of the third");
  const auto corner = [&](int x, int y, std::string_view name, Shade shade) {
    d.box(x - 40, y - 20, 80, 40, shade);
    d.text(x, y + 6, name);
  };
  d.line(450, 50, 230, 240);
  d.line(450, 50, 670, 240);
  d.line(230, 240, 670, 240);
  corner(450, 50, "dy", Shade::green);
  corner(230, 240, "x", Shade::orange);
  corner(670, 240, "w", Shade::blue);
  d.text(450, 284, "conv2d(x, w), the gradient of dy");
  d.text(165, 130, "conv2d_weight_grad(dy, x),");
  d.text(165, 150, "the gradient of w");
  d.text(735, 130, "conv2d_input_grad(dy, w),");
  d.text(735, 150, "the gradient of x");
  d.text(450, 180, "S(dy, x, w)");
  d.save(folder + "/faces.svg");
}

void draw_windows(const std::string& folder) {
  constexpr std::array<Shade, 4> shades{Shade::orange, Shade::blue, Shade::green, Shade::violet};
  Drawing d(760, 380, "The windows of an image as the columns of a matrix");
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
  d.text(118, 222, "kernel [1,4]");
  d.matrix(50, 250, k, plain);
  d.sign(222, 276, "·");
  d.text(328, 190, "windows [4,4]");
  d.matrix(260, 204, columns, of_column);
  d.sign(440, 276, "=");
  d.text(558, 222, "output [1,4]");
  d.matrix(490, 250, core::matmul(k, columns), of_column);
  d.save(folder + "/windows.svg");
}

}  // namespace

void draw_matrices(const std::string& folder) {
  draw_faces(folder);
  draw_windows(folder);
}

}  // namespace book
