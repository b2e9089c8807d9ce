# gradus_embed(<output.cpp> <function> <file>): writes a source file that defines
#   std::span<const unsigned char> gradus::<function>()
# with the bytes of <file>. The library then carries its data and finds it wherever it is installed.
function(gradus_embed output function file)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  cmake_path(GET file FILENAME name)
  file(READ ${file} bytes HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT
"// The bytes of ${name}; written by cmake/embed.cmake.
#include <span>
namespace gradus {
namespace {
constexpr unsigned char ${function}_bytes[] = {
${bytes}};
}
std::span<const unsigned char> ${function}();
std::span<const unsigned char> ${function}() { return ${function}_bytes; }
}  // namespace gradus
")
endfunction()
