/*
 * The paths of all objects are listed once, when the file opens; every later access looks its path
 * up there first. That bounds what a file can make libhdf5 do by name, and makes has() cheap.
 */

#include "io/hdf5.h"

#include "core/memory.h"
#include "io/file.h"
#include "io/hdf5_error.h"
#include "io/seal.h"
#include "io/stored.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OBJECTS = 1 << 20 };

typedef struct object {
  char *path; // without a slash before it; "" is the file itself
  int dataset;
} object;

struct lac_hdf5 {
  hid_t id;
  char *path;
  object *objects; // datasets first, each kind sorted by path
  size_t count, capacity, datasets;
};

/* ---- opening ---- */

static lac_status add_object(lac_hdf5 *file, const char *path, int dataset) {
  const size_t length = strlen(path);
  char *copy;
  if (file->count >= MAX_OBJECTS)
    return lac_fail(LAC_EUNSUPPORTED, "%s: holds more than %d objects", file->path,
                    (int)MAX_OBJECTS);
  if (file->count == file->capacity) {
    const size_t capacity = file->capacity ? file->capacity * 2 : 64;
    LAC_TRY(lac_realloc(&file->objects, capacity, sizeof *file->objects, "a list of datasets"));
    file->capacity = capacity;
  }
  LAC_TRY(lac_alloc(&copy, length + 1, 1, "a path"));
  memcpy(copy, path, length);
  file->objects[file->count++] = (object){copy, dataset};
  file->datasets += dataset != 0;
  return LAC_OK;
}

typedef struct visit {
  lac_hdf5 *file;
  lac_status status;
} visit;

#if H5_VERSION_GE(1, 12, 0)
typedef H5O_info2_t object_info;
#else
typedef H5O_info_t object_info;
#endif

static herr_t visit_object(hid_t root, const char *path, const object_info *info, void *data) {
  visit *v = data;
  (void)root;
  if (info->type != H5O_TYPE_GROUP && info->type != H5O_TYPE_DATASET) return 0;
  const char *own = strcmp(path, ".") == 0 ? "" : path;
  v->status = add_object(v->file, own, info->type == H5O_TYPE_DATASET);
  return v->status != LAC_OK; // anything but 0 ends the visit
}

static int compare_objects(const void *a, const void *b) {
  const object *x = a, *y = b;
  if (x->dataset != y->dataset) return y->dataset - x->dataset;
  return strcmp(x->path, y->path);
}

static lac_status list_objects(lac_hdf5 *file) {
  visit v = {file, LAC_OK};
#if H5_VERSION_GE(1, 12, 0)
  const herr_t done =
      H5Ovisit3(file->id, H5_INDEX_NAME, H5_ITER_NATIVE, visit_object, &v, H5O_INFO_BASIC);
#else
  const herr_t done = H5Ovisit(file->id, H5_INDEX_NAME, H5_ITER_NATIVE, visit_object, &v);
#endif
  LAC_TRY(v.status);
  if (done < 0) return lac_hdf5_fail(file->path, "cannot list its datasets");
  qsort(file->objects, file->count, sizeof *file->objects, compare_objects);
  return LAC_OK;
}

static lac_status open_file(lac_hdf5 *file, const char *path) {
  const size_t length = strlen(path);
  LAC_TRY(lac_alloc(&file->path, length + 1, 1, "a path"));
  memcpy(file->path, path, length);
  const htri_t is_hdf5 = H5Fis_hdf5(path);
  if (is_hdf5 < 0) return lac_hdf5_fail(path, "cannot open");
  if (!is_hdf5) return lac_fail(LAC_EIO, "%s: is not an HDF5 file", path);
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
  file->id = H5Fopen(path, H5F_ACC_RDONLY, access);
  const lac_status status = file->id < 0 ? lac_hdf5_fail(path, "cannot open") : LAC_OK;
  H5Pclose(access);
  LAC_TRY(status);
  return list_objects(file);
}

