/*
 * Groups of segments and heads are shared out between threads, so everything is added by one
 * thread, in the order of the segments. Keys that are looked at by several queries, and for
 * gradients their values too, lie turned in the thread's room: scores are then products of matrices
 * whose rows are vectors.
 */
#include "layers/attend_host.h"

#include "gemm/gemm.h"

#include <math.h>

enum { TILE = 24, FEW_QUERIES = 4, PAD = 16, PARTS_PER_WORKER = 4 };

/* Tensors of a job. */
enum { Q, K, V, BIAS, Y, LSE, TABLE, ROOM, FORWARD, GQ = FORWARD, GK, GV, GBIAS, GY, SLOTS };

/* What travels through the queue. */
typedef struct attend_job {
  const struct loops *loops;
  lac_workers *workers;
  void *place[SLOTS];
  uint64_t at[SLOTS]; // in elements
  uint64_t q_step, k_step, v_step, gq_step, gk_step, gv_step;
  uint32_t segments, groups, heads, d, dv, flags, blocks, threshold, bias_q, bias_k;
  uint32_t room_keys, parts;
  uint64_t room_floats;
  float scale, keep;
  lac_rng rng;
  bool fresh_q, fresh_k, fresh_v; // gradients that hold nothing yet
  bool by_heads;                  // a thread must have all of a head
} attend_job;

/* c [m, n] (+)= a [m, k] b [k, n]; rows of b and c are whole, a's elements lie as its steps say. */
typedef struct product {
  uint32_t m, n, k;
  size_t c_step, a_row, a_column, b_step;
  bool add;
} product;

/* Up to TILE queries of a segment, from the place-th on, and the keys that they may look at. */
typedef struct span {
  uint32_t place, queries, keys, padded; // padded: keys, up to a whole vector
  uint64_t item;                         // of the first query: row * heads + head
  const float *q, *k, *v, *bias;
  float *gq, *gk, *gv, *gbias; // NULL where not wanted
} span;

/* What a thread works in: scores and their gradients [TILE, room_keys], k and v turned
 * [channels, room_keys], factors of a row. */
typedef struct rooms {
  float *scores, *grads, *k, *v, *times;
} rooms;

typedef struct loops {
  void (*forward)(const attend_job *job, const span *s, const rooms *room, bool dots);
  void (*backward)(const attend_job *job, const span *s, const rooms *room);
} loops;

#define BODY "layers/attend_host.inc"
#include "core/vectors.inc"

bool lac_attend_on_host(const lac_device *device) {
  return lac_device_is_host(device) && pick_loops();
}

static uint32_t pad(uint64_t n) {
  return (uint32_t)((n + PAD - 1) / PAD * PAD);
}

static rooms lay_out(const attend_job *job, uint32_t part) {
  float *room = (float *)job->place[ROOM] + part * job->room_floats;
  rooms r = {.scores = room};
  r.grads = r.scores + (size_t)TILE * job->room_keys;
  r.k = r.grads + (size_t)TILE * job->room_keys;
  r.v = r.k + (size_t)job->d * job->room_keys;
  r.times = r.v + (size_t)job->dv * job->room_keys;
  return r;
}

static uint64_t room_floats(uint32_t room_keys, const lac_attend_plan *plan) {
  return (uint64_t)room_keys * (2 * TILE + plan->d + plan->dv) +
         pad(4 * (uint64_t)plan->blocks + PAD);
}

/* to [d, step] = from [keys, from_step], turned, with zeros from the last key to `padded`. */
static void turn(float *to, size_t step, const float *from, size_t from_step, uint32_t keys,
                 uint32_t d, uint32_t padded) {
  for (uint32_t j = 0; j < keys; j += 4) {
    uint32_t c = 0;
#if defined(__x86_64__)
    for (; j + 4 <= keys && c + 4 <= d; c += 4) {
      const float *at = from + j * from_step + c;
      __m128 r0 = _mm_loadu_ps(at), r1 = _mm_loadu_ps(at + from_step);
      __m128 r2 = _mm_loadu_ps(at + 2 * from_step), r3 = _mm_loadu_ps(at + 3 * from_step);
      _MM_TRANSPOSE4_PS(r0, r1, r2, r3);
      _mm_storeu_ps(to + c * step + j, r0);
      _mm_storeu_ps(to + (c + 1) * step + j, r1);
      _mm_storeu_ps(to + (c + 2) * step + j, r2);
      _mm_storeu_ps(to + (c + 3) * step + j, r3);
    }
#endif
    for (; c < d; c++)
      for (uint32_t i = j; i < keys && i < j + 4; i++)
        to[c * step + i] = from[i * from_step + c];
  }
  for (uint32_t c = 0; c < d && keys < padded; c++)
    memset(to + c * step + keys, 0, (padded - keys) * sizeof *to);
}

