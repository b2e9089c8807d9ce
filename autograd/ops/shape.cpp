// Moving elements without changing them. Each is linear, and the gradient of each is its adjoint:
// what was copied is summed, what was selected is put back among zeros.
#include <gradus/autograd/ops/chapter.h>

namespace gradus {
namespace ops {

/// y = x, in another shape        dL/dx = dL/dy, in x's shape
struct Reshape final : Op {
  static constexpr std::string_view name = "reshape";
  Shape shape;

  explicit Reshape(const Shape& target) : shape(target) {}

  Tensor forward(const Variable& x) { return x.value().reshape(shape); }

  Variables backward(const Variable& dy) override { return {reshape(dy, input_shape(0))}; }

  Rounding rounding() const { return multilinear(0); }

  static std::vector<Sample> samples() {
    const auto to = [](const Shape& target) {
      return [target](const Variables& v) { return reshape(v[0], target); };
    };
    return {{"flat", {spread({3, 4, 5}, 1)}, to({-1})},
            {"deeper", {spread({4, 4}, 2)}, to({2, 2, 4, 1})},
            {"across", {spread({3, 4}, 3)}, to({4, 3})},
            {"of a transposed view",
             {spread({3, 4}, 4)},
             [](const Variables& v) {
               return reshape(transpose(v[0]), {2, 6});
             }},
            {"to a scalar", {spread({1, 1}, 5)}, to({})},
            {"a scalar", {spread({}, 6)}, to({1, 1})},
            {"nothing", {spread({0, 3}, 7)}, to({2, 0})}};
  }

  static std::vector<Sample> training_samples() {
    const auto to = [](const Shape& target) {
      return [target](const Variables& v) { return reshape(v[0], target); };
    };
    return {{"flat", {spread({8, 16, 33, 31}, 1)}, to({8, -1})},
            {"many", {spread({many_elements}, 2)}, to({1, -1})},
            {"of a transposed view", {spread({257, 391}, 3)}, [](const Variables& v) {
               return reshape(transpose(v[0]), {-1});
             }}};
  }
};

/// y[..] = x, dimensions reordered        dL/dx = dL/dy in the inverse order
struct Permute final : Op {
  static constexpr std::string_view name = "permute";
  Dims order;

  explicit Permute(const Dims& dims) : order(dims) {}

  Tensor forward(const Variable& x) { return x.value().permute(order); }

  Variables backward(const Variable& dy) override {
    Dims inverse = order;
    for (int d = 0; d < order.rank(); ++d) inverse[normalize_dim(name, order[d], order.rank())] = d;
    return {permute(dy, inverse)};
  }

  Rounding rounding() const { return multilinear(0); }

  static std::vector<Sample> samples() {
    const auto by = [](const Dims& dims) {
      return [dims](const Variables& v) { return permute(v[0], dims); };
    };
    return {{"a cycle", {spread({3, 4, 5}, 1)}, by({2, 0, 1})},
            {"a cycle of four", {spread({2, 3, 4, 5}, 2)}, by({1, 3, 0, 2})},
            {"a cycle, sizes equal", {spread({3, 3, 3}, 3)}, by({1, 2, 0})},
            {"a square", {spread({4, 4}, 4)}, [](const Variables& v) { return transpose(v[0]); }},
            {"from the end", {spread({3, 4, 3}, 5)}, by({-1, 0, -2})},
            {"a scalar", {spread({}, 6)}, by({})},
            {"nothing", {spread({0, 3}, 7)}, by({1, 0})}};
  }

  static std::vector<Sample> training_samples() {
    const auto by = [](const Dims& dims) {
      return [dims](const Variables& v) { return permute(v[0], dims); };
    };
    return {{"channels last", {spread({8, 16, 33, 31}, 1)}, by({0, 2, 3, 1})},
            {"reversed", {spread({8, 16, 33, 31}, 2)}, by({3, 2, 1, 0})},
            {"a matrix", {spread({317, 331}, 3)}, by({1, 0})}};
  }
};

/// y = x, repeated        dL/dx = Σ dL/dy over the repetitions
struct Expand final : Op {
  static constexpr std::string_view name = "expand";
  Shape shape;

  explicit Expand(const Shape& target) : shape(target) {}

  Tensor forward(const Variable& x) { return x.value().expand(shape); }

  Variables backward(const Variable& dy) override { return {sum_to(dy, input_shape(0))}; }

  /// The gradient is summed by sum_to, in float64.
  Rounding rounding() const { return summed_in_double(1); }

