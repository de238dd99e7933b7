// Tests of threads.h:
//
//   threads          checks everything, exits with 1 if something is wrong
//   threads --time   prints what a team, a task and a barrier of two members cost, medians
//
// Under the thread sanitizer nothing forks, since it allows a child of several threads no thread of its own.

#include "../threads.h"
#include "../openmp.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#ifndef _WIN32
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#endif
#ifdef __linux__
#include <sched.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif

#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define UNDER_THREAD_SANITIZER
#endif
#if __has_feature(address_sanitizer)
#define UNDER_ADDRESS_SANITIZER
#endif
#endif
#ifdef __SANITIZE_THREAD__
#define UNDER_THREAD_SANITIZER
#endif
#ifdef __SANITIZE_ADDRESS__
#define UNDER_ADDRESS_SANITIZER
#endif
#if !defined(_WIN32) && !defined(UNDER_THREAD_SANITIZER)
#define CAN_FORK
#endif

namespace openmp = ostinato::openmp;
using ostinato::default_threads;
using ostinato::MOST_THREADS;
using ostinato::Team;

namespace {
[[maybe_unused]] bool is_child = false;  // of a fork
#ifdef _OPENMP
constexpr bool BORROWS = true;
#else
constexpr bool BORROWS = false;
#endif
}  // namespace

#ifdef UNDER_ADDRESS_SANITIZER
// Asked before leaks are looked for. A child has none of the threads whose stacks would be searched.
extern "C" int __lsan_is_turned_off() {
    return is_child;
}
#endif

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;
using std::chrono::milliseconds;

std::atomic<int> failures{0};

void expect(bool holds, const std::string& what) {
    if (holds) return;
    if (++failures <= 50) std::printf("FAILED %s\n", what.c_str());
}

// A number that one member writes and others read after a barrier: plain, so that the thread sanitizer sees a barrier
// that does not order memory.
struct alignas(128) Slot {
    long value = 0;
};

// How many slots do not hold `value`.
int others(const std::vector<Slot>& slots, long value) {
    return static_cast<int>(std::count_if(slots.begin(), slots.end(), [&](const Slot& s) { return s.value != value; }));
}

// Calls `task` and returns what it threw, as text; empty if nothing.
std::string thrown_by(const std::function<void()>& task) {
    try {
        task();
    } catch (const std::exception& error) {
        return error.what();
    } catch (...) {
        return "not a std::exception";
    }
    return "";
}

// Whether the pool works: a team of `size`, in which every member meets every other.
bool works(int size) {
    Team team = Team::take(size);
    std::vector<Slot> slots(static_cast<std::size_t>(size));
    std::atomic<int> wrong{0};
    team.run([&](int member) {
        slots[member].value = 7;
        team.barrier();
        wrong += others(slots, 7);
    });
    return team.size() == size && wrong == 0;
}

// ---- Teams ----

void check_size(int size) {
    Team team = Team::take(size);
    expect(team.size() == size, "a team has the size wanted, " + std::to_string(size));
    std::vector<Slot> calls(static_cast<std::size_t>(size));
    std::vector<std::thread::id> threads(static_cast<std::size_t>(size));
    for (int round = 1; round <= 20; ++round) {
        team.run([&](int member) {
            ++calls[member].value;
            threads[member] = std::this_thread::get_id();
            team.barrier();  // never passed if two members share a thread
        });
        expect(others(calls, round) == 0, "each member runs a task once, of " + std::to_string(size));
    }
    expect(threads[0] == std::this_thread::get_id(), "the caller is member 0");
    std::sort(threads.begin(), threads.end());
    expect(std::unique(threads.begin(), threads.end()) == threads.end(), "each member has a thread of its own");
}

void check_sizes() {
    for (int size : std::vector<int>{1, 2, 3, 4, 5, 8, 13, 40, 3, 100, 2, MOST_THREADS, 1, 2}) check_size(size);
    expect(Team::take(MOST_THREADS + 1).size() == MOST_THREADS, "the largest team has MOST_THREADS members");
    expect(Team::take(0).size() == 1 && Team::take(-3).size() == 1, "the smallest team is the caller");
}

