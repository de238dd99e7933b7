// A plan read from the whole numbers that Python sends, each checked: nothing in it can point outside of it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "checks.h"
#include "plan.h"

namespace ostinato {

// Reads a plan's whole numbers, each within bounds.
class Reader {
 public:
    explicit Reader(const std::vector<std::int32_t>& numbers) : numbers_(numbers) {}
    std::int32_t next(Index low, Index high) {
        expect(at_ < numbers_.size(), "a plan's item is too short");
        const std::int32_t number = numbers_[at_++];
        expect(number >= low && number < high, "a plan's item holds a number out of range");
        return number;
    }
    std::int32_t peek() const { return at_ < numbers_.size() ? numbers_[at_] : 0; }
    void finish() const { expect(at_ == numbers_.size(), "a plan's item is too long"); }

 private:
    const std::vector<std::int32_t>& numbers_;
    std::size_t at_ = 0;
};

constexpr Index MANY = 1 << 20;  // more than any plan holds of anything

inline int arity(Operation operation) {
    switch (operation) {
        case Operation::where_:
        case Operation::multiply_add_:
        case Operation::multiply_subtract_:
        case Operation::subtract_multiply_: return 3;
        case Operation::negate_:
        case Operation::sigmoid_:
        case Operation::tanh_:
        case Operation::relu_:
        case Operation::exp_:
        case Operation::log_:
        case Operation::softplus_:
        case Operation::sqrt_:
        case Operation::square_:
        case Operation::abs_:
        case Operation::sin_:
        case Operation::cos_:
        case Operation::copy_: return 1;
        default: return 2;
    }
}

// Owns what a Plan points to.
class PlanOwner {
 public:
    PlanOwner(Index letters, const std::vector<std::tuple<std::int32_t, std::int32_t, std::int32_t>>& arrays,
              const std::vector<double>& constants, const std::vector<std::int32_t>& sizes,
              const std::vector<std::vector<std::int32_t>>& items) {
        plan.letter_count = letters;
        for (const auto& [kind, width, index] : arrays) {
            expect(kind >= 0 && kind < static_cast<std::int32_t>(ArrayKind::count), "unknown kind of array");
            expect(width >= ROW_NUMBER && width < letters && index >= 0, "an array's width or index is out of range");
            expect(width >= 0 || kind == static_cast<std::int32_t>(ArrayKind::local) ||
                       kind == static_cast<std::int32_t>(ArrayKind::panel),
                   "a number a row must be local or an array over all rows");
            arrays_.push_back({static_cast<ArrayKind>(kind), width, index});
        }
        expect(constants.size() == sizes.size(), "constants and sizes differ in number");
        for (std::size_t i = 0; i < constants.size(); ++i) {
            expect(sizes[i] >= -1 && sizes[i] < letters, "a constant's width is out of range");
            constants_.push_back({constants[i], sizes[i]});
        }
        for (const auto& item : items) add(item);
        plan.array_count = static_cast<Index>(arrays_.size());
        plan.constant_count = static_cast<Index>(constants_.size());
        plan.item_count = static_cast<Index>(items_.size());
        plan.arrays = arrays_.data();
        plan.constants = constants_.data();
        plan.items = items_.data();
    }
    PlanOwner(const PlanOwner&) = delete;
    PlanOwner& operator=(const PlanOwner&) = delete;

    Plan plan{};
    Index matrix_count = 0, bias_count = 0;

 private:
    Index array_count() const { return static_cast<Index>(arrays_.size()); }

    void add(const std::vector<std::int32_t>& numbers) {
        Reader reader(numbers);
        Item item{};
        item.kind = static_cast<ItemKind>(reader.next(0, static_cast<Index>(ItemKind::count)));
        if (item.kind == ItemKind::section) add_section(item, reader);
        if (item.kind == ItemKind::products) add_products(item, reader);
        if (item.kind == ItemKind::sum) {
            item.argument = wide_array(reader);
            item.factor = reader.peek() < 0 ? reader.next(-1, 0) : wide_array(reader);
            expect(item.factor < 0 || width_of(item.factor) == width_of(item.argument),
                   "a sum's factors are of one width");
            item.result = reader.next(0, array_count());
            expect(width_of(item.result) == ROW_NUMBER, "a sum is one number a row");
        }
        reader.finish();
        items_.push_back(item);
    }

