/*
 * The header of a .npy file is a Python dictionary literal with three known keys. The scanner below
 * reads exactly that literal and no more of Python: every get_ function skips blanks, takes one
 * thing and moves on.
 */
#include "io/npy.h"

#include "core/memory.h"
#include "io/file.h"
#include "io/stored.h"
#include "io/zip.h"

#include <stdlib.h>
#include <string.h>

typedef struct scanner {
  const char *at, *end;
} scanner;

typedef struct header {
  lac_stored type;
  int fortran, seen; // seen: a bit per key
  size_t rank;
  uint64_t dims[LAC_ARRAY_MAX_RANK];
} header;

static lac_status damaged(const char *what) {
  return lac_fail(LAC_EIO, "npy: the header is damaged: %s", what);
}

static void skip_blanks(scanner *s) {
  while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t'))
    s->at++;
}

static int get_char(scanner *s, char wanted) {
  skip_blanks(s);
  if (s->at == s->end || *s->at != wanted) return 0;
  s->at++;
  return 1;
}

static int get_word(scanner *s, const char *word) {
  const size_t n = strlen(word);
  skip_blanks(s);
  if ((size_t)(s->end - s->at) < n || memcmp(s->at, word, n) != 0) return 0;
  s->at += n;
  return 1;
}

/* A quoted string without escapes, borrowed. */
static int get_string(scanner *s, const char **text, size_t *length) {
  skip_blanks(s);
  if (s->at == s->end || (*s->at != '\'' && *s->at != '"')) return 0;
  const char *close = memchr(s->at + 1, *s->at, (size_t)(s->end - s->at - 1));
  if (!close) return 0;
  *text = s->at + 1;
  *length = (size_t)(close - *text);
  s->at = close + 1;
  return 1;
}

static int get_number(scanner *s, uint64_t *out) {
  uint64_t v = 0;
  skip_blanks(s);
  const char *start = s->at;
  for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++) {
    if (v > (UINT64_MAX - 9) / 10) return 0;
    v = v * 10 + (uint64_t)(*s->at - '0');
  }
  if (s->at < s->end && *s->at == 'L') s->at++; // Python 2 wrote 3L
  *out = v;
  return s->at > start;
}

static lac_status get_type(scanner *s, header *h) {
  static const struct {
    const char *name;
    lac_stored type;
  } known[] = {{"f4", LAC_STORED_F32}, {"f8", LAC_STORED_F64}, {"f2", LAC_STORED_F16},
               {"i8", LAC_STORED_I64}, {"i4", LAC_STORED_I32}, {"i2", LAC_STORED_I16},
               {"i1", LAC_STORED_I8},  {"u1", LAC_STORED_U8},  {"b1", LAC_STORED_BOOL}};
  const char *text;
  size_t length;
  if (!get_string(s, &text, &length))
    return lac_fail(LAC_EUNSUPPORTED, "npy: a structured element type is not supported");
  if (length == 3 && (*text == '<' || *text == '|' || (*text == '>' && text[2] == '1')))
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
      if (memcmp(known[i].name, text + 1, 2) == 0) {
        h->type = known[i].type;
        return LAC_OK;
      }
  return lac_fail(LAC_EUNSUPPORTED,
                  "npy: element type '%.*s' is not supported; save as float32 or int32",
                  length < 40 ? (int)length : 40, text);
}

static lac_status get_shape(scanner *s, header *h) {
  if (!get_char(s, '(')) return damaged("the shape is not a tuple");
  for (h->rank = 0; !get_char(s, ')'); h->rank++) {
    if (h->rank > 0 && !get_char(s, ',')) return damaged("the shape is not a tuple");
    if (h->rank > 0 && get_char(s, ')')) break;
    if (h->rank == LAC_ARRAY_MAX_RANK)
      return lac_fail(LAC_ESHAPE, "npy: at most %d dimensions are allowed", LAC_ARRAY_MAX_RANK);
    if (!get_number(s, &h->dims[h->rank])) return damaged("a dimension is not a number");
  }
  return LAC_OK;
}

static lac_status get_entry(scanner *s, header *h) {
  const char *key;
  size_t length;
  if (!get_string(s, &key, &length) || !get_char(s, ':')) return damaged("a key is missing");
  if (length == 5 && memcmp(key, "descr", 5) == 0) {
    h->seen |= 1;
    return get_type(s, h);
  }
  if (length == 5 && memcmp(key, "shape", 5) == 0) {
    h->seen |= 2;
    return get_shape(s, h);
  }
  if (length == 13 && memcmp(key, "fortran_order", 13) == 0) {
    h->seen |= 4;
    h->fortran = get_word(s, "True");
    return h->fortran || get_word(s, "False") ? LAC_OK : damaged("fortran_order is not a bool");
  }
  return damaged("an unknown key");
}

