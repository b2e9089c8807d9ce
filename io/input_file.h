// A file to read from any position, with its size known beforehand: formats check every length they
// meet against it before they allocate.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gradus {

/// A file that is open for reading.
class InputFile {
 public:
  /// Opens for reading; `format` opens every message. Throws NotFoundError when there is no such
  /// file, IoError when it cannot be read or is not a regular file (a folder, a pipe).
  InputFile(std::string_view format, const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  /// "safetensors: model.safetensors", the beginning of a message about this file.
  const std::string& label() const { return label_; }
  std::int64_t size() const { return size_; }
  /// Up to `count` bytes from `offset` on; fewer only at the end of the file. Returns how many.
  std::int64_t read_some(std::int64_t offset, void* target, std::int64_t count) const;
  /// Bytes offset .. offset+count-1 into `target`. Throws BadDataError when the file ends before.
  void read(std::int64_t offset, void* target, std::int64_t count) const;

 private:
  std::string label_;
  int descriptor_ = -1;
  std::int64_t size_ = 0;
};

}  // namespace gradus
