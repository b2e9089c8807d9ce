// NumPy's array files: .npy holds one array, .npz is a zip archive of them, stored or deflated.
//
//   6 bytes   "\x93NUMPY"
//   2 bytes   version: 1.0, 2.0 or 3.0
//   2 bytes   length of the header, little-endian; 4 bytes from version 2.0 on
//   header    {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } as Python writes a dict
//   data      the elements, nothing between them
//
// What would have to be run or guessed (objects, records, text) is refused by name. Nothing is
// allocated for an array before the file is known to hold it; what is packed may take 4 times its
// packed bytes and 64 MiB, which real arrays rarely pass and bombs do at once.
//
// Sources: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html and
// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
#pragma once

#include <gradus/core/tensor.h>

#include <string>

namespace gradus {

/// The array of a .npy file, as it is or packed by gzip, of either byte order. bool, uint8, float16,
/// float32 and float64 stay what they are; int8, int16, int32, int64, uint16 and uint32 give int64, 8
/// bytes each. An array in Fortran's order gives a tensor with such strides: .contiguous() makes it
/// row-major.
/// Throws NotFoundError when there is no file, IoError when it cannot be read, BadDataError when it
/// is damaged, longer or shorter than its header says, or holds another dtype or more than 8
/// dimensions.
Tensor load_npy(const std::string& path);

/// All arrays of a .npz file under their names without ".npy", in the order of the archive's
/// directory. The checksum of each is compared. Throws what load_npy throws, and BadDataError for an
/// archive that is damaged, encrypted, packed otherwise than by deflate, has entries that overlap, two
/// of one name, or one that is no array.
NamedTensors load_npz(const std::string& path);

/// Writes `tensor` row-major to a .npy file of version 1.0, which is replaced as a whole or not at all
/// (io/atomic_file.h). Throws ValueError for an undefined
/// tensor, DTypeError for bfloat16, which NumPy has not, IoError when the system refuses.
void save_npy(const std::string& path, const Tensor& tensor);

}  // namespace gradus
