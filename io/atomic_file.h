// Replacing a file as a whole: who reads it sees the old content or the new, never a
// part of either.
//
// The content goes to a temporary file in the same folder, is flushed to the disk (fsync), and
// takes the old file's place by a rename, which the system does in one step; the folder is flushed
// last, so that the rename survives a power failure. On any failure before the rename the temporary
// file is removed and the old file is as it was. Where the process is killed the temporary file,
// .NAME.0.gradus-tmp, stays until the file is written the next time. Several may write the same file at once:
// the last to finish stays.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace gradus {

/// Takes the bytes of a file, front to back.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  /// Throws IoError naming the file when the system refuses the bytes.
  virtual void write(std::span<const std::byte> bytes) = 0;
  /// The same of text.
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
};

/// Puts `content` in the place of `path`, which need not exist; its folder must. A symbolic link is
/// followed, also to a file that is not there yet; permissions of an existing file are kept. Throws
/// IoError naming the file and the reason, also when `path` is a folder or a device.
void write_file_atomically(const std::string& path, std::string_view content);
/// The same with content that `writer` hands over piece by piece; what it throws passes through.
void write_file_atomically(const std::string& path, const std::function<void(ByteSink&)>& writer);

/// What was made, renamed or removed in a folder reaches the disk. Throws IoError.
void flush_folder(const std::string& path);

}  // namespace gradus