lac_status lac_hdf5_open(lac_hdf5 **out, const char *path, bool thorough) {
  lac_hdf5 *file;
  LAC_TRY(lac_seal_check(path, thorough));
  LAC_TRY(lac_alloc(&file, 1, sizeof *file, "an HDF5 file"));
  file->id = H5I_INVALID_HID;
  const lac_hdf5_quiet before = lac_hdf5_hush();
  const lac_status status = open_file(file, path);
  lac_hdf5_unhush(before);
  if (status == LAC_OK)
    *out = file;
  else
    lac_hdf5_close(file);
  return status;
}

void lac_hdf5_close(lac_hdf5 *file) {
  if (!file) return;
  const lac_hdf5_quiet before = lac_hdf5_hush();
  if (file->id >= 0) H5Fclose(file->id);
  lac_hdf5_unhush(before);
  for (size_t i = 0; i < file->count; i++)
    free(file->objects[i].path);
  free(file->objects);
  free(file->path);
  free(file);
}

/* ---- finding ---- */

size_t lac_hdf5_count(const lac_hdf5 *file) {
  return file->datasets;
}

const char *lac_hdf5_name(const lac_hdf5 *file, size_t index) {
  return file->objects[index].path;
}

/* The object's own spelling of the path, or NULL. */
static const char *find_object(const lac_hdf5 *file, const char *path, int dataset) {
  const object wanted = {(char *)path + strspn(path, "/"), dataset};
  const object *found =
      bsearch(&wanted, file->objects, file->count, sizeof wanted, compare_objects);
  return found ? found->path : NULL;
}

bool lac_hdf5_has(const lac_hdf5 *file, const char *path) {
  return find_object(file, path, 1) != NULL;
}

/* ---- datasets ---- */

/* An open dataset with its type and space; ids are H5I_INVALID_HID until open. */
typedef struct dataset {
  hid_t id, type, space;
  H5T_class_t class;
  size_t size; // bytes of an element in the file
  int rank;
  hsize_t dims[LAC_ARRAY_MAX_RANK];
} dataset;

static void close_dataset(dataset *d) {
  if (d->space >= 0) H5Sclose(d->space);
  if (d->type >= 0) H5Tclose(d->type);
  if (d->id >= 0) H5Dclose(d->id);
}

/* Data that lies in other files would let a file read whatever its reader may. */
static lac_status check_layout(const lac_hdf5 *file, const dataset *d, const char *path) {
  const hid_t plist = H5Dget_create_plist(d->id);
  if (plist < 0) return lac_hdf5_fail(file->path, "cannot read '%.200s'", path);
  const int elsewhere = H5Pget_layout(plist) == H5D_VIRTUAL || H5Pget_external_count(plist) > 0;
  H5Pclose(plist);
  if (elsewhere)
    return lac_fail(LAC_EUNSUPPORTED, "%s: '%.200s' keeps its data in other files", file->path,
                    path);
  return LAC_OK;
}

static lac_status open_dataset(dataset *d, const lac_hdf5 *file, const char *path) {
  *d = (dataset){.id = -1, .type = -1, .space = -1};
  const char *own = find_object(file, path, 1);
  if (!own) return lac_fail(LAC_EINVAL, "%s: has no dataset '%.200s'", file->path, path);
  d->id = H5Dopen2(file->id, own, H5P_DEFAULT);
  if (d->id >= 0) d->type = H5Dget_type(d->id);
  if (d->id >= 0) d->space = H5Dget_space(d->id);
  if (d->type < 0 || d->space < 0) return lac_hdf5_fail(file->path, "cannot open '%.200s'", path);
  d->class = H5Tget_class(d->type);
  d->size = H5Tget_size(d->type);
  d->rank = H5Sget_simple_extent_ndims(d->space);
  if (H5Sget_simple_extent_type(d->space) == H5S_NULL)
    return lac_fail(LAC_EUNSUPPORTED, "%s: '%.200s' has no elements and no shape", file->path,
                    path);
  if (d->rank < 0 || d->rank > LAC_ARRAY_MAX_RANK)
    return lac_fail(LAC_ESHAPE, "%s: '%.200s' has %d dimensions, at most %d are allowed",
                    file->path, path, d->rank, (int)LAC_ARRAY_MAX_RANK);
  if (H5Sget_simple_extent_dims(d->space, d->dims, NULL) < 0)
    return lac_hdf5_fail(file->path, "cannot read the shape of '%.200s'", path);
  return check_layout(file, d, path);
}

