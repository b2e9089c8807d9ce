// A net from JSON, in three steps: a look at the text as a stream, which sees what a parsed document has
// lost (a key that stands twice) and ends what nests without end; the document; and then layer by layer
// its options, its parameters and the shape it gives.
//
// A file may ask for anything. So every number has bounds where it is read, which keep the products of
// two of them in 64 bits; sizes are held against the limits before a layer is made; and what comes out of
// the text is quoted, cut and free of control characters before it gets into a message. What the layers
// themselves refuse they say in their own words, and only the place is added.
#include <gradus/core/detail/conv_checks.h>
#include <gradus/core/error.h>
#include <gradus/core/words.h>
#include <gradus/layers/activation.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/dropout.h>
#include <gradus/layers/image.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/net_json.h>
#include <gradus/layers/norm.h>
#include <gradus/layers/pool.h>
#include <gradus/layers/residual.h>
#include <gradus/layers/shape.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include <nlohmann/json.hpp>

namespace gradus {
namespace {

using NetJson = nlohmann::json;

constexpr std::size_t most_levels = 64;
constexpr std::int64_t most_layers = 5'000;
constexpr std::size_t longest_quote = 60;

/// A value for a message.
std::string spell_value(const NetJson& value) {
  if (value.is_string()) return in_quotes(value.get_ref<const std::string&>(), longest_quote);
  if (value.is_object()) return "an object";
  if (value.is_array() && value.size() > 4)
    return "a list of " + std::to_string(value.size()) + " values";
  if (!value.is_array()) return value.dump();
  std::string list;
  for (const NetJson& each : value) {
    list += list.empty() ? "" : ",";
    list += each.is_array() ? "[...]" : spell_value(each);
  }
  return "[" + list + "]";
}

/// Sees the text as it comes: refuses keys that stand twice in an object, and too many levels.
class NetGuard final : public nlohmann::json_sax<NetJson> {
 public:
  explicit NetGuard(const std::string& label) : label_(label) {}

  bool start_object(std::size_t) override { return enter(); }
  bool start_array(std::size_t) override { return enter(); }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }
  bool key(std::string& name) override {
    if (!keys_.back().insert(name).second)
      fail<BadDataError>(label_, ": the key ", in_quotes(name, longest_quote),
                         " stands twice in one object");
    return true;
  }
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(std::int64_t) override { return true; }
  bool number_unsigned(std::uint64_t) override { return true; }
  bool number_float(double, const std::string&) override { return true; }
  bool string(std::string&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool parse_error(std::size_t position, const std::string& text,
                   const nlohmann::detail::exception&) override {
    fail<BadDataError>(
        label_, ": cannot be read as JSON near byte ", position,
        text.empty() ? ", at its end" : ", reading " + in_quotes(text, longest_quote));
  }

 private:
  bool enter() {
    if (keys_.size() == most_levels)
      fail<BadDataError>(label_, ": nests more than ", most_levels, " levels deep");
    keys_.emplace_back();
    return true;
  }
  bool leave() {
    keys_.pop_back();
    return true;
  }

  const std::string& label_;
  std::vector<std::set<std::string>> keys_;  // of each object or list that is open
};

NetJson parse_net(std::string_view text, const std::string& label) {
  if (std::ssize(text) > longest_net_text) {
    fail<BadDataError>(label, ": has ", text.size(), " bytes, the description of a net at most ",
                       longest_net_text);
  }
  // The parser would take a zero byte for the end of its input.
  if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos)
    fail<BadDataError>(label, ": cannot be read as JSON near byte ", zero, ", at a zero byte");
  NetGuard guard(label);
  NetJson::sax_parse(text, &guard);
  return NetJson::parse(text);
}

/// "; known are kernel_size, stride; did you mean stride?"
std::string known_are(std::string_view name, const std::vector<std::string>& known) {
  return "; known are " + joined(known) + did_you_mean(name, known);
}

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
std::optional<std::int64_t> float_bytes(const Shape& shape) {
  std::int64_t bytes = 4;
  for (const std::int64_t size : shape) {
    if (__builtin_mul_overflow(bytes, size, &bytes)) return std::nullopt;
  }
  return bytes;
}

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
  void take(const NetJson* value, const std::vector<std::string>& known) {
    if (value == nullptr) return;
    if (!value->is_object()) {
      if (known.empty()) refuse("takes no options, got ", spell_value(*value));
      first_name_ = known.front();
      first_ = value;
      return;
    }
    options_ = value;
    for (const auto& [key, unused] : value->items()) {
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      const std::string rest =
          known.empty() ? "; the layer takes no options" : known_are(key, known);
      refuse("unknown option ", in_quotes(key, longest_quote), rest);
    }
  }

