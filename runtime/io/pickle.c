/*
 * A stack machine over positions. Values live in one growing array and refer to each other by
 * position, so nothing moves under a reference and releasing them needs no recursion, whatever
 * shape the stream gave them. Every opcode makes at most one value and one stack entry; the limit
 * on opcodes therefore bounds all memory. Opcodes are one function per family, found through the
 * switch in step().
 */
#include "io/pickle.h"

#include "core/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STEPS = 1 << 22 }; // a checkpoint of 10,000 tensors takes some 400,000

typedef struct positions {
  uint32_t *at;
  uint32_t count, capacity;
} positions;

struct lac_pickle {
  lac_pickle_value *values;
  uint32_t count, capacity;
  uint32_t root;
};

typedef struct machine {
  const unsigned char *bytes;
  size_t size, at;
  const char *const *globals;
  lac_pickle *result;
  positions stack, marks, memo; // marks: stack heights; memo: value + 1, 0 for unset
  uint32_t memoized;            // the number of memo entries made so far
  uint32_t copied;              // items that calls of OrderedDict have copied
  int stopped;
} machine;

static lac_status malformed(const machine *m, const char *what) {
  return lac_fail(LAC_EIO, "pickle: damaged at byte %zu: %s", m->at, what);
}

static lac_status grow_positions(positions *p, uint32_t wanted) {
  if (wanted <= p->capacity) return LAC_OK;
  uint32_t capacity = p->capacity ? p->capacity : 16;
  while (capacity < wanted)
    capacity *= 2;
  LAC_TRY(lac_realloc(&p->at, capacity, sizeof *p->at, "a pickle"));
  memset(p->at + p->capacity, 0, (capacity - p->capacity) * sizeof *p->at);
  p->capacity = capacity;
  return LAC_OK;
}

static lac_status append_position(positions *p, uint32_t value) {
  LAC_TRY(grow_positions(p, p->count + 1));
  p->at[p->count++] = value;
  return LAC_OK;
}

/* Read a little-endian unsigned number of 1, 2, 4 or 8 bytes. */
static lac_status read_number(machine *m, uint64_t *out, size_t bytes) {
  uint64_t v = 0;
  if (m->size - m->at < bytes) return malformed(m, "it ends in the middle of an opcode");
  for (size_t i = 0; i < bytes; i++)
    v |= (uint64_t)m->bytes[m->at + i] << 8 * i;
  m->at += bytes;
  *out = v;
  return LAC_OK;
}

/* Push a fresh value and lend it until the next one is made. */
static lac_status push_value(machine *m, lac_pickle_value **out, lac_pickle_kind kind) {
  lac_pickle *p = m->result;
  if (p->count == p->capacity) {
    const uint32_t capacity = p->capacity ? p->capacity * 2 : 64;
    LAC_TRY(lac_realloc(&p->values, capacity, sizeof *p->values, "a pickle"));
    p->capacity = capacity;
  }
  LAC_TRY(append_position(&m->stack, p->count));
  lac_pickle_value *value = &p->values[p->count++];
  memset(value, 0, sizeof *value);
  value->kind = kind;
  *out = value;
  return LAC_OK;
}

static uint32_t stack_base(const machine *m) {
  return m->marks.count ? m->marks.at[m->marks.count - 1] : 0;
}

static lac_status pop(machine *m, uint32_t *out) {
  if (m->stack.count <= stack_base(m)) return malformed(m, "a value is missing from the stack");
  *out = m->stack.at[--m->stack.count];
  return LAC_OK;
}

/* The value on top, which stays there. */
static lac_status peek(machine *m, lac_pickle_value **out, lac_pickle_kind kind, const char *what) {
  if (m->stack.count <= stack_base(m)) return malformed(m, "a value is missing from the stack");
  *out = &m->result->values[m->stack.at[m->stack.count - 1]];
  if ((*out)->kind != kind) return malformed(m, what);
  return LAC_OK;
}

/* Drop the latest mark; *from is the position of the first value above it. */
static lac_status pop_mark(machine *m, uint32_t *from) {
  if (m->marks.count == 0) return malformed(m, "a mark is missing from the stack");
  *from = m->marks.at[--m->marks.count];
  return LAC_OK;
}

/* Move the stack from `from` up to the end of a value's items. */
static lac_status take_items(machine *m, uint32_t value, uint32_t from) {
  lac_pickle_value *v = &m->result->values[value];
  const uint32_t n = m->stack.count - from;
  positions items = {v->as.list.items, v->as.list.count, v->as.list.capacity};
  if (n == 0) return LAC_OK;
  LAC_TRY(grow_positions(&items, items.count + n));
  memcpy(items.at + items.count, m->stack.at + from, n * sizeof *items.at);
  v->as.list.items = items.at;
  v->as.list.count = items.count + n;
  v->as.list.capacity = items.capacity;
  m->stack.count = from;
  return LAC_OK;
}

