// ONNX files to graphs and back. These functions are defined in a library of their own, gradus_onnx, for they alone
// need protobuf: a program that calls them links gradus::gradus_onnx besides gradus::gradus.
//
// A file comes from anywhere, so nothing in it is believed: every name must be known, every size fit the bytes that are
// there, and what would cost more memory than the file is worth is refused before it is read.
//
// Source: https://github.com/onnx/onnx/blob/main/docs/IR.md
#pragma once

#include <gradus/interchange/graph.h>

#include <string>
#include <string_view>
#include <vector>

namespace gradus::interchange {

/// The versions of ONNX's operators that are read; 17 is written.
inline constexpr std::int64_t oldest_opset = 6;
/// Likewise.
inline constexpr std::int64_t newest_opset = 17;

/// Was gradus_onnx built with ONNX? Without it the functions below throw IoError, naming the packages to install.
bool has_onnx();

/// The graph of a .onnx file. Tensors of float32, float64, float16, bfloat16, uint8, bool and int64 stay what they
/// are; int8, int16, int32, uint16 and uint32 are held as int64, as are the uint64 that it can hold, and attributes
/// that name such a type (of Cast, for one) name int64. External data are read from the file's folder and those below
/// it. Throws NotFoundError and IoError for a file that cannot be read; BadDataError, naming file, node and both
/// values, for one that is damaged or no ONNX, that is of another opset, larger than the limits, with names that are
/// unknown or given twice, nodes that take what only later ones give, tensors that do not have as many bytes as their
/// sizes say, external data elsewhere; and for strings, sequences, sparse tensors and nodes with graphs of their own.
/// Where `external_files` is not null, the paths of the files that external data were read from are added to it.
Graph read_onnx(const std::string& path, std::vector<std::string>* external_files = nullptr);
/// The same of the bytes of a file, which `label` names in messages. External data are refused.
Graph parse_onnx(std::string_view bytes, const std::string& label);
/// The one tensor of a .pb file (a TensorProto), by the same rules.
Tensor read_onnx_tensor(const std::string& path);

/// Writes an ONNX file, which is replaced as a whole or not at all. Throws as onnx_bytes(), and IoError.
void write_onnx(const Graph& graph, const std::string& path);
/// The bytes of such a file: IR version 8, the opset of the graph. Throws ValueError for what ONNX cannot say.
std::string onnx_bytes(const Graph& graph);

}  // namespace gradus::interchange
