/*
 * Matrix products on the device's queue against bare OpenBLAS with its own threads, in one process.
 *
 * Every figure is the median over rounds; within a round the candidates take turns, each in a slice
 * of its own that starts with a pause (OpenBLAS's threads spin for some 25 ms after a call) and two
 * calls that do not count. The spread is the distance of the quartiles, relative to the median.
 *
 * Exits with 1 when the project's bound does not hold: one product 50 x 4096 x 2000 followed by an
 * LSTM-cell kernel, waited for, costs at most 1.1 times the bare call plus 0.2 ms.
 */
#include "core/workers.h"
#include "device/pool.h"
#include "gemm/gemm.h"
#include "layers/recurrent.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 15, CALLS = 7, PAUSE_MS = 40 };

static lac_device *device;
static int blas_threads;

/* A product y [m, n] = x [m, k] w [n, k]^T, on the device and on the host. */
typedef struct shape {
  uint64_t m, n, k;
  lac_gemm_args g;
  lac_prepared *w;
  lac_tensor *y, *cell; // [m, n], and [m, n / 4] as the state of an LSTM of n / 4 units
  float *host_x, *host_w, *host_y;
} shape;

static void must(lac_status status) {
  if (status == LAC_OK) return;
  printf("%s\n", lac_message());
  exit(2);
}

static float *random_floats(uint64_t count) {
  float *x = malloc(count * sizeof *x);
  if (!x) exit(2);
  for (uint64_t i = 0; i < count; i++)
    x[i] = (float)(rand() % 2001 - 1000) / 10000;
  return x;
}

static lac_buffer *upload(const float *x, uint64_t count) {
  lac_buffer *buffer;
  must(lac_buffer_new(&buffer, device, count * sizeof *x, "a benchmark"));
  must(lac_buffer_write(buffer, 0, x, count * sizeof *x));
  return buffer;
}

static shape make_shape(uint64_t m, uint64_t n, uint64_t k) {
  shape s = {.m = m, .n = n, .k = k};
  s.host_x = random_floats(m * k);
  s.host_w = random_floats(n * k);
  s.host_y = random_floats(m * n);
  must(lac_tensor_zeros(&s.y, device, LAC_F32, &(lac_shape){2, {m, n}}));
  must(lac_tensor_zeros(&s.cell, device, LAC_F32, &(lac_shape){2, {m, n / 4}}));
  s.g = (lac_gemm_args){.trans_b = true,
                        .m = m,
                        .n = n,
                        .k = k,
                        .alpha = 1,
                        .batch = 1,
                        .a = {upload(s.host_x, m * k), 0, k},
                        .b = {upload(s.host_w, n * k), 0, k},
                        .c = {lac_tensor_buffer(s.y), lac_tensor_offset(s.y), n}};
  must(lac_gemm_prepare(&s.w, device, &s.g.b, true, n, k));
  return s;
}

static void free_shape(shape *s) {
  lac_gemm_release(s->w);
  lac_buffer_release(s->g.a.buffer);
  lac_buffer_release(s->g.b.buffer);
  lac_tensor_release(s->y);
  lac_tensor_release(s->cell);
  free(s->host_x);
  free(s->host_w);
  free(s->host_y);
}

static void call_blas(shape *s) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)s->m, (int)s->n, (int)s->k, 1,
              s->host_x, (int)s->k, s->host_w, (int)s->k, 0, s->host_y, (int)s->n);
}

static void call_product(shape *s) {
  must(lac_gemm(device, &s->g));
  must(lac_device_finish(device));
}

/* Ten products, waited for once: what one costs inside a longer computation. */
static void call_ten_products(shape *s) {
  for (int i = 0; i < 10; i++)
    must(lac_gemm(device, &s->g));
  must(lac_device_finish(device));
}

static void call_ten_prepared(shape *s) {
  for (int i = 0; i < 10; i++)
    must(lac_gemm_prepared(device, &s->g, s->w));
  must(lac_device_finish(device));
}

static void call_ten_blas(shape *s) {
  for (int i = 0; i < 10; i++)
    call_blas(s);
}

static void enqueue_cell(shape *s) {
  lac_tensor *h, *c;
  must(lac_lstm_cell(&h, &c, s->y, s->cell, NULL));
  lac_tensor_release(h);
  lac_tensor_release(c);
}

static void call_product_and_cell(shape *s) {
  must(lac_gemm(device, &s->g));
  enqueue_cell(s);
  must(lac_device_finish(device));
}

static void call_prepared_and_cell(shape *s) {
  must(lac_gemm_prepared(device, &s->g, s->w));
  enqueue_cell(s);
  must(lac_device_finish(device));
}

