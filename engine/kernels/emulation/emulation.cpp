// Runs launches: blocks one after another, warps in turn, their threads as fibers.
#include "../cuda/platform.h"

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>
#include <vector>
#if !(defined(__x86_64__) && defined(__linux__))
#include <ucontext.h>
#endif

namespace emulation {

thread_local Place place;

namespace {

constexpr size_t STACK_BYTES = 64 << 10;
// A kernel may use 48 KiB without asking for more; the rest is for guards.
constexpr size_t SHARED_BYTES = 48 << 10, ARENA_BYTES = 64 << 10, GUARD_BYTES = 64;
constexpr unsigned char POISON = 0xff, GUARD = 0xa5;

#if defined(__x86_64__) && defined(__linux__)

// Saves what a call keeps, changes stacks, and takes the same from there.
extern "C" void tenora_switch_stack(void **from, void *to);
asm(R"(
    .text
    .globl tenora_switch_stack
    .hidden tenora_switch_stack
    .type tenora_switch_stack, @function
tenora_switch_stack:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size tenora_switch_stack, .-tenora_switch_stack
)");

struct Context {
    void *stack_pointer = nullptr;

    void prepare(char *stack, void (*entry)()) {
        // As after a call: the stack is 8 bytes off a multiple of 16 when `entry` begins.
        void **top = reinterpret_cast<void **>(stack + STACK_BYTES - 64);
        *--top = nullptr;
        *--top = reinterpret_cast<void *>(entry);
        for (int i = 0; i < 6; i++) *--top = nullptr;
        stack_pointer = top;
    }

    void switch_to(Context &other) { tenora_switch_stack(&stack_pointer, other.stack_pointer); }
};

#else

struct Context {
    ucontext_t context;

    void prepare(char *stack, void (*entry)()) {
        getcontext(&context);
        context.uc_stack.ss_sp = stack;
        context.uc_stack.ss_size = STACK_BYTES;
        context.uc_link = nullptr;
        makecontext(&context, entry, 0);
    }

    void switch_to(Context &other) { swapcontext(&context, &other.context); }
};

#endif

enum class State { Ready, AtBarrier, InWarp, Done };

struct Copy {
    void *to;
    const void *from;
    bool real;
};

struct Fiber {
    Context context;
    State state;
    Index3 thread;
    std::vector<Copy> copies;
};

struct Warp {
    void *lanes[32];
    const char *operation;
    u32 waiting;
};

struct SharedArray {
    const void *key;
    size_t offset, bytes;
};

struct Kernel {
    size_t params_bytes;
    u32 threads;
    void (*run)(const void *);
};

std::map<std::string, Kernel> &kernels() {
    static std::map<std::string, Kernel> all;
    return all;
}

// One host thread's machine.
struct Machine {
    std::vector<Fiber> fibers;
    std::vector<Warp> warps;
    char *stacks = nullptr;
    size_t stack_count = 0;
    Context scheduler;
    Fiber *current = nullptr;
    const Kernel *kernel = nullptr;
    const void *params = nullptr;
    u32 alive = 0, at_barrier = 0;
    const char *barrier_file = nullptr;
    int barrier_line = 0;
    std::string error;
    alignas(64) unsigned char arena[ARENA_BYTES];
    size_t arena_used = ARENA_BYTES, dynamic_bytes = 0;
    std::vector<SharedArray> arrays;

    ~Machine() {
        if (stacks) munmap(stacks, stack_count * STACK_BYTES);
    }

