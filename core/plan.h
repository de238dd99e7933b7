// A plan: the work of one step, as `ostinato.engine.plan` lowers a program to it. Plain data, checked when it is made.
#pragma once

#include "shapes.h"

namespace ostinato {

// The order of OPCODES in engine/plan.py; the names are compared when the module is loaded.
// clang-format off
#define OSTINATO_OPERATIONS(X) \
    X(add) X(subtract) X(multiply) X(divide) X(negate) X(less) X(less_equal) X(greater) X(greater_equal) \
    X(equal) X(not_equal) X(where) X(sigmoid) X(tanh) X(relu) X(exp) X(log) X(softplus) X(sqrt) \
    X(square) X(abs) X(sin) X(cos) X(maximum) X(minimum) X(copy) X(multiply_add) X(multiply_subtract) \
    X(subtract_multiply)
// clang-format on

enum class Operation : std::int32_t {
#define OSTINATO_NAME(name) name##_,
    OSTINATO_OPERATIONS(OSTINATO_NAME)
#undef OSTINATO_NAME
        count
};

enum class ArrayKind : std::int32_t {
    local,
    old_state,
    new_state,
    vector,
    panel,
    before,
    stream,
    raw,
    projection,
    count
};
enum class ItemKind : std::int32_t { section, products, sum, barrier, count };
enum class OperandKind : std::int32_t { tile, constant, array, count };
enum class Start : std::int32_t { zero, bias, array, count };

constexpr std::int32_t ROW_NUMBER = -1;  // the "width" of one number a row; it fills its panel sixteen times

struct Array {
    ArrayKind kind;
    std::int32_t width;
    std::int32_t index;
};

struct Operand {
    OperandKind kind;
    std::int32_t index;
    bool filled;    // its value is read before the section writes it
    bool written;   // the section writes it
    bool repeated;  // a vector: one row stands for all
    bool distant;   // in an array over all rows, too large for the caches
};

struct Instruction {
    Operation operation;
    std::int32_t result, a, b, c;
};

struct Product {
    std::int32_t matrix, result;
    Start start_kind;
    std::int32_t start;
};

struct Item {
    ItemKind kind;
    std::int32_t width;     // of a section
    std::int32_t tiles;     // registers of a section
    std::int32_t argument;  // of products and sums
    std::int32_t factor;    // of a sum: what its argument is multiplied with, or -1
    std::int32_t result;    // of a sum
    Index operand_count, instruction_count, product_count;
    const Operand* operands;
    const Instruction* instructions;
    const Product* products;
};

struct Constant {
    double value;
    std::int32_t size_of;  // a width whose size is meant, or -1
};

struct Plan {
    Index letter_count, array_count, constant_count, item_count;
    const Array* arrays;
    const Constant* constants;
    const Item* items;
    Index most_operands, most_tiles;  // of any section
};

}  // namespace ostinato
