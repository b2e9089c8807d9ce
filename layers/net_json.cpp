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
#include <gradus/layers/detail/layer_text.h>
#include <gradus/layers/net_json.h>

#include <algorithm>
#include <set>

namespace gradus {
namespace detail {
namespace {

constexpr std::size_t most_levels = 64;
constexpr std::int64_t most_layers = 5'000;

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

/// By the alphabet.
const std::vector<LayerKind>& layer_kinds() {
  static const std::vector<LayerKind> kinds = [] {
    std::vector<LayerKind> all;
    for (const auto& some : {window_kinds(), norm_kinds(), activation_kinds(), shape_kinds()})
      all.insert(all.end(), some.begin(), some.end());
    std::sort(all.begin(), all.end(),
              [](const LayerKind& a, const LayerKind& b) { return a.name < b.name; });
    return all;
  }();
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

}  // namespace detail

std::vector<std::string> net_layer_names() {
  std::vector<std::string> names;
  for (const detail::LayerKind& kind : detail::layer_kinds()) names.push_back(kind.name);
  return names;
}

Sequential make_net(std::string_view json, const std::string& label, const ImageSpec& image,
                    Generator& generator, const NetLimits& limits) {
  detail::check_image_of(image, limits);
  const detail::NetJson document = detail::parse_net(json, label);
  detail::NetMaking net{.label = label, .image = image, .generator = generator, .limits = limits};
  Shape shape{image.channels, image.height, image.width};
  Sequential layers = detail::make_layers(net, detail::list_of(document, label), "layers", shape);
  if (shape != Shape{image.classes}) {
    const std::string given = to_string(shape).substr(1);
    fail<BadDataError>(label, ": the last layer gives [N,", given, ", [N,", image.classes,
                       "] is wanted for ", image.classes, " classes");
  }
  return layers;
}

}  // namespace gradus