/* A head's part of a row of a tensor, or NULL where it has no place. */
static float *part_of(const attend_job *job, int slot, uint64_t row, uint64_t step,
                      uint32_t column) {
  return job->place[slot] ? (float *)job->place[slot] + row * step + column : NULL;
}

static span read_span(const attend_job *job, const int32_t *row, uint32_t index, uint32_t head,
                      uint32_t place) {
  const uint32_t queries = (uint32_t)row[LAC_SEGMENT_QUERIES],
                 all = (uint32_t)row[LAC_SEGMENT_KEYS];
  const uint32_t some = queries - place < TILE ? queries - place : TILE;
  const uint32_t keys = job->flags & LAC_ATTEND_CAUSAL ? place + some : all;
  const uint64_t first = (uint64_t)row[LAC_SEGMENT_QUERY] + place,
                 key = (uint64_t)row[LAC_SEGMENT_KEY];
  const uint64_t bias = (((uint64_t)index * job->heads + head) * job->bias_q + place) * job->bias_k;
  return (span){.place = place,
                .queries = some,
                .keys = keys,
                .padded = pad(keys),
                .item = first * job->heads + head,
                .q = part_of(job, Q, first, job->q_step, head * job->d),
                .k = part_of(job, K, key, job->k_step, head * job->d),
                .v = part_of(job, V, key, job->v_step, head * job->dv),
                .bias = job->flags & LAC_ATTEND_BIASED ? part_of(job, BIAS, bias, 1, 0) : NULL,
                .gq = part_of(job, GQ, first, job->gq_step, head * job->d),
                .gk = part_of(job, GK, key, job->gk_step, head * job->d),
                .gv = part_of(job, GV, key, job->gv_step, head * job->dv),
                .gbias = part_of(job, GBIAS, bias, 1, 0)};
}

/* What differs between the two directions of a segment. */
typedef void (*segment_rule)(const attend_job *job, const rooms *room, const int32_t *row,
                             uint32_t index, uint32_t head, bool turned);

/* `turned`: the room holds this segment's keys already, from the one before. */
static void forward_segment(const attend_job *job, const rooms *room, const int32_t *row,
                            uint32_t index, uint32_t head, bool turned) {
  const uint32_t queries = (uint32_t)row[LAC_SEGMENT_QUERIES],
                 keys = (uint32_t)row[LAC_SEGMENT_KEYS];
  const bool dots = queries < FEW_QUERIES;
  for (uint32_t place = 0; place < queries; place += TILE) {
    const span s = read_span(job, row, index, head, place);
    if (place == 0 && !dots && !turned)
      turn(room->k, job->room_keys, s.k, job->k_step, keys, job->d, pad(keys));
    job->loops->forward(job, &s, room, dots);
  }
}

static void backward_segment(const attend_job *job, const rooms *room, const int32_t *row,
                             uint32_t index, uint32_t head, bool turned) {
  const uint32_t queries = (uint32_t)row[LAC_SEGMENT_QUERIES],
                 keys = (uint32_t)row[LAC_SEGMENT_KEYS];
  for (uint32_t place = 0; place < queries; place += TILE) {
    const span s = read_span(job, row, index, head, place);
    if (place == 0 && !turned) {
      turn(room->k, job->room_keys, s.k, job->k_step, keys, job->d, pad(keys));
      turn(room->v, job->room_keys, s.v, job->v_step, keys, job->dv, pad(keys));
    }
    job->loops->backward(job, &s, room);
  }
}

static void clear(const attend_job *job, int slot, uint64_t step, uint32_t width, uint32_t head,
                  const int32_t *group) {
  for (int32_t row = group[LAC_GROUP_KEY]; row < group[LAC_GROUP_KEY_END]; row++)
    memset(part_of(job, slot, (uint64_t)row, step, head * width), 0, width * sizeof(float));
}

