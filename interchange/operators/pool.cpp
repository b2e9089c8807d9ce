// Pooling along one, two and three axes: of volumes the images first, then the depth.
#include <gradus/core/conv.h>
#include <gradus/interchange/operators/call.h>

#include <limits>

namespace gradus::interchange {
namespace {

using Pool = Variable (*)(const Operand& x, const Pool2dOptions& options);

/// Images of one or two axes: [N,C,L] as [N,C,1,L].
Variable of_images(const Variable& x) { return x.value().rank() == 3 ? unsqueeze(x, 2) : x; }

Pool2dOptions options_of(const Windows& w, std::size_t first, bool ceil_mode, bool dilated) {
  const bool row = w.kernel.size() - first == 1;
  const auto at = [&](const Integers& list, std::int64_t otherwise) {
    return row ? Pair{otherwise, list[first]} : Pair{list[first], list[first + 1]};
  };
  return {.kernel_size = at(w.kernel, 1),
          .stride = at(w.stride, 1),
          .padding = at(w.begin, 0),
          .dilation = dilated ? at(w.dilation, 1) : Pair{1},
          .ceil_mode = ceil_mode};
}

/// What was pooled as images, with as many axes as x has.
Variable like_given(const Variable& pooled, const Variable& x) {
  return x.value().rank() == 3 ? squeeze(pooled, 2) : pooled;
}

/// pool() over rows, images or volumes that have no padding of their own.
Variable pool_bare(const Variable& x, const Windows& bare, bool ceil_mode, Pool pool,
                   bool dilated) {
  const Shape s = x.value().shape();
  if (s.rank() < 5)
    return like_given(pool(of_images(x), options_of(bare, 0, ceil_mode, dilated)), x);
  const Variable images =
      pool(reshape(x, {s[0], s[1] * s[2], s[3], s[4]}), options_of(bare, 1, ceil_mode, dilated));
  const Shape i = images.value().shape();
  Windows depth;
  depth.kernel = {bare.kernel[0], 1};
  depth.stride = {bare.stride[0], 1};
  depth.dilation = {bare.dilation[0], 1};
  depth.begin = depth.end = {0, 0};
  const Variable rows = reshape(images, {s[0], s[1], s[2], i[2] * i[3]});
  const Variable pooled = pool(rows, options_of(depth, 0, ceil_mode, dilated));
  return reshape(pooled, {s[0], s[1], pooled.value().size(2), i[2], i[3]});
}

/// pool() over x with the padding of `w` already around it, which it takes for numbers of x. With ceil_mode the last window
/// hangs over, as long as it starts before the padding behind: as pooling does that knows its padding.
Variable pool_all(const Variable& x, const Windows& w, bool ceil_mode, Pool pool, bool dilated) {
  Windows bare = w;
  bare.begin.assign(w.begin.size(), 0);
  bare.end = bare.begin;
  Variable y = pool_bare(x, bare, ceil_mode, pool, dilated);
  for (std::size_t i = 0; ceil_mode && i < w.kernel.size(); ++i) {
    const int d = static_cast<int>(i) + 2;
    const std::int64_t size = x.value().size(d);
    const std::int64_t reach = (dilated ? w.dilation[i] : 1) * (w.kernel[i] - 1) + 1;
    const std::int64_t last = (size - reach + w.stride[i] - 1) / w.stride[i];
    const bool starts_behind = last > 0 && last * w.stride[i] >= size - w.end[i];
    if (starts_behind) y = narrow(y, d, 0, last);
  }
  return y;
}

/// Can pooling of images take that padding? It wants the same before and behind, and at most half of the kernel.
bool is_plain(const Windows& w, const Variable& x) {
  bool half = true;
  for (std::size_t i = 0; i < w.kernel.size(); ++i) half = half && 2 * w.begin[i] <= w.kernel[i];
  return half && w.symmetric() && x.value().rank() < 5;
}

Variable greatest(const Operand& x, const Pool2dOptions& options) { return max_pool2d(x, options); }
Variable mean_of_window(const Operand& x, const Pool2dOptions& options) {
  return avg_pool2d(x, options);
}

/// Where each greatest was, counted over the whole tensor in row-major order, or with the columns first.
Tensor indices_in_all(const Call& call, const Variable& x, const Windows& w, bool ceil_mode) {
  if (!w.symmetric() || x.value().rank() > 4) {
    call.refuse(
        "indices of volumes or with padding that differs before and behind; images with "
        "the same on both sides are expected");
  }
  const Tensor image = of_images(x).value();
  const Tensor planes = core::max_pool2d(image, options_of(w, 0, ceil_mode, true)).indices;
  const std::int64_t height = image.size(2);
  const std::int64_t width = image.size(3);
  Tensor result = planes.clone();
  auto* at = result.data<std::int64_t>();
  const std::int64_t outputs = planes.size(2) * planes.size(3);
  for (std::int64_t i = 0; i < result.numel(); ++i) {
    const std::int64_t place =
        call.flag("storage_order", false) ? at[i] % width * height + at[i] / width : at[i];
    at[i] = i / outputs * height * width + place;
  }
  return like_given(result, x).value();
}

/// Padding never wins. Integers of 8 bits are exact in float32.
Variables max_pool_node(const Call& call) {
  const Variable& given = call.in(0);
  const Variable x =
      cast(given, is_floating(given.value().dtype()) ? given.value().dtype() : float32);
  const Windows w = windows_of(call, spatial_sizes(call, x), {});
  const bool ceil_mode = call.flag("ceil_mode", false);
  const double never = -std::numeric_limits<double>::infinity();
  const Variable y =
      is_plain(w, x) ? like_given(max_pool2d(of_images(x), options_of(w, 0, ceil_mode, true)), x)
                     : pool_all(padded(x, w, never), w, ceil_mode, greatest, true);
  Variables results{cast(y, given.value().dtype())};
  if (call.wants(1)) results.emplace_back(indices_in_all(call, x, w, ceil_mode));
  return results;
}

/// Where padding does not count, the sum is divided by how many numbers of x each window has.
Variables average_pool_node(const Call& call) {
  const Variable& x = call.in(0);
  const Windows w = windows_of(call, spatial_sizes(call, x), {});
  const bool ceil_mode = call.flag("ceil_mode", false);
  const bool count_all = call.flag("count_include_pad", false);
  if (is_plain(w, x)) {
    Pool2dOptions options = options_of(w, 0, ceil_mode, false);
    options.count_include_pad = count_all;
    return {like_given(avg_pool2d(of_images(x), options), x)};
  }
  const Variable means = pool_all(padded(x, w, 0), w, ceil_mode, mean_of_window, false);
  if (count_all) return {means};
  const Variable present = Variable(ones(x.value().shape(), x.value().dtype()));
  const Variable shares = pool_all(padded(present, w, 0), w, ceil_mode, mean_of_window, false);
  return {div(means, shares)};
}

Dims behind_channels(const Call& call) {
  const int rank = call.in(0).value().rank();
  if (rank < 3) call.refuse("input 0 is ", describe(call.in(0).value()), "; [N,C,..] expected");
  Dims dims;
  for (int d = 2; d < rank; ++d) dims.push_back(d);
  return dims;
}

Variables global_average_pool_node(const Call& call) {
  return {mean(call.in(0), behind_channels(call), true)};
}
Variables global_max_pool_node(const Call& call) {
  return {max(call.in(0), behind_channels(call), true)};
}

/// (Σ|x|^p)^(1/p) over each window.
Variables lp_pool_node(const Call& call) {
  const Variable& x = call.in(0);
  const Windows w = windows_of(call, spatial_sizes(call, x), {});
  const auto p = static_cast<double>(call.integer("p", 2));
  double size = 1;
  for (const std::int64_t k : w.kernel) size *= static_cast<double>(k);
  const Variable powers = padded(pow(abs(x), p), w, 0);
  return {pow(mul(pool_all(powers, w, false, mean_of_window, false), size), 1 / p)};
}

Variables global_lp_pool_node(const Call& call) {
  return {norm(call.in(0), static_cast<double>(call.integer("p", 2)), behind_channels(call), true)};
}

/// Zeros, and x where a pooling found it: of windows that overlap some found the same, which stands there once.
Variables max_unpool_node(const Call& call) {
  const Variable& x = call.in(0);
  const Integers sizes = spatial_sizes(call, x);
  const Windows w = windows_of(call, sizes, {});
  Integers shape{x.value().size(0), x.value().size(1)};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    shape.push_back((sizes[i] - 1) * w.stride[i] + w.kernel[i] - w.begin[i] - w.end[i]);
  }
  const Shape natural = shape_of(shape, call);
  check_sizes("MaxUnpool", natural);
  const Tensor& at = call.in(1).value();
  if (at.dtype() != int64 || at.shape() != x.value().shape()) {
    call.refuse("input ", describe(x.value()), " with indices ", describe(at),
                "; an index of int64 for each number is expected");
  }
  const Variable nothing = Variable(zeros(natural, x.value().dtype()));
  const Variable y = scattered(call, nothing, at.to_vector<std::int64_t>(), x, "none");
  if (!call.has(2)) return {y};
  // The indices count in the natural size; a larger one has its zeros behind.
  const Integers wanted = call.integers_in(2);
  if (wanted.size() != shape.size())
    call.refuse("output_shape has ", wanted.size(), " sizes, ", shape.size(), " expected");
  Integers more;
  for (std::size_t i = shape.size(); i-- > 2;) {
    more.push_back(0);
    more.push_back(wanted[i] - shape[i]);
  }
  return {pad(y, more)};
}

}  // namespace

std::vector<OperatorEntry> pool_operators() {
  return {{"AveragePool", average_pool_node},
          {"GlobalAveragePool", global_average_pool_node},
          {"GlobalLpPool", global_lp_pool_node},
          {"GlobalMaxPool", global_max_pool_node},
          {"LpPool", lp_pool_node},
          {"MaxPool", max_pool_node},
          {"MaxUnpool", max_unpool_node}};
}

}  // namespace gradus::interchange
