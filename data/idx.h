// IDX, the format of MNIST and its relatives: numbers in an array of any rank.
//
//   2 bytes   zero
//   1 byte    element type: 8 unsigned byte, 9 signed byte, 11 int16, 12 int32, 13 float32,
//             14 float64
//   1 byte    rank
//   4 bytes   each size, big-endian, outermost first
//   data      the elements, row-major, big-endian
//
// Source: http://yann.lecun.com/exdb/mnist
#pragma once

#include <gradus/core/tensor.h>

#include <string>

namespace gradus {

/// Reads an IDX file, as it is or packed by gzip -> a tensor of the file's shape: unsigned bytes give
/// uint8, the other integers int64, floats float32 and float64. A gzip stream may have several
/// members; what takes more than 4 times the bytes of the file and 64 MiB is not unpacked.
/// Throws NotFoundError when there is no file, IoError when it cannot be read, and BadDataError,
/// naming the file, when it is truncated, longer than its header says, damaged (gzip's checksum),
/// followed by other bytes, or no such file at all. Memory is taken only for what a file of this
/// size can hold.
Tensor read_idx(const std::string& path);

}  // namespace gradus
