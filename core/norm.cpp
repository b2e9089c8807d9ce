// The passes of batch normalisation: checks and memory; kernels/norm/batch_norm.cpp does the rest.
#include <gradus/core/kernels/norm/batch_norm.h>
#include <gradus/core/norm.h>

#include <string_view>

namespace gradus::core {
namespace {

kernels::ChannelPlanes planes_of(std::string_view op, const Tensor& x) {
  if (!x.defined()) fail<ShapeError>(op, ": the operand is undefined");
  if (x.rank() < 2) fail<ShapeError>(op, ": expects [N,C,...], got ", x.shape());
  std::int64_t plane = 1;
  for (int d = 2; d < x.rank(); ++d) plane *= x.shape()[d];
  return {x.shape()[0], x.shape()[1], plane};
}

void check_same_dtype(std::string_view op, const Tensor& tensor, const Tensor& x) {
  if (tensor.dtype() != x.dtype()) {
    fail<DTypeError>(op, ": dtypes differ: ", describe(tensor), " and ", describe(x), "; ",
                     cast_to_match(tensor.dtype(), x.dtype()));
  }
}

/// One number per channel, row-major.
Tensor numbers(std::string_view op, std::string_view what, const Tensor& tensor, const Tensor& x) {
  if (!tensor.defined()) fail<ShapeError>(op, ": ", what, " is undefined");
  if (tensor.shape() != Shape{x.shape()[1]}) {
    fail<ShapeError>(op, ": ", what, " is ", tensor.shape(), ", input ", x.shape(), " has ",
                     x.shape()[1], " channels");
  }
  check_same_dtype(op, tensor, x);
  return tensor.contiguous();
}

ChannelMap checked(std::string_view op, const ChannelMap& map, const Tensor& x) {
  return {numbers(op, "mean", map.mean, x), numbers(op, "scale", map.scale, x),
          map.bias.defined() ? numbers(op, "bias", map.bias, x) : Tensor(), map.activation};
}

template <class T> kernels::ChannelMap<T> pointers(const ChannelMap& map) {
  return {map.mean.data<T>(), map.scale.data<T>(),
          map.bias.defined() ? map.bias.data<T>() : nullptr, map.activation == Activation::relu};
}

void check_gradient(std::string_view op, const Tensor& dy, const Tensor& x) {
  if (!dy.defined()) fail<ShapeError>(op, ": the gradient is undefined");
  if (dy.shape() != x.shape())
    fail<ShapeError>(op, ": the gradient is ", dy.shape(), ", the input ", x.shape());
  check_same_dtype(op, dy, x);
}

/// dy and out contiguous, and of x's shape.
void input_grad(std::string_view op, const Tensor& dy, const Tensor& x, const ChannelMap& map,
                const Tensor& offset, const Tensor& slope, const Tensor& out) {
  const kernels::ChannelPlanes planes = planes_of(op, x);
  const ChannelMap whole = checked(op, map, x);
  const Tensor offsets = numbers(op, "offset", offset, x);
  const Tensor slopes = numbers(op, "slope", slope, x);
  const Tensor in = x.contiguous();
  dispatch_floating(op, x.dtype(), [&]<class T>() {
    kernels::channel_input_grad(planes, pointers<T>(whole), dy.data<T>(), in.data<T>(),
                                offsets.data<T>(), slopes.data<T>(), out.data<T>());
  });
}

}  // namespace

ChannelMoments channel_moments(const Tensor& x) {
  const kernels::ChannelPlanes planes = planes_of("channel_moments", x);
  if (planes.images * planes.plane == 0)
    fail<ShapeError>("channel_moments: a channel of ", x.shape(), " has no values");
  const Tensor in = x.contiguous();
  return dispatch_floating("channel_moments", x.dtype(), [&]<class T>() -> ChannelMoments {
    const Tensor mean = Tensor::empty({planes.channels}, x.dtype());
    const Tensor variance = Tensor::empty({planes.channels}, x.dtype());
    kernels::channel_moments(planes, in.data<T>(), mean.data<T>(), variance.data<T>());
    return {mean, variance};
  });
}

Tensor channel_map(const Tensor& x, const ChannelMap& map) {
  const kernels::ChannelPlanes planes = planes_of("channel_map", x);
  const ChannelMap whole = checked("channel_map", map, x);
  const Tensor in = x.contiguous();
  return dispatch_floating("channel_map", x.dtype(), [&]<class T>() {
    const Tensor y = Tensor::empty(x.shape(), x.dtype());
    kernels::channel_map(planes, pointers<T>(whole), in.data<T>(), y.data<T>());
    return y;
  });
}

ChannelGradSums channel_grad_sums(const Tensor& dy, const Tensor& x, const ChannelMap& map) {
  const kernels::ChannelPlanes planes = planes_of("channel_grad_sums", x);
  check_gradient("channel_grad_sums", dy, x);
  const ChannelMap whole = checked("channel_grad_sums", map, x);
  const Tensor slope = dy.contiguous();
  const Tensor in = x.contiguous();
  return dispatch_floating("channel_grad_sums", x.dtype(), [&]<class T>() -> ChannelGradSums {
    const Tensor total = Tensor::empty({planes.channels}, x.dtype());
    const Tensor along = Tensor::empty({planes.channels}, x.dtype());
    kernels::channel_grad_sums(planes, pointers<T>(whole), slope.data<T>(), in.data<T>(),
                               total.data<T>(), along.data<T>());
    return {total, along};
  });
}

Tensor channel_input_grad(const Tensor& dy, const Tensor& x, const ChannelMap& map,
                          const Tensor& offset, const Tensor& slope) {
  planes_of("channel_input_grad", x);
  check_gradient("channel_input_grad", dy, x);
  const Tensor dx = Tensor::empty(x.shape(), x.dtype());
  input_grad("channel_input_grad", dy.contiguous(), x, map, offset, slope, dx);
  return dx;
}

void channel_input_grad_(const Tensor& dy, const Tensor& x, const ChannelMap& map,
                         const Tensor& offset, const Tensor& slope) {
  planes_of("channel_input_grad_", x);
  check_gradient("channel_input_grad_", dy, x);
  if (!dy.is_contiguous())
    fail<ShapeError>("channel_input_grad_: the gradient ", dy.shape(), " is not contiguous");
  const Tensor in = readable_while_writing(x, dy);
  begin_write("channel_input_grad_", dy);
  input_grad("channel_input_grad_", dy, in, map, offset, slope, dy);
}

}  // namespace gradus::core