  static std::vector<Sample> samples() {
    const auto to = [](const Shape& target) {
      return [target](const Variables& v) { return expand(v[0], target); };
    };
    return {{"a row to rows", {spread({1, 3}, 1)}, to({4, -1})},
            {"a column to a square", {spread({4, 1}, 2)}, to({4, 4})},
            {"the middle", {spread({3, 1, 4}, 3)}, to({3, 5, 4})},
            {"a new dimension", {spread({4}, 4)}, to({3, 4})},
            {"a scalar", {spread({}, 5)}, to({2, 3})},
            {"to itself", {spread({3, 4}, 6)}, to({3, 4})},
            {"nothing", {spread({0, 3}, 7)}, to({2, 0, 3})},
            {"to nothing", {spread({1, 3}, 8)}, to({0, 3})},
            {"repeated and used", {spread({1, 3}, 9)}, [](const Variables& v) {
               return expand(v[0], {2, 3}) * expand(v[0], {2, 3});
             }}};
  }

  static std::vector<Sample> training_samples() {
    const auto to = [](const Shape& target) {
      return [target](const Variables& v) { return expand(v[0], target); };
    };
    std::vector<Sample> all{{"a bias", {spread({47}, 1)}, to({512, 47})},
                            {"channels", {spread({16, 1, 1}, 2)}, to({8, 16, 33, 31})},
                            {"a number", {spread({}, 3)}, to({many_elements})}};
    for (const std::int64_t size : remainders)
      all.push_back({size_name(size), {spread({1, size}, 4)}, to({33, size})});
    return all;
  }
};

/// y = zeros, with x at a slice        dL/dx = dL/dy at the slice
struct SliceScatter final : Op {
  static constexpr std::string_view name = "slice_scatter";
  Shape shape;
  std::int64_t dim, start, step;

  SliceScatter(const Shape& target, std::int64_t d, std::int64_t first, std::int64_t stride)
      : shape(target), dim(d), start(first), step(stride) {}

  Tensor forward(const Variable& x) {
    return core::slice_scatter(shape, x.value(), dim, start, step);
  }

  Variables backward(const Variable& dy) override {
    const std::int64_t length = input_shape(0)[normalize_dim(name, dim, shape.rank())];
    return {slice(dy, dim, start, start + length * step, step)};
  }

  Rounding rounding() const { return multilinear(0); }

  static std::vector<Sample> samples() {
    const auto into = [](const Shape& target, std::int64_t d, std::int64_t first,
                         std::int64_t stride) {
      return
          [=](const Variables& v) { return apply(SliceScatter(target, d, first, stride), v[0]); };
    };
    return {{"every other column", {spread({3, 4}, 1)}, into({3, 9}, 1, 1, 2)},
            {"the middle", {spread({3, 4, 5}, 2)}, into({3, 6, 5}, 1, 1, 1)},
            {"rows of a square", {spread({4, 4}, 3)}, into({8, 4}, -2, 0, 2)},
            {"a step beyond the end", {spread({3, 1}, 4)}, into({3, 4}, 1, 2, 9)},
            {"all of it", {spread({4}, 5)}, into({4}, 0, 0, 1)},
            {"nothing", {spread({0, 3}, 6)}, into({4, 3}, 0, 2, 1)}};
  }

  static std::vector<Sample> training_samples() {
    return {{"a crop",
             {spread({8, 16, 31, 29}, 1)},
             [](const Variables& v) {
               return apply(SliceScatter({8, 16, 33, 29}, 2, 1, 1), v[0]);
             }},
            {"every other column", {spread({1031, 97}, 2)}, [](const Variables& v) {
               return apply(SliceScatter({1031, 194}, 1, 1, 2), v[0]);
             }}};
  }
};

/// y = x[start : stop : step] of one dimension        dL/dx = zeros, with dL/dy at the slice
struct Slice final : Op {
  static constexpr std::string_view name = "slice";
  std::int64_t dim, start, stop, step;

  Slice(std::int64_t d, std::int64_t first, std::int64_t last, std::int64_t stride)
      : dim(d), start(first), stop(last), step(stride) {}

  Tensor forward(const Variable& x) { return x.value().slice(dim, start, stop, step); }

