/*
 * A table sorted by key. One entry per key: a file whose tensors disagree about the type or size of
 * what they share is refused here, before any byte of it is read.
 */
#include "io/storages.h"

#include "core/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lac_storages {
  lac_storage *list; // sorted by key
  size_t count;
};

static int compare_keys(const void *a, const void *b) {
  const lac_storage *x = a, *y = b;
  const size_t n = x->key_length < y->key_length ? x->key_length : y->key_length;
  const int order = memcmp(x->key, y->key, n);
  if (order != 0) return order;
  return (x->key_length > y->key_length) - (x->key_length < y->key_length);
}

/* ("storage", <class>, key, location, elements[, view]): view is None but in the oldest files. */
static lac_status read_identifier(lac_storage *out, const lac_pickle *pickle,
                                  const lac_pickle_value *persistent, const lac_stored *class_of,
                                  int classes) {
  const lac_pickle_value *id = lac_pickle_item(pickle, persistent, 0);
  if (id->kind != LAC_PICKLE_TUPLE || id->as.list.count < 5 || id->as.list.count > 6)
    return lac_fail(LAC_EIO, "a persistent identifier is not that of a storage");
  const lac_pickle_value *tag = lac_pickle_item(pickle, id, 0),
                         *class = lac_pickle_item(pickle, id, 1),
                         *key = lac_pickle_item(pickle, id, 2),
                         *count = lac_pickle_item(pickle, id, 4),
                         *view = lac_pickle_item(pickle, id, 5);
  if (tag->kind != LAC_PICKLE_STRING || tag->as.string.length != 7 ||
      memcmp(tag->as.string.text, "storage", 7) != 0 || key->kind != LAC_PICKLE_STRING ||
      key->as.string.length > 256 || count->kind != LAC_PICKLE_INT || count->as.integer < 0)
    return lac_fail(LAC_EIO, "a persistent identifier is not that of a storage");
  if (class->kind != LAC_PICKLE_GLOBAL || class->global < 0 || class->global >= classes)
    return lac_fail(LAC_EIO, "a storage's class is not one of torch.<type>Storage");
  if (view && view->kind != LAC_PICKLE_NONE)
    return lac_fail(LAC_EUNSUPPORTED, "a storage that is a view of another is not supported");
  *out = (lac_storage){.key = key->as.string.text,
                       .key_length = key->as.string.length,
                       .type = class_of[class->global],
                       .count = (uint64_t)count->as.integer};
  return LAC_OK;
}

static lac_status gather(lac_storages *storages, const lac_pickle *pickle,
                         const lac_stored *class_of, int classes) {
  size_t n = 0;
  for (size_t i = 0; i < lac_pickle_count(pickle); i++)
    n += lac_pickle_at(pickle, i)->kind == LAC_PICKLE_PERSISTENT;
  LAC_TRY(lac_alloc(&storages->list, n, sizeof *storages->list, "a list of storages"));
  for (size_t i = 0; i < lac_pickle_count(pickle); i++) {
    const lac_pickle_value *value = lac_pickle_at(pickle, i);
    if (value->kind != LAC_PICKLE_PERSISTENT) continue;
    LAC_TRY(read_identifier(&storages->list[storages->count], pickle, value, class_of, classes));
    storages->count++;
  }
  return LAC_OK;
}

/* Sort, and fold the entries that mean the same storage. */
static lac_status fold(lac_storages *storages) {
  lac_storage *list = storages->list;
  size_t kept = 0;
  qsort(list, storages->count, sizeof *list, compare_keys);
  for (size_t i = 0; i < storages->count; i++) {
    if (kept == 0 || compare_keys(&list[kept - 1], &list[i]) != 0)
      list[kept++] = list[i];
    else if (list[kept - 1].type != list[i].type || list[kept - 1].count != list[i].count)
      return lac_fail(LAC_EIO, "tensors disagree about the size of storage '%.*s'",
                      (int)list[i].key_length, list[i].key);
  }
  storages->count = kept;
  return LAC_OK;
}

lac_status lac_storages_new(lac_storages **out, const lac_pickle *pickle,
                            const lac_stored *class_of, int classes) {
  lac_storages *storages;
  LAC_TRY(lac_alloc(&storages, 1, sizeof *storages, "a list of storages"));
  lac_status status = gather(storages, pickle, class_of, classes);
  if (status == LAC_OK) status = fold(storages);
  if (status == LAC_OK)
    *out = storages;
  else
    lac_storages_release(storages);
  return status;
}

