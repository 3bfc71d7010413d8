/* The functions of cl/prelude.cl that kernels use in place of the language's own. */
#include "check.h"
#include "device/kernel.h"
#include "device/pool.h"

#include <math.h>

static lac_device *device;

static const char source[] =
    "kernel void apply(global float *y, ulong y0, const global float *x, ulong x0, ulong n, uint "
    "what) {\n"
    "  const ulong i = get_global_id(0);\n"
    "  if (i >= n) return;\n"
    "  const float v = x[x0 + i];\n"
    "  y[y0 + i] = what == 0 ? bounded_exp(v) : what == 1 ? logistic(v) : what == 2 ? "
    "quick_tanh(v)\n"
    "                                                                   : quick_log(v);\n"
    "}\n";

enum { COUNT = 2500 };

static void apply(uint32_t what, const float *x, float *y) {
  lac_buffer *in = NULL, *out = NULL;
  CHECK_OK(lac_buffer_new(&in, device, COUNT * sizeof *x, "a test"));
  CHECK_OK(lac_buffer_new(&out, device, COUNT * sizeof *y, "a test"));
  CHECK_OK(lac_buffer_write(in, 0, x, COUNT * sizeof *x));
  lac_launch run = lac_launch_new(device, "test_prelude", "apply");
  lac_arg_buffer(&run, out, 0);
  lac_arg_buffer(&run, in, 0);
  lac_arg_u64(&run, COUNT);
  lac_arg_u32(&run, what);
  lac_launch_items(&run, COUNT);
  CHECK_OK(lac_launch_run(&run));
  CHECK_OK(lac_buffer_read(out, 0, y, COUNT * sizeof *y));
  lac_buffer_release(in);
  lac_buffer_release(out);
}

/* Largest relative error over values from -reach to reach, every other one close to zero. */
static double worst(uint32_t what, float reach, double (*right)(double)) {
  static float x[COUNT], y[COUNT];
  double most = 0;
  for (int i = 0; i < COUNT; i++) {
    const float at = (float)(2 * i - COUNT) / COUNT; // not 0: COUNT / 2 is halved below
    x[i] = i % 2 ? at * reach : at * at * at * 0.01f + 1e-6f;
  }
  apply(what, x, y);
  for (int i = 0; i < COUNT; i++)
    most = fmax(most, fabs((double)y[i] / right((double)x[i]) - 1));
  return most;
}

static double plain_logistic(double x) {
  return 1 / (1 + exp(-x));
}

static void values_are_right_to_a_few_units_in_the_last_place(void) {
  const double unit = 6e-8;
  CHECK(worst(0, 86, exp) < 3 * unit);
  CHECK(worst(1, 80, plain_logistic) < 5 * unit); // two roundings more
  CHECK(worst(2, 20, tanh) < 4 * unit);
}

static void logarithms_are_right_from_the_smallest_numbers_on(void) {
  static float x[COUNT], y[COUNT];
  bool right = true;
  for (int i = 0; i < COUNT; i++)
    x[i] = i % 2 ? (float)exp((double)(i - COUNT / 2) / COUNT * 174) // 1e-38 .. 1e38
                 : 1 + (float)(i - COUNT / 2) / COUNT / 2;           // 0.75 .. 1.25
  apply(3, x, y);
  for (int i = 0; i < COUNT; i++)
    right &= fabs((double)y[i] - log((double)x[i])) <= 1.2e-7 * fabs(log((double)x[i]));
  CHECK(right);
}

static void ends_are_reached(void) {
  static float x[COUNT], y[COUNT];
  const float ends[] = {0.0f, 100, -100, INFINITY, -INFINITY, 1e30f, -1e30f};
  memcpy(x, ends, sizeof ends);
  apply(0, x, y);
  CHECK(y[0] == 1 && y[1] > 6e37f && y[1] == y[3] && y[2] > 0 && y[2] < 2e-38f);
  apply(1, x, y);
  CHECK(y[0] == 0.5f && y[1] == 1 && y[3] == 1 && y[5] == 1 && y[2] < 1e-37f && y[4] == y[6]);
  apply(3, x, y);
  CHECK(y[0] == -INFINITY && isnan(y[2]) && y[3] == INFINITY && isnan(y[4]) && isnan(y[6]));
  apply(2, x, y);
  CHECK(y[0] == 0 && y[1] == 1 && y[2] == -1 && y[3] == 1 && y[4] == -1 && y[5] == 1 && y[6] == -1);
}

static void nan_stays_nan(void) {
  static float x[COUNT], y[COUNT];
  for (uint32_t what = 0; what < 4; what++) {
    for (int i = 0; i < COUNT; i++)
      x[i] = i % 3 ? 0.5f : NAN;
    apply(what, x, y);
    bool right = true;
    for (int i = 0; i < COUNT; i++)
      right &= (i % 3 == 0) == (bool)isnan(y[i]);
    CHECK(right);
  }
}

int main(void) {
  CHECK_OK(lac_device_open(&device, NULL));
  if (!device) return check_finish();
  CHECK_OK(lac_program_add(device, "test_prelude", source));
  RUN(values_are_right_to_a_few_units_in_the_last_place);
  RUN(logarithms_are_right_from_the_smallest_numbers_on);
  RUN(ends_are_reached);
  RUN(nan_stays_nan);
  lac_device_release(device);
  return check_finish();
}
