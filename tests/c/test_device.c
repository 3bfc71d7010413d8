/* What scripts cannot reach of the device layer: programs cached on disk, build logs, launches. */
#include "check.h"

#include "device/binaries.h"
#include "device/kernel.h"
#include "device/pool.h"

#include <dirent.h>
#include <sys/stat.h>

static char cache[512]; // $XDG_CACHE_HOME of this test

typedef struct file {
  unsigned char *bytes;
  size_t size;
} file;

static file read_file(const char *path) {
  file f = {NULL, 0};
  FILE *in = fopen(path, "rb");
  if (!in) return f;
  fseek(in, 0, SEEK_END);
  f.size = (size_t)ftell(in);
  rewind(in);
  f.bytes = malloc(f.size + 1);
  if (fread(f.bytes, 1, f.size, in) != f.size) f.size = 0;
  fclose(in);
  return f;
}

static void write_file(const char *path, const unsigned char *bytes, size_t size) {
  FILE *out = fopen(path, "wb");
  CHECK(out && fwrite(bytes, 1, size, out) == size);
  if (out) fclose(out);
}

/* Visit the cache's entries; the last one's path is left in `path`. */
static unsigned list_entries(char path[1024], bool clear) {
  char directory[600];
  unsigned count = 0;
  snprintf(directory, sizeof directory, "%s/lacuna", cache);
  DIR *dir = opendir(directory);
  for (struct dirent *e; dir && (e = readdir(dir));) {
    if (e->d_name[0] == '.') continue;
    snprintf(path, 1024, "%s/%s", directory, e->d_name);
    count++;
    if (clear) remove(path);
  }
  if (dir) closedir(dir);
  if (clear) rmdir(directory);
  return count;
}

static bool loads(const char *key, const char *want) {
  unsigned char *bytes;
  size_t size;
  if (!lac_binaries_load(key, &bytes, &size)) return false;
  const bool same = size == strlen(want) && memcmp(bytes, want, size) == 0;
  free(bytes);
  return CHECK(same);
}

static void an_entry_is_found_by_its_whole_key(void) {
  char path[1024];
  CHECK(!loads("a key", ""));
  lac_binaries_store("a key", (const unsigned char *)"binary", 6);
  lac_binaries_store("another", (const unsigned char *)"", 0);
  CHECK(loads("a key", "binary"));
  CHECK(loads("another", ""));
  CHECK(!loads("a kez", ""));
  lac_binaries_store("a key", (const unsigned char *)"newer", 5);
  CHECK(loads("a key", "newer"));
  CHECK(list_entries(path, true) == 2); // and no temporary files
}

static void a_damaged_entry_is_not_found(void) {
  char path[1024];
  lac_binaries_store("a key", (const unsigned char *)"binary", 6);
  CHECK(list_entries(path, false) == 1);
  const file whole = read_file(path);
  bool found = false;
  for (size_t i = 0; i < whole.size; i++) { // every byte counts
    whole.bytes[i] ^= 0x20;
    write_file(path, whole.bytes, whole.size);
    found = found || loads("a key", "binary");
    whole.bytes[i] ^= 0x20;
  }
  for (size_t size = 0; size < whole.size; size++) {
    write_file(path, whole.bytes, size);
    found = found || loads("a key", "binary");
  }
  CHECK(!found);
  whole.bytes[whole.size] = 0;
  write_file(path, whole.bytes, whole.size + 1);
  CHECK(!loads("a key", "binary"));
  write_file(path, whole.bytes, whole.size);
  CHECK(loads("a key", "binary"));
  free(whole.bytes);
  list_entries(path, true);
}

static void an_entry_under_another_keys_name_is_not_found(void) {
  char path[1024], other[1024];
  lac_binaries_store("a key", (const unsigned char *)"binary", 6);
  list_entries(path, false);
  const file whole = read_file(path);
  remove(path);
  lac_binaries_store("another", (const unsigned char *)"other", 5);
  list_entries(other, false);
  write_file(other, whole.bytes, whole.size);
  CHECK(!loads("another", "other"));
  CHECK(!loads("a key", "binary"));
  free(whole.bytes);
  list_entries(path, true);
}

static void a_cache_that_cannot_be_written_is_no_error(void) {
  setenv("XDG_CACHE_HOME", "/dev/null/nowhere", 1);
  lac_binaries_store("a key", (const unsigned char *)"binary", 6);
  CHECK(!loads("a key", "binary"));
  setenv("XDG_CACHE_HOME", cache, 1);
}

