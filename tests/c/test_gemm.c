/* Matrix products: every provider against a plain triple loop and against the others. */
#include "check.h"
#include "core/memory.h"
#include "device/pool.h"
#include "gemm/blas.h"
#include "gemm/gemm.h"
#include "gemm/large.h"
#include "gemm/packed.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lac_device *device;
static bool simulated; // Oclgrind: some 2 us per work item, so small shapes

/* Values in -1 .. 1 from a seed of their own. */
static void fill(float *x, uint64_t count, uint32_t seed) {
  for (uint64_t i = 0; i < count; i++) {
    seed = seed * 1664525 + 1013904223;
    x[i] = (float)(seed >> 8) / (1 << 23) - 1;
  }
}

/* One operand as a test wants it; `pad` widens the rows beyond what they hold. */
typedef struct layout {
  uint64_t offset, pad, stride;
} layout;

typedef struct product {
  lac_gemm_args g;                  // buffers filled in by run_product
  float *a, *b, *c, *right, *start; // start: NULL where C starts from itself
  uint64_t a_count, b_count, c_count;
} product;

static float *new_floats(uint64_t count) {
  float *p = calloc(count ? count : 1, sizeof *p);
  if (!p) exit(2);
  return p;
}

static uint64_t extent(uint64_t rows, uint64_t cols, const lac_matrix *at, uint64_t batch,
                       uint64_t stride) {
  return rows && cols && batch ? at->offset + (batch - 1) * stride + (rows - 1) * at->ld + cols : 1;
}

/* The plain triple loop, in double. */
static void compute_plainly(product *p) {
  const lac_gemm_args *g = &p->g;
  memcpy(p->right, p->c, p->c_count * sizeof *p->c);
  for (uint64_t one = 0; one < g->batch; one++)
    for (uint64_t i = 0; i < g->m; i++)
      for (uint64_t j = 0; j < g->n; j++) {
        const float *a = p->a + g->a.offset + one * g->stride_a;
        const float *b = p->b + g->b.offset + one * g->stride_b;
        float *c = p->right + g->c.offset + one * g->stride_c + i * g->c.ld + j;
        double sum = 0;
        for (uint64_t k = 0; k < g->k; k++)
          sum += (double)a[g->trans_a ? k * g->a.ld + i : i * g->a.ld + k] *
                 (double)b[g->trans_b ? j * g->b.ld + k : k * g->b.ld + j];
        const double from = g->beta == 0 ? 0 : (double)g->beta * (double)*c;
        *c = (float)((double)g->alpha * sum + (p->start ? (double)p->start[3 + j] : from));
      }
}

/* Make a product from sizes, transposes, alpha, beta and batch in `g`. */
static product make_product(lac_gemm_args g, layout a, layout b, layout c) {
  product p;
  const uint64_t a_rows = g.trans_a ? g.k : g.m, a_cols = g.trans_a ? g.m : g.k;
  const uint64_t b_rows = g.trans_b ? g.n : g.k, b_cols = g.trans_b ? g.k : g.n;
  g.a = (lac_matrix){NULL, a.offset, a_cols + a.pad};
  g.b = (lac_matrix){NULL, b.offset, b_cols + b.pad};
  g.c = (lac_matrix){NULL, c.offset, g.n + c.pad};
  g.stride_a = a.stride;
  g.stride_b = b.stride;
  g.stride_c = c.stride;
  p.g = g;
  p.start = NULL;
  p.a_count = extent(a_rows, a_cols, &g.a, g.batch, a.stride);
  p.b_count = extent(b_rows, b_cols, &g.b, g.batch, b.stride);
  p.c_count = extent(g.m, g.n, &g.c, g.batch, c.stride) + 5; // what lies behind must stay
  p.a = new_floats(p.a_count);
  p.b = new_floats(p.b_count);
  p.c = new_floats(p.c_count);
  p.right = new_floats(p.c_count);
  fill(p.a, p.a_count, 1);
  fill(p.b, p.b_count, 2);
  fill(p.c, p.c_count, 3);
  if (g.beta == 0) // what is overwritten must not be read
    for (uint64_t one = 0; one < g.batch; one++)
      for (uint64_t i = 0; i < g.m; i++)
        for (uint64_t j = 0; j < g.n; j++)
          p.c[c.offset + one * c.stride + i * g.c.ld + j] = NAN;
  compute_plainly(&p);
  return p;
}

