// The JSON header of a safetensors file, apart from the file: text to entries.
#pragma once

#include <gradus/io/safetensors.h>

namespace gradus {

/// Reads the header text `json` of a file with `data_bytes` bytes of data behind it. data_start is
/// left 0. Throws BadDataError, its message opening with `label`.
SafetensorsHeader parse_safetensors_header(const std::string& label, std::string_view json,
                                           std::int64_t data_bytes);

/// `text` as a JSON string.
/// Throws ValueError, its message opening with `label`, unless it is UTF-8.
std::string json_string(const std::string& label, const std::string& text);

}  // namespace gradus
