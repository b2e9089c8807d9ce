// Other shapes for the same numbers, and parts of tensors put together.
#include <gradus/interchange/operators/call.h>

#include <algorithm>
#include <limits>

namespace gradus::interchange {
namespace {

/// 0 takes over a size of the input, unless allowzero (opset 14) says that it is meant.
Variables reshape_node(const Call& call) {
  const Variable& x = call.in(0);
  Integers sizes = call.integers_in(1);
  const bool keep = !call.flag("allowzero", false);
  for (std::size_t d = 0; d < sizes.size(); ++d) {
    if (sizes[d] != 0 || !keep) continue;
    if (static_cast<int>(d) >= x.value().rank())
      call.refuse("a size of 0 at dimension ", d, ", which ", x.value().shape(), " has not");
    sizes[d] = x.value().shape()[static_cast<int>(d)];
  }
  return {reshape(x, shape_of(sizes, call))};
}

Variables flatten_node(const Call& call) {
  const Variable& x = call.in(0);
  const Shape& shape = x.value().shape();
  const std::int64_t given = call.integer("axis", 1);
  const std::int64_t axis = given < 0 ? given + shape.rank() : given;
  if (axis < 0 || axis > shape.rank())
    call.refuse("axis ", given, " of a tensor of ", shape.rank(), " dimensions");
  std::int64_t rows = 1;
  std::int64_t columns = 1;
  for (int d = 0; d < shape.rank(); ++d) (d < axis ? rows : columns) *= shape[d];
  return {reshape(x, {rows, columns})};
}

/// Without axes all of size 1 go. They are an input since opset 13.
Variables squeeze_node(const Call& call) {
  const Variable& x = call.in(0);
  const Shape& shape = x.value().shape();
  std::vector<bool> goes(static_cast<std::size_t>(shape.rank()), false);
  const Integers axes = call.integers_since(13, "axes", 1);
  for (int d = 0; axes.empty() && d < shape.rank(); ++d)
    goes[static_cast<std::size_t>(d)] = shape[d] == 1;
  for (const std::int64_t given : axes) {
    const std::int64_t axis = axis_of(call, given, shape.rank());
    const std::int64_t size = shape[static_cast<int>(axis)];
    if (size != 1) call.refuse("axis ", given, " has size ", size, "; 1 expected");
    goes[static_cast<std::size_t>(axis)] = true;
  }
  Shape left;
  for (int d = 0; d < shape.rank(); ++d) {
    if (!goes[static_cast<std::size_t>(d)]) left.push_back(shape[d]);
  }
  return {reshape(x, left)};
}

/// The axes are those of the result.
Variables unsqueeze_node(const Call& call) {
  const Variable& x = call.in(0);
  Integers axes = call.integers_since(13, "axes", 1);
  const int rank = x.value().rank() + static_cast<int>(std::min<std::size_t>(axes.size(), 99));
  if (rank > Shape::max_rank)
    call.refuse(rank, " dimensions; a tensor has at most ", Shape::max_rank);
  for (std::int64_t& axis : axes) axis = axis_of(call, axis, rank);
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end())
    call.refuse("an axis is given twice; once expected");
  Shape shape;
  int next = 0;
  for (int d = 0; d < rank; ++d) {
    const bool fresh = std::binary_search(axes.begin(), axes.end(), d);
    shape.push_back(fresh ? 1 : x.value().shape()[next++]);
  }
  return {reshape(x, shape)};
}

Variables transpose_node(const Call& call) {
  const Variable& x = call.in(0);
  Integers order = call.integers("perm");
  if (order.empty()) {
    for (int d = x.value().rank() - 1; d >= 0; --d) order.push_back(d);
  }
  return {permute(x, shape_of(order, call))};
}

Variables expand_node(const Call& call) {
  const Variable& x = call.in(0);
  const Shape shape = shape_of(call.integers_in(1), call);
  return {expand(x, broadcast("Expand", x.value().shape(), shape))};
}

Variables tile_node(const Call& call) {
  return {tile(call.in(0), shape_of(call.integers_in(1), call))};
}

Variables concat_node(const Call& call) {
  if (call.inputs.empty()) call.refuse("has 0 inputs; 1 or more expected");
  for (std::size_t i = 0; i < call.inputs.size(); ++i) call.in(i);
  return {cat(call.inputs, call.integer("axis", call.opset < 4 ? 1 : 0))};
}

/// Sizes are an input since opset 13; without them parts are equal.
Variables split_node(const Call& call) {
  const Variable& x = call.in(0);
  const std::int64_t axis = axis_of(call, call.integer("axis", 0), x.value().rank());
  const Integers sizes = call.integers_since(13, "split", 1);
  const std::int64_t parts = std::ssize(call.node.outputs);
  if (!sizes.empty() && std::ssize(sizes) != parts)
    call.refuse(sizes.size(), " parts; the node has ", parts, " outputs");
  if (!sizes.empty()) return split(x, sizes, axis);
  const std::int64_t size = x.value().size(axis);
  if (parts == 0 || size % parts != 0)
    call.refuse(parts, " equal parts of a dimension of ", size, ", which they do not divide");
  return split(x, Integers(static_cast<std::size_t>(parts), size / parts), axis);
}

/// Elements start, start + step, ... before stop; a negative step goes backwards. A start outside is moved to the first or
/// last element (Slice-13: "clamped"), where Python's slices are empty.
Variable slice_axis(const Variable& x, std::int64_t axis, std::int64_t start, std::int64_t stop,
                    std::int64_t step) {
  const std::int64_t size = x.value().size(axis);
  const auto from_begin = [&](std::int64_t at) {
    return std::clamp<std::int64_t>(at < 0 ? at + size : at, -1, size);
  };
  if (step > 0) {
    const std::int64_t first = std::clamp<std::int64_t>(from_begin(start), 0, size);
    const std::int64_t end = std::clamp<std::int64_t>(from_begin(stop), first, size);
    return slice(x, axis, first, end, std::min(step, std::max<std::int64_t>(size, 1)));
  }
  // The same elements of the reversed order. A stop before the first is smaller than every negative index.
  const std::int64_t first = std::min(std::max<std::int64_t>(from_begin(start), 0), size - 1);
  const std::int64_t end = stop < -size ? -1 : std::max<std::int64_t>(from_begin(stop), -1);
  const std::int64_t begin = size - 1 - first;
  const std::int64_t stride = step < -size ? std::max<std::int64_t>(size, 1) : -step;
  return slice(flip(x, {axis}), axis, begin, std::max(begin, size - 1 - end), stride);
}

/// Bounds are inputs since opset 10.
Variables slice_node(const Call& call) {
  Variable x = call.in(0);
  const Integers starts = call.integers_since(10, "starts", 1);
  const Integers ends = call.integers_since(10, "ends", 2);
  Integers axes = call.integers_since(10, "axes", 3);
  const Integers steps =
      call.opset >= 10 && call.has(4) ? call.integers_in(4) : Integers(starts.size(), 1);
  for (std::int64_t d = 0; axes.size() < starts.size(); ++d) axes.push_back(d);
  if (ends.size() != starts.size() || axes.size() != starts.size() ||
      steps.size() != starts.size()) {
    call.refuse(starts.size(), " starts, ", ends.size(), " ends, ", axes.size(), " axes and ",
                steps.size(), " steps; as many of each are expected");
  }
  for (std::size_t i = 0; i < starts.size(); ++i) {
    if (steps[i] == 0) call.refuse("a step of 0; another number is expected");
    const std::int64_t axis = axis_of(call, axes[i], x.value().rank());
    const std::int64_t step = std::max(steps[i], -std::numeric_limits<std::int64_t>::max());
    x = slice_axis(x, axis, starts[i], ends[i], step);
  }
  return {x};
}

/// Blocks of b x b pixels become channels: [N,C,H,W] -> [N,C·b·b,H/b,W/b].
Variables space_to_depth_node(const Call& call) {
  const Variable& x = call.in(0);
  const std::int64_t b = call.integer("blocksize", 0);
  const Shape& s = x.value().shape();
  if (s.rank() != 4 || b < 1 || b > 32768 || s[2] % b != 0 || s[3] % b != 0)
    call.refuse("blocks of ", b, " of ", s, "; [N,C,H,W] whose H and W they divide is expected");
  const Variable blocks = reshape(x, {s[0], s[1], s[2] / b, b, s[3] / b, b});
  return {reshape(permute(blocks, {0, 3, 5, 1, 2, 4}), {s[0], s[1] * b * b, s[2] / b, s[3] / b})};
}

/// The way back, with the channels of a block in front of all (DCR) or behind (CRD, opset 11).
Variables depth_to_space_node(const Call& call) {
  const Variable& x = call.in(0);
  const std::int64_t b = call.integer("blocksize", 0);
  const Shape& s = x.value().shape();
  if (s.rank() != 4 || b < 1 || b > 32768 || s[1] % (b * b) != 0)
    call.refuse("blocks of ", b, " of ", s, "; [N,C,H,W] whose C their pixels divide is expected");
  const std::string mode = call.text("mode", "DCR");
  if (mode == "CRD") return {pixel_shuffle(x, b)};
  if (mode != "DCR") call.refuse("mode ", mode, "; known are DCR and CRD");
  const std::int64_t c = s[1] / (b * b);
  const Variable pixels = permute(reshape(x, {s[0], b, b, c, s[2], s[3]}), {0, 3, 4, 1, 5, 2});
  return {reshape(pixels, {s[0], c, s[2] * b, s[3] * b})};
}

/// Above (upper, the default) or below a diagonal all stays, the rest is 0.
Variables trilu_node(const Call& call) {
  const Variable& x = call.in(0);
  if (x.value().rank() < 2) call.refuse("input 0 is ", describe(x.value()), "; a matrix expected");
  const auto k = call.has(1) ? static_cast<std::int64_t>(call.in(1).value().item()) : 0;
  return {call.flag("upper", true) ? triu(x, k) : tril(x, k)};
}

}  // namespace

std::vector<OperatorEntry> shape_operators() {
  return {{"Concat", concat_node},
          {"DepthToSpace", depth_to_space_node},
          {"Expand", expand_node},
          {"Flatten", flatten_node},
          {"Reshape", reshape_node},
          {"Slice", slice_node},
          {"SpaceToDepth", space_to_depth_node},
          {"Split", split_node},
          {"Squeeze", squeeze_node},
          {"Tile", tile_node},
          {"Transpose", transpose_node},
          {"Trilu", trilu_node},
          {"Unsqueeze", unsqueeze_node}};
}

}  // namespace gradus::interchange
