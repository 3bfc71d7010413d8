/* A thread takes ROOM elements' worth of rows at a time, so that small cells stay with one. */
#include "layers/recurrent_host.h"

#include "gemm/gemm.h"

enum { ROOM = 4096 };

/* Where a row of each tensor begins; NULL for those that are not there. */
typedef struct lstm_row {
  float *h, *c, *gates;
  const float *z, *c_prev;
  float *gz, *gc_prev;
  const float *gh, *gc;
} lstm_row;

typedef struct loops {
  void (*forward)(const lstm_row *at, uint64_t hidden);
  void (*backward)(const lstm_row *at, uint64_t hidden);
} loops;

#define BODY "layers/recurrent_host.inc"
#include "core/vectors.inc"

enum { H, C, GATES, Z, C_PREV, GZ, GC_PREV, GH, GC, TENSORS };

/* What travels through the queue; of tensors that are not there, data is NULL. */
typedef struct cell_job {
  void (*run)(const lstm_row *at, uint64_t hidden);
  lac_workers *workers;
  uint64_t rows, hidden, each; // each: rows of a part
  uint64_t at[TENSORS];        // in elements
  float *data[TENSORS];
} cell_job;

bool lac_cells_on_host(const lac_device *device) {
  return lac_device_is_host(device) && pick_loops();
}

static float *row_of(const cell_job *job, int tensor, uint64_t row, uint64_t blocks) {
  if (!job->data[tensor]) return NULL;
  return job->data[tensor] + job->at[tensor] + row * blocks * job->hidden;
}

static void run_part(void *arg, uint32_t part) {
  const cell_job *job = arg;
  const uint64_t first = part * job->each, limit = first + job->each;
  for (uint64_t row = first; row < job->rows && row < limit; row++) {
    const lstm_row at = {
        .h = row_of(job, H, row, 1),
        .c = row_of(job, C, row, 1),
        .gates = row_of(job, GATES, row, 4),
        .z = row_of(job, Z, row, 4),
        .c_prev = row_of(job, C_PREV, row, 1),
        .gz = row_of(job, GZ, row, 4),
        .gc_prev = row_of(job, GC_PREV, row, 1),
        .gh = row_of(job, GH, row, 1),
        .gc = row_of(job, GC, row, 1),
    };
    job->run(&at, job->hidden);
  }
}

static void run_job(void *args) {
  cell_job *job = args;
  lac_workers_run(job->workers, run_part, job, (uint32_t)((job->rows + job->each - 1) / job->each));
}

static lac_status enqueue(const char *name, cell_job *job, const lac_tensor *const tensors[]) {
  lac_device *device = lac_tensor_device(tensors[C_PREV]);
  const lac_shape *shape = lac_tensor_shape(tensors[C_PREV]);
  lac_buffer *buffers[TENSORS];
  size_t slots[TENSORS];
  uint32_t count = 0;
  if (lac_tensor_numel(tensors[C_PREV]) == 0) return LAC_OK;
  job->rows = shape->dim[0];
  job->hidden = shape->dim[1];
  job->each = job->hidden < ROOM ? ROOM / job->hidden : 1;
  for (size_t i = 0; i < TENSORS; i++) {
    if (!tensors[i]) continue;
    job->at[i] = lac_tensor_offset(tensors[i]);
    buffers[count] = lac_tensor_buffer(tensors[i]);
    slots[count++] = offsetof(cell_job, data) + i * sizeof *job->data;
  }
  LAC_TRY(lac_gemm_workers(device, &job->workers));
  return lac_device_native(device, name, run_job, job, sizeof *job, buffers, slots, count);
}

lac_status lac_lstm_cell_host(lac_tensor *h, lac_tensor *c, lac_tensor *gates, const lac_tensor *z,
                              const lac_tensor *c_prev) {
  const lac_tensor *const tensors[TENSORS] = {
      [H] = h, [C] = c, [GATES] = gates, [Z] = z, [C_PREV] = c_prev};
  cell_job job = {.run = pick_loops()->forward};
  return enqueue(gates ? "lstm_cell_fwd_keep" : "lstm_cell_fwd", &job, tensors);
}

lac_status lac_lstm_cell_host_backward(const lac_lstm_gradients *g) {
  const lac_tensor *const tensors[TENSORS] = {
      [C] = g->c,   [GATES] = g->gates, [C_PREV] = g->c_prev, [GZ] = g->gz, [GC_PREV] = g->gc_prev,
      [GH] = g->gh, [GC] = g->gc};
  cell_job job = {.run = pick_loops()->backward};
  return enqueue("lstm_cell_bwd", &job, tensors);
}
