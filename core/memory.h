// Memory that is used again and again: fresh pages from the system cost more than many a product.
#pragma once

#include <cstddef>

namespace ostinato {

// A block of at least `bytes`, 64-byte aligned; its contents are whatever they were. Throws std::bad_alloc.
class Block {
 public:
    explicit Block(std::size_t bytes);
    ~Block();
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    void* data() const { return data_; }

 private:
    void* data_;
    std::size_t size_;
};

}  // namespace ostinato
