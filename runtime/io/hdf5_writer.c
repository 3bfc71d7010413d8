/*
 * libhdf5 cannot close a file whose writes fail: it tries them again, and crashes when the process
 * ends with the file still half open. So the descriptor of a file that is given up is first pointed
 * at a file in memory, whose holes cost nothing; then closing succeeds, and the temporary file is
 * removed.
 */
#include "io/hdf5_writer.h"

#include "core/memory.h"
#include "io/file.h"
#include "io/hdf5_error.h"
#include "io/hdf5_rows.h"
#include "io/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CHUNK_BYTES = 1 << 20, LONG_TEXT = 1 << 12, MAX_ATTRIBUTE = 60000, DEFLATE_LEVEL = 6 };
enum { FLUSH_SLACK = 1 << 16 };

struct lac_hdf5_writer {
  lac_stage *stage;
  hid_t id;
  lac_hdf5_rows *growing; // a list
  int failed;             // a write failed: the file must not be committed
};

static lac_status create_file(hid_t *out, const lac_stage *stage) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS), create = H5Pcreate(H5P_FILE_CREATE);
  lac_status status = LAC_OK;
  H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
  H5Pset_userblock(create, LAC_SEAL_BYTES);
  *out = H5Fcreate(lac_stage_temp(stage), H5F_ACC_TRUNC, create, access);
  if (*out < 0) status = lac_hdf5_fail(lac_stage_path(stage), "cannot create");
  H5Pclose(access);
  H5Pclose(create);
  return status;
}

lac_status lac_hdf5_writer_open(lac_hdf5_writer **out, const char *path) {
  lac_hdf5_writer *writer;
  LAC_TRY(lac_alloc(&writer, 1, sizeof *writer, "an HDF5 file"));
  writer->id = H5I_INVALID_HID;
  lac_status status = lac_stage_open(&writer->stage, path);
  if (status == LAC_OK) {
    const lac_hdf5_quiet before = lac_hdf5_hush();
    status = create_file(&writer->id, writer->stage);
    lac_hdf5_unhush(before);
  }
  if (status == LAC_OK)
    *out = writer;
  else
    lac_hdf5_writer_close(writer);
  return status;
}

/* Let what libhdf5 still wants to write go to memory, where it always succeeds. */
static void divert_writes(hid_t file, const char *temp) {
#ifdef __linux__
  void *handle = NULL;
  const int scratch = memfd_create("lacuna", MFD_CLOEXEC);
  if (scratch >= 0 && H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) >= 0 && handle)
    dup2(scratch, *(const int *)handle);
  if (scratch >= 0) close(scratch);
  if (handle) return;
#endif
  if (truncate(temp, 0) != 0) return; // at least room on a full disk
}

void lac_hdf5_writer_close(lac_hdf5_writer *writer) {
  if (!writer) return;
  if (writer->id >= 0) {
    const lac_hdf5_quiet before = lac_hdf5_hush();
    divert_writes(writer->id, lac_stage_temp(writer->stage));
    H5Fclose(writer->id);
    lac_hdf5_unhush(before);
  }
  lac_hdf5_rows_release(writer->growing);
  lac_stage_close(writer->stage);
  free(writer);
}

/* ---- paths ---- */

/* libhdf5 gives "." and empty parts a meaning; here they are mistakes. */
static lac_status check_path(const lac_hdf5_writer *writer, const char *path) {
  const char *file = lac_stage_path(writer->stage);
  for (const char *part = path;; part++) {
    const size_t n = strcspn(part, "/");
    if (n == 0 || (n == 1 && *part == '.'))
      return lac_fail(LAC_EINVAL, "%s: '%.200s' is not a path for a dataset", file, path);
    part += n;
    if (!*part) return LAC_OK;
  }
}

/* ---- datasets ---- */

/* Blocks of about CHUNK_BYTES: the leading dimensions are halved first, so that blocks stay rows.
 */
