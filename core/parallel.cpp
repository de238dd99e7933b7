#include "parallel.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "memory.h"
#include "threads.h"

#if defined(__x86_64__) || defined(_M_X64)
#define OSTINATO_X86
#include <xmmintrin.h>
#endif

namespace ostinato {

namespace {

constexpr double WORTH_A_THREAD = 400e3;   // multiply-adds for which waking a thread pays
constexpr double WORTH_WAKING = 6e6;       // the same where that thread sleeps
constexpr double WORTH_A_BARRIER = 300e3;  // the same for meeting once a step
constexpr double STEP_OVERHEAD = 3;        // rows that could pass in the time in which the weights are read
constexpr Index BLOCK_BYTES = 320 << 10;   // arrays of a block of rows, which a second-level cache keeps
constexpr Index BLOCK_ROWS = 64;           // at least, so that reading the weights again costs little

template <class T>
double work_of_a_step(const Run<T>& job) {
    double work = 0;
    const Plan& plan = *job.plan;
    for (Index i = 0; i < plan.item_count; ++i)
        for (Index p = 0; p < plan.items[i].product_count; ++p) {
            const Matrix<T>& matrix = job.matrices[plan.items[i].products[p].matrix];
            work += double(matrix.units) * double(matrix.k_count) / double(matrix.heads);
        }
    return work;
}

template <class T>
double work_of_a_row(const Run<T>& job) {
    double work = work_of_a_step(job);
    for (Index g = 0; g < job.input_count; ++g) work += double(job.inputs[g].units) * double(job.input_size);
    for (Index i = 0; i < job.plan->item_count; ++i) {
        const Item& item = job.plan->items[i];
        if (item.kind == ItemKind::section && item.width >= 0)
            work += 10.0 * double(item.instruction_count) * double(job.widths[item.width]);
    }
    return work;
}

// The core computes in the processor's usual mode of rounding and of small numbers, on whichever thread: a caller's
// may be another (torch.set_flush_denormal), and workers would disagree with it.
class FloatMode {
 public:
#if defined(OSTINATO_X86)
    FloatMode() : before_(_mm_getcsr()) { _mm_setcsr(0x1f80); }
    ~FloatMode() { _mm_setcsr(before_); }

 private:
    unsigned before_;
#elif defined(__aarch64__)
    FloatMode() {
        __asm__ volatile("mrs %0, fpcr" : "=r"(before_));
        const std::uint64_t usual = 0;
        __asm__ volatile("msr fpcr, %0" ::"r"(usual));
    }
    ~FloatMode() { __asm__ volatile("msr fpcr, %0" ::"r"(before_)); }