/* A new value of the top n stack entries, or of those above the latest mark. */
static lac_status collect(machine *m, lac_pickle_kind kind, uint32_t n, int marked) {
  lac_pickle_value *value;
  uint32_t from = 0, made;
  if (marked)
    LAC_TRY(pop_mark(m, &from));
  else if (m->stack.count - stack_base(m) < n)
    return malformed(m, "a value is missing from the stack");
  else
    from = m->stack.count - n;
  if (kind == LAC_PICKLE_DICT && (m->stack.count - from) % 2)
    return malformed(m, "a key without a value");
  LAC_TRY(push_value(m, &value, kind));
  made = m->stack.at[--m->stack.count];
  LAC_TRY(take_items(m, made, from));
  return append_position(&m->stack, made);
}

/* APPEND(S), SETITEM(S): the container lies below the values. */
static lac_status extend(machine *m, lac_pickle_kind kind, uint32_t n, int marked) {
  uint32_t from = 0;
  if (marked)
    LAC_TRY(pop_mark(m, &from));
  else if (m->stack.count - stack_base(m) < n)
    return malformed(m, "a value is missing from the stack");
  else
    from = m->stack.count - n;
  if (from <= stack_base(m)) return malformed(m, "a value is missing from the stack");
  const uint32_t container = m->stack.at[from - 1];
  if (m->result->values[container].kind != kind)
    return malformed(m, "items are added to something that holds none");
  if (kind == LAC_PICKLE_DICT && (m->stack.count - from) % 2)
    return malformed(m, "a key without a value");
  return take_items(m, container, from);
}

static lac_status push_integer(machine *m, lac_pickle_kind kind, int64_t integer) {
  lac_pickle_value *value;
  LAC_TRY(push_value(m, &value, kind));
  value->as.integer = integer;
  return LAC_OK;
}

static lac_status push_float(machine *m) {
  lac_pickle_value *value;
  uint64_t bits = 0, raw = 0;
  LAC_TRY(read_number(m, &raw, 8));
  for (int i = 0; i < 8; i++) // BINFLOAT alone is big-endian
    bits |= (raw >> 8 * i & 255) << 8 * (7 - i);
  LAC_TRY(push_value(m, &value, LAC_PICKLE_FLOAT));
  memcpy(&value->as.number, &bits, sizeof bits);
  return LAC_OK;
}

/* Text whose length comes first, in so many bytes. */
static lac_status push_string(machine *m, lac_pickle_kind kind, size_t length_bytes) {
  lac_pickle_value *value;
  uint64_t length;
  LAC_TRY(read_number(m, &length, length_bytes));
  if (length > m->size - m->at) return malformed(m, "a string is longer than the stream");
  LAC_TRY(push_value(m, &value, kind));
  value->as.string.text = (const char *)m->bytes + m->at;
  value->as.string.length = (size_t)length;
  m->at += (size_t)length;
  return LAC_OK;
}

static lac_status push_long(machine *m, size_t length_bytes) {
  LAC_TRY(push_string(m, LAC_PICKLE_LONG, length_bytes));
  lac_pickle_value *value = &m->result->values[m->result->count - 1];
  const size_t n = value->as.string.length;
  const unsigned char *text = (const unsigned char *)value->as.string.text;
  if (n > 8) return LAC_OK;
  uint64_t v = n && text[n - 1] & 0x80 ? UINT64_MAX : 0;
  for (size_t i = n; i-- > 0;)
    v = v << 8 | text[i];
  value->kind = LAC_PICKLE_INT;
  value->as.integer = (int64_t)v;
  return LAC_OK;
}

/* Names come from the stream and go to a terminal: nothing but plain characters. */
static void print_name(char *out, size_t room, const char *text, size_t length) {
  size_t n = 0;
  for (size_t i = 0; i < length && n + 1 < room; i++)
    out[n++] = text[i] > 32 && text[i] < 127 ? text[i] : '?';
  out[n] = '\0';
}

