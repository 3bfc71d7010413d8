/* The batch on order is a job in the background. All memory is allocated by the owner, when it
 * orders. */
#include "io/feature_reader.h"

#include "core/background.h"
#include "core/memory.h"
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Memory that grows to the largest batch so far. */
typedef struct room {
  float *data;
  uint64_t numbers;
} room;

struct lac_feature_reader {
  lac_feature_places places;
  char *path;
  int fd;

  lac_background *thread;

  // the order
  lac_feature_image *images;
  size_t batch, capacity;
  uint64_t regions;
  room att, fc, mask, boxes;
  room stored; // elements of one image as they lie in the file
};

/* ---- reading ---- */

static lac_status read_fully(const lac_feature_reader *r, void *out, size_t size, uint64_t at) {
  char *bytes = out;
  while (size > 0) {
    const ssize_t got = pread(r->fd, bytes, size, (off_t)at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return lac_fail(LAC_EIO, "%s: cannot read: %s", r->path, strerror(errno));
    if (got == 0)
      return lac_fail(LAC_EIO, "%s: became shorter while it was in use: byte %" PRIu64 " is gone",
                      r->path, at);
    bytes += got;
    at += (uint64_t)got;
    size -= (size_t)got;
  }
  return LAC_OK;
}

/* Rows as float32 to `out`, with room for `padded` of them. */
static lac_status read_rows(const lac_feature_reader *r, float *out, const lac_hdf5_place *place,
                            uint64_t first, uint64_t count, uint64_t padded) {
  const uint64_t numbers = count * place->width, row = place->width * lac_stored_bytes(place->type);
  const bool direct = place->type == LAC_STORED_F32;
  memset(out + numbers, 0, (size_t)((padded - count) * place->width) * sizeof *out);
  LAC_TRY(read_fully(r, direct ? out : r->stored.data, (size_t)(count * row),
                     place->offset + first * row));
  if (direct) return LAC_OK;
  return lac_stored_convert(out, r->stored.data, place->type, numbers, r->path);
}

static void average_rows(float *out, const float *rows, uint64_t count, uint64_t width) {
  const float scale = 1 / (float)count;
  memset(out, 0, (size_t)width * sizeof *out);
  for (uint64_t i = 0; i < count; i++)
    for (uint64_t j = 0; j < width; j++)
      out[j] += rows[i * width + j];
  for (uint64_t j = 0; j < width; j++)
    out[j] *= scale;
}

static lac_status read_image(const lac_feature_reader *r, size_t i) {
  const lac_feature_places *p = &r->places;
  const lac_feature_image *image = &r->images[i];
  const uint64_t regions = r->regions, width = p->att.width;
  float *att = r->att.data + i * regions * width, *mask = r->mask.data + i * regions;
  LAC_TRY(read_rows(r, att, &p->att, image->first, image->count, regions));
  if (p->boxes.width)
    LAC_TRY(read_rows(r, r->boxes.data + i * regions * p->boxes.width, &p->boxes, image->first,
                      image->count, regions));
  for (uint64_t s = 0; s < regions; s++)
    mask[s] = s < image->count;
  if (p->fc.width) return read_rows(r, r->fc.data + i * p->fc.width, &p->fc, image->image, 1, 1);
  average_rows(r->fc.data + i * width, att, image->count, width);
  return LAC_OK;
}

static lac_status read_batch(void *arg) {
  const lac_feature_reader *r = arg;
  for (size_t i = 0; i < r->batch && !lac_background_dropped(r->thread); i++)
    LAC_TRY(read_image(r, i));
  return LAC_OK;
}

/* ---- opening and closing ---- */

static lac_status start(lac_feature_reader *r, const char *path) {
  const size_t length = strlen(path);
  LAC_TRY(lac_alloc(&r->path, length + 1, 1, "a path"));
  memcpy(r->path, path, length);
  r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (r->fd < 0) return lac_fail(LAC_EIO, "%s: cannot open: %s", path, strerror(errno));
  return lac_file_blame(lac_background_new(&r->thread, read_batch, r), path);
}

lac_status lac_feature_reader_open(lac_feature_reader **out, const char *path,
                                   const lac_feature_places *places) {
  lac_feature_reader *r;
  const lac_hdf5_place *att = &places->att, *boxes = &places->boxes;
  if (att->width == 0) return lac_fail(LAC_ESHAPE, "%s: its regions have no features", path);
  if (boxes->width && (boxes->width != 4 || boxes->rows != att->rows))
    return lac_fail(LAC_ESHAPE,
                    "%s: boxes are four numbers for each of %" PRIu64 " regions, but there are "
                    "%" PRIu64 " x %" PRIu64,
                    path, att->rows, boxes->rows, boxes->width);
  LAC_TRY(lac_alloc(&r, 1, sizeof *r, "a feature reader"));
  r->places = *places;
  r->fd = -1;
  const lac_status status = start(r, path);
  if (status == LAC_OK)
    *out = r;
  else
    lac_feature_reader_close(r);
  return status;
}

void lac_feature_reader_close(lac_feature_reader *reader) {
  if (!reader) return;
  lac_background_release(reader->thread);
  if (reader->fd >= 0) close(reader->fd);
  free(reader->att.data);
  free(reader->fc.data);
  free(reader->mask.data);
  free(reader->boxes.data);
  free(reader->stored.data);
  free(reader->images);
  free(reader->path);
  free(reader);
}

const lac_feature_places *lac_feature_reader_places(const lac_feature_reader *reader) {
  return &reader->places;
}

/* ---- ordering and taking ---- */

static lac_status check_image(const lac_feature_reader *r, const lac_feature_image *image) {
  const lac_feature_places *p = &r->places;
  if (image->count == 0 || image->first > p->att.rows || image->count > p->att.rows - image->first)
    return lac_fail(LAC_EINVAL,
                    "%s: there are no regions %" PRIu64 " to %" PRIu64 " - 1 among %" PRIu64,
                    r->path, image->first, image->first + image->count, p->att.rows);
  if (p->fc.width && image->image >= p->fc.rows)
    return lac_fail(LAC_EINVAL, "%s: there is no image %" PRIu64 " among %" PRIu64, r->path,
                    image->image, p->fc.rows);
  return LAC_OK;
}

/* Room for dims[0] * dims[1] * dims[2] numbers. What it held is lost. */
static lac_status make_room(room *out, const uint64_t dims[3]) {
  uint64_t numbers;
  LAC_TRY(lac_array_count(&numbers, "a batch of features", 3, dims));
  if (numbers <= out->numbers) return LAC_OK;
  free(out->data);
  *out = (room){NULL, 0};
  LAC_TRY(lac_alloc(&out->data, (size_t)numbers, sizeof *out->data, "a batch of features"));
  out->numbers = numbers;
  return LAC_OK;
}

static lac_status make_rooms(lac_feature_reader *r, uint64_t batch) {
  const lac_feature_places *p = &r->places;
  const uint64_t widest = p->fc.width > p->att.width ? p->fc.width : p->att.width;
  LAC_TRY(make_room(&r->att, (uint64_t[]){batch, r->regions, p->att.width}));
  LAC_TRY(make_room(&r->boxes, (uint64_t[]){batch, r->regions, p->boxes.width}));
  LAC_TRY(make_room(&r->mask, (uint64_t[]){batch, r->regions, 1}));
  LAC_TRY(make_room(&r->fc, (uint64_t[]){batch, 1, widest}));
  return make_room(&r->stored, (uint64_t[]){1, r->regions, widest + 4});
}

lac_status lac_feature_reader_order(lac_feature_reader *reader, const lac_feature_image *images,
                                    size_t batch) {
  if (batch == 0) return lac_fail(LAC_EINVAL, "%s: a batch needs images", reader->path);
  for (size_t i = 0; i < batch; i++)
    LAC_TRY(check_image(reader, &images[i]));
  lac_background_drop(reader->thread);
  if (batch > reader->capacity) {
    LAC_TRY(lac_realloc(&reader->images, batch, sizeof *images, "a batch of features"));
    reader->capacity = batch;
  }
  memcpy(reader->images, images, batch * sizeof *images);
  reader->batch = batch;
  reader->regions = 0;
  for (size_t i = 0; i < batch; i++)
    if (images[i].count > reader->regions) reader->regions = images[i].count;
  LAC_TRY(make_rooms(reader, batch));
  lac_background_start(reader->thread);
  return LAC_OK;
}

lac_status lac_feature_reader_take(lac_feature_reader *reader, lac_feature_batch *out) {
  const lac_feature_places *p = &reader->places;
  bool found;
  LAC_TRY(lac_background_wait(reader->thread, &found));
  if (!found) return lac_fail(LAC_EINVAL, "%s: no batch was ordered", reader->path);
  *out = (lac_feature_batch){.images = reader->batch,
                             .regions = reader->regions,
                             .width = p->att.width,
                             .fc_width = p->fc.width ? p->fc.width : p->att.width,
                             .att = reader->att.data,
                             .fc = reader->fc.data,
                             .mask = reader->mask.data,
                             .boxes = p->boxes.width ? reader->boxes.data : NULL};
  return LAC_OK;
}
