// Windows laid out as columns, and columns added up to an image again. Both go tap by tap: through tap
// (u,v) all windows together see every stride-th pixel, which is a slice of the image, and the rows of
// the matrix that belong to the tap are another view. So each is kh·kw copies, or additions, of views.
#include <gradus/core/conv.h>
#include <gradus/core/create.h>
#include <gradus/core/detail/conv_checks.h>
#include <gradus/core/kernels/ceil_div.h>
#include <gradus/core/math.h>

#include <algorithm>

namespace gradus::core {
namespace {

/// The windows of an image [N,C,H,W]: oh x ow of them.
struct Windows {
  std::int64_t batch, channels, height, width;
  std::int64_t oh, ow;
};

Windows windows_of(std::string_view op, const Shape& image, const UnfoldOptions& o) {
  if (o.kernel_size.height < 1 || o.kernel_size.width < 1) {
    fail<ValueError>(op, ": kernel_size must be at least 1, got ", checks::spell(o.kernel_size));
  }
  checks::check_options(op, {.stride = o.stride, .padding = o.padding, .dilation = o.dilation});
  checks::check_extent(op, image);
  checks::check_extent(op, {o.kernel_size.height, o.kernel_size.width});
  check_sizes(op, image);
  const std::int64_t reach_h = o.dilation.height * (o.kernel_size.height - 1) + 1;
  const std::int64_t reach_w = o.dilation.width * (o.kernel_size.width - 1) + 1;
  const std::int64_t height = image[2] + 2 * o.padding.height;
  const std::int64_t width = image[3] + 2 * o.padding.width;
  if (reach_h > height || reach_w > width) {
    fail<ShapeError>(op, ": the window reaches ", reach_h, "x", reach_w,
                     ", the padded image is only ", height, "x", width, " (image ", image[2], "x",
                     image[3], ", padding ", checks::spell(o.padding), ")");
  }
  return {image[0],
          image[1],
          image[2],
          image[3],
          (height - reach_h) / o.stride.height + 1,
          (width - reach_w) / o.stride.width + 1};
}

/// The windows of one axis that see the image, not the padding, through a tap: `count` from `first`
/// on, and the pixel that the first of them sees.
struct Seen {
  std::int64_t first, count, pixel;
};

/// Window i sees pixel i·stride + offset.
Seen seen(std::int64_t windows, std::int64_t size, std::int64_t stride, std::int64_t offset) {
  const std::int64_t first = offset < 0 ? kernels::ceil_div(-offset, stride) : 0;
  const std::int64_t end = offset < size ? (size - 1 - offset) / stride + 1 : 0;
  return {first, std::max<std::int64_t>(std::min(end, windows) - first, 0),
          first * stride + offset};
}

/// f(pixels, columns) for each tap: equal views of an image [N,C,H,W] and of its windows
/// [N,C,kh,kw,OH,OW].
template <class F>
void for_each_tap(const Windows& all, const UnfoldOptions& o, const Tensor& image,
                  const Tensor& columns, const F& f) {
  if (image.numel() == 0 || columns.numel() == 0) return;
  for (std::int64_t u = 0; u < o.kernel_size.height; ++u) {
    const Seen rows =
        seen(all.oh, all.height, o.stride.height, u * o.dilation.height - o.padding.height);
    for (std::int64_t v = 0; v < o.kernel_size.width; ++v) {
      const Seen pixels =
          seen(all.ow, all.width, o.stride.width, v * o.dilation.width - o.padding.width);
      if (rows.count == 0 || pixels.count == 0) continue;
      f(image
            .slice(2, rows.pixel, rows.pixel + (rows.count - 1) * o.stride.height + 1,
                   o.stride.height)
            .slice(3, pixels.pixel, pixels.pixel + (pixels.count - 1) * o.stride.width + 1,
                   o.stride.width),
        columns.select(2, u)
            .select(2, v)
            .narrow(2, rows.first, rows.count)
            .narrow(3, pixels.first, pixels.count));
    }
  }
}

}  // namespace

Tensor unfold(const Tensor& x, const UnfoldOptions& options) {
  checks::check_tensor("unfold", "input", x, 4);
  checks::check_floating("unfold", x);
  const Windows all = windows_of("unfold", x.shape(), options);
  const auto [kh, kw] = options.kernel_size;
  const Shape shape{all.batch, all.channels, kh, kw, all.oh, all.ow};
  check_sizes("unfold", shape);
  // Without padding every window lies in the image, and every element is written below.
  const Tensor columns =
      options.padding == Pair(0) ? Tensor::empty(shape, x.dtype()) : zeros(shape, x.dtype());
  for_each_tap(all, options, x, columns,
               [](const Tensor& pixels, const Tensor& column) { column.copy_(pixels); });
  return columns.reshape({all.batch, all.channels * kh * kw, all.oh * all.ow});
}

Tensor fold(const Tensor& columns, Pair output_size, const UnfoldOptions& options) {
  constexpr std::string_view op = "fold";
  checks::check_tensor(op, "input", columns, 3);
  checks::check_floating(op, columns);
  if (output_size.height < 1 || output_size.width < 1) {
    fail<ValueError>(op, ": output_size must be at least 1, got ", checks::spell(output_size));
  }
  const auto [kh, kw] = options.kernel_size;
  // Its channels follow from the columns.
  const Windows one =
      windows_of(op, {columns.size(0), 1, output_size.height, output_size.width}, options);
  const std::int64_t taps = kh * kw;
  if (columns.size(1) % taps != 0) {
    fail<ShapeError>(op, ": the columns of ", columns.shape(), " do not divide into windows of ",
                     checks::spell(options.kernel_size));
  }
  if (columns.size(2) != one.oh * one.ow) {
    fail<ShapeError>(op, ": an image of ", checks::spell(output_size), " has ", one.oh, "x", one.ow,
                     " windows, the input ", columns.shape(), " has ", columns.size(2));
  }
  const std::int64_t channels = columns.size(1) / taps;
  const Shape shape{one.batch, channels, output_size.height, output_size.width};
  check_sizes(op, shape);
  const Tensor image = zeros(shape, columns.dtype());
  for_each_tap(one, options, image, columns.reshape({one.batch, channels, kh, kw, one.oh, one.ow}),
               [](const Tensor& pixels, const Tensor& column) { add_(pixels, column); });
  return image;
}

}  // namespace gradus::core
