// A layer as the text of a net has it, for the files that make layers of it.
#pragma once

#include <gradus/core/error.h>
#include <gradus/core/random.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/image.h>
#include <gradus/layers/models.h>
#include <gradus/layers/net_json.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace gradus::detail {

using NetJson = nlohmann::json;

inline constexpr std::size_t longest_quote = 60;

/// A value for a message.
std::string spell_value(const NetJson& value);
/// "; known are kernel_size, stride; did you mean stride?"
std::string known_are(std::string_view name, const std::vector<std::string>& known);
/// "3x5", for a message.
std::string extent_of(std::int64_t height, std::int64_t width);

/// What one net is made with, and what it has come to so far.
struct NetMaking {
  const std::string& label;
  const ImageSpec& image;
  Generator& generator;
  const NetLimits& limits;
  std::int64_t parameter_bytes = 0;
  std::int64_t layers = 0;
};

/// Bytes of a tensor of float32, or nothing where 64 bits do not hold them.
std::optional<std::int64_t> float_bytes(const Shape& shape);

/// The list of layers at `place`; `shape` is that of one image, before and then after.
Sequential make_layers(NetMaking& net, const NetJson& list, const std::string& place, Shape& shape);

/// A layer as the text has it: its options, by name, and the shape that comes in. Who makes the layer
/// leaves the shape that goes out.
class LayerText {
 public:
  Shape shape;  ///< of one image: [C,H,W]; of a row [F]
  NetMaking& net;

  LayerText(NetMaking& making, std::string where, std::string_view kind, const Shape& input)
      : shape(input), net(making), where_(std::move(where)), kind_(kind), input_(input) {}

  /// Takes {OPTION: VALUE, ...}, or a value that belongs to the first of the options; null: none.
  void take(const NetJson* value, const std::vector<std::string>& known);

  /// Throws, naming the layer.
  template <class... Parts> [[noreturn]] void refuse(const Parts&... parts) const {
    fail<BadDataError>(net.label, ": ", where_, " ", kind_, ": ", parts...);
  }
  /// The same for an input that does not suit it.
  template <class... Parts> [[noreturn]] void refuse_input(const Parts&... parts) const {
    refuse(parts..., "; its input is ", input_);
  }
  /// The same in the layer's own words, "Conv2d: groups ...".
  [[noreturn]] void refuse_as(std::string_view message) const;

  bool has(const char* key) const;
  bool is_list(const char* key) const;
  std::int64_t whole(const char* key, std::int64_t least) const;
  std::int64_t whole(const char* key, std::int64_t least, std::int64_t otherwise) const;
  /// A number, or "classes".
  std::int64_t outputs(const char* key) const;
  Pair pair(const char* key, std::int64_t least) const;
  Pair pair(const char* key, std::int64_t least, Pair otherwise) const;
  std::vector<std::int64_t> list(const char* key, std::int64_t least) const;
  double real(const char* key, double otherwise) const;
  bool flag(const char* key, bool otherwise) const;
  /// The place among `known` of the word that stands there; 0 where none does.
  std::size_t word(const char* key, const std::vector<std::string>& known) const;
  Padding padding(const char* key) const;
  std::optional<double> momentum() const;
  Scale scale() const;
  /// A dimension of the batch as one of the shape that one image has. Throws for the batch itself.
  int image_dim(const char* key, std::optional<std::int64_t> otherwise = {}) const;

  Sequential layers(const char* key, Shape& through) const;

  /// Throws unless [C,H,W] comes in.
  void expect_image() const;
  /// Parameters or buffers that the layer is about to allocate.
  void spend(const char* what, const Shape& size) const;
  /// Throws where the shape that goes out has an empty side or is beyond the limit.
  void check_output() const;

 private:
  const NetJson* find(const char* key) const;
  const NetJson& needed(const char* key) const;
  std::int64_t whole_from(const char* key, const NetJson& value, std::int64_t least) const;
  double real_from(const char* key, const NetJson& value) const;

  std::string where_;  // "layers[3].body[0]"
  std::string_view kind_;
  Shape input_;
  const NetJson* options_ = nullptr;  // by name
  const NetJson* first_ = nullptr;    // or one alone, whose name is this:
  std::string_view first_name_{};
};

using MadeLayer = std::unique_ptr<Module>;

struct LayerKind {
  std::string name;
  MadeLayer (*make)(LayerText&);
  std::vector<std::string> options{};  ///< the first may stand alone
};

/// The layers that each of the files beside this one knows.
std::vector<LayerKind> window_kinds();
std::vector<LayerKind> norm_kinds();
std::vector<LayerKind> activation_kinds();
std::vector<LayerKind> shape_kinds();

}  // namespace gradus::detail