static void run_unit(const attend_job *job, uint32_t part, uint32_t at, uint32_t head,
                     segment_rule rule) {
  const int32_t *rows = job->place[TABLE];
  const int32_t *group = rows + (size_t)LAC_SEGMENT_ROW * (job->segments + at);
  const int32_t *order = rows + (size_t)LAC_SEGMENT_ROW * (job->segments + job->groups);
  const int32_t *last = NULL;
  const rooms room = lay_out(job, part);
  if (job->fresh_k) clear(job, GK, job->gk_step, job->d, head, group);
  if (job->fresh_v) clear(job, GV, job->gv_step, job->dv, head, group);
  for (int32_t o = group[LAC_GROUP_BEGIN]; o < group[LAC_GROUP_END]; o++) {
    const int32_t *row = rows + (size_t)LAC_SEGMENT_ROW * (size_t)order[o];
    const bool same = last && last[LAC_SEGMENT_KEY] == row[LAC_SEGMENT_KEY] &&
                      last[LAC_SEGMENT_KEYS] == row[LAC_SEGMENT_KEYS];
    rule(job, &room, row, (uint32_t)order[o], head, same);
    if (rule == backward_segment || row[LAC_SEGMENT_QUERIES] >= FEW_QUERIES) last = row;
  }
}

static void run_part(const attend_job *job, uint32_t part, segment_rule rule) {
  const uint64_t units = (uint64_t)job->groups * job->heads, end = units * (part + 1) / job->parts;
  for (uint64_t u = units * part / job->parts; u < end; u++) {
    const uint64_t major = job->by_heads ? job->groups : job->heads;
    const uint32_t outer = (uint32_t)(u / major), inner = (uint32_t)(u % major);
    run_unit(job, part, job->by_heads ? inner : outer, job->by_heads ? outer : inner, rule);
  }
}

static void forward_part(void *arg, uint32_t part) {
  run_part(arg, part, forward_segment);
}

static void backward_part(void *arg, uint32_t part) {
  run_part(arg, part, backward_segment);
}

static void find_places(attend_job *job) {
  for (int i = 0; i < SLOTS; i++)
    if (job->place[i]) job->place[i] = (float *)job->place[i] + job->at[i];
}

static void run_forward(void *args) {
  attend_job *job = args;
  find_places(job);
  lac_workers_run(job->workers, forward_part, job, job->parts);
}

static void run_backward(void *args) {
  attend_job *job = args;
  find_places(job);
  lac_workers_run(job->workers, backward_part, job, job->parts);
}

static uint64_t step_of(const lac_tensor *x) {
  return x ? lac_tensor_stride(x, 0) : 0;
}

static attend_job make_job(lac_tensor *const t[SLOTS], const lac_attend_plan *plan) {
  const lac_segments *s = plan->segments;
  const lac_shape *bias = t[BIAS] ? lac_tensor_shape(t[BIAS]) : NULL;
  attend_job job = {.loops = pick_loops(),
                    .q_step = step_of(t[Q]),
                    .k_step = step_of(t[K]),
                    .v_step = step_of(t[V]),
                    .gq_step = step_of(t[GQ]),
                    .gk_step = step_of(t[GK]),
                    .gv_step = step_of(t[GV]),
                    .segments = s->count,
                    .groups = s->groups,
                    .heads = plan->heads,
                    .d = plan->d,
                    .dv = plan->dv,
                    .flags = plan->flags,
                    .blocks = plan->blocks,
                    .threshold = plan->threshold,
                    .bias_q = bias ? (uint32_t)bias->dim[2] : 0,
                    .bias_k = bias ? (uint32_t)bias->dim[3] : 0,
                    .room_keys = pad(s->most_keys),
                    .scale = plan->scale,
                    .keep = plan->keep,
                    .rng = plan->rng};
  return job;
}

