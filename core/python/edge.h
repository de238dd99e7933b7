// What everything on the edge to Python shares: addresses, Python's lock, the level in use.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
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

// The rows of a NumPy array [rows, width], read through Python's buffer protocol for as long as a call lasts: a small
// step has six arrays, and takes as long as to convert them in the general way. T const: only read.
template <class T>
class Borrowed {
 public:
    explicit Borrowed(nb::handle array) {
        constexpr int flags = PyBUF_ND | PyBUF_FORMAT | (std::is_const_v<T> ? 0 : PyBUF_WRITABLE);
        if (PyObject_GetBuffer(array.ptr(), &buffer_, flags) != 0) {
            PyErr_Clear();
            refuse("an array was expected, its elements in order and not read-only");
        }
        const char format = sizeof(T) == sizeof(float) ? 'f' : 'd';
        if (buffer_.ndim == 2 && buffer_.format && buffer_.format[0] == format && buffer_.format[1] == '\0') return;
        PyBuffer_Release(&buffer_);
        refuse("an array of two axes was expected, and of the type of the weights");
    }
    Borrowed(Borrowed&& other) noexcept : buffer_(std::exchange(other.buffer_, Py_buffer{})) {}
    ~Borrowed() {
        if (buffer_.obj) PyBuffer_Release(&buffer_);
    }
    Borrowed& operator=(Borrowed&&) = delete;

    T* data() const { return static_cast<T*>(buffer_.buf); }
    std::size_t rows() const { return static_cast<std::size_t>(buffer_.shape[0]); }
    std::size_t width() const { return static_cast<std::size_t>(buffer_.shape[1]); }

 private:
    Py_buffer buffer_;
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
