// The header decides how many bytes must follow.
#include <gradus/core/error.h>
#include <gradus/data/detail/files.h>
#include <gradus/data/idx.h>

#include <array>
#include <optional>

namespace gradus {
namespace {

std::int64_t big_endian_size(const std::uint8_t* bytes) {
  std::int64_t value = 0;
  for (int i = 0; i < 4; ++i) value = value * 256 + bytes[i];
  return value;
}

std::optional<detail::StoredNumber> idx_number(int code) {
  switch (code) {
    case 0x08:
      return detail::StoredNumber{'u', 1, true};
    case 0x09:
      return detail::StoredNumber{'i', 1, true};
    case 0x0B:
      return detail::StoredNumber{'i', 2, true};
    case 0x0C:
      return detail::StoredNumber{'i', 4, true};
    case 0x0D:
      return detail::StoredNumber{'f', 4, true};
    case 0x0E:
      return detail::StoredNumber{'f', 8, true};
    default:
      return std::nullopt;
  }
}

struct IdxHeader {
  detail::StoredNumber number;
  Shape shape;
};

IdxHeader read_idx_header(detail::PackedFile& file) {
  std::array<std::uint8_t, 4 + 4 * 255> header{};
  if (const std::int64_t got = file.read(header.data(), 4); got != 4) {
    fail<BadDataError>(file.label(), ": file ends after ", got, " bytes, the magic number takes 4");
  }
  const auto number = idx_number(header[2]);
  if (header[0] != 0 || header[1] != 0 || !number) {
    fail<BadDataError>(file.label(), ": begins with bytes ", int{header[0]}, " ", int{header[1]},
                       " ", int{header[2]}, ", an IDX file with 0 0 and 8, 9, 11, 12, 13 or 14");
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
  for (int d = 0; d < rank; ++d) shape.push_back(big_endian_size(header.data() + 4 + 4 * d));
  return {*number, shape};
}

}  // namespace

Tensor read_idx(const std::string& path) {
  detail::PackedFile file("idx", path);
  const auto [number, shape] = read_idx_header(file);
  detail::check_countable(file.label(), shape);
  const std::int64_t bytes = shape.numel() * number.bytes;
  file.check_room(text_of("shape ", shape), bytes, shape.numel() * size_of(number.dtype()));
  Tensor tensor = Tensor::empty(shape, number.dtype());
  const auto read = [&](void* target, std::int64_t count) { return file.read(target, count); };
  if (const std::int64_t got = detail::read_numbers(read, number, tensor); got != bytes) {
    fail<BadDataError>(file.label(), ": data ends after ", got, " bytes, shape ", shape, " takes ",
                       bytes);
  }
  // Only reading past the end unpacks the checksum and sees what follows.
  char surplus = 0;
  if (file.read(&surplus, 1) != 0) {
    fail<BadDataError>(file.label(), ": data goes on after the ", bytes, " bytes that shape ",
                       shape, " takes");
  }
  return tensor;
}

}  // namespace gradus
