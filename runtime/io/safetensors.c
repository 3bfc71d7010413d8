/*
 * The header is parsed by jansson and turned into a list sorted by offset; that the list covers the
 * bytes exactly is one pass over it. __metadata__ is ignored when reading and not written.
 */
#include "io/safetensors.h"

#include "core/memory.h"
#include "io/file.h"
#include "io/stored.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HEADER = 64 << 20, MAX_FIELD = 32 };

typedef struct entry {
  const char *name; // borrowed from the header
  lac_stored type;
  size_t rank;
  uint64_t dims[LAC_ARRAY_MAX_RANK], begin, end;
} entry;

static const struct {
  const char *name;
  lac_stored type;
} types[] = {{"F32", LAC_STORED_F32},   {"F64", LAC_STORED_F64}, {"F16", LAC_STORED_F16},
             {"BF16", LAC_STORED_BF16}, {"I64", LAC_STORED_I64}, {"I32", LAC_STORED_I32},
             {"I16", LAC_STORED_I16},   {"I8", LAC_STORED_I8},   {"U8", LAC_STORED_U8},
             {"BOOL", LAC_STORED_BOOL}};

static lac_status read_type(entry *e, const json_t *info) {
  const char *name = json_string_value(json_object_get(info, "dtype"));
  for (size_t i = 0; name && i < sizeof types / sizeof *types; i++)
    if (strcmp(types[i].name, name) == 0) {
      e->type = types[i].type;
      return LAC_OK;
    }
  return lac_fail(LAC_EUNSUPPORTED, "'%.200s': element type '%.*s' is not supported", e->name,
                  MAX_FIELD, name ? name : "?");
}

/* At most `room` integers >= 0. */
static lac_status read_numbers(uint64_t *out, size_t room, size_t *count, const json_t *list,
                               const entry *e, const char *what) {
  if (!json_is_array(list) || json_array_size(list) > room)
    return lac_fail(LAC_EIO, "'%.200s': its %s is not a list of at most %zu numbers", e->name, what,
                    room);
  *count = json_array_size(list);
  for (size_t i = 0; i < *count; i++) {
    const json_t *n = json_array_get(list, i);
    if (!json_is_integer(n) || json_integer_value(n) < 0)
      return lac_fail(LAC_EIO, "'%.200s': its %s holds something other than numbers >= 0", e->name,
                      what);
    out[i] = (uint64_t)json_integer_value(n);
  }
  return LAC_OK;
}

static lac_status read_entry(entry *e, const char *name, const json_t *info, uint64_t data_size) {
  uint64_t offsets[2], elements;
  size_t n;
  *e = (entry){.name = name};
  if (!json_is_object(info)) return lac_fail(LAC_EIO, "'%.200s' is not described", name);
  LAC_TRY(read_type(e, info));
  LAC_TRY(read_numbers(e->dims, LAC_ARRAY_MAX_RANK, &e->rank, json_object_get(info, "shape"), e,
                       "shape"));
  LAC_TRY(read_numbers(offsets, 2, &n, json_object_get(info, "data_offsets"), e, "data_offsets"));
  LAC_TRY(lac_array_count(&elements, name, e->rank, e->dims));
  if (n != 2 || offsets[0] > offsets[1] || offsets[1] > data_size)
    return lac_fail(LAC_EIO, "'%.200s' lies outside the file's %" PRIu64 " bytes (truncated?)",
                    name, data_size);
  if (offsets[1] - offsets[0] != elements * lac_stored_bytes(e->type))
    return lac_fail(LAC_EIO, "'%.200s' has %" PRIu64 " bytes, but its shape needs %" PRIu64, name,
                    offsets[1] - offsets[0], elements * lac_stored_bytes(e->type));
  e->begin = offsets[0];
  e->end = offsets[1];
  return LAC_OK;
}

static int compare_entries(const void *a, const void *b) {
  const entry *x = a, *y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  return (x->end > y->end) - (x->end < y->end);
}

static lac_status append_entries(lac_archive *into, const entry *list, size_t count,
                                 const unsigned char *data, uint64_t data_size) {
  uint64_t at = 0;
  for (size_t i = 0; i < count; i++) {
    const entry *e = &list[i];
    lac_array *array;
    if (e->begin != at)
      return lac_fail(LAC_EIO, "'%.200s' %s", e->name,
                      e->begin < at ? "overlaps the tensor before it" : "follows a gap");
    at = e->end;
    LAC_TRY(lac_archive_append(into, &array, e->name, lac_stored_dtype(e->type), e->rank, e->dims));
    LAC_TRY(lac_stored_convert(array->data, data + e->begin, e->type, array->count, e->name));
  }
  if (at != data_size)
    return lac_fail(LAC_EIO, "%" PRIu64 " bytes follow the last tensor", data_size - at);
  return LAC_OK;
}

static lac_status read_tensors(lac_archive *into, json_t *header, const unsigned char *data,
                               uint64_t data_size) {
  entry *list;
  size_t count = 0;
  const char *name;
  json_t *info;
  lac_status status = LAC_OK;
  LAC_TRY(lac_alloc(&list, json_object_size(header), sizeof *list, "a list of tensors"));
  json_object_foreach(header, name, info) {
    if (strcmp(name, "__metadata__") == 0) continue;
    status = read_entry(&list[count++], name, info, data_size);
    if (status != LAC_OK) break;
  }
  if (status == LAC_OK) {
    qsort(list, count, sizeof *list, compare_entries);
    status = append_entries(into, list, count, data, data_size);
  }
  free(list);
  return status;
}

