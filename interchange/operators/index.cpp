// Choosing elements by indices, and indices of elements. A negative index counts from the end.
#include <gradus/interchange/operators/call.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace gradus::interchange {
namespace {

/// Indices below 0 moved up by `size`.
Tensor from_begin(const Call& call, std::size_t input, std::int64_t size) {
  const Tensor& index = call.in(input).value();
  if (index.dtype() != int64)
    call.refuse("input ", input, " is ", describe(index), "; indices of int64 are expected");
  Tensor result = index.clone();
  auto* at = result.data<std::int64_t>();
  for (std::int64_t i = 0; i < result.numel(); ++i) {
    if (at[i] < -size || at[i] >= size) call.refuse("index ", at[i], " into a dimension of ", size);
    if (at[i] < 0) at[i] += size;
  }
  return result;
}

Variables gather_node(const Call& call) {
  const Variable& x = call.in(0);
  const Shape& shape = x.value().shape();
  const std::int64_t axis = axis_of(call, call.integer("axis", 0), shape.rank());
  const Tensor index = from_begin(call, 1, shape[static_cast<int>(axis)]);
  Shape result;
  for (int d = 0; d < axis; ++d) result.push_back(shape[d]);
  for (const std::int64_t size : index.shape()) result.push_back(size);
  for (int d = static_cast<int>(axis) + 1; d < shape.rank(); ++d) result.push_back(shape[d]);
  return {reshape(index_select(x, axis, index.reshape({-1})), result)};
}

Variables gather_elements_node(const Call& call) {
  const Variable& x = call.in(0);
  const std::int64_t axis = axis_of(call, call.integer("axis", 0), x.value().rank());
  return {gather(x, axis, from_begin(call, 1, x.value().size(axis)))};
}

/// The last dimension of the indices chooses in as many dimensions of x, behind the first `batch_dims`.
Variables gather_nd_node(const Call& call) {
  const Variable& x = call.in(0);
  const Shape& s = x.value().shape();
  const Tensor index = call.in(1).value().contiguous();
  const std::int64_t batch = call.opset < 12 ? 0 : call.integer("batch_dims", 0);
  const int last = index.rank() - 1;
  if (index.dtype() != int64 || last < 0 || batch < 0 || batch > last || index.shape()[last] < 1 ||
      batch + index.shape()[last] > s.rank()) {
    call.refuse("indices ", describe(index), " into ", s, " behind ", batch,
                " dimensions; at most as many as it has are expected");
  }
  const std::int64_t depth = index.shape()[last];
  Shape result;
  std::int64_t batches = 1;
  for (int d = 0; d < last; ++d) result.push_back(index.shape()[d]);
  for (int d = 0; d < batch; ++d) {
    if (s[d] != index.shape()[d]) call.refuse("batches of ", s[d], " and ", index.shape()[d]);
    batches *= s[d];
  }
  std::int64_t rows = 1;  // of what is chosen, for one of the batch
  for (std::int64_t d = batch; d < batch + depth; ++d) rows *= s[static_cast<int>(d)];
  Shape flat{batches * rows};
  for (int d = static_cast<int>(batch + depth); d < s.rank(); ++d) {
    flat.push_back(s[d]);
    result.push_back(s[d]);
  }
  const std::int64_t count = depth == 0 ? 0 : index.numel() / depth;
  const std::int64_t per_batch = batches == 0 ? 1 : std::max<std::int64_t>(count / batches, 1);
  Integers chosen;
  const auto* at = index.data<std::int64_t>();
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t row = 0;
    for (std::int64_t k = 0; k < depth; ++k) {
      const std::int64_t size = s[static_cast<int>(batch + k)];
      const std::int64_t given = at[i * depth + k];
      if (given < -size || given >= size) call.refuse("index ", given, " into a size of ", size);
      row = row * size + (given < 0 ? given + size : given);
    }
    chosen.push_back(i / per_batch * rows + row);
  }
  return {reshape(index_select(reshape(x, flat), 0, tensor_of(chosen)), result)};
}

/// [.., depth, ..] with the second of `values` where the index says, else the first.
Variables one_hot_node(const Call& call) {
  const Tensor index = call.in(0).value().to(int64);
  const auto depth = static_cast<std::int64_t>(call.in(1).value().reshape({}).item());
  const Variable& values = call.in(2);
  if (depth < 1 || values.value().numel() != 2)
    call.refuse("depth ", depth, " and ", values.value().numel(),
                " values; 1 or more and 2 expected");
  const std::int64_t axis = axis_of(call, call.integer("axis", -1), index.rank() + 1);
  Shape classes = Shape::filled(index.rank() + 1, 1);
  classes[static_cast<int>(axis)] = depth;
  const Tensor number = arange(depth).reshape(classes);
  const Tensor wanted = index.unsqueeze(axis);
  const Tensor size = tensor_of(Integers{depth}).reshape(Shape::filled(index.rank() + 1, 1));
  // The index, or where it is negative the index and the depth.
  const Tensor moved = core::where(core::lt(wanted, 0.0), core::add(wanted, size), wanted);
  const Tensor on = core::eq(number, moved);
  return {where(on, expand(reshape(select(values, 0, 1), {}), on.shape()),
                expand(reshape(select(values, 0, 0), {}), on.shape()))};
}

Variables non_zero_node(const Call& call) {
  return {core::nonzero(call.in(0).value()).transpose(0, 1).contiguous()};
}

