/*
 * The providers are rows of one table. The first product on a device looks for the one with the
 * highest bid that passes its probe and then a trial: a few small products compared with plain
 * loops, so that a driver that computes wrongly is never used and is named by what refuses it. The
 * state hangs off the device: the choice, and the host threads, which are started when somebody
 * asks for them.
 */
#include "gemm/gemm.h"

#include "core/memory.h"
#include "device/pool.h"
#include "gemm/clblast.h"
#include "gemm/host.h"
#include "gemm/tiled.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct gemm_state {
  const lac_gemm_provider *provider; // NULL until the first product
  lac_workers *workers;              // NULL until the first that needs them
  void (*close)(void);               // of the one provider whose library keeps things, once tried
} gemm_state;

struct lac_prepared {
  const lac_gemm_provider *by;
  lac_buffer *buffer;
  bool trans_b;
  uint64_t n, k;
};

enum { PROVIDERS = 3 };

static const lac_gemm_provider *const rows[PROVIDERS] = {&lac_gemm_host, &lac_gemm_clblast,
                                                         &lac_gemm_tiled};

static void release_state(void *state) {
  gemm_state *s = state;
  lac_workers_release(s->workers);
  if (s->close) s->close();
  free(s);
}

static lac_status get_state(gemm_state **out, lac_device *device) {
  void **slot = lac_device_gemm_slot(device, release_state);
  if (!*slot) LAC_TRY(lac_alloc(slot, 1, sizeof(gemm_state), "the matrix products of a device"));
  *out = *slot;
  return LAC_OK;
}

lac_status lac_gemm_workers(lac_device *device, lac_workers **out) {
  gemm_state *state;
  LAC_TRY(get_state(&state, device));
  if (!state->workers) LAC_TRY(lac_workers_new(&state->workers, 0));
  *out = state->workers;
  return LAC_OK;
}

/* The trial: C [5, 7] from k = 9, operands of small integers, so that every sum is exact. */
enum { TRIAL_M = 5, TRIAL_N = 7, TRIAL_K = 9, TRIAL_A = 45, TRIAL_B = 63, TRIAL_C = 35 };

static float trial_value(uint32_t i) {
  return (float)((i * 37 + 11) % 13) - 6;
}

/* Run one trial product and compare. `room` holds A, B and C one after the other. */
static lac_status try_product(const lac_gemm_provider *provider, lac_device *device,
                              lac_buffer *room, bool trans, float beta) {
  float host[TRIAL_A + TRIAL_B + TRIAL_C];
  const float *a = host, *b = host + TRIAL_A;
  float *c = host + TRIAL_A + TRIAL_B, before[TRIAL_C];
  for (uint32_t i = 0; i < sizeof host / sizeof *host; i++)
    host[i] = trial_value(i);
  memcpy(before, c, sizeof before);
  for (uint32_t i = 0; i < TRIAL_C && beta == 0; i++)
    c[i] = NAN; // must not be read
  LAC_TRY(lac_buffer_write(room, 0, host, sizeof host));
  const lac_gemm_args g = {.trans_a = trans,
                           .trans_b = !trans,
                           .m = TRIAL_M,
                           .n = TRIAL_N,
                           .k = TRIAL_K,
                           .alpha = 2,
                           .beta = beta,
                           .a = {room, 0, trans ? TRIAL_M : TRIAL_K},
                           .b = {room, TRIAL_A, trans ? TRIAL_N : TRIAL_K},
                           .c = {room, TRIAL_A + TRIAL_B, TRIAL_N},
                           .batch = 1};
  LAC_TRY(provider->product(device, &g));
  LAC_TRY(lac_buffer_read(room, (TRIAL_A + TRIAL_B) * sizeof *c, c, TRIAL_C * sizeof *c));
  for (uint32_t i = 0; i < TRIAL_M; i++)
    for (uint32_t j = 0; j < TRIAL_N; j++) {
      float sum = 0;
      for (uint32_t l = 0; l < TRIAL_K; l++)
        sum += a[trans ? l * TRIAL_M + i : i * TRIAL_K + l] *
               b[trans ? l * TRIAL_N + j : j * TRIAL_K + l];
      const float right = 2 * sum + (beta == 0 ? 0 : beta * before[i * TRIAL_N + j]);
      const float got = c[i * TRIAL_N + j];
      if (!(fabsf(got - right) < 1e-3f)) // NaN fails too
        return lac_fail(LAC_EUNSUPPORTED,
                        "gemm: %s computes wrongly on %s: %g where %g is right; it is not used",
                        provider->name, lac_device_caps(device)->name, (double)got, (double)right);
    }
  return LAC_OK;
}

