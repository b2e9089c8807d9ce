// The obvious, slow model of a tensor: a shape and a function from index to value. What the library
// does with strides is checked against it element by element.
#pragma once

#include <gradus/core/create.h>
#include <gradus/core/tensor.h>

#include <string>
#include <utility>
#include <vector>

namespace naive {

using gradus::Shape;
using gradus::Tensor;

/// All indices of `shape`, row-major.
inline std::vector<Shape> indices(const Shape& shape) {
  std::vector<Shape> all;
  if (shape.numel() == 0) return all;
  Shape index = Shape::filled(shape.rank(), 0);
  while (true) {
    all.push_back(index);
    int d = shape.rank() - 1;
    while (d >= 0 && ++index[d] == shape[d]) index[d--] = 0;
    if (d < 0) return all;
  }
}

/// A row-major float64 tensor whose elements are f(index).
template <class F> Tensor build(const Shape& shape, const F& f) {
  const Tensor result = Tensor::empty(shape, gradus::float64);
  double* out = result.data<double>();
  for (const Shape& index : indices(shape)) *out++ = f(index);
  return result;
}

/// Element `index` of a float64 tensor.
inline double get(const Tensor& x, const Shape& index) { return x.at<double>(index); }

/// Random float64 tensors of one shape in every kind of memory layout, named.
inline std::vector<std::pair<std::string, Tensor>> layouts(const Shape& shape,
                                                           gradus::Generator& generator) {
  using gradus::float64;
  std::vector<std::pair<std::string, Tensor>> all;
  all.emplace_back("row-major", gradus::randn(shape, generator, float64));
  Shape reversed;
  gradus::Dims order;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    reversed.push_back(shape[d]);
    order.push_back(d);
  }
  all.emplace_back("column-major", gradus::randn(reversed, generator, float64).permute(order));
  if (shape.rank() == 0) return all;
  Shape wide = shape;
  wide[shape.rank() - 1] = shape[shape.rank() - 1] * 2 + 1;
  all.emplace_back("every other column", gradus::randn(wide, generator, float64)
                                             .slice(-1, 1, wide[shape.rank() - 1], 2)
                                             .narrow(-1, 0, shape[shape.rank() - 1]));
  Shape tall = shape;
  tall[0] = shape[0] + 2;
  all.emplace_back("rows from the middle",
                   gradus::randn(tall, generator, float64).narrow(0, 1, shape[0]));
  if (shape[0] > 0) {
    Shape one = shape;
    one[0] = 1;
    all.emplace_back("one row, repeated", gradus::randn(one, generator, float64).expand(shape));
  }
  return all;
}

}  // namespace naive