    void make_room(size_t threads) {
        if (threads <= stack_count) return;
        if (stacks) munmap(stacks, stack_count * STACK_BYTES);
        stacks = static_cast<char *>(mmap(nullptr, threads * STACK_BYTES, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
        stack_count = threads;
    }

    size_t reserve(size_t bytes) {
        const size_t offset = (arena_used + 63) / 64 * 64;
        const size_t end = offset + bytes;
        if (end + GUARD_BYTES > ARENA_BYTES) return SIZE_MAX;
        memset(arena + end, GUARD, GUARD_BYTES);
        arena_used = end + GUARD_BYTES;
        return offset;
    }

    void begin_block() {
        memset(arena, POISON, arena_used);
        arena_used = 0;
        arrays.clear();
        arrays.push_back({nullptr, reserve(dynamic_bytes), dynamic_bytes});
        for (Warp &warp : warps) warp = Warp{{}, nullptr, 0};
        at_barrier = 0;
        alive = static_cast<u32>(fibers.size());
    }

    void check_guards() {
        size_t total = 0;
        for (const SharedArray &array : arrays) {
            total += array.bytes;
            for (size_t i = 0; i < GUARD_BYTES; i++)
                if (arena[array.offset + array.bytes + i] != GUARD)
                    fail("a write beyond the end of shared memory");
        }
        if (total > SHARED_BYTES) fail("more than 48 KiB of shared memory");
    }

    void fail(const std::string &what) {
        if (error.empty()) error = what;
    }

    void release_barrier() {
        if (at_barrier == 0 || at_barrier < alive) return;
        at_barrier = 0;
        for (Fiber &fiber : fibers)
            if (fiber.state == State::AtBarrier) fiber.state = State::Ready;
    }

    void run_fiber(Fiber &fiber) {
        current = &fiber;
        place.thread = fiber.thread;
        scheduler.switch_to(fiber.context);
        current = nullptr;
    }

    // Runs the fibers of a warp in turn until none of them can go on; whether any of them could.
    bool run_warp(size_t warp, bool descending) {
        bool moved = false;
        for (bool again = true; again && error.empty();) {
            again = false;
            for (size_t i = 0; i < 32 && error.empty(); i++) {
                Fiber &fiber = fibers[warp * 32 + (descending ? 31 - i : i)];
                if (fiber.state != State::Ready) continue;
                again = moved = true;
                run_fiber(fiber);
            }
        }
        return moved;
    }

    // Runs warps in turn until all are done, or none can go on. Each goes as far ahead of the others as
    // barriers let it: what it overwrites too early, others read wrongly.
    void run_block(u64 number) {
        const size_t count = warps.size();
        const bool descending = number % 2 == 1;
        const size_t first = number % 4 / 2 * (count / 2);
        while (alive > 0 && error.empty()) {
            bool moved = false;
            for (size_t i = 0; i < count && error.empty(); i++) {
                const size_t warp = (i + first) % count;
                moved |= run_warp(descending ? count - 1 - warp : warp, descending);
            }
            if (!moved) fail(stuck());
        }
        if (error.empty()) check_guards();
    }

    std::string stuck() const {
        std::string what = "threads wait for each other: " + std::to_string(at_barrier) + " of " +
                           std::to_string(alive) + " at a barrier (line " + std::to_string(barrier_line) +
                           ")";
        for (size_t i = 0; i < warps.size(); i++)
            if (warps[i].waiting)
                what += ", " + std::to_string(warps[i].waiting) + " of warp " + std::to_string(i) + " in " +
                        warps[i].operation;
        return what;
    }

    // Leaves the current fiber until the scheduler comes back to it.
    void wait(State state) {
        Fiber *self = current;
        self->state = state;
        self->context.switch_to(scheduler);
    }
};

thread_local std::unique_ptr<Machine> machine;

void fiber_main() {
    machine->kernel->run(machine->params);
    Machine &m = *machine;
    if (!m.current->copies.empty()) m.fail("a thread ended with copies that nobody waited for");
    m.alive--;
    m.release_barrier();
    m.wait(State::Done);
    abort();
}

} // namespace

Registration::Registration(const char *name, size_t params_bytes, u32 threads, void (*run)(const void *)) {
    kernels()[name] = Kernel{params_bytes, threads, run};
}

void *shared_array(const void *key, size_t bytes) {
    Machine &m = *machine;
    for (const SharedArray &array : m.arrays)
        if (array.key == key) return m.arena + array.offset;
    const size_t offset = m.reserve(bytes);
    if (offset == SIZE_MAX) {
        m.fail("more than 48 KiB of shared memory");
        m.wait(State::Done);
    }
    m.arrays.push_back({key, offset, bytes});
    return m.arena + offset;
}

unsigned char *dynamic_shared() { return machine->arena + machine->arrays[0].offset; }

void sync_block(const char *file, int line) {
    Machine &m = *machine;
    if (m.at_barrier > 0 && (m.barrier_line != line || strcmp(m.barrier_file, file) != 0)) {
        m.fail("threads of a block wait at different barriers, lines " + std::to_string(m.barrier_line) +
               " and " + std::to_string(line) + " of " + file);
        m.wait(State::Done);
    }
    m.barrier_file = file;
    m.barrier_line = line;
    m.at_barrier++;
    if (m.at_barrier == m.alive) {
        m.current->state = State::AtBarrier;
        m.release_barrier();
        // Whoever comes last takes its turn like the others.
        m.wait(State::Ready);
    } else {
        m.wait(State::AtBarrier);
    }
}

void warp_collective(void *mine, void (*compute)(void *const *), const char *name) {
    Machine &m = *machine;
    const u32 index = static_cast<u32>(m.current - m.fibers.data());
    Warp &warp = m.warps[index / 32];
    if (warp.waiting > 0 && strcmp(warp.operation, name) != 0) {
        m.fail(std::string("lanes of a warp are in different operations, ") + warp.operation + " and " +
               name);
        m.wait(State::Done);
    }
    warp.operation = name;
    warp.lanes[index % 32] = mine;
    if (++warp.waiting < 32) {
        m.wait(State::InWarp);
        return;
    }
    compute(warp.lanes);
    warp.waiting = 0;
    for (u32 lane = 0; lane < 32; lane++) m.fibers[index / 32 * 32 + lane].state = State::Ready;
}

u32 round_bf16(float x) {
    const u32 bits = __float_as_uint(x);
    if (isnan(x)) return 0x7fff;
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

namespace {

float half_of(u32 word, int half) { return __uint_as_float(half ? word & 0xffff0000u : word << 16); }

struct MmaLane {
    float *d;
    const u32 *a;
    u32 b[2];
};

void compute_mma(void *const *lanes) {
    float a[16][16], b[16][8];
    for (int lane = 0; lane < 32; lane++) {
        const MmaLane &from = *static_cast<const MmaLane *>(lanes[lane]);
        const int g = lane / 4, t = lane % 4;
        for (int i = 0; i < 4; i++)
            for (int e = 0; e < 2; e++) a[g + i % 2 * 8][2 * t + e + i / 2 * 8] = half_of(from.a[i], e);
        for (int i = 0; i < 2; i++)
            for (int e = 0; e < 2; e++) b[2 * t + e + i * 8][g] = half_of(from.b[i], e);
    }
    for (int lane = 0; lane < 32; lane++) {
        const MmaLane &to = *static_cast<const MmaLane *>(lanes[lane]);
        const int g = lane / 4, t = lane % 4;
        for (int i = 0; i < 4; i++) {
            float sum = 0.0f;
            for (int k = 0; k < 16; k++) sum += a[g + i / 2 * 8][k] * b[k][2 * t + i % 2];
            to.d[i] += sum;
        }
    }
}

struct MatrixLane {
    u32 *out;
    const unsigned short *row;
};

void compute_transposed(void *const *lanes) {
    for (int lane = 0; lane < 32; lane++) {
        const int g = lane / 4, t = lane % 4;
        for (int matrix = 0; matrix < 4; matrix++) {
            const auto number = [&](int row) -> u32 {
                return static_cast<const MatrixLane *>(lanes[8 * matrix + row])->row[g];
            };
            static_cast<const MatrixLane *>(lanes[lane])->out[matrix] = number(2 * t) | number(2 * t + 1)
                                                                                            << 16;
        }
    }
}

} // namespace

void mma(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    MmaLane mine = {d, a, {b0, b1}};
    warp_collective(&mine, compute_mma, "mma");
}

void load_transposed(u32 (&out)[4], const bf16 *row) {
    if (reinterpret_cast<uintptr_t>(row) % 16) machine->fail("ldmatrix of a row that is not aligned");
    MatrixLane mine = {out, reinterpret_cast<const unsigned short *>(row)};
    warp_collective(&mine, compute_transposed, "ldmatrix");
}

void copy_async(void *to, const void *from, bool real) {
    if ((reinterpret_cast<uintptr_t>(to) | (real ? reinterpret_cast<uintptr_t>(from) : 0)) % 16)
        machine->fail("a copy that is not aligned to 16 bytes");
    machine->current->copies.push_back({to, from, real});
}

void wait_for_copies() {
    for (const Copy &copy : machine->current->copies) {
        if (copy.real)
            memcpy(copy.to, copy.from, 16);
        else
            memset(copy.to, 0, 16);
    }
    machine->current->copies.clear();
}

namespace {

void launch(const Kernel &kernel, const u32 *grid, u32 threads, const void *params) {
    Machine &m = *machine;
    m.kernel = &kernel;
    m.params = params;
    m.fibers.resize(threads);
    m.warps.resize(threads / 32);
    m.make_room(threads);
    place.grid_dim = {grid[0], grid[1], grid[2]};
    place.block_dim = {threads, 1, 1};
    u64 number = 0;
    for (u32 z = 0; z < grid[2]; z++)
        for (u32 y = 0; y < grid[1]; y++)
            for (u32 x = 0; x < grid[0]; x++) {
                place.block = {x, y, z};
                for (u32 i = 0; i < threads; i++) {
                    Fiber &fiber = m.fibers[i];
                    fiber.context.prepare(m.stacks + i * STACK_BYTES, fiber_main);
                    fiber.state = State::Ready;
                    fiber.thread = {i, 0, 0};
                    fiber.copies.clear();
                }
                m.begin_block();
                m.run_block(number++);
                if (!m.error.empty()) return;
            }
}

std::string run(const char *name, const u32 *grid, const u32 *block, size_t shared_bytes,
                std::pair<const void *, size_t> params) {
    link_kernels();
    link_faults();
    const auto found = kernels().find(name);
    if (found == kernels().end()) return "no such kernel";
    const Kernel &kernel = found->second;
    if (kernel.params_bytes != params.second) return "parameters of another size";
    if (block[0] != kernel.threads || block[1] != 1 || block[2] != 1) return "blocks of another shape";
    if (grid[0] == 0 || grid[1] == 0 || grid[2] == 0 || grid[1] > 65535 || grid[2] > 65535)
        return "a grid that a device would refuse";
    if (shared_bytes > SHARED_BYTES) return "more than 48 KiB of shared memory";
    if (!machine) machine = std::make_unique<Machine>();
    machine->error.clear();
    machine->dynamic_bytes = shared_bytes;
    launch(kernel, grid, block[0], params.first);
    return machine->error;
}

} // namespace

} // namespace emulation

// 0, or 1 with what went wrong in `message`.
extern "C" int tenora_emulate(const char *name, const u32 *grid, const u32 *block, size_t shared_bytes,
                              const void *params, size_t params_bytes, char *message, size_t message_bytes) {
    const std::string error = emulation::run(name, grid, block, shared_bytes, {params, params_bytes});
    snprintf(message, message_bytes, "%s", error.c_str());
    return error.empty() ? 0 : 1;
}

// Memory that ends where nothing may be read or written, less what alignment to 16 bytes leaves.
extern "C" void *tenora_guarded_memory(size_t bytes) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t whole = (bytes + 15) / 16 * 16, pages = (whole + page - 1) / page * page;
    char *start = static_cast<char *>(
        mmap(nullptr, pages + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (start == MAP_FAILED || mprotect(start + pages, page, PROT_NONE) != 0) return nullptr;
    return start + pages - whole;
}

extern "C" void tenora_free_guarded_memory(void *memory, size_t bytes) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t whole = (bytes + 15) / 16 * 16, pages = (whole + page - 1) / page * page;
    munmap(static_cast<char *>(memory) + whole - pages, pages + page);
}
