// How a tensor is cut into blocks, and what becomes of their sums. See batch_norm.h.
#include <gradus/core/kernels/norm/batch_norm.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include <gradus/core/kernels/ceil_div.h>
#include <gradus/core/kernels/workspace.h>
#include <gradus/core/parallel.h>

namespace gradus::kernels {
namespace {

constexpr std::int64_t elements_per_block = 16384;  // some 10 µs, and 64 KB of each operand

/// Blocks of about elements_per_block: whole channels of one image, as many images as it takes, or
/// a piece of one plane. A slice is what one range of images (and piece) holds of all channels.
struct Partition {
  std::int64_t piece, channels, images;               // of a block, at most
  std::int64_t pieces, channel_blocks, image_blocks;  // how many

  explicit Partition(const ChannelPlanes& p)
      : piece(std::clamp<std::int64_t>(p.plane, 1, elements_per_block)),
        channels(std::clamp<std::int64_t>(elements_per_block / piece, 1,
                                          std::max<std::int64_t>(p.channels, 1))),
        images(std::max<std::int64_t>(1, elements_per_block / (piece * channels))),
        pieces(ceil_div(p.plane, piece)),
        channel_blocks(ceil_div(p.channels, channels)),
        image_blocks(ceil_div(p.images, images)) {}

  std::int64_t slices() const { return image_blocks * pieces; }
};

/// Calls f(block, offset of its first element, its first channel, slice) for every block.
template <class F> void for_each_block(const ChannelPlanes& p, const Partition& cut, const F& f) {
  parallel_for(cut.slices() * cut.channel_blocks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t slice = i / cut.channel_blocks;
      const std::int64_t channel = i % cut.channel_blocks * cut.channels;
      const std::int64_t image = slice / cut.pieces * cut.images;
      const std::int64_t first = slice % cut.pieces * cut.piece;
      const ChannelTile block{.images = std::min(cut.images, p.images - image),
                              .channels = std::min(cut.channels, p.channels - channel),
                              .length = std::min(cut.piece, p.plane - first),
                              .image_step = p.channels * p.plane,
                              .channel_step = p.plane};
      f(block, (image * p.channels + channel) * p.plane + first, channel, slice);
    }
  });
}

/// Sums for each channel, one kind or more: every block has a place of its own to write to,
/// [slice][kind][channel], and what the slices hold is added in their order.
class SlicedSums {
 public:
  SlicedSums(const ChannelPlanes& planes, const Partition& cut, std::int64_t kinds)
      : channels_(planes.channels),
        kinds_(kinds),
        slices_(cut.slices()),
        sums_(std::max<std::int64_t>(slices_, 1) * kinds * channels_) {
    if (slices_ == 0) std::fill_n(sums_.data(), kinds * channels_, 0.0);
  }

  double* at(std::int64_t slice, std::int64_t kind) {
    return sums_.data() + (slice * kinds_ + kind) * channels_;
  }
  /// Afterwards at(0, kind) holds the sums over all slices.
  void add_up() {
    double* total = at(0, 0);
    for (std::int64_t slice = 1; slice < slices_; ++slice) {
      const double* part = at(slice, 0);
      for (std::int64_t i = 0; i < kinds_ * channels_; ++i) total[i] += part[i];
    }
  }

 private:
  std::int64_t channels_;
  std::int64_t kinds_;
  std::int64_t slices_;
  Workspace<double> sums_;
};

}  // namespace

template <class T> void channel_sums(const ChannelPlanes& planes, const T* x, double* sum) {
  const Partition cut(planes);
  SlicedSums sums(planes, cut, 1);
  for_each_block(
      planes, cut,
      [&](const ChannelTile& block, std::int64_t offset, std::int64_t channel, std::int64_t slice) {
        tile_sums(block, x + offset, sums.at(slice, 0) + channel);
      });
  sums.add_up();
  std::copy_n(sums.at(0, 0), planes.channels, sum);
}

