#include "memory.h"

#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

#ifndef _WIN32
#include <pthread.h>
#endif

#include "run.h"

namespace ostinato {

namespace {

constexpr std::size_t ALIGNMENT = 64;
constexpr std::size_t MOST_KEPT = std::size_t(256) << 20;  // bytes that lie idle at most
constexpr std::size_t MOST_SCRATCH = std::size_t(64) << 20;

// A build for tests gets fresh memory each time, of the size asked for: what was written before does not hide what is
// missing now, and no room to spare hides what is too much.
#ifdef OSTINATO_POISON
constexpr bool USED_AGAIN = false;
#else
constexpr bool USED_AGAIN = true;
#endif

void* allocate(std::size_t bytes) {
    void* data = ::operator new(bytes, std::align_val_t(ALIGNMENT));
#ifdef OSTINATO_POISON
    // A build for tests: whatever is read before it is written shows as not-a-number.
    for (std::size_t i = 0; i < bytes; ++i) static_cast<unsigned char*>(data)[i] = 0xff;
#endif
    return data;
}

void release(void* data) {
    ::operator delete(data, std::align_val_t(ALIGNMENT));
}

struct Idle {
    void* data;
    std::size_t size;
};

// Blocks that nobody uses now. Never destroyed: a block may be given back while the process ends.
struct Store {
    std::mutex mutex;
    std::vector<Idle> idle;
    std::size_t bytes = 0;
};

Store& store() {
    static Store* const store = new Store;
    return *store;
}

#ifndef _WIN32
// A fork waits until nobody is at the store, so that a child never finds it locked. Registered when the library is
// loaded.
const int registered =
    pthread_atfork([] { store().mutex.lock(); }, [] { store().mutex.unlock(); }, [] { store().mutex.unlock(); });
#endif

struct Scratch {
    void* data = nullptr;
    std::size_t size = 0;
    ~Scratch() {
        if (data) release(data);
    }
};

}  // namespace

Block::Block(std::size_t bytes) : data_(nullptr), size_(bytes < ALIGNMENT ? ALIGNMENT : bytes) {
    if (USED_AGAIN) {
        Store& kept = store();
        const std::lock_guard<std::mutex> lock(kept.mutex);
        for (std::size_t i = kept.idle.size(); i-- > 0;) {
            const Idle found = kept.idle[i];
            if (found.size < size_ || found.size / 2 > size_) continue;
            kept.idle.erase(kept.idle.begin() + static_cast<std::ptrdiff_t>(i));
            kept.bytes -= found.size;
            data_ = found.data;
            size_ = found.size;
            break;
        }
    }
    if (!data_) data_ = allocate(size_);
}

Block::~Block() {
    if (USED_AGAIN) {
        Store& kept = store();
        const std::lock_guard<std::mutex> lock(kept.mutex);
        if (kept.bytes + size_ <= MOST_KEPT) {
            kept.idle.push_back({data_, size_});
            kept.bytes += size_;
            return;
        }
    }
    release(data_);
}

void* scratch(std::size_t bytes) {
    static thread_local Scratch mine;
    if (!USED_AGAIN || bytes > mine.size || mine.size > MOST_SCRATCH) {
        if (mine.data) release(mine.data);
        mine.data = nullptr;
        mine.size = 0;
        mine.data = allocate(bytes);
        mine.size = bytes;
    }
    return mine.data;
}

}  // namespace ostinato
