// Which parser gets an input is told by its first bytes, as by a user's files; CSV is tried with all that is
// text. Parsers that read files by name get one in memory.
#include "parsers.h"

#include <gradus/core/error.h>
#include <gradus/core/log.h>
#include <gradus/core/random.h>
#include <gradus/data/csv.h>
#include <gradus/data/idx.h>
#include <gradus/data/image.h>
#include <gradus/data/npy.h>
#include <gradus/interchange/graph_json.h>
#include <gradus/interchange/graph_net.h>
#include <gradus/interchange/onnx_file.h>
#include <gradus/io/safetensors.h>
#include <gradus/layers/net_json.h>

#include <sys/mman.h>
#include <unistd.h>

#include <app/json.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>

#if defined(__SANITIZE_ADDRESS__)
#define GRADUS_COUNTS_MEMORY 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GRADUS_COUNTS_MEMORY 1
#endif
#endif

#ifdef GRADUS_COUNTS_MEMORY
// As in <sanitizer/allocator_interface.h>, which comes with clang alone; the functions come with g++ too.
extern "C" {
std::size_t __sanitizer_get_allocated_size(const volatile void* block);
int __sanitizer_install_malloc_and_free_hooks(void (*allocated)(const volatile void*, std::size_t),
                                              void (*freed)(const volatile void*));
}
#endif

namespace {

using namespace gradus;

/// Bytes that were allocated since a parser began, and are not freed; where a sanitizer counts them.
std::atomic<std::int64_t> live_bytes = 0;
std::atomic<std::int64_t> most_bytes = 0;  // 0: nobody is watching

#ifdef GRADUS_COUNTS_MEMORY
void count_allocation(const volatile void*, std::size_t size) {
  if (most_bytes == 0) return;
  const std::int64_t live = live_bytes += static_cast<std::int64_t>(size);
  if (live <= most_bytes) return;
  std::fprintf(stderr, "fuzz: a parser holds %lld bytes, at most %lld expected\n",
               static_cast<long long>(live), static_cast<long long>(most_bytes.load()));
  std::abort();
}

void count_release(const volatile void* block) {
  if (most_bytes == 0 || block == nullptr) return;
  live_bytes -= static_cast<std::int64_t>(__sanitizer_get_allocated_size(block));
}

const int counting = __sanitizer_install_malloc_and_free_hooks(count_allocation, count_release);
#endif

/// While it lives, no more than 4 times the input and 64 MB may be held.
class MemoryLimit {
 public:
  explicit MemoryLimit(std::size_t input) {
    live_bytes = 0;
    most_bytes = static_cast<std::int64_t>(4 * input) + (std::int64_t{64} << 20);
  }
  ~MemoryLimit() { most_bytes = 0; }
};

/// Puts the bytes into a file in memory, the same for all inputs: making one costs more than reading it. Its
/// name, by which it can be opened.
const std::string& in_memory_file(std::span<const std::byte> bytes) {
  static const int descriptor = ::memfd_create("input", 0);
  static const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
  const auto size = static_cast<ssize_t>(bytes.size());
  if (::pwrite(descriptor, bytes.data(), bytes.size(), 0) != size) std::abort();
  if (::ftruncate(descriptor, size) != 0) std::abort();
  return path;
}

template <class Read> void attempt(Parser parser, std::size_t input, const Read& read) {
  const MemoryLimit limit(input);
  try {
    read();
    ++times_read[static_cast<std::size_t>(parser)];
  } catch (const Error& error) {
    const std::string_view message = error.what();
    for (const char c : message) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
        std::fprintf(stderr, "fuzz: a message holds a control character: %s\n", error.what());
        std::abort();
      }
    }
  }
}

/// Once: no logs, and no memory kept for later, which would count.
void prepare() {
  static const bool done = [] {
    ::setenv("GRADUS_POOL", "0", 1);
    ::setenv("GRADUS_LOG_LEVEL", "off", 1);
    return true;
  }();
  static_cast<void>(done);
}

}  // namespace

void parse(std::span<const std::byte> bytes) {
  prepare();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t size = bytes.size();
  const auto begins = [&](std::string_view start) { return text.starts_with(start); };
  if (begins("\x89PNG") || begins("\xff\xd8")) {
    attempt(Parser::image, size, [&] { decode_image(bytes, "image", ImageMode::as_is); });
    attempt(Parser::image, size, [&] { decode_image(bytes, "image", ImageMode::gray); });
    return;
  }
  // The version of its format is the first that a model says, and a field of number 1.
  if (begins("\x08")) {
    return attempt(Parser::onnx, size, [&] {
      const interchange::GraphNet net(interchange::parse_onnx(text, "model"));
      interchange::from_graph_json(interchange::to_graph_json(net.graph()), "graph", 1 << 20);
    });
  }
  if (begins("[") || begins("{") || begins(" ")) {
    attempt(Parser::net, size, [&] {
      Generator generator;
      make_net(text, "net", {.channels = 3, .height = 16, .width = 16, .classes = 4}, generator,
               {.parameter_bytes = 1 << 20, .output_bytes = 1 << 20});
    });
    attempt(Parser::net, size,
            [&] { interchange::GraphNet(interchange::from_graph_json(text, "graph", 1 << 20)); });
    attempt(Parser::checkpoint, size, [&] { app::from_run_json(std::string(text), "checkpoint"); });
    attempt(Parser::checkpoint, size, [&] { app::from_metrics_lines(text, "metrics"); });
  }
  const std::string& path = in_memory_file(bytes);
  if (begins("\x93NUMPY")) return attempt(Parser::npy, size, [&] { load_npy(path); });
  if (begins("PK")) return attempt(Parser::npz, size, [&] { load_npz(path); });
  if (begins(std::string_view("\0\0", 2)) || begins("\x1f\x8b"))
    attempt(Parser::idx, size, [&] { read_idx(path); });
  // The length of a header comes first, then the header.
  if (text.substr(0, 10).find('{') == 8) {
    attempt(Parser::safetensors, size, [&] { load_safetensors(path); });
    attempt(Parser::safetensors, size, [&] { read_safetensors_header(path); });
  }
  attempt(Parser::csv, size, [&] { load_csv(path); });
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  parse(std::as_bytes(std::span(data, size)));
  return 0;
}
