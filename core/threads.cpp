#include "threads.h"

#include "openmp.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#ifndef _WIN32
#include <pthread.h>
#include <signal.h>
#endif
#ifdef __linux__
#include <sched.h>
#endif
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace ostinato {
namespace {

// Two cache lines of x86, which fetches them in pairs; one of Apple's processors.
constexpr std::size_t LINE = 128;

using Clock = std::chrono::steady_clock;

using Microseconds = std::chrono::microseconds;

// How long a thread spins before it sleeps. Between tasks, longer: a sleeping worker starts some 100 µs after a
// spinning one; and longer still while tasks come in quick succession. At a barrier or at the end of a task, shorter:
// who is waited for may itself be waiting for this processor. No thread yields instead of sleeping, since a stranger
// may then keep the processor for milliseconds.
constexpr Microseconds SPIN_BETWEEN_TASKS{50};
constexpr Microseconds SPIN_IN_SUCCESSION{250};
constexpr Microseconds SPIN_IN_TASK{10};
constexpr Microseconds SPIN_AMONG_READY{100};  // all were seen on processors of their own

// A worker that spins says so every 5 µs at most. One that has not for as long as this has no processor now: it sleeps,
// or the system runs another thread there, maybe the very one that asks.
constexpr Microseconds READY_WITHIN{10};

// Tells the processor that this thread spins.
inline void pause() {
#if defined(__x86_64__) || defined(_M_X64)
    _mm_pause();
#elif defined(__aarch64__) || defined(_M_ARM64)
    __asm__ volatile("yield");
#endif
}

// A number that counts up while threads wait for it to move: they spin for a while, then sleep.
class alignas(LINE) Signal {
 public:
    std::uint32_t value() const { return value_.load(std::memory_order_acquire); }

    // Returns when the value is no longer `old`, and sees all that was written before it moved. It spins, then sleeps.
    void wait_while(std::uint32_t old, Microseconds spin) {
        wait_while(old, spin, [](Clock::time_point) {});
    }

    // The same; while it spins, look(now) is called every few µs.
    template <class Look>
    void wait_while(std::uint32_t old, Microseconds spin, Look look) {
        if (!spin_while(old, spin, look)) sleep_while(old);
    }

    bool is_slept_on() const { return sleepers_.load(std::memory_order_relaxed) != 0; }

    // Moves the value and wakes those who sleep; true if there were any.
    bool advance() {
        // In one total order with the two lines of sleep_while: the sleeper sees the new value, or is seen here.
        value_.fetch_add(1, std::memory_order_seq_cst);
        if (sleepers_.load(std::memory_order_seq_cst) == 0) return false;
        {
            std::lock_guard<std::mutex> between_look_and_sleep(mutex_);
        }
        moved_.notify_all();
        return true;
    }

 private:
    template <class Look>
    bool spin_while(std::uint32_t old, Microseconds spin, Look look) const {
        const Clock::time_point start = Clock::now();
        for (Clock::time_point now = start; now - start < spin; now = Clock::now()) {
            look(now);
            for (int i = 0; i < 64; ++i) {
                if (value() != old) return true;
                pause();
            }
        }
        return false;
    }

    void sleep_while(std::uint32_t old) {
        std::unique_lock<std::mutex> lock(mutex_);
        sleepers_.fetch_add(1, std::memory_order_seq_cst);
        moved_.wait(lock, [&] { return value_.load(std::memory_order_seq_cst) != old; });
        sleepers_.fetch_sub(1, std::memory_order_relaxed);
    }

    std::atomic<std::uint32_t> value_{0};
    std::atomic<std::uint32_t> sleepers_{0};
    std::mutex mutex_;
    std::condition_variable moved_;
};

// While it lives, this thread and the threads it makes get no signals: handlers run on threads that are not ours.
class SignalsBlocked {
#ifndef _WIN32
 public:
    SignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
    sigset_t before_;
#endif
};

// True while this thread runs a task.
thread_local bool inside_task = false;

struct Released {};  // thrown by a barrier that can no longer be met

// How the holder of the pool and a worker deal with each other.
class Post {
 public:
    void give_task() {
        has_task_.store(true, std::memory_order_release);
        start_.advance();
    }

    // Wakes the worker, if it sleeps, to spin until a task comes.
    void rouse() {
        if (start_.is_slept_on()) start_.advance();
    }

    // Whether the worker spins, on a processor of its own.
    bool is_ready(Clock::time_point now) const {
        const Clock::time_point looked{Clock::duration(looked_.load(std::memory_order_relaxed))};
        return now - looked < READY_WITHIN;
    }

    // The worker's part: returns when there is a task.
    void wait_for_task(Microseconds spin) {
        const auto look = [this](Clock::time_point now) {
            looked_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
        };
        do start_.wait_while(seen_++, spin, look);
        while (!has_task_.exchange(false, std::memory_order_acquire));
    }

 private:
    Signal start_;
    std::atomic<bool> has_task_{false};
    std::atomic<Clock::rep> looked_{0};  // when the worker last said that it spins
    std::uint32_t seen_ = 0;             // for the worker: how often start_ has moved
};

}  // namespace

// All workers, and the one task that they run now. Who holds the pool alone calls its other functions.
class Pool {
 public:
    using Call = void (*)(void* object, int member);

    static std::atomic<Pool*> current;  // null before the first use, and in a child after fork
    static Pool& get();

    bool hold() { return !held_.load(std::memory_order_relaxed) && !held_.exchange(true, std::memory_order_acquire); }
    void release() {
        let_go_ = Clock::now();
        held_.store(false, std::memory_order_release);
    }
    int hire(int wanted, int threads, bool is_small);
    void run(Call call, void* object, int size);
    void barrier();

 private:
    int employ(int wanted);
    int ready(int wanted, bool rouse);
    void work(int member);
    void run_borrowed();
    void run_own();
    void perform(int member);
    void fail();

    // Written by the holder between tasks, then read by all members.
    struct alignas(LINE) {
        Call call = nullptr;
        void* object = nullptr;
        int size = 1;
        Microseconds spin = SPIN_IN_TASK;
        Microseconds spin_afterwards = SPIN_BETWEEN_TASKS;
        std::atomic<bool> failed{false};
        std::exception_ptr failure;
    } task_;

    alignas(LINE) std::atomic<int> busy_{0};     // workers still at the task
    alignas(LINE) std::atomic<int> arrived_{0};  // members at the barrier
    Signal met_;                                 // moves when all have arrived
    Signal finished_;                            // moves when no worker is busy

    // For the holder. Null before the worker is made.
    std::array<Post*, MOST_THREADS> posts_{};
    int employed_ = 1;          // members there are, the caller among them
    Clock::time_point let_go_;  // when the pool was last given back
    int borrowed_ = 0;          // OpenMP's threads that the next tasks run on; 0: workers of the pool's own
    std::atomic<bool> held_{false};
};

std::atomic<Pool*> Pool::current{nullptr};

namespace {

#ifndef _WIN32
// A child has none of its parent's workers, and the pool's locks as they happened to be: it forgets the pool and makes
// another. Registered when the library is loaded, so that no fork comes before it.
const int registered = pthread_atfork(nullptr, nullptr, [] { Pool::current.store(nullptr); });
#endif

}  // namespace

// Pools are never destroyed: workers use theirs until the process ends.
Pool& Pool::get() {
    Pool* pool = current.load(std::memory_order_acquire);
    if (pool != nullptr) return *pool;
    auto fresh = std::make_unique<Pool>();
    if (current.compare_exchange_strong(pool, fresh.get(), std::memory_order_acq_rel)) pool = fresh.release();
    return *pool;
}

// Sees to it that there are `wanted` members, or as many as the system grants; returns how many. A small task has those
// who are ready: the others are woken for the next, if such tasks come in quick succession.
int Pool::hire(int wanted, int threads, bool is_small) {
    // All of them always: OpenMP ends the threads that a smaller team leaves out, and makes them again for a larger.
    borrowed_ = openmp::grants(std::max(wanted, threads)) ? std::max(wanted, threads) : 0;
    if (borrowed_) return wanted;
    const bool in_succession = Clock::now() - let_go_ < SPIN_IN_SUCCESSION;
    task_.spin_afterwards = in_succession ? SPIN_IN_SUCCESSION : SPIN_BETWEEN_TASKS;
    task_.spin = is_small ? SPIN_AMONG_READY : SPIN_IN_TASK;
    if (!is_small) return employ(wanted);
    return ready(in_succession ? employ(wanted) : std::min(employed_, wanted), in_succession);
}

// How many of `wanted` members could begin a task now. rouse: whether to wake the others.
int Pool::ready(int wanted, bool rouse) {
    const Clock::time_point now = Clock::now();
    int count = 1;
    while (count < wanted && posts_[count]->is_ready(now)) ++count;
    for (int member = count; rouse && member < wanted; ++member) posts_[member]->rouse();
    return count;
}

// Makes workers until there are `wanted` members or the system refuses; returns how many of these there are.
int Pool::employ(int wanted) {
    if (employed_ >= wanted) return wanted;
    SignalsBlocked during_creation;
    for (; employed_ < wanted; ++employed_) {
        if (posts_[employed_] == nullptr) posts_[employed_] = new Post;
        try {
            std::thread(&Pool::work, this, employed_).detach();
        } catch (const std::system_error&) {
            break;
        }
    }
    return employed_;
}

void Pool::run(Call call, void* object, int size) {
    task_.call = call;
    task_.object = object;
    task_.size = size;
    task_.failed.store(false, std::memory_order_relaxed);
    arrived_.store(0, std::memory_order_relaxed);
    borrowed_ ? run_borrowed() : run_own();
    if (task_.failure) std::rethrow_exception(std::exchange(task_.failure, nullptr));
}

void Pool::run_borrowed() {
    const auto perform_if_member = [](void* pool, int number) {
        if (number < static_cast<Pool*>(pool)->task_.size) static_cast<Pool*>(pool)->perform(number);
    };
    openmp::run(borrowed_, perform_if_member, this);
}

void Pool::run_own() {
    busy_.store(task_.size - 1, std::memory_order_relaxed);
    const std::uint32_t before = finished_.value();
    for (int member = 1; member < task_.size; ++member) posts_[member]->give_task();
    perform(0);
    finished_.wait_while(before, task_.spin);
}

// A worker's whole life.
void Pool::work(int member) {
    Microseconds spin = SPIN_BETWEEN_TASKS;
    while (true) {
        posts_[member]->wait_for_task(spin);
        perform(member);
        spin = task_.spin_afterwards;
        const bool last = busy_.fetch_sub(1, std::memory_order_acq_rel) == 1;
        // A caller who slept may wake up on this processor, where this worker's spinning would keep it waiting.
        if (last && finished_.advance()) std::this_thread::yield();
    }
}

void Pool::perform(int member) {
    inside_task = true;
    try {
        task_.call(task_.object, member);
    } catch (...) {
        fail();
    }
    inside_task = false;
}

// Keeps the first exception and releases who waits for its thrower. Those released come here too, too late to be kept.
void Pool::fail() {
    if (task_.failed.exchange(true, std::memory_order_acq_rel)) return;
    task_.failure = std::current_exception();
    met_.advance();
}

void Pool::barrier() {
    const std::uint32_t before = met_.value();
    // After the look at met_: a failure not seen here moves it from `before`.
    if (task_.failed.load(std::memory_order_acquire)) throw Released{};
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == task_.size - 1) {
        arrived_.store(0, std::memory_order_relaxed);
        met_.advance();
    } else {
        met_.wait_while(before, task_.spin);
        if (task_.failed.load(std::memory_order_acquire)) throw Released{};
    }
}

