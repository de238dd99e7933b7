// What this machine can do, measured without any library: prints two numbers.
//   peak N: GFLOP/s of multiply-adds in registers, float32, on N threads (a multiply-add counts as two operations)
//   read B: GB/s of reading B bytes again and again on one thread; B is chosen to fit a cache
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif
// How the compiler calls a vector register.
#if defined(__aarch64__)
#define REGISTER "w"
#else
#define REGISTER "x"
#endif
typedef float Vector __attribute__((vector_size(BYTES)));
enum { LANES = BYTES / sizeof(float), CHAINS = 12, ROUNDS = 20000, STRETCHES = 15, MAX_THREADS = 256 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

static int ascending(const void* a, const void* b) {
  double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

static double median(double* values, int count) {
  qsort(values, count, sizeof *values, ascending);
  return values[count / 2];
}

// Twelve independent chains cover the latency of two units of four or five cycles, and fit sixteen registers. They
// have a variable each: an array would live in memory.
#define EACH_CHAIN(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#define START(k) Vector sum##k = b * (float)k;
// The empty statement keeps the compiler from working several rounds out in advance.
#define STEP(k) sum##k = sum##k * a + b; __asm__ volatile("" : "+" REGISTER(sum##k));
#define ADD(k) total += sum##k[0];

static float multiply_add(int rounds) {
  Vector a, b;
  for (int lane = 0; lane < LANES; lane++) a[lane] = 0.999f, b[lane] = 1e-3f;
  EACH_CHAIN(START)
  for (int r = 0; r < rounds; r++) {
    EACH_CHAIN(STEP)
  }
  float total = 0;
  EACH_CHAIN(ADD)
  return total;
}

static pthread_barrier_t together;

typedef struct {
  double seconds[STRETCHES];
  float result;
} Work;

static void* work(void* argument) {
  Work* mine = argument;
  mine->result = multiply_add(ROUNDS);
  for (int s = 0; s < STRETCHES; s++) {
    pthread_barrier_wait(&together);
    double begin = now();
    mine->result += multiply_add(50 * ROUNDS);
    pthread_barrier_wait(&together);
    mine->seconds[s] = now() - begin;
  }
  return NULL;
}

static double peak(int threads) {
  static Work works[MAX_THREADS];
  pthread_t handles[MAX_THREADS];
  pthread_barrier_init(&together, NULL, threads);
  for (int k = 1; k < threads; k++) pthread_create(&handles[k], NULL, work, &works[k]);
  work(&works[0]);
  for (int k = 1; k < threads; k++) pthread_join(handles[k], NULL);
  double operations = 2.0 * LANES * CHAINS * 50.0 * ROUNDS * threads;
  return 1e-9 * operations / median(works[0].seconds, STRETCHES);
}

static double read_rate(size_t bytes) {
  size_t count = bytes / sizeof(Vector) / 8 * 8;
  Vector* data = aligned_alloc(64, (count * sizeof(Vector) + 63) / 64 * 64);
  memset(data, 0, count * sizeof(Vector));
  size_t passes = ((size_t)2 << 30) / (count * sizeof(Vector));
  double seconds[STRETCHES];
  for (int s = 0; s < STRETCHES; s++) {
    double begin = now();
    for (size_t p = 0; p < passes; p++) {
      for (size_t i = 0; i < count; i += 8) {
        // Read into registers and nothing else: additions would be the limit on some machines.
#pragma GCC unroll 8
        for (int k = 0; k < 8; k++) {
          Vector value = data[i + k];
          __asm__ volatile("" : : REGISTER(value));
        }
      }
    }
    seconds[s] = now() - begin;
  }
  free(data);
  return 1e-9 * passes * count * sizeof(Vector) / median(seconds, STRETCHES);
}

int main(int count, char** arguments) {
  if (count != 3) return 2;
  if (!strcmp(arguments[1], "peak")) {
    int threads = atoi(arguments[2]);
    if (threads < 1 || threads > MAX_THREADS) return 2;
    printf("%.2f\n", peak(threads));
  } else {
    printf("%.2f\n", read_rate(strtoull(arguments[2], NULL, 10)));
  }
  return 0;
}
