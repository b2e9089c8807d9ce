// The table of faults, and how they are planted. See kernel_faults.h.
#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>
#include <gradus/core/math.h>
#include <gradus/gradcheck/detail/probe.h>
#include <gradus/gradcheck/kernel_faults.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

namespace gradus {
namespace {

using Tensors = std::vector<Tensor>;

/// The widest vector of float32 that any of the kernels is compiled for.
constexpr std::int64_t lanes = 16;
/// Rows of a tile: those of Winograd's outputs, and of the smallest block of a matrix product.
constexpr std::int64_t tile = 4;
/// Chunks of threads that a result is cut into.
constexpr std::int64_t chunks = 4;

// ---- Where a fault sits ----

/// A copy to spoil.
Tensor copy_of(const Tensor& result) { return result.contiguous().clone(); }

/// What the memory held before.
Tensor stale(const KernelPass& pass) {
  if (pass.before.defined()) return pass.before.contiguous();
  const Tensor reversed = copy_of(pass.right.result);
  std::reverse(reversed.data<float>(), reversed.data<float>() + reversed.numel());
  return reversed;
}

struct Range {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// The result as a list of rows along its last axis.
struct Rows {
  std::int64_t count = 1;    // in all
  std::int64_t columns = 1;  // numbers in each
  std::int64_t height = 1;   // rows of one matrix or plane

  explicit Rows(const Shape& shape) {
    if (shape.rank() > 0) columns = shape[shape.rank() - 1];
    if (shape.rank() > 1) height = shape[shape.rank() - 2];
    count = shape.numel() / std::max<std::int64_t>(columns, 1);
  }

