/*
 * The batch on order is a job in the background, and its pictures are the parts of a job of a pool
 * of the reader's own: the one that the device's operations use is theirs.
 */
#include "io/picture_reader.h"

#include "core/background.h"
#include "core/memory.h"
#include "core/workers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE = 1024 };

struct lac_picture_reader {
  lac_crop_plan plan;
  lac_background *thread;
  lac_workers *pool;

  // the order
  lac_picture_request *requests; // [count], paths in `paths`
  char *paths;
  size_t count, capacity, path_bytes;
  float *pixels; // of the largest batch so far

  // the answer, [capacity]
  lac_status *statuses;
  char (*messages)[MESSAGE];
  const char **errors;
};

static size_t numbers_per_picture(const lac_picture_reader *r) {
  return (size_t)r->plan.size * r->plan.size * 3;
}

static void read_picture(void *arg, uint32_t i) {
  lac_picture_reader *r = arg;
  float *out = r->pixels + i * numbers_per_picture(r);
  r->statuses[i] = LAC_OK;
  r->errors[i] = NULL;
  if (lac_background_dropped(r->thread)) return;
  r->statuses[i] = lac_crop_read(out, r->requests[i].path, &r->plan, &r->requests[i].place);
  if (r->statuses[i] == LAC_OK) return;
  memset(out, 0, numbers_per_picture(r) * sizeof *out);
  snprintf(r->messages[i], MESSAGE, "%s", lac_message());
  r->errors[i] = r->messages[i];
}

static lac_status read_batch(void *arg) {
  lac_picture_reader *r = arg;
  lac_workers_run(r->pool, read_picture, r, (uint32_t)r->count);
  for (size_t i = 0; i < r->count; i++)
    if (r->statuses[i] == LAC_ENOMEM) return lac_fail(LAC_ENOMEM, "%s", r->messages[i]);
  return LAC_OK;
}

lac_status lac_picture_reader_open(lac_picture_reader **out, const lac_crop_plan *plan,
                                   uint32_t threads) {
  lac_picture_reader *r;
  LAC_TRY(lac_crop_check(plan));
  if (threads > LAC_WORKERS_MAX)
    return lac_fail(LAC_EINVAL, "pictures: threads must be at most %d, got %u", LAC_WORKERS_MAX,
                    threads);
  LAC_TRY(lac_alloc(&r, 1, sizeof *r, "a picture reader"));
  r->plan = *plan;
  lac_status status = lac_workers_new(&r->pool, threads);
  if (status == LAC_OK) status = lac_background_new(&r->thread, read_batch, r);
  if (status == LAC_OK)
    *out = r;
  else
    lac_picture_reader_close(r);
  return status;
}

void lac_picture_reader_close(lac_picture_reader *reader) {
  if (!reader) return;
  lac_background_release(reader->thread);
  lac_workers_release(reader->pool);
  free(reader->requests);
  free(reader->paths);
  free(reader->pixels);
  free(reader->statuses);
  free(reader->messages);
  free(reader->errors);
  free(reader);
}

/* Room for `count` pictures. What it held is lost. */
static lac_status make_room(lac_picture_reader *r, size_t count) {
  if (count <= r->capacity) return LAC_OK;
  r->capacity = 0;
  free(r->pixels);
  r->pixels = NULL;
  LAC_TRY(lac_alloc(&r->pixels, count, numbers_per_picture(r) * sizeof *r->pixels,
                    "a batch of pictures"));
  LAC_TRY(lac_realloc(&r->requests, count, sizeof *r->requests, "a batch of pictures"));
  LAC_TRY(lac_realloc(&r->statuses, count, sizeof *r->statuses, "a batch of pictures"));
  LAC_TRY(lac_realloc(&r->messages, count, sizeof *r->messages, "a batch of pictures"));
  LAC_TRY(lac_realloc(&r->errors, count, sizeof *r->errors, "a batch of pictures"));
  r->capacity = count;
  return LAC_OK;
}

static lac_status copy_requests(lac_picture_reader *r, const lac_picture_request *requests,
                                size_t count) {
  size_t bytes = 0;
  for (size_t i = 0; i < count; i++)
    bytes += strlen(requests[i].path) + 1;
  if (bytes > r->path_bytes) {
    LAC_TRY(lac_realloc(&r->paths, bytes, 1, "a batch of pictures"));
    r->path_bytes = bytes;
  }
  char *at = r->paths;
  for (size_t i = 0; i < count; i++) {
    const size_t length = strlen(requests[i].path) + 1;
    r->requests[i] = requests[i];
    r->requests[i].path = memcpy(at, requests[i].path, length);
    at += length;
  }
  return LAC_OK;
}

lac_status lac_picture_reader_order(lac_picture_reader *reader, const lac_picture_request *requests,
                                    size_t count) {
  if (count == 0 || count > UINT32_MAX)
    return lac_fail(LAC_EINVAL, "pictures: a batch of %zu pictures cannot be read", count);
  lac_background_drop(reader->thread);
  reader->count = 0;
  LAC_TRY(make_room(reader, count));
  LAC_TRY(copy_requests(reader, requests, count));
  reader->count = count;
  lac_background_start(reader->thread);
  return LAC_OK;
}

lac_status lac_picture_reader_take(lac_picture_reader *reader, lac_picture_batch *out) {
  bool found;
  LAC_TRY(lac_background_wait(reader->thread, &found));
  if (!found) return lac_fail(LAC_EINVAL, "pictures: no batch was ordered");
  *out = (lac_picture_batch){.count = reader->count,
                             .size = reader->plan.size,
                             .pixels = reader->pixels,
                             .errors = reader->errors};
  return LAC_OK;
}
