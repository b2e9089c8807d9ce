// Tensors in a file: the safetensors format, which PyTorch, JAX, ONNX tools and browsers read too.
//
//   8 bytes   length of the header, little-endian
//   header    JSON: {"name": {"dtype": "F32", "shape": [2,3], "data_offsets": [0,24]}, ...}
//   data      the elements, row-major, little-endian; offsets count from here
//
// Unlike a pickle it holds nothing that could be executed, and unlike most formats its rules leave
// one reading of every byte. Gradus checks all of them: names are unique, the tensors fill the data
// without holes or overlaps exactly to the end of the file, and the header is at most 100,000,000
// bytes. Nothing is allocated for a tensor before the file is known to hold it.
//
// Source: https://huggingface.co/docs/safetensors
#pragma once

#include <gradus/core/tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

/// What the header tells of one tensor.
struct SafetensorsEntry {
  std::string name;
  std::string
      dtype;  ///< as in the file: "F32", also types that Gradus has no tensor for ("F8_E4M3")
  Shape shape;
  std::int64_t begin = 0;  ///< first byte, counted from the start of the data
  std::int64_t bytes = 0;
};

/// The header of a file, without the numbers.
struct SafetensorsHeader {
  std::vector<SafetensorsEntry> tensors;  ///< in the order of the header
  std::map<std::string, std::string> metadata;
  std::int64_t data_start = 0;  ///< where in the file the data begins
  std::int64_t data_bytes = 0;
};

/// Writes `tensors` so that the file at `path` is replaced as a whole or not at all. The same
/// tensors and metadata give the same bytes. Views are written row-major. Names keep their order;
/// in the data the wider types come first, so that each tensor is aligned to its element size.
/// Throws ValueError for an undefined tensor, a name used twice, the name "__metadata__" or text
/// that is not UTF-8; IoError when the file cannot be written.
void save_safetensors(const std::string& path, const NamedTensors& tensors,
                      const std::map<std::string, std::string>& metadata = {});

/// All tensors of a file, in the order of its header: F32, F64, F16, BF16, I64, U8 and BOOL, bit for bit.
/// F16 and BF16 give float16 and bfloat16, which are for storage: cast them with .to(float32).
/// Throws NotFoundError when there is no file, BadDataError when it breaks a rule of the format or
/// holds another dtype or more than 8 dimensions, or is another kind of file (a pickle or zip of
/// torch.save(), a Git LFS pointer, ...), which is named; IoError when it cannot be read.
/// The metadata of the same header goes to `metadata` unless that is nullptr.
NamedTensors load_safetensors(const std::string& path,
                              std::map<std::string, std::string>* metadata = nullptr);

/// The header alone, checked as load_safetensors checks it; the data is not read, and every dtype
/// of the format is allowed.
SafetensorsHeader read_safetensors_header(const std::string& path);

}  // namespace gradus