void lac_storages_release(lac_storages *storages) {
  if (!storages) return;
  for (size_t i = 0; i < storages->count; i++)
    free(storages->list[i].owned);
  free(storages->list);
  free(storages);
}

static lac_storage *find_key(const lac_storages *storages, const char *key, size_t length) {
  const lac_storage wanted = {.key = key, .key_length = length};
  return bsearch(&wanted, storages->list, storages->count, sizeof wanted, compare_keys);
}

lac_status lac_storages_find(lac_storage **out, const lac_storages *storages,
                             const lac_pickle *pickle, const lac_pickle_value *persistent) {
  if (!persistent || persistent->kind != LAC_PICKLE_PERSISTENT)
    return lac_fail(LAC_EIO, "a tensor without a storage");
  // every persistent identifier has passed read_identifier
  const lac_pickle_value *id = lac_pickle_item(pickle, persistent, 0);
  const lac_pickle_value *key = lac_pickle_item(pickle, id, 2);
  *out = find_key(storages, key->as.string.text, key->as.string.length);
  return *out ? LAC_OK : lac_fail(LAC_EIO, "a tensor without a storage");
}

lac_status lac_storage_load(lac_storage *storage, lac_zip *zip, const char *prefix,
                            uint64_t limit_bytes) {
  char name[1024];
  size_t index, size;
  if (storage->bytes) return LAC_OK;
  const int length =
      snprintf(name, sizeof name, "%sdata/%.*s", prefix, (int)storage->key_length, storage->key);
  if (length < 0 || (size_t)length >= sizeof name || !lac_zip_find(zip, &index, name))
    return lac_fail(LAC_EIO, "the storage '%.200s' is missing", name);
  LAC_TRY(lac_zip_read(zip, index, &storage->owned, &size, limit_bytes));
  const size_t bytes = lac_stored_bytes(storage->type);
  if (size % bytes != 0 || size / bytes != storage->count)
    return lac_fail(LAC_EIO,
                    "the storage '%.200s' has %zu bytes, but %" PRIu64
                    " elements of %zu bytes were "
                    "declared",
                    name, size, storage->count, bytes);
  storage->bytes = storage->owned;
  return LAC_OK;
}

/* One storage of the legacy container: a count of 8 bytes, then the elements. */
static lac_status locate_one(lac_storage *storage, const unsigned char *bytes, size_t size,
                             size_t *used) {
  uint64_t count;
  const size_t each = lac_stored_bytes(storage->type);
  if (size < sizeof count)
    return lac_fail(LAC_EIO, "the file ends before storage '%.*s' (truncated?)",
                    (int)storage->key_length, storage->key);
  memcpy(&count, bytes, sizeof count);
  if (count != storage->count)
    return lac_fail(LAC_EIO,
                    "storage '%.*s' has %" PRIu64 " elements, but %" PRIu64 " were declared",
                    (int)storage->key_length, storage->key, count, storage->count);
  if (count > (size - sizeof count) / each)
    return lac_fail(LAC_EIO,
                    "the file ends inside storage '%.*s': %zu bytes of %" PRIu64
                    " elements (truncated?)",
                    (int)storage->key_length, storage->key, size - sizeof count, count);
  storage->bytes = bytes + sizeof count;
  *used = sizeof count + (size_t)count * each;
  return LAC_OK;
}

lac_status lac_storages_locate(lac_storages *storages, const lac_pickle *key_pickle,
                               const void *bytes, size_t size) {
  const lac_pickle_value *keys = lac_pickle_root(key_pickle), *key;
  size_t at = 0, used = 0;
  if (keys->kind != LAC_PICKLE_LIST) return lac_fail(LAC_EIO, "the list of storages is damaged");
  for (uint32_t i = 0; (key = lac_pickle_item(key_pickle, keys, i)); i++) {
    lac_storage *storage = key->kind == LAC_PICKLE_STRING
                               ? find_key(storages, key->as.string.text, key->as.string.length)
                               : NULL;
    if (!storage) // its element size is unknown, so all that follows is, too
      return lac_fail(LAC_EIO, "the list of storages names one that no tensor uses");
    LAC_TRY(locate_one(storage, (const unsigned char *)bytes + at, size - at, &used));
    at += used;
  }
  return LAC_OK;
}