  Variables backward(const Variable& dy) override {
    const Shape& shape = input_shape(0);
    const std::int64_t size = shape[normalize_dim(name, dim, shape.rank())];
    const std::int64_t first = std::clamp<std::int64_t>(start < 0 ? start + size : start, 0, size);
    const std::int64_t stride = std::min(step, size + 1);  // as in slice(): no product overflows
    return {apply(SliceScatter(shape, dim, first, stride), dy)};
  }

  Rounding rounding() const { return multilinear(0); }

  static std::vector<Sample> samples() {
    const auto cut = [](std::int64_t d, std::int64_t first, std::int64_t last,
                        std::int64_t stride) {
      return [=](const Variables& v) { return slice(v[0], d, first, last, stride); };
    };
    return {
        {"rows", {spread({4, 3}, 1)}, cut(0, 1, 3, 1)},
        {"every other of the middle", {spread({3, 7, 4}, 2)}, cut(1, 1, 6, 2)},
        {"every third", {spread({2, 7}, 3)}, cut(1, 0, 7, 3)},
        {"from the end", {spread({4, 4}, 4)}, cut(-1, -3, -1, 1)},
        {"the greatest step",
         {spread({3, 4}, 10)},
         cut(1, 1, 4, std::numeric_limits<std::int64_t>::max())},
        {"beyond both ends", {spread({3, 4}, 5)}, cut(0, -9, 9, 2)},
        {"nothing of something", {spread({3, 2}, 6)}, cut(0, 2, 2, 1)},
        {"nothing", {spread({0, 3}, 7)}, cut(1, 1, 3, 1)},
        {"one index", {spread({3, 4}, 8)}, [](const Variables& v) { return select(v[0], 1, -2); }},
        {"overlapping uses", {spread({5}, 9)}, [](const Variables& v) {
           return narrow(v[0], 0, 0, 3) * narrow(v[0], 0, 2, 3);
         }}};
  }

  static std::vector<Sample> training_samples() {
    return {{"a crop",
             {spread({8, 16, 33, 31}, 1)},
             [](const Variables& v) { return slice(v[0], 2, 1, 32, 1); }},
            {"every other column",
             {spread({1031, 97}, 2)},
             [](const Variables& v) { return slice(v[0], 1, 1, 97, 2); }},
            {"overlapping uses", {spread({many_elements}, 3)}, [](const Variables& v) {
               return narrow(v[0], 0, 0, 60'001) * narrow(v[0], 0, 40'001, 60'001);
             }}};
  }
};

/// y = x₀ | x₁ | … joined along a dimension        dL/dxᵢ = its part of dL/dy
struct Cat final : Op {
  static constexpr std::string_view name = "cat";
  std::int64_t dim;
  std::vector<std::int64_t> sizes;

  explicit Cat(std::int64_t d) : dim(d) {}

  Tensor forward(const Variables& parts) {
    std::vector<Tensor> tensors;
    for (const Variable& part : parts) tensors.push_back(part.defined() ? part.value() : Tensor());
    Tensor joined = core::cat(tensors, dim);
    for (const Tensor& part : tensors) sizes.push_back(part.size(dim));
    return joined;
  }

  Variables backward(const Variable& dy) override {
    Variables gradients;
    std::int64_t start = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      gradients.push_back(needs(i) ? narrow(dy, dim, start, sizes[i]) : Variable());
      start += sizes[i];
    }
    return gradients;
  }

  Rounding rounding() const { return multilinear(0); }

  static std::vector<Sample> samples() {
    const auto along = [](std::int64_t d) { return [d](const Variables& v) { return cat(v, d); }; };
    return {{"rows", {spread({3, 4}, 1), spread({5, 4}, 2)}, along(0)},
            {"the middle", {spread({3, 4, 5}, 3), spread({3, 2, 5}, 4)}, along(1)},
            {"squares", {spread({3, 3}, 5), spread({3, 3}, 6)}, along(1)},
            {"columns, three parts",
             {spread({2, 1}, 7), spread({2, 0}, 8), spread({2, 2}, 9)},
             along(-1)},
            {"one part", {spread({3, 4}, 10)}, along(0)},
            {"nothing", {spread({0, 3}, 11), spread({0, 3}, 12)}, along(0)},
            {"the same twice", {spread({3, 3}, 13)}, [](const Variables& v) {
               return cat({v[0], v[0]}, 1);
             }}};
  }

