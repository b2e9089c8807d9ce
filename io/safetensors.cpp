// Files and tensors; what the header says is read in safetensors_header.cpp.
#include <gradus/core/error.h>
#include <gradus/core/words.h>
#include <gradus/io/atomic_file.h>
#include <gradus/io/input_file.h>
#include <gradus/io/safetensors.h>
#include <gradus/io/safetensors_header.h>

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <optional>
#include <unordered_set>

namespace gradus {
namespace {

static_assert(std::endian::native == std::endian::little,
              "elements are written as they lie in memory");

constexpr std::int64_t longest_header = 100'000'000;
constexpr std::int64_t length_bytes = 8;

constexpr std::array<std::pair<DType, std::string_view>, 7> dtype_names = {{{float32, "F32"},
                                                                            {float64, "F64"},
                                                                            {float16, "F16"},
                                                                            {bfloat16, "BF16"},
                                                                            {int64, "I64"},
                                                                            {uint8, "U8"},
                                                                            {boolean, "BOOL"}}};

std::string_view name_of(DType dtype) {
  return std::ranges::find(dtype_names, dtype, &std::pair<DType, std::string_view>::first)->second;
}

std::optional<DType> dtype_named(std::string_view name) {
  const auto found =
      std::ranges::find(dtype_names, name, &std::pair<DType, std::string_view>::second);
  return found == dtype_names.end() ? std::nullopt : std::optional(found->first);
}

std::int64_t bytes_of(const Tensor& tensor) { return tensor.numel() * size_of(tensor.dtype()); }

void check_savable(const std::string& label, const NamedTensors& tensors) {
  std::unordered_set<std::string_view> names;
  for (const auto& [name, tensor] : tensors) {
    if (!tensor.defined()) fail<ValueError>(label, ": tensor ", in_quotes(name), " is undefined");
    if (name == "__metadata__") fail<ValueError>(label, ": a tensor cannot be named __metadata__");
    if (!names.insert(name).second) {
      fail<ValueError>(label, ": two tensors are named ", in_quotes(name));
    }
  }
}

/// Positions in the order of the data: wide elements first, so that every tensor is
/// aligned to its own.
std::vector<std::size_t> data_order(const NamedTensors& tensors) {
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater(),
                           [&](std::size_t i) { return size_of(tensors[i].second.dtype()); });
  return order;
}

/// The header, padded with spaces so that the data begins at a multiple of 8.
std::string header_text(const std::string& label, const NamedTensors& tensors,
                        const std::vector<std::size_t>& order,
                        const std::map<std::string, std::string>& metadata) {
  std::vector<std::int64_t> begin(tensors.size());
  std::int64_t end = 0;
  for (const std::size_t i : order) {
    begin[i] = end;
    end += bytes_of(tensors[i].second);
  }
  std::string text = "{";
  const auto separate = [&text](char opening) {
    if (text.back() != opening) text += ',';
  };
  if (!metadata.empty()) {
    text += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) {
      separate('{');
      text += json_string(label, key) + ":" + json_string(label, value);
    }
    text += "}";
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto& [name, tensor] = tensors[i];
    separate('{');
    text += json_string(label, name) + ":{\"dtype\":\"";
    text += name_of(tensor.dtype());
    text += "\",\"shape\":" + to_string(tensor.shape()) +
            ",\"data_offsets\":" + to_string(Shape{begin[i], begin[i] + bytes_of(tensor)}) + "}";
  }
  text += "}";
  text.resize((text.size() + length_bytes - 1) / length_bytes * length_bytes, ' ');
  if (std::ssize(text) > longest_header) {
    fail<ValueError>(label, ": header of ", text.size(), " bytes, the format allows ",
                     longest_header);
  }
  return text;
}

/// What a file is whose first bytes are those of another format; nothing where they are of none that
/// is taken for safetensors. A header has '{' behind its length: a length that looks like one of these is
/// none of them.
std::string_view other_format(std::string_view start) {
  struct Format {
    std::string_view magic, name;
  };
  using namespace std::string_view_literals;
  constexpr Format formats[] = {
      {"version https://git-lfs.github.com/spec/"sv,
       "a Git LFS pointer, not the file that it stands for; fetch that with git lfs pull"sv},
      {"PK\3\4"sv,
       "a zip archive, as torch.save() writes; convert it with safetensors.torch.save_file()"sv},
      {"GGUF"sv, "a GGUF file"sv},
      {"\x89HDF\r\n"sv, "an HDF5 file, as Keras writes"sv},
      {"\x93NUMPY"sv, "a NumPy array"sv},
      {"\x1f\x8b"sv, "compressed by gzip; unpack it first"sv},
      {"<!DOCTYPE"sv, "a web page, not a download"sv},
      {"<html"sv, "a web page, not a download"sv},
  };
  constexpr auto first_of_header = static_cast<std::size_t>(length_bytes);
  if (start.size() > first_of_header && start[first_of_header] == '{') return {};
  // Its protocol follows.
  if (start.size() > 1 && start[0] == '\x80' && start[1] >= 2 && start[1] <= 5)
    return "a pickle, which may hold code; convert it with safetensors.torch.save_file()";
  for (const Format& format : formats) {
    if (start.starts_with(format.magic)) return format.name;
  }
  return {};
}