/* y = x + x over five numbers, on a device opened for it. */
static void add_on_a_fresh_device(void) {
  const float x[5] = {1, -2, 3, 0.5f, 8};
  float y[5] = {0};
  lac_device *device;
  lac_buffer *from = NULL, *to = NULL;
  if (!CHECK_OK(lac_device_open(&device, NULL))) return;
  CHECK_OK(lac_buffer_new(&from, device, sizeof x, "x"));
  CHECK_OK(lac_buffer_new(&to, device, sizeof y, "y"));
  CHECK_OK(lac_buffer_write(from, 0, x, sizeof x));
  lac_launch run = lac_launch_new(device, "elementwise", "add_fwd");
  lac_arg_buffer(&run, to, 0);
  lac_arg_buffer(&run, from, 0);
  lac_arg_buffer(&run, from, 0);
  lac_arg_u64(&run, 5);
  lac_launch_items(&run, 5);
  CHECK_OK(lac_launch_run(&run));
  CHECK_OK(lac_buffer_read(to, 0, y, sizeof y));
  for (int i = 0; i < 5; i++)
    CHECK(y[i] == 2 * x[i]);
  lac_buffer_release(from);
  lac_buffer_release(to);
  lac_device_release(device);
}

static void a_program_is_stored_and_used_again(void) {
  char path[1024];
  struct stat first, second;
  add_on_a_fresh_device();
  CHECK(list_entries(path, false) == 1);
  CHECK(stat(path, &first) == 0 && first.st_size > 100);
  add_on_a_fresh_device();
  CHECK(list_entries(path, false) == 1);
  CHECK(stat(path, &second) == 0 && second.st_ino == first.st_ino); // not written again
}

static void a_damaged_program_is_built_and_stored_again(void) {
  char path[1024];
  list_entries(path, false);
  const file whole = read_file(path);
  if (!CHECK(whole.size > 100)) return;
  whole.bytes[whole.size / 2] ^= 1;
  write_file(path, whole.bytes, whole.size);
  add_on_a_fresh_device();
  file again = read_file(path);
  CHECK(again.size > 100 &&
        (again.size != whole.size || memcmp(again.bytes, whole.bytes, whole.size) != 0));
  free(again.bytes);
  write_file(path, whole.bytes, whole.size / 3);
  add_on_a_fresh_device();
  again = read_file(path);
  CHECK(again.size > whole.size / 3);
  free(again.bytes);
  free(whole.bytes);
}

static void a_binary_the_driver_refuses_is_built_and_stored_again(void) {
  char path[1024];
  uint64_t key_bytes;
  list_entries(path, false);
  const file whole = read_file(path);
  if (!CHECK(whole.size > 100)) return;
  memcpy(&key_bytes, whole.bytes + 12, 8);
  char *key = strndup((const char *)whole.bytes + 28, key_bytes);
  lac_binaries_store(key, (const unsigned char *)"not a program at all", 20);
  add_on_a_fresh_device();
  CHECK(list_entries(path, false) == 1);
  const file again = read_file(path);
  CHECK(again.size > 28 + key_bytes + 20);
  free(again.bytes);
  free(whole.bytes);
  free(key);
}

static lac_device *device;

static void a_build_error_quotes_name_and_log(void) {
  CHECK_FAILS(
      lac_program_add(device, "broken", "kernel void f(global float *x) { x[0] = nonsense; }"),
      "program broken does not build on");
  CHECK(strstr(lac_message(), "nonsense"));
}

static const char *const tiny = "kernel void set(global float *x, ulong x0, float value) {\n"
                                "  x[x0 + get_global_id(0)] = value;\n"
                                "}\n";

static void what_does_not_exist_is_refused_by_name(void) {
  CHECK_OK(lac_program_add(device, "tiny", tiny));
  CHECK_FAILS(lac_program_add(device, "tiny", tiny), "program tiny: the name is too long or taken");
  lac_launch run = lac_launch_new(device, "nowhere", "set");
  lac_arg_u32(&run, 1); // the first failure sticks
  lac_launch_items(&run, 1);
  CHECK_FAILS(lac_launch_run(&run), "there is no cl/nowhere.cl");
  run = lac_launch_new(device, "tiny", "unset");
  CHECK_FAILS(lac_launch_run(&run), "kernel tiny.unset");
}

static void a_group_larger_than_the_device_allows_is_refused(void) {
  lac_buffer *x;
  if (!CHECK_OK(lac_buffer_new(&x, device, 4, "x"))) return;
  lac_launch run = lac_launch_new(device, "tiny", "set");
  lac_arg_buffer(&run, x, 0);
  lac_arg_f32(&run, 1);
  lac_launch_groups(&run, 1, 1u << 20);
  CHECK_FAILS(lac_launch_run(&run), "kernel set: needs 1048576 work items in a group, but");
  lac_buffer_release(x);
}