lac_status lac_hdf5_stored_bytes(uint64_t *out, const lac_hdf5 *file, const char *path) {
  dataset d;
  const lac_hdf5_quiet before = lac_hdf5_hush();
  const lac_status status = open_dataset(&d, file, path);
  if (status == LAC_OK) *out = H5Dget_storage_size(d.id);
  close_dataset(&d);
  lac_hdf5_unhush(before);
  return status;
}

/*
 * The narrowest type in memory that holds every value of the file's: libhdf5 converts to it, and
 * lac_stored_convert() from there, because libhdf5 clips what does not fit without a word.
 */
static lac_status pick_type(lac_stored *out, const dataset *d, const lac_hdf5 *file,
                            const char *path) {
  switch (d->class) {
  case H5T_FLOAT:
    *out = d->size <= 4 ? LAC_STORED_F32 : LAC_STORED_F64;
    return LAC_OK;
  case H5T_INTEGER:
    *out = d->size < 4 || (d->size == 4 && H5Tget_sign(d->type) == H5T_SGN_2) ? LAC_STORED_I32
                                                                              : LAC_STORED_I64;
    return LAC_OK;
  case H5T_ENUM: // h5py's booleans
    *out = LAC_STORED_I64;
    return LAC_OK;
  default:
    return lac_fail(LAC_EUNSUPPORTED, "%s: '%.200s' holds neither numbers nor booleans", file->path,
                    path);
  }
}

static hid_t memory_type(lac_stored type) {
  switch (type) {
  case LAC_STORED_F32:
    return H5T_NATIVE_FLOAT;
  case LAC_STORED_F64:
    return H5T_NATIVE_DOUBLE;
  case LAC_STORED_I64:
    return H5T_NATIVE_INT64;
  default:
    return H5T_NATIVE_INT32;
  }
}

static lac_status read_elements(const lac_hdf5 *file, const dataset *d, lac_stored type,
                                lac_array *array) {
  void *wide = NULL;
  const int direct = lac_stored_bytes(type) == LAC_ELEMENT_BYTES;
  lac_status status = LAC_OK;
  if (array->count == 0) return LAC_OK;
  if (!direct) LAC_TRY(lac_alloc(&wide, (size_t)array->count, lac_stored_bytes(type), array->name));
  if (H5Dread(d->id, memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT,
              direct ? array->data : wide) < 0)
    status = lac_hdf5_fail(file->path, "cannot read '%.200s'", array->name);
  else if (!direct)
    status = lac_file_blame(lac_stored_convert(array->data, wide, type, array->count, array->name),
                            file->path);
  free(wide);
  return status;
}

static lac_status read_array(lac_archive *into, const lac_hdf5 *file, const char *path) {
  dataset d;
  lac_stored type = LAC_STORED_F32;
  lac_array *array;
  uint64_t dims[LAC_ARRAY_MAX_RANK];
  lac_status status = open_dataset(&d, file, path);
  if (status == LAC_OK) status = pick_type(&type, &d, file, path);
  if (status == LAC_OK) {
    for (int i = 0; i < d.rank; i++)
      dims[i] = d.dims[i];
    status = lac_file_blame(
        lac_archive_append(into, &array, path, lac_stored_dtype(type), (size_t)d.rank, dims),
        file->path);
  }
  if (status == LAC_OK) status = read_elements(file, &d, type, array);
  close_dataset(&d);
  return status;
}

lac_status lac_hdf5_read(lac_archive **out, const lac_hdf5 *file, const char *path) {
  lac_archive *archive;
  LAC_TRY(lac_archive_new(&archive, 0));
  const lac_hdf5_quiet before = lac_hdf5_hush();
  const lac_status status = read_array(archive, file, path);
  lac_hdf5_unhush(before);
  if (status == LAC_OK)
    *out = archive;
  else
    lac_archive_release(archive);
  return status;
}

/* ---- places ---- */

