// Inputs for the ops of autograd/ops/shape.cpp.
#include <gradus/gradcheck/samples/inputs.h>

namespace gradus::samples {
namespace {

std::vector<Sample> reshape_samples() {
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

std::vector<Sample> reshape_training_samples() {
  const auto to = [](const Shape& target) {
    return [target](const Variables& v) { return reshape(v[0], target); };
  };
  return {{"flat", {spread({8, 16, 33, 31}, 1)}, to({8, -1})},
          {"many", {spread({many_elements}, 2)}, to({1, -1})},
          {"of a transposed view", {spread({257, 391}, 3)}, [](const Variables& v) {
             return reshape(transpose(v[0]), {-1});
           }}};
}

std::vector<Sample> permute_samples() {
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

std::vector<Sample> permute_training_samples() {
  const auto by = [](const Dims& dims) {
    return [dims](const Variables& v) { return permute(v[0], dims); };
  };
  return {{"channels last", {spread({8, 16, 33, 31}, 1)}, by({0, 2, 3, 1})},
          {"reversed", {spread({8, 16, 33, 31}, 2)}, by({3, 2, 1, 0})},
          {"a matrix", {spread({317, 331}, 3)}, by({1, 0})}};
}

std::vector<Sample> expand_samples() {
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

std::vector<Sample> expand_training_samples() {
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

std::vector<Sample> slice_scatter_samples() {
  const auto into = [](const Shape& target, std::int64_t d, std::int64_t first,
                       std::int64_t stride) {
    return [=](const Variables& v) { return slice_scatter(target, d, first, stride, v[0]); };
  };
  return {{"every other column", {spread({3, 4}, 1)}, into({3, 9}, 1, 1, 2)},
          {"the middle", {spread({3, 4, 5}, 2)}, into({3, 6, 5}, 1, 1, 1)},
          {"rows of a square", {spread({4, 4}, 3)}, into({8, 4}, -2, 0, 2)},
          {"a step beyond the end", {spread({3, 1}, 4)}, into({3, 4}, 1, 2, 9)},
          {"all of it", {spread({4}, 5)}, into({4}, 0, 0, 1)},
          {"nothing", {spread({0, 3}, 6)}, into({4, 3}, 0, 2, 1)}};
}

std::vector<Sample> slice_scatter_training_samples() {
  return {{"a crop",
           {spread({8, 16, 31, 29}, 1)},
           [](const Variables& v) {
             return slice_scatter({8, 16, 33, 29}, 2, 1, 1, v[0]);
           }},
          {"every other column", {spread({1031, 97}, 2)}, [](const Variables& v) {
             return slice_scatter({1031, 194}, 1, 1, 2, v[0]);
           }}};
}

std::vector<Sample> slice_samples() {
  const auto cut = [](std::int64_t d, std::int64_t first, std::int64_t last, std::int64_t stride) {
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

std::vector<Sample> slice_training_samples() {
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

std::vector<Sample> cat_samples() {
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

std::vector<Sample> cat_training_samples() {
  const auto along = [](std::int64_t d) { return [d](const Variables& v) { return cat(v, d); }; };
  return {{"channels", {spread({8, 16, 33, 31}, 1), spread({8, 7, 33, 31}, 2)}, along(1)},
          {"rows", {spread({517, 97}, 3), spread({514, 97}, 4)}, along(0)},
          {"columns", {spread({331, 97}, 5), spread({331, 1}, 6), spread({331, 33}, 7)}, along(1)}};
}

std::vector<Sample> stack_samples() {
  const auto along = [](std::int64_t d) { return [d](const Variables& v) { return stack(v, d); }; };
  return {{"in front", {spread({3, 4}, 1), spread({3, 4}, 2)}, along(0)},
          {"between", {spread({3, 4, 5}, 3), spread({3, 4, 5}, 4)}, along(1)},
          {"behind squares", {spread({3, 3}, 5), spread({3, 3}, 6), spread({3, 3}, 7)}, along(-1)},
          {"scalars", {spread({}, 8), spread({}, 9)}, along(0)},
          {"nothing", {spread({0, 3}, 10), spread({0, 3}, 11)}, along(1)},
          {"the same twice", {spread({3, 3}, 12)}, [](const Variables& v) {
             return stack({v[0], v[0]}, 1);
           }}};
}

std::vector<Sample> stack_training_samples() {
  const auto along = [](std::int64_t d) { return [d](const Variables& v) { return stack(v, d); }; };
  return {{"images", {spread({16, 33, 31}, 1), spread({16, 33, 31}, 2)}, along(0)},
          {"behind", {spread({257, 97}, 3), spread({257, 97}, 4)}, along(-1)}};
}

std::vector<Sample> index_select_samples() {
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

std::vector<Sample> index_select_training_samples() {
  const auto rows = [](const Variables& v) {
    Generator generator(1);
    return index_select(v[0], 0, randint(0, v[0].size(0), {300}, generator));
  };
  return {{"an embedding", {spread({1031, 97}, 1)}, rows},
          {"few rows, many times", {spread({7, 97}, 2)}, rows}};
}

std::vector<Sample> index_add_samples() {
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

std::vector<Sample> index_add_training_samples() {
  const auto into = [](std::int64_t rows) {
    return [rows](const Variables& v) {
      Generator generator(1);
      return index_add({rows, v[0].size(1)}, 0, randint(0, rows, {v[0].size(0)}, generator), v[0]);
    };
  };
  return {{"an embedding", {spread({300, 97}, 1)}, into(1031)},
          {"few rows, many times", {spread({1031, 97}, 2)}, into(7)}};
}

std::vector<Sample> gather_samples() {
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

std::vector<Sample> gather_training_samples() {
  const auto columns = [](const Variables& v) {
    Generator generator(1);
    return gather(v[0], 1, randint(0, v[0].size(1), {v[0].size(0), 40}, generator));
  };
  return {{"of many", {spread({331, 997}, 1)}, columns},
          {"of few, many times", {spread({1031, 7}, 2)}, columns}};
}

std::vector<Sample> scatter_add_samples() {
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

std::vector<Sample> scatter_add_training_samples() {
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

}  // namespace

std::vector<OpSamples> shape() {
  return {
      {"reshape", reshape_samples, reshape_training_samples},
      {"permute", permute_samples, permute_training_samples},
      {"expand", expand_samples, expand_training_samples},
      {"slice_scatter", slice_scatter_samples, slice_scatter_training_samples},
      {"slice", slice_samples, slice_training_samples},
      {"cat", cat_samples, cat_training_samples},
      {"stack", stack_samples, stack_training_samples},
      {"index_select", index_select_samples, index_select_training_samples},
      {"index_add", index_add_samples, index_add_training_samples},
      {"gather", gather_samples, gather_training_samples},
      {"scatter_add", scatter_add_samples, scatter_add_training_samples},
  };
}

}  // namespace gradus::samples
