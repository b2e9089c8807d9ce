// zlib's gz functions read packed and plain files alike; the sizes are checked here, before
// they are believed.
#include <gradus/core/error.h>
#include <gradus/data/idx.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

#include <zlib.h>

namespace gradus {
namespace {

namespace fs = std::filesystem;

struct CloseGz {
  void operator()(gzFile file) const { gzclose_r(file); }
};

class GzReader {
 public:
  explicit GzReader(const fs::path& path) : label_("idx: " + path.string()) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (!fs::exists(status)) fail<NotFoundError>(label_, ": no such file");
    // A pipe would let gzopen wait for ever.
    if (!fs::is_regular_file(status)) fail<IoError>(label_, ": is not a regular file");
    stored_bytes_ = static_cast<std::int64_t>(fs::file_size(path, error));
    file_.reset(gzopen(path.c_str(), "rb"));
    if (file_ == nullptr) {
      fail<IoError>(label_, ": cannot open: ", std::generic_category().message(errno));
    }
    gzbuffer(file_.get(), 1 << 17);
  }

  const std::string& label() const { return label_; }

  /// How many bytes the file can unpack to: deflate makes at most 1032 out of one.
  std::int64_t most_bytes() const {
    constexpr std::int64_t most_per_byte = 1032;
    if (gzdirect(file_.get()) != 0) return stored_bytes_;
    return std::min(stored_bytes_, std::numeric_limits<std::int64_t>::max() / most_per_byte) *
           most_per_byte;
  }

  /// Up to `count` bytes; fewer only at the end of the file.
  std::int64_t read(void* target, std::int64_t count) {
    constexpr std::int64_t piece = 1 << 30;  // gzread counts in unsigned int
    auto* bytes = static_cast<char*>(target);
    std::int64_t done = 0;
    while (done < count) {
      const int got =
          gzread(file_.get(), bytes + done, static_cast<unsigned>(std::min(count - done, piece)));
      check_stream();
      if (got <= 0) break;
      done += got;
    }
    return done;
  }

 private:
  /// zlib reports a damaged or truncated stream only when asked.
  void check_stream() const {
    int code = Z_OK;
    const char* message = gzerror(file_.get(), &code);
    if (code == Z_ERRNO) {
      fail<IoError>(label_, ": cannot read: ", std::generic_category().message(errno));
    }
    if (code == Z_BUF_ERROR) {
      fail<BadDataError>(label_, ": gzip stream is truncated, file ends after ", stored_bytes_,
                         " bytes");
    }
    if (code != Z_OK && code != Z_STREAM_END) {
      // zlib's message opens with the path, which the label holds already.
      const std::string_view text = message;
      const std::size_t colon = text.rfind(": ");
      fail<BadDataError>(label_, ": gzip stream is damaged: ",
                         colon == std::string_view::npos ? text : text.substr(colon + 2));
    }
  }

  std::string label_;
  std::int64_t stored_bytes_ = 0;
  std::unique_ptr<std::remove_pointer_t<gzFile>, CloseGz> file_;
};

std::int64_t big_endian(const std::uint8_t* bytes) {
  std::int64_t value = 0;
  for (int i = 0; i < 4; ++i) value = value * 256 + bytes[i];
  return value;
}

/// The sizes that the header gives.
Shape read_shape(GzReader& file) {
  std::array<std::uint8_t, 4 + 4 * 255> header{};
  if (const std::int64_t got = file.read(header.data(), 4); got != 4) {
    fail<BadDataError>(file.label(), ": file ends after ", got, " bytes, the magic number takes 4");
  }
  if (header[0] != 0 || header[1] != 0 || header[2] != 8) {
    fail<BadDataError>(file.label(), ": begins with bytes ", int{header[0]}, " ", int{header[1]},
                       " ", int{header[2]}, ", an IDX file of unsigned bytes with 0 0 8");
  }
  const int rank = header[3];
  if (rank > Shape::max_rank) {
    fail<BadDataError>(file.label(), ": has ", rank, " dimensions, Gradus holds at most ",
                       Shape::max_rank);
  }
  if (const std::int64_t got = file.read(header.data() + 4, 4 * rank); got != 4 * rank) {
    fail<BadDataError>(file.label(), ": file ends after ", 4 + got, " bytes, header needs ",
                       4 + 4 * rank);
  }
  Shape shape;
  for (int d = 0; d < rank; ++d) shape.push_back(big_endian(header.data() + 4 + 4 * d));
  return shape;
}

/// Throws when the file cannot hold `shape`, without a product that overflows.
void check_room(const GzReader& file, const Shape& shape) {
  try {
    check_sizes("", shape);
  } catch (const ShapeError&) {
    fail<BadDataError>(file.label(), ": shape ", shape, " has too many elements");
  }
  const std::int64_t most = file.most_bytes();
  if (shape.numel() > most) {
    fail<BadDataError>(file.label(), ": shape ", shape, " takes ", shape.numel(),
                       " bytes, the file can hold at most ", most);
  }
}

}  // namespace

Tensor read_idx(const std::string& path) {
  GzReader file(path);
  const Shape shape = read_shape(file);
  check_room(file, shape);
  const Tensor tensor = Tensor::empty(shape, uint8);
  const std::int64_t got = file.read(tensor.data<std::uint8_t>(), tensor.numel());
  if (got != tensor.numel()) {
    fail<BadDataError>(file.label(), ": data ends after ", got, " bytes, shape ", shape, " takes ",
                       tensor.numel());
  }
  // Reading past the end is also what makes zlib compare the checksum.
  char surplus = 0;
  if (file.read(&surplus, 1) != 0) {
    fail<BadDataError>(file.label(), ": data goes on after the ", tensor.numel(),
                       " bytes that shape ", shape, " takes");
  }
  return tensor;
}

}  // namespace gradus
