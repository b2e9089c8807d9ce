// Separable: each row of the result is first a weighted sum of whole rows of the image, then summed
// along itself. Between the two it stays in float32.
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/parallel.h>
#include <gradus/data/image.h>
#include <gradus/data/resize.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

namespace gradus {
namespace {

void check_resizable(std::string_view op, const Tensor& image) {
  if (!image.defined()) fail<ShapeError>(op, ": image is undefined");
  if (image.rank() != 3 || image.numel() == 0) {
    fail<ShapeError>(op, ": takes [C,H,W] with pixels, got ", describe(image));
  }
  if (image.dtype() != uint8) fail<DTypeError>(op, ": takes uint8, got ", describe(image));
}

void check_image_side(std::string_view op, std::string_view name, std::int64_t size) {
  if (size < 1 || size > largest_image_side) {
    fail<ValueError>(op, ": ", name, " is ", size, ", a side may be 1 to ", largest_image_side);
  }
}

/// Along one side: `count` pixels from number `first` on, of the `full` that it is resized to.
struct SideWindow {
  std::int64_t full = 0;
  std::int64_t first = 0;
  std::int64_t count = 0;
};

/// For each pixel of a window the pixels it is the mean of, and their weights, whose sum is 1.
class Weights {
 public:
  struct Taps {
    std::int64_t begin = 0;
    std::int64_t count = 0;
    const float* weights = nullptr;
  };

  Weights(std::int64_t size, const SideWindow& window) {
    const double scale = static_cast<double>(size) / static_cast<double>(window.full);
    const double reach = std::max(scale, 1.0);
    starts_.push_back(0);
    for (std::int64_t i = window.first; i < window.first + window.count; ++i) {
      const double center = (static_cast<double>(i) + 0.5) * scale;
      const auto nearest = [](double at) {
        return static_cast<std::int64_t>(std::floor(at + 0.5));
      };
      const std::int64_t begin = std::max<std::int64_t>(nearest(center - reach), 0);
      const std::int64_t end = std::min(nearest(center + reach), size);
      begins_.push_back(begin);
      append_triangle(begin, end, center, reach);
      starts_.push_back(std::ssize(weights_));
    }
  }

  Taps operator[](std::int64_t i) const {
    const auto at = static_cast<std::size_t>(i);
    return {begins_[at], starts_[at + 1] - starts_[at], weights_.data() + starts_[at]};
  }

 private:
  void append_triangle(std::int64_t begin, std::int64_t end, double center, double reach) {
    const auto height = [&](std::int64_t pixel) {
      return std::max(1 - std::fabs(static_cast<double>(pixel) + 0.5 - center) / reach, 0.0);
    };
    double sum = 0;
    for (std::int64_t pixel = begin; pixel < end; ++pixel) sum += height(pixel);
    for (std::int64_t pixel = begin; pixel < end; ++pixel) {
      weights_.push_back(static_cast<float>(height(pixel) / sum));
    }
  }

  std::vector<std::int64_t> begins_;
  std::vector<std::int64_t> starts_;
  std::vector<float> weights_;
};

/// Rows of one plane, `width` pixels each, summed by weight.
void sum_rows(const std::uint8_t* plane, std::int64_t width, const Weights::Taps& taps,
              float* sum) {
  std::fill_n(sum, width, 0.0f);
  for (std::int64_t t = 0; t < taps.count; ++t) {
    const std::uint8_t* row = plane + (taps.begin + t) * width;
    const float weight = taps.weights[t];
    for (std::int64_t x = 0; x < width; ++x) sum[x] += weight * static_cast<float>(row[x]);
  }
}

std::uint8_t sum_of_taps(const float* row, const Weights::Taps& taps) {
  float sum = 0;
  for (std::int64_t t = 0; t < taps.count; ++t) sum += taps.weights[t] * row[taps.begin + t];
  return static_cast<std::uint8_t>(std::min(sum + 0.5f, 255.0f));
}

/// The pixels of two windows, uint8 [C,rows.count,columns.count].
Tensor resample(const Tensor& image, const SideWindow& rows, const SideWindow& columns) {
  const Tensor source = image.contiguous();
  const std::int64_t height = source.size(1);
  const std::int64_t width = source.size(2);
  const Weights down(height, rows);
  const Weights along(width, columns);
  const Tensor result = Tensor::empty({source.size(0), rows.count, columns.count}, uint8);
  const auto* in = source.data<std::uint8_t>();
  auto* out = result.data<std::uint8_t>();
  constexpr std::int64_t rows_at_once = 16;
  parallel_for(
      result.size(0) * rows.count, rows_at_once, [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> row(static_cast<std::size_t>(width));
        for (std::int64_t i = begin; i < end; ++i) {
          sum_rows(in + i / rows.count * height * width, width, down[i % rows.count], row.data());
          for (std::int64_t x = 0; x < columns.count; ++x) {
            out[i * columns.count + x] = sum_of_taps(row.data(), along[x]);
          }
        }
      });
  return result;
}

/// Half of `surplus`, rounded to the nearest and to even.
std::int64_t half_to_even(std::int64_t surplus) { return (surplus + (surplus >> 1 & 1)) >> 1; }

/// The middle of a side of `full` pixels.
SideWindow middle(std::int64_t full, std::int64_t count) {
  return {.full = full, .first = half_to_even(full - count), .count = count};
}

}  // namespace

Tensor resize(const Tensor& image, std::int64_t height, std::int64_t width) {
  check_resizable("resize", image);
  check_image_side("resize", "height", height);
  check_image_side("resize", "width", width);
  return resample(image, {height, 0, height}, {width, 0, width});
}

Tensor resize_shorter_side(const Tensor& image, std::int64_t side) {
  constexpr std::string_view op = "resize_shorter_side";
  check_resizable(op, image);
  check_image_side(op, "side", side);
  const std::int64_t shorter = std::min(image.size(1), image.size(2));
  const std::int64_t height = side * image.size(1) / shorter;
  const std::int64_t width = side * image.size(2) / shorter;
  check_image_side(op, "height", height);
  check_image_side(op, "width", width);
  return resample(image, {height, 0, height}, {width, 0, width});
}

Tensor center_crop(const Tensor& image, std::int64_t height, std::int64_t width) {
  check_resizable("center_crop", image);
  check_image_side("center_crop", "height", height);
  check_image_side("center_crop", "width", width);
  const Tensor result = zeros({image.size(0), height, width}, uint8);
  Tensor from = image;
  Tensor to = result;
  for (const int dim : {1, 2}) {
    const std::int64_t have = image.size(dim);
    const std::int64_t want = result.size(dim);
    if (have > want) from = from.narrow(dim, half_to_even(have - want), want);
    if (have < want) to = to.narrow(dim, (want - have) / 2, have);
  }
  to.copy_(from);
  return result;
}

Tensor fit(const Tensor& image, std::int64_t height, std::int64_t width) {
  check_resizable("fit", image);
  check_image_side("fit", "height", height);
  check_image_side("fit", "width", width);
  const std::int64_t h = image.size(1);
  const std::int64_t w = image.size(2);
  // height/h >= width/w: the height needs the greater factor, and the width is cropped.
  const bool by_height = height * w >= width * h;
  const std::int64_t full_height = by_height ? height : width * h / w;
  const std::int64_t full_width = by_height ? height * w / h : width;
  return resample(image, middle(full_height, height), middle(full_width, width));
}

}  // namespace gradus
