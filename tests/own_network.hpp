#pragma once

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

namespace hasten {

/// Takes this process, which has one thread still, into a network of its own, with nothing but its loopback
/// device. @return why it cannot; "" when it has.
inline std::string enter_own_network() {
  static const std::string why = [] {
    const std::string uid = fmt::format("0 {} 1", ::getuid());
    if (::unshare(CLONE_NEWNET) != 0) {
      if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        return fmt::format("a network of its own needs root, or user namespaces: {}", std::strerror(errno));
      }
      std::ofstream("/proc/self/uid_map") << uid;
    }
    const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    const bool up = ::ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    ::close(fd);
    return std::string(up ? "" : "the loopback device of the new network cannot be started");
  }();
  return why;
}

}  // namespace hasten
