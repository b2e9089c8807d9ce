// Settings that come from the environment, all with one rule: what is not understood is said, once, in a warning, and
// changes nothing.
#pragma once

namespace gradus::detail {

/// The switch `name`, a literal: true for "1", false for "0", `otherwise` where it is unset or empty, and for anything
/// else, with a warning.
bool switch_from_environment(const char* name, bool otherwise);

/// Is memory that was freed kept for who asks next? Not with GRADUS_POOL=0, nor under the address sanitizer or the memory
/// sanitizer, which then see who reads what is stale.
bool keeps_freed_memory();

}  // namespace gradus::detail
