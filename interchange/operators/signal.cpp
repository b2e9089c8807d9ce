// The discrete Fourier transform, and determinants.
#include <gradus/interchange/operators/call.h>

#include <cmath>
#include <numbers>

namespace gradus::interchange {
namespace {

/// cos and sin of 2π·j·k/n, [n,n]; the product is taken modulo n, so that no angle is large.
std::pair<Tensor, Tensor> waves(std::int64_t n, DType dtype) {
  Tensor cosines = Tensor::empty({n, n}, float64);
  Tensor sines = Tensor::empty({n, n}, float64);
  for (std::int64_t i = 0; i < n * n; ++i) {
    const auto turns = static_cast<double>(i / n * (i % n) % n) / static_cast<double>(n);
    cosines.data<double>()[i] = std::cos(2 * std::numbers::pi * turns);
    sines.data<double>()[i] = std::sin(2 * std::numbers::pi * turns);
  }
  return {cosines.to(dtype), sines.to(dtype)};
}

/// [..,n,..,1 or 2] -> the same with the real and the imaginary part last; along `axis`, cut or filled with zeros to
/// dft_length. With onesided=1 the first half. The inverse is divided by n.
Variables dft_node(const Call& call) {
  Variable x = call.in(0);
  const std::int64_t last = x.value().rank() - 1;
  const std::int64_t axis = axis_of(call, call.integer("axis", 1), x.value().rank());
  const std::int64_t parts = x.value().size(last);
  if (axis == last || parts < 1 || parts > 2) {
    call.refuse("input 0 is ", describe(x.value()), ", axis ", axis,
                "; an axis before the last is expected, which has the real and the imaginary part");
  }
  const bool inverse = call.flag("inverse", false);
  const std::int64_t size = x.value().size(axis);
  const std::int64_t n = call.has(1) ? call.in(1).value().reshape({}).at<std::int64_t>({}) : size;
  if (n < 1 || n > 32768) call.refuse("a length of ", n, "; 1 to 32768 expected");
  if (n < size) x = narrow(x, axis, 0, n);
  Variable real = select(x, last, 0);
  Variable imaginary = parts == 2 ? select(x, last, 1) : Variable(zeros_like(real.value()));
  const auto extended = [&](const Variable& part) {
    Shape shape = part.value().shape();
    shape[static_cast<int>(axis)] = n - part.value().size(axis);
    const Variable whole = shape[static_cast<int>(axis)] <= 0
                               ? part
                               : cat({part, Variable(zeros(shape, part.value().dtype()))}, axis);
    return transpose(whole, axis, last - 1);
  };
  real = extended(real);
  imaginary = extended(imaginary);
  const auto [c, s] = waves(n, x.value().dtype());
  const Variable cosines(c);
  const Variable sines(inverse ? core::neg(s) : s);
  // (a + ib)(cos - i·sin) = a·cos + b·sin + i(b·cos - a·sin)
  Variable y =
      stack({transpose(add(matmul(real, cosines), matmul(imaginary, sines)), axis, last - 1),
             transpose(sub(matmul(imaginary, cosines), matmul(real, sines)), axis, last - 1)},
            last);
  if (inverse) y = div(y, static_cast<double>(n));
  if (call.flag("onesided", false)) y = narrow(y, axis, 0, n / 2 + 1);
  return {y};
}

/// Of matrices [..,n,n], by eliminating one row after the other; the pivot is the greatest number left in its column.
Variable determinant(const Variable& matrix) {
  Variable rest = matrix;  // [k,k]
  Variable product;
  double sign = 1;
  for (std::int64_t k = matrix.value().size(0); k > 0; --k) {
    const std::int64_t row =
        core::argmax(core::abs(rest.value().select(1, 0))).at<std::int64_t>({});
    if (row % 2 == 1) sign = -sign;
    Integers others;
    for (std::int64_t i = 0; i < k; ++i) {
      if (i != row) others.push_back(i);
    }
    const Variable top = select(rest, 0, row);
    const Variable pivot = select(top, 0, 0);
    product = product.defined() ? mul(product, pivot) : pivot;
    if (k == 1 || pivot.value().item() == 0) break;
    const Variable below = index_select(rest, 0, tensor_of(others));
    const Variable factors = div(narrow(below, 1, 0, 1), pivot);
    rest = sub(narrow(below, 1, 1, k - 1), matmul(factors, unsqueeze(narrow(top, 0, 1, k - 1), 0)));
  }
  return mul(product, sign);
}

Variables det_node(const Call& call) {
  const Variable& x = call.in(0);
  const int rank = x.value().rank();
  if (rank < 2 || x.value().size(-1) != x.value().size(-2) || x.value().size(-1) < 1)
    call.refuse("input 0 is ", describe(x.value()), "; square matrices are expected");
  const std::int64_t n = x.value().size(-1);
  const Variable matrices = reshape(x, {x.value().numel() / (n * n), n, n});
  Variables results;
  for (std::int64_t i = 0; i < matrices.value().size(0); ++i)
    results.push_back(determinant(select(matrices, 0, i)));
  Shape shape;
  for (int d = 0; d + 2 < rank; ++d) shape.push_back(x.value().shape()[d]);
  if (results.empty()) return {zeros(shape, x.value().dtype())};
  return {reshape(stack(results, 0), shape)};
}

}  // namespace

std::vector<OperatorEntry> signal_operators() { return {{"DFT", dft_node}, {"Det", det_node}}; }

}  // namespace gradus::interchange