void check_giving_back() {
    Team first = Team::take(3);
    expect(first.size() == 3, "a free pool gives a team");
    expect(Team::take(3).size() == 1, "a pool that is held gives the caller alone");
    Team second = std::move(first);
    expect(first.size() == 1 && second.size() == 3, "a team moves with its workers");
    expect(Team::take(3).size() == 1, "a team that moved still holds the pool");
    second = Team::take(1);
    expect(second.size() == 1 && works(3), "a team that is assigned to gives its workers back");
    first.run([](int) {});  // what was moved from is a team of one
}

void check_objects() {
    Team team = Team::take(2);
    const auto constant = [&](int) { team.barrier(); };
    team.run(constant);
    struct Counter {
        std::atomic<int> calls{0};
        void operator()(int) { ++calls; }
    } counter;
    team.run(counter);
    expect(counter.calls == 2, "a task is used where it stands");
    std::atomic<int> calls{0};
    team.run(std::function<void(int)>([&](int) { ++calls; }));
    expect(calls == 2, "a temporary task lives until all are done");
}

void check_nesting() {
    std::atomic<int> wrong{0};
    Team team = Team::take(4);
    team.run([&](int member) {
        Team inner = Team::take(4);
        int calls = 0;
        inner.run([&](int inner_member) { calls += inner_member == 0 ? 1 : 100; });
        inner.barrier();
        if (inner.size() != 1 || calls != 1) ++wrong;
        if (member == 0) wrong += thrown_by([&] { team.run([](int) {}); }).empty();
    });
    expect(wrong == 0, "a team taken inside a task is of one, and no team of several starts there");
    team = Team::take(1);
    team.run([&](int) {
        expect(Team::take(4).size() == 1, "a team taken inside the task of a team of one is of one");
        Team::take(1).run([](int) {});
        expect(Team::take(4).size() == 1, "and still is after a task within the task");
    });
    expect(works(4), "after nested tasks the pool is free");
}

// ---- Barriers ----

// Members count rounds, each in its slot, and look at all slots between two barriers: all must be in the same round.
void check_barrier(int size, int rounds) {
    Team team = Team::take(size);
    std::vector<Slot> slots(static_cast<std::size_t>(size));
    std::atomic<long> wrong{0};
    team.run([&](int member) {
        long behind = 0;
        for (int round = 1; round <= rounds; ++round) {
            slots[member].value = round;
            team.barrier();
            behind += others(slots, round);
            team.barrier();
        }
        wrong += behind;
    });
    expect(wrong == 0, "no member passes a barrier before all have come, of " + std::to_string(size));
    expect(others(slots, rounds) == 0, "every member passes every barrier, of " + std::to_string(size));
}

// Members come to the barrier up to 60 µs apart: some spin, some sleep, some are just about to.
void check_uneven_barrier(int size) {
    Team team = Team::take(size);
    std::vector<Slot> slots(static_cast<std::size_t>(size));
    std::atomic<long> wrong{0};
    team.run([&](int member) {
        for (int round = 1; round <= 500; ++round) {
            const auto until = Clock::now() + microseconds((round * 7 + member * 13) % 60);
            while (Clock::now() < until) continue;
            slots[member].value = round;
            team.barrier();
            wrong += others(slots, round);
            team.barrier();
        }
    });
    expect(wrong == 0, "a barrier holds whoever spins or sleeps there");
}

void check_barriers() {
    check_barrier(1, 10);
    check_barrier(2, 50000);  // two barriers a round
    check_barrier(3, 2000);
    check_barrier(5, 1000);
    check_barrier(16, 200);
    check_barrier(64, 20);
    check_uneven_barrier(2);
    check_uneven_barrier(3);
    Team team = Team::take(4);  // one member meets more often in one task, none is left over for the next
    std::atomic<int> calls{0};
    for (int task = 0; task < 1000; ++task) {
        team.run([&](int) {
            for (int meeting = 0; meeting < task % 3; ++meeting) team.barrier();
            ++calls;
        });
    }
    expect(calls == 4000, "a barrier starts afresh in every task");
}

// Tasks come when workers spin, sleep, or are just about to: pauses up to 120 µs, around the 50 µs of spinning.
void check_waking() {
    std::atomic<int> calls{0};
    for (int task = 0; task < 2000; ++task) {
        const auto until = Clock::now() + microseconds(task % 121);
        while (Clock::now() < until) continue;
        Team::take(2).run([&](int) { ++calls; });
    }
    for (int task = 0; task < 50; ++task) {
        std::this_thread::sleep_for(milliseconds(2));
        Team::take(3).run([&](int) { ++calls; });
    }
    expect(calls == 4000 + 150, "every worker wakes for every task");
}

