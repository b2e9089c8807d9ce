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
/// Where a file says that the bytes of a tensor are.
struct ExternalPlace {
  std::string location;      ///< a path below the folder of the file
  std::int64_t offset = 0;   ///< in that file
  std::int64_t length = -1;  ///< -1: up to its end
};
/// Of a tensor that has its data in another file, which `place` names. Throws BadDataError for numbers that are none.
ExternalPlace external_place(const onnx::TensorProto& from, const std::string& place);
/// The `size` bytes there. Throws BadDataError, before any are read, for a place that is not in `folder` or below it, for
/// a symbolic link on the way there, for bytes that are not there, and where the end of the file tells another number.
std::string external_bytes(const std::string& folder, const ExternalPlace& from, std::int64_t size,
                           const std::string& place);

}  // namespace gradus::interchange
