/*
 * Three steps: run the pickle (io/pickle refuses all but tensors), list the storages (io/storages),
 * and walk the dictionaries, appending one array per tensor. Everything a tensor claims (sizes,
 * strides, offset, indices) is checked against its storage before a byte is copied.
 */
#include "io/pth.h"

#include "core/memory.h"
#include "io/file.h"
#include "io/pickle.h"
#include "io/storages.h"
#include "io/stored.h"
#include "io/zip.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The storage classes come first, so that their position is an index into class_of. */
enum {
  CLASSES = 10,
  REBUILD_TENSOR = CLASSES,
  REBUILD_SPARSE,
  REBUILD_PARAMETER,
  GET_LAYOUT,
  SIZE
};

static const lac_stored class_of[CLASSES] = {
    LAC_STORED_F32, LAC_STORED_F64, LAC_STORED_F16, LAC_STORED_BF16, LAC_STORED_I64,
    LAC_STORED_I32, LAC_STORED_I16, LAC_STORED_I8,  LAC_STORED_U8,   LAC_STORED_BOOL};

static const char *const allowed[] = {"torch.FloatStorage",
                                      "torch.DoubleStorage",
                                      "torch.HalfStorage",
                                      "torch.BFloat16Storage",
                                      "torch.LongStorage",
                                      "torch.IntStorage",
                                      "torch.ShortStorage",
                                      "torch.CharStorage",
                                      "torch.ByteStorage",
                                      "torch.BoolStorage",
                                      "torch._utils._rebuild_tensor_v2",
                                      "torch._utils._rebuild_sparse_tensor",
                                      "torch._utils._rebuild_parameter",
                                      "torch.serialization._get_layout",
                                      "torch.Size",
                                      NULL};

enum { MAX_NAME = 4096, MAX_DEPTH = 64, MAX_VISITS = 1 << 20 };

typedef struct reader {
  const lac_pickle *pickle;
  lac_storages *storages;
  lac_zip *zip;       // NULL for the legacy container
  const char *prefix; // of the ZIP members
  lac_archive *into;
  char name[MAX_NAME]; // of the value being visited
  uint32_t visits; // dictionaries may contain each other: the walk is bounded, not the structure
} reader;

/* A dense tensor as the pickle describes it. */
typedef struct strided {
  lac_storage *storage;
  size_t rank;
  uint64_t offset, count, dims[LAC_ARRAY_MAX_RANK], strides[LAC_ARRAY_MAX_RANK];
} strided;

static const lac_pickle_value *item(const reader *r, const lac_pickle_value *value, uint32_t i) {
  return value ? lac_pickle_item(r->pickle, value, i) : NULL;
}

static int is_call(const lac_pickle_value *value, int global) {
  return value && value->kind == LAC_PICKLE_CALL && value->global == global;
}

/* A tuple of non-negative integers; torch.Size(tuple) counts as its tuple. */
static lac_status read_sizes(const reader *r, uint64_t *out, size_t *rank,
                             const lac_pickle_value *value, const char *what) {
  if (is_call(value, SIZE)) value = item(r, item(r, value, 0), 0);
  if (!value || value->kind != LAC_PICKLE_TUPLE)
    return lac_fail(LAC_EIO, "'%.200s': its %s is not a tuple of numbers", r->name, what);
  if (value->as.list.count > LAC_ARRAY_MAX_RANK)
    return lac_fail(LAC_ESHAPE, "'%.200s' has %" PRIu32 " dimensions, at most %d are allowed",
                    r->name, value->as.list.count, (int)LAC_ARRAY_MAX_RANK);
  for (uint32_t i = 0; i < value->as.list.count; i++) {
    const lac_pickle_value *n = item(r, value, i);
    if (n->kind != LAC_PICKLE_INT || n->as.integer < 0)
      return lac_fail(LAC_EIO, "'%.200s': its %s is not a tuple of numbers >= 0", r->name, what);
    out[i] = (uint64_t)n->as.integer;
  }
  *rank = value->as.list.count;
  return LAC_OK;
}