  /// Throws, naming the layer.
  template <class... Parts> [[noreturn]] void refuse(const Parts&... parts) const {
    fail<BadDataError>(net.label, ": ", where_, " ", kind_, ": ", parts...);
  }
  /// The same for an input that does not suit it.
  template <class... Parts> [[noreturn]] void refuse_input(const Parts&... parts) const {
    refuse(parts..., "; its input is ", input_);
  }
  /// The same in the layer's own words, "Conv2d: groups ...".
  [[noreturn]] void refuse_as(std::string_view message) const {
    const std::string begin = std::string(kind_) + ": ";
    if (message.starts_with(begin)) message.remove_prefix(begin.size());
    refuse_input(message);
  }

  bool has(const char* key) const { return find(key) != nullptr; }
  bool is_list(const char* key) const { return has(key) && find(key)->is_array(); }
  std::int64_t whole(const char* key, std::int64_t least) const {
    return whole_from(key, needed(key), least);
  }
  std::int64_t whole(const char* key, std::int64_t least, std::int64_t otherwise) const {
    return has(key) ? whole(key, least) : otherwise;
  }
  /// A number, or "classes".
  std::int64_t outputs(const char* key) const {
    return needed(key) == "classes" ? net.image.classes : whole(key, 1);
  }
  Pair pair(const char* key, std::int64_t least) const {
    const NetJson& value = needed(key);
    if (!value.is_array()) return whole_from(key, value, least);
    if (value.size() != 2) {
      refuse(key, " must be a whole number or [height,width], got ", spell_value(value));
    }
    return {whole_from(key, value[0], least), whole_from(key, value[1], least)};
  }
  Pair pair(const char* key, std::int64_t least, Pair otherwise) const {
    return has(key) ? pair(key, least) : otherwise;
  }
  std::vector<std::int64_t> list(const char* key, std::int64_t least) const {
    const NetJson& value = needed(key);
    if (!value.is_array() || value.size() > Shape::max_rank) {
      refuse(key, " must be a whole number or a list of at most ", Shape::max_rank, ", got ",
             spell_value(value));
    }
    std::vector<std::int64_t> numbers;
    for (const NetJson& each : value) numbers.push_back(whole_from(key, each, least));
    return numbers;
  }
  double real(const char* key, double otherwise) const {
    return has(key) ? real_from(key, needed(key)) : otherwise;
  }
  bool flag(const char* key, bool otherwise) const {
    if (!has(key)) return otherwise;
    const NetJson& value = needed(key);
    if (!value.is_boolean()) refuse(key, " must be true or false, got ", spell_value(value));
    return value.get<bool>();
  }
  /// The place among `known` of the word that stands there; 0 where none does.
  std::size_t word(const char* key, const std::vector<std::string>& known) const {
    if (!has(key)) return 0;
    const NetJson& value = needed(key);
    const auto found = std::find(known.begin(), known.end(), value);
    if (found == known.end())
      refuse(key, " must be one of ", joined(known), ", got ", spell_value(value));
    return static_cast<std::size_t>(found - known.begin());
  }
  Padding padding(const char* key) const {
    if (!has(key)) return 0;
    if (!needed(key).is_string()) return pair(key, 0);
    return word(key, {"same", "valid"}) == 0 ? Padding::same : Padding::valid;
  }
  std::optional<double> momentum() const {
    if (has("momentum") && needed("momentum").is_null()) return std::nullopt;
    return real("momentum", 0.1);
  }
  Scale scale() const {
    if (!has("scale_factor")) return 0;
    const NetJson& value = needed("scale_factor");
    if (!value.is_array()) return real("scale_factor", 0);
    if (value.size() != 2)
      refuse("scale_factor must be a number or [height,width], got ", spell_value(value));
    return {real_from("scale_factor", value[0]), real_from("scale_factor", value[1])};
  }
  /// A dimension of the batch as one of the shape that one image has. Throws for the batch itself.
  int image_dim(const char* key, std::optional<std::int64_t> otherwise = {}) const {
    const std::int64_t rank = shape.rank() + 1;
    const std::int64_t given = otherwise ? whole(key, -rank, *otherwise) : whole(key, -rank);
    const std::int64_t dim = given < 0 ? given + rank : given;
    if (dim < 1 || dim >= rank) {
      refuse_input(key, " must be between 1 and ", rank - 1, " (0 is the batch), got ", given);
    }
    return static_cast<int>(dim) - 1;
  }

  Sequential layers(const char* key, Shape& through) const {
    return make_layers(net, needed(key), where_ + "." + key, through);
  }