/* Every row starts from the same one, from its third element on. */
static product start_from_row(product p) {
  p.start = new_floats(p.g.n + 3);
  fill(p.start, p.g.n + 3, 4);
  for (uint64_t i = 0; i < p.g.m; i++) // what is overwritten must not be read
    for (uint64_t j = 0; j < p.g.n; j++)
      p.c[p.g.c.offset + i * p.g.c.ld + j] = NAN;
  compute_plainly(&p);
  return p;
}

static void free_product(product *p) {
  free(p->a);
  free(p->b);
  free(p->c);
  free(p->right);
  free(p->start);
}

static lac_buffer *upload(const float *x, uint64_t count) {
  lac_buffer *buffer = NULL;
  if (lac_buffer_new(&buffer, device, count * sizeof *x, "a test") != LAC_OK ||
      lac_buffer_write(buffer, 0, x, count * sizeof *x) != LAC_OK) {
    printf("%s\n", lac_message());
    exit(2);
  }
  return buffer;
}

/* Run on the device, with prepared weights when asked, and fetch the whole of C into `got`. */
static lac_status run_product(const product *p, bool prepared, float *got) {
  lac_gemm_args g = p->g;
  lac_prepared *w = NULL;
  g.a.buffer = upload(p->a, p->a_count);
  g.b.buffer = upload(p->b, p->b_count);
  g.c.buffer = upload(p->c, p->c_count);
  if (p->start) g.start = (lac_row){upload(p->start, g.n + 3), 3};
  lac_status status = LAC_OK;
  if (prepared) status = lac_gemm_prepare(&w, device, &g.b, g.trans_b, g.n, g.k);
  if (status == LAC_OK) status = prepared ? lac_gemm_prepared(device, &g, w) : lac_gemm(device, &g);
  if (status == LAC_OK) status = lac_buffer_read(g.c.buffer, 0, got, p->c_count * sizeof *got);
  lac_gemm_release(w);
  lac_buffer_release(g.a.buffer);
  lac_buffer_release(g.b.buffer);
  lac_buffer_release(g.c.buffer);
  lac_buffer_release(g.start.buffer);
  return status;
}

/* float sums of k terms below 1, in any order: half a unit per term would be generous */
static float tolerance(const product *p) {
  return 1e-6f * (float)(p->g.k + 4) * fmaxf(fabsf(p->g.alpha), 1);
}

static bool is_close(const float *x, const float *y, uint64_t count, float limit) {
  for (uint64_t i = 0; i < count; i++)
    if (!(fabsf(x[i] - y[i]) <= limit)) return false; // NaN fails too
  return true;
}

/* The providers that work here; the others are named once. */
static const char *working[8];
static int workings;

static void find_working(void) {
  for (const char *const *name = lac_gemm_providers(); *name; name++) {
    const lac_status status = lac_gemm_use(device, *name);
    if (status == LAC_OK)
      working[workings++] = *name;
    else
      printf("%s skipped: %s\n", *name, lac_message());
    check_that(status == LAC_OK || status == LAC_EUNSUPPORTED, __LINE__, lac_message(), NULL);
  }
  check_that(workings > 0, __LINE__, "no provider works", NULL);
}

static void describe(char *text, size_t bytes, const char *provider, const lac_gemm_args *g) {
  snprintf(text, bytes, "%s: %c%c m=%d n=%d k=%d ld=%d,%d,%d alpha=%g beta=%g batch=%d", provider,
           g->trans_a ? 'T' : 'N', g->trans_b ? 'T' : 'N', (int)g->m, (int)g->n, (int)g->k,
           (int)g->a.ld, (int)g->b.ld, (int)g->c.ld, (double)g->alpha, (double)g->beta,
           (int)g->batch);
}