    void add_section(Item& item, Reader& reader) {
        item.width = reader.next(ROW_NUMBER, plan.letter_count);
        item.tiles = reader.next(0, MANY);
        item.operand_count = reader.next(0, MANY);
        std::vector<Operand> operands;
        for (Index i = 0; i < item.operand_count; ++i) {
            Operand operand{};
            operand.kind = static_cast<OperandKind>(reader.next(0, static_cast<Index>(OperandKind::count)));
            const Index most = operand.kind == OperandKind::tile       ? item.tiles
                               : operand.kind == OperandKind::constant ? static_cast<Index>(constants_.size())
                                                                       : array_count();
            operand.index = reader.next(0, most);
            if (operand.kind == OperandKind::array) {
                const std::int32_t width = arrays_[static_cast<std::size_t>(operand.index)].width;
                expect(width == item.width || width == ROW_NUMBER, "an operand's width is not its section's");
                const ArrayKind kind = arrays_[static_cast<std::size_t>(operand.index)].kind;
                operand.repeated = kind == ArrayKind::vector;
                operand.distant = width != ROW_NUMBER && (kind == ArrayKind::panel || kind == ArrayKind::before);
            }
            operands.push_back(operand);
        }
        item.instruction_count = reader.next(0, MANY);
        std::vector<Instruction> code;
        for (Index i = 0; i < item.instruction_count; ++i) code.push_back(instruction(reader, item, operands));
        plan.most_operands = std::max(plan.most_operands, item.operand_count);
        plan.most_tiles = std::max(plan.most_tiles, Index(item.tiles));
        item.operands = keep(operands_, std::move(operands));
        item.instructions = keep(instructions_, std::move(code));
    }

    Instruction instruction(Reader& reader, const Item& item, std::vector<Operand>& operands) {
        Instruction code{};
        code.operation = static_cast<Operation>(reader.next(0, static_cast<Index>(Operation::count)));
        code.result = reader.next(0, item.operand_count);
        std::int32_t* const arguments[] = {&code.a, &code.b, &code.c};
        for (int i = 0; i < 3; ++i) {
            const bool used = i < arity(code.operation);
            *arguments[i] = reader.next(used ? 0 : -1, used ? item.operand_count : 0);
            if (!used) continue;
            Operand& operand = operands[static_cast<std::size_t>(*arguments[i])];
            if (!operand.written) operand.filled = true;
        }
        Operand& result = operands[static_cast<std::size_t>(code.result)];
        expect(result.kind != OperandKind::constant && !result.repeated, "constants and vectors cannot be written");
        expect(result.kind != OperandKind::array || item.width == ROW_NUMBER ||
                   arrays_[static_cast<std::size_t>(result.index)].width == item.width,
               "a wide result cannot be one number a row");
        result.written = true;
        return code;
    }

    void add_products(Item& item, Reader& reader) {
        item.argument = wide_array(reader);
        item.product_count = reader.next(0, MANY);
        std::vector<Product> products;
        for (Index i = 0; i < item.product_count; ++i) {
            Product product{};
            product.matrix = reader.next(0, MANY);
            product.result = wide_array(reader);
            product.start_kind = static_cast<Start>(reader.next(0, static_cast<Index>(Start::count)));
            product.start = product.start_kind == Start::array ? wide_array(reader) : reader.next(0, MANY);
            expect(product.start_kind != Start::array || width_of(product.start) == width_of(product.result),
                   "a product starts from another width");
            matrix_count = std::max(matrix_count, Index(product.matrix) + 1);
            if (product.start_kind == Start::bias) bias_count = std::max(bias_count, Index(product.start) + 1);
            products.push_back(product);
        }
        item.products = keep(products_, std::move(products));
    }

    std::int32_t width_of(std::int32_t array) const { return arrays_[static_cast<std::size_t>(array)].width; }

    // Products and sums take whole rows, no numbers; of a learned vector there is one row for all.
    std::int32_t wide_array(Reader& reader) const {
        const std::int32_t array = reader.next(0, array_count());
        expect(width_of(array) >= 0 && arrays_[static_cast<std::size_t>(array)].kind != ArrayKind::vector,
               "products and sums need whole rows");
        return array;
    }

    template <class U>
    static const U* keep(std::vector<std::unique_ptr<std::vector<U>>>& owner, std::vector<U> values) {
        owner.push_back(std::make_unique<std::vector<U>>(std::move(values)));
        return owner.back()->data();
    }

    std::vector<Array> arrays_;
    std::vector<Constant> constants_;
    std::vector<Item> items_;
    std::vector<std::unique_ptr<std::vector<Operand>>> operands_;
    std::vector<std::unique_ptr<std::vector<Instruction>>> instructions_;
    std::vector<std::unique_ptr<std::vector<Product>>> products_;
};

}  // namespace ostinato