  /// Throws unless [C,H,W] comes in.
  void expect_image() const {
    if (shape.rank() != 3) refuse_input("takes images [C,H,W]");
  }
  /// Parameters or buffers that the layer is about to allocate.
  void spend(const char* what, const Shape& size) const {
    const std::optional<std::int64_t> bytes = float_bytes(size);
    const std::int64_t left = net.limits.parameter_bytes - net.parameter_bytes;
    if (!bytes || *bytes > left) {
      refuse("with a ", what, " of ", size, " the net has more than ", net.limits.parameter_bytes,
             " bytes of parameters, which is the limit");
    }
    net.parameter_bytes += *bytes;
  }
  /// Throws where the shape that goes out has an empty side or is beyond the limit.
  void check_output() const {
    for (const std::int64_t size : shape) {
      if (size < 1) refuse_input("gives ", shape, ", which is empty");
    }
    const std::optional<std::int64_t> bytes = float_bytes(shape);
    if (!bytes || *bytes > net.limits.output_bytes) {
      refuse_input("gives ", shape, ", more than ", net.limits.output_bytes,
                   " bytes an image, which is the limit");
    }
  }

 private:
  const NetJson* find(const char* key) const {
    if (first_ != nullptr) return first_name_ == key ? first_ : nullptr;
    if (options_ == nullptr) return nullptr;
    const auto found = options_->find(key);
    return found == options_->end() ? nullptr : &*found;
  }
  const NetJson& needed(const char* key) const {
    const NetJson* value = find(key);
    if (value == nullptr) refuse("needs ", key);
    return *value;
  }
  std::int64_t whole_from(const char* key, const NetJson& value, std::int64_t least) const {
    const auto wrong = [&] {
      refuse(key, " must be a whole number between ", least, " and ", checks::largest, ", got ",
             spell_value(value));
    };
    if (!value.is_number_integer()) wrong();
    // An unsigned number beyond the signed ones would be read as a negative one.
    if (value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{checks::largest})
      wrong();
    const auto number = value.get<std::int64_t>();
    if (number < least || number > checks::largest) wrong();
    return number;
  }
  double real_from(const char* key, const NetJson& value) const {
    if (!value.is_number()) refuse(key, " must be a number, got ", spell_value(value));
    return value.get<double>();
  }

  std::string where_;  // "layers[3].body[0]"
  std::string_view kind_;
  Shape input_;
  const NetJson* options_ = nullptr;  // by name
  const NetJson* first_ = nullptr;    // or one alone, whose name is this:
  std::string_view first_name_{};
};

using MadeLayer = std::unique_ptr<Module>;

// ---- Convolutions ---------------------------------------------------------------------------------

/// How many places a window has along one axis, rounded down; 0 where it has none.
std::int64_t window_places(std::int64_t padded, std::int64_t reach, std::int64_t stride) {
  return reach > padded ? 0 : (padded - reach) / stride + 1;
}

std::string extent_of(std::int64_t height, std::int64_t width) {
  return checks::extent(height, width, checks::Axes::both);
}

/// What pad() asks of an image, for the modes that are not zeros.
void check_border_of(const LayerText& t, PaddingMode mode, const checks::PaddingSizes& sizes) {
  const std::int64_t height = std::max(sizes.before.height, sizes.after.height);
  const std::int64_t width = std::max(sizes.before.width, sizes.after.width);
  const std::int64_t less = mode == PaddingMode::reflect ? 1 : 0;
  const bool bounded = mode == PaddingMode::reflect || mode == PaddingMode::circular;
  if (bounded && (height > t.shape[1] - less || width > t.shape[2] - less)) {
    t.refuse_input("a padding of ", extent_of(height, width), " is more than ", to_string(mode),
                   " can take from the image");
  }
}

MadeLayer make_conv2d(LayerText& t) {
  t.expect_image();
  constexpr PaddingMode modes[] = {PaddingMode::zeros, PaddingMode::reflect, PaddingMode::replicate,
                                   PaddingMode::circular};
  const std::int64_t out = t.outputs("out_channels");
  const Conv2dLayerOptions o{
      .kernel_size = t.pair("kernel_size", 1),
      .stride = t.pair("stride", 1, 1),
      .padding = t.padding("padding"),
      .dilation = t.pair("dilation", 1, 1),
      .groups = t.whole("groups", 1, 1),
      .bias = t.flag("bias", true),
      .padding_mode = modes[t.word("padding_mode", {"zeros", "reflect", "replicate", "circular"})]};
  const Pair kernel = o.kernel_size;
  t.spend("weight", {out, t.shape[0] / o.groups, kernel.height, kernel.width});
  if (o.bias) t.spend("bias", {out});
  auto layer = std::make_unique<Conv2d>(t.shape[0], out, o, t.net.generator);

  const checks::PaddingSizes sizes =
      checks::padding_sizes("Conv2d", o.padding, kernel, o.stride, o.dilation);
  check_border_of(t, o.padding_mode, sizes);
  const std::int64_t height = t.shape[1] + sizes.before.height + sizes.after.height;
  const std::int64_t width = t.shape[2] + sizes.before.width + sizes.after.width;
  const std::int64_t reach_h = o.dilation.height * (kernel.height - 1) + 1;
  const std::int64_t reach_w = o.dilation.width * (kernel.width - 1) + 1;
  if (reach_h > height || reach_w > width) {
    t.refuse_input("the kernel reaches ", extent_of(reach_h, reach_w),
                   ", the padded image is only ", extent_of(height, width));
  }
  t.shape = {out, window_places(height, reach_h, o.stride.height),
             window_places(width, reach_w, o.stride.width)};
  return layer;
}