/* Enqueue a job on these tensors, and a room for it; absent ones are NULL. */
static lac_status send(attend_job *job, lac_tensor *t[SLOTS], const lac_attend_plan *plan,
                       const char *name, void (*run)(void *args)) {
  lac_device *device = lac_tensor_device(t[Q]);
  lac_buffer *buffers[SLOTS];
  size_t slots[SLOTS];
  uint32_t count = 0;
  LAC_TRY(lac_gemm_workers(device, &job->workers));
  const uint64_t units = job->by_heads ? job->heads : (uint64_t)job->groups * job->heads;
  const uint64_t most = (uint64_t)PARTS_PER_WORKER * lac_workers_count(job->workers);
  const uint64_t floats = room_floats(job->room_keys, plan);
  if (units == 0) return LAC_OK;
  job->parts = (uint32_t)(units < most ? units : job->by_heads ? units : most);
  job->room_floats = floats;
  const lac_shape shape = {2, {job->parts, floats}};
  LAC_TRY(lac_tensor_new(&t[ROOM], device, LAC_F32, &shape));
  for (int i = 0; i < SLOTS; i++) {
    if (!t[i]) continue;
    job->at[i] = lac_tensor_offset(t[i]);
    buffers[count] = lac_tensor_buffer(t[i]);
    slots[count++] = offsetof(attend_job, place) + (size_t)i * sizeof job->place[0];
  }
  const lac_status status =
      lac_device_native(device, name, run, job, sizeof *job, buffers, slots, count);
  lac_tensor_release(t[ROOM]);
  return status;
}

lac_status lac_attend_host_forward(lac_tensor *y, lac_tensor *lse,
                                   lac_tensor *const in[LAC_ATTEND_INPUTS],
                                   const lac_attend_plan *plan) {
  lac_tensor *t[SLOTS] = {
      in[LAC_ATTEND_Q],     in[LAC_ATTEND_K], in[LAC_ATTEND_V], in[LAC_ATTEND_BIAS], y, lse,
      plan->segments->table};
  attend_job job = make_job(t, plan);
  return send(&job, t, plan, "attend", run_forward);
}

/* Whether two inputs share columns; then they share all of them. */
static bool shares(const lac_tensor *a, const lac_tensor *b) {
  return lac_tensor_buffer(a) == lac_tensor_buffer(b) && step_of(a) && step_of(b) &&
         lac_tensor_offset(a) % step_of(a) == lac_tensor_offset(b) % step_of(b);
}

/* The gradients that are wanted. They begin as zeros, but for those that have every row written and
 * nothing else added to it before. */
static lac_status borrow_grads(lac_tensor *t[SLOTS], bool fresh[LAC_ATTEND_INPUTS],
                               lac_tensor *const in[LAC_ATTEND_INPUTS], const lac_attend_plan *plan,
                               bool shared) {
  const lac_segments *s = plan->segments;
  for (int i = 0; i < LAC_ATTEND_INPUTS; i++) {
    if (!(plan->flags & (uint32_t)LAC_ATTEND_WANT << i)) continue;
    const bool all = i == LAC_ATTEND_Q || s->covered == lac_tensor_shape(in[i])->dim[0];
    if (all && !shared && i != LAC_ATTEND_BIAS)
      LAC_TRY(lac_tensor_borrow_fresh_grad(&t[GQ + i], &fresh[i], in[i]));
    else
      LAC_TRY(lac_tensor_borrow_grad(&t[GQ + i], in[i]));
  }
  return LAC_OK;
}

lac_status lac_attend_host_backward(const lac_node *node, const lac_attend_plan *plan) {
  lac_tensor *const *in = node->in;
  lac_tensor *t[SLOTS] = {in[LAC_ATTEND_Q],     in[LAC_ATTEND_K], in[LAC_ATTEND_V],
                          in[LAC_ATTEND_BIAS],  node->out[0],     node->saved[0],
                          plan->segments->table};
  const bool shared =
      shares(in[LAC_ATTEND_Q], in[LAC_ATTEND_K]) || shares(in[LAC_ATTEND_Q], in[LAC_ATTEND_V]);
  bool fresh[LAC_ATTEND_INPUTS] = {false};
  LAC_TRY(borrow_grads(t, fresh, in, plan, shared));
  t[GY] = lac_tensor_grad(node->out[0]);
  attend_job job = make_job(t, plan);
  job.by_heads = shared;
  job.fresh_q = fresh[LAC_ATTEND_Q];
  job.fresh_k = fresh[LAC_ATTEND_K];
  job.fresh_v = fresh[LAC_ATTEND_V];
  return send(&job, t, plan, "attend gradient", run_backward);
}