static lac_status parse_header(json_t **out, size_t *used, const unsigned char *bytes,
                               size_t size) {
  uint64_t length;
  json_error_t error;
  if (size < sizeof length) return lac_fail(LAC_EIO, "is not a safetensors file: too short");
  memcpy(&length, bytes, sizeof length);
  if (length > MAX_HEADER || length < 2 || (size > sizeof length && bytes[sizeof length] != '{'))
    return lac_fail(LAC_EIO, "is not a safetensors file: it does not start with a header");
  if (length > size - sizeof length)
    return lac_fail(LAC_EIO, "the header of %" PRIu64 " bytes is truncated", length);
  json_t *header = json_loadb((const char *)bytes + sizeof length, (size_t)length,
                              JSON_REJECT_DUPLICATES, &error);
  if (!header) return lac_fail(LAC_EIO, "the header is damaged: %s", error.text);
  if (!json_is_object(header)) {
    json_decref(header);
    return lac_fail(LAC_EIO, "the header is damaged: it is not an object");
  }
  *used = sizeof length + (size_t)length;
  *out = header;
  return LAC_OK;
}

lac_status lac_safetensors_parse(lac_archive **out, const void *bytes, size_t size,
                                 const char *label) {
  json_t *header = NULL;
  lac_archive *archive;
  size_t used = 0;
  LAC_TRY(lac_archive_new(&archive, 0));
  lac_status status = parse_header(&header, &used, bytes, size);
  if (status == LAC_OK)
    status = read_tensors(archive, header, (const unsigned char *)bytes + used, size - used);
  json_decref(header);
  if (status == LAC_OK)
    *out = archive;
  else
    lac_archive_release(archive);
  return lac_file_blame(status, label);
}

lac_status lac_safetensors_read(lac_archive **out, const char *path) {
  void *bytes;
  size_t size;
  LAC_TRY(lac_file_read(&bytes, &size, path, lac_archive_default_limit()));
  const lac_status status = lac_safetensors_parse(out, bytes, size, path);
  free(bytes);
  return status;
}

/* jansson tells only that it failed: out of memory, or a name that is not UTF-8. */
static lac_status describe(json_t *header, const lac_array *array, uint64_t begin) {
  json_t *shape = json_array();
  int failed = !shape;
  for (size_t d = 0; d < array->rank; d++)
    failed |= json_array_append_new(shape, json_integer((json_int_t)array->dims[d])) != 0;
  json_t *info = json_pack("{s:s, s:o, s:[I, I]}", "dtype", array->dtype == LAC_F32 ? "F32" : "I32",
                           "shape", shape, "data_offsets", (json_int_t)begin,
                           (json_int_t)begin + (json_int_t)array->count * LAC_ELEMENT_BYTES);
  failed |= json_object_set_new(header, array->name, info) != 0;
  if (failed) return lac_fail(LAC_EINVAL, "'%.200s' is not a name in UTF-8", array->name);
  return LAC_OK;
}

/* The header with its length before it, padded with blanks to a multiple of 8. */
static lac_status print_header(char **out, size_t *size, const lac_archive *archive) {
  json_t *header = json_object();
  char *text = NULL, *padded = NULL;
  uint64_t begin = 0;
  lac_status status = LAC_OK;
  for (size_t i = 0; status == LAC_OK && i < lac_archive_count(archive); i++) {
    const lac_array *array = lac_archive_at(archive, i);
    status = describe(header, array, begin);
    begin += array->count * LAC_ELEMENT_BYTES;
  }
  if (status == LAC_OK) text = json_dumps(header, JSON_COMPACT);
  if (status == LAC_OK && !text) status = lac_fail(LAC_ENOMEM, "out of host memory for a header");
  if (status == LAC_OK) {
    const size_t length = strlen(text), room = (length + 7) / 8 * 8;
    status = lac_alloc(&padded, 8 + room, 1, "a header");
    if (status == LAC_OK) {
      const uint64_t stored = room;
      memset(padded, ' ', 8 + room);
      memcpy(padded, &stored, sizeof stored);
      memcpy(padded + 8, text, length);
      *size = 8 + room;
      *out = padded;
    }
  }
  free(text);
  json_decref(header);
  return status;
}

lac_status lac_safetensors_write(const lac_archive *archive, const char *path) {
  char *header = NULL;
  size_t size = 0;
  lac_stage *stage = NULL;
  lac_status status = lac_file_blame(print_header(&header, &size, archive), path);
  if (status == LAC_OK) status = lac_stage_open(&stage, path);
  if (status == LAC_OK) status = lac_stage_write(stage, header, size);
  for (size_t i = 0; status == LAC_OK && i < lac_archive_count(archive); i++) {
    const lac_array *array = lac_archive_at(archive, i);
    status = lac_stage_write(stage, array->data, (size_t)array->count * LAC_ELEMENT_BYTES);
  }
  if (status == LAC_OK) status = lac_stage_commit(stage);
  lac_stage_close(stage);
  free(header);
  return status;
}
