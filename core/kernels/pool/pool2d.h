// Pooling over the planes of a tensor [N,C,H,W], taken as planes = N·C independent images [H,W].
//
// Max pooling is a choice: forward keeps, for every output, the flat index h·W + w of the element
// it took, and both derivatives follow from it (scatter is the adjoint of gather, and gather that
// of scatter). Where a window is small the choice fits in a byte, the place kh·KW + kw within the
// window: an eighth of the memory, and for the backward pass the element is found by a small table.
// Average pooling is linear: its derivative is its adjoint, and the adjoint of that is
// the forward pass again.
//
// What always holds:
//   - outputs are overwritten whole;
//   - a plane is summed by one thread in a fixed order, so the bits do not depend on the thread
//     count;
//   - NaN and infinities pass as in PyTorch;
//   - an index lies in its plane, or is no_pixel.
// Kernels assume what core checks: kernel, stride, dilation >= 1, 0 <= 2·padding <= kernel, a plane
// that is not empty, and one window at least. With ceil_mode the last window may reach beyond the
// padding on the right: what it finds there is no pixel, and does not count for a mean either.
//
// max_pool2d.cpp and avg_pool2d.cpp define what is declared here.
#pragma once

#include <cstdint>

namespace gradus::kernels {

/// The index of a window that lies in the padding alone, as a dilated one can: it chose nothing, so
/// it gives no gradient to any pixel. (PyTorch 1.13 takes the same -inf for its value and leaves the
/// index beyond the row or the plane: the gradient goes to a pixel outside of the window, or to
/// memory outside of the tensor. Its backward pass skips a -1.)
inline constexpr std::int64_t no_pixel = -1;

/// How many windows there are along one axis: those that lie in the padded input, and with ceil_mode
/// one more that hangs over, as long as it starts in the input or in the padding before it.
constexpr std::int64_t pooled_size(std::int64_t size, std::int64_t kernel, std::int64_t stride,
                                   std::int64_t padding, std::int64_t dilation, bool ceil_mode) {
  const std::int64_t steps = size + 2 * padding - dilation * (kernel - 1) - 1;
  if (!ceil_mode) return steps < 0 ? 0 : steps / stride + 1;
  if (steps + stride - 1 < 0) return 0;
  const std::int64_t windows = (steps + stride - 1) / stride + 1;
  return (windows - 1) * stride >= size + padding ? windows - 1 : windows;
}

struct Pool2dGeometry {
  std::int64_t planes = 1;
  std::int64_t in_height = 1;
  std::int64_t in_width = 1;
  std::int64_t kernel_h = 1;
  std::int64_t kernel_w = 1;
  std::int64_t stride_h = 1;
  std::int64_t stride_w = 1;
  std::int64_t padding_h = 0;
  std::int64_t padding_w = 0;
  std::int64_t dilation_h = 1;  // max pooling only
  std::int64_t dilation_w = 1;
  bool ceil_mode = false;

