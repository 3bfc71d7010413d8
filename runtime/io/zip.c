/*
 * libzip behind statuses. A size declared in the directory is believed only as far as deflate could
 * have reached it: a kilobyte that claims to hold gigabytes is refused before anything is
 * allocated.
 */
#include "io/zip.h"

#include "core/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

enum { DEFLATE_RATIO = 1032 }; // the most that deflate can shrink a run of zeros

struct lac_zip {
  zip_t *archive;
  char *label;
};

static lac_status fail_open(const char *label, int code) {
  if (code == ZIP_ER_NOZIP || code == ZIP_ER_INCONS || code == ZIP_ER_EOF)
    return lac_fail(LAC_EIO, "%s: is not a ZIP archive, or its end is missing (truncated?)", label);
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  lac_remember("%s: cannot open: %s", label, zip_error_strerror(&error));
  zip_error_fini(&error);
  return LAC_EIO;
}

static lac_status new_zip(lac_zip **out, const char *label) {
  lac_zip *zip;
  LAC_TRY(lac_alloc(&zip, 1, sizeof *zip, "a ZIP archive"));
  const size_t length = strlen(label);
  const lac_status status = lac_alloc(&zip->label, length + 1, 1, "a file name");
  if (status == LAC_OK) {
    memcpy(zip->label, label, length);
    *out = zip;
  } else
    free(zip);
  return status;
}

/* Take over a source: the archive owns it from here on. */
static lac_status open_source(lac_zip **out, zip_source_t *source, zip_error_t *error,
                              const char *label) {
  lac_zip *zip = NULL;
  zip_stat_t info;
  lac_status status = LAC_OK;
  if (!source)
    status = fail_open(label, zip_error_code_zip(error));
  else if (zip_source_stat(source, &info) == 0 && (info.valid & ZIP_STAT_SIZE) && info.size == 0)
    status = fail_open(label, ZIP_ER_NOZIP); // libzip takes no bytes for an archive of no entries
  else
    status = new_zip(&zip, label);
  if (status == LAC_OK) {
    zip->archive = zip_open_from_source(source, ZIP_RDONLY, error);
    if (zip->archive)
      source = NULL;
    else
      status = fail_open(label, zip_error_code_zip(error));
  }
  if (source) zip_source_free(source);
  if (status == LAC_OK)
    *out = zip;
  else
    lac_zip_close(zip);
  return status;
}

lac_status lac_zip_open(lac_zip **out, const char *path) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t *source = zip_source_file_create(path, 0, -1, &error);
  const lac_status status = open_source(out, source, &error, path);
  zip_error_fini(&error);
  return status;
}

lac_status lac_zip_open_memory(lac_zip **out, const void *bytes, size_t size, const char *label) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t *source = zip_source_buffer_create(bytes, size, 0, &error);
  const lac_status status = open_source(out, source, &error, label);
  zip_error_fini(&error);
  return status;
}

void lac_zip_close(lac_zip *zip) {
  if (!zip) return;
  if (zip->archive) zip_discard(zip->archive);
  free(zip->label);
  free(zip);
}

const char *lac_zip_label(const lac_zip *zip) {
  return zip->label;
}

size_t lac_zip_count(const lac_zip *zip) {
  const zip_int64_t n = zip_get_num_entries(zip->archive, 0);
  return n < 0 ? 0 : (size_t)n;
}

const char *lac_zip_name(const lac_zip *zip, size_t index) {
  const char *name = zip_get_name(zip->archive, index, 0);
  return name ? name : "";
}

int lac_zip_find(const lac_zip *zip, size_t *index, const char *name) {
  const zip_int64_t at = zip_name_locate(zip->archive, name, 0);
  if (at < 0) return 0;
  *index = (size_t)at;
  return 1;
}

static lac_status check_entry(const lac_zip *zip, size_t index, zip_stat_t *info,
                              uint64_t limit_bytes) {
  const char *name = lac_zip_name(zip, index);
  const zip_uint64_t need = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
  if (zip_stat_index(zip->archive, index, 0, info) != 0 || (info->valid & need) != need)
    return lac_fail(LAC_EIO, "%s: entry '%.200s' has no usable directory record", zip->label, name);
  if ((info->valid & ZIP_STAT_ENCRYPTION_METHOD) && info->encryption_method != ZIP_EM_NONE)
    return lac_fail(LAC_EUNSUPPORTED, "%s: entry '%.200s' is encrypted", zip->label, name);
  if (info->comp_method != ZIP_CM_STORE && info->comp_method != ZIP_CM_DEFLATE)
    return lac_fail(LAC_EUNSUPPORTED,
                    "%s: entry '%.200s' uses compression method %u; only stored and deflated "
                    "entries are read",
                    zip->label, name, (unsigned)info->comp_method);
  if (info->size > limit_bytes || info->size >= SIZE_MAX)
    return lac_fail(LAC_ENOMEM,
                    "%s: entry '%.200s' declares %" PRIu64 " bytes, at most %" PRIu64
                    " are allowed",
                    zip->label, name, (uint64_t)info->size, limit_bytes);
  const uint64_t ratio = info->comp_method == ZIP_CM_STORE ? 1 : DEFLATE_RATIO;
  if (info->size / ratio > info->comp_size)
    return lac_fail(LAC_EIO,
                    "%s: entry '%.200s' declares %" PRIu64 " bytes, more than its %" PRIu64
                    " stored bytes can hold",
                    zip->label, name, (uint64_t)info->size, (uint64_t)info->comp_size);
  return LAC_OK;
}

/* Read the declared bytes and one more: the reading of the end is what checks the CRC. */
static lac_status read_entry(const lac_zip *zip, zip_file_t *file, char *bytes, uint64_t size,
                             const char *name) {
  uint64_t have = 0;
  char beyond;
  while (have < size) {
    const zip_int64_t got = zip_fread(file, bytes + have, size - have);
    if (got < 0) break;
    if (got == 0)
      return lac_fail(LAC_EIO, "%s: entry '%.200s' is truncated: %" PRIu64 " of %" PRIu64 " bytes",
                      zip->label, name, have, size);
    have += (uint64_t)got;
  }
  const zip_int64_t end = have == size ? zip_fread(file, &beyond, 1) : -1;
  if (end > 0)
    return lac_fail(LAC_EIO, "%s: entry '%.200s' is longer than the %" PRIu64 " bytes it declares",
                    zip->label, name, size);
  if (end < 0)
    return lac_fail(LAC_EIO, "%s: entry '%.200s' is damaged: %s", zip->label, name,
                    zip_file_strerror(file));
  return LAC_OK;
}

lac_status lac_zip_read(lac_zip *zip, size_t index, void **out, size_t *size,
                        uint64_t limit_bytes) {
  zip_stat_t info;
  char *bytes = NULL;
  LAC_TRY(check_entry(zip, index, &info, limit_bytes));
  const char *name = lac_zip_name(zip, index);
  LAC_TRY(lac_alloc(&bytes, (size_t)info.size + 1, 1, name));
  zip_file_t *file = zip_fopen_index(zip->archive, index, 0);
  lac_status status = file ? read_entry(zip, file, bytes, info.size, name)
                           : lac_fail(LAC_EIO, "%s: entry '%.200s' cannot be opened: %s",
                                      zip->label, name, zip_strerror(zip->archive));
  if (file) zip_fclose(file);
  if (status != LAC_OK) {
    free(bytes);
    return status;
  }
  *out = bytes;
  *size = (size_t)info.size;
  return LAC_OK;
}