// One pass suffices for float32. With s one of the n numbers themselves, and sums in float64,
//   n·var = Σ(x-s)² - (Σ(x-s))²/n
// loses little: (mean-s)² is part of n·var, so Σ(x-s)² is at most n+1 times n·var. Where s is an
// ordinary number, it is a few times n·var. float64 has no wider type to add in: it takes the mean
// of a first pass for s, and the formula becomes the corrected two-pass one (T. Chan, G. Golub,
// R. LeVeque, "Algorithms for computing the sample variance", 1983).
template <class T>
void channel_moments(const ChannelPlanes& planes, const T* x, T* mean, T* variance) {
  const Partition cut(planes);
  const auto count = static_cast<double>(planes.images * planes.plane);
  Workspace<T> shifts(planes.channels);
  T* shift = shifts.data();
  // Infinity less infinity would be NaN, and the mean is infinite.
  const auto usable = [](T value) { return std::isfinite(value) ? value : T{0}; };
  for (std::int64_t c = 0; c < planes.channels; ++c) shift[c] = usable(x[c * planes.plane]);
  SlicedSums sums(planes, cut, 2);
  constexpr int passes = std::is_same_v<T, float> ? 1 : 2;
  for (int pass = 0; pass < passes; ++pass) {
    for_each_block(planes, cut,
                   [&](const ChannelTile& block, std::int64_t offset, std::int64_t channel,
                       std::int64_t slice) {
                     tile_moments(block, shift + channel, x + offset, sums.at(slice, 0) + channel,
                                  sums.at(slice, 1) + channel);
                   });
    sums.add_up();
    for (std::int64_t c = 0; c < planes.channels; ++c) {
      const double sum = sums.at(0, 0)[c];
      const double squares = sums.at(0, 1)[c] - sum * (sum / count);
      mean[c] = static_cast<T>(static_cast<double>(shift[c]) + sum / count);
      variance[c] = static_cast<T>((squares < 0 ? 0 : squares) / count);
      shift[c] = usable(mean[c]);
    }
  }
}

template <class T>
void channel_map(const ChannelPlanes& planes, const ChannelMap<T>& map, const T* x, T* y) {
  for_each_block(planes, Partition(planes),
                 [&](const ChannelTile& block, std::int64_t offset, std::int64_t channel,
                     std::int64_t) { tile_map(block, map.from(channel), x + offset, y + offset); });
}

template <class T>
void channel_grad_sums(const ChannelPlanes& planes, const ChannelMap<T>& map, const T* dy,
                       const T* x, T* total, T* along) {
  const Partition cut(planes);
  SlicedSums sums(planes, cut, 2);
  for_each_block(
      planes, cut,
      [&](const ChannelTile& block, std::int64_t offset, std::int64_t channel, std::int64_t slice) {
        tile_grad_sums(block, map.from(channel), dy + offset, x + offset,
                       sums.at(slice, 0) + channel, sums.at(slice, 1) + channel);
      });
  sums.add_up();
  for (std::int64_t c = 0; c < planes.channels; ++c) {
    total[c] = static_cast<T>(sums.at(0, 0)[c]);
    along[c] = static_cast<T>(sums.at(0, 1)[c]);
  }
}

template <class T>
void channel_input_grad(const ChannelPlanes& planes, const ChannelMap<T>& map, const T* dy,
                        const T* x, const T* offset, const T* slope, T* dx) {
  for_each_block(
      planes, Partition(planes),
      [&](const ChannelTile& block, std::int64_t start, std::int64_t channel, std::int64_t) {
        tile_input_grad(block, map.from(channel), dy + start, x + start, offset + channel,
                        slope + channel, dx + start);
      });
}

template void channel_sums(const ChannelPlanes&, const float*, double*);
template void channel_sums(const ChannelPlanes&, const double*, double*);
template void channel_moments(const ChannelPlanes&, const float*, float*, float*);
template void channel_moments(const ChannelPlanes&, const double*, double*, double*);
template void channel_map(const ChannelPlanes&, const ChannelMap<float>&, const float*, float*);
template void channel_map(const ChannelPlanes&, const ChannelMap<double>&, const double*, double*);
template void channel_grad_sums(const ChannelPlanes&, const ChannelMap<float>&, const float*,
                                const float*, float*, float*);
template void channel_grad_sums(const ChannelPlanes&, const ChannelMap<double>&, const double*,
                                const double*, double*, double*);
template void channel_input_grad(const ChannelPlanes&, const ChannelMap<float>&, const float*,
                                 const float*, const float*, const float*, float*);
template void channel_input_grad(const ChannelPlanes&, const ChannelMap<double>&, const double*,
                                 const double*, const double*, const double*, double*);

}  // namespace gradus::kernels