/* All providers against the triple loop, and each against the one before; `p` is freed. */
static void compare_all(product p, bool prepared) {
  char text[200];
  float *got = new_floats(p.c_count), *last = new_floats(p.c_count);
  for (int i = 0; i < workings; i++) {
    describe(text, sizeof text, working[i], &p.g);
    check_that(lac_gemm_use(device, working[i]) == LAC_OK, __LINE__, "provider stopped working",
               NULL);
    const lac_status status = run_product(&p, prepared, got);
    check_that(status == LAC_OK, __LINE__, status == LAC_OK ? "" : lac_message(), NULL);
    check_that(is_close(got, p.right, p.c_count, tolerance(&p)), __LINE__, text, NULL);
    if (i > 0)
      check_that(is_close(got, last, p.c_count, 2 * tolerance(&p)), __LINE__, "providers differ",
                 NULL);
    memcpy(last, got, p.c_count * sizeof *got);
  }
  free(got);
  free(last);
  free_product(&p);
}

static lac_gemm_args sizes(uint64_t m, uint64_t n, uint64_t k, int transposes) {
  return (lac_gemm_args){.trans_a = transposes & 1,
                         .trans_b = transposes >> 1 & 1,
                         .m = m,
                         .n = n,
                         .k = k,
                         .alpha = 1,
                         .batch = 1};
}

static const layout tight = {0, 0, 0};

static void products_of_odd_shapes_are_right(void) {
  static const uint64_t odd[] = {1, 2, 3, 17, 64, 65, 130};
  const int count = simulated ? 4 : 7;
  int turn = 0;
  for (int m = 0; m < count; m++)
    for (int n = 0; n < count; n++)
      for (int k = 0; k < count; k++) // the transposes take turns here, all four come below
        compare_all(make_product(sizes(odd[m], odd[n], odd[k], turn++ % 4), tight, tight, tight),
                    false);
}

static void transposes_offsets_and_long_rows_are_right(void) {
  static const uint64_t shapes[][3] = {{17, 33, 5}, {1, 40, 19}, {40, 1, 19}, {65, 34, 130}};
  for (int s = 0; s < (simulated ? 3 : 4); s++)
    for (int transposes = 0; transposes < 4; transposes++) {
      const lac_gemm_args g = sizes(shapes[s][0], shapes[s][1], shapes[s][2], transposes);
      compare_all(make_product(g, (layout){3, 2, 0}, (layout){7, 5, 0}, (layout){11, 4, 0}), false);
    }
}

static void alpha_and_beta_are_obeyed(void) {
  static const float factors[][2] = {{1, 0},     {1, 1}, {2, 0}, {-0.5f, 0.25f},
                                     {1, -1.5f}, {0, 0}, {0, 2}, {0, 1}};
  for (size_t i = 0; i < sizeof factors / sizeof *factors; i++)
    for (int shape = 0; shape < 3; shape++) {
      lac_gemm_args g = sizes(shape == 1 ? 1 : 19, shape == 2 ? 1 : 35, 18, shape);
      g.alpha = factors[i][0];
      g.beta = factors[i][1];
      compare_all(make_product(g, (layout){0, 1, 0}, tight, (layout){2, 3, 0}), false);
    }
}

static void a_row_may_be_what_all_rows_start_from(void) {
  static const uint64_t shapes[][3] = {{1, 35, 18}, {35, 1, 18},   {19, 35, 18},
                                       {5, 6, 0},   {50, 70, 600}, {200, 300, 70}};
  for (int s = 0; s < (simulated ? 4 : 6); s++)
    for (int transposes = 0; transposes < 4; transposes++) {
      lac_gemm_args g = sizes(shapes[s][0], shapes[s][1], shapes[s][2], transposes);
      g.alpha = transposes == 1 ? -2 : 1;
      for (int prepared = 0; prepared < 2; prepared++)
        compare_all(start_from_row(make_product(g, (layout){0, 1, 0}, tight, (layout){2, 3, 0})),
                    prepared);
    }
}

