#pragma once

#include "hasten/error.hpp"

namespace hasten::cli {

/// What a verb comes to: the exit code of the process.
enum class Exit : int {
  done = 0,
  failed = 1,
  wrong_use = 2,  ///< a flag, a value, a filter, a question or a setting that cannot mean anything
  in_part = 3,    ///< some files failed, each named with its reason
  interrupted = 130,
};

/// The exit of an error: `invalid` is wrong use, `cancelled` interrupted, everything else failed.
constexpr Exit exit_of(Code code) noexcept {
  switch (code) {
    case Code::invalid:
      return Exit::wrong_use;
    case Code::cancelled:
      return Exit::interrupted;
    default:
      return Exit::failed;
  }
}

}  // namespace hasten::cli