void check_format(const InputFile& file) {
  constexpr std::int64_t longest_magic = 64;
  std::string start(static_cast<std::size_t>(std::min(file.size(), longest_magic)), '\0');
  file.read(0, start.data(), std::ssize(start));
  if (const std::string_view name = other_format(start); !name.empty())
    fail<BadDataError>(file.label(), ": is ", name);
}

SafetensorsHeader read_header(const InputFile& file) {
  check_format(file);
  if (file.size() < length_bytes) {
    fail<BadDataError>(file.label(), ": file ends after ", file.size(),
                       " bytes, the header length takes ", length_bytes);
  }
  std::uint64_t length = 0;
  file.read(0, &length, length_bytes);
  if (length > static_cast<std::uint64_t>(longest_header)) {
    fail<BadDataError>(file.label(), ": header of ", length, " bytes, the format allows ",
                       longest_header);
  }
  const std::int64_t data_start = length_bytes + static_cast<std::int64_t>(length);
  if (data_start > file.size()) {
    fail<BadDataError>(file.label(), ": file ends after ", file.size(), " bytes, header needs ",
                       data_start);
  }
  std::string text(static_cast<std::size_t>(length), '\0');
  file.read(length_bytes, text.data(), std::ssize(text));
  SafetensorsHeader header = parse_safetensors_header(file.label(), text, file.size() - data_start);
  header.data_start = data_start;
  return header;
}

Tensor read_tensor(const InputFile& file, std::int64_t data_start, const SafetensorsEntry& entry) {
  const std::optional<DType> dtype = dtype_named(entry.dtype);
  if (!dtype) {
    fail<BadDataError>(file.label(), ": tensor ", in_quotes(entry.name), " is ", entry.dtype,
                       ", Gradus reads F32, F64, F16, BF16, I64, U8 and BOOL");
  }
  Tensor tensor = Tensor::empty(entry.shape, *dtype);
  std::byte* bytes = tensor.storage().data();
  file.read(data_start + entry.begin, bytes, entry.bytes);
  if (*dtype == boolean) {
    std::byte* end = bytes + entry.bytes;
    std::byte* bad = std::find_if(bytes, end, [](std::byte b) { return b > std::byte{1}; });
    if (bad != end) {
      fail<BadDataError>(file.label(), ": tensor ", in_quotes(entry.name), " holds ",
                         std::to_integer<int>(*bad), " at element ", bad - bytes,
                         ", a BOOL is 0 or 1");
    }
  }
  return tensor;
}

}  // namespace

void save_safetensors(const std::string& path, const NamedTensors& tensors,
                      const std::map<std::string, std::string>& metadata) {
  const std::string label = "safetensors: " + path;
  check_savable(label, tensors);
  const std::vector<std::size_t> order = data_order(tensors);
  const std::string header = header_text(label, tensors, order, metadata);
  write_file_atomically(path, [&](ByteSink& sink) {
    const std::uint64_t length = header.size();
    sink.write(std::as_bytes(std::span(&length, 1)));
    sink.write(header);
    for (const std::size_t i : order) {
      const Tensor tensor = tensors[i].second.contiguous();
      const std::byte* bytes = tensor.storage().data() + tensor.offset() * size_of(tensor.dtype());
      sink.write(std::span(bytes, static_cast<std::size_t>(bytes_of(tensor))));
    }
  });
}

NamedTensors load_safetensors(const std::string& path,
                              std::map<std::string, std::string>* metadata) {
  const InputFile file("safetensors", path);
  SafetensorsHeader header = read_header(file);
  if (metadata != nullptr) *metadata = std::move(header.metadata);
  NamedTensors tensors;
  tensors.reserve(header.tensors.size());
  for (const SafetensorsEntry& entry : header.tensors) {
    tensors.emplace_back(entry.name, read_tensor(file, header.data_start, entry));
  }
  return tensors;
}

SafetensorsHeader read_safetensors_header(const std::string& path) {
  return read_header(InputFile("safetensors", path));
}

}  // namespace gradus
