// How an op gets from its chapter to the list of all ops, without the list knowing what the
// op looks like.
#pragma once

#include <gradus/autograd/op.h>

namespace gradus::ops {

/// The list's entry for T. Each chapter ends with one instantiation per op; forgetting it
/// is a link error.
template <class T> OpInfo op_info();

}  // namespace gradus::ops
