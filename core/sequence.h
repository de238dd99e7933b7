// A plan run over time by one thread: some rows of the batch from the first step to the last, without waiting for
// others; or, where a batch has fewer rows than there are threads, some units of all rows, meeting the others at the
// plan's barriers.
#pragma once

#include "bytes.h"
#include "elementwise.h"
#include "product.h"
#include "run.h"

namespace ostinato::OSTINATO_LEVEL {

// Input products are taken for several steps at a time, a chunk, where a step has few rows to use a panel of weights
// on, or where all weights are more than a cache keeps from step to step.
constexpr Index ENOUGH_ROWS = 12, CHUNK_ROWS = 48;
constexpr Index CACHED_WEIGHTS = Index(8) << 20, CHUNK_STEPS = 5;  // bytes; steps of a chunk beyond them
constexpr Index JOBS = 128;                                        // that are handed over at once

// Hands out pieces of one block of memory; without memory it only counts.
class Carver {
 public:
    explicit Carver(void* memory) : at_(static_cast<char*>(memory)) {}
    template <class U>
    U* take(Index count) {
        char* here = at_ ? at_ + used_ : nullptr;
        used_ += (static_cast<std::size_t>(count) * sizeof(U) + 63) / 64 * 64;
        return reinterpret_cast<U*>(here);
    }
    std::size_t used() const { return used_; }

 private:
    char* at_;
    std::size_t used_ = 0;
};

template <class T>
class Sequence {
 public:
    Sequence(const Run<T>& run, const Part& part) : run_(run), part_(part), plan_(*run.plan) {
        capacity_ = rows_at(0);
        Carver counting(nullptr);
        lay_out_own(counting);
        if (!part.shared) lay_out_shared(counting);
        void* memory = scratch(counting.used());
        Carver carver(memory);
        lay_out_own(carver);
        if (part.shared) {
            Carver shared(part.shared);
            lay_out_shared(shared);
        } else {
            lay_out_shared(carver);
        }
        fill_constants();
        place_arrays();
    }

    static std::size_t shared_bytes(const Run<T>& run, Index places) {
        Sequence sizes(run, places);
        Carver counting(nullptr);
        sizes.lay_out_shared(counting);
        return counting.used();
    }

    void steps() {
        const Index count = run_.rows.steps;
        if (!run_.backwards) enter({0, capacity_});
        for (Index s = 0; s < count; ++s) {
            const Index t = run_.backwards ? count - 1 - s : s;
            const Index live = rows_at(t);
            if (live < live_) leave({live, live_});
            if (live > live_) enter({live_, live});
            live_ = live;
            if (live > 0) step(t);
        }
        leave({0, live_});
    }

 private:
    // For sizes alone.
    Sequence(const Run<T>& run, Index places) : run_(run), part_(), plan_(*run.plan), capacity_(places) {}

    // ---- memory

    Index width_of(std::int32_t letter) const { return letter == ROW_NUMBER ? 1 : run_.widths[letter]; }
    Index array_size(std::int32_t letter) const { return padded(width_of(letter)) * capacity_; }
    Index stride() const { return capacity_ * PANEL; }

    static bool is_shared(const Array& array) {
        return array.width != ROW_NUMBER && array.kind != ArrayKind::old_state && array.kind != ArrayKind::new_state &&
               array.kind != ArrayKind::panel && array.kind != ArrayKind::projection && array.kind != ArrayKind::vector;
    }

    // Whether an array lies elsewhere, or holds something else, at every step.
    static bool is_moving(const Array& array) {
        return array.kind != ArrayKind::local && array.kind != ArrayKind::vector;
    }

    // Numbers a row are computed by every member; the first alone writes those that go into an array of all.
    bool is_for_first_member(Index array) const {
        if (part_.member == 0 || plan_.arrays[array].width != ROW_NUMBER) return false;
        for (Index i = 0; i < plan_.item_count; ++i) {
            const Item& item = plan_.items[i];
            if (item.kind == ItemKind::sum && item.result == array) return true;
            for (Index o = 0; o < item.operand_count; ++o) {
                const Operand& operand = item.operands[o];
                if (operand.kind == OperandKind::array && operand.index == array && operand.written) return true;
            }
        }
        return false;
    }

