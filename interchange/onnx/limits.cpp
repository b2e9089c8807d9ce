// A walk over the bytes of a model: each field is a key, of its number and kind, then a number or a length and as many
// bytes. Source: https://protobuf.dev/programming-guides/encoding/
#include <gradus/core/error.h>
#include <gradus/interchange/onnx/limits.h>

#include <optional>

namespace gradus::interchange {
namespace {

/// The messages in which there may be many others.
enum class Part {
  model,
  function,
  training,
  graph,
  node,
  attribute,
  tensor,
  value,
  type,
  tensor_type,
  shape
};

struct Child {
  Part in;
  std::uint64_t field;
  Part part;
};
constexpr Child children[] = {
    {Part::model, 7, Part::graph},       {Part::model, 20, Part::training},
    {Part::model, 25, Part::function},   {Part::training, 1, Part::graph},
    {Part::training, 2, Part::graph},    {Part::function, 7, Part::node},
    {Part::graph, 1, Part::node},        {Part::graph, 5, Part::tensor},
    {Part::graph, 11, Part::value},      {Part::graph, 12, Part::value},
    {Part::graph, 13, Part::value},      {Part::node, 5, Part::attribute},
    {Part::attribute, 5, Part::tensor},  {Part::attribute, 6, Part::graph},
    {Part::attribute, 10, Part::tensor}, {Part::attribute, 11, Part::graph},
    {Part::value, 2, Part::type},        {Part::type, 1, Part::tensor_type},
    {Part::tensor_type, 2, Part::shape},
};

/// What lies within a field, where that is counted.
std::optional<Part> part_of(Part in, std::uint64_t field) {
  for (const Child& child : children) {
    if (child.in == in && child.field == field) return child.part;
  }
  return std::nullopt;
}

/// Lists of numbers, each of which may be one byte: of an attribute, and the sizes of a tensor.
bool is_list(Part in, std::uint64_t field) {
  return (in == Part::attribute && (field == 7 || field == 8)) ||
         (in == Part::tensor && field == 1);
}

/// A tensor's numbers other than raw ones.
bool is_packed(Part in, std::uint64_t field) {
  return in == Part::tensor && (field == 5 || field == 7 || field == 11);
}

class Walk {
 public:
  explicit Walk(const std::string& label) : label_(label) {}

  void message(Part part, std::string_view bytes, int depth) {
    if (depth > 4 * deepest_nesting) {
      fail<BadDataError>(label_, ": graphs within nodes more than ", deepest_nesting, " deep");
    }
    while (!bytes.empty()) {
      const std::uint64_t key = varint(bytes);
      const std::uint64_t field = key >> 3;
      count(fields_, 1, most_fields, "fields");
      if (part == Part::graph && field == 1) count(nodes_, 1, most_nodes, "nodes");
      switch (key & 7) {
        case 0:
          varint(bytes);
          break;
        case 1:
          take(bytes, 8);
          break;
        case 2: {
          const std::string_view content = take(bytes, varint(bytes));
          const auto size = static_cast<std::int64_t>(content.size());
          if (const auto within = part_of(part, field)) message(*within, content, depth + 1);
          if (is_list(part, field)) count(fields_, size, most_fields, "fields");
          if (is_packed(part, field)) {
            count(packed_, size, most_packed_bytes, "bytes of packed numbers");
          }
          break;
        }
        case 5:
          take(bytes, 4);
          break;
        default:
          fail<BadDataError>(label_, ": no ONNX file, or damaged: a field of kind ", key & 7,
                             ", known are 0, 1, 2 and 5");
      }
    }
  }

 private:
  void count(std::int64_t& counter, std::int64_t more, std::int64_t most, const char* what) {
    counter += more;
    if (counter > most) {
      fail<BadDataError>(label_, ": has ", counter, " ", what, " or more, at most ", most,
                         " are read");
    }
  }

  std::uint64_t varint(std::string_view& bytes) const {
    std::uint64_t number = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(bytes, 1)[0]);
      number |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return number;
    }
    fail<BadDataError>(label_, ": no ONNX file, or damaged: a number of more than 10 bytes");
  }

  std::string_view take(std::string_view& bytes, std::uint64_t size) const {
    if (size > bytes.size()) {
      fail<BadDataError>(label_, ": no ONNX file, or cut off: a field of ", size,
                         " bytes where only ", bytes.size(), " are left");
    }
    const std::string_view taken = bytes.substr(0, size);
    bytes.remove_prefix(size);
    return taken;
  }

  const std::string& label_;
  std::int64_t fields_ = 0;
  std::int64_t nodes_ = 0;
  std::int64_t packed_ = 0;
};

}  // namespace

void check_limits(std::string_view bytes, const std::string& label) {
  Walk(label).message(Part::model, bytes, 0);
}

}  // namespace gradus::interchange
