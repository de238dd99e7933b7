// Sizes and the one layout that every array inside the core has.
//
// Panels: [units / 16][rows][16]. Sixteen neighbouring units of a row lie together, then the same units of the next
// row, then the next sixteen units. A width that is no multiple of sixteen is padded; what lies in the padding is
// never read as a unit. So every product and every elementwise operation runs over whole vectors, at any size.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ostinato {

using Index = std::ptrdiff_t;

constexpr Index PANEL = 16;

static constexpr Index panels(Index width) {
    return (width + PANEL - 1) / PANEL;
}
static constexpr Index padded(Index width) {
    return panels(width) * PANEL;
}

// A half-open range of anything that is counted.
struct Range {
    Index begin, end;
    Index size() const { return end - begin; }
};

// The share of `total` that falls to one of `members`, in whole parts of nearly equal size.
static inline Range share(Index total, Index member, Index members) {
    return {total * member / members, total * (member + 1) / members};
}

}  // namespace ostinato