lac_status lac_gemm_try(const lac_gemm_provider *provider, lac_device *device) {
  gemm_state *state;
  lac_buffer *room = NULL;
  LAC_TRY(get_state(&state, device));
  LAC_TRY(provider->probe(device));
  if (provider->close) state->close = provider->close;
  LAC_TRY(lac_buffer_new(&room, device, (TRIAL_A + TRIAL_B + TRIAL_C) * sizeof(float),
                         "a trial product"));
  lac_status status = try_product(provider, device, room, false, 0);
  if (status == LAC_OK) status = try_product(provider, device, room, true, -1);
  lac_buffer_release(room);
  return status;
}

/* The highest bidder that works; when none does, the message has the reasons of all. */
static lac_status choose(const lac_gemm_provider **out, lac_device *device) {
  char reasons[900] = "";
  bool tried[PROVIDERS] = {false};
  for (int round = 0; round < PROVIDERS; round++) {
    int best = -1;
    for (int i = 0; i < PROVIDERS; i++)
      if (!tried[i] && (best < 0 || rows[i]->bid(device) > rows[best]->bid(device))) best = i;
    tried[best] = true;
    const lac_status status = lac_gemm_try(rows[best], device);
    if (status == LAC_OK) {
      *out = rows[best];
      return LAC_OK;
    }
    if (status == LAC_ENOMEM || status == LAC_EINVAL) return status; // not the provider's fault
    const size_t used = strlen(reasons);
    snprintf(reasons + used, sizeof reasons - used, "%s%s", used ? "; " : "", lac_message());
  }
  return lac_fail(LAC_EUNSUPPORTED, "no way to multiply matrices works on %s: %s",
                  lac_device_caps(device)->name, reasons);
}

static lac_status find_provider(const lac_gemm_provider **out, const char *name) {
  char names[128] = "";
  for (int i = 0; i < PROVIDERS; i++) {
    if (strcmp(rows[i]->name, name) == 0) {
      *out = rows[i];
      return LAC_OK;
    }
    const size_t used = strlen(names);
    snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", rows[i]->name);
  }
  return lac_fail(LAC_EINVAL, "gemm: no provider \"%.40s\"; there are %s", name, names);
}

static lac_status get_provider(const lac_gemm_provider **out, lac_device *device) {
  gemm_state *state;
  LAC_TRY(get_state(&state, device));
  if (!state->provider) {
    const char *wanted = getenv("LACUNA_GEMM");
    LAC_TRY(lac_gemm_use(device, wanted && *wanted ? wanted : NULL));
  }
  *out = state->provider;
  return LAC_OK;
}

lac_status lac_gemm_use(lac_device *device, const char *name) {
  gemm_state *state;
  const lac_gemm_provider *provider = NULL;
  LAC_TRY(get_state(&state, device));
  if (name) {
    LAC_TRY(find_provider(&provider, name));
    LAC_TRY(lac_gemm_try(provider, device));
  } else {
    LAC_TRY(choose(&provider, device));
  }
  state->provider = provider;
  return LAC_OK;
}

lac_status lac_gemm_name(lac_device *device, const char **out) {
  const lac_gemm_provider *provider;
  LAC_TRY(get_provider(&provider, device));
  *out = provider->name;
  return LAC_OK;
}

const char *const *lac_gemm_providers(void) {
  static const char *const names[] = {"host", "clblast", "tiled", NULL};
  return names;
}

