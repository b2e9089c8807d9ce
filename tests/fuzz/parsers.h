// One input for every parser whose kind of file it may be: what libFuzzer and the test of the corpus share.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

/// What reads bytes from outside.
enum class Parser { image, idx, npy, npz, csv, safetensors, net, checkpoint, onnx };
inline constexpr std::array<std::string_view, 9> parser_names = {
    "image", "idx", "npy", "npz", "csv", "safetensors", "net", "checkpoint", "onnx"};

/// How often each parser has read its input to the end without an error.
inline std::array<std::int64_t, parser_names.size()> times_read{};

/// Gives the bytes to the parsers. What they refuse they refuse by gradus::Error; any other exception, and
/// memory above 4 times the input and 64 MB, ends the process.
void parse(std::span<const std::byte> bytes);
