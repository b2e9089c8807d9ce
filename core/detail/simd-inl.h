// Loads and stores of the first few lanes of a vector that touch no memory beyond them, on any CPU,
// and short rows copied that way. (Highway's masked ones do where the CPU has no masks: they read,
// and write back, the whole vector.)
//
// Included by Highway kernels, once for each kind of CPU; hence no #pragma once.
#if defined(GRADUS_CORE_SIMD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GRADUS_CORE_SIMD_INL_H
#undef GRADUS_CORE_SIMD_INL_H
#else
#define GRADUS_CORE_SIMD_INL_H
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

/// Before a loop whose length is known when compiling, of an array in registers: only unrolled can
/// it stay there.
#undef GRADUS_UNROLL
#define GRADUS_UNROLL HWY_UNROLL(16)

HWY_BEFORE_NAMESPACE();
namespace gradus::simd::HWY_NAMESPACE {

/// from[0 .. count), then zeros.
template <class D>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> load_first(D tag, std::int64_t count,
                                                 const hwy::HWY_NAMESPACE::TFromD<D>* from) {
  namespace hn = hwy::HWY_NAMESPACE;
#if HWY_TARGET <= HWY_AVX2
  return hn::MaskedLoad(hn::FirstN(tag, static_cast<std::size_t>(count)), tag, from);
#else
  HWY_ALIGN hn::TFromD<D> lanes[hn::MaxLanes(D())] = {};
  std::copy_n(from, count, lanes);
  return hn::Load(tag, lanes);
#endif
}

/// Lanes i of [begin, end), which may reach beyond the vector on either side: worked out once, to
/// load from many places.
template <class T> class Range {
 public:
  HWY_INLINE Range() : Range(0, 0) {}
  HWY_INLINE Range(std::int64_t begin, std::int64_t end) {
    const std::int64_t last = std::clamp<std::int64_t>(end, 0, lanes);
    const std::int64_t first = std::clamp<std::int64_t>(begin, 0, last);
#if HWY_TARGET <= HWY_AVX2
    namespace hn = hwy::HWY_NAMESPACE;
    inside_ = hn::AndNot(hn::FirstN(tag, static_cast<std::size_t>(first)),
                         hn::FirstN(tag, static_cast<std::size_t>(last)));
#else
    first_ = first;
    last_ = last;
#endif
  }

  /// from[i] in these lanes, 0 in the others; touches no memory beyond them.
#if HWY_TARGET <= HWY_AVX2
  HWY_INLINE auto load(const T* from) const {
    return hwy::HWY_NAMESPACE::MaskedLoad(inside_, tag, from);
  }
#else
  // A call: so much text in each unrolled loop takes long to compile.
  HWY_NOINLINE auto load(const T* from) const {
    namespace hn = hwy::HWY_NAMESPACE;
    if (first_ == 0 && last_ == lanes) return hn::LoadU(tag, from);
    HWY_ALIGN T values[lanes] = {};
    std::copy(from + first_, from + last_, values + first_);
    return hn::Load(tag, values);
  }
#endif

 private:
  static constexpr hwy::HWY_NAMESPACE::ScalableTag<T> tag{};
  static constexpr auto lanes =
      static_cast<std::int64_t>(hwy::HWY_NAMESPACE::MaxLanes(hwy::HWY_NAMESPACE::ScalableTag<T>()));

#if HWY_TARGET <= HWY_AVX2
  hwy::HWY_NAMESPACE::Mask<hwy::HWY_NAMESPACE::ScalableTag<T>> inside_;
#else
  std::int64_t first_, last_;
#endif
};

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET > HWY_AVX3
/// Halves, quarters and so on, as the bits of `count` say: fewer than all lanes.
template <class D>
HWY_INLINE void store_bits(hwy::HWY_NAMESPACE::Vec<D> vector, D tag, std::int64_t count,
                           hwy::HWY_NAMESPACE::TFromD<D>* to) {
  namespace hn = hwy::HWY_NAMESPACE;
  if constexpr (hn::MaxLanes(D()) > 1) {
    const hn::Half<D> half;
    constexpr auto lanes = static_cast<std::int64_t>(hn::MaxLanes(half));
    if ((count & lanes) != 0) {
      hn::StoreU(hn::LowerHalf(half, vector), half, to);
      store_bits(hn::UpperHalf(half, vector), half, count, to + lanes);
    } else {
      store_bits(hn::LowerHalf(half, vector), half, count, to);
    }
  } else {
    static_cast<void>(tag);
    static_cast<void>(vector);
    static_cast<void>(to);
  }
}
#endif

/// The first `count` lanes -> to[0 .. count). Masked stores only where they are fast: those of AVX2
/// take some CPUs as long as ten others.
template <class D>
HWY_INLINE void store_first(hwy::HWY_NAMESPACE::Vec<D> vector, D tag, std::int64_t count,
                            hwy::HWY_NAMESPACE::TFromD<D>* to) {
  namespace hn = hwy::HWY_NAMESPACE;
#if HWY_TARGET == HWY_SCALAR
  if (count > 0) hn::StoreU(vector, tag, to);
#elif HWY_TARGET <= HWY_AVX3
  hn::BlendedStore(vector, hn::FirstN(tag, static_cast<std::size_t>(count)), tag, to);
#else
  if (count == static_cast<std::int64_t>(hn::MaxLanes(D()))) return hn::StoreU(vector, tag, to);
  store_bits(vector, tag, count, to);
#endif
}

/// A vector of a row, and the last of it, with fewer lanes.
template <class T> struct Whole {
  using Tag = hwy::HWY_NAMESPACE::ScalableTag<T>;
  using Vector = hwy::HWY_NAMESPACE::Vec<Tag>;
  HWY_INLINE Vector load(const T* from) const { return hwy::HWY_NAMESPACE::LoadU(Tag(), from); }
  HWY_INLINE void store(Vector v, T* to) const { hwy::HWY_NAMESPACE::StoreU(v, Tag(), to); }
};
template <class T> struct Part {
  using Tag = hwy::HWY_NAMESPACE::ScalableTag<T>;
  using Vector = hwy::HWY_NAMESPACE::Vec<Tag>;
  std::int64_t count;
  HWY_INLINE Vector load(const T* from) const { return load_first(Tag(), count, from); }
  HWY_INLINE void store(Vector v, T* to) const { store_first(v, Tag(), count, to); }
};

/// Calls f(i, Whole or Part) for each vector of `count` numbers.
template <class T, class F> HWY_INLINE void for_each_vector(std::int64_t count, const F& f) {
  const auto lanes =
      static_cast<std::int64_t>(hwy::HWY_NAMESPACE::Lanes(hwy::HWY_NAMESPACE::ScalableTag<T>()));
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) f(i, Whole<T>());
  if (i < count) f(i, Part<T>{count - i});
}

