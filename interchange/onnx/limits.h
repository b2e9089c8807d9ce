// How much a file may ask for. A node of two bytes becomes some two hundred in memory: so the parts of a file are
// counted where they lie, before protobuf makes anything of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gradus::interchange {

/// Nodes of a graph; the largest nets in use have some ten thousand.
inline constexpr std::int64_t most_nodes = 100'000;
/// Fields of all messages together: names, attributes, sizes.
inline constexpr std::int64_t most_fields = 2'000'000;
/// Bytes of tensors whose numbers are packed one by one, which grow eightfold; raw data may be of any size.
inline constexpr std::int64_t most_packed_bytes = std::int64_t{64} << 20;
/// Graphs within nodes of graphs, and so on.
inline constexpr int deepest_nesting = 32;

/// Throws BadDataError, opened by `label`, for bytes that are no messages of protobuf in the places where a model has
/// them, and for those that pass the limits.
void check_limits(std::string_view bytes, const std::string& label);

}  // namespace gradus::interchange
