// What the readers of several formats share: files that may be packed, numbers as files store them, and
// the search for the files of a data set.
#pragma once

#include <gradus/core/tensor.h>
#include <gradus/io/input_file.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gradus::detail {

/// What unpacking may take beyond 4 times the packed bytes.
inline constexpr std::int64_t unpacking_allowance = std::int64_t{64} << 20;

/// A file that is read once from front to back, as it is or unpacked where it is a gzip stream.
class PackedFile {
 public:
  /// Throws what InputFile throws.
  PackedFile(std::string_view format, const std::string& path);
  ~PackedFile();
  PackedFile(const PackedFile&) = delete;
  PackedFile& operator=(const PackedFile&) = delete;

  const std::string& label() const { return file_.label(); }
  bool packed() const { return inflater_ != nullptr; }
  /// Bytes on the disk.
  std::int64_t size() const { return file_.size(); }
  /// Up to `count` bytes; fewer only at the end, which is reached only where all checksums are right
  /// and nothing follows the stream. Throws BadDataError.
  std::int64_t read(void* target, std::int64_t count);
  /// Throws BadDataError when the file cannot hold the `stored` bytes of `what`, or when a packed
  /// file makes it take more `memory` than 4 times its bytes and the allowance.
  void check_room(std::string_view what, std::int64_t stored, std::int64_t memory) const;

 private:
  struct Inflater;
  bool refill();
  bool next_member();

  InputFile file_;
  std::int64_t position_ = 0;  // of the next byte to be read from the disk
  std::unique_ptr<Inflater> inflater_;
};

/// How a file stores a number. `kind` is NumPy's letter: b a truth value, i signed, u unsigned,
/// f IEEE's float; of 1, 2, 4 or 8 bytes.
struct StoredNumber {
  char kind = 'u';
  int bytes = 1;
  bool big_endian = false;

  /// What it becomes in a tensor: uint8, bool, float16, float32, float64, else int64.
  DType dtype() const;
};

/// Up to `count` bytes; fewer only at the end.
using ReadBytes = std::function<std::int64_t(void* target, std::int64_t count)>;

/// Fills `tensor`, contiguous and of stored.dtype(), with the numbers that `read` gives; returns how
/// many bytes of them there were.
std::int64_t read_numbers(const ReadBytes& read, const StoredNumber& stored, const Tensor& tensor);

/// Throws BadDataError, opening with `label`, when the bytes of `shape` cannot be counted.
void check_countable(const std::string& label, const Shape& shape);

/// Throws BadDataError, opening with `label`, for the first of the numbers that as float32 is not finite: one of them makes
/// every mean, and then every weight, no number. Of a floating dtype, float16 too.
void expect_finite(const std::string& label, const Tensor& numbers);

/// The files that a data set has, and where they may lie.
struct DatasetFiles {
  std::string name;                       ///< of the data set, for messages
  std::vector<std::string> subfolders{};  ///< of the data folder, searched before that itself
  /// Each file under all its names; messages use the first.
  std::vector<std::vector<std::string>> files{};
  bool packed = false;    ///< each may be there as name.gz instead
  std::string install{};  ///< the command that brings the files
  /// More folders, where no data folder is given.
  std::vector<std::string> (*elsewhere)() = nullptr;
};

/// Where the files are, in the order of `wanted`: all in the first folder that has any of them, of
/// `data_dir` or, where that is empty, of $GRADUS_DATA_DIR and elsewhere(). Throws NotFoundError,
/// which names the folders and the command.
std::vector<std::string> find_files(const DatasetFiles& wanted, const std::string& data_dir);

}  // namespace gradus::detail
