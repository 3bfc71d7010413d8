/**
 * Writing HDF5 files, whole or not at all.
 *
 * Everything goes to a temporary file beside the path; lac_hdf5_writer_commit() adds the checksum
 * block (io/seal), syncs and renames. Until then, and after any failure, the file at the path is
 * what it was.
 */
#ifndef LAC_IO_HDF5_WRITER_H
#define LAC_IO_HDF5_WRITER_H

#include "io/hdf5.h"

typedef struct lac_hdf5_writer lac_hdf5_writer;

/** @return LAC_OK; LAC_EIO when the temporary file cannot be made, with the path */
lac_status lac_hdf5_writer_open(lac_hdf5_writer **out, const char *path);

/** Remove the temporary file unless committed. */
void lac_hdf5_writer_close(lac_hdf5_writer *writer);

/**
 * Write an array; groups named by the path are made.
 *
 * @param array    its name is the path inside the file; the data is copied
 * @param deflate  compress (byte shuffle, then deflate), losing nothing
 * @return LAC_OK; LAC_EINVAL for a path that is taken or no path; LAC_EIO, with the reason (disk
 * full)
 */
lac_status lac_hdf5_writer_array(lac_hdf5_writer *writer, const lac_array *array, bool deflate);

/** Write a text of any length as a list of bytes, deflated when long. */
lac_status lac_hdf5_writer_text(lac_hdf5_writer *writer, const char *path, const char *text,
                                size_t length);

/** Write bytes of any kind as they are, in one piece; lac_hdf5_read_text() reads them. */
lac_status lac_hdf5_writer_bytes(lac_hdf5_writer *writer, const char *path, const void *bytes,
                                 size_t length);

/**
 * Set an attribute of an array, a group or, at path "", the file; texts up to 60,000 bytes.
 *
 * @param value  TEXT, INTEGER or FLOAT
 */
lac_status lac_hdf5_writer_attribute(lac_hdf5_writer *writer, const char *path, const char *key,
                                     const lac_attribute *value);

/** Finish the file and put it in place. Nothing can be written afterwards. */
lac_status lac_hdf5_writer_commit(lac_hdf5_writer *writer);

#endif