  static std::vector<Sample> training_samples() {
    const auto along = [](std::int64_t d) { return [d](const Variables& v) { return cat(v, d); }; };
    return {
        {"channels", {spread({8, 16, 33, 31}, 1), spread({8, 7, 33, 31}, 2)}, along(1)},
        {"rows", {spread({517, 97}, 3), spread({514, 97}, 4)}, along(0)},
        {"columns", {spread({331, 97}, 5), spread({331, 1}, 6), spread({331, 33}, 7)}, along(1)}};
  }
};

/// cat of unsqueezed parts
struct Stack {
  static constexpr std::string_view name = "stack";

  static std::vector<Sample> samples() {
    const auto along = [](std::int64_t d) {
      return [d](const Variables& v) { return stack(v, d); };
    };
    return {
        {"in front", {spread({3, 4}, 1), spread({3, 4}, 2)}, along(0)},
        {"between", {spread({3, 4, 5}, 3), spread({3, 4, 5}, 4)}, along(1)},
        {"behind squares", {spread({3, 3}, 5), spread({3, 3}, 6), spread({3, 3}, 7)}, along(-1)},
        {"scalars", {spread({}, 8), spread({}, 9)}, along(0)},
        {"nothing", {spread({0, 3}, 10), spread({0, 3}, 11)}, along(1)},
        {"the same twice", {spread({3, 3}, 12)}, [](const Variables& v) {
           return stack({v[0], v[0]}, 1);
         }}};
  }

  static std::vector<Sample> training_samples() {
    const auto along = [](std::int64_t d) {
      return [d](const Variables& v) { return stack(v, d); };
    };
    return {{"images", {spread({16, 33, 31}, 1), spread({16, 33, 31}, 2)}, along(0)},
            {"behind", {spread({257, 97}, 3), spread({257, 97}, 4)}, along(-1)}};
  }
};

/// y = rows `index` of x        dL/dx = dL/dy's rows added at `index`
struct IndexSelect final : Op {
  static constexpr std::string_view name = "index_select";
  std::int64_t dim;
  Tensor index;

  IndexSelect(std::int64_t d, Tensor rows) : dim(d), index(std::move(rows)) {}

  Tensor forward(const Variable& x) { return core::index_select(x.value(), dim, index); }

  Variables backward(const Variable& dy) override {
    return {index_add(input_shape(0), dim, index, dy)};
  }

  Rounding rounding() const { return multilinear(0); }

  static std::vector<Sample> samples() {
    const auto take = [](std::int64_t d, const Tensor& from) {
      return [=](const Variables& v) { return index_select(v[0], d, from); };
    };
    const Tensor rows = Tensor::from({2, 0, 2});
    return {{"rows, one twice", {spread({3, 4}, 1)}, take(0, rows)},
            {"the middle", {spread({4, 3, 5}, 2)}, take(1, rows)},
            {"columns of a square", {spread({3, 3}, 3)}, take(-1, rows)},
            {"one number", {spread({4}, 4)}, take(0, Tensor::from({3}))},
            {"no rows", {spread({3, 4}, 5)}, take(0, zeros({0}, int64))},
            {"nothing", {spread({3, 0}, 6)}, take(0, rows)}};
  }

  static std::vector<Sample> training_samples() {
    const auto rows = [](const Variables& v) {
      Generator generator(1);
      return index_select(v[0], 0, randint(0, v[0].size(0), {300}, generator));
    };
    return {{"an embedding", {spread({1031, 97}, 1)}, rows},
            {"few rows, many times", {spread({7, 97}, 2)}, rows}};
  }
};

/// y = zeros, with x's rows added at `index`        dL/dx = rows `index` of dL/dy
struct IndexAdd final : Op {
  static constexpr std::string_view name = "index_add";
  Shape shape;
  std::int64_t dim;
  Tensor index;

  IndexAdd(const Shape& target, std::int64_t d, Tensor rows)
      : shape(target), dim(d), index(std::move(rows)) {}

  Tensor forward(const Variable& source) {
    return core::index_add(shape, dim, index, source.value());
  }

  Variables backward(const Variable& dy) override { return {index_select(dy, dim, index)}; }

  Rounding rounding() const { return multilinear(0); }

  static std::vector<Sample> samples() {
    const auto into = [](const Shape& target, std::int64_t d, const Tensor& to) {
      return [=](const Variables& v) { return index_add(target, d, to, v[0]); };
    };
    const Tensor rows = Tensor::from({1, 1, 3});
    return {{"rows, one twice", {spread({3, 4}, 1)}, into({5, 4}, 0, rows)},
            {"the middle", {spread({4, 3, 5}, 2)}, into({4, 6, 5}, 1, rows)},
            {"columns of a square", {spread({3, 3}, 3)}, into({3, 4}, -1, rows)},
            {"all into one", {spread({3}, 4)}, into({2}, 0, Tensor::from({1, 1, 1}))},
            {"nothing", {spread({0, 3}, 5)}, into({4, 3}, 0, zeros({0}, int64))}};
  }

