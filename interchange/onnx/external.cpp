// Data beside the file: a name that comes from outside, and may lead nowhere but below the folder.
#include <gradus/core/words.h>
#include <gradus/interchange/onnx/tensor.h>
#include <gradus/io/input_file.h>

#include <filesystem>

namespace gradus::interchange {
namespace {

namespace fs = std::filesystem;

/// `location` below `folder`, each step of it a folder or file of its own.
fs::path below(const fs::path& folder, const fs::path& location, const std::string& place) {
  if (location.empty() || location.is_absolute() || location.has_root_name()) {
    fail<BadDataError>(place, ": external data in ", in_quotes(location.string()),
                       ", which must be a path below the folder of the file");
  }
  fs::path path = folder;
  for (const fs::path& step : location) {
    if (step == "..") {
      fail<BadDataError>(place, ": external data in ", in_quotes(location.string()),
                         ", which leads out of the folder of the file");
    }
    path /= step;
    std::error_code error;
    if (fs::is_symlink(fs::symlink_status(path, error))) {
      fail<BadDataError>(place, ": external data in ", in_quotes(location.string()), ", where ",
                         in_quotes(step.string()), " is a symbolic link; a file is expected");
    }
  }
  return path;
}

}  // namespace

std::string external_bytes(const std::string& folder, const ExternalPlace& from, std::int64_t size,
                           const std::string& place) {
  const std::string& location = from.location;
  if (folder.empty())
    fail<BadDataError>(place, ": external data, which only a file in a folder may have");
  if (location.find('\0') != std::string::npos) {
    fail<BadDataError>(place, ": external data in ", in_quotes(location),
                       ", a path with a byte 0; none may have one");
  }
  const InputFile file(place, below(folder, location, place).string());
  const bool is_there = from.offset <= file.size() && size <= file.size() - from.offset;
  if (!is_there || (from.length < 0 && size != file.size() - from.offset)) {
    fail<BadDataError>(file.label(), ": has ", file.size(), " bytes, the tensor wants ", size,
                       " from byte ", from.offset, " on", is_there ? " and no length is told" : "");
  }
  std::string bytes(static_cast<std::size_t>(size), '\0');
  file.read(from.offset, bytes.data(), size);
  return bytes;
}

}  // namespace gradus::interchange
