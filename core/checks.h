// How the edge to Python refuses what comes in.
#pragma once

#include <stdexcept>
#include <string>

namespace ostinato {

[[noreturn]] inline void refuse(const std::string& what) {
    throw std::invalid_argument("ostinato._core: " + what);
}

inline void expect(bool holds, const char* what) {
    if (!holds) refuse(what);
}

}  // namespace ostinato