static void pick_chunks(hsize_t *chunks, const hsize_t *dims, int rank, size_t bytes) {
  for (int i = 0; i < rank; i++)
    chunks[i] = dims[i];
  for (int i = 0; i < rank; i++)
    for (;;) {
      double total = (double)bytes;
      for (int k = 0; k < rank; k++)
        total *= (double)chunks[k];
      if (total <= CHUNK_BYTES || chunks[i] == 1) break;
      chunks[i] = (chunks[i] + 1) / 2;
    }
}

/* Creation: no time stamps, so that equal contents give equal files; chunks when deflated. */
static hid_t creation_list(const hsize_t *dims, int rank, size_t bytes, bool deflate) {
  hsize_t chunks[LAC_ARRAY_MAX_RANK];
  const hid_t create = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_obj_track_times(create, false);
  for (int i = 0; i < rank; i++)
    deflate &= dims[i] > 0; // nothing to compress, and chunks cannot be empty
  if (deflate && rank > 0) {
    pick_chunks(chunks, dims, rank, bytes);
    H5Pset_chunk(create, rank, chunks);
    if (bytes > 1) H5Pset_shuffle(create);
    H5Pset_deflate(create, DEFLATE_LEVEL);
  }
  return create;
}

static lac_status create_dataset(hid_t *out, const lac_hdf5_writer *writer, const char *path,
                                 hid_t type, const hsize_t *dims, int rank, bool deflate) {
  const char *file = lac_stage_path(writer->stage);
  LAC_TRY(check_path(writer, path));
  if (H5Lexists(writer->id, path, H5P_DEFAULT) > 0)
    return lac_fail(LAC_EINVAL, "%s: already has '%.200s'", file, path);
  const hid_t space = rank ? H5Screate_simple(rank, dims, NULL) : H5Screate(H5S_SCALAR);
  const hid_t link = H5Pcreate(H5P_LINK_CREATE);
  const hid_t create = creation_list(dims, rank, H5Tget_size(type), deflate);
  lac_status status = LAC_OK;
  H5Pset_create_intermediate_group(link, 1);
  *out = H5Dcreate2(writer->id, path, type, space, link, create, H5P_DEFAULT);
  if (*out < 0) status = lac_hdf5_fail(file, "cannot create '%.200s'", path);
  if (space >= 0) H5Sclose(space);
  H5Pclose(link);
  H5Pclose(create);
  return status;
}

static lac_status close_dataset(const lac_hdf5_writer *writer, hid_t id, const char *path,
                                lac_status status) {
  if (H5Dclose(id) < 0 && status == LAC_OK)
    return lac_hdf5_fail(lac_stage_path(writer->stage), "cannot write '%.200s'", path);
  return status;
}