/// Calls f(i, Whole or Part) for vectors that together cover `count` numbers. The last one moves
/// back, over numbers that are done already, so as to be whole: for an f that may be done twice.
template <class T, class F> HWY_INLINE void cover(std::int64_t count, const F& f) {
  constexpr auto lanes =
      static_cast<std::int64_t>(hwy::HWY_NAMESPACE::MaxLanes(hwy::HWY_NAMESPACE::ScalableTag<T>()));
  if (count < lanes) {
    if (count > 0) f(std::int64_t{0}, Part<T>{count});
    return;
  }
  for (std::int64_t i = 0; i < count; i += lanes) f(std::min(i, count - lanes), Whole<T>());
}

template <class T> HWY_NOINLINE void clear_some(std::int64_t count, T* to) {
  cover<T>(count, [&](std::int64_t k, auto some) HWY_ATTR {
    some.store(hwy::HWY_NAMESPACE::Zero(hwy::HWY_NAMESPACE::ScalableTag<T>()), to + k);
  });
}

/// to[k] = 0. This and the next are for rows that are too short for memset and memcpy.
template <class T> HWY_INLINE void clear_row(std::int64_t count, T* to) {
  if (count > 0) clear_some(count, to);
}

/// to[k] = from[k], in memory that does not overlap.
template <class T>
HWY_NOINLINE void copy_row(const T* HWY_RESTRICT from, std::int64_t count, T* HWY_RESTRICT to) {
  cover<T>(count,
           [&](std::int64_t k, auto some) HWY_ATTR { some.store(some.load(from + k), to + k); });
}

}  // namespace gradus::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
