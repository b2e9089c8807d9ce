// why(): in words, why a Variable has no gradient, a zero one, or one with a NaN, and where on the
// tape that came about.
//
//   std::puts(why(model.conv.weight, loss).c_str());
//   // zero gradient: relu at train.cpp:41 gives 0 for its input 0, ...
//
// It looks and changes nothing: no grad(), no tape. With a loss it runs backward through the tape once
// more and watches each op, without the hooks. So ask before backward(), or with retain_graph.
#pragma once

#include <gradus/autograd/variable.h>

#include <string>

namespace gradus {

/// From what x itself tells: is it a leaf, what cut it off, what grad() holds. One line; it begins with
/// "no gradient", "zero gradient", "NaN in the gradient", "infinite gradient" or "a gradient".
std::string why(const Variable& x);

/// And from the tape between `loss` and x: the op that cut the way, or the first op, from the loss down,
/// that made a zero, a NaN or an infinity of a gradient that was none. A loss of several elements counts
/// as their sum.
std::string why(const Variable& x, const Variable& loss);

}  // namespace gradus
