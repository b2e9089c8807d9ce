// IDX, the format of MNIST and its relatives: unsigned bytes in an array of any rank.
//
//   2 bytes   zero
//   1 byte    element type; 8 is unsigned byte, the only one these data sets use
//   1 byte    rank
//   4 bytes   each size, big-endian, outermost first
//   data      the elements, row-major
//
// Source: http://yann.lecun.com/exdb/mnist
#pragma once

#include <gradus/core/tensor.h>

#include <string>

namespace gradus {

/// Reads an IDX file of unsigned bytes, as it is or packed by gzip -> uint8 of the file's shape.
/// Throws NotFoundError when there is no file, IoError when it cannot be read, and BadDataError,
/// naming the file, when it is truncated, longer than its header says, damaged (gzip's checksum),
/// or no such file at all. Memory is taken only for what a file of this size can hold.
Tensor read_idx(const std::string& path);

}  // namespace gradus