/* The last element a tensor reaches must lie in its storage; no product may wrap on the way. */
static lac_status check_extent(const reader *r, const strided *t) {
  uint64_t room = t->storage->count;
  int fits = t->offset <= room;
  if (fits && t->count > 0) {
    fits = room > t->offset;
    room -= t->offset; // elements from the first on
    if (fits) room--;  // and beyond the first
    for (size_t d = 0; d < t->rank && fits; d++) {
      const uint64_t steps = t->dims[d] - 1;
      fits = steps == 0 || t->strides[d] <= room / steps;
      if (fits) room -= steps * t->strides[d];
    }
  }
  if (fits) return LAC_OK;
  return lac_fail(LAC_ESHAPE,
                  "'%.200s': its shape and strides do not fit its storage of %" PRIu64 " elements",
                  r->name, t->storage->count);
}

/* _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks), perhaps in a parameter.
 */
static lac_status read_strided(const reader *r, strided *out, const lac_pickle_value *value) {
  size_t strides;
  if (is_call(value, REBUILD_PARAMETER)) value = item(r, item(r, value, 0), 0);
  if (!is_call(value, REBUILD_TENSOR))
    return lac_fail(LAC_EIO, "'%.200s' is not a dense tensor where one is needed", r->name);
  const lac_pickle_value *args = item(r, value, 0), *offset = item(r, args, 1);
  LAC_TRY(lac_storages_find(&out->storage, r->storages, r->pickle, item(r, args, 0)));
  LAC_TRY(read_sizes(r, out->dims, &out->rank, item(r, args, 2), "size"));
  LAC_TRY(read_sizes(r, out->strides, &strides, item(r, args, 3), "stride"));
  if (offset->kind != LAC_PICKLE_INT || offset->as.integer < 0 || strides != out->rank)
    return lac_fail(LAC_EIO, "'%.200s': its offset or its strides are damaged", r->name);
  out->offset = (uint64_t)offset->as.integer;
  LAC_TRY(lac_array_count(&out->count, r->name, out->rank, out->dims));
  return check_extent(r, out);
}

/* Lend the tensor's elements in row-major order: the storage's own, or a copy to free. */
static lac_status load_elements(const reader *r, const void **out, void **copy, const strided *t) {
  const size_t bytes = lac_stored_bytes(t->storage->type);
  if (r->zip) LAC_TRY(lac_storage_load(t->storage, r->zip, r->prefix, lac_archive_default_limit()));
  if (!t->storage->bytes) return lac_fail(LAC_EIO, "'%.200s': its storage is missing", r->name);
  const unsigned char *first = (const unsigned char *)t->storage->bytes + t->offset * bytes;
  uint64_t expected = 1;
  int contiguous = 1;
  for (size_t d = t->rank; d-- > 0;) {
    contiguous &= t->dims[d] == 1 || t->strides[d] == expected;
    expected *= t->dims[d];
  }
  *out = first;
  if (contiguous || t->count == 0) return LAC_OK;
  LAC_TRY(lac_alloc(copy, (size_t)t->count, bytes, r->name));
  lac_stored_gather(*copy, first, bytes, t->rank, t->dims, t->strides);
  *out = *copy;
  return LAC_OK;
}

static lac_status append_dense(const reader *r, const lac_pickle_value *value) {
  strided t;
  lac_array *array;
  const void *elements;
  void *copy = NULL;
  LAC_TRY(read_strided(r, &t, value));
  const lac_stored type = t.storage->type;
  LAC_TRY(lac_archive_append(r->into, &array, r->name, lac_stored_dtype(type), t.rank, t.dims));
  lac_status status = load_elements(r, &elements, &copy, &t);
  if (status == LAC_OK) status = lac_stored_convert(array->data, elements, type, t.count, r->name);
  free(copy);
  return status;
}