static lac_status parse_header(header *h, scanner *s) {
  if (!get_char(s, '{')) return damaged("it is not a dictionary");
  while (!get_char(s, '}')) {
    LAC_TRY(get_entry(s, h));
    if (!get_char(s, ',') && (s->at == s->end || *s->at != '}'))
      return damaged("a comma is missing");
  }
  if (h->seen != 7) return damaged("descr, shape or fortran_order is missing");
  return LAC_OK;
}

/* The fixed part: magic, version, header length of 2 or 4 bytes. */
static lac_status find_header(scanner *out, const unsigned char *bytes, size_t size) {
  if (size < 10 || memcmp(bytes, "\x93NUMPY", 6) != 0)
    return lac_fail(LAC_EIO, "npy: is not a .npy file");
  if (bytes[6] < 1 || bytes[6] > 3)
    return lac_fail(LAC_EUNSUPPORTED, "npy: version %d is not supported", bytes[6]);
  const size_t start = bytes[6] == 1 ? 10 : 12;
  size_t length = (size_t)bytes[8] | (size_t)bytes[9] << 8;
  if (start == 12 && size >= 12) length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
  if (size < start || length > size - start)
    return lac_fail(LAC_EIO, "npy: truncated inside the header");
  *out = (scanner){(const char *)bytes + start, (const char *)bytes + start + length};
  return LAC_OK;
}

static lac_status fill(lac_array *array, const header *h, const void *data, const char *name) {
  const size_t bytes = lac_stored_bytes(h->type);
  uint64_t strides[LAC_ARRAY_MAX_RANK], step = 1;
  void *copy;
  if (!h->fortran || h->rank < 2)
    return lac_stored_convert(array->data, data, h->type, array->count, name);
  for (size_t d = 0; d < h->rank; d++) {
    strides[d] = step;
    step *= h->dims[d];
  }
  LAC_TRY(lac_alloc(&copy, (size_t)array->count, bytes, name));
  lac_stored_gather(copy, data, bytes, h->rank, h->dims, strides);
  const lac_status status = lac_stored_convert(array->data, copy, h->type, array->count, name);
  free(copy);
  return status;
}

lac_status lac_npy_parse(lac_archive *into, const char *name, const void *bytes, size_t size) {
  scanner s = {0};
  header h = {0};
  uint64_t count;
  lac_array *array;
  LAC_TRY(find_header(&s, bytes, size));
  const size_t rest = size - (size_t)(s.end - (const char *)bytes);
  const char *data = s.end;
  LAC_TRY(parse_header(&h, &s));
  LAC_TRY(lac_array_count(&count, name, h.rank, h.dims));
  const size_t wanted =
      (size_t)count * lac_stored_bytes(h.type); // lac_array_count keeps it in range
  if (rest < wanted)
    return lac_fail(LAC_EIO, "npy: truncated: %zu of %zu bytes of elements are there", rest,
                    wanted);
  if (rest > wanted)
    return lac_fail(LAC_EIO, "npy: %zu bytes follow the %zu bytes of elements", rest - wanted,
                    wanted);
  LAC_TRY(lac_archive_append(into, &array, name, lac_stored_dtype(h.type), h.rank, h.dims));
  return fill(array, &h, data, name);
}

lac_status lac_npy_read(lac_archive **out, const char *path) {
  void *bytes;
  size_t size;
  lac_archive *archive;
  LAC_TRY(lac_archive_new(&archive, 0));
  lac_status status = lac_file_read(&bytes, &size, path, lac_archive_default_limit());
  if (status == LAC_OK) {
    status = lac_file_blame(lac_npy_parse(archive, "array", bytes, size), path);
    free(bytes);
  }
  if (status == LAC_OK)
    *out = archive;
  else
    lac_archive_release(archive);
  return status;
}

/* One member: its name less ".npy". */
static lac_status read_member(lac_archive *into, lac_zip *zip, size_t index, const char *path) {
  const char *full = lac_zip_name(zip, index);
  const size_t length = strlen(full);
  void *bytes;
  size_t size;
  char *name;
  if (length < 5 || strcmp(full + length - 4, ".npy") != 0)
    return lac_fail(LAC_EIO, "%s: entry '%.200s' is not a .npy file", path, full);
  LAC_TRY(lac_zip_read(zip, index, &bytes, &size, lac_archive_room(into)));
  lac_status status = lac_alloc(&name, length, 1, "a name");
  if (status == LAC_OK) {
    memcpy(name, full, length - 4);
    status = lac_npy_parse(into, name, bytes, size);
    if (status != LAC_OK) lac_remember("%s: entry '%.200s': %s", path, full, lac_message());
    free(name);
  }
  free(bytes);
  return status;
}

lac_status lac_npz_read(lac_archive **out, const char *path) {
  lac_zip *zip = NULL;
  lac_archive *archive;
  LAC_TRY(lac_archive_new(&archive, 0));
  lac_status status = lac_zip_open(&zip, path);
  for (size_t i = 0; status == LAC_OK && i < lac_zip_count(zip); i++)
    status = read_member(archive, zip, i, path);
  lac_zip_close(zip);
  if (status == LAC_OK)
    *out = archive;
  else
    lac_archive_release(archive);
  return status;
}