    void lay_out_own(Carver& carver) {
        bases_ = carver.take<T*>(plan_.array_count);
        strides_ = carver.template take<Index>(plan_.array_count);
        pointers_ = carver.template take<T*>(plan_.most_operands);
        registers_ = carver.template take<T>(plan_.most_tiles * TILE<T>);
        staging_ = carver.template take<T>(plan_.most_operands * TILE<T>);
        constants_ = carver.template take<T>(plan_.constant_count * TILE<T>);
        states_[0] = carver.template take<T*>(run_.state_count);
        states_[1] = carver.template take<T*>(run_.state_count);
        first_ = carver.template take<T*>(plan_.array_count);
        moving_ = carver.template take<Index>(plan_.array_count);
        lay_out_bytes(carver);
        for (Index i = 0; i < plan_.array_count; ++i) {
            if (plan_.arrays[i].width != ROW_NUMBER) continue;
            T* lies = carver.template take<T>(capacity_ * PANEL);
            if (bases_) bases_[i] = lies, strides_[i] = 0;
        }
    }

    // Room for the rows that weights of one byte are multiplied with. Each member turns them into bytes for itself.
    void lay_out_bytes(Carver& carver) {
        Index widest = 0;
        const auto look_at = [&widest](const Matrix<T>* matrices, Index count) {
            for (Index i = 0; i < count; ++i)
                if (matrices[i].stored == Stored::int8 && matrices[i].k_count > widest) widest = matrices[i].k_count;
        };
        look_at(run_.inputs, run_.input_count);
        look_at(run_.matrices, run_.matrix_count);
        if (!widest) return;
        const Index rows = chunk_rows() + capacity_ - 1;
        bytes_.stride = padded(widest);
        bytes_.values = carver.template take<std::int8_t>(rows * bytes_.stride);
        bytes_.scales = carver.template take<float>(rows);
        bytes_.below = carver.template take<std::int32_t>(rows);
    }

    void lay_out_shared(Carver& carver) {
        for (Index i = 0; i < plan_.array_count; ++i) {
            if (!is_shared(plan_.arrays[i])) continue;
            T* lies = carver.template take<T>(array_size(plan_.arrays[i].width));
            if (bases_) bases_[i] = first_[i] = lies, strides_[i] = stride();
        }
        for (Index i = 0; i < run_.state_count; ++i) {
            T* before = carver.template take<T>(array_size(run_.state_widths[i]));
            T* after = has_new_array(i) ? carver.template take<T>(array_size(run_.state_widths[i])) : before;
            if (bases_) states_[0][i] = before, states_[1][i] = after;
        }
        chunk_rows_ = chunk_rows();
        const Index rows = chunk_rows_ + capacity_ - 1;  // a chunk ends with a whole step
        input_stride_ = rows * PANEL;
        input_ = carver.template take<T>(padded(run_.input_size) * rows);
        for (Index i = 0; i < plan_.array_count; ++i) {
            if (plan_.arrays[i].kind != ArrayKind::projection) continue;
            T* lies = carver.template take<T>(padded(width_of(plan_.arrays[i].width)) * rows);
            if (bases_) first_[i] = lies, strides_[i] = input_stride_;
        }
    }

    // Whether a state's new value lies apart from the old one, or takes its place as the step goes.
    bool has_new_array(Index state) const {
        for (Index i = 0; i < plan_.array_count; ++i)
            if (plan_.arrays[i].kind == ArrayKind::new_state && plan_.arrays[i].index == state) return true;
        return false;
    }

    // Rows of a chunk at least; 1 if every step is taken by itself.
    Index chunk_rows() const {
        if (capacity_ < ENOUGH_ROWS) return CHUNK_ROWS;
        Index weights = 0;
        for (Index g = 0; g < run_.input_count; ++g)
            weights += panels(run_.inputs[g].units) * run_.inputs[g].panel_bytes;
        for (Index i = 0; i < plan_.item_count; ++i)
            for (Index p = 0; p < plan_.items[i].product_count; ++p) {
                const Matrix<T>& matrix = run_.matrices[plan_.items[i].products[p].matrix];
                weights += panels(matrix.units) * matrix.panel_bytes;
            }
        return weights > CACHED_WEIGHTS ? CHUNK_STEPS * capacity_ : 1;
    }

    void fill_constants() {
        for (Index i = 0; i < plan_.constant_count; ++i) {
            const Constant& constant = plan_.constants[i];
            const T value = constant.size_of < 0 ? T(constant.value) : T(width_of(constant.size_of));
            for (Index e = 0; e < TILE<T>; ++e) constants_[i * TILE<T> + e] = value;
        }
    }