static void a_batch_repeats_the_product(void) {
  static const uint64_t batches[] = {1, 2, 3, 9};
  for (int i = 0; i < 4; i++)
    for (int transposes = 0; transposes < 4; transposes++) {
      lac_gemm_args g = sizes(5, 18, 7, transposes);
      g.batch = batches[i];
      g.beta = i % 2 ? 1 : 0;
      compare_all(make_product(g, (layout){1, 0, 5 * 7}, (layout){0, 0, 7 * 18 + 3},
                               (layout){4, 0, 5 * 18 + 1}),
                  false);
      // A or B the same for all
      compare_all(make_product(g, tight, (layout){0, 0, 7 * 18}, (layout){0, 0, 5 * 18}), false);
      compare_all(make_product(g, (layout){0, 0, 5 * 7}, tight, (layout){0, 0, 5 * 18}), false);
    }
}

static void heads_side_by_side_are_a_batch(void) {
  // [rows, heads, width] products of every head: rows longer than a head, heads one width apart
  lac_gemm_args g = sizes(6, 5, 8, 2);
  g.batch = 4;
  compare_all(make_product(g, (layout){0, 3 * 8, 8}, (layout){0, 3 * 8, 8}, (layout){0, 0, 6 * 5}),
              false);
  compare_all( // and the results side by side
      make_product(g, (layout){0, 0, 6 * 8}, tight, (layout){0, 3 * 5, 5}), false);
}

static void large_products_are_cut_right(void) {
  static const uint64_t shapes[][3] = {{50, 700, 300}, {700, 50, 100}, {1, 1000, 600},
                                       {1000, 1, 600}, {257, 259, 64}, {15, 18, 3000}};
  for (int s = 0; s < 6; s++) {
    compare_all(
        make_product(sizes(shapes[s][0], shapes[s][1], shapes[s][2], s), tight, tight, tight),
        false);
  }
  lac_gemm_args g = sizes(40, 50, 60, 2); // a batch large enough to be shared out
  g.batch = 37;
  compare_all(make_product(g, (layout){0, 0, 2400}, (layout){0, 0, 3000}, (layout){0, 0, 2000}),
              false);
}

static void large_products_are_right_by_blocks(void) {
  static const uint64_t shapes[][3] = {{128, 64, 64},   {131, 70, 65},    {300, 64, 1030},
                                       {1500, 65, 100}, {140, 100, 2500}, {200, 1000, 70}};
  for (int s = 0; s < 6; s++)
    for (int trans_b = 0; trans_b < 2; trans_b++) {
      lac_gemm_args g = sizes(shapes[s][0], shapes[s][1], shapes[s][2], 2 * trans_b);
      check_that(lac_large_suits(&g, false) == lac_packed_has(LAC_PACKED_AVX2), __LINE__,
                 "not large", NULL);
      g.alpha = s == 2 ? -2 : 1;
      g.beta = s % 2 ? 0.5f : 0;
      const layout wide = {3, 2, 0};
      compare_all(make_product(g, wide, wide, wide), trans_b);
      compare_all(start_from_row(make_product(g, wide, wide, wide)), !trans_b);
    }
}

static void blocks_of_any_number_of_workers_are_right(void) {
  if (!lac_packed_has(LAC_PACKED_AVX2)) return;
  const lac_gemm_args g = sizes(333, 100, 1500, 2);
  for (uint32_t count = 1; count < 8; count++) {
    lac_workers *workers = NULL;
    product p = make_product(g, tight, tight, tight);
    float *room = new_floats(lac_large_room(&g, count, false));
    CHECK_OK(lac_workers_new(&workers, count));
    const lac_large_memory at = {p.a, p.b, NULL, NULL, p.c, room};
    lac_large_multiply(workers, &p.g, &at);
    check_that(is_close(p.c, p.right, p.c_count, tolerance(&p)), __LINE__, "a block is wrong",
               NULL);
    lac_workers_release(workers);
    free(room);
    free_product(&p);
  }
}