/* LAC_OK when there is something to do that a provider can do; *idle says that there is nothing. */
static lac_status check_args(const lac_gemm_args *g, bool *idle) {
  *idle = g->m == 0 || g->n == 0 || g->batch == 0;
  if (*idle) return LAC_OK;
  const uint64_t sizes[] = {g->m, g->n, g->k, g->a.ld, g->b.ld, g->c.ld, g->batch};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    if (sizes[i] > INT32_MAX)
      return lac_fail(LAC_EUNSUPPORTED,
                      "gemm: a size, row length or batch of %llu is beyond 2^31 - 1",
                      (unsigned long long)sizes[i]);
  assert(g->c.ld >= g->n && g->c.buffer);
  assert(g->k == 0 || g->alpha == 0 || (g->a.buffer && g->a.ld >= (g->trans_a ? g->m : g->k)));
  assert(g->k == 0 || g->alpha == 0 || (g->b.buffer && g->b.ld >= (g->trans_b ? g->k : g->n)));
  assert(g->batch == 1 || (g->stride_c > 0 && !g->start.buffer));
  return LAC_OK;
}

/* C = beta * C or the start, as a product without terms: the tiled provider's
 * kernels do it on every device. */
static lac_status scale_only(lac_device *device, const lac_gemm_args *g) {
  lac_gemm_args none = *g;
  if (none.start.buffer) return lac_tiled_start(device, &none);
  none.k = 0;
  none.alpha = 0;
  none.a.offset = none.b.offset = none.stride_a = none.stride_b = 0;
  return lac_tiled_product(device, &none);
}

/* A product of sizes that are not 0, with weights that may be prepared. */
static lac_status multiply(lac_device *device, const lac_gemm_provider *provider, lac_gemm_args g,
                           const lac_prepared *w, const lac_words *mask) {
  if (g.start.buffer && !provider->starts) LAC_TRY(lac_tiled_start(device, &g));
  if (!w) return provider->product(device, &g);
  assert(g.trans_b == w->trans_b && w->n == g.n && w->k == g.k);
  return provider->product_prepared(device, &g, w->buffer, mask);
}

lac_status lac_gemm(lac_device *device, const lac_gemm_args *g) {
  return lac_gemm_prepared(device, g, NULL);
}

lac_status lac_gemm_prepared(lac_device *device, const lac_gemm_args *g, const lac_prepared *w) {
  const lac_gemm_provider *provider;
  bool idle;
  LAC_TRY(check_args(g, &idle));
  if (idle) return LAC_OK;
  if (g->k == 0 || g->alpha == 0) return scale_only(device, g);
  LAC_TRY(get_provider(&provider, device));
  return multiply(device, provider, *g, w && w->by == provider ? w : NULL, NULL);
}

lac_status lac_gemm_masks(lac_device *device, bool *out) {
  const lac_gemm_provider *provider;
  LAC_TRY(get_provider(&provider, device));
  *out = provider->prepare != NULL;
  return LAC_OK;
}

lac_status lac_gemm_masked(lac_device *device, const lac_gemm_args *g, const lac_prepared *w,
                           const lac_words *mask) {
  bool idle;
  LAC_TRY(check_args(g, &idle));
  if (idle) return LAC_OK;
  if (g->k == 0 || g->alpha == 0) return scale_only(device, g);
  return multiply(device, w->by, *g, w, mask);
}

lac_status lac_gemm_prepare(lac_prepared **out, lac_device *device, const lac_matrix *b,
                            bool trans_b, uint64_t n, uint64_t k) {
  const lac_gemm_provider *provider;
  lac_prepared *made = NULL;
  LAC_TRY(get_provider(&provider, device));
  if (provider->prepare && n > 0 && k > 0) {
    LAC_TRY(lac_alloc(&made, 1, sizeof *made, "prepared weights"));
    *made = (lac_prepared){.by = provider, .trans_b = trans_b, .n = n, .k = k};
    const lac_status status = provider->prepare(&made->buffer, device, b, trans_b, n, k);
    if (status != LAC_OK) {
      free(made);
      return status;
    }
  }
  *out = made;
  return LAC_OK;
}

void lac_gemm_release(lac_prepared *w) {
  if (!w) return;
  lac_buffer_release(w->buffer);
  free(w);
}