    // What stays through the whole run: vectors, one row for all; what precedes the first step.
    void place_arrays() {
        for (Index i = 0; i < plan_.array_count; ++i) {
            const Array& array = plan_.arrays[i];
            if (is_moving(array) && !is_for_first_member(i)) moving_[moving_count_++] = i;
            if (array.kind == ArrayKind::projection) has_projections_ = true;
            if (array.kind == ArrayKind::old_state || array.kind == ArrayKind::new_state) strides_[i] = stride();
            if (array.kind == ArrayKind::panel && array.width != ROW_NUMBER) strides_[i] = run_.rows.total * PANEL;
            if (array.kind == ArrayKind::vector)
                bases_[i] = const_cast<T*>(run_.vectors[array.index]), strides_[i] = PANEL;
            if (array.kind == ArrayKind::before)
                load(first_[i], stride(), array.width, run_.initial[array.index], width_of(array.width), {0, capacity_},
                     [this](Index row) { return sequence_of(row); });
        }
    }

    static OSTINATO_INLINE void copy_panel(T* to, const T* from) {
        map(to, from, PANEL, [](Vec<T> v) OSTINATO_LAMBDA { return v; });
    }

    // ---- rows from outside and to it

    Index rows_at(Index t) const {
        const Index live = run_.rows.steps ? run_.rows.counts[t] - part_.places.begin : 0;
        return live < 0 ? 0 : live < part_.places.size() ? live : part_.places.size();
    }

    Index sequence_of(Index row) const {
        const Index place = part_.places.begin + row;
        return run_.rows.order ? run_.rows.order[place] : place;
    }

    Index source_of(Index t, Index row) const {
        const Index at = run_.rows.starts[t] + part_.places.begin + row;
        return run_.rows.sources ? run_.rows.sources[at] : at;
    }

    Range own_panels_of(Index width) const { return share(panels(width), part_.member, part_.members); }
    Range own_panels(std::int32_t letter) const { return own_panels_of(width_of(letter)); }

    // Reads rows [..][width] from outside into panels; no array there means zeros.
    template <class Where>
    void load_width(T* to, Index to_stride, Index width, const T* from, Index from_stride, Range rows, Where where) {
        const Range mine = own_panels_of(width);
        for (Index row = rows.begin; row < rows.end; ++row) {
            const T* source = from ? from + where(row) * from_stride : nullptr;
            for (Index p = mine.begin; p < mine.end; ++p) {
                T* panel = to + p * to_stride + row * PANEL;
                const Index filled = !source ? 0 : width - p * PANEL < PANEL ? width - p * PANEL : PANEL;
                if (filled == PANEL) {
                    copy_panel(panel, source + p * PANEL);
                } else {
                    for (Index i = 0; i < PANEL; ++i) panel[i] = i < filled ? source[p * PANEL + i] : T(0);
                }
            }
        }
    }

    template <class Where>
    void load(T* to, Index to_stride, std::int32_t letter, const T* from, Index from_stride, Range rows, Where where) {
        load_width(to, to_stride, width_of(letter), from, from_stride, rows, where);
    }

    template <class Where>
    void store(T* to, Index to_stride, Index width, const T* from, Range rows, Where where) {
        const Range mine = own_panels_of(width);
        for (Index row = rows.begin; row < rows.end; ++row) {
            T* target = to + where(row) * to_stride;
            for (Index p = mine.begin; p < mine.end; ++p) {
                const T* panel = from + p * stride() + row * PANEL;
                const Index filled = width - p * PANEL;
                if (filled >= PANEL) {
                    copy_panel(target + p * PANEL, panel);
                } else {
                    for (Index i = 0; i < filled; ++i) target[p * PANEL + i] = panel[i];
                }
            }
        }
    }

    void enter(Range rows) {
        for (Index i = 0; i < run_.state_count; ++i)
            load(states_[0][i], stride(), run_.state_widths[i], run_.states_in[i], width_of(run_.state_widths[i]), rows,
                 [this](Index row) { return sequence_of(row); });
    }

    void leave(Range rows) {
        for (Index i = 0; i < run_.state_count; ++i) {
            const Index width = width_of(run_.state_widths[i]);
            if (run_.states_out[i])
                store(run_.states_out[i], width, width, states_[0][i], rows,
                      [this](Index row) { return sequence_of(row); });
        }
    }

    // ---- one step

    void barrier() const {
        if (part_.members > 1) part_.barrier(part_.team);
    }