MadeLayer make_conv_transpose2d(LayerText& t) {
  t.expect_image();
  const std::int64_t out = t.outputs("out_channels");
  const ConvTranspose2dLayerOptions o{.kernel_size = t.pair("kernel_size", 1),
                                      .stride = t.pair("stride", 1, 1),
                                      .padding = t.pair("padding", 0, 0),
                                      .output_padding = t.pair("output_padding", 0, 0),
                                      .groups = t.whole("groups", 1, 1),
                                      .bias = t.flag("bias", true),
                                      .dilation = t.pair("dilation", 1, 1)};
  const Pair kernel = o.kernel_size;
  t.spend("weight", {t.shape[0], out / o.groups, kernel.height, kernel.width});
  if (o.bias) t.spend("bias", {out});
  auto layer = std::make_unique<ConvTranspose2d>(t.shape[0], out, o, t.net.generator);

  const auto size = [](std::int64_t pixels, std::int64_t stride, std::int64_t padding,
                       std::int64_t dilation, std::int64_t k, std::int64_t more) {
    return (pixels - 1) * stride - 2 * padding + dilation * (k - 1) + more + 1;
  };
  t.shape = {out,
             size(t.shape[1], o.stride.height, o.padding.height, o.dilation.height, kernel.height,
                  o.output_padding.height),
             size(t.shape[2], o.stride.width, o.padding.width, o.dilation.width, kernel.width,
                  o.output_padding.width)};
  return layer;
}

MadeLayer make_linear(LayerText& t) {
  const std::int64_t in = t.shape[t.shape.rank() - 1];
  const std::int64_t out = t.outputs("out_features");
  const LinearOptions o{.bias = t.flag("bias", true)};
  t.spend("weight", {out, in});
  if (o.bias) t.spend("bias", {out});
  t.shape[t.shape.rank() - 1] = out;
  return std::make_unique<Linear>(in, out, o, t.net.generator);
}

// ---- Pools ----------------------------------------------------------------------------------------

/// One axis of a pool.
struct PoolAxis {
  std::int64_t size, kernel, stride, padding, dilation;
  bool ceil_mode;

  std::int64_t reach() const { return dilation * (kernel - 1) + 1; }
  std::int64_t padded() const { return size + 2 * padding; }
  std::int64_t places() const {
    const std::int64_t places = window_places(padded(), reach(), stride);
    if (!ceil_mode) return places;
    const std::int64_t over = padded() - reach();
    if (over + stride <= 0) return 0;  // rounded up, that is still none
    const std::int64_t up = (over + stride - 1) / stride + 1;
    return (up - 1) * stride >= size + padding ? up - 1 : up;
  }
};

template <class Pool> MadeLayer make_pool2d(LayerText& t, const Pool2dOptions& o) {
  t.expect_image();
  auto layer = std::make_unique<Pool>(o);
  const Pair stride = layer->options().stride;
  const PoolAxis rows{t.shape[1],       o.kernel_size.height, stride.height,
                      o.padding.height, o.dilation.height,    o.ceil_mode};
  const PoolAxis columns{t.shape[2],      o.kernel_size.width, stride.width,
                         o.padding.width, o.dilation.width,    o.ceil_mode};
  if (rows.places() < 1 || columns.places() < 1) {
    t.refuse_input("the window reaches ", extent_of(rows.reach(), columns.reach()),
                   ", the padded image is only ", extent_of(rows.padded(), columns.padded()));
  }
  t.shape = {t.shape[0], rows.places(), columns.places()};
  return layer;
}

Pool2dOptions pool_options(const LayerText& t) {
  const Pair kernel = t.pair("kernel_size", 1);
  return {.kernel_size = kernel,
          .stride = t.pair("stride", 1, kernel),
          .padding = t.pair("padding", 0, 0),
          .ceil_mode = t.flag("ceil_mode", false)};
}