static void any_number_of_workers_cuts_right(void) {
  static const uint64_t shapes[][3] = {{50, 700, 30},  {700, 50, 30}, {1, 1000, 600},
                                       {1000, 1, 600}, {90, 95, 100}, {17, 16, 2000}};
  static const uint32_t counts[] = {1, 2, 3, 4, 6, 7, 8};
  for (int w = 0; w < 7; w++) {
    lac_workers *workers = NULL;
    check_that(lac_workers_new(&workers, counts[w]) == LAC_OK, __LINE__, lac_message(), NULL);
    for (int s = 0; s < 6; s++)
      for (uint64_t batch = 1; batch < 30; batch = batch * 2 + 1) {
        lac_gemm_args g = sizes(shapes[s][0], shapes[s][1], shapes[s][2], s + w);
        g.batch = batch;
        product p = make_product(g, tight, tight, (layout){1, 2, g.m * (g.n + 2)});
        lac_blas_multiply(workers, &p.g, p.a, p.b, p.c, NULL);
        check_that(is_close(p.c, p.right, p.c_count, tolerance(&p)), __LINE__, "a block is wrong",
                   NULL);
        free_product(&p);
      }
    lac_workers_release(workers);
  }
}

static void prepared_weights_give_the_same_products(void) {
  static const uint64_t rows[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 26, 50, 64, 65};
  static const uint64_t outs[] = {1, 31, 32, 33, 130};
  static const uint64_t ins[] = {1, 17, 256, 259};
  const int r_count = simulated ? 3 : 18, o_count = simulated ? 2 : 5, i_count = simulated ? 2 : 4;
  for (int r = 0; r < r_count; r++)
    for (int o = 0; o < o_count; o++)
      for (int i = 0; i < i_count; i++) {
        lac_gemm_args g = sizes(rows[r], outs[o], ins[i], (r + o + i) % 4);
        if ((r + o) % 3 == 1) g.alpha = -2;
        if ((o + i) % 3 == 2) g.beta = 0.5f;
        compare_all(make_product(g, (layout){1, 2, 0}, (layout){3, 1, 0}, (layout){2, 3, 0}), true);
      }
  if (simulated) return;
  compare_all(make_product(sizes(7, 700, 600, 2), tight, tight, tight), true);
  lac_gemm_args g = sizes(5, 33, 20, 2);
  g.batch = 3;
  compare_all(make_product(g, (layout){0, 0, 100}, tight, (layout){0, 0, 165}), true);
}

static void weights_are_prepared_in_queue_order(void) {
  product p = make_product(sizes(4, 40, 30, 2), tight, tight, tight);
  lac_gemm_args g = p.g;
  lac_prepared *w = NULL;
  float *got = new_floats(p.c_count), *zeros = new_floats(p.b_count);
  lac_gemm_use(device, NULL);
  g.a.buffer = upload(p.a, p.a_count);
  g.b.buffer = upload(zeros, p.b_count);
  g.c.buffer = upload(p.c, p.c_count);
  lac_buffer *source = upload(p.b, p.b_count);
  const size_t bytes = p.b_count * sizeof(float);
  // only enqueued: the weights arrive, are packed and overwritten; the product is of the old ones
  check_that(lac_buffer_copy(g.b.buffer, 0, source, 0, bytes) == LAC_OK, __LINE__, "copy", NULL);
  check_that(lac_gemm_prepare(&w, device, &g.b, g.trans_b, g.n, g.k) == LAC_OK, __LINE__, "prepare",
             NULL);
  if (w)
    check_that(lac_buffer_fill(g.b.buffer, 0, bytes, &(float){0}) == LAC_OK, __LINE__, "fill",
               NULL);
  check_that(lac_gemm_prepared(device, &g, w) == LAC_OK, __LINE__, "product", NULL);
  lac_gemm_release(w); // while the product may still be waiting in the queue
  check_that(lac_buffer_read(g.c.buffer, 0, got, p.c_count * sizeof *got) == LAC_OK, __LINE__,
             "read", NULL);
  check_that(is_close(got, p.right, p.c_count, tolerance(&p)), __LINE__, "other weights were used",
             NULL);
  lac_buffer *const all[] = {g.a.buffer, g.b.buffer, g.c.buffer, source};
  for (int i = 0; i < 4; i++)
    lac_buffer_release(all[i]);
  free(got);
  free(zeros);
  free_product(&p);
}