static bool is_float(const dataset *d, size_t size, size_t sign, size_t exponent, size_t bias) {
  size_t s, e, e_bits, m, m_bits;
  return d->class == H5T_FLOAT && d->size == size && H5Tget_order(d->type) == H5T_ORDER_LE &&
         H5Tget_fields(d->type, &s, &e, &e_bits, &m, &m_bits) >= 0 && s == sign && e == exponent &&
         e_bits == sign - exponent && m == 0 && m_bits == exponent && H5Tget_ebias(d->type) == bias;
}

static lac_status locate(lac_hdf5_place *out, const lac_hdf5 *file, const dataset *d,
                         const char *path) {
  const bool half = is_float(d, 2, 15, 10, 15);
  hsize_t size;
  if (d->rank != 2 || (!half && !is_float(d, 4, 31, 23, 127)))
    return lac_fail(LAC_EUNSUPPORTED, "%s: '%.200s' is not rows of float32 or float16", file->path,
                    path);
  *out = (lac_hdf5_place){half ? LAC_STORED_F16 : LAC_STORED_F32, 0, d->dims[0], d->dims[1]};
  if (d->dims[0] == 0 || d->dims[1] == 0) return LAC_OK;
  const haddr_t offset = H5Dget_offset(d->id); // counts from the beginning of the file
  if (offset == HADDR_UNDEF)
    return lac_fail(LAC_EUNSUPPORTED, "%s: '%.200s' does not lie in one piece", file->path, path);
  if (H5Fget_filesize(file->id, &size) < 0) return lac_hdf5_fail(file->path, "cannot look at it");
  if (offset > size || d->dims[0] > (size - offset) / d->size / d->dims[1])
    return lac_fail(LAC_EIO, "%s: is damaged: '%.200s' reaches beyond the end", file->path, path);
  out->offset = offset;
  return LAC_OK;
}

lac_status lac_hdf5_locate(lac_hdf5_place *out, const lac_hdf5 *file, const char *path) {
  dataset d;
  lac_hdf5_place place;
  const lac_hdf5_quiet before = lac_hdf5_hush();
  lac_status status = open_dataset(&d, file, path);
  if (status == LAC_OK) status = locate(&place, file, &d, path);
  if (status == LAC_OK) *out = place;
  close_dataset(&d);
  lac_hdf5_unhush(before);
  return status;
}

/* ---- texts ---- */

/* How to read from a dataset or an attribute, and to whom a failure belongs. */
typedef struct source {
  const lac_hdf5 *file;
  const char *name;
  hid_t id;
  int attribute;
} source;

static lac_status read_raw(const source *from, hid_t type, void *to) {
  const herr_t done = from->attribute ? H5Aread(from->id, type, to)
                                      : H5Dread(from->id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, to);
  return done < 0 ? lac_hdf5_fail(from->file->path, "cannot read '%.200s'", from->name) : LAC_OK;
}

static lac_status copy_text(char **out, size_t *length, const char *text, size_t n) {
  LAC_TRY(lac_alloc(out, n + 1, 1, "a text"));
  if (n) memcpy(*out, text, n);
  *length = n;
  return LAC_OK;
}

/* One string; libhdf5 owns the memory of one of variable length, NULL for an empty one. */
static lac_status read_string(char **out, size_t *length, const source *from, hid_t file_type,
                              size_t size) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  char *text = NULL;
  lac_status status;
  H5Tset_cset(type, H5Tget_cset(file_type));
  if (H5Tis_variable_str(file_type) > 0) {
    H5Tset_size(type, H5T_VARIABLE);
    status = read_raw(from, type, &text);
    if (status == LAC_OK) status = copy_text(out, length, text, text ? strlen(text) : 0);
    H5free_memory(text);
  } else {
    status = size < lac_archive_default_limit()
                 ? lac_alloc(&text, size + 1, 1, "a text")
                 : lac_fail(LAC_ENOMEM, "%s: '%.200s' is too long", from->file->path, from->name);
    if (status == LAC_OK) {
      H5Tset_size(type, size + 1);
      status = read_raw(from, type, text);
    }
    if (status == LAC_OK) status = copy_text(out, length, text, strlen(text));
    free(text);
  }
  H5Tclose(type);
  return status;
}