static lac_status push_global(machine *m, const char *module, size_t module_length,
                              const char *name, size_t name_length) {
  lac_pickle_value *value;
  char full[256], first[128], second[128];
  print_name(first, sizeof first, module, module_length);
  print_name(second, sizeof second, name, name_length);
  snprintf(full, sizeof full, "%s.%s", first, second);
  int found = LAC_PICKLE_ORDERED_DICT;
  if (strcmp(full, "collections.OrderedDict") != 0) {
    for (found = 0; m->globals[found] && strcmp(m->globals[found], full) != 0; found++)
      ;
    if (!m->globals[found])
      return lac_fail(LAC_EUNSUPPORTED,
                      "pickle: global %s is not allowed: a checkpoint must hold tensors only",
                      full);
  }
  LAC_TRY(push_value(m, &value, LAC_PICKLE_GLOBAL));
  value->global = found;
  return LAC_OK;
}

static lac_status read_line(machine *m, const char **text, size_t *length) {
  const unsigned char *start = m->bytes + m->at;
  const unsigned char *end = memchr(start, '\n', m->size - m->at);
  if (!end) return malformed(m, "a line does not end");
  *text = (const char *)start;
  *length = (size_t)(end - start);
  m->at += *length + 1;
  return LAC_OK;
}

static lac_status do_global(machine *m) {
  const char *module = "", *name = "";
  size_t module_length = 0, name_length = 0;
  LAC_TRY(read_line(m, &module, &module_length));
  LAC_TRY(read_line(m, &name, &name_length));
  return push_global(m, module, module_length, name, name_length);
}

static lac_status do_stack_global(machine *m) {
  uint32_t module, name;
  LAC_TRY(pop(m, &name));
  LAC_TRY(pop(m, &module));
  const lac_pickle_value *a = &m->result->values[module], *b = &m->result->values[name];
  if (a->kind != LAC_PICKLE_STRING || b->kind != LAC_PICKLE_STRING)
    return malformed(m, "a global's name is not a string");
  return push_global(m, a->as.string.text, a->as.string.length, b->as.string.text,
                     b->as.string.length);
}

/* OrderedDict([(key, value), ...]): the pairs become items, as SETITEMS would have made them. */
static lac_status push_ordered_dict(machine *m, const lac_pickle_value *args) {
  lac_pickle_value *made;
  lac_pickle_value pairs = {.kind = LAC_PICKLE_LIST};
  if (args->as.list.count > 1) return malformed(m, "OrderedDict takes one list of pairs");
  if (args->as.list.count == 1) pairs = m->result->values[args->as.list.items[0]];
  if (pairs.kind != LAC_PICKLE_LIST) return malformed(m, "OrderedDict takes a list of pairs");
  if (pairs.as.list.count > MAX_STEPS - m->copied) // one list may be passed again and again
    return malformed(m, "OrderedDict is called with too many pairs");
  m->copied += pairs.as.list.count;
  LAC_TRY(push_value(m, &made, LAC_PICKLE_DICT)); // values may have moved
  const uint32_t dict = m->stack.at[m->stack.count - 1], from = m->stack.count;
  for (uint32_t i = 0; i < pairs.as.list.count; i++) {
    const lac_pickle_value *pair = &m->result->values[pairs.as.list.items[i]];
    if ((pair->kind != LAC_PICKLE_LIST && pair->kind != LAC_PICKLE_TUPLE) ||
        pair->as.list.count != 2)
      return malformed(m, "OrderedDict takes a list of pairs");
    LAC_TRY(append_position(&m->stack, pair->as.list.items[0]));
    LAC_TRY(append_position(&m->stack, pair->as.list.items[1]));
  }
  return take_items(m, dict, from);
}

static lac_status do_reduce(machine *m) {
  uint32_t args, callee;
  LAC_TRY(pop(m, &args));
  LAC_TRY(pop(m, &callee));
  const lac_pickle_value *function = &m->result->values[callee];
  const int global = function->global;
  if (function->kind != LAC_PICKLE_GLOBAL) return malformed(m, "a call of something not callable");
  if (m->result->values[args].kind != LAC_PICKLE_TUPLE)
    return malformed(m, "a call without a tuple of arguments");
  if (global == LAC_PICKLE_ORDERED_DICT) return push_ordered_dict(m, &m->result->values[args]);
  LAC_TRY(append_position(&m->stack, args));
  LAC_TRY(collect(m, LAC_PICKLE_CALL, 1, 0));
  m->result->values[m->result->count - 1].global = global;
  return LAC_OK;
}

/* The state of an OrderedDict is the `_metadata` of a state_dict: of no use here, so dropped. */
static lac_status do_build(machine *m) {
  uint32_t state;
  lac_pickle_value *target;
  LAC_TRY(pop(m, &state));
  return peek(m, &target, LAC_PICKLE_DICT, "BUILD on something other than an OrderedDict");
}