static void call_ten_steps(shape *s) {
  for (int i = 0; i < 10; i++) {
    must(lac_gemm(device, &s->g));
    enqueue_cell(s);
  }
  must(lac_device_finish(device));
}

typedef struct candidate {
  const char *name;
  void (*call)(shape *s);
  int steps; // products in one call
  bool bare; // OpenBLAS with its own threads
  double ms[ROUNDS * CALLS];
} candidate;

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void run_slice(candidate *c, shape *s, int round) {
  const struct timespec pause = {0, PAUSE_MS * 1000000};
  nanosleep(&pause, NULL);
  openblas_set_num_threads(c->bare ? blas_threads : 1);
  c->call(s);
  c->call(s);
  for (int i = 0; i < CALLS; i++) {
    const double start = now_ms();
    c->call(s);
    c->ms[round * CALLS + i] = (now_ms() - start) / c->steps;
  }
  openblas_set_num_threads(1);
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(const candidate *c) {
  return c->ms[ROUNDS * CALLS / 2];
}

static double spread(const candidate *c) {
  return (c->ms[ROUNDS * CALLS * 3 / 4] - c->ms[ROUNDS * CALLS / 4]) / median(c);
}

static void measure(candidate *candidates, int count, shape *s) {
  for (int round = 0; round < ROUNDS; round++)
    for (int i = 0; i < count; i++)
      run_slice(&candidates[i], s, round);
  for (int i = 0; i < count; i++)
    qsort(candidates[i].ms, ROUNDS * CALLS, sizeof *candidates[i].ms, compare);
}

static void print_rows(const candidate *candidates, int count) {
  for (int i = 0; i < count; i++) {
    const candidate *c = &candidates[i];
    printf("  %-34s %8.3f ms   best %8.3f   spread %3.0f%%   %5.2fx\n", c->name, median(c),
           c->ms[0], 100 * spread(c), median(c) / median(candidates));
  }
}

/* The bound; the bare call comes first. */
static bool measure_step(void) {
  static candidate candidates[] = {
      {.name = "bare OpenBLAS", .call = call_blas, .steps = 1, .bare = true},
      {.name = "product", .call = call_product, .steps = 1},
      {.name = "product + cell", .call = call_product_and_cell, .steps = 1},
      {.name = "product + cell, ten in the queue", .call = call_ten_steps, .steps = 10},
      {.name = "prepared product + cell", .call = call_prepared_and_cell, .steps = 1},
  };
  shape s = make_shape(50, 4096, 2000);
  measure(candidates, 5, &s);
  printf("50 x 4096 x 2000\n");
  print_rows(candidates, 5);
  free_shape(&s);
  const double limit = 1.1 * median(&candidates[0]) + 0.2;
  const bool holds = median(&candidates[2]) <= limit;
  printf("  product + cell %.3f ms, at most 1.1 x %.3f + 0.2 = %.3f ms: %s\n",
         median(&candidates[2]), median(&candidates[0]), limit, holds ? "holds" : "DOES NOT HOLD");
  if (spread(&candidates[0]) > 0.25)
    printf("  the bare call itself varies by %.0f%%: other programs are busy, measure again\n",
           100 * spread(&candidates[0]));
  return holds;
}

static void measure_prepared(uint64_t m, uint64_t n, uint64_t k) {
  static candidate candidates[] = {
      {.name = "bare OpenBLAS", .call = call_ten_blas, .steps = 10, .bare = true},
      {.name = "product, ten in the queue", .call = call_ten_products, .steps = 10},
      {.name = "prepared, ten in the queue", .call = call_ten_prepared, .steps = 10},
  };
  shape s = make_shape(m, n, k);
  measure(candidates, 3, &s);
  printf("%d x %d x %d\n", (int)m, (int)n, (int)k);
  print_rows(candidates, 3);
  free_shape(&s);
}

int main(void) {
  static const uint64_t rows[] = {1, 5, 10, 50};
  const char *provider;
  lac_workers *workers;
  blas_threads = openblas_get_num_threads(); // before the first product sets one
  must(lac_device_open(&device, NULL));
  must(lac_gemm_name(device, &provider));
  must(lac_gemm_workers(device, &workers));
  printf("%s, provider %s, %u workers; OpenBLAS %s with %d threads\n",
         lac_device_caps(device)->name, provider, lac_workers_count(workers),
         openblas_get_corename(), blas_threads);
  const bool holds = measure_step();
  for (int i = 0; i < 4; i++)
    measure_prepared(rows[i], 4096, 2000);
  for (int i = 0; i < 4; i++)
    measure_prepared(rows[i], 512, 512);
  lac_device_release(device);
  return holds ? 0 : 1;
}
