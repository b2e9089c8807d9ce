// Making tensors: constants, ranges and random numbers.
#pragma once

#include <gradus/core/random.h>
#include <gradus/core/tensor.h>

namespace gradus {

Tensor zeros(const Shape& shape, DType dtype = default_dtype());
Tensor ones(const Shape& shape, DType dtype = default_dtype());
Tensor full(const Shape& shape, double value, DType dtype = default_dtype());
/// Same shape and dtype as `like`, contiguous.
Tensor zeros_like(const Tensor& like);
Tensor ones_like(const Tensor& like);
Tensor empty_like(const Tensor& like);
/// start, start+step, ... below stop. Throws ValueError when step is 0 or leads away from stop.
Tensor arange(double start, double stop, double step = 1, DType dtype = default_dtype());
/// 0, 1, ..., stop-1 in int64.
Tensor arange(std::int64_t stop);
/// `count` evenly spaced numbers, both ends included.
Tensor linspace(double start, double stop, std::int64_t count, DType dtype = default_dtype());
/// The identity matrix [n,n].
Tensor eye(std::int64_t n, DType dtype = default_dtype());
/// The same with m columns: ones on the diagonal of [n,m].
Tensor eye(std::int64_t n, std::int64_t m, DType dtype = default_dtype());

/// Uniform in [0, 1); float32 or float64.
Tensor rand(const Shape& shape, Generator& generator, DType dtype = default_dtype());
/// Standard normal; float32 or float64.
Tensor randn(const Shape& shape, Generator& generator, DType dtype = default_dtype());
/// Uniform integers low .. high-1. Throws DTypeError where the dtype does not hold them all.
Tensor randint(std::int64_t low, std::int64_t high, const Shape& shape, Generator& generator,
               DType dtype = int64);
/// A random order of 0 .. n-1, int64 (Fisher-Yates).
Tensor randperm(std::int64_t n, Generator& generator);

}  // namespace gradus
