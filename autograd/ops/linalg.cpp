// Matrix products. Vectors are made matrices first, so the op itself knows matrices only.
#include <gradus/autograd/ops/chapter.h>

namespace gradus {
namespace ops {

/// C = A·B        dL/dA = dL/dC·Bᵀ,   dL/dB = Aᵀ·dL/dC
struct MatMul final : Op {
  static constexpr std::string_view name = "matmul";
  Variable a, b;
  bool b_lies_transposed = false;  // in memory, as in x·Wᵀ: made likewise, dL/dW needs no copy

  Tensor forward(const Variable& left, const Variable& right) {
    if (needs(1)) a = left;
    if (needs(0)) b = right;
    b_lies_transposed = right.value().transpose(-2, -1).is_contiguous();
    Tensor product = core::matmul(left.value(), right.value());
    count_flops(2 * product.numel() * left.value().size(-1));
    return product;
  }

  Variables backward(const Variable& dc) override {
    const auto gradient_of_b = [&] {
      return b_lies_transposed ? transpose(matmul(transpose(dc), a)) : matmul(transpose(a), dc);
    };
    return {needs(0) ? sum_to(matmul(dc, transpose(b)), input_shape(0)) : Variable(),
            needs(1) ? sum_to(gradient_of_b(), input_shape(1)) : Variable()};
  }

  Rounding rounding() const { return bilinear(); }

  static std::vector<Sample> samples() {
    const auto f = [](const Variables& v) { return matmul(v[0], v[1]); };
    return {{"matrices", {spread({3, 4}, 1), spread({4, 5}, 2)}, f},
            {"squares", {spread({4, 4}, 3), spread({4, 4}, 4)}, f},
            {"batches", {spread({3, 4, 5}, 5), spread({3, 5, 2}, 6)}, f},
            {"batches of squares", {spread({3, 3, 3}, 7), spread({3, 3, 3}, 8)}, f},
            {"both batches broadcast", {spread({2, 1, 3, 4}, 9), spread({3, 4, 2}, 10)}, f},
            {"a matrix against a batch", {spread({3, 4}, 11), spread({2, 4, 5}, 12)}, f},
            {"vectors", {spread({3}, 13), spread({3}, 14)}, f},
            {"matrix and vector", {spread({3, 4}, 15), spread({4}, 16)}, f},
            {"vector and batch", {spread({3}, 17), spread({2, 3, 4}, 18)}, f},
            {"transposed views",
             {spread({4, 3}, 19), spread({5, 4}, 20)},
             [](const Variables& v) { return matmul(transpose(v[0]), transpose(v[1])); }},
            {"an empty inner size", {spread({2, 0}, 21), spread({0, 3}, 22)}, f},
            {"no rows", {spread({0, 3}, 23), spread({3, 4}, 24)}, f},
            {"no batches", {spread({0, 2, 3}, 25), spread({3, 4}, 26)}, f},
            {"the same twice", {spread({3, 3}, 27)}, [](const Variables& v) {
               return matmul(v[0], v[0]);
             }}};
  }

  static std::vector<Sample> training_samples() {
    const auto f = [](const Variables& v) { return matmul(v[0], v[1]); };
    std::vector<Sample> all{
        {"large", {spread({256, 400}, 1), spread({400, 120}, 2)}, f},
        {"no multiples of a vector", {spread({97, 131}, 3), spread({131, 113}, 4)}, f},
        {"long sums", {spread({31, 4099}, 5), spread({4099, 33}, 6)}, f},
        {"batches", {spread({4, 33, 65}, 7), spread({4, 65, 17}, 8)}, f},
        {"one matrix for all", {spread({4, 33, 65}, 9), spread({65, 47}, 10)}, f},
        {"transposed views",
         {spread({131, 97}, 11), spread({113, 131}, 12)},
         [](const Variables& v) { return matmul(transpose(v[0]), transpose(v[1])); }}};
    for (const std::int64_t size : remainders) {
      all.push_back(
          {"rows, " + size_name(size), {spread({size, 33}, 13), spread({33, 47}, 14)}, f});
      all.push_back(
          {"columns, " + size_name(size), {spread({47, 33}, 15), spread({33, size}, 16)}, f});
      all.push_back(
          {"inner, " + size_name(size), {spread({47, size}, 17), spread({size, 33}, 18)}, f});
    }
    return all;
  }
};

/// y = x·Wᵀ + b        dL/dx = dL/dy·W,   dL/dW = dL/dyᵀ·x,   dL/db = Σ dL/dy over the rows
struct Linear final : Op {
  static constexpr std::string_view name = "linear";
  Variable x, w;
  Epilogue epilogue;

  explicit Linear(Activation activation) : epilogue{activation} {}