static void every_kind_of_instructions_gives_the_same(void) {
  static const uint64_t shapes[][3] = {{1, 33, 300}, {2, 64, 7},   {3, 40, 258},
                                       {4, 32, 1},   {5, 31, 9},   {6, 70, 513},
                                       {14, 33, 20}, {64, 65, 33}, {70, 35, 300}};
  for (int kind = LAC_PACKED_BEST; kind < LAC_PACKED_KINDS; kind++) {
    if (!lac_packed_has((lac_packed_kind)kind)) {
      printf("packed kind %d skipped: this processor lacks its instructions\n", kind);
      continue;
    }
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
      lac_gemm_args g = sizes(shapes[s][0], shapes[s][1], shapes[s][2], 2);
      g.beta = s % 2 ? 0.5f : 0;
      product p = make_product(g, tight, tight, tight);
      const uint64_t panels = lac_packed_panels(g.n);
      float *w = new_floats(panels * LAC_PANEL * g.k), *room = new_floats(g.m * g.k);
      lac_packed_fill(w, p.b, g.k, 1, g.n, g.k, 0, 1);
      lac_packed_fill(w, p.b, g.k, 1, g.n, g.k, 1, panels);
      const lac_packed_args args = {.kind = (lac_packed_kind)kind,
                                    .m = g.m,
                                    .n = g.n,
                                    .k = g.k,
                                    .alpha = 1,
                                    .beta = g.beta,
                                    .x = p.a,
                                    .x_row = g.k,
                                    .x_col = 1,
                                    .room = room,
                                    .panels = w,
                                    .panel_inputs = g.k,
                                    .y = p.c,
                                    .y_row = g.n};
      const uint64_t tiles = lac_packed_tiles(&args);
      lac_packed_take(&args, tiles / 2, tiles);
      lac_packed_take(&args, 0, tiles / 2);
      lac_packed_product(&args, 0, panels);
      check_that(is_close(p.c, p.right, p.c_count, tolerance(&p)), __LINE__, "a product is wrong",
                 NULL);
      free(room);
      free(w);
      free_product(&p);
    }
  }
}

static void empty_products_do_nothing(void) {
  static const uint64_t shapes[][3] = {{0, 5, 3}, {5, 0, 3}, {0, 0, 0}};
  for (int s = 0; s < 3; s++)
    compare_all(
        make_product(sizes(shapes[s][0], shapes[s][1], shapes[s][2], 0), tight, tight, tight),
        false);
  lac_gemm_args g = sizes(3, 4, 5, 0);
  g.batch = 0;
  compare_all(make_product(g, tight, tight, tight), false);
}

static void a_product_without_terms_scales_c(void) {
  for (int i = 0; i < 3; i++) {
    lac_gemm_args g = sizes(35, 6, 0, i);
    g.beta = (float)i / 2;
    g.batch = 2;
    compare_all(make_product(g, tight, tight, (layout){1, 2, 35 * 8}), false);
  }
  // empty operands have no memory
  float c[6] = {1, 2, 3, 4, 5, 6};
  lac_gemm_args g = sizes(2, 3, 0, 0);
  g.beta = 2;
  g.c = (lac_matrix){upload(c, 6), 0, 3};
  check_that(lac_gemm(device, &g) == LAC_OK, __LINE__, lac_message(), NULL);
  check_that(lac_buffer_read(g.c.buffer, 0, c, sizeof c) == LAC_OK && c[0] == 2 && c[5] == 12,
             __LINE__, "not scaled", NULL);
  lac_buffer_release(g.c.buffer);
}