static lac_status do_put(machine *m, size_t bytes) {
  uint64_t index = m->memoized;
  if (bytes) LAC_TRY(read_number(m, &index, bytes));
  if (m->stack.count <= stack_base(m)) return malformed(m, "a value is missing from the stack");
  if (index >= MAX_STEPS) return malformed(m, "a memo position is out of bounds");
  LAC_TRY(grow_positions(&m->memo, (uint32_t)index + 1));
  m->memo.at[index] = m->stack.at[m->stack.count - 1] + 1;
  m->memoized++;
  return LAC_OK;
}

static lac_status do_get(machine *m, size_t bytes) {
  uint64_t index;
  LAC_TRY(read_number(m, &index, bytes));
  if (index >= m->memo.capacity || m->memo.at[index] == 0)
    return malformed(m, "an unset memo position is read");
  return append_position(&m->stack, m->memo.at[index] - 1);
}

static lac_status do_proto(machine *m) {
  uint64_t version = 0;
  LAC_TRY(read_number(m, &version, 1));
  if (version < 2 || version > 5)
    return lac_fail(LAC_EUNSUPPORTED, "pickle: protocol %d is not supported", (int)version);
  return LAC_OK;
}

static lac_status push_signed(machine *m) {
  uint64_t raw = 0;
  LAC_TRY(read_number(m, &raw, 4));
  return push_integer(m, LAC_PICKLE_INT, (int32_t)(uint32_t)raw);
}

static lac_status push_unsigned(machine *m, size_t bytes) {
  uint64_t raw = 0;
  LAC_TRY(read_number(m, &raw, bytes));
  return push_integer(m, LAC_PICKLE_INT, (int64_t)raw);
}

static lac_status do_stop(machine *m) {
  if (m->marks.count != 0 || m->stack.count != 1)
    return malformed(m, "it stops with other than one value on the stack");
  m->result->root = m->stack.at[0];
  m->stopped = 1;
  return LAC_OK;
}

static lac_status refuse(unsigned opcode) {
  static const struct {
    unsigned char code;
    const char *name;
  } known[] = {{'i', "INST"},
               {'o', "OBJ"},
               {0x81, "NEWOBJ"},
               {0x92, "NEWOBJ_EX"},
               {0x82, "EXT1"},
               {0x83, "EXT2"},
               {0x84, "EXT4"},
               {'P', "PERSID"},
               {'I', "INT"},
               {'L', "LONG"},
               {'S', "STRING"},
               {'V', "UNICODE"},
               {'F', "FLOAT"},
               {'g', "GET"},
               {'p', "PUT"},
               {'0', "POP"},
               {'1', "POP_MARK"},
               {'2', "DUP"},
               {0x8f, "EMPTY_SET"},
               {0x90, "ADDITEMS"},
               {0x91, "FROZENSET"},
               {0x8e, "BINBYTES8"},
               {0x96, "BYTEARRAY8"},
               {0x97, "NEXT_BUFFER"},
               {0x98, "READONLY_BUFFER"}};
  const char *name = "unknown";
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (known[i].code == opcode) name = known[i].name;
  return lac_fail(LAC_EUNSUPPORTED,
                  "pickle: opcode 0x%02x (%s) is not allowed: a checkpoint must hold tensors only",
                  opcode, name);
}