  static std::vector<Sample> training_samples() {
    const auto into = [](std::int64_t rows) {
      return [rows](const Variables& v) {
        Generator generator(1);
        return index_add({rows, v[0].size(1)}, 0, randint(0, rows, {v[0].size(0)}, generator),
                         v[0]);
      };
    };
    return {{"an embedding", {spread({300, 97}, 1)}, into(1031)},
            {"few rows, many times", {spread({1031, 97}, 2)}, into(7)}};
  }
};

/// y[i][j] = x[i][index[i][j]] for dim 1        dL/dx = dL/dy added at `index`
struct Gather final : Op {
  static constexpr std::string_view name = "gather";
  std::int64_t dim;
  Tensor index;

  Gather(std::int64_t d, Tensor where_from) : dim(d), index(std::move(where_from)) {}

  Tensor forward(const Variable& x) { return core::gather(x.value(), dim, index); }

  Variables backward(const Variable& dy) override {
    return {scatter_add(input_shape(0), dim, index, dy)};
  }

  Rounding rounding() const { return multilinear(0); }

  static std::vector<Sample> samples() {
    const auto from = [](std::int64_t d, const Tensor& where_from) {
      return [=](const Variables& v) { return gather(v[0], d, where_from); };
    };
    const Tensor index = Tensor::from({{2, 0, 1, 1}, {1, 1, 0, 2}, {0, 2, 2, 2}});
    return {{"columns, some twice", {spread({3, 4}, 1)}, from(1, index)},
            {"rows, some twice", {spread({3, 4}, 2)}, from(0, index)},
            {"less than all rows", {spread({5, 3}, 3)}, from(-1, index.slice(1, 0, 2))},
            {"of a square", {spread({4, 4}, 4)}, from(0, index)},
            {"the middle", {spread({3, 5, 4}, 5)}, from(1, index.unsqueeze(1))},
            {"a vector", {spread({3}, 6)}, from(0, index.select(0, 0))},
            {"no index", {spread({3, 4}, 7)}, from(0, zeros({0, 4}, int64))},
            {"nothing", {spread({0, 3}, 8)}, from(1, zeros({0, 2}, int64))}};
  }

  static std::vector<Sample> training_samples() {
    const auto columns = [](const Variables& v) {
      Generator generator(1);
      return gather(v[0], 1, randint(0, v[0].size(1), {v[0].size(0), 40}, generator));
    };
    return {{"of many", {spread({331, 997}, 1)}, columns},
            {"of few, many times", {spread({1031, 7}, 2)}, columns}};
  }
};

/// y = zeros, with x added at `index`        dL/dx = dL/dy gathered at `index`
struct ScatterAdd final : Op {
  static constexpr std::string_view name = "scatter_add";
  Shape shape;
  std::int64_t dim;
  Tensor index;

  ScatterAdd(const Shape& target, std::int64_t d, Tensor where_to)
      : shape(target), dim(d), index(std::move(where_to)) {}

  Tensor forward(const Variable& source) {
    return core::scatter_add(shape, dim, index, source.value());
  }

  Variables backward(const Variable& dy) override { return {gather(dy, dim, index)}; }

  Rounding rounding() const { return multilinear(0); }

  static std::vector<Sample> samples() {
    const auto into = [](const Shape& target, std::int64_t d, const Tensor& where_to) {
      return [=](const Variables& v) { return scatter_add(target, d, where_to, v[0]); };
    };
    const Tensor index = Tensor::from({{2, 0, 1, 1}, {1, 1, 0, 2}, {0, 2, 2, 2}});
    return {{"columns, some twice", {spread({3, 4}, 1)}, into({3, 5}, 1, index)},
            {"rows, some twice", {spread({3, 4}, 2)}, into({4, 4}, 0, index)},
            {"less than all rows", {spread({3, 2}, 3)}, into({5, 3}, -1, index.slice(1, 0, 2))},
            {"the middle", {spread({3, 1, 4}, 4)}, into({3, 5, 4}, 1, index.unsqueeze(1))},
            {"a square", {spread({3, 3}, 5)}, into({3, 3}, 1, index.slice(1, 1, 4))},
            {"nothing", {spread({0, 3}, 6)}, into({2, 3}, 0, zeros({0, 3}, int64))}};
  }

