// What everything on the edge to Python shares: addresses, Python's lock, the level in use.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "../checks.h"
#include "../levels.h"

namespace ostinato {

namespace nb = nanobind;

using Address = std::uintptr_t;
using Addresses = std::vector<Address>;
using Integers = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <class T>
T* at(Address address) {
    return reinterpret_cast<T*>(address);
}

// Gives up Python's lock while the core computes. Nanobind's own guard would take it back even from an interpreter
// that is ending, which then kills the thread in the middle of C++; here the thread stops for good instead, as a daemon
// thread must. `end` is called by Python's atexit, and lets those pass that are just taking the lock.
class Unlocked {
 public:
    Unlocked() : state_(PyEval_SaveThread()) {}
    ~Unlocked() {
        ++returning_;
        if (ending_ && std::this_thread::get_id() != last_thread_) {
            --returning_;
            for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
        }
        PyEval_RestoreThread(state_);
        --returning_;
    }
    Unlocked(const Unlocked&) = delete;
    Unlocked& operator=(const Unlocked&) = delete;

    static void end() {
        last_thread_ = std::this_thread::get_id();
        ending_ = true;
        PyThreadState* const state = PyEval_SaveThread();
        while (returning_ > 0) std::this_thread::yield();
        PyEval_RestoreThread(state);
    }

 private:
    PyThreadState* state_;
    static inline std::atomic<bool> ending_{false};
    static inline std::atomic<int> returning_{0};
    static inline std::thread::id last_thread_;
};

// The level in use.
inline const Level* the_level = nullptr;

inline std::vector<std::string> level_names() {
    const Level* levels[MOST_LEVELS];
    const int count = available_levels(levels);
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i) names.emplace_back(levels[i]->name);
    return names;
}

inline void use_level(const std::string& name) {
    const Level* levels[MOST_LEVELS];
    const int count = available_levels(levels);
    for (int i = 0; i < count; ++i)
        if (name == levels[i]->name) {
            the_level = levels[i];
            return;
        }
    refuse("there is no level " + name);
}

template <class T>
const Functions<T>& functions();
template <>
inline const Functions<float>& functions<float>() {
    return the_level->of_float;
}
template <>
inline const Functions<double>& functions<double>() {
    return the_level->of_double;
}

}  // namespace ostinato
