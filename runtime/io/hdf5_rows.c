/* The temporary file loses its name at once, so whatever ends the process also removes it. */
#include "io/hdf5_rows.h"

#include "core/memory.h"
#include "io/file.h"
#include "io/hdf5_error.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COPY_BYTES = 1 << 20 };

struct lac_hdf5_rows {
  lac_hdf5_rows *next;
  const char *file;
  char *name;
  lac_stored type;
  uint64_t width, count;
  int fd;
  uint16_t *halves; // room for `room` of them
  uint64_t room;
};

static lac_status fail_file(const lac_hdf5_rows *rows, const char *verb) {
  return lac_fail(LAC_EIO, "%s: cannot %s '%.200s': %s", rows->file, verb, rows->name,
                  strerror(errno));
}

static lac_status open_scratch(lac_hdf5_rows *rows, const char *temp) {
  char *path;
  const size_t room = strlen(temp) + 16;
  LAC_TRY(lac_alloc(&path, room, 1, "a path"));
  snprintf(path, room, "%s-rows-XXXXXX", temp);
  rows->fd = mkostemp(path, O_CLOEXEC);
  const lac_status status = rows->fd < 0 ? fail_file(rows, "create room for") : LAC_OK;
  if (rows->fd >= 0) unlink(path);
  free(path);
  return status;
}

lac_status lac_hdf5_rows_add(lac_hdf5_rows **out, lac_hdf5_rows **list,
                             const lac_hdf5_rows_plan *plan) {
  lac_hdf5_rows *rows;
  const size_t length = strlen(plan->name);
  LAC_TRY(lac_alloc(&rows, 1, sizeof *rows, "a dataset that grows"));
  *rows = (lac_hdf5_rows){.file = plan->file, .type = plan->type, .width = plan->width, .fd = -1};
  lac_status status = lac_alloc(&rows->name, length + 1, 1, "a path");
  if (status == LAC_OK) {
    memcpy(rows->name, plan->name, length);
    status = open_scratch(rows, plan->temp);
  }
  if (status != LAC_OK) {
    lac_hdf5_rows_release(rows);
    return status;
  }
  while (*list)
    list = &(*list)->next;
  *list = *out = rows;
  return LAC_OK;
}

void lac_hdf5_rows_release(lac_hdf5_rows *list) {
  while (list) {
    lac_hdf5_rows *next = list->next;
    if (list->fd >= 0) close(list->fd);
    free(list->halves);
    free(list->name);
    free(list);
    list = next;
  }
}

lac_hdf5_rows *lac_hdf5_rows_find(lac_hdf5_rows *list, const char *name) {
  while (list && strcmp(list->name, name) != 0)
    list = list->next;
  return list;
}

lac_hdf5_rows *lac_hdf5_rows_next(const lac_hdf5_rows *rows) {
  return rows->next;
}

const char *lac_hdf5_rows_name(const lac_hdf5_rows *rows) {
  return rows->name;
}

hid_t lac_hdf5_rows_type(const lac_hdf5_rows *rows, hsize_t dims[2]) {
  const hid_t type = H5Tcopy(H5T_IEEE_F32LE);
  if (rows->type == LAC_STORED_F16) { // binary16: the fields first, they have to fit the size
    H5Tset_fields(type, 15, 10, 5, 0, 10);
    H5Tset_size(type, 2);
    H5Tset_ebias(type, 15);
  }
  dims[0] = rows->count;
  dims[1] = rows->width;
  return type;
}

static lac_status write_fully(const lac_hdf5_rows *rows, const char *bytes, size_t size) {
  while (size > 0) {
    const ssize_t put = write(rows->fd, bytes, size);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return fail_file(rows, "write");
    bytes += put;
    size -= (size_t)put;
  }
  return LAC_OK;
}

lac_status lac_hdf5_rows_append(lac_hdf5_rows *rows, const lac_array *array) {
  const void *data = array->data;
  if (array->dims[1] != rows->width)
    return lac_fail(LAC_ESHAPE, "%s: '%.200s' has rows of %" PRIu64 " numbers, got %" PRIu64,
                    rows->file, rows->name, rows->width, array->dims[1]);
  if (rows->type == LAC_STORED_F16) {
    if (array->count > rows->room) {
      LAC_TRY(lac_realloc(&rows->halves, (size_t)array->count, sizeof *rows->halves, rows->name));
      rows->room = array->count;
    }
    LAC_TRY(lac_file_blame(
        lac_stored_narrow_half(rows->halves, array->data, array->count, rows->name), rows->file));
    data = rows->halves;
  }
  LAC_TRY(write_fully(rows, data, (size_t)array->count * lac_stored_bytes(rows->type)));
  rows->count += array->dims[0];
  return LAC_OK;
}

static lac_status read_fully(const lac_hdf5_rows *rows, char *bytes, size_t size, uint64_t at) {
  while (size > 0) {
    const ssize_t got = pread(rows->fd, bytes, size, (off_t)at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return fail_file(rows, "read back");
    bytes += got;
    at += (uint64_t)got;
    size -= (size_t)got;
  }
  return LAC_OK;
}

/* Rows first .. first + count - 1, which are in `bytes`. */
static lac_status pour_some(const lac_hdf5_rows *rows, hid_t dataset, hid_t type, const void *bytes,
                            uint64_t first, uint64_t count) {
  const hsize_t start[] = {first, 0}, size[] = {count, rows->width};
  const hid_t there = H5Dget_space(dataset), here = H5Screate_simple(2, size, NULL);
  lac_status status = LAC_OK;
  if (H5Sselect_hyperslab(there, H5S_SELECT_SET, start, NULL, size, NULL) < 0 ||
      H5Dwrite(dataset, type, here, there, H5P_DEFAULT, bytes) < 0)
    status = lac_hdf5_fail(rows->file, "cannot write '%.200s'", rows->name);
  H5Sclose(here);
  H5Sclose(there);
  return status;
}

lac_status lac_hdf5_rows_pour(lac_hdf5_rows *rows, hid_t dataset, hid_t type) {
  const size_t row = (size_t)rows->width * lac_stored_bytes(rows->type);
  const uint64_t most = row < COPY_BYTES ? COPY_BYTES / row : 1;
  char *bytes;
  lac_status status = LAC_OK;
  LAC_TRY(lac_alloc(&bytes, (size_t)most, row, rows->name));
  for (uint64_t at = 0; status == LAC_OK && at < rows->count; at += most) {
    const uint64_t count = rows->count - at < most ? rows->count - at : most;
    status = read_fully(rows, bytes, (size_t)count * row, at * row);
    if (status == LAC_OK) status = pour_some(rows, dataset, type, bytes, at, count);
  }
  free(bytes);
  return status;
}