MadeLayer make_max_pool2d(LayerText& t) {
  Pool2dOptions o = pool_options(t);
  o.dilation = t.pair("dilation", 1, 1);
  return make_pool2d<MaxPool2d>(t, o);
}

MadeLayer make_avg_pool2d(LayerText& t) {
  Pool2dOptions o = pool_options(t);
  o.count_include_pad = t.flag("count_include_pad", true);
  if (t.has("divisor_override")) o.divisor_override = t.whole("divisor_override", -checks::largest);
  return make_pool2d<AvgPool2d>(t, o);
}

template <class Pool> MadeLayer make_adaptive(LayerText& t) {
  t.expect_image();
  const Pair size = t.pair("output_size", 1);
  t.shape = {t.shape[0], size.height, size.width};
  return std::make_unique<Pool>(size);
}

// ---- Norms ----------------------------------------------------------------------------------------

/// The numbers for each channel that a norm keeps.
void spend_on_channels(const LayerText& t, bool affine, bool tracked) {
  for (const char* what : {"weight", "bias"}) {
    if (affine) t.spend(what, {t.shape[0]});
  }
  for (const char* what : {"running_mean", "running_var"}) {
    if (tracked) t.spend(what, {t.shape[0]});
  }
}

template <class Norm> MadeLayer make_batch_norm(LayerText& t) {
  const BatchNorm2dOptions o{.eps = t.real("eps", 1e-5),
                             .momentum = t.momentum(),
                             .affine = t.flag("affine", true),
                             .track_running_stats = t.flag("track_running_stats", true)};
  spend_on_channels(t, o.affine, o.track_running_stats);
  return std::make_unique<Norm>(t.shape[0], o);
}

MadeLayer make_batch_norm2d(LayerText& t) {
  t.expect_image();
  return make_batch_norm<BatchNorm2d>(t);
}

MadeLayer make_batch_norm1d(LayerText& t) {
  if (t.shape.rank() > 2) t.refuse_input("takes rows [F] or [C,L]; BatchNorm2d takes images");
  return make_batch_norm<BatchNorm1d>(t);
}

MadeLayer make_instance_norm2d(LayerText& t) {
  t.expect_image();
  if (t.shape[1] * t.shape[2] < 2) t.refuse_input("needs more than one pixel a channel");
  const InstanceNorm2dOptions o{.eps = t.real("eps", 1e-5),
                                .momentum = t.real("momentum", 0.1),
                                .affine = t.flag("affine", false),
                                .track_running_stats = t.flag("track_running_stats", false)};
  spend_on_channels(t, o.affine, o.track_running_stats);
  return std::make_unique<InstanceNorm2d>(t.shape[0], o);
}

MadeLayer make_group_norm(LayerText& t) {
  const std::int64_t groups = t.whole("num_groups", 1);
  const GroupNormOptions o{.eps = t.real("eps", 1e-5), .affine = t.flag("affine", true)};
  spend_on_channels(t, o.affine, false);
  auto layer = std::make_unique<GroupNorm>(groups, t.shape[0], o);
  if (t.shape.numel() == groups) t.refuse_input("needs more than one value a group");
  return layer;
}

MadeLayer make_layer_norm(LayerText& t) {
  Shape normalized = t.shape;
  if (t.has("normalized_shape")) {
    const std::vector<std::int64_t> sizes = t.list("normalized_shape", 1);
    normalized = Shape(std::span(sizes));
    const auto from = t.shape.rank() - normalized.rank();
    if (from < 0 || !std::equal(normalized.begin(), normalized.end(), t.shape.begin() + from))
      t.refuse_input("normalized_shape ", normalized, " is not what the input ends with");
  }
  const LayerNormOptions o{.eps = t.real("eps", 1e-5),
                           .elementwise_affine = t.flag("elementwise_affine", true)};
  for (const char* what : {"weight", "bias"}) {
    if (o.elementwise_affine) t.spend(what, normalized);
  }
  return std::make_unique<LayerNorm>(normalized, o);
}

// ---- Activations ----------------------------------------------------------------------------------

template <class Layer> MadeLayer make_plain(LayerText&) { return std::make_unique<Layer>(); }

MadeLayer make_leaky_relu(LayerText& t) {
  return std::make_unique<LeakyReLU>(t.real("negative_slope", 0.01));
}

MadeLayer make_elu(LayerText& t) { return std::make_unique<ELU>(t.real("alpha", 1)); }

MadeLayer make_gelu(LayerText& t) {
  return std::make_unique<GELU>(t.word("approximate", {"none", "tanh"}) == 0 ? Gelu::none
                                                                             : Gelu::tanh);
}