/* dense[indices[:, n]] += values[n]; indices is [rank, nnz]. */
static lac_status scatter(const reader *r, lac_array *dense, const unsigned char *indices,
                          const float *values, uint64_t nnz) {
  float *data = dense->data;
  for (uint64_t n = 0; n < nnz; n++) {
    uint64_t at = 0;
    for (size_t d = 0; d < dense->rank; d++) {
      int64_t i;
      memcpy(&i, indices + (d * nnz + n) * sizeof i, sizeof i);
      if (i < 0 || (uint64_t)i >= dense->dims[d])
        return lac_fail(LAC_ESHAPE,
                        "'%.200s': index %" PRId64 " is outside dimension %zu of size %" PRIu64,
                        r->name, i, d + 1, dense->dims[d]);
      at = at * dense->dims[d] + (uint64_t)i;
    }
    data[at] += values[n];
  }
  return LAC_OK;
}

static lac_status check_sparse(const reader *r, const strided *indices, const strided *values,
                               size_t rank) {
  if (indices->storage->type != LAC_STORED_I64 || indices->rank != 2 || indices->dims[0] != rank)
    return lac_fail(LAC_ESHAPE, "'%.200s': the indices of a sparse tensor must be int64 [%zu, n]",
                    r->name, rank);
  if (values->rank != 1 || values->dims[0] != indices->dims[1])
    return lac_fail(LAC_ESHAPE,
                    "'%.200s': a sparse tensor needs one value for each of its %" PRIu64 " indices",
                    r->name, indices->dims[1]);
  if (lac_stored_dtype(values->storage->type) != LAC_F32)
    return lac_fail(LAC_EUNSUPPORTED, "'%.200s': a sparse tensor of integers is not supported",
                    r->name);
  return LAC_OK;
}

/* _rebuild_sparse_tensor(layout, (indices, values, size[, is_coalesced])), layout being COO. */
static lac_status append_sparse(const reader *r, const lac_pickle_value *value) {
  const lac_pickle_value *args = item(r, value, 0), *parts = item(r, args, 1),
                         *layout = item(r, item(r, item(r, args, 0), 0), 0);
  static const char coo[] = "torch.sparse_coo";
  uint64_t dims[LAC_ARRAY_MAX_RANK];
  size_t rank;
  strided indices, values;
  lac_array *dense;
  const void *index_elements, *value_elements;
  void *index_copy = NULL, *value_copy = NULL;
  float *floats = NULL;
  if (!is_call(item(r, args, 0), GET_LAYOUT) || !layout || layout->kind != LAC_PICKLE_STRING ||
      layout->as.string.length != strlen(coo) ||
      memcmp(layout->as.string.text, coo, strlen(coo)) != 0)
    return lac_fail(LAC_EUNSUPPORTED, "'%.200s': only the sparse layout %s is supported", r->name,
                    coo);
  LAC_TRY(read_strided(r, &indices, item(r, parts, 0)));
  LAC_TRY(read_strided(r, &values, item(r, parts, 1)));
  LAC_TRY(read_sizes(r, dims, &rank, item(r, parts, 2), "size"));
  LAC_TRY(check_sparse(r, &indices, &values, rank));
  LAC_TRY(lac_archive_append(r->into, &dense, r->name, LAC_F32, rank, dims));
  lac_status status = load_elements(r, &index_elements, &index_copy, &indices);
  if (status == LAC_OK) status = load_elements(r, &value_elements, &value_copy, &values);
  if (status == LAC_OK) status = lac_alloc(&floats, (size_t)values.count, sizeof *floats, r->name);
  if (status == LAC_OK)
    status =
        lac_stored_convert(floats, value_elements, values.storage->type, values.count, r->name);
  if (status == LAC_OK) status = scatter(r, dense, index_elements, floats, values.count);
  free(index_copy);
  free(value_copy);
  free(floats);
  return status;
}

/* Append ".key" to the name; *skip when the key can be no part of one. */
static lac_status extend_name(reader *r, size_t length, const lac_pickle_value *key, int *skip) {
  const char *dot = length ? "." : "";
  int wrote = -1;
  *skip = 0;
  if (key->kind == LAC_PICKLE_INT)
    wrote = snprintf(r->name + length, MAX_NAME - length, "%s%" PRId64, dot, key->as.integer);
  else if (key->kind == LAC_PICKLE_STRING && key->as.string.length < MAX_NAME &&
           !memchr(key->as.string.text, '\0', key->as.string.length))
    wrote = snprintf(r->name + length, MAX_NAME - length, "%s%.*s", dot, (int)key->as.string.length,
                     key->as.string.text);
  else if (key->kind != LAC_PICKLE_STRING)
    *skip = 1;
  if (!*skip && (wrote < 0 || (size_t)wrote >= MAX_NAME - length))
    return lac_fail(LAC_EUNSUPPORTED, "a tensor's name is damaged or over %d bytes long",
                    (int)MAX_NAME - 1);
  return LAC_OK;
}