static lac_status write_data(lac_hdf5_writer *writer, const char *path, hid_t file_type,
                             hid_t memory_type, const hsize_t *dims, int rank, const void *data,
                             bool deflate) {
  hid_t id = H5I_INVALID_HID;
  lac_status status = LAC_OK;
  bool empty = false;
  for (int i = 0; i < rank; i++)
    empty |= dims[i] == 0;
  LAC_TRY(create_dataset(&id, writer, path, file_type, dims, rank, deflate));
  if (!empty && H5Dwrite(id, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
    status = lac_hdf5_fail(lac_stage_path(writer->stage), "cannot write '%.200s'", path);
  return close_dataset(writer, id, path, status);
}

/* Every writing function passes here: open, silent, and remembering a failure. */
static lac_status check_open(const lac_hdf5_writer *writer) {
  const char *file = lac_stage_path(writer->stage);
  if (writer->failed) return lac_fail(LAC_EIO, "%s: an earlier write failed", file);
  if (writer->id < 0) return lac_fail(LAC_EINVAL, "%s: is already complete", file);
  return LAC_OK;
}

lac_status lac_hdf5_writer_array(lac_hdf5_writer *writer, const lac_array *array, bool deflate) {
  lac_fault_moment();
  hsize_t dims[LAC_ARRAY_MAX_RANK];
  const bool is_float = array->dtype == LAC_F32;
  LAC_TRY(check_open(writer));
  for (size_t d = 0; d < array->rank; d++)
    dims[d] = array->dims[d];
  const lac_hdf5_quiet before = lac_hdf5_hush();
  const lac_status status = write_data(
      writer, array->name, is_float ? H5T_IEEE_F32LE : H5T_STD_I32LE,
      is_float ? H5T_NATIVE_FLOAT : H5T_NATIVE_INT32, dims, (int)array->rank, array->data, deflate);
  lac_hdf5_unhush(before);
  writer->failed |= status == LAC_EIO;
  return status;
}

static lac_status write_bytes(lac_hdf5_writer *writer, const char *path, const void *bytes,
                              size_t length, bool deflate) {
  const hsize_t dims[] = {length};
  LAC_TRY(check_open(writer));
  const lac_hdf5_quiet before = lac_hdf5_hush();
  const lac_status status =
      write_data(writer, path, H5T_STD_U8LE, H5T_NATIVE_UINT8, dims, 1, bytes, deflate);
  lac_hdf5_unhush(before);
  writer->failed |= status == LAC_EIO;
  return status;
}

lac_status lac_hdf5_writer_text(lac_hdf5_writer *writer, const char *path, const char *text,
                                size_t length) {
  return write_bytes(writer, path, text, length, length >= LONG_TEXT);
}

lac_status lac_hdf5_writer_bytes(lac_hdf5_writer *writer, const char *path, const void *bytes,
                                 size_t length) {
  return write_bytes(writer, path, bytes, length, false);
}

/* ---- growing datasets ---- */

lac_status lac_hdf5_writer_append(lac_hdf5_writer *writer, const lac_array *rows, lac_stored type) {
  const char *file = lac_stage_path(writer->stage);
  LAC_TRY(check_open(writer));
  LAC_TRY(check_path(writer, rows->name));
  if (rows->rank != 2 || rows->dtype != LAC_F32 || rows->dims[1] == 0)
    return lac_fail(LAC_ESHAPE, "%s: '%.200s' takes rows of numbers", file, rows->name);
  lac_hdf5_rows *growing = lac_hdf5_rows_find(writer->growing, rows->name);
  if (!growing) {
    const lac_hdf5_rows_plan plan = {file, lac_stage_temp(writer->stage), rows->name, type,
                                     rows->dims[1]};
    LAC_TRY(lac_hdf5_rows_add(&growing, &writer->growing, &plan));
  }
  const lac_status status = lac_hdf5_rows_append(growing, rows);
  writer->failed |= status == LAC_EIO;
  return status;
}

static lac_status write_growing(lac_hdf5_writer *writer) {
  for (lac_hdf5_rows *rows = writer->growing; rows; rows = lac_hdf5_rows_next(rows)) {
    hid_t id = H5I_INVALID_HID;
    hsize_t dims[2];
    const char *name = lac_hdf5_rows_name(rows);
    const hid_t type = lac_hdf5_rows_type(rows, dims);
    lac_status status = create_dataset(&id, writer, name, type, dims, 2, false);
    if (status == LAC_OK)
      status = close_dataset(writer, id, name, lac_hdf5_rows_pour(rows, id, type));
    H5Tclose(type);
    LAC_TRY(status);
  }
  return LAC_OK;
}

/* ---- attributes ---- */

static lac_status write_value(hid_t object, const char *file, const char *key, hid_t type,
                              const void *value) {
  const hid_t space = H5Screate(H5S_SCALAR);
  lac_status status = LAC_OK;
  if (H5Aexists(object, key) > 0) H5Adelete(object, key);
  const hid_t id = H5Acreate2(object, key, type, space, H5P_DEFAULT, H5P_DEFAULT);
  if (id < 0 || H5Awrite(id, type, value) < 0)
    status = lac_hdf5_fail(file, "cannot write attribute '%.200s'", key);
  if (id >= 0) H5Aclose(id);
  H5Sclose(space);
  return status;
}

static lac_status write_attribute(const lac_hdf5_writer *writer, hid_t object, const char *key,
                                  const lac_attribute *value) {
  const char *file = lac_stage_path(writer->stage);
  if (value->kind == LAC_ATTRIBUTE_INTEGER)
    return write_value(object, file, key, H5T_NATIVE_INT64, &value->integer);
  if (value->kind == LAC_ATTRIBUTE_FLOAT)
    return write_value(object, file, key, H5T_NATIVE_DOUBLE, &value->number);
  const size_t length = strlen(value->text);
  if (length > MAX_ATTRIBUTE)
    return lac_fail(LAC_EINVAL, "%s: attribute '%.200s' has %zu bytes; write it as a text", file,
                    key, length);
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, length + 1); // with the closing zero: an empty text has a size, too
  H5Tset_cset(type, H5T_CSET_UTF8);
  const lac_status status = write_value(object, file, key, type, value->text);
  H5Tclose(type);
  return status;
}

lac_status lac_hdf5_writer_attribute(lac_hdf5_writer *writer, const char *path, const char *key,
                                     const lac_attribute *value) {
  LAC_TRY(check_open(writer));
  if (!*key)
    return lac_fail(LAC_EINVAL, "%s: an attribute needs a name", lac_stage_path(writer->stage));
  if (*path) LAC_TRY(check_path(writer, path));
  const lac_hdf5_quiet before = lac_hdf5_hush();
  const hid_t object = H5Oopen(writer->id, *path ? path : ".", H5P_DEFAULT);
  lac_status status;
  if (object < 0)
    status = lac_fail(LAC_EINVAL, "%s: has no '%.200s' to describe", lac_stage_path(writer->stage),
                      path);
  else {
    status = write_attribute(writer, object, key, value);
    H5Oclose(object);
  }
  lac_hdf5_unhush(before);
  writer->failed |= status == LAC_EIO;
  return status;
}

/* ---- commit ---- */

/* Room on the disk for all that the flush is going to write: libhdf5 cannot give a file up any more
 * once a flush of its bookkeeping has failed. */
static lac_status reserve_room(const lac_hdf5_writer *writer, int descriptor) {
  hsize_t bytes = 0;
  if (H5Fget_filesize(writer->id, &bytes) < 0) return LAC_OK;
  const int why = posix_fallocate(descriptor, 0, (off_t)(bytes + FLUSH_SLACK));
  if (why != ENOSPC && why != EDQUOT && why != EFBIG) return LAC_OK;
  return lac_fail(LAC_EIO, "%s: cannot write: %s", lac_stage_path(writer->stage), strerror(why));
}

/* Cut off the room that the flush did not need. */
static void return_room(const lac_hdf5_writer *writer, int descriptor) {
  hsize_t bytes = 0;
  if (H5Fget_filesize(writer->id, &bytes) >= 0 && ftruncate(descriptor, (off_t)bytes) != 0)
    return; // then the file stays a little longer than need be
}

static lac_status finish_file(lac_hdf5_writer *writer) {
  const char *file = lac_stage_path(writer->stage);
  lac_fault_moment();
  void *handle = NULL;
  if (H5Fget_vfd_handle(writer->id, H5P_DEFAULT, &handle) < 0 || !handle)
    return lac_hdf5_fail(file, "cannot write");
  const int descriptor = *(const int *)handle;
  LAC_TRY(reserve_room(writer, descriptor));
  if (H5Fflush(writer->id, H5F_SCOPE_LOCAL) < 0) return lac_hdf5_fail(file, "cannot write");
  return_room(writer, descriptor);
  if (H5Fclose(writer->id) < 0) return lac_hdf5_fail(file, "cannot write");
  writer->id = H5I_INVALID_HID;
  return LAC_OK;
}

lac_status lac_hdf5_writer_commit(lac_hdf5_writer *writer) {
  LAC_TRY(check_open(writer));
  const lac_hdf5_quiet before = lac_hdf5_hush();
  lac_status status = write_growing(writer);
  if (status == LAC_OK) status = finish_file(writer);
  lac_hdf5_unhush(before);
  if (status == LAC_OK) status = lac_seal_write(lac_stage_temp(writer->stage));
  if (status == LAC_OK) status = lac_stage_commit(writer->stage);
  writer->failed |= status != LAC_OK;
  return status;
}