// A small task has nobody who sleeps. Those that come in quick succession have workers as soon as these are awake.
void check_small_tasks() {
    std::atomic<int> calls{0};
    std::this_thread::sleep_for(milliseconds(5));
    for (int task = 0; task < 20; ++task) {
        std::this_thread::sleep_for(milliseconds(2));
        Team team = Team::take(3, 3, true);
        expect(team.size() == 1, "a small task that comes alone wakes nobody");
        team.run([&](int) { ++calls; });
    }
    int largest = 1;
    const auto until = Clock::now() + std::chrono::seconds(20);
    while (largest < 2 && Clock::now() < until) {
        Team team = Team::take(2, 2, true);
        largest = std::max(largest, team.size());
        std::vector<Slot> slots(static_cast<std::size_t>(team.size()));
        team.run([&](int member) {
            slots[member].value = 7;
            team.barrier();
            calls += others(slots, 7);  // 0
        });
    }
    const bool has_processors = default_threads() > 1;
    expect(largest == 2 || !has_processors, "small tasks in quick succession are given to workers");
    expect(calls == 20 && works(4), "who was woken without a task does the next ones");
}

// ---- Several callers ----

void check_callers() {
    constexpr int CALLERS = 8, CALLS = 400;
    std::atomic<int> large{0}, most_large{0}, wrong{0}, team_calls{0};
    const auto caller = [&] {
        for (int call = 0; call < CALLS; ++call) {
            Team team = Team::take(3);
            const bool has_workers = team.size() > 1;
            if (has_workers && ++large > 1) ++most_large;
            std::vector<Slot> slots(static_cast<std::size_t>(team.size()));
            team.run([&](int member) {
                slots[member].value = call;
                team.barrier();
                wrong += others(slots, call);
            });
            team_calls += has_workers;
            if (has_workers) --large;
        }
    };
    std::vector<std::thread> callers;
    for (int i = 0; i < CALLERS; ++i) callers.emplace_back(caller);
    for (std::thread& thread : callers) thread.join();
    expect(wrong == 0, "calls from several threads do not mix");
    expect(most_large == 0, "one call at a time holds the workers");
    expect(team_calls > 0, "some call gets the workers");
}

// ---- Exceptions ----

void check_one_thrower(int size, int thrower, bool with_barrier) {
    Team team = Team::take(size);
    std::atomic<int> done{0}, through{0};
    const std::string text = thrown_by([&] {
        team.run([&](int member) {
            if (member == thrower) throw std::runtime_error("member " + std::to_string(member));
            std::this_thread::sleep_for(microseconds(100));
            ++done;
            if (!with_barrier) return;
            team.barrier();  // the thrower never comes
            ++through;
        });
    });
    expect(text == "member " + std::to_string(thrower), "what a member threw is thrown by run, not '" + text + "'");
    expect(done == size - 1, "run returns when all are done, though one threw");
    expect(through == 0, "a barrier lets nobody through before all have come, though one threw");
    int calls = 0;
    team.run([&](int member) {
        team.barrier();
        if (member == 0) ++calls;
        team.barrier();
    });
    expect(calls == 1, "a team works on after an exception");
}

void check_exceptions() {
    for (int size : {1, 2, 5}) {
        for (int thrower = 0; thrower < size; ++thrower) {
            check_one_thrower(size, thrower, false);
            check_one_thrower(size, thrower, true);
        }
    }
    for (int task = 0; task < 200; ++task) {
        Team team = Team::take(4);
        std::string text = thrown_by([&] {
            team.run([&](int member) {
                team.barrier();
                if (member != 2) team.barrier();
                throw std::runtime_error("first");
            });
        });
        expect(text == "first", "when all throw one is kept, and it is a task's own");
        text = thrown_by([&] { team.run([](int) { throw 3; }); });
        expect(text == "not a std::exception", "anything may be thrown");
    }
    // A member asleep at the barrier.
    Team team = Team::take(2);
    const std::string text = thrown_by([&] {
        team.run([&](int member) {
            if (member == 0) team.barrier();
            std::this_thread::sleep_for(milliseconds(5));
            throw std::runtime_error("late");
        });
    });
    expect(text == "late", "who sleeps at a barrier is released");
    team = Team::take(1);
    expect(works(3), "an exception does not keep the pool");
}

