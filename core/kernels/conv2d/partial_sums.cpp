// Partial sums of the weight gradient. See conv2d_partials.h.
#include <gradus/core/kernels/conv2d/partial_sums.h>

#include <algorithm>

#include <gradus/core/parallel.h>

namespace gradus::kernels {
namespace {

// Enough for the processors of a desktop; each part costs one more pass over the weights.
constexpr std::int64_t max_parts = 16;
constexpr std::int64_t max_partial_bytes = 32 * 1024 * 1024;
constexpr std::int64_t multiply_adds_per_part = 1'000'000;
constexpr std::int64_t outputs_per_part = 256;  // each weight is the sum of so many products

// Rows of the transposed sum that one chunk turns back: a cache line of each row of dw.
constexpr std::int64_t taps_per_chunk = 16;

}  // namespace

PartialSums plan_partial_sums(const Conv2dGeometry& g, std::int64_t items,
                              std::int64_t element_bytes) {
  const std::int64_t bytes = std::max<std::int64_t>(g.weight_size() * element_bytes, 1);
  const std::int64_t work = g.batch * g.out_plane() * g.weight_size();
  // Two parts at least, however large the weights: the second core is worth more than their memory.
  const std::int64_t affordable = std::max<std::int64_t>(2, max_partial_bytes / bytes);
  const std::int64_t long_enough = g.batch * g.out_plane() / outputs_per_part;
  const std::int64_t useful = std::min({work / multiply_adds_per_part + 1, affordable, max_parts,
                                        std::max<std::int64_t>(2, long_enough)});
  const std::int64_t items_per_part = std::max<std::int64_t>(1, (items + useful - 1) / useful);
  return {(items + items_per_part - 1) / items_per_part, items_per_part};
}

template <class T>
void add_partial_sums(const Conv2dGeometry& g, std::int64_t parts, const T* partials, T* dw) {
  const std::int64_t taps = g.taps();
  const std::int64_t channels = g.group_out_channels();
  const std::int64_t size = g.weight_size();
  parallel_for(g.groups * taps, taps_per_chunk, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {  // row = (group, i, c, j)
      const std::int64_t j = row % g.kernel_w;
      const std::int64_t c = row / g.kernel_w % g.group_in_channels();
      const std::int64_t i = row % taps / (g.kernel_w * g.group_in_channels());
      const T* in = partials + row * channels;
      T* out = dw + row / taps * channels * taps + (c * g.kernel_h + i) * g.kernel_w + j;
      for (std::int64_t co = 0; co < channels; ++co) {
        T sum = 0;
        for (std::int64_t part = 0; part < parts; ++part) sum += in[part * size + co];
        out[co * taps] = sum;
      }
    }
  });
}

template void add_partial_sums(const Conv2dGeometry&, std::int64_t, const float*, float*);
template void add_partial_sums(const Conv2dGeometry&, std::int64_t, const double*, double*);

}  // namespace gradus::kernels