static void an_argument_of_the_wrong_size_or_one_too_many_is_named(void) {
  lac_buffer *x;
  if (!CHECK_OK(lac_buffer_new(&x, device, 4, "x"))) return;
  lac_launch run = lac_launch_new(device, "tiny", "set");
  lac_arg_buffer(&run, x, 0);
  lac_arg_u64(&run, 1); // eight bytes for a float
  lac_launch_items(&run, 1);
  CHECK_FAILS(lac_launch_run(&run), "kernel set: argument 2");
  run = lac_launch_new(device, "tiny", "set");
  lac_arg_buffer(&run, x, 0);
  lac_arg_f32(&run, 1);
  lac_arg_f32(&run, 1);
  lac_launch_items(&run, 1);
  CHECK_FAILS(lac_launch_run(&run), "kernel set: argument 3");
  lac_buffer_release(x);
}

static void a_launch_of_nothing_does_nothing(void) {
  lac_launch run = lac_launch_new(device, "tiny", "set");
  lac_launch_items(&run, 0);
  CHECK_OK(lac_launch_run(&run));
}

/* Write `count` numbers behind much work, change them at once, and read back what was written. */
static void write_and_change(uint32_t count) {
  enum { WORK = 4 << 20 };
  const float zero = 0;
  lac_buffer *work = NULL, *to = NULL;
  float *from = calloc(count, sizeof *from), *got = calloc(count, sizeof *got);
  CHECK_OK(lac_buffer_new(&work, device, WORK, "work"));
  CHECK_OK(lac_buffer_new(&to, device, count * sizeof *from, "a target"));
  for (int i = 0; i < 20; i++)
    CHECK_OK(lac_buffer_fill(work, 0, WORK, &zero));
  from[count - 1] = 1;
  CHECK_OK(lac_buffer_write(to, 0, from, count * sizeof *from));
  from[count - 1] = 2;
  CHECK_OK(lac_buffer_read(to, 0, got, count * sizeof *got));
  CHECK(got[count - 1] == 1);
  lac_buffer_release(work);
  lac_buffer_release(to);
  free(from);
  free(got);
}

static void what_was_written_may_change_at_once(void) {
  write_and_change(1);
  write_and_change(3 << 20);
}

static void pieces_are_gathered_in_their_order(void) {
  enum { PIECES = 25 }; // more than one command takes
  float x[PIECES], got[2 * PIECES] = {0};
  lac_buffer *even = NULL, *odd = NULL, *to = NULL;
  lac_piece pieces[PIECES];
  for (int i = 0; i < PIECES; i++)
    x[i] = (float)i;
  CHECK_OK(lac_buffer_new(&odd, device, sizeof x, "a source"));
  CHECK_OK(lac_buffer_new(&even, device, sizeof x, "a source"));
  CHECK_OK(lac_buffer_new(&to, device, sizeof got, "a target"));
  CHECK_OK(lac_buffer_write(odd, 0, x, sizeof x));
  CHECK_OK(lac_buffer_write(even, 0, x, sizeof x));
  for (size_t i = 0; i < PIECES; i++) // one number, two numbers, one number, ...
    pieces[i] = (lac_piece){i % 2 ? odd : even, (i - i % 2) * sizeof *x, (1 + i % 2) * sizeof *x};
  CHECK_OK(lac_buffer_gather(to, pieces, PIECES));
  CHECK_OK(lac_buffer_read(to, 0, got, sizeof got));
  size_t at = 0;
  for (size_t i = 0; i < PIECES; i++)
    for (size_t j = 0; j <= i % 2; j++)
      CHECK(got[at++] == x[i - i % 2 + j]);
  lac_buffer_release(even);
  lac_buffer_release(odd);
  lac_buffer_release(to);
}

int main(void) {
  char path[1024];
  snprintf(cache, sizeof cache, "%s", check_path("cache"));
  setenv("XDG_CACHE_HOME", cache, 1);
  RUN(an_entry_is_found_by_its_whole_key);
  RUN(a_damaged_entry_is_not_found);
  RUN(an_entry_under_another_keys_name_is_not_found);
  RUN(a_cache_that_cannot_be_written_is_no_error);
  RUN(a_program_is_stored_and_used_again);
  RUN(a_damaged_program_is_built_and_stored_again);
  RUN(a_binary_the_driver_refuses_is_built_and_stored_again);
  list_entries(path, true);
  if (CHECK_OK(lac_device_open(&device, NULL))) {
    RUN(a_build_error_quotes_name_and_log);
    RUN(what_does_not_exist_is_refused_by_name);
    RUN(a_group_larger_than_the_device_allows_is_refused);
    RUN(an_argument_of_the_wrong_size_or_one_too_many_is_named);
    RUN(a_launch_of_nothing_does_nothing);
    RUN(what_was_written_may_change_at_once);
    RUN(pieces_are_gathered_in_their_order);
    lac_device_release(device);
  }
  list_entries(path, true);
  rmdir(cache);
  return check_finish();
}