/* Recursion stops at MAX_DEPTH, the sum of all visits at MAX_VISITS. */
static lac_status visit(reader *r, const lac_pickle_value *value, int depth) {
  if (++r->visits > MAX_VISITS || depth > MAX_DEPTH)
    return lac_fail(LAC_EUNSUPPORTED, "its tables are nested too deeply or into each other");
  if (is_call(value, REBUILD_TENSOR) || is_call(value, REBUILD_PARAMETER))
    return append_dense(r, value);
  if (is_call(value, REBUILD_SPARSE)) return append_sparse(r, value);
  if (value->kind != LAC_PICKLE_DICT) return LAC_OK;
  const size_t length = strlen(r->name);
  for (uint32_t i = 0; i + 1 < value->as.list.count; i += 2) {
    int skip;
    LAC_TRY(extend_name(r, length, item(r, value, i), &skip));
    if (!skip) LAC_TRY(visit(r, item(r, value, i + 1), depth + 1));
    r->name[length] = '\0';
  }
  return LAC_OK;
}

static lac_status read_tensors(reader *r) {
  const lac_pickle_value *root = lac_pickle_root(r->pickle);
  if (root->kind != LAC_PICKLE_DICT)
    return lac_fail(LAC_EUNSUPPORTED, "holds something other than a table of named tensors");
  LAC_TRY(visit(r, root, 0));
  if (lac_archive_count(r->into) == 0) return lac_fail(LAC_EUNSUPPORTED, "holds no tensors");
  return LAC_OK;
}

/* Find the member `<prefix>data.pkl` and what comes before its name. */
static lac_status find_pickle(lac_zip *zip, size_t *index, char *prefix, size_t room) {
  static const char wanted[] = "/data.pkl";
  for (size_t i = 0; i < lac_zip_count(zip); i++) {
    const char *name = lac_zip_name(zip, i);
    const size_t length = strlen(name), tail = strlen(wanted);
    if (length <= tail || strcmp(name + length - tail, wanted) != 0 || length >= room) continue;
    if (memchr(name, '/', length - tail)) continue; // a checkpoint inside a folder is another's
    memcpy(prefix, name, length - tail + 1);
    prefix[length - tail + 1] = '\0';
    *index = i;
    return LAC_OK;
  }
  return lac_fail(LAC_EIO, "is a ZIP archive, but holds no PyTorch checkpoint (no data.pkl)");
}

static lac_status check_byte_order(lac_zip *zip, const char *prefix) {
  char name[1024];
  size_t index, size;
  void *order;
  snprintf(name, sizeof name, "%sbyteorder", prefix);
  if (!lac_zip_find(zip, &index, name)) return LAC_OK;
  LAC_TRY(lac_zip_read(zip, index, &order, &size, 16));
  const int big = size >= 3 && memcmp(order, "big", 3) == 0;
  free(order);
  return big ? lac_fail(LAC_EUNSUPPORTED, "was written in big-endian byte order") : LAC_OK;
}

static lac_status read_zip(lac_archive *into, lac_zip *zip) {
  char prefix[512];
  size_t index = 0, size, used;
  void *bytes = NULL;
  lac_pickle *pickle = NULL;
  reader *r = NULL;
  LAC_TRY(find_pickle(zip, &index, prefix, sizeof prefix));
  LAC_TRY(check_byte_order(zip, prefix));
  lac_status status = lac_alloc(&r, 1, sizeof *r, "a checkpoint");
  if (status == LAC_OK) status = lac_zip_read(zip, index, &bytes, &size, lac_archive_room(into));
  if (status == LAC_OK) status = lac_pickle_parse(&pickle, bytes, size, &used, allowed);
  if (status == LAC_OK) {
    *r = (reader){.pickle = pickle, .zip = zip, .prefix = prefix, .into = into};
    status = lac_storages_new(&r->storages, pickle, class_of, CLASSES);
  }
  if (status == LAC_OK) status = read_tensors(r);
  if (r) lac_storages_release(r->storages);
  lac_pickle_release(pickle);
  free(bytes);
  free(r);
  return status;
}