static void a_matrix_times_itself_transposed_is_right(void) {
  enum { M = 20, K = 9 };
  float x[M * K], got[M * M], limit = 1e-5f;
  bool right = true;
  fill(x, M * K, 5);
  lac_buffer *in = upload(x, M * K), *out = upload(got, 0 + M * M);
  for (int p = 0; p < workings; p++) {
    lac_gemm_args g = sizes(M, M, K, 2);
    g.a = g.b = (lac_matrix){in, 0, K};
    g.c = (lac_matrix){out, 0, M};
    right &= lac_gemm_use(device, working[p]) == LAC_OK && lac_gemm(device, &g) == LAC_OK &&
             lac_buffer_read(out, 0, got, sizeof got) == LAC_OK;
    for (int i = 0; i < M; i++)
      for (int j = 0; j < M; j++) {
        float sum = 0;
        for (int k = 0; k < K; k++)
          sum += x[i * K + k] * x[j * K + k];
        right &= fabsf(sum - got[i * M + j]) < limit;
      }
  }
  check_that(right, __LINE__, "wrong with A and B in one buffer", NULL);
  lac_buffer_release(in);
  lac_buffer_release(out);
}

static void sizes_beyond_31_bits_are_refused(void) {
  lac_gemm_args g = sizes(1, 1, 1, 0);
  g.a.ld = (uint64_t)1 << 31;
  check_that(lac_gemm(device, &g) == LAC_EUNSUPPORTED && strstr(lac_message(), "2147483648"),
             __LINE__, lac_message(), NULL);
}

static void unknown_providers_are_refused_with_the_list(void) {
  const char *before = NULL, *after = NULL;
  lac_gemm_name(device, &before);
  check_that(lac_gemm_use(device, "cublas") == LAC_EINVAL, __LINE__, "accepted", NULL);
  check_that(strstr(lac_message(), "\"cublas\"") && strstr(lac_message(), "host, clblast, tiled"),
             __LINE__, lac_message(), NULL);
  check_that(lac_gemm_name(device, &after) == LAC_OK && before == after, __LINE__,
             "the choice changed", NULL);
}

static void the_automatic_choice_suits_the_device(void) {
  const char *name = "";
  check_that(lac_gemm_use(device, NULL) == LAC_OK && lac_gemm_name(device, &name) == LAC_OK,
             __LINE__, lac_message(), NULL);
  if (lac_device_caps(device)->is_cpu)
    check_that(strcmp(name, "host") == 0, __LINE__, "a CPU device is not served by the host", NULL);
  else
    check_that(strcmp(name, "host") != 0, __LINE__, "the host serves what is no CPU", NULL);
}

static void the_environment_chooses(void) {
  lac_device *other = NULL;
  const char *name = "";
  setenv("LACUNA_GEMM", "tiled", 1);
  check_that(lac_device_open(&other, NULL) == LAC_OK && lac_gemm_name(other, &name) == LAC_OK &&
                 strcmp(name, "tiled") == 0,
             __LINE__, "LACUNA_GEMM=tiled was not obeyed", NULL);
  lac_device_release(other);
  other = NULL;
  setenv("LACUNA_GEMM", "mkl", 1);
  check_that(lac_device_open(&other, NULL) == LAC_OK && lac_gemm_name(other, &name) == LAC_EINVAL,
             __LINE__, "LACUNA_GEMM=mkl was accepted", NULL);
  lac_device_release(other);
  unsetenv("LACUNA_GEMM");
}

static int bid_nothing(lac_device *unused) {
  (void)unused;
  return 0;
}

static lac_status probe_well(lac_device *unused) {
  (void)unused;
  return LAC_OK;
}

static lac_status multiply_badly(lac_device *unused, const lac_gemm_args *g) {
  (void)unused;
  const float three = 3;
  return lac_buffer_fill(g->c.buffer, g->c.offset * sizeof three, 4, &three);
}

static void a_provider_that_computes_wrongly_is_refused_by_name(void) {
  const lac_gemm_provider bad = {
      .name = "abacus", .bid = bid_nothing, .probe = probe_well, .product = multiply_badly};
  check_that(lac_gemm_try(&bad, device) == LAC_EUNSUPPORTED, __LINE__, "it passed the trial", NULL);
  check_that(strstr(lac_message(), "abacus computes wrongly on"), __LINE__, lac_message(), NULL);
}

