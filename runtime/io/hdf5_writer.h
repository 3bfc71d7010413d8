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
#include "io/stored.h"

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

/**
 * Append rows to a dataset whose length is known only at the end: committing makes it [all rows,
 * width], in one piece and not deflated, as lac_hdf5_locate() wants it. Memory stays small; until
 * then the rows wait in a nameless file beside the path, so the disk holds them twice for a while.
 *
 * @param rows  float32 [n, width]; its name is the path inside the file, and the first call for a
 *              path settles the width
 * @param type  what is stored: LAC_STORED_F32 or LAC_STORED_F16
 * @return LAC_OK; LAC_ESHAPE for another width; LAC_EINVAL for a value beyond float16, and then
 *         nothing was appended; LAC_EIO
 */
lac_status lac_hdf5_writer_append(lac_hdf5_writer *writer, const lac_array *rows, lac_stored type);

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