/* The first three pickles: a magic number, the protocol version, the writer's byte order. */
static lac_status skip_preamble(const char *bytes, size_t size, size_t *at) {
  static const char magic[] = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
  static const char *const none[] = {NULL};
  for (int i = 0; i < 3; i++) {
    lac_pickle *pickle;
    size_t used;
    LAC_TRY(lac_pickle_parse(&pickle, bytes + *at, size - *at, &used, none));
    const lac_pickle_value *root = lac_pickle_root(pickle);
    int good = 1;
    if (i == 0)
      good = root->kind == LAC_PICKLE_LONG && root->as.string.length == sizeof magic - 1 &&
             memcmp(root->as.string.text, magic, sizeof magic - 1) == 0;
    else if (i == 1)
      good = root->kind == LAC_PICKLE_INT && root->as.integer == 1001;
    lac_pickle_release(pickle);
    if (!good)
      return lac_fail(LAC_EIO, "is a pickle, but not a PyTorch checkpoint (%s)",
                      i == 0 ? "no magic number" : "unknown version");
    *at += used;
  }
  return LAC_OK;
}

static lac_status read_legacy(lac_archive *into, const char *bytes, size_t size) {
  size_t at = 0, used;
  lac_pickle *pickle = NULL, *keys = NULL;
  static const char *const none[] = {NULL};
  reader *r = NULL;
  LAC_TRY(skip_preamble(bytes, size, &at));
  lac_status status = lac_alloc(&r, 1, sizeof *r, "a checkpoint");
  if (status == LAC_OK) status = lac_pickle_parse(&pickle, bytes + at, size - at, &used, allowed);
  if (status == LAC_OK) {
    at += used;
    *r = (reader){.pickle = pickle, .into = into};
    status = lac_pickle_parse(&keys, bytes + at, size - at, &used, none);
  }
  if (status == LAC_OK) status = lac_storages_new(&r->storages, pickle, class_of, CLASSES);
  if (status == LAC_OK) {
    at += used;
    status = lac_storages_locate(r->storages, keys, bytes + at, size - at);
  }
  if (status == LAC_OK) status = read_tensors(r);
  if (r) lac_storages_release(r->storages);
  lac_pickle_release(pickle);
  lac_pickle_release(keys);
  free(r);
  return status;
}

lac_status lac_pth_parse(lac_archive **out, const void *bytes, size_t size, const char *label,
                         uint64_t limit_bytes) {
  lac_archive *archive;
  lac_zip *zip = NULL;
  lac_status status;
  LAC_TRY(lac_archive_new(&archive, limit_bytes));
  if (size >= 2 && memcmp(bytes, "PK", 2) == 0) {
    status = lac_zip_open_memory(&zip, bytes, size, "the container");
    if (status == LAC_OK) status = read_zip(archive, zip);
    lac_zip_close(zip);
  } else if (size >= 2 && memcmp(bytes, "\x80\x02", 2) == 0)
    status = read_legacy(archive, bytes, size);
  else
    status = lac_fail(LAC_EIO, "is not a PyTorch checkpoint (neither ZIP nor pickle)");
  if (status == LAC_OK)
    *out = archive;
  else
    lac_archive_release(archive);
  return lac_file_blame(status, label);
}

lac_status lac_pth_read(lac_archive **out, const char *path) {
  void *bytes;
  size_t size;
  LAC_TRY(lac_file_read(&bytes, &size, path, lac_archive_default_limit()));
  const lac_status status = lac_pth_parse(out, bytes, size, path, 0);
  free(bytes);
  return status;
}
