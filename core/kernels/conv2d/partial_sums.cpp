// Partial sums of the weight gradient. See partial_sums.h.
#include <gradus/core/kernels/conv2d/partial_sums.h>

#include <algorithm>

#include <gradus/core/kernels/ceil_div.h>
#include <gradus/core/kernels/work.h>
#include <gradus/core/parallel.h>

namespace gradus::kernels {
namespace {

// Enough for the processors of a desktop; each part costs one more pass over the weights.
constexpr std::int64_t max_parts = 16;
constexpr std::int64_t max_partial_bytes = 32 * 1024 * 1024;
constexpr std::int64_t multiply_adds_per_part = 1'000'000;
constexpr std::int64_t outputs_per_part = 256;  // each weight is the sum of so many products

}  // namespace

PartialSums plan_partial_sums(const Conv2dGeometry& g, std::int64_t items,
                              std::int64_t element_bytes) {
  const std::int64_t bytes = std::max<std::int64_t>(g.weight_size() * element_bytes, 1);
  const std::int64_t work = saturating_product({g.batch, g.out_plane(), g.weight_size()});
  // Two parts at least, however large the weights: the second core is worth more than their memory.
  const std::int64_t affordable = std::max<std::int64_t>(2, max_partial_bytes / bytes);
  const std::int64_t long_enough = g.batch * g.out_plane() / outputs_per_part;
  const std::int64_t useful = std::min({work / multiply_adds_per_part + 1, affordable, max_parts,
                                        std::max<std::int64_t>(2, long_enough)});
  const std::int64_t items_per_part = std::max<std::int64_t>(1, ceil_div(items, useful));
  return {ceil_div(items, items_per_part), items_per_part};
}

template <class T> void add_partial_sums(std::int64_t parts, std::int64_t size, T* partials) {
  constexpr std::int64_t sums_per_chunk = 16384;
  parallel_for(size, sums_per_chunk, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t part = 1; part < parts; ++part) {
      const T* more = partials + part * size;
      for (std::int64_t k = begin; k < end; ++k) partials[k] += more[k];
    }
  });
}

template void add_partial_sums(std::int64_t, std::int64_t, float*);
template void add_partial_sums(std::int64_t, std::int64_t, double*);

}  // namespace gradus::kernels
