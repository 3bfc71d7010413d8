/**
 * The storages of a PyTorch checkpoint: the named buffers that its tensors are views of.
 *
 * A tensor in the pickle refers to a storage by the persistent identifier
 * ("storage", <class>, key, location, elements). The bytes lie in one ZIP member per key, or one
 * after the other behind the pickles of the legacy container.
 */
#ifndef LAC_IO_STORAGES_H
#define LAC_IO_STORAGES_H

#include "core/status.h"
#include "io/pickle.h"
#include "io/stored.h"
#include "io/zip.h"

typedef struct lac_storage {
  const char *key; /* borrowed from the pickle, not terminated */
  size_t key_length;
  lac_stored type;
  uint64_t count;    /* elements declared */
  const void *bytes; /* count elements; NULL until found */
  void *owned;       /* the same when it was read from a ZIP member */
} lac_storage;

typedef struct lac_storages lac_storages;

/**
 * Collect every storage that the pickle mentions.
 *
 * @param class_of  global position in the pickle's list -> element type; `classes` entries
 */
lac_status lac_storages_new(lac_storages **out, const lac_pickle *pickle,
                            const lac_stored *class_of, int classes);

void lac_storages_release(lac_storages *storages);

/** Find the storage of a persistent identifier, a value of that pickle; borrowed. */
lac_status lac_storages_find(lac_storage **out, const lac_storages *storages,
                             const lac_pickle *pickle, const lac_pickle_value *persistent);

/** Read the storage's ZIP member `<prefix>data/<key>` unless that has been done; its size is
 * checked. */
lac_status lac_storage_load(lac_storage *storage, lac_zip *zip, const char *prefix,
                            uint64_t limit_bytes);

/**
 * Point the storages into the legacy container: for each key of the list an element count of 8
 * bytes and the elements.
 *
 * @param keys   the list of keys, in the order of the bytes
 * @param bytes  what follows the pickles
 */
lac_status lac_storages_locate(lac_storages *storages, const lac_pickle *key_pickle,
                               const void *bytes, size_t size);

#endif
