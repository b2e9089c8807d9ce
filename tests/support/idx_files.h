// IDX files to read in tests, plain and packed.
#pragma once

#include <gradus/core/shape.h>

#include <filesystem>
#include <string>

#include <zlib.h>

/// The magic number, the sizes and then `data` as it is, fitting or not.
inline std::string idx_bytes(const gradus::Shape& shape, const std::string& data) {
  std::string bytes("\0\0\x08", 3);
  bytes += static_cast<char>(shape.rank());
  for (const std::int64_t size : shape) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(size >> shift);
  }
  return bytes + data;
}

inline void write_gz(const std::filesystem::path& path, const std::string& bytes) {
  const gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
}
