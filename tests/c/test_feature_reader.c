/* The thread that reads features: what it gives, what it refuses, and that it ends in any order. */
#include "check.h"

#include "core/memory.h"
#include "io/feature_reader.h"
#include "io/hdf5_writer.h"

enum { REGIONS = 40, WIDTH = 12, IMAGES = 3 };

static float value(uint64_t row, uint64_t column) {
  return (float)row + (float)column / 16; // a float16 holds it
}

static lac_status append(lac_hdf5_writer *out, const char *name, uint64_t rows, uint64_t width,
                         lac_stored type) {
  lac_status status = LAC_OK;
  float row[WIDTH];
  for (uint64_t i = 0; status == LAC_OK && i < rows; i++) {
    const lac_array array = {name, LAC_F32, 2, {1, width}, width, row};
    for (uint64_t j = 0; j < width; j++)
      row[j] = value(i, j);
    status = lac_hdf5_writer_append(out, &array, type);
  }
  return status;
}

static lac_status write_file(const char *path, lac_stored type, lac_feature_places *places) {
  lac_hdf5_writer *out = NULL;
  lac_hdf5 *in = NULL;
  LAC_TRY(lac_hdf5_writer_open(&out, path));
  lac_status status = append(out, "features", REGIONS, WIDTH, type);
  if (status == LAC_OK) status = append(out, "boxes", REGIONS, 4, LAC_STORED_F32);
  if (status == LAC_OK) status = append(out, "fc", IMAGES, 5, type);
  if (status == LAC_OK) status = lac_hdf5_writer_commit(out);
  lac_hdf5_writer_close(out);
  LAC_TRY(status);
  LAC_TRY(lac_hdf5_open(&in, path, true));
  status = lac_hdf5_locate(&places->att, in, "features");
  if (status == LAC_OK) status = lac_hdf5_locate(&places->boxes, in, "boxes");
  if (status == LAC_OK) status = lac_hdf5_locate(&places->fc, in, "fc");
  lac_hdf5_close(in);
  return status;
}

static lac_feature_places places;

/* A reader of a fresh file; parts that are not wanted are left out. */
static lac_feature_reader *open_reader(const char *path, lac_stored type, bool boxes, bool fc) {
  lac_feature_reader *reader = NULL;
  if (!CHECK_OK(write_file(path, type, &places))) return NULL;
  if (!boxes) places.boxes.width = 0;
  if (!fc) places.fc.width = 0;
  CHECK_OK(lac_feature_reader_open(&reader, path, &places));
  return reader;
}

/* [images, regions, width] has the file's rows in front and zeros behind. */
static bool rows_are(const float *data, const lac_feature_batch *b, uint64_t width,
                     const lac_feature_image *images) {
  bool right = true;
  for (uint64_t i = 0; i < b->images; i++)
    for (uint64_t s = 0; s < b->regions; s++)
      for (uint64_t j = 0; j < width; j++)
        right &= *data++ == (s < images[i].count ? value(images[i].first + s, j) : 0);
  return right;
}

static bool means_are(const lac_feature_batch *b, const lac_feature_image *images) {
  bool right = true;
  for (uint64_t i = 0; i < b->images; i++)
    for (uint64_t j = 0; j < WIDTH; j++) {
      const float want = value(images[i].first, j) + (float)(images[i].count - 1) / 2;
      const float got = b->fc[i * WIDTH + j];
      right &= got > want - 1e-4f && got < want + 1e-4f;
    }
  return right;
}

static void check_batch(lac_feature_reader *reader, const lac_feature_image *images, size_t count) {
  lac_feature_batch b;
  uint64_t most = 0;
  bool masked = true;
  if (!CHECK_OK(lac_feature_reader_take(reader, &b))) return;
  for (size_t i = 0; i < count; i++)
    if (images[i].count > most) most = images[i].count;
  CHECK(b.images == count && b.regions == most && b.width == WIDTH);
  CHECK(rows_are(b.att, &b, WIDTH, images));
  for (uint64_t i = 0; i < count * most; i++)
    masked &= b.mask[i] == (i % most < images[i / most].count);
  CHECK(masked);
  if (places.boxes.width)
    CHECK(rows_are(b.boxes, &b, 4, images));
  else
    CHECK(b.boxes == NULL);
  if (!places.fc.width) CHECK(b.fc_width == WIDTH && means_are(&b, images));
  for (size_t i = 0; places.fc.width && i < count; i++)
    CHECK(b.fc_width == 5 && b.fc[i * 5 + 4] == value(images[i].image, 4));
}

static const lac_feature_image three[] = {{0, 3, 0}, {35, 5, 2}, {7, 1, 1}}, one[] = {{38, 2, 1}},
                               two[] = {{10, 9, 0}, {0, 1, 2}};

