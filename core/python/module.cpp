// The core's one edge to Python. Arrays come as addresses: `ostinato.engine` has checked their shapes, types and
// strides before. Everything else that comes is checked here.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "../openmp.h"
#include "../threads.h"
#include "gradients.h"
#include "running.h"

namespace ostinato {

namespace {

// An array of `count` numbers that whoever takes it owns; the memory is used again.
template <class T>
nb::object numbers(std::size_t count) {
    auto block = std::make_unique<Block>(count * sizeof(T));
    T* const data = static_cast<T*>(block->data());
    const nb::capsule owner(block.release(), [](void* p) noexcept { delete static_cast<Block*>(p); });
    return nb::cast(nb::ndarray<T, nb::ndim<1>, nb::device::cpu>(data, {count}, owner));
}

// Where an array lies; NumPy's own ways of telling take as long as a small step.
Address address(const nb::ndarray<nb::ro, nb::device::cpu>& array) {
    return reinterpret_cast<Address>(array.data());
}

// An operation on whole arrays; what the tests of the functions' accuracy use.
template <class T>
void evaluate_operation(const std::string& name, const nb::ndarray<const T, nb::ndim<1>, nb::c_contig>& a,
                        const nb::ndarray<const T, nb::ndim<1>, nb::c_contig>& b,
                        const nb::ndarray<const T, nb::ndim<1>, nb::c_contig>& c,
                        const nb::ndarray<T, nb::ndim<1>, nb::c_contig>& result) {
    static const char* const names[] = {
#define OSTINATO_NAME(name) #name,
        OSTINATO_OPERATIONS(OSTINATO_NAME)
#undef OSTINATO_NAME
    };
    const std::size_t count = result.size();
    expect(count % PANEL == 0, "the count must be a multiple of 16");
    expect(a.size() == count && b.size() == count && c.size() == count, "arrays of one size");
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(Operation::count); ++i)
        if (name == names[i])
            return functions<T>().evaluate(static_cast<Operation>(i), a.data(), b.data(), c.data(), result.data(),
                                           static_cast<Index>(count));
    refuse("there is no operation " + name);
}

template <class T>
void bind(nb::module_& m, const char* packed_name) {
    nb::class_<Packed<T>>(m, packed_name)
        .def(nb::init<const Recipe&, const Addresses&, int, const std::vector<StoredSpec>&>(), nb::arg("recipe"),
             nb::arg("weights"), nb::arg("threads"), nb::arg("stored") = std::vector<StoredSpec>{});
    m.def("run", &run_steps<T>, nb::arg("layout"), nb::arg("packed"), nb::arg("rows"), nb::arg("begin"), nb::arg("end"),
          nb::arg("backwards"), nb::arg("x"), nb::arg("streams"), nb::arg("stream_strides"), nb::arg("panels"),
          nb::arg("initial"), nb::arg("states_in"), nb::arg("states_out"), nb::arg("y"), nb::arg("threads"));
    m.def("step", &run_step<T>, nb::arg("layout"), nb::arg("packed"), nb::arg("threads"), nb::arg("x"),
          nb::arg("states_in"), nb::arg("y"), nb::arg("states_out"), nb::arg("places").noconvert() = nb::none());
    m.def("gradients", &take_gradients<T>, nb::arg("recipe"), nb::arg("packed"), nb::arg("rows"), nb::arg("begin"),
          nb::arg("end"), nb::arg("x"), nb::arg("streams"), nb::arg("panels"), nb::arg("start"), nb::arg("d_x"),
          nb::arg("d_weights"), nb::arg("onwards"), nb::arg("threads"));
    m.def("evaluate", &evaluate_operation<T>, nb::arg("name"), nb::arg("a"), nb::arg("b"), nb::arg("c"),
          nb::arg("result"));
}

std::vector<std::string> operation_names() {
    return {
#define OSTINATO_NAME(name) #name,
        OSTINATO_OPERATIONS(OSTINATO_NAME)
#undef OSTINATO_NAME
    };
}

}  // namespace

}  // namespace ostinato

NB_MODULE(_core, m) {
    using namespace ostinato;
    const auto names = level_names();
    use_level(names.back());
    nb::set_leak_warnings(false);  // plans are kept for good, by caches that the interpreter does not clear
    m.doc() = "The engine's compiled core. Private: ostinato.engine is its face.";
    m.def("levels", &level_names, "Instruction-set levels that were built and that this processor has, lowest first.");
    m.def("level", [] { return std::string(the_level->name); }, "The level in use.");
    m.def("use_level", &use_level, nb::arg("name"), "Use another level, for all calls that begin after this one.");
    m.def("default_threads", &default_threads, nb::arg("otherwise") = 0, "Threads where nobody says otherwise.");
    m.def("borrow_openmp", &openmp::borrow, "Compute on the threads of the OpenMP runtime in this process, if any.");
    nb::module_::import_("atexit").attr("register")(nb::cpp_function(&Unlocked::end));
    m.attr("OPERATIONS") = nb::cast(operation_names());
    m.attr("PANEL") = static_cast<int>(PANEL);
    m.def("address", &address, nb::arg("array"), "The address of a NumPy array's first element.");
    m.def("floats", &numbers<float>, nb::arg("count"), "An array of float32 that speaks DLPack.");
    m.def("doubles", &numbers<double>, nb::arg("count"), "An array of float64 that speaks DLPack.");
    nb::class_<PlanOwner>(m, "Plan").def(
        nb::init<Index, const std::vector<std::tuple<std::int32_t, std::int32_t, std::int32_t>>&,
                 const std::vector<double>&, const std::vector<std::int32_t>&,
                 const std::vector<std::vector<std::int32_t>>&>(),
        nb::arg("letters"), nb::arg("arrays"), nb::arg("constants"), nb::arg("sizes"), nb::arg("items"));
    nb::class_<Layout>(m, "Layout")
        .def(nb::init<const PlanOwner&, std::vector<Index>, std::vector<std::int32_t>, std::vector<std::int32_t>,
                      Index>(),
             nb::arg("plan"), nb::arg("widths"), nb::arg("state_widths"), nb::arg("outputs"), nb::arg("input_size"),
             nb::keep_alive<1, 2>());
    nb::class_<Recipe>(m, "Recipe")
        .def(nb::init<std::vector<MatrixSpec>, std::vector<VectorSpec>, std::vector<MatrixSpec>,
                      std::vector<VectorSpec>, std::vector<VectorSpec>>(),
             nb::arg("inputs"), nb::arg("input_biases"), nb::arg("matrices"), nb::arg("biases"), nb::arg("vectors"));
    nb::class_<GradientRecipe>(m, "GradientRecipe")
        .def(nb::init<Index, std::vector<std::int32_t>, std::int32_t, std::vector<std::vector<ProductSpec>>,
                      std::vector<bool>>(),
             nb::arg("input_size"), nb::arg("inputs"), nb::arg("raw"), nb::arg("rounds"), nb::arg("written"));
    nb::class_<RowsOwner>(m, "Rows")
        .def(nb::init<const Integers&, const Integers&, const Integers&>(), nb::arg("counts"), nb::arg("sources"),
             nb::arg("order"))
        .def_prop_ro("steps", &RowsOwner::steps)
        .def_prop_ro("total", &RowsOwner::total)
        .def("start", &RowsOwner::start, nb::arg("step"));
    bind<float>(m, "PackedFloat");
    bind<double>(m, "PackedDouble");
}