    void step(Index t) {
        last_first_ = last_weights_first();
        if (has_projections_ && chunk_steps_ == 0) take_chunk(t);
        place_moving_arrays(t);
        for (Index i = 0; i < plan_.item_count; ++i) {
            const Item& item = plan_.items[i];
            if (item.kind == ItemKind::section)
                run_section<T>(item, {bases_, strides_}, {registers_, constants_, staging_, pointers_}, live_,
                               item.width == ROW_NUMBER ? Range{0, 1} : own_panels(item.width));
            else if (item.kind == ItemKind::products)
                products(item);
            else if (item.kind == ItemKind::sum)
                sum_rows<T>(bases_[item.result], wide(item.argument), wide(item.factor),
                            width_of(plan_.arrays[item.argument].width), live_);
            else
                barrier();
        }
        T** old = states_[0];
        states_[0] = states_[1];
        states_[1] = old;
        chunk_row_ += live_;
        --chunk_steps_;
        Index column = 0;
        for (Index i = 0; run_.y && i < run_.output_count; ++i) {
            const std::int32_t state = run_.outputs[i];
            const Index width = width_of(run_.state_widths[state]);
            store(run_.y + column, run_.y_stride, width, states_[0][state], {0, live_},
                  [this, t](Index row) { return source_of(t, row); });
            column += width;
        }
    }

    Wide<T> wide(std::int32_t array) const {
        return array < 0 ? Wide<T>{nullptr, 0} : Wide<T>{bases_[array], strides_[array]};
    }

    void place_moving_arrays(Index t) {
        const auto source = [this, t](Index row) { return source_of(t, row); };
        for (Index m = 0; m < moving_count_; ++m) {
            const Index i = moving_[m];
            const Array& array = plan_.arrays[i];
            switch (array.kind) {
                case ArrayKind::projection: bases_[i] = first_[i] + chunk_row_ * PANEL; break;
                case ArrayKind::old_state: bases_[i] = states_[0][array.index]; break;
                case ArrayKind::new_state: bases_[i] = states_[1][array.index]; break;
                case ArrayKind::panel: bases_[i] = run_.panels[array.index] + row_of(t) * PANEL; break;
                case ArrayKind::before:
                    bases_[i] = t ? run_.panels[array.index] + row_of(t - 1) * PANEL : first_[i];
                    strides_[i] = t ? run_.rows.total * PANEL : stride();
                    break;
                case ArrayKind::stream:
                    load(bases_[i], stride(), array.width, run_.streams[array.index], run_.stream_strides[array.index],
                         {0, live_}, source);
                    break;
                case ArrayKind::raw:
                    load(bases_[i], stride(), array.width, run_.x, run_.input_size, {0, live_}, source);
                    break;
                default: break;
            }
        }
    }

    Index row_of(Index t) const { return run_.rows.starts[t] + part_.places.begin; }

    // ---- products

    // The left operand of products: an array in panels, and the same in bytes once weights of one byte ask for it.
    struct Factor {
        const T* panels;
        Index stride, k_count, rows;
        bool has_bytes = false;
    };

    // A batch of panels that wait to be multiplied with one operand, in any order.
    struct Waiting {
        explicit Waiting(bool last_first) : last_first(last_first) {}
        PanelJob<T>& next() { return jobs[last_first ? JOBS - ++count : count++]; }
        const PanelJob<T>* first() const { return last_first ? jobs + JOBS - count : jobs; }

        PanelJob<T> jobs[JOBS];
        const bool last_first;
        Index count = 0;
        Range k{0, 0};
        Stored stored = Stored::whole;
    };

    // Whether this step reads its weights from the last to the first. Every other step does: where they are more than a
    // cache keeps, those read last are still there.
    static bool last_weights_first() {
        static thread_local bool answer = false;
        answer = !answer;
        return answer;
    }

    void flush(Waiting& waiting, Factor& a) {
        if (!waiting.count) return;
        const T* const from = a.panels + waiting.k.begin / PANEL * a.stride;
        const PanelJob<T>* const jobs = waiting.first();
        const Index k_count = waiting.k.size(), count = waiting.count;
        waiting.count = 0;
        if constexpr (sizeof(T) == sizeof(float)) {
            if (waiting.stored == Stored::int8) {
                if (!a.has_bytes) to_bytes(a.panels, a.stride, a.k_count, a.rows, bytes_);
                a.has_bytes = true;
                multiply_bytes(bytes_.from_k(waiting.k.begin), k_count, jobs, count, a.rows);
                return;
            }
            if (waiting.stored == Stored::bfloat16) {
                multiply<T, Left::rows_by_k, Sum::onwards, Bfloat16>(from, a.stride, k_count, jobs, count, a.rows);
                return;
            }
        }
        multiply<T>(from, a.stride, k_count, jobs, count, a.rows);
    }