MadeLayer make_prelu(LayerText& t) {
  const std::int64_t count = t.whole("num_parameters", 1, 1);
  if (count != 1 && count != t.shape[0])
    t.refuse_input("num_parameters must be 1 or the number of channels, got ", count);
  t.spend("weight", {count});
  return std::make_unique<PReLU>(count, t.real("init", 0.25));
}

MadeLayer make_softplus(LayerText& t) {
  return std::make_unique<Softplus>(t.real("beta", 1), t.real("threshold", 20));
}

MadeLayer make_hardtanh(LayerText& t) {
  return std::make_unique<Hardtanh>(t.real("min_val", -1), t.real("max_val", 1));
}

template <class Layer> MadeLayer make_softmax(LayerText& t) {
  return std::make_unique<Layer>(t.image_dim("dim") + 1);
}

template <class Layer> MadeLayer make_dropout(LayerText& t) {
  return std::make_unique<Layer>(t.real("p", 0.5));
}

MadeLayer make_dropout2d(LayerText& t) {
  t.expect_image();
  return make_dropout<Dropout2d>(t);
}

// ---- Layers that move numbers ---------------------------------------------------------------------

MadeLayer make_flatten(LayerText& t) {
  const int start = t.image_dim("start_dim", 1);
  const int end = t.image_dim("end_dim", -1);
  if (end < start) t.refuse_input("start_dim ", start + 1, " must not be behind end_dim ", end + 1);
  Shape flat;
  for (int d = 0; d < t.shape.rank(); ++d) {
    if (d <= start || d > end) {
      flat.push_back(t.shape[d]);
    } else {
      flat[start] *= t.shape[d];
    }
  }
  t.shape = flat;
  return std::make_unique<Flatten>(start + 1, t.has("end_dim") ? end + 1 : -1);
}

/// Sides that interpolate() makes of `pixels`: rounded down.
std::int64_t scaled_side(const LayerText& t, std::int64_t pixels, double factor) {
  const double size = std::floor(static_cast<double>(pixels) * factor);
  if (!(size >= 1 && size <= static_cast<double>(checks::largest)))
    t.refuse_input("scale_factor ", factor, " makes ", size, " pixels of ", pixels);
  return static_cast<std::int64_t>(size);
}

MadeLayer make_upsample(LayerText& t) {
  t.expect_image();
  const bool bilinear = t.word("mode", {"nearest", "bilinear"}) == 1;
  InterpolateOptions o{.size = t.pair("size", 1, 0),
                       .scale_factor = t.scale(),
                       .mode = bilinear ? InterpolateMode::bilinear : InterpolateMode::nearest};
  if (t.has("align_corners")) o.align_corners = t.flag("align_corners", false);
  auto layer = std::make_unique<Upsample>(o);
  const Scale scale = o.scale_factor;
  const Pair size = t.has("size") ? o.size
                                  : Pair{scaled_side(t, t.shape[1], scale.height),
                                         scaled_side(t, t.shape[2], scale.width)};
  t.shape = {t.shape[0], size.height, size.width};
  return layer;
}

MadeLayer make_pixel_shuffle(LayerText& t) {
  t.expect_image();
  const std::int64_t r = t.whole("upscale_factor", 1);
  if (t.shape[0] % (r * r) != 0) {
    t.refuse_input(t.shape[0], " channels do not divide into the pixels of ", extent_of(r, r));
  }
  t.shape = {t.shape[0] / (r * r), t.shape[1] * r, t.shape[2] * r};
  return std::make_unique<PixelShuffle>(r);
}

MadeLayer make_pixel_unshuffle(LayerText& t) {
  t.expect_image();
  const std::int64_t r = t.whole("downscale_factor", 1);
  if (t.shape[1] % r != 0 || t.shape[2] % r != 0) {
    t.refuse_input(extent_of(t.shape[1], t.shape[2]), " pixels do not divide into squares of ",
                   extent_of(r, r));
  }
  t.shape = {t.shape[0] * r * r, t.shape[1] / r, t.shape[2] / r};
  return std::make_unique<PixelUnshuffle>(r);
}