// ---- The process ----

void set_threads(const char* text) {
#ifdef _WIN32
    _putenv_s("OSTINATO_THREADS", text);
#else
    setenv("OSTINATO_THREADS", text, 1);
#endif
}

void check_borrowing() {
    expect(!openmp::grants(1), "nothing is borrowed unasked");
    expect(openmp::borrow() == BORROWS, "OpenMP is found exactly where there is one");
    expect(openmp::grants(3) == BORROWS, "what is borrowed grants threads");
    std::thread([] { expect(!openmp::grants(3), "it grants none to another thread"); }).join();
#ifdef _OPENMP
    omp_set_dynamic(1);
    expect(!openmp::grants(3), "a runtime that gives as many threads as it likes is not used");
    omp_set_dynamic(0);
    std::atomic<int> calls{0};
#pragma omp parallel num_threads(2)
    {
        Team::take(2).run([&](int) { ++calls; });
    }
    expect(calls >= 3, "inside a parallel region of OpenMP's, workers of the core's own run a task");
#endif
}

void check_default_threads() {
    set_threads("");  // as good as unset
    const int processors = default_threads();
    expect(processors >= 1, "there is at least one processor");
    for (const char* text : {"0", "-2", "two", "3x", "99999999999999999999"}) {
        set_threads(text);
        expect(default_threads() == processors, std::string("OSTINATO_THREADS is ignored if it is ") + text);
    }
    set_threads("7");
    expect(default_threads() == 7, "OSTINATO_THREADS=7 gives 7");
    set_threads("");
#ifdef __linux__
    cpu_set_t before, one;
    sched_getaffinity(0, sizeof before, &before);
    int first = 0;
    while (!CPU_ISSET(first, &before)) ++first;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    sched_setaffinity(0, sizeof one, &one);
    expect(default_threads() == 1, "one allowed processor gives one thread");
    sched_setaffinity(0, sizeof before, &before);
#endif
}

#ifndef _WIN32
bool takes_interrupts() {
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    return sigismember(&blocked, SIGINT) == 0;
}

void check_signals() {
    Team team = Team::take(4);
    std::atomic<int> wrong{0};
    team.run([&](int member) { wrong += takes_interrupts() != (member == 0); });
    expect(wrong == 0, "signals go to the caller, never to a worker");
}
#else
void check_signals() {}
#endif

