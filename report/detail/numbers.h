// Numbers: the arrays of a report, end to end in one packed block, each once; and which of them fit.
#pragma once

#include <gradus/core/tensor.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace gradus::detail {

/// What goes first where not all fits.
enum class Rank {
  arrival,
  node_gradient,
  node_value,
  snapshot,
  parameter_gradient,
  convolution,
  parameter,
  picture,
};

/// First every array is asked for once, in add(). fit() then decides, and place_of() says where each begins.
class Numbers {
 public:
  /// `group`: those of a group are left out together; 0 stands for a group of its own.
  void add(const Tensor& tensor, Rank rank, std::size_t group = 0);
  /// Leaves out what goes first until the rest, packed and in base64, takes `bytes` at most.
  void fit(std::int64_t bytes);
  /// How much that is about, if nothing is left out.
  std::int64_t size() const;
  /// Where its numbers begin; nullopt where they are left out.
  std::optional<std::int64_t> place_of(const Tensor& tensor) const;
  /// "float32", "uint8" or "int64": float64 is shown as float32.
  static std::string_view dtype_of(const Tensor& tensor);
  /// What the file carries: base64 of a gzip stream of all.
  std::string base64() const;

 private:
  struct Array {
    std::string bytes;
    std::int64_t packed = 0;  // by itself
    std::int64_t at = -1;     // -1: left out
  };
  struct Use {
    std::size_t array;
    Rank rank;
    std::size_t group;
  };
  std::optional<std::size_t> find(const std::string& bytes) const;

  std::vector<Array> arrays_;
  std::vector<Use> uses_;
  std::unordered_multimap<std::size_t, std::size_t> by_hash_;
  std::size_t last_group_ = std::size_t{1} << 32;  // beyond those that are given
};

std::string gzip(std::string_view bytes, int level);
std::string base64(std::string_view bytes);

}  // namespace gradus::detail
