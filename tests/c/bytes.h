/**
 * Files built in memory for the tests of io/: growing bytes, the parts of a torch.save pickle, and
 * the two ways of damaging them.
 */
#ifndef LAC_TESTS_BYTES_H
#define LAC_TESTS_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

typedef struct bytes {
  unsigned char *at;
  size_t size, room;
} bytes;

static inline void put(bytes *b, const void *data, size_t n) {
  if (!b->at || b->room - b->size < n) { // exact at first, so that reading beyond is found
    b->room = b->at ? 2 * b->room + n : n;
    b->at = realloc(b->at, b->room ? b->room : 1);
  }
  if (!b->at) exit(2);
  if (n) memcpy(b->at + b->size, data, n);
  b->size += n;
}

/** A literal, which may hold zero bytes. */
#define PUT(b, literal) put((b), (literal), sizeof(literal) - 1)

static inline void drop(bytes *b) {
  free(b->at);
  *b = (bytes){0};
}

/* ---- pickle ---- */

static inline void put_int(bytes *b, int32_t v) {
  PUT(b, "J");
  put(b, &v, 4);
}

static inline void put_text(bytes *b, const char *text) {
  const uint32_t n = (uint32_t)strlen(text);
  PUT(b, "X");
  put(b, &n, 4);
  put(b, text, n);
}

/** "module\nname\n" */
static inline void put_global(bytes *b, const char *lines) {
  PUT(b, "c");
  put(b, lines, strlen(lines));
}

static inline void put_sizes(bytes *b, size_t n, const int32_t *sizes) {
  PUT(b, "(");
  for (size_t i = 0; i < n; i++)
    put_int(b, sizes[i]);
  PUT(b, "t");
}

/** What a tensor says of itself. */
typedef struct torch_tensor {
  const char *type; // "Float"
  const char *key;
  int32_t stored; // elements of the storage
  int32_t offset;
  size_t rank;
  int32_t dims[9], strides[9];
} torch_tensor;

static inline void put_tensor(bytes *b, const torch_tensor *t) {
  char class[64];
  snprintf(class, sizeof class, "torch\n%sStorage\n", t->type);
  put_global(b, "torch._utils\n_rebuild_tensor_v2\n");
  PUT(b, "((");
  put_text(b, "storage");
  put_global(b, class);
  put_text(b, t->key);
  put_text(b, "cpu");
  put_int(b, t->stored);
  PUT(b, "tQ");
  put_int(b, t->offset);
  put_sizes(b, t->rank, t->dims);
  put_sizes(b, t->rank, t->strides);
  PUT(b, "\x89");
  put_global(b, "collections\nOrderedDict\n");
  PUT(b, ")RtR");
}

static inline void put_sparse(bytes *b, const torch_tensor *indices, const torch_tensor *values,
                              size_t rank, const int32_t *dims) {
  put_global(b, "torch._utils\n_rebuild_sparse_tensor\n");
  put_global(b, "torch.serialization\n_get_layout\n");
  put_text(b, "torch.sparse_coo");
  PUT(b, "\x85R");
  put_tensor(b, indices);
  put_tensor(b, values);
  put_global(b, "torch\nSize\n");
  put_sizes(b, rank, dims);
  PUT(b, "\x85R\x87\x86R");
}

/* ---- containers ---- */

/** One file of a ZIP archive. */
typedef struct member {
  const char *name;
  const void *data;
  size_t size;
} member;

static inline bytes make_zip(const member *members, size_t count, bool deflate) {
  zip_error_t error;
  bytes out = {0};
  zip_source_t *buffer = zip_source_buffer_create(NULL, 0, 0, &error);
  zip_source_keep(buffer);
  zip_t *zip = zip_open_from_source(buffer, ZIP_TRUNCATE, &error);
  for (size_t i = 0; i < count; i++) {
    zip_source_t *data = zip_source_buffer(zip, members[i].data, members[i].size, 0);
    const zip_int64_t at = zip_file_add(zip, members[i].name, data, ZIP_FL_OVERWRITE);
    zip_set_file_compression(zip, (zip_uint64_t)at, deflate ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0);
  }
  if (zip_close(zip) != 0) exit(2);
  zip_stat_t info;
  zip_source_stat(buffer, &info);
  zip_source_open(buffer);
  out.at = malloc(info.size + 1);
  if (!out.at) exit(2);
  out.size = (size_t)zip_source_read(buffer, out.at, info.size);
  zip_source_close(buffer);
  zip_source_free(buffer);
  return out;
}

#endif
