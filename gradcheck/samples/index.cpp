// Inputs for the ops of autograd/ops/index.cpp.
#include <gradus/gradcheck/samples/inputs.h>

namespace gradus::samples {
namespace {

using Function = std::function<Variable(const Variables&)>;

/// true where a number of its own is odd: about half of them, the first not.
Tensor odd(const Shape& shape) {
  Generator generator(11);
  return core::eq(randint(0, 2, shape, generator), 1);
}

std::vector<Sample> index_samples() {
  const auto at = [](std::vector<TensorIndex> entries) -> Function {
    return [entries](const Variables& v) { return index(v[0], entries); };
  };
  const Tensor rows = Tensor::from({2, 0, -1});
  const Tensor grid = Tensor::from({{0, 1}, {1, 1}});
  return {{"slices", {spread({5, 4, 3}, 1)}, at({Slice(1, 4), Slice(None, None, 2), 1})},
          {"a new dimension", {spread({3, 4}, 2)}, at({None, Ellipsis, None, -1})},
          {"rows, one twice", {spread({3, 4}, 3)}, at({rows})},
          {"rows and columns together", {spread({3, 3}, 4)}, at({rows, rows})},
          {"side by side behind another",
           {spread({2, 3, 2}, 5)},
           at({Slice(), rows, grid[0].slice(0, 0, 1)})},
          {"apart", {spread({3, 2, 4}, 6)}, at({rows, Slice(), rows})},
          {"a grid of places", {spread({2, 3}, 7)}, at({grid})},
          {"a mask", {spread({3, 4}, 8)}, at({odd({3, 4})})},
          {"a mask of columns", {spread({3, 4}, 9)}, at({Ellipsis, odd({4})})},
          {"a scalar", {spread({}, 10)}, at({None})},
          {"nothing", {spread({0, 3}, 11)}, at({Slice(), rows})},
          {"none of something", {spread({3, 4}, 12)}, at({zeros({0}, int64)})}};
}

std::vector<Sample> index_training_samples() {
  return {{"pixels",
           {spread({4, 16, 33, 31}, 1)},
           [](const Variables& v) {
             Generator generator(1);
             return index(v[0], {Ellipsis, randint(0, 33, {257}, generator),
                                 randint(0, 31, {257}, generator)});
           }},
          {"a crop", {spread({8, 16, 33, 31}, 2)}, [](const Variables& v) {
             return index(v[0], {Slice(), Slice(1, 9), Slice(2, -2), Slice(None, None, 3)});
           }}};
}

std::vector<Sample> masked_fill_samples() {
  const auto fill = [](const Shape& mask, double value) -> Function {
    return [=](const Variables& v) { return masked_fill(v[0], odd(mask), value); };
  };
  return {{"a matrix", {spread({3, 4}, 1)}, fill({3, 4}, 0.5)},
          {"columns", {spread({3, 4, 5}, 2)}, fill({5}, -2)},
          {"a square by its rows", {spread({4, 4}, 3)}, fill({4, 1}, 0)},
          {"a mask that is larger", {spread({4}, 4)}, fill({3, 4}, 1)},
          {"a scalar", {spread({}, 5)}, fill({}, 1)},
          {"nothing", {spread({0, 3}, 6)}, fill({3}, 1)}};
}

std::vector<Sample> masked_fill_training_samples() {
  return {{"attention", {spread({8, 4, 61, 63}, 1)}, [](const Variables& v) {
             return masked_fill(v[0], odd({61, 63}), -1e9);
           }}};
}

std::vector<Sample> masked_select_samples() {
  const auto by = [](const Shape& mask) -> Function {
    return [=](const Variables& v) { return masked_select(v[0], odd(mask)); };
  };
  return {{"a matrix", {spread({3, 4}, 1)}, by({3, 4})},
          {"columns", {spread({3, 4, 5}, 2)}, by({5})},
          {"a square by its rows", {spread({4, 4}, 3)}, by({4, 1})},
          {"an input that is repeated", {spread({4}, 4)}, by({3, 4})},
          {"nothing", {spread({0, 3}, 5)}, by({3})}};
}

std::vector<Sample> masked_select_training_samples() {
  return {{"images", {spread({4, 16, 33, 31}, 1)}, [](const Variables& v) {
             return masked_select(v[0], odd({33, 31}));
           }}};
}

}  // namespace

std::vector<OpSamples> index_chapter() {
  return {
      {"index", index_samples, index_training_samples},
      {"masked_fill", masked_fill_samples, masked_fill_training_samples},
      {"masked_select", masked_select_samples, masked_select_training_samples},
  };
}

}  // namespace gradus::samples
