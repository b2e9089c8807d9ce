// A net as a picture: a box for each call of a layer, with its type and the shape it gives, and an edge for each
// value that goes on, with its shape. Branches are seen as branches. What a module computes outside of its
// layers (an addition, a cat) has a box of its own, named by the op. The loss is not in it.
//
//   std::ofstream("net.svg") << graph_svg(trace_step(net, images, labels));
#pragma once

#include <gradus/report/trace.h>

#include <string>

namespace gradus {

/// Scalable vector graphics, from top to bottom; a file of its own that follows the reader's light or dark
/// colours. Throws ValueError for a trace without nodes.
std::string graph_svg(const Trace& trace);
/// The same graph in the language of Graphviz. Throws ValueError for a trace without nodes.
std::string graph_dot(const Trace& trace);

}  // namespace gradus
