// Inputs for the ops of autograd/ops/rearrange.cpp.
#include <gradus/gradcheck/samples/inputs.h>

namespace gradus::samples {
namespace {

using Function = std::function<Variable(const Variables&)>;

std::vector<Sample> flip_samples() {
  const auto by = [](const Dims& dims) -> Function {
    return [dims](const Variables& v) { return flip(v[0], dims); };
  };
  return {{"rows", {spread({3, 4}, 1)}, by({0})},
          {"the middle", {spread({3, 4, 5}, 2)}, by({1})},
          {"both ends", {spread({3, 4, 5}, 3)}, by({-1, 0})},
          {"a square, turned", {spread({4, 4}, 4)}, by({0, 1})},
          {"a scalar", {spread({}, 5)}, by({})},
          {"nothing", {spread({0, 3}, 6)}, by({1})}};
}

std::vector<Sample> flip_training_samples() {
  return {
      {"mirrored images",
       {spread({8, 16, 33, 31}, 1)},
       [](const Variables& v) { return flip(v[0], {3}); }},
      {"many", {spread({many_elements}, 2)}, [](const Variables& v) { return flip(v[0], {0}); }}};
}

std::vector<Sample> roll_samples() {
  const auto by = [](const Shape& shifts, const Dims& dims) -> Function {
    return [=](const Variables& v) { return roll(v[0], shifts, dims); };
  };
  return {{"rows", {spread({3, 4}, 1)}, by({1}, {0})},
          {"back, and more than once around", {spread({3, 4, 5}, 2)}, by({-1, 7}, {0, -1})},
          {"a square", {spread({4, 4}, 3)}, by({2, 1}, {1, 0})},
          {"all in a row", {spread({3, 4}, 4)}, by({5}, {})},
          {"a scalar", {spread({}, 5)}, by({3}, {})},
          {"nothing", {spread({0, 3}, 6)}, by({1, 1}, {0, 1})}};
}

std::vector<Sample> roll_training_samples() {
  return {{"images", {spread({8, 16, 33, 31}, 1)}, [](const Variables& v) {
             return roll(v[0], {2, -3}, {2, 3});
           }}};
}

std::vector<Sample> repeat_samples() {
  const auto times = [](const Shape& repeats) -> Function {
    return [repeats](const Variables& v) { return repeat(v[0], repeats); };
  };
  return {{"rows", {spread({3, 4}, 1)}, times({2, 1})},
          {"every dimension", {spread({2, 3, 4}, 2)}, times({3, 1, 2})},
          {"a square", {spread({3, 3}, 3)}, times({2, 2})},
          {"a new dimension", {spread({3}, 4)}, times({2, 3})},
          {"a scalar", {spread({}, 5)}, times({4})},
          {"not at all", {spread({3, 4}, 6)}, times({0, 1})},
          {"nothing", {spread({0, 3}, 7)}, times({2, 2})}};
}

std::vector<Sample> repeat_training_samples() {
  return {{"images", {spread({2, 16, 33, 31}, 1)}, [](const Variables& v) {
             return repeat(v[0], {3, 1, 1, 2});
           }}};
}

std::vector<Sample> tile_samples() {
  const auto times = [](const Shape& dims) -> Function {
    return [dims](const Variables& v) { return tile(v[0], dims); };
  };
  return {{"the last dimension", {spread({3, 4}, 1)}, times({2})},
          {"a square", {spread({3, 3}, 2)}, times({2, 3})},
          {"a new dimension", {spread({3, 4}, 3)}, times({2, 1, 2})},
          {"nothing", {spread({0, 3}, 4)}, times({2})}};
}

std::vector<Sample> tile_training_samples() {
  return {{"rows", {spread({97, 331}, 1)}, [](const Variables& v) { return tile(v[0], {3}); }}};
}

std::vector<Sample> repeat_interleave_samples() {
  const auto times = [](std::int64_t repeats, std::optional<std::int64_t> dim) -> Function {
    return [=](const Variables& v) { return repeat_interleave(v[0], repeats, dim); };
  };
  return {{"rows", {spread({3, 4}, 1)}, times(2, 0)},
          {"the middle", {spread({2, 3, 4}, 2)}, times(3, -2)},
          {"columns of a square", {spread({3, 3}, 3)}, times(2, 1)},
          {"all in a row", {spread({3, 4}, 4)}, times(2, std::nullopt)},
          {"a scalar", {spread({}, 5)}, times(3, std::nullopt)},
          {"not at all", {spread({3, 4}, 6)}, times(0, 1)},
          {"nothing", {spread({0, 3}, 7)}, times(2, 1)}};
}

std::vector<Sample> repeat_interleave_training_samples() {
  return {{"pixels", {spread({8, 16, 33, 31}, 1)}, [](const Variables& v) {
             return repeat_interleave(v[0], 2, 3);
           }}};
}

std::vector<Sample> diagonal_samples() {
  const auto of = [](std::int64_t offset, std::int64_t dim1, std::int64_t dim2) -> Function {
    return [=](const Variables& v) { return diagonal(v[0], offset, dim1, dim2); };
  };
  return {{"a square", {spread({4, 4}, 1)}, of(0, 0, 1)},
          {"above, of three", {spread({3, 4, 5}, 2)}, of(1, 1, 2)},
          {"below, the outer ones", {spread({4, 2, 3}, 3)}, of(-1, 0, -1)},
          {"in the other order", {spread({3, 5}, 4)}, of(1, 1, 0)},
          {"outside", {spread({3, 4}, 5)}, of(4, 0, 1)},
          {"nothing", {spread({0, 3}, 6)}, of(0, 0, 1)}};
}

std::vector<Sample> diagonal_training_samples() {
  return {{"of images", {spread({8, 16, 33, 31}, 1)}, [](const Variables& v) {
             return diagonal(v[0], 0, 2, 3);
           }}};
}

std::vector<Sample> diag_samples() {
  const auto on = [](std::int64_t diagonal) -> Function {
    return [=](const Variables& v) { return diag(v[0], diagonal); };
  };
  return {{"of a vector", {spread({4}, 1)}, on(0)},
          {"above", {spread({3}, 2)}, on(2)},
          {"below", {spread({3}, 3)}, on(-1)},
          {"of a matrix", {spread({3, 4}, 4)}, on(1)},
          {"nothing", {spread({0}, 5)}, on(0)}};
}

std::vector<Sample> diag_training_samples() {
  return {
      {"of a vector", {spread({331}, 1)}, [](const Variables& v) { return diag(v[0]); }},
      {"of a matrix", {spread({331, 317}, 2)}, [](const Variables& v) { return diag(v[0], -5); }}};
}

std::vector<Sample> trace_samples() {
  const auto f = [](const Variables& v) { return trace(v[0]); };
  return {{"a square", {spread({4, 4}, 1)}, f},
          {"a wide matrix", {spread({3, 5}, 2)}, f},
          {"nothing", {spread({0, 3}, 3)}, f}};
}

std::vector<Sample> trace_training_samples() {
  return {{"a matrix", {spread({331, 317}, 1)}, [](const Variables& v) { return trace(v[0]); }}};
}

template <class F> std::vector<Sample> triangle_samples(F f) {
  const auto from = [f](std::int64_t diagonal) -> Function {
    return [=](const Variables& v) { return f(v[0], diagonal); };
  };
  return {{"a square", {spread({4, 4}, 1)}, from(0)},
          {"further right, of three", {spread({2, 3, 5}, 2)}, from(1)},
          {"further left", {spread({5, 3}, 3)}, from(-2)},
          {"far outside", {spread({3, 4}, 4)}, from(9)},
          {"nothing", {spread({0, 3}, 5)}, from(0)}};
}

template <class F> std::vector<Sample> triangle_training_samples(F f) {
  return {
      {"matrices", {spread({4, 16, 33, 31}, 1)}, [f](const Variables& v) { return f(v[0], 1); }}};
}

std::vector<Sample> tril_samples() {
  return triangle_samples(
      [](const Variable& x, std::int64_t diagonal) { return tril(x, diagonal); });
}

std::vector<Sample> tril_training_samples() {
  return triangle_training_samples(
      [](const Variable& x, std::int64_t diagonal) { return tril(x, diagonal); });
}

std::vector<Sample> triu_samples() {
  return triangle_samples(
      [](const Variable& x, std::int64_t diagonal) { return triu(x, diagonal); });
}

std::vector<Sample> triu_training_samples() {
  return triangle_training_samples(
      [](const Variable& x, std::int64_t diagonal) { return triu(x, diagonal); });
}

/// Several outputs as one: each with a weight of its own, so that none stands for another.
Variable weighted_row(const Variables& parts) {
  Variables rows;
  for (std::size_t i = 0; i < parts.size(); ++i)
    rows.push_back(mul(reshape(parts[i], {-1}), static_cast<double>(i + 1)));
  return cat(rows, 0);
}

std::vector<Sample> split_samples() {
  const auto into = [](std::int64_t size, std::int64_t dim) -> Function {
    return [=](const Variables& v) { return weighted_row(split(v[0], size, dim)); };
  };
  return {{"rows", {spread({5, 3}, 1)}, into(2, 0)},
          {"the middle", {spread({2, 4, 3}, 2)}, into(2, 1)},
          {"of sizes", {spread({3, 6}, 3)}, [](const Variables& v) {
             return weighted_row(split(v[0], {1, 0, 5}, -1));
           }}};
}

std::vector<Sample> split_training_samples() {
  return {{"channels", {spread({8, 16, 33, 31}, 1)}, [](const Variables& v) {
             return weighted_row(split(v[0], 5, 1));
           }}};
}

std::vector<Sample> chunk_samples() {
  const auto into = [](std::int64_t chunks, std::int64_t dim) -> Function {
    return [=](const Variables& v) { return weighted_row(chunk(v[0], chunks, dim)); };
  };
  return {{"rows", {spread({5, 3}, 1)}, into(2, 0)},
          {"more than there are", {spread({3, 4}, 2)}, into(9, 0)},
          {"a square", {spread({4, 4}, 3)}, into(2, -1)}};
}

std::vector<Sample> chunk_training_samples() {
  return {{"channels", {spread({8, 16, 33, 31}, 1)}, [](const Variables& v) {
             return weighted_row(chunk(v[0], 4, 1));
           }}};
}

Variable grids_row(const Variables& v) { return weighted_row(meshgrid(v, "xy")); }

std::vector<Sample> meshgrid_samples() {
  return {{"two axes", {spread({3}, 1), spread({4}, 2)}, grids_row},
          {"three axes", {spread({2}, 3), spread({3}, 4), spread({4}, 5)}, grids_row},
          {"equal sizes, the other indexing",
           {spread({3}, 6), spread({3}, 7)},
           [](const Variables& v) { return weighted_row(meshgrid(v)); }},
          {"a scalar among them", {spread({}, 8), spread({3}, 9)}, grids_row}};
}

std::vector<Sample> meshgrid_training_samples() {
  return {{"two axes", {spread({331}, 1), spread({317}, 2)}, grids_row}};
}

}  // namespace

std::vector<OpSamples> rearrange() {
  return {
      {"flip", flip_samples, flip_training_samples},
      {"roll", roll_samples, roll_training_samples},
      {"split", split_samples, split_training_samples},
      {"chunk", chunk_samples, chunk_training_samples},
      {"repeat", repeat_samples, repeat_training_samples},
      {"tile", tile_samples, tile_training_samples},
      {"repeat_interleave", repeat_interleave_samples, repeat_interleave_training_samples},
      {"diagonal", diagonal_samples, diagonal_training_samples},
      {"diag", diag_samples, diag_training_samples},
      {"trace", trace_samples, trace_training_samples},
      {"tril", tril_samples, tril_training_samples},
      {"triu", triu_samples, triu_training_samples},
      {"meshgrid", meshgrid_samples, meshgrid_training_samples},
  };
}

}  // namespace gradus::samples