  /// Of the matrix in the middle.
  Range row(std::int64_t i) const {
    const std::int64_t first = count / height / 2 * height;
    return {(first + i) * columns, (first + i + 1) * columns};
  }
  /// What is left of the last row when whole vectors are done; where they fit, the last of them.
  Range remainder() const {
    const std::int64_t left = columns % lanes == 0 ? std::min(columns, lanes) : columns % lanes;
    return {count * columns - left, count * columns};
  }
  Range lane() const {
    const Range whole = remainder();
    const std::int64_t middle = (whole.begin + whole.end) / 2;
    return {middle, middle + 1};
  }
  /// The last row of the first tile that another row follows.
  std::int64_t last_of_tile() const { return std::min(tile, height - 1) - 1; }
  Range last_chunk() const {
    const std::int64_t n = count * columns;
    return {n - (n + chunks - 1) / chunks, n};
  }
};

/// The result with `numbers` in the range.
Tensor with(const Tensor& result, Range range, const Tensor& numbers) {
  const Tensor wrong = copy_of(result);
  std::copy(numbers.data<float>() + range.begin, numbers.data<float>() + range.end,
            wrong.data<float>() + range.begin);
  return wrong;
}

Tensor with(const Tensor& result, Range range, double value) {
  return with(result, range, full(result.shape(), value));
}

// ---- Where a fault can be ----

bool has_numbers(const KernelPass& pass) { return pass.right.result.numel() > 0; }
bool has_tiles(const KernelPass& pass) {
  return pass.right.result.rank() > 1 && has_numbers(pass) && pass.right.result.size(-2) > 1;
}
bool has_images(const KernelPass& pass) {
  return pass.right.result.rank() > 2 && has_numbers(pass) && pass.right.result.size(0) > 1;
}
bool is_plane_of(const KernelPass& pass, std::string_view family) {
  return pass.right.result.rank() == 4 && has_numbers(pass) &&
         pass.right.op.find(family) != std::string::npos;
}
bool has_strides(const KernelPass& pass) {
  return is_plane_of(pass, "conv2d") || is_plane_of(pass, "pool2d");
}
bool has_groups(const KernelPass& pass) {
  return is_plane_of(pass, "conv2d") && pass.right.result.size(1) % 2 == 0;
}
bool has_winograd_tiles(const KernelPass& pass) {
  return is_plane_of(pass, "conv2d") && pass.right.result.size(-1) > 1 &&
         pass.right.algorithm.find("winograd") != std::string::npos;
}

bool has_inputs(const KernelPass& pass) { return pass.runs != nullptr; }
/// y or dL/dx of a convolution: the sum over the taps is there, and w is input 1.
bool has_taps(const KernelPass& pass) {
  if (!has_inputs(pass) || !is_plane_of(pass, "conv2d") || pass.runs->inputs().size() < 2)
    return false;
  const bool weights_out = pass.right.op.find("weight_grad") != std::string::npos;
  return !weights_out && pass.index < 2 && pass.runs->inputs()[1].rank() == 4;
}
/// y of f(x, w, b), b with a number for each channel.
bool has_bias(const KernelPass& pass) {
  return has_inputs(pass) && pass.index == 0 && pass.runs->inputs().size() == 3 &&
         pass.runs->inputs()[2].rank() == 1 && pass.runs->inputs()[2].numel() > 0;
}

// ---- What is computed from other inputs ----

/// The last slice of an axis of an input is not read.
Tensors without_last_slices(const KernelPass& pass) {
  Tensors wrong;
  const Variables& inputs = pass.runs->inputs();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    for (int axis = 0; axis < inputs[i].rank(); ++axis) {
      const std::int64_t size = inputs[i].size(axis);
      if (size < 2) continue;
      wrong.push_back(pass.runs->pass(
          pass.index, "slice " + std::to_string(i) + " " + std::to_string(axis),
          [=](Tensors& changed) { changed[i].narrow(axis, size - 1, 1).fill_(0); }));
    }
  }
  return wrong;
}

/// The first or the last tap is not added along the border of the planes.
Tensors without_border_taps(const KernelPass& pass) {
  Tensors wrong;
  for (const bool last : {false, true}) {
    const Tensor lost =
        pass.runs->pass(pass.index, last ? "last tap" : "first tap", [last](Tensors& changed) {
          const Tensor& w = changed[1];
          const std::int64_t y = last ? w.size(-2) - 1 : 0;
          const std::int64_t x = last ? w.size(-1) - 1 : 0;
          w.narrow(-2, y, 1).narrow(-1, x, 1).fill_(0);
        });
    const Tensor border = copy_of(pass.right.result);
    for (const int axis : {-2, -1}) {
      for (const std::int64_t at : {std::int64_t{0}, border.size(axis) - 1})
        border.narrow(axis, at, 1).copy_(lost.narrow(axis, at, 1));
    }
    wrong.push_back(border);
  }
  return wrong;
}

Tensors without_one_bias(const KernelPass& pass) {
  return {pass.runs->pass(pass.index, "bias", [](Tensors& changed) {
    changed[2].narrow(0, changed[2].size(0) / 2, 1).fill_(0);
  })};
}

/// relu(y) - relu(-y) = y. -y is what the op makes of the parameters negated: b and both addends of
/// a sum, w and b of the rest; without them there is no activation to drop.
Tensor opposite(const KernelPass& pass) {
  return pass.runs->pass(pass.index, "opposite", [](Tensors& changed) {
    const bool is_sum = changed.size() == 2 && changed[0].shape() == changed[1].shape();
    for (std::size_t i = is_sum ? 0 : 1; i < changed.size(); ++i)
      changed[i].copy_(core::neg(changed[i]));
  });
}
bool never_negative(const Tensor& y) { return y.numel() > 0 && core::min(y).item() >= 0; }
/// Only what ends in a relu is never negative, whichever the sign of its parameters.
bool has_activation(const KernelPass& pass) {
  return has_inputs(pass) && pass.index == 0 && pass.runs->inputs().size() > 1 &&
         never_negative(pass.right.result) && never_negative(opposite(pass));
}
Tensors without_activation(const KernelPass& pass) {
  const Rows rows(pass.right.result.shape());
  const Tensor plain = core::sub(pass.right.result, opposite(pass)).contiguous();
  return {with(pass.right.result, rows.last_chunk(), plain)};
}

// ---- What is written to other places ----

Tensors without_a_phase(const KernelPass& pass) {
  Tensors wrong;
  const Shape& shape = pass.right.result.shape();
  const Rows rows(shape);
  for (const std::int64_t phase : {0, 1, 2, 3}) {
    const Tensor y = copy_of(pass.right.result);
    for (std::int64_t row = 0; row < rows.count; ++row) {
      if (row % rows.height % 2 != phase / 2) continue;
      for (std::int64_t column = phase % 2; column < rows.columns; column += 2)
        y.data<float>()[row * rows.columns + column] = 0;
    }
    wrong.push_back(y);
  }
  return wrong;
}

Tensors image_of_neighbour(const KernelPass& pass) {
  const Tensor wrong = copy_of(pass.right.result);
  wrong.select(0, 0).copy_(pass.right.result.select(0, 1));
  return {wrong};
}

Tensors group_of_another(const KernelPass& pass) {
  const Tensor wrong = copy_of(pass.right.result);
  const std::int64_t half = wrong.size(1) / 2;
  wrong.narrow(1, 0, half).copy_(pass.right.result.narrow(1, half, half));
  return {wrong};
}

/// The last column of the first tile of a plane holds what stands beside it.
Tensors winograd_edge(const KernelPass& pass) {
  const Tensor wrong = copy_of(pass.right.result);
  const std::int64_t height = std::min(tile, wrong.size(-2));
  const std::int64_t edge = std::min(tile, wrong.size(-1)) - 1;
  const auto column = [&](const Tensor& of, std::int64_t x) {
    return of.select(0, 0).select(0, 0).narrow(0, 0, height).narrow(1, x, 1);
  };
  column(wrong, edge).copy_(column(pass.right.result, edge - 1));
  return {wrong};
}

Tensors repeated_row(const KernelPass& pass) {
  const Rows rows(pass.right.result.shape());
  const Tensor wrong = copy_of(pass.right.result);
  const Range from = rows.row(rows.last_of_tile() + 1);
  float* numbers = wrong.data<float>();
  std::copy(numbers + from.begin, numbers + from.end,
            numbers + rows.row(rows.last_of_tile()).begin);
  return {wrong};
}

/// A fault that overwrites a range of the result by a number, or by what its memory held.
template <class Where> auto overwritten(Where where, std::optional<double> value) {
  return [=](const KernelPass& pass) {
    const Range range = where(Rows(pass.right.result.shape()));
    return Tensors{value ? with(pass.right.result, range, *value)
                         : with(pass.right.result, range, stale(pass))};
  };
}

/// The sum of one block is added to what the last block left, which was the same.
Tensors added_twice(const KernelPass& pass) {
  const Rows rows(pass.right.result.shape());
  const Range block{0, std::min(tile, rows.height) * rows.columns};
  return {with(pass.right.result, block, core::mul(pass.right.result, 2).contiguous())};
}

/// Of one shape. A NaN differs from any number, and from no NaN.
bool differ(const Tensor& a, const Tensor& b) {
  const Tensor left = a.contiguous();
  const Tensor right = b.contiguous();
  const float* x = left.data<float>();
  return !std::equal(x, x + left.numel(), right.data<float>(), [](float one, float other) {
    return one == other || (std::isnan(one) && std::isnan(other));
  });
}

bool is_wrong(Float32Comparison comparison, const Tensor& result) {
  comparison.result = result;
  return compare_float32(comparison).wrong > 0;
}

}  // namespace

const std::vector<KernelFault>& kernel_faults() {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  const auto lane = [](const Rows& rows) { return rows.lane(); };
  const auto remainder = [](const Rows& rows) { return rows.remainder(); };
  const auto tile_end = [](const Rows& rows) { return rows.row(rows.last_of_tile()); };
  const auto chunk = [](const Rows& rows) { return rows.last_chunk(); };
  static const std::vector<KernelFault> all{
      {"tile row missing", has_tiles, overwritten(tile_end, 0)},
      {"tile row repeated", has_tiles, repeated_row},
      {"remainder zero", has_numbers, overwritten(remainder, 0)},
      {"remainder stale", has_numbers, overwritten(remainder, {})},
      {"lane zero", has_numbers, overwritten(lane, 0)},
      {"lane stale", has_numbers, overwritten(lane, {})},
      {"chunk not a number", has_numbers, overwritten(chunk, nan)},
      {"chunk zero", has_numbers, overwritten(chunk, 0)},
      {"chunk stale", has_numbers, overwritten(chunk, {})},
      {"block added twice", has_numbers, added_twice},
      {"image of neighbour", has_images, image_of_neighbour},
      {"group of another", has_groups, group_of_another},
      {"phase of stride zero", has_strides, without_a_phase},
      {"winograd tile edge", has_winograd_tiles, winograd_edge},
      {"border tap missing", has_taps, without_border_taps},
      {"last slice not read", has_inputs, without_last_slices},
      {"bias of a channel dropped", has_bias, without_one_bias},
      {"activation dropped", has_activation, without_activation},
  };
  return all;
}

Tensor SampleRuns::pass(std::size_t pass, const std::string& key, const Change& change) {
  const auto [found, is_new] = results_.try_emplace(key);
  Tensors& results = found->second;
  if (is_new) {
    Tensors changed;
    for (const Variable& input : sample_.inputs) {
      const Tensor& value = input.value();
      changed.push_back(
          copy_with_layout(value, is_floating(value.dtype()) ? float32 : value.dtype()));
    }
    if (change) change(changed);
    Variables leaves;
    for (std::size_t i = 0; i < changed.size(); ++i)
      leaves.emplace_back(changed[i], sample_.inputs[i].requires_grad());
    const GradMode recording(true);
    const Variable y = sample_.function(leaves);
    results.push_back(y.value().clone());
    if (y.requires_grad()) {
      if (!slope_.defined()) {
        Generator generator(Float32Options().seed);
        slope_ = random_weights(y.shape(), generator).to(float32);
      }
      y.backward(Variable(slope_.clone()));
    }
    for (const Variable& leaf : leaves)
      results.push_back(leaf.grad().defined() ? leaf.grad().value().clone() : Tensor());
  }
  return pass < results.size() ? results[pass] : Tensor();
}

std::int64_t KernelFaultRecord::planted() const {
  std::int64_t count = 0;
  for (const KernelFaultRow& row : rows) count += row.planted;
  return count;
}

std::int64_t KernelFaultRecord::caught() const {
  std::int64_t count = 0;
  for (const KernelFaultRow& row : rows) count += row.caught;
  return count;
}

void plant_kernel_faults(const KernelPass& pass, const std::string& sample,
                         KernelFaultRecord& record) {
  const Float32Comparison& right = pass.right;
  ++record.good;
  const Float32Difference as_it_is = compare_float32(right);
  if (as_it_is.wrong > 0) record.false_alarms.push_back(sample + ": " + as_it_is.to_string());
  for (const KernelFault& fault : kernel_faults()) {
    if (!fault.applies(pass)) continue;
    KernelFaultRow row{right.op, sample, right.pass, right.algorithm, std::string(fault.name)};
    for (const Tensor& wrong : fault.spoil(pass)) {
      if (!differ(right.result, wrong)) continue;
      ++row.planted;
      row.caught += is_wrong(right, wrong) ? 1 : 0;
    }
    if (row.planted > 0) record.rows.push_back(std::move(row));
  }
}

void plant_kernel_faults(std::string_view op, const Sample& sample, KernelFaultRecord& record) {
  std::vector<Float32Comparison> comparisons;
  Float32Options options;
  options.visit = [&](Float32Comparison& comparison) {
    if (comparison.op != op || comparison.pass.starts_with("sum of")) return;
    comparisons.push_back(comparison);
    // The run goes on with its numbers, and may work in them.
    comparisons.back().result = copy_of(comparison.result);
  };
  gradcheck_float32(sample.function, sample.inputs, options);
  SampleRuns runs(sample);
  for (Float32Comparison& comparison : comparisons) {
    KernelPass pass{.right = std::move(comparison)};
    for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
      if (pass.right.pass == "gradient of input " + std::to_string(i)) pass.index = i + 1;
    }
    const Tensor again = runs.pass(pass.index, "", {});
    const bool same = again.defined() && again.shape() == pass.right.result.shape() &&
                      !differ(again, pass.right.result);
    if (same) pass.runs = &runs;
    plant_kernel_faults(pass, sample.description, record);
  }
}

}  // namespace gradus