  Tensor forward(const Variable& input, const Variable& weight, const Variable& bias) {
    if (needs(1)) x = input;
    if (needs(0)) w = weight;
    const Tensor y = core::linear(input.value(), weight.value(),
                                  bias.defined() ? bias.value() : Tensor(), epilogue.activation);
    count_flops(2 * y.numel() * input.size(-1));
    return epilogue.kept(y);
  }

  Variables backward(const Variable& dy) override {
    const Variable g = epilogue.backward(dy);
    const auto rows = [](const Variable& v) {
      if (v.rank() == 2) return v;
      std::int64_t count = 1;  // not numel()/in: `in` may be 0
      for (int d = 0; d < v.rank() - 1; ++d) count *= v.size(d);
      return reshape(v, {count, v.size(-1)});
    };
    return {needs(0) ? matmul(g, w) : Variable(),
            needs(1) ? matmul(transpose(rows(g)), rows(x)) : Variable(),
            needs(2) ? sum_to(g, input_shape(2)) : Variable()};
  }

  Activation take_activation() { return epilogue.take(); }

  Rounding rounding() const { return bilinear(); }

  static std::vector<Sample> samples() { return activation_samples(samples_with); }

  static std::vector<Sample> samples_with(Activation activation) {
    const auto f = [=](const Variables& v) {
      return linear(v[0], v[1], v.size() > 2 ? v[2] : Variable(), activation);
    };
    return {{"with bias", {spread({3, 4}, 1), spread({5, 4}, 2), spread({5}, 3)}, f},
            {"without bias", {spread({2, 3, 4}, 4), spread({5, 4}, 5)}, f},
            {"all sizes equal", {spread({4, 4}, 6), spread({4, 4}, 7), spread({4}, 8)}, f},
            {"batches, with bias", {spread({2, 3, 4}, 19), spread({5, 4}, 20), spread({5}, 21)}, f},
            {"one vector", {spread({4}, 9), spread({3, 4}, 10), spread({3}, 11)}, f},
            {"no rows", {spread({0, 4}, 12), spread({3, 4}, 13), spread({3}, 14)}, f},
            {"no features", {spread({2, 0}, 15), spread({3, 0}, 16), spread({3}, 17)}, f},
            {"batches without features", {spread({2, 2, 0}, 22), spread({3, 0}, 23)}, f},
            {"batches to nothing", {spread({2, 3, 4}, 24), spread({0, 4}, 25), spread({0}, 26)}, f},
            {"one vector to nothing", {spread({4}, 27), spread({0, 4}, 28)}, f},
            {"one vector without features", {spread({0}, 29), spread({3, 0}, 30)}, f},
            {"the same twice", {spread({3, 4}, 18)}, [=](const Variables& v) {
               return linear(v[0], v[0], {}, activation);
             }}};
  }

  static std::vector<Sample> training_samples() {
    return activation_samples(training_samples_with);
  }

  static std::vector<Sample> training_samples_with(Activation activation) {
    const auto f = [=](const Variables& v) {
      return linear(v[0], v[1], v.size() > 2 ? v[2] : Variable(), activation);
    };
    std::vector<Sample> all{
        {"a perceptron", {spread({64, 784}, 1), spread({256, 784}, 2), spread({256}, 3)}, f},
        {"a head", {spread({32, 512}, 4), spread({10, 512}, 5), spread({10}, 6)}, f},
        {"without bias", {spread({97, 131}, 7), spread({113, 131}, 8)}, f},
        {"sequences", {spread({4, 33, 65}, 9), spread({47, 65}, 10), spread({47}, 11)}, f}};
    for (const std::int64_t size : remainders) {
      all.push_back({"batch, " + size_name(size),
                     {spread({size, 33}, 12), spread({47, 33}, 13), spread({47}, 14)},
                     f});
      all.push_back({"features, " + size_name(size),
                     {spread({33, 47}, 15), spread({size, 47}, 16), spread({size}, 17)},
                     f});
    }
    return all;
  }
};

template OpInfo op_info<MatMul>();
template OpInfo op_info<Linear>();

}  // namespace ops

Variable matmul(const Variable& a, const Variable& b) {
  if (a.rank() > 1 && b.rank() > 1) return apply(ops::MatMul(), a, b);
  const bool fits = a.rank() > 0 && b.rank() > 0 && a.dtype() == b.dtype() &&
                    a.size(-1) == b.size(b.rank() == 1 ? 0 : -2);
  if (!fits) return core::matmul(a.value(), b.value());  // throws, naming the shapes as they came
  Variable product = apply(ops::MatMul(), a.rank() == 1 ? unsqueeze(a, 0) : a,
                           b.rank() == 1 ? unsqueeze(b, -1) : b);
  if (b.rank() == 1) product = squeeze(product, -1);
  if (a.rank() == 1) product = squeeze(product, b.rank() == 1 ? -1 : -2);
  return product;
}

Variable linear(const Variable& x, const Variable& weight, const Variable& bias,
                Activation activation) {
  return apply(ops::Linear(activation), x, weight, bias);
}

}  // namespace gradus
