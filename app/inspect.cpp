// gradus inspect: the header of a safetensors file as a table. The data is not read.
#include <gradus/core/words.h>
#include <gradus/io/safetensors.h>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <string>

#include "commands.h"
#include "exit_code.h"
#include "json.h"

namespace gradus::app {

int run_inspect(const InspectOptions& options) {
  const SafetensorsHeader header = read_safetensors_header(options.file);
  if (options.json) {
    fmt::print("{}\n", to_json(options.file, header));
    return exit_ok;
  }
  std::size_t width = 4;
  std::size_t dtype_width = 5;
  std::int64_t elements = 0;
  for (const SafetensorsEntry& entry : header.tensors) {
    width = std::max(width, printable(entry.name).size());
    dtype_width = std::max(dtype_width, entry.dtype.size());
    elements += entry.shape.numel();
  }
  fmt::print("{:{}}  {:{}}  {:20} {:>12} {:>12}\n", "name", width, "dtype", dtype_width, "shape",
             "elements", "bytes");
  for (const SafetensorsEntry& entry : header.tensors) {
    fmt::print("{:{}}  {:{}}  {:20} {:>12} {:>12}\n", printable(entry.name), width, entry.dtype,
               dtype_width, to_string(entry.shape), entry.shape.numel(), entry.bytes);
  }
  fmt::print("{} tensors, {} elements, {} bytes\n", header.tensors.size(), elements,
             header.data_bytes);
  for (const auto& [key, value] : header.metadata) {
    fmt::print("{}: {}\n", printable(key), printable(value));
  }
  return exit_ok;
}

}  // namespace gradus::app