static lac_status step(machine *m) {
  uint64_t skipped;
  const unsigned opcode = m->bytes[m->at++];
  switch (opcode) {
  case 0x80: // PROTO
    return do_proto(m);
  case 0x95: // FRAME: a hint for readers of streams
    return read_number(m, &skipped, 8);
  case '.':
    return do_stop(m);
  case '(': // MARK
    return append_position(&m->marks, m->stack.count);
  case 'N':
    return push_integer(m, LAC_PICKLE_NONE, 0);
  case 0x88: // NEWTRUE
    return push_integer(m, LAC_PICKLE_BOOL, 1);
  case 0x89: // NEWFALSE
    return push_integer(m, LAC_PICKLE_BOOL, 0);
  case 'J': // BININT
    return push_signed(m);
  case 'K': // BININT1
    return push_unsigned(m, 1);
  case 'M': // BININT2
    return push_unsigned(m, 2);
  case 0x8a: // LONG1
    return push_long(m, 1);
  case 0x8b: // LONG4
    return push_long(m, 4);
  case 'G': // BINFLOAT
    return push_float(m);
  case 0x8c: // SHORT_BINUNICODE
  case 'U':  // SHORT_BINSTRING
  case 'C':  // SHORT_BINBYTES
    return push_string(m, LAC_PICKLE_STRING, 1);
  case 'X': // BINUNICODE
  case 'T': // BINSTRING
  case 'B': // BINBYTES
    return push_string(m, LAC_PICKLE_STRING, 4);
  case 0x8d: // BINUNICODE8
    return push_string(m, LAC_PICKLE_STRING, 8);
  case ']': // EMPTY_LIST
    return collect(m, LAC_PICKLE_LIST, 0, 0);
  case ')': // EMPTY_TUPLE
    return collect(m, LAC_PICKLE_TUPLE, 0, 0);
  case '}': // EMPTY_DICT
    return collect(m, LAC_PICKLE_DICT, 0, 0);
  case 'l': // LIST
    return collect(m, LAC_PICKLE_LIST, 0, 1);
  case 't': // TUPLE
    return collect(m, LAC_PICKLE_TUPLE, 0, 1);
  case 'd': // DICT
    return collect(m, LAC_PICKLE_DICT, 0, 1);
  case 0x85: // TUPLE1
  case 0x86: // TUPLE2
  case 0x87: // TUPLE3
    return collect(m, LAC_PICKLE_TUPLE, opcode - 0x84, 0);
  case 'a': // APPEND
    return extend(m, LAC_PICKLE_LIST, 1, 0);
  case 'e': // APPENDS
    return extend(m, LAC_PICKLE_LIST, 0, 1);
  case 's': // SETITEM
    return extend(m, LAC_PICKLE_DICT, 2, 0);
  case 'u': // SETITEMS
    return extend(m, LAC_PICKLE_DICT, 0, 1);
  case 'h': // BINGET
    return do_get(m, 1);
  case 'j': // LONG_BINGET
    return do_get(m, 4);
  case 'q': // BINPUT
    return do_put(m, 1);
  case 'r': // LONG_BINPUT
    return do_put(m, 4);
  case 0x94: // MEMOIZE
    return do_put(m, 0);
  case 'c': // GLOBAL
    return do_global(m);
  case 0x93: // STACK_GLOBAL
    return do_stack_global(m);
  case 'R': // REDUCE
    return do_reduce(m);
  case 'b': // BUILD
    return do_build(m);
  case 'Q': // BINPERSID
    return collect(m, LAC_PICKLE_PERSISTENT, 1, 0);
  default:
    return refuse(opcode);
  }
}

lac_status lac_pickle_parse(lac_pickle **out, const void *bytes, size_t size, size_t *used,
                            const char *const *globals) {
  machine m = {.bytes = bytes, .size = size, .globals = globals};
  LAC_TRY(lac_alloc(&m.result, 1, sizeof *m.result, "a pickle"));
  lac_status status = LAC_OK;
  for (int steps = 0; status == LAC_OK && !m.stopped; steps++) {
    if (m.at >= m.size)
      status = malformed(&m, "it ends without a STOP opcode (truncated?)");
    else if (steps >= MAX_STEPS)
      status = lac_fail(LAC_EUNSUPPORTED, "pickle: more than %d opcodes", (int)MAX_STEPS);
    else
      status = step(&m);
  }
  free(m.stack.at);
  free(m.marks.at);
  free(m.memo.at);
  if (status != LAC_OK) {
    lac_pickle_release(m.result);
    return status;
  }
  *used = m.at;
  *out = m.result;
  return LAC_OK;
}

static int has_items(lac_pickle_kind kind) {
  return kind == LAC_PICKLE_TUPLE || kind == LAC_PICKLE_LIST || kind == LAC_PICKLE_DICT ||
         kind == LAC_PICKLE_PERSISTENT || kind == LAC_PICKLE_CALL;
}

void lac_pickle_release(lac_pickle *pickle) {
  if (!pickle) return;
  for (uint32_t i = 0; i < pickle->count; i++)
    if (has_items(pickle->values[i].kind)) free(pickle->values[i].as.list.items);
  free(pickle->values);
  free(pickle);
}

const lac_pickle_value *lac_pickle_root(const lac_pickle *pickle) {
  return &pickle->values[pickle->root];
}

const lac_pickle_value *lac_pickle_item(const lac_pickle *pickle, const lac_pickle_value *value,
                                        uint32_t index) {
  if (!has_items(value->kind) || index >= value->as.list.count) return NULL;
  return &pickle->values[value->as.list.items[index]];
}

size_t lac_pickle_count(const lac_pickle *pickle) {
  return pickle->count;
}

const lac_pickle_value *lac_pickle_at(const lac_pickle *pickle, size_t index) {
  return &pickle->values[index];
}