    void add(Waiting& waiting, const Matrix<T>& matrix, Index panel, const T* start, Index start_stride, T* result,
             Factor& a) {
        const Range k = k_range(matrix.units, matrix.k_count, matrix.heads, panel);
        const bool is_like = k.begin == waiting.k.begin && k.end == waiting.k.end && matrix.stored == waiting.stored;
        if (waiting.count == JOBS || !is_like) flush(waiting, a);
        waiting.k = k;
        waiting.stored = matrix.stored;
        const T* const scales = matrix.scales ? matrix.scales + panel * PANEL : nullptr;
        waiting.next() = {matrix.panel(panel), start, start_stride, result, scales};
    }

    void products(const Item& item) {
        Waiting waiting(last_first_);
        Factor a{bases_[item.argument], strides_[item.argument], width_of(plan_.arrays[item.argument].width), live_};
        for (Index j = 0; j < item.product_count; ++j) {
            const Product& product = item.products[j];
            const Matrix<T>& matrix = run_.matrices[product.matrix];
            const Range mine = own_panels_of(matrix.units);
            for (Index p = mine.begin; p < mine.end; ++p) {
                const T* start = zeros();
                Index start_stride = 0;
                if (product.start_kind == Start::bias && run_.biases[product.start]) {
                    start = run_.biases[product.start] + p * PANEL;
                } else if (product.start_kind == Start::array) {
                    start = bases_[product.start] + p * strides_[product.start];
                    start_stride = PANEL;
                }
                add(waiting, matrix, p, start, start_stride, bases_[product.result] + p * strides_[product.result], a);
            }
        }
        flush(waiting, a);
    }

    static const T* zeros() {
        static const T zeros[PANEL] = {};
        return zeros;
    }

    // Multiplies the inputs of as many steps as make a chunk, from step t on.
    void take_chunk(Index t) {
        barrier();
        chunk_steps_ = chunk_row_ = 0;
        Index rows = 0;
        for (Index at = t; at >= 0 && at < run_.rows.steps && rows_at(at) > 0; at += run_.backwards ? -1 : 1) {
            const Index first = rows;
            load_width(input_, input_stride_, run_.input_size, run_.x, run_.input_size, {first, first + rows_at(at)},
                       [this, at, first](Index row) { return source_of(at, row - first); });
            rows += rows_at(at);
            ++chunk_steps_;
            if (rows >= chunk_rows_) break;
        }
        barrier();
        Waiting waiting(last_first_);
        Factor a{input_, input_stride_, run_.input_size, rows};
        for (Index i = 0; i < plan_.array_count; ++i) {
            if (plan_.arrays[i].kind != ArrayKind::projection) continue;
            const Index gate = plan_.arrays[i].index;
            const Matrix<T>& matrix = run_.inputs[gate];
            const Range mine = own_panels_of(matrix.units);
            for (Index p = mine.begin; p < mine.end; ++p) {
                const T* bias = run_.input_biases[gate] ? run_.input_biases[gate] + p * PANEL : zeros();
                add(waiting, matrix, p, bias, 0, first_[i] + p * input_stride_, a);
            }
        }
        flush(waiting, a);
    }

    const Run<T>& run_;
    const Part part_;
    const Plan& plan_;
    Index capacity_ = 0, live_ = 0;
    T** bases_ = nullptr;
    Index* strides_ = nullptr;
    T** pointers_ = nullptr;
    T *registers_ = nullptr, *staging_ = nullptr, *constants_ = nullptr;
    T** states_[2] = {nullptr, nullptr};
    T** first_ = nullptr;
    Index* moving_ = nullptr;
    Index moving_count_ = 0;
    T* input_ = nullptr;
    ByteRows bytes_{nullptr, nullptr, nullptr, 0};
    bool has_projections_ = false, last_first_ = false;
    Index input_stride_ = 0, chunk_rows_ = 0, chunk_steps_ = 0, chunk_row_ = 0;
};

}  // namespace ostinato::OSTINATO_LEVEL
