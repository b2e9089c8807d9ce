// The one line of the version that is compiled into the library, so that a program can tell
// what it runs with.
#include <gradus/core/version.h>

namespace gradus {

std::string_view library_version() { return version; }

}  // namespace gradus