static lac_status read_text(char **out, size_t *length, const source *from, const dataset *d) {
  char *bytes;
  if (d->class == H5T_STRING && H5Sget_simple_extent_npoints(d->space) == 1)
    return read_string(out, length, from, d->type, d->size);
  if (d->class != H5T_INTEGER || d->size != 1 || d->rank != 1)
    return lac_fail(LAC_EUNSUPPORTED, "%s: '%.200s' is not a text", from->file->path, from->name);
  if (d->dims[0] >= lac_archive_default_limit())
    return lac_fail(LAC_ENOMEM, "%s: '%.200s' is too long: %" PRIu64 " bytes", from->file->path,
                    from->name, (uint64_t)d->dims[0]);
  LAC_TRY(lac_alloc(&bytes, (size_t)d->dims[0] + 1, 1, from->name));
  const lac_status status = d->dims[0] ? read_raw(from, H5T_NATIVE_UINT8, bytes) : LAC_OK;
  if (status != LAC_OK) {
    free(bytes);
    return status;
  }
  *out = bytes;
  *length = (size_t)d->dims[0];
  return LAC_OK;
}

lac_status lac_hdf5_read_text(char **out, size_t *length, const lac_hdf5 *file, const char *path) {
  dataset d;
  const lac_hdf5_quiet before = lac_hdf5_hush();
  lac_status status = open_dataset(&d, file, path);
  const source from = {file, path, d.id, 0};
  if (status == LAC_OK) status = read_text(out, length, &from, &d);
  close_dataset(&d);
  lac_hdf5_unhush(before);
  return status;
}

/* ---- attributes ---- */

static lac_status read_value(lac_attribute *out, const source *from, hid_t type, hid_t space) {
  size_t length;
  lac_attribute value = {0};
  lac_status status;
  const hssize_t points = space < 0 ? -1 : H5Sget_simple_extent_npoints(space);
  switch (points == 1 && type >= 0 ? H5Tget_class(type) : H5T_NO_CLASS) {
  case H5T_STRING:
    value.kind = LAC_ATTRIBUTE_TEXT;
    status = read_string(&value.text, &length, from, type, H5Tget_size(type));
    break;
  case H5T_INTEGER:
  case H5T_ENUM:
    value.kind = LAC_ATTRIBUTE_INTEGER;
    status = read_raw(from, H5T_NATIVE_INT64, &value.integer);
    break;
  case H5T_FLOAT:
    value.kind = LAC_ATTRIBUTE_FLOAT;
    status = read_raw(from, H5T_NATIVE_DOUBLE, &value.number);
    break;
  default:
    return lac_fail(LAC_EUNSUPPORTED, "%s: attribute '%.200s' is not one text or number",
                    from->file->path, from->name);
  }
  if (status == LAC_OK) *out = value;
  return status;
}

static lac_status read_attribute(lac_attribute *out, const lac_hdf5 *file, const char *path,
                                 const char *key) {
  const char *own = find_object(file, path, 0);
  if (!own) own = find_object(file, path, 1);
  if (!own) return lac_fail(LAC_EINVAL, "%s: has no '%.200s'", file->path, path);
  const char *object_path = *own ? own : ".";
  const htri_t there = H5Aexists_by_name(file->id, object_path, key, H5P_DEFAULT);
  if (there == 0) {
    *out = (lac_attribute){0};
    return LAC_OK;
  }
  source from = {file, key, -1, 1};
  if (there > 0) from.id = H5Aopen_by_name(file->id, object_path, key, H5P_DEFAULT, H5P_DEFAULT);
  if (from.id < 0) return lac_hdf5_fail(file->path, "cannot read attribute '%.200s'", key);
  const hid_t type = H5Aget_type(from.id), space = H5Aget_space(from.id);
  const lac_status status = read_value(out, &from, type, space);
  if (type >= 0) H5Tclose(type);
  if (space >= 0) H5Sclose(space);
  H5Aclose(from.id);
  return status;
}

lac_status lac_hdf5_read_attribute(lac_attribute *out, const lac_hdf5 *file, const char *path,
                                   const char *key) {
  const lac_hdf5_quiet before = lac_hdf5_hush();
  const lac_status status = read_attribute(out, file, path, key);
  lac_hdf5_unhush(before);
  return status;
}