#ifdef CAN_FORK
// Runs `child` in a child process and returns its exit status; -1 if a signal ended it, as one that hangs is ended.
int status_of_child(const std::function<void()>& child) {
    std::fflush(stdout);
    const pid_t pid = fork();
    if (pid == 0) {
        alarm(60);
        is_child = true;
        failures = 0;  // the child's own
        child();
        std::exit(failures == 0 ? 0 : 1);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void check_fork() {
    expect(works(3), "the pool works before a fork");
    for (int i = 0; i < 10; ++i) {
        if (i % 2 == 1) std::this_thread::sleep_for(milliseconds(1));  // workers spin, or sleep
        const auto grandchild = [] { expect(works(4), "a grandchild has a pool"); };
        const int status = status_of_child([&] {
            expect(works(2), "a child has a pool");
            expect(works(5), "a child's pool grows");
            expect(status_of_child(grandchild) == 0, "a child may fork");
        });
        expect(status == 0, "a child uses its pool and ends");
        expect(works(3), "the parent goes on");
    }
    Team team = Team::take(3);
    const int status = status_of_child([&] {
        expect(!thrown_by([&] { team.run([](int) {}); }).empty(), "a team does not follow into a child");
        expect(works(3), "what the parent holds is free in a child");
    });
    expect(status == 0, "a child of a caller with a team uses its pool and ends");
    team.run([&](int) { team.barrier(); });
}

// Forks while another thread's task runs, and ends a child in the same way.
void check_fork_amid_a_task() {
    std::atomic<bool> stop{false}, runs{false};
    const auto keep_running = [&] {
        while (!stop) {
            Team team = Team::take(3);
            team.run([&](int) { team.barrier(); });
            runs = true;
        }
    };
    std::thread other(keep_running);
    while (!runs) std::this_thread::yield();
    for (int i = 0; i < 20; ++i) {
        expect(status_of_child([] { expect(works(3), "a child has a pool"); }) == 0, "a fork amid a task is harmless");
    }
    stop = true;
    other.join();
}

void check_exit() {
    expect(status_of_child([] { works(4); }) == 0, "a process ends while its workers spin");
    const auto sleep_then_end = [] {
        works(4);
        std::this_thread::sleep_for(milliseconds(5));
    };
    expect(status_of_child(sleep_then_end) == 0, "a process ends while its workers sleep");
    const auto end_amid_a_task = [] {
        auto* runs = new std::atomic<bool>(false);  // outlives this function, as does the thread
        std::thread([runs] {
            Team team = Team::take(3);
            team.run([runs](int) {
                *runs = true;
                std::this_thread::sleep_for(std::chrono::seconds(100));
            });
        }).detach();
        while (!*runs) std::this_thread::yield();
    };
    expect(status_of_child(end_amid_a_task) == 0, "a process ends while its workers work");
}

void check_that_children_can_fail() {
    expect(status_of_child([] { std::exit(1); }) == 1, "a child that finds a fault is noticed");
    expect(status_of_child([] { raise(SIGKILL); }) == -1, "a child that is killed is noticed");
}
#else
void check_fork() {}
void check_fork_amid_a_task() {}
void check_exit() {}
void check_that_children_can_fail() {}
#endif

void check_that_checks_can_fail() {
    std::vector<Slot> slots(3);
    slots[1].value = 1;
    expect(others(slots, 0) == 1 && others(slots, 1) == 2, "slots that differ are counted");
    expect(thrown_by([] { throw std::runtime_error("this"); }) == "this", "an exception is noticed");
    Team held = Team::take(2);
    expect(!works(2), "a pool that gives no workers is noticed");
}

// ---- Costs ----

// The median over 101 measurements of what `task` takes, in µs.
double median_cost(const std::function<void()>& prepare, const std::function<void()>& task) {
    std::vector<double> costs;
    for (int i = 0; i < 101; ++i) {
        prepare();
        const auto start = Clock::now();
        task();
        costs.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
    }
    std::nth_element(costs.begin(), costs.begin() + 50, costs.end());
    return costs[50];
}

void print_costs() {
    constexpr int MANY = 1000;
    const auto take_and_run = [] { Team::take(2).run([](int) {}); };
    const double spinning = median_cost([] {},
                                        [&] {
                                            for (int i = 0; i < MANY; ++i) take_and_run();
                                        });
    const double sleeping = median_cost([] { std::this_thread::sleep_for(milliseconds(10)); }, take_and_run);
    Team team = Team::take(2);
    const double barriers = median_cost([] {},
                                        [&] {
                                            team.run([&](int) {
                                                for (int i = 0; i < MANY; ++i) team.barrier();
                                            });
                                        });
    std::printf("an empty task, worker spinning   %8.3f µs\n", spinning / MANY);
    std::printf("an empty task, after 10 ms idle  %8.3f µs\n", sleeping);
    std::printf("a barrier                        %8.3f µs\n", barriers / MANY);
}

}  // namespace

int main(int count, char** words) {
    if (count == 2 && std::string(words[1]) == "--time") {
        print_costs();
        return 0;
    }
    if (count != 1) {
        std::printf("usage: %s [--time]\n", words[0]);
        return 2;
    }
#ifndef _WIN32
    alarm(600);  // whatever hangs ends
#endif
    check_borrowing();
    check_default_threads();
    check_sizes();
    check_giving_back();
    check_objects();
    check_nesting();
    check_barriers();
    check_waking();
    if (!BORROWS) check_small_tasks();  // OpenMP's threads are taken all together
    check_callers();
    check_exceptions();
    if (!BORROWS) check_signals();  // OpenMP's threads take them as they please
    check_fork();
    check_fork_amid_a_task();
    check_exit();
    check_that_children_can_fail();
    check_that_checks_can_fail();
    std::printf(failures == 0 ? "all as promised\n" : "%d checks failed\n", failures.load());
    return failures == 0 ? 0 : 1;
}