  static std::vector<Sample> training_samples() {
    const auto into = [](std::int64_t columns) {
      return [columns](const Variables& v) {
        Generator generator(1);
        return scatter_add({v[0].size(0), columns}, 1, randint(0, columns, v[0].shape(), generator),
                           v[0]);
      };
    };
    return {{"into many", {spread({331, 97}, 1)}, into(997)},
            {"into few, many times", {spread({331, 97}, 2)}, into(7)}};
  }
};

template OpInfo op_info<Reshape>();
template OpInfo op_info<Permute>();
template OpInfo op_info<Expand>();
template OpInfo op_info<SliceScatter>();
template OpInfo op_info<Slice>();
template OpInfo op_info<Cat>();
template OpInfo op_info<Stack>();
template OpInfo op_info<IndexSelect>();
template OpInfo op_info<IndexAdd>();
template OpInfo op_info<Gather>();
template OpInfo op_info<ScatterAdd>();

}  // namespace ops

Variable reshape(const Variable& x, const Shape& shape) { return apply(ops::Reshape(shape), x); }
Variable flatten(const Variable& x, std::int64_t start, std::int64_t end) {
  return reshape(x, x.value().flatten(start, end).shape());
}
Variable permute(const Variable& x, const Dims& order) { return apply(ops::Permute(order), x); }

Variable transpose(const Variable& x, std::int64_t a, std::int64_t b) {
  Dims order;
  for (int d = 0; d < x.rank(); ++d) order.push_back(d);
  std::swap(order[normalize_dim("transpose", a, x.rank())],
            order[normalize_dim("transpose", b, x.rank())]);
  return permute(x, order);
}

Variable squeeze(const Variable& x, std::optional<std::int64_t> dim) {
  return reshape(x, x.value().squeeze(dim).shape());
}
Variable unsqueeze(const Variable& x, std::int64_t dim) {
  return reshape(x, x.value().unsqueeze(dim).shape());
}
Variable expand(const Variable& x, const Shape& shape) { return apply(ops::Expand(shape), x); }

Variable slice(const Variable& x, std::int64_t dim, std::int64_t start, std::int64_t stop,
               std::int64_t step) {
  return apply(ops::Slice(dim, start, stop, step), x);
}
Variable narrow(const Variable& x, std::int64_t dim, std::int64_t start, std::int64_t length) {
  x.value().narrow(dim, start, length);  // checks the range; slice would clamp it
  const std::int64_t first = start < 0 ? start + x.size(dim) : start;
  return slice(x, dim, first, first + length);
}
Variable select(const Variable& x, std::int64_t dim, std::int64_t index) {
  const Shape shape = x.value().select(dim, index).shape();
  return reshape(narrow(x, dim, index < 0 ? index + x.size(dim) : index, 1), shape);
}

Variable cat(const Variables& parts, std::int64_t dim) {
  return gradus::apply(ops::Cat(dim), parts);
}

Variable stack(const Variables& parts, std::int64_t dim) {
  if (parts.empty()) fail<ShapeError>("stack: nothing to join");
  normalize_dim("stack", dim, parts[0].rank() + 1);
  Variables raised;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].dtype() != parts[0].dtype()) {
      fail<DTypeError>("stack: part ", i, " is ", parts[i].dtype(), ", part 0 is ",
                       parts[0].dtype(), "; cast with .to(", parts[0].dtype(), ")");
    }
    if (parts[i].shape() != parts[0].shape()) {
      fail<ShapeError>("stack: part ", i, " is ", parts[i].shape(), ", part 0 is ",
                       parts[0].shape());
    }
    raised.push_back(unsqueeze(parts[i], dim));
  }
  return cat(raised, dim);
}

Variable index_select(const Variable& x, std::int64_t dim, const Tensor& index) {
  return apply(ops::IndexSelect(dim, index), x);
}
Variable index_add(const Shape& shape, std::int64_t dim, const Tensor& index,
                   const Variable& source) {
  return apply(ops::IndexAdd(shape, dim, index), source);
}
Variable gather(const Variable& x, std::int64_t dim, const Tensor& index) {
  return apply(ops::Gather(dim, index), x);
}
Variable scatter_add(const Shape& shape, std::int64_t dim, const Tensor& index,
                     const Variable& source) {
  return apply(ops::ScatterAdd(shape, dim, index), source);
}

}  // namespace gradus