MadeLayer make_zero_pad2d(LayerText& t) {
  t.expect_image();
  std::vector<std::int64_t> sides;
  if (t.is_list("padding")) {
    sides = t.list("padding", -checks::largest);
    if (sides.size() != 4)
      t.refuse("padding must be one number or [left,right,top,bottom], got ", sides.size(),
               " numbers");
  } else {
    sides.assign(4, t.whole("padding", -checks::largest));
  }
  // A side that takes away must find its pixels in the image, not in what the other one adds.
  const auto less = [&](std::size_t a, std::size_t b) {
    return std::min<std::int64_t>(sides[a], 0) + std::min<std::int64_t>(sides[b], 0);
  };
  if (t.shape[1] + less(2, 3) < 1 || t.shape[2] + less(0, 1) < 1) {
    t.refuse_input("padding [", sides[0], ",", sides[1], ",", sides[2], ",", sides[3],
                   "] takes away all pixels");
  }
  t.shape = {t.shape[0], t.shape[1] + sides[2] + sides[3], t.shape[2] + sides[0] + sides[1]};
  return std::make_unique<ZeroPad2d>(sides[0], sides[1], sides[2], sides[3]);
}

// ---- Layers of layers -----------------------------------------------------------------------------

MadeLayer make_sequential(LayerText& t) {
  return std::make_unique<Sequential>(t.layers("layers", t.shape));
}

MadeLayer make_residual_of(LayerText& t) {
  Shape through = t.shape;
  Shape around = t.shape;
  auto body = std::make_unique<Sequential>(t.layers("body", through));
  std::unique_ptr<Sequential> shortcut;
  if (t.has("shortcut")) {
    shortcut = std::make_unique<Sequential>(t.layers("shortcut", around));
  }
  if (through != around) {
    t.refuse_input("the body gives ", through, ", the way around it ", around);
  }
  const bool relu = t.word("activation", {"none", "relu"}) == 1;
  t.shape = through;
  return std::make_unique<Residual>(std::move(body), std::move(shortcut),
                                    relu ? Activation::relu : Activation::none);
}

// ---- The list -------------------------------------------------------------------------------------

struct LayerKind {
  std::string name;
  MadeLayer (*make)(LayerText&);
  std::vector<std::string> options{};  ///< the first may stand alone
};

const std::vector<LayerKind>& layer_kinds() {
  static const std::vector<std::string> batch_norm = {"eps", "momentum", "affine",
                                                      "track_running_stats"};
  static const std::vector<LayerKind> kinds = {
      {"AdaptiveAvgPool2d", make_adaptive<AdaptiveAvgPool2d>, {"output_size"}},
      {"AdaptiveMaxPool2d", make_adaptive<AdaptiveMaxPool2d>, {"output_size"}},
      {"AvgPool2d",
       make_avg_pool2d,
       {"kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"}},
      {"BatchNorm1d", make_batch_norm1d, batch_norm},
      {"BatchNorm2d", make_batch_norm2d, batch_norm},
      {"Conv2d",
       make_conv2d,
       {"out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias",
        "padding_mode"}},
      {"ConvTranspose2d",
       make_conv_transpose2d,
       {"out_channels", "kernel_size", "stride", "padding", "output_padding", "groups", "bias",
        "dilation"}},
      {"Dropout", make_dropout<Dropout>, {"p"}},
      {"Dropout2d", make_dropout2d, {"p"}},
      {"ELU", make_elu, {"alpha"}},
      {"Flatten", make_flatten, {"start_dim", "end_dim"}},
      {"GELU", make_gelu, {"approximate"}},
      {"GroupNorm", make_group_norm, {"num_groups", "eps", "affine"}},
      {"Hardsigmoid", make_plain<Hardsigmoid>},
      {"Hardswish", make_plain<Hardswish>},
      {"Hardtanh", make_hardtanh, {"min_val", "max_val"}},
      {"Identity", make_plain<Identity>},
      {"InstanceNorm2d", make_instance_norm2d, batch_norm},
      {"LayerNorm", make_layer_norm, {"normalized_shape", "eps", "elementwise_affine"}},
      {"LeakyReLU", make_leaky_relu, {"negative_slope"}},
      {"Linear", make_linear, {"out_features", "bias"}},
      {"LogSigmoid", make_plain<LogSigmoid>},
      {"LogSoftmax", make_softmax<LogSoftmax>, {"dim"}},
      {"MaxPool2d", make_max_pool2d, {"kernel_size", "stride", "padding", "dilation", "ceil_mode"}},
      {"PReLU", make_prelu, {"num_parameters", "init"}},
      {"PixelShuffle", make_pixel_shuffle, {"upscale_factor"}},
      {"PixelUnshuffle", make_pixel_unshuffle, {"downscale_factor"}},
      {"ReLU", make_plain<ReLU>},
      {"ReLU6", make_plain<ReLU6>},
      {"Residual", make_residual_of, {"body", "shortcut", "activation"}},
      {"SELU", make_plain<SELU>},
      {"Sequential", make_sequential, {"layers"}},
      {"SiLU", make_plain<SiLU>},
      {"Sigmoid", make_plain<Sigmoid>},
      {"Softmax", make_softmax<Softmax>, {"dim"}},
      {"Softplus", make_softplus, {"beta", "threshold"}},
      {"Softsign", make_plain<Softsign>},
      {"Tanh", make_plain<Tanh>},
      {"Upsample", make_upsample, {"scale_factor", "size", "mode", "align_corners"}},
      {"ZeroPad2d", make_zero_pad2d, {"padding"}},
  };
  return kinds;
}