/// The slices of an axis (without one, the elements of all) where the condition holds; a shorter one ends early.
Variables compress_node(const Call& call) {
  Variable x = call.in(0);
  const Tensor held = core::nonzero(call.in(1).value().reshape({-1})).reshape({-1});
  if (!call.given("axis")) x = reshape(x, {-1});
  const std::int64_t axis = axis_of(call, call.integer("axis", 0), x.value().rank());
  return {index_select(x, axis, held)};
}

/// The k-th are an attribute before opset 10. Values in order, with their indices.
Variables top_k_node(const Call& call) {
  const Variable& x = call.in(0);
  const std::int64_t k = call.opset < 10
                             ? call.integer("k", -1)
                             : call.in(1).value().reshape({}).to(int64).at<std::int64_t>({});
  const auto [values, indices] = topk(x, k, call.integer("axis", -1), call.flag("largest", true));
  return {values, indices};
}

/// The first steps of each sequence backwards, as many as it has; the rest stays.
Variables reverse_sequence_node(const Call& call) {
  const Variable& x = call.in(0);
  const Integers lengths = call.integers_in(1);
  const std::int64_t batch_axis = call.integer("batch_axis", 1);
  const std::int64_t time_axis = call.integer("time_axis", 0);
  const Shape& s = x.value().shape();
  if (s.rank() < 2 || batch_axis + time_axis != 1 || batch_axis * time_axis != 0 ||
      std::ssize(lengths) != s[static_cast<int>(batch_axis)]) {
    call.refuse("time axis ", time_axis, " and batch axis ", batch_axis, " of ", s, " with ",
                lengths.size(), " lengths; 0 and 1, and a length each, are expected");
  }
  const std::int64_t steps = s[static_cast<int>(time_axis)];
  Integers rows;
  for (std::int64_t i = 0; i < s[0] * s[1]; ++i) {
    const std::int64_t time = time_axis == 0 ? i / s[1] : i % s[1];
    const std::int64_t batch = time_axis == 0 ? i % s[1] : i / s[1];
    const std::int64_t length = lengths[static_cast<std::size_t>(batch)];
    if (length < 0 || length > steps) call.refuse("a length of ", length, " in ", steps, " steps");
    const std::int64_t from = time < length ? length - 1 - time : time;
    rows.push_back(time_axis == 0 ? from * s[1] + batch : batch * s[1] + from);
  }
  Shape flat{s[0] * s[1]};
  for (int d = 2; d < s.rank(); ++d) flat.push_back(s[d]);
  return {reshape(index_select(reshape(x, flat), 0, tensor_of(rows)), s)};
}

/// Slices that differ, in order: where each was first, which one each slice is, how often each is there.
struct Distinct {
  Integers first, inverse, counts;
};

/// NaN comes behind all numbers, and is the same as another.
template <class T> bool comes_before(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a) || std::isnan(b)) return !std::isnan(a);
  }
  return a < b;
}

template <class T> Distinct distinct(const Tensor& x, std::int64_t axis, bool sorted) {
  const auto less = [](const std::vector<T>& a, const std::vector<T>& b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (comes_before(a[i], b[i])) return true;
      if (comes_before(b[i], a[i])) return false;
    }
    return false;
  };
  std::map<std::vector<T>, std::size_t, decltype(less)> numbers(less);
  Distinct all;
  for (std::int64_t i = 0; i < x.size(axis); ++i) {
    const auto [at, fresh] = numbers.emplace(x.select(axis, i).to_vector<T>(), all.first.size());
    if (fresh) {
      all.first.push_back(i);
      all.counts.push_back(0);
    }
    ++all.counts[at->second];
    all.inverse.push_back(static_cast<std::int64_t>(at->second));
  }
  if (!sorted) return all;
  Distinct in_order;
  Integers place(all.first.size());
  for (const auto& [key, number] : numbers) {
    place[number] = std::ssize(in_order.first);
    in_order.first.push_back(all.first[number]);
    in_order.counts.push_back(all.counts[number]);
  }
  for (const std::int64_t number : all.inverse)
    in_order.inverse.push_back(place[static_cast<std::size_t>(number)]);
  return in_order;
}

/// Slices along the axis (without one, elements of all) each once; where each was first, which one each is, how many.
Variables unique_node(const Call& call) {
  Variable x = call.in(0);
  if (!call.given("axis")) x = reshape(x, {-1});
  const std::int64_t axis = axis_of(call, call.integer("axis", 0), x.value().rank());
  const bool sorted = call.flag("sorted", true);
  const Tensor& values = x.value();
  const bool whole = !is_floating(values.dtype()) && !is_storage_only(values.dtype());
  const Distinct found = whole ? distinct<std::int64_t>(values.to(int64), axis, sorted)
                               : distinct<double>(values.to(float64), axis, sorted);
  return {index_select(x, axis, tensor_of(found.first)), tensor_of(found.first),
          tensor_of(found.inverse), tensor_of(found.counts)};
}

}  // namespace

std::vector<OperatorEntry> index_operators() {
  return {{"Compress", compress_node},
          {"Gather", gather_node},
          {"GatherElements", gather_elements_node},
          {"GatherND", gather_nd_node},
          {"NonZero", non_zero_node},
          {"OneHot", one_hot_node},
          {"ReverseSequence", reverse_sequence_node},
          {"TopK", top_k_node},
          {"Unique", unique_node}};
}

}  // namespace gradus::interchange
