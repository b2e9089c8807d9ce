// What is read is held against its bounds here, and whoever makes a layer of it can rely on them.
#include <gradus/core/detail/conv_checks.h>
#include <gradus/core/words.h>
#include <gradus/layers/detail/layer_text.h>

#include <algorithm>

namespace gradus::detail {

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

std::string known_are(std::string_view name, const std::vector<std::string>& known) {
  return "; known are " + joined(known) + did_you_mean(name, known);
}

std::string extent_of(std::int64_t height, std::int64_t width) {
  return checks::extent(height, width, checks::Axes::both);
}

std::optional<std::int64_t> float_bytes(const Shape& shape) {
  std::int64_t bytes = 4;
  for (const std::int64_t size : shape) {
    if (__builtin_mul_overflow(bytes, size, &bytes)) return std::nullopt;
  }
  return bytes;
}

void LayerText::take(const NetJson* value, const std::vector<std::string>& known) {
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
    const std::string rest = known.empty() ? "; the layer takes no options" : known_are(key, known);
    refuse("unknown option ", in_quotes(key, longest_quote), rest);
  }
}

void LayerText::refuse_as(std::string_view message) const {
  const std::string begin = std::string(kind_) + ": ";
  if (message.starts_with(begin)) message.remove_prefix(begin.size());
  refuse_input(message);
}

bool LayerText::has(const char* key) const { return find(key) != nullptr; }

bool LayerText::is_list(const char* key) const { return has(key) && find(key)->is_array(); }

std::int64_t LayerText::whole(const char* key, std::int64_t least) const {
  return whole_from(key, needed(key), least);
}

std::int64_t LayerText::whole(const char* key, std::int64_t least, std::int64_t otherwise) const {
  return has(key) ? whole(key, least) : otherwise;
}

std::int64_t LayerText::outputs(const char* key) const {
  return needed(key) == "classes" ? net.image.classes : whole(key, 1);
}

Pair LayerText::pair(const char* key, std::int64_t least) const {
  const NetJson& value = needed(key);
  if (!value.is_array()) return whole_from(key, value, least);
  if (value.size() != 2) {
    refuse(key, " must be a whole number or [height,width], got ", spell_value(value));
  }
  return {whole_from(key, value[0], least), whole_from(key, value[1], least)};
}

Pair LayerText::pair(const char* key, std::int64_t least, Pair otherwise) const {
  return has(key) ? pair(key, least) : otherwise;
}

std::vector<std::int64_t> LayerText::list(const char* key, std::int64_t least) const {
  const NetJson& value = needed(key);
  if (!value.is_array() || value.size() > Shape::max_rank) {
    refuse(key, " must be a whole number or a list of at most ", Shape::max_rank, ", got ",
           spell_value(value));
  }
  std::vector<std::int64_t> numbers;
  for (const NetJson& each : value) numbers.push_back(whole_from(key, each, least));
  return numbers;
}

double LayerText::real(const char* key, double otherwise) const {
  return has(key) ? real_from(key, needed(key)) : otherwise;
}

bool LayerText::flag(const char* key, bool otherwise) const {
  if (!has(key)) return otherwise;
  const NetJson& value = needed(key);
  if (!value.is_boolean()) refuse(key, " must be true or false, got ", spell_value(value));
  return value.get<bool>();
}

std::size_t LayerText::word(const char* key, const std::vector<std::string>& known) const {
  if (!has(key)) return 0;
  const NetJson& value = needed(key);
  const auto found = std::find(known.begin(), known.end(), value);
  if (found == known.end())
    refuse(key, " must be one of ", joined(known), ", got ", spell_value(value));
  return static_cast<std::size_t>(found - known.begin());
}

Padding LayerText::padding(const char* key) const {
  if (!has(key)) return 0;
  if (!needed(key).is_string()) return pair(key, 0);
  return word(key, {"same", "valid"}) == 0 ? Padding::same : Padding::valid;
}

std::optional<double> LayerText::momentum() const {
  if (has("momentum") && needed("momentum").is_null()) return std::nullopt;
  return real("momentum", 0.1);
}

Scale LayerText::scale() const {
  if (!has("scale_factor")) return 0;
  const NetJson& value = needed("scale_factor");
  if (!value.is_array()) return real("scale_factor", 0);
  if (value.size() != 2)
    refuse("scale_factor must be a number or [height,width], got ", spell_value(value));
  return {real_from("scale_factor", value[0]), real_from("scale_factor", value[1])};
}

int LayerText::image_dim(const char* key, std::optional<std::int64_t> otherwise) const {
  const std::int64_t rank = shape.rank() + 1;
  const std::int64_t given = otherwise ? whole(key, -rank, *otherwise) : whole(key, -rank);
  const std::int64_t dim = given < 0 ? given + rank : given;
  if (dim < 1 || dim >= rank) {
    refuse_input(key, " must be between 1 and ", rank - 1, " (0 is the batch), got ", given);
  }
  return static_cast<int>(dim) - 1;
}

Sequential LayerText::layers(const char* key, Shape& through) const {
  return make_layers(net, needed(key), where_ + "." + key, through);
}

void LayerText::expect_image() const {
  if (shape.rank() != 3) refuse_input("takes images [C,H,W]");
}

void LayerText::spend(const char* what, const Shape& size) const {
  const std::optional<std::int64_t> bytes = float_bytes(size);
  const std::int64_t left = net.limits.parameter_bytes - net.parameter_bytes;
  if (!bytes || *bytes > left) {
    refuse("with a ", what, " of ", size, " the net has more than ", net.limits.parameter_bytes,
           " bytes of parameters, which is the limit");
  }
  net.parameter_bytes += *bytes;
}

void LayerText::check_output() const {
  for (const std::int64_t size : shape) {
    if (size < 1) refuse_input("gives ", shape, ", which is empty");
  }
  const std::optional<std::int64_t> bytes = float_bytes(shape);
  if (!bytes || *bytes > net.limits.output_bytes) {
    refuse_input("gives ", shape, ", more than ", net.limits.output_bytes,
                 " bytes an image, which is the limit");
  }
}

const NetJson* LayerText::find(const char* key) const {
  if (first_ != nullptr) return first_name_ == key ? first_ : nullptr;
  if (options_ == nullptr) return nullptr;
  const auto found = options_->find(key);
  return found == options_->end() ? nullptr : &*found;
}

const NetJson& LayerText::needed(const char* key) const {
  const NetJson* value = find(key);
  if (value == nullptr) refuse("needs ", key);
  return *value;
}

std::int64_t LayerText::whole_from(const char* key, const NetJson& value,
                                   std::int64_t least) const {
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

double LayerText::real_from(const char* key, const NetJson& value) const {
  if (!value.is_number()) refuse(key, " must be a number, got ", spell_value(value));
  return value.get<double>();
}

}  // namespace gradus::detail
