// Writing by indices: the data with some elements replaced, added to, or multiplied.
#include <gradus/core/words.h>
#include <gradus/interchange/operators/call.h>

#include <map>

namespace gradus::interchange {

Variable scattered(const Call& call, const Variable& data, const Integers& at,
                   const Variable& updates, const std::string& reduction) {
  const Shape shape = data.value().shape();
  const Variable flat = reshape(data, {-1});
  const Variable values = reshape(updates, {-1});
  if (reduction == "add")
    return reshape(add(flat, index_add(flat.value().shape(), 0, tensor_of(at), values)), shape);
  if (reduction != "none" && reduction != "mul")
    call.refuse("reduction ", in_quotes(reduction), "; known are none, add and mul");
  // In each round an element has one update at most: to replace, the last one is enough.
  std::map<std::int64_t, std::vector<std::int64_t>> of_element;
  for (std::size_t i = 0; i < at.size(); ++i)
    of_element[at[i]].push_back(static_cast<std::int64_t>(i));
  Variable result = flat;
  for (std::size_t round = 0;; ++round) {
    Integers elements;
    Integers chosen;
    for (const auto& [element, mine] : of_element) {
      if (mine.size() <= round) continue;
      elements.push_back(element);
      chosen.push_back(reduction == "mul" ? mine[round] : mine.back());
    }
    if (elements.empty()) break;
    const Tensor places = tensor_of(elements);
    const Variable taken = index_select(values, 0, tensor_of(chosen));
    const Variable placed = index_add(flat.value().shape(), 0, places, taken);
    const Tensor here = core::ne(
        core::index_add(flat.value().shape(), 0, places, ones({std::ssize(elements)}, int64)), 0.0);
    result = where(here, reduction == "mul" ? mul(result, placed) : placed, result);
    if (reduction == "none") break;
  }
  return reshape(result, shape);
}

namespace {

/// Element [i,j,k] of the updates goes to [index[i,j,k], j, k] (axis 0).
Variables scatter_elements_node(const Call& call) {
  const Variable& data = call.in(0);
  const Tensor index = call.in(1).value().contiguous();
  const Variable& updates = call.in(2);
  const Shape& s = data.value().shape();
  const std::int64_t axis = axis_of(call, call.integer("axis", 0), s.rank());
  if (index.dtype() != int64 || index.shape() != updates.value().shape() ||
      index.rank() != s.rank()) {
    call.refuse("indices ", describe(index), ", updates ", describe(updates.value()), ", data ",
                describe(data.value()), "; as many dimensions, and indices as updates, expected");
  }
  const Strides strides = contiguous_strides(s);
  Integers at;
  for (std::int64_t i = 0; i < index.numel(); ++i) {
    const Shape place = unravel(i, index.shape());
    std::int64_t offset = 0;
    for (int d = 0; d < s.rank(); ++d) {
      std::int64_t k = d == axis ? index.data<std::int64_t>()[i] : place[d];
      if (k < -s[d] || k >= s[d]) call.refuse("index ", k, " into a dimension of ", s[d]);
      offset += (k < 0 ? k + s[d] : k) * strides[d];
    }
    at.push_back(offset);
  }
  return {scattered(call, data, at, updates, call.text("reduction", "none"))};
}

/// The last dimension of the indices says where in the first dimensions each slice of the updates goes.
Variables scatter_nd_node(const Call& call) {
  const Variable& data = call.in(0);
  const Tensor index = call.in(1).value().contiguous();
  const Variable& updates = call.in(2);
  const Shape& s = data.value().shape();
  const int last = index.rank() - 1;
  if (index.dtype() != int64 || last < 0 || index.shape()[last] < 1 ||
      index.shape()[last] > s.rank()) {
    call.refuse("indices ", describe(index), " into ", s,
                "; the last size is that of an index into it");
  }
  const auto depth = static_cast<int>(index.shape()[last]);
  const Strides strides = contiguous_strides(s);
  std::int64_t slice = 1;
  for (int d = depth; d < s.rank(); ++d) slice *= s[d];
  const std::int64_t count = index.numel() / depth;
  if (updates.value().numel() != count * slice) {
    call.refuse("updates ", describe(updates.value()), " of ", count, " slices of ", slice,
                " numbers, which are ", count * slice);
  }
  Integers at;
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t offset = 0;
    for (int d = 0; d < depth; ++d) {
      const std::int64_t k = index.data<std::int64_t>()[i * depth + d];
      if (k < -s[d] || k >= s[d]) call.refuse("index ", k, " into a dimension of ", s[d]);
      offset += (k < 0 ? k + s[d] : k) * strides[d];
    }
    for (std::int64_t k = 0; k < slice; ++k) at.push_back(offset + k);
  }
  return {scattered(call, data, at, updates, call.text("reduction", "none"))};
}

}  // namespace

std::vector<OperatorEntry> scatter_operators() {
  return {{"Scatter", scatter_elements_node},
          {"ScatterElements", scatter_elements_node},
          {"ScatterND", scatter_nd_node}};
}

}  // namespace gradus::interchange
