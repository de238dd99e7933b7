#include "openmp.h"

#ifndef _WIN32
#include <dlfcn.h>
#include <pthread.h>
#endif

namespace ostinato::openmp {

#ifdef _WIN32

bool borrow() {
    return false;
}

bool grants(int) {
    return false;
}

void run(int, void (*)(void*, int), void*) {}

#else

namespace {

// What is used of a runtime: entry points that GCC's has, and that LLVM's and Intel's have for its sake.
struct Runtime {
    void (*parallel)(void (*task)(void*), void* object, unsigned threads, unsigned flags);
    int (*thread_number)();
    int (*in_parallel)();
    int (*is_dynamic)();
    int (*thread_limit)();
};

thread_local const Runtime* borrowed = nullptr;

// Registered when the library is loaded, so that no fork comes before it.
const int registered = pthread_atfork(nullptr, nullptr, [] { borrowed = nullptr; });

template <class Function>
bool find(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    return function != nullptr;
}

// All entry points from the one library that has the first: several runtimes may be loaded.
bool find_runtime(Runtime& runtime) {
    Dl_info where;
    void* const parallel = dlsym(RTLD_DEFAULT, "GOMP_parallel");
    if (parallel == nullptr || dladdr(parallel, &where) == 0) return false;
    void* const library = dlopen(where.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    return library != nullptr && find(library, "GOMP_parallel", runtime.parallel) &&
           find(library, "omp_get_thread_num", runtime.thread_number) &&
           find(library, "omp_in_parallel", runtime.in_parallel) &&
           find(library, "omp_get_dynamic", runtime.is_dynamic) &&
           find(library, "omp_get_thread_limit", runtime.thread_limit);
}

struct Task {
    const Runtime* runtime;
    void (*call)(void* object, int member);
    void* object;
};

}  // namespace

bool borrow() {
    static Runtime runtime;
    static const bool found = find_runtime(runtime);
    if (found) borrowed = &runtime;
    return found;
}

bool grants(int threads) {
    return borrowed != nullptr && !borrowed->in_parallel() && !borrowed->is_dynamic() &&
           borrowed->thread_limit() >= threads;
}

void run(int threads, void (*call)(void*, int), void* object) {
    Task task{borrowed, call, object};
    const auto perform = [](void* given) {
        const Task& task = *static_cast<Task*>(given);
        task.call(task.object, task.runtime->thread_number());
    };
    task.runtime->parallel(perform, &task, static_cast<unsigned>(threads), 0);
}

#endif

}  // namespace ostinato::openmp