static void batches_are_padded_and_averaged(void) {
  for (int kind = 0; kind < 4; kind++) {
    const char *path = check_path("f.h5");
    lac_feature_reader *reader =
        open_reader(path, kind & 1 ? LAC_STORED_F16 : LAC_STORED_F32, kind & 1, kind & 2);
    if (!reader) return;
    CHECK_OK(lac_feature_reader_order(reader, three, 3));
    check_batch(reader, three, 3);
    CHECK_OK(lac_feature_reader_order(reader, one, 1)); // smaller: nothing of the former shows
    check_batch(reader, one, 1);
    CHECK_OK(lac_feature_reader_order(reader, two, 2));
    check_batch(reader, two, 2);
    lac_feature_reader_close(reader);
    remove(path);
  }
}

static void a_later_order_replaces_one_that_nobody_took(void) {
  const char *path = check_path("f.h5");
  lac_feature_reader *reader = open_reader(path, LAC_STORED_F16, true, false);
  if (!reader) return;
  for (int i = 0; i < 200; i++) {
    CHECK_OK(lac_feature_reader_order(reader, three, 3));
    if (i % 3 == 0) usleep(50);
    CHECK_OK(lac_feature_reader_order(reader, two, 2));
    check_batch(reader, two, 2);
  }
  lac_feature_reader_close(reader);
  remove(path);
}

static void closing_is_possible_at_any_time(void) {
  const char *path = check_path("f.h5");
  CHECK_OK(write_file(path, LAC_STORED_F16, &places));
  for (int i = 0; i < 200; i++) {
    lac_feature_reader *reader = NULL;
    if (!CHECK_OK(lac_feature_reader_open(&reader, path, &places))) break;
    if (i % 4 > 0) CHECK_OK(lac_feature_reader_order(reader, three, 3));
    if (i % 4 == 2) usleep(100);
    if (i % 4 == 3) check_batch(reader, three, 3);
    lac_feature_reader_close(reader);
  }
  lac_feature_reader_close(NULL);
  remove(path);
}

static void what_the_thread_meets_is_said_when_the_batch_is_taken(void) {
  const char *path = check_path("f.h5");
  lac_feature_batch b;
  lac_feature_reader *reader = open_reader(path, LAC_STORED_F32, false, false);
  if (!reader) return;
  CHECK(truncate(path, (off_t)(places.att.offset + 36 * WIDTH * sizeof(float))) == 0);
  CHECK_OK(lac_feature_reader_order(reader, three, 3));
  CHECK_FAILS(lac_feature_reader_take(reader, &b), "f.h5: became shorter while it was in use");
  CHECK_OK(lac_feature_reader_order(reader, two, 2)); // what is still there can be had
  check_batch(reader, two, 2);
  lac_feature_reader_close(reader);
  remove(path);
}

static void wrong_orders_are_sentences(void) {
  const char *path = check_path("f.h5");
  static const lac_feature_image wrong[][1] = {
      {{0, 0, 0}}, {{39, 2, 0}}, {{41, 1, 0}}, {{UINT64_MAX, 2, 0}}, {{2, UINT64_MAX, 0}}};
  lac_feature_batch b;
  lac_feature_reader *reader = open_reader(path, LAC_STORED_F32, true, true);
  if (!reader) return;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    CHECK_FAILS(lac_feature_reader_order(reader, wrong[i], 1), "f.h5: there are no regions");
  CHECK_FAILS(lac_feature_reader_order(reader, &(lac_feature_image){0, 1, 3}, 1),
              "f.h5: there is no image 3 among 3");
  CHECK_FAILS(lac_feature_reader_order(reader, three, 0), "f.h5: a batch needs images");
  CHECK_FAILS(lac_feature_reader_take(reader, &b), "f.h5: no batch was ordered");
  lac_feature_reader_close(reader);
  places.boxes.rows--;
  CHECK_FAILS(lac_feature_reader_open(&reader, path, &places), "boxes are four numbers for each");
  remove(path);
  places.boxes.rows++;
  CHECK_FAILS(lac_feature_reader_open(&reader, path, &places), "f.h5: cannot open: No such file");
}

static lac_status read_three(const char *path) {
  lac_feature_reader *reader = NULL;
  lac_feature_batch b;
  LAC_TRY(lac_feature_reader_open(&reader, path, &places));
  lac_status status = lac_feature_reader_order(reader, three, 3);
  if (status == LAC_OK) status = lac_feature_reader_take(reader, &b);
  lac_feature_reader_close(reader);
  return status;
}

static void failing_allocations_are_reported(void) {
  const char *path = check_path("f.h5");
  int failures = 0;
  CHECK_OK(write_file(path, LAC_STORED_F16, &places));
  for (uint64_t n = 1; lac_fault_set(n); n++) {
    const lac_status status = read_three(path);
    const bool all = lac_fault_left() > 0;
    lac_fault_set(0);
    if (all && CHECK_OK(status)) break;
    if (!CHECK(status == LAC_ENOMEM && ++failures < 100)) break;
  }
  CHECK(failures >= 8 || !lac_fault_set(0));
  remove(path);
}

int main(void) {
  RUN(batches_are_padded_and_averaged);
  RUN(a_later_order_replaces_one_that_nobody_took);
  RUN(closing_is_possible_at_any_time);
  RUN(what_the_thread_meets_is_said_when_the_batch_is_taken);
  RUN(wrong_orders_are_sentences);
  RUN(failing_allocations_are_reported);
  return check_finish();
}
