// Chapter 6: a real tape, its nodes in the order recorded, with the numbers that went forward and the
// gradients that came back.
#include "figures/drawing.h"

#include <map>
#include <vector>

namespace book {
namespace {

using namespace gradus;

/// A node's place in the figure.
struct Spot {
  Variable variable;
  int x, y;
};

constexpr int box_width = 150;
constexpr int box_height = 62;

std::string numbers_of(const Tensor& tensor) {
  std::ostringstream text;
  text << "(";
  const std::vector<float> all = tensor.to_vector<float>();
  for (std::size_t i = 0; i < all.size(); ++i) text << (i > 0 ? ", " : "") << all[i];
  text << ")";
  return text.str();
}

}  // namespace

void draw_tape(const std::string& folder) {
  const Variable x(Tensor::from({1.0, 2.0, 3.0}), true);
  const Variable w(Tensor::from({0.5, -1.0, 2.0}), true);
  const Variable product = x * w;
  const Variable positive = relu(product);
  const Variable both = product + positive;
  const Variable total = sum(both);
  for (const Variable& result : {product, positive, both, total}) result.retain_grad();
  total.backward({.retain_graph = true});

  const std::vector<Spot> places{{x, 30, 30},         {w, 30, 180},     {product, 240, 105},
                                 {positive, 430, 30}, {both, 650, 105}, {total, 840, 105}};
  std::map<const Node*, const Spot*> at;
  for (const Spot& place : places) at[place.variable.node().get()] = &place;

  Drawing d(1020, 280, "The tape of sum(x·w + relu(x·w)): values forward, gradients backward");
  for (const Node* node : nodes_of(total)) {
    const Spot& to = *at.at(node);
    for (const auto& input : node->inputs) {
      const Spot& from = *at.at(input.get());
      d.arrow(from.x + box_width, from.y + box_height / 2, to.x, to.y + box_height / 2);
    }
  }
  for (const Spot& place : places) {
    const Node& node = *place.variable.node();
    const int centre = place.x + box_width / 2;
    d.box(place.x, place.y, box_width, box_height, node.is_leaf ? Shade::orange : Shade::none);
    d.text(centre, place.y + 20,
           node.is_leaf ? (&place == &places[0] ? "x, a leaf" : "w, a leaf") : node.name);
    d.small(centre, place.y + 38, numbers_of(place.variable.value()));
    d.small(centre, place.y + 55, "grad " + numbers_of(place.variable.grad().value()));
  }
  d.small(415, 190, "x·w is used twice:");
  d.small(415, 208, "what comes back along both edges is added");
  d.save(folder + "/tape.svg");
}

}  // namespace book