Team Team::take(int wanted, int threads, bool is_small) {
    if (wanted <= 1 || inside_task) return Team(nullptr, 1);
    Pool& pool = Pool::get();
    if (!pool.hold()) return Team(nullptr, 1);
    Team team(&pool, 1);  // from here on the destructor gives the pool back
    team.size_ = pool.hire(std::min(wanted, MOST_THREADS), std::min(threads, MOST_THREADS), is_small);
    return team;
}

Team::Team(Team&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)), size_(std::exchange(other.size_, 1)) {}

Team& Team::operator=(Team&& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(size_, other.size_);
    return *this;
}

Team::~Team() {
    if (pool_ != nullptr) pool_->release();
}

namespace {

// Calls without the pool; marks the thread for as long, whatever the call throws.
void run_alone(void (*call)(void*, int), void* object) {
    struct Mark {
        bool before = std::exchange(inside_task, true);
        ~Mark() { inside_task = before; }
    } mark;
    call(object, 0);
}

}  // namespace

void Team::run_call(Call call, void* object) {
    if (size_ == 1) return run_alone(call, object);
    if (inside_task) throw std::logic_error("Team::run expected a thread outside any task, but was called inside one");
    if (pool_ != Pool::current.load(std::memory_order_relaxed)) {
        throw std::logic_error("Team::run expected a team taken in this process, but it was taken before a fork");
    }
    pool_->run(call, object, size_);
}

void Team::barrier() {
    if (size_ > 1) pool_->barrier();
}

namespace {

// Processors that this thread may run on.
int processors() {
#ifdef __linux__
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return CPU_COUNT(&allowed);
#endif
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

int default_threads(int otherwise) {
    if (const char* text = std::getenv("OSTINATO_THREADS")) {
        int threads = 0;
        const char* end = text + std::strlen(text);
        const auto read = std::from_chars(text, end, threads);
        if (read.ec == std::errc() && read.ptr == end && threads > 0) return threads;
    }
    return otherwise > 0 ? otherwise : processors();
}

}  // namespace ostinato