const LayerKind& kind_named(const NetMaking& net, const std::string& where,
                            const std::string& name) {
  for (const LayerKind& kind : layer_kinds()) {
    if (kind.name == name) return kind;
  }
  fail<BadDataError>(net.label, ": ", where, ": unknown layer ", in_quotes(name, longest_quote),
                     known_are(name, net_layer_names()));
}

/// "ReLU", or {"Linear": ...}
MadeLayer make_layer(NetMaking& net, const NetJson& value, const std::string& where, Shape& shape) {
  if (++net.layers > most_layers)
    fail<BadDataError>(net.label, ": ", where, ": has more than ", most_layers, " layers");
  const bool with_options = value.is_object() && value.size() == 1;
  if (!with_options && !value.is_string()) {
    fail<BadDataError>(
        net.label, ": ", where, ": a layer is a name or an object with one key, its name, got ",
        value.is_object() ? "an object with " + std::to_string(value.size()) + " keys"
                          : spell_value(value));
  }
  const LayerKind& kind = kind_named(
      net, where, with_options ? value.begin().key() : value.get_ref<const std::string&>());
  LayerText text(net, where, kind.name, shape);
  text.take(with_options ? &value.begin().value() : nullptr, kind.options);
  MadeLayer layer;
  try {
    layer = kind.make(text);
  } catch (const BadDataError&) {
    throw;
  } catch (const Error& wrong) {
    text.refuse_as(wrong.what());
  }
  text.check_output();
  shape = text.shape;
  return layer;
}

Sequential make_layers(NetMaking& net, const NetJson& list, const std::string& place,
                       Shape& shape) {
  if (!list.is_array())
    fail<BadDataError>(net.label, ": ", place, " must be a list of layers, got ",
                       spell_value(list));
  Sequential layers;
  for (std::size_t i = 0; i < list.size(); ++i) {
    layers.append(make_layer(net, list[i], place + "[" + std::to_string(i) + "]", shape));
  }
  return layers;
}

/// The list of layers of the whole text.
const NetJson& list_of(const NetJson& json, const std::string& label) {
  if (!json.is_object()) return json;
  const auto layers = json.find("layers");
  if (layers == json.end() || json.size() > 1) {
    for (const auto& [key, unused] : json.items()) {
      if (key != "layers") {
        fail<BadDataError>(label, ": unknown key ", in_quotes(key, longest_quote),
                           "; a net is a list of layers or {\"layers\": [...]}");
      }
    }
    fail<BadDataError>(label, ": a net is a list of layers or {\"layers\": [...]}, got {}");
  }
  return *layers;
}

void check_image_of(const ImageSpec& image, const NetLimits& limits) {
  const Shape shape{image.channels, image.height, image.width};
  const bool positive = std::min({shape[0], shape[1], shape[2], image.classes}) > 0;
  if (!positive || std::max({shape[0], shape[1], shape[2], image.classes}) > checks::largest) {
    fail<ValueError>("make_net: sizes must be between 1 and ", checks::largest, ", got images of ",
                     shape, " and ", image.classes, " classes");
  }
  const std::optional<std::int64_t> bytes = float_bytes(shape);
  if (!bytes || *bytes > limits.output_bytes) {
    fail<ValueError>("make_net: an image of ", shape, " takes more than the limit of ",
                     limits.output_bytes, " bytes");
  }
}

}  // namespace

std::vector<std::string> net_layer_names() {
  std::vector<std::string> names;
  for (const LayerKind& kind : layer_kinds()) names.push_back(kind.name);
  return names;
}

Sequential make_net(std::string_view json, const std::string& label, const ImageSpec& image,
                    Generator& generator, const NetLimits& limits) {
  check_image_of(image, limits);
  const NetJson document = parse_net(json, label);
  NetMaking net{.label = label, .image = image, .generator = generator, .limits = limits};
  Shape shape{image.channels, image.height, image.width};
  Sequential layers = make_layers(net, list_of(document, label), "layers", shape);
  if (shape != Shape{image.classes}) {
    const std::string given = to_string(shape).substr(1);
    fail<BadDataError>(label, ": the last layer gives [N,", given, ", [N,", image.classes,
                       "] is wanted for ", image.classes, " classes");
  }
  return layers;
}

}  // namespace gradus
