// Norms: what they keep for each channel, and which inputs they can divide.
#include <gradus/layers/detail/layer_text.h>
#include <gradus/layers/norm.h>

#include <algorithm>
#include <span>

namespace gradus::detail {
namespace {

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

}  // namespace

std::vector<LayerKind> norm_kinds() {
  const std::vector<std::string> batch_norm = {"eps", "momentum", "affine", "track_running_stats"};
  return {
      {"BatchNorm1d", make_batch_norm1d, batch_norm},
      {"BatchNorm2d", make_batch_norm2d, batch_norm},
      {"GroupNorm", make_group_norm, {"num_groups", "eps", "affine"}},
      {"InstanceNorm2d", make_instance_norm2d, batch_norm},
      {"LayerNorm", make_layer_norm, {"normalized_shape", "eps", "elementwise_affine"}},
  };
}

}  // namespace gradus::detail
