// The rows of a batch, as Python describes them.
#pragma once

#include <cstdint>
#include <vector>

#include "edge.h"

namespace ostinato {

// The rows of a batch in time order; owns its numbers.
class RowsOwner {
 public:
    // Empty `sources`: rows lie as outside. Empty `order`: so do sequences.
    RowsOwner(const Integers& counts, const Integers& sources, const Integers& order) {
        Index total = 0;
        for (std::size_t t = 0; t < counts.size(); ++t) {
            const std::int64_t count = counts.data()[t];
            expect(count > 0 && (t == 0 || count <= counts_.back()), "counts must be positive and never grow");
            counts_.push_back(static_cast<Index>(count));
            starts_.push_back(total);
            total += static_cast<Index>(count);
        }
        sources_.assign(sources.data(), sources.data() + sources.size());
        order_.assign(order.data(), order.data() + order.size());
        expect(sources_.empty() || sources_.size() == static_cast<std::size_t>(total), "a source for each row");
        expect(order_.empty() || counts_.empty() || order_.size() >= static_cast<std::size_t>(counts_[0]),
               "a place for each sequence");
        total_ = total;
    }

    // The rows of steps [begin, end); their first row counts as row 0.
    struct Part {
        Rows rows{};
        std::vector<Index> starts;
        std::vector<std::int64_t> sources;
    };

    Part part(Index begin, Index end) const {
        expect(0 <= begin && begin <= end && end <= steps(), "steps out of range");
        const Index first = start(begin);
        Part part;
        Rows& rows = part.rows;
        rows.steps = end - begin;
        rows.total = start(end) - first;
        rows.counts = counts_.data() + begin;
        rows.starts = starts_.data();
        rows.sources = sources_.empty() ? nullptr : sources_.data() + first;
        rows.order = order_.empty() ? nullptr : order_.data();
        if (first == 0) return part;
        part.starts.assign(starts_.begin() + begin, starts_.begin() + end);
        for (Index& start : part.starts) start -= first;
        rows.starts = part.starts.data();
        if (!sources_.empty()) return part;
        part.sources.resize(static_cast<std::size_t>(rows.total));
        for (Index i = 0; i < rows.total; ++i) part.sources[static_cast<std::size_t>(i)] = first + i;
        rows.sources = part.sources.data();
        return part;
    }

    Index steps() const { return static_cast<Index>(counts_.size()); }
    Index total() const { return total_; }
    Index start(Index step) const { return step < steps() ? starts_[static_cast<std::size_t>(step)] : total_; }

 private:
    std::vector<Index> counts_, starts_;
    std::vector<std::int64_t> sources_, order_;
    Index total_ = 0;
};

}  // namespace ostinato
