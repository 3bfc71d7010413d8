/**
 * Datasets that grow until their file is committed. Used by io/hdf5_writer and by nothing else.
 *
 * HDF5 keeps a dataset in one piece only when its size is known from the start, so rows wait in a
 * nameless temporary file of their own and are copied at the end.
 */
#ifndef LAC_IO_HDF5_ROWS_H
#define LAC_IO_HDF5_ROWS_H

#include "io/archive.h"
#include "io/stored.h"

#include <hdf5.h>

/** One growing dataset, and the next in a list of them. */
typedef struct lac_hdf5_rows lac_hdf5_rows;

typedef struct lac_hdf5_rows_plan {
  const char *file; /* for messages; has to outlive the rows */
  const char *temp; /* the temporary file's name begins with it */
  const char *name; /* of the dataset; copied */
  lac_stored type;  /* LAC_STORED_F32 or LAC_STORED_F16 */
  uint64_t width;
} lac_hdf5_rows_plan;

/** Add a dataset at the end of a list, which owns it. LAC_EIO when there is no place on the disk.
 */
lac_status lac_hdf5_rows_add(lac_hdf5_rows **out, lac_hdf5_rows **list,
                             const lac_hdf5_rows_plan *plan);

/** Release a whole list; NULL is an empty one. */
void lac_hdf5_rows_release(lac_hdf5_rows *list);

lac_hdf5_rows *lac_hdf5_rows_find(lac_hdf5_rows *list, const char *name);
lac_hdf5_rows *lac_hdf5_rows_next(const lac_hdf5_rows *rows);
const char *lac_hdf5_rows_name(const lac_hdf5_rows *rows);

/** The type in the file, to be closed by the caller, and the shape so far. */
hid_t lac_hdf5_rows_type(const lac_hdf5_rows *rows, hsize_t dims[2]);

/** Append float32 [n, width]. LAC_ESHAPE; LAC_EINVAL, nothing appended; LAC_EIO. */
lac_status lac_hdf5_rows_append(lac_hdf5_rows *rows, const lac_array *array);

/** Copy all rows into a dataset of that type and shape. */
lac_status lac_hdf5_rows_pour(lac_hdf5_rows *rows, hid_t dataset, hid_t type);

#endif
