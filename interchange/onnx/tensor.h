// Tensors of ONNX files.
#pragma once

#include <gradus/core/tensor.h>
#include <gradus/interchange/graph.h>

#include <onnx/onnx_pb.h>

#include <string>
#include <string_view>

namespace gradus::interchange {

/// The dtype that holds numbers of ONNX's type `data_type`, as onnx_file.h tells. Throws BadDataError, opened by
/// `place`, for types that none holds.
DType held_as(std::int64_t data_type, const std::string& place);
/// Is it one of the attributes that name a type by ONNX's number?
bool names_type(const Attribute& attribute);
/// "int32"
std::string name_of_type(std::int64_t data_type);
/// Of a tensor that `place` names. External data are read below `folder`; without one they are refused.
/// Throws BadDataError.
Tensor tensor_of(const onnx::TensorProto& from, const std::string& folder,
                 const std::string& place);
/// The `size` bytes, or all there are for -1, of `location` from `offset` on. Throws BadDataError for a place that is
/// not in `folder` or below it, for a symbolic link on the way there, and for bytes that are not there.
std::string external_bytes(const std::string& folder, const std::string& location,
                           std::int64_t offset, std::int64_t size, const std::string& place);

}  // namespace gradus::interchange
