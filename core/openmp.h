// The threads of an OpenMP runtime that this process computes with already, such as torch's.
//
// OpenMP's threads spin for milliseconds after each of their tasks. Beside them threads of the core's own would find
// the processors taken; so where both compute in turns, the core's tasks run on OpenMP's threads.
#pragma once

namespace ostinato::openmp {

// Looks for a runtime that the process has loaded, and has the core use its threads from now on in this thread's calls;
// false if there is none. Not in other threads' calls: OpenMP would make a set of threads for each. And not in a child
// after fork, where they are lost.
bool borrow();

// Whether `threads` of the borrowed threads will run a task at the same time, if this thread asks now.
bool grants(int threads);

// Runs call(object, member) for each member 0 … threads - 1, each on a thread of its own, the caller being member 0,
// and returns when all are done. Call it where `grants` says yes. The call must not throw.
void run(int threads, void (*call)(void* object, int member), void* object);

}  // namespace ostinato::openmp