/* One device from its first product to its end, with the nth allocation failing. */
static lac_status work_with_fault(uint64_t nth) {
  product p = make_product(sizes(3, 4, 5, 2), tight, tight, tight);
  lac_gemm_args g = p.g;
  lac_prepared *w = NULL;
  if (lac_device_open(&device, NULL) != LAC_OK) exit(2);
  g.a.buffer = upload(p.a, p.a_count);
  g.b.buffer = upload(p.b, p.b_count);
  g.c.buffer = upload(p.c, p.c_count);
  lac_fault_set(nth);
  lac_status status = lac_gemm(device, &g);
  if (status == LAC_OK) status = lac_gemm_prepare(&w, device, &g.b, g.trans_b, g.n, g.k);
  if (status == LAC_OK) status = lac_gemm_prepared(device, &g, w);
  lac_fault_set(0);
  lac_gemm_release(w);
  lac_buffer_release(g.a.buffer);
  lac_buffer_release(g.b.buffer);
  lac_buffer_release(g.c.buffer);
  lac_device_release(device);
  free_product(&p);
  return status;
}

static void failing_allocations_are_passed_on(void) {
  lac_device *const before = device;
  enum { TRIES = 25 };
  int refused = 0;
  lac_status status = LAC_OK;
  for (uint64_t nth = 1; nth <= TRIES; nth++) {
    status = work_with_fault(nth);
    check_that(status == LAC_OK || status == LAC_ENOMEM, __LINE__, lac_message(), NULL);
    refused += status == LAC_ENOMEM; // device memory is asked for twice and then there
  }
  check_that(status == LAC_OK, __LINE__, "there are more allocations than tries", NULL);
  check_that(refused >= 5, __LINE__,
             "the state, trial, threads, panels and record were not all refused", NULL);
  device = before;
}

static void no_device_buffers_are_left(void) {
  lac_pool_stats stats;
  lac_pool_stats_get(device, &stats);
  CHECK(stats.used_buffers == 0);
}

int main(void) {
  if (lac_device_open(&device, NULL) != LAC_OK) {
    printf("%s\n", lac_message());
    return 2;
  }
  simulated = strstr(lac_device_caps(device)->platform, "Oclgrind") != NULL;
  printf("on %s\n", lac_device_caps(device)->name);
  RUN(find_working);
  RUN(the_automatic_choice_suits_the_device);
  RUN(products_of_odd_shapes_are_right);
  RUN(transposes_offsets_and_long_rows_are_right);
  RUN(alpha_and_beta_are_obeyed);
  RUN(a_row_may_be_what_all_rows_start_from);
  RUN(a_batch_repeats_the_product);
  RUN(heads_side_by_side_are_a_batch);
  if (simulated) {
    printf("skipped: the large products: they take the simulator minutes\n");
  } else {
    RUN(large_products_are_cut_right);
    if (!simulated) RUN(large_products_are_right_by_blocks);
    RUN(blocks_of_any_number_of_workers_are_right);
    RUN(any_number_of_workers_cuts_right);
  }
  RUN(prepared_weights_give_the_same_products);
  RUN(weights_are_prepared_in_queue_order);
  RUN(every_kind_of_instructions_gives_the_same);
  RUN(empty_products_do_nothing);
  RUN(a_product_without_terms_scales_c);
  RUN(a_matrix_times_itself_transposed_is_right);
  RUN(sizes_beyond_31_bits_are_refused);
  RUN(unknown_providers_are_refused_with_the_list);
  RUN(the_environment_chooses);
  RUN(a_provider_that_computes_wrongly_is_refused_by_name);
  if (lac_fault_set(0))
    RUN(failing_allocations_are_passed_on);
  else
    printf("skipped: failing_allocations_are_passed_on: a build without LAC_FAULTS\n");
  RUN(no_device_buffers_are_left);
  lac_device_release(device);
  return check_finish();
}