 private:
    std::uint64_t before_ = 0;
#endif
};

template <class Task>
void run_task(Team& team, Task&& task) {
    team.run([&](int member) {
        const FloatMode mode;
        task(member);
    });
}

int members_for(double work, int threads) {
    return static_cast<int>(std::max(1.0, std::min(double(threads), work / WORTH_A_THREAD)));
}

Team team_for(double work, int threads) {
    return Team::take(members_for(work, threads), threads);
}

// Cuts the batch, longest sequence first, into parts of nearly equal work.
std::vector<Range> parts_of_batch(const Rows& rows, int wanted) {
    const Index batch = rows.counts[0];
    if (rows.counts[rows.steps - 1] == batch) {
        std::vector<Range> parts;
        for (int part = 0; part < wanted; ++part) parts.push_back(share(batch, part, wanted));
        return parts;
    }
    std::vector<double> length(static_cast<std::size_t>(batch), 0.0);
    for (Index t = rows.steps - 1; t >= 0; --t)
        for (Index p = rows.counts[t]; p-- > 0 && length[static_cast<std::size_t>(p)] == 0.0;)
            length[static_cast<std::size_t>(p)] = double(t + 1);
    std::vector<Range> parts;
    const auto fits = [&](double most) {
        parts.clear();
        for (Index p = 0; p < batch;) {
            double work = STEP_OVERHEAD * length[static_cast<std::size_t>(p)];
            const Index first = p;
            do work += length[static_cast<std::size_t>(p++)];
            while (p < batch && work + length[static_cast<std::size_t>(p)] <= most);
            parts.push_back({first, p});
        }
        return static_cast<int>(parts.size()) <= wanted;
    };
    double low = 0, high = STEP_OVERHEAD * double(rows.steps) + double(rows.total);
    for (int i = 0; i < 30; ++i) {
        const double middle = (low + high) / 2;
        (fits(middle) ? high : low) = middle;
    }
    fits(high);
    return parts;
}

// A thread takes its rows in blocks, each from the first step to the last, whose arrays stay in its cache.
template <class T>
Index rows_of_a_block(const Functions<T>& level, const Run<T>& job) {
    const Index bytes = static_cast<Index>(level.shared_bytes(job, BLOCK_ROWS));
    return std::max(BLOCK_ROWS, BLOCK_BYTES * BLOCK_ROWS / std::max(Index(1), bytes));
}

Index narrowest_in_panels(const Index* widths, Index count) {
    Index least = panels(widths[0]);
    for (Index i = 1; i < count; ++i) least = std::min(least, panels(widths[i]));
    return least;
}

}  // namespace

template <class T>
void run(const Functions<T>& level, const Run<T>& job, int threads) {
    const Rows& rows = job.rows;
    if (rows.steps == 0) return;
    const Index batch = rows.counts[0];
    const double work = work_of_a_row(job) * double(rows.total);
    const Index wanted = members_for(work, threads);
    const Index narrowest = narrowest_in_panels(job.widths, job.plan->letter_count);
    const bool by_units = batch < 2 * wanted && narrowest >= wanted && work_of_a_step(job) >= WORTH_A_BARRIER;
    Team team = Team::take(static_cast<int>(by_units ? wanted : std::min(wanted, batch)), threads, work < WORTH_WAKING);
    const int members = team.size();
    if (by_units && members > 1) {
        const Block shared(level.shared_bytes(job, batch));
        run_task(team, [&](int member) {
            Part part{{0, batch}, member, members, shared.data(), [](void* t) { static_cast<Team*>(t)->barrier(); },
                      &team};
            level.run(job, part);
        });
        return;
    }
    const std::vector<Range> parts = members > 1 ? parts_of_batch(rows, members) : std::vector<Range>{{0, batch}};
    const Index block = rows_of_a_block(level, job);
    const auto task = [&](int member) {
        if (member >= static_cast<int>(parts.size())) return;
        const Range part = parts[static_cast<std::size_t>(member)];
        const Index blocks = (part.size() + block - 1) / block;
        for (Index i = 0; i < blocks; ++i) {
            const Range rows = share(part.size(), i, blocks);
            level.run(job, {{part.begin + rows.begin, part.begin + rows.end}, 0, 1, nullptr, nullptr, nullptr});
        }
    };
    run_task(team, task);
}

template <class T>
void pack(const Functions<T>& level, const Packing* jobs, Index count, int threads) {
    double work = 0;
    for (Index j = 0; j < count; ++j) work += 4.0 * double(jobs[j].units) * double(jobs[j].k_count);
    Team team = team_for(work, threads);
    const auto task = [&](int member) {
        for (Index j = 0; j < count; ++j) level.pack(jobs[j], share(panels(jobs[j].units), member, team.size()));
    };
    run_task(team, task);
}

namespace {

constexpr Index PIECE_PANELS = 8, PIECE_ROWS = 192;  // that whoever is free takes next

// Some panels of a job on weights, or some rows of the input's gradient.
template <class T>
struct Piece {
    const WeightGradient<T>* weights;  // null: the input
    Range range;
};

// Whoever is free takes the next piece, so that a thread that is slower than others holds nobody up.
template <class T>
void deal(const Functions<T>& level, Team& team, const InputGradient<T>& of_input,
          const std::vector<Piece<T>>& pieces) {
    std::atomic<std::size_t> next{0};
    run_task(team, [&](int) {
        for (std::size_t i = next++; i < pieces.size(); i = next++) {
            const Piece<T>& piece = pieces[i];
            if (piece.weights)
                level.weight_gradient(*piece.weights, piece.range);
            else
                level.input_gradient(of_input, piece.range);
        }
    });
}

}  // namespace

template <class T>
void gradients(const Functions<T>& level, const InputGradient<T>& of_input,
               const std::vector<std::vector<WeightGradient<T>>>& rounds, int threads) {
    double work = 0;
    std::vector<std::vector<Piece<T>>> pieces(std::max<std::size_t>(rounds.size(), 1));
    const auto cut = [&](std::size_t round, const WeightGradient<T>* job, Index count, Index size) {
        for (Index first = 0; first < count; first += size)
            pieces[round].push_back({job, {first, std::min(first + size, count)}});
    };
    for (std::size_t round = 0; round < rounds.size(); ++round)
        for (const WeightGradient<T>& job : rounds[round]) {
            cut(round, &job, job.gate_count * panels(job.units), PIECE_PANELS);
            work += double(job.rows.total) * double(job.units) * double(job.k_count) * double(job.gate_count);
        }
    if (of_input.y) {
        cut(0, nullptr, of_input.rows, PIECE_ROWS);
        for (Index g = 0; g < of_input.gate_count; ++g)
            work += double(of_input.rows) * double(of_input.matrices[g].units) * double(of_input.matrices[g].k_count);
    }
    Team team = team_for(work, threads);
    for (const std::vector<Piece<T>>& round : pieces) deal(level, team, of_input, round);
}

#define OSTINATO_INSTANTIATE(T)                                              \
    template void run<T>(const Functions<T>&, const Run<T>&, int);           \
    template void pack<T>(const Functions<T>&, const Packing*, Index, int);  \
    template void gradients<T>(const Functions<T>&, const InputGradient<T>&, \
                               const std::vector<std::vector<WeightGradient<T>>>&, int);
OSTINATO_INSTANTIATE(float)
OSTINATO_INSTANTIATE(double)

}  // namespace ostinato