  constexpr std::int64_t out_height() const {
    return pooled_size(in_height, kernel_h, stride_h, padding_h, dilation_h, ceil_mode);
  }
  constexpr std::int64_t out_width() const {
    return pooled_size(in_width, kernel_w, stride_w, padding_w, dilation_w, ceil_mode);
  }
  constexpr std::int64_t in_plane() const { return in_height * in_width; }
  constexpr std::int64_t out_plane() const { return out_height() * out_width(); }
};

/// y = max over each window, indices = where it was found.
/// x [planes,H,W] -> y, indices [planes,OH,OW].
/// Padding counts as -inf and is never chosen. The first maximum wins; with a NaN in the window the
/// last NaN wins, as in PyTorch; a window of -inf gives -inf at its first element; a window in the
/// padding alone gives -inf and no_pixel.
template <class T>
void max_pool2d_forward(const Pool2dGeometry& geometry, const T* x, T* y, std::int64_t* indices);

/// dx = 0, then dx[indices] += dy in each plane, no_pixel aside: the derivative of
/// max_pool2d_forward, and the adjoint of gather.
/// dy, indices [planes,out_plane] -> dx [planes,in_plane].
template <class T>
void max_pool2d_scatter(std::int64_t planes, std::int64_t in_plane, std::int64_t out_plane,
                        const T* dy, const std::int64_t* indices, T* dx);

/// y = x[indices] in each plane, 0 for no_pixel: what the second derivative of max pooling asks for.
/// x [planes,in_plane], indices [planes,out_plane] -> y [planes,out_plane].
template <class T>
void max_pool2d_gather(std::int64_t planes, std::int64_t in_plane, std::int64_t out_plane,
                       const T* x, const std::int64_t* indices, T* y);

/// Can a byte say which element of a window was chosen? (It has no value for no_pixel, so no window
/// may lie in the padding alone.)
constexpr bool place_fits_byte(const Pool2dGeometry& g) {
  return g.kernel_h * g.kernel_w <= 256 && (g.dilation_h == 1 || g.padding_h == 0) &&
         (g.dilation_w == 1 || g.padding_w == 0);
}

/// The same three with places kh·KW + kw instead of indices, bit for bit the same numbers. Require
/// place_fits_byte and every place below KH·KW, and that it lies in the plane.
template <class T>
void max_pool2d_forward(const Pool2dGeometry& geometry, const T* x, T* y, std::uint8_t* places);
template <class T>
void max_pool2d_scatter(const Pool2dGeometry& geometry, const T* dy, const std::uint8_t* places,
                        T* dx);
template <class T>
void max_pool2d_gather(const Pool2dGeometry& geometry, const T* x, const std::uint8_t* places,
                       T* y);

/// What the sum over a window is divided by.
struct PoolDivisor {
  bool count_include_pad = true;  ///< the size of the window, with its padding or without
  std::int64_t fixed = 0;         ///< this number in its place, unless it is 0
};

/// y = sum over each window / divisor. Requires dilation 1.
/// x [planes,H,W] -> y [planes,OH,OW].
template <class T>
void avg_pool2d_forward(const Pool2dGeometry& geometry, const PoolDivisor& divisor, const T* x,
                        T* y);

/// The adjoint: dx[h,w] = Σ dy[oh,ow] / divisor over the windows that hold (h,w).
template <class T>
void avg_pool2d_input_grad(const Pool2dGeometry& geometry, const PoolDivisor& divisor, const T* dy,
                           T* dx);

struct AdaptivePool2dGeometry {
  std::int64_t planes = 1;
  std::int64_t in_height = 1;
  std::int64_t in_width = 1;
  std::int64_t out_height = 1;
  std::int64_t out_width = 1;
};

/// PyTorch's bins, which may overlap: output i sees floor(i·size/outputs) .. ceil((i+1)·size/outputs).
constexpr std::int64_t bin_begin(std::int64_t output, std::int64_t outputs, std::int64_t size) {
  return output * size / outputs;
}
constexpr std::int64_t bin_end(std::int64_t output, std::int64_t outputs, std::int64_t size) {
  return ((output + 1) * size + outputs - 1) / outputs;
}

/// y = max over each bin, indices = where it was found, by the rules of max_pool2d_forward.
/// x [planes,H,W] -> y, indices [planes,OH,OW].
template <class T>
void adaptive_max_pool2d_forward(const AdaptivePool2dGeometry& geometry, const T* x, T* y,
                                 std::int64_t* indices);

/// y = mean of x over each bin.
/// x [planes,H,W] -> y [planes,OH,OW].
template <class T>
void adaptive_avg_pool2d_forward(const AdaptivePool2dGeometry& geometry, const T* x, T* y);

/// The adjoint of adaptive_avg_pool2d_forward.
template <class T>
void adaptive_avg_pool2d_input_grad(const AdaptivePool2dGeometry& geometry, const T* dy, T* dx);

}  // namespace gradus::kernels
