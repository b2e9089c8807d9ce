// One loop for everything that is computed element by element, over any strides.
//
// A Loop is the geometry: dimensions of size 1 are dropped and neighbours merged wherever all
// operands allow it, so a contiguous tensor of any rank is a single row. elementwise() walks rows;
// the innermost loop has unit strides known at compile time where it can, which is what lets the
// compiler vectorise it. Operand 0 is written.
#pragma once

#include <gradus/core/parallel.h>
#include <gradus/core/shape.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace gradus::kernels {

/// The merged geometry of N operands that share one shape; strides in elements, 0 where an
/// operand repeats.
template <std::size_t N> struct Loop {
  int rank = 0;  // at least 1
  std::int64_t count = 0;
  std::array<std::int64_t, Shape::max_rank> sizes{};
  std::array<std::array<std::int64_t, N>, Shape::max_rank> strides{};  // [dimension][operand]

  Loop(const Shape& shape, const std::array<Strides, N>& operands) : count(shape.numel()) {
    for (int d = 0; d < shape.rank(); ++d) {
      if (shape[d] == 1) continue;
      std::array<std::int64_t, N> step;
      for (std::size_t i = 0; i < N; ++i) step[i] = operands[i][d];
      bool merges = rank > 0;
      for (std::size_t i = 0; merges && i < N; ++i)
        merges = strides[last()][i] == step[i] * shape[d];
      if (merges) {
        sizes[last()] *= shape[d];
      } else {
        sizes[static_cast<std::size_t>(rank++)] = shape[d];
      }
      strides[last()] = step;
    }
    if (rank == 0) {
      rank = 1;
      sizes[0] = 1;
    }
  }

  std::size_t last() const { return static_cast<std::size_t>(rank - 1); }
  std::int64_t row_length() const { return sizes[last()]; }

  /// Where each operand stands at the start of `row` (rows count through all dimensions
  /// but the last).
  std::array<std::int64_t, N> row_start(std::int64_t row) const {
    std::array<std::int64_t, N> offset{};
    for (std::size_t d = last(); d-- > 0;) {
      const std::int64_t index = row % sizes[d];
      row /= sizes[d];
      for (std::size_t i = 0; i < N; ++i) offset[i] += index * strides[d][i];
    }
    return offset;
  }
};

/// out[i] = f(in[i]...) along one row.
template <class F, class Out, class... In>
void elementwise_row(std::int64_t n, const std::array<std::int64_t, 1 + sizeof...(In)>& step,
                     const F& f, Out* out, const In*... in) {
  const auto unit = [&]<std::size_t... I>(std::index_sequence<I...>) {
    return ((step[I] == 1) && ...);
  };
  if (unit(std::make_index_sequence<1 + sizeof...(In)>{})) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = f(in[i]...);
    return;
  }
  if constexpr (sizeof...(In) == 2) {  // a row against one repeated number
    const auto ends = [&](const auto* a, const auto* b) {
      if (step[0] == 1 && step[1] == 1 && step[2] == 0) {
        const auto repeated = *b;
        for (std::int64_t i = 0; i < n; ++i) out[i] = f(a[i], repeated);
        return true;
      }
      if (step[0] == 1 && step[1] == 0 && step[2] == 1) {
        const auto repeated = *a;
        for (std::int64_t i = 0; i < n; ++i) out[i] = f(repeated, b[i]);
        return true;
      }
      return false;
    };
    if (ends(in...)) return;
  }
  const auto strided = [&]<std::size_t... I>(std::index_sequence<I...>) {
    for (std::int64_t i = 0; i < n; ++i) out[i * step[0]] = f(in[i * step[I + 1]]...);
  };
  strided(std::make_index_sequence<sizeof...(In)>{});
}

/// Calls row(body, n, offsets) for stretches of rows that together cover the geometry. Apart from
/// elementwise(), and blind to what a row computes, so that it is compiled once per operand count.
template <std::size_t N>
void for_each_row(const Loop<N>& loop,
                  void (*row)(const void* body, std::int64_t n,
                              const std::array<std::int64_t, N>& offsets),
                  const void* body) {
  // Some 10 µs of work: below that a second thread costs more than it brings.
  constexpr std::int64_t grain = 16384;
  const std::int64_t length = loop.row_length();
  parallel_for(loop.count, grain, [&](std::int64_t begin, std::int64_t end) {
    while (begin < end) {
      const std::int64_t column = begin % length;
      const std::int64_t n = std::min(end - begin, length - column);
      auto offsets = loop.row_start(begin / length);
      for (std::size_t i = 0; i < N; ++i) offsets[i] += column * loop.strides[loop.last()][i];
      row(body, n, offsets);
      begin += n;
    }
  });
}

/// out = f(in...) over the whole geometry. `out` may be one of `in`, at the same strides.
template <class F, class Out, class... In>
void elementwise(const Loop<1 + sizeof...(In)>& loop, const F& f, Out* out, const In*... in) {
  constexpr std::size_t operands = 1 + sizeof...(In);
  const auto& step = loop.strides[loop.last()];
  const auto body = [&](std::int64_t n, const std::array<std::int64_t, operands>& offset) {
    const auto row = [&]<std::size_t... I>(std::index_sequence<I...>) {
      elementwise_row(n, step, f, out + offset[0], (in + offset[I + 1])...);
    };
    row(std::make_index_sequence<sizeof...(In)>{});
  };
  using Body = decltype(body);
  const auto call = [](const void* erased, std::int64_t n,
                       const std::array<std::int64_t, operands>& offset) {
    (*static_cast<const Body*>(erased))(n, offset);
  };
  for_each_row<operands>(loop, call, &body);
}

}  // namespace gradus::kernels
