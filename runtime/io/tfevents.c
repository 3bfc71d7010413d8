/*
 * A record: length (u64), masked CRC of these eight bytes (u32), data, masked CRC of the data
 * (u32); numbers little-endian, as TensorFlow's lib/io/record_writer.h has them. The data is an
 * Event of core/util/event.proto, of which these fields are written:
 *
 *   Event    1 wall_time double, 2 step int64, 3 file_version string, 5 summary Summary
 *   Summary  1 value Value, repeated
 *   Value    1 tag string, 2 simple_value float
 */
#include "io/tfevents.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
  HEAD = 12, // length and its check
  TAIL = 4,
  DATA_MAX = LAC_TFEVENTS_TAG_MAX + 64, // of what is written here
};

/* ---- checks ---- */

/* Four bits at a time: entry i is what i does to the polynomial, four shifts later. */
uint32_t lac_crc32c(const void *bytes, size_t size) {
  static const uint32_t table[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
                                     0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
                                     0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                     0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
  const unsigned char *p = bytes;
  uint32_t crc = 0xffffffff;
  for (size_t i = 0; i < size; i++) {
    crc ^= p[i];
    crc = (crc >> 4) ^ table[crc & 15];
    crc = (crc >> 4) ^ table[crc & 15];
  }
  return ~crc;
}

/* So that a check over data that holds checks does not come out the same for all. */
static uint32_t masked_crc(const void *bytes, size_t size) {
  const uint32_t crc = lac_crc32c(bytes, size);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

/* ---- encoding ---- */

/* Bytes being put together; what is put in is known to fit. */
typedef struct draft {
  unsigned char at[HEAD + DATA_MAX + TAIL];
  size_t size;
} draft;

static void put_fixed(draft *d, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++)
    d->at[d->size++] = (unsigned char)(value >> (8 * i));
}

static void put_varint(draft *d, uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    d->at[d->size++] = (unsigned char)(value | 0x80);
  d->at[d->size++] = (unsigned char)value;
}

static void put_bytes(draft *d, const void *bytes, size_t size) {
  memcpy(d->at + d->size, bytes, size);
  d->size += size;
}

/* How a field's value is laid out: the low bits of its key. */
enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static void put_key(draft *d, unsigned field, unsigned layout) {
  put_varint(d, field << 3 | layout);
}

static void put_text(draft *d, unsigned field, const char *text, size_t length) {
  put_key(d, field, BYTES);
  put_varint(d, length);
  put_bytes(d, text, length);
}

static void put_wall_time(draft *d, double seconds) {
  uint64_t bits;
  memcpy(&bits, &seconds, sizeof bits);
  put_key(d, 1, FIXED64);
  put_fixed(d, bits, 8);
}

static void put_message(draft *d, unsigned field, const draft *message) {
  put_key(d, field, BYTES);
  put_varint(d, message->size);
  put_bytes(d, message->at, message->size);
}

static lac_status write_record(lac_append *file, const draft *data) {
  draft record = {.size = 0};
  put_fixed(&record, data->size, 8);
  put_fixed(&record, masked_crc(record.at, 8), 4);
  put_bytes(&record, data->at, data->size);
  put_fixed(&record, masked_crc(data->at, data->size), 4);
  return lac_append_write(file, record.at, record.size);
}

/* ---- reading back, to know where a record ends ---- */

static uint64_t read_fixed(const unsigned char *at, int bytes) {
  uint64_t value = 0;
  for (int i = bytes - 1; i >= 0; i--)
    value = value << 8 | at[i];
  return value;
}

/* The next record's bytes: 0 at the end, and where it is not whole, not sound, or not of ours. */
static uint64_t next_record(FILE *in) {
  unsigned char head[HEAD], data[DATA_MAX + TAIL];
  if (fread(head, 1, HEAD, in) != HEAD || read_fixed(head + 8, 4) != masked_crc(head, 8)) return 0;
  const uint64_t size = read_fixed(head, 8);
  if (size > DATA_MAX || fread(data, 1, size + TAIL, in) != size + TAIL) return 0;
  return read_fixed(data + size, TAIL) == masked_crc(data, size) ? HEAD + size + TAIL : 0;
}

/* Where the last whole record that ends at or before `limit` ends. */
static lac_status find_end(uint64_t *out, const char *path, uint64_t limit) {
  uint64_t end = 0, size;
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a FIFO must not block here
  FILE *in = fd < 0 ? NULL : fdopen(fd, "rb");
  if (!in) {
    const lac_status status = lac_fail(LAC_EIO, "%s: cannot open: %s", path, strerror(errno));
    if (fd >= 0) close(fd);
    return status;
  }
  while (end < limit && (size = next_record(in)) != 0 && size <= limit - end)
    end += size;
  const int why = ferror(in) ? errno : 0;
  fclose(in);
  if (why) return lac_fail(LAC_EIO, "%s: cannot read: %s", path, strerror(why));
  *out = end;
  return LAC_OK;
}

/* ---- files ---- */

lac_status lac_tfevents_create(lac_append **out, const char *path, double wall_time) {
  static const char version[] = "brain.Event:2";
  lac_append *file;
  draft data = {.size = 0};
  put_wall_time(&data, wall_time);
  put_text(&data, 3, version, sizeof version - 1);
  LAC_TRY(lac_append_create(&file, path));
  const lac_status status = write_record(file, &data);
  if (status == LAC_OK)
    *out = file;
  else
    lac_append_close(file);
  return status;
}

lac_status lac_tfevents_open(lac_append **out, const char *path, uint64_t bytes) {
  uint64_t end;
  LAC_TRY(find_end(&end, path, bytes));
  if (end == 0)
    return lac_fail(LAC_EIO, "%s: does not begin with a whole record of a TensorBoard file", path);
  if (bytes != UINT64_MAX && end != bytes)
    return lac_fail(LAC_EIO,
                    "%s: was to go on after %" PRIu64 " bytes, but the last whole record before "
                    "that ends after %" PRIu64,
                    path, bytes, end);
  return lac_append_open(out, path, end);
}

static lac_status check_tag(const char *tag) {
  const size_t length = strlen(tag);
  if (length < 1 || length > LAC_TFEVENTS_TAG_MAX)
    return lac_fail(LAC_EINVAL, "tfevents: a tag has 1 to %d characters, got %zu",
                    (int)LAC_TFEVENTS_TAG_MAX, length);
  for (size_t i = 0; i < length; i++)
    if (tag[i] < 0x20 || tag[i] > 0x7e)
      return lac_fail(LAC_EINVAL,
                      "tfevents: a tag is printable ASCII, got byte 0x%02x at place %zu",
                      (unsigned char)tag[i], i + 1);
  return LAC_OK;
}

lac_status lac_tfevents_scalar(lac_append *file, const char *tag, float value, int64_t step,
                               double wall_time) {
  draft entry = {.size = 0}, summary = {.size = 0}, data = {.size = 0};
  uint32_t bits;
  LAC_TRY(check_tag(tag));
  if (step < 0) return lac_fail(LAC_EINVAL, "tfevents: step must be >= 0, got %" PRId64, step);
  memcpy(&bits, &value, sizeof bits);
  put_text(&entry, 1, tag, strlen(tag));
  put_key(&entry, 2, FIXED32);
  put_fixed(&entry, bits, 4);
  put_message(&summary, 1, &entry);
  put_wall_time(&data, wall_time);
  put_key(&data, 2, VARINT);
  put_varint(&data, (uint64_t)step);
  put_message(&data, 5, &summary);
  return write_record(file, &data);
}
