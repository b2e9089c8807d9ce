// Matrix products.
#include <gradus/interchange/operators/call.h>

namespace gradus::interchange {
namespace {

Variables matmul_node(const Call& call) { return {matmul(call.in(0), call.in(1))}; }

/// alpha·A·B + beta·C, A and B as they are or transposed.
Variables gemm_node(const Call& call) {
  const Variable a = call.flag("transA", false) ? transpose(call.in(0)) : call.in(0);
  const Variable b = call.flag("transB", false) ? transpose(call.in(1)) : call.in(1);
  if (a.value().rank() != 2 || b.value().rank() != 2) {
    call.refuse("inputs are ", describe(a.value()), " and ", describe(b.value()),
                "; matrices are expected");
  }
  const double alpha = call.real("alpha", 1);
  const double beta = call.real("beta", 1);
  Variable product = matmul(a, b);
  if (alpha != 1) product = mul(product, alpha);
  if (!call.has(2) || beta == 0) return {product};
  const Variable& c = call.in(2);
  const Variable sum = add(product, beta == 1 ? c : mul(c, beta));
  if (sum.shape() != product.shape()) {
    call.refuse("C is ", describe(c.value()), "; sizes that broadcast to those of the product, ",
                product.shape(), ", are expected");
  }
  return {sum};
}

Variables einsum_node(const Call& call) {
  for (std::size_t i = 0; i < call.inputs.size(); ++i) call.in(i);
  return {einsum(call.text("equation", ""), call.inputs)};
}

}  // namespace

std::vector<OperatorEntry> matmul_operators() {
  return {{"Einsum", einsum_node}, {"Gemm", gemm_node}, {"MatMul", matmul_node}};
}

}  // namespace gradus::interchange
