// The core's threads: a pool of workers that one call at a time may hold, and the team it makes of them.
//
// Life of a call: take a team, run one or more tasks on it, let go of it.
//
//   Team team = Team::take(default_threads());
//   team.run([&](int member) { first_half(member); team.barrier(); second_half(member); });
//
// Workers are made when first wanted, stay until the process ends, block every signal, and never keep the process
// from ending. They spin for 50 µs at most after a task (250 µs while tasks follow each other as quickly as that) and
// then sleep, so an idle pool costs nothing. They inherit the processor affinity of the thread that makes them and have
// the system's usual stack (512 KiB on macOS). Where OpenMP's threads are borrowed (openmp.h), those are the workers.
#pragma once

#include <memory>
#include <type_traits>

namespace ostinato {

class Pool;

// The largest team. A larger one wanted is cut to it.
constexpr int MOST_THREADS = 256;

// The threads of one call: the caller, who is member 0, and size() - 1 workers.
//
// Belongs to the thread that took it, which alone may call run(), and never inside a task. Nothing is allocated
// after take().
class Team {
 public:
    // A team of `wanted` members (at least 1) or fewer; never waits. It is the caller alone if another call holds the
    // pool or if the caller is itself inside a task, and smaller than wanted if the system grants no more threads.
    // `threads`: how many the caller may use at all, if that is more and will be wanted at other times. `is_small`: the
    // task takes no longer than to wake a worker, so that only workers who spin now are in the team; when such tasks
    // come in quick succession, the others are woken for the next one.
    static Team take(int wanted, int threads = 1, bool is_small = false);

    Team(Team&& other) noexcept;
    Team& operator=(Team&& other) noexcept;
    ~Team();  // gives the workers back

    int size() const { return size_; }

    // Runs task(member) for each member 0 … size() - 1, each on a thread of its own, and returns when all are done.
    // `task` is any function object; it stays where it is, and the members share it.
    //
    // Throws the first exception that a task threw, once all are done; a member that waits at a barrier, or comes to
    // one later, is then released from it by an exception of its own, which the task must let pass. A team of several
    // throws std::logic_error inside a task, and in a child if it was taken before the fork: its workers are not there.
    template <class Task>
    void run(Task&& task) {
        using Object = std::remove_reference_t<Task>;
        static_assert(!std::is_function_v<Object>, "wrap a plain function in a lambda");
        run_call([](void* object, int member) { (*static_cast<Object*>(object))(member); },
                 const_cast<void*>(static_cast<const void*>(std::addressof(task))));
    }

    // Inside a task: returns when every member has called it as often as this one. What a member wrote before is seen
    // by all after.
    void barrier();

 private:
    using Call = void (*)(void* object, int member);

    Team(Pool* pool, int size) : pool_(pool), size_(size) {}
    void run_call(Call call, void* object);

    Pool* pool_;  // null for a team of one
    int size_;
};

// How many threads a call should want: OSTINATO_THREADS if that is a positive integer, else `otherwise`, or where that
// is 0 the processors that this thread may run on. Reads the environment at each call.
int default_threads(int otherwise = 0);

}  // namespace ostinato
