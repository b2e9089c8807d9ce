// What the elementwise functions on tensors share: a lambda, mapped over a tensor or over two that
// broadcast, once their dtypes were checked.
#pragma once

#include <gradus/core/kernels/elementwise.h>
#include <gradus/core/tensor.h>

#include <string_view>

namespace gradus::core {

inline void check_defined(std::string_view op, const Tensor& x) {
  if (!x.defined()) fail<ShapeError>(op, ": an operand is undefined");
}

inline void check_same_dtype(std::string_view op, const Tensor& a, const Tensor& b) {
  check_defined(op, a);
  check_defined(op, b);
  if (a.dtype() != b.dtype()) {
    fail<DTypeError>(op, ": dtypes differ: ", describe(a), " and ", describe(b), "; ",
                     cast_to_match(a.dtype(), b.dtype()));
  }
}

/// f(x[i]) for every element.
template <class Out, class T, class F> Tensor map(const Tensor& x, const F& f) {
  const Tensor out = Tensor::empty(x.shape(), dtype_of<Out>());
  const T* in = x.data<T>();
  kernels::elementwise(kernels::Loop<2>(x.shape(), {out.strides(), x.strides()}), f,
                       out.data<Out>(), in);
  return out;
}

/// f(a[i], b[i]) for every element of the broadcast shape.
template <class Out, class T, class F>
Tensor zip(std::string_view op, const Tensor& a, const Tensor& b, const F& f) {
  const Shape shape = broadcast(op, a.shape(), b.shape());
  const Tensor out = Tensor::empty(shape, dtype_of<Out>());
  const kernels::Loop<3> loop(shape,
                              {out.strides(), broadcast_strides(a.shape(), a.strides(), shape),
                               broadcast_strides(b.shape(), b.strides(), shape)});
  const T* left = a.data<T>();
  const T* right = b.data<T>();
  kernels::elementwise(loop, f, out.data<Out>(), left, right);
  return out;
}

template <class F> Tensor number_map(std::string_view op, const Tensor& x, const F& f) {
  check_defined(op, x);
  return dispatch_number(op, x.dtype(), [&]<class T>() { return map<T, T>(x, f); });
}

template <class F> Tensor floating_map(std::string_view op, const Tensor& x, const F& f) {
  check_defined(op, x);
  return dispatch_floating(op, x.dtype(), [&]<class T>() { return map<T, T>(x, f); });
}

}  // namespace gradus::core
