// The connections of the live page, each of which has an end: httplib waits for every byte anew, so who sends one a second
// would hold a thread, and the end of the program, for as long as he likes.
//
// A request has a time to arrive in and an answer one to be read in, a head and a body have a size, and close() cuts off
// whoever is being served. One connection, one request.
#pragma once

#include <httplib.h>

#include <cstddef>
#include <mutex>
#include <set>

namespace gradus::app {

class LiveConnections final : public httplib::Server {
 public:
  static constexpr std::size_t longest_head = std::size_t{1} << 16;  ///< bytes
  static constexpr std::size_t longest_body = std::size_t{1} << 20;  ///< bytes

  /// From now on nobody is served, who is served sees the end, and the threads come back at once from reading and
  /// writing. Any thread may call it.
  void close();

 private:
  bool process_and_close_socket(socket_t socket) override;
  bool open(socket_t socket);
  void end(socket_t socket);

  std::mutex mutex_;  // guards all below
  bool closed_ = false;
  std::set<socket_t> served_;
};

}  // namespace gradus::app
